"""The card's figures are checked against counting by hand, and against readers that see what they are told to see."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.model_selection import train_test_split

from mmvae.checkpoints import config_of, open_checkpoint, save
from mmvae.comparison import Entry, columns, lines
from mmvae.data.base import Factor
from mmvae.evaluation import _recorded, _stripped, evaluate, table
from mmvae.metrics.codes import standard_error
from mmvae.metrics.frechet import frechet_distance
from mmvae.objective import loss
from mmvae.readers import Reading, Readers
from tests.tiny import A, B, TinyPairs, tiny_model

KIND = Factor("kind", "categorical", ("dark", "bright"))
BRIGHTNESS = Factor("brightness", "ordered", (0.0, 0.25, 0.5, 0.75, 1.0), "lx")
TILT = Factor("tilt", "ordered", (-1.0, 0.0, 1.0), owner="a", neutral=0.0)


class Labelled(TinyPairs):
    """The tiny pairs with a class that follows from brightness, and a factor private to the first modality."""

    factors = (KIND, BRIGHTNESS, TILT)

    def items(self, ids):
        images, labels = super().items(ids)
        tilt = torch.as_tensor(ids) % 3 - 1
        return images, {"kind": (labels["brightness"] > 0.5).long(), "brightness": labels["brightness"], "tilt": tilt.float()}


class Sees(torch.nn.Module):
    """A reader that sees the same in every picture."""

    def read(self, images):
        n = len(images)
        return {
            "kind": Reading(torch.ones(n, dtype=torch.int64)),
            "brightness": Reading(torch.full((n,), 0.5)),
            "tilt": Reading(torch.full((n,), 0.25)),
        }

    def features(self, images):
        return images.flatten(1)[:, :6]


ACCURACY = {
    name: {
        "kind": {"accuracy": 0.9},
        "brightness": {"error": 0.01, "within_step": 0.99},
        "tilt": {"error": 0.02, "within_step": 1.0},
    }
    for name in "ab"
}
READERS = Readers("tiny", {"a": Sees(), "b": Sees()}, ACCURACY)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def checkpoint_of(folder, variant):
    model = tiny_model(variant)
    save(folder, model, config_of(model, {"steps": 3, "batch_size": 4}))
    return open_checkpoint(folder)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    checkpoint = checkpoint_of(tmp_path_factory.mktemp("card"), "dmvae")
    return checkpoint, evaluate(checkpoint, Labelled(), READERS, n=96)


def value(card, key):
    return card["figures"][key]["value"]


def test_the_card_is_written_beside_the_weights_and_says_how_it_was_measured(measured):
    checkpoint, card = measured
    assert json.loads((checkpoint.path / "card.json").read_text()) == card
    assert (card["variant"], card["seed"], card["pairs"], card["trained_pairs"]) == ("dmvae", 0, 32, 12)
    assert card["machine"]["threads"] == 1 and card["machine"]["processor"]


def test_reconstruction_and_kl_are_what_averaging_over_the_test_split_gives(measured):
    checkpoint, card = measured
    images, _ = Labelled().items(range(96, 128))
    model = checkpoint.model
    posterior, prior = model.posterior(images), model.prior(32)
    rebuilt = model.decode({name: belief.mean for name, belief in posterior.items()})
    for name in "ab":
        assert value(card, f"reconstruction/{name}") == pytest.approx(
            (rebuilt[name] - images[name]).square().mean().item(), rel=1e-4
        )
    for name, belief in posterior.items():
        kl = torch.distributions.kl_divergence(
            torch.distributions.Normal(belief.mean, belief.stddev), torch.distributions.Normal(prior[name].mean, 1.0)
        )
        assert card["kl"][name] == pytest.approx(kl.mean(0).tolist(), rel=1e-3, abs=1e-5)
        assert value(card, f"kl/{name}") == pytest.approx(kl.sum(1).mean().item(), rel=1e-4)


def test_the_elbo_is_that_of_the_joint_terms_with_unit_weights(measured):
    checkpoint, card = measured
    images, _ = Labelled().items(range(96, 128))
    generator = torch.Generator().manual_seed(3)
    draws = [loss(checkpoint.model, images, generator=generator).parts for _ in range(15)]
    negative = sum(torch.stack([parts[name] for parts in draws]).mean().item() for name in draws[0] if name.startswith("J "))
    constant = 3 * 32 * 32 * 0.5 * torch.log(torch.tensor(2 * torch.pi * B.scale**2)).item()
    assert A.likelihood == "bernoulli" and value(card, "elbo") == pytest.approx(-negative - constant, rel=0.01)
    assert value(card, "log_likelihood") >= value(card, "elbo")


def test_coherence_counts_what_readers_see_and_stands_beside_their_own_accuracy(measured):
    _, card = measured
    bright = Labelled().items(range(96, 128))[1]["kind"].double().mean().item()
    for way in ("a→b", "b→a"):
        assert value(card, f"cross_coherence/{way}/kind") == pytest.approx(bright, abs=1e-4)
        assert card["figures"][f"cross_coherence/{way}/kind"]["reference"] == 0.9
        assert value(card, f"blurred_coherence/{way}/kind") == card["figures"][f"blurred_coherence/{way}/kind"]["reference"] == pytest.approx(bright, abs=1e-4)
    assert value(card, "joint_coherence/prior/kind") == value(card, "joint_coherence/fitted/kind") == 1.0
    assert card["figures"]["joint_coherence/prior/kind"]["reference"] == pytest.approx(0.81)
    assert "mixture" in card["figures"]["joint_coherence/fitted/kind"]["note"]
    assert "1.0 of 2 classes drawn" in card["figures"]["joint_coherence/prior/kind"]["note"]


class Responds(Sees):
    """A reader that takes any fine texture for the bright class."""

    def read(self, images):
        return super().read(images) | {"kind": Reading((images.diff(dim=-1).abs().flatten(1).mean(1) > 0.05).long())}


def test_what_a_reader_sees_in_texture_alone_is_gone_through_the_blur(tmp_path):
    readers = Readers("tiny", {"a": Responds(), "b": Responds()}, ACCURACY)
    card = evaluate(checkpoint_of(tmp_path, "dmvae"), Labelled(), readers, n=96)  # an untrained decoder draws nothing but texture
    bright = Labelled().items(range(96, 128))[1]["kind"].double().mean().item()
    for way in ("a→b", "b→a"):
        assert value(card, f"cross_coherence/{way}/kind") == pytest.approx(bright, abs=1e-4)
        assert value(card, f"blurred_coherence/{way}/kind") == pytest.approx(1 - bright, abs=1e-4)
        assert card["figures"][f"blurred_coherence/{way}/kind"]["reference"] == pytest.approx(1 - bright, abs=1e-4)


class Combined(Labelled):
    """The tiny pairs with a rule that says which pair has what two others share and have for themselves."""

    def with_private_of(self, ids, donors):
        return 96 + (3 * ids + donors) % 32


def test_the_swap_error_is_that_of_pictures_with_alien_private_codes_against_the_true_ones(tmp_path, measured):
    checkpoint, data = checkpoint_of(tmp_path, "dmvae"), Combined()
    card = evaluate(checkpoint, data, READERS, n=96)
    ids = torch.arange(96, 128)
    donors = ids[torch.from_numpy(np.random.default_rng(0).permutation(32))]
    wanted, _ = data.items(data.with_private_of(ids, donors))
    z, alien, own = (
        {name: belief.mean for name, belief in checkpoint.model.posterior(images).items()}
        for images in (data.items(ids)[0], data.items(donors)[0], wanted)
    )
    for name, private in (("a", "z_a"), ("b", "z_b")):
        for key, codes in (("value", {**z, private: alien[private]}), ("reference", own)):
            expected = (checkpoint.model.decode(codes)[name] - wanted[name]).square().mean().item()
            assert card["figures"][f"swap_error/{name}"][key] == pytest.approx(expected, rel=1e-4)
    assert "swap_error/a" not in measured[1]["figures"]  # nothing says what the plain tiny pairs should look like


def test_a_code_without_private_blocks_has_nothing_to_swap(tmp_path):
    assert "swap_error/a" not in evaluate(checkpoint_of(tmp_path, "mvae"), Combined(), READERS, n=96)["figures"]


def test_a_shared_ordered_factor_should_be_kept_and_one_private_to_the_source_should_be_neutral(measured):
    _, card = measured
    brightness = Labelled().items(range(96, 128))[1]["brightness"]
    assert value(card, "preserved_error/a→b/brightness") == pytest.approx((brightness - 0.5).abs().mean().item(), rel=1e-3)
    assert value(card, "preserved_error/a→b/tilt") == pytest.approx(0.25)
    assert card["figures"]["preserved_error/a→b/tilt"]["reference"] == 0.02
    assert "preserved_error/b→a/tilt" not in card["figures"] and card["spread"] == {"b→a/tilt": 0.0}


def test_the_leakage_matrix_has_a_row_a_block_and_a_ceiling(measured):
    _, card = measured
    matrix = card["leakage"]
    assert (matrix["blocks"], matrix["factors"]) == (["z_a", "z_shared", "z_b"], ["kind", "brightness", "tilt"])
    assert (matrix["items"], matrix["split"]) == (96, "all")
    assert len(matrix["values"]) == len(matrix["ceiling"]) == 3


def test_each_score_stands_beside_that_of_a_perfect_code(measured):
    _, card = measured
    for metric in ("mig", "dci_disentanglement", "sap", "modularity"):
        assert card["figures"][metric]["reference"] > card["figures"][metric]["value"]
    assert "linear_probe/z_shared given a/kind" in card["figures"]


def test_a_card_is_measured_once_for_the_same_weights_and_settings(measured):
    checkpoint, card = measured
    told = []
    assert evaluate(open_checkpoint(checkpoint.path), Labelled(), READERS, n=96, tell=told.append) == card
    assert not told


def test_a_card_of_more_pairs_is_not_replaced_by_one_of_fewer_unless_asked(tmp_path):
    checkpoint = checkpoint_of(tmp_path, "joint-poe")
    evaluate(checkpoint, Labelled(), READERS, n=32)
    with pytest.raises(ValueError, match="is of 32 pairs, and this would be one of 20: --again replaces it"):
        evaluate(open_checkpoint(tmp_path), Labelled(), READERS, n=20)
    assert evaluate(open_checkpoint(tmp_path), Labelled(), READERS, n=20, again=True)["pairs"] == 20


def test_what_is_said_in_a_program_changes_no_card_and_what_it_does_changes_all():
    program = 'def f(x):\n    """Doubles."""\n    return 2 * x  # twice\n'
    assert _stripped(program) == _stripped("def f(x):\n\n    return 2 * x\n") != _stripped(program.replace("2", "3"))


def test_codes_are_judged_on_pairs_of_all_splits_and_every_such_figure_says_so(measured):
    figures = measured[1]["figures"]
    for key in ("mig", "dci_disentanglement", "irs", "silhouette/z_shared/kind", "linear_probe/z_shared/kind", "linear_probe/z_shared given a/kind"):
        assert figures[key]["note"].endswith("pairs of all splits") and figures[key]["count"] == 96
    assert figures["reconstruction/a"]["count"] == 32 and "note" not in figures["reconstruction/a"]
    assert "on pairs of all splits" in table(measured[1])


def test_scores_that_the_reference_code_does_not_bound_stand_alone(measured):
    assert "reference" not in measured[1]["figures"]["irs"]
    assert "reference" not in measured[1]["figures"]["mig/kind"]


class Repeated(TinyPairs):
    """Eight pairs in the test split, four times each."""

    def items(self, ids):
        ids = torch.as_tensor(ids)
        return super().items(torch.where(ids >= 96, 96 + (ids - 96) // 4, ids))


def test_the_error_counts_a_pair_once_however_often_it_is_shown(tmp_path):
    checkpoint = checkpoint_of(tmp_path, "joint-poe")
    figure = evaluate(checkpoint, Repeated(), None, n=40)["figures"]["reconstruction/a"]
    images, _ = Repeated().items(range(96, 128))
    model = checkpoint.model
    with torch.inference_mode():
        rebuilt = model.decode({name: belief.mean for name, belief in model.posterior(images).items()})["a"]
    each = (rebuilt - images["a"]).square().flatten(1).mean(1).numpy()
    assert figure["stderr"] == pytest.approx(standard_error(each, np.arange(32) // 4), rel=1e-3)
    assert figure["stderr"] > 1.9 * standard_error(each)


def test_two_models_on_the_same_pairs_differ_by_the_error_of_the_paired_difference(tmp_path):
    cards = {}
    for name in ("joint-poe", "mvae"):
        checkpoint = checkpoint_of(tmp_path / name, name)
        cards[name] = (checkpoint.config, evaluate(checkpoint, Labelled(), READERS, n=40))
    first, second = (card["figures"]["log_likelihood"] for _, card in cards.values())
    assert first["batches"]["of"] == second["batches"]["of"] in cards["mvae"][1]["batches"]
    # one that is the same but for a nat is better beyond doubt, whatever the spread over pairs
    config, card = cards["mvae"]
    ahead = {**first, "value": first["value"] + 1, "batches": {**first["batches"], "means": [mean + 1 + 0.01 * (i % 2) for i, mean in enumerate(first["batches"]["means"])]}}
    better = {**card, "figures": {"log_likelihood": ahead}}
    plain = {**card, "figures": {"log_likelihood": first}}
    (line,) = lines(columns([Entry("a", config, plain), Entry("b", {**config, "training": {"steps": 9}}, better)]))
    assert first["stderr"] > 1 and [cell.best for cell in line.cells] == [False, True]


def test_the_distance_of_generated_pictures_stands_beside_that_of_as_many_real_ones(measured):
    data, figure = Labelled(), measured[1]["figures"]["frechet/a"]
    trained, tested = (Sees().features(data.items(data.split(name))[0]["a"]).numpy() for name in ("train", "test"))
    assert figure["reference"] == pytest.approx(frechet_distance(trained, tested), rel=1e-3)


def test_the_card_says_whose_each_factor_is(measured):
    assert measured[1]["factors"][2] == {"name": "tilt", "kind": "ordered", "unit": "", "owner": "a"} and measured[1]["owners"]


def test_what_a_variant_cannot_do_is_recorded_with_the_reason(tmp_path):
    checkpoint = checkpoint_of(tmp_path, "vanilla")
    card = evaluate(checkpoint, Labelled(), READERS, n=40)
    for key in ("cross_coherence/a→b/kind", "preserved_error/b→a/brightness", "modality_gap"):
        assert value(card, key) is None
        assert "no posterior given" in card["figures"][key]["reason"]
    assert "no two items share a value of 'brightness'" in card["figures"]["mig"]["reason"]
    assert "no posterior given" in table(card)


def test_without_readers_what_needs_them_is_left_out_and_other_weights_are_measured_anew(tmp_path):
    checkpoint = checkpoint_of(tmp_path, "joint-poe")
    first = evaluate(checkpoint, TinyPairs(), None, n=40)
    assert value(first, "preserved_error/a→b/brightness") is None
    with torch.no_grad():
        checkpoint.model.decoders["a"].trunks[0][-2].bias.add_(1.0)
    save(tmp_path, checkpoint.model, checkpoint.config)
    second = evaluate(open_checkpoint(tmp_path), TinyPairs(), None, n=40)
    assert second["key"] != first["key"] and value(second, "reconstruction/a") != value(first, "reconstruction/a")


def test_the_table_has_a_line_for_every_figure(measured):
    _, card = measured
    text = table(card)
    assert len(text.splitlines()) >= len(card["figures"]) + 5
    assert "±" in text and "reader's own 0.020" in text and "pairs of all splits" in text


def test_a_reason_is_of_the_pairs_and_not_of_a_librarys_arguments():
    figures = {}
    with _recorded(figures, "linear_probe/z_shared/kind"):
        train_test_split([0], test_size=0.2)
    with _recorded(figures, "mig"):
        raise ValueError("no two items share a value")
    assert [figure["reason"] for figure in figures.values()] == ["too few pairs to learn from and be tested on", "no two items share a value"]
