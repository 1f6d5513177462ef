"""Write Markdown with GitHub's tables."""

from collections.abc import Mapping
from typing import TextIO

from hfscan.report.model import Report
from hfscan.report.provenance import format_provenance
from hfscan.report.sentences import list_answers
from hfscan.report.tables import Table, section_tables
from hfscan.text import escape_markdown


def write(report: Report, out: TextIO, charts: Mapping[str, str] | None = None) -> None:
    """Write the report to `out`. `charts`: section -> path of its image."""
    lines = [f"# {escape_markdown(report.title)}", ""]
    for answer in list_answers(report):
        lines += [f"**{escape_markdown(answer)}**", ""]
    if provenance := format_provenance(report):
        lines += [escape_markdown(provenance), ""]
    for note in report.notes:
        lines += [f"> {escape_markdown(note)}", ""]
    for section in report.sections:
        title = escape_markdown(section.title)
        lines += [f"## {title}", ""]
        for text in filter(None, (section.note, *section.texts)):
            lines += [escape_markdown(text), ""]
        if charts and section.name in charts:
            lines += [f"![{title}]({charts[section.name]})", ""]
        for table in section_tables(section, report):
            lines += _table_lines(table)
    out.write("\n".join(lines).rstrip() + "\n")


def write_table(table: Table, out: TextIO) -> None:
    out.write("\n".join(_table_lines(table)).rstrip() + "\n")


def _table_lines(table: Table) -> list[str]:
    title = [f"*{escape_markdown(table.title)}*", ""] if table.title else []
    note = [escape_markdown(table.note), ""] if table.note else []
    return [
        *title,
        *note,
        _row(tuple(map(escape_markdown, table.headings))),
        _row(tuple("---" if is_text else "---:" for is_text in table.is_text)),
        *(_row(tuple(map(escape_markdown, row))) for row in table.rows),
        "",
    ]


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
