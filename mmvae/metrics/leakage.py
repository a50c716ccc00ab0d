r"""What each latent block knows of each factor: the one picture of what separating private from shared means."""

from __future__ import annotations

__all__ = ["Leakage", "leakage", "perfect_blocks"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.svm import SVC

from .codes import above_chance, as_codes, as_labels, folds, perfect_code, standard_error, standardised

if TYPE_CHECKING:
    from ..data.base import Factor


@dataclass(frozen=True)
class Leakage:
    """How well each block reads each factor on held-out items.

    Arguments:
        blocks: Names of the rows.
        factors: Names of the columns.
        values: [blocks, factors]; 1 reads perfectly, 0 is a guess. Raw: slightly below 0 where a probe found nothing.
        errors: [blocks, factors], the standard error of each over groups of items.
        measures: For each factor ``"R²"`` or ``"accuracy above chance"``.
        chance: For each factor the accuracy of always naming the commonest class; 0 for R².
    """

    blocks: tuple[str, ...]
    factors: tuple[str, ...]
    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    measures: tuple[str, ...]
    chance: tuple[float, ...]

    @property
    def shown(self) -> NDArray[np.float64]:
        """The values as displayed: none below 0, for a guess is a guess."""
        return np.clip(self.values, 0.0, 1.0)

    def cell(self, block: str, factor: str) -> float:
        """The raw value of one cell."""
        return float(self.values[self.blocks.index(block), self.factors.index(factor)])


def leakage(
    blocks: Mapping[str, ArrayLike],
    labels: Mapping[str, ArrayLike],
    factors: Sequence[Factor],
    groups: Mapping[str, ArrayLike] | None = None,
    seed: int = 0,
) -> Leakage:
    r"""The matrix block × factor of what a probe reads from the block on items it has not seen, each once in five folds.

    .. math:: R^2 = 1 - \frac{\sum (v - \hat v)^2}{\sum (v - \bar v)^2} \quad \text{or} \quad \frac{a - c}{1 - c}

    R² of boosted regression for ordered factors; for categorical ones the accuracy a of a support vector machine with a
    Gaussian kernel, corrected by the share c of the commonest class. These probes read curved and rotated
    codes: nearest neighbours or a linear classifier call a perfect azimuth code half-known, and boosted classification misreads
    fifty identities at the slightest noise. At most 1, which a perfect code scores in the cells where the block owns the factor;
    the other cells are near 0 (within about 0.03 from 4,000 items).

    Arguments:
        blocks: {block: codes [N, D]}.
        labels: {factor: [N]}.
        factors: The columns.
        groups: {block: [N]}, the id of the image that a block's code was read from, where one image occurs in several
            pairs: such items stay in one fold, or the probe recognises the image and calls that knowledge.
        seed: Of the folds and the probes.
    """
    cells, chances = [], {}
    for name, codes in blocks.items():
        codes = as_codes(codes)
        group = (groups or {}).get(name)
        parts = list(folds(len(codes), seed, group))
        row = []
        for factor, column in zip(factors, as_labels(labels, factors, len(codes)), strict=True):
            read = read_values if factor.kind == "ordered" else read_classes
            predicted = np.empty(len(codes), dtype=np.float64 if factor.kind == "ordered" else column.dtype)
            for train, test in parts:
                predicted[test] = read(codes[train], column[train], codes[test], seed)
            if factor.kind == "ordered":
                row.append(explained(predicted, column.astype(np.float64), group))
            else:
                value, chances[factor.name] = above_chance(predicted, column)
                row.append((value, standard_error(predicted == column, group) / (1 - chances[factor.name])))
        cells.append(row)
    values = np.array(cells)
    return Leakage(
        tuple(blocks),
        tuple(factor.name for factor in factors),
        values[..., 0],
        values[..., 1],
        tuple("R²" if factor.kind == "ordered" else "accuracy above chance" for factor in factors),
        tuple(chances.get(factor.name, 0.0) for factor in factors),
    )


def perfect_blocks(
    labels: Mapping[str, ArrayLike],
    factors: Sequence[Factor],
    owners: Mapping[str, str | None],
    dims: Mapping[str, int],
    seed: int = 0,
) -> dict[str, NDArray[np.float64]]:
    """The codes of a model that keeps every factor where it belongs: `leakage` of them is what the matrix can reach.

    A factor goes to the block of the modality that owns it, and to the shared block where both show it or its owner has no
    block; what a block has left holds noise.

    Arguments:
        labels: {factor: [N]}.
        factors: The factors.
        owners: {block: the modality it is private to, or None}.
        dims: {block: its dimension}.
        seed: Of the classes' points and the noise.

    Raises:
        ValueError: Where a factor has no block to go to, or a block has fewer dimensions than factors.
    """
    home = {}
    for factor in factors:
        for owner in (factor.owner, None):
            if owner in owners.values():
                home[factor.name] = next(block for block, of in owners.items() if of == owner)
                break
        else:
            raise ValueError(f"factor {factor.name!r} has no block: none is shared and none is private to {factor.owner!r}")
    count = len(np.asarray(next(iter(labels.values()))))
    codes = {}
    for number, (block, size) in enumerate(dims.items()):
        own = [factor for factor in factors if home[factor.name] == block]
        rng = np.random.default_rng((seed, number))
        codes[block] = perfect_code(labels, own, size, seed=seed) if own else rng.standard_normal((count, size))
    return codes


def read_classes(train: NDArray, classes: NDArray, test: NDArray, seed: int) -> NDArray:
    """What a support vector machine with a Gaussian kernel reads from held-out codes; it has nothing to seed."""
    if len(np.unique(classes)) < 2:
        raise ValueError("one class among the items to learn from; a probe needs at least two")
    return SVC(C=10.0).fit(standardised(train), classes).predict(standardised(test, train))


def explained(predicted: NDArray, expected: NDArray, groups: ArrayLike | None) -> tuple[float, float]:
    """R² and its standard error, by how much each item moves the ratio of the two sums of squares."""
    wrong, off = (expected - predicted) ** 2, (expected - expected.mean()) ** 2
    r2 = 1 - wrong.mean() / off.mean()
    return float(r2), standard_error((wrong - (1 - r2) * off) / off.mean(), groups)


def read_values(train: NDArray, values: NDArray, test: NDArray, seed: int) -> NDArray:
    """What boosted regression reads from held-out codes; it stops early, so that noise reads as 0 rather than as −0.1."""
    probe = HistGradientBoostingRegressor(
        max_iter=300, max_leaf_nodes=15, early_stopping=True, validation_fraction=0.2, random_state=seed
    )
    return probe.fit(train, values).predict(test)
