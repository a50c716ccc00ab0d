"""A run is a recipe: the same seed gives the same bits, stopped or killed in between or not."""

import json
import math
import os
import signal
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import A, B, TinyPairs, tiny_images, tiny_model

import mmvae.training
from mmvae.checkpoints import CARD, open_checkpoint
from mmvae.comparison import entry_of, length_of, trainings_of
from mmvae.history import events
from mmvae.latents import partition
from mmvae.model import MultimodalVAE
from mmvae.objective import loss
from mmvae.presets import CLOSED, Settings
from mmvae.soap import TURN_EVERY
from mmvae.steps import spare_kl, update
from mmvae.training import CYCLE, ENCODERS, HAZE, INITIAL, PACE, Diverged, Pace, RunError, closing, refit, refitting, start, train
from mmvae.variants import VARIANTS, Cycle

SETTINGS = Settings(steps=10, batch_size=8, warmup=5, snapshot=4, device="cpu", precision="float32", seed=3)
CPU = torch.device("cpu")


def begin(run: Path, variant: str = "mmpoe-v2", settings: Settings = SETTINGS) -> Path:
    start(run, tiny_model(variant), settings)
    return run


def trained(run: Path, variant: str = "mmpoe-v2", settings: Settings = SETTINGS) -> Path:
    assert train(begin(run, variant, settings), TinyPairs()) == "finished"
    return run


def events(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]


def assert_same_bits(one: Path, other: Path) -> None:
    for name in ("weights.safetensors", "best.safetensors", "state.safetensors"):
        first, second = load_file(one / name), load_file(other / name)
        assert first.keys() == second.keys()
        assert [key for key in first if not torch.equal(first[key], second[key])] == []
    assert (one / "statistics.json").read_text() == (other / "statistics.json").read_text()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A run that went through without a stop."""
    return trained(tmp_path_factory.mktemp("runs") / "whole")


def test_the_same_seed_gives_the_same_bits_whatever_was_drawn_before(whole, tmp_path):
    torch.rand(17)
    assert_same_bits(whole, trained(tmp_path / "again"))


def test_another_seed_gives_other_weights(whole, tmp_path):
    other = trained(tmp_path / "other", settings=replace(SETTINGS, seed=4))
    assert not torch.equal(*(load_file(run / "weights.safetensors")["encoders.a.head.0.weight"] for run in (whole, other)))


@pytest.mark.parametrize("at", [1, 4, 9])
def test_a_run_stopped_and_resumed_has_the_bits_of_one_that_was_not(whole, tmp_path, at):
    run, asked = begin(tmp_path / "stopped"), iter(range(1, 100))
    assert train(run, TinyPairs(), stopped=lambda: next(asked) == at) == "stopped"
    assert events(run)[-1] | {"event": "stopped", "step": at} == events(run)[-1]
    assert train(run, TinyPairs()) == "finished"
    assert_same_bits(whole, run)


@pytest.mark.parametrize("at", [3, TURN_EVERY + 4])  # where the whole run validates too, or too early to be its best
def test_soap_resumes_to_the_bit_too(tmp_path, at):
    settings, asked = replace(SETTINGS, optimizer="soap", steps=TURN_EVERY + 6, batch_size=4), iter(range(1, 100))
    run = begin(tmp_path / "stopped", settings=settings)
    assert train(run, TinyPairs(), stopped=lambda: next(asked) == at) == "stopped"
    assert train(run, TinyPairs()) == "finished"
    assert_same_bits(trained(tmp_path / "whole", settings=settings), run)
    adam = trained(tmp_path / "adam", settings=replace(settings, optimizer="adam"))
    assert not torch.equal(*(load_file(r / "weights.safetensors")["encoders.a.head.0.weight"] for r in (run, adam)))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs a list of what is mapped")
@pytest.mark.parametrize("optimizer", ["adam", "soap"])
def test_a_resumed_run_keeps_nothing_of_its_state_file_mapped(tmp_path, optimizer):
    """Windows replaces no file that is mapped, and the next snapshot replaces this one."""
    settings = replace(SETTINGS, optimizer=optimizer)
    run, model = begin(tmp_path / "run", settings=settings), tiny_model("mmpoe-v2")
    train(run, TinyPairs(), stopped=lambda: True)
    resumed = mmvae.training.optimizer_for(settings, model.parameters())
    assert mmvae.training._resume(run, model, resumed)[0] == 1
    assert str(run) not in Path("/proc/self/maps").read_text()
    assert resumed.state


@pytest.mark.parametrize("variant", ["mmvae", "mmvae-plus", "mopoe"])
def test_learned_priors_and_mixtures_resume_to_the_bit_too(tmp_path, variant):
    settings, asked = replace(SETTINGS, steps=4, batch_size=4), iter(range(1, 100))
    run = begin(tmp_path / "stopped", variant, settings)
    train(run, TinyPairs(), stopped=lambda: next(asked) == 2)
    train(run, TinyPairs())
    assert_same_bits(trained(tmp_path / "whole", variant, settings), run)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def train_until_killed(run: Path, where: str, step: int) -> None:
    """Trains, and dies on the spot at an event or with half of that step's state on the disk."""
    def save_half(tensors, file, metadata):
        save_file(tensors, file, metadata=metadata)
        if metadata["step"] == str(step):
            os.truncate(file, os.path.getsize(file) // 2)
            die()

    if where == "half-written":
        mmvae.training.save_file = save_half
    train(run, TinyPairs(), on_event=lambda event: (event["event"], event["step"]) == (where, step) and die())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
@pytest.mark.parametrize(("where", "step", "survives"), [("step", 6, 4), ("validation", 8, 4), ("half-written", 8, 4), ("step", 3, 0)])
def test_a_run_killed_anywhere_and_resumed_has_the_bits_of_one_that_was_not(whole, tmp_path, where, step, survives):
    run = begin(tmp_path / "killed")
    child = os.fork()  # a process of its own, without a second import of torch
    if child == 0:
        try:
            train_until_killed(run, where, step)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    with open(run / "events.jsonl", "a", encoding="utf-8") as file:
        file.write('{"event": "step", "st')  # as a kill in the middle of a line leaves it
    assert train(run, TinyPairs()) == "finished"
    assert_same_bits(whole, run)
    told = events(run)
    assert ("resumed", survives) in [(e["event"], e["step"]) for e in told] or survives == 0
    assert [e["step"] for e in told] == sorted(e["step"] for e in told)
    assert [e["step"] for e in told if e["event"] == "step"] == list(range(1, 11))


def test_events_tell_each_term_the_kl_of_each_dimension_and_the_pace(whole):
    told = events(whole)
    assert (told[0]["event"], told[-1]["event"]) == ("started", "finished")
    steps = [e for e in told if e["event"] == "step"]
    assert [e["step"] for e in steps] == list(range(1, 11))
    for event in steps:
        assert {name: len(values) for name, values in event["kl"].items()} == {"z_a": 2, "z_shared": 4, "z_b": 3}
        assert set(event["parts"]) >= {"J reconstruction a", "J kl z_shared", "I kl z_a", "T reconstruction b"}
        assert event["steps"] == 10 and event["pairs_per_second"] > 0 and event["seconds_left"] >= 0
    # warm-up is over by the tenth step: the total is the weighted sum of its parts
    weighted = sum(value * (A.weight if name.endswith("reconstruction a") else 1) for name, value in steps[-1]["parts"].items())
    assert steps[-1]["total"] == pytest.approx(weighted, rel=1e-5)
    assert [e["step"] for e in told if e["event"] == "validation"] == [4, 8, 10]


def test_training_lowers_the_loss(tmp_path):
    run = trained(tmp_path / "longer", "joint-poe", replace(SETTINGS, steps=40, snapshot=40, batch_size=16))
    totals = [e["total"] for e in events(run) if e["event"] == "step"]
    assert sum(totals[-5:]) < 0.8 * sum(totals[:5])


def test_best_weights_are_those_of_the_lowest_validation(whole):
    validations = {e["step"]: e["total"] for e in events(whole) if e["event"] == "validation"}
    model, data = open_checkpoint(whole, weights="best.safetensors").model, TinyPairs()
    images, _ = data.items(data.split("validation"))
    values = [loss(model, {k: x[i:i + 8] for k, x in images.items()}).total.item() for i in range(0, 32, 8) for _ in range(4)]
    assert sum(values) / len(values) == pytest.approx(min(validations.values()), rel=0.02)
    last = load_file(whole / "weights.safetensors")
    same = all(torch.equal(tensor, last[name]) for name, tensor in load_file(whole / "best.safetensors").items())
    assert same == (min(validations, key=validations.get) == 10)


def test_weights_of_a_finished_run_open_as_a_checkpoint_with_statistics(whole):
    checkpoint = open_checkpoint(whole)
    assert not checkpoint.model.training
    assert {name: len(block["mean"]) for name, block in checkpoint.statistics["blocks"].items()} == {"z_a": 2, "z_shared": 4, "z_b": 3}


def test_a_run_can_go_on_for_longer_than_it_was_meant_to(tmp_path):
    run = trained(tmp_path / "run", settings=replace(SETTINGS, steps=3))
    assert train(run, TinyPairs(), until=5) == "finished"
    assert [e["step"] for e in events(run) if e["event"] == "step"] == [1, 2, 3, 4, 5]


def test_a_run_does_not_end_before_where_it_stands_and_ends_there_once(tmp_path):
    run = trained(tmp_path / "run", settings=replace(SETTINGS, steps=3))
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    with pytest.raises(RunError, match="has done 3 steps already, it cannot end at 2: say more with --steps$"):
        train(run, TinyPairs(), until=2)
    assert train(run, TinyPairs(), until=3) == "finished"
    assert before == {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}


def test_a_run_killed_between_its_last_snapshot_and_its_end_comes_to_it(tmp_path):
    run = trained(tmp_path / "run", settings=replace(SETTINGS, steps=3))
    (run / "statistics.json").unlink()
    lines = (run / "events.jsonl").read_text().splitlines()
    (run / "events.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    assert train(run, TinyPairs()) == "finished"
    assert events(run)[-1]["event"] == "finished" and (run / "statistics.json").is_file()


def test_what_was_measured_of_the_weights_before_goes_as_a_run_goes_on(tmp_path):
    run = trained(tmp_path / "run", settings=replace(SETTINGS, steps=3))
    (run / CARD).write_text("{}")
    assert train(run, TinyPairs()) == "finished" and (run / CARD).is_file()
    assert train(run, TinyPairs(), until=4) == "finished" and not (run / CARD).exists()


# ---- one step

def settings_and_optimizer(model, **changes):
    return replace(SETTINGS, **changes), torch.optim.Adam(model.parameters(), lr=1e-3)


def test_kl_and_rate_warm_up_linearly_and_the_rate_decays_over_the_second_half(tmp_path, monkeypatch):
    seen = []

    def spy(model, images, *, beta, generator):
        seen.append(beta)
        return loss(model, images, beta=beta, generator=generator)

    def spied_update(model, optimizer, *rest, **factors):
        rates.append(optimizer.param_groups[0]["lr"])
        return update(model, optimizer, *rest, **factors)

    rates: list[float] = []
    run = begin(tmp_path / "run", "joint-poe", replace(SETTINGS, steps=8, warmup=4, snapshot=8, learning_rate=0.01))
    monkeypatch.setattr("mmvae.training.update", spied_update)
    monkeypatch.setattr("mmvae.training._validate", lambda *_: 0.0)
    monkeypatch.setattr("mmvae.steps.loss", spy)
    train(run, TinyPairs())
    assert seen == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 1, 1])
    assert rates == pytest.approx([0.0025, 0.005, 0.0075, 0.01, 0.01, 0.0075, 0.005, 0.0025])


@pytest.mark.parametrize("variant", ["mumo", "mmpoe-v1", "dmvae", "mmvae-plus"])
def test_the_spare_kl_is_that_of_private_dimensions_past_the_first_as_the_loss_counts_them(variant):
    model, images = tiny_model(variant), tiny_images()
    beliefs = {given: model.posterior({name: images[name] for name in given}) for given in (("a", "b"), ("a",), ("b",))}

    def spare(given: tuple[str, ...], *owners: str) -> float:
        values = 0.0
        for owner in owners:
            belief = beliefs[given][f"z_{owner}"]
            each = 0.5 * (belief.mean**2 + belief.stddev**2 - 1) - belief.stddev.log()
            values += each[:, 1:].sum(1).mean().item()
        return values

    pair = spare(("a", "b"), "a", "b")
    expected = {
        "mumo": pair + spare(("a",), "a") + spare(("b",), "b"), "mmpoe-v1": pair, "dmvae": 3 * pair,
        "mmvae-plus": 0.5 * spare(("a",), "a") + 0.5 * spare(("b",), "b")}[variant]
    with torch.no_grad():
        assert spare_kl(model, images, 1).item() == pytest.approx(expected, rel=1e-4)
        assert spare_kl(model, images, 3).item() == 0  # no private block is that large


def test_private_dimensions_are_closed_in_the_last_third_of_the_steps():
    settings = replace(SETTINGS, private_open=1)
    assert [closing(settings, step, 1200) for step in (0, 799, 800)] == pytest.approx([1, 1, 1])
    assert closing(settings, 850, 1200) == pytest.approx(CLOSED**0.5)
    assert [closing(settings, step, 1200) for step in (901, 1199)] == [CLOSED, CLOSED]
    assert closing(SETTINGS, 1199, 1200) == 1


def test_the_loss_of_a_step_has_the_spare_kl_as_many_times_as_the_factor_says():
    settings = replace(SETTINGS, private_open=1, warmup=4)
    totals = {}
    for closed in (1.0, 3.0):
        model = tiny_model("mumo")
        totals[closed] = update(model, torch.optim.Adam(model.parameters(), lr=0.0), TinyPairs(), settings, 1, CPU, closed=closed).total.item()
    rng, data, model = np.random.default_rng([settings.seed, 1]), TinyPairs(), tiny_model("mumo")
    images = data.augment(data.items(data.draw("train", settings.batch_size, rng))[0], rng)
    assert totals[3.0] - totals[1.0] == pytest.approx(0.5 * 2 * spare_kl(model, images, 1).item(), rel=1e-3)  # 0.5: the warm-up's second of four steps


def test_a_training_that_closes_private_dimensions_leaves_the_first_open_alone(tmp_path):
    settings = replace(SETTINGS, steps=120, warmup=0, learning_rate=0.01, snapshot=120)
    spare = {}
    for kept in (0, 1):
        trained(tmp_path / str(kept), "mumo", replace(settings, private_open=kept))
        with torch.no_grad():
            spare[kept] = spare_kl(open_checkpoint(tmp_path / str(kept)).model, TinyPairs().images, 1).item()
    assert spare[1] < 0.2 * spare[0]


@pytest.mark.parametrize(("variant", "kept"), [("joint-poe", 1), ("mumo", 3)])
def test_a_run_that_would_close_nothing_is_refused(tmp_path, variant, kept):
    with pytest.raises(RunError, match=rf"^private_open {kept}: .* nothing would be closed$"):
        start(tmp_path / "run", tiny_model(variant), replace(SETTINGS, private_open=kept))
    assert not (tmp_path / "run").exists()


def test_beta_weighs_every_divergence_in_training_and_validation_alike(tmp_path):
    """With no learning the first step's loss and the validation are those of the same weights under another factor."""
    told = {}
    for beta in (0.0, 1.0, 4.0):
        run = tmp_path / f"beta-{beta:g}"
        torch.manual_seed(0)
        start(run, tiny_model("mvae"), Settings(steps=1, batch_size=8, snapshot=1, warmup=0, learning_rate=1e-12, device="cpu", beta=beta))
        train(run, TinyPairs())
        lines = events(run)
        told[beta] = [next(line["total"] for line in lines if line["event"] == event) for event in ("step", "validation")]
    for none, one, four in zip(*told.values()):
        assert one > none and four - none == pytest.approx(4 * (one - none), rel=1e-3)


@pytest.mark.parametrize(("private", "change", "said"), [((2000, 3), {}, "beyond what this program builds"), ((2, 3), {"learning_rate": math.inf}, "learning_rate is Infinity"),
                                                         ((2, 3), {"clip": math.inf}, "clip is Infinity")])
def test_what_could_not_be_trained_is_not_begun(tmp_path, private, change, said):
    model = MultimodalVAE(VARIANTS["mumo"], (A, B), partition(("a", "b"), private=private, shared=4))
    with pytest.raises(RunError, match=f"run cannot be begun: .*{said}"):
        start(tmp_path / "run", model, replace(SETTINGS, **change))
    assert not (tmp_path / "run").exists()


def test_gradients_are_clipped_to_their_largest_norm():
    model = tiny_model("mvae")
    settings, optimizer = settings_and_optimizer(model, clip=0.5)
    update(model, optimizer, TinyPairs(), settings, 0, CPU)
    assert torch.stack([p.grad.norm() for p in model.parameters()]).norm().item() == pytest.approx(0.5, rel=1e-3)


def test_a_step_depends_on_the_seed_and_its_number_alone():
    totals = []
    for seed, step in [(3, 5), (3, 5), (3, 6), (4, 5)]:
        model = tiny_model("mvae")
        settings, optimizer = settings_and_optimizer(model, seed=seed, warmup=0)
        totals.append(update(model, optimizer, TinyPairs(), settings, step, CPU).total.item())
    assert totals[0] == totals[1] and len(set(totals)) == 3


def test_speed_is_that_of_about_the_last_minute():
    pace = Pace()
    assert pace.after(25, 5.0) == pytest.approx(5)
    assert pace.after(25, 20.0) == pytest.approx(2)  # one slow stretch does not stand for all
    for _ in range(int(PACE)):
        now = pace.after(3, 1.0)
    assert now == pytest.approx(3)  # what was before the minute is forgotten


def test_a_run_begun_on_a_device_that_is_not_here_goes_on_on_another(tmp_path):
    run = begin(tmp_path / "run", settings=replace(SETTINGS, steps=2, device="cuda"))
    assert train(run, TinyPairs(), device="cpu") == "finished"
    assert events(run)[0]["device"] == "cpu"


def test_a_run_goes_on_whatever_else_stands_among_its_events(tmp_path):
    run = trained(tmp_path / "run", settings=replace(SETTINGS, steps=4))
    with open(run / "events.jsonl", "ab") as file:
        file.write(b'[1]\n"text"\n{"event": "step"}\n{"event": "step", "step": "x"}\n\xff\xfe\n{"event": "st')
    assert train(run, TinyPairs(), until=6) == "finished"
    assert [event["step"] for event in events(run) if event["event"] == "step"] == [1, 2, 3, 4, 5, 6]


# ---- what stops a run, in one line

class Spoiled(TinyPairs):
    """Its sixth batch holds a pixel that is no number."""

    drawn = 0

    def augment(self, images, rng):
        self.drawn += 1
        if self.drawn == 6:
            images["a"][0, 0, 3, 3] = math.nan
        return images


def test_a_loss_that_is_no_number_stops_the_run_at_its_step_and_term(tmp_path):
    run = begin(tmp_path / "run")
    with pytest.raises(Diverged, match=r"^step 6: the loss is not finite; its term 'J reconstruction a' is nan$"):
        train(run, Spoiled())
    assert events(run)[-1] | {"event": "diverged", "step": 6} == events(run)[-1]
    assert "J reconstruction a" in events(run)[-1]["message"]
    assert train(run, TinyPairs()) == "finished"  # from the last snapshot, with sound data
    assert [e["step"] for e in events(run) if e["event"] == "step"] == list(range(1, 11))


@pytest.mark.parametrize(("parameter", "term"), [("decoders.b.trunks.0.0.bias", "J reconstruction b"), ("decoders.a.trunks.0.0.bias", "J reconstruction a")])
def test_the_term_that_is_not_finite_is_named(parameter, term):
    model = tiny_model("mumo")
    settings, optimizer = settings_and_optimizer(model)
    with torch.no_grad():
        model.get_parameter(parameter)[0] = math.nan
    with pytest.raises(Diverged, match=f"step 8: .* term '{term}' is nan"):
        update(model, optimizer, TinyPairs(), settings, 7, CPU)


def test_a_gradient_that_is_not_finite_leaves_the_weights_alone():
    model = tiny_model("mvae")
    settings, optimizer = settings_and_optimizer(model)
    model.get_parameter("decoders.b.stem.0.bias").register_hook(lambda gradient: gradient * math.inf)
    before = {name: p.clone() for name, p in model.named_parameters()}
    with pytest.raises(Diverged, match="step 1: the gradient's norm is not finite while the loss is"):
        update(model, optimizer, TinyPairs(), settings, 0, CPU)
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def spoil_state(run: Path, how: str) -> None:
    state = run / "state.safetensors"
    if how == "half":
        os.truncate(state, state.stat().st_size // 2)
    elif how == "empty":
        state.write_bytes(b"")
    elif how == "pickle":
        torch.save({"model": {}}, state)
    else:
        state.write_bytes((Path(run.parent / "other") / "state.safetensors").read_bytes())


@pytest.mark.parametrize("how", ["half", "empty", "pickle", "another model's"])
def test_a_state_that_is_not_whole_is_refused_in_one_line(tmp_path, how):
    short = replace(SETTINGS, steps=2)
    run = trained(tmp_path / "run", settings=short)
    if how == "another model's":
        trained(tmp_path / "other", "mumo", short)
    spoil_state(run, how)
    before = (run / "state.safetensors").read_bytes()
    with pytest.raises(RunError, match="state.safetensors: cannot be resumed from") as caught:
        train(run, TinyPairs(), until=4)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    assert (run / "state.safetensors").read_bytes() == before


def test_a_folder_without_a_run_and_one_with_a_malformed_configuration_are_refused(tmp_path):
    with pytest.raises(RunError, match="config.json"):
        train(tmp_path / "nowhere", TinyPairs())
    run = begin(tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    for training, said in (
        ({}, '"training" is null'), ([1, 2], r"is \[1, 2\]"), (asdict(SETTINGS) | {"steps": "many"}, 'steps is "many", expected a whole number'),
        (asdict(SETTINGS) | {"steps": 2.5}, "steps is 2.5"), (asdict(SETTINGS) | {"seed": None}, "seed is null"), (asdict(SETTINGS) | {"colour": 1}, "'colour'"),
        (asdict(SETTINGS) | {"batch_size": 0}, "batch_size must be at least 1"), (asdict(SETTINGS) | {"clip": math.inf}, "clip is Infinity"),
        (asdict(SETTINGS) | {"augment": "yes"}, "expected true or false"),
    ):  # fmt: skip
        (run / "config.json").write_text(json.dumps({k: v for k, v in config.items() if k != "training"} | ({"training": training} if training else {})))
        with pytest.raises(RunError, match=f"config.json: no settings to train with: .*{said}"):
            train(run, TinyPairs())


def test_data_of_other_modalities_are_refused(tmp_path):
    class Others(TinyPairs):
        modalities = (replace(A, name="c"), TinyPairs.modalities[1])

    with pytest.raises(RunError, match=r"a \(1×28×28\).* c \(1×28×28\)"):
        train(begin(tmp_path / "run"), Others())


def test_a_run_is_not_started_over_another(whole):
    before = (whole / "config.json").read_text()
    with pytest.raises(RunError, match="already holds a run"):
        start(whole, tiny_model("mumo"), SETTINGS)
    assert (whole / "config.json").read_text() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RunError, match="cuda was asked for"):
        train(begin(tmp_path / "run", settings=replace(SETTINGS, device="cuda")), TinyPairs())
    with pytest.raises(RunError, match="'tpu' is none of auto, cpu, cuda"):
        train(begin(tmp_path / "other", settings=replace(SETTINGS, device="tpu")), TinyPairs())


@pytest.mark.parametrize("change", [{"steps": 0}, {"batch_size": 0}, {"snapshot": -1}, {"learning_rate": 0.0}, {"learning_rate": math.nan}, {"warmup": -1}, {"clip": 0.0},
                                    {"precision": "float8"}, {"optimizer": "sgd"}])
def test_settings_that_cannot_train_are_refused(change):
    with pytest.raises(ValueError):
        replace(SETTINGS, **change)


def test_training_leaves_no_temporary_file_behind(whole):
    assert [path.name for path in whole.iterdir() if path.name.startswith(".config") or path.name.startswith(".weights") or path.name.startswith(".state")] == []


def test_bfloat16_trains_close_to_full_precision():
    totals = {}
    for precision in ("float32", "bfloat16"):
        model = tiny_model("joint-poe")
        settings, optimizer = settings_and_optimizer(model, precision=precision)
        totals[precision] = update(model, optimizer, TinyPairs(), settings, 0, CPU).total.item()
        assert all(p.dtype == torch.float32 and torch.isfinite(p.grad).all() for p in model.parameters())
    assert totals["bfloat16"] == pytest.approx(totals["float32"], rel=0.02) and totals["bfloat16"] != totals["float32"]


def test_images_are_not_altered_by_a_loss():
    images = tiny_images()
    before = {name: x.clone() for name, x in images.items()}
    loss(tiny_model("dmvae"), images).total.backward()
    assert all(torch.equal(images[name], before[name]) for name in images)


# ---- decoders fitted to the codes of a trained model


def refitted(run: Path, origin: Path, settings: Settings = SETTINGS) -> Path:
    refit(run, open_checkpoint(origin), settings)
    return run


@pytest.mark.parametrize("variant", ["dmvae", "mmvae-plus", "dmvae-clusters"])
def test_refitting_moves_every_decoder_and_nothing_else(tmp_path, variant):
    origin = trained(tmp_path / "origin", variant)
    run = refitted(tmp_path / "refitted", origin)
    assert train(run, TinyPairs()) == "finished"
    before, after = (load_file(folder / "weights.safetensors") for folder in (origin, run))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name for name in before if name.startswith("decoders.")}


def test_refitting_closes_no_private_dimension(tmp_path):
    with pytest.raises(RunError, match="^private_open 1: the encoders stay as they are, nothing would be closed$"):
        refitted(tmp_path / "refitted", trained(tmp_path / "origin", "mumo"), replace(SETTINGS, private_open=1))
    assert not (tmp_path / "refitted").exists()


def test_refitting_begins_with_new_decoders_and_lowers_the_bound_of_all_terms(tmp_path):
    run = refitted(tmp_path / "refitted", trained(tmp_path / "origin", "dmvae"), replace(SETTINGS, steps=60, snapshot=20, learning_rate=5e-3, warmup=1))
    train(run, TinyPairs())
    validations = [event["total"] for event in events(run) if event["event"] == "validation"]
    assert validations[0] > validations[1] > validations[2]


def test_the_stages_of_refitting_are_the_terms_that_decode_over_the_same_parameters():
    model = tiny_model("dmvae-clusters")
    stages = refitting(model)
    kinds = [type(term).__name__ for stage in stages for term in stage.variant.terms]
    assert kinds == [kind for kind in (type(term).__name__ for term in model.variant.terms) if kind != "Contrast"] and "Cycle" in kinds
    assert len(model.variant.terms) > 1  # the model itself keeps all
    cycles = [term for stage in (*stages, model) for term in stage.variant.terms if isinstance(term, Cycle)]
    assert [(term.haze, term.weight) for term in cycles] == [(HAZE, CYCLE * cycles[1].weight), (0, cycles[1].weight)]
    assert all(one is other for stage in stages for one, other in zip(stage.parameters(), model.parameters(), strict=True))


def test_what_is_told_of_a_step_is_of_the_last_step_of_each_term(tmp_path):
    run = refitted(tmp_path / "refitted", trained(tmp_path / "origin", "dmvae"))
    train(run, TinyPairs())
    told = [event for event in events(run) if event["event"] == "step"][-1]
    model = open_checkpoint(run).model
    assert told["parts"].keys() == loss(model, tiny_images()).parts.keys()
    assert math.isclose(told["total"], sum(A.weight * value if name.endswith("reconstruction a") else value for name, value in told["parts"].items()), rel_tol=1e-4)


def test_no_loss_is_told_of_a_refit_before_each_of_its_terms_was_taken(tmp_path):
    run, asked = refitted(tmp_path / "refitted", trained(tmp_path / "origin", "dmvae")), iter(range(1, 100))
    assert train(run, TinyPairs(), stopped=lambda: next(asked) == 6) == "stopped"
    assert train(run, TinyPairs()) == "finished"
    stages = len(refitting(open_checkpoint(run).model))
    told = {event["step"]: event for event in events(run) if event["event"] == "step"}
    assert list(told) == list(range(1, 11)) and stages == 3
    assert [step for step, event in told.items() if "total" not in event] == [1, 2, 7, 8]
    assert all(event["parts"] for event in told.values())


def test_refitting_stopped_and_resumed_has_the_bits_of_one_that_was_not(tmp_path):
    origin = trained(tmp_path / "origin", "mumo")
    whole, stopped = refitted(tmp_path / "whole", origin), refitted(tmp_path / "stopped", origin)
    train(whole, TinyPairs())
    asked = iter(range(1, 100))
    assert train(stopped, TinyPairs(), stopped=lambda: next(asked) == 5) == "stopped"
    assert train(stopped, TinyPairs()) == "finished"
    assert_same_bits(whole, stopped)


def test_a_refitted_run_tells_how_its_encoders_came_to_be_also_when_it_is_refitted_again(tmp_path):
    origin = trained(tmp_path / "origin")
    run = refitted(tmp_path / "refitted", origin)
    train(run, TinyPairs())
    told = open_checkpoint(run).config["encoders"]
    assert told["of"] == "origin" and told["training"] == asdict(SETTINGS) and told["trained"]["steps"] == SETTINGS.steps
    again = refitted(tmp_path / "again", run)
    assert json.loads((again / "config.json").read_text())["encoders"] == told


@pytest.mark.parametrize("content", [None, b"", "other"])
def test_without_the_encoders_that_it_keeps_a_run_is_refused_in_one_line(tmp_path, content):
    run = refitted(tmp_path / "refitted", trained(tmp_path / "origin"))
    if content is None:
        (run / ENCODERS).unlink()
    elif content == "other":
        save_file({"encoders.a.head.0.weight": torch.zeros(2)}, run / ENCODERS)
    else:
        (run / ENCODERS).write_bytes(content)
    with pytest.raises(RunError, match=r"encoders.safetensors: no encoders to fit decoders to \(\w+: [^\n]+\)$"):
        train(run, TinyPairs())


# ---- trained weights that are trained on


def begun(run: Path, origin: Path, settings: Settings = SETTINGS) -> Path:
    mmvae.training.begin(run, open_checkpoint(origin), settings)
    return run


def test_a_run_begins_with_the_weights_of_the_trained_model_and_moves_them_all(tmp_path):
    origin = trained(tmp_path / "origin", "mumo")
    still, moved = (begun(tmp_path / name, origin, replace(SETTINGS, steps=1, warmup=0, learning_rate=rate)) for name, rate in (("still", 1e-30), ("moved", 1e-2)))
    train(still, TinyPairs())
    train(moved, TinyPairs())
    before, same, after = (load_file(folder / "weights.safetensors") for folder in (origin, still, moved))
    assert all(torch.equal(before[name], same[name]) for name in before)
    assert not any(torch.equal(before[name], after[name]) for name in before)


def test_weights_trained_on_stopped_and_resumed_have_the_bits_of_those_that_were_not(tmp_path):
    origin = trained(tmp_path / "origin", "mumo")
    settings = replace(SETTINGS, private_open=1)
    whole, stopped = begun(tmp_path / "whole", origin, settings), begun(tmp_path / "stopped", origin, settings)
    train(whole, TinyPairs())
    asked = iter(range(1, 100))
    assert train(stopped, TinyPairs(), stopped=lambda: next(asked) == 5) == "stopped"
    assert train(stopped, TinyPairs()) == "finished"
    assert_same_bits(whole, stopped)


def test_of_trained_weights_the_kl_is_whole_and_private_dimensions_close_from_the_first_step_on(tmp_path, monkeypatch):
    told = []

    def spied_update(*arguments, beta, closed):
        told.append((beta, closed))
        return update(*arguments, beta=beta, closed=closed)

    settings = replace(SETTINGS, steps=24, private_open=1)
    run = begun(tmp_path / "run", trained(tmp_path / "origin", "mumo"), settings)
    monkeypatch.setattr("mmvae.training.update", spied_update)
    train(run, TinyPairs())
    assert told[0] == (1.0, 1.0) and told[1] == (1.0, pytest.approx(CLOSED**0.5)) and told[3] == (1.0, CLOSED)


def test_a_model_tells_of_every_training_that_it_comes_from(tmp_path):
    first = trained(tmp_path / "first", settings=replace(SETTINGS, steps=4))
    fitted = refitted(tmp_path / "fitted", first, replace(SETTINGS, steps=5))
    train(fitted, TinyPairs())
    on = begun(tmp_path / "on", fitted, replace(SETTINGS, steps=6))
    train(on, TinyPairs())
    last = refitted(tmp_path / "last", on, replace(SETTINGS, steps=7))
    train(last, TinyPairs())
    entry = entry_of(last)
    assert [(t.how, t.settings["steps"]) for t in trainings_of(entry)] == [("", 4), ("encoders", 5), ("began_with", 6), ("encoders", 7)]
    assert [t.record.get("steps") for t in trainings_of(entry)][:-1] == [4, 5, 6]
    assert length_of(entry) == "4 × 8, decoders 5 × 8, on 6 × 8, decoders 7 × 8"


@pytest.mark.parametrize("content", [None, b"", "other"])
def test_without_the_weights_to_begin_with_a_run_is_refused_in_one_line(tmp_path, content):
    run = begun(tmp_path / "run", trained(tmp_path / "origin"))
    if content is None:
        (run / INITIAL).unlink()
    elif content == "other":
        save_file({"encoders.a.head.0.weight": torch.zeros(2)}, run / INITIAL)
    else:
        (run / INITIAL).write_bytes(content)
    with pytest.raises(RunError, match=r"initial.safetensors: no weights to begin with \(\w+: [^\n]+\)$"):
        train(run, TinyPairs())
