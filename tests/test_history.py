"""What a training told fits into a shipped checkpoint, and says how its weights came to be."""

import json

import pytest

from mmvae.history import CARRIED, event_of, events, is_number, record, record_of, thin, up_to_best

BLOCKS = {"z_mnist": 10, "z_shared": 20, "z_svhn": 10}


def training(steps: int, every: int = 25, snapshot: int = 1000) -> list[dict]:
    """Events as a training of these steps writes them, its loss the reciprocal of the step."""
    told = [{"event": "started", "step": 0, "device": "cpu", "precision": "float32", "processor": "a clock", "pairs": 16}]
    for step in range(every, steps + 1, every):
        kl = {name: [1.23456] * dim for name, dim in BLOCKS.items()}
        parts = {f"{term} reconstruction mnist": 123.45678 for term in "JIT"} | {f"{term} kl z_shared": 2.34567 for term in "JIT"}
        told.append({"event": "step", "step": step, "total": 1e6 / step, "parts": parts, "kl": kl, "pairs_per_second": 99.9, "seconds_left": 1.0})
        if step % snapshot == 0:
            told += [{"event": "validation", "step": step, "total": 1e6 / step + 1}, {"event": "snapshot", "step": step}]
    return [{"steps": steps, "seconds": event["step"] / 10, **event} for event in told]


@pytest.fixture
def told():
    return training(50_000)


def test_a_long_trainings_events_fit_and_read_back(told, tmp_path):
    (tmp_path / "events.jsonl").write_text(thin(told))
    kept = events(tmp_path)
    assert (tmp_path / "events.jsonl").stat().st_size <= CARRIED and len(kept) > 40
    steps = {event["step"]: event["total"] for event in kept if event["event"] == "step"}
    assert min(steps) == 25 and max(steps) == 50_000 and list(steps) == sorted(steps)
    assert all(total == pytest.approx(1e6 / step, rel=1e-3) for step, total in steps.items())
    last = [event for event in kept if event["event"] == "step"][-1]
    assert {name: len(values) for name, values in last["kl"].items()} == BLOCKS and len(last["parts"]) == 6


def test_steps_are_denser_where_a_training_begins(told):
    steps = [json.loads(line)["step"] for line in thin(told).splitlines() if '"event":"step"' in line]
    assert sum(step <= 25_000 for step in steps) > 1.4 * sum(step > 25_000 for step in steps)


def test_a_short_training_keeps_every_step():
    short = training(500, snapshot=250)
    kept = [json.loads(line) for line in thin(short).splitlines()]
    assert [e["step"] for e in kept if e["event"] == "step"] == [e["step"] for e in short if e["event"] == "step"]


def test_what_came_after_the_last_snapshot_is_not_in_the_weights(told, tmp_path):
    cut = told + [{**told[-3], "event": "step", "step": 50_025}]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in cut))
    assert json.loads(thin(cut).splitlines()[-1])["event"] == "snapshot"
    assert record_of(tmp_path) == {"steps": 50_000, "seconds": 5000, "device": "cpu", "processor": "a clock", "precision": "float32", "validation": 21.0}
    (tmp_path / "events.jsonl").write_text(thin(cut))
    assert record_of(tmp_path)["steps"] == 50_000


def test_a_run_gone_on_with_tells_where_it_had_come_to_an_end(told, tmp_path):
    ends = [{"event": "finished", "step": step, "steps": step, "seconds": step / 10} for step in (20_000, 50_000)]
    for meant, told_of, lengths in ((20_000, ends[:1], None), (20_000, ends, [20_000, 50_000]), (30_000, ends[:1], [20_000])):
        begun = [told[0] | {"steps": meant}, *told[1:]]
        (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in begun + told_of))
        assert record_of(tmp_path).get("lengths") == lengths


def test_a_run_stopped_to_go_on_to_another_end_tells_where_it_was_to_end(told, tmp_path):
    begun, *rest = told
    resumed = {"event": "resumed", "step": 20_000, "seconds": 2000.0, "device": "cpu", "processor": "a clock", "precision": "float32"}
    half = len(rest) // 2
    for aims, expected in (((60_000, 55_000), [60_000, 55_000]), ((60_000, 60_000), None)):
        told_of = [begun | {"steps": aims[0]}, *rest[:half], resumed | {"steps": aims[1]}, *rest[half:]]
        (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in told_of))
        assert record_of(tmp_path).get("aims") == expected


def test_the_best_weights_were_trained_up_to_the_lowest_validation():
    told = training(5000)
    validations = [event for event in told if event["event"] == "validation"]
    for event, total in zip(validations, (90.0, 70.0, 60.0, 80.0, 85.0)):
        event["total"] = total
    cut = up_to_best(told)
    assert (cut[-1]["event"], cut[-1]["step"]) == ("snapshot", 3000)
    assert record(cut)["steps"] == 3000 and record(cut)["validation"] == 60.0
    assert up_to_best(told[:3]) == told[:3]


def test_a_number_is_one_that_is_finite_as_a_float():
    assert all(map(is_number, (0, -1.5, 10**300)))
    assert not any(map(is_number, (10**400, -(10**400), float("nan"), float("inf"), True, "1", None, [1])))


@pytest.mark.parametrize("key", ["step", "steps", "seconds"])
@pytest.mark.parametrize("value", [10**400, 1.7e308, "1", None, float("nan")], ids=str)
def test_a_line_without_a_place_in_time_is_no_event(key, value):
    assert event_of(json.dumps({"event": "step", "step": 1, "steps": 2, "seconds": 0.5, key: value})) is None


@pytest.mark.parametrize("odd", [
    {"total": 10**400}, {"total": "90"}, {"parts": [1.0]}, {"parts": {"": 1.0}}, {"parts": {"J kl z": 1.7e308}}, {"kl": [1.0]}, {"kl": {"z": "12"}}, {"kl": {"z": [None]}}, {"seconds_left": {}}],
    ids=str)
def test_of_an_event_what_no_training_tells_is_left_out(odd):
    plain = {"event": "step", "step": 1, "steps": 2, "seconds": 0.5, "total": 3.0, "parts": {"J kl z": 1.0}, "kl": {"z": [1.0]}, "seconds_left": 0.5}
    assert event_of(json.dumps(plain)) == plain
    assert event_of(json.dumps(plain | odd)) == {key: value for key, value in plain.items() if key not in odd}


def test_a_folder_without_events_has_no_record(tmp_path):
    assert record_of(tmp_path) == {}
    assert thin([]) == ""


@pytest.mark.parametrize("step", [10**30, 2**60, 1.5, -5, True])
def test_a_step_that_no_training_does_is_no_event(step):
    line = {"event": "step", "step": 1, "steps": 2, "seconds": 0.5}
    assert event_of(json.dumps(line)) == line
    assert event_of(json.dumps({**line, "step": step})) is None and event_of(json.dumps({**line, "seconds": -1})) is None
