"""The script behind every page: its title, the top bar, and the page that was asked for."""

import streamlit as st

from ui import navigation

st.set_page_config(page_title="mmvae explorer", page_icon=":material/blur_on:", layout="wide", menu_items={"About": "mmvae explorer: look inside two-modality VAEs."})
st.navigation(
    [st.Page(navigation.file_of(name), title=title, default=name == "home") for name, title in navigation.PAGES],
    position="top",
).run()
