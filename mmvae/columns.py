"""A person's own columns about items of a data set, read from a CSV: numbers, or categories."""

from __future__ import annotations

__all__ = ["FEW", "Column", "read_columns"]

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

#: Whole numbers of at most so many distinct values are categories, such as the clusters that another program found.
FEW = 10
MOST_COLUMNS, MOST_CATEGORIES, MOST_BYTES = 24, 1000, 64 << 20
MISSING = {"", "-", "na", "n/a", "nan", "none", "null"}
LONGEST = 60  # characters of a name that are kept


@dataclass(frozen=True)
class Column:
    """Values of some items.

    Arguments:
        name: Of the column.
        values: By item id; of categories the indices into `categories`.
        categories: Their names; empty for numbers.
    """

    name: str
    values: Mapping[int, float]
    categories: tuple[str, ...] = ()

    def of(self, ids: np.ndarray) -> np.ndarray:
        """The values of items, float32 [N]; NaN where none is known."""
        return np.array([self.values.get(item, math.nan) for item in ids.tolist()], np.float32)


def read_columns(content: bytes) -> list[Column]:
    """The columns of a CSV with a header, a column ``id`` of item ids and any others; commas, semicolons or tabs.

    Empty cells and words like ``nan`` are unknown. Columns of nothing but unknowns, and texts with more than 1,000
    distinct values, are left out: there is nothing to tell apart by them.

    Raises:
        ValueError: One line that says what is wrong, and in which line of the file.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"{len(content) >> 20} MB; a file of columns has at most {MOST_BYTES >> 20} MB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not text in UTF-8 (byte {error.start}); save it as CSV, not as a spreadsheet") from None
    head = text.partition("\n")[0]
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True) if line]
    except csv.Error as error:
        raise ValueError(f"not a CSV ({error})") from None
    names = [name.strip()[:LONGEST] for name in lines[0]] if lines else []
    lowered = [name.lower() for name in names]
    if "id" not in lowered:
        found = f"the first line names {', '.join(names[:6])[:120]}" if names else "it is empty"
        raise ValueError(f"no column called id: {found}; the first line needs id and the names of your columns")
    at = lowered.index("id")
    others = [c for c in range(len(names)) if c != at]
    if not 1 <= len(others) <= MOST_COLUMNS:
        raise ValueError(f"{len(others)} columns beside id; give 1 to {MOST_COLUMNS}")
    if doubled := {name for name in lowered if lowered.count(name) > 1}:
        raise ValueError(f"more than one column is called {sorted(doubled)[0]!r}")
    if len(lines) < 2:
        raise ValueError("no line below the first; give one for each item")
    return [column for c in others if (column := _column(names[c] or f"column {c + 1}", _cells(lines, at, c, names))) is not None]


def _cells(lines: Sequence[Sequence[str]], at: int, c: int, names: Sequence[str]) -> dict[int, str]:
    """The cells of a column by item; a ValueError where a line is malformed or two lines disagree."""
    found: dict[int, str] = {}
    for number, line in enumerate(lines[1:], 2):
        if len(line) != len(names):
            raise ValueError(f"line {number} has {len(line)} cells, the first line {len(names)}")
        item = line[at].strip()
        if not re.fullmatch("[0-9]{1,18}", item):
            raise ValueError(f"line {number}: id {item[:30]!r} is not a whole number; ids are those of the map's CSV")
        cell = line[c].strip()
        if found.setdefault(int(item), cell) != cell:
            raise ValueError(f"line {number}: id {item} a second time, with another {names[c]}")
    return found


def _column(name: str, cells: Mapping[int, str]) -> Column | None:
    known = {item: cell for item, cell in cells.items() if cell.lower() not in MISSING}
    distinct = sorted(set(known.values()))
    try:
        numbers = {cell: float(cell) for cell in distinct}
    except ValueError:
        numbers = None
    if numbers is not None and all(map(math.isfinite, numbers.values())):
        whole = sorted(set(numbers.values()))
        if len(whole) > FEW or any(value != int(value) for value in whole):
            return Column(name, {item: numbers[cell] for item, cell in known.items()})
        categories = [str(int(value)) for value in whole]
        known = {item: str(int(numbers[cell])) for item, cell in known.items()}
    else:
        categories = sorted({cell[:LONGEST] for cell in distinct})
        known = {item: cell[:LONGEST] for item, cell in known.items()}
    if not 1 <= len(categories) <= MOST_CATEGORIES:
        return None
    index = {category: i for i, category in enumerate(categories)}
    return Column(name, {item: index[cell] for item, cell in known.items()}, tuple(categories))
