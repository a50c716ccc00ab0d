"""Pictures in rows under the page's own hand: a cell may carry a point, and opens it when clicked."""

from __future__ import annotations

__all__ = ["cells", "image", "link", "scale"]

import html
from pathlib import Path
from urllib.parse import quote

import streamlit as st
from torch import Tensor

from mmvae.pictures import as_bytes
from mmvae.point import Point
from mmvae.palettes import VERDICTS, VIRIDIS

from .figures import data_uri, png

HERE = Path(__file__).parent

_component = st.components.v2.component(
    "mmvae_cells", css=(HERE / "cells.css").read_text(encoding="utf-8"), js=(HERE / "cells.js").read_text(encoding="utf-8"))


def cells(content: str, *, key: str, scheme: str) -> str | None:
    """Shows HTML made of `image` and `link`; the text of the point that was just clicked, or None.

    Arguments:
        content: Trusted: whatever comes from outside is escaped in it.
        scheme: ``"dark"`` or ``"light"``.
    """
    good, bad = VERDICTS[scheme]
    style = f"<style>:host, .cells {{--good: {good}; --bad: {bad}}}</style>"
    return _component(key=key, data={"html": style + content}, on_open_change=lambda: None).open


def image(picture: Tensor, title: str = "", *, small: bool = False) -> str:
    """A picture [C, H, W] in [0, 1] as an element."""
    kind = ' class="small"' if small else ""
    return f'<img{kind} alt="{html.escape(title)}" title="{html.escape(title)}" src="{data_uri(png(as_bytes(picture)))}">'


def link(content: str, point: Point) -> str:
    """Content that opens a point in Explore."""
    text = str(point)
    return f'<a href="explore?point={quote(text, safe="~")}" data-point="{html.escape(text)}" target="_self">{content}</a>'


def scale(top: float) -> str:
    """The colours of `mmvae.translation.heat`, from 0 to `top`."""
    colours = ", ".join(VIRIDIS)
    return (f'<span class="scale" style="background: linear-gradient(90deg, {colours})"></span>'
            f'<span class="ends"><span>0</span><span>{top:.2f}</span></span>')
