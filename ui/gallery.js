// Thumbnails to pick from: one sprite, a button each, picked at once and reported when the clicks rest.

const REST = 350; // milliseconds

export default function ({ data, parentElement, setTriggerValue }) {
  const host = parentElement.querySelector(".gallery") ?? parentElement.appendChild(Object.assign(document.createElement("div"), { className: "gallery" }));
  host.report = (picked) => setTriggerValue("picked", picked); // a state would not tell of the same pick again
  if (host.revision !== data.revision) {
    host.revision = data.revision;
    host.replaceChildren(...thumbnails(data, host));
    host.style.setProperty("--sprite", `url("${data.sprite}")`);
    host.style.setProperty("--columns", data.columns);
    host.style.setProperty("--aspect", data.aspect);
    host.style.maxHeight = `${data.height}px`;
    host.setAttribute("role", "group");
    host.setAttribute("aria-label", data.label);
  }
  if (!host.timer) host.picked = [...data.picked];
  mark(host, data.most);
}

function thumbnails(data, host) {
  const rows = Math.ceil(data.ids.length / data.columns);
  return data.ids.map((id, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.id = id;
    button.title = data.titles[i];
    button.setAttribute("aria-label", data.titles[i]);
    const share = (at, count) => (count > 1 ? (100 * at) / (count - 1) : 0);
    button.style.backgroundPosition = `${share(i % data.columns, data.columns)}% ${share(Math.floor(i / data.columns), rows)}%`;
    button.onclick = () => toggle(host, id, data.most);
    return button;
  });
}

function toggle(host, id, most) {
  if (most === 1) host.picked = [id];
  else if (host.picked.includes(id)) host.picked = host.picked.filter((other) => other !== id);
  else if (host.picked.length < most) host.picked.push(id);
  else return;
  mark(host, most);
  clearTimeout(host.timer);
  host.timer = setTimeout(() => {
    host.timer = 0;
    host.report(host.picked);
  }, most === 1 ? 0 : REST);
}

function mark(host, most) {
  for (const button of host.children) {
    const at = host.picked.indexOf(Number(button.dataset.id));
    button.setAttribute("aria-pressed", at >= 0);
    button.dataset.order = at >= 0 && most > 1 ? at + 1 : "";
    button.disabled = most > 1 && at < 0 && host.picked.length >= most;
  }
}
