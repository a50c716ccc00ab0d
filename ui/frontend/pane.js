// One map: its points, what the pointer does on them, and what is drawn over them.

import { el } from "./dom.js";
import { canvas, paint } from "./pictures.js";
import { Mosaic } from "./mosaic.js";
import { Points } from "./points.js";
import { columnsOf, filled, paintAll, say } from "./colouring.js";

const PICK = 14; // px within which a point is meant
const DWELL = 125; // ms of rest before the card
const WALKERS = 8; // neighbours whose codes are mixed
const AGAIN = 700; // ms before a question is asked again
const STILL = 4; // px a click may move

/** A body made by `packed` in ui/map_panel.py: {header, arrays}. */
function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const kinds = { float32: Float32Array, float64: Float64Array, uint8: Uint8Array, uint16: Uint16Array };
  const arrays = {};
  let at = 4 + length;
  for (const [name, type, size] of header.arrays) {
    at += (8 - (at % 8)) % 8;
    arrays[name] = new kinds[type](buffer, at, size);
    at += arrays[name].byteLength;
  }
  return { header, arrays };
}

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** panel: what the panes share, see map.js. */
export class Pane {
  constructor(panel, info) {
    Object.assign(this, { panel, info, known: {}, state: "waiting", hovered: -1 });
    this.surface = el("canvas", { class: "points" });
    this.overlay = el("canvas", { class: "overlay", tabIndex: 0, role: "application", "aria-label": `Map: ${info.title}` });
    this.title = el("div", { class: "title" }, info.title);
    this.fill = el("i");
    this.line = el("span");
    this.stop = el("button", { type: "button", class: "button", onclick: () => fetch(`${info.url}/cancel`, { method: "POST" }) }, "Cancel");
    this.status = el("div", { class: "status", role: "status" }, this.line, el("b", {}, this.fill), this.stop);
    this.card = this.makeCard();
    this.node = el("section", { class: "pane" }, this.surface, this.overlay, this.title, this.status, this.card.node);
    this.mosaic = new Mosaic(this);
    this.points = new Points(this.surface, () => this.over());
    if (!this.points.gl) this.say("This browser has no WebGL, which the map is drawn with.");
    this.observer = new ResizeObserver(() => this.fitted());
    this.observer.observe(this.node);
    this.listen();
    this.watch();
  }

  close() {
    this.closed = true;
    this.observer.disconnect();
    clearTimeout(this.dwell);
    this.mosaic.close();
    this.node.remove();
  }

  fitted() {
    const { width, height } = this.node.getBoundingClientRect();
    if (!width || !height) return;
    this.points.resize(width, height);
    this.overlay.width = Math.round(width * this.points.ratio);
    this.overlay.height = Math.round(height * this.points.ratio);
  }

  // ---- watching it come about

  async watch() {
    let version = -1;
    while (!this.closed) {
      let reply;
      try {
        reply = await fetch(`${this.info.url}/frame?after=${version}&state=${this.state}`);
      } catch {
        await wait(AGAIN);
        continue;
      }
      if (!reply.ok) return this.say(await reply.text());
      const { header, arrays } = unpack(await reply.arrayBuffer());
      if (header.ready && !this.ids) await this.load();
      if (arrays.positions && !this.closed) this.take(arrays.positions, version >= 0);
      version = header.version;
      this.state = this.node.dataset.state = header.state;
      this.tell(header);
      if (["done", "cancelled", "failed"].includes(header.state)) return this.panel.ended(this);
    }
  }

  tell({ state, progress, complaint }) {
    const method = this.info.title.split(" ")[0];
    const share = `${Math.round(100 * progress)} %`;
    const words = { waiting: "waiting for another map …", encoding: `encoding ${share}`, placing: `${method} ${share}`, cancelled: "stopped; draw it again to go on", failed: complaint };
    this.say(words[state] ?? "", ["waiting", "encoding", "placing"].includes(state), progress);
  }

  say(text, running = false, progress = 0) {
    this.status.hidden = !text;
    this.line.textContent = text;
    this.fill.style.width = `${100 * progress}%`;
    this.fill.parentElement.hidden = this.stop.hidden = !running;
  }

  async load() {
    const reply = await fetch(`${this.info.url}/points`);
    if (!reply.ok) return this.say(await reply.text());
    const { header, arrays } = unpack(await reply.arrayBuffer());
    const { dims, low, step } = header;
    this.dims = dims;
    this.shown = header.columns;
    this.codes = new Float32Array(arrays.codes.length); // a plain loop: no call for each of a million values
    for (let at = 0; at < this.codes.length; at++) this.codes[at] = low[at % dims] + arrays.codes[at] * step[at % dims];
    Object.assign(this, { giver: arrays.giver, kl: arrays.kl, labels: {} });
    for (const name of header.labels) this.labels[name] = arrays[`label ${name}`];
    this.ids = Array.from(arrays.ids);
    const half = this.ids.length / 2;
    this.pairs = this.info.given.length > 1 ? Uint32Array.from({ length: 2 * half }, (_, i) => (i >> 1) + (i & 1) * half) : null;
    this.panel.loaded(this);
  }

  /** A frame's positions in the method's own units, brought between −1 and 1. */
  take(raw, animate) {
    this.raw = raw;
    let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < raw.length; i += 2) {
      left = Math.min(left, raw[i]);
      right = Math.max(right, raw[i]);
      bottom = Math.min(bottom, raw[i + 1]);
      top = Math.max(top, raw[i + 1]);
    }
    const half = Math.max(right - left, top - bottom) / 2 || 1;
    this.frame = { x: (left + right) / 2, y: (bottom + top) / 2, half };
    const places = new Float32Array(raw.length);
    for (let i = 0; i < raw.length; i += 2) {
      places[i] = (raw[i] - this.frame.x) / half;
      places[i + 1] = (raw[i + 1] - this.frame.y) / half;
    }
    this.points.extent = [Math.max(0.3, (right - left) / 2 / half), Math.max(0.3, (top - bottom) / 2 / half)];
    const matches = places.length === this.points.target?.length;
    this.points.place(places, animate && matches);
    if (!matches || !this.column) this.recolour();
    this.centres = null;
    this.node.dataset.points = places.length / 2;
  }

  // ---- colours

  columns() {
    return columnsOf(this.info, this.panel.own);
  }

  /** The column of this name with its values; computed by the server where it takes a while. */
  async columnOf(id) {
    const column = this.columns().find((each) => each.id === id) ?? this.columns()[0];
    if (this.known[column.id]) return this.known[column.id];
    let values = { label: this.labels?.[column.id], giver: this.giver, kl: this.kl }[column.source];
    while (!values && column.source === "later" && !this.closed) {
      const reply = await fetch(`${this.info.url}/column?name=${column.id}`);
      if (reply.status === 202) {
        this.panel.pending(column, (await reply.json()).progress);
        await wait(AGAIN);
      } else if (reply.ok) values = unpack(await reply.arrayBuffer()).arrays.values;
      else {
        this.panel.refused(column, await reply.text());
        return null;
      }
    }
    return values ? (this.known[column.id] = filled(column, values, this.panel.colours)) : null;
  }

  async recolour() {
    if (!this.ids) return;
    const wanted = this.panel.colour;
    const column = await this.columnOf(wanted);
    if (!column || this.closed || wanted !== this.panel.colour) return;
    if (this.column !== column) this.centres = null;
    this.column = column;
    this.shadeAll();
  }

  /** Colours from what is known: who is hidden, lit or selected. */
  shadeAll() {
    if (!this.column || !this.ids) return;
    const { hidden, selected } = this.panel;
    // a selection stays lit as a whole while the pointer is over some of it
    const lit = this.panel.lit ?? (this.column.kind === "many" && this.hovered >= 0 && !selected.size ? this.column.data[this.hovered] : null);
    const picked = selected.size ? (i) => selected.has(this.ids[i]) : null;
    this.points.colour(paintAll(this.column, { hidden, lit, picked }));
  }

  /** Where each class's name is printed: the middle point of its points, coordinate by coordinate, for each modality alone. */
  labelPlaces() {
    if (this.centres || !this.column || !this.points.target) return this.centres ?? [];
    const { column, points } = this;
    if (column.kind !== "few" || column.id === "modality" || column.id === "verdict") return (this.centres = []);
    const stride = Math.max(1, Math.floor(points.count / 6000));
    const classes = column.values.length;
    const groups = Array.from({ length: classes * this.info.given.length }, () => [[], []]);
    for (let i = 0; i < points.count; i += stride) {
      const group = groups[this.giver[i] * classes + column.data[i]];
      group?.[0].push(points.target[2 * i]);
      group?.[1].push(points.target[2 * i + 1]);
    }
    const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];
    this.centres = groups.flatMap(([xs, ys], at) => (xs.length ? [{ value: at % classes, text: column.values[at % classes], x: middle(xs), y: middle(ys) }] : []));
    return this.centres;
  }

  // ---- over the points

  over() {
    const pen = this.overlay.getContext("2d");
    const { ratio, width, height } = this.points;
    if (!width) return;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    this.axes(pen);
    this.mosaic.draw(pen);
    this.names(pen);
    for (const mark of this.panel.placed.filter(({ map }) => map === this.info.key)) this.star(pen, mark);
    const at = this.hovered >= 0 ? this.hovered : this.panel.echo(this);
    if (at >= 0 && this.points.target) {
      if (this.pairs) this.bond(pen, at);
      this.ring(pen, at, this.hovered >= 0);
    }
    if (this.walkers) for (const { i } of this.walkers) this.thread(pen, i);
    if (this.path) this.lasso(pen);
  }

  axes(pen) {
    if (!this.info.axes.length || !this.frame) return;
    const [x, y] = this.points.toScreen(-this.frame.x / this.frame.half, -this.frame.y / this.frame.half);
    pen.strokeStyle = "#ffffff2e";
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(0, y);
    pen.lineTo(this.points.width, y);
    pen.moveTo(x, 0);
    pen.lineTo(x, this.points.height);
    pen.stroke();
    pen.fillStyle = "#c9d1d9";
    pen.font = "12px system-ui, sans-serif";
    pen.textAlign = "right";
    pen.fillText(this.info.axes[0], this.points.width - 10, y - 7);
    pen.textAlign = "left";
    if (this.info.axes[1]) pen.fillText(this.info.axes[1], x + 8, 44);
  }

  names(pen) {
    pen.font = "650 17px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    for (const { value, text, x, y } of this.labelPlaces()) {
      if (this.panel.hidden.has(value)) continue;
      const [sx, sy] = this.points.toScreen(x, y);
      pen.lineWidth = 4.5;
      pen.strokeStyle = "#0b0e14e6";
      pen.strokeText(text, sx, sy);
      pen.fillStyle = "#fff";
      pen.fillText(text, sx, sy);
    }
    pen.textBaseline = "alphabetic";
  }

  ring(pen, i, bright) {
    const [x, y] = this.screen(i);
    pen.beginPath();
    pen.arc(x, y, this.points.size / 2 + 4.5, 0, 7);
    pen.lineWidth = 2;
    pen.strokeStyle = bright ? "#fff" : "#ffd666";
    pen.stroke();
  }

  bond(pen, i) {
    const half = this.points.count / 2;
    const other = i < half ? i + half : i - half;
    pen.beginPath();
    pen.moveTo(...this.screen(i));
    pen.lineTo(...this.screen(other));
    pen.lineWidth = 1.5;
    pen.strokeStyle = "#fff";
    pen.stroke();
    this.ring(pen, other, false);
  }

  thread(pen, i) {
    pen.beginPath();
    pen.moveTo(this.pointer.x, this.pointer.y);
    pen.lineTo(...this.screen(i));
    pen.lineWidth = 1;
    pen.strokeStyle = "#ffffff90";
    pen.stroke();
  }

  star(pen, { x, y, title }) {
    if (!this.frame) return;
    const [sx, sy] = this.points.toScreen((x - this.frame.x) / this.frame.half, (y - this.frame.y) / this.frame.half);
    pen.beginPath();
    for (let k = 0; k < 10; k++) pen.lineTo(sx + Math.sin((k * Math.PI) / 5) * (k % 2 ? 5 : 12), sy - Math.cos((k * Math.PI) / 5) * (k % 2 ? 5 : 12));
    pen.closePath();
    pen.fillStyle = "#fff";
    pen.strokeStyle = "#0b0e14";
    pen.lineWidth = 2;
    pen.stroke();
    pen.fill();
    pen.font = "12px system-ui, sans-serif";
    pen.textAlign = "left";
    pen.lineWidth = 4;
    pen.strokeText(title, sx + 15, sy + 4);
    pen.fillText(title, sx + 15, sy + 4);
  }

  lasso(pen) {
    pen.beginPath();
    for (const [x, y] of this.path) pen.lineTo(...this.points.toScreen(x, y));
    pen.closePath();
    pen.fillStyle = "#ffffff14";
    pen.fill();
    pen.setLineDash([5, 4]);
    pen.lineWidth = 1.5;
    pen.strokeStyle = "#fff";
    pen.stroke();
    pen.setLineDash([]);
  }

  screen(i) {
    return this.points.toScreen(this.points.target[2 * i], this.points.target[2 * i + 1]);
  }

  // ---- the pointer

  listen() {
    const node = this.overlay;
    const place = (event) => {
      const box = node.getBoundingClientRect();
      return (this.pointer = { x: event.clientX - box.left, y: event.clientY - box.top });
    };
    node.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      node.setPointerCapture(event.pointerId);
      const { x, y } = place(event);
      const tool = event.shiftKey ? "lasso" : this.panel.tool;
      this.drag = { tool, x, y, lastX: x, lastY: y, far: 0, from: this.points.toMap(x, y), point: this.hovered };
    });
    node.addEventListener("pointermove", (event) => {
      const { x, y } = place(event);
      if (this.drag) this.dragged(x, y);
      else if (this.panel.tool === "walk" || event.altKey) this.walk(x, y);
      else this.hover(x, y);
    });
    node.addEventListener("pointerup", () => this.dropped());
    node.addEventListener("pointercancel", () => {
      this.drag = this.path = null;
      this.points.draw();
    });
    node.addEventListener("pointerleave", () => this.leave());
    node.addEventListener("wheel", (event) => {
      event.preventDefault();
      const { x, y } = place(event);
      this.hideCard();
      this.points.zoomBy(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), x, y);
    }, { passive: false });
    node.addEventListener("dblclick", () => this.points.fit());
    node.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const moves = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
    const { width, height } = this.points;
    if (moves[event.key]) this.points.pan(...moves[event.key]);
    else if (event.key === "+" || event.key === "=") this.points.zoomBy(1.25, width / 2, height / 2);
    else if (event.key === "-") this.points.zoomBy(0.8, width / 2, height / 2);
    else if (event.key === "0") this.points.fit();
    else if (event.key === "Escape") this.panel.select([]);
    else return;
    event.preventDefault();
  }

  dragged(x, y) {
    const { drag } = this;
    drag.far = Math.max(drag.far, Math.hypot(x - drag.x, y - drag.y));
    if (drag.far < STILL) return;
    this.hideCard();
    if (drag.tool === "lasso") this.path = [...(this.path ?? [drag.from]), this.points.toMap(x, y)];
    else if (drag.tool === "box") {
      const [ax, ay] = drag.from;
      const [bx, by] = this.points.toMap(x, y);
      this.path = [[ax, ay], [bx, ay], [bx, by], [ax, by]];
    } else this.points.pan(x - drag.lastX, y - drag.lastY);
    Object.assign(drag, { lastX: x, lastY: y });
    this.points.draw();
  }

  dropped() {
    const { drag, path } = this;
    this.drag = this.path = null;
    if (!drag) return;
    if (path) this.panel.select([...new Set(this.points.within(path).map((i) => this.ids[i]))]);
    else if (drag.far < STILL) this.clicked(drag.point);
    this.points.draw();
  }

  clicked(point) {
    if (this.walkers) this.panel.open(this, this.walked, null);
    else if (point >= 0) this.panel.open(this, this.codeAt(point), this.ids[point], this.info.given[this.giver[point]]);
    else if (this.panel.selected.size) this.panel.select([]);
  }

  codeAt(i) {
    return this.codes.slice(i * this.dims, (i + 1) * this.dims);
  }

  hover(x, y) {
    if (!this.ids || !this.points.target) return;
    this.walkers = null;
    const pictured = this.mosaic.at(x, y);
    const found = pictured >= 0 ? pictured : this.points.near(...this.points.toMap(x, y), PICK / this.points.unit, 1)[0]?.i ?? -1;
    if (found === this.hovered) return;
    this.hovered = found;
    this.node.dataset.hovered = found >= 0 ? this.ids[found] : "";
    this.overlay.style.cursor = found >= 0 ? "pointer" : "";
    this.hideCard();
    if (found >= 0) {
      this.dwell = setTimeout(() => this.showCard(found), DWELL);
      this.panel.walked(this, this.codeAt(found));
    }
    if (this.column?.kind === "many") this.shadeAll();
    this.panel.hovers(this);
  }

  leave() {
    this.walkers = null;
    if (this.hovered >= 0) {
      this.hovered = -1;
      if (this.column?.kind === "many") this.shadeAll();
    }
    this.hideCard();
    this.panel.hovers(this);
  }

  /** Decodes the code under the pointer: its neighbours' on the map, weighted by nearness. */
  walk(x, y) {
    if (!this.ids || !this.points.target) return;
    this.hideCard();
    this.hovered = -1;
    const [mx, my] = this.points.toMap(x, y);
    let found = [];
    for (let radius = 20 / this.points.unit; found.length < Math.min(WALKERS, this.points.count) && radius < 4; radius *= 2) {
      found = this.points.near(mx, my, radius, WALKERS);
    }
    if (!found.length) return;
    const reach = found.at(-1).distance || 1e-12;
    const code = new Float32Array(this.dims);
    let total = 0;
    for (const { i, distance } of found) {
      const weight = Math.exp((-3 * distance) / reach);
      total += weight;
      for (let d = 0; d < this.dims; d++) code[d] += weight * this.codes[i * this.dims + d];
    }
    this.walked = code.map((value) => value / total);
    this.walkers = found;
    this.panel.walked(this, this.walked);
    this.points.draw();
  }

  // ---- the card of a point

  makeCard() {
    const { modalities } = this.info;
    const row = (title) => ({ title, canvases: modalities.map(({ shape }) => canvas(shape, { class: shape[1] < 48 ? "pixelated" : "" })) });
    const rows = [row("image"), row("decoded")];
    const text = el("dl");
    const node = el("div", { class: "card", hidden: true }, rows.map(({ title, canvases }) => el("div", { class: "pictures" }, el("span", {}, title), canvases)), text);
    rows[0].canvases[0].parentElement.hidden = !this.info.pictured;
    return { node, rows, text };
  }

  async showCard(i) {
    const { node, rows, text } = this.card;
    const lines = this.info.factors.map((factor) => [factor.name, say(this.columns().find(({ id }) => id === factor.name), this.labels[factor.name][i])]);
    if (this.info.given.length > 1) lines.push(["code of", this.info.given[this.giver[i]].join(" + ")]);
    lines.push(["KL", `${this.kl[i].toFixed(2)} nats`]);
    for (const { source, title, id } of this.columns()) if (source === "later" && this.known[id]) lines.push([title, say(this.known[id], this.known[id].data[i])]);
    text.replaceChildren(...[["item", this.ids[i]], ...lines].flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))]));
    node.style.visibility = "hidden";
    node.hidden = false;
    node.dataset.item = this.ids[i];
    const [x, y] = this.screen(i);
    const { width, height } = this.points;
    node.style.left = `${Math.max(6, x + 22 + node.offsetWidth > width ? x - 22 - node.offsetWidth : x + 22)}px`;
    node.style.top = `${Math.min(Math.max(6, y - node.offsetHeight / 2), Math.max(6, height - node.offsetHeight - 6))}px`;
    const images = await this.pictures([i]);
    if (this.hovered !== i) return;
    if (images) rows[0].canvases.forEach((each, m) => paint(each, images[0][m]));
    node.style.visibility = "visible";
    this.cancelDecoding?.();
    rows[1].canvases.forEach((each) => each.classList.add("old"));
    this.cancelDecoding = this.panel.decode(this, [this.codeAt(i)], (_, decoded) => {
      rows[1].canvases.forEach((each, m) => {
        paint(each, decoded[m]);
        each.classList.remove("old");
      });
      node.dataset.decoded = this.ids[i];
    });
  }

  hideCard() {
    clearTimeout(this.dwell);
    this.card.node.hidden = true;
  }

  /** The images of points: for each, one Uint8Array a modality; null where they cannot be had. */
  async pictures(points) {
    if (!this.info.pictured) return null;
    let reply;
    try {
      reply = await fetch(`${this.info.url}/pictures?points=${points.join(",")}`);
    } catch {
      return null;
    }
    if (!reply.ok) return null;
    const buffer = await reply.arrayBuffer();
    const sizes = this.info.modalities.map(({ shape }) => shape.reduce((a, b) => a * b));
    let at = 0;
    return points.map(() => sizes.map((size) => new Uint8Array(buffer, (at += size) - size, size)));
  }
}
