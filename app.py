"""Entry of `streamlit run app.py`: the application with its routes."""

import streamlit as st

from ui import exports, live, pictures

app = st.App("ui/frame.py", routes=[*exports.routes, *live.routes, *pictures.routes])
