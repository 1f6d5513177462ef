"""Turn the results of a run into a document, `--format json`, and into a report for people."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TextIO

from hfscan._version import __version__
from hfscan.parity.result import Result, Verdict, all_agree
from hfscan.report import FORMATS, CustomText, Report, Section
from hfscan.text import encode_json

Document = dict[str, Any]
_CASES = {
    "checkpoint": "Checkpoint", "format": "Format", "backend": "Backend",
    "load_method": "Load method", "verdict": "Verdict", "error": "Error",
}  # fmt: skip
_TIMINGS = {
    "checkpoint": "Checkpoint", "backend": "Backend", "variant": "Variant",
    "first_call": "First", "median": "Median", "peak": "Peak", "ratio": "Ratio",
    "range": "Range", "cpu_ratio": "CPU",
}  # fmt: skip
_GLOSSARY = {
    "Baseline": "The first native case that loads completely. All others are compared with it, "
    "and it is compared with a float64 run of itself.",
    "Load method": "direct: the call that users make. converted: the most reliable conversion "
    "that the library offers.",
    "Suspect": "The backend whose own error, compared with the float64 run, stands out.",
}


def new_document(
    results: Sequence[Result],
    environment: Document,
    started: datetime,
    measurements: Sequence[Document] = (),
    required: Collection[str] = (),
) -> Document:
    """Return the results of a run that ends now as JSON-ready data; times are UTC.

    `required`: see `all_agree`.
    """
    cases = [_to_json(asdict(result)) for result in results]
    return {
        "report": "parity",
        "hfscan_version": __version__,
        "started_at": f"{started:%Y-%m-%dT%H:%M:%SZ}",
        "finished_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "environment": _to_json(environment),
        "agree": all_agree(results, required),
        "cases": cases,
        "measurements": _to_json(list(measurements)),
    }


def write(document: Document, format_: str, out: TextIO) -> None:
    """Write the document to `out` in one of the formats of reports."""
    if format_ == "json":
        out.write(encode_json(document) + "\n")
    else:
        FORMATS[format_](new_report(document), out)


def new_report(document: Document) -> Report:
    """Return the report for people."""
    environment, cases = document["environment"], document["cases"]
    agreeing = sum(case["verdict"] == Verdict.AGREE for case in cases)
    count = f"{agreeing} of {len(cases)} cases agree"
    if document["agree"]:
        count = f"Every weight file agrees in every backend by at least one load method ({count})"
    packages = _describe_packages(environment.get("backends", {}))
    provenance = f"Run with {packages}." if packages else ""
    return Report(
        "parity",
        "Do the frameworks agree?",
        tuple(_sections(cases, document["measurements"])),
        notes=tuple(environment.get("notes", ())),
        text=CustomText(f"{count}.", provenance=provenance),
        glossary=_GLOSSARY,
    )


def _describe_packages(backends: Mapping[str, Document]) -> str:
    """Return the versions of all packages; with the backends, if a package has several versions."""
    found: dict[str, dict[str, list[str]]] = {}  # package -> version -> backends
    for backend, info in backends.items():
        for package, version in info.get("versions", {}).items():
            found.setdefault(package, {}).setdefault(version, []).append(backend)
    return ", ".join(
        f"{package} {version}" + (f" in {' and '.join(users)}" if len(versions) > 1 else "")
        for package, versions in found.items()
        for version, users in versions.items()
    )


def _sections(cases: Sequence[Document], timings: Sequence[Document]) -> Iterator[Section]:
    yield Section(
        "cases",
        "Cases",
        note="Error: the largest relative L2 difference of an output on real positions, compared "
        "with the baseline (the baseline itself with a float64 run).",
        rows=tuple(map(_case_row, cases)),
        columns=_CASES,
        formats={"error": "error"},
    )
    yield Section(
        "details",
        "Details",
        rows=tuple(map(_details_row, cases)),
        columns={"case": "Case", "details": "Details"},
    )
    if not timings:
        return
    timed = [row for row in timings if "fault" not in row]
    rounds = max((row["latency_ms"]["n"] for row in timed), default=0)
    yield Section(
        "timings",
        "Time and memory",
        note="First call in seconds, median call in milliseconds, peak memory in MB. Ratio: wall "
        "time divided by that of the checkpoint's first row in the same round, median and range of "
        f"{rounds} rounds. CPU: the same for CPU time.",
        paragraphs=tuple(
            "{checkpoint}: {mode} in {backend} ({variant}) failed: {fault}".format_map(row)
            for row in timings
            if "fault" in row
        ),
        rows=tuple(map(_timing_row, timed)),
        columns=_TIMINGS,
        split_by="mode",
        formats=dict.fromkeys(("first_call", "median", "ratio", "cpu_ratio"), "ratio"),
    )


def _backend_label(row: Document) -> str:
    return f"{row['backend']} on {row['device']}" if row["device"] == "cuda" else row["backend"]


def _case_row(case: Document) -> Document:
    errors = [row["rel_l2"] for row in case["outputs"] if row["region"] == "real"]
    return {
        **case,
        "format": case["weights"]["format"],
        "backend": _backend_label(case),
        "error": max((error for error in errors if error is not None), default=None),
    }


def _details_row(case: Document) -> Document:
    file, backend, method = case["weights"]["file"], _backend_label(case), case["load_method"]
    parts = [case["reason"]]
    if case["first_divergent_layer"] is not None:
        parts.append(f"outputs differ from layer {case['first_divergent_layer']} on")
    if case["reference"]["suspect_backend"]:
        parts.append(f"suspect: {case['reference']['suspect_backend']}")
    if case["generated_equal"]:
        parts.append(f"{case['generation']['tokens']} generated tokens are equal")
    if case["tf32_rel_l2"] is not None:
        parts.append(f"TF32 would change the outputs by relative L2 {case['tf32_rel_l2']:.1e}")
    return {
        "case": f"{case['checkpoint']}: {file} in {backend} ({method})",
        "details": "; ".join([*parts, *case["notes"]]),
    }


def _timing_row(row: Document) -> Document:
    ratio, peak = row["ratio"], row.get("peak_rss_mb")
    bounds = ratio["min"], ratio["max"]
    return {
        **row,
        "backend": _backend_label(row),
        "first_call": row["first_call_seconds"],
        "median": row["latency_ms"]["p50"],
        "peak": None if peak is None else round(peak),
        "ratio": ratio["median"],
        "range": "-" if None in bounds else f"{bounds[0]:.2f}-{bounds[1]:.2f}",
        "cpu_ratio": None if row["device"] == "cuda" else row["cpu_ratio"]["median"],
    }


def _to_json(value: Any) -> Any:
    """Replace what JSON cannot represent: NaN and Inf with None, lone surrogates with "?"."""
    if isinstance(value, dict):
        return {_to_json(key): _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return None if isinstance(value, float) and not math.isfinite(value) else value
