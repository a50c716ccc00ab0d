// The panel of the Explore page. One object holds the state; every change of the code goes through `change`.

import { component, drawn, mean } from "./beliefs.js";
import { button, clamp, ease, el, mix, mount, named, symbol, wearTheme } from "./dom.js";
import { Experts } from "./experts.js";
import { download } from "./files.js";
import { Gauges } from "./gauges.js";
import { Interpolation } from "./interpolation.js";
import { Keys } from "./keys.js";
import { canvas, paint, pixelsOf } from "./pictures.js";
import { Plane } from "./plane.js";
import { originOf, parsePoint, pointInFile, pointText } from "./point.js";
import { KEPT, Saved, kept } from "./saved.js";
import { Row } from "./sliders.js";
import { Live } from "./socket.js";
import { Strip } from "./strip.js";
import { Traversal } from "./traversal.js";

const LATE = 250; // ms that a knob waits for the pictures of its code, where these are slow
const REST = 250; // ms without a change after which the address bar and the server learn of the code
const PATIENCE = 5000; // ms that the address waits for pictures
const OPENING = 20_000; // ms after which a point that is being opened is taken for refused
const SAID = 4000; // ms that a message stands
const HISTORY = 200;
const SWEEP = 4000; // ms in which playing takes a dimension there and back
const STORED = "mmvae explore";
const STEPS = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 }; // among saved points while presenting; a clicker sends the pages
const RANGES = { // of the sliders: what it is called, and its ends for a dimension, where they were measured
  percentile: ["1–99 %", ({ low, high }) => [low, Math.max(high, low + 0.2)]],
  "min-max": ["min–max", ({ min, max }) => (min === undefined ? null : [min, Math.max(max, min + 0.2)])],
  fixed: ["±3", () => [-3, 3]],
};
// where keys write: not sliders, boxes and lists, which keep the focus after they were used
const WRITTEN = "input:not([type=checkbox], [type=radio], [type=range], [role=combobox][aria-expanded=false]), textarea, [contenteditable=true]";

export const render = (component) => mount(component, Panel);

class Panel {
  constructor(host) {
    this.state = {
      code: null, // Float32Array, all blocks one after the other
      active: 0, // the dimension whose strip and beliefs are shown
      frozen: new Set(), // names of blocks that resets and samples leave alone
      past: [], future: [], // texts of points
      saved: kept() ?? [], current: -1, // the points kept, and which of them is shown
      held: false, // a knob is in a hand
      playing: null, // how to stop it
      live: "connecting",
      ...{ range: "percentile", smooth: true, tab: "traversal" },
      ...stored(),
    };
    this.root = el("div", { class: "panel", tabIndex: -1 });
    host.append(this.root);
    this.place = el("span", { role: "status" }); // which of the saved points is shown
    this.caption = el("span"); // of which model and code the pictures are, while presenting
    this.message = el("span", { role: "status" });
    this.keys = new Keys();
    this.spoken = null; // what was said last, for as long as it stands
    this.standing = ""; // what is said of the connection otherwise
    this.around = []; // what is inert while presenting
    this.page = location.pathname;
    this.listeners = new AbortController();
    window.addEventListener("storage", ({ key }) => key === KEPT && this.tabs?.saved.reread(), { signal: this.listeners.signal });
    document.addEventListener("fullscreenchange", () => document.fullscreenElement ?? (this.presenting && this.present(false)), { signal: this.listeners.signal });
    document.addEventListener("keydown", (event) => this.key(event), { signal: this.listeners.signal });
    window.addEventListener("dragover", (event) => event.preventDefault(), { signal: this.listeners.signal });
    window.addEventListener("drop", (event) => this.drop(event), { signal: this.listeners.signal });
    this.observer = new ResizeObserver(() => this.root.classList.toggle("narrow", this.root.clientWidth < 760));
    this.observer.observe(this.root);
  }

  destroy() {
    this.stop();
    if (this.presenting) this.present(false);
    this.tabs?.traversal.leave();
    this.listeners.abort();
    this.observer.disconnect();
    this.live?.close();
    clearInterval(this.meter);
    for (const timer of [this.late, this.resting, this.said]) clearTimeout(timer);
    this.root.remove();
  }

  // ---- what comes from the server

  receive({ data, setStateValue, setTriggerValue }) {
    Object.assign(this, { setStateValue, setTriggerValue });
    wearTheme(this.root);
    if (data.drawn) this.drawn(data.drawn);
    const before = this.data;
    if (before && JSON.stringify(before) === JSON.stringify(data)) return;
    const left = this.state.code && (this.aim ?? this.here());
    this.data = data;
    const another = !before || before.checkpoint !== data.checkpoint || before.digest !== data.digest;
    if (another) this.build();
    this.describePair();
    if (another || before.revision !== data.revision) this.adopt(Float32Array.from(data.code), another, left);
  }

  build() {
    const { data, state } = this;
    this.stop();
    this.tabs?.traversal.leave(); // those made below know nothing of its interval
    state.frozen.clear();
    state.code = null;
    this.dimensions = data.blocks.flatMap((block) => block.dims.map((dim, index) => ({
      ...dim, index, block, symbol: block.symbol, hue: block.hue,
      label: `${named(block.symbol, index)}, ${block.title}${dim.dead ? ", dead" : ""}, ${dim.kl.toFixed(2)} nats`,
    })));
    this.dimensions.forEach((dimension, at) => (dimension.at = at));
    state.active = Math.max(0, this.dimensions.findIndex(({ dead }) => !dead));
    this.views = data.modalities.map((modality, m) => this.buildView(modality, m));
    this.rangeSelects = [];
    this.strip = new Strip(data.modalities, (value) => this.set(state.active, value));
    this.experts = new Experts();
    this.tabs = { traversal: new Traversal(this), plane: new Plane(this), between: new Interpolation(this), saved: new Saved(this) };
    this.rows = this.dimensions.map((dimension) => new Row(dimension, this.handling()));
    this.readout = el("span", { class: "readout" });
    this.root.replaceChildren(
      el("main", {}, el("div", { class: "views" }, this.views.map(({ root }) => root)), this.buildTabs()),
      el("aside", {}, this.buildBar(), this.buildGroups(), this.strip.root, this.experts.root),
      el("div", { class: "presenting" }, this.caption, this.place, button("×", "back to the page (P)", () => this.present(false), { "aria-label": "stop presenting" })),
      el("div", { class: "status" }, this.message),
      this.keys.root,
    );
    if (this.presenting) this.root.focus(); // what had the focus is gone
    this.root.classList.toggle("crowded", this.crowded);
    this.root.style.setProperty("--lines", this.rows.length + 1.5 * data.blocks.length); // of sliders, each block's heading counted in
    this.connect();
    this.toggleSmooth(state.smooth);
    this.setRange(state.range);
    this.showHistory();
    this.openTab(state.tab);
    this.activate(state.active);
  }

  buildView(modality, m) {
    const big = canvas(modality.shape, { class: "big", role: "img", "aria-label": `${modality.title}, as decoded` });
    paint(big, pixelsOf(this.data.pictures[m])); // of the code it starts with: no black until the connection answers
    const input = canvas(modality.shape, { class: "small" });
    const rebuilt = canvas(modality.shape, { class: "small" });
    const error = el("span");
    const decoded = el("figcaption");
    const blocks = modality.reads.flatMap((b, i) => [i ? ", " : "", symbol(this.data.blocks[b].symbol)]);
    const head = el("h3", {}, el("b", {}, "x", el("sub", {}, modality.symbol)), el("span", {}, ` ${modality.title} · decoded from `, blocks));
    const inputFigure = el("figure", {}, input, el("figcaption", {}, "input"));
    const gauges = el("div", { class: "gauges" });
    const readings = el("div", { class: "readings" }, gauges, el("p", { class: "live-only" }, "Gauges need the live connection."));
    const root = el("section", { class: `view hue${2 * m}` }, head, el("div", { class: "frame" }, big),
      el("div", { class: "below" }, inputFigure, el("figure", {}, rebuilt, decoded, error), readings));
    return { root, big, input, rebuilt, decoded, error, inputFigure, gauges };
  }

  buildTabs() {
    const names = { traversal: "Traversal", plane: "Plane", between: "Interpolation", saved: "Saved points" };
    this.tabBar = el("div", { class: "tabs", role: "tablist" }, Object.entries(names).map(([name, title]) =>
      el("button", { type: "button", role: "tab", "data-tab": name, onclick: () => this.openTab(name) }, title)));
    this.tabBody = el("div", { class: "tab-body", role: "tabpanel" });
    const links = el("div", { class: "links" }, this.readout,
      button("copy link", "the address of this very point", () => this.copy("link", this.address().href), { class: "plain" }),
      button("copy command", "the command line that draws this very pair", () => this.copy("command", `python -m mmvae render '${this.here()}' --out pair.png`), { class: "plain" }));
    return el("section", { class: "workbench" }, el("div", { class: "tab-line" }, this.tabBar, links),
      el("p", { class: "live-only" }, "The small pictures need the live connection, files a server that answers."), this.tabBody);
  }

  buildBar() {
    this.playOne = button("▶ play", "play the active dimension (space)", () => this.play([this.state.active]));
    this.playAll = button("▶ all", "play every dimension in turn", () => this.play(this.dimensions.map(({ at }) => at)));
    return el("div", { class: "toolbar" },
      el("div", { class: "buttons" },
        button("posterior mean", "to the posterior mean of the pair", () => this.reset("posterior mean")),
        button("sample", "a sample of the posterior of the pair", () => this.reset("posterior sample")),
        button("prior mean", "to the mean of the prior", () => this.reset("prior mean")),
        button("prior sample", "a sample of the prior", () => this.reset("prior sample"))),
      el("div", { class: "buttons" },
        this.undoButton = button("↶", "undo (Ctrl+Z)", () => this.undo(), { "aria-label": "undo" }),
        this.redoButton = button("↷", "redo (Ctrl+Shift+Z)", () => this.redo(), { "aria-label": "redo" }),
        this.playOne, this.playAll, this.chooseRange("sliders"),
        this.smoothButton = button("", "how pixels are enlarged", () => this.toggleSmooth(), { class: "button quiet" }),
        button("⤢", "present: pictures, gauges and sliders alone (P)", () => this.present(), { "aria-label": "present" }),
        button("?", "all keys (?)", () => this.keys.toggle(), { "aria-label": "keys" })));
  }

  /** A list of the ranges. Sliders and sweep have one together, and each a list of its own. */
  chooseRange(of) {
    const select = el("select", { "aria-label": `range of the ${of}`, onchange: () => this.setRange(select.value),
      title: "range of the sliders and the sweep: the middle 98 % of the codes, all codes measured, or three standard deviations of the usual prior" },
      Object.entries(RANGES).map(([value, [title, ends]]) => el("option", { value, disabled: !ends(this.dimensions[0]) }, ends(this.dimensions[0]) ? title : `${title} (not measured)`)));
    this.rangeSelects.push(select);
    return select;
  }

  buildGroups() {
    const most = Math.max(3, ...this.dimensions.map(({ kl }) => kl));
    return el("div", { class: "groups" }, this.data.blocks.map((block) => {
      const lock = el("button", { type: "button", class: "lock", "aria-pressed": "false", title: "keep this block as it is when resetting, sampling and picking pairs" }, "freeze");
      lock.addEventListener("click", () => this.freeze(block.name, lock));
      const rows = this.rows.filter((row) => row.dimension.block === block);
      rows.forEach((row) => row.setKl(row.dimension.kl, most));
      return el("section", { class: `group hue${block.hue}`, role: "group", "aria-label": block.title },
        el("h4", {}, el("b", {}, block.title), lock, el("span", {}, block === this.data.blocks[0] ? "KL nats" : "")), rows.map(({ root }) => root));
    }));
  }

  /** The pair's belief, pictures and labels: what changes with the item and with what is observed. */
  describePair() {
    const { data } = this;
    this.mean = Float32Array.from(data.blocks.flatMap((block) => block.mean));
    this.stddev = Float32Array.from(data.blocks.flatMap((block) => block.stddev));
    this.priorMean = Float32Array.from(data.blocks.flatMap((block) => block.dims.map((_, d) => mean(block.beliefs.prior, d))));
    data.blocks.forEach((block, b) => this.dimensions.filter((d) => d.block.name === block.name).forEach((d) => (d.block = data.blocks[b])));
    this.rows.forEach((row, at) => row.setBelief(this.mean[at], this.stddev[at]));
    this.views.forEach((view, m) => {
      paint(view.rebuilt, pixelsOf(data.rebuilt[m]));
      view.inputFigure.hidden = !data.inputs[m];
      view.error.textContent = data.errors[m] === null ? "" : `mse ${data.errors[m].toFixed(4).replace(/^0/, "")}`;
      const seen = data.observed.includes(data.modalities[m].name);
      view.inputFigure.classList.toggle("unseen", !seen);
      view.inputFigure.lastChild.textContent = seen ? "input" : "not observed";
      view.decoded.textContent = seen ? "rebuilt" : data.observed.length ? "translated" : "prior mean";
      if (data.inputs[m]) paint(view.input, pixelsOf(data.inputs[m]));
    });
    this.nameCode();
    this.markTruth();
    if (this.state.code) this.tabs[this.state.tab].refresh?.();
    this.showExperts();
  }

  /** Whether the code is the posterior mean of the pair that is picked: only then are its pictures of that pair. */
  get ofPair() {
    const { item, observed } = this.data;
    return item !== null && observed.length > 0 && near(this.state.code ?? this.data.code, this.mean);
  }

  /** Says what the code is, in the words of code_in_words in mmvae/explore.py. */
  nameCode() {
    const { data, state } = this;
    const words = this.ofPair ? [`pair #${data.item}`, `observed: ${observedOf(data)}`]
      : near(state.code ?? data.code, this.priorMean) ? ["prior mean"]
      : ["moved or sampled code", ...(data.item === null ? [] : [`picked pair #${data.item}`])];
    const text = [data.title, ...words].join(" · ");
    if (text !== this.caption.textContent) this.caption.textContent = text; // with every frame of a drag
  }

  markTruth() {
    const { labels, modalities } = this.data;
    this.views.forEach((view, m) => {
      const shown = Object.fromEntries(Object.entries(labels).filter(([name]) => {
        const owner = this.live.hello?.readings.find(({ factor }) => factor === name)?.owner;
        return !owner || owner === modalities[m].name;
      }));
      view.dials?.mark(shown);
    });
  }

  /** Takes on a code from the server: at once where the model is another, in a short glide where it is not; left: the point before. */
  adopt(code, another, left) {
    const opened = this.sent && same(this.sent.code, code);
    const { sent, opening } = this;
    this.sent = this.opening = null;
    if (opened && opening !== sent && originOf(opening.text) !== originOf(this.point(code))) this.request(opening);
    if (left && !opened) this.remember(null, left);
    if (another || !this.state.code) {
      this.change(code);
      this.settle();
    } else if (opened) this.settle(); // it is there already, or on its way
    else this.glide(this.unlessFrozen(code));
  }

  // ---- the live path

  connect() {
    this.live?.close();
    const url = new URL(this.data.socket, location.origin);
    url.protocol = url.protocol.replace("http", "ws");
    this.live = new Live(url, this.data.checkpoint, this.data.digest, {
      pictures: (reply) => this.pictured(reply),
      status: (state, text) => this.connection(state, text),
    });
    this.rerun = null; // the code whose pictures a rerun drew last
    this.painted = { count: 0, since: performance.now() };
    clearInterval(this.meter);
    this.meter = setInterval(() => this.measure(), 500);
  }

  connection(state, text) {
    this.state.live = state;
    this.root.dataset.live = state;
    this.tabs.traversal.enable(!["fallback", "refused"].includes(state));
    if (state === "live") {
      this.asked = null; // a rerun asked of a server that was gone draws nothing
      this.buildGauges();
      if (this.state.code) this.live.show(this.state.code);
      this.refreshFigures();
    } else if (state === "replaced" && this.state.code) this.request(parsePoint(this.here())); // its page is made anew, and says so
    else if (state === "fallback" && this.state.code) this.drawByRerun();
    this.readout.textContent = { connecting: "connecting…", lost: "not connected", replaced: "not connected", refused: "refused", fallback: "not connected" }[state] ?? "";
    if (state === "connecting") return; // another try: what was said still holds
    if (state === "fallback") return this.tellOfServer();
    if (state === "live" && this.standing) this.say("connected again");
    this.standing = { lost: "connection lost, trying again…", replaced: "the model has other weights now, opening them…", refused: text }[state] ?? "";
    this.showMessage();
  }

  /** Says what is left without a live connection: reruns where the server answers at all. */
  async tellOfServer() {
    const there = await answers(`${this.data.files}/panel.js`);
    if (this.state.live !== "fallback") return;
    this.readout.textContent = there ? "slow" : "not connected";
    this.standing = there ? "slow: no live connection, pictures come by reruns" : "the server does not answer, trying again…";
    this.showMessage();
  }

  buildGauges() {
    let at = 0;
    const entries = this.live.hello.readings.map((entry) => ({ ...entry, at: (at += entry.size) - entry.size }));
    this.views.forEach((view, m) => {
      view.dials = new Gauges(entries.filter(({ modality }) => modality === this.data.modalities[m].name));
      view.gauges.replaceWith(view.dials.root);
      view.gauges = view.dials.root;
    });
    this.markTruth();
  }

  /** The newest pictures: drawn with the next frame, once a frame. */
  pictured(reply) {
    if (!this.reply) requestAnimationFrame(() => {
      const { images, readings } = this.reply;
      this.reply = null;
      if (this.late) this.mark();
      images.forEach((pixels, m) => paint(this.views[m].big, pixels));
      if (readings) for (const view of this.views) view.dials?.show(readings);
      this.painted.count += 1;
      this.root.dataset.painted = Number(this.root.dataset.painted ?? 0) + 1;
    });
    this.reply = reply;
  }

  measure() {
    if (this.state.live !== "live") return;
    const now = performance.now();
    const rate = (1000 * this.painted.count) / (now - this.painted.since);
    const { lag } = this.live;
    this.readout.textContent = this.painted.count > 2 ? `${rate.toFixed(0)} pictures/s · ${lag.toFixed(0)} ms` : lag ? `live · ${lag.toFixed(0)} ms` : "live";
    Object.assign(this.painted, { count: 0, since: now });
  }

  /** Where there is no socket: one code at a time through Streamlit, the newest next, and none that is shown already. */
  drawByRerun() {
    const code = [...this.state.code];
    const wanted = code.join();
    if (this.asked && performance.now() - this.asked.when < 5000) {
      this.asked.again = wanted !== this.asked.wanted;
      return;
    }
    if (!this.asked && wanted === this.rerun) return;
    this.asked = { id: Math.floor(Math.random() * 2 ** 31), when: performance.now(), again: false, wanted };
    this.setTriggerValue("draw", { id: this.asked.id, code });
  }

  drawn({ id, images }) {
    if (this.asked?.id !== id) return;
    const again = this.asked.again;
    this.rerun = this.asked.wanted;
    this.asked = null;
    images.forEach((text, m) => paint(this.views[m].big, pixelsOf(text)));
    this.root.dataset.painted = Number(this.root.dataset.painted ?? 0) + 1;
    if (again) this.drawByRerun();
  }

  // ---- the code

  set(at, value) {
    const code = this.state.code.slice();
    code[at] = value;
    this.stop();
    if (!same(code, this.state.code)) this.remember();
    this.change(code);
    this.settle();
  }

  change(code) {
    this.root.dataset.rest = "no";
    this.state.code = code;
    this.rows.forEach((row, at) => row.set(code[at], true));
    if (this.state.live === "fallback") this.drawByRerun();
    else this.live.show(code);
    if (this.live.slow) this.late ??= setTimeout(() => this.mark(), LATE); // a frame for a knob alone would make them slower yet
    else this.mark();
  }

  /** Draws where the code is: knobs, values and what else follows them. */
  mark() {
    clearTimeout(this.late);
    this.late = null;
    const { code, active, tab } = this.state;
    for (const row of this.rows) row.draw();
    this.nameCode();
    this.strip.row && this.strip.mark(code[active]);
    this.experts.mark(code[active]);
    this.tabs[tab].follow?.(code);
  }

  /** What waits for a rest: the address bar, the server, strips and figures. The first two wait for no silent connection. */
  settle(since = performance.now()) {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      if (this.state.held || this.state.playing) return;
      const waited = performance.now() - since;
      if (waited > OPENING) this.sent = this.opening = null;
      if (waited > PATIENCE && !this.opening && this.point() !== this.reported) this.report();
      if (this.unpainted()) return this.settle(since);
      if (this.late) this.mark();
      this.report();
      this.refreshFigures();
      this.root.dataset.rest = "yes";
    }, REST);
  }

  report() {
    if (location.pathname !== this.page) return; // Back was pressed, and this panel is not taken away yet
    const text = this.point();
    history.replaceState(history.state, "", this.address());
    if (text !== this.reported) this.setStateValue("point", text);
    this.reported = text;
  }

  /** Whether the code's pair or pictures are still on their way. */
  unpainted() {
    return this.opening || this.reply || this.asked || (["live", "connecting"].includes(this.state.live) && this.live.waiting);
  }

  point(code = this.state.code) {
    return pointText(this.data, code);
  }

  /** The point as it is, or the one being opened: its code is shown before its pair is there. */
  here() {
    return this.opening?.text ?? this.point();
  }

  address() {
    const url = new URL(location.href);
    url.search = `?point=${encodeURIComponent(this.here())}`; // ~ stays readable, + does not become a space
    return url;
  }

  async copy(what, text) {
    try {
      await navigator.clipboard.writeText(text);
      this.say(`${what} copied`);
    } catch {
      window.prompt("Copy this:", text); // a page without https may not write to the clipboard
    }
  }

  unlessFrozen(code) {
    const result = code.slice();
    for (const { at, block } of this.dimensions) if (this.state.frozen.has(block.name)) result[at] = this.state.code[at];
    return result;
  }

  reset(to) {
    this.stop();
    const target = this.state.code.slice();
    for (const block of this.data.blocks) {
      const { family, fused, prior } = block.beliefs;
      const parts = { "posterior sample": component(fused), "prior sample": component(prior) }; // one for the whole block
      for (const { at, index } of this.dimensions.filter((d) => d.block === block)) {
        target[at] = {
          "posterior mean": () => block.mean[index], "prior mean": () => mean(prior, index),
        }[to]?.() ?? drawn(parts[to], index, family);
      }
    }
    this.moveTo(this.unlessFrozen(target));
  }

  /** Glides to a code as a step of its own, which undo takes back. */
  moveTo(target, duration) {
    this.stop();
    if (!same(target, this.state.code)) this.remember();
    this.glide(target, duration);
  }

  /** Keeps where undo leads back to; changes of one burst in quick succession are one step. */
  remember(burst = null, text = this.here()) {
    const { past } = this.state;
    const now = performance.now();
    const again = burst !== null && burst === this.burst && now - this.burstAt < 700;
    Object.assign(this, { burst, burstAt: now });
    if (again || text === past.at(-1)) return;
    past.push(text);
    if (past.length > HISTORY) past.shift();
    this.state.future = [];
    this.showHistory();
  }

  undo() {
    this.step(this.state.past, this.state.future);
  }

  redo() {
    this.step(this.state.future, this.state.past);
  }

  step(from, to) {
    const here = this.aim ?? this.here();
    while (from.at(-1) === here) from.pop(); // a step that led nowhere
    if (from.length) {
      to.push(here);
      this.burst = null;
      this.goTo(parsePoint(from.pop()));
    }
    this.showHistory();
  }

  showHistory() {
    this.undoButton.disabled = !this.state.past.length;
    this.redoButton.disabled = !this.state.future.length;
  }

  /** Moves smoothly to a code. */
  glide(target, duration = 260) {
    this.stop();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) duration = 0;
    const start = this.state.code;
    this.aim = this.opening?.text ?? this.point(target);
    this.animate((elapsed) => {
      const t = duration ? Math.min(1, elapsed / duration) : 1;
      this.change(t === 1 ? target : start.map((value, at) => mix(value, target[at], ease(t))));
      return t < 1;
    });
  }

  /** Calls frame(ms since the start) until it returns false or `stop` is called. */
  animate(frame, ended = () => {}) {
    const began = performance.now();
    let request;
    const stop = () => {
      cancelAnimationFrame(request);
      this.state.playing = null;
      this.aim = null;
      ended();
      this.settle();
    };
    const tick = (now) => {
      if (frame(Math.max(0, now - began))) request = requestAnimationFrame(tick);
      else stop();
    };
    this.root.dataset.rest = "no";
    this.state.playing = stop;
    request = requestAnimationFrame(tick);
  }

  stop() {
    this.state.playing?.();
  }

  /** Sweeps dimensions one after the other over their ranges, from where they are and back. */
  play(dimensions) {
    if (this.state.playing) return this.stop();
    const start = this.state.code.slice();
    const buttons = [this.playOne, this.playAll];
    this.remember();
    buttons.forEach((node) => (node.textContent = "■ stop"));
    this.animate((elapsed) => {
      const turn = Math.floor(elapsed / SWEEP);
      if (dimensions.length > 1 && turn >= dimensions.length) return false;
      const at = dimensions[turn % dimensions.length];
      const { low, high } = this.rows[at];
      const from = clamp(Math.asin(clamp((2 * (start[at] - low)) / (high - low) - 1, -1, 1)), -1.57, 1.57);
      const code = start.slice();
      code[at] = low + ((high - low) * (1 + Math.sin(from + (2 * Math.PI * (elapsed % SWEEP)) / SWEEP))) / 2;
      if (this.state.active !== at) this.activate(at);
      this.change(code);
      return true;
    }, () => {
      this.playOne.textContent = "▶ play";
      this.playAll.textContent = "▶ all";
    });
  }

  // ---- sliders

  handling() {
    return {
      begin: (row, key = null) => {
        this.stop();
        this.grasped = { burst: key && `${row.index} ${key}` };
        if (!key) this.presses = [this.presses?.[1], { row, depth: this.state.past.length, text: this.here() }];
        this.state.held = true;
        this.highlight(row.index);
      },
      move: (row, value) => {
        const code = this.state.code.slice();
        code[row.index] = value;
        if (same(code, this.state.code)) return;
        if (this.grasped) this.remember(this.grasped.burst); // with the first move: a grasp alone changes nothing
        this.grasped = null;
        this.change(code);
      },
      end: () => {
        this.state.held = false;
        this.activate(this.state.active);
        this.settle();
      },
      reset: (row, twice = false) => {
        const code = this.state.code.slice();
        code[row.index] = this.mean[row.index];
        const { past } = this.state;
        const first = twice ? this.presses?.[0] : null;
        if (first?.row !== row) return this.moveTo(code, 120);
        past.length = Math.min(past.length, first.depth); // what the two clicks changed is part of the reset
        if (!same(parsePoint(first.text).code, code)) this.remember(null, first.text);
        this.showHistory();
        this.glide(code, 120);
      },
      taken: (key) => this.steps(key),
      focus: (row) => this.state.held || this.state.active === row.index || this.state.playing || row.root.matches(":active") || this.activate(row.index),
    };
  }

  highlight(at) {
    this.rows[this.state.active].root.classList.remove("active");
    this.state.active = at;
    this.rows[at].root.classList.add("active");
    this.showExperts();
  }

  activate(at) {
    this.highlight(at);
    if (this.state.code) this.fillStrip();
  }

  fillStrip() {
    const row = this.rows[this.state.active];
    const changed = this.data.modalities.map((modality, m) => (modality.reads.includes(this.data.blocks.indexOf(row.dimension.block)) ? m : null)).filter((m) => m !== null);
    this.strip.root.className = `strip hue${row.dimension.hue}`;
    this.strip.show(row, this.state.code, changed.length === 1 ? changed[0] : null, this.live);
    this.foresee(row);
  }

  /** Has the pictures decoded that one more press of a key would show: then they are there with the next frame. */
  foresee(row) {
    this.live.foresee(row.next.map((value) => {
      const code = this.state.code.slice();
      code[row.index] = value;
      return code;
    }));
  }

  showExperts() {
    const row = this.rows[this.state.active];
    this.experts.show(row.dimension, row.dimension.block.beliefs, row.low, row.high);
    if (this.state.code) this.experts.mark(this.state.code[row.index]);
  }

  setRange(range) {
    const ends = (RANGES[range] ?? RANGES.percentile)[1];
    this.state.range = ends(this.dimensions[0]) && RANGES[range] ? range : "percentile"; // an older model's ends were not measured
    this.rows.forEach((row) => row.setRange(...RANGES[this.state.range][1](row.dimension)));
    for (const select of this.rangeSelects) select.value = this.state.range;
    this.store();
    if (this.state.code) {
      this.activate(this.state.active);
      this.refreshFigures();
    }
  }

  toggleSmooth(smooth = !this.state.smooth) {
    this.state.smooth = smooth;
    this.root.classList.toggle("pixelated", !smooth);
    this.smoothButton.textContent = smooth ? "smooth" : "pixels";
    this.store();
  }

  freeze(name, lock) {
    const { frozen } = this.state;
    if (!frozen.delete(name)) frozen.add(name);
    lock.setAttribute("aria-pressed", frozen.has(name));
    lock.textContent = frozen.has(name) ? "frozen" : "freeze";
  }

  // ---- figures below the pictures

  openTab(name) {
    this.tabs[this.state.tab].leave?.();
    this.state.tab = name;
    for (const tab of this.tabBar.children) tab.setAttribute("aria-selected", tab.dataset.tab === name);
    this.tabBody.replaceChildren(this.tabs[name].root);
    this.store();
    if (this.state.code) this.tabs[name].refresh?.();
  }

  refreshFigures() {
    if (!this.state.code || !this.live.hello) return;
    this.fillStrip();
    this.tabs[this.state.tab].refresh?.();
  }

  /** A file of the current point, made by the server, for the browser to save; its button is busy meanwhile. */
  async download(kind, button, options = {}) {
    if (button.ariaBusy) return; // not disabled: it keeps the focus
    const url = new URL(this.data.export, location.origin);
    url.search = new URLSearchParams({ kind, point: this.point(), ...options });
    button.ariaBusy = "true";
    this.say(`making the ${button.textContent} …`, Infinity);
    try {
      const reply = await fetch(url);
      if (!reply.ok) return this.say(await reply.text());
      const name = decodeURIComponent(reply.headers.get("Content-Disposition").split("''")[1]); // as attachment() in ui/exports.py writes it
      download(URL.createObjectURL(await reply.blob()), name);
      this.say(`${name} is saved`);
    } catch {
      this.say("the server does not answer");
    } finally {
      button.ariaBusy = null;
    }
  }

  // ---- points

  /** Goes to a point of this model here, to another model's through the server. */
  open(text) {
    const point = parsePoint(text);
    if (!point) return this.say("this carries no point");
    this.stop();
    if (point.text !== this.here()) this.remember();
    this.goTo(point, 600);
  }

  /** Glides to a point of this model; its pair comes from the server, as another model does. */
  goTo(point, duration) {
    this.stop();
    this.root.dataset.rest = "no";
    if (this.opening || originOf(point.text) !== originOf(this.point())) this.request(point);
    if (point.checkpoint === this.data.checkpoint && point.code.length === this.state.code.length) this.glide(point.code, duration);
    else this.settle();
  }

  /** Has the server open a point: one at a time, then the newest that was wished for meanwhile. */
  request(point) {
    this.opening = point;
    if (this.sent) return;
    this.sent = point;
    this.setTriggerValue("open", point.text);
  }

  drop(event) {
    const [file] = event.dataTransfer?.files ?? [];
    if (!file) return;
    event.preventDefault();
    this.openFile(file);
  }

  /** Goes to the point that a saved picture carries. */
  async openFile(file) {
    const point = await pointInFile(file);
    if (point) this.open(point.text);
    else this.say("this picture carries no point");
  }

  /** A message for a while, or until the next; what is said of the connection waits for its end. */
  say(text, duration = SAID) {
    clearTimeout(this.said);
    this.spoken = text;
    this.showMessage();
    if (duration < Infinity) this.said = setTimeout(() => {
      this.spoken = null;
      this.showMessage();
    }, duration);
  }

  showMessage() {
    this.message.textContent = this.spoken ?? this.standing;
  }

  // ---- presenting and keys

  /** Whether the dimensions are so many that each has little room. */
  get crowded() {
    return this.dimensions.length > 16;
  }

  get presenting() {
    return this.root.classList.contains("present");
  }

  present(on = !this.presenting) {
    this.root.classList.toggle("present", on);
    this.place.textContent = "";
    document.documentElement.style.overflow = on ? "hidden" : "";
    for (const node of this.around) node.inert = false;
    this.around = on ? beside(this.root) : [];
    for (const node of this.around) node.inert = true; // its sliders and lists take no keys meant for the points
    this.root.focus({ preventScroll: true });
    if (on) this.root.requestFullscreen?.().catch(() => {}); // a window will do where full screen is refused
    else if (document.fullscreenElement) document.exitFullscreen();
  }

  /** Whether a key steps through saved points now: while presenting, where there are any. */
  steps(key) {
    return this.presenting && this.state.saved.length > 0 && key in STEPS;
  }

  key(event) {
    const typing = event.composedPath().some((node) => node.matches?.(WRITTEN));
    const key = event.key.toLowerCase();
    if (typing || !this.state.code) return;
    const control = event.ctrlKey || event.metaKey;
    if (key === "?") event.repeat || this.keys.toggle();
    else if (this.keys.open) return; // its own keys alone: Escape closes it and nothing else
    else if (control && key === "z") event.shiftKey ? this.redo() : this.undo();
    else if (control && key === "y") this.redo();
    else if (control || event.altKey) return;
    else if (key === "p" || (this.presenting && key === "escape")) event.repeat || this.present();
    else if (key === " " && this.root.contains(event.composedPath()[0]) && !event.composedPath()[0].matches("button, select, input")) event.repeat || this.play([this.state.active]);
    else if (key === "s") event.repeat || this.tabs.saved.add();
    else if (this.steps(event.key)) this.tabs.saved.stepBy(STEPS[event.key]);
    else return;
    event.preventDefault();
  }

  store() {
    const { range, smooth, tab } = this.state;
    try {
      localStorage.setItem(STORED, JSON.stringify({ range, smooth, tab }));
    } catch {
      // a browser that keeps nothing: choices last as long as the page
    }
  }
}

/** What the posterior is given, in the words of the page's buttons. */
const observedOf = ({ observed, modalities }) => (observed.length === modalities.length ? "both" : `only ${observed[0]}`);

/** Whether two codes are one: the server rounds a posterior's mean to five digits, but not the code that starts there. */
const same = (a, b) => a.length === b.length && a.every((value, i) => Math.abs(value - b[i]) < 1e-5);

/** Whether two codes are one as far as a hand can tell: NEAR of mmvae/explore.py. */
const near = (a, b) => a.length === b.length && a.every((value, i) => Math.abs(value - b[i]) < 1e-3);

/** All elements that neither contain an element nor lie in it, up to the page: the outermost of them. */
function beside(node) {
  const found = [];
  for (let at = node; at && at !== document.body; at = at.parentElement ?? at.getRootNode().host) {
    found.push(...[...(at.parentNode?.children ?? [])].filter((other) => other !== at && !other.inert));
  }
  return found;
}

/** Whether the server of an address is there. */
async function answers(url) {
  try {
    return (await fetch(url, { method: "HEAD", cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

function stored() {
  try {
    const { range = "percentile", smooth = true, tab = "traversal" } = JSON.parse(localStorage.getItem(STORED)) ?? {};
    return { range, smooth, tab };
  } catch {
    return {};
  }
}
