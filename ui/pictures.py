"""The moving picture of a model, made by the model itself: a column for each block, walking through codes of test pairs.

Served by a route of its own, so that pages appear at once and the browser fetches pictures as it comes to them. A
picture is one JPEG with its frames one above the other; `filmstrip` is the HTML that style.css plays, and holds still
for whoever asked the system for less motion.
"""

from __future__ import annotations

__all__ = ["FRAMES", "SECONDS", "filmstrip", "frames_of", "routes"]

import html
import io
import math
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from torch import Tensor

from mmvae import DATASETS
from mmvae.checkpoints import Checkpoint, CheckpointError
from mmvae.pictures import as_bytes

from .models import Recent, checkpoint, path_of, version_of

FRAMES, SECONDS = 36, 4.5
STOPS = 4  # reference pairs that a block walks through, the last leading back to the first
COLUMNS = 3
CELL, GAP = 96, 4  # pixels


def frames_of(opened: Checkpoint) -> NDArray[np.uint8]:
    """The frames of a model's picture, [FRAMES, H, W, 3]: first modality above, second below.

    With private blocks, column k walks block k while the others hold still; without, each column walks the one block from
    another start. What holds still is the plainest pair's private codes and the shared code that is drawn most clearly.
    """
    model = opened.model
    known = {name: torch.tensor(code["mean"]) for name, code in _reference(opened).items()}  # [items, dim]
    plain, clear = _plainest(opened), _clearest(opened, known)
    best = {block.name: known[block.name][clear] if block.owner is None else known[block.name].roll(-plain, 0) for block in model.blocks}
    far = {name: _far_apart(points, STOPS * COLUMNS if len(model.blocks) == 1 else STOPS) for name, points in best.items()}
    codes = {block.name: [] for block in model.blocks}
    for column in range(COLUMNS):
        walked, begin = (model.blocks[column].name, 0) if len(model.blocks) == COLUMNS else (model.blocks[0].name, column * STOPS)
        for frame in range(FRAMES):
            at, part = divmod(frame * STOPS / FRAMES, 1)
            ease = 0.5 - 0.5 * math.cos(math.pi * part)
            for name, stops in far.items():
                start, end = (stops[(begin + stop % STOPS) % len(stops)] for stop in (int(at), int(at) + 1))
                codes[name].append(start + ease * (end - start) if name == walked else stops[begin % len(stops)])
    with torch.inference_mode():
        images = model.decode({name: torch.stack(rows) for name, rows in codes.items()})
    sheet = np.empty((FRAMES, 2 * CELL + GAP, COLUMNS * (CELL + GAP) - GAP, 3), np.uint8)
    sheet[:] = 24
    for row, pictures in enumerate(images.values()):
        for i, picture in enumerate(as_bytes(pictures)):
            column, frame = divmod(i, FRAMES)
            top, left = row * (CELL + GAP), column * (CELL + GAP)
            sheet[frame, top:top + CELL, left:left + CELL] = np.asarray(Image.fromarray(picture).resize((CELL, CELL), Image.Resampling.BICUBIC))
    return sheet


def filmstrip(name: str, alt: str) -> str:
    """HTML that plays the picture of the model of this name; its width is that of what it lies in."""
    version = abs(hash(version_of(path_of(name))))
    return (
        f'<div class="film" style="aspect-ratio:{COLUMNS * (CELL + GAP) - GAP}/{2 * CELL + GAP}">'
        f'<img src="picture/{quote(name, safe="")}?v={version:x}" alt="{html.escape(alt)}" loading="lazy"></div>'
    )


def _reference(opened: Checkpoint) -> dict[str, dict]:
    """Codes of reference pairs given both modalities, {block: {"mean": [items][dim]}}; points of the prior where none are known."""
    codes = opened.statistics.get("reference", {}).get("codes", {})
    both = "+".join(opened.model.names)
    if both in codes:
        return codes[both]
    generator = torch.Generator().manual_seed(0)
    return {name: {"mean": belief.sample(generator).tolist()} for name, belief in opened.model.prior(STOPS * COLUMNS).items()}


def _plainest(opened: Checkpoint) -> int:
    """The reference pair to begin with: the one nearest to the neutral values of its private factors, so that one sees what there is to see."""
    labels = opened.statistics.get("reference", {}).get("labels", {})
    row = DATASETS.get(opened.model.dataset)
    off = [np.abs(np.array(labels[f.name]) - f.neutral) / (max(f.values) - min(f.values)) for f in (row.factors if row else ()) if f.neutral is not None and f.name in labels]
    return int(np.sum(off, 0).argmin()) if off else 0


@torch.inference_mode()
def _clearest(opened: Checkpoint, known: Mapping[str, Tensor]) -> Tensor:
    """The reference pairs whose shared codes are drawn most clearly beside the plainest private ones, a quarter of them, the best first.

    A picture is clear where its edges are sharp; of a pair the blurrier picture counts.
    """
    model, plain = opened.model, _plainest(opened)
    pairs = model.decode({block.name: known[block.name] if block.owner is None else known[block.name][plain].expand_as(known[block.name]) for block in model.blocks})
    sharp = torch.stack([_edges(images) for images in pairs.values()])  # [modalities, items]
    order = (sharp / sharp.mean(1, keepdim=True)).amin(0).argsort(descending=True)
    return order[:max(STOPS * COLUMNS, len(order) // 4)]


def _edges(images: Tensor) -> Tensor:
    """Mean absolute Laplacian of the middle half of images [N, C, H, W], [N]: what is within the outline, whose edge is sharp in any picture."""
    top, left = (side // 4 for side in images.shape[-2:])
    images = images[..., top:-top, left:-left]
    inner = images[..., 1:-1, 1:-1]
    around = images[..., :-2, 1:-1] + images[..., 2:, 1:-1] + images[..., 1:-1, :-2] + images[..., 1:-1, 2:]
    return (4 * inner - around).abs().mean((1, 2, 3))


def _far_apart(points: Tensor, count: int) -> Tensor:
    """So many of the points [N, dim], the first to begin with and then always the one that is farthest from all before; fewer where there are fewer."""
    chosen = [0]
    while len(chosen) < min(count, len(points)):
        chosen.append(int(torch.cdist(points, points[chosen]).amin(1).argmax()))
    return points[chosen]


def _strip(key: tuple[str, Path, tuple[int, ...]]) -> bytes:
    frames = frames_of(checkpoint(key[0]))
    buffer = io.BytesIO()
    Image.fromarray(frames.reshape(-1, *frames.shape[2:])).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


_strips = Recent(64, _strip)


def _answer(request: Request) -> Response:
    name = request.path_params["name"]
    try:
        folder = path_of(name)
        content = _strips((name, folder, version_of(folder)))
    except CheckpointError as error:
        return PlainTextResponse(str(error), 404)
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": "max-age=86400"})


routes = [Route("/picture/{name}", _answer)]
