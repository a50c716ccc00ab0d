"""The loss of a variant: the sum of the terms its row lists, in nats per pair."""

from __future__ import annotations

__all__ = ["Loss", "log_likelihood", "loss"]

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from .gaussian import DiagonalGaussian, Mixture
from .latents import SHARED
from .modalities import Modality
from .model import Experts, MultimodalVAE
from .variants import PAIR, Contrast, Cycle, Elbo, ImportanceBound, Match

#: The largest amplitude of the noise in a haze, where pictures are in [0, 1].
HAZE_NOISE = 0.1


@dataclass
class Loss:
    """A loss and what it is made of.

    Arguments:
        total: What is minimised, a scalar, in nats per pair (weights and KL warm-up included).
        parts: Each term's share by name, such as ``"J reconstruction mnist"``; detached scalars before the term's weight.
        kl: KL of the pair's posterior from the prior per dimension, {block name: [dim]}, detached, mean over the batch.
    """

    total: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)
    kl: dict[str, Tensor] = field(default_factory=dict)


def log_likelihood(modality: Modality, logits: Tensor, images: Tensor, *, normalised: bool = False) -> Tensor:
    r"""The log-likelihood :math:`\log p(x|z)` of images under a decoder's logits, summed over pixels: [N], in nats.

    Arguments:
        modality: Whose likelihood and scale are used; its weight is not applied.
        logits: [N, C, H, W]; pixels' means are their sigmoid.
        images: [N, C, H, W] in [0, 1].
        normalised: Whether to include the terms that depend on the scale alone, as likelihoods (not losses) need.
    """
    if modality.likelihood == "bernoulli":
        return -F.binary_cross_entropy_with_logits(logits, images, reduction="none").flatten(1).sum(1)
    error = (torch.sigmoid(logits) - images).flatten(1)
    if modality.likelihood == "gaussian":
        value = -error.square().sum(1) / (2 * modality.scale**2)
        constant = math.log(modality.scale) + 0.5 * math.log(2 * math.pi)
    else:
        value = -error.abs().sum(1) / modality.scale
        constant = math.log(2 * modality.scale)
    return value - constant * error.shape[1] if normalised else value


def loss(model: MultimodalVAE, images: Mapping[str, Tensor], *, beta: float = 1.0, generator: torch.Generator | None = None) -> Loss:
    """The variant's loss on a batch of pairs.

    Arguments:
        model: The model.
        images: Both modalities, {name: [N, C, H, W] in [0, 1]}.
        beta: Factor of every KL, for warm-up; 1 is the bound itself.
        generator: Source of the reparameterisation noise.
    """
    n = len(next(iter(images.values())))
    experts = model.experts(images)
    result = Loss(torch.zeros((), device=model.device))
    for term in model.variant.terms:
        name, value, parts = _TERMS[type(term)](model, term, experts, images, n, beta, generator)
        result.total = result.total + value
        result.parts |= {f"{name} {part}".strip(): amount.detach() for part, amount in parts.items()}
    prior = model.prior(n)
    with torch.no_grad():
        result.kl = {block: belief.kl(prior[block]).mean(0) for block, belief in model.fuse(experts, PAIR, n).items()}
    return result


def _elbo(model: MultimodalVAE, term: Elbo, experts: Experts, images, n: int, beta: float, generator):
    rebuilt = [model.names[m] for m in sorted(term.rebuild)]
    prior = model.prior(n)
    beliefs, divergent = {}, []
    for block in model.blocks:
        if block.owner is not None and block.owner not in rebuilt:
            continue  # no decoder of this term reads it
        alien = block.owner is not None and model.positions([block.owner]).isdisjoint(term.private or term.given)
        if alien and term.alien == "auxiliary":
            beliefs[block.name] = DiagonalGaussian(torch.zeros_like(prior[block.name].mean), model.auxiliary_logvar[block.name].expand(n, -1))
        else:
            source = term.given if block.owner is None or term.private is None else term.private
            beliefs[block.name] = model.fuse_block(experts, source, block, n)
            divergent.append(block.name)
    components = max(len(belief.components) if isinstance(belief, Mixture) else 1 for belief in beliefs.values())
    negative = {name: 0.0 for name in rebuilt}
    for k in range(components):
        z = {name: (belief.components[k] if isinstance(belief, Mixture) else belief).sample(generator) for name, belief in beliefs.items()}
        for name, logits in model.logits(z, rebuilt).items():
            modality = model.modalities[model.names.index(name)]
            negative[name] = negative[name] - log_likelihood(modality, logits, images[name]).mean() / components
    kl = {name: beliefs[name].kl(prior[name]).sum(1).mean() for name in divergent}
    weighted = sum(model.modalities[model.names.index(name)].weight * value for name, value in negative.items())
    value = term.weight * (term.reconstruction * weighted + beta * term.kl * sum(kl.values()))
    parts = {f"reconstruction {name}": value for name, value in negative.items()} | {f"kl {name}": value for name, value in kl.items()}
    return _letter(term), value, parts


def _match(model: MultimodalVAE, term: Match, experts: Experts, images, n: int, beta: float, generator):
    more, less = model.fuse(experts, term.more, n), model.fuse(experts, term.less, n)
    # Private blocks of a modality that `less` lacks are its prior: nothing to draw together.
    kl = sum(more[b.name].kl(less[b.name]).sum(1).mean() for b in model.blocks if b.owner is None or model.positions([b.owner]) <= term.less)
    return f"match {model.names[min(term.less)]}", term.weight * beta * kl, {"": kl}


def _importance_bound(model: MultimodalVAE, term: ImportanceBound, experts: Experts, images, n: int, beta: float, generator):
    mixture = model.fuse(experts, PAIR, n)[SHARED]
    constant = mixture.map(Tensor.detach)  # the doubly reparameterised gradient reaches the encoders through z alone
    prior = model.prior(n)[SHARED]
    tiled = {name: x.repeat(term.samples, *[1] * (x.dim() - 1)) for name, x in images.items()}
    bounds, surrogates = [], []
    for component in mixture.components:
        z = torch.stack([component.sample(generator) for _ in range(term.samples)])
        density = constant.log_prob(z)
        log_weight = beta * (prior.log_prob(z) - density)
        for name, logits in model.logits({SHARED: z.flatten(0, 1)}).items():
            modality = model.modalities[model.names.index(name)]
            log_weight = log_weight + modality.weight * log_likelihood(modality, logits, tiled[name]).view(term.samples, n)
        share = torch.softmax(log_weight.detach(), 0)
        if z.requires_grad:
            z.register_hook(lambda gradient, share=share: share.unsqueeze(-1) * gradient)
        surrogates.append(-(share * log_weight).sum(0).mean())
        bounds.append(-(torch.logsumexp(log_weight.detach(), 0) - math.log(term.samples)).mean())
    bound, surrogate = torch.stack(bounds).mean(), torch.stack(surrogates).mean()
    # The value is the bound's, the gradient the surrogate's.
    return f"bound K={term.samples}", bound + surrogate - surrogate.detach(), {"": bound}


def _contrast(model: MultimodalVAE, term: Contrast, experts: Experts, images, n: int, beta: float, generator):
    first, second = (F.normalize(experts[frozenset({m}), SHARED].mean, dim=1) for m in (0, 1))
    with torch.autocast(first.device.type, enabled=False):  # in bfloat16 a similarity would be off by more than pairs differ
        similarity = first @ second.T / term.temperature
    own = torch.arange(n, device=similarity.device)
    value = 0.5 * (F.cross_entropy(similarity, own) + F.cross_entropy(similarity.T, own))
    return "contrast", term.weight * value, {"": value}


def _cycle(model: MultimodalVAE, term: Cycle, experts: Experts, images, n: int, beta: float, generator):
    prior, pair = model.prior(n), model.fuse(experts, PAIR, n)
    block = next(block for block in model.blocks if block.owner is None)
    sources = [pair[SHARED], *(model.fuse_block(experts, frozenset({m}), block, n) for m in (0, 1)), prior[SHARED]]
    rows = torch.arange(n, device=model.device)
    code = torch.stack([belief.sample(generator) for belief in sources])[rows % len(sources), rows].detach()
    z = {SHARED: code}
    for name in (b.name for b in model.blocks if b.owner is not None):
        alien, fresh = pair[name].sample(generator).roll(1, 0), prior[name].sample(generator)
        z[name] = torch.where((rows // len(sources) % 2 == 0).unsqueeze(1), alien, fresh)
    drawn = {name: torch.sigmoid(logits) for name, logits in model.logits(z).items()}
    if term.haze:
        drawn = {name: _hazed(pictures, term.haze, generator) for name, pictures in drawn.items()}
    read = model.experts(drawn, fixed=True)
    clusters = prior[SHARED].detach()
    meant = clusters.responsibilities(DiagonalGaussian(code, torch.full_like(code, -torch.inf))).exp()
    values = [-(meant * clusters.responsibilities(read[frozenset({m}), SHARED])).sum(-1).mean() for m in (0, 1)]
    return "cycle", term.weight * sum(values) / 2, dict(zip(model.names, values, strict=True))


def _hazed(pictures: Tensor, width: float, generator: torch.Generator | None) -> Tensor:
    """Pictures [N, C, H, W] as `Cycle.haze` has them seen."""
    from torchvision.transforms.functional import gaussian_blur  # slow to import, and asked for by few variants

    sigma = width * pictures.shape[-1]
    blurred = gaussian_blur(pictures, 2 * math.ceil(3 * sigma) + 1, sigma)
    share, amplitude = torch.rand(2, len(pictures), 1, 1, 1, device=pictures.device, generator=generator)
    noise = torch.randn(pictures.shape, device=pictures.device, generator=generator)
    return pictures + share * (blurred - pictures) + HAZE_NOISE * amplitude * noise


def _letter(term: Elbo) -> str:
    """J for the pair, I and T for a modality rebuilt from itself, I→both and T→both across."""
    given = "J" if term.given == PAIR else "IT"[min(term.given)]
    return given if term.given == term.rebuild else f"{given}→{'both' if term.rebuild == PAIR else 'IT'[min(term.rebuild)]}"


_TERMS = {Elbo: _elbo, Match: _match, ImportanceBound: _importance_bound, Contrast: _contrast, Cycle: _cycle}
