"""How smoothly a map is drawn: a browser pans, zooms and points at many points at once, and its frames are counted.

`python -m mmvae bench drawing [POINTS …]` opens Chromium with the drawing part of the Map page alone. Each frame is waited for until it is
drawn: its time has no share of work that a graphics driver still puts off. Without a graphics processor the page draws points by the
processor itself.
"""

from __future__ import annotations

__all__ = ["main", "measure"]

import argparse
import base64
import json
import os
import sys
from collections.abc import Sequence

import numpy as np

from .live import CHROMIUM, FLAGS, ROOT
from .map import synthetic_codes

SCRIPTS = ROOT / "ui" / "frontend"
PAGE = "http://map.test/"
SIZE = (960, 720)  # of the canvas, in pixels
MOTIONS = ("pan", "zoom", "hover")

#: Moves the map, or the pointer over it, with every frame; a pixel is read back so that a frame is over when it is counted.
MOVE = """
async ({ positions, colours, width, height, milliseconds, motion }) => {
  const { Points } = await import("/points.js");
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  document.body.style.margin = 0;
  const canvas = document.body.appendChild(document.createElement("canvas"));
  const points = new Points(canvas, () => {});
  const { gl } = points;
  points.resize(width, height);
  points.place(new Float32Array(bytes(positions).buffer), false);
  points.colour({ colours: bytes(colours), behind: new Uint8Array(points.count) });
  const pixel = new Uint8Array(4);
  const paint = points.paint.bind(points);
  const spent = [];
  points.paint = () => {
    const began = performance.now();
    paint();
    gl?.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
    spent.push(performance.now() - began);
  };
  const frame = () => new Promise(requestAnimationFrame);
  for (let i = 0; i < 10; i++) { points.draw(); await frame(); }
  spent.length = 0;
  const began = performance.now();
  let frames = 0, found = 0;
  for (let now = began; now - began < milliseconds; now = performance.now(), frames++) {
    const angle = (now - began) / 400;
    if (motion === "pan") points.pan(9 * Math.cos(angle), 9 * Math.sin(angle));
    if (motion === "zoom") points.zoomBy(Math.exp(0.05 * Math.cos(angle)), width / 2, height / 2);
    if (motion === "hover") {
      const [x, y] = points.toMap(width * (0.5 + 0.3 * Math.cos(angle)), height * (0.5 + 0.3 * Math.sin(1.3 * angle)));
      found += points.near(x, y, 40 / points.unit, 8).length;
      points.draw();
    }
    await frame();
  }
  const info = gl?.getExtension("WEBGL_debug_renderer_info");
  canvas.remove();
  return { renderer: gl ? gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER) : "the processor", frames: 1000 * frames / (performance.now() - began), spent, found };
}
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m mmvae bench drawing", description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", type=int, default=[10_000, 60_000], help="numbers of points (default 10000 60000)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each motion (default 4)")
    parser.add_argument("--gpu", action="store_true", help="let the browser use a graphics processor, in a window where there is a screen; without, it draws in software")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args(argv)
    rows = [row for size in arguments.sizes for row in _in_a_browser(size, arguments.seconds, arguments.gpu)]
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return 0
    print(f"drawn by {rows[0]['renderer']}, {SIZE[0]}×{SIZE[1]} pixels")
    print(f"{'points':>7}  {'motion':6}  {'frames/s':>8}  {'frame p50':>10}  {'p95':>10}")
    for row in rows:
        print(f"{row['points']:>7}  {row['motion']:6}  {row['frames_per_second']:>8.1f}  {row['frame_p50_ms']:>7.1f} ms  {row['frame_p95_ms']:>7.1f} ms")
    return 0


def _in_a_browser(size: int, seconds: float, gpu: bool) -> list[dict]:
    from playwright.sync_api import sync_playwright

    screen = sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    flags = [flag for flag in FLAGS if flag != "--disable-gpu"] if gpu else [*FLAGS, "--enable-unsafe-swiftshader"]
    if gpu and not screen:  # a server's: what drives a screen with it is missing, Vulkan alone is there
        flags += ["--use-gl=angle", "--use-angle=vulkan", "--ignore-gpu-blocklist", "--enable-gpu-rasterization"]
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=flags, headless=not (gpu and screen))
        try:
            return measure(chromium.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}), size, seconds)
        finally:
            chromium.close()


def measure(page, size: int, seconds: float) -> list[dict]:
    """Frames a second of each motion over a map of so many points, and what a frame takes.

    Arguments:
        page: An empty page of Playwright's.
        size: Number of points.
        seconds: Of each motion.
    """
    positions = synthetic_codes(size)[:, :2]
    positions = (positions / np.abs(positions).max()).astype("<f4")
    colours = np.full((size, 4), 255, np.uint8)
    colours[:, :3] = np.random.default_rng(0).integers(60, 255, (size, 3))
    task = {"positions": base64.b64encode(positions.tobytes()).decode(), "colours": base64.b64encode(colours.tobytes()).decode(),
            "width": SIZE[0], "height": SIZE[1], "milliseconds": 1000 * seconds}
    def answer(route) -> None:
        name = route.request.url.removeprefix(PAGE)
        route.fulfill(**({"body": (SCRIPTS / name).read_text(encoding="utf-8"), "content_type": "text/javascript"} if name.endswith(".js")
                         else {"body": "<!doctype html>", "content_type": "text/html"}))

    page.route(f"{PAGE}**", answer)
    page.goto(PAGE)
    rows = []
    for motion in MOTIONS:
        found = page.evaluate(MOVE, task | {"motion": motion})
        rows.append({
            "points": size, "motion": motion, "renderer": found["renderer"], "frames_per_second": round(found["frames"], 1),
            "frame_p50_ms": round(float(np.percentile(found["spent"], 50)), 2), "frame_p95_ms": round(float(np.percentile(found["spent"], 95)), 2),
        })  # fmt: skip
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
