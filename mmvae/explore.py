"""What one does with a trained model: traverse, interpolate, swap, draw. Pure functions of a model and codes.

A code is {block name: [N, dim]}; pictures are {modality: [..., C, H, W] in [0, 1]}.
"""

from __future__ import annotations

__all__ = [
    "BOUND",
    "RANGES",
    "TraversalFigure",
    "alike",
    "code_in_words",
    "code_of",
    "encode",
    "interpolate",
    "path",
    "plane",
    "point_of",
    "sample_codes",
    "start_of",
    "swap",
    "traversal_figure",
    "traverse",
]

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .modalities import Modality
from .model import MultimodalVAE
from .point import Point

Code = Mapping[str, Tensor]
#: A point's values are clamped to ±BOUND: eight standard deviations of the prior, beyond anything a slider reaches.
BOUND = 8.0
#: How far a dimension is moved: three standard deviations of the prior, the posterior's 1st to 99th percentile, or all of it.
RANGES = ("fixed", "percentile", "min-max")
#: What a checkpoint's statistics call both ends of a range.
ENDS = {"percentile": ("low", "high"), "min-max": ("min", "max")}
#: How far apart two codes may be, in any dimension, and be taken for one: links hold float32, the page five digits of a posterior's mean,
#: statistics four. No hand moves a slider by less.
NEAR = 1e-3


@dataclass(frozen=True)
class TraversalFigure:
    """Every coordinate swept on its own from one code.

    Arguments:
        columns: (block name, dimension) of each coordinate, in the order private, shared, private.
        values: What each coordinate is set to in each frame, [frames, columns].
        images: {modality: [frames, columns, C, H, W]}.
        modalities: Those of the model, whose symbols name rows and columns.
        range: How far the coordinates are moved, one of `RANGES`.
    """

    columns: tuple[tuple[str, int], ...]
    values: Tensor
    images: dict[str, Tensor]
    modalities: tuple[Modality, ...]
    range: str = "fixed"


@torch.inference_mode()
def encode(model: MultimodalVAE, observed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The posterior mean given any subset of the modalities, {block: [N, dim]}.

    Raises:
        CannotInfer: Where the variant has no posterior given these.
    """
    return {name: belief.mean for name, belief in model.posterior(observed).items()}


@torch.inference_mode()
def sample_codes(model: MultimodalVAE, n: int, seed: int = 0, observed: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """n codes from the prior, or from the posterior of n observed items: {block: [n, dim]}."""
    generator = torch.Generator().manual_seed(seed)
    beliefs = model.posterior(observed, n) if observed else model.prior(n)
    return {name: belief.sample(generator) for name, belief in beliefs.items()}


@torch.inference_mode()
def traverse(model: MultimodalVAE, z: Code, block: str, dimension: int, values: Sequence[float] | Tensor) -> dict[str, Tensor]:
    """One coordinate set to each of V values, all else as in the code of one item: {modality: [V, C, H, W]}.

    Raises:
        KeyError: Where the model has no such block.
        ValueError: Where the block has no such dimension, or the code is not of one item.
    """
    if not 0 <= dimension < model.block(block).dim:
        raise ValueError(f"block {block!r} has dimensions 0 to {model.block(block).dim - 1}, not {dimension}")
    if any(len(part) != 1 for part in z.values()):
        raise ValueError(f"a traversal starts from the code of one item, got {max(len(part) for part in z.values())}")
    values = torch.as_tensor(values, dtype=torch.float32)
    swept = {name: part.repeat(len(values), 1) for name, part in z.items()}
    swept[block][:, dimension] = values
    return model.decode(swept)


def traversal_figure(
    model: MultimodalVAE, z: Code, statistics: Mapping | None = None, range: str = "fixed", frames: int = 61
) -> TraversalFigure:
    """Every coordinate from its lowest to its highest value, the others as in the code of one item.

    With the fixed range and 61 frames it is the figure of the paired faces experiment: −3 to 3 in steps of 0.1.

    Arguments:
        statistics: A checkpoint's, see `mmvae.checkpoints.statistics_of`; needed for all but the fixed range.
        range: One of `RANGES`.

    Raises:
        ValueError: Where the range is unknown, or needs statistics that are not there.
    """
    ends = _ends(model, statistics, range)
    columns = tuple(ends)
    values = torch.stack([torch.linspace(low, high, frames) for low, high in ends.values()], 1)
    swept = [traverse(model, z, block, d, values[:, c]) for c, (block, d) in enumerate(columns)]
    images = {name: torch.stack([each[name] for each in swept], 1) for name in model.names}
    return TraversalFigure(columns, values, images, model.modalities, range)


def plane(
    model: MultimodalVAE, z: Code, across: int, upwards: int, statistics: Mapping | None = None, range: str = "fixed", steps: int = 9
) -> tuple[tuple[tuple[str, int], ...], Tensor, dict[str, Tensor]]:
    """Two coordinates over their ranges, the others as in the code of one item: each range in as many parts, at whose middle a picture lies.

    Arguments:
        across, upwards: The coordinates' places in the code, all blocks one after the other.
        statistics, range: As for `traversal_figure`.

    Returns:
        (block name, dimension) of both, their values [2, steps] in ascending order, and the codes {block: [steps · steps, dim]}, row by
        row with the highest first.

    Raises:
        ValueError: Where there is no such coordinate, or the range cannot be had.
    """
    ends = _ends(model, statistics, range)
    if not (0 <= across < len(ends) and 0 <= upwards < len(ends)):
        raise ValueError(f"this code has coordinates 0 to {len(ends) - 1}, not {across} and {upwards}")
    axes = tuple(list(ends)[at] for at in (across, upwards))
    middles = (torch.arange(steps) + 0.5) / steps
    values = torch.stack([low + (high - low) * middles for low, high in map(ends.get, axes)])
    codes = {name: part.repeat(steps * steps, 1) for name, part in z.items()}
    for (block, d), placed in zip(axes, (values[0].repeat(steps), values[1].flip(0).repeat_interleave(steps)), strict=True):
        codes[block][:, d] = placed
    return axes, values, codes


def _ends(model: MultimodalVAE, statistics: Mapping | None, range: str) -> dict[tuple[str, int], tuple[float, float]]:
    """How far each coordinate is moved, {(block name, dimension): its lowest and highest value}, in the order of the code."""
    if range not in RANGES:
        raise ValueError(f"range {range!r} is none of {', '.join(RANGES)}")
    columns = [(block.name, d) for block in model.blocks for d in torch.arange(block.dim).tolist()]
    try:
        blocks = (statistics or {})["blocks"] if range in ENDS else {}
        return {(b, d): tuple(blocks[b][end][d] for end in ENDS[range]) if range in ENDS else (-3.0, 3.0) for b, d in columns}
    except KeyError:
        raise ValueError(f"the {range} range needs statistics that this checkpoint does not carry; take the fixed range") from None


def path(start: Code, end: Code, steps: int, blocks: Iterable[str] | None = None, spherical: bool = False) -> dict[str, Tensor]:
    r"""Codes from one item's to another's, both ends included: {block: [steps, dim]}.

    Straight, :math:`(1-t)\,a + t\,b`, or along the arc between the two directions,
    :math:`\frac{\sin (1-t)\omega}{\sin \omega} \frac{a}{|a|} + \frac{\sin t\omega}{\sin \omega} \frac{b}{|b|}`,
    times the length :math:`(1-t)\,|a| + t\,|b|`: on the whole way as long as the ends are, which the prior makes likely.

    Arguments:
        start, end: The code of one item each, {block: [1, dim]}.
        blocks: The blocks that move; None for all. The others stay at the start.
        spherical: Along the arc, within each block.

    Raises:
        ValueError: Where there are fewer than two steps, or a block to move does not exist.
    """
    moving = set(start if blocks is None else blocks)
    if steps < 2:
        raise ValueError(f"an interpolation has at least two steps, got {steps}")
    if not moving <= set(start):
        raise ValueError(f"no block {sorted(moving - set(start))[0]!r}; there are {', '.join(start)}")
    t = torch.linspace(0, 1, steps)[:, None]
    codes = {}
    for name, a in start.items():
        b = end[name] if name in moving else a
        lengths = a.norm(), b.norm()
        angle = torch.arccos(torch.cosine_similarity(a, b).clamp(-1, 1))
        if spherical and 1e-3 < angle.item() < torch.pi - 1e-3 and min(lengths) > 0:  # no arc is defined between parallel directions
            arc = (torch.sin((1 - t) * angle) * a / lengths[0] + torch.sin(t * angle) * b / lengths[1]) / torch.sin(angle)
            codes[name] = torch.lerp(*lengths, t) * arc
        else:
            codes[name] = torch.lerp(a.expand(steps, -1), b.expand(steps, -1), t)
    return codes


@torch.inference_mode()
def interpolate(
    model: MultimodalVAE, start: Code, end: Code, steps: int, blocks: Iterable[str] | None = None, spherical: bool = False
) -> dict[str, Tensor]:
    """The pictures along a `path`: {modality: [steps, C, H, W]}."""
    return model.decode(path(start, end, steps, blocks, spherical))


@torch.inference_mode()
def swap(model: MultimodalVAE, content: Code, style: Code) -> dict[str, Tensor]:
    """Every shared code with every pair of private codes: {modality: [contents, styles, C, H, W]}.

    Arguments:
        content: Codes whose shared block is taken, of n items.
        style: Codes whose private blocks are taken, of m items.

    Raises:
        ValueError: Where the model has no private blocks to swap.
    """
    if not any(block.owner for block in model.blocks):
        raise ValueError(f"{model.variant.title} has no private blocks: nothing can be swapped")
    n, m = (len(next(iter(code.values()))) for code in (content, style))
    z = {b.name: style[b.name].repeat(n, 1) if b.owner else content[b.name].repeat_interleave(m, 0) for b in model.blocks}
    return {name: pictures.unflatten(0, (n, m)) for name, pictures in model.decode(z).items()}


def code_of(point: Point, model: MultimodalVAE) -> dict[str, Tensor]:
    """The code that a point carries, {block: [1, dim]}, its values clamped to ±`BOUND`.

    Raises:
        PointError: Where it is of another size than the model's.
    """
    return {
        name: torch.tensor([values], dtype=torch.float32).clamp(-BOUND, BOUND)
        for name, values in point.blocks({block.name: block.dim for block in model.blocks}).items()
    }


def alike(z: Code, mean: Code) -> bool:
    """Whether two codes of one item are one up to `NEAR`, once both are clamped to ±`BOUND`."""
    return all((z[name].clamp(-BOUND, BOUND) - part.clamp(-BOUND, BOUND)).abs().max().item() < NEAR for name, part in mean.items())


def code_in_words(model: MultimodalVAE, z: Code, item: int | None = None, observed: Sequence[str] = (), mean: Code | None = None) -> str:
    """What the code of one item is: a point's item is the pair that was picked, and its pictures need not be of that pair.

    It is the code alone that tells, not how one came to it; the page's header says the same, see ``codeInWords`` in ui/frontend/panel.js.

    Arguments:
        item: The pair that was picked.
        observed: The modalities that the pair's posterior is given.
        mean: The mean of that posterior; None where it cannot be had here.
    """
    picked = "" if item is None else f"picked pair {item}"
    if item is not None and observed and mean is None:
        return picked
    if item is not None and observed and alike(z, mean):
        return f"pair {item} · observed: {'both' if len(observed) == len(model.names) else f'only {observed[0]}'}"
    if alike(z, {name: belief.mean for name, belief in model.prior(1).items()}):
        return "prior mean"
    return " · ".join(filter(None, ("moved or sampled code", picked)))


@torch.inference_mode()
def start_of(model: MultimodalVAE, z: Code, images: Mapping[str, Tensor], mean: Code | None) -> tuple[dict[str, Tensor], str]:
    """What stands beside a sweep from the code of one item, {modality: [C, H, W]}, and what it is: "pair" or "code".

    Arguments:
        images: The pictures of the pair that was picked; empty where they are not at hand.
        mean: As for `code_in_words`: only its own code has a pair's pictures beside it.
    """
    if images and mean is not None and alike(z, mean):
        return dict(images), "pair"
    return {name: image[0] for name, image in model.decode(z).items()}, "code"


def point_of(
    checkpoint: str,
    digest: str,
    model: MultimodalVAE,
    z: Code,
    *,
    item: int | None = None,
    observed: Sequence[str] = (),
    seed: int | None = None,
) -> Point:
    """The code of one item as a point; see `mmvae.point.Point` for the arguments."""
    values = torch.cat([z[block.name].reshape(-1) for block in model.blocks]).tolist()
    return Point(checkpoint, digest, tuple(values), item, tuple(observed), seed)
