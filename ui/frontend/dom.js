// Elements, numbers, and how a panel gets onto the page: what every part of the panels needs.

const SVG = "http://www.w3.org/2000/svg";

/** An element with properties and children. `class`, `aria-…`, `data-…` and roles become attributes, on… listeners. */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && !name.includes("-") && name !== "list") node[name] = value;
    else node.setAttribute(name === "class" ? "class" : name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** The same for SVG, where everything is an attribute. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** A button that says what it does. */
export function button(label, title, onclick, properties = {}) {
  return el("button", { type: "button", class: "button", title, onclick, ...properties }, label);
}

/** A dimension in words: "z I 1", of a code that is one block "z 1". */
export function named(letter, index) {
  return ["z", letter, index + 1].filter(Boolean).join(" ");
}

/** "z" with its block's letter below it: z_I 1. */
export function symbol(letter, index) {
  return el("span", { class: "symbol" }, "z", el("sub", {}, letter), index === undefined ? "" : String(index + 1));
}

/**
 * Hands Streamlit's newest data and theme to the widget on its element, made at the first call; what the person did there stays.
 * Streamlit also cleans up after a call that a newer one overtook: only an element that left the page is the end.
 */
export function mount(component, Widget) {
  const host = component.parentElement;
  host.widget ??= new Widget(host);
  host.widget.receive(component);
  return () =>
    setTimeout(() => {
      if (host.isConnected || !host.widget) return;
      host.widget.destroy();
      host.widget = null;
    }, 0);
}

/** Marks an element as dark or light. Streamlit's colours are custom properties; whether they are dark, the style sheet cannot tell. */
export function wearTheme(root) {
  const probe = el("i", { style: "color: var(--st-background-color)" });
  root.append(probe);
  const [red, green, blue] = getComputedStyle(probe).color.match(/[\d.]+/g).map(Number);
  probe.remove();
  root.dataset.theme = red + green + blue < 382 ? "dark" : "light";
}

export const signed = (value, digits = 2) => (value <= -0.5 / 10 ** digits ? "−" : "+") + Math.abs(value).toFixed(digits);
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
export const mix = (a, b, t) => a + (b - a) * t;
export const ease = (t) => (t < 0.5 ? 2 * t * t : 1 - (2 - 2 * t) ** 2 / 2);
