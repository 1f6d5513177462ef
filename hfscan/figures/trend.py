"""How shares change: by creation, as one snapshot sees it, or between snapshots."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from hfscan.errors import NoAnswerError
from hfscan.figures.census import Census
from hfscan.figures.figure import Figure, Weight
from hfscan.frameworks import Definition
from hfscan.store import Store

Per = Literal["year", "month", "snapshot"]


def trend(
    store: Store,
    *,
    per: Per,
    frameworks: Sequence[str],
    definition: Definition = "tag",
    weight: Weight = "models",
    snapshot: int | None = None,
    as_of: datetime | None = None,
) -> Iterator[Figure]:
    """Yield the figures of each period, in the order of time; their `group` names it.

    By creation, models at the cutoff are left out. Raises NoAnswerError where no snapshot can
    answer.
    """
    if per != "snapshot":
        census = Census.latest(store, snapshot=snapshot, as_of=as_of)
        yield from census.exclusivity(
            frameworks=frameworks, definition=definition, cutoff="excluded", weight=weight, by=per
        )
        return
    for label, census in _observations(store, definition, as_of):
        for one in census.exclusivity(frameworks=frameworks, definition=definition, weight=weight):
            yield replace(one, by="snapshot", group=label)


def adoption(
    store: Store,
    *,
    per: Per,
    frameworks: Sequence[str] | None = None,
    definition: Definition = "tag",
    snapshot: int | None = None,
    as_of: datetime | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield (period, framework, numerator, denominator, share): models that have each.

    With the covered part of the period, `since` and `until` (UTC), where it is one of creation.

    By creation, models at the cutoff are left out. `frameworks` None: everything that some model
    has. Raises NoAnswerError where no snapshot can answer.
    """
    asked: dict[str, object] = {"only": None, "definition": definition}
    if frameworks is not None:
        asked["only"] = list(
            Census.latest(store, snapshot=snapshot, as_of=as_of).titles(frameworks)
        )
    if per != "snapshot":
        census = Census.latest(store, snapshot=snapshot, as_of=as_of)
        census.need(definition, per)
        for row in census.ask("formats", {**asked, "per": per}):
            yield row | census.bounds(row["period"])
        return
    for label, census in _observations(store, definition, as_of):
        for row in census.ask("formats", {**asked, "per": "all", "cutoff": "included"}):
            yield {**row, "period": label}


def _observations(
    store: Store, definition: Definition, as_of: datetime | None
) -> Iterator[tuple[str, Census]]:
    """Yield those of the whole Hub that can tell, oldest first."""
    told = False
    for snapshot in store.require_sources():
        if as_of is not None and snapshot.observed_to > as_of:
            continue
        census = Census(store, snapshot)
        if snapshot.whole and snapshot.covers(None, None) and census.can_tell(definition):
            told = True
            yield f"{snapshot.observed_to:%Y-%m-%d}, snapshot {snapshot.id}", census
    if not told:
        raise NoAnswerError(
            "No snapshot of the whole Hub can tell. Crawl without a scope, import a census, or "
            "ask --per year."
        )
