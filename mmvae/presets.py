"""What a variant is trained with on a data set, unless told otherwise."""

from __future__ import annotations

__all__ = ["Settings", "modalities_for", "settings_for"]

from dataclasses import dataclass, replace

from .data import DatasetRow
from .modalities import Modality
from .variants import ImportanceBound, Variant


@dataclass(frozen=True)
class Settings:
    """How to train.

    Arguments:
        steps: Updates of the parameters.
        batch_size: Pairs in each.
        learning_rate: Adam's, held for the first half of the steps and then decaying linearly to zero.
        warmup: Steps over which the KL's factor rises from 0 to 1.
        clip: Largest norm of the gradient.
        seed: Of the initial weights, the batches and the noise.
        augment: Whether training images are varied where the data set knows how.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        precision: ``"auto"`` (bfloat16 where the processor has it), ``"bfloat16"`` or ``"float32"``.
        snapshot: Steps between snapshots.
    """

    steps: int = 6000
    batch_size: int = 64
    learning_rate: float = 1e-3
    warmup: int = 500
    clip: float = 2000.0
    seed: int = 0
    augment: bool = True
    device: str = "auto"
    precision: str = "auto"
    snapshot: int = 500

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "snapshot"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not (self.learning_rate > 0 and self.clip > 0 and self.warmup >= 0):
            raise ValueError(f"learning rate and clip must be positive and warm-up not negative, got "
                             f"{self.learning_rate}, {self.clip}, {self.warmup}")


def modalities_for(variant: Variant, row: DatasetRow) -> tuple[Modality, ...]:
    """The data set's modalities with the likelihoods and weights that the variant's source uses.

    joint-poe keeps the data set's own: on MNIST–SVHN binary cross-entropy and summed squared error, unit weights.
    DMVAE weighs MNIST 50 and takes Bernoulli for both; MMVAE takes Laplace of scale 0.75 and weighs each modality by
    the other's number of pixels; the remaining variants take Bernoulli for both.
    """
    if variant.name == "joint-poe":
        return row.modalities
    if any(isinstance(term, ImportanceBound) for term in variant.terms):
        pixels = [m.shape[0] * m.shape[1] * m.shape[2] for m in row.modalities]
        return tuple(replace(m, likelihood="laplace", scale=0.75, weight=max(pixels) / own) for m, own in zip(row.modalities, pixels))
    small = {"mnist": 50.0} if variant.name.startswith("dmvae") else {}
    return tuple(replace(m, likelihood="bernoulli", scale=1.0, weight=small.get(m.name, m.weight)) for m in row.modalities)


def settings_for(variant: Variant, row: DatasetRow) -> Settings:
    """Settings that give a good model in tens of minutes of one CPU core."""
    settings = Settings() if row.modalities[0].shape == (1, 64, 64) else Settings(batch_size=128, steps=8000)
    if any(isinstance(term, ImportanceBound) for term in variant.terms):
        settings = replace(settings, batch_size=settings.batch_size // 2)
    return settings
