"""Compare: two to four models on the same pair, what each part of their codes knows, and every measured figure."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from urllib.parse import quote

import plotly.graph_objects as go
import streamlit as st
from torch import Tensor

from mmvae import VARIANTS
from mmvae.checkpoints import CONFIG, Checkpoint, CheckpointError, read_json
from mmvae.comparison import KEY_GROUP, WORST, Column, Entry, Line, columns, entry_of, key_lines, lines, matrix, measured_on, pairs_seen
from mmvae.data import PairedDataset
from mmvae.embedding import params_to_json
from mmvae.matching import Effect, by_factor, by_index
from mmvae.model import CannotInfer
from mmvae.pictures import png
from mmvae.report import COLOURS, STYLE, csv_table, excerpt_html, html_report, latex_table, legend_html, matrix_html, provenance_html, standings_html, standings_latex, table_html
from mmvae.history import events, is_number
from mmvae.shipped_maps import first_map, maps_in
from ui import datasets, models, navigation, palette
from ui.compare_panel import Shown, compare_panel
from ui.comparing import LOSS, MOST, VIEWS, Task, before, command, curve, curves_of, effects_of, measure, measurement, smoothed, span_of, unlike
from ui.gallery import titled
from ui.map_panel import about, job_for, map_panel, warm
from ui.navigation import joined_names, plain
from ui.pairs import Pairs, pairs_of
from ui.panel import Beliefs, beliefs_of, draw
from ui.scrub import scrub
from ui.story import STORY, Known, Step, figures_of
from ui.task import PageTask
from ui.traversals import VALUES, frames
from ui.translating import Given, posterior_of

PANEL = "compare panel"
DASHES = ("solid", "dash", "dot", "dashdot")
AGREEMENT = {"agrees": "green", "agrees in part": "orange", "differs": "violet"}

task = PageTask("compare", Task)
change = task.change


# ---- what is compared


def choices() -> None:
    """The checkpoints and the view."""
    if task().view != "story":  # it brings its own
        what()
    offered = {name: title for name, title in VIEWS.items() if name != "story" or models.trained_on(task().models[0]) in ("faces", "basel-faces")}
    if task().view not in offered:
        change(view="leakage")
    st.session_state["compare view"] = task().view
    st.segmented_control("View", list(offered), key="compare view", format_func=offered.get, label_visibility="collapsed", width="stretch",
                         on_change=lambda: change(view=st.session_state["compare view"] or task().view))


def what() -> None:
    """The data set and the checkpoints."""
    alike = [name for name in models.names() if models.trained_on(name) == models.trained_on(task().models[0])]
    sets = list(dict.fromkeys(filter(None, map(models.trained_on, models.names()))))
    with st.container(horizontal=True, vertical_alignment="bottom", key="compare-bar"):
        if len(sets) > 1:
            st.session_state["compare dataset"] = models.trained_on(task().models[0])
            st.selectbox("Data set", sets, key="compare dataset", width=230, on_change=another_set,
                         format_func=models.data_titles(sets).get)
        if task().view != "results":  # all there are
            st.session_state["compare models"] = list(task().models)
            st.multiselect("Models side by side", alike, key="compare models", format_func=models.variant_label_of, max_selections=MOST, on_change=chosen)


def chosen() -> None:
    if st.session_state["compare models"]:
        change(models=tuple(st.session_state["compare models"]))


def another_set() -> None:
    of_set = [name for name in models.names() if models.trained_on(name) == st.session_state["compare dataset"]]
    st.session_state[task.key] = replace(Task.parse(Task(tuple(of_set)).address(), models.names()), view=task().view)


def entries(names: Sequence[str]) -> list[Entry]:
    return [entry_of(models.path_of(name), name) for name in names]


# ---- views of what was measured


def leakage_view(over: Sequence[Entry]) -> None:
    st.html(legend_html(over) + f'<div class="mx-row projected">{"".join(map(matrix_html, over))}</div>'
            '<div class="mx-note">Each cell: how well a block alone tells a factor of pairs that the probe has not seen; R² of boosted regression for ordered factors, '
            "a support vector machine's accuracy above chance for categorical ones. 0 is a guess.</div>")
    unmeasured(over)


def unmeasured(over: Sequence[Entry]) -> None:
    """For each model without a card: a button that measures it, how far that is, and the command."""
    missing = [entry.name for entry in over if not entry.card]
    if missing:
        running = measuring(missing)
        st.fragment(offer_measuring, run_every=1.0 if running else None)(missing, running)


def measuring(names: Sequence[str]) -> frozenset[str]:
    """Those of the models that are being measured now."""
    return frozenset(name for name in names if (one := measurement(name)) is not None and one.running)


def offer_measuring(missing: Sequence[str], under_way_before: frozenset[str]) -> None:
    if measuring(missing) != under_way_before:  # one has a card or ended without; or a fragment that was made while nothing ran would not be drawn again by itself
        st.rerun()
    under_way = {name: measurement(name) for name in missing}
    st.markdown(f"**Not measured yet:** {plain(', '.join(missing), 1000)}. A full measurement takes a few minutes.")
    for name, one in under_way.items():
        with st.container(horizontal=True, vertical_alignment="center", key=f"measure-{name}"):
            if one is not None and one.running:
                st.markdown(f":material/progress_activity: {plain(name)}: {plain(one.doing)} …", width=330)
            else:
                st.button(f"Measure {plain(name)}", key=f"measure {name}", icon=":material/straighten:", on_click=measure, args=(name,), width=330)
            st.code(command(name), language="bash")
        if one is not None and one.error:
            st.error(f"{plain(name)} could not be measured: {plain(one.error, 1000)}")


def figures_view(over: Sequence[Entry]) -> None:
    if not any(entry.card for entry in over):
        unmeasured(over)
        return
    with st.container(horizontal=True, vertical_alignment="center", key="compare-export"):
        st.markdown("Open a row for what it means; formulas are below the table.", width="stretch")
        names = "-".join(entry.config["variant"]["name"] for entry in over)
        item = task().item  # files are made in a thread that knows no session
        st.download_button("HTML report", lambda: report(over, item), f"compare-{names}.html", "text/html", on_click="ignore", icon=":material/download:",
                           help="One file with the matrices, this table and a traversal figure of each model")
        st.download_button("CSV", lambda: csv_table(over), f"compare-{names}.csv", "text/csv", on_click="ignore", icon=":material/download:")
        st.download_button("LaTeX", lambda: latex_table(over), f"compare-{names}.tex", "text/x-tex", on_click="ignore", icon=":material/download:")
    st.html(table_html(over, tex=False))
    unmeasured(over)
    with st.expander("Formulas and sources"):
        for metric in dict.fromkeys(line.metric for line in lines(columns(over))):
            st.markdown(f"**{metric.title}** — {metric.explanation} :gray[{metric.source}]")
            st.latex(metric.formula)
    with st.expander("Where the figures come from"):
        st.html(provenance_html(over))


def report(over: Sequence[Entry], item: int | None) -> str:
    """The report with each model's traversal figure of a pair in it."""
    drawn = {}
    for entry in over:
        low, *_, high = frames(entry.name, item)
        drawn[f"{entry.title} ({entry.name}): every dimension at −3, of one pair"] = png(low)
        drawn[f"{entry.title} ({entry.name}): every dimension at +3"] = png(high)
    return html_report(over, drawn)


# ---- every measured model of the data set


def results_view(dataset: str) -> None:
    """All measured models in one table: a row for each variant, its seeds taken together."""
    over = columns(measured_on(dataset))
    if not over:
        st.info("No model of this data set was measured yet.", icon=":material/straighten:")
        st.code(command(task().models[0]), language="bash")
        return
    offered = {KEY_GROUP: key_lines(over)}
    for line in lines(over):
        offered.setdefault(line.group, []).append(line)
    with st.container(horizontal=True, vertical_alignment="bottom", key="compare-results"):
        group = st.segmented_control("Figures", list(offered), default=KEY_GROUP, required=True, key="compare group", label_visibility="collapsed", width="stretch")
        shown = offered.get(group) or offered[KEY_GROUP]
        titles = {line.key: f"{line.metric.title} {line.of}" for line in shown if line.metric.better != "neither" or group == KEY_GROUP}
        wanted = st.selectbox("Order", [None, *titles], key=f"compare order {group}", format_func=lambda key: "by variant" if key is None else f"by {titles[key]}",
                              label_visibility="collapsed", width=270)
    if wanted is not None:
        over, shown = ordered(over, shown, wanted)
    with st.container(horizontal=True, vertical_alignment="center", key="compare-results-export"):
        st.markdown(f":gray[{sum(len(column.entries) for column in over)} measured models, those that differ in the seed alone as one.]", width="stretch")
        st.download_button("CSV", lambda: csv_table([entry for column in over for entry in column.entries]), f"models-{dataset}.csv", "text/csv", on_click="ignore",
                           icon=":material/download:", help="Every figure of every model")
        st.download_button("LaTeX", lambda: standings_latex(over, shown), f"models-{dataset}.tex", "text/x-tex", on_click="ignore", icon=":material/download:",
                           help="The table below, in its order")
    st.html(standings_html(over, shown))
    with st.expander("Where the figures come from"):
        st.html(provenance_html([entry for column in over for entry in column.entries]))


def ordered(over: Sequence[Column], shown: Sequence[Line], by: str) -> tuple[list[Column], list[Line]]:
    """The models with the best first by one figure, and the figures in the same order; last what has none."""
    line = next(line for line in shown if line.key == by)
    sign = 1 if line.metric.better == "lower" or line.key == WORST else -1
    places = sorted(range(len(over)), key=lambda i: (line.cells[i].value is None, sign * (line.cells[i].value or 0)))
    return [over[i] for i in places], [replace(each, cells=tuple(each.cells[i] for i in places)) for each in shown]


# ---- two maps


def maps_view(names: Sequence[str]) -> None:
    """The first maps of two models beside one another: one lasso selects the same pairs in both."""
    if len(names) < 2:
        st.info("Choose a second model above: a lasso in one map then selects the same pairs in the other.", icon=":material/scatter_plot:")
        return
    if len(names) > 2:
        both = st.pills("Two of them", list(names), selection_mode="multi", default=list(names[:2]), key=f"compare maps {' '.join(names)}", format_func=lambda name: plain(models.variant_label_of(name)),
                        label_visibility="collapsed")
        if len(both) != 2:
            st.info("Choose two of them.", icon=":material/scatter_plot:")
            return
        names = [name for name in names if name in both]
    warm()
    shown, wishes = [], []
    for name in names:
        opened = models.checkpoint(name)
        data = models.data_for(opened)
        found = [first_map(opened.model, data)] if data is not None else maps_in(opened.path, models.digest_of(opened))
        job = job_for(opened, data, *found[0]) if found else None
        if job is None:
            st.info(f"The map of {plain(models.variant_label_of(name))} needs the images of its data set, which are not on this machine.", icon=":material/info:")
            datasets.offer(models.trained_on(name))
            return
        choice, params = found[0]
        shown.append(about(job, opened))
        wishes.append({"model": name, **asdict(choice), "layout": params_to_json(params) if params else ""})
    before = st.session_state.get("compare map panel")
    view = before.view or {} if before else {}
    with st.container(horizontal=True, vertical_alignment="center", key="compare-maps"):
        st.markdown(":gray[Select in one map, by lasso, box or legend: the same pairs light up in the other.]", width="stretch")
        st.page_link(navigation.file_of("map"), label="Other blocks and methods", icon=":material/scatter_plot:",
                     query_params={"map": json.dumps(wishes, separators=(",", ":")), **{name: value for name, value in view.items() if value}})
    st.html("<style>:root {--above: 350px}</style>")  # what stands above the maps here, so that they end where the window does
    result = map_panel(shown, key="compare map panel")
    if result.open:
        st.switch_page(navigation.file_of("explore"), query_params={"point": result.open})


# ---- one pair in all models


def the_pair(opened: Sequence[Checkpoint]) -> tuple[Pairs, PairedDataset | None]:
    """Factors to find a pair by, steps through the list, and what codes are inferred from."""
    data = models.data_for(opened[0])
    pairs = pairs_of(opened[0], data)
    if not len(pairs.ids):
        st.caption("This data set is not on this machine, and the first model carries no reference pairs: the prior is shown.")
        return pairs, data
    if task().item is None or pairs.position(task().item) is None:
        change(item=pairs.plainest())
    at = pairs.position(task().item)

    def find(factor: str) -> None:
        wanted = {f.name: st.session_state[f"compare factor {f.name}"] for f in pairs.factors}
        change(item=pairs.nearest(wanted, factor))

    def go(position: int) -> None:
        change(item=int(pairs.ids[position % len(pairs.ids)]))

    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="compare-pair"):
        for factor in pairs.factors:
            shown = pairs.labels[factor.name][at].item()
            st.session_state[f"compare factor {factor.name}"] = shown
            st.selectbox(titled(factor), pairs.choices(factor, shown), key=f"compare factor {factor.name}", format_func=factor.format, width=118,
                         on_change=find, args=(factor.name,))
        st.button("‹ prev", key="compare previous", on_click=lambda: go(at - 1))
        st.button("random", key="compare random", on_click=lambda: go(random.randrange(len(pairs.ids))))
        st.button("next ›", key="compare next", on_click=lambda: go(at + 1))
        names = opened[0].model.names
        options = [(), *((name,) for name in names)]
        st.session_state["compare observed"] = task().observed if task().observed in options else ()
        st.selectbox("Codes inferred from", options, key="compare observed", width=180, format_func=lambda given: f"{given[0]} alone" if given else "both pictures",
                     on_change=lambda: change(observed=st.session_state["compare observed"]))
        st.session_state["compare match"] = task().by_factor
        st.selectbox("A slider moves", [False, True], key="compare match", width=250,
                     format_func=lambda factor: "the dimension that carries a factor" if factor else "dimensions of one index",
                     on_change=lambda: change(by_factor=st.session_state["compare match"]),
                     help="By factor: each model's dimensions are swept once, and readers say which factor of the pictures follows.")
    return pairs, data


def side_by_side(names: Sequence[str]) -> None:
    opened = [models.checkpoint(name) for name in names]
    pairs, data = the_pair(opened)
    item, at = task().item, pairs.position(task().item) if task().item is not None else None
    images, labels = {}, {}
    if at is not None:
        labels = {name: values[at].item() for name, values in pairs.labels.items()}
        images = data.items([item])[0] if data is not None else {}
    observed = task().observed if at is not None and set(task().observed) <= set(opened[0].model.names) else ()
    observed = observed or opened[0].model.names
    shown = [in_panel(one, images, item if at is not None else None, observed) for one in opened]
    if task().by_factor:
        with st.spinner("Sweeping every dimension to see what it changes …"):
            slots = by_factor([effects_of(one) for one in opened], pairs.factors)
    else:
        slots = by_index([one.model.blocks for one in opened])

    def draw_here() -> None:
        """Draws where the live path cannot be had."""
        asked = st.session_state[PANEL].draw
        if asked and len(asked["codes"]) == len(opened):
            st.session_state["compare drawn"] = {"id": asked["id"], "images": [draw(one.model, code, asked["id"])["images"] for one, code in zip(opened, asked["codes"])]}

    compare_panel(shown, slots, images=images, labels=labels, item=item if at is not None else None, observed=observed, key=PANEL, on_draw=draw_here,
                  drawn=st.session_state.pop("compare drawn", None))


def in_panel(opened: Checkpoint, images: dict[str, Tensor], item: int | None, observed: Sequence[str]) -> Shown:
    """A model with what it believes of the pair, or why it refuses."""
    title = models.variant_label_of(opened.name)
    if item is None:
        return Shown(opened, title, beliefs_of(opened.model, {}))
    try:
        posterior = posterior_of(opened, Given("", {name: image[0] for name, image in images.items()}, item), observed)
    except CannotInfer as error:
        return Shown(opened, title, None, str(error))
    return Shown(opened, title, Beliefs(posterior, {}, opened.model.positions(observed)))


# ---- training and traversals


def training_view(names: Sequence[str]) -> None:
    curves(names)
    st.subheader("Every dimension of one pair", anchor=False)
    item = "" if task().item is None else f"&item={task().item}"
    scrub("traversals", "Each dimension is set to", [(str(i), f"{value:+.1f}".replace("-", "−")) for i, value in enumerate(VALUES)], "/traversals",
          query=f"?models={quote(joined_names(names))}{item}", swings=True)
    st.caption("First column: the pair, or the code as decoded where the pair is not on this machine. Every other column: one dimension set to the value above, all others as the model encodes the pair.")


def curves(names: Sequence[str]) -> None:
    """The trainings in one figure, a line a model: the loss, or what of it means the same in every variant."""
    told = {name: events(models.path_of(name)) for name in names}
    offered = list(dict.fromkeys(title for each in told.values() for title in curves_of(each)))
    if not offered:
        st.caption("None of these carries the events of its training.")
        return
    shared = [title for title in offered if all(title in curves_of(each) for each in told.values())]
    by_default = next((title for title in shared if title != LOSS), LOSS)  # losses of unlike terms cannot be told apart by their height
    chosen = st.pills("Curve", offered, default=by_default, required=True, format_func=plain, key=f"compare curve {' '.join(names)}", label_visibility="collapsed") or by_default
    figure, means, drawn = go.Figure(), [], {}
    for name, colour, dash in zip(names, line_colours(), DASHES):
        config = read_json(models.path_of(name) / CONFIG)
        points, batch = curve(told[name], chosen), (config.get("training") or {}).get("batch_size")
        if points and is_number(batch):
            drawn[name] = config
            earlier, since = before(config)
            pairs = [earlier + step * batch for step, _ in points]
            means.append(smoothed(points))
            figure.add_scatter(x=pairs, y=[value for _, value in points], mode="lines", line=dict(width=1, color=colour), opacity=0.3,
                               hoverinfo="skip", showlegend=False)
            figure.add_scatter(x=pairs, y=[value for _, value in means[-1]], name=models.variant_label_of(name) + (f" ({since})" if since else ""), mode="lines",
                               line=dict(width=2.5, color=colour, dash=dash), hovertemplate="%{y:,.5~g}")
    figure.update_layout(height=270, margin=dict(l=0, r=0, t=8, b=0), legend=dict(orientation="h", y=1.02, yanchor="bottom", x=0), hovermode="x unified", showlegend=True)
    figure.update_yaxes(title="nats per pair", nticks=7, tickformat=",~r", range=span_of(means))
    figure.update_xaxes(title="pairs seen in training", type="log", dtick="D2", tickformat="~s")
    st.plotly_chart(figure, width="stretch", config={"displayModeBar": False})
    without = [plain(models.variant_label_of(name)) for name in names if name not in drawn]
    says = ("The sum of what each variant minimises: shapes compare, heights only between variants of the same terms." if chosen == LOSS else
            f"Given the pair, of training batches. These models' likelihoods of {plain(other)} differ: shapes compare, heights do not." if (other := unlike(list(drawn.values()), chosen)) else
            "Given the pair, of training batches: heights compare between variants too.")
    says += " Bold: the mean over near steps of the thin line, which jumps from batch to batch. The steep beginning may lie above the figure."
    st.caption(says + (f" None of this in {', '.join(without)}." if without else ""))


def line_colours() -> tuple[str, ...]:
    """A colour for each model, beside `DASHES`: equal lines are still seen to be two."""
    return *palette.BLOCKS[palette.theme()], palette.GREY[palette.theme()]


# ---- the story


def story_view() -> None:
    here = story_models()
    place = min(max(task().step, 0), len(STORY) - 1)
    with st.container(horizontal=True, gap="small", key="story-steps"):
        for i, step in enumerate(STORY):
            st.button(f"{i + 1} · {title_of(step.variant)}", key=f"story {i}", type="primary" if i == place else "secondary", width="stretch", on_click=change, kwargs={"step": i})
    step = STORY[place]
    name = here.get(step.variant)
    if name is None:
        st.markdown(f"**{step.asks}**")
        st.info(f"No {title_of(step.variant)} of the faces is here. This trains one:")
        st.code(f"python -m mmvae train --variant {step.variant} --dataset faces --out runs/faces-{step.variant}{step.options}", language="bash")
        return
    measured = {variant: entry for variant, name in here.items() if (entry := entry_of(models.path_of(name), name)).card}
    left, right = st.columns([1, 2], gap="medium")
    with left, st.container(key="story-told"):
        told(step, entry_of(models.path_of(name), name), measured, here)
    with right:
        beside = [other for other in (here.get("mumo"), name) if other]
        side_by_side(list(dict.fromkeys(beside)))


def told(step: Step, entry: Entry, measured: dict[str, Entry], here: dict[str, str]) -> None:
    """A step's question, matrix and answer, and the figures of that beside MuMo's."""
    st.markdown(f"#### {step.asks}")
    st.html(matrix_html(entry, words=False))
    if matrix(entry) is None:
        unmeasured([entry])
        return

    def swept(variant: str) -> Sequence[Effect]:
        return effects_of(models.checkpoint(here[variant])) if variant in here else ()

    answer = step.answer(Known(entry, {variant: other for variant, other in measured.items() if variant != step.variant}, swept))
    st.markdown(f"**Here.** {answer.text}  \n**Try.** {step.tries}")
    if step.seen:
        st.markdown(f"**The experiment's author**, after 300,000 steps of 64 pairs: {step.seen} :{AGREEMENT[answer.agrees]}-badge[ours {answer.agrees}] "
                    f":gray[These weights saw {pairs_seen(entry):,} pairs in training, the experiment's {300_000 * 64:,}.]")
    else:
        st.markdown(":gray[The experiment had none like it.]")
    against = [entry] if step.variant == "mumo" or "mumo" not in measured else [measured["mumo"], entry]
    st.html(excerpt_html(against, figures_of(against)))
    st.html(legend_html([entry]))


def story_models() -> dict[str, str]:
    """The checkpoint that stands for each variant of the story, {variant: name}; shipped ones first, as `models.names` lists them."""
    found: dict[str, str] = {}
    for name in models.names():
        if models.trained_on(name) == models.trained_on(task().models[0]):
            found.setdefault(read_json(models.path_of(name) / CONFIG)["variant"]["name"], name)
    return found


def title_of(variant: str) -> str:
    return VARIANTS[variant].title


# ---- the page


def compare() -> None:
    if not models.names():
        st.info("No model is here yet. Train one, or put a checkpoint into the folder `checkpoints`.")
        return
    task.follow()
    choices()
    names = task().models
    try:
        if task().view == "leakage":
            leakage_view(entries(names))
        elif task().view == "figures":
            figures_view(entries(names))
        elif task().view == "maps":
            maps_view(names)
        elif task().view == "results":
            results_view(models.trained_on(names[0]))
        elif task().view == "training":
            training_view(names)
        elif task().view == "story":
            story_view()
        else:
            side_by_side(names)
    except CheckpointError as error:
        st.error(plain(str(error), 1000))
    task.tell()


colours = COLOURS[palette.theme()]
st.html(f"""<style>:root {{--leak: {colours["leak"]}; --on-hue: {colours["on-hue"]}; --sheet: {colours["sheet"]}; --plain: inherit}}{STYLE}
[data-testid="stMainBlockContainer"] {{padding: 4.2rem 1.8rem 2rem}}
.st-key-compare-bar [data-testid="stMultiSelect"] {{min-width: min(100%, 420px)}}
.st-key-story-told [data-testid="stMarkdown"] h4 {{font-size: 1.25rem; padding: 0 0 .3rem}} .st-key-story-told .mx td {{height: 3.6rem}} .st-key-story-told .mx td b {{font-size: 1.35rem}}
.st-key-story-told .figures th:first-child {{min-width: 0}} .st-key-story-told .figures :is(th, td) {{font-size: .84rem; padding: 4px 0 4px 8px; white-space: nowrap}}
.st-key-story-told .figures th:first-child {{padding-left: 0; white-space: normal}} .st-key-story-told .figures td small {{display: inline}}
/* the matrices fill the height of the window, so that they are read from the last row of a room */
@media (min-width: 900px) {{
  .projected .mx td {{height: clamp(5.1rem, (100vh - 520px) / 4, 9.5rem)}} .projected .mx td b {{font-size: clamp(1rem, calc(var(--cell) * .33), 2.5rem)}}
  .projected .mx td small {{font-size: clamp(.6rem, calc(var(--cell) * .13), .9rem)}} .projected .mx p {{font-size: clamp(.88rem, .6rem + .9cqi, 1.05rem)}}
  .projected > .mx {{max-width: 900px}} .projected .mx tbody th {{font-size: 1.3rem}} .projected .mx thead th {{font-size: clamp(.66rem, calc(var(--cell) / var(--letters) / .6), 1.15rem)}}
}}
.stacks {{display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 640px), 1fr)); gap: 14px 28px}}
.stack img {{width: 100%; display: block; image-rendering: pixelated; border-radius: 3px; margin-top: 2px}}
.stack .heads {{display: grid; text-align: center; font-size: .78rem; font-weight: 600; color: var(--plain)}}
.stack .heads span {{border-bottom: 3px solid var(--hue, transparent); margin: 0 1px; color: var(--hue, inherit)}}
</style>""")
compare()
