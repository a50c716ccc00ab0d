"""The licensed Basel face renders, where a person owns the file: the grid of the rendered faces, photographed elsewhere."""

from __future__ import annotations

__all__ = ["BaselFaces"]

import pickle
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from . import DataError
from .faces import FaceGrid

FILE = "basel_face_renders.pth"


class BaselFaces(FaceGrid):
    """A saved tensor [identity, azimuth, elevation, lighting, H, W] with values 0 to 255, of any number type.

    The file is memory-mapped and only the pictures of the pair experiment are kept, as uint8. Labels are normalised
    grid steps, -1 to 1: the file states no degrees.

    Arguments:
        root: The data root; the file lies in it as `FILE`.
        azimuth_sign: 1 where the file's azimuth ascends along its axis; -1 where it runs from +1 to -1, which turns the
            axis around, so that equal labels mean equal poses.

    Raises:
        DataError: Where the file is missing, is no tensor, or has another shape.
        ValueError: Where the sign is neither 1 nor -1.
    """

    def __init__(self, root: Path, azimuth_sign: int = 1) -> None:
        if azimuth_sign not in (1, -1):
            raise ValueError(f"azimuth_sign {azimuth_sign!r} is neither 1 nor -1")
        super().__init__("basel-faces")
        path = Path(root) / FILE
        grid = self._open(path)
        parts = (grid[:, :, :, self.neutral[1]], grid[:, :, self.neutral[0]])
        self._pictures = tuple(_as_uint8(part.flip(1) if azimuth_sign == -1 else part, path) for part in parts)

    def pictures(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return self._pictures

    def _open(self, path: Path) -> torch.Tensor:
        expected = (*self.shape, *self.modalities[0].shape[1:])
        if not path.exists():
            advice = "the Basel face renders are licensed and never downloaded; if you own the file, put it there"
            raise DataError(f"{path} is missing: {advice}")
        try:
            grid = torch.load(path, weights_only=True, mmap=True)
        except (RuntimeError, pickle.UnpicklingError, ValueError, EOFError, OSError) as error:
            reason = str(error).strip().splitlines()[0]
            raise DataError(f"{path}: not a tensor saved by torch.save ({reason[:120]})") from error
        if not isinstance(grid, torch.Tensor):
            raise DataError(f"{path}: expected a tensor of shape {expected}, found a {type(grid).__name__}")
        if tuple(grid.shape) != expected:
            raise DataError(f"{path}: expected a tensor of shape {expected}, found shape {tuple(grid.shape)}")
        return grid


def _as_uint8(part: torch.Tensor, path: Path) -> NDArray[np.uint8]:
    """Pixels rounded to whole numbers, after making sure that they are 0 to 255."""
    low, high = part.min().item(), part.max().item()
    if not (0 <= low and 1 < high <= 255):  # false for NaN too
        raise DataError(f"{path}: expected pixels from 0 to 255, found values from {low:g} to {high:g}")
    return (part if part.dtype == torch.uint8 else part.round().to(torch.uint8)).contiguous().numpy()
