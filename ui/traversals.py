"""Every dimension of one pair's code swept in several models, their figures one below the other."""

from __future__ import annotations

__all__ = ["FRAMES", "VALUES", "figure_of", "frames", "routes", "stack_html"]

import html
from collections.abc import Sequence

import torch
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from torch import Tensor

from mmvae.checkpoints import CheckpointError
from mmvae.explore import TraversalFigure, start_of, traversal_figure
from mmvae.pictures import Pixels, png, sheet, traversal_frames

from . import models
from .figures import data_uri
from .navigation import parted_names, whole
from .pairs import pairs_of
from .translating import Given, posterior_of

FRAMES = 13
#: What every dimension is set to in each frame.
VALUES = [-3 + 0.5 * i for i in range(FRAMES)]
MOST = 4  # models in one answer
GROUND = 24  # grey between pictures
CROWDED = 14  # columns, of more of which the first of a block alone has room for its letter

#: A figure, the pictures that it starts from, and what they are, as `start_of` in mmvae.explore has it.
Swept = tuple[TraversalFigure, dict[str, Tensor], str]


def figure_of(name: str, item: int | None) -> Swept:
    """A model's traversal figure of a pair, the pictures it starts from and what they are: "pair", or "code" as decoded where the pair is not here.

    Arguments:
        item: The pair; where there is none of this id, the one whose factors hide least.
    """
    opened = models.checkpoint(name)
    return _figures((name, (models.version_of(opened.path), models.data_version(opened)), item))


def frames(name: str, item: int | None) -> list[Pixels]:
    """The figure as it is saved, [H, W, 3] at each of `VALUES`."""
    figure, start, first = figure_of(name, item)
    return traversal_frames(figure, start, first=first)


def _figure(key: tuple[str, tuple, int | None]) -> Swept:
    name, _, item = key
    opened = models.checkpoint(name)
    model, data = opened.model, models.data_for(opened)
    pairs = pairs_of(opened, data)
    item = item if item is not None and pairs.position(item) is not None else pairs.plainest() if len(pairs.ids) else None
    images = {name: image[0] for name, image in data.items([item])[0].items()} if data is not None and item is not None else {}
    if item is None:
        code = {block.name: torch.zeros(1, block.dim) for block in model.blocks}
    else:
        code = {block: belief.mean for block, belief in posterior_of(opened, Given("", images, item), model.names).items()}
    return (traversal_figure(model, code, frames=FRAMES), *start_of(model, code, images, code))


_figures: models.Recent[tuple[str, tuple, int | None], Swept] = models.Recent(24, _figure)


def stack_html(names: Sequence[str], item: int | None, frame: int) -> str:
    """The figures of models with every dimension at one of `VALUES`; pictures are of one size in all of them."""
    found = [(name, figure_of(name, item)) for name in names]
    widest = max((1 + len(figure.columns) for _, (figure, *_) in found), default=1)
    return f'<div class="stacks">{"".join(_stack(name, swept, frame, widest) for name, swept in found)}</div>'


def _stack(name: str, swept: Swept, frame: int, widest: int) -> str:
    figure, start, first = swept
    opened = models.checkpoint(name)
    owners = {block.name: block.owner for block in opened.model.blocks}
    symbols = {m.name: m.symbol.partition("_")[2] for m in opened.model.modalities}
    order = list(figure.images)

    crowded = len(figure.columns) > CROWDED

    def head(block: str, d: int) -> str:
        owner = owners[block]
        hue = 1 if owner is None else 2 * order.index(owner)
        index = symbols[owner] if owner else "S" if len(owners) > 1 else ""
        letter = f"z{f'<sub>{html.escape(index)}</sub>' if index else ''} "
        return f'<span class="hue{hue}">{letter if d == 0 or not crowded else ""}{d + 1}</span>'

    count = 1 + len(figure.columns)
    heads = f"<span>{first}</span>" + "".join(head(block, d) for block, d in figure.columns)
    title = html.escape(models.variant_label_of(name))
    pictures = "".join(f'<img alt="{title}: {html.escape(m)}" src="{data_uri(png(sheet([[start[m], *images[frame]]], scale=1, gap=1, background=GROUND)))}">'
                       for m, images in figure.images.items())
    return (f'<div class="stack" style="width:{100 * count / widest:.3f}%"><b>{title}</b><div class="heads" style="grid-template-columns:repeat({count},1fr)">{heads}</div>{pictures}</div>')


def _answer(request: Request) -> HTMLResponse:
    known = models.names()
    names = [name for name in parted_names(request.query_params.get("models", "")) if name in known][:MOST]
    frame = request.path_params["frame"]
    if not names or frame >= FRAMES:
        return HTMLResponse('<div class="muted">There is no such traversal.</div>', 404)
    try:
        return HTMLResponse(stack_html(names, whole(request.query_params.get("item")), frame))
    except (CheckpointError, ValueError, KeyError, OSError) as error:
        return HTMLResponse(f'<div class="muted">These models cannot be drawn: {html.escape(str(error))}</div>', 404)


routes = [Route("/traversals/{frame:int}", _answer)]
