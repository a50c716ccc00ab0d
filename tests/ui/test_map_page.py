"""The Map page without a browser: what a link asks for, and what is shown of it."""

import json

import pytest
from streamlit.testing.v1 import AppTest
from tiny import TinyPairs, tiny_model
from visits import ran

from mmvae.checkpoints import config_of, save
from tests.ui.test_foreign_models import framed, opened
from ui import map_panel, models


@pytest.fixture
def home(tmp_path, monkeypatch):
    model = tiny_model("mumo")
    save(tmp_path / "checkpoints" / "tiny", model, config_of(model, {}))
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    monkeypatch.setenv("MMVAE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(models, "data_for", lambda opened: TinyPairs())
    monkeypatch.setattr(map_panel, "_jobs", map_panel.Jobs())
    return tmp_path


@pytest.mark.parametrize(("split", "asked", "there"), [("test", 500, 32), ("train", 500, 64), ("test", 20, 20)])
def test_a_map_of_more_items_than_there_are_says_how_many_it_shows(home, split, asked, there):
    row = {"model": "tiny", "blocks": ["z_shared"], "source": "pair", "sampled": False, "split": split, "count": asked, "seed": 0, "layout": '{"method": "pca"}'}
    page = opened("map", map=json.dumps([row]))
    assert not page.warning and not page.error
    (job,) = map_panel._jobs._jobs.values()
    assert f"; {there} items" in map_panel.described(job)
    (shown,) = json.loads(page.query_params["map"])
    assert shown == row | {"count": there, "layout": shown["layout"]}


@pytest.fixture
def strayed(home, monkeypatch) -> None:
    """Beside a model whose data is here one, "gone", whose data was moved."""
    gone = tiny_model("mumo")
    gone.dataset = "/gone/pairs.npz"
    save(home / "runs" / "gone", gone, config_of(gone, {}))
    monkeypatch.setattr(models, "data_for", lambda opened: None if opened.name == "gone" else TinyPairs())


def chosen(page) -> str:
    return next(box.value for box in page.selectbox if box.label == "Model")


def test_a_link_to_a_model_whose_data_is_gone_chooses_it_and_says_so(strayed):
    page = opened("map", model="gone")
    assert chosen(page) == "gone" and not page.warning and not page.error
    (said,) = [info.value for info in page.info]
    assert "not on this machine" in said and "/gone/pairs.npz" in said
    next(box for box in page.selectbox if box.label == "Model").set_value("tiny").run()
    assert chosen(page) == "tiny" and not page.info and json.loads(page.query_params["map"])[0]["model"] == "tiny"


def test_a_link_to_a_model_whose_data_is_gone_replaces_the_map_before_it(strayed):
    page = opened("map", model="tiny")
    assert chosen(page) == "tiny" and "map" in page.query_params
    page.query_params.clear()
    page.query_params["model"] = "gone"
    page.run()
    assert chosen(page) == "gone" and len(page.info) == 1 and "map" not in page.query_params


def test_what_was_chosen_comes_back_where_streamlit_forgot_it(home):
    """As after Back and Forward, where the page between was left before it was drawn: the address alone is known still."""
    row = {"model": "tiny", "blocks": ["z_shared"], "source": "pair", "sampled": False, "split": "test", "count": 20, "seed": 0, "layout": '{"method": "pca"}'}
    first = opened("map", map=json.dumps([row]))
    again = AppTest.from_function(framed, default_timeout=300, kwargs={"page": "map"})
    for key in ("map shown", "map followed", "map asked", "map complaint"):
        again.session_state[key] = first.session_state[key]
    ran(again, map=first.query_params["map"])
    assert again.session_state["map a method"] == "pca" and json.loads(again.query_params["map"])[0]["count"] == 20
