// The active dimension's beliefs as curves: prior, each expert, and what the variant makes of them.
// Heights are square roots of densities: beside a sure expert the prior would be a flat line otherwise.

import { density, deviation, mean } from "./beliefs.js";
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
    const places = Array.from({ length: POINTS }, (_, i) => low - margin + ((high - low + 2 * margin) * i) / (POINTS - 1));
    const curve = (parts) => places.map((z) => Math.sqrt(density(parts, d, beliefs.family, z)));
    const fused = curve(beliefs.fused);
    const prior = curve(beliefs.prior);
    const experts = beliefs.experts.map((expert) => ({ ...expert, ys: curve([{ ...expert, weight: 1 }]) }));
    const top = Math.max(...fused, ...prior, ...experts.filter(({ used }) => used).flatMap(({ ys }) => ys));
    const path = (ys, attributes) => svg("path", { d: outline(ys, top), "vector-effect": "non-scaling-stroke", ...attributes });
    this.plot.replaceChildren(
      path(prior, { class: "prior" }),
      ...experts.map(({ ys, hue, used }) => path(ys, { class: `expert hue${hue}${used ? "" : " unused"}` })),
      svg("path", { d: `${outline(fused, top)}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`, class: "area" }),
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
}

function outline(ys, top) {
  return ys.map((y, i) => `${i ? "L" : "M"}${((WIDTH * i) / (POINTS - 1)).toFixed(1)} ${(HEIGHT - 2 - ((HEIGHT - 8) * Math.min(y, top)) / top).toFixed(2)}`).join("");
}
