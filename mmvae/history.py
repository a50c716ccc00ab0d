"""What a training told as it went: the events of a run, fewer of them to take along, and how the weights came to be."""

from __future__ import annotations

__all__ = ["CARRIED", "EVENTS", "event_of", "events", "is_number", "record", "record_of", "thin", "up_to_best"]

import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

EVENTS = "events.jsonl"
#: Bytes of events that a shipped checkpoint carries at most.
CARRIED = 15_000
#: No figure of a training is larger, for it computes in float32: one that is comes from elsewhere, and no axis has room for it.
LARGEST = 1e38
MOST_STEPS = 2**53  # what a browser counts to
#: What a page draws of a step, and what says how it went on; the rest is of interest while it trains.
DRAWN = {
    "started": ("device", "precision", "processor", "pairs"),
    "resumed": ("device", "precision", "processor", "pairs"),
    "step": ("total", "parts", "kl"),
    "validation": ("total",),
    "snapshot": (),
}


def events(run: Path, tail: int | None = None) -> list[dict]:
    """What the run's training told, in order; a line that is no event is left out.

    Arguments:
        tail: Only those in the first and the last bytes of the file.
    """
    try:
        with open(run / EVENTS, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            text = b""
            if tail and size > 2 * tail:
                file.seek(0)
                text = file.read(tail) + b"\n"
                file.seek(size - tail)
            else:
                file.seek(0)
            text = (text + file.read()).decode("utf-8", "replace")
    except OSError:
        return []
    return [event for event in map(event_of, text.splitlines()) if event is not None]


def event_of(line: str) -> dict | None:
    """The event in a line, without what in it no training tells: a loss that is no number, a KL of texts; None where there is none."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    told = (
        isinstance(event, dict)
        and isinstance(event.get("event"), str)
        and all(_is_count(event.get(key)) for key in ("step", "steps"))
        and _is_figure(event.get("seconds"))
        and event["seconds"] >= 0
    )
    return {key: value for key, value in event.items() if FORMS.get(key, _is_any)(value)} if told else None


def _is_any(value: object) -> bool:
    return True


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < MOST_STEPS


def _is_figure(value: object) -> bool:
    return type(value) in (int, float) and -LARGEST <= value <= LARGEST


def _are_parts(value: object) -> bool:
    return isinstance(value, dict) and all(name.strip() for name in value) and all(map(_is_figure, value.values()))


def _are_dimensions(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(dims, list) and all(map(_is_figure, dims)) for dims in value.values())


#: What of an event pages count with and draw, and how it is known.
FORMS = {"total": _is_figure, "parts": _are_parts, "kl": _are_dimensions, "pairs_per_second": _is_figure, "seconds_left": _is_figure}


def thin(told: Sequence[dict], most: int = CARRIED) -> str:
    """Events as lines of JSON in so many bytes that still draw the curves: steps denser at the beginning, where most
    happens, numbers to four digits; the first and the last of each kind are kept.

    The last event is a ``"snapshot"``: what came after it is not in the weights.

    Arguments:
        told: As `events` gives them.
        most: Bytes.
    """
    end = max((place for place, event in enumerate(told) if event["event"] == "snapshot"), default=len(told) - 1)
    by_kind: dict[str, list[tuple[int, str]]] = {}
    for place, event in enumerate(told[: end + 1]):
        if event["event"] in DRAWN:
            kept = {key: _short(event[key]) for key in ("event", "step", "steps", "seconds", *DRAWN[event["event"]]) if key in event}
            by_kind.setdefault(event["event"], []).append((place, json.dumps(kept, separators=(",", ":")) + "\n"))
    by_kind["snapshot"] = by_kind.get("snapshot", [])[-1:]
    for points in range(200, 0, -1):
        chosen = sorted(pair for listed in by_kind.values() for pair in _denser_early(listed, points))
        if sum(len(line) for _, line in chosen) <= most:
            return "".join(line for _, line in chosen)
    return ""


def _denser_early(listed: Sequence, most: int) -> list:
    """At most so many, the first and the last among them, the distance between two growing evenly."""
    if len(listed) <= most:
        return list(listed)
    places = {round((len(listed) - 1) * (i / max(most - 1, 1)) ** 1.5) for i in range(most)}
    return [listed[place] for place in sorted(places)]


def _short(value):
    if isinstance(value, dict):
        return {key: _short(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_short(v) for v in value]
    return float(f"{value:.4g}") if isinstance(value, float) and math.isfinite(value) else value


def up_to_best(told: Sequence[dict]) -> list[dict]:
    """The events up to the snapshot whose validation was the lowest: the training of the weights in ``best.safetensors``.

    Arguments:
        told: As `events` gives them; all of them where none is of a validation.
    """
    validations = [place for place, event in enumerate(told) if event["event"] == "validation" and is_number(event.get("total"))]
    if not validations:
        return list(told)
    best = min(validations, key=lambda place: told[place]["total"])
    end = next((place for place in range(best, len(told)) if told[place]["event"] == "snapshot"), best)
    return list(told[: end + 1])


def record_of(run: Path) -> dict:
    """How the weights in a folder were trained, see `record`."""
    return record(events(run))


def record(told: Sequence[dict]) -> dict:
    """How weights were trained, from the events up to the last snapshot; empty where there are none.

    Returns:
        ``{"steps", "seconds", "device", "processor", "precision", "validation", "lengths", "aims"}``: updates done, seconds they took
        in all, the last validation's loss in nats per pair; of a run that was gone on with or cut short, the steps at which it had
        come to an end each time: the learning rate fell to zero there; and of one that was cut short to go on to another end, the
        steps it was to take, each time. What the events do not say is left out.
    """
    last = next((event for event in reversed(told) if event["event"] == "snapshot"), None)
    if last is None:
        return {}
    record = {"steps": last["step"], "seconds": round(last["seconds"])}
    for event in told[: told.index(last)]:
        if event["event"] in ("started", "resumed"):
            record |= {key: event[key] for key in ("device", "processor", "precision") if isinstance(event.get(key), str)}
        elif event["event"] == "validation" and is_number(event.get("total")):
            record["validation"] = event["total"]
    ends = [event["step"] for event in told if event["event"] == "finished"]
    if len(ends) > 1 or ends and told[0].get("steps", ends[0]) != ends[0]:
        record["lengths"] = ends
    aims = [event["steps"] for event in told[: told.index(last)] if event["event"] in ("started", "resumed") and "steps" in event]
    aims = [aim for place, aim in enumerate(aims) if place == 0 or aim != aims[place - 1]]
    if any(aim not in ends for aim in aims[:-1]):
        record["aims"] = aims
    return record


def is_number(value: object) -> bool:
    """Whether a value from a JSON file is a number that is finite as a float."""
    # compared and not asked of math.isfinite, which a whole number of more than 308 digits overflows
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
