"""History: a snapshot enters its series, or leaves it, and the spans on either side fit again.

Both work on any place, so that the history of a series depends on its snapshots alone, not on the
order in which they came in. What a model was at a place is the span that covers it.
"""

import duckdb

from hfscan.frameworks import masks_sql
from hfscan.store.series import SeriesPosition

COUNTS = ("downloads", "downloads_all_time", "likes")
"""Columns of `current_counts`: what changes daily."""

MASKS = ("tag_mask", "weights_mask", "loadable_mask")
_SPAN = ("series_id", "model", "valid_from", "valid_to")
PACKED = "ceil(log2(1.0 + coalesce(downloads, 0)::DOUBLE)), model"
"""An order in which counts pack well: integers take as many bits as the largest nearby."""
_BATCH = 100_000  # rows that are classified at once; what that takes is held in memory
_FOREVER = 2147483647  # stands for no end where spans are compared


_MERGED = f"""
    WITH marked AS (
        SELECT *, lag(valid_to) OVER earlier IS NOT DISTINCT FROM valid_from
            AND {" AND ".join(f"lag({x}) OVER earlier IS NOT DISTINCT FROM {x}" for x in COUNTS)}
            AS goes_on
        FROM pieces WINDOW earlier AS (PARTITION BY model ORDER BY valid_from)
    ),
    runs AS (
        SELECT *, count(*) FILTER (NOT goes_on) OVER (PARTITION BY model ORDER BY valid_from) AS run
        FROM marked
    )
    SELECT model, min(valid_from) AS valid_from, max(valid_to) AS valid_to, {", ".join(COUNTS)}
    FROM runs GROUP BY model, run, {", ".join(COUNTS)}
"""


def insert(connection: duckdb.DuckDBPyConnection, place: SeriesPosition) -> None:
    """Let a snapshot that saw the models of the view `staged` (staging.py) take its place."""
    content = _content(connection)
    logged = place.next is not None  # at the end of a series, all that matters is current
    _number(connection, place, content)
    _insert_versions(connection, place, content)
    connection.execute(
        f"""
        CREATE TEMP TABLE touched AS SELECT model FROM seen
        FULL JOIN (
            FROM ({_counts(logged)}) WHERE series_id = {place.series_id}
                AND {_covers(place.previous)}
        ) AS old USING (model)
        WHERE seen.model IS NULL OR old.model IS NULL OR {_differ("seen", "old")}
        """
    )
    new = f"SELECT model, {', '.join(COUNTS)} FROM seen JOIN touched USING (model)"
    _respan_counts(connection, place, place.position, new, logged)
    connection.execute("DROP TABLE seen")


def remove(connection: duckdb.DuckDBPyConnection, place: SeriesPosition) -> None:
    """Let the snapshot at a place leave: as if it had never been there."""
    _remove_versions(connection, place)
    connection.execute(
        f"""
        CREATE TEMP TABLE touched AS
        SELECT DISTINCT model FROM ({_counts(logged=True)})
        WHERE series_id = {place.series_id} AND {place.position} IN (valid_from, valid_to)
        """
    )
    nothing = f"SELECT 0 AS model, {', '.join(f'NULL AS {name}' for name in COUNTS)} WHERE false"
    _respan_counts(connection, place, place.next or _FOREVER, nothing, logged=True)


def _content(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the columns of `versions` that make a state, as arguments of hash().

    Lists as text: hash() takes an empty list for NULL, and two lists for their exchange.
    """
    described = connection.execute("DESCRIBE versions").fetchall()
    kept = [(row[0], row[1]) for row in described if row[0] not in (*_SPAN, *MASKS, "at_cutoff")]
    return ", ".join(f"{name}::VARCHAR" if kind.endswith("[]") else name for name, kind in kept)


def _number(connection: duckdb.DuckDBPyConnection, place: SeriesPosition, content: str) -> None:
    """Make `seen`: what was staged, with the model's number in the series and its state."""
    connection.execute(
        f"""
        CREATE TEMP TABLE seen AS
        WITH known AS (
            SELECT DISTINCT key, model FROM versions WHERE series_id = {place.series_id}
        ),
        read AS (SELECT row, key, hash({content}) AS state, {", ".join(COUNTS)} FROM staged),
        keyed AS (FROM read LEFT JOIN known USING (key))
        SELECT * EXCLUDE (key) FROM keyed WHERE model IS NOT NULL
        UNION ALL
        SELECT * EXCLUDE (key) REPLACE (((SELECT coalesce(max(model), 0) FROM known)
            + row_number() OVER ())::INTEGER AS model)
        FROM keyed WHERE model IS NULL
        """
    )


def _insert_versions(
    connection: duckdb.DuckDBPyConnection, place: SeriesPosition, content: str
) -> None:
    connection.execute(
        f"""
        CREATE TEMP TABLE fresh AS
        WITH old AS (
            SELECT rowid AS version, model, hash({content}) AS state
            FROM versions WHERE series_id = {place.series_id}
                AND {_covers(place.previous)}
        )
        SELECT seen.row, version, model, seen.state
        FROM seen FULL JOIN old USING (model)
        WHERE seen.state IS DISTINCT FROM old.state
        """
    )
    cut = "rowid IN (SELECT version FROM fresh)"
    if place.next is not None:
        connection.execute(
            f"INSERT INTO versions SELECT * REPLACE ({place.next} AS valid_from) FROM versions "
            f"WHERE {cut} AND coalesce(valid_to > {place.next}, true)"
        )
    connection.execute(f"UPDATE versions SET valid_to = {place.position} WHERE {cut}")
    if place.next is not None:  # what the next snapshot saw, this one saw before it
        connection.execute(
            f"""
            CREATE TEMP TABLE adopted AS
            WITH new AS (
                SELECT rowid AS version, model, hash({content}) AS state
                FROM versions WHERE series_id = {place.series_id} AND valid_from = {place.next}
            )
            SELECT new.version, model FROM fresh JOIN new USING (model, state)
            """
        )
        connection.execute(
            f"UPDATE versions SET valid_from = {place.position} "
            "WHERE rowid IN (SELECT version FROM adopted)"
        )
        connection.execute("DELETE FROM fresh WHERE model IN (SELECT model FROM adopted)")
        connection.execute("DROP TABLE adopted")
    end = "NULL" if place.next is None else place.next
    columns = [row[0] for row in connection.execute("DESCRIBE versions").fetchall()]
    kept = [name for name in columns if name not in (*_SPAN, *MASKS)]
    batches = connection.execute(
        f"""
        SELECT min(part), max(part), min(low), max(high) FROM (
            SELECT part, min(row) AS low, max(row) AS high,
                (sum(count(*)) OVER (ORDER BY part) - 1) // {_BATCH} AS batch
            FROM staged JOIN fresh USING (row) GROUP BY part
        ) GROUP BY batch
        """
    )
    for first, last, low, high in batches.fetchall():
        kind = "VIEW" if first == last else "TABLE"  # what lies in many files is read once
        connection.execute(
            f"CREATE TEMP {kind} batch AS SELECT * RENAME (row AS rowid) "
            "FROM staged JOIN (SELECT row, model FROM fresh) USING (row) "
            f"WHERE part BETWEEN {first} AND {last} AND row BETWEEN {low} AND {high}"
        )
        connection.execute(
            f"""
            INSERT INTO versions BY NAME
            SELECT {place.series_id} AS series_id, model, {place.position} AS valid_from,
                {end} AS valid_to,
                {", ".join(kept)}, {", ".join(MASKS)}
            FROM batch JOIN ({masks_sql("batch")}) AS masks ON masks.row = batch.rowid
            """
        )
        connection.execute(f"DROP {kind} batch")
    connection.execute("DROP TABLE fresh")


def _remove_versions(connection: duckdb.DuckDBPyConnection, place: SeriesPosition) -> None:
    start, end = place.position, "NULL" if place.next is None else place.next
    mine = f"series_id = {place.series_id}"
    content = _content(connection)
    connection.execute(
        f"DELETE FROM versions WHERE {mine} AND valid_from = {start} "
        f"AND valid_to IS NOT DISTINCT FROM {end}"
    )
    if place.next is not None:
        connection.execute(
            f"UPDATE versions SET valid_from = {end} WHERE {mine} AND valid_from = {start}"
        )
    connection.execute(f"UPDATE versions SET valid_to = {end} WHERE {mine} AND valid_to = {start}")
    if place.next is None:
        return
    connection.execute(  # states that only the removed one parted
        f"""
        CREATE TEMP TABLE joined AS
        SELECT one.rowid AS earlier, other.rowid AS later, other.valid_to AS valid_to
        FROM (SELECT *, rowid, hash({content}) AS state FROM versions WHERE {mine}) AS one
        JOIN (SELECT *, rowid, hash({content}) AS state FROM versions WHERE {mine}) AS other
            ON one.model = other.model AND one.state = other.state
        WHERE one.valid_to = {end} AND other.valid_from = {end}
        """
    )
    connection.execute(
        "UPDATE versions SET valid_to = joined.valid_to FROM joined "
        "WHERE versions.rowid = joined.earlier"
    )
    connection.execute("DELETE FROM versions WHERE rowid IN (SELECT later FROM joined)")
    connection.execute("DROP TABLE joined")


def _respan_counts(
    connection: duckdb.DuckDBPyConnection, place: SeriesPosition, until: int, new: str, logged: bool
) -> None:
    """Make the spans of the `touched` models around a place anew.

    What was before it now ends at `until`; `new` is what holds from there to the next place.
    `logged`: some of them may be in the log.
    """
    after = _FOREVER if place.next is None else place.next
    places = [place.previous, place.position] + ([] if place.next is None else [place.next])
    near = " OR ".join(f"({_covers(place)})" for place in places)
    connection.execute(
        f"""
        CREATE TEMP TABLE near AS
        SELECT * REPLACE (coalesce(valid_to, {_FOREVER}) AS valid_to)
        FROM ({_counts(logged)}) JOIN touched USING (model)
        WHERE series_id = {place.series_id} AND ({near})
        """
    )
    affected = {"current_counts": f"valid_from <= {places[-1]}"} | (
        {"counts_history": near} if logged else {}
    )
    for table, spans in affected.items():
        connection.execute(
            f"DELETE FROM {table} WHERE series_id = {place.series_id} AND ({spans}) "
            "AND model IN (SELECT model FROM near)"
        )
    values = ", ".join(COUNTS)
    # what is touched differs from what was before, so that only with what comes after it may be one
    spans = "pieces" if place.next is None else f"({_MERGED})"
    connection.execute(
        f"""
        CREATE TEMP TABLE respanned AS
        WITH pieces AS (
            SELECT model, valid_from, {until} AS valid_to, {values} FROM near
            WHERE {_covers(place.previous)}
            UNION ALL
            SELECT model, {place.position}, {after}, {values} FROM ({new})
            UNION ALL
            SELECT model, {after}, valid_to, {values} FROM near
            WHERE valid_from <= {after} AND valid_to > {after}
        )
        SELECT model, valid_from, valid_to, {values} FROM {spans}
        """
    )
    for table, columns, ends in (
        ("current_counts", "valid_from", "="),
        ("counts_history", "valid_from, valid_to", "<"),
    ):
        connection.execute(
            f"INSERT INTO {table} BY NAME SELECT {place.series_id} AS series_id, model, {columns}, "
            f"{values} FROM respanned WHERE valid_to {ends} {_FOREVER} ORDER BY {PACKED}"
        )
    for table in ("near", "respanned", "touched"):
        connection.execute(f"DROP TABLE {table}")


def _counts(logged: bool) -> str:
    values = ", ".join(COUNTS)
    current = (
        f"SELECT series_id, model, valid_from, NULL::INTEGER AS valid_to, {values} "
        "FROM current_counts"
    )
    if not logged:
        return current
    return f"{current} UNION ALL SELECT {', '.join(_SPAN)}, {values} FROM counts_history"


def _covers(place: int) -> str:
    return f"valid_from <= {place} AND (valid_to IS NULL OR valid_to > {place})"


def _differ(one: str, other: str) -> str:
    return " OR ".join(f"{one}.{name} IS DISTINCT FROM {other}.{name}" for name in COUNTS)
