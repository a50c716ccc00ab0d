r"""Beliefs about a latent block: diagonal Gaussians, their products and mixtures, and the Laplace that one variant uses."""

from __future__ import annotations

__all__ = ["Belief", "DiagonalGaussian", "DiagonalLaplace", "Mixture", "keyed_sample", "precision_shares", "product_of_experts"]

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad


@dataclass(frozen=True)
class DiagonalGaussian:
    r"""A Gaussian with independent dimensions, :math:`\mathcal{N}(\mu, \operatorname{diag}(\sigma^2))`.

    Arguments:
        mean: The mean :math:`\mu`, with shape :math:`(*, D)`.
        logvar: The log-variance :math:`\log \sigma^2`, with shape :math:`(*, D)`.

    Example:
        >>> prior = DiagonalGaussian.standard(4, 2)
        >>> prior.sample().shape
        torch.Size([4, 2])
    """

    mean: Tensor
    logvar: Tensor

    @classmethod
    def standard(cls, *shape: int, device: torch.device | str | None = None) -> DiagonalGaussian:
        """The prior N(0, I) of the given shape."""
        zero = torch.zeros(shape, device=device)
        return cls(zero, zero)

    @property
    def stddev(self) -> Tensor:
        return torch.exp(0.5 * self.logvar)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """A reparameterised sample, with the shape of the mean; gradients reach mean and logvar."""
        return self.mean + self.stddev * _noise(torch.randn, self.mean, generator)

    def log_prob(self, z: Tensor) -> Tensor:
        """The log-density at z, in nats, summed over dimensions: shape :math:`(*)`."""
        return -0.5 * (math.log(2 * math.pi) + self.logvar + (z - self.mean).square() * torch.exp(-self.logvar)).sum(-1)

    def kl(self, other: DiagonalGaussian | Mixture) -> Tensor:
        r"""The divergence :math:`\mathrm{KL}(\text{self} \,\|\, \text{other})` per dimension, in nats: shape :math:`(*, D)`.

        Kept per dimension because a dead dimension (about 0) is what people look for. From a mixture it is an upper bound,
        see `Mixture.bound_kl_of`.
        """
        if isinstance(other, Mixture):
            return other.bound_kl_of(self)
        spread = torch.exp(self.logvar - other.logvar)
        shift = (self.mean - other.mean).square() * torch.exp(-other.logvar)
        return 0.5 * (other.logvar - self.logvar + spread + shift - 1)

    def map(self, change) -> DiagonalGaussian:
        """The same belief with `change` applied to each of its tensors (a selection, a move to a device, a detach)."""
        return DiagonalGaussian(change(self.mean), change(self.logvar))


@dataclass(frozen=True)
class DiagonalLaplace:
    r"""A Laplace distribution with independent dimensions, density :math:`\exp(-|z-\mu|/b) / 2b` in each.

    Arguments:
        mean: The location :math:`\mu`, with shape :math:`(*, D)`.
        logscale: :math:`\log b`, with shape :math:`(*, D)`.
    """

    mean: Tensor
    logscale: Tensor

    @classmethod
    def standard(cls, *shape: int, device: torch.device | str | None = None) -> DiagonalLaplace:
        """The prior of unit scale (variance 2) and the given shape."""
        zero = torch.zeros(shape, device=device)
        return cls(zero, zero)

    @property
    def stddev(self) -> Tensor:
        return math.sqrt(2) * torch.exp(self.logscale)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """A reparameterised sample, with the shape of the mean; gradients reach mean and logscale."""
        uniform = _noise(torch.rand, self.mean, generator) - 0.5
        noise = -uniform.sign() * torch.log1p((-2 * uniform.abs()).clamp_min(-1 + 1e-7))
        return self.mean + torch.exp(self.logscale) * noise

    def log_prob(self, z: Tensor) -> Tensor:
        """The log-density at z, in nats, summed over dimensions: shape :math:`(*)`."""
        return -(math.log(2) + self.logscale + (z - self.mean).abs() * torch.exp(-self.logscale)).sum(-1)

    def kl(self, other: DiagonalLaplace) -> Tensor:
        r"""The divergence :math:`\mathrm{KL}(\text{self} \,\|\, \text{other})` per dimension, in nats: shape :math:`(*, D)`."""
        distance = (self.mean - other.mean).abs()
        ratio = torch.exp(self.logscale - other.logscale)
        return (other.logscale - self.logscale + distance * torch.exp(-other.logscale)
                + ratio * torch.exp(-distance * torch.exp(-self.logscale)) - 1)

    def map(self, change) -> DiagonalLaplace:
        """The same belief with `change` applied to each of its tensors."""
        return DiagonalLaplace(change(self.mean), change(self.logscale))


@dataclass(frozen=True)
class Mixture:
    r"""The mixture :math:`\sum_k w_k q_k(z)` of beliefs of one shape.

    Arguments:
        components: The beliefs :math:`q_k`, at least one.
        logits: The logarithms of the weights, up to a constant, with shape :math:`(K)`; None for equal weights.

    References:
        Shi et al. (2019), Variational Mixture-of-Experts Autoencoders for Multi-Modal Deep Generative Models.
        Sutter et al. (2021), Generalized Multimodal ELBO.
    """

    components: tuple[DiagonalGaussian | DiagonalLaplace, ...]
    logits: Tensor | None = None

    @property
    def log_weights(self) -> Tensor:
        """The logarithms of the weights, with shape :math:`(K)`."""
        equal = self.components[0].mean.new_zeros(len(self.components))
        return torch.log_softmax(equal if self.logits is None else self.logits, 0)

    @property
    def mean(self) -> Tensor:
        return self._average([component.mean for component in self.components])

    @property
    def stddev(self) -> Tensor:
        second_moment = self._average([c.stddev.square() + c.mean.square() for c in self.components])
        return (second_moment - self.mean.square()).clamp_min(0).sqrt()

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """A sample from a component chosen at random for each item, with the shape of the mean."""
        mean = self.components[0].mean
        weights = self.log_weights.detach().exp().to(generator.device if generator else mean.device)
        choice = torch.multinomial(weights, mean[..., 0].numel(), replacement=True, generator=generator).view(mean.shape[:-1]).to(mean.device)
        samples = torch.stack([component.sample(generator) for component in self.components])
        return samples.gather(0, choice[None, ..., None].expand(1, *mean.shape)).squeeze(0)

    def log_prob(self, z: Tensor) -> Tensor:
        """The log-density at z, in nats, over all dimensions together: shape :math:`(*)`."""
        densities = torch.stack([c.log_prob(z) for c in self.components], -1)
        return torch.logsumexp(densities + self.log_weights, -1)

    def kl(self, other: DiagonalGaussian | DiagonalLaplace) -> Tensor:
        r"""The components' mean divergence from `other` per dimension, in nats: shape :math:`(*, D)`.

        An upper bound on the mixture's own divergence, which has no closed form; it is the one MoPoE trains with.
        """
        return self._average([component.kl(other) for component in self.components])

    def bound_kl_of(self, belief: DiagonalGaussian | DiagonalLaplace) -> Tensor:
        r"""An upper bound on :math:`\mathrm{KL}(\text{belief} \,\|\, \text{self})` per dimension, in nats: shape :math:`(*, D)`.

        :math:`-\log \sum_k w_k e^{-\mathrm{KL}(q \| p_k)}`: with responsibilities :math:`\phi_k \propto w_k e^{-\mathrm{KL}(q \| p_k)}`
        it is the responsible components' divergence, told per dimension, and the nats it takes to name the component, which
        belong to no dimension and are shared out evenly.

        References:
            Hershey & Olsen (2007), Approximating the Kullback Leibler Divergence Between Gaussian Mixture Models.
        """
        apart = torch.stack([belief.kl(component) for component in self.components], -1)  # (*, D, K)
        log_shares = torch.log_softmax(self.log_weights - apart.sum(-2), -1)
        shares = log_shares.exp()
        naming = (shares * (log_shares - self.log_weights)).sum(-1, keepdim=True)
        return (apart * shares.unsqueeze(-2)).sum(-1) + naming / apart.shape[-2]

    def map(self, change) -> Mixture:
        """The same belief with `change` applied to each tensor of each component."""
        return Mixture(tuple(component.map(change) for component in self.components), self.logits)

    def detach(self) -> Mixture:
        """The same belief held fixed: no gradient reaches its components or weights."""
        fixed = self.map(Tensor.detach)
        return Mixture(fixed.components, None if self.logits is None else self.logits.detach())

    def responsibilities(self, belief: DiagonalGaussian) -> Tensor:
        r"""The logarithm of each Gaussian component's share in a belief, :math:`w_k \int q(z) p_k(z) dz` normalised: shape :math:`(*, K)`."""
        overlap = [DiagonalGaussian(c.mean, torch.logaddexp(c.logvar, belief.logvar)).log_prob(belief.mean) for c in self.components]
        return torch.log_softmax(torch.stack(overlap, -1) + self.log_weights, -1)

    def _average(self, values: Sequence[Tensor]) -> Tensor:
        return (torch.stack(values, -1) * self.log_weights.exp()).sum(-1)  # no matrix product: autocast would round it to bfloat16


Belief = DiagonalGaussian | DiagonalLaplace | Mixture

#: Noise is drawn for whole multiples of so many dimensions: torch draws other numbers for fewer than 16 values than for more.
DRAWN_AT_ONCE = 64


def keyed_sample(belief: Belief, *key: object) -> Tensor:
    """A sample with noise that depends on nothing but a key, with the shape of the mean.

    The noise of a single item is the same in a belief of fewer dimensions, as far as it goes: models with blocks of different
    sizes are compared under it.

    Arguments:
        belief: Of N items, [N, D]; each gets noise of its own.
        key: Whatever names the noise, such as a seed, the block's name and the number of the sample.

    Example:
        >>> small, large = DiagonalGaussian.standard(1, 2), DiagonalGaussian.standard(1, 5)
        >>> torch.equal(keyed_sample(small, 0, "z"), keyed_sample(large, 0, "z")[:, :2])
        True
    """
    digest = hashlib.sha256(repr(key).encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    dim = belief.mean.shape[-1]
    return belief.map(lambda tensor: pad(tensor, (0, -dim % DRAWN_AT_ONCE))).sample(generator)[..., :dim]


def product_of_experts(experts: Sequence[DiagonalGaussian]) -> DiagonalGaussian:
    r"""The normalised product of Gaussian beliefs: precisions add, means weigh by precision.

    .. math:: \sigma^{-2} = \sum_i \sigma_i^{-2}, \qquad \mu = \sigma^2 \sum_i \sigma_i^{-2} \mu_i

    The prior is an expert like any other: whether it takes part is the caller's choice,
    since published variants disagree (always, never, only with several experts).

    Arguments:
        experts: At least one belief, all of the same shape.

    Raises:
        ValueError: Where there is no expert to multiply.

    References:
        Hinton (2002), Training Products of Experts by Minimizing Contrastive Divergence.
        Wu & Goodman (2018), Multimodal Generative Models for Scalable Weakly-Supervised Learning.
    """
    if not experts:
        raise ValueError("a product of experts needs at least one expert")
    means = torch.stack([expert.mean for expert in experts])
    return DiagonalGaussian((precision_shares(experts) * means).sum(0), -torch.logsumexp(_log_precisions(experts), 0))


def precision_shares(experts: Sequence[DiagonalGaussian]) -> Tensor:
    """How much each expert decides of the product, per dimension: shape :math:`(E, *, D)`, summing to 1 over experts."""
    return torch.softmax(_log_precisions(experts), 0)  # softmax is stable for precisions many orders apart


def _log_precisions(experts: Sequence[DiagonalGaussian]) -> Tensor:
    return -torch.stack([expert.logvar for expert in experts])


def _noise(draw, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Noise of the shape of `like`, drawn where the generator lives, so that one seed gives one picture on every device."""
    return draw(like.shape, generator=generator, device=generator.device if generator else like.device).to(like.device)
