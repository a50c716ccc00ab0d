"""Comparisons say what the cards say: where a factor belongs, what leaks, which lead is beyond error, and nothing unescaped."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, replace
from html.parser import HTMLParser

import pytest

from mmvae import DATASETS, VARIANTS
from mmvae.checkpoints import SCHEMA
from mmvae.comparison import UNLIKE, Entry, columns, findings, key_lines, lines, matrix, measured_on, sentence
from mmvae.report import csv_table, html_report, latex_table, legend_html, matrix_html, provenance_html, standings_html, standings_latex, table_html
from mmvae.variants import variant_to_json

MODALITIES = [{"name": "elevation", "symbol": "x_I"}, {"name": "lighting", "symbol": "x_T"}]
PARTS = [{"name": "z_elevation", "dim": 2, "owner": "elevation"}, {"name": "z_shared", "dim": 5, "owner": None}, {"name": "z_lighting", "dim": 2, "owner": "lighting"}]
SMALLER = [{**part, "dim": 1} for part in PARTS]
FACTORS = ["identity", "azimuth", "elevation", "lighting"]
MEASURES = ["accuracy above chance", "R²", "R²", "R²"]


def entry(values, figures=None, *, name="faces-a", title="MuMo-VAE", seed=0, dataset="faces", blocks=PARTS):
    """A model with this leakage, [block][factor]; the reference code scores 1 wherever a factor belongs."""
    names = [block["name"] for block in blocks]
    home = {"identity": "z_shared", "azimuth": "z_shared", "elevation": "z_elevation", "lighting": "z_lighting"}
    ceiling = [[float(home[factor] == block or len(blocks) == 1) for factor in FACTORS] for block in names]
    leakage = {"blocks": names, "factors": FACTORS, "values": values, "ceiling": ceiling, "measures": MEASURES, "chance": [0.02, 0, 0, 0], "items": 500}
    config = {"variant": {"name": "mumo", "title": title}, "dataset": dataset, "blocks": blocks, "modalities": MODALITIES, "training": {"steps": 10, "seed": seed}}
    card = {"figures": figures or {}, "leakage": leakage, "dataset": dataset, "source": None, "pairs": 500, "seed": 0, "trained_pairs": 640, "parameters": 1000,
            "measured": "2026-01-01", "seconds": 3.0, "machine": {"processor": "one"}}
    return Entry(name, config, card)


CLEAN = [[0.01, -0.02, 0.95, 0.0], [0.8, 0.99, 0.03, 0.04], [0.0, 0.0, 0.0, 0.9]]
LEAKY = [[0.0, 0.0, 0.2, 0.0], [0.8, 0.99, 0.31, 0.12], [0.0, 0.0, 0.0, 0.9]]


def coherence(value, stderr=None):
    return {"cross_coherence/mnist→svhn/digit": {"metric": "cross_coherence", "value": value, **({"stderr": stderr} if stderr else {}), "ceiling": 0.95}}


def test_a_separated_code_lies_along_the_diagonal_of_its_matrix():
    found = matrix(entry(CLEAN))
    assert [factor.name for factor in found.factors] == ["elevation", "identity", "azimuth", "lighting"]
    assert [[cell.home for cell in row] for row in found.rows] == [[True, False, False, False], [False, True, True, False], [False, False, False, True]]
    assert findings(found).separated and min(cell.value for cell in found.cells) == 0.0  # what a probe gets wrong is a guess


def test_what_stands_in_the_wrong_block_leaks_and_what_its_own_block_lacks_is_lost():
    said = findings(matrix(entry(LEAKY)))
    assert [(cell.block, cell.factor, cell.value) for cell in said.leaks] == [("z_shared", "elevation", 0.31), ("z_shared", "lighting", 0.12)]
    assert [(cell.block, cell.factor) for cell in said.lost] == [("z_elevation", "elevation")]
    assert not said.separated


@pytest.mark.parametrize("value, error, verdict", [(0.31, 0.02, "leaks"), (0.12, 0.02, "doubtful"), (0.09, 0.02, "doubtful"), (0.05, 0.02, "clean"), (0.12, None, "leaks")])
def test_a_leak_is_judged_with_its_error(value, error, verdict):
    one = entry([CLEAN[0], [0.8, 0.99, value, 0.04], CLEAN[2]])
    if error is not None:
        one.card["leakage"]["errors"] = [[error] * 4] * 3
    said = findings(matrix(one))
    assert (bool(said.leaks), bool(said.doubtful), said.separated) == (verdict == "leaks", verdict == "doubtful", verdict == "clean")
    spread = f" ± {error:.2f}" if error else ""
    text = {"leaks": "Leaks: the shared code knows", "doubtful": "Perhaps: the shared code knows", "clean": "Nothing leaks: the most is the shared code with"}[verdict]
    assert text in sentence(one) and f"R² {value:.2f}{spread}" in sentence(one)
    assert ("<i>leaks</i>" in matrix_html(one)) == (verdict == "leaks")


def own(values, **card):
    """A model of a person's own pairs with one factor, read by two private blocks and the shared one."""
    one = entry(CLEAN)
    leakage = {**one.card["leakage"], "factors": ["kind"], "measures": ["accuracy above chance"], "chance": [0.3], "values": values, "ceiling": None}
    return Entry("own", {**one.config, "dataset": "/some/pairs.npz"}, {**one.card, "leakage": leakage, **card})


def test_on_a_persons_own_pairs_a_factor_belongs_where_the_card_says():
    values = [[0.9], [0.0], [0.0]]
    declared = own(values, factors=[{"name": "kind", "kind": "categorical", "unit": "", "owner": "elevation"}], owners=True)
    assert findings(matrix(declared)).separated and "In its place: kind" in sentence(declared)
    shared = own(values, factors=[{"name": "kind", "kind": "categorical", "unit": "", "owner": None}], owners=True)
    assert [cell.block for cell in findings(matrix(shared)).leaks] == ["z_elevation"]


def test_where_nobody_says_whose_a_factor_is_nothing_leaks():
    for one in (own([[0.9], [0.0], [0.0]]), own([[0.9], [0.0], [0.0]], factors=[{"name": "kind", "kind": "categorical", "unit": "", "owner": None}], owners=False)):
        said = findings(matrix(one))
        assert not said.leaks and not said.doubtful and not said.lost and said.worst is None and not said.separated
        assert "Best read: kind from the private code of elevation, 0.90 above chance" in sentence(one)
        assert "leaks" not in matrix_html(one) and [line.key for line in key_lines(columns([one]))] == []


def test_where_nobody_says_whose_a_factor_is_nothing_is_high_or_low_and_no_reference_stands_there():
    one = own([[0.9], [0.5], [0.0]], owners=False)
    one.card["leakage"]["ceiling"] = [[0.0], [1.0], [0.0]]
    for text in (matrix_html(one) + legend_html([one]), html_report([one]), latex_table([one]), csv_table([one])):
        body = text.partition("</style>")[2] or text
        assert not any(word in body for word in ("belongs here", "belongs elsewhere", "reference", "perfect", "(1.00)", "(0.00)"))
    assert all(cell.ceiling is None for cell in matrix(one).cells)
    owned = own([[0.9], [0.5], [0.0]], owners=True)
    owned.card["leakage"]["ceiling"] = [[0.0], [1.0], [0.0]]
    assert "belongs here" in legend_html([one, owned]) and "reference: " in legend_html([one, owned])


def test_what_the_reference_code_scores_is_not_called_perfect_for_a_model_may_score_more():
    one = entry([[0.94, 0.9, 0.8, 0.7]], blocks=[{"name": "z_shared", "dim": 10, "owner": None}])
    one.card["leakage"]["ceiling"] = [[0.93, 1.0, 1.0, 1.0]]
    assert "<span>reference </span>0.93" in matrix_html(one)
    assert "perfect" not in matrix_html(one) + legend_html([one]) + csv_table([one]) + html_report([one])


def test_a_score_without_a_reference_promises_none():
    def about(**figure):
        return table_html([entry(CLEAN, {key: {"metric": key.partition("/")[0], "value": 0.058, **figure} for key in ("mig/identity", "explicitness/identity")})])

    assert "reference code" not in about() and "To be read against: guessing scores 0.5." in about()
    assert about(reference=0.9).count("shown beside the score") == 2


def test_what_a_model_was_trained_on_is_said_of_each_stretch():
    one = entry(CLEAN, coherence(0.9))
    first = {"training": {"steps": 9603, "batch_size": 64, "seed": 0}, "trained": {"steps": 9603, "seconds": 255, "device": "cuda", "processor": "NVIDIA H200"}}
    one.config.update(began_with=first, training={"steps": 4000, "batch_size": 32, "seed": 0}, trained={"steps": 4000, "seconds": 5542, "processor": "Intel(R) Xeon(R)"})
    assert "9,603 × 64, on 4,000 × 32, seed 0, 4 min on NVIDIA H200 + 92 min</td>" in provenance_html([one])
    assert "97 min" not in html_report([one])


def test_one_code_has_nothing_private_in_its_place():
    one = entry([[0.9, 0.99, 0.97, 0.98]], name="one", title="Joint", blocks=[{"name": "z_shared", "dim": 10, "owner": None}])
    over = columns([one, entry(CLEAN, name="parted", title="Parted")])
    rows = {line.key: line for line in key_lines(over)}
    assert [rows[f"in place/{name}"].cells[0].value for name in FACTORS] == [0.9, 0.99, None, None]
    assert rows["in place/elevation"].cells[0].reason.startswith("one code") and rows["in place/elevation"].cells[1].value == 0.95
    first = standings_latex(over, list(rows.values())).partition("\\midrule")[2].strip().splitlines()[0]
    assert first.count("---") == 3 and "0.970" not in first
    assert "in place" not in csv_table([one]) and "leakage/z_shared/elevation,0.97" in csv_table([one])


def test_the_sentence_repeats_the_measured_figures():
    assert "the shared code knows elevation, R² 0.31" in sentence(entry(LEAKY))
    assert "Nothing leaks: the most is the shared code with lighting, R² 0.04" in sentence(entry(CLEAN))
    one = entry([[0.5, 0.9, 0.8, 0.7]], {"dci_disentanglement": {"metric": "dci_disentanglement", "value": 0.3, "ceiling": 0.99}},
                blocks=[{"name": "z_shared", "dim": 10, "owner": None}])
    assert sentence(one).startswith("One code of 10 dimensions holds all it knows: azimuth R² 0.90") and "DCI 0.30" in sentence(one)
    assert sentence(Entry("new", one.config, {})) == "Not measured yet."


@pytest.mark.parametrize("second, error, bold", [(0.80, 0.01, True), (0.89, 0.01, False), (0.80, None, False), (0.80, 0.1, False)])
def test_the_best_is_marked_only_where_its_lead_is_beyond_the_stated_errors(second, error, bold):
    over = columns([entry(CLEAN, coherence(0.9, error), name="a", title="A"), entry(CLEAN, coherence(second, error), name="b", title="B")])
    (line,) = lines(over)
    assert [cell.best for cell in line.cells] == [bold, False]


@pytest.mark.parametrize("same, bold", [(True, True), (False, False)])
def test_models_on_the_same_pairs_are_weighed_by_the_paired_difference(same, bold):
    # a lead of .02 in every batch, where the batches themselves range from .5 to .9
    means = [0.5, 0.6, 0.7, 0.8, 0.9]

    def measured(lead, of, name):
        figure = {"metric": "cross_coherence", "value": 0.7 + lead, "stderr": 0.07, "batches": {"of": of, "means": [mean + lead + 0.001 * (i % 2) for i, mean in enumerate(means)]}}
        one = entry(CLEAN, {"cross_coherence/mnist→svhn/digit": figure}, name=name, title=name)
        one.card["batches"] = {of: [100] * 5}
        return one

    (line,) = lines(columns([measured(0.0, "pairs", "a"), measured(0.02, "pairs" if same else "others", "b")]))
    assert [cell.best for cell in line.cells] == [False, bold]


def test_what_stands_beside_a_figure_is_called_what_it_is():
    swap = {"swap_error/elevation": {"metric": "swap_error", "value": 0.02, "reference": 0.01}}
    assert "<small>own codes 0.0100</small>" in table_html([entry(CLEAN, swap)])
    old = {"mig": {"metric": "mig", "value": 0.2, "ceiling": 0.9}}  # of a card from before the word was dropped
    assert "<small>reference code 0.900</small>" in table_html([entry(CLEAN, old)])
    best = [{"swap_error/elevation": {"metric": "swap_error", "value": 0.02, "reference": beside}} for beside in (0.01, 0.03)]
    over = columns([entry(CLEAN, figures, name=str(i), title=str(i)) for i, figures in enumerate(best)])
    assert '<tr class="references">' in standings_html(over, lines(over)) and "<td>0.0100</td></tr></tbody>" in standings_html(over, lines(over))


def test_columns_of_unlike_numbers_of_pairs_say_so():
    one, other = entry(CLEAN, coherence(0.9), name="a", title="A"), entry(CLEAN, coherence(0.8), name="b", title="B")
    assert "measured on 500" not in table_html([one, other])
    other.card["pairs"] = 2000
    over = columns([one, other])
    assert "measured on 500 pairs" in table_html([one, other]) and "measured on 2,000 pairs" in table_html([one, other])
    assert "<td>500</td>" in standings_html(over, lines(over)) and "<td>2,000</td>" in standings_html(over, lines(over))
    for text in (table_html([one, other]), standings_html(over, lines(over))):
        assert "reads less of the same code where there are 500 than where there are 2,000" in text


def test_what_is_not_of_the_test_split_alone_says_so_where_it_is_shown():
    one = entry(CLEAN, {"mig": {"metric": "mig", "value": 0.2, "note": "on azimuth; pairs of all splits"}, **coherence(0.9)})
    one.card["leakage"]["split"] = "all"
    assert "500 pairs of all splits" in matrix_html(one) and "pairs of all splits" not in matrix_html(entry(CLEAN))
    assert table_html([one]).count(" · pairs of all splits</span>") == 1 and latex_table([one]).count(", pairs of all splits") == 1


def test_an_error_is_never_shown_as_none():
    assert "5.17 ± 0.04" in table_html([entry(CLEAN, {"kl/z_elevation": {"metric": "kl", "value": 5.1666, "stderr": 0.044, "unit": "nats"}})])


def test_a_note_keeps_what_is_true_of_every_column():
    notes = ("9.9 of 10 classes drawn; from a mixture", "8.0 of 10 classes drawn; from a mixture")
    figures = [{"joint_coherence/fitted/digit": {"metric": "joint_coherence", "value": 0.9, "note": note}} for note in notes]
    (line,) = lines(columns([entry(CLEAN, each, name=str(i), title=str(i)) for i, each in enumerate(figures)]))
    assert line.note == "from a mixture"


@pytest.mark.parametrize("key, note, title", [
    ("preserved_error/elevation→lighting/elevation", "should be neutral", "Off neutral"), ("preserved_within/elevation→lighting/elevation", "should be neutral", "Neutral within a step"),
    ("preserved_error/prior/azimuth", "of the two pictures from each other; drawn", "Disagreement on a factor"), ("preserved_error/elevation→lighting/azimuth", None, "Preserved-factor error")])
def test_an_error_of_a_factor_that_need_not_be_kept_says_so_beside_models_that_lack_it_too(key, note, title):
    metric = key.partition("/")[0]
    has, lacks = {key: {"metric": metric, "value": 0.1, "stderr": 0.00003, "note": note}}, {key: {"metric": metric, "value": None, "reason": "cannot be inferred from one"}}
    over = [entry(CLEAN, has, name="a", title="A"), entry(CLEAN, lacks, name="b", title="B")]
    (line,) = lines(columns(over))
    assert (line.metric.title, line.note) == (title, note or "")
    assert title in table_html(over) and title in latex_table(over)
    assert "0.100 ± &lt; 0.001" in table_html(over) and r"0.100 \pm < 0.001" in latex_table(over)  # not 0


def test_a_long_reason_is_told_again_after_another_one():
    long, other = "it has no encoder of one modality alone, and draws none from the other", "does not apply"
    reasons = {"cross_coherence/a→b/digit": long, "cross_coherence/b→a/digit": long, "identity_kept/a→b": other, "swap_error/a": long}
    html = table_html([entry(CLEAN, {key: {"metric": key.partition("/")[0], "value": None, "reason": reason} for key, reason in reasons.items()})])
    assert [reason for reason in ("as above", other, long) for _ in range(html.count(f"<small>{reason}</small>"))] == ["as above", other, long, long]


@pytest.mark.parametrize("likelihood, bold", [("bernoulli", True), ("gaussian", False)])
def test_nats_of_unlike_likelihoods_are_not_weighed_against_each_other(likelihood, bold):
    def bound(value):
        return {"elbo": {"metric": "elbo", "value": value, "stderr": 1.0, "unit": "nats", "note": "unit weights"}}

    one, other = entry(CLEAN, bound(-100.0), name="a", title="A"), entry(CLEAN, bound(-900.0), name="b", title="B")
    one.config["modalities"], other.config["modalities"] = ([{**m, "likelihood": kind} for m in MODALITIES] for kind in ("bernoulli", likelihood))
    (line,) = lines(columns([one, other]))
    assert [cell.best for cell in line.cells] == [bold, False]
    assert line.note == ("unit weights" if bold else UNLIKE)


def test_seeds_of_one_configuration_share_a_column_with_their_mean_and_its_error():
    over = columns([entry(CLEAN, coherence(value), name=f"s{seed}", seed=seed) for seed, value in enumerate((0.7, 0.8, 0.9))])
    (line,) = lines(over)
    assert len(over) == 1 and line.cells[0].value == pytest.approx(0.8)
    assert line.cells[0].error == pytest.approx(0.1 / 3**0.5)


def test_models_of_one_variant_and_length_are_told_apart_by_their_names_and_pairs():
    over = columns([entry(CLEAN, coherence(0.9), name="one"), entry(CLEAN, coherence(0.8), name="one"), entry(CLEAN, coherence(0.7), name="two", blocks=SMALLER)])
    text = standings_html(over, lines(over))
    assert "<small>one<br>2 + 5 + 2 dim" in text and "<small>two<br>1 + 1 + 1 dim" in text and text.count("<td>500</td>") == 3
    assert "reads less" not in text


def test_the_models_below_one_another_are_taken_along_as_they_are_shown():
    over = columns([entry(CLEAN, coherence(0.9, 0.01), name="one_1", title="A & B"), entry(CLEAN, coherence(0.5, 0.01), name="two", title="C", seed=1, blocks=SMALLER)])
    text = standings_latex(over, lines(over))
    first, second = text.partition("\\midrule")[2].strip().splitlines()[:2]
    assert first.startswith(r"A \& B & one\_1 & 500 & $\mathbf{0.900}") and second.startswith("C & two & 500 & $0.500")
    assert text.count(r"\begin{tabular}{lrrr}") == 1


def test_all_figures_of_a_line_have_the_same_number_of_decimals():
    text = standings_html(*(lambda over: (over, lines(over)))(columns([entry(CLEAN, coherence(value), name=name, title=name) for name, value in (("a", 0.855), ("b", 0.062))])))
    assert ">0.855<" in text and ">0.062<" in text and "0.0620" not in text
    assert ">0.0410<" in standings_html(*(lambda over: (over, lines(over)))(columns([entry(CLEAN, coherence(0.041))])))


def test_a_refusal_is_a_dash_with_its_reason():
    refused = {"cross_coherence/mnist→svhn/digit": {"metric": "cross_coherence", "value": None, "reason": "cannot infer from one picture"}}
    text = table_html([entry(CLEAN, coherence(0.9), title="A"), entry(CLEAN, refused, name="b", title="B")])
    assert "—" in text and text.count("cannot infer from one picture") >= 1


def test_published_figures_stand_beside_real_mnist_svhn_alone():
    assert "MMVAE 0.860" in table_html([entry(CLEAN, coherence(0.5), dataset="mnist-svhn")])
    assert "MMVAE" not in table_html([entry(CLEAN, coherence(0.5), dataset="digits")])


def test_two_published_figures_of_one_variant_say_whose_they_are():
    text = table_html([entry(CLEAN, coherence(0.5), dataset="mnist-svhn")])
    assert "DMVAE 0.881<small>Lee &amp; Pavlovic 2021</small>" in text and "DMVAE 0.892<small>MultiVae&#x27;s rerun of DMVAE</small>" in text


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.addresses = [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href")]


def test_the_report_fetches_nothing_and_runs_nothing_that_a_checkpoint_brings():
    tags = Tags()
    tags.feed(html_report([entry(LEAKY, coherence(0.9), name="<script>alert(1)</script>", title="<img src=x>")], {"A <b>": b"png"}))
    assert "script" not in tags.seen and "link" not in tags.seen
    assert tags.addresses and all(address.startswith("data:") for address in tags.addresses)


def test_a_matrix_names_each_cell_and_marks_what_leaks():
    text = matrix_html(entry(LEAKY))
    assert text.count("<td ") == 12 and text.count("<i>leaks</i>") == 2 and text.count("<i>missing</i>") == 1
    assert "Not measured yet" in matrix_html(Entry("new", entry(CLEAN).config, {}))


def test_csv_holds_every_figure_and_every_cell():
    rows = list(csv.DictReader(io.StringIO(csv_table([entry(LEAKY, coherence(0.9, 0.01))]))))
    assert len(rows) == 1 + 12
    assert (rows[0]["figure"], float(rows[0]["value"]), float(rows[0]["standard error"])) == ("cross_coherence/mnist→svhn/digit", 0.9, 0.01)
    assert {row["better"] for row in rows if row["figure"] == "leakage/z_shared/elevation"} == {"lower"} and {row["test pairs"] for row in rows} == {"500"}


def test_latex_escapes_names_and_balances_its_environments():
    text = latex_table([entry(CLEAN, coherence(0.9, 0.01), title="A & B_1"), entry(CLEAN, coherence(0.5, 0.01), name="b", title="C")])
    assert r"A \& B\_1" in text and r"$\mathbf{0.900} \pm 0.010$" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 3


def test_what_others_published_is_in_the_files_too_and_named_as_theirs():
    real, other = (entry(CLEAN, coherence(0.5), dataset=name) for name in ("mnist-svhn", "digits"))
    quoted = [row for row in csv.DictReader(io.StringIO(csv_table([real]))) if not row["checkpoint"]]
    assert [(row["variant"], float(row["value"])) for row in quoted] == [("MMVAE", 0.86), ("DMVAE", 0.881), ("DMVAE", 0.892)]
    assert all(row["dataset"] == "mnist-svhn" and row["about"].startswith("published, measured elsewhere: ") for row in quoted)
    assert all(row["checkpoint"] for row in csv.DictReader(io.StringIO(csv_table([other]))))
    text = latex_table([real])
    assert "& MMVAE & DMVAE & DMVAE" in text and "& $0.860$ & $0.881$ & $0.892$" in text and "% published, measured elsewhere" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 3 and "published" not in latex_table([other])


def probes(**values):
    return {f"linear_probe/{block}/identity": {"metric": "linear_probe", "value": value, "stderr": 0.01} for block, value in values.items()}


def test_to_know_a_class_that_is_not_its_own_is_no_merit_of_a_block():
    one, other = entry(CLEAN, probes(z_lighting=0.7, z_shared=0.9)), entry(CLEAN, probes(z_lighting=0.1, z_shared=0.5), name="b", title="B")
    found = {line.key.split("/")[1]: line for line in lines(columns([one, other]))}
    assert (found["z_shared"].metric.better, found["z_lighting"].metric.better) == ("higher", "lower")
    assert [cell.best for cell in found["z_shared"].cells] == [True, False] and [cell.best for cell in found["z_lighting"].cells] == [False, True]
    given = {"linear_probe/z_shared given lighting/identity": {"metric": "linear_probe", "value": 0.8}}
    assert lines(columns([entry(CLEAN, given)]))[0].metric.better == "higher"


def test_what_a_probe_should_read_is_open_where_nobody_said_whose_a_factor_is():
    one = entry(CLEAN, probes(z_lighting=0.7), dataset="own pairs")
    assert lines(columns([one]))[0].metric.better == "neither"
    one.card["owners"] = True
    assert lines(columns([one]))[0].metric.better == "lower"
    whole = entry([[0.5] * 4], probes(z_shared=0.7), blocks=PARTS[1:2])
    assert lines(columns([whole]))[0].metric.better == "higher"


def test_latex_has_no_line_without_a_figure():
    missing = {"mig": {"metric": "mig", "value": None, "reason": "one factor alone"}}
    one, other = entry(CLEAN, coherence(0.9) | missing), entry(CLEAN, coherence(0.5), name="b")
    assert "MIG" not in latex_table([one, other])
    other.card["figures"]["mig"] = {"metric": "mig", "value": 0.2}
    assert "MIG" in latex_table([one, other])


def test_a_long_reason_for_what_is_missing_is_told_once_in_a_column():
    why = "this variant has no posterior given one modality alone, whatever one asks it"
    def refused(reason):
        return {f"cross_coherence/{way}/digit": {"metric": "cross_coherence", "value": None, "reason": reason} for way in ("a→b", "b→a", "c→a")}
    table = table_html([entry(CLEAN, refused(why)), entry(CLEAN, refused(why), name="b", title="B"), entry(CLEAN, refused("one class"), name="c", title="C")])
    assert table.count(f"<small>{why}</small>") == 2 and table.count("<small>as above</small>") == 4 and table.count("<small>one class</small>") == 3


# ---- every measured model


def card_of(folder, entry_, *, config=True):
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps(entry_.card))
    if config:
        whole = {"schema": SCHEMA, "variant": variant_to_json(VARIANTS["mumo"]), "modalities": [asdict(modality) for modality in DATASETS["faces"].modalities]}
        (folder / "config.json").write_text(json.dumps(entry_.config | whole))
        (folder / "weights.safetensors").write_bytes(b"")


def test_measured_models_are_those_shipped_and_those_of_which_there_is_a_card_alone(tmp_path):
    alone = entry(LEAKY)
    alone.card.update(variant="mmvae", kl={"z_elevation": [0.1] * 2, "z_shared": [0.1] * 4, "z_lighting": [0.1] * 3}, figures=coherence(0.5))
    card_of(tmp_path / "checkpoints" / "a", entry(CLEAN, coherence(0.9)))
    card_of(tmp_path / "runs" / "a", entry(CLEAN, coherence(0.8)))  # the run that was shipped
    card_of(tmp_path / "results" / "seed-1", entry(CLEAN, coherence(0.7), seed=1))
    card_of(tmp_path / "results" / "b", alone, config=False)
    card_of(tmp_path / "results" / "other", entry(CLEAN, coherence(0.1), dataset="digits"))
    (tmp_path / "results" / "broken").mkdir()
    (tmp_path / "results" / "broken" / "card.json").write_text("{")
    found = measured_on("faces", tmp_path)
    assert [each.name for each in found] == ["a", "results/seed-1", "results/b"]
    assert [(block.name, block.dim, block.owner) for block in found[2].blocks] == [("z_elevation", 2, "elevation"), ("z_shared", 4, None), ("z_lighting", 3, "lighting")]
    seeds, other = columns(found)
    assert [each.name for each in seeds.entries] == ["a", "results/seed-1"] and other.entries[0].title == "MMVAE"


def test_decoders_fitted_anew_make_another_model_and_seeds_of_the_encoders_are_seeds():
    def fitted(seed: int, steps: int = 10) -> Entry:
        own = entry(CLEAN, coherence(0.8), name=f"fitted-{seed}-{steps}")
        return replace(own, config={**own.config, "encoders": {"of": "x", "training": {"steps": steps, "seed": seed}, "trained": {"steps": steps}}})

    found = columns([entry(CLEAN, coherence(0.9)), fitted(0), fitted(1), fitted(0, steps=20)])
    assert [[e.name for e in column.entries] for column in found] == [["faces-a"], ["fitted-0-10", "fitted-1-10"], ["fitted-0-20"]]


@pytest.mark.parametrize("change", [{"network": "conv64-wide"}, {"likelihood": "gaussian"}, {"scale": 0.5}, {"weight": 2.0}])
def test_other_networks_likelihoods_or_weights_make_another_model(change):
    one, other = entry(CLEAN, name="a"), entry(CLEAN, name="b", seed=1)
    assert len(columns([one, other])) == 1
    other.config["modalities"] = [{**MODALITIES[0], **change}, MODALITIES[1]]
    assert len(columns([one, other])) == 2


def test_the_same_training_twice_is_not_two_seeds():
    assert [len(column.entries) for column in columns([entry(CLEAN, name="a"), entry(CLEAN, name="a-run"), entry(CLEAN, name="b", seed=1)])] == [2, 1]


def test_key_figures_are_the_factors_in_their_place_and_the_worst_elsewhere():
    over = columns([entry(CLEAN), entry(CLEAN[:2] + [[0.0, 0.0, 0.0, 0.7]], name="b", seed=1), entry(LEAKY, name="c", title="C", seed=2, blocks=SMALLER)])
    found = {line.key: line.cells for line in key_lines(over)}
    assert found["in place/lighting"][0].value == pytest.approx(0.8) and found["in place/lighting"][0].error == pytest.approx(0.1)
    assert [cell.value for cell in found["elsewhere at most"]] == pytest.approx([0.04, 0.31])
    named = {line.key: line.metric.name for line in key_lines(over)}
    assert named["in place/identity"] == "leakage_accuracy" and named["in place/azimuth"] == "leakage_r2"
    declared = own([[0.9], [0.0], [0.0]], factors=[{"name": "kind", "kind": "categorical", "unit": "", "owner": "elevation"}], owners=True)
    assert [line.metric.name for line in key_lines(columns([declared]))] == ["leakage_accuracy", "leakage_accuracy"]


def test_forty_two_models_are_a_row_for_each_variant():
    every = [entry(CLEAN, coherence(0.5 + 0.01 * seed), name=f"{v}-{seed}", title=f"Variant <{v}>", seed=seed) for v in range(14) for seed in range(3)]
    for each in every:
        each.config["variant"]["name"] = each.config["variant"]["title"]
    over = columns(every)
    text = standings_html(over, key_lines(over))
    assert len(over) == 14 and text.count("3 seeds") == 14 and text.count('<th scope="row"') == 14 + 1 and "<13>" not in text
    assert text.count("0.510<small> ± 0.006</small>") == 14
