
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
const sizesFor = (width) => { // as in drawing.py
  const isNarrow = width < 500;
  const columns = isNarrow ? 2 : 4;
  const labelWidth = Math.floor((width * 34) / 100);
  return {
    width: width - 4, inner_width: width - 90, axis_width: width - 30, columns,
    facet_width: Math.floor((width - 24 * columns) / columns),
    legend_label: Math.max(140, Math.floor(width / columns) - 38),
    ...(isNarrow // labels above their dots
      ? { label_align: "left", label_x: 0, label_width: width - 20, label_dy: -7, dot_width: width - 75, dot_step: 38, dot_dy: 9 }
      : { label_align: "right", label_x: -10, label_width: labelWidth, label_dy: 0, dot_width: width - labelWidth - 75, dot_step: 26, dot_dy: 0 }),
  };
};
const specFor = (text, width) => substitute(JSON.parse(text), sizesFor(width));
// ast: interpret expressions, because the content security policy forbids compiling them
const options = { ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip: false };
const drawn = new WeakMap();
const draw = async (figure) => {
  const width = Math.round(figure.clientWidth);
  if (!width || drawn.get(figure)?.width === width) return;
  const previous = drawn.get(figure)?.view;
  drawn.set(figure, { width });
  const container = figure.querySelector(".live");
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
// save a chart as a file, with its title and in the light colours of the style
const lightColors = new Map(
  document.querySelector("style").textContent.split("@media")[0].matchAll(/--([\w-]+): (#\w+);/g)
    .map(([, name, color]) => [name, color])
);
const save = async (section, format) => {
  const text = section.querySelector("figure script").textContent
    .replace(/var\(--([\w-]+)\)/g, (match, name) => lightColors.get(name) ?? match);
  const spec = specFor(text, 680);
  Object.assign(spec, { title: spec.usermeta.title, padding: 16, background: lightColors.get("paper") });
  const { view } = await vegaEmbed(document.createElement("div"), spec, options);
  const url = await view.toImageURL(format, format === "png" ? 3 : 1);
  view.finalize();
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: `${section.id}.${format}` });
  link.click();
};
for (const button of document.querySelectorAll("[data-save]")) {
  button.hidden = false;
  button.addEventListener("click", () => save(button.closest("section"), button.dataset.save));
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
