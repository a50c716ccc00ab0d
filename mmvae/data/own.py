"""A person's own pairs, from an .npz file or a folder of images."""

from __future__ import annotations

__all__ = ["OwnPairs"]

import csv
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.nn.functional import interpolate

from ..history import is_number
from ..inputs import ENDINGS, FORMATS
from ..modalities import Modality
from .arrays import read_arrays
from .base import SPLITS, DataError, Factor, PairedDataset

EDGES = (28, 32, 64)  # pixels of the images that networks are made for: conv28, conv32, conv64
FEWEST = 10  # pairs, so that each split has one
FEW = 20  # distinct whole numbers up to which a factor is taken for categorical
PICTURES = tuple(f".{ending}" for ending in ENDINGS)
GREY, COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
DESCRIPTION = {"kind", "unit", "owner", "neutral"}  # what may be said of a factor


@dataclass(frozen=True)
class Content:
    """What either form of the data holds: images by modality, uint8 [N, C, H, W]; factors by name, [N]; what is said of them."""

    images: dict[str, Tensor]
    factors: dict[str, np.ndarray]
    described: dict[str, dict]


class OwnPairs(PairedDataset):
    """Pairs from a person's own file or folder; item i is the i-th pair.

    **An .npz file** holds two arrays of images, whose names become the modalities: uint8 (0 to 255) or float (0 to 1),
    with shape [N, H, W], [N, H, W, C] or [N, C, H, W], C being 1 or 3. Arrays of shape [N] are factors.

    **A folder** holds two folders of images, named as the modalities; images of one pair have the same name but for
    the ending. ``factors.csv`` beside them, where there are factors, has a column ``item`` with that name.

    Factors of texts, of truth values, and of at most 20 different whole numbers are categorical, other numbers ordered.
    The text entry ``factors`` of the .npz file, or the file ``factors.json``, may say otherwise and more, in JSON::

        {"angle": {"kind": "ordered", "unit": "°", "owner": "left", "neutral": 0}}

    Images of other sizes are resized to the nearest of 28×28, 32×32 and 64×64; `notes` says so. Grey images are judged by
    the Bernoulli likelihood, colours by a Gaussian of variance ½. Of the items, taken at random but always alike,
    a tenth each is for validation and test.

    Example:
        >>> numpy.savez("pairs.npz", left=left, right=right, angle=angle)      # doctest: +SKIP
        >>> data = mmvae.dataset("pairs.npz")                                  # doctest: +SKIP

    Raises:
        DataError: Where the data is not as described; one line names the file and what is wrong.
    """

    #: What was done to the images, and what is missing, in sentences for a person.
    notes: tuple[str, ...]

    def __init__(self, path: Path) -> None:
        path = Path(path)
        content = _folder(path) if path.is_dir() else _file(path)
        counts = {name: len(values) for name, values in (*content.images.items(), *content.factors.items())}
        if len(set(counts.values())) > 1:
            raise DataError(f"{path}: {', '.join(f'{name} has {n}' for name, n in counts.items())}; expected as many of each")
        total = next(iter(counts.values()))
        if total < FEWEST:
            raise DataError(f"{path}: {total} pairs; "
                            f"at least {FEWEST} are needed, so that there are some to train, validate and test with")
        stray = set(content.described) - set(content.factors)
        if stray:
            raise DataError(f"{path}: factor {sorted(stray)[0]!r} is described but has no values; "
                            f"there are {_listed(content.factors)}")
        self.name, self.title = str(path.resolve()), path.stem
        self._images, self.modalities, notes = {}, (), []
        for i, (name, images) in enumerate(content.images.items()):
            self._images[name], modality, note = _fitted(name, f"x_{i + 1}", images)
            self.modalities += (modality,)
            notes += note
        described = [
            _factor(path, name, values, content.described.get(name, {}), tuple(content.images))
            for name, values in content.factors.items()
        ]
        self.factors = tuple(factor for factor, _ in described)
        self._labels = {factor.name: labels for factor, labels in described}
        if not self.factors:
            notes.append("No factors are given: pictures can be explored, but not scored or coloured by what caused them.")
        self.notes = tuple(notes)
        order = torch.from_numpy(np.random.RandomState(0).permutation(total))  # its streams are promised never to change
        tenth = max(1, total // 10)
        self._splits = {name: ids.sort().values for name, ids in zip(SPLITS, order.split([total - 2 * tenth, tenth, tenth]))}

    def split(self, name: str) -> Tensor:
        if name not in self._splits:
            raise ValueError(f"split {name!r} is none of {', '.join(SPLITS)}")
        return self._splits[name]

    def items(self, ids: Tensor | Sequence[int]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        ids = torch.as_tensor(ids, dtype=torch.int64, device="cpu").reshape(-1)
        total = len(next(iter(self._images.values())))
        outside = ids[(ids < 0) | (ids >= total)]
        if len(outside):
            raise DataError(f"item {int(outside[0])}: no such pair in {self.title}; ids run from 0 to {total - 1}")
        images = {name: stored[ids].float().div_(255) for name, stored in self._images.items()}
        return images, {name: labels[ids] for name, labels in self._labels.items()}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _fitted(name: str, symbol: str, images: Tensor) -> tuple[Tensor, Modality, list[str]]:
    """Images of a size that a network is made for, the modality they make, and a note where they were resized."""
    height, width = images.shape[2:]
    edge = min(EDGES, key=lambda e: (abs(e - (height * width) ** 0.5), -e))
    notes = []
    if (height, width) != (edge, edge):
        notes.append(f"{name}: images of {width}×{height} pixels were resized to {edge}×{edge}.")
        images = torch.cat([
            interpolate(part.float(), (edge, edge), mode="bilinear", antialias=True).round().clamp(0, 255).to(torch.uint8)
            for part in images.split(256)  # as floats, all at once would need four times the memory
        ])
    channels = images.shape[1]
    kind = {"likelihood": "bernoulli"} if channels == 1 else {"likelihood": "gaussian", "scale": 0.5**0.5}
    return images, Modality(name, (channels, edge, edge), symbol, name, network=f"conv{edge}", **kind), notes


def _factor(path: Path, name: str, values: np.ndarray, described: dict, modalities: tuple[str, ...]) -> tuple[Factor, Tensor]:
    """A factor and the labels of all items, from its values and what is said of it."""
    unknown = set(described) - DESCRIPTION
    if unknown:
        raise DataError(f"{path}: factor {name!r} is described by {sorted(unknown)[0]!r}; "
                        f"expected some of {', '.join(sorted(DESCRIPTION))}")
    if values.dtype.kind not in "iufbU":
        raise DataError(f"{path}: factor {name!r} is of type {values.dtype}; expected numbers or texts")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        item = np.flatnonzero(~np.isfinite(values))[0]
        raise DataError(f"{path}: factor {name!r} is {values[item]} for item {item}; expected a number for every item")
    distinct, indices = np.unique(values, return_inverse=True)
    few = values.dtype.kind in "bU" or (values.dtype.kind in "iu" and len(distinct) <= FEW)
    kind = described.get("kind", "categorical" if few else "ordered")
    owner, unit, neutral = described.get("owner"), described.get("unit", ""), described.get("neutral")
    if kind not in ("ordered", "categorical"):
        raise DataError(f"{path}: factor {name!r} is of kind {kind!r}; expected 'ordered' or 'categorical'")
    if owner is not None and owner not in modalities:
        raise DataError(f"{path}: factor {name!r} belongs to {owner!r}; "
                        f"expected {' or '.join(modalities)}, or null where both show it")
    if not isinstance(unit, str) or neutral is not None and not is_number(neutral):
        raise DataError(f"{path}: factor {name!r} has unit {unit!r} and neutral {neutral!r}; expected a text and a number")
    if kind == "categorical":
        return Factor(name, kind, tuple(map(str, distinct)), unit, owner, neutral), torch.from_numpy(indices.astype(np.int64))
    if values.dtype.kind == "U":
        raise DataError(f"{path}: factor {name!r} is ordered but {str(distinct[0])!r} is no number; "
                        "write numbers, or make it categorical")
    grid = distinct if len(distinct) <= 101 else np.linspace(distinct[0], distinct[-1], 21)  # measured rather than set: no grid
    return Factor(name, kind, tuple(map(float, grid)), unit, owner, neutral), torch.from_numpy(values.astype(np.float32))


def _check_modalities(path: Path, names: Sequence[str], what: str) -> None:
    if len(names) != 2:
        raise DataError(f"{path}: expected two {what}, one for each modality; there are {len(names)} ({_listed(names)})" if names else
                        f"{path}: expected two {what}, one for each modality; there are none")
    for name in names:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name) or name == "shared":
            raise DataError(f"{path}: {name!r} cannot name a modality; "
                            "use a letter, then letters, digits, _ and -, and not 'shared'")


def _described(path: Path, text: str) -> dict[str, dict]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: the description of the factors is not JSON ({error})") from None
    if not isinstance(content, dict) or not all(isinstance(entry, dict) for entry in content.values()):
        raise DataError(f'{path}: the description of the factors is not like {{"angle": {{"kind": "ordered", "unit": "°"}}}}')
    return content


def _file(path: Path) -> Content:
    arrays = read_arrays(path)
    text = arrays.pop("factors", np.array("{}"))
    if text.dtype.kind != "U" or text.ndim:
        raise DataError(f"{path}: 'factors' is {text.dtype} {text.shape}; expected one text, the factors' description in JSON")
    _check_modalities(path, [name for name, array in arrays.items() if array.ndim > 1], "arrays of images")
    return Content(
        {name: _images(path, name, array) for name, array in arrays.items() if array.ndim > 1},
        {name: array for name, array in arrays.items() if array.ndim == 1},
        _described(path, str(text)),
    )


def _images(path: Path, name: str, array: np.ndarray) -> Tensor:
    """An array of images in any of the accepted forms as uint8 [N, C, H, W]."""
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[3] in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    if array.ndim != 4 or array.shape[1] not in (1, 3) or 0 in array.shape:
        raise DataError(f"{path}: {name} has shape {array.shape}; "
                        "expected [N, H, W], [N, H, W, C] or [N, C, H, W] with C of 1 or 3")
    scaled = array.dtype.kind == "f"
    if scaled:
        low, high = array.min(), array.max()
        if not (np.isfinite(low) and np.isfinite(high)):
            item = np.argwhere(~np.isfinite(array))[0][0]
            raise DataError(f"{path}: {name} holds values that are not finite, first in item {item}; expected 0 to 1")
        if low < 0 or high > 1:
            raise DataError(f"{path}: {name} holds values from {low:.3g} to {high:.3g}; expected 0 to 1, or uint8 from 0 to 255")
        array = (array * 255).round().astype(np.uint8)
    if array.dtype != np.uint8:
        raise DataError(f"{path}: {name} is of type {array.dtype}; expected uint8 from 0 to 255, or floats from 0 to 1")
    if not scaled:
        _check_span(f"{path}: {name}", array)
    return torch.from_numpy(np.ascontiguousarray(array))


def _check_span(where: str, pixels: np.ndarray) -> None:
    """Refuses a mask of 0 and 1 among bytes from 0 to 255: its ones would be as good as black."""
    if pixels.max() == 1:
        raise DataError(f"{where} holds no value above 1; expected pixels from 0 to 255, or floats from 0 to 1 in an .npz file")


def _folder(path: Path) -> Content:
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    _check_modalities(path, [folder.name for folder in folders], "folders of images")
    first, second = (_pictures(folder) for folder in folders)
    for here, there, folder in ((first, second, folders[1]), (second, first, folders[0])):
        alone = sorted(set(here) - set(there))
        if alone:
            partner = here[alone[0]]
            raise DataError(f"{folder}: no image {alone[0]!r} to pair with {partner.parent.name}/{partner.name}; "
                            "expected the same names in both folders")
    items = sorted(first)
    if not items:
        raise DataError(f"{folders[0]}: no images in it; expected some of {', '.join(PICTURES)}")
    images = {folder.name: _opened([pictures[item] for item in items]) for folder, pictures in zip(folders, (first, second))}
    table, description = path / "factors.csv", path / "factors.json"
    text = description.read_text("utf-8") if description.is_file() else "{}"
    return Content(images, _table(table, items) if table.is_file() else {}, _described(description, text))


def _pictures(folder: Path) -> dict[str, Path]:
    pictures: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in PICTURES and not path.name.startswith("."):
            if path.stem in pictures:
                raise DataError(f"{path}: {pictures[path.stem].name} has the same name; expected one image of each")
            pictures[path.stem] = path
    return pictures


def _opened(paths: list[Path]) -> Tensor:
    """Images of one size as uint8 [N, C, H, W]; all are in colour as soon as one is."""
    opened = []
    for path in paths:
        try:
            with Image.open(path, formats=FORMATS) as image:
                image.load()
        except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
            raise DataError(f"{path}: cannot be read as an image ({str(error).splitlines()[0]})") from None
        if image.mode not in GREY + COLOUR:
            raise DataError(f"{path}: pixels of kind {image.mode}; expected 8 bits, grey or in colour")
        if opened and image.size != opened[0].size:
            sizes = [f"{each.width}×{each.height}" for each in (image, opened[0])]
            raise DataError(f"{path}: {sizes[0]} pixels, but {paths[0].name} has {sizes[1]}; expected one size")
        opened.append(image)
    mode = "L" if all(image.mode in GREY for image in opened) else "RGB"
    pixels = np.stack([np.asarray(image.convert(mode)) for image in opened])
    _check_span(str(paths[0].parent), pixels)
    stacked = torch.from_numpy(pixels)
    return stacked.unsqueeze(1) if mode == "L" else stacked.permute(0, 3, 1, 2).contiguous()


def _table(path: Path, items: list[str]) -> dict[str, np.ndarray]:
    """The columns of a table of factors, in the items' order, each of the plainest type that holds it."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            fields, rows = list(reader.fieldnames or ()), list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a table of comma-separated values in UTF-8 ({error})") from None
    columns = [name for name in fields if name != "item"]
    if "item" not in fields:
        raise DataError(f"{path}: no column 'item' (there are {_listed(columns)}); expected the images' names in it")
    if "" in fields or len(set(fields)) < len(fields):
        raise DataError(f"{path}: columns are {', '.join(map(repr, fields))}; expected a name for each, and no name twice")
    if long := next((row for row in rows if None in row), None):
        raise DataError(f"{path}: {len(fields) + len(long[None])} cells for item {long['item']!r}; expected {len(fields)}, one under each column")
    by_item = {row["item"]: row for row in rows}
    if len(by_item) < len(rows):
        names = [row["item"] for row in rows]
        raise DataError(f"{path}: two rows for item {next(name for name in names if names.count(name) > 1)!r}; expected one")
    missing = [item for item in items if item not in by_item]
    if missing:
        raise DataError(f"{path}: no row for item {missing[0]!r} ({len(missing)} of {len(items)} are missing); "
                        "expected one for every pair of images")
    factors = {}
    for name in columns:
        cells = [by_item[item][name] for item in items]
        if not all(cells):  # None where a row is too short
            empty = next(item for item, cell in zip(items, cells) if not cell)
            raise DataError(f"{path}: nothing under {name!r} for item {empty!r}; expected a value for every item")
        factors[name] = _column(cells)
    return factors


def _column(cells: list[str]) -> np.ndarray:
    for kind in (np.int64, np.float64):
        try:
            return np.array(cells, dtype=kind)
        except (ValueError, OverflowError):
            continue
    return np.array(cells)
