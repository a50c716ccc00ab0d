"""What is exported is read back as another program would."""

import base64
import csv
import io
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from mmvae.data import DATASETS
from mmvae.embedding_export import pictures_of, write_csv, write_html, write_projector
from mmvae.palettes import ON_DARK
from tests.tiny import TinyPairs

IDS = np.array([4, 8, 15, 16, 23])
POSITIONS = np.arange(10, dtype=np.float32).reshape(5, 2) / 3
LABELS = {"digit": np.array([0, 1, 0, 1, 2]), "name": ["a, b", 'say "hi"', "tab\there", "</script>", "ü"]}


def test_csv_gives_back_ids_positions_and_awkward_labels(tmp_path):
    write_csv(tmp_path / "deep" / "map.csv", IDS, POSITIONS, LABELS)
    with (tmp_path / "deep" / "map.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["id"]) for row in rows] == IDS.tolist()
    assert [row["name"] for row in rows] == LABELS["name"]
    np.testing.assert_allclose([[float(row["x"]), float(row["y"])] for row in rows], POSITIONS, rtol=1e-5)


def test_html_stands_alone_and_holds_a_legend_entry_per_value(tmp_path):
    write_html(tmp_path / "map.html", IDS, POSITIONS, LABELS, colour="digit", title="digits")
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|link)[^>]+(src|href)=", page)
    data = page[page.rindex("Plotly.newPlot(") :]
    assert data.count('"customdata":') == 3
    assert "</script>" not in data[: data.index("scrollZoom")]  # a label must not end the script


def test_html_colours_many_numbers_on_a_scale(tmp_path):
    count = 50
    write_html(tmp_path / "map.html", range(count), np.zeros((count, 2)), {"kl": np.linspace(0, 9, count)})
    data = (tmp_path / "map.html").read_text(encoding="utf-8").split("Plotly.newPlot(")[-1]
    assert data.count('"customdata":') == 1 and '"showscale":true' in data


def test_html_leaves_many_names_grey(tmp_path):
    write_html(tmp_path / "map.html", range(30), np.zeros((30, 2)), {"identity": [f"person {i}" for i in range(30)]})
    data = (tmp_path / "map.html").read_text(encoding="utf-8").split("Plotly.newPlot(")[-1]
    assert data.count('"customdata":') == 1 and "person 29" in data


def test_html_is_coloured_by_what_tells_points_apart_where_nobody_says_by_what(tmp_path):
    labels = {"identity": [f"person {i}" for i in range(30)], "side": ["left", "right"] * 15}
    write_html(tmp_path / "map.html", range(30), np.zeros((30, 2)), labels)
    data = (tmp_path / "map.html").read_text(encoding="utf-8").split("Plotly.newPlot(")[-1]
    assert '"name":"left"' in data and '"name":"right"' in data and '"name":"others"' not in data


def test_html_prints_the_name_of_each_class_in_the_middle_of_its_points(tmp_path):
    places = np.array([[0, 0], [1, 4], [9, 2], [5, 5], [5, 7], [5, 9]], float)
    write_html(tmp_path / "map.html", range(6), places, {"digit": ["<2>"] * 3 + ["7"] * 3}, hues={"7": "#ffffff", "<2>": "#00ff00", "9": "#ff0000"}, named=True)
    data = (tmp_path / "map.html").read_text(encoding="utf-8").split("Plotly.newPlot(")[-1]
    traces = json.JSONDecoder().raw_decode(data[data.index("["):])[0]
    names = {trace["text"][0]: (trace["x"][0], trace["y"][0]) for trace in traces if trace["mode"] == "text"}
    assert names == {"7": (5, 7), "&lt;2&gt;": (1, 2)}
    assert {trace["legendgroup"] for trace in traces if trace["mode"] == "text"} == {"7", "<2>"}


def test_html_refuses_a_label_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="no label 'speed' to colour by; choose digit, name"):
        write_html(tmp_path / "map.html", IDS, POSITIONS, LABELS, colour="speed")


def test_html_holds_the_pictures_of_every_point_sheet_by_sheet(tmp_path):
    count = 1025  # one more than a sheet holds
    grey = np.arange(count) % 256
    pictures = {"first </script>": np.broadcast_to(grey[:, None, None, None], (count, 28, 28, 1)).astype(np.uint8), "second": np.zeros((count, 32, 32, 3), np.uint8)}
    write_html(tmp_path / "map.html", range(count), np.zeros((count, 2)), {"digit": grey % 10}, pictures=pictures)
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    start = page.index("{", page.index("const { each, across, sheets } = ") + len("const {"))
    told, _ = json.JSONDecoder().raw_decode(page, start)
    assert [title for title, _ in told["sheets"]] == list(pictures) and "</script>" not in page[start : page.index("SIDE = 128")]
    (_, first), (_, second) = told["sheets"]
    assert len(first) == len(second) == 2

    def sheet(uri: str) -> Image.Image:
        return Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/webp;base64,"))))

    assert sheet(first[0]).size == (32 * 28, 32 * 28) and sheet(second[1]).size == (32 * 32, 32)
    for point in (0, 40, 1023, 1024):
        row, column = divmod(point % told["each"], told["across"])
        assert abs(sheet(first[point // told["each"]]).convert("L").getpixel((column * 28 + 14, row * 28 + 14)) - grey[point]) < 8
    traces = exported(tmp_path / "map.html")["traces"]
    assert sorted(int(row[-1]) for trace in traces for row in trace["customdata"]) == list(range(count))


def test_pictures_of_items_are_theirs_by_modality():
    data = TinyPairs()
    ids = np.array([3, 1, 100])
    images, _ = data.items(ids)
    found = pictures_of(data, ids)
    for m in data.modalities:
        expected = np.round(images[m.name].numpy() * 255).transpose(0, 2, 3, 1)
        assert found[m.title].dtype == np.uint8 and found[m.title].shape == expected.shape
        np.testing.assert_allclose(found[m.title], expected, atol=1)


def test_of_many_items_pictures_are_smaller():
    face = DATASETS["faces"].modalities[0]
    level = torch.rand(4001, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    data = SimpleNamespace(modalities=(face,), items=lambda ids: ({face.name: level[ids].expand(-1, *face.shape)}, {}))
    found = pictures_of(data, np.arange(4001))[face.title]
    assert found.shape == (4001, 32, 32, 1) and pictures_of(data, np.arange(4000))[face.title].shape == (4000, 64, 64, 1)
    np.testing.assert_allclose(found[:, 5, 7, 0], np.round(255 * level.flatten().numpy()), atol=1)


def test_html_refuses_pictures_of_other_points(tmp_path):
    with pytest.raises(ValueError, match="5 ids but 4 rows of first"):
        write_html(tmp_path / "map.html", IDS, POSITIONS, LABELS, pictures={"first": np.zeros((4, 8, 8, 1), np.uint8)})


def test_projector_files_agree_row_by_row(tmp_path):
    codes = np.random.default_rng(0).normal(size=(5, 4))
    thumbnails = np.linspace(0, 1, 5)[:, None, None, None] * np.ones((1, 3, 6, 8))
    write_projector(tmp_path, IDS, codes, LABELS, thumbnails)
    np.testing.assert_allclose(np.loadtxt(tmp_path / "vectors.tsv", delimiter="\t"), codes, rtol=1e-5)
    header, *rows = (tmp_path / "metadata.tsv").read_text(encoding="utf-8").splitlines()
    assert header.split("\t") == ["id", "digit", "name"]
    assert [row.split("\t")[0] for row in rows] == [str(i) for i in IDS] and all(row.count("\t") == 2 for row in rows)
    sprite = np.asarray(Image.open(tmp_path / "sprite.png"))
    assert sprite.shape == (18, 24, 3)
    for i in range(5):
        tile = sprite[i // 3 * 6 : i // 3 * 6 + 6, i % 3 * 8 : i % 3 * 8 + 8]
        np.testing.assert_array_equal(tile, round(i / 4 * 255 + 1e-9))
    config = (tmp_path / "projector_config.pbtxt").read_text(encoding="utf-8")
    assert [int(n) for n in re.findall(r"single_image_dim: (\d+)", config)] == [8, 6]
    assert {json.loads(name) for name in re.findall(r'_path: (".*")', config)} == {"vectors.tsv", "metadata.tsv", "sprite.png"}


def test_projector_metadata_of_ids_alone_has_no_header(tmp_path):
    write_projector(tmp_path, IDS, POSITIONS, {})
    assert (tmp_path / "metadata.tsv").read_text(encoding="utf-8").splitlines() == [str(i) for i in IDS]
    assert not (tmp_path / "sprite.png").exists()


def test_a_sprite_too_large_for_the_projector_is_shrunk(tmp_path):
    write_projector(tmp_path, range(10), np.zeros((10, 2)), {}, np.zeros((10, 1, 2100, 10), np.float32))
    assert max(Image.open(tmp_path / "sprite.png").size) <= 8192


def test_lengths_that_differ_are_refused(tmp_path):
    with pytest.raises(ValueError, match="5 ids but 4 rows of digit"):
        write_csv(tmp_path / "map.csv", IDS, POSITIONS, {"digit": [1, 2, 3, 4]})


def exported(path) -> dict:
    """The traces and the layout of an exported page."""
    text = path.read_text(encoding="utf-8").split("Plotly.newPlot(")[-1]
    decoder = json.JSONDecoder()
    traces, end = decoder.raw_decode(text, text.index("[{"))
    layout, _ = decoder.raw_decode(text, text.index("{", end))
    return {"traces": traces, "layout": layout}


def test_html_colours_an_ordered_factor_on_a_scale_around_its_neutral_value(tmp_path):
    elevation = np.repeat(np.linspace(-30.0, 30.0, 11), 3)
    write_html(tmp_path / "map.html", range(33), np.zeros((33, 2)), {"elevation": elevation}, title="faces-mumo: UMAP")
    found = exported(tmp_path / "map.html")
    (trace,) = found["traces"]
    marker = trace["marker"]
    assert (marker["cmin"], marker["cmax"]) == (-30, 30) and [colour for _, colour in marker["colorscale"]] == list(ON_DARK["around"])
    assert found["layout"]["title"]["text"] == "faces-mumo: UMAP"


def test_html_takes_the_colours_of_classes_in_their_order(tmp_path):
    hues = {"lost": "#f0883e", "kept": "#56d4c4"}
    write_html(tmp_path / "map.html", range(3), np.zeros((3, 2)), {"verdict": ["kept", "lost", "kept"]}, hues=hues)
    assert [(trace["name"], trace["marker"]["color"]) for trace in exported(tmp_path / "map.html")["traces"]] == list(hues.items())


def test_html_is_as_dark_around_the_map_as_behind_it(tmp_path):
    write_html(tmp_path / "map.html", IDS, POSITIONS, LABELS)
    ground = exported(tmp_path / "map.html")["layout"]["paper_bgcolor"]
    assert f"background: {ground}" in (tmp_path / "map.html").read_text(encoding="utf-8")[:400]
