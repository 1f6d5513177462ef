"""Insert a snapshot into its series, or remove it, and repair the neighbouring intervals.

Snapshots of the same scope with the same columns form a series. Their positions follow the time of
observation. Both operations work at any position, so the history of a series depends on its
snapshots, not on the order in which they were added. The SQL is in sql/history.sql.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from hfscan.frameworks import MASKS, masks_sql
from hfscan.store.database import Store
from hfscan.store.schema import load_statements

COUNTS = ("downloads", "downloads_all_time", "likes")
"""Columns of `current_counts` and `counts_history`: what changes daily."""

INTERVAL = ("series_id", "model", "valid_from", "valid_to")
PACKED = "ceil(log2(1.0 + coalesce(downloads, 0)::DOUBLE)), model"
"""An order in which counts compress well: integers take as many bits as the largest nearby."""
_BATCH_ROWS = 60_000  # rows classified at once, as many as a file of `Staging` holds
_FOREVER = 2147483647  # represents no end


@dataclass(frozen=True)
class SeriesPosition:
    """A position in a series, with the nearest ones that have a snapshot.

    `previous` is 0 for the first, `next` None for the last.
    """

    series_id: int
    previous: int
    number: int
    next: int | None


class _Statements:
    """The statements of sql/history.sql, with the parameters of one position."""

    def __init__(self, store: Store, parameters: Mapping[str, object], **texts: str) -> None:
        self._store = store
        self._parameters = parameters
        self._texts = {"packed": PACKED} | texts

    def run(self, *names: str, **texts: object) -> Any:
        """Run statements in turn; return the rows of the last one."""
        cursor = None
        for name in names:
            sql = load_statements("history")[name]
            used = {key: self._parameters[key] for key in re.findall(r"\$(\w+)", sql)}
            cursor = self._store.execute(sql.format(**self._texts, **texts), used)
        return cursor and cursor.fetchall()


def find_position(store: Store, snapshot: int) -> SeriesPosition:
    (row,) = _Statements(store, {"snapshot": snapshot}).run("find_position")
    return SeriesPosition(*row)


def allocate_position(
    store: Store, scope: Mapping[str, object], observed_to: datetime
) -> SeriesPosition:
    """Return the position of a new snapshot: after all of its series observed no later.

    `scope` has the columns of `snapshots` that define a series. Later snapshots are shifted where
    no position is free.
    """
    parameters = {**scope, "observed_to": observed_to}
    ((series_id, previous, next_),) = _Statements(store, parameters).run("find_neighbours")
    if series_id is None:
        (series_id,) = store.fetch_one("SELECT coalesce(max(series_id), 0) + 1 FROM snapshots")
        return SeriesPosition(series_id, 0, 1, None)
    number = previous + 1
    if next_ == number:
        _shift_positions(store, series_id, number)
        next_ += 1
    return SeriesPosition(series_id, previous, number, next_)


def _shift_positions(store: Store, series_id: int, first: int) -> None:
    columns = {
        "snapshots": ("position",),
        "versions": ("valid_from", "valid_to"),
        "current_counts": ("valid_from",),
        "counts_history": ("valid_from", "valid_to"),
    }
    for table, names in columns.items():
        for name in names:
            store.execute(
                f"UPDATE {table} SET {name} = {name} + 1 WHERE series_id = ? AND {name} >= ?",
                [series_id, first],
            )


def hash_state(store: Store) -> str:
    """Return SQL for a hash of the columns of a version that make its state."""
    # with lengths: hash() does not tell an empty list from NULL, nor [a], [b, c] from [a, b], [c]
    columns = (
        f"{name}, len({name})" if kind.endswith("[]") else name
        for name, kind in store.columns("versions").items()
        if name not in (*INTERVAL, *MASKS, "at_cutoff")
    )
    return f"hash({', '.join(columns)})"


def find_touched_models(store: Store, position: SeriesPosition, base: int) -> bool:
    """Create the table `touched`: the models of an update of which intervals may change.

    All others have the same version and counts in its base, the snapshot `base`, and at the
    previous position: these go on. Return False where the base is of another series.
    """
    before = find_position(store, base)
    if before.series_id != position.series_id or before.number > position.previous:
        return False
    _prepare_statements(store, position, base=before.number).run("find_touched_models")
    return True


def insert_intervals(store: Store, position: SeriesPosition, *, only_touched: bool = False) -> None:
    """Insert the intervals of a snapshot that has the models of `staged` (see `Staging`).

    `only_touched`: of the models of the series, only those of the table `touched` may change.
    """
    statements = _prepare_statements(store, position)
    is_touched = "model IN (FROM touched)" if only_touched else "true"
    if (position.previous, position.next) == (0, None):
        statements.run("number_first_models")
    else:
        statements.run("match_models", is_touched=is_touched)
        statements.run("number_models")
    _insert_versions(store, statements, position)
    statements.run("find_changed_counts", is_touched=is_touched)
    _rebuild_count_intervals(
        store, position, until=position.number, with_history=bool(position.next)
    )
    store.execute("DROP TABLE seen")


def remove_intervals(store: Store, position: SeriesPosition) -> None:
    """Remove the snapshot at a position from the intervals, as if it had never been there."""
    statements = _prepare_statements(store, position)
    statements.run("delete_versions")
    if position.next is None:
        statements.run("extend_versions")
    else:
        statements.run("delay_versions", "extend_versions")
        # states that only the removed snapshot separated
        statements.run("find_joined_versions", "join_versions", "delete_joined_versions")
        store.execute("DROP TABLE joined")
    statements.run("find_removed_counts")
    counts = ", ".join(f"NULL::BIGINT AS {name}" for name in COUNTS)
    store.execute(f"CREATE TEMP TABLE seen AS SELECT 0 AS model, {counts} WHERE false")
    _rebuild_count_intervals(store, position, until=position.next or _FOREVER, with_history=True)
    store.execute("DROP TABLE seen")


def _prepare_statements(
    store: Store, position: SeriesPosition, **parameters: object
) -> _Statements:
    parameters |= asdict(position) | {"position": position.number, "rows": _BATCH_ROWS}
    return _Statements(store, parameters, state=hash_state(store))


def _insert_versions(store: Store, statements: _Statements, position: SeriesPosition) -> None:
    statements.run("find_new_versions", "forget_gone_models")
    if position.next is not None:
        statements.run("split_old_versions")
    statements.run("end_old_versions")
    if position.next is not None:  # where the next snapshot has the same state, that begins earlier
        statements.run("find_reused_versions", "extend_reused_versions", "skip_reused_versions")
        store.execute("DROP TABLE reused")
    columns = [name for name in store.columns("versions") if name not in (*INTERVAL, *MASKS)]
    for first, last, low, high in statements.run("list_batches"):
        kind = "VIEW" if first == last else "TABLE"  # rows of several files are read only once
        statements.run("create_batch", kind=kind, first=first, last=last, low=low, high=high)
        masks = masks_sql("batch", has_files=bool(store.list_filled_columns("batch", ["files"])))
        statements.run("insert_batch", columns=", ".join(columns), masks=masks)
        store.execute(f"DROP {kind} batch")
    store.execute("DROP TABLE new_versions")


def _rebuild_count_intervals(
    store: Store, position: SeriesPosition, *, until: int, with_history: bool
) -> None:
    """Rebuild the intervals of the `changed_models` around a position, with the counts of `seen`.

    What was valid before the position ends at `until`. `with_history`: some intervals may be in
    `counts_history`.
    """
    statements = _prepare_statements(store, position, until=until, with_history=with_history)
    statements.run("find_overlapping_counts", "delete_overlapping_current_counts")
    if with_history:
        statements.run("delete_overlapping_counts_history")
    statements.run("cut_intervals")
    if position.next is None:  # what changed differs from before, and nothing comes after
        store.execute("ALTER TABLE pieces RENAME TO intervals")
    else:
        statements.run("merge_intervals")
    statements.run("insert_current_counts", "insert_counts_history")
    store.execute("DROP TABLE IF EXISTS pieces; DROP TABLE intervals")
    store.execute("DROP TABLE overlapping; DROP TABLE changed_models")
