"""Arranges results for a terminal, Markdown and JSON."""

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TextIO

from hfscan import __version__
from hfscan.parity.verdict import AGREE, NO_LANE, Result

Document = dict[str, Any]
_HEAD = ("checkpoint", "weights", "lane", "device", "route", "verdict", "reason")


def document(results: Sequence[Result], environment: Document, started: datetime) -> Document:
    """Return the whole report as JSON-ready data; numbers that are not finite become None.

    `started` is UTC; the report ends now.
    """
    cases = [_finite(asdict(result)) for result in results]
    return {
        "report": "parity",
        "hfscan": __version__,
        "started_at": f"{started:%Y-%m-%dT%H:%M:%SZ}",
        "finished_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "environment": environment,
        "agree": all_agree(results),
        "cases": cases,
    }


def all_agree(results: Sequence[Result]) -> bool:
    """Return True when each weight file agrees in each lane by at least one route.

    A plain call that fails where the helper agrees stays visible as its own case.
    """
    ways: dict[tuple[str, str, str], bool] = {}
    for result in results:
        if result.verdict == NO_LANE:
            continue
        key = (result.checkpoint, result.weights["file"], result.lane)
        ways[key] = ways.get(key, False) or result.verdict == AGREE
    return bool(ways) and all(ways.values())


def write_json(report: Document, out: TextIO) -> None:
    json.dump(report, out, indent=2, allow_nan=False)
    out.write("\n")


def write_markdown(report: Document, out: TextIO) -> None:
    rows = [[_escape(cell) for cell in row] for row in _rows(report)]
    for line in (_HEAD, ["---"] * len(_HEAD), *rows):
        out.write(f"| {' | '.join(line)} |\n")
    out.write(f"\n{_summary(report)}\n")


def write_terminal(report: Document, out: TextIO) -> None:
    rows = [list(_HEAD), *_rows(report)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        out.write("  ".join([*cells, row[-1]]) + "\n")
    out.write(f"\n{_summary(report)}\n")


FORMATS = {"terminal": write_terminal, "md": write_markdown, "json": write_json}


def _rows(report: Document) -> list[list[str]]:
    return [
        [
            plain(str(cell))
            for cell in (
                case["checkpoint"], case["weights"]["file"], case["lane"], case["device"],
                case["route"], case["verdict"], _sentence(case),
            )
        ]
        for case in report["cases"]
    ]  # fmt: skip


def _sentence(case: Document) -> str:
    parts = [case["reason"]]
    if case["first_divergent_layer"] is not None:
        parts.append(f"parts at layer {case['first_divergent_layer']}")
    if case["reference"] and case["reference"]["off_side"]:
        parts.append(f"{case['reference']['off_side']} is off")
    if case["generated_equal"]:
        parts.append(f"{case['generation']['tokens']} tokens equal")
    return "; ".join([*parts, *case["notes"]])


def _summary(report: Document) -> str:
    count = sum(case["verdict"] == AGREE for case in report["cases"])
    lanes = report["environment"].get("lanes", {}).values()
    versions = {name: text for lane in lanes for name, text in lane.get("versions", {}).items()}
    tools = ", ".join(f"{name} {text}" for name, text in versions.items())
    word = "Every weight file agrees in every lane." if report["agree"] else "Not all agree."
    notes = "".join(f"\n{note}" for note in report["environment"].get("notes", ()))
    return f"{word} {count} of {len(report['cases'])} cases agree. {tools}{notes}"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and value - value != 0 else value


def plain(text: str) -> str:
    """Return `text` without control codes: it may come from a checkpoint."""
    return "".join(" " if unicodedata.category(char).startswith("C") else char for char in text)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")
