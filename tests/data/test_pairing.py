"""Pairs are checked against the labels and splits they are made of, counted one by one."""

import numpy as np
import pytest
import torch

from mmvae.data import SPLITS, DataError
from mmvae.data.augment import jitter_colour, warp
from mmvae.data.pairing import Pairing, grouped_split


def some_labels(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    splits = np.arange(n) % 3
    return np.where(np.arange(n) < 9, np.arange(n) // 3, rng.integers(0, 3, n)), splits  # every label in every split


@pytest.fixture
def pairing() -> Pairing:
    first, first_splits = some_labels(300, 1)
    second, second_splits = some_labels(70, 2)
    return Pairing(first, second, first_splits, second_splits)


def test_an_id_names_both_images(pairing):
    assert pairing.ids(np.array([2, 5]), np.array([3, 69])).tolist() == [2 * 70 + 3, 5 * 70 + 69]
    first, second = pairing.indices(pairing.split("train"))
    assert torch.equal(pairing.ids(first, second), pairing.split("train"))


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_pairs_each_of_its_first_images_once_with_its_own_second_images_of_that_label(pairing, split):
    first, second = np.divmod(pairing.split(split).numpy(), 70)
    index = SPLITS.index(split)
    assert first.tolist() == [i for i in range(300) if i % 3 == index]
    assert set(second % 3) == {index}
    assert (pairing.first[first] == pairing.second[second]).all()
    for label in range(3):  # the shorter side goes round: no image is used twice more often than another
        usable = (pairing.second == label) & (np.arange(70) % 3 == index)
        uses = np.bincount(second[pairing.first[first] == label], minlength=70)[usable]
        assert uses.max() - uses.min() <= 1


@pytest.mark.parametrize("split", SPLITS)
def test_drawn_pairs_depend_on_the_generator_alone_and_reach_every_pair_of_the_split(pairing, split):
    drawn = pairing.draw(split, 30_000, np.random.default_rng(0))
    assert torch.equal(drawn, pairing.draw(split, 30_000, np.random.default_rng(0)))
    assert not torch.equal(drawn, pairing.draw(split, 30_000, np.random.default_rng(1)))
    index = SPLITS.index(split)
    possible = {i * 70 + j for i in range(index, 300, 3) for j in range(index, 70, 3) if pairing.first[i] == pairing.second[j]}
    assert set(drawn.tolist()) == possible


def test_a_pair_of_two_digits_and_an_id_out_of_range_are_refused(pairing):
    unlike = int(np.flatnonzero(pairing.second != pairing.first[0])[0])
    with pytest.raises(DataError, match=f"item {unlike}: its images show 0 and"):
        pairing.indices([unlike])
    for bad in (-1, 300 * 70):
        with pytest.raises(DataError, match=f"item {bad}: no such pair; ids run from 0 to 20999"):
            pairing.indices([bad])
    with pytest.raises(ValueError, match="'training' is none of train, validation, test"):
        pairing.split("training")


def test_a_label_with_nothing_to_pair_with_is_refused():
    with pytest.raises(ValueError, match="split 'test': no second image with label 1"):
        Pairing(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 1]), np.array([0, 1, 2, 2]), np.array([0, 1, 2, 0]))


def test_groups_stay_whole_and_labels_keep_their_shares():
    rng = np.random.default_rng(0)
    labels, groups = rng.integers(0, 10, 6000), rng.integers(0, 3000, 6000)
    splits = grouped_split(labels, groups, validation=0.05, test=0.12, seed=0)
    assert all(len(set(splits[groups == group])) == 1 for group in np.unique(groups))
    shares = np.array([[np.mean(splits[labels == label] == s) for s in range(3)] for label in range(10)])
    np.testing.assert_allclose(shares, np.tile([0.83, 0.05, 0.12], (10, 1)), atol=0.01)
    assert (splits == grouped_split(labels, groups, validation=0.05, test=0.12, seed=0)).all()


def test_a_warp_within_no_bounds_changes_nothing_and_a_shift_moves_pixels():
    images = torch.rand(3, 1, 28, 28)
    still = {"degrees": 0, "scale": 0, "shear": 0, "shift": 0}
    torch.testing.assert_close(warp(images, np.random.default_rng(0), **still), images, atol=1e-5, rtol=0)
    spot = torch.zeros(200, 1, 28, 28)
    spot[:, :, 14, 14] = 1
    moved = warp(spot, np.random.default_rng(0), degrees=0, scale=0, shear=0, shift=2)
    columns = (moved.sum(dim=2) * torch.arange(28)).sum(dim=(1, 2))
    assert 11.9 < columns.min() < 12.3 and 15.7 < columns.max() < 16.1


def test_colours_stay_in_range_and_inversion_is_the_negative():
    images = torch.rand(50, 3, 32, 32)
    jittered = jitter_colour(images, np.random.default_rng(0))
    assert 0 <= jittered.min() and jittered.max() <= 1
    negative = jitter_colour(images, np.random.default_rng(0), brightness=0, contrast=0, gain=0, invert=1)
    torch.testing.assert_close(negative, 1 - images)
