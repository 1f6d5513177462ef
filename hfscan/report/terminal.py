"""The report for a terminal, 80 columns wide or more."""

from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from hfscan.report import words
from hfscan.report.report import Report
from hfscan.report.table import Table, tables
from hfscan.text import sanitize


def write(report: Report, out: TextIO) -> None:
    """Write the report to `out`; colour only where `out` is a terminal and NO_COLOR is unset."""
    console = _console(out)
    console.print(_text(report.title, "bold"))
    console.print(_text(words.headline(report)))
    console.print(_text(words.snapshot(report), "dim"))
    for note in report.notes:
        console.print(_text(note, "yellow"))
    for section in report.sections:
        console.print()
        console.print(_text(section.title, "bold cyan"))
        if section.note:
            console.print(_text(section.note, "dim"))
        for line in section.lines:
            console.print(_text(line))
        for table in tables(section, report):
            _print(console, table)


def write_table(table: Table, out: TextIO) -> None:
    """Write one table to `out`."""
    _print(_console(out), table)


def _console(out: TextIO) -> Console:
    # a pipe has no width of its own: never cut an id or a number there
    return Console(file=out, width=None if out.isatty() else 200, highlight=False)


def _print(console: Console, table: Table) -> None:
    if table.title:
        console.print(_text(table.title, "italic"))
    console.print(_rich(table))


def _rich(table: Table) -> RichTable:
    rich = RichTable(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    for heading, prose in zip(table.headings, table.prose, strict=True):
        rich.add_column(_text(heading), justify="left" if prose else "right", overflow="fold")
    for row in table.rows:
        rich.add_row(*map(_text, row))
    return rich


def _text(text: str, style: str = "") -> Text:
    return Text(sanitize(text), style=style)  # what comes from the Hub is never markup
