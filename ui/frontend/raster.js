// The points of a map drawn by the processor, for browsers that have no graphics processor to draw them with.
//
// Such a browser either has no WebGL or runs its shaders in software, which takes many times as long for discs of a few pixels.

const GROUND = [11, 14, 20]; // as in map.css
const LINE = [204, 217, 235];
const PHASES = 4; // places within a pixel, along each axis, at which a disc's middle may lie
const SOFT = 1.1; // px over which the edge of a disc fades
const MARGIN = 2; // px beyond a disc

const packed = ([red, green, blue]) => (0xff << 24) | (blue << 16) | (green << 8) | red;

/** A canvas that discs and lines are drawn on, pixel by pixel. */
export class Raster {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d", { alpha: false, willReadFrequently: true }); // read often: kept where the processor has it
  }

  /** Draws nothing. */
  empty() {
    this.clear(0);
    this.show();
  }

  /** An empty picture of the canvas's size with a border in which discs may lie by half, since no pixel is checked for lying inside. */
  clear(border) {
    const { width, height } = this.canvas;
    if (this.image?.width !== width + 2 * border || this.image.height !== height + 2 * border) {
      this.image = new ImageData(width + 2 * border, height + 2 * border);
      this.pixels = new Int32Array(this.image.data.buffer); // signed: whatever is read from it is a small integer
    }
    this.border = border;
    this.pixels.fill(packed(GROUND));
  }

  show() {
    const { border, canvas } = this;
    this.pen.putImageData(this.image, -border, -border, border, border, canvas.width, canvas.height);
  }

  /**
   * Draws points and the lines between them.
   *
   * places: x and y of each in turn, Float32Array; x = left + right · places[2i], y = top + down · places[2i + 1], in px; colours: red,
   * green, blue and opacity in turn, Uint8Array; order: the indices of points as they are drawn, Uint32Array; size: of a disc in px;
   * lines: two indices each, Uint32Array or null; faint: their opacity.
   */
  draw({ places, colours, order, size, lines, faint, left, right, top, down }) {
    this.clear(Math.ceil(size / 2) + MARGIN);
    const view = [left + this.border, right, top + this.border, down];
    if (lines) this.lines(places, lines, Math.round(256 * faint), ...view);
    this.discs(places, new Uint32Array(colours.buffer, colours.byteOffset, colours.length / 4), order, size, ...view);
    this.show();
  }

  discs(places, colours, order, size, left, right, top, down) {
    const { pixels } = this;
    const { width, height } = this.image;
    const { starts, shifts, covers } = this.stamps(size);
    const half = Math.ceil(size / 2);
    for (let k = 0; k < order.length; k++) {
      const i = order[k];
      const colour = colours[i];
      const opacity = colour >>> 24;
      if (!opacity) continue;
      const x = left + right * places[2 * i];
      const y = top + down * places[2 * i + 1];
      if (!(x >= half && y >= half && x < width - half - 1 && y < height - half - 1)) continue;
      const column = x | 0;
      const row = y | 0;
      const phase = PHASES * ((PHASES * (y - row)) | 0) + ((PHASES * (x - column)) | 0);
      const place = row * width + column;
      const redBlue = colour & 0xff00ff;
      const green = colour & 0xff00;
      for (let s = starts[phase]; s < starts[phase + 1]; s++) {
        const at = place + shifts[s];
        const share = (covers[s] * (opacity + 1)) >> 8; // of 256
        const under = pixels[at];
        const rest = 256 - share;
        pixels[at] = 0xff000000
          | (((Math.imul(under & 0xff00ff, rest) + Math.imul(redBlue, share)) >>> 8) & 0xff00ff)
          | (((Math.imul(under & 0xff00, rest) + Math.imul(green, share)) >>> 8) & 0xff00);
      }
    }
  }

  /** A disc at each of the places within a pixel: which pixels it covers, as shifts in the picture, and how far, of 256. */
  stamps(size) {
    if (this.stamped?.size === size && this.stamped.width === this.image.width) return this.stamped;
    const [starts, shifts, covers] = [[0], [], []];
    const reach = Math.ceil(size / 2);
    for (let phase = 0; phase < PHASES * PHASES; phase++) {
      const y = (Math.floor(phase / PHASES) + 0.5) / PHASES;
      const x = ((phase % PHASES) + 0.5) / PHASES;
      for (let row = -reach; row <= reach; row++) {
        for (let column = -reach; column <= reach; column++) {
          const inside = Math.min(1, Math.max(0, (size / 2 - Math.hypot(column + 0.5 - x, row + 0.5 - y)) / SOFT));
          const cover = Math.round(256 * inside * inside * (3 - 2 * inside));
          if (!cover) continue;
          shifts.push(row * this.image.width + column);
          covers.push(cover);
        }
      }
      starts.push(shifts.length);
    }
    return (this.stamped = { size, width: this.image.width, starts: Int32Array.from(starts), shifts: Int32Array.from(shifts), covers: Int32Array.from(covers) });
  }

  lines(places, ends, share, left, right, top, down) {
    const { pixels } = this;
    const { width, height } = this.image;
    const colour = packed(LINE);
    const redBlue = Math.imul(colour & 0xff00ff, share);
    const green = Math.imul(colour & 0xff00, share);
    const rest = 256 - share;
    for (let k = 0; k < ends.length; k += 2) {
      const [a, b] = [2 * ends[k], 2 * ends[k + 1]];
      const x = left + right * places[a];
      const y = top + down * places[a + 1];
      const wide = left + right * places[b] - x;
      const high = top + down * places[b + 1] - y;
      const steps = Math.ceil(Math.max(Math.abs(wide), Math.abs(high)));
      if (!steps) continue;
      // of all steps those that lie in the picture
      const [first, last] = inside(x, wide / steps, width, inside(y, high / steps, height, [0, steps - 1]));
      for (let s = first; s <= last; s++) {
        const at = ((y + (high * s) / steps) | 0) * width + ((x + (wide * s) / steps) | 0);
        const under = pixels[at];
        pixels[at] = 0xff000000 | (((Math.imul(under & 0xff00ff, rest) + redBlue) >>> 8) & 0xff00ff) | (((Math.imul(under & 0xff00, rest) + green) >>> 8) & 0xff00);
      }
    }
  }
}

/** The part of steps first … last after which start + step · s lies between 0 and end. */
function inside(start, step, end, [first, last]) {
  if (!step) return start >= 0 && start < end ? [first, last] : [1, 0];
  const [a, b] = [-start / step, (end - start) / step];
  return [Math.max(first, Math.ceil(Math.min(a, b) + 1e-6)), Math.min(last, Math.floor(Math.max(a, b) - 1e-6))];
}
