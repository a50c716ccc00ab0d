"""The Explore page in a real browser: dragging, keys, links, and what happens when the connection is lost or refused."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from mmvae import cli
from mmvae.checkpoints import WEIGHTS, digest
from mmvae.palettes import BLOCKS
from mmvae.pictures import read_point
from mmvae.point import Point
from ui.live import FILES_PATH

from .conftest import ROOT, free_port, open_at, rest, settle

BIG = ".panel .big"
PIXELS = "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).join()"
SOCKET = "**/live/socket"


def pictures(page) -> list[str]:
    return [page.locator(BIG).nth(i).evaluate(PIXELS) for i in range(2)]


def point_of(page) -> Point:
    return Point.parse(urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query)["point"][0])


def save_both_ends(page) -> None:
    """Saves two points, with the fourth row at its low and at its high end."""
    open_tab(page, "Saved points")
    for key in ("Home", "End"):
        track(page, 3).focus()
        track(page, 3).press(key)
        rest(page)
        page.keyboard.press("s")


def track(page, row: int):
    return page.locator(".panel .track").nth(row)


def boxes(page) -> list[dict]:
    return page.evaluate("""() => {
      const panel = [...document.querySelectorAll('*')].map((node) => node.shadowRoot?.querySelector('.panel')).find(Boolean);
      return [...panel.querySelectorAll('.big, .row, .strip, .experts, .workbench, .button')].map((node) => {
        const { x, y, width, height } = node.getBoundingClientRect();
        return { x, y, width, height };
      });
    }""")


def drag(page, row: int, to: float, steps: int = 6) -> None:
    """Moves a knob to a place of its track, 0 to 1, without letting go."""
    box = track(page, row).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * to, box["y"] + box["height"] / 2, steps=steps)


def test_pictures_follow_a_drag_before_the_knob_is_let_go_and_nothing_else_moves(explore):
    page = explore
    track(page, 3).click()
    rest(page)
    before, layout = pictures(page), boxes(page)
    painted = int(page.locator(".panel").get_attribute("data-painted"))
    drag(page, 3, 0.95)
    page.wait_for_function(f"""() => [...document.querySelectorAll('*')].some((node) => node.shadowRoot?.querySelector('.panel')?.dataset.painted > {painted})""")
    after = pictures(page)
    assert boxes(page) == layout
    page.mouse.up()
    assert after[0] != before[0] and after[1] != before[1]


def test_a_private_dimension_changes_its_own_picture_alone(explore):
    page = explore
    rows = page.locator(".panel .row").count()
    assert rows == 9
    for row, own in ((0, 0), (rows - 1, 1)):
        before = pictures(page)
        drag(page, row, 0.02)
        page.mouse.up()
        rest(page)
        after = pictures(page)
        assert after[own] != before[own] and after[1 - own] == before[1 - own]


def test_every_dimension_answers_the_keyboard_and_has_a_name(explore):
    page = explore
    names = page.locator(".panel [role=slider]").evaluate_all("nodes => nodes.map((node) => node.getAttribute('aria-label'))")
    assert len(set(names)) == 9 and names[0].startswith("z I 1, private · elevation")
    slider = track(page, 4)
    slider.focus()

    def value() -> float:
        return float(slider.get_attribute("aria-valuenow"))

    start = value()
    low, high = (float(slider.get_attribute(name)) for name in ("aria-valuemin", "aria-valuemax"))
    slider.press("ArrowRight")
    assert value() == pytest.approx(start + (high - low) / 50, abs=0.005)
    slider.press("Shift+ArrowLeft")
    assert value() == pytest.approx(start + (high - low) * 0.019, abs=0.005)
    slider.press("Home")
    assert value() == pytest.approx(low, abs=0.01)
    slider.press("End")
    assert value() == pytest.approx(high, abs=0.01)
    slider.press("Delete")
    rest(page)
    assert value() == pytest.approx(start, abs=0.002)


def test_the_picture_of_a_keys_next_step_is_there_before_the_server_is_asked_and_is_that_of_its_point(page, app_url):
    page.add_init_script("window.muted = false; const send = WebSocket.prototype.send;"
                         "WebSocket.prototype.send = function (message) { if (!window.muted || typeof message === 'string') send.call(this, message); }")

    def pressed_unheard(key: str) -> list[str]:
        page.wait_for_timeout(200)  # what may come next is asked for when nothing else is
        page.evaluate("window.muted = true")
        count = page.locator(".panel").get_attribute("data-painted")
        page.keyboard.press(key)
        page.wait_for_function(f"""() => [...document.querySelectorAll('*')].some((node) => node.shadowRoot?.querySelector('.panel')?.dataset.painted > {count})""")
        return pictures(page)

    open_at(page, app_url, model="tiny-faces")
    track(page, 3).focus()
    page.keyboard.press("ArrowRight")
    rest(page)
    first = pictures(page)
    second = pressed_unheard("ArrowRight")
    assert second != first
    page.evaluate("window.muted = false")
    rest(page)
    there = page.url
    assert pictures(page) == second  # read meanwhile, and decoded once more
    assert pressed_unheard("ArrowLeft") == first
    page.goto(there)
    rest(page)
    assert pictures(page) == second


def test_undo_and_redo_walk_through_what_was_done(explore):
    page = explore
    start = point_of(page).z
    track(page, 2).focus()
    track(page, 2).press("End")
    rest(page)
    moved = point_of(page).z
    page.keyboard.press("Control+z")
    rest(page)
    assert point_of(page).z == pytest.approx(start, abs=1e-6)
    page.keyboard.press("Control+Shift+Z")
    rest(page)
    assert point_of(page).z == pytest.approx(moved, abs=1e-6) and moved != start


def test_a_frozen_block_stays_when_the_rest_is_sampled(explore):
    page = explore
    start = point_of(page).z
    page.locator(".panel .lock").nth(1).click()
    page.get_by_role("button", name="prior sample").click()
    rest(page)
    page.locator(".panel .lock").nth(1).click()
    z = point_of(page).z
    assert z[2:7] == start[2:7]
    assert all(a != b for a, b in zip(z[:2] + z[7:], start[:2] + start[7:]))


def test_a_link_opens_the_same_picture_in_another_browser(explore, browser):
    page = explore
    drag(page, 3, 0.8)
    page.mouse.up()
    rest(page)
    shown, address = pictures(page), page.url
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    other = context.new_page()
    other.set_default_timeout(120_000)
    other.goto(address)
    rest(other)
    assert pictures(other) == shown
    assert point_of(other) == point_of(page)
    context.close()


@pytest.mark.parametrize("kind", ["sample", "prior sample"])
def test_a_sample_is_in_its_link(explore, browser, kind):
    page = explore
    mean = point_of(page).z
    page.get_by_role("button", name=kind, exact=True).click()
    rest(page)
    shown, address = pictures(page), page.url
    assert all(a != b for a, b in zip(point_of(page).z, mean))
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    other = context.new_page()
    other.set_default_timeout(120_000)
    other.goto(address)
    rest(other)
    assert point_of(other) == point_of(page) and pictures(other) == shown
    context.close()


def test_a_component_is_drawn_by_its_weight_and_its_density_counts_by_it(explore, app_url):
    shares, densities = explore.evaluate("""async (address) => {
      const { component, density } = await import(address);
      const parts = [0.7, 0, 0.3].map((weight, i) => ({ weight, mean: [i], stddev: [0.5 + i] }));
      const counts = [0, 0, 0];
      for (let i = 0; i < 20000; i++) counts[parts.indexOf(component(parts))] += 1;
      return [counts.map((count) => count / 20000), [-1, 0.25, 3].map((z) => density(parts, 0, "gaussian", z))];
    }""", app_url + FILES_PATH + "/beliefs.js")
    assert shares[1] == 0 and shares[0] == pytest.approx(0.7, abs=0.02)
    expected = [sum(w * np.exp(-((z - m) ** 2) / (2 * s**2)) / (s * np.sqrt(2 * np.pi)) for w, m, s in ((0.7, 0, 0.5), (0.3, 2, 2.5))) for z in (-1, 0.25, 3)]
    assert densities == pytest.approx(expected)


def test_a_slider_below_zero_is_read_out_with_a_minus(explore):
    page = explore
    track(page, 3).press("Home")
    rest(page)
    assert re.match(r"−\d\.\d\d, posterior [−+]\d\.\d\d plus or minus \d\.\d\d$", track(page, 3).get_attribute("aria-valuetext"))
    assert float(track(page, 3).get_attribute("aria-valuenow")) < 0


def test_a_gauge_below_zero_has_a_minus_whatever_its_unit(explore, app_url):
    assert explore.evaluate("""async (address) => {
      const { Gauges } = await import(address);
      return ["", "°"].map((unit) => {
        const gauges = new Gauges([{ kind: "ordered", factor: "tilt", values: [-2, 2], unit, at: 0 }]);
        gauges.show([-1.25]);
        return gauges.root.querySelector("b").textContent;
      });
    }""", app_url + FILES_PATH + "/gauges.js") == ["−1.25", "−1°"]


def ends(page, row: int) -> tuple[float, float]:
    return tuple(float(track(page, row).get_attribute(name)) for name in ("aria-valuemin", "aria-valuemax"))


def test_the_range_of_the_sliders_is_the_one_chosen(explore, home):
    page = explore
    blocks = json.loads((home / "checkpoints" / "tiny-faces" / "statistics.json").read_text())["blocks"]
    choose = page.get_by_label("range of the sliders")
    for name, low, high in (("min-max", "min", "max"), ("percentile", "low", "high")):
        choose.select_option(name)
        assert ends(page, 3) == pytest.approx((blocks["z_shared"][low][1], blocks["z_shared"][high][1]), abs=0.006)
    choose.select_option("fixed")
    assert ends(page, 3) == (-3, 3)
    choose.select_option("percentile")


#: The pixels of every picture on canvases that hold `across` of them in a row, with a gap between.
CELLS = """(canvases, [across, gap]) => canvases.flatMap((canvas) => {
  const size = (canvas.width + gap) / across - gap, down = (canvas.height + gap) / (size + gap);
  return Array.from({ length: across * down }, (_, i) => Array.from(canvas.getContext("2d")
    .getImageData((i % across) * (size + gap), Math.floor(i / across) * (size + gap), size, size).data));
})"""


def cells(page, selector: str, across: int = 1, gap: int = 0) -> np.ndarray:
    """Pixels [picture, height × width, 4]."""
    found = page.locator(selector).evaluate_all(CELLS, [across, gap])
    return np.array(found).reshape(len(found), -1, 4)


def wait_painted(page, selector: str, count: int, across: int = 1, gap: int = 0) -> None:
    for _ in range(300):
        drawn = int(cells(page, selector, across, gap)[..., :3].any((1, 2)).sum())
        if drawn == count:
            return
        page.wait_for_timeout(200)
    raise AssertionError(f"{drawn} of {count} pictures of {selector} were drawn")


def open_tab(page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def test_dragging_in_the_plane_moves_its_two_dimensions_and_both_pictures(explore):
    page = explore
    open_tab(page, "Plane")
    page.get_by_label("dimension across").select_option("3")
    page.get_by_label("dimension upwards").select_option("4")
    rest(page)
    wait_painted(page, ".panel .field canvas", 81, across=9)
    before, start = pictures(page), point_of(page).z
    box = page.locator(".panel .field").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.2 * box["height"], steps=5)
    page.mouse.up()
    rest(page)
    after, z = pictures(page), point_of(page).z
    assert after[0] != before[0] and after[1] != before[1]
    for row, place in ((3, 0.9), (4, 0.8)):
        low, high = ends(page, row)
        assert z[row] == pytest.approx(low + place * (high - low), abs=0.02 * (high - low))
    assert [a == b for a, b in zip(z, start)] == [True] * 3 + [False] * 2 + [True] * 4
    page.locator(".panel .field").press("ArrowLeft")
    rest(page)
    assert point_of(page).z[3] < z[3] and point_of(page).z[4] == pytest.approx(z[4])


def test_the_plane_has_scales_that_stand_still_and_is_saved_with_them(explore, tmp_path):
    page = explore
    open_tab(page, "Plane")
    page.get_by_label("dimension across").select_option("3")
    page.get_by_label("dimension upwards").select_option("8")
    page.get_by_label("range of the sliders").select_option("fixed")
    rest(page)
    scales = [page.locator(f".panel .scale-{way}") for way in ("across", "upwards")]
    assert [scale.locator("> *").all_text_contents() for scale in scales] == [["−3.00", "0", "+3.00", name] for name in ("zS2", "zT2")]
    where = """nodes => nodes.map((node) => node.getBoundingClientRect()).map(({ x, y, width, height }) => [x, y, width, height])"""
    layout = page.locator(".panel .scaled *").evaluate_all(where)
    box = page.locator(".panel .field").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.3 * box["height"], steps=5)
    moved = page.locator(".panel .scaled *").evaluate_all(where)
    page.mouse.up()
    rest(page)
    assert [a != b for a, b in zip(layout, moved)].count(True) == 1  # the dot alone
    with page.expect_download() as saving:
        page.locator(".panel .plane").get_by_role("button", name="PNG").click()
    saving.value.save_as(tmp_path / "plane.png")
    assert saving.value.suggested_filename == "tiny-faces-plane.png" and read_point(tmp_path / "plane.png") == point_of(page)
    page.get_by_label("range of the sliders").select_option("percentile")
    low, high = ends(page, 3)
    assert [float(text.replace("−", "-")) for text in scales[0].locator("> span").all_text_contents()][::2] == pytest.approx([low, high], abs=0.006)
    rest(page)


def test_the_way_between_two_pairs_moves_the_blocks_that_are_chosen(explore):
    page = explore
    open_tab(page, "Interpolation")
    page.get_by_role("button", name="set A").click()
    first = point_of(page)
    page.get_by_role("button", name="next ›").click()
    page.wait_for_function("(item) => location.search && decodeURIComponent(location.search).split('~')[3] !== item", arg=str(first.item))
    rest(page)
    second = point_of(page)
    page.get_by_role("button", name="set B").click()
    strips = {}
    for scope, moves in (("all", [True] * 9), ("shared", [False] * 2 + [True] * 5 + [False] * 2), ("private", [True] * 2 + [False] * 5 + [True] * 2)):
        page.get_by_label("blocks that move").select_option(scope)
        wait_painted(page, ".panel .way canvas", 18, across=9, gap=4)
        for i, t in ((4, 0.5), (8, 1.0)):
            page.locator(".panel .way .picks").first.locator("button").nth(i).click()
            rest(page)
            expected = [a + t * (b - a) if moving else a for a, b, moving in zip(first.z, second.z, moves)]
            assert point_of(page).z == pytest.approx(expected, abs=1e-5), (scope, i)
        strips[scope] = pictures(page)
        for small, big in zip(cells(page, ".panel .way canvas", across=9, gap=4)[8::9], cells(page, BIG), strict=True):
            inside = small[:, 3] == 255  # corners are rounded
            assert inside.mean() > 0.98 and (small[inside] == big[inside]).all()
    assert len({tuple(pair) for pair in strips.values()}) == 3


def test_playing_sweeps_one_dimension_until_it_is_stopped(explore):
    page = explore
    track(page, 5).click()
    rest(page)
    start = point_of(page).z
    play = page.get_by_title("play the active dimension")  # a figure below may have a play button of its own
    play.click()
    seen = set()
    for _ in range(60):
        seen.add(track(page, 5).get_attribute("aria-valuenow"))
        page.wait_for_timeout(50)
    assert play.inner_text() == "■ stop"
    play.click()
    rest(page)
    low, high = ends(page, 5)
    assert len(seen) >= 5 and max(map(float, seen)) - min(map(float, seen)) > 0.3 * (high - low)
    assert [a == b for a, b in zip(point_of(page).z, start)] == [row != 5 for row in range(9)]
    page.keyboard.press("Control+z")
    rest(page)
    assert point_of(page).z == pytest.approx(start, abs=1e-6)


def test_saved_points_are_kept_and_stepped_through_while_presenting(explore):
    page = explore
    save_both_ends(page)
    page.reload()
    rest(page)
    wait_painted(page, ".panel .saved canvas", 4)
    low, high = ends(page, 3)
    page.keyboard.press("p")
    page.wait_for_selector(".panel.present")
    for selector, visible in ((".big", True), (".track", True), (".gauges", True), (".workbench", False), (".experts", False), (".toolbar", False)):
        assert page.locator(f".panel {selector}").first.is_visible() == visible, selector
    track(page, 3).focus()  # the keys of a slider too are for the points now
    page.keyboard.press("ArrowRight")
    rest(page)
    assert point_of(page).z[3] == pytest.approx(low, abs=0.006)
    moving = page.evaluate("""() => new Promise((resolve) => {
      const panel = [...document.querySelectorAll("*")].map((node) => node.shadowRoot?.querySelector(".panel")).find(Boolean);
      const values = [];
      const look = () => {
        values.push(Number(panel.querySelectorAll(".track")[3].getAttribute("aria-valuenow")));
        if (panel.dataset.rest === "yes" && values.length > 5) resolve(values);
        else requestAnimationFrame(look);
      };
      document.dispatchEvent(new KeyboardEvent("keydown", { key: "PageDown" }));
      look();
    })""")
    assert moving[-1] == pytest.approx(high, abs=0.006) and moving == sorted(moving)
    assert any(low + 0.01 < value < high - 0.01 for value in moving)
    assert page.locator(".panel .presenting [role=status]").inner_text() == "2 / 2"
    item = point_of(page).item
    assert page.locator(".panel .presenting").inner_text().startswith(f"MuMo-VAE · Rendered 3D faces (tiny-faces) · moved or sampled code · picked pair #{item}")
    page.keyboard.press("p")
    assert page.locator(".panel .workbench").is_visible()
    for _ in range(2):
        page.mouse.move(0, 0)
        assert float(page.locator(".panel .saved .remove").first.evaluate("node => getComputedStyle(node).opacity")) > 0.5  # without a hover
        page.locator(".panel .saved .remove").first.click()
    assert page.locator(".panel .saved li").count() == 0


def test_a_pair_is_picked_by_its_picture_and_nothing_is_pushed_down(explore):
    page = explore
    layout, before = boxes(page), point_of(page)
    page.get_by_role("button", name="Browse pictures").click()
    fresh = page.locator('.gallery button[aria-pressed="false"]').nth(3)
    fresh.wait_for()
    assert boxes(page) == layout
    item = fresh.get_attribute("data-id")
    fresh.click()
    page.wait_for_function("(item) => decodeURIComponent(location.search).split('~')[3] === item", arg=item)
    rest(page)
    assert point_of(page).z != before.z
    page.wait_for_selector(".gallery", state="hidden")


def test_the_command_draws_the_picture_of_the_page_byte_for_byte(explore, app_url, home, tmp_path, monkeypatch):
    page = explore
    drag(page, 4, 0.7)
    page.mouse.up()
    rest(page)
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.get_by_role("button", name="copy command").click()
    program, *arguments = shlex.split(page.evaluate("window.copied"))
    monkeypatch.setenv("MMVAE_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    assert program == "python" and arguments[:2] == ["-m", "mmvae"] and cli.main(arguments[2:]) == 0
    drawn = Path(arguments[-1]).read_bytes()
    assert download(app_url, kind="pair-png", point=str(point_of(page)))[0] == drawn
    picture = np.asarray(Image.open(io.BytesIO(drawn)))
    shown = [np.array(text.split(","), np.uint8).reshape(64, 64, 4)[..., :3] for text in pictures(page)]
    for i, pixels in enumerate(shown):  # 8 pixels between, each of the model's 5 × 5
        left = 8 + i * (320 + 8)
        assert (picture[8:328, left:left + 320] == pixels.repeat(5, 0).repeat(5, 1)).all()


def test_leaving_the_page_and_coming_back_keeps_the_code(explore):
    page = explore
    drag(page, 3, 0.9)
    page.mouse.up()
    rest(page)
    settle(page)  # Streamlit may forget what it was told last where one goes on before it is drawn, here and below
    shown = point_of(page).z
    page.get_by_role("link", name="Home").first.click()
    page.wait_for_selector(".panel", state="detached", timeout=120_000)
    settle(page)
    page.get_by_role("link", name="Explore").first.click()
    page.wait_for_selector(".panel[data-painted]", timeout=120_000)
    rest(page)
    assert point_of(page).z == pytest.approx(shown, abs=1e-5)


def test_a_link_that_cannot_be_followed_says_why(page, app_url):
    open_at(page, app_url, model="tiny-faces", point="p1~broken")
    assert "not a point" in page.locator('[data-testid="stAlert"]').inner_text()
    true = point_of(page)
    foreign = Point(true.checkpoint, "00000000", true.z, true.item, true.observed)
    open_at(page, app_url, point=str(foreign))
    text = page.locator('[data-testid="stAlert"]').inner_text()
    assert "other weights" in text and "00000000" in text


def test_the_panel_comes_back_after_the_server_restarted(page, home, data_root):
    port = free_port()
    server = start(home, data_root, port)
    try:
        open_at(page, f"http://127.0.0.1:{port}", model="tiny-faces")
        drag(page, 3, 0.9)
        page.mouse.up()
        rest(page)
        z = point_of(page).z
        server.terminate()
        server.wait(20)
        page.wait_for_selector('.panel[data-live="fallback"]', timeout=120_000)
        page.locator(".panel .status [role=status]", has_text="the server does not answer").wait_for()
        server = start(home, data_root, port)
        page.wait_for_selector('.panel[data-live="live"]', timeout=180_000)
        before = pictures(page)
        drag(page, 4, 0.1)
        page.mouse.up()
        rest(page)
        after = point_of(page).z
        assert pictures(page) != before
        assert after[3] == z[3] and after[4] != z[4]
    finally:
        server.terminate()
        server.wait(20)


def start(home: Path, data_root: Path, port: int) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.address", "127.0.0.1", "--server.port", str(port), "--server.headless", "true"],
        cwd=ROOT, env=os.environ | {"MMVAE_HOME": str(home), "MMVAE_DATA": str(data_root)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(450):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5).close()
            return process
        except OSError:
            time.sleep(0.2)
    process.kill()
    raise RuntimeError("the app did not start")


def relayed(page) -> list:
    """The page's connections to the server from now on, in order, as they are made: each goes through until a test closes it."""
    sockets = []

    def relay(socket) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    page.route_web_socket(SOCKET, relay)
    return sockets


def test_a_dropped_connection_is_taken_up_again(page, app_url):
    sockets = relayed(page)
    open_at(page, app_url, model="tiny-faces")
    sockets[0].close(code=1011)
    for _ in range(100):
        if len(sockets) > 1:
            break
        page.wait_for_timeout(100)
    page.wait_for_selector('.panel[data-live="live"]', timeout=120_000)
    before = pictures(page)
    drag(page, 3, 0.9)
    page.mouse.up()
    rest(page)
    assert pictures(page) != before


def test_without_a_socket_pictures_come_by_reruns_and_the_panel_says_so(page, app_url):
    page.route_web_socket(SOCKET, lambda socket: socket.close(code=1011))
    page.set_default_timeout(120_000)
    page.goto(f"{app_url}/explore?model=tiny-faces")
    page.wait_for_selector('.panel[data-live="fallback"]', timeout=180_000)
    page.locator(".panel .status [role=status]", has_text="pictures come by reruns").wait_for()
    rest(page)
    before = pictures(page)
    drag(page, 3, 0.95)
    page.mouse.up()
    rest(page)
    assert pictures(page) != before


def download(app_url: str, **parameters: str) -> tuple[bytes, str]:
    with urllib.request.urlopen(f"{app_url}/live/export?{urllib.parse.urlencode(parameters)}", timeout=120) as answer:
        return answer.read(), answer.headers["Content-Disposition"]


def test_saved_files_carry_the_point_and_opening_or_dropping_one_brings_it_back(explore, app_url):
    page = explore
    drag(page, 3, 0.75)
    page.mouse.up()
    rest(page)
    saved, shown = point_of(page), pictures(page)
    content, name = download(app_url, kind="pair-png", point=str(saved))
    assert "tiny-faces-pair.png" in name
    assert read_point(io.BytesIO(content)) == saved
    page.get_by_role("button", name="prior mean").click()
    rest(page)
    assert pictures(page) != shown
    open_tab(page, "Saved points")
    chooser = page.locator('.saved input[type="file"]')
    chooser.evaluate("input => input.addEventListener('click', (event) => { event.preventDefault(); input.dataset.asked = 'yes'; })")
    page.get_by_role("button", name="open a saved picture…").press("Enter")  # the browser's own window is left out: no test can close it
    page.wait_for_selector('.saved input[data-asked="yes"]', state="attached")
    chooser.set_input_files({"name": "pair.png", "mimeType": "image/png", "buffer": content})
    page.wait_for_function("point => decodeURIComponent(location.search).includes(point)", arg=str(saved), timeout=120_000)
    rest(page)
    assert pictures(page) == shown
    page.get_by_role("button", name="prior mean").click()
    rest(page)
    page.evaluate("""(base64) => {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], "pair.png", { type: "image/png" }));
      window.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }""", base64.b64encode(content).decode())
    page.wait_for_function("point => decodeURIComponent(location.search).includes(point)", arg=str(saved), timeout=120_000)
    assert pictures(page) == shown
    assert point_of(page).z == saved.z


def test_the_traversal_is_saved_as_animation_strip_and_numbers(explore, app_url):
    page = explore
    point = str(point_of(page))
    content, _ = download(app_url, kind="gif", point=point)
    animation = Image.open(io.BytesIO(content))
    assert animation.n_frames == 61 and point in animation.info["comment"].decode()
    content, _ = download(app_url, kind="png", point=point)
    assert str(read_point(io.BytesIO(content))) == point
    content, _ = download(app_url, kind="csv", point=point)
    lines = content.decode().splitlines()
    assert len(lines) == 4 + 1 + 9 * 61 and f"# point: {point}" in lines[:4] and lines[5].startswith("z_elevation,1,0,-3.0")


@pytest.mark.parametrize("wrong", [{"kind": "gif", "point": "p1~nothing"}, {"kind": "exe"}, {"kind": "gif", "point": "p1~../../etc~~~~~"}])
def test_a_file_that_cannot_be_made_is_refused_with_a_reason(app_url, wrong):
    with pytest.raises(urllib.error.HTTPError) as caught:
        download(app_url, **wrong)
    assert caught.value.code == 400 and caught.value.read()


def test_a_phone_shows_everything_without_sideways_scrolling(explore):
    page = explore
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_selector(".panel.narrow")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    assert all(box["x"] + box["width"] <= 391 for box in boxes(page))
    page.set_viewport_size({"width": 1440, "height": 900})


SIZES = [(1024, 768), (1093, 614), (1190, 800), (1280, 720), (1440, 900), (1920, 1080)]


def test_gauges_have_room_beside_the_sliders_at_every_width(explore):
    page = explore
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(200)
        found = page.evaluate("""() => {
          const panel = [...document.querySelectorAll("*")].map((node) => node.shadowRoot?.querySelector(".panel")).find(Boolean);
          return [...panel.querySelectorAll(".view")].map((view) => {
            const right = view.getBoundingClientRect().right;
            const inside = [...view.querySelectorAll(".gauge, .gauge b, figcaption")].every((node) => node.getBoundingClientRect().right <= right + 1);
            return [inside, Math.min(...[...view.querySelectorAll(".scale")].map((node) => node.clientWidth))];
          });
        }""")
        assert all(inside and track >= 60 for inside, track in found), (width, found)
    page.set_viewport_size({"width": 1440, "height": 900})


def test_presenting_makes_no_track_smaller_and_covers_no_row_with_a_message(explore):
    page = explore
    tracks = {}
    for presenting in (False, True):
        if presenting:
            page.keyboard.press("p")
            page.wait_for_selector(".panel.present")
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(200)
            tracks[presenting, width] = track(page, 0).bounding_box()["width"]
    page.keyboard.press("s")
    told = page.locator(".panel .status [role=status]").bounding_box()
    value = page.locator(".panel .row .value").last.bounding_box()
    assert told["x"] + told["width"] < value["x"] and abs(told["x"] + told["width"] / 2 - width / 2) < 2
    page.keyboard.press("p")
    page.set_viewport_size({"width": 1440, "height": 900})
    assert all(tracks[True, width] >= tracks[False, width] for width, _ in SIZES), tracks


def test_the_hues_of_blocks_follow_a_change_of_the_theme(page, app_url):
    open_at(page, app_url, model="tiny-faces")
    for scheme in ("dark", "light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_selector(f'.panel[data-theme="{scheme}"]')
        hues = page.locator(".panel .group > h4 b").evaluate_all("nodes => nodes.map((node) => getComputedStyle(node).color)")
        assert hues == [f"rgb{tuple(bytes.fromhex(hue[1:]))}" for hue in BLOCKS[scheme]]


def test_other_weights_on_the_server_are_shown_as_such_once_the_connection_is_back(page, app_url, home):
    """The page is made anew: its pictures, its digest and its links are of the weights that draw."""
    folder = home / "checkpoints" / "tiny-replaced"
    shutil.copytree(home / "checkpoints" / "tiny-faces", folder)
    try:
        sockets = relayed(page)
        open_at(page, app_url, model="tiny-replaced")
        before, shown = point_of(page), pictures(page)
        weights = {name: tensor + 0.02 for name, tensor in load_file(folder / WEIGHTS).items()}
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
        sockets[-1].close(code=1011)
        page.wait_for_function("digest => !decodeURIComponent(location.search).includes(digest)", arg=before.digest)
        page.wait_for_selector('.panel[data-live="live"]')
        rest(page)
        assert point_of(page).digest == digest(folder) and point_of(page).z == before.z and pictures(page) != shown
    finally:
        shutil.rmtree(folder)
