"""What an address of the Translate page may carry, and the command that comes of it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlencode

import pytest
import torch

from mmvae import DATASETS, VARIANTS
from mmvae.checkpoints import CONFIG, config_of, save
from mmvae.data import version_of
from mmvae.model import MultimodalVAE
from mmvae.readers import folder_of
from ui import models
from ui.comparing import effects_of
from ui.navigation import plain
from ui.translating import Task, judged_version, readers_of, thumbnails

KNOWN = ["digits-a", "digits-b"]
STROKES = "4040c040.c04060f0"


@pytest.mark.parametrize("strokes", ["40 --out /; rm -rf ~", "$(id)", "4040c04", "4040" * 3000], ids=["shell", "substitution", "half", "endless"])
def test_strokes_that_are_no_drawing_do_not_pass_an_address(strokes):
    asked = Task.parse({"models": "digits-a", "to": "svhn", "strokes": strokes}, KNOWN)
    assert asked.strokes == "" and "--draw" not in asked.command(["digits-a"])


def test_whatever_stands_in_a_task_the_command_is_one_command():
    nasty = "a; touch 'b' $(c)\n| d"
    asked = Task((nasty,), to=nasty, items=(3,), strokes=nasty)
    words = shlex.split(asked.command([nasty, nasty], [nasty], [nasty]))
    assert words[:4] == ["python", "-m", "mmvae", "translate"] and words.count(nasty) == 5
    assert asked.command(["plain"]).count(";") == 2  # both quoted


def test_a_drawing_is_part_of_the_task_only_where_it_is_what_is_observed():
    asked = Task(("digits-a",), to="svhn", strokes=STROKES)
    assert asked.address()["strokes"] == STROKES and STROKES in asked.command(["digits-a"])
    turned = Task(("digits-a",), to="mnist", strokes=STROKES)
    assert "strokes" not in turned.address() and "--draw" not in turned.command(["digits-a"])


def test_a_task_comes_back_from_its_address():
    asked = Task(("digits-b", "digits-a"), "svhn", (4, 2), STROKES, (7,), True, 3, 11, "swap")
    assert Task.parse(asked.address(), KNOWN) == asked


def test_pictures_of_any_two_heights_lie_side_by_side():
    images = {"low": torch.rand(2, 1, 49, 98), "high": torch.rand(2, 3, 64, 32)}
    opened, data = SimpleNamespace(model=SimpleNamespace(names=tuple(images))), SimpleNamespace(items=lambda ids: (images, {}))
    both = thumbnails(opened, data, None, [4, 5])
    assert both.shape == (2, 3, 64, 128 + 32)  # though 49 · (64 / 49) is less than 64
    assert both[..., 128:].equal(images["high"])  # which is as high already


def test_what_a_link_says_is_shown_letter_by_letter():
    assert plain("![a](http://b) <i>*c*") == r"\!\[a\](http\://b) \<i\>\*c\*"
    assert len(plain("a" * 9000)) == 200 and len(plain("a" * 9000, 600)) == 600


def test_a_task_comes_back_whatever_its_models_are_named():
    known = ['模型 #1, "a"', "50%2C, b", "a&b=c+d", "plain"]
    asked = Task(tuple(known), "svhn")
    assert Task.parse(dict(parse_qsl(urlencode(asked.address()))), known) == asked
    assert Task.parse({"models": "plain"}, known).models == ("plain",)  # links that are older than the quoting


SHIPPED_READERS = Path(__file__).parents[2] / "checkpoints" / "readers" / "digits"


@pytest.fixture
def own(tmp_path, monkeypatch) -> str:
    """The path of a person's own pairs, with a model of them and without readers."""
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    file = tmp_path / "own.npz"
    file.write_bytes(b"pairs")
    row = replace(DATASETS["digits"], name=str(file))
    model = MultimodalVAE.for_dataset(VARIANTS["joint-poe"], row, modalities=[replace(m, network=f"small{m.shape[1]}") for m in row.modalities]).eval()
    save(tmp_path / "checkpoints" / "of-own", model, config_of(model, {}))
    return str(file)


def train_readers(own: str) -> None:
    """Puts readers where those of these pairs lie, as if they had been trained on the pairs as they are now."""
    shutil.copytree(SHIPPED_READERS, folder_of(own))
    config = json.loads((folder_of(own) / CONFIG).read_text("utf-8"))
    (folder_of(own) / CONFIG).write_text(json.dumps(config | {"files": version_of(own)}), "utf-8")


def test_readers_are_there_once_trained_and_gone_once_their_pairs_are_others(own):
    assert readers_of(own) is None
    train_readers(own)
    assert readers_of(own) is not None and readers_of(own) is readers_of(own)
    Path(own).write_bytes(b"other pairs")
    assert readers_of(own) is None


def test_what_dimensions_do_is_found_anew_once_readers_are_trained_and_only_then(own):
    opened = models.checkpoint("of-own")
    assert not any(effect.factors for effect in effects_of(opened))
    train_readers(own)
    assert all(effect.factors for effect in effects_of(opened)) and effects_of(opened) is effects_of(opened)


def test_what_is_found_with_a_models_data_is_kept_until_the_data_are_others(own):
    opened = models.checkpoint("of-own")
    before = judged_version(opened)
    assert judged_version(opened) == before
    os.utime(own, (1, 1))
    assert judged_version(opened) != before
