"""Entry of `streamlit run app.py`: the application with its routes."""

import streamlit as st

from ui import exports, live, map_panel, pictures, runs, traversals

app = st.App("ui/frame.py", routes=[*exports.routes, *live.routes, *map_panel.routes, *pictures.routes, *runs.routes, *traversals.routes])
