"""The smallest models, images and data that behave as the real ones do."""

from __future__ import annotations

import copy

import numpy as np
import torch

from mmvae.data.base import Factor, PairedDataset
from mmvae.latents import partition
from mmvae.modalities import Modality
from mmvae.model import MultimodalVAE
from mmvae.variants import VARIANTS

torch.set_num_threads(1)  # the networks are far too small to share

#: Two modalities that differ in everything a mix-up would show: shape, likelihood, weight.
A = Modality("a", (1, 28, 28), "x_a", "first", weight=2.0, network="small28")
B = Modality("b", (3, 32, 32), "x_b", "second", likelihood="gaussian", scale=0.5**0.5, network="small32")


def tiny_model(variant: str, seed: int = 0) -> MultimodalVAE:
    """A variant over (a, b): blocks of 2, 4 and 3 dimensions, or 4 shared ones; beliefs far from the prior."""
    torch.manual_seed(seed)
    row = VARIANTS[variant]
    model = MultimodalVAE(row, (A, B), partition(("a", "b"), private=(2, 3) if row.private else (), shared=4))
    with torch.no_grad():
        for encoder in model.encoders.values():
            encoder.head[-1].weight.mul_(8)
    return model.eval()


def tiny_images(n: int = 5, seed: int = 1) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {m.name: torch.rand(n, *m.shape, generator=generator) for m in (A, B)}


class TinyPairs(PairedDataset):
    """Random pairs whose brightness is shared; ids 0-63 are trained on, 64-95 validate, 96-127 test."""

    name, title, modalities = "tiny", "Tiny", (A, B)
    factors = (Factor("brightness", "ordered", (0.0, 1.0)),)
    splits = {"train": (0, 64), "validation": (64, 96), "test": (96, 128)}

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(7)
        self.brightness = torch.rand(128, generator=generator)
        self.images = {m.name: self.brightness[:, None, None, None] * torch.rand(128, *m.shape, generator=generator) for m in self.modalities}

    def split(self, name):
        return torch.arange(*self.splits[name])

    def items(self, ids):
        ids = torch.as_tensor(ids)
        return {name: x[ids] for name, x in self.images.items()}, {"brightness": self.brightness[ids]}

    def augment(self, images, rng: np.random.Generator):
        return {name: (x * rng.uniform(0.9, 1.0)).float() for name, x in images.items()}


def spoiled(content: dict, path: tuple, value: object) -> dict:
    """The content with another value in one place, or without it where the value is KeyError; what was given stays as it was."""
    content = copy.copy(content)
    place = content
    for key in path[:-1]:
        place[key] = copy.copy(place[key])
        place = place[key]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return content
