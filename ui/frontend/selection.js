// What is selected on the maps: the points that were drawn around, what they have in common, and a file of them.

import { button, el } from "./dom.js";
import { canvas, paint } from "./pictures.js";
import { download } from "./files.js";
import { say } from "./colouring.js";

const GRID = 32; // images of a selection that are shown
const OUTLIERS = 8;
const PARTNER = 0.35; // how far a point is in focus of whose pair only the other code was drawn around
const SIDES = ["Left map", "Right map"];

/** A selection and its part of the panel: made by drawing on one map, it holds on the other for the same items. */
export class Selection {
  constructor(panel) {
    this.panel = panel;
    this.node = el("div", { class: "chosen" });
    this.forget();
  }

  forget() {
    Object.assign(this, { pane: null, ids: new Set(), codes: new Set(), givers: new Set() });
    this.show();
  }

  /** Selects points of a pane; without any, nothing is selected. */
  take(pane, points) {
    if (!points.length) return this.forget();
    this.pane = pane;
    this.ids = new Set(points.map((i) => pane.ids[i]));
    this.codes = new Set(points.map((i) => codeOf(pane, i)));
    this.givers = new Set(pane.info.given.map(String));
    this.show();
  }

  /** How far a point is selected, from 0 to 1: where both codes of its pair are on the map, only one of them may have been meant. */
  focus(pane, i) {
    if (!this.ids.has(pane.ids[i])) return 0;
    return this.codes.has(codeOf(pane, i)) || !pane.info.given.some((given) => this.givers.has(String(given))) ? 1 : PARTNER;
  }

  /** The points of a pane that are selected. */
  of(pane) {
    return pane.ids.flatMap((_, i) => (this.focus(pane, i) === 1 ? [i] : []));
  }

  // ---- what they have in common

  show() {
    this.cancel?.();
    const { pane, panel } = this;
    if (!this.ids.size || !panel.panes.includes(pane)) {
      this.node.replaceChildren(el("h4", {}, "Selection"), el("p", {}, "Draw around points, with the lasso or with Shift, to see what they have in common."));
      return;
    }
    const points = this.of(pane);
    const items = onceEach(pane, points);
    const stride = Math.max(1, items.length / GRID);
    const shown = items.filter((_, k) => Math.floor(k / stride) !== Math.floor((k - 1) / stride)).slice(0, GRID);
    const tiles = new Tiles(panel, pane);
    const parts = panel.panes.filter(({ ids }) => ids).map((each) => new Part(panel, each, this.of(each)));
    const count = `${items.length.toLocaleString()} ${items.length === 1 ? "item" : "items"}${points.length > items.length ? `, ${points.length.toLocaleString()} codes` : ""} `;
    this.node.replaceChildren(
      el("h4", {}, count, button("CSV", "The selected items with ids and labels", () => this.save()), button("Clear", "Esc", () => panel.select(null, []))),
      pane.column ? counts(pane.column, pane.column.each === "code" ? points : items) : "",
      ...(parts.length === 1 ? [parts[0].mean()] : parts.flatMap((part) => [el("h5", {}, SIDES[panel.panes.indexOf(part.pane)]), part.mean()])),
      el("h5", {}, shown.length < items.length ? `${shown.length} of ${items.length.toLocaleString()}` : "All"), tiles.grid(shown),
      ...parts.flatMap((part) => [
        el("h5", { title: "Farthest from the selection's mean in the latent space" }, parts.length === 1 ? "Outliers" : `Outliers, ${SIDES[panel.panes.indexOf(part.pane)].toLowerCase()}`), part.outliers()]));
    const stops = [tiles.fill(), ...parts.map((part) => part.fill())];
    this.cancel = () => stops.forEach((stop) => stop());
  }

  /** Every selected point of every map as a line of a CSV file. */
  save() {
    const panes = this.panel.panes.filter(({ ids }) => ids);
    const [{ info }] = panes;
    const lines = [["id", "given", "x", "y", "kl", ...info.factors.map(({ name }) => name), "map"].map(quoted).join(",")];
    for (const pane of panes) {
      for (const i of this.of(pane)) {
        const labels = pane.info.factors.map(({ name, values }) => (values.length ? values[pane.labels[name][i]] : pane.labels[name][i]));
        const place = [pane.raw[2 * i], pane.raw[2 * i + 1], pane.kl[i]].map((value) => value.toFixed(4));
        lines.push([pane.ids[i], pane.info.given[pane.giver[i]].join("+"), ...place, ...labels, `${pane.info.title}: ${pane.info.detail}`].map(quoted).join(","));
      }
    }
    download(URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" })), "selection.csv");
  }
}

/** What of the selection lies on one map: its mean code and what is farthest from it. */
class Part {
  constructor(panel, pane, points) {
    Object.assign(this, { panel, pane, tiles: new Tiles(panel, pane) });
    this.code = new Float32Array(pane.dims);
    for (const i of points) for (let d = 0; d < pane.dims; d++) this.code[d] += pane.codes[i * pane.dims + d] / points.length;
    const far = points.map((i) => [i, Math.hypot(...pane.shown.map((d) => pane.codes[i * pane.dims + d] - this.code[d]))]).sort((a, b) => b[1] - a[1]);
    this.far = onceEach(pane, far.map(([i]) => i)).slice(0, OUTLIERS);
    this.decoded = pictures(pane);
  }

  mean() {
    return el("div", { class: "mean" }, el("span", {}, "mean code decoded"), this.decoded);
  }

  outliers() {
    return this.tiles.grid(this.far);
  }

  fill() {
    const stops = [this.tiles.fill(), this.panel.decode(this.pane, [this.code], (_, images) => this.decoded.forEach((each, m) => paint(each, images[m])))];
    return () => stops.forEach((stop) => stop());
  }
}

/** Small pictures of points, which open them: their images, or without these what their codes decode to. */
class Tiles {
  constructor(panel, pane) {
    Object.assign(this, { panel, pane, nodes: new Map() });
  }

  grid(points) {
    const { pane } = this;
    return el("div", { class: "tiles" }, points.map((i) => {
      const words = pane.info.factors.map((factor) => say(factor, pane.labels[factor.name][i]));
      const node = el("button", { type: "button", class: "tile", title: `item ${pane.ids[i]}: ${words.join(", ")}`, onclick: () => pane.open(i) }, pictures(pane));
      this.nodes.set(i, node);
      return node;
    }));
  }

  /** Has the pictures painted; returns how to stop that. */
  fill() {
    const points = [...this.nodes.keys()];
    const show = (k, images) => [...this.nodes.get(points[k]).children].forEach((each, m) => paint(each, images[m]));
    if (!this.pane.info.pictured) return this.panel.decode(this.pane, points.map((i) => this.pane.codeAt(i)), show);
    this.pane.pictures(points).then((images) => images?.forEach((each, k) => show(k, each)));
    return () => {};
  }
}

const codeOf = (pane, i) => `${pane.ids[i]} ${pane.info.given[pane.giver[i]]}`;
const pictures = (pane) => pane.info.modalities.map(({ shape }) => canvas(shape, { class: shape[1] < 48 ? "pixelated" : "" }));
const quoted = (text) => (/[",\n]/.test(text) ? `"${String(text).replaceAll('"', '""')}"` : text);

/** These points without those whose item came before. */
function onceEach(pane, points) {
  const seen = new Set();
  return points.filter((i) => !seen.has(pane.ids[i]) && seen.add(pane.ids[i]));
}

/** Counts of each class, or mean and spread, of the column that colours. */
function counts(column, points) {
  const values = points.map((i) => column.data[i]).filter((value) => !Number.isNaN(value));
  if (!values.length) return el("p", {}, `${column.title}: unknown of all of these`);
  if (column.kind === "few" || column.kind === "many") {
    const found = new Map();
    for (const value of values) found.set(value, (found.get(value) ?? 0) + 1);
    const rows = [...found].sort((a, b) => b[1] - a[1]).slice(0, 10);
    return el("div", { class: "counts" }, rows.map(([value, count]) => el("div", { "data-value": value, "data-count": count },
      el("span", {}, say(column, value)), el("i", { style: `width: ${(100 * count) / rows[0][1]}%; background: ${column.hex[value % column.hex.length]}` }),
      el("b", {}, count.toLocaleString()))));
  }
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  return el("p", {}, `${column.title} ${say(column, mean)} ± ${say({ ...column, unit: "" }, spread)}${column.unit}`);
}
