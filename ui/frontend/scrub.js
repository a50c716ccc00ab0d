// A slider through the snapshots of a run. Their pictures are asked for while it is moved: one request at a time, always
// for where the slider stands by then, and each snapshot once.

import { el } from "./dom.js";

class Scrub {
  constructor(parent) {
    this.at = el("output", { class: "scrub-at" });
    this.range = el("input", { type: "range", min: "0", step: "1", "aria-label": "Step: look back at how it learned", oninput: () => this.move() });
    this.pictures = el("div", { class: "scrub-pictures" });
    this.root = el("div", { class: "scrub" },
      el("div", { class: "scrub-row" }, el("span", { class: "label" }, "Step: look back at how it learned"), this.at), this.range, this.pictures);
    parent.append(this.root);
  }

  /** Takes the snapshots of a run: their steps, and where their pictures come from. */
  update({ run, steps, address }) {
    const same = this.run === run && String(this.steps) === String(steps);
    if (same) return;
    const last = this.run !== run || Number(this.range.value) === this.steps.length - 1;
    Object.assign(this, { run, steps, address, drawn: new Map() });
    this.range.max = String(steps.length - 1);
    if (last) this.range.value = this.range.max;
    this.move();
  }

  get step() {
    return this.steps[Number(this.range.value)];
  }

  move() {
    this.at.value = this.step.toLocaleString("en");
    this.range.setAttribute("aria-valuetext", this.at.value);
    this.show();
  }

  async show() {
    if (this.asking) return; // it looks again where the slider stands once the answer is there
    this.asking = true;
    try {
      while (this.root.dataset.shown !== `${this.run} ${this.step}`) {
        const { run, step, drawn } = this;
        if (!drawn.has(step)) drawn.set(step, await this.fetch(step));
        if (run !== this.run) continue;
        this.pictures.innerHTML = drawn.get(step);
        this.root.dataset.shown = `${run} ${step}`;
      }
    } finally {
      this.asking = false;
    }
  }

  async fetch(step) {
    try {
      const answer = await fetch(`${this.address}/${step}`);
      return await answer.text(); // where it cannot be drawn, the text says why
    } catch (error) {
      return '<div class="muted">The server does not answer.</div>';
    }
  }
}

export function render({ data, parentElement }) {
  parentElement.scrub ??= new Scrub(parentElement);
  parentElement.scrub.update(data);
}
