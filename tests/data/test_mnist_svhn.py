"""Files in the official formats are written by hand here; the real ones are read where they are present."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torchvision.datasets import SVHN

from mmvae.data import DATASETS, SPLITS, DataError, dataset
from mmvae.data import mnist_svhn
from mmvae.embedding import PCA
from mmvae.maps import Choice, Job
from mmvae.model import MultimodalVAE
from mmvae.variants import VARIANTS

REAL = Path(__file__).parents[2] / "../shared/data"
real = pytest.mark.skipif(not (REAL / "svhn.npz").is_file(), reason="the real images are not on this machine")


def write_idx(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = bytes((0, 0, 8, array.ndim)) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A data root in which everything is there, but little of it; each image is filled with its own number."""
    files = {
        "train-images-idx3-ubyte": (60, 28, 28), "train-labels-idx1-ubyte": (60,),
        "t10k-images-idx3-ubyte": (20, 28, 28), "t10k-labels-idx1-ubyte": (20,),
    }
    monkeypatch.setattr(mnist_svhn, "MNIST_FILES", files)
    monkeypatch.setattr(mnist_svhn, "VALIDATION", 10)
    raw = tmp_path / "MNIST" / "raw"
    for part, n, start in (("train", 60, 0), ("t10k", 20, 60)):
        numbers = np.arange(start, start + n, dtype=np.uint8)
        write_idx(raw / f"{part}-images-idx3-ubyte.gz", np.broadcast_to(numbers[:, None, None], (n, 28, 28)))
        write_idx(raw / f"{part}-labels-idx1-ubyte", numbers % 10)
    for part, n, start in (("train", 40, 0), ("test", 30, 40)):
        numbers = np.arange(start, start + n, dtype=np.uint8)
        labels = np.where(numbers % 10 == 0, 10, numbers % 10)
        savemat(tmp_path / f"{part}_32x32.mat", {"X": np.broadcast_to(numbers, (32, 32, 3, n)), "y": labels[:, None]})
    return tmp_path


def write_crops(root: Path) -> None:
    for name in mnist_svhn.SVHN_FILES:
        (root / name).unlink(missing_ok=True)
    numbers = np.arange(600)
    images = np.broadcast_to((numbers % 200).astype(np.uint8)[:, None, None, None], (600, 32, 32, 3))
    np.savez(root / "svhn.npz", images=images, labels=(numbers % 10).astype(np.uint8), photo=numbers // 3)


def test_official_photos_are_read_as_torchvision_reads_them(root, monkeypatch):
    monkeypatch.setattr("torchvision.datasets.svhn.check_integrity", lambda *_: True)  # these are not the real files
    data = dataset("mnist-svhn", root)
    for split, start in (("train", 0), ("test", 40)):
        theirs = SVHN(root, split=split)
        drawn = np.unique(data.draw(split, 5000, np.random.default_rng(0)).numpy() % 70)
        ids = data.pairing.ids(data.pairing.second[drawn], drawn)  # MNIST image n shows n
        images, labels = data.items(ids)
        assert ((255 * images["svhn"]).round().numpy() == theirs.data[drawn - start]).all()
        assert (labels["digit"].numpy() == theirs.labels[drawn - start]).all()


def test_official_splits_are_kept_and_validation_is_the_end_of_training(root):
    data = dataset("mnist-svhn", root)
    assert data.source == "official"
    assert [len(data.split(name)) for name in SPLITS] == [50, 10, 20]
    images, labels = data.items(torch.cat([data.split(name) for name in SPLITS]))
    mnist, svhn = ((255 * images[name][:, 0, 0, 0]).round().long() for name in ("mnist", "svhn"))
    assert mnist.tolist() == list(range(80))
    assert (mnist % 10 == labels["digit"]).all() and (svhn % 10 == labels["digit"]).all()  # the label 10 became the digit 0
    assert svhn[:50].max() < 30 and 30 <= svhn[50:60].min() and svhn[50:60].max() < 40 and svhn[60:].min() >= 40


def test_crops_of_one_photo_stay_on_one_side(root):
    write_crops(root)
    data = dataset("mnist-svhn", root)
    assert data.source == "600 crops of svhn.npz"
    photos = []
    for name in SPLITS:
        ids = data.draw(name, 20_000, np.random.default_rng(0))
        photos.append(set((ids % 600 // 3).tolist()))
    assert sum(map(len, photos)) == len(set.union(*photos)) == 200


def test_images_have_the_promised_shapes_and_augmentation_keeps_them(root):
    data = dataset("mnist-svhn", root)
    images, _ = data.items(data.draw("train", 16, np.random.default_rng(0)))
    once, again = (data.augment(images, np.random.default_rng(3)) for _ in range(2))
    for modality in data.modalities:
        assert once[modality.name].shape == images[modality.name].shape == (16, *modality.shape)
        assert images[modality.name].dtype == torch.float32
        assert 0 <= once[modality.name].min() and once[modality.name].max() <= 1
        assert torch.equal(once[modality.name], again[modality.name])


def test_missing_files_are_named_with_the_way_to_get_them(root, tmp_path):
    (root / "test_32x32.mat").unlink()
    with pytest.raises(DataError, match=r"expected test_32x32.mat; `python -m mmvae datasets --download mnist-svhn`") as caught:
        dataset("mnist-svhn", root)
    assert str(root) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(DataError, match="expected MNIST/raw/train-images-idx3-ubyte"):
        dataset("mnist-svhn", tmp_path / "nowhere")


@pytest.mark.parametrize("name", [
    "MNIST/raw/train-images-idx3-ubyte.gz", "MNIST/raw/t10k-labels-idx1-ubyte", "train_32x32.mat", "svhn.npz",
])
def test_a_file_cut_short_is_refused_by_name(root, name):
    if name == "svhn.npz":
        write_crops(root)
    content = (root / name).read_bytes()
    (root / name).write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(DataError) as caught:
        dataset("mnist-svhn", root)
    assert str(root / name) in str(caught.value) and "\n" not in str(caught.value)


def test_an_archive_that_breaks_off_is_not_unpacked_in_part(root):
    raw = root / "MNIST" / "raw"
    packed = raw / "train-images-idx3-ubyte.gz"
    packed.write_bytes(packed.read_bytes()[:-20])
    before = sorted(raw.iterdir())
    with pytest.raises(EOFError):
        mnist_svhn._unpack(packed)
    assert sorted(raw.iterdir()) == before


def test_a_map_of_the_crops_is_not_served_for_the_official_photos(root, tmp_path):
    model = MultimodalVAE.for_dataset(VARIANTS["joint-poe"], DATASETS["mnist-svhn"])

    def keys() -> tuple[str, str]:
        job = Job(model, dataset("mnist-svhn", root), "weights", Choice(("z_shared",), count=5), PCA(), tmp_path)
        return job.key, job.codes_key

    official = keys()
    write_crops(root)
    assert not set(official) & set(keys())


def test_crops_without_photos_are_refused(root):
    write_crops(root)
    np.savez(root / "svhn.npz", images=np.zeros((20, 32, 32, 3), np.uint8), labels=np.arange(20) % 10)
    with pytest.raises(DataError, match="svhn.npz: no array photo in it; found images, labels, expected images, labels, photo"):
        dataset("mnist-svhn", root)


@real
def test_real_images_split_without_a_shared_photo_and_about_as_promised():
    data = dataset("mnist-svhn", REAL)
    assert [len(data.split(name)) for name in SPLITS] == [55_000, 5_000, 10_000]
    photo = np.load(REAL / "svhn.npz")["photo"]
    crops = [np.unique(data.split(name).numpy() % 10_000) for name in SPLITS]
    crops[0] = np.setdiff1d(np.arange(10_000), np.concatenate(crops[1:]))
    assert len(crops[1]) == pytest.approx(500, abs=25) and len(crops[2]) == pytest.approx(1200, abs=40)
    photos = [set(photo[c].tolist()) for c in crops]
    assert not (photos[0] & photos[1] or photos[0] & photos[2] or photos[1] & photos[2])
