"""Say what limits the shares of a trend: breaks in series, uneven totals, flags on the data."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hfscan.choices import Weight
from hfscan.figures import SnapshotView, find_flags_of_figures, list_breaks
from hfscan.figures.trend import explain_uneven_files
from hfscan.frameworks import Definition
from hfscan.report.caveats import describe_flags, explain_estimates, explain_flags
from hfscan.report.dependence import explain_dependent_rows
from hfscan.text import format_count


def describe_trend(
    view: SnapshotView,
    rows: Sequence[Mapping[str, Any]],
    definitions: Sequence[Definition],
    weight: Weight,
    *,
    by_snapshot: bool,
) -> Iterator[str]:
    """Yield what changes the meaning of the rows from one period or snapshot to the next.

    Also which flags the data of the one snapshot have, and why there are no rows; those of several
    snapshots name their flags themselves.
    """
    snapshot = view.snapshot
    if not by_snapshot:
        weighted = {snapshot.id} if weight == "downloads" else set()
        yield from describe_flags(find_flags_of_figures(view.store, [snapshot], weighted))
        yield (
            "Models older than 2 March 2022 are left out: the Hub does not know when they were "
            "created."
        )
    if weight == "downloads":
        yield (
            "Downloads are those of the 30 days before the snapshot, for models of any age. The "
            "Hub has changed how it counts them: docs/data-quality.md has the dates."
        )
    yield from list_breaks(definitions, None if by_snapshot else snapshot.since, snapshot.ends_at)
    if by_snapshot and (text := explain_uneven_files(rows, view.store)):
        yield text
    if not rows:
        yield describe_no_rows(view, by_snapshot=by_snapshot)


def describe_no_rows(view: SnapshotView, *, by_snapshot: bool) -> str:
    """Return why a trend is empty."""
    if by_snapshot:
        return "Nothing to show: no snapshot tells which models have these."
    models = format_count(view.snapshot.models, "model")
    return f"Nothing to show: of the {models} of snapshot {view.snapshot.id}, none is counted."


def explain_trend(
    rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str], view: SnapshotView
) -> list[str]:
    """Return on which models the shares depend, which are estimated, and which data are flagged."""
    texts = (
        explain_dependent_rows(rows, titles),
        explain_estimates((), rows, [view.snapshot]),
        explain_flags(rows),
    )
    return [text for text in texts if text]
