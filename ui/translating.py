"""What the Translate page is asked for, as a value that its address carries, and the codes behind its pictures."""

from __future__ import annotations

__all__ = ["CHECKED", "CHECK_SAMPLES", "Given", "Task", "caption", "checked", "given_items", "judged_version", "posterior_of", "readers_of", "rebuilt", "sizes_note", "thumbnails", "true_pictures"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from mmvae.checkpoints import Checkpoint
from mmvae.data import Factor, PairedDataset
from mmvae.gaussian import Belief
from mmvae.inputs import HANDWRITING, is_drawing
from mmvae.model import MultimodalVAE
from mmvae.readers import Readers, readers_for, version_of_readers
from mmvae.runs import command_line
from mmvae.translation import Kept, check, means

from . import models
from .gallery import MOST
from .navigation import joined_names, parted_names, whole
from .pairs import Pairs, stored_posterior

VIEWS = ("translate", "swap", "check")
MOST_SAMPLES, MOST_MODELS = 16, 6
CHECKED, CHECK_SAMPLES = 64, 6  # items that the check translates, and samples of each


@dataclass(frozen=True)
class Task:
    """What is translated, by which models, and how it is shown.

    Arguments:
        models: Names of checkpoints of one data set.
        to: The modality to draw; the other one is observed.
        items: Ids of the pairs that are translated.
        strokes: A drawing, see `mmvae.inputs.drawn`.
        styles: Ids of the pairs that private codes are taken from.
        styled: Whether private codes come from these instead of the prior.
        samples: Of each input.
        seed: Of the noise.
        view: One of `VIEWS`.
    """

    models: tuple[str, ...]
    to: str = ""
    items: tuple[int, ...] | None = None
    strokes: str = ""
    styles: tuple[int, ...] | None = None
    styled: bool = False
    samples: int = 8
    seed: int = 0
    view: str = VIEWS[0]

    PARAMETERS: ClassVar[Sequence[str]] = ("models", "to", "items", "strokes", "styles", "styled", "samples", "seed", "view")

    @property
    def drawing(self) -> str:
        """The drawing where it is an input: strokes are kept while the other direction is looked at."""
        return "" if self.to == HANDWRITING else self.strokes

    def address(self) -> dict[str, str]:
        """The query parameters that bring this task back; what is as by default is left out."""
        values = {"models": joined_names(self.models), "to": self.to, "items": _numbers(self.items), "strokes": self.drawing,
                  "styles": _numbers(self.styles), "styled": "1" if self.styled else "", "samples": str(self.samples),
                  "seed": str(self.seed), "view": self.view}
        default = {"samples": "8", "seed": "0", "view": VIEWS[0]}
        return {name: value for name, value in values.items() if value and value != default.get(name)}

    @classmethod
    def parse(cls, address: Mapping[str, str], known: Sequence[str]) -> Task:
        """The task of an address; whatever in it makes no sense is as by default.

        Arguments:
            known: Names of the checkpoints there are, at least one.
        """
        asked = [name for name in parted_names(address.get("models", "")) if name in known]
        view, strokes = address.get("view", ""), address.get("strokes", "")
        return cls(tuple(dict.fromkeys(asked))[:MOST_MODELS] or (known[0],), address.get("to", ""), _ids(address.get("items")),
                   strokes if is_drawing(strokes) else "", _ids(address.get("styles")), address.get("styled") == "1",
                   min(max(whole(address.get("samples"), 8), 1), MOST_SAMPLES), min(whole(address.get("seed"), 0), 2**31 - 1),
                   view if view in VIEWS else VIEWS[0])

    def command(self, models: Sequence[str], files: Sequence[str] = (), style_files: Sequence[str] = ()) -> str:
        """The command that draws the same picture.

        Arguments:
            models: Those of the task's that can do it, at least one.
            files, style_files: The names of uploaded pictures, of inputs and of styles.
        """
        first, *others = models
        parts = ["translate", first, *(["--beside", *others] if others else []), "--to", self.to]
        parts += ["--items", *map(str, self.items)] if self.items else []
        parts += ["--input", *files] if files else []
        parts += ["--draw", self.drawing] if self.drawing else []
        if self.view == "swap" or self.styled:
            parts += ["--style", *map(str, self.styles)] if self.styles else []
            parts += ["--style-input", *style_files] if style_files else []
            parts += ["--swap"] if self.view == "swap" else []
        else:
            parts += ["--samples", str(self.samples), "--seed", str(self.seed)]
        return command_line([*parts, "--out", f"{'swap' if self.view == 'swap' else 'translation'}.png"])


@dataclass(frozen=True)
class Given:
    """One input.

    Arguments:
        title: What a person calls it.
        images: Its pictures [C, H, W] by modality; empty for a reference item whose images are not on this machine.
        item: Its id, for an item of the data set.
        labels: Its factors, as far as they are known.
        read: Whether the labels are what readers see, and not the truth.
    """

    title: str
    images: Mapping[str, Tensor]
    item: int | None = None
    labels: Mapping[str, float] = field(default_factory=dict)
    read: bool = False

    def labelled_by(self, readers: Readers | None, modality: str) -> Given:
        """The same with what readers see in its picture, where its labels are not known."""
        if readers is None or self.labels or modality not in self.images:
            return self
        readings = readers.read({modality: self.images[modality][None]})[modality]
        return replace(self, labels={name: reading.value[0].item() for name, reading in readings.items()}, read=True)


def given_items(ids: Sequence[int], pairs: Pairs, data: PairedDataset | None, modality: str) -> list[Given]:
    """The items with these ids; those that `pairs` does not know are left out."""
    known = pairs.known(ids)
    images = data.items(known)[0] if data is not None and known else {}
    found = []
    for i, item in enumerate(known):
        labels = {name: values[pairs.position(item)].item() for name, values in pairs.labels.items()}
        title = " ".join(f.format(labels[f.name]) for f in pairs.factors if f.owner in (None, modality))
        found.append(Given(title or f"item {item}", {name: batch[i] for name, batch in images.items()}, item, labels))
    return found


def true_pictures(data: PairedDataset | None, content: Sequence[Given], styles: Sequence[Given]) -> dict[str, Tensor]:
    """What each content truly looks like in each style, {modality: [contents, styles, C, H, W]}.

    Empty where an input is no item of the data set, or the set does not hold every such combination.
    """
    if data is None or any(each.item is None for each in (*content, *styles)):
        return {}
    ids, donors = (torch.tensor([(one if kept else other).item for one in content for other in styles]) for kept in (True, False))
    wanted = data.with_private_of(ids, donors)
    if wanted is None:
        return {}
    return {name: images.unflatten(0, (len(content), len(styles))) for name, images in data.items(wanted)[0].items()}


def caption(given: Given, factors: Sequence[Factor], owner: str | None) -> str:
    """What an input shows of the factors of one owner; its title where there are none or their values are not known."""
    return " ".join(f.format(given.labels[f.name]) for f in factors if f.owner == owner and f.name in given.labels) or given.title


def sizes_note(opened: Sequence[tuple[str, MultimodalVAE]]) -> str:
    """Which sizes private codes have in models (by label) that are compared, where they differ; empty otherwise."""
    sizes = {label: [block.dim for block in model.blocks if block.owner] for label, model in opened}
    if len({tuple(each) for each in sizes.values() if each}) < 2:
        return ""
    told = ", ".join(f"{label} {' and '.join(map(str, each))}" for label, each in sizes.items() if each)
    return f"Private codes differ in size: {told} dimensions. The noise is the same in those that all have."


def posterior_of(opened: Checkpoint, given: Given, observed: Sequence[str]) -> Mapping[str, Belief]:
    """The posterior of one input given these of its modalities, from its pictures or as the checkpoint carries it.

    Raises:
        CannotInfer: Where the variant has none, or neither pictures nor a stored posterior are at hand.
    """
    shown = {name: given.images[name][None] for name in observed if name in given.images}
    if shown:
        with torch.inference_mode():
            return opened.model.posterior(shown)
    return stored_posterior(opened, given.item, observed)


def thumbnails(opened: Checkpoint, data: PairedDataset | None, modality: str | None, ids: Sequence[int]) -> Tensor:
    """Pictures of items, [N, C, H, W]: the images, or where they are not on this machine what the model makes of their codes.

    Arguments:
        modality: None for both side by side, in colour and at the larger one's height.
    """
    if modality is None:
        both = [thumbnails(opened, data, name, ids).expand(-1, 3, -1, -1) for name in opened.model.names]
        height = max(images.shape[2] for images in both)
        sizes = [(height, round(images.shape[3] * height / images.shape[2])) for images in both]  # and no factors, whose products may fall short by a row
        return torch.cat([interpolate(images, size, mode="bilinear") for images, size in zip(both, sizes)], 3)
    if data is not None:
        return data.items(ids)[0][modality]
    return rebuilt(opened.model, [stored_posterior(opened, item, opened.model.names) for item in ids], modality)


@torch.inference_mode()
def rebuilt(model: MultimodalVAE, posteriors: Sequence[Mapping[str, Belief]], modality: str) -> Tensor:
    """The pictures of posterior means, [N, C, H, W]."""
    return model.decode(means(posteriors))[modality]


def readers_of(dataset: str | None) -> Readers | None:
    """The factor readers of a data set, opened anew where they are others since; None where there are none now.

    Raises:
        CheckpointError: Where their files are malformed.
    """
    return None if dataset is None else _readers((dataset, version_of_readers(dataset)))


def judged_version(opened: Checkpoint) -> tuple:
    """What a value is kept by that is found with a model, its data and the readers of that: changes with the files of any of them."""
    dataset = opened.model.dataset
    return opened.name, opened.path, models.version_of(opened.path), models.data_version(opened), version_of_readers(dataset) if dataset else ()


def checked(opened: Checkpoint, to: str) -> list[Kept]:
    """What `mmvae.translation.check` finds on a few random test images; once as long as model, data and readers stay.

    Raises:
        CannotInfer: Where the variant does not translate.
    """
    return _checks((judged_version(opened), to))


def _check(key: tuple[tuple, str]) -> list[Kept]:
    (name, *_), to = key
    opened = models.checkpoint(name)
    data = models.data_for(opened)
    ids = data.split("test")
    ids = ids[np.random.default_rng(0).permutation(len(ids))[:CHECKED]]
    return check(opened.model, data, readers_of(data.name), to, ids, CHECK_SAMPLES)


_readers = models.Recent(8, lambda key: readers_for(key[0]))
_checks = models.Recent(64, _check)


def _numbers(values: Sequence[int] | None) -> str:
    return "" if values is None else ",".join(map(str, values)) or "none"


def _ids(text: str | None) -> tuple[int, ...] | None:
    """Ids from an address: None where it says nothing of them."""
    if text is None:
        return None
    ids = [number for part in text.split(",") if (number := whole(part)) is not None]
    return tuple(dict.fromkeys(ids))[:MOST]
