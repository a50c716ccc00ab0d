"""The rendered faces: what an id means, what is neutral, what splits keep apart, and when a cache is trusted."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from mmvae.data import DATASETS, SPLITS, DataError
from mmvae.data import faces as faces_module
from mmvae.data.faces import Faces
from mmvae.data.head import TRAITS, Head, build_head, identity_traits
from mmvae.data.render import render, render_views, rotation

ROOT = Path(__file__).parents[2]
PER_CELL = 11 * 11
IDENTITIES = 1


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def faces(root):
    return Faces(root, identities=IDENTITIES, progress=lambda done, total: None)


@pytest.fixture
def grid(monkeypatch):
    """All fifty identities with black pictures: ids, labels and splits need no rendering."""
    blank = (np.zeros((50, 21, 11, 1, 1), np.uint8), np.zeros((50, 21, 11, 1, 1), np.uint8))
    monkeypatch.setattr(Faces, "_load", lambda self: blank)
    return Faces("nowhere")


def flat(identity, azimuth, elevation, lighting):
    return ((identity * 21 + azimuth) * 11 + elevation) * 11 + lighting


def never(*args):
    raise AssertionError("rendered again")


def test_labels_of_an_id_are_the_grid_values_its_digits_name(grid):
    steps = [(0, 0, 0, 0), (49, 20, 10, 10), (7, 13, 2, 9)]
    _, labels = grid.items([flat(*s) for s in steps])
    assert labels["identity"].tolist() == [0, 49, 7]
    torch.testing.assert_close(labels["azimuth"], torch.tensor([-90.0, 90.0, -90 + 13 * 9.0]))
    torch.testing.assert_close(labels["elevation"], torch.tensor([-30.0, 30.0, -30 + 2 * 6.0]))
    torch.testing.assert_close(labels["lighting"], torch.tensor([-90.0, 90.0, -90 + 9 * 18.0]))
    assert labels["identity"].dtype == torch.int64 and labels["azimuth"].dtype == torch.float32
    assert len(grid) == 127_050


def test_a_pair_with_the_private_factors_of_another_keeps_who_is_seen_and_how_the_head_is_turned(grid):
    ids, donors = (torch.from_numpy(np.random.default_rng(seed).choice(len(grid), 300)) for seed in (0, 1))
    (_, kept), (_, given), (_, made) = (grid.items(part) for part in (ids, donors, grid.with_private_of(ids, donors)))
    assert all(torch.equal(made[name], kept[name]) for name in ("identity", "azimuth"))
    assert all(torch.equal(made[name], given[name]) for name in ("elevation", "lighting"))


def test_an_id_outside_the_grid_is_named(grid):
    with pytest.raises(DataError, match="no item 127050: ids run from 0 to 127049"):
        grid.items([0, 127_050])
    with pytest.raises(DataError, match="no item -1"):
        grid.items(torch.tensor([-1]))


def test_the_first_view_ignores_the_light_and_the_second_the_elevation(faces):
    one_light = faces.items([flat(0, 4, 8, light) for light in range(11)])[0]
    assert (one_light["elevation"] == one_light["elevation"][:1]).all()
    assert one_light["lighting"].std(dim=0).max() > 0.1
    one_elevation = faces.items([flat(0, 4, elevation, 2) for elevation in range(11)])[0]
    assert (one_elevation["lighting"] == one_elevation["lighting"][:1]).all()
    assert one_elevation["elevation"].std(dim=0).max() > 0.1


def test_both_views_are_one_picture_where_both_factors_are_neutral(faces):
    images, labels = faces.items([flat(0, azimuth, 5, 5) for azimuth in range(21)])
    assert torch.equal(images["elevation"], images["lighting"])
    assert not labels["elevation"].any() and not labels["lighting"].any()
    assert images["elevation"].shape == (21, 1, 64, 64) and images["elevation"].dtype == torch.float32


@pytest.mark.parametrize("step", [(0, 3, 5), (9, 10, 0), (20, 7, 10)])
def test_a_picture_rendered_on_the_fly_is_the_cached_one(faces, step):
    azimuth, elevation, lighting = step
    images, labels = faces.items([flat(0, azimuth, elevation, lighting)])
    a, e, light = (labels[name].item() for name in ("azimuth", "elevation", "lighting"))
    np.testing.assert_allclose(render(0, a, e, 0.0), images["elevation"][0, 0], atol=0.02)
    np.testing.assert_allclose(render(0, a, 0.0, light), images["lighting"][0, 0], atol=0.02)


def test_splits_hold_every_item_once_and_no_cell_twice(grid):
    ids = {name: grid.split(name) for name in SPLITS}
    assert torch.equal(torch.cat(list(ids.values())).sort().values, torch.arange(127_050))
    cells = {name: set((i // PER_CELL).tolist()) for name, i in ids.items()}
    assert sum(len(c) for c in cells.values()) == 50 * 21
    assert 0.08 < len(cells["test"]) / 1050 < 0.12 and 0.04 < len(cells["validation"]) / 1050 < 0.06
    for held in cells.values():
        assert {c // 21 for c in held} == set(range(50)) and {c % 21 for c in held} == set(range(21))


def test_splits_are_the_same_in_every_session(grid):
    """Models are trained on these cells: a change would leak test pictures into what they have seen."""
    assert (grid.split("validation")[::PER_CELL] // PER_CELL).tolist()[:5] == [11, 21, 45, 78, 90]
    assert grid.split("test").dtype == torch.int64


def test_an_unknown_split_is_an_error(grid):
    with pytest.raises(ValueError, match="no split 'dev': expected one of train, validation, test"):
        grid.split("dev")


def test_a_whole_cache_is_read_without_rendering(root, faces):
    again = Faces(root, identities=IDENTITIES, progress=never)
    assert torch.equal(again.items([77])[0]["lighting"], faces.items([77])[0]["lighting"])


@pytest.mark.parametrize("damage", ["no stamp", "older stamp", "cut short", "missing", "other shape"])
def test_a_cache_that_is_not_whole_is_rendered_anew(tmp_path, monkeypatch, damage):
    pictures = np.full((1, 21, 11, 64, 64), 9, np.uint8)
    drawn = []
    monkeypatch.setattr(Faces, "_draw", lambda self, progress, workers: drawn.append(1) or [pictures, pictures])
    Faces(tmp_path, identities=1)
    stamp, file = tmp_path / "faces" / "version.json", tmp_path / "faces" / "lighting.npy"
    if damage == "no stamp":
        stamp.unlink()
    elif damage == "older stamp":
        stamp.write_text(json.dumps({**json.loads(stamp.read_text()), "version": 0}))
    elif damage == "cut short":
        file.write_bytes(file.read_bytes()[:5000])
    elif damage == "missing":
        file.unlink()
    else:
        np.save(file, pictures[:, :3])
    assert Faces(tmp_path, identities=1).items([0])[0]["lighting"].unique().tolist() == pytest.approx([9 / 255])
    assert len(drawn) == 2
    Faces(tmp_path, identities=1)
    assert len(drawn) == 2
    assert sorted(p.name for p in stamp.parent.iterdir()) == ["elevation.npy", "lighting.npy", "version.json"]


def test_a_data_root_that_cannot_be_written_is_named_before_any_work(tmp_path):
    root = tmp_path / "data"
    root.write_text("a file where a folder should be")
    with pytest.raises(DataError, match=f"{root}/faces: the rendered faces cannot be written here") as error:
        Faces(root, progress=never)
    assert "\n" not in str(error.value)


def test_who_interrupts_a_rendering_waits_for_none_of_the_rest_and_no_cache_is_left(tmp_path, monkeypatch):
    asked, go_on = [], threading.Event()

    def render(identity, *angles):
        asked.append(identity)
        if identity:
            go_on.wait(60)
        return bytes(21 * 22 * 64 * 64)

    def progress(done, total):
        if done:
            raise KeyboardInterrupt

    monkeypatch.setattr(faces_module, "_render_apart", render)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        Faces(tmp_path, progress=progress)
    assert time.monotonic() - begun < 20
    go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("render faces"):
            thread.join(30)
    assert len(asked) <= 4 and not list((tmp_path / "faces").iterdir())


def test_a_program_that_ends_renders_nothing_more(tmp_path):
    program = """
import sys, threading, time
from mmvae.data import faces
begun = threading.Event()
faces._render_apart = lambda identity, *angles: begun.set() or time.sleep(60)
threading.Thread(target=faces.Faces, args=(sys.argv[1],), daemon=True).start()
begun.wait()
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=True, timeout=50)
    assert not list((tmp_path / "faces").iterdir())


def test_progress_counts_to_all_pictures(tmp_path):
    seen = []
    Faces(tmp_path, identities=1, progress=lambda done, total: seen.append((done, total)), workers=1)
    assert seen[0] == (0, 462) and seen[-1] == (462, 462)


def test_positive_azimuth_turns_the_nose_to_the_viewers_right_and_positive_elevation_down():
    nose = np.array([0.0, 0.0, 1.0])
    assert (rotation(40, 0) @ nose)[0] > 0.5 and (rotation(0, 20) @ nose)[1] < -0.3


def test_light_from_the_right_brightens_the_right_half_of_the_picture():
    left, right = render(0, 0, 0, -70), render(0, 0, 0, 70)
    assert right[:, 32:].mean() > 1.5 * right[:, :32].mean()
    assert left[:, :32].mean() > 1.5 * left[:, 32:].mean()


def plate(half_width, depth):
    """Points of a square that faces the camera."""
    x, y = np.meshgrid(np.arange(-half_width, half_width, 0.01), np.arange(-half_width, half_width, 0.01))
    return np.stack([x, y, np.full_like(x, depth)], -1).reshape(-1, 3)


def test_a_plate_before_a_wall_casts_its_shadow_to_the_side_away_from_the_light():
    points = np.concatenate([plate(1.1, -0.3), plate(0.2, 0.3)]).astype(np.float32)
    ones = np.ones(len(points), np.float32)
    scene = Head(points, np.tile(np.float32([0, 0, 1]), (len(points), 1)), 0.5 * ones, ones, 0 * ones)
    picture = render_views(scene, 0, 0, [45])[0].astype(float)
    row, beside = 35, 14  # the shadow falls 0.6 to the left and 0.18 down
    assert picture[row, 32 - beside] < 0.4 * picture[row, 32 + beside]
    assert picture[row, 4] == pytest.approx(picture[row, 60], rel=0.1)  # further out both sides are lit


def test_values_between_the_grids_lie_between_their_neighbours():
    low, middle, high = (render(0, azimuth, 0, 0) for azimuth in (0.0, 4.5, 9.0))
    assert np.abs(middle - low).mean() < np.abs(high - low).mean()
    assert np.abs(middle - high).mean() < np.abs(high - low).mean()


@pytest.mark.parametrize("size", [16, 64, 128])
def test_a_picture_has_the_size_asked_for_and_no_pinholes(size):
    picture = render(0, 20, 0, 0, size)
    assert picture.shape == (size, size) and picture.dtype == np.float32
    face = picture[size // 4 : 3 * size // 4, 3 * size // 8 : 5 * size // 8]
    assert face.min() > 0.02 and picture.max() <= 1


def test_sizes_and_identities_out_of_range_are_errors():
    with pytest.raises(ValueError, match="expected 16 to 128"):
        render(0, 0, 0, 0, size=1000)
    with pytest.raises(ValueError, match="identity 50 does not exist: expected 0 to 49"):
        render(50, 0, 0, 0)
    with pytest.raises(ValueError, match="unknown trait 'wit'"):
        build_head({"wit": 1.0})


def test_identities_differ_clearly_in_the_traits_that_show():
    traits = np.array([[identity_traits(i)[name] for name in TRAITS] for i in range(50)])
    seen = traits * np.array(list(TRAITS.values()))
    distances = np.linalg.norm(seen[:, None] - seen[None], axis=-1)[np.triu_indices(50, 1)]
    rng = np.random.default_rng(0)
    unspread = np.clip(rng.normal(0, 0.85, traits.shape), -1.7, 1.7) * np.array(list(TRAITS.values()))
    by_chance = np.linalg.norm(unspread[:, None] - unspread[None], axis=-1)[np.triu_indices(50, 1)]
    assert distances.min() > 1.3 * by_chance.min()


def test_the_row_of_the_data_set_is_what_the_pictures_show(faces):
    row = DATASETS["faces"]
    images, labels = faces.items(faces.split("train")[:3])
    assert [m.name for m in row.modalities] == list(images) and [f.name for f in row.factors] == list(labels)
    assert images["elevation"].shape[1:] == row.modalities[0].shape
