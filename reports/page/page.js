
"use strict";
// a table is sorted by the heading clicked: numbers first by value, then text
const worth = (text) => {
  const found = text.replaceAll(",", "").match(/-?\d+(\.\d+)?/);
  const nudge = { "<": -1e-6, ">": 1e-6 }[text.trim()[0]] ?? 0;
  return found ? Number(found[0]) + nudge : null;
};
const compare = (a, b) => {
  const [x, y] = [worth(a), worth(b)];
  return x === null || y === null ? a.localeCompare(b) : x - y;
};
for (const heading of document.querySelectorAll("thead th")) {
  const button = document.createElement("button");
  button.append(...heading.childNodes);
  heading.append(button);
  button.addEventListener("click", () => {
    const place = heading.cellIndex;
    const body = heading.closest("table").tBodies[0];
    const turn = (heading.ariaSort ?? (place ? "ascending" : "descending")) === "ascending" ? -1 : 1;
    const cell = (row) => row.cells[place].textContent;
    const order = place ? compare : (a, b) => a.localeCompare(b);
    body.append(...[...body.rows].sort((a, b) => turn * order(cell(a), cell(b))));
    for (const other of heading.parentNode.cells) other.ariaSort = null;
    heading.ariaSort = turn > 0 ? "ascending" : "descending";
  });
}
// a chart is drawn anew, live, when it comes near: to pick a series, click its name in the legend
// a size stands in the spec as {"$size": name}, which no text of the data can be
const filled = (node, sizes) => {
  if (node === null || typeof node !== "object") return node;
  if (Object.hasOwn(node, "$size")) return sizes[node.$size];
  if (Array.isArray(node)) return node.map((one) => filled(one, sizes));
  return Object.fromEntries(Object.entries(node).map(([key, one]) => [key, filled(one, sizes)]));
};
const sized = (spec, width) => {
  const columns = width < 500 ? 2 : 4;
  const sizes = { // as in chart.py
    width: width - 4, room: width - 90, plain: width - 30, columns,
    cell: Math.floor((width - 24 * columns) / columns),
  };
  return filled(JSON.parse(spec), sizes);
};
const drawn = new WeakMap();
const draw = async (figure) => {
  const width = Math.round(figure.clientWidth);
  if (!width || drawn.get(figure)?.width === width) return;
  const before = drawn.get(figure)?.view;
  drawn.set(figure, { width });
  const place = figure.querySelector(".live");
  // ast: expressions are interpreted, for the page lets none be compiled
  const options = { ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip: false };
  const spec = sized(figure.querySelector("script").textContent, width);
  spec.description = figure.getAttribute("aria-label");
  const fresh = document.createElement("div");
  place.append(fresh);
  const { view } = await vegaEmbed(fresh, spec, options);
  before?.finalize();
  place.replaceChildren(fresh);
  drawn.set(figure, { width, view });
  figure.classList.add("drawn");
};
const near = new IntersectionObserver((seen) => {
  for (const one of seen) if (one.isIntersecting) draw(one.target);
}, { rootMargin: "400px" });
const resized = new ResizeObserver((seen) => {
  for (const one of seen) if (drawn.has(one.target)) draw(one.target);
});
for (const figure of document.querySelectorAll("figure")) {
  near.observe(figure);
  resized.observe(figure);
}
// what a mark says, beside the pointer
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
// paper has nothing to click
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details.table:not([open])")];
  for (const one of closed) one.open = true;
});
addEventListener("afterprint", () => closed.forEach((one) => (one.open = false)));
