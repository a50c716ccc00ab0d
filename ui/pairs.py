"""Finding a pair by its factors, among the test items of a data set or the few that a checkpoint carries."""

from __future__ import annotations

__all__ = ["Pairs", "pairs_of", "stored_posterior"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt

import numpy as np
import torch
from numpy.typing import NDArray

from mmvae import DATASETS
from mmvae.checkpoints import Checkpoint
from mmvae.data import Factor, PairedDataset
from mmvae.gaussian import Belief, DiagonalGaussian, DiagonalLaplace
from mmvae.model import CannotInfer

from .models import Recent

#: Test items that are looked through, and how many are read at a time: labels come with their pictures.
MOST, CHUNK = 1500, 250


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
    ids = ids[np.sort(np.random.default_rng(0).permutation(len(ids))[:MOST])]
    chunks = [data.items(chunk)[1] for chunk in ids.split(CHUNK)]
    return Pairs(ids.numpy(), {f.name: np.concatenate([chunk[f.name].numpy() for chunk in chunks]) for f in data.factors}, data.factors)


_indexed = Recent(4, _index)
