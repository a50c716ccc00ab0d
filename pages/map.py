"""Map: the codes of many pairs laid out in two dimensions, to look at, select from and walk over."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import streamlit as st
import torch

from mmvae.checkpoints import Checkpoint, CheckpointError, source_of
from mmvae.data import DATASETS, SPLITS, PairedDataset
from mmvae.embedding import TSNE, UMAP, Params, params_from_json, params_to_json
from mmvae.inputs import HANDWRITING, InputError, drawn
from mmvae.maps import COUNTS, EACH, PAIR, Choice, Job, check_choice, layouts_for, source_blocks
from mmvae.modalities import Modality
from mmvae.model import MultimodalVAE
from mmvae.shipped_maps import FIRST, first_map, maps_in
from ui import datasets, live, models, navigation, palette
from ui.canvas import canvas
from ui.map_panel import about, job_for, map_panel, own_columns, warm
from ui.navigation import plain
from ui.translating import Given
from ui.uploading import Own, preview, uploaded

#: The maps shown; what an address asked for whose maps are shown, and what one asked for last; what was wrong with it; how they are coloured
#: and shown; its parameter, and those of the latter.
SHOWN, FOLLOWED, ASKED, COMPLAINT, VIEW, ADDRESS = "map shown", "map followed", "map asked", "map complaint", "map view", "map"
VIEWED = ("colour", "show")
METHODS = {"plain": "As they are", "pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}


@dataclass(frozen=True)
class Wish:
    """One map: which model's codes, and how they are laid out.

    Arguments:
        params: None where codes are shown as they are.
    """

    model: str
    choice: Choice
    params: Params | None

    def as_json(self) -> dict:
        return {"model": self.model, **asdict(self.choice), "layout": params_to_json(self.params) if self.params else ""}

    @classmethod
    def from_json(cls, row: dict) -> Wish:
        """The wish of an address; a ValueError, KeyError or TypeError where it is none."""
        row = dict(row)
        model, layout = str(row.pop("model")), row.pop("layout")
        choice = Choice(**{**row, "blocks": tuple(map(str, row["blocks"]))})
        return cls(model, choice, params_from_json(layout) if layout else None)


# ---- what is asked for

def adopt(wishes: Sequence[Wish]) -> None:
    """Sets the widgets to what an address asks for."""
    state = st.session_state
    state["map second"] = len(wishes) > 1
    for which, wish in zip(("a", "b"), wishes):
        choice = wish.choice
        state[f"map {which} model"] = wish.model
        state[f"map {which} source {wish.model}"] = choice.source
        state[f"map {which} blocks {wish.model} {choice.source}"] = list(choice.blocks)
        state[f"map {which} sampled"] = choice.sampled
        state[f"map {which} method"] = wish.params.method if wish.params else "plain"
        for name, value in (asdict(wish.params) if wish.params else {}).items():
            if value is not None:
                state[f"map {which} {wish.params.method} {name}"] = value
    state["map split"], state["map count"] = wishes[0].choice.split, wishes[0].choice.count


def asked_by_address() -> list[Wish]:
    """The maps that the address asks for; none where it asks for none.

    Raises:
        ValueError: Where it makes no sense, or not on this machine; one line.
        CheckpointError: Where a model cannot be opened.
    """
    text, model = st.query_params.get(ADDRESS), st.query_params.get("model")
    if not text:
        return first_wishes(models.checkpoint(model)) if model else []
    try:
        found = [Wish.from_json(row) for row in json.loads(text)][:2]
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("not the text of a map") from None
    for wish in found:
        check_choice(models.checkpoint(wish.model).model, wish.choice)
        if models.trained_on(wish.model) != models.trained_on(found[0].model):
            raise ValueError(f"{found[0].model} and {wish.model} are of different data sets")
    return [no_larger_than_its_split(wish) for wish in found]


def no_larger_than_its_split(wish: Wish) -> Wish:
    """The wish with as many items as there are where it asks for more: a title tells their number."""
    data = models.data_for(models.checkpoint(wish.model))
    if data is None:
        return wish
    return replace(wish, choice=replace(wish.choice, count=min(wish.choice.count, len(data.split(wish.choice.split)))))


def first_wishes(opened: Checkpoint) -> list[Wish]:
    """The map that a model is shown with at first; none without its data set, unless it brings the map along."""
    data = models.data_for(opened)
    found = [first_map(opened.model, data)] if data is not None else maps_in(opened.path, models.digest_of(opened))
    return [Wish(opened.name, choice, params) for choice, params in found[:1]]


def code_choice(which: str, names: Sequence[str]) -> tuple[Checkpoint, str, tuple[str, ...], bool]:
    """Model, source, blocks, and whether samples instead of means."""
    name = st.selectbox("Model", names, key=f"map {which} model", format_func=models.short_label_of, persist_state="session")
    opened = models.checkpoint(name)
    model = opened.model
    if models.data_for(opened) is None:
        return opened, PAIR, (), False  # there is nothing to choose from
    sources = [source for source in (PAIR, EACH, *model.names) if source_blocks(model, source)]
    titles = {PAIR: "the pair", EACH: "each image", **{m: f"{m} alone" for m in model.names}}
    source = st.selectbox("Codes given", sources, key=f"map {which} source {name}", format_func=titles.get, persist_state="session",
                          help="Each image: two points a pair, one from each image alone; their distance is the modality gap.")
    blocks = source_blocks(model, source)
    shared = [b.name for b in model.blocks if b.owner is None]
    chosen = blocks
    if len(blocks) > 1:
        key = f"map {which} blocks {name} {source}"
        st.session_state.setdefault(key, shared)
        chosen = st.pills("Blocks", blocks, selection_mode="multi", key=key,
                          format_func=lambda block: plain(f"{block.removeprefix('z_')} {model.block(block).dim}"), persist_state="session")
    st.session_state.setdefault(f"map {which} sampled", False)
    sampled = st.segmented_control("Posterior", [False, True], key=f"map {which} sampled", persist_state="session", required=True,
                                   format_func=lambda sampled: "samples" if sampled else "means", width="stretch")
    return opened, source, tuple(b for b in blocks if b in chosen), bool(sampled)


def layout_choice(which: str, model: MultimodalVAE, blocks: Sequence[str]) -> Params | None:
    """The method with its parameters."""
    possible = layouts_for(model, blocks)
    key = f"map {which} method"
    if st.session_state.get(key) not in possible:
        st.session_state[key] = "plain" if possible[0] == "plain" else "umap"
    method = st.segmented_control("Method", possible, key=key, format_func=METHODS.get, required=True, persist_state="session", width="stretch")
    prefix = f"map {which} {method}"
    if method == "tsne":
        return TSNE(slider("Perplexity", 5.0, 100.0, 1.0, f"{prefix} perplexity", TSNE.perplexity), slider("Iterations", 250, 2000, 50, f"{prefix} iterations", TSNE.iterations))
    if method == "umap":
        return UMAP(slider("Neighbours", 5, 100, 1, f"{prefix} neighbours", UMAP.neighbours), slider("Least distance", 0.0, 1.0, 0.05, f"{prefix} min_dist", UMAP.min_dist))
    return params_from_json('{"method": "pca"}') if method == "pca" else None


def slider(label: str, low: float, high: float, step: float, key: str, default: float) -> float:
    """A slider that keeps its value when the page is left, and takes one that an address brought."""
    st.session_state[key] = min(max(st.session_state.get(key, default), low), high)
    return st.slider(label, low, high, step=step, key=key, persist_state="session", format="%.2f" if step < 1 else "%d")


def items_choice(data: PairedDataset) -> tuple[str, int]:
    """Split and number of items."""
    left, right = st.columns(2, gap="small")
    with left:
        st.session_state.setdefault("map split", SPLITS[2])
        split = st.selectbox("Split", SPLITS, key="map split", persist_state="session")
    most = len(data.split(split))
    with right:
        counts = [count for count in COUNTS if count < most] + [most]
        # the text that was shown, such as "all 1,000", where another model's split has no option of these words
        wanted = int("".join(filter(str.isdigit, str(st.session_state.get("map count", FIRST)))))
        st.session_state["map count"] = min(counts, key=lambda count: abs(count - wanted))
        count = st.selectbox("Items", counts, key="map count", persist_state="session", format_func=lambda count: f"all {count:,}" if count == most else f"{count:,}")
    return split, count


def choices() -> list[Wish] | None:
    """The left column: what would be drawn; None where a choice or the data is still missing."""
    names = models.names()
    for which in ("a", "b"):
        if st.session_state.get(f"map {which} model") not in names:
            st.session_state.pop(f"map {which} model", None)
    opened, source, blocks, sampled = code_choice("a", names)
    data = models.data_for(opened)
    if data is None:
        return first_wishes(opened) or None
    if not blocks:
        st.caption("Choose at least one block.")
        return None
    split, count = items_choice(data)
    params = layout_choice("a", opened.model, blocks)
    wishes = [Wish(opened.name, Choice(blocks, source, sampled, split, count), params)]
    if st.toggle("A second map beside it", key="map second", persist_state="session", help="Two blocks, two methods or two models: one lasso selects in both."):
        here = models.trained_on(opened.name)
        beside, source, blocks, sampled = code_choice("b", [name for name in names if models.trained_on(name) == here])
        if not blocks:
            st.caption("Choose at least one block.")
            return None
        wishes.append(Wish(beside.name, Choice(blocks, source, sampled, split, count), layout_choice("b", beside.model, blocks)))
    return wishes


# ---- points of one's own

def placing(maps: Sequence[tuple[Checkpoint, Job]]) -> list[dict]:
    """Pictures to place into the maps, where their models put the codes: given as files, or drawn."""
    names = maps[0][0].model.names
    able = [name for name in names if any(tells(job, name) for _, job in maps)]
    with st.popover("Place a point", icon=":material/add_photo_alternate:", width="stretch"):
        if not able:
            st.caption("No single image tells of the blocks of this map.")
            return []
        name = st.segmented_control("As an image of", able, default=able[0], required=True, format_func=plain, key=f"map place {'+'.join(able)}") if len(able) > 1 else able[0]
        modality = next(m for m in maps[0][0].model.modalities if m.name == name)
        given = uploaded(modality, "map files", models.trained_on(maps[0][0].name))
        if name == HANDWRITING:
            given += drawing(modality)
        for opened, job in maps if given else ():
            if not tells(job, name):
                st.caption(f"{plain(name)} alone tells nothing of {plain(' + '.join(job.choice.blocks))}: it is not placed there.")
            elif job.embedding is None:
                st.caption(f"{plain(opened.name)}: placed once the map is finished.")
    return [placed(opened, job, name, own) for opened, job in maps if tells(job, name) and job.embedding is not None for own in given]


def tells(job: Job, name: str) -> bool:
    """Whether an image of this modality alone has a code of the blocks that a map shows."""
    return set(job.choice.blocks) <= set(source_blocks(job.model, name))


def drawing(modality: Modality) -> list[Given]:
    """What a person draws, as an image of a modality."""
    strokes = st.session_state.setdefault("map strokes", "")
    canvas(strokes, key="map sheet", on_draw=lambda strokes: st.session_state.update({"map strokes": strokes}))
    if not strokes:
        return []
    try:
        own = Own.of("drawing", drawn(strokes), modality)
    except InputError as error:
        st.error(f"{error}.", icon=":material/error:")
        return []
    preview(own)
    return [own.given(modality.name)]


@torch.inference_mode()
def placed(opened: Checkpoint, job: Job, name: str, own: Given) -> dict:
    """A point of one's own, given as a modality's image, on a finished map, as `map_panel` takes it."""
    image = own.images[name]
    code = torch.cat([belief.mean for belief in opened.model.posterior({name: image[None]}).values()], 1)[0].numpy()
    x, y = job.embedding.place(code[None, job.codes.columns])[0].tolist()
    pixels = base64.b64encode(live.pixels(image[None]).tobytes()).decode()
    return {"map": job.key, "checkpoint": opened.name, "x": x, "y": y, "title": own.title[:40], "modality": name, "code": code.tolist(), "image": pixels}


# ---- columns of one's own

def own(job: Job) -> list[dict]:
    """Columns to colour by, from a CSV."""
    with st.popover("Colour by your own column", icon=":material/palette:", width="stretch"):
        st.caption("A CSV with a column **id** and any others, numbers or categories. The map's own *CSV with ids* has the ids.")
        file = st.file_uploader("CSV", type=["csv", "tsv", "txt"], key="map own", label_visibility="collapsed", max_upload_size=64)
        if file is None:
            return []
        try:
            found = own_columns(file.getvalue())
        except ValueError as error:
            st.error(f"{plain(file.name)}: {plain(str(error), 1000)}.", icon=":material/error:")
            return []
        if not found:
            st.error(f"{plain(file.name)}: no column in it tells items apart.", icon=":material/error:")
        elif job.codes is not None and not any(column.values.keys() & set(job.codes.ids.tolist()) for _, column in found):
            st.error(f"{plain(file.name)}: none of its ids is on this map; export the map as CSV to see which are.", icon=":material/error:")
            return []
        return [row for row, _ in found]


# ---- the page

@st.fragment
def page() -> None:
    if not models.names():
        st.info("No model is here yet. Train one, or open a checkpoint on the first page.", icon=":material/info:")
        return
    state = st.session_state
    wished = (st.query_params.get(ADDRESS), st.query_params.get("model"))
    forgotten = "map a model" not in state  # as Streamlit forgets what is chosen here where the page between was left before it was drawn
    if SHOWN not in state or any(wished) and (forgotten or wished != state.get(FOLLOWED)):
        wishes, state[COMPLAINT] = [], ""
        try:
            wishes = asked_by_address()
        except (ValueError, CheckpointError) as error:
            state[COMPLAINT] = f"The link could not be opened: {plain(str(error))}."
        if wishes:
            adopt(wishes)
            state[VIEW] = {name: st.query_params.get(name, "") for name in VIEWED} if wished[0] else state.get(VIEW)
        elif wished[1] and not state[COMPLAINT] and wished != state.get(ASKED):
            state["map a model"], state[SHOWN] = wished[1], []  # its data is not here: that is said of it, and no other's map is shown
        state[SHOWN], state[ASKED] = wishes or state.get(SHOWN, []), wished
    with st.container(key="map-page"):
        left, right = st.columns([1, 4.4], gap="medium")
    again = False
    try:
        with left, st.container(key="map-left"):
            wishes = choices()
            if wishes and not state[SHOWN]:
                state[SHOWN] = wishes
            stale = wishes is not None and wishes != state[SHOWN]
            if st.button("Draw the map", type="primary" if stale else "secondary", width="stretch", disabled=not wishes, icon=":material/scatter_plot:", key="map draw"):
                state[SHOWN], state[COMPLAINT], again = wishes, "", True
            below = st.container()
        with right:
            if state[COMPLAINT]:
                st.warning(state[COMPLAINT], icon=":material/link_off:")
            if wishes is None and not state[SHOWN]:
                opened = models.checkpoint(state.get("map a model") or models.names()[0])
                if models.data_for(opened) is None:
                    without_data(opened, shown=False)
                return
            draw(state[SHOWN], again, below)
    except (CheckpointError, ValueError) as error:
        st.error(plain(str(error), 1000), icon=":material/error:")


def without_data(opened: Checkpoint, shown: bool) -> None:
    """Says what is missing where a data set is not on this machine, and offers to bring it in."""
    said = ("The images of this data set are not on this machine: this is the map that came with the model, and its points decode."
            if shown else "A map needs the images of the model's data set, and they are not on this machine.")
    source = source_of(opened.config)
    if source and source not in DATASETS:
        said += f" They were at {plain(source)}."
    st.info(said, icon=":material/info:")
    if opened.model.dataset:
        datasets.offer(opened.model.dataset)


def draw(wishes: Sequence[Wish], again: bool, below) -> None:
    warm()
    jobs: list[tuple[Checkpoint, Job]] = []
    for wish in wishes:
        opened = models.checkpoint(wish.model)
        data = models.data_for(opened)
        job = job_for(opened, data, wish.choice, wish.params, again)
        if job is None:
            without_data(opened, shown=False)
            return
        jobs.append((opened, job))
    with below:
        points, columns = placing(jobs), own(jobs[0][1])
        if jobs[0][1].data is None:
            without_data(jobs[0][0], shown=True)
    result = map_panel([about(job, opened) for opened, job in jobs], placed=points, own=columns, view=st.session_state.get(VIEW), key="map panel")
    if result.view is not None:
        st.session_state[VIEW] = result.view
    address = json.dumps([wish.as_json() for wish in wishes], separators=(",", ":"))
    navigation.write_address({ADDRESS: address, **{name: value for name, value in (st.session_state.get(VIEW) or {}).items() if value}})
    st.session_state[FOLLOWED] = (address, None)
    if result.open:
        st.switch_page(navigation.file_of("explore"), query_params={"point": result.open})


#: As dense as Explore: the left column keeps one width, small things are small, and the button that draws is in sight however long the column.
STYLE = """<style>
[data-testid="stMainBlockContainer"] {padding: 4.2rem 1.6rem 1.5rem}
.st-key-map-left {font-size: .86rem; gap: .6rem}
.st-key-map-left label p, .st-key-map-left button p, .st-key-map-left [data-testid="stAlert"] p {font-size: .82rem; line-height: 1.35}
.st-key-map-left [data-testid="stVerticalBlock"] {gap: .6rem}
.st-key-map-draw {position: sticky; bottom: .6rem; z-index: 2; border-radius: .5rem; background: GROUND; box-shadow: 0 0 0 .45rem GROUND}
.st-key-map-left button {min-height: 1.95rem}
.st-key-map-left [data-testid="stButtonGroup"] button {padding: 0 .5rem}
.st-key-map-left [data-testid="stSlider"] {padding: 0 .4rem}
@media (min-width: 641px) {
  .st-key-map-page > [data-testid="stHorizontalBlock"] > [data-testid="stColumn"]:first-child {flex: 0 0 236px; width: 236px; min-width: 0}
  .st-key-map-page > [data-testid="stHorizontalBlock"] > [data-testid="stColumn"]:last-child {flex: 1 1 0; min-width: 0}
}
@media (min-width: 1800px) {
  .st-key-map-page > [data-testid="stHorizontalBlock"] > [data-testid="stColumn"]:first-child {flex: 0 0 276px; width: 276px}
  .st-key-map-left {font-size: 1rem}
  .st-key-map-left label p, .st-key-map-left button p, .st-key-map-left [data-testid="stAlert"] p {font-size: .95rem}
}
</style>"""

st.html(STYLE.replace("GROUND", st.get_option(f"theme.{palette.theme()}.backgroundColor")))
page()
