"""A map beside the weights is the one that was made, and nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from tiny import TinyPairs, tiny_model

from mmvae.data import DataError
from mmvae.embedding import PCA, TSNE
from mmvae.maps import Choice, Job
from mmvae.shipped_maps import FIRST, FOLDER, first_map, maps_in, read_map, write_map

CHOICE = Choice(("z_shared",), count=24)


@pytest.fixture(scope="module")
def data() -> TinyPairs:
    return TinyPairs()


@pytest.fixture
def made(tmp_path, data) -> Job:
    job = Job(tiny_model("mumo"), data, "0123abcd", CHOICE, PCA(), tmp_path / "cache")
    job.run()
    return job


def test_a_kept_map_comes_back_up_to_the_rounding_of_its_codes(tmp_path, data, made):
    file = write_map(tmp_path, made)
    assert file.parent == tmp_path / FOLDER and maps_in(tmp_path, "0123abcd") == [(CHOICE, PCA())]
    codes, embedding = read_map(tmp_path, "0123abcd", CHOICE, PCA(), data)
    assert np.array_equal(codes.ids, made.codes.ids) and np.array_equal(codes.labels["brightness"], made.codes.labels["brightness"])
    span = np.ptp(made.embedding.positions, axis=0)
    assert np.abs(embedding.positions - made.embedding.positions).max() <= 1e-4 * span.max()
    moved = (np.abs(codes.full - made.codes.full) / np.ptp(made.codes.full, axis=0)).max(0)
    assert 0 < moved[codes.columns].max() <= 0.5 / 65535 + 1e-6 and len(codes.columns) < len(moved)
    assert 0.5 / 65535 < np.delete(moved, codes.columns).max() <= 0.5 / 255 + 1e-6
    assert np.array_equal(np.argsort(cdist(codes.shown, codes.shown)), np.argsort(cdist(made.codes.shown, made.codes.shown)))  # the same neighbours
    assert np.abs(codes.kl - made.codes.kl).max() <= 0.5 / 255 * np.ptp(made.codes.kl) + 1e-5
    assert np.allclose(embedding.place(made.codes.shown[:3]), made.embedding.positions[:3], atol=0.02 * span.max())


def test_every_shipped_map_keeps_its_codes_as_exactly_as_one_written_now():
    kept = sorted((Path(__file__).parents[1] / "checkpoints").glob(f"*/{FOLDER}/*.npz"))
    assert kept and all(np.load(file)["shown"].dtype == np.uint16 for file in kept)


def test_a_map_of_other_weights_another_choice_or_other_images_is_not_read(tmp_path, data, made):
    write_map(tmp_path, made)
    assert read_map(tmp_path, "ffffffff", CHOICE, PCA(), data) is None and maps_in(tmp_path, "ffffffff") == []
    assert read_map(tmp_path, "0123abcd", CHOICE, TSNE(), data) is None
    assert read_map(tmp_path, "0123abcd", Choice(("z_shared",), count=23), PCA(), data) is None
    others = TinyPairs()
    others.images = {name: 1 - images for name, images in others.images.items()}
    assert read_map(tmp_path, "0123abcd", CHOICE, PCA(), others) is None
    assert read_map(tmp_path, "0123abcd", CHOICE, PCA(), None) is not None


def test_a_map_of_items_that_the_data_set_does_not_have_is_not_read(tmp_path, data, made):
    class Fewer(TinyPairs):
        def items(self, ids):
            raise DataError(f"item {ids[0]}: no such pair")

    write_map(tmp_path, made)
    assert read_map(tmp_path, "0123abcd", CHOICE, PCA(), Fewer()) is None


def test_a_damaged_file_is_no_map(tmp_path, data, made):
    file = write_map(tmp_path, made)
    whole = file.read_bytes()
    for content in (b"", b"no map", whole[: len(whole) // 2]):
        file.write_bytes(content)
        assert read_map(tmp_path, "0123abcd", CHOICE, PCA(), data) is None and maps_in(tmp_path, "0123abcd") == []


def test_new_weights_replace_the_map_of_old_ones(tmp_path, data, made):
    first = write_map(tmp_path, made)
    again = Job(tiny_model("mumo", seed=1), data, "4567abcd", CHOICE, PCA(), tmp_path / "cache")
    again.run()
    assert write_map(tmp_path, again) == first and len(list((tmp_path / FOLDER).iterdir())) == 1
    assert read_map(tmp_path, "0123abcd", CHOICE, PCA(), data) is None


def test_a_map_that_was_stopped_is_not_kept(tmp_path, data):
    job = Job(tiny_model("mumo"), data, "0123abcd", CHOICE, PCA(), tmp_path / "cache")
    job.cancel()
    job.run()
    with pytest.raises(ValueError, match="cancelled, only a finished one"):
        write_map(tmp_path, job)


def test_a_job_without_data_shows_a_map_that_is_brought_along_and_says_what_it_cannot_make(tmp_path, data, made):
    write_map(tmp_path, made)
    model = tiny_model("mumo")
    alone = Job(model, None, "0123abcd", CHOICE, PCA(), tmp_path / "elsewhere")
    alone.run()
    assert alone.state == "failed" and "not on this machine" in alone.complaint
    brought = Job(model, None, "0123abcd", CHOICE, PCA(), tmp_path / "elsewhere")
    brought.take(*read_map(tmp_path, "0123abcd", CHOICE, PCA(), None))
    assert brought.state == "done" and brought.positions.shape == (24, 2) and brought.preservation()[0] > 0.5
    with pytest.raises(ValueError, match="not on this machine"):
        brought.judge(None)


def test_the_first_map_shows_what_both_modalities_share(data):
    choice, params = first_map(tiny_model("mumo"), data)
    assert choice.blocks == ("z_shared",) and choice.count == min(FIRST, len(data.split("test"))) and params.method == "umap"
