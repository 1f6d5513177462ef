"""Reads `reports/<name>/report.toml` and fills it with figures."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hfscan.errors import NoAnswerError
from hfscan.figures import Census, Definition, Figure, Floor, touches_floor
from hfscan.resources import folder
from hfscan.store import Source

_FLOORS: tuple[Floor, ...] = ("excluded", "included", "only")


@dataclass(frozen=True)
class Section:
    """A titled block of a report: the figures of one population, weight and grouping."""

    name: str
    title: str
    note: str | None
    by: str | None
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Report:
    """Figures in reading order, with where they come from. Times are UTC."""

    name: str
    title: str
    year: int | None
    universe: tuple[str, ...]
    definition: Definition
    names: dict[str, str]
    """framework -> its title"""
    source: Source
    generated_at: datetime
    headline: Section
    sections: tuple[Section, ...]
    notes: tuple[str, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures, in reading order."""
        return tuple(figure for section in self.sections for figure in section.figures)


def build(
    census: Census,
    *,
    year: int | None,
    universe: Sequence[str],
    definition: Definition = "tag",
    where: Path | None = None,
) -> Report:
    """Fill the report of a year (or, without one, of all models) from an observation.

    A section of existing models is left out, with a note, where the observation does not reach
    back to the oldest models. Raises NoAnswerError where a question cannot be answered.
    """
    name = "overview" if year is None else "year"
    path = (where or folder("reports")) / name / "report.toml"
    plan = tomllib.loads(path.read_text(encoding="utf-8"))
    period = None if year is None else (datetime(year, 1, 1), datetime(year + 1, 1, 1))
    words = {"year": year, "next_year": None if year is None else year + 1}
    sections, notes = [], list(_notes(census.source))
    for part in plan["section"]:
        if part["population"] == "existing" and period and not census.source.from_beginning:
            notes.append(
                f"The source starts at {census.source.since:%Y-%m-%d}: models existing at the end "
                f"of {year} cannot be counted from it."
            )
            continue
        sections.append(_section(census, part, period, universe, definition, words))
    headline = next(one for one in sections if one.name == plan["headline"])
    return Report(
        name=name,
        title=plan["title"].format(**words),
        year=year,
        universe=tuple(universe),
        definition=definition,
        names=census.titles(universe),
        source=census.source,
        generated_at=datetime.now(UTC),
        headline=headline,
        sections=tuple(sections),
        notes=tuple(notes),
    )


def _section(
    census: Census,
    part: dict[str, Any],
    period: tuple[datetime, datetime] | None,
    universe: Sequence[str],
    definition: Definition,
    words: dict[str, Any],
) -> Section:
    by = part.get("by")
    floors: tuple[Floor | None, ...] = (None,)
    if part["population"] == "created" and period and touches_floor(period):
        floors = _FLOORS if by is None else _FLOORS[:1]
    figures = [
        figure
        for floor in floors
        for figure in census.exclusivity(
            universe=universe,
            definition=definition,
            period=period,
            population=part["population"],
            floor=floor,
            weight=part.get("weight", "models"),
            by=by,
            top=part.get("top"),
        )
    ]
    note = part.get("note")
    return Section(
        part["name"],
        part["title"].format(**words),
        note and note.format(**words),
        by,
        tuple(figures),
    )


def _notes(source: Source) -> list[str]:
    notes = []
    if source.synthetic:
        notes.append(f"SYNTHETIC: these models were made up ({source.synthetic}); no real Hub.")
    if not source.whole:
        cut = {"author": source.author, "task": source.task, "limit": source.model_limit}
        told = ", ".join(f"{name} {value}" for name, value in cut.items() if value is not None)
        notes.append(f"PARTIAL: the source holds only a part of the Hub ({told}).")
    if "tags" in source.lacks:
        raise NoAnswerError(f"Source {source.id} has no tags; frameworks cannot be told from it.")
    if "downloads" in source.lacks:
        notes.append("The source has no downloads: figures weighted by them are empty.")
    return notes
