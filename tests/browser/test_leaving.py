"""What a page leaves behind once another one is shown: no timer, frame, observer or socket of its panel, and no address of its own."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable

import pytest

from .conftest import open_at, rest, settle
from .test_map import wish

#: Counts what the panels' own scripts have running, by what started it: {what it is: how to tell that it goes on}.
COUNTING = """
(() => {
  const running = (window.running = new Map());
  const own = () => new Error().stack.includes("/live/files/");
  for (const [start, stop, again] of [["setTimeout", "clearTimeout", false], ["setInterval", "clearInterval", true], ["requestAnimationFrame", "cancelAnimationFrame", false]]) {
    const [begin, end] = [window[start].bind(window), window[stop].bind(window)];
    window[start] = (act, ...rest) => {
      const ours = own();
      const token = begin((...given) => {
        if (!again) running.delete(`${start} ${token}`);
        act(...given);
      }, ...rest);
      if (ours) running.set(`${start} ${token}`, () => true);
      return token;
    };
    window[stop] = (token) => {
      running.delete(`${start} ${token}`);
      end(token);
    };
  }
  let made = 0;
  window.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      if (own()) running.set(`socket ${++made}`, () => this.readyState < 2);
    }
  };
  window.ResizeObserver = class extends ResizeObserver {
    constructor(act) {
      super(act);
      this.token = `observer ${++made}`;
      if (own()) running.set(this.token, () => true);
    }
    disconnect() {
      super.disconnect();
      running.delete(this.token);
    }
  };
})();
"""
RUNNING = "[...running].filter(([, goes]) => goes()).map(([name]) => name)"


def explore(page, app_url: str) -> None:
    """Explore, where the sweep plays for the second model since it was opened, and a dimension with it."""
    open_at(page, app_url, model="tiny-digits")
    sweep = page.locator(".traversal").get_by_role("button", name="▶ play")
    sweep.click()
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name="tiny-faces").click()
    page.wait_for_function("() => decodeURIComponent(location.search).includes('~tiny-faces~')")
    rest(page)
    sweep.click()
    page.get_by_role("button", name="▶ play").first.click()


def compare(page, app_url: str) -> None:
    page.goto(f"{app_url}/compare?models=tiny-faces,faces-dmvae&view=live")
    page.wait_for_selector('.compare[data-rest="yes"][data-live="live"]')
    page.locator(".compare").get_by_role("button", name="▶ play").click()


def over_map(page, app_url: str) -> None:
    draw(page, app_url, wish())
    page.wait_for_function(f"() => {RUNNING}.some((name) => name.startsWith('socket'))")


def draw(page, app_url: str, *wishes: dict) -> None:
    """Opens Map with these maps, and waits until they are drawn."""
    page.goto(f"{app_url}/map?{urllib.parse.urlencode({'map': json.dumps(wishes)})}", wait_until="commit")
    page.locator('.map .pane[data-state="done"]').nth(len(wishes) - 1).wait_for(timeout=240_000)


@pytest.mark.parametrize("busy", [explore, compare, over_map], ids=lambda busy: busy.__name__)
def test_nothing_of_a_page_goes_on_once_it_is_left(page, app_url, busy: Callable):
    page.add_init_script(COUNTING)
    busy(page, app_url)
    page.evaluate("() => document.body.dataset.stays = 'yes'")
    page.get_by_role("link", name="Home", exact=True).first.click()
    page.locator(".st-key-model-tiny-faces").wait_for(state="attached")
    settle(page)
    page.wait_for_function(f"() => !{RUNNING}.length", timeout=15_000)
    assert page.evaluate("() => document.body.dataset.stays") == "yes"  # the page was not loaded anew, which ends everything


def play(page) -> None:
    page.locator(".panel .toolbar").get_by_role("button", name="▶ play").click()


def move(page) -> None:
    page.locator(".panel .track").first.press("End")


@pytest.mark.parametrize("act", [play, move], ids=lambda act: act.__name__)
def test_the_address_stays_that_of_the_page_to_which_back_leads(visit, app_url, act: Callable):
    """The panel that is left was about to write its point into the address, at a rest or where it loses patience with the server."""
    page = visit(f"{app_url}/compare?models=tiny-faces,faces-dmvae&view=figures")
    address = page.url
    page.get_by_role("link", name="Explore", exact=True).first.click()
    rest(page)
    act(page)
    page.go_back(wait_until="commit")
    page.locator(".panel").wait_for(state="detached")
    settle(page)
    page.evaluate("() => { const now = performance.now.bind(performance); performance.now = () => now() + 30_000; }")
    page.wait_for_timeout(1500)  # several of the times after which an address is written
    assert page.url == address
