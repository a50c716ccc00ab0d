"""Which pairs the Translate page begins with, and what it says of the command that measures more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from mmvae.presets import pairs_to_measure
from mmvae.readers import ReaderNetwork, Readers
from tests.ui.test_explore_page import BlackFaces, write
from tests.ui.test_foreign_models import opened
from ui import models, translating
from ui.datasets import WAYS
from ui.pairs import pairs_of

DATA = BlackFaces("faces")


@pytest.fixture(autouse=True)
def home(bare, monkeypatch) -> None:
    write(bare / "checkpoints" / "split", "mumo")
    monkeypatch.setattr(models, "data_for", lambda opened: DATA)
    network = ReaderNetwork((1, 64, 64), DATA.factors).eval()
    monkeypatch.setattr(translating, "_readers", lambda key: Readers("faces", dict.fromkeys([m.name for m in DATA.modalities], network), {}))


def control(page: AppTest, name: str):
    return page.button_group(key=f"translate {name}")


def values(page: AppTest, which: str, factor: str) -> list[float]:
    """A factor of the pairs that are inputs or styles."""
    return DATA.items(getattr(page.session_state["translate"], which))[1][factor].tolist()


@pytest.mark.parametrize("to", ["lighting", "elevation"])
def test_swap_begins_with_styles_that_differ_in_both_private_factors(to):
    page = opened("translate", to=to)
    control(page, "view").set_value("swap").run()
    assert len(set(values(page, "styles", "elevation"))) == len(set(values(page, "styles", "lighting"))) == 5


def test_the_other_direction_begins_with_images_that_show_what_is_their_own():
    page = opened("translate", to="lighting", styled="1")
    control(page, "to").set_value("elevation").run()
    assert len(set(values(page, "styles", "elevation"))) > 1 and len(set(values(page, "items", "lighting"))) > 1
    control(page, "to").set_value("lighting").run()
    assert len(set(values(page, "styles", "lighting"))) > 1 and len(set(values(page, "items", "elevation"))) > 1


def test_a_link_that_carries_what_was_chosen_for_nobody_does_not_fix_it():
    page = opened("translate", to="lighting")
    again = opened("translate", **{name: "".join(value) for name, value in page.query_params.items()})
    assert values(again, "styles", "identity") == values(page, "styles", "identity")
    control(again, "view").set_value("swap").run()
    assert len(set(values(again, "styles", "elevation"))) == 5


def test_what_a_person_or_a_link_chose_stays_in_every_direction_and_view():
    first, second, third = pairs_of(None, DATA).ids[:3].tolist()
    page = opened("translate", items=f"{first},{second}", styles=str(third))
    for name, value in (("view", "swap"), ("to", "elevation"), ("view", "translate")):
        control(page, name).set_value(value).run()
        task = page.session_state["translate"]
        assert getattr(task, name) == value and (task.items, task.styles) == ((first, second), (third,))


def test_the_check_says_of_how_many_pairs_its_own_figures_and_the_command_s_are():
    page = opened("translate", view="check")
    said = [caption.value for caption in page.caption]
    assert any("64 random test images; in brackets 95 % intervals over the images" in text for text in said)
    pairs = pairs_to_measure(DATA.factors)
    assert f"Measures translations both ways on {pairs // 2:,} test pairs, and all else that Compare shows on up to {pairs:,} pairs" in said


def test_the_check_offers_the_images_that_it_lacks(monkeypatch):
    monkeypatch.setattr(models, "data_for", lambda opened: None)
    monkeypatch.setattr("ui.datasets.WAYS", {"faces": replace(WAYS["faces"], local=False)})  # not begun behind the test
    page = opened("translate", view="check")
    assert "not on this machine" in page.info[0].value and page.button(key="prepare-faces")
