"""Files that are there whole or not at all: who reads one finds the old content or the new, never half of either."""

from __future__ import annotations

__all__ = ["is_device", "mark_used", "opened_atomically", "remove_folder", "write_atomically"]

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from uuid import uuid4

from safetensors import SafetensorError

WINDOWS = os.name == "nt"
#: On Windows a file that someone reads cannot be replaced: how long it is tried again, and the pause between, in seconds.
PATIENCE, PAUSE = 5.0, 0.05


#: What Windows makes no folder of, whatever ending follows.
DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{i}" for port in ("COM", "LPT") for i in range(1, 10))}


def is_device(name: str) -> bool:
    """Whether a folder of this name could not be carried to Windows, which takes it for a device."""
    return name.partition(".")[0].upper() in DEVICES


def write_atomically(file: Path, write: Callable[[str], object]) -> None:
    """Calls `write` with the name of an empty temporary file beside `file`, then moves it into place.

    Raises:
        OSError: Where it cannot be written; what `file` held is still there.
    """
    with _beside(Path(file)) as temporary:
        write(temporary)


@contextmanager
def opened_atomically(file: Path, mode: str = "wb", **options: str) -> Iterator[IO]:
    """An open file whose content is `file`'s once the block ends; where it ends by an error, `file` stays as it was.

    Arguments:
        mode, options: As of `open`.

    Raises:
        OSError: Where it cannot be written.
    """
    with _beside(Path(file)) as temporary, open(temporary, mode, **options) as stream:
        yield stream


def remove_folder(folder: Path) -> None:
    """Removes a folder with all its files, out of sight at once; of a link to one the link alone: what it leads to lies elsewhere for a reason."""
    if folder.is_symlink():
        return folder.unlink()
    doomed = folder.parent / f".deleted-{uuid4().hex}"
    folder.rename(doomed)
    shutil.rmtree(doomed)


def mark_used(file: Path) -> None:
    """Sets the time of a kept file to now: those used longest ago are the first to go."""
    with suppress(OSError):  # it went meanwhile, or its folder is only for reading
        os.utime(file)


@contextmanager
def _beside(file: Path) -> Iterator[str]:
    """The name of an empty file in the same folder, which takes the place of `file` at the end, or goes where there was an error."""
    temporary = file.parent / f".{file.name}.{uuid4().hex[:12]}"
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # less what the umask withholds
    mode = temporary.stat().st_mode & 0o777
    try:
        try:
            yield str(temporary)
        except SafetensorError as error:  # of a full disk, too, safetensors tells in an error of its own
            raise OSError(f"{file} could not be written: {error}") from None
        temporary.chmod(mode)  # a library that replaces the file rather than writing into it leaves one that only its owner reads
        _to_disk(temporary)
        _replace(temporary, file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _to_disk(file: Path) -> None:
    """Without this, a machine that loses power may be left with the new name and none of the content."""
    handle = os.open(file, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _replace(temporary: Path, file: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return os.replace(temporary, file)
        except PermissionError:
            if not WINDOWS or time.monotonic() >= until:
                raise
        time.sleep(PAUSE)
