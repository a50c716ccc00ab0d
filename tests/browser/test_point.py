"""A point as the page reads it: out of every picture that carries one, and out of no other."""

import base64
import io
import struct

import numpy as np
import pytest
from PIL import Image

from mmvae.pictures import png, write_gif
from mmvae.point import Point

READ = """async (files) => {
  const { pointInFile } = await import("/point.js");
  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return Promise.all(files.map(async (text) => (await pointInFile(new File([bytes(text)], "picture")))?.text ?? null));
}"""
PARSE = """async (texts) => {
  const { parsePoint } = await import("/point.js");
  return texts.map((text) => parsePoint(text) && [...parsePoint(text).code]);
}"""


@pytest.fixture
def script(alone):
    return alone


def read(script, files):
    return script.evaluate(READ, [base64.b64encode(file).decode() for file in files])


def points(count):
    """Points of 5 to 24 dimensions: the lengths of their texts leave every remainder."""
    draws = np.random.default_rng(0)
    return [Point("faces-mumo", "0123abcd", tuple(draws.normal(size=5 + i % 20).astype(np.float32).tolist()), i) for i in range(count)]


def test_every_saved_picture_brings_back_its_own_point(script):
    many = points(200)
    pixels = np.random.default_rng(1).integers(0, 255, (8, 8), np.uint8)
    assert read(script, [png(pixels, point) for point in many]) == [str(point) for point in many]


def test_every_animation_brings_back_its_own_point_a_long_one_too(script, tmp_path):
    many = [*points(20), Point("a" * 300, "0123abcd", (0.5,) * 40)]  # in pieces of 255 bytes
    frames = [np.full((8, 8), value, np.uint8) for value in (10, 200)]
    for point in many:
        write_gif(tmp_path / "way.gif", frames, 0.1, point)
        assert read(script, [(tmp_path / "way.gif").read_bytes()]) == [str(point)]


def test_a_picture_without_a_point_and_half_a_file_carry_none(script):
    whole, plain = png(np.zeros((8, 8), np.uint8), points(1)[0]), png(np.zeros((8, 8), np.uint8))
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(buffer, "JPEG")
    files = [b"", b"p1~", plain, buffer.getvalue(), buffer.getvalue() + str(points(1)[0]).encode(), whole[:30], whole[:70]]
    assert read(script, files) == [None] * len(files)


def test_a_code_that_is_damaged_or_not_finite_is_no_point(script):
    text = str(Point("m", "0123abcd", (0.5, -1.5)))
    start = text.rpartition("~")[0] + "~"
    texts = [text, text[:-1], text[:-2], text + "A", f"{text} and more", text.replace("~m~", "~%zz~")]
    for value in (float("nan"), float("inf")):
        texts.append(start + base64.urlsafe_b64encode(struct.pack("<2f", 0.5, value)).rstrip(b"=").decode())
    assert script.evaluate(PARSE, texts) == [[0.5, -1.5], *[None] * 7]
