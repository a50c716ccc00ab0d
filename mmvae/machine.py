"""The machine that figures and trainings come from, as far as its system tells."""

from __future__ import annotations

__all__ = ["processor"]

import platform
from pathlib import Path


def processor() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
