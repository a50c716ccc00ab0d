// A sheet to draw a digit on: strokes are kept as points of two bytes, and reported when the pen is lifted.
// Text: four hexadecimal digits a point (x, y from 0 to 255), a full stop between strokes; mmvae/inputs.py draws the same.

const PEN = 0.085; // width as a share of the sheet
const STEP = 4; // points nearer than this to the last one are left out
const MOST = 5900; // characters

export default function ({ data, parentElement, setStateValue }) {
  const host = parentElement.querySelector(".sheet") ?? build(parentElement);
  host.report = (text) => setStateValue("strokes", text);
  if (!host.drawing && host.given !== data.strokes) {
    host.given = data.strokes;
    host.strokes = parse(data.strokes);
  }
  paint(host);
}

function build(parentElement) {
  const host = document.createElement("div");
  host.className = "sheet";
  host.innerHTML = `<canvas width="512" height="512" role="img" aria-label="Draw a digit here"></canvas><p>draw a digit</p>
    <div><button type="button" data-does="undo">Undo</button><button type="button" data-does="clear">Clear</button></div>`;
  parentElement.appendChild(host);
  host.strokes = [];
  const canvas = host.querySelector("canvas");
  canvas.onpointerdown = (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    host.drawing = true;
    host.strokes.push([position(canvas, event)]);
    paint(host);
  };
  canvas.onpointermove = (event) => {
    if (!host.drawing) return;
    const stroke = host.strokes.at(-1);
    for (const each of event.getCoalescedEvents?.() ?? [event]) {
      const [x, y] = position(canvas, each), [lastX, lastY] = stroke.at(-1);
      if (Math.hypot(x - lastX, y - lastY) >= STEP && text(host.strokes).length < MOST) stroke.push([x, y]);
    }
    paint(host);
  };
  canvas.onpointerup = canvas.onpointercancel = () => {
    if (!host.drawing) return;
    host.drawing = false;
    tell(host);
  };
  host.querySelector("div").onclick = (event) => {
    const does = event.target.dataset.does;
    if (!does || !host.strokes.length) return;
    host.strokes = does === "undo" ? host.strokes.slice(0, -1) : [];
    paint(host);
    tell(host);
  };
  return host;
}

function tell(host) {
  host.given = text(host.strokes);
  host.report(host.given);
}

function position(canvas, event) {
  const box = canvas.getBoundingClientRect();
  const scaled = (at, from, size) => Math.min(255, Math.max(0, Math.round((255 * (at - from)) / size)));
  return [scaled(event.clientX, box.left, box.width), scaled(event.clientY, box.top, box.height)];
}

function paint(host) {
  const canvas = host.querySelector("canvas"), pen = canvas.getContext("2d"), scale = canvas.width / 255;
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.strokeStyle = "#fff";
  pen.lineWidth = PEN * canvas.width;
  pen.lineCap = pen.lineJoin = "round";
  for (const stroke of host.strokes) {
    pen.beginPath();
    pen.moveTo(stroke[0][0] * scale, stroke[0][1] * scale);
    for (const [x, y] of stroke.length > 1 ? stroke.slice(1) : stroke) pen.lineTo(x * scale, y * scale);
    pen.stroke();
  }
  host.classList.toggle("empty", !host.strokes.length);
}

const text = (strokes) => strokes.map((stroke) => stroke.flat().map((value) => value.toString(16).padStart(2, "0")).join("")).join(".");

function parse(strokes) {
  if (!strokes) return [];
  return strokes.split(".").map((stroke) => (stroke.match(/.{4}/g) ?? []).map((point) => [0, 2].map((at) => parseInt(point.slice(at, at + 2), 16))));
}
