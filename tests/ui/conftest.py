"""What tests of pages start from."""

from pathlib import Path

import pytest


@pytest.fixture
def bare(tmp_path, monkeypatch) -> Path:
    """The home of a machine that has no model and no data set; none is drawn or rendered behind the test either, and a page runs without the others."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("MMVAE_HOME", str(tmp_path))
    monkeypatch.setenv("MMVAE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("ui.datasets.WAYS", {})
    monkeypatch.setattr("streamlit.page_link", lambda *arguments, **more: None)
    return tmp_path
