"""Write JSON; docs/json.md describes the contract for programs."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, TextIO

from hfscan._version import __version__
from hfscan.report.model import Report, Section
from hfscan.store import Snapshot
from hfscan.text import encode_json


def write(report: Report, out: TextIO) -> None:
    """Write the report to `out` as one JSON object."""
    document: dict[str, Any] = {
        "report": report.name,
        "year": report.request.year,
        "period": _period(report),
        "hfscan_version": __version__,
        "generated_at": f"{report.generated_at:%Y-%m-%dT%H:%M:%S}Z",
        "snapshot": None if report.text else _snapshot(report.snapshot),
        "notes": report.notes,
        "breakdown": report.breakdown,
        "flags": [vars(flag) | {"message": flag.message} for flag in report.flags],
        "figures": [figure.as_dict() for figure in report.figures],
        "variants": [figure.as_dict() for figure in report.variants],
        "tables": [
            _table(section)
            for section in report.sections
            if not section.figures and section.query != "breakdown"
        ],
    }
    if report.findings:
        document["findings"] = [finding.text for finding in report.findings]
    if report.claims:
        document["claims"] = report.claims
    if report.text:
        document["snapshots"] = list(map(_snapshot, report.snapshots))
        document["summary"] = report.text.summary
    if report.compared_with:
        document["compared_with"] = {
            "year": report.compared_with.request.year,
            "period": _period(report.compared_with),
            "snapshot": _snapshot(report.compared_with.snapshot),
        }
    out.write(encode_json(document) + "\n")


def write_result(columns: Sequence[str], rows: Iterable[Sequence[Any]], out: TextIO) -> None:
    """Write an array of objects to `out`, row by row."""
    separator = "[\n "
    for row in rows:
        text = encode_json(dict(zip(columns, row, strict=True)))
        out.write(separator + text.replace("\n", "\n "))
        separator = ",\n "
    out.write("[]\n" if separator.startswith("[") else "\n]\n")


def _table(section: Section) -> dict[str, Any]:
    names = ("name", "title", "query", "parameters", "rows")
    optional = {"paragraphs": section.texts, "unavailable_rows": section.unavailable_rows}
    return {name: getattr(section, name) for name in names} | {
        name: value for name, value in optional.items() if value
    }


def _period(report: Report) -> dict[str, Any] | None:
    """Return the covered and the requested bounds of the year; UTC."""
    if (period := report.period) is None:
        return None
    bounds = {
        "since": period.since,
        "until": period.until,
        "requested_since": period.requested[0],
        "requested_until": period.requested[1],
    }
    return {key: f"{instant.isoformat()}Z" for key, instant in bounds.items()} | {
        "complete": not (period.begins_late or period.ends_early)
    }


def _snapshot(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "id": snapshot.id,
        "kind": snapshot.kind,
        "origin": snapshot.origin,
        "observed_from": f"{snapshot.observed_from.isoformat()}Z",
        "observed_to": f"{snapshot.observed_to.isoformat()}Z",
        "models": snapshot.models,
        "complete": snapshot.complete,
        "synthetic": snapshot.synthetic,
        "missing_columns": snapshot.missing_columns,
        "unreadable": [asdict(column) for column in snapshot.unreadable],
    }
