"""A slider through pictures that a route draws: they change while it is moved, without a rerun, and it plays by itself."""

from __future__ import annotations

__all__ = ["scrub"]

from collections.abc import Sequence

from . import live
from .component import served

_component = served("mmvae_scrub", "scrub.js", "scrub.css", isolated=False)  # the page dresses the pictures


def scrub(key: str, label: str, stops: Sequence[tuple[str, str]], address: str, *, query: str = "", start: int | None = None, swings: bool = False) -> None:
    """Shows the slider.

    Arguments:
        key: Of what is shown: where it changes, the slider begins anew.
        label: What the slider goes through.
        stops: Each one's part of the address, and the text that is shown for it.
        address: Where the pictures come from, as HTML: of a stop at ``{address}/{part}{query}``.
        start: Where it begins; None for the last.
        swings: Whether play goes to and fro without end, and not once to the end.
    """
    _component(key=f"scrub {key}", data={"files": live.FILES_PATH, "id": key + query, "label": label, "stops": [list(stop) for stop in stops], "address": address,
                                         "query": query, "start": len(stops) - 1 if start is None else start, "swings": swings})
