// One map: its points, what the pointer does on them, and what is drawn over them.

import { el } from "./dom.js";
import { pixelsOf } from "./pictures.js";
import { Card } from "./card.js";
import { Mosaic } from "./mosaic.js";
import { Points } from "./points.js";
import { columnsOf, filled, paintAll, paintGrey, say } from "./colouring.js";

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
    Object.assign(this, { panel, info, known: {}, asked: {}, state: "waiting", hovered: -1, starred: null, fingers: new Map() });
    this.surface = el("canvas", { class: "points" });
    this.overlay = el("canvas", { class: "overlay", tabIndex: 0, role: "application", "aria-label": `Map: ${info.title}, ${info.detail}` });
    this.title = el("div", { class: "title" }, el("b", {}, info.title), info.detail);
    this.fill = el("i");
    this.line = el("span");
    this.stop = el("button", { type: "button", class: "button", onclick: () => fetch(`${info.url}/cancel`, { method: "POST" }) }, "Cancel");
    this.status = el("div", { class: "status", role: "status" }, this.line, el("b", {}, this.fill), this.stop);
    this.card = new Card(this);
    this.node = el("section", { class: "pane" }, this.surface, this.overlay, this.title, this.status, this.card.node);
    this.mosaic = new Mosaic(this);
    this.points = new Points(this.surface, () => this.over());
    this.observer = new ResizeObserver(() => this.fitted());
    for (const each of [this.node, this.title]) this.observer.observe(each);
    this.listen();
    this.watch();
  }

  close() {
    this.closed = true;
    this.observer.disconnect();
    this.hideCard();
    this.mosaic.close();
    this.node.remove();
  }

  fitted() {
    const { width, height } = this.node.getBoundingClientRect();
    if (!width || !height) return;
    this.points.resize(width, height, this.title.offsetTop + this.title.offsetHeight);
    this.overlay.width = Math.round(width * this.points.ratio);
    this.overlay.height = Math.round(height * this.points.ratio);
  }

  // ---- watching it come about

  async watch() {
    let version = -1;
    while (!this.closed) {
      let reply, content;
      try {
        reply = await fetch(`${this.info.url}/frame?after=${version}&state=${this.state}`);
        content = reply.ok ? unpack(await reply.arrayBuffer()) : null;
        if (content?.header.ready && !this.ids) await this.load();
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // what fetch throws where the connection is gone
        await wait(AGAIN);
        continue;
      }
      if (!reply.ok) return this.say(await reply.text());
      const { header, arrays } = content;
      if (this.closed) return; // meanwhile: what it would ask for next opened a connection that nobody closes
      if (arrays.positions) this.take(arrays.positions, version >= 0);
      version = header.version;
      this.state = this.node.dataset.state = header.state;
      this.tell(header);
      if (["done", "cancelled", "failed"].includes(header.state)) return this.panel.ended(this);
    }
  }

  tell({ state, progress, complaint }) {
    const share = `${Math.round(100 * progress)} %`;
    const words = { waiting: "waiting for another map …", encoding: `encoding ${share}`, placing: `${this.info.method} ${share}`, cancelled: "stopped; draw it again to go on", failed: complaint };
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
    if (!this.closed) this.panel.loaded(this);
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
    if (!matches || !this.column) {
      this.shadeAll();
      this.recolour();
    }
    this.centres = null;
    this.node.dataset.points = places.length / 2;
  }

  // ---- colours

  columns() {
    return columnsOf(this.info, this.panel.own);
  }

  /** The column of this name with its values; null where they cannot be had, or where only the map beside has such a column. */
  async columnOf(id) {
    const column = this.columns().find((each) => each.id === id);
    if (!column) return null;
    if (this.known[column.id]) return this.known[column.id];
    const here = { label: this.labels?.[column.id], giver: this.giver, kl: this.kl }[column.source];
    const values = here ?? (await (this.asked[column.id] ??= this.computed(column)));
    if (!values) delete this.asked[column.id];
    return values ? (this.known[column.id] ??= filled(column, values, this.panel.colours)) : null;
  }

  /** The values of a column that the server computes, which may take a while; null where it cannot. */
  async computed(column) {
    while (!this.closed) {
      try {
        const reply = await fetch(`${this.info.url}/column?name=${encodeURIComponent(column.id)}`);
        if (reply.status !== 202) {
          if (reply.ok) return unpack(await reply.arrayBuffer()).arrays.values;
          this.panel.refused(column, await reply.text());
          return null;
        }
        this.panel.pending(column, (await reply.json()).progress);
      } catch {
        // the connection is lost: asked again until it is back
      }
      if (this.panel.colour === column.id) this.uncolour();
      await wait(AGAIN);
    }
    return null;
  }

  async recolour() {
    if (!this.ids) return;
    const wanted = this.panel.colour;
    const column = await this.columnOf(wanted);
    if (this.closed || wanted !== this.panel.colour) return;
    if (!column) return this.uncolour();
    if (this.column !== column) this.centres = null;
    this.column = column;
    this.shadeAll();
  }

  /** Grey, where values are not there. */
  uncolour() {
    if (!this.column) return;
    this.column = this.centres = null;
    this.shadeAll();
  }

  /** Colours from what is known: who is hidden, lit or selected. */
  shadeAll() {
    const { count } = this.points;
    if (!this.column || this.column.data.length !== count) return this.points.colour(paintGrey(count));
    const { hidden, selection } = this.panel;
    const selected = selection.ids;
    // a selection stays lit as a whole while the pointer is over some of it
    const lit = this.panel.lit ?? (this.column.kind === "many" && this.hovered >= 0 && !selected.size ? this.column.data[this.hovered] : null);
    const picked = selected.size ? (i) => selection.focus(this, i) : null;
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
    if (!width || this.closed) return;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    this.axes(pen);
    this.mosaic.draw(pen);
    this.names(pen);
    for (const mark of this.stars()) this.star(pen, mark);
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
    if (this.info.axes[1]) pen.fillText(this.info.axes[1], x + 8, this.title.offsetHeight + 26);
  }

  names(pen) {
    pen.font = `650 ${17 * this.points.room}px system-ui, sans-serif`;
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

  /** The points on this map that a person placed. */
  stars() {
    return this.frame ? this.panel.placed.filter(({ map, checkpoint }) => map === this.info.key && checkpoint === this.info.checkpoint) : [];
  }

  starPlace({ x, y }) {
    return this.points.toScreen((x - this.frame.x) / this.frame.half, (y - this.frame.y) / this.frame.half);
  }

  star(pen, mark) {
    const { title } = mark;
    const [sx, sy] = this.starPlace(mark);
    pen.beginPath();
    for (let k = 0; k < 10; k++) pen.lineTo(sx + Math.sin((k * Math.PI) / 5) * (k % 2 ? 5 : 12), sy - Math.cos((k * Math.PI) / 5) * (k % 2 ? 5 : 12));
    pen.closePath();
    pen.fillStyle = mark === this.starred ? "#ffd666" : "#fff";
    pen.strokeStyle = "#0b0e14";
    pen.lineWidth = 2;
    pen.stroke();
    pen.fill();
    pen.font = "12px system-ui, sans-serif";
    const left = sx + 15 + pen.measureText(title).width > this.points.width; // else its end lies beyond the map
    pen.textAlign = left ? "right" : "left";
    const x = left ? sx - 15 : sx + 15;
    pen.lineWidth = 4;
    pen.strokeText(title, x, sy + 4);
    pen.fillStyle = "#fff";
    pen.fillText(title, x, sy + 4);
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
      if (event.pointerType === "touch") this.touched(event.pointerId, x, y);
      const tool = event.shiftKey ? "lasso" : this.panel.tool;
      this.drag = this.fingers.size > 1 ? null : { ...this.drag, tool, x, y, lastX: x, lastY: y, far: 0, from: this.points.toMap(x, y), point: this.hovered };
    });
    node.addEventListener("pointermove", (event) => {
      const { x, y } = place(event);
      if (this.fingers.size > 1) this.pinched(event.pointerId, x, y);
      else if (this.drag) this.dragged(x, y);
      else if (this.fingers.size) return; // what is left of two
      else if (this.panel.tool === "walk" || event.altKey) this.walk(x, y);
      else this.hover(x, y);
    });
    node.addEventListener("pointerup", (event) => {
      this.fingers.delete(event.pointerId);
      this.dropped();
    });
    node.addEventListener("pointercancel", (event) => {
      this.fingers.delete(event.pointerId);
      this.drag = this.path = null;
      this.hideCard();
      this.points.draw();
    });
    node.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && this.leave()); // a finger that is lifted leaves its card
    // one finger may scroll the page, see map.css; two move the map
    node.addEventListener("touchmove", (event) => event.touches.length > 1 && event.preventDefault(), { passive: false });
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
    else if (event.key === "Escape") this.panel.select(null, []);
    else return;
    event.preventDefault();
  }

  dragged(x, y) {
    const { drag } = this;
    drag.far = Math.max(drag.far, Math.hypot(x - drag.x, y - drag.y));
    if (drag.far < STILL) return;
    if (this.fingers.size && drag.tool === "walk") return this.walk(x, y);
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
    if (path) this.panel.select(this, this.points.within(path));
    else if (drag.far < STILL && !drag.fresh) this.clicked(drag.point);
    this.points.draw();
  }

  clicked(point) {
    if (this.walkers) this.panel.open(this, this.walked, null);
    else if (this.starred) this.panel.open(this, this.starred.code, null, [this.starred.modality]);
    else if (point >= 0) this.open(point);
    else if (this.panel.selection.ids.size) this.panel.select(null, []);
  }

  open(i) {
    this.panel.open(this, this.codeAt(i), this.ids[i], this.info.given[this.giver[i]]);
  }

  /** A finger on the map: the first one points, since nothing hovered before; what it points at anew is shown and not opened. */
  touched(id, x, y) {
    this.fingers.set(id, { x, y });
    if (this.fingers.size > 1) {
      this.path = null;
      return this.hideCard();
    }
    const before = { hovered: this.hovered, starred: this.starred, walked: this.walkers && this.walkedAt };
    if (this.panel.tool === "walk") {
      this.walk(x, y);
      this.drag = { fresh: !before.walked || Math.hypot(before.walked.x - x, before.walked.y - y) > PICK };
      return;
    }
    const shown = this.card.shown;
    if (!shown) this.hovered = -1;
    this.hover(x, y);
    const pointed = this.hovered >= 0 || this.starred;
    this.drag = { fresh: Boolean(pointed) && !(shown && this.hovered === before.hovered && this.starred === before.starred) };
  }

  /** Two fingers: the map follows both. */
  pinched(id, x, y) {
    const spread = () => {
      const [a, b] = [...this.fingers.values()];
      return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, wide: Math.hypot(a.x - b.x, a.y - b.y) };
    };
    const before = spread();
    this.fingers.set(id, { x, y });
    const now = spread();
    this.points.pan(now.x - before.x, now.y - before.y);
    this.points.zoomBy(now.wide / Math.max(1, before.wide), now.x, now.y);
  }

  codeAt(i) {
    return this.codes.slice(i * this.dims, (i + 1) * this.dims);
  }

  hover(x, y) {
    if (this.ids?.length !== this.points.count) return;
    this.walkers = null;
    const star = this.stars().find((mark) => Math.hypot(...this.starPlace(mark).map((at, k) => at - [x, y][k])) < PICK) ?? null;
    const found = star ? -1 : this.pointNear(x, y);
    if (found === this.hovered && star === this.starred) return;
    Object.assign(this, { hovered: found, starred: star });
    this.node.dataset.hovered = found >= 0 ? this.ids[found] : "";
    this.overlay.style.cursor = found >= 0 || star ? "pointer" : "";
    this.hideCard();
    if (found >= 0 || star) {
      this.dwell = setTimeout(() => this.card.show(star ? this.aboutStar(star) : this.about(found)), DWELL);
      this.panel.walked(this, star ? star.code : this.codeAt(found));
    }
    if (this.column?.kind === "many") this.shadeAll();
    this.panel.hovers(this);
  }

  /** The point that is meant at a place of the screen, or −1. */
  pointNear(x, y) {
    const pictured = this.mosaic.at(x, y);
    return pictured >= 0 ? pictured : this.points.near(...this.points.toMap(x, y), PICK / this.points.unit, 1)[0]?.i ?? -1;
  }

  leave() {
    this.walkers = this.starred = null;
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
    this.starred = null;
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
    this.walkedAt = { x, y };
    this.walkers = found;
    this.panel.walked(this, this.walked);
    this.points.draw();
  }

  // ---- the card of a point, and what else the server knows

  about(i) {
    const lines = [["item", this.ids[i]], ...this.info.factors.map((factor) => [factor.name, say(factor, this.labels[factor.name][i])])];
    if (this.info.given.length > 1) lines.push(["code of", this.info.given[this.giver[i]].join(" + ")]);
    lines.push(["KL", `${this.kl[i].toFixed(2)} nats`]);
    for (const { source, title, id } of this.columns()) if (source === "later" && this.known[id]) lines.push([title, say(this.known[id], this.known[id].data[i])]);
    const [x, y] = this.screen(i);
    return { name: this.ids[i], x, y, lines, code: this.codeAt(i), images: this.pictures([i]).then((found) => found?.[0]) };
  }

  aboutStar(mark) {
    const [x, y] = this.starPlace(mark);
    const images = this.info.modalities.map(({ name }) => (name === mark.modality ? pixelsOf(mark.image) : null));
    return { name: mark.title, x, y, lines: [[mark.title, `as ${mark.modality}`]], code: Float32Array.from(mark.code), images: Promise.resolve(images) };
  }

  hideCard() {
    clearTimeout(this.dwell);
    this.card.hide();
  }

  /** The figures of a colouring, null where they are not known. */
  async figures(colour) {
    if (!this.ids) return null;
    try {
      const reply = await fetch(`${this.info.url}/figures?colour=${encodeURIComponent(colour)}`);
      return reply.ok ? await reply.json() : null;
    } catch {
      return null; // the connection is lost: the map itself says so
    }
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
