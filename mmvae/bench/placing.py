"""How soon an uploaded picture lies on a map: a browser uploads some on the Map page, and the frame is waited for that shows the star.

The app runs as its own process, as a person starts it; Chromium is headless.
"""

from __future__ import annotations

__all__ = ["main"]

import argparse
import io
import json
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ..checkpoints import catalogue
from ..data.render import render
from .live import CHROMIUM, FLAGS, app

MODEL = "faces-mumo"
BOUND = 500.0  # milliseconds that one may take

#: From the moment that the page has the file to the end of the frame that shows one star more.
WATCH = """
(uploader) => {
  const host = [...document.querySelectorAll("*")].find((node) => node.shadowRoot?.querySelector(".map"));
  const { widget } = host.shadowRoot.querySelector(".map").parentNode;
  window.placing = new Promise((done) => uploader.addEventListener("change", () => {
    const began = performance.now(), before = widget.placed.length;
    const frame = () => widget.placed.length > before ? requestAnimationFrame((now) => done(now - began)) : requestAnimationFrame(frame);
    frame();
  }, { once: true, capture: true }));
}
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 0 where none but the first took longer than `BOUND`."""
    parser = argparse.ArgumentParser(prog="python -m mmvae bench placing", description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=MODEL, metavar="NAME", help=f"a model of faces (default {MODEL})")
    parser.add_argument("--uploads", type=int, default=8, help="one after the other (default 8)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a line")
    arguments = parser.parse_args(argv)
    if arguments.model not in catalogue():
        raise ValueError(f"no model {arguments.model!r}: expected one of {', '.join(catalogue())}")
    with app() as address:
        points, took = _uploaded(address, arguments.model, arguments.uploads)
    first, rest = took[0], took[1:] or took
    if arguments.json:
        print(json.dumps({"model": arguments.model, "points": points, "milliseconds": took}))
    else:
        print(f"{arguments.model}, a map of {points:,} points: from the file to its star {np.median(rest):.0f} ms (median of {len(rest)}), "
              f"{max(rest):.0f} ms (slowest); the first of all {first:.0f} ms")
    return 0 if max(rest) <= BOUND else 1


def _uploaded(address: str, model: str, count: int) -> tuple[int, list[float]]:
    """Points on the map, and the milliseconds that each upload took."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = chromium.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{address}/map?model={model}", timeout=120_000)
            pane = page.locator('.map .pane[data-state="done"]')
            pane.wait_for(timeout=240_000)
            page.wait_for_timeout(3000)  # the page's scripts are at rest
            uploader, took = page.locator('[data-testid="stFileUploader"] input'), []
            for picture in _pictures(count):
                if not uploader.count():
                    page.get_by_role("button", name="Place a point").click()
                    uploader.wait_for(state="attached")
                uploader.evaluate(WATCH)
                uploader.set_input_files(picture)
                took.append(page.evaluate("window.placing"))
                page.wait_for_timeout(1000)
            return int(pane.get_attribute("data-points")), took
        finally:
            chromium.close()


def _pictures(count: int) -> list[dict]:
    """Heads between the grid's angles, as files to upload."""
    rng, files = np.random.default_rng(0), []
    for i in range(count):
        image = render(int(rng.integers(50)), *rng.uniform(-40, 40, 2), 0.0)
        buffer = io.BytesIO()
        Image.fromarray((image * 255).round().astype(np.uint8)).save(buffer, "PNG")
        files.append({"name": f"head {i}.png", "mimeType": "image/png", "buffer": buffer.getvalue()})
    return files


if __name__ == "__main__":
    raise SystemExit(main())
