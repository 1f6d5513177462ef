"""The store: a DuckDB file of snapshots. See schema.sql for what it holds."""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import duckdb

from hfscan.fs import hold_lock
from hfscan.paths import follow_link
from hfscan.store import dates, deltas, dump, masks, snapshots
from hfscan.store import ingest as _ingest
from hfscan.store.compact import compact
from hfscan.store.create import Macro, macros
from hfscan.store.database import check_regular, connect
from hfscan.store.dates import CreationDate, ImportedDates
from hfscan.store.faults import explain
from hfscan.store.ingest import Ingested
from hfscan.store.snapshots import NewSnapshot, Snapshot, Unreadable

__all__ = [
    "CreationDate",
    "ImportedDates",
    "Ingested",
    "Macro",
    "NewSnapshot",
    "Snapshot",
    "Store",
    "Unreadable",
    "macros",
]

_ROWS = (
    "SELECT sum(estimated_size) FROM duckdb_tables() WHERE NOT temporary "
    "AND table_name NOT IN ('metadata', 'frameworks')"
)
"""How many rows there are of anything observed."""


class Store:
    """An open database. Use as a context manager; `Store.open` raises DatabaseError."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: Path,
        *,
        made: bool = False,
        lock: contextlib.ExitStack | None = None,
    ) -> None:
        self.connection = connection
        self.path = path
        self._made = made  # it was not there before
        self._lock = lock or contextlib.ExitStack()

    @classmethod
    def open(cls, path: Path, *, write: bool = False) -> "Store":
        """Open the database at `path`; with `write` create it where it is missing.

        One that was created, and that an error left empty, is removed. Only one process writes at
        a time: another one waits, and logs so.
        """
        path = follow_link(path)
        check_regular(path)
        with contextlib.ExitStack() as lock:
            if write:
                lock.enter_context(hold_lock(path, "name a database elsewhere with --db"))
            made = not path.exists()
            return cls(connect(path, write=write), path, made=made, lock=lock.pop_all())

    def ingest(
        self,
        pages: Sequence[Path],
        snapshot: NewSnapshot,
        accept: Callable[[int], None] | None = None,
    ) -> Ingested:
        """Read a crawl's pages, or the files and folders of a dump, in as one snapshot.

        `accept` is given the id of the new snapshot before it is kept; when it raises, nothing is.
        """
        return _ingest.ingest(self.connection, dump.find(pages), snapshot, accept)

    def forget(self, *ids: int) -> list[Snapshot]:
        """Remove snapshots, as if they had never been observed, all or none; return them.

        Raises NotFoundError when there is no such snapshot, or an update that stays builds on one.
        """
        return snapshots.forget(self.connection, ids)

    def verify(self) -> None:
        """Read all that the database holds, so that leaving the `with` block reports damage."""
        tables = self.connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE NOT temporary"
        ).fetchall()
        for (table,) in tables:
            self.connection.execute(f"SELECT max(hash(seen)) FROM {table} AS seen").fetchall()

    def compact(self) -> tuple[int, int] | None:
        """Close the database, and give space that it no longer uses back to the disk.

        Return the sizes (bytes) before and after, None where there is little to give back. Raises
        StorageError where the disk has no room for the smaller file beside the other.
        """
        return compact(self.connection, self.path)

    def to_update(self, origin: str) -> tuple[Snapshot, str]:
        """Return the newest snapshot that holds all models of the Hub `origin`, and its last `_id`.

        Raises NotFoundError when there is none.
        """
        return snapshots.to_update(self.connection, origin)

    @property
    def outdated(self) -> bool:
        """True when its masks were made with another release's taxonomy; opened to write, never."""
        return not masks.current(self.connection)

    def snapshots(self) -> list[Snapshot]:
        """Return every snapshot, oldest first."""
        return snapshots.listed(self.connection)

    def require_sources(self) -> list[Snapshot]:
        """Return every snapshot, oldest first. Raises NotFoundError where there is none."""
        return snapshots.require(self.connection)

    def explain_empty(self) -> str:
        """Return why it holds no snapshot, and what to do."""
        return snapshots.explain_empty(self.connection)

    def cutoff_to_date(self, limit: int | None = None) -> list[str]:
        """Return repo ids of cutoff models to ask the Hub the first commit of; see `dates`."""
        return dates.to_ask_for(self.connection, limit)

    def record_dates(self, found: Iterable[CreationDate], *, kind: str, origin: str) -> None:
        """Keep true creation dates: `kind` is 'first commit' or 'import'; all or none."""
        dates.record(self.connection, found, kind=kind, origin=origin)

    def import_dates(self, file: Path) -> ImportedDates:
        """Keep the true creation dates of a file; see `dates.bring`. Raises ImportFileError."""
        return dates.bring(self.connection, file)

    def save_history(self, folder: Path) -> None:
        """Bring the files of the history in `folder` to today: see `deltas`."""
        deltas.write(self.connection, folder)

    def holds(self, snapshots: Path) -> bool:
        """Return whether it holds every snapshot of the `snapshots.parquet` of a saved history."""
        return deltas.holds(self.connection, snapshots)

    @classmethod
    def restore(cls, path: Path, folder: Path) -> None:
        """Make the database `path` anew, from the history in `folder`, all or nothing.

        Raises ImportFileError where that is not whole.
        """
        unfinished = path.with_name(path.name + ".restored")
        unfinished.unlink(missing_ok=True)
        try:
            with cls.open(unfinished, write=True) as store:
                deltas.read(store.connection, folder)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def seal(self) -> None:
        """Let SQL of this connection reach neither files nor network, for good."""
        self.connection.execute("SET enable_external_access = false")
        self.connection.execute("SET lock_configuration = true")

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        is_unused = self._made and error is not None and self._is_empty()
        self.connection.close()
        if is_unused:
            self.path.unlink(missing_ok=True)
        self.close()
        if isinstance(error, duckdb.Error) and not isinstance(error, duckdb.InterruptException):
            raise explain(error, self.path) from error

    def close(self) -> None:
        """Close the connection, and let other processes write."""
        self.connection.close()
        self._lock.close()

    def _is_empty(self) -> bool:
        with contextlib.suppress(duckdb.Error):
            row = self.connection.execute(_ROWS).fetchone()
            return row == (0,)
        return False
