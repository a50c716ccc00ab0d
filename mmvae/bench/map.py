"""How long maps take beside scikit-learn's t-SNE and umap-learn's UMAP on the same codes, and how well each keeps neighbours.

`python -m mmvae bench map [SIZE …]`: every contender runs in the same process, one after the other, after each has compiled
on a small map; seconds to get ready in a fresh process are listed apart.
"""

from __future__ import annotations

__all__ = ["main", "synthetic_codes"]

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

from mmvae.embedding import PCA, TSNE, UMAP, Params, embed, preservation, warm_up

Layout = Callable[[np.ndarray], np.ndarray]


def synthetic_codes(count: int, dimensions: int = 20, clusters: int = 10, seed: int = 0) -> np.ndarray:
    """Codes float32 [count, dimensions] shaped like posterior means: clusters, each bent and stretched along axes of its own.

    Within a cluster the standard deviation falls from 0.8 to 0.1 over the axes, and the second axis bends with the first.
    """
    generator = np.random.default_rng(seed)
    centres = 1.1 * generator.normal(size=(clusters, dimensions))
    stretch = 0.75 * 0.82 ** np.arange(dimensions) + 0.08
    codes = np.empty((count, dimensions), np.float32)
    for rows, centre in zip(np.array_split(generator.permutation(count), clusters), centres, strict=True):
        inner = stretch * generator.normal(size=(len(rows), dimensions))
        inner[:, 1] += 0.6 * (np.square(inner[:, 0]) - stretch[0] ** 2)
        rotation, _ = np.linalg.qr(generator.normal(size=(dimensions, dimensions)))
        codes[rows] = centre + inner @ rotation.T
    return codes


def _ours(params: Params) -> Layout:
    return lambda codes: embed(codes, params).positions


def _scikit_learn_tsne(codes: np.ndarray) -> np.ndarray:
    from sklearn.manifold import TSNE as Reference

    return Reference(random_state=0).fit_transform(codes)


def _umap_learn(codes: np.ndarray) -> np.ndarray:
    from umap import UMAP as Reference

    return Reference().fit_transform(codes)


# (method, who, layout); the reference of a method comes last among its rows
CONTENDERS: tuple[tuple[str, str, Layout], ...] = (
    ("PCA", "mmvae", _ours(PCA())),
    ("t-SNE", "mmvae", _ours(TSNE())),
    ("t-SNE", "scikit-learn", _scikit_learn_tsne),
    ("UMAP", "mmvae", _ours(UMAP())),
    ("UMAP", "umap-learn", _umap_learn),
)


def _timed(work: Callable[[], np.ndarray | None]) -> tuple[np.ndarray | None, float, float]:
    """The result, seconds passed, and seconds of processor time over all threads."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - processor


def measure(sizes: Sequence[int], threads: int, seed: int) -> dict:
    """Run all contenders on codes of every size; figures in seconds, memory not counted."""
    import numba
    import sklearn.manifold  # noqa: F401  its thread pools must be loaded before they can be limited
    import umap  # noqa: F401
    from threadpoolctl import threadpool_limits

    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    rows = []
    with threadpool_limits(limits=threads):
        _, ready, _ = _timed(warm_up)
        small = synthetic_codes(200, seed=seed)
        _, umap_ready, _ = _timed(lambda: _umap_learn(small))
        _scikit_learn_tsne(small)
        for size in sizes:
            codes = synthetic_codes(size, seed=seed)
            for method, who, layout in CONTENDERS:
                positions, seconds, processor = _timed(lambda: layout(codes))
                trustworthiness, recall = preservation(codes, positions)
                rows.append({
                    "codes": size, "method": method, "by": who, "seconds": seconds, "processor_seconds": processor,
                    "trustworthiness": trustworthiness, "recall": recall,
                })  # fmt: skip
                said = f"{method} by {who}, {size:,} codes: {seconds:.1f} s, processor {processor:.1f} s"
                print(said, file=sys.stderr, flush=True)
    ready_seconds = {"mmvae": ready, "umap-learn": umap_ready}
    return {"threads": threads, "seed": seed, "neighbours": 15, "ready_seconds": ready_seconds, "maps": rows}


def _faster(row: dict, rows: Sequence[dict]) -> str:
    """How many times faster than its reference our row is, in seconds passed and in processor time."""
    same = [other for other in rows if (other["codes"], other["method"]) == (row["codes"], row["method"])]
    if row["by"] != "mmvae" or len(same) == 1:
        return ""
    reference = same[-1]
    return f"{reference['seconds'] / row['seconds']:.1f}x ({reference['processor_seconds'] / row['processor_seconds']:.1f}x)"


def main(argv: Sequence[str] | None = None) -> int:
    """The command: prints a table, or JSON."""
    parser = argparse.ArgumentParser(prog="python -m mmvae bench map", description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[10_000], help="numbers of codes (default 10000)")
    parser.add_argument("--threads", type=int, default=1, help="threads each contender may use (default 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the codes (default 0)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args(argv)
    if min(arguments.sizes) < 100 or arguments.threads < 1:
        parser.error("sizes need to be at least 100 and threads at least 1")
    try:
        figures = measure(arguments.sizes, arguments.threads, arguments.seed)
    except ImportError as error:
        print(f"the comparison needs scikit-learn and umap-learn: {error}; pip install scikit-learn umap-learn", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return 0
    print(f"threads {figures['threads']}; 20-dimensional codes, seed {figures['seed']}; trust and recall over 15 neighbours")
    ready = figures["ready_seconds"]
    print(f"ready in this process after: mmvae {ready['mmvae']:.1f} s, umap-learn {ready['umap-learn']:.1f} s")
    print(f"{'codes':>7}  {'method':6}  {'by':12}  {'seconds':>8}  {'cpu s':>8}  {'trust':>6}  {'recall':>6}  faster (by cpu s)")
    for row in figures["maps"]:
        print(
            f"{row['codes']:>7}  {row['method']:6}  {row['by']:12}  {row['seconds']:>8.2f}  {row['processor_seconds']:>8.2f}"
            f"  {row['trustworthiness']:>6.4f}  {row['recall']:>6.4f}  {_faster(row, figures['maps'])}".rstrip()
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
