"""A run is what its folder says: these tests write folders and start processes, and look at what is said of them."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import TinyPairs, tiny_model

from mmvae import cli, runs, turns
from mmvae.checkpoints import WEIGHTS, CheckpointError, home_folder, open_checkpoint
from mmvae.data import data_root
from mmvae.presets import Settings
from mmvae.runs import Plan, RunError
from mmvae.training import STATE, start, thinned, train

SETTINGS = Settings(steps=6, batch_size=4, warmup=2, snapshot=2, device="cpu", precision="float32", augment=False)


@pytest.fixture
def home(tmp_path):
    (tmp_path / "runs").mkdir()
    return tmp_path


def configured(home, name: str = "mine", settings: Settings = SETTINGS):
    folder = home / "runs" / name
    start(folder, tiny_model("mmpoe-v2"), settings)
    return folder


def told(folder, *lines: dict) -> None:
    with open(folder / "events.jsonl", "a", encoding="utf-8") as file:
        file.writelines(json.dumps({"step": 3, "steps": 6, "seconds": 1.5, **line}) + "\n" for line in lines)


# ---- what a folder says


def test_a_run_tells_its_numbers(home):
    folder = configured(home)
    train(folder, TinyPairs())
    (run,) = runs.runs(home)
    validations = [event["total"] for event in runs.events(folder) if event["event"] == "validation"]
    assert (run.name, run.state, run.variant, run.step, run.steps, run.openable) == ("mine", "finished", "mmpoe-v2", 6, 6, True)
    assert run.validation == validations[-1] and run.loss > 0 and run.pairs_per_second > 0 and run.seconds_left is None
    assert list(runs.snapshots(folder)) == [0, 2, 4, 6]
    for weights in runs.snapshots(folder).values():
        open_checkpoint(folder, weights=weights)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], "new"),
        ([{"event": "finished"}], "finished"),
        ([{"event": "step"}, {"event": "stopped"}], "stopped"),
        ([{"event": "step"}], "elsewhere"),
    ],
)
def test_without_a_process_the_last_event_decides(home, events, state):
    folder = configured(home)
    told(folder, *events)
    assert runs.run_named("mine", home).state == state


def test_a_number_of_steps_that_is_none_is_not_read_from_a_command(home):
    folder = configured(home)
    told(folder, {"event": "step"})
    (folder / runs.LAUNCH).write_text(json.dumps({"arguments": ["train", "--out", str(folder), "--resume", "--steps", "²"]}))
    with turns.held(folder):
        assert runs.run_named("mine", home).steps == 6


def test_a_run_without_a_lock_that_fell_silent_has_died(home):
    folder = configured(home)
    told(folder, {"event": "step"})
    os.utime(folder / "events.jsonl", (time.time() - 3600,) * 2)
    assert runs.run_named("mine", home).state == "died"


def test_a_lock_that_nobody_holds_but_that_says_something_means_death(home):
    folder = configured(home)
    told(folder, {"event": "finished"})
    turns.note(folder, "training")
    assert runs.run_named("mine", home).state == "died"


def test_a_process_just_spawned_is_starting_until_it_should_have_come(home, monkeypatch):
    folder = configured(home)
    turns.note(folder, "spawned")
    assert runs.run_named("mine", home).state == "starting"
    monkeypatch.setattr(runs, "SPAWNED", -1.0)
    assert runs.run_named("mine", home).state == "died"


def test_a_held_run_is_training_and_stopping_once_asked(home):
    folder = configured(home)
    with turns.held(folder, "training", "cpu"):
        assert runs.run_named("mine", home).state == "training"
        runs.stop(runs.run_named("mine", home))
        assert runs.run_named("mine", home).state == "stopping"


def test_a_diverged_run_says_why(home):
    folder = configured(home)
    told(folder, {"event": "diverged", "message": "step 3: the loss is not finite"})
    turns.note(folder, "training")
    assert runs.run_named("mine", home).message == "step 3: the loss is not finite"


def test_lines_that_are_no_events_are_left_out(home):
    folder = configured(home)
    told(
        folder, {"event": "step", "total": 5.0}, {"event": "step", "step": "x"}, {"event": 3}, {"event": "step", "seconds": None}
    )
    with open(folder / "events.jsonl", "ab") as file:
        file.write(b"[1, 2]\n\xff\xfe\n" + b"[" * 20_000 + b'\n{"event": "step", "step": 9')
    assert [event.get("total") for event in runs.events(folder)] == [5.0]
    assert runs.run_named("mine", home).step == 3


def test_a_run_says_what_would_train_it_anew(home):
    configured(home, settings=replace(SETTINGS, learning_rate=3e-4, seed=5))
    plan = runs.run_named("mine", home).plan
    assert plan.settings == replace(SETTINGS, learning_rate=3e-4, seed=5)
    assert (plan.variant, plan.private, plan.shared) == ("mmpoe-v2", (2, 3), 4)


def test_every_run_that_is_listed_opens_whatever_its_folder_is_named(home):
    for name in ("_begun", "my pairs-dmvae", "x" * 64):
        configured(home, name)
    assert [runs.run_named(run.name, home) == run for run in runs.runs(home)] == [True] * 3


def test_a_link_to_no_run_is_refused(home):
    (home / "runs" / "empty").mkdir()
    for name in ("absent", "empty", "../runs", "", ".hidden"):
        with pytest.raises(RunError, match="no run"):
            runs.run_named(name, home)


# ---- names, renaming, removing


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "-x", "x" * 61, "a b", "mine", "a.", "CON", "nul.old", "lpt1"])
def test_a_name_that_cannot_be_is_refused_in_one_line(home, name):
    configured(home)
    with pytest.raises(RunError, match="cannot be a name|named mine already") as error:
        runs.check_name(name, home)
    assert "\n" not in str(error.value)


def test_a_free_name_is_free_and_alike(home):
    configured(home)
    assert runs.free_name("mine", home) == "mine-2"
    for stem in ("../my set!", "aux", "a."):
        runs.check_name(runs.free_name(stem, home), home)


def test_a_plan_says_every_setting_on_its_command_line(home, monkeypatch):
    """No value is a default, so that one left out would come back as another."""
    settings = Settings(77, 9, 1.23456789e-3, 8, 3.5, 6, False, "cpu", "bfloat16", 5, "soap", 1, 4.0)
    plan = Plan("dmvae", "digits", settings, (1, 2), 3, decoders="fine", likelihoods=("laplace", "gaussian"), weights=(2.0, 0.5))
    assert not any(getattr(settings, name) == value for name, value in vars(Settings()).items())
    monkeypatch.setattr(cli, "dataset", lambda *_: None)
    assert cli._started(cli._parser().parse_args(plan.arguments(home / "runs" / "mine")))[0] == home / "runs" / "mine"
    assert runs.run_named("mine", home).plan == plan


def test_a_plan_to_train_on_names_the_trained_model_instead_of_a_variant(home, monkeypatch):
    monkeypatch.setattr(cli, "_data_of", lambda *_: TinyPairs())
    train(configured(home, "origin"), TinyPairs())
    plan = replace(runs.run_named("origin", home).plan, began_with=str(home / "runs" / "origin"), settings=replace(SETTINGS, steps=7))
    cli._started(cli._parser().parse_args(plan.arguments(home / "runs" / "on")))
    on = runs.run_named("on", home)
    assert (on.began_with, on.plan) == ("origin", replace(plan, began_with="origin", dataset=TinyPairs.name))
    train(on.path, TinyPairs())
    name = runs.unpack(runs.pack(on), "on.zip", home / "there")
    there = runs.run_named(name, home / "there").path
    (there / STATE).unlink()
    train(there, TinyPairs())  # it has the weights to begin with
    assert (there / WEIGHTS).read_bytes() == (on.path / WEIGHTS).read_bytes()


def test_a_plan_to_fit_decoders_names_the_trained_model_instead_of_a_variant(home, monkeypatch):
    monkeypatch.setattr(cli, "_data_of", lambda *_: TinyPairs())
    train(configured(home, "origin"), TinyPairs())
    plan = replace(runs.run_named("origin", home).plan, encoders=str(home / "runs" / "origin"), settings=replace(SETTINGS, steps=7))
    cli._started(cli._parser().parse_args(plan.arguments(home / "runs" / "fitted")))
    fitted = runs.run_named("fitted", home)
    assert (fitted.encoders, fitted.plan) == ("origin", replace(plan, encoders="origin", dataset=TinyPairs.name))
    train(fitted.path, TinyPairs())
    name = runs.unpack(runs.pack(fitted), "fitted.zip", home / "there")
    train(runs.run_named(name, home / "there").path, TinyPairs(), until=8)  # it has the encoders with it


def test_a_run_is_alike_where_a_step_costs_the_same(home):
    folder = configured(home)
    told(folder, {"event": "started", "device": "cpu"}, {"event": "finished"})
    plan = runs.run_named("mine", home).plan
    longer = replace(plan, settings=replace(plan.settings, steps=999, seed=7, learning_rate=0.1))
    assert runs.last_alike(longer, home).name == "mine"
    for field, value in {"batch_size": 64, "optimizer": "soap", "device": "cuda", "precision": "bfloat16"}.items():
        assert runs.last_alike(replace(plan, settings=replace(plan.settings, **{field: value})), home) is None
    for other in (replace(plan, shared=9), replace(plan, private=(9, 9)), replace(plan, variant="dmvae"), replace(plan, dataset="x")):
        assert runs.last_alike(other, home) is None


def test_a_run_is_renamed_and_deleted_with_all_it_holds(home):
    configured(home)
    runs.rename(runs.run_named("mine", home), "yours")
    assert [run.name for run in runs.runs(home)] == ["yours"]
    runs.delete(runs.run_named("yours", home))
    assert list((home / "runs").iterdir()) == []


def test_of_a_run_that_is_a_link_the_link_alone_is_deleted(home):
    elsewhere = configured(home, "mine").rename(home / "elsewhere")
    (home / "runs" / "mine").symlink_to(elsewhere)
    runs.delete(runs.run_named("mine", home))
    assert list((home / "runs").iterdir()) == [] and (elsewhere / "config.json").is_file()


def test_a_run_that_is_worked_on_is_neither_renamed_nor_deleted_nor_resumed(home):
    folder = configured(home)
    run = runs.run_named("mine", home)
    with turns.held(folder):
        for action in (lambda: runs.rename(run, "yours"), lambda: runs.delete(run), lambda: runs.resume(run)):
            with pytest.raises(RunError, match="before that ends"):
                action()
    assert folder.is_dir()


def test_snapshots_kept_are_few_and_hold_both_ends():
    for last in (1, 40, 41, 500):
        kept = thinned(range(last + 1), 40)
        assert len(kept) == min(40, last + 1) and (kept[0], kept[-1]) == (0, last)
    kept: list[int] = []
    for step in range(0, 100_000, 100):
        kept = thinned([*kept, step], 40)
    ratios = [(b + 1) / (a + 1) for a, b in zip(kept[2:], kept[3:])]
    assert len(kept) == 40 and max(ratios) < 2.1  # spread all along, not crowded at either end


# ---- processes


@pytest.fixture
def plan(tmp_path):
    """A person's own small pairs, and settings that take as long as one lets them."""
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "pairs.npz",
        left=rng.integers(0, 255, (60, 28, 28), dtype=np.uint8),
        right=rng.integers(0, 255, (60, 28, 28), dtype=np.uint8),
    )
    return Plan("joint-poe", str(tmp_path / "pairs.npz"), replace(SETTINGS, steps=100_000, snapshot=3), shared=3)


@pytest.fixture
def processes(home, monkeypatch):
    """Runs at hardly lower priority than the test, so that a busy machine does not starve them; ends what a test left running."""
    monkeypatch.setattr(runs, "NICE", 1)
    yield
    for run in runs.runs(home):
        said = turns.holder(run.path)
        if said and said.get("pid"):
            os.kill(said["pid"], signal.SIGKILL)


def until(home, name: str, true, patience: float = 240.0):
    deadline = time.monotonic() + patience
    while not true(run := runs.run_named(name, home)):
        assert time.monotonic() < deadline, f"{run.state} at step {run.step}: {runs.log_tail(run.path)}"
        time.sleep(0.1)
    return run


def test_a_run_is_started_queued_stopped_killed_and_resumed(home, plan, processes):
    runs.begin("first", plan, home)
    until(home, "first", lambda run: run.state == "training" and run.openable)
    runs.begin("second", plan, home)
    until(home, "second", lambda run: run.state == "waiting")
    pid = turns.holder(home / "runs" / "first")["pid"]
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + runs.NICE)

    os.kill(pid, signal.SIGKILL)
    died = until(home, "first", lambda run: run.state == "died")
    assert died.step >= 3 and died.openable
    until(home, "second", lambda run: run.state == "training")  # its turn has come

    runs.resume(died, steps=died.step + 4)
    until(home, "first", lambda run: run.state == "waiting")
    runs.stop(runs.run_named("second", home))
    assert until(home, "second", lambda run: not run.live).state in ("stopped", "new")
    finished = until(home, "first", lambda run: not run.live)
    assert (finished.state, finished.step) == ("finished", died.step + 4)
    assert "resumed" in [event["event"] for event in runs.events(finished.path)]
    assert runs.log_tail(finished.path, 1000).count("$ python -m mmvae train") == 2


def test_a_process_that_is_long_in_coming_is_starting_for_as_long_as_it_lives(home, plan, monkeypatch):
    monkeypatch.setattr(runs, "SPAWNED", -1.0)
    slow = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)  # stands for one that a busy machine starves
    monkeypatch.setattr(runs, "spawn", lambda *arguments, **streams: slow)
    try:
        runs.begin("slow", plan, home)
        assert runs.run_named("slow", home).state == "starting"
    finally:
        slow.kill()
    died = until(home, "slow", lambda run: not run.live)
    assert (died.state, died.step, died.steps) == ("died", 0, plan.settings.steps)


def test_a_run_whose_process_cannot_be_started_leaves_nothing(home, plan, monkeypatch):
    configured(home)
    monkeypatch.setattr(runs.sys, "executable", str(home / "absent"))
    with pytest.raises(OSError):
        runs.begin("first", plan, home)
    with pytest.raises(OSError):
        runs.resume(runs.run_named("mine", home))
    assert [(run.name, run.live) for run in runs.runs(home)] == [("mine", False)]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such priorities")
@pytest.mark.parametrize("error", [ProcessLookupError, PermissionError])
def test_a_process_that_ends_before_its_priority_is_set_leaves_its_run_with_the_log(home, plan, monkeypatch, error):
    def gone(*_) -> None:
        raise error

    monkeypatch.setattr(runs.os, "setpriority", gone)
    monkeypatch.setattr(runs.sys, "executable", "false")
    runs.begin("short", plan, home)
    run = until(home, "short", lambda run: not run.live)
    assert runs.log_tail(run.path, 1).startswith("$ python -m mmvae train")


@pytest.fixture
def spawned(monkeypatch):
    """What `subprocess.Popen` is called with instead of starting a process."""
    asked = {}

    def started(_, **options):
        asked.update(options)
        return subprocess.CompletedProcess([], 0)

    monkeypatch.setattr(runs.subprocess, "Popen", started)
    return asked


def test_on_windows_a_process_has_neither_the_console_nor_the_interrupts_of_the_one_that_starts_it(spawned, monkeypatch):
    flags = {"CREATE_NEW_PROCESS_GROUP": 1, "CREATE_NO_WINDOW": 2, "BELOW_NORMAL_PRIORITY_CLASS": 4}
    for name, value in flags.items():
        monkeypatch.setattr(runs.subprocess, name, value, raising=False)
    monkeypatch.setattr(runs, "WINDOWS", True)
    runs.spawn(["variants"])
    assert spawned["creationflags"] == 7 and "start_new_session" not in spawned


def test_a_process_looks_where_this_one_does_whatever_the_folder_they_work_in(home, spawned, plan, monkeypatch):
    monkeypatch.chdir(home)
    monkeypatch.setenv("MMVAE_HOME", "models")
    monkeypatch.setenv("MMVAE_DATA", "images")
    assert (home_folder(), data_root()) == (home / "models", home / "images")
    monkeypatch.setattr(runs, "WINDOWS", True)  # there is no process to give a priority
    for name in ("CREATE_NEW_PROCESS_GROUP", "CREATE_NO_WINDOW", "BELOW_NORMAL_PRIORITY_CLASS"):
        monkeypatch.setattr(runs.subprocess, name, 0, raising=False)
    runs.spawn(["variants"])
    env = spawned["env"]
    assert (Path(env["MMVAE_HOME"]), Path(env["MMVAE_DATA"])) == (home / "models", home / "images") and env["PATH"] == os.environ["PATH"]


def test_a_path_of_ones_own_is_the_same_for_the_process_that_trains(home, plan, monkeypatch):
    monkeypatch.chdir(home)
    relative = replace(plan, dataset="pairs.npz")
    assert relative == plan
    listed = relative.arguments(home / "runs" / "mine")
    assert listed[listed.index("--dataset") + 1] == str(home / "pairs.npz")
    (home / "faces").mkdir()
    assert replace(plan, dataset="faces").dataset == "faces"  # a data set's name means that data set, whatever lies here


def test_a_run_goes_on_on_the_device_it_is_told_to(home, monkeypatch):
    configured(home, settings=replace(SETTINGS, device="cuda"))
    started = []
    monkeypatch.setattr(runs, "_launch", lambda folder, arguments: started.append(arguments))
    for device in (None, "cpu"):
        runs.resume(runs.run_named("mine", home), device=device)
    assert [arguments[arguments.index("--device") + 1] for arguments in started] == ["cuda", "cpu"]


def test_a_process_that_cannot_begin_says_why(home, plan, processes):
    runs.begin("bad", replace(plan, dataset=str(home / "absent.npz")), home)
    run = until(home, "bad", lambda run: not run.live)
    assert run.state in ("died", "new") and "mmvae: no data set" in runs.log_tail(run.path, 1)


def test_a_few_steps_are_measured_and_leave_nothing(home, plan, processes):
    said = []
    measured = runs.measure(plan, steps=2, told=said.append)
    assert measured.seconds_per_step > 0 and (measured.steps, measured.device, measured.precision) == (2, "cpu", "float32")
    assert runs.runs(home) == [] and said
    with pytest.raises(RunError, match="stopped"):
        runs.measure(plan, stopped=lambda: True)
    with pytest.raises(RunError, match="no data set"):
        runs.measure(replace(plan, dataset="absent.npz"))


# ---- one file


def test_a_run_travels_as_one_zip_and_goes_on_elsewhere(home, tmp_path):
    folder = configured(home)
    train(folder, TinyPairs())
    there = tmp_path / "there"
    name = runs.unpack(runs.pack(runs.run_named("mine", home)), "mine.zip", there)
    run = runs.run_named(name, there)
    assert (name, run.state, run.step) == ("mine", "finished", 6)
    assert runs.events(run.path) == runs.events(folder) and list(runs.snapshots(run.path)) == [0, 2, 4, 6]
    train(run.path, TinyPairs(), until=8)
    assert runs.run_named(name, there).step == 8


@pytest.mark.parametrize("name", ["_x.zip", "--.zip", "y" * 70 + ".zip"])
def test_a_run_from_a_zip_has_a_name_that_a_new_run_could_have(home, tmp_path, name):
    folder = configured(home)
    train(folder, TinyPairs())
    packed = runs.pack(runs.run_named("mine", home))
    for there in (runs.unpack(packed, name, tmp_path / "there"), runs.unpack(packed, name, tmp_path / "there")):
        assert runs.run_named(there, tmp_path / "there").openable
        runs.check_name(there, tmp_path / "elsewhere")


def zipped(folder, **more: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in ("config.json", "weights.safetensors"):
            file.writestr(f"x/{name}", more.pop(f"x/{name}", (folder / name).read_bytes()))
        for name, content in more.items():
            file.writestr(name, content)
    return buffer.getvalue()


def test_of_a_strange_zip_only_a_runs_own_files_are_taken(home, tmp_path):
    folder = configured(home)
    train(folder, TinyPairs())
    packed = zipped(
        folder,
        **{
            "x/launch.json": b'{"arguments": ["rm"]}',
            "x/lock": b"{}",
            "x/../../out": b"",
            "/etc/out": b"",
            "x/snapshots/../../out": b"",
            "x/snapshots/evil.sh": b"",
            "x/snapshots/0000002.safetensors": b"x",
            "x/events.jsonl": b"[]\n",
        },
    )
    name = runs.unpack(packed, "x.zip", tmp_path / "there")
    assert sorted(
        file.relative_to(tmp_path / "there").as_posix() for file in (tmp_path / "there").rglob("*") if file.is_file()
    ) == [
        f"runs/{name}/{file}" for file in ("config.json", "events.jsonl", "snapshots/0000002.safetensors", "weights.safetensors")
    ]
    assert runs.run_named(name, tmp_path / "there").state == "new"


@pytest.mark.parametrize(("settings", "said"), [({"steps": "many"}, '"steps" is "many"'), ({"clip": 10**400}, '"clip" is 1000000000')], ids=["no number", "too large"])
def test_a_run_whose_settings_are_none_is_refused_and_leaves_nothing(home, tmp_path, settings, said):
    folder = configured(home)
    train(folder, TinyPairs())
    config = json.loads((folder / "config.json").read_text()) | {"training": settings}
    with pytest.raises(CheckpointError, match=f"^x.zip/config.json: .*{said}.*, expected a"):
        runs.unpack(zipped(folder, **{"x/config.json": json.dumps(config).encode()}), "x.zip", tmp_path / "there")
    assert not [file for file in (tmp_path / "there").rglob("*") if file.is_file()]
