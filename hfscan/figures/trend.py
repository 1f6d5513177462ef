"""How shares change: by creation, as one observation sees it, or between observations."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from hfscan.errors import NoAnswerError
from hfscan.figures.census import Census
from hfscan.figures.figure import Figure, Weight
from hfscan.frameworks import Definition
from hfscan.store import Store

Per = Literal["year", "month", "observation"]


def trend(
    store: Store,
    *,
    per: Per,
    universe: Sequence[str],
    definition: Definition = "tag",
    weight: Weight = "models",
    source: int | None = None,
    as_of: datetime | None = None,
) -> Iterator[Figure]:
    """Yield the figures of each period, in the order of time; their `group` names it.

    By creation, models at the floor are left out. Raises NoAnswerError where no observation can
    answer.
    """
    if per != "observation":
        census = Census.latest(store, source=source, as_of=as_of)
        yield from census.exclusivity(
            universe=universe, definition=definition, floor="excluded", weight=weight, by=per
        )
        return
    for label, census in _observations(store, definition, as_of):
        for one in census.exclusivity(universe=universe, definition=definition, weight=weight):
            yield replace(one, by="observation", group=label)


def adoption(
    store: Store,
    *,
    per: Per,
    universe: Sequence[str] | None = None,
    definition: Definition = "tag",
    source: int | None = None,
    as_of: datetime | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield (period, framework, numerator, denominator, share): models that have each.

    With the covered part of the period, `since` and `until` (UTC), where it is one of creation.

    By creation, models at the floor are left out. `universe` None: everything that some model has.
    Raises NoAnswerError where no observation can answer.
    """
    asked: dict[str, object] = {"only": None, "definition": definition}
    if universe is not None:
        asked["only"] = list(Census.latest(store, source=source, as_of=as_of).titles(universe))
    if per != "observation":
        census = Census.latest(store, source=source, as_of=as_of)
        census.need(definition, per)
        for row in census.ask("formats", {**asked, "per": per}):
            yield row | census.bounds(row["period"])
        return
    for label, census in _observations(store, definition, as_of):
        for row in census.ask("formats", {**asked, "per": "all", "floor": "included"}):
            yield {**row, "period": label}


def _observations(
    store: Store, definition: Definition, as_of: datetime | None
) -> Iterator[tuple[str, Census]]:
    """Yield those of the whole Hub that can tell, oldest first."""
    told = False
    for source in store.require_sources():
        if as_of is not None and source.observed_to > as_of:
            continue
        census = Census(store, source)
        if source.whole and source.covers(None, None) and census.can_tell(definition):
            told = True
            yield f"{source.observed_to:%Y-%m-%d}, source {source.id}", census
    if not told:
        raise NoAnswerError(
            "No observation of the whole Hub can tell. Crawl without a scope, import a census, or "
            "ask --per year."
        )
