"""Build a report from the figures of one snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from hfscan.errors import InvalidRequestError, NotFoundError, option
from hfscan.figures import (
    ALL,
    FigureRequest,
    Period,
    SnapshotView,
    check_not_empty,
    check_totals,
    find_flags_of_figures,
    load,
)
from hfscan.frameworks import DEFAULT_DEFINITION, Definition
from hfscan.objectid import FIRST_DATED_YEAR
from hfscan.paths import data_dir
from hfscan.report.caveats import (
    describe_design_effect,
    describe_flag,
    describe_limits,
    describe_models_without_account,
    describe_models_without_downloads,
)
from hfscan.report.comparison import LABELS
from hfscan.report.model import Finding, Report, ReportRequest, Section
from hfscan.report.section_builder import SectionBuilder, name_counted
from hfscan.report.sentences import format_low_coverage
from hfscan.report.spec import fill_text, list_findings, load_spec
from hfscan.report.undated import suggest_dates

_FRAMEWORK_OPTIONS = (
    "frameworks", "definition", "transformers", "weight", "exclude_top_authors", "account_groups",
)  # fmt: skip
"""Options of a request that a report without figures may not depend on."""

_PERIOD_TEXTS = {"year": "label", "created": "span", "end": "end", "at_end": "at_end"}
"""Placeholder -> the attribute of the period."""


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
    definition = request.definition or spec.get("definition") or DEFAULT_DEFINITION
    frameworks = view.find_titles(request.frameworks)
    period = request.covered(view.snapshot)
    values: dict[str, Any] = {"requested_year": request.year, "labels": LABELS}
    values["by"] = request.by and request.by.replace("_", " ")
    first = next(iter(frameworks.values()))
    values |= {"framework": first, "supported": first if len(frameworks) == 1 else f"{first} only"}
    values |= name_counted(request, list(frameworks.values()), definition)
    values |= {key: period and getattr(period, name) for key, name in _PERIOD_TEXTS.items()}
    values["account_group"] = request.account_groups and request.account_groups.kind
    values["when"] = f"created {period.span}" if period else "in the snapshot"
    values["of_period"] = f", created {period.span}" if period else ""
    notes = [*describe_limits(view.snapshot), *(period.notes(view.snapshot) if period else ())]
    if len(frameworks) == 1:
        (title,) = frameworks.values()
        notes.append(f"Only {title} is compared.")
    parts = _build_sections(view, request, spec, definition, values)
    sections, notes = parts.sections, [*notes, *parts.notes]
    if not parts.is_answered:
        _raise_unanswered(name, request, parts, notes, period)
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
    if period and period.is_empty:
        notes += filter(None, (suggest_dates(sections),))
    figures = [figure for section in sections for figure in section.figures]
    has_downloads = any(figure.weight == "downloads" for figure in figures)
    has_downloads |= any(
        "downloads" in load(reference.query).count_columns(reference.parameters)
        for section in sections
        if section.rows
        for reference in section.queries
    )
    population = request.figure_request("created" if period else "existing", definition)
    unknown = _describe_unknown(
        view, population.excluding_cutoff(), values["when"], has_downloads=has_downloads
    )
    notes += unknown.values()
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
        weight_notes=tuple(unknown[key] for key in unknown if key in ("authors", request.weight)),
        flags=tuple(flags),
        headline_name=spec.get("headline"),
        findings=tuple(parts.findings),
        glossary=spec.get("glossary", {}),
        groupings=tuple(section.by for section in sections if section.by and can_group),
    )


def _describe_unknown(
    view: SnapshotView, population: FigureRequest, when: str, *, has_downloads: bool
) -> dict[str, str]:
    """Return weight -> the note on models of which the account or the downloads are not known.

    Only of what the report counts by; `has_downloads`: some sections count downloads.
    """
    notes: dict[str, str | None] = {}
    if population.weight == "authors" or population.exclude_top_authors:
        count = view.count_without("author", population)
        notes["authors"] = describe_models_without_account(count, when)
    if has_downloads and "downloads" not in view.snapshot.missing_columns:
        count = view.count_without("downloads", population)
        notes["downloads"] = describe_models_without_downloads(count, when)
    return {weight: text for weight, text in notes.items() if text}


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
    has_figures = any("query" not in part for part in spec["section"])
    for section_spec in spec["section"]:
        if not _is_included(section_spec, request, period):
            continue
        # a year without creation dates has no figures, of which others could be counted
        is_dated = not (period and period.is_empty)
        if has_figures and is_dated and _counts_others(section_spec, request):
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


def _raise_unanswered(
    name: str, request: ReportRequest, parts: _Parts, notes: Sequence[str], period: Period | None
) -> NoReturn:
    """Raise why no section answers the request: InvalidRequestError or NotFoundError."""
    if request.by and not parts.empty:
        raise InvalidRequestError(f"The report {name} cannot be grouped by {request.by}.")
    if period and period.is_empty:
        raise NotFoundError(
            f"The Hub has no creation dates for {request.year}, so the report {name} has no "
            "figures. Choose a later ",
            option("year"),
            ", or omit it for all models.",
        )
    advice = (" Choose another ", option("definition"), ".") if request.definition else ()
    reasons = "".join(f"{note} " for note in notes)
    raise NotFoundError(
        f"{reasons}The report {name} has no figures for this request.".strip(), *advice
    )


def _check_answered(name: str, request: ReportRequest, sections: Sequence[Section]) -> None:
    """Raise InvalidRequestError or NotFoundError where no section shows what was requested."""
    figures = [figure for part in sections if not part.vary_by for figure in part.figures]
    if figures:
        check_not_empty(figures, request.exclude_top_authors)
    is_undated = any(part.query == "creation_cutoff" for part in sections)
    for key in ("account_groups",) if figures or is_undated else _FRAMEWORK_OPTIONS:
        value = getattr(request, key)
        used = [part.parameters[key] for part in sections if key in part.parameters]
        if key == "weight":  # some sections have one of their own
            used = [weight for weight in used if weight == value]
        if value != getattr(ReportRequest(), key) and not used:
            raise InvalidRequestError(
                f"The report {name} does not depend on ",
                option(key.replace("_", "-")),
                ". Omit it.",
            )
    # without a requested grouping, all months and years are shown
    unlimited = {None} if request.by else {None, "month", "year"}
    groupings = {section.by for section in sections} - unlimited
    if request.by is not None and request.by not in groupings:
        reason = f" The models of {request.year} have no dates: choose a later year."
        raise InvalidRequestError(
            f"The report {name} cannot be grouped by {request.by}.{reason * is_undated}"
        )
    if request.top is not None and not groupings:
        raise InvalidRequestError(
            f"The report {name} shows no groups, so ",
            option("top"),
            f" {request.top} has no effect. Name a grouping with ",
            option("by"),
            ".",
        )


def _counts_others(section_spec: Mapping[str, Any], request: ReportRequest) -> bool:
    """Return whether the section would count other models or authors than the report's figures."""
    query = load(section_spec.get("query", "exclusivity"))
    if section_spec["population"] == "none":
        return False
    values = {parameter.name: parameter.values for parameter in query.parameters}
    if request.exclude_top_authors and "exclude_top_authors" not in values:
        return True
    return request.weight == "authors" and "authors" not in values.get("weight", ())


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
        is_alone = (
            vary_by == "weight" and len(request.frameworks) == 1 and ALL not in request.frameworks
        )
        return not (is_fixed or is_alone)
    if is_cutoff:
        return request.year is not None and request.year <= FIRST_DATED_YEAR
    if section_spec.get("query") == "breakdown":
        return True
    if request.by is not None:  # the requested grouping replaces those of the specification
        return section_spec.get("by") == "requested" or not (
            "by" in section_spec or "query" in section_spec
        )
    return section_spec.get("by") != "requested"
