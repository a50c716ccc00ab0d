"""A folder that is no model of ours, or says of itself what it should not, is left out with one line; no page ends by it."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from visits import ran

from mmvae import DATASETS, VARIANTS
from mmvae.checkpoints import config_of, read_json, save, write_json
from mmvae.model import MultimodalVAE
from tests.ui.test_explore_page import write
from ui import models

#: What stands in a file of a folder that is left out: for each, what is changed in it.
FOREIGN = {
    "empty": ("config.json", None),
    "newer": ("config.json", {"schema": 2}),
    "no-dataset": ("config.json", {"dataset": 7}),
    "source-of-numbers": ("config.json", {"source": [1]}),
    "another-shape": ("config.json", {"dataset": "mnist-svhn"}),
    "training-of-numbers": ("config.json", {"training": [1]}),
    "figures-in-a-list": ("card.json", {"figures": []}),
    "figure-of-text": ("card.json", {"figures": {"elbo": "high"}}),
    "figure-without-metric": ("card.json", {"figures": {"elbo": {"value": 1.0}}}),
    "leakage-of-nothing": ("card.json", {"figures": {}, "leakage": {"factors": ["azimuth"], "measures": [], "blocks": []}}),
    "statistics-in-a-list": ("statistics.json", {"blocks": []}),
    "statistics-of-two": ("statistics.json", {"blocks": {"z_shared": {"kl": [1.0, 2.0]}}}),
    "reference-of-text": ("statistics.json", {"blocks": {}, "reference": {"ids": ["a"], "labels": {}, "codes": {}}}),
}


@pytest.fixture
def home(bare) -> Path:
    write(bare / "checkpoints" / "split", "mumo")
    nameless = MultimodalVAE(VARIANTS["mumo"], DATASETS["faces"].modalities, MultimodalVAE.for_dataset(VARIANTS["mumo"], DATASETS["faces"]).blocks)
    save(bare / "uploads" / "nameless", nameless, config_of(nameless, {}))
    for i, (name, (file, change)) in enumerate(FOREIGN.items()):
        folder = bare / ("uploads", "runs")[i % 2] / name
        write(folder, "mumo")
        known = read_json(folder / file) if (folder / file).is_file() else {}
        write_json(folder / file, {} if change is None else known | change)
    return bare


def framed(page):
    """The page among the others, to which it may link."""
    import streamlit as st

    from ui import navigation

    st.navigation([st.Page(navigation.file_of(name), title=title, default=name == page) for name, title in navigation.PAGES]).run()


def opened(page: str, **parameters: str) -> AppTest:
    test = ran(AppTest.from_function(framed, default_timeout=300, kwargs={"page": page}), **parameters)
    assert len(test.main)
    return test


@pytest.mark.parametrize("page", ["home", "explore", "translate", "map", "compare", "train"])
def test_every_page_opens_beside_folders_that_are_no_models(home, page):
    opened(page)


@pytest.mark.parametrize(("page", "parameter"), [("explore", "model"), ("translate", "models"), ("map", "model"), ("compare", "models")])
def test_every_page_shows_a_model_that_names_no_data_set(home, page, parameter):
    opened(page, **{parameter: "nameless"})


@pytest.mark.parametrize("view", ["leakage", "live", "maps", "figures", "training", "results"])
def test_every_comparison_opens_beside_folders_that_are_no_models(home, view):
    opened("compare", view=view)


def test_what_is_left_out_is_said_in_a_line_for_each_folder(home):
    assert sorted(models.names()) == ["nameless", "split"]
    said = [warning.value for warning in opened("home").warning]
    for name, (file, _) in FOREIGN.items():
        line = next(line for line in said if f"/{name}/{file}" in line)
        assert "\n" not in line and str(home) not in line
    assert len(said) == len(FOREIGN)


def test_a_folder_that_was_mended_is_a_model_again(home):
    folder = next(home.glob("*/figures-in-a-list"))
    assert "figures-in-a-list" not in models.names()
    (folder / "card.json").write_text(json.dumps({"figures": {}}))
    assert "figures-in-a-list" in models.names()


@pytest.mark.parametrize(("page", "parameters"), [("explore", {"model": "nameless"}), ("translate", {"models": "nameless"}),
                                                  ("compare", {"models": "nameless", "view": "live"})])
def test_weights_that_cannot_be_read_are_said_on_the_page_that_asks_for_them(home, page, parameters):
    (home / "uploads" / "nameless" / "weights.safetensors").write_bytes(b"no weights")
    test = opened(page, **parameters)
    said = [element.value.replace("\\", "") for element in (*test.error, *test.warning)]  # without the escapes of Markdown
    assert any("weights.safetensors: not a safetensors file" in words for words in said) and not test.exception


def test_explore_goes_on_with_the_first_model_that_can_be_read(home):
    names = models.names()
    for name in names[:-1]:
        next(home.glob(f"*/{name}")).joinpath("weights.safetensors").write_bytes(b"no weights")
    test = opened("explore", model=names[0])
    assert not test.exception and test.warning and test.session_state["explore"].model == names[-1]
