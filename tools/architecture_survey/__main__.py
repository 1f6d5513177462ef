"""Check every architecture that transformers has in both frameworks, as a tiny random model.

Run as `python tools/architecture_survey --out FILE`. Results are stored next to FILE, one JSON line
per architecture, so that an interrupted survey continues where it stopped.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from model_maker import ModelMaker

from hfscan.errors import HfscanError
from hfscan.fs import write_output
from hfscan.parity.checkpoint import open_checkpoint
from hfscan.parity.process import Settings
from hfscan.parity.replies import summary_line
from hfscan.parity.result import Result, Verdict
from hfscan.parity.run import ParityRunner
from hfscan.text import escape_markdown, sanitize

Row = dict[str, Any]
_DIRECTIONS = {  # heading -> weights' format, backend
    "PyTorch's weights in PyTorch": ("safetensors", "pytorch"),
    "in TensorFlow": ("safetensors", "tensorflow"),
    "TensorFlow's weights in TensorFlow": ("h5", "tensorflow"),
    "in PyTorch": ("h5", "pytorch"),
}


def check(runner: ParityRunner, maker: ModelMaker, architecture: str) -> Row:
    """Make one tiny model and check it; whatever happens becomes a row."""
    row: Row = {"architecture": architecture}
    with tempfile.TemporaryDirectory(prefix="hfscan-survey-") as folder:
        try:
            twin_error = maker.call("make", architecture=architecture, into=folder)
        except Exception as error:
            return row | {"fault": f"PyTorch: {type(error).__name__}: {_summary(error)}"}
        try:
            results = list(runner.check(open_checkpoint(Path(folder), architecture)))
        except HfscanError as error:
            return row | {"fault": _summary(error)}
    row["directions"] = {
        heading: _direction(results, *which) for heading, which in _DIRECTIONS.items()
    }
    if twin_error:
        row["fault"] = f"TensorFlow: {sanitize(twin_error)}"
    return row


def _direction(results: Sequence[Result], format_: str, backend: str) -> Row | None:
    """Return the best load method's result: one that agrees, otherwise the last (converted)."""
    tried = [r for r in results if r.weights["format"] == format_ and r.backend == backend]
    if not tried:
        return None
    best = next((r for r in tried if r.verdict == Verdict.AGREE), tried[-1])
    errors = [row["rel_l2"] for row in best.outputs if row["region"] == "real"]
    agrees = best.verdict == Verdict.AGREE
    return {
        "verdict": best.verdict,
        "reason": "; ".join([sanitize(best.reason), *map(sanitize, best.notes)]),
        "load_method": best.load_method,
        "rel_l2": max(errors, default=None),
        "layer": best.first_divergent_layer,
        "suspect_backend": best.reference["suspect_backend"],
        "direct_load_fails": agrees and tried[0].verdict != Verdict.AGREE,
    }


def _summary(error: Exception) -> str:
    return sanitize(summary_line(error))[:300]


def survey(settings: Settings, journal: Path, only: Sequence[str] | None) -> Iterator[Row]:
    """Yield the row of every architecture; those already in `journal` are not checked again."""
    lines = journal.read_text(encoding="utf-8").splitlines() if journal.exists() else []
    known = {row["architecture"]: row for row in map(json.loads, lines)}
    with (
        ParityRunner(settings) as runner,
        ModelMaker(settings.timeout) as maker,
        journal.open("a", encoding="utf-8") as file,
    ):
        model_types: dict[str, str] = maker.call("architectures")
        versions = maker.call("versions")
        for architecture, model_type in sorted(model_types.items(), key=lambda item: item[::-1]):
            if only and architecture not in only:
                continue
            row = known.get(architecture)
            if row is None:
                row = check(runner, maker, architecture)
                row |= {"model_type": model_type, "versions": versions}
                file.write(json.dumps(row) + "\n")
                file.flush()
            yield row


def verdict(row: Row) -> str:
    """Return the verdict for an architecture: the first direction that does not agree decides."""
    directions = [direction for direction in row.get("directions", {}).values() if direction]
    for direction in directions:
        if direction["verdict"] != Verdict.AGREE:
            return str(direction["verdict"])
    return str(Verdict.AGREE) if directions and "fault" not in row else "not checked"


def markdown(rows: Sequence[Row]) -> str:
    """Return the table, the versions, and what is wrong with each that does not agree."""
    counts = Counter(map(verdict, rows))
    tools = ", ".join(f"{name} {text}" for name, text in rows[-1]["versions"].items())
    parts = [
        "# Architecture survey",
        "",
        f"The {len(rows)} model classes that transformers has for both PyTorch and TensorFlow, "
        "each as one tiny model with random weights: saved by either framework and loaded by both, "
        "in float32 on the CPU. Numbers are relative L2 on real positions: PyTorch compared with "
        "its own float64 run, the others with PyTorch. `*`: the direct load fails, the converted "
        "one agrees. Made by `make architecture-survey`.",
        "",
        f"{tools}.",
        "",
        "; ".join(f"{word}: {number}" for word, number in counts.most_common()) + ".",
        "",
        "| architecture | verdict | " + " | ".join(_DIRECTIONS) + " |",
        "| --- | --- |" + " --- |" * len(_DIRECTIONS),
    ]
    for row in rows:
        cells = [_cell(row.get("directions", {}).get(heading)) for heading in _DIRECTIONS]
        parts.append(f"| {row['architecture']} | {verdict(row)} | {' | '.join(cells)} |")
    parts += ["", "## Details", ""]
    for row in rows:
        if verdict(row) != Verdict.AGREE:
            parts.append(f"- **{row['architecture']}**: {escape_markdown(_details(row))}")
    return "\n".join(parts) + "\n"


def _cell(direction: Row | None) -> str:
    if direction is None:
        return "none"
    star = "\\*" if direction["direct_load_fails"] else ""
    if direction["verdict"] != Verdict.AGREE:
        return str(direction["verdict"])
    if direction["rel_l2"] is None or "no float64 reference" in direction["reason"]:
        return f"agree{star}"
    return f"{direction['rel_l2']:.1e}{star}"


def _details(row: Row) -> str:
    details = [row["fault"]] if "fault" in row else []
    for heading, result in row.get("directions", {}).items():
        if result and result["verdict"] != Verdict.AGREE:
            layer = f" (from layer {result['layer']} on)" if result["layer"] is not None else ""
            suspect = f"; suspect: {result['suspect_backend']}" if result["suspect_backend"] else ""
            details.append(f"{heading}: {result['verdict']}: {result['reason']}{layer}{suspect}")
    return ". ".join(dict.fromkeys(details))


def main() -> None:
    """Run the survey from the command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python tools/architecture_survey", description="Check every architecture."
    )
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--only", nargs="*", help="check only these architectures")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for one step")
    options = parser.parse_args()
    settings = Settings(timeout=options.timeout, measure=False)
    rows = []
    for row in survey(settings, options.out.with_suffix(".jsonl"), options.only):
        rows.append(row)
        print(row["architecture"], verdict(row), file=sys.stderr, flush=True)
        write_output(options.out, markdown(rows))


if __name__ == "__main__":
    main()
