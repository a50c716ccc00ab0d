"""A card comes from anywhere: one that is malformed in any place is refused in a line, or harms nobody who looks at it."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmvae import archive
from mmvae.cards import fault_of_card, fault_of_training
from mmvae.checkpoints import CARD, CONFIG, CheckpointError, described, read_json, write_json
from mmvae.comparison import Entry, columns, entry_of, key_lines, lines, measured_on
from mmvae.metrics import METRICS
from mmvae.report import csv_table, html_report, latex_table, standings_html
from tiny import spoiled

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "checkpoints"
#: What stands in place of an entry; the class that a dictionary raises stands for none at all.
SPOILS = (KeyError, "x", None, -1, 0, 0.5, 1e300, True, [], {}, ["x"], {"x": "x"})


def places(node: object, path: tuple = ()) -> Iterator[tuple]:
    """The path of every entry of a card; of what is alike, as a list's values and figures with the same entries, of the first alone."""
    if path:
        yield path
    inside = dict(enumerate(node)) if isinstance(node, list) else node if isinstance(node, dict) else {}
    if path == ("figures",):
        inside = {frozenset(figure): (key, figure) for key, figure in reversed(node.items())}
        inside = dict(inside.values())
    elif isinstance(node, list) or path[:1] in (("batches",), ("readers",)):
        inside = dict(list(inside.items())[:1])
    for key, value in inside.items():
        yield from places(value, (*path, key))


def shown(entries: list[Entry]) -> None:
    """All that the Compare page and its files make of cards."""
    over = columns(entries)
    standings_html(over, key_lines(over))
    standings_html(over, lines(over))
    for made in (html_report(entries), csv_table(entries), latex_table(entries)):
        made.encode()


def beside(name: str) -> list[Entry]:
    """The model trained with another seed, and one of another variant measured on the same pairs."""
    entry = entry_of(SHIPPED / name)
    other = next(folder for folder in sorted(SHIPPED.glob(f"{name.partition('-')[0]}-*")) if folder.name != name and (folder / CARD).is_file())
    return [Entry("another seed", spoiled(entry.config, ("training", "seed"), 7), entry.card), entry_of(other)]


def refused_or_shown(folder: Path, others: list[Entry]) -> bool:
    """Whether the entry of a folder is refused, in one line; where it is not, it is shown."""
    try:
        entry = entry_of(folder)
    except CheckpointError as error:
        assert str(error).startswith(str(folder)) and "\n" not in str(error) and len(str(error)) < len(str(folder)) + 250, str(error)
        return True
    shown([entry, *others])
    return False


@pytest.mark.parametrize(("name", "alone"), [("faces-mumo", False), ("digits-joint-poe", False), ("digits-joint-poe", True)],
                         ids=["with private blocks", "with one block", "without its configuration"])
def test_every_entry_of_a_card_can_be_anything_at_all(tmp_path, name, alone):
    folder = tmp_path / name
    folder.mkdir()
    if not alone:
        shutil.copy(SHIPPED / name / CONFIG, folder)
    card, others = read_json(SHIPPED / name / CARD), beside(name)
    write_json(folder / CARD, card)
    assert not refused_or_shown(folder, others)
    refused, of = 0, 0
    for path in places(card):
        if alone and path[:1] == ("figures",) and path[1:]:
            continue  # a configuration has no part in them
        for value in SPOILS:
            (folder / CARD).write_text(json.dumps(spoiled(card, path, value)))
            try:
                refused += refused_or_shown(folder, others)
            except Exception as error:
                error.add_note(f"{path} is {value!r}")
                raise
            of += 1
    assert of > 500 and 0.5 < refused / of < 1


def card_of(name: str) -> dict:
    return read_json(SHIPPED / name / CARD)


def test_a_figure_can_be_called_by_any_metric():
    entry, *others = beside("faces-mumo")
    key = "linear_probe/z_shared given lighting/identity"
    assert entry.card["figures"][key]
    for metric in METRICS:
        figures = {name: figure | {"metric": metric} for name, figure in list(entry.card["figures"].items())[::5]}
        shown([Entry("one", entry.config, entry.card | {"figures": figures | {"": figures[next(iter(figures))]}}), *others])


@pytest.mark.parametrize(("path", "value", "said"), [
    (("figures", "reconstruction/elevation", "reference"), "x", "figure 'reconstruction/elevation': \"reference\" is \"x\", expected a number or null"),
    (("figures", "reconstruction/elevation", "batches", "of"), "x", "figure 'reconstruction/elevation': 50 means over the batches 'x', of which the card has 0"),
    (("figures", "reconstruction/elevation", "value"), KeyError, "expected an object with a metric and a value"),
    (("leakage", "errors"), [[0.1]], "\"leakage\": 'errors' is no matrix of 3 blocks and 4 factors"),
    (("leakage", "measures", 0), "R2", "expected a list, each \"R²\" or \"accuracy above chance\""),
    (("leakage", "blocks", 1), "x", "\"leakage\": no row for the block 'z_shared'"),
    (("factors", 0, "owner"), "x", "\"factors\": 'x' is no modality of the model"),
    (("machine", "processor"), KeyError, "\"machine\": no \"processor\" in it"),
    (("pairs",), KeyError, "no \"pairs\" in it"),
    (("seconds",), "x", "\"seconds\" is \"x\", expected a number"),
    (("trained", "processor"), 3, "\"trained\": \"processor\" is 3, expected a text or null"),
])
def test_what_is_wrong_is_said_with_its_place_and_value(path, value, said):
    card, names = card_of("faces-mumo"), (["z_elevation", "z_shared", "z_lighting"], ["elevation", "lighting"])
    assert fault_of_card(card, *names) == ""
    assert fault_of_card(spoiled(card, path, value), *names).endswith(said)


def test_an_error_in_nanoseconds_since_1970_is_a_figure_too():
    card = spoiled(card_of("faces-mumo"), ("figures", "preserved_error/elevation→lighting/azimuth", "value"), 1.8e18)
    assert fault_of_card(card, ["z_elevation", "z_shared", "z_lighting"], ["elevation", "lighting"]) == ""


def test_every_kept_card_is_well_formed():
    files = [*SHIPPED.glob(f"*/{CARD}"), *(ROOT / "results").glob(f"*/{CARD}")]
    assert len(files) > 30 and all(entry_of(file.parent).card for file in files)


@pytest.mark.parametrize("change", [{"steps": "many"}, {"batch_size": None}, {"seed": [0]}, {"optimizer": 3}, {"learning_rate": True}])
def test_settings_of_a_training_that_no_table_could_tell_are_refused_wherever_they_stand(tmp_path, change):
    folder = tmp_path / "faces-mumo"
    folder.mkdir()
    config = read_json(SHIPPED / "faces-mumo" / CONFIG)
    assert fault_of_training(config) == "" and fault_of_training({"training": change})
    begun = {"of": "x", "training": config["training"] | change, "trained": {}}
    for spoiled_config in (config | {"training": config["training"] | change}, config | {"began_with": begun}):
        write_json(folder / CONFIG, spoiled_config)
        with pytest.raises(CheckpointError, match=f"config.json: .*{next(iter(change))}.*expected"):
            described(folder)


def test_means_over_other_batches_of_one_name_are_not_paired():
    card = card_of("faces-mumo")
    shorter = copy.deepcopy(card)
    shorter["batches"] = {name: counts[:-1] for name, counts in card["batches"].items()}
    for figure in shorter["figures"].values():
        if "batches" in figure:
            figure["batches"]["means"].pop()
    assert fault_of_card(shorter, [], ["elevation", "lighting"]) == ""
    entry, *_ = beside("faces-mumo")
    shown([Entry("long", entry.config, card), Entry("short", entry.config, shorter), Entry("short too", entry.config, shorter)])


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_half_a_character_is_refused_and_two_halves_are_one(tmp_path, text):
    file = tmp_path / CARD
    file.write_text(json.dumps({"measured": text}))
    with pytest.raises(CheckpointError, match="not readable"):
        read_json(file)
    file.write_text(json.dumps({"measured": "😀"}))
    assert "\\ud83d" in file.read_text() and read_json(file) == {"measured": "😀"}


def test_an_upload_with_a_malformed_card_is_refused_and_compare_goes_on(tmp_path):
    good = tmp_path / "checkpoints" / "faces-dmvae"
    shutil.copytree(SHIPPED / "faces-dmvae", good)
    bad = tmp_path / "bad"
    shutil.copytree(SHIPPED / "faces-mumo", bad)
    write_json(bad / CARD, spoiled(card_of("faces-mumo"), ("seconds",), "x"))
    with pytest.raises(CheckpointError, match='^bad.zip/card.json: "seconds" is "x", expected a number$'):
        archive.unpack(archive.pack(bad), "bad.zip", tmp_path)
    bad.rename(tmp_path / "checkpoints" / "bad")  # as one left by a program that let it pass
    found = measured_on("faces", tmp_path)
    assert [entry.name for entry in found] == ["faces-dmvae"]
    shown(found)
