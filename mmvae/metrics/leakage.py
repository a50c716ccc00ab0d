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

from .codes import above_chance, as_codes, as_labels, hold_out, perfect_code, standardised

if TYPE_CHECKING:
    from ..data.base import Factor


@dataclass(frozen=True)
class Leakage:
    """How well each block reads each factor on held-out items.

    Arguments:
        blocks: Names of the rows.
        factors: Names of the columns.
        values: [blocks, factors]; 1 reads perfectly, 0 is a guess. Raw: slightly below 0 where a probe found nothing.
        measures: For each factor ``"R²"`` or ``"accuracy above chance"``.
        chance: For each factor the accuracy of always naming the commonest class; 0 for R².
    """

    blocks: tuple[str, ...]
    factors: tuple[str, ...]
    values: NDArray[np.float64]
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
    r"""The matrix block × factor of what a probe reads from the block on items it has not seen.

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
            pairs: such items stay on one side of the split, or the probe recognises the image and calls that knowledge.
        seed: Of the split and the probes.
    """
    values, chances = [], {}
    for name, codes in blocks.items():
        codes = as_codes(codes)
        train, test = hold_out(len(codes), seed, (groups or {}).get(name))
        row = []
        for factor, column in zip(factors, as_labels(labels, factors, len(codes)), strict=True):
            if factor.kind == "ordered":
                row.append(read_value(codes[train], column[train], codes[test], column[test], seed))
            else:
                scaled = standardised(codes, codes[train])
                predicted = SVC(C=10.0).fit(scaled[train], column[train]).predict(scaled[test])
                value, chances[factor.name] = above_chance(predicted, column[test])
                row.append(value)
        values.append(row)
    return Leakage(
        tuple(blocks),
        tuple(factor.name for factor in factors),
        np.array(values),
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
    """The codes of a model that keeps every factor where it belongs: `leakage` of them is the ceiling of the matrix.

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


def read_value(train: NDArray, values: NDArray, test: NDArray, expected: NDArray, seed: int) -> float:
    """R² of boosted regression on held-out items; it stops early, so that noise reads as 0 rather than as −0.1."""
    probe = HistGradientBoostingRegressor(
        max_iter=300, max_leaf_nodes=15, early_stopping=True, validation_fraction=0.2, random_state=seed
    )
    return float(probe.fit(train, values).score(test, expected))
