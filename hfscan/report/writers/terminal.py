"""Write for a terminal. A pipe or a file gets the same text, without colours, in 80 columns."""

import os
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text

from hfscan.report.model import Report, Section
from hfscan.report.provenance import format_provenance, format_sources
from hfscan.report.sentences import format_coverage, list_answers
from hfscan.report.tables import Table, section_tables
from hfscan.report.writers.terminal_table import format_table
from hfscan.text import sanitize
from hfscan.wrap import wrap

_COLUMNS = 80  # of a pipe or a file, without COLUMNS


def write(report: Report, out: TextIO) -> None:
    """Write the complete report."""
    console = open_console(out)
    print_text(console, report.title, "bold")
    for answer in list_answers(report):
        print_text(console, answer)
    print_text(console, format_provenance(report), "dim")
    for note in report.notes:
        print_text(console, note, "yellow")
    for section in report.sections:
        console.print()
        print_text(console, section.title, "bold cyan")
        print_text(console, section.note or "", "dim")
        _print_section(console, section, report)


def write_groups(report: Report, out: TextIO) -> None:
    """Write only the tables by the requested grouping."""
    console = open_console(out)
    print_text(console, report.title, "bold")
    print_text(console, format_sources(report), "dim")
    print_text(console, format_coverage(report.headline, report.frameworks) or "")
    for section in report.sections:
        if section.by == report.request.by:
            console.print()
            print_text(console, section.title, "bold cyan")
            print_text(console, section.note or "", "dim")
            _print_section(console, section, report)


def write_table(table: Table, out: TextIO) -> None:
    _print_tables(open_console(out), [table])


def open_console(out: TextIO) -> Console:
    """Return a console; in colour only on a terminal, and if NO_COLOR is unset."""
    return Console(file=out, width=_find_width(out), highlight=False)


def _find_width(out: TextIO) -> int:
    """Return the columns that COLUMNS names, else those of the terminal; 80 in a pipe or file.

    Of a pipe, rich would take the width of the terminal that stdin is, and 0 from COLUMNS=0.
    """
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(out.fileno()).columns or _COLUMNS
    except (OSError, ValueError):  # no terminal, or no file
        return _COLUMNS


def print_text(console: Console, text: str, style: str = "") -> None:
    """Print a paragraph; nothing if it is empty."""
    if text:
        print_lines(console, wrap(sanitize(text), console.width), style)


def print_lines(console: Console, lines: Sequence[str], style: str = "") -> None:
    """Print lines as they are: text from the Hub is not markup."""
    if lines:
        text = Text("\n".join(lines), style=style)
        console.print(text, no_wrap=True, overflow="ignore", crop=False)


def print_table(console: Console, lines: Sequence[str]) -> None:
    """Print the lines of a table, its headings in bold."""
    headings = next((n for n, line in enumerate(lines) if line and not line.strip("─-")), 0)
    print_lines(console, lines[:headings], "bold")
    print_lines(console, lines[headings:])


def _print_section(console: Console, section: Section, report: Report) -> None:
    for paragraph in section.texts:
        print_text(console, paragraph)
    _print_tables(console, section_tables(section, report))


def _print_tables(console: Console, tables: Iterable[Table]) -> None:
    for table in tables:
        print_text(console, table.title or "", "italic")
        print_text(console, table.note or "", "dim")
        print_table(
            console, format_table(table, console.width, is_ascii=console.options.ascii_only)
        )
