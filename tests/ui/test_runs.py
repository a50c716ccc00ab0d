"""The charts of a training can be read: their numbers are round, few, and of a size that is."""

import time

import numpy as np
import pytest

from mmvae import runs, turns
from ui.runs import HEIGHT, curves, halt, halting, kl_strip, left


def training(totals: list[float], dims: dict[str, int]) -> tuple[list[dict], dict]:
    """Events with these losses, and the configuration they belong to."""
    kl = {name: [1.0] * dim for name, dim in dims.items()}
    told = [{"event": "step", "step": i, "total": total, "parts": {"J reconstruction a": total}, "kl": kl} for i, total in enumerate(totals, 1)]
    blocks = [{"name": name, "dim": dim, "owner": None if name == "z_shared" else name[2:]} for name, dim in dims.items()]
    return told, {"blocks": blocks, "modalities": [{"name": "a"}, {"name": "b"}]}


@pytest.mark.parametrize(("low", "high"), [(750, 1100), (7950, 8120), (800, 4000), (0.01, 12), (1e-3, 9e5)])
def test_a_logarithmic_axis_has_few_round_numbers_apart_from_each_other(low, high):
    _, rebuilt, _ = curves(*training(list(np.geomspace(low, high, 50)), {"z_shared": 3}), "dark")
    places = list(rebuilt.layout.yaxis.tickvals)
    assert 2 <= len(places) <= 6 and all(low <= place <= high for place in places)
    apart = np.diff(np.log(places)) / np.log(high / low)
    assert apart.min() > 0.07  # of an axis of 170 pixels: a line of text
    assert all(len(text) <= 6 for text in rebuilt.layout.yaxis.ticktext)


def test_a_constant_curve_has_an_axis_too():
    _, rebuilt, _ = curves(*training([5.0, 5.0], {"z_shared": 3}), "light")
    assert list(rebuilt.layout.yaxis.tickvals) == [5.0]


@pytest.mark.parametrize("totals", [[12.3], [12.3] * 9, [8123.456], [1e-3]], ids=["one step", "constant", "thousands", "small"])
def test_a_run_of_one_point_or_one_value_has_an_axis_with_one_number(totals):
    total, rebuilt, _ = curves(*training(totals, {"z_shared": 3}), "dark")
    for figure in (total, rebuilt):
        (place,) = figure.layout.yaxis.tickvals
        assert place == pytest.approx(totals[0], rel=0.005) and len(figure.layout.yaxis.ticktext[0]) <= 6
        assert figure.data[0].mode == ("lines" if len(totals) > 1 else "markers")
        assert (figure.layout.xaxis.dtick == 1) == (len(totals) == 1)


def test_terms_of_ones_own_data_are_named_by_its_modalities():
    told, config = training([5.0], {"z_Cam_A": 1, "z_shared": 3, "z_Depth_Map": 1})
    config["modalities"] = [{"name": "Cam_A"}, {"name": "Depth_Map"}]
    told[0]["parts"] = dict.fromkeys(("J reconstruction Cam_A", "I→both reconstruction Depth_Map", "T reconstruction Depth_Map",
                                      "I→both kl z_shared", "T kl z_Depth_Map", "match Cam_A", "contrast", "bound K=8"), 1.0)
    _, rebuilt, rest = curves(told, config, "dark")
    drawn, key = ([[trace for trace in figure.data if (trace.showlegend is None) == shown] for figure in (rebuilt, rest)] for shown in (False, True))
    assert [trace.name for trace in drawn[0]] == ["pair: Cam_A", "Cam_A: Depth_Map", "Depth_Map: Depth_Map"]
    assert [trace.name for trace in drawn[1]] == ["Cam_A: shared", "Depth_Map: Depth_Map", "match Cam_A", "contrast", "bound K=8"]
    assert [trace.line.dash for trace in drawn[0]] == ["solid", "dash", "dot"]
    assert [trace.name for trace in key[0]] == ["Cam_A", "Depth_Map", "given pair", "given Cam_A", "given Depth_Map"]
    assert [trace.line.dash for trace in key[0]] == [None, None, "solid", "dash", "dot"]


def test_a_cycle_is_not_drawn_as_the_divergence_of_the_same_modality_is():
    told, config = training([5.0], {"z_a": 1, "z_shared": 3, "z_b": 1})
    config["modalities"] = [{"name": "a"}, {"name": "b"}]
    told[0]["parts"] = dict.fromkeys(("J kl z_a", "J kl z_b", "cycle a", "cycle b"), 1.0)
    drawn = [(trace.line.color, trace.line.dash) for trace in curves(told, config, "dark")[2].data if trace.showlegend is False]
    assert len(set(drawn)) == len(drawn) == 4


def test_dimensions_are_named_in_a_size_that_can_be_read_and_each_where_there_is_room():
    few, many, most = (
        kl_strip(*training([1.0], dims), "dark").layout
        for dims in ({"z_shared": 5}, {"z_a": 4, "z_shared": 10, "z_b": 12}, {"z_a": 64, "z_shared": 256, "z_b": 64})
    )
    assert few.height == HEIGHT and len(few.yaxis.ticktext) == 5
    assert len(many.yaxis.ticktext) == 26
    assert most.height <= 400 and len(most.yaxis.ticktext) < 40
    for layout in (few, many, most):
        assert layout.yaxis.tickfont.size == 10 and (layout.height - 36) / len(layout.yaxis.ticktext) >= 10


def within(seconds: float, happens) -> bool:
    """Whether it happens before so many seconds are over."""
    deadline = time.monotonic() + seconds
    while not happens() and time.monotonic() < deadline:
        time.sleep(0.02)
    return happens()


@pytest.fixture
def starting(tmp_path, monkeypatch) -> runs.Run:
    """A run whose process was started and holds nothing yet."""
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    (folder / "launch.json").write_text('{"arguments": []}')
    turns.note(folder, "spawned")
    return runs.run_named("mine")


def test_a_run_that_is_starting_stops_as_soon_as_its_process_can_be_told(starting):
    assert starting.state == "starting"
    halt(starting)
    halt(starting)  # nobody who asks twice is told that he cannot
    assert halting(starting) and not turns.stop_asked(starting.path)
    with turns.held(starting.path, "starting", "cpu"):
        assert within(10, lambda: turns.stop_asked(starting.path))
        assert within(10, lambda: not halting(starting))


def test_nothing_waits_for_a_run_that_died_as_it_started(starting):
    halt(starting)
    turns.note(starting.path, "ended")
    assert within(10, lambda: not halting(starting)) and not turns.stop_asked(starting.path)


def test_what_is_left_is_no_finer_than_it_is_known():
    assert [left(seconds) for seconds in (97, 1234, 1250, 12_345, 12_400)] == ["2 min", "21 min", "21 min", "3 h 25 min", "3 h 25 min"]
