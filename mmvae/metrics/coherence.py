r"""Is what a model generates still the same thing? Agreement of what readers see with what was to be kept."""

from __future__ import annotations

__all__ = ["Preserved", "Share", "agreement", "preserved"]

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .codes import standard_error

if TYPE_CHECKING:
    from ..data.base import Factor


@dataclass(frozen=True)
class Share:
    """A share of items, from 0 to 1.

    Arguments:
        value: The share.
        stderr: Its standard error; over items or groups of them, so that several samples of one do not count as several.
        count: Items.
        per_item: The share of each item's samples, [N].
    """

    value: float
    stderr: float
    count: int
    per_item: NDArray[np.float64] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Preserved:
    """How well generated images keep a factor.

    Arguments:
        error: Mean absolute error in the factor's unit; NaN for categorical factors.
        stderr: Standard error of `error`.
        per_item: Mean absolute error over each item's samples, [N]; NaN for categorical factors.
        kept: Share of readings within the tolerance, or of the right class.
        tolerance: The largest error that counts as kept, in the factor's unit; 0 for categorical factors.
        spread: The root of the mean variance over samples of one item, in the unit; for categorical factors the mean share of
            samples that are not of the item's commonest class; NaN for a single sample. What should vary must have one.
    """

    error: float
    stderr: float
    per_item: NDArray[np.float64] = field(repr=False, compare=False)
    kept: Share
    tolerance: float
    spread: float


def agreement(predicted: ArrayLike, expected: ArrayLike, groups: ArrayLike | None = None) -> Share:
    """Coherence: the share of generated images that a reader puts into the class they should show.

    Across modalities `expected` is the label of the image translated from; for pairs from the prior it is
    what the reader of the other modality says. From 0 to 1; guessing scores 1/classes. To be shown beside the
    reader's accuracy on real images; a model that draws clearer pictures than those may exceed it.

    Arguments:
        predicted: Class of each generated image, [N], or of S samples for each item, [N, S].
        expected: Class it should have, [N] or [N, S].
        groups: The group of each item, [N], where items of one group may err together; see `codes.standard_error`.

    Raises:
        ValueError: Where the shapes do not fit each other or nothing is given.

    References:
        Shi et al. (2019), Variational Mixture-of-Experts Autoencoders for Multi-Modal Deep Generative Models.
    """
    predicted, expected = paired(predicted, expected)
    return share(predicted == expected, groups)


def preserved(
    predicted: ArrayLike,
    expected: ArrayLike,
    factor: Factor,
    tolerance: float | None = None,
    groups: ArrayLike | None = None,
) -> Preserved:
    """What a reader of generated images says of a factor, against what it should be.

    A perfect model scores an error of 0 and keeps all (1); to be read beside the same figure of the reader on real images.
    For a factor that should stay neutral, `expected` is the neutral value.

    Arguments:
        predicted: Readings, [N] or [N, S] for S samples of each item; values in the unit, or class indices.
        expected: True values, [N].
        factor: The factor that is read.
        tolerance: Largest error that counts as kept; by default one step of the factor's grid.
        groups: As for `agreement`.

    Raises:
        ValueError: Where the shapes do not fit each other or nothing is given.
    """
    predicted, expected = paired(predicted, expected)
    several = predicted.shape[1] > 1
    if factor.kind == "categorical":
        commonest = np.array([np.unique(row, return_counts=True)[1].max() for row in predicted]) / predicted.shape[1]
        spread = float(np.mean(1 - commonest)) if several else float("nan")
        none = np.full(len(predicted), np.nan)
        return Preserved(float("nan"), float("nan"), none, share(predicted == expected, groups), 0.0, spread)
    if tolerance is None:
        grid = np.asarray(factor.values, dtype=np.float64)
        tolerance = float(np.diff(grid).min()) if len(grid) > 1 else 0.0
    error = np.abs(predicted - expected)
    # the mean of deviations, or of variances over S and not S − 1, would call a few samples less varied than many
    spread = float(np.sqrt(predicted.var(axis=1, ddof=1).mean())) if several else float("nan")
    slack = tolerance * (1 + 1e-6)  # float32 readings one step off are one step off
    each = error.mean(axis=1)
    return Preserved(float(each.mean()), standard_error(each, groups), each, share(error <= slack, groups), tolerance, spread)


def paired(predicted: ArrayLike, expected: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as [N, S] that broadcast."""
    predicted, expected = np.asarray(predicted), np.asarray(expected)
    if predicted.ndim not in (1, 2) or predicted.size == 0 or expected.shape not in (predicted.shape, predicted.shape[:1]):
        raise ValueError(f"predicted {predicted.shape} and expected {expected.shape}; give [N] or [N, S] and [N] or the same")
    columns = predicted.reshape(len(predicted), -1)
    return columns, expected.reshape(len(expected), -1)


def share(hits: np.ndarray, groups: ArrayLike | None = None) -> Share:
    """The share of hits [N, S] with its standard error over the N items, or over groups of them."""
    each = hits.mean(axis=1)
    return Share(float(each.mean()), standard_error(each, groups), len(each), each)
