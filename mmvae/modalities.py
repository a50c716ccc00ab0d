"""A modality: one kind of image of the pair, and how its pixels are judged against a decoder's picture."""

from __future__ import annotations

__all__ = ["LIKELIHOODS", "Modality"]

from dataclasses import dataclass

#: Pixel likelihoods: "bernoulli" (binary cross-entropy on [0, 1]), "gaussian" and "laplace" (with `Modality.scale`).
LIKELIHOODS = ("bernoulli", "gaussian", "laplace")


@dataclass(frozen=True)
class Modality:
    r"""One kind of image of the pair.

    Arguments:
        name: The key in every dictionary of images, such as ``"mnist"``.
        shape: Channels, height and width; pixels lie in [0, 1].
        symbol: How papers write it, such as ``"x_I"``.
        title: What a person calls it, such as ``"elevation view"``.
        likelihood: One of `LIKELIHOODS`.
        scale: Standard deviation (gaussian) or scale (laplace) of a pixel, in units of [0, 1]. A gaussian with
            :math:`\sigma^2 = 1/2` is the summed squared error that papers write as "MSE".
        weight: Factor of this modality's log-likelihood in the ELBO, :math:`\lambda_m`; 1 is the plain ELBO.
        network: The row of `mmvae.networks.NETWORKS` that encodes and decodes it.
    """

    name: str
    shape: tuple[int, int, int]
    symbol: str
    title: str
    likelihood: str = "bernoulli"
    scale: float = 1.0
    weight: float = 1.0
    network: str = "conv"

    def __post_init__(self) -> None:
        if self.likelihood not in LIKELIHOODS:
            raise ValueError(f"modality {self.name!r}: likelihood {self.likelihood!r} is none of {', '.join(LIKELIHOODS)}")
        if len(self.shape) != 3 or not all(isinstance(size, int) and size > 0 for size in self.shape):
            raise ValueError(f"modality {self.name!r}: shape {self.shape!r} is not (channels, height, width)")
        if not (0 < self.scale < float("inf") and 0 <= self.weight < float("inf")):
            raise ValueError(f"modality {self.name!r}: scale must be positive and weight not negative, both finite, got {self.scale} and {self.weight}")
