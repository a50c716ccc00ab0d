"""What every data set of pairs offers: modalities, named factors, stable item ids, splits without leakage."""

from __future__ import annotations

__all__ = ["SPLITS", "DataError", "Factor", "PairedDataset"]

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..modalities import Modality

if TYPE_CHECKING:  # rows of data sets are read long before a tensor is needed
    import numpy as np
    from torch import Tensor

SPLITS = ("train", "validation", "test")


class DataError(Exception):
    """Data that cannot be used: one line that names the file, what is wrong and what is expected."""


@dataclass(frozen=True)
class Factor:
    """A named cause of variation whose value is known for every item.

    Arguments:
        name: Such as ``"azimuth"`` or ``"digit"``.
        kind: ``"ordered"`` (labels are values in `unit`) or ``"categorical"`` (labels are indices into `values`).
        values: Every value on the grid, ascending for ordered factors; names for categorical ones.
        unit: Such as ``"°"``; empty where there is none.
        owner: The modality the factor is private to; None where both modalities show it.
        neutral: The value that the modality not owning the factor always shows, where there is one.
    """

    name: str
    kind: str
    values: tuple[float | str, ...]
    unit: str = ""
    owner: str | None = None
    neutral: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("ordered", "categorical"):
            raise ValueError(f"factor {self.name!r}: kind {self.kind!r} is neither 'ordered' nor 'categorical'")

    def format(self, label: float) -> str:
        """A label as a person reads it: ``"+27°"``, ``"−9°"`` with a minus and no hyphen, ``"0°"``, ``"7"``."""
        if self.kind == "categorical":
            return str(self.values[int(label)])
        if self.unit == "°":
            number = f"{label:+.0f}"
            return ("0" if float(number) == 0 else number.replace("-", "−")) + self.unit
        return f"{label + 0.0:.3g}".replace("-", "−") + f" {self.unit}".rstrip()


class PairedDataset(ABC):
    """Pairs of images of one abstract thing, with the factors that made them.

    An item is a pair; its id is the same in every session and on every machine, so that a link to "item 8123"
    stays true. Ids need not be contiguous: where any two images may be paired, the id encodes both.
    """

    name: str
    title: str
    modalities: tuple[Modality, ...]
    factors: tuple[Factor, ...]
    #: What a person calls the items, by id; empty where ids are all that tells them apart.
    names: tuple[str, ...] = ()

    @abstractmethod
    def split(self, name: str) -> Tensor:
        """The item ids of ``"train"``, ``"validation"`` or ``"test"``, int64 [N]; no image is in two splits.

        Raises:
            ValueError: Where the split has another name.
        """

    @abstractmethod
    def items(self, ids: Tensor | Sequence[int]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The pairs of these ids, in their order.

        Returns:
            Images, {modality: float32 [N, C, H, W] in [0, 1]}, and labels, {factor: [N]}: float32 values in the
            factor's unit where it is ordered, int64 indices into its values where it is categorical.

        Raises:
            DataError: Where an id is none of this data set's.
        """

    def draw(self, split: str, n: int, rng: np.random.Generator) -> Tensor:
        """Ids of n random training pairs, int64 [n]; sets that re-pair their images draw from all possible pairs.

        The result depends on nothing but the generator's state, so that a resumed run sees the same batches.
        """
        ids = self.split(split)
        return ids[rng.integers(len(ids), size=n)]

    def augment(self, images: dict[str, Tensor], rng: np.random.Generator) -> dict[str, Tensor]:
        """Label-preserving variations of training images; a set without any returns them unchanged."""
        return images

    def with_private_of(self, ids: Tensor, donors: Tensor) -> Tensor | None:
        """Ids of the pairs that show what both pictures share of `ids` and what either has for itself of `donors`.

        Returns:
            int64 [N] for int64 [N] and [N]; None where the set does not hold every such combination.
        """
        return None

    def factor(self, name: str) -> Factor:
        """The factor of this name; a KeyError names those there are."""
        for factor in self.factors:
            if factor.name == name:
                return factor
        raise KeyError(f"{self.name} has no factor {name!r}; it has {', '.join(f.name for f in self.factors)}")
