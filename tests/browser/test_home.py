"""Home in a real browser: models as pictures to open, variants explained, data and checkpoints brought in."""

import json
import re
import shutil

import pytest
from playwright.sync_api import expect

from mmvae import VARIANTS
from mmvae.archive import pack


@pytest.fixture
def home_page(visit, app_url):
    return visit(app_url)


def test_a_model_is_a_moving_picture_made_by_itself(home_page):
    picture = home_page.locator('.st-key-model-tiny-faces img')
    picture.scroll_into_view_if_needed()
    home_page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=picture.element_handle())
    first = picture.evaluate("image => getComputedStyle(image).objectPosition")
    home_page.wait_for_function("([image, first]) => getComputedStyle(image).objectPosition !== first", arg=[picture.element_handle(), first])


def test_whoever_asked_for_less_motion_sees_the_picture_at_rest(home_page):
    home_page.emulate_media(reduced_motion="reduce")
    assert home_page.locator(".st-key-model-tiny-faces img").evaluate("image => getComputedStyle(image).animationName") == "none"


def test_a_click_anywhere_on_a_card_opens_its_model_in_explore(home_page):
    card = home_page.locator(".st-key-model-tiny-digits")
    card.scroll_into_view_if_needed()
    card.locator(".film").click(force=True)  # the link lies over the picture
    expect(home_page).to_have_url(re.compile(r"/explore\?.*model=tiny-digits|/explore\?.*tiny-digits"))


def test_a_card_opens_by_keyboard_alone(home_page):
    link = home_page.locator(".st-key-model-tiny-digits").get_by_role("link")
    link.focus()
    home_page.keyboard.press("Enter")
    expect(home_page).to_have_url(re.compile("/explore.*tiny-digits"))


def test_the_selected_variant_is_explained_by_graph_and_formula(home_page):
    expect(home_page.get_by_role("heading", name=VARIANTS["mumo"].title)).to_be_visible()
    expect(home_page.locator('[data-testid="stGraphVizChart"] svg .node')).to_have_count(12)  # 2 images, 3 encoders, 3 blocks, 2 decoders, 2 images
    assert home_page.locator(".katex").count() > 0
    assert home_page.locator(".katex-error").count() == 0


def test_nothing_scrolls_sideways_at_any_width(home_page):
    for width in (390, 768, 1440, 1920):
        home_page.set_viewport_size({"width": width, "height": 900})
        home_page.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")


def test_an_uploaded_checkpoint_can_be_opened(home_page, home, tmp_path):
    shutil.copytree(home / "checkpoints" / "tiny-faces", tmp_path / "sent")
    config = tmp_path / "sent" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text("utf-8")) | {"training": {"seed": 77}}), "utf-8")
    content = pack(tmp_path / "sent")
    home_page.locator('input[type="file"]').set_input_files({"name": "sent by a friend.zip", "mimeType": "application/zip", "buffer": content})
    expect(home_page.get_by_text("Opened as sent-by-a-friend")).to_be_visible()
    expect(home_page.locator(".st-key-model-sent-by-a-friend")).to_be_attached()
    expect(home_page.get_by_role("button", name="Remove an upload")).to_be_visible()
    home_page.get_by_role("link", name="Explore it").click()
    expect(home_page).to_have_url(re.compile("/explore.*sent-by-a-friend"))


def test_a_file_that_is_no_checkpoint_gets_one_clear_line(home_page):
    home_page.locator('input[type="file"]').set_input_files({"name": "holiday.zip", "mimeType": "application/zip", "buffer": b"not a zip"})
    expect(home_page.get_by_text("holiday.zip: not a zip that can be read")).to_be_visible()
    assert home_page.locator('[data-testid="stException"]').count() == 0


def test_data_that_is_here_shows_pairs_and_data_that_is_not_shows_the_way(home_page):
    expect(home_page.locator(".st-key-data-faces .thumbs img")).to_have_count(12)
    expect(home_page.locator(".st-key-data-mnist-svhn").get_by_role("button", name=re.compile(r"Download MNIST and SVHN \(258 MB\)"))).to_be_visible()
    expect(home_page.locator(".st-key-data-basel-faces")).to_contain_text("licensed and never downloaded")


def test_without_any_model_home_says_what_to_do(serve, visit, tmp_path):
    (tmp_path / "data").write_text("a file where the data root should be")
    page = visit(serve(tmp_path, data=tmp_path / "data"))
    expect(page.get_by_text("No model is on this machine yet.")).to_be_visible()
    expect(page.locator("code")).to_contain_text("python -m mmvae train")
    faces = page.locator(".st-key-data-faces")
    expect(faces.get_by_text("the rendered faces cannot be written here")).to_be_visible()
    expect(faces.get_by_role("button", name=re.compile("Render the faces"))).to_be_visible()
    assert page.locator('[data-testid="stException"]').count() == 0
