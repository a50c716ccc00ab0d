"""Finding a pair by its factors."""

from time import perf_counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmvae import DATASETS
from mmvae.data.base import DataError, Factor, PairedDataset
from mmvae.data.faces import FaceGrid
from mmvae.readers import Reading
from tiny import A, B, tiny_model
from ui.pairs import Pairs, beside, item_number, opening_pair, pairs_of, split_of


class Grid(FaceGrid):
    """The grid of faces with pictures of one pixel: which one it is of does not matter here."""

    def pictures(self):
        identities, azimuths, elevations, lightings = self.shape
        return np.zeros((identities, azimuths, elevations, 1, 1), np.uint8), np.zeros((identities, azimuths, lightings, 1, 1), np.uint8)


class Own(PairedDataset):
    """A person's own pairs: of kinds and places, most of them trained on."""

    name, title, modalities = "own", "Own", (A, B)
    factors = (Factor("kind", "categorical", ("x", "y")), Factor("place", "ordered", (0.0, 1.0, 2.0, 5.0)), Factor("size", "ordered", (0.0, 1.0)))
    kinds, places = torch.tensor([0, 1, 0, 0, 1]), torch.tensor([0.0, 1.0, 2.0, 5.0, 0.0])
    sizes = torch.tensor([0.0, 0.0, 1.0, 0.0, 1.0])

    def split(self, name):
        return torch.tensor({"train": [2, 3, 4], "validation": [], "test": [0, 1]}[name], dtype=torch.int64)

    def items(self, ids):
        ids = torch.as_tensor(ids, dtype=torch.int64)
        images = {m.name: torch.zeros(len(ids), *m.shape) for m in self.modalities}
        return images, {"kind": self.kinds[ids], "place": self.places[ids], "size": self.sizes[ids]}


def labels_of(data: PairedDataset, item: int) -> dict[str, float]:
    return {name: values[0].item() for name, values in data.items([item])[1].items()}


def moved(data: PairedDataset, item: int, factor: str, value: float) -> int | None:
    """The pair that a slider leads to from another."""
    now = labels_of(data, item)
    return beside(data, pairs_of(SimpleNamespace(), data), now | {factor: value}, factor, now[factor])


def test_the_pair_to_begin_with_is_lit_and_turned_plainly():
    rows = {"identity": [0, 1, 2, 3], "azimuth": [-90.0, 9.0, 0.0, 0.0], "elevation": [0.0, 0.0, 0.0, 30.0], "lighting": [0.0, 0.0, -90.0, 0.0]}
    faces = Pairs(np.array([7, 8, 9, 10]), {name: np.array(values) for name, values in rows.items()}, DATASETS["faces"].factors)
    assert faces.plainest() == 8


def test_pairs_of_classes_alone_begin_with_the_first():
    digits = Pairs(np.array([7, 8]), {"digit": np.array([4, 1])}, DATASETS["digits"].factors)
    assert digits.plainest() == 7


@pytest.mark.parametrize(("factor", "by"), [("azimuth", 9.0), ("elevation", -6.0), ("lighting", 18.0), ("identity", 3)])
def test_one_factor_of_a_face_moves_alone_and_the_person_stays(factor, by):
    data = Grid("faces")
    values = {f.name: range(50) if f.kind == "categorical" else f.values for f in data.factors}
    item = pairs_of(SimpleNamespace(), data).plainest()
    now = labels_of(data, item)
    value = min(values[factor], key=lambda value: abs(value - now[factor] - by))
    found = moved(data, item, factor, value)
    assert value != now[factor] and labels_of(data, found) == pytest.approx(now | {factor: value})


def test_every_split_of_a_grid_is_searched_within_a_few_milliseconds():
    data = Grid("faces")
    pairs = pairs_of(SimpleNamespace(), data)
    steps = [(item, moved(data, item, "azimuth", 0.0)) for item in pairs.ids[:5].tolist()]  # the first reads the labels
    assert {split_of(data, found) for _, found in steps} - {"test"}
    now = labels_of(data, int(pairs.ids[0]))
    took = []
    for value in data.factors[1].values:
        start = perf_counter()
        beside(data, pairs, now | {"azimuth": value}, "azimuth", now["azimuth"])
        took.append(perf_counter() - start)
    assert sorted(took)[len(took) // 2] < 0.02


def test_where_a_combination_is_missing_the_kind_stays_and_the_slider_goes_on_to_the_next_place():
    data = Own()
    assert moved(data, 0, "place", 1.0) == 2  # of kind x there is 2, of another size; at 1 there is none but of kind y
    assert moved(data, 2, "place", 5.0) == 3
    assert moved(data, 3, "size", 1.0) == 2  # another place, the same kind
    assert moved(data, 1, "place", 2.0) is None  # of kind y none lies that way


def test_another_kind_is_had_even_where_all_else_must_change():
    assert moved(Own(), 3, "kind", 1) == 1


def test_without_the_data_the_reference_pairs_are_all_there_is():
    factors = DATASETS["faces"].factors
    labels = {"identity": np.array([0, 0, 1]), "azimuth": np.array([0.0, 18.0, 9.0]), "elevation": np.zeros(3), "lighting": np.zeros(3)}
    now = {"identity": 0, "azimuth": 0.0, "elevation": 0.0, "lighting": 0.0}
    assert beside(None, Pairs(np.array([10, 11, 12]), labels, factors), now | {"azimuth": 9.0}, "azimuth", 0.0) == 11


class Digits(Own):
    """Four pairs of each of two digits."""

    factors = (Factor("digit", "categorical", ("0", "1")),)

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(3)
        self.images = {m.name: torch.rand(8, *m.shape, generator=generator) for m in self.modalities}

    def split(self, name):
        if name != "test":
            raise AssertionError("the pairs that are trained on are too many to go through")
        return torch.arange(8)

    def items(self, ids):
        ids = torch.as_tensor(ids, dtype=torch.int64)
        return {name: images[ids] for name, images in self.images.items()}, {"digit": ids % 2}


def test_a_digit_is_found_among_the_test_pairs_alone():
    assert moved(Digits(), 4, "digit", 1) == 1


def test_classes_alone_begin_with_the_reference_pair_that_the_model_draws_best_as_what_it_is(monkeypatch):
    model, data = tiny_model("joint-poe"), Digits()
    with torch.inference_mode():
        drawn = model.decode({name: belief.mean for name, belief in model.posterior(data.images).items()})
    for name, images in data.images.items():
        images[5] = drawn[name][5]
        images[2] = (drawn[name][2] + images[2]) / 2  # the second best
    model.dataset = "digits"
    opened = SimpleNamespace(model=model, statistics={"reference": {"ids": list(range(8))}})
    monkeypatch.setattr("ui.pairs.readers_for", lambda dataset: None)
    pairs = pairs_of(opened, data)
    assert opening_pair(opened, data, pairs) == opening_pair(opened, data, pairs) == 5
    assert opening_pair(opened, None, pairs) == 0  # without pictures nothing tells
    all_zeros = torch.tensor([[1.0, 0.0]]).expand(8, 2)
    readers = SimpleNamespace(read=lambda pictures: {name: {"digit": Reading(all_zeros.argmax(1), all_zeros)} for name in pictures})
    monkeypatch.setattr("ui.pairs.readers_for", lambda dataset: readers)
    assert opening_pair(opened, data, pairs) == 2

    def others(ids):  # the official photographs: the ids of the crops name pairs of other images there
        raise DataError("item 3: its images show 7 and 6")

    monkeypatch.setattr(data, "items", others)
    assert opening_pair(opened, data, pairs) == 0


@pytest.mark.parametrize("text", ["99999999999999999999", str(2**63), "9" * 5000, "-1", "1.5", "٣", "x"])
def test_what_is_no_number_of_an_item_is_refused_in_one_line(text):
    with pytest.raises(ValueError, match="^item ") as refused:
        item_number(text)
    assert len(str(refused.value)) < 120
    assert item_number(str(2**63 - 1)) == 2**63 - 1
