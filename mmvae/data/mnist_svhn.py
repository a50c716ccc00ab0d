"""Real digits, handwritten (MNIST) and on houses (SVHN), from files in torchvision's layout."""

from __future__ import annotations

__all__ = ["DOWNLOAD_BYTES", "MnistSvhn", "download"]

import gzip
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..files import opened_atomically
from . import DATASETS
from .arrays import read_arrays
from .base import DataError
from .download import fetch
from .pairing import ImagesByDigit, RePairedDigits, grouped_split

VALIDATION = 5_000  # images at the end of each official training set that are kept for validation
CROPS = "svhn.npz"
SVHN_FILES = ("train_32x32.mat", "test_32x32.mat")
MNIST_FILES = {  # name: shape of what it holds
    "train-images-idx3-ubyte": (60_000, 28, 28),
    "train-labels-idx1-ubyte": (60_000,),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
    "t10k-labels-idx1-ubyte": (10_000,),
}
#: Bytes that `download` fetches for each file.
SIZES = {
    "train-images-idx3-ubyte.gz": 9_912_422,
    "train-labels-idx1-ubyte.gz": 28_881,
    "t10k-images-idx3-ubyte.gz": 1_648_877,
    "t10k-labels-idx1-ubyte.gz": 4_542,
    "train_32x32.mat": 182_040_794,
    "test_32x32.mat": 64_275_384,
}
DOWNLOAD_BYTES = sum(SIZES.values())


class MnistSvhn(RePairedDigits):
    """MNIST and SVHN images that share the digit; any two of one digit are a pair.

    MNIST images 0…59,999 are the official training set and 60,000…69,999 its test set; SVHN images count the same way
    through ``train_32x32.mat`` and ``test_32x32.mat``. Where these two are missing, the crops of ``svhn.npz`` serve, and
    ids count those: `source` says which it was.

    Arguments:
        root: The data root, with ``MNIST/raw`` (as .gz or unpacked) and the SVHN files in it.

    Raises:
        DataError: Where files are missing, cut short or of another kind.

    References:
        LeCun et al. (1998), Gradient-Based Learning Applied to Document Recognition.
        Netzer et al. (2011), Reading Digits in Natural Images with Unsupervised Feature Learning.
    """

    #: Where the house numbers come from: ``"official"``, or such as ``"10,000 crops of svhn.npz"``.
    source: str

    def __init__(self, root: Path) -> None:
        mnist = _mnist(root)
        if all((root / name).is_file() for name in SVHN_FILES):
            svhn, self.source = _official_svhn(root), "official"
        elif (root / CROPS).is_file():
            svhn = _svhn_crops(root / CROPS)
            self.source = f"{len(svhn.labels):,} crops of {CROPS}"
        else:
            raise _missing(root, " and ".join(name for name in SVHN_FILES if not (root / name).is_file()))
        super().__init__(DATASETS["mnist-svhn"], mnist, svhn)


def download(root: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Fetch whatever of MNIST and SVHN is not in the data root yet, each file checked against torchvision's checksum.

    Arguments:
        progress: Called with the bytes done and the bytes in total, of all missing files together.

    Raises:
        DataError: Where a host cannot be reached or sends something else; what is there by then is continued next time.
    """
    from torchvision.datasets import MNIST, SVHN  # only for its list of places and checksums; it takes seconds to import

    wanted = [
        (root / "MNIST" / "raw" / name, [mirror + name for mirror in MNIST.mirrors], md5)
        for name, md5 in MNIST.resources
        if not _raw_file(root, name.removesuffix(".gz"))
    ]
    photos = (SVHN.split_list[split] for split in ("train", "test"))
    wanted += [(root / name, [url], md5) for url, name, md5 in photos if not (root / name).is_file()]
    total, done = sum(SIZES[path.name] for path, _, _ in wanted), 0
    for path, urls, md5 in wanted:
        before = done
        fetch(urls, path, md5=md5, size=SIZES[path.name], progress=progress and (lambda here, _: progress(before + here, total)))
        done += SIZES[path.name]
        if path.suffix == ".gz":
            _unpack(path)


def _unpack(path: Path) -> None:
    with gzip.open(path) as packed, opened_atomically(path.with_suffix("")) as unpacked:
        shutil.copyfileobj(packed, unpacked)
    path.unlink(missing_ok=True)  # another call that found it there has unpacked it too


def _missing(root: Path, what: str) -> DataError:
    return DataError(f"{root}: MNIST–SVHN is not there; expected {what}; `python -m mmvae datasets --download mnist-svhn` "
                     f"fetches it ({DOWNLOAD_BYTES / 1e6:.0f} MB)")


def _raw_file(root: Path, name: str) -> Path | None:
    raw = root / "MNIST" / "raw"
    return next((path for path in (raw / name, raw / f"{name}.gz") if path.is_file()), None)


def _mnist(root: Path) -> ImagesByDigit:
    paths = {name: _raw_file(root, name) for name in MNIST_FILES}
    missing = [name for name, path in paths.items() if path is None]
    if missing:
        raise _missing(root, f"MNIST/raw/{missing[0]}")
    train, train_labels, test, test_labels = (_idx(paths[name], shape) for name, shape in MNIST_FILES.items())
    images, labels = np.concatenate([train, test]), np.concatenate([train_labels, test_labels]).astype(np.int64)
    return ImagesByDigit(torch.from_numpy(images).unsqueeze(1), labels, _official_splits(len(train), len(test)))


def _idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The bytes of an idx file: two zeros, the type (8: uint8), the number of axes, their lengths, the data."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (gzip.BadGzipFile, EOFError, zlib.error, OSError) as error:
        raise DataError(f"{path}: cannot be read ({error}); delete it and download it again") from None
    header = bytes((0, 0, 8, len(shape))) + np.array(shape, ">u4").tobytes()
    if not content.startswith(header) or len(content) != len(header) + np.prod(shape):
        raise DataError(f"{path}: not an idx file of {'×'.join(map(str, shape))} bytes (it holds {len(content):,}); "
                        "delete it and download it again")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)


def _official_splits(train: int, test: int) -> np.ndarray:
    """Training, validation at its end, test. SVHN's crops lie in the order of their photos: one photo at most is cut."""
    return np.repeat([0, 1, 2], [train - VALIDATION, VALIDATION, test])


def _official_svhn(root: Path) -> ImagesByDigit:
    parts = [_mat(root / name) for name in SVHN_FILES]
    images = torch.cat([torch.from_numpy(images).permute(3, 2, 0, 1) for images, _ in parts])
    labels = np.concatenate([labels for _, labels in parts])
    return ImagesByDigit(images.contiguous(), labels, _official_splits(*(len(labels) for _, labels in parts)))


def _mat(path: Path) -> tuple[np.ndarray, np.ndarray]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(path, variable_names=["X", "y"])
        images, labels = content["X"], content["y"].reshape(-1).astype(np.int64) % 10  # the digit 0 has the label 10
    except (MatReadError, KeyError, ValueError, TypeError, NotImplementedError, EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: not SVHN's .mat file of cropped digits ({error}); delete it and download it again") from None
    if images.dtype != np.uint8 or images.shape != (32, 32, 3, len(labels)):
        raise DataError(f"{path}: X is {images.dtype} {images.shape} for {len(labels)} labels; "
                        f"expected uint8 (32, 32, 3, {len(labels)})")
    return images, labels


def _svhn_crops(path: Path) -> ImagesByDigit:
    content = read_arrays(path, ("images", "labels", "photo"))
    images, labels, photo = content["images"], content["labels"], content["photo"]
    if images.dtype != np.uint8 or images.shape[1:] != (32, 32, 3):
        raise DataError(f"{path}: images are {images.dtype} {images.shape}; expected uint8 (N, 32, 32, 3)")
    for name, array in (("labels", labels), ("photo", photo)):
        if array.dtype.kind not in "iu" or array.shape != images.shape[:1]:
            raise DataError(f"{path}: {name} is {array.dtype} {array.shape}; expected whole numbers ({len(images)},)")
    labels = labels.astype(np.int64)
    if set(np.unique(labels)) != set(range(10)):
        raise DataError(f"{path}: labels are {np.unique(labels).tolist()}; expected each of 0 to 9")
    splits = grouped_split(labels, photo, validation=0.05, test=0.12, seed=0)
    return ImagesByDigit(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), labels, splits)
