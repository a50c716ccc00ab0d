"""The page around the panel: what it opens, what it refuses, and what it says where the images are not on the machine."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from visits import ran

from mmvae import DATASETS, VARIANTS
from mmvae.checkpoints import config_of, digest, load, save
from mmvae.data.faces import FaceGrid
from mmvae.model import MultimodalVAE
from mmvae.point import Point
from ui import models

PAGE = str(Path(__file__).parents[2] / "pages" / "explore.py")


class BlackFaces(FaceGrid):
    """The grid of faces, all of them in the dark."""

    def pictures(self):
        identities, azimuths, elevations, lightings = self.shape
        return tuple(np.broadcast_to(np.uint8(0), (identities, azimuths, views, 64, 64)) for views in (elevations, lightings))


def write(folder: Path, variant: str) -> MultimodalVAE:
    """An untrained checkpoint with three reference pairs, whose codes count up."""
    torch.manual_seed(0)
    model = MultimodalVAE.for_dataset(VARIANTS[variant], DATASETS["faces"]).eval()
    blocks = {b.name: {"mean": [0.0] * b.dim, "stddev": [1.0] * b.dim, "low": [-2.0] * b.dim, "high": [2.0] * b.dim, "sigma": [0.5] * b.dim,
                       "kl": [1.0] * b.dim, "histogram": [[1] * 40] * b.dim} for b in model.blocks}
    codes = {b.name: {"mean": [[0.1 * i] * b.dim for i in range(3)], "stddev": [[0.2] * b.dim] * 3} for b in model.blocks}
    subsets = ["elevation+lighting", *(m for i, m in enumerate(model.names) if model.variant.infers_from(frozenset({i})))]
    labels = {"identity": [4, 5, 6], "azimuth": [-90.0, 0.0, 90.0], "elevation": [0.0, 0.0, 30.0], "lighting": [0.0, 90.0, 0.0]}
    save(folder, model, config_of(model, {}), {
        "items": 3, "blocks": blocks, "reference": {"ids": [70, 80, 90], "labels": labels, "codes": {given: codes for given in subsets}}})
    return model


@pytest.fixture
def home(bare) -> Path:
    write(bare / "checkpoints" / "plain", "vanilla")
    write(bare / "checkpoints" / "split", "mumo")
    write(bare / "checkpoints" / "other", "mumo")
    digits = MultimodalVAE.for_dataset(VARIANTS["joint-poe"], DATASETS["digits"]).eval()
    save(bare / "checkpoints" / "digits", digits, config_of(digits, {}))
    return bare


def opened(**parameters: str) -> AppTest:
    return ran(AppTest.from_file(PAGE, default_timeout=300), **parameters)


def button(page: AppTest, label: str):
    return next(b for b in page.button if b.label == label)


def test_a_model_opens_at_its_first_pair_and_says_what_is_missing(home):
    page = opened(model="split")
    view = page.session_state["explore"]
    assert (view.model, view.item, view.observed) == ("split", 70, ("elevation", "lighting"))
    assert any("3 reference pairs" in caption.value for caption in page.caption)


def test_pairs_are_found_by_factor_and_stepped_through(home):
    page = opened(model="split")
    page.selectbox(key="explore factor identity").set_value(6).run()
    assert page.session_state["explore"].item == 90
    button(page, "next ›").click().run()
    assert page.session_state["explore"].item == 70
    button(page, "‹ prev").click().run()
    assert page.session_state["explore"].item == 90
    assert page.selectbox(key="explore factor identity").value == 6


def test_a_factor_that_leads_nowhere_leaves_the_person_and_says_so(home):
    page = opened(model="split")
    page.select_slider(key="explore factor azimuth").set_value(90.0).run()
    assert page.session_state["explore"].item == 70 and page.select_slider(key="explore factor azimuth").value == -90.0
    assert any("No pair of identity" in caption.value and "azimuth +90°" in caption.value for caption in page.caption)


def test_other_pages_open_on_the_model_and_the_pair_that_are_shown(home, monkeypatch):
    links = {}
    monkeypatch.setattr("streamlit.page_link", lambda page, label, query_params: links.update({Path(page).stem: query_params}))
    opened(model="split", item="80")
    assert links == {"translate": {"models": "split", "items": "80"}, "map": {"model": "split"}, "compare": {"models": "split,other,plain", "item": "80"}}
    opened(model="digits")
    assert links["compare"]["models"] == "digits"


def test_values_of_one_text_are_one_choice(home):
    """A browser answers with the text: a second value of it would pass for a choice that nobody made."""
    file = home / "checkpoints" / "split" / "statistics.json"
    told = json.loads(file.read_text("utf-8"))
    told["reference"]["labels"]["azimuth"] = [4.1, 3.9, 90.0]
    file.write_text(json.dumps(told), "utf-8")
    slider = opened(model="split").select_slider(key="explore factor azimuth")
    assert (slider.options, slider.value) == (["+4°", "+90°"], 4.1)


def test_one_factor_of_a_face_leads_to_the_same_person_and_the_page_says_of_which_pairs_it_is(home, monkeypatch):
    monkeypatch.setattr(models, "data_for", lambda opened: BlackFaces("faces"))
    page = opened(model="split")
    labels = {f.name: page.session_state[f"explore factor {f.name}"] for f in DATASETS["faces"].factors}
    assert any("of the test pairs" in caption.value for caption in page.caption)
    page.select_slider(key="explore factor azimuth").set_value(labels["azimuth"] + 9.0).run()
    assert not page.exception
    assert {name: page.session_state[f"explore factor {name}"] for name in labels} == labels | {"azimuth": labels["azimuth"] + 9.0}
    assert any("of the training pairs" in caption.value for caption in page.caption)


def test_another_model_of_the_same_data_keeps_the_pair_and_what_it_can_infer_from(home):
    page = opened(model="split", item="80")
    button(page, "only lighting").click().run()
    page.selectbox(key="explore model").set_value("other").run()
    view = page.session_state["explore"]
    assert (view.model, view.item, view.observed) == ("other", 80, ("lighting",))
    page.selectbox(key="explore model").set_value("plain").run()  # which has no posterior given lighting alone
    view = page.session_state["explore"]
    assert (view.model, view.item, view.observed) == ("plain", 80, ("elevation", "lighting"))
    page.selectbox(key="explore model").set_value("digits").run()
    assert page.session_state["explore"].model == "digits" and page.session_state["explore"].item != 80


def test_what_a_variant_cannot_infer_is_refused_with_the_reason(home):
    page = opened(model="plain")
    refused = button(page, "only elevation")
    assert refused.disabled and "no posterior given elevation alone" in refused.help
    assert not button(page, "both").disabled and not button(page, "none").disabled


def test_a_link_that_observes_what_its_variant_cannot_infer_from_shows_the_prior_and_says_why(home):
    z = tuple(torch.linspace(-1, 1, sum(b.dim for b in load(home / "checkpoints" / "plain").blocks)).tolist())
    page = opened(point=str(Point("plain", digest(home / "checkpoints" / "plain"), z, 80, ("elevation",))))
    view = page.session_state["explore"]
    assert view.observed == () and view.code == pytest.approx(z)
    assert any("no posterior given elevation alone" in warning.value for warning in page.warning)


def test_every_choice_is_a_new_revision_and_starts_at_the_posterior_again(home):
    page = opened(model="split")
    before = page.session_state["explore"]
    button(page, "only lighting").click().run()
    after = page.session_state["explore"]
    assert after.observed == ("lighting",) and after.revision == before.revision + 1 and after.code is None and after.item == before.item


def test_a_point_in_the_address_is_opened_as_it_is(home):
    z = tuple(torch.linspace(-1, 1, 9).tolist())
    point = Point("split", digest(home / "checkpoints" / "split"), z, 80, ("lighting",))
    page = opened(point=str(point))
    view = page.session_state["explore"]
    assert (view.model, view.item, view.observed) == ("split", 80, ("lighting",)) and view.code == pytest.approx(z)
    assert not page.warning


@pytest.mark.parametrize(("text", "words"), [
    ("p1~nonsense", "not a point"),
    (str(Point("gone", "00000000", (0.0,))), "no model 'gone'"),
    (str(Point("split", "00000000", (0.0,) * 4)), "4 dimensions"),
    (str(Point("split", "00000000", (0.0,) * 9, None, ("smell",))), "smell"),
    (str(Point("split", "00000000", (0.0,) * 9)), "other weights"),
    (str(Point("split", "00000000", (0.0,) * 9, 12_345_678, ("elevation",))), "other weights"),
])
def test_a_point_that_does_not_fit_is_told_in_words(home, text, words):
    page = opened(point=text)
    assert any(words in warning.value for warning in page.warning)


@pytest.mark.parametrize("item", ["99999999999999999999", "9" * 5000, "five"])
def test_a_number_that_no_item_has_is_told_in_one_line(home, item):
    page = opened(model="plain", item=item)
    (warning,) = page.warning
    assert "could not be opened" in warning.value and "item" in warning.value and len(warning.value) < 150
    assert page.session_state["explore"].model == "plain" and page.session_state["explore"].item == 70


@pytest.mark.parametrize("asked", ["gone", "../plain"])
def test_a_model_that_is_gone_is_named_and_the_first_one_shown_with_its_picker(home, asked):
    page = opened(model=asked)
    assert page.session_state["explore"].model == models.names()[0] and not page.error
    assert any(asked in warning.value for warning in page.warning)
    assert any(box.label == "Model" for box in page.selectbox)
    assert "model" not in page.query_params


def test_what_a_link_names_is_shown_letter_by_letter_and_not_without_end(home):
    (warning,) = opened(model="![a](b)" + 3000 * "x").warning
    assert r"\!\[a\](b)" in warning.value and len(warning.value) < 700


def test_a_long_complaint_is_told_to_its_end(home):
    name = "vanilla-" + 150 * "x"
    (home / "checkpoints" / "plain").rename(home / "checkpoints" / name)
    (warning,) = opened(point=str(Point(name, "00000000", (0.0,) * 10, 80))).warning
    assert warning.value.endswith("may draw another picture.")


def test_likelihoods_weights_and_the_factor_of_every_kl_are_told_beside_the_formula(home):
    model = MultimodalVAE.for_dataset(VARIANTS["vanilla"], DATASETS["faces"]).eval()
    save(home / "runs" / "softer", model, config_of(model, {"beta": 0.5}), {"items": 0, "blocks": {}})
    told = next(caption.value for caption in opened(model="softer").caption if caption.value.startswith("Source"))
    assert "elevation view: bernoulli likelihood, weight 1; lighting view" in told and "Every KL in the loss is weighed 0.5 times." in told
    assert not any("Every KL" in caption.value for caption in opened(model="plain").caption)
