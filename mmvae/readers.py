"""Factor readers: small networks that say which factors a picture shows, trained on real images alone.

They judge what a model draws (coherence, preserved factors) and feed the live gauges, so they are quick: about a
millisecond a picture on one core. A folder ``checkpoints/readers/<data set>``, beside app.py or in the home folder (see
`folder_of`), holds

- ``config.json``: which network reads which modalities, the factors, how it was trained, and its measured accuracy;
- ``weights.safetensors``: the parameters in half precision, batch normalisation folded into the convolutions.
"""

from __future__ import annotations

__all__ = [
    "ReaderNetwork",
    "Reading",
    "Readers",
    "ReaderSettings",
    "folder_of",
    "measure",
    "open_readers",
    "readers_for",
    "save_readers",
    "train_readers",
    "version_of_readers",
]

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .checkpoints import CONFIG, SHIPPED, WEIGHTS, CheckpointError, home_folder, read_json, write_json
from .data import version_of
from .data.base import Factor, PairedDataset
from .data.render import render
from .files import write_atomically

SCHEMA = 1
FEATURES = 64
OWN_STEPS = 1000
MOST_MEASURED = 10_000  # test pairs
#: Channels of the four convolutions: grey 28×28 handwriting needs few, colour and 64×64 more.
NARROW, WIDE = (32, 32, 64, 64), (48, 64, 96, 96)


@dataclass(frozen=True)
class Reading:
    """What a reader sees of one factor in N pictures.

    Arguments:
        value: float32 [N] in the factor's unit where it is ordered, int64 [N] indices into its values where categorical.
        probabilities: [N, classes] for a categorical factor, else None.
    """

    value: Tensor
    probabilities: Tensor | None = None

    def part(self, start: int, end: int) -> Reading:
        """The readings of some of the pictures."""
        return Reading(self.value[start:end], None if self.probabilities is None else self.probabilities[start:end])


@dataclass(frozen=True)
class ReaderSettings:
    """How readers are trained.

    Arguments:
        steps: Updates of the parameters.
        batch_size: Pairs in each.
        learning_rate: The highest of a one-cycle schedule.
        seed: Of the initial weights and the batches.
        extra: Pictures of combinations outside the pairs, where the data set can draw them.
    """

    steps: int = 2000
    batch_size: int = 128
    learning_rate: float = 4e-3
    seed: int = 0
    extra: int = 0


class ReaderNetwork(nn.Module):
    """Pictures of one shape to the factors in them.

    Arguments:
        shape: Channels, height and width.
        factors: What is read.
        normalised: With batch normalisation, as for training; without, once it is folded into the convolutions.
    """

    def __init__(self, shape: Sequence[int], factors: Sequence[Factor], normalised: bool = False) -> None:
        super().__init__()
        self.shape, self.factors = tuple(shape), tuple(factors)
        channels, patch = self.shape[0], max(1, self.shape[1] // 14)  # convolutions see a map of 14 or 16 cells a side
        layers: list[nn.Module] = [nn.PixelUnshuffle(patch)]
        wide = channels * patch**2
        for i, width in enumerate(NARROW if np.prod(self.shape) < 1024 else WIDE):
            layers += [
                nn.Conv2d(wide, width, 3, padding=1, bias=not normalised),
                *([nn.BatchNorm2d(width)] if normalised else []),
                nn.ReLU(),
            ]
            layers += [nn.MaxPool2d(2, ceil_mode=True)] if i % 2 else []
            wide = width
        # each channel weighs the 16 places of the last map on its own: the digit in the middle counts, its neighbours do not
        layers += [nn.Conv2d(wide, wide, 4, groups=wide), nn.Flatten(), nn.Linear(wide, FEATURES), nn.ReLU()]
        self.trunk = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        self.heads = nn.ModuleDict(
            {_key(f.name): nn.Linear(FEATURES, len(f.values) if f.kind == "categorical" else 1) for f in self.factors}
        )

    def features(self, images: Tensor) -> Tensor:
        """What the heads read from, [N, 64]."""
        return self.trunk(images.contiguous(memory_format=torch.channels_last))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """{factor: logits [N, classes], or [N, 1] from −1 to 1 over the factor's range}."""
        features = F.dropout(self.features(images), 0.2, self.training)
        return {f.name: head(features) for f, head in zip(self.factors, self.heads.values(), strict=True)}

    def read(self, images: Tensor) -> dict[str, Reading]:
        """What the pictures [N, C, H, W] in [0, 1] show."""
        readings = {}
        for factor, output in zip(self.factors, self(images).values(), strict=True):
            if factor.kind == "categorical":
                readings[factor.name] = Reading(output.argmax(1), output.softmax(1))
            else:
                centre, half = _range(factor)
                readings[factor.name] = Reading(centre + half * output[:, 0])
        return readings

    def folded(self) -> ReaderNetwork:
        """The same network for use: batch normalisation folded into the convolutions before it."""
        target = ReaderNetwork(self.shape, self.factors)
        layers = list(self.eval().trunk)
        kept = []
        for layer, following in zip(layers, [*layers[1:], None]):
            if isinstance(following, nn.BatchNorm2d):
                layer = fuse_conv_bn_eval(layer, following)
            if not isinstance(layer, nn.BatchNorm2d):
                kept.append(layer)
        target.trunk.load_state_dict(nn.Sequential(*kept).state_dict())
        target.heads.load_state_dict(self.heads.state_dict())
        return target.eval()


@dataclass(frozen=True)
class Readers:
    """The readers of a data set's modalities.

    Arguments:
        dataset: Its name.
        networks: {modality: its network}; modalities of one shape share one, which has seen the pictures of both.
        accuracy: What they read of real test images, {modality: {factor: figures}}: ``{"accuracy"}`` of a categorical
            factor; ``{"error", "within_step"}``, the mean absolute error in its unit and the share read at most one grid step
            off, of an ordered one.
    """

    dataset: str
    networks: Mapping[str, ReaderNetwork]
    accuracy: Mapping[str, Mapping[str, Mapping[str, float]]]

    @torch.inference_mode()
    def read(self, images: Mapping[str, Tensor]) -> dict[str, dict[str, Reading]]:
        """What pictures {modality: [N, C, H, W] in [0, 1]} show: {modality: {factor: reading}}."""
        found: dict[str, dict[str, Reading]] = {}
        for network in {id(self._network(modality)): self._network(modality) for modality in images}.values():
            names = [modality for modality in images if self.networks[modality] is network]  # one pass for all that share it
            together = network.read(torch.cat([images[name] for name in names]))
            for i, name in enumerate(names):
                start = sum(len(images[before]) for before in names[:i])
                found[name] = {factor: reading.part(start, start + len(images[name])) for factor, reading in together.items()}
        return {modality: found[modality] for modality in images}

    @torch.inference_mode()
    def features(self, modality: str, images: Tensor) -> Tensor:
        """What the reader of a modality bases its readings on, [N, 64]: distances between sets of images are taken here."""
        return self._network(modality).features(images)

    def _network(self, modality: str) -> ReaderNetwork:
        if modality not in self.networks:
            raise ValueError(f"no reader of {modality!r}; the readers of {self.dataset} read {' and '.join(self.networks)}")
        return self.networks[modality]


def readers_for(dataset: str, home: Path | None = None) -> Readers | None:
    """The readers of a data set; None where there are none, or where its files are here and others than they were trained on.

    Arguments:
        dataset: Its name; of a person's own pairs the path, as `PairedDataset.name` and a model's ``dataset`` have it.
        home: The folder that holds ``checkpoints/``; default: `mmvae.checkpoints.home_folder`, and where that has none of
            this data set, the folder of app.py, whose readers are shipped.

    Raises:
        CheckpointError: Where their files are malformed.
    """
    for folder in _folders(dataset, home):
        if (folder / CONFIG).is_file() and not _outdated(folder, dataset):
            return open_readers(folder)
    return None


def version_of_readers(dataset: str, home: Path | None = None) -> tuple:
    """Changes with what `readers_for` gives: where readers are trained or removed, and of a person's own pairs where these are."""
    files = [folder / name for folder in _folders(dataset, home) for name in (CONFIG, WEIGHTS)]
    return *((str(file), file.stat().st_mtime_ns) for file in files if file.is_file()), *(version_of(dataset) if _own(dataset) else ())


def _folders(dataset: str, home: Path | None) -> list[Path]:
    """Where the readers of a data set may lie, the first place first."""
    return [folder_of(dataset, place) for place in ((home,) if home else (home_folder(), Path(__file__).resolve().parents[1]))]


def _outdated(folder: Path, dataset: str) -> bool:
    """Whether a person's own files changed since: their factors may be others now."""
    trained_on = read_json(folder / CONFIG).get("files")
    return trained_on is not None and [list(row) for row in version_of(dataset)] not in ([], trained_on)


def folder_of(dataset: str, home: Path | None = None) -> Path:
    """Where the readers of a data set lie in a home folder; default: `mmvae.checkpoints.home_folder`.

    Of a person's own pairs that is a folder called after their file, and after a digest of its path: two files may have one name.
    """
    name = f"{Path(dataset).stem}-{hashlib.sha256(dataset.encode()).hexdigest()[:12]}" if _own(dataset) else dataset
    return (home or home_folder()) / SHIPPED / "readers" / name


def _own(dataset: str) -> bool:
    """Whether it is a person's own, known by its path."""
    return Path(dataset).name != dataset


def open_readers(folder: Path) -> Readers:
    """The readers in a folder.

    Raises:
        CheckpointError: Where its files are missing or malformed.
    """
    config = read_json(folder / CONFIG)
    if config.get("schema") != SCHEMA:
        raise CheckpointError(f"{folder / CONFIG}: schema version {config.get('schema')!r}, this program reads {SCHEMA}")
    try:
        factors = [Factor(**{**row, "values": tuple(row["values"])}) for row in config["factors"]]
        tensors = load_file(folder / WEIGHTS)
        networks: dict[str, ReaderNetwork] = {}
        for row in config["networks"]:
            network = ReaderNetwork(row["shape"], factors)
            prefix = "+".join(row["modalities"]) + "/"
            network.load_state_dict(
                {name.removeprefix(prefix): t.float() for name, t in tensors.items() if name.startswith(prefix)}
            )
            networks |= dict.fromkeys(row["modalities"], network.eval())
        return Readers(config["dataset"], networks, config["accuracy"])
    except (KeyError, TypeError, ValueError, RuntimeError, OSError, SafetensorError) as error:
        message = (str(error).splitlines() or [""])[0]
        raise CheckpointError(f"{folder}: not readers this program can use ({type(error).__name__}: {message})") from None


def train_readers(
    data: PairedDataset, settings: ReaderSettings | None = None, on_event: Callable[[dict], None] | None = None
) -> tuple[dict[tuple[str, ...], ReaderNetwork], dict]:
    """Trains readers of all factors on the training split: one network for each shape of picture.

    Pictures are varied as the data set does, and also blurred and noised a little: what decoders draw is soft.

    Arguments:
        on_event: Called now and then with ``{"step", "steps", "loss", "seconds"}``.

    Returns:
        {modalities: their network, folded}, and how it went: settings and seconds.

    Raises:
        ValueError: Where the data set has no factors.
    """
    if not data.factors:
        raise ValueError(f"{data.name}: no factors to read")
    settings = settings or settings_for(data)
    torch.manual_seed(settings.seed)
    groups: dict[tuple[int, ...], list[str]] = {}
    for modality in data.modalities:
        groups.setdefault(modality.shape, []).append(modality.name)
    networks = {tuple(names): ReaderNetwork(shape, data.factors, normalised=True) for shape, names in groups.items()}
    began = time.perf_counter()
    extra = _combinations(data, settings) if settings.extra else None
    optimizer = torch.optim.AdamW([p for network in networks.values() for p in network.parameters()], weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=settings.steps + 1)
    for step in range(settings.steps):
        rng = np.random.default_rng([settings.seed, step])
        images, labels = data.items(data.draw("train", settings.batch_size, rng))
        images = data.augment(images, rng)
        total = torch.zeros(())
        for names, network in networks.items():
            pictures = [images[name] for name in names]
            shown = [_shown(labels, data.factors, name) for name in names]
            if extra is not None:
                chosen = torch.from_numpy(rng.integers(settings.extra, size=settings.batch_size // 4))
                pictures.append(extra[0][chosen].float().div_(255))
                shown.append({name: values[chosen] for name, values in extra[1].items()})
            target = {factor.name: torch.cat([each[factor.name] for each in shown]) for factor in data.factors}
            total = total + _loss(network, _softened(torch.cat(pictures), rng), target)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
        schedule.step()
        if on_event and ((step + 1) % 50 == 0 or step + 1 == settings.steps):
            on_event(
                {
                    "step": step + 1,
                    "steps": settings.steps,
                    "loss": round(total.item(), 4),
                    "seconds": round(time.perf_counter() - began, 1),
                }
            )
    return {names: network.folded() for names, network in networks.items()}, {
        **asdict(settings),
        "seconds": round(time.perf_counter() - began),
    }


def save_readers(folder: Path, data: PairedDataset, networks: Mapping[tuple[str, ...], ReaderNetwork], training: dict) -> Readers:
    """Writes readers in half precision, measures what was written on the test split, and returns it."""
    tensors = {
        f"{'+'.join(names)}/{key}": tensor.half().contiguous()
        for names, network in networks.items()
        for key, tensor in network.state_dict().items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / WEIGHTS, lambda temporary: save_file(tensors, temporary))
    config = {
        "schema": SCHEMA,
        "dataset": data.name,
        "source": getattr(data, "source", None),
        "files": version_of(data.name) if _own(data.name) else None,
        "training": training,
        "networks": [{"modalities": list(names), "shape": list(network.shape)} for names, network in networks.items()],
        "factors": [asdict(factor) for factor in data.factors],
        "accuracy": {},
    }
    write_json(folder / CONFIG, config)
    readers = open_readers(folder)
    config["accuracy"] = measure(readers, data)
    write_json(folder / CONFIG, config)
    return Readers(readers.dataset, readers.networks, config["accuracy"])


def measure(
    readers: Readers, data: PairedDataset, split: str = "test", most: int = MOST_MEASURED
) -> dict[str, dict[str, dict[str, float]]]:
    """What readers say of real images, as `Readers.accuracy` holds it."""
    ids = data.split(split)
    ids = ids[np.sort(np.random.default_rng(0).permutation(len(ids))[:most])]
    gathered: dict[str, dict[str, list[Tensor]]] = {m.name: {f.name: [] for f in data.factors} for m in data.modalities}
    for chunk in ids.split(500):
        images, labels = data.items(chunk)
        for modality, readings in readers.read(images).items():
            for name, true in _shown(labels, data.factors, modality).items():
                gathered[modality][name].append((readings[name].value - true).abs().double())
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for modality, errors in gathered.items():
        figures[modality] = {}
        for factor in data.factors:
            error = torch.cat(errors[factor.name])
            if factor.kind == "categorical":
                figures[modality][factor.name] = {"accuracy": round((error == 0).double().mean().item(), 4)}
            else:
                step = float(np.diff(factor.values).min())
                figures[modality][factor.name] = {
                    "error": round(error.mean().item(), 3),
                    "within_step": round((error <= step).double().mean().item(), 4),
                }
    return figures


def settings_for(data: PairedDataset) -> ReaderSettings:
    """Settings that read a shipped data set well after a few minutes of one core, and a person's own as well as it may go in as many."""
    if data.name == "faces":
        return ReaderSettings(steps=2500, batch_size=64, extra=3000)
    if _own(data.name):
        return ReaderSettings(steps=OWN_STEPS, batch_size=64)
    return ReaderSettings(steps=250 if data.name == "digits" else 2000)


def _shown(labels: Mapping[str, Tensor], factors: Sequence[Factor], modality: str) -> dict[str, Tensor]:
    """What a modality's pictures show of the pair's factors: a factor private to the other one stands at its neutral value."""
    return {
        f.name: labels[f.name] if f.owner in (None, modality) or f.neutral is None else torch.full_like(labels[f.name], f.neutral)
        for f in factors
    }


def _key(factor: str) -> str:
    """A key for a factor that `nn.ModuleDict` takes: it refuses full stops and what it is called itself, such as ``type``."""
    return f"factor {factor.encode().hex()}" if "." in factor or hasattr(nn.ModuleDict(), factor) else factor


def _loss(network: ReaderNetwork, images: Tensor, target: Mapping[str, Tensor]) -> Tensor:
    total = torch.zeros(())
    for factor, output in zip(network.factors, network(images).values(), strict=True):
        if factor.kind == "categorical":
            total = total + F.cross_entropy(output, target[factor.name])
        else:
            centre, half = _range(factor)
            # errors of a hundredth of the range still matter: 5 and 0.05 put them on a par with a class's nats
            total = total + 5 * F.smooth_l1_loss(output[:, 0], (target[factor.name] - centre) / half, beta=0.05)
    return total


def _range(factor: Factor) -> tuple[float, float]:
    """The middle and half the width of an ordered factor's values."""
    low, high = min(factor.values), max(factor.values)
    return (low + high) / 2, (high - low) / 2 or 1.0


def _softened(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Each picture blurred between not at all and by three pixels, with a little noise and another brightness."""

    def draw(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (len(images), 1, 1, 1)).astype(np.float32))

    blurred = F.avg_pool2d(images, 3, 1, 1, count_include_pad=False)
    images = torch.lerp(images, blurred, draw(-0.5, 1).clamp_min(0))
    noise = torch.from_numpy(rng.standard_normal(images.shape, np.float32))
    return (images * draw(0.9, 1.1) + noise * draw(-0.03, 0.03).clamp_min(0)).clamp_(0, 1)


def _combinations(data: PairedDataset, settings: ReaderSettings) -> tuple[Tensor, dict[str, Tensor]]:
    """Rendered faces whose elevation and light vary together, at any angle, near the training split's cells.

    What a model draws need not keep to the pairs' neutral values, and a reader that never saw both vary would be fooled.
    """
    rng = np.random.default_rng([settings.seed, 2**32])
    _, labels = data.items(data.draw("train", settings.extra, rng))
    order = torch.argsort(labels["identity"])  # a head takes half a second to build
    identity, azimuth = labels["identity"][order], labels["azimuth"][order]
    values = {"identity": identity}
    for name in ("azimuth", "elevation", "lighting"):
        grid = data.factor(name).values
        low, high = (min(grid), max(grid)) if name != "azimuth" else (-3.0, 3.0)
        drawn = torch.from_numpy(rng.uniform(low, high, settings.extra).astype(np.float32))
        values[name] = (azimuth + drawn).clamp(min(grid), max(grid)) if name == "azimuth" else drawn
    pictures = [
        render(int(values["identity"][i]), *(float(values[name][i]) for name in ("azimuth", "elevation", "lighting")))
        for i in range(settings.extra)
    ]
    return torch.from_numpy(np.uint8(255 * np.stack(pictures)[:, None])), values
