"""The report as Markdown (GitHub's tables)."""

from collections.abc import Mapping
from typing import TextIO

from hfscan.report import words
from hfscan.report.report import Report
from hfscan.report.table import Table, tables
from hfscan.text import escape_markdown


def write(report: Report, out: TextIO, charts: Mapping[str, str] | None = None) -> None:
    """Write the report to `out`; `charts`: section -> where its picture is."""
    lines = [
        f"# {escape_markdown(report.title)}",
        "",
        f"**{escape_markdown(words.headline(report))}**",
        "",
    ]
    lines += [escape_markdown(words.snapshot(report)), ""]
    for note in report.notes:
        lines += [f"> {escape_markdown(note)}", ""]
    for section in report.sections:
        lines += [f"## {escape_markdown(section.title)}", ""]
        if section.note:
            lines += [escape_markdown(section.note), ""]
        for line in section.lines:
            lines += [escape_markdown(line), ""]
        if charts and section.name in charts:
            lines += [f"![{escape_markdown(section.title)}]({charts[section.name]})", ""]
        for table in tables(section, report):
            lines += _table(table)
    out.write("\n".join(lines).rstrip() + "\n")


def write_table(table: Table, out: TextIO) -> None:
    """Write one table to `out`."""
    out.write("\n".join(_table(table)).rstrip() + "\n")


def _table(table: Table) -> list[str]:
    head = [f"*{escape_markdown(table.title)}*", ""] if table.title else []
    return [
        *head,
        _row(tuple(map(escape_markdown, table.headings))),
        _row(tuple("---" if prose else "---:" for prose in table.prose)),
        *(_row(tuple(map(escape_markdown, row))) for row in table.rows),
        "",
    ]


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
