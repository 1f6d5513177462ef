"""What a report is: sections of figures and rows, with where they come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from hfscan.figures import By, Definition, Figure, FigureRequest, Period, Population, Weight
from hfscan.scope import DEFAULT_FRAMEWORKS
from hfscan.store import Snapshot


@dataclass(frozen=True)
class Question:
    """What a report is asked. `definition` None: the Hub's tags, and how much that decides."""

    year: int | None
    frameworks: tuple[str, ...] = DEFAULT_FRAMEWORKS
    definition: Definition | None = None
    weight: Weight = "models"
    exclude_top_authors: int = 0
    by: By | None = None
    top: int | None = None

    @property
    def period(self) -> tuple[datetime, datetime] | None:
        """Return [since, until) in UTC. Raises NotFoundError for a year without models."""
        return None if self.year is None else Period.of_year(self.year).asked

    def covered(self, snapshot: Snapshot) -> Period | None:
        """Return the year asked for with the bounds that the snapshot covers; None without one."""
        return None if self.year is None else Period.of_year(self.year).within(snapshot)

    def request(self, population: Population) -> FigureRequest:
        """Return the request of the figures of a population, without groups."""
        return FigureRequest(
            frameworks=self.frameworks,
            definition=self.definition or "tag",
            period=self.period,
            population=population,
            weight=self.weight,
            exclude_top_authors=self.exclude_top_authors,
        )


@dataclass(frozen=True)
class Asked:
    """A query, its parameters, and the snapshot that it was put to, if to one."""

    query: str
    parameters: Mapping[str, object]
    snapshot: int | None


@dataclass(frozen=True)
class Section:
    """A titled block of a report: figures, or the rows of a query.

    Rows come with headings for `columns`, or a `pivot` of them (rows, columns, cells).
    `across`: the figures differ in definition and frameworks, or in weight; a row for each.
    `split`: a column; its values become tables of their own. `chart`: what to draw, see
    `hfscan.report.chart`. `asked`: what was asked, where one query with `parameters` does not say.
    `lacking`: rows without a value, and why; for programs alone.
    """

    name: str
    title: str
    note: str | None
    query: str
    by: By | None = None
    across: Literal["definition", "weight"] | None = None
    figures: tuple[Figure, ...] = ()
    rows: tuple[dict[str, Any], ...] = ()
    columns: Mapping[str, str] | None = None
    pivot: Mapping[str, str] | None = None
    parameters: Mapping[str, object] | None = None
    chart: str | None = None
    lines: tuple[str, ...] = ()
    split: str | None = None
    asked: tuple[Asked, ...] = ()
    lacking: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Said:
    """What a report that is not of one snapshot says of itself, in its plan's words.

    `summary`: the row behind the words. `keys`: what is set large: big, label, small. `method`:
    term -> what it means.
    """

    headline: str
    provenance: str
    summary: Mapping[str, Any]
    keys: tuple[Mapping[str, str], ...]
    method: Mapping[str, str]


@dataclass(frozen=True)
class Report:
    """Figures in reading order, with where they come from. Times are UTC."""

    name: str
    title: str
    question: Question
    names: dict[str, str]
    """framework of the frameworks -> its title"""
    titles: dict[str, str]
    """framework, format or runtime of any row -> its title"""
    snapshots: tuple[Snapshot, ...]
    """the snapshots that answer: one, unless `said` says otherwise"""
    generated_at: datetime
    headline: Section
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    other: "Report | None" = None
    """What the report is compared with."""
    said: Said | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot that answers."""
        return self.snapshots[0]

    @property
    def period(self) -> Period | None:
        """The year asked for with the bounds that the snapshot covers; None without one."""
        return None if self.said else self.question.covered(self.snapshot)

    @property
    def definition(self) -> Definition:
        """What the headline counts by."""
        return self.question.definition or "tag"

    @property
    def file_name(self) -> str:
        """What its files are called, without an ending."""
        kind = "report" if self.name in ("year", "overview") else self.name
        years = dict.fromkeys(one.question.year for one in (self, self.other) if one)
        return "-".join([kind, *(str(year) for year in years if year)])

    @property
    def coverage(self) -> str:
        """Which models the snapshot set out to see, in a sentence."""
        one = self.snapshot
        ends = [f"{bound:%Y-%m-%d}" if bound else "" for bound in (one.since, one.until)]
        when = "of any age"
        if any(ends):
            when = f"created from {ends[0] or 'the beginning'} to {ends[1] or 'the snapshot'}"
        whole = {
            True: "all were seen",
            False: "not all were seen",
            None: "nothing says whether all were seen",
        }
        return f"Public models {when}; {whole[one.complete]}."

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The figures of the definition and frameworks asked for, in reading order."""
        return tuple(one for part in self.sections if not part.across for one in part.figures)
