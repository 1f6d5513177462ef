"""Snapshots: what was seen of the Hub, when, and which one answers a question."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from hfscan.errors import NotFoundError
from hfscan.objectid import CUTOFF_START
from hfscan.paths import journal_dir
from hfscan.scope import Scope
from hfscan.store import history, series
from hfscan.store.database import database_path
from hfscan.store.transaction import transaction


@dataclass(frozen=True)
class NewSnapshot:
    """What a crawl or an import says of itself. Times are UTC."""

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
    base: int | None = None
    """kind 'update': the snapshot that holds all other models"""


@dataclass(frozen=True)
class Unreadable:
    """A column of `models_in(id)` that could not be read of some models, and one such value.

    `example` is text from outside, at most 80 characters; None where it is not known any more.
    """

    field: str
    models: int
    example: str | None


@dataclass(frozen=True)
class Snapshot:
    """An snapshot that the database holds: a row of `snapshots`. Times are UTC, without zone."""

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

    @property
    def whole(self) -> bool:
        """True unless its own scope left models of its period out."""
        return all(one is None for one in (self.author, self.task, self.model_limit, self.sample))

    def covers(self, since: datetime | None, until: datetime | None) -> bool:
        """Return whether every model created in the (half-open, UTC) period was in its scope."""
        return (self.since is None or (since is not None and self.since <= since)) and (
            self.until is None or (until is not None and until <= self.until)
        )

    def overlaps(self, since: datetime | None, until: datetime | None) -> bool:
        """Return whether models created in a part of the period, at least, were in its scope."""
        return (
            (self.since is None or until is None or self.since < until)
            and (self.until is None or since is None or since < self.until)
            and (since is None or since <= self.observed_to)
        )

    @property
    def from_beginning(self) -> bool:
        """True when its scope reaches back to the oldest model that the API dates."""
        return self.since is None or self.since <= CUTOFF_START.replace(tzinfo=None)


def listed(connection: duckdb.DuckDBPyConnection) -> list[Snapshot]:
    """Return every snapshot, oldest snapshot first."""
    cursor = connection.execute("SELECT * FROM snapshots ORDER BY observed_to, id")
    names = [column[0] for column in cursor.description]
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    return [_source(dict(zip(names, row, strict=True))) for row in rows]


def _source(row: dict[str, Any]) -> Snapshot:
    unreadable = tuple(Unreadable(**one) for one in row["unreadable"])
    return Snapshot(**row | {"unreadable": unreadable})


def require(connection: duckdb.DuckDBPyConnection) -> list[Snapshot]:
    """Return every snapshot, oldest snapshot first. Raises NotFoundError where there is none."""
    if found := listed(connection):
        return found
    raise NotFoundError(explain_empty(connection))


def explain_empty(connection: duckdb.DuckDBPyConnection) -> str:
    """Return why a database holds no snapshot, and what to do."""
    path = database_path(connection)
    if path and any(journal_dir(Path(path)).glob("*/crawl.json")):
        return (
            "The database is empty: its first crawl is not finished. Run the same `hfscan crawl` "
            "again, it goes on where it stood (`hfscan doctor` shows it)."
        )
    return "The database is empty: run `hfscan crawl` or `hfscan import` first."


def forget(connection: duckdb.DuckDBPyConnection, ids: Sequence[int]) -> list[Snapshot]:
    """Remove snapshots, as if they had never been observed, all or none; return them.

    Raises NotFoundError when there is no such snapshot, or an update that stays builds on one.
    """
    known = listed(connection)
    if strange := sorted(set(ids) - {one.id for one in known}):
        raise NotFoundError(f"There is no snapshot {strange[0]}. {_there_are(known)}")
    for one in known:
        if one.base in ids and one.id not in ids:
            raise NotFoundError(
                f"Snapshot {one.id} is an update that carries on from snapshot {one.base}. "
                f"Forget both: hfscan delete {one.base} {one.id}"
            )
    gone = [one for one in known if one.id in ids]
    with transaction(connection):
        for one in gone:
            history.remove(connection, series.find_position(connection, one.id))
            connection.execute("DELETE FROM snapshots WHERE id = ?", [one.id])
    return gone


def to_update(connection: duckdb.DuckDBPyConnection, origin: str) -> tuple[Snapshot, str]:
    """Return the newest snapshot that holds all models of the Hub `origin`, and its last `_id`.

    Raises NotFoundError when there is none.
    """
    for one in reversed(listed(connection)):
        known = one.kind == "update" or (one.kind == "crawl" and one.complete)
        if known and one.origin == origin and one.whole and one.since is one.until is None:
            last = connection.execute(f"SELECT max(_id) FROM models_in({one.id})").fetchone()
            if last and last[0]:
                return one, last[0]
    raise NotFoundError(
        f"There is no full crawl of {origin} to update. Take one first: hfscan crawl"
    )


def choose(
    snapshots: Iterable[Snapshot],
    since: datetime | None,
    until: datetime | None,
    *,
    snapshot: int | None = None,
    as_of: datetime | None = None,
) -> Snapshot:
    """Return the snapshot that answers for the models created in the period.

    `snapshot` names one; otherwise the newest that covers the period, or a part of it where none
    covers all (observed up to `as_of` when given), a whole one before one that its scope narrowed.
    Without a period: one of models of every age.

    Raises NotFoundError when none can, saying what there is.
    """
    known = list(snapshots)
    period = since is not None or until is not None
    candidates = _candidates(known, snapshot, as_of)
    able = [
        one
        for one in candidates
        if (one.overlaps(since, until) if period else one.covers(None, None))
        and not (period and "created_at" in one.missing_columns)
    ]
    if not able:
        if period and any("created_at" in one.missing_columns for one in candidates):
            raise NotFoundError(
                "The snapshot has no creation dates, so it cannot answer for a year. Leave --year "
                f"out, or choose another snapshot. {_there_are(known)}"
            )
        if not period:
            raise NotFoundError(
                f"No snapshot covers models of every age. Ask for a year. {_there_are(known)}"
            )
        raise NotFoundError(f"No snapshot covers {_days(since, until)}. {_there_are(known)}")
    return max(able, key=lambda one: (one.whole, one.covers(since, until), one.observed_to, one.id))


def latest(
    snapshots: Iterable[Snapshot], *, snapshot: int | None = None, as_of: datetime | None = None
) -> Snapshot:
    """Return the snapshot to look into, whatever it covers: `snapshot`, or the newest.

    One of all models before one that its scope narrowed. Raises NotFoundError when there is none.
    """
    return max(
        _candidates(list(snapshots), snapshot, as_of),
        key=lambda one: (one.covers(None, None), one.whole, one.observed_to, one.id),
    )


def _candidates(
    known: list[Snapshot], snapshot: int | None, as_of: datetime | None
) -> list[Snapshot]:
    """Return the snapshot named or those observed up to `as_of`. Raises NotFoundError for none."""
    if snapshot is not None:
        found = [one for one in known if one.id == snapshot]
        missing = f"There is no snapshot {snapshot}."
    else:
        found = [one for one in known if as_of is None or one.observed_to <= as_of]
        missing = f"No snapshot was observed by {as_of:%Y-%m-%d}." if known and as_of else ""
    if not found:
        raise NotFoundError(f"{missing} {_there_are(known)}".strip())
    return found


def _days(since: datetime | None, until: datetime | None) -> str:
    first = f" from {since:%F}" if since else ""
    last = f" to {until - timedelta(days=1):%F}" if until else ""
    return f"the period asked for,{first}{last}"


def _there_are(snapshots: list[Snapshot]) -> str:
    if not snapshots:
        return "The database is empty."
    return f"Snapshots: {'; '.join(map(_told, snapshots))}."


def _told(one: Snapshot) -> str:
    period = f", created {one.since or '...'} to {one.until or '...'}"
    return (
        f"{one.id} ({one.kind} observed {one.observed_to:%Y-%m-%d}, {one.models:,} models"
        f"{period if one.since or one.until else ''})"
    )
