"""Arrays out of .npz files that may be anyone's: nothing is unpickled, and what is wrong is said in one line."""

from __future__ import annotations

__all__ = ["read_arrays", "whole_arrays", "write_arrays"]

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..files import opened_atomically
from .base import DataError


# what numpy and zipfile raise for damage, encryption, and a lone .npy (an array, which is no archive: the last two)
MALFORMED = (
    zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, RuntimeError, MemoryError, AttributeError, TypeError
)


def read_arrays(path: Path, expected: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of an .npz file; all of them where none are named.

    Raises:
        DataError: Where the file is missing, cut short, holds Python objects, or lacks an expected array.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in expected if name not in archive]
            if missing:
                raise DataError(f"{path}: no array {', '.join(missing)} in it; found {', '.join(archive) or 'nothing'}, "
                                f"expected {', '.join(expected)}")
            arrays = {name: archive[name] for name in (expected or archive.files)}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except MALFORMED as error:
        raise DataError(f"{path}: not a whole .npz file of plain arrays ({_reason(path, error)}); "
                        "write it again with numpy.savez") from None
    strangers = [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]  # such as pictures in a zip
    if strangers:
        raise DataError(f"{path}: {strangers[0]} in it is no array; write the arrays with numpy.savez, or unpack the pictures into folders")
    return arrays


def whole_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of an .npz file that can be made again: None where it is missing or damaged."""
    try:
        return read_arrays(path)
    except DataError:
        return None


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write an .npz file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with opened_atomically(path) as file:  # an open file, because savez appends .npz to names
        np.savez(file, **arrays)


def _reason(path: Path, error: Exception) -> str:
    if path.is_file() and not zipfile.is_zipfile(path):
        return "it is no zip archive, or was cut short"
    if "pickle" in str(error):
        return "it holds Python objects, which are never loaded"
    return (str(error).splitlines() or [type(error).__name__])[0]
