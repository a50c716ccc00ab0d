"""Runs: folders under ``runs/`` that processes of their own train; listed, started, stopped, renamed, removed.

What is known of a run is read off its folder each time, so that a page reloaded, a second one or a server restarted see
the same: a run belongs to nobody's session.
"""

from __future__ import annotations

__all__ = [
    "LIVE",
    "Measured",
    "Plan",
    "Run",
    "RunError",
    "begin",
    "check_name",
    "command_line",
    "delete",
    "events",
    "free_name",
    "last_alike",
    "launched",
    "log_tail",
    "measure",
    "pack",
    "rename",
    "resume",
    "run_named",
    "runs",
    "runs_folder",
    "snapshots",
    "spawn",
    "stop",
    "unpack",
]

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from . import archive, turns
from .checkpoints import CONFIG, RUNS, WEIGHTS, CheckpointError, catalogue, home_folder, read_json, write_json
from .data import DATASETS, data_root
from .files import is_device, remove_folder
from .history import EVENTS, events, is_number
from .networks import decoders_of
from .presets import Settings, modalities_for
from .training import BEST, ENCODERS, INITIAL, SNAPSHOTS, STATE, RunError, settings_of
from .variants import VARIANTS

LOG, LAUNCH = "log.txt", "launch.json"
PROGRAM = Path(__file__).resolve().parents[1]
WINDOWS = os.name == "nt"
NICE = 19  # the lowest priority: of two processors a drag needs one for the server and one for the browser
TAIL = 1 << 16  # bytes: the end of a file of events holds the last step, validation and snapshot
#: States in which some process works on a run.
LIVE = ("waiting", "starting", "training", "stopping", "elsewhere")
#: Settings that decide how long a step takes.
COSTLY = ("batch_size", "augment", "optimizer", "device", "precision")
SILENT = 180.0  # seconds without a sign of life after which a run without a lock is held for dead
SPAWNED = 300.0  # seconds within which a process that another server started takes its run's lock
SLOW = 30.0  # seconds of measuring after which a person is told why it takes so long
PATIENCE = 900.0  # seconds that a few steps may take to be measured: at the lowest priority a busy machine may need minutes to begin
#: Folders whose process this one started and which has not ended since.
_children: set[Path] = set()


@dataclass(frozen=True)
class Plan:
    """What a run is to be.

    Arguments:
        variant: Its name.
        dataset: Its name, or the path of a person's own pairs, which is made absolute.
        settings: How to train.
        private: Dimensions of the private blocks; None for the data set's own choice.
        shared: Dimensions of the shared block; likewise.
        encoders: The trained model whose encoders it keeps, by folder or name, fitting new decoders to them; empty for none.
        began_with: The trained model whose weights it begins with; likewise.
        decoders: What it has instead of decoders that mirror its encoders, one of `mmvae.networks.DECODERS`; empty for none.
        likelihoods, weights: Of the modalities, see `mmvae.presets.modalities_for`; None for the variant's own.
    """

    variant: str
    dataset: str
    settings: Settings
    private: tuple[int, int] | None = None
    shared: int | None = None
    encoders: str = ""
    began_with: str = ""
    decoders: str = ""
    likelihoods: tuple[str, str] | None = None
    weights: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.dataset and self.dataset not in DATASETS and Path(self.dataset).exists():
            # the process that trains works in the program's folder, where a relative path leads elsewhere
            object.__setattr__(self, "dataset", str(Path(self.dataset).resolve()))

    def arguments(self, folder: Path) -> list[str]:
        """The command line that trains it, after ``python -m mmvae``."""
        trained = self.encoders or self.began_with
        kept = _shown(Path(trained)) if Path(trained).is_dir() else trained
        model = ["--encoders" if self.encoders else "--begin-with", kept] if trained else ["--variant", self.variant, "--dataset", self.dataset]
        listed = ["train", *model, "--out", _shown(folder)]
        for field in fields(Settings):
            name, value = field.name.replace("_", "-"), getattr(self.settings, field.name)
            listed += [f"--{name}" if value else f"--no-{name}"] if isinstance(value, bool) else [f"--{name}", str(value)]
        if trained:
            return listed
        if self.private:
            listed += ["--private", *map(str, self.private)]
        if self.shared:
            listed += ["--shared", str(self.shared)]
        if self.decoders:
            listed += ["--decoders", self.decoders]
        for option, values in (("--likelihoods", self.likelihoods), ("--weights", self.weights)):
            listed += [option, *map(str, values)] if values else []
        return listed

    @property
    def cost(self) -> Plan:
        """What of it decides how long a step takes, the rest made alike: plans of equal cost take equally long a step."""
        alike = {field.name: getattr(Settings, field.name) for field in fields(Settings) if field.name not in COSTLY}
        return replace(self, settings=replace(self.settings, **alike), likelihoods=None, weights=None)


@dataclass(frozen=True)
class Run:
    """A run as its folder tells it.

    Arguments:
        path: The folder.
        state: ``"waiting"`` for its turn, ``"starting"``, ``"training"``, ``"stopping"``, trained ``"elsewhere"`` (by a
            process that holds no lock here), ``"finished"``, ``"stopped"``, ``"died"``, or ``"new"``: never started.
        config: The content of its configuration; empty while there is none.
        variant: The variant's name.
        dataset: The data set's name.
        step: Updates done.
        steps: Updates it is to have in the end.
        seconds: Spent training so far.
        began: When its folder was configured, in seconds since 1970.
        loss: Of the last batch that was told of, in nats per pair; None before.
        validation: The last validation's loss, in nats per pair; None before the first.
        pairs_per_second: At the end; None before the first steps.
        seconds_left: To the end at that speed; None where nothing trains it.
        device: Where it is or was trained; empty before.
        message: What the training said as it diverged; empty where it did not.
        encoders: The name of the model whose encoders it keeps, fitting new decoders to them; empty where it trains all.
        began_with: The name of the model whose weights it began with; empty where it began with none.
    """

    path: Path
    state: str
    config: dict
    variant: str
    dataset: str
    step: int
    steps: int
    seconds: float
    began: float
    loss: float | None = None
    validation: float | None = None
    pairs_per_second: float | None = None
    seconds_left: float | None = None
    device: str = ""
    message: str = ""
    encoders: str = ""
    began_with: str = ""

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def live(self) -> bool:
        """Whether some process works on it."""
        return self.state in LIVE

    @property
    def diverged(self) -> bool:
        """Whether its loss or gradient stopped being finite: the same steps would come to the same end."""
        return bool(self.message)

    @property
    def openable(self) -> bool:
        """Whether it has saved weights that a model can be opened with."""
        return (self.path / WEIGHTS).is_file() and bool(self.config)

    @property
    def plan(self) -> Plan:
        """What would train it anew.

        Raises:
            RunError: Where its configuration does not say.
        """
        settings = settings_of(self.config, self.path / CONFIG)
        try:
            dims = {block["owner"]: block["dim"] for block in self.config["blocks"]}
            owned = tuple(dim for owner, dim in dims.items() if owner is not None)
            source = self.config.get("source") or self.dataset
            if len(self.config["modalities"]) != 2:
                raise ValueError(f"{len(self.config['modalities'])} modalities, expected two")
            decoders = decoders_of([modality["network"] for modality in self.config["modalities"]])
            judged = [tuple(modality[key] for modality in self.config["modalities"]) for key in ("likelihood", "weight")]
            if self.variant in VARIANTS and self.dataset in DATASETS:  # of a person's own pairs it is not known here what is usual
                usual = modalities_for(VARIANTS[self.variant], DATASETS[self.dataset])
                judged = [None if said == tuple(getattr(m, key) for m in usual) else said for said, key in zip(judged, ("likelihood", "weight"))]
            return Plan(self.variant, source, settings, owned if len(owned) == 2 else None, dims[None], self.encoders, self.began_with, decoders, *judged)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunError(f"{self.path / CONFIG}: no model to train ({type(error).__name__}: {error})") from None


# ---- what there is


def runs_folder(home: Path | None = None) -> Path:
    """Where runs lie; see `mmvae.checkpoints.home_folder`."""
    return (home or home_folder()) / RUNS


def runs(home: Path | None = None) -> list[Run]:
    """Every run, the newest first."""
    return sorted((_look(folder) for folder in _folders(home)), key=lambda run: (-run.began, run.name))


def run_named(name: str, home: Path | None = None) -> Run:
    """The run of this name.

    Raises:
        RunError: Where there is none.
    """
    folder = next((folder for folder in _folders(home) if folder.name == name), None)  # a link's name is no path to follow
    if folder is None:
        raise RunError(f"no run {name!r} on this machine")
    return _look(folder)


def last_alike(plan: Plan, home: Path | None = None) -> Run | None:
    """The newest run whose steps cost what the plan's do and which has done some; None where there is none."""
    for run in runs(home):
        if run.step and run.seconds and (run.variant, run.dataset) == (plan.variant, plan.dataset):
            with contextlib.suppress(RunError):  # its settings are not known: it is not alike
                was = run.plan
                if replace(was, settings=replace(was.settings, device=run.device)).cost == plan.cost:
                    return run
    return None


def _folders(home: Path | None) -> list[Path]:
    return [f for f in runs_folder(home).glob("[!.]*/") if (f / CONFIG).is_file() or (f / LAUNCH).is_file()]


def snapshots(run: Path) -> dict[int, str]:
    """The moments one can look back at, ascending: {step: file of weights within the run's folder}."""
    files = {
        int(file.stem): f"{SNAPSHOTS}/{file.name}" for file in (run / SNAPSHOTS).glob("[0-9]*.safetensors") if file.stem.isdigit()
    }
    return dict(sorted(files.items()))


def log_tail(run: Path, lines: int = 12) -> str:
    """The last lines of what the run's processes printed; empty where they printed to a terminal."""
    try:
        with open(run / LOG, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def command_line(arguments: Sequence[str]) -> str:
    """A command of this program as one would type it in its folder."""
    return shlex.join(["python", "-m", "mmvae", *arguments])


def launched(run: Path) -> list[str]:
    """The arguments its last process was started with; empty where it was not started from here."""
    try:
        listed = read_json(run / LAUNCH).get("arguments")
    except CheckpointError:
        return []
    return listed if isinstance(listed, list) and all(isinstance(text, str) for text in listed) else []


# ---- what one does with them


def begin(name: str, plan: Plan, home: Path | None = None) -> Run:
    """Starts a new run: a process at low priority that waits for its turn, then trains.

    Raises:
        RunError: Where the name cannot be used.
        OSError: Where no process can be started; nothing is left behind.
    """
    check_name(name, home)
    folder = runs_folder(home) / name
    folder.mkdir(parents=True)
    try:
        _launch(folder, [*plan.arguments(folder), "--wait"])
    except OSError:
        shutil.rmtree(folder)
        raise
    return _look(folder)


def resume(run: Run, steps: int | None = None, device: str | None = None) -> None:
    """Goes on from the last snapshot, to more steps in total or on another device where told so.

    Raises:
        RunError: Where some process works on the run already, or its configuration does not say how to go on.
    """
    _idle(run, "resumed")
    if not (run.path / CONFIG).is_file():
        _launch(run.path, launched(run.path))  # it died before it wrote its configuration
        return
    _launch(
        run.path,
        ["train", "--out", _shown(run.path), "--resume", "--steps", str(steps or run.steps), "--device", device or run.plan.settings.device, "--wait"],
    )


def stop(run: Run) -> None:
    """Has the process save a snapshot and end, or give up its place.

    Raises:
        RunError: Where nothing trains it, or something that cannot be told.
    """
    if not turns.holder(run.path):
        raise RunError(f"{run.name} is {run.state}: it cannot be stopped from here")
    turns.ask_to_stop(run.path)


def rename(run: Run, name: str) -> None:
    """Gives a run that nothing works on another name.

    Raises:
        RunError: Where that cannot be.
    """
    _idle(run, "renamed")
    check_name(name, run.path.parents[1])
    run.path.rename(run.path.parent / name)


def delete(run: Run) -> None:
    """Removes a run that nothing works on, see `mmvae.files.remove_folder`.

    Raises:
        RunError: Where something works on it.
    """
    _idle(run, "deleted")
    remove_folder(run.path)


def pack(run: Run) -> bytes:
    """The run as one zip, with all that looking back and resuming need."""
    return archive.pack(run.path, _limit)


def unpack(content: bytes, name: str, home: Path | None = None) -> str:
    """Adds the run in a zip to the runs, and returns its name there; see `mmvae.archive.unpack`.

    Raises:
        CheckpointError: Where it is none, or one that cannot be opened.
    """
    final = archive.unpack(content, name, home, _limit, RUNS)
    run = run_named(final, home)
    try:
        run.plan
    except RunError as error:
        shutil.rmtree(run.path)
        raise CheckpointError(str(error).replace(str(run.path), name)) from None
    return final


def _limit(inside: str) -> int | None:
    """The most bytes that a file of a run may unpack to; None for what is no such file."""
    if re.fullmatch(rf"{SNAPSHOTS}/\d{{1,9}}\.safetensors", inside):
        return archive.LIMITS[WEIGHTS]
    return {
        **archive.LIMITS,
        EVENTS: 256 << 20,
        LOG: 64 << 20,
        BEST: archive.LIMITS[WEIGHTS],
        ENCODERS: archive.LIMITS[WEIGHTS],
        INITIAL: archive.LIMITS[WEIGHTS],
        STATE: 4 * archive.LIMITS[WEIGHTS],
    }.get(inside)


def check_name(name: str, home: Path | None = None) -> None:
    """A RunError that says why a new run cannot have this name, where it cannot."""
    if not _NAME.fullmatch(name):
        raise RunError(f"{name!r} cannot be a name: letters, digits, '.', '_' and '-', at most 60, the first a letter or digit, the last no '.'")
    if is_device(name):
        raise RunError(f"{name!r} cannot be a name: Windows takes it for a device, such a run could not be carried there")
    if name in catalogue(home) or (runs_folder(home) / name).exists():
        raise RunError(f"there is a model or run named {name} already")


def free_name(stem: str, home: Path | None = None) -> str:
    """A name that is not taken, like this one."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).lstrip("._-")[:50].rstrip(".") or "run"
    stem = f"run-{stem}" if is_device(stem) else stem
    taken = {*catalogue(home), *(folder.name for folder in runs_folder(home).glob("*"))}
    return next(name for name in (stem, *(f"{stem}-{i}" for i in range(2, len(taken) + 3))) if name not in taken)


@dataclass(frozen=True)
class Measured:
    """The speed of a few steps: how many, the seconds that one took, the device and the precision."""

    steps: int
    seconds_per_step: float
    device: str
    precision: str


def measure(
    plan: Plan,
    steps: int = 5,
    patience: float = PATIENCE,
    told: Callable[[str], None] = lambda text: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Measured:
    """Trains a few steps in a process of its own at low priority, in a folder that is thrown away.

    The first step, which warms up, is not counted; validation and snapshots are not, either.

    Arguments:
        patience: Seconds after which it is given up.
        told: Called with what is going on.
        stopped: Asked again and again; True ends it.

    Raises:
        RunError: With the process's own last line, where it failed; where it was stopped.
    """
    # Runs of few steps tell of each one; the snapshot never comes.
    trial = replace(plan, settings=replace(plan.settings, steps=steps + 100, snapshot=steps + 100))
    with tempfile.TemporaryDirectory(prefix="mmvae-measure-") as parent:
        folder = Path(parent) / "run"
        folder.mkdir()
        process = _spawn_logged(folder, trial.arguments(folder))
        try:
            began = time.monotonic()
            while True:
                ended = process.poll() is not None
                at = {event["step"]: event["seconds"] for event in events(folder) if event["event"] == "step"}
                if len(at) > steps:
                    first = next(event for event in events(folder) if event["event"] == "started")
                    return Measured(steps, max(1e-6, at[1 + steps] - at[1]) / steps, first["device"], first["precision"])
                if ended:
                    raise RunError(log_tail(folder, 1) or f"the process ended with status {process.returncode}")
                if stopped():
                    raise RunError("it was stopped")
                waited = time.monotonic() - began
                if waited > patience:
                    raise RunError(f"{len(at)} steps in {patience:.0f} s: too slow to measure")
                doing = f"step {len(at)} of {steps + 1}" if at else "starting a process, opening the data"
                told(doing if waited < SLOW else f"{doing}; {waited:.0f} s so far, for the machine is busy and this has the lowest priority")
                time.sleep(0.2)
        finally:
            process.kill()
            process.wait()


# ---- how it is told


_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,58}[A-Za-z0-9_-])?")


def _look(folder: Path) -> Run:
    try:
        config = read_json(folder / CONFIG)
    except CheckpointError:
        config = {}
    arguments = launched(folder)
    told = events(folder, TAIL)
    state = _state(folder, told)
    training = config.get("training") if isinstance(config.get("training"), dict) else {}
    variant = config.get("variant") if isinstance(config.get("variant"), dict) else {}
    asked = _after(arguments, "--steps")
    last = told[-1] if told else {"step": 0, "steps": training.get("steps", 0), "seconds": 0.0}
    asks = asked and asked.isascii() and asked.isdigit() and (state in LIVE or not last["steps"])
    steps = int(asked) if asks else last["steps"]
    step, validation = _last(told, "step"), _last(told, "validation")
    began = next((file.stat().st_mtime for file in (folder / CONFIG, folder / LAUNCH) if file.is_file()), 0.0)
    return Run(
        folder,
        state,
        config,
        str(variant.get("name") or _after(arguments, "--variant") or "?"),
        str(config.get("dataset") or _after(arguments, "--dataset") or "?"),
        last["step"],
        steps,
        last["seconds"],
        began,
        loss=_number(step, "total"),
        validation=_number(validation, "total"),
        pairs_per_second=_number(step, "pairs_per_second"),
        seconds_left=_number(step, "seconds_left") if state in ("training", "elsewhere") else None,
        device=str((_last(told, "resumed") or _last(told, "started") or {}).get("device") or training.get("device") or ""),
        message=str(last.get("message", "")),
        encoders=_origin(config, "encoders"),
        began_with=_origin(config, "began_with"),
    )


def _origin(config: dict, key: str) -> str:
    """The name of the model that a run keeps the encoders of, or began with, as far as its configuration tells; empty for none."""
    told = config.get(key)
    return str(told.get("of") or "") if isinstance(told, dict) else ""


def _state(folder: Path, told: Sequence[dict]) -> str:
    said = turns.holder(folder)
    if said is not None:
        return "stopping" if turns.stop_asked(folder) else said.get("doing", "starting")
    left = turns.left_behind(folder)
    if left:
        coming = folder.resolve() in _children or time.time() - left.get("since", 0.0) < SPAWNED
        return "starting" if left.get("doing") == "spawned" and coming else "died"
    last = told[-1]["event"] if told else "new"
    if last in ("new", "finished", "stopped"):
        return last
    # Programs older than the lock write events and hold nothing; so do processes on another machine that shares the folder.
    return (
        "elsewhere" if not (folder / turns.LOCK).exists() and time.time() - (folder / EVENTS).stat().st_mtime < SILENT else "died"
    )


def _idle(run: Run, what: str) -> None:
    state = _look(run.path).state
    if state in LIVE:
        raise RunError(f"{run.name} is {state}: it cannot be {what} before that ends")


def _launch(folder: Path, arguments: Sequence[str]) -> None:
    """Starts the process that trains a run, detached from this one."""
    write_json(folder / LAUNCH, {"arguments": list(arguments)})
    turns.withdraw_stop(folder)
    turns.note(folder, "spawned")
    child = folder.resolve()
    try:
        process = _spawn_logged(folder, arguments)
    except OSError:
        turns.note(folder, "ended")
        raise
    _children.add(child)

    def reap() -> None:
        process.wait()
        _children.discard(child)
        if turns.left_behind(folder).get("doing") == "spawned":
            turns.note(folder, "ended")  # it never came to hold the run: its log says why

    threading.Thread(target=reap, name=f"reap {folder.name}", daemon=True).start()


def spawn(arguments: Sequence[str], nice: int = NICE, **streams) -> subprocess.Popen:
    """Starts ``python -m mmvae`` with these arguments as a process that outlives this one, at lower priority.

    It works in the program's folder, with the data and the models that this process has.

    Arguments:
        nice: By how much it is nicer than this process; on Windows, where there are no such numbers, below normal.
        streams: ``stdout``, ``stderr`` and ``text``, as `subprocess.Popen` takes them.

    Raises:
        OSError: Where it cannot be started.
    """
    detached = {"start_new_session": True}
    if WINDOWS:  # so that neither Ctrl+C in this one's console nor closing it ends the child
        detached = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS}
    process = subprocess.Popen(
        [sys.executable, "-m", "mmvae", *arguments],
        cwd=PROGRAM,
        env={**os.environ, "MMVAE_HOME": str(home_folder()), "MMVAE_DATA": str(data_root())},
        stdin=subprocess.DEVNULL,
        **detached,
        **streams,
    )
    if not WINDOWS:
        # From here, before it has threads: Python cannot run code in a child safely where it has threads itself.
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended already, as some systems say in the one way and some in the other
            os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + nice)
        # Where Linux groups processes by session, niceness counts within the group alone: the group needs its own.
        with contextlib.suppress(OSError):
            Path(f"/proc/{process.pid}/autogroup").write_text(str(nice))
    return process


def _spawn_logged(folder: Path, arguments: Sequence[str]) -> subprocess.Popen:
    with open(folder / LOG, "a", encoding="utf-8") as log:
        print(f"$ {command_line(arguments)}", file=log, flush=True)
        return spawn(arguments, NICE, stdout=log, stderr=subprocess.STDOUT)


def _shown(folder: Path) -> str:
    """A run's folder as the command line names it: from the program's folder where it lies within."""
    folder = folder.resolve()
    return str(folder.relative_to(PROGRAM) if folder.is_relative_to(PROGRAM) else folder)


def _after(arguments: Sequence[str], option: str) -> str | None:
    return next((value for name, value in zip(arguments, arguments[1:]) if name == option), None)


def _last(told: Sequence[dict], kind: str) -> dict | None:
    return next((event for event in reversed(told) if event["event"] == kind), None)


def _number(event: dict | None, key: str) -> float | None:
    return event[key] if event and is_number(event.get(key)) else None
