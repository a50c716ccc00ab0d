"""Components of the page (Streamlit's v2) whose script the app serves from ``ui/frontend``."""

from __future__ import annotations

__all__ = ["nothing", "served"]

import streamlit as st

from . import live


def served(name: str, script: str, *styles: str, isolated: bool = True):
    """Declares a component.

    Arguments:
        name: As Streamlit knows it.
        script: The module that exports ``render(component)``; its URL comes with the data, under ``files``.
        styles: The style sheets, one after the other.
        isolated: Whether the page's own styles end at the component.
    """
    return st.components.v2.component(
        name,
        css="\n".join((live.FRONTEND / style).read_text(encoding="utf-8") for style in styles),
        js="""export default async function (component) {
            const { render } = await import(location.origin + component.data.files + "/SCRIPT");
            return render(component);
        }""".replace("SCRIPT", script),
        isolate_styles=isolated,
    )


def nothing() -> None:
    """Streamlit reports a component's values only where a callback is named."""
