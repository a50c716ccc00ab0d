r"""How far generated images are from real ones, as the distance of two Gaussians fitted to a reader's features."""

from __future__ import annotations

__all__ = ["frechet_distance"]

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .codes import as_codes


def frechet_distance(first: ArrayLike, second: ArrayLike) -> float:
    r"""The squared Fréchet distance of the Gaussians of two sets of features.

    .. math:: \lVert \mu_1 - \mu_2 \rVert^2 + \operatorname{tr}\!\left( \Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2} \right)

    From 0, for sets of the same mean and covariance; lower is better; in squared units of the features, so that it compares only
    under one reader. It is biased upwards by about D²/2N and more, in units of the features' variance: take as many items on both sides as in the figure
    compared with, well more than features, and show the distance of other real images from the same ones beside it.

    Arguments:
        first: Features, [N, D].
        second: Features, [M, D].

    Raises:
        ValueError: Where the features differ in number, or a set has fewer than two items.

    References:
        Heusel et al. (2017), GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium.
    """
    first, second = as_codes(first), as_codes(second)
    if first.shape[1] != second.shape[1] or min(len(first), len(second)) < 2:
        raise ValueError(
            f"features of shape {first.shape} and {second.shape}; expected as many columns, and at least two items each"
        )
    cov1, cov2 = (np.cov(each, rowvar=False).reshape(each.shape[1], each.shape[1]) for each in (first, second))
    root = symmetric_root(cov1)
    # the roots of Σ₁Σ₂'s eigenvalues are those of a symmetric matrix, which has no imaginary dust to drop
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ cov2 @ root), 0.0, None)).sum()
    shift = first.mean(axis=0) - second.mean(axis=0)
    return float(max(shift @ shift + np.trace(cov1) + np.trace(cov2) - 2 * cross, 0.0))


def symmetric_root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
