"""The pages in the order of the top bar, where their files lie, and what their addresses carry."""

from __future__ import annotations

__all__ = ["PAGES", "file_of", "joined_names", "parted_names", "plain", "whole", "write_address"]

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, unquote

import streamlit as st

T = TypeVar("T")

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


def joined_names(names: Sequence[str]) -> str:
    """Names in one parameter of an address, commas between them; a comma within a name is quoted."""
    return ",".join(name.replace("%", quote("%")).replace(",", quote(",")) for name in names)


def parted_names(text: str) -> list[str]:
    """The names that `joined_names` put together."""
    return [unquote(name) for name in text.split(",") if name]


def whole(text: str | None, default: T = None) -> int | T:
    """The whole number that a parameter of an address is, as far as a browser holds it exactly; `default` where it is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else default


def write_address(parameters: Mapping[str, str]) -> None:
    """Writes parameters into the address where it has others: a run of a page that is being left, which changes nothing, else writes them into the next page's."""
    if st.query_params.to_dict() != dict(parameters):
        st.query_params.from_dict(parameters)


def plain(text: str, most: int = 200) -> str:
    """A text from an address with what Markdown would take for markup escaped: anyone may have written the link.

    Arguments:
        most: Its first characters that are kept.
    """
    return re.sub(r"([\\`*_~\[\]$:<>#!])", r"\\\1", text[:most])
