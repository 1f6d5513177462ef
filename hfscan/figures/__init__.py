"""Figures: a named query + a definition + a population + an observation, with both its numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from hfscan.errors import NoAnswerError
from hfscan.figures.queries import Query, load
from hfscan.objectid import FLOOR_END, FLOOR_START
from hfscan.store import Source, Store
from hfscan.store.sources import choose

__all__ = ["Census", "Definition", "Figure", "Query", "load"]

Population = Literal["created", "existing"]
Floor = Literal["excluded", "included", "only"]
Definition = Literal["tag", "weights", "usable"]
Weight = Literal["models", "downloads"]
By = Literal["month", "task", "library"]


@dataclass(frozen=True)
class Figure:
    """A share, with all that is needed to recompute it.

    `name`: exclusive (to `framework`), available (in `framework`), shared (by several), none.
    `period`: [since, until) in UTC; None for all models. `floor`: what was done with the models
    at the creation floor, None where the period does not touch it or it has no bearing.
    `numerator`, `denominator`: models, or 30-day downloads (`weight`).
    """

    name: str
    framework: str | None
    definition: str
    universe: tuple[str, ...]
    population: Population
    period: tuple[datetime, datetime] | None
    floor: Floor | None
    weight: Weight
    by: By | None
    group: str | None
    numerator: int
    denominator: int

    @property
    def share(self) -> float | None:
        """Numerator / denominator; None when the denominator is 0."""
        return self.numerator / self.denominator if self.denominator else None

    def as_dict(self) -> dict[str, Any]:
        """Return the figure as the JSON contract has it; the share rounded to six digits."""
        period = self.period and [instant.date().isoformat() for instant in self.period]
        share = None if self.share is None else round(self.share, 6)
        return {**self.__dict__, "universe": list(self.universe), "period": period, "share": share}


class Census:
    """One observation, ready to be asked. Binds the relation `census` that queries speak of."""

    def __init__(self, store: Store, source: Source) -> None:
        self.source = source
        self._connection = store.connection
        # a literal, because a view takes no parameter; `source.id` is our own integer
        self._connection.execute(
            f"CREATE OR REPLACE TEMP VIEW census AS FROM observed({source.id})"
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
        return cls(store, choose(store.sources(), since, until, source=source, as_of=as_of))

    def exclusivity(
        self,
        *,
        universe: Sequence[str],
        definition: Definition = "tag",
        period: tuple[datetime, datetime] | None = None,
        population: Population = "existing",
        floor: Floor | None = None,
        weight: Weight = "models",
        by: By | None = None,
        top: int | None = None,
    ) -> Iterator[Figure]:
        """Yield the figures exclusive, available, shared and none of a population.

        `created`: models created in `period`; `existing`: models created before its end (all
        models without a period).

        Raises NoAnswerError on a framework that the database does not know, and where the
        observation lacks what the definition needs.
        """
        self.titles(universe)  # raises on an unknown one
        if definition == "weights" and "files" in self.source.lacks:
            raise NoAnswerError(
                f"Source {self.source.id} has no file names, so --definition weights cannot be "
                "answered from it. Use tag or usable, or a source with file names."
            )
        since, until = period or (None, None)
        rows = load("exclusivity").run(
            self._connection,
            {
                "universe": list(universe),
                "definition": definition,
                "since": since if population == "created" else None,
                "until": until,
                "floor": floor or "included",
                "weight": weight,
                "by": by,
                "top": top,
            },
        )
        for row in rows:
            yield Figure(
                definition=definition,
                universe=tuple(universe),
                population=population,
                period=period,
                floor=floor,
                weight=weight,
                by=by,
                **row,
            )

    def titles(self, universe: Sequence[str]) -> dict[str, str]:
        """Return framework -> title, in the order of `universe`.

        Raises NoAnswerError on a framework that the database does not know.
        """
        rows = self._connection.execute("SELECT name, title FROM frameworks ORDER BY bit")
        known: dict[str, str] = dict(rows.fetchall())
        if strange := [name for name in universe if name not in known]:
            raise NoAnswerError(
                f"Unknown framework {', '.join(strange)}; the database knows {', '.join(known)}."
            )
        return {name: known[name] for name in universe}


def touches_floor(period: tuple[datetime, datetime]) -> bool:
    """Return whether models at the creation floor fall into the (half-open, UTC) period."""
    since, until = period
    return since < FLOOR_END.replace(tzinfo=None) and until > FLOOR_START.replace(tzinfo=None)
