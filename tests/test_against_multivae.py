"""Where the published library has the same model, it infers and pays the same on the same weights."""

from dataclasses import replace

import pytest
import torch
from tiny import A, B, tiny_images

from mmvae.bench.training import NAMES, as_multivae
from mmvae.gaussian import Mixture
from mmvae.latents import partition
from mmvae.model import MultimodalVAE
from mmvae.objective import loss
from mmvae.variants import VARIANTS

multivae = pytest.importorskip("multivae")

CLOSE = {"atol": 2e-5, "rtol": 1e-4}


def model_of(variant: str) -> MultimodalVAE:
    """Bernoulli for both and weight 1, as the library would have them; private blocks of one size, as its MMVAE+ needs."""
    row = VARIANTS[variant]
    torch.manual_seed(0)
    modalities = [replace(m, likelihood="bernoulli", weight=1.0) for m in (A, B)]
    model = MultimodalVAE(row, modalities, partition(("a", "b"), private=(3, 3) if row.private else (), shared=4))
    with torch.no_grad():
        for encoder in model.encoders.values():
            encoder.head[-1].weight.mul_(8)
    return model.eval()


@pytest.fixture(autouse=True)
def restore_validation():
    before = torch.distributions.Distribution._validate_args
    yield
    torch.distributions.Distribution.set_default_validate_args(before)


def dataset(images):
    from multivae.data.datasets import MultimodalBaseDataset

    return MultimodalBaseDataset(dict(images))


def joint_of(variant: str, theirs, images) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Mean and standard deviation of the library's shared posterior of the pair, component by component."""
    inputs = dataset(images)
    if variant == "mvae":
        pairs = [theirs.compute_mu_log_var_subset(inputs, ["a", "b"])]
    elif variant == "dmvae":
        pairs = [theirs._infer_latent_parameters(inputs)[:2]]
    elif variant == "mvtcae":
        pairs = [theirs._inference(inputs)["joint"]]
    elif variant == "jmvae":
        out = theirs.joint_encoder(images)
        pairs = [(out.embedding, out.log_covariance)]
    elif variant == "mopoe":
        latents = theirs.inference(inputs)
        pairs = list(zip(latents["mus"], latents["logvars"]))
    elif variant == "mmvae-plus":
        beliefs = theirs._compute_posteriors_and_embeddings(inputs, detach=False)[1]
        return [(beliefs[name]["u"].loc, beliefs[name]["u"].scale) for name in "ab"]
    else:
        beliefs = theirs(inputs, detailed_output=True).qz_xs
        return [(beliefs[name].loc, beliefs[name].stddev) for name in "ab"]
    return [(mean, (logvar / 2).exp()) for mean, logvar in pairs]


@pytest.mark.parametrize("variant", NAMES)
def test_the_shared_posterior_of_the_pair_is_the_library_s(variant):
    model, images = model_of(variant), tiny_images()
    theirs = as_multivae(model, **({"prior_and_posterior_dist": "normal", "K": 1} if variant == "mmvae-plus" else {})).eval()
    ours = model.posterior(images)["z_shared"]
    components = ours.components if isinstance(ours, Mixture) else (ours,)
    for q, (mean, stddev) in zip(components, joint_of(variant, theirs, images), strict=True):
        torch.testing.assert_close(q.mean, mean, **CLOSE)
        # its Laplace scales average to one within an item, ours are free: as shapes they are the same
        scale = q.stddev / q.logscale.exp().mean(1, keepdim=True) if variant == "mmvae" else q.stddev
        torch.testing.assert_close(scale, stddev, **CLOSE)


@pytest.mark.parametrize("variant", ["dmvae", "mmvae-plus"])
def test_private_posteriors_are_the_library_s(variant):
    model, images = model_of(variant), tiny_images()
    theirs = as_multivae(model, **({"prior_and_posterior_dist": "normal"} if variant == "mmvae-plus" else {})).eval()
    for name in "ab":
        out, ours = theirs.encoders[name](images[name]), model.posterior(images)[f"z_{name}"]
        torch.testing.assert_close(ours.mean, out.style_embedding, **CLOSE)
        torch.testing.assert_close(ours.logvar, out.style_log_covariance, **CLOSE)


@pytest.mark.parametrize(("variant", "given"), [(v, name) for v in ("mvae", "mvtcae", "jmvae", "mopoe") for name in "ab"])
def test_the_posterior_mean_of_one_modality_is_the_library_s(variant, given):
    model, images = model_of(variant), tiny_images()
    with torch.no_grad():
        theirs = as_multivae(model).eval().encode(dataset(images), cond_mod=[given], return_mean=True).z
    torch.testing.assert_close(model.posterior({given: images[given]})["z_shared"].mean, theirs, **CLOSE)


def test_dmvae_encodes_one_modality_as_it_was_trained_where_the_library_does_not():
    model, images = model_of("dmvae"), tiny_images()
    theirs = as_multivae(model).eval()
    with torch.no_grad():
        trained = theirs._infer_latent_parameters(dataset(images))[2]["a"]
        encoded = theirs.encode(dataset(images), cond_mod=["a"], return_mean=True).z
    ours = model.posterior({"a": images["a"]})["z_shared"]
    torch.testing.assert_close(ours.mean, trained[0], **CLOSE)
    # the library multiplies the prior in when it encodes: its means are off by exactly 1 / (1 + variance)
    torch.testing.assert_close(encoded, ours.mean / (1 + ours.stddev.square()), **CLOSE)


CONFIGS = {"mvae": {"warmup": 0}, "dmvae": {}, "mvtcae": {"alpha": 0.9, "beta": 1.0}, "jmvae": {"alpha": 0.1, "warmup": 0}}


@pytest.mark.parametrize("variant", CONFIGS)
def test_the_loss_is_the_library_s_without_noise(variant, monkeypatch):
    model, images = model_of(variant), tiny_images()
    theirs = as_multivae(model, **CONFIGS[variant])
    monkeypatch.setattr("mmvae.gaussian._noise", lambda draw, like, generator: torch.zeros_like(like))
    monkeypatch.setattr("torch.distributions.normal._standard_normal", lambda shape, dtype, device: torch.zeros(shape, dtype=dtype, device=device))
    torch.testing.assert_close(loss(model, images).total, theirs(dataset(images)).loss, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("variant", ["mvae", "dmvae"])
def test_a_change_of_memory_layout_changes_no_number(variant):
    images = tiny_images()
    z = torch.randn(5, 4 + 3 * (variant == "dmvae"), generator=torch.Generator().manual_seed(0))
    both = [as_multivae(model_of(variant), channels_last) for channels_last in (True, False)]
    for name in "ab":
        first, second = (m.encoders[name](images[name]).embedding for m in both)
        torch.testing.assert_close(first, second, **CLOSE)
        first, second = (m.decoders[name](z).reconstruction for m in both)
        torch.testing.assert_close(first, second, **CLOSE)


def test_the_bench_of_training_runs_every_contender_and_relates_their_rates():
    from mmvae.bench.training import OVER_BARE, RandomPairs, measure, targets

    row = measure("dmvae", RandomPairs(64), batch=2, steps=7, rounds=1, augment=False)
    rates = {name: rate["per_processor_second"] for name, rate in row["pairs"].items()}
    assert {f"ours, {row['default']}", "ours, float32", "multivae", "multivae, channels last, float32", "bare, float32"} <= rates.keys()
    for mine, ratios in row["ratios"].items():
        for name, ratio in ratios.items():
            assert ratio == pytest.approx(rates[mine] / rates[name], abs=0.006)
        assert targets(mine, row["default"])[f"bare, {mine.removeprefix('ours, ')}"] == OVER_BARE
        assert row["met"][mine].keys() == targets(mine, row["default"]).keys()
