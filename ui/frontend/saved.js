// Points kept in this browser, as a numbered list to step through.

import { button, el } from "./dom.js";
import { canvas, paint } from "./pictures.js";
import { parsePoint } from "./point.js";

export const KEPT = "mmvae explore saved"; // a key of its own: what one tab chooses must not bring back an old list of points
const SEEN = "mmvae explore saved pictures"; // {point: its pictures side by side, as an address}, for where its model is not at hand
const MOST = 200; // points whose pictures are kept, the newest: about 3 kB each
const SIDE = 48; // pixels of a kept picture

export class Saved {
  constructor(panel) {
    this.panel = panel;
    this.list = el("ol");
    this.hint = el("p", { class: "hint" }, "S saves the point as it is now. Presenting (P), arrow keys left and right step through these. A saved picture dropped on the page opens too.");
    const file = el("input", { type: "file", accept: "image/png,image/gif", hidden: true, onchange: () => {
      panel.openFile(file.files[0]);
      file.value = ""; // the same picture may be opened again
    } });
    this.root = el("div", { class: "saved" }, file,
      el("div", { class: "buttons" }, button("save this point", "keep the point as it is now (S)", () => this.add()),
        button("‹", "the point before", () => this.stepBy(-1), { "aria-label": "previous saved point" }),
        button("›", "the point after", () => this.stepBy(1), { "aria-label": "next saved point" }),
        button("PNG", "save both pictures, with the point in the file", ({ currentTarget }) => panel.download("pair-png", currentTarget)),
        button("open a saved picture…", "go to the point that a picture or an animation saved here carries", () => file.click())),
      this.list, this.hint);
  }

  points() {
    return this.panel.state.saved;
  }

  /** Takes on the list as another tab left it; the point that is shown stays the one that is shown. */
  reread() {
    const { state } = this.panel;
    const shown = state.saved[state.current];
    state.saved = kept() ?? state.saved;
    if (state.saved[state.current] !== shown) state.current = state.saved.indexOf(shown);
    if (state.tab === "saved") this.refresh();
  }

  add() {
    this.reread();
    const count = this.points().push(this.panel.here());
    this.panel.state.current = count - 1;
    store(KEPT, this.points());
    this.panel.say(`saved as point ${count}`);
    this.refresh();
  }

  remove(text) {
    this.reread();
    const i = this.points().indexOf(text);
    if (i >= 0) this.points().splice(i, 1);
    if (i >= 0 && i <= this.panel.state.current) this.panel.state.current -= 1;
    store(KEPT, this.points());
    this.refresh();
  }

  stepBy(step) {
    const count = this.points().length;
    const { current } = this.panel.state;
    if (count) this.go(current < 0 ? (step > 0 ? 0 : count - 1) : (current + step + count) % count);
  }

  go(i) {
    this.panel.state.current = i;
    this.panel.open(this.points()[i]);
    this.panel.place.textContent = `${i + 1} / ${this.points().length}`;
    this.refresh();
  }

  refresh() {
    const { panel } = this;
    const { current } = panel.state;
    const key = `${this.points().join()} ${current}`;
    if (key === this.key || !panel.live.hello) return;
    this.key = key;
    this.cancel?.();
    const here = [];
    const seen = stored(SEEN) ?? {};
    const focused = [...this.list.children].findIndex((item) => item.contains(this.list.getRootNode().activeElement));
    this.list.replaceChildren(...this.points().map((text, i) => {
      const point = parsePoint(text);
      const own = point.checkpoint === panel.data.checkpoint && point.code.length === panel.dimensions.length;
      const cells = own ? panel.data.modalities.map(({ shape }) => canvas(shape)) : seen[text] ? [el("img", { src: seen[text], alt: "" })] : [];
      if (own) here.push({ text, code: point.code, cells });
      return el("li", { class: i === current ? "here" : "" },
        el("button", { type: "button", onclick: () => this.go(i), title: text, "aria-label": `open point ${i + 1}${own ? "" : ` of ${point.checkpoint}`}`, "aria-current": i === current }, el("span", {}, `${i + 1}`), cells, own ? "" : el("em", {}, point.checkpoint)),
        el("button", { type: "button", class: "remove", title: "forget this point", "aria-label": `forget point ${i + 1}`, onclick: () => this.remove(text) }, "×"));
    }));
    if (focused >= 0) (this.list.children[focused] ?? this.list.lastChild)?.firstChild.focus();
    this.cancel = panel.live.strip(here.map(({ code }) => code), (i, images) => {
      const { text, cells } = here[i];
      images.forEach((pixels, m) => paint(cells[m], pixels));
      if (!seen[text]) this.keepPicture(text, cells);
    });
  }

  keepPicture(text, cells) {
    const seen = { ...stored(SEEN), [text]: sideBySide(cells) };
    store(SEEN, Object.fromEntries(this.points().slice(-MOST).filter((point) => seen[point]).map((point) => [point, seen[point]])));
  }
}

/** The points kept in this browser, by whichever tab; null where there are none, or where it keeps nothing. */
export function kept() {
  const points = stored(KEPT);
  return Array.isArray(points) ? points.filter((text) => typeof text === "string" && parsePoint(text)) : null; // an older page kept what is no point too
}

function stored(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

function store(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // a browser that keeps nothing: points last as long as the page
  }
}

/** Pictures in a row as an address that holds them. */
function sideBySide(pictures) {
  const sheet = el("canvas", { width: SIDE * pictures.length, height: SIDE });
  pictures.forEach((picture, i) => sheet.getContext("2d").drawImage(picture, i * SIDE, 0, SIDE, SIDE));
  return sheet.toDataURL("image/jpeg", 0.8);
}
