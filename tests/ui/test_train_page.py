"""The Train page: which run it shows, what it offers of one that died, and what it says before one is begun."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from visits import ran

from mmvae import runs, turns
from mmvae.data import DATASETS
from mmvae.model import MultimodalVAE
from mmvae.presets import Settings
from mmvae.training import start
from mmvae.variants import VARIANTS

PAGE = str(Path(__file__).parents[2] / "pages" / "train.py")
SETTINGS = Settings(steps=100, batch_size=4, learning_rate=2e-3, device="cpu", clip=7.0, augment=False)


@pytest.fixture
def home(bare) -> Path:
    return bare


def configured(home: Path, name: str, settings: Settings = SETTINGS, *events: dict, variant: str = "joint-poe") -> Path:
    """A run on digits that ended with these events, untrained."""
    folder = home / "runs" / name
    start(folder, MultimodalVAE.for_dataset(VARIANTS[variant], DATASETS["digits"]), settings)
    told = [{"event": "started", "device": "cpu"}, *(events or [{"event": "stopped"}])]
    lines = (json.dumps({"step": 50, "steps": 100, "seconds": 25.0, **event}) + "\n" for event in told)
    (folder / "events.jsonl").write_text("".join(lines))
    (folder / "lock").touch()
    return folder


def opened(**parameters: str) -> AppTest:
    return ran(AppTest.from_file(PAGE, default_timeout=300), **parameters)


def shown(page: AppTest) -> str:
    """What the page's own HTML says."""
    return "".join(element.proto.body for element in page.get("html"))


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def form(page: AppTest, label: str):
    return next(field for field in (*page.number_input, *page.selectbox, *page.text_input) if field.label == label)


def test_the_form_weighs_the_terms_of_the_loss_and_a_duplicate_brings_them_back(home):
    page = fresh("digits")
    form(page, "Variant").set_value("mvae").run()
    assert (form(page, "β").value, form(page, "λ mnist").value, form(page, "Likelihoods").value) == (1.0, 1.0, ())
    assert "--beta 1.0" in page.code[0].value and not any(option in page.code[0].value for option in ("--weights", "--likelihoods"))
    form(page, "β").set_value(4.0)
    form(page, "λ mnist").set_value(50.0)
    form(page, "Likelihoods").set_value(("laplace", "laplace")).run()
    assert "--beta 4.0" in page.code[0].value and "--likelihoods laplace laplace --weights 50.0 1.0" in page.code[0].value
    assert any("laplace likelihood, weight 50" in caption.value and "weighed 4 times" in caption.value for caption in page.caption)


def test_a_duplicate_keeps_what_lies_beyond_the_bounds_of_the_form(home):
    wide = replace(SETTINGS, steps=6_000_000, batch_size=5000, learning_rate=1e-7, snapshot=200_000)
    folder = home / "runs" / "wide"
    start(folder, MultimodalVAE.for_dataset(VARIANTS["mumo"], DATASETS["digits"], private=(65, 2), shared=300), wide)
    (folder / "events.jsonl").write_text('{"step": 1, "steps": 6000000, "seconds": 1.0, "event": "stopped"}\n')
    page = opened(run="wide")
    next(button for button in page.button if button.label == "Duplicate with changes").click().run()
    assert not page.exception
    fields = {label: form(page, label).value for label in ("Steps", "Pairs a step", "Learning rate", "Snapshot every", "z_mnist", "z_shared")}
    assert fields == {"Steps": 6_000_000, "Pairs a step": 5000, "Learning rate": 1e-7, "Snapshot every": 200_000, "z_mnist": 65, "z_shared": 300}
    form(page, "Steps").set_value(5_500_000).run()
    assert form(page, "Steps").value == 5_500_000 and "--private 65 2 --shared 300" in page.code[0].value


@pytest.mark.parametrize("change", [{"blocks": 3}, {"blocks": [{}]}, {"training": None}, {"modalities": []}])
def test_a_run_whose_configuration_was_spoiled_by_hand_is_shown_with_what_is_wrong(home, change):
    folder = configured(home, "spoiled", SETTINGS, {"event": "step", "total": 1.0, "parts": {}, "kl": {"z_shared": [1.0]}, "pairs_per_second": 1.0, "seconds_left": 1}, {"event": "stopped"})
    (folder / "weights.safetensors").write_bytes(b"")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    page = opened(run="spoiled")
    assert not page.exception and any("config.json" in error.value for error in page.error)


# ---- which run


@pytest.mark.parametrize("name", ["my pairs-dmvae", "_mine", "x" * 64])
def test_a_run_is_shown_whatever_its_folder_is_named(home, name):
    configured(home, name)
    assert f'<span class="run-name">{name}</span>' in shown(opened(run=name))


def test_events_that_no_training_tells_do_not_take_the_page_down(home):
    kl = {"z_shared": [1.0] * DATASETS["digits"].joint}
    step = {"event": "step", "total": 90.0, "parts": {"J reconstruction mnist": 10.0}, "kl": kl}
    odd = [10**400, -(10**400), 1.7e308, 1e38, "90", None, [1], {"": 1}, {"a": None}, {"": [1]}, {"z_shared": ["1"]}, float("nan"), float("inf"), True]
    keys = ("step", "steps", "seconds", "total", "parts", "kl", "pairs_per_second", "seconds_left", "message", "device")
    configured(home, "hostile", SETTINGS, step, *({**step, key: value} for key in keys for value in odd), {"event": "validation", "total": 10**400}, {"event": "stopped"})
    assert '<span class="run-name">hostile</span>' in shown(opened(run="hostile"))


def test_a_loss_below_zero_has_a_minus(home):
    configured(home, "mine", SETTINGS, {"event": "step", "total": -1234.5, "parts": {}, "kl": {"z_shared": [1.0] * DATASETS["digits"].joint}}, {"event": "stopped"})
    assert "−1,234.5" in shown(opened(run="mine"))


def test_what_a_folder_is_named_is_no_html(home):
    configured(home, "<i>mine")
    assert "&lt;i&gt;mine" in shown(opened()) and "<i>mine" not in shown(opened())


def test_a_link_to_a_run_below_those_in_sight_puts_it_on_top(home):
    for i in range(9):
        os.utime(configured(home, f"run-{i}") / "config.json", (1000 - i, 1000 - i))
    assert list(opened(run="run-3").dataframe[0].value["Run"]) == [f"run-{i}" for i in range(9)]
    assert list(opened(run="run-8").dataframe[0].value["Run"])[:3] == ["run-8", "run-0", "run-1"]


def test_a_waiting_run_says_what_it_waits_for(home):
    first, mine = configured(home, "first"), configured(home, "mine")
    with turns.held(first, "training", "cpu"), turns.held(mine, "waiting", "cpu"):
        said = [info.value for info in opened(run="mine").info]
    assert said == ["It waits for its turn, after first. Runs that are started here train one at a time on a device."]


def test_a_link_to_a_run_that_is_gone_says_so(home):
    configured(home, "mine")
    page = opened(run="theirs")
    assert [warning.value for warning in page.warning] == ["No run “theirs” on this machine; this is the newest."]


def test_a_link_cannot_write_markup_on_the_page(home):
    configured(home, "mine")
    (warning,) = opened(run="[sign in](https://elsewhere) ![](https://elsewhere/p.png)").warning
    assert warning.value.startswith(r"No run “\[sign in\](https\://elsewhere) \!\[\](")


def test_a_run_began_when_it_did_in_whatever_zone_the_server_is(home, monkeypatch):
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    os.utime(configured(home, "mine") / "config.json", (moment.timestamp(),) * 2)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        (began,) = opened().dataframe[0].value["Began"]
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    assert began == moment


def test_a_run_that_is_starting_can_be_stopped(home, monkeypatch):
    monkeypatch.setattr("ui.runs._halting", set())
    folder = configured(home, "mine")
    with turns.held(folder, "starting", "cpu"):
        page = opened(run="mine")
        next(button for button in page.button if button.label == "Stop").click().run()
        assert turns.stop_asked(folder) and "stopping" in shown(page) and "Stop" not in labels(page)


def test_a_run_that_has_no_process_yet_says_that_it_is_about_to_stop(home, monkeypatch):
    monkeypatch.setattr("ui.runs._halting", set())
    monkeypatch.setattr("ui.runs._halt", lambda run: None)
    folder = configured(home, "mine")
    turns.note(folder, "spawned")
    page = opened(run="mine")
    next(button for button in page.button if button.label == "Stop").click().run()
    (stop,) = [button for button in page.button if button.label == "Stopping …"]
    assert stop.disabled and not page.error


# ---- one that ended


@pytest.mark.parametrize("values", [[12.3], [12.3] * 9], ids=["one step", "constant"])
def test_a_run_that_has_one_point_to_plot_is_shown(home, values):
    step = {"event": "step", "parts": {"J reconstruction mnist": 10.0}, "kl": {"z_shared": [1.0] * DATASETS["digits"].joint}}
    configured(home, "mine", SETTINGS, *({**step, "step": i, "total": value} for i, value in enumerate(values, 1)), {"event": "stopped"})
    assert len(opened(run="mine").get("plotly_chart")) == 4


def test_of_a_run_that_diverged_a_duplicate_with_half_the_learning_rate_comes_first(home):
    folder = configured(home, "mine", SETTINGS, {"event": "diverged", "message": "step 51: the loss is not finite"})
    (folder / "lock").write_text('{"doing": "training"}')
    page = opened()
    assert labels(page)[:2] == ["Duplicate with half the learning rate", "Resume"]
    assert "the same steps to the same end" in page.error[0].value
    page.button[0].click().run()
    assert form(page, "Learning rate").value == 1e-3 and form(page, "Name").value == "mine-2"
    assert "--clip 7.0" in page.code[0].value and "--no-augment" in page.code[0].value  # what the form does not ask for


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_run_begun_on_a_gpu_is_offered_to_go_on_without(home, monkeypatch):
    configured(home, "mine", replace(SETTINGS, device="cuda"))
    started = []
    monkeypatch.setattr(runs, "_launch", lambda folder, arguments: started.append(arguments))
    page = opened()
    next(button for button in page.button if button.label == "Resume on the processor").click().run()
    assert started[0][started[0].index("--device") + 1] == "cpu"


def test_a_finished_run_is_offered_new_decoders(home, monkeypatch):
    folder = configured(home, "mine", SETTINGS, {"event": "finished"})
    (folder / "weights.safetensors").touch()  # there are some; none are read to begin
    started = []
    monkeypatch.setattr(runs, "_launch", lambda folder, arguments: started.append((folder, arguments)))
    page = opened()
    next(field for field in page.number_input if field.key == "refit mine").set_value(70).run()
    next(button for button in page.button if button.key == "start refit mine").click().run()
    ((begun, arguments),) = started
    assert begun.name == "mine-refitted" and arguments[1:3] == ["--encoders", str(folder)] and arguments[arguments.index("--steps") + 1] == "70"
    assert not {"--variant", "--private", "--shared"} & set(arguments)


@pytest.mark.parametrize(("before", "close"), [(0, False), (0, True), (2, True), (2, False)])
def test_a_run_is_trained_on_with_or_without_its_spare_private_dimensions(home, monkeypatch, before, close):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    folder = configured(home, "mine", replace(SETTINGS, private_open=before, device="cuda"), {"event": "finished"}, variant="mumo")
    (folder / "weights.safetensors").touch()
    started = []
    monkeypatch.setattr(runs, "_launch", lambda folder, arguments: started.append((folder, arguments)))
    page = opened()
    next(field for field in page.number_input if field.key == "on mine").set_value(70).run()
    toggle = next(toggle for toggle in page.toggle if toggle.key == "close mine")
    assert not toggle.disabled and toggle.value == (before > 0)  # else what was closed would open again unasked
    toggle.set_value(close).run()
    next(button for button in page.button if button.key == "start on mine").click().run()
    ((begun, arguments),) = started
    said = {option: arguments[arguments.index(option) + 1] for option in ("--begin-with", "--steps", "--private-open", "--device")}
    assert begun.name == "mine-on"
    assert said == {"--begin-with": str(folder), "--steps": "70", "--private-open": str((before or 1) if close else 0), "--device": "cpu"}


# ---- before one is begun


def test_what_is_done_to_ones_own_pairs_is_said(home):
    images = np.zeros((20, 30, 40), np.uint8)
    np.savez(home / "pairs.npz", left=images, right=images)
    page = AppTest.from_file(PAGE, default_timeout=300)
    page.session_state["new-dataset"] = str(home / "pairs.npz")
    page.run()
    assert any("images of 40×30 pixels" in caption.value and "32×32" in caption.value for caption in page.caption)


def written(home: Path, name: str) -> Path:
    """Twenty pairs with an ordered factor, one of three classes and one that only the right picture shows."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 28, 28), np.uint8)
    described = json.dumps({"angle": {"unit": "°"}, "shift": {"owner": "right", "unit": "px"}})
    np.savez(home / name, left=images, right=images, angle=np.linspace(0.0123, 89.98, 20), shape=np.arange(20) % 3,
             shift=np.linspace(-0.3, 0.3, 20), factors=np.array(described))
    return home / name


def fresh(dataset: str) -> AppTest:
    """The form for a new run on this data."""
    page = AppTest.from_file(PAGE, default_timeout=300)
    page.session_state["train-view"], page.session_state["new-dataset"] = "New run", dataset
    page.run()
    assert not page.exception
    return page


def test_what_ones_own_pairs_are_read_as_is_said(home):
    said = " ".join(caption.value for caption in fresh(str(written(home, "pairs.npz"))).caption).replace("\\", "")
    assert said.startswith("20 pairs: 16 to train on, 2 to validate and 2 to test with; "
                           "angle: ordered, 0 to 90°; shape: 3 classes; shift: ordered, −0.3 to 0.3 px, of right alone.")


def test_a_run_on_ones_own_pairs_is_called_after_their_file(home):
    page = fresh(str(written(home, "My Größen.npz")))
    assert form(page, "Name").placeholder == "My-Grossen-mumo"
    assert f"--out {home}/runs/My-Grossen-mumo " in page.code[0].value


def test_a_path_below_the_home_folder_may_begin_with_a_tilde(home, monkeypatch):
    written(home, "pairs.npz")
    monkeypatch.setenv("HOME", str(home))
    page = fresh("~/pairs.npz")
    assert not page.error and f"--dataset {home}/pairs.npz " in page.code[0].value


def test_a_second_run_is_offered_the_settings_of_the_first_under_another_name(home, monkeypatch):
    monkeypatch.setattr(runs, "_launch", lambda folder, arguments: configured(home, folder.name))
    monkeypatch.setattr("ui.datasets.is_here", lambda name: True)
    page = fresh("digits")
    form(page, "Name").set_value("mine").run()
    for label, value in (("Steps", 400), ("z_mnist", 5), ("z_shared", 7), ("Seed", 3)):
        form(page, label).set_value(value).run()
    form(page, "Decoders").set_value("fine").run()
    next(button for button in page.button if button.label == "Start").click().run()
    assert '<span class="run-name">mine</span>' in shown(page)
    page.session_state["train-view"] = "New run"
    page.run()
    assert [form(page, label).value for label in ("Steps", "z_mnist", "z_shared", "Seed", "Decoders", "Name")] == [400, 5, 7, 3, "fine", "mine-2"]
    form(page, "Variant").set_value("joint-poe").run()  # another variant has settings of its own
    assert form(page, "Steps").value != 400 and form(page, "Seed").value == 0


def test_the_time_is_that_of_a_run_whose_steps_cost_the_same(home):
    alike = configured(home, "alike", replace(SETTINGS, batch_size=32, augment=True))
    other = configured(home, "other", replace(SETTINGS, batch_size=64, augment=True))
    for i, folder in enumerate((alike, other)):
        os.utime(folder / "config.json", (1000 + i,) * 2)
    page = opened(run="alike")
    next(button for button in page.button if button.label == "Duplicate with changes").click().run()
    assert any(text.value == "About **50 s**, as alike took 25 s for 50 steps." for text in page.markdown)
    form(page, "Pairs a step").set_value(48).run()
    assert any("is not known before" in text.value for text in page.markdown)


def test_a_measurement_is_stopped_where_what_it_measures_is_not_asked_for_any_more(home, monkeypatch):
    ended = threading.Event()

    def measure(plan, told, stopped):
        told("step 2 of 6")
        while not stopped():
            time.sleep(0.01)
        ended.set()
        raise runs.RunError("it was stopped")

    monkeypatch.setattr(runs, "measure", measure)
    monkeypatch.setattr("ui.datasets.is_here", lambda name: True)
    page = opened()
    next(button for button in page.button if button.label == "Measure").click().run()
    assert any("Measuring: step 2 of 6" in text.value for text in page.markdown)
    form(page, "Seed").set_value(5).run()  # a step takes as long with it
    assert not ended.is_set() and any("Measuring: step 2 of 6" in text.value for text in page.markdown)
    form(page, "Pairs a step").set_value(48).run()
    assert ended.wait(60) and any("is not known before" in text.value for text in page.markdown)
