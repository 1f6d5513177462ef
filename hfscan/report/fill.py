"""Fills a plan with the figures of one snapshot."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hfscan.errors import InvalidRequestError, NotFoundError
from hfscan.figures import (
    ALL,
    WEIGHTS,
    By,
    Cutoff,
    Figure,
    FigureRequest,
    Period,
    SnapshotView,
    check_not_empty,
    check_totals,
    contains_cutoff,
    load,
    may_contain_cutoff,
)
from hfscan.frameworks import DEFINITIONS
from hfscan.paths import data_dir
from hfscan.report.plan import plain, read
from hfscan.report.report import Question, Report, Section
from hfscan.store import Snapshot

_CUTOFFS: tuple[Cutoff, ...] = ("excluded", "included", "only")


def build(
    view: SnapshotView, question: Question, *, name: str | None = None, where: Path | None = None
) -> Report:
    """Fill a report from a snapshot: by default `year`, or without a year `overview`.

    `name` is a folder in `where` (default: hfscan's own) that holds a `report.toml`.

    A section of existing models is left out, with a note, where the snapshot does not reach
    back to the oldest models. Raises NotFoundError where a question cannot be answered,
    ReportConfigError where the plan is none, and InconsistentError where figures do not add up.
    """
    name = name or ("overview" if question.year is None else "year")
    plan = read(name, where or data_dir("reports"))
    names = view.titles(question.frameworks)
    period = question.covered(view.snapshot)
    words = _words(question, names, period)
    notes = [*_notes(view.snapshot), *(period.notes(view.snapshot) if period else ())]
    if len(names) == 1:
        (title,) = names.values()
        notes.append(
            f"Only {title} is compared, so nothing competes with it. Name more with --frameworks."
        )
    sections = []
    for part in plan["section"]:
        if not _wanted(part, question, period) or not view.supports_grouping(part.get("by")):
            continue
        if part["population"] == "existing" and period and not view.snapshot.from_beginning:
            notes.append(
                f"The snapshot starts at {view.snapshot.since:%Y-%m-%d}: models existing "
                f"{period.at_end} cannot be counted from it."
            )
            continue
        part |= {"population": _population(part, question)}
        section = _Filler(view, question, part, words).section()
        if section.figures or section.rows:
            sections.append(section)
    if not any(section.query in _OF_MODELS for section in sections):
        raise NotFoundError(
            f"The report {name} has no figures for this question. {' '.join(notes)}".rstrip()
        )
    _check_answered(name, question, sections)
    check_totals(view, (figure for section in sections for figure in section.figures))
    return Report(
        name=name,
        title=plain(plan["title"], words),
        question=question,
        names=names,
        titles=view.titles(sorted(_mentioned(sections))),
        snapshots=(view.snapshot,),
        generated_at=datetime.now(UTC),
        headline=next((one for one in sections if one.name == plan["headline"]), sections[0]),
        sections=tuple(sections),
        notes=tuple(notes),
    )


def _words(question: Question, names: dict[str, str], period: Period | None) -> dict[str, Any]:
    """Return what the placeholders of a plan stand for."""
    return {
        "year": period and period.label,
        "asked_year": question.year,
        "created": period and period.span,
        "end": period and period.end,
        "at_end": period and period.at_end,
        "by": question.by,
        "framework": next(iter(names.values())),
        "labels": "{labels}",
    }


def _check_answered(name: str, question: Question, sections: Sequence[Section]) -> None:
    """Raise InvalidRequestError or NotFoundError where no section shows what was requested."""
    figures = [one for section in sections if not section.across for one in section.figures]
    if figures:
        check_not_empty(figures, question.exclude_top_authors)
    # without a grouping asked for, every month and year is shown
    all_shown = {None} if question.by else {None, "month", "year"}
    groups = {section.by for section in sections} - all_shown
    if question.by is not None and question.by not in groups:
        raise InvalidRequestError(f"The report {name} cannot be grouped by {question.by}.")
    if question.top is not None and not groups:
        raise InvalidRequestError(
            f"The report {name} shows no groups, so --top {question.top} has no effect. Name a "
            "grouping with --by."
        )


def _population(part: dict[str, Any], question: Question) -> str:
    asked = "existing" if question.year is None else "created"
    return asked if part["population"] == "asked" else str(part["population"])


def _mentioned(sections: Iterable[Section]) -> set[str]:
    rows = (row.get("framework") for part in sections for row in part.rows)
    figures = (one.framework for part in sections for one in part.figures)
    return {name for name in (*rows, *figures) if name is not None}


def _wanted(part: dict[str, Any], question: Question, period: Period | None) -> bool:
    """Return whether the section belongs to the answer."""
    if (
        period
        and period.is_empty
        and part["population"] != "none"
        and part.get("query") != "creation_cutoff"
    ):
        return False  # the Hub dates no model so early: what would be counted is not known
    if across := part.get("across"):
        decided = across == "definition" and question.definition is not None
        return not decided and question.weight == "models"
    if part.get("query") == "creation_cutoff":
        return question.period is not None and may_contain_cutoff(question.period)
    if question.by is not None:  # the one grouping asked for, instead of those of the plan
        return part.get("by") == "asked" or not ("by" in part or "query" in part)
    return part.get("by") != "asked"


class _Filler:
    """Fills one section of a plan."""

    def __init__(
        self, view: SnapshotView, question: Question, part: dict[str, Any], words: dict[str, Any]
    ) -> None:
        self._view, self._question, self._part, self._words = view, question, part, words
        self._names = view.titles(question.frameworks)

    def section(self) -> Section:
        """Ask what the section asks."""
        part, question = self._part, self._question
        query = part.get("query", "exclusivity")
        by = question.by if part.get("by") == "asked" else part.get("by")
        figures: tuple[Figure, ...] = ()
        rows: tuple[dict[str, Any], ...] = ()
        parameters = None
        told = self._words
        if query != "exclusivity":
            parameters = self._parameters(query)
            if "earlier" in parameters:
                if (before := self._view.find_previous()) is None:
                    return _EMPTY
                parameters |= {"earlier": before.id, "later": self._view.snapshot.id}
                told = told | {
                    "earlier": before.observed_to,
                    "later": self._view.snapshot.observed_to,
                }
            rows = tuple(
                row | self._view.period_bounds(row.get("period", ""))
                for row in self._view.run(query, parameters)
            )
        elif part.get("across"):
            figures = tuple(_ACROSS[part["across"]](self))
        else:
            figures = tuple(self._figures(by))
        note = part.get("note")
        return Section(
            name=part["name"],
            title=plain(part["title"], told),
            note=note and plain(note, told),
            query=query,
            by=by,
            across=part.get("across"),
            figures=figures,
            rows=rows,
            columns=part.get("columns"),
            pivot=part.get("pivot"),
            parameters=parameters,
            chart=part.get("chart", load(query).chart),
        )

    def _figures(self, by: By | None) -> Iterator[Figure]:
        period, part = self._question.period, self._part
        cutoffs: tuple[Cutoff | None, ...] = (None,)
        if part["population"] == "created" and period and contains_cutoff(period):
            cutoffs = _CUTOFFS if by is None else _CUTOFFS[:1]
        request = replace(
            self._request,
            weight=part.get("weight", self._question.weight),
            exclude_top_authors=part.get("exclude_top_authors", self._question.exclude_top_authors),
            by=by,
            top=self._top(by),
        )
        for cutoff in cutoffs:
            yield from self._view.exclusivity(replace(request, cutoff=cutoff))

    @property
    def _request(self) -> FigureRequest:
        """The request of the section's figures, without groups."""
        return self._question.request(self._part["population"])

    def _top(self, by: By | None) -> int | None:
        """Return how many groups to show; every month and year, unless they are asked for."""
        every = by in ("month", "year") and self._question.by is None
        return None if by is None or every else self._question.top or self._part.get("top")

    def _sensitivity(self) -> Iterator[Figure]:
        """Yield the figures under each definition and with each set of frameworks."""
        request = replace(self._request.excluding_cutoff(), weight="models")
        named = request.frameworks
        everything = (*self._view.outside_all(named), ALL)
        framework_sets = dict.fromkeys((named, tuple(dict.fromkeys((*named, "jax"))), everything))
        if ALL in named:
            framework_sets = {named: None}
        for definition in DEFINITIONS:
            for frameworks in framework_sets if self._view.supports_definition(definition) else ():
                yield from self._view.exclusivity(
                    replace(request, definition=definition, frameworks=frameworks)
                )

    def _weights(self) -> Iterator[Figure]:
        """Yield the figures with each weight."""
        request = self._request.excluding_cutoff()
        for weight in WEIGHTS:
            if weight != "downloads" or "downloads" not in self._view.snapshot.missing_columns:
                yield from self._view.exclusivity(replace(request, weight=weight))

    def _parameters(self, query: str) -> dict[str, object]:
        """Return what the query is asked: what the report is, and what the plan says beside."""
        since, until = self._question.period or (None, None)
        told: dict[str, object] = {
            "frameworks": list(self._question.frameworks),
            "framework": next(iter(self._names)),
            "definition": self._question.definition or "tag",
            "since": since if self._part["population"] == "created" else None,
            "until": until,
            "cutoff": "excluded" if self._part["population"] == "created" else "included",
            "earlier": None,
        }
        known = {one.name for one in load(query).parameters}
        further: dict[str, object] = self._part.get("ask", {})
        return {key: value for key, value in told.items() if key in known} | further


_OF_MODELS = ("exclusivity", "concentration", "creation_cutoff", "formats")
"""Queries about the models of the period."""

_EMPTY = Section("", "", None, "")

_ACROSS = {"definition": _Filler._sensitivity, "weight": _Filler._weights}
"""What a section goes across -> what asks for it."""


def _notes(snapshot: Snapshot) -> Sequence[str]:
    notes = []
    if snapshot.synthetic:
        notes.append(f"SYNTHETIC: these models were made up ({snapshot.synthetic}); no real Hub.")
    if snapshot.sample is not None:
        notes.append(
            f"SAMPLE: {snapshot.sample_design}. Shares carry 95 % intervals (Wilson's, as for a "
            "simple random sample; models created together are alike, so that the truth may lie "
            "a little further off)."
        )
    cut = {"author": snapshot.author, "task": snapshot.task, "limit": snapshot.model_limit}
    told = ", ".join(f"{name} {value}" for name, value in cut.items() if value is not None)
    if told:
        notes.append(f"PARTIAL: the snapshot holds only a part of the Hub ({told}).")
    if "tags" in snapshot.missing_columns:
        unread = any(one.field == "tags" for one in snapshot.unreadable)
        why = "no tags that can be read" if unread else "no tags"
        raise NotFoundError(f"Snapshot {snapshot.id} has {why}; frameworks cannot be told from it.")
    notes += [
        f"UNREADABLE: {one.field} of {one.models:,} of {snapshot.models:,} models could not be "
        "read. They are not counted where it is needed."
        for one in snapshot.unreadable
    ]
    if "files" in snapshot.missing_columns:
        notes.append("The snapshot has no file names: nothing is said by weight files.")
    if "downloads" in snapshot.missing_columns:
        notes.append("The snapshot has no downloads: figures weighted by them are empty.")
    return notes
