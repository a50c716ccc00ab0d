// A point as text, as mmvae/point.py writes it: p1~checkpoint~digest~item~observed~seed~code.

const SHAPE = /p1~[A-Za-z0-9._%-]+~[0-9a-f]*~-?\d*~[A-Za-z0-9_+.%-]*~\d*~[A-Za-z0-9_-]*/;

/** The text of a code with where it came from: {checkpoint, digest, item, observed}. */
export function pointText(origin, code) {
  const bytes = new Uint8Array(Float32Array.from(code).buffer);
  const base64 = btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  return ["p1", quoted(origin.checkpoint), origin.digest, origin.item ?? "", origin.observed.map(quoted).join("+"), "", base64].join("~");
}

/** A name with all but letters, digits and ._- percent-encoded. */
function quoted(name) {
  return encodeURIComponent(name).replace(/[!'()*~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The part of a point's text that says where its code came from: checkpoint, digest, item, observed. */
export const originOf = (text) => text.split("~").slice(0, 5).join("~");

/** The code in a point's text, or null where there is none: {checkpoint, code, text}. */
export function parsePoint(text) {
  const found = SHAPE.exec(text);
  if (!found) return null;
  const fields = found[0].split("~");
  const raw = atob(fields[6].replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(raw, (character) => character.charCodeAt(0));
  return { checkpoint: decodeURIComponent(fields[1]), text: found[0], code: new Float32Array(bytes.buffer.slice(0, bytes.length - (bytes.length % 4))) };
}

/** The point that a saved picture carries in its metadata, or null. */
export async function pointInFile(file) {
  const bytes = new Uint8Array(await file.slice(0, 8_000_000).arrayBuffer());
  return parsePoint(new TextDecoder("latin1").decode(bytes));
}
