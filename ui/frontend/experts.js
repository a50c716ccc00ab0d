// The active dimension's beliefs as curves: prior, each expert, and what the variant makes of them.
// Heights are square roots of densities: beside a sure expert the prior would be a flat line otherwise.

import { el, signed, svg, symbol } from "./dom.js";

const WIDTH = 400;
const HEIGHT = 104;
const POINTS = 200;

export class Experts {
  constructor() {
    this.title = el("h4");
    this.plot = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    this.legend = el("div", { class: "legend" });
    this.text = el("p");
    this.root = el("section", { class: "experts" }, this.title, this.plot, this.legend, this.text);
  }

  /** dimension: of the panel's data; beliefs: of its block; low and high: of its row. */
  show(dimension, beliefs, low, high) {
    this.title.replaceChildren("Beliefs about ", symbol(dimension.symbol, dimension.index));
    const d = dimension.index;
    const margin = 0.08 * (high - low);
    const curve = (components) => densities(components, beliefs.family, low - margin, high + margin);
    const fused = curve(beliefs.fused.map((c) => [c.mean[d], c.stddev[d]]));
    const prior = curve([[beliefs.prior.mean[d], beliefs.prior.stddev[d]]]);
    const experts = beliefs.experts.map((expert) => ({ ...expert, ys: curve([[expert.mean[d], expert.stddev[d]]]) }));
    const top = Math.max(...fused, ...prior, ...experts.filter(({ used }) => used).flatMap(({ ys }) => ys));
    const path = (ys, attributes) => svg("path", { d: outline(ys, top), "vector-effect": "non-scaling-stroke", ...attributes });
    this.plot.replaceChildren(
      path(prior, { class: "prior" }),
      ...experts.map(({ ys, hue, used }) => path(ys, { class: `expert hue${hue}${used ? "" : " unused"}` })),
      path(fused, { class: "fused" }),
    );
    const mean = average(beliefs.fused.map((c) => c.mean[d]));
    const variance = average(beliefs.fused.map((c) => c.stddev[d] ** 2 + c.mean[d] ** 2)) - mean ** 2;
    const share = (shares) => (shares ? ` ${Math.round(100 * shares[d])}%` : "");
    this.legend.replaceChildren(
      el("span", { class: "prior" }, `prior${share(beliefs.prior.share)}`),
      ...experts.map((expert) => el("span", { class: `hue${expert.hue}${expert.used ? "" : " unused"}` }, "q", el("sub", {}, expert.symbol),
        el("b", {}, share(expert.share)))),
      el("span", { class: "fused" }, `together ${signed(mean)} ± ${Math.sqrt(Math.max(variance, 0)).toFixed(2)}`),
    );
    this.text.textContent = dimension.why || beliefs.text;
    this.plot.setAttribute("aria-label", `Density curves. Together ${mean.toFixed(2)} plus or minus ${Math.sqrt(Math.max(variance, 0)).toFixed(2)}. ${this.text.textContent}`);
  }
}

/** The root of an equal mixture's density at POINTS places from low to high; components: [mean, standard deviation] each. */
function densities(components, family, low, high) {
  return Array.from({ length: POINTS }, (_, i) => {
    const z = low + ((high - low) * i) / (POINTS - 1);
    return Math.sqrt(average(components.map(([mean, stddev]) => {
      if (family === "laplace") return Math.exp((-Math.abs(z - mean) * Math.SQRT2) / stddev) / (Math.SQRT2 * stddev);
      return Math.exp(-0.5 * ((z - mean) / stddev) ** 2) / (2.5066 * stddev);
    })));
  });
}

function outline(ys, top) {
  return ys.map((y, i) => `${i ? "L" : "M"}${((WIDTH * i) / (POINTS - 1)).toFixed(1)} ${(HEIGHT - 2 - ((HEIGHT - 8) * Math.min(y, top)) / top).toFixed(2)}`).join("");
}

const average = (values) => values.reduce((a, b) => a + b, 0) / values.length;
