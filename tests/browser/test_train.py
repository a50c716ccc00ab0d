"""The Train page in a real browser: a run is started, watched, stopped, killed, resumed, opened elsewhere and deleted."""

from __future__ import annotations

import os
import re
import signal
import time

import pytest

from mmvae import runs, turns

from .conftest import Serve


@pytest.fixture
def empty_home(tmp_path):
    yield tmp_path
    for run in runs.runs(tmp_path):  # what a failed test left running
        said = turns.holder(run.path)
        if said and said.get("pid"):
            os.kill(said["pid"], signal.SIGKILL)


def chip(page, state: str) -> None:
    page.locator(".chip", has_text=re.compile(f"^{state}$")).wait_for()


def step(page) -> int:
    return int(page.locator(".fact b").first.inner_text().split("/")[0].replace(",", ""))


def advances(page) -> None:
    before, deadline = step(page), time.monotonic() + 120
    while step(page) <= before:
        assert time.monotonic() < deadline, "no step was told of"
        page.wait_for_timeout(500)


def fill(page, label: str, value: int) -> None:
    field = page.get_by_label(label, exact=True)
    field.fill(str(value))
    field.press("Enter")


def choose(page, label: str, option: str) -> None:
    page.get_by_test_id("stSelectbox").filter(has_text=label).locator("input").click()
    page.get_by_role("option", name=option).click()


def test_a_run_is_started_watched_stopped_killed_resumed_explored_and_deleted(page, serve: Serve, empty_home):
    from playwright.sync_api import expect

    url = serve(empty_home)
    page.goto(f"{url}/train")
    choose(page, "Data set", "Digits (offline stand-in)")
    choose(page, "Variant", "Joint PoE-VAE")
    page.get_by_text("digits-joint-poe").first.wait_for()
    for label, value in (("Steps", 30_000), ("Pairs a step", 4), ("Steps between snapshots", 5)):
        fill(page, label, value)
        expect(page.get_by_test_id("stCode")).to_contain_text(str(value))
    page.get_by_role("button", name="Start", exact=True).click()

    chip(page, "training")
    expect(page.get_by_test_id("stCode").first).to_contain_text("python -m mmvae train --variant joint-poe --dataset digits")
    page.locator(".moment img").first.wait_for()
    page.locator(".js-plotly-plot").first.wait_for()
    advances(page)
    heights = page.locator(".moment").evaluate("e => e.offsetHeight")
    shown = page.locator(".moment img").nth(1).get_attribute("src")
    expect(page.locator(".moment img").nth(1)).not_to_have_attribute("src", shown)  # the next snapshot, in place
    assert page.locator(".moment").evaluate("e => e.offsetHeight") == heights

    page.reload()
    chip(page, "training")
    second = page.context.new_page()
    second.goto(f"{url}/train")
    chip(second, "training")
    second.get_by_role("button", name="Stop", exact=True).click()
    chip(second, "stopped")
    chip(page, "stopped")
    page.get_by_role("slider", name=re.compile("look back")).wait_for()

    page.get_by_role("button", name="Resume", exact=True).click()
    chip(page, "training")
    os.kill(turns.holder(empty_home / "runs" / "digits-joint-poe")["pid"], signal.SIGKILL)
    chip(page, "died")
    expect(page.get_by_text("It can be resumed from the last snapshot")).to_be_visible()
    page.get_by_role("button", name="Resume", exact=True).click()
    chip(page, "training")
    advances(page)

    expect(page.get_by_role("link", name="Explore").last).to_have_attribute(
        "href", re.compile(r"explore\?model=digits-joint-poe")
    )
    second.goto(f"{url}/explore?model=digits-joint-poe")
    second.get_by_test_id("stMain").get_by_text("Joint PoE-VAE").first.wait_for()

    page.get_by_role("button", name="Stop", exact=True).click()
    chip(page, "stopped")
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete it").click()
    page.get_by_text("No run yet").wait_for()
    assert not (empty_home / "runs" / "digits-joint-poe").exists()
