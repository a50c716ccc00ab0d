"""Entry of `streamlit run app.py`: the application with its routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st

from ui import document, ending, exports, live, map_panel, pictures, runs, traversals


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Ends what is waited for and what is computed once the server is told to end."""
    with ending.watched():
        yield
    map_panel.stop()


app = st.App("ui/frame.py", lifespan=lifespan,
             routes=[*document.routes, *exports.routes, *live.routes, *map_panel.routes, *pictures.routes, *runs.routes, *traversals.routes])
