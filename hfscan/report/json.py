"""The report as JSON: the contract for programs."""

from dataclasses import asdict
from typing import Any, TextIO

from hfscan._version import __version__
from hfscan.report.report import Report
from hfscan.store import Snapshot
from hfscan.text import encode_json


def write(report: Report, out: TextIO) -> None:
    """Write the report to `out` as one JSON object."""
    contract: dict[str, Any] = {
        "report": report.name,
        "year": report.question.year,
        "period": _period(report),
        "hfscan": __version__,
        "generated_at": f"{report.generated_at:%Y-%m-%dT%H:%M:%S}Z",
        "snapshot": _source(report.snapshot) if not report.said else None,
        "notes": list(report.notes),
        "figures": [figure.as_dict() for figure in report.figures],
        "sensitivity": [
            figure.as_dict() for part in report.sections if part.across for figure in part.figures
        ],
        "tables": [
            {
                "name": part.name,
                "title": part.title,
                "query": part.query,
                "parameters": part.parameters,
                "rows": list(part.rows),
                **({"lines": list(part.lines)} if part.lines else {}),
                **({"lacking": list(part.lacking)} if part.lacking else {}),
            }
            for part in report.sections
            if part.parameters is not None
        ],
    }
    if report.said:
        contract["snapshots"] = list(map(_source, report.snapshots))
        contract["summary"] = report.said.summary
    if report.other:
        contract["other"] = {
            "year": report.other.question.year,
            "period": _period(report.other),
            "snapshot": _source(report.other.snapshot),
        }
    out.write(encode_json(contract) + "\n")


def _period(report: Report) -> dict[str, Any] | None:
    """Return from when to when models of the year count, and what was asked for; UTC."""
    if (one := report.period) is None:
        return None
    bounds = {"since": one.since, "until": one.until}
    asked = {"asked_since": one.asked_since, "asked_until": one.asked_until}
    told: dict[str, Any] = {
        key: f"{instant.isoformat()}Z" for key, instant in (bounds | asked).items()
    }
    return told | {"complete": not (one.begins_late or one.ends_early)}


def _source(snapshot: Snapshot) -> dict[str, Any]:
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
        "unreadable": [asdict(one) for one in snapshot.unreadable],
    }
