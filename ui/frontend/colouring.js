// What points are coloured by: columns of values, their colours, and what a legend says of them.

const GREY = [104, 114, 128];
const LIT = [255, 214, 102];
const GROUND = [11, 14, 20]; // what points lie on, as in map.css
const VISIBLE = 215; // opacity of a point, of 255
// How much of its colour a point keeps that is not in focus. It is mixed into the ground and not made transparent: of many
// transparent points in one place the opacities would add up.
const BACK = 0.17;
const UNLIT = 0.35; // the same where values are too many for a colour each and one is lit

const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** The columns that points of these maps may be coloured by; own: those of a person's own. */
export function columnsOf(info, own) {
  const columns = info.factors.map((factor) => ({ ...factor, id: factor.name, title: factor.name, source: "label" }));
  if (info.given.length > 1) columns.push({ id: "modality", title: "modality", kind: "few", values: info.given.map((names) => names.join(" + ")), source: "giver", each: "code" });
  columns.push({ id: "kl", title: "KL, nats", kind: "from", unit: "", source: "kl", each: "code", clipped: true });
  if (info.pictured) columns.push({ id: "error", title: "reconstruction error", kind: "from", unit: "", source: "later", each: "code", clipped: true });
  if (info.pictured && info.readable) columns.push({ id: "verdict", title: "what readers see", kind: "few", values: ["shared factor lost", "all kept"], source: "later", each: "code" });
  const titles = new Set(columns.map(({ title }) => title));
  return [...columns, ...own.map((column) => (titles.has(column.title) ? { ...column, title: `${column.title} (own)` } : column))];
}

const known = (value) => !Number.isNaN(value);

/** A column with its values and the range its colours span. */
export function filled(column, values, colours) {
  let range = column.clipped ? percentiles(values) : [column.low, column.high];
  if (column.clipped && column.kind === "around") range = [-1, 1].map((sign) => sign * Math.max(...range.map(Math.abs)));
  const palette = colours[column.id] ?? colours[column.kind] ?? [];
  const counts = column.kind === "few" ? column.values.map(() => 0) : [];
  if (counts.length) for (const value of values) if (known(value)) counts[value]++;
  return { ...column, data: values, low: range[0], high: range[1], palette: palette.map(rgb), hex: palette, counts };
}

function percentiles(values) {
  const sorted = Float32Array.from(values).filter(known).sort();
  if (!sorted.length) return [0, 1];
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  return [at(0.01), at(0.99)];
}

/** The colour of one value. */
export function shade(column, value) {
  if (!known(value)) return GREY;
  if (column.kind === "few" || column.kind === "many") return column.palette[value % column.palette.length];
  const t = Math.min(1, Math.max(0, (value - column.low) / (column.high - column.low || 1))) * (column.palette.length - 1);
  const i = Math.min(column.palette.length - 2, Math.floor(t));
  return column.palette[i].map((c, k) => c + (t - i) * (column.palette[i + 1][k] - c));
}

/**
 * The colours of all points, Uint8Array of red, green, blue, opacity; and which of them are not in focus, Uint8Array.
 *
 * hidden: classes that are switched off; lit: a class in focus or null; picked(i): how far a point is selected, 0 to 1, or null.
 */
export function paintAll(column, { hidden, lit, picked }) {
  const n = column.data.length;
  const colours = new Uint8Array(4 * n);
  const behind = new Uint8Array(n);
  const visible = n > 20000 ? VISIBLE - 50 : VISIBLE;
  const back = column.kind === "many" && !picked ? UNLIT : BACK;
  for (let i = 0; i < n; i++) {
    const value = column.data[i];
    if (column.kind === "few" && hidden.has(value)) continue;
    const focus = known(value) && (lit === null || value === lit) ? (picked?.(i) ?? 1) : 0;
    const colour = column.kind === "many" && lit !== null && value === lit ? LIT : shade(column, value);
    for (let k = 0; k < 3; k++) colours[4 * i + k] = GROUND[k] + (back + (1 - back) * focus) * (colour[k] - GROUND[k]);
    colours[4 * i + 3] = visible;
    behind[i] = focus < 1;
  }
  return { colours, behind };
}

/** The same for points of which nothing is known yet. */
export function paintGrey(n) {
  const colours = new Uint8Array(4 * n);
  for (let at = 0; at < 4 * n; at++) colours[at] = GREY[at % 4] ?? VISIBLE;
  return { colours, behind: new Uint8Array(n) };
}

/** A value of a column as a person reads it. */
export function say(column, value) {
  if (!known(value)) return "–";
  if (column.values?.length) return String(column.values[value]);
  if (column.unit === "°") return `${Math.round(value) ? (value < 0 ? "−" : "+") : ""}${Math.abs(value).toFixed(0)}°`;
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 1 ? 2 : 4;
  return `${value < 0 ? "−" : ""}${Math.abs(value).toFixed(digits)}${column.unit ? ` ${column.unit}` : ""}`;
}
