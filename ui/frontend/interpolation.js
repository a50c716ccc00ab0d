// From one point to another: a strip of pictures on the way, for all blocks or some, straight or along the sphere.

import { button, el, mix } from "./dom.js";
import { columns, paint, pickable } from "./pictures.js";

const STEPS = 9;

export class Interpolation {
  constructor(panel) {
    this.panel = panel;
    const { modalities, blocks } = panel.data;
    this.ends = [null, null]; // codes
    this.points = [null, null]; // their texts, which also say of which pair they are
    this.pins = ["A", "B"].map((name, i) => button(`set ${name}`, `${name} becomes the code as it is now`, () => this.pin(i)));
    const scopes = [["all", "all blocks"], ...(blocks.length > 1 ? [["shared", "shared only"], ["private", "private only"]] : [])];
    this.scope = el("select", { "aria-label": "blocks that move", onchange: () => this.refresh() }, scopes.map(([value, title]) => el("option", { value }, title)));
    this.form = el("select", { "aria-label": "path", onchange: () => this.refresh() },
      el("option", { value: "straight" }, "straight"), el("option", { value: "spherical" }, "spherical"));
    const ways = modalities.map(({ shape, title }) => pickable(shape, STEPS, (i) => `go to step ${i + 1} of ${STEPS} from A to B, ${title}`, (i) => this.go(i), "go to this point"));
    this.cells = ways.map(({ cells }) => cells);
    this.playing = button("▶ play", "move from A to B and back", () => this.play());
    const between = [this.playing, ...[["path-gif", "GIF", "save the way as an animation"], ["path-png", "PNG", "save the strip"]]
      .map(([kind, label, title]) => button(label, title, ({ currentTarget }) => this.save(kind, currentTarget)))];
    this.needing = [...between, ...ways.flatMap(({ buttons }) => buttons)]; // both ends
    this.hint = el("p", { class: "hint", role: "status" });
    const ends = el("div", { class: "way-ends", "aria-hidden": "true", style: columns(modalities[0].shape, STEPS) }, el("span", {}, "A"), el("span", {}, "B"));
    this.way = el("div", { class: "way" }, ends, ways.map(({ root }) => root));
    this.root = el("div", { class: "between" }, el("div", { class: "buttons" }, this.pins, this.scope, this.form, between), this.hint, this.way);
    this.tellEnds();
  }

  /** Says which end is missing, and offers what needs both only where they are set. */
  tellEnds() {
    const [a, b] = this.ends;
    const missing = a ? "Now go to another pair or code and set B." : b ? "Set A too." : "Set A, then go to another pair or code and set B.";
    this.hint.textContent = a && b ? "From A to B: a click on a picture goes there." : `${missing} Playing and saving need both.`;
    for (const node of this.needing) node.disabled = !a || !b;
    this.way.hidden = !a || !b;
  }

  pin(i) {
    this.ends[i] = this.panel.state.code.slice();
    this.points[i] = this.panel.point();
    this.pins[i].classList.add("set");
    this.pins[i].textContent = `replace ${"AB"[i]}`;
    this.tellEnds();
    this.refresh();
  }

  /** The code at t in [0, 1]; blocks that do not move stay at A. */
  at(t) {
    const [a, b] = this.ends;
    const code = a.slice();
    for (const block of this.panel.data.blocks) {
      if ((this.scope.value === "shared" && block.owner !== null) || (this.scope.value === "private" && block.owner === null)) continue;
      const places = this.panel.dimensions.filter((d) => d.block === block).map(({ at }) => at);
      const [from, to] = weights(places.map((p) => a[p]), places.map((p) => b[p]), t, this.form.value === "spherical");
      for (const p of places) code[p] = from * a[p] + to * b[p];
    }
    return code;
  }

  refresh() {
    if (!this.ends[0] || !this.ends[1] || !this.panel.live.hello) return;
    const key = `${this.ends.join(" ")} ${this.scope.value} ${this.form.value}`;
    if (key === this.key) return;
    this.key = key;
    this.cancel?.();
    const codes = Array.from({ length: STEPS }, (_, i) => this.at(i / (STEPS - 1)));
    this.cancel = this.panel.live.strip(codes, (i, images) => images.forEach((pixels, m) => paint(this.cells[m][i], pixels)));
  }

  go(i) {
    const end = i === 0 ? this.points[0] : i === STEPS - 1 && this.scope.value === "all" ? this.points[1] : null;
    if (end) this.panel.open(end);
    else this.panel.moveTo(this.at(i / (STEPS - 1)));
  }

  play() {
    const { panel } = this;
    const mine = this.moving;
    panel.stop(); // this, or whatever else moves
    if (mine) return;
    panel.remember();
    this.moving = true;
    this.playing.textContent = "■ stop";
    panel.animate((elapsed) => {
      panel.change(this.at(0.5 - 0.5 * Math.cos((Math.PI * elapsed) / 2500)));
      return elapsed < 10_000;
    }, () => {
      this.moving = false;
      this.playing.textContent = "▶ play";
    });
  }

  save(kind, button) {
    const [point, to] = this.points;
    this.panel.download(kind, button, { point, to, scope: this.scope.value, form: this.form.value });
  }
}

/** Weights of both ends at t: straight, or along the arc between their directions where there is one, as `path` in mmvae/explore.py. */
function weights(a, b, t, spherical) {
  const dot = a.reduce((sum, value, i) => sum + value * b[i], 0);
  const [from, to] = [Math.hypot(...a), Math.hypot(...b)];
  const angle = Math.acos(Math.min(1, Math.max(-1, dot / (from * to || 1))));
  if (!spherical || !from || !to || angle < 1e-3 || angle > Math.PI - 1e-3) return [mix(1, 0, t), t];
  const length = mix(from, to, t) / Math.sin(angle);
  return [(length * Math.sin((1 - t) * angle)) / from, (length * Math.sin(t * angle)) / to];
}
