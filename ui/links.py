"""What a page says of a link that it follows only in part."""

from __future__ import annotations

__all__ = ["tell_left_out"]

import streamlit as st

from . import models
from .navigation import parted_names, plain


def tell_left_out(link: str) -> None:
    """Names the models that a link asks for and that are not on this machine, or of another data set than the first one's.

    Arguments:
        link: The parameter of the address that holds their names, see `ui.navigation.joined_names`.
    """
    asked, known = list(dict.fromkeys(parted_names(link))), models.names()
    if missing := [name for name in asked if name not in known]:
        st.warning(f"The link asks for a model that is not on this machine: {plain(', '.join(missing))}.", icon=":material/link_off:")
    here = [name for name in asked if name in known]
    if apart := [name for name in here if models.trained_on(name) != models.trained_on(here[0])]:
        st.warning(f"The link asks for models of several data sets. Those of the first are shown, without {plain(', '.join(apart))}.",
                   icon=":material/link_off:")
