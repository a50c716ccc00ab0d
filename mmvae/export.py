"""A model to take elsewhere: its encoders and decoders as ONNX, its codes as a table."""

from __future__ import annotations

__all__ = ["export", "export_onnx", "write_codes"]

import csv
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .checkpoints import CONFIG, Checkpoint, write_json
from .data.base import PairedDataset
from .embedding_export import headings, plain_number
from .files import write_atomically
from .model import MultimodalVAE

MOST_PAIRS = 20_000
NEEDED = ("onnx", "onnxscript")


def export(checkpoint: Checkpoint, data: PairedDataset | None, folder: Path) -> list[Path]:
    """Writes ``codes.csv`` (where the pairs are here), the ONNX files and the configuration into a folder, and returns what was written.

    The configuration says how a posterior is made of what encoders give: the variant's fusion and prior, and the blocks.

    Raises:
        ValueError: Where the packages that ONNX needs are not installed; the codes are written by then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config, codes = folder / CONFIG, folder / "codes.csv"
    if data is not None:
        write_codes(codes, checkpoint.model, data)
    write_json(config, checkpoint.config)
    return [*([codes] if data is not None else []), config, *export_onnx(checkpoint.model, folder)]


@torch.inference_mode()
def write_codes(file: Path, model: MultimodalVAE, data: PairedDataset, split: str = "test") -> None:
    """A row for each pair: its id, its name where it has one, its factors, and mean and standard deviation of its posterior in every dimension.

    Of a split of more than `MOST_PAIRS`, so many drawn at random, always the same.
    """
    ids = data.split(split)
    if len(ids) > MOST_PAIRS:
        ids = ids[np.sort(np.random.default_rng(0).choice(len(ids), MOST_PAIRS, replace=False))]
    taken = ["id", "item"]
    columns = [f"{block.name}[{d}] {what}" for block in model.blocks for what in ("mean", "stddev") for d in range(block.dim)]

    def write(temporary: str) -> None:
        with open(temporary, "w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(["id", *(["item"] if data.names else []), *headings([factor.name for factor in data.factors], taken), *columns])
            for chunk in ids.split(250):
                images, labels = data.items(chunk)
                posterior = model.posterior(images)
                values = torch.cat(
                    [part for block in model.blocks for part in (posterior[block.name].mean, posterior[block.name].stddev)], 1
                )
                for i, item in enumerate(chunk.tolist()):
                    shown = [
                        f.values[int(labels[f.name][i])] if f.kind == "categorical" else plain_number(labels[f.name][i].numpy()[()])
                        for f in data.factors
                    ]
                    writer.writerow([item, *data.names[item : item + 1], *shown, *(f"{value:.6g}" for value in values[i].tolist())])

    write_atomically(file, write)


def export_onnx(model: MultimodalVAE, folder: Path) -> list[Path]:
    """Writes one file for each encoder and decoder, with any number of items.

    An encoder takes images [N, C, H, W] by modality and gives, for each block, ``<block>_mean`` and ``<block>_spread``: the
    log-variance of a Gaussian, the log-scale of a Laplace. A decoder takes codes by block and gives images in [0, 1].
    Each file's metadata say which variant it is of, on which data set, and what its spreads are.

    Raises:
        ValueError: Where the packages onnx and onnxscript are not installed.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ValueError(f"ONNX files need {' and '.join(missing)}: pip install {' '.join(NEEDED)}")
    files = []
    shapes = {m.name: m.shape for m in model.modalities}
    about = {
        "variant": model.variant.name,
        "dataset": model.dataset or "",
        "spread": "log-scale of a Laplace" if model.variant.family == "laplace" else "log-variance of a Gaussian",
        "images": "from 0 to 1",
    }
    for name, encoder in model.encoders.items():
        blocks = [b for b in model.blocks if b.owner is None or b.owner in encoder.reads]
        outputs = [f"{b.name}_{what}" for what in ("mean", "spread") for b in blocks]
        files.append(folder / f"encoder_{name}.onnx")
        _write(
            files[-1],
            _Encode(encoder, [b.dim for b in blocks]),
            [torch.zeros(2, *shapes[m]) for m in encoder.reads],
            encoder.reads,
            outputs,
            about,
        )
    for name, decoder in model.decoders.items():
        blocks = [b for b in model.blocks if b.owner is None or b.owner in decoder.writes]
        files.append(folder / f"decoder_{name}.onnx")
        _write(files[-1], _Decode(decoder), [torch.zeros(2, b.dim) for b in blocks], [b.name for b in blocks], decoder.writes, about)
    return files


class _Encode(nn.Module):
    """An encoder with images as arguments and beliefs' parameters as results."""

    def __init__(self, encoder: nn.Module, sizes: list[int]) -> None:
        super().__init__()
        self.encoder, self.sizes = encoder, sizes

    def forward(self, *images: Tensor) -> tuple[Tensor, ...]:
        mean, spread = self.encoder(dict(zip(self.encoder.reads, images))).chunk(2, 1)
        return (*mean.split(self.sizes, 1), *spread.clamp(-12.0, 8.0).split(self.sizes, 1))


class _Decode(nn.Module):
    """A decoder with blocks as arguments and pictures as results."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, *blocks: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.sigmoid(logits) for logits in self.decoder(torch.cat(blocks, 1)).values())


def _write(file: Path, module: nn.Module, example: list[Tensor], inputs, outputs, about: dict[str, str]) -> None:
    any_number = tuple({0: torch.export.Dim.DYNAMIC} for _ in example)
    program = torch.onnx.export(
        module.eval(),
        tuple(example),
        dynamo=True,
        dynamic_shapes=(any_number,),
        verbose=False,
        input_names=list(inputs),
        output_names=list(outputs),
    )
    program.model.metadata_props.update(about)
    write_atomically(file, program.save)
