r"""The live path: a WebSocket that turns latent codes into pictures while a slider is dragged.

The first message is text, ``{"model": name}``, answered by text: the model's digest, its number of dimensions, the size of
its pictures and what its readings are. Every further message is binary, little-endian:

======== ============================================================================
request  ``uint32 id, uint8 lane, uint8 flags, uint16 n``, then n codes of D float32
reply    the same 8 bytes, ``float32 milliseconds``, then for each code the pixels of
         the first and of the second picture (uint8, height × width × channels), then,
         where flag `READINGS` was set, n × R float32 readings
======== ============================================================================

Lane `DRAG` holds one code and the newest request wins: one that was still waiting is dropped unanswered. Lane `STRIP`
holds up to `MAX_CODES` and is decoded only while no drag waits. In either lane a reply answers its request and every
earlier one. A client that breaks a rule is told in the closing code, and it alone is closed.

Drags of several people that wait for the same model are decoded together, which takes a half to a quarter of the time. The last bit
of a sum may then differ, and a pixel by one level: such a reply has flag `TOGETHER`, and a client at rest asks once more with flag
`ALONE`, so that a point's picture is the same to the byte wherever it is looked at.
"""

from __future__ import annotations

__all__ = ["ALONE", "BOUND", "DRAG", "EXPORT_PATH", "FILES_PATH", "FRONTEND", "MAX_CODES", "PATH", "READINGS", "STRIP", "TOGETHER", "Served", "Workers", "decode", "decode_together",
           "live_routes", "pixels", "routes", "serve"]

import asyncio
import hashlib
import json
import os
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import torch
from starlette.routing import BaseRoute, Mount, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect
from torch import Tensor

from mmvae.checkpoints import Checkpoint, CheckpointError, digest
from mmvae.explore import BOUND
from mmvae.model import MultimodalVAE
from mmvae.readers import Readers, readers_for

FRONTEND = Path(__file__).parent / "frontend"
PATH, EXPORT_PATH = "/live/socket", "/live/export"
#: Where the browser finds the panel's modules: a change of any of them is another address, so that none is stale. Any
#: version is answered, since a page may ask by one that was current before the files changed.
FILES = "/live/files"
FILES_PATH = f"{FILES}/" + hashlib.sha256(b"".join(file.read_bytes() for file in sorted(FRONTEND.glob("*.*")))).hexdigest()[:12]
HEADER = struct.Struct("<IBBH")
DRAG, STRIP = 0, 1
#: Flags of a request: with readings; not together with others. Of a reply: was decoded together with others.
READINGS, ALONE, TOGETHER = 1, 2, 4

#: Codes in one request of the strip lane, so that a drag never waits for more than one short batch.
MAX_CODES = 16
#: Open sockets of the whole server; each costs a few kilobytes while it is idle.
MAX_SOCKETS = 64
#: Requests a socket may send: a 144 Hz drag and strips at their pace stay well below.
RATE, BURST = 400.0, 800.0
HELLO_BYTES, HELLO_SECONDS = 512, 10.0
#: Requests that may wait in a lane; one more drops the oldest.
WAITING = {DRAG: 1, STRIP: 8}

# WebSocket closing codes (RFC 6455, and the private range for what it has no code for)
UNSUPPORTED, INVALID, POLICY, TOO_BIG, TRY_LATER, UNKNOWN_MODEL = 1003, 1007, 1008, 1009, 1013, 4404


class BadMessage(Exception):
    """A message that closes its socket: the closing code and one line."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


@dataclass(frozen=True)
class Served:
    """A model as the live path serves it.

    Arguments:
        model: In evaluation mode, on the CPU.
        digest: Of its weights.
        readers: What the pictures are read with, or None.
        readings: The meaning of a code's readings, in order: ``{"modality", "factor", "kind", "values", "unit", "size"}`` each, and
            under ``measured`` how well the factor is read of real pictures, as `Readers.accuracy` holds it; None where that is not known.
    """

    model: MultimodalVAE
    digest: str
    readers: Readers | None = None
    readings: tuple[dict, ...] = ()

    @property
    def dims(self) -> int:
        return sum(block.dim for block in self.model.blocks)

    def hello(self) -> dict:
        """The answer to a client's first message."""
        pictures = [{"modality": m.name, "shape": m.shape} for m in self.model.modalities]
        return {"digest": self.digest, "dims": self.dims, "pictures": pictures, "readings": self.readings,
                "bound": BOUND, "max_codes": MAX_CODES}


def serve(checkpoint: Checkpoint) -> Served:
    """A checkpoint as the live path serves it, with the factor readers of its data set where there are any."""
    readers = readers_for(checkpoint.model.dataset) if checkpoint.model.dataset else None
    return Served(checkpoint.model, digest(checkpoint.path), readers, _readings_of(checkpoint.model, readers) if readers else ())


def decode(served: Served, codes: np.ndarray, readings: bool = False) -> bytes:
    """The pictures of codes, float32 [n, D], as the bytes of a reply after its header; see the module."""
    return decode_together(served, [(codes, readings)])[0]


@torch.inference_mode()
def decode_together(served: Served, asked: Sequence[tuple[np.ndarray, bool]]) -> list[bytes]:
    """What `decode` gives for each of several (codes, readings), in one pass."""
    begin = time.perf_counter()
    model = served.model
    z = torch.from_numpy(np.concatenate([codes for codes, _ in asked])).split([block.dim for block in model.blocks], 1)
    images = model.decode({block.name: part for block, part in zip(model.blocks, z)})
    flat = np.concatenate([pixels(image).reshape(len(image), -1) for image in images.values()], 1)
    ends = np.cumsum([len(codes) for codes, _ in asked])
    of = [np.arange(end - len(codes), end) for end, (codes, _) in zip(ends, asked)]
    read = {}
    if served.readers and (wanted := [rows for rows, (_, readings) in zip(of, asked) if readings]):
        seen = _read(served, {name: image[np.concatenate(wanted)] for name, image in images.items()})
        read = dict(zip(np.concatenate(wanted).tolist(), seen))
    milliseconds = struct.pack("<f", 1e3 * (time.perf_counter() - begin))
    return [milliseconds + flat[rows].tobytes() + b"".join(read[row].tobytes() for row in rows.tolist() if readings and read)
            for rows, (_, readings) in zip(of, asked)]


def pixels(images: Tensor) -> np.ndarray:
    """Images [N, C, H, W] in [0, 1] as bytes [N, H, W, C]."""
    return (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


class Bucket:
    """A token bucket: `rate` requests a second on average, `burst` at once."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self._clock = rate, burst, clock
        self._tokens, self._last = burst, clock()

    def take(self) -> bool:
        """Whether one more request is within the limits."""
        now = self._clock()
        self._tokens = min(self.burst, self._tokens + (now - self._last) * self.rate)
        self._last = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass(frozen=True, eq=False)
class Request:
    """A message of the client, checked; its codes are float32 [n, D]."""

    ident: int
    lane: int
    flags: int
    codes: np.ndarray

    @property
    def sociable(self) -> bool:
        """Whether it may be decoded together with others."""
        return self.lane == DRAG and not self.flags & ALONE

    def reply_header(self, together: bool) -> bytes:
        return HEADER.pack(self.ident, self.lane, self.flags & READINGS | (TOGETHER if together else 0), len(self.codes))

    @classmethod
    def parse(cls, message: bytes, dims: int) -> Request:
        """The request in a message, its values clamped to ±`BOUND`.

        Raises:
            BadMessage: Where it is none.
        """
        if len(message) > HEADER.size + 4 * dims * MAX_CODES:
            raise BadMessage(TOO_BIG, f"a message of {len(message)} bytes; at most {MAX_CODES} codes fit")
        if len(message) < HEADER.size:
            raise BadMessage(INVALID, f"a message of {len(message)} bytes; the header alone has {HEADER.size}")
        ident, lane, flags, n = HEADER.unpack_from(message)
        if lane not in WAITING or not 1 <= n <= (1 if lane == DRAG else MAX_CODES):
            raise BadMessage(INVALID, f"lane {lane} with {n} codes")
        if len(message) != HEADER.size + 4 * dims * n:
            raise BadMessage(INVALID, f"{len(message)} bytes for {n} codes of {dims} dimensions")
        codes = np.frombuffer(message, "<f4", offset=HEADER.size).astype(np.float32).reshape(n, dims)
        if not np.isfinite(codes).all():
            raise BadMessage(INVALID, "a code with values that are not finite")
        return cls(ident, lane, flags, codes.clip(-BOUND, BOUND))


class Workers:
    """Threads that decode: drags before strips, the oldest first, and with it the other drags that wait for the same model.

    Arguments:
        count: Number of threads, each of which computes alone: one picture is too little work to share.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._waiting: dict[int, deque[tuple[Served, Request, Future]]] = {lane: deque() for lane in WAITING}
        self._lock, self._started = threading.Lock(), False
        self._idle: list[threading.Event] = []  # the one that worked last is woken first: its processor still holds the weights

    def submit(self, served: Served, request: Request) -> Future:
        """The future reply to a request, a message's bytes."""
        future: Future = Future()
        with self._lock:
            if not self._started:
                for i in range(self.count):
                    threading.Thread(target=self._work, name=f"live-decoder-{i}", daemon=True).start()
                self._started = True
            self._waiting[request.lane].append((served, request, future))
            if self._idle:
                self._idle.pop().set()
        return future

    def _work(self) -> None:
        torch.set_num_threads(1)
        wake = threading.Event()
        while True:
            with self._lock:
                wake.clear()
                taken = self._take()
                if not taken:
                    self._idle.append(wake)
            if not taken:
                wake.wait()
                continue
            taken = [(served, request, future) for served, request, future in taken if future.set_running_or_notify_cancel()]
            if not taken:
                continue
            self._answer(taken)
            del taken  # a model that nobody has open any more must not stay with an idle thread

    @staticmethod
    def _answer(taken: Sequence[tuple[Served, Request, Future]]) -> None:
        """Decodes requests of one model together, and gives each its reply."""
        try:
            found = decode_together(taken[0][0], [(request.codes, bool(request.flags & READINGS)) for _, request, _ in taken])
        except Exception as error:  # noqa: BLE001 - handed to the waiting sessions, which end with it
            for _, _, future in taken:
                future.set_exception(error)
            return
        for (_, request, future), reply in zip(taken, found):
            future.set_result(request.reply_header(together=len(taken) > 1) + reply)

    def _take(self) -> list[tuple[Served, Request, Future]]:
        """The next request of the first lane that has one, and what may be decoded with it; nothing where none waits."""
        waiting = next((lane for _, lane in sorted(self._waiting.items()) if lane), None)
        if waiting is None:
            return []
        first = waiting.popleft()
        if not first[1].sociable:
            return [first]
        alike = [other for other in waiting if other[0].model is first[0].model and other[1].sociable][:MAX_CODES - 1]
        for other in alike:
            waiting.remove(other)
        return [first, *alike]


class Session:
    """One open socket after its hello: reads requests, and answers each lane in turn."""

    def __init__(self, socket: WebSocket, served: Served, workers: Workers) -> None:
        self.socket, self.served, self.workers = socket, served, workers
        self.lanes = {lane: deque(maxlen=size) for lane, size in WAITING.items()}
        self.wake = {lane: asyncio.Event() for lane in WAITING}

    async def run(self) -> None:
        """Serves until the client leaves; a BadMessage says why it must go."""
        tasks = [asyncio.create_task(work) for work in (self._read(), self._answer(DRAG), self._answer(STRIP))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self) -> None:
        bucket = Bucket(RATE, BURST)
        while True:
            message = await self.socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("bytes") is None:
                raise BadMessage(UNSUPPORTED, "text after the hello; requests are binary")
            if not bucket.take():
                raise BadMessage(POLICY, f"more than {RATE:.0f} requests a second")
            request = Request.parse(message["bytes"], self.served.dims)
            self.lanes[request.lane].append(request)
            self.wake[request.lane].set()

    async def _answer(self, lane: int) -> None:
        waiting, wake = self.lanes[lane], self.wake[lane]
        while True:
            while not waiting:
                wake.clear()
                await wake.wait()
            request = waiting.popleft()
            await self.socket.send_bytes(await asyncio.wrap_future(self.workers.submit(self.served, request)))


def same_origin(socket: WebSocket) -> bool:
    """Whether the page that opened the socket came from this very host: other sites' scripts may open sockets too."""
    origin, host = socket.headers.get("origin"), socket.headers.get("host")
    return bool(origin and host) and urlsplit(origin).netloc.lower() == host.lower()


def live_routes(open_model: Callable[[str], Served], workers: Workers | None = None, max_sockets: int = MAX_SOCKETS) -> list[BaseRoute]:
    """The routes of the live path.

    Arguments:
        open_model: A model by name; raises a CheckpointError for one that cannot be served. Called in a thread.
        workers: Who decodes; default: a thread for each processor, two to eight.
        max_sockets: Sockets open at once.
    """
    workers = workers or Workers(min(8, max(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2)))
    open_sockets: set[WebSocket] = set()

    async def live(socket: WebSocket) -> None:
        if not same_origin(socket):
            await socket.close(POLICY)  # before it is accepted: the browser sees 403
            return
        await socket.accept()
        if len(open_sockets) >= max_sockets:
            await socket.close(TRY_LATER, f"{max_sockets} sockets are open")
            return
        open_sockets.add(socket)
        try:
            served = await _hello(socket, open_model)
            await socket.send_text(json.dumps(served.hello()))
            await Session(socket, served, workers).run()
        except BadMessage as error:
            await _close(socket, error.code, error.reason)
        except WebSocketDisconnect:
            pass
        finally:
            open_sockets.discard(socket)

    return [WebSocketRoute(PATH, live), Mount(FILES + "/{version}", StaticFiles(directory=FRONTEND))]


async def _hello(socket: WebSocket, open_model: Callable[[str], Served]) -> Served:
    """The model that the client's first message names."""
    try:
        async with asyncio.timeout(HELLO_SECONDS):
            message = await socket.receive()
    except TimeoutError:
        raise BadMessage(POLICY, "no hello") from None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect
    text = message.get("text")
    if text is None:
        raise BadMessage(UNSUPPORTED, "the first message is text")
    if len(text) > HELLO_BYTES:
        raise BadMessage(TOO_BIG, f"a hello of more than {HELLO_BYTES} characters")
    try:
        name = json.loads(text)["model"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadMessage(INVALID, 'expected {"model": name}') from None
    if not isinstance(name, str):
        raise BadMessage(INVALID, "a model's name is text")
    try:
        return await asyncio.to_thread(open_model, name)
    except CheckpointError as error:
        raise BadMessage(UNKNOWN_MODEL, str(error)) from None


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    try:
        await socket.close(code, reason.encode()[:120].decode(errors="ignore"))  # a closing frame holds 123 bytes
    except RuntimeError:
        pass  # the client was quicker


def _readings_of(model: MultimodalVAE, readers: Readers) -> tuple[dict, ...]:
    """What `Served.readings` holds: each modality's factors, in order."""
    return tuple({"modality": m.name, "factor": f.name, "kind": f.kind, "values": f.values, "unit": f.unit, "owner": f.owner, "neutral": f.neutral,
                  "measured": readers.accuracy.get(m.name, {}).get(f.name), "size": len(f.values) if f.kind == "categorical" else 1}
                 for m in model.modalities if m.name in readers.networks for f in readers.networks[m.name].factors)


def _read(served: Served, images: dict[str, Tensor]) -> np.ndarray:
    """The readings of pictures, float32 [n, R], in the order of `Served.readings`: probabilities, or a value in its unit."""
    read = served.readers.read(images)
    columns = []
    for entry in served.readings:
        reading = read[entry["modality"]][entry["factor"]]
        columns.append(reading.value[:, None] if reading.probabilities is None else reading.probabilities)
    return torch.cat(columns, 1).float().numpy()


def _open(name: str) -> Served:
    from .models import checkpoint

    return serve(checkpoint(name))


routes: list[BaseRoute] = live_routes(_open)
