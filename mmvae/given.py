"""What a caller hands to a model, as the tensors that it computes with, or refused in a line that says what was wrong.

It stands apart from `mmvae.model` because cards carry a digest of the code that measures (`mmvae.evaluation.code_digest`): what is refused
changes no figure.
"""

from __future__ import annotations

__all__ = ["code_given", "images_given", "whole"]

import operator
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .latents import Block
from .modalities import Modality


def images_given(observed: Mapping[str, object], modalities: Sequence[Modality]) -> dict[str, Tensor]:
    """Images by modality, float32 [N, C, H, W], from tensors or arrays of any floating type.

    Arguments:
        observed: Of modalities that the model has.
        modalities: Those of the model.

    Raises:
        ValueError: Where a shape or a type is not a modality's, or there are not as many of each.
    """
    images = {}
    for modality in (m for m in modalities if m.name in observed):
        expected = f"images of {modality.name!r} must be [N, {', '.join(map(str, modality.shape))}]"
        x = _tensor(observed[modality.name], expected)
        if tuple(x.shape[1:]) != modality.shape:
            raise ValueError(f"{expected}, got {tuple(x.shape)}")
        if not x.is_floating_point():
            raise ValueError(f"images of {modality.name!r} must be floats from 0 to 1, got {str(x.dtype).removeprefix('torch.')}; divide bytes by 255")
        images[modality.name] = x.float()
    if len({len(x) for x in images.values()}) > 1:
        raise ValueError(f"a pair needs as many images of each modality, got {', '.join(f'{name} {len(x)}' for name, x in images.items())}")
    return images


def code_given(z: Mapping[str, object], blocks: Sequence[Block]) -> dict[str, Tensor]:
    """A code by block, float32 [N, dim], from tensors or arrays of any type of numbers.

    Arguments:
        z: Of every block; others are left out.
        blocks: Those of the model.

    Raises:
        ValueError: Where a block is missing or of another shape, there are not as many codes of each, or a value is not finite.
    """
    code = {}
    for block in blocks:
        expected = f"block {block.name!r} must be [N, {block.dim}]"
        if block.name not in z:
            raise ValueError(f"{expected}, got nothing")
        x = _tensor(z[block.name], expected)
        if x.dim() != 2 or x.shape[1] != block.dim:
            raise ValueError(f"{expected}, got {tuple(x.shape)}")
        code[block.name] = x.float()
    if len({len(x) for x in code.values()}) > 1:
        raise ValueError(f"a code needs as many items in each block, got {', '.join(f'{name} {len(x)}' for name, x in code.items())}")
    for name, x in code.items():
        if not x.isfinite().all():
            raise ValueError(f"block {name!r} holds values that are not finite")
    return code


def whole(value: object, what: str) -> int:
    """A whole number of whatever type, of NumPy or of torch: one seed is one seed.

    Raises:
        ValueError: Where it is none.
    """
    try:
        return operator.index(value)
    except TypeError:
        raise ValueError(f"{what} must be a whole number, got {value!r}") from None


def _tensor(value: object, expected: str) -> Tensor:
    if hasattr(value, "mean") and hasattr(value, "stddev"):
        raise ValueError(f"{expected}, got a {type(value).__name__}; pass its .mean or its .sample()")
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{expected}, got {type(value).__name__}") from None
