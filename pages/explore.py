"""Explore: one pair, its code as sliders, and both pictures as they follow."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import streamlit as st
import torch
from torch import Tensor

from mmvae.checkpoints import Checkpoint, CheckpointError
from mmvae.data import DataError, Factor, PairedDataset
from mmvae.model import CannotInfer
from mmvae.point import Point, PointError
from ui import datasets, models, navigation
from ui.comparing import MOST, default
from ui.explaining import explain, weighed
from ui.gallery import gallery, titled
from ui.navigation import joined_names, plain
from ui.pairs import Pairs, beside, item_number, opening_pair, pairs_of, split_of, stored_posterior
from ui.panel import Beliefs, beliefs_of, draw, panel
from ui.translating import thumbnails

PANEL, BROWSE = "explore panel", "explore browse"
SPLIT_TITLES = {"train": "training", "validation": "validation", "test": "test"}
COMPLAINT = 600  # characters of one that are shown: a link may hold any number


@dataclass(frozen=True)
class View:
    """What the page shows; kept in the session, so that leaving the page loses nothing.

    Arguments:
        model: The checkpoint's name.
        item: The pair, or None where the model knows none.
        observed: The modalities that the posterior is given.
        code: All blocks one after the other; None for the posterior mean.
        revision: Counts what the person chose here: the panel takes on the code when it changes.
        complaint: Why a wish could not be followed.
        note: What else changed with the factor that was moved.
    """

    model: str
    item: int | None = None
    observed: tuple[str, ...] = ()
    code: tuple[float, ...] | None = None
    revision: int = 0
    complaint: str = ""
    note: str = ""

    def moved(self, **changes) -> View:
        """The view after a choice: the code starts anew unless one is given."""
        return replace(self, **{"code": None, "complaint": "", "note": "", **changes}, revision=self.revision + 1)


def view() -> View:
    return st.session_state["explore"]


def choose(**changes) -> None:
    st.session_state["explore"] = view().moved(**changes)


def opened_at(text: str) -> View:
    """The view that a point's text asks for.

    Raises:
        PointError: Where it is none, or does not fit its model.
        CheckpointError: Where its model is not here.
    """
    point = Point.parse(text)
    checkpoint = models.checkpoint(point.checkpoint)
    model = checkpoint.model
    point.blocks({block.name: block.dim for block in model.blocks})
    unknown = [name for name in point.observed if name not in model.names]
    if unknown:
        raise PointError(f"the point observes {unknown[0]!r}, the model has {' and '.join(model.names)}")
    here = models.digest_of(checkpoint)
    complaint = "" if point.digest == here else (
        f"The link was made with other weights of {point.checkpoint} (digest {point.digest or 'missing'}, here {here}): "
        "the same code may draw another picture.")
    return View(point.checkpoint, point.item, point.observed, point.z, complaint=complaint)


def follow_address() -> None:
    """Takes the view from the address where the page is entered with one, from the session otherwise.

    While the panel is on the page it is the one who knows: it rewrites the address itself, and Streamlit may still hold
    an older one. Its point also survives a restart of the server, which forgets the session.
    """
    shown = st.session_state.get(PANEL)
    current: View | None = st.session_state.get("explore")
    if current and shown:
        return
    text = shown.point if shown and shown.point else st.query_params.get("point")
    name, item = st.query_params.get("model"), st.query_params.get("item")
    asked = current or View(models.names()[0])
    try:
        if text:
            asked = opened_at(text)
        elif name:
            asked = View(name)  # stays where the item's number is none
            if item:
                asked = View(name, item_number(item), models.checkpoint(name).model.names)
    except (PointError, CheckpointError, ValueError) as error:
        asked = replace(asked, complaint=f"The link could not be opened: {error}.")
    st.session_state["explore"] = replace(asked, revision=current.revision + 1 if current else 0)


def beliefs_here(checkpoint: Checkpoint, images: dict[str, Tensor]) -> Beliefs:
    """What is believed of the pair shown: from its images, or where these are not on this machine as the checkpoint carries it.

    Raises:
        CannotInfer: Where the variant has no posterior given what is observed, or there is nothing to have it from.
    """
    model, observed = checkpoint.model, view().observed
    if all(name in images for name in observed):
        return beliefs_of(model, {name: images[name] for name in observed})
    return Beliefs(stored_posterior(checkpoint, view().item, observed), {}, model.positions(observed))


# ---- the left column

def model_choice(checkpoint: Checkpoint) -> None:
    names = models.names()
    st.session_state["explore model"] = view().model
    st.selectbox("Model", names, key="explore model", format_func=models.short_label_of,
                 on_change=lambda: other_model(checkpoint, st.session_state["explore model"]))
    variant, model = checkpoint.model.variant, checkpoint.model
    with st.popover(f"About: {' + '.join(str(b.dim) for b in model.blocks)} dimensions", width="stretch", help=f"What {plain(variant.title)} is"):
        st.markdown(plain(variant.summary, 2000))
        explain(variant, model.modalities)
        st.caption(f"Source: {plain(variant.source, 1000)}. {weighed(model.modalities, (checkpoint.config.get('training') or {}).get('beta', 1.0))}")


def other_model(before: Checkpoint, name: str) -> None:
    """Goes to another model: with the pair where it is of the same data, and what is observed of it as far as the variant can infer from that."""
    item, observed = view().item, view().observed
    try:
        after = models.checkpoint(name)
    except CheckpointError:  # the page says what is wrong with it
        return choose(model=name, item=None, observed=())
    data = models.data_for(after)
    if models.trained_on(name) != models.trained_on(before.name) or data is None and pairs_of(after, data).position(item) is None:
        item = None
    if item is None:
        return choose(model=name, item=None, observed=())
    if not set(observed) <= set(after.model.names) or refusal(after, observed):
        observed = after.model.names
    choose(model=name, item=item, observed=observed)


def pair_choice(checkpoint: Checkpoint, data: PairedDataset | None, pairs: Pairs, labels: dict[str, float]) -> None:
    """Factors to find a pair by, and steps through the list; `labels` are those of the pair shown."""
    if not len(pairs.ids):
        st.caption("This model's data set is not on this machine, and it carries no reference pairs: the prior is shown.")
        return
    browse(checkpoint, data, pairs)
    at = pairs.position(view().item)

    def find(factor: Factor) -> None:
        wanted = {f.name: st.session_state[f"explore factor {f.name}"] for f in pairs.factors}
        if factor.name not in labels:  # of no pair that is known
            return choose(item=pairs.nearest(wanted, factor.name), observed=view().observed)
        found = beside(data, pairs, wanted, factor.name, labels[factor.name])
        if found is None:
            same = " and ".join(f"{f.name} {f.format(wanted[f.name])}" for f in pairs.factors if f.kind == "categorical")
            return choose(item=view().item, observed=view().observed,
                          note=f"No pair{same and f' of {same}'} has {factor.name} {factor.format(wanted[factor.name])} or lies beyond.")
        _, shown = pair_of(data, pairs, found)
        other = [f"{f.name} {f.format(shown[f.name])}" for f in pairs.factors if f.format(shown[f.name]) != f.format(wanted[f.name])]
        choose(item=found, observed=view().observed, note=f"No pair is just that: {', '.join(other)} instead." if other else "")

    for factor in pairs.factors:
        values = pairs.choices(factor, labels.get(factor.name))
        st.session_state[f"explore factor {factor.name}"] = labels.get(factor.name, values[0])
        choose_from = st.selectbox if factor.kind == "categorical" else st.select_slider
        choose_from(titled(factor), values, key=f"explore factor {factor.name}", format_func=factor.format, on_change=find, args=(factor,))

    if view().note:
        st.caption(plain(view().note, COMPLAINT))
    split = split_of(data, view().item) if data is not None and view().item is not None else None
    if split:
        st.caption(f"Pair {view().item} · of the {SPLIT_TITLES[split]} pairs")

    def go(position: int) -> None:
        choose(item=int(pairs.ids[position % len(pairs.ids)]), observed=view().observed)

    with st.container(horizontal=True, gap="small"):
        st.button("‹ prev", on_click=lambda: go((at or 0) - 1), key="explore previous", width="stretch")
        st.button("random", on_click=lambda: go(random.randrange(len(pairs.ids))), key="explore random", width="stretch")
        st.button("next ›", on_click=lambda: go((-1 if at is None else at) + 1), key="explore next", width="stretch")


def browse(checkpoint: Checkpoint, data: PairedDataset | None, pairs: Pairs) -> None:
    """All pairs as pictures of one modality, over the page; made only when they are asked for."""
    def pick(ids: list[int]) -> None:
        st.session_state[BROWSE] = False
        choose(item=ids[0], observed=view().observed)

    with st.popover("Browse pictures", icon=":material/grid_view:", width="stretch", key=BROWSE, on_change="rerun") as opened:
        if not opened.open:
            return
        names = checkpoint.model.names
        dataset = f"explore {checkpoint.model.dataset}"
        modality = st.segmented_control("Modality", names, default=names[0], required=True, format_func=plain, key=f"{dataset} modality", label_visibility="collapsed")
        here = () if pairs.position(view().item) is None else (view().item,)
        gallery(pairs, modality, here, lambda ids: thumbnails(checkpoint, data, modality, ids),
                key=f"{dataset} of {modality}", on_pick=pick, height=330, single=True)


def subset_choice(checkpoint: Checkpoint) -> None:
    """Which modalities the posterior is given; what the variant cannot do is shown as such."""
    model = checkpoint.model
    first, second = model.modalities
    options = [("both", model.names), (f"only {first.name}", (first.name,)), (f"only {second.name}", (second.name,)), ("none", ())]
    st.caption("Observed")
    with st.container(key="explore-observed"):
        for title, names in options:
            refused = refusal(checkpoint, names)
            st.button(plain(title), key=f"explore observe {title}", type="primary" if view().observed == names else "secondary", disabled=bool(refused),
                      width="stretch", help=plain(refused, COMPLAINT) or None, on_click=choose, kwargs={"observed": names, "item": view().item})


def ways_on(checkpoint: Checkpoint) -> None:
    """Links that open the other pages on this model, and on this pair where they show one."""
    name, item = checkpoint.name, view().item
    alike = [other for other in models.names() if other != name and models.trained_on(other) == models.trained_on(name)]
    beside = [name, *[other for other in default(alike) if other != name]][:MOST] if alike else [name]
    pair = {} if item is None else {"item": str(item)}
    ways = (("translate", "Translate ›", {"models": joined_names([name])} | ({} if item is None else {"items": str(item)})),
            ("map", "Map ›", {"model": name}), ("compare", "Compare ›", {"models": joined_names(beside)} | pair))
    st.caption("This model in")
    with st.container(horizontal=True, gap="small", key="explore-ways"):
        for page, label, query in ways:
            st.page_link(navigation.file_of(page), label=label, query_params=query)


def refusal(checkpoint: Checkpoint, names: tuple[str, ...]) -> str:
    """Why the variant has no posterior given these modalities, or an empty text."""
    model = checkpoint.model
    if model.variant.infers_from(model.positions(names)):
        return ""
    try:
        beliefs_of(model, {m.name: torch.zeros(1, *m.shape) for m in model.modalities if m.name in names})
    except CannotInfer as error:
        return str(error)
    return ""


# ---- the page

def pair_of(data: PairedDataset | None, pairs: Pairs, item: int | None) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The images [1, C, H, W] and labels of an item, as far as they are known."""
    if item is not None and data is not None:
        images, labels = data.items([item])
        return images, {name: value[0].item() for name, value in labels.items()}
    at = pairs.position(item) if item is not None else None
    return {}, {} if at is None else {name: values[at].item() for name, values in pairs.labels.items()}


def panel_for(checkpoint: Checkpoint, beliefs: Beliefs, images: dict[str, Tensor], labels: dict[str, float]) -> None:
    model, current = checkpoint.model, view()
    mean = torch.cat([beliefs.posterior[b.name].mean for b in model.blocks], 1)[0].tolist()
    result = panel(checkpoint, beliefs, code=current.code or mean, revision=f"{current.model} {current.revision}", item=current.item,
                   labels=labels, images=images, key=PANEL, on_draw=draw_here, drawn=st.session_state.pop("explore drawn", None))
    if result.open:
        open_point(result.open)
    if result.point:
        rested = Point.parse(result.point)
        if (rested.checkpoint, rested.item, rested.observed) == (current.model, current.item, current.observed):
            st.session_state["explore"] = replace(current, code=rested.z)


def draw_here() -> None:
    """Draws where the live path cannot be had."""
    asked = st.session_state[PANEL].draw
    if asked:
        st.session_state["explore drawn"] = draw(models.checkpoint(view().model).model, asked["code"], asked["id"])


def open_point(text: str) -> None:
    try:
        st.session_state["explore"] = replace(opened_at(text), revision=view().revision + 1)
    except (PointError, CheckpointError) as error:
        st.session_state["explore"] = replace(view(), complaint=f"That point could not be opened: {error}.")
    st.rerun(scope="fragment")


def readable() -> Checkpoint | None:
    """The model asked for, else the first that can be read, and a word on why it is another; None where none can be read."""
    complaints = []
    for name in dict.fromkeys((view().model, *models.names())):
        try:
            checkpoint = models.checkpoint(name)
        except CheckpointError as error:
            complaints.append(f"{error}")
            continue
        if complaints:
            st.query_params.clear()  # else a reload asks for it again
            st.session_state["explore"] = View(name, complaint=complaints[0])
        return checkpoint
    st.error(plain(complaints[0], COMPLAINT))
    return None


@st.fragment
def explore() -> None:
    checkpoint = readable()
    if checkpoint is None:
        return
    data = models.data_for(checkpoint)
    pairs = pairs_of(checkpoint, data)
    if view().item is None and len(pairs.ids) and view().code is None:
        st.session_state["explore"] = replace(view(), item=opening_pair(checkpoint, data, pairs), observed=checkpoint.model.names)
    try:
        images, labels = pair_of(data, pairs, view().item)
    except DataError as error:
        st.session_state["explore"] = view().moved(item=int(pairs.ids[0]), observed=checkpoint.model.names, complaint=f"The pair cannot be shown: {error}")
        images, labels = pair_of(data, pairs, view().item)
    try:
        beliefs = beliefs_here(checkpoint, images)
    except CannotInfer as error:
        st.session_state["explore"] = replace(view(), observed=(), complaint=f"{view().complaint} {error}: the prior stands in for the posterior.".strip())
        beliefs = beliefs_of(checkpoint.model, {})
    if view().complaint:
        st.warning(plain(view().complaint, COMPLAINT))
    with st.container(key="explore-page"):
        left, right = st.columns([1, 4.4], gap="medium")
    with left, st.container(key="explore-left"):
        model_choice(checkpoint)
        pair_choice(checkpoint, data, pairs, labels)
        subset_choice(checkpoint)
        ways_on(checkpoint)
        if data is None and len(pairs.ids):
            st.caption(f"The images of this data set are not on this machine: {len(pairs.ids)} reference pairs with their stored codes stand in, "
                       "without input pictures.")
            datasets.offer(checkpoint.model.dataset)
    with right:
        panel_for(checkpoint, beliefs, images, labels)


#: The page is dense and as wide as the screen: its left column keeps one width, and small things are small.
STYLE = """<style>
[data-testid="stMainBlockContainer"] {padding: 4.2rem 1.6rem 1.5rem}
.st-key-explore-left {font-size: .86rem; gap: .55rem}
.st-key-explore-left label p, .st-key-explore-left button p {font-size: .82rem}
.st-key-explore-left button {min-height: 1.95rem; padding: 0 .55rem}
.st-key-explore-left input {font-size: .8rem; text-overflow: ellipsis}
[role="option"] div {font-size: .8rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap}
.st-key-explore-left [data-testid="stSlider"] {padding: 0 .4rem}
.st-key-explore-left [data-testid="stHorizontalBlock"], .st-key-explore-left .stHorizontalBlock {gap: .4rem}
[data-testid="stPopoverBody"]:has([class*="st-key-gallery"]) {width: min(34rem, 94vw); max-width: 94vw}
[class*="st-key-gallery"] [data-testid="stButtonGroup"] button {min-width: 0; padding: 0 .5rem; min-height: 1.6rem; height: 1.6rem}
.st-key-explore-observed {display: grid; grid-template-columns: 1fr 1fr; gap: .4rem}
.st-key-explore-ways {justify-content: space-between}
.st-key-explore-ways a {padding: 0; min-height: 0} .st-key-explore-ways a p {font-size: .82rem; color: var(--st-link-color, inherit)}
.st-key-explore-observed button p {white-space: nowrap; overflow: hidden; text-overflow: ellipsis}
@media (min-width: 641px) {
  .st-key-explore-page > [data-testid="stHorizontalBlock"] > [data-testid="stColumn"]:first-child {flex: 0 0 236px; width: 236px; min-width: 0}
  .st-key-explore-page > [data-testid="stHorizontalBlock"] > [data-testid="stColumn"]:last-child {flex: 1 1 0; min-width: 0}
}
</style>"""

st.html(STYLE)
if models.names():
    follow_address()
    explore()
else:
    st.info("No model is here yet. Train one, or put a checkpoint into the folder `checkpoints`.")
