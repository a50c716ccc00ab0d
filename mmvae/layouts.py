r"""How t-SNE and UMAP move points: neighbours, affinities and the two optimisers, compiled and free of Python's lock.

The public face of maps is :mod:`mmvae.embedding`; this module holds what it iterates over. A layout is a generator that
yields ``(progress, positions)`` as it converges, so that whoever drives it can draw, report or stop between two steps.

Written here rather than taken from a library for three measured reasons: scikit-learn and openTSNE take about ten times as
long for the same t-SNE of 10,000 codes, umap-learn about twice as long for the same UMAP (`python -m mmvae bench map` repeats
the comparison); umap-learn compiles for many seconds in every new process, where this is compiled once and kept; and
umap-learn's loops hold Python's lock for a whole epoch, in which a server in the same process answers nobody.
"""

from __future__ import annotations

__all__ = ["nearest", "tsne_layout", "umap_layout"]

from collections.abc import Generator, Iterator
from typing import TypeVar

import numpy as np
import scipy.fft
import scipy.sparse
from numba import njit
from scipy.optimize import curve_fit

Result = TypeVar("Result")
Frames = Iterator[tuple[float, np.ndarray]]

_QUERIES, _CANDIDATES = 256, 2048  # one tile of distances is 2 MB: it is selected from while it lies in the cache
_SUMMED_DIRECTLY = 2000  # points whose repulsion is summed pair by pair: beyond about 3,000 the grid is faster
_SPACING = 0.5  # of the t-SNE grid, in map units: repulsion within 3 % of the direct sum
_CELLS = 24  # across the map at least, by a finer spacing: across a few, repulsion is off by a tenth
_NO_SPAN = 1e-30  # map units; points nearer than this are one, float32 ends soon below
_LARGEST_GRID = 640  # nodes a side; beyond it the spacing widens with the map
_MOMENTUM = 0.8
_COLLAPSED = 0.01  # of its extent at the start: a map of points that exaggeration draws into one
_LONGEST_STEP = 5.0  # map units a point may move in one t-SNE iteration
_NEGATIVES = 5  # UMAP's repelled points for every attracted one
_SEARCH_SHARE = 0.1  # of the progress bar: finding neighbours


# --- neighbours ------------------------------------------------------------------------------------------------------

@njit(nogil=True, fastmath=True, cache=True)
def _keep_nearest(tile, first_query, first_candidate, skip_self, heaps, ids):
    """Offer a tile of distances [queries, candidates] to the queries' max-heaps of their nearest so far."""
    size = heaps.shape[1]
    for q in range(tile.shape[0]):
        heap, heap_ids = heaps[q], ids[q]
        for c in range(tile.shape[1]):
            value = tile[q, c]
            if value >= heap[0] or (skip_self and first_query + q == first_candidate + c):
                continue
            hole = 0
            while True:
                child = 2 * hole + 1
                if child >= size:
                    break
                if child + 1 < size and heap[child + 1] > heap[child]:
                    child += 1
                if heap[child] <= value:
                    break
                heap[hole] = heap[child]
                heap_ids[hole] = heap_ids[child]
                hole = child
            heap[hole] = value
            heap_ids[hole] = first_candidate + c


def _nearest(codes: np.ndarray, queries: np.ndarray | None, count: int) -> Generator[float, None, tuple[np.ndarray, np.ndarray]]:
    """:func:`nearest` in steps: yields the share of queries done, returns ids and distances."""
    centre = codes.mean(axis=0, dtype=np.float64)  # |a-b|² = |a|²+|b|²-2ab loses digits far from the origin
    data = (codes - centre).astype(np.float32)
    asked = data if queries is None else (queries - centre).astype(np.float32)
    # One product gives |b|²-2ab, which orders the candidates b of a query a as the distance does.
    left = np.hstack([-2 * asked, np.ones((len(asked), 1), np.float32)])
    right = np.hstack([data, np.square(data).sum(axis=1, keepdims=True)])
    ids = np.full((len(asked), count), -1, np.int32)
    distances = np.full((len(asked), count), np.inf, np.float32)
    for q in range(0, len(asked), _QUERIES):
        rows = slice(q, q + _QUERIES)
        for c in range(0, len(data), _CANDIDATES):
            tile = left[rows] @ right[c : c + _CANDIDATES].T
            _keep_nearest(tile, q, c, queries is None, distances[rows], ids[rows])
        gap = data[ids[rows]] - asked[rows, None]
        exact = np.sqrt(np.einsum("qkd,qkd->qk", gap, gap))
        order = np.argsort(exact, axis=1, kind="stable")
        ids[rows] = np.take_along_axis(ids[rows], order, axis=1)
        distances[rows] = np.take_along_axis(exact, order, axis=1)
        yield min(1.0, (q + _QUERIES) / len(asked))
    return ids, distances


def nearest(codes: np.ndarray, count: int, queries: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The exact nearest codes of each query by Euclidean distance, nearest first.

    Arguments:
        codes: Candidates, with shape [N, D].
        count: How many to find, at most N (N - 1 without queries).
        queries: With shape [M, D]; None asks for the neighbours of the codes themselves, without each code itself.

    Returns:
        Ids int32 [M, count] and distances float32 [M, count].
    """
    available = len(codes) - (queries is None)
    if not 1 <= count <= available:
        raise ValueError(f"cannot find {count} neighbours among {available} codes; ask for 1 to {available}")
    return _exhaust(_nearest(codes, queries, count))


def _exhaust(steps: Generator[float, None, Result]) -> Result:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


# --- t-SNE -----------------------------------------------------------------------------------------------------------

@njit(nogil=True, cache=True)
def perplexity_weights(distances, perplexity):
    """Gaussian weights [N, k] over each row's neighbours, of sum 1 and entropy log(perplexity), by bisection."""
    count, k = distances.shape
    weights = np.empty((count, k), np.float32)
    squares = np.empty(k)
    values = np.empty(k)
    target = np.log(perplexity)
    for i in range(count):
        nearest_square = np.float64(distances[i, 0]) ** 2
        for j in range(k):
            squares[j] = np.float64(distances[i, j]) ** 2 - nearest_square
        mean = squares.mean()
        precision = 1.0 / mean if mean > 0 else 1.0
        low, high = 0.0, np.inf
        total = 1.0
        for _ in range(64):
            total = 0.0
            moment = 0.0
            for j in range(k):
                values[j] = np.exp(-precision * squares[j])
                total += values[j]
                moment += values[j] * squares[j]
            excess = np.log(total) + precision * moment / total - target
            if abs(excess) < 1e-5:
                break
            if excess > 0:
                low = precision
                precision = 2 * precision if high == np.inf else 0.5 * (low + high)
            else:
                high = precision
                precision = 0.5 * (low + high)
        for j in range(k):
            weights[i, j] = values[j] / total
    return weights


@njit(nogil=True, fastmath=True, cache=True)
def _quintic(t, weights):
    """Weights of the nodes -2 to 3 at t in [0, 1): the B-spline of degree 5."""
    u = 1 - t
    t2, u2 = t * t, u * u
    weights[0] = u2 * u2 * u / 120
    weights[1] = (26 - 50 * t + t2 * (20 + 20 * t - 20 * t2 + 5 * t2 * t)) / 120
    weights[2] = (66 + t2 * (-60 + 30 * t2 - 10 * t2 * t)) / 120
    weights[3] = (66 + u2 * (-60 + 30 * u2 - 10 * u2 * u)) / 120
    weights[4] = (26 - 50 * u + u2 * (20 + 20 * u - 20 * u2 + 5 * u2 * u)) / 120
    weights[5] = t2 * t2 * t / 120


@njit(nogil=True, fastmath=True, cache=True)
def _spread(positions, corner, spacing, grid):
    """Put a unit charge for every point on the 6 x 6 nodes around it."""
    grid[:] = 0
    wx, wy = np.empty(6, np.float32), np.empty(6, np.float32)
    for i in range(positions.shape[0]):
        x, y = (positions[i, 0] - corner[0]) / spacing, (positions[i, 1] - corner[1]) / spacing
        ix, iy = int(x), int(y)
        _quintic(x - ix, wx)
        _quintic(y - iy, wy)
        for a in range(6):
            for b in range(6):
                grid[ix - 2 + a, iy - 2 + b] += wx[a] * wy[b]


@njit(nogil=True, fastmath=True, cache=True)
def _collect(positions, corner, spacing, similarity, force_x, force_y, repulsion):
    """Read the fields at every point: fills repulsion [N, 2], returns the sum of similarities over pairs."""
    wx, wy = np.empty(6, np.float32), np.empty(6, np.float32)
    pairs = 0.0
    for i in range(positions.shape[0]):
        x, y = (positions[i, 0] - corner[0]) / spacing, (positions[i, 1] - corner[1]) / spacing
        ix, iy = int(x), int(y)
        _quintic(x - ix, wx)
        _quintic(y - iy, wy)
        similar, fx, fy = np.float32(0), np.float32(0), np.float32(0)
        for a in range(6):
            for b in range(6):
                weight = wx[a] * wy[b]
                similar += weight * similarity[ix - 2 + a, iy - 2 + b]
                fx += weight * force_x[ix - 2 + a, iy - 2 + b]
                fy += weight * force_y[ix - 2 + a, iy - 2 + b]
        pairs += similar - 1  # a point's similarity to itself is no pair
        repulsion[i, 0], repulsion[i, 1] = fx, fy
    return pairs


# NumPy's division, by whatever there is: Python's looks for zeros, and the loop is not vectorised then.
@njit(nogil=True, fastmath=True, error_model="numpy", cache=True)
def sum_over_pairs(positions, repulsion):
    """Fill repulsion float32 [N, 2] and return Z as :class:`RepulsionField` does, pair by pair and exact to rounding."""
    xs, ys = positions[:, 0].copy(), positions[:, 1].copy()
    none, one = np.float32(0), np.float32(1)
    pairs = 0.0
    for i in range(len(xs)):
        x, y = xs[i], ys[i]
        similar, fx, fy = none, none, none
        for j in range(len(xs)):
            dx, dy = x - xs[j], y - ys[j]
            similarity = one / (one + dx * dx + dy * dy)
            similar += similarity if j != i else none  # taken off a sum later, it would take the digits of far points with it
            fx += similarity * similarity * dx
            fy += similarity * similarity * dy
        pairs += similar
        repulsion[i, 0], repulsion[i, 1] = fx, fy
    return pairs


class RepulsionField:
    r"""The sums over all pairs that t-SNE's gradient needs, by convolution on a grid in :math:`O(N + G \log G)`.

    With :math:`K = 1/(1+r^2)`: :math:`\sum_j K^2 (y_i - y_j)` for every point, and :math:`Z = \sum_{i \ne j} K`. All three
    kernels (K and the two components) act on the same charges, so one forward transform serves them.

    The spacing shrinks with the map, which exaggeration may draw together by any factor. Wider than 300 units the grid grows
    coarse, and Z too low.

    References:
        Linderman et al. (2019), Fast interpolation-based t-SNE for improved visualization of single-cell RNA-seq data.
    """

    def __init__(self) -> None:
        self._nodes = 0
        self._spacing = 0.0

    def __call__(self, positions: np.ndarray, repulsion: np.ndarray) -> float:
        """Fill repulsion float32 [N, 2] for positions float32 [N, 2] and return Z.

        Raises:
            ValueError: Where the points lie so far apart that the grid finds no positive Z.
        """
        low, high = positions.min(axis=0), positions.max(axis=0)
        span = float((high - low).max())
        self._cover(span)
        n = self._nodes
        corner = ((low + high) / 2 - (n - 1) * self._spacing / 2).astype(np.float32)
        spacing = np.float32(self._spacing)
        _spread(positions, corner, spacing, self._charges)
        # Axis by axis, since half of the zero-padded grid is empty before the one transform and unused after the other.
        spectrum = scipy.fft.fft(scipy.fft.rfft(self._charges, 2 * n, axis=1), 2 * n, axis=0)
        fields = [
            scipy.fft.irfft(scipy.fft.ifft(spectrum * kernel, axis=0, overwrite_x=True)[:n], axis=1)[:, :n]
            for kernel in self._kernels
        ]
        pairs = _collect(positions, corner, spacing, *fields, repulsion)
        if not pairs > 0:
            raise ValueError(
                f"{len(positions):,} points over {span:,.0f} map units are too far apart for t-SNE's grid; choose a larger perplexity"
            )
        return pairs

    def _cover(self, span: float) -> None:
        """Take a grid that covers the span, with 4 nodes of margin; kept while it fits, since kernels cost 3 transforms."""
        # Halved, not scaled with the span, so that the kernels of one grid serve many steps.
        halvings = max(0, int(np.ceil(np.log2(_CELLS * _SPACING / max(span, _NO_SPAN)))))
        spacing = max(_SPACING / 2**halvings, span / (_LARGEST_GRID - 8))
        needed = max(32, int(np.ceil(span / spacing)) + 8)
        if spacing == self._spacing and 0.6 * self._nodes <= needed <= self._nodes:
            return
        self._nodes = n = scipy.fft.next_fast_len(int(1.1 * needed), real=True)
        self._spacing = spacing
        offset = np.arange(2 * n)
        offset = (np.where(offset < n, offset, offset - 2 * n) * spacing).astype(np.float32)
        x, y = offset[:, None], offset[None, :]
        similarity = 1 / (1 + x * x + y * y)
        # Charges are spread and fields read with B-splines, which blur twice: the kernels are sharpened for it beforehand.
        angle = np.pi * np.arange(2 * n) / n
        blur = (33 + 26 * np.cos(angle) + np.cos(2 * angle)) / 60
        sharpen = (1 / np.outer(blur, blur[: n + 1]) ** 2).astype(np.float32)
        self._kernels = [scipy.fft.rfft2(kernel) * sharpen for kernel in (similarity, x * similarity**2, y * similarity**2)]
        self._charges = np.empty((n, n), np.float32)


@njit(nogil=True, fastmath=True, cache=True)
def _descend(starts, ends, affinities, positions, repulsion, pairs, exaggeration, rate, velocity, gains, moved):
    """One step of gradient descent with momentum and a gain per coordinate (delta-bar-delta); fills moved [N, 2]."""
    for i in range(positions.shape[0]):
        x, y = positions[i, 0], positions[i, 1]
        ax, ay = np.float32(0), np.float32(0)
        for edge in range(starts[i], starts[i + 1]):
            dx, dy = x - positions[ends[edge], 0], y - positions[ends[edge], 1]
            pull = affinities[edge] / (np.float32(1) + dx * dx + dy * dy)
            ax += pull * dx
            ay += pull * dy
        for axis in range(2):
            gradient = exaggeration * (ax if axis == 0 else ay) - repulsion[i, axis] / pairs
            agrees = (gradient > 0) == (velocity[i, axis] > 0)
            gain = gains[i, axis] * np.float32(0.8) if agrees else gains[i, axis] + np.float32(0.2)
            gains[i, axis] = max(np.float32(0.01), gain)
            velocity[i, axis] = np.float32(_MOMENTUM) * velocity[i, axis] - rate * gains[i, axis] * gradient
        length = np.sqrt(velocity[i, 0] ** 2 + velocity[i, 1] ** 2)
        if length > _LONGEST_STEP:
            velocity[i] *= np.float32(_LONGEST_STEP) / length
        moved[i] = positions[i] + velocity[i]


def tsne_layout(
    codes: np.ndarray, start: np.ndarray, perplexity: float, iterations: int, exaggeration: float, seed: int
) -> Frames:
    """t-SNE: yields (progress in 0..1, positions float32 [N, 2]) after every iteration.

    The first third of the iterations exaggerates the attraction; the learning rate is N / exaggeration throughout. Where
    exaggeration draws all points into one, as it does where most codes are neighbours of most, it parts nothing: the descent
    begins anew without it. Where there are fewer than 3 · perplexity other codes, the perplexity is a third of their number.

    Arguments:
        codes: With shape [N, D].
        start: Positions [N, 2] to start from; their scale does not matter.

    Raises:
        ValueError: Where more than 2,000 points fly so far apart that their repulsion cannot be summed.

    References:
        van der Maaten & Hinton (2008), Visualizing Data using t-SNE.
        Belkina et al. (2019), Automated optimized parameters for t-SNE (learning rate).
        Kobak & Berens (2019), The art of using t-SNE for single-cell transcriptomics (start from PCA).
    """
    count = len(codes)
    neighbours = max(1, min(count - 1, int(3 * perplexity)))
    search = _nearest(codes, None, neighbours)
    ids, distances = yield from _searching(search, start)
    weights = perplexity_weights(distances, max(1.0, min(perplexity, neighbours / 3)))
    graph = _sparse(ids, weights)
    graph = (graph + graph.T).tocsr()
    graph.data /= graph.data.sum()

    first = _seeded(start, scale=1e-4, seed=seed)
    positions, velocity, gains = first.copy(), np.zeros_like(first), np.ones_like(first)
    repulsion, moved = np.empty_like(first), np.empty_like(first)
    field = sum_over_pairs if count <= _SUMMED_DIRECTLY else RepulsionField()
    early, collapsed = iterations // 3, _COLLAPSED * np.abs(first).max()
    for iteration in range(iterations):
        if iteration < early and np.abs(positions).max() < collapsed:
            positions[:], early = first, iteration
        if iteration == early:
            velocity[:], gains[:] = 0, 1
        strength = exaggeration if iteration < early else 1.0
        pairs = field(positions, repulsion)
        _descend(
            graph.indptr, graph.indices, graph.data, positions, repulsion, np.float32(pairs),
            np.float32(strength), np.float32(count / strength), velocity, gains, moved,
        )  # fmt: skip
        moved -= moved.mean(axis=0)
        positions, moved = moved, positions
        yield _SEARCH_SHARE + (1 - _SEARCH_SHARE) * (iteration + 1) / iterations, positions


# --- UMAP ------------------------------------------------------------------------------------------------------------

@njit(nogil=True, cache=True)
def fuzzy_weights(distances, target):
    """UMAP's membership [N, k] of each neighbour: exp(-(d - nearest) / scale), the scale such that a row sums to target."""
    count, k = distances.shape
    weights = np.empty((count, k), np.float32)
    overall = distances.mean()
    for i in range(count):
        rho = 0.0
        for j in range(k):
            if distances[i, j] > 0:
                rho = distances[i, j]
                break
        low, high, scale = 0.0, np.inf, 1.0
        for _ in range(64):
            total = 0.0
            for j in range(k):
                gap = distances[i, j] - rho
                total += np.exp(-gap / scale) if gap > 0 else 1.0
            if abs(total - target) < 1e-5:
                break
            if total > target:
                high = scale
                scale = 0.5 * (low + high)
            else:
                low = scale
                scale = 2 * scale if high == np.inf else 0.5 * (low + high)
        scale = max(scale, 1e-3 * (distances[i].mean() if rho > 0 else overall), 1e-12)
        for j in range(k):
            gap = distances[i, j] - rho
            weights[i, j] = np.exp(-gap / scale) if gap > 0 else 1.0
    return weights


def curve(min_dist: float) -> tuple[float, float]:
    """The a and b for which 1 / (1 + a d^(2b)) falls off as 1 up to min_dist and exponentially beyond it."""
    distance = np.linspace(0, 3, 300)
    wanted = np.where(distance < min_dist, 1.0, np.exp(min_dist - distance))
    (a, b), _ = curve_fit(lambda d, a, b: 1 / (1 + a * d ** (2 * b)), distance, wanted)
    return float(a), float(b)


@njit(nogil=True, fastmath=True, cache=True)
def _epoch(starts, ends, period, due, positions, a, b, rate, epoch, state):
    """One epoch of UMAP's stochastic descent, in place: each edge due attracts both ends and repels random points."""
    count = positions.shape[0]
    a, b, rate = np.float32(a), np.float32(b), np.float32(rate)
    one, limit, tiny = np.float32(1), np.float32(4), np.float32(1e-3)
    for i in range(count):
        for edge in range(starts[i], starts[i + 1]):
            if due[edge] > epoch:
                continue
            due[edge] += period[edge]
            j = ends[edge]
            dx, dy = positions[i, 0] - positions[j, 0], positions[i, 1] - positions[j, 1]
            square = dx * dx + dy * dy
            if square > 0:
                power = square**b
                pull = np.float32(-2) * a * b * power / (square * (one + a * power))
                mx = rate * min(limit, max(-limit, pull * dx))
                my = rate * min(limit, max(-limit, pull * dy))
                positions[i, 0] += mx
                positions[i, 1] += my
                positions[j, 0] -= mx
                positions[j, 1] -= my
            for _ in range(_NEGATIVES):
                state ^= (state << np.uint64(13)) & np.uint64(0xFFFFFFFFFFFFFFFF)
                state ^= state >> np.uint64(7)
                state ^= (state << np.uint64(17)) & np.uint64(0xFFFFFFFFFFFFFFFF)
                j = np.int64((state >> np.uint64(32)) * np.uint64(count) >> np.uint64(32))
                dx, dy = positions[i, 0] - positions[j, 0], positions[i, 1] - positions[j, 1]
                square = dx * dx + dy * dy
                if square == 0:
                    continue
                push = np.float32(2) * b / ((tiny + square) * (one + a * square**b))
                positions[i, 0] += rate * min(limit, max(-limit, push * dx))
                positions[i, 1] += rate * min(limit, max(-limit, push * dy))
    return state


def umap_layout(codes: np.ndarray, start: np.ndarray, neighbours: int, min_dist: float, epochs: int, seed: int) -> Frames:
    """UMAP: yields (progress in 0..1, positions float32 [N, 2]) after every epoch.

    As umap-learn's defaults (fuzzy union of local memberships, 5 negative samples, learning rate 1 falling to 0), but with
    exact neighbours and a start from PCA, which is faster than spectral and as good (Kobak & Linderman 2021).

    Arguments:
        codes: With shape [N, D].
        start: Positions [N, 2] to start from; their scale does not matter.

    References:
        McInnes, Healy & Melville (2018), UMAP: Uniform Manifold Approximation and Projection.
    """
    count = len(codes)
    others = max(1, min(neighbours, count) - 1)  # a point counts as its own first neighbour, as in umap-learn
    ids, distances = yield from _searching(_nearest(codes, None, others), start)
    graph = _sparse(ids, fuzzy_weights(distances, np.log2(others + 1)))
    transposed = graph.T.tocsr()
    graph = (graph + transposed - graph.multiply(transposed)).tocsr()
    graph.data[graph.data < graph.data.max() / epochs] = 0  # would never be due
    graph.eliminate_zeros()
    period = (graph.data.max() / graph.data).astype(np.float32)
    due = period.copy()

    a, b = curve(min_dist)
    positions = _seeded(start, scale=5.0, seed=seed)
    state = np.random.default_rng(seed).integers(1, 2**63, dtype=np.uint64)
    for epoch in range(epochs):
        rate = 1 - epoch / epochs
        state = np.uint64(_epoch(graph.indptr, graph.indices, period, due, positions, a, b, rate, epoch, state))
        yield _SEARCH_SHARE + (1 - _SEARCH_SHARE) * (epoch + 1) / epochs, positions


# --- shared by both --------------------------------------------------------------------------------------------------

def _searching(search: Generator[float, None, Result], start: np.ndarray) -> Generator[tuple[float, np.ndarray], None, Result]:
    """Report the search for neighbours as progress, with the points standing where they start."""
    while True:
        try:
            share = next(search)
        except StopIteration as end:
            return end.value
        yield _SEARCH_SHARE * share, start


def _sparse(ids: np.ndarray, weights: np.ndarray) -> scipy.sparse.csr_matrix:
    """A weighted neighbour graph [N, N] from ids and weights [N, k]."""
    count, k = ids.shape
    return scipy.sparse.csr_matrix((weights.ravel(), ids.ravel(), np.arange(0, count * k + 1, k)), shape=(count, count))


def _seeded(start: np.ndarray, scale: float, seed: int) -> np.ndarray:
    """The start with the standard deviation given along its first axis, and a hundredth of that as seeded noise.

    The noise is what a seed changes, and what parts codes that are equal.
    """
    spread = float(start[:, 0].std())
    placed = start * (scale / spread if spread > 0 else 0.0)
    noise = np.random.default_rng(seed).normal(scale=scale / 100, size=start.shape)
    return (placed + noise).astype(np.float32)
