"""Who trains a run, and whose turn it is on a device: locks that the system releases however a process ends.

The process that trains a run, or waits to, holds the lock of the file ``lock`` in the run's folder, and says in it what
it does. A lock that nobody holds but that still says something was left by a process that was killed. On each device
one waiting run trains at a time, in the order of asking; no further process keeps the queue.
"""

from __future__ import annotations

__all__ = ["Busy", "ahead", "ask_to_stop", "held", "holder", "left_behind", "lock", "note", "occupied", "stop_asked", "turn", "withdraw_stop"]

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

LOCK, STOP = "lock", "stop"
WINDOWS = os.name == "nt"
PATIENCE = 3.0  # seconds: `holder` takes a lock for a moment to see whether it is free
POLL = 0.5  # seconds
GLANCE = 0.05  # seconds within which another's look at a lock is over
SILENCE = 1.0  # seconds after which a holder that says nothing is taken to go on saying nothing
_BEGAN = time.time()
_own: dict[Path, IO[str]] = {}


class Busy(BlockingIOError):
    """A run that another process trains already."""


@contextlib.contextmanager
def held(run: Path, doing: str = "training", device: str = "") -> Iterator[None]:
    """Holds a run while the block runs. Nested in one process, the inner block only says anew what is done, on the same device where it names none.

    Arguments:
        doing: ``"waiting"``, ``"starting"`` or ``"training"``.
        device: On which.

    Raises:
        Busy: Where another process holds the run.
    """
    key = run.resolve()
    if key in _own:
        note(_own[key], doing, device or _read(run).get("device", ""))
        yield
        return
    file = open(run / LOCK, "a+", encoding="utf-8")
    deadline = time.monotonic() + PATIENCE
    while not lock(file):
        if time.monotonic() > deadline:
            file.close()
            raise Busy(f"{run} is being trained by process {_read(run).get('pid', '?')} already")
        time.sleep(0.05)
    with file:
        if (run / STOP).exists() and (run / STOP).stat().st_mtime < _BEGAN:
            (run / STOP).unlink(missing_ok=True)  # meant for a process that was killed before it could obey
        _own[key] = file
        note(file, doing, device)
        try:
            yield
        finally:
            del _own[key]
            (run / STOP).unlink(missing_ok=True)
            file.truncate(0)


def holder(run: Path) -> dict | None:
    """What the living process that holds a run says: ``{"pid", "doing", "device", "since"}``; None where there is none."""
    try:
        file = open(run / LOCK, "r+", encoding="utf-8")
    except OSError:
        return None
    deadline = time.monotonic() + SILENCE
    with file:
        while not _free(file):
            said = _read(run)
            if said or time.monotonic() > deadline:
                return said
            time.sleep(0.005)  # it says anew what it does, or is about to let go
    return None


def left_behind(run: Path) -> dict:
    """What the run's lock says though nobody holds it; empty where the last process ended in order."""
    return _read(run)


def note(target: IO[str] | Path, doing: str, device: str = "") -> None:
    """Says in a run's lock what is done with it; a path writes on behalf of a process that is about to start."""
    text = json.dumps(
        {"pid": os.getpid() if not isinstance(target, Path) else None, "doing": doing, "device": device, "since": time.time()}
    )
    if isinstance(target, Path):
        (target / LOCK).write_text(text, encoding="utf-8")
    else:
        target.truncate(0)
        target.write(text)
        target.flush()


def ask_to_stop(run: Path) -> None:
    """Has the process that holds the run save a snapshot and end, wherever it was started."""
    (run / STOP).touch()


def withdraw_stop(run: Path) -> None:
    """Forgets that the run was asked to stop."""
    (run / STOP).unlink(missing_ok=True)


def stop_asked(run: Path) -> bool:
    """Whether the run was asked to stop and has not done so yet."""
    return (run / STOP).exists()


@contextlib.contextmanager
def turn(run: Path, device: str, stopped: Callable[[], bool] = lambda: False) -> Iterator[bool]:
    """Waits until no run that asked earlier waits or trains on this device, and keeps the device while the block runs.

    Arguments:
        run: A folder beside the other runs.
        device: ``"cpu"`` or ``"cuda"``.
        stopped: Asked while waiting, beside `stop_asked`; True gives the place up.

    Yields:
        True once it is this run's turn, False where it was stopped before.

    Raises:
        Busy: Where another process holds the run.
    """
    with held(run, "waiting", device), open(run.parent / f".{device}.lock", "a", encoding="utf-8") as file:
        since = _read(run).get("since", 0.0)
        while not (stop_asked(run) or stopped()):
            if not _earlier(run, device, since) and lock(file):
                with held(run, "starting", device):
                    yield True
                return
            time.sleep(POLL)
        yield False


def occupied(folder: Path, device: str) -> bool:
    """Whether some run in this folder of runs has its turn on the device now."""
    try:
        file = open(folder / f".{device}.lock", "r+", encoding="utf-8")
    except OSError:
        return False
    with file:
        return not _free(file)


def ahead(run: Path) -> list[str]:
    """The names of the runs that a waiting one waits for: the one that has the device first, then those that asked before it."""
    own = _read(run)
    found = []
    for lock in run.parent.glob(f"*/{LOCK}"):
        said = _read(lock.parent)
        waits, since = said.get("doing") == "waiting", said.get("since", 0.0)
        if lock.parent.name != run.name and said.get("device") == own.get("device") and (not waits or since < own.get("since", 0.0)) and holder(lock.parent):
            found.append((waits, since, lock.parent.name))
    return [name for _, _, name in sorted(found)]


def _earlier(run: Path, device: str, since: float) -> bool:
    """Whether another run that asked before this one waits for the device still."""
    for lock in run.parent.glob(f"*/{LOCK}"):
        said = _read(lock.parent)
        if (
            said.get("doing") == "waiting"
            and said.get("device") == device
            and lock.parent.name != run.name
            and (said.get("since", 0.0), lock.parent.name) < (since, run.name)
            and holder(lock.parent)
        ):
            return True
    return False


def _read(run: Path) -> dict:
    try:
        said = json.loads((run / LOCK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _free(file: IO[str]) -> bool:
    """Whether nobody holds the lock of an open file; others may look at the same moment."""
    if not WINDOWS:
        return lock(file, shared=True)
    deadline = time.monotonic() + GLANCE  # no two can share a lock there: one that is taken may be another's look
    while not lock(file):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def lock(file: IO[str], shared: bool = False) -> bool:
    """Takes the lock of an open file where it is free; closing the file, or the end of the process, gives it back.

    Arguments:
        shared: Whether others may have it at the same time, if they share it too; on Windows never.
    """
    try:
        if WINDOWS:
            file.seek(1 << 30)  # a byte beyond the content, which others go on reading
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
