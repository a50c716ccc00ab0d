"""Picking images: the test items of a data set as thumbnails, found by their factors, several at a time."""

from __future__ import annotations

__all__ = ["MOST", "first_items", "gallery", "titled"]

import hashlib
import io
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image
from torch import Tensor

from mmvae.data import Factor

from .figures import contact_sheet, data_uri
from .navigation import plain
from .pairs import Pairs

HERE = Path(__file__).parent
#: Images that can be picked, and thumbnails that are shown at once.
MOST, SHOWN = 12, 120
RANDOM = 6  # images that are picked at random
COLUMNS = 12  # of the sprite
FEW = 12  # a factor with at most so many values is filtered by buttons

_component = st.components.v2.component(
    "mmvae_gallery", css=(HERE / "gallery.css").read_text(encoding="utf-8"), js=(HERE / "gallery.js").read_text(encoding="utf-8"))


def gallery(pairs: Pairs, modality: str | None, picked: Sequence[int], thumbnails: Callable[[Sequence[int]], Tensor], *, key: str,
            on_pick: Callable[[list[int]], None], height: int = 270, single: bool = False) -> None:
    """Shows filters, buttons and thumbnails of one modality's images, or of both side by side.

    Arguments:
        pairs: The items there are.
        modality: None for whole pairs; of one modality's images those that look the same are shown once.
        picked: Ids of those that are picked, in order.
        thumbnails: The images [N, C, H, W] of these ids.
        on_pick: Called with all picked ids when they change.
        height: Of the scrolling thumbnails, in screen pixels.
        single: Whether one image is picked, another click picking another one; the filters then lie open beside each other,
            so that the gallery fits into a popover, which cannot hold another.
    """
    if not len(pairs.ids):
        st.caption("There is no test image on this machine, and this model carries no reference codes.")
        return
    visible = [f for f in pairs.factors if modality is None or f.owner in (None, modality)]
    found = _matching(pairs, modality, visible, key)
    shown = found[:SHOWN]
    few = [f for f in visible if f.kind == "categorical" and len(f.values) <= FEW]
    with st.container(gap="xsmall", key=f"gallery {key}"):
        if single:
            _filters(pairs, [f for f in visible if f not in few], key)
        else:
            _bar(pairs, [f for f in visible if f not in few], key, found, bool(picked), on_pick)
        for factor in few:
            st.pills(titled(factor), pairs.choices(factor), selection_mode="multi", format_func=lambda value, told=factor.format: plain(told(value)),
                     key=_chosen(key, factor), label_visibility="collapsed", persist_state="session")
        if len(found) > len(shown):
            st.html(f'<div class="muted">{len(shown)} of {len(found):,} that match</div>')
        ids = [item for item in picked if item not in shown] + shown
        if not ids:
            st.caption("No test image matches this filter.")
            return
        titles, images = [_title(pairs, item, visible) for item in ids], thumbnails(ids)
        _component(key=f"{key} thumbnails",
                   data={"ids": ids, "titles": titles, "picked": list(picked), "most": 1 if single else MOST, "columns": min(COLUMNS, len(ids)),
                         "height": height, "label": f"{modality} images" if modality else "pairs", "sprite": _sprite(images),
                         "aspect": images.shape[3] / images.shape[2],
                         "revision": _revision(key, ids, modality)},
                   on_picked_change=lambda: on_pick([int(i) for i in st.session_state[f"{key} thumbnails"].picked][:MOST]))


def _bar(pairs: Pairs, factors: Sequence[Factor], key: str, found: Sequence[int], picked: bool, on_pick: Callable[[list[int]], None]) -> None:
    """Filters behind a button, and buttons to pick some and none."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if factors:
            with st.popover(plain(_summary(factors, key)) or "Filter", icon=":material/filter_alt:", type="tertiary"):
                _filters(pairs, factors, key, side_by_side=False)
        st.button("Random", key=f"{key} random", icon=":material/shuffle:", type="tertiary", disabled=not found,
                  on_click=lambda: on_pick(random.sample(found, min(RANDOM, len(found)))))
        st.button("Clear", key=f"{key} clear", icon=":material/close:", type="tertiary", disabled=not picked,
                  on_click=lambda: on_pick([]))


def _filters(pairs: Pairs, factors: Sequence[Factor], key: str, side_by_side: bool = True) -> None:
    places = st.columns(len(factors)) if side_by_side and factors else [st.container() for _ in factors]
    for place, factor in zip(places, factors, strict=True):
        place.multiselect(titled(factor), pairs.choices(factor), format_func=factor.format, placeholder="any",
                          key=_chosen(key, factor), persist_state="session")


def _chosen(key: str, factor: Factor) -> str:
    """The key of the values that a factor is filtered by."""
    return f"{key} factor {factor.name}"


def titled(factor: Factor) -> str:
    """A factor's name as a control is labelled: its first letter large, the rest as whoever named it writes it."""
    return plain(factor.name[:1].upper() + factor.name[1:])


def first_items(pairs: Pairs, modality: str | None, n: int) -> list[int]:
    """A few of the first thumbnails where nothing is filtered, no two alike as far as there are such.

    Images are told apart by the first factor; whole pairs by every private one, for these are what a style shows.
    """
    found = _matching(pairs, modality, (), "")[:SHOWN]
    told = [f.name for f in pairs.factors if modality is None and f.owner] or [f.name for f in pairs.factors[:1]]
    seen: dict[str, set[float]] = {name: set() for name in told}
    first: list[int] = []
    for item in found if told else ():
        labels = {name: pairs.labels[name][pairs.position(item)].item() for name in told}
        if len(first) < n and not any(labels[name] in seen[name] for name in told):
            first.append(item)
            for name in told:
                seen[name].add(labels[name])
    return first + [item for item in found if item not in first][:n - len(first)]


def _matching(pairs: Pairs, modality: str | None, visible: Sequence[Factor], key: str) -> list[int]:
    """Ids of all that match the filter, in an order that mixes them but stays the same; one of those whose image of this modality is the same."""
    keep, one_each = np.ones(len(pairs.ids), bool), np.ones(len(pairs.ids), bool)
    for factor in pairs.factors:
        labels = pairs.labels[factor.name]
        chosen = st.session_state.get(_chosen(key, factor)) if factor in visible else None
        if chosen:
            told = {factor.format(value) for value in chosen}
            keep &= np.isin(labels, [value for value in pairs.values(factor) if factor.format(value) in told])
        elif modality is not None and factor.owner not in (None, modality) and factor.neutral is not None:
            one_each &= labels == factor.neutral
    if one_each.sum() >= SHOWN:  # the few items that a checkpoint carries are all different
        keep &= one_each
    found = pairs.ids[keep]
    return np.random.default_rng(0).permutation(found).tolist()


def _summary(visible: Sequence[Factor], key: str) -> str:
    chosen = [f.format(value) for f in visible for value in st.session_state.get(_chosen(key, f)) or ()]
    return ", ".join(chosen[:3]) + (" …" if len(chosen) > 3 else "")


def _title(pairs: Pairs, item: int, visible: Sequence[Factor]) -> str:
    at = pairs.position(item)
    if at is None:
        return f"item {item}"
    return ", ".join(f"{f.name} {f.format(pairs.labels[f.name][at])}" for f in visible) + f" (item {item})"


def _sprite(images: Tensor) -> str:
    buffer = io.BytesIO()
    Image.fromarray(contact_sheet(images, COLUMNS, gap=0)).save(buffer, "WEBP", quality=88)
    return data_uri(buffer.getvalue(), "image/webp")


def _revision(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
