r"""How far each dimension of a code carries one factor: MIG, DCI, SAP, the FactorVAE vote, modularity, explicitness, IRS.

All take codes [N, D], labels {factor: [N]} and the factors to judge by. Pass the factors one cares for: with a
categorical factor of many classes (identity) most scores say more about that factor than about the rest, so judge the
ordered ones apart. Read every score beside `codes.reference` of the same items. Codes may be posterior means or
samples; Chen et al. (2018) use samples, and dead dimensions show as noise only there.

References:
    Locatello et al. (2019), Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations.
"""

from __future__ import annotations

__all__ = [
    "DCI", "Explicitness", "Gap", "Modularity", "Vote",
    "dci", "explicitness", "factor_vote", "irs", "mig", "modularity", "mutual_information", "sap", "scores",
]  # fmt: skip

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.svm import LinearSVC

from .codes import above_chance, as_classes, as_codes, as_labels, hold_out, standardised

if TYPE_CHECKING:
    from ..data.base import Factor

Labels = Mapping[str, ArrayLike]
Matrix = NDArray[np.float64]
SHUFFLES = 20  # enough to place the mean and deviation of the information that chance gives


@dataclass(frozen=True)
class Gap:
    """A gap between the best and the second-best dimension of each factor.

    Arguments:
        score: Mean over factors.
        per_factor: {factor: gap}.
        matrix: What the gaps are between, [D, F].
    """

    score: float
    per_factor: dict[str, float]
    matrix: Matrix


@dataclass(frozen=True)
class DCI:
    """Disentanglement (NaN for one factor), completeness (NaN for one dimension), informativeness.

    Arguments:
        disentanglement: 1 where every dimension serves one factor.
        completeness: 1 where every factor sits in one dimension.
        informativeness: Mean over factors of what the probe reads of held-out items.
        per_factor: {factor: informativeness}.
        importance: Share of each dimension in reading each factor, [D, F]; columns sum to 1.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    per_factor: dict[str, float]
    importance: Matrix


@dataclass(frozen=True)
class Vote:
    """Accuracy of the majority vote (NaN for one factor), and the votes it learnt from, [D, F]."""

    score: float
    votes: NDArray[np.int64]


@dataclass(frozen=True)
class Modularity:
    """Mean over the dimensions that inform of any factor (NaN for one factor), and each, [D], NaN where it informs of none."""

    score: float
    per_dimension: Matrix


@dataclass(frozen=True)
class Explicitness:
    """Mean over factors of the area under the ROC curve, and {factor: area}."""

    score: float
    per_factor: dict[str, float]


def mig(codes: ArrayLike, labels: Labels, factors: Sequence[Factor], bins: int = 20) -> Gap:
    r"""The mutual information gap: is one dimension alone the best witness of a factor?

    .. math:: \frac{1}{F} \sum_k \frac{I(z_{(1)}; v_k) - I(z_{(2)}; v_k)}{H(v_k)}

    where :math:`z_{(1)}, z_{(2)}` are the two dimensions that know most of :math:`v_k`. From 0 to 1. A perfect code scores
    about 0.97 on ordered factors (21 values share 20 bins) and about 0 on a class spread over several dimensions.
    Bins hold equally many items; with the usual bins of equal width a single outlier squeezes all
    others into one bin and lowers the score of a perfect code by a quarter.

    Arguments:
        codes: [N, D].
        labels: {factor: [N]}.
        factors: The factors to judge by.
        bins: Most bins a dimension is cut into.

    References:
        Chen et al. (2018), Isolating Sources of Disentanglement in Variational Autoencoders.
    """
    codes = as_codes(codes)
    classes = [as_classes(column) for column in as_labels(labels, factors, len(codes))]
    information = mutual_information(quantile_bins(codes, bins), classes)
    entropy = np.array([mutual_information(each[:, None], [each])[0, 0] for each in classes])
    return gap(information / np.maximum(entropy, 1e-12), factors)


def dci(codes: ArrayLike, labels: Labels, factors: Sequence[Factor], seed: int = 0, groups: ArrayLike | None = None) -> DCI:
    r"""Disentanglement, completeness and informativeness, from how much a tree ensemble leans on each dimension.

    .. math:: D = \sum_i \rho_i \, (1 - H_F(P_{i \cdot})), \qquad C = \frac{1}{F} \sum_j (1 - H_D(\tilde P_{\cdot j}))

    with :math:`R_{ij}` the importance of dimension i for factor j (columns sum to 1), P its rows and :math:`\tilde P` its
    columns scaled to sum to 1, and :math:`\rho_i` the share of dimension i in all importance. Ordered factors are read
    by boosted regression (R²), categorical ones by a forest that weighs all dimensions at every split
    (chance-corrected accuracy): boosting misreads fifty classes at the slightest noise, and a default
    forest, which weighs a few dimensions at a time, is forced to lean on noise.

    D and C lie in 0…1, informativeness is at most 1 and below 0 where the probe is worse than a constant. A perfect
    code scores D = 1 and informativeness 1; C = 1 on ordered factors, about 0.4 for a class spread over 4 of 9 dimensions.

    Arguments:
        codes: [N, D].
        labels: {factor: [N]}.
        factors: The factors to judge by.
        seed: Of the split and the trees.
        groups: As for `codes.hold_out`.

    References:
        Eastwood & Williams (2018), A Framework for the Quantitative Evaluation of Disentangled Representations.
    """
    codes = as_codes(codes)
    train, test = hold_out(len(codes), seed, groups)
    importance, informativeness = [], {}
    for factor, column in zip(factors, as_labels(labels, factors, len(codes)), strict=True):
        if factor.kind == "ordered":
            probe = GradientBoostingRegressor(n_estimators=50, learning_rate=0.2, random_state=seed)
            probe.fit(codes[train], column[train])
            informativeness[factor.name] = float(probe.score(codes[test], column[test]))
        else:
            probe = RandomForestClassifier(30, max_features=None, min_samples_leaf=5, random_state=seed)
            probe.fit(codes[train], column[train])
            informativeness[factor.name] = above_chance(probe.predict(codes[test]), column[test])[0]
        importance.append(probe.feature_importances_)
    matrix = np.stack(importance, axis=1)
    return DCI(
        disentanglement_of(matrix), completeness_of(matrix),
        float(np.mean(list(informativeness.values()))), informativeness, matrix,
    )  # fmt: skip


def sap(codes: ArrayLike, labels: Labels, factors: Sequence[Factor], seed: int = 0, groups: ArrayLike | None = None) -> Gap:
    r"""Separated attribute predictability: how much better does the best single dimension read a factor than the second?

    .. math:: \frac{1}{F} \sum_k \left( S_{(1)k} - S_{(2)k} \right)

    with :math:`S_{ik}` the squared correlation of dimension i and factor k where it is ordered, else the held-out accuracy of a
    linear support vector machine that sees dimension i alone. From 0 to 1. A perfect code scores close to 1 on ordered
    factors and close to 0 on a class of many values: no threshold on one dimension names one of fifty faces.

    Arguments:
        codes: [N, D].
        labels: {factor: [N]}.
        factors: The factors to judge by.
        seed: Of the split.
        groups: As for `codes.hold_out`.

    References:
        Kumar et al. (2018), Variational Inference of Disentangled Latent Concepts from Unlabeled Observations.
    """
    codes = as_codes(codes)
    train, test = hold_out(len(codes), seed, groups)
    codes = standardised(codes, codes[train])  # the machine's penalty depends on scale, a code's worth does not
    columns = []
    for factor, column in zip(factors, as_labels(labels, factors, len(codes)), strict=True):
        if factor.kind == "ordered":
            columns.append(squared_correlation(codes, column.astype(np.float64)))
        else:
            columns.append(single_dimension_accuracy(codes[train], column[train], codes[test], column[test]))
    return gap(np.stack(columns, axis=1), factors)


def factor_vote(
    codes: ArrayLike, labels: Labels, factors: Sequence[Factor], votes: int = 2000, batch: int = 64, seed: int = 0
) -> Vote:
    """The FactorVAE score: among items that agree in one factor, is it always the same dimension that stands still?

    A vote fixes a factor at one of its values, draws items that have it, and names the dimension of least variance
    relative to its variance over all items. Each dimension stands for the factor it is named for most often; the score
    is the share of further votes for which that is the fixed one. From chance (1/F for F factors) to 1, which
    a perfect code scores. The paper renders new images with the factor fixed; here the items that
    share a value are grouped, which is the same where factors are independent of each other.
    Constant dimensions do not vote, and values with fewer than two items are never fixed.

    Arguments:
        codes: [N, D].
        labels: {factor: [N]}.
        factors: The factors to judge by.
        votes: Votes to learn from, and as many again to test with.
        batch: Items drawn for a vote (fewer where a value has fewer).
        seed: Of all draws.

    Raises:
        ValueError: Where no two items share a value of some factor.

    References:
        Kim & Mnih (2018), Disentangling by Factorising.
    """
    codes = as_codes(codes)
    groups = []
    for factor, column in zip(factors, as_labels(labels, factors, len(codes)), strict=True):
        classes = as_classes(column)
        members = [np.flatnonzero(classes == value) for value in range(classes.max() + 1)]
        groups.append([each for each in members if len(each) > 1])
        if not groups[-1]:
            raise ValueError(f"no two items share a value of {factor.name!r}; the vote needs items that agree in it")
    table = np.zeros((2, codes.shape[1], len(factors)), dtype=np.int64)
    if len(factors) < 2:
        return Vote(float("nan"), table[0])
    rng = np.random.default_rng(seed)
    scaled = standardised(codes)
    still = scaled.std(axis=0) == 0
    for number in range(2 * votes):
        fixed = int(rng.integers(len(factors)))
        members = groups[fixed][rng.integers(len(groups[fixed]))]
        chosen = rng.choice(members, size=min(batch, len(members)), replace=False)
        variance = np.where(still, np.inf, scaled[chosen].var(axis=0, ddof=1))
        table[number % 2, np.argmin(variance), fixed] += 1
    stands_for = table[0].argmax(axis=1)
    return Vote(float(table[1, np.arange(codes.shape[1]), stands_for].sum() / votes), table[0])


def modularity(codes: ArrayLike, labels: Labels, factors: Sequence[Factor], bins: int = 20, seed: int = 0) -> Modularity:
    r"""Does each dimension inform of one factor only?

    .. math:: \frac{1}{|A|} \sum_{i \in A} \left( 1 - \frac{\sum_{k \neq k^*} I_{ik}^2}{(F - 1) \, I_{ik^*}^2} \right)

    where :math:`k^*` is the factor that dimension i knows most of, over the dimensions A that inform of any factor at all.
    From 0 to 1; a perfect code scores 1. From finitely many items
    every dimension seems to inform, most of the factor with most values, so that plain estimates call pure noise modular
    (0.9 for the faces); here the information that shuffled labels give is subtracted, and a dimension
    counts where it exceeds that by four deviations. Without any such dimension the score is 0.

    Arguments:
        codes: [N, D].
        labels: {factor: [N]}.
        factors: The factors to judge by.
        bins: Most bins a dimension is cut into.
        seed: Of the shuffles.

    References:
        Ridgeway & Mozer (2018), Learning Deep Disentangled Embeddings with the F-Statistic Loss.
    """
    codes = as_codes(codes)
    classes = [as_classes(column) for column in as_labels(labels, factors, len(codes))]
    binned = quantile_bins(codes, bins)
    if len(factors) < 2:
        return Modularity(float("nan"), np.full(codes.shape[1], np.nan))
    rng = np.random.default_rng(seed)
    chance = np.stack([mutual_information(binned, [rng.permutation(each) for each in classes]) for _ in range(SHUFFLES)])
    excess = mutual_information(binned, classes) - chance.mean(axis=0)
    excess[excess <= 4 * chance.std(axis=0, ddof=1) + 1e-12] = 0.0
    best = excess.max(axis=1)
    informs = best > 0
    spill = (excess**2).sum(axis=1) - best**2
    each = np.where(informs, 1 - spill / ((len(factors) - 1) * np.where(informs, best, 1.0) ** 2), np.nan)
    return Modularity(float(each[informs].mean()) if informs.any() else 0.0, each)


def explicitness(
    codes: ArrayLike, labels: Labels, factors: Sequence[Factor], seed: int = 0, groups: ArrayLike | None = None
) -> Explicitness:
    """Can a linear probe tell each value of a factor from the others? Mean area under the ROC curve, one value against the rest.

    From 0.5 (nothing) to 1. A perfect code scores a little below 1 on ordered factors: values in the middle of a line
    are not linearly apart from both sides, and the probability that logistic regression gives them is blurred.

    Arguments:
        codes: [N, D].
        labels: {factor: [N]}.
        factors: The factors to judge by.
        seed: Of the split.
        groups: As for `codes.hold_out`.

    References:
        Ridgeway & Mozer (2018), Learning Deep Disentangled Embeddings with the F-Statistic Loss.
    """
    codes = as_codes(codes)
    train, test = hold_out(len(codes), seed, groups)
    scaled = standardised(codes, codes[train])
    areas = {}
    for factor, column in zip(factors, as_labels(labels, factors, len(codes)), strict=True):
        classes = as_classes(column)
        probe = LogisticRegression(max_iter=300).fit(scaled[train], classes[train])
        hits = classes[test][:, None] == probe.classes_
        seen = hits.any(axis=0)  # a value without a held-out item has no curve
        areas[factor.name] = float(roc_auc_score(hits[:, seen], probe.predict_proba(scaled[test])[:, seen], average="macro"))
    return Explicitness(float(np.mean(list(areas.values()))), areas)


def irs(codes: ArrayLike, labels: Labels, factors: Sequence[Factor], quantile: float = 0.99, seed: int = 0) -> float:
    r"""Interventional robustness: with its own factor fixed, how little can a dimension be moved by the others?

    .. math:: \sum_i w_i \max_k \left( 1 - \frac{\mathbb{E}_v \, q(z_i - \mathbb{E}[z_i | v_k])}{q(z_i - \mathbb{E}[z_i])} \right)

    with q the 99th percentile of the absolute value and :math:`w_i` the share of dimension i in all deviation. At most 1,
    which a perfect code scores where every dimension has a meaning; one without scores 0 and weighs as much as any. The fewer
    items share a value, the less far they lie from their mean, whatever the value: 1,000 items of fifty classes make
    .23 of pure noise. So what shuffled labels give is subtracted, of each dimension and factor, and the rest scaled to 1.
    The common implementation divides a percentile by a maximum, which rewards codes with outliers; here both are the
    same percentile (1.0 gives the paper's maxima).

    Arguments:
        codes: [N, D].
        labels: {factor: [N]}.
        factors: The factors to judge by.
        quantile: q.
        seed: Of the shuffles.

    References:
        Suter et al. (2019), Robustly Disentangled Causal Mechanisms.
    """
    codes = as_codes(codes)
    whole = np.quantile(np.abs(codes - codes.mean(axis=0)), quantile, axis=0)
    moves = whole > 1e-12
    if not moves.any():
        return 0.0
    codes, whole = codes[:, moves], whole[moves]
    rng, robust = np.random.default_rng(seed), []
    for column in as_labels(labels, factors, len(codes)):
        classes = as_classes(column)
        shuffled = [stillness(codes, rng.permutation(classes), whole, quantile) for _ in range(SHUFFLES)]
        chance = np.mean(shuffled, axis=0).clip(0.0)
        robust.append((stillness(codes, classes, whole, quantile) - chance) / (1 - chance))
    return float(np.average(np.clip(np.max(robust, axis=0), 0.0, None), weights=whole))


def scores(
    codes: ArrayLike, labels: Labels, factors: Sequence[Factor], seed: int = 0, groups: ArrayLike | None = None
) -> dict[str, float]:
    """Every score of this module by its name in `mmvae.metrics.METRICS`, but those that need more factors or dimensions."""
    found = dci(codes, labels, factors, seed, groups)
    every = {
        "mig": mig(codes, labels, factors).score,
        "dci_disentanglement": found.disentanglement,
        "dci_completeness": found.completeness,
        "dci_informativeness": found.informativeness,
        "sap": sap(codes, labels, factors, seed, groups).score,
        "factor_vae": factor_vote(codes, labels, factors, seed=seed).score,
        "modularity": modularity(codes, labels, factors, seed=seed).score,
        "explicitness": explicitness(codes, labels, factors, seed, groups).score,
        "irs": irs(codes, labels, factors, seed=seed),
    }
    return {name: score for name, score in every.items() if not np.isnan(score)}


def stillness(codes: Matrix, classes: NDArray[np.int64], whole: Matrix, quantile: float) -> Matrix:
    """By how much less each dimension moves among items of one class than among all, [D]."""
    deviations = [
        np.quantile(np.abs(codes[members] - codes[members].mean(axis=0)), quantile, axis=0)
        for members in (classes == value for value in range(classes.max() + 1))
    ]
    return 1 - np.mean(deviations, axis=0) / whole


def quantile_bins(codes: Matrix, bins: int) -> NDArray[np.int64]:
    """The bin of each value, [N, D], in bins of equally many items; ties share a bin."""
    inner = np.quantile(codes, np.linspace(0, 1, bins + 1)[1:-1], axis=0)
    return np.stack(
        [np.searchsorted(np.unique(edges), each, side="right") for edges, each in zip(inner.T, codes.T, strict=True)], 1
    )


def mutual_information(binned: NDArray[np.int64], classes: Sequence[NDArray[np.int64]]) -> Matrix:
    """The information in nats, [D, F], that each column of bins [N, D] gives of each factor's classes [N], as counted."""

    def between(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
        joint = np.zeros((a.max() + 1, b.max() + 1))
        np.add.at(joint, (a, b), 1 / len(a))
        apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
        there = joint > 0
        return float((joint[there] * np.log(joint[there] / apart[there])).sum())

    return np.array([[between(column, each) for each in classes] for column in binned.T])


def gap(matrix: Matrix, factors: Sequence[Factor]) -> Gap:
    """Best minus second-best row of each column; a lone dimension is compared with nothing, that is 0."""
    ordered = np.sort(np.vstack([matrix, np.zeros_like(matrix[:1])]) if len(matrix) == 1 else matrix, axis=0)
    gaps = ordered[-1] - ordered[-2]
    return Gap(float(gaps.mean()), {factor.name: float(each) for factor, each in zip(factors, gaps, strict=True)}, matrix)


def evenness(shares: Matrix) -> Matrix:
    """The entropy of each row's shares, 0 where one entry has all and 1 where all are alike; NaN for one column."""
    total = shares.sum(axis=1, keepdims=True)
    p = np.where(total > 0, shares / np.where(total > 0, total, 1.0), 1 / shares.shape[1])
    logs = np.log(np.where(p > 0, p, 1.0))
    return -(p * logs).sum(axis=1) / np.log(shares.shape[1]) if shares.shape[1] > 1 else np.full(len(shares), np.nan)


def disentanglement_of(importance: Matrix) -> float:
    """D of an importance matrix [D, F]: dimensions count by their share of all importance."""
    weight = importance.sum(axis=1)
    return float(((1 - evenness(importance)) * weight).sum() / weight.sum()) if weight.sum() > 0 else 0.0


def completeness_of(importance: Matrix) -> float:
    """C of an importance matrix [D, F]: factors count by their share of all importance."""
    weight = importance.sum(axis=0)
    return float(((1 - evenness(importance.T)) * weight).sum() / weight.sum()) if weight.sum() > 0 else 0.0


def squared_correlation(codes: Matrix, values: Matrix) -> Matrix:
    """The squared correlation of every dimension with the values, [D]; 0 where either is constant."""
    scaled = standardised(np.column_stack([codes, values]))
    return (scaled[:, :-1] * scaled[:, -1:]).mean(axis=0) ** 2


def single_dimension_accuracy(train: Matrix, classes: NDArray, test: Matrix, expected: NDArray) -> Matrix:
    """Held-out accuracy of a linear support vector machine on each dimension alone, [D]."""
    machine = LinearSVC(C=0.01, class_weight="balanced", random_state=0)
    pairs = zip(train.T[:, :, None], test.T[:, :, None], strict=True)
    return np.array([accuracy_score(expected, machine.fit(one, classes).predict(other)) for one, other in pairs])
