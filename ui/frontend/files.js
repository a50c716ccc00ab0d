// Files made on the page.

import { el } from "./dom.js";
import { say } from "./colouring.js";

const INK = "#e6e9ef";
const GROUND = "#0b0e14";
const FONT = "system-ui, sans-serif";

/** Has the browser save what an address answers. */
export function download(href, name = "") {
  const link = el("a", { href, download: name });
  link.click();
  if (href.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

/** One picture of all maps as they are shown, each under its title and the legend of its colours. */
export function picture(panes) {
  const ratio = panes[0].points.ratio;
  const widths = panes.map(({ surface }) => surface.width / ratio);
  const measure = el("canvas").getContext("2d");
  const band = 12 + Math.max(...panes.map((pane, p) => heading(measure, pane, 0, widths[p])));
  const sheet = el("canvas", { width: ratio * widths.reduce((a, b) => a + b), height: Math.max(...panes.map(({ surface }) => surface.height)) + ratio * band });
  const pen = sheet.getContext("2d");
  pen.scale(ratio, ratio);
  pen.fillStyle = GROUND;
  pen.fillRect(0, 0, sheet.width, sheet.height);
  let left = 0;
  panes.forEach((pane, p) => {
    pane.points.paint(); // what WebGL drew is gone after a frame
    for (const layer of [pane.surface, pane.overlay]) pen.drawImage(layer, left, band, widths[p], layer.height / ratio);
    heading(pen, pane, left, widths[p]);
    left += widths[p];
  });
  return sheet;
}

/** A map's title and legend, from the top; returns where they end. */
function heading(pen, { info, column }, left, width) {
  const right = left + width - 12;
  left += 12;
  pen.fillStyle = INK;
  pen.font = `600 15px ${FONT}`;
  let y = flow(pen, [info.title], left, right, 22, 19);
  pen.font = `13px ${FONT}`;
  y = flow(pen, info.detail.split(" "), left, right, y + 18, 17);
  if (!column) return y;
  pen.font = `600 13px ${FONT}`;
  pen.fillText(column.title, left, y + 22);
  const beside = left + pen.measureText(column.title).width + 14;
  pen.font = `13px ${FONT}`;
  if (column.kind === "few") return flow(pen, column.values, beside, right, y + 22, 19, (value) => column.hex[value % column.hex.length]);
  if (column.kind !== "many") scale(pen, column, beside, right, y + 22);
  return y + 22;
}

/** Words one after the other, in lines as long as there is room; with a dot of its colour before each. Returns the last baseline. */
function flow(pen, words, left, right, y, line, hue = null) {
  const dot = hue ? 16 : 0;
  let x = left;
  words.forEach((word, at) => {
    const wide = dot + pen.measureText(word).width;
    if (x + wide > right && x > left) [x, y] = [left, y + line];
    if (hue) {
      pen.fillStyle = hue(at);
      pen.beginPath();
      pen.arc(x + 6, y - 4.5, 5, 0, 7);
      pen.fill();
      pen.fillStyle = INK;
    }
    pen.fillText(word, x + dot, y);
    x += wide + (hue ? 14 : pen.measureText(" ").width);
  });
  return y;
}

function scale(pen, column, left, right, y) {
  const [low, high] = [say(column, column.low), say(column, column.high)];
  pen.fillText(low, left, y);
  const from = left + pen.measureText(low).width + 8;
  const wide = Math.max(20, Math.min(180, right - from - 8 - pen.measureText(high).width));
  const colours = pen.createLinearGradient(from, 0, from + wide, 0);
  column.hex.forEach((colour, i) => colours.addColorStop(i / (column.hex.length - 1), colour));
  pen.fillStyle = colours;
  pen.fillRect(from, y - 10, wide, 11);
  pen.fillStyle = INK;
  pen.fillText(high, from + wide + 8, y);
}
