"""Files that are no pictures get one message, which goes with the next action."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from tests.tiny import A
    from ui.uploading import uploaded

    st.button("something else")
    uploaded(A, "place", "set")


def test_files_that_cannot_be_taken_are_told_of_together_and_once():
    test = AppTest.from_function(page, default_timeout=60).run()
    bad = [(f"[{i}](b).png", b"no picture", "image/png") for i in range(7)]
    test.file_uploader[0].set_value(bad).run()
    assert not test.exception
    (error,) = test.error
    assert error.value.startswith("7 files were left out.\n- \\[0\\](b).png\\: not a picture this program can read") and error.value.count("\n- ") == 7
    test.button[0].click().run()
    assert not test.exception and not test.error


def test_one_file_alone_is_told_of_in_a_line():
    test = AppTest.from_function(page, default_timeout=60).run()
    test.file_uploader[0].set_value([("bad.png", b"no picture", "image/png")]).run()
    (error,) = test.error
    assert error.value.startswith("bad.png\\: not a picture")
