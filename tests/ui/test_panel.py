"""What the panel is told of a pair: checked against the model itself and against numbers worked out by hand."""

import base64
import math

import numpy as np
import pytest
import torch

from mmvae import DATASETS, VARIANTS
from mmvae.checkpoints import Checkpoint, config_of, save
from mmvae.gaussian import product_of_experts
from mmvae.latents import SHARED
from mmvae.model import MultimodalVAE
from ui import panel as panels
from ui.pairs import Pairs
from ui.panel import beliefs_of, describe, draw, why_dead

from tests.tiny import tiny_model


def checkpoint_of(variant: str, folder) -> Checkpoint:
    torch.manual_seed(3)
    model = MultimodalVAE.for_dataset(VARIANTS[variant], DATASETS["faces"]).eval()
    config = config_of(model, {})
    save(folder, model, config)
    return Checkpoint(folder, model, config, {}, {})


@pytest.fixture
def images() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {name: torch.rand(1, 1, 64, 64, generator=generator) for name in ("elevation", "lighting")}


def block(data: dict, name: str) -> dict:
    return next(b for b in data["blocks"] if b["name"] == name)


def test_blocks_and_pictures_are_those_of_the_model(tmp_path, images):
    checkpoint = checkpoint_of("mmpoe-v2", tmp_path)
    data = describe(checkpoint, beliefs_of(checkpoint.model, images), images)
    assert [(b["symbol"], len(b["dims"]), b["hue"]) for b in data["blocks"]] == [("I", 2, 0), ("S", 5, 1), ("T", 2, 2)]
    with torch.inference_mode():
        posterior = checkpoint.model.posterior(images)
        rebuilt = checkpoint.model.decode({name: belief.mean for name, belief in posterior.items()})
    assert block(data, "z_lighting")["mean"] == pytest.approx(posterior["z_lighting"].mean[0].tolist(), abs=1e-5)
    assert data["errors"][1] == pytest.approx((rebuilt["lighting"] - images["lighting"]).square().mean().item(), abs=1e-5)
    sent = np.frombuffer(base64.b64decode(data["inputs"][0]), np.uint8) / 255
    assert np.abs(sent - images["elevation"].numpy().ravel()).max() <= 0.5 / 255 + 1e-6


def test_shares_of_a_product_are_precisions_over_their_sum(tmp_path, images):
    checkpoint = checkpoint_of("mmpoe-v2", tmp_path)
    beliefs = beliefs_of(checkpoint.model, images)
    told = block(describe(checkpoint, beliefs, images), SHARED)["beliefs"]
    singles = [beliefs.experts[frozenset({m}), SHARED] for m in (0, 1)]
    precisions = torch.stack([1 / s.stddev.square() for s in singles] + [torch.ones(1, 5)])
    expected = (precisions / precisions.sum(0))[:, 0]
    for row, share in zip([*(e["share"] for e in told["experts"]), told["prior_share"]], expected, strict=True):
        assert row == pytest.approx(share.tolist(), abs=1e-4)
    fused = product_of_experts([*singles, checkpoint.model.prior(1)[SHARED]])
    assert told["fused"][0]["mean"] == pytest.approx(fused.mean[0].tolist(), abs=1e-4)
    assert "product of elevation and lighting and the prior" in told["text"]


@pytest.mark.parametrize(("variant", "observed", "used", "words"), [
    ("mumo", ("elevation", "lighting"), [[False, False, True]], "reads both images together"),
    ("mumo", ("elevation",), [[True]], "encoder of elevation decides alone"),
    ("mmvae", ("elevation", "lighting"), [[True, True]], "probability ½"),
    ("mmpoe-v2", ("lighting",), [[True]], "encoder of lighting decides alone"),
    ("mvtcae", ("elevation", "lighting"), [[True, True]], "product of elevation and lighting. "),
    ("mmpoe-v2", (), [[]], "the posterior is the prior"),
])
def test_the_sentence_on_fusion_says_what_the_variant_does(tmp_path, images, variant, observed, used, words):
    checkpoint = checkpoint_of(variant, tmp_path)
    beliefs = beliefs_of(checkpoint.model, {name: images[name] for name in observed})
    told = block(describe(checkpoint, beliefs, images), SHARED)["beliefs"]
    assert [[expert["used"] for expert in told["experts"]]] == used
    assert words in told["text"]


def test_a_mixture_is_told_by_its_components(tmp_path, images):
    checkpoint = checkpoint_of("mopoe", tmp_path)
    told = block(describe(checkpoint, beliefs_of(checkpoint.model, images), images), SHARED)["beliefs"]
    assert len(told["fused"]) == 3


def test_a_prior_of_clusters_is_told_by_its_components_and_weights(tmp_path, images):
    model = tiny_model("dmvae-clusters")
    with torch.no_grad():
        model.prior_weights.copy_(torch.linspace(-2, 2, 20))
    config = config_of(model, {})
    save(tmp_path, model, config)
    told = block(describe(Checkpoint(tmp_path, model, config, {}, {}), beliefs_of(model, {}), {}), SHARED)["beliefs"]
    assert told["prior"] == told["fused"]  # nothing is observed
    weights = np.array([part["weight"] for part in told["prior"]])
    assert weights == pytest.approx(np.exp(np.linspace(-2, 2, 20)) / np.exp(np.linspace(-2, 2, 20)).sum(), abs=1e-6)
    z = torch.randn(50, 4, generator=torch.Generator().manual_seed(4))
    mean, stddev = (np.array([part[name] for part in told["prior"]])[:, None] for name in ("mean", "stddev"))
    densities = np.exp(-0.5 * ((z.numpy() - mean) / stddev) ** 2) / (math.sqrt(2 * math.pi) * stddev)
    expected = model.prior(50)[SHARED].log_prob(z).exp().detach().numpy()
    assert (weights[:, None] * densities.prod(2)).sum(0) == pytest.approx(expected, rel=1e-2)
    assert "learned mixture of 20 Gaussians" in told["text"]


def test_a_usual_prior_is_one_component_and_no_more_words(tmp_path, images):
    checkpoint = checkpoint_of("mumo", tmp_path)
    told = block(describe(checkpoint, beliefs_of(checkpoint.model, images), images), SHARED)["beliefs"]
    assert told["prior"] == [{"mean": [0.0] * 5, "stddev": [1.0] * 5, "weight": 1.0}]
    assert "prior" not in told["text"]


def statistics(kl: float, sigma: float, stddev: float) -> dict:
    return {"kl": [kl], "sigma": [sigma], "stddev": [stddev]}


def test_a_dead_dimension_of_a_product_with_the_prior_explains_its_nats():
    model = MultimodalVAE.for_dataset(VARIANTS["mmpoe-v2"], DATASETS["faces"])
    nats = 0.5 * (math.log(3) + 1 / 3 - 1)
    third = math.sqrt(1 / 3)
    assert "0.22 nats" in why_dead(model.variant, model.block(SHARED), statistics(nats, third, third), 0)
    assert why_dead(model.variant, model.block("z_lighting"), statistics(nats, third, third), 0) == ""
    assert why_dead(model.variant, model.block(SHARED), statistics(nats, third, 0.9), 0) == ""
    assert why_dead(VARIANTS["mvtcae"], model.block(SHARED), statistics(nats, third, third), 0) == ""


def test_a_dimension_at_the_prior_is_dead_in_every_variant():
    model = MultimodalVAE.for_dataset(VARIANTS["mumo"], DATASETS["faces"])
    assert why_dead(model.variant, model.block("z_lighting"), statistics(0.01, 0.99, 1.0), 0).startswith("Dead")
    assert why_dead(model.variant, model.block("z_lighting"), statistics(1.5, 0.2, 1.0), 0) == ""


def test_a_rerun_draws_what_the_model_decodes(tmp_path):
    checkpoint = checkpoint_of("mumo", tmp_path)
    z = torch.randn(1, 9, generator=torch.Generator().manual_seed(0))
    drawn = draw(checkpoint.model, z[0].tolist(), 7)
    with torch.inference_mode():
        expected = checkpoint.model.decode(dict(zip(("z_elevation", "z_shared", "z_lighting"), z.split([2, 5, 2], 1))))
    shown = np.frombuffer(base64.b64decode(drawn["images"][1]), np.uint8) / 255
    assert drawn["id"] == 7 and np.abs(shown - expected["lighting"].numpy().ravel()).max() <= 0.5 / 255 + 1e-5


def test_the_panel_is_told_its_title_and_the_pictures_that_it_begins_with(tmp_path, images, monkeypatch):
    checkpoint = checkpoint_of("mumo", tmp_path)
    told = {}
    monkeypatch.setattr(panels, "_component", lambda **given: told.update(given["data"]))
    monkeypatch.setattr(panels.models, "label_of", lambda name: f"the label of {name}")
    code = torch.randn(9, generator=torch.Generator().manual_seed(5)).tolist()
    panels.panel(checkpoint, beliefs_of(checkpoint.model, images), code=code, revision="0", images=images, on_draw=lambda: None)
    assert told["title"] == f"the label of {checkpoint.name}"
    assert told["pictures"] == draw(checkpoint.model, code, 0)["images"] != told["rebuilt"]


def test_a_pair_is_found_by_its_factors_the_one_asked_for_first():
    factors = DATASETS["faces"].factors
    labels = {"identity": np.array([0, 0, 1, 1]), "azimuth": np.array([-90.0, 0.0, 9.0, 90.0]), "elevation": np.zeros(4), "lighting": np.zeros(4)}
    pairs = Pairs(np.array([10, 11, 12, 13]), labels, factors)
    wanted = {"identity": 0, "azimuth": 90.0, "elevation": 0.0, "lighting": 0.0}
    assert pairs.nearest(wanted, "azimuth") == 13
    assert pairs.nearest(wanted, "identity") == 11
    assert pairs.position(12) == 2 and pairs.position(99) is None
