"""Draw a section's numbers with Vega-Lite, from the specs in `reports/charts/`.

One line in the header of the query or in `report.toml` says what to draw:

    bar x=share y=author        KIND CHANNEL=COLUMN ...

`KIND.json` is a Vega-Lite spec in which `$x` stands for the column; encodings whose channel is not
given are removed. Colours are CSS variables and patterns of the page, so that one drawing serves
light, dark and print. Each mark has its numbers as text.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any
from xml.etree import ElementTree

from hfscan.paths import data_dir
from hfscan.report.format import (
    NOT_IN_SNAPSHOT,
    class_label,
    figure_label,
    format_cell,
    format_number,
    format_percent,
    format_range,
    format_share,
    format_value,
)
from hfscan.report.model import Report, Section
from hfscan.report.tables import OTHER_ONLY, row_label, visible_figures
from hfscan.text import encode_json, sanitize

Row = dict[str, Any]

_SVG = "http://www.w3.org/2000/svg"
_ELEMENTS = {"svg", "g", "path", "line", "text"}
_ATTRIBUTES = set(
    "aria-label d dx dy fill fill-opacity font-family font-size font-style font-weight height "
    "opacity role stroke stroke-dasharray stroke-linecap stroke-width text-anchor transform "
    "viewBox width x x1 x2 y y1 y2".split()
)
_VEGA_LITE = "https://vega.github.io/schema/vega-lite/v6.json"
_VERSION = "6.4"  # of Vega-Lite
_STROKES = (
    "var(--s1)",
    "var(--s2)",
    "var(--s4)",
    "var(--s3)",
    "var(--soft)",
    "var(--bad)",
    "var(--good)",
    "var(--warn)",
)
_FILLS = ("var(--s1)", *(f"url(#s{number})" for number in range(2, 9)))


@dataclass(frozen=True)
class Chart:
    """A section's chart and its text alternative. SVGs are rendered on first use."""

    alt: str
    caption: str
    kind: str
    channels: Mapping[str, Any]
    rows: Sequence[Row]

    @property
    def vega_spec(self) -> str:
        """The spec for the browser, as JSON that is safe in HTML.

        The page replaces `{"$size": name}`, an object, which no text in the data can be.
        """
        sizes = {name: {"$size": name} for name in _sizes(0)}
        return encode_json(self._spec(sizes), indent=None).replace("<", "\\u003c")

    def svg(self, width: int) -> str:
        """Return the SVG element for a width in CSS pixels."""
        return _render(encode_json(self._spec(_sizes(width)), indent=None))

    def _spec(self, sizes: Mapping[str, Any]) -> dict[str, Any]:
        facets = dict.fromkeys(row.get(self.channels.get("of", "")) for row in self.rows)
        fills = [_FILLS[index % len(_FILLS)] for index in range(len(self.channels["series"]))]
        strokes = [_STROKES[index % len(_STROKES)] for index in range(len(fills))]
        values = {
            **self.channels,
            "facets": list(facets),
            "fills": fills,
            "strokes": strokes,
            **sizes,
        }
        spec: dict[str, Any] = _substitute(_load_template(self.kind), values)
        spec["config"] = _substitute(_load_template("config"), values)
        if "$schema" in spec:  # Vega, for what Vega-Lite cannot describe
            spec["data"][0]["values"] = self.rows
            return spec
        spec |= {"$schema": _VEGA_LITE, "data": {"values": self.rows}}
        if isinstance(spec.get("height"), int):  # an axis beside the plot takes from its width
            spec["autosize"] = {"type": "fit-x", "contains": "padding"}
        return spec


def _sizes(width: int) -> dict[str, int]:
    """Return what a spec derives from the available width; page.js has the same rules."""
    columns = 2 if width < 500 else 4
    return {
        "width": width - 4,
        "inner_width": width - 90,
        "axis_width": width - 30,
        "columns": columns,
        "facet_width": (width - 24 * columns) // columns,
    }


def chart_of(section: Section, report: Report) -> Chart | None:
    """Return the section's chart; None if it has none or there is nothing to draw."""
    kind, _, rest = (section.chart or "none").partition(" ")
    rows = list(_rows(section, report)) if kind != "none" else []
    if not rows:
        return None
    channels = dict(map(_parse_channel, rest.split()))
    formats = {"share": "share", **section.formats}
    for row in rows:
        for column in channels.values():
            if isinstance(column, str) and "+" in column:
                parts = (format_cell(row, name, section, report) for name in column.split("+"))
                row[column] = ", ".join(filter(None, parts)) or "measured"
        for channel in ("x", "y", "mark", "low", "high"):
            column = channels.get(channel, "")
            if isinstance(value := row.get(column), float | int):
                row[f"{channel}_text"] = format_value(formats.get(column), value)
    names = dict.fromkeys(row[channels["color"]] for row in rows if "color" in channels)
    names.pop(NOT_IN_SNAPSHOT, None)
    is_breakdown = section.query == "breakdown"  # its classes are in order
    ordered = names if is_breakdown else sorted(names, key=_series_order)
    series = {name: index for index, name in enumerate(ordered)}
    for row in rows:
        row["rank"] = series.get(row[channels["color"]]) if series else 0
    alt = f"Chart: {section.title}. {rows[0]['text']}. The table below has all numbers."
    caption = _load_template(kind).get("usermeta", {}).get("caption", "")
    caption = _substitute(caption, section.columns or {})
    return Chart(alt, caption, kind, channels | {"series": list(series)}, rows)


def _series_order(name: str) -> tuple[bool, bool]:
    """Sort sets of frameworks after single ones, and the empty set last."""
    return name in ("neither", "none of them"), name == "both" or " + " in name


def _parse_channel(part: str) -> tuple[str, Any]:
    """Return a channel and its column, several columns joined by `+`, or a number."""
    name, _, value = part.partition("=")
    try:
        return name, float(value)
    except ValueError:
        return name, value


def standalone_svg(chart: Chart) -> str:
    """Return the drawing as an SVG document with its colours and patterns."""
    head, _, body = chart.svg(680).partition(">")
    style, patterns = read_page_file("colors.css"), read_page_file("patterns.svg")
    paper = "svg{background:var(--paper)}"  # readable on the page of any theme
    return f"{head}><style>{style}{paper}</style>{patterns}{body}\n"


def read_page_file(name: str) -> str:
    return (data_dir("reports") / "page" / name).read_text(encoding="utf-8")


def _rows(section: Section, report: Report) -> Iterator[Row]:
    """Yield the rows to draw, each with its numbers as text."""
    if section.sparklines:
        yield from _history_rows(section, section.sparklines)
        return
    names = report.frameworks
    for figure in visible_figures(section.figures, section.by):
        if not figure.denominator:
            continue
        label = figure_label(figure, names)
        framework = label
        if section.vary_by == "definition" and figure.name == "shared":
            framework = "more than one"
        if section.vary_by and figure.name == "exclusive" and figure.framework not in names:
            framework = OTHER_ONLY
            label = f"{report.titles.get(figure.framework or '', figure.framework)} only"
        group = row_label(section, figure, report)
        share, total = format_share(figure), format_number(figure.denominator)
        numerator = format_number(figure.numerator)
        yield figure.as_dict() | {
            "group": _safe(group),
            "framework": framework,
            "share": figure.share or 0.0,
            "share_text": share,
            "of": f"of {total}",
            "text": sanitize(f"{group}: {label} {share}, {numerator} of {total}"),
        }
    is_breakdown = section.query == "breakdown"
    for row in section.rows:
        if not (is_breakdown and row["group"] is None):  # the groups, without their total
            yield _described_row(row, section, report)


def _history_rows(section: Section, series: Mapping[str, str]) -> Iterator[Row]:
    """Yield `series` with its `place`, `observed_at` and `value` of each value over time."""
    for place, (column, label) in enumerate(series.items()):
        if all(row[column] is None for row in section.rows):
            continue
        for row in section.rows:
            value, day = row[column], row["observed_at"]
            text = "unknown" if value is None else format_number(value)
            yield {
                "series": label,
                "place": place,
                "observed_at": f"{day.isoformat()}Z",
                "value": value,
                "text": f"{label}, {day:%Y-%m-%d %H:%M}: {text}",
            }


def _described_row(row: Mapping[str, Any], section: Section, report: Report) -> Row:
    """Return a row of a query with its values as text."""
    result = {
        key: _safe(format_cell(row, key, section, report) if isinstance(value, str) else value)
        for key, value in row.items()
    }
    if {"name", "framework"} <= row.keys():
        result["framework"] = class_label(row["name"], row["framework"], report.frameworks)
    total = row.get("total", row.get("denominator"))
    if "share" in row and total is not None:
        result |= {"share_text": format_percent(row["share"]), "of": f"of {total:,}"}
    if "points" in row:
        group = f"{result['group']}: " if row["group"] else ""
        result["row"] = f"{group}{result['framework']}"
        result["points_text"] = f"{format_value('points', row['points'])} points"
    if "name" in row and "share_min" in row:
        result["framework"] += f": {format_range(row['share_min'], row['share_max'])}"
    if section.query == "breakdown":
        counts = f"{row['numerator']:,} {result['of']}"
        text = f"{result['group']}: {result['class']} {result['share_text']}, {counts}"
        return result | {"text": sanitize(text)}
    parts = (
        f"{heading} {format_cell(row, column, section, report)}".lstrip()
        for column, heading in _headings(row, section).items()
    )
    return result | {"text": sanitize("; ".join(parts))}


def _headings(row: Mapping[str, Any], section: Section) -> Mapping[str, str]:
    """Return the columns that describe a row -> their headings; without columns, all values."""
    columns = section.columns or {key: _WORDS.get(key, key.replace("_", " ")) for key in row}
    return {
        key: heading
        for key, heading in columns.items()
        if key == "class" or not (row[key] is None or isinstance(row[key], dict))
    }


_WORDS = {"numerator": "models", "denominator": "total"}


def _safe(value: Any) -> Any:
    """Return the value with its text sanitized, and usable as a key of a JavaScript object."""
    if isinstance(value, list | tuple):
        return [_safe(item) for item in value]
    if not isinstance(value, str):
        return value
    text = sanitize(value)
    return f"{text} " if text in _OBJECT_KEYS else text  # Vega would find the inherited property


_OBJECT_KEYS = frozenset(
    "__defineGetter__ __defineSetter__ __lookupGetter__ __lookupSetter__ __proto__ constructor "
    "hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf".split()
)


@lru_cache(maxsize=64)  # formats share drawings
def _render(spec: str) -> str:
    import vl_convert  # noqa: PLC0415 - takes a second, and only charts need it

    if json.loads(spec)["$schema"] == _VEGA_LITE:
        return _clean_svg(vl_convert.vegalite_to_svg(spec, vl_version=_VERSION))
    return _clean_svg(vl_convert.vega_to_svg(spec))


@cache
def vega_script() -> str:
    """Return Vega, Vega-Lite and vega-embed as one script. Takes a second or two."""
    import vl_convert  # noqa: PLC0415

    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed", _VERSION)
    return script.replace("</script", "<\\/script")


@cache
def _load_template(name: str) -> Any:
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
    text = ElementTree.tostring(root, encoding="unicode")
    return re.sub(r"(\d+\.\d\d)\d+", r"\1", text)


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
    node.attrib.clear()
    node.attrib.update(attributes)
