"""The report model that every format renders.

`build` fills a report from one snapshot, `build_database_report` from the entire database. Any
other document can be a report as well: `parity/sections.py` makes one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

from hfscan.figures import (
    AccountGroups,
    Figure,
    FigureRequest,
    Flag,
    Grouping,
    Period,
    Population,
    Weight,
    check_weight,
    label_snapshots,
)
from hfscan.frameworks import DEFAULT_DEFINITION, Definition
from hfscan.scope import DEFAULT_FRAMEWORKS
from hfscan.store import Snapshot

Row = Mapping[str, Any]


@dataclass(frozen=True)
class ReportRequest:
    """The options of a report. `definition` None: the default, and the others beside it."""

    year: int | None = None
    frameworks: tuple[str, ...] = DEFAULT_FRAMEWORKS
    definition: Definition | None = None
    weight: Weight = "models"
    exclude_top_authors: int = 0
    by: Grouping | None = None
    top: int | None = None
    transformers: int | None = None
    account_groups: AccountGroups | None = None

    def __post_init__(self) -> None:
        check_weight(self.weight)

    @property
    def period(self) -> tuple[datetime, datetime] | None:
        """[since, until) in UTC. Raises NotFoundError for a year without models."""
        return None if self.year is None else Period.from_year(self.year).requested

    def covered(self, snapshot: Snapshot) -> Period | None:
        """Return the year with the bounds that the snapshot covers; None without a year."""
        return None if self.year is None else Period.from_year(self.year).within(snapshot)

    def figure_request(self, population: Population, definition: Definition) -> FigureRequest:
        """Return the request of the figures of a population, without groups."""
        return FigureRequest(
            frameworks=self.frameworks,
            definition=definition,
            period=self.period,
            population=population,
            weight=self.weight,
            exclude_top_authors=self.exclude_top_authors,
            transformers=self.transformers,
        )


@dataclass(frozen=True)
class QueryRef:
    """A named query with its parameters, and the id of the snapshot that it ran over, if any.

    `per_snapshot`: it ran over each snapshot of the entire Hub.
    """

    query: str
    parameters: Mapping[str, object]
    snapshot: int | None
    per_snapshot: bool = False


@dataclass(frozen=True)
class Card:
    """What the page shows above the text of a fact-check. `url`: of the source, if it has one."""

    verdict: str
    label: str
    claimed: str
    measured: str
    quote: str | None
    source: str
    url: str | None


@dataclass(frozen=True)
class Finding:
    """A sentence with a number of the report, for its beginning.

    `highlight`: what HTML shows in large type: `big`, `label` and `small`; None for nothing.
    """

    text: str
    highlight: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Section:
    """A titled block of a report: paragraphs, then figures or rows.

    `note`: what the section shows. `query`: the named query behind it; empty for none. `by`: the
    grouping of the figures. `vary_by`: the figures differ in definition and frameworks, or in
    weight; one table row each. `columns`: column of `rows` -> heading. `formats`: column -> format.
    `pivot`: `rows`, `columns` and `cells` -> column. `only_total`: the table has no groups.
    `sparklines`: column of `rows`, which are in order of time -> label; the table has a row for
    each. `split_by`: a column whose values become separate tables. `chart`: see `charts`.
    `queries`: the queries to show, where `query` with `parameters` is not all.
    `coverage`: what its shares describe; `dependence`: on which models shares of downloads depend;
    `small` and `estimate`: what their marks and brackets mean; `paragraphs`: anything else.
    `unavailable_rows`: rows without a value and why, in JSON only. `card`: of a fact-check, for the
    page only. `finding`: a title that says what the section found; None: by rule (`titles.py`).
    `days`: those of the snapshots that it compares, `earlier` and `later`, for the chart.
    `is_own_sql`: the user wrote the query, so that the names of its columns mean nothing here.
    """

    name: str
    title: str
    note: str | None = None
    query: str = ""
    by: Grouping | None = None
    vary_by: Literal["definition", "weight"] | None = None
    figures: tuple[Figure, ...] = ()
    rows: tuple[Row, ...] = ()
    columns: Mapping[str, str] | None = None
    formats: Mapping[str, str] = field(default_factory=dict)
    pivot: Mapping[str, str] | None = None
    sparklines: Mapping[str, str] | None = None
    only_total: bool = False
    parameters: Mapping[str, object] = field(default_factory=dict)
    chart: str | None = None
    coverage: tuple[str, ...] = ()
    paragraphs: tuple[str, ...] = ()
    dependence: tuple[str, ...] = ()
    small: str | None = None
    estimate: str | None = None
    split_by: str | None = None
    queries: tuple[QueryRef, ...] = ()
    unavailable_rows: tuple[Row, ...] = ()
    card: Card | None = None
    finding: str | None = None
    days: Mapping[str, str] = field(default_factory=dict)
    is_own_sql: bool = False

    @property
    def shown_columns(self) -> frozenset[str] | None:
        """The columns of `rows` in its table; None: all."""
        shown = frozenset({**(self.columns or {}), **dict.fromkeys((self.pivot or {}).values())})
        return shown or None

    @cached_property
    def snapshot_labels(self) -> Mapping[int, str]:
        """Snapshot of the rows -> its label, where they are over snapshots."""
        return label_snapshots(self.rows)

    @property
    def texts(self) -> tuple[str, ...]:
        """All paragraphs, in reading order."""
        limits = (*self.coverage, *self.paragraphs, *self.dependence, self.small, self.estimate)
        return tuple(filter(None, limits))


@dataclass(frozen=True)
class CustomText:
    """The texts of a report that is not about one snapshot.

    `finding`: the title of the page. `summary`: the numbers in the texts, for JSON. `highlights`:
    what HTML shows in large type, each with `big`, `label` and `small`. `sources`: what to cite.
    `command`: what repeats the report, where no query is behind it.
    """

    headline: str
    provenance: str = ""
    summary: Row = field(default_factory=dict)
    highlights: tuple[Mapping[str, str], ...] = ()
    finding: str | None = None
    sources: tuple[str, ...] = ()
    command: str = ""


@dataclass(frozen=True)
class Report:
    """Sections in reading order, with their provenance. Times are UTC.

    `frameworks`: each framework compared -> its title. `titles`: every framework, format or
    runtime in the rows -> its title. `snapshots`: exactly one, unless the report has a `text`.
    `claims`: the fact-checks that the report shows, for JSON.
    `flags`: what is implausible in the data that the figures use. `weight_notes`: those of `notes`
    on models without an account or downloads, where the report counts by these.
    `headline`: the section behind the headline; by default the first. `findings`: sentences that
    take the place of a headline. `glossary`: term -> meaning. `groupings`: those of the sections
    that the report can be limited to.
    """

    name: str
    title: str
    sections: tuple[Section, ...]
    request: ReportRequest = ReportRequest()
    definition: Definition = DEFAULT_DEFINITION
    frameworks: Mapping[str, str] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    snapshots: tuple[Snapshot, ...] = ()
    notes: tuple[str, ...] = ()
    headline_name: str | None = None
    weight_notes: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    compared_with: "Report | None" = None
    text: CustomText | None = None
    findings: tuple[Finding, ...] = ()
    glossary: Mapping[str, str] = field(default_factory=dict)
    claims: tuple[Row, ...] = ()
    groupings: tuple[Grouping, ...] = ()
    generated_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def headline(self) -> Section:
        named = (section for section in self.sections if section.name == self.headline_name)
        return next(named, self.sections[0])

    @property
    def snapshot(self) -> Snapshot:
        return self.snapshots[0]

    @property
    def period(self) -> Period | None:
        """The requested year with the bounds that the snapshot covers; None without one."""
        return None if self.text else self.request.covered(self.snapshot)

    @property
    def file_name(self) -> str:
        """The name of the report's files, without extension."""
        kind = "report" if self.name in ("year", "overview") else self.name
        reports = filter(None, (self, self.compared_with))
        years = dict.fromkeys(report.request.year for report in reports)
        return "-".join([kind, *(str(year) for year in years if year)])

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The figures of the requested definition and frameworks, in reading order."""
        parts = (section for section in self.sections if not section.vary_by)
        return tuple(figure for section in parts for figure in section.figures)

    @property
    def variants(self) -> tuple[Figure, ...]:
        """The same figures under other definitions, frameworks and weights."""
        parts = (section for section in self.sections if section.vary_by)
        return tuple(figure for section in parts for figure in section.figures)

    @property
    def breakdown(self) -> tuple[Row, ...]:
        """The classes of all models: rows of breakdown.sql, the total first."""
        parts = (section for section in self.sections if section.query == "breakdown")
        return tuple(row for section in parts for row in section.rows)
