"""Scores are checked on codes whose score is known, and against the papers' formulas computed another way."""

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import mutual_info_score

from mmvae.data import Factor
from mmvae.metrics import METRICS
from mmvae.metrics.codes import hold_out, perfect_code, reference
from mmvae.metrics.disentanglement import (
    completeness_of,
    dci,
    disentanglement_of,
    explicitness,
    factor_vote,
    irs,
    mig,
    modularity,
    sap,
    scores,
)


@pytest.fixture(scope="module")
def perfect(labels, ordered):
    return perfect_code(labels, ordered)


def test_every_score_of_a_perfect_code_of_ordered_factors_is_at_its_top(perfect, labels, ordered):
    found = scores(perfect, labels, ordered)
    assert found["mig"] > 0.95  # 21 azimuths share 20 bins
    assert found["explicitness"] > 0.95
    for name in ("dci_disentanglement", "dci_completeness", "dci_informativeness", "sap", "factor_vae", "modularity", "irs"):
        assert found[name] == pytest.approx(1, abs=0.01), name


def test_every_score_of_noise_is_at_its_bottom(noise, labels, factors):
    found = scores(noise, labels, factors)
    for name in ("mig", "dci_disentanglement", "dci_completeness", "dci_informativeness", "sap", "modularity"):
        assert found[name] == pytest.approx(0, abs=0.06), name
    assert found["factor_vae"] == pytest.approx(1 / 4, abs=0.08)
    assert found["explicitness"] == pytest.approx(0.5, abs=0.02)
    assert found["irs"] < 0.15


def test_a_rotated_code_informs_but_is_not_disentangled(perfect, labels, ordered):
    mixed = perfect @ np.linalg.qr(np.random.default_rng(5).standard_normal((3, 3)))[0]
    straight, turned = scores(perfect, labels, ordered), scores(mixed, labels, ordered)
    for name in ("mig", "dci_disentanglement", "dci_completeness", "sap", "irs"):
        assert turned[name] < straight[name] - 0.2, name
    assert turned["modularity"] < straight["modularity"] - 0.1
    assert turned["dci_informativeness"] > 0.9
    assert turned["explicitness"] == pytest.approx(straight["explicitness"], abs=0.01)


def test_a_duplicated_dimension_is_not_complete_and_still_disentangled(perfect, labels, ordered):
    doubled = np.column_stack([perfect, perfect])
    assert mig(doubled, labels, ordered).score == pytest.approx(0, abs=1e-9)
    assert sap(doubled, labels, ordered).score == pytest.approx(0, abs=1e-9)
    found = dci(doubled, labels, ordered)
    assert found.disentanglement > 0.99
    assert found.completeness < 0.8
    assert modularity(doubled, labels, ordered).score > 0.99
    assert factor_vote(doubled, labels, ordered).score > 0.99


def test_one_outlier_does_not_move_the_gap(perfect, labels, ordered):
    struck = perfect.copy()
    struck[0] = 1000
    assert mig(struck, labels, ordered).score == pytest.approx(mig(perfect, labels, ordered).score, abs=0.01)


def test_identity_in_several_dimensions_lowers_the_reference_of_scores_that_want_one(labels, factors, ordered):
    all_factors, without = mig(perfect_code(labels, factors), labels, factors), reference(mig, labels, factors, 9, ordered)
    assert all_factors.per_factor["identity"] < 0.1
    assert all_factors.score == pytest.approx(0.75 * without.score, abs=0.03)


def test_a_perfect_code_with_identity_keeps_disentanglement_at_one(labels, factors):
    found = reference(dci, labels, factors, width=9)
    assert found.disentanglement > 0.99
    assert found.informativeness > 0.99
    identity = found.importance[:, 0]
    assert identity[:4].sum() > 0.99
    expected = 1 - scipy.stats.entropy(identity, base=9)
    assert found.completeness == pytest.approx((3 + expected) / 4, abs=0.01)


def test_the_gap_follows_the_formula_on_a_discrete_code(labels, ordered):
    rng = np.random.default_rng(3)
    codes = np.column_stack([
        np.where(rng.random(3000) < 0.7, labels["elevation"], rng.choice(labels["elevation"], 3000)),
        np.where(rng.random(3000) < 0.4, labels["elevation"], rng.choice(labels["elevation"], 3000)),
        labels["lighting"],
    ])  # fmt: skip
    information = [[mutual_info_score(column, labels[name]) for column in codes.T] for name in ("elevation", "lighting")]
    tops = np.sort(information, axis=1)[:, ::-1]
    entropy = [mutual_info_score(labels[name], labels[name]) for name in ("elevation", "lighting")]
    found = mig(codes, labels, ordered[1:])
    assert list(found.per_factor.values()) == pytest.approx((tops[:, 0] - tops[:, 1]) / entropy, abs=1e-9)


def test_disentanglement_and_completeness_follow_the_formulas_of_their_matrix():
    importance = np.random.default_rng(4).dirichlet(np.full(6, 0.3), size=4).T
    per_code = 1 - scipy.stats.entropy(importance, base=4, axis=1)
    per_factor = 1 - scipy.stats.entropy(importance, base=6, axis=0)
    assert disentanglement_of(importance) == pytest.approx(np.average(per_code, weights=importance.sum(axis=1)))
    assert completeness_of(importance) == pytest.approx(per_factor.mean())


def test_predictability_of_an_ordered_factor_is_the_squared_correlation(noise, labels, ordered):
    mixed = noise[:, :3] + 0.02 * labels["azimuth"][:, None]
    by_hand = [np.corrcoef(column, labels["azimuth"])[0, 1] ** 2 for column in mixed.T]
    np.testing.assert_allclose(sap(mixed, labels, ordered[:1]).matrix[:, 0], by_hand, atol=1e-9)


def test_predictability_of_a_class_is_accuracy_from_one_dimension():
    rng = np.random.default_rng(6)
    side = rng.integers(2, size=4000)
    factor = Factor("side", "categorical", ("left", "right"))
    codes = np.column_stack([side + 0.5 * rng.standard_normal(4000), rng.standard_normal(4000)])
    best = scipy.stats.norm.cdf(1)  # threshold half-way, one deviation from both means
    assert sap(codes, {"side": side}, (factor,)).matrix[:, 0] == pytest.approx([best, 0.5], abs=0.04)


def test_the_vote_does_not_depend_on_scale_and_ignores_constant_dimensions(perfect, labels, ordered):
    stretched = np.column_stack([perfect * [1e-3, 1.0, 1e3], np.full(3000, 5.0)])
    found = factor_vote(stretched, labels, ordered)
    assert found.score == 1
    assert found.votes[3].sum() == 0
    assert found.votes.sum() == 2000


def test_the_vote_needs_items_that_agree():
    factor = Factor("serial", "categorical", tuple(str(i) for i in range(10)))
    with pytest.raises(ValueError, match="no two items share a value of 'serial'"):
        factor_vote(np.eye(10), {"serial": np.arange(10)}, (factor,))


def test_a_dimension_shared_by_two_factors_is_not_modular(labels, ordered):
    elevation, lighting = (perfect_code(labels, (factor,))[:, 0] for factor in ordered[1:])
    codes = np.column_stack([elevation, elevation + lighting])
    found = modularity(codes, labels, ordered[1:])
    assert found.per_dimension[0] == pytest.approx(1)
    assert found.per_dimension[1] < 0.2
    assert found.score == pytest.approx(found.per_dimension.mean())


def test_dimensions_that_inform_of_nothing_do_not_count_as_modular(perfect, noise, labels, ordered):
    found = modularity(np.column_stack([perfect, noise[:, :2]]), labels, ordered)
    assert found.score == pytest.approx(1, abs=0.01)
    assert np.isnan(found.per_dimension[3:]).all()


def test_explicitness_of_two_classes_is_the_rank_statistic_of_held_out_items():
    rng = np.random.default_rng(7)
    side = rng.integers(2, size=1000)
    codes = (side + rng.standard_normal(1000))[:, None]
    _, test = hold_out(1000, seed=0)
    left, right = codes[test][side[test] == 0, 0], codes[test][side[test] == 1, 0]
    by_ranks = scipy.stats.mannwhitneyu(right, left).statistic / (len(left) * len(right))
    found = explicitness(codes, {"side": side}, (Factor("side", "categorical", ("left", "right")),))
    assert found.score == pytest.approx(by_ranks, abs=1e-9)


def test_noise_is_not_robust_however_few_items_share_a_value(factors):
    # 20 items to each of fifty identities: their own spread is a quarter below that of all, whatever they are
    identity = {"identity": np.random.default_rng(3).integers(50, size=1000)}
    assert irs(np.random.default_rng(4).standard_normal((1000, 9)), identity, factors[:1]) < 0.02


def test_robustness_is_the_share_of_movement_left_when_the_factor_is_fixed():
    # ±1 by the first factor, ±½ by the second: fixing the first leaves ½ of 1½
    first, second = np.repeat([0, 1], 500), np.tile([0, 1], 500)
    two = tuple(Factor(name, "categorical", ("0", "1")) for name in ("first", "second"))
    codes = (2.0 * first - 1 + second - 0.5)[:, None]
    assert irs(codes, {"first": first, "second": second}, two) == pytest.approx(1 - 0.5 / 1.5)


def test_an_outlier_does_not_buy_robustness(noise, labels, ordered):
    struck = noise.copy()
    struck[0] = 1000
    assert irs(struck, labels, ordered) < irs(noise, labels, ordered) + 0.01


def test_scores_without_meaning_for_one_factor_are_left_out_and_all_are_explained(labels, factors, noise):
    alone = scores(noise, labels, factors[1:2])
    assert not {"dci_disentanglement", "factor_vae", "modularity"} & set(alone)
    assert set(scores(noise[:, :3], labels, factors[1:3])) <= set(METRICS)
