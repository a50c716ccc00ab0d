"""The panel of the Map page: the component, and the routes through which it watches maps in the making.

The browser is told of a map by its key, and fetches the rest: points once they are encoded, frames while they are laid
out, pictures of what is hovered, columns that take a while to compute. No script of the page runs for any of it.
"""

from __future__ import annotations

__all__ = ["about", "described", "job_for", "map_panel", "own_columns", "routes", "stop", "warm"]

import asyncio
import hashlib
import inspect
import io
import json
import struct
import tempfile
import threading
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mmvae import embedding
from mmvae.checkpoints import Checkpoint
from mmvae.columns import FEW, Column, read_columns
from mmvae.data import DataError, Factor, PairedDataset, data_root
from mmvae.embedding_export import pictures_of, write_csv, write_html, write_projector
from mmvae.maps import EACH, PAIR, Amount, Choice, Codes, Figures, Job, amount_of, figures_of, gap_of, is_amount
from mmvae.palettes import BLOCKS, ON_DARK
from mmvae.readers import Readers
from mmvae.shipped_maps import read_map
from mmvae.workers import Workers

from . import live, models
from .component import nothing, served
from .ending import or_ended
from .exports import alone, attachment
from .navigation import whole
from .translating import readers_of

PATH = "/maps/{key}"
#: Maps that the server remembers; pictures that one request may ask for; how long a request for a frame waits for news.
MAPS, PICTURES, WAIT_SECONDS, PAUSE_SECONDS = 12, 64, 2.0, 0.05
OWN = 96  # columns of persons' own that the server remembers
THUMBNAILS = 4000  # in an exported projector
VERDICTS = ("shared factor lost", "all kept")
#: Colours of points by the kind of a column, and of two columns that are not a data set's: the modalities, what readers see.
COLOURS = {**ON_DARK, "modality": BLOCKS["dark"][::2], "verdict": ("#f0883e", "#56d4c4")}

_component = served("mmvae_map", "map.js", "map.css")


class Jobs:
    """The maps of this server by their keys, shared by all sessions; two are computed at a time.

    Arguments:
        limit: How many are remembered; of older ones, those still running are cancelled.
    """

    def __init__(self, limit: int = MAPS) -> None:
        self.limit = limit
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()
        self._workers = Workers(2, "map", alone)

    def __getitem__(self, key: str) -> Job:
        with self._lock:
            self._jobs.move_to_end(key)
            return self._jobs[key]

    def begin(self, job: Job, again: bool = False) -> Job:
        """The map of the job's key: one that is there already, or this one, begun now.

        Arguments:
            again: Begin anew where it was cancelled or failed.
        """
        with self._lock:
            known = self._jobs.get(job.key)
            if known is not None and not (again and known.state in ("cancelled", "failed")) and not self._poorer(known, job):
                self._jobs.move_to_end(job.key)
                return known
            self._jobs[job.key] = job
            self._jobs.move_to_end(job.key)
            while len(self._jobs) > self.limit:
                self._jobs.popitem(last=False)[1].cancel()
        if not job.ended:
            self._workers.submit(job.run)
        return job

    def has(self, job: Job) -> bool:
        """Whether the map of the job's key is there, with the images of its items where the job has them."""
        with self._lock:
            return job.key in self._jobs and not self._poorer(self._jobs[job.key], job)

    def stop(self, seconds: float) -> None:
        """Cancels all of them, and waits so long at most until none is computed any more."""
        with self._lock:
            for job in self._jobs.values():
                job.cancel()
        self._workers.settle(seconds)

    @staticmethod
    def _poorer(known: Job, job: Job) -> bool:
        """Whether a map was made before the images of its items were on this machine, and they are now."""
        return known.data is None and job.data is not None


_jobs = Jobs()
#: Of the codes of a map, by their key: the share of points that are judged, or, until somebody was told, why they could not be.
_judging: dict[str, float | str] = {}
# Figures and judging may wait, pictures may not: one at a time of either, away from the threads that answer for pictures.
_measurer, _judge = (Workers(1, name, alone) for name in ("figures", "judge"))
_answerers = Workers(8, "map answers")


def stop(seconds: float = 1.0) -> None:
    """Ends what is computed for maps, for a server that ends: nobody is left to see them."""
    _jobs.stop(seconds)
    _judge.settle(seconds)


def job_for(opened: Checkpoint, data: PairedDataset | None, choice: Choice, params: embedding.Params | None, again: bool = False) -> Job | None:
    """The job of this map: finished where the model's folder holds the map, else begun where it was not yet.

    Arguments:
        data: Whose items; None where they are not on this machine.
        again: Begin anew where it was cancelled or failed.

    Returns:
        None where there is neither a map of the model's own nor data to make one of.
    """
    job = Job(opened.model, data, models.digest_of(opened), choice, params, data_root() / "maps")
    if not _jobs.has(job):
        kept = read_map(opened.path, job.weights, choice, params, data)
        if kept is not None:
            job.take(*kept)
        elif data is None:
            return None
    return _jobs.begin(job, again)


def warm() -> None:
    """Compiles what t-SNE and UMAP need in a thread of its own, once a server."""
    with _warming:
        if not _warmed:
            _warmed.append(True)
            threading.Thread(target=embedding.warm_up, name="warm up maps", daemon=True).start()


_warming, _warmed = threading.Lock(), []


def described(job: Job) -> str:
    """What a map shows and how it is laid out, in a line."""
    choice, params = job.choice, job.params
    given = {PAIR: "given the pair", EACH: "given each image alone"}.get(choice.source, f"given {choice.source} alone")
    what = "samples" if choice.sampled else "means"
    parts = [f"{params.title if params else 'codes'} of {' + '.join(choice.blocks)}, {what} {given}", f"{choice.count:,} items"]
    if isinstance(params, embedding.TSNE):
        parts.append(f"perplexity {params.perplexity:g}, {params.iterations} iterations")
    elif isinstance(params, embedding.UMAP):
        parts.append(f"{params.neighbours} neighbours, least distance {params.min_dist:g}")
    return "; ".join(parts)


def _file_of(model: str, kind: str, job: Job) -> str:
    """The name, without an ending, of a file made of a model's map."""
    return f"{model}-{kind}-{_named(job)}"


def _named(job: Job) -> str:
    """What tells a map from others of its model, in the name of a file: ``"z_shared-umap-seed-0"``; parameters where they are not the usual ones."""
    choice, params = job.choice, job.params
    parts = ["+".join(choice.blocks), *([choice.source] if choice.source != PAIR else []), *(["samples"] if choice.sampled else []), params.method if params else "codes"]
    if params:
        parts += [f"{name}-{value}" for name, value in asdict(params).items() if name != "seed" and value != getattr(type(params)(), name)]
    return "-".join([*parts, "seed", _seeds(job)])


def _seeds(job: Job) -> str:
    """That of the items, and that of the layout where it is another one."""
    return "-".join(map(str, dict.fromkeys((job.choice.seed, getattr(job.params, "seed", job.choice.seed)))))


def about(job: Job, checkpoint: Checkpoint) -> dict:
    """What the browser needs to know of a map before it fetches anything, as JSON values."""
    model = checkpoint.model
    letters = {m.name: m.symbol.partition("_")[2] or m.name[0] for m in model.modalities} | {None: "S" if len(model.blocks) > 1 else ""}
    return {
        "key": job.key, "url": f"/maps/{job.key}", "title": checkpoint.name, "detail": described(job), "file": _file_of(checkpoint.name, "map", job),
        "method": job.params.title if job.params else "codes", "checkpoint": checkpoint.name, "digest": job.weights,
        "modalities": [{"name": m.name, "title": m.title, "shape": list(m.shape)} for m in model.modalities],
        "given": [list(given) for given in job.choice.given(model.names)], "factors": [_factor(f) for f in job.factors],
        "axes": [f"z{letters[b.owner]}{d + 1}" for b in model.blocks if b.name in job.choice.blocks for d in range(b.dim)]
        if job.params is None else [],
        "pictured": job.data is not None,
        "readable": model.dataset is not None and readers_of(model.dataset) is not None,
    }


def _factor(factor: Factor) -> dict:
    ordered = factor.kind == "ordered"
    values = [float(v) for v in factor.values] if ordered else list(range(len(factor.values)))
    kind = "few" if not ordered and len(values) <= FEW else "many" if not ordered else "around" if min(values) < 0 < max(values) else "from"
    return {"name": factor.name, "kind": kind, "low": min(values), "high": max(values), "unit": factor.unit,
            "values": [factor.format(v) for v in values] if not ordered else []}


_own: OrderedDict[str, Column] = OrderedDict()
_own_lock = threading.Lock()


def own_columns(content: bytes) -> list[tuple[dict, Column]]:
    """The columns of a person's CSV, each with what the browser needs to know of it; their values are asked for by ``"id"``.

    Raises:
        ValueError: Where the file is no use, in one line.
    """
    found = []
    for i, column in enumerate(read_columns(content)):
        key = f"own {hashlib.sha256(content).hexdigest()[:16]} {i}"
        with _own_lock:
            _own[key] = column
            _own.move_to_end(key)
            while len(_own) > OWN:
                _own.popitem(last=False)
        numbers = column.values.values()
        kind = ("few" if len(column.categories) <= FEW else "many") if column.categories else "around" if min(numbers) < 0 < max(numbers) else "from"
        found.append(({"id": key, "title": column.name, "kind": kind, "unit": "", "values": list(column.categories), "source": "later", "clipped": not column.categories}, column))
    return found


def map_panel(maps: Sequence[Mapping], *, placed: Sequence[Mapping] = (), own: Sequence[Mapping] = (), view: Mapping | None = None, key: str):
    """Shows one map, or two beside one another that share their selection.

    Arguments:
        maps: See `about`.
        placed: Further points: ``{"map", "checkpoint", "x", "y", "title", "modality", "code", "image"}`` each, the whole code as
            floats and the image as the model gets it, its pixels in base64.
        own: A person's columns to colour by, see `own_columns`.
        view: What a panel begins with: ``{"colour": a column's id, "show": "points" or the place of a modality}``, empty for the
            usual ones; None for those that this tab had last.

    Returns:
        The component's result: ``.open`` (the text of a point that was clicked), ``.done`` (the keys of finished maps) and
        ``.view`` (what differs from the usual view now, None until anything does).
    """
    data = {"files": live.FILES_PATH, "socket": live.PATH, "maps": list(maps), "placed": list(placed), "own": list(own), "view": view, "colours": COLOURS}
    return _component(key=key, data=data, default={"done": [], "view": None}, on_open_change=nothing, on_done_change=nothing, on_view_change=nothing)


# ---- routes

def packed(header: Mapping, arrays: Mapping[str, np.ndarray] | None = None) -> bytes:
    """A JSON header and arrays in one body: its length (uint32), the header, then the arrays, each at a multiple of 8 bytes.

    The header gets ``"arrays"``: ``[[name, type, length], …]`` in order.
    """
    arrays = {name: np.ascontiguousarray(a) for name, a in (arrays or {}).items()}
    text = json.dumps({**header, "arrays": [[name, a.dtype.name, a.size] for name, a in arrays.items()]}).encode()
    parts = [struct.pack("<I", len(text)), text]
    at = 4 + len(text)
    for array in arrays.values():
        parts += [b"\0" * (-at % 8), array.tobytes()]
        at += -at % 8 + array.nbytes
    return b"".join(parts)


def _binary(content: bytes) -> Response:
    return Response(content, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})


async def _frame(request: Request, job: Job) -> Response:
    """The newest frame after the version the browser has; waits a while where there is none."""
    after, until, seen = whole(request.query_params.get("after"), -1), time.monotonic() + WAIT_SECONDS, (job.state, job.progress)
    known = request.query_params.get("state", "")
    while job.version <= after and job.state == known and not job.ended and (job.state, job.progress) == seen and time.monotonic() < until:
        await asyncio.sleep(PAUSE_SECONDS)
    version, positions = job.version, job.positions
    header = {"state": job.state, "progress": round(job.progress, 4), "version": version, "complaint": job.complaint, "ready": job.codes is not None}
    return _binary(packed(header, {"positions": positions} if positions is not None and version > after else None))


def _points(request: Request, job: Job) -> Response:
    """Everything that is known of the points: items, labels, KL and codes, the latter in 16 bits over each dimension's range."""
    codes = _codes(job)
    low, high = codes.full.min(0), codes.full.max(0)
    step = np.maximum(high - low, 1e-9) / 65535
    short = np.round((codes.full - low) / step).astype(np.uint16)
    shown = codes.columns.tolist()
    header = {"dims": codes.full.shape[1], "columns": shown, "low": low.tolist(), "step": step.tolist(), "labels": list(codes.labels)}
    arrays = {"ids": codes.ids.astype(np.float64), "giver": codes.giver, "kl": codes.kl, "codes": short,
              **{f"label {name}": values.astype(np.float32) for name, values in codes.labels.items()}}
    return _binary(packed(header, arrays))


def _column(request: Request, job: Job) -> Response:
    """A column that takes a while: 202 with the share that is done until it is there."""
    name, readers = request.query_params.get("name", ""), readers_of(job.model.dataset)
    if name in _own:
        return _binary(packed({}, {"values": _own[name].of(_codes(job).ids)}))
    if name.startswith("own "):
        raise ValueError("the server does not remember this column any more; give it the file again")
    if name not in ("error", "verdict"):
        raise ValueError("column is neither error nor verdict")
    done = _judging.get(job.codes_key)
    if done is None:
        _judging[job.codes_key] = done = 0.0
        _judge.submit(_judged, job, readers)
    if isinstance(done, str):
        _judging.pop(job.codes_key, None)  # who asks once more has it tried once more: there may be memory by then
        raise ValueError(f"this could not be computed: {done}")
    if done < 1:
        return JSONResponse({"progress": done}, 202)
    found = job.judge(readers)
    if name not in found:
        raise ValueError("there are no factor readers for this data set")
    return _binary(packed({}, {"values": found[name]}))


def _judged(job: Job, readers: Readers | None) -> None:
    """Judges a map's points; who asks for them finds in `_judging` how far that is, or why it failed."""
    def tell(share: float) -> None:
        _judging[job.codes_key] = min(share, 0.999)
        time.sleep(0.002)  # in which the live path has the processor

    try:
        job.judge(readers, tell)
        _judging[job.codes_key] = 1.0
    except Exception as error:  # the end of a thread: what is not said here is said nowhere
        _judging[job.codes_key] = str(error) if isinstance(error, (ValueError, DataError, embedding.Cancelled)) else f"{type(error).__name__}: {error}"


async def _figures(request: Request, job: Job) -> Response:
    """Figures of a colouring in the latent space, of the map, and of the modality gap."""
    codes, colour = _codes(job), request.query_params.get("colour", "")
    return JSONResponse(await asyncio.get_running_loop().run_in_executor(_measurer, _measured, job, codes, colour))


_figures_kept: OrderedDict[tuple, dict] = OrderedDict()


def _measured(job: Job, codes: Codes, colour: str) -> dict:
    """The figures as the browser gets them; where there are none, in words why: ``"without"`` of classes (None where the colour has none), ``"unplaced"`` of the map."""
    key = (job.key, colour, job.state == "done", _judging.get(job.codes_key) == 1)
    if key not in _figures_kept:
        figures, without = _separation(job, codes, colour)
        amount = _amount(job, codes, colour)
        gap, probe = gap_of(codes), figures.neighbours
        placed = job.state == "done" and len(codes.ids) > 8
        trust, recall = job.preservation() if placed else (None, None)
        _figures_kept[key] = {
            "silhouette": figures.silhouette, "shuffled": figures.shuffled, "accuracy": probe and probe.accuracy, "chance": probe and probe.chance,
            "without": without, "amount": amount and {"error": amount.error, "chance": amount.chance, "unit": _factor_named(job, colour).unit}, "gap": gap and {"ratio": gap.ratio, "paired": gap.paired, "random": gap.random},
            "trust": trust, "recall": recall, "unplaced": "" if placed else "too few points" if job.state == "done" else "not finished"}
        while len(_figures_kept) > 64:
            _figures_kept.popitem(last=False)
    return _figures_kept[key]


def _factor_named(job: Job, name: str) -> Factor | None:
    return next((factor for factor in job.factors if factor.name == name), None)


def _amount(job: Job, codes: Codes, colour: str) -> Amount | None:
    """How well neighbours tell a factor that has no classes."""
    factor = _factor_named(job, colour)
    return amount_of(codes, codes.labels[colour], job.factors) if factor is not None and is_amount(factor, codes.labels[colour]) else None


def _separation(job: Job, codes: Codes, colour: str) -> tuple[Figures, str | None]:
    """How well a colouring separates, and in a few words why it is not measured where it is not; None where it has no classes."""
    nothing_known = Figures(None, None, None)
    if colour == "modality":
        found = figures_of(codes, codes.giver)
    elif colour in codes.labels and not is_amount(_factor_named(job, colour), codes.labels[colour]):
        found = figures_of(codes, codes.labels[colour], job.factors)
    elif colour in _own and _own[colour].categories:
        values = _own[colour].of(codes.ids)
        known = ~np.isnan(values)
        found = figures_of(codes.where(known), values[known], job.factors) if known.sum() > 1 else nothing_known
    elif colour == "verdict":
        if _judging.get(job.codes_key) != 1:
            return nothing_known, "not decoded yet"
        verdict = job.judge(readers_of(job.model.dataset)).get("verdict")
        if verdict is None:
            return nothing_known, None
        found = figures_of(codes, verdict, job.factors)
    else:
        return nothing_known, None
    return found, "too few of a class"


def _pictures(request: Request, job: Job) -> Response:
    """The images of points as raw pixels: for each, the first picture and then the second, height × width × channels."""
    codes = _codes(job)
    points = [point for text in request.query_params.get("points", "").split(",") if (point := whole(text)) is not None]
    if not 1 <= len(points) <= PICTURES or max(points) >= len(codes.ids):
        raise ValueError(f"points are 1 to {PICTURES} numbers below {len(codes.ids)}")
    if job.data is None:
        raise ValueError("the images of the data set are not on this machine")
    images, _ = job.data.items(codes.ids[points])
    return _binary(np.concatenate([live.pixels(images[name]).reshape(len(points), -1) for name in job.model.names], 1).tobytes())


def _export(request: Request, job: Job) -> Response:
    """The map as a file to take along."""
    if job.embedding is None:
        raise ValueError("the map is not finished yet")
    try:
        kind = request.query_params.get("kind", "")
        write, name, media = EXPORTS[kind]
    except KeyError:
        raise ValueError(f"kind is none of {', '.join(EXPORTS)}") from None
    model = request.query_params.get("model", "")
    if model not in models.names():
        raise ValueError("there is no model of this name")
    with tempfile.TemporaryDirectory() as folder:
        content = write(job, Path(folder), request.query_params.get("colour", ""), model)
    stem, ending = name.split(".")
    return Response(content, media_type=media, headers=attachment(f"{_file_of(model, stem, job)}.{ending}"))


def _labels(job: Job, colour: str = "") -> tuple[dict[str, Sequence], str | None]:
    """Every column as a person reads it, with that of this colour among them, and the name of the latter."""
    codes = job.codes
    givens = ["+".join(given) for given in job.choice.given(job.model.names)]
    labels: dict[str, Sequence] = {}
    for factor in job.factors:
        values = codes.labels[factor.name]
        labels[factor.name] = values if factor.kind == "ordered" else [factor.format(v) for v in values]
    labels |= {"given": [givens[g] for g in codes.giver], "kl": np.round(codes.kl.astype(float), 4)}
    name = {"modality": "given"}.get(colour, colour)
    if colour in _own:
        own = _own[colour]
        values, name = own.of(codes.ids), own.name if own.name not in labels else f"{own.name} (own)"
        labels[name] = ["" if np.isnan(v) else own.categories[int(v)] for v in values] if own.categories else values
    elif colour in ("error", "verdict") and _judging.get(job.codes_key) == 1:
        found = job.judge(readers_of(job.model.dataset)).get(colour)
        if found is not None:
            labels[colour] = np.round(found.astype(float), 6) if colour == "error" else [VERDICTS[int(v)] for v in found]
    return labels, name if name in labels else None


def _csv(job: Job, folder: Path, colour: str, model: str) -> bytes:
    told = [f"{model}: {described(job)}; seed {_seeds(job)}"] * len(job.codes.ids)  # in a column: what reads a CSV may take a comment for a row
    labels = {"coordinates": told} | _labels(job, colour)[0]
    write_csv(folder / "map.csv", job.codes.ids, job.embedding.positions, labels, job.data.names if job.data is not None else ())
    return (folder / "map.csv").read_bytes()


def _html(job: Job, folder: Path, colour: str, model: str) -> bytes:
    labels, coloured = _labels(job, colour)
    if coloured is None:  # not known yet: by what the page opens with
        colour = coloured = next((factor.name for factor in job.factors if _factor(factor)["kind"] != "many"), None)
    named = job.choice.source != EACH and any(factor.name == colour and _factor(factor)["kind"] == "few" for factor in job.factors)
    pictures = pictures_of(job.data, job.codes.ids) if job.data is not None else None
    write_html(folder / "map.html", job.codes.ids, job.embedding.positions, labels, coloured, f"{model}: {described(job)}", _hues(job, colour), named, pictures,
               job.data.names if job.data is not None else ())
    return (folder / "map.html").read_bytes()


def _hues(job: Job, colour: str) -> dict[str, str] | None:
    """The colours of the classes of a column by their names; None where it has no classes, or more than there are colours."""
    factor = _factor_named(job, colour)
    classes = list(VERDICTS) if colour == "verdict" else ["+".join(given) for given in job.choice.given(job.model.names)] if colour == "modality" else []
    if colour in _own:
        classes = list(_own[colour].categories)
    elif factor is not None and factor.kind == "categorical":
        classes = [factor.format(v) for v in range(len(factor.values))]
    return dict(zip(classes, COLOURS.get(colour, COLOURS["few"]))) if 0 < len(classes) <= FEW else None


def _projector(job: Job, folder: Path, colour: str, model: str) -> bytes:
    thumbnails = job.data.items(job.codes.ids)[0][job.model.names[0]].numpy() if job.data is not None and len(job.codes.ids) <= THUMBNAILS else None
    write_projector(folder / "projector", job.codes.ids, job.codes.shown, _labels(job, colour)[0], thumbnails)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted((folder / "projector").iterdir()):
            archive.write(file, file.name)
    return buffer.getvalue()


#: Kinds of files: how each is made of a map, in a folder, with a colour and the name of the model; its name and its type.
EXPORTS: dict[str, tuple[Callable[[Job, Path, str, str], bytes], str, str]] = {
    "csv": (_csv, "map.csv", "text/csv"),
    "html": (_html, "map.html", "text/html"),
    "projector": (_projector, "projector.zip", "application/zip"),
}


async def _cancel(request: Request, job: Job) -> Response:
    if not job.ended:  # of one that was finished meanwhile the points can still be judged
        job.cancel()
    return Response(status_code=204)


def _codes(job: Job) -> Codes:
    if job.codes is None:
        raise ValueError("the codes are not known yet")
    return job.codes


def _answers(answer: Callable) -> Callable:
    """An endpoint that finds the request's map; what it cannot do becomes 400 with one line, an unknown map 404."""
    async def respond(request: Request) -> Response:
        try:
            job = _jobs[request.path_params["key"]]
        except KeyError:
            return PlainTextResponse("This map is not on the server any more; draw it again.", 404)
        try:
            if inspect.iscoroutinefunction(answer):
                return await or_ended(answer(request, job))
            return await or_ended(asyncio.get_running_loop().run_in_executor(_answerers, answer, request, job))
        except (ValueError, DataError) as error:  # the latter of items that are no longer those of the map
            return PlainTextResponse(str(error), 400)

    return respond


routes = [
    *(Route(f"{PATH}/{name}", _answers(answer)) for name, answer in
      (("frame", _frame), ("points", _points), ("column", _column), ("figures", _figures), ("pictures", _pictures), ("export", _export))),
    Route(f"{PATH}/cancel", _answers(_cancel), methods=["POST"]),
]
