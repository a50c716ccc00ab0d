"""Look inside multimodal VAEs: train, load, traverse, translate and measure two-modality variational autoencoders.

    >>> import mmvae
    >>> model = mmvae.load("checkpoints/faces-mumo")
    >>> pair = model.generate(n=16, seed=0)
"""

from __future__ import annotations

__all__ = ["DATASETS", "VARIANTS", "dataset", "load"]
__version__ = "0.1.0"

from typing import TYPE_CHECKING

from .data import DATASETS, dataset
from .variants import VARIANTS

if TYPE_CHECKING:
    from .checkpoints import load


def __getattr__(name: str):
    # torch takes a second to import: only what needs it brings it in
    if name == "load":
        from .checkpoints import load

        return load
    raise AttributeError(f"module 'mmvae' has no attribute {name!r}")
