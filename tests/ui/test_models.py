"""Models and data of the app are opened once, shared between threads, and noticed when they change."""

import gc
import os
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmvae.checkpoints import CheckpointError, config_of, save
from mmvae.data import DataError, mnist_svhn
from mmvae.latents import partition
from mmvae.modalities import Modality
from mmvae.model import MultimodalVAE
from mmvae.variants import VARIANTS
from tests.tiny import tiny_model
from ui import models
from ui.models import Recent


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    monkeypatch.setenv("MMVAE_DATA", str(tmp_path / "data"))
    model = tiny_model("mumo")
    save(tmp_path / "runs" / "mine", model, config_of(model, {}), {"items": 0, "blocks": {}})
    return tmp_path


def test_the_values_asked_for_last_are_kept_and_no_more():
    made = []
    recent = Recent(2, lambda key: made.append(key) or key.upper())
    assert [recent(key) for key in "abacab"] == list("ABACAB")
    assert made == list("abcb")  # b went when c came, since a had been asked for again


def test_a_value_is_made_once_however_many_ask_at_a_time():
    made = []

    def make(key):
        made.append(key)
        time.sleep(0.05)
        return object()

    recent = Recent(2, make)
    got = []
    threads = [threading.Thread(target=lambda: got.append(recent("a"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["a"] and len(set(map(id, got))) == 1


def test_what_is_there_is_given_while_something_else_is_made():
    release = threading.Event()
    recent = Recent(2, lambda key: release.wait(10) if key == "slow" else key)
    recent("quick")
    thread = threading.Thread(target=recent, args=("slow",))
    thread.start()
    try:
        assert recent("quick") == "quick" and thread.is_alive()
    finally:
        release.set()
        thread.join()


def test_a_value_that_could_not_be_made_is_tried_anew():
    results = iter([ValueError("not yet"), "there"])

    def make(key):
        result = next(results)
        if isinstance(result, Exception):
            raise result
        return result

    recent = Recent(2, make)
    with pytest.raises(ValueError, match="not yet"):
        recent("a")
    assert recent("a") == "there"


def test_a_model_is_shared_until_its_files_change(home):
    first = models.checkpoint("mine")
    assert models.checkpoint("mine") is first
    other = tiny_model("mumo", seed=1)
    save(home / "runs" / "mine", other, config_of(other, {}), {"items": 0, "blocks": {}})
    second = models.checkpoint("mine")
    key = next(iter(other.state_dict()))
    assert torch.equal(second.model.state_dict()[key], other.state_dict()[key])


def test_later_models_leave_what_dies_to_the_collector(home):
    """Each opening froze all that was alive: rings of objects of a session that ended afterwards were never collected."""
    class Ring:
        def __init__(self):
            self.itself = self

    def opened_anew(seed: int) -> None:
        other = tiny_model("mumo", seed=seed)
        save(home / "runs" / "mine", other, config_of(other, {}), {"items": 0, "blocks": {}})
        models.checkpoint("mine")

    opened_anew(1)
    ring = Ring()
    gone = weakref.ref(ring)
    opened_anew(2)
    del ring
    gc.collect()
    assert gone() is None


def test_a_model_that_is_not_there_is_named(home):
    with pytest.raises(CheckpointError, match="no model 'yours'"):
        models.checkpoint("yours")


def test_opening_a_model_renders_and_downloads_nothing(home):
    for name in ("faces", "digits", "mnist-svhn"):
        with pytest.raises(DataError):
            models.data_named(name)
    assert models.data_for(models.checkpoint("mine")) is None
    assert list(home.rglob("*.np[yz]")) == []


def test_no_two_models_of_a_list_have_one_label(tmp_path, monkeypatch):
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    model = tiny_model("mumo")
    for name in ("a-mumo", "second try"):
        save(tmp_path / "checkpoints" / name, model, config_of(model, {}))
    for label in (models.label_of, models.short_label_of, models.variant_label_of):
        assert len({label(name) for name in models.names()}) == 2


def test_a_label_cut_at_its_end_still_tells_the_shipped_models_apart():
    shipped = Path(__file__).parents[2] / "checkpoints"
    labels = [models.short_label_of(name) for name in models.names() if (shipped / name).is_dir()]
    assert "MNIST–SVHN · DMVAE + clusters + cycle" in labels and len(labels) > 8
    assert len({label[:24] for label in labels}) == len(labels)


def pairs(file, n):
    np.savez(file, left=np.full((n, 28, 28), 255, np.uint8), right=np.full((n, 28, 28), 255, np.uint8))


def test_own_pairs_are_called_by_their_name_and_by_their_path_where_two_have_one():
    assert models.data_titles(["faces", "/home/a/shapes.npz", "/home/b/letters"]) == {
        "faces": "Rendered 3D faces", "/home/a/shapes.npz": "shapes", "/home/b/letters": "letters"}
    assert models.data_titles(["/home/a/shapes", "/home/b/shapes"]) == {"/home/a/shapes": "/home/a/shapes", "/home/b/shapes": "/home/b/shapes"}
    assert models.data_title("") == "unnamed data"


def test_a_file_of_ones_own_that_was_written_again_is_read_again(home):
    pairs(home / "pairs.npz", 20)
    first = models.data_named(str(home / "pairs.npz"))
    assert models.data_named(str(home / "pairs.npz")) is first
    pairs(home / "pairs.npz", 30)
    assert sum(len(models.data_named(str(home / "pairs.npz")).split(name)) for name in ("train", "validation", "test")) == 30


def test_a_folder_of_ones_own_in_which_pictures_came_is_read_again(home):
    def add(names):
        for side in ("left", "right"):
            (home / "own" / side).mkdir(parents=True, exist_ok=True)
            for name in names:
                Image.new("L", (28, 28), 255).save(home / "own" / side / f"{name}.png")
            os.utime(home / "own" / side, ns=(0, len(list((home / "own" / side).iterdir()))))  # clocks of file systems are coarse

    add(range(20))
    first = models.data_named(str(home / "own"))
    assert models.data_named(str(home / "own")) is first
    add(range(20, 30))
    assert len(models.data_named(str(home / "own")).split("train")) == 24


def test_a_picture_of_ones_own_that_was_painted_over_in_place_is_read_again(home, monkeypatch):
    for side in ("left", "right"):
        (home / "own" / side).mkdir(parents=True)
        for i in range(20):
            Image.new("L", (28, 28), 255).save(home / "own" / side / f"{i}.bmp")  # whatever is painted, of one size
    own, picture, folder = str(home / "own"), home / "own" / "left" / "3.bmp", (home / "own" / "left").stat()
    os.utime(picture, ns=(0, 0))  # clocks of file systems are coarse
    first, size = models.data_named(own), picture.stat().st_size
    with open(picture, "r+b") as file:
        Image.new("L", (28, 28), 7).save(file, "BMP")
    assert picture.stat().st_size == size and (home / "own" / "left").stat().st_mtime_ns == folder.st_mtime_ns
    now = time.monotonic()
    monkeypatch.setattr("mmvae.data.monotonic", lambda: now + 1)  # it is looked once a second
    assert models.data_named(own) is not first
    assert models.data_named(own).items([first.names.index("3")])[0]["left"].unique().tolist() == pytest.approx([7 / 255])
    assert models.data_named(own) is models.data_named(own)


def test_what_a_download_brought_takes_the_place_of_the_crops(home, monkeypatch):
    monkeypatch.setattr(mnist_svhn, "MnistSvhn", lambda root: [file.name for file in sorted(root.iterdir())])
    (home / "data").mkdir()
    (home / "data" / "svhn.npz").write_bytes(b"crops")
    assert models.data_named("mnist-svhn") == ["svhn.npz"]
    (home / "data" / "train_32x32.mat.part").write_bytes(b"under way")
    assert models.data_named("mnist-svhn") == ["svhn.npz"]
    os.rename(home / "data" / "train_32x32.mat.part", home / "data" / "train_32x32.mat")
    assert models.data_named("mnist-svhn") == ["svhn.npz", "train_32x32.mat"]


def test_ones_own_pairs_that_were_moved_are_found_in_the_data_root(home):
    modalities = [Modality(name, (1, 28, 28), f"x_{name}", name, network="small28") for name in ("left", "right")]
    model = MultimodalVAE(VARIANTS["mumo"], modalities, partition(("left", "right"), private=(1, 1), shared=2))
    save(home / "runs" / "own", model, config_of(model, {}) | {"source": "/gone/elsewhere/pairs.npz"}, {"items": 0, "blocks": {}})
    opened = models.checkpoint("own")
    before = models.data_version(opened)
    assert models.data_for(opened) is None
    (home / "data").mkdir()
    pairs(home / "data" / "pairs.npz", 20)
    assert len(models.data_for(opened).split("test")) == 2 and models.data_version(opened) != before


def test_a_model_without_statistics_gets_them_once_its_data_is_there(home):
    modalities = [Modality(name, (1, 28, 28), f"x_{name}", name, network="small28") for name in ("left", "right")]
    model = MultimodalVAE(VARIANTS["mumo"], modalities, partition(("left", "right"), private=(1, 1), shared=2))
    save(home / "runs" / "own", model, config_of(model, {}) | {"source": str(home / "pairs.npz")})
    assert models.checkpoint("own").statistics == {}
    pairs(home / "pairs.npz", 20)
    first = models.checkpoint("own")
    assert first.statistics["items"] == 2 and models.checkpoint("own") is first
