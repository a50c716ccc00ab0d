// A slider through pictures that the server draws: snapshots of a run, or a sweep of every dimension. They are asked for
// while it is moved: one request at a time, always for where the slider stands by then, and each once where it can be drawn. Play goes through all.

import { button, el } from "./dom.js";

const PACE = 220; // milliseconds that a picture stays while it plays

class Scrub {
  constructor(parent) {
    this.label = el("span", { class: "label" });
    this.at = el("output", { class: "scrub-at" });
    this.range = el("input", { type: "range", min: "0", step: "1", oninput: () => this.seek() });
    this.playing = button("", "", () => (this.timer ? this.stop() : this.play()), { class: "scrub-play" });
    this.pictures = el("div", { class: "scrub-pictures" });
    this.root = el("div", { class: "scrub" },
      el("div", { class: "scrub-row" }, this.playing, this.label, this.range, this.at), this.pictures);
    parent.append(this.root);
    this.stop();
  }

  /**
   * Takes what there is to go through: stops as [part of an address, text], the address before and the query behind it, where
   * to begin, and whether play swings from one end to the other and back. What has a new id begins anew.
   */
  update({ id, label, stops, address, query, start, swings }) {
    const same = this.id === id && String(this.stops) === String(stops);
    if (same) return;
    const anew = this.id !== id;
    const last = anew || Number(this.range.value) === this.stops.length - 1;
    const at = this.stops?.length === stops.length ? Number(this.range.value) : start;
    Object.assign(this, { id, stops, address, query, swings, drawn: new Map() });
    this.label.textContent = label;
    this.range.setAttribute("aria-label", label);
    this.range.max = String(stops.length - 1);
    if (last) this.range.value = String(swings ? at : start);
    if (anew) this.stop();
    this.move();
  }

  get place() {
    return Number(this.range.value);
  }

  /** The person has moved the slider. */
  seek() {
    this.stop();
    this.move();
  }

  move() {
    this.at.value = this.stops[this.place][1];
    this.range.setAttribute("aria-valuetext", this.at.value);
    if (!this.drawn.has(this.stops[this.place][0])) delete this.root.dataset.shown;
    this.show();
  }

  async show() {
    if (this.asking) return; // it looks again where the slider stands once the answer is there
    this.asking = true;
    try {
      while (this.root.dataset.shown !== `${this.id} ${this.stops[this.place][0]}`) {
        const { id, drawn } = this;
        const [part] = this.stops[this.place];
        const text = drawn.get(part) ?? (await this.fetch(part, drawn));
        if (id !== this.id) continue;
        this.pictures.innerHTML = text;
        this.root.dataset.shown = `${id} ${part}`;
      }
    } finally {
      this.asking = false;
    }
  }

  /** What the server has drawn of a stop, kept among what is drawn; where it cannot be drawn, why, which is asked for again next time. */
  async fetch(part, drawn) {
    try {
      const answer = await fetch(`${this.address}/${part}${this.query}`);
      const text = await answer.text();
      if (answer.ok) drawn.set(part, text);
      return text;
    } catch (error) {
      return '<div class="muted">The server does not answer.</div>';
    }
  }

  play() {
    const end = this.stops.length - 1;
    this.way = this.place < end ? 1 : -1;
    if (!this.swings && this.place === end) [this.range.value, this.way] = ["0", 1];
    this.playing.textContent = "■";
    this.playing.title = "stop";
    this.timer = setInterval(() => {
      if (!this.root.isConnected) return this.stop();
      if (this.asking) return; // each is seen: it waits for the one that is being drawn
      if (this.place + this.way < 0 || this.place + this.way > end) {
        if (!this.swings) return this.stop();
        this.way = -this.way;
      }
      this.range.value = String(this.place + this.way);
      this.move();
    }, PACE);
    this.move();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.playing.textContent = "▶";
    this.playing.title = "play";
  }
}

export function render({ data, parentElement }) {
  parentElement.scrub ??= new Scrub(parentElement);
  parentElement.scrub.update(data);
}
