"""Opening a page without a browser."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def ran(page: AppTest, **parameters: str) -> AppTest:
    """The page after its script has run at an address with these parameters, without an exception."""
    for name, value in parameters.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page
