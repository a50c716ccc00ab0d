"""The document that the pages are shown in: Streamlit's, with a script before all of its own."""

from __future__ import annotations

__all__ = ["routes"]

from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from .live import FRONTEND
from .navigation import PAGES

_content = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8").replace(
    "<head>", f"<head><script>{(FRONTEND / 'address.js').read_text(encoding='utf-8')}</script>", 1)


def _answer(_request: Request) -> HTMLResponse:
    return HTMLResponse(_content, headers={"Cache-Control": "no-cache"})  # as Streamlit: it names the scripts of one version


routes = [Route(path, _answer) for path in ("/", *(f"/{name}" for name, _ in PAGES))]
