"""The gallery's filters: whose names they bear."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest
from visits import ran


def filters():
    from types import SimpleNamespace

    from mmvae.data import Factor
    from ui.gallery import _filters

    factors = [Factor(name, "categorical", ("a", "b")) for name in ("azimuth", "dX_Offset", "Shape Kind", "ångle")]
    _filters(SimpleNamespace(values=lambda factor: [0, 1]), factors, "test")


def test_a_factor_keeps_the_letters_that_it_was_named_with():
    page = ran(AppTest.from_function(filters))
    assert [field.label for field in page.multiselect] == ["Azimuth", "DX\\_Offset", "Shape Kind", "Ångle"]
