"""Finding a pair by its factors, among the items of a data set or the few that a checkpoint carries."""

from __future__ import annotations

__all__ = ["Pairs", "beside", "item_number", "opening_pair", "pairs_of", "split_of", "stored_posterior"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmvae import DATASETS
from mmvae.checkpoints import Checkpoint, CheckpointError
from mmvae.data import SPLITS, DataError, Factor, PairedDataset
from mmvae.data.faces import FaceGrid
from mmvae.gaussian import Belief, DiagonalGaussian, DiagonalLaplace
from mmvae.model import CannotInfer
from mmvae.readers import Readers, readers_for

from .models import Recent

#: Test items that are looked through, and how many are read at a time: labels come with their pictures.
MOST, CHUNK = 1500, 250
#: The probability from which on a reader takes a picture for what it is.
SURE = 0.9
#: Items of all splits that are looked through where the test items lack a combination of factors.
WHOLE = 20_000


@dataclass(frozen=True)
class Pairs:
    """Items with the labels they are found by.

    Arguments:
        ids: int64 [N].
        labels: {factor: [N]}, as `mmvae.data.PairedDataset.items` gives them.
        factors: What the labels mean.
    """

    ids: NDArray[np.int64]
    labels: Mapping[str, NDArray]
    factors: tuple[Factor, ...]

    def choices(self, factor: Factor, current: float | None = None) -> list[float]:
        """The values to choose from, ascending, one for each text, which is the current value's where it is of it.

        A browser answers with the text: the first of two alike would pass for a choice that nobody made.
        """
        told = {factor.format(value): value for value in (*self.values(factor), *([] if current is None else [current]))}
        return sorted(told.values())

    def position(self, item: int) -> int | None:
        """Where an item stands among these, or None."""
        found = np.flatnonzero(self.ids == item)
        return int(found[0]) if len(found) else None

    def known(self, items: Sequence[int]) -> tuple[int, ...]:
        """Those of some items that are among these."""
        return tuple(item for item in items if self.position(item) is not None)

    def values(self, factor: Factor) -> list[float]:
        """The labels of a factor that occur, ascending."""
        return np.unique(self.labels[factor.name]).tolist()

    def plainest(self) -> int:
        """The item to begin with, where most is to be seen: ordered factors nearest to neutral, those without to the middle of their range."""
        off = np.zeros(len(self.ids))
        for factor in self.factors:
            if factor.kind == "ordered":
                low, high = min(factor.values), max(factor.values)
                off += np.abs(self.labels[factor.name] - ((low + high) / 2 if factor.neutral is None else factor.neutral)) / (high - low)
        return int(self.ids[off.argmin()])

    def nearest(self, wanted: Mapping[str, float], first: str) -> int:
        """The item whose labels are nearest to what is wanted; `first` matters more than all others together.

        A categorical factor is right or wrong; an ordered one is as wrong as it is far, in units of its range.
        """
        distance = np.zeros(len(self.ids))
        for factor in self.factors:
            labels = self.labels[factor.name].astype(float)
            if factor.kind == "categorical":
                off = (labels != wanted[factor.name]).astype(float)
            else:
                off = np.abs(labels - wanted[factor.name]) / (max(factor.values) - min(factor.values))
            distance += off * (10 * len(self.factors) if factor.name == first else 1)
        return int(self.ids[distance.argmin()])

    def exactly(self, wanted: Mapping[str, float]) -> int | None:
        """The first item with these labels, or None."""
        alike = np.ones(len(self.ids), bool)
        for factor in self.factors:
            alike &= self.labels[factor.name] == wanted[factor.name]
        return int(self.ids[alike.argmax()]) if alike.any() else None

    def onwards(self, wanted: Mapping[str, float], moved: str, before: float) -> int | None:
        """The item to go to where one factor was moved and no item has just these labels; None where none lies that way.

        Another categorical factor never changes for an ordered one, nor for a categorical one where that can be had.

        Arguments:
            moved: The factor that was moved, to its label in `wanted`.
            before: Its label until then: an ordered factor goes on to the next that there is in its direction.
        """
        distance, others = np.zeros(len(self.ids)), np.zeros(len(self.ids))
        there = np.zeros(len(self.ids), bool)
        for factor in self.factors:
            labels = self.labels[factor.name].astype(float)
            if factor.kind == "categorical":
                off = labels != wanted[factor.name]
                others += off & (factor.name != moved)
                there |= ~off & (factor.name == moved)
            else:
                span = max(factor.values) - min(factor.values)
                far = np.abs(labels - wanted[factor.name]) / span
                distance += far * (10 * len(self.factors) if factor.name == moved else 1)
                there |= ((labels - before) * (wanted[factor.name] - before) > 0) & (factor.name == moved)
        if next(factor.kind for factor in self.factors if factor.name == moved) == "ordered":
            there &= others == 0
        if not there.any():
            return None
        return int(self.ids[np.where(there, others * 100 * len(self.factors) + distance, np.inf).argmin()])


def beside(data: PairedDataset | None, pairs: Pairs, wanted: Mapping[str, float], moved: str, before: float) -> int | None:
    """The pair where one factor alone was moved, of any split of the data set; else what `Pairs.onwards` says.

    The pairs of the list come first, and most moves need no others. What there is of all splits is looked through only
    where a combination is not among them: a set that knows nothing but its digits never needs that.
    """
    exact = pairs.exactly(wanted)
    if exact is not None or data is None:
        return exact if exact is not None else pairs.onwards(wanted, moved, before)
    everything = _whole(data)
    exact = everything.exactly(wanted)
    return exact if exact is not None else everything.onwards(wanted, moved, before)


def split_of(data: PairedDataset, item: int) -> str | None:
    """Which split a pair is of; None where the set pairs its images anew and does not list this pair."""
    return next((name for name in SPLITS if (data.split(name) == item).any()), None)


def item_number(text: str) -> int:
    """The number of an item in a link.

    Raises:
        ValueError: Where it is none; one line.
    """
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"item {text[:60]!r} is no whole number")
    if len(text) > 19 or int(text) >= 2**63:  # ids are int64; Python refuses to read thousands of digits
        raise ValueError(f"item {text[:60]} is larger than any item's number")
    return int(text)


def opening_pair(opened: Checkpoint, data: PairedDataset | None, pairs: Pairs) -> int:
    """The pair to begin with: plain to see by its ordered factors; where there are none, the one that the model draws best.

    Of classes alone, one pair is as plain as another, but a model draws some of them as another class: of the checkpoint's
    reference pairs whose pictures, as decoded, the data set's readers take for what they are, it is the one with the
    smallest squared error in units of the picture's own variance: a faint picture is near to any other.
    """
    reference = opened.statistics.get("reference", {}).get("ids", [])
    if data is None or not reference or not pairs.factors or any(factor.kind == "ordered" for factor in pairs.factors):
        return pairs.plainest()
    try:
        images, labels = data.items(reference)
    except DataError:  # of another part of the images, such as all photographs where the model had some
        return pairs.plainest()
    with torch.inference_mode():
        drawn = opened.model.decode({name: belief.mean for name, belief in opened.model.posterior(images).items()})
    error = sum((drawn[name] - images[name]).square().flatten(1).mean(1) / images[name].flatten(1).var(1).clamp_min(1e-6) for name in opened.model.names)
    readers = _readers(opened.model.dataset)
    readings = [(name, reading) for seen in readers.read(drawn).values() for name, reading in seen.items()] if readers else []
    doubts = sum((reading.probabilities[range(len(reference)), labels[name]] < SURE for name, reading in readings), torch.zeros(len(reference)))
    return reference[int(torch.where(doubts == doubts.min(), error, torch.inf).argmin())]


def _readers(dataset: str | None) -> Readers | None:
    try:
        return readers_for(dataset) if dataset else None
    except CheckpointError:  # whoever reads for more than a first pair tells of it
        return None


def pairs_of(opened: Checkpoint, data: PairedDataset | None) -> Pairs:
    """Test items of a data set, the same in every session, or where it is not at hand the reference items that the checkpoint carries."""
    if data is not None:
        return _indexed(data)
    reference = opened.statistics.get("reference", {"ids": [], "labels": {}})
    row = DATASETS.get(opened.model.dataset)
    factors = tuple(f for f in (row.factors if row else ()) if f.name in reference["labels"])
    return Pairs(np.array(reference["ids"], np.int64), {name: np.array(values) for name, values in reference["labels"].items()}, factors)


def stored_posterior(opened: Checkpoint, item: int | None, observed: Sequence[str]) -> Mapping[str, Belief]:
    """The posterior that a checkpoint carries for one of its reference items, given these modalities' images.

    Raises:
        CannotInfer: Where it carries none given these modalities.
    """
    reference = opened.statistics.get("reference", {})
    codes = reference.get("codes", {}).get("+".join(name for name in opened.model.names if name in observed))
    if codes is None or item not in reference["ids"]:
        # the variant's own words where it cannot, ours where only the data is missing
        opened.model.posterior({m.name: torch.zeros(1, *m.shape) for m in opened.model.modalities if m.name in observed})
        raise CannotInfer(f"{opened.name} carries no code of item {item}, and the data set is not on this machine")
    at = reference["ids"].index(item)
    laplace = opened.model.variant.family == "laplace"
    posterior: dict[str, Belief] = {}
    for name, code in codes.items():
        mean, spread = torch.tensor([code["mean"][at]]), torch.tensor([code["stddev"][at]]).clamp_min(1e-4).log()
        posterior[name] = DiagonalLaplace(mean, spread - log(sqrt(2))) if laplace else DiagonalGaussian(mean, 2 * spread)
    return posterior


def _index(data: PairedDataset) -> Pairs:
    ids = data.split("test")
    return _labelled(data, ids[np.sort(np.random.default_rng(0).permutation(len(ids))[:MOST])])


def _labelled(data: PairedDataset, ids: Tensor) -> Pairs:
    chunks = [data.items(chunk)[1] for chunk in ids.split(CHUNK)]
    return Pairs(ids.numpy(), {f.name: np.concatenate([chunk[f.name].numpy() for chunk in chunks]) for f in data.factors}, data.factors)


def _everything(data: PairedDataset) -> Pairs:
    """Test, validation and training pairs in this order: the full grid of faces, of other sets the first `WHOLE`."""
    ids = torch.cat([data.split(name) for name in reversed(SPLITS)])
    if not isinstance(data, FaceGrid):
        return _labelled(data, ids[:WHOLE])
    steps = np.unravel_index(ids.numpy(), data.shape)  # the id alone says it: no picture is read
    grids = [np.arange(data.shape[0]), *(np.array(factor.values, np.float32) for factor in data.factors[1:])]
    return Pairs(ids.numpy(), {f.name: grid[step] for f, grid, step in zip(data.factors, grids, steps, strict=True)}, data.factors)


_indexed = Recent(4, _index)
_whole = Recent(2, _everything)
