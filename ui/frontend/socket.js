// The live path's client: codes out, pictures in. ui/live.py describes the messages.

import { mix } from "./dom.js";

const HEADER = 8;
const DRAG = 0;
const STRIP = 1;
const READINGS = 1; // flags of a request: with readings, not decoded together with others' codes
const ALONE = 2;
const TOGETHER = 4; // of a reply: was decoded together with others' codes, a pixel may be one level off
const IN_FLIGHT = 3; // drags unanswered at a time: enough to hide the way there and back, few enough to stay current
const STRIPS_IN_FLIGHT = 2;
const STRIP_CODES = 8;
const FORESEEN = 16; // pictures kept of codes that may be shown next
const STRIP_PAUSE = 10; // ms between strips: the server bounds requests a second
const QUIET = 120; // ms after a drag's last code before strips go on: they never compete with it
const READ_EVERY = 50; // ms between readings of a drag's pictures: gauges are for the eye, which reads no more figures than that
const SLOW = 100; // ms that an answer takes on average, from which on the panel draws as little as it can
const BACKOFF = [250, 500, 1000, 2000, 4000];
const HOPELESS = 4; // failures without an answer between, after which pictures come by reruns, while trying goes on
const UNKNOWN_MODEL = 4404;
const TICK = 1000; // ms
const SILENCE = 10; // ticks without a word from the server while it owes an answer, after which the connection is taken for lost
const LONGEST = 160; // ticks: the silence borne doubles each time, so that a server that is only slow is not left for ever

/**
 * A connection to the live route for one model of these weights, which comes back by itself.
 *
 * on.pictures({images, readings, ms}): the newest drag's pictures, one Uint8Array for each modality, and readings where they came too.
 * on.status(state, text): "connecting", "live", "lost", "fallback", "refused", or "replaced" where the model has other weights than these.
 */
export class Live {
  constructor(url, model, digest, on) {
    Object.assign(this, { url, model, digest, on });
    this.id = 0;
    this.failures = 0;
    this.newest = null;
    this.code = null; // the last one asked for
    this.readAt = -Infinity; // when readings were last asked for
    this.unread = false; // whether the last code's pictures were asked for without
    this.together = false; // whether the pictures shown last were decoded together with others' codes
    this.alone = false; // whether the newest code must not be
    this.sent = new Map(); // drags in flight: id -> when
    this.shown = 0;
    this.lag = 0; // ms that answers take, the newest counting most
    this.lastDrag = 0;
    this.moving = false; // whether the last code came soon after another, as in a drag: then readings can come with pictures
    this.ahead = []; // codes that may be shown next
    this.foreseen = new Map(); // their pictures, each decoded alone: text of the code -> images
    this.jobs = []; // strips waiting: {codes, from, deliver, cancelled}
    this.strips = new Map(); // strips in flight: id -> {job, at, count}
    this.hello = null;
    this.borne = SILENCE;
    this.open();
  }

  open() {
    this.on.status(this.hopeless ? "fallback" : "connecting", "");
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(JSON.stringify({ model: this.model }));
    socket.onmessage = (event) => {
      this.silent = 0;
      if (typeof event.data === "string") return this.greeted(JSON.parse(event.data));
      this.borne = SILENCE;
      this.answered(event.data);
    };
    socket.onclose = (event) => this.lost(event);
    this.socket = socket;
    this.silent = 0;
    this.watching = setInterval(() => this.watch(), TICK);
  }

  /** Leaves a connection that is silent though it seems open; ticks are counted, since a tab asleep hears nothing either. */
  watch() {
    const owed = !this.hello || this.sent.size || this.strips.size;
    this.silent = owed ? this.silent + 1 : 0;
    if (this.silent < this.borne) return;
    this.borne = Math.min(2 * this.borne, LONGEST);
    this.leave();
  }

  leave(state) {
    const { socket } = this;
    socket.onopen = socket.onmessage = socket.onclose = null; // it may learn of its end only much later
    socket.close();
    this.lost({ reason: "" }, state);
  }

  greeted(hello) {
    if (hello.digest !== this.digest) return this.leave("replaced");
    this.hello = hello;
    this.sizes = hello.pictures.map(({ shape }) => shape.reduce((a, b) => a * b));
    this.width = hello.readings.reduce((sum, reading) => sum + reading.size, 0);
    if (this.hopeless && this.code) this.ask(this.code); // a greeting alone was no proof before: its answer is
    else this.on.status("live", "");
    this.pump();
    this.readLast(); // what a lost connection left unread
    this.pumpStrips();
  }

  lost(event, state = null) {
    if (this.closed) return;
    clearInterval(this.watching);
    this.hello = null;
    this.sent.clear();
    for (const { job, at } of this.strips.values()) {
      job.from = Math.min(at, job.from);
      if (!this.jobs.includes(job)) this.jobs.unshift(job); // itself, not a copy: its cancellation must reach it
    }
    this.strips.clear();
    if (event.code === UNKNOWN_MODEL) return this.on.status("refused", event.reason);
    this.failures += 1;
    this.on.status(state ?? (this.hopeless ? "fallback" : "lost"), event.reason);
    this.retry = setTimeout(() => this.open(), BACKOFF[Math.min(this.failures - 1, BACKOFF.length - 1)]);
  }

  close() {
    this.closed = true;
    clearInterval(this.watching);
    clearTimeout(this.retry);
    clearTimeout(this.later);
    clearTimeout(this.reading);
    this.socket.close();
  }

  get hopeless() {
    return this.failures >= HOPELESS;
  }

  /** Whether a drag's newest code was not answered yet. */
  get waiting() {
    return Boolean(!this.hello || this.newest || this.sent.size || this.unread || this.together);
  }

  /** Whether pictures come so late that every other frame drawn here, and every reading, keeps them waiting. */
  get slow() {
    return Boolean(this.hello) && this.lag > SLOW;
  }

  /** Asks for the pictures of a code (Float32Array); of codes asked for faster than answered, the newest. */
  show(code) {
    const now = performance.now();
    this.moving = now - this.lastDrag < READ_EVERY;
    this.lastDrag = now;
    this.ahead = [];
    const images = this.hello && this.foreseen.get(code.join());
    if (images) this.recall(code.slice(), images);
    else this.ask(code.slice());
  }

  /** Shows pictures that are here already; what is still on its way is of older codes. */
  recall(code, images) {
    Object.assign(this, { code, newest: null, shown: this.id, together: false, unread: this.width > 0 });
    this.on.pictures({ images, readings: null, ms: 0 });
    this.readLast();
  }

  /** Asks, when nothing else is on its way, for the pictures of codes that may be shown next, the likeliest first. */
  foresee(codes) {
    this.ahead = codes;
    this.pumpAhead();
  }

  pumpAhead() {
    while (this.hello && this.ahead.length && !this.slow && !this.newest && !this.sent.size && this.strips.size < STRIPS_IN_FLIGHT) {
      const code = this.ahead.shift();
      const key = code.join();
      if (this.foreseen.has(key)) continue;
      const job = { codes: [code], from: 1, deliver: (_, images) => this.keep(key, images) };
      this.strips.set(this.send(STRIP, [code], 0), { job, at: 0, count: 1 });
    }
  }

  keep(key, images) {
    this.foreseen.set(key, images);
    if (this.foreseen.size > FORESEEN) this.foreseen.delete(this.foreseen.keys().next().value);
  }

  ask(code, alone = false) {
    this.newest = this.code = code;
    this.alone = alone;
    this.pump();
  }

  pump() {
    if (!this.hello || !this.newest || this.sent.size >= IN_FLIGHT) return;
    const now = performance.now();
    // the pictures of a single press do not wait for their readings, which are asked for right after
    const read = this.width > 0 && (this.moving || this.alone) && now - this.readAt >= (this.slow ? 2 * this.lag : READ_EVERY);
    if (read) this.readAt = now;
    this.unread = this.width > 0 && !read;
    this.sent.set(this.send(DRAG, [this.newest], (read && READINGS) | (this.alone && ALONE)), now);
    this.newest = null;
  }

  /** Has the pictures at which a drag came to rest read too, and decoded alone, where they were not. */
  readLast() {
    clearTimeout(this.reading);
    const owed = () => (this.unread || this.together) && !this.newest && !this.sent.size;
    if (owed()) this.reading = setTimeout(() => owed() && this.ask(this.code, true), READ_EVERY - (performance.now() - this.readAt));
  }

  /** Asks for the pictures of several codes when nothing is dragged; deliver(index, images) for each. Returns how to cancel. */
  strip(codes, deliver) {
    const job = { codes, from: 0, deliver, cancelled: false };
    this.jobs.unshift(job); // what was asked for last is what the person looks at
    this.pumpStrips();
    return () => {
      job.cancelled = true;
    };
  }

  pumpStrips() {
    clearTimeout(this.later);
    this.jobs = this.jobs.filter((job) => !job.cancelled && job.from < job.codes.length);
    if (!this.hello || !this.jobs.length || this.strips.size >= STRIPS_IN_FLIGHT) return;
    const quiet = performance.now() - this.lastDrag;
    if (quiet < QUIET || this.sent.size) {
      this.later = setTimeout(() => this.pumpStrips(), QUIET - Math.min(quiet, QUIET - 5));
      return;
    }
    const job = this.jobs[0];
    const count = Math.min(STRIP_CODES, this.hello.max_codes, job.codes.length - job.from);
    const id = this.send(STRIP, job.codes.slice(job.from, job.from + count), 0);
    this.strips.set(id, { job, at: job.from, count });
    job.from += count;
    this.later = setTimeout(() => this.pumpStrips(), STRIP_PAUSE);
  }

  send(lane, codes, flags) {
    const id = ++this.id;
    const dims = this.hello.dims;
    const message = new ArrayBuffer(HEADER + 4 * dims * codes.length);
    const view = new DataView(message);
    view.setUint32(0, id, true);
    view.setUint8(4, lane);
    view.setUint8(5, flags);
    view.setUint16(6, codes.length, true);
    codes.forEach((code, i) => code.forEach((value, d) => view.setFloat32(HEADER + 4 * (i * dims + d), value, true)));
    this.socket.send(message);
    return id;
  }

  answered(buffer) {
    const proof = this.hopeless;
    this.failures = 0;
    if (proof) this.on.status("live", "");
    const view = new DataView(buffer);
    const id = view.getUint32(0, true);
    const count = view.getUint16(6, true);
    const pictures = [];
    let at = HEADER + 4;
    for (let i = 0; i < count; i++) {
      pictures.push(this.sizes.map((size) => new Uint8Array(buffer, (at += size) - size, size)));
    }
    if (view.getUint8(4) === STRIP) return this.stripAnswered(id, pictures);
    const wait = performance.now() - (this.sent.get(id) ?? performance.now());
    this.lag = mix(this.lag || wait, wait, 0.2);
    for (const earlier of [...this.sent.keys()]) if (earlier <= id) this.sent.delete(earlier);
    if (id > this.shown && !proof) { // a proof's pictures are of a code from before
      this.shown = id;
      this.together = Boolean(view.getUint8(5) & TOGETHER);
      // a copy, since readings need not lie at a multiple of four bytes
      const readings = at < buffer.byteLength ? new Float32Array(buffer.slice(at)) : null;
      this.on.pictures({ images: pictures[0], readings, ms: view.getFloat32(HEADER, true) });
    }
    this.pump();
    this.readLast();
    this.pumpAhead();
  }

  stripAnswered(id, pictures) {
    const flight = this.strips.get(id);
    this.strips.delete(id);
    if (flight && !flight.job.cancelled) pictures.forEach((images, i) => flight.job.deliver(flight.at + i, images));
    this.pumpAhead();
    this.pumpStrips();
  }
}
