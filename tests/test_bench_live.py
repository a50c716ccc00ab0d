"""The training beside which the live page is measured is one as the app starts it."""

import subprocess
import sys

import pytest

from mmvae import runs
from mmvae.bench import live


def test_the_training_in_the_background_has_the_priority_of_the_app_s_and_says_why_there_is_none(monkeypatch):
    started = []

    def spawn(arguments, nice, **streams):
        started.append((arguments, nice, subprocess.Popen([sys.executable, "-c", "print('mmvae: no faces'); raise SystemExit(1)"], **streams)))
        return started[-1][-1]

    monkeypatch.setattr(live, "spawn", spawn)
    with pytest.raises(RuntimeError, match="mmvae: no faces"), live.training():
        pass
    ((arguments, nice, process),) = started
    assert nice == runs.NICE and arguments[:3] == ["train", "--variant", "mumo"] and process.poll() is not None
