"""The report that is taken along, in a real browser without a network: every matrix is read at a glance at any width."""

from __future__ import annotations

import pytest

from mmvae.comparison import entry_of
from mmvae.report import html_report

from .conftest import ROOT

#: Texts of a matrix that are on more than one line, and what is nearer to the border of its cell than two pixels.
CROWDED = """() => {
  const lines = (range) => new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size;
  const found = [];
  for (const text of [...document.querySelectorAll('.mx thead th:not(:first-child)')].map((head) => head.firstChild).concat(...document.querySelectorAll('.mx td small, .mx td b'))) {
    const range = document.createRange(), cell = text.parentElement.closest('th, td').getBoundingClientRect();
    range.selectNodeContents(text);
    const box = range.getBoundingClientRect(), spare = text.parentElement.closest('td') ? 5 : 0;
    if (lines(range) > 1 || box.left < cell.left + spare || box.right > cell.right - spare) found.push(text.textContent);
  }
  return found;
}"""


@pytest.mark.parametrize("width", [1280, 390])
def test_headings_and_figures_of_the_matrices_have_room_in_their_cells(browser, width):
    alone = browser.new_context(offline=True, viewport={"width": width, "height": 900})
    page = alone.new_page()
    page.set_content(html_report([entry_of(ROOT / "checkpoints" / name) for name in ("faces-mumo", "faces-dmvae", "faces-vanilla", "mnist-svhn-dmvae")]))
    assert page.locator(".mx td b").count() > 24
    assert page.evaluate(CROWDED) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    alone.close()
