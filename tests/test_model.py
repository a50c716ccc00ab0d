"""One posterior for every variant: fused as the row says, refused where the row has none, the same item by item."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from tiny import A, B, tiny_images, tiny_model

from mmvae.data import DATASETS
from mmvae.gaussian import DiagonalGaussian, DiagonalLaplace, Mixture
from mmvae.latents import Block, partition
from mmvae.model import CannotInfer, MultimodalVAE
from mmvae.modalities import Modality
from mmvae.networks import FINER, NETWORKS, GroupNorm, Modulated
from mmvae.presets import modalities_for
from mmvae.variants import FIRST, PAIR, SECOND, VARIANTS

SUBSETS = [(), ("a",), ("b",), ("a", "b")]
PRIVATE = [name for name, row in VARIANTS.items() if row.private]


def tensors(belief) -> list[torch.Tensor]:
    """Everything that makes up a belief."""
    if isinstance(belief, Mixture):
        return [t for component in belief.components for t in tensors(component)]
    return [belief.mean, belief.logscale if isinstance(belief, DiagonalLaplace) else belief.logvar]


def possible(variant: str):
    """The subsets of modalities that the variant can be given."""
    return [given for given in SUBSETS if variant != "vanilla" or len(given) != 1]


# ---- what the prior's expert does: four conventions, against arithmetic done by hand

#: Two experts of precision 2 and 4 with means 1 and -2; the prior has precision 1 and mean 0.
FUSED = {  # {convention: (mean and variance of the pair, mean and variance of the first alone)}
    "always": ((2 - 8) / 7, 1 / 7, 2 / 3, 1 / 3), "several": ((2 - 8) / 7, 1 / 7, 1.0, 1 / 2), "full": ((2 - 8) / 7, 1 / 7, 1.0, 1 / 2), "never": (-1.0, 1 / 6, 1.0, 1 / 2),
}
CONVENTION = {"joint-poe": "always", "wg-v1": "always", "wg-v2": "always", "mvae": "always", "mmpoe-v1": "several", "mmpoe-v2": "several",
              "dmvae": "several", "dmvae-contrast": "several", "dmvae-clusters": "never", "mvtcae": "never"}


def hand_made(dim: int = 4):
    first, second = (DiagonalGaussian(torch.full((3, dim), m), torch.full((3, dim), -math.log(p))) for m, p in [(1.0, 2.0), (-2.0, 4.0)])
    return {(FIRST, "z_shared"): first, (SECOND, "z_shared"): second}


@pytest.mark.parametrize(("variant", "convention"), CONVENTION.items())
def test_the_prior_takes_part_in_the_product_as_the_paper_has_it(variant, convention):
    model = tiny_model(variant)
    pair, alone = (model.fuse_block(hand_made(), given, model.block("z_shared"), 3) for given in (PAIR, FIRST))
    got = (pair.mean[0, 0], pair.stddev[0, 0] ** 2, alone.mean[0, 0], alone.stddev[0, 0] ** 2)
    assert [value.item() for value in got] == pytest.approx(FUSED[convention], abs=1e-6)


def test_mopoe_mixes_both_raw_experts_with_their_product_and_the_prior():
    model = tiny_model("mopoe")
    components = model.fuse_block(hand_made(), PAIR, model.block("z_shared"), 3).components
    assert [c.mean[0, 0].item() for c in components] == pytest.approx([1.0, -2.0, -6 / 7])
    assert [c.stddev[0, 0].item() ** 2 for c in components] == pytest.approx([1 / 2, 1 / 4, 1 / 7])
    alone = model.fuse_block(hand_made(), SECOND, model.block("z_shared"), 3)
    assert (alone.mean[0, 0].item(), alone.stddev[0, 0].item() ** 2) == pytest.approx((-2.0, 1 / 4))


@pytest.mark.parametrize("variant", ["mmvae", "mmvae-plus"])
def test_a_mixture_of_experts_mixes_the_raw_single_posteriors(variant):
    model, images = tiny_model(variant), tiny_images()
    components = model.posterior(images)["z_shared"].components
    for name, component in zip("ab", components, strict=True):
        for got, expected in zip(tensors(component), tensors(model.posterior({name: images[name]})["z_shared"])):
            torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("variant", ["mumo", "jmvae", "vanilla"])
def test_a_pair_encoder_alone_decides_the_posterior_of_the_pair(variant):
    model, images = tiny_model(variant), tiny_images()
    mean, logvar = model.encoders["a+b"](images).chunk(2, 1)
    posterior = model.posterior(images)
    torch.testing.assert_close(torch.cat([q.mean for q in posterior.values()], 1), mean)
    torch.testing.assert_close(torch.cat([q.logvar for q in posterior.values()], 1), logvar)


@pytest.mark.parametrize("variant", [name for name, row in VARIANTS.items() if FIRST in row.encoders and row.prior_expert != "always"])
def test_the_posterior_of_one_modality_is_its_own_encoder_s_word(variant):
    model, images = tiny_model(variant), tiny_images()
    mean, spread = model.encoders["a"](images).chunk(2, 1)
    posterior = model.posterior({"a": images["a"]})
    names = ["z_a", "z_shared"] if model.variant.private else ["z_shared"]
    torch.testing.assert_close(torch.cat([posterior[name].mean for name in names], 1), mean)
    torch.testing.assert_close(torch.cat([tensors(posterior[name])[1] for name in names], 1), spread)


# ---- one rule everywhere: what is not observed is the prior

@pytest.mark.parametrize("variant", PRIVATE)
@pytest.mark.parametrize(("seen", "unseen"), [("a", "b"), ("b", "a")])
def test_the_private_block_of_an_unobserved_modality_is_its_prior(variant, seen, unseen):
    model = tiny_model(variant)
    posterior, prior = model.posterior({seen: tiny_images()[seen]}), model.prior(5)
    for got, expected in zip(tensors(posterior[f"z_{unseen}"]), tensors(prior[f"z_{unseen}"])):
        assert torch.equal(got, expected)
    assert not torch.allclose(posterior[f"z_{seen}"].mean, prior[f"z_{seen}"].mean)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_posterior_given_nothing_is_the_prior(variant):
    model = tiny_model(variant)
    posterior, prior = model.posterior({}, n=3), model.prior(3)
    assert list(posterior) == [block.name for block in model.blocks]
    for name in posterior:
        for got, expected in zip(tensors(posterior[name]), tensors(prior[name])):
            assert got.shape == (3, model.block(name).dim) and torch.equal(got, expected)


def test_a_learned_prior_stretches_dimensions_and_keeps_the_mean_scale_at_one():
    model = tiny_model("mmvae")
    assert torch.equal(model.prior(2)["z_shared"].stddev, torch.full((2, 4), math.sqrt(2)))
    with torch.no_grad():
        model.prior_logits.copy_(torch.tensor([1.0, 0.0, -1.0, 2.0]))
    scale = model.prior(2)["z_shared"].logscale.exp()
    torch.testing.assert_close(scale.mean(1), torch.ones(2))
    torch.testing.assert_close(scale[0] / scale[0, 1], torch.tensor([1.0, 0.0, -1.0, 2.0]).exp())


# ---- what cannot be done is refused by name

@pytest.mark.parametrize("given", ["a", "b"])
def test_vanilla_refuses_a_single_modality(given):
    model, images = tiny_model("vanilla"), tiny_images()
    with pytest.raises(CannotInfer, match=f"Vanilla VAE has no posterior given {given} alone: its only encoder reads a \\+ b together"):
        model.posterior({given: images[given]})
    with pytest.raises(CannotInfer):
        model.translate({given: images[given]}, to="b" if given == "a" else "a")


def test_an_unknown_modality_is_named():
    model, images = tiny_model("mvae"), tiny_images()
    with pytest.raises(ValueError, match="no modality 'c'; this model has a and b"):
        model.posterior({"c": images["a"]})
    with pytest.raises(ValueError, match="no modality 'c'"):
        model.translate({"a": images["a"]}, to="c")


@pytest.mark.parametrize(("images", "message"), [
    ({"a": torch.rand(2, 1, 32, 32)}, r"'a' must be \[N, 1, 28, 28\], got \(2, 1, 32, 32\)"),
    ({"a": torch.rand(1, 28, 28)}, r"'a' must be \[N, 1, 28, 28\], got \(1, 28, 28\)"),
    ({"b": torch.rand(2, 1, 32, 32)}, r"'b' must be \[N, 3, 32, 32\]"),
    ({"a": torch.full((2, 1, 28, 28), 255, dtype=torch.uint8)}, "'a' must be floats from 0 to 1, got uint8; divide bytes by 255"),
    ({"a": torch.rand(2, 1, 28, 28) * 255}, "'a' must lie between 0 and 1, got .* to 2"),
    ({"a": torch.full((2, 1, 28, 28), torch.nan)}, "'a' must lie between 0 and 1, got nan to nan"),
    ({"a": torch.rand(2, 1, 28, 28), "b": torch.rand(3, 3, 32, 32)}, r"as many .*a 2.*b 3"),
    ({"a": torch.rand(1, 1, 28, 28), "b": torch.rand(3, 3, 32, 32)}, r"as many .*a 1.*b 3"),
])
def test_images_of_a_wrong_shape_type_or_range_are_refused_by_name(images, message):
    with pytest.raises(ValueError, match=message):
        tiny_model("mvae").posterior(images)


def test_a_translation_without_samples_is_refused():
    with pytest.raises(ValueError, match="samples must be at least 1, got 0"):
        tiny_model("mvae").translate({"a": tiny_images()["a"]}, to="b", samples=0)


@pytest.mark.parametrize(("sizes", "message"), [({"shared": 0}, "'z_shared' needs at least one dimension, got 0"), ({"private": (0, 2)}, "'z_elevation' needs at least one"),
                                                ({"private": ()}, r"private sizes are needed for elevation and lighting, got \(\)"),
                                                ({"private": (2,)}, r"private sizes are needed for elevation and lighting, got \(2,\)")])
def test_sizes_that_make_no_block_are_refused_rather_than_replaced(sizes, message):
    with pytest.raises(ValueError, match=message):
        MultimodalVAE.for_dataset(VARIANTS["mumo"], DATASETS["faces"], **sizes)


@pytest.mark.parametrize("z", [{}, {"z_a": torch.zeros(2, 2), "z_shared": torch.zeros(2, 4)},
                               {"z_a": torch.zeros(2, 2), "z_shared": torch.zeros(2, 5), "z_b": torch.zeros(2, 3)}])
def test_a_code_with_missing_or_misshapen_blocks_is_refused_by_name(z):
    with pytest.raises(ValueError, match=r"block 'z_\w+' must be \[N, \d\], got"):
        tiny_model("mumo").decode(z)


@pytest.mark.parametrize("blocks", [partition(("a", "b"), shared=4), partition(("b", "a"), private=(2, 2), shared=4),
                                    (Block("z_a", 2, "a"), Block("common", 4), Block("z_b", 2, "b"))])
def test_blocks_that_do_not_fit_the_variant_are_refused(blocks):
    with pytest.raises(ValueError, match="'mumo' over a and b needs the blocks"):
        MultimodalVAE(VARIANTS["mumo"], (A, B), blocks)


@pytest.mark.parametrize(("shape", "network", "message"), [((1, 28, 28), "small64", "64×64"), ((1, 64, 32), "small64", "64×64"), ((1, 28, 28), "huge", "huge")])
def test_a_network_that_does_not_fit_its_images_is_refused(shape, network, message):
    with pytest.raises(ValueError, match=message):
        MultimodalVAE(VARIANTS["mvae"], (Modality("a", shape, "x", "x", network=network), B), partition(("a", "b"), shared=4))


# ---- a batch is its items

@pytest.mark.parametrize("variant", VARIANTS)
def test_a_batch_s_posterior_is_its_items_posteriors(variant):
    model, images = tiny_model(variant), tiny_images(4)
    for given in possible(variant)[1:]:
        together = model.posterior({name: images[name] for name in given})
        for i in range(4):
            alone = model.posterior({name: images[name][i:i + 1] for name in given})
            for name in together:
                for batch, item in zip(tensors(together[name]), tensors(alone[name])):
                    torch.testing.assert_close(batch[i:i + 1], item, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("variant", ["mumo", "vanilla", "mvae"])
def test_a_batch_s_pictures_are_its_codes_pictures(variant):
    model = tiny_model(variant)
    z = {block.name: torch.randn(4, block.dim, generator=torch.Generator().manual_seed(0)) for block in model.blocks}
    together = model.decode(z)
    for i in range(4):
        alone = model.decode({name: value[i:i + 1] for name, value in z.items()})
        for name in together:
            torch.testing.assert_close(together[name][i:i + 1], alone[name], atol=1e-5, rtol=1e-4)


# ---- generation

@pytest.mark.parametrize("variant", VARIANTS)
def test_pictures_of_every_variant_have_the_modalities_shapes_and_lie_between_0_and_1(variant):
    model = tiny_model(variant)
    pair = model.generate(n=3, seed=0)
    assert list(pair) == ["a", "b"]
    assert {name: tuple(x.shape) for name, x in pair.items()} == {"a": (3, 1, 28, 28), "b": (3, 3, 32, 32)}
    assert all(0 <= x.min() and x.max() <= 1 and x.std() > 0 for x in pair.values())


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "vanilla"])
def test_translation_repeats_with_its_seed_and_varies_with_samples_and_seeds(variant):
    model, x = tiny_model(variant), tiny_images(2)["a"]
    out = model.translate({"a": x}, to="b", samples=3, seed=4)
    assert out.shape == (2, 3, 3, 32, 32)
    assert torch.equal(out, model.translate({"a": x}, to="b", samples=3, seed=4))
    assert not torch.equal(out, model.translate({"a": x}, to="b", samples=3, seed=5))
    assert not torch.equal(out[:, 0], out[:, 1])


@pytest.mark.parametrize("variant", PRIVATE)
def test_a_modality_s_picture_does_not_depend_on_the_other_s_private_code(variant):
    model = tiny_model(variant)
    z = {block.name: torch.randn(2, block.dim, generator=torch.Generator().manual_seed(0)) for block in model.blocks}
    before, after = model.decode(z), model.decode(z | {"z_b": z["z_b"] + 1})
    assert torch.equal(before["a"], after["a"])
    assert not torch.equal(before["b"], after["b"])


@pytest.mark.parametrize(("dataset", "variant"), list(itertools.product(DATASETS, ("mumo", "vanilla", "mvae"))))
def test_a_variant_takes_a_data_set_s_default_sizes(dataset, variant):
    row = DATASETS[dataset]
    model = MultimodalVAE.for_dataset(VARIANTS[variant], row)
    sizes = [block.dim for block in model.blocks]
    assert sizes == ([row.private[0], row.shared, row.private[1]] if VARIANTS[variant].private else [row.joint])
    assert [tuple(x.shape[1:]) for x in model.generate(1).values()] == [m.shape for m in row.modalities]


# ---- networks


@pytest.mark.parametrize("name", FINER)
def test_a_finer_decoder_leaves_the_encoder_as_it_is_and_draws_from_finer_maps(name):
    side = NETWORKS[name].size
    coarse, fine = (MultimodalVAE(VARIANTS["mumo"], [Modality(side_name, (1, side, side), side_name, side_name, network=network) for side_name in ("left", "right")],
                                  [Block("z_left", 2, "left"), Block("z_shared", 5), Block("z_right", 2, "right")]) for network in (name, FINER[name]))
    shapes = [{name: tensor.shape for name, tensor in model.state_dict().items() if name.startswith("encoders.")} for model in (coarse, fine)]
    assert shapes[0] == shapes[1]
    pictures = fine.decode({name: belief.mean for name, belief in fine.prior(3).items()})
    assert {name: picture.shape for name, picture in pictures.items()} == dict.fromkeys(("left", "right"), (3, 1, side, side))
    doublings = [sum(isinstance(m, torch.nn.ConvTranspose2d) for m in model.decoders["left"].modules()) for model in (coarse, fine)]
    assert doublings[1] == doublings[0] + 1


def test_a_modulated_map_is_normalised_then_scaled_and_shifted_channel_by_channel_as_the_code_says():
    generator = torch.Generator().manual_seed(0)
    x, code = torch.randn(3, 16, 4, 4, generator=generator), torch.randn(3, 5, generator=generator)
    layer = Modulated(16, 5)
    told = code @ layer.code.weight.T + layer.code.bias
    expected = torch.nn.functional.group_norm(x, 8) * (1 + told[:, :16, None, None]) + told[:, 16:, None, None]
    torch.testing.assert_close(layer(x, code), expected)


def test_deep_decoders_draw_each_item_alone_and_learn_from_the_code_at_every_map():
    row = DATASETS["faces"]
    model = MultimodalVAE.for_dataset(VARIANTS["dmvae"], row, modalities=modalities_for(VARIANTS["dmvae"], row, decoders="deep"))
    z = {name: belief.sample(torch.Generator().manual_seed(0)) for name, belief in model.prior(3).items()}
    pictures = model.decode(z)
    alone = model.decode({name: code[1:2] for name, code in z.items()})
    for name, picture in pictures.items():
        assert picture.shape == (3, 1, 64, 64)
        torch.testing.assert_close(picture[1:2], alone[name], atol=1e-5, rtol=1e-4)
    sum(picture.square().sum() for picture in pictures.values()).backward()
    modulated = [layer for decoder in model.decoders.values() for layer in decoder.modules() if isinstance(layer, Modulated)]
    assert len(modulated) == 2 * 3 and all(layer.code.weight.grad.abs().sum() > 0 for layer in modulated)


def test_maps_in_bfloat16_are_normalised_in_full_precision():
    x = (3 + torch.randn(2, 16, 4, 4, generator=torch.Generator().manual_seed(0))).bfloat16()
    norm = GroupNorm(8, 16)
    torch.testing.assert_close(norm(x), torch.nn.GroupNorm(8, 16)(x.float()).bfloat16(), atol=0, rtol=0)
    assert norm(x).dtype == torch.bfloat16
