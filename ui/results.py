"""What came of a translation, as tables: pictures with the readers' verdicts, shares kept, files to keep."""

from __future__ import annotations

__all__ = ["Drawn", "check_table", "csv_of", "gif_of", "summary", "translation_table"]

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
from mmvae.pictures import sheet, write_gif
from mmvae.point import Point
from mmvae.readers import Readers
from mmvae.translation import Kept, Translation, expected, heat, hits, scale_of

from . import models
from .cells import image, link, scale
from .translating import Given

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

    def verdicts(self, i: int, given: Given, factors: Sequence[Factor], to: str) -> dict[str, NDArray]:
        """Which samples of input i are right in what should be kept or neutral, {factor: bool [S]}."""
        if not given.labels:
            return {}
        wanted = expected(factors, {name: np.array([value]) for name, value in given.labels.items()}, to)
        right = hits({name: values[i:i + 1] for name, values in self.seen.items()}, wanted, factors)
        return {name: marks[0] for name, marks in right.items()}

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
    several, judged = len(done) > 1, any(each.seen for each in done)
    top = scale_of([each.found for each in done])
    heads = "".join(f"<th>{_head(style, to)}</th>" for style in styles) or "".join(f"<th>{k + 1}</th>" for k in range(done[0].samples))
    head = (f'<tr><th class="first">input</th>{"<th></th>" if several else ""}<th>mean</th><th>std. dev.{scale(top)}</th>{heads}'
            f'{"<th>kept</th>" if judged else ""}</tr>')
    bodies = ""
    for i, (each, picture) in enumerate(zip(given, shown)):
        lines = [_line(drawn, i, each, factors, to, top, several) for drawn in done]
        first = f'<td class="first" rowspan="{len(lines)}">{image(picture, each.title)}<small>{_origin(each, factors)}</small></td>'
        rest = "".join(f"<tr>{line}</tr>" for line in lines[1:])
        bodies += f'<tbody class="group"><tr>{first}{lines[0]}</tr>{rest}</tbody>'
    reserve = 12 + NAMED * several + JUDGED * judged
    return f'<table style="--columns: {done[0].samples + 3}; --reserve: {reserve}px"><thead>{head}</thead>{bodies}</table>'


def _line(drawn: Drawn, i: int, given: Given, factors: Sequence[Factor], to: str, top: float, named: bool) -> str:
    """One model's cells for one input."""
    found, shared = drawn.found, _shared(factors)
    right = drawn.verdicts(i, given, factors, to)
    line = f'<td class="row">{html.escape(models.variant_label_of(drawn.by.name))}</td>' if named else ""
    line += f'<td>{image(found.mean[i], "picture of the mean code")}</td>'
    line += f'<td>{image(heat(found.stddev[i], top), f"up to {float(found.stddev[i].max()):.2f}")}</td>'
    for k in range(drawn.samples):
        said = drawn.said(i, k, factors)
        title = ", ".join(f"{name} {text}" for name, text in said.items()) or f"sample {k + 1}"
        marks = "".join(_verdict(said[f.name], right[f.name][k] if f.name in right else None) for f in shared if f.name in said)
        line += f"<td>{link(image(found.samples[i, k], title), drawn.points[i][k])}{f'<small>{marks}</small>' if said else ''}</td>"
    if drawn.seen:
        kept = [f"{html.escape(f.name)} {int(right[f.name].sum())}/{drawn.samples}" for f in shared if f.name in right]
        line += f'<td class="row">{"<br>".join(kept)}</td>'
    return line


def _head(style: Given, to: str) -> str:
    return image(style.images[to], style.title, small=True) if to in style.images else html.escape(style.title)


def _origin(given: Given, factors: Sequence[Factor]) -> str:
    read = " ".join(f.format(given.labels[f.name]) for f in _shared(factors) if f.name in given.labels) if given.read else ""
    return html.escape(f"{given.title} · read as {read}" if read else given.title)


def _shared(factors: Sequence[Factor]) -> list[Factor]:
    return [factor for factor in factors if factor.owner is None]


def _verdict(text: str, right: bool | None) -> str:
    """A reading with its mark; the sign says what the colour says."""
    if right is None:
        return f" {html.escape(text)}"
    return f' <span class="{"good" if right else "bad"}">{html.escape(text)}{"✓" if right else "✗"}</span>'


def summary(given: Sequence[Given], done: Sequence[Drawn], readers: Readers | None, factors: Sequence[Factor], to: str) -> str:
    """The share of all samples that kept each shared factor, with what the readers reach on real images."""
    shared = _shared(factors)
    labelled = [i for i, each in enumerate(given) if each.labels]
    if readers is None or not labelled or not shared:
        return ""
    lines = ""
    for drawn in done:
        marks = [drawn.verdicts(i, given[i], factors, to) for i in labelled]
        shares = [np.mean([mark[f.name] for mark in marks if f.name in mark]) for f in shared]
        lines += f"<tr><td>{html.escape(models.variant_label_of(drawn.by.name))}</td>{_numbers(f'{100 * share:.0f} %' for share in shares)}</tr>"
    ceiling = _numbers(_ceiling(readers.accuracy.get(to, {}).get(f.name, {})) for f in shared)
    heads = "".join(f'<th class="number">{html.escape(f.name)}</th>' for f in shared)
    return (f'<h4>Kept in {len(labelled) * done[0].samples} samples</h4><table class="figures"><tr><th></th>{heads}</tr>{lines}'
            f"<tr><td>readers on real images (ceiling)</td>{ceiling}</tr></table>")


def _numbers(texts) -> str:
    return "".join(f'<td class="number">{text}</td>' for text in texts)


def _ceiling(figures: Mapping[str, float]) -> str:
    value = figures.get("accuracy", figures.get("within_step"))
    return "–" if value is None else f"{100 * value:.0f} %"


def check_table(found: Sequence[Kept]) -> str:
    """Factors in rows: what should become of each, what was measured, and the readers' own ceiling."""
    heads = ("factor", "should be", "read as such", "mean error", "spread over private codes", "readers on real images")
    head = "".join(f'<th{" class=number" if "error" in text or "spread" in text else ""}>{text}</th>' for text in heads)
    return f'<table class="figures"><tr>{head}</tr>{"".join(map(_checked, found))}</table>'


def _checked(kept: Kept) -> str:
    measured, factor, unit = kept.measured, kept.factor, html.escape(kept.factor.unit)
    share, error, ceiling = "", "", ""
    if kept.role == "free":
        should = "may vary"
        if not isnan(kept.real_spread):
            ceiling = f"labels vary by {kept.real_spread:.3g}{unit}"
    else:
        should = "kept" if kept.role == "kept" else f"stays {factor.format(factor.neutral)}"
        share = f"{100 * measured.kept.value:.0f} ± {100 * measured.kept.stderr:.0f} %"
        share += f" within {measured.tolerance:.3g}{unit}" if measured.tolerance else ""
        error = "" if isnan(measured.error) else f"{measured.error:.3g}{unit}"
        ceiling = _ceiling(kept.ceiling) + (f", error {kept.ceiling['error']:.3g}{unit}" if "error" in kept.ceiling else "")
    spread = f"{measured.spread:.3g}{unit}" if factor.kind == "ordered" else f"{100 * measured.spread:.0f} % differ"
    return (f"<tr><td>{html.escape(factor.name)}</td><td>{html.escape(should)}</td><td>{share}</td>"
            f"{_numbers((error, '' if isnan(measured.spread) else spread))}<td>{ceiling}</td></tr>")


def gif_of(shown: Sequence[Tensor], done: Sequence[Drawn]) -> bytes:
    """Each input beside its samples, one a frame."""
    frames = [sheet([[picture, *(drawn.found.samples[i, k] for drawn in done)] for i, picture in enumerate(shown)], scale=3)
              for k in range(done[0].samples)]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "translation.gif"
        write_gif(file, frames, seconds=0.4)
        return file.read_bytes()


def csv_of(given: Sequence[Given], done: Sequence[Drawn], factors: Sequence[Factor], to: str) -> bytes:
    """A line for each sample: where it came from, what readers see in it, and its point."""
    names = [f.name for f in factors if any(f.name in drawn.seen for drawn in done)]
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["model", "input", "item", "to", "sample", *names, *(f"{name} kept" for name in names), "point"])
    for drawn in done:
        for i, each in enumerate(given):
            right = drawn.verdicts(i, each, factors, to)
            for k in range(drawn.samples):
                said = drawn.said(i, k, factors)
                kept = [int(right[name][k]) if name in right else "" for name in names]
                start = [drawn.by.name, each.title, "" if each.item is None else each.item, to, k + 1]
                writer.writerow([*start, *(said[name] for name in names), *kept, drawn.points[i][k]])
    return buffer.getvalue().encode("utf-8-sig")
