"""What a variant is trained with on a data set, unless told otherwise."""

from __future__ import annotations

__all__ = [
    "CLOSED", "MOST_BETA", "OPTIMIZERS", "REFIT", "SCALES", "OptimizerRow", "Settings", "first_look_for", "latents_for", "modalities_for", "own_row", "pairs_to_measure",
    "published_for", "settings_for",
]  # fmt: skip

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from .data import DIGIT, DatasetRow, PairedDataset
from .data.base import Factor
from .modalities import Modality
from .variants import ImportanceBound, Variant

#: Training pairs of the published MNIST–SVHN experiments: each digit's images, re-paired thirty times.
PUBLISHED_PAIRS = 1_682_040
#: Seconds that a step of 32 pairs of digits takes on one core, as measured; of MMVAE, which draws many samples of each pair, of 16.
STEP_SECONDS = {
    "vanilla": 0.054, "joint-poe": 0.054, "mvtcae": 0.056, "wg-v1": 0.056, "mmpoe-v1": 0.057, "jmvae": 0.076, "mvae": 0.079, "mmvae-plus": 0.081,
    "mmpoe-v2": 0.082, "wg-v2": 0.082, "mumo": 0.1, "mopoe": 0.1, "dmvae-contrast": 0.102, "dmvae": 0.104, "dmvae-clusters": 0.16, "mmvae": 0.5,
}  # fmt: skip
UNKNOWN = 0.16  # seconds for a variant that was not measured
FACES = 1.5  # times as long as digits, with SOAP
LOOK = 110.0  # seconds for the steps and validations of a first look; starting a process takes the rest of two minutes
PAIRS, ORDERED_PAIRS = 1000, 4000  # to measure a model on, see `pairs_to_measure`
VALIDATED = 512 / 3  # pairs of a step that a validation takes as long as: it is forward alone


@dataclass(frozen=True)
class OptimizerRow:
    """An optimizer that one can train with.

    Arguments:
        name: As settings and the command line name it.
        title: What a person calls it.
        opener: ``"module:class"``, called with the parameters, ``lr`` and the options.
        options: What else it is called with.
    """

    name: str
    title: str
    opener: str
    options: dict = field(default_factory=dict)


OPTIMIZERS: dict[str, OptimizerRow] = {
    row.name: row for row in (
        # fused, a step of 1.2 million parameters takes 1.7 ms of a CPU core, else 5.7: a tenth of a step of 16 pairs of faces
        OptimizerRow("adam", "Adam", "torch.optim:Adam", {"fused": True}), OptimizerRow("soap", "SOAP", "mmvae.soap:Soap"))
}
CLOSED = 50.0  # factor of the KL of a private dimension that is closed
MOST_BETA = 1e6
#: Of each likelihood the scale where a variant's source states none: a Gaussian's makes it the summed squared error, a Laplace's is MMVAE's.
SCALES = {"bernoulli": 1.0, "gaussian": 0.5**0.5, "laplace": 0.75}
PRECISIONS = ("auto", "bfloat16", "float32")


@dataclass(frozen=True)
class Settings:
    """How to train.

    Arguments:
        steps: Updates of the parameters.
        batch_size: Pairs in each.
        learning_rate: The optimizer's, after the warm-up held for the first half of the steps, then decaying linearly to zero.
        warmup: Steps over which the KL's factor and the learning rate rise from 0.
        clip: Largest norm of the gradient.
        seed: Of the initial weights, the batches and the noise.
        augment: Whether training images are varied where the data set knows how.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        precision: ``"auto"`` (bfloat16 where the processor has it), ``"bfloat16"`` or ``"float32"``.
        snapshot: Steps between snapshots.
        optimizer: The name of one of `OPTIMIZERS`.
        private_open: Dimensions of each private block that stay open to the end; the others are closed in the last third of the steps, or in a
            run that begins with trained weights from the first one on, their KL weighed up to `CLOSED` times. Variants that never draw one
            modality from the other separate sooner with room in their private blocks, and keep part of what is shared in the room left over.
            0: all stay open.
        beta: Factor of every KL in the loss once it is warm; 1 is the bound itself (Higgins et al. 2017). Models are measured with 1 whatever it is.
    """

    steps: int = 12000
    batch_size: int = 16
    learning_rate: float = 2e-3
    warmup: int = 500
    clip: float = 2000.0
    seed: int = 0
    augment: bool = True
    device: str = "auto"
    precision: str = "auto"
    snapshot: int = 500
    optimizer: str = "adam"
    private_open: int = 0
    beta: float = 1.0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "snapshot"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not (self.learning_rate > 0 and self.clip > 0 and self.warmup >= 0):
            raise ValueError(f"learning rate and clip must be positive and warm-up not negative, got "
                             f"{self.learning_rate}, {self.clip}, {self.warmup}")
        if not 0 <= self.beta <= MOST_BETA:
            raise ValueError(f"beta must be from 0 to {MOST_BETA:g}, got {self.beta:g}")
        if self.private_open < 0:
            raise ValueError(f"private_open must be a number of dimensions, 0 for all, got {self.private_open}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision {self.precision!r} is none of {', '.join(PRECISIONS)}")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer {self.optimizer!r} is none of {', '.join(OPTIMIZERS)}")


#: How decoders are fitted to a trained model's codes; of faces, half an hour of one CPU core. One decoder alone (elevation views, DMVAE) came
#: in six minutes to a squared error of 0.0018 on test pairs, where sixteen thousand steps of the whole model had left it at 0.0024;
#: with Adam to 0.0020.
REFIT = Settings(steps=25000, batch_size=16, learning_rate=2.5e-3, optimizer="soap", snapshot=2000)


def own_row(data: PairedDataset) -> DatasetRow:
    """The row of a person's own pairs, whose private factors are seldom known: some room on every side."""
    return DatasetRow(data.name, data.title, "", data.modalities, data.factors, "", private=(2, 2), shared=10, joint=20)


def modalities_for(variant: Variant, row: DatasetRow, *, decoders: str = "", likelihoods: Sequence[str] | None = None,
                   weights: Sequence[float] | None = None) -> tuple[Modality, ...]:
    """The data set's modalities with the likelihoods and weights that the variant's source uses, where none are given.

    joint-poe keeps the data set's own: on MNIST–SVHN binary cross-entropy and summed squared error, unit weights.
    DMVAE weighs MNIST 50 and takes Bernoulli for both; MMVAE takes Laplace of scale 0.75 and weighs each modality by
    the other's number of pixels, as MoPoE's experiment on MNIST, SVHN and text does, and MMVAE+ here on digits, which has no
    experiment of its own there; our own variants weigh so with Bernoulli; the remaining variants take Bernoulli for both.

    Arguments:
        decoders: One of `mmvae.networks.DECODERS`, or empty: they mirror the encoders.
        likelihoods: Of each modality, with the scale in `SCALES` where it is not the source's.
        weights: Of each modality's log-likelihood.

    Raises:
        ValueError: Where there are no such decoders for its images, or no such likelihood.
    """
    modalities = _as_published(variant, row)
    if likelihoods:
        if odd := set(likelihoods) - SCALES.keys():
            raise ValueError(f"likelihood {min(odd)!r} is none of {', '.join(SCALES)}")
        modalities = tuple(m if kind == m.likelihood else replace(m, likelihood=kind, scale=SCALES[kind]) for m, kind in zip(modalities, likelihoods, strict=True))
    if weights:
        modalities = tuple(replace(m, weight=weight) for m, weight in zip(modalities, weights, strict=True))
    if decoders:
        from .networks import DECODERS  # brings torch, which the settings alone do without

        for m in modalities:
            if m.network not in DECODERS[decoders]:
                raise ValueError(f"there are no {decoders} decoders for images of {m.shape[1]}×{m.shape[2]} pixels")
        modalities = tuple(replace(m, network=DECODERS[decoders][m.network]) for m in modalities)
    return modalities


def _as_published(variant: Variant, row: DatasetRow) -> tuple[Modality, ...]:
    if variant.name == "joint-poe":
        return row.modalities
    pixels = {m.name: m.shape[0] * m.shape[1] * m.shape[2] for m in row.modalities}
    balanced = {name: max(pixels.values()) / own for name, own in pixels.items()}
    if any(isinstance(term, ImportanceBound) for term in variant.terms) or _mixes(variant) and row.factors == (DIGIT,):
        return tuple(replace(m, likelihood="laplace", scale=SCALES["laplace"], weight=balanced[m.name]) for m in row.modalities)
    small = balanced if variant.own else {"mnist": 50.0} if variant.name == "dmvae" else {}
    return tuple(replace(m, likelihood="bernoulli", scale=1.0, weight=small.get(m.name, m.weight)) for m in row.modalities)


def latents_for(variant: Variant, row: DatasetRow) -> dict:
    """Dimensions of the private blocks and of the shared one, as `MultimodalVAE.for_dataset` takes them: {} for the row's own.

    Our variants on digits have room in their private codes for all that handwriting and photographs do not share; with
    the one and four dimensions that DMVAE is published with, the shared code must carry style as well. Where private
    factors are known their number is that of the private dimensions, and the shared code has the rest: in a second dimension
    for the one private factor of a face the variants were seen to keep part of who is shown.
    """
    if not variant.own:
        return {}
    if row.factors == (DIGIT,):
        return {"private": (4, 12), "shared": 10}
    owned = tuple(sum(factor.owner == modality.name for factor in row.factors) for modality in row.modalities)
    return {"private": owned, "shared": row.shared + sum(row.private) - sum(owned)} if all(owned) else {}


def settings_for(variant: Variant, row: DatasetRow) -> Settings:
    """Settings that give a first good model in half an hour of one CPU core; more steps go on improving it.

    Batches are small because what counts on a CPU is updates per pair seen.
    """
    settings = Settings(steps=24000) if row.modalities[0].shape == (1, 64, 64) else Settings(steps=6000, batch_size=64, learning_rate=1e-3)
    if any(isinstance(term, ImportanceBound) for term in variant.terms):
        settings = replace(settings, batch_size=settings.batch_size // 2)
    if _mixes(variant) and row.factors == (DIGIT,):
        # The expert of handwriting draws a house number without knowing its light: as a mean, in which inverted numbers cancel the others.
        settings = replace(settings, augment=False)
    return replace(settings, beta=2.5) if variant.name == "mopoe" and row.factors == (DIGIT,) else settings


def _mixes(variant: Variant) -> bool:
    """Whether the posterior is a mixture, of whose experts each alone must draw both pictures."""
    return variant.fusion.startswith("mixture")


def first_look_for(variant: Variant, row: DatasetRow) -> Settings:
    """Settings under which one sees a model begin to learn within two minutes: small batches, many snapshots, short warm-up.

    How many steps that is follows from what a step of the variant takes on one core, at most 800 (of faces, 600).

    Faces take SOAP, which is ahead early: DMVAE's validation loss was 8,098 nats after 730 steps of 16 pairs in 67 s, where
    Adam's was 8,128 after 1,090 in 86 s. In trainings of 16,000 steps and more little of that was left.
    """
    settings, most, seconds = settings_for(variant, row), 800, STEP_SECONDS.get(variant.name, UNKNOWN)
    batch, validations = (16, 5) if any(isinstance(term, ImportanceBound) for term in variant.terms) else (32, 20)
    if row.modalities[0].shape == (1, 64, 64):
        settings, most, seconds = replace(settings, optimizer="soap", learning_rate=4e-3), 600, FACES * seconds
    affordable = LOOK / seconds - validations * VALIDATED / batch
    steps = min(most, int(affordable) // 10 * 10)
    return replace(settings, steps=steps, batch_size=batch, warmup=steps // 4, snapshot=steps // validations)


def published_for(variant: Variant, row: DatasetRow) -> Settings | None:
    """The batch, learning rate and number of updates that the variant's source states for this experiment; None where it states none.

    The faces experiment: Adam 1e-4, batches of 64, 300,000 updates. DMVAE and MMVAE on MNIST–SVHN: 7 epochs in batches of
    100 and 30 epochs in batches of 128 of 1,682,040 pairs, of images as they are. Networks, decay and, for MMVAE, K remain this program's.
    """
    faces, digits = row.modalities[0].shape == (1, 64, 64), row.name in ("mnist-svhn", "digits")
    if faces and variant.name in ("mumo", "vanilla", "mmpoe-v1", "mmpoe-v2", "wg-v1", "wg-v2"):
        steps, batch, rate = 300_000, 64, 1e-4
    elif digits and variant.name == "dmvae":
        steps, batch, rate = 7 * PUBLISHED_PAIRS // 100, 100, 1e-3
    elif digits and variant.name == "mmvae":
        steps, batch, rate = 30 * PUBLISHED_PAIRS // 128, 128, 1e-3
    else:
        return None
    return replace(settings_for(variant, row), steps=steps, batch_size=batch, learning_rate=rate, warmup=0, snapshot=2500, augment=False)


def pairs_to_measure(factors: Iterable[Factor]) -> int:
    """Test pairs that a model is measured on, unless told otherwise: 1,000, and 4,000 where a factor is ordered.

    The probe of ordered factors is boosted regression, which asks for more pairs than other figures do to read a curved code: of the
    shared code of faces-mumo, which draws azimuth as exactly as its reader sees, it explains 0.93 with 1,000 pairs and 0.98 with 4,000.

    Arguments:
        factors: The data set's.
    """
    return ORDERED_PAIRS if any(factor.kind == "ordered" for factor in factors) else PAIRS
