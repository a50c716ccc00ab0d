"""The two-modality VAE: one module for every variant, one posterior for training, inference and drawing."""

from __future__ import annotations

__all__ = ["CannotInfer", "Experts", "MultimodalVAE", "seeded_sample"]

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from .gaussian import Belief, DiagonalGaussian, DiagonalLaplace, Mixture, keyed_sample, product_of_experts
from .given import code_given, images_given, whole
from .latents import SHARED, Block, partition
from .modalities import Modality
from .networks import Decoder, Encoder
from .variants import PAIR, Variant

#: What each encoder believes of each block it emits: {(positions of the modalities it reads, block name): belief}.
Experts = dict[tuple[frozenset[int], str], DiagonalGaussian | DiagonalLaplace]

#: Of log-variances and log-scales, far outside what is learned: a single wild step must not turn into an infinite precision.
BOUNDS = (-12.0, 8.0)
#: By how much images may leave [0, 1], as resizing makes them do by rounding.
SLACK = 1e-3


def seeded_sample(posterior: Mapping[str, Belief], seed: int, k: int) -> dict[str, Tensor]:
    """Sample number k of a posterior under a seed, {block: [N, dim]}: noise that no other block has a part in."""
    return {name: keyed_sample(belief, seed, name, k) for name, belief in posterior.items()}


class CannotInfer(ValueError):
    """What a variant cannot do by construction, such as Vanilla's posterior of a single modality."""


class MultimodalVAE(nn.Module):
    """A VAE over pairs of images, built from a variant's row.

    Arguments:
        variant: The row.
        modalities: The two modalities, in order.
        blocks: Their latent blocks, see `mmvae.latents.partition`.
        dataset: The name of the data set it is for, where there is one.

    Raises:
        ValueError: Where the blocks do not fit the variant.

    Example:
        >>> from mmvae import VARIANTS, DATASETS
        >>> row = DATASETS["faces"]
        >>> model = MultimodalVAE.for_dataset(VARIANTS["mumo"], row)
        >>> [(block.name, block.dim) for block in model.blocks]
        [('z_elevation', 2), ('z_shared', 5), ('z_lighting', 2)]
    """

    def __init__(self, variant: Variant, modalities: Sequence[Modality], blocks: Sequence[Block], dataset: str | None = None) -> None:
        super().__init__()
        self.variant, self.modalities, self.blocks, self.dataset = variant, tuple(modalities), tuple(blocks), dataset
        self.names = tuple(m.name for m in self.modalities)
        if len(set(self.names)) != 2:
            raise ValueError(f"a pair needs two modalities of different names, got {', '.join(self.names) or 'none'}")
        got = [(block.name, block.owner) for block in self.blocks]
        expected = [(b.name, b.owner) for b in partition(self.names, private=(1, 1) if variant.private else (), shared=1)]
        if got != expected:
            raise ValueError(f"variant {variant.name!r} over {' and '.join(self.names)} needs the blocks (name, owner) {expected}, got {got}")
        self.encoders = nn.ModuleDict({
            self._key(reads): Encoder([self.modalities[m] for m in sorted(reads)], 2 * sum(b.dim for b in self._emitted(reads)))
            for reads in variant.encoders})
        writers = (PAIR,) if variant.joint_decoder else (frozenset({0}), frozenset({1}))
        self.decoders = nn.ModuleDict({
            self._key(writes): Decoder([self.modalities[m] for m in sorted(writes)], sum(b.dim for b in self._read(writes)))
            for writes in writers})
        if variant.learned_prior:
            self.prior_logits = nn.Parameter(torch.zeros(self.block(SHARED).dim))
        if variant.prior_clusters:
            self.prior_means = nn.Parameter(torch.randn(variant.prior_clusters, self.block(SHARED).dim))
            self.prior_logvars = nn.Parameter(torch.zeros(variant.prior_clusters, self.block(SHARED).dim))
            self.prior_weights = nn.Parameter(torch.zeros(variant.prior_clusters))
        if variant.auxiliary_prior:
            self.auxiliary_logvar = nn.ParameterDict({b.name: nn.Parameter(torch.zeros(b.dim)) for b in self.blocks if b.owner})

    @classmethod
    def for_dataset(cls, variant: Variant, row, *, private: Sequence[int] | None = None, shared: int | None = None,
                    modalities: Sequence[Modality] | None = None) -> MultimodalVAE:
        """The variant with a data set's modalities and default latent sizes; sizes given here take precedence.

        Arguments:
            row: A `mmvae.data.DatasetRow`.
            private: Dimensions of the private blocks, for variants that have them.
            shared: Dimensions of the shared block.
            modalities: The row's modalities with other likelihoods, weights or networks.

        Raises:
            ValueError: Where a block would have no dimension, or a modality no size.
        """
        modalities = tuple(row.modalities if modalities is None else modalities)
        private = tuple(row.private if private is None else private) if variant.private else ()
        if variant.private and len(private) != len(modalities):
            raise ValueError(f"private sizes are needed for {' and '.join(m.name for m in modalities)}, got {private}")
        usual = row.shared if variant.private else row.joint
        return cls(variant, modalities, partition([m.name for m in modalities], private=private, shared=usual if shared is None else shared), row.name)

    def block(self, name: str) -> Block:
        """The block of this name; a KeyError names those there are."""
        for block in self.blocks:
            if block.name == name:
                return block
        raise KeyError(f"no block {name!r}; this model has {', '.join(b.name for b in self.blocks)}")

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    # ---- inference

    def experts(self, observed: Mapping[str, Tensor], *, fixed: bool = False) -> Experts:
        """What every encoder whose modalities are all observed believes, block by block.

        Arguments:
            observed: As for `posterior`.
            fixed: Whether the encoders' weights are held fixed, so that gradients reach the images alone.
        """
        given = self.positions(observed)
        observed = images_given(observed, self.modalities)
        beliefs: Experts = {}
        for reads in self.variant.encoders:
            if reads <= given:
                emitted = self._emitted(reads)
                sizes = [b.dim for b in emitted]
                encoder = self.encoders[self._key(reads)]
                weights = {name: p.detach() for name, p in encoder.named_parameters()}
                outputs = functional_call(encoder, weights, (observed,)) if fixed else encoder(observed)
                mean, spread = outputs.chunk(2, 1)
                for block, m, s in zip(emitted, mean.split(sizes, 1), spread.split(sizes, 1)):
                    beliefs[reads, block.name] = self._belief(m, s)
        return beliefs

    def posterior(self, observed: Mapping[str, Tensor], n: int = 1) -> dict[str, Belief]:
        r"""The posterior :math:`q(z | x)` of each block, given any subset of the modalities.

        The private block of a modality that is not observed is its prior. This is the posterior that training uses.

        Arguments:
            observed: {modality: images [N, C, H, W] in [0, 1]}, tensors or arrays of floats; empty for the prior.
            n: Number of items where nothing is observed.

        Returns:
            {block name: a belief with ``.mean`` and ``.stddev`` [N, dim] and ``.sample()``}, in the order of the blocks.

        Raises:
            CannotInfer: Where the variant defines no posterior for this subset.
            ValueError: Where a modality is unknown or an image has the wrong shape, type or range.
        """
        given = self.positions(observed)
        observed = images_given(observed, self.modalities)
        experts = self.experts(observed)
        for name, images in observed.items():
            low, high = images.aminmax() if images.numel() else (0.0, 1.0)
            if not (low >= -SLACK and high <= 1 + SLACK):  # true of NaN too
                raise ValueError(f"images of {name!r} must lie between 0 and 1, got {float(low):.3g} to {float(high):.3g}")
        return self.fuse(experts, given, len(next(iter(observed.values()))) if observed else n)

    def fuse(self, experts: Experts, given: frozenset[int], n: int) -> dict[str, Belief]:
        """The posterior of n items from experts already computed; see `posterior`."""
        return {block.name: self.fuse_block(experts, given, block, n) for block in self.blocks}

    def fuse_block(self, experts: Experts, given: frozenset[int], block: Block, n: int) -> Belief:
        """The posterior of one block for n items."""
        if block.owner is not None and self.names.index(block.owner) not in given or not given:
            return self.prior(n)[block.name]
        if not self.variant.infers_from(given):
            reads = " and ".join(" + ".join(self.names[m] for m in sorted(r)) for r in self.variant.encoders)
            raise CannotInfer(f"{self.variant.title} has no posterior given {self.names[min(given)]} alone: "
                              f"its only encoder reads {reads} together")
        if (given, block.name) in experts and self.variant.fusion == "pair encoder":
            return experts[given, block.name]
        if block.owner is not None:
            return experts[frozenset({self.names.index(block.owner)}), block.name]
        singles = {m: experts[frozenset({m}), block.name] for m in sorted(given)}
        if self.variant.fusion == "product":
            return self._product(singles, given, block, n)
        if self.variant.fusion == "mixture of products":
            subsets = [frozenset({m}) for m in singles] + ([given] if len(given) > 1 else [])
            components = tuple(self._product({m: singles[m] for m in sorted(s)}, s, block, n) for s in subsets)
        else:
            components = tuple(singles.values())
        return Mixture(components) if len(components) > 1 else components[0]

    def prior(self, n: int) -> dict[str, Belief]:
        """The prior of n items, block by block."""
        beliefs = {}
        for block in self.blocks:
            if self.variant.family == "laplace":
                belief = DiagonalLaplace.standard(n, block.dim, device=self.device)
                if self.variant.learned_prior and block.owner is None:
                    # scales that average to 1: the prior may stretch a dimension, not inflate as a whole
                    logscale = torch.log_softmax(self.prior_logits, 0) + torch.tensor(float(block.dim)).log()
                    belief = DiagonalLaplace(belief.mean, logscale.expand(n, -1))
            elif self.variant.prior_clusters and block.owner is None:
                clusters = zip(self.prior_means, self.prior_logvars.clamp(*BOUNDS))
                belief = Mixture(tuple(DiagonalGaussian(mean.expand(n, -1), logvar.expand(n, -1)) for mean, logvar in clusters), self.prior_weights)
            else:
                belief = DiagonalGaussian.standard(n, block.dim, device=self.device)
            beliefs[block.name] = belief
        return beliefs

    # ---- generation

    def logits(self, z: Mapping[str, Tensor], modalities: Iterable[str] | None = None) -> dict[str, Tensor]:
        """The decoders' logits of the named modalities (default: all), [N, C, H, W]; only the blocks they read are needed."""
        wanted = set(self.names if modalities is None else modalities)
        images: dict[str, Tensor] = {}
        for key, decoder in self.decoders.items():
            if wanted & set(decoder.writes):
                images |= decoder(torch.cat([z[b.name] for b in self._read(self.positions(decoder.writes))], 1))
        return {name: images[name] for name in self.names if name in wanted}

    def decode(self, z: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The mean picture of each modality, [N, C, H, W] in [0, 1], from a code {block name: [N, dim]}.

        Raises:
            ValueError: Where a block is missing or of another shape, or a value is not finite.
        """
        return {name: torch.sigmoid(logits) for name, logits in self.logits(code_given(z, self.blocks)).items()}

    @torch.inference_mode()
    def translate(self, observed: Mapping[str, Tensor], to: str, samples: int = 1, seed: int = 0) -> Tensor:
        """Pictures of one modality from the other: posterior samples, private codes of `to` from its prior.

        Each item gets noise of its own. A single item's private codes are those of every model at this seed, see
        `mmvae.gaussian.keyed_sample`.

        Returns:
            Images [N, samples, C, H, W] in [0, 1].

        Raises:
            CannotInfer: Where the variant has no posterior given what is observed.
            ValueError: Where `to` is no modality of this model, no sample is asked for, or `seed` is no whole number.
        """
        self.positions([to])
        samples, seed = whole(samples, "samples"), whole(seed, "seed")
        if samples < 1:
            raise ValueError(f"samples must be at least 1, got {samples}")
        posterior = self.posterior(observed)
        draws = [self.logits(seeded_sample(posterior, seed, k), [to])[to] for k in range(samples)]
        return torch.sigmoid(torch.stack(draws, 1))

    @torch.inference_mode()
    def generate(self, n: int, seed: int = 0) -> dict[str, Tensor]:
        """New pairs from the prior: {modality: [n, C, H, W] in [0, 1]}.

        Raises:
            ValueError: Where `n` is no whole number from 0, or `seed` none.
        """
        n, seed = whole(n, "n"), whole(seed, "seed")
        if n < 0:
            raise ValueError(f"n must be at least 0, got {n}")
        generator = torch.Generator().manual_seed(seed)
        return self.decode({name: belief.sample(generator) for name, belief in self.prior(n).items()})

    # ---- what the row says, in terms of modules

    def positions(self, names: Iterable[str]) -> frozenset[int]:
        """The positions of modalities by name; a ValueError names an unknown one."""
        names = tuple(names)
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise ValueError(f"no modality {unknown[0]!r}; this model has {' and '.join(self.names)}")
        return frozenset(self.names.index(name) for name in names)

    def _key(self, positions: frozenset[int]) -> str:
        return "+".join(self.names[m] for m in sorted(positions))

    def _emitted(self, reads: frozenset[int]) -> list[Block]:
        """The blocks an encoder believes something of: those of the modalities it reads, and the shared one."""
        return self._read(reads)

    def _read(self, positions: frozenset[int]) -> list[Block]:
        """The blocks that concern these modalities, in order."""
        return [b for b in self.blocks if b.owner is None or self.names.index(b.owner) in positions]

    def _belief(self, mean: Tensor, spread: Tensor) -> DiagonalGaussian | DiagonalLaplace:
        spread = spread.clamp(*BOUNDS)
        return DiagonalLaplace(mean, spread) if self.variant.family == "laplace" else DiagonalGaussian(mean, spread)

    def _product(self, singles: Mapping[int, DiagonalGaussian], given: frozenset[int], block: Block, n: int) -> DiagonalGaussian:
        experts = list(singles.values())
        joins = {"always": True, "several": len(experts) > 1, "full": given == PAIR, "never": False}[self.variant.prior_expert]
        if joins:
            experts.append(self.prior(n)[block.name])
        return product_of_experts(experts)
