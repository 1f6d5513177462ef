"""Write CSV that is safe to open in a spreadsheet; a report has one file for each section."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any, TextIO

from hfscan.figures.figure import LARGEST_KEYS
from hfscan.report.model import Report, Row, Section
from hfscan.report.tables import format_raw
from hfscan.text import encode_json, sanitize

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # and full-width forms


def report_files(report: Report) -> Iterator[tuple[str, str]]:
    """Yield name and text of each file: the sections, then the snapshots."""
    for section in report.sections:
        yield f"{section.name}.csv", to_csv(section_rows(section))
    reports = filter(None, (report, report.compared_with))
    snapshots = [asdict(snapshot) for part in reports for snapshot in part.snapshots]
    yield "snapshots.csv", to_csv(snapshots)


def section_rows(section: Section) -> list[Row]:
    """Return the section's rows, or its figures with pairs split into columns."""
    if section.rows:
        return list(section.rows)
    rows: list[Row] = []
    for figure in section.figures:
        row = figure.as_dict()
        for key, low, high in (
            ("period", "since", "until"),
            ("covered", "covered_since", "covered_until"),
            ("interval", "low", "high"),
        ):
            row[low], row[high] = row.pop(key, None) or (None, None)
        last = ("design_effect", "transformers", *LARGEST_KEYS)
        row |= {key: row.pop(key, None) for key in last}
        rows.append(row)
    return rows


def to_csv(rows: Sequence[Row]) -> str:
    """Return rows as CSV, with the keys that any of them has."""
    out = io.StringIO()
    columns = tuple(dict.fromkeys(key for row in rows for key in row))
    write_result(columns, ([row.get(key) for key in columns] for row in rows), out)
    return out.getvalue()


def write_result(columns: Sequence[str], rows: Iterable[Iterable[Any]], out: TextIO) -> None:
    """Write columns and rows to `out`, row by row."""
    writer = csv.writer(out, lineterminator="\n")
    if columns:
        writer.writerow(map(_escape_formula, columns))
    writer.writerows(map(_escape_formula, row) for row in rows)


def _escape_formula(value: object) -> str:
    """Return a value on one line, that a spreadsheet does not read as a formula."""
    if value is None or isinstance(value, int | float | Decimal):
        return format_raw(value)
    is_nested = isinstance(value, list | tuple | dict)
    text = sanitize(encode_json(value, indent=None) if is_nested else format_raw(value))
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
