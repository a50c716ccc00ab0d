// All keys of the panel, in a dialog over the page.

import { button, el } from "./dom.js";

const KEYS = {
  Anywhere: [
    [["S"], "save the point as it is now"],
    [["P"], "present, and back to the page"],
    [["Ctrl Z"], "undo"],
    [["Ctrl Shift Z", "Ctrl Y"], "redo"],
    [["?"], "this list"],
  ],
  "On a slider": [
    [["←", "→"], "a fiftieth of its range; with Shift a thousandth"],
    [["Page Up", "Page Down"], "a fifth of its range"],
    [["Home", "End"], "to its ends"],
    [["Space"], "play its dimension, or stop"],
    [["Delete"], "to the posterior mean, as a double click"],
  ],
  "In a row of pictures": [
    [["←", "→"], "to the picture beside; Home and End to the outermost"],
    [["Enter"], "choose it"],
  ],
  "In the plane": [
    [["←", "→", "↑", "↓"], "move the point; with Shift finely"],
    [["Home", "End"], "to the picture left or right of it"],
    [["Page Up", "Page Down"], "to the picture above or below it"],
  ],
  "While presenting": [
    [["←", "→", "Page Up", "Page Down"], "through the saved points"],
    [["Esc"], "back to the page"],
  ],
};

export class Keys {
  constructor() {
    const row = ([keys, text]) => [el("dt", {}, keys.map((key) => el("kbd", {}, key))), el("dd", {}, text)];
    const groups = Object.entries(KEYS).map(([title, rows]) => el("section", {}, el("h4", {}, title), el("dl", {}, rows.flatMap(row))));
    this.root = el("dialog", { class: "keys", "aria-label": "Keys", onclick: ({ target }) => target === this.root && this.root.close() },
      el("div", {}, el("header", {}, el("b", {}, "Keys"), button("×", "close (Esc)", () => this.root.close(), { "aria-label": "close" })), el("div", { class: "key-groups" }, groups)));
  }

  get open() {
    return this.root.open;
  }

  /** Opens the list or closes it; what had the focus has it again then. */
  toggle() {
    if (this.open) this.root.close();
    else this.root.showModal();
  }
}
