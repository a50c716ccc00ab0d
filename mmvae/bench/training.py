"""How fast a training loop goes beside the trainer of `multivae`, and beside nothing but forward, backward and step.

`python -m mmvae bench training`: the same networks, batch and data, one thread, in one process. Contenders take turns in
short rounds, so that what else the machine does falls on all alike; the median round counts. Rates are pairs per second
of processor time (all of them use one thread), with pairs per second passed beside.

- ours: `mmvae.training.train`, from drawing a batch to writing events; start-up, validation and snapshots not counted. At the
  precision that it takes by itself on this machine, which is bfloat16 where the processor multiplies such matrices, and in float32
- multivae: its BaseTrainer's epoch on the same pairs, with networks of the same layers as its encoders and decoders. It has no
  setting for precision: float32 is what its users get
- multivae, channels last: the same with our memory layout too; and with bfloat16 put around its trainer by hand besides
- bare: forward, backward and Adam's step of our model on random tensors, at either precision
"""

from __future__ import annotations

__all__ = ["as_multivae", "main", "measure"]

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from mmvae.data import DATASETS, DataError, PairedDataset, dataset
from mmvae.latents import SHARED
from mmvae.machine import processor
from mmvae.model import MultimodalVAE
from mmvae.objective import loss
from mmvae.presets import Settings, modalities_for
from mmvae.steps import autocast, precision_of
from mmvae.training import start, train
from mmvae.variants import PAIR, VARIANTS

OVER_MULTIVAE, OVER_BARE = 2.0, 0.8  # the rates that ours are to be of theirs
NAMES = {"mvae": "MVAE", "mmvae": "MMVAE", "mopoe": "MoPoE", "dmvae": "DMVAE", "mmvae-plus": "MMVAEPlus", "mvtcae": "MVTCAE", "jmvae": "JMVAE"}
WARM = 5  # steps at the start of a round that are not counted

Pace = tuple[float, float]  # pairs per second of processor time, pairs per second passed


def as_multivae(model: MultimodalVAE, channels_last: bool = True, **config) -> nn.Module:
    """The model that `multivae` builds from a variant's name, with this model's own networks (and parameters) inside.

    Arguments:
        channels_last: Whether the networks keep our memory layout; else they get PyTorch's default one, in place.
        config: Further fields of its configuration.

    Raises:
        ImportError: Where multivae is not installed.
        KeyError: Where it has no such variant.
    """
    import multivae.models
    from multivae.models.nn import BaseJointEncoder, BaseMultilatentEncoder
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    torch.distributions.Distribution.set_default_validate_args(False)  # else its Bernoulli refuses grey pixels
    title, private = NAMES[model.variant.name], {b.owner: b for b in model.blocks if b.owner}
    layout = torch.channels_last if channels_last else torch.contiguous_format

    def beliefs(outputs: Tensor, blocks) -> ModelOutput:
        halves = [part.split([b.dim for b in blocks], 1) for part in outputs.chunk(2, 1)]
        fields = {}
        for block, mean, logvar in zip(blocks, *halves):
            style = "" if block.owner is None else "style_"
            fields |= {f"{style}embedding": mean, f"{style}log_covariance": logvar}
        return ModelOutput(**fields)

    class Encoder(BaseMultilatentEncoder if private else BaseEncoder):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name, self.network = name, model.encoders[name]
            self.latent_dim = model.block(SHARED).dim
            self.style_dim = private[name].dim if private else 0

        def forward(self, x: Tensor) -> ModelOutput:
            return beliefs(self.network({self.name: x}, layout), [b for b in model.blocks if b.owner in (None, self.name)])

    class PairEncoder(BaseJointEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.latent_dim = model.encoders["+".join(model.names)], model.block(SHARED).dim

        def forward(self, x: dict[str, Tensor]) -> ModelOutput:
            return beliefs(self.network(x, layout), model.blocks)

    class Decoder(BaseDecoder):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name, self.network = name, model.decoders[name]
            self.latent_dim = model.block(SHARED).dim

        def forward(self, z: Tensor) -> ModelOutput:
            if private and self.name == model.names[0]:  # we put the first modality's private code first, they put it last
                z = z.roll(private[self.name].dim, 1)
            return ModelOutput(reconstruction=self.network(z)[self.name])

    if model.variant.name == "dmvae":
        config["modalities_specific_dim"] = {name: b.dim for name, b in private.items()}
    elif private:
        config["modalities_specific_dim"] = next(iter(private.values())).dim
    settings = getattr(multivae.models, f"{title}Config")(
        n_modalities=2, latent_dim=model.block(SHARED).dim, input_dims={m.name: m.shape for m in model.modalities},
        decoders_dist={m.name: "bernoulli" for m in model.modalities}, **config)
    networks = [{name: Encoder(name) for name in model.names}, {name: Decoder(name) for name in model.names}]
    built = getattr(multivae.models, title)(settings, *networks, *([PairEncoder()] if PAIR in model.variant.encoders else []))
    return built.to(memory_format=layout)


def _new_model(variant: str) -> MultimodalVAE:
    torch.manual_seed(0)
    row = DATASETS["mnist-svhn"]
    modalities = tuple(replace(m, weight=1.0) for m in modalities_for(VARIANTS[variant], row))
    return MultimodalVAE.for_dataset(VARIANTS[variant], row, modalities=modalities)


class RandomPairs(PairedDataset):
    """Noise of MNIST–SVHN's shapes, where the data are not on the machine."""

    name, title, modalities, factors = "mnist-svhn", "Random tensors", DATASETS["mnist-svhn"].modalities, ()

    def __init__(self, n: int = 4096) -> None:
        generator = torch.Generator().manual_seed(0)
        self.images = {m.name: torch.randint(256, (n, *m.shape), generator=generator, dtype=torch.uint8) for m in self.modalities}
        self.n = n

    def split(self, name: str) -> Tensor:
        return torch.arange(self.n)

    def items(self, ids):
        return {name: x[torch.as_tensor(ids)].float().div_(255) for name, x in self.images.items()}, {}


class _Clock:
    """Processor and wall time from the step `WARM` on."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, float]] = []

    def mark(self) -> None:
        self.marks.append((time.process_time(), time.perf_counter()))

    def pace(self, batch: int) -> Pace:
        (cpu, wall), (cpu_end, wall_end) = self.marks[WARM], self.marks[-1]
        pairs = batch * (len(self.marks) - 1 - WARM)
        return pairs / (cpu_end - cpu), pairs / (wall_end - wall)


def _ours(model: MultimodalVAE, data: PairedDataset, batch: int, steps: int, augment: bool, precision: str) -> Pace:
    clock = _Clock()
    settings = Settings(steps=steps, batch_size=batch, snapshot=steps, augment=augment, device="cpu", precision=precision)
    with tempfile.TemporaryDirectory() as folder:
        start(Path(folder) / "run", model, settings)

        def tick() -> bool:  # asked once after every step, before its snapshot
            clock.mark()
            return False

        train(Path(folder) / "run", data, stopped=tick)
    return clock.pace(batch)


def _multivae(model: MultimodalVAE, data: PairedDataset, batch: int, steps: int, channels_last: bool, precision: str) -> Pace:
    import numpy as np
    from multivae.data.datasets import MultimodalBaseDataset
    from multivae.trainers.base import BaseTrainer, BaseTrainerConfig
    from multivae.trainers.base.callbacks import TrainingCallback

    logging.disable(logging.INFO)  # it narrates at import and at every construction
    clock = _Clock()

    class Tick(TrainingCallback):
        def on_train_step_end(self, training_config, **kwargs) -> None:
            clock.mark()

    images, _ = data.items(data.draw("train", batch * steps, np.random.default_rng(0)))
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as quiet:
        screen, sys.stderr = sys.stderr, quiet  # its progress bars
        try:
            trainer = BaseTrainer(as_multivae(model, channels_last), MultimodalBaseDataset(images), callbacks=[Tick()], training_config=BaseTrainerConfig(
                output_dir=folder, num_epochs=1, per_device_train_batch_size=batch, learning_rate=1e-3, no_cuda=True, drop_last=True))
            with autocast(Settings(precision=precision), torch.device("cpu")):
                trainer.train_step(1)
        finally:
            sys.stderr = screen
            logging.disable(logging.NOTSET)
    return clock.pace(batch)


def _bare(model: MultimodalVAE, batch: int, steps: int, precision: str) -> Pace:
    clock = _Clock()
    images = {m.name: torch.rand(batch, *m.shape) for m in model.modalities}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        with autocast(Settings(precision=precision), torch.device("cpu")):
            total = loss(model, images).total
        total.backward()
        optimizer.step()
        clock.mark()
    return clock.pace(batch)


def measure(variant: str, data: PairedDataset, batch: int, steps: int, rounds: int, augment: bool) -> dict:
    """Median rates of all contenders on one variant, and what ours are of the others'.

    Returns:
        ``pairs``, {contender: {"per_processor_second", "per_second"}}; ``ratios``, {contender of ours: {other: ratio}};
        ``met``, {contender of ours: {other: whether the ratio reaches its target}}, for what the targets compare: as people
        get them, our trainer and multivae's; at each precision, our trainer and the bare loop.
    """
    default = precision_of(Settings(), torch.device("cpu"))
    contenders: dict[str, Callable[[], Pace]] = {}
    for precision in dict.fromkeys((default, "float32")):
        contenders[f"ours, {precision}"] = lambda p=precision: _ours(_new_model(variant), data, batch, steps, augment, p)
    contenders["multivae"] = lambda: _multivae(_new_model(variant), data, batch, steps, False, "float32")
    for precision in dict.fromkeys(("float32", default)):
        contenders[f"multivae, channels last, {precision}"] = lambda p=precision: _multivae(_new_model(variant), data, batch, steps, True, p)
    for precision in dict.fromkeys((default, "float32")):
        contenders[f"bare, {precision}"] = lambda p=precision: _bare(_new_model(variant), batch, steps, p)
    paces: dict[str, list[Pace]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            paces[name].append(run())
    rates = {name: {"per_processor_second": round(median(p[0] for p in values), 1), "per_second": round(median(p[1] for p in values), 1)}
             for name, values in paces.items()}
    ours = [name for name in rates if name.startswith("ours")]
    ratios = {mine: {name: round(rates[mine]["per_processor_second"] / rate["per_processor_second"], 2) for name, rate in rates.items() if name not in ours}
              for mine in ours}
    met = {mine: {name: ratios[mine][name] >= target for name, target in targets(mine, default).items()} for mine in ours}
    return {"variant": variant, "default": default, "pairs": rates, "ratios": ratios, "met": met}


def targets(mine: str, default: str) -> dict[str, float]:
    """What a contender of ours, such as ``"ours, float32"``, is to be of others; `default` is the precision that our trainer takes by itself."""
    precision = mine.removeprefix("ours, ")
    return {"multivae": OVER_MULTIVAE, f"bare, {precision}": OVER_BARE} if precision == default else {f"bare, {precision}": OVER_BARE}


def main(argv: Sequence[str] | None = None) -> int:
    """The command: prints a table, or JSON; status 1 where multivae is not installed."""
    parser = argparse.ArgumentParser(prog="python -m mmvae bench training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="*", default=["mvae", "dmvae"], help=f"some of {', '.join(NAMES)} (default mvae dmvae)")
    parser.add_argument("--batch", type=int, default=128, help="pairs in a batch (default 128)")
    parser.add_argument("--steps", type=int, default=25, help=f"steps in a round, {WARM} of them uncounted (default 25)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each contender (default 3)")
    parser.add_argument("--augment", action="store_true", help="have our loop vary its images as in real training")
    parser.add_argument("--data-root", help="where MNIST and SVHN lie; random tensors where they do not")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.variants if name not in NAMES]
    if unknown or arguments.steps < WARM + 2 or arguments.batch < 1 or arguments.rounds < 1:
        parser.error(f"variants are some of {', '.join(NAMES)}; at least {WARM + 2} steps, one pair and one round")
    try:
        import multivae  # noqa: F401
    except ImportError as error:
        print(f"the comparison needs multivae: {error}; pip install multivae==1.0.3", file=sys.stderr)
        return 1
    torch.set_num_threads(1)
    try:
        data = dataset("mnist-svhn", arguments.data_root)
    except DataError:
        data = RandomPairs()
    rows = [measure(name, data, arguments.batch, arguments.steps, arguments.rounds, arguments.augment) for name in arguments.variants]
    figures = {"data": data.title, "batch": arguments.batch, "counted_steps": arguments.steps - WARM, "rounds": arguments.rounds,
               "augmented": arguments.augment, "threads": 1, "processor": processor(), "torch": torch.__version__,
               "targets": {"multivae": OVER_MULTIVAE, "bare": OVER_BARE}, "rows": rows}
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return 0
    print(f"{data.title}, batches of {arguments.batch}, {arguments.rounds} rounds of {arguments.steps - WARM} counted steps, one thread of {processor()}")
    for row in rows:
        print(f"{row['variant']}, pairs per second of processor time (per second passed); by itself ours takes {row['default']} here:")
        for name, rate in row["pairs"].items():
            print(f"  {name:34}{rate['per_processor_second']:8.0f} ({rate['per_second']:.0f})")
        for mine, ratios in row["ratios"].items():
            for name, ratio in ratios.items():
                target = targets(mine, row["default"]).get(name)
                verdict = "" if target is None else f", target {target}: {'met' if row['met'][mine][name] else 'missed'}"
                print(f"  {mine} is {ratio:.2f} of {name}{verdict}")
    return 0
