"""Latent blocks: which part of the code belongs to one modality alone, and which to both."""

from __future__ import annotations

__all__ = ["SHARED", "Block", "partition"]

from collections.abc import Sequence
from dataclasses import dataclass

SHARED = "z_shared"


@dataclass(frozen=True)
class Block:
    """A named group of latent dimensions.

    Arguments:
        name: ``"z_<modality>"`` for a private block, ``"z_shared"`` for the shared one.
        dim: Number of dimensions.
        owner: The modality whose decoder alone reads the block; None where both do.
    """

    name: str
    dim: int
    owner: str | None = None

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise ValueError(f"block {self.name!r} needs at least one dimension, got {self.dim}")


def partition(modalities: Sequence[str], *, private: Sequence[int] = (), shared: int) -> tuple[Block, ...]:
    """The blocks of a code, in the order in which they are shown: private of the first, shared, private of the second.

    Arguments:
        modalities: The names of the two modalities.
        private: Dimensions of each modality's private block; empty for a code that is shared as a whole.
        shared: Dimensions of the shared block.

    Example:
        >>> [b.name for b in partition(["elevation", "lighting"], private=(2, 2), shared=5)]
        ['z_elevation', 'z_shared', 'z_lighting']
    """
    common = Block(SHARED, shared)
    if not private:
        return (common,)
    first, second = (Block(f"z_{name}", dim, name) for name, dim in zip(modalities, private, strict=True))
    return (first, common, second)
