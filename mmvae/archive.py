"""A checkpoint or a run as one file: a zip of its folder, packed and unpacked without trust in what a file claims of itself."""

from __future__ import annotations

__all__ = ["LIMITS", "pack", "unpack"]

import io
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable
from itertools import chain, count
from pathlib import Path, PurePosixPath, PureWindowsPath
from uuid import uuid4

from .checkpoints import CARD, CONFIG, STATISTICS, UPLOADS, WEIGHTS, CheckpointError, catalogue, home_folder, open_checkpoint, read_json, write_json
from .data import DATASETS
from .files import is_device
from .history import EVENTS

#: The files of a checkpoint, and the most bytes each may unpack to.
LIMITS = {CONFIG: 1 << 20, STATISTICS: 16 << 20, CARD: 4 << 20, EVENTS: 4 << 20, WEIGHTS: 512 << 20}
#: The most bytes that a file of this path within the folder may unpack to; None for one that does not belong there.
Limits = Callable[[str], int | None]
MEMBERS = 1000  # entries of an archive that are looked at
TOTAL = 2 << 30  # bytes that an archive may unpack to
CHUNK = 1 << 20


def pack(folder: Path, limits: Limits = LIMITS.get) -> bytes:
    """The files of a checkpoint's or a run's folder that make it a checkpoint, as a zip with that folder in it.

    Arguments:
        limits: Says which files are packed, where that is not a checkpoint's own.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:  # weights hardly shrink at any level
        for file in sorted(folder.rglob("*")):
            inside = file.relative_to(folder).as_posix()
            if limits(inside) and file.is_file() and not file.is_symlink():
                archive.write(file, f"{folder.name}/{inside}")
    return buffer.getvalue()


def unpack(content: bytes, name: str, home: Path | None = None, limits: Limits = LIMITS.get, into: str = UPLOADS) -> str:
    """Adds the checkpoint in a zip to the uploads, and returns the name it can be opened by.

    Of the archive only a checkpoint's own files are taken, from its top or from its one folder; nothing appears unless
    the checkpoint can be opened. Where it says that it was trained on a file of its maker's, that path is left out: it is none on this machine.

    Arguments:
        content: The zip's bytes.
        name: What it is called; characters that a name cannot have are replaced, a name that is taken gets a number.
        home: As in `mmvae.checkpoints.catalogue`.
        limits: Says which files are taken, where that is not a checkpoint's own.
        into: The folder in `home` that it is added to.

    Raises:
        CheckpointError: Where it is no zip, holds no checkpoint, or one that cannot be opened, or where nothing can be written here.
    """
    home = home or home_folder()
    incoming = home / into / ".incoming" / uuid4().hex
    try:
        incoming.mkdir(parents=True)
        _extract(content, name, incoming, limits)
        try:
            open_checkpoint(incoming)
            _forget_paths(incoming / CONFIG)
        except CheckpointError as error:
            raise CheckpointError(str(error).replace(str(incoming), name)) from None
        taken = catalogue(home)
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name.removesuffix(".zip")).strip("-_.")[:50].rstrip(".") or "upload"
        stem = f"upload-{stem}" if is_device(stem) else stem
        final = next(
            candidate
            for candidate in chain([stem], (f"{stem}-{i}" for i in count(2)))
            if candidate not in taken and not (home / into / candidate).exists()
        )
        incoming.rename(home / into / final)
        return final
    except OSError as error:
        raise CheckpointError(f"{name} cannot be added: nothing can be written to {home / into} ({error.strerror or error})") from None
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _forget_paths(file: Path) -> None:
    """Leaves of the path of a person's own data its name alone: a stranger does not say what this machine reads."""
    config = read_json(file)
    config.pop("source", None)
    if config["dataset"] is not None and config["dataset"] not in DATASETS:
        config["dataset"] = f"own {PureWindowsPath(config['dataset']).stem}"  # either kind of slash parts its names
    write_json(file, config)


def _extract(content: bytes, name: str, into: Path, limits: Limits) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            left = TOTAL
            for member, file in _members(archive, name, limits).items():
                (into / member).parent.mkdir(exist_ok=True)
                left -= _copy(archive, file, into / member, min(limits(member), left), name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        if getattr(error, "errno", None) is not None:  # of what is written: the zip is read from memory
            raise
        raise CheckpointError(
            f"{name}: not a zip that can be read ({error}); expected the zip of a checkpoint's or a run's folder"
        ) from None


def _members(archive: zipfile.ZipFile, name: str, limits: Limits) -> dict[str, zipfile.ZipInfo]:
    """The checkpoint's files in the archive by name, all from the one folder that holds a configuration."""
    files = archive.infolist()
    if len(files) > MEMBERS:
        raise CheckpointError(f"{name}: {len(files)} entries; expected the zip of one checkpoint's folder")
    folders = {str(PurePosixPath(file.filename).parent) for file in files if PurePosixPath(file.filename).name == CONFIG}
    if len(folders) != 1:
        found = f"{len(folders)} of them" if folders else "none"
        raise CheckpointError(f"{name}: expected one folder with {CONFIG} and {WEIGHTS}, found {found}")
    folder = PurePosixPath(folders.pop())
    inside = {
        str(path.relative_to(folder)): file for file in files if (path := PurePosixPath(file.filename)).is_relative_to(folder)
    }
    wanted = {member: file for member, file in inside.items() if limits(member)}
    for file in wanted.values():
        if file.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise CheckpointError(f"{name}: {file.filename} is compressed in another way than zips usually are; expected none or deflate")
    return wanted


def _copy(archive: zipfile.ZipFile, file: zipfile.ZipInfo, target: Path, limit: int, name: str) -> int:
    """Unpacks one file and returns its bytes, stopping where it grows beyond its limit whatever its header says."""
    size = 0
    with archive.open(file) as source, open(target, "wb") as sink:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            if size > limit:
                raise CheckpointError(f"{name}: {file.filename} unpacks to more than {limit >> 20} MB")
            sink.write(chunk)
    return size
