"""The benchmark of maps tells each figure once it is known, and of a run that is stopped what it has so far."""

import json

import numpy as np
import pytest

from mmvae.bench import map as bench


def good(codes):
    return codes[:, :2]


def bad(codes):
    return np.random.default_rng(1).normal(size=(len(codes), 2))


def stopped(codes):
    raise KeyboardInterrupt


@pytest.fixture
def prepared(monkeypatch):
    """The command without what compiles, on codes of two dimensions, which a map can keep whole."""
    monkeypatch.setattr(bench, "_ready", lambda threads, seed: {"mmvae": 1.0, "umap-learn": 2.0})
    monkeypatch.setattr(bench, "synthetic_codes", lambda size, seed: np.random.default_rng(seed).normal(size=(size, 2)).astype(np.float32))
    return lambda *contenders: monkeypatch.setattr(bench, "CONTENDERS", contenders)


def test_a_row_is_there_before_the_next_contender_begins(prepared):
    begun = []
    prepared(("t-SNE", "mmvae", good), ("t-SNE", "other", lambda codes: begun.append(len(codes)) or bad(codes)))
    rows = bench.measure([200], 1, 0)
    assert next(rows)["by"] == "mmvae" and begun == []
    assert next(rows)["by"] == "other" and begun == [200]


def test_a_run_that_is_stopped_prints_what_it_has_and_fails(prepared, capsys):
    prepared(("t-SNE", "mmvae", good), ("t-SNE", "other", stopped))
    assert bench.main(["200"]) == 130
    out = capsys.readouterr().out.splitlines()
    assert out[-1].split()[:3] == ["200", "t-SNE", "mmvae"]
    assert bench.main(["200", "--json"]) == 130
    (row,) = json.loads(capsys.readouterr().out)["maps"]
    assert row["by"] == "mmvae" and (row["trustworthiness"], row["recall"]) == (1, 1)


def test_a_reference_is_told_how_much_faster_the_map_of_ours_is(prepared, capsys, monkeypatch):
    prepared(("t-SNE", "mmvae", good), ("t-SNE", "other", bad))
    seconds = iter([(2.0, 1.0), (9.0, 7.0)])
    monkeypatch.setattr(bench, "_timed", lambda work: (work(), *next(seconds)))
    assert bench.main(["200"]) == 0
    ours, other = capsys.readouterr().out.splitlines()[-2:]
    assert other.endswith("4.5x (7.0x)") and ours.endswith("1.0000")
    assert float(other.split()[-3]) < 0.3 < float(ours.split()[-1])  # recall
