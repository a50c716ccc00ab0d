r"""What the metrics share: codes and labels as arrays, held-out items, and the code that a model would give that found the factors."""

from __future__ import annotations

__all__ = [
    "above_chance", "as_classes", "as_codes", "as_labels", "folds", "hold_out", "perfect_code", "reference", "standard_error", "standardised",
]  # fmt: skip

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from ..data.base import Factor

T = TypeVar("T")
MOST_VALUES = 64  # an ordered factor with more distinct values than this is cut into quantiles where classes are needed


def as_codes(codes: ArrayLike) -> NDArray[np.float64]:
    """Codes as float64 [N, D].

    Raises:
        ValueError: Where the array is not two-dimensional, is empty, or holds a value that is not finite.
    """
    array = np.asarray(codes, dtype=np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"codes have shape {array.shape}; expected (items, dimensions) with at least one of each")
    if not np.isfinite(array).all():
        raise ValueError(f"codes hold {np.count_nonzero(~np.isfinite(array))} values that are not finite; drop those items first")
    return array


def as_labels(labels: Mapping[str, ArrayLike], factors: Sequence[Factor], items: int) -> list[NDArray]:
    """The labels of each factor, [N] each, in the order of `factors`.

    Raises:
        ValueError: Where no factor is given, or a factor's labels are missing, of another length than the codes, or all alike.
    """
    if not factors:
        raise ValueError("no factor given; a metric needs the labels of at least one")
    columns = []
    for factor in factors:
        if factor.name not in labels:
            raise ValueError(f"no labels for factor {factor.name!r}; there are labels for {', '.join(labels) or 'none'}")
        column = np.asarray(labels[factor.name])
        if column.shape != (items,):
            raise ValueError(f"labels of {factor.name!r} have shape {column.shape}; expected ({items},), one for each code")
        if (column == column[:1]).all():
            raise ValueError(f"factor {factor.name!r} has one value only among these {items} items; leave it out")
        columns.append(column)
    return columns


def as_classes(labels: ArrayLike) -> NDArray[np.int64]:
    """Class indices 0, 1, … [N]; labels with more than 64 distinct numbers become 20 quantile classes."""
    labels = np.asarray(labels)
    values, classes = np.unique(labels, return_inverse=True)
    if len(values) > MOST_VALUES and labels.dtype.kind == "f":
        inner = np.quantile(labels, np.linspace(0, 1, 21)[1:-1])
        classes = np.unique(np.searchsorted(inner, labels, side="right"), return_inverse=True)[1]
    return classes


def hold_out(
    items: int, seed: int, groups: ArrayLike | None = None, share: float = 0.3
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the items to learn from and of those to test on.

    Arguments:
        items: How many items there are.
        seed: Decides the split.
        groups: A group id for each item, [N]; items of one group stay on one side. Give the id of the image where one
            image occurs in several pairs, or a probe may recognise the image where it should read the factor.
        share: Share of the items, or groups, to test on.

    Raises:
        ValueError: Where there are fewer than two groups.
    """
    group, count = grouped(items, groups)
    order = np.random.default_rng(seed).permutation(count)
    tested = np.zeros(count, dtype=bool)
    tested[order[: min(max(1, round(share * count)), count - 1)]] = True
    return np.flatnonzero(~tested[group]), np.flatnonzero(tested[group])


def folds(
    items: int, seed: int, groups: ArrayLike | None = None, count: int = 5
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Splits as of `hold_out` that test every item once: indices to learn from and to test on, `count` times at most.

    Arguments:
        items: How many items there are.
        seed: Decides the splits.
        groups: As for `hold_out`.
        count: How many splits; fewer where there are fewer groups.

    Raises:
        ValueError: Where there are fewer than two groups.
    """
    group, several = grouped(items, groups)
    number = np.random.default_rng(seed).permutation(several)[group] % min(count, several)
    return ((np.flatnonzero(number != fold), np.flatnonzero(number == fold)) for fold in range(min(count, several)))


def grouped(items: int, groups: ArrayLike | None) -> tuple[NDArray[np.int64], int]:
    """The group of each item from 0 on, each its own where none is given, and how many there are."""
    group = np.arange(items) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    if group.shape != (items,):
        raise ValueError(f"groups have shape {group.shape}; expected ({items},), one for each item")
    count = int(group.max()) + 1
    if count < 2:
        raise ValueError(f"{count} group among {items} items; a held-out test needs at least two")
    return group, count


def standard_error(values: ArrayLike, groups: ArrayLike | None = None) -> float:
    r"""The standard error of a mean over items, where items of one group may err together.

    .. math:: \frac{1}{N} \sqrt{\frac{G}{G - 1} \sum_g \Big( \sum_{i \in g} (x_i - \bar x) \Big)^2}

    With every item a group of its own this is the deviation over the root of N. It wants some dozens of groups.

    Arguments:
        values: [N].
        groups: The group of each item, [N]; None where all are independent.

    Returns:
        NaN where there is one group only.

    References:
        Liang & Zeger (1986), Longitudinal Data Analysis Using Generalized Linear Models.
    """
    values = np.asarray(values, dtype=np.float64)
    group = np.arange(len(values)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    sums = np.bincount(group, weights=values - values.mean())
    count = len(sums)
    return float(np.sqrt(count / (count - 1) * (sums**2).sum()) / len(values)) if count > 1 else float("nan")


def perfect_code(
    labels: Mapping[str, ArrayLike],
    factors: Sequence[Factor],
    width: int | None = None,
    class_dims: int = 4,
    seed: int = 0,
) -> NDArray[np.float64]:
    r"""The code a model would give that found the factors and nothing else: the reference code of these very items.

    An ordered factor is one dimension, its value standardised. A categorical one is a point per class, drawn from
    N(0, I) in `class_dims` dimensions (at most classes − 1): no network lays fifty faces out on one line, and scores that
    want one dimension a factor (MIG, SAP, completeness) punish even this code for it. Dimensions that are
    left over hold noise from N(0, 1), as a sample of a dead dimension does. So it is a code to compare with and no bound: one
    that gives a class a dimension of its own, or dead dimensions no weight, may score more.

    Arguments:
        labels: {factor name: [N]}.
        factors: The factors, in the order of their dimensions.
        width: Dimensions of the code; None for as many as the factors take. Classes get fewer where it is narrow.
        class_dims: Dimensions of a categorical factor.
        seed: Decides the points of the classes and the noise.

    Returns:
        Codes [N, width].

    Raises:
        ValueError: Where `width` is smaller than the number of factors.
    """
    columns = as_labels(labels, factors, len(np.asarray(next(iter(labels.values()), ()))))
    classes = [
        as_classes(column) if factor.kind == "categorical" else None for factor, column in zip(factors, columns, strict=True)
    ]

    def dims(most: int) -> list[int]:
        return [1 if kinds is None else max(1, min(most, int(kinds.max()))) for kinds in classes]

    while width is not None and class_dims > 1 and sum(dims(class_dims)) > width:
        class_dims -= 1
    total = sum(dims(class_dims))
    if width is not None and total > width:
        raise ValueError(f"{len(factors)} factors do not fit a code of {width} dimensions; give it {total} or more")
    rng = np.random.default_rng(seed)
    parts = []
    for column, kinds, size in zip(columns, classes, dims(class_dims), strict=True):
        points = column[:, None].astype(np.float64) if kinds is None else rng.standard_normal((int(kinds.max()) + 1, size))[kinds]
        parts.append(standardised(points))
    if width is not None:
        parts.append(rng.standard_normal((len(columns[0]), width - total)))
    return np.concatenate(parts, axis=1)


def reference(
    metric: Callable[..., T],
    labels: Mapping[str, ArrayLike],
    factors: Sequence[Factor],
    width: int | None = None,
    judged: Sequence[Factor] | None = None,
    seed: int = 0,
) -> T:
    """What `metric` gives the reference code of these items: the figure to read a score against, and no bound.

    Arguments:
        metric: A function of (codes, labels, factors), such as `disentanglement.mig` or `disentanglement.scores`.
        labels: {factor name: [N]}.
        factors: The factors that the perfect code holds: all that the images show.
        width: Dimensions of the codes that are judged.
        judged: The factors that the metric is given; None for all of them.
        seed: Of the perfect code.
    """
    return metric(perfect_code(labels, factors, width, seed=seed), labels, factors if judged is None else judged)


def above_chance(predicted: ArrayLike, expected: ArrayLike) -> tuple[float, float]:
    r"""Accuracy rescaled so that naming the commonest class is 0 and naming all is 1; and that chance level.

    .. math:: \frac{a - c}{1 - c}, \qquad c = \max_k \frac{n_k}{n}
    """
    expected = np.asarray(expected)
    chance = float(np.unique(expected, return_counts=True)[1].max() / len(expected))
    if chance == 1.0:
        return float("nan"), chance
    return (float(np.mean(predicted == expected)) - chance) / (1 - chance), chance


def standardised(codes: NDArray[np.float64], like: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Codes with mean 0 and deviation 1 in every dimension (of `like`, where given); constant dimensions become 0."""
    like = codes if like is None else like
    spread = like.std(axis=0)
    alive = spread > 1e-12 * (1 + np.abs(like).max(axis=0))
    return np.where(alive, (codes - like.mean(axis=0)) / np.where(alive, spread, 1.0), 0.0)
