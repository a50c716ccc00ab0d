"""An offline stand-in for MNIST–SVHN: scikit-learn's bundled handwriting, and house numbers drawn here."""

from __future__ import annotations

__all__ = ["VERSION", "Digits", "is_rendered", "render"]

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d

from . import DATASETS
from .arrays import read_arrays, write_arrays
from .base import DataError
from .pairing import ImagesByDigit, RePairedDigits, grouped_split

VERSION = 1  # of the pictures; a cache of another version is rendered anew
HOUSE_NUMBERS = 8_000
SIZE, FINE = 32, 96  # pixels of a picture, and of the mask it is reduced from

# House numbers are not all set in one typeface, and Pillow brings just one font that is the same on every machine.
# So digits are also bent out of wire: strokes in a unit box, x to the right and y down; "~" curves through its points.
Stroke = tuple[str, tuple[tuple[float, float], ...]]
BOWL = ((.5, 1), (.87, .92), (1, .68), (.85, .47), (.5, .4), (.13, .52), (.01, .7))
SIX: Stroke = ("~", ((.88, .07), (.52, .02), (.16, .3), (0, .66), (.13, .92), *BOWL))
STRAIGHT_SIX: Stroke = ("~", ((.7, 0), (.3, .35), (.02, .64), (.1, .92), *BOWL[:-1]))
BELLY = ((.45, .37), (.88, .48), (1, .7), (.8, .95), (.42, 1), (0, .87))
TWO = ((.03, .27), (.17, .06), (.5, 0), (.86, .09), (.95, .3), (.72, .58))


def _turned(stroke: Stroke) -> Stroke:
    return stroke[0], tuple((1 - x, 1 - y) for x, y in stroke[1])


FORMS: dict[int, tuple[tuple[Stroke, ...], ...]] = {
    0: ((("~", ((.5, 0), (.86, .13), (1, .5), (.86, .87), (.5, 1), (.14, .87), (0, .5), (.14, .13), (.5, 0))),),),
    1: (
        (("-", ((.5, 0), (.5, 1))),),
        (("-", ((.2, .2), (.55, 0), (.55, 1))),),
        (("-", ((.2, .18), (.5, 0), (.5, 1))), ("-", ((.15, 1), (.85, 1)))),
    ),
    2: ((("~", (*TWO, (0, 1))), ("-", ((0, 1), (1, 1)))), (("~", (*TWO, (.2, .82), (0, 1))), ("~", ((0, 1), (.5, .95), (1, 1))))),
    3: (
        (
            ("~", ((.04, .15), (.42, 0), (.86, .11), (.84, .37), (.38, .46))),
            ("~", ((.38, .46), (.88, .55), (1, .77), (.8, .96), (.42, 1), (0, .85))),
        ),
        (("-", ((.06, 0), (.92, 0), (.45, .4))), ("~", ((.45, .4), (.88, .5), (1, .72), (.8, .96), (.42, 1), (0, .87)))),
    ),
    4: (
        (("-", ((.74, 1), (.74, 0), (0, .68), (1, .68))),),
        (("-", ((.2, 0), (.03, .62), (1, .62))), ("-", ((.74, .3), (.74, 1)))),
    ),
    5: ((("-", ((.92, 0), (.14, 0), (.08, .45))), ("~", ((.08, .45), *BELLY))),),
    6: ((SIX,), (STRAIGHT_SIX,)),
    7: (
        (("-", ((0, 0), (1, 0), (.35, 1))),),
        (("-", ((0, 0), (1, 0))), ("~", ((1, 0), (.62, .45), (.42, 1)))),
        (("-", ((0, 0), (1, 0), (.4, 1))), ("-", ((.3, .52), (.92, .52)))),
    ),
    8: ((
        ("~", ((.5, .47), (.16, .37), (.08, .2), (.22, .04), (.5, 0), (.78, .04), (.92, .2), (.84, .37), (.5, .47))),
        ("~", ((.5, .47), (.12, .59), (0, .77), (.14, .95), (.5, 1), (.86, .95), (1, .77), (.88, .59), (.5, .47))),
    ),),
    9: ((_turned(SIX),), (_turned(STRAIGHT_SIX),)),
}


class Digits(RePairedDigits):
    """Handwriting of scikit-learn's bundled digits and rendered house numbers; neither MNIST nor SVHN.

    The 1,797 handwritten digits are enlarged from 8×8 blocks to 28×28 and centred as MNIST's are; the 8,000 house
    numbers are drawn by `render`. Both are the same on every machine, and kept in the data root once made.

    Arguments:
        root: The data root.

    Raises:
        DataError: Where the rendered images cannot be kept there.

    References:
        Alpaydin & Kaynak (1998), Optical Recognition of Handwritten Digits (UCI Machine Learning Repository).
    """

    bend = 0.8  # 1,250 handwritten digits to learn from are few

    def __init__(self, root: Path) -> None:
        content = _cached(_cache(root)) or _cached(render(root))
        writing, houses = torch.from_numpy(content["writing"]), torch.from_numpy(content["houses"])
        super().__init__(
            DATASETS["digits"],
            _split(writing.unsqueeze(1), content["writing_labels"]),
            _split(houses.permute(0, 3, 1, 2).contiguous(), content["house_labels"]),
        )


def render(root: Path, progress: Callable[[int, int], None] | None = None) -> Path:
    """Make the images of `Digits` in the data root, and return the file: there whole or not at all.

    Arguments:
        progress: Called with the house numbers drawn so far and in total.
    """
    try:
        _cache(root).parent.mkdir(parents=True, exist_ok=True)  # before the work that would be in vain
        writing, writing_labels = _handwriting()
        houses, house_labels = _house_numbers(HOUSE_NUMBERS, 0, progress)
        write_arrays(_cache(root), writing=writing, writing_labels=writing_labels, houses=houses, house_labels=house_labels)
    except OSError as error:
        raise DataError(f"{_cache(root)}: cannot be written ({error.strerror}); "
                        "name a folder that can with --data-root or MMVAE_DATA") from None
    return _cache(root)


def is_rendered(root: Path) -> bool:
    """Whether `Digits` opens at once, its images being in the data root."""
    return _cache(root).is_file()


def _cache(root: Path) -> Path:
    return root / "digits" / f"digits-v{VERSION}.npz"


def _cached(path: Path) -> dict[str, np.ndarray] | None:
    try:
        return read_arrays(path, ("writing", "writing_labels", "houses", "house_labels"))
    except DataError:  # missing or damaged: it can be made again
        return None


def _split(images: torch.Tensor, labels: np.ndarray) -> ImagesByDigit:
    return ImagesByDigit(images, labels, grouped_split(labels, np.arange(len(labels)), validation=0.1, test=0.2, seed=0))


def _handwriting() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's digits as pen strokes, uint8 [1797, 28, 28], and their labels.

    Each of the 8×8 values counts the inked pixels of a 4×4 block of a scan. Ink is what is darker than its
    surroundings, as in making scans black and white: so the holes of an 8 stay open where a fixed level fills them.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    grey = interpolate(torch.from_numpy(bunch.images).float()[:, None] / 16, scale_factor=8, mode="bicubic")
    around = avg_pool2d(avg_pool2d(grey, (27, 1), 1, (13, 0)), (1, 27), 1, (0, 13))
    strokes = torch.sigmoid(12 * (grey - 0.12 - 0.8 * around))
    thin = -max_pool2d(-strokes, 3, stride=1, padding=1)  # these pens were broader than MNIST's
    edges = torch.sigmoid(14 * (avg_pool2d(thin, 5, stride=1, padding=2) - 0.5))
    return np.stack([_centred(np.uint8(255 * picture)) for picture in edges[:, 0].numpy()]), bunch.target.astype(np.int64)


def _centred(picture: np.ndarray) -> np.ndarray:
    """A digit as in MNIST: fitted into 20×20, its centre of mass in the middle of 28×28."""
    image = Image.fromarray(picture)
    box = image.point(lambda v: 255 * (v > 60)).getbbox()
    width, height = box[2] - box[0], box[3] - box[1]
    width *= 1.2  # the scans were narrowed; MNIST's digits are not
    fit = 20 / max(width, height)
    digit = np.asarray(image.crop(box).resize((round(width * fit), round(height * fit)), Image.Resampling.LANCZOS))
    rows, columns = (np.arange(n) @ digit.sum(axis=1 - axis) / digit.sum() for axis, n in enumerate(digit.shape))
    top, left = (int(np.clip(round(13.5 - middle), 0, 28 - n)) for middle, n in zip((rows, columns), digit.shape))
    canvas = np.zeros((28, 28), np.uint8)
    canvas[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return canvas


def _house_numbers(n: int, seed: int, progress: Callable[[int, int], None] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """House numbers as if cut from photos, the labelled digit in the middle, uint8 [n, 32, 32, 3], and their labels."""
    rng = np.random.RandomState(seed)  # unlike Generator's, its streams are promised never to change
    labels, pictures = np.arange(n) % 10, []
    for batch in np.split(labels, range(500, n, 500)):  # painted together, but not so many that memory is short
        pictures.append(_painted(np.stack([_mask(int(digit), rng) for digit in batch]), rng))
        if progress:
            progress(sum(map(len, pictures)), n)
    return np.concatenate(pictures), labels.astype(np.int64)


def _mask(digit: int, rng: np.random.RandomState) -> np.ndarray:
    """Where there is number and where there is wall, float32 [32, 32] in [0, 1]: a digit, often between others."""
    height, slant = rng.uniform(56, 82), rng.uniform(-0.12, 0.2)
    face, weight, breadth = rng.randint(3), rng.uniform(), rng.uniform(0.8, 1.25)
    gap = rng.uniform(0.08, 0.3) * height

    def glyph(value: int) -> Image.Image:
        drawn = _typed(value, weight) if face == 0 else _bent(value, weight, rng)
        width = max(8, round(drawn.width * breadth * height / drawn.height))
        return drawn.resize((width, round(height)), Image.Resampling.BILINEAR)

    canvas = Image.new("L", (FINE, FINE))

    def put(image: Image.Image, left: float) -> None:
        area = (round(left), round((FINE - height) / 2))
        stamp = Image.new("L", canvas.size)
        stamp.paste(image, area)
        canvas.paste(ImageChops.lighter(canvas, stamp))

    middle = glyph(digit)
    left, right = (FINE - middle.width) / 2, (FINE + middle.width) / 2
    put(middle, left)
    if rng.uniform() < 0.45:
        neighbour = glyph(rng.randint(10))
        put(neighbour, left - gap - neighbour.width)
    if rng.uniform() < 0.45:
        put(glyph(rng.randint(10)), right + gap)
    corners = np.array([(0, 0), (0, FINE), (FINE, FINE), (FINE, 0)], float) + rng.normal(0, 3.5, (4, 2)) + rng.normal(0, 2, 2)
    corners[:, 0] += slant * (corners[:, 1] - FINE / 2)
    canvas = canvas.transform(canvas.size, Image.Transform.QUAD, tuple(corners.ravel()), Image.Resampling.BILINEAR)
    canvas = canvas.filter(ImageFilter.GaussianBlur(float(rng.choice([0.9, 1.8, 2.7, 3.6], p=[0.3, 0.35, 0.25, 0.1]))))
    return np.asarray(canvas.resize((SIZE, SIZE), Image.Resampling.BOX), np.float32) / 255


def _typed(digit: int, weight: float) -> Image.Image:
    """A digit of the font that comes with Pillow, from its own weight to heavy, cut to its ink."""
    canvas = Image.new("L", (120, 140))
    ImageDraw.Draw(canvas).text((30, 10), str(digit), font=_font(), fill=255, stroke_width=round(6 * weight))
    return canvas.crop(canvas.getbbox())


@cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(96)


def _bent(digit: int, weight: float, rng: np.random.RandomState) -> Image.Image:
    """A digit of bent wire, its points moved a little, cut to its ink."""
    forms = FORMS[digit]
    width, pen = 56 if digit != 1 else 36, round(9 + 11 * weight)
    canvas = Image.new("L", (width + 48, 148))
    draw = ImageDraw.Draw(canvas)
    nudge = rng.normal(0, 0.02, (8, 8, 2))  # one for each place, so that strokes that meet still meet
    for kind, points in forms[rng.randint(len(forms))]:
        line = np.array(points, float)
        line += nudge[tuple((line * 7).astype(int).T)]
        line = (_curve(line) if kind == "~" else line) * (width, 100) + 24
        draw.line(line.ravel().tolist(), fill=255, width=pen, joint="curve" if kind == "-" else None)
        for x, y in line[[0, -1]]:
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=255)
    return canvas.crop(canvas.getbbox())


def _curve(points: np.ndarray, steps: int = 8) -> np.ndarray:
    """A Catmull–Rom spline through points [P, 2]; where it ends at its start it is smooth there too."""
    closed = np.allclose(points[0], points[-1])
    before, after = (points[-2], points[1]) if closed else (points[0], points[-1])
    p = np.vstack([before, points, after])
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    a, b, c, d = (p[i : len(p) - 3 + i, None] for i in range(4))
    spans = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.vstack([spans.reshape(-1, 2), points[-1:]])


def _painted(masks: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Numbers and walls in colours of their own, unevenly lit, with a shadow and a camera's noise, uint8 [n, 32, 32, 3]."""
    n = len(masks)

    def colours(value: np.ndarray) -> np.ndarray:
        strength = rng.choice([0.02, 0.07, 0.16], (n, 1), p=[0.4, 0.4, 0.2])
        brick_to_blue, green_to_pink = rng.normal(0, 1, (n, 1)) * (1, 0, -1), rng.normal(0, 0.3, (n, 1)) * (0.5, -1, 0.5)
        return value[:, None] + strength * (brick_to_blue + green_to_pink)

    wall = rng.uniform(0.15, 0.85, n)
    contrast = rng.uniform(0.25, 0.65, n)
    lighter = rng.uniform(size=n) < 1 - wall  # dark walls mostly carry light numbers
    number = np.clip(np.where(lighter, wall + contrast, wall - contrast), 0.02, 0.98)
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    slope = rng.normal(0, 0.08, (n, 2))
    light = 1 + slope[:, :1, None] * x + slope[:, 1:, None] * y
    shadow = np.roll(masks, (1, 1), axis=(1, 2)) * (1 - masks) * rng.choice([0, 0.25], (n, 1, 1), p=[0.6, 0.4])
    blotches = interpolate(torch.from_numpy(rng.normal(0, 1, (n, 1, 5, 5))), (SIZE, SIZE), mode="bicubic")[:, 0].numpy()
    light = light * (1 - shadow) + blotches * rng.uniform(0, 0.05, (n, 1, 1))
    mask = masks[..., None]
    picture = mask * colours(number)[:, None, None] + (1 - mask) * colours(wall)[:, None, None]
    picture = picture * light[..., None] + rng.normal(0, 1, picture.shape) * rng.uniform(0.005, 0.025, (n, 1, 1, 1))
    return np.uint8(np.clip(picture, 0, 1) * 255 + 0.5)
