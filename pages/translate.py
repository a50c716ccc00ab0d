"""Translate: one modality into the other, the content of one image in the style of another, and what is kept."""

from __future__ import annotations

import html
import random
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlencode

import streamlit as st
from torch import Tensor

from mmvae.checkpoints import Checkpoint, CheckpointError
from mmvae.data import Factor, PairedDataset
from mmvae.explore import point_of
from mmvae.inputs import HANDWRITING, InputError, drawn
from mmvae.model import CannotInfer
from mmvae.pictures import about
from mmvae.point import Point
from mmvae.presets import pairs_to_measure
from mmvae.readers import Readers
from mmvae.runs import command_line
from mmvae.translation import Translation, joined, label_of, read, restyled, swap_about, swap_sheet, swapped, translate, translation_about, translation_sheet
from ui import datasets, figures, models, navigation, palette
from ui.canvas import canvas
from ui.cells import cells
from ui.gallery import first_items, gallery
from ui.navigation import plain
from ui.pairs import Pairs, pairs_of
from ui.results import (
    Drawn, Exchanged, check_csv, check_table, csv_of, gif_of, summary, swap_csv, swap_gif, swap_table, translation_table)
from ui.task import PageTask
from ui.translating import (
    CHECKED, CHECK_SAMPLES, MOST_MODELS, MOST_SAMPLES, VIEWS, Given, Task, checked, given_items, posterior_of, readers_of, rebuilt, sizes_note, thumbnails, true_pictures)
from ui.uploading import Own, preview, uploaded

FIRST, DRAWING = "translate first", "drawing"
KINDS = {"PNG": "image/png", "GIF": "image/gif", "CSV": "text/csv"}
TITLES = {"translate": "Translate", "swap": "Swap", "check": "Check"}

task = PageTask("translate", Task)
change = task.change


def take(name: str) -> None:
    """Takes a field from the widget of its name."""
    change(**{name: st.session_state[f"translate {name}"]})


def shows_style() -> bool:
    """Whether private codes are taken from images."""
    return task().view == "swap" or task().view == "translate" and task().styled


def picked_or_first(pairs: Pairs, wanted: Mapping[str, tuple[str | None, int]]) -> dict[str, tuple[int, ...]]:
    """The pairs that a person picked; where nobody did, the first ones for the direction and view that are shown now.

    Those that were chosen for another direction or view may look all alike in this one, so they count as picked by nobody.

    Arguments:
        wanted: {field of the task: which modality's images, or None for whole pairs, and how many}.
    """
    before = st.session_state.get(FIRST, {})
    first = {name: tuple(first_items(pairs, modality, n)) for name, (modality, n) in wanted.items()}
    st.session_state[FIRST] = first
    given = {name: getattr(task(), name) for name in wanted}
    return {name: first[name] if ids is None or ids == before.get(name) else pairs.known(ids) for name, ids in given.items()}


# ---- what is asked for

def controls(first: Checkpoint) -> None:
    """The bar above: data set, models, direction, view."""
    by_source: dict[str, list[str]] = {}
    for name in models.names():
        by_source.setdefault(models.trained_on(name), []).append(name)
    here = models.trained_on(task().models[0])
    names = first.model.names

    def other_data() -> None:
        change(models=(by_source[st.session_state["translate data"]][0],), to="", items=None, styles=None, strokes="")

    def other_models() -> None:
        change(models=tuple(st.session_state["translate models"]) or task().models)

    with st.container(key="translate-controls"):
        data_column, model_column, direction_column, view_column = st.columns([2.2, 4.4, 3, 2.4], vertical_alignment="bottom")
    with data_column:
        st.session_state["translate data"] = here
        st.selectbox("Data set", list(by_source), key="translate data", format_func=models.data_titles(by_source).get, on_change=other_data)
    with model_column:
        st.session_state["translate models"] = list(task().models)
        st.multiselect("Models, compared under the same noise", by_source[here], key="translate models", format_func=models.variant_label_of,
                       max_selections=MOST_MODELS, select_all=False, on_change=other_models)
    with direction_column:
        st.session_state["translate to"] = task().to
        st.segmented_control("Direction", [names[1], names[0]], key="translate to", required=True, width="stretch", on_change=take,
                             args=("to",), format_func=lambda to: plain(f"{names[0] if to == names[1] else names[1]} → {to}"))
    with view_column:
        st.session_state["translate view"] = task().view
        st.segmented_control("View", VIEWS, key="translate view", required=True, width="stretch", format_func=TITLES.get,
                             on_change=take, args=("view",))


def inputs(opened: Checkpoint, data: PairedDataset | None, pairs: Pairs, source: str, here: str) -> list[Given]:
    """The left column: images picked, uploaded or drawn; one's own come first."""
    modality = next(m for m in opened.model.modalities if m.name == source)
    sketch = modality.name == HANDWRITING
    tabs = st.tabs(["Test images", "Upload", *(["Draw"] if sketch else [])])
    with tabs[0]:
        gallery(pairs, source, task().items or (), lambda ids: thumbnails(opened, data, source, ids),
                key=f"translate {opened.model.dataset} {source}", on_pick=lambda ids: change(items=tuple(ids)),
                height=190 if shows_style() else 292)
        if data is None:
            st.caption("The images of this data set are not on this machine. What the model makes of its reference codes stands in; "
                       f"uploads{' and drawings' if sketch else ''} work as ever.")
            datasets.offer(opened.model.dataset)
    with tabs[1]:
        own = uploaded(modality, "translate files", here)
    if sketch:
        with tabs[2]:
            canvas(task().strokes, key="translate sheet", on_draw=lambda strokes: change(strokes=strokes))
            if task().strokes:
                try:
                    sketched = Own.of(DRAWING, drawn(task().strokes), modality)
                    preview(sketched)
                    own.append(sketched.given(source))
                except InputError as error:
                    st.error(f"{error}.", icon=":material/error:")
    return own + given_items(task().items or (), pairs, data, source)


def styles(opened: Checkpoint, data: PairedDataset | None, pairs: Pairs, to: str, here: str) -> list[Given]:
    """Below the inputs: the images that private codes are taken from; to swap, whole pairs, for both have one."""
    whole = task().view == "swap"
    st.html(f'<div class="muted"><b>Style</b>: private codes of these {"pairs" if whole else f"{html.escape(to)} images"}</div>')
    shown = None if whole else to
    tabs = st.tabs(["Test pairs" if whole else "Test images", "Upload"], key="translate style tabs")
    with tabs[0]:
        gallery(pairs, shown, task().styles or (), lambda ids: thumbnails(opened, data, shown, ids),
                key=f"translate style {opened.model.dataset} {shown or 'pairs'}", on_pick=lambda ids: change(styles=tuple(ids)), height=150)
    with tabs[1]:
        own = uploaded(next(m for m in opened.model.modalities if m.name == to), "translate style files", here)
    return own + given_items(task().styles or (), pairs, data, to)


# ---- translate

def sample_controls(opened: Sequence[Checkpoint], to: str):
    """Where private codes come from, how many, which noise; returns the place for the export."""
    private = has_style(opened, to)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="translate-bar"):
        st.session_state["translate styled"] = task().styled
        st.segmented_control(
            "Private codes", [False, True], key="translate styled", required=True, disabled=not private, on_change=take, args=("styled",),
            format_func=lambda styled: "of other images" if styled else "from the prior",
            help="Samples draw the private code from its prior; or take it from images you pick, one a column." if private else
            f"No model chosen has a private code of {plain(to)}: all variation is that of the shared code.")
        if not task().styled:
            st.session_state["translate samples"] = task().samples
            st.number_input("Samples", 1, MOST_SAMPLES, key="translate samples", on_change=take, args=("samples",), width=110)
            st.session_state["translate seed"] = task().seed
            st.number_input("Seed", 0, 2**31 - 1, key="translate seed", on_change=take, args=("seed",), width=150)
            st.button("New noise", icon=":material/casino:", key="translate noise", on_click=lambda: change(seed=random.randrange(10_000)))
        return st.container(width="content")


def has_style(opened: Sequence[Checkpoint], to: str) -> bool:
    """Whether any of the models has a private code of `to`."""
    return any(block.owner == to for one in opened for block in one.model.blocks)


def translated(one: Checkpoint, given: Sequence[Given], style: Sequence[Given], source: str, to: str) -> Translation:
    """What a model makes of the inputs, as the task asks."""
    posteriors = [posterior_of(one, each, [source]) for each in given]
    if task().styled:
        return restyled(one.model, posteriors, [posterior_of(one, each, [to]) for each in style], to)
    return joined([translate(one.model, posterior, to, task().samples, task().seed) for posterior in posteriors])


def translate_view(opened: Sequence[Checkpoint], given: Sequence[Given], shown: Sequence[Tensor], style: Sequence[Given],
                   factors: Sequence[Factor], readers: Readers | None, source: str, to: str) -> None:
    """Samples, mean and spread of every input under every model."""
    place = sample_controls(opened, to)
    if not given:
        st.info("Pick, upload or draw at least one image at the left.", icon=":material/arrow_back:")
        return
    if task().styled and not style:
        st.info("Pick or upload at least one image at the left whose private code is taken.", icon=":material/arrow_back:")
        return
    given = [each.labelled_by(readers, source) for each in given]
    style = [each.labelled_by(readers, to) for each in style]
    done, refusals = [], []
    for one in opened:
        try:
            found = translated(one, given, style, source, to)
        except ValueError as error:  # CannotInfer among them
            refusals.append(str(error))
            continue
        points = [[point_at(one, {name: code[i, k] for name, code in found.codes.items()}, each, source)
                   for k in range(found.samples.shape[1])] for i, each in enumerate(given)]
        done.append(Drawn(one, found, read(readers, to, found.samples) if readers else {}, points))
    for refusal in dict.fromkeys(refusals):
        st.info(f"{plain(refusal, 1000)}.", icon=":material/block:")
    if not done:
        return
    above = style if task().styled else []
    table = translation_table(given, shown, above, done, factors, to) + summary(given, done, readers, factors, to)
    clicked = cells(table, key="translate cells", scheme=palette.theme())
    with place:
        export(given, shown, above, done, factors, source, to)
    open_point(clicked)


def point_at(one: Checkpoint, z: Mapping[str, Tensor], given: Given, source: str) -> Point:
    """The point of one code drawn for an input."""
    return point_of(one.name, models.digest_of(one), one.model, z, item=given.item, observed=(source,))


def open_point(text: str | None) -> None:
    """Goes to Explore where a cell was clicked."""
    if text:
        st.switch_page(navigation.file_of("explore"), query_params={"point": text})


def export(given: Sequence[Given], shown: Sequence[Tensor], style: Sequence[Given], done: Sequence[Drawn], factors: Sequence[Factor],
           source: str, to: str) -> None:
    """The picture, its motion, its figures, and the ways back to it."""
    found, called = [each.found for each in done], [each.by.name for each in done]
    above = [style_picture(done[0].by, each, to) for each in style]
    contents, named = [shown_of(each, factors, None) for each in given], [shown_of(each, factors, to) for each in style]
    seed = task().seed  # files are made in a thread that knows no session
    readings = [each.judged(given, style, factors, to) for each in done if each.seen]
    of = translation_about([about(each.by) for each in done], source, to, done[0].samples, None if style else seed)
    saves({"PNG": ("translation.png", lambda texts: figures.png(translation_sheet(shown, found, called, to, contents, above, named, readings, of), texts)),
           "GIF": ("translation.gif", lambda _: gif_of(shown, done)),
           "CSV": ("translation.csv", lambda _: csv_of(given, style, done, factors, to, seed))},
          task().command([each.by.name for each in done], files_of(given), files_of(style)), "The same picture from the command line",
          bool(files_of(given) or files_of(style)))


def shown_of(given: Given, factors: Sequence[Factor], owner: str | None) -> str:
    """What stands beside an input in a picture, of what is known of it."""
    return label_of(factors, {} if given.read else given.labels, owner, given.title if given.item is None else f"item {given.item}")


def saves(files: Mapping[str, tuple[str, Callable[[dict[str, str]], bytes]]], command: str, does: str, uploads: bool = False) -> None:
    """The files that a view is saved as, its link and its command.

    Arguments:
        files: {kind: (name, makes it when it is asked for, given the texts that a PNG carries)}.
        does: What the command does.
        uploads: Whether uploaded pictures are among the inputs.
    """
    address = address_of(task())
    texts = {"mmvae:link": address, "mmvae:command": command}
    with st.popover("Export", icon=":material/download:"):
        with st.container(horizontal=True):
            for kind, (name, made) in files.items():
                st.download_button(kind, lambda made=made: made(texts), name, KINDS[kind], on_click="ignore")
        st.caption("Link to this page" + ("; uploaded pictures do not travel with it" if uploads else ""))
        st.code(address, language=None, wrap_lines=True)
        st.caption(does)
        st.code(command, language="bash", wrap_lines=True)


def files_of(given: Sequence[Given]) -> list[str]:
    """The names of those that were uploaded."""
    return [each.title for each in given if each.item is None and each.title != DRAWING]


def address_of(asked: Task) -> str:
    """The link that brings a task back."""
    base = (st.context.url or "").split("?")[0]
    return f"{base}?{urlencode(asked.address())}"


# ---- swap

def swap_view(opened: Sequence[Checkpoint], data: PairedDataset | None, given: Sequence[Given], shown: Sequence[Tensor], style: Sequence[Given],
              factors: Sequence[Factor], readers: Readers | None, source: str) -> None:
    """Shared code of each row with private codes of each column, in both modalities."""
    if not given or not style:
        st.info("Pick or upload content (rows) and style (columns) at the left.", icon=":material/arrow_back:")
        return
    done = []
    for one in opened:
        try:
            found = swapped(one.model, [posterior_of(one, each, [source]) for each in given],
                            [posterior_of(one, each, one.model.names) for each in style], [each.images for each in style])
        except ValueError as error:
            st.info(f"{plain(str(error), 1000)}.", icon=":material/block:")
            continue
        points = [[point_at(one, found.code(one.model, i, k), each, source) for k in range(len(style))] for i, each in enumerate(given)]
        done.append(Exchanged(one, found, points))
    if not done:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="translate-bar"):
        st.caption("Rows give the shared code, columns the private codes. A cell opens in Explore.", width="stretch")
        truth = true_pictures(data, given, style)
        if truth and not st.toggle("True pictures", key="translate true", persist_state="session", help="Below each picture what it should show, and above all the mean squared error"):
            truth = {}
        found, called = [each.found for each in done], [each.by.name for each in done]
        contents = [shown_of(each, factors, None) for each in given]
        named = {name: [shown_of(each, factors, name) for each in style] for name in opened[0].model.names}
        of = swap_about([about(each.by) for each in done], source)
        saves({"PNG": ("swap.png", lambda texts: figures.png(swap_sheet(shown, found, called, contents, named, of), texts)),
               "GIF": ("swap.gif", lambda _: swap_gif(shown, done)),
               "CSV": ("swap.csv", lambda _: swap_csv(given, style, done, readers, factors))},
              task().command([each.by.name for each in done], files_of(given), files_of(style)), "The same picture from the command line",
              bool(files_of(given) or files_of(style)))
    content = ""
    for each in done:
        matrices = "".join(f"<div><h4>{html.escape(m.title)}{_off(each, truth, m.name)}</h4>{swap_table(given, shown, style, each, factors, m.name, truth.get(m.name))}</div>"
                           for m in each.by.model.modalities)
        title = f"<h4>{html.escape(models.variant_label_of(each.by.name))}</h4>" if len(opened) > 1 else ""
        content += f'{title}<div class="matrices">{matrices}</div>'
    open_point(cells(content, key="translate swap cells", scheme=palette.theme()))


def _off(one: Exchanged, truth: Mapping[str, Tensor], modality: str) -> str:
    """How far a modality's pictures are from the true ones, where these are shown."""
    return f" · mse {(one.found.pictures[modality] - truth[modality]).square().mean().item():.4f}" if truth else ""


def style_picture(one: Checkpoint, given: Given, modality: str) -> Tensor:
    """A style's picture of a modality, or what the model makes of its stored code."""
    if modality in given.images:
        return given.images[modality]
    return rebuilt(one.model, [posterior_of(one, given, one.model.names)], modality)[0]


# ---- check

def check_view(opened: Sequence[Checkpoint], data: PairedDataset | None, readers: Readers | None, source: str, to: str) -> None:
    """Whether what is shared is kept, what is the source's own stays neutral, and the rest varies."""
    if readers is None:
        if data is not None and not data.factors:
            st.info("The check asks whether factors are kept, and none are given of these pairs.", icon=":material/info:")
        else:
            command = command_line(["readers", "--dataset", data.name if data else opened[0].model.dataset])
            st.info("The check needs factor readers of this data set, and there are none here. This trains them:", icon=":material/info:")
            st.code(command, language="bash")
        return
    if data is None:
        st.info("The check translates many test images, and they are not on this machine.", icon=":material/info:")
        datasets.offer(opened[0].model.dataset)
        return
    found = {}
    for one in opened:
        try:
            with st.spinner(f"Reading {CHECKED * CHECK_SAMPLES} pictures of {plain(models.variant_label_of(one.name))} …"):
                found[one.name] = checked(one, to)
        except CannotInfer as error:
            st.info(f"{plain(str(error), 1000)}.", icon=":material/block:")
    if not found:
        return
    here, pairs = len(data.split("test")), pairs_to_measure(data.factors)  # of these, the command translates half
    with st.container(horizontal=True, vertical_alignment="center", key="translate-bar"):
        st.caption(f"From {plain(source)} alone, {CHECK_SAMPLES} samples of {plain(to)} for each of {min(CHECKED, here)} random test images; in brackets 95 % intervals over "
                   "the images. Factor readers judge; a line on a bar is what they reach on real images.", width="stretch")
        saves({"CSV": ("check.csv", lambda _: check_csv(found, to))}, "\n".join(command_line(["evaluate", name]) for name in found),
              f"Measures translations both ways on {min(pairs // 2, here):,} test pairs, and all else that Compare shows on up to {pairs:,} pairs")
    cells(check_table({models.variant_label_of(name): factors for name, factors in found.items()}), key="translate check cells", scheme=palette.theme())


# ---- the page

@st.fragment
def page() -> None:
    if not models.names():
        st.info("No model is here yet. Train one, or open a checkpoint on the first page.", icon=":material/info:")
        return
    if task.follow():
        st.session_state.pop(FIRST, None)
    try:
        here = models.trained_on(task().models[0])
        opened = [models.checkpoint(name) for name in task().models if models.trained_on(name) == here]
        readers = readers_of(opened[0].model.dataset)
    except CheckpointError as error:
        st.error(plain(str(error), 1000), icon=":material/error:")
        return
    first = opened[0]
    data = models.data_for(first)
    pairs = pairs_of(first, data)
    asked = {*(task().items or ()), *(task().styles or ())}
    if strange := sorted(asked - set(pairs.known(asked))):
        st.warning(f"Not among the pairs to choose from here, and left out: {', '.join(map(str, strange[:10]))}{' …' if len(strange) > 10 else ''}.",
                   icon=":material/link_off:")
    to = task().to if task().to in first.model.names else first.model.names[1]
    source = next(name for name in first.model.names if name != to)
    change(models=tuple(one.name for one in opened), to=to, styled=task().styled and has_style(opened, to),
           strokes=task().strokes if HANDWRITING in first.model.names else "",
           **picked_or_first(pairs, {"items": (source, 4), "styles": (None if task().view == "swap" else to, 5)}))
    controls(first)
    if note := sizes_note([(models.variant_label_of(one.name), one.model) for one in opened]):
        st.caption(plain(note, 1000))
    if task().view == "check":
        check_view(opened, data, readers, source, to)
    else:
        left, right = st.columns([1, 3.4], gap="medium")
        with left:
            given = inputs(first, data, pairs, source, here)
            style = styles(first, data, pairs, to, here) if shows_style() else []
        with right:
            shown = [style_picture(first, each, source) for each in given]
            factors = data.factors if data is not None else pairs.factors
            if task().view == "swap":
                swap_view(opened, data, given, shown, style, factors, readers, source)
            else:
                translate_view(opened, given, shown, style, factors, readers, source, to)
    task.tell()


st.html("""<style>
.st-key-translate-controls [data-testid="stButtonGroup"] button,
.st-key-translate-bar [data-testid="stButtonGroup"] button {min-height: 2.5rem}
.st-key-translate-bar [data-testid="stWidgetLabel"] button {min-height: 0}
[class*="st-key-gallery"] [data-testid="stButtonGroup"] button {min-width: 0; padding: 0 0.5rem; min-height: 1.6rem; height: 1.6rem}
[class*="st-key-gallery"] [data-testid="stButtonGroup"] > div {gap: 3px}
</style>""")
page()
