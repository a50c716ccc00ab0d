"""The machine that models run on and figures come from, as far as its system tells."""

from __future__ import annotations

__all__ = ["choose_device", "processor"]

import platform
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def choose_device(name: str) -> torch.device:
    """The device of this name; ``"auto"`` is CUDA where there is one.

    Raises:
        ValueError: Where there is none of this name, or CUDA is asked for and not there.
    """
    import torch  # takes a second, which the processor's name need not

    if name not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device {name!r} is none of auto, cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda was asked for, but this machine has none that PyTorch can use; take cpu or auto")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def processor() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
