"""The moving picture of a model shows what its columns say: a private block moves its own picture alone."""

import asyncio
import io
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.applications import Starlette

from mmvae.checkpoints import Checkpoint, config_of, open_checkpoint, save
from tests.tiny import tiny_model
from ui import pictures
from ui.pictures import CELL, COLUMNS, FRAMES, GAP, _clearest, _edges, _far_apart, _plainest, frames_of


def opened(variant):
    model = tiny_model(variant)
    codes = {block.name: {"mean": np.random.default_rng(0).normal(size=(20, block.dim)).tolist()} for block in model.blocks}
    return Checkpoint(None, model, {}, {"reference": {"codes": {"a+b": codes}}}, {})


def moves(frames, row, column):
    top, left = row * (CELL + GAP), column * (CELL + GAP)
    cell = frames[:, top:top + CELL, left:left + CELL].astype(int)
    return np.abs(cell - cell[0]).max() > 0


def test_a_private_block_moves_its_own_picture_and_the_shared_one_both():
    frames = frames_of(opened("mumo"))
    assert frames.shape == (FRAMES, 2 * CELL + GAP, COLUMNS * (CELL + GAP) - GAP, 3)
    assert [[moves(frames, row, column) for column in range(3)] for row in (0, 1)] == [[True, True, False], [False, True, True]]


def test_without_private_blocks_every_column_moves_both_pictures():
    frames = frames_of(opened("joint-poe"))
    assert all(moves(frames, row, column) for row in (0, 1) for column in range(3))


def test_a_picture_begins_with_the_pair_that_is_plainest_to_see():
    one = opened("mumo")
    one.model.dataset = "faces"
    one.statistics["reference"]["labels"] = {"elevation": [30.0, 0.0, 0.0, 6.0], "lighting": [0.0, 90.0, 18.0, 0.0], "azimuth": [0.0, 0.0, 90.0, 90.0]}
    assert _plainest(one) == 2 and _plainest(opened("mumo")) == 0  # off by a tenth of its factor's range each, the first of them


def test_a_model_without_statistics_is_drawn_from_its_prior():
    model = tiny_model("mumo")
    assert frames_of(Checkpoint(None, model, {}, {}, {})).std() > 0


@pytest.fixture
def get(tmp_path, monkeypatch):
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    monkeypatch.setenv("MMVAE_DATA", str(tmp_path / "data"))
    model = tiny_model("mumo")
    save(tmp_path / "checkpoints" / "mine", model, config_of(model, {}))
    # In a thread of its own: a browser that other tests keep open runs an event loop in this one.
    return lambda path: ThreadPoolExecutor(1).submit(asyncio.run, answer(path)).result()


async def answer(path):
    """Status, type and content of what the routes answer to a request for this path."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "query_string": b"", "headers": []}
    await Starlette(routes=pictures.routes)(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"])[b"content-type"], sent[1]["body"]


def test_the_route_answers_with_the_picture_of_a_model(get):
    status, kind, content = get("/picture/mine")
    assert (status, kind) == (200, b"image/jpeg")
    assert Image.open(io.BytesIO(content)).size == (COLUMNS * (CELL + GAP) - GAP, FRAMES * (2 * CELL + GAP))


def test_a_films_address_leads_to_the_model_whatever_its_name(get, tmp_path):
    name = '模型 #1, "a"'
    (tmp_path / "checkpoints" / "mine").rename(tmp_path / "checkpoints" / name)
    address = re.search('src="([^"]*)"', pictures.filmstrip(name, "a model"))[1]
    path, version = urlsplit(address).path, urlsplit(address).query
    assert version.startswith("v=") and get("/" + unquote(path))[0] == 200


@pytest.mark.parametrize("name", ["yours", "..", "../mine", "mine/../mine"])
def test_the_route_knows_no_other_names(get, name):
    assert get(f"/picture/{name}")[0] == 404


def test_what_stands_still_is_drawn_more_clearly_than_most():
    shipped = open_checkpoint(Path(__file__).parents[2] / "checkpoints" / "faces-dmvae")
    known = {name: torch.tensor(code["mean"]) for name, code in shipped.statistics["reference"]["codes"]["elevation+lighting"].items()}
    order = _clearest(shipped, known)
    assert len(order) == max(12, len(known["z_shared"]) // 4) == len(set(order.tolist()))
    blurred = torch.nn.functional.avg_pool2d(images := torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(0)), 3, 1, 1)
    assert (_edges(blurred) < _edges(images)).all()
    outlined = images.clone()
    outlined[..., 0] = 1  # at the border of the picture
    assert torch.equal(_edges(outlined), _edges(images))


def test_a_walk_goes_to_codes_that_are_far_apart():
    points = torch.tensor([[0.0], [0.1], [5.0], [-1.0]])
    assert _far_apart(points, 3).flatten().tolist() == [0.0, 5.0, -1.0]
    assert len(_far_apart(points, 9)) == 4
