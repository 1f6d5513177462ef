"""Arranges results for a terminal, Markdown, HTML and JSON."""

import html
import json
from collections.abc import Sequence
from typing import Any, TextIO

from hfscan.parity.result import Verdict
from hfscan.text import escape_markdown, sanitize

Document = dict[str, Any]
_HEAD = ("checkpoint", "weights", "backend", "device", "load method", "verdict", "reason")
_MEASURED = (
    "checkpoint", "mode", "backend", "variant", "device",
    "first call", "median", "peak", "CPU", "ratio",
)  # fmt: skip
_STYLE = """<style>
body { font: 16px/1.5 sans-serif; margin: 2em }
table { border-collapse: collapse; margin: 2em 0 }
th, td { border-bottom: 1px solid #ccc; padding: .3em .8em .3em 0; text-align: left }
</style>"""


def write_json(report: Document, out: TextIO) -> None:
    json.dump(report, out, indent=2, allow_nan=False)
    out.write("\n")


def write_markdown(report: Document, out: TextIO) -> None:
    for head, rows in tables(report):
        for line in (
            head,
            ["---"] * len(head),
            *([escape_markdown(cell) for cell in row] for row in rows),
        ):
            out.write(f"| {' | '.join(line)} |\n")
        out.write("\n")
    for line in summary(report):
        out.write(f"{escape_markdown(line)}\n\n")


def write_terminal(report: Document, out: TextIO) -> None:
    for head, body in tables(report):
        rows = [list(head), *body]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head) - 1)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            out.write("  ".join([*cells, row[-1]]) + "\n")
        out.write("\n")
    out.write("".join(f"{line}\n" for line in summary(report)))


def write_html(report: Document, out: TextIO) -> None:
    """One page without scripts and without anything from elsewhere."""
    out.write(f"<!doctype html>\n<html lang='en'>\n<meta charset='utf-8'>\n{_STYLE}\n")
    out.write("<title>hfscan parity</title>\n<h1>Do the frameworks agree?</h1>\n")
    for line in summary(report):
        out.write(f"<p>{html.escape(line)}</p>\n")
    for head, rows in tables(report):
        out.write(f"<table>\n<thead>{_html_row('th', head)}</thead>\n<tbody>\n")
        for row in rows:
            out.write(_html_row("td", row) + "\n")
        out.write("</tbody>\n</table>\n")
    out.write("</html>\n")


def _html_row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"


FORMATS = {
    "terminal": write_terminal,
    "md": write_markdown,
    "json": write_json,
    "html": write_html,
}


def tables(report: Document) -> list[tuple[Sequence[str], list[list[str]]]]:
    """Return (head, rows) of what there is to show, free of control codes."""
    measured = [_measured(row) for row in report["measurements"]]
    return [(_HEAD, _rows(report))] + ([(_MEASURED, measured)] if measured else [])


def _measured(row: Document) -> list[str]:
    if "fault" in row:
        numbers = ["", "", "", "", row["fault"]]
    else:
        ratio = row["ratio"]
        numbers = [
            f"{row['first_call_seconds']:.2f} s",
            f"{row['latency_ms']['p50']:.2f} ms",
            f"{row['peak_rss_mb']:,.0f} MB" if row.get("peak_rss_mb") else "",
            _number(row["cpu_ratio"]["median"]),
            f"{_number(ratio['median'])} ({_number(ratio['min'])} to {_number(ratio['max'])}) "
            f"times {ratio['to']}, {row['latency_ms']['n']} rounds",
        ]
    names = (row["checkpoint"], row["mode"], row["backend"], row["variant"], row["device"])
    return [sanitize(str(cell)) for cell in (*names, *numbers)]


def _number(value: float | None) -> str:
    """Return a ratio; none where a clock was too coarse to see one of the two."""
    return "" if value is None else f"{value:.2f}"


def _rows(report: Document) -> list[list[str]]:
    rows = []
    for case in report["cases"]:
        told = [(case["verdict"], _sentence(case))]
        if case["tf32_rel_l2"] is not None:
            moved = f"with TF32 its outputs move by relative L2 {case['tf32_rel_l2']:.1e}"
            told.append(("(not judged)", moved))
        names = (case["checkpoint"], case["weights"]["file"], case["backend"], case["device"])
        rows += [
            [sanitize(str(cell)) for cell in (*names, case["load_method"], *one)] for one in told
        ]
    return rows


def _sentence(case: Document) -> str:
    parts = [case["reason"]]
    if case["first_divergent_layer"] is not None:
        parts.append(f"parts at layer {case['first_divergent_layer']}")
    if case["reference"]["suspect_backend"]:
        parts.append(f"{case['reference']['off_side']} is off")
    if case["generated_equal"]:
        parts.append(f"{case['generation']['tokens']} tokens equal")
    return "; ".join([*parts, *case["notes"]])


def summary(report: Document) -> list[str]:
    """Return the answer with the versions, then the notes, free of control codes."""
    count = sum(case["verdict"] == Verdict.AGREE for case in report["cases"])
    backends = report["environment"].get("backends", {}).values()
    versions = {
        name: text for backend in backends for name, text in backend.get("versions", {}).items()
    }
    tools = ", ".join(f"{name} {text}" for name, text in versions.items())
    word = "Every weight file agrees in every backend." if report["agree"] else "Not all agree."
    answer = f"{word} {count} of {len(report['cases'])} cases agree. {tools}"
    return [sanitize(line) for line in (answer, *report["environment"].get("notes", ()))]
