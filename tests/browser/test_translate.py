"""Translate in a real browser: pick, draw, upload, swap; refusals; and the same picture by link and by command."""

from __future__ import annotations

import csv
import io
import shlex
from dataclasses import replace
from urllib.parse import urlencode

import numpy as np
import pytest
import torch
from PIL import Image

from mmvae import DATASETS, VARIANTS
from mmvae.checkpoints import config_of, save
from mmvae.cli import main
from mmvae.model import MultimodalVAE
from mmvae.point import Point
from ui.translating import Task

from .conftest import settle

PATIENCE = 240_000  # milliseconds; only ever waited for on a machine that is busy with other things
DIGITS = "translate?models=digits-dmvae&samples=3"


@pytest.fixture(scope="module")
def models_home(tmp_path_factory):
    """Three untrained models of the digits: what they draw is noise, but always the same noise."""
    home, row = tmp_path_factory.mktemp("home"), DATASETS["digits"]
    modalities = [replace(m, network=f"small{m.shape[1]}") for m in row.modalities]
    for name in ("dmvae", "mmpoe-v2", "vanilla"):
        torch.manual_seed(0)
        model = MultimodalVAE.for_dataset(VARIANTS[name], row, modalities=modalities)
        with torch.no_grad():
            for decoder in model.decoders.values():
                list(decoder.parameters())[-1].uniform_(-1, 1)
        save(home / "checkpoints" / f"digits-{name}", model, config_of(model, {}), {"items": 0, "blocks": {}})
    return home


@pytest.fixture(scope="module")
def url(serve, models_home):
    return serve(models_home)


@pytest.fixture
def opened(page, url):
    """Opens the page with an address's parameters and waits for its pictures."""
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)
    page.set_default_timeout(PATIENCE)

    def go(address: str):
        page.goto(f"{url}/{address}", timeout=PATIENCE)
        page.wait_for_selector(".cells table")
        return page

    return go


def rows_of(page):
    return page.locator(".cells tbody.group")


def test_a_picked_image_is_translated_and_a_sample_opens_in_explore(opened):
    from playwright.sync_api import expect

    page = opened(DIGITS)
    expect(rows_of(page)).to_have_count(4)
    fresh = page.locator('.gallery button[aria-pressed="false"]').first
    item = fresh.get_attribute("data-id")
    fresh.click()
    expect(rows_of(page)).to_have_count(5)
    assert item in page.url.split("items=")[1].split("&")[0].replace("%2C", ",").split(",")
    page.locator(".st-key-translate-digits-mnist-clear button").click()
    expect(page.get_by_text("Pick, upload or draw at least one image")).to_be_visible()
    page.locator(".st-key-translate-digits-mnist-random button").click()
    expect(rows_of(page)).to_have_count(6)
    point = page.locator(".cells a[data-point]").nth(4)
    text = point.get_attribute("data-point")
    point.click()
    page.wait_for_url("**/explore?*")
    assert text.split("~")[-1] in page.url and "digits-dmvae" in page.url
    settle(page)
    page.go_back()
    expect(rows_of(page)).to_have_count(6)  # the task, not a new one
    assert page.locator(".cells a[data-point]").nth(4).get_attribute("data-point") == text


def test_a_digit_is_drawn_and_the_link_brings_it_back(opened):
    from playwright.sync_api import expect

    page = opened(f"{DIGITS}&items=none&strokes=8020")
    page.get_by_role("tab", name="Draw").click()
    page.locator('.sheet button[data-does="clear"]').click()
    expect(page.get_by_text("Pick, upload or draw at least one image")).to_be_visible()
    box = page.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 150, box["y"] + 60, steps=4)
    page.mouse.move(box["x"] + 90, box["y"] + 180, steps=4)
    page.mouse.up()
    expect(rows_of(page)).to_have_count(1)
    expect(page.locator(".preview")).to_contain_text("centred, 20 pixels in 28")
    pictures = [image.get_attribute("src") for image in page.locator(".cells img").all()]
    assert len(pictures) == 1 + 2 + 3 and len(set(pictures)) == 6
    again = opened(page.url.split("/")[-1])
    assert [image.get_attribute("src") for image in again.locator(".cells img").all()] == pictures


def test_every_kind_of_file_works_or_gets_one_clear_line(opened, tmp_path):
    from playwright.sync_api import expect

    digit = np.full((60, 50), 235, np.uint8)
    digit[10:50, 20:28] = 30
    (tmp_path / "corrupt.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    Image.new("1", (10_000, 10_000)).save(tmp_path / "huge.png")
    frames = [Image.fromarray(frame) for frame in (digit, 255 - digit)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    Image.fromarray(digit.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    palette = Image.fromarray(digit).quantize(4)
    palette.save(tmp_path / "palette.png", transparency=palette.getpixel((0, 0)))

    page = opened(f"{DIGITS}&items=none&strokes=8020.80e0")
    page.get_by_role("tab", name="Upload").click()
    page.locator('input[type="file"]').set_input_files(sorted(tmp_path.iterdir()))
    expect(rows_of(page)).to_have_count(4)  # three files and the drawing
    alerts = page.locator('[data-testid="stAlert"]')
    expect(alerts).to_have_count(1)
    expect(alerts).to_contain_text("2 files were left out")
    expect(alerts.locator("li").nth(0)).to_contain_text("corrupt.png: not a picture this program can read")
    expect(alerts.locator("li").nth(1)).to_contain_text("huge.png: 10000×10000 pixels are 100 megapixels")
    for name, note in (("deep.png", "16 bit"), ("moving.gif", "first frame"), ("palette.png", "transparent: laid on white")):
        expect(page.locator(".preview", has_text=name)).to_contain_text(note)
    assert page.locator('[data-testid="stException"]').count() == 0
    names = [row.locator("td.first img").get_attribute("title") for row in rows_of(page).all()]
    page.get_by_role("link", name="Explore").first.click()
    page.wait_for_url("**/explore*")
    settle(page)
    page.get_by_role("link", name="Translate").first.click()
    expect(rows_of(page)).to_have_count(4)  # those of one's own are still there
    assert [row.locator("td.first img").get_attribute("title") for row in rows_of(page).all()] == names
    expect(alerts).to_have_count(0)  # what was said of the others is not repeated
    page.get_by_role("tab", name="Upload").click()
    page.locator(".st-key-translate-files button:has-text('close')").first.click()
    expect(rows_of(page)).to_have_count(3)


def test_a_variant_that_cannot_says_so_and_the_others_go_on(opened):
    from playwright.sync_api import expect

    page = opened("translate?models=digits-vanilla,digits-dmvae,gone,digits-mmpoe-v2&samples=3")
    expect(page.get_by_text("asks for a model that is not on this machine: gone")).to_be_visible()
    expect(page.get_by_text("Vanilla VAE has no posterior given mnist alone")).to_be_visible()
    expect(rows_of(page)).to_have_count(4)
    expect(page.locator(".cells tr a[data-point]")).to_have_count(4 * 2 * 3)


def test_pairs_of_a_link_that_are_not_here_are_named(opened):
    from playwright.sync_api import expect

    page = opened(DIGITS)
    item = page.url.split("items=")[1].split("&")[0].replace("%2C", ",").split(",")[0]
    page = opened(f"{DIGITS}&items={item},999999999")
    expect(rows_of(page)).to_have_count(1)
    expect(page.get_by_text("Not among the pairs to choose from here, and left out: 999999999.")).to_be_visible()


def test_the_link_to_models_of_any_name_brings_them_back(opened, models_home):
    from playwright.sync_api import expect

    names = ['模型 #1, "a"', "50%2C, b"]
    for name in names:
        (models_home / "checkpoints" / name).symlink_to(models_home / "checkpoints" / "digits-dmvae")
    try:
        page = opened(f"translate?{urlencode(Task(tuple(names), 'svhn', samples=3).address())}")
        expect(page.locator(".cells tr a[data-point]")).to_have_count(4 * 2 * 3)
        page.get_by_role("button", name="Export").click()
        link = page.locator('[data-testid="stCode"]').first.inner_text()
        page = opened(link.removeprefix(f"{page.url.split('/translate')[0]}/"))
        expect(page.locator(".cells tr a[data-point]")).to_have_count(4 * 2 * 3)
        expect(page.get_by_text("not on this machine")).to_have_count(0)
        points = [link.get_attribute("data-point") for link in page.locator(".cells tr a[data-point]").all()]
        assert {Point.parse(point).checkpoint for point in points} == set(names)
    finally:
        for name in names:
            (models_home / "checkpoints" / name).unlink()


def test_swap_shows_every_content_in_every_style_for_both_modalities(opened):
    from playwright.sync_api import expect

    page = opened("translate?models=digits-dmvae&view=swap")
    expect(page.locator(".matrices table")).to_have_count(2)
    expect(page.locator(".matrices a[data-point]")).to_have_count(2 * 4 * 5)
    points = [link.get_attribute("data-point") for link in page.locator(".matrices table").first.locator("a").all()]
    assert len(set(points)) == 20


def test_the_command_draws_the_picture_that_the_page_saves(opened, models_home, data_root, tmp_path, monkeypatch):
    page = opened("translate?models=digits-dmvae,digits-mmpoe-v2&samples=3&seed=7&strokes=4040c040.c04060f0")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="PNG", exact=True).click()
    picture = Image.open(io.BytesIO(saved.value.path().read_bytes()))
    with page.expect_download() as saved:
        page.get_by_role("button", name="GIF").click()
    assert Image.open(saved.value.path()).n_frames == 3
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()
    lines = list(csv.DictReader(io.StringIO(saved.value.path().read_text(encoding="utf-8-sig"))))
    assert len(lines) == 2 * 5 * 3 and {line["input"] for line in lines} >= {"drawing"}
    assert all(Point.parse(line["point"]).checkpoint == line["model"] for line in lines)
    command = shlex.split(picture.info["mmvae:command"])
    assert command[:3] == ["python", "-m", "mmvae"] and "view" not in picture.info["mmvae:link"]
    monkeypatch.setenv("MMVAE_HOME", str(models_home))
    monkeypatch.setenv("MMVAE_DATA", str(data_root))
    monkeypatch.chdir(tmp_path)
    assert main(command[3:]) == 0
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "translation.png")), np.asarray(picture))


def test_the_command_draws_the_swap_that_the_page_saves_with_a_style_of_ones_own(opened, models_home, data_root, tmp_path, monkeypatch):
    from playwright.sync_api import expect

    colours = np.random.default_rng(0).integers(0, 255, (40, 52, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "it's mine.png")
    page = opened("translate?models=digits-vanilla,digits-dmvae&view=swap")
    expect(page.locator(".matrices a[data-point]")).to_have_count(2 * 4 * 5)
    page.get_by_role("tab", name="Upload").last.click()
    page.locator('.st-key-translate-style-files input[type="file"]').set_input_files(tmp_path / "it's mine.png")
    expect(page.locator(".matrices a[data-point]")).to_have_count(2 * 4 * 6)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="PNG", exact=True).click()
    picture = Image.open(io.BytesIO(saved.value.path().read_bytes()))
    command = shlex.split(picture.info["mmvae:command"])
    assert "digits-vanilla" not in command and command[command.index("--style-input") + 1] == "it's mine.png" and "--swap" in command
    monkeypatch.setenv("MMVAE_HOME", str(models_home))
    monkeypatch.setenv("MMVAE_DATA", str(data_root))
    monkeypatch.chdir(tmp_path)
    assert main(command[3:]) == 0
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "swap.png")), np.asarray(picture))


def test_the_private_code_of_an_uploaded_picture_is_a_style(page, url, models_home, data_root, tmp_path, monkeypatch):
    from playwright.sync_api import expect

    Image.fromarray(np.random.default_rng(1).integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(tmp_path / "own.png")
    expect.set_options(timeout=PATIENCE)
    page.set_default_timeout(PATIENCE)
    page.goto(f"{url}/translate?models=digits-dmvae&styled=1&styles=none")  # there is no table yet to wait for
    expect(page.get_by_text("Pick or upload at least one image at the left whose private code is taken")).to_be_visible()
    page.get_by_role("tab", name="Upload").last.click()
    page.locator('.st-key-translate-style-files input[type="file"]').set_input_files(tmp_path / "own.png")
    expect(page.locator(".cells a[data-point]")).to_have_count(4)
    command = shlex.split(exported_command(page))
    with page.expect_download() as saved:
        page.get_by_role("button", name="PNG", exact=True).click()
    monkeypatch.setenv("MMVAE_HOME", str(models_home))
    monkeypatch.setenv("MMVAE_DATA", str(data_root))
    monkeypatch.chdir(tmp_path)
    assert "--style" not in command and main(command[3:]) == 0
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "translation.png")), np.asarray(Image.open(saved.value.path())))


def exported_command(page) -> str:
    """The command that the open export shows."""
    page.get_by_role("button", name="Export").click()
    return page.locator('[data-testid="stCode"]').last.inner_text()
