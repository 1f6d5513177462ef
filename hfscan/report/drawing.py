"""Draw charts with Vega-Lite, from the specs in `reports/charts/`, for pages and as files.

`KIND.json` is a Vega-Lite spec in which `$x` stands for a channel's column; encodings whose channel
is not given are removed. Colours are CSS variables of the page, so that one drawing serves light,
dark and print; SVG and PNG files have the light colours. Each mark has its numbers as text.
"""

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from hfscan.paths import data_dir
from hfscan.report.model import Row
from hfscan.text import encode_json

_SVG = "http://www.w3.org/2000/svg"
_ELEMENTS = {"svg", "g", "path", "line", "text", "tspan"}
_COORDINATES = set("d dx dy height transform width x x1 x2 y y1 y2".split())
_ATTRIBUTES = _COORDINATES | set(
    "aria-label fill fill-opacity font-family font-size font-style font-weight opacity role stroke "
    "stroke-dasharray stroke-linecap stroke-width text-anchor viewBox".split()
)
_VEGA_LITE = "https://vega.github.io/schema/vega-lite/v6.json"
VEGA_LITE_VERSION = "6.4"
_COLORS = tuple(f"var(--s{number})" for number in range(1, 11))
_GREYS = ("var(--s11)", "var(--s12)", "var(--s13)")
_MARKS = {
    "agree": ("var(--s1)", "circle"),
    "outputs differ": ("var(--bad)", "triangle-up"),
    "weights differ": ("var(--s2)", "diamond"),
    "tokens differ": ("var(--s3)", "square"),
    "not judged": ("var(--s5)", "cross"),
    "loads incompletely": ("var(--s7)", "cross"),
    "does not load": ("var(--s8)", "cross"),
    "not finite": ("var(--s6)", "cross"),
    "no class": ("var(--s9)", "cross"),
    "baseline, unchecked": ("var(--s11)", "stroke"),
    "not applicable": ("var(--s12)", "stroke"),
    "unsupported": ("var(--s13)", "stroke"),
}
"""Verdict of parity -> its colour and shape in every chart; others get the next colour."""
_COLOR_OF = {
    **{verdict: color for verdict, (color, _) in _MARKS.items()},
    **dict(zip(("framework unknown", "no weights", "files unknown"), _GREYS, strict=True)),
    **dict(zip(("(none)", "(unknown)", "(other)"), _GREYS, strict=True)),
}
"""What is not known or not named is grey in every chart."""

_PERIOD_LABEL = (
    "slice(datum.label, 4, 5) != '-' || slice(datum.label, 5, 6) == 'Q'"
    " ? split(datum.label, ' ')[0]"
    " : slice(datum.label, 5, 7) == '01' ? slice(datum.label, 0, 4)"
    " : monthAbbrevFormat(+slice(datum.label, 5, 7) - 1)"
)
"""Vega expression: the short name of a month, but the year for January; others without a span."""

WIDTH = 680
"""CSS pixels of a drawing on a desktop and in files."""
_MARGIN = 16  # CSS pixels around a drawing in a file


@dataclass(frozen=True)
class Chart:
    """A section's chart and its text alternative. SVGs are rendered on first use.

    `title` and `subtitle`: of the chart in a file, where the page has them beside it.
    """

    alt: str
    caption: str
    kind: str
    channels: Mapping[str, Any]
    rows: Sequence[Row]
    title: str = ""
    subtitle: str = ""

    @property
    def vega_spec(self) -> str:
        """The spec for the browser, as JSON that is safe in HTML.

        The page replaces `{"$size": name}`, an object, which no text in the data can be.
        """
        spec = self._spec({name: {"$size": name} for name in _sizes(0)})
        spec["usermeta"] = {"title": {**self._title, "anchor": "start", "frame": "bounds"}}
        return encode_json(spec, indent=None).replace("<", "\\u003c")

    def svg(self, width: int) -> str:
        """Return the SVG element for a width in CSS pixels."""
        return _render(encode_json(self._spec(_sizes(width)), indent=None))

    @property
    def document(self) -> str:
        """The drawing as an SVG document, with its title and light colours."""
        head, _, body = self.svg(WIDTH).partition(">")
        width, height = map(float, head.partition('viewBox="0 0 ')[2].partition('"')[0].split())
        title, title_height = _draw_title(**self._title)
        # a title may be wider than its chart
        width, height = max(width, WIDTH) + 2 * _MARGIN, height + title_height + 2 * _MARGIN
        return _resolve_colors(
            f'<svg xmlns="{_SVG}" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
            f'height="{height:g}"><path d="M0,0h{width:g}v{height:g}h-{width:g}z" '
            f'fill="var(--paper)" /><g transform="translate({_MARGIN},{_MARGIN})">{title}'
            f'<g transform="translate(0,{title_height:g})">{body.removesuffix("</svg>")}</g></g>'
            "</svg>\n"
        )

    def render(self, format_: str) -> str | bytes:
        """Return the document as svg, or as png with two pixels for each CSS pixel."""
        if format_ == "svg":
            return self.document
        import vl_convert  # noqa: PLC0415 - slow to import

        return bytes(vl_convert.svg_to_png(self.document, scale=2))

    @property
    def _title(self) -> dict[str, list[str]]:
        lines = {"text": textwrap.wrap(self.title, 72)}
        return lines | {"subtitle": textwrap.wrap(self.subtitle, 100)}

    def _spec(self, sizes: Mapping[str, Any]) -> dict[str, Any]:
        facets = dict.fromkeys(row.get(self.channels.get("of", "")) for row in self.rows)
        colors = [
            _COLOR_OF.get(name, _COLORS[index % len(_COLORS)])
            for index, name in enumerate(self.channels["series"])
        ]
        shapes = [_MARKS.get(name, ("", "cross"))[1] for name in self.channels["series"]]
        marks = {"colors": colors, "shapes": shapes}
        values = {**self.channels, "facets": list(facets), **marks, **sizes}
        values["period_label"] = _PERIOD_LABEL
        spec: dict[str, Any] = _substitute(load_template(self.kind), values)
        spec["config"] = _substitute(load_template("config"), values)
        if "$schema" in spec:  # Vega, for what Vega-Lite cannot describe
            spec["data"][0]["values"] = self.rows
            return spec
        spec |= {"$schema": _VEGA_LITE, "data": {"values": self.rows}}
        if isinstance(spec.get("height"), int):  # an axis beside the plot takes from its width
            spec["autosize"] = {"type": "fit-x", "contains": "padding"}
        return spec


def _sizes(width: int) -> dict[str, Any]:
    """Return what a spec derives from the available width; page.js has the same rules."""
    is_narrow = width < 500
    columns = 2 if is_narrow else 4
    sizes = {
        "width": width - 4,
        "inner_width": width - 90,
        "axis_width": width - 30,
        "columns": columns,
        "facet_width": (width - 24 * columns) // columns,
        "legend_label": max(140, width // columns - 38),
    }
    if is_narrow:  # labels above their dots
        dots = {"label_align": "left", "label_x": 0, "label_width": width - 20, "label_dy": -7}
        return sizes | dots | {"dot_width": width - 75, "dot_step": 38, "dot_dy": 9}
    label_width = width * 34 // 100
    dots = {"label_align": "right", "label_x": -10, "label_width": label_width, "label_dy": 0}
    return sizes | dots | {"dot_width": width - label_width - 75, "dot_step": 26, "dot_dy": 0}


def read_page_file(name: str) -> str:
    return (data_dir("reports") / "page" / name).read_text(encoding="utf-8")


def _draw_title(text: Sequence[str], subtitle: Sequence[str]) -> tuple[str, float]:
    """Return a title as SVG text, in the style of the specs, and its height.

    Vega would draw the whole chart again for it.
    """
    config = load_template("config")
    style = config["title"]
    parts: list[str] = []
    height = 0.0
    for lines, size, weight, color, line_height in (
        (text, "fontSize", style["fontWeight"], "color", "lineHeight"),
        (subtitle, "subtitleFontSize", "normal", "subtitleColor", "subtitleLineHeight"),
    ):
        if parts and lines:
            height += style["subtitlePadding"]
        for line in lines:
            parts.append(
                f'<text y="{height + style[size]:g}" font-family={quoteattr(config["font"])} '
                f'font-size="{style[size]}px" font-weight="{weight}" fill="{style[color]}">'
                f"{escape(line)}</text>"
            )
            height += style[line_height]
    return "".join(parts), height + style["offset"] if parts else 0


@cache
def _light_colors() -> Mapping[str, str]:
    """Return the variables of the light theme -> their colours."""
    light, _, _ = read_page_file("style.css").partition("@media")
    return dict(re.findall(r"--([\w-]+): (#\w+);", light))


def _resolve_colors(svg: str) -> str:
    colors = _light_colors()
    return _COLOR_ATTRIBUTE.sub(lambda match: f'{match[1]}="{colors[match[2]]}"', svg)


# not in text, which may hold quotes, but no angle brackets
_COLOR_ATTRIBUTE = re.compile(r'\b(fill|stroke)="var\(--([\w-]+)\)"(?=[^<>]*>)')


@lru_cache(maxsize=64)  # formats share drawings
def _render(spec: str) -> str:
    import vl_convert  # noqa: PLC0415 - slow to import, and only charts need it

    if json.loads(spec)["$schema"] == _VEGA_LITE:
        return _clean_svg(vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE_VERSION))
    return _clean_svg(vl_convert.vega_to_svg(spec))


@cache
def load_template(name: str) -> Any:
    """Return a spec of `reports/charts/`."""
    return json.loads((data_dir("reports") / "charts" / f"{name}.json").read_text(encoding="utf-8"))


def _substitute(node: Any, values: Mapping[str, Any]) -> Any:
    """Return the template with every `$name` replaced, and without encodings not requested."""
    if isinstance(node, dict):
        return {
            key: _substitute(value, values)
            for key, value in node.items()
            if _is_requested(value, values)
        }
    if isinstance(node, list):
        return [_substitute(item, values) for item in node if _is_requested(item, values)]
    if isinstance(node, str):
        if node[:1] == "$" and node[1:] in values:
            return values[node[1:]]
        return re.sub(r"\$(\w+)", lambda match: str(values.get(match[1], match[0])), node)
    return node


def _is_requested(node: Any, values: Mapping[str, Any]) -> bool:
    field = node.get("field", "") if isinstance(node, dict) else ""
    return not (isinstance(field, str) and field[:1] == "$" and field[1:] not in values)


def _clean_svg(svg: str) -> str:
    """Return the drawing reduced to shapes and text: no script, style or link."""
    root = ElementTree.fromstring(svg)  # noqa: S314 - Vega's own output
    _prune(root)
    width, height = root.attrib.pop("width"), root.attrib["height"]
    root.attrib.pop("height")
    root.attrib |= {"viewBox": f"0 0 {width} {height}", "width": width, "height": height}
    ElementTree.register_namespace("", _SVG)
    return ElementTree.tostring(root, encoding="unicode")


def _prune(node: ElementTree.Element) -> None:
    for child in list(node):
        name = child.tag.removeprefix(f"{{{_SVG}}}")
        is_hidden = child.get("display") == "none" or child.get("class") == "background"
        if name not in _ELEMENTS or is_hidden or child.get("opacity") == "0":
            node.remove(child)
        else:
            _prune(child)
    is_mark = node.get("aria-roledescription") in ("bar", "rule", "tick", "point", "flow")
    attributes = {key: node.attrib[key] for key in node.attrib if key in _ATTRIBUTES}
    if not is_mark:  # axes and groups add nothing to the descriptions of the marks
        attributes.pop("aria-label", None)
        attributes.pop("role", None)
    if attributes.get("opacity") == "1":
        del attributes["opacity"]
    for key in attributes.keys() & _COORDINATES:  # hundredths of a pixel suffice
        attributes[key] = re.sub(r"(\d+\.\d\d)\d+", r"\1", attributes[key])
    node.attrib.clear()
    node.attrib.update(attributes)
