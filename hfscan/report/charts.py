"""Choose what a section's chart draws: its form, and rows with their numbers as text.

One line in the header of the query or in `report.toml` says what to draw:

    bar x=share y=author        KIND CHANNEL=COLUMN ...

`drawing.py` explains the kinds. Where almost all models are of one class, a stack would hide the
differences: the class is then drawn as `dots`, or over time as a `course`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hfscan.report.drawing import Chart, load_template
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
    has_date,
)
from hfscan.report.model import Report, Section
from hfscan.report.tables import OTHER_ONLY, row_label, visible_figures
from hfscan.report.titles import find_title, format_source
from hfscan.text import end_sentence, sanitize

Row = dict[str, Any]

_MOST_SERIES = 10
_LOPSIDED = 0.75
"""Share of a class from which the others are too thin to see in a stack."""


def chart_of(section: Section, report: Report) -> Chart | None:
    """Return the section's chart; None if it has none or there is nothing to draw."""
    kind, _, rest = (section.chart or "none").partition(" ")
    rows = list(_rows(section, report)) if kind != "none" else []
    if not rows:
        return None
    channels = dict(map(_parse_channel, rest.split()))
    all_rows = rows
    kind, rows = _focus(section, kind, channels, rows)
    rows, undated = _split_undated(kind, channels, rows)
    formats = {"share": "share", **section.formats}
    axis = ".2~%" if formats.get(channels.get("x", "")) == "share" else ",~f"
    for row in rows:
        for column in channels.values():
            if isinstance(column, str) and "+" in column:
                parts = (format_cell(row, name, section, report) for name in column.split("+"))
                row[column] = ", ".join(filter(None, parts)) or "measured"
        for channel in ("x", "y", "mark", "low", "high"):
            column = channels.get(channel, "")
            if isinstance(value := row.get(column), float | int):
                row[f"{channel}_text"] = format_value(formats.get(column), value)
    marked = [row for row in rows if kind != "error" or row[channels["x"]]]  # on a log scale
    series = _rank_series(section, channels.get("color"), marked)
    for row in rows:
        row["rank"] = series.get(row[channels["color"]]) if series else 0
    title = end_sentence(section.title)
    alt = f"Chart: {title} {rows[0]['text']}. The table below has all numbers."
    caption = load_template(kind).get("usermeta", {}).get("caption", "")
    weights = [figure.weight for figure in section.figures[:1]]
    counted = str(section.parameters.get("weight", next(iter(weights), "models")))
    for name, text in {**(section.columns or {}), **section.days, "counted": counted}.items():
        caption = caption.replace(f"${name}", text)
    if undated:
        caption = f"{caption} Not drawn: {', '.join(undated)}; the table has all."
    if kind == "series" and len(rows) < len(all_rows):
        caption = f"The {_MOST_SERIES} largest at the end; the table has all."
    return Chart(
        alt,
        caption,
        kind,
        channels | {"series": list(series), "x_axis": axis},
        rows,
        title=sanitize(find_title(section, report) or section.title),
        subtitle=sanitize(f"{title} {format_source(section, report)}"),
    )


def _focus(
    section: Section, kind: str, channels: Mapping[str, Any], rows: list[Row]
) -> tuple[str, list[Row]]:
    """Return the form that shows differences, and its rows.

    Where one class holds almost all, the rows of that class: as dots, over time as a line, and in a
    comparison of groups as changes. Of one framework, the rows of the models with it.
    """
    if kind == "change" and any(row.get("group") for row in rows):
        return kind, _keep_leading(rows)
    if kind == "series":
        return kind, _keep_largest(channels, rows)
    if section.query == "breakdown" or kind == "columns":
        empty = {
            name
            for name in {row[channels["color"]] for row in rows}
            if not any(row["numerator"] for row in rows if row[channels["color"]] == name)
        }
        rows = [row for row in rows if row[channels["color"]] not in empty]
    if not section.figures or kind not in ("stack", "columns"):
        return kind, rows
    largest = max(rows, key=lambda row: row["numerator"])
    if largest["share"] < _LOPSIDED:
        return kind, rows
    return ("course" if section.by in ("month", "year") else "dots"), _keep_leading(rows)


def _keep_leading(rows: list[Row]) -> list[Row]:
    leading = max(rows, key=lambda row: (row["name"] == "available", row["numerator"] or 0))
    return [row for row in rows if row["framework"] == leading["framework"]]


def _split_undated(
    kind: str, channels: Mapping[str, Any], rows: list[Row]
) -> tuple[list[Row], list[str]]:
    """Return the rows that a line over time can join, and the groups without a date."""
    if kind not in ("line", "course"):
        return rows, []
    dated = [row for row in rows if has_date(row[channels["x"]])]
    undated = [row[channels["x"]] for row in rows if not has_date(row[channels["x"]])]
    return (dated, list(dict.fromkeys(undated))) if dated else (rows, [])


def _keep_largest(channels: Mapping[str, Any], rows: list[Row]) -> list[Row]:
    """Return the rows of the series that are largest at the end."""
    if "color" not in channels:
        return rows
    end = max(row[channels["x"]] for row in rows)
    last = [row for row in rows if row[channels["x"]] == end]
    last.sort(key=lambda row: -(row[channels["y"]] or 0))
    names = {row[channels["color"]] for row in last[:_MOST_SERIES]}
    if len(last) <= _MOST_SERIES:
        return rows
    return [row for row in rows if row[channels["color"]] in names]


def _rank_series(section: Section, column: str | None, rows: Sequence[Row]) -> dict[str, int]:
    """Return the series of a chart -> their place; none without a column."""
    names = dict.fromkeys(row[column] for row in rows) if column else {}
    names.pop(NOT_IN_SNAPSHOT, None)
    # the classes of a breakdown are in order
    ordered = names if section.query == "breakdown" else sorted(names, key=_series_order)
    return {name: index for index, name in enumerate(ordered)}


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
        counts = f"{format_value(None, row['numerator'])} {result['of']}"
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
