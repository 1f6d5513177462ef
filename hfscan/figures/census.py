"""One snapshot, ready to be asked."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from hfscan.errors import InconsistentError, NoAnswerError
from hfscan.figures.figure import POPULATIONS, By, Cutoff, Figure, Population, Weight
from hfscan.figures.period import Period
from hfscan.figures.queries import load
from hfscan.frameworks import Definition
from hfscan.objectid import CUTOFF_END, CUTOFF_START
from hfscan.store import Snapshot, Store
from hfscan.store.snapshots import choose, latest, listed
from hfscan.suggest import unknown

ALL = "all"
"""In a frameworks: every framework and runtime."""

_NEEDED = {
    "month": "created_at", "year": "created_at", "task": "pipeline_tag",
    "library": "library_name", "license": "tags", "architecture": "model_type",
    "language": "tags", "size": "parameters", "gated": "gated", "region": "tags",
}  # fmt: skip
"""Grouping -> the column that it is read from."""


class Census:
    """One snapshot. Binds the relation `census` that queries speak of."""

    def __init__(self, store: Store, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._connection = store.connection
        self._shares: dict[str, list[dict[str, Any]]] = {}
        # literals, because a view takes no parameter; they are our own integers
        self._connection.execute(
            f"CREATE OR REPLACE TEMP VIEW census AS SELECT {snapshot.id} AS snapshot, * "
            f"FROM models_at({snapshot.series}, {snapshot.place})"
        )

    @classmethod
    def choose(
        cls,
        store: Store,
        period: tuple[datetime, datetime] | None,
        *,
        snapshot: int | None = None,
        as_of: datetime | None = None,
    ) -> "Census":
        """Take the snapshot that answers for `period`; see `hfscan.store.snapshots.choose`."""
        since, until = period or (None, None)
        return cls(
            store, choose(store.require_sources(), since, until, snapshot=snapshot, as_of=as_of)
        )

    @classmethod
    def latest(
        cls, store: Store, *, snapshot: int | None = None, as_of: datetime | None = None
    ) -> "Census":
        """Take the snapshot to look into; see `hfscan.store.snapshots.latest`."""
        return cls(store, latest(store.require_sources(), snapshot=snapshot, as_of=as_of))

    def exclusivity(
        self,
        *,
        frameworks: Sequence[str],
        definition: Definition = "tag",
        period: tuple[datetime, datetime] | None = None,
        population: Population = "existing",
        cutoff: Cutoff | None = None,
        weight: Weight = "models",
        exclude_top_authors: int = 0,
        by: By | None = None,
        top: int | None = None,
    ) -> Iterator[Figure]:
        """Yield the figures exclusive, available, shared and none of a population.

        `created`: models created in `period`; `existing`: models created before its end (all
        models without a period). A frameworks of `all` stands for every framework and runtime.

        Raises NoAnswerError on a framework that the database does not know, and where the
        snapshot lacks what the definition or the grouping needs.
        """
        if population not in POPULATIONS:
            raise NoAnswerError(unknown("population", population, POPULATIONS))
        if period is None and population == "created":
            raise NoAnswerError("The population created needs a year. Name one.")
        if top is not None and by is None:
            raise NoAnswerError(f"There are no groups, so there is no top {top}. Name a grouping.")
        self.titles(frameworks)  # raises on an unknown one
        self.need(definition, by)
        since, until = period or (None, None)
        asked = {
            "frameworks": list(frameworks),
            "definition": definition,
            "since": since if population == "created" else None,
            "until": until,
            "cutoff": cutoff or "included",
            "weight": weight,
            "exclude_top_authors": exclude_top_authors,
            "by": by,
            "top": top,
        }
        again = repr(asked)  # sections of a report ask the same
        if again not in self._shares:
            self._shares[again] = self.ask("exclusivity", asked)
        rows = self._shares[again]
        number = float if weight == "authors" else int  # votes are fractions
        covered = Period.of(*period).within(self.snapshot) if period else None
        for row in rows:
            yield Figure(
                definition=definition,
                frameworks=tuple(frameworks),
                population=population,
                period=period,
                cutoff=cutoff,
                weight=weight,
                by=by,
                exclude_top_authors=exclude_top_authors,
                sampled=self.snapshot.sample is not None,
                covered=self._covered(row["group"]) if by in ("month", "year") else covered,
                **row | {key: number(row[key]) for key in ("numerator", "denominator")},
            )

    def _covered(self, group: str | None) -> Period | None:
        """Return what is covered of the year or month that `group` names."""
        period = Period.named(group)
        return period.within(self.snapshot) if period else None

    def bounds(self, name: str) -> dict[str, str]:
        """Return since and until of what is covered of the year or month `name`; UTC."""
        if (one := self._covered(name)) is None:
            return {}
        return {"since": f"{one.since.isoformat()}Z", "until": f"{one.until.isoformat()}Z"}

    def ask(self, query: str, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
        """Return the rows of a named query. Raises NoAnswerError; see `queries`."""
        return load(query).run(self._connection, parameters)

    def before(self) -> Snapshot | None:
        """Return the newest snapshot of all models before this one, if this one is such too."""
        if not (self.snapshot.whole and self.snapshot.covers(None, None)):
            return None
        able = [
            one for one in listed(self._connection)
            if one.whole and one.covers(None, None) and "tags" not in one.missing_columns
            and one.observed_to < self.snapshot.observed_to
        ]  # fmt: skip
        return able[-1] if able else None

    def model(self, name: str) -> dict[str, Any]:
        """Return the row of a model, by its repo id or `_id`.

        Raises NoAnswerError when the snapshot has none, naming those that it may have become.
        """
        rows = self.ask("model", {"model": name})
        if rows and rows[0]["exact"]:
            return rows[0]
        there = f" There is {', '.join(row['id'] for row in rows)}." if rows else ""
        raise NoAnswerError(f"Snapshot {self.snapshot.id} has no model {name!r}.{there}")

    def prove(self, figures: Iterable[Figure]) -> None:
        """Raise InconsistentError unless the shares of each cell, and its groups, add up."""
        told = [replace(one, sampled=False).as_dict() for one in figures]
        told = [{"exclude_top_authors": 0, **one} for one in told]
        if wrong := self.ask("adds_up", {"figures": msgspec.json.encode(told).decode()}):
            raise InconsistentError(
                f"Figures do not add up ({wrong[0]}). Nothing is reported; this is an error of "
                "hfscan or DuckDB: please tell us, with your versions of both."
            )

    def titles(self, frameworks: Sequence[str]) -> dict[str, str]:
        """Return framework -> title, in the order of `frameworks`.

        Raises NoAnswerError on a framework that the database does not know, and on none at all.
        """
        rows = self._connection.execute("SELECT name, title FROM frameworks ORDER BY bit")
        known: dict[str, str] = dict(rows.fetchall())
        if not frameworks:
            raise NoAnswerError("The frameworks is empty. Name at least one framework.")
        for name in frameworks:
            if name not in known and name != ALL:
                raise NoAnswerError(unknown("framework", name, [*known, ALL]))
        if ALL in frameworks:
            return self._competing(frameworks)
        return {name: known[name] for name in frameworks}

    def outside_all(self, frameworks: Sequence[str]) -> list[str]:
        """Return the names of `frameworks` that `all` does not stand for: formats and artefacts."""
        everything = self._competing((ALL,))
        return [name for name in frameworks if name not in everything and name != ALL]

    def _competing(self, frameworks: Sequence[str]) -> dict[str, str]:
        rows = self._connection.execute(
            "SELECT framework, title FROM frameworks_compared(?) ORDER BY bit", [list(frameworks)]
        )
        return dict(rows.fetchall())

    def can_tell(self, definition: Definition) -> bool:
        """Return whether the snapshot holds what the definition needs."""
        return not (definition == "weights" and "files" in self.snapshot.missing_columns)

    def can_group(self, by: str | None) -> bool:
        """Return whether the snapshot holds what the grouping is read from."""
        return _NEEDED.get(by or "") not in self.snapshot.missing_columns

    def need(self, definition: Definition, by: By | None) -> None:
        """Raise NoAnswerError where the snapshot lacks what these are read from."""
        if not self.can_tell(definition):
            raise NoAnswerError(
                f"Snapshot {self.snapshot.id} has no file names, so --definition weights cannot be "
                "answered from it. Use tag or loadable, or a snapshot with file names."
            )
        if not self.can_group(by):
            raise NoAnswerError(
                f"Snapshot {self.snapshot.id} has no {_NEEDED[by or '']}, so its models cannot be "
                f"grouped by {by}. Choose another grouping, or a snapshot that has it."
            )


def check_left(figures: Iterable[Figure], exclude_top_authors: int) -> None:
    """Raise NoAnswerError where, without so many of the largest authors, no model is left."""
    if exclude_top_authors and not any(one.denominator for one in figures if one.name != "none"):
        raise NoAnswerError(
            f"Without the {exclude_top_authors:,} largest authors no model is left. Exclude fewer."
        )


def contains_cutoff(period: tuple[datetime, datetime]) -> bool:
    """Return whether the Hub dates the models at the creation-date cutoff into the (UTC) period."""
    since, until = period
    return since < CUTOFF_END.replace(tzinfo=None) and until > CUTOFF_START.replace(tzinfo=None)


def may_hold_cutoff(period: tuple[datetime, datetime]) -> bool:
    """Return whether models at the cutoff may truly belong to the period: none is younger."""
    return period[0] < CUTOFF_END.replace(tzinfo=None)
