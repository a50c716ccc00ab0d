"""What a run trains on, by its name or by the path of a person's own pairs: what the run is called, and where its data lies now."""

from __future__ import annotations

__all__ = ["data_of", "found", "run_name", "shapes"]

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from .checkpoints import source_of
from .data import DATASETS, DataError, PairedDataset, data_root, dataset
from .modalities import Modality
from .runs import free_name

LONGEST = 50  # letters that `free_name` keeps


def run_name(source: str, variant: str, home: Path | None = None) -> str:
    """A free name for a new run: the data set's, or that of a person's own file or folder, and the variant's.

    Example:
        >>> run_name("/data/Shapes_Größe.npz", "mumo")
        'Shapes_Grosse-mumo'
    """
    title = source if source in DATASETS else Path(source).stem
    letters = unicodedata.normalize("NFKD", title.replace("ß", "ss"))
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))  # names have none but plain letters
    return free_name(f"{plain[:LONGEST - 1 - len(variant)]}-{variant}", home)


def data_of(config: Mapping, modalities: Sequence[Modality], root: Path | None = None, at: str | None = None) -> PairedDataset:
    """The data that a model was trained on. A person's own pairs may have been moved since: they are at `at` then, or in the data root.

    Arguments:
        config: The content of the model's ``config.json``.
        modalities: The model's.
        root: The data root, see `mmvae.data.data_root`.
        at: Where a person's own pairs are now; None where they are where they were.

    Raises:
        DataError: Where they are not found, or have other modalities than the model.
    """
    source = source_of(config)
    if at is None:
        at = found(source, root)
    elif at != source and (at in DATASETS or source in DATASETS):
        raise DataError(f"this model was trained on {source}: --dataset says where a person's own pairs are now, {at} cannot be taken instead")
    data = dataset(at, root)
    if shapes(data.modalities) != shapes(modalities):
        raise DataError(f"{at}: pairs of {shapes(data.modalities)}; this model was trained on {shapes(modalities)}")
    return data


def shapes(modalities: Sequence[Modality]) -> str:
    """Modalities as a message names them: ``"left (1×28×28) and right (3×32×32)"``."""
    return " and ".join(f"{m.name} ({'×'.join(map(str, m.shape))})" for m in modalities)


def found(source: str, root: Path | None = None) -> str:
    """Where what a model was trained on is now: its name, its path, or that of a file or folder of that name in the data root.

    Raises:
        DataError: Where it is in neither place, or `source` is empty.
    """
    if source in DATASETS or source and Path(source).exists():
        return source
    if not source:
        raise DataError("this model does not say what it was trained on; say where that is with --dataset PATH")
    moved = data_root(root) / Path(source).name
    if not moved.exists():
        raise DataError(f"this model was trained on {source}, which is not there any more; say where it is now with --dataset PATH")
    return str(moved)
