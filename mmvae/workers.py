"""Threads that the end of a program does not wait for."""

from __future__ import annotations

__all__ = ["Workers"]

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import Empty, SimpleQueue


class Workers(Executor):
    """An executor whose threads end with the program, whatever is still queued.

    Those of `concurrent.futures.ThreadPoolExecutor` are joined when the interpreter ends, after all that was queued is done:
    a program told to stop would first compute for minutes.

    Arguments:
        count: Threads, started as they are needed.
        name: That they are called by.
        begin: Called first in each of them.
    """

    def __init__(self, count: int, name: str, begin: Callable[[], object] | None = None) -> None:
        self.count, self.name, self.begin = count, name, begin
        self._queue: SimpleQueue[tuple[Future, Callable[[], object]] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._unfinished, self._closed = 0, False

    def submit(self, work: Callable, /, *arguments, **named) -> Future:
        """The future result of a call.

        Raises:
            RuntimeError: Where the workers were shut down.
        """
        future: Future = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError(f"the workers {self.name!r} were shut down")
            self._unfinished += 1
            self._queue.put((future, lambda: work(*arguments, **named)))
            if len(self._threads) < min(self.count, self._unfinished):
                self._threads.append(threading.Thread(target=self._run, name=f"{self.name}-{len(self._threads)}", daemon=True))
                self._threads[-1].start()
        return future

    def settle(self, seconds: float) -> bool:
        """Waits so long at most until nothing is queued or under way; whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._unfinished, seconds)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no more calls; the threads end after what is queued, or at once after what is under way."""
        with self._changed:
            self._closed = True
        if cancel_futures:
            self._cancel_queued()
        for _ in self._threads:
            self._queue.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _cancel_queued(self) -> None:
        while True:
            try:
                queued = self._queue.get_nowait()
            except Empty:
                return
            if queued is not None:
                queued[0].cancel()
                self._finished()

    def _run(self) -> None:
        if self.begin is not None:
            self.begin()
        while (queued := self._queue.get()) is not None:
            future, work = queued
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except BaseException as error:  # noqa: BLE001 - handed to whoever waits for the result
                    future.set_exception(error)
            self._finished()
            del queued, future, work  # what they hold must not stay until the next call

    def _finished(self) -> None:
        with self._changed:
            self._unfinished -= 1
            self._changed.notify_all()
