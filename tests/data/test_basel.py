"""The licensed Basel renders, on a made-up tensor of their layout with tiny pictures."""

from dataclasses import replace

import pytest
import torch

from mmvae.data import DATASETS, DataError
from mmvae.data.basel import FILE, BaselFaces

SHAPE = (50, 21, 11, 11, 2, 2)


@pytest.fixture(autouse=True)
def tiny_pictures(monkeypatch):
    row = DATASETS["basel-faces"]
    small = tuple(replace(modality, shape=(1, 2, 2)) for modality in row.modalities)
    monkeypatch.setitem(DATASETS, "basel-faces", replace(row, modalities=small))


def grid():
    """Every pixel tells where it is: identity, azimuth, elevation and lighting in the four corners."""
    steps = torch.meshgrid(*(torch.arange(n, dtype=torch.uint8) for n in SHAPE[:4]), indexing="ij")
    return torch.stack(steps, dim=-1).reshape(SHAPE)


def corners(images):
    return (images * 255).round().int().reshape(len(images), 4).tolist()


def flat(identity, azimuth, elevation, lighting):
    return ((identity * 21 + azimuth) * 11 + elevation) * 11 + lighting


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_views_come_from_the_neutral_light_and_the_neutral_elevation(tmp_path, dtype):
    torch.save(grid().to(dtype), tmp_path / FILE)
    images, labels = BaselFaces(tmp_path).items([flat(31, 4, 2, 9), flat(0, 20, 10, 0)])
    assert corners(images["elevation"]) == [[31, 4, 2, 5], [0, 20, 10, 5]]
    assert corners(images["lighting"]) == [[31, 4, 5, 9], [0, 20, 5, 0]]
    assert labels["identity"].tolist() == [31, 0]
    torch.testing.assert_close(labels["azimuth"], torch.tensor([-0.6, 1.0]))
    torch.testing.assert_close(labels["elevation"], torch.tensor([-0.6, 1.0]))
    torch.testing.assert_close(labels["lighting"], torch.tensor([0.8, -1.0]))


def test_a_descending_azimuth_axis_is_turned_around(tmp_path):
    torch.save(grid(), tmp_path / FILE)
    images, labels = BaselFaces(tmp_path, azimuth_sign=-1).items([flat(3, 0, 1, 1)])
    assert corners(images["elevation"]) == [[3, 20, 1, 5]] and corners(images["lighting"]) == [[3, 20, 5, 1]]
    assert labels["azimuth"].item() == -1


def test_held_out_cells_are_those_of_the_rendered_faces(tmp_path):
    torch.save(grid(), tmp_path / FILE)
    faces = BaselFaces(tmp_path)
    splits = [set((faces.split(name) // 121).tolist()) for name in ("train", "validation", "test")]
    assert len(set.union(*splits)) == sum(map(len, splits)) == 1050


def test_a_missing_file_says_that_it_is_licensed_and_where_it_goes(tmp_path):
    with pytest.raises(DataError, match=f"{tmp_path / FILE} is missing: .*licensed.* put it there") as error:
        BaselFaces(tmp_path)
    assert "\n" not in str(error.value)


def test_files_that_are_not_the_renders_are_told_apart(tmp_path):
    file = tmp_path / FILE
    wrong = [
        (lambda: torch.save(torch.zeros(3, 4), file), r"shape \(50, 21, 11, 11, 2, 2\), found shape \(3, 4\)"),
        (lambda: torch.save({"faces": torch.zeros(2)}, file), "expected a tensor of shape .*, found a dict"),
        (lambda: torch.save(grid() / 255.0, file), "expected pixels from 0 to 255, found values from 0 to 0.1"),
        (lambda: torch.save(torch.full(SHAPE, float("nan")), file), "expected pixels from 0 to 255, found values from nan"),
        (lambda: file.write_bytes(b"not a tensor"), "not a tensor saved by torch.save"),
        (lambda: file.write_bytes(b""), "not a tensor saved by torch.save"),
    ]
    for write, message in wrong:
        write()
        with pytest.raises(DataError, match=message) as error:
            BaselFaces(tmp_path)
        assert str(file) in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    torch.save(Trap(), tmp_path / FILE)
    with pytest.raises(DataError, match="not a tensor saved by torch.save"):
        BaselFaces(tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_an_azimuth_sign_is_one_or_minus_one(tmp_path):
    with pytest.raises(ValueError, match="azimuth_sign 0 is neither 1 nor -1"):
        BaselFaces(tmp_path, azimuth_sign=0)
