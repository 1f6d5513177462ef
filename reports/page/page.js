
"use strict";
// sort a table by the clicked heading: numbers by value, then text
const sortValue = (text) => {
  const match = text.replaceAll(",", "").match(/-?\d+(\.\d+)?/);
  const offset = { "<": -1e-6, ">": 1e-6 }[text.trim()[0]] ?? 0;
  return match ? Number(match[0]) + offset : null;
};
const compare = (a, b) => {
  const [x, y] = [sortValue(a), sortValue(b)];
  return x === null || y === null ? a.localeCompare(b) : x - y;
};
for (const heading of document.querySelectorAll("thead th")) {
  const button = document.createElement("button");
  button.append(...heading.childNodes);
  heading.append(button);
  button.addEventListener("click", () => {
    const column = heading.cellIndex;
    const body = heading.closest("table").tBodies[0];
    const previous = heading.ariaSort ?? (column ? "ascending" : "descending");
    const sign = previous === "ascending" ? -1 : 1;
    const cell = (row) => row.cells[column].textContent;
    const order = column ? compare : (a, b) => a.localeCompare(b);
    body.append(...[...body.rows].sort((a, b) => sign * order(cell(a), cell(b))));
    for (const other of heading.parentNode.cells) other.ariaSort = null;
    heading.ariaSort = sign > 0 ? "ascending" : "descending";
  });
}
// replace a chart with an interactive one when it comes near; click a legend entry to show one series
// a size in the spec is {"$size": name}, an object, which no text in the data can be
const substitute = (node, sizes) => {
  if (node === null || typeof node !== "object") return node;
  if (Object.hasOwn(node, "$size")) return sizes[node.$size];
  if (Array.isArray(node)) return node.map((item) => substitute(item, sizes));
  return Object.fromEntries(
    Object.entries(node).map(([key, item]) => [key, substitute(item, sizes)])
  );
};
const specFor = (text, width) => {
  const columns = width < 500 ? 2 : 4;
  const sizes = { // as in charts.py
    width: width - 4, inner_width: width - 90, axis_width: width - 30, columns,
    facet_width: Math.floor((width - 24 * columns) / columns),
  };
  return substitute(JSON.parse(text), sizes);
};
const drawn = new WeakMap();
const draw = async (figure) => {
  const width = Math.round(figure.clientWidth);
  if (!width || drawn.get(figure)?.width === width) return;
  const previous = drawn.get(figure)?.view;
  drawn.set(figure, { width });
  const container = figure.querySelector(".live");
  // ast: interpret expressions, because the content security policy forbids compiling them
  const options = { ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip: false };
  const spec = specFor(figure.querySelector("script").textContent, width);
  spec.description = figure.getAttribute("aria-label");
  const element = document.createElement("div");
  container.append(element);
  const { view } = await vegaEmbed(element, spec, options);
  previous?.finalize();
  container.replaceChildren(element);
  drawn.set(figure, { width, view });
  figure.classList.add("drawn");
};
const near = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
}, { rootMargin: "400px" });
const resized = new ResizeObserver((entries) => {
  for (const entry of entries) if (drawn.has(entry.target)) draw(entry.target);
});
for (const figure of document.querySelectorAll("figure")) {
  near.observe(figure);
  resized.observe(figure);
}
// show the description of a mark beside the pointer
const hint = document.getElementById("hint");
addEventListener("pointermove", (event) => {
  const mark = event.target.closest?.("figure svg [aria-label]");
  hint.hidden = !mark;
  if (!mark) return;
  hint.textContent = mark.getAttribute("aria-label");
  const { offsetWidth, offsetHeight } = hint;
  hint.style.left = `${Math.max(4, Math.min(event.clientX + 12, innerWidth - offsetWidth - 8))}px`;
  hint.style.top = `${event.clientY > innerHeight / 2 ? event.clientY - offsetHeight - 12 : event.clientY + 18}px`;
});
// open all tables for printing
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details.table:not([open])")];
  for (const details of closed) details.open = true;
});
addEventListener("afterprint", () => closed.forEach((details) => (details.open = false)));
