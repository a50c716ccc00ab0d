"""A traversal's pictures come from a route of their own: for models there are, pairs there are or not, and values there are."""

from types import SimpleNamespace
from urllib.parse import quote

import pytest
import torch
from starlette.requests import Request

from tests.ui.test_explore_page import write
from ui import models, traversals
from ui.navigation import joined_names
from ui.traversals import FRAMES, VALUES, figure_of, frames, routes, stack_html

NAMES = ("split", "one, code")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    monkeypatch.setenv("MMVAE_DATA", str(tmp_path / "data"))
    for name, variant in zip(NAMES, ("mumo", "vanilla")):
        write(tmp_path / "checkpoints" / name, variant)
    return tmp_path


def asked(frame: int, query: str):
    """What the route answers."""
    return routes[0].endpoint(Request({"type": "http", "query_string": query.encode(), "path_params": {"frame": frame}, "headers": []}))


def test_each_model_has_a_column_for_each_dimension_named_and_coloured_by_its_block(home):
    page = stack_html(NAMES, None, 0)
    split, one = page.split('<div class="stack"')[1:]
    assert split.count("<span class=") == len(figure_of("split", None)[0].columns) and one.count("<span class=") == len(figure_of(NAMES[1], None)[0].columns)
    assert [split.count(f'class="hue{hue}"') for hue in (0, 1, 2)] == [2, 5, 2] and one.count('class="hue1"') == one.count("<span class=")
    assert "z<sub>S</sub> 1" in split and "<sub>" not in one


def test_pictures_change_with_the_value_and_those_of_a_pair_do_not_move(home):
    low, high = (stack_html(["split"], None, frame) for frame in (0, FRAMES - 1))
    assert low != high and VALUES[0] == -VALUES[-1]
    assert len({low.count("<img"), high.count("<img"), 2}) == 1
    assert len(frames("split", None)) == FRAMES


def test_the_first_column_is_called_a_pair_only_where_the_pair_is_here(home, monkeypatch):
    assert "<span>code</span>" in stack_html(["split"], None, 0)

    class Here:
        def items(self, ids):
            return {m.name: torch.full((len(ids), *m.shape), 0.5) for m in models.checkpoint("split").model.modalities}, {}

    monkeypatch.setattr(models, "data_for", lambda opened: Here())
    monkeypatch.setattr(models, "data_version", lambda opened: "here")
    monkeypatch.setattr(traversals, "pairs_of", lambda opened, data: SimpleNamespace(ids=[7], plainest=lambda: 7, position=lambda item: 0))
    figure, start, first = figure_of("split", 7)
    assert first == "pair" and all((image == 0.5).all() for image in start.values())
    assert "<span>pair</span>" in stack_html(["split"], 7, 0) and "<span>code</span>" not in stack_html(["split"], 7, 0)


def test_the_route_draws_known_models_and_says_where_there_is_nothing(home):
    query = f"models={quote(joined_names([*NAMES, 'gone']))}"
    answer = asked(3, f"{query}&item=999999999")
    assert answer.status_code == 200 and answer.body.decode().count('<div class="stack"') == 2  # a pair that is not there is as none
    assert asked(3, f"{query}&item=%C2%B2").status_code == 200
    for frame, query in ((3, ""), (3, "models=gone"), (FRAMES, query)):
        assert asked(frame, query).status_code == 404
