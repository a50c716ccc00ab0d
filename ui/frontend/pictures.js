// Raw pixels on canvases.

import { el } from "./dom.js";

/** A canvas for pictures of this shape [channels, height, width]; the style sheet gives its size on the screen. */
export function canvas(shape, properties = {}) {
  const [, height, width] = shape;
  const node = el("canvas", { width, height, ...properties });
  node.shape = shape;
  return node;
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
