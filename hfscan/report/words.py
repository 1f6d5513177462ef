"""How figures are said: one way for every format."""

from collections.abc import Mapping, Sequence
from typing import Any

from hfscan.figures import Figure, label_of
from hfscan.report.report import Report
from hfscan.store import Snapshot

CUTOFFS = {
    "excluded": "without models older than the Hub's dates",
    "included": "with models older than the Hub's dates",
    "only": "only models older than the Hub's dates",
}
"""What the creation-date cutoff does to a population: the Hub gives 2022-03-02T23:29 as the
creation time of every model older than that."""

DEFINITIONS = {
    "tag": "by the Hub's tags",
    "weights": "by their weight files",
    "loadable": "by what can be loaded without converting",
}
"""Why a model supports a framework."""

UNITS = {"models": "models", "downloads": "downloads", "authors": "votes of authors"}
"""What is counted, for each weight."""

WEIGHTS = {
    "models": "Each model once",
    "downloads": "By 30-day downloads",
    "authors": "Each author once",
}
"""What each weight lets a model count for."""

GROUPS = {
    "month": "Month of creation", "year": "Year of creation", "task": "Task",
    "library": "Library", "author": "Author", "license": "License",
    "architecture": "Architecture", "language": "Language", "size": "Parameters",
    "gated": "Gated", "region": "Region", "snapshot": "Observed",
}  # fmt: skip
"""Heading of each grouping."""


def percent(share: float | None) -> str:
    """Return the share with one decimal; never 0 % or 100 % when it is not."""
    if share is None:
        return "-"
    if 0 < share < 0.0005:
        return "<0.1 %"
    if 0.9995 <= share < 1:
        return ">99.9 %"
    return f"{share:.1%}".replace("%", " %")


def span(low: float | None, high: float | None) -> str:
    """Return an interval of shares, with as many decimals as tell its ends apart, up to four."""
    if low is None or high is None or low == high:
        return percent(low if high is None else high)
    for decimals in range(1, 5):
        ends = [f"{one:.{decimals}%}".replace("%", " %") for one in (low, high)]
        if ends[0] != ends[1]:
            break
    return " to ".join(ends)


def told_share(figure: Figure) -> str:
    """Return a figure's share, with its interval where it is one of a sample."""
    told = percent(figure.share)
    if figure.interval is None:
        return told
    low, high = map(percent, figure.interval)
    return f"{told} [{low} - {high}]"


def number(value: float) -> str:
    """Return a count with thousands separators; votes, which are fractions, with one decimal."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def cell(column: str, value: Any) -> str:
    """Return a value of a query's column: a share, a count, or text."""
    if "share" in column:
        return percent(value)
    if column == "points":
        return "-" if value is None else f"{value:+.1f}" if round(value, 1) else "0.0"
    if isinstance(value, list | tuple):
        return " + ".join(map(str, value))
    if column in ("error", "tolerance"):
        return "-" if value is None else f"{value:.1e}"
    if "ratio" in column:
        return "-" if value is None else f"{value:,.2f}"
    if value is None:
        return "-"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return number(value) if isinstance(value, int | float) else str(value)


def label(figure: Figure, names: dict[str, str]) -> str:
    """Return what the figure counts, for a column or row heading."""
    return what(figure.name, figure.framework, names)


def told(row: Mapping[str, Any], column: str, report: Report) -> str:
    """Return a value of a query's row, with titles in place of keys of frameworks."""
    if column == "what" and "name" in row:
        return what(row["name"], row["framework"], report.names)
    value = row[column]
    if column == "period" and report.snapshots:
        return label_of(value, report.snapshot)
    if column == "framework":
        return report.titles.get(value, cell(column, value))
    if column == "frameworks":
        return among(value, report)
    if column in ("before", "after"):
        return _served(value, report)
    return cell(column, value)


def among(frameworks: Sequence[str], report: Report) -> str:
    """Return the frameworks compared: the report's own, or those that it adds; else none."""
    if tuple(frameworks) == tuple(report.names):
        return ", ".join(report.names.values())
    if "all" in frameworks:
        return " and ".join(["all", *(report.titles[one] for one in frameworks if one != "all")])
    more = ", ".join(report.titles[one] for one in frameworks if one not in report.names)
    return more and f"with {more}"


def _served(names: str, report: Report) -> str:
    """Return what a model serves, as `transitions.sql` says it, in the words of figures."""
    if names in (NOT_THERE, "(unknown)"):
        return names
    served = [report.names.get(one, one) for one in names.split(" + ")]
    if names == "none" or len(served) == len(report.names) == 2:
        return what("none" if names == "none" else "shared", None, report.names)
    return " + ".join(served) if len(served) > 1 else what("exclusive", names, report.names)


NOT_THERE = "(not there)"
"""A model that one of two snapshots does not hold."""


def what(name: str, framework: str | None, names: Mapping[str, str]) -> str:
    """Return what a figure of this name counts."""
    title = names.get(framework or "", framework)
    one, two = len(names) == 1, len(names) == 2
    return {
        "exclusive": f"{title} only",
        "available": f"{title} at all",
        "shared": "both" if two else "several",
        "none": "neither" if two else f"not {''.join(names.values())}" if one else "none of them",
    }[name]


def headline(report: Report) -> str:
    """Return the report's answer in one sentence, with every number's denominator."""
    if report.said:
        return report.said.headline
    if report.other:
        return _compared(report)
    period = report.period
    if period and period.is_empty:
        return f"The Hub's dates begin after {period.name}.{_with_cutoff(report)}"
    main = [one for one in report.headline.figures if one.cutoff in (None, "excluded")]
    shares = [one for one in main if one.name in ("exclusive", "shared")]
    if len(shares) > 4:  # a sentence holds a few; the table has them all
        shares = sorted(shares, key=lambda one: -one.numerator)[:4]
    titles = list(report.names.values())
    frameworks = " or ".join(titles) if len(titles) < 5 else f"one of {len(titles)} frameworks"
    when = f"created {period.span}" if period else "that existed when observed"
    cutoff = f", {CUTOFFS['excluded']}" if shares[0].cutoff else ""
    if not shares[0].denominator:
        counted = "model" if shares[0].weight == "models" else f"{_counted(shares[0])}"
        return (
            f"No {counted} {when}{cutoff} is known to support {frameworks}.{_with_cutoff(report)}"
        )
    if len(titles) == 1:
        answer = _alone(main, titles[0], when)
    else:
        parts = ", ".join(
            f"{number(one.numerator)} ({told_share(one)}) support {label(one, report.names)}"
            for one in shares
        )
        of = f"{number(shares[0].denominator)} {_counted(shares[0])}"
        answer = f"Of the {of} {when} that support {frameworks}, {parts}"
    without = report.question.exclude_top_authors
    left_out = f", without the {without} largest accounts" if without else ""
    return (
        f"{answer}: {DEFINITIONS[report.definition]}, of the models that still existed when "
        f"observed{cutoff}{left_out}.{_with_cutoff(report)}"
    )


def _counted(figure: Figure) -> str:
    if figure.weight != "models":
        return f"{UNITS[figure.weight]} of models"
    return "model" if figure.denominator == 1 else "models"


def _alone(figures: Sequence[Figure], title: str, when: str) -> str:
    """Say how many support the one framework that is asked about, and how many do not."""
    serve, not_ = (
        next(one for one in figures if one.name == name) for name in ("available", "none")
    )
    return (
        f"Of the {number(not_.denominator)} {_counted(not_)} {when}, {number(serve.numerator)} "
        f"support {title}, {number(not_.numerator)} ({told_share(not_)}) do not"
    )


def _compared(report: Report) -> str:
    """Say each share beside its other."""
    headings = report.headline.columns or {}
    parts = "; ".join(
        f"{what(row['name'], row['framework'], report.names)} {percent(row['share'])} of "
        f"{number(int(row['denominator'] or 0))}, then {percent(row['other_share'])} of "
        f"{number(int(row['other_denominator'] or 0))} ({cell('points', row['points'])} points)"
        for row in report.headline.rows
    )
    return (
        f"{headings['share']} and {headings['other_share']}: {parts}. Of the models that serve "
        f"{' or '.join(report.names.values())} and still existed when observed, "
        f"{DEFINITIONS[report.definition]}."
    )


def _with_cutoff(report: Report) -> str:
    """Say the first figure with the models of unknown age, as the interval that it is."""
    row = next((part.rows[0] for part in report.sections if part.query == "creation_cutoff"), None)
    if row is None or report.question.weight != "models" or report.question.exclude_top_authors:
        return ""
    counted = what(row["name"], row["framework"], report.names)
    of_none = report.period is not None and report.period.is_empty
    older = f"{'Of older models' if of_none else 'With those'} of {report.question.year}"
    if row["models_min"] == row["models_max"]:
        return f" {older}, {number(row['models_min'])} support {counted}."
    return (
        f" {older}, between {number(row['models_min'])} and "
        f"{number(row['models_max'])} support {counted} ({percent(row['share_min'])} to "
        f"{percent(row['share_max'])}): {number(row['undated'])} cannot be dated."
    )


def snapshot(report: Report) -> str:
    """Return where the numbers come from, a sentence for each snapshot."""
    others = report.other.snapshots if report.other else ()
    each = {one.id: one for one in (*report.snapshots, *others)}
    told = map(_source, each.values())
    return " ".join([*([report.said.provenance] if report.said else []), *told])


def _source(one: Snapshot) -> str:
    seen = f"{one.observed_from:%Y-%m-%d}"
    if one.observed_to.date() != one.observed_from.date():
        seen += f" to {one.observed_to:%Y-%m-%d}"
    models = "model" if one.models == 1 else "models"
    whole = {True: "complete", False: "partial", None: "completeness not stated"}[one.complete]
    return (
        f"Snapshot {one.id}: {one.kind} of {one.origin}, observed {seen}, "
        f"{one.models:,} {models}, {whole}."
    )
