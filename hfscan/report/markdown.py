"""The report as Markdown (GitHub's tables)."""

import re
from collections.abc import Mapping
from typing import TextIO

from hfscan.report import words
from hfscan.report.report import Report
from hfscan.report.table import Table, tables
from hfscan.text import sanitize


def write(report: Report, out: TextIO, charts: Mapping[str, str] | None = None) -> None:
    """Write the report to `out`; `charts`: section -> where its picture is."""
    lines = [f"# {_text(report.title)}", "", f"**{_text(words.headline(report))}**", ""]
    lines += [_text(words.source(report)), ""]
    for note in report.notes:
        lines += [f"> {_text(note)}", ""]
    for section in report.sections:
        lines += [f"## {_text(section.title)}", ""]
        if section.note:
            lines += [_text(section.note), ""]
        for line in section.lines:
            lines += [_text(line), ""]
        if charts and section.name in charts:
            lines += [f"![{_text(section.title)}]({charts[section.name]})", ""]
        for table in tables(section, report):
            lines += _table(table)
    out.write("\n".join(lines).rstrip() + "\n")


def write_table(table: Table, out: TextIO) -> None:
    """Write one table to `out`."""
    out.write("\n".join(_table(table)).rstrip() + "\n")


def _table(table: Table) -> list[str]:
    head = [f"*{table.title}*", ""] if table.title else []
    return [
        *head,
        _row(tuple(map(_text, table.headings))),
        _row(tuple("---" if prose else "---:" for prose in table.prose)),
        *(_row(tuple(map(_text, row))) for row in table.rows),
        "",
    ]


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Escape what Markdown or HTML would read as markup: the Hub's text is untrusted."""
    return re.sub(r"([\\`*_{}\[\]<>#|~!&@])", r"\\\1", sanitize(" ".join(text.split())))
