"""t-SNE's repulsion is checked against sums over all pairs at any span, and the maps of few codes against scikit-learn's."""

import numpy as np
import pytest
from sklearn import manifold
from sklearn.decomposition import PCA

from mmvae import layouts
from mmvae.embedding import preservation
from mmvae.layouts import RepulsionField, sum_over_pairs, tsne_layout, umap_layout


def around_one_centre(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 5)).astype(np.float32)


def in_three_clusters(count, seed=0):
    generator = np.random.default_rng(seed)
    return (4 * generator.normal(size=(3, 5))[np.arange(count) % 3] + 0.5 * generator.normal(size=(count, 5))).astype(np.float32)


def last(frames):
    for _, positions in frames:
        pass
    return positions


def tsne(codes, perplexity=30.0, iterations=750, exaggeration=12.0):
    return last(tsne_layout(codes, PCA(2).fit_transform(codes), perplexity, iterations, exaggeration, seed=0))


def scattered(count, span):
    positions = np.random.default_rng(0).normal(size=(count, 2))
    return (positions * (span / np.ptp(positions, axis=0).max())).astype(np.float32)


def true_repulsion(positions):
    gap = positions[:, None].astype(np.float64) - positions[None]
    similarity = 1 / (1 + np.square(gap).sum(axis=2))
    np.fill_diagonal(similarity, 0)
    return (similarity[..., None] ** 2 * gap).sum(axis=1), similarity.sum()


@pytest.mark.parametrize("span", [1e-20, 1e-9, 1e-7, 1e-5, 1e-2, 1.0, 5.0, 11.9, 12.1, 100.0])
def test_repulsion_on_a_grid_is_true_at_any_span(span):
    positions = scattered(400, span)
    expected, pairs = true_repulsion(positions)
    found = np.empty_like(positions)
    assert RepulsionField()(positions, found) == pytest.approx(pairs, rel=0.01)
    assert np.linalg.norm(found - expected) < 0.03 * np.linalg.norm(expected)


def test_a_grid_follows_a_map_that_shrinks_and_opens_again():
    field = RepulsionField()
    for span in (1e-3, 1e-6, 1e-9, 2e-9, 1e-4, 1.0, 40.0):
        positions = scattered(400, span)
        expected, _ = true_repulsion(positions)
        found = np.empty_like(positions)
        field(positions, found)
        assert np.linalg.norm(found - expected) < 0.03 * np.linalg.norm(expected)


def test_points_too_far_apart_for_the_grid_are_refused():
    positions = scattered(400, 3000.0)
    with pytest.raises(ValueError, match="400 points over 3,000 map units are too far apart"):
        RepulsionField()(positions, np.empty_like(positions))


@pytest.mark.parametrize("count, span", [(4, 1e-9), (6, 2000.0), (33, 1e-5), (400, 1.0), (400, 3000.0)])
def test_repulsion_pair_by_pair_is_true_at_any_span(count, span):
    positions = scattered(count, span)
    expected, pairs = true_repulsion(positions)
    found = np.empty_like(positions)
    assert sum_over_pairs(positions, found) == pytest.approx(pairs, rel=1e-5)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    "codes, count, perplexity",
    [(codes, *case) for codes in (around_one_centre, in_three_clusters) for case in ((8, 30), (10, 30), (16, 5), (33, 30), (60, 5), (60, 30))]
    + [(around_one_centre, 300, 100)],
)
def test_tsne_of_few_codes_keeps_as_many_neighbours_as_scikit_learns(codes, count, perplexity):
    codes = codes(count)
    near = min(15, (count - 1) // 3)
    found = tsne(codes, perplexity)
    reference = manifold.TSNE(perplexity=min(perplexity, (count - 1) / 3), random_state=0).fit_transform(codes)
    trust, recall = preservation(codes, found, near)
    expected_trust, expected_recall = preservation(codes, reference, near)
    assert trust > expected_trust - 0.05 and recall > expected_recall - 0.07
    assert 5 < np.ptp(found, axis=0).max() < 200


@pytest.mark.parametrize("directly", [True, False])
def test_exaggeration_that_draws_all_points_into_one_gives_way(monkeypatch, directly):
    monkeypatch.setattr(layouts, "_SUMMED_DIRECTLY", 2000 if directly else 0)
    codes = around_one_centre(300)
    spans = [np.ptp(positions) for _, positions in tsne_layout(codes, codes[:, :2], 100.0, 750, 50.0, seed=0)]
    assert min(spans[2:]) > 1e-7 and 5 < spans[-1] < 20
    assert spans[240] > 1, "the map waits for the end of an exaggeration that had drawn it into one point"
    assert preservation(codes, tsne(codes, 100.0, exaggeration=50.0))[0] > 0.85


def test_exaggeration_that_parts_clusters_stays(monkeypatch):
    codes = in_three_clusters(400)
    usual = tsne(codes)
    monkeypatch.setattr(layouts, "_COLLAPSED", 0.0)
    np.testing.assert_array_equal(tsne(codes), usual)


@pytest.mark.parametrize("codes", [around_one_centre, in_three_clusters])
@pytest.mark.parametrize("count", [4, 5, 8, 16, 33, 60, 200])
@pytest.mark.parametrize("neighbours", [15, 100])
def test_umap_of_few_codes_neither_collapses_nor_flies_apart(codes, count, neighbours):
    codes = codes(count)
    found = last(umap_layout(codes, PCA(2).fit_transform(codes), neighbours, 0.1, 500, seed=0))
    assert 0.5 < np.ptp(found, axis=0).max() < 100
    if count >= 16:
        assert preservation(codes, found, min(15, count // 3))[0] > 0.8
