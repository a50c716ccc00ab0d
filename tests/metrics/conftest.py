"""Labels of the rendered faces' factors, drawn at random: what the codes of the tests are made from."""

import numpy as np
import pytest

from mmvae.data import DATASETS

ITEMS = 3000


@pytest.fixture(scope="session")
def factors():
    return DATASETS["faces"].factors


@pytest.fixture(scope="session")
def ordered(factors):
    return tuple(factor for factor in factors if factor.kind == "ordered")


@pytest.fixture(scope="session")
def labels(factors):
    rng = np.random.default_rng(0)
    drawn = {factor.name: rng.integers(len(factor.values), size=ITEMS) for factor in factors}
    return {
        factor.name: drawn[factor.name]
        if factor.kind == "categorical"
        else np.asarray(factor.values, dtype=np.float32)[drawn[factor.name]]
        for factor in factors
    }


@pytest.fixture(scope="session")
def noise():
    return np.random.default_rng(1).standard_normal((ITEMS, 9))


@pytest.fixture(scope="session")
def rotation():
    return np.linalg.qr(np.random.default_rng(2).standard_normal((9, 9)))[0]
