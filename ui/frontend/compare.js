// The panel of the Compare page: the same pair in several models, and one set of sliders that moves them all.
//
// A slider says how far a dimension is from where the pair lies: 0 is the pair as each model encodes it, −1 and +1 are the
// 1st and 99th percentile of each model's own codes. So every picture starts as a reconstruction, and no model jumps.

import { button, clamp, el, mix, mount, named, signed, symbol, wearTheme } from "./dom.js";
import { Gauges } from "./gauges.js";
import { canvas, paint, pixelsOf } from "./pictures.js";
import { pointText } from "./point.js";
import { Row } from "./sliders.js";
import { Live } from "./socket.js";

const REST = 250; // ms without a change after which links are those of the code
const SWEEP = 4000; // ms in which playing takes a slider there and back
const REACH = 0.1; // the least way to either side, where a pair lies at the edge of the codes

export const render = (component) => mount(component, Compare);

class Compare {
  constructor(host) {
    this.root = el("div", { class: "panel compare" });
    host.append(this.root);
    this.observer = new ResizeObserver(() => this.root.classList.toggle("narrow", this.root.clientWidth < 900));
    this.observer.observe(this.root);
  }

  destroy() {
    this.stop();
    this.observer.disconnect();
    this.models?.forEach((model) => model.live?.close());
    clearInterval(this.meter);
    clearTimeout(this.resting);
    this.root.remove();
  }

  receive({ data, setTriggerValue }) {
    this.setTriggerValue = setTriggerValue;
    wearTheme(this.root);
    if (data.drawn) this.drawn(data.drawn);
    const { drawn, ...told } = data;
    const text = JSON.stringify(told);
    if (text === this.told) return;
    this.told = text;
    this.data = data;
    this.build();
  }

  build() {
    const { data } = this;
    this.stop();
    const before = new Map((this.models ?? []).map((model) => [`${model.checkpoint} ${model.digest}`, model.live]));
    this.positions = new Float32Array(data.slots.length);
    this.active = 0;
    this.models = data.models.map((told, m) => this.model(told, m));
    this.rows = data.slots.map((slot, at) => this.slot(slot, at));
    this.readout = el("span", { class: "readout", role: "status", "aria-live": "off" });
    this.root.style.setProperty("--models", this.models.length);
    this.root.replaceChildren(el("main", {}, this.pictures()), el("aside", {}, this.toolbar(), this.sliders()));
    this.root.classList.toggle("crowded", this.rows.length > 14);
    for (const model of this.models) this.connect(model, before);
    before.forEach((live) => live?.close());
    clearInterval(this.meter);
    this.counted = { pictures: 0, since: performance.now() };
    this.meter = setInterval(() => this.measure(), 500);
    this.highlight(0);
    this.root.dataset.rest = "no";
    this.settle();
  }

  model(told, m) {
    const dims = told.blocks.flatMap((block) => block.dims.map((dim, d) => ({ ...dim, mean: block.mean[d], symbol: block.symbol, hue: block.hue, index: d })));
    const big = told.modalities.map((modality) => canvas(modality.shape, { class: "big", role: "img", "aria-label": `${told.title}: ${modality.title}, as decoded` }));
    big.forEach((node, i) => paint(node, pixelsOf(told.rebuilt[i])));
    const gauges = told.modalities.map(() => el("div", { class: "gauges" }));
    const link = el("a", { target: "_self", title: "open this very code in Explore" }, "Explore ›");
    return { ...told, m, dims, big, gauges, link, code: this.codeOf(dims), state: "connecting" };
  }

  /** A model's code at the sliders' positions. */
  codeOf(dims, m) {
    const code = Float32Array.from(dims, ({ mean }) => mean);
    if (m !== undefined) this.data.slots.forEach((slot, at) => {
      const place = slot.places[m];
      if (!place) return;
      const { mean, low, high } = dims[place.at];
      const way = this.positions[at] * place.sign;
      code[place.at] = way < 0 ? mix(mean, Math.min(low, mean - REACH), -way) : mix(mean, Math.max(high, mean + REACH), way);
    });
    return code;
  }

  connect(model, before) {
    const key = `${model.checkpoint} ${model.digest}`;
    const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${this.data.socket}`;
    const on = { pictures: (reply) => this.pictured(model, reply), status: (state, text) => this.connection(model, state, text) };
    if (model.refused) return;
    if (before.get(key)?.hello) {
      model.live = before.get(key);
      before.delete(key);
      model.live.on = on;
      this.connection(model, "live", "");
    } else model.live = new Live(url, model.checkpoint, model.digest, on);
  }

  connection(model, state, text) {
    model.state = state;
    this.root.dataset.live = this.models.every((each) => each.refused || each.state === "live") ? "live" : state;
    if (state === "live") {
      // a reply may come before the constructor's result is kept
      queueMicrotask(() => {
        this.dials(model);
        model.live.show(model.code);
      });
    } else if (state === "replaced") this.setTriggerValue("draw", { id: 0, codes: [] }); // a rerun, which tells of the other weights, and no pictures
    else if (state === "fallback") this.drawByRerun();
    this.readout.textContent = { connecting: "connecting…", lost: "connection lost, trying again…", refused: text, replaced: "other weights, opening them…",
      fallback: "no live connection, pictures come by reruns where the server answers" }[state] ?? "";
  }

  dials(model) {
    let at = 0;
    const entries = model.live.hello.readings.map((entry) => ({ ...entry, at: (at += entry.size) - entry.size }));
    model.dials = model.modalities.map(({ name }, i) => {
      const dials = new Gauges(entries.filter(({ modality }) => modality === name));
      dials.mark(this.data.labels);
      model.gauges[i].replaceWith(dials.root);
      model.gauges[i] = dials.root;
      return dials;
    });
  }

  /** The newest pictures of a model: drawn with the next frame. */
  pictured(model, reply) {
    if (!model.reply) requestAnimationFrame(() => {
      const { images, readings } = model.reply;
      model.reply = null;
      images.forEach((pixels, i) => paint(model.big[i], pixels));
      if (readings) model.dials?.forEach((dials) => dials.show(readings));
      model.big[0].dataset.painted = Number(model.big[0].dataset.painted ?? 0) + 1;
      this.counted.pictures += images.length;
    });
    model.reply = reply;
  }

  measure() {
    if (this.root.dataset.live !== "live") return;
    const now = performance.now();
    const rate = (1000 * this.counted.pictures) / (now - this.counted.since);
    this.readout.textContent = rate > 3 ? `${rate.toFixed(0)} pictures/s` : "live";
    this.counted = { pictures: 0, since: now };
  }

  /** Where there is no socket: one set of codes at a time through Streamlit, the newest next. */
  drawByRerun() {
    if (this.asked && performance.now() - this.asked.when < 8000) {
      this.asked.again = true;
      return;
    }
    this.asked = { id: Math.floor(Math.random() * 2 ** 31), when: performance.now(), again: false };
    this.setTriggerValue("draw", { id: this.asked.id, codes: this.models.map(({ code }) => [...code]) });
  }

  drawn({ id, images }) {
    if (this.asked?.id !== id) return;
    const again = this.asked.again;
    this.asked = null;
    images.forEach((pair, m) => pair?.forEach((text, i) => paint(this.models[m].big[i], pixelsOf(text))));
    if (again) this.drawByRerun();
  }

  // ---- what is shown

  pictures() {
    const { data, models } = this;
    const cells = [el("div", { class: "corner" }), ...models.map((model) =>
      el("header", {}, el("b", { title: model.checkpoint }, model.title), model.refused ? null : model.link))];
    data.models[0].modalities.forEach((modality, i) => {
      const input = canvas(modality.shape, { class: "truth" });
      if (data.inputs[i]) paint(input, pixelsOf(data.inputs[i]));
      const seen = data.observed.includes(modality.name);
      cells.push(el("figure", { class: `hue${2 * i}${seen ? "" : " unseen"}` }, data.inputs[i] ? input : null,
        el("figcaption", {}, el("b", {}, "x", el("sub", {}, modality.symbol)), ` ${modality.title}`, el("br"), data.inputs[i] ? (seen ? "input" : "not shown to the models") : "")));
      for (const model of models) {
        cells.push(el("div", { class: `cell hue${2 * i}` }, model.refused
          ? el("p", { class: "refused" }, i ? "" : model.refused)
          : [el("div", { class: "frame" }, model.big[i]), model.gauges[i]]));
      }
    });
    return el("div", { class: "grid" }, cells);
  }

  toolbar() {
    this.playButton = button("▶ play", "play the active slider", () => this.play([this.active]));
    this.allButton = button("▶ all", "play every slider in turn", () => this.play(this.rows.map((_, at) => at)));
    return el("div", { class: "toolbar" }, el("div", { class: "buttons" },
      button("reset", "every slider to the pair as encoded", () => this.reset()), this.playButton, this.allButton, this.readout));
  }

  sliders() {
    const heads = el("div", { class: "slot heads" }, el("span"), el("span", { class: "ends" }, el("i", {}, "1 %"), el("i", {}, "as encoded"), el("i", {}, "99 %")),
      el("div", { class: "chips" }, this.models.map(({ title }) => el("span", { title }, title.replace(/-?VAE/g, "").replace("MMPOE", "PoE").trim()))));
    return el("div", { class: "slots" }, heads, this.rows.map(({ line }) => line));
  }

  slot(slot, at) {
    const first = slot.places.findIndex(Boolean);
    const dim = this.models[first].dims[slot.places[first].at];
    const name = slot.title || named(dim.symbol, dim.index);
    const row = new Row({ at, symbol: dim.symbol, index: dim.index, low: -1, high: 1, histogram: [0], label: name, dead: false, why: "" }, this.handling());
    row.setRange(-1, 1);
    row.set(0);
    const chips = slot.places.map((place, m) => {
      if (!place) return el("span", { class: "chip none", title: `${this.models[m].title} has none` }, "–");
      const own = this.models[m].dims[place.at];
      return el("span", { class: `chip hue${own.hue}${own.dead ? " dead" : ""}`, title: own.why || `${this.models[m].title}: ${own.kl.toFixed(2)} nats` },
        slot.title ? symbol(own.symbol, own.index) : own.kl.toFixed(1), place.sign < 0 ? el("i", { title: "moved the other way round" }, "↺") : null);
    });
    row.line = el("div", { class: `slot row hue${slot.hue}` }, slot.title ? el("span", { class: "name" }, slot.title) : symbol(dim.symbol, dim.index),
      row.track, el("div", { class: "chips" }, chips));
    return row;
  }

  handling() {
    return {
      begin: (row) => {
        this.stop();
        this.held = true;
        this.highlight(row.index);
      },
      move: (row, value) => this.set(row.index, value),
      end: () => {
        this.held = false;
        this.settle();
      },
      reset: (row) => {
        this.set(row.index, 0);
        this.settle();
      },
      focus: (row) => this.highlight(row.index),
      taken: () => false, // every key is the slider's
    };
  }

  highlight(at) {
    this.rows.forEach((row, i) => row.line.classList.toggle("active", i === at));
    this.active = at;
  }

  // ---- the code

  set(at, value) {
    this.root.dataset.rest = "no";
    this.positions[at] = clamp(value, -1, 1);
    this.rows[at].set(this.positions[at]);
    this.rows[at].track.setAttribute("aria-valuetext", `${signed(this.positions[at])} of the way from the pair to the end of the codes`);
    for (const model of this.models) if (this.data.slots[at].places[model.m]) this.show(model);
  }

  show(model) {
    model.code = this.codeOf(model.dims, model.m);
    if (model.refused) return;
    if (model.state === "fallback") this.drawByRerun();
    else model.live.show(model.code);
  }

  reset() {
    this.stop();
    this.positions.fill(0);
    this.rows.forEach((row) => row.set(0));
    this.models.forEach((model) => this.show(model));
    this.settle();
  }

  settle() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      if (this.held || this.playing) return;
      if (this.models.some((model) => model.live?.waiting || model.reply)) return this.settle();
      for (const model of this.models) model.link.href = `explore?point=${encodeURIComponent(pointText({ ...model, item: this.data.item }, model.code))}`;
      this.root.dataset.rest = "yes";
    }, REST);
  }

  /** Sweeps sliders one after the other, from where they are and back. */
  play(rows) {
    if (this.playing) return this.stop();
    const start = this.positions.slice();
    const began = performance.now();
    this.playButton.textContent = this.allButton.textContent = "■ stop";
    let at = rows[0];
    const tick = (now) => {
      const elapsed = Math.max(0, now - began);
      const turn = Math.floor(elapsed / SWEEP);
      const next = rows[turn % rows.length];
      if (next !== at) this.set(at, start[at]);
      at = next;
      if (rows.length > 1 && turn >= rows.length) return this.stop();
      if (this.active !== at) this.highlight(at);
      this.set(at, Math.sin(Math.asin(clamp(start[at], -1, 1)) + (2 * Math.PI * (elapsed % SWEEP)) / SWEEP));
      this.playing = requestAnimationFrame(tick);
    };
    this.playing = requestAnimationFrame(tick);
  }

  stop() {
    if (!this.playing) return;
    cancelAnimationFrame(this.playing);
    this.playing = null;
    this.playButton.textContent = "▶ play";
    this.allButton.textContent = "▶ all";
    this.settle();
  }
}
