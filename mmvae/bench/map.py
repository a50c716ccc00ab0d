"""How long maps take beside scikit-learn's t-SNE and umap-learn's UMAP on the same codes, and how well each keeps neighbours.

`python -m mmvae bench map [SIZE …]`: every contender runs in the same process, one after the other, after each has compiled
on a small map; seconds to get ready in a fresh process are listed apart. A row is printed as soon as it is measured: of a run that
is stopped the rows before stand.
"""

from __future__ import annotations

__all__ = ["main", "measure", "synthetic_codes"]

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from mmvae.embedding import PCA, TSNE, UMAP, Params, embed, preservation, warm_up

Layout = Callable[[np.ndarray], np.ndarray]

NEIGHBOURS, ASKED = 15, 2000  # whose neighbourhoods are looked at: random codes, each among all others


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

    with contextlib.redirect_stdout(sys.stderr):  # it takes many minutes of 60,000 codes: it says every 50 iterations where it is
        return Reference(random_state=0, verbose=2 if len(codes) > 20_000 else 0).fit_transform(codes)


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


def measure(sizes: Sequence[int], threads: int, seed: int) -> Iterator[dict]:
    """Run all contenders on codes of every size, and yield a row of figures of each as soon as it is through.

    Arguments:
        sizes: Numbers of codes.
        threads: How many each contender may use.
        seed: Of the codes.
    """
    import sklearn.manifold  # noqa: F401  its thread pools must be loaded before they can be limited
    import umap  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=threads):
        for size in sizes:
            codes = synthetic_codes(size, seed=seed)
            for method, who, layout in CONTENDERS:
                positions, seconds, processor = _timed(lambda: layout(codes))
                trustworthiness, recall = preservation(codes, positions, NEIGHBOURS, ASKED)
                yield {
                    "codes": size, "method": method, "by": who, "seconds": seconds, "processor_seconds": processor,
                    "trustworthiness": trustworthiness, "recall": recall,
                }  # fmt: skip


def _ready(threads: int, seed: int) -> dict[str, float]:
    """Seconds after which each can start in this process: what it compiles or reads."""
    import numba

    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    small = synthetic_codes(200, seed=seed)
    _, ours, _ = _timed(warm_up)
    _, theirs, _ = _timed(lambda: _umap_learn(small))
    _scikit_learn_tsne(small)
    return {"mmvae": ours, "umap-learn": theirs}


def _against(row: dict, rows: Sequence[dict]) -> str:
    """How many times faster ours is than the reference in the row, in seconds passed and in processor time."""
    ours = [other for other in rows if (other["codes"], other["method"], other["by"]) == (row["codes"], row["method"], "mmvae")]
    if row["by"] == "mmvae" or not ours:
        return ""
    return f"{row['seconds'] / ours[0]['seconds']:.1f}x ({row['processor_seconds'] / ours[0]['processor_seconds']:.1f}x)"


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
    rows, finished = [], False
    try:
        ready = _ready(arguments.threads, arguments.seed)
        if not arguments.json:
            print(f"threads {arguments.threads}; 20-dimensional codes, seed {arguments.seed}; trust and recall over {NEIGHBOURS} neighbours "
                  f"of {ASKED:,} random codes, or all, among all codes")
            print(f"ready in this process after: mmvae {ready['mmvae']:.1f} s, umap-learn {ready['umap-learn']:.1f} s")
            print(f"{'codes':>7}  {'method':6}  {'by':12}  {'seconds':>8}  {'cpu s':>8}  {'trust':>6}  {'recall':>6}  mmvae is faster (by cpu s)",
                  flush=True)
        for row in measure(arguments.sizes, arguments.threads, arguments.seed):
            rows.append(row)
            if not arguments.json:
                print(
                    f"{row['codes']:>7}  {row['method']:6}  {row['by']:12}  {row['seconds']:>8.2f}  {row['processor_seconds']:>8.2f}"
                    f"  {row['trustworthiness']:>6.4f}  {row['recall']:>6.4f}  {_against(row, rows)}".rstrip(), flush=True
                )  # fmt: skip
        finished = True
    except ImportError as error:
        print(f"the comparison needs scikit-learn and umap-learn: {error}; pip install scikit-learn umap-learn", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    if arguments.json and rows:
        print(json.dumps({"threads": arguments.threads, "seed": arguments.seed, "neighbours": NEIGHBOURS, "asked": ASKED,
                          "ready_seconds": ready, "maps": rows}, indent=2))
    return 0 if finished else 130


if __name__ == "__main__":
    raise SystemExit(main())
