"""What this is, the models as pictures to open, the variants explained, and the data on this machine."""

from __future__ import annotations

import html

import streamlit as st

from mmvae import DATASETS, VARIANTS
from mmvae.checkpoints import CARD, CONFIG, RUNS, SHIPPED, STATISTICS, CheckpointError, read_json
from mmvae.data import DataError, data_root
from mmvae.metrics import METRICS
from mmvae.pictures import as_bytes
from ui import datasets, figures, models, navigation, pictures, uploads
from ui.explaining import explain

THUMBS = 6
SHOWN = 6  # of the runs, until all are asked for
#: The model at the top: of the shipped faces it keeps a person best from picture to picture.
HERO = "faces-dmvae"


def hero(featured: str | None) -> None:
    """What this is, beside the picture of one model large."""
    words, picture = st.columns([5, 6], gap="large", vertical_alignment="center")
    with words, st.container(key="hero"):
        st.title("Two pictures, one code")
        st.markdown(
            "A two-modality VAE sees one thing twice – a head from another height and in another light, a digit in handwriting and on a house – "
            "and learns one latent code for both. Here you look inside: drag a dimension and watch both pictures follow, ask for one "
            "picture given the other, and see what the code keeps **private** to a picture and what both **share**."
        )
        if featured:
            if st.button("Start exploring", type="primary", icon=":material/tune:"):
                st.switch_page(navigation.file_of("explore"), query_params={"model": featured})
    with picture:
        if featured:
            st.html(film(featured, in_words=True))


def film(name: str, *, in_words: bool = False) -> str:
    """The moving picture of a model with what each of its columns walks through; `in_words` says it in words."""
    config = read_json(models.path_of(name) / CONFIG)
    if len(config["blocks"]) == 1:
        legend = '<span class="shared whole">the one shared code</span>'
    else:
        first, second = (html.escape(modality["title" if in_words else "name"]) for modality in config["modalities"])
        words = (f"private to the {first}: only the upper picture moves", "shared: both pictures move", f"private to the {second}: only the lower picture moves")
        texts = words if in_words else (first, "shared", second)
        legend = "".join(f'<span class="{hue}">{text}</span>' for hue, text in zip(("first", "shared", "second"), texts))
    return f'{pictures.filmstrip(name, models.title_of(config))}<div class="walks">{legend}</div>'


def card(name: str) -> None:
    """A model as a picture that opens it."""
    folder = models.path_of(name)
    try:
        config = read_json(folder / CONFIG)
        figures_line = measured(name, config)
        with st.container(key=f"model-{name}", border=True):
            st.html(film(name))
            st.page_link(navigation.file_of("explore"), label=f"**{navigation.plain(models.variant_label_of(name))}**", query_params={"model": name})
            st.html(f'<div class="card-figures">{figures_line}</div>')
    except (CheckpointError, KeyError) as error:
        st.warning(f"{navigation.plain(name)}: {navigation.plain(str(error), 1000)}")


def measured(name: str, config: dict) -> str:
    """What was measured of a model, in a line of HTML: from its card where it has one, else from its statistics."""
    folder = models.path_of(name)
    sizes = " + ".join(str(block["dim"]) for block in config["blocks"])
    parts = [f"<b>{sizes}</b> dimensions"]
    if folder.parent.name != SHIPPED:  # those stand under their data set's title
        parts.insert(0, html.escape(models.data_title_of(config)))
    if (folder / CARD).is_file():
        parts += kept_across(read_json(folder / CARD), config["dataset"])
    elif (folder / STATISTICS).is_file():
        blocks = read_json(folder / STATISTICS)["blocks"]
        parts.append(f"KL <b>{sum(sum(block['kl']) for block in blocks.values()):.1f}</b> nats")
    return "".join(f"<span>{part}</span>" for part in parts)


def kept_across(figures_card: dict, dataset: str) -> list[str]:
    """How well a translation keeps each shared factor, both ways."""
    shared = {factor.name for factor in DATASETS[dataset].factors if factor.owner is None} if dataset in DATASETS else set()
    ways: dict[str, list[str]] = {}
    for key, figure in figures_card["figures"].items():
        metric, _, of = key.partition("/")
        way, _, factor = of.partition("/")
        if "→" in way and factor in shared and metric in ("cross_coherence", "identity_kept", "preserved_error") and figure["value"] is not None:
            value = f"{figure['value']:.1f}{html.escape(figure.get('unit') or '')} off" if metric == "preserved_error" else f"{figure['value']:.0%}"
            about = html.escape(f"{METRICS[metric].title}: {METRICS[metric].explanation}")
            ways.setdefault(way, []).append(f'<span title="{about}">{html.escape(factor)} <b>{value}</b></span>')
    return [f"{html.escape(way)} {', '.join(found)}" for way, found in ways.items()]


def shelf(title: str, names: list[str]) -> None:
    """Models in rows."""
    st.subheader(title, anchor=False)
    with st.container(key=f"shelf-{title}"):
        for name in names:
            card(name)


def runs_shelf(names: list[str]) -> None:
    """The runs of this machine, the newest first: a few of them, and all where they are asked for."""
    newest = sorted(names, key=lambda name: models.version_of(models.path_of(name)), reverse=True)
    every = st.session_state.get("all runs", False)
    shelf("Runs on this machine", newest if every else newest[:SHOWN])
    if len(newest) > SHOWN:
        st.button("Fewer runs" if every else f"All {len(newest)} runs", key="runs shown", icon=":material/unfold_less:" if every else ":material/unfold_more:",
                  on_click=lambda: st.session_state.update({"all runs": not every}))


def uploads_shelf(names: list[str]) -> None:
    """The models that were brought, and the way to be rid of one."""
    shelf("Uploads", names)
    with st.popover("Remove an upload", icon=":material/delete:", type="tertiary"):
        doomed = st.selectbox("Upload", names, format_func=models.label_of, label_visibility="collapsed")
        st.markdown(f"Remove **{navigation.plain(doomed)}** with its weights and figures from this machine? This cannot be undone.")
        st.button("Remove it", type="primary", on_click=remove, args=(doomed,))


def remove(name: str) -> None:
    """Removes an uploaded model, and with it what is said of the file that it came in."""
    uploads.remove(name)
    st.session_state["upload turn"] = st.session_state.get("upload turn", 0) + 1


def variants() -> None:
    """Every variant in a table; the one selected with its graph, formula, trade and source."""
    st.header("Variants", anchor="variants")
    st.caption("Each is a row of data: blocks, encoders, fusion, prior and loss. Select one.")
    rows = list(VARIANTS.values())
    table, detail = st.columns([5, 6], gap="large")
    with table:
        chosen = st.dataframe(
            [{"variant": row.title, "private": row.private, "fusion": row.fusion, "terms": len(row.terms), "single": row.infers_from(frozenset({0}))} for row in rows],
            hide_index=True, on_select="rerun", selection_mode="single-row-required", key="variant", height=(len(rows) + 1) * 35 + 3,
            selection_default={"selection": {"rows": [list(VARIANTS).index("mumo")]}},
            column_config={
                "variant": st.column_config.TextColumn("Variant", width=130),
                "private": st.column_config.CheckboxColumn("Private", width=60, help="Whether each modality has a private code beside the shared one"),
                "fusion": st.column_config.TextColumn("Shared posterior", width=140, help="How the posterior of the pair comes about from the encoders"),
                "terms": st.column_config.NumberColumn("Terms", width=55, help="Terms of the loss"),
                "single": st.column_config.CheckboxColumn("From one", width=70, help="Whether the code can be inferred from one picture alone"),
            },
        ).selection.rows
    with detail:
        about(rows[chosen[0]])


def about(variant) -> None:
    """One variant: what it trades, its graph, its formula."""
    st.subheader(variant.title, anchor=False)
    st.markdown(variant.summary)
    explain(variant, DATASETS["faces"].modalities)
    st.caption(f"Source: {variant.source}")


def data_panel() -> None:
    """Each data set: what it is, some of its pairs, and the way to it where it is not here."""
    st.header("Data", anchor="data")
    st.caption(f"Data lies in {data_root()}. Models open without it: their codes of test pairs come along.")
    with st.container(key="shelf-data"):
        for row in DATASETS.values():
            with st.container(border=True, key=f"data-{row.name}"):
                st.subheader(row.title, anchor=False)
                show_pairs(row.name)
                st.html(f'<div class="muted">{html.escape(row.summary)}</div>')


def show_pairs(name: str) -> None:
    """A few test pairs of a data set, or how to get it."""
    try:
        data = models.data_named(name)
    except DataError as error:
        if name in datasets.WAYS:
            datasets.offer(name)
        else:
            st.html(f'<div class="muted">{html.escape(str(error))}</div>')
        return
    ids = data.split("test")
    images, _ = data.items(ids[:: max(1, len(ids) // THUMBS)][:THUMBS])
    cells = "".join(f'<img alt="" src="{figures.data_uri(figures.png(as_bytes(image)))}">' for batch in images.values() for image in batch)
    st.html(f'<div class="thumbs">{cells}</div>')
    source = getattr(data, "source", None)
    st.badge(f"here: {source}" if source and source != "official" else "here", icon=":material/check:", color="green")
    if source not in (None, "official"):
        datasets.offer(name, "Download all of SVHN")


def upload() -> None:
    """Opens a checkpoint from a file."""
    st.header("Open a checkpoint", anchor="open")
    given = st.file_uploader("The zip of a checkpoint's folder: config.json, weights.safetensors and what else it holds", type="zip",
                             key=f"upload {st.session_state.get('upload turn', 0)}", max_upload_size=64)
    if given is None:
        return
    if st.session_state.get("uploaded_id") != given.file_id:
        try:
            st.session_state.uploaded = uploads.take_in(given.getvalue(), given.name)
        except CheckpointError as error:
            st.error(navigation.plain(str(error), 1000), icon=":material/error:")
            return
        st.session_state.uploaded_id = given.file_id
        st.rerun()
    name, known = st.session_state.uploaded
    st.success(f"{'Already here as' if known else 'Opened as'} {navigation.plain(name)}", icon=":material/check:")
    st.page_link(navigation.file_of("explore"), label="Explore it", icon=":material/tune:", query_params={"model": name})


def nothing_here() -> None:
    """What to do where there is no model at all."""
    st.info("No model is on this machine yet. Train a first one, in about two minutes without any download, or open a checkpoint below.", icon=":material/info:")
    st.code("python -m mmvae train --variant joint-poe --dataset digits --out runs/first --steps 500", language="bash")


names = models.names()
shipped = [name for name in names if models.path_of(name).parent.name == SHIPPED]
running = [name for name in names if models.path_of(name).parent.name == RUNS]
others = [name for name in names if name not in shipped and name not in running]

hero(HERO if HERO in shipped else next(iter(shipped or names), None))
if not names:
    nothing_here()
for row in DATASETS.values():
    members = [name for name in shipped if read_json(models.path_of(name) / CONFIG).get("dataset") == row.name]
    if members:
        shelf(row.title, members)
if running:
    runs_shelf(running)
if others:
    uploads_shelf(others)
for line in models.unreadable():
    st.warning(f"Left out, since it cannot be read: {navigation.plain(line, 1000)}", icon=":material/warning:")
variants()
data_panel()
upload()
