"""The matrix is checked on blocks whose content is known, down to the share of variance that noise leaves."""

import numpy as np
import pytest

from mmvae.data import Factor
from mmvae.metrics.leakage import leakage, perfect_blocks

OWNERS = {"z_elevation": "elevation", "z_lighting": "lighting", "z_shared": None}
DIMS = {"z_elevation": 2, "z_lighting": 2, "z_shared": 5}


def test_a_perfect_model_reads_one_where_the_block_owns_the_factor_and_zero_elsewhere(labels, factors):
    found = leakage(perfect_blocks(labels, factors, OWNERS, DIMS), labels, factors)
    owned = np.array([[factor.owner == owner for factor in factors] for owner in OWNERS.values()])
    assert found.values[owned].min() > 0.99
    assert np.abs(found.values[~owned]).max() < 0.04
    assert found.measures == ("accuracy above chance", "R²", "R²", "R²")
    assert found.shown.min() >= 0


def test_a_model_with_one_block_keeps_all_there(labels, factors):
    blocks = perfect_blocks(labels, factors, {"z_shared": None}, {"z_shared": 10})
    assert leakage(blocks, labels, factors).values.min() > 0.99


def test_a_factor_without_a_block_is_refused(labels, factors):
    with pytest.raises(ValueError, match="factor 'identity' has no block"):
        perfect_blocks(labels, factors, {"z_elevation": "elevation"}, {"z_elevation": 2})


def test_a_leak_in_noise_of_equal_variance_reads_half(labels, ordered, noise):
    azimuth = labels["azimuth"]
    block = np.column_stack([azimuth / azimuth.std() + noise[:, 0], noise[:, 1]])
    assert leakage({"z": block}, labels, ordered[:1]).cell("z", "azimuth") == pytest.approx(0.5, abs=0.05)


def test_a_class_that_some_items_belie_reads_as_often_as_they_tell_the_truth(noise):
    rng = np.random.default_rng(0)
    side = rng.integers(2, size=3000)
    told = np.where(rng.random(3000) < 0.2, 1 - side, side)
    block = np.column_stack([told + 0.05 * noise[:, 0]])
    found = leakage({"z": block}, {"side": side}, (Factor("side", "categorical", ("left", "right")),))
    honest, chance = np.mean(told == side), max(np.mean(side), 1 - np.mean(side))
    assert found.cell("z", "side") == pytest.approx((honest - chance) / (1 - chance), abs=0.01)
    assert found.chance[0] == pytest.approx(chance)


def test_identity_is_read_through_a_curve_a_rotation_and_noise(labels, factors, noise):
    shared = perfect_blocks(labels, factors, OWNERS, DIMS)["z_shared"]
    rng = np.random.default_rng(1)
    curved = shared + np.sin(0.7 * shared @ rng.standard_normal((5, 5)))
    turned = curved @ np.linalg.qr(rng.standard_normal((5, 5)))[0] + 0.1 * noise[:, :5]
    found = leakage({"z": turned}, labels, factors)
    assert found.cell("z", "identity") > 0.95
    assert found.cell("z", "azimuth") > 0.85


def test_a_probe_cannot_recognise_images_that_it_was_told_apart_by_group(labels, factors):
    # 300 images, each met ten times with its own identity; the code is noise drawn once for each image
    rng = np.random.default_rng(2)
    image = np.repeat(np.arange(300), 10)
    codes = rng.standard_normal((300, 2))[image]
    identity = {"identity": rng.integers(50, size=300)[image]}
    assert leakage({"z": codes}, identity, factors[:1]).cell("z", "identity") > 0.3
    assert leakage({"z": codes}, identity, factors[:1], groups={"z": image}).cell("z", "identity") < 0.1


def test_the_error_is_that_of_the_images_where_each_is_met_several_times(ordered):
    # a code that knows half of a factor's variance, over and over: 30 other images say how far the figure would move
    def found(seed, repeats=1):
        rng = np.random.default_rng(seed)
        value = rng.standard_normal(400)
        code = (value + rng.standard_normal(400))[:, None]
        image = np.repeat(np.arange(400), repeats)
        return leakage({"z": code[image]}, {"azimuth": value[image]}, ordered[:1], {"z": image}, seed)

    cells = [found(seed) for seed in range(30)]
    said = np.mean([each.errors[0, 0] for each in cells])
    assert said == pytest.approx(np.std([each.values[0, 0] for each in cells], ddof=1), rel=0.5)
    assert found(0, repeats=5).errors[0, 0] == pytest.approx(said, rel=0.5)
