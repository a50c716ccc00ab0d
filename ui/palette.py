"""Colours of the interface in the theme that a session shows: blocks by hue, see `mmvae.palettes`, and what is not in focus."""

from __future__ import annotations

__all__ = ["BLOCKS", "GREY", "block_colours", "plotly_scale", "theme"]

from collections.abc import Sequence

import streamlit as st

from mmvae.latents import Block
from mmvae.palettes import BLOCKS

#: What is not in focus, by theme.
GREY = {"dark": "#8b949e", "light": "#6b7480"}


def theme() -> str:
    """``"dark"`` or ``"light"``: what the browser of this session shows."""
    return st.context.theme.type or "dark"


def block_colours(blocks: Sequence[Block], scheme: str) -> dict[str, str]:
    """The hue of each block of a model, {block name: colour}.

    Arguments:
        blocks: In the model's order: private of the first, shared, private of the second, or one shared block alone.
        scheme: ``"dark"`` or ``"light"``.
    """
    first, shared, second = BLOCKS[scheme]
    seen_shared = False
    colours = {}
    for block in blocks:
        colours[block.name] = shared if block.owner is None else second if seen_shared else first
        seen_shared = seen_shared or block.owner is None
    return colours


def plotly_scale(colours: Sequence[str]) -> list[tuple[float, str]]:
    """A continuous colour scale of equally spaced colours, as Plotly takes it."""
    return [(i / (len(colours) - 1), colour) for i, colour in enumerate(colours)]
