"""Pictures of one's own as inputs: prepared as they come, and kept for the session, whichever page is looked at meanwhile."""

from __future__ import annotations

__all__ = ["Own", "preview", "uploaded"]

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import streamlit as st
import torch
from torch import Tensor

from mmvae.inputs import ENDINGS, InputError, Pixels, prepare, read_picture
from mmvae.modalities import Modality
from mmvae.pictures import as_bytes

from . import figures
from .gallery import MOST
from .navigation import plain
from .translating import Given

PREVIEWED = 192  # pixels of the longer side that are kept of the picture itself


@dataclass(frozen=True)
class Own:
    """A picture that a person gave.

    Arguments:
        name: Of its file.
        picture: As it was given, [C, H, W] in [0, 1], at about `PREVIEWED` pixels.
        image: As a model gets it, [C, H, W] in [0, 1].
        notes: What was done to it.
    """

    name: str
    picture: Tensor
    image: Tensor
    notes: tuple[str, ...]

    @classmethod
    def of(cls, name: str, pixels: Pixels, modality: Modality, notes: Sequence[str] = ()) -> Own:
        """A picture [H, W, C] prepared for a modality.

        Raises:
            InputError: Where it shows nothing.
        """
        prepared, step = prepare(pixels, modality), max(1, max(pixels.shape[:2]) // PREVIEWED)
        picture = torch.from_numpy(pixels[::step, ::step].copy()).permute(2, 0, 1)
        return cls(name, picture, prepared.image, (*notes, *prepared.notes))

    def given(self, modality: str) -> Given:
        return Given(self.name, {modality: self.image})


def uploaded(modality: Modality, key: str, source: str) -> list[Given]:
    """A place to drop pictures, and those that were dropped as images of a modality, each beside what the model gets of it.

    Arguments:
        key: Of the place; a container of this name holds it.
        source: What data set the modality is of: another one's pictures are kept apart.
    """
    place = f"{key} {source} {modality.name}"
    turn = st.session_state.setdefault(f"{place} turn", 0)
    with st.container(key=key, gap="small"):
        widget = f"{place} {turn}"
        st.file_uploader("Pictures", type=list(ENDINGS), accept_multiple_files=True, key=widget, label_visibility="collapsed", max_upload_size=64,
                         on_change=_take, args=(widget, place, modality))
        if problems := st.session_state.pop(f"{place} problems", None):  # said once: gone with whatever is done next
            st.error(_listed(problems), icon=":material/error:")
        kept: list[Own] = st.session_state.get(f"{place} kept", [])
        for i, own in enumerate(kept):
            shown, removal = st.columns([7, 1], gap="small", vertical_alignment="center")
            with shown:
                preview(own)
            with removal:
                st.button("", icon=":material/close:", key=f"{place} remove {i}", type="tertiary", help=f"Remove {plain(own.name)}",
                          on_click=kept.pop, args=(i,))
    return [own.given(modality.name) for own in kept]


def _take(widget: str, place: str, modality: Modality) -> None:
    """Prepares what was dropped and keeps it; the widget itself, whose files end with the page, starts anew."""
    kept, problems = st.session_state.setdefault(f"{place} kept", []), []
    for file in st.session_state[widget]:
        try:
            if len(kept) >= MOST:
                raise InputError(f"{MOST} pictures are here already, and more are not shown at once; remove some first")
            kept.append(_read(file, modality))
        except InputError as error:
            problems.append((file.name, str(error)))
    st.session_state[f"{place} problems"] = problems
    st.session_state[f"{place} turn"] += 1


def _listed(problems: Sequence[tuple[str, str]]) -> str:
    """What is wrong with files (name, why) in one message, those of one fault together; a file's name may hold anything."""
    faults: dict[str, list[str]] = {}
    for name, why in problems:
        faults.setdefault(why, []).append(name)
    lines = [plain(f"{', '.join(names)}: {why}.", 1000) for why, names in faults.items()]
    return lines[0] if len(lines) == 1 else "\n".join([f"{len(problems)} files were left out.", *(f"- {line}" for line in lines)])


def _read(file: BinaryIO, modality: Modality) -> Own:
    pixels, notes = read_picture(file)
    return Own.of(file.name, pixels, modality, notes)


def preview(own: Own) -> None:
    """A picture beside what the model gets of it."""
    uri = [figures.data_uri(figures.png(as_bytes(x))) for x in (own.picture, own.image)]
    named = html.escape(own.name)
    st.html(f'<div class="preview"><img alt="{named}" src="{uri[0]}"><span>→</span>'
            f'<img alt="what the model gets of {named}" class="pixels" src="{uri[1]}">'
            f'<div><b title="{named}">{named}</b>{html.escape(" · ".join(own.notes))}</div></div>')
