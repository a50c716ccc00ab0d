r"""Maps of latent codes: PCA, t-SNE and UMAP down to two dimensions, drawable while they converge.

Knows arrays only: any codes with shape [N, D], from any model.

    >>> embedding = embed(codes, UMAP(neighbours=30), on_frame=lambda progress, positions: draw(positions))
    >>> embedding.positions.shape, embedding.place(new_codes).shape
    ((10000, 2), (1, 2))
"""

from __future__ import annotations

__all__ = [
    "PCA", "TSNE", "UMAP", "Cancelled", "Embedding", "Params", "cached_embed", "embed", "params_from_json", "params_to_json",
    "preservation", "warm_up",
]  # fmt: skip

import hashlib
import json
import threading
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from .files import mark_used, opened_atomically

# layouts is imported where it is used: it brings numba, which PCA and a map read from disk can do without.

ALGORITHM = 2  # raise where the same codes and parameters give another map: cached maps are then computed anew
FRAMES = 100  # at most, of one computation

OnFrame = Callable[[float, np.ndarray], None]
Cancel = Callable[[], bool]


class Cancelled(Exception):
    """The computation of a map was stopped by whoever asked for it."""


@dataclass(frozen=True)
class PCA:
    """The two directions of largest variance; linear, exact and immediate."""

    method: ClassVar[str] = "pca"
    title: ClassVar[str] = "PCA"


@dataclass(frozen=True)
class TSNE:
    """t-SNE: near codes stay near; distances between clusters mean little.

    Arguments:
        perplexity: The number of neighbours a code weighs, roughly; 2 to 200. Small maps use at most (N - 1) / 3.
        iterations: Steps of descent, the first third with exaggerated attraction; at least 50. The default of 750 keeps as
            many neighbours as 1,000 of scikit-learn's.
        exaggeration: The factor on the attraction in the first third; 1 to 50. Larger parts clusters more firmly.
        seed: Changes the noise on the start, which is PCA: the same seed gives the same map.
    """

    method: ClassVar[str] = "tsne"
    title: ClassVar[str] = "t-SNE"
    perplexity: float = 30.0
    iterations: int = 750
    exaggeration: float = 12.0
    seed: int = 0

    def __post_init__(self) -> None:
        _check("perplexity", self.perplexity, 2, 200)
        _check("iterations", self.iterations, 50, 10_000)
        _check("exaggeration", self.exaggeration, 1, 50)
        _check("seed", self.seed, 0, 2**32 - 1)


@dataclass(frozen=True)
class UMAP:
    """UMAP: near codes stay near, with tighter clusters than t-SNE and somewhat more of their arrangement.

    Arguments:
        neighbours: How many codes make a neighbourhood, itself among them; 2 to 200. Larger shows coarser structure.
        min_dist: How near points may lie, in map units; 0 to 2. Smaller packs clusters more tightly.
        epochs: Passes over the neighbour graph; None takes 500 up to 10,000 codes and 200 beyond, as umap-learn does.
        seed: Changes the noise on the start, which is PCA, and the negative samples: the same seed gives the same map.
    """

    method: ClassVar[str] = "umap"
    title: ClassVar[str] = "UMAP"
    neighbours: int = 15
    min_dist: float = 0.1
    epochs: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _check("neighbours", self.neighbours, 2, 200)
        _check("min_dist", self.min_dist, 0, 2)
        if self.epochs is not None:
            _check("epochs", self.epochs, 10, 10_000)
        _check("seed", self.seed, 0, 2**32 - 1)


Params = PCA | TSNE | UMAP
_METHODS: dict[str, type[Params]] = {kind.method: kind for kind in (PCA, TSNE, UMAP)}


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also refuses NaN
        raise ValueError(f"{name} is {value}; choose {low:,} to {high:,}")


def params_to_json(params: Params) -> str:
    """The parameters as one line of JSON with the method's name; equal parameters give equal text."""
    return json.dumps({"method": params.method, **asdict(params)}, sort_keys=True)


def params_from_json(text: str) -> Params:
    """The parameters that :func:`params_to_json` wrote.

    Raises:
        ValueError: Where the text is no such JSON, or names a method, a parameter or a value that does not exist.
    """
    try:
        values = json.loads(text)
        method = values.pop("method")
    except (json.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no parameters of a map: {text[:80]!r}") from error
    if method not in _METHODS:
        raise ValueError(f"no method {method!r}; choose {', '.join(_METHODS)}")
    try:
        return _METHODS[method](**values)
    except TypeError as error:
        raise ValueError(f"wrong parameters for {method}: {text[:80]!r}") from error


@dataclass(frozen=True, eq=False)
class Embedding:
    """A finished map.

    Arguments:
        params: What it was computed with.
        positions: float32 [N, 2], in the order of the codes. Units are the method's own: fit the view to them.
        codes: What was embedded, [N, D]: float16 where that loses nothing that matters, else float32.
        mean, axes: The PCA of the codes, float32 [D] and [D, 2].
    """

    params: Params
    positions: np.ndarray
    codes: np.ndarray
    mean: np.ndarray
    axes: np.ndarray

    def place(self, new_codes: np.ndarray) -> np.ndarray:
        """Positions float32 [M, 2] of new codes [M, D] in this map, which stays as it is.

        PCA projects them. In t-SNE and UMAP a new point lies at the geometric median of its nearest codes' positions, weighted
        by nearness: unlike their mean it stays inside one cluster when neighbours lie in several. A code that was embedded
        gets its own position.

        Raises:
            ValueError: Where the codes are not finite or not of this map's dimension.
        """
        new_codes = _checked(new_codes)
        if new_codes.shape[1] != len(self.mean):
            raise ValueError(f"the map was made from codes with {len(self.mean)} dimensions, got {new_codes.shape[1]}")
        if isinstance(self.params, PCA):
            return (new_codes - self.mean) @ self.axes
        if not len(new_codes):
            return np.empty((0, 2), np.float32)
        from .layouts import nearest, perplexity_weights

        codes = self.codes.astype(np.float32)
        ids, distances = nearest(codes, min(15, len(codes)), new_codes)
        weights = perplexity_weights(distances, min(8.0, len(codes) / 2))
        placed = _geometric_median(self.positions[ids], weights)
        known = distances[:, 0] < 0.01 * distances[:, 1]  # the same code, up to the rounding of stored codes
        return np.where(known[:, None], self.positions[ids[:, 0]], placed)

    def save(self, path: str | Path) -> None:
        """Write the map as .npz without pickle, whole or not at all."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with opened_atomically(path) as file:
            np.savez_compressed(
                file, params=np.array(params_to_json(self.params)), positions=self.positions, codes=self.codes,
                mean=self.mean, axes=self.axes,
            )  # fmt: skip

    @classmethod
    def load(cls, path: str | Path) -> Embedding:
        """Read a map that :meth:`save` wrote.

        Raises:
            FileNotFoundError: Where there is no such file.
            ValueError: Where the file is damaged or no map.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in ("params", "positions", "codes", "mean", "axes")}
            embedding = cls(params_from_json(str(arrays.pop("params"))), **arrays)
        except FileNotFoundError:
            raise
        except (ValueError, KeyError, OSError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"{path} is no readable map ({error}); compute it again") from error
        count, dimension = embedding.codes.shape if embedding.codes.ndim == 2 else (-1, -1)
        if (embedding.positions.shape, embedding.mean.shape, embedding.axes.shape) != ((count, 2), (dimension,), (dimension, 2)):
            raise ValueError(f"{path} is no readable map (its arrays do not fit together); compute it again")
        return embedding


def embed(codes: np.ndarray, params: Params, on_frame: OnFrame | None = None, cancelled: Cancel | None = None) -> Embedding:
    """Embed codes in two dimensions; the same codes and parameters give the same map.

    Arguments:
        codes: With shape [N, D], N at least 1 for PCA and 4 for the others; computed in float32.
        params: :class:`PCA`, :class:`TSNE` or :class:`UMAP`.
        on_frame: Called as on_frame(progress, positions) with progress rising from 0 to 1 and positions float32 [N, 2] of its
            own: PCA at once, then at most 100 frames while the map converges. Scale and centre differ between frames.
        cancelled: Asked many times a second; a true answer stops the computation.

    Raises:
        ValueError: Where codes are not finite, not [N, D] or too few.
        Cancelled: Where cancelled() said so.
    """
    codes = _checked(codes)
    least = 1 if isinstance(params, PCA) else 4
    if len(codes) < least:
        raise ValueError(f"{params.title} needs at least {least} codes, got {len(codes)}")
    mean, axes = _principal_axes(codes)
    positions = start = (codes - mean) @ axes
    shown = 0.0
    if on_frame is not None:
        on_frame(0.0, start.copy())
    for progress, positions in _layout(codes, start, params):
        if cancelled is not None and cancelled():
            raise Cancelled(f"{params.title} of {len(codes):,} codes was stopped at {progress:.0%}")
        if on_frame is not None and shown + 1 / FRAMES <= progress < 1:
            on_frame(progress, positions.copy())
            shown = progress
    if on_frame is not None:
        on_frame(1.0, positions.copy())
    return Embedding(params, positions.copy(), _stored(codes), mean, axes)


def cached_embed(
    codes: np.ndarray, params: Params, folder: str | Path, on_frame: OnFrame | None = None, cancelled: Cancel | None = None
) -> Embedding:
    """:func:`embed`, kept in a folder under a key of the codes' bytes, the parameters and the algorithm's version.

    A map found there is returned at once, with a single frame; one that cannot be read is computed and written again.
    """
    codes = _checked(codes)
    digest = hashlib.sha256(f"{ALGORITHM} {params_to_json(params)} {codes.shape}".encode())
    digest.update(codes)
    path = Path(folder) / f"{params.method}-{digest.hexdigest()[:32]}.npz"
    try:
        embedding = Embedding.load(path)
    except (FileNotFoundError, ValueError):
        embedding = embed(codes, params, on_frame, cancelled)
        with suppress(OSError):  # it is there, though it cannot be kept
            embedding.save(path)
        return embedding
    mark_used(path)
    if on_frame is not None:
        on_frame(1.0, embedding.positions.copy())
    return embedding


_warming = threading.Lock()
_warm = False


def warm_up() -> None:
    """Load or compile what t-SNE, UMAP and placing need, so that the first map does not wait for it.

    About 7 s where nothing was compiled yet, a fraction of a second in later processes, nothing when called again. Call it
    in a thread; threads that call it together wait for the same compilation.
    """
    global _warm
    with _warming:
        if not _warm:
            codes = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
            embed(codes, TSNE(iterations=50))
            embed(codes, UMAP(epochs=10)).place(codes[:1] + 1)
            _warm = True


def preservation(
    codes: np.ndarray, positions: np.ndarray, neighbours: int = 15, sample: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """How well a map keeps neighbourhoods: (trustworthiness, recall), both 1 at best.

    Recall is the share of a code's nearest codes that are among its nearest on the map; by chance it is neighbours / N.
    Trustworthiness lowers 1 by how far, in ranks, false neighbours on the map are from being true ones; by chance about 0.5.

    Arguments:
        codes: With shape [N, D].
        positions: With shape [N, 2].
        neighbours: The size of a neighbourhood, below N / 2.
        sample: Codes whose neighbourhoods are looked at, drawn by the seed; all where there are fewer.

    References:
        Venna & Kaski (2001), Neighborhood preservation in nonlinear projection methods.
    """
    count = len(codes)
    if not 1 <= neighbours < count / 2:
        raise ValueError(f"{neighbours} neighbours among {count} codes; choose at least 1 and fewer than half the codes")
    asked = np.random.default_rng(seed).permutation(count)[:sample]
    kept, penalty = 0, 0
    for some in np.array_split(asked, max(1, len(asked) * count // 2_000_000)):
        true = _squares(codes, some)
        found = np.argpartition(_squares(positions, some), neighbours - 1, axis=1)[:, :neighbours]
        distances = np.take_along_axis(true, found, axis=1)
        ranks = 1 + np.stack([(true < distance[:, None]).sum(axis=1) for distance in distances.T])
        kept += int((ranks <= neighbours).sum())
        penalty += int(np.maximum(ranks - neighbours, 0).sum())
    scale = len(asked) * neighbours
    return 1 - 2 * penalty / (scale * (2 * count - 3 * neighbours - 1)), kept / scale


def _squares(points: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Squared distances [len(asked), N], infinite from a point to itself."""
    points = np.asarray(points, np.float64) - np.mean(points, axis=0, dtype=np.float64)
    lengths = np.square(points).sum(axis=1)
    squares = lengths[asked, None] + lengths - 2 * points[asked] @ points.T
    squares[np.arange(len(asked)), asked] = np.inf
    return squares


def _layout(codes: np.ndarray, start: np.ndarray, params: Params):
    match params:
        case TSNE(perplexity, iterations, exaggeration, seed):
            from .layouts import tsne_layout

            return tsne_layout(codes, start, perplexity, iterations, exaggeration, seed)
        case UMAP(neighbours, min_dist, epochs, seed):
            from .layouts import umap_layout

            return umap_layout(codes, start, neighbours, min_dist, epochs or (500 if len(codes) <= 10_000 else 200), seed)
    return iter([(1.0, start)])


def _checked(codes: np.ndarray) -> np.ndarray:
    """Codes as contiguous float32 [N, D], or an error that says what is wrong with them."""
    codes = np.ascontiguousarray(codes, dtype=np.float32)
    if codes.ndim != 2 or not codes.shape[1]:
        raise ValueError(f"codes need the shape [N, D] with D at least 1, got {list(codes.shape)}")
    wrong = ~np.isfinite(codes).all(axis=1)
    if wrong.any():
        first = int(wrong.argmax())
        raise ValueError(f"{int(wrong.sum())} of {len(codes)} codes are not finite, the first at row {first}; leave them out")
    return codes


def _principal_axes(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean [D] and the two principal directions [D, 2]; of one dimension, the second direction is zero."""
    mean = codes.mean(axis=0, dtype=np.float64)
    centred = codes - mean
    _, directions = np.linalg.eigh(centred.T @ centred)  # ascending
    axes = np.zeros((codes.shape[1], 2))
    axes[:, : min(2, codes.shape[1])] = directions[:, ::-1][:, :2]
    largest = np.abs(axes).argmax(axis=0)
    axes *= np.where(axes[largest, [0, 1]] < 0, -1, 1)  # else the sign is the linear algebra library's whim
    return mean.astype(np.float32), axes.astype(np.float32)


def _stored(codes: np.ndarray) -> np.ndarray:
    """Codes as float16 where rounding moves none by more than a hundredth of its dimension's spread, else as they are."""
    with np.errstate(over="ignore"):
        halves = codes.astype(np.float16)
    moved = np.abs(halves.astype(np.float32) - codes).max(axis=0)
    return halves if (moved <= 0.01 * codes.std(axis=0)).all() else codes.copy()


def _geometric_median(points: np.ndarray, weights: np.ndarray, iterations: int = 30) -> np.ndarray:
    """The point [M, 2] with the least weighted distance to its points [M, k, 2], by Weiszfeld's iteration."""
    median = np.einsum("mk,mkd->md", weights, points) / weights.sum(axis=1, keepdims=True)
    for _ in range(iterations):
        distance = np.linalg.norm(points - median[:, None], axis=2)
        share = weights / np.maximum(distance, 1e-3 * distance.mean(axis=1, keepdims=True) + 1e-12)
        median = np.einsum("mk,mkd->md", share, points) / share.sum(axis=1, keepdims=True)
    return median.astype(np.float32)
