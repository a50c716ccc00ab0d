"""The training loop: reproducible by seed, stopped and resumed to the bit, told as events.

A run is a folder. Beside the checkpoint's files (`mmvae.checkpoints`) it holds ``events.jsonl``, one JSON object a
line; ``best.safetensors``, the weights of the best validation; ``snapshots/<step>.safetensors``, weights in half precision
of moments spread over the whole run, to look back at; and ``state.safetensors``, what resuming needs: the parameters in
full precision, the optimizer's moments, the step. Each step draws its batch and its noise from the seed and the step's number
alone, so that resuming needs no state of any generator. One process at a time trains a run (`mmvae.turns`).

A run may be begun from another's encoders (`refit`): these stay as they are, kept in ``encoders.safetensors``, and new decoders
are fitted to their codes, which no longer move. Each step then takes one of the loss's terms in turn. Or it begins with all of another's
weights (`begin`), kept in ``initial.safetensors``, and trains them on with settings of its own.
"""

from __future__ import annotations

__all__ = ["ENCODERS", "INITIAL", "Diverged", "RunError", "begin", "refit", "refitting", "settings_of", "start", "thinned", "train"]

import copy
import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from .checkpoints import STATISTICS, Checkpoint, CheckpointError, build_model, config_of, read_json, replace_weights, statistics_of, write_json, write_weights
from .data.base import PairedDataset
from .files import write_atomically
from .history import EVENTS, event_of, events, is_number, record_of
from .machine import choose_device, processor
from .modalities import Modality
from .model import MultimodalVAE
from .networks import FINER
from .objective import Loss, loss
from .presets import CLOSED, OPTIMIZERS, Settings
from .steps import Captured, Diverged, RunError, autocast, precision_of, update, warmth
from .turns import Busy, held, stop_asked
from .variants import Cycle, Elbo, ImportanceBound

STATE, BEST, SNAPSHOTS = "state.safetensors", "best.safetensors", "snapshots"
ENCODERS, INITIAL = "encoders.safetensors", "initial.safetensors"
DECODERS = "decoders."  # how the names of their parameters begin
LOG_EVERY = 25  # steps between step events, fewer in runs of few steps
MOST_SNAPSHOTS = 40
VALIDATION_PAIRS = 512
HAZE = 0.04  # of a picture's side
CYCLE = 0.1  # of a cycle's weight that refitting gives it
PACE = 60.0  # seconds of steps over which speed is averaged
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def start(run: Path, model: MultimodalVAE, settings: Settings, source: str | None = None, *, encoders: dict | None = None,
          began_with: dict | None = None) -> None:
    """Makes the run's folder with its configuration.

    Arguments:
        source: What `mmvae.dataset` opens, where that is not the model's data set by name (a person's own file).
        encoders: How the encoders came to be, where the run keeps those of another, see `refit`.
        began_with: How the weights came to be that it begins with, where they are another's, see `begin`.

    Raises:
        RunError: Where the folder already holds a run, private dimensions are to be closed and the model has none to close, or `train`
            would refuse the model or the settings.
    """
    if (run / "config.json").exists():
        raise RunError(f"{run} already holds a run: resume it, or choose another folder")
    if (kept := settings.private_open) and all(block.owner is None or block.dim <= kept for block in model.blocks):
        sizes = " + ".join(str(block.dim) for block in model.blocks)
        raise RunError(f"private_open {kept}: {model.variant.title} with {sizes} dimensions has no private block of more, nothing would be closed")
    config = config_of(model, asdict(settings))
    if source is not None:
        config["source"] = source
    config |= {key: value for key, value in (("encoders", encoders), ("began_with", began_with)) if value is not None}
    settings_of(config, f"{run} cannot be begun")  # what only `train` refuses leaves a run that can be neither resumed nor begun anew
    try:
        build_model(config, f"{run} cannot be begun")
    except CheckpointError as error:
        raise RunError(str(error)) from None
    run.mkdir(parents=True, exist_ok=True)
    write_json(run / "config.json", config)


def begin(run: Path, checkpoint: Checkpoint, settings: Settings) -> None:
    """Makes the folder of a run that begins with the weights of a trained model and trains all of them on.

    Its KL is whole from the first step on: the warm-up is the learning rate's alone.

    Arguments:
        checkpoint: The trained model.
        settings: How to go on.

    Raises:
        RunError: Where the folder already holds a run.
    """
    start(run, checkpoint.model, settings, checkpoint.config.get("source"), began_with=_origin(checkpoint))
    weights = {name: tensor.float().contiguous() for name, tensor in checkpoint.model.state_dict().items()}
    write_atomically(run / INITIAL, lambda temporary: save_file(weights, temporary))


def _origin(checkpoint: Checkpoint) -> dict:
    """How a trained model came to be: its name, the settings and the record of its training, and of those before it."""
    config = checkpoint.config
    before = {key: config[key] for key in ("encoders", "began_with") if config.get(key)}
    return {"of": checkpoint.path.name, "training": config.get("training") or {}, "trained": config.get("trained") or record_of(checkpoint.path)} | before


def refit(run: Path, checkpoint: Checkpoint, settings: Settings) -> None:
    """Makes the folder of a run that fits new decoders to the codes of a trained model, whose encoders and prior it keeps.

    The bound on the likelihood can only gain: it is the loss of the variant as before, minimised over the decoders alone. Where there
    is a network with finer decoders (`mmvae.networks.FINER`), they have it.

    Arguments:
        checkpoint: The trained model.
        settings: How to train the decoders.

    Raises:
        RunError: Where the folder already holds a run, or private dimensions are to be closed.
    """
    if settings.private_open:
        raise RunError(f"private_open {settings.private_open}: the encoders stay as they are, nothing would be closed")
    trained = checkpoint.model
    torch.manual_seed(settings.seed)
    finer = [replace(m, network=FINER.get(m.network, m.network)) for m in trained.modalities]
    model = MultimodalVAE(trained.variant, finer, trained.blocks, trained.dataset)
    origin = checkpoint.config.get("encoders") or _origin(checkpoint)
    start(run, model, settings, checkpoint.config.get("source"), encoders=origin)
    kept = {name: tensor.float().contiguous() for name, tensor in trained.state_dict().items() if not name.startswith(DECODERS)}
    write_atomically(run / ENCODERS, lambda temporary: save_file(kept, temporary))


def train(run: Path, data: PairedDataset, *, until: int | None = None, device: str | None = None, on_event: Callable[[dict], None] | None = None,
          stopped: Callable[[], bool] | None = None) -> str:
    """Trains the run in this folder from where it stands to its end.

    Arguments:
        run: A folder made by `start`; continues from its last snapshot where there is one.
        data: The data set.
        until: Steps in total, where it should go on for longer than its settings say.
        device: Where to train, where that is not what its settings say.
        on_event: Called with each event as it is written to ``events.jsonl``.
        stopped: Asked after each step, beside `mmvae.turns.stop_asked`; True saves a snapshot and returns.

    Returns:
        ``"finished"`` or ``"stopped"``.

    Raises:
        Diverged: Where the loss or a gradient is not finite; the last snapshot stays as it is.
        RunError: Where the folder holds no run or one that has done more steps already, its state is malformed, or another process trains it.
    """
    try:
        config = read_json(run / "config.json")
    except CheckpointError as error:
        raise RunError(str(error)) from None
    settings = settings_of(config, run / "config.json")
    if device is not None:
        settings = replace(settings, device=device)
    try:
        with held(run):
            return _train(run, config, settings, data, until, on_event, stopped)
    except Busy as busy:
        raise RunError(f"{busy}: stop that first") from None


def settings_of(config: dict, where: Path | str) -> Settings:
    """The settings that a configuration states; `where` names its file in errors.

    Raises:
        RunError: Where they are missing or malformed, as a person's hand may leave them.
    """
    stated = config.get("training")
    try:
        if not isinstance(stated, dict):
            raise ValueError(f"\"training\" is {json.dumps(stated)[:40]}, expected an object")
        if odd := sorted(stated.keys() - {field.name for field in fields(Settings)}):
            raise ValueError(f"unknown setting {odd[0]!r}")
        for field in fields(Settings):
            value = stated.get(field.name, field.default)
            kind = float if isinstance(field.default, float) else type(field.default)
            if not (type(value) is kind or kind is float and type(value) is int) or kind is float and not is_number(value):
                raise ValueError(f"{field.name} is {json.dumps(value)[:40]}, expected {KINDS[kind]}")
        return Settings(**stated)
    except ValueError as error:
        raise RunError(f"{where}: no settings to train with: {error}") from None


def _train(run: Path, config: dict, settings: Settings, data: PairedDataset, until: int | None, on_event: Callable[[dict], None] | None,
           stopped: Callable[[], bool] | None) -> str:
    try:
        device = choose_device(settings.device)
    except ValueError as error:
        raise RunError(str(error)) from None
    steps = until or settings.steps
    torch.manual_seed(settings.seed)
    model = build_model(config, str(run / "config.json")).to(device)
    if _shapes(model.modalities) != _shapes(data.modalities):
        raise RunError(f"{run} was begun on {_shapes(model.modalities)}, these data are {_shapes(data.modalities)}")
    stages = [model]
    if config.get("encoders"):
        _keep_encoders(run, model)
        stages = refitting(model)
    trained = bool(config.get("began_with"))
    optimizer = optimizer_for(settings, [p for p in model.parameters() if p.requires_grad])
    done, best, elapsed = _resume(run, model, optimizer) if (run / STATE).exists() else (0, math.inf, 0.0)
    if done > steps:
        raise RunError(f"{run} has done {done:,} steps already, it cannot end at {steps:,}: say more with --steps")
    told = events(run)
    if done == steps and told and told[-1]["event"] == "finished":
        return "finished"  # a second end would pass for a second training
    if trained and done == 0:
        _load_initial(run, model)
    _forget_events_after(run / EVENTS, done)
    validation = data.split("validation")
    validation = validation[np.random.default_rng(settings.seed).choice(len(validation), min(VALIDATION_PAIRS, len(validation)), replace=False)]

    with open(run / EVENTS, "a", encoding="utf-8") as file:
        def tell(event: str, step: int, **fields) -> None:
            line = {"event": event, "step": step, "steps": steps, "seconds": round(elapsed + time.perf_counter() - began, 2), **fields}
            file.write(json.dumps(line) + "\n")
            file.flush()
            if on_event:
                on_event(line)

        def snapshot(step: int) -> None:
            nonlocal best
            value = _validate(model, data, validation, settings, device)
            tell("validation", step, total=round(value, 4))
            replace_weights(run, model)
            _keep(run / SNAPSHOTS, model, step)
            if value < best:
                best = value
                write_weights(run / BEST, model)
            _save_state(run, model, optimizer, step, best, elapsed + time.perf_counter() - began)
            tell("snapshot", step)

        began = time.perf_counter()
        tell("started" if done == 0 else "resumed", done, device=str(device), precision=precision_of(settings, device),
             processor=torch.cuda.get_device_name(device) if device.type == "cuda" else processor(), pairs=settings.batch_size)
        if done == 0:
            _keep(run / SNAPSHOTS, model, 0)
        every = max(1, min(LOG_EVERY, steps // 200))
        pace, counted, since = Pace(), done, time.perf_counter()
        recent: deque[Loss] = deque(maxlen=len(stages))
        take = Captured(stages, optimizer, data, settings, device) if device.type == "cuda" else (
            lambda step, **factors: update(stages[step % len(stages)], optimizer, data, settings, step, device, **factors))
        for step in range(done, steps):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(settings, step, steps)
            try:
                recent.append(take(step, beta=1.0 if trained else None, closed=closing(settings, step, steps, trained=trained)))
            except Diverged as error:
                tell("diverged", step + 1, message=str(error))
                raise
            if (step + 1) % every == 0 or step + 1 == steps:
                now = time.perf_counter()
                speed = pace.after(step + 1 - counted, now - since)
                counted, since = step + 1, now
                whole = len(recent) == len(stages)  # of some terms alone the sum is no loss
                tell("step", step + 1, **({"total": sum(_number(result.total) for result in recent)} if whole else {}),
                     parts={name: _number(value) for result in recent for name, value in result.parts.items()},
                     kl={name: [_number(v) for v in values] for name, values in recent[-1].kl.items()},
                     pairs_per_second=round(speed * settings.batch_size, 1), seconds_left=round((steps - step - 1) / speed))
            halt = stop_asked(run) or (stopped is not None and stopped())
            if halt or (step + 1) % settings.snapshot == 0 or step + 1 == steps:
                snapshot(step + 1)
                counted, since = step + 1, time.perf_counter()
            if halt and step + 1 < steps:
                tell("stopped", step + 1)
                return "stopped"
        model.eval().cpu()
        write_json(run / STATISTICS, statistics_of(model, data))
        tell("finished", steps)
    return "finished"


def refitting(model: MultimodalVAE) -> list[MultimodalVAE]:
    """The model once for each term of its loss in which pictures are decoded, with that term alone and the same parameters.

    Where encoders are fixed, the terms of one pair differ by little more than noise to the decoders, which learn more from as
    many steps on other pairs. A cycle's readers, which now never change, see through a haze, and the cycle has a part of its weight:
    decoders else learn textures and marks that these readers respond to and people do not.
    """
    stages = []
    for term in model.variant.terms:
        if isinstance(term, Cycle):
            term = replace(term, haze=HAZE, weight=CYCLE * term.weight)
        if isinstance(term, (Elbo, ImportanceBound, Cycle)):
            stage = copy.copy(model)
            stage.variant = replace(model.variant, terms=(term,))
            stages.append(stage)
    return stages


def _keep_encoders(run: Path, model: MultimodalVAE) -> None:
    """Gives the model the encoders and the prior that the run keeps, and fixes them."""
    try:
        kept = load_file(run / ENCODERS)
        own = {name: p for name, p in model.named_parameters() if not name.startswith(DECODERS)}
        if kept.keys() != own.keys():
            raise ValueError(f"holds {len(kept)} tensors, expected {len(own)}")
        model.load_state_dict(kept, strict=False)
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        why = " ".join(str(error).split())
        raise RunError(f"{run / ENCODERS}: no encoders to fit decoders to ({type(error).__name__}: {why[:300]})") from None
    for p in own.values():
        p.requires_grad_(False)


def _load_initial(run: Path, model: MultimodalVAE) -> None:
    """Gives the model the weights that the run begins with."""
    try:
        model.load_state_dict(load_file(run / INITIAL))
    except (SafetensorError, OSError, RuntimeError) as error:
        why = " ".join(str(error).split())
        raise RunError(f"{run / INITIAL}: no weights to begin with ({type(error).__name__}: {why[:300]})") from None


class Pace:
    """Steps a second over about the last minute: those of a second alone jump with whatever else the machine does."""

    def __init__(self) -> None:
        self._stretches: deque[tuple[int, float]] = deque()

    def after(self, steps: int, seconds: float) -> float:
        """The pace now that so many more steps took so long.

        Arguments:
            steps: Since what was counted last.
            seconds: That they took, without validation and snapshots.
        """
        self._stretches.append((steps, max(seconds, 1e-9)))
        while sum(spent for _, spent in self._stretches) - self._stretches[0][1] >= PACE:
            self._stretches.popleft()
        return sum(done for done, _ in self._stretches) / sum(spent for _, spent in self._stretches)


def optimizer_for(settings: Settings, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    """The optimizer that the settings name, over these parameters."""
    row = OPTIMIZERS[settings.optimizer]
    module, name = row.opener.split(":")
    return getattr(import_module(module), name)(parameters, lr=settings.learning_rate, **row.options)


def thinned(steps: Sequence[int], most: int = MOST_SNAPSHOTS) -> list[int]:
    """Which of some snapshots to keep: at most so many, evenly spread in the logarithm of the step, for early steps teach most.

    Arguments:
        steps: Ascending; the first and the last are always kept.
    """
    kept = list(steps)
    while len(kept) > most:
        gaps = [(kept[i + 1] + 1) / (kept[i - 1] + 1) for i in range(1, len(kept) - 1)]
        del kept[1 + min(range(len(gaps)), key=gaps.__getitem__)]
    return kept


def learning_rate(settings: Settings, step: int, steps: int) -> float:
    """The optimizer's learning rate at this step: rises over the warm-up, is held up to half of all steps, then falls to zero."""
    return settings.learning_rate * min(warmth(settings, step), 1.0, 2 * (steps - step) / steps)


def closing(settings: Settings, step: int, steps: int, *, trained: bool = False) -> float:
    """The factor, at this step, of the KL of private dimensions past those that stay open.

    1 for the first two thirds of the steps, in which blocks separate: what is closed before that stays mixed. Then it rises, by the same ratio
    each step, over a twelfth of them to `CLOSED`.

    Arguments:
        trained: Whether the run began with trained weights, whose blocks have separated: then it rises from the first step on.
    """
    if not settings.private_open:
        return 1.0
    return CLOSED ** min(1.0, max(0.0, 12 * (step / steps - (0 if trained else 2 / 3))))


@torch.no_grad()
def _validate(model: MultimodalVAE, data: PairedDataset, ids: Tensor, settings: Settings, device: torch.device) -> float:
    """The mean loss on the validation pairs, without warm-up; the same noise every time."""
    generator = torch.Generator(device).manual_seed(settings.seed)
    total = 0.0
    for chunk in ids.split(settings.batch_size):
        images = {name: x.to(device) for name, x in data.items(chunk)[0].items()}
        with autocast(settings, device):
            total += loss(model, images, beta=settings.beta, generator=generator).total.item() * len(chunk)
    return total / len(ids)


def _keep(folder: Path, model: MultimodalVAE, step: int) -> None:
    """Adds the weights of this moment to a run's snapshots, and drops those of steps that a kill undid and of crowded ones."""
    folder.mkdir(exist_ok=True)
    write_weights(folder / f"{step:07d}.safetensors", model, half=True)
    files = {int(file.stem): file for file in folder.glob("[0-9]*.safetensors") if file.stem.isdecimal()}
    for other in set(files) - set(thinned(sorted(s for s in files if s <= step))):
        files[other].unlink()


def _save_state(run: Path, model: MultimodalVAE, optimizer: torch.optim.Optimizer, step: int, best: float, seconds: float) -> None:
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"adam/{index}/{key}": value for key, value in moments.items()}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    about = {"step": str(step), "best": repr(best), "seconds": repr(seconds)}
    write_atomically(run / STATE, lambda temporary: save_file(tensors, temporary, metadata=about))


def _resume(run: Path, model: MultimodalVAE, optimizer: torch.optim.Optimizer) -> tuple[int, float, float]:
    """Puts model and optimizer where the last snapshot left them: its step, best validation so far, seconds so far."""
    try:
        with safe_open(run / STATE, framework="pt") as file:
            about = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        model.load_state_dict({name.removeprefix("model/"): t for name, t in tensors.items() if name.startswith("model/")})
        parameters = optimizer.param_groups[0]["params"]
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("adam/"):
                _, index, key = name.split("/")
                p = parameters[int(index)]
                # In its parameter's layout: fused Adam reads both as they lie in memory, and would mistake one value for another.
                # Nothing stays a view of the mapped file: Windows replaces none that is mapped, and the next snapshot replaces it.
                state.setdefault(int(index), {})[key] = torch.empty_like(p).copy_(tensor) if tensor.shape == p.shape else tensor.clone()
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
        return int(about["step"]), float(about["best"]), float(about["seconds"])
    except (SafetensorError, OSError, KeyError, IndexError, ValueError, RuntimeError, TypeError) as error:
        why = " ".join(str(error).split())  # torch lists what is missing over many lines
        raise RunError(f"{run / STATE}: cannot be resumed from ({type(error).__name__}: {why[:300]})") from None


def _forget_events_after(file: Path, step: int) -> None:
    """Drops what was told of steps that a kill undid, and lines that are no events, as a last one cut short."""
    if not file.exists():
        return
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    kept = [line + "\n" for line in lines if (event := event_of(line)) is not None and event["step"] <= step]
    write_atomically(file, lambda temporary: Path(temporary).write_text("".join(kept), encoding="utf-8"))


def _shapes(modalities: Sequence[Modality]) -> str:
    return " and ".join(f"{m.name} ({'×'.join(map(str, m.shape))})" for m in modalities)


def _number(value: Tensor) -> float:
    return round(value.item(), 4)
