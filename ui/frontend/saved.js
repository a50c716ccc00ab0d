// Points kept in this browser, as a numbered list to step through.

import { button, el } from "./dom.js";
import { canvas, paint } from "./pictures.js";
import { parsePoint } from "./point.js";

export class Saved {
  constructor(panel) {
    this.panel = panel;
    this.current = -1;
    this.list = el("ol");
    this.hint = el("p", { class: "hint" }, "S saves the point as it is now. Presenting (P), arrow keys left and right step through these.");
    this.root = el("div", { class: "saved" },
      el("div", { class: "buttons" }, button("save this point", "keep the point as it is now (S)", () => this.add()),
        button("‹", "the point before", () => this.stepBy(-1), { "aria-label": "previous saved point" }),
        button("›", "the point after", () => this.stepBy(1), { "aria-label": "next saved point" }),
        button("PNG", "save both pictures; dropped on this page they bring the point back", () => panel.download("pair-png"))),
      this.list, this.hint);
  }

  points() {
    return this.panel.state.saved;
  }

  add() {
    this.points().push(this.panel.point());
    this.current = this.points().length - 1;
    this.panel.store();
    this.panel.say(`saved as point ${this.points().length}`);
    this.refresh();
  }

  remove(i) {
    this.points().splice(i, 1);
    if (i <= this.current) this.current -= 1;
    this.panel.store();
    this.refresh();
  }

  stepBy(step) {
    const count = this.points().length;
    if (count) this.go(this.current < 0 ? (step > 0 ? 0 : count - 1) : (this.current + step + count) % count);
  }

  go(i) {
    this.current = i;
    this.panel.open(this.points()[i]);
    this.panel.place.textContent = `${i + 1} / ${this.points().length}`;
    this.refresh();
  }

  refresh() {
    const { panel } = this;
    const key = `${this.points().join()} ${this.current}`;
    if (key === this.key || !panel.live.hello) return;
    this.key = key;
    this.cancel?.();
    const here = [];
    this.list.replaceChildren(...this.points().map((text, i) => {
      const point = parsePoint(text);
      const own = point.checkpoint === panel.data.checkpoint && point.code.length === panel.dimensions.length;
      const cells = own ? panel.data.modalities.map(({ shape }) => canvas(shape)) : [];
      if (own) here.push({ code: point.code, cells });
      return el("li", { class: i === this.current ? "here" : "" },
        el("button", { type: "button", onclick: () => this.go(i), title: text }, el("span", {}, `${i + 1}`), cells, own ? "" : el("em", {}, point.checkpoint)),
        el("button", { type: "button", class: "remove", title: "forget this point", "aria-label": `forget point ${i + 1}`, onclick: () => this.remove(i) }, "×"));
    }));
    this.cancel = panel.live.strip(here.map(({ code }) => code), (i, images) => images.forEach((pixels, m) => paint(here[i].cells[m], pixels)));
  }
}
