"""Files made of a point: the pair's pictures, the traversal figure and its numbers, the way from one point to another.

A route of its own, so that the browser downloads them by a plain link and no script runs for it. One file is made at
a time; those who drag sliders meanwhile should not feel it.
"""

from __future__ import annotations

__all__ = ["KINDS", "alone", "attachment", "make", "routes"]

import asyncio
import csv
import io
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import torch
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from torch import Tensor

from mmvae.checkpoints import Checkpoint, CheckpointError
from mmvae.data import DataError
from mmvae.explore import RANGES, Code, TraversalFigure, code_in_words, code_of, path, plane, start_of, traversal_figure
from mmvae.model import CannotInfer
from mmvae.pictures import RANGE_TITLES, Pixels, about, pair_picture, plane_sheet, png, traversal_frames, traversal_strip, way_frames, way_strip, write_gif
from mmvae.point import Point, PointError
from mmvae.readers import readers_for
from mmvae.workers import Workers

from . import live, models
from .ending import or_ended
from .translating import Given, posterior_of

FRAMES = 61
VALUES = 7  # that each coordinate takes on a printed traversal: −3, −2 … 3
STRIP, WAY = 9, 31  # pictures in a strip and in an animation from one point to another
#: Codes decoded at once, and the pause after them in which the live path has the processor.
CHUNK, PAUSE = 8, 0.004


@dataclass(frozen=True)
class Wish:
    """What to make a file of: a point with its model and code, and the address's other parameters."""

    point: Point
    checkpoint: Checkpoint
    code: Code
    options: Mapping[str, str]

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Wish:
        """The wish in an address's parameters.

        Raises:
            PointError: Where there is no point, or it does not fit its model.
            CheckpointError: Where its model is not here.
        """
        point = Point.parse(options.get("point", ""))
        checkpoint = models.checkpoint(point.checkpoint)
        return cls(point, checkpoint, code_of(point, checkpoint.model), options)

    @property
    def range(self) -> str:
        """How far coordinates are moved."""
        return self.options.get("range", RANGES[0])

    def figure(self, frames: int = FRAMES) -> TraversalFigure:
        """The traversal figure from the point's code, over the range asked for."""
        return traversal_figure(self.checkpoint.model, self.code, self.checkpoint.statistics, self.range, frames)

    def plane(self) -> Pixels:
        """The pictures of one modality over two dimensions, as the page shows them."""
        model, name = self.checkpoint.model, self.options.get("pictures", "")
        model.positions([name])
        places = [self.options.get(way, "") for way in ("across", "upwards")]
        if not all(place.isascii() and place.isdigit() and len(place) < 5 for place in places):
            raise ValueError(f"{' and '.join(map(repr, places))[:60]} are no places in a code")
        axes, values, codes = plane(model, self.code, *map(int, places), self.checkpoint.statistics, self.range)
        return plane_sheet(decoded(self.checkpoint, codes)[name], axes, values, model.modalities, self.range, self.about(), alone=len(model.blocks) == 1)

    def about(self) -> str:
        """Which model is shown, and what the point's code is."""
        return about(self.checkpoint, self.in_words(self.point))

    def in_words(self, point: Point) -> str:
        """What the code of a point of this model is, see `mmvae.explore.code_in_words`."""
        return code_in_words(self.checkpoint.model, code_of(point, self.checkpoint.model), point.item, point.observed, self.mean(point))

    def mean(self, point: Point) -> Code | None:
        """The mean of the posterior of a point's pair, given what is observed of it; None where neither its pictures nor a stored one are at hand."""
        if point.item is None or not point.observed:
            return None
        try:
            return {name: belief.mean for name, belief in posterior_of(self.checkpoint, Given("", self.pair(point.item), point.item), point.observed).items()}
        except CannotInfer:
            return None

    def about_way(self) -> str:
        """Which model is shown, between which codes, and what of the code moves how."""
        end = Point.parse(self.options.get("to", ""))
        scope, form = self.options.get("scope", "all"), self.options.get("form", "straight")
        moving = {"all": "all blocks", "shared": "shared block only", "private": "private blocks only"}[scope]
        return f"{about(self.checkpoint, self.in_words(self.point), self.in_words(end))} · {moving}, {form}"

    def pair(self, item: int | None) -> dict[str, Tensor]:
        """A pair's own pictures {modality: [C, H, W]}; empty where they are not at hand."""
        data = models.data_for(self.checkpoint)
        return {name: image[0] for name, image in data.items([item])[0].items()} if data is not None and item is not None else {}

    def start(self) -> tuple[dict[str, Tensor], str]:
        """What stands beside a sweep from the code, and what it is, see `mmvae.explore.start_of`."""
        return start_of(self.checkpoint.model, self.code, self.pair(self.point.item), self.mean(self.point))

    def way(self, steps: int) -> dict[str, Tensor]:
        """The pictures on the way to the point in the parameter ``to``."""
        end = Point.parse(self.options.get("to", ""))
        if end.checkpoint != self.point.checkpoint:
            raise PointError(f"the way leads from a point of {self.point.checkpoint} to one of {end.checkpoint}")
        model = self.checkpoint.model
        wanted = {"all": (True, False), "shared": (True,), "private": (False,)}.get(self.options.get("scope", "all"))
        if wanted is None:
            raise ValueError("scope is none of all, shared, private")
        blocks = [b.name for b in model.blocks if (b.owner is None) in wanted]
        codes = path(self.code, code_of(end, model), steps, blocks, spherical=self.options.get("form") == "spherical")
        return decoded(self.checkpoint, codes)


@torch.inference_mode()
def decoded(checkpoint: Checkpoint, codes: Code) -> dict[str, Tensor]:
    """The pictures of codes {block: [N, dim]}, a few at a time so that live pictures come between."""
    n = len(next(iter(codes.values())))
    parts = []
    for at in range(0, n, CHUNK):
        parts.append(checkpoint.model.decode({name: z[at:at + CHUNK] for name, z in codes.items()}))
        if n > CHUNK:
            time.sleep(PAUSE)
    return {name: torch.cat([part[name] for part in parts]) for name in checkpoint.model.names}


def pair_png(wish: Wish) -> bytes:
    return png(pair_picture(decoded(wish.checkpoint, wish.code)), wish.point)


def traversal_gif(wish: Wish) -> bytes:
    start, first = wish.start()
    return gif(traversal_frames(wish.figure(), start, wish.about(), first), wish.point)


def traversal_png(wish: Wish) -> bytes:
    start, first = wish.start()
    return png(traversal_strip(wish.figure(VALUES), start, wish.about(), first), wish.point)


def plane_png(wish: Wish) -> bytes:
    return png(wish.plane(), wish.point)


def traversal_csv(wish: Wish) -> bytes:
    """A line for each coordinate and value: the value, and what the readers see in the pictures, ``modality: factor [unit]``.

    Lines that begin with # come first and say what it is of; ``pandas.read_csv(file, comment="#")`` passes over them.
    """
    figure, model = wish.figure(), wish.checkpoint.model
    readers = readers_for(model.dataset) if model.dataset else None
    lines: list[dict[str, object]] = []
    units = {(modality, factor.name): factor.unit for modality, network in (readers.networks if readers else {}).items() for factor in network.factors}
    for column, (block, dimension) in enumerate(figure.columns):
        seen = readers.read({name: images[:, column] for name, images in figure.images.items()}) if readers else {}
        for frame, value in enumerate(figure.values[:, column].tolist()):
            line: dict[str, object] = {"block": block, "dimension": dimension + 1, "frame": frame, "value": round(value, 4)}
            for modality, readings in seen.items():
                for factor, reading in readings.items():
                    unit = units[modality, factor]
                    line[f"{modality}: {factor}" + (f" [{unit}]" if unit else "")] = round(reading.value[frame].item(), 3)
            lines.append(line)
    text = io.StringIO()
    said = {"model": about(wish.checkpoint), "point": wish.point, "code": wish.in_words(wish.point), "range": RANGE_TITLES[figure.range]}
    for what, value in said.items():
        text.write(f"# {what}: {value}\r\n")
    writer = csv.DictWriter(text, lines[0])
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().encode()


def path_png(wish: Wish) -> bytes:
    return png(way_strip(wish.way(STRIP), wish.checkpoint.model.modalities, wish.about_way()), wish.point)


def path_gif(wish: Wish) -> bytes:
    return gif(way_frames(wish.way(WAY), wish.checkpoint.model.modalities, wish.about_way()), wish.point)


def gif(frames: list[Pixels], point: Point) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figure.gif"
        write_gif(file, frames, 0.1, point)
        return file.read_bytes()


#: Kinds of files: how each is made, its name and its type.
KINDS: dict[str, tuple[Callable[[Wish], bytes], str, str]] = {
    "pair-png": (pair_png, "pair.png", "image/png"),
    "gif": (traversal_gif, "traversal.gif", "image/gif"),
    "png": (traversal_png, "traversal.png", "image/png"),
    "csv": (traversal_csv, "traversal.csv", "text/csv"),
    "plane-png": (plane_png, "plane.png", "image/png"),
    "path-png": (path_png, "interpolation.png", "image/png"),
    "path-gif": (path_gif, "interpolation.gif", "image/gif"),
}


def make(options: Mapping[str, str]) -> Response:
    """The file that an address's parameters ask for; 400 with a line that says why where there is none."""
    try:
        maker, name, kind = KINDS[options.get("kind", "")]
    except KeyError:
        return PlainTextResponse(f"kind is none of {', '.join(KINDS)}", 400)
    try:
        wish = Wish.of(options)
        content = maker(wish)
    except (PointError, CheckpointError, DataError, ValueError) as error:
        return PlainTextResponse(str(error), 400)
    return Response(content, media_type=kind, headers=attachment(f"{wish.point.checkpoint}-{name}"))


def attachment(name: str) -> dict[str, str]:
    """The header that has a browser save a response under this name, which may have any characters (RFC 6266)."""
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}


def alone() -> None:
    """Has a thread compute by itself: the other processors are for those who drag sliders."""
    torch.set_num_threads(1)


_maker = Workers(1, "export", alone)


async def _answer(request: Request) -> Response:
    return await or_ended(asyncio.get_running_loop().run_in_executor(_maker, make, dict(request.query_params)))


routes = [Route(live.EXPORT_PATH, _answer)]
