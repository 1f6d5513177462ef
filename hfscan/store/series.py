"""Where a snapshot stands: its series, and its place between those before and after it.

Sources that set out to see the same, and could say the same, are a series. Places follow the time
of snapshot, so that it does not matter in which order snapshots come in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import duckdb

_SAME = """
    since IS NOT DISTINCT FROM $since AND until IS NOT DISTINCT FROM $until
    AND author IS NOT DISTINCT FROM $author AND task IS NOT DISTINCT FROM $task
    AND model_limit IS NOT DISTINCT FROM $model_limit AND sample IS NOT DISTINCT FROM $sample
    AND sample_design IS NOT DISTINCT FROM $sample_design
    AND synthetic IS NOT DISTINCT FROM $synthetic AND missing_columns = $missing_columns
"""


@dataclass(frozen=True)
class SeriesPosition:
    """A place in a series; `before` and `after` are the nearest places that others have.

    `before` is 0 for the first, `after` None for the last.
    """

    series_id: int
    previous: int
    position: int
    next: int | None


def find_position(connection: duckdb.DuckDBPyConnection, snapshot: int) -> SeriesPosition:
    """Return where a snapshot stands."""
    row = connection.execute(
        """
        SELECT
            this.series_id,
            coalesce(max(other.position) FILTER (other.position < this.position), 0),
            this.position, min(other.position) FILTER (other.position > this.position)
        FROM snapshots AS this JOIN snapshots AS other USING (series_id)
        WHERE this.id = ? GROUP BY ALL
        """,
        [snapshot],
    ).fetchone()
    assert row is not None
    return SeriesPosition(*row)


def allocate_position(
    connection: duckdb.DuckDBPyConnection, scope: Mapping[str, object], observed_to: datetime
) -> SeriesPosition:
    """Return where a new snapshot stands: after all of its series observed no later than it.

    `scope` holds the columns of `snapshots` that make a series. Later snapshots make room.
    """
    found = connection.execute(
        f"""
        SELECT
            any_value(series_id), coalesce(max(position) FILTER (observed_to <= $observed_to), 0),
            min(position) FILTER (observed_to > $observed_to)
        FROM snapshots WHERE {_SAME}
        """,
        {**scope, "observed_to": observed_to},
    ).fetchone()
    assert found is not None
    series_id, previous, next_ = found
    if series_id is None:
        row = connection.execute("SELECT coalesce(max(series_id), 0) + 1 FROM snapshots").fetchone()
        assert row is not None
        return SeriesPosition(row[0], 0, 1, None)
    position = previous + 1
    if next_ == position:
        _shift_positions(connection, series_id, position)
        next_ += 1
    return SeriesPosition(series_id, previous, position, next_)


def _shift_positions(connection: duckdb.DuckDBPyConnection, series_id: int, position: int) -> None:
    columns = {
        "snapshots": ("position",),
        "versions": ("valid_from", "valid_to"),
        "current_counts": ("valid_from",),
        "counts_history": ("valid_from", "valid_to"),
    }
    for table, names in columns.items():
        for name in names:
            connection.execute(
                f"UPDATE {table} SET {name} = {name} + 1 WHERE series_id = ? AND {name} >= ?",
                [series_id, position],
            )
