"""Write a summary of a report for a terminal: at most 25 lines in 80 columns."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import TextIO

from rich.cells import cell_len
from rich.text import Text

from hfscan.report.format import breakdown_label, format_cell, format_value
from hfscan.report.model import Report, Row, Section
from hfscan.report.provenance import format_sources
from hfscan.report.sentences import format_answer, format_coverage, format_low_coverage
from hfscan.report.summary import rank_caveats
from hfscan.report.tables import section_tables
from hfscan.report.writers.terminal import open_console
from hfscan.report.writers.terminal_table import align_decimals, format_table
from hfscan.text import format_count, sanitize
from hfscan.wrap import wrap

_LINES, _COLUMNS = 25, 80  # narrower terminals get more lines
_CAVEATS = 3
_CAVEAT_LINES = 3  # of each, of 80 columns; a flag on the data needs as many
_NEXT_LINES = 3
_LABEL = 10  # columns
_EIGHTHS = " ▏▎▍▌▋▊▉"  # of a column
_SHORTEST_BAR = 12  # columns for 100 %; with fewer, small and middling shares look the same


def write(report: Report, out: TextIO, commands: Sequence[Sequence[str]]) -> None:
    """Write the summary. `commands`: the words of each command to run next."""
    console = open_console(out)
    width, is_ascii = console.width, console.options.ascii_only
    head = [*_wrap(report.title, width, "bold"), *_wrap(format_sources(report), width, "dim")]
    headline = (report.headline, report.frameworks)
    coverage = format_low_coverage(*headline) or format_coverage(*headline)
    if report.compared_with:
        coverage = " ".join(report.headline.coverage)
    caveats = [
        line
        for caveat in rank_caveats(report)[:_CAVEATS]
        for line in _list_item(_shorten(caveat.text, width - _LABEL - 2))
    ]
    details = [
        *_add_label("Coverage", wrap(coverage, width - _LABEL) if coverage else []),
        *_add_label("Caveats", caveats),
        *_add_label("Next", _list_commands(commands, width - _LABEL)),
    ]
    most = max(_LINES, _LINES * _COLUMNS // width)
    room = most - len(head) - len(details)
    answer = _list_answers(report, width, room)
    table = _list_lead(report, width, room - len(answer), is_ascii=is_ascii)
    blocks = [block for block in (head, answer, table, details) if block]
    spare = most - sum(map(len, blocks))
    for place in range(len(blocks) - 1, max(0, len(blocks) - 1 - spare), -1):
        blocks.insert(place, [Text()])
    for line in (line for block in blocks for line in block):
        console.print(line, no_wrap=True, overflow="ignore", crop=False)


def _wrap(text: str, width: int, style: str = "") -> list[Text]:
    return [Text(line, style=style) for line in wrap(sanitize(text), width) if line]


def _add_label(label: str, lines: Sequence[str]) -> list[Text]:
    """Return the lines of a block, its label beside the first."""
    labels = [label] + [""] * (len(lines) - 1)
    return [
        Text.assemble((f"{text:{_LABEL}}", "bold cyan"), line)
        for text, line in zip(labels, lines, strict=False)
    ]


def _list_item(lines: Sequence[str]) -> list[str]:
    return [f"{'  ' if number else '- '}{line}" for number, line in enumerate(lines)]


def _shorten(text: str, width: int) -> list[str]:
    """Return the lines of a text without the last sentences that have no room."""
    most = _CAVEAT_LINES * max(1, _COLUMNS // width)
    sentences = sanitize(text).split(". ")
    lines = wrap(". ".join(sentences), width)
    while len(lines) > most and len(sentences) > 1:
        sentences.pop()
        lines = wrap(". ".join(sentences) + ".", width)
    if len(lines) > most:
        lines = [*lines[: most - 1], wrap(lines[most - 1], width - 4)[0] + " ..."]
    return lines


def _list_commands(commands: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return the lines of commands for a shell; the first are left out where all have no room."""
    lines: list[str] = []
    for words in reversed(commands):
        quoted = [sanitize(shlex.quote(word)) for word in words]
        broken = [""]
        for word in quoted:
            if broken[-1] and cell_len(f"{broken[-1]} {word} \\") > width:
                broken[-1] += " \\"
                broken.append(" ")
            broken[-1] += f" {word}" if broken[-1] else word
        if lines and len(lines) + len(broken) > _NEXT_LINES:
            break
        lines = [*broken, *lines]
    return lines


def _list_answers(report: Report, width: int, room: int) -> list[Text]:
    """Return the headline, or the findings that have room."""
    lines: list[Text] = []
    for finding in report.findings:
        item = _list_item(wrap(sanitize(finding.text), width - 2))
        if len(lines) + len(item) > room:
            break
        lines += map(Text, item)
    return lines or _wrap(format_answer(report), width)


def _list_lead(report: Report, width: int, room: int, *, is_ascii: bool) -> list[Text]:
    """Return the breakdown of all models, else the table of the headline; none without room."""
    breakdown = next((part for part in report.sections if part.query == "breakdown"), None)
    section = breakdown or report.headline
    title = _wrap(section.title, width, "bold cyan")
    room -= len(title)
    rows = [row for row in section.rows if row.get("group") is None] if breakdown else []
    if breakdown and room >= min(len(rows), 4):
        return [*title, *_list_bars(rows, breakdown, report, width, room, is_ascii=is_ascii)]
    table = section_tables(section, report)[0]
    for count in range(len(table.rows), 0, -1):
        lines = format_table(replace(table, rows=table.rows[:count]), width, is_ascii=is_ascii)
        more = len(table.rows) - count
        if len(lines) + bool(more) <= room:
            rest = [f"{format_count(more, 'more row')}: --full"] if more else []
            return [*title, *map(Text, lines), *map(Text, rest)]
    return []


def _list_bars(
    rows: Sequence[Row], section: Section, report: Report, width: int, room: int, *, is_ascii: bool
) -> list[Text]:
    """Return a line for each class, with a bar if it has room; the largest where not all have."""
    visible = list(rows)
    if len(visible) > room:
        ranked = sorted(visible, key=lambda row: -(row["numerator"] or 0))[: room - 1]
        visible = [row for row in visible if row in ranked]
    labels = [breakdown_label(row["class"], report.titles) for row in visible]
    counts = [format_value(None, row["numerator"]) for row in visible]
    shares = align_decimals([format_cell(row, "share", section, report) for row in visible])
    columns = [max(map(len, cells)) for cells in (labels, counts, shares)]
    room_for_bar = max(width - sum(columns) - 6, 0)
    lines = []
    for row, label, count, share in zip(visible, labels, counts, shares, strict=True):
        text = f"{label:{columns[0]}}  {count:>{columns[1]}}  {share:>{columns[2]}}  "
        bar = ""
        if room_for_bar >= _SHORTEST_BAR:
            bar = _draw_bar(row["share"] or 0.0, room_for_bar, is_ascii=is_ascii)
        lines.append(Text.assemble(text.rstrip() if not bar else text, (bar, "cyan")))
    if hidden := len(rows) - len(visible):
        lines.append(Text(f"{hidden:,} smaller classes: --full"))
    return lines


def _draw_bar(share: float, columns: int, *, is_ascii: bool) -> str:
    """Return a bar of which `columns` stand for 100 %; a share above 0 is always visible."""
    eighths = max(round(share * columns * 8), share > 0)
    full, part = divmod(eighths, 8)
    if is_ascii:
        return "#" * max(round(eighths / 8), share > 0)
    return "█" * full + _EIGHTHS[part].strip()
