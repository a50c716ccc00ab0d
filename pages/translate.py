"""Translate: one modality into the other, the content of one image in the style of another, and what is kept."""

from __future__ import annotations

import csv
import html
import io
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from mmvae.checkpoints import CONFIG, Checkpoint, CheckpointError, digest, read_json
from mmvae.data import DATASETS, Factor, PairedDataset
from mmvae.explore import point_of, swap
from mmvae.inputs import InputError, Prepared, drawn, prepare, read_picture
from mmvae.model import CannotInfer
from mmvae.pictures import as_bytes, sheet, write_gif
from mmvae.point import Point
from mmvae.readers import Readers
from mmvae.translation import Kept, Translation, check, expected, heat, hits, joined, means, read, restyled, rows, scale_of, translate
from ui import datasets, figures, models, navigation, palette
from ui.canvas import canvas
from ui.cells import cells, image, link, scale
from ui.gallery import MOST, first_items, gallery
from ui.pairs import Pairs, pairs_of
from ui.translating import MOST_MODELS, MOST_SAMPLES, VIEWS, Given, Task, given_items, posterior_of, readers_of, rebuilt, thumbnails

STATE, ADDRESS = "translate", "translate address"
PICTURES = ["png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff"]
CHECKED = 64  # items that the check translates
CHECK_SAMPLES = 6
TITLES = {"translate": "Translate", "swap": "Swap", "check": "Check"}


def task() -> Task:
    return st.session_state[STATE]


def change(**changes) -> None:
    st.session_state[STATE] = replace(task(), **changes)


def take(name: str, **others) -> None:
    """Takes a field from the widget of its name."""
    change(**{name: st.session_state[f"translate {name}"]}, **others)


def follow_address() -> None:
    """Takes the task from the address where that asks for something new, from the session otherwise."""
    asked = st.query_params.to_dict()
    if STATE not in st.session_state or asked and asked != st.session_state.get(ADDRESS):
        st.session_state[STATE] = Task.parse(asked, models.names())


def source_of(name: str) -> str:
    """What a model was trained on: the name of a data set, or the path of a person's own."""
    config = read_json(models.path_of(name) / CONFIG)
    return config.get("source") or config["dataset"]


def label_of(name: str) -> str:
    """A model among those of its data set: its variant, and its own name where that says more."""
    config = read_json(models.path_of(name) / CONFIG)
    title, usual = config["variant"]["title"], f"{config['dataset']}-{config['variant']['name']}"
    return title if name == usual else f"{title} ({name})"


# ---- what is asked for

def controls(first: Checkpoint) -> None:
    """The bar above: data set, models, direction, view."""
    by_source: dict[str, list[str]] = {}
    for name in models.names():
        by_source.setdefault(source_of(name), []).append(name)
    here = source_of(task().models[0])
    names = first.model.names
    with st.container(key="translate-controls"):
        data_column, model_column, direction_column, view_column = st.columns([2.2, 4.4, 3, 2.4], vertical_alignment="bottom")
    with data_column:
        st.session_state["translate data"] = here
        st.selectbox("Data set", list(by_source), key="translate data", format_func=lambda source: DATASETS[source].title if source in DATASETS else Path(source).name,
                     on_change=lambda: change(models=(by_source[st.session_state["translate data"]][0],), to="", items=None, styles=None))
    with model_column:
        st.session_state["translate models"] = list(task().models)
        st.multiselect("Models, compared under the same codes", by_source[here], key="translate models", format_func=label_of, max_selections=MOST_MODELS,
                       select_all=False, on_change=lambda: change(models=tuple(st.session_state["translate models"]) or task().models))
    with direction_column:
        st.session_state["translate to"] = task().to
        st.segmented_control("Direction", [names[1], names[0]], key="translate to", required=True, width="stretch",
                             format_func=lambda to: f"{names[0] if to == names[1] else names[1]} → {to}", on_change=take, args=("to",))
    with view_column:
        st.session_state["translate view"] = task().view
        st.segmented_control("View", VIEWS, key="translate view", required=True, width="stretch", format_func=TITLES.get, on_change=take, args=("view",))


def inputs(opened: Checkpoint, data: PairedDataset | None, pairs: Pairs, modality: str) -> list[Given]:
    """The left column: images picked, uploaded or drawn."""
    row = next(m for m in opened.model.modalities if m.name == modality)
    styled = task().view == "swap" or task().view == "translate" and task().styled
    sketch = row.name == "mnist"
    tabs = st.tabs(["Test images", "Upload", *(["Draw"] if sketch else [])])
    found: list[Given] = []
    with tabs[0]:
        gallery(pairs, modality, task().items or (), lambda ids: thumbnails(opened, data, modality, ids), key=f"translate {opened.model.dataset} {modality}",
                on_pick=lambda ids: change(items=tuple(ids)), height=190 if styled else 292)
        found += given_items(task().items or (), pairs, data, modality)
        if data is None:
            st.caption("The images of this data set are not on this machine. What the model makes of its reference codes stands in; uploads"
                       f"{' and drawings' if sketch else ''} work as ever.")
            datasets.offer(opened.model.dataset)
    with tabs[1]:
        files = st.file_uploader("Pictures", type=PICTURES, accept_multiple_files=True, key="translate files", label_visibility="collapsed")
        for file in files[:MOST]:
            try:
                pixels, notes = read_picture(file)
                prepared = prepare(pixels, row)
            except InputError as error:
                st.error(f"{file.name}: {error}.", icon=":material/error:")
                continue
            preview(torch.from_numpy(pixels).permute(2, 0, 1), Prepared(prepared.image, notes + prepared.notes), file.name)
            found.append(Given(file.name, {modality: prepared.image}))
    if sketch:
        with tabs[2]:
            canvas(task().strokes, key="translate sheet", on_draw=lambda strokes: change(strokes=strokes))
            if task().strokes:
                try:
                    pixels = drawn(task().strokes)
                    prepared = prepare(pixels, row)
                    preview(torch.from_numpy(pixels).permute(2, 0, 1), prepared, "drawing")
                    found.append(Given("drawing", {modality: prepared.image}))
                except InputError as error:
                    st.error(f"{error}.", icon=":material/error:")
    return found


def styles(opened: Checkpoint, data: PairedDataset | None, pairs: Pairs, to: str) -> list[Given]:
    """Below the inputs: the images that private codes are taken from."""
    st.html(f'<div class="muted"><b>Style</b>: private codes of these {html.escape(to)} images</div>')
    gallery(pairs, to, task().styles or (), lambda ids: thumbnails(opened, data, to, ids), key=f"translate style {opened.model.dataset} {to}",
            on_pick=lambda ids: change(styles=tuple(ids)), height=150)
    return given_items(task().styles or (), pairs, data, to)


def preview(picture: Tensor, prepared: Prepared, name: str) -> None:
    """A picture beside what the model gets of it."""
    side = max(picture.shape[1:])
    small = picture[:, ::max(1, side // 192), ::max(1, side // 192)]
    uri = [figures.data_uri(figures.png(figures.to_uint8(x))) for x in (small, prepared.image)]
    st.html(f'<div class="preview"><img alt="{html.escape(name)}" src="{uri[0]}"><span>→</span>'
            f'<img alt="what the model gets of {html.escape(name)}" class="pixels" src="{uri[1]}">'
            f"<div><b>{html.escape(name)}</b><br>{html.escape(' · '.join(prepared.notes))}</div></div>")


# ---- translate

def sample_controls(opened: Sequence[Checkpoint], to: str) -> st.delta_generator.DeltaGenerator:
    """Where private codes come from, how many, which noise; the place for the export."""
    private = any(block.owner == to for one in opened for block in one.model.blocks)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="translate-bar"):
        st.session_state["translate styled"] = task().styled
        st.segmented_control("Private codes", [False, True], key="translate styled", required=True, disabled=not private, on_change=take, args=("styled",),
                             format_func=lambda styled: "of other images" if styled else "from the prior")
        if not task().styled:
            st.session_state["translate samples"] = task().samples
            st.number_input("Samples", 1, MOST_SAMPLES, key="translate samples", on_change=take, args=("samples",), width=110)
            st.session_state["translate seed"] = task().seed
            st.number_input("Seed", 0, 2**31 - 1, key="translate seed", on_change=take, args=("seed",), width=150)
            st.button("New noise", icon=":material/casino:", on_click=lambda: change(seed=random.randrange(10_000)), key="translate noise")
        return st.container(width="content")


def translations(opened: Sequence[Checkpoint], given: Sequence[Given], style: Sequence[Given], source: str, to: str) -> tuple[list[tuple[Checkpoint, Translation]], list[str]]:
    """The translations of those models that can, and the words of those that cannot."""
    done, refusals = [], []
    for one in opened:
        try:
            posteriors = [posterior_of(one, each, [source]) for each in given]
            if task().styled:
                found = restyled(one.model, posteriors, [posterior_of(one, each, [to]) for each in style], to)
            else:
                found = joined([translate(one.model, posterior, to, task().samples, task().seed) for posterior in posteriors])
            done.append((one, found))
        except ValueError as error:  # CannotInfer among them
            refusals.append(str(error))
    return done, refusals


def translate_view(opened: Sequence[Checkpoint], given: Sequence[Given], style: Sequence[Given], shown: Sequence[Tensor], factors: Sequence[Factor],
                   readers: Readers | None, source: str, to: str, place) -> None:
    if not given:
        st.info("Pick, upload or draw at least one image at the left.", icon=":material/arrow_back:")
        return
    if task().styled and not style:
        st.info("Pick at least one image at the left whose private code is taken.", icon=":material/arrow_back:")
        return
    given = [each.labelled_by(readers, source) for each in given]
    done, refusals = translations(opened, given, style, source, to)
    for refusal in dict.fromkeys(refusals):
        st.info(f"{refusal}.", icon=":material/block:")
    if not done:
        return
    readings = [read(readers, to, found.samples) if readers else {} for _, found in done]
    points = [[[point_at(one, found.codes, i, k, each, source) for k in range(found.samples.shape[1])] for i, each in enumerate(given)] for one, found in done]
    table = translation_table(given, shown, style, [(one, found, seen, at) for (one, found), seen, at in zip(done, readings, points)], factors, to)
    table += summary(given, done, readings, readers, factors, to)
    clicked = cells(table, key="translate cells", scheme=palette.theme())
    with place:
        export(given, shown, style, done, readings, points, factors, to)
    if clicked:
        st.switch_page(navigation.file_of("explore"), query_params={"point": clicked})


def point_at(one: Checkpoint, codes: Mapping[str, Tensor], i: int, k: int, given: Given, source: str) -> Point:
    """The point of one sample."""
    return point_of(one.path.name, weights_of(one), one.model, {name: code[i, k] for name, code in codes.items()}, item=given.item, observed=(source,))


def weights_of(one: Checkpoint) -> str:
    return _digests((one.path, models.version_of(one.path)))


_digests: models.Recent = models.Recent(32, lambda key: digest(key[0]))


def translation_table(given: Sequence[Given], shown: Sequence[Tensor], style: Sequence[Given], done, factors: Sequence[Factor], to: str) -> str:
    """Inputs in rows, one below the other for each model; mean, spread and samples in columns."""
    several = len(done) > 1
    samples = done[0][1].samples.shape[1]
    top = scale_of([found for _, found, _, _ in done])
    shared = [f for f in factors if f.owner is None]
    if task().styled:
        heads = "".join(f"<th>{image(each.images[to], each.title, small=True) if to in each.images else html.escape(each.title)}</th>" for each in style)
    else:
        heads = "".join(f"<th>{k + 1}</th>" for k in range(samples))
    judged = any(seen for _, _, seen, _ in done)
    head = (f'<tr><th class="first">input</th>{"<th></th>" if several else ""}<th>mean</th><th>std. dev.{scale(top)}</th>{heads}'
            f'{"<th>kept</th>" if judged else ""}</tr>')
    bodies = []
    for i, (each, picture) in enumerate(zip(given, shown)):
        lines = []
        for one, found, seen, points in done:
            right = verdicts(each, i, seen, factors, to)
            line = f'<td class="row">{html.escape(label_of(one.path.name))}</td>' if several else ""
            line += f'<td>{image(found.mean[i], "picture of the mean code")}</td><td>{image(heat(found.stddev[i], top), f"up to {float(found.stddev[i].max()):.2f}")}</td>'
            for k in range(samples):
                said = {name: factor_named(factors, name).format(values[i, k]) for name, values in seen.items()}
                title = ", ".join(f"{name} {text}" for name, text in said.items()) or f"sample {k + 1}"
                caption = "".join(verdict(said[f.name], right[f.name][k] if f.name in right else None) for f in shared if f.name in said)
                line += f"<td>{link(image(found.samples[i, k], title), points[i][k])}{f'<small>{caption}</small>' if seen else ''}</td>"
            if judged:
                kept = "<br>".join(f"{html.escape(f.name)} {int(right[f.name].sum())}/{samples}" for f in shared if f.name in right)
                line += f'<td class="row">{kept}</td>'
            lines.append(line)
        origin = html.escape(each.title) + (f" · read as {html.escape(shared_text(each, shared))}" if each.read else "")
        first = f'<td class="first" rowspan="{len(lines)}">{image(picture, each.title)}<small>{origin}</small></td>'
        bodies.append(f'<tbody class="group"><tr>{first}{lines[0]}</tr>{"".join(f"<tr>{line}</tr>" for line in lines[1:])}</tbody>')
    reserve = 12 + 96 * several + 80 * judged  # pixels of the columns that hold words
    return f'<table style="--columns: {samples + 3}; --reserve: {reserve}px"><thead>{head}</thead>{"".join(bodies)}</table>'


def factor_named(factors: Sequence[Factor], name: str) -> Factor:
    return next(factor for factor in factors if factor.name == name)


def shared_text(given: Given, shared: Sequence[Factor]) -> str:
    return " ".join(f.format(given.labels[f.name]) for f in shared if f.name in given.labels)


def verdicts(given: Given, i: int, seen: Mapping[str, np.ndarray], factors: Sequence[Factor], to: str) -> dict[str, np.ndarray]:
    """Which samples of input i are right in what should be kept or neutral, {factor: bool [S]}."""
    wanted = expected(factors, {name: np.array([value]) for name, value in given.labels.items()}, to) if given.labels else {}
    return {name: right[0] for name, right in hits({name: values[i:i + 1] for name, values in seen.items()}, wanted, factors).items()}


def verdict(text: str, right: bool | None) -> str:
    """A reading with its mark; the sign says what the colour says."""
    if right is None:
        return f" {html.escape(text)}"
    return f' <span class="{"good" if right else "bad"}">{html.escape(text)}{"✓" if right else "✗"}</span>'


def summary(given: Sequence[Given], done, readings, readers: Readers | None, factors: Sequence[Factor], to: str) -> str:
    """The share of all samples that kept each shared factor, with what the readers reach on real images."""
    shared = [f for f in factors if f.owner is None]
    if readers is None or not any(each.labels for each in given):
        return ""
    lines = []
    for (one, found), seen in zip(done, readings):
        marks = [verdicts(each, i, seen, factors, to) for i, each in enumerate(given) if each.labels]
        values = "".join(f'<td class="number">{100 * np.mean([mark[f.name] for mark in marks]):.0f} %</td>' for f in shared)
        lines.append(f"<tr><td>{html.escape(label_of(one.path.name))}</td>{values}</tr>")
    ceiling = "".join(f'<td class="number">{ceiling_text(readers.accuracy.get(to, {}).get(f.name, {}))}</td>' for f in shared)
    heads = "".join(f'<th class="number">{html.escape(f.name)}</th>' for f in shared)
    count = len(given) * done[0][1].samples.shape[1]
    return (f'<h4>Kept in {count} samples</h4><table class="figures"><tr><th></th>{heads}</tr>{"".join(lines)}'
            f"<tr><td>readers on real images (ceiling)</td>{ceiling}</tr></table>")


def ceiling_text(figures_of: Mapping[str, float]) -> str:
    value = figures_of.get("accuracy", figures_of.get("within_step"))
    return "–" if value is None else f"{100 * value:.0f} %"


# ---- export

def export(given: Sequence[Given], shown: Sequence[Tensor], style: Sequence[Given], done, readings, points, factors: Sequence[Factor], to: str) -> None:
    """The picture, its motion, its figures, and the ways back to it."""
    found = [each for _, each in done]
    above = [each.images[to] for each in style if to in each.images] if task().styled else []
    files = [each.title for each in given if each.item is None and each.title != "drawing"]
    command, address = task().command(files), address_of(task())
    with st.popover("Export", icon=":material/download:"):
        with st.container(horizontal=True):
            st.download_button("PNG", lambda: figures.png(sheet(rows(shown, found, above)), {"mmvae:link": address, "mmvae:command": command}),
                               "translation.png", "image/png", on_click="ignore")
            st.download_button("GIF", lambda: gif(shown, found), "translation.gif", "image/gif", on_click="ignore")
            st.download_button("CSV", lambda: table_of(given, done, readings, points, factors, to), "translation.csv", "text/csv", on_click="ignore")
        st.caption("Link to this page" + ("; uploaded pictures do not travel with it" if files else ""))
        st.code(address, language=None, wrap_lines=True)
        st.caption("The same picture from the command line")
        st.code(command, language="bash", wrap_lines=True)


def address_of(asked: Task) -> str:
    from urllib.parse import urlencode

    base = (st.context.url or "").split("?")[0]
    return f"{base}?{urlencode(asked.address())}"


def gif(shown: Sequence[Tensor], found: Sequence[Translation]) -> bytes:
    """Each input beside its samples, one a frame."""
    frames = [sheet([[picture, *(each.samples[i, k] for each in found)] for i, picture in enumerate(shown)], scale=3) for k in range(found[0].samples.shape[1])]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "translation.gif"
        write_gif(file, frames, seconds=0.4)
        return file.read_bytes()


def table_of(given: Sequence[Given], done, readings, points, factors: Sequence[Factor], to: str) -> bytes:
    """A line for each sample: where it came from, what readers see in it, and its point."""
    names = [f.name for f in factors if any(f.name in seen for seen in readings)]
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["model", "input", "item", "to", "sample", *names, *(f"{name} kept" for name in names), "point"])
    for (one, found), seen, at in zip(done, readings, points):
        for i, each in enumerate(given):
            right = verdicts(each, i, seen, factors, to)
            for k in range(found.samples.shape[1]):
                read_as = [factor_named(factors, name).format(seen[name][i, k]) for name in names]
                kept = [int(right[name][k]) if name in right else "" for name in names]
                writer.writerow([one.path.name, each.title, each.item if each.item is not None else "", to, k + 1, *read_as, *kept, at[i][k]])
    return buffer.getvalue().encode("utf-8-sig")


# ---- swap

def swap_view(opened: Sequence[Checkpoint], given: Sequence[Given], style: Sequence[Given], shown: Sequence[Tensor], source: str) -> None:
    """Shared code of each row with private codes of each column, in both modalities."""
    if not given or not style:
        st.info("Pick content (rows) and style (columns) at the left.", icon=":material/arrow_back:")
        return
    content = ""
    sheets: list[list[list[Tensor | None]]] = []
    for one in opened:
        try:
            row_codes, column_codes = means([posterior_of(one, each, [source]) for each in given]), means([posterior_of(one, each, one.model.names) for each in style])
            pictures = swap(one.model, row_codes, column_codes)
        except ValueError as error:
            st.info(f"{error}.", icon=":material/block:")
            continue
        matrices = ""
        for modality in one.model.modalities:
            heads = [style_picture(one, each, modality.name) for each in style]
            header = "".join(f"<th>{image(head, each.title)}<small>{html.escape(each.title)}</small></th>" for head, each in zip(heads, style))
            body = ""
            for i, (each, picture) in enumerate(zip(given, shown)):
                line = ""
                for k in range(len(style)):
                    z = {b.name: column_codes[b.name][k] if b.owner else row_codes[b.name][i] for b in one.model.blocks}
                    at = point_of(one.path.name, weights_of(one), one.model, z, item=each.item, observed=(source,))
                    line += f"<td>{link(image(pictures[modality.name][i, k], f'content {each.title}, style {style[k].title}'), at)}</td>"
                body += f'<tr><td class="first">{image(picture, each.title)}</td>{line}</tr>'
            matrices += (f'<div><h4>{html.escape(modality.title)}</h4><table style="--columns: {len(style) + 1}">'
                         f'<thead><tr><th class="first"></th>{header}</tr></thead><tbody class="group">{body}</tbody></table></div>')
            sheets.append([[None, *heads]] + [[picture, *pictures[modality.name][i]] for i, picture in enumerate(shown)])
        content += (f"<h4>{html.escape(label_of(one.path.name))}</h4>" if len(opened) > 1 else "") + f'<div class="matrices">{matrices}</div>'
    if not content:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="translate-bar"):
        st.caption("Rows give the shared code, columns the private codes. A cell opens in Explore.", width="stretch")
        with st.popover("Export", icon=":material/download:"):
            address = address_of(task())
            st.download_button("PNG", lambda: figures.png(side_by_side([as_sheet for as_sheet in map(sheet, sheets)]), {"mmvae:link": address}),
                               "swap.png", "image/png", on_click="ignore")
            st.caption("Link to this page")
            st.code(address, language=None, wrap_lines=True)
    clicked = cells(content, key="translate swap cells", scheme=palette.theme())
    if clicked:
        st.switch_page(navigation.file_of("explore"), query_params={"point": clicked})


def style_picture(one: Checkpoint, given: Given, modality: str) -> Tensor:
    if modality in given.images:
        return given.images[modality]
    return rebuilt(one.model, [posterior_of(one, given, one.model.names)], modality)[0]


def side_by_side(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures one below the other, on white."""
    wide = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(part, ((0, 8), (0, wide - part.shape[1]), (0, 0)), constant_values=255) for part in parts])


# ---- check

def check_view(opened: Sequence[Checkpoint], data: PairedDataset | None, readers: Readers | None, source: str, to: str) -> None:
    """Whether what is shared is kept, what is the source's own stays neutral, and the rest varies."""
    if readers is None:
        st.info(f"The check needs factor readers of this data set; `python -m mmvae readers --dataset {opened[0].model.dataset}` trains them.", icon=":material/info:")
        return
    if data is None:
        st.info("The check translates many test images, and they are not on this machine.", icon=":material/info:")
        return
    st.markdown(f"From **{source}** alone with {CHECK_SAMPLES} private codes of **{to}** each, over {CHECKED} random test images: "
                "what both share should be kept, what only the source shows should be neutral, what only the target shows may vary.")
    content = ""
    for one in opened:
        try:
            with st.spinner(f"Reading {CHECKED * CHECK_SAMPLES} pictures of {label_of(one.path.name)} …"):
                found = _checks((one.path.name, models.version_of(one.path), to))
        except CannotInfer as error:
            st.info(f"{error}.", icon=":material/block:")
            continue
        content += f"<h4>{html.escape(label_of(one.path.name))}</h4>{check_table(found)}"
    if content:
        cells(content, key="translate check cells", scheme=palette.theme())


def check_table(found: Sequence[Kept]) -> str:
    """Factors in rows: what should become of each, what was measured, and the readers' own ceiling."""
    lines = ""
    for each in found:
        measured, unit = each.measured, each.factor.unit
        if each.role == "free":
            should, kept, ceiling = "may vary", "", f"labels vary by {each.real_spread:.3g}{unit}" if not isnan(each.real_spread) else ""
        else:
            should = "kept" if each.role == "kept" else f"stays {each.factor.format(each.factor.neutral)}"
            within = f" within {measured.tolerance:.3g}{unit}" if measured.tolerance else ""
            kept = f"{100 * measured.kept.value:.0f} ± {100 * measured.kept.stderr:.0f} %{within}"
            ceiling = ceiling_text(each.ceiling)
            if "error" in each.ceiling:
                ceiling += f", error {each.ceiling['error']:.3g}{unit}"
        error = "" if isnan(measured.error) or each.role == "free" else f"{measured.error:.3g}{unit}"
        spread = "" if isnan(measured.spread) else f"{measured.spread:.3g}{unit}" if each.factor.kind == "ordered" else f"{100 * measured.spread:.0f} % differ"
        lines += (f"<tr><td>{html.escape(each.factor.name)}</td><td>{html.escape(should)}</td><td>{kept}</td><td class='number'>{error}</td>"
                  f"<td class='number'>{spread}</td><td>{ceiling}</td></tr>")
    return ('<table class="figures"><tr><th>factor</th><th>should be</th><th>read as such</th><th class="number">mean error</th>'
            f'<th class="number">spread over private codes</th><th>readers on real images</th></tr>{lines}</table>')


def _check(key: tuple) -> list[Kept]:
    name, _, to = key
    one = models.checkpoint(name)
    data = models.data_for(one)
    ids = data.split("test")
    ids = ids[np.random.default_rng(0).permutation(len(ids))[:CHECKED]]
    return check(one.model, data, readers_of(data.name), to, ids, CHECK_SAMPLES)


_checks: models.Recent = models.Recent(64, _check)


# ---- the page

@st.fragment
def page() -> None:
    if not models.names():
        st.info("No model is here yet. Train one, or open a checkpoint on the first page.", icon=":material/info:")
        return
    follow_address()
    try:
        here = source_of(task().models[0])
        opened = [models.checkpoint(name) for name in task().models if source_of(name) == here]
    except CheckpointError as error:
        st.error(str(error), icon=":material/error:")
        return
    first = opened[0]
    data = models.data_for(first)
    pairs = pairs_of(first, data)
    to = task().to if task().to in first.model.names else first.model.names[1]
    source = next(name for name in first.model.names if name != to)
    change(models=tuple(one.path.name for one in opened), to=to)
    if task().items is None:
        change(items=tuple(first_items(pairs, source, 4)))
    if task().styles is None:
        change(styles=tuple(first_items(pairs, to, 5)))
    controls(first)
    left, right = st.columns([1, 3.4], gap="medium")
    with left:
        given = inputs(first, data, pairs, source)
        styled = task().view == "swap" or task().view == "translate" and task().styled
        style = styles(first, data, pairs, to) if styled else []
    readers = readers_of(first.model.dataset)
    factors = data.factors if data is not None else pairs.factors
    with right:
        shown = [each.images[source] if source in each.images else rebuilt(first.model, [posterior_of(first, each, first.model.names)], source)[0] for each in given]
        if task().view == "translate":
            place = sample_controls(opened, to)
            translate_view(opened, given, style, shown, factors, readers, source, to, place)
        elif task().view == "swap":
            swap_view(opened, given, style, shown, source)
        else:
            check_view(opened, data, readers, source, to)
    address = task().address()
    st.query_params.from_dict(address)
    st.session_state[ADDRESS] = address


st.html("""<style>
.st-key-translate-controls [data-testid="stButtonGroup"] button, .st-key-translate-bar [data-testid="stButtonGroup"] button {min-height: 2.5rem}
[class*="st-key-gallery"] [data-testid="stButtonGroup"] button {min-width: 0; padding: 0 0.5rem; min-height: 1.6rem; height: 1.6rem}
[class*="st-key-gallery"] [data-testid="stButtonGroup"] > div {gap: 3px}
.preview {display: flex; align-items: center; gap: 8px; font-size: 0.78rem; line-height: 1.35}
.preview img {width: 64px; height: 64px; object-fit: contain; border-radius: 4px; background: #0003; flex: none}
.preview img.pixels {image-rendering: pixelated}
.preview div {min-width: 0; overflow-wrap: anywhere; opacity: 0.85}
</style>""")
page()
