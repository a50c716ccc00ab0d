// Raw pixels on canvases.

import { clamp, el } from "./dom.js";

/** A canvas for pictures of this shape [channels, height, width]; the style sheet gives its size on the screen. */
export function canvas(shape, properties = {}) {
  const [, height, width] = shape;
  const node = el("canvas", { width, height, ...properties });
  node.shape = shape;
  return node;
}

/** Pictures as buttons in a row: one stop of the tab key, and arrow keys between them. name(i) says what the i-th is, pick(i) chooses it. */
export function pickable(cells, name, pick, title = null) {
  const buttons = cells.map((cell, i) => el("button", { type: "button", class: "pick", tabIndex: i ? -1 : 0, title, "aria-label": name(i), onclick: () => pick(i) }, cell));
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
  return buttons;
}

/** Draws pixels (height × width × channels, 0 to 255) on a canvas made by `canvas`. */
export function paint(node, pixels) {
  const [channels, height, width] = node.shape;
  const context = (node.context ??= node.getContext("2d", { alpha: false }));
  const image = (node.image ??= context.createImageData(width, height));
  const out = new Uint32Array(image.data.buffer);
  if (channels === 1) for (let i = 0; i < out.length; i++) out[i] = 0xff000000 | (pixels[i] * 0x010101);
  else for (let i = 0, p = 0; i < out.length; i++, p += channels) out[i] = 0xff000000 | (pixels[p + 2] << 16) | (pixels[p + 1] << 8) | pixels[p];
  context.putImageData(image, 0, 0);
}

/** Pixels from base64. */
export function pixelsOf(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
