"""The Compare page in a real browser: one slider moves two models, and a model without a card is measured from the page."""

from __future__ import annotations

import json
import os
import signal
import urllib.parse
from pathlib import Path

import pytest
from playwright.sync_api import expect

from mmvae.point import Point

from .conftest import train_tiny

BIG = ".compare .big"
PIXELS = "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).join()"
MAP = "[...document.querySelectorAll('*')].map((node) => node.shadowRoot?.querySelector('.map')).find(Boolean)"
PANEL = "[...document.querySelectorAll('*')].map((node) => node.shadowRoot?.querySelector('.compare')).find(Boolean)"


@pytest.fixture(scope="module")
def pair(home, data_root) -> str:
    """The names of two models of the digits: one with private codes, one without."""
    train_tiny(home / "checkpoints" / "tiny-digits-dmvae", "dmvae", "digits", data_root)
    return "tiny-digits,tiny-digits-dmvae"


@pytest.fixture
def compare(page, app_url, pair):
    """Opens the page at an address's parameters; with the panel, waits for its pictures."""
    def go(**parameters: str):
        page.goto(f"{app_url}/compare?{urllib.parse.urlencode({'models': pair} | parameters)}", wait_until="commit")
        if parameters.get("view") == "live":
            rest(page)
        return page

    return go


def rest(page) -> None:
    page.wait_for_selector('.compare[data-rest="yes"][data-live="live"]', timeout=300_000)
    page.wait_for_selector(f"{BIG}[data-painted]", timeout=60_000)


def pictures(page) -> list[str]:
    return [page.locator(BIG).nth(i).evaluate(PIXELS) for i in range(page.locator(BIG).count())]


def test_a_dragged_slider_moves_both_models_before_it_is_let_go_and_nothing_jumps(compare):
    page = compare(view="live")
    before = pictures(page)
    assert len(before) == 4
    shared = page.locator(".compare .slot.hue1 .track").first  # both have a first shared dimension
    box = shared.bounding_box()
    counts = page.evaluate(f"() => [...{PANEL}.querySelectorAll('.big')].map((node) => Number(node.dataset.painted ?? 0))")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.98, box["y"] + box["height"] / 2, steps=6)
    painted = "node => Number(node.dataset.painted ?? 0)"
    page.wait_for_function(f"""(counts) => {{
        const now = [...{PANEL}.querySelectorAll('.big')].map({painted});
        return now.every((count, i) => i > 1 || count > counts[i]); // the first row counts for both
    }}""", arg=counts)
    page.mouse.up()
    rest(page)
    after = pictures(page)
    assert all(a != b for a, b in zip(after, before))
    shared.dblclick(position={"x": box["width"] * 0.98, "y": box["height"] / 2})
    rest(page)
    assert pictures(page) == before


def test_a_private_slider_leaves_the_model_without_private_codes_alone(compare):
    page = compare(view="live")
    before = pictures(page)
    page.locator(".compare .slot.hue0 .track").first.press("End")
    rest(page)
    after = pictures(page)
    changed = [a != b for a, b in zip(after, before)]
    assert changed.count(True) == 1  # the private model's own picture


def test_each_model_opens_in_explore_at_the_code_that_is_shown(compare):
    page = compare(view="live")
    page.locator(".compare .slot.hue1 .track").first.press("End")
    rest(page)
    points = [Point.parse(urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)["point"][0])
              for address in page.locator(".compare header a").evaluate_all("links => links.map((link) => link.href)")]
    assert [point.checkpoint for point in points] == ["tiny-digits", "tiny-digits-dmvae"]
    assert [len(point.z) for point in points] == [20, 15] and points[0].item == points[1].item


def test_a_model_without_a_card_says_so_and_with_one_shows_its_matrix(compare, home, pair):
    page = compare()
    page.get_by_role("button", name="Measure tiny-digits-dmvae").wait_for()
    expect(page.get_by_text("python -m mmvae evaluate tiny-digits-dmvae")).to_have_count(1)
    told = {"dataset": "digits", "pairs": 100, "seed": 0, "measured": "2026-11-28", "seconds": 1.0, "parameters": 1, "machine": {"processor": "one"}}
    card = told | {"figures": {}, "leakage": {"blocks": ["z_mnist", "z_shared", "z_svhn"], "factors": ["digit"], "values": [[0.37], [0.9], [0.01]], "ceiling": [[0.0], [1.0], [0.0]],
                                       "measures": ["accuracy above chance"], "chance": [0.1], "items": 100}}
    file = home / "checkpoints" / "tiny-digits-dmvae" / "card.json"
    file.write_text(json.dumps(card))
    try:
        page = compare()
        leak = page.locator(".mx td.leaks")
        expect(leak).to_have_count(1)
        expect(leak).to_contain_text("0.37")
        expect(leak).to_contain_text("leaks")
    finally:
        file.unlink()


def test_by_factor_every_dimension_has_one_slider_and_a_slider_moves_each_model_it_carries(compare):
    page = compare(view="live", match="factor")
    page.wait_for_url("**match=factor*")
    chips = page.locator(".compare .slot.row").evaluate_all("rows => rows.map((row) => [...row.querySelectorAll('.chip')].map((chip) => !chip.classList.contains('none')))")
    assert [sum(row[m] for row in chips) for m in (0, 1)] == [20, 15]
    names = page.locator(".compare .slot.row .name").all_inner_texts()
    assert len(names) == len(set(names)) == len(chips) and all(name.startswith(("digit", "other ")) for name in names)
    both = next(at for at, row in enumerate(chips) if all(row))
    before = pictures(page)
    page.locator(".compare .slot.row").nth(both).locator(".track").press("End")
    rest(page)
    changed = [a != b for a, b in zip(pictures(page), before)]
    assert any(changed[:2]) and any(changed[2:])


def test_a_lasso_in_one_models_map_selects_the_same_pairs_in_the_others(compare):
    page = compare(view="maps")
    for at in (0, 1):
        page.locator('.map .pane[data-state="done"]').nth(at).wait_for(timeout=240_000)
    page.wait_for_function(f"() => ({MAP}).parentNode.widget.panes.every((pane) => pane.column && pane.points.moving === 1)")
    page.get_by_role("button", name="Lasso", exact=True).click()
    box = page.locator(".map .overlay").first.bounding_box()
    left, top, right, bottom = (box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"], box["x"] + 0.7 * box["width"], box["y"] + 0.7 * box["height"])
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    page.wait_for_function(f"() => ({MAP}).parentNode.widget.selection.ids.size > 0")
    lit = [set(page.evaluate(f"() => {{ const pane = ({MAP}).parentNode.widget.panes[{at}]; return [...pane.ids].filter((_, i) => !pane.points.behind[i]); }}")) for at in (0, 1)]
    maps = page.evaluate(f"() => ({MAP}).parentNode.widget.panes.map((pane) => [pane.info.checkpoint, pane.ids.length])")
    assert [name for name, _ in maps] == ["tiny-digits", "tiny-digits-dmvae"]
    assert lit[0] == lit[1] == set(page.evaluate(f"() => [...({MAP}).parentNode.widget.selection.ids]")) and 0 < len(lit[0]) < maps[0][1]


def test_the_traversals_of_all_models_follow_one_slider_while_it_is_dragged(compare):
    compare = compare(view="training")
    pictures = compare.locator(".stack img")
    expect(pictures).to_have_count(4)
    slider = compare.get_by_role("slider", name="Each dimension is set to")
    expect(slider).to_have_attribute("aria-valuetext", "+3.0")
    shown = [pictures.nth(place).get_attribute("src") for place in range(4)]
    box = slider.bounding_box()
    compare.mouse.move(box["x"] + box["width"] - 8, box["y"] + box["height"] / 2)
    compare.mouse.down()
    compare.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2, steps=5)
    for place in range(4):
        expect(pictures.nth(place)).not_to_have_attribute("src", shown[place])  # while the button is still held down
    compare.mouse.up()
    slider.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "−3.0")
    compare.get_by_title("play", exact=True).click()
    expect(slider).to_have_attribute("aria-valuetext", "+3.0")
    expect(slider).not_to_have_attribute("aria-valuetext", "+3.0")  # and back
    compare.get_by_title("stop", exact=True).click()


def test_measuring_is_begun_from_the_page_and_says_what_it_does_and_how_it_ended(compare, home):
    page = compare()
    page.get_by_role("button", name="Measure tiny-digits-dmvae").click(timeout=300_000)
    page.get_by_text("tiny-digits-dmvae: measuring").wait_for(timeout=300_000)
    folder = str((home / "checkpoints" / "tiny-digits-dmvae").resolve())
    (process,) = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if arguments(entry)[-2:] == ["evaluate", folder] and "nice" not in arguments(entry)[0]]
    os.kill(process, signal.SIGKILL)
    page.get_by_text("could not be measured: the process ended with status -9 while measuring").wait_for()
    page.get_by_role("button", name="Measure tiny-digits-dmvae").wait_for()


def arguments(process: Path) -> list[str]:
    """Of a process; empty where it ended meanwhile."""
    try:
        return (process / "cmdline").read_text().split("\0")[:-1] or [""]
    except OSError:
        return [""]


def test_the_comparison_is_taken_along_as_a_page_that_needs_nothing_and_as_tables(page, app_url):
    page.goto(f"{app_url}/compare?models=faces-mumo,faces-vanilla&view=figures", wait_until="commit")
    taken = {}
    for kind in ("HTML report", "CSV", "LaTeX"):
        with page.expect_download() as download:
            page.get_by_role("button", name=kind).click()
        taken[kind] = download.value.path().read_text(encoding="utf-8")
    assert taken["CSV"].startswith("checkpoint,") and r"\begin{tabular}" in taken["LaTeX"]
    alone = page.context.browser.new_context(offline=True)
    report, asked = alone.new_page(), []
    report.on("request", lambda request: asked.append(request.url))
    report.set_content(taken["HTML report"])
    expect(report.locator(".mx h4")).to_have_text(["MuMo-VAE", "Vanilla VAE"])
    expect(report.locator("figure img")).to_have_count(4)  # each model's traversal, low and high
    assert report.locator("figure img").evaluate_all("images => images.every((image) => image.naturalWidth > 0)")
    assert [url for url in asked if not url.startswith("data:")] == []
    alone.close()


def test_all_measured_models_stand_in_one_table(compare, home):
    measured = sorted(card.parent.name for card in (home / "checkpoints").glob("digits-*/card.json"))
    page = compare(view="results")
    page.locator(".standings").wait_for()
    names = ", ".join(filter(None, (page.locator(".standings tbody tr:not(.references) th").nth(i).get_attribute("title")
                                    for i in range(page.locator(".standings tbody tr:not(.references)").count()))))
    assert measured and sorted(names.split(", ")) == measured
    page.get_by_text("Classes and modalities in the code").click()
    page.locator(".standings thead th", has_text="Silhouette").first.wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="LaTeX").click()
    assert all(f"& {name} &" in download.value.path().read_text("utf-8").replace("\\_", "_") for name in measured)


def test_the_heads_of_all_models_stay_above_them_while_these_are_scrolled(page, app_url):
    page.goto(f"{app_url}/compare?models=faces-mumo&view=results", wait_until="commit")
    box = page.locator(".standings > div")
    box.locator("tbody tr").nth(6).wait_for()
    assert box.evaluate("box => (box.style.maxHeight = '300px', box.scrollTop = 200, box.scrollTop)") == 200
    tops = box.evaluate("box => [box.getBoundingClientRect().top, ...[...box.querySelectorAll('thead th')].map((head) => head.getBoundingClientRect().top)]")
    assert tops == pytest.approx([tops[0]] * len(tops), abs=1)
    assert box.locator("thead th").evaluate_all("heads => heads.some((head) => getComputedStyle(head).backgroundColor === 'rgba(0, 0, 0, 0)')") is False


def test_on_a_phone_long_headings_out_of_sight_leave_no_gap_above_the_short_ones(page, app_url):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{app_url}/compare?models=faces-mumo&view=results", wait_until="commit")
    page.locator(".standings thead th", has_text="Preserved-factor error").first.wait_for()
    assert page.locator(".standings thead").evaluate("head => head.offsetHeight") < 70  # four lines; the first headings have two


def test_the_story_of_the_faces_goes_step_by_step_each_with_its_matrix_and_live_panel(page, app_url):
    page.goto(f"{app_url}/compare?models=faces-mumo&view=story", wait_until="commit")
    told = []
    for place, title in enumerate(("MuMo-VAE", "Vanilla VAE", "MMPOE-VAE v1", "MMPOE-VAE v2", "DMVAE"), 1):
        page.get_by_role("button", name=f"{place} · {title}").click()
        expect(page.locator(".mx h4")).to_have_text([title])
        sentence = page.locator("p", has_text="Here.")
        if told:
            expect(sentence).not_to_have_text(told[-1])  # the last step's stands until this one's is there
        told.append(sentence.text_content())
        page.wait_for_function(f"(count) => {PANEL}?.querySelectorAll('.big').length === count", arg=2 if place == 1 else 4)  # beside MuMo
        rest(page)
    ticks = page.locator(".compare .cell .gauge.foreign .truth")
    expect(ticks).to_have_count(4)  # those of each model come with the server's greeting
    gauges = ticks.evaluate_all("ticks => ticks.map((tick) => [tick.hidden, tick.style.left])")
    assert gauges == [[False, "50%"]] * 4  # the other picture's private factor is neutral in this one, whatever the pair's is
    hues = page.locator(".compare .cell .gauge.own .needle").evaluate_all("needles => needles.map((needle) => getComputedStyle(needle).backgroundColor)")
    assert hues[0] == hues[1] != hues[2] == hues[3]  # elevation's in the upper row, lighting's in the lower
    assert len(set(told)) == len(told)
    page.locator(".st-key-story-told .figures summary", has_text="Swap error").first.wait_for()
    page.wait_for_url("**step=4*")
    page.reload()
    page.locator(".mx h4", has_text="DMVAE").wait_for(timeout=120_000)
