"""Pictures are read back from the files they were written to."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageFont

from mmvae import pictures
from mmvae.explore import TraversalFigure
from mmvae.modalities import Modality
from mmvae.palettes import BLOCKS
from mmvae.pictures import Caption, as_bytes, plane_sheet, png, read_point, sheet, traversal_frames, traversal_strip, way_frames, way_strip, write_gif, write_png
from mmvae.point import Point, PointError

POINT = Point("faces-mumo", "0123abcd", (0.5, -1.25), item=8123, observed=("elevation",))


def flat(value: float, channels: int = 1, side: int = 4) -> torch.Tensor:
    return torch.full((channels, side, side), value)


def test_pixels_are_rounded_and_grey_becomes_three_equal_channels():
    pixels = as_bytes(torch.tensor([0.0, 0.5, 1.0, 1.2]).reshape(4, 1, 1, 1))
    assert pixels[:, 0, 0].tolist() == [[0, 0, 0], [128, 128, 128], [255, 255, 255], [255, 255, 255]]


def test_a_sheet_puts_every_image_into_its_row_and_column_and_leaves_gaps():
    pixels = sheet([[flat(0.0), flat(0.4)], [None, flat(0.8, channels=3)]], scale=2, gap=1, background=7)
    assert pixels.shape == (19, 19, 3)
    assert [pixels[r, c, 0] for r, c in ((5, 5), (5, 14), (14, 5), (14, 14), (0, 0), (9, 9))] == [0, 102, 7, 204, 7, 7]


def test_enlarging_repeats_pixels():
    image = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
    assert sheet([[image]], scale=3, gap=0)[..., 0].tolist() == np.kron([[0, 255], [255, 0]], np.ones((3, 3))).tolist()


def test_a_smaller_image_stands_in_the_middle_of_its_place_with_its_border_continued():
    small = torch.zeros(1, 2, 2)
    small[0, 0, 0] = 1.0
    pixels = sheet([[flat(0.5, side=5), small]], scale=1, gap=0)[:, 5:, 0]  # twice as large is 4 of 5 pixels
    assert pixels.tolist() == [[255, 255, 0, 0, 0]] * 2 + [[0] * 5] * 3


def test_a_sheet_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one image"):
        sheet([[None]])


MODALITIES = (Modality("a", (1, 4, 4), "x_I", "first view", network="conv28"), Modality("b", (3, 4, 4), "x", "second view", network="conv28"))
TRUTH = {"a": flat(0.9), "b": flat(0.1, channels=3)}


def figure_of(ends: tuple[float, ...], frames: int = 5, span: str = "percentile") -> TraversalFigure:
    """A figure of as many columns as there are ends: private, shared, private."""
    values = torch.stack([torch.linspace(-end, end, frames) for end in ends], 1)
    images = {name: torch.rand(frames, len(ends), *image.shape) for name, image in TRUTH.items()}
    return TraversalFigure((("z_a", 0), ("z_shared", 0), ("z_b", 11))[: len(ends)], values, images, MODALITIES, span)


@pytest.fixture
def noted(monkeypatch) -> dict:
    """What the sheet that is drawn last was asked for, and what was written on pictures, in the order of writing."""
    asked: dict = {"written": []}

    def sheet_(rows, **options):
        asked.update(options, rows=rows)
        return sheet(rows, **options)

    def write(caption, *arguments):
        asked["written"].append(said(caption))
        write_caption(caption, *arguments)

    write_caption = Caption.write
    monkeypatch.setattr(pictures, "sheet", sheet_)
    monkeypatch.setattr(Caption, "write", write)
    return asked


def said(caption: str | Caption) -> str:
    return caption if isinstance(caption, str) else f"{caption.text}{caption.index and '_'}{caption.index}{caption.rest}"


@pytest.mark.parametrize(("ends", "names"), [
    ((3.0, 3.0, 3.0), ["-3", "-1.5", "0", "+1.5", "+3"]),
    ((3.0, 2.0, 1.0), ["0 %", "25 %", "50 %", "75 %", "100 %"]),
])
def test_a_printed_traversal_has_every_value_of_both_modalities_and_names_it(noted, ends, names):
    figure = figure_of(ends)
    drawn = traversal_strip(figure, TRUTH, "some model · pair 7")
    assert noted["left"] == names * 2 and {row: said(caption) for row, caption in noted["bands"].items()} == {0: "x_I  first view", 5: "x_b  second view"}
    assert [said(caption) for caption in noted["top"]] == ["pair", "z_I 1", "z_S 1", "z_b 12"]
    assert [caption.ink for caption in noted["top"][1:]] == list(BLOCKS["light"])
    foot = " ".join(noted["written"][-2:])
    assert "some model · pair 7" in foot and "range 1-99 %" in foot
    for i, row in enumerate(noted["rows"]):
        modality, frame = "ab"[i // 5], i % 5
        assert all(torch.equal(shown, expected) for shown, expected in zip(row[1:], figure.images[modality][frame], strict=True))
        assert row[0] is (None if frame else TRUTH[modality])
    assert drawn.shape[0] > 10 * 4 * noted["scale"]


def test_a_plane_names_both_coordinates_and_what_they_are_set_to(noted):
    images = torch.rand(9, 1, 28, 28)
    drawn = plane_sheet(images, (("z_a", 1), ("z_shared", 0)), torch.tensor([[-2.0, 0.0, 2.0], [-1.0, 0.5, 2.0]]), MODALITIES, "percentile", "some model")
    assert [said(caption) for caption in noted["top"]] == ["-2.00", "z_I 2: +0.00", "+2.00"]
    assert [said(caption) for caption in noted["left"]] == ["+2.00", "z_S 1: +0.50", "-1.00"]
    assert torch.equal(noted["rows"][0][2], images[2]) and torch.equal(noted["rows"][2][0], images[6])
    assert noted["written"][-1] == "some model · range 1-99 %" and drawn.shape[1] > 3 * 96


def test_an_animated_traversal_says_in_each_frame_where_it_is(noted):
    frames = traversal_frames(figure_of((3.0, 3.0), frames=3, span="fixed"), TRUTH, "some model · pair 7")
    written = "|".join(noted["written"])
    assert [said(caption) for caption in noted["left"]] == ["x_I", "x_b"]
    assert [at for at in ("-3", "0", "+3") if f"|{at}|some model · pair 7 · range -3 to 3" in written] == ["-3", "0", "+3"]
    knobs = [np.flatnonzero((frame[-60:] == 0x46).all(-1).sum(0) > 6).mean() for frame in frames]
    assert frames[0].shape == frames[2].shape and knobs[0] < knobs[1] < knobs[2]


def test_a_way_names_its_ends_and_its_modalities(noted):
    images = {name: torch.rand(3, *image.shape) for name, image in TRUTH.items()}
    way_strip(images, MODALITIES, "some model")
    assert noted["written"][:5] == ["A", "", "B", "x_I", "x_b"] and " ".join(noted["written"][5:]) == "some model"
    noted["written"].clear()
    frames = way_frames(images, MODALITIES)
    assert len(frames) == 4 and [text for text in noted["written"] if text[0] != "x"] == ["A", "50 %", "B"]
    assert all((a == b).all() for a, b in zip(frames[1:2], frames[3:], strict=True))


def test_a_long_foot_is_parted_and_what_the_font_lacks_is_written_otherwise():
    font = ImageFont.load_default(12)
    text = "a model of a rather long name · MNIST–SVHN · pair 7"
    lines = pictures._wrapped(text, font, 120)
    assert " ".join(lines).replace(" · ", " ") == text.replace(" · ", " ") and all(font.getlength(line) <= 120 for line in lines)
    assert pictures._legible("MNIST–SVHN −1 é 模 90° · …") == "MNIST-SVHN -1 e ? 90° · ..."


def test_a_grey_animation_keeps_its_greys_beside_coloured_captions(tmp_path):
    ramp = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, 2)
    head = np.full((1, 16, 3), 255, np.uint8)
    head[0, 3] = 31, 111, 235
    frames = [np.concatenate([head, ramp]), np.concatenate([head, ramp[::-1]]), np.concatenate([head[:, ::-1], ramp])]
    write_gif(tmp_path / "a.gif", frames)
    with Image.open(tmp_path / "a.gif") as gif:
        for i, frame in enumerate(frames):
            gif.seek(i)
            assert np.abs(np.asarray(gif.convert("RGB")).astype(int) - frame).max() <= 1


def test_a_png_brings_back_its_pixels_and_its_point(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 9, 3), np.uint8)
    write_png(tmp_path / "a.png", pixels, POINT)
    assert read_point(tmp_path / "a.png") == POINT
    assert (np.asarray(Image.open(tmp_path / "a.png")) == pixels).all()


def test_the_same_picture_is_the_same_file():
    pixels = sheet([[flat(0.3)]])
    assert png(pixels, POINT) == png(pixels.copy(), Point.parse(str(POINT)))


@pytest.mark.parametrize("content", [b"", b"not a picture", png(sheet([[flat(0.3)]]))[:40]])
def test_what_is_no_picture_carries_no_point(content):
    with pytest.raises(PointError, match="not a PNG"):
        read_point(io.BytesIO(content))


def test_a_picture_without_a_point_says_so():
    with pytest.raises(PointError, match="carries no point"):
        read_point(io.BytesIO(png(sheet([[flat(0.3)]]))))


def test_a_grey_animation_keeps_every_grey_its_timing_and_its_point(tmp_path):
    ramp = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, 2)
    frames = [ramp, ramp[::-1], ramp[:, ::-1]]
    write_gif(tmp_path / "a.gif", frames, seconds=0.1, point=POINT)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 3 and gif.info["loop"] == 0
        assert gif.info["comment"].decode() == str(POINT)
        for i, frame in enumerate(frames):
            gif.seek(i)
            assert gif.info["duration"] == 100
            assert (np.asarray(gif.convert("RGB")) == frame).all()


def test_frames_in_colour_stay_close_to_their_colours(tmp_path):
    y, x = np.mgrid[0:32, 0:32]
    frames = [np.stack([8 * x, 8 * y, np.full_like(x, 80 * i)], -1).astype(np.uint8) for i in range(3)]
    write_gif(tmp_path / "a.gif", frames)
    with Image.open(tmp_path / "a.gif") as gif:
        for i, frame in enumerate(frames):
            gif.seek(i)
            assert np.abs(np.asarray(gif.convert("RGB")).astype(int) - frame).mean() < 6


def test_an_animation_of_nothing_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="at least one frame"):
        write_gif(tmp_path / "a.gif", [])
    assert not list(tmp_path.iterdir())
