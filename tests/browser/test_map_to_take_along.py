"""A map's HTML file, opened as a file: nothing serves it."""

import io

import numpy as np
from PIL import Image

from mmvae.embedding_export import SHEET, write_html

ACROSS = 32  # thumbnails in a row of a sheet


def test_pointing_at_a_point_shows_its_pictures_in_a_corner(page, tmp_path):
    count = SHEET + 40  # the second sheet is one of its own size
    level = np.linspace(60, 250, count).astype(np.uint8)
    positions = np.zeros((count, 2))
    positions[:, 0] = np.where(np.arange(count) == count - 1, 1.0, -1.0)  # one point by itself, in the last sheet
    pictures = {"a view": np.broadcast_to(level[:, None, None, None], (count, 16, 16, 1)).copy(),
                "a <colour>": np.broadcast_to(level[:, None, None, None] // [1, 2, 4], (count, 16, 16, 3)).astype(np.uint8)}
    write_html(tmp_path / "map.html", range(count), positions, {"digit": np.arange(count) % 3}, pictures=pictures)
    page.goto((tmp_path / "map.html").as_uri())
    page.wait_for_selector(".gl-container canvas", state="attached")
    card = page.locator("#pictures")
    assert card.is_hidden()
    x, y = page.evaluate("""() => {
      const plot = document.querySelector(".js-plotly-plot"), { xaxis, yaxis, _size } = plot._fullLayout, box = plot.getBoundingClientRect();
      return [box.left + _size.l + xaxis.d2p(1), box.top + _size.t + yaxis.d2p(0)];
    }""")
    for step in range(40):  # the plot takes its first moments to notice a pointer
        page.mouse.move(x + step % 2, y)
        page.wait_for_timeout(50)
        if card.is_visible():
            break
    assert card.locator("figcaption").all_inner_texts() == list(pictures)
    page.wait_for_timeout(300)
    shot = page.locator("#pictures div").first
    row, column = divmod((count - 1) % SHEET, ACROSS)
    style = shot.evaluate("(view) => [view.style.backgroundPosition, view.style.backgroundImage.slice(0, 27)]")
    assert style == [f"{-128 * column}px {-128 * row}px", 'url("data:image/webp;base64']
    seen = np.asarray(Image.open(io.BytesIO(shot.screenshot())).convert("L"), float)[20:-20, 20:-20]
    assert abs(seen.mean() - level[-1]) < 6

