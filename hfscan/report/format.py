"""Format numbers, dates and labels as text. Shared by all report formats."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from hfscan.figures import ALL, Definition, Figure, format_period
from hfscan.frameworks import taxonomy
from hfscan.report.caveats import INTERVALS, SMALL_MARK, mark_small
from hfscan.report.model import Report, Row, Section
from hfscan.store import Snapshot

DEFINITION_LABELS = {
    "tag": "Hub tags",
    "weights": "weight files",
    "loadable": "loadable",
    "best": "best evidence",
}
"""Definition -> its name in tables and charts."""

GROUP_NOUNS = {
    "account_group": "Account group", "architecture": "Architecture", "author": "Account",
    "base_author": "Account of the base", "family": "Family", "gated": "Gated",
    "language": "Language", "library": "Library", "license": "License", "paper": "Paper",
    "relation": "Relation", "size": "Parameters", "storage_region": "Storage region",
    "task": "Task", "year": "Year of creation",
}  # fmt: skip
"""What a query groups by, or counts -> the noun for one of these."""

UNKNOWN = "-"
"""Text of an unknown value."""

KNOWN_EVIDENCE = {
    "tag": "known tags",
    "weights": "known evidence",
    "loadable": "known evidence",
    "best": "known evidence",
}
"""Definition -> what must be known of a model to say that it does not support a framework."""

NOT_IN_SNAPSHOT = "(not in snapshot)"
"""Value of `transitions.sql` for a model that one of the two snapshots does not hold."""


def format_percent(share: float | None) -> str:
    """Return a share with one decimal; never 0 % or 100 % unless it is exactly that."""
    if share is None:
        return "-"
    if 0 < share < 0.0005:
        return "<0.1 %"
    if 0.9995 <= share < 1:
        return ">99.9 %"
    return f"{share:.1%}".replace("%", " %")


def format_range(low: float | None, high: float | None) -> str:
    """Return an interval of shares, with up to four decimals where the bounds need them."""
    if low is None or high is None or low == high:
        return format_percent(low if high is None else high)
    for decimals in range(1, 5):
        bounds = [f"{bound:.{decimals}%}".replace("%", " %") for bound in (low, high)]
        if bounds[0] != bounds[1]:
            break
    return " to ".join(bounds)


def format_share(figure: Figure) -> str:
    """Return a figure's share, with its interval in a sample, or the mark of small counts."""
    share = format_percent(figure.share)
    if figure.interval is None:
        return share + SMALL_MARK * figure.small
    return _add_interval(share, figure.interval)


def add_uncertainty(text: str, row: Row, column: str) -> str:
    """Return the text of a row's share, with its interval or the mark of small counts."""
    if interval := row.get(INTERVALS.get(column, "")):
        kind = "points" if column == "points" else "share"
        return _add_interval(text, interval, kind)
    return mark_small(text, row, column)


def _add_interval(text: str, interval: Sequence[float], kind: str = "share") -> str:
    low, high = (format_value(kind, bound) for bound in interval)
    return f"{text} [{low} - {high}]"


def format_number(value: float) -> str:
    """Return a count with thousands separators; fractions with one decimal."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def format_counts(low: int, high: int) -> str:
    """Return bounds of a count: "1,220 to 1,223", or one number."""
    return format_number(low) if low == high else f"{format_number(low)} to {format_number(high)}"


def format_date(day: date) -> str:
    """Return a day as "11 July 2024"."""
    return f"{day.day} {day:%B %Y}"


def format_time(instant: datetime) -> str:
    """Return an instant (UTC) as "2024-07-11 12:30", without the time at midnight."""
    return f"{instant:%Y-%m-%d}" if instant.time() == time() else f"{instant:%Y-%m-%d %H:%M}"


def name_days(snapshots: Mapping[str, Snapshot]) -> dict[str, str]:
    """Return the days of snapshots, with the time where two are of one day."""
    days = {key: format_date(snapshot.observed_to) for key, snapshot in snapshots.items()}
    if len(set(days.values())) == len(days):
        return days
    return {key: f"{snapshot.observed_to:%Y-%m-%d %H:%M}" for key, snapshot in snapshots.items()}


def _parse_time(value: date | str) -> Any:
    """Return a day or instant, which a query without parameters gives as text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


_MOST_NAMES = 3


def has_date(period: object) -> bool:
    """Return whether a period has a place in time: not "(older)" or "(unknown)"."""
    return str(period)[:1] != "("


def _format_names(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - _MOST_NAMES
    first = ", ".join(names[:_MOST_NAMES])
    return f"{first} and {more:,} more" if more > 0 else first or "-"


_FORMATS: Mapping[str | None, Callable[[Any], str]] = {
    "share": format_percent,
    "points": lambda value: f"{value:+.1f}" if round(value, 1) else "0.0",
    "error": lambda value: f"{value:.1e}",
    "ratio": lambda value: f"{value:,.2f}",
    "day": lambda value: format_date(_parse_time(value)),
    "time": lambda value: format_time(_parse_time(value)),
    "names": _format_names,
}
"""Column format -> what formats a value in it."""


def format_value(kind: str | None, value: Any) -> str:
    """Return a value in the format declared for its column; None: a count or text."""
    if value is None:
        return UNKNOWN
    if kind in _FORMATS:
        return _FORMATS[kind](value)
    if isinstance(value, list | tuple):
        return " + ".join(map(str, value))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return format_number(value) if isinstance(value, int | float) else str(value)


def format_cell(row: Row, column: str, section: Section, report: Report) -> str:
    """Return a cell with titles for names; `class` is made of the row's `name` and `framework`."""
    if column == "class" and "name" in row:
        return class_label(row["name"], row["framework"], report.frameworks)
    value, kind = row[column], section.formats.get(column)
    if column == "observed_at":
        value = section.snapshot_labels.get(row.get("snapshot", 0), value)
    match kind:
        case "breakdown_class":
            return breakdown_label(value, report.titles)
        case "group":
            return _format_group(row, report)
        case "period" if report.snapshots:
            return format_period(value, report.snapshot)
        case "framework":
            return report.titles.get(value, format_value(None, value))
        case "frameworks":
            return frameworks_label(value, report)
        case "framework_set":
            return _framework_set_label(value, report)
        case "verdict":
            return verdict_label(value)
        case "definition":
            return DEFINITION_LABELS.get(value, format_value(None, value))
    if column == "denominator" and value is not None and _is_outside_total(row):
        value = None
    return add_uncertainty(format_value(kind, value), row, column)


def _is_outside_total(row: Row) -> bool:
    """Return whether a row counts models of an unknown class, which are no part of the total."""
    return row.get("numerator") is not None and row.get("share", row) is None


def frameworks_label(frameworks: Sequence[str], report: Report) -> str:
    """Return the titles of the frameworks compared."""
    titles = {**report.titles, **report.frameworks}
    if "all" in frameworks:
        named = [titles[name] for name in frameworks if name != "all"]
        return " and ".join(["all frameworks", *named])
    return ", ".join(titles[name] for name in frameworks)


def _framework_set_label(value: str, report: Report) -> str:
    """Return the label of a set of frameworks in the form of `transitions.sql`."""
    if value in (NOT_IN_SNAPSHOT, "(unknown)"):
        return value
    titles = [report.frameworks.get(name, name) for name in value.split(" + ")]
    if value == "none" or len(titles) == len(report.frameworks) == 2:
        return class_label("none" if value == "none" else "shared", None, report.frameworks)
    if len(titles) > 1:
        return " + ".join(titles)
    return class_label("exclusive", value, report.frameworks)


def class_label(name: str, framework: str | None, frameworks: Mapping[str, str]) -> str:
    """Return the label of a class of models: "PyTorch only", "both", "neither"."""
    title = frameworks.get(framework or "", framework)
    others = [frameworks[other] for other in frameworks if other != framework]
    available = f"{title} (alone or with {others[0] if len(others) == 1 else 'others'})"
    shared, none = "more than one", "none of them"
    if len(frameworks) == 1:
        available, none = f"{title}", f"not {next(iter(frameworks.values()))}"
    elif len(frameworks) == 2:
        shared, none = "both", "neither"
    return {
        "exclusive": f"{title} only",
        "available": available,
        "shared": shared,
        "none": none,
    }[name]


def describe_counted(titles: Sequence[str], definition: Definition) -> str:
    """Return which models a denominator counts: "that support PyTorch or TensorFlow".

    Of one framework: of which it is known whether they support it.
    """
    if len(titles) == 1:
        return f"with {KNOWN_EVIDENCE[definition]}"
    return f"that support {any_framework(titles)}"


def any_framework(titles: Sequence[str]) -> str:
    """Return "PyTorch or TensorFlow"; of many, their number."""
    return " or ".join(titles) if len(titles) < 5 else f"one of {len(titles)} frameworks"


def figure_label(figure: Figure, frameworks: Mapping[str, str]) -> str:
    """Return the label of the class that a figure counts."""
    # where no other framework is compared, a model may have one
    name = "available" if figure.name == "exclusive" and is_single(figure) else figure.name
    return class_label(name, figure.framework, frameworks)


def is_single(figure: Figure) -> bool:
    """Return whether a figure is about one framework, compared with no other."""
    return len(figure.frameworks) == 1 and ALL not in figure.frameworks


_BREAKDOWN_LABELS = {
    "both": "both",
    "several": "several of these",
    "other_framework": "another framework only",
    "runtime_format": "runtime format only",
    "unknown_framework": "framework unknown",
    "no_weights": "no weights",
    "files_unknown": "files unknown",
}
"""Class of breakdown.sql -> its label; the others are `NAME_only`, or of one framework NAME."""


def breakdown_label(name: str, titles: Mapping[str, str]) -> str:
    """Return the label of a class of breakdown.sql."""
    if name in _BREAKDOWN_LABELS:
        return _BREAKDOWN_LABELS[name]
    if name in titles:
        return f"{titles[name]} (alone or with others)"
    framework = name.removesuffix("_only")
    return f"{titles.get(framework, framework)} only"


def _format_group(row: Row, report: Report) -> str:
    """Return the label of a group; a year or month that is covered in part says which."""
    if row["group"] is None:
        return "All"
    is_dated = row["by"] in ("month", "year")
    return format_period(row["group"], report.snapshot) if is_dated else str(row["group"])


def verdict_label(verdict: str) -> str:
    """Return a verdict in words: "not measured"."""
    if verdict in ("consistent", "inconsistent"):
        return f"internally {verdict}"
    return verdict.replace("_", " ")


def split_formats(rows: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Return the rows of frameworks and runtimes, and those of formats; without empty parts.

    Rows that are of no framework are among the first.
    """
    parts: tuple[list[Mapping[str, Any]], ...] = ([], [])
    for row in rows:
        parts[is_format(row["framework"])].append(row)
    return [part for part in parts if part]


def is_format(name: str | None) -> bool:
    """Return whether the taxonomy has this name for a format of files, of which any may be."""
    return name in taxonomy().titles and name not in taxonomy().decisive
