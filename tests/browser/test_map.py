"""The Map page in a real browser: a map that comes about, hover, lasso, legend, walk, and the way to Explore."""

from __future__ import annotations

import io
import json
import shutil
import struct
import urllib.parse
import zipfile
from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import TimeoutError, expect
from safetensors.torch import load_file, save_file

from mmvae.checkpoints import WEIGHTS, load
from mmvae.cli import main
from mmvae.data import DATASETS, dataset
from mmvae.palettes import HUES24, PETROFF10
from mmvae.point import Point
from mmvae.readers import readers_for
from ui.live import FILES_PATH

from .conftest import settle

ITEMS = 300
#: The map as the browser has it, through the component's shadow root.
MAP = "[...document.querySelectorAll('*')].map((node) => node.shadowRoot?.querySelector('.map')).find(Boolean)"


def wish(model: str = "tiny-faces", blocks: tuple[str, ...] = ("z_shared",), source: str = "pair", layout: str = '{"method": "pca"}') -> dict:
    return {"model": model, "blocks": blocks, "source": source, "sampled": False, "split": "test", "count": ITEMS, "seed": 0, "layout": layout}


@pytest.fixture
def opened(page, app_url) -> Callable[..., object]:
    """Opens the page for maps, and waits until all are finished."""
    def go(*wishes: dict):
        page.goto(f"{app_url}/map?{urllib.parse.urlencode({'map': json.dumps(wishes)})}", wait_until="commit")
        for at in range(len(wishes)):
            page.locator('.map .pane[data-state="done"]').nth(at).wait_for(timeout=240_000)
        page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes.every((pane) => pane.column && pane.points.moving === 1)")
        return page

    return go


def seen(page, expression: str):
    """What an expression of the panel `panel` gives."""
    return page.evaluate(f"() => {{ const panel = ({MAP}).parentNode.widget; return {expression}; }}")


def point_at(page, index: int, pane: int = 0) -> tuple[float, float]:
    """Where a point is on the page."""
    box = page.locator(".map .overlay").nth(pane).bounding_box()
    x, y = seen(page, f"panel.panes[{pane}].screen({index})")
    return box["x"] + x, box["y"] + y


def test_hovering_a_point_shows_its_images_its_decoding_and_its_labels(opened):
    page = opened(wish())
    assert int(page.locator(".map .pane").get_attribute("data-points")) == ITEMS
    page.mouse.move(*point_at(page, 4))
    card = page.locator(".map .card[data-decoded]")
    card.wait_for()
    item = page.locator(".map .pane").get_attribute("data-hovered")
    assert card.get_attribute("data-decoded") == item
    words = card.inner_text().split()
    assert item in words and {"identity", "azimuth", "elevation", "lighting", "KL"} <= set(words)
    brightness = card.locator("canvas").evaluate_all(
        "nodes => nodes.map((node) => Math.max(...node.getContext('2d').getImageData(0, 0, node.width, node.height).data.filter((_, i) => i % 4 < 3)))")
    assert len(brightness) == 4 and min(brightness) > 20
    page.mouse.move(5, 5)
    card.wait_for(state="hidden")


def pictures_apart(page) -> list[tuple[float, float]]:
    """Where the pictures on the map are, once they are there and no two of them overlap."""
    page.wait_for_function(f"() => {{ const {{ mosaic, node }} = ({MAP}).parentNode.widget.panes[0]; return mosaic.shown.length && Number(node.dataset.pictures) === mosaic.shown.length; }}")
    places = seen(page, "panel.panes[0].mosaic.shown.map((i) => panel.panes[0].screen(i))")
    for i, (x, y) in enumerate(places):
        assert all(max(abs(x - a), abs(y - b)) >= 50 for a, b in places[:i])
    return places


def test_faces_are_shown_among_their_points_and_more_of_them_nearer(opened, data_root):
    page = opened(wish())
    assert page.locator('.map select[aria-label="Show as"]').input_value() == "0"
    pictures_apart(page)
    first = seen(page, "panel.panes[0].mosaic.shown[0]")
    item = seen(page, f"panel.panes[0].ids[{first}]")
    shown = seen(page, f"[...panel.panes[0].mosaic.known.get({first})[0].getContext('2d').getImageData(0, 0, 64, 64).data].filter((_, i) => i % 4 === 0)")
    images, _ = dataset("faces", data_root).items([int(item)])
    assert np.abs(np.array(shown) - (images["elevation"][0, 0].numpy() * 255).round().reshape(-1)).max() <= 1
    x, y = point_at(page, first)
    page.mouse.move(x + 18, y + 18)  # beyond the point, on its picture
    page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes[0].hovered === {first}")
    page.mouse.move(5, 5)
    before = seen(page, "panel.panes[0].mosaic.shown")
    seen(page, "panel.panes[0].points.zoomBy(3, panel.panes[0].points.width / 2, panel.panes[0].points.height / 2)")
    page.wait_for_function(f"(before) => ({MAP}).parentNode.widget.panes[0].mosaic.shown.some((i) => !before.includes(i))", arg=before)
    pictures_apart(page)
    page.locator('.map select[aria-label="Show as"]').select_option("")
    page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes[0].node.dataset.pictures === '0'")


def test_where_classes_are_named_the_map_opens_with_points_alone(opened):
    page = opened(wish(model="tiny-digits"))
    assert page.locator('.map select[aria-label="Show as"]').input_value() == ""
    page.locator('.map select[aria-label="Show as"]').select_option("1")
    pictures_apart(page)


def test_a_link_brings_back_what_was_coloured_and_shown(opened, browser):
    page = opened(wish())
    assert "colour=" not in page.url and "show=" not in page.url
    page.locator('.map select[aria-label="Colour by"]').select_option("lighting")
    page.locator('.map select[aria-label="Show as"]').select_option(label="points alone")
    page.wait_for_url("**colour=lighting*show=points*")
    context = browser.new_context()
    other = context.new_page()
    for _ in range(2):  # a shared link, then a reload
        other.goto(page.url, wait_until="commit")
        other.wait_for_function(f"() => {{ const panel = ({MAP})?.parentNode.widget; return panel?.panes[0]?.column?.id === 'lighting' && panel.pictured === null; }}")
        assert other.locator('.map select[aria-label="Show as"] option:checked').inner_text() == "points alone"
    context.close()
    page.locator('.map select[aria-label="Colour by"]').select_option("azimuth")
    page.locator('.map select[aria-label="Show as"]').select_option("0")
    page.wait_for_url(lambda url: "colour=" not in url and "show=" not in url)
    page.goto(f"{page.url}&colour=nothing&show=9", wait_until="commit")  # of no such column: the usual view, and an address without it
    page.wait_for_url(lambda url: "map=" in url and "colour=" not in url and "show=" not in url)
    assert seen(page, "[panel.colour, panel.pictured]") == ["azimuth", 0]


def test_a_click_opens_the_point_in_explore(opened):
    page = opened(wish())
    page.mouse.move(*point_at(page, 7))
    page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes[0].hovered >= 0")
    at = seen(page, "panel.panes[0].hovered")
    item, code = seen(page, f"panel.panes[0].ids[{at}]"), seen(page, f"[...panel.panes[0].codeAt({at})]")
    page.mouse.down()
    page.mouse.up()
    page.wait_for_url("**/explore?*", timeout=60_000)
    point = Point.parse(urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query)["point"][0])
    assert point.item == item and point.checkpoint == "tiny-faces" and point.observed == ("elevation", "lighting")
    assert point.z == pytest.approx(code, abs=1e-6)


def test_a_lasso_selects_counts_and_exports_what_is_within_in_both_maps(opened):
    page = opened(wish(), wish(blocks=("z_elevation",), layout=""))
    page.locator('.map select[aria-label="Colour by"]').select_option("identity")
    page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes.every((pane) => pane.column.id === 'identity')")
    box = page.locator(".map .overlay").first.bounding_box()
    middle = seen(page, "(() => { const p = panel.panes[0].points; return p.toScreen(p.target[0], p.target[1]); })()")
    corners = [(-70, -70), (70, -70), (70, 70), (-70, 70)]
    page.keyboard.down("Shift")
    for i, (dx, dy) in enumerate([*corners, corners[0]]):
        page.mouse.move(box["x"] + middle[0] + dx, box["y"] + middle[1] + dy, steps=3)
        if i == 0:
            page.mouse.down()
    page.mouse.up()
    page.keyboard.up("Shift")
    inside = seen(page, f"""panel.panes[0].ids.filter((_, i) => {{
        const [x, y] = panel.panes[0].screen(i); return Math.abs(x - {middle[0]}) < 70 && Math.abs(y - {middle[1]}) < 70; }})""")
    selected = seen(page, "[...panel.selection.ids]")
    assert inside and sorted(selected) == sorted(inside)
    for pane in (0, 1):
        lit = seen(page, f"panel.panes[{pane}].ids.filter((_, i) => !panel.panes[{pane}].points.behind[i])")
        assert sorted(lit) == sorted(inside)
    page.locator(".map .tile canvas").first.wait_for()
    counted = page.locator(".map .counts div").evaluate_all("rows => rows.map((row) => Number(row.dataset.count))")
    labels = seen(page, "panel.panes[0].ids.flatMap((id, i) => panel.selection.ids.has(id) ? [panel.panes[0].labels.identity[i]] : [])")
    assert counted == sorted((labels.count(value) for value in set(labels)), reverse=True)[:10]
    with page.expect_download() as saved:
        page.locator(".map .chosen").get_by_role("button", name="CSV").click()
    rows = saved.value.path().read_text().splitlines()
    assert rows[0].startswith("id,given,x,y,kl,identity") and sorted(int(row.split(",")[0]) for row in rows[1:]) == sorted([*inside, *inside])


def around(page, low: tuple[float, float], high: tuple[float, float]) -> None:
    """Draws a rectangle on the first map with Shift, between corners in pixels of it."""
    box = page.locator(".map .overlay").first.bounding_box()
    (left, top), (right, bottom) = low, high
    page.keyboard.down("Shift")
    for i, (x, y) in enumerate([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]):
        page.mouse.move(box["x"] + x, box["y"] + y, steps=3)
        if i == 0:
            page.mouse.down()
    page.mouse.up()
    page.keyboard.up("Shift")


@pytest.mark.parametrize("how", ["Clear", "Escape", "a click beside all points", "a line around nothing"])
def test_a_selection_is_cleared(opened, how):
    page = opened(wish("tiny-digits"), wish("tiny-digits", source="svhn"))
    x, y = seen(page, "panel.panes[0].screen(0)")
    around(page, (x - 30, y - 30), (x + 30, y + 30))
    assert seen(page, "panel.selection.ids.size") and seen(page, "panel.panes.every(({ points }) => points.behind.includes(1))")
    box = page.locator(".map .overlay").first.bounding_box()
    if how == "Clear":
        page.locator(".map .chosen").get_by_role("button", name="Clear").click()
    elif how == "Escape":
        page.keyboard.press("Escape")
    elif how == "a line around nothing":
        around(page, (4, box["height"] - 20), (20, box["height"] - 4))
    else:
        page.mouse.click(box["x"] + 4, box["y"] + box["height"] - 4)
    page.wait_for_function(f"() => ({MAP}).dataset.selected === '0'")
    page.locator(".map .chosen").get_by_text("Draw around points").wait_for()
    assert not seen(page, "panel.panes.some(({ points }) => points.behind.includes(1))")
    around(page, (x - 30, y - 30), (x + 30, y + 30))
    assert seen(page, "panel.selection.ids.size")


def test_the_legend_is_that_of_the_colouring_chosen_while_another_one_is_computed(opened):
    page = opened(wish("tiny-digits"))
    answers = []

    def answer(route) -> None:
        answers.append(route.request.url)
        if len(answers) > 3:
            route.fulfill(status=400, body="the readers are gone")
        else:
            route.fulfill(status=202, json={"progress": 0.3})

    page.route("**/maps/*/column*", answer)
    choice, legend = page.locator('.map select[aria-label="Colour by"]'), page.locator(".map .legend")
    choice.select_option("error")
    legend.get_by_text("Decoding every point: 30 %").wait_for()
    page.evaluate(f"""() => {{
        const legend = ({MAP}).querySelector('.legend');
        window.headings = new Set();
        new MutationObserver(() => window.headings.add(legend.querySelector('h4')?.textContent)).observe(legend, {{ childList: true }});
    }}""")
    choice.select_option("digit")
    legend.locator(".chip").first.wait_for()
    for _ in range(100):
        if len(answers) > 3:
            break
        page.wait_for_timeout(100)
    page.wait_for_timeout(500)
    assert len(answers) > 3 and set(page.evaluate("() => [...window.headings]")) <= {"digit", None}
    assert legend.locator(".chip").count() == 10


def test_a_whole_map_lies_below_its_title(opened):
    page = opened(wish())
    for width in (1440, 390):  # on a phone the title takes more lines
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes[0].points.width < {width}")
        title = seen(page, "panel.panes[0].title.offsetTop + panel.panes[0].title.offsetHeight")
        top, radius = seen(page, "(({ points }) => (points.extent = [0.3, 1], [points.toScreen(0, 1)[1], points.size / 2]))(panel.panes[0])")  # as of a map higher than wide
        assert top - radius > title


def test_of_two_codes_a_pair_only_those_drawn_around_are_counted_shown_and_averaged(opened):
    page = opened(wish("tiny-digits", source="each"))
    x, y = seen(page, "panel.panes[0].screen(0)")
    around(page, (x - 7, y - 7), (x + 7, y + 7))
    inside = seen(page, f"panel.panes[0].ids.flatMap((_, i) => {{ const [x, y] = panel.panes[0].screen(i); return Math.abs(x - {x}) < 7 && Math.abs(y - {y}) < 7 ? [i] : []; }})")
    items = {i % ITEMS for i in inside}
    partners = {i for i in range(2 * ITEMS) if i % ITEMS in items} - set(inside)
    assert inside and partners  # else there is nothing to mix up
    assert seen(page, "panel.selection.of(panel.panes[0])") == inside
    assert not partners & set(seen(page, "panel.panes[0].ids.flatMap((_, i) => (panel.panes[0].points.behind[i] ? [] : [i]))"))
    assert sum(page.locator(".map .counts div").evaluate_all("rows => rows.map((row) => Number(row.dataset.count))")) == len(items)
    shown = [title.split(":")[0] for title in page.locator(".map .tiles").first.locator(".tile").evaluate_all("tiles => tiles.map((tile) => tile.title)")]
    assert len(shown) == len(set(shown)) == min(32, len(items))
    other = min(set(range(2 * ITEMS)) - set(inside) - partners)
    *colour, opacity = seen(page, f"[...panel.panes[0].points.colours.slice(4 * {other}, 4 * {other} + 4)]")
    assert max(colour) < 70 and opacity > 200  # dark and not transparent: many in one place stay dark


def test_a_map_stays_where_streamlit_cleans_up_after_an_overtaken_call(opened):
    page = opened(wish("tiny-digits"))
    left = page.evaluate("""async ([files]) => {
        const parentElement = (MAP).parentNode, panel = parentElement.widget;
        const { render } = await import(`${location.origin}${files}/map.js`);
        const data = { socket: panel.socket, maps: panel.panes.map(({ info }) => info), placed: [], own: [], colours: panel.colours };
        const component = { data, parentElement, setStateValue: panel.report, setTriggerValue: panel.trigger };
        const overtaken = render(component);
        render(component);
        overtaken();
        await new Promise((resolve) => setTimeout(resolve, 700));
        return [parentElement.widget === panel, panel.panes.length, Boolean(parentElement.querySelector(".pane canvas"))];
    }""".replace("MAP", MAP), [FILES_PATH])
    assert left == [True, 1, True]


def test_a_map_drawn_anew_is_grey_until_its_colours_are_known_and_keeps_its_lines_and_a_decoded_point(opened):
    page = opened(wish("tiny-digits", source="each"))
    page.get_by_role("button", name="Join pairs").click()
    page.route("**/maps/*/column*", lambda route: route.fulfill(status=202, json={"progress": 0.3}))
    page.locator('.map select[aria-label="Colour by"]').select_option("error")
    page.get_by_text("Decoding every point: 30 %").wait_for()
    before = seen(page, "panel.keys")
    page.get_by_role("radio", name="samples").click()
    page.get_by_role("button", name="Draw the map").click()
    page.wait_for_function(f"(before) => ({MAP}).parentNode.widget.keys !== before", arg=before)
    page.locator('.map .pane[data-state="done"]').wait_for()
    page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes[0].ids?.length > 2 * {ITEMS}")  # the numbers offered begin at 500
    points = seen(page, "panel.panes[0].points.count")
    assert set(seen(page, "[...panel.panes[0].points.colours]")) == {104, 114, 128, 215} and points == seen(page, "panel.panes[0].points.colours.length / 4")
    assert seen(page, "panel.panes[0].points.lines.length") == points
    page.wait_for_function(f"() => {{ const node = ({MAP}).querySelector('.walks canvas'); return node.getContext('2d').getImageData(0, 0, node.width, node.height).data.some((value, i) => i % 4 < 3 && value > 20); }}")


def test_a_map_of_another_model_takes_the_place_of_the_one_before_on_the_server_too(opened):
    page = opened(wish())
    seen(page, "(window.before = [...panel.lives.values()][0].socket).url")
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name="tiny-digits · ").click()
    page.get_by_role("button", name="Draw the map").click()
    page.wait_for_function("() => before.readyState === WebSocket.CLOSED", timeout=120_000)  # once the other map is laid out
    page.wait_for_function(f"() => {{ const lives = [...(({MAP})?.parentNode.widget?.lives ?? [])]; return lives.length === 1 && lives[0][0].startsWith('tiny-digits') && lives[0][1].hello; }}")


def test_walking_says_when_the_model_has_other_weights_until_its_map_is_drawn_anew(opened, home):
    folder = home / "checkpoints" / "tiny-replaced"
    shutil.copytree(home / "checkpoints" / "tiny-digits", folder)
    try:
        page = opened(wish("tiny-replaced"))
        said = page.locator(".map .walks + p")
        hint = said.inner_text()
        page.wait_for_function(f"() => [...({MAP}).parentNode.widget.lives.values()][0].hello")
        save_file({name: tensor + 0.02 for name, tensor in load_file(folder / WEIGHTS).items()}, folder / WEIGHTS, metadata={"format": "pt"})
        seen(page, "[...panel.lives.values()][0].leave()")
        expect(said).to_have_text("the model has other weights now: draw the map anew")
        page.get_by_role("button", name="Draw the map").click()
        expect(said).to_have_text(hint)
        page.wait_for_function(f"() => [...({MAP}).parentNode.widget.lives.values()].map(({{ hello }}) => Boolean(hello)).join() === 'true'")
    finally:
        shutil.rmtree(folder)


def test_points_of_a_model_of_any_name_open(opened, home):
    name = '模型 #1, "a"'
    (home / "checkpoints" / name).symlink_to(home / "checkpoints" / "tiny-digits")
    try:
        page = opened(wish(name))
        page.mouse.move(*point_at(page, 7))
        page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes[0].hovered >= 0")
        page.mouse.down()
        page.mouse.up()
        page.wait_for_url("**/explore?*", timeout=60_000)
        assert Point.parse(urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query)["point"][0]).checkpoint == name
        page.get_by_text("not a point").wait_for(state="hidden")
    finally:
        (home / "checkpoints" / name).unlink()


@pytest.fixture
def phone(browser, app_url):
    """A map on a phone's page, drawn and in sight."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.goto(f"{app_url}/map?{urllib.parse.urlencode({'map': json.dumps([wish('tiny-digits')])})}", wait_until="commit")
    page.locator('.map .pane[data-state="done"]').wait_for(timeout=240_000)
    page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes[0].column")
    page.locator(".map .overlay").scroll_into_view_if_needed()
    yield page
    context.close()


def test_a_finger_shows_a_point_and_then_opens_it_and_leaves_scrolling_to_the_page(phone):
    page, overlay = phone, phone.locator(".map .overlay")
    assert overlay.evaluate("node => getComputedStyle(node).touchAction") == "pan-y"
    at = point_at(page, 7)
    page.touchscreen.tap(*at)
    page.locator(".map .card[data-decoded]").wait_for()
    assert "/map" in page.url and page.locator(".map .pane").get_attribute("data-hovered")
    page.touchscreen.tap(*at)
    page.wait_for_url("**/explore?*", timeout=60_000)


def test_two_fingers_zoom_around_what_lies_between_them_and_move_the_map(phone):
    page, overlay = phone, phone.locator(".map .overlay")
    box, scrolled = overlay.bounding_box(), page.evaluate("() => document.querySelector('[data-testid=\"stMain\"]').scrollTop")
    x, y = box["x"] + box["width"] / 2 + 30, box["y"] + box["height"] / 2 - 20
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": at, "y": down, "id": i} for i, (at, down) in enumerate(places)]})

    between = f"panel.panes[0].points.toMap({x - box['x']}, {y - box['y']})"
    held, zoom = seen(page, between), seen(page, "panel.panes[0].points.zoom")
    touch("touchStart", (x - 30, y))
    touch("touchStart", (x - 30, y), (x + 30, y))
    for wide in (40, 60, 75, 90):
        touch("touchMove", (x - wide, y), (x + wide, y))
    page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes[0].points.zoom > 2.9")
    assert seen(page, "panel.panes[0].points.zoom") == pytest.approx(3 * zoom, rel=0.02)
    assert seen(page, between) == pytest.approx(held, abs=0.01)
    for down in (20, 50):
        touch("touchMove", (x - 90, y + down), (x + 90, y + down))
    page.wait_for_function(f"(held) => Math.abs(({MAP}).parentNode.widget.panes[0].points.toScreen(...held)[1] - {y + 50 - box['y']}) < 2", arg=held)
    touch("touchEnd", (x - 90, y + 50))
    touch("touchEnd")
    assert "/map" in page.url and page.locator(".map .card").is_hidden()  # neither finger has opened anything
    assert page.evaluate("() => document.querySelector('[data-testid=\"stMain\"]').scrollTop") == scrolled
    touch("touchStart", (x, y))  # a single finger is not taken for one of two
    touch("touchEnd")
    assert seen(page, "[panel.panes[0].fingers.size, panel.panes[0].points.zoom]") == [0, pytest.approx(3 * zoom, rel=0.02)]


def test_each_of_two_maps_has_its_own_figures(opened):
    page = opened(wish("tiny-digits", source="mnist"), wish("tiny-digits", source="svhn"))
    draw = page.get_by_role("button", name="Draw the map").bounding_box()
    assert draw["y"] + draw["height"] <= page.viewport_size["height"]  # in sight below the choices of both
    page.wait_for_function(f"() => ({MAP}).querySelectorAll('.figures .chance').length && !({MAP}).querySelector('.figures').textContent.includes('…')")
    rows = {row[0]: row[1:3] for row in page.locator(".map .figures tr").evaluate_all("rows => rows.map((row) => [...row.children].map((cell) => cell.textContent))")}
    answers = page.evaluate("""(urls) => Promise.all(urls.map(async (url) => (await fetch(`${url}/figures?colour=digit`)).json()))""",
                            seen(page, "panel.panes.map(({ info }) => info.url)"))
    assert rows[""] == ["left", "right"] and answers[0] != answers[1]
    for name, key in (("silhouette", "silhouette"), ("map: trustworthy", "trust"), ("map: recall", "recall")):
        assert rows[name] == [f"{answer[key]:.2f}".replace("-", "−") for answer in answers]
    assert rows["nearest neighbours"] == [f"{100 * answer['accuracy']:.0f} %" for answer in answers]
    levels = dict.fromkeys(f"{answer['shuffled']:.2f}".replace("-", "−") for answer in answers)
    assert page.locator(".map .figures tr", has_text="silhouette").locator(".chance").inner_text() == f"chance {', '.join(levels)}"


def test_only_figures_of_what_colours_are_shown(opened):
    page = opened(wish())
    of_map = ["map: trustworthy", "map: recall"]
    for colour, rows in (("azimuth", ["neighbours' mean off by"]), ("identity", ["silhouette", "nearest neighbours"]), ("kl", []), ("lighting", ["neighbours' mean off by"])):
        page.locator('.map select[aria-label="Colour by"]').select_option(colour)
        assert page.locator(".map .figures th").all_inner_texts() == rows + of_map  # before they are there, too
        page.wait_for_function(f"() => !({MAP}).querySelector('.figures').textContent.includes('…')")
        assert page.locator(".map .figures th").all_inner_texts() == rows + of_map, colour


def test_many_classes_have_colours_and_those_of_the_one_pointed_at_are_the_brightest(opened):
    page = opened(wish())
    page.locator('.map select[aria-label="Show as"]').select_option("")
    page.locator('.map select[aria-label="Colour by"]').select_option("identity")
    page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes[0].column.id === 'identity'")
    colours = "[...panel.panes[0].column.data].map((identity, i) => [identity, [...panel.panes[0].points.colours.subarray(4 * i, 4 * i + 3)].join()])"
    found = seen(page, colours)
    assert len(dict.fromkeys(map(tuple, found))) == len({identity for identity, _ in found}) > len(HUES24)  # one each
    assert len({colour for _, colour in found}) == len(HUES24)
    assert page.locator(".map .legend p").inner_text() == "50 values, 24 colours over and over: point at one to light all of its points."
    page.mouse.move(*point_at(page, 7))
    page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes[0].hovered >= 0")
    pointed = seen(page, "panel.panes[0].column.data[panel.panes[0].hovered]")
    brightness = [(identity == pointed, sum(map(int, colour.split(",")))) for identity, colour in seen(page, colours)]
    assert min(value for lit, value in brightness if lit) > 1.5 * max(value for lit, value in brightness if not lit)


def test_a_link_that_cannot_be_opened_says_why_and_another_map_is_shown(page, app_url):
    alert = page.locator('[data-testid="stAlert"]')
    for asked, said in (({"map": "xx"}, "not the text of a map"), ({"model": "gone"}, "no model 'gone' on this machine"),
                        ({"map": json.dumps([wish(), wish("tiny-digits")])}, "tiny-faces and tiny-digits are of different data sets")):
        page.goto(f"{app_url}/map?{urllib.parse.urlencode(asked)}", wait_until="commit")
        page.locator('.map .pane[data-state="done"]').wait_for(timeout=240_000)
        page.wait_for_timeout(1000)  # a finished map has the page drawn again
        alert.get_by_text(f"The link could not be opened: {said}.").wait_for()
        assert alert.count() == 1
    page.get_by_role("button", name="Draw the map").click()
    alert.wait_for(state="hidden")


def test_the_name_of_a_placed_point_stays_on_the_map(opened):
    page = opened(wish("tiny-digits"))
    told = seen(page, """(() => {
        const [pane] = panel.panes, { info, raw, overlay } = pane, said = [];
        const most = raw.filter((_, i) => i % 2 === 0).reduce((a, b) => Math.max(a, b)), least = raw.filter((_, i) => i % 2 === 0).reduce((a, b) => Math.min(a, b));
        const pen = overlay.getContext("2d"), { fillText } = pen;
        pen.fillText = function (text, x, y) { said.push([text, pen.textAlign, x, pen.measureText(text).width]); fillText.call(pen, text, x, y); };
        panel.placed = [most, least].map((x, i) => ({ map: info.key, checkpoint: info.checkpoint, x, y: 0, title: `a picture with a long name ${i}` }));
        pane.points.zoomBy(pane.points.width / (most - least) * 2 * pane.frame.half / 2 / pane.points.unit, pane.points.width / 2, pane.points.height / 2);
        pane.over();
        return said.filter(([text]) => text.startsWith("a picture")).map(([, align, x, wide]) => [align === "right" ? x - wide : x, align === "right" ? x : x + wide, pane.points.width]);
    })()""")
    assert len(told) == 2 and all(0 <= left and right <= width for left, right, width in told)


def test_what_one_of_two_maps_cannot_be_coloured_by_leaves_it_grey(opened):
    page = opened(wish("tiny-digits", source="each"), wish("tiny-digits"))
    page.locator('.map select[aria-label="Colour by"]').select_option("modality")
    page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes[0].column?.id === 'modality'")
    page.wait_for_function(f"() => !({MAP}).parentNode.widget.panes[1].column")
    assert set(seen(page, "[...panel.panes[1].points.colours]")) == {104, 114, 128, 215}
    assert page.locator(".map .chip").count() == 2
    page.locator('.map select[aria-label="Colour by"]').select_option("digit")
    page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes.every((pane) => pane.column?.id === 'digit')")


def test_the_picture_that_is_saved_says_what_each_map_shows_and_what_its_colours_mean(opened):
    page = opened(wish("tiny-digits"), wish("tiny-digits", source="svhn"))
    page.evaluate("""() => {
        const { fillText } = CanvasRenderingContext2D.prototype;
        window.written = [];
        CanvasRenderingContext2D.prototype.fillText = function (text, ...at) {
            if (!this.canvas.parentNode && this.canvas.width > 400) window.written.push(text); // the sheet lies on no page
            return fillText.call(this, text, ...at);
        };
    }""")
    saved = download(page, "png")
    picture = Image.open(saved.path()).convert("RGB")
    left, right = saved.suggested_filename.removesuffix(".png").split("-beside-")
    assert left.startswith("tiny-digits-map-z_") and left != right and "-svhn-" in right  # as the other files of a map are called
    written = " ".join(page.evaluate("() => window.written"))
    titles = seen(page, "panel.panes.map(({ info }) => `${info.title} ${info.detail}`)")
    assert titles[0] != titles[1] and all(title in written for title in titles)
    assert written.count("digit 0 1 2 3 4 5 6 7 8 9") == 2
    maps = seen(page, "panel.panes.map(({ surface }) => [surface.width, surface.height])")
    assert picture.width == sum(width for width, _ in maps)
    band = picture.crop((0, 0, picture.width, picture.height - maps[0][1]))
    for left, right in ((0, maps[0][0]), (maps[0][0], picture.width)):
        shades = {colour for _, colour in band.crop((left, 0, right, band.height)).getcolors(1 << 20)}
        assert {tuple(bytes.fromhex(colour[1:])) for colour in PETROFF10} <= shades


def test_a_legend_switches_classes_off_and_on(opened):
    page = opened(wish("tiny-digits"))
    hidden = "panel.panes[0].ids.filter((_, i) => panel.panes[0].points.colours[4 * i + 3] === 0).length"
    threes = seen(page, "panel.panes[0].labels.digit.filter((value) => value === 3).length")
    assert seen(page, hidden) == 0 and threes > 0
    chip = page.locator(".map .chip").nth(3)
    chip.click()
    assert seen(page, hidden) == threes and chip.get_attribute("aria-pressed") == "false"
    chip.click()
    assert seen(page, hidden) == 0
    figures = page.locator(".map .figures")
    page.wait_for_function(f"() => ({MAP}).querySelector('.figures').textContent.includes('chance')")
    assert f"In {DATASETS['digits'].joint} latent dimensions" in figures.inner_text()


def test_walking_decodes_between_points_as_the_pointer_moves(opened):
    page = opened(wish())
    page.locator('.map [data-tool="walk"]').click()
    pictures = []
    for index in (3, 40):
        painted = int(page.locator(".map").get_attribute("data-walked") or 0)
        x, y = point_at(page, index)
        page.mouse.move(x + 3, y, steps=4)
        page.wait_for_function(f"() => Number(({MAP}).dataset.walked ?? 0) > {painted}")
        page.wait_for_function(f"() => !({MAP}).parentNode.widget.liveOf(({MAP}).parentNode.widget.panes[0]).waiting")
        pictures.append(page.locator(".map .walks canvas").first.evaluate("node => node.toDataURL()"))
    assert pictures[0] != pictures[1]


def test_a_map_converges_from_pca_and_can_be_saved(opened):
    page = opened(wish(layout='{"method": "tsne", "iterations": 250}'))
    places = seen(page, "[...panel.panes[0].raw]")
    assert len(places) == 2 * ITEMS and max(places) - min(places) > 1
    with page.expect_download() as saved:
        page.locator('.map select[aria-label="Export"]').select_option("csv")
    rows = saved.value.path().read_text().splitlines()
    assert len(rows) == ITEMS + 1 and rows[0].startswith("id,x,y,coordinates,identity,azimuth")
    with page.expect_download() as saved:
        page.locator('.map select[aria-label="Export"]').select_option("png")
    picture = Image.open(saved.value.path())
    assert picture.width > 400 and len(picture.convert("RGB").getcolors(1 << 24)) > 10


def test_an_upload_is_placed_where_the_model_puts_its_code(opened, data_root):
    """A picture that is an item of the map itself lies on that item, one of another item elsewhere."""
    page = opened(wish("tiny-digits", source="svhn"))
    ids, raw = seen(page, "[[...panel.panes[0].ids], [...panel.panes[0].raw]]")
    uploader = page.locator('[data-testid="stFileUploader"] input')
    unfold(page, "Place a point", uploader)
    page.get_by_role("radio", name="svhn").click()
    data = dataset("digits", data_root)
    for uploaded, at in enumerate((0, 7), 1):
        image = data.items([ids[at]])[0]["svhn"][0]
        buffer = io.BytesIO()
        Image.fromarray((image * 255).round().byte().movedim(0, 2).numpy()).save(buffer, "PNG")
        unfold(page, "Place a point", uploader)
        uploader.set_input_files({"name": f"{at}.png", "mimeType": "image/png", "buffer": buffer.getvalue()})
        page.wait_for_function(f"() => ({MAP}).parentNode.widget.placed.length === {uploaded}", timeout=60_000)
        x, y, title = seen(page, "[panel.placed.at(-1).x, panel.placed.at(-1).y, panel.placed.at(-1).title]")
        assert title == f"{at}.png" and (x, y) == pytest.approx((raw[2 * at], raw[2 * at + 1]), abs=1e-3 * (max(raw) - min(raw)))
    page.keyboard.press("Escape")
    box, star = page.locator(".map .overlay").bounding_box(), seen(page, "panel.panes[0].starPlace(panel.placed[1])")
    page.mouse.move(box["x"] + star[0], box["y"] + star[1])
    page.locator('.map .card[data-decoded="7.png"]').wait_for()
    code = seen(page, "panel.placed[1].code")
    page.mouse.down()
    page.mouse.up()
    page.wait_for_url("**/explore?*", timeout=60_000)
    point = Point.parse(urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query)["point"][0])
    assert point.item is None and point.observed == ("svhn",) and point.z == pytest.approx(code, abs=1e-5)


def test_own_columns_colour_the_points_they_know_of_and_a_bad_file_gets_one_line(opened):
    page = opened(wish("tiny-digits"))
    ids = seen(page, "panel.panes[0].ids")
    known, clusters = ids[:200], {item: ("left", "right", "top")[item % 3] for item in ids[:200]}
    lines = ["id,cluster,score", *(f"{item},{clusters[item]},{i / 7:.3f}" for i, item in enumerate(known))]
    give(page, "mine.csv", "\n".join(lines))
    page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes[0].column.title === 'cluster'")
    chips = page.locator(".map .chip")
    assert [chip.strip() for chip in chips.all_inner_texts()] == ["left", "right", "top"]
    lit = seen(page, "panel.panes[0].ids.filter((_, i) => !panel.panes[0].points.behind[i])")
    assert sorted(lit) == sorted(known)
    chips.nth(1).click()
    hidden = seen(page, "panel.panes[0].ids.filter((_, i) => panel.panes[0].points.colours[4 * i + 3] === 0)")
    assert sorted(hidden) == sorted(item for item in known if clusters[item] == "right")
    page.wait_for_function(f"() => ({MAP}).querySelector('.figures').textContent.includes('chance')")
    page.locator('.map select[aria-label="Colour by"]').select_option(label="score")
    page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes[0].column.title === 'score'")
    low, high = np.percentile(np.arange(200) / 7, [1, 99])
    ends = [float(text) for text in page.locator(".map .ends span").all_inner_texts()]
    assert ends == pytest.approx([low, high], abs=0.1)

    with page.expect_download() as saved:
        page.locator('.map select[aria-label="Export"]').select_option("csv")
    rows = [row.split(",") for row in saved.value.path().read_text().splitlines()]
    scores = {int(row[0]): row[-1] for row in rows[1:]}
    assert rows[0][-1] == "score" and float(scores[known[7]]) == pytest.approx(1.0) and scores[ids[250]] == "nan"

    for name, text, said in (("names.csv", "name,x\na,1", "no column called id"), ("others.csv", "id,x\n999999999,1.5", "none of its ids is on this map")):
        give(page, name, text)
        alert = page.locator('[data-testid="stPopoverBody"] [data-testid="stAlert"]')  # beside the file: below, the popover would hide it
        alert.get_by_text(said).wait_for()
        assert alert.count() == 1 and "\n" not in alert.locator("p").last.inner_text()
    assert seen(page, "panel.colour") == "digit"


def give(page, name: str, text: str) -> None:
    """Uploads a file of columns."""
    uploader = page.locator('[data-testid="stFileUploader"] input')
    unfold(page, "Colour by your own column", uploader)
    uploader.set_input_files({"name": name, "mimeType": "text/csv", "buffer": text.encode()})


def unfold(page, popover: str, inside) -> None:
    """Opens a popover and waits for what is in it; once more where the page was drawn anew meanwhile, as after a map is finished, and closed it."""
    for _ in range(12):
        if not inside.count():
            page.get_by_role("button", name=popover).click()
        try:
            inside.first.wait_for(state="attached", timeout=10_000)
        except TimeoutError:
            continue
        settle(page)  # while it is drawn anew, what was there before may stand beside it for a moment, and takes no files
        if inside.count() == 1:
            return
    raise AssertionError(f"the popover {popover!r} does not stay open")


@torch.inference_mode()
def test_error_and_verdict_are_those_of_the_decoded_pictures(opened, home, data_root):
    page = opened(wish("tiny-digits"))
    model, readers = load(home / "checkpoints" / "tiny-digits"), readers_for("digits")
    ids = seen(page, "panel.panes[0].ids")
    images, labels = dataset("digits", data_root).items(ids)
    pictures = model.decode({name: belief.mean for name, belief in model.posterior(images).items()})
    errors = sum((pictures[name] - images[name]).square().mean((1, 2, 3)) for name in model.names) / 2
    kept = torch.stack([readings["digit"].value == labels["digit"] for readings in readers.read(pictures).values()]).all(0)
    for colour, expected in (("error", errors), ("verdict", kept.float())):
        page.locator('.map select[aria-label="Colour by"]').select_option(colour)
        page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes[0].column?.id === '{colour}'", timeout=240_000)
        found = np.array(seen(page, "[...panel.panes[0].column.data]"))
        assert np.mean(np.abs(found - expected.numpy()) < 1e-4) > 0.98  # a reader may waver where a code is rounded
    chips = page.locator(".map .chip")
    assert [chip.strip() for chip in chips.all_inner_texts()] == ["shared factor lost", "all kept"]
    colours = seen(page, "[...panel.panes[0].points.colours]")
    shades = {tuple(colours[4 * i:4 * i + 3]) for i in range(ITEMS) if found[i] == 0}, {tuple(colours[4 * i:4 * i + 3]) for i in range(ITEMS) if found[i] == 1}
    assert shades[0] and not shades[0] & shades[1]


def exported(page, kind: str):
    """The path of what a choice of the export list downloads."""
    return download(page, kind).path()


def download(page, kind: str):
    """What a choice of the export list downloads."""
    with page.expect_download() as saved:
        page.locator('.map select[aria-label="Export"]').select_option(kind)
    return saved.value


def test_the_exported_page_draws_all_points_without_a_network(opened, browser, tmp_path):
    page = opened(wish("tiny-digits"))
    file = tmp_path / "map.html"
    shutil.copyfile(exported(page, "html"), file)
    context = browser.new_context(offline=True, viewport={"width": 900, "height": 700})
    context.set_default_timeout(240_000)
    alone = context.new_page()
    asked: list[str] = []
    alone.on("request", lambda request: asked.append(request.url))
    alone.goto(file.as_uri())
    alone.wait_for_function("() => document.querySelector('.js-plotly-plot')?._fullData?.length === 20")  # each digit's points and its name
    drawn = alone.evaluate("() => document.querySelector('.js-plotly-plot')._fullData.map(({ mode, x, text }) => [mode, x.length, String(text ?? '')])")
    assert sum(n for mode, n, _ in drawn if mode == "markers") == ITEMS
    assert [text for mode, n, text in drawn if mode == "text" and n == 1] == list("0123456789")
    alone.locator(".legend .traces").nth(9).wait_for()
    alone.wait_for_timeout(500)
    picture = Image.open(io.BytesIO(alone.screenshot())).convert("RGB").crop((60, 120, 700, 600))
    assert len(picture.getcolors(1 << 24)) > 20
    assert all(url.startswith(("file:", "blob:", "data:")) for url in asked)
    context.close()


def test_the_exported_projector_has_a_row_and_a_picture_for_every_point(opened):
    page = opened(wish("tiny-digits"))
    with zipfile.ZipFile(exported(page, "projector")) as archive:
        config = archive.read("projector_config.pbtxt").decode()
        named = {line.split('"')[1] for line in config.splitlines() if "_path" in line}
        assert named == set(archive.namelist()) - {"projector_config.pbtxt"}
        vectors = np.loadtxt(io.BytesIO(archive.read("vectors.tsv")), delimiter="\t")
        header, *rows = archive.read("metadata.tsv").decode().splitlines()
        sprite = Image.open(io.BytesIO(archive.read("sprite.png")))
    assert vectors.shape == (ITEMS, DATASETS["digits"].joint)
    assert header.split("\t")[:2] == ["id", "digit"] and [int(row.split("\t")[0]) for row in rows] == seen(page, "panel.panes[0].ids")
    codes = np.array(seen(page, "[...panel.panes[0].codes]")).reshape(ITEMS, -1)
    np.testing.assert_allclose(vectors, codes, atol=1e-3)
    side = int(np.ceil(np.sqrt(ITEMS)))
    assert sprite.size == (28 * side, 28 * side)


def test_a_shipped_map_opens_without_the_data_set_and_its_points_decode(page, serve, home, data_root, tmp_path_factory, monkeypatch):
    alone = tmp_path_factory.mktemp("alone")
    shutil.copytree(home / "checkpoints" / "tiny-digits", alone / "checkpoints" / "tiny-digits")
    monkeypatch.setenv("MMVAE_HOME", str(alone))
    assert main(["map", "--data-root", str(data_root), "tiny-digits"]) == 0
    nowhere = alone / "data"
    nowhere.write_text("a file, so that the digits cannot be drawn meanwhile")
    page.goto(f"{serve(alone, data=nowhere)}/map", wait_until="commit")
    page.locator('.map .pane[data-state="done"]').wait_for(timeout=240_000)
    page.get_by_text("this is the map that came with the model").wait_for()
    page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes[0].column?.id === 'digit'")
    page.mouse.move(*point_at(page, 4))
    card = page.locator(".map .card[data-decoded]")
    card.wait_for()
    pictures = card.locator("canvas:visible").evaluate_all(
        "nodes => nodes.map((node) => Math.max(...node.getContext('2d').getImageData(0, 0, node.width, node.height).data.filter((_, i) => i % 4 < 3)))")
    assert len(pictures) == 2 and min(pictures) > 20
    assert {"error", "verdict"}.isdisjoint(page.locator('.map select[aria-label="Colour by"] option').evaluate_all("nodes => nodes.map((node) => node.value)"))


def test_a_shipped_map_shows_the_images_once_they_are_there(page, serve, home, data_root, tmp_path_factory, monkeypatch):
    alone = tmp_path_factory.mktemp("alone")
    shutil.copytree(home / "checkpoints" / "tiny-digits", alone / "checkpoints" / "tiny-digits")
    monkeypatch.setenv("MMVAE_HOME", str(alone))
    assert main(["map", "--data-root", str(data_root), "tiny-digits"]) == 0
    page.goto(f"{serve(alone, data=tmp_path_factory.mktemp('empty'))}/map", wait_until="commit")
    page.wait_for_function(f"() => ({MAP})?.parentNode.widget.panes[0]?.info.pictured", timeout=240_000)  # the page has drawn the digits by itself
    page.locator('.map .pane[data-state="done"]').wait_for(timeout=60_000)
    page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes[0].column?.id === 'digit'")
    page.mouse.move(*point_at(page, 4))
    page.locator(".map .card[data-decoded]").wait_for()
    assert page.locator(".map .card canvas:visible").count() == 4


def packed(header: Mapping, arrays: Mapping[str, np.ndarray]) -> bytes:
    """A body as the panel reads it: the header's length, the header, then each array at a multiple of 8 bytes."""
    text = json.dumps({**header, "arrays": [[name, values.dtype.name, values.size] for name, values in arrays.items()]}).encode()
    body = struct.pack("<I", len(text)) + text
    for values in arrays.values():
        body += b"\0" * (-len(body) % 8) + values.tobytes()
    return body


def put_sixty_thousand(page) -> np.ndarray:
    """Has the browser told of 60,000 points in ten clusters instead of what the server has; returns their positions."""
    rng, n = np.random.default_rng(0), 60_000
    digits = rng.integers(10, size=n)
    positions = (np.stack([np.cos(digits), np.sin(1.7 * digits)], 1) * 8 + rng.normal(size=(n, 2))).astype(np.float32)
    dims = DATASETS["digits"].joint
    points = packed({"dims": dims, "columns": list(range(dims)), "low": [-3] * dims, "step": [6 / 65535] * dims, "labels": ["digit"]}, {
        "ids": np.arange(n, dtype=np.float64), "giver": np.zeros(n, np.uint8), "kl": rng.random(n).astype(np.float32),
        "codes": rng.integers(65536, size=n * dims).astype(np.uint16), "label digit": digits.astype(np.float32)})
    frame = packed({"state": "done", "progress": 1, "version": 1, "complaint": "", "ready": True}, {"positions": positions.reshape(-1)})
    page.route("**/maps/*/points", lambda route: route.fulfill(body=points, content_type="application/octet-stream"))
    page.route("**/maps/*/frame*", lambda route: route.fulfill(body=frame, content_type="application/octet-stream"))
    return positions


def test_sixty_thousand_points_are_drawn_hovered_and_selected(page, opened):
    positions = put_sixty_thousand(page)
    opened(wish("tiny-digits"))
    assert int(page.locator(".map .pane").get_attribute("data-points")) == len(positions)
    surface = page.locator(".map canvas.points")
    picture = Image.open(io.BytesIO(surface.screenshot())).convert("RGB")
    assert len(picture.getcolors(1 << 24)) > 200
    places = np.array(seen(page, "(() => { const p = panel.panes[0].points; return [p.toScreen(0, 0), p.toScreen(1, 1), [panel.panes[0].frame.x, panel.panes[0].frame.y], [panel.panes[0].frame.half, 0]]; })()"))
    (origin, unit), centre, half = places[:2], places[2], places[3, 0]
    screen = origin + (unit - origin) * (positions - centre) / half
    box = page.locator(".map .overlay").bounding_box()
    pointer = np.round(screen[0])
    page.mouse.move(box["x"] + pointer[0], box["y"] + pointer[1])
    nearest = np.argmin(np.square(screen - pointer).sum(1))
    page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes[0].hovered === {nearest}")
    page.locator('.map [data-tool="box"]').click()
    middle = np.floor(np.median(screen[np.hypot(*(screen - pointer).T) < 60], 0))
    low, high = middle - 40, middle + 40
    page.mouse.move(*(box[axis] + at for axis, at in zip("xy", low)))
    page.mouse.down()
    page.mouse.move(*(box[axis] + at for axis, at in zip("xy", high)), steps=3)
    page.mouse.up()
    inside = ((screen > low) & (screen < high)).all(1).sum()
    assert inside > 100 and abs(seen(page, "panel.selection.ids.size") - inside) <= 2  # one or two may lie on the edge
