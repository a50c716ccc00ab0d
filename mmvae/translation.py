"""One modality into the other: samples, their mean and spread, what was kept of the factors.

Every input of a call gets the same noise, and so does every model, in the dimensions that it has: column k of a picture
shows one private code throughout, and variants compare fairly.
"""

from __future__ import annotations

__all__ = ["ROLES", "Judged", "Kept", "Swapped", "Translation", "check", "expected", "heat", "hits", "joined", "judged", "label_of", "means", "read",
           "restyled", "role_of", "rows", "scale_of", "swap_about", "swap_sheet", "swapped", "translate", "translation_about", "translation_sheet", "wilson"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .data.base import Factor, PairedDataset
from .explore import swap
from .gaussian import Belief
from .metrics.coherence import Preserved, preserved
from .model import MultimodalVAE, seeded_sample
from .palettes import VIRIDIS
from .pictures import Caption, Pixels, sheet
from .readers import Readers

#: Letters of a file's name, and of a factor with how often it was kept, that fit into a column of a picture.
NAMED, COUNTED = 12, 13
#: Pixels a side, or about so many, of each picture of a translation that is saved, and the size of the readings below it: large enough for a slide.
SIDE, LETTERS = 128, 20
#: What becomes of a factor: a shared one is kept, one of the source alone stays neutral, one of the target alone may vary.
ROLES = ("kept", "neutral", "free")


@dataclass(frozen=True)
class Translation:
    """What N inputs become, S times each.

    Arguments:
        codes: {block: [N, S, dim]}.
        samples: The pictures of these codes, [N, S, C, H, W] in [0, 1].
        mean: The pictures of the posterior's mean, [N, C, H, W].
        stddev: How much each pixel varies over the samples, [N, H, W], in units of [0, 1]; over channels the root mean square.
    """

    codes: dict[str, Tensor]
    samples: Tensor
    mean: Tensor
    stddev: Tensor


@dataclass(frozen=True)
class Swapped:
    """The content of N items in the style of M others, in both modalities.

    Arguments:
        content, style: The mean codes of either, {block: [N or M, dim]}.
        heads: What stands above the columns, {modality: M pictures}: the style's own, or decoded where it has none.
        pictures: {modality: [N, M, C, H, W]}.
    """

    content: dict[str, Tensor]
    style: dict[str, Tensor]
    heads: dict[str, list[Tensor]]
    pictures: dict[str, Tensor]

    def code(self, model: MultimodalVAE, i: int, k: int) -> dict[str, Tensor]:
        """The code of content i in style k, {block: [dim]}."""
        return {b.name: self.style[b.name][k] if b.owner else self.content[b.name][i] for b in model.blocks}


@dataclass(frozen=True)
class Kept:
    """What readers say of a factor in many translations.

    Arguments:
        factor: The factor.
        role: One of `ROLES`.
        measured: Against the input's label, or the neutral value; of a free factor only the spread means anything.
        real: What the same readers say of real images, see `mmvae.readers.Readers.accuracy`.
        real_spread: The standard deviation of a free factor's labels over the data set's items; NaN for other roles.
    """

    factor: Factor
    role: str
    measured: Preserved
    real: Mapping[str, float]
    real_spread: float


@dataclass(frozen=True)
class Judged:
    """What readers say of one model's translations of N inputs, S times each.

    Arguments:
        parts: The factors that stand below a picture, a line each: those that both modalities show; where private codes are of
            styles, also the target's own.
        seen: What they read, {factor: [N, S]}.
        right: Of each input, which samples are right, {factor: bool [S]}; a factor of which nobody knows what it should be is missing.
    """

    parts: tuple[tuple[Factor, ...], ...]
    seen: Mapping[str, NDArray]
    right: Sequence[Mapping[str, NDArray]]

    def below(self, i: int, k: int) -> list[list[tuple[str, bool | None]]]:
        """What stands below sample k of input i: lines of readings, each with whether it is right where that is known."""
        return [[(f.format(self.seen[f.name][i, k]), bool(self.right[i][f.name][k]) if f.name in self.right[i] else None) for f in part]
                for part in self.parts]

    def kept(self, i: int) -> dict[str, int]:
        """How many samples of input i are right in each factor that stands below them."""
        return {f.name: int(self.right[i][f.name].sum()) for part in self.parts for f in part if f.name in self.right[i]}


@torch.inference_mode()
def translate(model: MultimodalVAE, posterior: Mapping[str, Belief], to: str, samples: int = 8, seed: int = 0) -> Translation:
    """Samples of the posterior of N items, drawn as `to`; for a single item the same as `MultimodalVAE.translate`.

    The private code of a modality that was not observed is its prior's: `MultimodalVAE.posterior` sees to that.

    Arguments:
        posterior: Of the inputs, as `MultimodalVAE.posterior` gives it.
        to: The modality to draw.
    """
    n = len(posterior[model.blocks[0].name].mean)
    drawn: list[dict[str, Tensor]] = []
    for i in range(n):
        one = {name: belief.map(lambda tensor, i=i: tensor[i:i + 1]) for name, belief in posterior.items()}
        drawn += [seeded_sample(one, seed, k) for k in range(samples)]
    codes = {block.name: torch.cat([z[block.name] for z in drawn]).unflatten(0, (n, samples)) for block in model.blocks}
    return _drawn(model, codes, {name: belief.mean for name, belief in posterior.items()}, to)


@torch.inference_mode()
def restyled(model: MultimodalVAE, content: Sequence[Mapping[str, Belief]], style: Sequence[Mapping[str, Belief]],
             to: str) -> Translation:
    """The content of N items in the style of S others: the mean shared code of one, the mean private code of the other.

    Arguments:
        content: The posterior of each item whose shared code is taken.
        style: The posterior of each item whose private code is taken.
        to: The modality to draw.

    Raises:
        ValueError: Where the variant has no private code of `to`.
    """
    if not any(block.owner == to for block in model.blocks):
        raise ValueError(f"{model.variant.title} has no private code of {to}: there is no style to take from another image")
    n, m = len(content), len(style)
    kept, taken = means(content), means(style)
    codes = {b.name: taken[b.name].expand(n, m, -1) if b.owner else kept[b.name][:, None].expand(n, m, -1) for b in model.blocks}
    return _drawn(model, codes, kept, to)


def means(posteriors: Sequence[Mapping[str, Belief]]) -> dict[str, Tensor]:
    """The mean codes of the posteriors of items, {block: [N, dim]}."""
    return {name: torch.cat([posterior[name].mean for posterior in posteriors]) for name in posteriors[0]}


@torch.inference_mode()
def swapped(model: MultimodalVAE, content: Sequence[Mapping[str, Belief]], style: Sequence[Mapping[str, Belief]],
            images: Sequence[Mapping[str, Tensor]]) -> Swapped:
    """Every content's shared code with every style's private codes.

    Arguments:
        content, style: The posterior of each item.
        images: Each style's own pictures by modality, as far as there are any.

    Raises:
        ValueError: Where the variant has no private codes.
    """
    kept, taken = means(content), means(style)
    pictures, decoded = swap(model, kept, taken), model.decode(taken)
    heads = {name: [each.get(name, decoded[name][k]) for k, each in enumerate(images)] for name in model.names}
    return Swapped(kept, taken, heads, pictures)


def label_of(factors: Sequence[Factor], labels: Mapping[str, float], owner: str | None, name: str) -> str:
    """What an image shows of the factors of one owner, in a picture; its name, at most `NAMED` letters of it, where nothing is known of them."""
    known = ", ".join(f"{f.name} {f.format(labels[f.name])}" for f in factors if f.owner == owner and f.name in labels)
    return known or (name if len(name) <= NAMED else f"{name[:NAMED - 2]}..")


def swap_sheet(inputs: Sequence[Tensor], found: Sequence[Swapped], models: Sequence[str], contents: Sequence[str], styles: Mapping[str, Sequence[str]],
               about: str = "") -> Pixels:
    """The picture of a swap: for each model and modality a matrix with the styles above and the contents at the left.

    Arguments:
        inputs: N pictures [C, H, W].
        found: What came of them under each model.
        models: The models' names.
        contents: What each input shows.
        styles: {modality: what each style shows of it}.
        about: What stands below, see `swap_about`.
    """
    matrices = [(model, each, name) for model, each in zip(models, found, strict=True) for name in each.pictures]
    parts = [sheet([["style\nacross,\ncontent\ndown", *each.heads[name]], *([picture, *each.pictures[name][i]] for i, picture in enumerate(inputs))],
                   top=["", *styles[name]], left=[f"{model} · {name}", *contents], foot=about if m == len(matrices) - 1 else "")
             for m, (model, each, name) in enumerate(matrices)]
    wide = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(part, ((0, 8), (0, wide - part.shape[1]), (0, 0)), constant_values=255) for part in parts])


def _drawn(model: MultimodalVAE, codes: Mapping[str, Tensor], mean: Mapping[str, Tensor], to: str) -> Translation:
    n, samples = next(iter(codes.values())).shape[:2]
    flat = {name: code.flatten(0, 1) for name, code in codes.items()}
    pictures = torch.sigmoid(model.logits(flat, [to])[to]).unflatten(0, (n, samples))
    spread = pictures.var(1, correction=0).mean(1).sqrt()
    return Translation(dict(codes), pictures, torch.sigmoid(model.logits(mean, [to])[to]), spread)


def heat(values: Tensor, top: float) -> Tensor:
    """Amounts [..., H, W] from 0 to `top` in the colours of viridis, [..., 3, H, W]."""
    colours = torch.tensor([[int(code[i:i + 2], 16) / 255 for i in (1, 3, 5)] for code in VIRIDIS])
    position = (values / max(top, 1e-9)).clamp(0, 1) * (len(colours) - 1)
    low = position.floor().clamp_max(len(colours) - 2).long()
    share = (position - low)[..., None]
    return (colours[low] * (1 - share) + colours[low + 1] * share).movedim(-1, -3)


def joined(parts: Sequence[Translation]) -> Translation:
    """Translations of one model and as many samples, one after the other."""
    codes = {name: torch.cat([part.codes[name] for part in parts]) for name in parts[0].codes}
    samples, mean, stddev = (torch.cat([getattr(part, field) for part in parts]) for field in ("samples", "mean", "stddev"))
    return Translation(codes, samples, mean, stddev)


def rows(inputs: Sequence[Tensor], translations: Sequence[Translation],
         styles: Sequence[Tensor] = ()) -> list[list[Tensor | None]]:
    """The rows of a translation's picture, for `mmvae.pictures.sheet`: each input, then its mean, spread and samples.

    Arguments:
        inputs: N pictures [C, H, W].
        translations: Of each model; an input's rows lie one below the other. The largest spread of all is drawn brightest.
        styles: Pictures that the samples' columns take their private codes from, put above them.
    """
    top = scale_of(translations)
    above = [[None, None, None, *styles]] if len(styles) else []
    return above + [[picture, each.mean[i], heat(each.stddev[i], top), *each.samples[i]]
                    for i, picture in enumerate(inputs) for each in translations]


def translation_sheet(inputs: Sequence[Tensor], found: Sequence[Translation], models: Sequence[str], to: str, contents: Sequence[str],
                      styles: Sequence[Tensor] = (), named: Sequence[str] = (), readings: Sequence[Judged] = (), about: str = "") -> Pixels:
    """The picture of a translation: `rows` with what they and their columns are.

    Arguments:
        inputs, found, styles: As for `rows`, the translations of each model as `found`.
        models: The models' names.
        to: The modality that was drawn.
        contents: What each input shows.
        named: What each style shows.
        readings: What readers say of the translations of each model; empty without readers.
        about: What stands below, see `translation_about`.
    """
    table, samples, first = rows(inputs, found, styles), found[0].samples.shape[1], 1 if len(styles) else 0
    left = [f"{model} · {content}" if len(models) > 1 else content for content in contents for model in models]
    lines = {}
    for r, (i, one) in enumerate([(i, one) for i in range(len(inputs)) for one in readings], first):
        counts = [f"{name} {right}/{samples}" for name, right in one.kept(i).items()]
        table[r].append("\n".join(each if len(each) <= COUNTED else "\n".join(each.rsplit(" ", 1)) for each in counts))
        lines[r] = [[], [], [], *([[Caption(text, right=right) for text, right in line] for line in one.below(i, k)] for k in range(samples))]
    read_below = ", ".join(f.name for part in readings[0].parts for f in part) if readings else ""
    phrases = [about, f"std. dev. of pixels over the {samples}: dark 0, bright {scale_of(found):.2f}", read_below and f"below: {read_below}, as read"]
    put = {"scale": _scale(table), "letters": LETTERS, "left": left, "below": lines, "foot": " · ".join(filter(None, phrases))}
    if len(styles):
        heads = ["input", "mean\ncode", "std.\ndev.", *styles, *(["kept,\narrived"] if readings else [])]
        return sheet([heads, *table[1:]], top=["", "", "", *named], **put | {"left": [f"style of {to}", *left]})
    return sheet(table, top=["input", "mean code", "std. dev.", *(f"sample {k + 1}" for k in range(samples)), *(["kept"] if readings else [])], **put)


def _scale(table: Sequence[Sequence[Tensor | str | None]]) -> int:
    """How many pixels a side a pixel of the largest picture takes."""
    return max(2, SIDE // max(max(cell.shape[1:]) for row in table for cell in row if isinstance(cell, Tensor)))


def translation_about(models: Sequence[str], source: str, to: str, samples: int, seed: int | None) -> str:
    """What the picture of a translation is of, to stand below it.

    Arguments:
        models: What each model is called, see `mmvae.pictures.about`.
        samples: Of each input.
        seed: Of the noise; None where private codes are of as many styles.
    """
    codes = f"the private codes of {samples} {to} images" if seed is None else f"{samples} private codes from the prior, seed {seed}"
    return f"{', '.join(models)} · {source} to {to} · {codes}"


def swap_about(models: Sequence[str], source: str) -> str:
    """What the picture of a swap is of, to stand below it; the arguments are those of `translation_about`."""
    return f"{', '.join(models)} · shared codes of the {source} images alone, private codes of the styles"


def scale_of(translations: Sequence[Translation]) -> float:
    """The largest spread of any pixel, for one scale over all maps."""
    return max((float(each.stddev.max()) for each in translations), default=0.0)


def read(readers: Readers, modality: str, pictures: Tensor) -> dict[str, NDArray]:
    """What readers see in pictures [..., C, H, W]: {factor: [...]} in the factor's unit, or indices into its values."""
    readings = readers.read({modality: pictures.flatten(0, -4)})[modality]
    return {name: reading.value.reshape(pictures.shape[:-3]).numpy() for name, reading in readings.items()}


def role_of(factor: Factor, to: str) -> str:
    """What should become of a factor in pictures of `to`: one of `ROLES`."""
    return "kept" if factor.owner is None else "free" if factor.owner == to else "neutral"


def expected(factors: Sequence[Factor], labels: Mapping[str, NDArray], to: str) -> dict[str, NDArray]:
    """What pictures of `to` should show of inputs with these labels, {factor: [N]}.

    Free factors, and factors of the source that have no neutral value, are left out.
    """
    wanted = {}
    for factor in factors:
        role = role_of(factor, to)
        if role == "kept" and factor.name in labels:
            wanted[factor.name] = labels[factor.name]
        elif role == "neutral" and factor.neutral is not None:
            wanted[factor.name] = np.full(len(next(iter(labels.values()))), factor.neutral)
    return wanted


def hits(readings: Mapping[str, NDArray], wanted: Mapping[str, NDArray], factors: Sequence[Factor]) -> dict[str, NDArray]:
    """Which readings [N, S] are what was wanted [N], {factor: bool [N, S]}: the class, or a value at most one grid step off."""
    found = {}
    for factor in factors:
        if factor.name in wanted and factor.name in readings:
            error = np.abs(np.asarray(readings[factor.name], float) - np.asarray(wanted[factor.name], float)[:, None])
            step = 0.0 if factor.kind == "categorical" else float(np.diff(factor.values).min()) * (1 + 1e-6)
            found[factor.name] = error <= step
    return found


def judged(seen: Mapping[str, NDArray], factors: Sequence[Factor], to: str, inputs: Sequence[Mapping[str, float]],
           styles: Sequence[Mapping[str, float]] = ()) -> Judged:
    """What readers' verdicts are: of shared and neutral factors by the inputs' labels, of the target's own by those of each column's style.

    Arguments:
        seen: See `read`; empty without readers.
        to: The modality that was drawn.
        inputs, styles: Their labels, as far as they are known.
    """
    shared = tuple(f for f in factors if f.owner is None and f.name in seen)
    own = tuple(f for f in factors if f.owner == to and f.name in seen and styles)
    told = [f for f in own if all(f.name in labels for labels in styles)]
    theirs = {f.name: np.array([labels[f.name] for labels in styles]) for f in told}
    right = []
    for i, labels in enumerate(inputs):
        wanted = expected(factors, {name: np.array([value]) for name, value in labels.items()}, to) if labels else {}
        kept = hits({name: values[i:i + 1] for name, values in seen.items()}, wanted, factors)
        arrived = hits({f.name: seen[f.name][i][:, None] for f in told}, theirs, told)
        right.append({name: marks[0] for name, marks in kept.items()} | {name: marks[:, 0] for name, marks in arrived.items()})
    return Judged(tuple(part for part in (shared, own) if part), seen, right)


def wilson(share: float, count: int, level: float = 0.95) -> tuple[float, float]:
    """The interval in which the true share lies, of this one among `count` items; unlike share ± standard error it stays wide where all agree.

    Where an item's share is one of several samples, their variance is that of a yes or no or less: then it is on the wide side.

    References:
        Wilson (1927), Probable Inference, the Law of Succession, and Statistical Inference.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z / (1 + z**2 / count) * (share * (1 - share) / count + z**2 / (4 * count**2)) ** 0.5
    return max(0.0, middle - reach), min(1.0, middle + reach)


def check(model: MultimodalVAE, data: PairedDataset, readers: Readers, to: str, ids: Sequence[int] | Tensor, samples: int = 8,
          seed: int = 0) -> list[Kept]:
    """Whether translations of many items keep what is shared, leave the source's own factors neutral, and vary in what is free.

    Unlike in `translate` each item gets noise of its own: otherwise all would share one handful of private codes, and the
    figures be those of that handful.

    Arguments:
        ids: The items to translate.

    Raises:
        CannotInfer: Where the variant has no posterior given the other modality alone.
    """
    source = next(name for name in model.names if name != to)
    readings: list[dict[str, NDArray]] = []
    labels: list[Mapping[str, Tensor]] = []
    for number, chunk in enumerate(torch.as_tensor(ids).split(32)):
        images, true = data.items(chunk)
        readings.append(read(readers, to, model.translate({source: images[source]}, to, samples, seed + number)))
        labels.append(true)
    truth = {f.name: np.concatenate([part[f.name].numpy() for part in labels]) for f in data.factors}
    wanted = expected(data.factors, truth, to)
    found = []
    for factor in data.factors:
        role = role_of(factor, to)
        if role != "free" and factor.name not in wanted:
            continue
        seen = np.concatenate([part[factor.name] for part in readings])
        spread = float(np.std(factor.values)) if role == "free" and factor.kind == "ordered" else float("nan")
        found.append(Kept(factor, role, preserved(seen, wanted.get(factor.name, truth[factor.name]), factor),
                          readers.accuracy.get(to, {}).get(factor.name, {}), spread))
    return found
