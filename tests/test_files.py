"""What is written is there whole or not at all, with the mode that the person's umask asks for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmvae import files
from mmvae.embedding import PCA, embed
from mmvae.embedding_export import write_csv
from mmvae.files import mark_used, opened_atomically, write_atomically


def write_half(temporary: str) -> None:
    Path(temporary).write_text("half")
    raise OSError("disk full")


def open_half(file: Path) -> None:
    with opened_atomically(file, "w", encoding="utf-8") as stream:
        stream.write("half")
        raise OSError("disk full")


@pytest.mark.parametrize("fail", [lambda file: write_atomically(file, write_half), open_half], ids=["by name", "open"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, fail):
    file = tmp_path / "a.txt"
    file.write_text("kept")
    with pytest.raises(OSError, match="disk full"):
        fail(file)
    assert file.read_text() == "kept" and list(tmp_path.iterdir()) == [file]


def test_an_interrupted_write_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), opened_atomically(tmp_path / "a.txt") as stream:
        stream.write(b"half")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_nobody_sees_the_file_before_it_is_whole(tmp_path):
    with opened_atomically(tmp_path / "a.txt") as stream:
        stream.write(b"all")
        stream.flush()
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_bytes() == b"all"


@pytest.mark.skipif(os.name == "nt", reason="no modes there")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_has_the_mode_that_any_other_has(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "named", lambda temporary: Path(temporary).write_text("x"))
        embed(np.eye(5), PCA()).save(tmp_path / "map.npz")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {mode}


def held(monkeypatch, times: int) -> None:
    """Has the next replacements of a file refused, as on Windows while somebody reads it."""
    refusals, replace = iter([PermissionError(13, "held")] * times), os.replace

    def answer(source, target):
        for error in refusals:
            raise error
        replace(source, target)

    monkeypatch.setattr(files, "PAUSE", 0.01)
    monkeypatch.setattr(files.os, "replace", answer)


def test_where_a_reader_holds_the_file_it_is_tried_again_on_windows_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "WINDOWS", True)
    held(monkeypatch, 3)
    write_atomically(tmp_path / "a", lambda temporary: Path(temporary).write_text("new"))
    assert (tmp_path / "a").read_text() == "new"
    monkeypatch.setattr(files, "WINDOWS", False)
    held(monkeypatch, 1)
    with pytest.raises(PermissionError):
        write_atomically(tmp_path / "a", lambda temporary: Path(temporary).write_text("newer"))
    assert (tmp_path / "a").read_text() == "new" and len(list(tmp_path.iterdir())) == 1


def test_who_holds_a_file_for_good_is_waited_for_no_longer_than_said(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "WINDOWS", True)
    monkeypatch.setattr(files, "PATIENCE", 0.05)
    held(monkeypatch, 10_000)
    with pytest.raises(PermissionError):
        write_atomically(tmp_path / "a", lambda temporary: Path(temporary).write_text("new"))
    assert not list(tmp_path.iterdir())


def test_a_table_that_breaks_off_leaves_the_one_before(tmp_path):
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    file = tmp_path / "map.csv"
    write_csv(file, [1, 2], np.zeros((2, 2)), {"name": ["a", "b"]})
    before = file.read_text()
    with pytest.raises(RuntimeError, match="no text"):
        write_csv(file, [1, 2], np.ones((2, 2)), {"name": np.array(["a", Broken()], object)})
    assert file.read_text() == before and list(tmp_path.iterdir()) == [file]


def test_a_file_that_went_cannot_be_marked_and_nobody_minds(tmp_path):
    mark_used(tmp_path / "gone")
    assert not list(tmp_path.iterdir())


def test_torch_is_not_needed():
    subprocess.run([sys.executable, "-c", "import sys, mmvae.files; assert 'torch' not in sys.modules"], cwd=Path(__file__).parents[1], check=True)
