"""The Compare page without a browser: what it says of a link that it follows only in part."""

from dataclasses import replace

import pytest

from mmvae import DATASETS, VARIANTS
from mmvae.checkpoints import config_of, save
from mmvae.model import MultimodalVAE
from tests.ui.test_explore_page import write
from tests.ui.test_foreign_models import opened


@pytest.fixture
def home(tmp_path, monkeypatch):
    write(tmp_path / "checkpoints" / "split", "mumo")
    write(tmp_path / "checkpoints" / "other", "vanilla")
    row = DATASETS["digits"]
    digits = MultimodalVAE.for_dataset(VARIANTS["joint-poe"], row, modalities=[replace(m, network=f"small{m.shape[1]}") for m in row.modalities])
    save(tmp_path / "checkpoints" / "digits", digits, config_of(digits, {}))
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    monkeypatch.setenv("MMVAE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("ui.datasets.WAYS", {})
    return tmp_path


def test_models_of_a_link_that_are_not_here_are_named_letter_by_letter_and_the_others_compared(home):
    page = opened("compare", models="split,gone,![a](b),other,gone")
    assert [warning.value for warning in page.warning] == [r"The link asks for a model that is not on this machine: gone, \!\[a\](b)."]
    assert page.session_state["compare"].models == ("split", "other")
    page.button_group(key="compare view").set_value("figures").run()
    assert not page.exception and not page.warning  # the address is that of what is shown by now


def test_models_of_a_link_that_are_of_another_data_set_are_named(home):
    page = opened("compare", models="split,digits,other")
    assert [warning.value for warning in page.warning] == [
        "The link asks for models of several data sets. Those of the first are shown, without digits."]
    assert page.session_state["compare"].models == ("split", "other")


@pytest.mark.parametrize("asked", [{}, {"models": "split,other"}, {"view": "results"}])
def test_a_link_that_is_followed_whole_says_nothing(home, asked):
    assert not opened("compare", **asked).warning
