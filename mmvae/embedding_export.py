"""Maps to take along: a CSV with ids, one HTML file that needs nothing else, and TensorBoard's projector."""

from __future__ import annotations

__all__ = ["headings", "pictures_of", "plain_number", "write_csv", "write_html", "write_projector"]

import base64
import csv
import html
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL import Image

from .files import opened_atomically
from .palettes import ON_DARK
from .pictures import as_bytes

if TYPE_CHECKING:  # plotly takes longer to import than a CSV to write
    import plotly.graph_objects as go

    from .data import PairedDataset

SPRITE_LIMIT = 8192  # pixels a side: what TensorBoard reads
SHEET = 1024  # thumbnails that a page keeps in one picture, decoded when one of them is shown
FULL, SMALL = 64, 32  # pixels a side of a page's thumbnails at most, for as many as `FEW_POINTS` points and for more
FEW_POINTS = 4000
GREY = "#68727f"  # where colour says nothing: no label, no value, or more names than can be told apart
GROUND, INK = "#0b0e14", "#e6e9ef"  # the colours of classes are made for a dark ground

Labels = Mapping[str, Sequence]

#: Shows the pictures of the point that is pointed at, in a corner, where they cover no label; the last ones stay.
CARD = """
{ const { each, across, sheets } = __PICTURES__, SIDE = 128;
  const card = document.body.appendChild(document.createElement("div"));
  card.id = "pictures";
  card.style.cssText = "position:fixed;left:16px;bottom:16px;display:none;gap:8px;padding:8px;border-radius:8px;background:__GROUND__d0;font:13px sans-serif;color:__INK__";
  const views = sheets.map(([title]) => {
    const figure = card.appendChild(document.createElement("figure"));
    figure.style.margin = 0;
    const view = figure.appendChild(document.createElement("div"));
    figure.appendChild(document.createElement("figcaption")).textContent = title;
    view.style.cssText = `width:${SIDE}px;height:${SIDE}px;margin-bottom:4px;border-radius:4px;background-size:${across * SIDE}px auto`;
    return view;
  });
  document.getElementById("{plot_id}").on("plotly_hover", ({ points: [{ customdata }] }) => {
    const point = +customdata.at(-1), place = point % each;
    sheets.forEach(([, pictures], i) => {
      views[i].style.backgroundImage = `url(${pictures[Math.floor(point / each)]})`;
      views[i].style.backgroundPosition = `${-SIDE * (place % across)}px ${-SIDE * Math.floor(place / across)}px`;
    });
    card.style.display = "flex";
  });
}
"""


def plain_number(value: np.floating) -> str:
    """A number in the fewest digits that tell it from its neighbours: ``36.68``, where as a double float32 is 36.68000030517578."""
    return str(value).removesuffix(".0")


def write_csv(path: str | Path, ids: Sequence, positions: np.ndarray, labels: Labels, names: Sequence[str] = ()) -> None:
    """Write a row per point: id, item where items have names, x, y and a column per label.

    Arguments:
        ids: The items' ids, of length N.
        positions: With shape [N, 2].
        labels: {name: N values}.
        names: Of all items of the data set, by id; empty where they have none, see `mmvae.data.PairedDataset.names`.

    Raises:
        ValueError: Where lengths differ.
    """
    _check(ids, labels, positions=positions)
    called = {"item": [names[item] for item in np.asarray(ids).tolist()]} if names else {}
    with _opened(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        taken = ["id", *called, "x", "y"]
        writer.writerow([*taken, *headings(labels, taken)])
        columns = [_cells(np.asarray(values)) for values in labels.values()]
        for item, (x, y), *values in zip(np.asarray(ids).tolist(), np.asarray(positions).tolist(), *called.values(), *columns, strict=True):
            writer.writerow([item, *values[: len(called)], f"{x:.6g}", f"{y:.6g}", *values[len(called) :]])


def headings(names: Iterable[str], taken: Sequence[str]) -> list[str]:
    """Names of factors as columns beside others: one that is taken says what it is."""
    return [f"{name} (factor)" if name in taken else name for name in names]


def _cells(values: np.ndarray) -> list:
    """A column's values as a table holds them."""
    return [plain_number(value) for value in values] if _are_amounts(values) else values.tolist()


def write_html(
    path: str | Path, ids: Sequence, positions: np.ndarray, labels: Labels, colour: str | None = None, title: str = "",
    hues: Mapping[str, str] | None = None, named: bool = False, pictures: Mapping[str, np.ndarray] | None = None,
    names: Sequence[str] = (),
) -> None:
    """Write a page that draws the map without a network: zoom, pan, hover with id, name, labels and pictures, a legend that toggles.

    Arguments:
        ids, positions, labels, names: As for :func:`write_csv`.
        colour: The label to colour by; where None the first that is no more names than there are colours. Floats get a colour scale between their 1st and 99th percentile,
            around 0 where they lie on both sides of it. Whole numbers and names are classes: as many as there are colours get
            one each, more stay grey.
        title: What the page is called.
        hues: {class: colour} of the label to colour by, in the order of the legend.
        named: Whether the name of each class stands in the middle of its points.
        pictures: {title: uint8 [N, H, W, C]} with one or three channels, square, shown of the point that is pointed at.

    Raises:
        ValueError: Where lengths differ or there is no label of that name.
    """
    import plotly.graph_objects as go

    _check(ids, {**labels, **(pictures or {})}, positions=positions)
    if colour is not None and colour not in labels:
        raise ValueError(f"no label {colour!r} to colour by; choose {', '.join(labels) or 'none, there are no labels'}")
    if colour is None:
        colour = next((name for name, values in labels.items() if _tells(np.asarray(values))), next(iter(labels), None))
    positions = np.asarray(positions)
    called = {"item": [names[item] for item in np.asarray(ids).tolist()]} if names else {}
    shown = np.column_stack([np.asarray(values).astype(str) for values in (ids, *called.values(), *labels.values(), *([range(len(positions))] if pictures else []))])
    hover = "<br>".join(f"{name.replace('%', '')} %{{customdata[{column}]}}" for column, name in enumerate(["id", *called, *labels]))

    size = max(4.0, min(9.0, 270 / math.sqrt(len(positions) + 1)))

    def points(rows: np.ndarray, marker: dict, name: str = "") -> go.Scattergl:
        return go.Scattergl(
            x=positions[rows, 0], y=positions[rows, 1], customdata=shown[rows], name=name, mode="markers",
            legendgroup=name, marker={"size": size, "opacity": 0.8, **marker}, hovertemplate=hover + "<extra></extra>",
        )  # fmt: skip

    values = np.asarray(labels[colour]) if colour is not None else np.zeros(len(positions), int)
    if _are_amounts(values):
        unknown = np.isnan(values)
        traces = [points(np.flatnonzero(~unknown), _scale(values[~unknown], colour))]
        traces += [points(np.flatnonzero(unknown), {"color": GREY}, "unknown")] if unknown.any() else []
    else:
        names = values.astype(str)
        distinct = np.unique(values).astype(str)
        if hues is None:
            hues = dict(zip(distinct, ON_DARK["few"])) if colour is not None and len(distinct) <= len(ON_DARK["few"]) else {}
        traces = [points(np.flatnonzero(names == name), {"color": hue}, name) for name, hue in hues.items()]
        rest = np.flatnonzero(~np.isin(names, list(hues)))
        traces += [points(rest, {"color": GREY}, "others")] if len(rest) else []
        if named:
            traces += [_name(positions[names == name], name) for name in hues if (names == name).any()]
    figure = go.Figure(traces)
    figure.update_layout(
        title={"text": html.escape(title)}, template="plotly_dark", paper_bgcolor=GROUND, plot_bgcolor=GROUND, font={"color": INK},
        dragmode="pan", showlegend=len(traces) > 1, legend={"title": {"text": html.escape(colour or "")}, "itemsizing": "constant"},
        xaxis={"visible": False}, yaxis={"visible": False, "scaleanchor": "x"},
    )  # fmt: skip
    config = {"scrollZoom": True, "displaylogo": False}
    page = figure.to_html(include_plotlyjs=True, full_html=True, default_height="100vh", div_id="map", config=config, post_script=_card(pictures) if pictures else None)
    page = page.replace("<head>", f"<head><title>{html.escape(title)}</title><style>body {{ margin: 0; background: {GROUND}; }}</style>", 1)
    with _opened(path) as file:
        file.write(page)


def pictures_of(data: PairedDataset, ids: np.ndarray) -> dict[str, np.ndarray]:
    """The pictures of items as `write_html` takes them, {the modality's title: uint8 [N, H, W, 1 or 3]}, smaller where there are many."""
    from torch.nn.functional import adaptive_avg_pool2d

    side = FULL if len(ids) <= FEW_POINTS else SMALL
    parts: dict[str, list[np.ndarray]] = {m.title: [] for m in data.modalities}
    for i in range(0, len(ids), SHEET):  # a sheet at a time: as floats the pictures of all would take gigabytes
        images, _ = data.items(ids[i : i + SHEET])
        for m in data.modalities:
            pixels = as_bytes(adaptive_avg_pool2d(images[m.name], min(side, m.shape[1])))
            parts[m.title].append(pixels[..., :1].copy() if m.shape[0] == 1 else pixels)
    return {title: np.concatenate(listed) for title, listed in parts.items()}


def _card(pictures: Mapping[str, np.ndarray]) -> str:
    """The script that shows the pictures of a point, with these in it."""
    across = math.isqrt(SHEET)
    sheets = [[title, [_web(images[i : i + SHEET], across) for i in range(0, len(images), SHEET)]] for title, images in pictures.items()]
    told = json.dumps({"each": SHEET, "across": across, "sheets": sheets}).replace("<", "\\u003c")
    return CARD.replace("__GROUND__", GROUND).replace("__INK__", INK).replace("__PICTURES__", told)


def _web(images: np.ndarray, across: int) -> str:
    """Pictures, uint8 [N, H, W, 1 or 3], so many in a row, as a data URI."""
    buffer = io.BytesIO()
    _sheet(images, across, math.ceil(len(images) / across), *images.shape[2:0:-1]).save(buffer, "WEBP", quality=80)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _are_amounts(values: np.ndarray) -> bool:
    return np.issubdtype(values.dtype, np.floating)


def _tells(values: np.ndarray) -> bool:
    """Whether values can be told apart by colours."""
    return _are_amounts(values) or len(np.unique(values)) <= len(ON_DARK["few"])


def _name(positions: np.ndarray, name: str) -> go.Scattergl:
    """A class's name in the middle of its points, which goes where they go when the legend is clicked."""
    import plotly.graph_objects as go

    x, y = np.median(positions, axis=0)
    return go.Scattergl(
        x=[x], y=[y], text=[html.escape(name)], mode="text", legendgroup=name, showlegend=False, hoverinfo="skip",
        textfont={"size": 22, "color": "#fff", "weight": "bold"},
    )  # fmt: skip


def _scale(values: np.ndarray, name: str) -> dict:
    """How amounts are coloured: as on the Map page, see `mmvae.palettes.ON_DARK`."""
    low, high = np.percentile(values, [1, 99]) if len(values) else (0.0, 1.0)
    kind = "around" if low < 0 < high else "from"
    if kind == "around":
        low, high = -max(-low, high), max(-low, high)
    colours = ON_DARK[kind]
    steps = [[i / (len(colours) - 1), colour] for i, colour in enumerate(colours)]
    return {"color": values, "colorscale": steps, "cmin": low, "cmax": high, "showscale": True, "colorbar": {"title": {"text": html.escape(name)}}}


def write_projector(
    folder: str | Path, ids: Sequence, codes: np.ndarray, labels: Labels, thumbnails: np.ndarray | None = None
) -> None:
    """Write vectors.tsv, metadata.tsv, projector_config.pbtxt and, with thumbnails, sprite.png for TensorBoard's projector.

    Open with `tensorboard --logdir FOLDER`, or load the two .tsv files at projector.tensorflow.org.

    Arguments:
        ids, labels: As for :func:`write_csv`.
        codes: With shape [N, D], unprojected: the projector embeds by itself.
        thumbnails: float [N, C, H, W] in [0, 1] with one or three channels; shrunk where the sprite would be too large.

    Raises:
        ValueError: Where lengths or shapes differ from these.
    """
    _check(ids, labels, codes=codes, **({} if thumbnails is None else {"thumbnails": thumbnails}))
    folder = Path(folder)
    with _opened(folder / "vectors.tsv") as file:
        np.savetxt(file, np.asarray(codes), fmt="%.6g", delimiter="\t")
    with _opened(folder / "metadata.tsv") as file:
        if labels:  # the projector takes a first line for a header only where there are several columns
            file.write("\t".join(["id", *map(_cell, labels)]) + "\n")
        for row in zip(np.asarray(ids).tolist(), *(np.asarray(values).tolist() for values in labels.values()), strict=True):
            file.write("\t".join(map(_cell, row)) + "\n")
    sprite = ""
    if thumbnails is not None:
        image, width, height = _sprite(np.asarray(thumbnails))
        image.save(folder / "sprite.png")
        size = f"    single_image_dim: {width}\n    single_image_dim: {height}\n"
        sprite = f'  sprite {{\n    image_path: "sprite.png"\n{size}  }}\n'
    config = f'embeddings {{\n  tensor_name: "codes"\n  tensor_path: "vectors.tsv"\n  metadata_path: "metadata.tsv"\n{sprite}}}\n'
    (folder / "projector_config.pbtxt").write_text(config, encoding="utf-8")


def _sprite(thumbnails: np.ndarray) -> tuple[Image.Image, int, int]:
    """One picture of all thumbnails, row by row in a square grid, and a thumbnail's width and height in it."""
    if thumbnails.ndim != 4 or thumbnails.shape[1] not in (1, 3):
        raise ValueError(f"thumbnails need the shape [N, 1 or 3, H, W], got {list(thumbnails.shape)}")
    count, _, height, width = thumbnails.shape
    across = math.ceil(math.sqrt(count))
    shrink = min(1.0, SPRITE_LIMIT / (across * max(height, width)))
    width, height = max(1, int(width * shrink)), max(1, int(height * shrink))
    return _sheet((np.clip(thumbnails, 0, 1) * 255).round().astype(np.uint8).transpose(0, 2, 3, 1), across, across, width, height), width, height


def _sheet(pixels: np.ndarray, across: int, down: int, width: int, height: int) -> Image.Image:
    """One picture of many, uint8 [N, H, W, 1 or 3], row by row in a grid of so many cells, each shrunk to this size."""
    sheet = Image.new("L" if pixels.shape[3] == 1 else "RGB", (across * width, down * height))
    for i, picture in enumerate(pixels):
        image = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
        image = image if image.size == (width, height) else image.resize((width, height), Image.Resampling.BOX)
        sheet.paste(image, (i % across * width, i // across * height))
    return sheet


def _opened(path: str | Path) -> AbstractContextManager[IO[str]]:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return opened_atomically(path, "w", encoding="utf-8", newline="")


def _cell(value: object) -> str:
    return " ".join(str(value).split())  # a tab or a line break would shift the columns


def _check(ids: Sequence, labels: Labels, **arrays: np.ndarray) -> None:
    for name, values in {**labels, **arrays}.items():
        if len(values) != len(ids):
            raise ValueError(f"{len(ids)} ids but {len(values)} rows of {name}; give one row per id")
    if "positions" in arrays and np.shape(arrays["positions"])[1:] != (2,):
        raise ValueError(f"positions need the shape [N, 2], got {list(np.shape(arrays['positions']))}")
