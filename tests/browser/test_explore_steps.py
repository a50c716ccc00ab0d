"""Explore in a real browser: undo, saved points and presenting, with the pair that a point is of; keys and messages."""

from __future__ import annotations

import json

import pytest

from mmvae.point import Point
from mmvae.readers import open_readers

from .conftest import ROOT, open_at, rest
from .test_explore import SOCKET, boxes, drag, ends, open_tab, point_of, relayed, save_both_ends, track

KEPT = "mmvae explore saved"


def kept(page) -> list[str]:
    return json.loads(page.evaluate("key => localStorage.getItem(key)", KEPT) or "[]")


def wait_item(page, item: int | None) -> None:
    page.wait_for_function("(item) => decodeURIComponent(location.search).split('~')[3] === item", arg=str(item))
    rest(page)


def next_pair(page) -> Point:
    """Goes on to the next pair and returns its point."""
    before = str(point_of(page).item)
    page.get_by_role("button", name="next ›").click()
    page.wait_for_function("(item) => decodeURIComponent(location.search).split('~')[3] !== item", arg=before)
    rest(page)
    return point_of(page)


def input_picture(page) -> str:
    return page.locator(".panel canvas.small").first.evaluate("canvas => canvas.toDataURL()")


def undo(page) -> None:
    page.keyboard.press("Control+z")
    rest(page)


def test_a_double_click_resets_a_row_below_the_active_one_in_one_step_and_no_row_moves(explore):
    page = explore
    mean = point_of(page).z
    track(page, 5).focus()
    track(page, 5).press("End")
    track(page, 0).focus()
    rest(page)
    far, layout = point_of(page).z, boxes(page)
    box = track(page, 5).bounding_box()
    page.mouse.dblclick(box["x"] + 0.3 * box["width"], box["y"] + box["height"] / 2)
    rest(page)
    assert far[5] != mean[5] and point_of(page).z == pytest.approx(mean, abs=1e-4)
    assert boxes(page) == layout
    undo(page)
    assert point_of(page).z == pytest.approx(far, abs=1e-6)


def test_a_knob_that_is_only_grasped_leaves_no_step(explore):
    page = explore
    start = point_of(page).z
    track(page, 4).focus()
    track(page, 4).press("End")
    rest(page)
    knob = page.locator(".panel .row").nth(4).locator(".knob").bounding_box()
    for _ in range(3):
        page.mouse.click(knob["x"] + knob["width"] / 2, knob["y"] + knob["height"] / 2, delay=20)
        rest(page)
    undo(page)
    assert point_of(page).z == pytest.approx(start, abs=1e-6)


def test_a_saved_point_and_undo_bring_back_the_pair_too(explore):
    page = explore
    page.evaluate("key => localStorage.setItem(key, '[]')", KEPT)
    open_tab(page, "Saved points")
    drag(page, 3, 0.9)
    page.mouse.up()
    rest(page)
    first, seen = point_of(page), input_picture(page)
    page.keyboard.press("s")
    second = next_pair(page)
    assert second.item != first.item and input_picture(page) != seen
    page.locator(".panel .saved li button").first.click()
    wait_item(page, first.item)
    assert point_of(page) == first and input_picture(page) == seen
    undo(page)
    wait_item(page, second.item)
    assert point_of(page).z == pytest.approx(second.z, abs=1e-6)
    undo(page)
    wait_item(page, first.item)
    assert point_of(page) == first
    page.keyboard.press("Control+Shift+Z")
    wait_item(page, second.item)
    assert input_picture(page) != seen


def test_presenting_and_the_sweep_name_the_pair_only_where_the_code_is_the_pairs(explore):
    page = explore
    item = point_of(page).item
    open_tab(page, "Traversal")
    said = page.locator(".panel .presenting span").first
    start = page.locator(".panel .sweep .start")
    inputs = [input_picture(page)]
    for move, words in (("prior sample", f"moved or sampled code · picked pair #{item}"), ("prior mean", "prior mean"), ("sample", f"moved or sampled code · picked pair #{item}"),
                        ("posterior mean", f"pair #{item} · observed: both")):
        page.get_by_role("button", name=move, exact=True).click()
        rest(page)
        own = move == "posterior mean"
        assert said.text_content().endswith(f"(tiny-faces) · {words}")
        assert start.first.text_content() == ("pair" if own else "code")
        shown = start.nth(1).locator("canvas").evaluate("canvas => canvas.toDataURL()")
        assert shown == (inputs[0] if own else page.locator(".panel .big").first.evaluate("canvas => canvas.toDataURL()"))
    track(page, 3).focus()
    page.keyboard.press("Shift+ArrowRight")  # the smallest step there is
    assert said.text_content().endswith(f"moved or sampled code · picked pair #{item}")
    undo(page)
    assert said.text_content().endswith(f"pair #{item} · observed: both")


def test_what_is_decoded_of_a_view_that_was_not_observed_is_not_called_rebuilt(explore):
    page = explore
    decoded = page.locator(".panel .below figure:not(:first-child) figcaption")
    assert decoded.all_text_contents() == ["rebuilt", "rebuilt"]
    for observed, captions in (("only lighting", ["translated", "rebuilt"]), ("none", ["prior mean"] * 2), ("both", ["rebuilt"] * 2)):
        page.get_by_role("button", name=observed, exact=True).click()
        for view, caption in enumerate(captions):
            page.locator(".panel .view").nth(view).locator("figcaption", has_text=caption).wait_for()
        rest(page)


def test_undo_faster_than_the_server_ends_where_it_leads_and_all_is_redone(explore):
    page = explore
    first = point_of(page)
    next_pair(page)
    last = next_pair(page)
    for keys, point in (("Control+z", first), ("Control+Shift+Z", last)):
        for _ in range(2):
            page.keyboard.press(keys)
        wait_item(page, point.item)
        assert point_of(page) == point


def test_the_ends_of_an_interpolation_are_of_their_pairs(explore):
    page = explore
    open_tab(page, "Interpolation")
    first = point_of(page)
    page.get_by_role("button", name="set A").click()
    next_pair(page)
    page.get_by_role("button", name="set B").click()
    page.locator(".panel .way button").first.click()
    wait_item(page, first.item)
    assert point_of(page) == first


def test_two_tabs_keep_each_others_points(explore, app_url):
    page = explore
    page.evaluate("key => localStorage.setItem(key, '[]')", KEPT)
    other = page.context.new_page()
    open_at(other, app_url, model="tiny-faces")
    open_tab(other, "Saved points")
    page.keyboard.press("s")
    other.locator(".panel .saved li").nth(len(kept(page)) - 1).wait_for()
    before = kept(page)
    open_tab(other, "Plane")
    assert kept(page) == before
    other.keyboard.press("s")
    page.keyboard.press("s")
    assert len(kept(page)) == len(before) + 2
    other.close()


def test_presenting_steps_past_a_point_of_another_model_and_the_page_around_is_out_of_reach(explore, app_url):
    page = explore
    there = page.context.new_page()
    open_at(there, app_url, model="tiny-digits")
    here, digits = point_of(page), point_of(there)
    there.close()
    page.evaluate("([key, points]) => localStorage.setItem(key, JSON.stringify(points))", [KEPT, [str(here), str(digits), str(here)]])
    page.reload()
    rest(page)
    page.locator('[data-testid="stSlider"] [role="slider"], [data-testid="stSlider"] input').first.focus()
    page.keyboard.press("p")
    page.wait_for_selector(".panel.present")
    assert page.evaluate("() => document.querySelector('.st-key-explore-left').closest('[inert]') !== null")
    place = page.locator(".panel .presenting [role=status]")
    for step, checkpoint in enumerate(["tiny-faces", "tiny-digits", "tiny-faces"], 1):
        page.keyboard.press("ArrowRight")
        page.wait_for_function("(name) => decodeURIComponent(location.search).includes(`~${name}~`)", arg=checkpoint)
        rest(page)
        assert place.inner_text() == f"{step} / 3"
    assert point_of(page) == here
    seen = page.evaluate("""async () => {
      const panel = [...document.querySelectorAll("*")].map((node) => node.shadowRoot?.querySelector(".panel")).find(Boolean);
      const light = (node) => node.getContext("2d").getImageData(0, 0, node.width, node.height).data.some((value, i) => i % 4 < 3 && value > 20);
      const first = panel.querySelector(".big"), seen = [];
      document.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft" }));
      for (const until = performance.now() + 20_000; performance.now() < until; ) {
        await new Promise(requestAnimationFrame);
        const big = [...panel.querySelectorAll(".big")], { x, y, width } = big[0].getBoundingClientRect();
        seen.push([x, y, width, ...big.map(light)].map((value) => Math.round(Number(value))).join(" "));
        if (big[0] !== first && panel.dataset.live === "live" && panel.dataset.rest === "yes") break;
      }
      return [...new Set(seen), panel.querySelector(".big") !== first];
    }""")
    assert len(seen) == 2 and seen[0].endswith(" 1 1") and seen[1], seen  # in no frame black, in none elsewhere
    rest(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_function("(name) => decodeURIComponent(location.search).includes(`~${name}~`)", arg="tiny-faces")
    rest(page)
    page.keyboard.press("p")
    assert page.evaluate("() => document.querySelector('.st-key-explore-left').closest('[inert]') === null")


def test_saved_points_keep_their_pictures_where_another_model_is_shown(page, app_url):
    open_at(page, app_url, model="tiny-faces")
    save_both_ends(page)
    page.wait_for_function("key => Object.keys(JSON.parse(localStorage.getItem(key)) ?? {}).length === 2", arg=f"{KEPT} pictures")
    open_at(page, app_url, model="tiny-digits")
    page.locator(".panel .saved li").nth(1).wait_for()
    pictures = page.locator(".panel .saved li img").evaluate_all("nodes => nodes.map((node) => [node.src, node.naturalWidth])")
    assert len({source for source, _ in pictures}) == 2 and all(source.startswith("data:image/jpeg") and len(source) < 8_000 and width == 96 for source, width in pictures)
    page.get_by_role("button", name="forget point 1").focus()
    page.keyboard.press("Enter")
    assert len(kept(page)) == 1 and page.locator(".panel .saved li img").get_attribute("src") == pictures[1][0]


def test_many_dimensions_are_headed_by_their_numbers_below_their_blocks(page, app_url):
    page.set_viewport_size({"width": 1280, "height": 720})
    open_at(page, app_url, model="tiny-digits")
    open_tab(page, "Traversal")
    names = page.locator(".panel .sweep .names span:not(.symbol)")
    found = names.evaluate_all("nodes => nodes.map((node) => [node.textContent, node.scrollWidth <= node.clientWidth])")
    assert [text for text, _ in found] == ["z", *(str(i + 1) for i in range(page.locator(".panel .row").count()))]
    assert all(fits for _, fits in found)


def test_a_narrow_belief_beyond_the_sliders_end_is_drawn_whole_and_smooth(alone):
    found = alone.evaluate("""async () => {
      const { Experts } = await import("/experts.js");
      const experts = new Experts(), part = { mean: [4], stddev: [0.02] };
      const beliefs = { family: "gaussian", prior: [{ mean: [0], stddev: [1], weight: 1 }], fused: [{ ...part, weight: 1 }], prior_share: null, text: "",
        experts: [{ ...part, used: true, symbol: "I", hue: 0 }, { mean: [-30], stddev: [0.1], used: false, symbol: "T", hue: 2 }] };
      experts.show({ symbol: "S", index: 0, hue: 1, why: "" }, beliefs, -2, 2);
      const d = experts.plot.querySelector(".fused").getAttribute("d");
      const points = d.slice(1).split("L").map((point) => point.split(" ").map(Number));
      return { from: experts.from, to: experts.to, points };
    }""")
    places = [found["from"] + x / 400 * (found["to"] - found["from"]) for x, _ in found["points"]]
    heights = [102 - y for _, y in found["points"]]
    assert found["from"] == pytest.approx(-2.32) and found["to"] == pytest.approx(4.08)  # an encoder that is not used widens nothing
    assert places == sorted(places) and places[heights.index(max(heights))] == pytest.approx(4, abs=0.002)
    assert sum(height > 0.1 * max(heights) for height in heights) > 15


def test_a_sweep_asks_for_its_frames_in_the_order_in_which_it_plays_them(alone):
    orders = alone.evaluate("""async () => {
      const { Traversal } = await import("/traversal.js");
      return [1, -1].map((step) => {
        let order;
        Traversal.prototype.askAll.call({ frames: Array.from({ length: 61 }), frame: 58, step, ask: (frames) => (order = frames) });
        return order;
      });
    }""")
    assert orders[0][:5] == [58, 59, 60, 57, 56] and orders[1][:3] == [57, 56, 55] and all(sorted(order) == list(range(61)) for order in orders)


def test_keys_work_after_a_slider_or_a_list_and_a_held_key_saves_once(explore):
    page = explore
    page.evaluate("key => localStorage.setItem(key, '[]')", KEPT)
    open_tab(page, "Traversal")
    for control in (page.locator(".panel .traversal input[type=range]"), page.get_by_label("range of the sliders")):
        before = len(kept(page))
        control.focus()
        page.keyboard.down("s")
        page.keyboard.down("s")  # the same key again before it came up: a repeat
        page.keyboard.up("s")
        assert len(kept(page)) == before + 1
        page.keyboard.press("p")
        page.wait_for_selector(".panel.present")
        page.keyboard.press("p")
        page.wait_for_selector(".panel:not(.present)")


def test_a_message_has_a_place_of_its_own_and_displaces_nothing(explore):
    page = explore
    page.set_viewport_size({"width": 1200, "height": 800})
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    button = page.get_by_role("button", name="copy link")
    width = page.locator(".panel .readout").bounding_box()["width"]
    layout = boxes(page)
    for _ in range(2):
        button.click()
    assert page.locator(".panel .status [role=status]").inner_text() == "link copied"
    assert button.inner_text() == "copy link" and boxes(page) == layout
    page.locator(".panel .readout").evaluate("node => (node.textContent = '100 pictures/s · 1000 ms, and more')")
    assert page.locator(".panel .readout").bounding_box()["width"] == width and boxes(page) == layout
    page.set_viewport_size({"width": 1440, "height": 900})


def test_the_address_follows_while_the_connection_is_silent(page, app_url):
    silent = []

    def relay(socket) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda message: None if silent else socket.send(message))

    page.route_web_socket(SOCKET, relay)
    open_at(page, app_url, model="tiny-faces")
    before = page.url
    silent.append(True)
    track(page, 3).focus()
    track(page, 3).press("End")
    page.wait_for_function("address => location.href !== address", arg=before)


def test_the_beliefs_have_an_axis_on_which_a_knob_follows_the_slider(explore):
    page = explore
    track(page, 3).focus()
    rest(page)
    numbers = page.locator(".panel .axis span")
    values = [float(text.replace("−", "-")) for text in numbers.all_inner_texts()]
    centres = numbers.evaluate_all("nodes => nodes.map((node) => { const box = node.getBoundingClientRect(); return box.x + box.width / 2; })")
    assert len(values) >= 3 and "prior" in page.locator(".panel .units").inner_text() and "√density" in page.locator(".panel .units").inner_text()

    def shown() -> float:
        """The value below the knob, as the axis has it."""
        box = page.locator(".panel .plot .knob").bounding_box()
        return values[0] + (box["x"] + box["width"] / 2 - centres[0]) * (values[-1] - values[0]) / (centres[-1] - centres[0])

    layout = boxes(page)
    for place in (0.15, 0.8):
        drag(page, 3, place)
        assert shown() == pytest.approx(float(track(page, 3).get_attribute("aria-valuenow")), abs=0.03)
    assert boxes(page) == layout
    page.mouse.up()


def test_every_small_picture_is_reached_and_chosen_by_keys_and_has_a_name(explore):
    page = explore
    page.evaluate("key => localStorage.setItem(key, '[]')", KEPT)
    track(page, 3).focus()
    rest(page)
    low, high = ends(page, 3)
    page.locator(".panel .strip .pick").first.focus()
    for key in (*["ArrowRight"] * 3, "Enter"):
        page.keyboard.press(key)
    rest(page)
    assert point_of(page).z[3] == pytest.approx((low + high) / 2, abs=0.006)
    assert "set z S 2 to" in page.locator(".panel .strip .pick").nth(3).get_attribute("aria-label")
    assert page.locator(".panel .strip .pick[tabindex='0']").count() == 2  # a stop of the tab key for each row

    open_tab(page, "Traversal")
    page.locator(".panel .traversal .pick").first.focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert "active" in page.locator(".panel .row").last.get_attribute("class")

    open_tab(page, "Plane")
    page.get_by_label("dimension across").select_option("3")
    page.locator(".panel .field").focus()
    page.keyboard.press("Home")
    rest(page)
    assert point_of(page).z[3] == pytest.approx(low + 3.5 / 9 * (high - low), abs=0.006)

    open_tab(page, "Saved points")
    for _ in range(2):
        page.keyboard.press("s")
    opener = page.get_by_role("button", name="open point 1")
    opener.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("() => [...document.querySelectorAll('*')].map((node) => node.shadowRoot).find((root) => root?.querySelector('.panel')).activeElement.ariaLabel") == "open point 1"


def test_the_list_of_keys_opens_by_its_key_and_gives_the_focus_back(explore):
    page = explore
    page.evaluate("key => localStorage.setItem(key, '[]')", KEPT)
    listed = page.get_by_role("dialog", name="Keys")
    track(page, 2).focus()
    page.keyboard.press("?")
    listed.wait_for()
    page.keyboard.press("s")
    assert kept(page) == []
    page.keyboard.press("Escape")
    listed.wait_for(state="hidden")
    assert track(page, 2).evaluate("node => node.getRootNode().activeElement === node")
    page.get_by_role("button", name="keys").click()
    listed.wait_for()
    listed.get_by_role("button", name="close").click()
    listed.wait_for(state="hidden")


def test_the_way_is_played_and_saved_only_between_two_ends_and_play_stops_it(page, app_url):
    open_at(page, app_url, model="tiny-faces")
    open_tab(page, "Interpolation")
    between = page.locator(".panel .between")
    needing = [between.get_by_role("button", name=name) for name in ("▶ play", "GIF", "PNG")]
    for pin in ("set A", "set B"):
        assert all(button.is_disabled() for button in needing) and not between.locator(".way").is_visible()
        assert "need both" in between.locator(".hint").inner_text()
        page.get_by_role("button", name=pin).click()
        track(page, 3).focus()
        track(page, 3).press("End")
        rest(page)
    assert "need both" not in between.locator(".hint").inner_text() and not any(button.is_disabled() for button in needing)
    assert between.locator(".way-ends").inner_text().split() == ["A", "B"]
    assert [between.get_by_role("button", name=f"replace {end}").count() for end in "AB"] == [1, 1] and between.get_by_role("button", name="set A").count() == 0
    needing[0].click()
    stop = between.get_by_role("button", name="■ stop")
    stop.click()
    rest(page)  # within the ten seconds that it would play
    assert stop.count() == 0 and needing[0].is_enabled()


def test_without_a_socket_nothing_is_drawn_twice_and_a_word_stands_beside_what_is_missing(page, app_url):
    page.route_web_socket(SOCKET, lambda socket: socket.close(code=1011))
    page.goto(f"{app_url}/explore?model=tiny-faces")
    page.wait_for_selector('.panel[data-live="fallback"][data-painted]')
    rest(page)
    words = page.locator(".panel .live-only")
    assert words.count() == 4 and all(words.nth(i).is_visible() for i in range(4))
    assert page.locator(".panel .traversal").get_by_role("button", name="▶ play").is_disabled()
    panel = page.locator(".panel")
    painted = panel.get_attribute("data-painted")
    page.wait_for_timeout(9_000)  # two more tries to connect
    assert panel.get_attribute("data-painted") == painted
    drag(page, 3, 0.9)
    page.mouse.up()
    page.wait_for_function(f"""() => [...document.querySelectorAll('*')].some((node) => node.shadowRoot?.querySelector('.panel')?.dataset.painted > {painted})""")


def test_a_file_being_made_keeps_its_button_busy_and_is_asked_for_once(explore):
    page = explore
    open_tab(page, "Traversal")
    asked = []

    def late(route) -> None:
        asked.append(route.request.url)
        page.wait_for_timeout(500)
        route.continue_()

    page.route("**/live/export?*", late)
    button = page.locator(".panel .traversal").get_by_role("button", name="GIF")
    told = page.locator(".panel .status [role=status]")
    with page.expect_download() as saved:
        button.click()
        assert button.get_attribute("aria-busy") == "true" and told.inner_text() == "making the GIF …"
        button.click()
    assert saved.value.suggested_filename == "tiny-faces-traversal.gif" and len(asked) == 1
    assert told.inner_text() == "tiny-faces-traversal.gif is saved" and button.get_attribute("aria-busy") is None
    page.unroute("**/live/export?*")
    page.route("**/live/export?*", lambda route: route.fulfill(status=400, body="range 'x' is none of these"))
    button.click()
    page.wait_for_timeout(3_500)
    assert told.inner_text() == "range 'x' is none of these"
    page.unroute("**/live/export?*")


def test_what_is_said_stands_though_the_connection_is_lost_meanwhile(page, app_url):
    sockets = relayed(page)
    open_at(page, app_url, model="tiny-faces")
    told = page.locator(".panel .status [role=status]")
    page.keyboard.press("s")
    sockets[0].close(code=1011)
    page.wait_for_selector('.panel:not([data-live="live"])')
    assert "saved as point" in told.inner_text()
    page.wait_for_selector('.panel[data-live="live"]')
    assert told.inner_text() == "connected again"


def test_gauges_say_how_well_their_readers_read(explore):
    titles = explore.locator(".panel .gauge").evaluate_all("nodes => nodes.map((node) => node.title)")
    measured = open_readers(ROOT / "checkpoints" / "readers" / "faces").accuracy["elevation"]
    assert f"right for {100 * measured['identity']['accuracy']:.1f} % on real test pictures" in titles[0]
    assert f"{measured['azimuth']['error']:.1f}° off on average" in titles[1] and all(titles)


def test_the_sweeps_range_is_chosen_in_its_own_row_and_is_that_of_its_files(explore):
    page = explore
    open_tab(page, "Traversal")
    sweep, sliders = page.get_by_label("range of the sweep"), page.get_by_label("range of the sliders")
    assert page.locator(".panel .traversal .buttons").get_by_label("range of the sweep").count() == 1
    for name in ("fixed", "min-max"):
        sweep.select_option(name)
        assert sliders.input_value() == name
        with page.expect_request("**/live/export?*") as asked, page.expect_download():
            page.locator(".panel .traversal").get_by_role("button", name="PNG").click()
        assert f"range={name}" in asked.value.url
    sliders.select_option("percentile")
    assert sweep.input_value() == "percentile"


def test_where_pictures_are_slow_no_frame_is_drawn_for_a_knob_alone(page, app_url):
    page.add_init_script("""
      const quick = window.WebSocket;
      window.WebSocket = class extends quick {
        set onmessage(listener) { super.onmessage = (event) => setTimeout(() => listener(event), this.url.includes("/live/") ? 300 : 0); }
      };""")
    open_at(page, app_url, model="tiny-faces")
    rest(page)
    for place in (0.2, 0.8):  # its answers have been slow, which it has to see first
        drag(page, 3, place)
        page.mouse.up()
        rest(page)
    found = page.evaluate("""async () => {
      const root = [...document.querySelectorAll("*")].map((node) => node.shadowRoot?.querySelector(".panel")).find(Boolean);
      const track = root.querySelectorAll(".row .track")[3], box = track.getBoundingClientRect();
      const send = (type, share) => track.dispatchEvent(new PointerEvent(type, { bubbles: true, pointerId: 1, button: 0, clientX: box.left + share * box.width, clientY: box.top + 5 }));
      track.setPointerCapture = () => {};
      let knobs = 0;
      new MutationObserver(() => (knobs += 1)).observe(track, { attributes: true, attributeFilter: ["aria-valuenow"] });
      send("pointerdown", 0.5);
      for (let i = 0; i < 60; i++) {
        send("pointermove", 0.5 + 0.3 * Math.sin(i));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      send("pointerup", 0.5);
      return knobs;
    }""")
    assert 0 < found < 30
    rest(page)
    assert float(track(page, 3).get_attribute("aria-valuenow")) == pytest.approx(point_of(page).z[3], abs=1e-3)


def test_few_layers_lie_over_one_another(explore):
    """Where a processor draws the page, each is drawn again with every frame."""
    page = explore
    rest(page)
    session = page.context.new_cdp_session(page)
    told = []
    session.on("LayerTree.layerTreeDidChange", lambda event: told.append(event.get("layers")))
    session.send("DOM.enable")
    session.send("LayerTree.enable")
    page.wait_for_timeout(500)
    drawn = [layer["layerId"] for layer in [layers for layers in told if layers][-1] if layer["drawsContent"]]
    reasons = [session.send("LayerTree.compositingReasons", {"layerId": layer})["compositingReasons"] for layer in drawn]
    over = [each for each in reasons if any("Overlaps" in reason for reason in each)]
    assert len(drawn) > 5 and len(over) <= 2
