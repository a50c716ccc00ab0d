"""What is trained with unless one says otherwise: the sources' likelihoods and weights, and sizes that fit."""

from importlib import import_module

import pytest
import torch

from mmvae.data import DATASETS
from mmvae.model import MultimodalVAE
from mmvae.presets import OPTIMIZERS, first_look_for, latents_for, modalities_for, pairs_to_measure, published_for, settings_for
from mmvae.variants import VARIANTS

DIGITS = DATASETS["mnist-svhn"]


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("row", DATASETS.values(), ids=DATASETS)
def test_every_variant_can_be_built_on_every_data_set_from_its_presets(variant, row):
    model = MultimodalVAE.for_dataset(variant, row, **latents_for(variant, row), modalities=modalities_for(variant, row))
    assert all(block.dim > 0 for block in model.blocks)
    assert all(m.weight > 0 for m in model.modalities)
    assert first_look_for(variant, row).steps < settings_for(variant, row).steps


@pytest.mark.parametrize("row", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_every_optimizer_s_row_names_one(row):
    module, name = row.opener.split(":")
    assert issubclass(getattr(import_module(module), name), torch.optim.Optimizer)


@pytest.mark.parametrize("row", [DATASETS["faces"], DIGITS], ids=["faces", "mnist-svhn"])
def test_a_first_look_has_fewer_steps_where_a_step_is_dearer(row):
    looks = [first_look_for(VARIANTS[name], row) for name in ("joint-poe", "dmvae-clusters", "mmvae")]
    pairs = [look.steps * look.batch_size for look in looks]
    assert pairs == sorted(pairs, reverse=True) and len(set(pairs)) == 3
    assert all(look.steps // look.snapshot >= 5 for look in looks)


def test_joint_poe_on_mnist_svhn_is_the_experiment_s():
    model = MultimodalVAE.for_dataset(VARIANTS["joint-poe"], DIGITS, **latents_for(VARIANTS["joint-poe"], DIGITS), modalities=modalities_for(VARIANTS["joint-poe"], DIGITS))
    assert [(block.name, block.dim) for block in model.blocks] == [("z_shared", 20)]
    mnist, svhn = model.modalities
    assert (mnist.likelihood, mnist.weight) == ("bernoulli", 1.0)
    # the summed squared error is a Gaussian's −log p, without its constant, at variance ½
    assert (svhn.likelihood, svhn.weight) == ("gaussian", 1.0) and 2 * svhn.scale**2 == pytest.approx(1.0)


def test_dmvae_has_the_sizes_and_weights_of_its_paper():
    row = VARIANTS["dmvae"]
    model = MultimodalVAE.for_dataset(row, DIGITS, **latents_for(row, DIGITS), modalities=modalities_for(row, DIGITS))
    assert [block.dim for block in model.blocks] == [1, 10, 4]
    assert [m.weight for m in model.modalities] == [50.0, 1.0]


def test_our_variants_have_a_private_dimension_for_each_private_factor_and_the_same_number_in_all():
    faces = DATASETS["faces"]
    sizes = latents_for(VARIANTS["dmvae-contrast"], faces)
    assert sizes["private"] == (1, 1) and sum(sizes["private"]) + sizes["shared"] == sum(faces.private) + faces.shared
    assert latents_for(VARIANTS["mumo"], faces) == {}


@pytest.mark.parametrize("name", ["mmvae", "mopoe", "mmvae-plus", "dmvae-contrast", "dmvae-clusters"])
def test_where_pixels_balance_the_modalities_each_weighs_as_much_as_the_other(name):
    mnist, svhn = modalities_for(VARIANTS[name], DIGITS)
    assert mnist.weight * 28 * 28 == pytest.approx(svhn.weight * 3 * 32 * 32)


def test_on_digits_mixtures_are_trained_on_the_images_as_they_are():
    """Among inverted house numbers the mean of one digit, all that an expert of handwriting can draw of them, shows none."""
    mixed = {name for name, variant in VARIANTS.items() if not settings_for(variant, DIGITS).augment}
    assert mixed == {"mmvae", "mopoe", "mmvae-plus"}
    assert all(settings_for(variant, DATASETS["faces"]).augment for variant in VARIANTS.values())
    assert all(m.likelihood == "laplace" for name in mixed for m in modalities_for(VARIANTS[name], DIGITS))


def test_mopoe_on_digits_weighs_its_divergence_as_its_source():
    assert settings_for(VARIANTS["mopoe"], DIGITS).beta == first_look_for(VARIANTS["mopoe"], DIGITS).beta == 2.5
    assert settings_for(VARIANTS["mopoe"], DATASETS["faces"]).beta == settings_for(VARIANTS["mvae"], DIGITS).beta == 1.0


def test_only_what_a_source_states_is_offered_as_published():
    stated = {(name, row.name) for row in DATASETS.values() for name, variant in VARIANTS.items() if published_for(variant, row)}
    assert ("mumo", "faces") in stated and ("dmvae", "mnist-svhn") in stated
    assert not any(VARIANTS[name].own for name, _ in stated)


def test_ordered_factors_are_measured_on_more_pairs():
    assert pairs_to_measure(DATASETS["faces"].factors) == 4 * pairs_to_measure(DATASETS["digits"].factors)
