"""The Map page in a real browser: a map that comes about, hover, lasso, legend, walk, and the way to Explore."""

from __future__ import annotations

import io
import json
import urllib.parse
from collections.abc import Callable

import pytest
from PIL import Image

from mmvae.data import DATASETS, dataset
from mmvae.point import Point

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
        page.wait_for_function(f"() => ({MAP}).panel.panes.every((pane) => pane.column && pane.points.moving === 1)")
        return page

    return go


def seen(page, expression: str):
    """What an expression of the panel `panel` gives."""
    return page.evaluate(f"() => {{ const panel = ({MAP}).panel; return {expression}; }}")


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


def test_a_click_opens_the_point_in_explore(opened):
    page = opened(wish())
    page.mouse.move(*point_at(page, 7))
    page.wait_for_function(f"() => ({MAP}).panel.panes[0].hovered >= 0")
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
    page.wait_for_function(f"() => ({MAP}).panel.panes.every((pane) => pane.column.id === 'identity')")
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
    selected = seen(page, "[...panel.selected]")
    assert inside and sorted(selected) == sorted(inside)
    for pane in (0, 1):
        lit = seen(page, f"panel.panes[{pane}].ids.filter((_, i) => panel.panes[{pane}].points.colours[4 * i + 3] > 200)")
        assert sorted(lit) == sorted(inside)
    page.locator(".map .tile canvas").first.wait_for()
    counted = page.locator(".map .counts div").evaluate_all("rows => rows.map((row) => Number(row.dataset.count))")
    labels = seen(page, "panel.panes[0].ids.flatMap((id, i) => panel.selected.has(id) ? [panel.panes[0].labels.identity[i]] : [])")
    assert counted == sorted((labels.count(value) for value in set(labels)), reverse=True)[:10]
    with page.expect_download() as saved:
        page.locator(".map .chosen").get_by_role("button", name="CSV").click()
    rows = saved.value.path().read_text().splitlines()
    assert rows[0].startswith("id,given,x,y,kl,identity") and sorted(int(row.split(",")[0]) for row in rows[1:]) == sorted(inside)


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
        page.wait_for_function(f"() => !({MAP}).panel.liveOf(({MAP}).panel.panes[0]).waiting")
        pictures.append(page.locator(".map .walks canvas").first.evaluate("node => node.toDataURL()"))
    assert pictures[0] != pictures[1]


def test_a_map_converges_from_pca_and_can_be_saved(opened):
    page = opened(wish(layout='{"method": "tsne", "iterations": 250}'))
    places = seen(page, "[...panel.panes[0].raw]")
    assert len(places) == 2 * ITEMS and max(places) - min(places) > 1
    with page.expect_download() as saved:
        page.locator('.map select[aria-label="Export"]').select_option("csv")
    rows = saved.value.path().read_text().splitlines()
    assert len(rows) == ITEMS + 1 and rows[0].startswith("id,x,y,identity,azimuth")
    with page.expect_download() as saved:
        page.locator('.map select[aria-label="Export"]').select_option("png")
    picture = Image.open(saved.value.path())
    assert picture.width > 400 and len(picture.convert("RGB").getcolors(1 << 24)) > 10


def test_an_upload_is_placed_where_the_model_puts_its_code(opened, data_root):
    """A picture that is an item of the map itself lies on that item, one of another item elsewhere."""
    page = opened(wish("tiny-digits", source="svhn"))
    ids, raw = seen(page, "[[...panel.panes[0].ids], [...panel.panes[0].raw]]")
    page.get_by_role("button", name="Place a picture").click()
    page.get_by_role("radio", name="svhn").click()
    data = dataset("digits", data_root)
    for uploaded, at in enumerate((0, 7), 1):
        image = data.items([ids[at]])[0]["svhn"][0]
        buffer = io.BytesIO()
        Image.fromarray((image * 255).round().byte().movedim(0, 2).numpy()).save(buffer, "PNG")
        page.locator('[data-testid="stFileUploader"] input').set_input_files({"name": f"{at}.png", "mimeType": "image/png", "buffer": buffer.getvalue()})
        page.wait_for_function(f"() => ({MAP}).panel.placed.length === {uploaded}", timeout=60_000)
        x, y, title = seen(page, "[panel.placed.at(-1).x, panel.placed.at(-1).y, panel.placed.at(-1).title]")
        assert title == f"{at}.png" and (x, y) == pytest.approx((raw[2 * at], raw[2 * at + 1]), abs=1e-3 * (max(raw) - min(raw)))
