"""The data sets as rows, and the door to each: `dataset("faces")`."""

from __future__ import annotations

__all__ = ["DATASETS", "SPLITS", "DataError", "DatasetRow", "Factor", "PairedDataset", "data_root", "dataset", "version_of"]

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib import import_module
from os.path import expanduser
from pathlib import Path
from stat import S_ISDIR
from time import monotonic

from ..modalities import Modality
from .base import SPLITS, DataError, Factor, PairedDataset


@dataclass(frozen=True)
class DatasetRow:
    """What is known of a data set before any of it is on the machine.

    Arguments:
        name: As in ``mmvae.dataset(name)``.
        title: What a person calls it.
        summary: One or two sentences: what is in a pair, where it comes from.
        modalities: First and second modality, with the likelihoods and weights trained with by default.
        factors: The factors that labels are given for.
        opener: ``"module:callable"`` called with the data root (None: the default one).
        private: Default dimension of each modality's private block, for variants that have them.
        shared: Default dimension of the shared block beside private ones.
        joint: Default dimension of the one block of variants without private blocks.
        files: What it is read from, as patterns within the data root.
    """

    name: str
    title: str
    summary: str
    modalities: tuple[Modality, Modality]
    factors: tuple[Factor, ...]
    opener: str
    private: tuple[int, int]
    shared: int
    joint: int
    files: tuple[str, ...] = ()


def grid(low: float, high: float, steps: int) -> tuple[float, ...]:
    """Equally spaced values, both ends included."""
    return tuple(low + (high - low) * i / (steps - 1) for i in range(steps))


DIGIT = Factor("digit", "categorical", tuple("0123456789"))
FACE_VIEWS = (
    Modality("elevation", (1, 64, 64), "x_I", "elevation view", network="conv64"),
    Modality("lighting", (1, 64, 64), "x_T", "lighting view", network="conv64"),
)
MNIST = Modality("mnist", (1, 28, 28), "x_1", "handwriting", network="conv28")
SVHN = Modality("svhn", (3, 32, 32), "x_2", "house number", likelihood="gaussian", scale=0.5**0.5, network="conv32-photo")

DATASETS: dict[str, DatasetRow] = {
    row.name: row
    for row in (
        DatasetRow(
            "faces", "Rendered 3D faces",
            "Two 64×64 views of one head: the first varies elevation under neutral light, the second varies the light at "
            "neutral elevation; both share azimuth and identity. Rendered by this program, 23,100 distinct images.",
            FACE_VIEWS,
            (
                Factor("identity", "categorical", tuple(f"#{i:02d}" for i in range(50))),
                Factor("azimuth", "ordered", grid(-90, 90, 21), "°"),
                Factor("elevation", "ordered", grid(-30, 30, 11), "°", owner="elevation", neutral=0.0),
                Factor("lighting", "ordered", grid(-90, 90, 11), "°", owner="lighting", neutral=0.0),
            ),
            "mmvae.data.faces:Faces", (2, 2), 5, 10, ("faces/version.json", "faces/*.npy"),
        ),
        DatasetRow(
            "mnist-svhn", "MNIST–SVHN",
            "A handwritten digit (28×28, grey) and a photographed house number (32×32, colour) that share the digit. "
            "Downloaded on request; any two images of one digit make a pair.",
            (MNIST, SVHN), (DIGIT,), "mmvae.data.mnist_svhn:MnistSvhn", (1, 4), 10, 20,
            ("MNIST/raw/*-ubyte", "MNIST/raw/*-ubyte.gz", "*_32x32.mat", "svhn.npz"),
        ),
        DatasetRow(
            "digits", "Digits (offline stand-in)",
            "The same shapes without a download: handwriting from scikit-learn's bundled digits, house numbers rendered "
            "from fonts. A stand-in to try things offline; it is neither MNIST nor SVHN.",
            (MNIST, SVHN), (DIGIT,), "mmvae.data.digits:Digits", (1, 4), 10, 20, ("digits/*.npz",),
        ),
        DatasetRow(
            "basel-faces", "Basel face renders",
            "The licensed basel_face_renders.pth, where you own it: the pair experiment of the rendered faces, with "
            "factors as normalised indices.",
            FACE_VIEWS,
            (
                Factor("identity", "categorical", tuple(f"#{i:02d}" for i in range(50))),
                Factor("azimuth", "ordered", grid(-1, 1, 21)),
                Factor("elevation", "ordered", grid(-1, 1, 11), owner="elevation", neutral=0.0),
                Factor("lighting", "ordered", grid(-1, 1, 11), owner="lighting", neutral=0.0),
            ),
            "mmvae.data.basel:BaselFaces", (2, 2), 5, 10, ("basel_face_renders.pth",),
        ),
    )
}


def data_root(root: str | Path | None = None) -> Path:
    """Where data lies: the argument, else the variable MMVAE_DATA, else the folder ``data`` beside app.py."""
    return Path(root or os.environ.get("MMVAE_DATA") or Path(__file__).resolve().parents[2] / "data").absolute()


def dataset(name: str, root: str | Path | None = None) -> PairedDataset:
    """The data set of this name, or a person's own pairs where `name` is a path to an .npz file or a folder.

    Nothing is downloaded; `mmvae.data.mnist_svhn.download` does that when asked.

    Raises:
        DataError: Where there is no such data set, or its files are missing or malformed.
    """
    if name in DATASETS:
        module, opener = DATASETS[name].opener.split(":")
        return getattr(import_module(module), opener)(data_root(root))
    if _is_there(name):
        return import_module("mmvae.data.own").OwnPairs(Path(name))
    raise DataError(f"no data set {name!r}: expected one of {', '.join(DATASETS)}, or the path of an .npz file or folder of your own")


def _is_there(name: str) -> bool:
    """Whether something lies at a path that a person gave, which may be no path at all."""
    try:
        return bool(name) and Path(expanduser(name)).exists()
    except (OSError, ValueError):
        return False


def version_of(name: str, root: str | Path | None = None) -> tuple[tuple[str, int, int], ...]:
    """Path, size and time of change of each file that a data set is read from: with another version it is to be opened anew.

    Of a folder of pictures of one's own: its path, the size of all, and a number that changes with the name, size or time of any.
    """
    if name in DATASETS:
        folder = data_root(root)
        found = [path for pattern in DATASETS[name].files for path in folder.glob(pattern)]
    else:
        own = Path(expanduser(name))
        found = [own, *own.glob("[!.]*")] if _is_there(name) else []
    stamps = []
    for path in sorted(found):
        with suppress(FileNotFoundError):  # it went while we looked
            stat = path.stat()
            pictures = name not in DATASETS and path != own and S_ISDIR(stat.st_mode)
            stamps.append((str(path), *(_pictures(path, stat.st_mtime_ns, int(monotonic())) if pictures else (stat.st_size, stat.st_mtime_ns))))
    return tuple(stamps)


@lru_cache(maxsize=8)
def _pictures(folder: Path, _changed: int, _second: int) -> tuple[int, int]:
    """The size of all files in a folder, and a number that changes with the name, size or time of any.

    Nothing is read of them, but of 10,000 that still takes some 60 ms, and a page that is drawn asks several times: it is looked
    again where a file came or went, and else once a second.
    """
    files = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # it went while we looked
                stat = entry.stat()
                files.append((entry.name, stat.st_size, stat.st_mtime_ns))
    digest = sha256(repr(sorted(files)).encode()).digest()
    return sum(size for _, size, _ in files), int.from_bytes(digest[:8], "big")


def __getattr__(name: str):
    if name == "own":  # brings torch, and `help(mmvae.data.own.OwnPairs)` should need no import
        return import_module("mmvae.data.own")
    raise AttributeError(f"module 'mmvae.data' has no attribute {name!r}")
