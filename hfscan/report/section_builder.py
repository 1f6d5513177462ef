"""Build one section of a report from its specification."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

from hfscan.errors import InvalidRequestError, option
from hfscan.figures import (
    ALL,
    WEIGHTS,
    Cutoff,
    Figure,
    FigureRequest,
    Grouping,
    Population,
    SnapshotView,
    Weight,
    load,
)
from hfscan.frameworks import DEFAULT_DEFINITION, DEFINITIONS, Definition
from hfscan.report.caveats import explain_estimates, explain_flags, explain_small
from hfscan.report.dependence import explain_dependence, explain_dependent_breakdown
from hfscan.report.format import describe_counted, is_single, name_days
from hfscan.report.model import QueryRef, ReportRequest, Section
from hfscan.report.section_rows import run_section
from hfscan.report.sentences import UNITS, format_coverage, format_totals
from hfscan.report.shares import explain_formats_total
from hfscan.report.spec import new_section
from hfscan.report.tables import visible_figures
from hfscan.report.undated import select_one_framework
from hfscan.text import format_count, format_top

_CUTOFFS: tuple[Cutoff, ...] = ("excluded", "included", "only")
_OVERRIDES = ("weight", "exclude_top_authors", "definition")  # what a section can set

_BY_BEST = " (best evidence, which leaves the fewest unknown)"
"""Why a breakdown does not follow the definition of its report."""

_BREAKDOWN_BY_GROUP = {
    "only_total": False,
    "pivot": {"rows": "group", "columns": "class", "cells": "share"},
    "chart": "stack x=share y=group color=class",
}
"""How the breakdown is shown with the requested grouping."""


_STORAGE_REGION = (
    "Storage region: where the Hub stores the files, by its tag region. It is not the country of "
    "the author."
)
_NO_ACCOUNT = "(no account)"


def name_counted(
    request: ReportRequest, titles: Sequence[str], definition: Definition
) -> dict[str, str]:
    """Return the placeholders for what a report counts. `titles`: of the frameworks compared."""
    counted = _find_counted(request)
    of_models = "" if request.weight == "models" else f"{request.weight} of "
    those = f"{of_models}models {describe_counted(titles, definition)}"
    return {
        "counted": counted,
        "Counted": counted.capitalize(),
        "counted_of": "downloads of the " * (counted == "downloads"),
        "unit": UNITS[request.weight],
        "Weight": request.weight.capitalize(),
        "those": those,
        "Those": f"{those[0].upper()}{those[1:]}",
    }


def _describe_all(counted: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return what a breakdown counts, with the total, as the beginning of its title."""
    totals = {row["denominator"] for row in rows if row["group"] is None}
    if len(totals) > 1:  # over snapshots
        return "All models" if counted == "models" else "Downloads of all models"
    total = totals.pop()
    title = format_count(total, counted.removesuffix("s")) + " of models" * (counted != "models")
    return title if total == 1 else f"All {title}"


def _find_counted(request: ReportRequest) -> Weight:
    """Return the weight of a breakdown or the largest accounts, which do not count authors."""
    return "models" if request.weight == "authors" else request.weight


def _list_texts(*texts: str | None) -> tuple[str, ...]:
    return tuple(filter(None, texts))


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
        days: dict[str, str] = {}
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
                days = name_days({"earlier": earlier, "later": later})
                values = values | days
            rows, queries = run_section(self.view, spec, query, parameters)
            if query.name == "creation_cutoff" and len(self._titles) == 1:
                rows = select_one_framework(rows)
            if spec.get("over") and not rows:
                return None
            if rows and "needs_account_groups" in spec and not any(row["coverage"] for row in rows):
                raise InvalidRequestError(
                    "No account of ",
                    option("account-groups"),
                    " has models here. Accounts are compared as they are spelled.",
                )
        if query.name == "breakdown":
            is_by_best = self.definition == DEFAULT_DEFINITION
            spec = spec | {"title": spec["title"] + ("" if is_by_best else _BY_BEST)}
            values = values | {"all_counted": _describe_all(str(parameters["weight"]), rows)}
        if figures:
            spec = spec | self._describe_figures(by, figures)
        section = new_section(
            spec, values, rows, by=by, figures=figures, parameters=parameters, queries=queries,
            days=days,
        )  # fmt: skip
        are_all_shown = by is None and not all(map(is_single, figures))
        visible = figures if are_all_shown else visible_figures(figures, by)
        frameworks = self._titles
        dependence = explain_dependence(visible, frameworks)
        if query.name == "breakdown":
            dependence = explain_dependent_breakdown(rows)
        paragraphs = (
            explain_formats_total(rows, self.definition) if query.name == "formats" else None,
            format_totals(section) if section.pivot else None,
            explain_flags(rows),
        )
        return replace(
            section,
            coverage=_list_texts(format_coverage(section, frameworks)),
            paragraphs=_list_texts(*paragraphs),
            dependence=_list_texts(dependence),
            small=explain_small(visible, rows, section.shown_columns),
            estimate=explain_estimates(visible, rows, [self.view.snapshot]),
        )

    def _describe_figures(
        self, by: Grouping | None, figures: Sequence[Figure]
    ) -> dict[str, str | None]:
        """Return the title and note, with which authors are left out and what a group means."""
        title, notes = (
            self.spec["title"],
            [self.spec.get("note"), self._explain_groups(by, figures)],
        )
        if count := self.request.exclude_top_authors:
            title += f", without the {format_top(count, 'largest author')}"
            if "vary_by" in self.spec:
                notes.append("Each row leaves out the largest authors by its own count.")
        return {"title": title, "note": " ".join(filter(None, notes)) or None}

    def _explain_groups(self, by: Grouping | None, figures: Sequence[Figure]) -> str | None:
        """Return what a grouping, or one of its groups, means; None where its name says it."""
        if by == "storage_region":
            return _STORAGE_REGION
        if by != "author" or all(figure.group != _NO_ACCOUNT for figure in figures):
            return None
        base = self.request.figure_request(self.population, self.definition)
        count = self.view.count_without("author", base.excluding_cutoff())
        return (
            f"{_NO_ACCOUNT}: {format_count(count, 'model')} without an account, such as gpt2, as "
            "one group. Where authors count or the largest are left out, each is an author of its "
            "own."
        )

    @cached_property
    def _titles(self) -> Mapping[str, str]:
        """Each framework compared -> its title."""
        return self.view.find_titles(self.request.frameworks)

    def _figure_requests(self, by: Grouping | None) -> Iterator[FigureRequest]:
        """Yield a request for each cutoff, or for what the section varies by."""
        base = self.request.figure_request(self.population, self.definition)
        match self.spec.get("vary_by"):
            case "definition":
                yield from self._by_definition(base.excluding_cutoff())
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
        elif len(named) == 1:  # no model supports only one of a single framework
            del framework_sets[named]
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
        if self.spec["query"] in ("breakdown", "concentration"):
            values["weight"] = _find_counted(self.request)
        if specified.get("by") == "account_group" and (groups := self.request.account_groups):
            values["account_groups"] = groups.as_parameter
        if "by" in specified and self.spec["query"] == "breakdown":
            by = self.request.by or specified["by"]
            if not self.view.supports_grouping(by):
                by = None
            specified = {"by": by, "top": self._top(by)}
        return {name: value for name, value in values.items() if name in names} | specified
