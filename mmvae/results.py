"""The results tables: one row a measured model, from its card and configuration, with the command that trains it."""

from __future__ import annotations

__all__ = ["MISSING", "command_of", "measured", "of_each_variant", "results", "time_of"]

from collections.abc import Callable, Sequence
from dataclasses import fields
from itertools import groupby, pairwise
from pathlib import Path

from .checkpoints import home_folder
from .comparison import Entry, Training, entry_of, length_of, trainings_of
from .data import DATASETS
from .latents import SHARED
from .networks import decoders_of
from .modalities import Modality
from .presets import REFIT, Settings, latents_for, modalities_for, settings_for
from .variants import VARIANTS

MISSING = "–"
FITTED = "fine"  # the decoders that `mmvae.training.refit` fits to a model's codes


def measured(home: Path | None = None) -> list[Entry]:
    """The entries with a card: shipped checkpoints, then models that were measured and not shipped, in ``results/``; of either the longest trained first.

    Arguments:
        home: The folder that holds ``checkpoints/`` and ``results/``; default: `mmvae.checkpoints.home_folder`.
    """
    home = home or home_folder()
    found = []
    for part in ("checkpoints", "results"):
        entries = [entry_of(card.parent) for card in sorted((home / part).glob("*/card.json"))]
        found += sorted((entry for entry in entries if entry.card.get("figures")), key=_steps, reverse=True)
    return found


def results(home: Path | None = None, *, every: bool = True) -> str:
    """Markdown tables of measured models, a table for each data set.

    Arguments:
        home: As for `measured`.
        every: Every model; else of each variant one, see `of_each_variant`.
    """
    entries, parts = measured(home), []
    if not every:
        entries = of_each_variant(entries)
    for dataset, row in DATASETS.items():
        here = [entry for entry in entries if entry.config["dataset"] == dataset]
        if here:
            columns = FACES if row.factors[0].name == "identity" else DIGITS
            parts.append(f"**{row.title}**\n\n{_table(columns, sorted(here, key=_order))}")
    return "\n\n".join(parts) + "\n"


def of_each_variant(entries: Sequence[Entry]) -> list[Entry]:
    """The model of each variant on each data set that stands for it: the shipped one, else the one trained for longest.

    Arguments:
        entries: In the order of `measured`.
    """
    chosen: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        chosen.setdefault((entry.config["dataset"], entry.config["variant"]["name"]), entry)
    return list(chosen.values())


def command_of(entry: Entry) -> str | None:
    """The command that trains an entry's model: what differs from the presets is spelled out.

    Returns:
        The arguments of ``python -m mmvae train``; None where the model has networks that its data set is no longer given.
    """
    config, variant = entry.config, VARIANTS[entry.config["variant"]["name"]]
    row, trainings = DATASETS[config["dataset"]], trainings_of(entry)
    fitted = any(training.how == "encoders" for training in trainings)
    networks = [m["network"] for m in config["modalities"]]
    decoders = decoders_of(networks)
    modalities = modalities_for(variant, row, decoders=decoders)
    if networks != [m.network for m in modalities] or fitted and not decoders:
        return None
    words = [f"--variant {variant.name}", f"--dataset {config['dataset']}", *_unusual(trainings[0].settings, settings_for(variant, row))]
    sizes = {block["owner"] or SHARED: block["dim"] for block in config["blocks"]}
    default = latents_for(variant, row)
    private = [sizes[m.name] for m in modalities if m.name in sizes]
    if private and private != list(default.get("private", row.private)):
        words.append("--private " + " ".join(map(str, private)))
    if sizes[SHARED] != default.get("shared", row.shared if private else row.joint):
        words.append(f"--shared {sizes[SHARED]}")
    for option, key in (("likelihoods", "likelihood"), ("weights", "weight")):
        said = [m.get(key, getattr(Modality, key)) for m in config["modalities"]]
        if said != [getattr(m, key) for m in modalities]:
            words.append(f"--{option} " + " ".join(str(value) if key == "likelihood" else f"{value:g}" for value in said))
    if decoders and not (fitted and decoders == FITTED):
        words.append(f"--decoders {decoders}")
    return " ".join(words)


def _unusual(training: dict, usual: Settings) -> list[str]:
    """The settings of a training that are not the usual ones, as options; one told before there was a setting had what it is by default."""
    chosen = {field.name: training.get(field.name, field.default) for field in fields(Settings)}
    words = [f"--{key.replace('_', '-')} {chosen[key]:g}" for key in ("steps", "batch_size", "learning_rate", "warmup", "seed", "beta", "private_open")
             if chosen[key] != getattr(usual, key)]
    if chosen["optimizer"] != usual.optimizer:
        words.append(f"--optimizer {chosen['optimizer']}")
    if chosen["augment"] != usual.augment:
        words.append("--augment" if chosen["augment"] else "--no-augment")
    return words


def _order(entry: Entry) -> tuple[int, int, str]:
    """By variant, and the longest training of one first."""
    names = list(VARIANTS)
    name = entry.config["variant"]["name"]
    return names.index(name) if name in names else len(names), -_steps(entry), entry.name


def _table(columns: dict[str, Callable[[Entry], str]], entries: Sequence[Entry]) -> str:
    head = ["", *columns, "`python -m mmvae train` …"]
    lines = [[entry.title, *(column(entry) for column in columns.values()), _trained(entry)] for entry in entries]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *lines))


def _trained(entry: Entry) -> str:
    command = command_of(entry)
    if command is None:
        return "with networks that have changed since"
    usual = {"encoders": REFIT, "began_with": settings_for(VARIANTS[entry.config["variant"]["name"]], DATASETS[entry.config["dataset"]])}
    first, *others = trainings_of(entry)
    parts = [f"`{command}`", *_gone_on(first)]
    for training in others:
        option = {"encoders": "--encoders", "began_with": "--begin-with"}[training.how]
        parts += ["`" + " ".join([option, "RUN", *_unusual(training.settings, usual[training.how])]) + "`", *_gone_on(training)]
    return ", then ".join(parts)


def _gone_on(training: Training) -> list[str]:
    """The commands by which a run was gone on with past the steps that its settings say, or where it was stopped before them."""
    said, record = training.settings["steps"], training.record
    done = record.get("steps") or said
    ends = record.get("lengths") or ([said, done] if done > said else [])
    aims = record.get("aims") or [said, *(end for end in ends if end != said)]
    parts = []
    for before, aim in pairwise(aims):
        parts += ["stopped"] if before not in ends else []
        parts.append(f"`--resume --steps {aim}`")
    return [*parts, f"stopped after {done:,}"] if done < aims[-1] else parts


# ---- columns

def _figure(*keys: str, show: str = "{:.2f}", factor: float = 1.0) -> Callable[[Entry], str]:
    """A column of one figure, or of several side by side."""
    def column(entry: Entry) -> str:
        found = [entry.card["figures"].get(key, {}).get("value") for key in keys]
        return MISSING if all(v is None for v in found) else ", ".join(MISSING if v is None else show.format(factor * v) for v in found)
    return column


def _knows(block: str, *factors: str) -> Callable[[Entry], str]:
    """A column of what a block knows of factors, from the leakage matrix; a guess, or worse, is 0."""
    def column(entry: Entry) -> str:
        matrix = entry.card.get("leakage") or {"blocks": []}
        if block not in matrix["blocks"]:
            return MISSING
        row = matrix["values"][matrix["blocks"].index(block)]
        return ", ".join(f"{max(0.0, row[matrix['factors'].index(factor)]):.2f}" for factor in factors)
    return column


def _beside(block: str, own: str) -> Callable[[Entry], str]:
    """A column of what a private block knows of its own factor, and the most that it knows of any other."""
    def column(entry: Entry) -> str:
        matrix = entry.card.get("leakage") or {"blocks": []}
        if block not in matrix["blocks"]:
            return MISSING
        row = dict(zip(matrix["factors"], matrix["values"][matrix["blocks"].index(block)], strict=True))
        return f"{max(0.0, row.pop(own)):.2f}, ≤ {max(0.0, *row.values()):.2f}"
    return column


def _sizes(entry: Entry) -> str:
    return " + ".join(str(block["dim"]) for block in entry.config["blocks"])


def _steps(entry: Entry) -> int:
    """Steps in all: a run may have been gone on with for longer than its settings say."""
    first = trainings_of(entry)[0]
    return first.record.get("steps") or first.settings["steps"]


def _pairs(entry: Entry) -> str:
    return f"{entry.card['pairs']:,}" if "pairs" in entry.card else MISSING


def time_of(entry: Entry) -> str:
    """How long its trainings took, and on what where that was a graphics processor: ``"4 min on NVIDIA H200 + 92 min"``."""
    records = [training.record for training in trainings_of(entry)]
    if not all(record.get("seconds") for record in records):
        return MISSING
    stretches = groupby(records, lambda record: f" on {record.get('processor', 'a graphics processor')}" if record.get("device") == "cuda" else "")
    return " + ".join(" + ".join(f"{record['seconds'] / 60:.0f}" for record in those) + f" min{place}" for place, those in stretches)


FACES = {
    "dimensions": _sizes,
    "z_I: el., any other": _beside("z_elevation", "elevation"),
    "z_T: li., any other": _beside("z_lighting", "lighting"),
    "z_S: az., id.": _knows(SHARED, "azimuth", "identity"),
    "z_S: el., li.": _knows(SHARED, "elevation", "lighting"),
    "azimuth off I→T, T→I": _figure("preserved_error/elevation→lighting/azimuth", "preserved_error/lighting→elevation/azimuth", show="{:.1f}°"),
    "identity kept": _figure("identity_kept/elevation→lighting/identity", "identity_kept/lighting→elevation/identity", show="{:.0f}%", factor=100),
    "own factor off neutral": _figure("preserved_error/elevation→lighting/elevation", "preserved_error/lighting→elevation/lighting", show="{:.1f}°"),
    "mse I, T": _figure("reconstruction/elevation", "reconstruction/lighting", show="{:.4f}"),
    "mse swapped I, T": _figure("swap_error/elevation", "swap_error/lighting", show="{:.4f}"),
    "test pairs": _pairs,
    "steps × batch": length_of,
    "time": time_of,
}
DIGITS = {
    "dimensions": _sizes,
    "M→S": _figure("cross_coherence/mnist→svhn/digit", show="{:.0f}%", factor=100),
    "S→M": _figure("cross_coherence/svhn→mnist/digit", show="{:.0f}%", factor=100),
    "M→S blurred": _figure("blurred_coherence/mnist→svhn/digit", show="{:.0f}%", factor=100),
    "joint, prior": _figure("joint_coherence/prior/digit", show="{:.0f}%", factor=100),
    "joint, fitted": _figure("joint_coherence/fitted/digit", show="{:.0f}%", factor=100),
    "mse M, S": _figure("reconstruction/mnist", "reconstruction/svhn", show="{:.4f}"),
    "steps × batch": length_of,
    "time": time_of,
}
