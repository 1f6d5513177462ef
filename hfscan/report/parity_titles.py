"""Write the title of a section on parity as its finding, by rule from the rows of its query."""

from collections.abc import Mapping

from hfscan.report.format import format_value
from hfscan.report.model import Report, Row, Section
from hfscan.text import format_count, join_words

_AGREE = "agree"


def describe_verdicts(section: Section, report: Report) -> str:
    """Return in which backend the fewest weight files agree, or that all do in each."""
    totals = {row["backend"]: row["total"] for row in section.rows}
    agreeing = {row["backend"]: row["files"] for row in section.rows if row["verdict"] == _AGREE}
    titles = [report.titles.get(name, name) for name in totals]
    if agreeing == totals:
        return f"All weight files that were checked agree in {join_words(titles)}"
    name = min(totals, key=lambda name: agreeing.get(name, 0) / totals[name])
    files = format_count(totals[name], "weight file")
    fewest = f"{agreeing[name]:,} of {files}" if name in agreeing else f"none of {files}"
    title = report.titles.get(name, name)
    return f"Fewest agree in {title}: {fewest}" if len(totals) > 1 else f"{title}: {fewest} agree"


def describe_cases(section: Section, report: Report) -> str | None:
    """Return the largest error; of a section on failures how many there are."""
    if section.parameters.get("failing"):
        others = [row for row in section.rows if row["verdict"] != _AGREE]
        verb = "does" if len(others) == 1 else "do"
        return f"{format_count(len(others), 'case')} {verb} not agree"
    compared = [row for row in section.rows if row["error"] is not None]
    if not compared:
        return None
    row = max(compared, key=lambda row: row["error"])
    return f"Largest error: {describe_error(row, report.titles)}"


def describe_error(row: Row, titles: Mapping[str, str]) -> str:
    """Return the error of a row with its checkpoint, backend and tolerance."""
    name = titles.get(row["backend"], row["backend"])
    error, tolerance = (format_value("error", row[key]) for key in ("error", "tolerance"))
    return f"{error} ({row['checkpoint']} in {name}); tolerance {tolerance}"


def describe_speed(section: Section, report: Report) -> str | None:
    """Return the least and the largest median time, as multiples of PyTorch's."""
    rows = [row for row in section.rows if row["time_ratio"] is not None]
    if not rows:
        return None
    by_time = sorted(rows, key=lambda row: row["time_ratio"])
    least, most = (
        f"{row['time_ratio']:,.2f} times PyTorch's time ({_name_way(row, report)})"
        for row in (by_time[0], by_time[-1])
    )
    return least if least == most else f"From {least} to {most}"


def _name_way(row: Row, report: Report) -> str:
    title = report.titles.get(row["backend"], row["backend"])
    return f"{row['checkpoint']}, {row['mode']} in {title}, {row['variant']}"
