"""A sheet to draw a digit on; what is drawn is a short text that `mmvae.inputs.drawn` renders."""

from __future__ import annotations

__all__ = ["canvas"]

from collections.abc import Callable
from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent

_component = st.components.v2.component(
    "mmvae_canvas", css=(HERE / "canvas.css").read_text(encoding="utf-8"), js=(HERE / "canvas.js").read_text(encoding="utf-8"))


def canvas(strokes: str, *, key: str, on_draw: Callable[[str], None]) -> None:
    """Shows the sheet with these strokes on it; `on_draw` is called with all strokes whenever the pen is lifted."""
    _component(key=key, data={"strokes": strokes}, default={"strokes": strokes},
               on_strokes_change=lambda: on_draw(str(st.session_state[key].strokes)))
