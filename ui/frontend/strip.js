// The active dimension from one end to the other, everything else as it is: pictures at one place below all rows, so that
// choosing a row moves none.

import { clamp, el, mix, named, signed, symbol } from "./dom.js";
import { paint, pickable } from "./pictures.js";

export const COUNT = 7;

export class Strip {
  /** modalities: of the panel's data; pick(value) where a picture is clicked. */
  constructor(modalities, pick) {
    this.titles = modalities.map(({ title }) => title);
    const rows = modalities.map(({ shape }) => pickable(shape, COUNT, () => "", (i) => pick(this.valueAt(i))));
    this.cells = rows.map(({ cells }) => cells);
    this.buttons = rows.map(({ buttons }) => buttons);
    this.rows = rows.map(({ root }) => root);
    this.name = el("span");
    this.root = el("div", { class: "strip" }, this.name, el("div", {}, this.rows, el("p", { class: "live-only" }, "These pictures need the live connection.")));
  }

  valueAt(i) {
    return mix(this.row.low, this.row.high, i / (COUNT - 1));
  }

  /** Turns to a row's dimension and fills anew; modality: the only one that the dimension changes, or null. */
  show(row, code, modality, live) {
    this.row = row;
    this.cancel?.();
    this.name.replaceChildren(symbol(row.dimension.symbol, row.dimension.index));
    this.rows.forEach((node, m) => node.classList.toggle("out", modality !== null && m !== modality));
    this.mark(code[row.index]);
    const codes = Array.from({ length: COUNT }, (_, i) => {
      const changed = code.slice();
      changed[row.index] = this.valueAt(i);
      this.buttons.forEach((buttons, m) => {
        buttons[i].title = signed(this.valueAt(i));
        buttons[i].setAttribute("aria-label", `set ${named(row.dimension.symbol, row.dimension.index)} to ${signed(this.valueAt(i))}, ${this.titles[m]}`);
      });
      return changed;
    });
    this.cancel = live.strip(codes, (i, images) => images.forEach((pixels, m) => paint(this.cells[m][i], pixels)));
  }

  /** Rings the picture nearest to a value. */
  mark(value) {
    const nearest = clamp(Math.round(this.row.at(value) * (COUNT - 1)), 0, COUNT - 1);
    if (nearest === this.marked) return;
    this.marked = nearest;
    for (const buttons of this.buttons) buttons.forEach((button, i) => button.classList.toggle("here", i === nearest));
  }
}
