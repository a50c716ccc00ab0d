"""The app as a process of its own, with data and models made for the tests, and a real browser to look at it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
START_SECONDS = 90

Serve = Callable[..., str]


def unavailable(reason: str) -> None:
    """Skips on a machine that cannot run browser tests; fails where continuous integration should have been able to."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser():
    if not Path(CHROMIUM).exists():
        unavailable(f"{CHROMIUM} is missing: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    playwright.expect.set_options(timeout=60_000)
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@contextlib.contextmanager
def faultless(browser):
    """A page of 1440×900 in the dark scheme; leaving it fails where the page threw an error that nothing caught."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="dark")
    context.set_default_timeout(120_000)
    opened = context.new_page()
    thrown: list[str] = []
    opened.on("pageerror", lambda error: thrown.append(str(error)))
    yield opened
    context.close()
    assert thrown == []


@pytest.fixture
def page(browser):
    """A page for one test."""
    with faultless(browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(browser, app_url):
    """Explore on a tiny model, one page for all tests of a file that need nothing fresh: opening it is what takes time."""
    with faultless(browser) as opened:
        open_at(opened, app_url, model="tiny-faces")
        yield opened


@pytest.fixture
def explore(shared):
    """The shared page at rest, back at the posterior mean of its pair, nothing frozen."""
    shared.get_by_role("button", name="posterior mean").click()
    rest(shared)
    return shared


@pytest.fixture
def alone(page):
    """An empty page that may import the app's scripts, each from ``/NAME.js``."""
    def answer(route) -> None:
        name = route.request.url.rpartition("/")[2]
        script = name.endswith(".js")
        route.fulfill(body=(ROOT / "ui" / "frontend" / name).read_text() if script else "<!doctype html>",
                      content_type="text/javascript" if script else "text/html")

    page.route("http://panel.test/**", answer)
    page.goto("http://panel.test/")
    return page


@pytest.fixture(scope="session")
def data_root(tmp_path_factory) -> Path:
    """Rendered faces and drawn digits, taken from the working copy where it has them; MNIST and SVHN are not there."""
    from mmvae.data.digits import is_rendered, render
    from mmvae.data.faces import Faces

    root = tmp_path_factory.mktemp("data")
    for name in ("faces", "digits"):
        if (ROOT / "data" / name).is_dir():
            shutil.copytree(ROOT / "data" / name, root / name)
    Faces(root)
    if not is_rendered(root):
        render(root)
    return root


@pytest.fixture(scope="session")
def home(tmp_path_factory, data_root: Path) -> Path:
    """The shipped checkpoints, as they are; beside them ``tiny-faces`` and ``tiny-digits``, trained for a few steps here."""
    home = tmp_path_factory.mktemp("home")
    (home / "checkpoints").mkdir()
    for folder in (ROOT / "checkpoints").glob("*/"):
        (home / "checkpoints" / folder.name).symlink_to(folder)
    train_tiny(home / "checkpoints" / "tiny-faces", "mumo", "faces", data_root)
    train_tiny(home / "checkpoints" / "tiny-digits", "joint-poe", "digits", data_root)
    return home


def train_tiny(folder: Path, variant: str, dataset: str, data_root: Path, steps: int = 20) -> None:
    """A run of a few steps with the smallest networks."""
    import mmvae
    from mmvae.model import MultimodalVAE
    from mmvae.presets import Settings
    from mmvae.training import start, train

    row = mmvae.DATASETS[dataset]
    modalities = [replace(m, network=f"small{m.shape[1]}") for m in row.modalities]
    model = MultimodalVAE.for_dataset(mmvae.VARIANTS[variant], row, modalities=modalities)
    start(folder, model, Settings(steps=steps, batch_size=16, device="cpu", precision="float32"))
    train(folder, mmvae.dataset(dataset, data_root))


@pytest.fixture(scope="session")
def serve(tmp_path_factory, data_root: Path) -> Iterator[Serve]:
    """Starts the app on a home folder: ``serve(home, data=…, port=…)`` returns its address once it answers."""
    running: list[subprocess.Popen] = []

    def begin(home: Path, data: Path | None = None, port: int | None = None) -> str:
        port = port or free_port()
        log = tmp_path_factory.mktemp("server") / "log"
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.address", "127.0.0.1", "--server.port", str(port), "--server.headless", "true"],
            cwd=ROOT, env=os.environ | {"MMVAE_HOME": str(home), "MMVAE_DATA": str(data or data_root)}, stdout=open(log, "w"), stderr=subprocess.STDOUT)
        running.append(process)
        address = f"http://127.0.0.1:{port}"
        for _ in range(START_SECONDS * 5):
            if process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5):
                    return address
            except OSError:
                time.sleep(0.2)
        raise RuntimeError(f"the app did not start:\n{log.read_text()}")

    yield begin
    for process in running:
        process.terminate()
    for process in running:
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def app_url(serve: Serve, home: Path) -> str:
    """The address of the app on `home` and `data_root`."""
    return serve(home)


@pytest.fixture
def visit(page) -> Callable[[str], object]:
    """Opens an address and returns the page once its script has run."""
    def go(address: str):
        page.goto(address, wait_until="commit")  # settle waits for the rest
        settle(page)
        return page

    return go


def open_at(page, app_url: str, **parameters: str) -> None:
    """Opens Explore on a model or a point."""
    page.set_default_timeout(120_000)
    page.goto(f"{app_url}/explore?{urllib.parse.urlencode(parameters)}")
    rest(page)


def rest(page) -> None:
    """Waits until the pictures are those of the code, and the address bar holds it."""
    page.wait_for_selector('.panel[data-rest="yes"]', timeout=180_000)


def settle(page, milliseconds: float = 120_000) -> None:
    """Waits until the page's script has run and none of it is left to come."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=milliseconds)
    page.wait_for_function("() => !document.querySelector('[data-testid=\"stSkeleton\"]')", timeout=milliseconds)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
