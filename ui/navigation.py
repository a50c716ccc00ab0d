"""The pages in the order of the top bar, and where their files lie."""

from __future__ import annotations

__all__ = ["PAGES", "file_of"]

from pathlib import Path

#: File name under pages/ (also the address), and title.
PAGES = (
    ("home", "Home"),
    ("explore", "Explore"),
    ("translate", "Translate"),
    ("map", "Map"),
    ("compare", "Compare"),
    ("train", "Train"),
)


def file_of(name: str) -> Path:
    """The file of a page, for `st.Page`, `st.page_link` and `st.switch_page`."""
    return Path(__file__).resolve().parents[1] / "pages" / f"{name}.py"
