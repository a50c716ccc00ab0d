"""Readers are trained on pictures whose factors are plain to see, and must survive being written and read."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mmvae.checkpoints import CheckpointError
from mmvae.data.base import Factor, PairedDataset
from mmvae.modalities import Modality
from mmvae.readers import ReaderNetwork, Readers, ReaderSettings, folder_of, measure, readers_for, save_readers, train_readers

SIDE, TILT, LIGHT = (
    Factor("side", "categorical", ("left", "right")),
    Factor("tilt", "ordered", (-40.0, -20.0, 0.0, 20.0, 40.0), "°", owner="a", neutral=0.0),
    Factor("light", "ordered", (0.0, 1.0, 2.0), owner="b", neutral=1.0),
)


class Bars(PairedDataset):
    """A bar on the left or right; modality a also shows its height (tilt), b its brightness (light)."""

    name, title = "bars", "Bars"
    modalities = (
        Modality("a", (1, 28, 28), "x_a", "a", network="small28"),
        Modality("b", (1, 28, 28), "x_b", "b", network="small28"),
    )
    factors = (SIDE, TILT, LIGHT)

    def split(self, name):
        return torch.arange(30)

    def items(self, ids):
        ids = torch.as_tensor(ids)
        side, tilt, light = ids % 2, ids // 2 % 5, ids // 10
        images = {name: torch.zeros(len(ids), 1, 28, 28) for name in "ab"}
        for i in range(len(ids)):
            columns = slice(4, 10) if side[i] == 0 else slice(18, 24)
            for name, up, bright in (("a", int(tilt[i]), 1), ("b", 2, int(light[i]))):
                images[name][i, 0, 4 * up + 2 : 4 * up + 10, columns] = 0.3 + 0.3 * bright
        return images, {"side": side, "tilt": torch.tensor(TILT.values)[tilt], "light": torch.tensor(LIGHT.values)[light]}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    home, data = tmp_path_factory.mktemp("home"), Bars()
    torch.set_num_threads(1)
    networks, training = train_readers(data, ReaderSettings(steps=120, batch_size=10))
    return home, data, networks, save_readers(home / "checkpoints" / "readers" / "bars", data, networks, training)


def test_readers_learn_every_factor_and_the_neutral_value_of_the_one_they_cannot_see(trained):
    _, data, _, readers = trained
    images, labels = data.items(data.split("test"))
    readings = readers.read(images)
    for modality in "ab":
        assert (readings[modality]["side"].value == labels["side"]).float().mean() > 0.9
        torch.testing.assert_close(readings[modality]["side"].probabilities.sum(1), torch.ones(30))
    assert (readings["a"]["tilt"].value - labels["tilt"]).abs().mean() < 10
    assert readings["b"]["tilt"].value.abs().mean() < 10
    assert readings["b"]["tilt"].probabilities is None


def test_pictures_read_together_are_read_as_they_are_alone(trained):
    _, data, _, readers = trained
    images, _ = data.items([3, 14, 15])
    images["a"] = images["a"][:2]
    together = readers.read(images)
    for modality in ("a", "b"):
        alone = readers.read({modality: images[modality]})[modality]
        torch.testing.assert_close(together[modality]["tilt"].value, alone["tilt"].value)
        torch.testing.assert_close(together[modality]["side"].probabilities, alone["side"].probabilities)


def test_the_shipped_accuracy_is_what_counting_by_hand_gives(trained):
    _, data, _, readers = trained
    images, labels = data.items(data.split("test"))
    readings = readers.read(images)
    assert readers.accuracy["a"]["side"]["accuracy"] == pytest.approx(
        (readings["a"]["side"].value == labels["side"]).double().mean().item(), abs=1e-4
    )
    error = np.abs(readings["a"]["tilt"].value.numpy() - labels["tilt"].numpy())
    assert readers.accuracy["a"]["tilt"] == {
        "error": pytest.approx(error.mean(), abs=1e-3),
        "within_step": pytest.approx((error <= 20).mean(), abs=1e-4),
    }
    neutral = np.abs(readings["a"]["light"].value.numpy() - 1.0)
    assert readers.accuracy["a"]["light"]["error"] == pytest.approx(neutral.mean(), abs=1e-3)
    assert measure(readers, data) == readers.accuracy


def test_readers_come_back_from_disk_in_half_precision(trained):
    home, data, networks, readers = trained
    again = readers_for("bars", home)
    images, _ = data.items([3, 14])
    assert again.accuracy == readers.accuracy
    torch.testing.assert_close(again.features("a", images["a"]), networks[("a", "b")].features(images["a"]), atol=0.02, rtol=0.02)
    assert {tensor.dtype for tensor in load_file(home / "checkpoints/readers/bars/weights.safetensors").values()} == {
        torch.float16
    }


def test_folding_the_normalisation_changes_nothing():
    torch.manual_seed(0)
    network = ReaderNetwork((3, 32, 32), [SIDE, TILT], normalised=True)
    images = torch.rand(16, 3, 32, 32)
    network(images)  # moves the running statistics away from their start
    expected = network.eval()(images)
    for name, output in network.folded()(images).items():
        torch.testing.assert_close(output, expected[name], atol=1e-5, rtol=1e-4)


def test_training_is_reproducible_by_seed():
    first, again, other = (
        train_readers(Bars(), ReaderSettings(steps=2, batch_size=4, seed=seed))[0][("a", "b")] for seed in (0, 0, 1)
    )
    assert all(torch.equal(p, q) for p, q in zip(first.parameters(), again.parameters()))
    assert not all(torch.equal(p, q) for p, q in zip(first.parameters(), other.parameters()))


def test_readers_are_looked_for_in_the_home_folder_and_then_beside_the_program(trained, tmp_path, monkeypatch):
    home, data, networks, _ = trained
    monkeypatch.setenv("MMVAE_HOME", str(home))
    assert readers_for("bars").dataset == "bars" and readers_for("bars", tmp_path) is None
    assert list(readers_for("faces").networks) == ["elevation", "lighting"]
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    save_readers(folder_of("faces"), data, networks, {})
    assert list(readers_for("faces").networks) == ["a", "b"]


def test_a_data_set_without_readers_has_none(tmp_path):
    assert readers_for("bars", tmp_path) is None
    (tmp_path / "config.json").write_text("{}")
    assert readers_for(str(tmp_path), tmp_path) is None  # a person's own folder of data


def test_readers_of_own_pairs_lie_in_a_folder_of_their_file_s_name_and_path(tmp_path):
    one, other = (folder_of(str(tmp_path / place / "pairs.npz"), tmp_path) for place in ("a", "b"))
    assert one != other and one.parent == other.parent == tmp_path / "checkpoints" / "readers"
    assert one.name.startswith("pairs-") and other.name.startswith("pairs-")


def test_without_factors_there_is_nothing_to_read():
    data = Bars()
    data.factors = ()
    with pytest.raises(ValueError, match="bars: no factors to read"):
        train_readers(data, ReaderSettings(steps=1, batch_size=4))


def test_an_unknown_modality_is_named(trained):
    *_, readers = trained
    assert isinstance(readers, Readers)
    with pytest.raises(ValueError, match="no reader of 'svhn'; the readers of bars read a and b"):
        readers.features("svhn", torch.rand(1, 3, 32, 32))


@pytest.mark.parametrize("damage", ["schema", "factors", "weights", "shape"])
def test_damaged_readers_are_refused_in_one_line(trained, tmp_path, damage):
    home, data, networks, _ = trained
    folder = tmp_path / "checkpoints" / "readers" / "bars"
    save_readers(folder, data, networks, {})
    config = json.loads((folder / "config.json").read_text())
    if damage == "schema":
        config["schema"] = 99
    elif damage == "factors":
        del config["factors"]
    elif damage == "shape":
        tensors = load_file(folder / "weights.safetensors")
        name = next(iter(tensors))
        save_file({**tensors, name: torch.zeros(3)}, folder / "weights.safetensors")
    else:
        (folder / "weights.safetensors").write_bytes(b"cut short")
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError) as caught:
        readers_for("bars", tmp_path)
    assert "\n" not in str(caught.value) and "readers/bars" in str(caught.value)
