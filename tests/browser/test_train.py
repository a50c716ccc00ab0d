"""The Train page in a real browser: a run is started, watched, stopped, killed, resumed, opened elsewhere and deleted."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
import zipfile

import pytest

from mmvae import runs, turns

from .conftest import Serve, train_tiny


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
    for label, value in (("Steps", 30_000), ("Pairs a step", 4), ("Snapshot every", 5)):
        fill(page, label, value)
        expect(page.get_by_test_id("stCode")).to_contain_text(str(value))
    page.get_by_role("button", name="Start", exact=True).click()

    chip(page, "training")
    expect(page.get_by_test_id("stCode").first).to_contain_text("python -m mmvae train --variant joint-poe --dataset digits")
    page.locator(".moment img").first.wait_for()
    page.locator(".js-plotly-plot").first.wait_for()
    advances(page)
    heights = page.wait_for_function("""() => {
      const images = [...document.querySelectorAll(".moment img")];  // none while Streamlit puts the next moment in its place
      return images.length && images.every((image) => image.complete && image.offsetHeight) && document.querySelector(".moment").offsetHeight;
    }""").json_value()
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


def test_a_run_is_scrubbed_exported_imported_renamed_and_duplicated(page, serve: Serve, empty_home, data_root, tmp_path):
    from playwright.sync_api import expect

    train_tiny(empty_home / "runs" / "tiny", "joint-poe", "digits", data_root)
    url = serve(empty_home)
    page.goto(f"{url}/train?run=tiny")
    picture = page.locator(".scrub-pictures img").nth(1)  # the first strip of what is rebuilt
    picture.wait_for(timeout=300_000)
    trained = picture.get_attribute("src")
    slider = page.get_by_role("slider", name=re.compile("look back"))
    page.route("**/moments/**", lambda route: route.abort())
    slider.press("Home")
    page.get_by_text("The server does not answer.").wait_for()
    page.unroute("**/moments/**")
    slider.press("End")
    expect(picture).to_have_attribute("src", trained)
    slider.press("Home")
    expect(picture).not_to_have_attribute("src", trained)  # asked for again: a failure is not kept
    slider.press("End")
    assert slider.get_attribute("aria-valuetext") == "20"
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 8, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 4, box["y"] + box["height"] / 2, steps=5)
    expect(picture).not_to_have_attribute("src", trained)  # while the button is still held down
    page.mouse.up()
    assert slider.get_attribute("aria-valuetext") == "0"
    page.get_by_title("play", exact=True).click()
    expect(slider).to_have_attribute("aria-valuetext", "20")  # through all snapshots, and no further
    expect(picture).to_have_attribute("src", trained)
    page.get_by_title("play", exact=True).wait_for()

    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download", exact=True).click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("New name").fill("renamed")
    page.get_by_label("New name").press("Enter")
    page.get_by_role("button", name="Rename", exact=True).last.click()
    page.locator(".run-name", has_text=re.compile("^renamed$")).wait_for()
    assert not (empty_home / "runs" / "tiny").exists()

    page.get_by_role("radio", name="Import").or_(page.get_by_role("button", name="Import", exact=True)).first.click()
    packed = shutil.copy(download.value.path(), tmp_path / "tiny.zip")
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("tiny/padding", os.urandom(80 << 20))  # as large as a run of the faces; not of a run, so left out
    page.locator('input[type="file"]').set_input_files(packed)
    page.get_by_test_id("stBaseButton-primary").click()
    page.locator(".run-name", has_text=re.compile("^tiny$")).wait_for()
    weights = [(empty_home / "runs" / name / "weights.safetensors").read_bytes() for name in ("tiny", "renamed")]
    assert weights[0] == weights[1]

    page.get_by_role("button", name="Duplicate with changes").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("tiny-2")
    expect(page.get_by_label("Steps", exact=True)).to_have_value("20")
    expect(page.get_by_test_id("stCode")).to_contain_text("--variant joint-poe --dataset digits --out")
    page.get_by_role("button", name="Measure").click()
    page.get_by_text(re.compile(r"5 steps took [\d.]+ s, [\d,]+ pairs/s on cpu")).wait_for()


def test_a_shipped_model_shows_how_it_was_trained(page, serve: Serve, empty_home, data_root):
    train_tiny(empty_home / "checkpoints" / "small", "joint-poe", "digits", data_root)
    page.goto(f"{serve(empty_home)}/train")
    page.get_by_text("Shipped models").click()
    page.locator(".js-plotly-plot").nth(3).wait_for()
    page.locator(".moment img").first.wait_for(timeout=300_000)
    assert "(small)" in page.get_by_role("combobox").first.input_value()


def test_a_run_ticked_in_the_list_is_the_one_shown_and_acted_on(page, serve: Serve, empty_home):
    from playwright.sync_api import expect

    from mmvae import DATASETS, VARIANTS
    from mmvae.model import MultimodalVAE
    from mmvae.presets import Settings
    from mmvae.training import start

    for i, name in enumerate(("newest", "older", "oldest")):
        folder = empty_home / "runs" / name
        start(folder, MultimodalVAE.for_dataset(VARIANTS["joint-poe"], DATASETS["digits"]), Settings())
        os.utime(folder / "config.json", (1000 - i, 1000 - i))
    page.goto(f"{serve(empty_home)}/train")
    page.locator(".run-name", has_text=re.compile("^newest$")).wait_for()
    table = page.get_by_test_id("stDataFrame")
    for row, name in ((1, "older"), (2, "oldest")):
        table.click(position={"x": 16, "y": 38 + 29 * row + 14})  # the row's box, drawn on a canvas
        page.locator(".run-name", has_text=re.compile(f"^{name}$")).wait_for()
        expect(page).to_have_url(re.compile(f"run={name}$"))
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("with its weights, snapshots and events?")).to_contain_text("Delete oldest with")
    page.get_by_role("button", name="Delete it").click()
    page.locator(".run-name", has_text=re.compile("^newest$")).wait_for()
    assert sorted(folder.name for folder in (empty_home / "runs").iterdir()) == ["newest", "older"]
