"""The Map page without a browser: what a link asks for, and what is shown of it."""

import json

import pytest
from tiny import TinyPairs, tiny_model

from mmvae.checkpoints import config_of, save
from tests.ui.test_foreign_models import opened
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
