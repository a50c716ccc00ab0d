// A row for each latent dimension: what the model's codes look like there, where this pair lies, and a knob.

import { clamp, el, signed, svg, symbol } from "./dom.js";

const FINE = 0.1; // of a drag's way while shift is held
const TOP = 18; // of the 24 units that a histogram is high

/**
 * One dimension's row.
 *
 * act: {begin(row, key), move(row, value), end(row), reset(row, twice), focus(row)}, called as the person handles it: key is
 * none where it is the pointer, twice is whether the reset is a double click; taken(key) says which keys are not for sliders now.
 */
export class Row {
  constructor(dimension, act) {
    this.dimension = dimension;
    this.index = dimension.at;
    this.act = act;
    this.knob = el("i", { class: "knob" });
    this.rail = el("i", { class: "rail" }, this.knob); // as wide as the track, so that a share of its width is a share of the track's
    this.belief = el("i", { class: "belief" });
    this.histogram = svg("svg", { class: "histogram", viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": "true" });
    this.track = el(
      "div",
      { class: "track", role: "slider", tabindex: 0, "aria-label": dimension.label, "aria-orientation": "horizontal" },
      this.histogram, el("i", { class: "line" }), el("i", { class: "zero" }), this.belief, this.rail,
    );
    this.number = el("span"); // lies in a box that it cannot change: its text changes with every picture
    this.value = el("span", { class: "value" }, this.number);
    this.klBar = el("i");
    this.klValue = el("span", { class: "kl-value" });
    this.root = el("div", { class: "row", title: dimension.why || null }, symbol(dimension.symbol, dimension.index), this.track,
      this.value, el("span", { class: "kl", "aria-hidden": "true" }, this.klBar), this.klValue);
    this.root.classList.toggle("dead", dimension.dead);
    this.listen();
  }

  /** The limits of the track. */
  setRange(low, high) {
    Object.assign(this, { low, high });
    this.track.setAttribute("aria-valuemin", low.toFixed(2));
    this.track.setAttribute("aria-valuemax", high.toFixed(2));
    this.drawHistogram();
    this.root.style.setProperty("--zero", `${100 * clamp(this.at(0), -1, 2)}%`);
    this.drawn = null;
    if (this.shown !== undefined) this.draw();
    if (this.mean !== undefined) this.setBelief(this.mean, this.stddev);
  }

  at(value) {
    return (value - this.low) / (this.high - this.low);
  }

  drawHistogram() {
    const { histogram: counts, low, high } = this.dimension;
    const most = Math.max(...counts, 1);
    const x = (i) => 100 * this.at(low + ((high - low) * i) / counts.length);
    let path = `M${x(0)} 24`;
    counts.forEach((count, i) => (path += `L${x(i + 0.5).toFixed(2)} ${(24 - (TOP * count) / most).toFixed(2)}`));
    this.histogram.replaceChildren(svg("path", { d: `${path}L${x(counts.length)} 24Z` }));
  }

  setBelief(mean, stddev) {
    Object.assign(this, { mean, stddev });
    if (this.drawn !== undefined) this.say(); // a frozen value stays while the posterior is another pair's
    const from = clamp(this.at(mean - stddev), 0, 1);
    const to = clamp(this.at(mean + stddev), 0, 1);
    this.belief.style.left = `${100 * from}%`;
    this.belief.style.width = `${Math.max(100 * (to - from), 0.8)}%`;
  }

  setKl(kl, most) {
    this.klBar.style.width = `${(100 * kl) / most}%`;
    this.klValue.textContent = kl.toFixed(kl < 0.095 ? 2 : 1);
    this.klValue.title = `${kl.toFixed(3)} nats on average over pairs`;
  }

  /** Takes on a value; late: it is drawn by a later `draw`. */
  set(value, late = false) {
    this.shown = value;
    if (!late) this.draw();
  }

  draw() {
    const value = this.shown;
    if (value === this.drawn) return;
    this.drawn = value;
    const at = this.at(value);
    this.rail.style.transform = `translateX(${100 * clamp(at, 0, 1)}%)`; // a transform, for it asks for no layout
    this.knob.classList.toggle("outside", at < -0.002 || at > 1.002);
    this.number.textContent = signed(value);
    this.track.setAttribute("aria-valuenow", value.toFixed(3));
    this.say();
  }

  say() {
    this.track.setAttribute("aria-valuetext", `${signed(this.shown)}, posterior ${signed(this.mean ?? 0)} plus or minus ${(this.stddev ?? 1).toFixed(2)}`);
  }

  listen() {
    const { track, act } = this;
    let last = null;
    let value = 0;
    track.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      track.setPointerCapture(event.pointerId);
      track.focus({ preventScroll: true });
      const box = track.getBoundingClientRect();
      last = event.clientX;
      act.begin(this);
      const onKnob = Math.abs(event.clientX - box.left - box.width * clamp(this.at(this.shown), 0, 1)) < 9;
      value = onKnob || event.shiftKey ? this.shown : this.low + ((event.clientX - box.left) / box.width) * (this.high - this.low);
      if (value !== this.shown) act.move(this, value);
      this.width = box.width; // once: no layout is asked for while dragging
    });
    track.addEventListener("pointermove", (event) => {
      if (last === null) return;
      const way = ((event.clientX - last) / this.width) * (this.high - this.low);
      last = event.clientX;
      value += way * (event.shiftKey ? FINE : 1);
      if (way) act.move(this, clamp(value, this.low, this.high));
    });
    const release = () => {
      if (last === null) return;
      last = null;
      act.end(this);
    };
    track.addEventListener("pointerup", release);
    track.addEventListener("pointercancel", release);
    track.addEventListener("dblclick", () => act.reset(this, true));
    track.addEventListener("focus", () => act.focus(this));
    track.addEventListener("keydown", (event) => this.key(event));
  }

  /** Where a key leads from the value shown, undefined where it leads nowhere. */
  stepped(key, fine = false) {
    const { shown, low, high } = this;
    const span = high - low;
    const step = span * (fine ? 0.001 : 0.02);
    const value = {
      ArrowRight: shown + step, ArrowUp: shown + step, ArrowLeft: shown - step, ArrowDown: shown - step,
      PageUp: shown + span / 5, PageDown: shown - span / 5, Home: low, End: high,
    }[key];
    return value === undefined ? value : clamp(value, Math.min(low, shown), Math.max(high, shown));
  }

  /** The values that one more key may lead to: first the one that led here, then the one back. */
  get next() {
    const { key = "ArrowRight", fine = false } = this.pressed ?? {};
    const back = { ArrowRight: "ArrowLeft", ArrowUp: "ArrowDown", ArrowLeft: "ArrowRight", ArrowDown: "ArrowUp", PageUp: "PageDown", PageDown: "PageUp" }[key];
    return [key, back].map((way) => this.stepped(way, fine)).filter((value) => value !== undefined && value !== this.shown);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.act.taken(event.key)) return;
    const value = this.stepped(event.key, event.shiftKey);
    if (value !== undefined) {
      this.pressed = { key: event.key, fine: event.shiftKey };
      this.act.begin(this, event.key);
      this.act.move(this, value);
      this.act.end(this);
    } else if (event.key === "Backspace" || event.key === "Delete") this.act.reset(this);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
