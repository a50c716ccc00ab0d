// Tens of thousands of points, moving from one frame to the next; and finding those under the pointer. A graphics processor draws them,
// or where there is none the processor, see raster.js.

import { Raster } from "./raster.js";

const VERTEX = `
precision highp float;
attribute vec2 from;
attribute vec2 to;
attribute vec4 colour;
uniform float t, size;
uniform vec2 centre, scale;
varying vec4 shade;
void main() {
  gl_Position = vec4((mix(from, to, t) - centre) * scale, 0.0, 1.0);
  gl_PointSize = size;
  shade = colour;
}`;
const FRAGMENT = `
precision highp float;
uniform float size, disc;
varying vec4 shade;
void main() {
  float alpha = shade.a;
  if (disc > 0.5) alpha *= smoothstep(0.5, 0.5 - 1.1 / size, length(gl_PointCoord - 0.5));
  if (alpha < 0.004) discard;
  gl_FragColor = vec4(shade.rgb * alpha, alpha);
}`;
const MARGIN = 0.9; // of the canvas that a whole map fills
const MOVE = 320; // ms from one frame to the next, at most
const FARTHEST = 400; // of zooming in
const ROOMY = 640_000; // px² of a map beyond which points, pictures and words grow with it, to be seen from afar

let software; // whether WebGL is drawn by the processor; undefined until asked

function drawnInSoftware() {
  if (software !== undefined) return software;
  const gl = document.createElement("canvas").getContext("webgl");
  const info = gl?.getExtension("WEBGL_debug_renderer_info");
  software = /swiftshader|llvmpipe|softpipe|software|basic render/i.test(gl?.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER) ?? "");
  gl?.getExtension("WEBGL_lose_context")?.loseContext(); // browsers bound how many there are
  return software;
}

/** A canvas with points of a map that lies between −1 and 1. */
export class Points {
  constructor(canvas, drawn) {
    Object.assign(this, { canvas, drawn });
    const gl = (this.gl = drawnInSoftware() ? null : canvas.getContext("webgl", { alpha: false }));
    this.centre = [0, 0];
    this.zoom = 1;
    this.extent = [1, 1]; // of the map: half its width and height
    this.count = 0;
    this.moving = 1;
    if (!gl) {
      this.raster = new Raster(canvas);
      return;
    }
    this.buffers = {};
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => this.build());
    this.build();
  }

  build() {
    const gl = this.gl;
    this.wide = gl.getExtension("OES_element_index_uint");
    const program = (this.program = gl.createProgram());
    for (const [type, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(type);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    this.at = Object.fromEntries(["from", "to", "colour"].map((name) => [name, gl.getAttribLocation(program, name)]));
    this.uniform = Object.fromEntries(["t", "size", "disc", "centre", "scale"].map((name) => [name, gl.getUniformLocation(program, name)]));
    for (const name of ["from", "to", "colour", "line", "layers"]) this.buffers[name] = gl.createBuffer();
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    if (this.target) this.place(this.target, false);
    if (this.colours) this.colour(this);
    if (this.lines) this.join(this.lines);
  }

  fill(name, array, target = this.gl.ARRAY_BUFFER) {
    this.gl.bindBuffer(target, this.buffers[name]);
    this.gl.bufferData(target, array, this.gl.DYNAMIC_DRAW);
  }

  /** Moves the points to new places (Float32Array, x and y in turn), or puts them there. */
  place(positions, animate = true) {
    const now = performance.now();
    const from = animate && this.target?.length === positions.length ? this.current(now) : positions;
    this.span = Math.min(MOVE, now - (this.since ?? 0));
    this.since = now;
    this.from = from;
    this.target = positions;
    this.count = positions.length / 2;
    this.moving = from === positions ? 1 : 0;
    if (this.gl) {
      this.fill("from", from);
      this.fill("to", positions);
    }
    this.index();
    this.draw();
  }

  /** Where the points are right now, while they move. */
  current(now) {
    const t = this.moving < 1 ? Math.min(1, (now - this.since) / this.span) : 1;
    if (t >= 1) return this.target;
    return this.target.map((to, i) => this.from[i] + t * (to - this.from[i]));
  }

  /** Colours the points: Uint8Array, red, green, blue and opacity in turn; those behind (Uint8Array) are drawn before the others. */
  colour({ colours, behind }) {
    const layers = new Uint32Array(behind.length);
    let at = 0;
    for (const each of [1, 0]) for (let i = 0; i < behind.length; i++) if (behind[i] === each) layers[at++] = i;
    Object.assign(this, { colours, behind, layers });
    if (this.gl) {
      this.fill("colour", colours);
      this.fill("layers", layers, this.gl.ELEMENT_ARRAY_BUFFER);
    }
    this.draw();
  }

  /** Joins points by lines: Uint32Array of two indices each, or null. */
  join(lines) {
    this.lines = lines;
    if (this.gl && lines) this.fill("line", lines, this.gl.ELEMENT_ARRAY_BUFFER);
    this.draw();
  }

  // ---- the view

  /** top: px of the height that something covers, which a whole map keeps clear of. */
  resize(width, height, top = 0) {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    Object.assign(this, { width, height, top, ratio });
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    this.draw();
  }

  get unit() {
    const [wide, high] = this.extent;
    return (MARGIN * Math.min(this.width / wide, (this.height - this.top) / high) * this.zoom) / 2; // screen pixels
  }

  /** The middle of what is not covered, where the view's centre lies. */
  get middle() {
    return [this.width / 2, (this.top + this.height) / 2];
  }

  toScreen(x, y) {
    const [across, down] = this.middle;
    return [across + (x - this.centre[0]) * this.unit, down - (y - this.centre[1]) * this.unit];
  }

  toMap(x, y) {
    const [across, down] = this.middle;
    return [this.centre[0] + (x - across) / this.unit, this.centre[1] - (y - down) / this.unit];
  }

  pan(dx, dy) {
    this.centre = [this.centre[0] - dx / this.unit, this.centre[1] + dy / this.unit];
    this.draw();
  }

  /** Zooms by a factor around a place of the screen. */
  zoomBy(factor, x, y) {
    const before = this.toMap(x, y);
    this.zoom = Math.min(FARTHEST, Math.max(0.4, this.zoom * factor));
    const after = this.toMap(x, y);
    this.centre = [this.centre[0] + before[0] - after[0], this.centre[1] + before[1] - after[1]];
    this.draw();
  }

  fit() {
    this.centre = [0, 0];
    this.zoom = 1;
    this.draw();
  }

  /** How much larger things are drawn than on a small screen. */
  get room() {
    return Math.min(1.5, Math.max(1, Math.sqrt((this.width * this.height) / ROOMY)));
  }

  get size() {
    const crowd = Math.max(2.2, Math.min(6.5, 210 / Math.sqrt(this.count + 1)));
    return Math.min(13, crowd * this.zoom ** 0.45) * this.room;
  }

  draw() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = undefined;
      this.paint();
    });
  }

  paint() {
    if (!this.width) return;
    const now = performance.now();
    if (this.moving < 1) this.moving = this.span > 0 ? Math.min(1, (now - this.since) / this.span) : 1;
    const { gl } = this;
    const known = this.count && this.colours?.length === 4 * this.count;
    if (gl) {
      gl.viewport(0, 0, this.canvas.width, this.canvas.height);
      gl.clearColor(0.043, 0.055, 0.078, 1);
      gl.clear(gl.COLOR_BUFFER_BIT);
      if (known) this.render(gl);
    } else if (known) this.rasterise(now);
    else this.raster.empty();
    this.drawn();
    if (this.moving < 1) this.draw();
  }

  /** The opacity of a line: of many, each is fainter, though never too faint to be seen; the nearer one looks, the fewer there are in view. */
  get faint() {
    return this.lines && Math.min(0.5, Math.max(0.08, 12 / Math.sqrt(this.lines.length / 2)) * Math.max(1, this.zoom) ** 0.4);
  }

  rasterise(now) {
    const { colours, layers, lines, faint, ratio, size } = this;
    const scale = this.unit * ratio;
    const [left, top] = this.toScreen(0, 0).map((value) => value * ratio);
    this.raster.draw({ places: this.current(now), colours, order: layers, size: size * ratio, lines, faint, left, right: scale, top, down: -scale });
  }

  render(gl) {
    const { at, uniform } = this;
    for (const name of ["from", "to"]) {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
      gl.enableVertexAttribArray(at[name]);
      gl.vertexAttribPointer(at[name], 2, gl.FLOAT, false, 0, 0);
    }
    gl.uniform1f(uniform.t, this.moving);
    gl.uniform1f(uniform.size, this.size * this.ratio);
    gl.uniform2f(uniform.centre, ...this.toMap(this.width / 2, this.height / 2));
    gl.uniform2f(uniform.scale, (2 * this.unit) / this.width, (2 * this.unit) / this.height);
    if (this.lines && this.wide) {
      gl.disableVertexAttribArray(at.colour);
      gl.vertexAttrib4f(at.colour, 0.8, 0.85, 0.92, this.faint);
      gl.uniform1f(uniform.disc, 0);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffers.line);
      gl.drawElements(gl.LINES, this.lines.length, gl.UNSIGNED_INT, 0);
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers.colour);
    gl.enableVertexAttribArray(at.colour);
    gl.vertexAttribPointer(at.colour, 4, gl.UNSIGNED_BYTE, true, 0, 0);
    gl.uniform1f(uniform.disc, 1);
    if (!this.wide) return gl.drawArrays(gl.POINTS, 0, this.count);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffers.layers);
    gl.drawElements(gl.POINTS, this.count, gl.UNSIGNED_INT, 0);
  }

  // ---- finding points: a grid of cells, each the indices of its points

  index() {
    const cells = (this.cells = Math.max(1, Math.min(256, Math.ceil(Math.sqrt(this.count / 3)))));
    const of = (v) => Math.min(cells - 1, Math.max(0, Math.floor(((v + 1) / 2) * cells)));
    this.cellOf = of;
    const starts = new Uint32Array(cells * cells + 1);
    const cell = new Uint32Array(this.count);
    for (let i = 0; i < this.count; i++) starts[(cell[i] = of(this.target[2 * i + 1]) * cells + of(this.target[2 * i])) + 1]++;
    for (let c = 0; c < cells * cells; c++) starts[c + 1] += starts[c];
    const next = starts.slice();
    const order = new Uint32Array(this.count);
    for (let i = 0; i < this.count; i++) order[next[cell[i]]++] = i;
    Object.assign(this, { starts, order });
  }

  /** The indices of up to k visible points nearest to a place of the map within a radius, with their squared distances. */
  near(x, y, radius, k) {
    const found = [];
    const [left, right, bottom, top] = [x - radius, x + radius, y - radius, y + radius].map(this.cellOf);
    for (let row = bottom; row <= top; row++) {
      for (let column = left; column <= right; column++) {
        const c = row * this.cells + column;
        for (let o = this.starts[c]; o < this.starts[c + 1]; o++) {
          const i = this.order[o];
          const distance = (this.target[2 * i] - x) ** 2 + (this.target[2 * i + 1] - y) ** 2;
          if (distance > radius * radius || !this.colours[4 * i + 3]) continue;
          if (found.length === k && distance >= found[k - 1].distance) continue;
          let at = found.length;
          while (at > 0 && found[at - 1].distance > distance) at--;
          found.splice(at, 0, { i, distance });
          if (found.length > k) found.pop();
        }
      }
    }
    return found;
  }

  /** The visible points within a polygon of the map, [[x, y], …]. */
  within(polygon) {
    const found = [];
    const xs = polygon.map(([x]) => x);
    const ys = polygon.map(([, y]) => y);
    const [left, right, bottom, top] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    for (let i = 0; i < this.count; i++) {
      const x = this.target[2 * i];
      const y = this.target[2 * i + 1];
      if (x < left || x > right || y < bottom || y > top || !this.colours[4 * i + 3]) continue;
      let inside = false;
      for (let a = 0, b = polygon.length - 1; a < polygon.length; b = a++) {
        const [ax, ay] = polygon[a];
        const [bx, by] = polygon[b];
        if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
      }
      if (inside) found.push(i);
    }
    return found;
  }
}
