"""What a caller hands to a model: any floats or numbers of the right shape, or one line that says what was wrong."""

import numpy as np
import pytest
import torch

from mmvae.checkpoints import config_of, load, save
from tests.tiny import tiny_model

MODEL = tiny_model("mumo").requires_grad_(False)
FIRST, SECOND = MODEL.modalities
IMAGES = torch.rand(3, *FIRST.shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("given", [IMAGES.double(), IMAGES.double().numpy(), IMAGES.numpy(), IMAGES.tolist()], ids=["double", "float64", "float32", "list"])
def test_images_of_any_floats_have_one_posterior(given):
    wanted, got = MODEL.posterior({FIRST.name: IMAGES}), MODEL.posterior({FIRST.name: given})
    for name, belief in wanted.items():
        torch.testing.assert_close(got[name].mean, belief.mean)
        assert got[name].mean.dtype == torch.float32


def test_half_precision_is_taken_as_it_is():
    half = IMAGES.half()
    torch.testing.assert_close(MODEL.posterior({FIRST.name: half})["z_shared"].mean, MODEL.posterior({FIRST.name: half.float()})["z_shared"].mean)


@pytest.mark.parametrize("variant", ["mumo", "joint-poe", "mmvae", "mopoe", "vanilla"])
def test_no_images_have_no_codes_and_no_pictures(variant):
    model = tiny_model(variant).requires_grad_(False)
    nothing = {m.name: torch.zeros(0, *m.shape) for m in model.modalities}
    code = {name: belief.mean for name, belief in model.posterior(nothing).items()}
    assert all(part.shape == (0, model.block(name).dim) for name, part in code.items())
    assert all(len(images) == 0 for images in model.decode(code).values())


@pytest.mark.parametrize("given, said", [
    ("a picture", r"images of 'a' must be \[N, .*\], got str"),
    (None, "got NoneType"),
    (np.zeros((2, *FIRST.shape), np.uint8), "must be floats from 0 to 1, got uint8; divide bytes by 255"),
    (torch.zeros(FIRST.shape), r"images of 'a' must be \[N"),
])
def test_what_is_no_images_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        MODEL.posterior({FIRST.name: given})


def code(n: int = 2) -> dict[str, torch.Tensor]:
    return {block.name: torch.linspace(-1, 1, n * block.dim).view(n, block.dim) for block in MODEL.blocks}


def test_a_code_of_any_numbers_has_one_picture():
    wanted = MODEL.decode(code())
    for kind in (lambda part: part.double(), lambda part: part.numpy(), lambda part: part.tolist()):
        got = MODEL.decode({name: kind(part) for name, part in code().items()})
        torch.testing.assert_close(got[SECOND.name], wanted[SECOND.name])


@pytest.mark.parametrize("spoil, said", [
    (lambda part: part[0], r"block 'z_shared' must be \[N, \d+\], got \(\d+,\)"),
    (lambda part: part[None], "must be"),
    (lambda part: part[:1], "as many items in each block"),
    (lambda part: part * float("nan"), "block 'z_shared' holds values that are not finite"),
    (lambda part: MODEL.prior(2)["z_shared"], "got a DiagonalGaussian; pass its .mean or its .sample"),
    (lambda part: "z", "got str"),
])
def test_what_is_no_code_is_refused(spoil, said):
    z = code()
    with pytest.raises(ValueError, match=said):
        MODEL.decode(z | {"z_shared": spoil(z["z_shared"])})


def test_one_seed_of_any_type_gives_one_picture():
    wanted = MODEL.translate({FIRST.name: IMAGES}, SECOND.name, 2, seed=3)
    for seed in (np.int64(3), torch.tensor(3), np.uint8(3)):
        assert torch.equal(MODEL.translate({FIRST.name: IMAGES}, SECOND.name, 2, seed=seed), wanted)
        assert torch.equal(MODEL.generate(2, seed=seed)[FIRST.name], MODEL.generate(2, seed=3)[FIRST.name])
    for seed in (3.0, "3", None):
        with pytest.raises(ValueError, match="seed must be a whole number"):
            MODEL.translate({FIRST.name: IMAGES}, SECOND.name, 2, seed=seed)
        with pytest.raises(ValueError, match="seed must be a whole number"):
            MODEL.generate(2, seed=seed)
    with pytest.raises(ValueError, match="n must be at least 0, got -1"):
        MODEL.generate(-1)


def test_a_model_is_loaded_by_its_folder_or_its_name_on_a_device_that_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    save(tmp_path / "checkpoints" / "mine", MODEL, config_of(MODEL, {}))
    for path, device in (("mine", "cpu"), ("mine", "auto"), (tmp_path / "checkpoints" / "mine", "cpu"), (str(tmp_path / "checkpoints" / "mine"), "cpu")):
        assert load(path, device).variant.name == "mumo"
    for device, said in (("cuda", "this machine has none"), ("gpu", "is none of auto, cpu, cuda")):
        with pytest.raises(ValueError, match=said):
            load("mine", device)
