"""A comparison to take along: the leakage matrix and the table of figures as HTML, the whole as one HTML file, CSV or LaTeX.

The page shows the same HTML. Nothing in it is fetched from anywhere; what comes from a checkpoint is escaped.
"""

from __future__ import annotations

__all__ = ["COLOURS", "STYLE", "csv_table", "excerpt_html", "html_report", "latex_table", "legend_html", "matrix_html", "provenance_html", "standings_html", "standings_latex", "table_html"]

import base64
import csv
import io
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape

from .comparison import BOLD, LEAK, UNMEASURED, Cell, Column, Entry, Line, Matrix, MatrixCell, columns, length_of, lines, matrix, sentence, trainings_of
from .latents import Block
from .metrics import ALL_SPLITS, REFERENCE
from .palettes import BLOCKS
from .results import MISSING, time_of

#: Of matrices and tables. Hues come as --block-first, --block-shared, --block-second; --leak and --on-hue go with them.
#: A matrix brings --factors, its columns, and --letters of the longest word above them: texts are as large as a cell has room for.
STYLE = """
.mx {font-variant-numeric: tabular-nums; min-width: 0; container-type: inline-size; --first: 5.6rem; --gap: 6px;
  --cell: calc((100cqi - var(--first) - (var(--factors) + 1) * var(--gap)) / var(--factors))}
.mx h4 {margin: 0; padding: 0; font-size: 1.12rem; font-weight: 650; line-height: 1.3}
.mx .sub {font-size: .78rem; opacity: .68; overflow-wrap: anywhere}
.mx table {border-collapse: separate; border-spacing: var(--gap); width: 100%; table-layout: fixed; margin: 8px 0 2px -6px; border: 0}
.mx th, .mx td {border: 0; padding: 0}
.mx thead th {font-weight: 500; font-size: clamp(.66rem, calc(var(--cell) / var(--letters) / .6), .9rem); line-height: 1.3; text-align: center; vertical-align: bottom;
  border-bottom: 3px solid var(--hue); padding: 0 0 3px; overflow-wrap: anywhere}
.mx thead th:first-child {border: 0; width: var(--first)}
.mx thead small, .mx tbody th small {display: block; font-weight: 400; font-size: .7rem; opacity: .68; line-height: 1.25}
.mx tbody th {text-align: left; font-weight: 600; font-size: .95rem; color: var(--hue); line-height: 1.2; overflow-wrap: anywhere}
.mx tbody th small {color: var(--plain, inherit); font-size: .72rem}
.mx td {position: relative; height: 5.1rem; text-align: center; border-radius: 9px;
  --fill: color-mix(in srgb, var(--tone) calc(var(--v) * 88%), transparent); background: var(--fill)}
.mx td b {display: block; font-size: clamp(1rem, calc(var(--cell) * .3), 1.6rem); font-weight: 650; line-height: 1.1}
.mx td small {font-size: clamp(.6rem, calc(var(--cell) * .125), .7rem); opacity: .8; white-space: nowrap}
.mx td.home {--tone: var(--hue); box-shadow: inset 0 0 0 3px var(--hue)}
.mx td.home.high {color: var(--on-hue)}
.mx td.open {--tone: var(--hue); box-shadow: inset 0 0 0 1px color-mix(in srgb, currentColor 22%, transparent)}
.mx td.away {--tone: var(--leak); box-shadow: inset 0 0 0 1px color-mix(in srgb, currentColor 22%, transparent)}
.mx td.away b {font-weight: 450; opacity: .75}
.mx td.leaks {box-shadow: inset 0 0 0 3px var(--leak);
  background: repeating-linear-gradient(-45deg, color-mix(in srgb, var(--leak) 26%, transparent) 0 4px, transparent 4px 10px), var(--fill)}
.mx td.leaks b {font-weight: 700; opacity: 1}
.mx td.lost {box-shadow: none; outline: 3px dashed var(--hue); outline-offset: -3px}
.mx td i {position: absolute; top: -6px; right: 5px; font-style: normal; font-weight: 650; font-size: .66rem; line-height: 1.35;
  padding: 0 6px; border-radius: 8px; background: var(--leak); color: var(--on-hue)}
.mx td.lost i {background: var(--hue)}
.mx p {margin: 4px 0 0; font-size: .88rem; line-height: 1.4}
.mx-row {display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 318px), 1fr)); gap: 22px 26px}
.mx-row > .mx {max-width: 620px}
@container (width < 440px) {.mx td small span {display: none} .mx td small::before {content: "ref. "}}
@container (width < 380px) {.mx thead small, .mx tbody th small {font-size: .64rem} .mx td {height: 4.4rem}}
.mx-legend {display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: .84rem; margin: 0 0 10px; align-items: center}
.mx-legend span::before {content: ""; display: inline-block; width: 26px; height: 17px; border-radius: 4px; margin-right: 7px; vertical-align: -3px}
.mx-legend .own::before {background: color-mix(in srgb, var(--block-shared) 70%, transparent); box-shadow: inset 0 0 0 2px var(--block-shared)}
.mx-legend .not::before {box-shadow: inset 0 0 0 1px color-mix(in srgb, currentColor 35%, transparent)}
.mx-legend .bad::before {box-shadow: inset 0 0 0 2px var(--leak);
  background: repeating-linear-gradient(-45deg, color-mix(in srgb, var(--leak) 55%, transparent) 0 3px, transparent 3px 7px)}
.mx-legend .gone::before {outline: 2px dashed var(--block-shared); outline-offset: -2px}
.mx-legend .said::before {display: none}
@media (max-width: 520px) {
  .mx {--first: 2.6rem; --gap: 4px} .mx th small {display: none !important} .mx td {height: 4rem}
}
.hue0 {--hue: var(--block-first)} .hue1 {--hue: var(--block-shared)} .hue2 {--hue: var(--block-second)}
.figures {overflow-x: auto; font-variant-numeric: tabular-nums}
.figures table {border-collapse: collapse; width: 100%; table-layout: auto; font-size: .9rem; border: 0}
.figures th, .figures td {border: 0; border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent);
  padding: 5px 12px 5px 0; text-align: right; vertical-align: top}
.figures th, .figures td {width: 14%}
.figures th:first-child {text-align: left; font-weight: 400; min-width: 15rem; width: auto; position: sticky; left: 0; background: var(--sheet)}
.figures thead th {font-weight: 650; vertical-align: bottom}
.figures thead small {display: block; font-weight: 400; opacity: .65; overflow-wrap: anywhere}
.figures .part th {font-weight: 650; padding-top: 18px; font-size: .95rem}
.figures td small {opacity: .62; font-size: .76rem; display: block; line-height: 1.2}
.figures td b {font-weight: 750}
.figures .dash {opacity: .5; cursor: help}
.figures summary {cursor: pointer; list-style-position: outside}
.figures details {margin-left: 1em}
.figures details > div {font-size: .8rem; opacity: .85; padding: 4px 0 6px; max-width: 46rem; white-space: normal; line-height: 1.45}
.figures code {font-size: .76rem; overflow-wrap: anywhere}
.figures .of {opacity: .62}
.figures .elsewhere {font-size: .8rem; opacity: .8; font-style: italic; white-space: nowrap}
.figures .elsewhere small {font-size: .68rem}
.standings > div {overflow: auto; max-height: max(26rem, 100vh - 21rem)}
.standings th:first-child {min-width: 14.5rem; font-weight: 600}
.standings th:first-child small {display: block; font-weight: 400; opacity: .65; font-size: .74rem; line-height: 1.4; white-space: normal}
.standings th, .standings td {width: auto; padding: 4px 10px 4px 0; white-space: nowrap}
.standings thead th {white-space: normal; font-size: .82rem; line-height: 1.25; min-width: 4.6rem; position: sticky; top: 0; z-index: 1;
  background: var(--sheet); border: 0; box-shadow: inset 0 -1px color-mix(in srgb, currentColor 25%, transparent)}
.standings thead th:first-child {z-index: 2}
.standings tbody tr:not(.references):hover {background: color-mix(in srgb, currentColor 6%, transparent)}
.standings .references th, .standings .references td {font-weight: 400; opacity: .65; font-size: .82rem; white-space: normal}
.figures p, .mx-note {font-size: .8rem; opacity: .75; line-height: 1.45; margin: 8px 0 0; max-width: 62rem}
@media (max-width: 640px) {
  .figures.each :is(table, thead, tbody) {display: block} .figures.each tr {display: grid; grid-template-columns: repeat(var(--columns), minmax(0, 1fr)); gap: 0 6px}
  .figures.each tr > * {width: auto; padding: 3px 0; overflow-wrap: anywhere} .figures.each td, .figures.each thead th {font-size: .76rem; text-align: left}
  .figures.each tr > th:first-child {grid-column: 1 / -1; position: static; border: 0; padding: 7px 0 0; min-width: 0} .figures.each thead th:first-child {display: none}
  .figures.each td small {font-size: .66rem} .figures.each .elsewhere {white-space: normal}
  .standings th:first-child {min-width: 8.4rem}
  .standings thead th:not(:first-child) {min-width: 5.8rem; font-size: .72rem; line-height: 1.2}
}
"""

#: Characters of a reason that does not get in the way in every line, and what stands for a longer one where it follows itself.
BRIEF, AS_ABOVE = 40, "as above"
#: By theme: ground and text, the hues of blocks, of what leaks, and of what stands on a saturated hue.
COLOURS = {
    theme: {"sheet": sheet, "ink": ink, **dict(zip(("block-first", "block-shared", "block-second"), BLOCKS[theme])), "leak": leak, "on-hue": sheet}
    for theme, sheet, ink, leak in (("light", "#ffffff", "#1b1f27", "#a21caf"), ("dark", "#0e1117", "#e6e9ef", "#e879f9"))
}


def _variables(theme: str) -> str:
    return "; ".join(f"--{name}: {colour}" for name, colour in COLOURS[theme].items())


_PAGE = f"""
:root {{color-scheme: light dark; {_variables("light")}}}
@media (prefers-color-scheme: dark) {{:root {{{_variables("dark")}}}}}
""" + """\
body {font: 15px/1.5 system-ui, sans-serif; background: var(--sheet); color: var(--ink); --plain: var(--ink); max-width: 1500px; margin: 0 auto; padding: 28px}
h1 {font-size: 1.7rem; margin: 0 0 4px} h2 {font-size: 1.2rem; margin: 34px 0 10px}
figure {margin: 0 0 18px} figcaption {font-size: .88rem; margin-bottom: 4px} figure img {max-width: 100%; image-rendering: pixelated; border-radius: 4px}
pre {font-size: .84rem; overflow-x: auto}
@media (max-width: 520px) {body {padding: 16px}}
@media print {body {max-width: none; padding: 0} .mx {break-inside: avoid}}
"""


def legend_html(entries: Sequence[Entry]) -> str:
    """How to read the matrices of these models: of what none of them can have, nothing is said."""
    cells = [cell for entry in entries for cell in _cells(matrix(entry))]
    homes = {cell.home for cell in cells}
    said = [("own", "belongs here: should be high", True in homes), ("not", "belongs elsewhere: should be 0", False in homes),
            ("bad", f"leaks: above {LEAK}, beyond its error", False in homes), ("gone", "missing: below half of the reference", True in homes),
            ("said", "reference: the score of a reference code of the same shape, same probe, same items; no bound", any(cell.ceiling is not None for cell in cells))]
    return f'<div class="mx-legend">{"".join(f"""<span class="{name}">{text}</span>""" for name, text, there in said if there)}</div>' if cells else ""


def matrix_html(entry: Entry, words: bool = True) -> str:
    """The leakage matrix of a model, and what it says in words; for one that was not measured, only that."""
    found = matrix(entry)
    head = f'<h4>{escape(entry.title)}</h4><div class="sub">{escape(entry.name)} · {entry.sizes} dimensions'
    if found is None:
        why = "; ".join(figure["reason"] for figure in entry.card.get("figures", {}).values() if figure["metric"].startswith("leakage") and figure.get("reason"))
        return f'<div class="mx">{head}</div><p>{escape(why or sentence(entry))}</p></div>'
    hue = _hues(found.blocks)
    places = {None: 1} | {modality["name"]: 2 * i for i, modality in enumerate(entry.config["modalities"])}
    heads = "".join(f'<th class="hue{places[factor.owner]}" scope="col">{escape(factor.name)}<small>{"" if cell.home is None else f"{_whose(factor.owner)}<br>"}'
                    f'{"R²" if cell.measure == "R²" else "above chance"}</small></th>' for factor, cell in zip(found.factors, found.rows[0], strict=True))
    body = "".join(f'<tr><th class="hue{hue[block.name]}" scope="row">{_symbol(block, entry)}<small>{_whose(block.owner) if len(found.blocks) > 1 else "one code"}, '
                   f'{block.dim} dim</small></th>{"".join(_matrix_cell(cell, hue[block.name]) for cell in row)}</tr>'
                   for block, row in zip(found.blocks, found.rows, strict=True))
    where = ALL_SPLITS if entry.card["leakage"].get("split") == "all" else "pairs"
    letters = max(len(word) for factor in found.factors for word in (factor.name.split() or [" "]))
    return (f'<div class="mx" style="--factors: {len(found.factors)}; --letters: {letters}">{head} · {found.items:,} {where}</div><table><thead><tr><th></th>{heads}</tr></thead><tbody>{body}</tbody></table>'
            + (f"<p>{escape(sentence(entry))}</p>" if words else "") + "</div>")


def _matrix_cell(cell: MatrixCell, hue: int) -> str:
    marks = [f"hue{hue}", "home" if cell.home else "away" if cell.home is False else "open", *(["high"] if cell.home and cell.value > 0.7 else []), *(["leaks"] if cell.leaks else []),
             *(["lost"] if cell.lost else [])]
    badge = "<i>leaks</i>" if cell.leaks else "<i>missing</i>" if cell.lost else ""
    best = "" if cell.ceiling is None else f"<small><span>reference </span>{cell.ceiling:.2f}</small>"
    error = _error(cell.error, 3) if cell.error is not None else ""
    wanted = {True: "should be high", False: "should be 0", None: "nothing says whose it is"}[cell.home]
    about = f"{cell.block} reads {cell.factor}: {cell.value:.3f}{error} {cell.measure}; {wanted}"
    return f'<td class="{" ".join(marks)}" style="--v:{cell.value:.3f}" title="{escape(about)}">{badge}<b>{cell.value:.2f}</b>{best}</td>'


def _hues(blocks: Sequence[Block]) -> dict[str, int]:
    """0 for what is private to the first modality, 1 shared, 2 private to the second."""
    return {block.name: 1 if block.owner is None else 2 * min(place, 1) for place, block in enumerate(blocks)}


def _whose(owner: str | None) -> str:
    return "shared" if owner is None else f"private · {escape(owner)}"


def _symbol(block: Block, entry: Entry) -> str:
    if block.owner is None:
        return "z<sub>S</sub>" if len(entry.blocks) > 1 else "z"
    symbol = next(modality["symbol"] for modality in entry.config["modalities"] if modality["name"] == block.owner)
    return f"z<sub>{escape(symbol.partition('_')[2] or block.owner[0])}</sub>"


# ---- the table


def table_html(entries: Sequence[Entry], tex: bool = True) -> str:
    """All figures of all entries, part by part; each row opens to what it means.

    Arguments:
        tex: Whether with the formula as TeX; a page draws formulas itself.
    """
    over = columns(entries)
    rows = lines(over)
    elsewhere = any(line.published for line in rows)
    unlike = _unlike_pairs(over)
    heads = "".join(f'<th scope="col">{escape(column.title)}<small>{"<br>".join(escape(entry.name) for entry in column.entries)}{_of_pairs(column, unlike)}</small></th>'
                    for column in over)
    body, part = [], None
    for line in _once(rows):
        if line.group != part:
            part = line.group
            body.append(f'<tr class="part"><th colspan="{len(over) + 1 + elsewhere}">{escape(part)}</th></tr>')
        body.append(_row(line, elsewhere, tex=tex))
    return (f'<div class="figures each" style="--columns: {len(over) + elsewhere}"><table><thead><tr><th></th>{heads}{"<th>measured elsewhere,<br>on more data</th>" if elsewhere else ""}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table>{_notes(over, rows)}</div>")


def _once(rows: Sequence[Line]) -> list[Line]:
    """The lines, a long reason for what is missing only where the last one told in its column is another: below itself it is known."""
    last: dict[int, str] = {}
    found = []
    for line in rows:
        again = {place for place, cell in enumerate(line.cells) if len(cell.reason) > BRIEF and last.get(place) == cell.reason}
        last |= {place: cell.reason for place, cell in enumerate(line.cells) if cell.reason}
        found.append(replace(line, cells=tuple(replace(cell, reason=AS_ABOVE) if place in again else cell for place, cell in enumerate(line.cells))))
    return found


def excerpt_html(entries: Sequence[Entry], rows: Sequence[Line]) -> str:
    """A few lines of the table over these entries, without what a figure is read against.

    Arguments:
        rows: As `mmvae.comparison.lines` gives them over the entries' columns.
    """
    over = columns(entries)
    heads = "".join(f'<th scope="col">{escape(column.title)}</th>' for column in over)
    return (f'<div class="figures each" style="--columns: {len(over)}"><table><thead><tr><th></th>{heads}</tr></thead>'
            f'<tbody>{"".join(_row(line, False, brief=True) for line in rows)}</tbody></table></div>')


def _row(line: Line, elsewhere: bool, brief: bool = False, tex: bool = False) -> str:
    metric = line.metric
    arrow = {"higher": " ↑", "lower": " ↓"}.get(metric.better, "")
    unit = f" [{escape(line.unit)}]" if line.unit else ""
    where = f" · {ALL_SPLITS}" if ALL_SPLITS in line.note else ""
    beside = any(cell.reference is not None for cell in line.cells)
    against = metric.against if beside else metric.against.removeprefix(REFERENCE).removeprefix("; ")  # none is promised where none is shown
    formula = f"<code>{escape(metric.formula)}</code><br>" if tex else ""
    about = (f"{escape(metric.explanation)}<br>{formula}Source: {escape(metric.source)}." + (f" To be read against: {escape(against)}." if against else "")
             + (f"<br>Here: {escape(line.note)}." if line.note else ""))
    name = (f'<details><summary title="{escape(metric.explanation)}">{escape(metric.title)}{arrow} <span class="of">{escape(line.of)}{unit}{where}</span></summary>'
            f"<div>{about}</div></details>")
    quoted = "".join(f'<div>{escape(row.model)} {row.value:.3f}<small>{escape(row.source.partition(", ")[0])}</small></div>' for row in line.published)
    return (f'<tr><th scope="row">{name}</th>{"".join(f"<td>{_cell(cell, _decimals(line), metric.beside, brief)}</td>" for cell in line.cells)}'
            + (f'<td class="elsewhere">{quoted}</td>' if elsewhere else "") + "</tr>")


def _cell(cell: Cell, decimals: int, beside: str = "", brief: bool = False) -> str:
    if cell.value is None:
        said = "" if brief or cell.reason == UNMEASURED else f"<small>{escape(cell.reason)}</small>"  # the whole column is empty: that needs no saying in every row
        return f'<span class="dash" title="{escape(cell.reason)}" aria-label="missing: {escape(cell.reason)}">—</span>{said}'
    value = _shown(cell.value, decimals)
    value = f"<b>{value}</b>" if cell.best else value
    error = _error(cell.error, decimals) if cell.error else ""
    if brief:
        return value + (f"<small>{escape(error)}</small>" if error else "")
    return value + escape(error) + (f"<small>{escape(beside)} {_shown(cell.reference, decimals)}</small>" if beside and cell.reference is not None else "")


def standings_html(over: Sequence[Column], rows: Sequence[Line]) -> str:
    """Many models below one another, a column for each of a few figures.

    Arguments:
        over: The models, those that differ in the seed alone as one.
        rows: The figures, as `mmvae.comparison.lines` gives them over these models.
    """
    heads = "".join(f'<th scope="col" title="{escape(line.metric.explanation)}">{escape(_head(line))}'
                    f'<small>{escape(line.of if _head(line) != line.of else "")}{f" [{escape(line.unit)}]" if line.unit else ""}</small></th>' for line in rows)
    body = []
    for place, column in enumerate(over):
        first = column.entries[0]
        several = f" · <b>{len(column.entries)} seeds</b>" if len(column.entries) > 1 else ""
        names = escape(", ".join(entry.name for entry in column.entries))
        named = escape(first.name) + " …" * (len(column.entries) > 1)
        body.append(f'<tr><th scope="row" title="{names}">{escape(first.title)}<small>{named}<br>{first.sizes} dim · {escape(length_of(first))}{several}</small></th>'
                    f'<td>{"<br>".join(f"{n:,}" for n in column.pairs)}</td>' + "".join(f"<td>{_cell(line.cells[place], _decimals(line), brief=True)}</td>" for line in rows) + "</tr>")
    references = "".join(f"<td>{_reference(line)}</td>" for line in rows)
    foot = f'<tr class="references"><th scope="row">reference code, or readers on real pictures</th><td></td>{references}</tr>' if any(map(_reference, rows)) else ""
    return (f'<div class="figures standings"><div><table><thead><tr><th></th><th scope="col">test pairs</th>{heads}</tr></thead><tbody>{"".join(body)}{foot}</tbody></table></div>{_notes(over, rows)}</div>')


def _unlike_pairs(over: Sequence[Column]) -> bool:
    """Whether figures of these columns are of different numbers of pairs."""
    return len({number for column in over for number in column.pairs}) > 1


def _of_pairs(column: Column, unlike: bool) -> str:
    """On how many pairs a column was measured, where that is not the same for all."""
    return f'<br>measured on {" and ".join(f"{n:,}" for n in column.pairs)} pairs' if unlike and column.pairs else ""


def _head(line: Line) -> str:
    arrow = {"higher": " ↑", "lower": " ↓"}.get(line.metric.better, "")
    return line.of if line.key.startswith(("in place", "elsewhere")) else line.metric.title + arrow


def _reference(line: Line) -> str:
    """What the best model's figure is to be read against: the best that any states."""
    stated = [cell.reference for cell in line.cells if cell.reference is not None]
    return _shown((min if line.metric.better == "lower" else max)(stated), _decimals(line)) if stated else ""


def _notes(over: Sequence, rows: Sequence[Line]) -> str:
    seeds = any(len(column.entries) > 1 for column in over)
    texts = [f"Bold: better than every other model by more than {BOLD} standard errors of the difference. Where two models were measured on the same pairs, "
             "it is the error of the paired difference, as a rule far below ±: what is hard in a pair is hard for both. A row in which a figure states no error "
             "has nothing in bold, nor has one in nats where likelihoods differ: these are not to be compared. " + ("Where several seeds are taken together, the figure is their mean and ± its standard error over these." if seeds else
                         "Each model is one training: ± is of the pairs, taken over groups that are alike (one head from one side, one photograph), and says nothing of what another seed would have given.")]
    if _unlike_pairs(over):
        numbers = sorted({number for column in over for number in column.pairs})
        texts.append(f"Not all were measured on as many pairs: a probe learns from them too, and reads less of the same code where there are {numbers[0]:,} than where "
                     f"there are {numbers[-1]:,}.")
    quoted = {row.source: None for line in rows for row in line.published}
    if quoted:
        texts.append("Measured elsewhere: on 1,682,040 training pairs of all of MNIST and SVHN, judged by other classifiers; "
                     f"to be read as where the field stands, not as a race. {'; '.join(escape(source) for source in quoted)}.")
    return "".join(f"<p>{text}</p>" for text in texts)


def _shown(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}".replace("-", "−")


def _error(error: float, decimals: int) -> str:
    """A standard error beside its figure; one that would round to 0 is said to be below the last digit."""
    least = 10.0**-decimals
    return f" ± {error:.{decimals}f}" if error == 0 or error >= least / 2 else f" ± < {least:.{decimals}f}"


def _decimals(line: Line) -> int:
    """As many for every figure of a line: nats and degrees to a tenth, shares and scores to a thousandth, lines of small ones or errors longer."""
    largest = max((abs(cell.value) for cell in line.cells if cell.value is not None), default=1.0)
    least = min((cell.error for cell in line.cells if cell.error), default=1.0)
    if line.unit in ("nats", "°") or largest >= 100:
        return 2 if largest < 1 or largest < 100 and least < 0.05 else 1
    return 4 if largest < 0.1 else 3


# ---- files


def provenance_html(entries: Sequence[Entry]) -> str:
    """Which weights, pairs, seeds and machine the figures come from."""
    def row(entry: Entry) -> str:
        card = entry.card
        if not card.get("figures"):
            return f"<tr><th>{escape(entry.name)}</th><td>{escape(entry.title)}</td><td colspan=5>not measured</td></tr>"
        source = f"{card['dataset']}" + (f" ({card['source']})" if card.get("source") else "")
        facts = (entry.title, f"{card['parameters']:,}", _trained(entry), f"{card['pairs']:,} of {source}", str(card["seed"]),
                 f"{card['measured']}, {card['seconds']:.0f} s on {card['machine']['processor']}")
        return f"<tr><th>{escape(entry.name)}</th>{''.join(f'<td>{escape(fact)}</td>' for fact in facts)}</tr>"

    heads = "".join(f"<th>{text}</th>" for text in ("", "variant", "parameters", "trained: steps × pairs, seed, time (on a CPU where nothing else is said)", "test pairs", "seed of the measurement", "measured"))
    return f'<div class="figures"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(map(row, entries))}</tbody></table></div>'


def _trained(entry: Entry) -> str:
    """How long, with which seed, in what time and on what, as far as that is known."""
    settings, took = trainings_of(entry)[-1].settings, time_of(entry)
    parts = [length_of(entry), f"seed {settings['seed']}" if "seed" in settings else "", took if took != MISSING else ""]
    return ", ".join(filter(None, parts))


def html_report(entries: Sequence[Entry], pictures: Mapping[str, bytes] | None = None) -> str:
    """The comparison as one HTML file that needs nothing beside it.

    Arguments:
        entries: The checkpoints, in order.
        pictures: PNG files by caption, such as each model's traversal figure.
    """
    names = ", ".join(entry.title for entry in entries)
    figures = "".join(f'<figure><figcaption>{escape(caption)}</figcaption><img alt="{escape(caption)}" '
                      f'src="data:image/png;base64,{base64.b64encode(png).decode()}"></figure>' for caption, png in (pictures or {}).items())
    commands = "\n".join(shlex.join(["python", "-m", "mmvae", "evaluate", entry.name]) for entry in entries)
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>{escape(names)}</title><style>{_PAGE}{STYLE}</style></head><body>\n<h1>{escape(names)}</h1>"
            f"<p>Compared on {time.strftime('%Y-%m-%d', time.gmtime())}.</p>\n<h2>What each part of the code knows</h2>{legend_html(entries)}"
            f'<div class="mx-row">{"".join(map(matrix_html, entries))}</div>\n<h2>All measured figures</h2>{table_html(entries)}\n'
            + (f"<h2>Pictures</h2>{figures}\n" if figures else "")
            + f"<h2>Where the figures come from</h2>{provenance_html(entries)}<pre>{escape(commands)}</pre>\n</body></html>\n")


def csv_table(entries: Sequence[Entry]) -> str:
    """A line for each figure of each checkpoint and each cell of its leakage matrix, then what others published, which has no checkpoint."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["checkpoint", "variant", "dataset", "test pairs", "figure", "value", "standard error", "beside", "what is beside", "unit", "better", "about"])
    for entry in entries:
        about = [entry.name, entry.config["variant"]["name"], entry.config["dataset"], entry.card.get("pairs", "")]
        for line in lines(columns([entry])):
            cell = line.cells[0]
            writer.writerow([*about, line.key, *_plain(cell.value, cell.error, cell.reference), line.metric.beside, line.unit, line.metric.better, line.note or cell.reason])
        for cell in _cells(matrix(entry)):
            writer.writerow([*about, f"leakage/{cell.block}/{cell.factor}", *_plain(cell.value, cell.error, cell.ceiling), "reference code" if cell.ceiling is not None else "", "",
                             {True: "higher", False: "lower", None: "neither"}[cell.home], cell.measure])
    dataset = entries[0].config["dataset"] if entries else ""
    for line in lines(columns(entries)):
        for row in line.published:
            writer.writerow(["", row.model, dataset, "", line.key, *_plain(row.value), "", "", "", line.unit, line.metric.better, f"published, measured elsewhere: {row.source}"])
    return text.getvalue()


def _cells(found: Matrix | None) -> Sequence[MatrixCell]:
    return found.cells if found else ()


def _plain(*values: float | None) -> list[str]:
    return ["" if value is None else f"{value:.6g}" for value in values]


def latex_table(entries: Sequence[Entry]) -> str:
    """The leakage matrices, the table of figures and beside it what others published, as LaTeX; needs the package booktabs."""
    parts = ["% \\usepackage{booktabs}"]
    for entry in entries:
        found = matrix(entry)
        if found:
            rows = [[_tex(block.name), *(_tex_cell(cell) for cell in row)] for block, row in zip(found.blocks, found.rows, strict=True)]
            parts.append(f"% {_tex(entry.title)} ({_tex(entry.name)}): leakage; bold where the factor belongs\n"
                         + _tabular(["", *(_tex(factor.name) for factor in found.factors)], rows))
    over = columns(entries)
    rows, part = [], None
    for line in lines(over):
        if all(cell.value is None for cell in line.cells):
            continue
        if line.group != part:
            part = line.group
            rows.append([f"\\multicolumn{{{len(over) + 1}}}{{l}}{{\\emph{{{_tex(part)}}}}}"])
        unit, where = f" [{line.unit}]" if line.unit else "", f", {ALL_SPLITS}" if ALL_SPLITS in line.note else ""
        rows.append([_tex(f"{line.metric.title} {line.of}".strip() + unit + where), *(_tex_figure(cell, _decimals(line)) for cell in line.cells)])
    parts.append(f"% bold: better than every other model by more than {BOLD} standard errors of the difference, paired where the pairs are the same\n"
                 + _tabular(["", *(_tex(column.title) for column in over)], rows))
    quoted = [line for line in lines(over) if line.published]
    if quoted:
        theirs = list(dict.fromkeys((row.model, row.source) for line in quoted for row in line.published))
        values = [{(row.model, row.source): f"${row.value:.{_decimals(line)}f}$" for row in line.published} for line in quoted]
        rows = [[_tex(f"{line.metric.title} {line.of}".strip()), *(found.get(each, "---") for each in theirs)] for line, found in zip(quoted, values)]
        parts.append("% published, measured elsewhere on other data with other classifiers: " + "; ".join(f"{model}: {source}" for model, source in theirs) + "\n"
                     + _tabular(["", *(_tex(model) for model, _ in theirs)], rows))
    return "\n\n".join(parts) + "\n"


def standings_latex(over: Sequence[Column], rows: Sequence[Line]) -> str:
    """Many models below one another as LaTeX, as `standings_html` shows them; needs the package booktabs."""
    models = [[_tex(column.title), _tex(column.entries[0].name), " and ".join(f"{n:,}".replace(",", "{,}") for n in column.pairs),
               *(_tex_figure(line.cells[place], _decimals(line)) for line in rows)] for place, column in enumerate(over)]
    heads = ["", "checkpoint", "test pairs", *(_tex(f"{line.metric.title} {line.of}".strip() + (f" [{line.unit}]" if line.unit else "")) for line in rows)]
    return f"% \\usepackage{{booktabs}}\n% bold: better than every other model by more than {BOLD} standard errors of the difference\n{_tabular(heads, models)}\n"


def _tabular(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    listed = "\n".join(" & ".join(row) + r" \\" for row in rows)
    return f"\\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}\n\\toprule\n{' & '.join(head)} \\\\\n\\midrule\n{listed}\n\\bottomrule\n\\end{{tabular}}"


def _tex_cell(cell: MatrixCell) -> str:
    value = f"\\textbf{{{cell.value:.2f}}}" if cell.home else f"{cell.value:.2f}"
    return value + (f" ({cell.ceiling:.2f})" if cell.ceiling is not None else "")


def _tex_figure(cell: Cell, decimals: int) -> str:
    if cell.value is None:
        return "---"
    value = _shown(cell.value, decimals).replace("−", "-").replace(",", "{,}")
    value = f"\\mathbf{{{value}}}" if cell.best else value
    return f"${value}" + (_error(cell.error, decimals).replace("±", r"\pm") if cell.error else "") + "$"


_TEX = str.maketrans({"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
                      "\\": r"\textbackslash{}", "→": r"$\to$", "°": r"$^\circ$", "²": r"$^2$", "–": "--", "×": r"$\times$", "−": r"$-$"})


def _tex(text: str) -> str:
    """Text with what LaTeX would take for its own escaped."""
    return text.translate(_TEX)
