"""Snapshots: list them, choose the one that answers a question, delete them."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from hfscan.errors import InvalidRequestError, NotFoundError, Wording, option
from hfscan.objectid import CUTOFF_START
from hfscan.paths import journal_dir
from hfscan.scope import Scope
from hfscan.store import history
from hfscan.store.database import Store
from hfscan.text import format_count

_SCOPE = ("since", "until", "author", "task", "model_limit", "sample_design", "synthetic")


@dataclass(frozen=True)
class NewSnapshot:
    """What is known of a snapshot before it is ingested. Times are UTC."""

    kind: str
    origin: str
    scope: Scope
    observed_from: datetime
    observed_to: datetime
    complete: bool | None
    requests: int | None = None
    synthetic: str | None = None
    sample: float | None = None
    sample_design: str | None = None
    sample_strata: Sequence[datetime] | None = None
    base: int | None = None  # kind 'update': the snapshot that holds all other models


@dataclass(frozen=True)
class Unreadable:
    """A column of `models_in(id)` that could not be read of some models, with one such value.

    `example` is untrusted text of at most 80 characters; None if it is not known any more.
    """

    field: str
    models: int
    example: str | None


@dataclass(frozen=True)
class Snapshot:
    """A row of the table `snapshots`. Times are UTC, without zone.

    `part_of`: others of its scope that have far more models, where it is known to lack some.
    `data_until`: the end of the day of its newest model, where its time is known to be too late.
    """

    id: int
    kind: str
    origin: str
    observed_from: datetime
    observed_to: datetime
    complete: bool | None
    since: datetime | None
    until: datetime | None
    author: str | None
    task: str | None
    model_limit: int | None
    sample: float | None
    sample_design: str | None
    sample_strata: list[datetime] | None
    models: int
    requests: int | None
    synthetic: str | None
    missing_columns: list[str]
    recorded_at: datetime
    base: int | None
    digest: str
    unreadable: tuple[Unreadable, ...]
    series_id: int
    position: int
    part_of: list[int] = field(compare=False)
    data_until: datetime | None = field(default=None, compare=False)

    @property
    def is_unfiltered(self) -> bool:
        """True unless its scope excludes models of its period."""
        return {self.author, self.task, self.model_limit, self.sample} == {None}

    @property
    def is_known_incomplete(self) -> bool:
        """True if it is known to lack models of its scope; an update has those of its base."""
        return self.complete is False and self.kind != "update"

    def has_scope_of(self, other: "Snapshot") -> bool:
        """Return whether both were to hold the same models."""
        return all(getattr(self, name) == getattr(other, name) for name in _SCOPE)

    @property
    def ends_at(self) -> datetime:
        """The time up to which its models were created."""
        return min(filter(None, (self.observed_to, self.until, self.data_until)))

    @property
    def covers_oldest_models(self) -> bool:
        """True if its scope includes the oldest models that the API dates."""
        return self.since is None or self.since <= CUTOFF_START.replace(tzinfo=None)

    def covers(self, since: datetime | None, until: datetime | None) -> bool:
        """Return whether its scope includes every model created in the period [since, until)."""
        return (self.since is None or (since is not None and self.since <= since)) and (
            self.until is None or (until is not None and until <= self.until)
        )

    def overlaps(self, since: datetime | None, until: datetime | None) -> bool:
        """Return whether its scope includes models created in a part of the period."""
        return (
            (self.since is None or until is None or self.since < until)
            and (self.until is None or since is None or since < self.until)
            and (since is None or since <= self.observed_to)
        )


def list_snapshots(store: Store) -> list[Snapshot]:
    """Return every snapshot, the oldest first."""
    cursor = store.execute(
        "SELECT *, ARRAY(SELECT part_of FROM snapshot_parts WHERE id = snapshots.id) AS part_of "
        "FROM snapshots ORDER BY observed_to, id"
    )
    names = [column[0] for column in cursor.description]
    rows = (dict(zip(names, values, strict=True)) for values in cursor.fetchall())
    return [
        Snapshot(**row | {"unreadable": tuple(Unreadable(**field) for field in row["unreadable"])})
        for row in rows
    ]


def require_snapshots(store: Store) -> list[Snapshot]:
    """Return every snapshot, the oldest first. Raises NotFoundError if there is none."""
    if snapshots := list_snapshots(store):
        return snapshots
    raise NotFoundError(explain_empty(store))


def explain_empty(store: Store) -> str:
    """Return why a database has no snapshot, and what to do."""
    if any(journal_dir(store.path).glob("*/crawl.json")):
        return (
            "The database is empty: its first crawl is not finished. Run the same `hfscan crawl` "
            "again to resume it (`hfscan doctor` shows it)."
        )
    return "The database is empty: run `hfscan crawl` or `hfscan import` first."


def mark_incomplete(store: Store, ids: Iterable[int], origin: str) -> None:
    """Record that of these snapshots those whose origin begins with `origin` lack models."""
    store.execute(
        "UPDATE snapshots SET complete = false "
        "WHERE list_contains($ids, id) AND starts_with(origin, $origin) AND complete",
        {"ids": list(ids), "origin": origin},
    )


def delete_command(db: Path, *ids: int) -> str:
    """Return the command that deletes these snapshots, for a message."""
    return shlex.join(["hfscan", "delete", *map(str, ids), "--db", str(db)])


def delete_snapshots(store: Store, *ids: int) -> list[Snapshot]:
    """Delete snapshots as if they had never been taken, all or none; return them.

    Raises NotFoundError if one does not exist, or if an update that is not deleted is based on it.
    """
    known = list_snapshots(store)
    if missing := sorted(set(ids) - {snapshot.id for snapshot in known}):
        raise NotFoundError(f"There is no snapshot {missing[0]}. {_describe_all(known)}")
    for snapshot in known:
        if snapshot.base in ids and snapshot.id not in ids:
            raise NotFoundError(
                f"Snapshot {snapshot.id} is an update that carries on from snapshot "
                f"{snapshot.base}. Delete both: "
                f"{delete_command(store.path, snapshot.base, snapshot.id)}"
            )
    deleted = [snapshot for snapshot in known if snapshot.id in ids]
    with store.transaction():
        for snapshot in deleted:
            history.remove_intervals(store, history.find_position(store, snapshot.id))
            store.execute("DELETE FROM snapshots WHERE id = ?", [snapshot.id])
    return deleted


def find_full_crawl(store: Store, origin: str) -> tuple[Snapshot, str]:
    """Return the newest snapshot with all models of the Hub `origin`, and its greatest `_id`.

    Raises NotFoundError if there is none.
    """
    for snapshot in reversed(list_snapshots(store)):
        is_full = snapshot.kind == "update" or (snapshot.kind == "crawl" and snapshot.complete)
        is_full = is_full and snapshot.is_unfiltered and snapshot.covers(None, None)
        if is_full and snapshot.origin == origin:
            (last,) = store.fetch_one(f"SELECT max(_id) FROM models_in({snapshot.id})")
            if last:
                return snapshot, last
    raise NotFoundError(
        f"There is no full crawl of {origin} to update. Take one first: hfscan crawl"
    )


def choose_snapshot(
    snapshots: Iterable[Snapshot],
    since: datetime | None,
    until: datetime | None,
    *,
    snapshot: int | None = None,
    as_of: datetime | None = None,
) -> Snapshot:
    """Return the snapshot that answers a question about models created in a period.

    The one with the id `snapshot`, if given; otherwise the newest (observed up to `as_of`, if
    given) that covers the period, or a part of it where none covers all of it. Unfiltered ones are
    preferred. Without a period: the newest with models of every age. One that is known to lack
    models is not chosen where another of its scope has far more.

    Raises NotFoundError, listing the snapshots, if there is none.
    """
    known = list(snapshots)
    has_period = since is not None or until is not None
    candidates = _candidates(known, snapshot, as_of)
    dated = [candidate for candidate in candidates if "created_at" not in candidate.missing_columns]
    if has_period:
        able = [candidate for candidate in dated if candidate.overlaps(since, until)]
    else:
        able = [candidate for candidate in candidates if candidate.covers(None, None)]
    if able:
        return max(
            able,
            key=lambda candidate: (
                candidate.is_unfiltered,
                candidate.covers(since, until),
                candidate.observed_to,
                candidate.id,
            ),
        )
    message: tuple[str | Wording, ...]
    if not has_period:
        message = ("No snapshot covers models of every age. Ask for a year.",)
    elif not dated:
        message = (
            "The snapshot has no creation dates, so it cannot answer for a year. Leave ",
            option("year"),
            " out, or choose another snapshot.",
        )
    else:
        first = f" from {since:%F}" if since else ""
        last = f" to {until - timedelta(days=1):%F}" if until else ""
        message = (f"No snapshot covers the requested period,{first}{last}.",)
    raise NotFoundError(*message, f" {_describe_all(known)}")


def latest_snapshot(
    snapshots: Iterable[Snapshot], *, snapshot: int | None = None, as_of: datetime | None = None
) -> Snapshot:
    """Return the snapshot with the id `snapshot`, or the newest, of any coverage.

    Those of models of every age, and then unfiltered ones, are preferred. Raises NotFoundError if
    there is none.
    """
    return max(
        _candidates(list(snapshots), snapshot, as_of),
        key=lambda candidate: (
            candidate.covers(None, None),
            candidate.is_unfiltered,
            candidate.observed_to,
            candidate.id,
        ),
    )


def choose_pair(
    snapshots: Iterable[Snapshot], earlier: int | None, later: int | None
) -> tuple[Snapshot, Snapshot]:
    """Return two snapshots to compare, in the order of their days: those with these ids.

    For None the newest, before or after the other. Those of every model are preferred, then those
    whose list of models is not known to be incomplete, and those of the same data, real or
    invented. A snapshot may be compared with itself, if both ids are given. Raises NotFoundError
    where there is no other, and InvalidRequestError where `earlier` comes after `later`.
    """
    known = sorted(snapshots, key=_order)
    first, last = (
        None if id_ is None else _candidates(known, id_, None)[0] for id_ in (earlier, later)
    )
    if first and last:
        if _order(first) > _order(last):
            raise InvalidRequestError(
                f"Snapshot {first.id} (earlier, {first.observed_to:%Y-%m-%d %H:%M}) is later than "
                f"snapshot {last.id} (later, {last.observed_to:%Y-%m-%d %H:%M}). Swap them."
            )
        return first, last
    given = first or last or max(known, key=_rank)
    place = known.index(given)
    span = known[place if first else 0 : place if last else None]
    other = _choose_other(span, given)
    if other is None:
        side = "after" if first else "before"
        raise NotFoundError(
            f"No snapshot was observed {side} snapshot {given.id}. {_describe_all(known)}"
        )
    return (other, given) if known.index(other) < place else (given, other)


def find_earlier(snapshots: Iterable[Snapshot], later: Snapshot) -> Snapshot | None:
    """Return the snapshot that `choose_pair` compares `later` with; None where there is none."""
    known = sorted(snapshots, key=_order)
    return _choose_other(known[: known.index(later)], later)


def _choose_other(snapshots: Iterable[Snapshot], given: Snapshot) -> Snapshot | None:
    """Return the one of `snapshots` to compare `given` with; None without another."""
    others = [snapshot for snapshot in snapshots if snapshot is not given]
    return max(
        others,
        key=lambda other: (other.synthetic == given.synthetic, *_rank(other)),
        default=None,
    )


def _order(snapshot: Snapshot) -> tuple[datetime, int]:
    """Return what orders snapshots by time; of one time, the one stored last is the latest."""
    return snapshot.observed_to, snapshot.id


def _rank(snapshot: Snapshot) -> tuple[object, ...]:
    """Return what orders snapshots by how well they serve a comparison."""
    return (
        snapshot.covers(None, None),
        snapshot.is_unfiltered,
        not snapshot.is_known_incomplete,
        "tags" not in snapshot.missing_columns,
        snapshot.observed_to,
        snapshot.id,
    )


def _candidates(
    known: list[Snapshot], snapshot: int | None, as_of: datetime | None
) -> list[Snapshot]:
    """Return the snapshot with an id, or those observed up to `as_of` that are no small part.

    Raises NotFoundError if there is none.
    """
    if snapshot is not None:
        candidates = [candidate for candidate in known if candidate.id == snapshot]
        message = f"There is no snapshot {snapshot}."
    else:
        candidates = [found for found in known if as_of is None or found.observed_to <= as_of]
        ids = {found.id for found in candidates}
        candidates = [found for found in candidates if ids.isdisjoint(found.part_of)]
        message = f"No snapshot was observed by {as_of:%Y-%m-%d}." if known and as_of else ""
    if not candidates:
        raise NotFoundError(f"{message} {_describe_all(known)}".strip())
    return candidates


def _describe_all(snapshots: Sequence[Snapshot]) -> str:
    if not snapshots:
        return "The database is empty."
    return f"Snapshots: {'; '.join(map(_describe, snapshots))}."


def _describe(snapshot: Snapshot) -> str:
    period = ""
    if snapshot.since or snapshot.until:
        period = f", created {snapshot.since or '...'} to {snapshot.until or '...'}"
    return (
        f"{snapshot.id} ({snapshot.kind} observed {snapshot.observed_to:%Y-%m-%d}, "
        f"{format_count(snapshot.models, 'model')}{period})"
    )
