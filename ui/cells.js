// Pictures in rows; a cell that carries a point opens it without leaving the session. With a modifier it is a plain link.

export default function ({ data, parentElement, setTriggerValue }) {
  const host = parentElement.querySelector(".cells") ?? parentElement.appendChild(Object.assign(document.createElement("div"), { className: "cells" }));
  host.onclick = (event) => {
    const link = event.target.closest?.("a[data-point]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    setTriggerValue("open", link.dataset.point);
  };
  if (host.content !== data.html) host.innerHTML = host.content = data.html;
}
