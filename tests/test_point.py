"""A point's text brings back the same code, and a text that is no point is refused in one line."""

import base64
import itertools
import struct

import pytest

from mmvae.point import Point, PointError


def float32(*values: float) -> tuple[float, ...]:
    return struct.unpack(f"<{len(values)}f", struct.pack(f"<{len(values)}f", *values))


def code(*values: float) -> str:
    return base64.urlsafe_b64encode(struct.pack(f"<{len(values)}f", *values)).decode().rstrip("=")


@pytest.mark.parametrize("point", [
    Point("faces-mumo", "0123abcd", float32(0.5, -1.25)),
    Point("faces-mumo", "0123abcd", float32(0.1, -3e-39, 3.4e38, 1 / 3), item=0, observed=("elevation",), seed=0),
    Point("mnist-svhn-dmvae", "ffffffff", float32(*[i / 7 for i in range(40)]), item=2**53 + 1, observed=("mnist", "svhn"), seed=2**40),
    Point("a.run_2", "00000000", float32(-0.0)),
    Point("ein Lauf ~ 100 % für #1", "0123abcd", float32(1.0), observed=("left+right", "ü~"))])
def test_a_point_s_text_brings_back_the_same_point(point):
    assert Point.parse(str(point)) == point
    assert Point.parse(f"  {point}\n") == point


def test_a_text_needs_no_escaping_in_an_address():
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+")
    assert set(str(Point("faces-mumo", "0123abcd", float32(*range(-20, 20)), 7, ("elevation", "lighting"), 3))) <= allowed


def test_the_documented_text_is_the_one_written():
    assert str(Point("faces-mumo", "0123abcd", (0.5, -1.25), item=8123, observed=("elevation",))) == "p1~faces-mumo~0123abcd~8123~elevation~~AAAAPwAAoL8"


GOOD = ["p1", "faces-mumo", "0123abcd", "8123", "elevation", "4", code(0.5, -1.25)]
BAD = {0: ["", "p2", "P1"], 1: ["", "..", ".hidden", "../../etc", "a/b", "a%2Fb", "%2e%2e%2fetc", "%2e%2e", "a%5Cb", "a%00b", "a%0Ab", "a b", "<b>"],
       2: ["", "0123ABCD", "0123abc", "<script>", "0123abcd0"], 3: ["-1", "1e3", "1_000", "٣", " 5", "9" * 19, "0x10", "nan"],
       4: ["+", "elevation+", "a b", "<img>", "x%2Fy"], 5: ["-4", "four", "1.0", "9" * 5000],
       6: [code(float("nan")), code(0.5, float("inf")), "AAAA*", "AAAA", "é", "A", "AAAAPwAAoL8\x00"]}


def test_the_good_fields_are_a_point():
    assert Point.parse("~".join(GOOD)) == Point("faces-mumo", "0123abcd", (0.5, -1.25), 8123, ("elevation",), 4)


@pytest.mark.parametrize(("at", "value"), [(at, value) for at, values in BAD.items() for value in values])
def test_a_spoiled_field_is_refused_in_one_line(at, value):
    with pytest.raises(PointError) as caught:
        Point.parse("~".join(GOOD[:at] + [value] + GOOD[at + 1:]))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("text", ["", "~", "~~~~~~", "p1", "p1~a", "~".join([*GOOD, "more"]), "~".join(GOOD[:-1]), "p1~" * 100_000, "\x00", "javascript:alert(1)", "💥"])
def test_a_text_that_is_no_point_is_refused_in_one_line(text):
    with pytest.raises(PointError) as caught:
        Point.parse(text)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_every_truncation_of_a_text_is_refused_or_another_whole_code():
    text = "~".join(GOOD)
    outcomes = set()
    for end in range(len(text)):
        try:
            outcomes.add(len(Point.parse(text[:end]).z))
        except PointError:
            outcomes.add("refused")
    assert outcomes <= {"refused", 0, 1}  # never two dimensions again: the model notices by their number


def test_a_code_is_split_into_the_model_s_blocks():
    point = Point("m", "0" * 8, (1.0, 2.0, 3.0, 4.0))
    assert point.blocks({"z_a": 1, "z_shared": 2, "z_b": 1}) == {"z_a": (1.0,), "z_shared": (2.0, 3.0), "z_b": (4.0,)}
    for sizes in itertools.chain([{}, {"z_shared": 3}, {"z_shared": 5}]):
        with pytest.raises(PointError, match=f"has 4 dimensions, the model {sum(sizes.values())}"):
            point.blocks(sizes)
