// The active dimension's beliefs as curves: prior, each expert, and what the variant makes of them.
// Heights are square roots of densities: beside a sure expert the prior would be a flat line otherwise.

import { density, deviation, mean } from "./beliefs.js";
import { clamp, el, mix, signed, svg, symbol } from "./dom.js";

const WIDTH = 400;
const HEIGHT = 104;
const POINTS = 200; // of a curve, evenly over the plot
const REACH = 4; // standard deviations to either side of a mean that are in the plot
const NEAR = 24; // more points within them, since a narrow curve is a triangle otherwise
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]; // between the axis's numbers
const NUMBERS = 8; // at most

export class Experts {
  constructor() {
    this.title = el("h4");
    this.plot = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    this.knob = el("i", { class: "knob" });
    this.rail = el("i", { class: "rail" }, el("i", { class: "stem" }), this.knob); // as a row's, see sliders.js
    this.axis = el("div", { class: "axis", "aria-hidden": "true" });
    this.unit = el("span");
    this.legend = el("div", { class: "legend" });
    this.text = el("p");
    this.root = el("section", { class: "experts" }, this.title, el("div", { class: "plot" }, this.plot, this.rail), this.axis,
      el("div", { class: "units" }, this.unit, el("span", { title: "the density's square root, so that a wide prior is seen beside a narrow posterior" }, "height: √density")),
      this.legend, this.text);
  }

  /** dimension: of the panel's data; beliefs: of its block; low and high: of its row. */
  show(dimension, beliefs, low, high) {
    this.title.replaceChildren("Beliefs about ", symbol(dimension.symbol, dimension.index));
    const d = dimension.index;
    const margin = 0.08 * (high - low);
    const used = [...beliefs.fused, ...beliefs.experts.filter((expert) => expert.used)];
    const ends = used.flatMap(({ mean, stddev }) => [mean[d] - REACH * stddev[d], mean[d] + REACH * stddev[d]]);
    Object.assign(this, { from: Math.min(low - margin, ...ends), to: Math.max(high + margin, ...ends) });
    this.root.className = `experts hue${dimension.hue}`;
    this.showAxis(deviation(beliefs.prior, d));
    const near = [...beliefs.fused, ...beliefs.experts].flatMap(({ mean, stddev }) => evenly(NEAR + 1, mean[d] - REACH * stddev[d], mean[d] + REACH * stddev[d]));
    const places = [...evenly(POINTS, this.from, this.to), ...near.filter((z) => z > this.from && z < this.to)].sort((a, b) => a - b);
    const curve = (parts) => places.map((z) => Math.sqrt(density(parts, d, beliefs.family, z)));
    const fused = curve(beliefs.fused);
    const prior = curve(beliefs.prior);
    const experts = beliefs.experts.map((expert) => ({ ...expert, ys: curve([{ ...expert, weight: 1 }]) }));
    const top = Math.max(...fused, ...prior, ...experts.filter(({ used }) => used).flatMap(({ ys }) => ys));
    const outline = (ys) => ys.map((y, i) => `${i ? "L" : "M"}${(WIDTH * this.at(places[i])).toFixed(2)} ${(HEIGHT - 2 - ((HEIGHT - 8) * Math.min(y, top)) / top).toFixed(2)}`).join("");
    const path = (ys, attributes) => svg("path", { d: outline(ys), "vector-effect": "non-scaling-stroke", ...attributes });
    this.plot.replaceChildren(
      path(prior, { class: "prior" }),
      ...experts.map(({ ys, hue, used }) => path(ys, { class: `expert hue${hue}${used ? "" : " unused"}` })),
      svg("path", { d: `${outline(fused)}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`, class: "area" }),
      path(fused, { class: "fused" }),
    );
    const together = `${signed(mean(beliefs.fused, d))} ± ${deviation(beliefs.fused, d).toFixed(2)}`;
    const share = (shares) => (shares ? ` ${Math.round(100 * shares[d])}%` : "");
    this.legend.replaceChildren(
      el("span", { class: "prior" }, `prior${share(beliefs.prior_share)}`),
      ...experts.map((expert) => el("span", { class: `hue${expert.hue}${expert.used ? "" : " unused"}` }, "q", el("sub", {}, expert.symbol),
        el("b", {}, share(expert.share)))),
      el("span", { class: "fused" }, `together ${together}`),
    );
    this.text.textContent = dimension.why || beliefs.text;
    this.plot.setAttribute("aria-label", `Density curves. Together ${together.replace("±", "plus or minus")}. ${this.text.textContent}`);
  }

  at(value) {
    return (value - this.from) / (this.to - this.from);
  }

  /** Numbers below the curves; prior: the standard deviation of the prior, which is the unit where it is 1. */
  showAxis(prior) {
    const step = STEPS.find((each) => (this.to - this.from) / each <= NUMBERS) ?? STEPS.at(-1);
    const first = Math.ceil(this.from / step);
    const count = Math.floor(this.to / step) - first + 1;
    this.axis.replaceChildren(...Array.from({ length: count }, (_, i) => {
      const value = Number(((first + i) * step).toFixed(1)); // not 0.6000000000000001
      return el("span", { style: `left: ${100 * this.at(value)}%` }, `${value}`.replace("-", "−"));
    }));
    this.unit.textContent = Math.abs(prior - 1) < 0.005 ? "in standard deviations of the prior" : `z; the prior's standard deviation is ${prior.toFixed(2)}`;
  }

  /** Where the dimension's slider stands. */
  mark(value) {
    const at = this.at(value);
    this.rail.style.transform = `translateX(${100 * clamp(at, 0, 1)}%)`; // a transform, for it asks for no layout
    this.knob.classList.toggle("outside", at < 0 || at > 1);
  }
}

/** So many numbers at equal steps, both ends among them. */
const evenly = (count, from, to) => Array.from({ length: count }, (_, i) => mix(from, to, i / (count - 1)));
