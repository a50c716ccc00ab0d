"""A person's own pairs, from an .npz file or a folder of images."""

from __future__ import annotations

__all__ = ["OwnPairs"]

import csv
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..history import is_number
from ..inputs import ENDINGS, HANDWRITING, InputError, look_at, prepare, read_input
from ..modalities import Modality
from .arrays import read_arrays
from .base import SPLITS, DataError, Factor, PairedDataset
from .ids import ids_given

EDGES = (28, 32, 64)  # pixels of the images that networks are made for: conv28, conv32, conv64
FEWEST = 20  # pairs, so that there are two each to validate and to test with: no figure can be taken of one
FEW = 20  # distinct whole numbers up to which a factor is taken for categorical
GRID = 101  # distinct values up to which an ordered factor is taken for set rather than measured
TABLES = (".csv", ".tsv")
COMMA = re.compile(r"[+-]?\d*,\d+")  # 0,5: what many countries write for 0.5
PICTURES = tuple(f".{ending}" for ending in ENDINGS)
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")  # 1,000: a thousand to some, one to others
#: The share of an ordered factor's values that must stay distinct in single precision; of thousands of measured ones two may meet by chance.
DISTINCT = 0.99
GREY, COLOUR = ("1", "L", "LA", "I;16", "I;16L", "I;16B"), ("P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
DESCRIPTION = {"kind", "unit", "owner", "neutral"}  # what may be said of a factor


@dataclass(frozen=True)
class Content:
    """What either form of the data holds.

    Arguments:
        images: Of each modality, prepared, uint8 [N, C, H, W].
        factors: The values of each, [N].
        described: What is said of factors.
        table: Where the values are from.
        description: What a person calls the place of what is said of them.
        names: What the items are called, of length N; empty where nothing says it.
        notes: What was done, and what was left out.
    """

    images: dict[str, Tensor]
    factors: dict[str, np.ndarray]
    described: dict[str, dict]
    table: Path
    description: str
    names: tuple[str, ...]
    notes: list[str]


class OwnPairs(PairedDataset):
    """Pairs from a person's own file or folder; item i is the i-th pair.

    **An .npz file** holds two arrays of images, whose names become the modalities: uint8 (0 to 255) or float (0 to 1),
    with shape [N, H, W], [N, H, W, C] or [N, C, H, W], C being 1 or 3. Arrays of shape [N] are factors, but for ``item``,
    which holds what the pairs are called.

    **A folder** holds two folders of images, named as the modalities; images of one pair have the same name but for
    the ending, and the pair is called so; ids count them in the order of these names. ``factors.csv`` beside them, where
    there are factors, has a column ``item`` with that name; its cells lie between commas, semicolons or tabs (``factors.tsv``).

    Factors of texts, of truth values, and of at most 20 different whole numbers that recur are categorical, other numbers
    ordered. Texts of which every item has another are no factor: they are taken for the items' names. What is the same for
    every item is none either. The text entry
    ``factors`` of the .npz file, or the file ``factors.json``, may say otherwise and more, in JSON::

        {"angle": {"kind": "ordered", "unit": "°", "owner": "left", "neutral": 0}}

    Images are prepared as inputs are (`mmvae.inputs`): turned upright, laid on black or white where they are transparent, and
    where they are of another size the middle square is taken and resized to the nearest of 28×28, 32×32 and 64×64; `notes` says so.
    With which likelihoods and weights they are judged is the variant's, see `mmvae.presets.modalities_for`; joint-poe judges grey
    images by the Bernoulli likelihood, colours by a Gaussian of variance ½. Of the items, taken at random but always alike,
    a tenth each is for validation and test. Pairs that have a picture in common are in one split; where so many have that this
    leaves too few to hold out, the split is by pair, and `notes` says so.

    Example:
        >>> numpy.savez("pairs.npz", left=left, right=right, angle=angle)      # doctest: +SKIP
        >>> data = mmvae.dataset("pairs.npz")                                  # doctest: +SKIP

    Raises:
        DataError: Where the data is not as described; one line names the file and what is wrong.
    """

    #: What was done to the images, and what is missing or left out, in sentences for a person.
    notes: tuple[str, ...]

    def __init__(self, path: Path) -> None:
        path = Path(path).expanduser()
        content = _folder(path) if path.is_dir() else _file(path)
        columns = (*content.images.items(), *content.factors.items(), *([("item", content.names)] if content.names else []))
        counts = {name: len(values) for name, values in columns}
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
        self._images = content.images
        self.modalities = tuple(_modality(name, f"x_{i}", images.shape[1:]) for i, (name, images) in enumerate(content.images.items(), 1))
        notes = list(content.notes)
        notes += [f"{name}: all pictures are the same, so there is nothing to learn from them."
                  for name, images in content.images.items() if (images == images[:1]).all()]
        factors, self.names = {name: _plainest(values) for name, values in content.factors.items()}, content.names
        for name in [name for name, values in factors.items() if name not in content.described and _are_names(values)]:
            notes.append(f"{name}: every item has another text, so that these are names and no factor.")
            self.names = self.names or tuple(factors[name].tolist())
            del factors[name]
        described = [_factor(content, name, values, self.names) for name, values in factors.items()]
        notes += [f"{factor.name}: the same for every item, so that it is no factor." for factor, _ in described if len(factor.values) == 1]
        described = [(factor, labels) for factor, labels in described if len(factor.values) > 1]
        self.factors = tuple(factor for factor, _ in described)
        self._labels = {factor.name: labels for factor, labels in described}
        if not self.factors:
            notes.append("No factors are given: pictures can be explored, but not scored or coloured by what caused them.")
        order = np.random.RandomState(0).permutation(total)  # its streams are promised never to change
        held = _held_out(order, _sharing(content.images))
        if held is None:
            notes.append("So many pairs have a picture in common that test pairs have pictures which are trained on: figures on them say little of new pictures.")
            held = order[-2 * (total // 10):].reshape(2, -1)
        self.notes = tuple(notes)
        parts = (np.setdiff1d(order, np.concatenate(held)), *map(np.sort, held))
        self._splits = {name: torch.from_numpy(ids) for name, ids in zip(SPLITS, parts, strict=True)}

    def split(self, name: str) -> Tensor:
        if name not in self._splits:
            raise ValueError(f"split {name!r} is none of {', '.join(SPLITS)}")
        return self._splits[name]

    def items(self, ids: Tensor | Sequence[int]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        ids = torch.from_numpy(ids_given(ids))
        total = len(next(iter(self._images.values())))
        outside = ids[(ids < 0) | (ids >= total)]
        if len(outside):
            raise DataError(f"item {int(outside[0])}: no such pair in {self.title}; ids run from 0 to {total - 1}")
        images = {name: stored[ids].float().div_(255) for name, stored in self._images.items()}
        return images, {name: labels[ids] for name, labels in self._labels.items()}


def _sharing(images: dict[str, Tensor]) -> np.ndarray:
    """The group of each pair, [N]: pairs that have a picture of either modality in common, or are linked by others that do, are of one.

    A modality of which all pictures are the same links none: it has nothing to hold out.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pictures = [np.unique([blake2b(image.numpy().tobytes(), digest_size=16).digest() for image in stored], return_inverse=True)[1] for stored in images.values()]
    pictures = [of if of.max() else np.arange(len(of)) for of in pictures]
    first, second = pictures[0], pictures[1] + pictures[0].max() + 1
    links = coo_array((np.ones(len(first)), (first, second)), shape=(second.max() + 1,) * 2)
    return connected_components(links, directed=False)[1][first]


def _held_out(order: np.ndarray, group: np.ndarray) -> list[np.ndarray] | None:
    """The pairs for validation and for test, about a tenth of all each, in whole groups; None where the groups are too large.

    Arguments:
        order: Of all pairs, shuffled.
        group: Of each pair.
    """
    tenth = len(order) // 10
    sizes = np.bincount(group)
    groups = list(dict.fromkeys(group[order[::-1]].tolist()))  # from the end: where no pair shares a picture, the last ones are held out
    held: list[np.ndarray] = []
    for _ in range(2):
        chosen, room = set(), tenth
        for g in groups:
            if sizes[g] <= room:
                chosen.add(g)
                room -= sizes[g]
        if 2 * room > tenth:
            return None
        groups = [g for g in groups if g not in chosen]
        held.append(order[np.isin(group[order], list(chosen))])
    return held[::-1]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _modality(name: str, symbol: str, shape: Sequence[int]) -> Modality:
    """The modality of images [C, E, E], judged as those of the data sets that come with this program."""
    channels, edge, _ = shape
    kind = {"likelihood": "bernoulli"} if channels == 1 else {"likelihood": "gaussian", "scale": 0.5**0.5}
    return Modality(name, (channels, edge, edge), symbol, name, network=f"conv{edge}", **kind)


def _edge(height: int, width: int) -> int:
    """The side that the middle square of images is resized to: the nearest that a network is made for, the larger of two as near."""
    return min(EDGES, key=lambda edge: (abs(edge - min(height, width)), -edge))


def _what_was_done(name: str, width: int, height: int, steps: Sequence[tuple[str, ...]]) -> list[str]:
    """Notes of how images were prepared, from the steps of each."""
    notes = []
    for done, count in Counter(steps).items():
        which = "images" if count == len(steps) else f"{count:,} of {len(steps):,} images"
        if done:
            notes.append(f"{name}, {which} of {width}×{height} pixels: {', '.join(done)}.")
    return notes


def _plainest(values: np.ndarray) -> np.ndarray:
    """Texts that are all numbers as numbers."""
    if values.dtype.kind == "U":
        for kind in (np.int64, np.float64):
            try:
                return values.astype(kind)
            except (ValueError, OverflowError):
                continue
    return values


def _are_names(values: np.ndarray) -> bool:
    return values.dtype.kind == "U" and len(np.unique(values)) == len(values) and not _mostly_numbers(values)


def _mostly_numbers(texts: np.ndarray) -> bool:
    return sum(_is_number(text) or bool(COMMA.fullmatch(text)) for text in texts.tolist()) > len(texts) / 2


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _item(names: Sequence[str], item: int) -> str:
    """An item as a person finds it: by its name where it has one, else by its id."""
    return f"item {names[item]!r}" if names else f"item {item}"


def _factor(content: Content, name: str, values: np.ndarray, names: Sequence[str]) -> tuple[Factor, Tensor]:
    """A factor and the labels of all items, from its values and what is said of it."""
    path, described, modalities = content.table, content.described.get(name, {}), tuple(content.images)
    unknown = set(described) - DESCRIPTION
    if unknown:
        raise DataError(f"{path}: factor {name!r} is described by {sorted(unknown)[0]!r}; "
                        f"expected some of {', '.join(sorted(DESCRIPTION))}")
    if values.dtype.kind not in "iufbU":
        raise DataError(f"{path}: factor {name!r} is of type {values.dtype}; expected numbers or texts")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        item = np.flatnonzero(~np.isfinite(values))[0]
        raise DataError(f"{path}: factor {name!r} is {values[item]} for {_item(names, item)}; expected a number for every item")
    distinct, indices = np.unique(values, return_inverse=True)
    few = values.dtype.kind in "bU" or (values.dtype.kind in "iu" and len(distinct) <= min(FEW, len(values) // 2))
    kind = described.get("kind", "categorical" if few else "ordered")
    owner, unit, neutral = described.get("owner"), described.get("unit", ""), described.get("neutral")
    if kind not in ("ordered", "categorical"):
        raise DataError(f"{path}: factor {name!r} is of kind {kind!r}; expected 'ordered' or 'categorical'")
    if owner is not None and owner not in modalities:
        raise DataError(f"{path}: factor {name!r} belongs to {owner!r}; "
                        f"expected {' or '.join(modalities)}, or null where both show it")
    texts = values.dtype.kind == "U"
    if not isinstance(unit, str) or neutral is not None and not (isinstance(neutral, str) if texts else is_number(neutral)):
        raise DataError(f"{path}: factor {name!r} has unit {unit!r} and neutral {neutral!r}; expected a text and {'one of its values' if texts else 'a number'}")
    if texts and (kind == "ordered" or "kind" not in described and _mostly_numbers(values)):
        raise _no_number(content, name, values.tolist(), names)
    if kind == "categorical":
        if neutral is not None and neutral not in distinct.tolist():
            raise DataError(f"{path}: factor {name!r} is never {neutral}, its neutral value; there are {_listed(map(str, distinct))}")
        neutral = None if neutral is None else float(distinct.tolist().index(neutral))  # labels are indices
        return Factor(name, kind, tuple(map(str, distinct)), unit, owner, neutral), torch.from_numpy(indices.astype(np.int64))
    if neutral is not None and not distinct[0] <= neutral <= distinct[-1]:
        raise DataError(f"{path}: factor {name!r} runs from {distinct[0]:g} to {distinct[-1]:g}, and its neutral value is {neutral:g}; expected one between")
    labels = values.astype(np.float32)
    if not np.isfinite(labels).all() or len(np.unique(labels)) < DISTINCT * len(distinct):
        raise DataError(f"{path}: factor {name!r} has values that single precision cannot tell apart, from {distinct[0]:.6g} to {distinct[-1]:.6g}; "
                        "subtract a constant, or take a larger unit")
    # measured rather than set where few recur: no grid
    grid = distinct if len(distinct) <= min(GRID, len(values) // 2) else np.linspace(distinct[0], distinct[-1], 21)
    return Factor(name, kind, tuple(map(float, grid)), unit, owner, neutral), torch.from_numpy(labels)


def _no_number(content: Content, name: str, cells: list[str], names: Sequence[str]) -> DataError:
    """What to say of the first text among numbers, such as NA or 0,5: as texts each of them would be a class of its own."""
    item = next(i for i, cell in enumerate(cells) if not _is_number(cell))
    cell = cells[item]
    better = f"write {cell.replace(',', '.')}" if COMMA.fullmatch(cell) else "fill it in"
    if THOUSANDS.fullmatch(cell):
        better = f"write {cell.replace(',', '')} or {cell.replace(',', '.')}, whichever it is"
    return DataError(f"{content.table}: {cell!r} for {_item(names, item)} is no number; "
                     f"{better}, or make {name} categorical in {content.description}")


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
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{path}: the description of the factors is not JSON ({error})") from None
    if not isinstance(content, dict) or not all(isinstance(entry, dict) for entry in content.values()):
        raise DataError(f'{path}: the description of the factors is not like {{"angle": {{"kind": "ordered", "unit": "°"}}}}')
    return content


def _file(path: Path) -> Content:
    arrays = read_arrays(path)
    text = arrays.pop("factors", np.array("{}"))
    if text.dtype.kind != "U" or text.ndim:
        raise DataError(f"{path}: 'factors' is {text.dtype} {text.shape}; expected one text, the factors' description in JSON")
    names = _names(path, arrays.pop("item")) if "item" in arrays else ()
    _check_modalities(path, [name for name, array in arrays.items() if array.ndim > 1], "arrays of images")
    images, notes = {}, []
    for name, array in arrays.items():
        if array.ndim > 1:
            images[name], steps = _prepared(path, name, _images(path, name, array))
            notes += steps
    notes += [f"{name}: one value, not one for each pair; left out." for name, array in arrays.items() if array.ndim == 0]
    factors = {name: array for name, array in arrays.items() if array.ndim == 1}
    return Content(images, factors, _described(path, str(text)), path, "its entry 'factors'", names, notes)


def _names(path: Path, array: np.ndarray) -> tuple[str, ...]:
    """The items' names out of an .npz file."""
    if array.ndim != 1 or array.dtype.kind not in "iuU":
        raise DataError(f"{path}: 'item' is {array.dtype} {array.shape}; expected what each pair is called, texts or whole numbers [N]")
    names = tuple(map(str, array.tolist()))
    if len(set(names)) < len(names):
        raise DataError(f"{path}: two pairs are called {Counter(names).most_common(1)[0][0]!r} in 'item'; expected another name for each")
    return names


def _prepared(path: Path, name: str, images: Tensor) -> tuple[Tensor, list[str]]:
    """Images uint8 [N, C, H, W] as uint8 [N, C, E, E], prepared as inputs are, and notes of what was done."""
    _, channels, height, width = images.shape
    edge = _edge(height, width)
    if (height, width) == (edge, edge) and name != HANDWRITING:  # it would come back as it is, only later
        return images, []
    modality = _modality(name, "x", (channels, edge, edge))
    prepared, steps = torch.empty(len(images), channels, edge, edge, dtype=torch.uint8), []
    for i, image in enumerate(images):
        with _refused(f"{path}: {name}, item {i}"):
            one = prepare(image.permute(1, 2, 0).numpy().astype(np.float32) / 255, modality)
        prepared[i] = (one.image * 255).round()
        steps.append(one.notes)
    return prepared, _what_was_done(name, width, height, steps)


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
    table, description = _beside(path)
    text = description.read_text("utf-8") if description else "{}"
    factors, left_out = _table(table, items) if table else ({}, [])
    images, notes = {}, []
    for folder, pictures in zip(folders, (first, second)):
        images[folder.name], steps = _opened(folder.name, [pictures[item] for item in items])
        notes += steps
    return Content(images, factors, _described(description or path, text), table or path,
                   description.name if description else "factors.json", tuple(items), notes + left_out)


def _beside(path: Path) -> tuple[Path | None, Path | None]:
    """The table of factors in a folder, and their description, whatever the case of their names' letters."""
    called = [entry for entry in sorted(path.iterdir()) if entry.is_file() and entry.stem.lower() == "factors"]
    tables = [entry for entry in called if entry.suffix.lower() in TABLES]
    descriptions = [entry for entry in called if entry.suffix.lower() == ".json"]
    for found in (tables, descriptions):
        if len(found) > 1:
            raise DataError(f"{path}: {' and '.join(entry.name for entry in found)} are both there; expected one of them")
    other = [entry for entry in called if entry not in tables + descriptions]
    if other and not tables:
        raise DataError(f"{other[0]}: tables are not read from such files; save it as factors.csv or factors.tsv")
    return next(iter(tables), None), next(iter(descriptions), None)


def _pictures(folder: Path) -> dict[str, Path]:
    pictures: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in PICTURES and not path.name.startswith("."):
            stem = unicodedata.normalize("NFC", path.stem)  # macOS and others write an accented letter each in its own way
            if stem in pictures:
                raise DataError(f"{path}: {pictures[stem].name} has the same name; expected one image of each")
            pictures[stem] = path
    return pictures


def _opened(name: str, paths: list[Path]) -> tuple[Tensor, list[str]]:
    """Images of one size, prepared as inputs are, as uint8 [N, C, E, E], and notes; all are in colour as soon as one is."""
    looks = []
    for path in paths:
        with _refused(str(path)):
            looks.append(look_at(path))
    width, height = looks[0][1]
    for path, (mode, size) in zip(paths, looks):
        if mode not in GREY + COLOUR:
            raise DataError(f"{path}: pixels of kind {mode}; expected 8 bits, grey or in colour, or 16 bits grey")
        if size != (width, height):
            raise DataError(f"{path}: {size[0]}×{size[1]} pixels, but {paths[0].name} has {width}×{height}; expected one size")
    edge = _edge(height, width)
    modality = _modality(name, "x", (1 if all(mode in GREY for mode, _ in looks) else 3, edge, edge))
    images, steps = torch.empty(len(paths), *modality.shape, dtype=torch.uint8), []
    for i, path in enumerate(paths):
        with _refused(str(path)):
            prepared = read_input(path, modality)
        images[i] = (prepared.image * 255).round()
        steps.append(prepared.notes[1:])  # the first is the file's format and size
    _check_span(str(paths[0].parent), images.numpy())
    return images, _what_was_done(name, width, height, steps)


@contextmanager
def _refused(where: str) -> Iterator[None]:
    """What is no input is no item either."""
    try:
        yield
    except InputError as error:
        raise DataError(f"{where}: {error}") from None


def _table(path: Path, items: list[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The columns of a table of factors, texts in the items' order, and what was left out of it."""
    try:
        text = unicodedata.normalize("NFC", path.read_bytes().decode("utf-8-sig"))
        comma = max(",;\t", key=text.partition("\n")[0].count)  # spreadsheets write what the country is used to
        lines = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=comma)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a table of comma-separated values in UTF-8 ({error})") from None
    fields, *rows = [row for row in lines if any(row)] or [[]]
    columns = [name for name in fields if name != "item"]
    if "item" not in fields:
        raise DataError(f"{path}: no column 'item' (there are {_listed(columns)}); expected the images' names in it")
    if "" in fields or len(set(fields)) < len(fields):
        raise DataError(f"{path}: columns are {', '.join(map(repr, fields))}; expected a name for each, and no name twice")
    place = fields.index("item")
    if long := next((row for row in rows if len(row) > len(fields)), None):
        raise DataError(f"{path}: {len(long)} cells for item {long[place]!r}; expected {len(fields)}, one under each column")
    rows = [row + [""] * (len(fields) - len(row)) for row in rows]
    known = set(items)
    ended = [row for row in rows if row[place] not in known and Path(row[place]).suffix.lower() in PICTURES]
    for row in ended:  # a table of the files' whole names
        row[place] = row[place][: -len(Path(row[place]).suffix)]
    by_item = {row[place]: row for row in rows}
    if len(by_item) < len(rows):
        twice = Counter(row[place] for row in rows).most_common(1)[0][0]
        raise DataError(f"{path}: two rows for item {twice!r}; expected one")
    missing = [item for item in items if item not in by_item]
    if missing:
        stray = next((item for item in by_item if item not in known), None)
        there = "" if stray is None else f"; one is for {stray!r}"
        raise DataError(f"{path}: no row for item {missing[0]!r} ({len(missing)} of {len(items)} are missing{there}); "
                        "expected one for every pair of images")
    factors = {}
    for name in columns:
        cells = [by_item[item][fields.index(name)] for item in items]
        if not all(cells):
            empty = next(item for item, cell in zip(items, cells) if not cell)
            raise DataError(f"{path}: nothing under {name!r} for item {empty!r}; expected a value for every item")
        factors[name] = np.array(cells)
    strange = sorted(set(by_item) - set(items))
    notes = [f"{path.name}: {len(strange)} of {len(rows)} rows are of no image, such as {strange[0]!r}; left out."] if strange else []
    return factors, notes
