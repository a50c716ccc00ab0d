"""The README's tables are what the cards say, and the command in each row trains the model of that row."""

import shlex
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from mmvae import cli
from mmvae.checkpoints import read_json
from mmvae.comparison import Entry, length_of, pairs_seen, trainings_of
from mmvae.data import DATASETS
from mmvae.networks import DECODERS, FINER
from mmvae.presets import REFIT
from mmvae.results import _steps, _table, command_of, measured, of_each_variant, time_of
from mmvae.variants import VARIANTS

ROOT = Path(__file__).parents[1]


def plain_face() -> Entry:
    """A measured model of faces that was trained once, with decoders like its encoders."""
    return next(entry for entry in measured(ROOT) if entry.config["dataset"] == "faces" and len(trainings_of(entry)) == 1
                and command_of(entry) and "--decoders" not in command_of(entry))


@pytest.mark.parametrize("file, words", [("README.md", []), ("docs/results.md", ["--every"])])
def test_a_file_shows_the_tables_that_the_command_prints(file, words, capsys):
    assert cli.main(["results", *words]) == 0
    assert capsys.readouterr().out in (ROOT / file).read_text()


@pytest.mark.parametrize("dataset", ["faces", "mnist-svhn"])
def test_the_short_table_has_each_variant_once_and_the_shipped_model_where_there_is_one(dataset):
    chosen = [entry for entry in of_each_variant(measured(ROOT)) if entry.config["dataset"] == dataset]
    names = [entry.config["variant"]["name"] for entry in chosen]
    assert sorted(names) == sorted(set(names)) and {name for name, row in VARIANTS.items() if not row.own} <= set(names)
    for card in (ROOT / "checkpoints").glob(f"{dataset}-*/card.json"):
        assert read_json(card) in [entry.card for entry in chosen]
    for entry in chosen:
        if not (ROOT / "checkpoints" / entry.name).exists():
            alike = [other for other in measured(ROOT) if (other.config["dataset"], other.title) == (dataset, entry.title)]
            assert _steps(entry) == max(map(_steps, alike))


def test_every_shipped_model_is_measured_on_the_weights_that_are_shipped():
    shipped = {folder.name for folder in (ROOT / "checkpoints").iterdir() if (folder / "config.json").is_file() and folder.name != "readers"}
    assert shipped <= {entry.name for entry in measured(ROOT)}


@pytest.mark.parametrize("entry", measured(ROOT), ids=lambda entry: entry.name)
def test_the_command_of_a_row_begins_the_run_that_the_row_tells_of(entry, tmp_path, monkeypatch):
    if command_of(entry) is None:  # said so in the table, and so it must be
        row = DATASETS[entry.config["dataset"]]
        assert [m["network"] for m in entry.config["modalities"]] != [m.network for m in row.modalities]
        return
    begun = {}
    monkeypatch.setattr("mmvae.cli.dataset", lambda name, root: None)  # its images need not be on this machine: nothing is trained
    monkeypatch.setattr("mmvae.training.start", lambda run, model, settings, source: begun.update(model=model, settings=asdict(settings)))
    arguments = cli._parser().parse_args(["train", *shlex.split(command_of(entry)), "--out", str(tmp_path)])
    cli._started(arguments)
    assert [{"name": b.name, "owner": b.owner, "dim": b.dim} for b in begun["model"].blocks] == entry.config["blocks"]
    told = {"optimizer": "adam", "private_open": 0, "beta": 1.0} | trainings_of(entry)[0].settings  # as those say that were begun before there was a choice
    of_no_account = {"snapshot", "device"}
    assert {key: value for key, value in begun["settings"].items() if key not in of_no_account} == {
        key: value for key, value in told.items() if key not in of_no_account}
    finer = FINER if any(training.how == "encoders" for training in trainings_of(entry)) else {}
    assert [(m.name, m.likelihood, m.weight, finer.get(m.network, m.network)) for m in begun["model"].modalities] == [
        (m["name"], m["likelihood"], m["weight"], m["network"]) for m in entry.config["modalities"]]


def test_a_run_that_went_on_for_longer_says_so():
    entry = measured(ROOT)[0]
    steps = entry.config["training"]["steps"]
    longer = replace(entry, config={**entry.config, "trained": {"steps": steps + 500, "seconds": 120}})
    row = _table({"steps × batch": length_of, "time": time_of}, [longer]).splitlines()[-1]
    assert f"{steps + 500:,} × " in row and "2 min" in row and f"then `--resume --steps {steps + 500}`" in row
    assert "--resume" not in _table({}, [entry])
    thrice = replace(entry, config={**entry.config, "trained": {"steps": steps + 900, "lengths": [steps, steps + 500, steps + 900]}})
    assert f"`, then `--resume --steps {steps + 500}`, then `--resume --steps {steps + 900}` |" in _table({}, [thrice])


def test_the_time_on_a_graphics_processor_is_told_apart():
    entry = measured(ROOT)[0]
    trainings = [{"steps": 1, "seconds": 120, "device": "cuda", "processor": "NVIDIA H200"}, {"steps": 1, "seconds": 300}, {"steps": 1, "seconds": 60}]
    config = {**entry.config, "trained": trainings[2]}
    for each in trainings[1::-1]:
        inner = {"of": "before", "training": entry.config["training"], "trained": each}
        target = config
        while "began_with" in target:
            target = target["began_with"]
        target["began_with"] = inner
    assert time_of(replace(entry, config=config)) == "2 min on NVIDIA H200 + 5 + 1 min"


def test_a_run_that_was_cut_short_says_so():
    entry = measured(ROOT)[0]
    steps = entry.config["training"]["steps"]
    short = replace(entry, config={**entry.config, "trained": {"steps": steps - 1, "seconds": 120, "lengths": [steps - 1]}})
    assert _table({}, [short]).endswith(f"`, then stopped, then `--resume --steps {steps - 1}` |")


def test_a_run_that_was_stopped_on_its_way_to_another_end_says_so():
    entry = measured(ROOT)[0]
    steps = entry.config["training"]["steps"]
    trained = {"steps": steps - 9, "seconds": 120, "aims": [steps, steps - 1]}
    stopped = replace(entry, config={**entry.config, "trained": trained})
    assert _table({}, [stopped]).endswith(f"`, then stopped, then `--resume --steps {steps - 1}`, then stopped after {steps - 9:,} |")


def test_a_run_that_was_stopped_early_says_so():
    entry = measured(ROOT)[0]
    steps = entry.config["training"]["steps"]
    stopped = replace(entry, config={**entry.config, "trained": {"steps": steps - 1, "seconds": 120}})
    row = _table({"steps × batch": length_of}, [stopped]).splitlines()[-1]
    assert f"{steps - 1:,} × " in row and row.endswith(f", then stopped after {steps - 1:,} |")


@pytest.mark.parametrize("decoders", DECODERS)
def test_decoders_that_were_other_from_the_start_are_spelled_out(decoders):
    entry = plain_face()
    other = replace(entry, config={**entry.config, "modalities": [
        {**m, "network": DECODERS[decoders][m["network"]]} for m in entry.config["modalities"]]})
    assert command_of(other) == f"{command_of(entry)} --decoders {decoders}"


def test_a_model_with_refitted_decoders_tells_of_both_trainings():
    entry = plain_face()
    first = {"steps": entry.config["training"]["steps"], "seconds": 600}
    again = asdict(replace(REFIT, steps=REFIT.steps + 1, seed=4))
    fitted = replace(entry, config={
        **entry.config, "encoders": {"of": "first", "training": entry.config["training"], "trained": first},
        "training": again, "trained": {"steps": again["steps"], "seconds": 1200},
        "modalities": [{**m, "network": FINER[m["network"]]} for m in entry.config["modalities"]]})
    row = _table({"steps × batch": length_of, "time": time_of}, [fitted]).splitlines()[-1]
    batch = entry.config["training"]["batch_size"]
    assert f"| {first['steps']:,} × {batch}, decoders {again['steps']:,} × {again['batch_size']} | 10 + 20 min |" in row
    assert row.endswith(f"| `{command_of(entry)}`, then `--encoders RUN --steps {again['steps']} --seed 4` |")
    assert pairs_seen(fitted) == first["steps"] * batch + again["steps"] * again["batch_size"]


def test_a_model_trained_on_tells_of_the_training_before():
    entry = plain_face()
    first = {"of": "first", "training": entry.config["training"], "trained": {"steps": entry.config["training"]["steps"], "seconds": 600}}
    on = {**entry.config["training"], "steps": 77, "private_open": 1}
    row = _table({"steps × batch": length_of, "time": time_of}, [replace(entry, config={**entry.config, "began_with": first, "training": on,
                                                                                       "trained": {"steps": 77, "seconds": 60}})]).splitlines()[-1]
    assert f", on 77 × {on['batch_size']} | 10 + 1 min |" in row
    assert row.startswith(f"| {entry.title} |") and row.endswith(f"| `{command_of(entry)}`, then `--begin-with RUN --steps 77 --private-open 1` |")
