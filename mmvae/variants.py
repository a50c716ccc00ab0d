r"""Every variant as a row of data: its blocks, encoders, decoders, fusion, prior convention and ELBO terms.

No variant has a class or a branch of its own. A row says what the model is; `mmvae.model` builds it, `mmvae.objective`
trains it, `mmvae.notation` writes its formula and draws its graph, all from the row.
"""

from __future__ import annotations

__all__ = ["FIRST", "PAIR", "SECOND", "VARIANTS", "Contrast", "Cycle", "Elbo", "ImportanceBound", "Match", "Term", "Variant",
           "variant_from_json", "variant_to_json"]

from dataclasses import asdict, dataclass, fields

#: Which modalities an encoder reads or a term is given, by their position in the pair.
FIRST, SECOND = frozenset({0}), frozenset({1})
PAIR = FIRST | SECOND


@dataclass(frozen=True)
class Elbo:
    r"""The negative ELBO of rebuilding some modalities from the posterior given some.

    .. math:: E(g \to r) = -\mathbb{E}_{q(z|x_g)} \sum_{m \in r} \lambda_m \log p(x_m | z)
        + \beta \, \mathrm{KL}(q(z|x_g) \,\|\, p(z))

    over the blocks that the decoders of `rebuild` read. Where the posterior is a mixture, the mean over its components.

    Arguments:
        given: What the posterior is given.
        rebuild: The modalities whose images are rebuilt.
        private: What the posterior of private blocks is given, where that differs.
        alien: Where the private code of a modality that is not given comes from: its ``"prior"`` (with its KL of 0),
            or an ``"auxiliary"`` prior of learned width that serves training alone.
        weight: Factor of the whole term.
        reconstruction: Factor of its log-likelihood.
        kl: Factor of its KL.
    """

    given: frozenset[int]
    rebuild: frozenset[int]
    private: frozenset[int] | None = None
    alien: str = "prior"
    weight: float = 1.0
    reconstruction: float = 1.0
    kl: float = 1.0

    def __post_init__(self) -> None:
        if self.alien not in ("prior", "auxiliary"):
            raise ValueError(f"alien private codes come from a 'prior' or an 'auxiliary' one, not from {self.alien!r}")


@dataclass(frozen=True)
class Match:
    r"""Draws a posterior given less towards the posterior given more: :math:`w \, \mathrm{KL}(q(z|x_{more}) \| q(z|x_{less}))`."""

    more: frozenset[int]
    less: frozenset[int]
    weight: float = 1.0


@dataclass(frozen=True)
class ImportanceBound:
    r"""The K-sample bound for a mixture posterior, with the doubly reparameterised gradient.

    .. math:: -\frac{1}{M} \sum_m \mathbb{E}_{z^{1:K} \sim q_m} \log \frac{1}{K} \sum_k \frac{p(z^k, x)}{q(z^k | x)}

    Arguments:
        samples: K, for each component.

    References:
        Shi et al. (2019), Variational Mixture-of-Experts Autoencoders for Multi-Modal Deep Generative Models.
        Tucker et al. (2019), Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives.
    """

    samples: int = 8


@dataclass(frozen=True)
class Contrast:
    r"""Cross-view contrast of the shared means: the two codes of a pair are nearer than codes of different pairs.

    InfoNCE over the batch on cosine similarity, both directions; labels are not used, pairs of one class in a batch
    count as different.

    Arguments:
        weight: Factor, in nats.
        temperature: Divides the cosine similarities.

    References:
        van den Oord et al. (2018), Representation Learning with Contrastive Predictive Coding.
    """

    weight: float
    temperature: float = 0.1


@dataclass(frozen=True)
class Cycle:
    r"""Pictures drawn with private codes that are not the shared code's own are read back to its cluster.

    Shared codes take turns over the batch: of the pair, of either modality alone, of the prior. Private codes are another
    pair's or the prior's, also in turn. The loss is the cross-entropy, over the clusters of the prior, of what each modality's
    encoder believes of the picture relative to the code. The readers, encoders and clusters, are held fixed: it is the decoders that
    learn to take from the shared code what tells the clusters apart, and private codes that learn to leave it out.

    Arguments:
        weight: Factor, in nats.
        haze: Through what the readers see the pictures: each is blended, by a share of its own, with itself under a Gaussian blur of
            this width, a share of its side, and has noise of an amplitude of its own.

    References:
        IDMVAE (2025), arXiv 2509.23548, whose cycle-consistency on generated swaps this follows, at the level of clusters:
        asked for the code itself, decoders were seen to draw what encoders read and people do not.
        Athalye et al. (2018), Synthesizing Robust Adversarial Examples, arXiv 1707.07397, for why what is read under random changes is no
        texture that one reader happens to respond to.
    """

    weight: float
    haze: float = 0.0


Term = Elbo | Match | ImportanceBound | Contrast | Cycle


@dataclass(frozen=True)
class Variant:
    """A way to build and train a two-modality VAE.

    Arguments:
        name: As on the command line.
        title: As in papers.
        summary: What it is and what it trades, in a sentence or two.
        source: The paper or experiment.
        private: Whether each modality has a private block beside the shared one.
        encoders: What each encoder reads.
        joint_decoder: Whether one decoder writes both modalities.
        fusion: How the shared posterior of the pair comes about: ``"product"`` or ``"mixture"`` of the experts,
            ``"mixture of products"`` over all subsets, or a ``"pair encoder"``.
        prior_expert: When the prior takes part in a product: ``"always"``, ``"several"`` (only where several experts
            are multiplied), ``"full"`` (only where all modalities are observed), ``"never"``.
        terms: The sum of these is minimised.
        family: ``"gaussian"`` or ``"laplace"``, of posterior and prior.
        learned_prior: Whether the prior's width is learned.
        prior_clusters: Gaussians in the shared block's prior, whose means, widths and weights are learned; 0 for the standard prior.
        own: Whether this project proposed it.
    """

    name: str
    title: str
    summary: str
    source: str
    private: bool
    encoders: tuple[frozenset[int], ...]
    fusion: str
    prior_expert: str
    terms: tuple[Term, ...]
    joint_decoder: bool = False
    family: str = "gaussian"
    learned_prior: bool = False
    prior_clusters: int = 0
    own: bool = False

    def __post_init__(self) -> None:
        for field, allowed in (("fusion", ("product", "mixture", "mixture of products", "pair encoder")),
                               ("prior_expert", ("always", "several", "full", "never")), ("family", ("gaussian", "laplace"))):
            if getattr(self, field) not in allowed:
                raise ValueError(f"variant {self.name!r}: {field} {getattr(self, field)!r} is none of {', '.join(allowed)}")
        if not self.encoders or not self.terms or len(set(self.encoders)) < len(self.encoders):
            raise ValueError(f"variant {self.name!r}: needs encoders, each once, and terms")
        if self.prior_clusters < 0 or self.prior_clusters and (self.family != "gaussian" or self.prior_expert != "never"):
            raise ValueError(f"variant {self.name!r}: a prior of several Gaussians needs Gaussian beliefs, and cannot be an expert of a product")
        if any(isinstance(term, Cycle) for term in self.terms) and not (self.private and self.prior_clusters):
            raise ValueError(f"variant {self.name!r}: a cycle needs private blocks to swap and a prior with clusters to read back")

    @property
    def auxiliary_prior(self) -> bool:
        """Whether some term draws the private code of a modality that is not given from an auxiliary prior."""
        return any(isinstance(term, Elbo) and term.alien == "auxiliary" for term in self.terms)

    def infers_from(self, given: frozenset[int]) -> bool:
        """Whether the shared posterior is defined for these observed modalities."""
        return not given or given in self.encoders or (self.fusion != "pair encoder" and all(frozenset({m}) in self.encoders for m in given))


JOINT = Elbo(PAIR, PAIR)
THREE = (JOINT, Elbo(FIRST, FIRST), Elbo(SECOND, SECOND))
EACH = (FIRST, SECOND)
EACH_AND_PAIR = (FIRST, SECOND, PAIR)
FACES = "Paired 3D faces experiment (elevation | lighting | shared azimuth and identity)"
#: MVTCAE's weights: alpha trades total correlation for conditional information, beta weighs both.
ALPHA, BETA = 0.9, 1.0

VARIANTS: dict[str, Variant] = {
    row.name: row
    for row in (
        Variant("joint-poe", "Joint PoE-VAE", "One shared code; the joint posterior is the product of both experts and the prior. "
                "Only the pair is trained, so a single modality's posterior is never asked to reconstruct.",
                "MNIST–SVHN experiment with a product-of-experts joint VAE; Wu & Goodman (2018), arXiv 1802.05335",
                False, EACH, "product", "always", (JOINT,)),
        Variant("mumo", "MuMo-VAE", "Three encoders without shared parameters and three VAE losses. Private and shared factors can "
                "separate cleanly, at the price of the third encoder; under some seeds they do not.",
                FACES, True, EACH_AND_PAIR, "pair encoder", "never", THREE),
        Variant("vanilla", "Vanilla VAE", "One encoder and one decoder for the concatenated pair. Nothing makes factors separate, and nothing "
                "can be inferred from one modality alone.",
                "Kingma & Welling (2013), arXiv 1312.6114; " + FACES, False, (PAIR,), "pair encoder", "never", (JOINT,), joint_decoder=True),
        Variant("mmpoe-v1", "MMPOE-VAE v1", "Two encoders; private codes from each one's own, the shared code from their product. One loss, for "
                "the pair: the single posteriors are never trained alone.",
                FACES, True, EACH, "product", "several", (JOINT,)),
        Variant("mmpoe-v2", "MMPOE-VAE v2", "As v1 with three losses: the marginal losses train each encoder's posterior alone too, "
                "with two encoders instead of MuMo's three.",
                FACES, True, EACH, "product", "several", THREE),
        Variant("wg-v1", "WG-VAE v1", "A shared code alone, product of experts, one loss for the pair.",
                "Baseline of the faces experiment after Wu & Goodman (2018), arXiv 1802.05335", False, EACH, "product", "always", (JOINT,)),
        Variant("wg-v2", "WG-VAE v2", "A shared code alone, product of experts, three losses. What one modality cannot show has nowhere of its own to go.",
                "Baseline of the faces experiment after Wu & Goodman (2018), arXiv 1802.05335", False, EACH, "product", "always", THREE),
        Variant("mvae", "MVAE", "Product of experts with the prior always among them, trained on the pair and on each modality.",
                "Wu & Goodman (2018), arXiv 1802.05335", False, EACH, "product", "always", THREE),
        Variant("mmvae", "MMVAE", "Mixture of Laplace experts with an importance-weighted bound, here of 8 samples (the paper's of 30): each modality alone must "
                "explain both, which gives coherence and costs sharpness.",
                "Shi et al. (2019), arXiv 1911.03393", False, EACH, "mixture", "never", (ImportanceBound(),), family="laplace", learned_prior=True),
        Variant("mopoe", "MoPoE-VAE", "Mixture over all subsets of the subsets' products of experts.",
                "Sutter et al. (2021), arXiv 2105.02470", False, EACH, "mixture of products", "full", (JOINT,)),
        Variant("dmvae", "DMVAE", "Private and shared codes; the shared posterior of each single modality must rebuild both with private codes "
                "from their own encoders.",
                "Lee & Pavlovic (2021), arXiv 2012.13024", True, EACH, "product", "several",
                (JOINT, Elbo(FIRST, PAIR, private=PAIR), Elbo(SECOND, PAIR, private=PAIR))),
        Variant("mmvae-plus", "MMVAE+", "Mixture of experts on the shared code; the other modality's private code comes from an auxiliary prior while "
                "training, so private codes cannot smuggle what is shared. Here with one sample and each expert's own KL; the paper's bound has K "
                "samples and the mixture's density.",
                "Palumbo et al. (2023), ICLR, OpenReview sdQGxouELX", True, EACH, "mixture", "never",
                (Elbo(FIRST, PAIR, alien="auxiliary", weight=0.5), Elbo(SECOND, PAIR, alien="auxiliary", weight=0.5))),
        Variant("mvtcae", "MVTCAE", "Product of experts without the prior; single posteriors are drawn towards the joint one by the total-correlation bound.",
                "Hwang et al. (2021), NeurIPS", False, EACH, "product", "never",
                (Elbo(PAIR, PAIR, reconstruction=1 - ALPHA / 2, kl=BETA * (1 - ALPHA)),
                 Match(PAIR, FIRST, BETA * ALPHA / 2), Match(PAIR, SECOND, BETA * ALPHA / 2))),
        Variant("jmvae", "JMVAE", "A pair encoder trained on the pair, and single encoders that learn to match it.",
                "Suzuki et al. (2016), arXiv 1611.01891", False, EACH_AND_PAIR, "pair encoder", "never",
                (JOINT, Match(PAIR, FIRST, 0.1), Match(PAIR, SECOND, 0.1))),
        Variant("dmvae-contrast", "DMVAE + contrast", "DMVAE with one contrastive line on the shared means of the two modalities, so that the shared code keeps "
                "what a pair has in common and nothing else.",
                "Ours: Lee & Pavlovic (2021) with the InfoNCE term of van den Oord et al. (2018)", True, EACH, "product", "several",
                (JOINT, Elbo(FIRST, PAIR, private=PAIR), Elbo(SECOND, PAIR, private=PAIR), Contrast(300.0)), own=True),
        Variant("dmvae-clusters", "DMVAE + clusters + cycle", "DMVAE with the contrastive line, a prior of the shared code learned as a mixture of Gaussians, and a cycle: "
                "drawn with another pair's private codes, a picture must still show the shared code's cluster.",
                "Ours: dmvae-contrast with the mixture prior of Jiang et al. (2017), arXiv 1611.05148, without labels, and a cycle after IDMVAE (2025), arXiv 2509.23548",
                True, EACH, "product", "never",
                (JOINT, Elbo(FIRST, PAIR, private=PAIR), Elbo(SECOND, PAIR, private=PAIR), Contrast(300.0), Cycle(300.0)), prior_clusters=20, own=True),
    )
}


def variant_to_json(variant: Variant) -> dict:
    """The row as plain JSON values: a checkpoint carries it, so that a later change of the table changes no old model."""
    def plain(value):
        if isinstance(value, frozenset):
            return sorted(value)
        if isinstance(value, (tuple, list)):
            return [plain(v) for v in value]
        return value

    row = {field.name: plain(getattr(variant, field.name)) for field in fields(variant) if field.name != "terms"}
    row["terms"] = [{"term": type(term).__name__, **{key: plain(v) for key, v in asdict(term).items()}} for term in variant.terms]
    return row


def variant_from_json(row: dict) -> Variant:
    """The inverse of `variant_to_json`.

    Raises:
        ValueError: Where the row has a field or a term that no variant knows, or lacks one.
    """
    try:
        return _read(Variant, row)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"not a variant's row: {error}") from None


def _read(kind: type, row: dict):
    """A row or a term from plain JSON values, each held against the type its field declares."""
    types = {field.name: str(field.type) for field in fields(kind)}
    unknown = sorted(set(row) - set(types))
    if unknown:
        raise ValueError(f"{kind.__name__} has no {unknown[0]!r}")
    return kind(**{name: _READERS[types[name]](value) for name, value in row.items()})


def _of(*kinds: type):
    def read(value):
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise ValueError(f"expected {kinds[-1].__name__}, got {value!r}")
        return value
    return read


def _positions(value) -> frozenset[int]:
    if not isinstance(value, list) or not value or any(v not in (0, 1) for v in value):
        raise ValueError(f"expected positions of modalities, some of 0 and 1, got {value!r}")
    return frozenset(value)


def _term(entry: dict) -> Term:
    kinds = {kind.__name__: kind for kind in (Elbo, Match, ImportanceBound, Contrast, Cycle)}
    return _read(kinds[entry["term"]], {key: value for key, value in entry.items() if key != "term"})


_READERS = {
    "str": _of(str), "bool": _of(bool), "int": _of(int), "float": _of(int, float), "frozenset[int]": _positions,
    "frozenset[int] | None": lambda value: None if value is None else _positions(value),
    "tuple[frozenset[int], ...]": lambda value: tuple(map(_positions, value)), "tuple[Term, ...]": lambda value: tuple(map(_term, value)),
}
