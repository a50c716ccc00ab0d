// The panel of the Map page: one map or two, a legend, figures of the latent space, what is selected, and the walk.

import { button, el, mount } from "./dom.js";
import { canvas, paint } from "./pictures.js";
import { pointText } from "./point.js";
import { Live } from "./socket.js";
import { Pane } from "./pane.js";
import { Selection } from "./selection.js";
import { columnsOf, say } from "./colouring.js";
import { download, picture } from "./files.js";
import { figureRows } from "./figures.js";

const TOOLS = [["pan", "Move", "Drag to move, wheel to zoom, double-click to see all"], ["lasso", "Lasso", "Draw around points to select them; with Shift in every tool"],
  ["box", "Box", "Select a rectangle"], ["walk", "Walk", "Decode the code under the pointer, mixed from its neighbours; with Alt in every tool"]];
const REMEMBERED = "mmvae map colour";
const REMEMBERED_AS = "mmvae map points as";

export const render = (component) => mount(component, Panel);

class Panel {
  constructor(parent) {
    const host = el("div", { class: "map" });
    parent.append(host);
    Object.assign(this, { host, panes: [], hidden: new Set(), lit: null, tool: "pan", placed: [], lives: new Map(), troubles: new Map(), finished: new Set() });
    this.colour = sessionStorage.getItem(REMEMBERED) ?? "";
    this.pictured = null;
    this.build();
    this.observer = new ResizeObserver(([{ contentRect: { width } }]) => {
      host.classList.toggle("narrow", width < 820);
      host.classList.toggle("wide", width >= 1400); // a projector's
    });
    this.observer.observe(host);
  }

  build() {
    this.tools = TOOLS.map(([name, label, title]) => button(label, title, () => this.take(name), { "data-tool": name }));
    this.choice = el("select", { "aria-label": "Colour by", onchange: () => this.recolour(this.choice.value) });
    this.as = el("select", { "aria-label": "Show as", onchange: () => this.showAs(this.as.value, true) });
    this.joined = button("Join pairs", "Lines between the two codes of each pair", () => this.join());
    this.saves = el("select", { "aria-label": "Export", onchange: () => this.save() },
      [["", "Export …"], ["png", "PNG"], ["csv", "CSV with ids"], ["html", "HTML that needs nothing else"], ["projector", "TensorBoard projector"]].map(([value, label]) => el("option", { value }, label)));
    const all = button("Whole map", "See all points (0)", () => this.panes.forEach(({ points }) => points.fit()));
    const bar = el("header", {}, el("div", { class: "tools" }, this.tools), el("label", {}, "Colour by ", this.choice), el("label", {}, "Show ", this.as), this.joined, el("span", { class: "gap" }), all, this.saves);
    this.stage = el("div", { class: "stage" });
    this.legend = el("div", { class: "legend" });
    this.figures = el("table", { class: "figures" });
    this.walks = el("div", { class: "walks" });
    this.walkLine = el("p", { role: "status" }, "");
    this.selection = new Selection(this);
    const aside = el("aside", {}, el("h4", {}, "Decoded under the pointer"), this.walks, this.walkLine, this.legend, this.figures, this.selection.node);
    this.host.replaceChildren(bar, el("div", { class: "body" }, this.stage, aside));
    this.take("pan");
  }

  destroy() {
    this.observer.disconnect();
    this.panes.forEach((pane) => pane.close());
    this.lives.forEach((live) => live.close());
    this.host.remove();
  }

  receive({ data, setStateValue, setTriggerValue }) {
    const fresh = this.own ? data.own.find(({ id }) => !this.own.some((each) => each.id === id)) : null;
    Object.assign(this, { colours: data.colours, own: data.own, placed: data.placed, socket: data.socket, report: setStateValue, trigger: setTriggerValue });
    if (!this.keys && data.view) { // what an address asks for goes before what this tab had last
      this.colour = data.view.colour;
      const as = { points: "", 0: "0", 1: "1" }[data.view.show];
      if (as === undefined) sessionStorage.removeItem(REMEMBERED_AS);
      else sessionStorage.setItem(REMEMBERED_AS, as);
    }
    this.told ??= JSON.stringify(data.view ?? { colour: "", show: "" });
    const keys = data.maps.map(named).join();
    if (keys !== this.keys) this.replace(data.maps, keys);
    else {
      const colour = this.colour;
      this.listColumns(data.maps[0]);
      if (this.colour !== colour || fresh) this.recolour(fresh?.id ?? this.colour);
      else this.panes.forEach(({ points }) => points.draw());
    }
  }

  /** What may be coloured by, in the list; where what colours is not among it any more, something that is. */
  listColumns(info) {
    const columns = columnsOf(info, this.own);
    this.usual = (columns.find(({ kind }) => kind !== "many") ?? columns[0]).id;
    if (!columns.some(({ id }) => id === this.colour)) this.colour = this.usual;
    this.choice.replaceChildren(...columns.map(({ id, title }) => el("option", { value: id }, title)));
    this.choice.value = this.colour;
  }

  replace(maps, keys) {
    this.keys = keys;
    this.info = maps[0];
    const kept = new Map(this.panes.map((pane) => [named(pane.info), pane]));
    this.panes = maps.map((info) => kept.get(named(info)) ?? new Pane(this, info));
    for (const pane of kept.values()) if (!this.panes.includes(pane)) pane.close();
    const models = new Set(maps.map(modelOf));
    for (const [model, live] of this.lives) {
      if (models.has(model)) continue;
      live.close(); // the server has few for all that look
      this.lives.delete(model);
      this.troubles.delete(model);
    }
    this.tellWalk();
    this.stage.replaceChildren(...this.panes.map(({ node }) => node));
    this.stage.dataset.panes = this.figures.dataset.maps = maps.length;
    this.listColumns(maps[0]);
    this.joined.hidden = !maps.some(({ given }) => given.length > 1);
    const [{ modalities }] = maps;
    this.as.replaceChildren(el("option", { value: "" }, "points alone"), ...modalities.map(({ title }, m) => el("option", { value: m }, `pictures: ${title}`)));
    this.showAs(sessionStorage.getItem(REMEMBERED_AS) ?? this.usualAs(this.colour), false);
    this.walked0 = modalities.map(({ shape }) => canvas(shape, { class: shape[1] < 48 ? "pixelated" : "" }));
    this.walks.replaceChildren(...this.walked0.map((each, m) => el("figure", {}, each, el("figcaption", {}, modalities[m].title))));
    this.hidden = new Set();
    this.lit = null;
    this.pointed = false;
    this.selection.forget();
    this.showLegend();
    this.measure();
    for (const pane of this.panes) if (pane.ids) this.loaded(pane);
  }

  /** Names of classes say what lies where; where there are none, pictures do. */
  usualAs(colour) {
    return columnsOf(this.info, []).some(({ id, kind }) => id === colour && kind === "few") ? "" : "0";
  }

  /** Tells the page what its address has to say of the view; a person's own column is on no other machine. */
  tell() {
    const colour = this.colour === this.usual || this.own.some(({ id }) => id === this.colour) ? "" : this.colour;
    const show = this.as.value === this.usualAs(colour || this.usual) ? "" : this.as.value || "points";
    const text = JSON.stringify({ colour, show });
    if (text === this.told) return;
    this.told = text;
    this.report("view", { colour, show });
  }

  take(tool) {
    this.tool = tool;
    this.tools.forEach((each) => each.setAttribute("aria-pressed", each.dataset.tool === tool));
    this.host.dataset.tool = tool;
    this.tellWalk();
  }

  /** Below the decoded pictures: how to walk, or why nothing is decoded now. */
  tellWalk() {
    const hint = this.tool === "walk" ? "Between points: what their codes mix to. Click opens it in Explore." : "Walk, or hold Alt, to go on between points.";
    this.walkLine.textContent = [...this.troubles.values()][0] ?? hint;
  }

  // ---- what panes tell

  loaded(pane) {
    if (pane === this.panes[0] && !this.pointed) this.liveOf(pane).show(pane.codeAt(0));
    this.joinIn(pane);
    pane.recolour().then(() => this.showLegend());
    this.measure();
  }

  ended(pane) {
    this.measure();
    if (pane.state !== "done" || this.finished.has(pane.info.key)) return;
    this.finished.add(pane.info.key);
    this.report("done", [...this.finished].slice(-8)); // an upload can be placed from here on
  }

  /** Another pane's hovered item, as an index of this one's points. */
  echo(pane) {
    const other = this.panes.find((each) => each !== pane && each.hovered >= 0);
    return other && pane.ids ? pane.ids.indexOf(other.ids[other.hovered]) : -1;
  }

  hovers() {
    this.panes.forEach(({ points }) => points.draw());
  }

  open(pane, code, item, observed = []) {
    this.trigger("open", pointText({ checkpoint: pane.info.checkpoint, digest: pane.info.digest, item, observed }, code));
  }

  liveOf(pane) {
    const { checkpoint, digest } = pane.info;
    const name = modelOf(pane.info);
    if (!this.lives.has(name)) {
      const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${this.socket}`;
      const pictures = ({ images }) => {
        this.walked0.forEach((each, m) => paint(each, images[m]));
        this.host.dataset.walked = Number(this.host.dataset.walked ?? 0) + 1;
      };
      this.lives.set(name, new Live(url, checkpoint, digest, { pictures, status: (state, text) => this.connection(name, state, text) }));
    }
    return this.lives.get(name);
  }

  connection(model, state, text) {
    this.host.dataset.live = state;
    if (state === "connecting") return; // another try: what was said still holds
    const trouble = { lost: "connection lost, trying again…", fallback: "no live connection, trying again…", replaced: "the model has other weights now: draw the map anew", refused: text }[state];
    if (trouble) this.troubles.set(model, trouble);
    else this.troubles.delete(model);
    this.tellWalk();
  }

  walked(pane, code) {
    this.pointed = true;
    this.liveOf(pane).show(code);
  }

  decode(pane, codes, deliver) {
    return this.liveOf(pane).strip(codes, deliver);
  }

  // ---- colours

  recolour(id) {
    this.colour = this.choice.value = id;
    sessionStorage.setItem(REMEMBERED, id);
    this.tell();
    this.hidden = new Set();
    this.lit = null;
    this.legend.replaceChildren();
    Promise.all(this.panes.map((pane) => pane.recolour())).then(() => {
      this.showLegend();
      this.selection.show();
      if (id === "verdict") this.measure(); // its classes are known from here on
    });
    this.measure();
  }

  pending(column, progress) {
    this.instead(column, `Decoding every point: ${Math.round(100 * progress)} %`);
  }

  refused(column, complaint) {
    this.instead(column, complaint);
  }

  /** Words in place of a column's legend, unless another one was chosen while the server computed. */
  instead(column, words) {
    if (column.id === this.colour) this.legend.replaceChildren(el("h4", {}, column.title), el("p", {}, words));
  }

  /** Points alone (""), or with pictures of the modality at this position among them. */
  showAs(value, chosen) {
    this.as.value = value;
    this.pictured = value === "" ? null : Number(value);
    if (chosen) sessionStorage.setItem(REMEMBERED_AS, value);
    this.panes.forEach(({ points }) => points.draw());
    this.tell();
  }

  shadeAll() {
    this.panes.forEach((pane) => pane.shadeAll());
  }

  showLegend() {
    const column = this.panes.find((pane) => pane.column?.id === this.colour)?.column; // a pane keeps its old colours until it has the new ones
    if (!column) return;
    const heading = el("h4", {}, column.title);
    if (column.kind === "few") {
      const chips = column.values.map((text, value) => el("button", {
        type: "button", class: "chip", "aria-pressed": !this.hidden.has(value), title: `${column.counts[value].toLocaleString()} points; click to hide or show, double-click for this alone`,
        style: `--chip: ${column.hex[value % column.hex.length]}`,
        onclick: () => this.toggle(value), ondblclick: () => this.alone(column, value), onpointerenter: () => this.light(value), onpointerleave: () => this.light(null),
      }, el("i"), text));
      this.legend.replaceChildren(heading, el("div", { class: "chips" }, chips));
    } else if (column.kind === "many") {
      this.legend.replaceChildren(heading, el("p", {}, `${column.values.length} values${column.values.length > column.hex.length ? `, ${column.hex.length} colours over and over` : ""}: point at one to light all of its points.`));
    } else {
      const bar = el("div", { class: "scale", style: `background: linear-gradient(90deg, ${column.hex.join(", ")})` });
      this.legend.replaceChildren(heading, bar, el("div", { class: "ends" }, el("span", {}, say(column, column.low)), el("span", {}, say(column, column.high))));
    }
  }

  toggle(value) {
    if (this.hidden.has(value)) this.hidden.delete(value);
    else this.hidden.add(value);
    this.marked();
  }

  alone(column, value) {
    const others = column.values.map((_, each) => each).filter((each) => each !== value);
    this.hidden = new Set(others);
    this.marked();
  }

  marked() {
    [...this.legend.querySelectorAll(".chip")].forEach((chip, value) => chip.setAttribute("aria-pressed", !this.hidden.has(value)));
    this.shadeAll();
  }

  light(value) {
    this.lit = value;
    this.shadeAll();
  }

  join() {
    const on = this.joined.getAttribute("aria-pressed") !== "true";
    this.joined.setAttribute("aria-pressed", on);
    this.panes.forEach((pane) => this.joinIn(pane));
  }

  joinIn(pane) {
    pane.points.join(this.joined.getAttribute("aria-pressed") === "true" ? pane.pairs : null);
  }

  // ---- figures

  async measure() {
    const turn = (this.measuring = {});
    const { panes } = this;
    const column = columnsOf(this.info, this.own).find(({ id }) => id === this.colour);
    const show = (found) => this.figures.replaceChildren(...figureRows(panes, column, found));
    show(panes.map(() => null));
    const found = await Promise.all(panes.map((pane) => pane.figures(this.colour)));
    if (this.measuring === turn) show(found);
  }

  /** Selects points of one map, and the same items on the other. */
  select(pane, points) {
    this.selection.take(pane, points);
    this.host.dataset.selected = this.selection.ids.size;
    this.shadeAll();
  }

  save() {
    const kind = this.saves.value;
    this.saves.value = "";
    if (kind === "png") return picture(this.panes).toBlob((blob) => download(URL.createObjectURL(blob), `${this.panes.map(({ info }) => info.file).join("-beside-")}.png`));
    if (kind) this.panes.forEach(({ info }, i) => {
      const asked = new URLSearchParams({ kind, colour: this.colour, model: info.checkpoint });
      setTimeout(() => download(`${info.url}/export?${asked}`), 400 * i);
    });
  }
}

/** What tells a model's weights from others: its name, and their digest. */
function modelOf({ checkpoint, digest }) {
  return `${checkpoint} ${digest}`;
}

/** What tells a map from others: its key, the name of its model, and whether the images of its items are on this machine, as they may be from now on. */
function named({ key, checkpoint, pictured }) {
  return `${key} ${checkpoint} ${pictured}`;
}
