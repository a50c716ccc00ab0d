"""Translations are checked against drawing the same codes by hand, and their verdicts against readers that cannot err."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmvae.data.base import Factor, PairedDataset
from mmvae.explore import encode, swap
from mmvae.latents import partition
from mmvae.metrics.coherence import preserved
from mmvae.model import MultimodalVAE
from mmvae.pictures import Caption, sheet
from mmvae.readers import Reading, Readers
from mmvae.translation import (
    check, expected, heat, hits, joined, judged, label_of, restyled, rows, swap_about, swap_sheet, swapped, translate, translation_about, translation_sheet, wilson)
from mmvae.variants import VARIANTS as VARIANT_ROWS
from tests.tiny import A, B, tiny_images, tiny_model

VARIANTS = ["dmvae", "joint-poe", "mmvae", "mopoe", "mumo"]
GLOW = Factor("glow", "ordered", (0.0, 0.25, 0.5, 0.75, 1.0))
OWN = Factor("own", "ordered", (0.0, 0.5, 1.0), owner="a", neutral=0.5)
OTHER = Factor("other", "ordered", (0.0, 0.5, 1.0), owner="b", neutral=0.5)


class Glow(PairedDataset):
    """The labels are what the reader below would say of the second picture."""

    name, title, modalities, factors = "glow", "Glow", (A, B), (GLOW, OWN, OTHER)

    def split(self, name):
        return torch.arange(40)

    def items(self, ids):
        x = tiny_images(40)
        glow = x["b"].mean((1, 2, 3))
        return {name: each[ids] for name, each in x.items()}, {"glow": glow[ids], "own": torch.zeros(len(ids)), "other": torch.ones(len(ids))}


class Brightness:
    """Reads the mean brightness, whatever it is asked for."""

    def read(self, images):
        return {f.name: Reading(images.mean((1, 2, 3))) for f in Glow.factors}


READERS = Readers("glow", {"a": Brightness(), "b": Brightness()}, {"b": {"glow": {"error": 0.0, "within_step": 1.0}}})


@pytest.mark.parametrize("variant", VARIANTS)
def test_samples_are_those_of_the_model_for_each_input_alone(variant):
    model, images = tiny_model(variant), tiny_images(3)
    found = translate(model, model.posterior({"a": images["a"]}), "b", samples=4, seed=5)
    assert found.samples.shape == (3, 4, 3, 32, 32)
    for i in range(3):
        torch.testing.assert_close(found.samples[i], model.translate({"a": images["a"][i:i + 1]}, "b", 4, seed=5)[0])
        code = {name: part[i] for name, part in found.codes.items()}
        torch.testing.assert_close(model.decode(code)["b"], found.samples[i])


def test_all_inputs_and_all_variants_get_the_same_private_codes():
    codes = [translate(m, m.posterior({"a": tiny_images(2)["a"]}), "b", 3, seed=1).codes["z_b"] for m in map(tiny_model, ("dmvae", "mmpoe-v2", "mumo"))]
    for code in codes:
        torch.testing.assert_close(code[0], code[1])
        torch.testing.assert_close(code, codes[0])
    assert codes[0][0].std(0).min() > 0.05


@pytest.mark.parametrize("sizes", [((1, 7, 1), (2, 5, 2)), ((3, 4, 20), (3, 4, 70))])
def test_private_codes_agree_in_the_dimensions_that_both_models_have(sizes):
    models = [MultimodalVAE(VARIANT_ROWS["dmvae"], (A, B), partition(("a", "b"), private=(first, last), shared=shared))
              for first, shared, last in sizes]
    small, large = (translate(m, m.posterior({"a": tiny_images(2)["a"]}), "b", 17, seed=3).codes["z_b"] for m in models)
    torch.testing.assert_close(small, large[..., :small.shape[-1]])
    few = translate(models[0], models[0].posterior({"a": tiny_images(1)["a"]}), "b", 4, seed=3).codes["z_b"]
    torch.testing.assert_close(few[0], small[0, :4])  # more samples do not change the first ones


def test_the_check_gives_each_item_noise_of_its_own():
    model, seen = tiny_model("dmvae"), []
    same = Glow()
    same.items = lambda ids: ({name: x[:1].expand(len(ids), -1, -1, -1) for name, x in tiny_images(1).items()}, Glow().items(ids)[1])

    class Recording(Brightness):
        def read(self, images):
            seen.append(images)
            return super().read(images)

    check(model, same, Readers("glow", {"a": Brightness(), "b": Recording()}, {}), "b", torch.arange(34), samples=2)
    first = torch.cat([pictures.unflatten(0, (-1, 2)) for pictures in seen])[:, 0]
    assert len(first.flatten(1).unique(dim=0)) == 34  # of one and the same image


@torch.inference_mode()
def test_mean_and_spread_are_those_of_the_pictures():
    model = tiny_model("dmvae")
    posterior = model.posterior({"a": tiny_images(2)["a"]})
    found = translate(model, posterior, "b", 5)
    torch.testing.assert_close(found.mean, model.decode({name: q.mean for name, q in posterior.items()})["b"])
    by_hand = np.sqrt(np.square(found.samples.numpy() - found.samples.numpy().mean(1, keepdims=True)).mean((1, 2)))
    np.testing.assert_allclose(found.stddev.numpy(), by_hand, atol=1e-5)


@torch.inference_mode()
def test_a_style_from_another_image_is_its_private_code():
    model, images = tiny_model("dmvae"), tiny_images(5)
    content, style = [model.posterior({"a": x[None]}) for x in images["a"][:2]], [model.posterior({"b": x[None]}) for x in images["b"][2:]]
    found = restyled(model, content, style, "b")
    torch.testing.assert_close(found.samples, swap(model, encode(model, {"a": images["a"][:2]}), encode(model, {"b": images["b"][2:]}))["b"])
    torch.testing.assert_close(found.codes["z_b"][1, 2], style[2]["z_b"].mean[0])
    torch.testing.assert_close(found.mean[1:], model.decode({name: q.mean for name, q in content[1].items()})["b"])
    with pytest.raises(ValueError, match="no private code of b"):
        restyled(tiny_model("wg-v2"), content, style, "b")


@torch.inference_mode()
def test_a_swap_joins_the_shared_code_of_each_row_with_the_private_codes_of_each_column():
    model, images = tiny_model("dmvae"), tiny_images(5)
    content = [model.posterior({"a": x[None]}) for x in images["a"][:2]]
    given = [{"a": images["a"][2], "b": images["b"][2]}, {"b": images["b"][3]}]
    style = [model.posterior({name: x[None] for name, x in each.items()}) for each in given]
    found = swapped(model, content, style, given)
    code = found.code(model, 1, 0)
    torch.testing.assert_close(code["z_shared"], content[1]["z_shared"].mean[0])
    torch.testing.assert_close(code["z_a"], style[0]["z_a"].mean[0])
    for name, picture in model.decode({block: part[None] for block, part in code.items()}).items():
        torch.testing.assert_close(found.pictures[name][1, 0], picture[0])
    assert torch.equal(found.heads["a"][0], images["a"][2])
    torch.testing.assert_close(found.heads["a"][1], model.decode({name: belief.mean for name, belief in style[1].items()})["a"][0])
    bare = 2 * (2 + 3 * 58 + 8 + 2 + 3 * 66 + 8), 2 + 3 * 66
    drawn = swap_sheet(list(images["a"][:2]), [found, found], ["one", "two"], ["glow 1", "glow 2"], {"a": ["own 1", "own 2"], "b": ["other 1", "other 2"]})
    assert drawn.shape[0] > bare[0] and drawn.shape[1] > bare[1]
    one, two = np.split(drawn, 2)
    assert (one != two).any() and (one[:, -3 * 66:] == two[:, -3 * 66:]).all()  # they differ in the model's name beside the styles alone
    of = swap_about(["DMVAE (one)", "DMVAE (two)"], "a")
    told = swap_sheet(list(images["a"][:2]), [found, found], ["one", "two"], ["glow 1", "glow 2"], {"a": ["own 1", "own 2"], "b": ["other 1", "other 2"]}, of)
    assert of == "DMVAE (one), DMVAE (two) · shared codes of the a images alone, private codes of the styles"
    assert told.shape[0] > drawn.shape[0] and (told[:len(drawn) - 8, :drawn.shape[1]] == drawn[:-8]).all() and (told[len(drawn) - 8:-8] < 128).any()
    corner = drawn[-3 * 66 - 10:-2 * 66 - 10, -3 * 66:-2 * 66]
    assert (corner < 128).any()  # says which way is which
    with pytest.raises(ValueError, match="no private blocks"):
        swapped(tiny_model("joint-poe"), content, style, given)


def test_heat_goes_from_dark_to_bright_and_no_further():
    colours = heat(torch.tensor([[0.0, 0.5, 1.0, 9.0]]), 1.0)
    assert colours.shape == (3, 1, 4)
    brightness = colours.mean(0)[0]
    assert brightness[0] < brightness[1] < brightness[2] == brightness[3]
    torch.testing.assert_close(colours[:, 0, 0], torch.tensor([0x44, 0x01, 0x54]) / 255)


def test_a_label_in_a_picture_is_what_is_known_of_its_image_or_its_name():
    labels = {"glow": 0.25, "own": -0.5}
    assert label_of(Glow.factors, labels, None, "x") == "glow 0.25" and label_of(Glow.factors, labels, "a", "x") == "own −0.5"
    assert label_of(Glow.factors, labels, "b", "item 7") == "item 7" and label_of((), {}, None, "holiday at sea.png") == "holiday at.."


@pytest.mark.parametrize("styles", [0, 3])
def test_the_picture_of_a_translation_says_what_its_rows_and_columns_are(styles):
    images = tiny_images(2)["a"]
    found = [translate(tiny_model("dmvae"), tiny_model("dmvae").posterior({"a": images}), "b", 3)]
    above = list(tiny_images(3)["b"][:styles])
    bare = sheet(rows(list(images), found, above))
    drawn, other = (translation_sheet(list(images), found * 2, [name, "x"], "b", ["glow 1", "glow 2"], above, ["other 1"] * styles) for name in ("one", "two"))
    assert drawn.shape[0] > bare.shape[0] and drawn.shape[1] > bare.shape[1] and not np.array_equal(drawn, other)


def said_on(sheet_of, monkeypatch) -> list[str]:
    """The captions that are written on a picture while it is made; a right one ends in a tick, a wrong one in a cross."""
    said, write = [], Caption.write
    monkeypatch.setattr(Caption, "write", lambda self, *given: said.append(self.text + {None: "", True: "✓", False: "✗"}[self.right]) or write(self, *given))
    sheet_of()
    return said


@pytest.mark.parametrize("styled", [False, True])
def test_the_picture_of_a_translation_carries_its_readings_its_scale_and_what_it_is_of(styled, monkeypatch):
    images = tiny_images(3)
    model = tiny_model("dmvae")
    inputs, styles = list(images["a"][:2]), list(images["b"]) if styled else []
    found = translate(model, model.posterior({"a": images["a"][:2]}), "b", 3)
    seen = {"glow": np.array([[0.5, 0.6, 1.0]] * 2), "own": np.zeros((2, 3)), "other": np.array([[1.0, 0.0, 0.0]] * 2)}
    readings = judged(seen, Glow.factors, "b", [{"glow": 0.5, "own": 0.0}, {}], [{"other": value} for value in (1.0, 0.5, 1.0)] if styled else [])
    of = translation_about(["DMVAE (one)"], "a", "b", 3, None if styled else 7)
    said = said_on(lambda: translation_sheet(inputs, [found], ["one"], "b", ["glow 0.5", "mine.png"], styles, ["other 1"] * len(styles), [readings], of), monkeypatch)
    below = [text for text in said if text.endswith(("✓", "✗"))]
    wanted = [["0.5✓", "0.6✓", "1✗"], ["1✓", "0✓", "0✗"]]  # within one step of the grid
    assert below == ([*sum(zip(*wanted), ()), *wanted[1]] if styled else wanted[0])
    assert said.count("glow 2/3") == 1 and said.count("other 2/3") == 2 * styled
    assert {"kept,", "arrived", "other 1"} <= set(said) if styled else {"kept", "sample 1", "sample 3"} <= set(said)
    foot = " ".join(said)
    assert "DMVAE (one)" in foot and "a to b" in foot and f"dark 0, bright {float(found.stddev.max()):.2f}" in foot
    assert ("the private codes of 3 b images" in foot) == styled == ("seed 7" not in foot) and f"below: glow{', other' * styled}, as read" in foot


def test_what_is_too_long_for_its_picture_is_written_smaller():
    picture = torch.zeros(1, 32, 32)
    heads = sheet([[picture, picture]], scale=4, top=["a mouth that is wide open"] * 2)
    assert (heads[:30] < 255).any() and (heads[:30, 130:132] == 255).all()  # they do not touch
    short, long = (sheet([[picture]], scale=4, below={0: [[[Caption(text, right=True)]]]}) for text in ("7", "a mouth that is wide open"))
    assert short.shape[1] == long.shape[1] == 132 and 132 < long.shape[0] < short.shape[0]
    assert (long[132:, :2] == 255).all() and (long[132:, -2:] == 255).all()


def test_the_rows_of_one_input_lie_together_under_one_scale():
    images = tiny_images(2)["a"]
    found = [translate(m, m.posterior({"a": images}), "b", 3) for m in (tiny_model("dmvae"), tiny_model("mumo"))]
    sheet = rows(list(images), found)
    assert len(sheet) == 4 and all(len(row) == 1 + 2 + 3 for row in sheet)
    torch.testing.assert_close(sheet[1][0], images[0])
    torch.testing.assert_close(sheet[3][3], found[1].samples[1, 0])
    above, *below = rows(list(images), found, list(tiny_images(3)["b"]))
    assert above[:3] == [None] * 3 and torch.equal(above[5], tiny_images(3)["b"][2]) and len(below) == 4
    top = max(float(each.stddev.max()) for each in found)
    torch.testing.assert_close(sheet[2][2], heat(found[0].stddev[1], top))


def test_the_check_compares_each_factor_with_what_should_become_of_it():
    model, data = tiny_model("dmvae"), Glow()
    ids = torch.arange(40)
    kept, neutral, free = check(model, data, READERS, "b", ids, samples=3, seed=2)
    assert [each.role for each in (kept, neutral, free)] == ["kept", "neutral", "free"]
    images, labels = data.items(ids)
    drawn = torch.cat([model.translate({"a": x}, "b", 3, seed=2 + i).mean((2, 3, 4)) for i, x in enumerate(images["a"].split(32))])
    assert kept.measured.error == pytest.approx((drawn - labels["glow"][:, None]).abs().mean().item(), abs=1e-5)
    assert neutral.measured.error == pytest.approx((drawn - 0.5).abs().mean().item(), abs=1e-5)
    assert free.measured.spread == pytest.approx(preserved(drawn.numpy(), labels["other"].numpy(), OTHER).spread, rel=1e-4)
    assert free.real_spread == pytest.approx(np.std([0, 0.5, 1])) and np.isnan(kept.real_spread)
    assert kept.real["within_step"] == 1.0


def test_a_reading_is_right_within_one_step_or_of_the_class():
    digit = Factor("digit", "categorical", ("zero", "one", "two"))
    labels = {"digit": np.array([1, 2]), "glow": np.array([0.5, 0.0]), "own": np.array([0.0, 1.0])}
    wanted = expected((digit, GLOW, OWN, OTHER), labels, "b")
    assert wanted["own"].tolist() == [0.5, 0.5] and "other" not in wanted
    readings = {"digit": np.array([[1, 2], [2, 2]]), "glow": np.array([[0.26, 0.8], [-0.1, 0.25]]), "own": np.array([[0.5, 1.1], [0.9, 1.0]])}
    found = hits(readings, wanted, (digit, GLOW, OWN, OTHER))
    assert {name: each.tolist() for name, each in found.items()} == {
        "digit": [[True, False], [True, True]], "glow": [[True, False], [True, True]], "own": [[True, False], [True, True]]}


def test_a_share_has_an_interval_that_does_not_close_where_all_agree():
    low, high = wilson(1.0, 64)
    assert (low, high) == (pytest.approx(64 / (64 + 1.959964**2)), 1.0)
    assert wilson(0.0, 64) == (0.0, pytest.approx(1 - low))
    assert wilson(0.25, 20) == pytest.approx((0.111862, 0.468701), abs=1e-6)


def test_parts_are_joined_in_their_order():
    model, images = tiny_model("dmvae"), tiny_images(3)
    whole = translate(model, model.posterior({"a": images["a"]}), "b", 2)
    parts = joined([translate(model, model.posterior({"a": x[None]}), "b", 2) for x in images["a"]])
    torch.testing.assert_close(parts.samples, whole.samples)
    torch.testing.assert_close(parts.codes["z_b"], whole.codes["z_b"])
    torch.testing.assert_close(parts.stddev, whole.stddev)
