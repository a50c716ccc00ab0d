"""What recording a training step as a graph is worth on a graphics processor, beside launching its kernels one by one.

`python -m mmvae bench cuda [VARIANT …]`: the same model, batches and data, taken in turns; the median round counts. Drawing the batch
is part of the step.
"""

from __future__ import annotations

__all__ = ["main"]

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

import torch

from mmvae.data import DATASETS, dataset
from mmvae.model import MultimodalVAE
from mmvae.presets import latents_for, modalities_for, settings_for
from mmvae.steps import Captured, update
from mmvae.training import optimizer_for
from mmvae.variants import VARIANTS

WARM, ROUNDS = 5, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints.

    Raises:
        ValueError: Where PyTorch finds no CUDA device.
    """
    parser = argparse.ArgumentParser(prog="python -m mmvae bench cuda", description=__doc__.splitlines()[0])
    parser.add_argument("variants", nargs="*", default=["mumo"], metavar="VARIANT", help="default: mumo")
    parser.add_argument("--dataset", default="faces", choices=["faces", "mnist-svhn", "digits"])
    parser.add_argument("--batch-size", type=int, default=64, help="pairs a step (default 64)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round (default 3)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    arguments = parser.parse_args(argv)
    if not torch.cuda.is_available():
        raise ValueError("there is no CUDA device here that PyTorch can use")
    rows = [measure(variant, arguments.dataset, arguments.batch_size, arguments.seconds) for variant in arguments.variants]
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return 0
    print(f"{torch.cuda.get_device_name()}, {arguments.dataset}, {arguments.batch_size} pairs a step")
    for row in rows:
        print(f"{row['variant']:16} recorded {row['recorded']:7.1f} steps/s, kernel by kernel {row['plain']:7.1f}: {row['recorded'] / row['plain']:.1f} times")
    return 0


def measure(variant: str, name: str, batch: int, seconds: float) -> dict:
    """Steps a second, recorded and not.

    Arguments:
        variant, name: Of the model and of the data set.
        batch: Pairs a step.
        seconds: Of each round.
    """
    row, data, device = DATASETS[name], dataset(name), torch.device("cuda")
    settings = replace(settings_for(VARIANTS[variant], row), batch_size=batch)
    ways: dict[str, Callable[[int], object]] = {}
    for way in ("recorded", "plain"):
        torch.manual_seed(0)
        model = MultimodalVAE.for_dataset(VARIANTS[variant], row, modalities=modalities_for(VARIANTS[variant], row), **latents_for(VARIANTS[variant], row)).to(device)
        optimizer = optimizer_for(settings, model.parameters())
        ways[way] = Captured([model], optimizer, data, settings, device) if way == "recorded" else (
            lambda step, model=model, optimizer=optimizer: update(model, optimizer, data, settings, step, device))
        for step in range(WARM):
            ways[way](step)
    paces: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, take in ways.items():
            torch.cuda.synchronize()
            began, step = time.perf_counter(), WARM
            while time.perf_counter() - began < seconds:
                take(step)
                step += 1
            torch.cuda.synchronize()
            paces[way].append((step - WARM) / (time.perf_counter() - began))
    return {"variant": variant, "dataset": name, "batch": batch, **{way: round(median(values), 1) for way, values in paces.items()}}


if __name__ == "__main__":
    raise SystemExit(main())
