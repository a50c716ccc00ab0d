"""A point is a value: one latent code with where it came from, as a short text that brings the same picture back.

The address bar, the command line, a saved file and a picture's metadata all carry this text.
"""

from __future__ import annotations

__all__ = ["Point", "PointError"]

import base64
import binascii
import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

PREFIX = "p1"
NAME = r"[A-Za-z0-9._%-]+"  # percent-encoded, so that a folder of any name can be pointed at


class PointError(ValueError):
    """A text that is no point: one line that says what is wrong with it."""


@dataclass(frozen=True)
class Point:
    """A latent code and its origin.

    Arguments:
        checkpoint: The name of the checkpoint, as in the catalogue.
        digest: The first eight hexadecimal digits of its weights' SHA-256, so that another model is noticed.
        z: The code's values, blocks one after the other in the model's order, as float32 values.
        item: The data set's item it started from, where there is one.
        observed: The modalities the posterior was given.
        seed: Of the sample drawn, where the code started as one.

    Example:
        >>> point = Point("faces-mumo", "0123abcd", (0.5, -1.25), item=8123, observed=("elevation",))
        >>> str(point)
        'p1~faces-mumo~0123abcd~8123~elevation~~AAAAPwAAoL8'
        >>> Point.parse(str(point)) == point
        True
    """

    checkpoint: str
    digest: str
    z: tuple[float, ...]
    item: int | None = None
    observed: tuple[str, ...] = ()
    seed: int | None = None

    def __str__(self) -> str:
        code = base64.urlsafe_b64encode(struct.pack(f"<{len(self.z)}f", *self.z)).rstrip(b"=").decode()
        observed = "+".join(map(_quoted, self.observed))
        fields = (PREFIX, _quoted(self.checkpoint), self.digest, _text(self.item), observed, _text(self.seed), code)
        return "~".join(fields)

    @classmethod
    def parse(cls, text: str) -> Point:
        """The point that a text carries.

        Raises:
            PointError: Where it carries none.
        """
        fields = text.strip().split("~")
        if len(text) > 10_000 or len(fields) != 7 or fields[0] != PREFIX:
            raise PointError(f"not a point: expected {PREFIX}~checkpoint~digest~item~observed~seed~code, got {text[:60]!r}")
        _, checkpoint, digest, item, observed, seed, code = fields
        for what, value, form in (("checkpoint name", checkpoint, NAME), ("digest", digest, "[0-9a-f]{8}"), ("item", item, "[0-9]{0,18}"),
                                  ("observed modalities", observed, rf"({NAME}(\+{NAME})*)?"), ("seed", seed, "[0-9]{0,18}")):
            if not re.fullmatch(form, value):
                raise PointError(f"not a point: {what} {value[:60]!r}")
        names = [unquote(name) for name in (checkpoint, *observed.split("+"))]
        if names[0].startswith(".") or any(not name.isprintable() or "/" in name or "\\" in name for name in names):
            raise PointError(f"not a point: names {names!r}")
        try:
            raw = base64.b64decode(code + "=" * (-len(code) % 4), altchars=b"-_", validate=True)
            z = struct.unpack(f"<{len(raw) // 4}f", raw)
        except (binascii.Error, struct.error, ValueError) as error:
            raise PointError(f"not a point: its code is damaged ({error})") from None
        if not all(math.isfinite(value) for value in z):
            raise PointError("not a point: its code has values that are not finite")
        return cls(names[0], digest, z, int(item) if item else None, tuple(names[1:]) if observed else (), int(seed) if seed else None)

    def blocks(self, sizes: Mapping[str, int]) -> dict[str, Sequence[float]]:
        """The code block by block, {name: values}, for blocks of these sizes in order.

        Raises:
            PointError: Where the code has another number of dimensions.
        """
        if sum(sizes.values()) != len(self.z):
            raise PointError(f"the point has {len(self.z)} dimensions, the model {sum(sizes.values())}")
        result, at = {}, 0
        for name, size in sizes.items():
            result[name] = self.z[at:at + size]
            at += size
        return result


def _quoted(name: str) -> str:
    return quote(name, safe="").replace("~", "%7E")


def _text(value: int | None) -> str:
    return "" if value is None else str(value)
