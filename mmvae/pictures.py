"""Pictures to look at and to save: sheets of images, PNG that carries a latent point, GIF."""

from __future__ import annotations

__all__ = [
    "POINT_KEY",
    "RANGE_TITLES",
    "Caption",
    "about",
    "as_bytes",
    "pair_picture",
    "plane_sheet",
    "png",
    "read_point",
    "sheet",
    "traversal_frames",
    "traversal_sheet",
    "traversal_strip",
    "way_frames",
    "way_strip",
    "write_gif",
    "write_png",
]

import io
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin, UnidentifiedImageError
from torch import Tensor

from .files import write_atomically
from .explore import TraversalFigure
from .inputs import MOST_PIXELS
from .modalities import Modality
from .palettes import BLOCKS, VERDICTS
from .point import Point, PointError

#: The text field of a PNG that carries the point it shows.
POINT_KEY = "mmvae:point"
COMMAND_KEY = "mmvae:command"  # of the same file: the command line that draws it, as the Translate page writes it too
INK = "#464646"
TRACK = "#d0d0d0"
#: What the page calls the ranges of a traversal, see `mmvae.explore.RANGES`.
RANGE_TITLES = {"fixed": "-3 to 3", "percentile": "1-99 %", "min-max": "min-max"}
#: What of the writing of data sets the font of pictures lacks, and what stands for it.
STAND_INS = str.maketrans({"–": "-", "—": "-", "−": "-", "×": "x", "→": ">", "±": "+-"})
PLAIN = "·°"  # what it has beside ASCII
SPACE = 0.4  # between captions on one line, in sizes of their font
TINTS = 32  # of a grey animation's 256 colours, for coloured captions
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Caption:
    """A few words on a picture: the text, an index lowered beside it, and what follows, such as z, S, 1.

    Arguments:
        ink: Its colour, ``#rrggbb``.
        right: Whether what it says is right, told by a tick or a cross behind it; None leaves that open.
    """

    text: str
    index: str = ""
    rest: str = ""
    ink: str = INK
    right: bool | None = None

    def parts(self, font: ImageFont.FreeTypeFont) -> list[tuple[str, ImageFont.FreeTypeFont, float]]:
        """Each part that is not empty, its font, and how far below the middle it stands."""
        lowered = _font(max(8, round(0.75 * font.size)))
        parts = (self.text, font, 0.0), (self.index, lowered, 0.3 * font.size), (self.rest, font, 0.0)
        return [(_legible(text), font, drop) for text, font, drop in parts if text]

    def width(self, font: ImageFont.FreeTypeFont) -> float:
        return sum(font.getlength(text) for text, font, _ in self.parts(font)) + (0 if self.right is None else 0.9 * font.size)

    def write(self, pen: ImageDraw.ImageDraw, x: float, y: float, font: ImageFont.FreeTypeFont, align: float = 0.0) -> None:
        """Writes it with its middle at height y; x is its left end, its middle (`align` ½) or its right end (1)."""
        x -= align * self.width(font)
        ink = self.ink if self.right is None else VERDICTS["light"][0 if self.right else 1]
        for text, face, drop in self.parts(font):
            pen.text((x, y + drop), text, ink, face, anchor="lm")
            x += face.getlength(text)
        if self.right is not None:  # drawn, for the font has neither sign
            strokes = [(0.2, 0.0, 0.4, 0.25), (0.4, 0.25, 0.8, -0.35)] if self.right else [(0.2, -0.3, 0.75, 0.3), (0.2, 0.3, 0.75, -0.3)]
            for left, top, right, bottom in strokes:
                pen.line((x + left * font.size, y + top * font.size, x + right * font.size, y + bottom * font.size), ink, max(1, font.size // 8))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def _legible(text: str) -> str:
    """A text in letters that the font of pictures has."""
    plain = unicodedata.normalize("NFKD", text.translate(STAND_INS))
    return "".join(c if c.isascii() or c in PLAIN else "?" for c in plain if not unicodedata.combining(c))


def as_bytes(images: Tensor) -> Pixels:
    """Images [..., C, H, W] in [0, 1] as RGB, uint8 [..., H, W, 3]; a grey one gets three equal channels, of more the first three count."""
    pixels = (images.detach().cpu().clamp(0, 1) * 255).round().byte().movedim(-3, -1).numpy()
    return np.repeat(pixels, 3, -1) if pixels.shape[-1] == 1 else np.ascontiguousarray(pixels[..., :3])


def sheet(
    rows: Sequence[Sequence[Tensor | str | None]],
    *,
    scale: int = 2,
    gap: int = 2,
    background: int = 255,
    top: Sequence[str | Caption] = (),
    left: Sequence[str | Caption] = (),
    bands: Mapping[int, str | Caption] | None = None,
    below: Mapping[int, Sequence[Sequence[Sequence[Caption]]]] | None = None,
    foot: str = "",
    letters: int = 16,
) -> Pixels:
    """Images in rows and columns, uint8 [H, W, 3]; grey and colour, small and large may be mixed.

    Arguments:
        rows: Images [C, H, W] in [0, 1]; a text of short lines stands in the place of one, None leaves it empty.
        scale: Pixels a side for each pixel of the largest image; smaller images get the largest whole factor that fits,
            and their border is continued.
        gap: Pixels between images and around them.
        background: Grey of the gaps.
        top, left: What stands above each column and beside each row.
        bands: What stands on a line of its own above some rows, by their index.
        below: What stands below each picture of some rows, by their index: lines of captions.
        foot: What stands below all.
        letters: The largest size of what stands at the pictures; beside small ones it is smaller.

    Raises:
        ValueError: Where there is no image at all.
    """
    shown = [image for row in rows for image in row if isinstance(image, Tensor)]
    if not shown:
        raise ValueError("a sheet needs at least one image")
    top, left = ([_caption(text) for text in texts] for texts in (top, left))
    bands = {row: _caption(text) for row, text in (bands or {}).items()}
    cell = max(max(image.shape[1:]) for image in shown) * scale
    columns = max(len(row) for row in rows)
    font = _font(max(10, min(letters, cell // 5)))
    above = 2 * font.size if any(caption.parts(font) for caption in top) else 0
    beside = math.ceil(max((caption.width(font) for caption in left), default=-2 * gap)) + 2 * gap
    line = 2 * font.size
    below, small = below or {}, _fitting([said for row in (below or {}).values() for lines in row for said in lines], font, cell)
    deep = [round(1.3 * small.size) * max((len(lines) for lines in below.get(r, ())), default=0) for r in range(len(rows))]
    tops = [above + gap + r * (cell + gap) + line * sum(row <= r for row in bands) + sum(deep[:r]) for r in range(len(rows))]
    canvas = np.full((tops[-1] + cell + deep[-1] + gap, beside + gap + columns * (cell + gap), 3), background, np.uint8)
    texts = []
    for y, row in zip(tops, rows, strict=True):
        for c, image in enumerate(row):
            x = beside + gap + c * (cell + gap)
            if isinstance(image, str):
                texts += [(x + cell / 2, y + cell / 2 + 1.2 * font.size * offset, Caption(said)) for offset, said in _about_middle(image.split("\n"))]
            elif image is not None:
                canvas[y : y + cell, x : x + cell] = _fitted(as_bytes(image), cell)
    if not above and not beside and not bands and not below and not texts and not foot:
        return canvas
    picture = Image.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    heads = _fitting([[caption] for caption in top], font, cell)
    for c, caption in enumerate(top):
        caption.write(pen, beside + gap + c * (cell + gap) + cell / 2, above / 2, heads, 0.5)
    for y, caption in zip(tops, left):
        caption.write(pen, beside - gap, y + cell / 2, font, 1.0)
    for r, caption in bands.items():
        caption.write(pen, beside + gap, tops[r] - gap - line / 2, font)
    for x, y, caption in texts:
        caption.write(pen, x, y, font, 0.5)
    for r, row in below.items():
        for c, lines in enumerate(row):
            for i, said in enumerate(lines):
                x = beside + gap + c * (cell + gap) + (cell - _length(said, small)) / 2
                for caption in said:
                    caption.write(pen, x, tops[r] + cell + round(1.3 * small.size) * (i + 0.5), small)
                    x += caption.width(small) + SPACE * small.size
    return _with_foot(np.asarray(picture), foot) if foot else np.asarray(picture)


def _length(captions: Sequence[Caption], font: ImageFont.FreeTypeFont) -> float:
    """Of captions on one line."""
    return sum(caption.width(font) for caption in captions) + SPACE * font.size * max(0, len(captions) - 1)


def _fitting(lines: Sequence[Sequence[Caption]], font: ImageFont.FreeTypeFont, width: float) -> ImageFont.FreeTypeFont:
    """The font, or as much smaller as the longest line needs."""
    longest = max((_length(line, font) for line in lines), default=0)
    return font if longest <= width else _font(max(8, int(font.size * width / longest)))


def _about_middle(lines: Sequence[str]) -> list[tuple[float, str]]:
    """Lines with how many of their heights each stands below the middle of all."""
    return [(place - (len(lines) - 1) / 2, text) for place, text in enumerate(lines)]


def _caption(text: str | Caption) -> Caption:
    return text if isinstance(text, Caption) else Caption(text)


def _with_foot(pixels: Pixels, text: str, share: float | None = None, at: str = "") -> Pixels:
    """A picture with lines below it: where an animation is, as a bar filled to a share and in words, and what it shows."""
    width = pixels.shape[1]
    font = _font(max(12, min(16, width // 80)))
    margin, line = 6, round(1.6 * font.size)
    lines = _wrapped(text, font, width - 2 * margin)
    bar = line if share is not None else 0
    picture = Image.fromarray(np.concatenate([pixels, np.full((bar + line * len(lines), width, 3), 255, np.uint8)]))
    pen = ImageDraw.Draw(picture)
    y = pixels.shape[0] + line / 2
    if share is not None:
        room = math.ceil(font.getlength("100 %")) + 2 * margin
        start, end = margin + 4, width - room - margin
        knob = start + share * (end - start)
        pen.line((start, y, end, y), TRACK, 2)
        pen.line((start, y, knob, y), INK, 2)
        pen.ellipse((knob - 4, y - 4, knob + 4, y + 4), INK)
        Caption(at).write(pen, width - margin, y, font, 1.0)
        y += line
    for i, words in enumerate(lines):
        Caption(words).write(pen, margin, y + i * line, font)
    return np.asarray(picture)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """A text in lines that fit, parted between its phrases where these are short enough, else between words."""
    lines: list[str] = []
    for phrase in text.split(" · ") if text else []:
        if lines and font.getlength(_legible(f"{lines[-1]} · {phrase}")) <= width:
            lines[-1] += f" · {phrase}"
            continue
        lines.append("")
        for word in phrase.split():
            if lines[-1] and font.getlength(_legible(f"{lines[-1]} {word}")) > width:
                lines.append(word)
            else:
                lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


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


def about(checkpoint: Checkpoint, *codes: str) -> str:
    """What a figure is of, to stand below it: the model, and the code, or both codes of a way from A to B.

    Arguments:
        codes: What they are, see `mmvae.explore.code_in_words`.
    """
    if len(codes) > 1:
        codes = tuple(f"{end}: {code}" for end, code in zip("AB", codes, strict=True))
    return _phrases(f"{checkpoint.model.variant.title} ({checkpoint.name})", *codes)


def traversal_frames(figure: TraversalFigure, start: Mapping[str, Tensor], of: str = "", first: str = "pair") -> list[Pixels]:
    """The frames of the animated figure: a row for each modality, columns the pictures it starts from and then every coordinate.

    Below stand where between the ends of the range a frame is, and what is shown.

    Arguments:
        start: The pair's pictures, or where the code is not the pair's those of the code, {modality: [C, H, W]}.
        of: The model and code, see `about`.
        first: What the pictures it starts from are: "pair" or "code".
    """
    frames, last = [], len(figure.values) - 1
    for frame, at in enumerate(_positions(figure)):
        rows = [[start[name], *images[frame]] for name, images in figure.images.items()]
        pixels = sheet(rows, left=[_symbol(m) for m in figure.modalities], **_columns(figure, start, first))
        frames.append(_with_foot(pixels, _phrases(of, _range(figure)), frame / max(last, 1), at))
    return frames


def traversal_strip(figure: TraversalFigure, start: Mapping[str, Tensor], of: str = "", first: str = "pair") -> Pixels:
    """All frames of the animated figure below one another, of the first modality and then of the second, each under its name.

    Beside each row stands what the coordinates are set to, or how much of their ranges that is where these differ.

    Arguments:
        start, of, first: As for `traversal_frames`.
    """
    rows = [[None if frame else start[name], *row] for name, images in figure.images.items() for frame, row in enumerate(images)]
    bands = {i * len(figure.values): Caption(_symbol(m).text, _symbol(m).index, f"  {m.title}") for i, m in enumerate(figure.modalities)}
    pixels = sheet(rows, left=_positions(figure) * len(figure.images), bands=bands, **_columns(figure, start, first))
    return _with_foot(pixels, _phrases(of, _range(figure)))


def _positions(figure: TraversalFigure) -> list[str]:
    """What all coordinates are set to in each frame, or how much of their ranges that is where these differ."""
    low, high = figure.values[0], figure.values[-1]
    if (low == low[0]).all() and (high == high[0]).all():
        return [f"{value:+.3g}" if abs(value) > 1e-6 else "0" for value in figure.values[:, 0].tolist()]
    return [f"{share:.0f} %" for share in np.linspace(0, 100, len(figure.values))]


def _range(figure: TraversalFigure) -> str:
    title = f"range {RANGE_TITLES[figure.range]}"
    return title if figure.range == "fixed" else f"{title}: 0 % is each dimension's low end, 100 % its high end"


def _phrases(*phrases: str) -> str:
    return " · ".join(phrase for phrase in phrases if phrase)


def _columns(figure: TraversalFigure, start: Mapping[str, Tensor], first: str) -> dict:
    """How large the pictures of a figure are whose columns are what it starts from and every coordinate, and what stands above."""
    side = max(image.shape[-1] for image in start.values())
    captions = [Caption(first), *(_coordinate(figure.modalities, block, d, _alone(figure)) for block, d in figure.columns)]
    return {"scale": math.ceil(900 / (side * len(captions))), "top": captions}


def traversal_sheet(figure: TraversalFigure, start: Mapping[str, Tensor], steps: int = 11, of: str = "", first: str = "pair") -> Pixels:
    """The figure on paper: a row for each coordinate, both modalities from its lowest to its highest value side by side.

    Arguments:
        start, of, first: As for `traversal_frames`.
    """
    frames = np.linspace(0, len(figure.values) - 1, steps).round().astype(int)
    rows: list[list[Tensor | None]] = []
    for column in range(len(figure.columns)):
        row: list[Tensor | None] = []
        for name, images in figure.images.items():
            row += [start[name], *images[frames, column], None]
        rows.append(row[:-1])
    top = [caption for m in figure.modalities for caption in (Caption("x", _letter(m), f" {first}"), Caption("low"), *[Caption("")] * (steps - 2), Caption("high"), Caption(""))]
    pixels = sheet(
        rows,
        scale=max(1, 48 // max(image.shape[-1] for image in start.values())),
        top=top[:-1],
        left=[_coordinate(figure.modalities, b, d, _alone(figure)) for b, d in figure.columns],
    )
    return _with_foot(pixels, _phrases(of, f"range {RANGE_TITLES[figure.range]}"))


def _symbol(modality: Modality) -> Caption:
    return Caption("x", _letter(modality))


def _letter(modality: Modality) -> str:
    return modality.symbol.partition("_")[2] or modality.name[0]


def plane_sheet(images: Tensor, axes: Sequence[tuple[str, int]], values: Tensor, modalities: Sequence[Modality], range: str, of: str = "", alone: bool = False) -> Pixels:
    """Two coordinates as a square of pictures; in the middle of each axis stands the coordinate, at both ends what it is set to there.

    Arguments:
        images: [steps · steps, C, H, W], row by row with the highest first.
        axes, values: What moves across and upwards and how far, see `mmvae.explore.plane`.
        range: One of `mmvae.explore.RANGES`.
        of: The model and code, see `about`.
        alone: Whether the code is one block.
    """
    steps = values.shape[1]
    captions = [[Caption(f"{value:+.2f}") for value in row] for row in values.tolist()]
    for axis, (block, d) in zip(captions, axes, strict=True):
        name = _coordinate(modalities, block, d, alone)
        axis[steps // 2] = replace(name, rest=f"{name.rest}: {axis[steps // 2].text}")
    across, upwards = captions
    rows = [list(row) for row in images.unflatten(0, (steps, steps))]
    pixels = sheet(rows, scale=math.ceil(96 / images.shape[-1]), top=across, left=upwards[::-1])
    return _with_foot(pixels, _phrases(of, f"range {RANGE_TITLES[range]}"))


def _alone(figure: TraversalFigure) -> bool:
    return len({block for block, _ in figure.columns}) == 1


def _coordinate(modalities: Sequence[Modality], block: str, dimension: int, alone: bool) -> Caption:
    """A coordinate as the page calls it, in the colour of its block; one that is alone needs no letter."""
    first, shared, second = BLOCKS["light"]
    owners = {f"z_{m.name}": (_letter(m), hue) for m, hue in zip(modalities, (first, second), strict=True)}
    index, hue = owners.get(block, ("" if alone else "S", shared))
    return Caption("z", index, f" {dimension + 1}", hue)


def way_strip(images: Mapping[str, Tensor], modalities: Sequence[Modality], of: str = "") -> Pixels:
    """The pictures on the way from one point, A, to another, B: a row for each modality.

    Arguments:
        images: {modality: [steps, C, H, W]}.
        of: The model and both codes, see `about`.
    """
    rows = [list(images[m.name]) for m in modalities]
    top = ["A", *[""] * (len(rows[0]) - 2), "B"]
    return _with_foot(sheet(rows, top=top, left=[_symbol(m) for m in modalities]), of)


def way_frames(images: Mapping[str, Tensor], modalities: Sequence[Modality], of: str = "") -> list[Pixels]:
    """The same as an animation there and back, both modalities side by side, with a bar from A to B.

    Arguments:
        images: {modality: [steps, C, H, W]}.
        of: The model and both codes, see `about`.
    """
    steps = len(images[modalities[0].name])
    there = []
    for i in range(steps):
        pixels = sheet([[images[m.name][i] for m in modalities]], scale=4, top=[_symbol(m) for m in modalities])
        share = i / (steps - 1)
        there.append(_with_foot(pixels, of, share, {0.0: "A", 1.0: "B"}.get(share, f"{100 * share:.0f} %")))
    return [*there, *reversed(there[1:-1])]


def png(pixels: Pixels, point: Point | None = None, command: str = "") -> bytes:
    """A PNG file's bytes; the same pixels and texts give the same bytes.

    Arguments:
        point: Of one code, the point that brings it back.
        command: Of many, the command line that draws the picture.
    """
    texts = PngImagePlugin.PngInfo()
    if point is not None:
        texts.add_text(POINT_KEY, str(point))
    if command:
        texts.add_itxt(COMMAND_KEY, command)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=texts)
    return buffer.getvalue()


def write_png(file: Path, pixels: Pixels, point: Point | None = None, command: str = "") -> None:
    """Writes a PNG whole or not at all; the arguments are those of `png`."""
    content = png(pixels, point, command)
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
            text, command = picture.info.get(POINT_KEY), picture.info.get(COMMAND_KEY)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, PointError):
            raise
        raise PointError(f"not a PNG picture ({type(error).__name__})") from None
    if not isinstance(text, str) and isinstance(command, str):
        raise PointError(f"this picture is of no single point; what draws it is: {command[:500]}")
    if not isinstance(text, str):
        raise PointError("this picture carries no point: it was not saved by this program, or lost its metadata on the way")
    return Point.parse(text)


def _mostly_grey(frames: Sequence[Pixels]) -> list[Image.Image]:
    """Grey frames with coloured captions in one palette: as many greys as there is room for, and a few tints.

    Pillow's own choice of the nearest colour is too coarse for greys, of which it would leave 64.
    """
    coloured = [(frame != frame[..., :1]).any(-1) for frame in frames]
    tints = Image.fromarray(np.concatenate([frame[where] for frame, where in zip(frames, coloured, strict=True)])[None]).quantize(TINTS, Image.Quantize.MAXCOVERAGE)
    greys = np.linspace(0, 255, 256 - TINTS).round().astype(np.uint8)
    pictures = []
    for frame, where in zip(frames, coloured, strict=True):
        indices = (frame[..., 0] * ((len(greys) - 1) / 255)).round().astype(np.uint8)
        if where.any():
            indices[where] = len(greys) + np.asarray(Image.fromarray(frame[where][None]).quantize(palette=tints, dither=Image.Dither.NONE))[0]
        pictures.append(Image.fromarray(indices))
        pictures[-1].putpalette([*greys.repeat(3).tolist(), *tints.getpalette()[: 3 * TINTS]])
    return pictures


def write_gif(file: Path, frames: Iterable[Pixels], seconds: float = 0.1, point: Point | None = None) -> None:
    """Writes an animation that repeats for ever, whole or not at all.

    Grey frames keep all their greys, or nearly all where only their captions are coloured; frames in colour share one
    palette, so that nothing flickers.

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
    elif all((frame != frame[..., :1]).any(-1).mean() < 0.05 for frame in frames):
        pictures = _mostly_grey(frames)
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
