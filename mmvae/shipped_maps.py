"""The map that a model is shown with at first, kept beside its weights: it opens at once, and without the data set.

One small .npz file: positions, and the codes that they are of, in 16 bits over each dimension's range, other blocks' codes and
KL in 8, ids and labels, and what they were made from. In 8 bits a code's nearest ones would be others now and then, and figures of
the latent space not those that another map of the same codes has. A map of other weights, or of other images under the same ids,
is never read.
"""

from __future__ import annotations

__all__ = ["FIRST", "FOLDER", "first_map", "maps_in", "read_map", "write_map"]

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .data.arrays import whole_arrays
from .data.base import DataError, PairedDataset
from .embedding import PCA, UMAP, Embedding, Params, params_from_json, params_to_json
from .files import opened_atomically
from .maps import Choice, Codes, Job, images_digest, layouts_for
from .model import MultimodalVAE

FOLDER = "maps"
FIRST = 2000  # items of a map that nobody has chosen yet
FORMAT = 2
LABEL = "label "


def first_map(model: MultimodalVAE, data: PairedDataset) -> tuple[Choice, Params | None]:
    """What a model is shown with at first: the codes that both modalities share, by UMAP, or as they are in two dimensions."""
    blocks = tuple(block.name for block in model.blocks if block.owner is None)
    plain = layouts_for(model, blocks)[0] == "plain"
    return Choice(blocks, count=min(FIRST, len(data.split("test")))), None if plain else UMAP()


def write_map(folder: Path, job: Job) -> Path:
    """Keeps a finished map in a checkpoint's folder, in place of an older one of the same choice; returns its file.

    Raises:
        ValueError: Where the job did not end with a map.
    """
    if job.embedding is None or job.data is None:
        raise ValueError(job.complaint or f"the map is {job.state}, only a finished one can be kept")
    about = {"format": FORMAT, "weights": job.weights, "data": job.data.name, "images": images_digest(job.data, job.codes.ids),
             "choice": asdict(job.choice), "layout": _layout(job.params)}
    found, codes = job.embedding, job.codes
    others = codes.full.copy()
    others[:, codes.columns] = 0
    arrays = {"about": np.array(json.dumps(about, sort_keys=True)), **_packed("positions", found.positions, np.uint16),
              **_packed("shown", codes.shown, np.uint16), **_packed("codes", others, np.uint8), "mean": found.mean, "axes": found.axes, "ids": codes.ids, "giver": codes.giver,
              "columns": codes.columns, **_packed("kl", codes.kl[:, None], np.uint8), **{LABEL + name: values for name, values in codes.labels.items()}}
    file = folder / FOLDER / _name(job.choice, job.params)
    file.parent.mkdir(exist_ok=True)
    with opened_atomically(file) as sink:
        np.savez_compressed(sink, **arrays)
    return file


def read_map(folder: Path, weights: str, choice: Choice, params: Params | None, data: PairedDataset | None) -> tuple[Codes, Embedding] | None:
    """The map of this choice and layout that a checkpoint's folder holds; None where it holds none that is still true.

    Arguments:
        weights: The digest of the weights: a map of others is not read.
        data: Whose items; a map of other images is not read. None where they are not on this machine.
    """
    arrays = whole_arrays(folder / FOLDER / _name(choice, params))
    try:
        if arrays is None or _about(arrays, weights) != (choice, params):
            return None
        ids = arrays["ids"]
        about = json.loads(str(arrays["about"]))
        if data is not None and (data.name != about["data"] or images_digest(data, ids) != about["images"]):
            return None
        full = _unpacked("codes", arrays)
        full[:, arrays["columns"]] = _unpacked("shown", arrays)
        codes = Codes(ids, arrays["giver"], full, arrays["columns"], _unpacked("kl", arrays)[:, 0],
                      {name.removeprefix(LABEL): values for name, values in arrays.items() if name.startswith(LABEL)})
        positions = _unpacked("positions", arrays)
        lengths = {len(each) for each in (ids, codes.giver, codes.full, codes.kl, positions, *codes.labels.values())}
        if len(lengths) != 1 or positions.shape[1:] != (2,):
            return None
        return codes, Embedding(params or PCA(), positions, codes.shown, arrays["mean"], arrays["axes"])
    except (KeyError, ValueError, TypeError, IndexError, DataError):  # of another format, damaged, or of items that are not here
        return None


def maps_in(folder: Path, weights: str) -> list[tuple[Choice, Params | None]]:
    """What the maps of these weights in a checkpoint's folder show."""
    found = []
    for file in sorted((folder / FOLDER).glob("*.npz")):
        try:
            asked = _about(whole_arrays(file) or {}, weights)
        except (KeyError, ValueError, TypeError):
            continue
        if asked is not None:
            found.append(asked)
    return found


def _about(arrays: Mapping[str, np.ndarray], weights: str) -> tuple[Choice, Params | None] | None:
    """What a file shows, where it was made by these weights."""
    about = json.loads(str(arrays["about"]))
    if about["format"] != FORMAT or about["weights"] != weights:
        return None
    choice = Choice(**{**about["choice"], "blocks": tuple(about["choice"]["blocks"])})
    return choice, params_from_json(about["layout"]) if about["layout"] else None


def _layout(params: Params | None) -> str:
    return params_to_json(params) if params else ""


def _name(choice: Choice, params: Params | None) -> str:
    """The same for maps that replace one another: the weights are not part of it."""
    asked = hashlib.sha256(f"{choice.text()} {_layout(params)}".encode()).hexdigest()
    return f"{params.method if params else 'plain'}-{asked[:12]}.npz"


def _packed(name: str, values: np.ndarray, kind: type[np.unsignedinteger]) -> dict[str, np.ndarray]:
    """Values [N, D] as whole numbers over each dimension's range."""
    low = values.min(0)
    step = np.maximum(values.max(0) - low, 1e-9) / np.iinfo(kind).max
    return {name: np.round((values - low) / step).astype(kind), f"{name} low": low.astype(np.float32), f"{name} step": step.astype(np.float32)}


def _unpacked(name: str, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    return arrays[f"{name} low"] + arrays[name].astype(np.float32) * arrays[f"{name} step"]
