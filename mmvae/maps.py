"""What a map of a latent space shows: whose codes, of which blocks, laid out how; and the work of making one.

A `Choice` says which codes, `codes_of` computes them, and a `Job` goes from a choice to a finished map while others watch.
What was computed is kept in a folder, so that the same map opens at once.
"""

from __future__ import annotations

__all__ = ["COUNTS", "EACH", "PAIR", "Amount", "Choice", "Codes", "Figures", "Job", "amount_of", "check_choice", "codes_of", "figures_of", "gap_of", "images_digest", "is_amount", "judged",
           "layouts_for", "plain", "source_blocks"]

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from .data import DATASETS, version_of
from .data.arrays import whole_arrays, write_arrays
from .data.base import SPLITS, DataError, Factor, PairedDataset
from .embedding import PCA, Cancelled, Embedding, Params, cached_embed, embed, params_to_json, preservation
from .files import mark_used
from .metrics.clusters import ModalityGap, Probe, modality_gap, silhouette
from .metrics.clusters import judged as judged_probe
from .metrics.codes import as_classes
from .model import MultimodalVAE
from .readers import Readers
from .translation import hits

PAIR, EACH = "pair", "each"
#: Numbers of items that are offered; a map of all has as many as its split.
COUNTS = (500, 1000, 2000, 5000, 10_000, 20_000, 60_000)
CHUNK = 125
#: Codes after which there is something to look at, and the share of all after which there is more of it.
FIRST_CODES, MORE = 1000, 0.05
#: Bytes of kept maps beyond which the oldest go.
KEPT_BYTES = 1_000_000_000
FIGURE_ITEMS = 3000
NEIGHBOURS = 10
ENOUGH = 3  # groups of a class, to tell it without one of them
LOOKED_AT = 16  # items whose images tell one data set from another of the same name
VERSION = 1  # raise where the same choice gives other codes
JUDGED = 2  # raise where the same codes are judged otherwise

Tell = Callable[[float], None]
Look = Callable[[np.ndarray], None]


@dataclass(frozen=True)
class Choice:
    """Which codes a map shows.

    Arguments:
        blocks: The latent blocks whose dimensions are laid out, in the model's order.
        source: `PAIR` for the posterior given both images, a modality's name for that given its image alone, or `EACH` for
            two points an item, one from each modality alone.
        sampled: One sample of each posterior instead of its mean.
        split: Of the data set.
        count: Items, drawn from the split by the seed; all of it where it has fewer.
        seed: Of the draw and of samples.

    Raises:
        ValueError: Where a value makes no sense by itself; `source_blocks` knows what a model can do.
    """

    blocks: tuple[str, ...]
    source: str = PAIR
    sampled: bool = False
    split: str = "test"
    count: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.blocks:
            raise ValueError("a map needs at least one block of the code")
        if self.split not in SPLITS:
            raise ValueError(f"no split {self.split!r}; choose {', '.join(SPLITS)}")
        if not 1 <= self.count <= 1_000_000:
            raise ValueError(f"a map of {self.count} items; choose 1 to 1,000,000")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed {self.seed}; choose 0 to 2⁶³ − 1")

    def text(self) -> str:
        """The choice as one line of JSON; equal choices give equal text."""
        return json.dumps(asdict(self), sort_keys=True)

    def given(self, names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """The modalities that each point's posterior is given, for each point an item has."""
        if self.source == PAIR:
            return (tuple(names),)
        return tuple((name,) for name in names) if self.source == EACH else ((self.source,),)


@dataclass(frozen=True, eq=False)
class Codes:
    """The codes of a map's points. With `EACH`, the points of the first modality come before those of the second.

    Arguments:
        ids: The item of each point, int64 [P].
        giver: Which of `Choice.given` each point's posterior was given, uint8 [P].
        full: The whole code, all blocks one after the other, float32 [P, D].
        columns: Which of its dimensions are laid out.
        kl: Of those blocks' posterior from the prior, in nats, float32 [P].
        labels: {factor: float32 [P]}.
    """

    ids: np.ndarray
    giver: np.ndarray
    full: np.ndarray
    columns: np.ndarray
    kl: np.ndarray
    labels: Mapping[str, np.ndarray]

    @property
    def shown(self) -> np.ndarray:
        """What is laid out, float32 [P, d]."""
        return np.ascontiguousarray(self.full[:, self.columns])

    def where(self, kept: np.ndarray) -> Codes:
        """Some of the points: those that a mask [P] keeps."""
        labels = {name: values[kept] for name, values in self.labels.items()}
        return Codes(self.ids[kept], self.giver[kept], self.full[kept], self.columns, self.kl[kept], labels)


@dataclass(frozen=True)
class Figures:
    """How well a colouring separates in the latent space, not on the map; None where it cannot be measured.

    Arguments:
        silhouette: See `mmvae.metrics.clusters.silhouette`.
        shuffled: The same with the classes shuffled among the points: its level by chance.
        neighbours: Accuracy of the nearest codes' majority, see `_neighbour_probe`, with that of naming the commonest class.
    """

    silhouette: float | None
    shuffled: float | None
    neighbours: Probe | None


@dataclass(frozen=True)
class Amount:
    """How well the nearest codes tell an amount, in its own unit.

    Arguments:
        error: Mean absolute difference of an item's value and the mean of its nearest codes' values.
        chance: The same of the mean of all values.
    """

    error: float
    chance: float


def source_blocks(model: MultimodalVAE, source: str) -> tuple[str, ...]:
    """The blocks that a source tells something of; none where the variant has no posterior given it.

    Raises:
        ValueError: Where the source is neither `PAIR` nor `EACH` nor a modality.
    """
    if source not in (PAIR, EACH, *model.names):
        raise ValueError(f"no source {source!r}; choose {PAIR}, {EACH}, {' or '.join(model.names)}")
    if any(not model.variant.infers_from(model.positions(given)) for given in Choice(("",), source).given(model.names)):
        return ()
    return tuple(b.name for b in model.blocks if source == PAIR or b.owner is None or b.owner == source)


def check_choice(model: MultimodalVAE, choice: Choice) -> None:
    """A ValueError in one line where a model has no such codes."""
    possible = source_blocks(model, choice.source)
    for name in choice.blocks:
        if name not in possible:
            raise ValueError(f"{choice.source} tells nothing of {name}; choose {', '.join(possible) or 'another source'}")


@torch.inference_mode()
def codes_of(model: MultimodalVAE, data: PairedDataset, choice: Choice, tell: Tell | None = None, cancelled: Callable[[], bool] | None = None,
             look: Look | None = None) -> Codes:
    """The codes that a choice asks for.

    Arguments:
        tell: Called with the share that is done.
        look: Called now and then with what is laid out of the codes known so far, float32 [p, d].
        cancelled: Asked between batches; a true answer stops the computation.

    Raises:
        ValueError: Where the source tells nothing of a block.
        Cancelled: Where cancelled() said so.
    """
    check_choice(model, choice)
    ids = data.split(choice.split)
    ids = ids[torch.from_numpy(np.random.default_rng(choice.seed).permutation(len(ids))[:choice.count])]
    generator = torch.Generator().manual_seed(choice.seed)
    givens = choice.given(model.names)
    full, kl = ([[] for _ in givens] for _ in range(2))
    labels: dict[str, list[np.ndarray]] = {f.name: [] for f in data.factors}
    columns, looked = _columns(model, choice.blocks), 0
    for start in range(0, len(ids), CHUNK):
        if cancelled is not None and cancelled():
            raise Cancelled(f"encoding was stopped at {start:,} of {len(ids):,} items")
        images, known = data.items(ids[start:start + CHUNK])
        prior = model.prior(len(ids[start:start + CHUNK]))
        for i, given in enumerate(givens):
            posterior = model.posterior({name: images[name] for name in given})
            full[i].append(torch.cat([(belief.sample(generator) if choice.sampled else belief.mean) for belief in posterior.values()], 1).numpy())
            kl[i].append(sum(posterior[name].kl(prior[name]).sum(1) for name in choice.blocks).numpy())
        for name, column in labels.items():
            column.append(known[name].numpy().astype(np.float32))
        done = min(start + CHUNK, len(ids))
        if tell is not None:
            tell(done / len(ids))
        if look is not None and (done == len(ids) or done >= FIRST_CODES and done - looked >= MORE * len(ids)):
            looked = done
            look(np.concatenate([z[:, columns] for each in full for z in each]))
    times = len(givens)
    return Codes(np.tile(ids.numpy(), times), np.repeat(np.arange(times, dtype=np.uint8), len(ids)), np.concatenate([z for each in full for z in each]),
                 columns, np.concatenate([k for each in kl for k in each]).astype(np.float32),
                 {name: np.tile(np.concatenate(column), times) for name, column in labels.items()})


def _columns(model: MultimodalVAE, blocks: Sequence[str]) -> np.ndarray:
    """The dimensions of these blocks within the whole code."""
    at, columns = 0, []
    for block in model.blocks:
        columns += range(at, at + block.dim) if block.name in blocks else ()
        at += block.dim
    return np.array(columns)


@torch.inference_mode()
def judged(model: MultimodalVAE, data: PairedDataset, codes: Codes, readers: Readers | None = None, tell: Tell | None = None,
           cancelled: Callable[[], bool] | None = None) -> dict[str, np.ndarray]:
    """What the pictures decoded from the codes are like, a column each.

    Returns:
        ``"error"``: the squared error per pixel, mean over both pictures, float32 [P]; with readers also ``"verdict"``: 1
        where both pictures show every factor that the pair shares, 0 where one does not, float32 [P]. A category is shown
        where it is read, an ordered factor where it is read to within a step; see `mmvae.translation.hits`.
    """
    errors, kept = [], []
    for start in range(0, len(codes.ids), CHUNK):
        if cancelled is not None and cancelled():
            raise Cancelled("judging was stopped")
        images, labels = data.items(codes.ids[start:start + CHUNK])
        z = torch.from_numpy(codes.full[start:start + CHUNK]).split([b.dim for b in model.blocks], 1)
        pictures = model.decode({b.name: part for b, part in zip(model.blocks, z)})
        errors.append(torch.stack([(pictures[name] - images[name]).square().mean((1, 2, 3)) for name in model.names]).mean(0).numpy())
        if readers is not None:
            kept.append(_shown(readers, data.factors, pictures, labels))
        if tell is not None:
            tell(min(1.0, (start + CHUNK) / len(codes.ids)))
    found = {"error": np.concatenate(errors).astype(np.float32)}
    if kept:
        found["verdict"] = np.concatenate(kept).astype(np.float32)
    return found


def _shown(readers: Readers, factors: Sequence[Factor], pictures: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> np.ndarray:
    shared = [factor for factor in factors if factor.owner is None]
    wanted = {factor.name: labels[factor.name].numpy() for factor in shared}
    right = np.ones(len(next(iter(labels.values()))), bool)
    for readings in readers.read(pictures).values():
        values = {name: reading.value.numpy()[:, None] for name, reading in readings.items()}
        for hit in hits(values, wanted, shared).values():
            right &= hit[:, 0]
    return right


def figures_of(codes: Codes, classes: np.ndarray, factors: Sequence[Factor] = ()) -> Figures:
    """The figures of a colouring [P], measured on at most 3,000 random points.

    Where an item has two points, only those of the first modality count: the other one would give its neighbour away. So
    would items that resemble each other by more than their class, see `_resembling`: they are no neighbours. Where the
    classes are the modalities, all points count, and an item's two are no neighbours.
    """
    classes, modalities = np.asarray(classes), np.array_equal(classes, codes.giver) and codes.giver.any()
    rows = np.arange(len(codes.ids)) if modalities else np.flatnonzero(codes.giver == 0)
    rows = np.random.default_rng(0).permutation(rows)[:FIGURE_ITEMS]
    shown, classes = codes.shown[rows], classes[rows]
    if len(np.unique(classes)) < 2:
        return Figures(None, None, None)
    try:
        parted, shuffled = silhouette(shown, classes), silhouette(shown, np.random.default_rng(0).permutation(classes))
    except ValueError:  # as many classes as items
        parted = shuffled = None
    if len(shown) <= 2 * NEIGHBOURS:
        return Figures(parted, shuffled, None)
    classes = as_classes(classes)
    resembling, asked = ([codes.ids[rows]], np.ones(len(rows), bool)) if modalities else _resembling(codes, rows, classes, factors)
    return Figures(parted, shuffled, _neighbour_probe(shown, classes, resembling, asked))


def is_amount(factor: Factor, values: np.ndarray) -> bool:
    """Whether a factor's values are amounts and no classes: ordered, and more than two. A neighbour at the next value is hardly off."""
    return factor.kind == "ordered" and len(np.unique(values)) > 2


def amount_of(codes: Codes, values: np.ndarray, factors: Sequence[Factor] = ()) -> Amount | None:
    """How well the nearest codes tell an amount [P], of the points and without the neighbours that `figures_of` leaves out; None where there are too few."""
    rows = np.random.default_rng(0).permutation(np.flatnonzero(codes.giver == 0))[:FIGURE_ITEMS]
    values = np.asarray(values, np.float64)[rows]
    if len(rows) <= 2 * NEIGHBOURS:
        return None
    resembling, asked = _resembling(codes, rows, as_classes(values), factors)
    nearest, heard = _nearest(codes.shown[rows], resembling, asked)
    mean = values.mean()
    told = np.where(heard.any(1), (values[nearest] * heard).sum(1) / np.maximum(heard.sum(1), 1), mean)
    return Amount(float(np.abs(values[asked] - told).mean()), float(np.abs(values[asked] - mean).mean()))


def _resembling(codes: Codes, rows: np.ndarray, classes: np.ndarray, factors: Sequence[Factor]) -> tuple[list[np.ndarray], np.ndarray]:
    """Groups of items whose codes are alike whatever the class, and the items [n] whose class can be told without their group.

    A shared code is about the same for all items that are alike in what both modalities show, so that any classes of these
    cells look like clusters, random ones too. Cells can only be set aside where a class has enough of them: with one or two,
    as each person of the faces' test split has, the figure would tell of the split. Then a code may be recognised by others
    of its cell, but not by those that one of its very pictures gave. Pictures are known by what they show, and that only where more
    than one shared factor is known: items of one digit are many pictures.
    """
    shared = [factor for factor in factors if factor.owner is None]
    if len(shared) > 1:
        owners = dict.fromkeys(factor.owner for factor in factors if factor.owner is not None)
        pictures = [[factor for factor in factors if factor.owner in (None, owner)] for owner in owners]
        for shows in ([shared], pictures):
            groups = [np.unique(np.stack([codes.labels[factor.name][rows] for factor in each], 1), axis=0, return_inverse=True)[1].reshape(-1) for each in shows]
            asked = np.all([_groups_of(classes, each) >= ENOUGH for each in groups], axis=0)
            if groups and 2 * np.count_nonzero(asked) > len(rows):
                return groups, asked
    return [], np.ones(len(rows), bool)


def _groups_of(classes: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """In how many groups each item's class occurs, [n]."""
    return np.bincount(np.unique(np.stack([classes, groups], 1), axis=0)[:, 0])[classes]


def _neighbour_probe(codes: np.ndarray, classes: np.ndarray, resembling: Sequence[np.ndarray], asked: np.ndarray) -> Probe:
    """How often the nearest codes name an item's class by majority, where neither it nor one of its groups has a vote.

    Arguments:
        codes, classes: [n, d] and 0, 1, … [n].
        resembling: Groups [n] each, of which a neighbour may share none.
        asked: The items whose class is asked for, bool [n]; the others still vote.
    """
    nearest, votes = _nearest(codes, resembling, asked)
    named = (np.eye(classes.max() + 1, dtype=np.float32)[classes[nearest]] * votes[..., None]).sum(1).argmax(1)
    return judged_probe(named, classes[asked])


def _nearest(codes: np.ndarray, resembling: Sequence[np.ndarray], asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The items of the ten nearest codes to each one asked for, [a, 10], and which of them are none of its own groups, bool [a, 10]."""
    distances = cdist(codes[asked], codes)
    distances[np.arange(len(distances)), np.flatnonzero(asked)] = np.inf
    for groups in resembling:
        distances[groups[asked, None] == groups] = np.inf
    nearest = np.argpartition(distances, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    return nearest, np.isfinite(np.take_along_axis(distances, nearest, axis=1))


def gap_of(codes: Codes) -> ModalityGap | None:
    """The modality gap in the latent space where both modalities' codes are shown."""
    if not codes.giver.any():
        return None
    shown = codes.shown
    first, second = shown[codes.giver == 0], shown[codes.giver == 1]
    return modality_gap(first[:FIGURE_ITEMS], second[:FIGURE_ITEMS]) if len(first) > 1 else None


def plain(codes: np.ndarray) -> Embedding:
    """Codes of two dimensions (or one) as they are: nothing is projected."""
    wide = np.zeros((len(codes), 2), np.float32)
    wide[:, :codes.shape[1]] = codes[:, :2]
    return Embedding(PCA(), wide, codes, np.zeros(codes.shape[1], np.float32), np.eye(codes.shape[1], 2, dtype=np.float32))


def layouts_for(model: MultimodalVAE, blocks: Sequence[str]) -> tuple[str, ...]:
    """The methods that a map of these blocks may have: ``"plain"`` first where they have no more than two dimensions."""
    wide = sum(model.block(name).dim for name in blocks)
    return ("plain", "pca", "tsne", "umap") if wide <= 2 else ("pca", "tsne", "umap")


class Job:
    """A map in the making. Run it in a thread; any number of others may look at it meanwhile.

    Arguments:
        model, data: Whose codes; without data only a map that is brought along can be shown, see `take`.
        weights: The digest of the model's weights, part of the key under which results are kept.
        choice: Which codes.
        params: How they are laid out; None for codes of two dimensions as they are.
        folder: Where codes and maps are kept.

    Attributes:
        key: Equal for equal maps.
        state: ``"waiting"``, ``"encoding"``, ``"placing"``, ``"done"``, ``"cancelled"`` or ``"failed"``.
        progress: Of that state, 0 to 1.
        codes: Once they are known.
        positions: The newest frame, float32 [P, 2], while encoding with fewer points; `version` counts frames.
        embedding: The finished map.
        complaint: One line where it failed.
    """

    def __init__(self, model: MultimodalVAE, data: PairedDataset | None, weights: str, choice: Choice, params: Params | None, folder: Path) -> None:
        self.model, self.data, self.weights, self.choice, self.params, self.folder = model, data, weights, choice, params, folder
        items = f"{data.name} {_split_digest(data, choice.split)}" if data is not None else "no data"
        if data is not None and data.name not in DATASETS:
            items += f" {version_of(data.name)}"  # a person's own images may be others from one day to the next
        asked = f"{VERSION} {weights} {items} {choice.text()}"
        self.codes_key = hashlib.sha256(asked.encode()).hexdigest()[:24]
        layout = params_to_json(params) if params else "plain"
        self.key = hashlib.sha256(f"{asked} {layout}".encode()).hexdigest()[:24]
        self.state, self.progress, self.version, self.complaint = "waiting", 0.0, 0, ""
        self.codes: Codes | None = None
        self.positions: np.ndarray | None = None
        self.embedding: Embedding | None = None
        self._cancel = threading.Event()
        self._judging = threading.Lock()
        self._judged: dict[str, np.ndarray] | None = None

    @property
    def ended(self) -> bool:
        return self.state in ("done", "cancelled", "failed")

    @property
    def factors(self) -> tuple[Factor, ...]:
        """Of the data set, also where its images are not at hand."""
        if self.data is not None:
            return self.data.factors
        return DATASETS[self.model.dataset].factors if self.model.dataset in DATASETS else ()

    def take(self, codes: Codes, embedding: Embedding) -> None:
        """Ends with a map that was made before."""
        self.codes, self.embedding = codes, embedding
        self._show(1.0, embedding.positions)
        self.state = "done"

    def cancel(self) -> None:
        """Asks a running job to stop; one that is done stays so."""
        self._cancel.set()

    def run(self) -> None:
        """Computes the map, or reads what was kept of it."""
        try:
            if self._cancel.is_set():
                raise Cancelled("stopped before it began")
            self.state = "encoding"
            self.codes = self._kept("codes", self.codes_key) or self._encode()
            self.state, self.progress = "placing", 0.0
            if self.params is None:
                self.embedding = plain(self.codes.shown)
                self._show(1.0, self.embedding.positions)
            else:
                self.embedding = cached_embed(self.codes.shown, self.params, self.folder, self._show, self._cancel.is_set)
            self.state = "done"
        except Cancelled:
            self.state = "cancelled"
        except Exception as error:  # the end of a thread: what is not said here is said nowhere
            self.complaint, self.state = str(error) if isinstance(error, (ValueError, DataError)) else f"{type(error).__name__}: {error}", "failed"
        _prune(self.folder)

    def judge(self, readers: Readers | None, tell: Tell | None = None) -> dict[str, np.ndarray]:
        """`judged` of this job's codes, computed once and kept.

        Raises:
            ValueError: Where the images are not on this machine.
            Cancelled: Where the job was cancelled before it was done with this.
        """
        with self._judging:
            if self.data is None:
                raise ValueError("the images to compare with are not on this machine")
            if self._judged is None or readers is not None and "verdict" not in self._judged:  # they were trained meanwhile
                path = self.folder / f"judged-{JUDGED}-{self.codes_key}.npz"
                found = _read_kept(path)
                if found is None or (readers is not None and "verdict" not in found):
                    found = judged(self.model, self.data, self.codes, readers, tell, self._cancel.is_set)
                    with suppress(OSError):  # as in _encode
                        write_arrays(path, **found)
                self._judged = found
            return self._judged

    def preservation(self) -> tuple[float, float]:
        """How well the map keeps neighbourhoods, from a few hundred of them; see `mmvae.embedding.preservation`."""
        shown = self.codes.shown
        return preservation(shown, self.embedding.positions, min(15, max(1, (len(shown) - 1) // 2 - 1)), sample=300)

    def _show(self, progress: float, positions: np.ndarray) -> None:
        self.positions, self.progress = positions, progress
        self.version += 1  # last: who sees the new number finds the new positions

    def _look(self, positions: np.ndarray) -> None:
        self._show(self.progress, positions)

    def _encode(self) -> Codes:
        def tell(share: float) -> None:
            self.progress = share

        if self.data is None:
            raise ValueError("the images of the data set are not on this machine")
        codes = codes_of(self.model, self.data, self.choice, tell, self._cancel.is_set, _Preview(self._look, self.params))
        with suppress(OSError):  # only kept for the next time: a full disk, or one that may not be written, is no reason to show nothing
            write_arrays(self.folder / f"codes-{self.codes_key}.npz", ids=codes.ids, giver=codes.giver, full=codes.full, columns=codes.columns, kl=codes.kl,
                         **{f"label {name}": values for name, values in codes.labels.items()})
        return codes

    def _kept(self, kind: str, key: str) -> Codes | None:
        arrays = _read_kept(self.folder / f"{kind}-{key}.npz")
        try:
            return arrays and Codes(labels={name.removeprefix("label "): values for name, values in arrays.items() if name.startswith("label ")},
                                    **{name: values for name, values in arrays.items() if not name.startswith("label ")})
        except TypeError:  # an array is missing
            return None


def images_digest(data: PairedDataset, ids: np.ndarray) -> str:
    """A digest of a few items' images in 8 bits, of these ids: ids alone do not tell two copies of a data set apart.

    Raises:
        DataError: Where an id is none of the data set's.
    """
    images, _ = data.items(ids[:: max(1, len(ids) // LOOKED_AT)][:LOOKED_AT])
    parts = (np.round(images[name].numpy() * 255).astype(np.uint8).tobytes() for name in sorted(images))
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def _split_digest(data: PairedDataset, split: str) -> str:
    """Which items a split has: the same of all its ids, and of a few of its images."""
    ids = data.split(split).numpy()
    return f"{hashlib.sha256(ids.tobytes()).hexdigest()[:16]} {images_digest(data, ids)}"


class _Preview:
    """Shows codes while more of them are computed: as they are, or on the two principal directions of the first ones.

    Arguments:
        show: Called with positions float32 [p, 2].
        params: None for codes of two dimensions as they are.
    """

    def __init__(self, show: Look, params: Params | None) -> None:
        self.show, self.params = show, params
        self.first: Embedding | None = None

    def __call__(self, codes: np.ndarray) -> None:
        if self.params is None:
            return self.show(plain(codes).positions)
        self.first = self.first or embed(codes, PCA())
        self.show(self.first.place(codes))


def _read_kept(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of a file that is kept; None where it is not there, or damaged."""
    arrays = whole_arrays(path)
    if arrays is not None:
        mark_used(path)
    return arrays


def _prune(folder: Path, limit: int = KEPT_BYTES) -> None:
    """Deletes the files used longest ago until no more than `limit` bytes are kept."""
    files = sorted(((path.stat().st_mtime, path.stat().st_size, path) for path in folder.glob("*.npz")), reverse=True)
    total = 0
    for _, size, path in files:
        total += size
        if total > limit:
            path.unlink(missing_ok=True)
