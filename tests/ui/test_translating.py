"""What an address of the Translate page may carry, and the command that comes of it."""

from __future__ import annotations

import shlex
from urllib.parse import parse_qsl, urlencode

import pytest

from ui.navigation import plain
from ui.translating import Task

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


def test_what_a_link_says_is_shown_letter_by_letter():
    assert plain("![a](http://b) <i>*c*") == r"\!\[a\](http\://b) \<i\>\*c\*"
    assert len(plain("a" * 9000)) == 200 and len(plain("a" * 9000, 600)) == 600


def test_a_task_comes_back_whatever_its_models_are_named():
    known = ['模型 #1, "a"', "50%2C, b", "a&b=c+d", "plain"]
    asked = Task(tuple(known), "svhn")
    assert Task.parse(dict(parse_qsl(urlencode(asked.address()))), known) == asked
    assert Task.parse({"models": "plain"}, known).models == ("plain",)  # links that are older than the quoting
