"""How shares change: by date of creation in one snapshot, or from snapshot to snapshot."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from hfscan.errors import NotFoundError
from hfscan.figures.figure import Figure, FigureRequest
from hfscan.figures.view import SnapshotView
from hfscan.frameworks import Definition
from hfscan.store import Store, require_snapshots

Per = Literal["year", "month", "snapshot"]


def compute_trend(
    store: Store,
    request: FigureRequest,
    *,
    per: Per,
    snapshot: int | None = None,
    as_of: datetime | None = None,
) -> Iterator[Figure]:
    """Yield the figures of each period, oldest first; their `group` names it.

    By year or month of creation, models at the cutoff are excluded. Raises NotFoundError where no
    snapshot has the data.
    """
    if per != "snapshot":
        view = SnapshotView.latest(store, snapshot=snapshot, as_of=as_of)
        yield from view.exclusivity(replace(request, cutoff="excluded", by=per))
        return
    for label, view in _complete_views(store, request.definition, as_of):
        for figure in view.exclusivity(request):
            yield replace(figure, by="snapshot", group=label)


def compute_adoption(
    store: Store,
    *,
    per: Per,
    frameworks: Sequence[str] | None = None,
    definition: Definition = "tag",
    snapshot: int | None = None,
    as_of: datetime | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield (period, framework, numerator, denominator, share): models that have each.

    Per year or month of creation, rows also have `since` and `until` (UTC) of the part that the
    snapshot covers, and models at the cutoff are excluded. `frameworks` None: every framework,
    format and runtime that any model has. Raises NotFoundError where no snapshot has the data.
    """
    latest = SnapshotView.latest(store, snapshot=snapshot, as_of=as_of)
    only = None if frameworks is None else list(latest.titles(frameworks))
    parameters: dict[str, object] = {"only": only, "definition": definition}
    if per != "snapshot":
        latest.require(definition, per)
        for row in latest.run("formats", parameters | {"per": per}):
            yield row | latest.period_bounds(row["period"])
        return
    for label, view in _complete_views(store, definition, as_of):
        for row in view.run("formats", parameters | {"per": "all", "cutoff": "included"}):
            yield row | {"period": label}


def _complete_views(
    store: Store, definition: Definition, as_of: datetime | None
) -> Iterator[tuple[str, SnapshotView]]:
    """Yield the snapshots of the entire Hub that support the definition, oldest first."""
    is_empty = True
    for snapshot in require_snapshots(store):
        view = SnapshotView(store, snapshot)
        is_known = as_of is None or snapshot.observed_to <= as_of
        if is_known and view.is_complete and view.supports_definition(definition):
            is_empty = False
            yield f"{snapshot.observed_to:%Y-%m-%d}, snapshot {snapshot.id}", view
    if is_empty:
        raise NotFoundError(
            f"No snapshot of the entire Hub supports the definition {definition}. Crawl without a "
            "scope, import a census, or use --per year."
        )
