// What small networks, trained on real images, see in a picture: dials for ordered factors, bars for digits, a name for many classes.

import { clamp, el } from "./dom.js";

const MANY = 12; // classes beyond which the likeliest is named instead of all drawn

/** The gauges of one modality. entries: the hello's readings, each with `at`, its place in the reply's floats. */
export class Gauges {
  constructor(entries) {
    this.dials = entries.map((entry) => (entry.kind === "ordered" ? dial(entry) : entry.size > MANY ? name(entry) : bars(entry)));
    this.root = el("div", { class: "gauges", role: "group", "aria-label": "what the picture shows" }, this.dials.map(({ root }) => root));
  }

  show(readings) {
    for (const dial of this.dials) dial.show(readings);
  }

  /** Marks the item's true values: {factor: label}; what is private to the other picture stands at its neutral value here. */
  mark(labels) {
    for (const dial of this.dials) dial.mark(labels);
  }
}

/** How far a reading is to be believed: what it was measured to be on real pictures, where it was. */
function trust({ measured, unit }) {
  if (!measured) return "";
  const { accuracy, error } = measured;
  return `Read by a small network, ${accuracy === undefined ? `${error.toFixed(1)}${unit} off on average` : `right for ${(100 * accuracy).toFixed(1)} %`} on real test pictures`;
}

function dial(entry) {
  const [low, high] = [Math.min(...entry.values), Math.max(...entry.values)];
  const at = (value) => `${100 * clamp((value - low) / (high - low), 0, 1)}%`;
  const way = el("span", { class: "way-to" }, el("i", { class: "needle" }));
  const truth = el("i", { class: "truth" });
  const text = el("b");
  const root = el("div", { class: "gauge", title: trust(entry) }, el("span", {}, entry.factor), el("div", { class: "scale" }, truth, way), text);
  const foreign = Boolean(entry.owner) && entry.owner !== entry.modality;
  if (entry.owner) root.classList.add(foreign ? "foreign" : "own");
  return {
    root,
    show(readings) {
      const value = readings[entry.at];
      way.style.transform = `translateX(${at(value)})`;
      const whole = Math.round(Math.abs(value));
      text.textContent = entry.unit === "°" ? `${whole ? (value < 0 ? "−" : "+") : ""}${whole}°` : value.toFixed(2).replace("-", "−");
    },
    mark(labels) {
      const value = entry.factor in labels ? (foreign ? entry.neutral : labels[entry.factor]) : null;
      truth.hidden = value === null;
      if (value !== null) truth.style.left = at(value);
    },
  };
}

function bars(entry) {
  const fills = entry.values.map(() => el("i"));
  const cells = entry.values.map((value, i) => el("div", { class: "bar" }, el("div", {}, fills[i]), el("span", {}, value)));
  const text = el("b");
  const root = el("div", { class: "gauge bars", title: trust(entry) }, el("span", {}, entry.factor), el("div", { class: "cells" }, cells), text);
  return {
    root,
    show(readings) {
      let best = 0;
      for (let i = 0; i < fills.length; i++) {
        const share = readings[entry.at + i];
        if (share > readings[entry.at + best]) best = i;
        fills[i].style.transform = `scaleY(${share.toFixed(3)})`;
      }
      cells.forEach((cell, i) => cell.classList.toggle("best", i === best));
      text.textContent = `${entry.values[best]} · ${Math.round(100 * readings[entry.at + best])}%`;
    },
    mark(labels) {
      cells.forEach((cell, i) => cell.classList.toggle("true", labels[entry.factor] === i));
    },
  };
}

function name(entry) {
  const text = el("b");
  const fill = el("i", { class: "fill" });
  const root = el("div", { class: "gauge" }, el("span", {}, entry.factor), el("div", { class: "scale share" }, fill), text);
  return {
    root,
    show(readings) {
      let best = 0;
      for (let i = 1; i < entry.size; i++) if (readings[entry.at + i] > readings[entry.at + best]) best = i;
      const share = readings[entry.at + best];
      fill.style.transform = `scaleX(${share.toFixed(3)})`;
      text.textContent = `${entry.values[best]}`;
      root.title = `${entry.values[best]} with probability ${(100 * share).toFixed(0)}%. ${trust(entry)}`;
    },
    mark() {},
  };
}
