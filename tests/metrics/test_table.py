"""The table of metrics is complete, readable, and light."""

import subprocess
import sys

import pytest

from mmvae.metrics import METRICS


@pytest.mark.parametrize("row", METRICS.values(), ids=METRICS)
def test_every_row_says_what_a_reader_needs(row):
    assert METRICS[row.name] is row
    assert row.title and row.formula and row.source and row.against
    assert row.explanation.endswith(".") and "\n" not in row.explanation
    assert row.better in ("higher", "lower", "neither")
    assert row.formula.count("{") == row.formula.count("}")
    low, high = row.range
    assert low is None or high is None or low < high


def test_reading_the_table_loads_no_library():
    code = "import sys, mmvae.metrics; print([m for m in ('numpy', 'torch', 'sklearn', 'scipy') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
