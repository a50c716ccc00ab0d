"""Entry of `streamlit run app.py`: the application with its routes."""

import streamlit as st

from ui import pictures

app = st.App("ui/frame.py", routes=[*pictures.routes])
