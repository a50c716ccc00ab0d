"""Shares and errors are counted by hand."""

import math

import numpy as np
import pytest

from mmvae.data import Factor
from mmvae.metrics.coherence import agreement, preserved

AZIMUTH = Factor("azimuth", "ordered", (-18.0, -9.0, 0.0, 9.0, 18.0), "°")
IDENTITY = Factor("identity", "categorical", ("#00", "#01", "#02"))


def test_agreement_is_the_share_of_equal_classes_with_its_binomial_error():
    predicted, expected = np.arange(100) % 4, np.zeros(100, dtype=int)
    found = agreement(predicted, expected)
    assert found.value == 0.25
    assert found.stderr == pytest.approx(math.sqrt(0.25 * 0.75 / 99))
    assert found.count == 100


def test_several_samples_of_an_item_are_one_item():
    found = agreement([[1, 1, 0, 0], [2, 2, 2, 2]], [1, 2])
    assert found.value == 0.75
    assert found.count == 2
    assert found.stderr == pytest.approx(np.std([0.5, 1.0], ddof=1) / math.sqrt(2))


def test_pairs_from_the_prior_agree_with_each_other():
    assert agreement([3, 1, 4, 1], [3, 1, 4, 5]).value == 0.75


def test_error_is_in_the_unit_and_one_grid_step_counts_as_kept():
    found = preserved(np.array([0.0, 9.0, -27.0, 18.0], dtype=np.float32), np.array([0.0, 0.0, 0.0, 18.0]), AZIMUTH)
    assert found.error == 9.0
    assert found.kept.value == 0.75
    assert found.tolerance == 9.0
    assert math.isnan(found.spread)


def test_the_tolerance_may_be_chosen():
    assert preserved([5.0, 1.0], [0.0, 0.0], AZIMUTH, tolerance=2).kept.value == 0.5


def test_spread_tells_what_varies_between_samples_of_one_item():
    found = preserved([[-9.0, 9.0], [4.0, 4.0]], [0.0, 4.0], AZIMUTH)
    assert found.spread == pytest.approx(math.sqrt((162 + 0) / 2))  # the variance of −9 and 9 is 162, that of 4 and 4 is 0
    assert found.error == 4.5


def test_the_spread_of_two_samples_is_that_of_what_they_are_drawn_from():
    drawn = 57 * np.random.default_rng(0).standard_normal((4000, 2))
    assert preserved(drawn, np.zeros(4000), AZIMUTH).spread == pytest.approx(57, rel=0.03)


def test_items_of_one_cell_are_not_counted_as_independent():
    cell = np.repeat(np.arange(40), 25)
    hits = np.random.default_rng(0).integers(2, size=40)[cell]
    alone, together = (agreement(hits, np.ones(1000), groups) for groups in (None, cell))
    assert together.value == alone.value and together.stderr == pytest.approx(5 * alone.stderr, rel=0.03)
    far = preserved(9.0 * hits, np.zeros(1000), AZIMUTH, groups=cell)
    assert far.stderr == pytest.approx(9 * together.stderr) and far.per_item.mean() == pytest.approx(far.error)


def test_identity_is_kept_or_not():
    found = preserved([[0, 0, 1, 0], [2, 2, 2, 2]], [0, 2], IDENTITY)
    assert found.kept.value == 0.875
    assert found.spread == 0.125
    assert math.isnan(found.error)


@pytest.mark.parametrize(("predicted", "expected"), [([1, 2], [1, 2, 3]), ([], []), ([[1, 2]], [[1, 2, 3]]), ([[[1]]], [1])])
def test_shapes_that_do_not_fit_are_refused(predicted, expected):
    with pytest.raises(ValueError, match="predicted .* and expected"):
        agreement(predicted, expected)
