"""Files from the network: continued where they broke off, checked, and in place only when whole."""

from __future__ import annotations

__all__ = ["fetch"]

import hashlib
import http.client
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from ..turns import lock
from .base import DataError

CHUNK = 1 << 18  # bytes between two reports of progress
TIMEOUT = 30.0  # seconds without an answer or a byte


def fetch(
    urls: Sequence[str], path: Path, *, md5: str, size: int | None = None, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Download a file to `path`, from the first of several places that delivers it.

    Bytes gather in ``<name>.part`` beside it, which a later call continues; only a file with the right checksum is
    moved to `path`. A file already at `path` is left as it is. One call at a time gathers the bytes of a file.

    Arguments:
        urls: Where the same file lies, best first.
        md5: The checksum it must have, in hexadecimal.
        size: Its bytes where known; an answer of another length is refused.
        progress: Called with the bytes done and in total (0 where no one knows).

    Raises:
        DataError: Where no place delivers the file, naming the host and the trouble; where another call is fetching it; where it cannot
            be written.
    """
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            return path if path.is_file() else _fetch_from(urls, path, md5, size, progress)
    except OSError as error:
        raise DataError(f"{path.name} was not downloaded: it could not be written in {path.parent} ({error.strerror or error}); "
                        "run it again once it can be, which continues what is there") from None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keeps others from fetching a file while the block runs."""
    beside = path.with_name(f".{path.name}.lock")
    with open(beside, "a", encoding="utf-8") as file:
        if not lock(file):
            raise DataError(f"{path.name} is being downloaded already, by another page or process; wait until that ends")
        yield
    with suppress(OSError):  # the file is there: whoever still takes this lock finds that; on Windows it stays where someone has it open
        beside.unlink()


def _fetch_from(urls: Sequence[str], path: Path, md5: str, size: int | None, progress: Callable[[int, int], None] | None) -> Path:
    troubles = []
    for url in urls:
        try:
            return _fetch_one(url, path, md5, size, progress)
        except DataError as error:
            troubles.append(str(error))
    raise DataError(f"{path.name} was not downloaded: {'; '.join(troubles)}; check the network and run it again, which continues "
                    f"what is there, or put the file in {path.parent} yourself")


def _fetch_one(url: str, path: Path, md5: str, size: int | None, progress: Callable[[int, int], None] | None) -> Path:
    part, host = path.with_name(path.name + ".part"), urlsplit(url).netloc
    have = part.stat().st_size if part.is_file() else 0
    if size is not None and have > size:
        part.unlink()
        have = 0
    if size is None or have < size:
        try:
            _receive(url, part, have, size, progress)
        except HTTPError as error:
            if error.code == 416:  # the part is no beginning of what lies there
                part.unlink(missing_ok=True)
            raise DataError(f"{host} answered {error.code} {error.reason}") from None
        except (URLError, http.client.HTTPException) as error:
            raise DataError(f"{host} could not be reached or broke off ({getattr(error, 'reason', None) or error})") from None
    digest = hashlib.md5(usedforsecurity=False)
    with part.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    if digest.hexdigest() != md5:
        got = part.stat().st_size
        part.unlink()
        raise DataError(f"{host} sent another file ({got:,} bytes, MD5 {digest.hexdigest()}, expected {md5}), which was deleted")
    os.replace(part, path)
    return path


def _receive(url: str, part: Path, have: int, size: int | None, progress: Callable[[int, int], None] | None) -> None:
    """Append the rest of the file at `url` to `part`, or write it anew where the server sends all of it."""
    request = Request(url, headers={"User-Agent": "mmvae"} | ({"Range": f"bytes={have}-"} if have else {}))
    with _network():
        answer = urlopen(request, timeout=TIMEOUT)
    with answer:
        continued = answer.status == 206
        done = have if continued else 0
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length else size or 0
        if size is not None and total != size:
            raise DataError(f"{urlsplit(url).netloc} offers another file ({total:,} bytes, expected {size:,})")
        with part.open("ab" if continued else "wb") as file:
            while chunk := _read(answer):
                file.write(chunk)
                done += len(chunk)
                if size is not None and done > size:
                    break  # the checksum will say so
                if progress:
                    progress(done, total)
    if total and done < total:  # reading in chunks, http.client takes a broken connection for the end
        raise http.client.HTTPException(f"{done:,} of {total:,} bytes came")


def _read(answer: http.client.HTTPResponse) -> bytes:
    with _network():
        return answer.read(CHUNK)


@contextmanager
def _network() -> Iterator[None]:
    """Makes a URLError of what breaks a connection: of a disk that is full Python tells by the same OSError."""
    try:
        yield
    except (URLError, http.client.HTTPException):
        raise
    except OSError as error:
        raise URLError(error) from None
