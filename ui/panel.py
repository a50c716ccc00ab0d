"""The panel of the Explore page: what the browser is told of a model and a pair, and the component that shows it.

The browser does the rest by itself: sliders, pictures over the live path, history, figures. It reports back only when
it rests, so that a drag costs no rerun.
"""

from __future__ import annotations

__all__ = ["Beliefs", "beliefs_of", "describe", "draw", "panel", "why_dead"]

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mmvae.checkpoints import Checkpoint
from mmvae.gaussian import Belief, Mixture, precision_shares
from mmvae.latents import Block
from mmvae.model import Experts, MultimodalVAE
from mmvae.variants import PAIR, Variant

from . import live, models
from .component import nothing, served

#: Nats below which a dimension tells nothing of the pair.
DEAD = 0.05
#: Variance of a dimension's posterior means over pairs below which these do not tell pairs apart.
STILL = 0.02

_component = served("mmvae_panel", "panel.js", "panel.css")


@dataclass(frozen=True)
class Beliefs:
    """What is believed of one pair, block by block.

    Arguments:
        posterior: The posterior given what is observed.
        experts: Every encoder's belief, see `mmvae.model.Experts`; empty where the pair's images are not at hand.
        given: The positions of the observed modalities.
    """

    posterior: Mapping[str, Belief]
    experts: Experts
    given: frozenset[int]


@torch.inference_mode()
def beliefs_of(model: MultimodalVAE, observed: Mapping[str, Tensor]) -> Beliefs:
    """The beliefs given the images of one pair, or of none.

    Raises:
        CannotInfer: Where the variant has no posterior given these.
    """
    experts, given = model.experts(observed), model.positions(observed)
    return Beliefs(model.fuse(experts, given, 1), experts, given)


def panel(checkpoint: Checkpoint, beliefs: Beliefs, *, code: Sequence[float], revision: str, item: int | None = None,
          labels: Mapping[str, float] | None = None, images: Mapping[str, Tensor] | None = None, key: str = "panel",
          on_draw: Callable[[], None], drawn: dict | None = None):
    """Shows the panel.

    Arguments:
        code: Where it starts, all blocks one after the other.
        revision: The browser takes on `code` when this changes, and keeps what the person did otherwise.
        labels: The pair's factors.
        images: The pair's pictures [1, C, H, W], all modalities, where they are at hand.
        on_draw: Called where the live path cannot be had, with a code to draw in the component's ``draw``.
        drawn: Pictures that a rerun drew where the live path cannot be had, from `draw`.

    Returns:
        The component's result: ``.point`` (text, where it rests) and ``.open`` (the text of a point to open).
    """
    data = describe(checkpoint, beliefs, images or {}) | {
        "files": live.FILES_PATH, "socket": live.PATH, "export": live.EXPORT_PATH, "code": [float(v) for v in code], "revision": revision,
        "title": models.label_of(checkpoint.name), "pictures": draw(checkpoint.model, code, 0)["images"], "item": item, "labels": {name: float(v) for name, v in (labels or {}).items()}, "drawn": drawn}
    return _component(key=key, data=data, default={"point": None}, on_point_change=nothing, on_draw_change=on_draw, on_open_change=nothing)


def draw(model: MultimodalVAE, code: Sequence[float], ident: int) -> dict:
    """Pictures of a code as the panel takes them from a rerun."""
    z = torch.tensor([code], dtype=torch.float32).clamp(-live.BOUND, live.BOUND)
    with torch.inference_mode():
        return {"id": ident, "images": [_pixels(image) for image in model.decode(_split(model, z)).values()]}


def describe(checkpoint: Checkpoint, beliefs: Beliefs, images: Mapping[str, Tensor]) -> dict:
    """All that the browser needs to know of a model and a pair, as JSON values."""
    model, blocks = checkpoint.model, checkpoint.model.blocks
    mean = torch.cat([beliefs.posterior[b.name].mean for b in blocks], 1)
    with torch.inference_mode():
        rebuilt = model.decode(_split(model, mean))
    letters = {m.name: m.symbol.partition("_")[2] or m.name[0] for m in model.modalities}
    return {
        "checkpoint": checkpoint.name, "digest": models.digest_of(checkpoint),
        "observed": [name for i, name in enumerate(model.names) if i in beliefs.given],
        "modalities": [{"name": m.name, "symbol": letters[m.name], "title": m.title, "shape": list(m.shape),
                        "reads": [i for i, b in enumerate(blocks) if b.owner in (None, m.name)] if not model.variant.joint_decoder
                        else list(range(len(blocks)))} for m in model.modalities],
        "blocks": [_block(checkpoint, beliefs, block, letters) for block in blocks],
        "inputs": [_pixels(images[name]) if name in images else None for name in model.names],
        "rebuilt": [_pixels(image) for image in rebuilt.values()],
        "errors": [round(float((rebuilt[name] - images[name]).square().mean()), 5) if name in images else None for name in model.names],
    }


def _block(checkpoint: Checkpoint, beliefs: Beliefs, block: Block, letters: Mapping[str, str]) -> dict:
    """One block: its dimensions' statistics over many pairs, and what is believed of this pair."""
    model = checkpoint.model
    owner = model.names.index(block.owner) if block.owner else None
    statistics = checkpoint.statistics.get("blocks", {}).get(block.name)
    posterior, prior = beliefs.posterior[block.name], model.prior(1)[block.name]
    dims = []
    for d in range(block.dim):
        known = {key: statistics[key][d] for key in ("low", "high", "min", "max", "kl", "histogram") if key in statistics} if statistics else {
            "low": -3.0, "high": 3.0, "kl": 0.0, "histogram": []}
        why = why_dead(model.variant, block, statistics, d) if statistics else ""
        dims.append(known | {"dead": bool(why), "why": why})
    title = f"private · {block.owner}" if block.owner else "shared" if len(model.blocks) > 1 else "code"
    hue = 1 if owner is None else 2 * owner
    return {
        "name": block.name, "symbol": letters[block.owner] if block.owner else "S" if len(model.blocks) > 1 else "", "title": title, "owner": owner, "hue": hue, "dims": dims,
        "mean": _row(posterior.mean), "stddev": _row(posterior.stddev),
        "beliefs": {"family": model.variant.family, "fused": _parts(posterior), "prior": _parts(prior),
                    "prior_share": _prior_share(model, beliefs, block), **_experts(model, beliefs, block, letters)},
    }


def _experts(model: MultimodalVAE, beliefs: Beliefs, block: Block, letters: Mapping[str, str]) -> dict:
    """Each encoder's belief of a block, whether the posterior is made of it, and a sentence on how."""
    used = _used(model, beliefs, block)
    shares = _shares(model, beliefs, block)
    rows = []
    for (reads, name), belief in beliefs.experts.items():
        if name == block.name:
            rows.append(_moments(belief) | {
                "symbol": "".join(letters[model.names[m]] for m in sorted(reads)), "hue": 2 * min(reads) if len(reads) == 1 else 1,
                "used": reads in used, "share": shares.get(reads)})
    return {"experts": rows, "text": f"{_sentence(model, beliefs, block)}{_on_prior(model, block)}"}


def _used(model: MultimodalVAE, beliefs: Beliefs, block: Block) -> list[frozenset[int]]:
    """Which encoders' beliefs the posterior of a block is made of."""
    given = beliefs.given
    if not given or block.owner is not None and model.names.index(block.owner) not in given:
        return []
    if model.variant.fusion == "pair encoder" and (given, block.name) in beliefs.experts:
        return [given]
    members = given if block.owner is None else {model.names.index(block.owner)}
    return [frozenset({m}) for m in sorted(members) if (frozenset({m}), block.name) in beliefs.experts]


def _joined_by_prior(variant: Variant, used: Sequence[frozenset[int]], given: frozenset[int]) -> bool:
    return {"always": True, "several": len(used) > 1, "full": given == PAIR, "never": False}[variant.prior_expert]


def _shares(model: MultimodalVAE, beliefs: Beliefs, block: Block) -> dict[frozenset[int] | None, list[float]]:
    """The share of each expert (None: the prior) in the precision of a product; empty where nothing is multiplied."""
    used = _used(model, beliefs, block)
    if model.variant.fusion != "product" or block.owner is not None or not used:
        return {}
    experts: dict[frozenset[int] | None, Belief] = {reads: beliefs.experts[reads, block.name] for reads in used}
    if _joined_by_prior(model.variant, used, beliefs.given):
        experts[None] = model.prior(1)[block.name]
    return dict(zip(experts, (_row(share) for share in precision_shares(list(experts.values()))), strict=True))


def _prior_share(model: MultimodalVAE, beliefs: Beliefs, block: Block) -> list[float] | None:
    return _shares(model, beliefs, block).get(None)


def _sentence(model: MultimodalVAE, beliefs: Beliefs, block: Block) -> str:
    """How the posterior of a block comes about, in words."""
    variant, used, title = model.variant, _used(model, beliefs, block), model.variant.title
    if not used:
        return "Nothing is observed that tells of this block: the posterior is the prior." if beliefs.experts or not beliefs.given else (
            "The pair's images are not on this machine: its stored posterior is shown, without the experts behind it.")
    names = [model.names[m] for m in sorted(frozenset().union(*used))]
    if variant.fusion == "pair encoder" and len(names) == 2:
        return f"{title}: an encoder of its own reads both images together; nothing is multiplied."
    if len(used) == 1 and not (variant.fusion == "product" and block.owner is None and _joined_by_prior(variant, used, beliefs.given)):
        return f"{title}: the encoder of {names[0]} decides alone."
    if variant.fusion == "mixture":
        return f"{title}: a mixture. Either encoder is believed with probability ½; they are not multiplied."
    if variant.fusion == "mixture of products":
        return f"{title}: a mixture over each encoder alone and the product of both with the prior."
    joined = " and the prior" if _joined_by_prior(variant, used, beliefs.given) else ""
    return f"{title}: a product of {' and '.join(names)}{joined}. Precisions add up; the percentages are their shares."


def _on_prior(model: MultimodalVAE, block: Block) -> str:
    """A sentence on a prior that is not the usual one."""
    prior = model.prior(1)[block.name]
    if not isinstance(prior, Mixture):
        return ""
    return f" The prior is a learned mixture of {len(prior.components)} Gaussians; a sample of it draws one by its weight, then the code; its mean lies between them, where few codes are."


def why_dead(variant: Variant, block: Block, statistics: Mapping, d: int) -> str:
    """Why a dimension says nothing of the pair, or an empty text where it does.

    In a product with the prior, two experts that say nothing are N(0, 1) each, and their product with the prior is
    N(0, 1/3), whose KL of ½(ln 3 + 1/3 − 1) = 0.216 nats looks like information and is none.
    """
    kl, sigma = statistics["kl"][d], statistics["sigma"][d]
    means = statistics["stddev"][d] ** 2 - sigma**2
    if kl < DEAD:
        return f"Dead: {kl:.2f} nats. Its posterior is the prior whatever the pair, and the decoders have learned to ignore it."
    joins = variant.prior_expert in ("always", "several", "full") and variant.fusion == "product"
    if block.owner is None and joins and means < STILL and abs(sigma**2 - 1 / 3) < 0.05:
        return (f"Dead: both experts say N(0, 1), and their product with the prior is N(0, 1/3). That is where {kl:.2f} nats come from "
                "(½(ln 3 + 1/3 − 1) = 0.216); they tell nothing of the pair.")
    return ""


def _parts(belief: Belief) -> list[dict]:
    """A mixture's components with their weights; any other belief as the only one."""
    if not isinstance(belief, Mixture):
        return [_moments(belief) | {"weight": 1.0}]
    return [_moments(part) | {"weight": weight} for part, weight in zip(belief.components, belief.log_weights.exp().tolist(), strict=True)]


def _moments(belief: Belief) -> dict:
    return {"mean": _row(belief.mean), "stddev": _row(belief.stddev)}


def _row(values: Tensor) -> list[float]:
    return [round(v, 5) for v in values[0].tolist()]


def _split(model: MultimodalVAE, z: Tensor) -> dict[str, Tensor]:
    return dict(zip((b.name for b in model.blocks), z.split([b.dim for b in model.blocks], 1), strict=True))


def _pixels(images: Tensor) -> str:
    return base64.b64encode(live.pixels(images[:1]).tobytes()).decode()
