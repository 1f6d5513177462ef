"""One observation, ready to be asked."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from hfscan.errors import InconsistentError, NoAnswerError
from hfscan.figures.figure import POPULATIONS, By, Figure, Floor, Population, Weight
from hfscan.figures.period import Period
from hfscan.figures.queries import load
from hfscan.frameworks import Definition
from hfscan.objectid import FLOOR_END, FLOOR_START
from hfscan.store import Source, Store
from hfscan.store.sources import choose, latest, listed
from hfscan.suggest import unknown

ALL = "all"
"""In a universe: every framework and runtime."""

_NEEDED = {
    "month": "created_at", "year": "created_at", "task": "pipeline_tag",
    "library": "library_name", "license": "tags", "architecture": "model_type",
    "language": "tags", "size": "parameters", "gated": "gated", "region": "tags",
}  # fmt: skip
"""Grouping -> the column that it is read from."""


class Census:
    """One observation. Binds the relation `census` that queries speak of."""

    def __init__(self, store: Store, source: Source) -> None:
        self.source = source
        self._connection = store.connection
        self._shares: dict[str, list[dict[str, Any]]] = {}
        # literals, because a view takes no parameter; they are our own integers
        self._connection.execute(
            f"CREATE OR REPLACE TEMP VIEW census AS SELECT {source.id} AS source, * "
            f"FROM models_at({source.series}, {source.place})"
        )

    @classmethod
    def choose(
        cls,
        store: Store,
        period: tuple[datetime, datetime] | None,
        *,
        source: int | None = None,
        as_of: datetime | None = None,
    ) -> "Census":
        """Take the observation that answers for `period`; see `hfscan.store.sources.choose`."""
        since, until = period or (None, None)
        return cls(store, choose(store.require_sources(), since, until, source=source, as_of=as_of))

    @classmethod
    def latest(
        cls, store: Store, *, source: int | None = None, as_of: datetime | None = None
    ) -> "Census":
        """Take the observation to look into; see `hfscan.store.sources.latest`."""
        return cls(store, latest(store.require_sources(), source=source, as_of=as_of))

    def exclusivity(
        self,
        *,
        universe: Sequence[str],
        definition: Definition = "tag",
        period: tuple[datetime, datetime] | None = None,
        population: Population = "existing",
        floor: Floor | None = None,
        weight: Weight = "models",
        without_top: int = 0,
        by: By | None = None,
        top: int | None = None,
    ) -> Iterator[Figure]:
        """Yield the figures exclusive, available, shared and none of a population.

        `created`: models created in `period`; `existing`: models created before its end (all
        models without a period). A universe of `all` stands for every framework and runtime.

        Raises NoAnswerError on a framework that the database does not know, and where the
        observation lacks what the definition or the grouping needs.
        """
        if population not in POPULATIONS:
            raise NoAnswerError(unknown("population", population, POPULATIONS))
        if period is None and population == "created":
            raise NoAnswerError("The population created needs a year. Name one.")
        if top is not None and by is None:
            raise NoAnswerError(f"There are no groups, so there is no top {top}. Name a grouping.")
        self.titles(universe)  # raises on an unknown one
        self.need(definition, by)
        since, until = period or (None, None)
        asked = {
            "universe": list(universe),
            "definition": definition,
            "since": since if population == "created" else None,
            "until": until,
            "floor": floor or "included",
            "weight": weight,
            "without_top": without_top,
            "by": by,
            "top": top,
        }
        again = repr(asked)  # sections of a report ask the same
        if again not in self._shares:
            self._shares[again] = self.ask("exclusivity", asked)
        rows = self._shares[again]
        number = float if weight == "authors" else int  # votes are fractions
        covered = Period.of(*period).within(self.source) if period else None
        for row in rows:
            yield Figure(
                definition=definition,
                universe=tuple(universe),
                population=population,
                period=period,
                floor=floor,
                weight=weight,
                by=by,
                without_top=without_top,
                sampled=self.source.sample is not None,
                covered=self._covered(row["group"]) if by in ("month", "year") else covered,
                **row | {key: number(row[key]) for key in ("numerator", "denominator")},
            )

    def _covered(self, group: str | None) -> Period | None:
        """Return what is covered of the year or month that `group` names."""
        period = Period.named(group)
        return period.within(self.source) if period else None

    def bounds(self, name: str) -> dict[str, str]:
        """Return since and until of what is covered of the year or month `name`; UTC."""
        if (one := self._covered(name)) is None:
            return {}
        return {"since": f"{one.since.isoformat()}Z", "until": f"{one.until.isoformat()}Z"}

    def ask(self, query: str, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
        """Return the rows of a named query. Raises NoAnswerError; see `queries`."""
        return load(query).run(self._connection, parameters)

    def before(self) -> Source | None:
        """Return the newest observation of all models before this one, if this one is such too."""
        if not (self.source.whole and self.source.covers(None, None)):
            return None
        able = [
            one for one in listed(self._connection)
            if one.whole and one.covers(None, None) and "tags" not in one.lacks
            and one.observed_to < self.source.observed_to
        ]  # fmt: skip
        return able[-1] if able else None

    def model(self, name: str) -> dict[str, Any]:
        """Return the row of a model, by its repo id or `_id`.

        Raises NoAnswerError when the observation has none, naming those that it may have become.
        """
        rows = self.ask("model", {"model": name})
        if rows and rows[0]["exact"]:
            return rows[0]
        there = f" There is {', '.join(row['id'] for row in rows)}." if rows else ""
        raise NoAnswerError(f"Source {self.source.id} has no model {name!r}.{there}")

    def prove(self, figures: Iterable[Figure]) -> None:
        """Raise InconsistentError unless the shares of each cell, and its groups, add up."""
        told = [replace(one, sampled=False).as_dict() for one in figures]
        told = [{"without_top": 0, **one} for one in told]
        if wrong := self.ask("adds_up", {"figures": msgspec.json.encode(told).decode()}):
            raise InconsistentError(
                f"Figures do not add up ({wrong[0]}). Nothing is reported; this is an error of "
                "hfscan or DuckDB: please tell us, with your versions of both."
            )

    def titles(self, universe: Sequence[str]) -> dict[str, str]:
        """Return framework -> title, in the order of `universe`.

        Raises NoAnswerError on a framework that the database does not know, and on none at all.
        """
        rows = self._connection.execute("SELECT name, title FROM frameworks ORDER BY bit")
        known: dict[str, str] = dict(rows.fetchall())
        if not universe:
            raise NoAnswerError("The universe is empty. Name at least one framework.")
        for name in universe:
            if name not in known and name != ALL:
                raise NoAnswerError(unknown("framework", name, [*known, ALL]))
        if ALL in universe:
            return self._competing(universe)
        return {name: known[name] for name in universe}

    def outside_all(self, universe: Sequence[str]) -> list[str]:
        """Return the names of `universe` that `all` does not stand for: formats and artefacts."""
        everything = self._competing((ALL,))
        return [name for name in universe if name not in everything and name != ALL]

    def _competing(self, universe: Sequence[str]) -> dict[str, str]:
        rows = self._connection.execute(
            "SELECT framework, title FROM universe(?) ORDER BY bit", [list(universe)]
        )
        return dict(rows.fetchall())

    def can_tell(self, definition: Definition) -> bool:
        """Return whether the observation holds what the definition needs."""
        return not (definition == "weights" and "files" in self.source.lacks)

    def can_group(self, by: str | None) -> bool:
        """Return whether the observation holds what the grouping is read from."""
        return _NEEDED.get(by or "") not in self.source.lacks

    def need(self, definition: Definition, by: By | None) -> None:
        """Raise NoAnswerError where the observation lacks what these are read from."""
        if not self.can_tell(definition):
            raise NoAnswerError(
                f"Source {self.source.id} has no file names, so --definition weights cannot be "
                "answered from it. Use tag or usable, or a source with file names."
            )
        if not self.can_group(by):
            raise NoAnswerError(
                f"Source {self.source.id} has no {_NEEDED[by or '']}, so its models cannot be told "
                f"apart by {by}. Choose another grouping, or a source that has it."
            )


def check_left(figures: Iterable[Figure], without_top: int) -> None:
    """Raise NoAnswerError where, without so many of the largest authors, no model is left."""
    if without_top and not any(one.denominator for one in figures if one.name != "none"):
        raise NoAnswerError(
            f"Without the {without_top:,} largest authors no model is left. Leave out fewer."
        )


def contains_floor(period: tuple[datetime, datetime]) -> bool:
    """Return whether the Hub dates the models at the creation floor into the (UTC) period."""
    since, until = period
    return since < FLOOR_END.replace(tzinfo=None) and until > FLOOR_START.replace(tzinfo=None)


def may_hold_floor(period: tuple[datetime, datetime]) -> bool:
    """Return whether models at the floor may truly belong to the period: none is younger."""
    return period[0] < FLOOR_END.replace(tzinfo=None)
