"""The pages in the order of the top bar, where their files lie, and what their addresses carry."""

from __future__ import annotations

__all__ = ["PAGES", "file_of", "joined_names", "parted_names", "plain"]

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote

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


def plain(text: str, most: int = 200) -> str:
    """A text from an address with what Markdown would take for markup escaped: anyone may have written the link.

    Arguments:
        most: Its first characters that are kept.
    """
    return re.sub(r"([\\`*_~\[\]$:<>#!])", r"\\\1", text[:most])
