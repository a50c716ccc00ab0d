"""A variant drawn on a page: its graph and its formula, the same wherever it is explained."""

from __future__ import annotations

__all__ = ["explain"]

from collections.abc import Sequence

import streamlit as st

from mmvae.modalities import Modality
from mmvae.notation import INDEX_SIZE, TEXT_SIZE, diagram, formula
from mmvae.variants import Variant

from . import palette

#: Streamlit sets one size for all text of a graph; letters and their indices have places of their own only at the graph's sizes.
STYLE = f"""<style>
[data-testid="stGraphVizChart"] svg text {{font-size: {TEXT_SIZE}px !important}}
[data-testid="stGraphVizChart"] svg text[baseline-shift] {{font-size: {INDEX_SIZE}px !important}}
</style>"""


def explain(variant: Variant, modalities: Sequence[Modality]) -> None:
    """Draws the variant's graph and, below it, its formula, lines aligned at their start."""
    scheme = palette.theme()
    st.html(STYLE)
    st.graphviz_chart(diagram(variant, modalities, hues=palette.BLOCKS[scheme], ink=palette.GREY[scheme]), width="stretch", alt=f"Graph of {variant.title}")
    if len(variant.encoders) > 2:
        st.caption("Solid: the posterior of the pair. Dashed: encoders that serve where one picture is missing.")
    st.latex(r"\begin{aligned} &" + r" \\[6pt] &".join(formula(variant, modalities)) + r" \end{aligned}")
