"""Say what is known of a year whose models may be older than the Hub's creation dates."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hfscan.report.format import (
    any_framework,
    class_label,
    format_counts,
    format_number,
    format_range,
)
from hfscan.report.model import Report, ReportRequest, Row, Section


def select_one_framework(rows: Iterable[Row]) -> tuple[dict[str, Any], ...]:
    """Return the rows of `creation_cutoff` for a framework that is compared with no other.

    They have counts only: the framework of the other models may be unknown.
    """
    unknown = dict.fromkeys(
        ("share_certain", "share_min", "share_max", "coverage_min", "coverage_max")
    )
    return tuple(
        {**row, "name": "available", **unknown} for row in rows if row["name"] == "exclusive"
    )


def describe_older_models(row: Row) -> Row:
    """Return a row of `creation_cutoff` with the older models that may be of a year as its bounds.

    Where no model is known to be of the year, its bounds of shares would be 0 and 1. The older
    models are counted all the same: see `are_all_undated`.
    """
    if row["population_min"] or not row["population_max"]:
        return row
    result = dict(row)
    for name in ("models", "total", "population"):
        result[f"{name}_min"] = row[f"{name}_max"]
    if row["share_max"] is not None:
        result["share_min"] = result["share_max"] = row["models_max"] / row["total_max"]
    if row["coverage_max"] is not None:
        result["coverage_min"] = result["coverage_max"] = row["total_max"] / row["population_max"]
    return result


def find_undated_rows(report: Report) -> tuple[Row, ...]:
    """Return the rows of `creation_cutoff`; none where the report's figures count no models."""
    counts_others = report.request.weight != "models" or report.request.exclude_top_authors
    if counts_others and not (report.period and report.period.is_empty):
        return ()
    sections = (part for part in report.sections if part.query == "creation_cutoff")
    rows = next((section.rows for section in sections), ())
    return tuple(map(describe_older_models, rows))


def suggest_dates(sections: Iterable[Section]) -> str | None:
    """Return how to date the older models that may be of a year; None where all are dated."""
    rows = [row for part in sections if part.query == "creation_cutoff" for row in part.rows]
    if not any(row["undated"] for row in rows):
        return None
    return "First commits date the older models: hfscan backfill-dates."


def format_undated_year(report: Report) -> str:
    """Return the answer for a year without creation dates: bounds of each number and share."""
    rows = find_undated_rows(report)
    if not rows:
        return ""
    row, names = rows[0], report.frameworks
    models = "model" if row["population_max"] == 1 else "models"
    scope = (
        f"{_describe_not_counted(report.request)} Of the {_format_bounds(row, 'population')} "
        f"{models} {_describe_age(report.request, row)},"
    )
    supported = f"support {any_framework(list(names.values()))}."
    if len(names) == 1:  # nothing to be compared with
        answer = f"{scope} {_format_bounds(row, 'models')} {supported}"
    else:
        parts = [
            f"{_format_bounds(one, 'models')} ({_format_shares(one, 'share')}) support "
            f"{class_label(one['name'], one['framework'], names)}"
            for one in sorted(rows, key=lambda one: -one["models_max"])[:4]
        ]
        answer = (
            f"{scope} {_format_bounds(row, 'total')} ({_format_shares(row, 'coverage')}) "
            f"{supported} Of these, {', '.join(parts[:-1])} and {parts[-1]}."
        )
    undated = row["population_max"] - row["population_min"]
    if are_all_undated(row):
        return f"{answer} How many of them are of {report.request.year} is unknown."
    if not undated:
        return answer
    return (
        f"{answer} The creation date of {format_number(undated)} is unknown: the lower numbers "
        "leave these out."
    )


def list_undated_highlights(report: Report) -> Iterator[dict[str, str]]:
    """Yield what the page of a year without creation dates shows in large type."""
    supporting = f"that support {any_framework(list(report.frameworks.values()))}"
    for row in find_undated_rows(report):
        models = _format_bounds(row, "models")
        small = f"models {_describe_age(report.request, row)}"
        is_share = row["share_max"] is not None
        if is_share:
            small = f"{models} of {_format_bounds(row, 'total')} models {supporting}"
            small += ", all older than the Hub's dates" * are_all_undated(row)
        yield {
            "big": _format_shares(row, "share") if is_share else models,
            "label": class_label(row["name"], row["framework"], report.frameworks),
            "small": small,
        }


def format_older_models(report: Report) -> str:
    """Return the first class of a year with the older models that may be of it, as a sentence."""
    rows = find_undated_rows(report)
    if not rows:
        return ""
    row, titles = rows[0], list(report.frameworks.values())
    text = (
        f" With the models older than the Hub's dates that may be of {report.request.year}, "
        f"{_format_bounds(row, 'total')} support {any_framework(titles)}"
    )
    if len(titles) > 1:
        label = class_label(row["name"], row["framework"], report.frameworks)
        text += (
            f". Of these, {_format_bounds(row, 'models')} ({_format_shares(row, 'share')}) support "
            f"{label}"
        )
    if row["undated"]:
        text += f": the creation date of {format_number(row['undated'])} is unknown"
    return f"{text}."


def describe_undated_total(section: Section, titles: Sequence[str]) -> str | None:
    """Return of what the shares of `creation_cutoff` are, with the coverage; None without any."""
    if section.query != "creation_cutoff" or not section.rows or len(titles) == 1:
        return None
    row = describe_older_models(section.rows[0])
    which = "older models" if are_all_undated(row) else "models that may be of the year"
    return (
        f"The shares describe {_format_shares(row, 'coverage')} of the {which}: the "
        f"{_format_bounds(row, 'total')} that support {any_framework(titles)}."
    )


def are_all_undated(row: Row) -> bool:
    """Return whether a row of `describe_older_models` is about the older models as a whole."""
    is_all = row["population_min"] == row["population_max"]
    return is_all and bool(row["undated_total"])


def _describe_age(request: ReportRequest, row: Row) -> str:
    if are_all_undated(row):
        return "older than the Hub's dates"
    return f"that may have been created in {request.year}"


def _describe_not_counted(request: ReportRequest) -> str:
    """Return what the answer for a year without creation dates does not count; "" for nothing."""
    text = f" So models are counted, not {request.weight}." * (request.weight != "models")
    return text + " So no author is left out." * bool(request.exclude_top_authors)


def _format_bounds(row: Row, name: str) -> str:
    return format_counts(row[f"{name}_min"], row[f"{name}_max"])


def _format_shares(row: Row, name: str) -> str:
    return format_range(row[f"{name}_min"], row[f"{name}_max"])
