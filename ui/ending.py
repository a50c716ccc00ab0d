"""The server's end: who waits for an answer that takes a while is told at once, instead of the server waiting for it."""

from __future__ import annotations

__all__ = ["or_ended", "watched"]

import asyncio
import signal
import threading
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from types import FrameType

from starlette.responses import PlainTextResponse, Response

_waiting: set[asyncio.Future] = set()


async def or_ended(answer: Awaitable[Response]) -> Response:
    """The answer; 503 where the server is told to end before it is there."""
    awaited = asyncio.ensure_future(answer)
    _waiting.add(awaited)
    try:
        return await awaited
    except asyncio.CancelledError:
        if awaited in _waiting:  # it was another who cancelled it
            raise
        return PlainTextResponse("The server was told to end.", 503)
    finally:
        _waiting.discard(awaited)


@contextmanager
def watched() -> Iterator[None]:
    """Within it, Ctrl-C and SIGTERM end what is waited for; then the server's own handlers have them, which wait for open answers."""
    if threading.current_thread() is not threading.main_thread():  # signals are another's business
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: handler for number in (signal.SIGINT, signal.SIGTERM) if callable(handler := signal.getsignal(number))}

    def told(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(_end)
        before[number](number, frame)

    for number in before:
        signal.signal(number, told)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end() -> None:
    while _waiting:
        _waiting.pop().cancel()
