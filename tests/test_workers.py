"""Threads that keep nobody waiting: a program ends though work is queued."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError, wait
from pathlib import Path

import pytest

from mmvae.workers import Workers

ROOT = Path(__file__).parents[1]


def test_a_program_ends_at_once_though_work_is_under_way_and_more_is_queued():
    program = "import time; from mmvae.workers import Workers; w = Workers(2, 'slow'); [w.submit(time.sleep, 60) for _ in range(4)]"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=30)


def test_as_many_work_at_a_time_as_there_are_threads_and_each_begins_as_asked():
    together, begun = threading.Barrier(3), []
    pool = Workers(3, "three", lambda: begun.append(threading.current_thread().name))
    for future in [pool.submit(together.wait, 30) for _ in range(6)]:
        future.result(30)
    assert sorted(begun) == ["three-0", "three-1", "three-2"]
    pool.shutdown()


def test_results_and_errors_reach_who_asked():
    with Workers(1, "one") as pool:
        assert pool.submit(divmod, 7, 2).result(10) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 7, 0).result(10)
        assert pool.submit(sorted, [1, 2], reverse=True).result(10) == [2, 1]
    with pytest.raises(RuntimeError, match="'one' were shut down"):
        pool.submit(print)


def test_what_is_queued_is_cancelled_where_asked_and_done_where_not():
    for cancelled in (True, False):
        pool, go_on = Workers(1, "one"), threading.Event()
        first, second = pool.submit(go_on.wait, 30), pool.submit(int)
        while not first.running():
            time.sleep(0.001)
        pool.shutdown(wait=False, cancel_futures=cancelled)
        go_on.set()
        assert first.result(10)
        if cancelled:
            with pytest.raises(CancelledError):
                second.result(10)
        else:
            assert second.result(10) == 0
        assert pool.settle(10)


def test_settling_tells_whether_all_is_done():
    pool, go_on = Workers(1, "one"), threading.Event()
    futures = [pool.submit(go_on.wait, 30), pool.submit(int)]
    assert not pool.settle(0.05)
    go_on.set()
    assert pool.settle(10)
    assert not wait(futures, 0).not_done
    pool.shutdown()
