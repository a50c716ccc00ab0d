"""Label-preserving variations of a batch of images; every one depends on nothing but the generator's state."""

from __future__ import annotations

__all__ = ["jitter_colour", "warp"]

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate


def warp(
    images: Tensor, rng: np.random.Generator, *, degrees: float = 8, scale: float = 0.1, shear: float = 0.1,
    shift: float = 2, bend: float = 0, padding: str = "zeros",
) -> Tensor:
    """Each image rotated, scaled, sheared, shifted and bent a little, with shape [N, C, H, W] kept.

    Arguments:
        images: float [N, C, H, W].
        degrees, scale, shear: Bounds of uniform draws around none.
        shift: Bound in pixels.
        bend: Standard deviation, in pixels, of a smooth displacement of 4×4 control points.
        padding: What lies outside, ``"zeros"`` or ``"border"``.
    """
    n, _, height, width = images.shape
    angle = np.radians(rng.uniform(-degrees, degrees, n))
    zoom, slant = 1 + rng.uniform(-scale, scale, n), rng.uniform(-shear, shear, n)
    theta = np.empty((n, 2, 3), np.float32)
    theta[:, 0, 0], theta[:, 0, 1] = np.cos(angle) / zoom, (slant - np.sin(angle)) / zoom
    theta[:, 1, 0], theta[:, 1, 1] = np.sin(angle) / zoom, np.cos(angle) / zoom
    theta[:, :, 2] = rng.uniform(-shift, shift, (n, 2)) * (2 / width, 2 / height)  # the grid spans −1…1
    grid = affine_grid(torch.from_numpy(theta), list(images.shape), align_corners=False)
    if bend:
        control = rng.normal(0, bend, (n, 2, 4, 4)).astype(np.float32) * np.float32([2 / width, 2 / height])[:, None, None]
        grid += interpolate(torch.from_numpy(control), (height, width), mode="bicubic", align_corners=True).movedim(1, -1)
    return grid_sample(images, grid, padding_mode=padding, align_corners=False)


def jitter_colour(
    images: Tensor, rng: np.random.Generator, *, brightness: float = 0.15, contrast: float = 0.3, gain: float = 0.1,
    invert: float = 0.3,
) -> Tensor:
    """Each image in other light, float [N, C, H, W] in [0, 1].

    Arguments:
        brightness: Bound of what is added to all pixels.
        contrast, gain: Bounds of the relative change around the image's mean, and of each channel.
        invert: Probability of the negative; numbers are as often dark on light as light on dark.
    """
    n, channels = images.shape[:2]

    def draw(low: float, high: float, columns: int = 1) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (n, columns, 1, 1)).astype(np.float32))

    negative = torch.from_numpy(rng.random((n, 1, 1, 1)) < invert)
    images = torch.where(negative, 1 - images, images)
    middle = images.mean(dim=(1, 2, 3), keepdim=True)
    images = middle + (images - middle) * draw(1 - contrast, 1 + contrast) + draw(-brightness, brightness)
    return (images * draw(1 - gain, 1 + gain, channels)).clamp_(0, 1)
