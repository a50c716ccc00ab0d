"""What a run looks like: its curves, the heat strip of its KL, and pictures of a moment of its training."""

from __future__ import annotations

__all__ = ["Measuring", "clock", "curves", "halt", "halting", "kl_strip", "left", "moment", "routes"]

import html
import math
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread

import numpy as np
import plotly.graph_objects as go
import torch
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from torch import Tensor

from mmvae import runs, turns
from mmvae.checkpoints import Checkpoint, CheckpointError, open_checkpoint, reference_ids
from mmvae.data import PairedDataset
from mmvae.explore import encode, sample_codes, traversal_figure
from mmvae.history import is_number
from mmvae.latents import Block
from mmvae.palettes import VIRIDIS
from mmvae.pictures import png, sheet

from . import figures, models, palette

POINTS = 300  # of a curve: more than there are pixels for
FEW = 6  # steps, each of which is named: there is none between them
DEAD = 0.05  # nats, below which a dimension carries nothing
ITEMS, FRAMES = 8, 5
GIVEN = "JIT"  # what a term of the loss infers from: the pair, the first modality, the second
DASHES = dict(zip(GIVEN, ("solid", "dash", "dot"))) | {"cycle": "dashdot"}
POLL = 0.2  # seconds
HEIGHT, HIGHEST = 240, 400  # pixels of a chart, and of one with many rows
ROW, AROUND = 12, 36  # pixels of a row that can be labelled, and of a chart's title and axis


def clock(seconds: float) -> str:
    """A duration as a person says it: ``"45 s"``, ``"26 min"``, ``"3 h 20 min"``, ``"2 days"``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours / 24:.0f} days"


def left(seconds: float) -> str:
    """What is left of a training as a person says it, no finer than it is known."""
    unit = 10 if seconds < 120 else 60 if seconds < 3600 else 300 if seconds < 4 * 3600 else 1800
    return clock(unit * round(seconds / unit))


class Measuring:
    """A few steps of a plan being measured in a thread: the page goes on answering, and tells how far it is.

    Arguments:
        plan: What is measured.
    """

    def __init__(self, plan: runs.Plan) -> None:
        self.plan, self.running, self.doing = plan, True, "starting a process"
        self.measured: runs.Measured | None = None
        self.error = ""  # why there is nothing measured
        self._stopped = Event()
        Thread(target=self._measure, name="measure a plan", daemon=True).start()

    def stop(self) -> None:
        """Ends it, with its process."""
        self._stopped.set()

    def _measure(self) -> None:
        try:
            self.measured = runs.measure(self.plan, told=self._tell, stopped=self._stopped.is_set)
        except (runs.RunError, OSError) as error:
            self.error = str(error)
        finally:
            self.running = False

    def _tell(self, text: str) -> None:
        self.doing = text


_halting: set[Path] = set()


def halt(run: runs.Run) -> None:
    """Stops a run; one that is starting and has no process yet that could be told, as soon as it has, whoever looks on.

    Raises:
        RunError: Where nothing trains it, or something that cannot be told.
    """
    if run.state != "starting" or turns.holder(run.path):
        runs.stop(run)
    elif not halting(run):
        _halting.add(run.path)
        Thread(target=_halt, args=(run,), name=f"halt {run.name}", daemon=True).start()


def halting(run: runs.Run) -> bool:
    """Whether the run is to stop as soon as it has a process that can be told."""
    return run.path in _halting


def _halt(run: runs.Run) -> None:
    try:
        while runs.run_named(run.name).state == "starting" and not turns.holder(run.path):
            time.sleep(POLL)
        runs.stop(run)
    except runs.RunError:
        pass  # it ended before it could be told
    finally:
        _halting.discard(run.path)


def curves(told: Sequence[dict], config: dict, scheme: str) -> tuple[go.Figure, go.Figure, go.Figure]:
    """The total loss with its validation, the reconstruction of each term, and the KL and what else there is.

    Arguments:
        told: The events of a run.
        config: Its configuration.
        scheme: ``"dark"`` or ``"light"``.
    """
    blocks = _blocks(config)
    hues = palette.block_colours(blocks, scheme)
    names = [modality["name"] for modality in config["modalities"]]
    hues |= dict(zip(names, (palette.BLOCKS[scheme][0], palette.BLOCKS[scheme][2])))
    steps = _spread([event for event in told if event["event"] == "step" and isinstance(event.get("parts"), dict)])
    at = [event["step"] for event in steps]
    mode = "lines" if len(at) > 1 else "markers"  # of one point there is no line to see
    total = go.Figure()
    total.add_scatter(
        x=at,
        y=[event.get("total") for event in steps],
        name="batch",
        mode=mode,
        line=dict(width=1, color=palette.GREY[scheme]),
    )
    validation = [event for event in told if event["event"] == "validation"]
    total.add_scatter(
        x=[e["step"] for e in validation],
        y=[e.get("total") for e in validation],
        name="validation",
        mode="lines+markers",
        line=dict(width=2, color=palette.BLOCKS[scheme][1]),
        marker=dict(size=5),
    )
    rebuilt, rest = go.Figure(), go.Figure()
    for name in steps[-1]["parts"] if steps else ():
        figure = rebuilt if "reconstruction" in name else rest
        given, what = _term(name, names)
        figure.add_scatter(
            x=at,
            y=[event["parts"].get(name) for event in steps],
            name=f"{given}: {what}" if given else what,
            meta=given,
            legendgroup=what,
            showlegend=False,
            mode=mode,
            line=dict(width=1.5, color=hues.get(name.split()[-1], palette.GREY[scheme]), dash=DASHES.get(name[0], DASHES.get(name.split()[0], "solid"))),
        )
    for figure in (rebuilt, rest):
        _add_key(figure, palette.GREY[scheme])
    last = max([event["step"] for event in (*steps, *validation)], default=0)
    for figure, title in ((total, "Loss, nats per pair"), (rebuilt, "Reconstruction, nats"), (rest, "KL and other terms, nats")):
        _dress(figure, title, last)
        places = _log_ticks([value for trace in figure.data for value in trace.y if is_number(value) and value > 0])
        figure.update_yaxes(type="log", tickvals=places, ticktext=[_short(place) for place in places])
    return total, rebuilt, rest


def _add_key(figure: go.Figure, grey: str) -> None:
    """A legend that tells colours and dashes apart: with an entry for each of up to fifteen curves it would leave no room for them."""
    colours = {trace.legendgroup: trace.line.color for trace in figure.data}
    dashes = {trace.meta: trace.line.dash for trace in figure.data if trace.meta}
    for what, colour in colours.items():
        figure.add_scatter(x=[None], y=[None], mode="lines", name=what, legendgroup=what, line=dict(width=1.5, color=colour))
    for given, dash in dashes.items() if len(dashes) > 1 else ():
        figure.add_scatter(x=[None], y=[None], mode="lines", name=f"given {given}", line=dict(width=1.5, color=grey, dash=dash))


def _term(name: str, modalities: Sequence[str]) -> tuple[str, str]:
    """What a part of the loss is inferred from, empty where its name does not say, and what it is of.

    Losses say J for what is inferred from the pair, and I and T, the letters of the faces' two views, for what is inferred from the
    first modality alone and from the second. What they rebuild of it (``"→both"``) is the same in all terms of a variant.

    Arguments:
        name: As in `mmvae.objective.Loss`, such as ``"I→both reconstruction mnist"``.
        modalities: The names of the first and the second.
    """
    given, *rest = name.replace(" reconstruction", "").replace(" kl", "").split(maxsplit=1)
    letter = given.removesuffix("→both")
    if letter not in GIVEN or not rest:
        return "", " ".join([given, *rest])
    return ("pair", *modalities)[GIVEN.index(letter)], rest[0].removeprefix("z_")


def _log_ticks(values: Sequence[float], most: int = 6) -> list[float]:
    """Round numbers for a logarithmic axis over these values, few enough not to touch: powers of ten, with halves and fifths
    of them where there is room, and evenly spaced ones within less than a decade. Of one value, that value to three digits."""
    if not values:
        return []
    low, high = min(values), max(values)
    if low == high:
        return [float(f"{low:.3g}")]
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [digit * 10.0**decade for decade in decades for digit in digits]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= most:
            break
    stride = -(-len(ticks) // most)
    if len(ticks) > 2:
        return ticks[::stride]
    unit = 10.0 ** math.floor(math.log10(high - low))
    step = next(unit * m for m in (0.5, 1, 2, 5) if (high - low) / (unit * m) <= most - 1)
    return [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _short(value: float) -> str:
    """A tick's number as it is read: ``"12k"``, ``"950"``, ``"0.01"``."""
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def kl_strip(told: Sequence[dict], config: dict, scheme: str) -> go.Figure:
    """The KL of each dimension over the steps, viridis, blocks apart; labels say where each stands now, in nats."""
    blocks = _blocks(config)
    hues = palette.block_colours(blocks, scheme)
    steps = _spread(
        [
            event
            for event in told
            if event["event"] == "step"
            and isinstance(event.get("kl"), dict)
            and all(len(event["kl"].get(b.name, ())) == b.dim for b in blocks)
        ]
    )
    height = min(HIGHEST, max(HEIGHT, ROW * (sum(block.dim for block in blocks) + len(blocks) - 1) + AROUND))
    stride = -(-sum(block.dim for block in blocks) * ROW // (height - AROUND))  # of many dimensions not each can be named
    rows, places, labels, y = [], [], [], 0
    for i, block in enumerate(blocks):
        if i:
            rows.append([np.nan] * len(steps))  # a gap between blocks
            y += 1
        for d in range(block.dim):
            values = [event["kl"][block.name][d] for event in steps]
            now = f"{values[-1]:.2f}" if values and values[-1] >= DEAD else "dead" if values else ""
            rows.append(values)
            if d % stride == 0:
                places.append(y)
                labels.append(f'<span style="color:{hues[block.name]}">{html.escape(block.name)} {d + 1}</span>  {now}')
            y += 1
    figure = go.Figure()
    if steps:
        z = np.array(rows, dtype=float)
        figure.add_heatmap(
            x=[event["step"] for event in steps],
            y=list(range(len(rows))),
            z=z,
            zmin=0,
            zmax=max(1.0, float(np.nanpercentile(z, 97))),
            colorscale=palette.plotly_scale(VIRIDIS),
            colorbar=dict(thickness=8, outlinewidth=0, title=None, tickfont=dict(size=10)),
            hovertemplate="step %{x}: %{z:.2f} nats<extra></extra>",
            hoverongaps=False,
        )
    _dress(figure, "KL of each dimension, nats", steps[-1]["step"] if steps else 0)
    figure.update_yaxes(
        tickvals=places,
        ticktext=labels,
        range=[len(rows) - 0.5, -0.5],
        tickfont=dict(size=10),
        showgrid=False,
    )
    figure.update_layout(showlegend=False, height=height)
    return figure


def moment(run: Path, weights: str, version: int) -> str:
    """The pictures of a moment of training as HTML: fixed test pairs rebuilt, fixed samples, one pair's code traversed.

    Arguments:
        run: The run's folder.
        weights: The file of weights within it, see `mmvae.runs.snapshots`.
        version: Changes where the file has changed.

    Raises:
        CheckpointError: Where the weights cannot be opened.
    """
    return _moments((run, weights, version))


def _draw(key: tuple[Path, str, int]) -> str:
    opened = open_checkpoint(key[0], weights=key[1])
    data = models.data_for(opened)
    with torch.inference_mode():
        left = _strips("Test pairs and what is rebuilt of them", _rebuilt(opened, data)) + _strips(
            "Samples from the prior", _samples(opened)
        )
        right = _traversal(opened, data)
    return f'<div class="moment"><div>{left}</div><div>{right}</div></div>'


_moments: models.Recent[tuple[Path, str, int], str] = models.Recent(160, _draw)


def _moment(request: Request) -> HTMLResponse:
    try:
        run, step = runs.run_named(request.path_params["run"]), request.path_params["step"]
        weights = runs.snapshots(run.path)[step]
        return HTMLResponse(moment(run.path, weights, (run.path / weights).stat().st_mtime_ns))
    except KeyError:
        said, status = f"There is no snapshot of step {request.path_params['step']:,} any more.", 404
    except (runs.RunError, CheckpointError, OSError) as error:
        said, status = f"This snapshot cannot be drawn: {error}", 404
    return HTMLResponse(f'<div class="muted">{html.escape(said)}</div>', status)


routes = [Route("/moments/{run}/{step:int}", _moment)]


def _rebuilt(opened: Checkpoint, data: PairedDataset | None) -> list[tuple[str, Tensor]]:
    if data is None:
        return []
    model = opened.model
    images, _ = data.items(reference_ids(data)[:ITEMS])
    rebuilt = model.decode(encode(model, images))
    return [row for m in model.modalities for row in ((m.title, images[m.name]), ("rebuilt", rebuilt[m.name]))]


def _samples(opened: Checkpoint) -> list[tuple[str, Tensor]]:
    pictures = opened.model.decode(sample_codes(opened.model, 2 * ITEMS, seed=0))
    return [(m.title, pictures[m.name][half * ITEMS : (half + 1) * ITEMS]) for half in (0, 1) for m in opened.model.modalities]


def _strips(title: str, rows: list[tuple[str, Tensor]]) -> str:
    """Pictures in labelled rows; every row has the same size whatever it shows, so that nothing moves when it changes."""
    body = "".join(
        f"<span>{html.escape(label)}</span>{_image(sheet([list(images)], scale=2, gap=1, background=24), label)}"
        for label, images in rows
    )
    body = body or "<span></span><i>The images of its data set are not on this machine.</i>"
    return f'<h5>{title}</h5><div class="strips">{body}</div>'


def _traversal(opened: Checkpoint, data: PairedDataset | None) -> str:
    model = opened.model
    if data is None:
        start = {block.name: torch.zeros(1, block.dim) for block in model.blocks}
    else:
        start = encode(model, data.items(reference_ids(data)[:1])[0])
    drawn = traversal_figure(model, start, frames=FRAMES)
    hue = _hue_classes(model.blocks)
    heads = "".join(f'<span class="{hue[name]}" title="{html.escape(name)} {d + 1}">{d + 1}</span>' for name, d in drawn.columns)
    heads = f'<div class="heads" style="grid-template-columns:repeat({len(drawn.columns)},1fr)">{heads}</div>'
    pictures = "".join(
        f"<div>{heads}{_image(sheet([list(row) for row in drawn.images[m.name]], scale=1, gap=1, background=24), m.title)}</div>"
        for m in model.modalities
    )
    blocks = " · ".join(f'<b class="{hue[b.name]}">{html.escape(b.name)}</b>' for b in model.blocks)
    return (
        f"<h5>Each dimension of one test pair from −3 to 3: {blocks}</h5>"
        f'<div class="traversal">{pictures}</div>'
    )


def _image(pixels: np.ndarray, alt: str) -> str:
    height, width, _ = pixels.shape
    return f'<img src="{figures.data_uri(png(pixels))}" alt="{html.escape(alt)}" style="aspect-ratio:{width}/{height}">'


def _hue_classes(blocks: Sequence[Block]) -> dict[str, str]:
    classes, seen_shared = {}, False
    for block in blocks:
        classes[block.name] = "shared" if block.owner is None else "second" if seen_shared else "first"
        seen_shared = seen_shared or block.owner is None
    return classes


def _blocks(config: dict) -> list[Block]:
    return [Block(**row) for row in config["blocks"]]


def _spread(told: list[dict]) -> list[dict]:
    """At most `POINTS` events, evenly spread, the last among them."""
    stride = -(-len(told) // POINTS)
    return told[::-1][::stride][::-1] if stride > 1 else told


def _dress(figure: go.Figure, title: str, last: int) -> None:
    """Title, legend and axes; `last` is the last step that is shown."""
    figure.update_layout(
        title=dict(text=title, font=dict(size=13), x=0, y=0.98),
        height=HEIGHT,
        margin=dict(l=0, r=0, t=26, b=0),
        hovermode="x",
        legend=dict(orientation="h", font=dict(size=10), yref="container", y=0, yanchor="bottom", xref="container", x=0, itemwidth=30, tracegroupgap=0),
        uirevision="run",
        hoverlabel=dict(namelength=-1),
        font=dict(size=11),
        transition=None,
        showlegend=True,
    )
    figure.update_xaxes(rangemode="tozero", tickformat="~s", dtick=1 if 0 < last < FEW else None)
