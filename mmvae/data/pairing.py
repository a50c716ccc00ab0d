"""Pairing images by a factor they share: ids that name both images, splits without leakage, fresh pairs for training."""

from __future__ import annotations

__all__ = ["ImagesByDigit", "Pairing", "RePairedDigits", "grouped_split"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .augment import jitter_colour, warp
from .base import SPLITS, DataError, PairedDataset
from .ids import ids_given

if TYPE_CHECKING:
    from . import DatasetRow


@dataclass(frozen=True)
class ImagesByDigit:
    """The images of one modality, kept as bytes.

    Arguments:
        images: uint8 [N, C, H, W].
        labels: The digit of each, int64 [N].
        splits: The split of each as an index into `SPLITS`, int64 [N].
    """

    images: Tensor
    labels: np.ndarray
    splits: np.ndarray


class Pairing:
    """All pairs of a first and a second image with the same label.

    The id of a pair is ``first * N_second + second``, so that every pair can be named, today and tomorrow.

    Arguments:
        first, second: Labels (from 0 up) of the images of either modality, int64 [N_first] and [N_second].
        first_splits, second_splits: The split of each image as an index into `SPLITS`. Pairs never cross splits.
        seed: Of the fixed pairs that `split` lists.

    Raises:
        ValueError: Where a label has images of the first modality in a split but none of the second to pair them with.
    """

    def __init__(
        self, first: np.ndarray, second: np.ndarray, first_splits: np.ndarray, second_splits: np.ndarray, seed: int = 0
    ) -> None:
        self.first, self.second = first, second
        self._members = {
            name: (np.flatnonzero(first_splits == s), np.flatnonzero(second_splits == s)) for s, name in enumerate(SPLITS)
        }
        self._by_label = {name: self._sort(name) for name in SPLITS}
        self._fixed = {name: self._fixed_pairs(name, seed + s) for s, name in enumerate(SPLITS)}

    def _sort(self, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The split's second images ordered by label, with each label's first position and count."""
        first, second = self._members[split]
        labels = 1 + max(self.first.max(), self.second.max())
        counts = np.bincount(self.second[second], minlength=labels)
        lonely = np.setdiff1d(self.first[first], self.second[second])
        if len(lonely):
            raise ValueError(f"split {split!r}: no second image with label {lonely[0]} to pair with")
        return second[np.argsort(self.second[second], kind="stable")], np.cumsum(counts) - counts, counts

    def _fixed_pairs(self, split: str, seed: int) -> Tensor:
        """Each first image once; the second images of its label in a shuffled order, over and over."""
        first, _ = self._members[split]
        ordered, starts, counts = self._by_label[split]
        shuffle = np.random.RandomState(seed)  # unlike Generator's, its streams are promised never to change
        second = np.empty_like(first)
        for label in np.unique(self.first[first]):
            here = np.flatnonzero(self.first[first] == label)
            candidates = shuffle.permutation(ordered[starts[label] : starts[label] + counts[label]])
            second[here] = np.resize(candidates, len(here))
        return self.ids(first, second)

    def ids(self, first: np.ndarray, second: np.ndarray) -> Tensor:
        """The ids of these pairs of image indices, int64 [N]."""
        return torch.from_numpy(np.asarray(first, np.int64) * len(self.second) + np.asarray(second, np.int64))

    def indices(self, ids: Tensor | Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """The image indices that these ids name, int64 [N] each.

        Raises:
            DataError: Where an id names no image, or two images whose labels differ.
        """
        ids = ids_given(ids)
        outside = ids[(ids < 0) | (ids >= len(self.first) * len(self.second))]
        if len(outside):
            raise DataError(f"item {outside[0]}: no such pair; ids run from 0 to {len(self.first) * len(self.second) - 1}")
        first, second = np.divmod(ids, len(self.second))
        unlike = np.flatnonzero(self.first[first] != self.second[second])
        if len(unlike):
            i = unlike[0]
            like = first[i] * len(self.second) + int(np.flatnonzero(self.second == self.first[first[i]])[0])
            raise DataError(f"item {ids[i]}: its images show {self.first[first[i]]} and {self.second[second[i]]}; "
                            f"a pair shows one digit twice, as item {like} does")
        return first, second

    def split(self, name: str) -> Tensor:
        """The fixed pairs of a split: each of its first images once."""
        if name not in self._fixed:
            raise ValueError(f"split {name!r} is none of {', '.join(SPLITS)}")
        return self._fixed[name]

    def draw(self, split: str, n: int, rng: np.random.Generator) -> Tensor:
        """Random pairs of a split: any of its first images, with any second image of the same label."""
        if split not in self._members:
            raise ValueError(f"split {split!r} is none of {', '.join(SPLITS)}")
        first = self._members[split][0]
        ordered, starts, counts = self._by_label[split]
        first = first[rng.integers(len(first), size=n)]
        label = self.first[first]
        return self.ids(first, ordered[starts[label] + (rng.random(n) * counts[label]).astype(np.int64)])


class RePairedDigits(PairedDataset):
    """Two sets of digit images in memory, paired by digit; the base of the real set and of its stand-in.

    Arguments:
        row: The data set's row, whose name, title, modalities and factors it takes.
        first, second: The images of either modality.
    """

    #: Pixels by which `augment` bends handwriting, as a standard deviation.
    bend = 0.0

    def __init__(self, row: DatasetRow, first: ImagesByDigit, second: ImagesByDigit) -> None:
        self.name, self.title, self.modalities, self.factors = row.name, row.title, row.modalities, row.factors
        self.images = {modality.name: part.images for modality, part in zip(self.modalities, (first, second))}
        self.pairing = Pairing(first.labels, second.labels, first.splits, second.splits)

    def split(self, name: str) -> Tensor:
        return self.pairing.split(name)

    def items(self, ids: Tensor | Sequence[int]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        indices = self.pairing.indices(ids)
        images = {
            name: stored[torch.from_numpy(index)].float().div_(255)
            for (name, stored), index in zip(self.images.items(), indices)
        }
        return images, {"digit": torch.from_numpy(self.pairing.first[indices[0]])}

    def draw(self, split: str, n: int, rng: np.random.Generator) -> Tensor:
        return self.pairing.draw(split, n, rng)

    def augment(self, images: dict[str, Tensor], rng: np.random.Generator) -> dict[str, Tensor]:
        """Small rotations, scalings, shifts and shears of both; other light and colours for the house numbers."""
        handwriting, photo = (modality.name for modality in self.modalities)
        return {
            handwriting: warp(images[handwriting], rng, shift=1.5, bend=self.bend),
            photo: jitter_colour(warp(images[photo], rng, padding="border"), rng),
        }


def grouped_split(labels: np.ndarray, groups: np.ndarray, validation: float, test: float, seed: int) -> np.ndarray:
    """A split for every item such that no group is divided and every label has about its share of each split.

    Groups are dealt out in random order, each to the split that most lacks its labels.

    Arguments:
        labels: int64 [N], from 0 up.
        groups: What must stay together, such as the photo an image was cut from, int [N].
        validation, test: The fractions of these splits; the rest is for training.

    Returns:
        Indices into `SPLITS`, int64 [N].
    """
    _, group = np.unique(groups, return_inverse=True)
    held = np.zeros((group.max() + 1, labels.max() + 1))
    np.add.at(held, (group, labels), 1)
    wanted = np.outer([1 - validation - test, validation, test], held.sum(axis=0))
    missing, chosen = np.ones_like(wanted), np.empty(len(held), np.int64)  # share of the wanted that is not yet there
    for g in np.random.RandomState(seed).permutation(len(held)):
        chosen[g] = np.argmax(missing @ held[g])
        missing[chosen[g]] -= held[g] / np.maximum(wanted[chosen[g]], 1e-9)
    return chosen[group]
