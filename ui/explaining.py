"""A variant drawn on a page: its graph and its formula, the same wherever it is explained."""

from __future__ import annotations

__all__ = ["broken", "explain", "weighed"]

import re
from collections.abc import Sequence

import streamlit as st

from mmvae.modalities import Modality
from mmvae.notation import INDEX_SIZE, TEXT_SIZE, diagram, formula
from mmvae.variants import Variant

from . import palette
from .navigation import plain

#: Streamlit sets one size for all text of a graph; letters and their indices have places of their own only at the graph's sizes.
#: The hat of a letter is a sign of its own to Graphviz, which leaves room for it before the index.
STYLE = f"""<style>
[data-testid="stGraphVizChart"] svg text {{font-size: {TEXT_SIZE}px !important}}
[data-testid="stGraphVizChart"] svg text[baseline-shift] {{font-size: {INDEX_SIZE}px !important}}
[data-testid="stGraphVizChart"] svg .hatted text {{transform: translateX(4px)}}
[data-testid="stGraphVizChart"] svg .hatted text[baseline-shift] {{transform: translateX(-5px)}}
[class*="st-key-formula"] .katex {{font-size: 1.02em}}
</style>"""
#: Signs of a formula that fit beside one another in half a page.
WIDEST = 66


def explain(variant: Variant, modalities: Sequence[Modality]) -> None:
    """Draws the variant's graph and, below it, its formula, lines aligned at their start."""
    scheme = palette.theme()
    st.html(STYLE)
    st.graphviz_chart(diagram(variant, modalities, hues=palette.BLOCKS[scheme], ink=palette.GREY[scheme]), width="stretch", alt=f"Graph of {variant.title}")
    if len(variant.encoders) > 2:
        st.caption("Solid: the posterior of the pair. Dashed: encoders that serve where one picture is missing.")
    with st.container(key=f"formula {variant.name}"):
        st.latex(r"\begin{aligned} &" + r" \\[6pt] &".join(r" \\ &\qquad ".join(broken(line)) for line in formula(variant, modalities)).replace("$", r"\$") + r" \end{aligned}")  # a symbol is whatever its checkpoint says


def weighed(modalities: Sequence[Modality], beta: float = 1.0) -> str:
    """What the formula's signs stand for in a model, as a sentence or two: each modality's likelihood and weight, and the factor of every KL."""
    told = "; ".join(f"{plain(m.title)}: {m.likelihood} likelihood, weight {m.weight:g}" for m in modalities) + "."
    return told + (f" Every KL in the loss is weighed {beta:g} times." if beta != 1 else "")


def broken(line: str, widest: int = WIDEST) -> list[str]:
    r"""A line of LaTeX as lines of at most so many signs, cut before a sum's next term or at a ``\qquad``, never within brackets.

    A piece without such a place stays as wide as it is.
    """
    depth, width, at, start, last = 0, 0, 0, 0, None
    pieces = []
    for sign in re.finditer(r"\\[a-zA-Z]+|\\.|\s+|.", line):
        text = sign.group()
        depth += (text in "{[(" or text in (r"\{", r"\left")) - (text in "}])" or text in (r"\}", r"\right"))
        if depth == 0 and sign.start() > start and (text == r"\qquad" or (text == "+" and line[sign.start() - 1] == " ")):
            last, at = sign, width
        width += not text.isspace() and text not in ("{", "}", "_", "^")
        if width > widest and last is not None:
            pieces.append(line[start:last.start()].rstrip())
            start, width, last = last.end() if last.group() == r"\qquad" else last.start(), width - at, None
    return [*pieces, line[start:].strip()]
