"""Flags on the data of a snapshot: missing models, a wrong time, impossible counters, copies."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hfscan.figures.queries import load
from hfscan.figures.view import SnapshotView, remember
from hfscan.store import Snapshot, Store, list_snapshots
from hfscan.text import format_count

_COUNTED_DAILY = timedelta(hours=20)  # the Hub updates its counters once a day
_MONTH = timedelta(days=31)

_MESSAGES = {
    "partial": (
        "{models}, {share:.1%} of the {denominator:,} of snapshot {compared_with}. A "
        "part is missing."
    ),
    "no_new_models": (
        "No model was created in the {days} days before the snapshot. Its data are older than its "
        "time says, or its newest models are missing."
    ),
    "frozen_downloads": (
        "The 30-day downloads of {share:.1%} of {denominator:,} often downloaded models are the "
        "same as in snapshot {compared_with}."
    ),
    "all_time_went_back": (
        "The all-time downloads of {share:.1%} of {denominator:,} models are lower than in "
        "snapshot {compared_with}."
    ),
    "stale_downloads": (
        "The all-time downloads of {share:.1%} of {denominator:,} models with 30-day downloads did "
        "not change since snapshot {compared_with}, so their 30-day downloads are out of date."
    ),
    "impossible_downloads": (
        "{numerator:,} of {denominator:,} models have more downloads in 30 days than of all time."
    ),
    "duplicate_names": (
        "{numerator:,} of {denominator:,} models have the id of another, apart from upper and "
        "lower case."
    ),
    "mirrors": (
        "{numerator:,} of {denominator:,} models have the same commit as a model of another "
        "account."
    ),
    "similar_files": (
        "{numerator:,} of {denominator:,} models with weight files have the same file names and "
        "tags as a model of another account."
    ),
}
"""Flag -> what it says."""


@dataclass(frozen=True)
class Flag:
    """Something in the data of `snapshot` that is implausible.

    `numerator` of `denominator` models show it; of `no_new_models`, none does. `compared_with`: the
    other snapshot, if any. `days`: those without a new model, for `no_new_models`.
    """

    snapshot: int
    name: str
    numerator: int
    denominator: int
    compared_with: int | None = None
    days: int | None = None

    @property
    def label(self) -> str:
        """The flag's name, and the share of models that show it or the days without a new one."""
        if self.days is not None:
            return f"{self.name.replace('_', ' ')} ({self.days} days)"
        share = f"{self.numerator / self.denominator:.1%}".replace("%", " %")
        return f"{self.name.replace('_', ' ')} ({share})"

    @property
    def message(self) -> str:
        """The flag, as a sentence."""
        share = self.numerator / self.denominator
        return (
            _MESSAGES[self.name]
            .format(**vars(self), share=share, models=format_count(self.numerator, "model"))
            .replace("%", " %")
        )


def find_partial(store: Store) -> list[Flag]:
    """Return a flag for each snapshot that lacks a part of its models."""
    return [
        Flag(
            row["snapshot"], "partial", row["models"], row["compared_models"], row["compared_with"]
        )
        for row in load("partial_snapshots").run(store, {})
    ]


def find_without_new_models(store: Store, snapshot: Snapshot) -> Iterator[Flag]:
    """Yield a flag if a snapshot of all real models has none that was created just before it."""
    if row := SnapshotView(store, snapshot).find_time_without_models():
        yield from _flags(snapshot, [row])


def find_download_flags(store: Store, snapshot: Snapshot) -> Iterator[Flag]:
    """Yield the flags on the download counters of a snapshot.

    They are compared with the newest snapshot at least 20 hours older, and with the newest one at
    least 31 days older; both of the same models.
    """
    if "downloads" in snapshot.missing_columns:
        return
    earlier = [
        other for other in list_snapshots(store)
        if "downloads" not in other.missing_columns
        and other.has_scope_of(snapshot)
    ]  # fmt: skip
    found: dict[str, Flag] = {}
    compared = []
    for age in (_COUNTED_DAILY, _MONTH):
        older = [other for other in earlier if other.observed_to <= snapshot.observed_to - age]
        before = older[-1] if older else snapshot
        if before in compared:
            continue
        compared.append(before)
        for flag in _flags(snapshot, _count_implausible(store, before, snapshot), before):
            found.setdefault(flag.name, flag)
    yield from found.values()


def _count_implausible(store: Store, before: Snapshot, snapshot: Snapshot) -> list[dict[str, Any]]:
    parameters = {"earlier": before.id, "later": snapshot.id}
    query = load("download_counters")
    return remember(store, (query.name, *parameters.values()), lambda: query.run(store, parameters))


def find_flags_of_figures(
    store: Store, snapshots: Sequence[Snapshot], weighted: Collection[int | None]
) -> list[Flag]:
    """Return the flags on `snapshots` that concern figures.

    Those on download counters only of the snapshots (ids) in `weighted`, by downloads.
    """
    ids = {snapshot.id for snapshot in snapshots}
    flags = [flag for flag in find_partial(store) if flag.snapshot in ids]
    for snapshot in snapshots:
        flags += find_without_new_models(store, snapshot)
        if snapshot.id in weighted:
            flags += find_download_flags(store, snapshot)
    return flags


def find_flags(store: Store, snapshots: Sequence[Snapshot]) -> list[Flag]:
    """Return the flags: of partial snapshots on all in the database, others only on `snapshots`."""
    flags = find_partial(store)
    for snapshot in snapshots:
        flags += find_without_new_models(store, snapshot)
        flags += find_download_flags(store, snapshot)
        flags += _flags(snapshot, SnapshotView(store, snapshot).run("duplicates", {}))
    return flags


def _flags(
    snapshot: Snapshot, rows: Iterable[Mapping[str, Any]], before: Snapshot | None = None
) -> Iterator[Flag]:
    compared_with = None if before is None or before.id == snapshot.id else before.id
    for row in rows:
        if row["flagged"]:
            yield Flag(
                snapshot.id, row["flag"], row["numerator"], row["denominator"], compared_with,
                row.get("days_before"),
            )  # fmt: skip
