"""Build a report from the figures of one snapshot."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from hfscan.errors import InvalidRequestError, NotFoundError
from hfscan.figures import (
    ALL,
    WEIGHTS,
    Cutoff,
    Figure,
    FigureRequest,
    Grouping,
    Period,
    Population,
    SnapshotView,
    check_not_empty,
    check_totals,
    default_definition,
    find_flags_of_figures,
    load,
)
from hfscan.frameworks import DEFINITIONS, Definition
from hfscan.objectid import FIRST_DATED_YEAR
from hfscan.paths import data_dir
from hfscan.report.caveats import (
    describe_design_effect,
    describe_flag,
    describe_limits,
    explain_estimates,
    explain_flags,
    explain_small,
)
from hfscan.report.comparison import LABELS
from hfscan.report.format import format_date
from hfscan.report.model import Finding, QueryRef, Report, ReportRequest, Section
from hfscan.report.section_rows import run_section
from hfscan.report.sentences import format_coverage, format_low_coverage, format_totals
from hfscan.report.spec import fill_text, list_findings, load_spec, new_section
from hfscan.report.tables import visible_figures

_CUTOFFS: tuple[Cutoff, ...] = ("excluded", "included", "only")
_OVERRIDES = ("weight", "exclude_top_authors", "definition")  # what a section can set

_FRAMEWORK_OPTIONS = (
    "frameworks", "definition", "transformers", "weight", "exclude_top_authors", "account_groups",
)  # fmt: skip
"""Options of a request that a report without figures may not depend on."""

_PERIOD_TEXTS = {"year": "label", "created": "span", "end": "end", "at_end": "at_end"}
"""Placeholder -> the attribute of the period."""

_BREAKDOWN_BY_GROUP = {
    "only_total": False,
    "pivot": {"rows": "group", "columns": "class", "cells": "share"},
    "chart": "stack x=share y=group color=class",
}
"""How the breakdown is shown with the requested grouping."""


def build(
    view: SnapshotView,
    request: ReportRequest,
    *,
    name: str | None = None,
    where: Path | None = None,
) -> Report:
    """Return the report `name` of a snapshot; by default `year`, or without a year `overview`.

    `where`: the folder that holds `name/report.toml` (default: hfscan's own). A section of existing
    models is replaced by a note where the snapshot does not include the oldest models. Raises
    NotFoundError where the snapshot cannot answer, ReportConfigError on an invalid specification,
    and InconsistentError where figures do not add up.
    """
    name = name or ("overview" if request.year is None else "year")
    spec = load_spec(name, where or data_dir("reports"))
    definition = request.definition or spec.get("definition")
    definition = definition or default_definition(view.snapshot, request.period)
    frameworks = view.find_titles(request.frameworks)
    period = request.covered(view.snapshot)
    values: dict[str, Any] = {"by": request.by, "requested_year": request.year, "labels": LABELS}
    values |= {"framework": next(iter(frameworks.values()))}
    values |= {key: period and getattr(period, name) for key, name in _PERIOD_TEXTS.items()}
    values["account_group"] = request.account_groups and request.account_groups.kind
    values["when"] = f"created {period.span}" if period else "in the snapshot"
    values["of_period"] = f", created {period.span}" if period else ""
    notes = [*describe_limits(view.snapshot), *(period.notes(view.snapshot) if period else ())]
    if len(frameworks) == 1:
        (title,) = frameworks.values()
        notes.append(f"Only {title} is compared. Add others with --frameworks.")
    parts = _build_sections(view, request, spec, definition, values)
    sections, notes = parts.sections, [*notes, *parts.notes]
    if not parts.is_answered:
        if request.by and not parts.empty:
            raise InvalidRequestError(f"The report {name} cannot be grouped by {request.by}.")
        raise NotFoundError(
            f"The report {name} has no figures for this request. {' '.join(notes)}".rstrip()
        )
    if any(section.by == request.by is not None for section in parts.empty):
        created = f" created {period.span}" if period else ""
        raise NotFoundError(
            f"Snapshot {view.snapshot.id} has no models{created}, so there are no groups by "
            f"{request.by}. Choose another snapshot{' or year' if period else ''}."
        )
    _check_answered(name, request, sections)
    headline = next((part for part in sections if part.name == spec.get("headline")), sections[0])
    notes += filter(
        None,
        (format_low_coverage(headline, frameworks), describe_design_effect(headline.figures)),
    )
    figures = [figure for section in sections for figure in section.figures]
    has_downloads = any(figure.weight == "downloads" for figure in figures)
    has_downloads |= any(
        "downloads" in load(reference.query).count_columns(reference.parameters)
        for section in sections
        if section.rows
        for reference in section.queries
    )
    weighted = {view.snapshot.id} if has_downloads else set()
    flags = find_flags_of_figures(view.store, [view.snapshot], weighted)
    notes += map(describe_flag, flags)
    names = {row.get("framework") for section in sections for row in section.rows}
    names |= {figure.framework for figure in figures} | set(frameworks)
    check_totals(view, figures)
    can_group = any(part.get("by") == "requested" for part in spec["section"])
    return Report(
        name=name,
        title=fill_text(spec["title"], values),
        sections=tuple(sections),
        request=request,
        definition=definition,
        frameworks=frameworks,
        titles=view.find_titles(sorted(filter(None, names))),
        snapshots=(view.snapshot,),
        notes=tuple(notes),
        flags=tuple(flags),
        headline_name=spec.get("headline"),
        findings=tuple(parts.findings),
        glossary=spec.get("glossary", {}),
        groupings=tuple(section.by for section in sections if section.by and can_group),
    )


@dataclass
class _Parts:
    """The sections of a report; `empty`: those without a row; `notes`: why others are missing.

    `is_answered`: a section is about models, not only about two snapshots or parity.
    """

    sections: list[Section] = field(default_factory=list)
    empty: list[Section] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_answered: bool = False


def _build_sections(
    view: SnapshotView,
    request: ReportRequest,
    spec: Mapping[str, Any],
    definition: Definition,
    values: dict[str, Any],
) -> _Parts:
    parts, period = _Parts(), request.covered(view.snapshot)
    not_recorded: list[str] = []
    need_every_model: list[str] = []
    has_every_model = {view.snapshot.sample, view.snapshot.model_limit} == {None}
    for section_spec in spec["section"]:
        if not _is_included(section_spec, request, period):
            continue
        if section_spec.get("needs_every_model") and not has_every_model:
            need_every_model.append(fill_text(section_spec["title"], values))
            continue
        if not (
            view.supports_grouping(section_spec.get("by"))
            and view.supports_definition(section_spec.get("definition", definition))
        ):
            continue
        population = section_spec["population"]
        if population == "existing" and period and not view.snapshot.covers_oldest_models:
            parts.notes.append(
                f"The snapshot has no models created before {view.snapshot.since:%Y-%m-%d}, so "
                f"the models existing {period.at_end} are not counted."
            )
            continue
        if population == "requested":
            population = "existing" if request.year is None else "created"
        section = SectionBuilder(
            view, request, definition, section_spec, population, values
        ).build()
        if section is None:
            continue
        if not (section.figures or section.rows):
            parts.empty.append(section)
        elif section.rows and all(row.get("coverage") == 0 for row in section.rows):
            not_recorded.append(section.title)
        else:
            findings = list(list_findings(section_spec, section, values))
            for highlight in [part.highlight for part in findings if part.highlight][:1]:
                section = replace(section, finding=f"{highlight['big']} {highlight['label']}")
            parts.sections.append(section)
            parts.findings += findings
            parts.is_answered |= population != "none"
    left_out = {
        "The snapshot does not record what these need": not_recorded,
        "These need every model, not a sample or a list with a limit": need_every_model,
    }
    parts.notes += [
        f"{reason}: {'; '.join(titles)}." for reason, titles in left_out.items() if titles
    ]
    return parts


def _check_answered(name: str, request: ReportRequest, sections: Sequence[Section]) -> None:
    """Raise InvalidRequestError or NotFoundError where no section shows what was requested."""
    figures = [figure for part in sections if not part.vary_by for figure in part.figures]
    if figures:
        check_not_empty(figures, request.exclude_top_authors)
    for option in ("account_groups",) if figures else _FRAMEWORK_OPTIONS:
        is_used = any(option in section.parameters for section in sections)
        if getattr(request, option) != getattr(ReportRequest(), option) and not is_used:
            raise InvalidRequestError(
                f"The report {name} does not depend on --{option.replace('_', '-')}. Omit it."
            )
    # without a requested grouping, all months and years are shown
    unlimited = {None} if request.by else {None, "month", "year"}
    groupings = {section.by for section in sections} - unlimited
    if request.by is not None and request.by not in groupings:
        raise InvalidRequestError(f"The report {name} cannot be grouped by {request.by}.")
    if request.top is not None and not groupings:
        raise InvalidRequestError(
            f"The report {name} shows no groups, so --top {request.top} has no effect. Name a "
            "grouping with --by."
        )


def _is_included(
    section_spec: dict[str, Any], request: ReportRequest, period: Period | None
) -> bool:
    """Return whether the section belongs to the requested report."""
    if section_spec.get("needs_account_groups") and request.account_groups is None:
        return False
    is_cutoff = section_spec.get("query") == "creation_cutoff"
    if period and period.is_empty and section_spec["population"] != "none" and not is_cutoff:
        return False  # the Hub has no creation dates for this period: there is nothing to count
    if vary_by := section_spec.get("vary_by"):
        is_fixed = vary_by == "definition" and request.definition is not None
        return not is_fixed and request.weight == "models"
    if is_cutoff:
        return request.year is not None and request.year <= FIRST_DATED_YEAR
    if section_spec.get("query") == "breakdown":
        return True
    if request.by is not None:  # the requested grouping replaces those of the specification
        return section_spec.get("by") == "requested" or not (
            "by" in section_spec or "query" in section_spec
        )
    return section_spec.get("by") != "requested"


@dataclass(frozen=True)
class SectionBuilder:
    """Builds one section of a specification."""

    view: SnapshotView
    request: ReportRequest
    definition: Definition
    spec: dict[str, Any]
    population: Population
    placeholders: dict[str, Any]

    def build(self) -> Section | None:
        """Return the section; None where it needs an earlier snapshot, and there is none."""
        spec, values = self.spec, self.placeholders
        query = load(spec.get("query", "exclusivity"))
        if query.name == "breakdown" and self.request.by:
            spec = spec | _BREAKDOWN_BY_GROUP
        by = self.request.by if spec.get("by") == "requested" else spec.get("by")
        figures: tuple[Figure, ...] = ()
        rows: tuple[dict[str, Any], ...] = ()
        queries: tuple[QueryRef, ...] = ()
        if query.name == "exclusivity":
            requests = list(self._figure_requests(by))
            parameters = requests[0].parameters()
            figures = tuple(chain.from_iterable(map(self.view.compute_exclusivity, requests)))
            queries = tuple(
                QueryRef(query.name, request.parameters(), self.view.snapshot.id)
                for request in requests
            )
        else:
            parameters = self._parameters(set(query.defaults))
            if "earlier" in parameters:
                earlier, later = self.view.find_previous(), self.view.snapshot
                if earlier is None:
                    return None
                parameters |= {"earlier": earlier.id, "later": later.id}
                days = (format_date(earlier.observed_to), format_date(later.observed_to))
                values = values | dict(zip(("earlier", "later"), days, strict=True))
            rows, queries = run_section(self.view, spec, query, parameters)
            if spec.get("over") and not rows:
                return None
            if rows and "needs_account_groups" in spec and not any(row["coverage"] for row in rows):
                raise InvalidRequestError(
                    "No account of --account-groups has models here. Accounts are compared as they "
                    "are spelled."
                )
        section = new_section(
            spec, values, rows, by=by, figures=figures, parameters=parameters, queries=queries
        )
        visible = figures if by is None else visible_figures(figures, by)
        paragraphs = (
            format_coverage(section, self.view.find_titles(self.request.frameworks)),
            explain_small(visible, rows),
            explain_estimates(visible, rows, [self.view.snapshot]),
            format_totals(section) if section.pivot else None,
            explain_flags(rows),
        )
        return replace(section, paragraphs=tuple(filter(None, paragraphs)))

    def _figure_requests(self, by: Grouping | None) -> Iterator[FigureRequest]:
        """Yield a request for each cutoff, or for what the section varies by."""
        base = self.request.figure_request(self.population, self.definition)
        match self.spec.get("vary_by"):
            case "definition":
                yield from self._by_definition(replace(base.excluding_cutoff(), weight="models"))
            case "weight":
                for weight in WEIGHTS:
                    if weight != "downloads" or weight not in self.view.snapshot.missing_columns:
                        yield replace(base.excluding_cutoff(), weight=weight)
            case _:
                request = replace(
                    base,
                    by=by,
                    top=self._top(by),
                    **{key: self.spec[key] for key in _OVERRIDES if key in self.spec},
                )
                cutoffs: Sequence[Cutoff | None] = (None,)
                if base.population == "created" and base.excluding_cutoff().cutoff:
                    cutoffs = _CUTOFFS if by is None else _CUTOFFS[:1]
                yield from (replace(request, cutoff=cutoff) for cutoff in cutoffs)

    def _top(self, by: Grouping | None) -> int | None:
        """Return how many groups to show; None for all (months and years, unless requested)."""
        show_all = by in ("month", "year") and self.request.by is None
        return None if by is None or show_all else self.request.top or self.spec.get("top")

    def _by_definition(self, request: FigureRequest) -> Iterator[FigureRequest]:
        """Yield the request for each definition and set of frameworks."""
        named = request.frameworks
        everything = (*self.view.list_excluded_from_all(named), ALL)
        framework_sets = dict.fromkeys((named, tuple(dict.fromkeys((*named, "jax"))), everything))
        if ALL in named:
            framework_sets = {named: None}
        for definition in filter(self.view.supports_definition, DEFINITIONS):
            for frameworks in framework_sets:
                yield replace(request, definition=definition, frameworks=frameworks)

    def _parameters(self, names: set[str]) -> dict[str, object]:
        """Return the parameters `names` of the request, and those of the specification."""
        specified: dict[str, Any] = self.spec.get("parameters", {})
        since, until = self.request.period or (None, None)
        is_created = self.population == "created"
        values: dict[str, object] = {
            "frameworks": list(self.request.frameworks),
            "framework": next(iter(self.view.find_titles(self.request.frameworks))),
            "definition": self.definition,
            **({"transformers": release} if (release := self.request.transformers) else {}),
            "since": since if is_created else None,
            "until": until,
            "cutoff": "excluded" if is_created else "included",
            "earlier": None,
        }
        if specified.get("by") == "account_group" and (groups := self.request.account_groups):
            values["account_groups"] = groups.as_parameter
        if "by" in specified and self.spec["query"] == "breakdown":
            by = self.request.by or specified["by"]
            if not self.view.supports_grouping(by):
                by = None
            specified = {"by": by, "top": self._top(by)}
        return {name: value for name, value in values.items() if name in names} | specified
