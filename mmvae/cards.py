"""What a card may say: held against what comparisons, reports and pages read from it, before any of them does.

A card comes with a checkpoint, and a checkpoint from anywhere. One that is malformed is refused by itself; the table of all models
goes on without it.
"""

from __future__ import annotations

__all__ = ["fault_of_card", "fault_of_training", "is_array", "shortened"]

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from .history import is_number
from .presets import Settings

#: No figure, count or time is larger, factors in nanoseconds included; sums of squares of what is smaller are floats still.
LARGEST = 1e38


@dataclass(frozen=True)
class Kind:
    """What an entry should be, in words, and whether a value from a JSON file is that."""

    words: str
    holds: Callable[[object], bool]

    @property
    def or_null(self) -> Kind:
        return Kind(f"{self.words} or null", lambda value: value is None or self.holds(value))

    @property
    def each(self) -> Kind:
        """A list of these."""
        return Kind(f"a list, each {self.words}", lambda value: isinstance(value, list) and all(map(self.holds, value)))


TEXT = Kind("a text", lambda value: isinstance(value, str))
NUMBER = Kind("a number", lambda value: is_number(value) and abs(value) <= LARGEST)
WHOLE = Kind("a whole number from 0", lambda value: type(value) is int and 0 <= value <= LARGEST)
POSITIVE = Kind("a whole number from 1", lambda value: WHOLE.holds(value) and value > 0)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
OBJECT = Kind("an object", lambda value: isinstance(value, dict))
MEASURE = Kind("\"R²\" or \"accuracy above chance\"", lambda value: value in ("R²", "accuracy above chance"))
FACTOR_KIND = Kind("\"ordered\" or \"categorical\"", lambda value: value in ("ordered", "categorical"))

#: What stands below the figures of every card: of which weights and pairs they are, and who measured them.
PROVENANCE = {"dataset": TEXT, "pairs": WHOLE, "seed": WHOLE, "measured": TEXT, "seconds": NUMBER, "parameters": WHOLE, "machine": OBJECT}
CARD = {
    **PROVENANCE, "source": TEXT.or_null, "key": TEXT, "code": TEXT, "variant": TEXT, "split": TEXT, "trained_pairs": WHOLE.or_null, "training": OBJECT.or_null, "trained": OBJECT.or_null,
    "readers": OBJECT.or_null, "factors": OBJECT.each, "owners": FLAG, "figures": OBJECT, "batches": OBJECT, "kl": OBJECT, "leakage": OBJECT.or_null,
}
FIGURE = {
    "metric": TEXT, "value": NUMBER.or_null, "stderr": NUMBER.or_null, "reference": NUMBER.or_null, "ceiling": NUMBER.or_null, "unit": TEXT.or_null,
    "note": TEXT.or_null, "reason": TEXT.or_null, "batches": OBJECT.or_null,
}
FACTOR = {"name": TEXT, "kind": FACTOR_KIND, "unit": TEXT, "owner": TEXT.or_null}
MATRIX = {"blocks": TEXT.each, "factors": TEXT.each, "measures": MEASURE.each, "items": WHOLE}
SETTINGS = {field.name: {bool: FLAG, int: WHOLE, float: NUMBER, str: TEXT}[type(field.default)] for field in fields(Settings)}
RECORD = {"steps": WHOLE.or_null, "seconds": NUMBER.or_null, "device": TEXT.or_null, "processor": TEXT.or_null, "lengths": WHOLE.each, "aims": WHOLE.each}


def fault_of_card(card: Mapping, blocks: Sequence[str], modalities: Sequence[str]) -> str:
    """The first thing wrong with a card, in a line; empty where nothing is.

    Arguments:
        card: The content of its file.
        blocks: The names of the model's blocks, which a leakage matrix has a row for each of.
        modalities: The names of its modalities, of which a factor may be private to one.
    """
    figures, matrix = card.get("figures"), card.get("leakage")
    return (_misfit(card, CARD, PROVENANCE if figures or matrix else ())
            or (_misfit(card["machine"], {"processor": TEXT}, ["processor"], "\"machine\": ") if "machine" in card else "")
            or fault_of_training(card)
            or _first(_misfit(each, FACTOR, FACTOR, "\"factors\": ") for each in card.get("factors", ()))
            or _first(f"\"factors\": {each['owner']!r} is no modality of the model" for each in card.get("factors", ())
                      if each["owner"] not in (None, *modalities))
            or _misfit(card.get("kl", {}), dict.fromkeys(card.get("kl", {}), NUMBER.each), (), "\"kl\": ")
            or _misfit(card.get("batches", {}), dict.fromkeys(card.get("batches", {}), POSITIVE.each), (), "\"batches\": ")
            or _first(_fault_of_figure(name, figure, card.get("batches", {})) for name, figure in card.get("figures", {}).items())
            or (_fault_of_matrix(matrix, blocks) if matrix else ""))


def fault_of_training(told: Mapping) -> str:
    """The first thing wrong with the settings and the record of a training, as a card and a configuration tell them; empty where nothing is."""
    settings, record = told.get("training") or {}, told.get("trained") or {}
    return _misfit(settings, SETTINGS, (), "\"training\": ") or _misfit(record, RECORD, (), "\"trained\": ")


def _fault_of_figure(name: str, figure: object, batches: Mapping) -> str:
    if not isinstance(figure, dict) or not {"metric", "value"} <= figure.keys():
        return f"figure {name!r} is {shortened(figure)}, expected an object with a metric and a value"
    if fault := _misfit(figure, FIGURE, (), f"figure {name!r}: "):
        return fault
    known = figure.get("batches")
    if not known:
        return ""
    if fault := _misfit(known, {"of": TEXT, "means": NUMBER.each}, ["of", "means"], f"figure {name!r}: \"batches\": "):
        return fault
    counts = batches.get(known["of"])
    if not counts or len(counts) != len(known["means"]):
        return f"figure {name!r}: {len(known['means'])} means over the batches {known['of']!r}, of which the card has {len(counts or ())}"
    return ""


def _fault_of_matrix(matrix: Mapping, blocks: Sequence[str]) -> str:
    if fault := _misfit(matrix, MATRIX, [*MATRIX, "values", "ceiling"], "\"leakage\": "):
        return fault
    if missing := set(blocks) - set(matrix["blocks"]):
        return f"\"leakage\": no row for the block {min(missing)!r}"
    shape = len(matrix["blocks"]), len(matrix["factors"])
    if len(matrix["measures"]) != shape[1]:
        return f"\"leakage\": {len(matrix['measures'])} measures of {shape[1]} factors"
    return _first(f"\"leakage\": {key!r} is no matrix of {shape[0]} blocks and {shape[1]} factors" for key in ("values", "ceiling", "errors")
                  if not is_array(matrix.get(key), *shape) and (key == "values" or matrix.get(key)))


def _misfit(entries: Mapping, kinds: Mapping[str, Kind], required: Sequence[str] | Mapping = (), where: str = "") -> str:
    """The first entry that is missing or not what it should be, in words; empty where there is none.

    Arguments:
        kinds: What each entry should be where it is there.
        required: Those that must be there.
        where: What the entries are of, as the words begin.
    """
    return (_first(f"{where}no \"{key}\" in it" for key in required if key not in entries)
            or _first(f"{where}\"{key}\" is {shortened(entries[key])}, expected {kind.words}" for key, kind in kinds.items() if key in entries and not kind.holds(entries[key])))


def _first(faults) -> str:
    return next(filter(None, faults), "")


def shortened(value: object) -> str:
    """The beginning of a value as it stands in its file."""
    return json.dumps(value, ensure_ascii=False)[:40]


def is_array(value: object, *shape: int) -> bool:
    """Whether JSON lists hold finite numbers in this shape."""
    try:
        array = np.array(value)
    except ValueError:  # ragged
        return False
    return array.shape == shape and array.dtype.kind in "if" and bool(np.isfinite(array).all()) or array.size == 0 and 0 in shape
