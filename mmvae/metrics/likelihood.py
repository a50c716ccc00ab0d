r"""How likely a model finds real data: the importance-weighted estimate, and nats as bits per dimension."""

from __future__ import annotations

__all__ = ["LogLikelihood", "bits_per_dim", "importance_weighted"]

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from .codes import standard_error


@dataclass(frozen=True)
class LogLikelihood:
    """An estimate of the mean log-likelihood of an item, in nats.

    Arguments:
        mean: Over items.
        stderr: Standard error of the mean over items.
        per_item: [N].
        noise: Mean over items of the estimate's own error from drawing finitely many samples.
        effective: Mean over items of the effective number of samples, from 1 to `samples`; near 1 the bound is loose.
        samples: K.
    """

    mean: float
    stderr: float
    per_item: NDArray[np.float64]
    noise: float
    effective: float
    samples: int


def importance_weighted(log_weights: ArrayLike, groups: ArrayLike | None = None) -> LogLikelihood:
    r"""The importance-weighted bound from K samples of the posterior.

    .. math:: \log \hat p(x) = \log \frac{1}{K} \sum_k w_k, \qquad w_k = \frac{p(x, z_k)}{q(z_k | x)}, \quad z_k \sim q(z | x)

    A lower bound on :math:`\log p(x)` in expectation: K = 1 is the ELBO, and it rises to the likelihood as K grows, so that
    figures compare only at one K. Unbounded (densities of continuous images may exceed 1); higher is better; the posterior of a
    perfect model gives equal weights, and the exact likelihood at any K.

    Arguments:
        log_weights: :math:`\log w_k` in nats, [N, K].
        groups: The group of each item, [N], where items of one group are alike; see `codes.standard_error`.

    Raises:
        ValueError: Where the array is not [N, K], or an item has no finite weight or one that is NaN or +∞.

    References:
        Burda et al. (2016), Importance Weighted Autoencoders.
    """
    log_weights = np.asarray(log_weights, dtype=np.float64)
    if log_weights.ndim != 2 or 0 in log_weights.shape:
        raise ValueError(f"log weights have shape {log_weights.shape}; expected (items, samples) with at least one of each")
    if not np.isfinite(log_weights.max(axis=1)).all():
        raise ValueError("log weights of some item are NaN, +∞ or all −∞; the model's densities overflowed or exclude the item")
    samples = log_weights.shape[1]
    per_item = logsumexp(log_weights, axis=1) - math.log(samples)
    effective = np.exp(2 * logsumexp(log_weights, axis=1) - logsumexp(2 * log_weights, axis=1))
    # delta method: the log of a mean of weights errs by their relative deviation over the root of K
    noise = np.sqrt(np.maximum(1 / effective - 1 / samples, 0) * samples / (samples - 1)) if samples > 1 else np.array([np.nan])
    return LogLikelihood(float(per_item.mean()), standard_error(per_item, groups), per_item, float(noise.mean()), float(effective.mean()), samples)


def bits_per_dim(log_likelihood: float, dims: int, levels: int = 1) -> float:
    r"""Nats of one item as bits per dimension; lower is better.

    .. math:: -\frac{\log p(x)}{D \ln 2} + \log_2 L

    Arguments:
        log_likelihood: In nats, of one item.
        dims: D, the numbers an item consists of (784 for MNIST).
        levels: L, grey levels per unit where the likelihood is a density over images scaled to 0…1 (256 for 8 bits), so that the
            figure is that of the original integers; 1 for a probability of discrete values.

    References:
        Theis et al. (2016), A Note on the Evaluation of Generative Models.
    """
    if dims < 1 or levels < 1:
        raise ValueError(f"dims is {dims} and levels is {levels}; both must be at least 1")
    return -log_likelihood / (dims * math.log(2)) + math.log2(levels)
