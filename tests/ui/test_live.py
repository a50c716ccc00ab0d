"""The live path over a real server: what it answers, and what it refuses without harm to anyone else."""

import copy
import gc
import json
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
import weakref
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import torch
import uvicorn
from starlette.applications import Starlette
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from mmvae import DATASETS, VARIANTS
from mmvae.checkpoints import CheckpointError, open_checkpoint
from mmvae.model import MultimodalVAE
from ui import live
from ui.live import (ALONE, BOUND, BURST, DRAG, FILES_PATH, FRONTEND, HEADER, MAX_CODES, PATH, STRIP, TOGETHER, Bucket, Request, Served, Workers, decode, decode_together,
                     live_routes, serve)

ROOT = Path(__file__).parents[2]
DIMS = 9


@pytest.fixture(scope="module")
def model() -> MultimodalVAE:
    torch.manual_seed(0)
    return MultimodalVAE.for_dataset(VARIANTS["mumo"], DATASETS["faces"]).eval()


@pytest.fixture(scope="module")
def faces_served() -> Served:
    """A shipped model, with its readers."""
    return serve(open_checkpoint(ROOT / "checkpoints" / "faces-mumo"))


@pytest.fixture(scope="module")
def server(model):
    def open_model(name: str) -> Served:
        if name != "faces-mumo":
            raise CheckpointError(f"no checkpoint {name!r}")
        return Served(model, "0123abcd")

    with running(open_model) as port:
        yield port


class running:
    """A server on a free port, in a thread."""

    def __init__(self, open_model, **limits) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        app = Starlette(routes=live_routes(open_model, **limits))
        self.server = uvicorn.Server(uvicorn.Config(app, port=self.port, log_level="warning"))
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def __enter__(self) -> int:
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        return self.port

    def __exit__(self, *_) -> None:
        self.server.should_exit = True
        self.thread.join(10)


def opened(port: int):
    return connect(f"ws://127.0.0.1:{port}{PATH}", origin=f"http://127.0.0.1:{port}")


@contextmanager
def greeted(port: int):
    """A client after its hello, and what it was answered."""
    with opened(port) as client:
        client.send(json.dumps({"model": "faces-mumo"}))
        yield client, json.loads(client.recv(timeout=10))


def request(ident: int, codes, lane: int = DRAG, flags: int = 0, n: int | None = None) -> bytes:
    codes = np.asarray(codes, "<f4")
    return HEADER.pack(ident, lane, flags, len(codes) if n is None else n) + codes.tobytes()


def closed_with(client) -> int:
    with pytest.raises(ConnectionClosed) as caught:
        while True:
            client.recv(timeout=10)
    return caught.value.rcvd.code


def test_hello_tells_what_is_served(server):
    with greeted(server) as (client, hello):
        assert hello["digest"] == "0123abcd" and hello["dims"] == DIMS
        assert [p["modality"] for p in hello["pictures"]] == ["elevation", "lighting"]
        assert hello["pictures"][0]["shape"] == [1, 64, 64]


def test_a_page_that_asks_for_the_modules_of_an_older_version_gets_those_there_are_and_nothing_else(server):
    address = f"http://127.0.0.1:{server}"
    for path in (FILES_PATH, FILES_PATH[:-12] + "0123456789ab"):
        with urllib.request.urlopen(f"{address}{path}/panel.js") as answer:
            assert answer.headers.get_content_type() in ("text/javascript", "application/javascript")
            assert answer.read() == (FRONTEND / "panel.js").read_bytes()
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{address}{FILES_PATH}/..%2flive.py")


def test_a_reply_holds_both_pictures_of_the_code(server, model):
    z = torch.randn(1, DIMS, generator=torch.Generator().manual_seed(1))
    with greeted(server) as (client, _):
        client.send(request(7, z.numpy()))
        reply = client.recv(timeout=10)
    ident, lane, flags, n = HEADER.unpack_from(reply)
    assert (ident, lane, flags, n) == (7, DRAG, 0, 1)
    assert struct.unpack_from("<f", reply, HEADER.size)[0] > 0
    shown = np.frombuffer(reply, np.uint8, offset=HEADER.size + 4).reshape(2, 64, 64)
    with torch.inference_mode():
        parts = z.split([2, 5, 2], 1)
        expected = model.decode({"z_elevation": parts[0], "z_shared": parts[1], "z_lighting": parts[2]})
    for picture, name in zip(shown, ("elevation", "lighting")):
        assert np.abs(picture / 255 - expected[name][0, 0].numpy()).max() <= 0.5 / 255 + 1e-5


def test_a_strip_is_answered_code_by_code_in_order(server):
    codes = np.random.default_rng(0).standard_normal((MAX_CODES, DIMS)).astype("<f4")
    with greeted(server) as (client, _):
        client.send(request(1, codes, STRIP))
        strip = np.frombuffer(client.recv(timeout=20), np.uint8, offset=HEADER.size + 4).reshape(MAX_CODES, -1)
        for i in (0, MAX_CODES - 1):
            client.send(request(2 + i, codes[i:i + 1]))
            alone = np.frombuffer(client.recv(timeout=10), np.uint8, offset=HEADER.size + 4)
            assert np.abs(strip[i].astype(int) - alone).max() <= 1  # a batch may round otherwise


def test_values_beyond_the_bound_are_clamped(server):
    with greeted(server) as (client, _):
        client.send(request(1, np.full((1, DIMS), 1e30)))
        wild = client.recv(timeout=10)[HEADER.size + 4:]
        client.send(request(2, np.full((1, DIMS), BOUND)))
        assert wild == client.recv(timeout=10)[HEADER.size + 4:]


def test_the_newest_drag_is_always_answered_and_waiting_ones_are_dropped(model):
    class Slow:
        def submit(self, served, request):
            time.sleep(0.05)  # the loop is held, so that requests pile up
            return Workers.submit(workers, served, request)

    workers = Workers(1)
    with running(lambda name: Served(model, "0" * 8), workers=Slow()) as port:
        with greeted(port) as (client, _):
            for ident in range(1, 31):
                client.send(request(ident, np.zeros((1, DIMS))))
            answered = []
            while not answered or answered[-1] != 30:
                answered.append(HEADER.unpack_from(client.recv(timeout=10))[0])
    assert answered == sorted(answered) and len(answered) < 30


class Held:
    """Workers of one thread that decode nothing until let go, and what they then decode at once: the identifiers of each pass."""

    def __init__(self, monkeypatch) -> None:
        self.gate, self.passes, self.workers = threading.Event(), [], Workers(1)

        def decode(served, asked):
            self.gate.wait(10)
            self.passes.append([int(codes[0, 0]) for codes, _ in asked])
            return decode_together(served, asked)

        monkeypatch.setattr(live, "decode_together", decode)

    def submit(self, served: Served, ident: int, lane: int = DRAG, flags: int = 0):
        return self.workers.submit(served, Request.parse(request(ident, [[ident] + [0] * (DIMS - 1)], lane, flags), DIMS))

    def let_go(self, futures) -> list[bytes]:
        self.gate.set()
        return [future.result(10) for future in futures]


@pytest.fixture
def held(monkeypatch) -> Held:
    return Held(monkeypatch)


def test_a_drag_overtakes_the_strips_that_wait(held, model):
    served = Served(model, "")
    first = held.submit(served, 0)
    while held.workers._waiting[DRAG]:
        time.sleep(0.001)
    strips = [held.submit(served, ident, STRIP) for ident in (1, 2)]
    held.let_go([first, *strips, held.submit(served, 3)])
    assert held.passes == [[0], [3], [1], [2]]


def test_drags_that_wait_for_one_model_are_decoded_together_and_say_so(held, model):
    served, other = Served(model, ""), Served(copy.deepcopy(model), "")
    first = held.submit(served, 0)
    while held.workers._waiting[DRAG]:
        time.sleep(0.001)
    asked = [(1, served, 0), (2, other, 0), (3, served, ALONE), (4, served, 0), (5, served, 0)]
    replies = held.let_go([first, *(held.submit(of, ident, flags=flags) for ident, of, flags in asked)])[1:]
    assert held.passes == [[0], [1, 4, 5], [2], [3]]
    assert [HEADER.unpack_from(reply)[:3] for reply in replies] == [(1, DRAG, TOGETHER), (2, DRAG, 0), (3, DRAG, 0), (4, DRAG, TOGETHER), (5, DRAG, TOGETHER)]
    for (ident, of, _), reply in zip(asked, replies):
        alone = decode(of, np.float32([[ident] + [0] * (DIMS - 1)]))
        seen, expected = (np.frombuffer(part, np.uint8).astype(int) for part in (reply[HEADER.size + 4:], alone[4:]))
        assert np.abs(seen - expected).max() <= 1


def test_of_drags_decoded_together_those_that_ask_have_their_own_readings(faces_served):
    codes = np.random.default_rng(0).standard_normal((3, faces_served.dims)).astype("<f4")
    size = len(decode(faces_served, codes[:1])) - 4
    found = decode_together(faces_served, [(codes[:1], True), (codes[1:2], False), (codes[2:], True)])
    assert len(found[1]) == 4 + size
    for i in (0, 2):
        alone = decode(faces_served, codes[i:i + 1], readings=True)
        assert len(found[i]) == len(alone) > 4 + size
        assert np.frombuffer(found[i][4 + size:], "<f4") == pytest.approx(np.frombuffer(alone[4 + size:], "<f4"), abs=0.05)


def test_what_goes_wrong_in_decoding_ends_those_who_asked_and_the_thread_goes_on(monkeypatch, model):
    workers, served = Workers(1), Served(model, "")
    wrong = workers.submit(served, Request.parse(request(1, np.zeros((1, DIMS - 1))), DIMS - 1))
    assert isinstance(wrong.exception(10), RuntimeError)
    assert workers.submit(served, Request.parse(request(2, np.zeros((1, DIMS))), DIMS)).result(10)


def test_a_thread_that_waits_keeps_no_model(model):
    workers, served = Workers(1), Served(copy.deepcopy(model), "")
    workers.submit(served, Request.parse(request(1, np.zeros((1, DIMS))), DIMS)).result(10)
    while len(workers._idle) < workers.count:
        time.sleep(0.001)
    kept = weakref.ref(served.model)
    del served
    gc.collect()
    assert kept() is None


def test_one_request_after_the_other_is_decoded_by_one_thread(monkeypatch, model):
    workers, served, threads = Workers(3), Served(model, ""), []

    def remembering(served, asked):
        threads.append(threading.get_ident())
        return [b""] * len(asked)

    monkeypatch.setattr("ui.live.decode_together", remembering)
    for ident in range(6):
        workers.submit(served, Request.parse(request(ident, np.zeros((1, DIMS))), DIMS)).result(10)
        while len(workers._idle) < workers.count:  # until each has nothing to do
            time.sleep(0.001)
    assert len(set(threads[1:])) == 1


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", None])
def test_a_page_of_another_site_is_refused(server, origin):
    with pytest.raises(InvalidStatus) as caught:
        connect(f"ws://127.0.0.1:{server}{PATH}", origin=origin)
    assert caught.value.response.status_code == 403


@pytest.mark.parametrize(("message", "code"), [
    (request(1, np.zeros((1, DIMS)))[:-1], 1007),
    (b"\x01\x02", 1007),
    (b"", 1007),
    (request(1, np.zeros((1, DIMS + 1))), 1007),
    (request(1, np.zeros((1, DIMS)), n=2), 1007),
    (request(1, np.zeros((0, DIMS))), 1007),
    (request(1, np.zeros((2, DIMS)), DRAG), 1007),
    (request(1, np.zeros((1, DIMS)), lane=9), 1007),
    (request(1, np.full((1, DIMS), np.nan)), 1007),
    (request(1, np.full((1, DIMS), np.inf)), 1007),
    (bytes(1_000_000), 1009),
    ("now in words", 1003),
])
def test_a_bad_message_closes_its_socket_and_no_other(server, message, code):
    with greeted(server) as (bystander, _), greeted(server) as (client, _):
        client.send(message)
        assert closed_with(client) == code
        bystander.send(request(5, np.zeros((1, DIMS))))
        assert HEADER.unpack_from(bystander.recv(timeout=10))[0] == 5


@pytest.mark.parametrize(("hello", "code"), [
    (json.dumps({"model": "no-such"}), 4404), (json.dumps({"model": "../../etc"}), 4404), (json.dumps({"model": 3}), 1007),
    (json.dumps(["faces-mumo"]), 1007), ("{", 1007), ("x" * 5000, 1009), (b"\0" * 16, 1003), ("[" * 500, 1007),
])
def test_a_bad_hello_is_refused(server, hello, code):
    with opened(server) as client:
        client.send(hello)
        assert closed_with(client) == code


def test_flooding_closes_the_socket_that_floods(server):
    message = request(1, np.zeros((1, DIMS)))
    with greeted(server) as (bystander, _), greeted(server) as (client, _):
        with suppress(ConnectionClosed):  # while it still sends, or only once all is under way
            for _ in range(int(BURST) * 20):
                client.send(message)
        assert closed_with(client) == 1008
        bystander.send(message)
        assert bystander.recv(timeout=10)


def test_a_bucket_allows_its_burst_and_then_its_rate():
    now = [0.0]
    bucket = Bucket(10, 5, clock=lambda: now[0])
    assert [bucket.take() for _ in range(6)] == [True] * 5 + [False]
    now[0] += 0.35
    assert [bucket.take() for _ in range(4)] == [True] * 3 + [False]
    now[0] += 100
    assert sum(bucket.take() for _ in range(20)) == 5


def test_only_so_many_sockets_are_open_and_leaving_makes_room(model):
    with running(lambda name: Served(model, "0" * 8), max_sockets=2) as port:
        with greeted(port):
            with greeted(port), opened(port) as third:
                assert closed_with(third) == 1013
            for _ in range(200):  # the server may notice a little later that the second one left
                try:
                    with greeted(port) as (_, hello):
                        assert hello["dims"] == DIMS
                        return
                except ConnectionClosed:
                    time.sleep(0.02)
    pytest.fail("the place of a socket that left was not given on")


def test_a_client_that_vanishes_can_come_back(server):
    with greeted(server) as (client, _):
        client.send(request(1, np.zeros((1, DIMS))))
        client.socket.shutdown(socket.SHUT_RDWR)
    with greeted(server) as (again, _):
        again.send(request(2, np.zeros((1, DIMS))))
        assert HEADER.unpack_from(again.recv(timeout=10))[0] == 2
