"""Lines of a formula are cut where a reader would cut them, and lose nothing."""

import re

import pytest

from mmvae import DATASETS, VARIANTS
from mmvae.notation import formula
from ui.explaining import broken


def plain(text: str) -> str:
    return re.sub(r"\\qquad|\s", "", text)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=list(VARIANTS))
@pytest.mark.parametrize("dataset", ["faces", "mnist-svhn"])
def test_pieces_make_up_the_line_and_close_what_they_open(variant, dataset):
    for line in formula(variant, DATASETS[dataset].modalities):
        pieces = broken(line)
        assert plain("".join(pieces)) == plain(line)
        for piece in pieces:
            assert piece and piece.count("{") - piece.count(r"\{") == piece.count("}") - piece.count(r"\}")
            assert piece.count(r"\left") == piece.count(r"\right")


def test_a_short_line_stays_whole_and_a_long_one_is_cut_before_a_term_and_not_within_brackets():
    assert broken(r"a = b, \qquad c = d", 20) == [r"a = b, \qquad c = d"]
    assert broken(r"L = f(x + y) + g(x + y) + h", 14) == ["L = f(x + y)", "+ g(x + y) + h"]
    assert broken(r"a = b + c, \qquad d = e", 7) == ["a = b + c,", "d = e"]
    assert broken(r"f(x + y + z + w)", 5) == ["f(x + y + z + w)"]
