"""Train: start a run, watch it learn, look back at how it did, and keep house among the runs."""

from __future__ import annotations

import html
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import streamlit as st
import torch

from mmvae import DATASETS, VARIANTS, runs, turns
from mmvae.checkpoints import LARGEST as MOST_DIMENSIONS
from mmvae.checkpoints import CONFIG, SHIPPED, WEIGHTS, CheckpointError, catalogue, read_json
from mmvae.comparison import entry_of, length_of, trainings_of
from mmvae.data import SPLITS, DataError, DatasetRow, Factor, PairedDataset
from mmvae.history import EVENTS
from mmvae.networks import DECODERS
from mmvae.presets import MOST_BETA, OPTIMIZERS, REFIT, SCALES, Settings, first_look_for, latents_for, modalities_for, own_row, published_for, settings_for
from mmvae.runs import Plan, Run, RunError
from mmvae.sources import run_name
from ui import datasets, models, navigation, palette
from ui.explaining import explain, weighed
from ui.navigation import plain
from ui.runs import Measuring, clock, curves, halt, halting, kl_strip, left, moment
from ui.scrub import scrub

#: What a preset sets.
PRESET = ("steps", "batch_size", "learning_rate", "warmup", "snapshot", "optimizer", "beta")
AS_SOURCE = "as its source"
DECODER_TITLES = {"": "Plain", "fine": "Fine", "wide": "Wide", "deep": "Deep"}
CLOSING = (
    "All but the first dimension of each private code are pressed to the prior. A model that has separated loses nothing there that is private; "
    "what those dimensions held of who or what is shown moves into the shared code."
)
PRESETS = {"look": "A first look in two minutes", "good": "Good", "published": "As published"}
RUNS, NEW, HISTORY, IMPORT = "Runs", "New run", "Shipped models", "Import"
VIEW, FILTER = "train-view", "train-filter"
#: The run last asked for; the last of these that was by a link; what was ticked, or gave up its name, since the page was drawn.
CHOSEN, LINKED, CLICKED, GONE = "train-chosen", "train-linked", "train-clicked", "train-gone"
MEASURING = "train-measuring"
BEGUN = "train-begun"  # the name of the run that the form began last, until the form is drawn again
LARGEST = 1024  # MB of a run's zip, as many as the server takes (.streamlit/config.toml); one of the faces has 90
ROW, ROWS = 29, 6  # pixels of a row of the table, and how many are shown before it scrolls
CHIPS = {
    "training": "blue",
    "starting": "blue",
    "stopping": "orange",
    "waiting": "gray",
    "elsewhere": "violet",
    "finished": "green",
    "stopped": "gray",
    "died": "red",
    "new": "gray",
}
#: Pages that show the newest snapshot.
OPENERS = (("explore", "Explore", ":material/tune:"), ("translate", "Translate", ":material/swap_horiz:"), ("map", "Map", ":material/scatter_plot:"))
STATES = {"elsewhere": "training elsewhere", "new": "never started"}


def main() -> None:
    st.html(f"<style>{STYLE}</style>")
    listed = runs.runs()
    if VIEW not in st.session_state:
        st.session_state[VIEW] = RUNS if listed else NEW
    with st.container(horizontal=True, vertical_alignment="center", key="train-head"):
        st.title("Train", anchor=False, width="content")
        view = st.segmented_control(
            "View", [RUNS, NEW, HISTORY, IMPORT], key=VIEW, required=True, label_visibility="collapsed", persist_state="session"
        )
        if view == RUNS and listed:
            st.text_input(
                "Filter",
                placeholder="Filter by name, data set, variant or state",
                key=FILTER,
                label_visibility="collapsed",
                icon=":material/search:",
                persist_state="session",
                width=380,
            )
    if view == NEW:
        new_run()
    elif view == HISTORY:
        history()
    elif view == IMPORT:
        import_run()
    elif listed:
        overview(listed)
    else:
        st.info("No run yet. Choose **New run** above; a first look takes two minutes.", icon=":material/model_training:")


# ---- the list, and the run chosen in it


def overview(listed: list[Run]) -> None:
    live = any(run.live for run in listed)
    asked = st.query_params.get("run")
    if asked != st.session_state.get(CHOSEN):
        st.session_state[CHOSEN] = st.session_state[LINKED] = asked
    chosen = next((run for run in listed if run.name == asked), listed[0])
    with st.container(key="table"):
        st.fragment(table, run_every=5 if live else None)(chosen.name)
    if asked not in (None, chosen.name):
        st.warning(f"No run “{plain(asked)}” on this machine; this is the newest.")
    with st.container(key="watch"):
        st.fragment(watch, run_every=2 if chosen.live else None)(chosen.name, chosen.state)


def table(shown: str) -> None:
    """The runs as rows; the one that is shown below is ticked."""
    if st.session_state.pop(CLICKED, shown) != shown:
        st.rerun()  # the rest of the page shows the run that was ticked
    asked = st.session_state.get(FILTER, "").lower().split()
    listed = [
        run
        for run in runs.runs()
        if all(word in f"{run.name} {run.dataset} {run.variant} {told_state(run)}".lower() for word in asked)
    ]
    linked = next((i for i, run in enumerate(listed) if run.name == st.session_state.get(LINKED)), 0)
    if linked >= ROWS:
        listed.insert(0, listed.pop(linked))  # else one would have to scroll for what a link opened
    names = [run.name for run in listed]
    rows = {
        "Run": names,
        "Data set": [run.dataset if run.dataset in DATASETS else models.data_title(run.dataset) for run in listed],
        "Variant": [VARIANTS[run.variant].title if run.variant in VARIANTS else run.variant for run in listed],
        "State": [told_state(run) for run in listed],
        "Progress": [run.step / run.steps if run.steps else 0.0 for run in listed],
        "Steps": [run.step for run in listed],
        "Validation": [run.validation for run in listed],
        "Pairs/s": [run.pairs_per_second for run in listed],
        "Minutes": [run.seconds / 60 for run in listed],
        "Left": [left(run.seconds_left) if run.seconds_left is not None else "" for run in listed],
        "Began": [datetime.fromtimestamp(run.began, UTC) for run in listed],
    }
    key = f"runs {hash(tuple(names))}"
    st.dataframe(
        rows,
        key=key,
        hide_index=True,
        height=38 + ROW * min(max(len(names), 1), ROWS),
        row_height=ROW,
        placeholder="–",
        selection_mode="single-row",
        on_select=lambda: choose(names, key),
        selection_default={"selection": {"rows": [names.index(shown)] if shown in names else [], "columns": []}},
        column_config={
            "Run": st.column_config.TextColumn(width="medium"),
            "Progress": st.column_config.ProgressColumn(min_value=0, max_value=1, format="percent", width="small"),
            "Steps": st.column_config.NumberColumn(format="localized", help="Updates done"),
            "Validation": st.column_config.NumberColumn(
                format="%.1f", help="The last validation's loss, nats per pair: compares runs of one variant on one data set"
            ),
            "Pairs/s": st.column_config.NumberColumn(format="%.0f"),
            "Minutes": st.column_config.NumberColumn(format="%.1f", help="Spent training"),
            "Began": st.column_config.DatetimeColumn(format="distance"),
        },
    )


def choose(names: list[str], key: str) -> None:
    rows = st.session_state[key].selection.rows
    if rows:
        st.query_params["run"] = st.session_state[CHOSEN] = st.session_state[CLICKED] = names[rows[0]]


def told_state(run: Run) -> str:
    return STATES.get(run.state, run.state)


def watch(name: str, state_before: str) -> None:
    """The chosen run: what it does, its curves and its pictures; told anew while it is live."""
    if st.session_state[VIEW] != RUNS or st.session_state.pop(GONE, None) == name:
        st.rerun()  # a button here, drawn apart from the rest of the page, has chosen another view, or the run goes by this name no more
    try:
        run = runs.run_named(name)
    except RunError:  # removed meanwhile from elsewhere
        st.error(f"There is no run “{plain(name)}” on this machine any more.", icon=":material/error:")
        return
    if run.state != state_before:
        st.rerun()  # the list and the buttons change with it
    heading(run)
    buttons(run)
    if run.state == "waiting":
        st.info(f"It waits for its turn{after(turns.ahead(run.path))}. Runs that are started here train one at a time on a device.", icon=":material/hourglass_top:")
    if run.state == "died":
        st.error(f"**{plain(run.name)} died at step {run.step:,}.** {plain(cause(run), 1000)} {way_out(run)}", icon=":material/heart_broken:")
    if not run.config:
        st.code(runs.log_tail(run.path) or "Waiting for the process to begin …", language=None, height=160)
        return
    told = runs.events(run.path)
    try:
        plan = run.plan
    except RunError as error:  # of a configuration that somebody changed by hand nothing can be drawn
        st.error(plain(str(error), 1000), icon=":material/error:")
    else:
        if told:
            draw(run, told)
        command = runs.command_line(runs.launched(run.path) or plan.arguments(run.path))
        st.html('<div class="label">Its command, from the program\'s folder</div>')
        st.code(command, language="bash", wrap_lines=True)
    if tail := runs.log_tail(run.path, 40):
        with st.expander("Log", expanded=not told):
            st.code(tail, language=None, height=240)


def draw(run: Run, told: list[dict]) -> None:
    """The curves in a row, and the pictures below."""
    charts(run.name, told, run.config)
    pictures(run, told)


def charts(name: str, told: list[dict], config: dict) -> None:
    """What was told, in a row: the KL of each dimension, the loss and its terms."""
    scheme = palette.theme()
    drawn = {"kl": kl_strip(told, config, scheme), **dict(zip(("total", "rebuilt", "rest"), curves(told, config, scheme)))}
    for column, (key, chart) in zip(st.columns([4, 3, 3, 3]), drawn.items()):
        chart.update_layout(height=drawn["kl"].layout.height)
        column.plotly_chart(chart, key=f"{key} {name}", config={"displayModeBar": False})


def heading(run: Run) -> None:
    variant = VARIANTS.get(run.variant)
    facts = [
        (f"{run.step:,} / {run.steps:,}", "steps"),
        (figure(run.validation), "validation"),
        (figure(run.loss), "loss"),
        (f"{run.pairs_per_second:,.0f}" if run.pairs_per_second else "–", "pairs/s"),
        (clock(run.seconds), "trained"),
        (left(run.seconds_left) if run.seconds_left is not None else "–", "left"),
        (html.escape(run.device) or "–", "device"),
    ]
    about = html.escape(f"{models.data_title(run.dataset)} · {variant.title if variant else run.variant}")
    if run.encoders:
        about += f" · new decoders for the codes of {html.escape(run.encoders)}"
    opened_as = name_in_lists(run)
    if opened_as not in (None, run.name):
        about += f" · listed as <b>{html.escape(opened_as)}</b>, for another model is named {html.escape(run.name)}"
    st.html(
        f'<div class="run-head"><div><span class="run-name">{html.escape(run.name)}</span> '
        f'<span class="chip {CHIPS.get(run.state, "gray")}">{told_state(run)}</span>'
        f'<div class="muted">{about}</div></div>'
        + facts_of(facts)
        + f'</div><div class="bar"><i style="width:{100 * run.step / max(run.steps, 1):.2f}%"></i></div>'
    )


def facts_of(facts: list[tuple[str, str]]) -> str:
    return "".join(f"<div class=fact><b>{value}</b><span>{name}</span></div>" for value, name in facts)


def name_in_lists(run: Run) -> str | None:
    """What other pages list it as; None before its first snapshot."""
    return next((name for name, folder in catalogue().items() if folder == run.path), None)


def after(names: Sequence[str]) -> str:
    """What a run waits for, in the words of a sentence."""
    return f", after {' and '.join(plain(name) for name in names)}" if names else ""


def figure(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}".replace("-", "−")


def cause(run: Run) -> str:
    """Why it ended, as far as its log tells."""
    last = run.message or runs.log_tail(run.path, 1).strip()
    if last.startswith("$ "):  # the command itself: the process said nothing
        last = ""
    if run.message or last.startswith("mmvae:") or "Error" in last:
        return f"It said: “{last.removeprefix('mmvae:').strip()}”."
    return "It ended without a word, as a process does that is killed or for which there is no memory." + (
        f" Its last line: “{last}”." if last else ""
    )


def way_out(run: Run) -> str:
    """What can be done about a run that died."""
    if run.diverged:
        return "Resumed, it would take the same steps to the same end: a lower learning rate may lead past it."
    return "It can be resumed from the last snapshot." if run.openable else ""


def plan_of(run: Run) -> Plan | None:
    """What would train it anew; None where its configuration does not say."""
    try:
        return run.plan
    except RunError:
        return None


def device_of(run: Run) -> str | None:
    """Where it would go on; None where that is what its settings say, or they say nothing."""
    plan = plan_of(run)
    return "cpu" if plan and plan.settings.device == "cuda" and not torch.cuda.is_available() else None


def buttons(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="run-buttons"):
        if run.state in ("training", "waiting", "starting"):
            soon = halting(run)
            st.button(
                "Stopping …" if soon else "Stop",
                icon=":material/stop:",
                on_click=attempt,
                args=(halt, run),
                help="As soon as its process has come up" if soon else "Saves a snapshot first",
                disabled=soon,
            )
        elif not run.live:
            device, plan = device_of(run), plan_of(run)
            if run.diverged:
                st.button(
                    "Duplicate with half the learning rate",
                    icon=":material/content_copy:",
                    type="primary",
                    on_click=duplicate,
                    args=(run, 0.5),
                )
            if run.state != "finished":
                st.button(
                    ("Resume" if run.step else "Start") + (" on the processor" if device else ""),
                    icon=":material/play_arrow:",
                    type="secondary" if run.diverged else "primary",
                    on_click=attempt,
                    args=(runs.resume, run, None, device),
                    help="It was begun on a GPU; there is none here that PyTorch can use" if device else None,
                )
            with st.popover("Continue for longer", icon=":material/more_time:", disabled=not run.config):
                steps = st.number_input(
                    "Steps in total", run.step + 1, value=max(run.steps, run.step, 1) * 2, step=500, key=f"longer {run.name}"
                )
                st.caption("The learning rate is held for the first half of the steps, so it rises again.")
                st.button("Continue", type="primary", on_click=attempt, args=(runs.resume, run, steps, device))
            with st.popover("Refit decoders", icon=":material/auto_fix_high:", disabled=not run.openable or not plan or bool(run.encoders)):
                st.markdown("A new run that keeps this one's encoders, and so every code, and fits new decoders to them: sharper pictures of the same latent space.")
                steps = st.number_input("Steps", 1, value=REFIT.steps, step=1000, key=f"refit {run.name}")
                st.button("Start", type="primary", on_click=refit, args=(run, steps), key=f"start refit {run.name}")
            with st.popover("Train on", icon=":material/moving:", disabled=not run.openable or not plan):
                st.markdown("A new run that begins with this one's weights and trains all of them on, with the same settings.")
                steps = st.number_input("Steps", 1, value=max(run.step, 1), step=1000, key=f"on {run.name}")
                spare = plan is not None and any(dim > 1 for dim in plan.private or ())
                closed = plan.settings.private_open if spare else 0  # what is closed would open again
                close = st.toggle("Close spare private dimensions", closed > 0, key=f"close {run.name}", disabled=not spare, help=CLOSING)
                st.button("Start", type="primary", on_click=train_on, args=(run, steps, closed or 1 if spare and close else 0), key=f"start on {run.name}")
        opened_as = name_in_lists(run)
        for page, label, icon in OPENERS if opened_as else ():
            st.page_link(
                navigation.file_of(page),
                label=label,
                icon=icon,
                query_params={"models" if page == "translate" else "model": opened_as},
            )
        st.button(
            "Duplicate with changes",
            icon=":material/content_copy:",
            on_click=duplicate,
            args=(run,),
            disabled=not run.config or bool(run.encoders),
        )
        with st.popover("Rename", icon=":material/edit:", disabled=run.live):
            name = st.text_input("New name", run.name, key=f"name {run.name}")
            st.button("Rename", key="rename", on_click=rename, args=(run, name), disabled=name == run.name)
        with st.popover("Export", icon=":material/download:", disabled=not run.openable):
            st.caption("One zip: configuration, events, weights, the state to resume from, the log, and the snapshots.")
            st.download_button("Download", lambda: runs.pack(run), f"{run.name}.zip", "application/zip", on_click="ignore")
        with st.popover("Delete", icon=":material/delete:", disabled=run.live):
            st.markdown(f"Delete **{plain(run.name)}** with its weights, snapshots and events? This cannot be undone.")
            st.button("Delete it", type="primary", on_click=remove, args=(run,))
    if complaint := st.session_state.pop("train-complaint", None):
        st.error(plain(complaint, 1000))


def attempt(action, *arguments) -> None:
    """Does what a button says; what speaks against it is shown where the button is."""
    try:
        action(*arguments)
    except (RunError, OSError) as error:
        st.session_state["train-complaint"] = str(error)


def refit(run: Run, steps: int) -> None:
    """Starts a run that fits new decoders to the codes of this one, and shows it."""
    name = runs.free_name(f"{run.name}-refitted")
    attempt(begin_refit, name, run, steps)
    if "train-complaint" not in st.session_state:
        st.query_params["run"] = st.session_state[CHOSEN] = st.session_state[CLICKED] = name


def begin_refit(name: str, run: Run, steps: int) -> None:
    runs.begin(name, replace(run.plan, encoders=str(run.path), began_with="", settings=replace(REFIT, steps=steps)))


def train_on(run: Run, steps: int, private_open: int) -> None:
    """Starts a run that goes on with the weights of this one, and shows it."""
    name = runs.free_name(f"{run.name}-on")
    attempt(begin_on, name, run, steps, private_open)
    if "train-complaint" not in st.session_state:
        st.query_params["run"] = st.session_state[CHOSEN] = st.session_state[CLICKED] = name


def begin_on(name: str, run: Run, steps: int, private_open: int) -> None:
    settings = replace(run.plan.settings, steps=steps, private_open=private_open)
    settings = replace(settings, device=device_of(run) or settings.device)  # it may have been trained on a machine with another
    runs.begin(name, replace(run.plan, encoders="", began_with=str(run.path), settings=settings))


def rename(run: Run, name: str) -> None:
    attempt(runs.rename, run, name)
    if "train-complaint" not in st.session_state:
        st.query_params["run"], st.session_state[GONE] = name, run.name


def remove(run: Run) -> None:
    attempt(runs.delete, run)
    if "train-complaint" not in st.session_state:
        st.query_params.pop("run", None)
        st.session_state[GONE] = run.name


def pictures(run: Run, told: list[dict]) -> None:
    """What the model made of fixed items at a snapshot: the newest while it trains, any of them afterwards."""
    kept = runs.snapshots(run.path)
    if not kept and run.openable:
        saved = [event["step"] for event in told if event["event"] == "snapshot"]
        kept = {saved[-1] if saved else run.step: WEIGHTS}  # trained before snapshots were kept
    if not kept:
        st.html('<div class="muted">Pictures come with the first snapshot.</div>')
        return
    steps = list(kept)
    if not run.live and len(steps) > 1:
        scrub(run.name, "Step: look back at how it learned", [(str(step), f"{step:,}") for step in steps], f"/moments/{quote(run.name)}")
        return
    st.html(f'<div class="label">At step {steps[-1]:,}, the newest snapshot{"; the next replaces it here" if run.live else ""}</div>')
    newest(run.path, kept[steps[-1]])


def newest(folder: Path, weights: str) -> None:
    """The pictures of one file of weights, or why there are none."""
    try:
        st.html(moment(folder, weights, (folder / weights).stat().st_mtime_ns))
    except (CheckpointError, OSError) as error:
        st.html(f'<div class="muted">These weights cannot be drawn: {html.escape(str(error))}</div>')


# ---- the trainings of shipped checkpoints


def history() -> None:
    """How a shipped checkpoint was trained: its curves, as far as it carries them, and what it draws."""
    shipped = {name: folder for name, folder in catalogue().items() if folder.parent.name == SHIPPED and (folder / EVENTS).is_file()}
    if not shipped:
        st.info("No shipped checkpoint carries the events of its training. `python -m mmvae ship` puts them in.", icon=":material/timeline:")
        return
    name = st.selectbox("Checkpoint", list(shipped), format_func=models.label_of, key="history", persist_state="session", width=420)
    folder = shipped[name]
    config, told = read_json(folder / CONFIG), runs.events(folder)
    record, settings = config.get("trained") or {}, config.get("training") or {}
    entry = entry_of(folder)
    seconds = [training.record.get("seconds") for training in trainings_of(entry)]
    facts = [
        (length_of(entry) or "–", "steps × pairs"),
        (str(settings.get("seed", "–")), "seed"),
        (figure(record.get("validation")), "validation"),
        (" + ".join(map(clock, seconds)) if all(seconds) else "–", "trained"),
        (html.escape(str(record.get("processor") or record.get("device") or "–")), "on"),
    ]
    st.html(f'<div class="run-head">{facts_of(facts)}</div>')
    if config.get("began_with"):
        st.html('<div class="label">Its last training, which went on with the weights of the one before</div>')
    if config.get("encoders"):
        st.html('<div class="label">Its last training: the encoders as the one before had left them, new decoders fitted to their codes</div>')
    charts(name, told, config)
    newest(folder, WEIGHTS)


# ---- a new run


def new_run() -> None:
    left, right = st.columns([5, 6], gap="large")
    with left:
        first, second = st.columns(2)
        name = first.selectbox(
            "Data set",
            list(DATASETS),
            format_func=lambda n: DATASETS[n].title if n in DATASETS else n,
            key="new-dataset",
            accept_new_options=True,
            on_change=forget_sizes,
            persist_state="session",
            help="Or the path of an .npz file or folder of your own pairs",
        )
        variant = VARIANTS[
            second.selectbox(
                "Variant",
                list(VARIANTS),
                index=list(VARIANTS).index("mumo"),
                format_func=lambda n: VARIANTS[n].title,
                key="new-variant",
                on_change=forget_sizes,
                persist_state="session",
            )
        ]
        name = os.path.expanduser(name)
        try:
            own = None if name in DATASETS else models.data_named(name)
        except DataError as error:
            st.error(plain(str(error), 1000))
            return
        row = own_row(own) if own else DATASETS[name]
        if own:
            st.caption(plain(" ".join([inventory(own), *own.notes]), 2000))
        plan = settings(variant, row, name)
        usual, begun = run_name(row.name, variant.name), st.session_state.pop(BEGUN, None)
        if begun and st.session_state.get("new-name") == begun:
            st.session_state["new-name"] = runs.free_name(begun)  # that name is taken now, and a second run is to have another
        chosen = st.text_input("Name", key="new-name", placeholder=usual, persist_state="session")
        start(plan, chosen or usual, name)
    with right:
        modalities = modalities_for(variant, row, likelihoods=plan.likelihoods, weights=plan.weights)
        st.markdown(f"**{variant.title}**{' · ours' if variant.own else ''} — {variant.summary}")
        explain(variant, modalities)
        st.caption(f"Source: {variant.source}. {weighed(modalities, plan.settings.beta)}")


def inventory(own: PairedDataset) -> str:
    """What a person's own pairs are read as, in a line: a factor that was taken for what it is not is noticed before it is trained with."""
    train, validation, test = (len(own.split(name)) for name in SPLITS)
    counts = f"{train + validation + test:,} pairs: {train:,} to train on, {validation:,} to validate and {test:,} to test with"
    return "; ".join([counts, *map(told_factor, own.factors)]) + "."


def told_factor(factor: Factor) -> str:
    """A factor's kind and its values, and whose it is: ``"angle: ordered, 0 to 90°"``, ``"shape: 3 classes"``."""
    values = f"ordered, {span(factor)}" if factor.kind == "ordered" else f"{len(factor.values)} classes"
    return f"{factor.name}: {values}" + (f", of {factor.owner} alone" if factor.owner else "")


def span(factor: Factor) -> str:
    """The least and the largest value of an ordered factor, to a hundredth of what is between them or finer."""
    low, high = factor.values[0], factor.values[-1]
    digits = 2 - math.floor(math.log10(high - low)) if high > low else 3
    first, last = (f"{round(value, digits) + 0.0:g}".replace("-", "−") for value in (low, high))
    return f"{first} to {last}" + (factor.unit if factor.unit == "°" else f" {factor.unit}".rstrip())


def forget_sizes() -> None:
    """Another variant or data set has other sizes and settings: the preset's are taken anew."""
    for key in [key for key in st.session_state if str(key).startswith("set-")]:
        del st.session_state[key]


def settings(variant, row: DatasetRow, dataset: str) -> Plan:
    offered = {"look": first_look_for(variant, row), "good": settings_for(variant, row), "published": published_for(variant, row)}
    offered = {key: value for key, value in offered.items() if value is not None}
    if "set-steps" not in st.session_state:
        sizes = {"private": row.private, "shared": row.shared if variant.private else row.joint} | latents_for(variant, row)
        fill(offered["look"], sizes["private"] if variant.private else None, sizes["shared"])
    if "set-weight-0" not in st.session_state:
        put_weights([m.weight for m in modalities_for(variant, row)])
    base = st.session_state["set-rest"]
    kept = stated(base)
    st.session_state["new-preset"] = next(
        (key for key, value in offered.items() if all(getattr(value, f) == getattr(kept, f) for f in PRESET)), None
    )
    st.segmented_control("Settings", list(offered), format_func=PRESETS.get, key="new-preset", on_change=apply, args=(offered,))
    if "published" not in offered:
        st.html('<div class="muted">For this variant on this data set no published settings are known to us.</div>')
    a, b, c, d = st.columns(4)
    number(a, "steps", "Steps", 1, 5_000_000, step=100, help="Updates of the parameters")
    number(b, "batch_size", "Pairs a step", 1, 4096, step=16)
    number(c, "learning_rate", "Learning rate", 1e-6, 1.0, step=1e-4, format="%g", help="The optimizer's; held for half of the steps, then linearly to zero")
    number(d, "warmup", "Warm-up", 0, 1_000_000, step=50, help="Steps over which the KL's factor rises from 0 to 1")
    a, b, c, d = st.columns(4)
    if variant.private:
        for column, index, modality in ((a, 0, row.modalities[0]), (c, 1, row.modalities[1])):
            column.number_input(
                f"z_{plain(modality.name)}",
                1,
                MOST_DIMENSIONS,
                key=f"set-private-{index}",
                persist_state="session",
                help=f"Dimensions private to {plain(modality.title)}",
            )
    b.number_input(
        "z_shared" if variant.private else "Latent size",
        1,
        MOST_DIMENSIONS,
        key="set-shared",
        persist_state="session",
        help="Dimensions of what both modalities share",
    )
    number(d, "seed", "Seed", 0, 2**31 - 1)
    a, b, c, d = st.columns(4)
    number(a, "snapshot", "Snapshot every", 1, 100_000, step=10, help="Steps between snapshots: each is validated, drawn, and can be resumed from")
    b.selectbox(
        "Optimizer",
        list(OPTIMIZERS),
        format_func=lambda n: OPTIMIZERS[n].title,
        key="set-optimizer",
        persist_state="session",
        help="SOAP is Adam in the eigenvectors of a second-order preconditioner: fewer, dearer steps",
    )
    c.selectbox(
        "Decoders",
        ["", *(name for name, finer in DECODERS.items() if all(modality.network in finer for modality in row.modalities))],
        format_func=DECODER_TITLES.get,
        key="set-decoders",
        persist_state="session",
        help="Plain ones mirror the encoders. Fine ones go on to finer maps and draw sharper pictures, at twice the arithmetic; wide and deep ones are sharper yet, at four and six times",
    )
    d.selectbox("Device", ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"], key="set-device", persist_state="session")
    a, b, c, d = st.columns(4)
    number(a, "beta", "β", 0.0, MOST_BETA, step=0.5, format="%g", help="Factor of every KL in the loss; 1 is the bound itself")
    likelihoods = ((), *((kind, kind) for kind in SCALES), st.session_state["set-judged"])
    b.selectbox("Likelihoods", list(dict.fromkeys(likelihoods)), format_func=lambda kinds: " and ".join(dict.fromkeys(kinds)) if kinds else AS_SOURCE, key="set-likelihoods",
                persist_state="session", help="Of pixels, in both modalities. A Gaussian's variance of ½ makes it the squared error, a Laplace's scale is 0.75")
    weights = []
    for column, index, modality in ((c, 0, row.modalities[0]), (d, 1, row.modalities[1])):
        weights.append(column.number_input(f"λ {plain(modality.name)}", 0.0, 1e6, format="%g", key=f"set-weight-{index}", persist_state="session",
                                           help=f"Weight of the log-likelihood of {plain(modality.title)}"))
    usual = tuple(m.weight for m in modalities_for(variant, row))
    private = (st.session_state["set-private-0"], st.session_state["set-private-1"]) if variant.private else None
    return Plan(variant.name, dataset, stated(base), private, st.session_state["set-shared"], decoders=st.session_state["set-decoders"],
                likelihoods=st.session_state["set-likelihoods"] or None, weights=None if tuple(weights) == usual else tuple(weights))


def number(column, field: str, label: str, low: float, high: float, **options) -> None:
    """A field of the form for a setting. What a run that is duplicated was begun with is never beyond its bounds."""
    begun = getattr(st.session_state["set-rest"], field)
    column.number_input(label, min(low, begun), max(high, begun), key=f"set-{field}", persist_state="session", **options)


def stated(base: Settings) -> Settings:
    """The settings of the form; what it does not ask for as in `base`."""
    return replace(base, **{field: st.session_state[f"set-{field}"] for field in (*PRESET, "seed", "device")})


def put(values: Settings, fields: tuple[str, ...] = PRESET) -> None:
    """Puts settings into the form."""
    for field in fields:
        st.session_state[f"set-{field}"] = getattr(values, field)


def put_weights(weights: Sequence[float]) -> None:
    for index, weight in enumerate(weights):
        st.session_state[f"set-weight-{index}"] = weight


def fill(values: Settings, private: tuple[int, int] | None, shared: int, decoders: str = "", likelihoods: tuple[str, str] | None = None) -> None:
    """Puts settings and sizes into the form."""
    put(values, (*PRESET, "seed"))
    st.session_state["set-rest"] = values  # the form asks for some of them alone
    st.session_state["set-device"] = "cuda" if values.device != "cpu" and torch.cuda.is_available() else "cpu"
    for index, dim in enumerate(private or ()):
        st.session_state[f"set-private-{index}"] = dim
    st.session_state["set-shared"] = shared
    st.session_state["set-decoders"] = decoders
    st.session_state["set-likelihoods"] = st.session_state["set-judged"] = likelihoods or ()  # of each modality its own, as a command may have said


def apply(offered: dict[str, Settings]) -> None:
    """Takes the settings of a preset, where one is chosen."""
    if chosen := offered.get(st.session_state["new-preset"]):
        put(chosen)


def start(plan: Plan, name: str, dataset: str) -> None:
    here = dataset not in DATASETS or datasets.is_here(dataset)
    if not here:
        st.warning("Its images are not on this machine yet.", icon=":material/download:")
        datasets.offer(dataset)
    expected(plan, here)
    st.html('<div class="label">The command this starts, from the program\'s folder, at low priority</div>')
    st.code(
        f"nice -n {runs.NICE} " + runs.command_line([*plan.arguments(runs.runs_folder() / name), "--wait"]),
        language="bash",
        wrap_lines=True,
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Start", type="primary", icon=":material/play_arrow:", disabled=not here):
            try:
                runs.begin(name, plan)
            except (RunError, OSError) as error:
                st.error(plain(str(error), 1000))
            else:
                st.query_params["run"], st.session_state[BEGUN] = name, name
                st.session_state["go-to-runs"] = True
                st.rerun()
        if turns.occupied(runs.runs_folder(), plan.settings.device):
            st.markdown(":gray[It will wait for its turn: runs started here train one at a time on a device.]", width="content")


def expected(plan: Plan, here: bool) -> None:
    """How long it will take: as measured here and now, else as the last run like it took."""
    measuring: Measuring | None = st.session_state.get(MEASURING)
    if measuring and measuring.running and measuring.plan.cost != plan.cost:
        measuring.stop()  # what it would tell is not asked for any more
        measuring = st.session_state[MEASURING] = None
    running = bool(measuring and measuring.running)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            "Measure",
            icon=":material/timer:",
            disabled=not here or running,
            help="Trains five steps in a process of its own, and throws them away",
        ):
            st.session_state[MEASURING] = Measuring(plan)
            st.rerun()
        st.fragment(told_time, run_every=0.5 if running else None)(plan, running)


def told_time(plan: Plan, measuring_before: bool) -> None:
    """The estimate, or how far the measurement has come; told anew while that goes on."""
    measuring: Measuring | None = st.session_state.get(MEASURING)
    if measuring and measuring.running:
        st.markdown(f":gray[Measuring: {measuring.doing} …]", width="stretch")
        return
    if measuring_before:
        st.rerun()  # the button is for use again
    st.markdown(estimate(plan, measuring), width="stretch")


def estimate(plan: Plan, measuring: Measuring | None) -> str:
    """How long the plan takes, and how that is known."""
    if measuring and measuring.plan.cost == plan.cost:
        if measuring.error:
            return f"Could not be measured: {plain(measuring.error, 1000)}"
        if known := measuring.measured:
            return (
                f"About **{clock(plan.settings.steps * known.seconds_per_step)}**: "
                f"{known.steps} steps took {known.steps * known.seconds_per_step:.1f} s, "
                f"{plan.settings.batch_size / known.seconds_per_step:,.0f} pairs/s on {known.device} in {known.precision}, "
                "beside whatever else ran."
            )
    if like := runs.last_alike(plan):
        return f"About **{clock(plan.settings.steps * like.seconds / like.step)}**, as {plain(like.name)} took {clock(like.seconds)} for {like.step:,} steps."
    return "How long it takes is not known before a few steps are measured."


def duplicate(run: Run, slower: float = 1.0) -> None:
    """Puts what would train a run anew into the form, its learning rate times `slower`."""
    try:
        plan = run.plan
    except RunError as error:
        st.session_state["train-complaint"] = str(error)
        return
    forget_sizes()
    st.session_state["new-dataset"], st.session_state["new-variant"] = plan.dataset, plan.variant
    fill(replace(plan.settings, learning_rate=slower * plan.settings.learning_rate), plan.private, plan.shared, plan.decoders, plan.likelihoods)
    if plan.weights:
        put_weights(plan.weights)
    st.session_state["new-name"] = runs.free_name(run.name)
    st.session_state[VIEW] = NEW


# ---- import


def import_run() -> None:
    st.markdown("A run exported here or on another machine, as one zip. Nothing in it is executed.")
    file = st.file_uploader("A run's zip", type="zip", label_visibility="collapsed", max_upload_size=LARGEST)
    if file and st.button("Import", type="primary", icon=":material/upload:"):
        try:
            name = runs.unpack(file.getvalue(), file.name)
        except (RunError, CheckpointError) as error:
            st.error(plain(str(error), 1000))
        else:
            st.query_params["run"] = name
            st.session_state["go-to-runs"] = True
            st.rerun()


STYLE = """
/* what is told anew every two seconds does not fade each time */
.st-key-watch [data-stale="true"], .st-key-table [data-stale="true"] {opacity: 1 !important; transition: none !important}
.st-key-run-buttons {margin: 2px 0 6px}
.run-head {display: flex; flex-wrap: wrap; gap: 6px 26px; align-items: flex-end; font-variant-numeric: tabular-nums}
.run-head > div:first-child {min-width: 260px}
.run-name {font-weight: 650; font-size: 1.15rem}
.scrub-pictures {min-height: 22rem}
.fact {display: flex; flex-direction: column; line-height: 1.25; min-width: 64px}
.fact b {font-weight: 600; font-size: 1rem}
.fact span, .label, .muted {font-size: 0.78rem; opacity: 0.7}
.chip {font-size: 0.75rem; padding: 1px 9px; border-radius: 9px; color: #fff; vertical-align: 2px}
.chip.blue {background: #1f6feb} .chip.green {background: #238636} .chip.red {background: #d03b36}
.chip.orange {background: #b35900} .chip.violet {background: #8250df} .chip.gray {background: #6b7480}
.bar {height: 4px; border-radius: 2px; background: rgba(128,128,128,.25); margin-top: 6px; overflow: hidden}
.bar i {display: block; height: 100%; background: var(--block-first); transition: width .6s}
.moment {display: grid; grid-template-columns: minmax(0, 5fr) minmax(0, 6fr); gap: 8px 28px}
@media (max-width: 800px) {.moment {grid-template-columns: minmax(0, 1fr)}}
@media (min-width: 1600px) {.moment {grid-template-columns: minmax(0, 4fr) minmax(0, 7fr)} .moment .traversal {grid-template-columns: 1fr 1fr; gap: 0 12px}}
.moment h5 {font-size: 0.85rem; margin: 4px 0; padding: 0}
.moment img {width: 100%; display: block; image-rendering: pixelated; border-radius: 3px}
.strips {display: grid; grid-template-columns: 5.6em minmax(0, 1fr); gap: 2px 8px; align-items: center; margin-bottom: 8px}
.strips span {font-size: 0.72rem; opacity: 0.7; text-align: right}
.traversal {display: grid; gap: 4px}
.heads {display: grid; text-align: center; font-size: 0.7rem}
.heads span {border-bottom: 3px solid var(--hue); margin: 0 1px}
.moment h5 b {color: var(--hue)}
"""

if st.session_state.pop("go-to-runs", False):
    st.session_state[VIEW] = RUNS  # before the control exists: it cannot be set afterwards
main()
