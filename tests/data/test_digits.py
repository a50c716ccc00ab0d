"""The stand-in is judged by a classifier that knows neither its drawing code nor its splits."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mmvae.data import SPLITS, DataError, dataset, digits


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A data root with a tenth of the house numbers, drawn once for all tests here."""
    root = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digits, "HOUSE_NUMBERS", 800)
        digits.render(root)
    return root


def test_both_kinds_of_image_show_their_digit(root):
    data = dataset("digits", root)
    (train, train_labels), (test, test_labels) = (data.items(data.split(name)) for name in ("train", "test"))
    reader = LogisticRegression(max_iter=200).fit(train["mnist"].flatten(1), train_labels["digit"])
    assert reader.score(test["mnist"].flatten(1), test_labels["digit"]) > 0.9
    contrast = [abs(images["svhn"].mean(dim=1) - images["svhn"].mean(dim=(1, 2, 3))[:, None, None]) for images in (train, test)]
    reader = LogisticRegression(max_iter=200).fit(contrast[0].flatten(1), train_labels["digit"])
    assert reader.score(contrast[1].flatten(1), test_labels["digit"]) > 0.5  # blind to which is the number, which the wall


def test_handwriting_fills_and_centres_as_mnist_does(root):
    data = dataset("digits", root)
    images = data.items(data.split("test"))[0]["mnist"].numpy()[:, 0]
    inked = images > 0.2
    assert inked.any(axis=2).sum(axis=1).max() <= 20 and inked.any(axis=1).sum(axis=1).max() <= 20
    middle = np.einsum("nij,i->n", images, np.arange(28)) / images.sum(axis=(1, 2))
    assert np.abs(middle - 13.5).max() < 1
    assert np.median(images.max(axis=(1, 2))) > 0.95


def test_splits_share_no_image_and_every_digit_is_in_each(root):
    data = dataset("digits", root)
    drawn = [data.draw(name, 20_000, np.random.default_rng(0)).numpy() for name in SPLITS]
    for images in ([ids // 800 for ids in drawn], [ids % 800 for ids in drawn]):
        sets = [set(part.tolist()) for part in images]
        assert sum(map(len, sets)) == len(set.union(*sets))
    for name in SPLITS:
        assert set(data.items(data.split(name))[1]["digit"].tolist()) == set(range(10))


def test_house_numbers_are_the_same_whenever_they_are_drawn():
    seen = []
    first, labels = digits._house_numbers(30, 0, lambda done, total: seen.append((done, total)))
    again, _ = digits._house_numbers(30, 0)
    other, _ = digits._house_numbers(30, 1)
    assert (first == again).all() and (first != other).any()
    assert labels.tolist() == [i % 10 for i in range(30)] and seen[-1] == (30, 30)


def test_a_damaged_cache_is_made_again_and_one_that_cannot_be_kept_is_an_error(root, tmp_path, monkeypatch):
    monkeypatch.setattr(digits, "HOUSE_NUMBERS", 400)
    whole = (root / "digits" / f"digits-v{digits.VERSION}.npz").read_bytes()
    (tmp_path / "digits").mkdir()
    cache = tmp_path / "digits" / f"digits-v{digits.VERSION}.npz"
    cache.write_bytes(whole[: len(whole) // 2])
    assert len(dataset("digits", tmp_path).images["svhn"]) == 400
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DataError, match="cannot be written .* --data-root or MMVAE_DATA"):
        dataset("digits", tmp_path / "file")


def test_it_says_that_it_is_a_stand_in(root):
    assert "stand-in" in dataset("digits", root).title
