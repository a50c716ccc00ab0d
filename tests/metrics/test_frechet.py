"""The distance is checked against its formula with a general matrix root, and where it is known."""

import numpy as np
import pytest
import scipy.linalg

from mmvae.metrics.frechet import frechet_distance

RNG = np.random.default_rng(0)


def test_distance_follows_the_formula():
    first = RNG.standard_normal((500, 6)) @ RNG.standard_normal((6, 6))
    second = RNG.standard_normal((400, 6)) @ RNG.standard_normal((6, 6)) + 2
    cov1, cov2 = np.cov(first.T), np.cov(second.T)
    shift = first.mean(axis=0) - second.mean(axis=0)
    expected = shift @ shift + np.trace(cov1 + cov2 - 2 * np.real(scipy.linalg.sqrtm(cov1 @ cov2)))
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(second, first) == pytest.approx(expected, rel=1e-8)


def test_one_feature_differs_by_mean_and_deviation():
    line = RNG.standard_normal((1000, 1))
    line = (line - line.mean()) / line.std(ddof=1)
    assert frechet_distance(line, 3 * line + 5) == pytest.approx(25 + (3 - 1) ** 2)


def test_a_set_has_no_distance_to_itself_even_where_features_repeat():
    features = np.repeat(RNG.standard_normal((50, 4)), 3, axis=1)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-6)


def test_sets_of_other_features_are_refused():
    with pytest.raises(ValueError, match="as many columns"):
        frechet_distance(np.ones((5, 3)), np.ones((5, 2)))
