"""The script behind every page: its title, the shared style, the top bar, and the page that was asked for."""

from pathlib import Path

import streamlit as st

from ui import navigation, palette, pictures

HERE = Path(__file__).parent

st.set_page_config(page_title="mmvae explorer", page_icon=HERE / "icon.svg", layout="wide")
st.logo(HERE / "logo.svg", size="large")
# both themes' hues at once: a change of the theme runs no script, so that the browser is the one to choose
hues = " ".join(f"--block-{name}: light-dark({light}, {dark});" for name, light, dark in zip(("first", "shared", "second"), palette.BLOCKS["light"], palette.BLOCKS["dark"], strict=True))
st.html(
    f"<style>:root {{{hues} "
    f"--film-frames:{pictures.FRAMES}; --film-seconds:{pictures.SECONDS}s}}\n{(HERE / 'style.css').read_text(encoding='utf-8')}</style>"
)
st.navigation(
    [st.Page(navigation.file_of(name), title=title, default=name == "home") for name, title in navigation.PAGES],
    position="top",
).run()
