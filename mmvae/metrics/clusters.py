r"""The shape of a latent space: do classes cluster, do modalities meet, does a flat map of it tell the truth?"""

from __future__ import annotations

__all__ = [
    "ModalityGap", "Probe", "embedding_recall", "embedding_trustworthiness",
    "knn_accuracy", "linear_probe", "modality_gap", "silhouette",
]  # fmt: skip

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import trustworthiness
from sklearn.metrics import silhouette_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from .codes import above_chance, as_classes, as_codes, folds, hold_out, standard_error, standardised


@dataclass(frozen=True)
class Probe:
    """What a classifier reads from codes of held-out items.

    Arguments:
        accuracy: From 0 to 1.
        chance: Accuracy of always naming the commonest class.
        above_chance: (accuracy − chance)/(1 − chance).
        stderr: Of the accuracy, over groups of items.
        hits: Which items were classed rightly, bool [N].
    """

    accuracy: float
    chance: float
    above_chance: float
    stderr: float
    hits: NDArray[np.bool_] = field(repr=False, compare=False)


@dataclass(frozen=True)
class ModalityGap:
    """Distances between the codes of two modalities.

    Arguments:
        ratio: `paired` / `random`: 0 where both modalities of a pair have one code, 1 where pairing says nothing.
        paired: Mean distance of the codes of one pair.
        random: Mean distance of codes of different pairs.
    """

    ratio: float
    paired: float
    random: float


def silhouette(codes: ArrayLike, labels: ArrayLike, most: int = 2000, seed: int = 0) -> float:
    r"""Are items nearer to their own class than to the next one?

    .. math:: \frac{1}{N} \sum_i \frac{b_i - a_i}{\max(a_i, b_i)}

    with a the mean distance to items of the same class and b that to the nearest other class. From −1 to 1; a code that is one
    point for each class scores 1, one without clusters about 0.

    Arguments:
        codes: [N, D].
        labels: Classes, [N].
        most: Items it is measured on at most, drawn at random.
        seed: Of the draw.

    Raises:
        ValueError: Where there are fewer than two classes, or as many as items.

    References:
        Rousseeuw (1987), Silhouettes: a Graphical Aid to the Interpretation and Validation of Cluster Analysis.
    """
    codes, classes = labelled(codes, labels)
    chosen = np.random.default_rng(seed).permutation(len(codes))[:most]
    count = len(np.unique(classes[chosen]))
    if not 1 < count < len(chosen):
        raise ValueError(
            f"{count} classes among {len(chosen)} items; a silhouette needs at least two classes and two items in one"
        )
    return float(silhouette_score(codes[chosen], classes[chosen]))


def knn_accuracy(codes: ArrayLike, labels: ArrayLike, neighbours: int = 10, seed: int = 0) -> Probe:
    """Accuracy of the majority among the nearest codes, on held-out items; a perfect code of the classes scores 1.

    It asks for neighbourhoods, not for knowledge: other factors that move the code push classes apart. `leakage` asks for
    knowledge.
    """
    codes, classes = labelled(codes, labels)
    train, test = hold_out(len(codes), seed)
    probe = KNeighborsClassifier(min(neighbours, len(train))).fit(codes[train], classes[train])
    return judged(probe.predict(codes[test]), classes[test])


def linear_probe(codes: ArrayLike, labels: ArrayLike, groups: ArrayLike | None = None, seed: int = 0) -> Probe:
    """Accuracy of multinomial logistic regression on standardised codes of held-out items, each held out once in five folds.

    A code whose classes are linearly apart scores 1. Values of an ordered factor along one line are not (a perfect code of 21
    azimuths scores about one half): read ordered factors by `leakage`.

    Arguments:
        codes: [N, D].
        labels: Classes, [N].
        groups: The image that a code was read from, [N], where one image gives several codes: such items are held out together.
        seed: Of the folds.

    References:
        Alain & Bengio (2016), Understanding Intermediate Layers Using Linear Classifier Probes.
    """
    codes, classes = labelled(codes, labels)
    predicted = np.empty_like(classes)
    for train, test in folds(len(codes), seed, groups):
        scaled = standardised(codes, codes[train])
        known = np.unique(classes[train])
        if len(known) < 2:
            raise ValueError(f"{len(known)} class among the items to learn from; a probe needs at least two")
        predicted[test] = LogisticRegression(max_iter=500).fit(scaled[train], classes[train]).predict(scaled[test])
    return judged(predicted, classes, groups)


def modality_gap(first: ArrayLike, second: ArrayLike, seed: int = 0) -> ModalityGap:
    r"""Do both modalities of a pair land at one place of the shared space?

    .. math:: \frac{\mathbb{E}_i \lVert a_i - b_i \rVert}{\mathbb{E}_{i \neq j} \lVert a_i - b_j \rVert}

    From 0, which a perfect code scores; 1 where a pair is no nearer than any two items. Only what both
    modalities show may be in the space: private information keeps the ratio up.

    Arguments:
        first: Codes of one modality, [N, D].
        second: Codes of the other for the same items, [N, D].
        seed: Of the random pairs.

    Raises:
        ValueError: Where the shapes differ or there is one item only.
    """
    first, second = as_codes(first), as_codes(second)
    if first.shape != second.shape or len(first) < 2:
        raise ValueError(f"codes of shape {first.shape} and {second.shape}; expected two alike, of at least two items")
    rng = np.random.default_rng(seed)
    shifts = 1 + rng.permutation(len(first) - 1)[:16]  # a shift pairs every item with another, and never with its own
    paired = float(np.linalg.norm(first - second, axis=1).mean())
    random = float(np.mean([np.linalg.norm(first - np.roll(second, shift, axis=0), axis=1).mean() for shift in shifts]))
    return ModalityGap(paired / random if random > 0 else float("nan"), paired, random)


def embedding_trustworthiness(
    codes: ArrayLike, embedding: ArrayLike, neighbours: int = 10, most: int = 3000, seed: int = 0
) -> float:
    r"""Are neighbours on the map neighbours in the latent space? 1 where all are, about 0.5 on a random map.

    .. math:: 1 - \frac{2}{Nk(2N - 3k - 1)} \sum_i \sum_{j \in \text{map's } k \text{ nearest}} \max(0, r(i, j) - k)

    Arguments:
        codes: [N, D].
        embedding: The map, [N, 2].
        neighbours: k, less than half of N.
        most: Items it is measured on at most, drawn at random: memory and time grow with their square.
        seed: Of the draw.

    References:
        Venna & Kaski (2001), Neighborhood Preservation in Nonlinear Projection Methods.
    """
    codes, embedding = mapped(codes, embedding, neighbours)
    chosen = np.random.default_rng(seed).permutation(len(codes))[:most]
    return float(trustworthiness(codes[chosen], embedding[chosen], n_neighbors=neighbours))


def embedding_recall(codes: ArrayLike, embedding: ArrayLike, neighbours: int = 10) -> float:
    """The share of each item's nearest codes that are also its nearest on the map: 1 for a perfect one, k/(N − 1) by chance."""
    codes, embedding = mapped(codes, embedding, neighbours)
    near, shown = (
        NearestNeighbors(n_neighbors=neighbours).fit(space).kneighbors(return_distance=False) for space in (codes, embedding)
    )
    return float((near[:, :, None] == shown[:, None, :]).any(axis=2).mean())


def labelled(codes: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    codes, labels = as_codes(codes), np.asarray(labels)
    if labels.shape != codes.shape[:1]:
        raise ValueError(f"labels have shape {labels.shape}; expected {codes.shape[:1]}, one for each code")
    return codes, as_classes(labels)


def mapped(codes: ArrayLike, embedding: ArrayLike, neighbours: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    codes, embedding = as_codes(codes), as_codes(embedding)
    if len(codes) != len(embedding) or not 0 < neighbours < len(codes) / 2:
        raise ValueError(
            f"{len(codes)} codes, {len(embedding)} points and {neighbours} neighbours; "
            "need as many codes as points, and neighbours fewer than half of them"
        )
    return codes, embedding


def judged(predicted: NDArray, expected: NDArray, groups: ArrayLike | None = None) -> Probe:
    corrected, chance = above_chance(predicted, expected)
    hits = predicted == expected
    return Probe(float(np.mean(hits)), chance, corrected, standard_error(hits, groups), hits)
