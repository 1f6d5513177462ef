"""Format numbers, labels and sentences as text. Shared by all report formats."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from hfscan.figures import Figure, format_period
from hfscan.report.model import Report, Row, Section
from hfscan.store import Snapshot

DEFINITIONS = {
    "tag": "Hub tags",
    "weights": "weight files",
    "loadable": "loadable without conversion",
}
"""The evidence that a model supports a framework, per definition."""

NOT_IN_SNAPSHOT = "(not there)"
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
    """Return a figure's share, with its interval where it is estimated from a sample."""
    share = format_percent(figure.share)
    if figure.interval is None:
        return share
    low, high = map(format_percent, figure.interval)
    return f"{share} [{low} - {high}]"


def format_number(value: float) -> str:
    """Return a count with thousands separators; fractions with one decimal."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def format_date(day: date) -> str:
    """Return a day as "11 July 2024"."""
    return f"{day.day} {day:%B %Y}"


_FORMATS: Mapping[str | None, Callable[[Any], str]] = {
    "share": format_percent,
    "points": lambda value: f"{value:+.1f}" if round(value, 1) else "0.0",
    "error": lambda value: f"{value:.1e}",
    "ratio": lambda value: f"{value:,.2f}",
}
"""Column format -> what formats a number in it."""


def format_value(kind: str | None, value: Any) -> str:
    """Return a value in the format declared for its column; None: a count or text."""
    if value is None:
        return "-"
    if kind in _FORMATS:
        return _FORMATS[kind](value)
    if isinstance(value, list | tuple):
        return " + ".join(map(str, value))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return format_number(value) if isinstance(value, int | float) else str(value)


def format_cell(row: Row, column: str, section: Section, report: Report) -> str:
    """Return a value of a section's row, with titles instead of framework names.

    The column `class` is made of a row's `name` and `framework`.
    """
    if column == "class":
        return class_label(row["name"], row["framework"], report.frameworks)
    value, kind = row[column], section.formats.get(column)
    match kind:
        case "period" if report.snapshots:
            return format_period(value, report.snapshot)
        case "framework":
            return report.titles.get(value, format_value(None, value))
        case "frameworks":
            return frameworks_label(value, report)
        case "framework_set":
            return _framework_set_label(value, report)
        case "verdict":
            return verdict_label(row)
    return format_value(kind, value)


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
    count = len(frameworks)
    alone = "".join(frameworks.values())
    return {
        "exclusive": f"{title} only",
        "available": f"{title}, exclusively or not",
        "shared": "both" if count == 2 else "more than one",
        "none": "neither" if count == 2 else f"not {alone}" if count == 1 else "none of them",
    }[name]


def figure_label(figure: Figure, frameworks: Mapping[str, str]) -> str:
    """Return the label of the class that a figure counts."""
    return class_label(figure.name, figure.framework, frameworks)


_DEPENDENCIES = {
    "measure": "the measure",
    "definition": "the definition",
    "frameworks": "the frameworks compared",
    "combination": "their combination",
}
"""What a claim's verdict can depend on -> its label."""


def verdict_label(row: Row) -> str:
    """Return the verdict on a claim: "not measured", "depends on the definition"."""
    label = row["verdict"].replace("_", " ")
    return " ".join([label, ", ".join(_DEPENDENCIES[name] for name in row["depends_on"])]).strip()


def format_headline(report: Report) -> str:
    """Return the report's answer, with the denominator of every share."""
    if report.text:
        return report.text.headline
    if report.compared_with:
        return _format_comparison(report)
    period = report.period
    if period and period.is_empty:
        return f"The Hub's creation dates begin after {period.name}.{_format_interval(report)}"
    figures = [figure for figure in report.headline.figures if figure.cutoff in (None, "excluded")]
    shares = [figure for figure in figures if figure.name in ("exclusive", "shared")]
    if len(shares) > 4:  # the table has the others
        shares = sorted(shares, key=lambda figure: -figure.numerator)[:4]
    titles = list(report.frameworks.values())
    frameworks = " or ".join(titles) if len(titles) < 5 else f"one of {len(titles)} frameworks"
    when = f"created {period.span}" if period else "in the snapshot"
    if not shares[0].denominator:
        subject = "model" if shares[0].weight == "models" else _format_unit(shares[0])
        return f"No {subject} {when} is known to support {frameworks}.{_format_interval(report)}"
    if len(titles) == 1:
        answer = _format_single(figures, titles[0], when)
    else:
        parts = ", ".join(
            f"{format_number(figure.numerator)} ({format_share(figure)}) support "
            f"{figure_label(figure, report.frameworks)}"
            for figure in shares
        )
        total = f"{format_number(shares[0].denominator)} {_format_unit(shares[0])}"
        answer = f"Of the {total} {when} that support {frameworks}, {parts}"
    excluded = ["models older than the creation-date cutoff"] if shares[0].cutoff else []
    if count := report.request.exclude_top_authors:
        excluded.append(f"the {count} largest authors")
    day = format_date(report.snapshot.observed_to)
    excluded.append(f"models deleted before the snapshot of {day}")
    return (
        f"{answer}. Definition: {DEFINITIONS[report.definition]}. Not counted: "
        f"{' and '.join(excluded)}.{_format_interval(report)}"
    )


def _format_unit(figure: Figure) -> str:
    if figure.weight != "models":
        return f"{figure.weight} of models"
    return "model" if figure.denominator == 1 else "models"


def _format_single(figures: Sequence[Figure], title: str, when: str) -> str:
    """Return how many models support the only framework compared, and how many do not."""
    available, none = (
        next(figure for figure in figures if figure.name == name) for name in ("available", "none")
    )
    return (
        f"Of the {format_number(none.denominator)} {_format_unit(none)} {when}, "
        f"{format_number(available.numerator)} support {title}, {format_number(none.numerator)} "
        f"({format_share(none)}) do not"
    )


def _format_comparison(report: Report) -> str:
    """Return each share of the first report beside that of the second."""
    headings = report.headline.columns or {}
    parts = "; ".join(
        f"{class_label(row['name'], row['framework'], report.frameworks)} from "
        f"{format_percent(row['share'])} of {format_number(int(row['denominator'] or 0))} to "
        f"{format_percent(row['compared_share'])} of "
        f"{format_number(int(row['compared_denominator'] or 0))} "
        f"({format_value('points', row['points'])} points)"
        for row in report.headline.rows
    )
    return (
        f"{headings['share']} and {headings['compared_share']}: {parts}. Total: models that support"
        f" {' or '.join(report.frameworks.values())}. Definition: "
        f"{DEFINITIONS[report.definition]}. Not counted: models deleted before the snapshot."
    )


def _format_interval(report: Report) -> str:
    """Return the first class as an interval that includes the models of unknown age."""
    request, period = report.request, report.period
    row = next((part.rows[0] for part in report.sections if part.query == "creation_cutoff"), None)
    if row is None or request.weight != "models" or request.exclude_top_authors:
        return ""
    label = class_label(row["name"], row["framework"], report.frameworks)
    is_empty = period is not None and period.is_empty
    scope = f"{'Of' if is_empty else 'Including'} older models from {request.year}"
    low, high = format_number(row["models_min"]), format_number(row["models_max"])
    if low == high:
        return f" {scope}, {low} support {label}."
    shares = " to ".join(format_percent(row[key]) for key in ("share_min", "share_max"))
    return (
        f" {scope}, between {low} and {high} support {label} ({shares}): the age of "
        f"{format_number(row['undated'])} is unknown."
    )


def format_provenance(report: Report) -> str:
    """Return where the numbers come from, one sentence for each snapshot."""
    compared = report.compared_with.snapshots if report.compared_with else ()
    snapshots = {snapshot.id: snapshot for snapshot in (*report.snapshots, *compared)}
    parts = [report.text.provenance] if report.text and report.text.provenance else []
    return " ".join([*parts, *map(_format_snapshot, snapshots.values())])


def _format_snapshot(snapshot: Snapshot) -> str:
    days = [format_date(snapshot.observed_from), format_date(snapshot.observed_to)]
    models = "model" if snapshot.models == 1 else "models"
    complete = {True: "complete", False: "incomplete", None: "completeness unknown"}
    return (
        f"Snapshot {snapshot.id} of {' to '.join(dict.fromkeys(days))}: {snapshot.kind} of "
        f"{snapshot.origin}, {snapshot.models:,} {models}, {complete[snapshot.complete]}."
    )


def format_scope(snapshot: Snapshot) -> str:
    """Return which models the snapshot covers, in a sentence."""
    since, until = (bound and format_date(bound) for bound in (snapshot.since, snapshot.until))
    when = "created at any time"
    if since or until:
        when = f"created from {since or 'the beginning'} to {until or 'the snapshot'}"
    complete = {True: "complete", False: "incomplete", None: "completeness unknown"}
    return f"Public models {when}; {complete[snapshot.complete]}."
