"""The table of variants says what the papers say, and a row survives being written down."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from mmvae.variants import FIRST, PAIR, SECOND, VARIANTS, Contrast, Cycle, Elbo, ImportanceBound, Match, variant_from_json, variant_to_json

REQUIRED = ("joint-poe mumo vanilla mmpoe-v1 mmpoe-v2 wg-v1 wg-v2 mvae mmvae mopoe dmvae mmvae-plus mvtcae jmvae").split()


def test_every_variant_of_the_field_is_there_under_its_own_name():
    assert set(REQUIRED) <= set(VARIANTS)
    assert all(name == row.name for name, row in VARIANTS.items())
    assert not any(VARIANTS[name].own for name in REQUIRED)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_row_written_as_json_text_and_read_back_is_the_same(name):
    assert variant_from_json(json.loads(json.dumps(variant_to_json(VARIANTS[name])))) == VARIANTS[name]


@pytest.mark.parametrize(("name", "reads"), [("mumo", [{0}, {1}, {0, 1}]), ("jmvae", [{0}, {1}, {0, 1}]), ("vanilla", [{0, 1}]), ("mmpoe-v1", [{0}, {1}])])
def test_encoders_read_what_the_paper_gives_them(name, reads):
    assert list(map(set, VARIANTS[name].encoders)) == reads


@pytest.mark.parametrize(("name", "losses"), [("joint-poe", 1), ("vanilla", 1), ("mmpoe-v1", 1), ("wg-v1", 1), ("mumo", 3), ("mmpoe-v2", 3), ("wg-v2", 3), ("mvae", 3)])
def test_one_loss_is_for_the_pair_and_three_are_for_the_pair_and_each_alone(name, losses):
    expected = [(PAIR, PAIR), (FIRST, FIRST), (SECOND, SECOND)][:losses]
    assert [(term.given, term.rebuild) for term in VARIANTS[name].terms] == expected


def test_only_vanilla_has_one_decoder_for_both_and_cannot_infer_from_one():
    assert [name for name, row in VARIANTS.items() if row.joint_decoder] == ["vanilla"]
    refuses = {name for name, row in VARIANTS.items() for given in (FIRST, SECOND) if not row.infers_from(given)}
    assert refuses == {"vanilla"}
    assert all(row.infers_from(PAIR) and row.infers_from(frozenset()) for row in VARIANTS.values())


def test_the_auxiliary_prior_belongs_to_mmvae_plus_alone():
    assert [name for name, row in VARIANTS.items() if row.auxiliary_prior] == ["mmvae-plus"]


def test_total_correlation_weights_of_mvtcae_are_those_of_its_bound():
    joint, *matches = VARIANTS["mvtcae"].terms
    alpha = 2 * (1 - joint.reconstruction)
    beta = joint.kl / (1 - alpha)
    assert 0 < alpha < 1
    assert [match.weight for match in matches] == pytest.approx([beta * alpha / 2] * 2)
    assert [(match.more, match.less) for match in matches] == [(PAIR, FIRST), (PAIR, SECOND)]


@pytest.mark.parametrize("field", ["fusion", "prior_expert", "family"])
def test_a_row_with_an_unknown_choice_is_refused_by_name(field):
    with pytest.raises(ValueError, match=f"{field} 'sum' is none of"):
        replace(VARIANTS["mvae"], **{field: "sum"})


@pytest.mark.parametrize("spoil", [
    lambda row: row.pop("terms"), lambda row: row.pop("encoders"), lambda row: row.update(colour="red"), lambda row: row.update(terms=[{"term": "Secret"}]),
    lambda row: row.update(terms=[{"term": "Elbo", "given": [0], "rebuild": [0], "sign": -1}]), lambda row: row.update(terms=3),
    lambda row: row.update(encoders=None), lambda row: row.update(encoders=[3]), lambda row: row.update(encoders=[[0], [7]]),
    lambda row: row.update(encoders=[]), lambda row: row.update(encoders=[[0], [0]]), lambda row: row.update(terms=[]),
    lambda row: row.update(terms=[{"term": "Elbo", "given": [0, 2], "rebuild": [0]}]), lambda row: row.update(fusion=["product"]),
    lambda row: row.update(name=5), lambda row: row.update(terms=[{"term": "Elbo", "given": [0], "rebuild": [0], "weight": "heavy"}]),
    lambda row: row.update(terms=[{"term": "Elbo", "given": [0], "rebuild": [0], "alien": "martian"}])])
def test_a_malformed_row_is_a_value_error(spoil):
    row = json.loads(json.dumps(variant_to_json(VARIANTS["mvae"])))
    spoil(row)
    with pytest.raises(ValueError):
        variant_from_json(row)


def test_the_kinds_of_terms_are_all_in_use():
    assert {type(term) for row in VARIANTS.values() for term in row.terms} == {Elbo, Match, ImportanceBound, Contrast, Cycle}


def test_the_table_is_read_without_importing_torch():
    code = "import sys, mmvae; mmvae.VARIANTS['mumo'], mmvae.DATASETS['faces']; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
