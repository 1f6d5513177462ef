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
    view: SnapshotView, request: FigureRequest, *, per: Per, as_of: datetime | None = None
) -> Iterator[Figure]:
    """Yield the figures of each period, oldest first; their `group` names it.

    By year or month of creation in `view`, models at the cutoff are excluded; else of the snapshots
    until `as_of`. Raises NotFoundError where no snapshot has the data.
    """
    if per != "snapshot":
        yield from view.compute_exclusivity(replace(request, cutoff="excluded", by=per))
        return
    for label, complete in _complete_views(view.store, request.definition, as_of):
        for figure in complete.compute_exclusivity(request):
            yield replace(figure, by="snapshot", group=label)


def compute_adoption(
    view: SnapshotView,
    *,
    per: Per,
    frameworks: Sequence[str] | None = None,
    definition: Definition = "tag",
    as_of: datetime | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield (period, framework, numerator, denominator, share): models that have each.

    Per year or month of creation, rows also have `since` and `until` (UTC) of the part that the
    snapshot covers, and models at the cutoff are excluded. `frameworks` None: every framework,
    format and runtime that any model has. Raises NotFoundError where no snapshot has the data.
    """
    only = None if frameworks is None else list(view.find_titles(frameworks))
    parameters: dict[str, object] = {"only": only, "definition": definition}
    if per != "snapshot":
        view.require(definition, per)
        for row in view.run("formats", parameters | {"per": per}):
            yield row | view.period_bounds(row["period"])
        return
    for label, complete in _complete_views(view.store, definition, as_of):
        for row in complete.run("formats", parameters | {"per": "all", "cutoff": "included"}):
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
