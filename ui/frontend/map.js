// The panel of the Map page: one map or two, a legend, figures of the latent space, what is selected, and the walk.

import { button, el } from "./dom.js";
import { canvas, paint } from "./pictures.js";
import { pointText } from "./point.js";
import { Live } from "./socket.js";
import { Pane } from "./pane.js";
import { columnsOf, say } from "./colouring.js";

const TOOLS = [["pan", "Move", "Drag to move, wheel to zoom, double-click to see all"], ["lasso", "Lasso", "Draw around points to select them; with Shift in every tool"],
  ["box", "Box", "Select a rectangle"], ["walk", "Walk", "Decode the code under the pointer, mixed from its neighbours; with Alt in every tool"]];
const REMEMBERED = "mmvae map colour";
const REMEMBERED_AS = "mmvae map points as";
const GRID = 32; // images of a selection that are shown
const OUTLIERS = 8;

export function render(component) {
  const { data, parentElement } = component;
  let host = parentElement.querySelector(".map");
  if (!host) {
    host = el("div", { class: "map" });
    parentElement.append(host);
    host.panel = new Panel(host);
  }
  host.panel.update(component);
  return () => host.panel.rest();
}

class Panel {
  constructor(host) {
    Object.assign(this, { host, panes: [], selected: new Set(), hidden: new Set(), lit: null, tool: "pan", placed: [], lives: new Map(), finished: new Set() });
    this.colour = sessionStorage.getItem(REMEMBERED) ?? "";
    this.pictured = null;
    this.build();
    this.observer = new ResizeObserver(([entry]) => host.classList.toggle("narrow", entry.contentRect.width < 820));
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
    this.walkLine = el("p", {}, "");
    this.chosen = el("div", { class: "chosen" });
    const aside = el("aside", {}, el("h4", {}, "Decoded under the pointer"), this.walks, this.walkLine, this.legend, this.figures, this.chosen);
    this.host.replaceChildren(bar, el("div", { class: "body" }, this.stage, aside));
    this.take("pan");
    this.showSelection();
  }

  update({ data, setStateValue, setTriggerValue }) {
    const fresh = this.own ? data.own.find(({ id }) => !this.own.some((each) => each.id === id)) : null;
    Object.assign(this, { colours: data.colours, own: data.own, placed: data.placed, socket: data.socket, report: setStateValue, trigger: setTriggerValue });
    clearTimeout(this.resting);
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
    if (!columns.some(({ id }) => id === this.colour)) this.colour = (columns.find(({ kind }) => kind !== "many") ?? columns[0]).id;
    this.choice.replaceChildren(...columns.map(({ id, title }) => el("option", { value: id }, title)));
    this.choice.value = this.colour;
  }

  /** Taken off the page, unless it comes back at once as it does when the theme changes. */
  rest() {
    this.resting = setTimeout(() => {
      this.panes.forEach((pane) => pane.close());
      this.lives.forEach((live) => live.close());
      this.lives.clear();
      this.panes = [];
      this.keys = null;
    }, 500);
  }

  replace(maps, keys) {
    this.keys = keys;
    const kept = new Map(this.panes.map((pane) => [named(pane.info), pane]));
    this.panes = maps.map((info) => kept.get(named(info)) ?? new Pane(this, info));
    for (const pane of kept.values()) if (!this.panes.includes(pane)) pane.close();
    this.stage.replaceChildren(...this.panes.map(({ node }) => node));
    this.stage.dataset.panes = maps.length;
    this.listColumns(maps[0]);
    this.joined.hidden = !maps.some(({ given }) => given.length > 1);
    const [{ modalities }] = maps;
    this.as.replaceChildren(el("option", { value: "" }, "points alone"), ...modalities.map(({ title }, m) => el("option", { value: m }, `pictures: ${title}`)));
    // names of classes say what lies where; where there are none, pictures do
    const classes = columnsOf(maps[0], []).some(({ id, kind }) => id === this.colour && kind === "few");
    this.showAs(sessionStorage.getItem(REMEMBERED_AS) ?? (classes ? "" : "0"), false);
    this.walked0 = modalities.map(({ shape }) => canvas(shape, { class: shape[1] < 48 ? "pixelated" : "" }));
    this.walks.replaceChildren(...this.walked0.map((each, m) => el("figure", {}, each, el("figcaption", {}, modalities[m].title))));
    this.selected = new Set();
    this.hidden = new Set();
    this.lit = null;
    this.showLegend();
    this.showSelection();
    for (const pane of this.panes) if (pane.ids) pane.recolour().then(() => this.showLegend());
    this.measure();
  }

  take(tool) {
    this.tool = tool;
    this.tools.forEach((each) => each.setAttribute("aria-pressed", each.dataset.tool === tool));
    this.host.dataset.tool = tool;
    this.walkLine.textContent = tool === "walk" ? "Between points: what their codes mix to. Click opens it in Explore." : "Walk, or hold Alt, to go on between points.";
  }

  // ---- what panes tell

  loaded(pane) {
    if (pane === this.panes[0] && !this.host.dataset.walked) this.walked(pane, pane.codeAt(0)); // until something is pointed at
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
    this.trigger("open", pointText({ checkpoint: encodeURIComponent(pane.info.checkpoint), digest: pane.info.digest, item, observed }, code));
  }

  liveOf(pane) {
    const name = pane.info.checkpoint;
    if (!this.lives.has(name)) {
      const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${this.socket}`;
      const pictures = ({ images }) => {
        this.walked0.forEach((each, m) => paint(each, images[m]));
        this.host.dataset.walked = Number(this.host.dataset.walked ?? 0) + 1;
      };
      this.lives.set(name, new Live(url, name, { pictures, status: (state) => (this.host.dataset.live = state) }));
    }
    return this.lives.get(name);
  }

  walked(pane, code) {
    this.liveOf(pane).show(code);
  }

  decode(pane, codes, deliver) {
    return this.liveOf(pane).strip(codes, deliver);
  }

  // ---- colours

  recolour(id) {
    this.colour = this.choice.value = id;
    sessionStorage.setItem(REMEMBERED, id);
    this.hidden = new Set();
    this.lit = null;
    this.legend.replaceChildren();
    Promise.all(this.panes.map((pane) => pane.recolour())).then(() => {
      this.showLegend();
      this.showSelection();
    });
    this.measure();
  }

  pending(column, progress) {
    this.legend.replaceChildren(el("h4", {}, column.title), el("p", {}, `Decoding every point: ${Math.round(100 * progress)} %`));
  }

  refused(column, complaint) {
    this.legend.replaceChildren(el("h4", {}, column.title), el("p", {}, complaint));
  }

  /** Points alone (""), or with pictures of the modality at this position among them. */
  showAs(value, chosen) {
    this.as.value = value;
    this.pictured = value === "" ? null : Number(value);
    if (chosen) sessionStorage.setItem(REMEMBERED_AS, value);
    this.panes.forEach(({ points }) => points.draw());
  }

  shadeAll() {
    this.panes.forEach((pane) => pane.shadeAll());
  }

  showLegend() {
    const column = this.panes[0]?.column;
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
      this.legend.replaceChildren(heading, el("p", {}, `${column.values.length} values: point at one to light all of its points.`));
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
    this.panes.forEach((pane) => pane.points.join(on ? pane.pairs : null));
  }

  // ---- figures

  async measure() {
    const [pane] = this.panes;
    const apart = this.panes.find(({ info }) => info.given.length > 1);
    const wanted = `${pane.info.key} ${this.colour}`;
    this.measuring = wanted;
    const rows = (found) => [
      ["silhouette", found?.silhouette, 2, "In the latent space, from −1 to 1: are items nearer to their own class than to the next one?"],
      ["nearest neighbours", found?.accuracy, 0, "In the latent space: how often the ten nearest codes name the class of a held-out item", found?.chance],
      ...(apart ? [["modality gap", found?.gap?.ratio, 2, "In the latent space: distance of a pair's two codes over that of codes of different pairs; 0 is none"]] : []),
      ["map: trustworthy", found?.trust, 2, "Are neighbours on the map neighbours in the latent space? 1 where all are"],
      ["map: recall", found?.recall, 2, "Share of the 15 nearest codes that are nearest on the map too"],
    ];
    const show = (found) => this.figures.replaceChildren(el("caption", {}, `In ${pane.dims && pane.shown ? pane.shown.length : ""} latent dimensions`),
      ...rows(found).map(([name, value, digits, title, chance]) => el("tr", { title }, el("th", {}, name),
        el("td", {}, value === null || value === undefined ? "–" : digits ? value.toFixed(digits).replace("-", "−") : `${(100 * value).toFixed(0)} %`),
        el("td", { class: "chance" }, chance === null || chance === undefined ? "" : `chance ${(100 * chance).toFixed(0)} %`))));
    show(null);
    if (!pane.ids) return;
    const ask = async ({ info }) => {
      const reply = await fetch(`${info.url}/figures?colour=${encodeURIComponent(this.colour)}`);
      return reply.ok ? reply.json() : null;
    };
    try {
      const found = await ask(pane);
      if (found && apart?.ids && apart !== pane) found.gap = (await ask(apart))?.gap;
      if (this.measuring === wanted) show(found);
    } catch {
      // the connection is lost: the map itself says so
    }
  }

  // ---- the selection

  select(ids) {
    this.selected = new Set(ids);
    this.host.dataset.selected = ids.length;
    this.shadeAll();
    this.showSelection();
  }

  async showSelection() {
    const [pane] = this.panes;
    if (!this.selected.size || !pane?.ids || !pane.column) {
      this.unselect?.();
      this.chosen.replaceChildren(el("h4", {}, "Selection"), el("p", {}, "Draw around points, with the lasso or with Shift, to see what they have in common."));
      return;
    }
    const points = pane.ids.flatMap((id, i) => (this.selected.has(id) ? [i] : []));
    const items = this.selected.size.toLocaleString();
    const mean = new Float32Array(pane.dims);
    for (const i of points) for (let d = 0; d < pane.dims; d++) mean[d] += pane.codes[i * pane.dims + d] / points.length;
    const far = points.map((i) => [i, Math.hypot(...pane.shown.map((d) => pane.codes[i * pane.dims + d] - mean[d]))]).sort((a, b) => b[1] - a[1]);
    const outliers = far.slice(0, OUTLIERS).map(([i]) => i);
    const stride = Math.max(1, points.length / GRID);
    const shown = points.filter((_, k) => Math.floor(k / stride) !== Math.floor((k - 1) / stride)).slice(0, GRID);
    const decoded = pane.info.modalities.map(({ shape }) => canvas(shape, { class: shape[1] < 48 ? "pixelated" : "" }));
    const tile = (i) => el("button", { type: "button", class: "tile", title: this.caption(pane, i), onclick: () => this.open(pane, pane.codeAt(i), pane.ids[i], pane.info.given[pane.giver[i]]) },
      pane.info.modalities.map(({ shape }) => canvas(shape, { class: shape[1] < 48 ? "pixelated" : "" })));
    const tiles = new Map([...new Set([...shown, ...outliers])].map((i) => [i, []]));
    const grid = (indices) => el("div", { class: "tiles" }, indices.map((i) => {
      const node = tile(i);
      tiles.get(i).push(node);
      return node;
    }));
    this.chosen.replaceChildren(
      el("h4", {}, `${items} ${this.selected.size === 1 ? "item" : "items"} `, button("CSV", "The selected items with ids and labels", () => this.saveSelection()), button("Clear", "Esc", () => this.select([]))),
      this.counts(pane, points),
      el("div", { class: "mean" }, el("span", {}, "mean code decoded"), decoded),
      el("h5", {}, `${shown.length < points.length ? `${shown.length} of ${points.length.toLocaleString()}` : "All"}`), grid(shown),
      el("h5", { title: "Farthest from the selection's mean in the latent space" }, "Outliers"), grid(outliers));
    this.unselect?.();
    const wanted = [...tiles.keys()];
    const show = (i, images) => tiles.get(i).forEach((node) => [...node.children].forEach((each, m) => paint(each, images[m])));
    const instead = pane.info.pictured ? [] : wanted.map((i) => pane.codeAt(i)); // without images, what their codes decode to
    this.unselect = this.decode(pane, [mean, ...instead], (k, images) => (k ? show(wanted[k - 1], images) : decoded.forEach((each, m) => paint(each, images[m]))));
    const images = await pane.pictures(wanted);
    if (images) wanted.forEach((i, k) => show(i, images[k]));
  }

  caption(pane, i) {
    const words = pane.info.factors.map((factor) => say(factor, pane.labels[factor.name][i]));
    return `item ${pane.ids[i]}: ${words.join(", ")}`;
  }

  /** Counts of each class, or mean and spread, of the column that colours. */
  counts(pane, points) {
    const { column } = pane;
    const values = points.map((i) => column.data[i]).filter((value) => !Number.isNaN(value));
    if (!values.length) return el("p", {}, `${column.title}: unknown of all of these`);
    if (column.kind === "few" || column.kind === "many") {
      const counts = new Map();
      for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
      const rows = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 10);
      return el("div", { class: "counts" }, rows.map(([value, count]) => el("div", { "data-value": value, "data-count": count },
        el("span", {}, say(column, value)), el("i", { style: `width: ${(100 * count) / rows[0][1]}%; background: ${column.kind === "few" ? column.hex[value % column.hex.length] : "var(--faint)"}` }),
        el("b", {}, count.toLocaleString()))));
    }
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    return el("p", {}, `${column.title} ${say(column, mean)} ± ${say({ ...column, unit: "" }, spread)}${column.unit}`);
  }

  // ---- files

  save() {
    const kind = this.saves.value;
    this.saves.value = "";
    if (kind === "png") this.savePicture();
    else if (kind) this.panes.forEach(({ info }, i) => setTimeout(() => download(`${info.url}/export?kind=${kind}&colour=${encodeURIComponent(this.colour)}`), 400 * i));
  }

  savePicture() {
    const boxes = this.panes.map(({ surface }) => surface);
    const band = 34;
    const picture = el("canvas", { width: boxes.reduce((sum, { width }) => sum + width, 0), height: Math.max(...boxes.map(({ height }) => height)) + band });
    const pen = picture.getContext("2d");
    pen.fillStyle = "#0b0e14";
    pen.fillRect(0, 0, picture.width, picture.height);
    let left = 0;
    for (const pane of this.panes) {
      pane.points.paint(); // what WebGL drew is gone after a frame
      pen.drawImage(pane.surface, left, band);
      pen.drawImage(pane.overlay, left, band);
      pen.fillStyle = "#e6e9ef";
      pen.font = "15px system-ui, sans-serif";
      pen.fillText(`${pane.info.title}, ${pane.info.checkpoint}, by ${pane.column?.title ?? ""}`, left + 12, 22);
      left += pane.surface.width;
    }
    picture.toBlob((blob) => download(URL.createObjectURL(blob), "map.png"));
  }

  saveSelection() {
    const [pane] = this.panes;
    const names = pane.info.factors.map(({ name }) => name);
    const quote = (text) => (/[",\n]/.test(text) ? `"${String(text).replaceAll('"', '""')}"` : text);
    const lines = [["id", "given", "x", "y", "kl", ...names].join(",")];
    pane.ids.forEach((id, i) => {
      if (!this.selected.has(id)) return;
      const labels = pane.info.factors.map((factor) => quote(factor.values.length ? factor.values[pane.labels[factor.name][i]] : pane.labels[factor.name][i]));
      lines.push([id, pane.info.given[pane.giver[i]].join("+"), pane.raw[2 * i].toFixed(4), pane.raw[2 * i + 1].toFixed(4), pane.kl[i].toFixed(4), ...labels].join(","));
    });
    download(URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" })), "selection.csv");
  }
}

/** What tells a map from others: its key, and whether the images of its items are on this machine, as they may be from now on. */
function named({ key, pictured }) {
  return `${key} ${pictured}`;
}

function download(href, name = "") {
  const link = el("a", { href, download: name });
  link.click();
  if (href.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(href), 10_000);
}
