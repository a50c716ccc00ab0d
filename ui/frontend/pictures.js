// Raw pixels on canvases.

import { clamp, el } from "./dom.js";

/** A canvas for pictures of this shape [channels, height, width]; the style sheet gives its size on the screen. */
export function canvas(shape, properties = {}) {
  const [, height, width] = shape;
  const node = el("canvas", { width, height, ...properties });
  node.shape = shape;
  return node;
}

/**
 * One canvas for many pictures of a shape, in `columns` of them: {root, cells}, each cell for `paint`. Where a processor draws the page,
 * every canvas is a layer of its own and costs time in every frame, whether it changed or not. gap: between pictures, in their pixels.
 */
export function sheet(shape, columns, rows = 1, gap = 0) {
  const [channels, height, width] = shape;
  const root = canvas([channels, rows * (height + gap) - gap, columns * (width + gap) - gap]);
  if (gap) root.corners = corners(width, height);
  const place = (i) => ({ canvas: root, shape, x: (i % columns) * (width + gap), y: Math.floor(i / columns) * (height + gap) });
  return { root, cells: Array.from({ length: rows * columns }, (_, i) => place(i)) };
}

/** What is left of the pixels at a picture's rounded corners: [index, opacity in 0 … 255] each. */
function corners(width, height) {
  const radius = width / 14;
  const within = (at, size) => Math.max(radius - at - 0.5, at + 0.5 - size + radius, 0); // how far into a corner, along one side
  const left = (i) => clamp(radius + 0.5 - Math.hypot(within(i % width, width), within(Math.floor(i / width), height)), 0, 1);
  return Array.from({ length: width * height }, (_, i) => [i, Math.round(255 * left(i))]).filter(([, opacity]) => opacity < 255);
}

const GAP = 4; // of the pixels of a row's pictures

/**
 * Pictures of a shape as buttons in a row: {root, cells, buttons}. One stop of the tab key, and arrow keys between them. name(i) says what
 * the i-th is, pick(i) chooses it.
 */
export function pickable(shape, count, name, pick, title = null) {
  const { root: canvas, cells } = sheet(shape, count, 1, GAP);
  const buttons = cells.map((_, i) => el("button", { type: "button", class: "pick", tabIndex: i ? -1 : 0, title, "aria-label": name(i), onclick: () => pick(i) }));
  buttons.forEach((node, i) => {
    node.addEventListener("focus", () => buttons.forEach((other) => (other.tabIndex = other === node ? 0 : -1)));
    node.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: buttons.length - 1 }[event.key];
      if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      buttons[clamp(to, 0, buttons.length - 1)].focus();
    });
  });
  const root = el("div", { class: "picks", style: columns(shape, count) }, canvas, buttons);
  return { root, cells, buttons };
}

/** The style of a grid whose columns lie over those of a row's canvas. */
export function columns([, height, width], count) {
  return `grid-template-columns: repeat(${count}, minmax(0, 1fr)); column-gap: ${(100 * GAP) / (count * (width + GAP) - GAP)}%; --aspect: ${width} / ${height}`;
}

/** The style of a grid with a column of `first`, a picture, and a row of `count` more, all of one width. */
export function beside(first, [, , width], count) {
  return `grid-template-columns: ${first} ${width}fr ${GAP}fr ${count * (width + GAP) - GAP}fr`;
}

/** Draws pixels (height × width × channels, 0 to 255) on a canvas made by `canvas`, or in a cell of a `sheet`. */
export function paint(target, pixels) {
  const { shape: [channels, height, width], canvas: node = target, x = 0, y = 0 } = target;
  const context = (node.context ??= node.getContext("2d", { alpha: Boolean(node.corners) }));
  const image = (node.image ??= context.createImageData(width, height));
  const out = (node.words ??= new Uint32Array(image.data.buffer));
  if (channels === 1) for (let i = 0; i < out.length; i++) out[i] = 0xff000000 | (pixels[i] * 0x010101);
  else for (let i = 0, p = 0; i < out.length; i++, p += channels) out[i] = 0xff000000 | (pixels[p + 2] << 16) | (pixels[p + 1] << 8) | pixels[p];
  for (const [i, opacity] of node.corners ?? []) out[i] = (opacity << 24) | (out[i] & 0xffffff);
  context.putImageData(image, x, y);
}

/** Pixels from base64. */
export function pixelsOf(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
