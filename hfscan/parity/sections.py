"""Turn the results of a run into a document, `--format json`, and into a report for people."""

import statistics
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TextIO

from hfscan._version import __version__
from hfscan.parity.agreement import agreement_sections, list_agreement, list_highlights
from hfscan.parity.findings import BY_SOME, describe_backend, describe_run
from hfscan.parity.machine import describe_model
from hfscan.parity.result import (
    FileVerdict,
    Result,
    Verdict,
    all_agree,
    judge_files,
    to_json_data,
)
from hfscan.report import FORMATS, CustomText, Report, Section
from hfscan.report.format import format_date
from hfscan.text import encode_json, format_count, join_words

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
_EXPORTS = {"executorch", "litert", "onnx", "openvino", "torch-export"}  # of PyTorch's graphs
_MACHINE = {
    "backend": "Backend", "math": "Libraries", "threads": "Threads", "gemm_gflops": "GFLOP/s",
}  # fmt: skip
_GRAPHS = {
    "way": "Variant",
    "inference_first": "First", "inference_ms": "Forward", "inference_ratio": "Ratio",
    "training_first": "First ", "training_ms": "Training", "training_ratio": "Ratio ",
}  # fmt: skip
_DEMOS = {
    "tiny": ". Demo: tiny models, trained for seconds",
    "base": ". Demo: models with random weights",
    "vision": ". Demo: models with random weights",
}
"""Size of the demo models -> what they are, for the title."""
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
    command: str = "",
    demo: str | None = None,
) -> Document:
    """Return the results of a run that ends now as JSON-ready data; times are UTC.

    `required`: see `judge_files`. `command`: what repeats the run. `demo`: the size of the demo
    models that it checked, too.
    """
    cases = [to_json_data(asdict(result)) for result in results]
    return {
        "report": "parity",
        "hfscan_version": __version__,
        "started_at": f"{started:%Y-%m-%dT%H:%M:%SZ}",
        "finished_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "command": command,
        "demo": demo,
        "environment": to_json_data(environment),
        "required_backends": sorted(required),
        "finding": to_json_data(describe_run(judge_files(results, required))),
        "agree": all_agree(results, required),
        "cases": cases,
        "measurements": to_json_data(list(measurements)),
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
    files = judge_files(map(Result.from_row, cases), document["required_backends"])
    agreement, is_float64 = list_agreement(files)
    packages = _describe_packages(environment.get("backends", {}))
    provenance = f"Run with {packages}." if packages else ""
    day = format_date(datetime.fromisoformat(document["finished_at"]))
    checkpoints = len({file.checkpoint for file in files})
    return Report(
        "parity",
        f"Parity of {format_count(checkpoints, 'checkpoint')}{_DEMOS.get(document['demo'], '')}",
        (
            *agreement_sections(agreement, is_float64=is_float64),
            *_sections(cases, document["measurements"], environment, is_float64=is_float64),
        ),
        titles={file.backend: describe_backend(file.backend) for file in files},
        notes=tuple(environment.get("notes", ())),
        text=CustomText(
            f"{document['finding']}. {_count_cases(document, files)}",
            provenance=provenance,
            highlights=tuple(list_highlights(agreement, is_float64=is_float64)),
            finding=document["finding"],
            sources=tuple(filter(None, (f"run of hfscan parity, {day}", packages))),
            command=document["command"],
        ),
        glossary=_GLOSSARY,
    )


def _count_cases(document: Document, files: Sequence[FileVerdict]) -> str:
    """Return in sentences how many cases agree, and how many files no backend opened."""
    cases = document["cases"]
    agreeing = sum(case["verdict"] == Verdict.AGREE for case in cases)
    text = _describe_cases(cases)
    if document["agree"] and agreeing < len(cases):
        text += ": every weight file that was checked"
        if any(file.is_by_some for file in files):
            text += f",{BY_SOME}. {_describe_others(cases)}"
    unopened = sum(file.backend == "none" and not file.is_checked for file in files)
    if unopened:
        was = "was" if unopened == 1 else "were"
        text += f". {format_count(unopened, 'weight file')} {was} not opened"
    return f"{text}."


def _describe_cases(cases: Sequence[Document]) -> str:
    agreeing = sum(case["verdict"] == Verdict.AGREE for case in cases)
    verb = "agrees" if 1 in (agreeing, len(cases)) else "agree"
    return f"{agreeing:,} of {format_count(len(cases), 'case')} {verb}"


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


def _sections(
    cases: Sequence[Document],
    timings: Sequence[Document],
    environment: Document,
    *,
    is_float64: bool,
) -> Iterator[Section]:
    reference = "a float64 run. Details have that to the baseline" if is_float64 else "the baseline"
    yield Section(
        "cases",
        "Cases",
        note="Error: the largest relative L2 difference of an output on real positions, compared "
        f"with {reference}.",
        rows=tuple(_case_row(case, is_float64=is_float64) for case in cases),
        columns=_CASES,
        formats={"backend": "framework", "error": "error"},
        finding=_describe_cases(cases),
    )
    yield Section(
        "details",
        "Details",
        rows=tuple(map(_details_row, cases)),
        columns={"case": "Case", "details": "Details"},
        finding=_describe_others(cases),
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
        f"{rounds} rounds, on this machine only. CPU: the same for CPU time, at one thread.",
        paragraphs=tuple(
            "{checkpoint}: {mode} in {backend} ({variant}) failed: {fault}".format_map(row)
            for row in timings
            if "fault" in row
        ),
        rows=tuple(_timing_row(row, environment["threads"]) for row in timed),
        columns=_TIMINGS,
        split_by="mode",
        formats={"backend": "framework"}
        | dict.fromkeys(("first_call", "median", "ratio", "cpu_ratio"), "ratio"),
        chart="ratio low=low high=high mark=ratio y=checkpoint+mode+backend+variant",
        finding=_describe_times(timed),
    )
    if len({row["variant"] for row in timed}) > 1:
        graphs = _graph_rows(timed)
        yield Section(
            "graphs",
            "Static and dynamic graphs",
            note="eager builds the graph anew in each call (dynamic). function, export, session, "
            "float32, default, xnnpack and portable build it once (static); compile, xla, jit and "
            "aot-inductor also compile it. float32 and default are OpenVINO, in float32 and in the "
            "precision that it chooses itself; xnnpack and portable are ExecuTorch, with the "
            "kernels of XNNPACK and with its own. mkldnn is eager, with linear layers by oneDNN. "
            "First call in seconds, median call in milliseconds. Ratio: "
            "wall time divided by that of the same framework's eager variant in the same round (of "
            "PyTorch's, for its exports), median.",
            rows=tuple(graphs),
            columns=_GRAPHS,
            split_by="checkpoint",
            formats={name: "ratio" for name in _GRAPHS if name != "way"},
            finding=_describe_graphs(graphs),
        )
    rates = [
        {**backend, "backend": name}
        for name, backend in environment["backends"].items()
        if backend.get("gemm_gflops") is not None
    ]
    yield Section(
        "machine",
        "Machine",
        note="GFLOP/s: billions of operations per second in products of two float32 matrices of "
        "1,024 x 1,024, the best call of one second on the CPU. Libraries: with version and the "
        "instruction set that they report to use.",
        paragraphs=(describe_model(environment["processor"]),),
        rows=tuple(rates),
        columns=_MACHINE,
        formats={"backend": "framework", "gemm_gflops": "ratio"},
        finding=_describe_rates(rates),
    )


def _describe_others(cases: Sequence[Document]) -> str:
    """Return how many cases have each verdict other than agreement."""
    others = Counter(case["verdict"] for case in cases if case["verdict"] != Verdict.AGREE)
    if not others:
        return "No case has another verdict"
    return "Other verdicts: " + join_words(
        f"{verdict} ({number:,})" for verdict, number in others.most_common()
    )


def _describe_graphs(rows: Sequence[Document]) -> str | None:
    """Return the graph that takes least of its framework's own eager time to run forward."""
    compared = [row for row in rows if row["inference_ratio"] not in (None, 1)]
    if not compared:
        return None
    row = min(compared, key=lambda row: row["inference_ratio"])
    ratio = f"{row['inference_ratio']:.2f} of its framework's eager time"
    return f"Shortest forward pass: {row['way']}, {ratio} ({row['checkpoint']})"


def _describe_rates(rows: Sequence[Document]) -> str | None:
    """Return at which rate each backend multiplies matrices."""
    ranked = sorted(rows, key=lambda row: -row["gemm_gflops"])
    rates = [f"{describe_backend(row['backend'])} {row['gemm_gflops']:.0f}" for row in ranked]
    return f"Products of matrices in GFLOP/s: {', '.join(rates)}" if rates else None


def _describe_times(timed: Sequence[Document]) -> str | None:
    """Return the least and the largest median ratio of one backend, or of all to one base."""
    compared = [row for row in timed if f"{row['backend']} {row['variant']}" != row["ratio"]["to"]]
    by_base: dict[tuple[str, str], list[Document]] = {}
    for row in compared:
        by_base.setdefault((row["mode"], row["ratio"]["to"]), []).append(row)
    if not by_base:
        return None
    (mode, base), rows = max(by_base.items(), key=lambda item: len(item[1]))
    ways = dict.fromkeys(
        f"{describe_backend(_backend_label(row))} {row['variant']}" for row in rows
    )
    name = next(iter(ways)) if len(ways) == 1 else "The others"
    medians = [f"{row['ratio']['median']:.2f}" for row in rows]
    ends = dict.fromkeys((min(medians, key=float), max(medians, key=float)))
    return f"{name}: {' to '.join(ends)} times the time of {describe_backend(base)} ({mode})"


def _backend_label(row: Document) -> str:
    return f"{row['backend']} on {row['device']}" if row["device"] == "cuda" else row["backend"]


def _case_row(case: Document, *, is_float64: bool) -> Document:
    errors = [row["rel_l2"] for row in case["outputs"] if row["region"] == "real"]
    if is_float64:
        errors = [case["reference"]["backend_error"]]
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


def _graph_rows(timed: Sequence[Document]) -> list[Document]:
    """Return a row for each checkpoint and variant, with its ratio to its framework's eager one."""
    by_key = {
        (row["checkpoint"], row["mode"], row["backend"], row["variant"]): row for row in timed
    }
    rows: dict[tuple[str, str], Document] = {}
    for (checkpoint, mode, backend, variant), row in by_key.items():
        framework = "pytorch" if backend in _EXPORTS else backend
        base = by_key.get((checkpoint, mode, framework, "eager"))
        way = f"{_backend_label(row)} {variant}"
        empty = dict.fromkeys(_GRAPHS) | {"checkpoint": checkpoint, "way": way}
        found = rows.setdefault((checkpoint, way), empty)
        found |= {
            f"{mode}_first": row["first_call_seconds"],
            f"{mode}_ms": row["latency_ms"]["p50"],
            f"{mode}_ratio": base and _median_ratio(row["milliseconds"], base["milliseconds"]),
        }
    return list(rows.values())


def _median_ratio(times: Sequence[float], base_times: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(times, base_times, strict=True))


def _timing_row(row: Document, threads: int) -> Document:
    ratio, peak = row["ratio"], row.get("peak_rss_mb")
    bounds = ratio["min"], ratio["max"]
    # waiting threads count as work: CPU time compares nothing at several threads
    has_cpu_ratio = row["device"] == "cpu" and threads == 1
    return {
        **row,
        "backend": _backend_label(row),
        "first_call": row["first_call_seconds"],
        "median": row["latency_ms"]["p50"],
        "peak": None if peak is None else round(peak),
        "ratio": ratio["median"],
        "low": bounds[0],
        "high": bounds[1],
        "range": "-" if None in bounds else f"{bounds[0]:.2f}-{bounds[1]:.2f}",
        "cpu_ratio": row["cpu_ratio"]["median"] if has_cpu_ratio else None,
    }
