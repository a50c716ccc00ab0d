// The card beside a point of a map: its images, what the model decodes of its code, and what is known of it.

import { el } from "./dom.js";
import { canvas, paint } from "./pictures.js";

const AWAY = 22; // px from the point

/** pane: whose points it tells of. */
export class Card {
  constructor(pane) {
    this.pane = pane;
    const row = () => pane.info.modalities.map(({ shape }) => canvas(shape, { class: shape[1] < 48 ? "pixelated" : "" }));
    this.images = row();
    this.decoded = row();
    this.text = el("dl");
    this.row = el("div", { class: "pictures" }, el("span", {}, "image"), this.images);
    this.node = el("div", { class: "card", hidden: true }, this.row, el("div", { class: "pictures" }, el("span", {}, "decoded"), this.decoded), this.text);
  }

  get shown() {
    return !this.node.hidden;
  }

  /**
   * Shows a point, once its images are there: {name, x, y, lines, code, images}.
   *
   * lines: [[what, value], …]; images: a promise of one Uint8Array a modality, where there is none null, or of null.
   */
  async show({ name, x, y, lines, code, images }) {
    const turn = (this.turn = {});
    this.text.replaceChildren(...lines.flatMap(([what, value]) => [el("dt", {}, what), el("dd", {}, String(value))]));
    this.node.style.visibility = "hidden";
    this.node.hidden = false;
    this.node.dataset.item = name;
    const found = await images;
    if (this.turn !== turn) return;
    this.row.hidden = !found;
    found?.forEach((pixels, m) => {
      this.images[m].style.visibility = pixels ? "" : "hidden";
      if (pixels) paint(this.images[m], pixels);
    });
    this.place(x, y);
    this.node.style.visibility = "visible";
    this.cancel?.();
    this.decoded.forEach((each) => each.classList.add("old"));
    this.cancel = this.pane.panel.decode(this.pane, [code], (_, pictures) => {
      this.decoded.forEach((each, m) => {
        paint(each, pictures[m]);
        each.classList.remove("old");
      });
      this.node.dataset.decoded = name;
    });
  }

  /** Beside a place of the map, within it. */
  place(x, y) {
    const { node } = this;
    const { width, height } = this.pane.points;
    const left = x + AWAY + node.offsetWidth > width ? x - AWAY - node.offsetWidth : x + AWAY;
    node.style.left = `${Math.max(6, Math.min(left, width - node.offsetWidth - 6))}px`;
    node.style.top = `${Math.min(Math.max(6, y - node.offsetHeight / 2), Math.max(6, height - node.offsetHeight - 6))}px`;
  }

  hide() {
    this.turn = null;
    this.node.hidden = true;
  }
}
