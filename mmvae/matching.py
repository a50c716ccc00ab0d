"""Which dimension of one model answers to which of another: by its place, or by what it changes in the pictures.

What a dimension carries is asked of the decoders and of readers, not of codes: it is swept over its range from a few
pairs' codes, and the readers say which factor follows. So a shared dimension that has learned a private factor stands
beside the private dimension that carries it in another model.
"""

from __future__ import annotations

__all__ = ["Effect", "Place", "Slot", "by_factor", "by_index", "carriers", "change_both", "effects"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .checkpoints import Checkpoint
from .data import Factor
from .latents import Block
from .readers import Readers, Reading

ITEMS, STEPS = 16, 5  # codes that a dimension is swept from, and values on its way; of four, one face decided
#: A dimension carries a factor where it moves its reading by this share of the factor's range, or of a class's probability at each step.
CARRIES = 0.15
#: From this share of an ordered factor's range on, a dimension beside the one that carries it counts as a further one of that factor.
FURTHER = 0.3
#: A picture changes visibly where its pixels move by this much on average, of 1.
VISIBLE = 0.02


@dataclass(frozen=True)
class Effect:
    """What sweeping one dimension from its 1st to its 99th percentile does.

    Arguments:
        block: Name.
        dimension: Within the block.
        pixels: Mean absolute change of each modality's pixels between the ends, {modality: 0 to 1}.
        factors: How far each factor's reading moves, {factor: 0 to 1}: from end to end in units of its range where it is ordered;
            for a class, how much of its probability goes over to other classes from one step to the next. The two are on unlike
            scales, see `carriers`.
        signs: 1 where the reading of an ordered factor grows with the dimension, −1 where it falls.
    """

    block: str
    dimension: int
    pixels: Mapping[str, float]
    factors: Mapping[str, float]
    signs: Mapping[str, int]


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
            factor = factors[name]
            if factor.owner not in (None, modality):
                continue  # it shows nothing but its neutral value there
            far = _span(factor, reading)
            if abs(far) > moved[name]:
                moved[name], signs[name] = abs(far), -1 if far < 0 else 1
    return moved, signs


def _span(factor: Factor, reading: Reading) -> float:
    """How far a reading of pictures [items · steps] moves along the sweeps, −1 to 1; a class has no direction."""
    if factor.kind == "categorical":
        seen = reading.probabilities.unflatten(0, (-1, STEPS))
        return (seen.diff(dim=1).abs().sum(-1) / 2).mean().item()  # total variation
    seen = reading.value.view(-1, STEPS)
    way = (seen[:, -1] - seen[:, 0]) / (max(factor.values) - min(factor.values))
    return way.abs().mean().clamp(max=1).item() * (-1 if way.mean() < 0 else 1)


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
    """Dimensions that carry one factor, see `carriers`: ordered factors before classes; then those that carry none that is read."""
    listed = [*_ordered(factors), *(factor for factor in factors if factor.kind == "categorical")]
    told = [carriers(found, factors) for found in models]
    slots = []
    for factor in listed:
        slots += _slots(factor.name, factor.owner, [[Place(e.block, e.dimension, e.signs[factor.name]) for e in own[factor.name]] for own in told])
    rest = [sorted((e for e in found if not any(e in each for each in own.values())), key=lambda e: -max(e.pixels.values())) for found, own in zip(models, told)]
    return slots + _slots("other", None, [[Place(e.block, e.dimension) for e in own] for own in rest], numbered=True)


def carriers(found: Sequence[Effect], factors: Sequence[Factor]) -> dict[str, list[Effect]]:
    """The dimensions of a model that carry each factor, {factor: effects}, none of them twice, the one that moves it most first.

    Nearly every dimension of a good model of faces makes another person of a face at its far ends, so that a class says little of
    what a dimension is for. Ordered factors therefore choose first, one dimension each, in the order of how far their readings
    move; of what is left, a dimension goes to the ordered factor that it moves by `FURTHER`, else to the class that it changes most.
    """
    own: dict[str, list[Effect]] = {factor.name: [] for factor in factors}
    ordered, classes = [factor.name for factor in _ordered(factors)], [factor.name for factor in factors if factor.kind == "categorical"]
    left = list(found)
    for name, effect in sorted(((name, effect) for name in ordered for effect in found), key=lambda pair: -pair[1].factors.get(pair[0], 0)):
        if not own[name] and effect in left and effect.factors.get(name, 0) >= CARRIES:
            own[name].append(effect)
            left.remove(effect)
    for effect in left:
        for names, enough in ((ordered, FURTHER), (classes, CARRIES)):
            most = max(names, key=lambda name: effect.factors.get(name, 0), default=None)
            if most is not None and effect.factors.get(most, 0) >= enough:
                own[most].append(effect)
                break
    return {name: sorted(those, key=lambda e: -e.factors[name]) for name, those in own.items()}


def _ordered(factors: Sequence[Factor]) -> list[Factor]:
    return [factor for factor in factors if factor.kind == "ordered"]


def _slots(title: str, owner: str | None, places: Sequence[Sequence[Place]], numbered: bool = False) -> list[Slot]:
    """A slot for each rank: the first places of all models, the second of those that have two, and so on."""
    return [Slot(f"{title} {rank + 1}" if rank or numbered else title, owner, tuple(own[rank] if rank < len(own) else None for own in places))
            for rank in range(max(map(len, places), default=0))]
