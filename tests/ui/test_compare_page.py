"""The Compare page without a browser: what it says of a link that it follows only in part."""

import json
from dataclasses import replace

import pytest

from mmvae import DATASETS, VARIANTS
from mmvae.checkpoints import config_of, save
from mmvae.model import MultimodalVAE
from tests.ui.test_explore_page import write
from tests.ui.test_foreign_models import opened
from ui import comparing, models
from ui.comparing import Measurement


@pytest.fixture
def home(bare):
    write(bare / "checkpoints" / "split", "mumo")
    write(bare / "checkpoints" / "other", "vanilla")
    row = DATASETS["digits"]
    digits = MultimodalVAE.for_dataset(VARIANTS["joint-poe"], row, modalities=[replace(m, network=f"small{m.shape[1]}") for m in row.modalities])
    save(bare / "checkpoints" / "digits", digits, config_of(digits, {}))
    return bare


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


def test_the_curve_of_a_training_that_went_on_begins_where_the_one_before_ended(home):
    for name, origin in (("split", {"began_with": {"of": "other", "training": {"steps": 900, "batch_size": 64}, "trained": {"steps": 600}}}), ("other", {})):
        origin |= {"training": {"batch_size": 32}}
        folder = home / "checkpoints" / name
        (folder / "config.json").write_text(json.dumps(json.loads((folder / "config.json").read_text("utf-8")) | origin), "utf-8")
        (folder / "events.jsonl").write_text("".join(f'{{"event": "step", "step": {step}, "steps": 100, "seconds": 1, "total": {1000 / step}, "parts": {{}}, "kl": {{}}}}\n' for step in (25, 50, 100)))
    page = opened("compare", models="split,other", view="training")
    assert not page.exception
    figure = json.loads(page.get("plotly_chart")[0].proto.spec)
    named = {line["name"]: line for line in figure["data"] if "name" in line}
    assert named["MuMo-VAE (split) (trained on, after 600 × 64)"]["x"] == [600 * 64 + 32 * step for step in (25, 50, 100)]
    assert named["Vanilla VAE (other)"]["x"] == [32 * step for step in (25, 50, 100)]


def test_a_measurement_that_failed_stands_beside_one_that_runs_until_that_fails_too(home, monkeypatch):
    failed, goes_on = (Measurement(None, home / f"{i}.log", "drawing samples") for i in range(2))
    monkeypatch.setattr(comparing, "_measurements", {models.path_of(name).resolve(): one for name, one in (("split", failed), ("other", goes_on))})
    failed.error, failed.running = "no such data", False
    page = opened("compare", models="split,other")  # does not come to its end where the page is drawn over and over
    assert [error.value for error in page.error] == ["split could not be measured: no such data"]
    assert any("other: drawing samples" in text.value for text in page.markdown)
    assert [button.label for button in page.button if button.label.startswith("Measure")] == ["Measure split"]
    goes_on.error, goes_on.running = "no memory", False
    page.run()
    assert not page.exception and [error.value for error in page.error] == [f"{name} could not be measured: {why}" for name, why in (("split", "no such data"), ("other", "no memory"))]
    assert [button.label for button in page.button if button.label.startswith("Measure")] == ["Measure split", "Measure other"]


@pytest.mark.parametrize("asked", [{}, {"models": "split,other"}, {"view": "results"}])
def test_a_link_that_is_followed_whole_says_nothing(home, asked):
    assert not opened("compare", **asked).warning
