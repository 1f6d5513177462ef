"""Reports of the whole database, not of one snapshot: parity's results, weighed claims.

Their plan has a `summary`, a query of one row, and the words to set it in.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hfscan.errors import NotFoundError, ReportConfigError
from hfscan.figures import load
from hfscan.frameworks import taxonomy
from hfscan.paths import data_dir
from hfscan.report import words
from hfscan.report.claims import FRAMEWORK_SETS, weigh
from hfscan.report.claims_told import section_of, verdict_of
from hfscan.report.plan import read
from hfscan.report.report import Question, Report, Said, Section
from hfscan.store import Snapshot, Store

CLAIMS, PARITY = "claims", "parity"


def is_whole(name: str | None, where: Path | None = None) -> bool:
    """Return whether the report is one of the whole database. Raises ReportConfigError."""
    return name is not None and "summary" in _plan(name, where)


def build_whole(store: Store, name: str, *, where: Path | None = None) -> Report:
    """Fill a report of the whole database.

    Raises NotFoundError where there is nothing to report, ReportConfigError where the plan is none.
    """
    plan = _plan(name, where)
    if name == CLAIMS:
        return _claims(store, plan, where)
    sections = []
    for part in plan["section"]:
        if part["population"] != "none":
            raise ReportConfigError(
                f"Section {part['name']} of {name} asks for models of a snapshot."
            )
        asked = part.get("ask", {})
        rows = load(part["query"]).run(store.connection, asked)
        if rows:
            sections.append(_section(part, rows, asked))
    summary = load(plan["summary"]).run(store.connection, {})
    return _report(name, plan, sections, summary)


def _claims(store: Store, plan: Mapping[str, Any], where: Path | None) -> Report:
    claims = list(weigh(store, where=where))
    verdicts = [verdict_of(claim) for claim in claims]
    asked = {"claims": json.dumps(verdicts)}
    summary = load(plan["summary"]).run(store.connection, asked)
    (part,) = plan["section"]
    sections = [_section(part, verdicts, {}), *map(section_of, claims)]
    used = {one.snapshot for claim in claims for one in claim.measurements}
    snapshots = [one for one in store.snapshots() if one.id in used]
    return _report(CLAIMS, plan, sections, summary, snapshots)


def _report(
    name: str,
    plan: Mapping[str, Any],
    sections: Sequence[Section],
    summary: Sequence[Mapping[str, Any]],
    snapshots: Sequence[Snapshot] = (),
) -> Report:
    if not sections or not summary:
        raise NotFoundError(plan["missing"])
    titles = taxonomy().titles
    told = {column: _Told(column, value) for column, value in summary[0].items()}
    return Report(
        name=name,
        title=plan["title"],
        question=Question(None),
        names={name: titles[name] for name in FRAMEWORK_SETS[0]},
        titles=titles,
        snapshots=tuple(snapshots),
        generated_at=datetime.now(UTC),
        headline=next(one for one in sections if one.name == plan["headline"]),
        sections=tuple(sections),
        notes=tuple(
            f"SYNTHETIC: the models of snapshot {one.id} were made up ({one.synthetic})."
            for one in snapshots
            if one.synthetic
        ),
        said=Said(
            plan["says"].format_map(told),
            plan["provenance"].format_map(told),
            summary[0],
            tuple({at: text.format_map(told) for at, text in key.items()} for key in plan["key"]),
            plan["method"],
        ),
    )


def _section(
    part: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], asked: Mapping[str, object]
) -> Section:
    return Section(
        name=part["name"],
        title=part["title"],
        note=part.get("note"),
        query=part["query"],
        rows=tuple(map(dict, rows)),
        columns=part["columns"],
        parameters=asked,
        chart=part.get("chart", load(part["query"]).chart),
    )


class _Told:
    """A value of the summary in a sentence: `{models}`, or with its noun `{models:model}`."""

    def __init__(self, column: str, value: Any) -> None:
        self._column, self._value = column, value

    def __format__(self, noun: str) -> str:
        told = words.cell(self._column, self._value)
        return f"{told} {noun}{'' if self._value == 1 else 's'}" if noun else told


def _plan(name: str, where: Path | None) -> dict[str, Any]:
    """Return the plan of the folder, or of hfscan's own where that has claims without one."""
    own = where is None or (name == CLAIMS and not (where / name / "report.toml").exists())
    return read(name, data_dir("reports") if own or where is None else where)
