"""A person's own pairs: what goes in comes out, and what is wrong is said in one line that names it."""

import json
import subprocess
import sys
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmvae.data import SPLITS, DataError, dataset, version_of
from mmvae.inputs import prepare, read_input

HOME = Path(__file__).parents[2]
RNG = np.random.default_rng(0)


def arrays(n: int = 20) -> dict[str, np.ndarray]:
    return {
        "left": RNG.integers(0, 256, (n, 28, 28), dtype=np.uint8),
        "right": RNG.random((n, 3, 32, 32)),
        "angle": np.linspace(-1, 1, n),
        "kind": np.array(["cup", "jug"] * (n // 2)),
    }


def saved(tmp_path, **changes):
    content = {name: array for name, array in (arrays() | changes).items() if array is not None}
    np.savez(tmp_path / "pairs.npz", **content)
    return tmp_path / "pairs.npz"


def pictures(tmp_path, n: int = 20, table: str | None = None):
    for folder, mode, size in (("photo", "RGB", (64, 64)), ("sketch", "L", (64, 64))):
        (tmp_path / folder).mkdir()
        for i in range(n):
            Image.new(mode, size, i if mode == "L" else (i, 2 * i, 3 * i)).save(tmp_path / folder / f"thing{i:02d}.png")
    if table is None:
        rows = [f"thing{i:02d},{i % 3},{i / 10},{'ab'[i % 2]}\n" for i in reversed(range(n))]
        table = "item,count,weight,maker\n" + "".join(rows)
    (tmp_path / "factors.csv").write_text(table)
    return tmp_path


def test_arrays_come_back_as_they_went_in(tmp_path):
    content = arrays()
    data = dataset(str(saved(tmp_path, **content)))
    images, labels = data.items([7, 3])
    torch.testing.assert_close(images["left"], torch.from_numpy(content["left"][[7, 3], None] / 255).float())
    torch.testing.assert_close(images["right"], torch.from_numpy(content["right"][[7, 3]]).float(), atol=0.5 / 255 + 1e-6, rtol=0)
    assert labels["angle"].tolist() == pytest.approx(content["angle"][[7, 3]])
    assert [data.factor("kind").format(label) for label in labels["kind"]] == ["jug", "jug"]
    assert [(m.name, m.shape, m.likelihood, m.network) for m in data.modalities] == [
        ("left", (1, 28, 28), "bernoulli", "conv28"), ("right", (3, 32, 32), "gaussian", "conv32"),
    ]
    assert data.notes == ()


def test_every_pair_is_in_one_split_and_always_the_same(tmp_path):
    path = saved(tmp_path)
    splits = [dataset(str(path)).split(name).tolist() for name in SPLITS]
    assert [len(split) for split in splits] == [16, 2, 2]
    assert sorted(sum(splits, [])) == list(range(20))
    assert splits == [dataset(str(path)).split(name).tolist() for name in SPLITS]


def test_pairs_with_a_picture_in_common_are_in_one_split(tmp_path):
    pictures = RNG.integers(0, 256, (60, 28, 28), dtype=np.uint8)
    # each left picture in two pairs, and each of a third of the right ones in two of other left pictures: groups of 2 and of 4
    left, right = pictures.repeat(2, 0), RNG.integers(0, 256, (120, 32, 32, 3), dtype=np.uint8)
    right[1:40:4] = right[2:40:4]
    data = dataset(str(saved(tmp_path, left=left, right=right, angle=None, kind=None)))
    parts = [data.split(name) for name in SPLITS]
    assert sorted(torch.cat(parts).tolist()) == list(range(120)) and [len(part) for part in parts] == [96, 12, 12]
    for shown in data.items(torch.arange(120))[0].values():
        of = np.unique(shown.flatten(1).numpy(), axis=0, return_inverse=True)[1].reshape(-1)
        seen = [set(of[part].tolist()) for part in parts]
        assert not seen[0] & seen[1] and not seen[0] & seen[2] and not seen[1] & seen[2]
    assert not any("in common" in note for note in data.notes)


def test_where_all_pairs_hang_together_the_split_is_by_pair_and_that_is_said(tmp_path):
    left = RNG.integers(0, 256, (4, 28, 28), dtype=np.uint8).repeat(10, 0)
    right = np.tile(RNG.integers(0, 256, (10, 32, 32, 3), dtype=np.uint8), (4, 1, 1, 1))
    data = dataset(str(saved(tmp_path, left=left, right=right, angle=None, kind=None)))
    assert [len(data.split(name)) for name in SPLITS] == [32, 4, 4]
    assert any("have a picture in common" in note for note in data.notes)


def test_factors_take_their_kind_from_their_values_and_from_their_description(tmp_path):
    description = {"step": {"kind": "ordered", "unit": "mm", "owner": "left", "neutral": 2}}
    levels = np.arange(20) % 4
    data = dataset(str(saved(tmp_path, step=levels, grade=levels, factors=np.array(json.dumps(description)))))
    step, grade, angle = (data.factor(name) for name in ("step", "grade", "angle"))
    assert (step.kind, step.values, step.unit, step.owner, step.neutral) == ("ordered", (0, 1, 2, 3), "mm", "left", 2)
    assert (grade.kind, grade.values, grade.owner) == ("categorical", ("0", "1", "2", "3"), None)
    assert angle.kind == "ordered" and len(angle.values) == 21  # measured: every item has its own
    assert data.items([6])[1]["step"].dtype == torch.float32 and data.items([6])[1]["grade"].dtype == torch.int64


def test_whole_numbers_are_classes_where_they_recur_and_a_neutral_class_is_its_index(tmp_path):
    description = np.array(json.dumps({"size": {"neutral": 30, "owner": "left"}}))
    data = dataset(str(saved(tmp_path, rank=np.arange(20), size=np.array([10, 30] * 10), factors=description)))
    assert data.factor("rank").kind == "ordered"
    size = data.factor("size")
    assert (size.kind, size.values, size.neutral) == ("categorical", ("10", "30"), 1)


def test_of_images_of_another_size_the_middle_square_is_taken_and_the_notes_say_so(tmp_path):
    wide = np.zeros((20, 50, 70))
    wide[:, :, 10:60] = 0.4
    wide[:, ::50, 10] = RNG.random((20, 1))  # no two are the same
    data = dataset(str(saved(tmp_path, left=wide)))
    assert data.modalities[0].shape == (1, 64, 64) and data.modalities[0].network == "conv64"
    assert data.notes == ("left, images of 70×50 pixels: middle square, enlarged to 64×64.",)
    torch.testing.assert_close(data.items([0])[0]["left"][..., 2:], torch.full((1, 1, 64, 62), 0.4), atol=1e-6, rtol=0)


def test_an_item_is_the_picture_that_its_file_gives_as_an_input(tmp_path):
    noise = RNG.integers(0, 256, (20, 48, 80, 4), dtype=np.uint8)
    noise[..., 3] = 255 * (np.arange(80) > 20)
    upright = Image.Exif()
    upright[0x0112] = 6  # to be turned by 90 degrees
    for folder in ("photo", "sketch"):
        (tmp_path / folder).mkdir()
    for i, picture in enumerate(noise):
        Image.fromarray(picture).save(tmp_path / "photo" / f"{i}.png")
        Image.fromarray(picture[..., 0]).save(tmp_path / "sketch" / f"{i}.png", exif=upright)
    data = dataset(str(tmp_path))
    images, _ = data.items([3])
    for modality in data.modalities:
        assert modality.shape[1:] == (64, 64)
        given = read_input(tmp_path / modality.name / f"{data.names[3]}.png", modality)
        torch.testing.assert_close(images[modality.name][0], given.image, atol=0.5 / 255 + 1e-6, rtol=0)
    grounds = [f"transparent: laid on {ground}" for ground in ("black", "white")]
    assert any(ground in note for ground in grounds for note in data.notes)
    assert "sketch, images of 48×80 pixels: turned upright, middle square, enlarged to 64×64." in data.notes


def test_handwriting_is_laid_out_as_an_input_is(tmp_path):
    digit = np.full((20, 60, 60), 255, np.uint8)
    digit[:, 20:45, 30:34] = RNG.integers(0, 9, (20, 1, 1))
    data = dataset(str(saved(tmp_path, left=None, mnist=digit)))
    given = prepare(digit[7, ..., None].astype(np.float32) / 255, data.modalities[1])
    assert data.modalities[1].name == "mnist" and "dark on light: inverted" in given.notes
    torch.testing.assert_close(data.items([7])[0]["mnist"][0], given.image, atol=0.5 / 255 + 1e-6, rtol=0)
    with pytest.raises(DataError, match="mnist, item 4: this picture shows no digit"):
        dataset(str(saved(tmp_path, left=None, mnist=np.where(np.arange(20)[:, None, None] == 4, 255, digit))))


def test_a_modality_of_one_picture_is_noted(tmp_path):
    data = dataset(str(saved(tmp_path, left=np.full((20, 28, 28), 7, np.uint8))))
    assert data.notes == ("left: all pictures are the same, so there is nothing to learn from them.",)


def test_a_folder_is_paired_by_name_with_its_table(tmp_path):
    data = dataset(str(pictures(tmp_path)))
    images, labels = data.items([5])
    assert [m.name for m in data.modalities] == ["photo", "sketch"]
    torch.testing.assert_close(images["photo"][0, :, 0, 0] * 255, torch.tensor([5.0, 10.0, 15.0]))
    torch.testing.assert_close(images["sketch"][0, 0, 9, 9] * 255, torch.tensor(5.0))
    assert (labels["count"].item(), labels["weight"].item(), labels["maker"].item()) == (2, 0.5, 1)
    assert [data.factor(name).kind for name in ("count", "weight", "maker")] == ["categorical", "ordered", "categorical"]
    assert data.names[5] == "thing05" and data.notes == ()


@pytest.mark.parametrize(("name", "between"), [("factors.tsv", "\t"), ("Factors.CSV", ","), ("factors.csv", ";"), ("factors.csv", " ,  ")])
def test_a_table_may_be_called_and_parted_as_spreadsheets_do(tmp_path, name, between):
    (pictures(tmp_path) / "factors.csv").unlink()
    rows = [("item", "x", "maker"), *((f"thing{i:02d}", i / 10, "ab"[i % 2]) for i in range(20)), ("", "", "")]
    (tmp_path / name).write_text("".join(between.join(map(str, row)) + "\n" for row in rows))
    data = dataset(str(tmp_path))
    assert [factor.name for factor in data.factors] == ["x", "maker"] and data.notes == ()
    assert data.items([4])[1]["x"].item() == pytest.approx(0.4)
    assert data.factor("maker").values == ("a", "b")


def test_rows_of_no_image_are_noted(tmp_path):
    table = "item,x\n" + "".join(f"thing{i:02d},{i / 10}\n" for i in range(40))
    data = dataset(str(pictures(tmp_path, table=table)))
    assert data.notes == ("factors.csv: 20 of 40 rows are of no image, such as 'thing20'; left out.",)


def test_a_single_value_is_noted(tmp_path):
    data = dataset(str(saved(tmp_path, seed=np.array(3))))
    assert data.notes == ("seed: one value, not one for each pair; left out.",)
    assert "seed" not in [factor.name for factor in data.factors]


def test_texts_of_which_every_item_has_another_are_names_and_no_factor(tmp_path):
    files = np.array([f"IMG_{i}" for i in range(20)])
    data = dataset(str(saved(tmp_path, scan=files)))
    assert [factor.name for factor in data.factors] == ["angle", "kind"] and data.names[3] == "IMG_3"
    assert data.notes == ("scan: every item has another text, so that these are names and no factor.",)
    told = dataset(str(saved(tmp_path, scan=files, factors=np.array('{"scan": {"kind": "categorical"}}'))))
    assert "scan" in [factor.name for factor in told.factors] and told.names == ()
    table = "item,file\n" + "".join(f"thing{i:02d},scan {i}\n" for i in range(20))
    folder = dataset(str(pictures(tmp_path, table=table)))
    assert folder.factors == () and folder.names[3] == "thing03"


def test_what_is_the_same_for_every_item_is_no_factor(tmp_path):
    data = dataset(str(saved(tmp_path, dose=np.full(20, 0.5), maker=np.array(["us"] * 20))))
    assert [factor.name for factor in data.factors] == ["angle", "kind"]
    assert data.notes == tuple(f"{name}: the same for every item, so that it is no factor." for name in ("dose", "maker"))


def test_pairs_of_arrays_may_have_names(tmp_path):
    data = dataset(str(saved(tmp_path, item=np.array([f"pair {i}" for i in range(20)]))))
    assert data.names[3] == "pair 3" and data.notes == () and [factor.name for factor in data.factors] == ["angle", "kind"]
    assert dataset(str(saved(tmp_path, item=np.arange(100, 120)))).names[3] == "103"
    angle = np.where(np.arange(20) == 4, np.nan, 1.0)
    with pytest.raises(DataError, match="factor 'angle' is nan for item 'pair 4'; expected a number"):
        dataset(str(saved(tmp_path, item=np.array([f"pair {i}" for i in range(20)]), angle=angle)))


@pytest.mark.parametrize(("cell", "message"), [
    ("NA", "'NA' for item 'thing08' is no number; fill it in, or make x categorical in factors.json"),
    ("0,8", "'0,8' for item 'thing08' is no number; write 0.8, or make x categorical in factors.json"),
])
def test_a_text_among_numbers_is_refused_unless_they_are_said_to_be_classes(tmp_path, cell, message):
    table = "item;x\n" + "".join(f"thing{i:02d};{cell if i == 8 else i / 10}\n" for i in range(20))
    folder = pictures(tmp_path, table=table)
    with pytest.raises(DataError, match=f"factors.csv: {message}"):
        dataset(str(folder))
    (folder / "factors.json").write_text('{"x": {"kind": "categorical"}}')
    assert dataset(str(folder)).factor("x").kind == "categorical"


def test_decimal_commas_and_numbers_written_as_texts_are_no_classes(tmp_path):
    table = "item;x\n" + "".join(f"thing{i:02d};{str(i / 10).replace('.', ',')}\n" for i in range(20))
    with pytest.raises(DataError, match="'0,0' for item 'thing00' is no number; write 0.0"):
        dataset(str(pictures(tmp_path, table=table)))
    assert dataset(str(saved(tmp_path, angle=np.array([str(i / 7) for i in range(20)])))).factor("angle").kind == "ordered"
    with pytest.raises(DataError, match="'n/a' for item 3 is no number; .* categorical in its entry 'factors'"):
        dataset(str(saved(tmp_path, angle=np.array(["n/a" if i == 3 else str(i / 7) for i in range(20)]))))


def test_a_path_may_begin_at_home(tmp_path, monkeypatch):
    file = saved(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert dataset("~/pairs.npz").name == str(file.resolve()) and version_of("~/pairs.npz") == version_of(str(file))


def test_the_class_can_be_asked_about_without_an_import_and_the_package_stays_light():
    code = "import sys, mmvae; assert 'torch' not in sys.modules; help(mmvae.data.own.OwnPairs)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=HOME, encoding="utf-8").stdout
    assert "factors.csv" in shown


def test_an_item_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="item 20: no such pair in pairs; ids run from 0 to 19"):
        dataset(str(saved(tmp_path))).items([0, 20])


@pytest.mark.parametrize(("changes", "message"), [
    ({"right": None}, r"expected two arrays of images, one for each modality; there are 1 \(left\)$"),
    ({"third": np.zeros((20, 28, 28), np.uint8)}, r"expected two arrays of images, one for each modality; there are 3 \(left, right, third\)$"),
    ({"left": np.zeros((19, 28, 28), np.uint8)}, "left has 19, right has 20.*expected as many of each"),
    ({"angle": np.zeros(5)}, "angle has 5, kind has 20; expected as many of each"),
    ({"left": np.zeros((20, 28, 28), np.int64)}, "left is of type int64; expected uint8"),
    ({"left": np.full((20, 28, 28), 3.5)}, "left holds values from 3.5 to 3.5; expected 0 to 1"),
    ({"left": np.where(np.arange(20 * 784) // 784 == 7, np.nan, 0).reshape(20, 28, 28)}, "left .* not finite, first in item 7"),
    ({"left": np.zeros((20, 28, 28, 4), np.uint8)}, r"left has shape \(20, 28, 28, 4\); expected \[N, H, W\]"),
    ({"angle": np.where(np.arange(20) == 4, np.nan, 1.0)}, "factor 'angle' is nan for item 4"),
    ({"left": np.ones((20, 28, 28), np.uint8)}, "left holds no value above 1; expected pixels from 0 to 255"),
    ({"factors": np.array('{"angle": {"neutral": NaN}}')}, "factor 'angle' has unit '' and neutral nan; expected a text and a number"),
    ({"factors": np.array('{"angle": {"neutral": true}}')}, "neutral True; expected a text and a number"),
    ({"kind": np.array([None, {}] * 10)}, "not a whole .npz file of plain arrays .it holds Python objects"),
    ({"factors": np.array('{"angle": {"kind": "sorted"}}')}, "factor 'angle' is of kind 'sorted'"),
    ({"factors": np.array('{"angle": {"owner": "up"}}')}, "factor 'angle' belongs to 'up'; expected left or right"),
    ({"factors": np.array('{"angel": {}}')}, "factor 'angel' is described but has no values; there are angle, kind"),
    ({"factors": np.array('{"angle": ')}, "is not JSON"),
    ({"factors": np.array('{"kind": {"kind": "ordered"}}')}, "'cup' for item 0 is no number; fill it in, or make kind categorical"),
    ({"step": np.arange(20) % 4, "factors": np.array('{"step": {"neutral": 9}}')}, "factor 'step' is never 9, its neutral value; there are 0, 1, 2, 3"),
    ({"item": np.array(["a"] * 20)}, "two pairs are called 'a' in 'item'"),
    ({"item": np.zeros(())}, "'item' is float64 .*; expected what each pair is called"),
    ({"item": np.arange(19)}, "item has 19; expected as many of each"),
])
def test_arrays_that_are_wrong_are_refused_by_name(tmp_path, changes, message):
    path = saved(tmp_path, **changes)
    with pytest.raises(DataError, match=message) as caught:
        dataset(str(path))
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_too_few_pairs_are_refused(tmp_path):
    path = saved(tmp_path, **arrays(4))
    with pytest.raises(DataError, match="4 pairs; at least 20 are needed"):
        dataset(str(path))


@pytest.mark.parametrize("spoil", [
    lambda b: b[: len(b) // 2],
    lambda b: b[:2000] + bytes(2000) + b[4000:],
    lambda b: b"",
    lambda b: b"no zip at all",
])
def test_a_damaged_archive_is_refused_by_name(tmp_path, spoil):
    path = saved(tmp_path)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match="not a whole .npz file") as caught:
        dataset(str(path))
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_zip_of_pictures_is_no_archive_of_arrays(tmp_path):
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as file:
        file.writestr("left/a.png", b"a picture")
    with pytest.raises(DataError, match="left/a.png in it is no array") as caught:
        dataset(str(tmp_path / "pictures.zip"))
    assert "\n" not in str(caught.value)


def test_grey_pictures_of_16_bits_are_items_as_they_are_inputs(tmp_path):
    deep = RNG.integers(0, 2**16, (20, 64, 64), dtype=np.uint16)
    for folder in ("left", "right"):
        (tmp_path / folder).mkdir()
        for i, picture in enumerate(deep):
            Image.fromarray(picture).save(tmp_path / folder / f"{i:02}.png")
    images, _ = dataset(str(tmp_path)).items([7])
    np.testing.assert_allclose(images["left"][0, 0], deep[7] / 65535, atol=0.51 / 255)


def test_ids_that_are_no_whole_numbers_are_refused(tmp_path):
    data = dataset(str(saved(tmp_path)))
    kinds = data.items([0, 1, 2])[1]["kind"]
    for ids, said in ((kinds == 0, "got bool; of a mask"), ([1.5], "got float64"), ([float("nan")], "got float64"), ([2**70], "got object"), (["a"], "got <U1")):
        with pytest.raises(DataError, match=said):
            data.items(ids)
    assert len(data.items([])[1]["kind"]) == 0 and len(data.items(np.arange(3, dtype=np.uint8))[1]["kind"]) == 3


@pytest.mark.parametrize("values, refused", [(1.7e9 + np.arange(40.0), True), (np.linspace(0, 1e39, 40), True), (np.arange(40.0) / 7, False), (RNG.random(40), False)])
def test_an_ordered_factor_that_single_precision_cannot_hold_is_refused(tmp_path, values, refused):
    path = saved(tmp_path, **{**arrays(40), "time": values})
    if refused:
        with pytest.raises(DataError, match="factor 'time' has values that single precision cannot tell apart"):
            dataset(str(path))
    else:
        assert len(np.unique(dataset(str(path)).items(range(40))[1]["time"])) == 40


def test_a_neutral_value_is_one_of_the_factors(tmp_path):
    folder = pictures(tmp_path)
    table = folder / "factors.csv"
    told = json.dumps({"tone": {"neutral": "dark"}})
    lines = ["item,tone,size", *(f"thing{i:02},{'dark' if i % 2 else 'pale'},{i / 10}" for i in range(len(list((folder / 'photo').iterdir()))))]
    table.write_text("\n".join(lines), "utf-8")
    (folder / "factors.json").write_text(told, "utf-8")
    tone = next(f for f in dataset(str(folder)).factors if f.name == "tone")
    assert tone.values[int(tone.neutral)] == "dark"
    (folder / "factors.json").write_text(json.dumps({"size": {"neutral": 99}}), "utf-8")
    with pytest.raises(DataError, match="factor 'size' runs from 0 to .*, and its neutral value is 99"):
        dataset(str(folder))


def test_a_thousands_comma_is_not_said_to_be_a_decimal_one(tmp_path):
    folder = pictures(tmp_path)
    items = [path.stem for path in (folder / "photo").iterdir()]
    (folder / "factors.csv").write_text("item;size\n" + "\n".join(f"{item};{i + 1},000" for i, item in enumerate(items)), "utf-8")
    with pytest.raises(DataError, match=r"write (\d+)000 or \1.000, whichever it is"):
        dataset(str(folder))


def test_a_table_may_give_the_files_whole_names_and_write_accents_in_another_way(tmp_path):
    folder = pictures(tmp_path)
    for side in ("photo", "sketch"):
        (folder / side / "thing00.png").rename(folder / side / "th\u00edng00.png")
    items = sorted(path.name for path in (folder / "photo").iterdir())
    (folder / "factors.csv").write_text("item,size\n" + "\n".join(f"{unicodedata.normalize('NFD', item)},{i / 7}" for i, item in enumerate(items)), "utf-8")
    assert [f.name for f in dataset(str(folder)).factors] == ["size"]


def test_a_folder_with_something_wrong_is_refused_by_name(tmp_path):
    def refused(path, message):
        with pytest.raises(DataError, match=message) as caught:
            dataset(str(path))
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)

    def fresh(name, **options):
        (tmp_path / name).mkdir()
        return pictures(tmp_path / name, **options)

    folder = fresh("unreadable")
    (folder / "photo" / "thing03.png").write_bytes(b"no picture")
    refused(folder, "thing03.png: not a picture this program can read")
    folder = fresh("cut short")
    picture = folder / "photo" / "thing03.png"
    picture.write_bytes(picture.read_bytes()[:60])
    refused(folder, "thing03.png: not a picture this program can read")
    folder = fresh("other size")
    Image.new("RGB", (60, 64)).save(folder / "photo" / "thing04.png")
    refused(folder, "thing04.png: 60×64 pixels, but thing00.png has 64×64")
    folder = fresh("alone")
    (folder / "sketch" / "thing05.png").unlink()
    refused(folder, "sketch: no image 'thing05' to pair with photo/thing05.png")
    folder = fresh("deep")
    (folder / "sketch" / "thing06.png").unlink()
    Image.new("F", (64, 64)).save(folder / "sketch" / "thing06.tiff")
    refused(folder, "thing06.tiff: pixels of kind F; expected 8 bits")
    folder = fresh("mask")
    for picture in (folder / "sketch").iterdir():
        Image.new("L", (64, 64), 1).save(picture)
    refused(folder, "sketch holds no value above 1; expected pixels from 0 to 255")
    folder = fresh("third")
    (folder / "sound").mkdir()
    refused(folder, r"expected two folders of images, one for each modality; there are 3 \(photo, sketch, sound\)")
    folder = fresh("spreadsheet")
    (folder / "factors.csv").rename(folder / "factors.xlsx")
    refused(folder, "factors.xlsx: tables are not read from such files; save it as factors.csv or factors.tsv")
    folder = fresh("two tables")
    (folder / "Factors.tsv").write_text("item\n")
    refused(folder, "Factors.tsv and factors.csv are both there; expected one of them")
    refused(fresh("no row", table="item,count\nthing00,1\n"), r"no row for item 'thing01' \(19 of 20 are missing\)")
    refused(fresh("no column", table="name,count\nthing00,1\n"), r"no column 'item' \(there are name, count\)")
    refused(fresh("nothing", table=""), r"no column 'item' \(there are none\)")
    for name, header in (("nameless", "item,"), ("doubled", "item,count,count"), ("two items", "item,count,item")):
        rows = "".join(f"thing{i:02d},{i},{i}\n" for i in range(20))
        refused(fresh(name, table=f"{header}\n{rows}"), "expected a name for each, and no name twice")
    table = "item,count\n" + "".join(f"thing{i:02d},{'' if i == 8 else i}\n" for i in range(20))
    refused(fresh("empty", table=table), "nothing under 'count' for item 'thing08'")
    refused(fresh("twice", table="item,count\nthing00,1\nthing00,2\n"), "two rows for item 'thing00'")
    refused(fresh("comma", table="item,count\nthing00,1,5\n"), "3 cells for item 'thing00'; expected 2, one under each column")
