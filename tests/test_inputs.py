"""Pictures of every kind become what a model was trained on, or one clear line."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from mmvae.data import MNIST, SVHN
from mmvae.inputs import InputError, area_resize, drawn, look_at, prepare, read_input, read_picture
from mmvae.modalities import Modality

FACE = Modality("elevation", (1, 64, 64), "x_I", "elevation view")


def saved(picture: Image.Image, kind: str = "PNG", **options) -> io.BytesIO:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    buffer.seek(0)
    return buffer


def ramp(height: int = 48, width: int = 64) -> np.ndarray:
    """Bytes [H, W, 3] that no two corners share."""
    y, x = np.mgrid[:height, :width]
    return np.stack([255 * x / (width - 1), 255 * y / (height - 1), np.full((height, width), 90)], -1).round().astype(np.uint8)


def bar(ground: int, ink: int, height: int = 200, width: int = 160) -> np.ndarray:
    """A vertical bar, off the middle, as bytes [H, W]."""
    pixels = np.full((height, width), ground, np.uint8)
    pixels[40:140, 100:120] = ink
    return pixels


def test_an_area_resize_averages_what_each_pixel_covers():
    pixels = np.random.default_rng(0).random((6, 9, 2), np.float32)
    np.testing.assert_allclose(area_resize(pixels, 2, 3), pixels.reshape(2, 3, 3, 3, 2).mean((1, 3)), rtol=1e-5)
    # three pixels onto two: each new pixel is one and a half old ones
    row = np.array([[[0.0], [0.6], [1.0]]], np.float32)
    np.testing.assert_allclose(area_resize(row, 1, 2).ravel(), [0.2, (0.5 * 0.6 + 1) / 1.5], rtol=1e-5)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
@pytest.mark.parametrize("modality", [MNIST, SVHN, FACE], ids=lambda m: m.name)
def test_every_mode_becomes_the_modality_s_shape(mode, modality):
    grey = Image.fromarray(ramp()[..., 0])
    if mode in ("I;16", "I", "F"):
        picture = Image.fromarray((ramp()[..., 0].astype(np.float32) * 257).astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    else:
        picture = grey.convert(mode)
    prepared = read_input(saved(picture, "TIFF"), modality)
    assert prepared.image.shape == modality.shape and prepared.image.dtype == torch.float32
    assert 0 <= prepared.image.min() and prepared.image.max() <= 1
    assert prepared.image.std() > 0.1


def test_a_picture_of_the_right_size_is_not_touched():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    image = read_input(saved(Image.fromarray(pixels)), SVHN).image
    torch.testing.assert_close(image, torch.from_numpy(pixels).permute(2, 0, 1) / 255)


def test_sixteen_bits_keep_their_range():
    deep = Image.fromarray(np.array([[0, 65535], [32768, 16384]], np.uint16))
    pixels, notes = read_picture(saved(deep))
    np.testing.assert_allclose(pixels[..., 0], [[0, 1], [0.5, 0.25]], atol=1e-4)
    assert "16 bit" in notes


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "I;16", "I", "F"])
@pytest.mark.parametrize("size", [(640, 70), (70, 640), (300, 300)], ids=["panorama", "tower", "square"])
def test_large_pictures_shrink_before_they_are_floats_whatever_their_proportions_and_depth(mode, size, monkeypatch):
    monkeypatch.setattr("mmvae.inputs.WORKING_SIDE", 32)
    shade = np.linspace(0, 255, size[0], dtype=np.float32)[None].repeat(size[1], 0)
    if mode in ("I;16", "I", "F"):
        picture = Image.fromarray((shade * 257).astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    else:
        picture = Image.fromarray(shade.astype(np.uint8)).convert(mode)
    pixels, _ = read_picture(saved(picture, "TIFF"))
    height, width = pixels.shape[:2]
    assert height * width <= 4 * 32**2 and width / height == pytest.approx(size[0] / size[1], rel=0.15)
    assert pixels[0, 0, 0] < 0.05 and pixels[0, -1, 0] > 0.95


def test_values_that_are_not_finite_are_refused_in_a_large_picture_too(monkeypatch):
    monkeypatch.setattr("mmvae.inputs.WORKING_SIDE", 16)
    values = np.ones((64, 64), np.float32)
    values[5, 5] = np.nan
    with pytest.raises(InputError, match="not finite"):
        read_picture(saved(Image.fromarray(values), "TIFF"))


def test_transparency_is_laid_on_the_ground_that_shows_the_ink():
    for ink, ground in ((0, 1.0), (255, 0.0)):
        pixels = np.zeros((20, 20, 4), np.uint8)
        pixels[5:15, 5:15] = (ink, ink, ink, 255)
        array, notes = read_picture(saved(Image.fromarray(pixels)))
        assert array[0, 0, 0] == ground and array[10, 10, 0] == ink / 255
        assert f"transparent: laid on {'white' if ground else 'black'}" in notes


def test_a_palette_with_transparency_works():
    picture = Image.fromarray(ramp()).quantize(8)
    pixels, notes = read_picture(saved(picture, transparency=int(np.asarray(picture)[0, 0])))
    assert pixels.shape == (48, 64, 3) and any("transparent" in note for note in notes)


def test_a_photo_is_turned_as_its_exif_says():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees clockwise to see it right
    pixels, notes = read_picture(saved(Image.fromarray(ramp()), "TIFF", exif=exif))
    np.testing.assert_allclose(pixels, np.rot90(ramp(), -1) / 255, atol=1e-6)
    assert "turned upright" in notes


def test_a_look_tells_the_size_that_a_picture_has_once_it_stands_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.fromarray(ramp())
    assert look_at(saved(picture)) == ("RGB", (64, 48))
    for kind in ("PNG", "JPEG", "TIFF"):
        assert look_at(saved(picture.convert("L"), kind, exif=exif)) == ("L", (48, 64))
    with pytest.raises(InputError, match="not a picture this program can read"):
        look_at(io.BytesIO(b"hello"))


def test_of_an_animation_the_first_frame_is_taken():
    frames = [Image.fromarray(np.full((16, 16), value, np.uint8)) for value in (200, 20, 60)]
    pixels, notes = read_picture(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert pixels.shape[:2] == (16, 16) and np.allclose(pixels, 200 / 255, atol=0.01)
    assert "first frame" in notes


def test_a_wide_photo_keeps_its_middle_square():
    wide = np.zeros((64, 192, 3), np.uint8)
    wide[:, 64:128] = 255
    prepared = read_input(saved(Image.fromarray(wide)), FACE)
    assert prepared.image.min() > 0.999 and "middle square" in prepared.notes


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("header", ["PNG", "BMP"])
def test_a_hundred_megapixels_are_refused_before_they_are_unpacked(header):
    side = 10_000
    if header == "PNG":
        def chunk(kind: bytes, content: bytes) -> bytes:
            return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")
    else:
        content = saved(Image.new("RGB", (2, 2)), "BMP").getvalue()
        content = content[:18] + struct.pack("<ii", side, side) + content[26:]
    with pytest.raises(InputError, match="10000×10000 pixels are 100 megapixels") as caught:
        read_picture(io.BytesIO(content))
    assert "\n" not in str(caught.value)


def test_a_bomb_beyond_any_camera_is_refused_too():
    content = saved(Image.new("RGB", (2, 2)), "BMP").getvalue()
    with pytest.raises(InputError, match="make it smaller"):
        read_picture(io.BytesIO(content[:18] + struct.pack("<ii", 60_000, 60_000) + content[26:]))


whole = saved(Image.fromarray(ramp())).getvalue()


@pytest.mark.parametrize("content", [b"", b"hello", whole[:60], whole[:-40], whole[:100] + b"\0" * 60 + whole[160:], b"%!PS-Adobe-3.0 EPSF-3.0\n",
                                     saved(Image.fromarray(ramp()), "JPEG").getvalue()[:300]],
                         ids=["empty", "text", "head", "cut", "overwritten", "postscript", "jpeg"])
def test_a_corrupt_file_gets_one_clear_line(content):
    with pytest.raises(InputError, match="not a picture this program can read") as caught:
        read_picture(io.BytesIO(content))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ground, ink", [(0, 255), (255, 0), (190, 40), (30, 200)], ids=["bright", "dark", "pencil", "chalk"])
def test_a_digit_is_laid_out_as_mnist_is(ground, ink):
    prepared = prepare(bar(ground, ink)[..., None].astype(np.float32) / 255, MNIST)
    digit = prepared.image[0]
    rows, columns = (np.flatnonzero((digit > 0.5).any(axis)) for axis in (1, 0))
    assert rows[-1] - rows[0] + 1 == 20 and columns[-1] - columns[0] + 1 == 4  # a bar of 100 by 20
    mass = digit / digit.sum()
    centre = [float((mass.sum(1 - axis) * (torch.arange(28) + 0.5)).sum()) for axis in (0, 1)]
    assert centre == pytest.approx([14, 14], abs=0.5)
    assert digit.max() == 1 and digit[0].max() == 0
    assert ("dark on light: inverted" in prepared.notes) == (ground > ink)


def test_a_digit_that_is_laid_out_already_is_not_touched():
    digit = np.zeros((28, 28, 1), np.float32)
    digit[6:20, 3:5] = 0.8  # neither in the middle nor 20 pixels long
    prepared = prepare(digit, MNIST)
    torch.testing.assert_close(prepared.image, torch.from_numpy(digit).permute(2, 0, 1))


def test_in_colour_there_is_no_handwriting_to_lay_out():
    colour = Modality("mnist", (3, 28, 28), "x_1", "inks")
    prepared = prepare(ramp(28, 28).astype(np.float32) / 255, colour)
    torch.testing.assert_close(prepared.image, torch.from_numpy(ramp(28, 28)).permute(2, 0, 1) / 255)


def test_an_empty_sheet_is_no_digit():
    for value in (0.0, 0.6, 1.0):
        with pytest.raises(InputError, match="no digit"):
            prepare(np.full((50, 50, 1), value, np.float32), MNIST)


def test_colour_becomes_grey_by_its_brightness():
    red = np.zeros((64, 64, 3), np.float32)
    red[..., 0] = 1
    prepared = prepare(red, FACE)
    assert prepared.image.mean() == pytest.approx(0.299, abs=1e-3) and "colour to grey" in prepared.notes


def test_strokes_are_drawn_where_they_are():
    pixels = drawn("2080e080", side=256)[..., 0]
    lit = np.argwhere(pixels > 0.5)
    (top, left), (bottom, right) = lit.min(0), lit.max(0)
    pen = 0.085 * 256 / 2
    assert left == pytest.approx(0x20 - pen, abs=2) and right == pytest.approx(0xE0 + pen, abs=2)
    assert top == pytest.approx(0x80 - pen, abs=2) and bottom == pytest.approx(0x80 + pen, abs=2)
    assert (drawn("2080e080.80208060") > 0.5).sum() > (drawn("2080e080") > 0.5).sum()
    assert (drawn("8080") > 0.5).any()  # a dot


@pytest.mark.parametrize("text", ["", "20", "2080e08", "zz80", "2080..2080", "20" * 4000], ids=["empty", "half", "odd", "letters", "gap", "endless"])
def test_what_is_no_drawing_is_refused(text):
    with pytest.raises(InputError, match="not a drawing"):
        drawn(text)
