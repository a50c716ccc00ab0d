"""The live panel of the Compare page: one pair in several models, one set of sliders. The browser does the rest by itself."""

from __future__ import annotations

__all__ = ["Shown", "compare_panel"]

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from mmvae.checkpoints import Checkpoint
from mmvae.matching import Place, Slot
from mmvae.model import MultimodalVAE

from . import live
from .component import served
from .panel import Beliefs, beliefs_of, describe

_component = served("mmvae_compare", "compare.js", "panel.css", "compare.css")


@dataclass(frozen=True)
class Shown:
    """One model in the panel.

    Arguments:
        checkpoint: With its statistics.
        title: At the head of its column.
        beliefs: Of the pair; None where it refuses.
        refused: Why it has no posterior given what is observed.
    """

    checkpoint: Checkpoint
    title: str
    beliefs: Beliefs | None
    refused: str = ""


def compare_panel(shown: Sequence[Shown], slots: Sequence[Slot], *, images: Mapping[str, Tensor], labels: Mapping[str, float], item: int | None, observed: Sequence[str],
                  key: str, on_draw: Callable[[], None], drawn: dict | None) -> None:
    """Shows the panel.

    Arguments:
        slots: The sliders, see `mmvae.matching`; a place for each model in each.
        images: The pair's pictures [1, C, H, W] by modality, where they are at hand.
        labels: Its factors.
        observed: What the codes were inferred from.
        on_draw: Called where the live path cannot be had, with codes to draw in the component's ``draw``.
        drawn: Pictures that a rerun drew: ``{"id", "images"}``.
    """
    told = [_told(one, images, item) for one in shown]
    data = {"files": live.FILES_PATH, "socket": live.PATH, "models": told, "inputs": told[0]["inputs"], "labels": {name: float(v) for name, v in labels.items()},
            "item": item, "observed": list(observed), "slots": [_slot(slot, shown) for slot in slots], "drawn": drawn}
    _component(key=key, data=data, on_draw_change=on_draw)


def _told(one: Shown, images: Mapping[str, Tensor], item: int | None) -> dict:
    beliefs = one.beliefs or beliefs_of(one.checkpoint.model, {})
    return describe(one.checkpoint, beliefs, images) | {"title": one.title, "refused": one.refused, "item": item}


def _slot(slot: Slot, shown: Sequence[Shown]) -> dict:
    names = shown[0].checkpoint.model.names
    return {"title": slot.title, "hue": 1 if slot.owner is None else 2 * names.index(slot.owner),
            "places": [None if place is None else {"at": _position(one.checkpoint.model, place), "sign": place.sign}
                       for place, one in zip(slot.places, shown, strict=True)]}


def _position(model: MultimodalVAE, place: Place) -> int:
    """Where a dimension stands among all of the code."""
    before = 0
    for block in model.blocks:
        if block.name == place.block:
            return before + place.dimension
        before += block.dim
    raise KeyError(place.block)
