"""A page's task follows its address, and outlives the models that it names."""

import shutil

import pytest

from tests.ui.test_explore_page import write
from tests.ui.test_foreign_models import opened
from ui import comparing, translating
from ui.navigation import whole, write_address

PAGES = ("translate", "compare")


@pytest.fixture(autouse=True)
def home(bare, monkeypatch):
    for name in ("split", "other", "third"):
        write(bare / "checkpoints" / name, "mumo")
    monkeypatch.setattr("ui.models.data_for", lambda opened: None)
    return bare


@pytest.mark.parametrize("page", PAGES)
def test_a_model_that_is_deleted_meanwhile_is_named_and_the_others_shown(home, page):
    shown = opened(page, models="split,other", view="swap" if page == "translate" else "figures")
    assert not shown.warning
    shutil.rmtree(home / "checkpoints" / "split")
    shown.run()
    assert not shown.exception and not shown.error
    assert [warning.value for warning in shown.warning] == ["Not on this machine any more, and left out: split."]
    assert shown.session_state[page].models == ("other",) and shown.session_state[page].view in ("swap", "figures")
    shown.run()
    assert not shown.warning and "".join(shown.query_params["models"]) == "other"


@pytest.mark.parametrize("page", PAGES)
def test_where_all_models_of_a_page_were_deleted_another_one_is_shown(home, page):
    shown = opened(page, models="split,other")
    for name in ("split", "other"):
        shutil.rmtree(home / "checkpoints" / name)
    shown.run()
    assert not shown.exception and not shown.error and shown.session_state[page].models == ("third",)


@pytest.mark.parametrize("page", PAGES)
def test_parameters_of_other_pages_ask_for_nothing(page):
    shown = opened(page, models="other")
    shown.query_params.clear()
    shown.query_params["point"] = "of Explore"
    shown.run()
    assert shown.session_state[page].models == ("other",)


@pytest.mark.parametrize("task", [translating.Task(("a",), "svhn", (1,), "4040c040", (2,), True, 3, 4, "swap"), comparing.Task(("a",), "live", 1, ("svhn",), True, 2)])
def test_all_that_an_address_carries_is_read_from_it(task):
    assert set(task.address()) == set(task.PARAMETERS)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("042", 42), ("9" * 15, 10**15 - 1), ("9" * 16, None), ("", None), (None, None), ("-1", None), ("1.0", None), ("²", None), ("٣", None)])
def test_a_parameter_is_a_whole_number_or_none(text, number):
    assert whole(text) == number and whole(text, 8) == (8 if number is None else number)


def test_an_address_is_written_only_where_it_changes(monkeypatch):
    class Parameters(dict):
        written = 0

        def to_dict(self):
            return dict(self)

        def from_dict(self, parameters):
            self.clear()
            self.update(parameters)
            self.written += 1

    shown = Parameters()
    monkeypatch.setattr("streamlit.query_params", shown)
    for wanted in ({"map": "a"}, {"map": "a"}, {"map": "a", "show": "pictures"}, {"map": "a"}):
        write_address(wanted)
        assert shown == wanted
    assert shown.written == 3
