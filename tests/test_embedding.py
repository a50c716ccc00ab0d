"""Maps are checked against direct sums, brute force and scikit-learn, and by what they promise to a page."""

import threading

import numpy as np
import pytest
from sklearn import manifold

from mmvae import embedding as module
from mmvae.embedding import (
    PCA, TSNE, UMAP, Cancelled, Embedding, cached_embed, embed, params_from_json, params_to_json, preservation, warm_up,
)  # fmt: skip
from mmvae.layouts import RepulsionField, curve, fuzzy_weights, nearest, perplexity_weights

QUICK = {"tsne": TSNE(iterations=150, perplexity=15), "umap": UMAP(epochs=60)}


@pytest.fixture(scope="module", params=list(QUICK))
def params(request):
    return QUICK[request.param]


@pytest.fixture(scope="module")
def codes():
    """Four elongated clusters in eight dimensions: 480 codes and, at [480:], 20 more to place."""
    generator = np.random.default_rng(3)
    centres = 3 * generator.normal(size=(4, 8))
    return (centres[np.arange(500) % 4] + generator.normal(size=(500, 8)) * np.linspace(1.2, 0.2, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def embedded(codes, params):
    return embed(codes[:480], params)


def brute_force(points, queries=None):
    asked = points if queries is None else queries
    distances = np.linalg.norm(asked[:, None].astype(np.float64) - points[None], axis=2)
    if queries is None:
        np.fill_diagonal(distances, np.inf)
    return distances


@pytest.mark.parametrize("shift", [0.0, 1000.0])
def test_nearest_is_what_brute_force_finds(shift):
    points = (np.random.default_rng(0).normal(size=(2300, 5)) + shift).astype(np.float32)  # more than one tile
    for queries in (None, points[:40] + 0.1):
        ids, distances = nearest(points, 12, queries)
        expected = np.sort(brute_force(points, queries), axis=1)[:, :12]
        np.testing.assert_allclose(distances, expected, rtol=1e-3 if shift else 1e-5)
        asked = points if queries is None else queries
        np.testing.assert_allclose(np.linalg.norm(points[ids] - asked[:, None], axis=2), distances, rtol=1e-4)


def test_nearest_refuses_more_neighbours_than_there_are():
    with pytest.raises(ValueError, match="cannot find 5 neighbours among 4 codes; ask for 1 to 4"):
        nearest(np.zeros((5, 2), np.float32), 5)


def test_perplexity_weights_have_the_perplexity_asked_for():
    distances = np.sort(np.random.default_rng(0).gamma(9.0, size=(30, 60)).astype(np.float32), axis=1)
    weights = perplexity_weights(distances, 20.0).astype(np.float64)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.exp(-(weights * np.log(weights)).sum(axis=1)), 20, rtol=1e-3)


def test_fuzzy_weights_hold_the_nearest_fully_and_sum_to_the_target():
    distances = np.sort(np.random.default_rng(0).gamma(9.0, size=(30, 14)).astype(np.float32), axis=1)
    weights = fuzzy_weights(distances, np.log2(15))
    np.testing.assert_array_equal(weights[:, 0], 1)
    np.testing.assert_allclose(weights.sum(axis=1), np.log2(15), rtol=1e-3)


def test_the_curve_of_the_default_min_dist_is_umaps():
    assert curve(0.1) == pytest.approx((1.5769, 0.8951), abs=1e-3)  # printed by umap-learn 0.5


@pytest.mark.parametrize("spread", [1.0, 4.0, 12.0])
def test_repulsion_on_a_grid_is_the_sum_over_pairs(spread):
    positions = np.random.default_rng(0).normal(scale=spread, size=(400, 2)).astype(np.float32)
    gap = positions[:, None].astype(np.float64) - positions[None]
    similarity = 1 / (1 + np.square(gap).sum(axis=2))
    expected = (similarity[..., None] ** 2 * gap).sum(axis=1)
    repulsion = np.empty_like(positions)
    pairs = RepulsionField()(positions, repulsion)
    assert pairs == pytest.approx(similarity.sum() - 400, rel=0.01)
    assert np.linalg.norm(repulsion - expected) < 0.05 * np.linalg.norm(expected)


def test_pca_has_the_variances_of_the_singular_values_and_places_exactly(codes):
    embedded = embed(codes, PCA())
    singular = np.linalg.svd(codes - codes.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(embedded.positions, axis=0), singular[:2], rtol=1e-4)
    np.testing.assert_allclose(embedded.place(codes), embedded.positions, atol=1e-4)
    halfway = embedded.place((codes[:1] + codes[1:2]) / 2)
    np.testing.assert_allclose(halfway[0], embedded.positions[:2].mean(axis=0), atol=1e-4)


def test_pca_of_one_dimension_and_of_one_code_is_a_line_and_a_point():
    line = embed(np.arange(5.0)[:, None], PCA()).positions
    np.testing.assert_allclose(line, [[x, 0] for x in (-2, -1, 0, 1, 2)], atol=1e-6)
    np.testing.assert_array_equal(embed(np.ones((1, 3)), PCA()).positions, [[0, 0]])


def test_a_seed_decides_the_map(codes, params, embedded):
    again = embed(codes[:480], params)
    np.testing.assert_array_equal(again.positions, embedded.positions)
    other = embed(codes[:480], type(params)(**{**vars(params), "seed": 7}))
    assert not np.array_equal(other.positions, embedded.positions)


def test_a_map_keeps_more_neighbours_than_pca(codes, embedded):
    trust, recall = preservation(codes[:480], embedded.positions)
    linear_trust, linear_recall = preservation(codes[:480], embed(codes[:480], PCA()).positions)
    assert trust > linear_trust + 0.01 and recall > linear_recall + 0.1


def test_tsne_keeps_as_many_neighbours_as_scikit_learns(codes):
    few = codes[:300]
    reference = manifold.TSNE(random_state=0).fit_transform(few)
    assert preservation(few, embed(few, TSNE()).positions) == pytest.approx(preservation(few, reference), abs=0.01)


def test_preservation_is_scikit_learns_trustworthiness_and_the_share_of_true_neighbours(codes):
    positions = codes[:, :2]
    trust, recall = preservation(codes, positions, neighbours=10)
    assert trust == pytest.approx(manifold.trustworthiness(codes, positions, n_neighbors=10), abs=1e-6)
    true, found = (np.argsort(brute_force(x), axis=1)[:, :10] for x in (codes, positions))
    assert recall == pytest.approx(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(true, found, strict=True)]))
    assert preservation(codes, codes) == (1, 1)


def test_frames_start_with_pca_and_rise_to_the_result(codes, params):
    frames = []
    embedded = embed(codes[:480], params, on_frame=lambda progress, positions: frames.append((progress, positions)))
    progress = [share for share, _ in frames]
    assert progress[0] == 0 and progress[-1] == 1 and all(a < b for a, b in zip(progress, progress[1:], strict=False))
    assert 20 <= len(frames) <= module.FRAMES + 2
    np.testing.assert_array_equal(frames[0][1], embed(codes[:480], PCA()).positions)
    np.testing.assert_array_equal(frames[-1][1], embedded.positions)
    assert len({positions.tobytes() for share, positions in frames if share > 0.2}) > 20  # frames are not one array seen often


def test_cancelling_stops_between_two_frames(codes, params):
    frames = []
    with pytest.raises(Cancelled, match=f"{params.title} of 480 codes was stopped at"):
        embed(codes[:480], params, lambda progress, _: frames.append(progress), cancelled=lambda: len(frames) > 30)
    assert len(frames) == 31


def test_an_embedded_code_is_placed_on_its_own_point_and_a_new_one_among_its_cluster(codes, embedded):
    np.testing.assert_array_equal(embedded.place(codes[:480]), embedded.positions)
    distances = np.linalg.norm(embedded.place(codes[480:])[:, None] - embedded.positions[None], axis=2)
    near = np.argsort(distances, axis=1)[:, :10]
    assert (near % 4 == np.arange(480, 500)[:, None] % 4).mean() > 0.95
    true = np.argsort(brute_force(codes[:480], codes[480:]), axis=1)[:, :10]
    kept = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(near, true, strict=True)])
    assert kept > 0.8 * preservation(codes[:480], embedded.positions, neighbours=10)[1]


def test_placing_refuses_codes_of_another_dimension(embedded):
    with pytest.raises(ValueError, match="made from codes with 8 dimensions, got 3"):
        embedded.place(np.zeros((1, 3)))


def test_a_saved_map_comes_back_whole(tmp_path, codes, embedded):
    embedded.save(tmp_path / "map.npz")
    loaded = Embedding.load(tmp_path / "map.npz")
    assert loaded.params == embedded.params
    np.testing.assert_array_equal(loaded.positions, embedded.positions)
    np.testing.assert_array_equal(loaded.place(codes[480:]), embedded.place(codes[480:]))
    assert [file.name for file in tmp_path.iterdir()] == ["map.npz"]


def test_codes_are_rounded_only_where_that_does_no_harm(codes):
    assert embed(codes, PCA()).codes.dtype == np.float16
    assert embed(codes + 500, PCA()).codes.dtype == np.float32
    assert embed(codes * 1e6, PCA()).codes.dtype == np.float32


def test_the_cache_gives_the_same_map_without_computing_it(tmp_path, codes, params, monkeypatch):
    first = cached_embed(codes[:200], params, tmp_path / "maps")
    monkeypatch.setattr(module, "embed", lambda *_: pytest.fail("computed again"))
    frames = []
    second = cached_embed(codes[:200], params, tmp_path / "maps", lambda progress, _: frames.append(progress))
    np.testing.assert_array_equal(second.positions, first.positions)
    assert frames == [1.0]


def test_a_map_is_there_though_it_cannot_be_kept(tmp_path, codes):
    (tmp_path / "maps").write_text("a file where the folder should be")
    np.testing.assert_array_equal(cached_embed(codes, PCA(), tmp_path / "maps").positions, embed(codes, PCA()).positions)


def test_other_codes_parameters_and_algorithms_have_other_cache_entries(tmp_path, codes, monkeypatch):
    cached_embed(codes, PCA(), tmp_path)
    cached_embed(codes + 1, PCA(), tmp_path)
    cached_embed(codes[:50], TSNE(iterations=50), tmp_path)
    cached_embed(codes[:50], TSNE(iterations=50, seed=1), tmp_path)
    monkeypatch.setattr(module, "ALGORITHM", module.ALGORITHM + 1)
    cached_embed(codes, PCA(), tmp_path)
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "flipped", "another map's arrays"])
def test_a_damaged_cache_entry_is_computed_again(tmp_path, codes, damage):
    first = cached_embed(codes, PCA(), tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    if damage == "another map's arrays":
        misfit = {"positions": np.zeros((3, 2)), "codes": codes, "mean": first.mean, "axes": first.axes}
        np.savez(path, params=np.array(params_to_json(PCA())), **misfit)
    else:
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 64]) + whole[middle + 64 :]
        path.write_bytes({"truncated": whole[:middle], "garbage": b"no archive", "empty": b"", "flipped": flipped}[damage])
    with pytest.raises(ValueError, match="no readable map"):
        Embedding.load(path)
    np.testing.assert_array_equal(cached_embed(codes, PCA(), tmp_path).positions, first.positions)
    np.testing.assert_array_equal(Embedding.load(path).positions, first.positions)


def test_equal_codes_and_single_dimensions_do_not_break_a_map(params):
    for awkward in (np.zeros((40, 3)), np.repeat(np.eye(4), 10, axis=0), np.linspace(0, 1, 40)[:, None], np.eye(4)):
        embedded = embed(awkward, params)
        assert np.isfinite(embedded.positions).all()
        assert np.isfinite(embedded.place(awkward + 0.1)).all()


def test_codes_that_cannot_be_embedded_are_refused_by_name(params):
    broken = np.zeros((10, 3))
    broken[[4, 7]] = np.nan
    with pytest.raises(ValueError, match="2 of 10 codes are not finite, the first at row 4"):
        embed(broken, params)
    with pytest.raises(ValueError, match=f"{params.title} needs at least 4 codes, got 3"):
        embed(np.zeros((3, 3)), params)
    with pytest.raises(ValueError, match=r"shape \[N, D\]"):
        embed(np.zeros(5), params)


@pytest.mark.parametrize("params", [PCA(), TSNE(perplexity=12.5, seed=3), UMAP(neighbours=40, epochs=99), UMAP()])
def test_parameters_survive_json(params):
    assert params_from_json(params_to_json(params)) == params


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no parameters of a map"),
        ("[1]", "no parameters of a map"),
        ('{"method": "mds"}', "no method 'mds'; choose pca, tsne, umap"),
        ('{"method": "tsne", "neighbours": 3}', "wrong parameters for tsne"),
        ('{"method": "tsne", "perplexity": NaN}', "perplexity is nan; choose 2 to 200"),
        ('{"method": "umap", "min_dist": -1}', "min_dist is -1; choose 0 to 2"),
    ],
)
def test_parameters_that_mean_nothing_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        params_from_json(text)


def test_warming_up_compiles_once_however_many_threads_ask(monkeypatch):
    calls = []
    monkeypatch.setattr(module, "_warm", False)
    monkeypatch.setattr(module, "embed", lambda *args: calls.append(args) or embed(*args))
    threads = [threading.Thread(target=warm_up) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    warm_up()
    assert [params.method for _, params in calls] == ["tsne", "umap"]
