"""What metrics are given is checked at the door, and the perfect code is what it says."""

import numpy as np
import pytest
import torch

from mmvae.metrics.codes import above_chance, as_classes, as_codes, as_labels, folds, hold_out, perfect_code, reference, standard_error


def test_an_ordered_factor_is_its_standardised_value_and_a_class_is_one_point(labels, factors):
    code = perfect_code(labels, factors)
    assert code.shape == (3000, 7)  # four dimensions for identity, one for each ordered factor
    azimuth = labels["azimuth"].astype(float)
    np.testing.assert_allclose(code[:, 4], (azimuth - azimuth.mean()) / azimuth.std(), atol=1e-6)
    points = {tuple(row) for row in code[labels["identity"] == 7, :4].round(12)}
    assert len(points) == 1
    assert len({tuple(row) for row in code[:, :4].round(12)}) == 50


def test_dimensions_left_over_hold_noise_and_a_narrow_code_gives_classes_fewer(labels, factors):
    wide = perfect_code(labels, factors, width=9)
    assert wide.shape == (3000, 9)
    assert abs(np.corrcoef(wide[:, 7:].T)[0, 1]) < 0.1
    np.testing.assert_allclose(wide[:, 7:].std(axis=0), 1, atol=0.05)
    assert perfect_code(labels, factors, width=4).shape == (3000, 4)


def test_a_code_with_fewer_dimensions_than_factors_is_refused(labels, factors):
    with pytest.raises(ValueError, match="4 factors do not fit a code of 3 dimensions; give it 4 or more"):
        perfect_code(labels, factors, width=3)


def test_items_of_one_group_stay_on_one_side():
    groups = np.repeat(np.arange(100), 7)
    train, test = hold_out(700, seed=0, groups=groups)
    assert set(groups[train]).isdisjoint(groups[test])
    assert len(set(groups[test])) == 30
    assert sorted([*train, *test]) == list(range(700))


def test_folds_test_every_item_once_and_keep_groups_together():
    groups = np.repeat(np.arange(100), 7)
    parts = list(folds(700, seed=0, groups=groups))
    assert len(parts) == 5 and sorted(np.concatenate([test for _, test in parts])) == list(range(700))
    assert all(set(groups[train]).isdisjoint(groups[test]) and len(train) + len(test) == 700 for train, test in parts)


def test_the_error_of_independent_items_is_their_deviation_over_the_root_of_their_number():
    values = np.random.default_rng(0).standard_normal(50)
    assert standard_error(values) == pytest.approx(values.std(ddof=1) / np.sqrt(50))
    assert np.isnan(standard_error(values, np.zeros(50)))


def test_items_that_repeat_say_no_more_than_one_of_them():
    values = np.random.default_rng(0).standard_normal(50)
    assert standard_error(np.repeat(values, 10), np.repeat(np.arange(50), 10)) == pytest.approx(standard_error(values))
    assert standard_error(np.repeat(values, 10)) < standard_error(values) / 3


def test_the_split_depends_on_the_seed_alone():
    np.testing.assert_array_equal(hold_out(50, 3)[1], hold_out(50, 3)[1])
    assert not np.array_equal(hold_out(50, 3)[1], hold_out(50, 4)[1])


def test_many_distinct_values_become_quantile_classes_and_few_stay_apart():
    classes = as_classes(np.random.default_rng(0).standard_normal(2000))
    assert np.bincount(classes).tolist() == [100] * 20
    assert as_classes(np.array([3.0, -1.0, 3.0, 8.0])).tolist() == [1, 0, 1, 2]


def test_accuracy_above_chance_is_zero_for_the_commonest_class_and_one_for_all_right():
    expected = np.array([0, 0, 0, 1])
    assert above_chance(np.zeros(4), expected) == (0.0, 0.75)
    assert above_chance(expected, expected) == (1.0, 0.75)


def test_the_reference_judges_the_code_of_all_factors_by_those_asked_for(labels, factors, ordered):
    def seen(codes, labels, judged):
        return codes.shape[1], tuple(factor.name for factor in judged)

    assert reference(seen, labels, factors, width=9, judged=ordered) == (9, ("azimuth", "elevation", "lighting"))


def test_tensors_are_taken_as_codes():
    assert as_codes(torch.ones(3, 2)).dtype == np.float64


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.ones(5), r"shape \(5,\); expected \(items, dimensions\)"),
        (np.ones((0, 3)), r"shape \(0, 3\)"),
        (np.array([[1.0, np.nan], [np.inf, 0.0]]), "2 values that are not finite"),
    ],
)
def test_codes_that_cannot_be_judged_are_refused(codes, message):
    with pytest.raises(ValueError, match=message):
        as_codes(codes)


def test_labels_that_do_not_fit_are_refused_by_name(labels, factors):
    with pytest.raises(ValueError, match="no labels for factor 'identity'; there are labels for azimuth"):
        as_labels({"azimuth": labels["azimuth"]}, factors, 3000)
    with pytest.raises(ValueError, match=r"'identity' have shape \(3000,\); expected \(10,\)"):
        as_labels(labels, factors, 10)
    with pytest.raises(ValueError, match="'identity' has one value only among these 5 items"):
        as_labels({"identity": np.zeros(5, dtype=int)}, factors[:1], 5)
    with pytest.raises(ValueError, match="no factor given"):
        as_labels(labels, (), 3000)
