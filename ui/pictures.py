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
from pathlib import Path
from urllib.parse import quote

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

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

    Each column starts at the code of one reference pair. With private blocks, column k walks block k while the others
    hold still; without, each column walks the one block from another start.
    """
    model = opened.model
    start = {name: torch.tensor(code["mean"]).roll(-_plainest(opened), 0) for name, code in _reference(opened).items()}  # [items, dim]
    walks = [block.name for block in model.blocks] if len(model.blocks) == COLUMNS else [model.blocks[0].name] * COLUMNS
    codes = {block.name: [] for block in model.blocks}
    for column, walked in enumerate(walks):
        begin = 0 if len(model.blocks) == COLUMNS else column * STOPS
        for frame in range(FRAMES):
            at, part = divmod(frame * STOPS / FRAMES, 1)
            ease = 0.5 - 0.5 * math.cos(math.pi * part)
            for name, items in start.items():
                stops = [items[(begin + stop % STOPS) % len(items)] for stop in (int(at), int(at) + 1)]
                codes[name].append(stops[0] + ease * (stops[1] - stops[0]) if name == walked else items[begin % len(items)])
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
