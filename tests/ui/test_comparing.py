"""What Compare is asked for survives its address, curves mean the same in every variant, and a measurement always comes to its end."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmvae.checkpoints import config_of, save
from mmvae.history import events
from mmvae.report import COLOURS
from mmvae.runs import PROGRAM
from tests.tiny import tiny_model
from ui import comparing, palette
from ui.comparing import LOSS, NEAR, Measurement, Task, before, curve, curves_of, smoothed, span_of, unlike

PYTHON = sys.executable
NAMES = ('模型 #1, "a"', "50%2C, b", "plain")


@pytest.fixture
def named(tmp_path, monkeypatch):
    """Models whose names have commas, quotes and percent signs in them."""
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    model = tiny_model("mumo")
    for name in NAMES:
        save(tmp_path / "checkpoints" / name, model, config_of(model, {}))
    return NAMES


def test_a_task_comes_back_from_its_address_whatever_the_names(named):
    task = Task(named, "live", 7, ("a",), True, 2)
    assert Task.parse(task.address(), named) == task
    assert Task.parse({"models": "plain"}, named).models == ("plain",)  # links that are older than the quoting


EVENTS = [
    {"event": "started", "step": 0},
    {"event": "step", "step": 25, "total": 90.0, "parts": {"J reconstruction a": 10.0, "I reconstruction a": 30.0, "J kl z_a": 1.0}, "kl": {"z_a": [0.5, 0.25]}},
    {"event": "validation", "step": 50, "total": 80.0},
    {"event": "step", "step": 50, "total": None, "parts": {"J reconstruction a": 8.0}, "kl": {"z_a": [0.5, None]}},
]
ACROSS = [{"event": "step", "step": 25, "total": 90.0, "parts": {"I→both reconstruction a": 10.0, "T→both reconstruction a": 30.0}, "kl": {}}]


def test_a_trainings_curves_are_those_of_its_steps():
    assert curves_of(EVENTS) == [LOSS, "Reconstruction of a", "KL of z_a"]
    assert curve(EVENTS, LOSS) == [(25, 90.0)]  # a step that came to no number is a gap
    assert curve(EVENTS, "Reconstruction of a") == [(25, 10.0), (50, 8.0)]  # the pair's own, not its mean with the others
    assert curve(EVENTS, "KL of z_a") == [(25, 0.75)]
    assert curves_of(EVENTS[:1]) == [] == curve(EVENTS[:1], LOSS)


def test_without_a_term_of_the_pair_a_reconstruction_is_the_mean_over_the_codes_it_is_drawn_from():
    assert curves_of(ACROSS) == [LOSS, "Reconstruction of a"]
    assert curve(ACROSS, "Reconstruction of a") == [(25, 20.0)]


def test_a_training_that_went_on_from_another_stands_after_it():
    first = {"training": {"steps": 13_000, "batch_size": 64}, "trained": {"steps": 9_603}}
    on = {"training": {"steps": 8_000, "batch_size": 32}, "began_with": {"of": "first", **first}}
    assert before(first) == (0, "")
    assert before(on) == (9_603 * 64, "trained on, after 9,603 × 64")
    assert before({"training": {"steps": 10, "batch_size": 16}, "encoders": {"of": "on", **on}}) == (9_603 * 64 + 8_000 * 32, "decoders fitted anew, after 9,603 × 64, on 8,000 × 32")
    assert before({"began_with": {"of": "old", "training": {}, "trained": {}}}) == (0, "trained on")  # of a model that says no more of itself


def test_reconstructions_of_unlike_likelihoods_are_not_compared_by_their_height():
    bernoulli, gaussian = ({"modalities": [{"name": "a", "likelihood": "bernoulli", "scale": 1.0}, {"name": "b", "likelihood": family, "scale": 1.0}]} for family in ("bernoulli", "gaussian"))
    assert unlike([bernoulli, gaussian], "Reconstruction of b") == "b"
    assert not unlike([bernoulli, gaussian], "Reconstruction of a") and not unlike([gaussian, gaussian], "Reconstruction of b")
    assert not unlike([bernoulli, gaussian], "KL of z_b")


def test_a_smoothed_curve_is_the_mean_over_near_steps_and_steep_where_the_curve_is():
    points = [(10, 100.0), (20, 50.0), (1000, 3.0), (1100, 5.0), (1200, 1.0), (5000, 2.0)]
    assert 1200 < 1000 * NEAR < 5000 / NEAR and 10 * NEAR < 20
    assert smoothed(points) == [(10, 100.0), (20, 50.0), (1000, 3.0), (1100, 3.0), (1200, 3.0), (5000, 2.0)]
    assert smoothed([]) == []


def test_an_axis_shows_all_but_the_height_from_which_a_loss_falls_at_first():
    low, high = span_of([[(1, 9000.0), (10, 900.0), (100, 90.0), (10_000, 80.0)], [(1, 8000.0), (10, 70.0)]])
    assert low < 70 and 900 < high < 8000
    assert span_of([]) is None
    low, high = span_of([[(5, 1.0), (10, 1.0)]])
    assert low < 1 < high


def test_the_shipped_models_carry_the_steps_in_which_they_learn():
    told = events(PROGRAM / "checkpoints" / "faces-mmpoe-v1")
    for title in curves_of(told):
        points = curve(told, title)
        assert points[0][0] <= 25 and len(points) > 20, title
    recon = curve(told, "Reconstruction of elevation")
    assert recon[0][1] > 1.5 * recon[-1][1]


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Writes the shell script that stands for Python."""
    def write(script: str) -> Path:
        (tmp_path / "python").write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        (tmp_path / "python").chmod(0o755)
        monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
        return tmp_path / "python"

    return write


def followed(name: str, monkeypatch) -> Measurement:
    """A measurement that was followed to its end."""
    monkeypatch.setattr(comparing, "Thread", lambda target, args, **_: SimpleNamespace(start=lambda: target(*args)))
    comparing.measure(name)
    one = comparing.measurement(name)
    assert not one.running and not one.log.exists()
    return one


def test_a_measurement_whose_words_are_gone_comes_to_its_end_all_the_same(tmp_path):
    one = Measurement(SimpleNamespace(poll=lambda: 0), tmp_path / "gone.log")
    comparing._follow(one)
    assert not one.running and not one.error and one.doing == "starting"


@pytest.mark.parametrize(("script", "error"), [
    ("printf 'caf\\351\\n' >&2; exit 3", "the process ended with status 3 while caf�"),
    ("echo measuring >&2; echo 'mmvae: no such data' >&2; echo >&2; exit 1", "no such data"),
    ("exit 4", "the process ended with status 4 while starting"),
    ("echo measuring >&2", "")])
def test_a_measurement_is_followed_to_its_end_whatever_it_says(named, program, monkeypatch, script, error):
    program(script)
    assert followed("plain", monkeypatch).error == error


def test_a_measurement_goes_on_when_its_server_ends(named, program, tmp_path):
    shell = program(f"""while kill -0 $PPID 2>/dev/null; do sleep 0.05; done
        echo 'going on' >&2 && echo 'to its end' >&2 && touch {tmp_path}/finished""")
    server = f"import sys; sys.executable = {str(shell)!r}; from ui import comparing; comparing.measure('plain')"
    subprocess.run([PYTHON, "-c", server], cwd=PROGRAM, env={**os.environ, "TMPDIR": str(tmp_path)}, check=True)
    until = time.monotonic() + 30
    while not (tmp_path / "finished").exists():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_the_hues_of_blocks_are_written_once():
    root = Path(__file__).parents[2]
    hues = {hue for theme in palette.BLOCKS.values() for hue in theme}
    written = {file.name for folder in ("mmvae", "ui") for file in (root / folder).rglob("*.py") if any(hue in file.read_text("utf-8") for hue in hues)}
    assert written == {"palettes.py"}
    for theme, colours in COLOURS.items():
        assert tuple(colours[f"block-{place}"] for place in ("first", "shared", "second")) == palette.BLOCKS[theme]
