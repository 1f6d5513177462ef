"""Build reports about the whole database, not one snapshot: parity results and claims.

Their specification names a `summary`, a query with one row that its texts quote.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hfscan.errors import NotFoundError, ReportConfigError
from hfscan.figures import AccountGroups, Flag, Query, Subject, find_flags_of_figures, load
from hfscan.frameworks import taxonomy
from hfscan.paths import data_dir
from hfscan.report.caveats import describe_flags
from hfscan.report.claims import evaluate_claims
from hfscan.report.claims.sections import describe_verdicts, list_sections
from hfscan.report.format import UNKNOWN, verdict_label
from hfscan.report.model import CustomText, Report, Row, Section
from hfscan.report.spec import fill_text, load_spec, new_section, row_values
from hfscan.report.subject_texts import describe_group, describe_model, describe_sums
from hfscan.scope import DEFAULT_FRAMEWORKS
from hfscan.store import Snapshot, Store, list_snapshots

_CLAIMS = "claims"
_TEXTS = {
    "claim_verdicts": describe_verdicts,
    "group_summary": describe_group,
    "model_summary": describe_model,
}
"""Summary -> what writes texts from it, for the placeholders of the report's own."""
_ABOUT_SUBJECT = ("group_summary", "model_summary")
"""Summaries of what `hfscan show` names."""


def is_database_report(name: str | None, where: Path | None = None) -> bool:
    """Return whether the report is about the whole database. Raises ReportConfigError."""
    return name is not None and "summary" in _load(name, where)


def build_database_report(
    store: Store,
    name: str,
    *,
    where: Path | None = None,
    subject: Subject | None = None,
) -> Report:
    """Return the report `name`. Raises NotFoundError where it is empty, and ReportConfigError.

    `subject`: what it is about; all its queries get its parameters, and read its snapshot.
    """
    if name == _CLAIMS:
        return build_claims_report(store, where=where)
    spec = _load(name, where)
    if subject is None and spec["summary"] in _ABOUT_SUBJECT:
        raise NotFoundError(spec["missing"])
    given = subject.parameters if subject else {}

    def run(query: Query, values: Mapping[str, object]) -> list[dict[str, Any]]:
        return subject.view.run(query.name, values) if subject else query.run(store, values)

    sections = []
    for part in spec["section"]:
        if part["population"] != "none":
            raise ReportConfigError(
                f"Section {part['name']} of {name} must have population none: the report is "
                "not about one snapshot."
            )
        query = load(part["query"])
        section_parameters = {key: given[key] for key in query.defaults.keys() & given.keys()}
        section_parameters |= part.get("parameters", {})
        if rows := run(query, section_parameters):
            section = new_section(part, {}, rows, parameters=section_parameters)
            if query.name == "group_history":
                section = replace(section, paragraphs=describe_sums(rows))
            sections.append(section)
    used = {row.get("snapshot") for section in sections for row in section.rows}
    used_snapshots = [snapshot for snapshot in list_snapshots(store) if snapshot.id in used]
    flags = find_flags_of_figures(store, used_snapshots, ())
    summary = run(load(spec["summary"]), given)
    return _new_report(name, spec, sections, summary, used_snapshots, flags)


def build_claims_report(
    store: Store,
    *,
    where: Path | None = None,
    folder: Path | None = None,
    account_groups: AccountGroups | None = None,
    name: str | None = None,
    full: bool = True,
) -> Report:
    """Return the fact-check of claims.

    `where`: a folder with reports; its `claims/*.toml` are checked if there are any. `folder`: the
    claims themselves; default: hfscan's own. `account_groups`: for claims about countries. `name`:
    only this claim or topic. `full`: with sources, and a section for each claim. Raises
    NotFoundError if the database is empty, ReportConfigError, and InvalidRequestError on an unknown
    name.
    """
    own = where / _CLAIMS if where and any((where / _CLAIMS).glob("*.toml")) else None
    claims = list(evaluate_claims(store, folder or own, account_groups, name))
    readings = [reading for claim in claims for reading in claim.readings]
    used = {reading.snapshot for reading in readings}
    snapshots = [snapshot for snapshot in list_snapshots(store) if snapshot.id in used]
    weighted = {
        reading.snapshot
        for reading in readings
        if load(reading.query).count_columns(reading.parameters)
    }
    spec = _load(_CLAIMS, where)
    if len(claims) == 1:
        judgement = claims[0].judgement
        answer = f"{verdict_label(judgement.verdict).capitalize()}. {judgement.detail}"
        finding = f"{verdict_label(judgement.verdict).capitalize()}: {claims[0].spec.claim}"
        texts = {"answer": answer, "finding": finding}
        escaped = {key: text.replace("{", "{{").replace("}", "}}") for key, text in texts.items()}
        spec |= {**escaped, "highlight": []}
    sections = list(list_sections(spec, claims))
    if not full:
        columns = {
            key: text for key, text in (sections[0].columns or {}).items() if key != "source"
        }
        sections = [replace(sections[0], columns=columns)]
    rows = tuple(claim.as_row() for claim in claims)
    verdicts = json.dumps([{"verdict": row["verdict"]} for row in rows])
    return _new_report(
        _CLAIMS,
        spec,
        sections,
        load(spec["summary"]).run(store, {"claims": verdicts}),
        snapshots=tuple(snapshots),
        flags=tuple(find_flags_of_figures(store, snapshots, weighted)),
        claims=rows,
    )


def _new_report(
    name: str,
    spec: Mapping[str, Any],
    sections: Sequence[Section],
    summary: Sequence[Row],
    snapshots: Sequence[Snapshot] = (),
    flags: Sequence[Flag] = (),
    claims: tuple[Row, ...] = (),
) -> Report:
    """Return a report with the texts of its specification, filled from the row `summary`."""
    query = load(spec["summary"])
    if not sections or not summary:
        raise NotFoundError(spec["missing"])
    values = row_values(summary[0], query.columns)
    if describe := _TEXTS.get(query.name):
        values |= describe(summary[0])
    titles = taxonomy().titles
    return Report(
        name=name,
        title=fill_text(spec["title"], values),
        sections=tuple(sections),
        claims=claims,
        frameworks={framework: titles[framework] for framework in DEFAULT_FRAMEWORKS},
        titles=titles,
        snapshots=tuple(snapshots),
        notes=(
            *(
                f"SYNTHETIC: snapshot {snapshot.id} is invented data for demonstration "
                f"({snapshot.synthetic})."
                for snapshot in snapshots
                if snapshot.synthetic
            ),
            *describe_flags(flags),
        ),
        flags=tuple(flags),
        headline_name=spec["headline"],
        text=CustomText(
            headline=fill_text(spec["answer"], values).strip(),
            provenance=fill_text(spec["provenance"], values),
            summary=summary[0],
            highlights=tuple(
                {key: fill_text(text, values) for key, text in highlight.items()}
                for highlight in spec["highlight"]
                if fill_text(highlight["big"], values) != UNKNOWN
            ),
            finding=fill_text(spec["finding"], values) if "finding" in spec else None,
            sources=tuple(fill_text(spec[key], values) for key in ("source",) if key in spec),
        ),
        glossary=spec["glossary"],
    )


def _load(name: str, where: Path | None) -> dict[str, Any]:
    """Load a specification; that of claims from hfscan where the folder has only claims."""
    if where is None or (name == _CLAIMS and not (where / name / "report.toml").exists()):
        where = data_dir("reports")
    return load_spec(name, where)
