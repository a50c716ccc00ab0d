"""Data sets that are brought in behind a page: which begin by themselves, and what a person is told."""

import threading

import pytest
from streamlit.testing.v1 import AppTest

from mmvae.data import DataError
from ui import datasets
from ui.datasets import Way


@pytest.fixture
def offered(tmp_path, monkeypatch):
    """Offers ways on a page of its own: ``offered(name=way, …)``."""
    monkeypatch.setenv("MMVAE_DATA", str(tmp_path))
    monkeypatch.setattr(datasets, "_preparations", {})

    def begin(**ways: Way) -> AppTest:
        monkeypatch.setattr(datasets, "WAYS", ways)
        page = AppTest.from_function(page_of, kwargs={"names": list(ways)}).run()
        assert not page.exception
        return page

    return begin


def page_of(names):
    from ui import datasets

    for name in names:
        datasets.offer(name)


def way(run, local=True) -> Way:
    return Way("Bring it", "Bringing: {done:.0f} of {total:.0f}", 1, local, run)


def finished() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("prepare "):
            thread.join(10)


def test_what_is_drawn_here_begins_by_itself(offered, tmp_path):
    roots = []
    offered(heads=way(lambda root, progress: roots.append(root)))
    finished()
    assert roots == [tmp_path]


def test_a_download_waits_until_it_is_asked_for(offered):
    called = []
    page = offered(photos=way(lambda root, progress: called.append(root), local=False))
    finished()
    assert not called
    page.button(key="prepare-photos").click().run()
    finished()
    assert len(called) == 1


def test_a_failure_is_said_in_one_line_and_tried_again_only_when_asked(offered):
    tries = []

    def fail(root, progress):
        tries.append(root)
        raise DataError("no room on the disk")

    page = offered(heads=way(fail))
    finished()
    page.run()
    page.run()
    assert [error.value for error in page.error] == ["no room on the disk"] and len(tries) == 1
    page.button(key="prepare-heads").click().run()
    finished()
    assert len(tries) == 2


def test_one_is_drawn_at_a_time_and_the_other_waits_for_its_turn(offered):
    begun, go = [], threading.Event()

    def draw(root, progress):
        begun.append(root)
        progress(1, 4)
        go.wait(10)

    offered(heads=way(draw), digits=way(draw))
    try:
        assert len(begun) == 1
    finally:
        go.set()
        finished()
    assert len(begun) == 2


def test_nothing_waits_for_a_download(offered):
    begun, go = [], threading.Event()
    page = offered(photos=way(lambda root, progress: begun.append("photos") or go.wait(10), local=False), heads=way(lambda root, progress: begun.append("heads")))
    page.button(key="prepare-photos").click().run()
    try:
        datasets.start("heads")  # again, while the download goes on
        for thread in threading.enumerate():
            if thread.name == "prepare heads":
                thread.join(5)
        assert begun.count("heads") == 2 and not datasets._preparations["heads"].running
    finally:
        go.set()
        finished()
