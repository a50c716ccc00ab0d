"""The models and data of the app: opened once, shared by all sessions and by the live route, bounded in number.

Works outside a script run too, where Streamlit's own caches do not: the live route decodes in threads of its own.
"""

from __future__ import annotations

__all__ = ["Recent", "checkpoint", "data_for", "data_named", "data_title", "data_title_of", "data_titles", "data_version", "digest_of", "label_of", "names", "path_of", "short_label_of", "title_of", "trained_on",
           "unreadable", "variant_label_of", "version_of"]

import gc
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from functools import lru_cache
from os import sep
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

import torch

from mmvae import DATASETS, VARIANTS
from mmvae.checkpoints import CARD, CONFIG, SHIPPED, STATISTICS, WEIGHTS, Checkpoint, CheckpointError, catalogue, described, digest, home_folder, open_checkpoint, source_of, statistics_of
from mmvae.data import DataError, PairedDataset, data_root, dataset, digits
from mmvae.data import version_of as version_of_data
from mmvae.data.faces import Faces
from mmvae.sources import found, shapes

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

FILES = (CONFIG, WEIGHTS, STATISTICS, CARD)
#: Titles of data sets where there is little room; that of others is short.
SHORT = {"faces": "Faces", "digits": "Digits", "basel-faces": "Basel"}
STATISTICS_PAIRS = 400  # of a run that has not written its own yet


class Recent(Generic[Key, Value]):
    """The values asked for last, shared between threads; each is made once, even when several ask for it at a time.

    Arguments:
        limit: How many are kept.
        make: Makes the value of a key; what it raises is raised to whoever asked, and nothing is kept.
    """

    def __init__(self, limit: int, make: Callable[[Key], Value]) -> None:
        self.limit, self.make = limit, make
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._making: dict[Key, Lock] = {}
        self._lock = Lock()

    def __call__(self, key: Key) -> Value:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            making = self._making.setdefault(key, Lock())
        with making:  # others go on with what is there while one value is made
            with self._lock:
                if key in self._values:
                    return self._values[key]
            try:
                value = self.make(key)
                with self._lock:
                    self._values[key] = value
                    while len(self._values) > self.limit:
                        self._values.popitem(last=False)
                return value
            finally:
                with self._lock:
                    self._making.pop(key, None)


def names() -> list[str]:
    """Every model that can be opened, by data set and by variant in the order of their tables; shipped ones before runs and uploads.

    Private codes beside a shared one are what there is to see first: variants that have them come before those that have not.
    """
    found = {name: (folder, config) for name, folder in catalogue().items() for config, fault in (_described(folder),) if not fault}
    return sorted(found, key=lambda name: (found[name][0].parent.name != SHIPPED, *_place(found[name][1])))


def unreadable() -> list[str]:
    """A line for each folder that lies among the models and is none: what it is, and what is wrong with it."""
    return [fault.replace(f"{home_folder()}{sep}", "") for folder in catalogue().values() for _, fault in (_described(folder),) if fault]


def _place(config: dict) -> tuple[int, bool, int]:
    """Where a model stands in a list: at the end where its data set or variant is in no table."""
    dataset, variant = config["dataset"], config["variant"]["name"]
    tables = list(DATASETS), list(VARIANTS)
    datasets, variants = ({name: i for i, name in enumerate(table)} for table in tables)
    return datasets.get(dataset, len(datasets)), not (variant in VARIANTS and VARIANTS[variant].private), variants.get(variant, len(variants))


def _described(folder: Path) -> tuple[dict, str]:
    """The configuration of a model's folder, or what is wrong with what the folder says of its model."""
    return _read(folder, version_of(folder))


@lru_cache(maxsize=1024)
def _read(folder: Path, _version: tuple) -> tuple[dict, str]:
    try:
        return described(folder)[0], ""
    except CheckpointError as error:
        return {}, str(error)


def path_of(name: str) -> Path:
    """The folder of the model of this name.

    Raises:
        CheckpointError: Where there is none.
    """
    try:
        return catalogue()[name]
    except KeyError:
        raise CheckpointError(f"no model {name!r} on this machine") from None


def version_of(folder: Path) -> tuple[int, ...]:
    """Changes with every change to a model's files."""
    return tuple(file.stat().st_mtime_ns if file.is_file() else 0 for file in (folder / name for name in FILES))


def digest_of(opened: Checkpoint) -> str:
    """The digest of a model's weights, see `mmvae.checkpoints.digest`; computed once as long as its files stay."""
    return _digests((opened.path, version_of(opened.path)))


def trained_on(name: str) -> str:
    """What the model of this name was trained on, see `mmvae.checkpoints.source_of`; empty where there is no such model."""
    folder = catalogue().get(name)
    return source_of(_described(folder)[0]) if folder else ""


def checkpoint(name: str) -> Checkpoint:
    """The model of this name; opened anew where its files have changed since, as a running training's do.

    Raises:
        CheckpointError: Where there is none, or its files are malformed.
    """
    folder = path_of(name)
    carried = (folder / STATISTICS).is_file()  # where they are not, they come from the data once that is there
    return _checkpoints((name, folder, version_of(folder), () if carried else version_of_data(trained_on(name))))


def data_for(opened: Checkpoint) -> PairedDataset | None:
    """The data set a model was trained on, or None where its images are not on this machine."""
    source = _data_of(opened)
    try:
        data = data_named(source) if source else None
    except DataError:
        return None
    # a person's own pairs may have been replaced by others, which the model cannot take
    return data if data is not None and shapes(data.modalities) == shapes(opened.model.modalities) else None


def data_version(opened: Checkpoint) -> tuple:
    """Changes with the files of the data set a model was trained on."""
    source = _data_of(opened)
    return version_of_data(source) if source else ()


def _data_of(opened: Checkpoint) -> str:
    """The name of the data set a model was trained on, or the path of where it is now; empty where it tells neither or nothing is there."""
    source = source_of(opened.config)
    try:
        return found(source) if source in DATASETS or Path(source).is_absolute() else ""  # "own pairs" is no path
    except DataError:
        return ""


def data_named(source: str) -> PairedDataset:
    """The data set of this name, or a person's own at this path; nothing is downloaded, no face rendered.

    Raises:
        DataError: Where its images are not on this machine.
    """
    return _datasets((source, data_root(), version_of_data(source)))


def title_of(config: dict) -> str:
    """What a person calls a model, from the content of its ``config.json``: ``"MuMo-VAE · Rendered 3D faces"``, what tells it from others first."""
    return f"{config['variant']['title']} · {data_title_of(config)}"


def data_title_of(config: dict) -> str:
    """What a person calls the data set of a model, from the content of its ``config.json``."""
    return data_title(config["dataset"])


def data_title(source: str | None) -> str:
    """What a person calls a data set: its title, or the name of their own file or folder, which is known by its path."""
    row = DATASETS.get(source)
    return row.title if row else Path(source or "").stem or "unnamed data"


def data_titles(sources: Iterable[str]) -> dict[str, str]:
    """The titles of several data sets in a list, never two alike: own ones of one name are told apart by their paths."""
    titles = {source: data_title(source) for source in sources}
    return {source: source if source and list(titles.values()).count(title) > 1 else title for source, title in titles.items()}


def label_of(name: str) -> str:
    """A model in a list, never two of one label: variant and data set, and its own name where that says more.

    Labels must differ because a select box of Streamlit's tells its options apart by them alone.
    """
    return _label(name, title_of)


def short_label_of(name: str) -> str:
    """`label_of` in a narrow box, which cuts the end: the data set first and in short, ``"MNIST–SVHN · DMVAE + clusters + cycle"``,
    before it the model's own name where that says more."""
    return _label(name, lambda config: f"{SHORT.get(config['dataset'], data_title_of(config))} · {config['variant']['title']}", first=True)


def variant_label_of(name: str) -> str:
    """`label_of` in a list where all models are of one data set, which is then left out."""
    return _label(name, lambda config: config["variant"]["title"])


def _label(name: str, titled: Callable[[dict], str], *, first: bool = False) -> str:
    folder = catalogue().get(name)
    config = _described(folder)[0] if folder else {}
    if not config:  # it was deleted a moment ago
        return name
    usual = f"{config['dataset']}-{config['variant']['name']}"
    if name == usual:
        return titled(config)
    return f"{name} · {titled(config)}" if first else f"{titled(config)} ({name})"


def _open(key: tuple[str, Path, tuple[int, ...], tuple]) -> Checkpoint:
    name, folder, _, _ = key
    torch.set_num_threads(1)  # one picture at a time decodes faster on one thread than on several
    opened = replace(open_checkpoint(folder), name=name)
    if not opened.statistics:
        data = data_for(opened)
        if data is not None:
            opened = replace(opened, statistics=statistics_of(opened.model, data, n=STATISTICS_PAIRS))
    _settle()
    return opened


def _open_dataset(key: tuple[str, Path, tuple]) -> PairedDataset:
    # Rendering takes a minute: ui/datasets.py does it behind the pages, which open meanwhile.
    source, root, _ = key
    if source == "faces":
        data: PairedDataset = Faces(root, progress=_refuse)
    elif source == "digits" and not digits.is_rendered(root):
        raise DataError("the digits are not drawn yet")
    else:
        data = dataset(source, root)
    _settle()
    return data


def _refuse(done: int, total: int) -> None:
    raise DataError("the faces are not rendered yet")


@lru_cache(maxsize=1)
def _settle() -> None:
    """Spares the collector, which Streamlit calls after every run of a script, from looking through the libraries each time.

    Once, after the first model or data set has brought them: what is frozen is never collected, a later session's rings of objects would stay for good.
    """
    gc.collect()
    gc.freeze()


_checkpoints = Recent(16, _open)
_datasets = Recent(3, _open_dataset)
_digests = Recent(32, lambda key: digest(key[0]))
