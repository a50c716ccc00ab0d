"""Files that are no pictures get one message, which goes with the next action."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from tests.tiny import A
    from ui.uploading import uploaded

    st.button("something else")
    uploaded(A, "place", "set")


def huge() -> bytes:
    """A picture of more pixels than are read."""
    buffer = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # one of them is large on purpose
def test_files_that_cannot_be_taken_are_told_of_together_and_once():
    test = AppTest.from_function(page, default_timeout=60).run()
    bad = [*((f"[{i}](b).png", b"no picture", "image/png") for i in range(6)), ("cut.png", b"\x89PNG\r\n\x1a\n" + bytes(200), "image/png")]
    bad.insert(3, ("huge.png", huge(), "image/png"))
    test.file_uploader[0].set_value(bad).run()
    assert not test.exception
    (error,) = test.error
    head, unread, large = error.value.split("\n- ")
    assert head == "8 files were left out." and large.startswith("huge.png\\: 10000×10000 pixels")
    assert unread.startswith(", ".join(f"\\[{i}\\](b).png" for i in range(6)) + ", cut.png\\: not a picture this program can read")
    test.button[0].click().run()
    assert not test.exception and not test.error


def test_one_file_alone_is_told_of_in_a_line():
    test = AppTest.from_function(page, default_timeout=60).run()
    test.file_uploader[0].set_value([("bad.png", b"no picture", "image/png")]).run()
    (error,) = test.error
    assert error.value.startswith("bad.png\\: not a picture")
