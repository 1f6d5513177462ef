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
class Tick:
    """A place in a series; `before` and `after` are the nearest places that others have.

    `before` is 0 for the first, `after` None for the last.
    """

    series: int
    before: int
    place: int
    after: int | None


def find(connection: duckdb.DuckDBPyConnection, snapshot: int) -> Tick:
    """Return where a snapshot stands."""
    row = connection.execute(
        """
        SELECT
            one.series, coalesce(max(other.place) FILTER (other.place < one.place), 0),
            one.place, min(other.place) FILTER (other.place > one.place)
        FROM snapshots AS one JOIN snapshots AS other USING (series)
        WHERE one.id = ? GROUP BY ALL
        """,
        [snapshot],
    ).fetchone()
    assert row is not None
    return Tick(*row)


def enter(
    connection: duckdb.DuckDBPyConnection, scope: Mapping[str, object], observed_to: datetime
) -> Tick:
    """Return where a new snapshot stands: after all of its series observed no later than it.

    `scope` holds the columns of `snapshots` that make a series. Later snapshots make room.
    """
    found = connection.execute(
        f"""
        SELECT
            any_value(series), coalesce(max(place) FILTER (observed_to <= $observed_to), 0),
            min(place) FILTER (observed_to > $observed_to)
        FROM snapshots WHERE {_SAME}
        """,
        {**scope, "observed_to": observed_to},
    ).fetchone()
    assert found is not None
    series, before, after = found
    if series is None:
        row = connection.execute("SELECT coalesce(max(series), 0) + 1 FROM snapshots").fetchone()
        assert row is not None
        return Tick(row[0], 0, 1, None)
    place = before + 1
    if after == place:
        _make_room(connection, series, place)
        after += 1
    return Tick(series, before, place, after)


def _make_room(connection: duckdb.DuckDBPyConnection, series: int, place: int) -> None:
    columns = {
        "snapshots": ("place",),
        "versions": ("valid_from", "valid_to"),
        "counts": ("valid_from",),
        "counts_history": ("valid_from", "valid_to"),
    }
    for table, names in columns.items():
        for name in names:
            connection.execute(
                f"UPDATE {table} SET {name} = {name} + 1 WHERE series = ? AND {name} >= ?",
                [series, place],
            )
