"""The gallery's filters: whose names they bear, and what they let through."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest
from visits import ran


def filters():
    from types import SimpleNamespace

    from mmvae.data import Factor
    from ui.gallery import _filters

    factors = [Factor(name, "categorical", ("a", "b")) for name in ("azimuth", "dX_Offset", "Shape Kind", "ångle")]
    _filters(SimpleNamespace(choices=lambda factor: [0, 1]), factors, "test")


def test_a_factor_keeps_the_letters_that_it_was_named_with():
    page = ran(AppTest.from_function(filters))
    assert [field.label for field in page.multiselect] == ["Azimuth", "DX\\_Offset", "Shape Kind", "Ångle"]


def everything():
    import numpy as np
    import streamlit as st
    import torch

    from mmvae.data import Factor
    from ui.gallery import gallery
    from ui.pairs import Pairs

    names = ("random", "clear", "thumbnails", "modality")
    factors = (*(Factor(name, "categorical", ("a", "b")) for name in names), Factor("size", "ordered", (1.0, 2.0, 2.0001)))
    labels = {name: np.array([0, 1, 1, 0]) for name in names} | {"size": np.float32([1.0, 2.0, 2.0001, 2.0])}
    pairs = Pairs(np.arange(4), labels, factors)

    def thumbnails(ids):
        st.session_state["shown"] = list(ids)
        return torch.zeros(len(ids), 1, 8, 8)

    gallery(pairs, "left", (), thumbnails, key="test", on_pick=lambda ids: None)


def test_a_factor_may_be_called_like_a_part_of_the_gallery():
    page = ran(AppTest.from_function(everything))
    assert not page.exception and {"Random", "Clear"} <= {button.label for button in page.button}


def test_values_of_one_text_are_one_choice_and_all_of_them_are_found():
    page = ran(AppTest.from_function(everything))
    size = next(field for field in page.multiselect if field.label == "Size")
    assert size.options == ["1", "2"]
    size.set_value([2.0]).run()
    assert not page.exception and sorted(page.session_state["shown"]) == [1, 2, 3]
