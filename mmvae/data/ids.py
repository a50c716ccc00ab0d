"""Which items of a data set are asked for."""

from __future__ import annotations

__all__ = ["ids_given"]

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from .base import DataError


def ids_given(ids: Tensor | Sequence[int]) -> np.ndarray:
    """Item ids as int64 [N].

    Raises:
        DataError: Where they are no whole numbers: a mask, or numbers with a fraction, would pass for other items.
    """
    given = np.asarray(ids.detach().cpu() if isinstance(ids, Tensor) else ids).reshape(-1)
    if len(given) and given.dtype.kind not in "iu":
        raise DataError(f"item ids must be whole numbers, got {given.dtype}" + ("; of a mask they are data.split(…)[mask]" if given.dtype.kind == "b" else ""))
    return given.astype(np.int64)
