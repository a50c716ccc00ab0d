"""The estimate is checked on a linear Gaussian model, whose likelihood is known: z ~ N(0, 1), x | z ~ N(z, 1), x ~ N(0, 2)."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from mmvae.metrics.likelihood import bits_per_dim, importance_weighted

RNG = np.random.default_rng(0)
X = RNG.normal(0, math.sqrt(2), size=300)
EXACT = norm.logpdf(X, scale=math.sqrt(2))


def log_weights(mean, deviation, samples):
    z = mean[:, None] + deviation * np.random.default_rng(1).standard_normal((len(X), samples))
    return norm.logpdf(z) + norm.logpdf(X[:, None], loc=z) - norm.logpdf(z, loc=mean[:, None], scale=deviation)


def test_the_exact_posterior_gives_the_likelihood_from_a_single_sample():
    found = importance_weighted(log_weights(X / 2, math.sqrt(0.5), 1))
    np.testing.assert_allclose(found.per_item, EXACT, atol=1e-9)
    assert found.mean == pytest.approx(EXACT.mean())
    assert found.stderr == pytest.approx(EXACT.std(ddof=1) / math.sqrt(300))


def test_a_wrong_posterior_reaches_the_likelihood_with_many_samples_from_below():
    few, many = (importance_weighted(log_weights(np.zeros_like(X), 1.0, samples)) for samples in (1, 4000))
    assert few.mean < EXACT.mean() - 0.2
    np.testing.assert_allclose(many.per_item, EXACT, atol=0.25)
    assert many.mean == pytest.approx(EXACT.mean(), abs=0.01)
    assert many.samples == 4000


def test_a_single_sample_is_the_evidence_lower_bound():
    weights = log_weights(np.zeros_like(X), 1.0, 1)
    assert importance_weighted(weights).mean == pytest.approx(weights.mean())


def test_the_stated_noise_is_the_spread_between_repetitions():
    weights = log_weights(np.zeros_like(X), 1.0, 200 * 40).reshape(len(X), 40, 200)
    repeated = np.stack([importance_weighted(weights[:, i]).per_item for i in range(40)])
    stated = np.mean([importance_weighted(weights[:, i]).noise for i in range(40)])
    assert stated == pytest.approx(repeated.std(axis=0, ddof=1).mean(), rel=0.1)


def test_equal_weights_are_all_effective_and_one_giant_is_alone():
    even, giant = np.zeros((2, 8)), np.zeros((2, 8))
    giant[:, 3] = 50
    assert importance_weighted(even).effective == pytest.approx(8)
    assert importance_weighted(even).noise == pytest.approx(0, abs=1e-6)
    assert importance_weighted(giant).effective == pytest.approx(1)


def test_weights_far_below_the_smallest_float_are_fine_and_a_sample_of_density_zero_too():
    assert importance_weighted(np.full((3, 4), -5000.0)).mean == pytest.approx(-5000)
    assert importance_weighted([[0.0, -np.inf]]).mean == pytest.approx(-math.log(2))


@pytest.mark.parametrize("weights", [[[np.nan, 0.0]], [[np.inf, 0.0]], [[-np.inf, -np.inf]]])
def test_weights_without_meaning_are_refused(weights):
    with pytest.raises(ValueError, match="NaN, .∞ or all −∞"):
        importance_weighted(weights)


def test_weights_need_items_and_samples():
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        importance_weighted(np.zeros(3))


def test_uniform_integers_cost_their_eight_bits():
    assert bits_per_dim(-784 * math.log(256), 784) == pytest.approx(8)  # a probability of the integers
    assert bits_per_dim(0.0, 784, levels=256) == pytest.approx(8)  # a density of 1 on images scaled to 0…1
    with pytest.raises(ValueError, match="dims is 0"):
        bits_per_dim(0.0, 0)
