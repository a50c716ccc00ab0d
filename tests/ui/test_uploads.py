"""A checkpoint that is brought twice is there once, and an uploaded one alone can be removed."""

import json

import pytest

from mmvae.archive import pack
from mmvae.checkpoints import catalogue, config_of, save
from tests.tiny import tiny_model
from tests.ui.test_foreign_models import opened
from ui import uploads


@pytest.fixture
def home(bare):
    model = tiny_model("mumo")
    save(bare / "checkpoints" / "shipped", model, config_of(model, {}))
    return bare


def packed(folder, seed=0, **entries) -> bytes:
    model = tiny_model("mumo", seed)
    save(folder, model, config_of(model, {}) | entries)
    return pack(folder)


def test_a_checkpoint_that_is_brought_again_opens_the_one_that_is_here(home, tmp_path_factory):
    sent = packed(tmp_path_factory.mktemp("sent") / "sent", seed=1)
    assert uploads.take_in(sent, "good.zip") == ("good", False)
    assert uploads.take_in(sent, "again.zip") == ("good", True)
    assert sorted(path.name for path in (home / "uploads").glob("[!.]*")) == ["good"]
    assert uploads.take_in(packed(tmp_path_factory.mktemp("same") / "same"), "mine.zip") == ("shipped", True)


@pytest.mark.parametrize("other", [{"seed": 2}, {"training": {"steps": 7}}])
def test_other_weights_or_another_configuration_are_another_checkpoint(home, tmp_path_factory, other):
    folder = tmp_path_factory.mktemp("sent")
    assert uploads.take_in(packed(folder / "one", seed=1), "good.zip") == ("good", False)
    assert uploads.take_in(packed(folder / "other", **{"seed": 1} | other), "good.zip") == ("good-2", False)


def test_an_upload_is_removed_and_nothing_else_ever(home, tmp_path_factory):
    uploads.take_in(packed(tmp_path_factory.mktemp("sent") / "sent", seed=1), "good.zip")
    for name in ("shipped", "good", "gone"):
        uploads.remove(name)
    assert list(catalogue()) == ["shipped"] and not list((home / "uploads").glob("*deleted*"))


def test_of_an_upload_that_is_a_link_the_link_alone_is_removed(home, tmp_path_factory):
    sent = tmp_path_factory.mktemp("sent") / "sent"
    packed(sent, seed=1)
    (home / "uploads").mkdir()
    (home / "uploads" / "mine").symlink_to(sent)
    uploads.remove("mine")
    assert list(catalogue()) == ["shipped"] and list((home / "uploads").iterdir()) == [] and (sent / "config.json").is_file()


def test_home_removes_the_upload_that_was_confirmed_and_offers_none_where_there_is_none(home, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sent")
    for seed, name in ((1, "one.zip"), (2, "two.zip")):
        uploads.take_in(packed(folder / name, seed=seed), name)
    page = opened("home")
    removal = next(box for box in page.selectbox if box.label == "Upload")
    assert len(removal.options) == 2 and "shipped" not in json.dumps(removal.options)
    removal.select("two").run()
    next(button for button in page.button if button.label == "Remove it").click().run()
    assert not page.exception and list(catalogue()) == ["shipped", "one"]
    next(button for button in page.button if button.label == "Remove it").click().run()
    assert not page.exception and list(catalogue()) == ["shipped"]
    assert "Remove it" not in [button.label for button in page.button]
