"""Pictures for pages: images as arrays, PNG bytes and contact sheets."""

from __future__ import annotations

__all__ = ["contact_sheet", "data_uri", "png"]

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from mmvae.pictures import as_bytes


def png(array: NDArray[np.uint8], about: dict[str, str] | None = None) -> bytes:
    """A PNG of an array [H, W, 3]; `about` goes along as its text fields."""
    info = PngInfo()
    for name, text in (about or {}).items():
        info.add_itxt(name, text)
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def contact_sheet(images: Tensor | Sequence[Tensor], columns: int, *, scale: int = 1, gap: int = 2, ground: int = 24) -> NDArray[np.uint8]:
    """Images of one size in rows, as an array [H, W, 3].

    Arguments:
        images: [N, C, H, W] in [0, 1], or a sequence of [C, H, W].
        columns: Images in a row.
        scale: Screen pixels a side for each pixel.
        gap: Screen pixels between images.
        ground: Grey value, 0 to 255, of what lies between.

    Raises:
        ValueError: Where there are no images.
    """
    if not len(images):
        raise ValueError("a contact sheet needs at least one image")
    tiles = [np.kron(as_bytes(image), np.ones((scale, scale, 1), np.uint8)) for image in images]
    height, width, _ = tiles[0].shape
    rows = -(-len(tiles) // columns)
    columns = min(columns, len(tiles))
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), ground, np.uint8)
    for i, tile in enumerate(tiles):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        sheet[top:top + height, left:left + width] = tile
    return sheet


def data_uri(content: bytes, kind: str = "image/png") -> str:
    """Bytes as an address that an image element can show."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
