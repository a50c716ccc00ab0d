"""Clusters, gaps and maps are checked where the answer follows from the construction."""

import numpy as np
import pytest

from mmvae.metrics.clusters import (
    embedding_recall,
    embedding_trustworthiness,
    knn_accuracy,
    linear_probe,
    modality_gap,
    silhouette,
)

RNG = np.random.default_rng(0)
CLASSES = RNG.integers(10, size=1500)
CORNERS = 5 * np.eye(10)[CLASSES]
NOISE = RNG.standard_normal((1500, 10))


def test_two_pairs_of_points_have_the_silhouette_of_their_distances():
    assert silhouette([[0.0], [1.0], [10.0], [11.0]], [0, 0, 1, 1]) == pytest.approx(np.mean([1 - 1 / 10.5, 1 - 1 / 9.5]))


def test_one_point_a_class_has_silhouette_one_and_noise_about_none():
    assert silhouette(CORNERS, CLASSES) == pytest.approx(1)
    assert silhouette(NOISE, CLASSES) == pytest.approx(0, abs=0.05)


def test_a_silhouette_needs_classes():
    with pytest.raises(ValueError, match="1 classes among 4 items"):
        silhouette(np.ones((4, 2)), np.zeros(4))


@pytest.mark.parametrize("probe", [knn_accuracy, linear_probe])
def test_probes_read_classes_apart_and_guess_on_noise(probe):
    apart, guess = probe(CORNERS + 0.5 * NOISE, CLASSES), probe(NOISE, CLASSES)
    assert apart.accuracy > 0.99
    assert guess.above_chance == pytest.approx(0, abs=0.06)
    assert guess.chance == pytest.approx(0.1, abs=0.04)


def test_a_linear_probe_does_not_depend_on_scale():
    codes = CORNERS + 2 * NOISE
    assert linear_probe(codes * 1e-4, CLASSES) == linear_probe(codes, CLASSES)


def test_a_linear_probe_cannot_recognise_an_image_by_its_copies():
    # a code per image, far apart from all others: copies on both sides of a split would tell the class of noise
    image = np.repeat(np.arange(150), 10)
    codes, classes = np.eye(150)[image], np.random.default_rng(1).integers(10, size=150)[image]
    assert linear_probe(codes, classes).accuracy > 0.9
    found = linear_probe(codes, classes, image)
    assert found.above_chance < 0.05 and found.stderr > 2 * linear_probe(codes, classes).stderr


def test_one_code_for_both_modalities_has_no_gap_and_unrelated_codes_have_one():
    assert modality_gap(NOISE, NOISE).ratio == 0
    assert modality_gap(NOISE, RNG.standard_normal(NOISE.shape)).ratio == pytest.approx(1, abs=0.02)


def test_private_noise_opens_the_gap_by_the_share_of_variance():
    # one shared and one private standard normal each: differences have variance 2 within a pair, 4 between pairs
    shared, first, second = RNG.standard_normal((3, 4000, 30))
    gap = modality_gap([[0.0], [3.0]], [[1.0], [5.0]])  # of two items the other is always the other
    assert (gap.paired, gap.random) == (1.5, 3.5)
    assert modality_gap(shared + first, shared + second).ratio == pytest.approx(np.sqrt(2 / 4), abs=0.01)


def test_a_gap_needs_the_same_items_on_both_sides():
    with pytest.raises(ValueError, match="expected two alike"):
        modality_gap(NOISE, NOISE[:10])


def test_a_map_that_keeps_distances_is_trusted_and_a_random_one_is_not():
    plane = NOISE[:, :2]
    turned = 3 * plane @ np.linalg.qr(RNG.standard_normal((2, 2)))[0] + 7
    assert embedding_trustworthiness(plane, turned) == pytest.approx(1)
    assert embedding_recall(plane, turned) == pytest.approx(1)
    random = RNG.standard_normal((1500, 2))
    assert embedding_trustworthiness(plane, random) == pytest.approx(0.5, abs=0.03)
    assert embedding_recall(plane, random) == pytest.approx(10 / 1499, abs=0.005)


def test_a_map_of_other_items_is_refused():
    with pytest.raises(ValueError, match="1500 codes, 3 points"):
        embedding_recall(NOISE, NOISE[:3, :2])
