"""Pictures to look at and to save: sheets of images, PNG that carries a latent point, GIF."""

from __future__ import annotations

__all__ = [
    "POINT_KEY",
    "as_bytes",
    "pair_picture",
    "png",
    "read_point",
    "sheet",
    "traversal_frames",
    "traversal_sheet",
    "traversal_strip",
    "write_gif",
    "write_png",
]

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin, UnidentifiedImageError
from torch import Tensor

from .files import write_atomically
from .explore import TraversalFigure
from .inputs import MOST_PIXELS
from .point import Point, PointError

#: The text field of a PNG that carries the point it shows.
POINT_KEY = "mmvae:point"
INK = (70, 70, 70)
Pixels = NDArray[np.uint8]


def as_bytes(images: Tensor) -> Pixels:
    """Images [..., C, H, W] in [0, 1] as RGB, uint8 [..., H, W, 3]; a grey one gets three equal channels, of more the first three count."""
    pixels = (images.detach().cpu().clamp(0, 1) * 255).round().byte().movedim(-3, -1).numpy()
    return np.repeat(pixels, 3, -1) if pixels.shape[-1] == 1 else np.ascontiguousarray(pixels[..., :3])


def sheet(
    rows: Sequence[Sequence[Tensor | None]],
    *,
    scale: int = 2,
    gap: int = 2,
    background: int = 255,
    top: Sequence[str] = (),
    left: Sequence[str] = (),
) -> Pixels:
    """Images in rows and columns, uint8 [H, W, 3]; grey and colour, small and large may be mixed.

    Arguments:
        rows: Images [C, H, W] in [0, 1]; None leaves a place empty.
        scale: Pixels a side for each pixel of the largest image; smaller images get the largest whole factor that fits,
            and their border is continued.
        gap: Pixels between images and around them.
        background: Grey of the gaps.
        top, left: What stands above each column and beside each row.

    Raises:
        ValueError: Where there is no image at all.
    """
    shown = [image for row in rows for image in row if image is not None]
    if not shown:
        raise ValueError("a sheet needs at least one image")
    cell = max(max(image.shape[1:]) for image in shown) * scale
    columns = max(len(row) for row in rows)
    font = ImageFont.load_default(max(10, min(16, cell // 5)))
    above = 2 * font.size if any(top) else 0
    beside = math.ceil(max((font.getlength(text) for text in left), default=-2 * gap)) + 2 * gap
    canvas = np.full((above + gap + len(rows) * (cell + gap), beside + gap + columns * (cell + gap), 3), background, np.uint8)
    for r, row in enumerate(rows):
        for c, image in enumerate(row):
            if image is not None:
                y, x = above + gap + r * (cell + gap), beside + gap + c * (cell + gap)
                canvas[y : y + cell, x : x + cell] = _fitted(as_bytes(image), cell)
    if not above and not beside:
        return canvas
    picture = Image.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    for c, text in enumerate(top):
        pen.text((beside + gap + c * (cell + gap) + cell / 2, above / 2), text, INK, font, anchor="mm")
    for r, text in enumerate(left):
        pen.text((beside - gap, above + gap + r * (cell + gap) + cell / 2), text, INK, font, anchor="rm")
    return np.asarray(picture)


def _fitted(pixels: Pixels, cell: int) -> Pixels:
    """The picture enlarged by whole pixels to a square of `cell`, its border continued where it does not fit exactly."""
    factor = cell // max(pixels.shape[:2])
    pixels = pixels.repeat(factor, 0).repeat(factor, 1)
    spare = [(cell - side) for side in pixels.shape[:2]]
    return np.pad(pixels, (*((s // 2, s - s // 2) for s in spare), (0, 0)), mode="edge")


def pair_picture(images: Mapping[str, Tensor]) -> Pixels:
    """Both pictures of one pair {modality: [1, C, H, W]} side by side, each about 320 pixels wide."""
    row = [image[0] for image in images.values()]
    return sheet([row], scale=320 // max(image.shape[-1] for image in row), gap=8)


def traversal_frames(figure: TraversalFigure, truth: Mapping[str, Tensor]) -> list[Pixels]:
    """The frames of the animated figure: a row for each modality, columns the true image and then every coordinate.

    Arguments:
        truth: {modality: [C, H, W]}.
    """
    return [
        sheet([[truth[name], *images[frame]] for name, images in figure.images.items()], **_columns(figure, truth))
        for frame in range(len(figure.values))
    ]


def traversal_strip(figure: TraversalFigure, truth: Mapping[str, Tensor]) -> Pixels:
    """All frames of the animated figure below one another, of the first modality and then of the second.

    Beside each row stands what the coordinates are set to, or how much of their ranges that is where these differ.
    """
    low, high = figure.values[0], figure.values[-1]
    alike = bool((low == low[0]).all() and (high == high[0]).all())
    shares = np.linspace(0, 100, len(figure.values))
    # a hyphen below zero: the font of pictures has no minus
    names = [f"{value:+.3g}" if value else "0" for value in figure.values[:, 0].tolist()] if alike else [f"{share:.0f} %" for share in shares]
    rows = [[None if frame else truth[name], *row] for name, images in figure.images.items() for frame, row in enumerate(images)]
    return sheet(rows, left=names * len(figure.images), **_columns(figure, truth))


def _columns(figure: TraversalFigure, truth: Mapping[str, Tensor]) -> dict:
    """How large the pictures of a figure are whose columns are the true image and every coordinate, and what stands above."""
    side = max(image.shape[-1] for image in truth.values())
    captions = ["image", *(_coordinate(block, d) for block, d in figure.columns)]
    return {"scale": math.ceil(900 / (side * len(captions))), "top": captions}


def traversal_sheet(figure: TraversalFigure, truth: Mapping[str, Tensor], steps: int = 11) -> Pixels:
    """The figure on paper: a row for each coordinate, both modalities from its lowest to its highest value side by side."""
    frames = np.linspace(0, len(figure.values) - 1, steps).round().astype(int)
    rows: list[list[Tensor | None]] = []
    for column in range(len(figure.columns)):
        row: list[Tensor | None] = []
        for name, images in figure.images.items():
            row += [truth[name], *images[frames, column], None]
        rows.append(row[:-1])
    return sheet(
        rows,
        scale=max(1, 48 // max(image.shape[-1] for image in truth.values())),
        left=[_coordinate(b, d) for b, d in figure.columns],
    )


def _coordinate(block: str, dimension: int) -> str:
    return f"{block.removeprefix('z_')} {dimension + 1}"


def png(pixels: Pixels, point: Point | None = None) -> bytes:
    """A PNG file's bytes; the same pixels and point give the same bytes."""
    about = PngImagePlugin.PngInfo()
    if point is not None:
        about.add_text(POINT_KEY, str(point))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=about)
    return buffer.getvalue()


def write_png(file: Path, pixels: Pixels, point: Point | None = None) -> None:
    """Writes a PNG whole or not at all."""
    content = png(pixels, point)
    write_atomically(file, lambda temporary: Path(temporary).write_bytes(content))


def read_point(file: Path | io.BytesIO) -> Point:
    """The point that a saved picture carries.

    Raises:
        PointError: Where the file is no picture or carries none.
    """
    try:
        with Image.open(file, formats=("PNG",)) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise PointError(f"a picture of {picture.width}×{picture.height} pixels is larger than any this program saves")
            picture.load()  # text may follow the pixels
            text = picture.info.get(POINT_KEY)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, PointError):
            raise
        raise PointError(f"not a PNG picture ({type(error).__name__})") from None
    if not isinstance(text, str):
        raise PointError("this picture carries no point: it was not saved by this program, or lost its metadata on the way")
    return Point.parse(text)


def write_gif(file: Path, frames: Iterable[Pixels], seconds: float = 0.1, point: Point | None = None) -> None:
    """Writes an animation that repeats for ever, whole or not at all.

    Grey frames keep all their greys; frames in colour share one palette, so that nothing flickers.

    Arguments:
        frames: uint8 [H, W, 3] each.
        seconds: How long a frame stands.
        point: Kept as the file's comment.

    Raises:
        ValueError: Where there is no frame.
    """
    frames = list(frames)
    if not frames:
        raise ValueError("an animation needs at least one frame")
    if all((frame == frame[..., :1]).all() for frame in frames):
        pictures = [Image.fromarray(frame[..., 0]) for frame in frames]
    else:
        sample = np.concatenate(frames[:: max(1, len(frames) // 12)])
        palette = Image.fromarray(sample).quantize(256, Image.Quantize.MAXCOVERAGE)
        pictures = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    comment = {"comment": str(point).encode()} if point is not None else {}
    write_atomically(
        file,
        lambda temporary: pictures[0].save(
            temporary, "GIF", save_all=True, append_images=pictures[1:], duration=round(1000 * seconds), loop=0, **comment
        ),
    )
