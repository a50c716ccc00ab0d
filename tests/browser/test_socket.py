"""The live path's client by itself, its server played by the test: what a lost connection leaves behind."""

import pytest

from ui.live import ALONE, READINGS, TOGETHER

#: A server that answers what it is told to: ``greet(socket)``, ``answer(socket, message)``; pictures of one pixel, a code's first value.
SERVER = """
window.sockets = [];
window.WebSocket = class {
  constructor() { this.sent = []; sockets.push(this); }
  send(message) { this.sent.push(message); }
  close() {}
};
const hello = { digest: "0", dims: 1, pictures: [{ modality: "a", shape: [1, 1, 1] }], readings: [{ size: 1 }], bound: 8, max_codes: 16 };
window.greet = (socket, digest = "0") => socket.onmessage({ data: JSON.stringify({ ...hello, digest }) });
window.read = (message) => {
  const view = new DataView(message);
  const count = view.getUint16(6, true);
  const values = Array.from({ length: count }, (_, i) => view.getFloat32(8 + 4 * i, true));
  return { id: view.getUint32(0, true), lane: view.getUint8(4), flags: view.getUint8(5), values };
};
window.answer = (socket, message) => {
  const { lane, flags, values } = read(message);
  const bytes = new Uint8Array(12 + values.length * (flags ? 5 : 1));
  bytes.set(new Uint8Array(message.slice(0, 8)));
  bytes.set(values, 12);
  socket.onmessage({ data: bytes.buffer });
};
window.until = async (holds) => { while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5)); };
"""


@pytest.fixture
def script(alone):
    page = alone
    page.add_script_tag(content=SERVER)
    return page


def test_what_was_cancelled_while_the_connection_was_lost_is_not_delivered(script):
    delivered = script.evaluate("""async () => {
      const { Live } = await import("/socket.js");
      const delivered = [], live = new Live("ws://panel.test", "m", "0", { pictures() {}, status() {} });
      const codes = (value) => Array.from({ length: 24 }, () => Float32Array.of(value));
      greet(sockets[0]);
      const cancel = live.strip(codes(1), (i, [pixels]) => delivered.push(pixels[0]));
      await until(() => sockets[0].sent.length === 2);
      sockets[0].onclose({ code: 1006, reason: "" });
      cancel();
      live.strip(codes(2), (i, [pixels]) => delivered.push(pixels[0]));
      await until(() => sockets.length === 2);
      greet(sockets[1]);
      for (let done = 0; done < 3; done++) {
        await until(() => sockets[1].sent.length > done);
        answer(sockets[1], sockets[1].sent[done]);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
      for (const message of sockets[1].sent.slice(3)) answer(sockets[1], message);
      return delivered;
    }""")
    assert delivered == [2] * 24


def test_a_strip_that_was_under_way_comes_once_and_whole(script):
    delivered = script.evaluate("""async () => {
      const { Live } = await import("/socket.js");
      const delivered = [], live = new Live("ws://panel.test", "m", "0", { pictures() {}, status() {} });
      greet(sockets[0]);
      live.strip(Array.from({ length: 24 }, (_, i) => Float32Array.of(i)), (i, [pixels]) => delivered.push([i, pixels[0]]));
      await until(() => sockets[0].sent.length === 2);
      sockets[0].onclose({ code: 1006, reason: "" });
      await until(() => sockets.length === 2);
      greet(sockets[1]);
      for (let done = 0; delivered.length < 24; done++) {
        await until(() => sockets[1].sent.length > done);
        answer(sockets[1], sockets[1].sent[done]);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
      return [delivered, sockets[1].sent.length];
    }""")
    assert delivered == [[[i, i] for i in range(24)], 3]


def test_a_picture_that_a_lost_connection_left_unread_is_read_after_it(script):
    asked = script.evaluate("""async () => {
      const { Live } = await import("/socket.js");
      const live = new Live("ws://panel.test", "m", "0", { pictures() {}, status() {} });
      greet(sockets[0]);
      live.show(Float32Array.of(0));  // alone so far, it need not wait to be read
      live.show(Float32Array.of(1));
      live.show(Float32Array.of(2));  // too soon to be read as well
      const before = sockets[0].sent.map((message) => read(message).flags);
      sockets[0].onclose({ code: 1006, reason: "" });
      await until(() => sockets.length === 2);
      greet(sockets[1]);
      await until(() => sockets[1].sent.length);
      const { flags, values } = read(sockets[1].sent[0]);
      answer(sockets[1], sockets[1].sent[0]);
      return { before, flags, values, waiting: live.waiting };
    }""")
    assert asked == {"before": [0, 1, 0], "flags": READINGS | ALONE, "values": [2], "waiting": False}


def test_pictures_decoded_together_with_others_are_asked_for_once_more_alone_when_a_drag_rests(script):
    asked = script.evaluate("""async (together) => {
      const { Live } = await import("/socket.js");
      const live = new Live("ws://panel.test", "m", "0", { pictures() {}, status() {} });
      const shared = (message) => { const other = message.slice(0); new DataView(other).setUint8(5, read(message).flags | together); return other; };
      greet(sockets[0]);
      live.show(Float32Array.of(0));
      live.show(Float32Array.of(1));
      live.show(Float32Array.of(2));
      for (const message of sockets[0].sent.slice()) answer(sockets[0], shared(message));
      const resting = live.waiting;
      await until(() => sockets[0].sent.length === 4);
      answer(sockets[0], sockets[0].sent[3]);
      await new Promise((resolve) => setTimeout(resolve, 200));
      return { resting, asked: sockets[0].sent.map((message) => [read(message).flags, ...read(message).values]), waiting: live.waiting };
    }""", TOGETHER)
    assert asked == {"resting": True, "asked": [[0, 0], [READINGS, 1], [0, 2], [READINGS | ALONE, 2]], "waiting": False}


def test_the_pictures_of_a_single_press_come_first_and_are_read_right_after(script):
    asked = script.evaluate("""async () => {
      const { Live } = await import("/socket.js");
      const live = new Live("ws://panel.test", "m", "0", { pictures() {}, status() {} });
      greet(sockets[0]);
      live.show(Float32Array.of(1));
      const early = sockets[0].sent.length;
      answer(sockets[0], sockets[0].sent[0]);
      await until(() => sockets[0].sent.length === 2);
      answer(sockets[0], sockets[0].sent[1]);
      return { early, asked: sockets[0].sent.map((message) => [read(message).flags, ...read(message).values]), waiting: live.waiting };
    }""")
    assert asked == {"early": 1, "asked": [[0, 1], [READINGS | ALONE, 1]], "waiting": False}


def test_pictures_foreseen_are_shown_at_once_and_read_right_after_and_late_ones_of_older_codes_are_not(script):
    found = script.evaluate("""async () => {
      const { Live } = await import("/socket.js");
      const shown = [], live = new Live("ws://panel.test", "m", "0", { pictures: ({ images, readings }) => shown.push([images[0][0], readings !== null]), status() {} });
      greet(sockets[0]);
      live.show(Float32Array.of(1));
      live.foresee([Float32Array.of(2), Float32Array.of(3), Float32Array.of(4)]);
      const [drag] = sockets[0].sent, early = sockets[0].sent.length;
      answer(sockets[0], drag);
      const ahead = sockets[0].sent.slice(1).map((message) => [read(message).lane, ...read(message).values]);
      for (const message of sockets[0].sent.slice(1)) answer(sockets[0], message);
      live.show(Float32Array.of(5));  // not foreseen: on its way when the next is shown
      const late = sockets[0].sent.at(-1);
      live.show(Float32Array.of(3));
      const instant = shown.slice();
      answer(sockets[0], late);
      await until(() => sockets[0].sent.at(-1) !== late && read(sockets[0].sent.at(-1)).lane === 0);
      answer(sockets[0], sockets[0].sent.at(-1));
      return { early, ahead, instant, shown, asked: read(sockets[0].sent.at(-1)).flags, waiting: live.waiting };
    }""")
    assert found == {"early": 1, "ahead": [[1, 2], [1, 3]], "instant": [[1, False], [3, False]], "shown": [[1, False], [3, False], [3, True]],
                     "asked": READINGS | ALONE, "waiting": False}


def test_what_was_foreseen_of_a_code_is_asked_for_once(script):
    asked = script.evaluate("""async () => {
      const { Live } = await import("/socket.js");
      const live = new Live("ws://panel.test", "m", "0", { pictures() {}, status() {} });
      greet(sockets[0]);
      for (let time = 0; time < 2; time++) {
        live.foresee([Float32Array.of(2)]);
        if (!time) answer(sockets[0], sockets[0].sent[0]);
      }
      for (let value = 10; value < 40; value++) {
        live.foresee([Float32Array.of(value)]);
        answer(sockets[0], sockets[0].sent.at(-1));
      }
      live.foresee([Float32Array.of(2)]);  // so long ago that it is forgotten
      return [sockets[0].sent.length, ...read(sockets[0].sent.at(-1)).values];
    }""")
    assert asked == [32, 2]


def test_a_slow_server_is_asked_for_fewer_readings_until_it_is_quick_again(script):
    found = script.evaluate("""async () => {
      const { Live } = await import("/socket.js");
      const live = new Live("ws://panel.test", "m", "0", { pictures() {}, status() {} });
      const drag = async (count, delay) => {
        let readings = 0;
        for (let i = 0; i < count; i++) {
          const before = sockets[0].sent.length;
          live.show(Float32Array.of(i % 7));
          const message = sockets[0].sent[before];
          readings += read(message).flags & 1;
          await new Promise((resolve) => setTimeout(resolve, delay));
          answer(sockets[0], message);
        }
        return [readings, live.slow];
      };
      greet(sockets[0]);
      return { before: live.slow, slow: await drag(6, 300), quick: await drag(30, 5) };
    }""")
    assert found["before"] is False
    assert found["slow"][0] < 6 and found["slow"][1] is True  # at the usual pace every one of them had readings
    assert found["quick"][1] is False


def test_a_silent_connection_is_left_and_taken_up_again_later_each_time(script):
    script.clock.install()
    script.evaluate("""async () => {
      const { Live } = await import("/socket.js");
      window.states = [];
      window.live = new Live("ws://panel.test", "m", "0", { pictures() {}, status: (state) => states.push(state) });
      greet(sockets[0]);
    }""")
    script.clock.run_for(60_000)
    assert script.evaluate("[sockets.length, states.at(-1)]") == [1, "live"]  # nothing is owed: silence is no loss
    script.evaluate("live.show(Float32Array.of(1))")
    script.clock.run_for(9_000)
    assert script.evaluate("states.at(-1)") == "live"
    script.clock.run_for(1_000)
    assert script.evaluate("states.at(-1)") == "lost"
    script.clock.run_for(1_000)
    assert script.evaluate("sockets.length") == 2
    script.clock.run_for(15_000)  # no greeting either: borne for twice as long
    assert script.evaluate("[sockets.length, states.at(-1)]") == [2, "connecting"]
    script.clock.run_for(10_000)
    assert script.evaluate("sockets.length") == 3
    script.evaluate("""() => {
      greet(sockets[2]);
      live.show(Float32Array.of(1));
      answer(sockets[2], sockets[2].sent.at(-1));
      live.show(Float32Array.of(2));
    }""")
    script.clock.run_for(11_000)  # it answered: as at first
    assert script.evaluate("sockets.length") == 4


def test_a_greeting_of_other_weights_is_reported_and_nothing_is_asked_of_them(script):
    script.clock.install()
    script.evaluate("""async () => {
      const { Live } = await import("/socket.js");
      const states = [], live = new Live("ws://panel.test", "m", "0", { pictures() {}, status: (state) => states.push(state) });
      greet(sockets[0]);
      live.show(Float32Array.of(1));
      answer(sockets[0], sockets[0].sent.at(-1));
      sockets[0].onclose({ code: 1006, reason: "" });
      window.states = states;
      window.live = live;
    }""")
    script.clock.run_for(300)
    script.evaluate("""() => {
      greet(sockets[1], "1");
      live.show(Float32Array.of(2));
    }""")
    assert script.evaluate("[states.at(-1), sockets[1].sent.length, live.hello]") == ["replaced", 0, None]
    script.clock.run_for(5_000)
    script.evaluate("greet(sockets[2])")  # the weights are the ones asked for again
    assert script.evaluate("[states.at(-1), read(sockets[2].sent.at(-1)).values[0]]") == ["live", 2]


def test_a_server_that_greets_and_closes_is_given_up_until_it_answers(script):
    script.clock.install()
    script.evaluate("""async () => {
      const { Live } = await import("/socket.js");
      window.states = [];
      window.shown = [];
      window.live = new Live("ws://panel.test", "m", "0", {
        pictures: ({ images }) => shown.push(images[0][0]),
        status: (state) => { states.push(state); if (state === "live") live.show(Float32Array.of(7)); },
      });
      window.fail = () => {
        greet(sockets.at(-1));
        live.show(Float32Array.of(1));
        sockets.at(-1).onclose({ code: 1011, reason: "" });
      };
    }""")
    for _ in range(4):
        script.evaluate("fail()")
        script.clock.run_for(4_500)
    before = script.evaluate("states.lastIndexOf('live')")
    for _ in range(3):
        script.evaluate("fail()")
        script.clock.run_for(4_500)
    assert script.evaluate("[states.at(-1), states.lastIndexOf('live'), sockets.length]") == ["fallback", before, 8]  # a greeting is no proof any more
    script.evaluate("""() => {
      greet(sockets.at(-1));
      answer(sockets.at(-1), sockets.at(-1).sent.at(-1));
    }""")
    assert script.evaluate("[states.at(-1), shown]") == ["live", []]  # of a code from before
    script.evaluate("answer(sockets.at(-1), sockets.at(-1).sent.at(-1))")
    assert script.evaluate("shown") == [7]
