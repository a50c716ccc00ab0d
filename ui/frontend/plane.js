// Two dimensions as a square to drag in, with pictures of its points behind.

import { button, clamp, el, mix, signed, symbol } from "./dom.js";
import { paint, sheet } from "./pictures.js";

const GRID = 9;
const STEPS = { // of keys, to the right and upwards: arrows a little, the others a picture
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1],
  Home: [-1, 0], End: [1, 0], PageUp: [0, 1], PageDown: [0, -1],
};

export class Plane {
  constructor(panel) {
    this.panel = panel;
    const { dimensions, data: { modalities } } = panel;
    // shared ones first: they move both pictures
    const alive = dimensions.filter(({ dead }) => !dead).sort((a, b) => (a.block.owner !== null) - (b.block.owner !== null));
    this.axes = [alive[0] ?? dimensions[0], alive[1] ?? dimensions[Math.min(1, dimensions.length - 1)]].map(({ at }) => at);
    this.modality = 0;
    const options = () => dimensions.map((d) => el("option", { value: d.at }, `z${d.symbol} ${d.index + 1}${d.dead ? " (dead)" : ""}`));
    this.selects = ["across", "upwards"].map((name, i) => {
      const select = el("select", { "aria-label": `dimension ${name}`, onchange: () => this.choose(i, Number(select.value)) }, options());
      select.value = this.axes[i];
      return select;
    });
    this.pictures = el("select", { "aria-label": "which pictures are shown", onchange: () => this.show(Number(this.pictures.value)) },
      modalities.map((modality, m) => el("option", { value: m }, modality.title)));
    this.dot = el("i", { class: "dot" });
    this.field = el("div", { class: "field", role: "application", tabindex: 0, "aria-label": "plane of two dimensions; arrow keys move the point, Home, End, Page Up and Page Down go to the picture beside it" });
    this.text = el("p", { class: "hint" });
    this.scales = ["across", "upwards"].map((way) => el("div", { class: `scale-${way}`, "aria-hidden": "true" }));
    const save = button("PNG", "save the plane: its pictures, and what both dimensions are set to in each", ({ currentTarget }) => this.save(currentTarget));
    this.root = el("div", { class: "plane" }, el("div", { class: "scaled" }, this.scales[1], this.field, this.scales[0]),
      el("div", { class: "plane-side" }, el("label", {}, "across", this.selects[0]), el("label", {}, "upwards", this.selects[1]),
        el("label", {}, "pictures", this.pictures), el("div", { class: "buttons" }, save), this.text));
    this.listen();
    this.buildGrid();
  }

  buildGrid() {
    const { shape } = this.panel.data.modalities[this.modality];
    const { root, cells } = sheet(shape, GRID, GRID);
    this.cells = cells;
    this.field.replaceChildren(root, this.dot);
  }

  choose(i, at) {
    this.axes[i] = at;
    this.refresh();
  }

  show(modality) {
    this.modality = modality;
    this.key = null;
    this.buildGrid();
    this.refresh();
  }

  save(button) {
    const { data, state } = this.panel;
    const [across, upwards] = this.axes;
    this.panel.download("plane-png", button, { across, upwards, range: state.range, pictures: data.modalities[this.modality].name });
  }

  /** What stands along both sides: the dimension, the ends of its range, and zero, or the middle where zero is near an end or beyond it. */
  label() {
    this.axes.forEach((at, i) => {
      const { low, high, dimension } = this.panel.rows[at];
      const zero = this.panel.rows[at].at(0);
      const middle = zero > 0.2 && zero < 0.8 ? zero : 0.5;
      const ticks = [0, middle, 1].map((t) => el("span", { style: `--at: ${100 * t}%` }, middle === t && t === zero ? "0" : signed(mix(low, high, t))));
      this.scales[i].replaceChildren(...ticks, el("b", { class: `hue${dimension.hue}` }, symbol(dimension.symbol, dimension.index)));
    });
  }

  value(i, t) {
    const row = this.panel.rows[this.axes[i]];
    return mix(row.low, row.high, t);
  }

  refresh() {
    const { state, live } = this.panel;
    this.follow(state.code);
    this.label();
    // the grid depends on all the other dimensions alone
    const others = state.code.map((value, at) => (this.axes.includes(at) ? 0 : value));
    const key = `${others.join()} ${this.axes.join()} ${this.modality} ${state.range}`;
    if (key === this.key || !live.hello) return;
    this.key = key;
    this.cancel?.();
    const places = Array.from({ length: GRID * GRID }, (_, i) => i);
    places.sort((a, b) => coarseness(a) - coarseness(b));
    const codes = places.map((place) => {
      const code = state.code.slice();
      code[this.axes[0]] = this.value(0, ((place % GRID) + 0.5) / GRID);
      code[this.axes[1]] = this.value(1, 1 - (Math.floor(place / GRID) + 0.5) / GRID);
      return code;
    });
    this.cancel = live.strip(codes, (i, images) => paint(this.cells[places[i]], images[this.modality]));
  }

  follow(code) {
    const [x, y] = this.axes.map((at) => clamp(this.panel.rows[at].at(code[at]), 0, 1));
    this.dot.style.left = `${100 * x}%`;
    this.dot.style.top = `${100 * (1 - y)}%`;
    this.text.replaceChildren(...this.axes.flatMap((at, i) => {
      const { symbol: letter, index } = this.panel.dimensions[at];
      return [i ? "   " : "", symbol(letter, index), `: ${signed(code[at])}`];
    }));
  }

  listen() {
    const { panel, field } = this;
    let box = null;
    const move = (x, y) => {
      const code = panel.state.code.slice();
      code[this.axes[0]] = this.value(0, clamp(x, 0, 1));
      code[this.axes[1]] = this.value(1, clamp(y, 0, 1));
      panel.change(code);
    };
    const at = (event) => move((event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height);
    field.addEventListener("pointerdown", (event) => {
      field.setPointerCapture(event.pointerId);
      box = field.getBoundingClientRect();
      panel.stop();
      panel.remember();
      panel.state.held = true;
      at(event);
    });
    field.addEventListener("pointermove", (event) => box && at(event));
    for (const name of ["pointerup", "pointercancel"]) field.addEventListener(name, () => {
      box = null;
      panel.state.held = false;
      panel.settle();
    });
    field.addEventListener("keydown", (event) => {
      const [dx, dy] = STEPS[event.key] ?? [];
      if (dx === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      const step = event.shiftKey ? 0.002 : 0.02;
      const [x, y] = this.axes.map((axis) => panel.rows[axis].at(panel.state.code[axis]));
      panel.remember("plane");
      if (event.key.startsWith("Arrow")) move(x + step * dx, y + step * dy);
      else move(beside(x, dx), beside(y, dy));
      panel.settle();
    });
  }
}

/** The middle of the picture that lies so many pictures beyond the one at t; of the same one for none. */
function beside(t, by) {
  return (clamp(Math.floor(t * GRID) + by, 0, GRID - 1) + 0.5) / GRID;
}

/** 0 for the places of a 3 × 3 grid within the 9 × 9 one, 1 for the rest: a rough picture comes first. */
function coarseness(place) {
  return place % GRID % 3 === 1 && Math.floor(place / GRID) % 3 === 1 ? 0 : 1;
}
