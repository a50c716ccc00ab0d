"""How live the Explore page is: a real browser drags a slider, and painted pictures are counted.

The app runs as its own process, as a person starts it; Chromium is headless. One update is both pictures. What is
counted is what the page painted in frames of its own, not what the server sent.
"""

from __future__ import annotations

__all__ = ["main"]

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from ..checkpoints import catalogue
from ..history import events
from ..presets import Settings
from ..runs import NICE, Plan, log_tail, spawn

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
PREFERRED = ("faces-mumo", "mnist-svhn-dmvae-clusters")
PRESSES = 60
COMPUTES = 180.0  # seconds within which a training in the background does its first steps

#: Holds a knob and moves it with every frame, as a hand with a mouse does; the page's own counter says what was painted.
DRAG = """
async (milliseconds) => {
  const root = [...document.querySelectorAll("*")].map((node) => node.shadowRoot?.querySelector(".panel")).find(Boolean);
  const track = root.querySelector(".row .track");
  const box = track.getBoundingClientRect();
  const event = (type, x) => track.dispatchEvent(new PointerEvent(type, { bubbles: true, composed: true, pointerId: 1, button: 0,
    clientX: x, clientY: box.top + box.height / 2 }));
  track.setPointerCapture = () => {};
  const painted = () => Number(root.dataset.painted ?? 0);
  event("pointerdown", box.left + box.width / 2);
  const began = performance.now();
  let frames = 0, before = 0, stalls = [], last = began, count = 0;
  await new Promise((done) => {
    const tick = (now) => {
      frames += 1;
      if (now - began > 500 && !before) before = { at: now, painted: painted(), frames };
      if (painted() !== count) {
        if (before) stalls.push(now - last);
        count = painted();
        last = now;
      }
      if (now - began > milliseconds + 500) return done();
      event("pointermove", box.left + box.width * (0.5 + 0.45 * Math.sin((now - began) / 400)));
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  const seconds = (performance.now() - before.at) / 1000;
  const result = { painted: (painted() - before.painted) / seconds, frames: (frames - before.frames) / seconds, stalls };
  event("pointerup", box.left + box.width / 2);
  return result;
}
"""

#: The times from a key's event to the end of the frame in which its pictures were painted.
PRESS = """
() => {
  const root = [...document.querySelectorAll("*")].map((node) => node.shadowRoot?.querySelector(".panel")).find(Boolean);
  window.pressed = [];
  const track = root.querySelector(".row .track");
  track.focus();
  let waiting = null;
  const afterwards = new MessageChannel(); // its message comes when the frame that painted is out
  afterwards.port1.onmessage = ({ data }) => window.pressed.push(performance.now() - data);
  track.addEventListener("keydown", (event) => { waiting = event.timeStamp; }, true);
  new MutationObserver(() => {
    if (waiting === null) return;
    afterwards.port2.postMessage(waiting);
    waiting = null;
  }).observe(root, { attributes: true, attributeFilter: ["data-painted"] });
}
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 0 where every browser painted and none failed."""
    parser = argparse.ArgumentParser(prog="python -m mmvae bench live", description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", metavar="NAME", help="default: the shipped face and digit models")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each drag (default 5)")
    parser.add_argument("--browsers", type=int, default=1, help="that drag at once (default 1)")
    parser.add_argument("--training", action="store_true", help="with a training in the background, at the priority the app gives it")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args(argv)
    known = catalogue()
    names = arguments.models or [name for name in PREFERRED if name in known] or list(known)[:1]
    missing = [name for name in names if name not in known]
    if missing or not names:
        raise ValueError(f"no model {missing[0]!r}: expected some of {', '.join(known)}" if missing else "there is no model to measure")
    rows = []
    with ExitStack() as stack:
        address = stack.enter_context(app())
        if arguments.training:
            stack.enter_context(training())
        for name in names:
            rows.append(measure(address, name, arguments.seconds, arguments.browsers) | {"training": arguments.training})
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()  # macOS cannot tell
    conditions = {"cpus": cpus, "load": [round(x, 1) for x in os.getloadavg()]}
    if arguments.json:
        print(json.dumps({"conditions": conditions, "models": rows}, indent=1))
    else:
        table(rows, conditions)
    return 0 if all(row["slowest_updates_per_second"] > 0 and not row["errors"] for row in rows) else 1


def measure(address: str, name: str, seconds: float, browsers: int) -> dict:
    """Drags in every browser at once, then presses keys in the first."""
    from playwright.async_api import async_playwright

    async def run() -> dict:
        async with async_playwright() as driver:
            chromium = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            errors: list[str] = []
            pages = []
            for _ in range(browsers):
                context = await chromium.new_context(viewport={"width": 1440, "height": 900})
                page = await context.new_page()
                page.on("pageerror", lambda error: errors.append(str(error)))
                await page.goto(f"{address}/explore?model={name}", timeout=120_000)
                await page.wait_for_selector('.panel[data-live="live"][data-painted]', timeout=120_000)
                pages.append(page)
            await asyncio.sleep(3)  # strips and figures are decoded, the page's scripts at rest
            drags = await asyncio.gather(*(page.evaluate(DRAG, 1000 * seconds) for page in pages))
            await asyncio.sleep(1)
            await pages[0].evaluate(PRESS)
            for i in range(PRESSES):
                await pages[0].keyboard.press("ArrowRight" if i // 10 % 2 else "ArrowLeft")
                await asyncio.sleep(0.06)
            await asyncio.sleep(0.5)
            presses = await pages[0].evaluate("window.pressed")
            await chromium.close()
        rates = [drag["painted"] for drag in drags]
        gaps = np.concatenate([drag["stalls"] for drag in drags])
        return {"model": name, "browsers": browsers, "updates_per_second": round(float(np.median(rates)), 1),
                "slowest_updates_per_second": round(min(rates), 1), "frames_per_second": round(float(np.median([d["frames"] for d in drags])), 1),
                "gap_p95_ms": round(float(np.percentile(gaps, 95)), 1), "press_p50_ms": round(float(np.percentile(presses, 50)), 1),
                "press_p95_ms": round(float(np.percentile(presses, 95)), 1), "presses": len(presses), "errors": errors}

    return asyncio.run(run())


@contextmanager
def app() -> Iterator[str]:
    """The app's address, while it runs on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    # in a session of its own, as from a person's terminal: Linux shares the processors out by session
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5):
                    break
            except OSError:
                time.sleep(0.2)
        else:
            raise RuntimeError("the app did not start within a minute")
        yield address
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def training() -> Iterator[None]:
    """A training as the app starts one, in a folder of its own and under way, until the measurement is over."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "run"
        plan = Plan("mumo", "faces", Settings(steps=100_000, snapshot=100_000, device="cpu"))
        with open(Path(parent) / "log.txt", "w", encoding="utf-8") as log:
            process = spawn(plan.arguments(folder), NICE, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + COMPUTES
            while not any(event["event"] == "step" for event in events(folder)):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"no training in the background: {log_tail(Path(parent), 1) or 'it did not begin'}")
                time.sleep(0.5)
            yield
        finally:
            process.kill()
            process.wait(20)


def table(rows: Sequence[dict], conditions: dict) -> None:
    """Prints the figures; an update is both pictures."""
    print(f"{'model':24} {'browsers':>8} {'training':>8} {'updates/s':>9} {'slowest':>8} {'frames/s':>8} {'gap p95':>8} {'key p50':>8} {'key p95':>8}")
    for row in rows:
        print(f"{row['model']:24} {row['browsers']:8} {'yes' if row['training'] else 'no':>8} {row['updates_per_second']:9} "
              f"{row['slowest_updates_per_second']:8} {row['frames_per_second']:8} {row['gap_p95_ms']:5} ms {row['press_p50_ms']:5} ms {row['press_p95_ms']:5} ms")
    print(f"{conditions['cpus']} processors, load {' '.join(map(str, conditions['load']))}; key: from the press to the painted picture")
