// Pictures in the place of some points: as many as lie apart, and more of them the nearer one looks.

import { canvas, paint } from "./pictures.js";

const SIDE = 46; // px of a picture on a small screen
const APART = 1.35; // sides between two of them, middle to middle
const FRAME = 2; // px of the point's colour around it
const REST = 110; // ms for which the view is still before pictures are chosen anew
const BATCH = 48; // asked for at a time
const REMEMBERED = 800; // pairs of pictures
const STEP = 7919; // a prime: points are tried in an order that has nothing to do with their items

/** The pictures on one pane; which modality's they are, panel.pictured says (its position, or null for none). */
export class Mosaic {
  constructor(pane) {
    Object.assign(this, { pane, shown: [], known: new Map(), view: [] });
  }

  get side() {
    return Math.round(SIDE * this.pane.points.room);
  }

  close() {
    clearTimeout(this.resting);
    this.cancel?.();
  }

  /** Draws what is there, and has more chosen once the view rests. */
  draw(pen) {
    const { points, panel, node, info } = this.pane;
    const view = [...points.centre, points.zoom, points.width, points.height, points.target, points.colours, panel.pictured];
    if (view.some((value, i) => value !== this.view[i])) {
      this.view = view;
      clearTimeout(this.resting);
      this.resting = setTimeout(() => this.choose(), REST);
    }
    let drawn = 0;
    if (panel.pictured !== null && points.target) {
      pen.imageSmoothingEnabled = info.modalities[panel.pictured].shape[1] >= this.side;
      for (const i of this.shown) drawn += this.one(pen, i);
      pen.globalAlpha = 1;
    }
    node.dataset.pictures = drawn;
  }

  one(pen, i) {
    const { points, panel } = this.pane;
    const picture = this.known.get(i)?.[panel.pictured];
    const [red, green, blue, opacity] = points.colours.subarray(4 * i, 4 * i + 4);
    if (!picture || !opacity) return 0;
    const { side } = this;
    const [x, y] = this.pane.screen(i).map((value) => Math.round(value - side / 2));
    pen.globalAlpha = points.behind[i] ? 0.25 : 1; // as far back as its point
    pen.fillStyle = `rgb(${red} ${green} ${blue})`;
    pen.fillRect(x - FRAME, y - FRAME, side + 2 * FRAME, side + 2 * FRAME);
    pen.drawImage(picture, x, y, side, side);
    return 1;
  }

  /** The point whose picture lies under a place of the screen, or −1. */
  at(x, y) {
    if (this.pane.panel.pictured === null) return -1;
    const half = this.side / 2 + FRAME;
    return this.shown.find((i) => {
      const [px, py] = this.pane.screen(i);
      return this.known.has(i) && Math.abs(px - x) <= half && Math.abs(py - y) <= half;
    }) ?? -1;
  }

  /** Points of the view that lie apart, those shown so far first, lest pictures flicker as the view moves. */
  choose() {
    const { points, panel } = this.pane;
    this.cancel?.();
    const before = this.shown;
    this.shown = [];
    if (panel.pictured === null || !points.target || !this.pane.ids || points.colours?.length !== 4 * points.count) return;
    const apart = APART * this.side;
    const cells = new Map();
    const take = (i) => {
      if (i >= points.count || !points.colours[4 * i + 3]) return;
      const [x, y] = this.pane.screen(i);
      if (x < 0 || y < 0 || x > points.width || y > points.height) return;
      const [column, row] = [Math.floor(x / apart), Math.floor(y / apart)];
      for (let c = column - 1; c <= column + 1; c++) {
        for (let r = row - 1; r <= row + 1; r++) {
          const other = cells.get(`${c} ${r}`); // no cell has room for two
          if (other && Math.max(Math.abs(other[0] - x), Math.abs(other[1] - y)) < apart) return;
        }
      }
      cells.set(`${column} ${row}`, [x, y]);
      this.shown.push(i);
    };
    before.forEach(take);
    const step = points.count % STEP ? STEP : 1;
    for (let k = 0; k < points.count; k++) take((k * step) % points.count);
    this.fetch();
    points.draw();
  }

  /** Brings in pictures that are not known yet: the items' own, or where these are not on this machine what the model makes of their codes. */
  async fetch() {
    const { pane } = this;
    let cancelled = false;
    let stop = () => {};
    this.cancel = () => {
      cancelled = true;
      stop();
    };
    const missing = this.shown.filter((i) => !this.known.has(i));
    if (!pane.info.pictured) {
      stop = pane.panel.decode(pane, missing.map((i) => pane.codeAt(i)), (k, images) => this.keep(missing[k], images));
      return;
    }
    for (let from = 0; from < missing.length && !cancelled; from += BATCH) {
      const batch = missing.slice(from, from + BATCH);
      const images = await pane.pictures(batch);
      if (!images) return;
      images.forEach((each, k) => this.keep(batch[k], each));
    }
  }

  keep(i, images) {
    const { points, info } = this.pane;
    if (this.known.size >= REMEMBERED) for (const old of this.known.keys()) if (!this.shown.includes(old)) {
      this.known.delete(old);
      break;
    }
    this.known.set(i, images.map((pixels, m) => {
      const picture = canvas(info.modalities[m].shape);
      paint(picture, pixels);
      return picture;
    }));
    points.draw();
  }
}
