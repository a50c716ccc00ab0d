"""Checkpoints: weights as safetensors, everything else as JSON. Loading executes nothing that a file brings along.

A folder (a shipped checkpoint or a run's folder) holds

- ``config.json``: schema version, the variant's row, data set, modalities, blocks, training settings;
- ``weights.safetensors``: the parameters; where shipped in half precision, large matrices as eight-bit rows;
- ``statistics.json``: the aggregate posterior per dimension, and reference items with their codes;
- ``card.json``: measured figures, written by ``python -m mmvae evaluate``.
"""

from __future__ import annotations

__all__ = ["SCHEMA", "Checkpoint", "CheckpointError", "build_model", "catalogue", "check_card", "config_of", "described", "digest", "home_folder", "load", "open_checkpoint",
           "read_json", "reference_ids", "replace_weights", "save", "source_of", "statistics_of", "write_json", "write_weights"]

import filecmp
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from .cards import fault_of_card, fault_of_training, is_array, shortened
from .data import DATASETS
from .data.base import Factor, PairedDataset
from .files import write_atomically
from .history import is_number
from .latents import Block
from .machine import choose_device
from .modalities import Modality
from .model import CannotInfer, MultimodalVAE
from .variants import Variant, variant_from_json, variant_to_json

SCHEMA = 1
SHIPPED, RUNS, UPLOADS = "checkpoints", "runs", "uploads"
CONFIG, WEIGHTS, STATISTICS, CARD = "config.json", "weights.safetensors", "statistics.json", "card.json"
LARGEST = 1024  # dimensions of a block, and clusters of a prior
#: Where a configuration tells of the training before: whose encoders a run keeps, or which weights it began with.
ORIGINS = ("encoders", "began_with")
MOST_ORIGINS = 100
#: Weights of at least so many values are packed as int8, each row of the first axis with a scale under the tensor's name and this ending.
LARGE, SCALE = 2**13, "@scale"


class CheckpointError(Exception):
    """A checkpoint that cannot be used: one line that names the file and what is wrong with it."""


@dataclass(frozen=True)
class Checkpoint:
    """A model with what is known of it.

    Arguments:
        path: Its folder.
        model: In evaluation mode.
        config: The content of ``config.json``.
        statistics: The aggregate posterior, see `statistics_of`; empty where it was not computed yet.
        card: Measured figures; empty where it was not evaluated yet.
        name: What it is opened by, see `catalogue`; its folder's name unless opened by another.
    """

    path: Path
    model: MultimodalVAE
    config: dict
    statistics: dict
    card: dict
    name: str = ""


def load(path: str | Path, device: str = "cpu") -> MultimodalVAE:
    """The model of a checkpoint's or a run's folder, to look into: in evaluation mode, its parameters without gradients.

    Arguments:
        path: The folder, or a name in the catalogue of this machine, such as ``"faces-mumo"``.
        device: Where it computes: ``"cpu"``, ``"cuda"``, or ``"auto"``, which is CUDA where there is one.

    Raises:
        CheckpointError: Where something is missing or malformed.
        ValueError: Where there is no such device.
    """
    known = {} if (Path(path) / CONFIG).is_file() else catalogue()
    return open_checkpoint(known.get(str(path), path), str(choose_device(device))).model.requires_grad_(False)


def open_checkpoint(path: str | Path, device: str = "cpu", weights: str = WEIGHTS) -> Checkpoint:
    """A checkpoint with its statistics and card; see `load`.

    Arguments:
        weights: The file of weights within the folder: a run also keeps ``best.safetensors``.
    """
    folder = Path(path)
    if not (folder / CONFIG).is_file():
        raise CheckpointError(f"{folder}: no {CONFIG} in it; expected a checkpoint's or a run's folder")
    config, statistics, card = described(folder)
    model = build_model(config, str(folder / CONFIG))
    file = folder / weights
    try:
        tensors = _unpack(load_file(file))
    except FileNotFoundError:
        raise CheckpointError(f"{file}: missing; the run may not have saved a first snapshot yet") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{file}: not a safetensors file ({error})") from None
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    got = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if expected != got:
        name = next(n for n in [*expected, *got] if expected.get(n) != got.get(n))
        raise CheckpointError(f"{file}: tensor {name!r} is {got.get(name, 'missing')}, the configuration needs {expected.get(name, 'none')}")
    odd = next((name for name, tensor in tensors.items() if tensor.dtype not in (torch.float32, torch.float16, torch.bfloat16, torch.float64)), None)
    if odd is not None:
        raise CheckpointError(f"{file}: tensor {odd!r} is of type {str(tensors[odd].dtype).removeprefix('torch.')}, expected floating-point numbers")
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise CheckpointError(f"{file}: holds values that are not finite")
    model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return Checkpoint(folder, model.eval().to(device), config, statistics, card, folder.name)


def source_of(config: Mapping) -> str:
    """What a model was trained on: the name of a data set, or the path of a person's own; empty where its configuration names none."""
    return config.get("source") or config.get("dataset") or ""


def described(folder: Path) -> tuple[dict, dict, dict]:
    """What a checkpoint's folder says of its model, held against what this program reads from it; no weights are read.

    Returns:
        Configuration, statistics and card; either of the last two is empty where there is none.

    Raises:
        CheckpointError: Where one of them is malformed.
    """
    config = read_json(folder / CONFIG)
    _, modalities, blocks = _parts(config, str(folder / CONFIG))
    card = read_json(folder / CARD) if (folder / CARD).is_file() else {}
    check_card(card, folder / CARD, [block.name for block in blocks], [modality.name for modality in modalities])
    return config, _read_statistics(folder / STATISTICS, blocks, DATASETS[config["dataset"]].factors if config["dataset"] in DATASETS else ()), card


def check_card(card: dict, where: Path, blocks: Sequence[str], modalities: Sequence[str]) -> None:
    """Holds measured figures against what is read from them; none at all are well.

    Arguments:
        where: Their file, which is named in errors.
        blocks, modalities: The names of the model's.

    Raises:
        CheckpointError: Where they are malformed.
    """
    if fault := fault_of_card(card, blocks, modalities):
        raise CheckpointError(f"{where}: {fault}")


def _read_statistics(file: Path, blocks: Sequence[Block], factors: Sequence[Factor]) -> dict:
    """See `statistics_of`; empty where there are none.

    Arguments:
        factors: Of its data set; none where they are not known.
    """
    statistics = read_json(file) if file.is_file() else {}
    known, reference = statistics.get("blocks", {}), statistics.get("reference", {})
    if not isinstance(known, dict) or known and not all(_is_aggregate(known.get(block.name), block.dim) for block in blocks):
        raise CheckpointError(f"{file}: \"blocks\" are not statistics of every dimension")
    if not isinstance(reference, dict) or reference and not _is_reference(reference, blocks, factors):
        raise CheckpointError(f"{file}: \"reference\" is not items with their labels and codes")
    return statistics


def _is_aggregate(known: object, dim: int) -> bool:
    needed, others = ("stddev", "low", "high", "sigma", "kl"), ("mean", "min", "max")
    return (isinstance(known, dict) and all(is_array(known.get(key), dim) for key in (*needed, *(key for key in others if key in known)))
            and isinstance(known.get("histogram"), list) and len(known["histogram"]) == dim
            and all(isinstance(counts, list) and all(map(is_number, counts)) for counts in known["histogram"]))


def _is_reference(reference: dict, blocks: Sequence[Block], factors: Sequence[Factor]) -> bool:
    ids, labels, codes = (reference.get(key) for key in ("ids", "labels", "codes"))
    if not isinstance(ids, list) or not all(type(i) is int and 0 <= i < 2**63 for i in ids) or not isinstance(labels, dict) or not isinstance(codes, dict):
        return False
    classes = {factor.name: range(len(factor.values)) for factor in factors if factor.kind == "categorical"}
    if not all(is_array(values, len(ids)) and all(value in classes.get(name, [value]) for value in values) for name, values in labels.items()):
        return False
    return all(
        isinstance(code, dict) and isinstance(code.get(block.name), dict) and is_array(code[block.name].get(moment), len(ids), block.dim)
        for code in codes.values() for block in blocks for moment in ("mean", "stddev"))


def home_folder() -> Path:
    """Where models lie by name: the variable MMVAE_HOME, else the folder of app.py."""
    return Path(os.environ.get("MMVAE_HOME") or Path(__file__).resolve().parents[1]).absolute()


def catalogue(home: Path | None = None) -> dict[str, Path]:
    """Every checkpoint that can be opened by name: shipped ones, then runs that have saved a snapshot, then uploads.

    A checkpoint goes by its folder's name. Where that is taken, as a run's often is by the checkpoint that was shipped of
    it, a run has ``-run`` appended and an upload ``-upload``.

    Arguments:
        home: The folder that holds ``checkpoints/``, ``runs/`` and ``uploads/``; default: `home_folder`.
    """
    home = home or home_folder()
    found: dict[str, Path] = {}
    doubles = []
    for parent in (SHIPPED, RUNS, UPLOADS):
        for folder in sorted((home / parent).glob("[!.]*/")):  # hidden ones are on their way in or out
            if (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file():
                if found.setdefault(folder.name, folder) is not folder:
                    doubles.append(folder)
    for folder in doubles:
        stem = f"{folder.name}-{folder.parent.name.removesuffix('s')}"
        found[next(name for name in (stem, *(f"{stem}-{i}" for i in range(2, len(found) + 2))) if name not in found)] = folder
    return found


def digest(path: Path) -> str:
    """The first eight hexadecimal digits of the SHA-256 of a checkpoint's weights: a point names its model by it."""
    with open(path / WEIGHTS, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:8]


def build_model(config: dict, where: str) -> MultimodalVAE:
    """An untrained model from a configuration; `where` names its source in errors."""
    variant, modalities, blocks = _parts(config, where)
    try:
        return MultimodalVAE(variant, modalities, blocks, config["dataset"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"{where}: {type(error).__name__}: {error}") from None


def _parts(config: dict, where: str) -> tuple[Variant, list[Modality], list[Block]]:
    """What a configuration describes, its other entries held against what is read from them."""
    schema = config.get("schema") if isinstance(config, dict) else None
    if schema != SCHEMA or isinstance(schema, bool):  # True equals 1
        raise CheckpointError(f"{where}: schema version {schema!r}, this program reads {SCHEMA}")
    for key in ("modalities", "blocks"):
        rows = config.get(key, [])
        if not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
            raise CheckpointError(f"{where}: {key} is {json.dumps(rows)[:60]}, expected a list of objects")
    try:
        modalities = [Modality(**{**row, "shape": tuple(row["shape"])}) for row in config["modalities"]]
        blocks = [Block(**row) for row in config["blocks"]]
        variant = variant_from_json(config["variant"])
        _check_config(config, variant, modalities, blocks)
    except KeyError as error:
        raise CheckpointError(f"{where}: no {error} in it") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{where}: {type(error).__name__}: {error}") from None
    return variant, modalities, blocks


def _check_config(config: dict, variant: Variant, modalities: Sequence[Modality], blocks: Sequence[Block]) -> None:
    # A hostile file must not make us allocate what no model of ours needs.
    if len(modalities) != 2:
        raise ValueError(f"{len(modalities)} modalities, expected two")
    if any(m.shape[1] > 64 or m.shape[2] > 64 or m.shape[0] > 3 for m in modalities) or any(b.dim > LARGEST for b in blocks) or variant.prior_clusters > LARGEST:
        shapes, sizes = " and ".join("×".join(map(str, m.shape)) for m in modalities), " + ".join(str(b.dim) for b in blocks)
        raise ValueError(f"images of {shapes}, {sizes} dimensions and {variant.prior_clusters} clusters are beyond what this program builds: "
                         f"3×64×64, {LARGEST} dimensions in a block, {LARGEST} clusters")
    if odd := next((m.shape[0] for m in modalities if m.shape[0] not in (1, 3)), None):
        raise ValueError(f"a modality has pictures of {odd} channels, expected 1 (grey) or 3 (colour)")
    if odd := next((b.name for b in blocks if not isinstance(b.name, str)), None):
        raise ValueError(f"a block's name is {odd!r}, expected a text")
    for text in (text for m in modalities for text in (m.name, m.symbol, m.title)):
        if not isinstance(text, str):
            raise ValueError(f"a modality's name, symbol or title is {text!r}, expected a text")
    for value in (config["dataset"], config.get("source")):
        if not isinstance(value, str | None):
            raise ValueError(f"data set {value!r} is no name")
    _check_origin(config)
    row = DATASETS.get(config["dataset"])
    if row and [(m.name, m.shape) for m in row.modalities] != [(m.name, m.shape) for m in modalities]:
        raise ValueError(f"modalities {' and '.join(m.name for m in modalities)} of other names or shapes than {row.title} has")


def _check_origin(config: dict, depth: int = 0) -> None:
    """How the weights came to be, and those before them that a training began from (`mmvae.training`)."""
    for key in ("training", "trained", *ORIGINS):
        if not isinstance(config.get(key), dict | None):
            raise ValueError(f"{key} is {config[key]!r}, expected an object")
    if fault := fault_of_training(config):
        raise ValueError(fault)
    for key in ORIGINS:
        origin = config.get(key) or {"of": "", "training": {}, "trained": {}}
        if not (isinstance(origin.get("of"), str) and isinstance(origin.get("training"), dict) and isinstance(origin.get("trained"), dict)):
            raise ValueError(f"{key} need the name of what they are of, its settings and its record" if key == "encoders" else
                             f"{key} needs the name of a model, its settings and its record")
        if depth == MOST_ORIGINS:
            raise ValueError(f"more than {MOST_ORIGINS} trainings, each begun from another")
        if config.get(key):
            _check_origin(origin, depth + 1)


def config_of(model: MultimodalVAE, training: dict) -> dict:
    """What ``config.json`` holds for a model and its training settings."""
    return {"schema": SCHEMA, "variant": variant_to_json(model.variant), "dataset": model.dataset,
            "modalities": [asdict(m) for m in model.modalities], "blocks": [asdict(b) for b in model.blocks], "training": training}


def save(folder: Path, model: MultimodalVAE, config: dict, statistics: dict | None = None, *, half: bool = False) -> None:
    """Writes a checkpoint; each file appears whole or not at all, the configuration first."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / CONFIG, config)
    if statistics is not None:
        write_json(folder / STATISTICS, statistics)
    replace_weights(folder, model, half=half)


def replace_weights(folder: Path, model: MultimodalVAE, *, half: bool = False) -> None:
    """Writes a checkpoint's weights; a card of other weights, which would pass for a measurement of these, goes before they come.

    Arguments:
        half: As of `write_weights`.
    """
    card, weights = folder / CARD, folder / WEIGHTS

    def write(temporary: str) -> None:
        save_file(_tensors_of(model, half), temporary)
        if card.is_file() and not (weights.is_file() and filecmp.cmp(temporary, weights, shallow=False)):
            card.unlink()

    write_atomically(weights, write)


def write_weights(file: Path, model: MultimodalVAE, *, half: bool = False) -> None:
    """The parameters alone.

    Arguments:
        half: Whether to pack them for sharing: half precision, and eight bits with a scale for each row in matrices and
            convolutions of at least `LARGE` values. No value moves by more than 1/254 of its row's largest.
    """
    write_atomically(file, lambda temporary: save_file(_tensors_of(model, half), temporary))


def _tensors_of(model: MultimodalVAE, half: bool) -> dict[str, torch.Tensor]:
    tensors = {name: tensor.detach().cpu().float().contiguous() for name, tensor in model.state_dict().items()}
    return _pack(tensors) if half else tensors


def _pack(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    packed = {}
    for name, tensor in tensors.items():
        if tensor.dim() > 1 and tensor.numel() >= LARGE:
            scale = (tensor.flatten(1).abs().amax(1) / 127).clamp_min(1e-7).half()
            packed[name] = torch.round(tensor / _along(scale, tensor)).clamp(-127, 127).to(torch.int8)
            packed[name + SCALE] = scale
        else:
            packed[name] = tensor.half()
    return packed


def _unpack(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The inverse of `_pack` up to rounding; a ValueError where a scale does not fit its matrix."""
    scales = {name.removesuffix(SCALE): tensors[name] for name in tensors if name.endswith(SCALE)}
    for name, scale in scales.items():
        if name not in tensors or tensors[name].dtype != torch.int8 or tensors[name].dim() < 2 or scale.shape != tensors[name].shape[:1]:
            raise ValueError(f"scale of {name!r} without its eight-bit weights")
    return {name: tensor.float() * _along(scales[name], tensor) if name in scales else tensor
            for name, tensor in tensors.items() if not name.endswith(SCALE)}


def _along(scale: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    """A scale for each row [R] in the shape in which it multiplies a tensor [R, …]."""
    return scale.float().view(-1, *[1] * (tensor.dim() - 1))


def reference_ids(data: PairedDataset, n: int = 48, seed: int = 0) -> list[int]:
    """A few dozen test items, the same for every model of the data set, so that pictures compare."""
    ids = data.split("test")
    return ids[np.sort(np.random.default_rng(seed).choice(len(ids), min(n, len(ids)), replace=False))].tolist()


@torch.inference_mode()
def statistics_of(model: MultimodalVAE, data: PairedDataset, n: int = 2000, seed: int = 0) -> dict:
    """The aggregate posterior of the pair per dimension, over random validation pairs, and reference items with their codes.

    Returns:
        ``{"items": n, "blocks": {name: {"mean", "stddev", "min", "low", "high", "max", "sigma", "kl", "histogram"}},
        "reference": {"ids", "labels", "codes": {given: {block: {"mean", "stddev"}}}}}`` where mean, stddev, the ends
        (min, max) and the 1st and 99th percentiles (low, high) are those of posterior samples, sigma is the mean posterior standard
        deviation, kl the mean KL from the prior in nats, and histogram 40 counts between low and high.
    """
    ids = data.split("validation")
    ids = ids[np.random.default_rng(seed).choice(len(ids), min(n, len(ids)), replace=False)]
    generator = torch.Generator().manual_seed(seed)
    samples, sigmas, kls = ({block.name: [] for block in model.blocks} for _ in range(3))
    for chunk in ids.split(250):
        images, _ = data.items(chunk)
        posterior, prior = model.posterior(images), model.prior(len(chunk))
        for name, belief in posterior.items():
            samples[name].append(belief.sample(generator))
            sigmas[name].append(belief.stddev)
            kls[name].append(belief.kl(prior[name]))
    blocks = {}
    for block in model.blocks:
        z = torch.cat(samples[block.name]).numpy()
        low, high = np.percentile(z, [1, 99], axis=0)
        counts = [np.histogram(z[:, d], bins=40, range=(low[d], max(high[d], low[d] + 1e-6)))[0].tolist() for d in range(block.dim)]
        blocks[block.name] = {
            "mean": _round(z.mean(0)), "stddev": _round(z.std(0)), "min": _round(z.min(0)),
            "low": _round(low), "high": _round(high), "max": _round(z.max(0)),
            "sigma": _round(torch.cat(sigmas[block.name]).mean(0).numpy()), "kl": _round(torch.cat(kls[block.name]).mean(0).numpy()),
            "histogram": counts}
    reference = reference_ids(data)
    images, labels = data.items(reference)
    codes = {}
    for given in (model.names, model.names[:1], model.names[1:]):
        try:
            posterior = model.posterior({name: images[name] for name in given})
        except CannotInfer:
            continue
        codes["+".join(given)] = {name: {"mean": _round(belief.mean.numpy()), "stddev": _round(belief.stddev.numpy())}
                                  for name, belief in posterior.items()}
    return {"items": len(ids), "blocks": blocks,
            "reference": {"ids": reference, "labels": {name: values.tolist() for name, values in labels.items()}, "codes": codes}}


def _round(values: np.ndarray) -> list:
    return np.round(values.astype(float), 4).tolist()


def write_json(file: Path, content: dict) -> None:
    """JSON that appears whole or not at all, what holds only plain values on one line: cards and statistics are mostly numbers."""
    write_atomically(file, lambda temporary: Path(temporary).write_text(_json_of(content) + "\n", encoding="utf-8"))


def _json_of(content: object, margin: str = "\n") -> str:
    """A text of JSON; lists of numbers, most of a card's length, without spaces."""
    values = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    if not any(isinstance(value, (dict, list)) and value for value in values):
        return json.dumps(content, ensure_ascii=False, separators=(", " if isinstance(content, dict) else ",", ": "))
    deeper = margin + " "
    if isinstance(content, dict):
        return "{" + ",".join(f"{deeper}{json.dumps(name, ensure_ascii=False)}: {_json_of(value, deeper)}" for name, value in content.items()) + margin + "}"
    return "[" + ",".join(deeper + _json_of(value, deeper) for value in content) + margin + "]"


def read_json(file: Path) -> dict:
    """A JSON object; a CheckpointError where it is none."""
    try:
        text = file.read_text(encoding="utf-8")
        content = json.loads(text)
        if "\\ud" in text.lower():  # an escape of half a character, which no page could show, is refused; two halves make one
            json.dumps(content, ensure_ascii=False).encode()
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{file}: not readable as JSON ({error})") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{file}: expected a JSON object, got {type(content).__name__}")
    return content
