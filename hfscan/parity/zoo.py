"""Tries every architecture that transformers has in both frameworks, as a tiny random model.

Run as `python -m hfscan.parity.zoo --out FILE`. Results are kept beside FILE, one JSON line per
architecture, so that an interrupted run goes on where it stood.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hfscan.errors import HfscanError
from hfscan.fs import write_output
from hfscan.parity.checkpoints import open_checkpoint
from hfscan.parity.pool import Settings
from hfscan.parity.sweep import Sweep
from hfscan.parity.verdict import AGREE, Result
from hfscan.parity.worker import first_line
from hfscan.text import escape_markdown, sanitize

Row = dict[str, Any]
_WAYS = {  # heading -> weights' format, backend
    "PyTorch's weights in PyTorch": ("safetensors", "pytorch"),
    "in TensorFlow": ("safetensors", "tensorflow"),
    "TensorFlow's weights in TensorFlow": ("h5", "tensorflow"),
    "in PyTorch": ("h5", "pytorch"),
}


def try_one(sweep: Sweep, architecture: str) -> Row:
    """Make one tiny model and check it; whatever happens becomes a row."""
    row: Row = {"architecture": architecture}
    with tempfile.TemporaryDirectory(prefix="hfscan-zoo-") as folder:
        try:
            worker = sweep.worker("pytorch", frozenset({"tensorflow"}))
            made = worker.call("model", architecture=architecture, into=folder)
        except HfscanError as error:
            return row | {"fault": f"PyTorch: {_line(error)}"}
        try:
            results = list(sweep.check(open_checkpoint(Path(folder), architecture)))
        except HfscanError as error:
            return row | {"fault": _line(error)}
    row["ways"] = {heading: _way(results, *which) for heading, which in _WAYS.items()}
    if made["twin"]:
        row["fault"] = f"TensorFlow: {sanitize(made['twin'])}"
    return row


def _way(results: Sequence[Result], format_: str, backend: str) -> Row | None:
    """Return the best route's result: an agreeing one, else the last (the helper)."""
    tried = [r for r in results if r.weights["format"] == format_ and r.backend == backend]
    if not tried:
        return None
    best = next((r for r in tried if r.verdict == AGREE), tried[-1])
    real = [row["rel_l2"] for row in best.outputs if row["region"] == "real"]
    return {
        "verdict": best.verdict,
        "reason": "; ".join([sanitize(best.reason), *map(sanitize, best.notes)]),
        "route": best.route,
        "rel_l2": max(real, default=None),
        "layer": best.first_divergent_layer,
        "off_side": best.reference["off_side"],
        "plain_fails": tried[0].verdict != AGREE and best.verdict == AGREE,
    }


def _line(error: Exception) -> str:
    return sanitize(first_line(error))[:300]


def sweep_zoo(settings: Settings, kept: Path, wanted: Sequence[str] | None) -> Iterator[Row]:
    """Yield the row of every architecture, those already in `kept` unchanged."""
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    known = {row["architecture"]: row for row in map(json.loads, lines)}
    with Sweep(settings) as sweep, kept.open("a", encoding="utf-8") as file:
        worker = sweep.worker("pytorch", frozenset({"tensorflow"}))
        found: Mapping[str, str] = worker.call("architectures")["architectures"]
        for architecture, model_type in sorted(found.items(), key=lambda item: item[::-1]):
            if wanted and architecture not in wanted:
                continue
            row = known.get(architecture)
            if row is None:
                row = try_one(sweep, architecture) | {"model_type": model_type}
                row["versions"] = {
                    name: text
                    for backend in sweep.workers.values()
                    for name, text in backend.about.get("versions", {}).items()
                }
                file.write(json.dumps(row) + "\n")
                file.flush()
            yield row


def verdict(row: Row) -> str:
    """Return one word for an architecture: the first way that does not agree decides."""
    ways = [way for way in row.get("ways", {}).values() if way]
    differing = [way["verdict"] for way in ways if way["verdict"] != AGREE]
    if differing:
        return str(differing[0])
    return AGREE if ways and "fault" not in row else "not tried"


def markdown(rows: Sequence[Row]) -> str:
    """Return the table, what the versions were, and what is behind each that does not agree."""
    count = Counter(map(verdict, rows))
    tools = ", ".join(f"{name} {text}" for name, text in rows[-1]["versions"].items())
    parts = [
        "# Parity of every architecture",
        "",
        f"Each of the {len(rows)} model classes that transformers has for PyTorch and for "
        "TensorFlow, as one tiny model with random weights, its weights saved by either framework "
        "and opened by both; float32 on the CPU. Numbers are relative L2 on real positions: of "
        "PyTorch to its own float64 run, of the others to PyTorch. `*`: the plain call fails, the "
        "library's helper works. Made by `python -m hfscan.parity.zoo`.",
        "",
        f"{tools}.",
        "",
        "; ".join(f"{word}: {number}" for word, number in count.most_common()) + ".",
        "",
        "| architecture | verdict | " + " | ".join(_WAYS) + " |",
        "| --- | --- |" + " --- |" * len(_WAYS),
    ]
    for row in rows:
        cells = [_cell(row.get("ways", {}).get(heading)) for heading in _WAYS]
        parts.append(f"| {row['architecture']} | {verdict(row)} | {' | '.join(cells)} |")
    parts += ["", "## What is behind them", ""]
    for row in rows:
        if verdict(row) != AGREE:
            parts.append(f"- **{row['architecture']}**: {escape_markdown(_why(row))}")
    return "\n".join(parts) + "\n"


def _cell(way: Row | None) -> str:
    if way is None:
        return "none"
    star = "\\*" if way["plain_fails"] else ""
    if way["verdict"] != AGREE:
        return str(way["verdict"])
    if way["rel_l2"] is None or "no float64 reference" in way["reason"]:
        return f"agree{star}"
    return f"{way['rel_l2']:.1e}{star}"


def _why(row: Row) -> str:
    told = [row["fault"]] if "fault" in row else []
    for heading, way in row.get("ways", {}).items():
        if way and way["verdict"] != AGREE:
            layer = f" (parts at layer {way['layer']})" if way["layer"] is not None else ""
            off = f"; {way['off_side']} is off" if way["off_side"] else ""
            told.append(f"{heading}: {way['verdict']}: {way['reason']}{layer}{off}")
    return ". ".join(dict.fromkeys(told))


def main() -> None:
    """Run from the command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m hfscan.parity.zoo", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the table, Markdown")
    parser.add_argument("--only", nargs="*", help="these architectures")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for one step")
    given = parser.parse_args()
    settings = Settings(seconds=given.timeout, measure=False)
    rows = []
    for row in sweep_zoo(settings, given.out.with_suffix(".jsonl"), given.only):
        rows.append(row)
        print(row["architecture"], verdict(row), file=sys.stderr, flush=True)
        write_output(given.out, markdown(rows))


if __name__ == "__main__":
    main()
