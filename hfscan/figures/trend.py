"""How shares change: by date of creation in one snapshot, or from snapshot to snapshot."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from hfscan.errors import NotFoundError
from hfscan.figures.figure import Figure, FigureRequest
from hfscan.figures.per_snapshot import list_complete
from hfscan.figures.quality import find_partial
from hfscan.figures.view import SnapshotView
from hfscan.frameworks import Definition
from hfscan.store import Store

Per = Literal["year", "month", "snapshot"]


@dataclass(frozen=True)
class SeriesBreak:
    """A day from which figures of these definitions describe other models than before."""

    since: datetime
    definitions: tuple[Definition, ...]
    text: str


SERIES_BREAKS = (
    SeriesBreak(
        datetime(2023, 1, 1),
        ("tag",),
        "BREAK IN SERIES: since 2023, most new models have safetensors files, and the Hub gives "
        "few of these a framework tag. Shares by Hub tags describe fewer models each year.",
    ),
    SeriesBreak(
        datetime(2024, 9, 1),
        ("weights", "loadable", "best"),
        "BREAK IN SERIES: for models created after August 2024, the Hub no longer assumes the "
        "library transformers where only a config.json suggests it.",  # hub-docs, "Model cards"
    ),
)


def list_breaks(
    definitions: Iterable[Definition], since: datetime | None, until: datetime
) -> list[str]:
    """Return the breaks in the series of some definitions after `since` and before `until`."""
    return [
        known.text
        for known in SERIES_BREAKS
        if (since is None or since < known.since)
        and known.since < until
        and set(known.definitions) & set(definitions)
    ]


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
    transformers: int | None = None,
    as_of: datetime | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield (period, framework, numerator, denominator, share): models that have each.

    Per year or month of creation, rows also have `since` and `until` (UTC) of the part that the
    snapshot covers, and models at the cutoff are excluded. Of a sample, each has its `interval`.
    `frameworks` None: every framework, format and runtime that any model has. Raises NotFoundError
    where no snapshot has the data.
    """
    only = None if frameworks is None else list(view.find_titles(frameworks))
    parameters: dict[str, object] = {
        "only": only,
        "definition": definition,
        "transformers": transformers,
    }
    if per != "snapshot":
        view.require(definition, per)
        yield from view.run_for_report("formats", parameters | {"per": per})
        return
    for label, complete in _complete_views(view.store, definition, as_of):
        every_model = parameters | {"per": "all", "cutoff": "included"}
        for row in complete.run_for_report("formats", every_model):
            yield row | {"period": label}


def _complete_views(
    store: Store, definition: Definition, as_of: datetime | None
) -> Iterator[tuple[str, SnapshotView]]:
    """Yield the snapshots of the entire Hub that support the definition, oldest first.

    The label of a snapshot that lacks a part of its models says so.
    """
    views = [view for view in list_complete(store, as_of) if view.supports_definition(definition)]
    if not views:
        raise NotFoundError(
            f"No snapshot of the entire Hub supports the definition {definition}. Crawl without a "
            "scope, import a census, or use --per year."
        )
    partial = {flag.snapshot for flag in find_partial(store)}
    for view in views:
        mark = ", partial" if view.snapshot.id in partial else ""
        yield f"{view.snapshot.observed_to:%Y-%m-%d}, snapshot {view.snapshot.id}{mark}", view
