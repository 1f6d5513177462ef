"""Build reports about the whole database, not one snapshot: parity results and claims.

Their specification names a `summary`, a query with one row that its texts quote.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hfscan.errors import NotFoundError, ReportConfigError
from hfscan.figures import Flag, find_flags_of_figures, load
from hfscan.frameworks import taxonomy
from hfscan.paths import data_dir
from hfscan.report.caveats import describe_flag
from hfscan.report.claims import FRAMEWORK_SETS, Claim, Measurement, evaluate_claims
from hfscan.report.format import format_value, verdict_label
from hfscan.report.model import CustomText, QueryRef, Report, Section
from hfscan.report.spec import fill_text, load_spec, new_section
from hfscan.store import Snapshot, Store, list_snapshots

_CLAIMS = "claims"


def is_database_report(name: str | None, where: Path | None = None) -> bool:
    """Return whether the report is about the whole database. Raises ReportConfigError."""
    return name is not None and "summary" in _load(name, where)


def build_database_report(store: Store, name: str, *, where: Path | None = None) -> Report:
    """Return the report `name`. Raises NotFoundError where it is empty, and ReportConfigError."""
    spec = _load(name, where)
    sections = []
    snapshots: list[Snapshot] = []
    flags: list[Flag] = []
    parameters: dict[str, object] = {}
    if name == _CLAIMS:
        claims = list(evaluate_claims(store, where=where))
        verdicts = [claim.as_row() for claim in claims]
        parameters = {"claims": json.dumps(verdicts)}
        (part,) = spec["section"]
        verdict_section = new_section(part, {}, verdicts, formats={"verdict": "verdict"})
        sections = [verdict_section, *map(_claim_section, claims)]
        used = {measurement.snapshot for claim in claims for measurement in claim.measurements}
        snapshots = [snapshot for snapshot in list_snapshots(store) if snapshot.id in used]
        weighted = {
            measurement.snapshot for claim in claims for measurement in claim.measurements
            if measurement.parameters.get("weight") == "downloads"
        }  # fmt: skip
        flags = find_flags_of_figures(store, snapshots, weighted)
    else:
        for part in spec["section"]:
            if part["population"] != "none":
                raise ReportConfigError(
                    f"Section {part['name']} of {name} must have population none: the report is "
                    "not about one snapshot."
                )
            section_parameters = part.get("parameters", {})
            if rows := load(part["query"]).run(store, section_parameters):
                sections.append(new_section(part, {}, rows, parameters=section_parameters))
    query = load(spec["summary"])
    summary = query.run(store, parameters)
    if not sections or not summary:
        raise NotFoundError(spec["missing"])
    values = {
        column: _Value(value, query.columns.get(column)) for column, value in summary[0].items()
    }
    titles = taxonomy().titles
    return Report(
        name=name,
        title=spec["title"],
        sections=tuple(sections),
        frameworks={framework: titles[framework] for framework in FRAMEWORK_SETS[0]},
        titles=titles,
        snapshots=tuple(snapshots),
        notes=(
            *(
                f"SYNTHETIC: snapshot {snapshot.id} is invented data for demonstration "
                f"({snapshot.synthetic})."
                for snapshot in snapshots
                if snapshot.synthetic
            ),
            *map(describe_flag, flags),
        ),
        flags=tuple(flags),
        headline_name=spec["headline"],
        text=CustomText(
            headline=fill_text(spec["answer"], values),
            provenance=fill_text(spec["provenance"], values),
            summary=summary[0],
            highlights=tuple(
                {key: fill_text(text, values) for key, text in highlight.items()}
                for highlight in spec["highlight"]
            ),
            glossary=spec["glossary"],
        ),
    )


def _load(name: str, where: Path | None) -> dict[str, Any]:
    """Load a specification; that of claims from hfscan where the folder has only claims."""
    if where is None or (name == _CLAIMS and not (where / name / "report.toml").exists()):
        where = data_dir("reports")
    return load_spec(name, where)


class _Value:
    """A value of the summary in a text: `{models}`, or counted with a noun, `{models:model}`."""

    def __init__(self, value: Any, kind: str | None) -> None:
        self._value, self._kind = value, kind

    def __format__(self, noun: str) -> str:
        text = format_value(self._kind, self._value)
        return f"{text} {noun}{'' if self._value == 1 else 's'}" if noun else text


def _claim_section(claim: Claim) -> Section:
    """Return the section of a claim: its words, its verdict, and a row for each measurement."""
    unit = claim.measured_unit
    low, high = f"{unit}_min", f"{unit}_max"

    def row(measurement: Measurement) -> dict[str, Any]:
        return {
            "what": measurement.what, "definition": measurement.definition,
            "frameworks": list(measurement.frameworks), low: measurement.low,
            high: measurement.high, "snapshot": measurement.snapshot,
            "outcome": measurement.outcome, "query": measurement.query,
            "parameters": dict(measurement.parameters),
        }  # fmt: skip

    measured = [measure for measure in claim.measurements if measure.low is not None]
    unavailable = [measure for measure in claim.measurements if measure.low is None]
    reasons = " ".join(dict.fromkeys(measure.reason for measure in unavailable if measure.reason))
    paragraphs = [
        f"Claim: {claim.claimed}{_accepted_range(claim)}.",
        f"Verdict: {verdict_label(claim.as_row())} ({claim.detail.rstrip('.')}).",
    ]
    paragraphs += [claim.note] if claim.note else []
    paragraphs += [f"Not measured: {reasons}"] if measured and reasons else []
    queries = {
        (measure.query, str(measure.parameters)): QueryRef(
            measure.query, measure.parameters, measure.snapshot
        )
        for measure in measured
    }
    return Section(
        name=claim.name.replace("-", "_"),
        title=claim.claim,
        note=f"{claim.document}, {claim.made}. About: {claim.about}.",
        paragraphs=tuple(paragraphs),
        query=measured[0].query if measured else "exclusivity",
        rows=tuple(map(row, measured)),
        unavailable_rows=tuple(
            row(measure) | {"reason": measure.reason} for measure in unavailable
        ),
        columns={
            "definition": "Definition", "frameworks": "Frameworks", low: "From", high: "To",
            "snapshot": "Snapshot", "outcome": "Outcome",
        },
        formats={
            "definition": "definition", "frameworks": "frameworks", low: unit, high: unit,
        },
        split_by="what",
        parameters={},
        queries=tuple(queries.values()),
        chart=f"claim low={low} high={high} y=definition+frameworks of=what"
        + _accepted_band(claim, measured),
    )  # fmt: skip


def _accepted_band(claim: Claim, measured: Sequence[Measurement]) -> str:
    """Return the accepted range for the chart; an open end goes to the chart's edge."""
    is_share = claim.measured_unit == "share"
    edge = 1.0 if is_share else max((measure.high or 0 for measure in measured), default=0)
    least = claim.least or 0
    most = claim.most or max(edge, least)
    return f" least={least} most={most} format={'.0%' if is_share else ',.2~f'}"


def _accepted_range(claim: Claim) -> str:
    """Return the values that the claim's words accept."""
    least, most = (
        None if bound is None else format_value(claim.measured_unit, bound)
        for bound in (claim.least, claim.most)
    )
    if least and most:
        return f" (accepted: {least} to {most})"
    if least or most:
        return f" (accepted: {f'{least} or more' if least else f'{most} or less'})"
    return ""
