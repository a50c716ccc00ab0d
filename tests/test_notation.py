"""A variant's formula and graph say what its row says, for every row."""

import re

import pytest

from mmvae import DATASETS, VARIANTS
from mmvae.notation import HUES, diagram, formula
from mmvae.variants import FIRST, PAIR, Elbo

PAIRS = {name: DATASETS[name].modalities for name in ("faces", "mnist-svhn")}
every = pytest.mark.parametrize("variant", VARIANTS.values(), ids=list(VARIANTS))


def graph(variant, modalities):
    """Nodes {name: attributes} and edges {(tail, head): attributes} of a diagram."""
    lines = diagram(variant, modalities).splitlines()
    nodes, edges = {}, {}
    for line in lines:
        if match := re.fullmatch(r"\s+(\w+) -> (\w+) \[(.*)\]", line):
            edges[match[1], match[2]] = match[3]
        elif (match := re.fullmatch(r"\s+(\w+) \[label=(.*)\]", line)):
            nodes[match[1]] = match[2]
    return nodes, edges


def reachable(edges, start):
    found, todo = set(), [start]
    while todo:
        node = todo.pop()
        new = {head for tail, head in edges if tail == node} - found
        found |= new
        todo += new
    return found


@every
@pytest.mark.parametrize("pair", PAIRS)
def test_every_line_of_latex_closes_what_it_opens(variant, pair):
    for line in formula(variant, PAIRS[pair]):
        depth = 0
        for bracket in re.findall(r"(?<!\\)[{}]", line):
            depth += 1 if bracket == "{" else -1
            assert depth >= 0, line
        assert depth == 0, line
        assert line.count(r"\left") - line.count(r"\leftarrow") == line.count(r"\right"), line


def test_rows_that_say_different_things_are_written_differently():
    def said(row):
        return (row.private, row.encoders, row.fusion, row.prior_expert, row.terms, row.joint_decoder, row.family, row.learned_prior)

    written = {}
    for row in VARIANTS.values():
        written.setdefault(tuple(formula(row, PAIRS["faces"])), set()).add(said(row))
    assert all(len(rows) == 1 for rows in written.values())
    assert len(written) == len({said(row) for row in VARIANTS.values()})


def test_the_joint_product_multiplies_the_prior_in_for_one_modality_too():
    joint, pair, single, *_ = formula(VARIANTS["joint-poe"], PAIRS["mnist-svhn"])
    assert joint == r"p(x_1, x_2, z) = p(z)\,p(x_1 | z)\,p(x_2 | z)"
    assert pair == r"q(z | x_1, x_2) \propto p(z)\,q_1(z | x_1)\,q_2(z | x_2)"
    assert single.startswith(r"q(z | x_m) \propto p(z)\, q_m(z | x_m)")


def test_dmvae_multiplies_the_prior_in_for_the_pair_alone():
    _, pair, single, *_ = formula(VARIANTS["dmvae"], PAIRS["mnist-svhn"])
    assert r"\propto p(z_S)\," in pair
    assert "p(z_S)" not in single


def test_what_vanilla_cannot_infer_is_said():
    assert any("not defined" in line for line in formula(VARIANTS["vanilla"], PAIRS["faces"]))


@every
def test_the_loss_has_a_summand_for_each_term(variant):
    loss = next(line for line in formula(variant, PAIRS["faces"]) if line.startswith(r"\mathcal{L} ="))
    split = sum(1 for term in variant.terms if isinstance(term, Elbo) and term.reconstruction != term.kl)
    assert loss.count(" + ") + 1 == len(variant.terms) + split


@every
def test_edges_of_the_graph_join_nodes_of_the_graph(variant):
    nodes, edges = graph(variant, PAIRS["faces"])
    assert {end for edge in edges for end in edge} == set(nodes)


@every
def test_pictures_that_are_drawn_are_marked_for_the_style_that_moves_their_index_to_the_hat(variant):
    nodes, _ = graph(variant, PAIRS["faces"])
    assert {name for name, about in nodes.items() if 'class="hatted"' in about} == {"y0", "y1"}


@every
def test_the_graph_has_the_encoders_and_decoders_of_the_row(variant):
    nodes, edges = graph(variant, PAIRS["faces"])
    read = {frozenset(int(tail[1]) for tail, head in edges if head == node) for node in nodes if node.startswith("q")}
    assert read == set(variant.encoders)
    assert len([node for node in nodes if re.fullmatch(r"p\d+", node)]) == (1 if variant.joint_decoder else 2)


@every
def test_the_prior_joins_the_fusion_where_the_row_says_so(variant):
    _, edges = graph(variant, PAIRS["faces"])
    fused = variant.fusion != "pair encoder"
    assert (("prior", "fusion") in edges) == (fused and variant.prior_expert != "never")
    assert (("fusion", "z") in edges) == fused


@every
def test_a_private_code_reaches_its_own_picture_alone(variant):
    nodes, edges = graph(variant, PAIRS["faces"])
    assert {"y0", "y1"} <= reachable(edges, "z")
    assert ("z0" in nodes) == variant.private
    if variant.private:
        assert reachable(edges, "z0") & {"y0", "y1"} == {"y0"}
        assert reachable(edges, "z1") & {"y0", "y1"} == {"y1"}


@every
def test_dashed_is_what_the_posterior_of_the_pair_does_without(variant):
    _, edges = graph(variant, PAIRS["faces"])
    dashed = {tail for (tail, head), style in edges.items() if "dashed" in style and tail.startswith("q")}
    expected = {f"q{min(reads)}" for reads in variant.encoders if len(reads) == 1} if variant.fusion == "pair encoder" else set()
    assert dashed == expected


def test_colours_are_those_asked_for():
    hues = ("#111111", "#222222", "#333333")
    drawn = diagram(VARIANTS["mumo"], PAIRS["faces"], hues=hues, ink="#444444")
    assert set(re.findall(r'fillcolor="(#\w+)"', drawn)) == set(hues)
    assert not any(colour in drawn for colour in HUES)


def test_auxiliary_priors_are_named_where_a_term_draws_from_them():
    lines = formula(VARIANTS["mmvae-plus"], PAIRS["faces"])
    assert any(r"z_T \sim r" in line for line in lines) and any(line.startswith("r(z_m)") for line in lines)
    assert VARIANTS["mmvae-plus"].terms[0].given == FIRST and VARIANTS["mmvae-plus"].terms[0].rebuild == PAIR


def test_a_divergence_without_a_closed_form_is_written_as_the_bound_that_is_computed():
    clustered, mixed, plain = ("\n".join(formula(VARIANTS[name], PAIRS["mnist-svhn"])) for name in ("dmvae-clusters", "mopoe", "dmvae"))
    bound = r"-\log \sum_k w_k\, e^{-\mathrm{KL}(q(z_S | \cdot) \,\|\, p_k(z_S))}"
    assert bound in clustered and bound not in plain
    assert r"\sum_{k=1}^{3} \mathrm{KL}(q_k(z | x_g) \,\|\, p(z)) \ge \mathrm{KL}(q(z | x_g) \,\|\, p(z))" in mixed
    assert r"\ge" not in plain
