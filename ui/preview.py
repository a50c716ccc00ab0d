"""A picture that a person gave, beside what the model gets of it."""

from __future__ import annotations

__all__ = ["PICTURES", "given_pictures", "preview"]

import html
from collections.abc import Iterator

import streamlit as st
import torch
from torch import Tensor

from mmvae.inputs import InputError, Prepared, prepare, read_picture
from mmvae.modalities import Modality

from . import figures

#: Names of files that a picture may have; what they are is told by their content.
PICTURES = ["png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff"]


def given_pictures(modality: Modality, most: int, key: str) -> Iterator[tuple[str, Tensor]]:
    """The name and the image [C, H, W] of each uploaded picture that can be used, as one of a modality; shows a preview of it.

    Arguments:
        most: Pictures that are taken; where there are more, a line says so.
        key: Of the widget.
    """
    files = st.file_uploader("Pictures", type=PICTURES, accept_multiple_files=True, key=key, label_visibility="collapsed")
    if len(files) > most:
        st.caption(f"Of {len(files)} pictures the first {most} are taken.")
    for file in files[:most]:
        try:
            pixels, notes = read_picture(file)
            prepared = prepare(pixels, modality)
        except InputError as error:
            st.error(f"{file.name}: {error}.", icon=":material/error:")
            continue
        preview(torch.from_numpy(pixels).permute(2, 0, 1), Prepared(prepared.image, notes + prepared.notes), file.name)
        yield file.name, prepared.image


def preview(picture: Tensor, prepared: Prepared, name: str) -> None:
    """A picture [C, H, W] beside what the model gets of it."""
    step = max(1, max(picture.shape[1:]) // 192)
    uri = [figures.data_uri(figures.png(figures.to_uint8(x))) for x in (picture[:, ::step, ::step], prepared.image)]
    named = html.escape(name)
    st.html(f'<div class="preview"><img alt="{named}" src="{uri[0]}"><span>→</span>'
            f'<img alt="what the model gets of {named}" class="pixels" src="{uri[1]}">'
            f"<div><b>{named}</b><br>{html.escape(' · '.join(prepared.notes))}</div></div>")
