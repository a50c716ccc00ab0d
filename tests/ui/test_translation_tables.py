"""The tables and files of the Translate page, of the smallest models and of readers that see brightness."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from mmvae.checkpoints import Checkpoint
from mmvae.data.base import Factor
from mmvae.explore import point_of
from mmvae.readers import Reading, Readers
from mmvae.translation import Kept, check, read, swapped, translate, wilson
from tests.test_translation import READERS, Glow
from tests.tiny import tiny_images, tiny_model
from ui.gallery import first_items
from ui.pairs import Pairs
from ui.results import Drawn, Exchanged, check_csv, check_table, csv_of, summary, swap_csv, swap_gif, swap_table, translation_table
from ui.translating import Given, caption, sizes_note, true_pictures

GLOW, OWN, OTHER = Glow.factors
BOTH = Readers("glow", {name: READERS.networks["b"] for name in "ab"}, {})


@pytest.fixture
def opened(tmp_path) -> Checkpoint:
    return Checkpoint(tmp_path, tiny_model("dmvae"), {}, {}, {}, "tiny")


def given(n: int, **changes) -> list[Given]:
    images = tiny_images(n)
    return [Given(f"item {i}", {name: x[i] for name, x in images.items()}, i, {"glow": 0.25 * i, "own": 0.5 * i, "other": 0.5 - 0.5 * i}, **changes)
            for i in range(n)]


def drawn(opened: Checkpoint, inputs: list[Given]) -> Drawn:
    found = translate(opened.model, opened.model.posterior({"a": torch.stack([each.images["a"] for each in inputs])}), "b", 3)
    points = [[point_of("tiny", "0" * 12, opened.model, {name: code[i, k] for name, code in found.codes.items()}) for k in range(3)]
              for i in range(len(inputs))]
    return Drawn(opened, found, read(READERS, "b", found.samples), points)


def exchanged(opened: Checkpoint, content: list[Given], styles: list[Given]) -> Exchanged:
    model = opened.model
    posteriors = [[model.posterior({name: x[None] for name, x in each.images.items()}) for each in some] for some in (content, styles)]
    found = swapped(model, *posteriors, [each.images for each in styles])
    points = [[point_of("tiny", "0" * 12, model, found.code(model, i, k)) for k in range(len(styles))] for i in range(len(content))]
    return Exchanged(opened, found, points)


def lines_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def test_the_table_names_the_numbers_below_its_pictures_and_escapes_names(opened):
    mine = replace(given(1)[0], title='<img src=x onerror="alert()">.png', item=None, read=True)
    inputs = [mine, *given(2)]
    table = translation_table(inputs, [each.images["a"] for each in inputs], [], [drawn(opened, inputs)], Glow.factors, "b")
    assert "input<small>glow, own</small>" in table and "below: glow, as read" in table and ">mean code<" in table
    assert "<img src=x" not in table and "read as 0" in table


def test_what_a_reader_guessed_of_the_input_is_not_counted_as_true(opened):
    inputs = given(2)
    inputs[0] = replace(inputs[0], item=None, read=True)
    text = summary(inputs, [drawn(opened, inputs)], READERS, Glow.factors, "b")
    assert "Kept in 3 samples of 1 test image; 1 of your own not counted (95 % interval over images)" in text
    assert "<td>readers on real images</td>" in text and "ceiling" not in text
    assert summary([inputs[0]], [drawn(opened, inputs[:1])], READERS, Glow.factors, "b") == ""


def test_each_head_of_a_swap_is_named_by_what_its_own_picture_has_for_itself(opened):
    content, styles = given(2), given(3)
    one = exchanged(opened, content, styles)
    tables = {name: swap_table(content, [each.images["a"] for each in content], styles, one, Glow.factors, name) for name in "ab"}
    assert [f'<small title="{value}">' in tables["a"] for value in ("0", "0.5", "1")] == [True] * 3
    assert [f'<small title="{value}">' in tables["b"] for value in ("0.5", "0", "−0.5")] == [True] * 3
    assert "glow ↓, own →" in tables["a"] and "glow ↓, other →" in tables["b"]


class Known(Glow):
    """An item's tens tell what is shared, its ones what either picture has for itself."""

    def with_private_of(self, ids, donors):
        return ids - ids % 10 + donors % 10


def test_the_true_pictures_of_a_swap_are_of_the_contents_pair_with_the_styles_private_factors(opened):
    data, items = Known(), given(36)
    content, styles = [items[11], items[25]], [items[3], items[34], items[8]]
    truth = true_pictures(data, content, styles)
    wanted = data.items(torch.tensor([[13, 14, 18], [23, 24, 28]]).reshape(-1))[0]
    assert all(torch.equal(truth[name].flatten(0, 1), images) for name, images in wanted.items())
    table = swap_table(content, [each.images["a"] for each in content], styles, exchanged(opened, content, styles), Glow.factors, "a", truth["a"])
    assert table.count('class="small" alt="true: ') == 6
    uploaded = replace(items[3], item=None)
    for known, some in ((Glow(), styles), (None, styles), (data, [uploaded])):  # no such combinations, no data, no item
        assert true_pictures(known, content, some) == {}


def test_a_swap_is_saved_as_figures_and_as_frames(opened):
    content, styles = given(2), given(3)
    one = exchanged(opened, content, styles)
    found = lines_of(swap_csv(content, styles, [one], BOTH, Glow.factors))
    assert len(found) == 6 and {line["style item"] for line in found} == {"0", "1", "2"} and len({line["point"] for line in found}) == 6
    seen = one.found.pictures["a"][1, 2].mean().item()
    assert float(found[5]["glow in a"]) == pytest.approx(seen, abs=6e-3)
    assert "glow in a" not in lines_of(swap_csv(content, styles, [one], None, Glow.factors))[0]
    assert Image.open(io.BytesIO(swap_gif([each.images["a"] for each in content], [one]))).n_frames == 3


def test_a_check_is_saved_with_what_was_measured(opened):
    found = check(opened.model, Glow(), READERS, "b", torch.arange(40), samples=2)
    kept, neutral, free = lines_of(check_csv({"tiny": found}, "b"))
    assert float(kept["share"]) == found[0].measured.kept.value and float(kept["readers' share on real images"]) == 1
    assert neutral["role"] == "neutral" and free["share"] == "" and float(free["spread"]) == found[2].measured.spread


def said_of(kept: Kept) -> str:
    low, high = wilson(kept.measured.kept.value, kept.measured.kept.count)
    return f"{100 * kept.measured.kept.value:.0f} % ({100 * low:.0f}–{100 * high:.0f})"


def test_the_check_does_not_call_it_certain_that_all_images_kept_a_factor(opened):
    factor, *_ = check(opened.model, Glow(), READERS, "b", torch.arange(40), samples=2)
    all_kept = replace(factor, measured=replace(factor.measured, kept=replace(factor.measured.kept, value=1.0, stderr=0.0, count=64)))
    assert "<b>100 % (94–100)</b>" in check_table({"tiny": [all_kept]})
    (line,) = lines_of(check_csv({"tiny": [all_kept]}, "b"))
    assert float(line["95 % from"]) == pytest.approx(0.9434, abs=1e-4) and float(line["95 % to"]) == 1 and line["images"] == "64"


def test_the_check_stands_factor_by_factor_with_models_side_by_side_and_the_readers_beside_them(opened):
    one, other = (check(opened.model, Glow(), READERS, "b", torch.arange(40), samples=2, seed=seed) for seed in (0, 1))
    found = {"One <b>": one, "Other": other}
    table = check_table(found)
    head, *lines = table.split("<tr")[1:]
    assert "One &lt;b&gt;" in head and head.index("Other") < head.index("readers on real images") and len(lines) == len(one) == 3
    for line, kept, beside in zip(lines, one, other, strict=True):
        assert f"<b>{kept.factor.name}</b>" in line and line.count("<td>") == 4
        for each in (kept, beside):
            said = f"± {each.measured.spread:.3g}" if each.role == "free" else said_of(each)
            assert f"<b>{said}</b>" in line
    assert [word in line for word, line in zip(("should be kept", "should stay 0", "may vary"), lines)] == [True] * 3
    lengths = [float(text) for text in re.findall(r'<i style="width: ([\d.]+)%"', lines[0])]
    assert lengths == pytest.approx([*(100 * each[0].measured.kept.value for each in (one, other)), 100], abs=0.06)
    assert lines[0].count('<s style="left: 100.0%">') == 2  # the readers' own share, on the bars of the models


def test_a_caption_is_the_title_where_labels_are_not_known():
    assert caption(given(2)[1], Glow.factors, "b") == "0"
    assert caption(Given("mine.png", {}), Glow.factors, "b") == "mine.png"


def test_the_sizes_of_private_codes_are_told_where_models_differ():
    models = [("One", tiny_model("dmvae")), ("Other", tiny_model("mumo")), ("None", tiny_model("wg-v2"))]
    assert sizes_note(models) == ""
    models[1][1].blocks = tuple(replace(block, dim=7) for block in models[1][1].blocks)
    assert sizes_note(models) == "Private codes differ in size: One 2 and 3, Other 7 and 7 dimensions. The noise is the same in those that all have."


def test_the_first_pairs_differ_in_every_private_factor():
    grid = np.stack(np.meshgrid([0.0, 1.0, 2.0], [-1.0, 0.0, 1.0], indexing="ij"), -1).reshape(-1, 2)
    labels = {"same": np.zeros(90), "own": np.tile(grid[:, 0], 10), "other": np.tile(grid[:, 1], 10)}
    pairs = Pairs(np.arange(90), labels, (Factor("same", "ordered", (0.0, 1.0)), OWN, OTHER))
    first = first_items(pairs, None, 5)
    assert len(set(first)) == 5
    for name in ("own", "other"):
        assert len({labels[name][item] for item in first[:3]}) == 3


@pytest.mark.parametrize("label, text", [(-0.0, "0°"), (-0.3, "0°"), (0.4, "0°"), (-1.0, "−1°"), (27.2, "+27°")])
def test_an_angle_has_no_sign_where_it_is_zero(label, text):
    assert Factor("turn", "ordered", (-90.0, 90.0), "°").format(label) == text
    assert OWN.format(-0.0) == "0" and OWN.format(-0.25) == "−0.25"


def test_below_zero_stands_a_minus_on_the_page_and_a_hyphen_in_files(opened):
    inputs = [replace(each, title="−0.5", labels=each.labels | {"glow": -0.5}) for each in given(2)]
    inputs[1] = replace(inputs[1], title="mine −1.png", item=None)
    one = drawn(opened, inputs)
    one.seen["glow"][:] = -0.25
    table = translation_table(inputs, [each.images["a"] for each in inputs], [], [one], Glow.factors, "b")
    assert ">−0.25" in table and ">-0.25" not in table and "−0.5" in table
    found = lines_of(csv_of(inputs, [], [one], Glow.factors, "b", 7))
    assert {line["glow"] for line in found} == {"-0.25"} and {line["glow of input"] for line in found} == {"-0.5"}
    assert {line["input"] for line in found} == {"item 0", "mine −1.png"}
    swap = lines_of(swap_csv(inputs, inputs[:1], [exchanged(opened, inputs, inputs[:1])], None, Glow.factors))
    assert {line["content"] for line in swap} == {"item 0", "mine −1.png"} and {line["glow of content"] for line in swap} == {"-0.5"}


def test_a_line_of_figures_says_which_image_gave_the_style_and_which_seed_the_noise(opened):
    inputs, styles = given(2), given(3)
    one = drawn(opened, inputs)
    one.seen["other"] = np.array([[0.5, 0.0, 0.5]] * 2)
    turned = tuple(replace(factor, unit="°") if factor is OTHER else factor for factor in Glow.factors)
    found = lines_of(csv_of(inputs, styles, [one], turned, "b", 7))
    assert [(line["style"], line["style item"], line["seed"]) for line in found[:3]] == [(f"item {i}", str(i), "") for i in range(3)]
    assert [line["other of style [°]"] for line in found[:3]] == ["0.5", "0", "-0.5"] and [line["other [°]"] for line in found[:3]] == ["0.5", "0", "0.5"]
    assert [line["other kept"] for line in found[:3]] == ["1", "1", "0"]
    free = lines_of(csv_of(inputs, [], [one], turned, "b", 7))
    assert {(line["style"], line["style item"], line["other of style [°]"], line["seed"], line["other kept"]) for line in free} == {("", "", "", "7", "")}


def test_the_table_says_what_each_style_has_for_itself_and_whether_it_arrived(opened):
    inputs, styles = given(2), given(3)
    one = drawn(opened, inputs)
    one.seen["other"] = np.array([[0.5, 0.0, 0.5]] * 2)
    table = translation_table(inputs, [each.images["a"] for each in inputs], styles, [one], Glow.factors, "b")
    assert [f'<small title="{value}">{value}</small></th>' in table for value in ("0.5", "0", "−0.5")] == [True] * 3
    assert "below: glow, other, as read" in table and ">kept, arrived<" in table and table.count("other 2/3") == 2
    below = re.findall(r'<small> <span class="(good|bad)">([^<]*)</span></small></td>', table)
    assert below == [("good", "0.5✓"), ("good", "0✓"), ("bad", "0.5✗")] * 2
    plain = translation_table(inputs, [each.images["a"] for each in inputs], [], [one], Glow.factors, "b")
    assert "other 2/3" not in plain and "arrived" not in plain
