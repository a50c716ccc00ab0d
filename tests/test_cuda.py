"""On a graphics processor a step is recorded once and replayed: it must stay the same step."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from tiny import TinyPairs, tiny_model

from mmvae.presets import Settings
from mmvae.steps import Captured, Diverged, update
from mmvae.training import closing, optimizer_for, refitting, start, train
from mmvae.variants import VARIANTS

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
CUDA = torch.device("cuda")
SETTINGS = Settings(steps=9, batch_size=8, warmup=5, snapshot=4, device="cuda", precision="float32", seed=3)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_recorded_step_is_the_step_taken_kernel_by_kernel(variant, precision):
    settings = replace(SETTINGS, precision=precision, private_open=1 if VARIANTS[variant].private else 0)
    recorded, plain = (tiny_model(variant).to(CUDA) for _ in range(2))
    optimizers = [optimizer_for(settings, model.parameters()) for model in (recorded, plain)]
    take = Captured([recorded], optimizers[0], TinyPairs(), settings, CUDA)
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    for step in range(5):
        closed = closing(settings, step, 5)
        one = take(step, closed=closed)
        other = update(plain, optimizers[1], TinyPairs(), settings, step, CUDA, closed=closed)
        rough = 1e-4 if precision == "float32" else 3e-2
        assert one.total.item() == pytest.approx(other.total.item(), rel=rough)
        assert {name: value.item() for name, value in one.parts.items()} == pytest.approx(
            {name: value.item() for name, value in other.parts.items()}, rel=10 * rough, abs=0.05)
    moved = torch.cat([(value - before[name]).flatten() for name, value in plain.state_dict().items()])
    apart = torch.cat([(value - plain.state_dict()[name]).flatten() for name, value in recorded.state_dict().items()])
    assert 0 < moved.norm() and apart.norm() < (0.05 if precision == "float32" else 0.5) * moved.norm()


@pytest.mark.parametrize("optimizer", ["adam", "soap"])
def test_decoders_alone_move_where_encoders_are_kept_and_each_term_has_its_turn(optimizer):
    settings = replace(SETTINGS, optimizer=optimizer)
    model = tiny_model("dmvae-clusters").to(CUDA)
    for name, p in model.named_parameters():
        p.requires_grad_(name.startswith("decoders."))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    stages = refitting(model)
    take = Captured(stages, optimizer_for(settings, [p for p in model.parameters() if p.requires_grad]), TinyPairs(), settings, CUDA)
    parts = [frozenset(take(step).parts) for step in range(2 * len(stages))]
    assert parts[:len(stages)] == parts[len(stages):] and len(set(parts)) == len(stages) > 1
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved and all(name.startswith("decoders.") for name in moved)


def test_a_run_is_stopped_resumed_and_finished(tmp_path):
    run = tmp_path / "run"
    start(run, tiny_model("mumo"), SETTINGS)
    asked = iter([False, False, True])
    assert train(run, TinyPairs(), stopped=lambda: next(asked)) == "stopped"
    assert train(run, TinyPairs()) == "finished"
    assert all(value.isfinite().all() for value in load_file(run / "weights.safetensors").values())


def test_a_loss_that_is_not_finite_moves_nothing():
    model = tiny_model("mumo").to(CUDA)
    take = Captured([model], optimizer_for(SETTINGS, model.parameters()), TinyPairs(), SETTINGS, CUDA)
    take(0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    take.drawn[1][0]["a"][0] = torch.nan
    with pytest.raises(Diverged, match="step 2: the loss is not finite; its term"):
        take(1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
