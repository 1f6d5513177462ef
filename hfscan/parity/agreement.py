"""Make the sections that lead a report: the verdict on each checkpoint in each backend."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hfscan.parity.findings import BY_SOME, describe_backend
from hfscan.parity.result import DIFFERENT, FileVerdict, Result, Verdict
from hfscan.report import Section
from hfscan.report.parity_titles import describe_error
from hfscan.text import format_count

Row = dict[str, Any]

MOST_MARKS = 24
"""Rows that the chart of differences draws; see reports/charts/error.json."""
_COLUMNS = {"checkpoint": "Checkpoint", "backend": "Backend", "verdict": "Verdict",
            "agree": "Files agreeing", "checked": "Files checked",
            "error": "Difference", "tolerance": "Tolerance"}  # fmt: skip
_CLASSES = ("differ", "not compared", "agree", "not checked")
_COUNTS = {
    "backend": "Backend", "verdict": "Verdict", "checkpoints": "Checkpoints", "total": "Total",
    "share": "Share",
}  # fmt: skip
_REFERENCES = {
    True: ("float64", "a run of the same weights in float64"),
    False: ("the baseline", "the baseline, because nothing was compared with float64"),
}


def list_agreement(files: Iterable[FileVerdict]) -> tuple[list[Row], bool]:
    """Return a row for each checkpoint and backend, and whether errors are to float64.

    `verdict`: the worst of its files; where some were not checked, of the others. `error`: the
    largest relative L2 of an output. Without any float64 run it is that to the baseline.
    """
    groups: dict[tuple[str, str], list[FileVerdict]] = {}
    for file in files:
        groups.setdefault((file.checkpoint, file.backend), []).append(file)
    opened = {checkpoint for checkpoint, backend in groups if backend != "none"}
    groups = {
        key: group for key, group in groups.items() if key[1] != "none" or key[0] not in opened
    }
    results = [result for group in groups.values() for file in group for result in file.results]
    is_float64 = any(result.reference["backend_error"] is not None for result in results)
    rows = []
    for (checkpoint, backend), group in groups.items():
        cases = [result for file in group for result in file.results]
        errors = [_find_error(case, is_float64=is_float64) for case in cases]
        worst = min(group, key=_rank)
        tolerances = [row["tolerance"] for case in cases for row in _list_real(case)]
        rows.append(
            {
                "checkpoint": checkpoint,
                "backend": backend,
                "verdict": worst.verdict,
                "class": _CLASSES[_rank(worst)],
                "agree": sum(file.verdict == Verdict.AGREE for file in group),
                "checked": sum(file.is_checked for file in group),
                "is_by_some": any(file.is_by_some for file in group),
                "error": max((error for error in errors if error is not None), default=None),
                "tolerance": max(tolerances, default=None),
            }
        )
    return rows, is_float64


def _rank(file: FileVerdict) -> int:
    """Return the place of the verdict's class in `_CLASSES`: first what is against agreement."""
    if not file.is_checked:
        return 3
    return 0 if file.verdict in DIFFERENT else 2 if file.verdict == Verdict.AGREE else 1


def _list_real(case: Result) -> list[Row]:
    """Return the outputs on real positions that were compared with another run."""
    if case.verdict == Verdict.BASELINE:
        return []
    return [row for row in case.outputs if row["region"] == "real"]


def _find_error(case: Result, *, is_float64: bool) -> float | None:
    """Return the largest difference to float64, else to the baseline; None if not compared."""
    if is_float64:
        error: float | None = case.reference["backend_error"]
        return error
    errors = [row["rel_l2"] for row in _list_real(case)]
    return max((error for error in errors if error is not None), default=None)


def agreement_sections(rows: Sequence[Row], *, is_float64: bool) -> Iterator[Section]:
    """Yield how many checkpoints agree in each backend, if they are many, and how far all are.

    `rows`, `is_float64`: see `list_agreement`.
    """
    if len(rows) > MOST_MARKS:
        yield _count_verdicts(rows)
    name, meaning = _REFERENCES[is_float64]
    has_errors = any(row["error"] is not None for row in rows)
    yield Section(
        "differences",
        f"Difference to {name}" if has_errors else "Verdicts by checkpoint and backend",
        note=f"The largest relative L2 difference of an output to {meaning}, of all weight files. "
        "A file counts by the load method that agrees, if one does."
        if has_errors
        else "The worst verdict on a weight file. A file counts by the load method that agrees.",
        rows=tuple(rows),
        columns=_COLUMNS,
        formats={"backend": "framework", "error": "error", "tolerance": "error"},
        chart="error x=error mark=tolerance y=checkpoint+backend color=verdict"
        if has_errors
        else None,
        finding=_describe_largest(rows, name),
    )


def _describe_largest(rows: Sequence[Row], reference: str) -> str | None:
    """Return which row has the largest difference; None if nothing was compared."""
    compared = [row for row in rows if row["error"] is not None]
    if not compared:
        return None
    row = max(compared, key=lambda row: row["error"])
    titles = {row["backend"]: describe_backend(row["backend"])}
    return f"Largest difference to {reference}: {describe_error(row, titles)}"


def _count_verdicts(rows: Sequence[Row]) -> Section:
    counts = Counter((row["backend"], str(row["verdict"])) for row in rows)
    totals = Counter(row["backend"] for row in rows)
    fewest = min(totals, key=lambda name: counts[name, Verdict.AGREE] / totals[name])
    return Section(
        "verdicts",
        "Verdicts by backend",
        note="Each checkpoint counts once in each backend, with the worst verdict on its files.",
        rows=tuple(
            {
                "backend": backend,
                "verdict": verdict,
                "checkpoints": number,
                "total": totals[backend],
                "share": number / totals[backend],
            }
            for (backend, verdict), number in sorted(
                counts.items(), key=lambda item: (item[0][1] != Verdict.AGREE, -item[1])
            )
        ),
        columns=_COUNTS,
        formats={"backend": "framework", "share": "share"},
        chart="stack x=share y=backend color=verdict",
        finding=f"Fewest agree in {describe_backend(fewest)}: {counts[fewest, Verdict.AGREE]:,} of "
        f"{format_count(totals[fewest], 'checkpoint')}",
    )


def list_highlights(rows: Sequence[Row], *, is_float64: bool) -> Iterator[dict[str, str]]:
    """Yield what HTML shows in large type: the verdicts in classes, and the largest difference.

    `rows`, `is_float64`: see `list_agreement`.
    """
    errors = [row["error"] for row in rows if row["error"] is not None]
    if not errors:
        return
    for name in _CLASSES:
        found = [row for row in rows if row["class"] == name]
        is_by_some = name == "agree" and any(row["is_by_some"] for row in found)
        if found:
            yield {
                "big": f"{len(found):,}",
                "label": name,
                "small": f"of {len(rows):,}, each checkpoint in each backend"
                + (BY_SOME if is_by_some else ""),
            }
    yield {
        "big": f"{max(errors):.1e}",
        "label": "largest difference",
        "small": f"relative L2 to {_REFERENCES[is_float64][0]}",
    }
