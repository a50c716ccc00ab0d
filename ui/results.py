"""What came of a translation, as tables: pictures with the readers' verdicts, shares kept, files to keep."""

from __future__ import annotations

__all__ = ["Drawn", "Exchanged", "check_csv", "check_table", "csv_of", "gif_of", "summary", "swap_csv", "swap_gif", "swap_table", "translation_table"]

import csv
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mmvae.checkpoints import Checkpoint
from mmvae.data import Factor
from mmvae.pictures import Pixels, sheet, write_gif
from mmvae.point import Point
from mmvae.readers import Readers
from mmvae.translation import Judged, Kept, Swapped, Translation, heat, judged, read, scale_of, wilson

from . import models
from .cells import image, link, scale
from .translating import Given, caption

NAMED, JUDGED = 96, 80  # pixels of the columns that hold a model's name, and what was kept


@dataclass(frozen=True)
class Drawn:
    """What one model made of all inputs.

    Arguments:
        by: The model.
        found: Its translations.
        seen: What the readers see in the samples, {factor: [N, S]}; empty without readers.
        points: The point of each sample, input by input.
    """

    by: Checkpoint
    found: Translation
    seen: Mapping[str, NDArray]
    points: Sequence[Sequence[Point]]

    @property
    def samples(self) -> int:
        return self.found.samples.shape[1]

    def judged(self, given: Sequence[Given], styles: Sequence[Given], factors: Sequence[Factor], to: str) -> Judged:
        """What the readers say of them."""
        return judged(self.seen, factors, to, [each.labels for each in given], [style.labels for style in styles])

    def said(self, i: int, k: int, factors: Sequence[Factor]) -> dict[str, str]:
        """What the readers see in a sample, in words, {factor: text}."""
        return {f.name: f.format(self.seen[f.name][i, k]) for f in factors if f.name in self.seen}


def translation_table(given: Sequence[Given], shown: Sequence[Tensor], styles: Sequence[Given], done: Sequence[Drawn],
                      factors: Sequence[Factor], to: str) -> str:
    """Inputs in rows, one below the other for each model; mean, spread and samples in columns.

    Arguments:
        given, shown: The inputs and their pictures.
        styles: What the columns take their private codes from; none where they come from the prior.
        to: The modality that was drawn.
    """
    several, verdicts = len(done) > 1, [each.judged(given, styles, factors, to) for each in done]
    seen = any(each.seen for each in done)
    top = scale_of([each.found for each in done])
    heads = "".join(f"<th>{_head(style, factors, to)}</th>" for style in styles) or "".join(f"<th>{k + 1}</th>" for k in range(done[0].samples))
    named = html.escape(", ".join(f.name for f in factors if f.owner != to))
    kept = f"<th>{'kept, arrived' if styles else 'kept'}</th>" if seen else ""
    head = (_legend(factors, seen, to if styles else None, 3 + several, done[0].samples)
            + f'<tr><th class="first">input{f"<small>{named}</small>" if named else ""}</th>{"<th></th>" if several else ""}<th title="not the mean of the samples">mean code</th>'
            f'<th>std. dev.{scale(top)}</th>{heads}{kept}</tr>')
    bodies = ""
    for i, (each, picture) in enumerate(zip(given, shown)):
        lines = [_line(drawn, verdict, i, factors, top, several) for drawn, verdict in zip(done, verdicts)]
        first = f'<td class="first" rowspan="{len(lines)}">{image(picture, each.title)}{_origin(each, factors)}</td>'
        rest = "".join(f"<tr>{line}</tr>" for line in lines[1:])
        bodies += f'<tbody class="group"><tr>{first}{lines[0]}</tr>{rest}</tbody>'
    reserve = 12 + NAMED * several + JUDGED * seen
    return f'<table style="--columns: {done[0].samples + 3}; --reserve: {reserve}px"><thead>{head}</thead>{bodies}</table>'


def _legend(factors: Sequence[Factor], judged: bool, styled: str | None, before: int, samples: int) -> str:
    """Above the samples: what they are, and which factors stand below each, in their order; `styled` is the modality whose private codes are of others."""
    read = html.escape(", ".join(f.name for f in (*_shared(factors), *_own(factors, styled))))
    columns = "decoded with the private codes of" if styled else "decoded samples"
    said = f"<small>below: {read}, as read</small>" if judged and read else ""
    return (f'<tr class="legend"><th class="first"></th><th colspan="{before - 1}"></th><th colspan="{samples}">{columns}{said}</th>{"<th></th>" if judged else ""}</tr>')


def _line(drawn: Drawn, verdicts: Judged, i: int, factors: Sequence[Factor], top: float, named: bool) -> str:
    """One model's cells for one input."""
    found = drawn.found
    line = f'<td class="row">{html.escape(models.variant_label_of(drawn.by.name))}</td>' if named else ""
    line += f'<td>{image(found.mean[i], "picture of the mean code")}</td>'
    line += f'<td>{image(heat(found.stddev[i], top), f"up to {float(found.stddev[i].max()):.2f}")}</td>'
    for k in range(drawn.samples):
        said = drawn.said(i, k, factors)
        title = ", ".join(f"{name} {text}" for name, text in said.items()) or f"sample {k + 1}"
        below = "".join(f"<small>{''.join(_verdict(*each) for each in part)}</small>" for part in verdicts.below(i, k))
        line += f"<td>{link(image(found.samples[i, k], title), drawn.points[i][k])}{below}</td>"
    if drawn.seen:
        kept = [f"{html.escape(name)} {right}/{drawn.samples}" for name, right in verdicts.kept(i).items()]
        line += f'<td class="row">{"<br>".join(kept)}</td>'
    return line


def _head(style: Given, factors: Sequence[Factor], to: str) -> str:
    picture = image(style.images[to], style.title, small=True) if to in style.images else ""
    return picture + _small(caption(style, factors, to))


def _origin(given: Given, factors: Sequence[Factor]) -> str:
    title = html.escape(given.title)
    seen = f"<small>read as {html.escape(caption(given, factors, None))}</small>" if given.read and _shared(factors) else ""
    return f'<small title="{title}">{title}</small>{seen}'


def _shared(factors: Sequence[Factor]) -> list[Factor]:
    return [factor for factor in factors if factor.owner is None]


def _own(factors: Sequence[Factor], modality: str | None) -> list[Factor]:
    """The factors of a modality alone; none of no modality."""
    return [factor for factor in factors if modality is not None and factor.owner == modality]


def _verdict(text: str, right: bool | None) -> str:
    """A reading with its mark; the sign says what the colour says."""
    if right is None:
        return f" {html.escape(text)}"
    return f' <span class="{"good" if right else "bad"}">{html.escape(text)}{"✓" if right else "✗"}</span>'


def summary(given: Sequence[Given], done: Sequence[Drawn], readers: Readers | None, factors: Sequence[Factor], to: str) -> str:
    """The share of samples that kept each shared factor, with what the readers reach on real images.

    Only of inputs whose labels are known: where readers guessed them, nothing says that they were right.
    """
    shared = _shared(factors)
    labelled = [i for i, each in enumerate(given) if each.labels and not each.read]
    guessed = sum(each.read for each in given)
    if readers is None or not labelled or not shared:
        return ""
    lines = ""
    for drawn in done:
        right = drawn.judged(given, [], factors, to).right
        marks = [right[i] for i in labelled]
        shares = [np.mean([mark[f.name] for mark in marks if f.name in mark]) for f in shared]
        lines += f"<tr><td>{html.escape(models.variant_label_of(drawn.by.name))}</td>{_numbers(_estimate(share, len(labelled)) for share in shares)}</tr>"
    real = _numbers(_real_share(readers.accuracy.get(to, {}).get(f.name, {})) for f in shared)
    heads = "".join(f'<th class="number">{html.escape(f.name)}</th>' for f in shared)
    apart = f"; {guessed} of your own not counted" if guessed else ""
    of = f"{len(labelled) * done[0].samples} samples of {len(labelled)} test image{'s' if len(labelled) > 1 else ''}"
    return (f'<h4>Kept in {of}{apart} (95 % interval over images)</h4><table class="figures"><tr><th></th>{heads}</tr>{lines}'
            f"<tr><td>readers on real images</td>{real}</tr></table>")


def _numbers(texts) -> str:
    return "".join(f'<td class="number">{text}</td>' for text in texts)


def _real_share(figures: Mapping[str, float]) -> str:
    return "–" if isnan(_share(figures)) else f"{100 * _share(figures):.0f} %"


def check_table(found: Mapping[str, Sequence[Kept]]) -> str:
    """The criterion, factors in rows and models in columns: what should become of each, what readers saw, and what they see of real images.

    Arguments:
        found: What was measured of each model, by what a person calls it; of the same factors in the same order.
    """
    heads = "".join(f"<th>{html.escape(label)}</th>" for label in found)
    lines = ""
    for of_one in zip(*found.values(), strict=True):
        one = of_one[0]
        measured = "".join(f"<td>{_bar(*_measured(kept))}</td>" for kept in of_one)
        lines += (f'<tr class="{one.role}"><td><b>{html.escape(one.factor.name)}</b><small>{html.escape(_wanted(one))}</small></td>'
                  f"{measured}<td>{_bar(*_real(one))}</td></tr>")
    return f'<table class="figures check" style="--models: {len(found)}"><tr><th></th>{heads}<th>readers on real images</th></tr>{lines}</table>'


def _wanted(kept: Kept) -> str:
    """What should become of a factor."""
    if kept.role == "free":
        return "may vary"
    within = f" within {kept.measured.tolerance:.3g}{kept.factor.unit}" if kept.measured.tolerance else ""
    return ("should be kept" if kept.role == "kept" else f"should stay {kept.factor.format(kept.factor.neutral)}") + within


def _measured(kept: Kept) -> tuple[float, float, str, str]:
    """Of a model: the share of samples that are as they should be, the readers' own, and what to say of it first and then; see `_bar`."""
    measured, factor = kept.measured, kept.factor
    spread = "" if isnan(measured.spread) else f"{100 * measured.spread:.0f} % differ" if factor.kind != "ordered" else _amount(measured.spread, factor)
    if kept.role == "free":
        return measured.spread / kept.real_spread if kept.real_spread > 0 else float("nan"), 1.0, f"± {spread}" if spread else "–", "over samples"
    error = "" if isnan(measured.error) else f"off by {_amount(measured.error, factor)}"
    said = _estimate(measured.kept.value, measured.kept.count)
    return measured.kept.value, _share(kept.real), said, ", ".join(filter(None, (error, spread and f"samples {'' if '%' in spread else '± '}{spread}")))


def _real(kept: Kept) -> tuple[float, float, str, str]:
    """The same of real images."""
    if kept.role == "free":
        return float("nan"), float("nan"), "" if isnan(kept.real_spread) else f"± {_amount(kept.real_spread, kept.factor)}", "over all images" * (not isnan(kept.real_spread))
    return _share(kept.real), float("nan"), _real_share(kept.real), f"off by {_amount(kept.real['error'], kept.factor)}" if "error" in kept.real else ""


def _estimate(share: float, images: int) -> str:
    """A share of samples with its interval over the images that they are of: ``"100 % (94–100)"``."""
    low, high = wilson(share, images)
    return f"{100 * share:.0f} % ({100 * low:.0f}–{100 * high:.0f})"


def _share(figures: Mapping[str, float]) -> float:
    return figures.get("accuracy", figures.get("within_step", float("nan")))


def _amount(value: float, factor: Factor) -> str:
    """An amount of an ordered factor, in its unit: angles to a tenth."""
    return f"{value:.1f}{factor.unit}" if factor.unit == "°" else f"{value:.3g}{factor.unit}"


def _bar(share: float, real: float, said: str, more: str) -> str:
    """A figure over a bar of its length, with a mark where real images come to; NaN leaves out either."""
    bar = ""
    if not isnan(share):
        mark = "" if isnan(real) else f'<s style="left: {100 * min(1.0, real):.1f}%"></s>'
        bar = f'<span class="bar"><i style="width: {100 * min(1.0, max(0.0, share)):.1f}%"></i>{mark}</span>'
    return f"<b>{html.escape(said)}</b>{bar}<small>{html.escape(more)}</small>"


def gif_of(shown: Sequence[Tensor], done: Sequence[Drawn]) -> bytes:
    """Each input beside its samples, one a frame."""
    return _gif([sheet([[picture, *(drawn.found.samples[i, k] for drawn in done)] for i, picture in enumerate(shown)], scale=3)
                 for k in range(done[0].samples)])


def _gif(frames: Sequence[Pixels]) -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "frames.gif"
        write_gif(file, frames, seconds=0.4)
        return file.read_bytes()


def csv_of(given: Sequence[Given], styles: Sequence[Given], done: Sequence[Drawn], factors: Sequence[Factor], to: str, seed: int) -> bytes:
    """A line for each sample: where it came from, what that shows, what readers see in the sample, and its point.

    Arguments:
        styles: As for `translation_table`.
        seed: Of the noise; where private codes are of styles there is none.
    """
    seen = [f for f in factors if any(f.name in drawn.seen for drawn in done)]
    own = _own(factors, to)
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["model", "input", "item", "labels", *(_headed(f, f"{f.name} of input") for f in factors), "to", "sample", "seed", "style", "style item", "style labels",
                     *(_headed(f, f"{f.name} of style") for f in own), *(_headed(f, f.name) for f in seen), *(f"{f.name} kept" for f in seen), "point"])
    for drawn in done:
        verdicts = drawn.judged(given, styles, factors, to).right
        for i, (each, right) in enumerate(zip(given, verdicts, strict=True)):
            start = [drawn.by.name, _named(each), _item(each), _source(each), *_labels(each, factors), to]
            for k in range(drawn.samples):
                of = [*_told(styles[k]), _source(styles[k]), *_labels(styles[k], own)] if styles else [""] * (3 + len(own))
                kept = [int(right[f.name][k]) if f.name in right else "" for f in seen]
                writer.writerow([*start, k + 1, "" if styles else seed, *of, *(_number(f, drawn.seen[f.name][i, k]) for f in seen), *kept, drawn.points[i][k]])
    return buffer.getvalue().encode("utf-8-sig")


def _headed(factor: Factor, text: str) -> str:
    return f"{text} [{factor.unit}]" if factor.unit else text


def _number(factor: Factor, label: float) -> str:
    """A label as a program reads it, without its unit; of a categorical factor the value's name."""
    return str(factor.values[int(label)]) if factor.kind == "categorical" else f"{label + 0.0:.6g}"


def _labels(given: Given, factors: Sequence[Factor]) -> list[str]:
    return [_number(f, given.labels[f.name]) if f.name in given.labels else "" for f in factors]


def _source(given: Given) -> str:
    """Where labels come from."""
    return "read" if given.read else "known" if given.labels else ""


def _told(given: Given) -> list[int | str]:
    return [_named(given), _item(given)]


def _item(given: Given) -> int | str:
    return "" if given.item is None else given.item


def _named(given: Given) -> str:
    """What an input is called in a file: a person's own keeps its name; the title of an item is made of figures, which have columns of their own."""
    return given.title if given.item is None else f"item {given.item}"


# ---- swap

@dataclass(frozen=True)
class Exchanged:
    """What one model made of every content in every style.

    Arguments:
        by: The model.
        found: Its pictures.
        points: The point of each, content by content.
    """

    by: Checkpoint
    found: Swapped
    points: Sequence[Sequence[Point]]


def swap_table(given: Sequence[Given], shown: Sequence[Tensor], styles: Sequence[Given], one: Exchanged, factors: Sequence[Factor],
               modality: str, truth: Tensor | None = None) -> str:
    """One modality's pictures: content in rows named by what both modalities share, style in columns by what this one has for itself.

    Arguments:
        truth: The true pictures, [contents, styles, C, H, W], to stand small below each.
    """
    named = [caption(style, factors, modality) for style in styles]
    header = "".join(f"<th>{image(head, style.title)}{_small(name)}</th>"
                     for head, style, name in zip(one.found.heads[modality], styles, named, strict=True))
    body = ""
    for i, (each, picture) in enumerate(zip(given, shown, strict=True)):
        line = "".join(f"<td>{link(image(one.found.pictures[modality][i, k], f'content {each.title}, style {named[k]}'), one.points[i][k])}"
                       f"{'' if truth is None else image(truth[i, k], f'true: content {each.title}, style {named[k]}', small=True)}</td>"
                       for k in range(len(styles)))
        body += f'<tr><td class="first">{image(picture, each.title)}{_small(caption(each, factors, None))}</td>{line}</tr>'
    rows, columns = (", ".join(f.name for f in factors if f.owner == owner) for owner in (None, modality))
    legend = html.escape(", ".join(filter(None, (rows and f"{rows} ↓", columns and f"{columns} →"))))
    return (f'<table style="--columns: {len(styles) + 1}"><thead><tr><th class="first"><small>{legend}</small></th>{header}</tr></thead>'
            f'<tbody class="group">{body}</tbody></table>')


def _small(text: str) -> str:
    return f'<small title="{html.escape(text)}">{html.escape(text)}</small>'


def swap_gif(shown: Sequence[Tensor], done: Sequence[Exchanged]) -> bytes:
    """Each content beside its pictures of both modalities, one style a frame, which stands above."""
    frames = []
    for k in range(len(done[0].points[0])):
        cells = [(one.found.heads[name][k], pictures[:, k]) for one in done for name, pictures in one.found.pictures.items()]
        below = [[picture, *(column[i] for _, column in cells)] for i, picture in enumerate(shown)]
        frames.append(sheet([[None, *(head for head, _ in cells)], *below], scale=3))
    return _gif(frames)


def swap_csv(given: Sequence[Given], styles: Sequence[Given], done: Sequence[Exchanged], readers: Readers | None,
             factors: Sequence[Factor]) -> bytes:
    """A line for each pair of pictures: whose codes they are of, what readers see in either, and their point."""
    names = list(done[0].found.pictures)
    seen = [{name: read(readers, name, one.found.pictures[name]) for name in names} if readers else {} for one in done]
    read_of = [(name, f) for name in names for f in factors if f.name in seen[0].get(name, ())]
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    owned = [f for f in factors if f.owner is not None]
    writer.writerow(["model", "content", "content item", *(_headed(f, f"{f.name} of content") for f in factors), "style", "style item",
                     *(_headed(f, f"{f.name} of style") for f in owned), *(_headed(f, f"{f.name} in {name}") for name, f in read_of), "point"])
    for one, readings in zip(done, seen, strict=True):
        for i, each in enumerate(given):
            for k, style in enumerate(styles):
                said = [_number(f, readings[name][f.name][i, k]) for name, f in read_of]
                writer.writerow([one.by.name, *_told(each), *_labels(each, factors), *_told(style), *_labels(style, owned), *said, one.points[i][k]])
    return buffer.getvalue().encode("utf-8-sig")


# ---- check

def check_csv(found: Mapping[str, Sequence[Kept]], to: str) -> bytes:
    """A line for each factor under each model (by name): what should become of it, and what was measured."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["model", "to", "factor", "role", "unit", "share", "standard error", "95 % from", "95 % to", "images", "tolerance", "mean error", "spread",
                     "readers' share on real images", "readers' mean error on real images"])
    for name, factors in found.items():
        for kept in factors:
            measured, judged = kept.measured, kept.role != "free"
            own = kept.real.get("accuracy", kept.real.get("within_step"))
            figures = ([measured.kept.value, measured.kept.stderr, *wilson(measured.kept.value, measured.kept.count), measured.kept.count,
                        measured.tolerance, measured.error] if judged else [""] * 7)
            real = [own, kept.real.get("error")] if judged else [None] * 2
            plain = ["" if value is None or isinstance(value, float) and isnan(value) else value for value in (*figures, measured.spread, *real)]
            writer.writerow([name, to, kept.factor.name, kept.role, kept.factor.unit, *plain])
    return buffer.getvalue().encode("utf-8-sig")
