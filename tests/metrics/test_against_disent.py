"""Where the package `disent` has the same metric, both give the same score."""

import sys

import numpy as np
import pytest

from mmvae.data import Factor
from mmvae.metrics.codes import hold_out, perfect_code, standardised
from mmvae.metrics.disentanglement import completeness_of, dci, disentanglement_of, factor_vote, mig, sap

with pytest.MonkeyPatch.context() as patch:  # lightning, below disent, would load a compiler that prints complaints when the tests end
    patch.setitem(sys.modules, "triton", None)
    from disent.dataset import DisentDataset
    from disent.dataset.data import GroundTruthData
    from disent.dataset.sampling import SingleSampler
    from disent.metrics import metric_factor_vae
    from disent.metrics._dci import _completeness, _compute_dci, _disentanglement
    from disent.metrics._mig import _compute_mig
    from disent.metrics._sap import _compute_sap

SIZES = (5, 7, 4)
GRID = np.stack(np.meshgrid(*map(np.arange, SIZES), indexing="ij"), axis=-1).reshape(-1, 3)
NAMES = ("first", "second", "third")
CLASSES = tuple(Factor(name, "categorical", tuple(map(str, range(size)))) for name, size in zip(NAMES, SIZES, strict=True))
ORDERED = tuple(Factor(name, "ordered", tuple(map(float, range(size)))) for name, size in zip(NAMES, SIZES, strict=True))


def drawn(items, seed=0):
    """Factor values [items, 3] and the same as labels."""
    values = GRID[np.random.default_rng(seed).integers(len(GRID), size=items)]
    return values, dict(zip(NAMES, values.T, strict=True))


def mixed(values, seed=1):
    """A code of five dimensions that mixes the factors with noise."""
    rng = np.random.default_rng(seed)
    return standardised(values.astype(float)) @ rng.standard_normal((3, 5)) + 0.3 * rng.standard_normal((len(values), 5))


def test_importance_gives_the_same_disentanglement_and_completeness():
    for seed in range(5):
        importance = np.random.default_rng(seed).dirichlet(np.full(6, 0.3), size=4).T
        assert disentanglement_of(importance) == pytest.approx(_disentanglement(importance), abs=1e-6)
        assert completeness_of(importance) == pytest.approx(_completeness(importance), abs=1e-6)


def test_gap_is_the_same_where_bins_cannot_differ():
    values, labels = drawn(2000)
    rng = np.random.default_rng(2)
    codes = np.column_stack([np.where(rng.random(2000) < keep, values[:, k % 3], rng.integers(4, size=2000))
                             for k, keep in enumerate((0.9, 0.8, 0.7, 0.5, 0.6))]).astype(float)  # fmt: skip
    assert mig(codes, labels, CLASSES).score == pytest.approx(_compute_mig(codes.T, values.T)["mig.discrete_score"], abs=1e-9)


def test_predictability_of_ordered_factors_is_the_same():
    values, labels = drawn(2000)
    codes = mixed(values)
    theirs = _compute_sap(codes.T, values.T.astype(float), codes.T, values.T, continuous_factors=True)["sap.score"]
    assert sap(codes, labels, ORDERED).score == pytest.approx(theirs, abs=0.002)


def test_predictability_of_classes_is_the_same_on_the_same_split():
    values, labels = drawn(2000)
    codes = mixed(values)
    train, test = hold_out(2000, seed=0)
    scaled = standardised(codes, codes[train])
    theirs = _compute_sap(scaled[train].T, values[train].T, scaled[test].T, values[test].T, continuous_factors=False)["sap.score"]
    assert sap(codes, labels, CLASSES).score == pytest.approx(theirs, abs=0.01)


@pytest.mark.parametrize("code", ["perfect", "mixed", "noise"])
def test_importance_of_trees_tells_the_same_story_with_other_trees(code):
    values, labels = drawn(1500)
    codes = {
        "perfect": perfect_code(labels, ORDERED, width=5),
        "mixed": mixed(values),
        "noise": np.random.default_rng(3).standard_normal((1500, 5)),
    }[code]
    train, test = hold_out(1500, seed=0)
    theirs = _compute_dci(codes[train].T, values[train].T, codes[test].T, values[test].T)
    readings = [dci(codes, labels, CLASSES)]
    if code != "mixed":  # regression leans on a mixed code otherwise than telling values apart does
        readings.append(dci(codes, labels, ORDERED))
    for ours in readings:
        assert ours.disentanglement == pytest.approx(theirs["dci.disentanglement"], abs=0.08)
        assert ours.completeness == pytest.approx(theirs["dci.completeness"], abs=0.08)


class Grid(GroundTruthData):
    """A data set whose observations are the codes themselves, one for each combination of factor values."""

    factor_names = NAMES
    factor_sizes = SIZES

    def __init__(self, codes):
        self.codes = codes
        super().__init__()

    @property
    def img_shape(self):
        return (1, 1, self.codes.shape[1])

    def _get_observation(self, idx):
        return self.codes[idx].astype(np.float32)


@pytest.mark.parametrize("turn", [0.0, 0.3, 1.0])
def test_grouping_items_votes_as_rendering_with_a_fixed_factor_does(turn):
    rng = np.random.default_rng(4)
    rotation = np.linalg.qr(np.eye(3) + turn * rng.standard_normal((3, 3)))[0]
    codes = standardised(GRID.astype(float)) @ rotation + 0.3 * rng.standard_normal((len(GRID), 3))
    np.random.seed(0)
    dataset = DisentDataset(Grid(codes), sampler=SingleSampler())
    theirs = metric_factor_vae(dataset, lambda x: x, batch_size=16, num_train=2000, num_eval=2000, num_variance_estimate=140)
    ours = factor_vote(codes, dict(zip(NAMES, GRID.T, strict=True)), CLASSES, batch=16)
    assert ours.score == pytest.approx(theirs["factor_vae.eval_accuracy"], abs=0.06)
