"""Any picture a person has, as what a model was trained on: a photo, a scan, a drawing; any size and mode.

`read_picture` opens files and bounds what they may unpack to, `drawn` renders strokes, and `prepare` does the rest on
plain arrays. Everything that was done is noted in words, to be shown beside the result.
"""

from __future__ import annotations

__all__ = ["HANDWRITING", "InputError", "Prepared", "area_resize", "drawn", "is_drawing", "look_at", "prepare", "read_input",
           "read_picture"]

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageDraw, ImageOps, UnidentifiedImageError
from torch import Tensor

from .modalities import Modality

#: What a file may unpack to: beyond it, a few kilobytes can ask for gigabytes of memory.
MOST_PIXELS = 50_000_000
#: Pictures are reduced by whole factors to about this side before arithmetic in floats.
WORKING_SIDE = 1024
#: Opened by their content, whatever the name says; formats whose readers start other programs are not among them.
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
#: How the names of such files end, without the dot.
ENDINGS = ("png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff")
#: What Pillow's readers raise for files cut short, malformed or hostile.
UNREADABLE = (UnidentifiedImageError, OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError,
              MemoryError, struct.error, zlib.error)
#: Strokes as text: four hexadecimal digits a point (x, y from 0 to 255), a full stop between strokes.
STROKES = re.compile(r"(?:[0-9a-f]{4})+(?:\.(?:[0-9a-f]{4})+)*")
MOST_STROKES = 6000  # characters: they also stand in addresses
#: The modality of handwritten digits, which may be drawn and is laid out as MNIST is.
HANDWRITING = "mnist"
PEN = 0.085  # width of the pen, as a share of the canvas
INK = 0.25  # brightness from which a pixel belongs to the digit
GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as the "L" of Pillow

LYING = (5, 6, 7, 8)  # orientations, as EXIF numbers them, whose width and height are exchanged

Pixels = NDArray[np.float32]


class InputError(ValueError):
    """A picture that cannot be used: one line that says why and what to do."""


@dataclass(frozen=True)
class Prepared:
    """A picture as a model gets it.

    Arguments:
        image: [C, H, W] in [0, 1], in the modality's shape.
        notes: What was done to it, in order, a few words each.
    """

    image: Tensor
    notes: tuple[str, ...]


def read_input(file: str | Path | BinaryIO, modality: Modality) -> Prepared:
    """A picture file as the modality's model gets it; see `read_picture` and `prepare`.

    Raises:
        InputError: Where the file is no picture, too large, or shows nothing.
    """
    pixels, notes = read_picture(file)
    prepared = prepare(pixels, modality)
    return Prepared(prepared.image, notes + prepared.notes)


def read_picture(file: str | Path | BinaryIO) -> tuple[Pixels, tuple[str, ...]]:
    """The first frame of a picture file, upright, opaque, and reduced where it is large.

    Returns:
        float32 [H, W, 1] (grey) or [H, W, 3] in [0, 1], and what was done.

    Raises:
        InputError: Where it is no picture this program reads, or unpacks to more than `MOST_PIXELS`.
    """
    with _opened(file) as picture:
        width, height = picture.size
        notes = [f"{picture.format} {width}×{height}"]
        if getattr(picture, "is_animated", False) and picture.format in ("GIF", "PNG", "WEBP"):
            notes.append("first frame")
        if _orientation(picture) != 1:
            notes.append("turned upright")
        picture.load()
        ImageOps.exif_transpose(picture, in_place=True)  # else it copies even those that stand upright
        pixels, about = _floats(picture)
        return pixels, (*notes, *about)


def look_at(file: str | Path | BinaryIO) -> tuple[str, tuple[int, int]]:
    """The kind of a picture's pixels as Pillow names it, and its width and height once it stands upright; no pixel is read.

    Raises:
        InputError: As `read_picture` does.
    """
    with _opened(file) as picture:
        # of a TIFF Pillow tells the size as it will stand
        lying = picture.format != "TIFF" and _orientation(picture) in LYING
        return picture.mode, picture.size[::-1] if lying else picture.size


@contextmanager
def _opened(file: str | Path | BinaryIO) -> Iterator[Image.Image]:
    """A picture file that is not too large; what its reader raises, now or as it is used, becomes an `InputError`."""
    try:
        with Image.open(file, formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                raise InputError(_too_large(width, height))
            yield picture
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise InputError(f"a picture of more than {MOST_PIXELS / 1e6:.0f} megapixels; make it smaller first") from None
    except UNREADABLE as error:
        raise InputError(f"not a picture this program can read ({_reason(error)}); "
                         "it reads PNG, JPEG, GIF, WebP, BMP and TIFF") from None


def _orientation(picture: Image.Image) -> int:
    return picture.getexif().get(ExifTags.Base.Orientation, 1)


def prepare(pixels: Pixels, modality: Modality) -> Prepared:
    """A picture in the modality's shape.

    Handwriting is laid out as MNIST is: bright on black, 20 pixels in its longer side, its centre of mass in the middle.
    Of any other picture the middle square is taken. Sizes change by area, so that no line is lost.

    Arguments:
        pixels: float32 [H, W, 1 or 3] in [0, 1].

    Raises:
        InputError: Where handwriting is asked for and the picture shows nothing.
    """
    channels, height, width = modality.shape
    notes: list[str] = []
    if channels == 1 and pixels.shape[2] == 3:
        if np.abs(pixels - pixels[..., :1]).max() > 0.02:
            notes.append("colour to grey")
        pixels = pixels @ GREY[:, None]
    elif channels == 3 and pixels.shape[2] == 1:
        pixels = pixels.repeat(3, 2)
    if modality.name == HANDWRITING and channels == 1:
        pixels, about = _as_mnist(pixels[..., 0], height)
        pixels = pixels[..., None]
    else:
        pixels, about = _middle(pixels, height, width)
    image = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)).clamp_(0, 1)
    return Prepared(image, (*notes, *about))


def is_drawing(text: str) -> bool:
    """Whether a text, which may come from an address, is one that `drawn` takes."""
    return len(text) <= MOST_STROKES and STROKES.fullmatch(text) is not None


def drawn(strokes: str, side: int = 280) -> Pixels:
    """Strokes as a picture, white on black, float32 [side, side, 1].

    Arguments:
        strokes: Four hexadecimal digits a point (x then y, 0 to 255), a full stop between strokes: ``"2040c040.c04060f0"``.

    Raises:
        InputError: Where the text holds no strokes.
    """
    if not is_drawing(strokes):
        raise InputError(f"not a drawing: expected strokes of four hexadecimal digits a point, at most {MOST_STROKES} characters, "
                         f"got {strokes[:30]!r}")
    canvas = Image.new("L", (side, side))
    pen, radius = ImageDraw.Draw(canvas), PEN * side / 2
    for stroke in strokes.split("."):
        values = np.frombuffer(bytes.fromhex(stroke), np.uint8).astype(float) * (side - 1) / 255
        points = [tuple(point) for point in values.reshape(-1, 2)]
        pen.line(points, 255, round(2 * radius))
        for x, y in points:  # round ends and joints
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    return np.asarray(canvas, np.float32)[..., None] / 255


def area_resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """Each new pixel is the average over its area of the old ones; float32 [H, W, C] to [height, width, C]."""
    rows, columns = _coverage(pixels.shape[0], height), _coverage(pixels.shape[1], width)
    return np.einsum("yh,hwc,xw->yxc", rows, pixels, columns, optimize=True).astype(np.float32)


def _coverage(old: int, new: int) -> NDArray[np.float32]:
    """How much of each new pixel each old one covers, [new, old], rows summing to 1."""
    edges = np.arange(new + 1) * (old / new)
    position = np.arange(old)
    overlap = np.minimum(edges[1:, None], position + 1) - np.maximum(edges[:-1, None], position)
    return (np.clip(overlap, 0, None) * (new / old)).astype(np.float32)


def _middle(pixels: Pixels, height: int, width: int) -> tuple[Pixels, list[str]]:
    """The middle of a picture in the wanted proportions, resized."""
    notes = []
    have_height, have_width = pixels.shape[:2]
    scale = min(have_height / height, have_width / width)
    keep_height, keep_width = max(1, round(scale * height)), max(1, round(scale * width))
    if (keep_height, keep_width) != (have_height, have_width):
        top, left = (have_height - keep_height) // 2, (have_width - keep_width) // 2
        pixels = pixels[top:top + keep_height, left:left + keep_width]
        notes.append("middle square" if height == width else "middle part")
    if (keep_height, keep_width) != (height, width):
        notes.append(f"{'reduced' if scale > 1 else 'enlarged'} to {height}×{width}")
    return area_resize(pixels, height, width), notes


def _as_mnist(grey: Pixels, side: int) -> tuple[Pixels, list[str]]:
    """A digit laid out as in MNIST, from brightness [H, W]; see `prepare`."""
    notes = []
    rim = max(1, round(0.03 * min(grey.shape)))
    border = np.concatenate([grey[:rim].ravel(), grey[-rim:].ravel(), grey[:, :rim].ravel(), grey[:, -rim:].ravel()])
    if np.median(border) > 0.5:
        grey, border = 1 - grey, 1 - border
        notes.append("dark on light: inverted")
    ground, peak = float(np.median(border)), float(grey.max())
    if grey.shape == (side, side) and ground < 0.02 and peak > 0.5 and not notes:
        return grey, [f"already {side}×{side}: taken as it is"]
    if peak - ground < 0.1:
        raise InputError("this picture shows no digit: it is all one brightness")
    if ground > 0.02:
        notes.append("background removed")
        # paper is never of one brightness: what differs little from it is paper too
        ground += 0.15 * (peak - ground)
    ink = np.clip((grey - ground) / (peak - ground), 0, 1)
    rows, columns = (np.flatnonzero((ink > INK).any(axis)) for axis in (1, 0))
    digit = ink[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1, None]
    box = round(side * 20 / 28)
    scale = box / max(digit.shape)
    digit = area_resize(digit, *(max(1, round(scale * extent)) for extent in digit.shape[:2]))[..., 0]
    digit = np.clip(digit / digit.max(), 0, 1)  # a thin pen would turn out grey, as no MNIST digit is
    mass = (digit.sum(1), digit.sum(0))
    top, left = (round(side / 2 - float((each * (np.arange(len(each)) + 0.5)).sum() / each.sum())) for each in mass)
    top, left = (min(max(start, 0), side - extent) for start, extent in zip((top, left), digit.shape))
    canvas = np.zeros((side, side), np.float32)
    canvas[top:top + digit.shape[0], left:left + digit.shape[1]] = digit
    return canvas, [*notes, f"centred, {box} pixels in {side}"]


def _floats(picture: Image.Image) -> tuple[Pixels, list[str]]:
    """A loaded picture of any mode as float32 [H, W, 1 or 3] in [0, 1], and what was done."""
    if picture.mode == "F" or picture.mode.startswith("I"):
        return _deep(picture)
    notes = []
    if picture.has_transparency_data:
        picture = _reduced(picture.convert("RGBA"))
        pixels = np.asarray(picture, np.float32) / 255
        colour, alpha = pixels[..., :3], pixels[..., 3:]
        if alpha.min() < 1:
            shown = float((colour @ GREY * alpha[..., 0]).sum() / max(float(alpha.sum()), 1e-6))
            ground = 0.0 if shown > 0.5 else 1.0
            notes.append(f"transparent: laid on {'white' if ground else 'black'}")
            colour = colour * alpha + ground * (1 - alpha)
        return colour, notes
    if picture.mode not in ("1", "L", "RGB"):
        notes += ["from CMYK"] if picture.mode == "CMYK" else []
        picture = picture.convert("RGB")
    picture = _reduced(picture.convert("L") if picture.mode == "1" else picture)
    pixels = np.asarray(picture, np.float32) / 255
    return pixels.reshape(*pixels.shape[:2], -1), notes


def _reduced(picture: Image.Image) -> Image.Image:
    """The picture at about `WORKING_SIDE`² pixels, whatever its proportions: both sides shrink alike, so that nothing is squeezed."""
    factor = isqrt(picture.width * picture.height // WORKING_SIDE**2)
    return picture.reduce(factor) if factor > 1 else picture


def _deep(picture: Image.Image) -> tuple[Pixels, list[str]]:
    """A picture of more than 8 bits as brightness from 0 to 1, float32 [H, W, 1]."""
    mode = picture.mode
    if mode not in ("I", "F"):
        picture = picture.convert("I")  # Pillow neither reduces 16-bit words nor, in every byte order, finds their extremes
    low, high = picture.getextrema()
    values = np.asarray(_reduced(picture), np.float32)
    if not np.isfinite(values).all():
        raise InputError("this picture holds values that are not finite")
    if mode == "F" or low < 0 or high > 65535:
        if high > low and not (low >= 0 and high <= 1):
            return ((values - low) / (high - low))[..., None], [f"values from {low:g} to {high:g}"]
        return np.clip(values, 0, 1)[..., None], []
    return (values / 65535)[..., None], ["16 bit"]


def _too_large(width: int, height: int) -> str:
    return (f"{width}×{height} pixels are {width * height / 1e6:.0f} megapixels, and at most {MOST_PIXELS / 1e6:.0f} are read; "
            "make it smaller first")


def _reason(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "unknown format"
    return (str(error).splitlines() or [""])[0] or type(error).__name__
