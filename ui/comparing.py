"""What the Compare page is asked for, as a value that its address carries, the curves it draws, and measurements that go on behind it."""

from __future__ import annotations

__all__ = ["LOSS", "MOST", "VIEWS", "Measurement", "Task", "before", "command", "curve", "curves_of", "effects_of", "measure", "measurement", "smoothed", "span_of", "unlike"]

import subprocess
import time
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from tempfile import mkstemp
from threading import Lock, Thread
from typing import ClassVar

from mmvae.checkpoints import ORIGINS, Checkpoint
from mmvae.comparison import Entry, length_of, pairs_seen
from mmvae.history import is_number
from mmvae.matching import Effect, effects
from mmvae.runs import command_line, spawn

from . import models
from .navigation import joined_names, parted_names, whole
from .translating import judged_version, readers_of

#: Checkpoints side by side: more would be too small to see.
MOST = 4
VIEWS = {"leakage": "What each part knows", "live": "Side by side", "maps": "Maps", "figures": "All figures", "training": "Training and traversals",
         "results": "All models", "story": "The faces story"}
NICE, LOOK_SECONDS = 10, 0.3


@dataclass(frozen=True)
class Task:
    """What is compared, and how it is shown.

    Arguments:
        models: Names of one to four checkpoints of one data set.
        view: One of `VIEWS`.
        item: The pair to start from; None for the first.
        observed: The modalities that codes are inferred from; empty for both.
        by_factor: Whether sliders move the dimensions that carry a factor, and not those of one index.
        step: Of the story.
    """

    models: tuple[str, ...]
    view: str = "leakage"
    item: int | None = None
    observed: tuple[str, ...] = ()
    by_factor: bool = False
    step: int = 0

    PARAMETERS: ClassVar[Sequence[str]] = ("models", "view", "item", "observed", "match", "step")

    def address(self) -> dict[str, str]:
        """The query parameters that bring this task back; what is as by default is left out."""
        values = {"models": joined_names(self.models), "view": self.view if self.view != "leakage" else "", "item": "" if self.item is None else str(self.item),
                  "observed": joined_names(self.observed), "match": "factor" if self.by_factor else "", "step": str(self.step or "")}
        return {name: value for name, value in values.items() if value}

    @classmethod
    def parse(cls, address: Mapping[str, str], known: Sequence[str]) -> Task:
        """The task of an address; whatever in it makes no sense is as by default.

        Arguments:
            known: Names of the checkpoints there are, at least one.
        """
        asked = [name for name in dict.fromkeys(parted_names(address.get("models", ""))) if name in known]
        alike = of_one_set(asked or default(known))
        view = address.get("view", "")
        return cls(tuple(alike[:MOST]), view if view in VIEWS else "leakage", whole(address.get("item")),
                   tuple(parted_names(address.get("observed", ""))), address.get("match") == "factor", whole(address.get("step"), 0))


def default(known: Sequence[str]) -> list[str]:
    """The checkpoints that are compared where nothing is asked for: those of the first one's data set that were measured, else all of it."""
    alike = [name for name in known if models.trained_on(name) == models.trained_on(known[0])]
    measured = [name for name in alike if (models.path_of(name) / "card.json").is_file()]
    return (measured if len(measured) > 1 else alike)[:MOST]


def of_one_set(names: Sequence[str]) -> list[str]:
    """Those of the names that are of the first one's data set: others have nothing to be compared by."""
    return [name for name in names if models.trained_on(name) == models.trained_on(names[0])]


# ---- curves of a training

LOSS = "Loss"
NEAR, EARLY = 1.25, 0.25
RECONSTRUCTION, DIVERGENCE = "Reconstruction of ", "KL of "


def curves_of(told: Sequence[dict]) -> list[str]:
    """What can be drawn of a training's events: the loss, the reconstruction of each modality, the KL of each block."""
    first = next((event for event in told if event["event"] == "step" and is_number(event.get("total"))), None)
    if first is None:
        return []
    modalities = dict.fromkeys(name.rpartition("reconstruction ")[2] for name in first.get("parts", {}) if "reconstruction " in name)
    return [LOSS, *(RECONSTRUCTION + name for name in modalities), *(DIVERGENCE + name for name in first.get("kl", {}))]


def before(config: dict) -> tuple[int, str]:
    """The pairs that a model saw before its last training, whose events alone it holds, and what is said of that; 0 and nothing where it began anew.

    Arguments:
        config: The content of its ``config.json``.
    """
    how = next((key for key in ORIGINS if config.get(key)), None)
    if how is None:
        return 0, ""
    origin = Entry(config[how]["of"], config[how], {})
    length = length_of(origin)
    return pairs_seen(origin), {"encoders": "decoders fitted anew", "began_with": "trained on"}[how] + (f", after {length}" if length else "")


def curve(told: Sequence[dict], title: str) -> list[tuple[int, float]]:
    """A curve of a training, (step, nats per pair) at each step event that has it.

    A reconstruction is that of the pair's own code where the loss has one, else the mean over the codes that its terms draw it from;
    the KL of a block is that of the pair's posterior, summed over its dimensions. Both mean the same in every variant, but that
    reconstructions are of the modality's own likelihood, see `unlike`.

    Arguments:
        told: As `mmvae.history.events` gives them.
        title: One of `curves_of`.
    """
    steps = ((event["step"], _at(event, title)) for event in told if event["event"] == "step")
    return [(step, value) for step, value in steps if is_number(value)]


def unlike(configs: Sequence[dict], title: str) -> str:
    """The modality, where a curve is its reconstruction and these models give it unlike likelihoods, so that heights do not compare; else nothing.

    Arguments:
        configs: The content of each model's ``config.json``.
        title: One of `curves_of`.
    """
    name = title.removeprefix(RECONSTRUCTION)
    likelihoods = {(m.get("likelihood"), m.get("scale")) for config in configs for m in config["modalities"] if m["name"] == name}
    return name if title.startswith(RECONSTRUCTION) and len(likelihoods) > 1 else ""


def _at(event: dict, title: str) -> float | None:
    if title.startswith(RECONSTRUCTION):
        name = "reconstruction " + title.removeprefix(RECONSTRUCTION)
        parts = {term: value for term, value in event.get("parts", {}).items() if term.endswith(name) and is_number(value)}
        chosen = [parts[f"J {name}"]] if f"J {name}" in parts else list(parts.values())
    elif title.startswith(DIVERGENCE):
        dims = event.get("kl", {}).get(title.removeprefix(DIVERGENCE), [])
        return sum(dims) if dims and all(map(is_number, dims)) else None
    else:
        return event.get("total")
    return sum(chosen) / len(chosen) if chosen else None


def smoothed(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """A curve with each value the mean of those within `NEAR` times its step on either side: of few where it is steep, of many later.

    Arguments:
        points: (step, value), steps ascending.
    """
    steps, sums = [step for step, _ in points], [0.0, *accumulate(value for _, value in points)]
    ends = [(bisect_left(steps, step / NEAR), bisect_right(steps, step * NEAR)) for step in steps]
    return [(step, (sums[end] - sums[begin]) / (end - begin)) for step, (begin, end) in zip(steps, ends)]


def span_of(curves: Sequence[Sequence[tuple[int, float]]]) -> tuple[float, float] | None:
    """The values that an axis should show of curves over the logarithm of the step: all but what lies above them in the first quarter,
    where a loss falls by far more than models will differ; None where there are none."""
    low = min((value for points in curves for _, value in points), default=None)
    if low is None:
        return None
    late = [value for points in curves for step, value in points if step >= max(points[0][0], 1) ** (1 - EARLY) * points[-1][0] ** EARLY]
    high = max(late)
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


# ---- what dimensions do

def effects_of(opened: Checkpoint) -> tuple[Effect, ...]:
    """What each dimension of a model does to its pictures; found once as long as model and readers stay."""
    return _effects(judged_version(opened))


def _sweep(key: tuple) -> tuple[Effect, ...]:
    opened = models.checkpoint(key[0])
    return effects(opened, readers_of(opened.model.dataset))


_effects = models.Recent(16, _sweep)


# ---- measuring


def command(name: str) -> str:
    """The command line that measures a checkpoint."""
    return command_line(["evaluate", name])


@dataclass
class Measurement:
    """A checkpoint being measured by a process of its own: what it does, and what went wrong where something did.

    Arguments:
        log: What the process writes to. A file and no pipe: it goes on where the server ends.
    """

    process: subprocess.Popen
    log: Path
    doing: str = "starting"
    error: str = ""
    running: bool = True


_measurements: dict[Path, Measurement] = {}
_lock = Lock()


def measurement(name: str) -> Measurement | None:
    """The measurement of a checkpoint, under way or ended, that this server started."""
    return _measurements.get(models.path_of(name).resolve())


def measure(name: str) -> None:
    """Begins to measure a checkpoint, unless that is under way already."""
    folder = models.path_of(name).resolve()
    with _lock:
        if folder in _measurements and _measurements[folder].running:
            return
        descriptor, log = mkstemp(".log", "mmvae-measure-")
        with open(descriptor, "wb") as stream:
            process = spawn(["evaluate", str(folder)], NICE, stdout=subprocess.DEVNULL, stderr=stream)
        _measurements[folder] = Measurement(process, Path(log))
    Thread(target=_follow, args=(_measurements[folder],), name=f"measure {name}", daemon=True).start()


def _follow(one: Measurement) -> None:
    """Keeps what the process says last, until it has ended."""
    status = None
    while status is None:
        time.sleep(LOOK_SECONDS)
        status = one.process.poll()  # before the last look, so that it sees all
        one.doing = _last_line(one.log) or one.doing
    if status:
        named = one.doing.startswith("mmvae: ")
        one.error = one.doing.removeprefix("mmvae: ") if named else f"the process ended with status {status} while {one.doing}"
    one.running = False
    with suppress(OSError):
        one.log.unlink()


def _last_line(log: Path) -> str:
    with suppress(OSError):  # somebody cleaned up
        return next(filter(None, map(str.strip, reversed(log.read_text("utf-8", "replace").splitlines()))), "")
    return ""
