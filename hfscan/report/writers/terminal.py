"""Write for a terminal of 80 columns or more."""

from collections.abc import Sequence
from typing import Literal, TextIO

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from hfscan.report.model import Report
from hfscan.report.sentences import format_provenance, list_answers
from hfscan.report.tables import Table, section_tables
from hfscan.text import sanitize

_SENTENCE = 40  # characters; a first column with longer cells gets the width that others leave


def write(report: Report, out: TextIO) -> None:
    """Write the report to `out`; in colour only to a terminal, and if NO_COLOR is unset."""
    console = open_console(out)
    console.print(_text(report.title, "bold"))
    for answer in list_answers(report):
        console.print(_text(answer))
    if provenance := format_provenance(report):
        console.print(_text(provenance, "dim"))
    for note in report.notes:
        console.print(_text(note, "yellow"))
    for section in report.sections:
        console.print()
        console.print(_text(section.title, "bold cyan"))
        if section.note:
            console.print(_text(section.note, "dim"))
        for paragraph in section.paragraphs:
            console.print(_text(paragraph))
        for table in section_tables(section, report):
            _print_table(console, table)


def write_table(table: Table, out: TextIO) -> None:
    _print_table(open_console(out), table)


def open_console(out: TextIO) -> Console:
    """Return a console; in colour only on a terminal, and if NO_COLOR is unset."""
    # a pipe has no width: do not cut ids or numbers there
    return Console(file=out, width=None if out.isatty() else 200, highlight=False)


def _print_table(console: Console, table: Table) -> None:
    if table.title:
        console.print(_text(table.title, "italic"))
    rich = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    widths = _fit_widths(table, console.width)
    columns = zip(table.headings, table.is_text, widths, strict=True)
    for heading, is_text, width in columns:
        justify: Literal["left", "right"] = "left" if is_text else "right"
        rich.add_column(_text(heading), justify=justify, overflow="fold", width=width)
    for row in table.rows:
        rich.add_row(*map(_text, row))
    console.print(rich)


def _fit_widths(table: Table, available: int) -> Sequence[int | None]:
    """Return the width of each column, None for Rich's choice: it cuts all to the same width.

    A first column of sentences gets about a third, and what the others leave; they are at least as
    wide as their longest word.
    """
    columns = list(zip(table.headings, *table.rows, strict=True))
    natural = [max(map(len, column)) for column in columns]
    gaps = 2 * (len(columns) - 1)
    if natural[0] <= _SENTENCE or sum(natural) + gaps <= available:
        return [None] * len(columns)
    words = [max(len(word) for cell in column for word in cell.split()) for column in columns]
    share = (available * 2 // 3 - gaps) // (len(columns) - 1)
    others = [
        max(word, min(width, share)) for word, width in zip(words[1:], natural[1:], strict=True)
    ]
    return [max(words[0], available - gaps - sum(others)), *others]


def _text(text: str, style: str = "") -> Text:
    return Text(sanitize(text), style=style)  # text from the Hub is not markup
