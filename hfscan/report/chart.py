"""Charts: a section's numbers drawn by Vega-Lite, from the specs in `reports/charts/`.

What to draw is one line, in the header of the query or in the report's plan:

    bar x=share y=author        KIND CHANNEL=COLUMN ...

`KIND.json` is a Vega-Lite spec in which `$x` stands for the column, and which drops what is not
asked for. Colours are CSS variables and patterns of the page, so that one drawing serves light,
dark and print; each mark carries its numbers as text.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any
from xml.etree import ElementTree

from hfscan.paths import data_dir
from hfscan.report import words
from hfscan.report.report import Report, Section
from hfscan.report.table import row_label, shown
from hfscan.text import encode_json, sanitize

Row = dict[str, Any]

WIDE, NARROW = 680, 320
"""Widths in CSS pixels: for a desk and for a phone."""

SIZES = ("width", "room", "plain", "columns", "cell")
"""What a spec leaves to the width of its place."""

_SVG = "http://www.w3.org/2000/svg"
_ELEMENTS = {"svg", "g", "path", "line", "text"}
_ATTRIBUTES = set(
    "aria-label d dx dy fill fill-opacity font-family font-size font-style font-weight height "
    "opacity role stroke stroke-dasharray stroke-linecap stroke-width text-anchor transform "
    "viewBox width x x1 x2 y y1 y2".split()
)
_VEGA = "https://vega.github.io/schema/vega/v6.json"
_VEGA_LITE = "https://vega.github.io/schema/vega-lite/v6.json"
"""Which of the two a spec is: Vega for what Vega-Lite has no words for."""

_VERSION = "6.4"  # of Vega-Lite

_FILLS = ("var(--s1)", "url(#s2)", "url(#s3)", "url(#s4)", "url(#s5)")

_CAPTIONS = {
    "change": "From the first (ring) to the second (disc).",
    "claim": "Band: what the claim's words allow. Bar: what was measured, from least to most.",
    "flow": "From left, as observed before, to right, as observed now; each as wide as its models "
    "are many.",
    "error": "On a scale of powers of ten. Disc: the error; tick: how much is allowed.",
    "ratio": "From least to most, on a scale of powers of ten. Diamond: median; line: PyTorch's.",
    "interval": "From at least to at most, each on a scale of its own. Diamond: only the models "
    "that the Hub itself dates.",
    "line": "The twelve most common, each as a share of the models created in the year; one scale.",
}


@dataclass(frozen=True)
class Chart:
    """A section's chart, with what it shows in words. Drawn when it is looked at."""

    alt: str
    caption: str | None
    kind: str
    channels: Mapping[str, Any]
    rows: Sequence[Row]

    @property
    def live(self) -> str:
        """The spec for the browser, as JSON that is safe in HTML.

        The page puts its sizes where `{"$size": name}` stands: an object, which no data can be.
        """
        sizes = {name: {"$size": name} for name in SIZES}
        spec = _spec_of(self.kind, self.channels, self.rows, sizes)
        return encode_json(spec, indent=None).replace("<", "\\u003c")

    @cached_property
    def wide(self) -> str:
        """The SVG element for a desk or paper."""
        return _svg(self.kind, self.channels, self.rows, WIDE)

    @cached_property
    def narrow(self) -> str:
        """The SVG element for a phone."""
        return _svg(self.kind, self.channels, self.rows, NARROW)


def draw(report: Report, section: Section) -> Chart | None:
    """Return the section's chart, or None where none is asked for or nothing is there to draw."""
    kind, _, rest = (section.chart or "none").partition(" ")
    rows = list(_rows(report, section)) if kind != "none" else []
    if not rows:
        return None
    channels = dict(map(_channel, rest.split()))
    for row in rows:  # the words of numbers, for the marks
        for column in channels.values():
            if isinstance(column, str) and "+" in column:
                told = [words.told(row, one, report) for one in column.split("+")]
                row[column] = ", ".join(filter(None, told)) or "measured"
        for channel in ("x", "y", "mark", "low", "high"):
            if isinstance(row.get(column := channels.get(channel, "")), float | int):
                row[f"{channel}_told"] = words.cell(column, row[column])
    series = dict.fromkeys(row[channels["color"]] for row in rows if "color" in channels)
    series.pop(words.NOT_THERE, None)
    places = {one: place for place, one in enumerate(sorted(series, key=_after))}
    for row in rows:
        row["place"] = places.get(row[channels["color"]]) if places else 0
    alt = f"Chart: {section.title}. {rows[0]['told']}. The table below it has all its numbers."
    return Chart(alt, _CAPTIONS.get(kind), kind, channels | {"series": list(places)}, rows)


def _after(series: str) -> tuple[bool, bool]:
    """Put sets of frameworks after single ones, and the empty one last."""
    return series in ("neither", "none of them"), series == "both" or " + " in series


def _channel(part: str) -> tuple[str, Any]:
    """Return a channel and its column, several with `+` between them, or a number."""
    name, _, told = part.partition("=")
    try:
        return name, float(told)
    except ValueError:
        return name, told


def standalone(chart: Chart) -> str:
    """Return the wide drawing as an SVG document of its own, with its colours and patterns."""
    head, _, body = chart.wide.partition(">")
    return f"{head}><style>{colors()}</style>{PATTERNS}{body}\n"


def colors() -> str:
    """Return the style sheet of the colours, light and dark."""
    return (data_dir("reports") / "page" / "colors.css").read_text(encoding="utf-8")


PATTERNS = "<defs>{}</defs>".format(
    "".join(
        f'<linearGradient id="s{place}" gradientUnits="userSpaceOnUse" spreadMethod="repeat" '
        f'x2="{x}" y2="{y}"><stop offset="{edge}" stop-color="var(--s{place})"/>'
        f'<stop offset="{edge + 0.1:.2f}" stop-color="var(--{stripe})"/>'
        f'<stop offset=".95" stop-color="var(--{stripe})"/>'
        f'<stop offset="1" stop-color="var(--s{place})"/></linearGradient>'
        for place, x, y, edge, stripe in (
            (2, 4, 4, 0.6, "paper"),
            (3, 3, -3, 0.6, "ink"),
            (4, 0, 5, 0.6, "paper"),
            (5, 5, 0, 0.6, "ink"),
        )
    )
)
"""Fills that are told apart without colour: stripes, from (0, 0) to (x, y) and anew. Paper has them
as lines; a <pattern> would be printed as a picture of the whole page for each mark."""


def _rows(report: Report, section: Section) -> Iterator[Row]:
    """Yield what is drawn: the section's rows, each with its words."""
    names = report.names
    for one in shown(section.figures, section.by):
        if not one.denominator:
            continue
        serve = words.label(one, names)
        if section.across == "definition" and one.name == "shared":
            serve = "several"
        if section.across and one.name == "exclusive" and one.framework not in names:
            serve = "another only"
        group = row_label(section, one, report)
        yield one.as_dict() | {
            "group": _safe(group),
            "framework": serve,
            "share": one.share or 0.0,
            "share_told": words.told_share(one),
            "of": f"of {words.number(one.denominator)}",
            "told": sanitize(
                f"{group}: {words.label(one, names)} {words.told_share(one)}, "
                f"{words.number(one.numerator)} of {words.number(one.denominator)}"
            ),
        }
    for row in section.rows:
        told = {
            key: _safe(words.told(row, key, report) if isinstance(value, str) else value)
            for key, value in row.items()
        }
        if "name" in row:
            told["framework"] = words.what(row["name"], row["framework"], names)
        if "share" in row and "total" in row:
            told["share_told"], told["of"] = words.percent(row["share"]), f"of {row['total']:,}"
        if "points" in row:
            group = f"{told['group']}: " if row["group"] else ""
            told["row"] = f"{group}{told['framework']}"
            told["points_told"] = f"{words.cell('points', row['points'])} points"
        if "name" in row and "share_min" in row:
            told["framework"] += f": {words.span(row['share_min'], row['share_max'])}"
        told["told"] = "; ".join(
            f"{key.replace('_', ' ')} {words.told(row, key, report)}"
            for key, value in row.items()
            if value is not None and not isinstance(value, dict)
        )
        told["told"] = sanitize(told["told"])
        yield told


def _safe(value: Any) -> Any:
    """Return the value with all its text safe to show, and to be a key of a JavaScript object."""
    if isinstance(value, list | tuple):
        return [_safe(one) for one in value]
    if not isinstance(value, str):
        return value
    text = sanitize(value)
    return f"{text} " if text in _OBJECT_KEYS else text  # Vega would find what every object has


_OBJECT_KEYS = frozenset(
    "__defineGetter__ __defineSetter__ __lookupGetter__ __lookupSetter__ __proto__ constructor "
    "hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf".split()
)


def _svg(kind: str, asked: Mapping[str, Any], rows: Sequence[Row], width: int) -> str:
    columns = 2 if width == NARROW else 4
    sizes = {  # as in page.js
        "width": width - 4,
        "room": width - 90,
        "plain": width - 30,
        "columns": columns,
        "cell": (width - 24 * columns) // columns,
    }
    spec = _spec_of(kind, asked, rows, sizes)
    return _drawn(encode_json(spec, indent=None), is_vega=_is_vega(spec))


def _spec_of(
    kind: str, asked: Mapping[str, Any], rows: Sequence[Row], sizes: Mapping[str, Any]
) -> dict[str, Any]:
    given = dict(asked) | {
        "facets": list(dict.fromkeys(row.get(asked.get("of", "")) for row in rows)),
        "fills": [_FILLS[place % len(_FILLS)] for place in range(len(asked["series"]))],
        **sizes,
    }
    spec: dict[str, Any] = _filled(_file(kind), given)
    spec["config"] = _filled(_file("config"), given)
    if _is_vega(spec):
        spec["data"][0]["values"] = rows
        return spec
    spec |= {"$schema": _VEGA_LITE, "data": {"values": rows}}
    if isinstance(spec.get("height"), int):  # has an axis beside it, which takes from its width
        spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    return spec


def _is_vega(spec: Mapping[str, Any]) -> bool:
    return spec.get("$schema") == _VEGA


@lru_cache(maxsize=64)  # two formats may show the same
def _drawn(spec: str, *, is_vega: bool) -> str:
    import vl_convert  # noqa: PLC0415 - a second to start, and only charts need it

    if is_vega:
        return _plain(vl_convert.vega_to_svg(spec))
    return _plain(vl_convert.vegalite_to_svg(spec, vl_version=_VERSION))


@cache
def bundle() -> str:
    """Return the script that draws in the browser: Vega, Vega-Lite and vega-embed, in one.

    A second or two, once a process.
    """
    import vl_convert  # noqa: PLC0415

    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed", _VERSION)
    return script.replace("</script", "<\\/script")


@cache
def _file(name: str) -> Any:
    return json.loads((data_dir("reports") / "charts" / f"{name}.json").read_text(encoding="utf-8"))


def _filled(node: Any, given: Mapping[str, Any]) -> Any:
    """Return the spec with every `$name` replaced, and without encodings nobody asked for."""
    if isinstance(node, dict):
        return {key: _filled(value, given) for key, value in node.items() if _asked(value, given)}
    if isinstance(node, list):
        return [_filled(one, given) for one in node if _asked(one, given)]
    if isinstance(node, str):
        if node[:1] == "$" and node[1:] in given:
            return given[node[1:]]
        return re.sub(r"\$(\w+)", lambda name: str(given.get(name[1], name[0])), node)
    return node


def _asked(node: Any, given: Mapping[str, Any]) -> bool:
    field = node.get("field", "") if isinstance(node, dict) else ""
    return not (isinstance(field, str) and field[:1] == "$" and field[1:] not in given)


def _plain(svg: str) -> str:
    """Return the drawing with nothing in it but shapes and text: no script, no style, no link."""
    root = ElementTree.fromstring(svg)  # noqa: S314 - written by Vega, and a broken one must fail
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
        unseen = child.get("display") == "none" or child.get("class") == "background"
        if name not in _ELEMENTS or unseen or child.get("opacity") == "0":
            node.remove(child)
        else:
            _prune(child)
    drawn = node.get("aria-roledescription") in ("bar", "rule", "tick", "point", "flow")
    kept = {key: node.attrib[key] for key in node.attrib if key in _ATTRIBUTES}
    if not drawn:  # axes and groups say nothing that the marks do not
        kept.pop("aria-label", None)
        kept.pop("role", None)
    if kept.get("opacity") == "1":
        del kept["opacity"]
    node.attrib.clear()
    node.attrib.update(kept)
