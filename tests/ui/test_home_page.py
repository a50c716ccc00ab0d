"""Home stays short however many runs there are, and the story of the faces is told from the shipped cards."""

import os
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from mmvae.checkpoints import config_of, save
from tests.tiny import tiny_model

PAGES = Path(__file__).parents[2] / "pages"


@pytest.fixture
def runs(bare) -> list[str]:
    """Nine runs, the last the newest."""
    names = [f"run-{i}" for i in range(9)]
    model = tiny_model("mumo")
    for i, name in enumerate(names):
        save(bare / "runs" / name, model, config_of(model, {}))
        for file in (bare / "runs" / name).iterdir():
            os.utime(file, (1e9 + i, 1e9 + i))
    return names


def shown(page: AppTest) -> list[str]:
    """The runs whose moving pictures the page has, in order."""
    films = [html.proto.body for html in page.get("html") if 'class="film"' in html.proto.body]
    return [film.partition('src="picture/')[2].partition("?")[0] for film in films[1:]]  # the first is the one at the top


def test_of_many_runs_the_newest_stand_on_home_and_all_where_they_are_asked_for(runs):
    page = AppTest.from_file(str(PAGES.parent / "ui" / "frame.py"), default_timeout=120).run()
    assert not page.exception
    assert shown(page) == runs[:2:-1]
    page.button(key="runs shown").click().run()
    assert shown(page) == runs[::-1]
    page.button(key="runs shown").click().run()
    assert len(shown(page)) == 6


def test_the_story_answers_its_question_from_the_cards(monkeypatch, tmp_path):
    monkeypatch.setenv("MMVAE_DATA", str(tmp_path))
    monkeypatch.setattr("ui.datasets.WAYS", {})
    page = AppTest.from_file(str(PAGES / "compare.py"), default_timeout=300)
    page.query_params |= {"models": "faces-mumo", "view": "story"}
    page.run()
    assert not page.exception
    assert any(text.value.startswith("**Here.** Yes: each factor is read from its own part") for text in page.markdown)
    assert any("ours agrees" in text.value for text in page.markdown)
    assert not any(box.label == "Data set" for box in page.selectbox)
