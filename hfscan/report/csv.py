"""The report as CSV: a file for each section, safe to open in a spreadsheet."""

import io
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from hfscan.report.report import Report, Section
from hfscan.report.rows import ROW_FORMATS


def files(report: Report) -> Iterator[tuple[str, str]]:
    """Yield name and text of each file: the sections, then where they come from."""
    for section in report.sections:
        yield f"{section.name}.csv", text(rows(section))
    yield (
        "snapshots.csv",
        text([asdict(one) for side in (report, report.other) if side for one in side.snapshots]),
    )


def rows(section: Section) -> list[dict[str, Any]]:
    """Return what the section holds, all of it: figures as in the JSON, or the query's rows."""
    if section.rows:
        return list(section.rows)
    told = []
    for figure in section.figures:
        row = figure.as_dict()
        since, until = row.pop("period") or (None, None)
        first, last = row.pop("covered", (None, None))
        interval = row.pop("interval", (None, None))
        row |= {"since": since, "until": until, "covered_since": first, "covered_until": last}
        row |= {"low": interval[0], "high": interval[1]}
        told.append(row)
    return told


def text(rows: list[dict[str, Any]]) -> str:
    """Return the rows as CSV."""
    out = io.StringIO()
    ROW_FORMATS["csv"](rows, out)
    return out.getvalue()
