"""One process at a time trains a run, one run at a time trains on a device, and a process that is killed keeps neither."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmvae import turns

ROOT = Path(__file__).parents[1]


@pytest.fixture
def processes():
    """Python programs in processes of their own, ended after the test."""
    started = []

    def start(program: str, *arguments: object) -> subprocess.Popen:
        started.append(
            subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    "import sys, time; from pathlib import Path; from mmvae import turns\n" + program,
                    *map(str, arguments),
                ],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


HOLD = "with turns.held(Path(sys.argv[1]), 'training', 'cpu'): print('held', flush=True); time.sleep(600)"


def until(true, patience: float = 60.0) -> None:
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def test_a_run_that_another_process_holds_cannot_be_held(processes, run, monkeypatch):
    other = processes(HOLD, run)
    assert other.stdout.readline() == "held\n"
    assert turns.holder(run) | {"pid": other.pid, "doing": "training", "device": "cpu"} == turns.holder(run)
    monkeypatch.setattr(turns, "PATIENCE", 0.2)
    with pytest.raises(turns.Busy, match=f"by process {other.pid} already"), turns.held(run):
        pass


def test_a_holder_that_is_killed_holds_nothing_and_leaves_word(processes, run):
    other = processes(HOLD, run)
    other.stdout.readline()
    other.kill()
    other.wait()
    assert turns.holder(run) is None
    assert turns.left_behind(run)["pid"] == other.pid
    with turns.held(run):
        assert turns.holder(run)["doing"] == "training"
    assert turns.holder(run) is None and turns.left_behind(run) == {}


def test_holding_within_holding_only_says_anew_what_is_done(run):
    with turns.held(run, "waiting", "cpu"):
        with turns.held(run, "training"):
            assert turns.holder(run)["doing"] == "training"
        assert turns.holder(run) is not None
    assert turns.holder(run) is None


def test_looking_at_a_run_never_keeps_it_from_its_process(processes, run):
    other = processes("for _ in range(50):\n    with turns.held(Path(sys.argv[1])): pass\nprint('done')", run)
    while other.poll() is None:
        turns.holder(run)
    assert other.stdout.read() == "done\n"


def test_those_who_look_at_the_same_time_do_not_take_each_other_for_a_trainer(run):
    with turns.turn(run, "cpu"):
        pass

    def looks(_) -> int:
        return sum(turns.holder(run) is not None or turns.occupied(run.parent, "cpu") for _ in range(1000))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(looks, range(4))) == [0] * 4


def test_where_locks_cannot_be_shared_a_look_waits_for_another_to_end(run, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    exclusive = SimpleNamespace(LK_NBLCK=fcntl.LOCK_EX | fcntl.LOCK_NB, locking=lambda number, kind, _: fcntl.flock(number, kind))
    monkeypatch.setattr(turns, "msvcrt", exclusive, raising=False)
    monkeypatch.setattr(turns, "WINDOWS", True)
    with turns.held(run):
        assert turns.holder(run)["doing"] == "training"
    with open(run / turns.LOCK, "r+", encoding="utf-8") as other:
        assert turns.lock(other)
        ends = threading.Timer(0.01, other.close)
        ends.start()
        assert turns.holder(run) is None
        ends.join()


@pytest.mark.parametrize("then", ["says what it does", "lets go"])
def test_a_holder_that_says_nothing_for_a_moment_is_looked_at_again(run, then):
    with open(run / turns.LOCK, "a+", encoding="utf-8") as file:
        assert turns.lock(file)  # as a process that has not written yet, or has emptied the file to let go
        later = threading.Timer(0.1, file.close if then == "lets go" else lambda: turns.note(file, "training", "cpu"))
        later.start()
        said = turns.holder(run)
        later.join()
    assert said is None if then == "lets go" else said["doing"] == "training"


def test_runs_take_turns_in_the_order_of_asking(processes, tmp_path):
    program = (
        "run = Path(sys.argv[1])\nwith turns.turn(run, 'cpu') as mine:\n    with open(run.parent / 'order', 'a') as file:\n"
        "        file.write(f'{run.name} begins\\n'); file.flush(); time.sleep(0.3); file.write(f'{run.name} ends\\n')"
    )
    names = ["first", "second", "third"]
    for name in names:
        (tmp_path / name).mkdir()
    with turns.turn(tmp_path / "first", "cpu") as mine:
        assert mine
        waiting = []
        for name in names[1:]:
            waiting.append(processes(program, tmp_path / name))
            until(lambda: (turns.holder(tmp_path / name) or {}).get("doing") == "waiting")
        assert not (tmp_path / "order").exists()
    assert [process.wait(60) for process in waiting] == [0, 0]
    assert (tmp_path / "order").read_text().split("\n") == ["second begins", "second ends", "third begins", "third ends", ""]


def test_devices_do_not_wait_for_each_other(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    assert not turns.occupied(tmp_path, "cpu")
    with turns.turn(tmp_path / "a", "cpu") as first, turns.turn(tmp_path / "b", "cuda") as second:
        assert first and second
        assert turns.occupied(tmp_path, "cpu") and turns.occupied(tmp_path, "cuda")
    assert not turns.occupied(tmp_path, "cpu")


def test_a_waiting_run_that_is_asked_to_stop_gives_its_place_up(tmp_path, processes):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with turns.turn(tmp_path / "a", "cpu"):
        other = processes("with turns.turn(Path(sys.argv[1]), 'cpu') as mine: print(mine)", tmp_path / "b")
        until(lambda: turns.holder(tmp_path / "b"))
        turns.ask_to_stop(tmp_path / "b")
        assert other.communicate(timeout=60)[0] == "False\n"
    assert turns.holder(tmp_path / "b") is None and not turns.stop_asked(tmp_path / "b")


def test_a_wish_to_stop_that_a_killed_process_did_not_obey_is_forgotten(run, monkeypatch):
    turns.ask_to_stop(run)
    monkeypatch.setattr(turns, "_BEGAN", time.time() + 1)
    with turns.held(run):
        assert not turns.stop_asked(run)


def test_a_waiting_run_knows_what_it_waits_for(tmp_path):
    for name in ("trains", "elsewhere", "b-second", "a-third", "done"):
        (tmp_path / name).mkdir()
    turns.note(tmp_path / "done", "waiting", "cpu")  # left by a process that was killed
    with turns.held(tmp_path / "trains", "starting", "cpu"), turns.held(tmp_path / "elsewhere", "training", "cuda"):
        with turns.held(tmp_path / "trains"):  # as training itself says it
            with turns.held(tmp_path / "b-second", "waiting", "cpu"):
                time.sleep(0.01)
                with turns.held(tmp_path / "a-third", "waiting", "cpu"):
                    assert turns.ahead(tmp_path / "a-third") == ["trains", "b-second"]
                    assert turns.ahead(tmp_path / "b-second") == ["trains"]
