"""Explorations are checked against decoding the same codes by hand."""

from __future__ import annotations

import math

import pytest
import torch

from mmvae.explore import code_of, encode, interpolate, path, plane, point_of, sample_codes, swap, traversal_figure, traverse
from mmvae.point import Point, PointError
from tests.tiny import tiny_images, tiny_model

STATISTICS = {
    "blocks": {
        "z_a": {"low": [-1.0, -2.0], "high": [1.0, 2.0], "min": [-1.5, -4.0], "max": [1.25, 2.5]},
        "z_shared": {"low": [0.0] * 4, "high": [0.5] * 4, "min": [-0.5] * 4, "max": [0.75] * 4},
        "z_b": {"low": [-3.0] * 3, "high": [-1.0] * 3, "min": [-5.0] * 3, "max": [-0.5] * 3},
    }
}


@pytest.fixture(scope="module")
def model():
    return tiny_model("dmvae")


@pytest.fixture(scope="module")
def code(model):
    return encode(model, tiny_images(1))


def test_a_traversal_decodes_the_code_with_one_value_replaced(model, code):
    images = traverse(model, code, "z_shared", 2, [-1.5, 0.25])
    by_hand = {name: part.clone() for name, part in code.items()}
    by_hand["z_shared"][0, 2] = 0.25
    for name, expected in model.decode(by_hand).items():
        torch.testing.assert_close(images[name][1:], expected)


def test_a_private_coordinate_leaves_the_other_modality_alone(model, code):
    images = traverse(model, code, "z_a", 0, [-3.0, 3.0])
    assert not torch.allclose(images["a"][0], images["a"][1])
    torch.testing.assert_close(images["b"][0], images["b"][1])


def test_a_traversal_leaves_the_code_it_was_given_as_it_was(model, code):
    before = {name: part.clone() for name, part in code.items()}
    traverse(model, code, "z_shared", 0, [9.0])
    assert all(torch.equal(code[name], before[name]) for name in code)


@pytest.mark.parametrize(("block", "dimension", "error"), [("z_a", 2, ValueError), ("z_a", -1, ValueError), ("z_c", 0, KeyError)])
def test_a_coordinate_that_does_not_exist_is_named(model, code, block, dimension, error):
    with pytest.raises(error, match=block):
        traverse(model, code, block, dimension, [0.0])


def test_the_traversal_figure_has_sixty_one_frames_from_minus_three_to_three_in_the_order_of_the_blocks(model, code):
    figure = traversal_figure(model, code)
    assert figure.columns == tuple(
        [("z_a", d) for d in range(2)] + [("z_shared", d) for d in range(4)] + [("z_b", d) for d in range(3)]
    )
    torch.testing.assert_close(figure.values[:, 5], torch.arange(-3, 3.05, 0.1))
    assert figure.images["b"].shape == (61, 9, 3, 32, 32)
    torch.testing.assert_close(figure.images["a"][40, 3], traverse(model, code, "z_shared", 1, [1.0])["a"][0])


def test_the_percentile_range_takes_each_dimensions_own_ends(model, code):
    figure = traversal_figure(model, code, STATISTICS, range="percentile", frames=5)
    assert figure.values[:, 1].tolist() == [-2.0, -1.0, 0.0, 1.0, 2.0]
    assert figure.values[[0, -1], 8].tolist() == [-3.0, -1.0]


def test_the_whole_range_goes_from_the_least_to_the_greatest_code(model, code):
    figure = traversal_figure(model, code, STATISTICS, range="min-max", frames=3)
    assert figure.values[:, 0].tolist() == [-1.5, -0.125, 1.25]
    assert figure.values[[0, -1], 3].tolist() == [-0.5, 0.75]


def test_a_plane_has_a_code_for_the_middle_of_every_part_of_two_ranges_highest_first(model, code):
    axes, values, codes = plane(model, code, 3, 8, STATISTICS, range="percentile", steps=4)
    assert axes == (("z_shared", 1), ("z_b", 2))
    assert values[0].tolist() == pytest.approx([0.0625, 0.1875, 0.3125, 0.4375]) and values[1].tolist() == pytest.approx([-2.75, -2.25, -1.75, -1.25])
    for place, (x, y) in {0: (0, 3), 3: (3, 3), 4: (0, 2), 15: (3, 0)}.items():
        assert codes["z_shared"][place, 1] == values[0, x] and codes["z_b"][place, 2] == values[1, y]
    assert (codes["z_a"] == code["z_a"]).all() and (codes["z_shared"][:, [0, 2, 3]] == code["z_shared"][:, [0, 2, 3]]).all()
    with pytest.raises(ValueError, match="coordinates 0 to 8, not 3 and 9"):
        plane(model, code, 3, 9)


def test_ranges_that_cannot_be_had_are_refused(model, code):
    with pytest.raises(ValueError, match="statistics"):
        traversal_figure(model, code, range="percentile")
    older = {"blocks": {name: {end: row[end] for end in ("low", "high")} for name, row in STATISTICS["blocks"].items()}}
    with pytest.raises(ValueError, match="min-max range needs statistics"):
        traversal_figure(model, code, older, range="min-max")
    with pytest.raises(ValueError, match="'wide' is none of fixed, percentile, min-max"):
        traversal_figure(model, code, range="wide")


def test_a_straight_path_is_even_and_ends_at_both_codes(model):
    start, end = sample_codes(model, 1, seed=1), sample_codes(model, 1, seed=2)
    codes = path(start, end, 5)
    for name in start:
        torch.testing.assert_close(codes[name][[0, -1]], torch.cat([start[name], end[name]]))
        torch.testing.assert_close(codes[name][1], 0.75 * start[name][0] + 0.25 * end[name][0])


def test_only_the_named_blocks_move(model):
    start, end = sample_codes(model, 1, seed=1), sample_codes(model, 1, seed=2)
    codes = path(start, end, 3, blocks=["z_shared"])
    torch.testing.assert_close(codes["z_shared"][-1:], end["z_shared"])
    assert torch.equal(codes["z_a"], start["z_a"].expand(3, -1))
    torch.testing.assert_close(interpolate(model, start, end, 3, blocks=["z_shared"])["a"], model.decode(codes)["a"])


def test_a_spherical_path_between_unit_codes_stays_on_the_sphere_at_equal_angles():
    start, end = {"z": torch.tensor([[1.0, 0.0]])}, {"z": torch.tensor([[-math.sin(0.3), math.cos(0.3)]])}
    z = path(start, end, 4, spherical=True)["z"]
    torch.testing.assert_close(z.norm(dim=1), torch.ones(4))
    torch.testing.assert_close((z[1:] * z[:-1]).sum(1), torch.full((3,), math.cos((math.pi / 2 + 0.3) / 3)))


@pytest.mark.parametrize("bend", [1e-2, 0.1, 0.5])
def test_a_spherical_path_is_nowhere_longer_than_its_ends_however_far_apart_these_point(bend):
    start, end = {"z": torch.tensor([[-0.02, 0.0]])}, {"z": torch.tensor([[math.cos(bend), math.sin(bend)]])}
    z = path(start, end, 9, spherical=True)["z"]
    torch.testing.assert_close(z.norm(dim=1), torch.linspace(0.02, 1, 9), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(z[[0, -1]], torch.cat([start["z"], end["z"]]), atol=1e-5, rtol=1e-4)


def test_a_spherical_path_from_the_origin_is_straight():
    z = path({"z": torch.zeros(1, 2)}, {"z": torch.tensor([[3.0, 4.0]])}, 3, spherical=True)["z"]
    torch.testing.assert_close(z[1], torch.tensor([1.5, 2.0]))


def test_a_spherical_path_between_parallel_codes_is_straight():
    z = path({"z": torch.tensor([[1.0, 1.0]])}, {"z": torch.tensor([[3.0, 3.0]])}, 3, spherical=True)["z"]
    torch.testing.assert_close(z[1], torch.tensor([2.0, 2.0]))


def test_swapping_takes_the_shared_code_of_the_row_and_the_private_codes_of_the_column(model):
    content, style = sample_codes(model, 2, seed=3), sample_codes(model, 3, seed=4)
    matrix = swap(model, content, style)
    mixed = {"z_a": style["z_a"][2:], "z_shared": content["z_shared"][1:], "z_b": style["z_b"][2:]}
    for name, expected in model.decode(mixed).items():
        torch.testing.assert_close(matrix[name][1, 2], expected[0])
    assert matrix["b"].shape == (2, 3, 3, 32, 32)


def test_a_model_without_private_blocks_has_nothing_to_swap():
    model = tiny_model("joint-poe")
    with pytest.raises(ValueError, match="no private blocks"):
        swap(model, sample_codes(model, 1), sample_codes(model, 1))


def test_a_seed_decides_the_codes_drawn(model):
    first, again, other = (sample_codes(model, 3, seed=seed) for seed in (5, 5, 6))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["z_shared"], other["z_shared"])


def test_a_point_brings_back_the_same_picture_to_the_bit(model, code):
    point = point_of("tiny", "00000000", model, code, item=7, observed=("a",))
    again = code_of(Point.parse(str(point)), model)
    assert all(torch.equal(model.decode(again)[name], picture) for name, picture in model.decode(code).items())


def test_a_point_of_another_models_size_is_refused(model):
    with pytest.raises(PointError, match="2 dimensions, the model 9"):
        code_of(Point("tiny", "00000000", (0.0, 1.0)), model)
