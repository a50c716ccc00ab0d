"""What a map shows: the codes of a choice, figures of a colouring, jobs that are watched, stopped and kept."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny import TinyPairs, tiny_model

from mmvae import maps
from mmvae.data import DataError, Factor
from mmvae.data.own import OwnPairs
from mmvae.embedding import PCA, TSNE, Cancelled
from mmvae.maps import EACH, PAIR, Choice, Codes, Job, amount_of, check_choice, codes_of, figures_of, gap_of, is_amount, judged, layouts_for, plain, source_blocks
from mmvae.translation import hits


@pytest.fixture(scope="module")
def data() -> TinyPairs:
    return TinyPairs()


def job(folder: Path, data: TinyPairs, params=PCA(), **changes) -> Job:
    model = tiny_model("mumo")
    return Job(model, data, "weights", Choice(**{"blocks": ("z_shared",), "count": 24, **changes}), params, folder)


def test_codes_are_the_posterior_means_of_the_items_drawn(data):
    model = tiny_model("mumo")
    codes = codes_of(model, data, Choice(("z_a", "z_b"), count=10))
    assert len(set(codes.ids)) == 10 and set(codes.ids) <= set(data.split("test").tolist())
    with torch.inference_mode():
        posterior, prior = model.posterior(data.items(codes.ids)[0]), model.prior(10)
    whole = torch.cat([belief.mean for belief in posterior.values()], 1).numpy()
    assert np.allclose(codes.full, whole, atol=1e-5)
    assert np.allclose(codes.shown, np.concatenate([posterior["z_a"].mean, posterior["z_b"].mean], 1), atol=1e-5)
    kl = sum(posterior[name].kl(prior[name]).sum(1) for name in ("z_a", "z_b"))
    assert np.allclose(codes.kl, kl, rtol=1e-4)
    assert np.allclose(codes.labels["brightness"], data.brightness[codes.ids])


def test_a_choice_draws_the_same_items_and_samples_again(data):
    model = tiny_model("mumo")
    first, again, other = (codes_of(model, data, Choice(("z_shared",), sampled=True, count=12, seed=seed)) for seed in (3, 3, 4))
    assert np.array_equal(first.full, again.full) and np.array_equal(first.ids, again.ids)
    assert not np.array_equal(first.ids, other.ids)


def test_each_image_alone_gives_two_points_an_item(data):
    model = tiny_model("mumo")
    codes = codes_of(model, data, Choice(("z_shared",), EACH, count=9))
    assert np.array_equal(codes.ids[:9], codes.ids[9:]) and codes.giver.tolist() == [0] * 9 + [1] * 9
    images, _ = data.items(codes.ids[:9])
    with torch.inference_mode():
        second = model.posterior({"b": images["b"]})["z_shared"].mean.numpy()
    assert np.allclose(codes.shown[9:], second, atol=1e-5)


@pytest.mark.parametrize(("variant", "source", "blocks"), [
    ("mumo", PAIR, ("z_a", "z_shared", "z_b")), ("mumo", EACH, ("z_shared",)), ("mumo", "a", ("z_a", "z_shared")), ("vanilla", "a", ()), ("vanilla", EACH, ()),
])
def test_a_source_offers_the_blocks_it_tells_of(variant, source, blocks):
    assert source_blocks(tiny_model(variant), source) == blocks


def test_a_block_that_the_source_tells_nothing_of_is_refused(data):
    with pytest.raises(ValueError, match="a tells nothing of z_b; choose z_a, z_shared"):
        codes_of(tiny_model("mumo"), data, Choice(("z_b",), "a"))


@pytest.mark.parametrize(("values", "words"), [({"blocks": ()}, "at least one block"), ({"split": "dev"}, "no split"), ({"count": 0}, "map of 0 items")])
def test_a_choice_that_makes_no_sense_says_why(values, words):
    with pytest.raises(ValueError, match=words):
        Choice(**{"blocks": ("z_shared",), **values})


def test_the_error_is_that_of_the_decoded_pictures(data):
    model = tiny_model("mumo")
    codes = codes_of(model, data, Choice(("z_shared",), count=6))
    images, _ = data.items(codes.ids)
    with torch.inference_mode():
        z = dict(zip((b.name for b in model.blocks), torch.from_numpy(codes.full).split([b.dim for b in model.blocks], 1)))
        pictures = model.decode(z)
    expected = [np.mean([((pictures[name][i] - images[name][i]) ** 2).mean().item() for name in ("a", "b")]) for i in range(6)]
    assert np.allclose(judged(model, data, codes)["error"], expected, rtol=1e-4)


def test_a_verdict_asks_both_pictures_for_what_the_pair_shares(data):
    class Reading:
        def __init__(self, value):
            self.value = value

    class EveryOtherRight:
        accuracy: dict = {}

        def read(self, images):
            n = len(next(iter(images.values())))
            truth = data.brightness[asked[:n]]
            off = torch.tensor([0.0, 0.4] * n)[:n]
            return {"a": {"brightness": Reading(truth)}, "b": {"brightness": Reading(truth + off)}}

    model = tiny_model("mumo")
    codes = codes_of(model, data, Choice(("z_shared",), count=8))
    asked = codes.ids
    many = TinyPairs()
    many.factors = (Factor("brightness", "ordered", tuple(i / 10 for i in range(11))),)
    assert judged(model, many, codes, EveryOtherRight())["verdict"].tolist() == [1, 0] * 4


def clustered(apart: float, n: int = 200) -> Codes:
    rng = np.random.default_rng(0)
    classes = np.arange(n) % 4
    full = rng.normal(size=(n, 5)).astype(np.float32)
    full[:, :2] += apart * np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)[classes]
    return Codes(np.arange(n), np.zeros(n, np.uint8), full, np.array([0, 1]), np.zeros(n, np.float32), {"class": classes.astype(np.float32)})


def test_figures_tell_clusters_in_the_latent_space_from_none():
    parted, mixed = (figures_of(codes, codes.labels["class"]) for codes in (clustered(30), clustered(0)))
    assert parted.silhouette > 0.9 and parted.neighbours.accuracy == 1
    assert abs(mixed.silhouette) < 0.1 and mixed.neighbours.accuracy < 0.5
    assert 0.2 < parted.neighbours.chance < 0.35
    alike = clustered(0)
    assert figures_of(alike, np.ones(200)).silhouette is None


def test_items_that_share_a_picture_are_held_out_together():
    rng = np.random.default_rng(0)
    cells = np.arange(60).repeat(20)  # a code of its own for each cell, the same for its items; classes at random
    full = rng.normal(size=(60, 4)).astype(np.float32)[cells]
    classes = rng.integers(4, size=60).astype(np.float32)[cells]
    codes = Codes(np.arange(1200), np.zeros(1200, np.uint8), full, np.arange(4), np.zeros(1200, np.float32), {"class": classes, "cell": cells.astype(np.float32)})
    factors = [Factor(name, "categorical", tuple(map(str, range(60)))) for name in ("class", "cell")]
    assert figures_of(codes, classes).neighbours.accuracy > 0.9
    assert figures_of(codes, classes, factors).neighbours.accuracy < 0.6


def faces_like(azimuths: int, code: str) -> tuple[Codes, list[Factor]]:
    """Twelve persons at so many azimuths, six elevations by twelve lightings of each, all pairs; codes that are the same for a `code` and lie anywhere otherwise."""
    rng = np.random.default_rng(0)
    person, azimuth, elevation, lighting = (np.ravel(at) for at in np.meshgrid(*map(np.arange, (12, azimuths, 6, 12)), indexing="ij"))
    cell = person * azimuths + azimuth
    known = {"cell": cell, "picture": cell * 6 + elevation}[code]
    full = (rng.normal(size=(known.max() + 1, 6))[known] + 0.01 * rng.normal(size=(len(cell), 6))).astype(np.float32)
    factors = [Factor("identity", "categorical", tuple(map(str, range(12)))), Factor("azimuth", "ordered", tuple(range(azimuths))),
               Factor("elevation", "ordered", tuple(range(6)), owner="elevation"), Factor("lighting", "ordered", tuple(range(12)), owner="lighting")]
    labels = {"identity": person, "azimuth": azimuth, "elevation": elevation, "lighting": lighting}
    return Codes(np.arange(len(cell)), np.zeros(len(cell), np.uint8), full, np.arange(6), np.zeros(len(cell), np.float32),
                 {name: values.astype(np.float32) for name, values in labels.items()}), factors


@pytest.mark.parametrize("azimuths", [1, 2])
def test_where_each_person_has_one_or_two_azimuths_the_code_of_a_person_at_one_is_told_by_other_pictures_of_it(azimuths):
    known, factors = faces_like(azimuths, "cell")
    found = figures_of(known, known.labels["identity"], factors).neighbours
    assert found.accuracy == 1 and found.chance == pytest.approx(1 / 12)
    copied, factors = faces_like(azimuths, "picture")  # each picture's code lies anywhere: copies of it would tell the person
    assert figures_of(copied, copied.labels["identity"]).neighbours.accuracy == 1
    assert figures_of(copied, copied.labels["identity"], factors).neighbours.accuracy < 0.3


def test_where_a_class_has_three_cells_one_is_told_by_the_others_alone():
    known, factors = faces_like(3, "cell")
    assert figures_of(known, known.labels["identity"], factors).neighbours.accuracy < 0.3
    person = np.random.default_rng(1).normal(size=(12, 6)).astype(np.float32)[known.labels["identity"].astype(int)]
    placed = Codes(known.ids, known.giver, known.full + 20 * person, known.columns, known.kl, known.labels)
    assert figures_of(placed, known.labels["identity"], factors).neighbours.accuracy == 1


def test_a_class_of_too_few_cells_is_left_out_and_has_no_say_in_how_the_others_are_told():
    known, factors = faces_like(3, "cell")
    rare = np.where((known.labels["identity"] == 0) & (known.labels["azimuth"] == 0), 2, known.labels["azimuth"] % 2)
    found = figures_of(known, rare, factors).neighbours
    assert len(found.hits) == 72 * 35 and found.accuracy < 0.8  # else it is told by its cell
    assert found.chance == pytest.approx(23 / 35)


@pytest.mark.parametrize(("values", "items", "amount"), [(21, 500, True), (40, 40, True), (3, 40, True), (2, 40, False)])
def test_an_ordered_factor_of_more_than_two_values_is_an_amount(values, items, amount):
    labels = np.arange(items) % values
    assert is_amount(Factor("angle", "ordered", (0.0, 1.0)), labels) == amount
    assert not is_amount(Factor("kind", "categorical", tuple(map(str, range(values)))), labels)


def test_neighbours_tell_an_amount_in_its_own_unit_as_far_as_the_code_holds_it():
    angle = np.random.default_rng(0).uniform(0, 90, 400).astype(np.float32)
    noise = np.random.default_rng(1).normal(size=(400, 2)).astype(np.float32)
    told, not_told = (amount_of(Codes(np.arange(400), np.zeros(400, np.uint8), full, np.arange(full.shape[1]), np.zeros(400, np.float32), {"angle": angle}), angle)
                      for full in (angle[:, None], noise))
    assert told.chance == not_told.chance == pytest.approx(22.5, abs=2)  # of a value anywhere from 0 to 90 from the middle
    assert told.error < 1.5 and not_told.error > 0.8 * not_told.chance
    few = Codes(np.arange(20), np.zeros(20, np.uint8), angle[:20, None], np.arange(1), np.zeros(20, np.float32), {})
    assert amount_of(few, angle[:20]) is None


def test_the_level_by_chance_is_the_share_of_the_commonest_class_of_all_items():
    codes = clustered(30)
    classes = (np.arange(200) % 5 == 0).astype(np.float32)
    assert figures_of(codes, classes).neighbours.chance == 0.8


def test_the_modality_gap_is_measured_where_both_are_shown(data):
    model = tiny_model("mumo")
    assert gap_of(codes_of(model, data, Choice(("z_shared",), PAIR, count=8))) is None
    codes = codes_of(model, data, Choice(("z_shared",), EACH, count=8))
    paired = np.linalg.norm(codes.shown[:8] - codes.shown[8:], axis=1).mean()
    assert gap_of(codes).paired == pytest.approx(paired, rel=1e-5)


def test_two_dimensions_are_offered_and_shown_as_they_are(data):
    model = tiny_model("mumo")
    assert layouts_for(model, ("z_a",))[0] == "plain" and "plain" not in layouts_for(model, ("z_shared",))
    codes = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
    embedding = plain(codes)
    assert np.array_equal(embedding.positions, codes) and np.allclose(embedding.place(codes[:2]), codes[:2])


def test_a_job_ends_with_a_map_and_keeps_it(tmp_path, data):
    first = job(tmp_path, data)
    assert first.state == "waiting"
    first.run()
    assert first.state == "done" and first.version >= 1 and first.positions.shape == (24, 2)
    again = job(tmp_path, data)
    again.model = None  # nothing may be computed a second time
    again.run()
    assert again.state == "done" and again.key == first.key and np.array_equal(again.positions, first.positions)
    assert np.array_equal(again.codes.ids, first.codes.ids) and np.array_equal(again.codes.labels["brightness"], first.codes.labels["brightness"])
    trust, recall = first.preservation()
    assert 0.5 < trust <= 1 and 0 < recall <= 1


def test_a_job_ends_with_a_map_where_nothing_can_be_kept(tmp_path, data):
    (tmp_path / "maps").write_text("a file where the folder should be")
    unkept, kept = job(tmp_path / "maps", data), job(tmp_path / "others", data)
    for one in (unkept, kept):
        one.run()
    assert unkept.state == "done" and np.array_equal(unkept.positions, kept.positions)


def test_the_key_tells_apart_what_gives_another_map(tmp_path, data):
    jobs = [job(tmp_path, data), job(tmp_path, data, sampled=True), job(tmp_path, data, count=23), job(tmp_path, data, TSNE()), job(tmp_path, data, TSNE(perplexity=9.0)), job(tmp_path, data, None)]
    other = job(tmp_path, data)
    other_weights = Job(other.model, data, "others", other.choice, PCA(), tmp_path)
    assert len({each.key for each in [*jobs, other_weights]}) == 7 and other.key == jobs[0].key


def test_a_cancelled_job_says_so_and_leaves_no_map(tmp_path, data):
    stopped = job(tmp_path, data)
    stopped.cancel()
    stopped.run()
    assert stopped.state == "cancelled" and stopped.embedding is None
    with pytest.raises(Cancelled, match="encoding was stopped at 0 of 24"):
        codes_of(stopped.model, data, stopped.choice, cancelled=lambda: True)


def test_a_damaged_file_is_computed_again(tmp_path, data):
    first = job(tmp_path, data)
    first.run()
    for file in tmp_path.glob("*.npz"):
        file.write_bytes(b"not a map")
    again = job(tmp_path, data)
    again.run()
    assert again.state == "done" and np.array_equal(again.positions, first.positions)


def test_a_job_that_fails_says_why_in_one_line(tmp_path, data):
    impossible = job(tmp_path, data, blocks=("z_b",), source="a")
    impossible.run()
    assert impossible.state == "failed" and impossible.complaint.startswith("a tells nothing of z_b")


def test_a_choice_is_text_and_back(data):
    choice = Choice(("z_a", "z_shared"), "a", True, "validation", 77, 5)
    row = json.loads(choice.text())
    assert Choice(**{**row, "blocks": tuple(row["blocks"])}) == choice


@pytest.mark.parametrize(("changes", "said"), [({"blocks": ("z_nope",)}, "pair tells nothing of z_nope"), ({"source": "c"}, "no source 'c'"), ({"seed": 10**30}, "seed 10"), ({"count": 0}, "0 items")], ids=str)
def test_a_choice_that_no_model_has_is_refused_before_anything_is_computed(changes, said):
    with pytest.raises(ValueError, match=said):
        check_choice(tiny_model("mumo"), Choice(**{"blocks": ("z_shared",), **changes}))


def test_a_map_of_ones_own_images_is_not_that_of_those_that_were_there_before(tmp_path):
    def drawn(level: int) -> str:
        np.savez(tmp_path / "pairs.npz", a=np.full((20, 28, 28), level, np.uint8), b=np.full((20, 32, 32), level, np.uint8))
        os.utime(tmp_path / "pairs.npz", ns=(0, level))
        return job(tmp_path, OwnPairs(tmp_path / "pairs.npz"), count=1).key

    assert drawn(200) == drawn(200) != drawn(100)


def test_a_map_of_other_images_or_ids_under_the_same_name_has_another_key(tmp_path, data):
    class Moved(TinyPairs):
        """As many items of as many images, under other ids."""

        def split(self, name):
            return super().split(name).flip(0)

    others = TinyPairs()
    others.images = {name: 1 - images for name, images in others.images.items()}
    keys = [{each.key, each.codes_key} for each in (job(tmp_path, data), job(tmp_path, others), job(tmp_path, Moved()))]
    assert len(set.union(*keys)) == 6


def test_a_map_that_was_judged_without_readers_is_judged_again_once_there_are_some(tmp_path, data):
    class Reader:
        accuracy: dict = {}

        def read(self, images):
            return {name: {"brightness": SimpleNamespace(value=torch.zeros(len(batch)))} for name, batch in images.items()}

    made = job(tmp_path, data)
    made.run()
    assert list(made.judge(None)) == ["error"] and list(made.judge(Reader())) == ["error", "verdict"]


def test_the_files_used_longest_ago_go_first(tmp_path, data):
    for name, params in (("read", PCA()), ("left", TSNE(iterations=50))):
        made = job(tmp_path / name, data, params)
        made.run()
        made.judge(None)
    files = {path: path.stat().st_size for path in tmp_path.rglob("*.npz")}
    for path in files:
        os.utime(path, (0, 0))
    again = job(tmp_path / "read", data)
    again.run()
    again.judge(None)
    kept = tmp_path / "all"
    kept.mkdir()
    for path in files:
        path.rename(kept / f"{path.parent.name}-{path.name}")
    maps._prune(kept, sum(size for path, size in files.items() if path.parent.name == "read"))
    assert {path.name.partition("-")[0] for path in kept.iterdir()} == {"read"} and len(list(kept.iterdir())) == 3


def test_judging_ends_where_the_map_is_cancelled_and_can_be_done_by_another_of_its_codes(tmp_path, data, monkeypatch):
    monkeypatch.setattr(maps, "CHUNK", 4)
    made, shares = job(tmp_path, data), []
    made.run()

    def tell(share: float) -> None:
        shares.append(share)
        made.cancel()

    with pytest.raises(Cancelled, match="judging was stopped"):
        made.judge(None, tell)
    assert len(shares) == 1 and not list(tmp_path.glob("judged-*"))
    again = job(tmp_path, data)
    again.run()
    assert len(again.judge(None)["error"]) == 24


def test_items_that_are_not_there_are_said_in_one_line(tmp_path):
    class Gone(TinyPairs):
        def items(self, ids):
            raise DataError("item 8123: no such pair")

    gone = job(tmp_path, TinyPairs())
    gone.data = Gone()
    gone.run()
    assert (gone.state, gone.complaint) == ("failed", "item 8123: no such pair")


def test_there_are_points_to_look_at_before_all_codes_are_known(tmp_path, data, monkeypatch):
    monkeypatch.setattr(maps, "CHUNK", 4)
    monkeypatch.setattr(maps, "FIRST_CODES", 8)
    watched, seen = job(tmp_path, data, source=EACH), []
    show = watched._show

    def look(progress, positions):
        seen.append((watched.state, watched.codes is not None, len(positions)))
        show(progress, positions)

    watched._show = look
    watched.run()
    assert seen[:5] == [("encoding", False, 2 * items) for items in (8, 12, 16, 20, 24)]
    assert watched.state == "done" and all(state == "placing" for state, _, _ in seen[5:])


def test_a_verdict_and_a_translation_are_right_within_the_same_tolerance(data):
    class Reading:
        def __init__(self, value):
            self.value = value

    class Off:
        accuracy = {"a": {"brightness": {"error": 9.0}}}

        def read(self, images):
            truth = data.brightness[asked[:len(images["a"])]]
            return {name: {"brightness": Reading(truth + off[:len(truth)])} for name in ("a", "b")}

    factor = Factor("brightness", "ordered", (0.0, 0.5, 1.0))
    many = TinyPairs()
    many.factors = (factor,)
    codes = codes_of(tiny_model("mumo"), data, Choice(("z_shared",), count=4))
    asked, off = codes.ids, torch.tensor([0.0, 0.3, 0.45, 0.6])
    truth = data.brightness[asked].numpy()
    translated = hits({"brightness": (truth + off.numpy())[:, None]}, {"brightness": truth}, [factor])["brightness"][:, 0]
    assert judged(tiny_model("mumo"), many, codes, Off())["verdict"].tolist() == translated.tolist() == [1, 1, 1, 0]


def test_figures_have_their_level_by_chance_and_tell_the_modalities_apart():
    parted = figures_of(codes := clustered(30), codes.labels["class"])
    assert abs(parted.shuffled) < 0.1 < parted.silhouette
    n = 100
    full = np.random.default_rng(0).normal(size=(2 * n, 3)).astype(np.float32)
    full[n:, 0] += 40
    apart = Codes(np.tile(np.arange(n), 2), np.repeat([0, 1], n).astype(np.uint8), full, np.arange(3), np.zeros(2 * n, np.float32), {})
    found = figures_of(apart, apart.giver)
    assert found.silhouette > 0.8 and found.neighbours.accuracy == 1 and found.neighbours.chance == pytest.approx(0.5, abs=0.1)
