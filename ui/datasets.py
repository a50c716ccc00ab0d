"""Which data is on this machine, and bringing in what is not: downloads and renderings that go on behind the pages."""

from __future__ import annotations

__all__ = ["Preparation", "is_here", "offer"]

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread

import streamlit as st

from mmvae.data import DataError, data_root
from mmvae.data import digits, mnist_svhn
from mmvae.data.faces import Faces

from .models import data_named
from .navigation import plain

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Way:
    """How a data set comes onto this machine.

    Arguments:
        label: Of the button.
        doing: What is said while it is under way, with ``{done}`` and ``{total}``.
        unit: What one of `done` is, in units of which figures are shown.
        local: Drawn by this program, without a network: nobody has to be asked, it begins as soon as a page wants it.
        run: Brings the data set into a data root, telling its progress.
    """

    label: str
    doing: str
    unit: int
    local: bool
    run: Callable[[Path, Progress], object]


WAYS = {
    "faces": Way(
        "Render the faces (about a minute)", "Rendering the faces: {done:,.0f} of {total:,.0f}", 1, True, lambda root, progress: Faces(root, progress=progress)
    ),
    "mnist-svhn": Way(
        f"Download MNIST and SVHN ({mnist_svhn.DOWNLOAD_BYTES / 1e6:.0f} MB)", "Downloading: {done:,.0f} of {total:,.0f} MB", 1_000_000, False,
        mnist_svhn.download,
    ),
    "digits": Way("Draw the digits (under a minute)", "Drawing the digits: {done:,.0f} of {total:,.0f}", 1, True, digits.render),
}


@dataclass
class Preparation:
    """One way under way: how far it is, and what went wrong where something did."""

    done: int = 0
    total: int = 0
    running: bool = True
    error: str | None = None


_preparations: dict[str, Preparation] = {}
_lock = Lock()
_turn = Lock()  # two renderings side by side would only keep each other, and the pages, waiting


def is_here(name: str) -> bool:
    """Whether the data set's images are on this machine."""
    try:
        data_named(name)
    except DataError:
        return False
    return True


def start(name: str) -> None:
    """Begins to bring the data set in, unless that is under way already."""
    with _lock:
        if name in _preparations and _preparations[name].running:
            return
        preparation = _preparations[name] = Preparation()
    Thread(target=_prepare, args=(WAYS[name], preparation), name=f"prepare {name}", daemon=True).start()


def offer(name: str, label: str | None = None) -> None:
    """Brings the data set in: what is drawn here begins at once, a download has a button; then progress, a failure as one line.

    Draws nothing for a data set that can only be put there by hand. The page runs anew once the data is there.
    """
    if name in WAYS:
        if WAYS[name].local and name not in _preparations:
            start(name)
        preparation = _preparations.get(name)
        running = preparation is not None and preparation.running
        st.fragment(_offer, run_every=0.5 if running else None)(name, label or WAYS[name].label, running)


def _offer(name: str, label: str, was_running: bool) -> None:
    preparation = _preparations.get(name)
    if preparation and preparation.running:
        share = preparation.done / preparation.total if preparation.total else 0.0
        unit = WAYS[name].unit
        said = WAYS[name].doing.format(done=preparation.done / unit, total=preparation.total / unit)
        st.progress(min(share, 1.0), said if preparation.total else "Waiting for its turn")
        return
    if was_running:
        st.rerun()
    if preparation and preparation.error:
        st.error(plain(preparation.error, 1000), icon=":material/error:")
    if st.button(label, key=f"prepare-{name}", icon=":material/download:"):
        start(name)
        st.rerun()


def _prepare(way: Way, preparation: Preparation) -> None:
    def tell(done: int, total: int) -> None:
        preparation.done, preparation.total = done, total

    try:
        with _turn if way.local else nullcontext():  # a download takes the network, and however long that takes
            way.run(data_root(), tell)
    except DataError as error:
        preparation.error = str(error)
    except Exception as error:  # the thread's end: what is not said here is said nowhere
        preparation.error = f"{type(error).__name__}: {error}"
        raise
    finally:
        preparation.running = False
