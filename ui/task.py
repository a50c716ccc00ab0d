"""What a page is asked for: a value that the session keeps, and that the page's address brings back."""

from __future__ import annotations

__all__ = ["PageTask"]

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Generic, Protocol, Self, TypeVar

import streamlit as st

from . import models
from .links import tell_left_out
from .navigation import joined_names, plain, write_address


class Task(Protocol):
    """A dataclass of what a page is asked for.

    Attributes:
        PARAMETERS: The query parameters that ask for a task; others, such as the point of a page that was left, say nothing of one.
        models: Names of checkpoints.
    """

    PARAMETERS: ClassVar[Collection[str]]
    models: tuple[str, ...]

    def address(self) -> dict[str, str]: ...

    @classmethod
    def parse(cls, address: Mapping[str, str], known: Sequence[str]) -> Self: ...


T = TypeVar("T", bound=Task)


class PageTask(Generic[T]):
    """The task of a page in this session; called, it is that task.

    Arguments:
        key: What the session keeps it by.
        kind: The class of the page's tasks.
    """

    def __init__(self, key: str, kind: type[T]) -> None:
        self.key, self.told, self.kind = key, f"{key} address", kind

    def __call__(self) -> T:
        return st.session_state[self.key]

    def change(self, **changes) -> None:
        st.session_state[self.key] = replace(self(), **changes)

    def follow(self) -> bool:
        """Takes the task from the address where that asks for something new, from the session otherwise; tells of models that are not here.

        Returns:
            Whether the address asked for something new.
        """
        known = models.names()
        asked = {name: value for name, value in st.query_params.to_dict().items() if name in self.kind.PARAMETERS}
        if self.key not in st.session_state or asked and asked != st.session_state.get(self.told):
            st.session_state[self.key] = self.kind.parse(asked, known)
            tell_left_out(asked.get("models", ""))
            return True
        if gone := [name for name in self().models if name not in known]:
            self.change(models=self.kind.parse({"models": joined_names(self().models)}, known).models)
            st.warning(f"Not on this machine any more, and left out: {plain(', '.join(gone))}.", icon=":material/link_off:")
        return False

    def tell(self) -> None:
        """Writes the task into the address."""
        address = self().address()
        write_address(address)
        st.session_state[self.told] = address
