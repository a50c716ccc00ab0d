"""The command line, `python -m mmvae …`: everything the pages do, and what they start.

Exit status 0 on success, 1 on failure with one line on standard error, 2 on wrong usage, 130 where it was interrupted or a
training was asked to stop, by a page or another process, and 143 where a training was terminated (its run can be resumed).
Torch is imported by the verbs that need it alone.
"""

from __future__ import annotations

__all__ = ["main"]

import argparse
import contextlib
import functools
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from .data import DATASETS, SPLITS, DataError, Factor, data_root, dataset, version_of
from .modalities import Modality
from .presets import OPTIMIZERS, PRECISIONS, REFIT, SCALES, Settings, latents_for, modalities_for, own_row, settings_for
from .variants import VARIANTS, variant_to_json

if TYPE_CHECKING:  # nothing of torch for --help, variants and datasets
    import torch
    from torch import Tensor

    from .checkpoints import Checkpoint
    from .data import PairedDataset
    from .explore import Code
    from .gaussian import Belief
    from .model import MultimodalVAE
    from .point import Point
    from .readers import Readers

METHODS = ("pca", "tsne", "umap")
SPACE = 0.2  # seconds between redraws of a progress bar
#: What may be said beside --resume: a run goes on with the settings it has.
RESUMED = ("run", "typed", "resume", "out", "steps", "device", "wait", "data_root", "dataset")
PLAIN = 10.0  # seconds between progress lines where there is no terminal
STOPPED = 130  # exit status of what was stopped before its end, as shells have it for an interrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    for stream in (sys.stdout, sys.stderr):  # titles and tables hold what a Windows console's own encoding lacks
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8")
    arguments = _parser().parse_args(argv)
    arguments.typed = sys.argv[1:] if argv is None else argv
    try:
        return arguments.run(arguments) or 0
    except KeyboardInterrupt:
        return STOPPED
    except BrokenPipeError:  # `… | head`: whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (DataError, ValueError, OSError) as error:
        return _failed(error)
    except Exception as error:
        from .checkpoints import CheckpointError
        from .training import RunError

        if not isinstance(error, (CheckpointError, RunError)):
            raise
        return _failed(error)


def _failed(error: Exception) -> int:
    print(f"mmvae: {' '.join(str(error).split())}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mmvae", description="Train two-modality VAEs and look inside them.")
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    rooted = argparse.ArgumentParser(add_help=False)
    rooted.add_argument(
        "--data-root", type=Path, metavar="DIR", help="where data lies (default: $MMVAE_DATA, else data/ beside app.py)"
    )
    printed = argparse.ArgumentParser(add_help=False)
    printed.add_argument("--json", action="store_true", help="print JSON")
    model = argparse.ArgumentParser(add_help=False, parents=[rooted])
    model.add_argument(
        "checkpoint", metavar="CHECKPOINT", help="a checkpoint's or run's folder, or its name in checkpoints/ or runs/"
    )
    model.add_argument("--seed", type=_whole, default=0, help="of everything random (default 0)")
    chosen = argparse.ArgumentParser(add_help=False)
    chosen.add_argument(
        "--items", type=_whole, nargs="+", metavar="ID", help="ids of the data set's pairs (default: some of the test pairs)"
    )

    located = argparse.ArgumentParser(add_help=False)
    located.add_argument("--dataset", metavar="PATH", help="where the pairs of your own that it was trained on are now, if they were moved")

    def verb(name: str, run: Callable, summary: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=summary, description=summary, parents=parents)
        added.set_defaults(run=run)
        return added

    def written(added: argparse.ArgumentParser, what: str) -> None:
        added.add_argument("--out", type=Path, required=True, metavar="FILE", help=what)

    verb("variants", _variants, "List the variants.", printed)
    sets = verb("datasets", _datasets, "List the data sets, or fetch or render one.", printed, rooted)
    sets.add_argument("--download", choices=["mnist-svhn"], help="fetch what is missing of it, 258 MB in all")
    sets.add_argument("--render", choices=["faces", "digits"], help="make its pictures now instead of at first use")

    items = verb("items", _items, "List pairs of a data set: the ids that other commands take, with their factors.", printed, rooted)
    items.add_argument("dataset", metavar="DATASET", help="its name, or the path of your own pairs")
    items.add_argument("--split", choices=list(SPLITS), default="test", help="default: test")
    items.add_argument("--where", nargs="+", default=[], metavar="FACTOR=VALUE", help="those of these factors alone")
    items.add_argument("-n", type=_positive, default=20, help="how many at most (default 20)")

    train = verb("train", _train, "Train a model, or go on with a run.", rooted)
    train.add_argument("--variant", choices=list(VARIANTS), metavar="NAME", help=f"one of {', '.join(VARIANTS)}")
    train.add_argument(
        "--dataset", metavar="NAME",
        help=f"one of {', '.join(DATASETS)}, or the path of an .npz file or folder of your own pairs; "
        "beside --resume, --encoders and --begin-with, where these pairs are now, if they were moved",
    )
    train.add_argument("--out", type=Path, metavar="DIR", help="the run's folder (default: runs/DATASET-VARIANT beside app.py, or in $MMVAE_HOME)")
    train.add_argument(
        "--resume", action="store_true", help="go on with the run in --out, longer where --steps says so, and on another --device"
    )
    train.add_argument(
        "--encoders", metavar="CHECKPOINT",
        help="fit new, finer decoders to the codes of this trained model or run, whose encoders and prior stay as they are",
    )
    train.add_argument(
        "--begin-with", metavar="CHECKPOINT", help="begin with the weights of this trained model or run, and train all of them on"
    )
    large, small = (settings_for(VARIANTS["mumo"], DATASETS[name]) for name in ("faces", "digits"))  # by the size of pictures
    train.add_argument("--steps", type=_positive, help=f"updates of the parameters (default {large.steps:,} of 64×64 pictures, {small.steps:,} of smaller ones)")
    train.add_argument("--batch-size", type=_positive, help=f"pairs in each update (default {large.batch_size} and {small.batch_size}; half of it for bounds of several samples)")
    train.add_argument("--learning-rate", type=float, help="the optimizer's, held for half of the steps and then decaying to zero "
                       f"(default {large.learning_rate} and {small.learning_rate})")
    train.add_argument("--optimizer", choices=list(OPTIMIZERS), help="default: adam")
    train.add_argument("--warmup", type=_whole, help=f"steps over which the KL's factor rises to 1 (default {large.warmup})")
    train.add_argument("--clip", type=float, help=f"largest norm of the gradient (default {large.clip:.0f})")
    train.add_argument("--augment", action=argparse.BooleanOptionalAction, help="vary training images where the data set knows how")
    train.add_argument("--precision", choices=PRECISIONS, help="default: auto")
    train.add_argument("--snapshot", type=_positive, help=f"steps between snapshots (default {large.snapshot:,})")
    train.add_argument("--private", type=_positive, nargs=2, metavar=("FIRST", "SECOND"), help="dimensions of the private blocks")
    train.add_argument("--shared", type=_positive, help="dimensions of the shared block")
    train.add_argument(
        "--private-open", type=_whole, metavar="N",
        help="dimensions of each private block that stay open; the others are closed in the last third of the steps, of trained weights from the first step on (default 0: all stay open)",
    )
    train.add_argument(
        "--decoders", choices=["fine", "wide", "deep"],
        help="decoders of finer maps from the start, of faces wider or deeper ones too: sharper at twice, four and six times the arithmetic (default: they mirror the encoders)",
    )
    train.add_argument("--beta", type=float, help="factor of every KL in the loss, the warm-up past (default 1: the bound itself)")
    train.add_argument("--likelihoods", nargs=2, choices=list(SCALES), metavar=("FIRST", "SECOND"),
                       help=f"of the modalities: {', '.join(SCALES)} (default: the variant's source's)")
    train.add_argument("--weights", nargs=2, type=_weight, metavar=("FIRST", "SECOND"), help="of the modalities' log-likelihoods (default: the variant's source's)")
    train.add_argument("--seed", type=_whole, help="of the initial weights, the batches and the noise (default 0)")
    train.add_argument("--device", choices=["auto", "cpu", "cuda"], help="default: auto")
    train.add_argument(
        "--wait", action="store_true", help="begin when no other run in the same folder that waited trains on the device"
    )

    ship = verb("ship", _ship, "Make a checkpoint to share of a run: weights in half precision, its curves and first map, no optimizer state.", model, located)
    ship.add_argument("--out", type=Path, required=True, metavar="DIR", help="the checkpoint's folder")
    ship.add_argument("--weights", choices=["last", "best"], default="last", help="of the last snapshot, or of the best validated (default last)")
    readers = verb("readers", _readers, "Train the factor readers of a data set, and measure them.", rooted, printed)
    readers.add_argument(
        "--dataset", required=True, metavar="NAME", help=f"one of {', '.join(DATASETS)}, or the path of your own pairs, of which factors are given"
    )
    readers.add_argument("--steps", type=_positive, help="updates of the parameters")
    readers.add_argument("--out", type=Path, metavar="DIR", help="their folder (default: checkpoints/readers/NAME beside app.py, or in $MMVAE_HOME)")

    evaluate = verb("evaluate", _evaluate, "Measure a checkpoint and write its card.", model, printed, located)
    evaluate.add_argument("--pairs", type=_positive, help="test pairs to measure on (default 1000; 4000 where a factor is ordered)")
    evaluate.add_argument("--again", action="store_true", help="measure anew where the card is up to date, or of more pairs")

    results = verb("results", _results, "Print the README's tables: of each variant one measured model, with the command that trains it.")
    results.add_argument("--every", action="store_true", help="every measured model, as docs/results.md lists them")

    reconstruct = verb("reconstruct", _reconstruct, "Draw pairs above their reconstructions.", model, chosen, located)
    reconstruct.add_argument("--given", metavar="MODALITY", help="infer from this modality alone (default: from both)")
    written(reconstruct, "a .png file")
    generate = verb("generate", _generate, "Draw new pairs from the prior.", model)
    generate.add_argument("-n", type=_positive, default=32, help="number of pairs (default 32)")
    written(generate, "a .png file")
    translate = verb("translate", _translate, "Draw one modality from the other.", model, chosen, located)
    translate.add_argument("--to", metavar="MODALITY", help="what to draw (default: the second modality)")
    translate.add_argument(
        "--samples", type=_positive, default=8, help="samples of each, with private codes from the prior (default 8)"
    )
    translate.add_argument(
        "--style", type=_whole, nargs="+", metavar="ID", help="pairs whose private codes are taken instead, a column each"
    )
    translate.add_argument("--style-input", type=Path, nargs="+", metavar="FILE", help="the same from pictures of your own")
    translate.add_argument(
        "--swap", action="store_true", help="every input's shared code with every style's private codes, in both modalities"
    )
    translate.add_argument("--input", type=Path, nargs="+", metavar="FILE", help="pictures of your own")
    translate.add_argument("--draw", metavar="STROKES", help="a drawing, as the page's command line carries it")
    translate.add_argument("--beside", nargs="+", metavar="CHECKPOINT", help="more checkpoints, under the same inputs and codes")
    written(translate, "a .png file, which carries this command line")
    traverse = verb("traverse", _traverse, "Move each coordinate of a pair's code, or of the code at a point, from low to high.", model, located)
    traverse.epilog = "In the place of CHECKPOINT may stand the point to start from: its text, or a .png file that carries one."
    traverse.add_argument("--item", type=_whole, metavar="ID", help="the pair to start from (default: a test pair)")
    traverse.add_argument(
        "--range", choices=["fixed", "percentile", "min-max"], default="fixed", help="−3 to 3, the posterior's 1st to 99th percentile, or all of it"
    )
    traverse.add_argument("--frames", type=_positive, default=61, help="of the animation (default 61)")
    written(traverse, "a .gif file (0.1 s a frame), or a .png file with a row for each coordinate")
    interpolate = verb("interpolate", _interpolate, "Go from one pair's code to another's.", model, located)
    interpolate.add_argument(
        "--items", type=_whole, nargs=2, metavar=("FROM", "TO"), help="ids of the pairs (default: two test pairs)"
    )
    interpolate.add_argument("--steps", type=_positive, help="default: 11 for a .png, 31 for a .gif")
    interpolate.add_argument("--blocks", nargs="+", metavar="NAME", help="the blocks that move (default: all)")
    interpolate.add_argument("--spherical", action="store_true", help="along the arc instead of the straight line")
    written(interpolate, "a .png or .gif file")
    render = verb("render", _render, "Draw the pair of pictures at a point: a link's, or one carried by a saved picture.")
    render.add_argument("point", metavar="POINT", help="the point's text, or a .png file that carries one")
    written(render, "a .png file, which carries the point")

    embed = verb("embed", _embed, "Map the codes of test pairs to two dimensions.", model, located)
    embed.add_argument("--method", choices=METHODS, default="umap", help="default: umap")
    embed.add_argument("--block", metavar="NAME", help="the block to map (default: the whole code)")
    embed.add_argument("--given", metavar="MODALITY", help="infer from this modality alone (default: from both)")
    embed.add_argument("--pairs", type=_positive, default=5000, help="number of test pairs at most (default 5000)")
    written(embed, "a .csv file, or an .html file to look at")
    drawn = verb("map", _map, "Lay out the maps that checkpoints are shown with at first, and keep them beside the weights.", rooted)
    drawn.add_argument("checkpoints", nargs="*", metavar="CHECKPOINT", help="folders or names (default: all in checkpoints/)")
    export = verb("export", _export, "Write encoders and decoders as ONNX, and codes of the test pairs as CSV.", model, located)
    export.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write to")
    bench = verb("bench", _bench, "Measure speed: `bench` lists what can be measured.")
    bench.add_argument("rest", nargs=argparse.REMAINDER, metavar="WHAT …", help="what to measure, and its own arguments")
    return parser


def _whole(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is negative")
    if value >= 2**63:  # ids and seeds are int64
        raise argparse.ArgumentTypeError(f"{text[:60]} is larger than {2**63 - 1}")
    return value


def _positive(text: str) -> int:
    value = _whole(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def _weight(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no weight of at least 0")
    return value


# ---- what there is


def _results(arguments: argparse.Namespace) -> None:
    from .checkpoints import home_folder
    from .results import results

    text = results(every=arguments.every)
    if not text.strip():
        raise ValueError(f"no measured model in {home_folder()}: `python -m mmvae evaluate NAME` measures one")
    print(text, end="")


def _variants(arguments: argparse.Namespace) -> None:
    if arguments.json:
        return _print_json([variant_to_json(row) for row in VARIANTS.values()])
    for row in VARIANTS.values():
        print(f"{row.name:15} {row.title:18} {'private and shared' if row.private else 'shared only':18}  {row.fusion}")
        print(f"{'':15} {row.summary}")


GET = {"faces": "rendered at first use, or with --render faces", "digits": "rendered at first use, or with --render digits",
       "mnist-svhn": "fetched with --download mnist-svhn", "basel-faces": "to be put there by hand"}


def _datasets(arguments: argparse.Namespace) -> None:
    root = data_root(arguments.data_root)
    if arguments.download:
        from .data.mnist_svhn import download

        bar = Progress("MB")
        download(root, lambda done, total: bar.show(done // 1_000_000, total // 1_000_000))
        bar.close()
        print(f"{arguments.download} is in {root}")
    elif arguments.render:
        dataset(arguments.render, root)
        print(f"{arguments.render} is in {root}")
    elif arguments.json:
        _print_json([{key: value for key, value in asdict(row).items() if key != "opener"} | {"here": bool(version_of(row.name, root))} for row in DATASETS.values()])
    else:
        print(f"Data root: {root}" + ("" if root.is_dir() else ", which is not there"))
        for row in DATASETS.values():
            found = version_of(row.name, root)
            print(f"{row.name:12} {row.title}: " + (f"{sum(size for _, size, _ in found) / 1e6:,.0f} MB here" if found else f"not here, {GET[row.name]}"))
            print(f"{'':12} {row.summary}")
            for factor in row.factors:
                values = (
                    f"{factor.values[0]} … {factor.values[-1]}" if factor.kind == "ordered" else f"{len(factor.values)} values"
                )
                print(
                    f"{'':12} {factor.name}: {values}{factor.unit}, {f'private to {factor.owner}' if factor.owner else 'shared'}"
                )


def _items(arguments: argparse.Namespace) -> None:
    data = dataset(arguments.dataset, arguments.data_root)
    factors = {factor.name: factor for factor in data.factors}
    wanted = dict(text.split("=", 1) if "=" in text else (text, "") for text in arguments.where)
    if unknown := [name for name in wanted if name not in factors]:
        raise ValueError(f"--where {unknown[0]}: {data.title} has no such factor; it has {', '.join(factors) or 'none'}")
    found: list[dict] = []
    for ids in data.split(arguments.split).split(500):
        labels = data.items(ids)[1]
        for i, item in enumerate(ids.tolist()):
            told = {name: _value(factor, labels[name][i].item()) for name, factor in factors.items()}
            if all(_is(told[name], value) for name, value in wanted.items()):
                found.append({"id": item, **({"item": data.names[item]} if data.names else {}), **told})
        if len(found) >= arguments.n:
            break
    found = found[: arguments.n]
    if arguments.json:
        return _print_json(found)
    if not found:
        raise ValueError(f"no {arguments.split} pair of {data.title} is {' and '.join(arguments.where)}" if wanted else f"{data.title} has no {arguments.split} pair")
    rows = [list(found[0]), *([str(value) for value in row.values()] for row in found)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths)))


def _value(factor: Factor, label: float) -> str | float:
    """A label as tables hold it: the value's name of a class, a number rounded to what single precision holds."""
    return factor.values[int(label)] if factor.kind == "categorical" else float(f"{label:.6g}") + 0.0


def _is(value: str | float, text: str) -> bool:
    if isinstance(value, str):
        number = value.removeprefix("#")  # of an identity
        return text == value or text.isdecimal() and number.isdecimal() and int(text) == int(number)
    try:
        return abs(float(text.replace("−", "-").rstrip("°")) - value) <= 1e-5 * max(1.0, abs(value))
    except ValueError:
        return False


# ---- training


def _train(arguments: argparse.Namespace) -> int:
    if not arguments.wait:
        return _trained(arguments)
    from .turns import turn

    if arguments.out is None:
        raise ValueError("--wait needs the run's folder: --out DIR")
    with _lockable(arguments.out, new=not arguments.resume), turn(arguments.out, _device(arguments)) as mine:
        if mine:
            return _trained(arguments)
    print("mmvae: stopped before its turn: nothing was trained", file=sys.stderr)
    return STOPPED


@contextlib.contextmanager
def _lockable(run: Path, *, new: bool) -> Iterator[None]:
    """A folder to wait for a turn with; what waiting alone brought into being is gone afterwards where no run was begun or found in it.

    Arguments:
        new: Whether to make the folder where there is none.
    """
    from .checkpoints import CONFIG
    from .turns import LOCK

    made, locked = new and not run.exists(), (run / LOCK).exists()
    if new:
        run.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if not locked and not (run / CONFIG).exists():
            (run / LOCK).unlink(missing_ok=True)
            if made:
                with contextlib.suppress(OSError):  # it holds something after all
                    run.rmdir()


def _device(arguments: argparse.Namespace) -> str:
    """The device that a training is to have its turn on: the one asked for, else the resumed run's own."""
    from .checkpoints import CONFIG, read_json
    from .machine import choose_device
    from .training import settings_of

    config = arguments.out / CONFIG
    own = settings_of(read_json(config), config).device if arguments.resume and config.is_file() else "auto"
    return choose_device(arguments.device or own).type


def _trained(arguments: argparse.Namespace) -> int:
    from .runs import command_line
    from .machine import choose_device
    from .training import train

    if arguments.device is not None:
        choose_device(arguments.device)  # refused before there is a folder
    run, data = _resumed(arguments) if arguments.resume else _started(arguments)

    caught: list[int] = []

    def stop(number: int, frame: object) -> None:
        caught.append(number)
        signal.signal(number, signal.SIG_DFL)  # who asks twice means it

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    bar = Progress("steps")
    try:
        end = train(
            run,
            data,
            until=arguments.steps if arguments.resume else None,
            device=arguments.device,
            on_event=lambda event: _tell(event, bar, run),
            stopped=lambda: bool(caught),
        )
    finally:
        bar.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    print(run)
    if end == "finished":
        return 0
    longer = ["--steps", str(arguments.steps)] if arguments.resume and arguments.steps else []  # the run's settings do not say so
    print(f"mmvae: stopped; `{command_line(['train', '--resume', '--out', str(run), *longer])}` goes on", file=sys.stderr)
    return 128 + caught[0] if caught else STOPPED


def _resumed(arguments: argparse.Namespace) -> tuple[Path, PairedDataset]:
    """The folder of the run to go on with, and its data; where these were said to have been moved, the run knows it from now on."""
    from .checkpoints import CONFIG, WEIGHTS, build_model, read_json, source_of, write_json
    from .runs import command_line
    from .sources import data_of
    from .training import STATE, RunError

    if arguments.out is None:
        raise ValueError("--resume needs the run's folder: --out DIR")
    refused = [name for name, value in vars(arguments).items() if value is not None and name not in RESUMED]
    if refused:
        raise ValueError(f"--resume goes on with the settings that the run has: --{refused[0].replace('_', '-')} cannot be said beside it")
    if not (arguments.out / CONFIG).is_file():
        raise RunError(f"{arguments.out} holds no run to resume")
    if (arguments.out / WEIGHTS).is_file() and not (arguments.out / STATE).is_file():
        raise RunError(f"{arguments.out} is a checkpoint without the state of its training, which cannot be resumed; "
                       f"`{command_line(['train', '--begin-with', str(arguments.out)])}` trains its weights on")
    config = read_json(arguments.out / CONFIG)
    source = config.get("source") or config.get("dataset")
    if not isinstance(source, str):
        raise RunError(f"{arguments.out / CONFIG}: no data set to train on: \"dataset\" is {json.dumps(source)[:40]}")
    data = data_of(config, build_model(config, str(arguments.out / CONFIG)).modalities, arguments.data_root, arguments.dataset)
    if arguments.dataset is not None and data.name != source_of(config):
        write_json(arguments.out / CONFIG, config | {"dataset": data.name, "source": data.name})
    return arguments.out, data


def _started(arguments: argparse.Namespace) -> tuple[Path, PairedDataset]:
    """A new run's folder with its configuration written, and its data: opened first, for without them there is no run."""
    import torch

    from .model import MultimodalVAE
    from .runs import runs_folder
    from .sources import run_name
    from .training import start

    if arguments.encoders is not None or arguments.begin_with is not None:
        return _from_trained(arguments)
    if arguments.variant is None or arguments.dataset is None:
        raise ValueError("a new run needs --variant and --dataset; --resume --out DIR goes on with one")
    variant, row, source = VARIANTS[arguments.variant], DATASETS.get(arguments.dataset), None
    if arguments.private is not None and not variant.private:
        raise ValueError(f"{variant.title} has no private blocks: --private cannot be said of it")
    if row is None:
        data = dataset(arguments.dataset, arguments.data_root)
        row, source = own_row(data), data.name
    settings = _settings(arguments, settings_for(variant, row))
    torch.manual_seed(settings.seed)
    asked = {"private": arguments.private, "shared": arguments.shared}
    latents = latents_for(variant, row) | {key: value for key, value in asked.items() if value is not None}
    model = MultimodalVAE.for_dataset(variant, row, **latents, modalities=modalities_for(
        variant, row, decoders=arguments.decoders or "", likelihoods=arguments.likelihoods, weights=arguments.weights))
    if source is None:
        data = dataset(row.name, arguments.data_root)
    run = arguments.out or runs_folder() / run_name(row.name, variant.name)
    start(run, model, settings, source)
    for note in data.notes if source is not None else ():
        print(note, file=sys.stderr)
    return run, data


def _from_trained(arguments: argparse.Namespace) -> tuple[Path, PairedDataset]:
    """A new run's folder for decoders that are fitted to a trained model's codes, or for its weights to be trained on, and its data."""
    from .runs import free_name, runs_folder
    from .training import begin, refit

    option = "--begin-with" if arguments.encoders is None else "--encoders"
    for name in ("variant", "private", "shared", "decoders", "likelihoods", "weights", *(["begin_with"] if option == "--encoders" else [])):
        if getattr(arguments, name) is not None:
            raise ValueError(f"{option} keeps the model as it is: --{name.replace('_', '-')} cannot be said beside it")
    trained = _open_named(arguments.encoders or arguments.begin_with)
    data = _data_of(trained, arguments)
    if data.name not in DATASETS:  # the new run looks for them where they are now
        trained.model.dataset = data.name
        trained = replace(trained, config={**trained.config, "source": data.name})
    if option == "--encoders":
        run = arguments.out or runs_folder() / free_name(f"{trained.path.name}-refitted")
        refit(run, trained, _settings(arguments, REFIT))
    else:
        run = arguments.out or runs_folder() / free_name(f"{trained.path.name}-on")
        row = DATASETS.get(trained.model.dataset) or own_row(data)
        begin(run, trained, _settings(arguments, settings_for(trained.model.variant, row)))
    return run, data


def _settings(arguments: argparse.Namespace, usual: Settings) -> Settings:
    """The usual settings with those that were asked for."""
    asked = {field.name: getattr(arguments, field.name) for field in fields(Settings)}
    return replace(usual, **{key: value for key, value in asked.items() if value is not None})


def _tell(event: dict, bar: Progress, run: Path) -> None:
    if event["event"] == "step":
        loss = f"loss {event['total']:.1f}  " if "total" in event else ""
        bar.show(event["step"], event["steps"], f"{loss}{event['pairs_per_second']:.0f} pairs/s  {_clock(event['seconds_left'])} left")
    elif event["event"] == "validation":
        bar.line(f"step {event['step']:,}: validation {event['total']:.2f}")
    elif event["event"] in ("started", "resumed"):
        bar.line(
            f"{event['event']} at step {event['step']:,} on {event['device']} in {event['precision']}, "
            f"{event['pairs']} pairs a step; {_judged(run)}"
        )


def _judged(run: Path) -> str:
    """With which likelihood and weight a run judges each modality."""
    from .checkpoints import CONFIG, read_json

    rows = [Modality(**row) for row in read_json(run / CONFIG)["modalities"]]
    scales = {m.name: "" if m.likelihood == "bernoulli" else f" of scale {m.scale:.3g}" for m in rows}
    return ", ".join(f"{m.name} by {m.likelihood}{scales[m.name]}, weight {m.weight:.3g}" for m in rows)


def _ship(arguments: argparse.Namespace) -> None:
    from .checkpoints import STATISTICS, open_checkpoint, save, statistics_of, write_json
    from .files import write_atomically
    from .history import EVENTS, events, record, thin, up_to_best
    from .training import BEST, STATE
    from .turns import LOCK

    run = _open(arguments)
    if arguments.out.resolve() == run.path.resolve():
        raise ValueError(f"--out {arguments.out}: what is shipped would be written over itself; choose another folder")
    if any((arguments.out / kept).exists() for kept in (STATE, LOCK)):
        raise ValueError(f"--out {arguments.out}: there is a run, which could not be gone on with; choose another folder")
    told = events(run.path)
    if arguments.weights == "best":
        run, told = open_checkpoint(run.path, weights=BEST), up_to_best(told)
    save(arguments.out, run.model, {**run.config, "trained": record(told)}, half=True)
    write_atomically(arguments.out / EVENTS, lambda file: Path(file).write_text(thin(told), encoding="utf-8"))
    shipped = open_checkpoint(arguments.out)  # statistics are those of the weights as shipped
    data = _data_of(shipped, arguments)
    write_json(arguments.out / STATISTICS, statistics_of(shipped.model, data, seed=arguments.seed))
    if shipped.model.dataset in DATASETS:  # a person's own pairs need not be there where it is opened
        _keep_first_map(shipped, data)
    print(arguments.out)


def _map(arguments: argparse.Namespace) -> None:
    from .checkpoints import SHIPPED, catalogue

    shipped = [name for name, folder in catalogue().items() if folder.parent.name == SHIPPED]
    for name in arguments.checkpoints or shipped:
        checkpoint = _open(argparse.Namespace(checkpoint=name))
        file = _keep_first_map(checkpoint, _data_of(checkpoint, arguments))
        print(f"{file}  {file.stat().st_size / 1000:.1f} kB")


def _keep_first_map(checkpoint: Checkpoint, data: PairedDataset) -> Path:
    """Lays out the map that a checkpoint is shown with at first, and keeps it beside the weights."""
    from tempfile import TemporaryDirectory

    from .checkpoints import digest
    from .maps import Job
    from .shipped_maps import first_map, write_map

    choice, params = first_map(checkpoint.model, data)
    with TemporaryDirectory() as folder:
        job = Job(checkpoint.model, data, digest(checkpoint.path), choice, params, Path(folder))
        job.run()
        return write_map(checkpoint.path, job)


def _readers(arguments: argparse.Namespace) -> None:
    from .readers import MOST_MEASURED, folder_of, save_readers, settings_for, train_readers

    data = dataset(arguments.dataset, arguments.data_root)
    settings = settings_for(data)
    if arguments.steps:
        settings = replace(settings, steps=arguments.steps)
    bar = Progress("steps")
    networks, training = train_readers(
        data, settings, lambda event: bar.show(event["step"], event["steps"], f"loss {event['loss']:.3f}")
    )
    bar.close()
    readers = save_readers(arguments.out or folder_of(arguments.dataset if arguments.dataset in DATASETS else data.name), data, networks, training)
    if arguments.json:
        return _print_json(dict(readers.accuracy))
    print(f"on {min(len(data.split('test')), MOST_MEASURED):,} test pairs:")
    for modality, factors in readers.accuracy.items():
        for factor, figures in factors.items():
            print(f"{modality:12} {factor:12} " + "  ".join(f"{name} {value}" for name, value in figures.items()))


# ---- looking inside


def _evaluate(arguments: argparse.Namespace) -> None:
    from .checkpoints import CARD, digest
    from .evaluation import evaluate
    from .presets import pairs_to_measure
    from .readers import readers_for
    from .runs import command_line

    if arguments.pairs == 1:
        raise ValueError("--pairs 1: a spread between pairs is measured, of two at least")
    checkpoint = _open(arguments)
    data = _data_of(checkpoint, arguments)
    readers = readers_for(data.name)
    if readers is None and data.factors:
        print(f"what pictures show is not measured: `{command_line(['readers', '--dataset', data.name])}` trains what reads it", file=sys.stderr)
    weights = digest(checkpoint.path)
    card = evaluate(
        checkpoint,
        data,
        readers,
        seed=arguments.seed,
        n=arguments.pairs or pairs_to_measure(data.factors),
        again=arguments.again,
        tell=lambda line: print(line, file=sys.stderr),
    )
    if digest(checkpoint.path) != weights:  # of a run that trains meanwhile: the card would pass for a measurement of what is there now
        (checkpoint.path / CARD).unlink(missing_ok=True)
        raise ValueError(f"{checkpoint.path}: a training replaced the weights while they were measured; evaluate again when it is done")
    if arguments.json:
        return _print_json(card)
    print(_table(card))


def _table(card: dict) -> str:
    """The card as text; without what the reference code scores where there is none, or where nobody said whose the factors are."""
    from .evaluation import table

    matrix = card.get("leakage")
    if not matrix or matrix["ceiling"] and (card["owners"] or len(matrix["blocks"]) == 1):
        return table(card)
    return table({**card, "leakage": {**matrix, "ceiling": None}}).replace("; in brackets the reference code", "")


def _as_pages_do(draw: Callable[[argparse.Namespace], None]) -> Callable[[argparse.Namespace], None]:
    """A verb that draws on one thread: on several the last bit of a sum differs, and now and then a pixel by a level from the page's."""

    @functools.wraps(draw)
    def drawn(arguments: argparse.Namespace) -> None:
        import torch

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            draw(arguments)
        finally:
            torch.set_num_threads(threads)

    return drawn


@_as_pages_do
def _reconstruct(arguments: argparse.Namespace) -> None:
    from .explore import encode
    from .pictures import sheet

    _suffix(arguments.out, ".png")
    checkpoint, images, _ = _pairs(arguments, 12)
    model = checkpoint.model
    rebuilt = model.decode(encode(model, _given(arguments, images)))
    _save(arguments.out, [sheet([row for name in model.names for row in (list(images[name]), list(rebuilt[name]))])], command=_typed(arguments))


@_as_pages_do
def _generate(arguments: argparse.Namespace) -> None:
    from .pictures import sheet

    _suffix(arguments.out, ".png")
    model = _open(arguments).model
    pairs = model.generate(arguments.n, seed=arguments.seed)
    columns = min(16, arguments.n)
    rows = [list(pairs[name][start : start + columns]) for start in range(0, arguments.n, columns) for name in model.names]
    _save(arguments.out, [sheet(rows)], command=_typed(arguments))


@_as_pages_do
def _translate(arguments: argparse.Namespace) -> None:
    import torch

    from .inputs import drawn, prepare
    from .pictures import about
    from .readers import readers_for
    from .runs import command_line
    from .translation import joined, judged, label_of, read, restyled, swap_about, swap_sheet, swapped, translate, translation_about, translation_sheet

    _suffix(arguments.out, ".png")
    checkpoints = [_open(argparse.Namespace(checkpoint=name)) for name in (arguments.checkpoint, *(arguments.beside or ()))]
    first = checkpoints[0].model
    to = arguments.to or first.names[1]
    first.positions([to])
    source, target = (next(m for m in first.modalities if (m.name == to) is drawn_here) for drawn_here in (False, True))
    shown = [_picture(file, source) for file in arguments.input or ()]
    contents = [label_of((), {}, None, file.name) for file in arguments.input or ()]
    if arguments.draw:
        shown.append(prepare(drawn(arguments.draw), source).image)
        contents.append("drawing")
    readers = readers_for(first.dataset) if first.dataset else None
    known = [_read_labels(readers, source.name, image) for image in shown]
    if arguments.items or not shown:
        _, images, ids = _pairs(arguments, 6)
        shown += images[source.name]
        contents += _labels_of(_data_of(checkpoints[0], arguments), ids, None)
        known += _labels(_data_of(checkpoints[0], arguments), ids)
    styles = [{to: _picture(file, target)} for file in arguments.style_input or ()]
    named = {name: [label_of((), {}, name, file.name) for file in arguments.style_input or ()] for name in first.names}
    styles_known = [_read_labels(readers, to, each[to]) for each in styles]
    if arguments.style:
        data = _data_of(checkpoints[0], arguments)
        images = data.items(arguments.style)[0]
        styles += [{name: batch[i] for name, batch in images.items()} for i in range(len(arguments.style))]
        for name, labels in named.items():
            labels += _labels_of(data, arguments.style, name)
        styles_known += _labels(data, arguments.style)
    if arguments.swap and not styles:
        raise ValueError("--swap needs pairs or pictures to take private codes from: --style ID … or --style-input FILE …")

    def posteriors(model: MultimodalVAE, given: Sequence[dict[str, Tensor]]) -> list[dict[str, Belief]]:
        return [model.posterior({name: image[None] for name, image in each.items()}) for each in given]

    found = []
    with torch.inference_mode():
        for model in (each.model for each in checkpoints):
            content = posteriors(model, [{source.name: image} for image in shown])
            if arguments.swap:
                found.append(swapped(model, content, posteriors(model, styles), styles))
            elif styles:
                found.append(restyled(model, content, posteriors(model, [{to: each[to]} for each in styles]), to))
            else:
                found.append(
                    joined([translate(model, posterior, to, arguments.samples, arguments.seed) for posterior in content])
                )
    called = [Path(text).name for text in (arguments.checkpoint, *(arguments.beside or ()))]
    if arguments.swap:
        pixels = swap_sheet(shown, found, called, contents, named, swap_about(list(map(about, checkpoints)), source.name))
    else:
        readings = [judged(read(readers, to, each.samples), readers.networks[to].factors, to, known, styles_known) for each in found] if readers else []
        of = translation_about(list(map(about, checkpoints)), source.name, to, found[0].samples.shape[1], None if styles else arguments.seed)
        pixels = translation_sheet(shown, found, called, to, contents, [each[to] for each in styles], named[to], readings, of)
    _save(arguments.out, [pixels], command=command_line(arguments.typed))


def _picture(file: Path, modality: Modality) -> Tensor:
    """A picture file as a model's input; what is wrong with it is told with its name."""
    from .inputs import InputError, read_input

    try:
        return read_input(file, modality).image
    except InputError as error:
        raise InputError(f"{file}: {error}") from None


def _labels_of(data: PairedDataset, ids: Sequence[int] | torch.Tensor, owner: str | None) -> list[str]:
    """What stands beside items in a picture, see `mmvae.translation.label_of`."""
    from .translation import label_of

    return [label_of(data.factors, labels, owner, f"item {int(item)}") for item, labels in zip(ids, _labels(data, ids), strict=True)]


def _labels(data: PairedDataset, ids: Sequence[int] | torch.Tensor) -> list[dict[str, float]]:
    """The factors of items, {factor: label} for each."""
    _, labels = data.items(ids)
    return [{name: values[i].item() for name, values in labels.items()} for i in range(len(ids))]


def _read_labels(readers: Readers | None, modality: str, image: Tensor) -> dict[str, float]:
    """What readers see in a picture of one's own, whose factors nobody says; nothing without readers."""
    from .translation import read

    return {name: seen[0].item() for name, seen in read(readers, modality, image[None]).items()} if readers else {}


@_as_pages_do
def _traverse(arguments: argparse.Namespace) -> None:
    from .explore import code_in_words, code_of, encode, start_of, traversal_figure
    from .pictures import about, traversal_frames, traversal_sheet

    animated = _suffix(arguments.out, ".png", ".gif") == ".gif"
    if _is_point(arguments.checkpoint):
        if arguments.item is not None:
            raise ValueError(f"--item {arguments.item}: a point says itself where to start")
        point, checkpoint = _at_point(arguments.checkpoint)
        z = code_of(point, checkpoint.model)
        images = _images_at(point, checkpoint, arguments)
        mean = encode(checkpoint.model, {name: images[name] for name in point.observed}) if images and point.observed else None
    else:
        arguments.items = [arguments.item] if arguments.item is not None else None
        checkpoint, images, (item,) = _pairs(arguments, 1)
        z = mean = encode(checkpoint.model, images)
        point = _point_of(checkpoint, z, item)
    model = checkpoint.model
    figure = traversal_figure(model, z, checkpoint.statistics, arguments.range, arguments.frames)
    start, first = start_of(model, z, {name: x[0] for name, x in images.items()}, mean)
    of = about(checkpoint, code_in_words(model, z, point.item, point.observed, mean))
    _save(arguments.out, traversal_frames(figure, start, of, first) if animated else [traversal_sheet(figure, start, of=of, first=first)], point)


@_as_pages_do
def _interpolate(arguments: argparse.Namespace) -> None:
    from .explore import code_in_words, encode, interpolate
    from .pictures import about, way_frames, way_strip

    animated = _suffix(arguments.out, ".png", ".gif") == ".gif"
    checkpoint, images, items = _pairs(arguments, 2)
    model = checkpoint.model
    codes = encode(model, images)
    start, end = ({name: z[i : i + 1] for name, z in codes.items()} for i in (0, 1))
    steps = arguments.steps or (31 if animated else 11)
    if steps < 2:
        raise ValueError("--steps 1: a way has both of its ends, two pictures at least")
    pictures = interpolate(model, start, end, steps, arguments.blocks, arguments.spherical)
    moving = "all blocks" if arguments.blocks is None else f"{' and '.join(arguments.blocks)} only"
    ends = (code_in_words(model, z, int(item), model.names, z) for z, item in zip((start, end), items, strict=True))
    of = f"{about(checkpoint, *ends)} · {moving}, {'spherical' if arguments.spherical else 'straight'}"
    drawn = way_frames(pictures, model.modalities, of) if animated else [way_strip(pictures, model.modalities, of)]
    _save(arguments.out, drawn, _point_of(checkpoint, start, items[0]))


@_as_pages_do
def _render(arguments: argparse.Namespace) -> None:
    from .explore import code_of
    from .pictures import pair_picture

    _suffix(arguments.out, ".png")
    point, checkpoint = _at_point(arguments.point)
    _save(arguments.out, [pair_picture(checkpoint.model.decode(code_of(point, checkpoint.model)))], point)


@_as_pages_do
def _embed(arguments: argparse.Namespace) -> None:
    from . import embedding
    from .embedding_export import pictures_of, write_csv, write_html
    from .maps import PAIR, Choice, codes_of, source_blocks

    checkpoint = _open(arguments)
    data = _data_of(checkpoint, arguments)
    suffix = _suffix(arguments.out, ".csv", ".html")
    model = checkpoint.model
    if arguments.block is not None and arguments.block not in [block.name for block in model.blocks]:
        raise ValueError(f"no block {arguments.block!r}; this model has {', '.join(b.name for b in model.blocks)}")
    if arguments.given is not None and arguments.given not in model.names:
        raise ValueError(f"no modality {arguments.given!r}; this model has {' and '.join(model.names)}")
    source = arguments.given or PAIR
    blocks = (arguments.block,) if arguments.block else source_blocks(model, source)
    if not blocks:
        raise ValueError(f"{model.variant.title} infers nothing from {source} alone")
    codes = codes_of(model, data, Choice(blocks, source, count=arguments.pairs, seed=arguments.seed))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)  # before the work, which would be lost
    params = {row.method: row for row in (embedding.PCA, embedding.TSNE, embedding.UMAP)}[arguments.method]
    bar = Progress("%")
    found = embedding.embed(
        codes.shown,
        params() if arguments.method == "pca" else params(seed=arguments.seed),
        on_frame=lambda progress, _: bar.show(round(100 * progress), 100),
    )
    bar.close()
    labels = {
        factor.name: [factor.format(v) for v in codes.labels[factor.name]] if factor.kind == "categorical" else codes.labels[factor.name]
        for factor in data.factors
    }
    if suffix == ".csv":
        write_csv(arguments.out, codes.ids, found.positions, labels, data.names)
    else:
        title = f"{checkpoint.path.name}: {params.title} of {arguments.block or 'the whole code'}"
        pictures = pictures_of(data, codes.ids)
        write_html(arguments.out, codes.ids, found.positions, labels, title=title, pictures=pictures, names=data.names)
    print(arguments.out)


def _export(arguments: argparse.Namespace) -> None:
    from .export import export

    checkpoint, missing = _open(arguments), None
    try:
        data = _data_of(checkpoint, arguments)
    except DataError as error:
        if arguments.dataset is not None:  # what was asked for is not to be left out
            raise
        missing = error
    for file in export(checkpoint, None if missing else data, arguments.out):
        print(file)
    if missing:
        raise DataError(f"{missing}; without the pairs there is no codes.csv beside these files")


def _bench(arguments: argparse.Namespace) -> int:
    from . import bench

    known = sorted(file.stem for file in Path(bench.__file__).parent.glob("*.py") if not file.stem.startswith("_"))
    if not arguments.rest:
        print("\n".join(f"python -m mmvae bench {name}" for name in known))
        return 0
    name, *rest = arguments.rest
    if name not in known:
        raise ValueError(f"nothing called {name!r} to measure: expected one of {', '.join(known)}")
    return import_module(f"mmvae.bench.{name}").main(rest)


# ---- what verbs share


def _open(arguments: argparse.Namespace) -> Checkpoint:
    """The checkpoint of this folder, else of this name."""
    return _open_named(arguments.checkpoint)


def _open_named(text: str) -> Checkpoint:
    """The checkpoint or run in a folder, or of a name that the catalogue has; it goes by that name, which its points carry."""
    from .checkpoints import CONFIG, CheckpointError, catalogue, open_checkpoint

    named = catalogue()
    if (Path(text) / CONFIG).is_file():
        folder = Path(text).resolve()
        return replace(open_checkpoint(text), name=next((name for name, path in named.items() if path.resolve() == folder), folder.name))
    if text in named:
        return replace(open_checkpoint(named[text]), name=text)
    if Path(text).is_dir():
        raise CheckpointError(f"{text}: no {CONFIG} in it; expected a checkpoint's or a run's folder")
    raise CheckpointError(
        f"no checkpoint {text!r}: expected a folder, or one of {', '.join(named) or 'those in checkpoints/, which is empty'}"
    )


def _is_point(text: str) -> bool:
    """Whether this stands for a point, and not for a checkpoint."""
    from .point import PREFIX

    return text.startswith(f"{PREFIX}~") or Path(text).suffix == ".png"


def _at_point(text: str) -> tuple[Point, Checkpoint]:
    """The point of this text, or carried by this .png file, and its checkpoint."""
    from .checkpoints import catalogue, digest, open_checkpoint
    from .pictures import read_point
    from .point import Point, PointError

    point = read_point(Path(text)) if Path(text).suffix == ".png" else Point.parse(text)
    folder = catalogue().get(point.checkpoint)
    if folder is None:
        raise PointError(
            f"the point is of checkpoint {point.checkpoint!r}, which is not here; there are {', '.join(catalogue()) or 'none'}"
        )
    if digest(folder) != point.digest:
        raise PointError(
            f"the point is of other weights of {point.checkpoint!r} ({point.digest}) than those in {folder} ({digest(folder)})"
        )
    return point, replace(open_checkpoint(folder), name=point.checkpoint)


def _point_of(checkpoint: Checkpoint, z: Code, item: int | Tensor) -> Point:
    """The point of the posterior mean of a pair, of which both images are observed."""
    from .checkpoints import digest
    from .explore import point_of

    return point_of(checkpoint.name, digest(checkpoint.path), checkpoint.model, z, item=int(item), observed=checkpoint.model.names)


def _images_at(point: Point, checkpoint: Checkpoint, arguments: argparse.Namespace) -> dict[str, Tensor]:
    """The images of the pair that was picked at a point; none where they are not on this machine: the code is drawn without them too."""
    try:
        return _data_of(checkpoint, arguments).items([point.item])[0] if point.item is not None else {}
    except DataError:
        if arguments.dataset is not None:  # what was asked for is not to be left out
            raise
        return {}


def _data_of(checkpoint: Checkpoint, arguments: argparse.Namespace) -> PairedDataset:
    """What the checkpoint was trained on, where it was or where --dataset says that it is now."""
    from .sources import data_of

    return data_of(checkpoint.config, checkpoint.model.modalities, arguments.data_root, getattr(arguments, "dataset", None))


def _pairs(arguments: argparse.Namespace, n: int) -> tuple[Checkpoint, dict[str, Tensor], Sequence[int] | torch.Tensor]:
    """The checkpoint, with the pairs asked for or, by default, n of its reference items, and their ids."""
    from .checkpoints import reference_ids

    checkpoint = _open(arguments)
    data = _data_of(checkpoint, arguments)
    ids = arguments.items
    if not ids:
        reference = reference_ids(data)
        ids = [reference[(i * len(reference) + len(reference) // 2) // n] for i in range(min(n, len(reference)))]
    return checkpoint, data.items(ids)[0], ids


def _given(arguments: argparse.Namespace, images: dict[str, Tensor]) -> dict[str, Tensor]:
    """What is observed: both modalities, or the one that --given names."""
    if arguments.given is None:
        return images
    if arguments.given not in images:
        raise ValueError(f"no modality {arguments.given!r}; this model has {' and '.join(images)}")
    return {arguments.given: images[arguments.given]}


def _suffix(file: Path, *allowed: str) -> str:
    if file.suffix not in allowed:
        raise ValueError(f"{file}: expected a name that ends in {' or '.join(allowed)}")
    return file.suffix


def _save(file: Path, frames: Sequence, point: Point | None = None, command: str = "") -> None:
    """Writes pixels as .png, several frames as .gif, with the point that they start from or the command that draws them, and prints the name."""
    from .pictures import write_gif, write_png

    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".gif":
        write_gif(file, frames, point=point)
    else:
        write_png(file, frames[0], point, command)
    print(file)


def _typed(arguments: argparse.Namespace) -> str:
    """The command as it was given, but that what it draws is called after its verb: one picture is one file, wherever it is written."""
    from .runs import command_line

    verb, *rest = arguments.typed
    return command_line([verb, *(f"{verb}.png" if text == str(arguments.out) and before == "--out" else text for before, text in zip([verb, *rest], rest))])


def _print_json(content: dict | list) -> None:
    print(json.dumps(content, indent=2, ensure_ascii=False))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Progress:
    """How far something is: a bar on standard error that redraws itself in a terminal, else a plain line now and then.

    Arguments:
        unit: What is counted.
    """

    def __init__(self, unit: str) -> None:
        self.unit, self.terminal, self.shown = unit, sys.stderr.isatty(), float("-inf")
        self.open = False

    def show(self, done: int, total: int, about: str = "") -> None:
        """Says how much of the total is done, unless it has just said so."""
        now = time.monotonic()
        if now - self.shown < (SPACE if self.terminal else PLAIN) and done < total:
            return
        self.shown = now
        text = f"{done:,} of {total:,} {self.unit}  {about}".rstrip()
        if self.terminal:
            filled = round(24 * done / max(total, 1))
            print(f"\r\033[K{'█' * filled}{'░' * (24 - filled)} {text}", end="", file=sys.stderr, flush=True)
            self.open = True
        else:
            print(text, file=sys.stderr, flush=True)

    def line(self, text: str) -> None:
        """A line that stays, above the bar."""
        print(f"\r\033[K{text}" if self.open else text, file=sys.stderr, flush=True)
        self.open = False

    def close(self) -> None:
        """Leaves the bar as it stands and goes to the next line."""
        if self.open:
            print(file=sys.stderr)
        self.open = False
