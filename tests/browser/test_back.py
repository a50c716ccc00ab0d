"""Back, Forward and reload in a real browser: an address holds what a page shows, and Back leaves the page at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import expect

from .conftest import settle


@dataclass(frozen=True)
class Room:
    """A page that writes its address, and one change of it.

    Arguments:
        title: In the top bar.
        arrived: What its address holds once it is shown.
        change: Makes the change.
        changed: What the address holds from then on.
        control: The control that shows the change.
    """

    title: str
    arrived: str
    change: Callable
    changed: str
    control: Callable

    @property
    def path(self) -> str:
        return self.title.lower()


def samples(page):
    return page.get_by_label("Samples", exact=True)


def fewer_samples(page) -> None:
    samples(page).fill("2")
    samples(page).press("Enter")


def figures(page):
    return page.get_by_role("radio", name="All figures")


def pca(page):
    return page.get_by_role("radio", name="PCA")


def map_by_pca(page) -> None:
    pca(page).click()
    page.locator('.st-key-map-draw button[kind="primary"]').click()  # it is once the choice is not what is drawn


ROOMS = [Room("Translate", "models=", fewer_samples, "samples=2", samples),
         Room("Compare", "models=", lambda page: figures(page).click(), "view=figures", figures),
         Room("Map", "map=", map_by_pca, "pca", pca)]


def at(page, room: Room, holds: str) -> None:
    """Waits for the room with its address, and until it is all there and has told the server so: nobody leaves what has not come yet."""
    page.wait_for_url(re.compile(rf"/{room.path}\?.*{holds}"))
    settle(page)
    page.wait_for_timeout(1_500)
    settle(page)


def shows_the_change(page, room: Room) -> None:
    if room.title == "Translate":
        expect(samples(page)).to_have_value("2")
    else:
        expect(room.control(page)).to_be_checked()


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.path)
def test_back_leaves_the_page_at_once_and_forward_and_reload_bring_its_state_back(visit, app_url, room):
    page = visit(app_url)
    page.get_by_role("link", name=room.title, exact=True).first.click()
    at(page, room, room.arrived)
    room.change(page)
    at(page, room, room.changed)
    address = page.url
    page.go_back()
    expect(page).to_have_url(f"{app_url}/")
    expect(page.locator(".st-key-model-tiny-faces")).to_be_attached()  # Home is shown, not only its address
    settle(page)  # Streamlit may forget widgets where one goes on before the page is drawn
    page.go_forward()
    expect(page).to_have_url(address)
    shows_the_change(page, room)
    page.reload(wait_until="commit")
    shows_the_change(page, room)
    settle(page)
    expect(page).to_have_url(address)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.path)
def test_a_page_that_is_opened_without_parameters_takes_one_step_of_the_history(visit, app_url, room):
    page = visit(f"{app_url}/{room.path}")
    at(page, room, room.arrived)
    assert page.evaluate("() => history.length") == 2  # the empty page, and this
    page.go_back()
    expect(page).to_have_url("about:blank")
