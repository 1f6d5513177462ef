"""Write the title of a section as its finding, by rule from its numbers; and the source line."""

from collections.abc import Callable, Mapping, Sequence

from hfscan._version import __version__
from hfscan.figures import Figure
from hfscan.report.dependence import describe_dependence
from hfscan.report.format import (
    DEFINITION_LABELS,
    GROUP_NOUNS,
    KNOWN_EVIDENCE,
    NOT_IN_SNAPSHOT,
    any_framework,
    class_label,
    describe_counted,
    figure_label,
    format_cell,
    format_date,
    format_percent,
    format_range,
    format_value,
    has_date,
)
from hfscan.report.model import Report, Row, Section
from hfscan.report.parity_titles import describe_cases, describe_speed, describe_verdicts
from hfscan.report.tables import group_label, visible_figures
from hfscan.report.undated import are_all_undated, describe_older_models
from hfscan.text import format_count, format_top

_MOST = 0.9001  # 90 %, of whole models
_FEW = 100  # models; a group with fewer is not named in a title


def find_title(section: Section, report: Report) -> str | None:
    """Return the section's finding as a title; None where no rule gives one."""
    if section.finding:
        return section.finding
    if section.figures:
        title = _describe_figures(section, report)
    elif section.rows and section.pivot and section.query != "breakdown":
        title = _describe_pivot(section, report, section.pivot)
    elif section.rows and section.query in _COURSES and (times := _list_times(section)):
        title = _describe_course(section, report, times)
    elif section.rows and section.query in _RULES:
        title = _RULES[section.query](section, report)
    else:
        title = None
    return title and title[:1].upper() + title[1:]


def find_report_title(report: Report) -> str | None:
    """Return the finding of the report: its own, else that of its headline."""
    if report.text:
        return report.text.finding
    highlights = [finding.highlight for finding in report.findings if finding.highlight]
    if highlights:
        return f"{highlights[0]['big']} {highlights[0]['label']}"
    return None if report.findings else find_title(report.headline, report)


def format_source(section: Section, report: Report) -> str:
    """Return what to cite for the chart or table of a section, in a line."""
    sides = filter(None, (report, report.compared_with))
    snapshots = {snapshot.id: snapshot for side in sides for snapshot in side.snapshots}
    rows = () if section.is_own_sql else section.rows
    days = {row["snapshot"]: row["observed_at"] for row in rows if row.keys() >= _OVER}
    parts = [f"hfscan {__version__}", *(report.text.sources if report.text else ())]
    if len(days) > 1:  # from snapshot to snapshot
        first, last = (format_value("time", end(days.values())) for end in (min, max))
        parts.append(f"{len(days)} snapshots of the Hugging Face Hub, {first} to {last}")
    elif len(snapshots) > _MOST_SNAPSHOTS:
        parts.append(f"{len(snapshots)} snapshots of the Hugging Face Hub")
    else:
        parts += [
            f"snapshot {number} of the Hugging Face Hub, {format_date(snapshot.observed_to)}"
            for number, snapshot in snapshots.items()
        ]
    if any(snapshot.synthetic for snapshot in snapshots.values()):
        parts.append("SYNTHETIC: invented data")
    if any(snapshot.sample is not None for snapshot in snapshots.values()):
        parts.append("SAMPLE of the models")
    return f"Source: {'; '.join(parts)}."


_OVER = {"snapshot", "observed_at"}  # of rows over several snapshots
_MOST_SNAPSHOTS = 4  # that a source names one by one


def _describe_figures(section: Section, report: Report) -> str | None:
    """Return the leading class of figures, and where its share is lowest and highest."""
    shown = [
        figure
        for figure in visible_figures(section.figures, section.by)
        if figure.cutoff in (None, "excluded") and figure.denominator
    ]
    figures = [figure for figure in shown if figure.frameworks == report.request.frameworks]
    if not figures:
        return None
    # of one framework, the models with it
    leading = max(figures, key=lambda figure: (figure.name == "available", figure.numerator))
    label = figure_label(leading, report.frameworks)
    same = [figure for figure in figures if figure_label(figure, report.frameworks) == label]
    if section.vary_by == "weight":
        parts = (
            f"{_format(figure)} {_WEIGHTED[figure.weight]}"
            f"{describe_dependence(figure.largest_share)}"
            for figure in same
        )
        return f"{label}: {', '.join(parts)}"
    if section.vary_by:
        others = [
            figure
            for figure in shown
            if figure not in figures
            and (figure.name, figure.framework) == (leading.name, leading.framework)
        ]
        more = f"; {_format_ends(others)} with more frameworks compared" if others else ""
        return f"{label}: {_format_ends(same)}, depending on the definition{more}"
    if section.by is None:
        share = _format(leading)
        return f"{label}: {share} of the {describe_total(leading, report)}"
    is_by_time = section.by in ("month", "year")
    if is_by_time and not (same := [figure for figure in same if has_date(figure.group)]):
        return None
    groups = [figure for figure in same if figure.denominator >= _FEW] or same
    if is_by_time:
        ends = [f"{_format(figure)} in {group_label(figure)}" for figure in (groups[0], groups[-1])]
        total = describe_total(leading, report)
        return f"{label}: {' to '.join(dict.fromkeys(ends))}, of the {total}"
    groups = [figure for figure in groups if str(figure.group)[:1] != "("] or groups
    ends = [f"{_format(figure)} ({group_label(figure)})" for figure in _find_ends(groups)]
    return f"{label}: {' to '.join(dict.fromkeys(ends))}"


def _format(figure: Figure) -> str:
    return format_percent(figure.share)


_WEIGHTED = {
    "models": "of models",
    "downloads": "of downloads",
    "authors": "if each author counts once",
}


def _format_ends(figures: Sequence[Figure]) -> str:
    low, high = _find_ends(figures)
    return format_range(low.share, high.share)


def _find_ends(figures: Sequence[Figure]) -> tuple[Figure, Figure]:
    """Return the figures with the lowest and the highest share."""
    by_share = sorted(figures, key=lambda figure: figure.share or 0.0)
    return by_share[0], by_share[-1]


def describe_total(figure: Figure, report: Report) -> str:
    """Return what the denominator of a figure counts: "models that support ..."."""
    titles = list(report.frameworks.values())
    those = f"models {describe_counted(titles, figure.definition)}"
    total = {
        "models": those,
        "downloads": f"downloads of {those}{describe_dependence(figure.largest_share)}",
        "authors": f"authors of {those}",
    }[figure.weight]
    count = figure.exclude_top_authors
    return f"{total}, without the {format_top(count, 'largest author')}" if count else total


def _describe_breakdown(section: Section, report: Report) -> str:
    """Return the two largest classes."""
    rows = [row for row in section.rows if row["group"] is None]
    largest = sorted(rows, key=lambda row: -(row["numerator"] or 0))[:2]
    first, second = (
        ": ".join(format_cell(row, column, section, report) for column in ("class", "share"))
        for row in largest
    )
    counted = {"downloads": "the downloads of all models"}.get(
        str(section.parameters.get("weight")), "all models"
    )
    return f"{first} of {counted}{describe_dependence(largest[0]['largest_share'])}; {second}"


def _describe_concentration(section: Section, report: Report) -> str:
    first, last = section.rows[0], section.rows[-1]
    name = _name_row(first, "author", section, report)
    framework = str(section.parameters.get("framework"))
    title = report.titles.get(framework, framework)
    if len(report.frameworks) > 1:
        title += " only"
    share = format_cell(first, "share", section, report)
    together = format_cell(last, "cumulative_share", section, report)
    downloads = "downloads of the " * (section.parameters.get("weight") == "downloads")
    text = (
        f"{name}: {share} of the {downloads}models that support {title}"
        f"{_format_definition(section, report)}"
    )
    if last is first:
        return text
    return f"{text}; the {len(section.rows)} largest accounts together: {together}"


def _format_definition(section: Section, report: Report) -> str:
    """Return ", by Hub tags", where the page does not say which evidence counts."""
    definition = section.parameters.get("definition")
    return f", by {DEFINITION_LABELS[str(definition)]}" if report.text and definition else ""


def _describe_formats(section: Section, report: Report) -> str | None:
    """Return the most common."""
    row = max(section.rows, key=lambda row: row["numerator"])
    name = format_cell(row, "framework", section, report)
    share = format_cell(row, "share", section, report)
    return (
        f"{name}: {share} of the {_name_known(row, section)}{_format_definition(section, report)}"
    )


def _name_known(row: Row, section: Section) -> str:
    """Return what the denominator of a row of formats.sql counts."""
    definition = row.get("definition") or section.parameters.get("definition")
    return f"models with {KNOWN_EVIDENCE[str(definition)]}"


def _describe_largest(section: Section, report: Report) -> str | None:
    """Return the largest known group, with its share by each weight that the section has."""
    column = next(name for name in ("group", "value", "class") if name in section.rows[0])
    weights = dict.fromkeys(row.get("weight") for row in section.rows)
    first = [row for row in section.rows if row.get("weight") == next(iter(weights))]
    named = [row for row in first if row["share"] and str(row[column])[:1] != "("]
    if not named:
        return None
    leading = max(named, key=lambda row: row["numerator"])
    shares = []
    for row in section.rows:
        if row[column] == leading[column]:
            counted = row.get("weight", section.parameters.get("weight", "models"))
            known = "" if row["coverage"] == 1 else " whose answer is known"
            cell = format_cell(row, "share", section, report)
            shares.append(f"{cell} of the {counted}{known if counted == 'models' else ''}")
    return f"{_name_row(leading, column, section, report)}: {', '.join(shares)}"


def _name_row(row: Row, column: str, section: Section, report: Report) -> str:
    """Return what a row is about; where a name of the Hub would be bare, with what it names."""
    text = format_cell(row, column, section, report)
    if column == "author":
        return f"{'Account' if row['has_account'] else 'Model'} {text}"
    if column not in ("group", "value"):
        return text
    kind = section.parameters.get("by") or section.parameters.get("of")
    noun = (section.columns or {}).get(column) or GROUP_NOUNS.get(str(kind), "")
    return f"{noun} {text}".strip()


def _describe_lorenz(section: Section, report: Report) -> str | None:
    """Return what the 90 % with the fewest have together."""
    rows = [
        row for row in section.rows if row["share"] is not None and row["share_of_units"] <= _MOST
    ]
    if not rows:
        return None
    units = format_percent(rows[-1]["share_of_units"])
    weight = str(section.parameters.get("weight") or "downloads").replace("_", " ")
    return f"The {units} with the fewest: {format_percent(rows[-1]['share'])} of the {weight}"


def _describe_transitions(section: Section, report: Report) -> str | None:
    """Return the most frequent change of models that both snapshots have."""
    changed = [
        row
        for row in section.rows
        if row.get("group") is None
        and row["before"] != row["after"]
        and not {NOT_IN_SNAPSHOT, "(unknown)"} & {row["before"], row["after"]}
    ]
    if not changed:
        return None
    row = max(changed, key=lambda row: row["models"])
    before, after = (format_cell(row, column, section, report) for column in ("before", "after"))
    return f"Most frequent change: {before} to {after}, {format_count(row['models'], 'model')}"


def _describe_cutoff(section: Section, report: Report) -> str | None:
    row = describe_older_models(section.rows[0])
    if row["share_max"] is None:
        return None
    label = class_label(row["name"], row["framework"], report.frameworks)
    bounds = format_range(row["share_min"], row["share_max"])
    supporting = f"support {any_framework(list(report.frameworks.values()))}"
    if are_all_undated(row):
        return f"{label}: {bounds} of the models older than the Hub's dates that {supporting}"
    return f"{label}: {bounds} of the models that may be of {report.request.year} and {supporting}"


def _describe_comparison(section: Section, report: Report) -> str | None:
    """Return the leading class on both sides; of groups, that with the largest change."""
    rows = [row for row in section.rows if row["points"] is not None]
    if not rows:
        return None
    leading = max(rows, key=lambda row: (row["name"] == "available", row["numerator"]))
    label = class_label(leading["name"], leading["framework"], report.frameworks)
    parts = ("share", "compared_share", "points")
    if leading.get("group") is None:
        first, second, points = (format_cell(leading, key, section, report) for key in parts)
        return f"{label}: {first} to {second} ({points} points)"
    groups = [
        row
        for row in rows
        if (row["name"], row["framework"]) == (leading["name"], leading["framework"])
        and min(row["denominator"], row["compared_denominator"]) >= _FEW
    ]
    row = max(groups or [leading], key=lambda row: abs(row["points"]))
    first, second, points = (format_cell(row, key, section, report) for key in parts)
    return f"{label}: most change in {row['group']}, {first} to {second} ({points} points)"


def _list_times(section: Section) -> list[str]:
    """Return the columns of time of which the rows have several values."""
    return [
        column
        for column in ("observed_at", "period")
        if len({row[column] for row in section.rows if column in row}) > 1
    ]


def _describe_course(section: Section, report: Report, times: Sequence[str]) -> str | None:
    """Return how the largest share changed over time; None over periods of several snapshots."""
    column = _COURSES[section.query]
    if len(times) > 1 or column is None:
        return None
    return _describe_pivot(section, report, {"rows": column, "columns": times[0], "cells": "share"})


def _describe_pivot(section: Section, report: Report, place: Mapping[str, str]) -> str | None:
    """Return how the largest row of a cross table of shares changes from first to last column.

    `place`: `rows`, `columns` and `cells` -> the columns of the section's rows.
    """
    if place["cells"] not in ("share", "survival") or place["columns"] == "created":
        return None

    def name_column(row: Row) -> str:
        value = format_cell(row, place["columns"], section, report)
        return f"at least {value}" if place["columns"].startswith("min_") else value

    rows = [
        row
        for row in section.rows
        if has_date(row[place["columns"]])
        and str(row[place["rows"]])[:1] != "("
        and (section.query != "breakdown" or row["group"] is None)
    ]
    if not rows:
        return None
    ends = [name_column(rows[0]), name_column(rows[-1])]
    newest = [row for row in rows if name_column(row) == ends[1]]
    leading = max(newest, key=lambda row: row[place["cells"]] or 0.0)
    same = [row for row in rows if row[place["rows"]] == leading[place["rows"]]]
    first = next((row for row in same if name_column(row) == ends[0]), leading)
    word = {"observed_at": "on", "period": "in"}.get(place["columns"], "for")
    weight = str(section.parameters.get("weight", "models"))
    counted = "" if weight == "models" else f" of the {weight.replace('_', ' ')}"
    shares = (
        f"{format_value('share', row[place['cells']])}{counted} {word} {name_column(row)}"
        for row in (first, leading)
    )
    name = _name_row(leading, place["rows"], section, report)
    total = f", of the {_name_known(leading, section)}" if section.query == "formats" else ""
    return f"{name}: {' to '.join(dict.fromkeys(shares))}{total}"


_RULES: Mapping[str, Callable[[Section, Report], str | None]] = {
    "breakdown": _describe_breakdown,
    "concentration": _describe_concentration,
    "formats": _describe_formats,
    "composition": _describe_largest,
    "lorenz": _describe_lorenz,
    "parity_backends": describe_verdicts,
    "parity_cases": describe_cases,
    "pickle": _describe_largest,
    "run_speed": describe_speed,
    "tag_values": _describe_largest,
    "transitions": _describe_transitions,
    "creation_cutoff": _describe_cutoff,
    "compare": _describe_comparison,
}
"""Query -> what writes the title of a section from its rows."""

_COURSES: Mapping[str, str | None] = {
    "breakdown": "class",
    "composition": "group",
    "concentration": "author",
    "formats": "framework",
    "pickle": "class",
    "tag_values": "value",
    **dict.fromkeys(("creation_cutoff", "lorenz")),
}
"""Query -> the column whose largest share a title follows over periods or snapshots; or none."""
