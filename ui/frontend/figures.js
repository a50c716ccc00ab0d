// The figures beside a map: how well a colouring separates in the latent space, the modality gap, and what the map keeps.

import { el } from "./dom.js";

const whole = (value) => `${(100 * value).toFixed(0)} %`;
const decimals = (value) => value.toFixed(2).replace("-", "−");

const [CLASSES, AMOUNTS, GAP] = ["classes", "amounts", "gap"];
// what it is a figure of, null for any map; name, value, how it is written, what it is, its chance level, and in words why there is none
const ROWS = [
  [CLASSES, "silhouette", ({ silhouette }) => silhouette, decimals, "In the latent space, from −1 to 1: are items nearer to their own class than to the next one? By chance: with shuffled classes.",
    ({ shuffled }) => shuffled, ({ without }) => without],
  [CLASSES, "nearest neighbours", ({ accuracy }) => accuracy, whole, "In the latent space: how often the ten nearest codes of other pairs name a pair's class. Pairs alike in all that both pictures show do not count, where classes have at least three such kinds of pair each; where they have fewer, pairs with a picture in common do not. By chance: naming the commonest class.",
    ({ chance }) => chance, ({ without }) => without],
  [AMOUNTS, "neighbours' mean off by", ({ amount }) => amount?.error, (value, { amount }) => `${Number(value.toPrecision(3))}${amount.unit === "°" ? "" : " "}${amount.unit}`, "In the latent space: mean absolute difference of a pair's value and the mean of those of its ten nearest codes, of pairs as for classes. By chance: of the mean of all.",
    ({ amount }) => amount?.chance, () => ""],
  [GAP, "modality gap", ({ gap }) => gap?.ratio, decimals, "In the latent space: distance of a pair's two codes over that of codes of different pairs; 0 is none", () => 1, () => "one code"],
  [GAP, "gap: within pairs", ({ gap }) => gap?.paired, decimals, "Mean distance of the two codes of one pair, in the latent space", () => null, () => "one code"],
  [GAP, "gap: between pairs", ({ gap }) => gap?.random, decimals, "Mean distance of codes of different pairs, one of each modality", () => null, () => "one code"],
  [null, "map: trustworthy", ({ trust }) => trust, decimals, "Are neighbours on the map neighbours in the latent space? 1 where all are; about 0.5 on a random map", () => 0.5, ({ unplaced }) => unplaced],
  [null, "map: recall", ({ recall }) => recall, decimals, "Share of the 15 nearest codes that are nearest on the map too", () => null, ({ unplaced }) => unplaced],
];

/** The rows of the table: a column of figures for each map; column: what colours; found: the figures of each map, null where they are not there yet. */
export function figureRows(panes, column, found) {
  const asked = new Set([null, ...found.map((figures) => (figures ? told(figures) : expected(column)))]);
  if (panes.some(({ info }) => info.given.length > 1)) asked.add(GAP);
  const dims = [...new Set(panes.flatMap(({ shown }) => (shown ? [shown.length] : [])))];
  const head = panes.length > 1 ? [el("tr", {}, el("th"), el("td", {}, "left"), el("td", {}, "right"), el("td"))] : [];
  const rows = ROWS.filter(([of]) => asked.has(of)).map(([, name, value, write, title, chance, why]) => {
    const cells = found.map((figures) => cell(figures, value, write, why));
    const levels = found.filter((figures) => figures && isNumber(value(figures)) && isNumber(chance(figures))).map((figures) => write(chance(figures), figures));
    if (cells.length === 1 && cells[0].matches(".without")) cells[0].colSpan = 2; // words are longer than figures
    else cells.push(el("td", { class: "chance" }, levels.length ? `chance ${[...new Set(levels)].join(", ")}` : ""));
    return el("tr", { title }, el("th", {}, name), cells);
  });
  return [el("caption", {}, dims.length ? `In ${dims.join(" and ")} latent dimensions` : "In the latent space"), ...head, ...rows];
}

/** What figures say of the values that colour. */
const told = ({ amount, without }) => (amount ? AMOUNTS : without === null ? null : CLASSES);

/** The same before they are there. */
const expected = ({ kind, source }) => (kind === "few" || kind === "many" ? CLASSES : source === "label" ? AMOUNTS : null);

const isNumber = (value) => value !== null && value !== undefined;

function cell(figures, value, write, why) {
  if (!figures) return el("td", {}, "…");
  const found = value(figures);
  return isNumber(found) ? el("td", {}, write(found, figures)) : el("td", { class: "without" }, why(figures) ?? "");
}
