"""Finding a pair by its factors."""

import numpy as np

from mmvae import DATASETS
from ui.pairs import Pairs


def test_the_pair_to_begin_with_is_lit_and_turned_plainly():
    rows = {"identity": [0, 1, 2, 3], "azimuth": [-90.0, 9.0, 0.0, 0.0], "elevation": [0.0, 0.0, 0.0, 30.0], "lighting": [0.0, 0.0, -90.0, 0.0]}
    faces = Pairs(np.array([7, 8, 9, 10]), {name: np.array(values) for name, values in rows.items()}, DATASETS["faces"].factors)
    assert faces.plainest() == 8


def test_pairs_of_classes_alone_begin_with_the_first():
    digits = Pairs(np.array([7, 8]), {"digit": np.array([4, 1])}, DATASETS["digits"].factors)
    assert digits.plainest() == 7
