// A point as text, as mmvae/point.py writes it: p1~checkpoint~digest~item~observed~seed~code.

const SHAPE = /^p1~[A-Za-z0-9._%-]+~[0-9a-f]*~\d*~[A-Za-z0-9_+.%-]*~\d*~[A-Za-z0-9_-]*$/;
const READ = 8_000_000; // bytes of a file: a point comes before its pixels
const PNG = "\x89PNG\r\n\x1a\n";
const KEY = "mmvae:point\0"; // of the PNG's text, as mmvae/pictures.py writes it

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

/** What a point's text says: {checkpoint, code, text}; null where it is no point, or a value of its code is not finite. */
export function parsePoint(text) {
  if (!SHAPE.test(text)) return null;
  const fields = text.split("~");
  const checkpoint = unquoted(fields[1]);
  const code = decoded(fields[6]);
  return checkpoint && code?.every(Number.isFinite) ? { checkpoint, text, code } : null;
}

function unquoted(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return null; // a percent sign that encodes nothing
  }
}

/** The float32 values in a code's base64, or null where they are no whole number of values. */
function decoded(base64) {
  if (base64.length % 4 === 1) return null; // no number of bytes is that long, and atob throws
  const bytes = Uint8Array.from(atob(base64.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
  return bytes.length % 4 ? null : new Float32Array(bytes.buffer);
}

/** The point that a saved picture carries in its metadata: a PNG's text or a GIF's comment; null where there is none. */
export async function pointInFile(file) {
  const bytes = new Uint8Array(await file.slice(0, READ).arrayBuffer());
  const head = latin(bytes.subarray(0, 8));
  const texts = head === PNG ? pngTexts(bytes) : head.startsWith("GIF8") ? gifComments(bytes) : [];
  for (const text of texts) {
    const point = parsePoint(text);
    if (point) return point;
  }
  return null;
}

const latin = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

/** What stands under KEY in a PNG's text chunks: length, type, that many bytes, a checksum. */
function* pngTexts(bytes) {
  const view = new DataView(bytes.buffer);
  for (let at = PNG.length; at + 8 <= bytes.length; at += 12 + view.getUint32(at)) {
    const data = bytes.subarray(at + 8, at + 8 + view.getUint32(at));
    if (latin(bytes.subarray(at + 4, at + 8)) === "tEXt" && latin(data.subarray(0, KEY.length)) === KEY) yield latin(data.subarray(KEY.length));
  }
}

/** A GIF's comments: blocks in pieces of at most 255 bytes, each after its length, the last one empty. */
function* gifComments(bytes) {
  const colours = (packed) => (packed & 0x80 ? 3 * 2 ** ((packed & 7) + 1) : 0);
  let at = 13 + colours(bytes[10]);
  while (at < bytes.length && bytes[at] !== 0x3b) {
    const comment = bytes[at] === 0x21 && bytes[at + 1] === 0xfe;
    at += bytes[at] === 0x21 ? 2 : 11 + colours(bytes[at + 9]); // an extension's label, or a picture's head
    let text = "";
    for (; bytes[at]; at += 1 + bytes[at]) if (comment) text += latin(bytes.subarray(at + 1, at + 1 + bytes[at]));
    at += 1;
    if (comment) yield text;
  }
}
