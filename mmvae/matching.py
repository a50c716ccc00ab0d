"""Which dimension of one model answers to which of another: by its place, or by what it changes in the pictures.

What a dimension carries is asked of the decoders and of readers, not of codes: it is swept over its range from a few
pairs' codes, and the readers say which factor follows. So a shared dimension that has learned a private factor stands
beside the private dimension that carries it in another model.
"""

from __future__ import annotations

__all__ = ["Effect", "Place", "Slot", "by_factor", "by_index", "change_both", "effects"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .checkpoints import Checkpoint
from .data import Factor
from .latents import Block
from .readers import Readers

ITEMS, STEPS = 4, 5  # codes that a dimension is swept from, and values on its way
#: A dimension carries a factor where it moves a reading by this share of the factor's range (of the items' classes).
CARRIES = 0.15
#: A picture changes visibly where its pixels move by this much on average, of 1.
VISIBLE = 0.02


@dataclass(frozen=True)
class Effect:
    """What sweeping one dimension from its 1st to its 99th percentile does.

    Arguments:
        block: Name.
        dimension: Within the block.
        pixels: Mean absolute change of each modality's pixels between the ends, {modality: 0 to 1}.
        factors: How far each factor's reading moves, {factor: 0 to 1}; for a class the share of sweeps that change it.
        signs: 1 where the reading of an ordered factor grows with the dimension, −1 where it falls.
    """

    block: str
    dimension: int
    pixels: Mapping[str, float]
    factors: Mapping[str, float]
    signs: Mapping[str, int]

    @property
    def carries(self) -> str | None:
        """The factor that it moves most, or None where it moves none."""
        best = max(self.factors, key=lambda name: self.factors[name], default=None)
        return best if best is not None and self.factors[best] >= CARRIES else None


@torch.inference_mode()
def effects(checkpoint: Checkpoint, readers: Readers | None) -> tuple[Effect, ...]:
    """The effect of every dimension, in the order of the code; nothing is read where there are no readers."""
    model, known = checkpoint.model, checkpoint.statistics.get("blocks", {})
    start = _starts(checkpoint)
    found = []
    for block in model.blocks:
        for d in range(block.dim):
            low, high = (known[block.name][end][d] for end in ("low", "high")) if known else (-3.0, 3.0)
            codes = {name: z.repeat_interleave(STEPS, 0) for name, z in start.items()}
            codes[block.name][:, d] = torch.linspace(low, high, STEPS).repeat(len(start[block.name]))
            images = model.decode(codes)
            swept = {name: image.unflatten(0, (-1, STEPS)) for name, image in images.items()}
            pixels = {name: (image[:, -1] - image[:, 0]).abs().mean().item() for name, image in swept.items()}
            moved, signs = _moved(readers, images) if readers else ({}, {})
            found.append(Effect(block.name, d, pixels, moved, signs))
    return tuple(found)


def _starts(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The codes of a few reference pairs, or the origin where a checkpoint carries none."""
    model = checkpoint.model
    stored = checkpoint.statistics.get("reference", {}).get("codes", {}).get("+".join(model.names))
    if not stored:
        return {block.name: torch.zeros(1, block.dim) for block in model.blocks}
    return {block.name: torch.tensor(stored[block.name]["mean"][:ITEMS], dtype=torch.float32) for block in model.blocks}


def _moved(readers: Readers, images: Mapping[str, Tensor]) -> tuple[dict[str, float], dict[str, int]]:
    """How far each factor moves along the sweeps, in the picture in which it moves most, and in which direction."""
    factors = {factor.name: factor for network in readers.networks.values() for factor in network.factors}
    moved, signs = dict.fromkeys(factors, 0.0), dict.fromkeys(factors, 1)
    for modality, readings in readers.read(images).items():
        for name, reading in readings.items():
            factor, seen = factors[name], reading.value.view(-1, STEPS)
            if factor.owner not in (None, modality):
                continue  # it shows nothing but its neutral value there
            far = _span(factor, seen)
            if far > moved[name]:
                moved[name] = far
                signs[name] = -1 if factor.kind == "ordered" and (seen[:, -1] - seen[:, 0]).mean() < 0 else 1
    return moved, signs


def _span(factor: Factor, seen: Tensor) -> float:
    """How far a reading moves along sweeps, [items, steps], between 0 and 1."""
    if factor.kind == "categorical":
        return (seen != seen[:, :1]).any(1).float().mean().item()
    return ((seen[:, -1] - seen[:, 0]).abs().mean() / (max(factor.values) - min(factor.values))).clamp(max=1).item()


def change_both(found: Sequence[Effect]) -> int:
    """How many dimensions visibly change both pictures."""
    return sum(all(change > VISIBLE for change in effect.pixels.values()) for effect in found)


# ---- slots


@dataclass(frozen=True)
class Place:
    """A dimension of one model, with the direction in which it is moved."""

    block: str
    dimension: int
    sign: int = 1


@dataclass(frozen=True)
class Slot:
    """One control for several models.

    Arguments:
        title: ``"elevation"``, or empty where the place says it all.
        owner: The modality it is private to; None where both share it.
        places: For each model the dimension it moves, or None.
    """

    title: str
    owner: str | None
    places: tuple[Place | None, ...]


def by_index(models: Sequence[Sequence[Block]]) -> list[Slot]:
    """Dimensions of one index within blocks of one name, in the order private, shared, private."""
    names = list(dict.fromkeys(block.name for blocks in sorted(models, key=len, reverse=True) for block in blocks))
    slots = []
    for name in names:
        own = [next((block for block in blocks if block.name == name), None) for blocks in models]
        owner = next(block.owner for block in own if block)
        slots += [Slot("", owner, tuple(Place(name, d) if block and d < block.dim else None for block in own))
                  for d in range(max(block.dim for block in own if block))]
    return slots


def by_factor(models: Sequence[Sequence[Effect]], factors: Sequence[Factor]) -> list[Slot]:
    """Dimensions that carry one factor, the one that moves it most first; then those that carry none that is read."""
    slots = []
    for factor in factors:
        carriers = [sorted((e for e in found if e.carries == factor.name), key=lambda e: -e.factors[factor.name]) for found in models]
        slots += [Slot(factor.name if rank == 0 else f"{factor.name} {rank + 1}", factor.owner, tuple(
            Place(own[rank].block, own[rank].dimension, own[rank].signs[factor.name]) if rank < len(own) else None for own in carriers))
            for rank in range(max(map(len, carriers), default=0))]
    rest = [sorted((e for e in found if e.carries is None), key=lambda e: -max(e.pixels.values())) for found in models]
    slots += [Slot(f"other {rank + 1}", None, tuple(Place(own[rank].block, own[rank].dimension) if rank < len(own) else None for own in rest))
              for rank in range(max(map(len, rest), default=0))]
    return slots
