"""Entry of `streamlit run app.py`: the application with its routes."""

import streamlit as st

from ui import live, pictures

app = st.App("ui/frame.py", routes=[*live.routes, *pictures.routes])
