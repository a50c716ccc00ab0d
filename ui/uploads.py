"""Checkpoints that a person brings: taken in once, and removed again."""

from __future__ import annotations

__all__ = ["remove", "take_in"]

from mmvae.archive import unpack
from mmvae.checkpoints import CONFIG, UPLOADS, CheckpointError, catalogue, digest, read_json
from mmvae.files import remove_folder

from . import models


def take_in(content: bytes, name: str) -> tuple[str, bool]:
    """The name by which the checkpoint in a zip can be opened, and whether it was here before: one that is equal is not kept twice.

    Arguments:
        content, name: As for `mmvae.archive.unpack`.

    Raises:
        CheckpointError: Where it is no zip, holds no checkpoint, or one that cannot be opened.
    """
    taken = unpack(content, name)
    equal = _equal(taken)
    if equal is not None:
        remove_folder(models.path_of(taken))
    return equal or taken, equal is not None


def _equal(name: str) -> str | None:
    """Another model of the same configuration and weights, the first in the catalogue."""
    found = catalogue()
    folder = found.pop(name)
    wanted = read_json(folder / CONFIG)
    for other, there in found.items():
        try:
            if {**read_json(there / CONFIG), "source": None} == {**wanted, "source": None} and digest(there) == digest(folder):  # a path does not travel
                return other
        except (CheckpointError, OSError):  # it is malformed, or was deleted a moment ago
            continue
    return None


def remove(name: str) -> None:
    """Removes an uploaded model with all its files; whatever else lies among the models stays."""
    folder = catalogue().get(name)
    if folder is not None and folder.parent.name == UPLOADS:
        remove_folder(folder)
