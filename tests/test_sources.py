"""What a run is called after, and data that is sought where it may be now."""

from __future__ import annotations

import pytest

from mmvae.data import DataError
from mmvae.runs import check_name
from mmvae.sources import data_of, run_name
from tests.tiny import A, B


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("faces", "faces-mumo"),
        ("mnist-svhn", "mnist-svhn-mumo"),
        ("/data/deep/Shapes_Größe.npz", "Shapes_Grosse-mumo"),
        ("/data/my pairs/", "my-pairs-mumo"),
        ("/data/" + "x" * 80 + ".npz", "x" * 45 + "-mumo"),
        ("/data/пары.npz", "mumo"),
    ],
)
def test_a_run_is_called_after_its_data_and_its_variant_in_letters_that_names_may_have(tmp_path, source, name):
    assert run_name(source, "mumo", tmp_path) == name
    check_name(name, tmp_path)


def test_a_name_is_a_free_one(tmp_path):
    (tmp_path / "runs" / "pairs-mumo").mkdir(parents=True)
    assert run_name("/data/pairs.npz", "mumo", tmp_path) == "pairs-mumo-2"


def test_a_model_that_does_not_say_what_it_was_trained_on_asks_for_it(tmp_path):
    with pytest.raises(DataError, match="does not say what it was trained on; say where that is with --dataset PATH"):
        data_of({"dataset": None}, (A, B), tmp_path)
