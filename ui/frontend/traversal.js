// The figure of papers: every coordinate swept on its own, one row for each modality, animated.

import { button, el, mix, signed, symbol } from "./dom.js";
import { beside, canvas, columns, paint, pickable, pixelsOf } from "./pictures.js";

const FRAMES = 61;
const FRAME_TIME = 50; // ms
const START = 50; // the frame shown first: +2 of −3 … 3

export class Traversal {
  constructor(panel) {
    this.panel = panel;
    this.frame = START;
    this.step = 1; // from a frame to the next while it plays: −1 on the way back
    this.frames = Array.from({ length: FRAMES }, () => []);
    const { modalities } = panel.data;
    this.start = modalities.map((modality) => canvas(modality.shape)); // the pair's pictures, or those of a code that is not the pair's
    const count = panel.dimensions.length;
    const sweeps = modalities.map(({ shape, title }) => pickable(shape, count, (d) => `choose ${panel.dimensions[d].label}; ${title}`, (d) => panel.activate(d)));
    this.cells = sweeps.map(({ cells }) => cells);
    for (const { buttons } of sweeps) buttons.forEach((button, d) => button.classList.add(`hue${panel.dimensions[d].hue}`));
    this.scrub = el("input", { type: "range", min: 0, max: FRAMES - 1, value: START, "aria-label": "position of the sweep", oninput: () => this.seek(Number(this.scrub.value)) });
    this.label = el("output", { title: "how far each dimension is swept through its range" });
    this.playing = button("▶ play", "play the sweep", () => this.toggle());
    const line = (shape, ...parts) => el("div", { class: "sweep", style: beside("24px", shape, count) }, parts);
    const { shape } = modalities[0];
    this.first = el("span", { class: "start" }, "pair");
    const head = line(shape, el("span"), this.first, el("span"), el("div", { class: "names", style: columns(shape, count) }, headings(panel)));
    const row = (modality, m) => line(modality.shape, el("span", {}, "x", el("sub", {}, modality.symbol)), el("div", { class: "start" }, this.start[m]), el("span"), sweeps[m].root);
    this.root = el("div", { class: "traversal" },
      el("div", { class: "sweeps" }, head, modalities.map(row)),
      el("div", { class: "buttons" }, this.playing, this.scrub, this.label, panel.chooseRange("sweep"),
        button("GIF", "save the animation", ({ currentTarget }) => panel.download("gif", currentTarget, this.range())),
        button("PNG", "save a sheet: every dimension at seven values, from the low to the high end of its range", ({ currentTarget }) => panel.download("png", currentTarget, this.range())),
        button("CSV", "save the numbers: each coordinate's values and what the readers see", ({ currentTarget }) => panel.download("csv", currentTarget, this.range()))));
  }

  /** Whether its pictures can be had. */
  enable(live) {
    if (!live) this.leave();
    this.playing.disabled = this.scrub.disabled = !live;
  }

  range() {
    return { range: this.panel.state.range };
  }

  /** The code at rest is another: all pictures are asked for anew, the shown frame first. */
  refresh() {
    const { data, state, live } = this.panel;
    const key = `${state.code.join()} ${state.range} ${live.model}`;
    const pair = this.panel.ofPair && data.inputs.every(Boolean);
    this.first.textContent = pair ? "pair" : "code";
    this.start.forEach((node, m) => (pair ? paint(node, pixelsOf(data.inputs[m])) : node.getContext("2d").drawImage(this.panel.views[m].big, 0, 0)));
    if (key === this.key || !live.hello) return;
    this.key = key;
    this.cancel?.();
    this.frames = Array.from({ length: FRAMES }, () => []);
    this.ask([this.frame]);
    this.show();
    if (this.timer) this.askAll();
  }

  ask(frames) {
    const { dimensions, rows, state, live } = this.panel;
    const code = state.code.slice();
    const wanted = frames.filter((frame) => !this.frames[frame].length);
    const codes = wanted.flatMap((frame) => dimensions.map((_, d) => {
      const swept = code.slice();
      swept[d] = mix(rows[d].low, rows[d].high, frame / (FRAMES - 1));
      return swept;
    }));
    const into = this.frames;
    const cancel = live.strip(codes, (i, images) => {
      const frame = wanted[Math.floor(i / dimensions.length)];
      into[frame][i % dimensions.length] = images;
      if (frame === this.frame && into === this.frames) images.forEach((pixels, m) => paint(this.cells[m][i % dimensions.length], pixels));
    });
    const before = this.cancel;
    this.cancel = () => {
      before?.();
      cancel();
    };
  }

  /** Every frame, in the order in which playing comes to them. */
  askAll() {
    const all = Array.from(this.frames.keys());
    const [above, below] = [all.slice(this.frame), all.slice(0, this.frame).reverse()];
    this.ask(this.step > 0 ? [...above, ...below] : [...below, ...above]);
  }

  seek(frame) {
    this.frame = frame;
    if (!this.frames[frame].length) this.ask([frame]);
    this.show();
  }

  show() {
    this.scrub.value = this.frame;
    const t = this.frame / (FRAMES - 1);
    this.label.textContent = this.panel.state.range === "fixed" ? signed(mix(-3, 3, t), 1) : `${Math.round(100 * t)} % of range`;
    this.frames[this.frame].forEach((images, d) => images.forEach((pixels, m) => paint(this.cells[m][d], pixels)));
  }

  toggle() {
    if (this.timer) return this.leave();
    this.askAll();
    this.playing.textContent = "■ stop";
    this.timer = setInterval(() => {
      if (this.frame + this.step < 0 || this.frame + this.step >= FRAMES) this.step *= -1;
      const next = this.frame + this.step;
      if (this.frames[next].filter(Boolean).length < this.panel.dimensions.length) return; // not decoded yet: wait for it
      this.frame = next;
      this.show();
    }, FRAME_TIME);
  }

  leave() {
    clearInterval(this.timer);
    this.timer = null;
    this.playing.textContent = "▶ play";
  }
}

/** What stands over the columns: each dimension's symbol, or where they are many its number below its block's. */
function headings({ dimensions, data, crowded }) {
  if (!crowded) return dimensions.map((d) => el("span", { class: `hue${d.hue}` }, symbol(d.symbol, d.index)));
  return [
    ...data.blocks.map((block) => el("span", { class: `hue${block.hue} block`, title: block.title, style: `grid-column: span ${block.dims.length}` }, symbol(block.symbol))),
    ...dimensions.map((d) => el("span", { class: `hue${d.hue}` }, `${d.index + 1}`)),
  ];
}
