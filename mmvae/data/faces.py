"""Grids of faces: pairs that share identity and azimuth, one view with its elevation, one with its light.

`FaceGrid` knows ids, labels and splits; `Faces` renders its own pictures once and keeps them on disk.
"""

from __future__ import annotations

__all__ = ["FaceGrid", "Faces"]

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..files import opened_atomically
from ..workers import Workers
from . import DATASETS, SPLITS, DataError, PairedDataset
from .ids import ids_given

Progress = Callable[[int, int], None]

#: Raise it with every change to what the renderer draws: a cache with another stamp is rendered anew.
VERSION = 1


class FaceGrid(PairedDataset):
    """Faces on the full grid identity × azimuth × elevation × lighting.

    An item's id is ``((identity·A + azimuth)·E + elevation)·L + lighting``, counted in grid steps. Its first picture has
    the item's elevation under the neutral (middle) light, its second the item's light at the neutral elevation, so that
    there are far fewer pictures than items. A split holds whole (identity, azimuth) cells: no picture is in two splits.

    Arguments:
        name: The row of `DATASETS` that names modalities and factors.
        identities: How many identities the grid has; the first ones of the row's.
    """

    def __init__(self, name: str, identities: int | None = None) -> None:
        row = DATASETS[name]
        self.name, self.title, self.modalities, self.factors = row.name, row.title, row.modalities, row.factors
        self.shape = (identities or len(self.factors[0].values), *(len(f.values) for f in self.factors[1:]))
        self.neutral = (self.shape[2] // 2, self.shape[3] // 2)
        self._values = [torch.tensor(f.values, dtype=torch.float32) for f in self.factors[1:]]
        self._cells = _split_cells(self.shape[0], self.shape[1])
        self._split_ids: dict[str, Tensor] = {}

    def pictures(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """All pictures of both modalities, uint8 [identities, azimuths, elevations, H, W] and […, lightings, H, W]."""
        raise NotImplementedError

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    def split(self, name: str) -> Tensor:
        if name not in SPLITS:
            raise ValueError(f"no split {name!r}: expected one of {', '.join(SPLITS)}")
        if name not in self._split_ids:
            per_cell = self.shape[2] * self.shape[3]
            cells = torch.from_numpy(np.flatnonzero(self._cells == SPLITS.index(name)))
            self._split_ids[name] = (cells[:, None] * per_cell + torch.arange(per_cell)).reshape(-1)
        return self._split_ids[name]

    def items(self, ids: Tensor | Sequence[int]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        ids = ids_given(ids)
        outside = ids[(ids < 0) | (ids >= len(self))]
        if len(outside):
            raise DataError(f"{self.name} has no item {outside[0]}: ids run from 0 to {len(self) - 1}")
        identity, azimuth, elevation, lighting = np.unravel_index(ids, self.shape)
        first, second = self.pictures()
        images = {
            modality.name: torch.from_numpy(picture[:, None]).to(torch.float32).div_(255)
            for modality, picture in zip(
                self.modalities, (first[identity, azimuth, elevation], second[identity, azimuth, lighting]), strict=True
            )
        }
        labels = {"identity": torch.from_numpy(identity)}
        for factor, values, steps in zip(self.factors[1:], self._values, (azimuth, elevation, lighting), strict=True):
            labels[factor.name] = values[torch.from_numpy(steps)]
        return images, labels

    def with_private_of(self, ids: Tensor, donors: Tensor) -> Tensor:
        per_cell = self.shape[2] * self.shape[3]
        return ids - ids % per_cell + donors % per_cell


def _split_cells(identities: int, azimuths: int, seed: int = 2009) -> NDArray[np.int64]:
    """The split (index into `SPLITS`) of every (identity, azimuth) cell, flat.

    Of each identity one azimuth is for validation and two, a third of the range away, for tests. Azimuths take turns, so
    that each is in every split too, as far as there are identities enough: 4.8% and 9.5% of all cells.
    """
    first = np.random.default_rng(seed).permutation(np.arange(identities) % azimuths)
    cells = np.full((identities, azimuths), SPLITS.index("train"))
    for split, shift in (("validation", 0), ("test", azimuths // 3), ("test", 2 * azimuths // 3)):
        cells[np.arange(identities), (first + shift) % azimuths] = SPLITS.index(split)
    return cells.reshape(-1)


class Faces(FaceGrid):
    """Heads drawn by `mmvae.data.render`, rendered on first use into ``<root>/faces`` (95 MB) and memory-mapped afterwards.

    Arguments:
        root: The data root.
        identities: How many of the fifty identities.
        progress: Called with (pictures done, pictures in all) while rendering; None: a line on standard error.
        workers: Processes that render.

    Raises:
        DataError: Where the data root cannot be written to.
    """

    def __init__(self, root: Path, identities: int = 50, progress: Progress | None = None, workers: int = 2) -> None:
        super().__init__("faces", identities)
        self.folder = Path(root) / "faces"
        self._files = [self.folder / f"{m.name}.npy" for m in self.modalities]
        self._stamp = self.folder / "version.json"
        self._maps = self._load()
        if self._maps is None:
            self._render(progress or _progress_line, workers)
            self._maps = self._load()
        if self._maps is None:
            raise DataError(f"{self.folder}: the rendered faces cannot be read back; remove the folder and try again")

    def pictures(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return self._maps

    @property
    def _expected(self) -> dict[str, object]:
        size = list(self.modalities[0].shape[1:])
        shapes = [[*self.shape[:2], steps, *size] for steps in self.shape[2:]]
        return {"version": VERSION, "files": {f.name: shape for f, shape in zip(self._files, shapes, strict=True)}}

    def _load(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
        """The cached pictures, or None where there are none of this version, whole."""
        try:
            if json.loads(self._stamp.read_text()) != self._expected:
                return None
            maps = tuple(np.load(file, mmap_mode="r") for file in self._files)
        except (OSError, ValueError):  # absent, cut short or not what it says
            return None
        shapes = list(self._expected["files"].values())
        whole = all(m.dtype == np.uint8 and list(m.shape) == shape for m, shape in zip(maps, shapes, strict=True))
        return maps if whole else None

    def _render(self, progress: Progress, workers: int) -> None:
        self._write(self.folder / "writable", b"").unlink(missing_ok=True)  # before a minute's work
        arrays = self._draw(progress, workers)
        self._stamp.unlink(missing_ok=True)  # an older one must not vouch for new files
        for path, array in zip(self._files, arrays, strict=True):
            self._write(path, array)
        self._write(self._stamp, json.dumps(self._expected).encode())  # last: it vouches for the rest

    def _draw(self, progress: Progress, workers: int) -> list[NDArray[np.uint8]]:
        """All pictures of both modalities, identity after identity, each in a process of its own."""
        arrays = [np.empty(shape, np.uint8) for shape in self._expected["files"].values()]
        identities, azimuths, *steps = self.shape
        per_identity, done = azimuths * sum(steps), 0
        progress(0, identities * per_identity)
        angles = [factor.values for factor in self.factors[1:]]
        pool = Workers(workers, "render faces")
        try:
            jobs = {pool.submit(_render_apart, identity, *angles): identity for identity in range(identities)}
            for job in as_completed(jobs):
                pixels = np.frombuffer(job.result(), np.uint8)
                first = arrays[0][0].size
                for array, part in zip(arrays, (pixels[:first], pixels[first:]), strict=True):
                    array[jobs[job]] = part.reshape(array.shape[1:])
                done += per_identity
                progress(done, identities * per_identity)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # who interrupts it waits for none of the rest
        return arrays

    def _write(self, path: Path, content: bytes | NDArray[np.uint8]) -> Path:
        """Writes a file whole: bytes as they are, pictures as .npy."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with opened_atomically(path) as file:
                file.write(content) if isinstance(content, bytes) else np.save(file, content)
        except OSError as error:
            reason = f"cannot be written here ({error.strerror}); set MMVAE_DATA to a folder that can be written to"
            raise DataError(f"{self.folder}: the rendered faces {reason}") from error
        return path


def _render_apart(identity: int, *angles: Sequence[float]) -> bytes:
    """The pixels of `mmvae.data.render.render_identity`, drawn by another process.

    A plain command and not multiprocessing, whose processes would first run the caller's own script again.
    """
    package_parent = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (package_parent, os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "mmvae.data.render", json.dumps([identity, *angles])]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"})
    if done.returncode:
        last = (done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise DataError(f"identity {identity} could not be rendered: {last}")
    return done.stdout


def _progress_line(done: int, total: int) -> None:
    width = 30
    bar = "█" * (width * done // total)
    end = "\n" if done == total else ""
    print(f"\rrendering faces |{bar:<{width}}| {done:,} of {total:,}", end=end, file=sys.stderr, flush=True)
