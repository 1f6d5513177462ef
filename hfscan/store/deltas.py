"""The history as files that only grow: for each source, what differs from the one before it.

`versions/` and `counts/` hold a Parquet file for each source, and its name says all that it depends
on: the source, and the one before it in its series. So a file that is there never changes, and a
day adds what changed that day. They hold what was observed, nothing derived from it: framework
masks are made anew by who reads them. `sources.parquet` and `creation_dates.parquet` are whole.
"""

from pathlib import Path

import duckdb

from hfscan.errors import DumpError
from hfscan.quoting import literal
from hfscan.store import history, masks

_TABLES = ("versions", "counts")
_WHOLE = {"sources": "id", "creation_dates": "id, kind"}


def write(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Bring the files in `folder` to what the database holds; write only those that are missing."""
    sources = connection.execute(
        "SELECT id, series, place, lag(id, 1, 0) OVER (PARTITION BY series ORDER BY place) "
        "FROM sources ORDER BY id"
    ).fetchall()
    for table in _TABLES:
        (folder / table).mkdir(parents=True, exist_ok=True)
        wanted = {f"{id_:06}-after-{before:06}.parquet" for id_, _, _, before in sources}
        for stale in {path.name for path in (folder / table).iterdir()} - wanted:
            (folder / table / stale).unlink()
        for id_, series, place, before in sources:
            file = folder / table / f"{id_:06}-after-{before:06}.parquet"
            if not file.exists():
                sql = _versions(series, place) if table == "versions" else _counts(series, place)
                _copy(connection, f"SELECT {id_} AS source, * FROM ({sql}) ORDER BY model", file)
    for table, order in _WHOLE.items():
        _copy(connection, f"FROM {table} ORDER BY {order}", folder / f"{table}.parquet")


def read(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Fill an empty database with the history in `folder`.

    Raises DumpError where it is not whole.
    """
    try:
        _read(connection, folder)
    except duckdb.Error as error:
        raise DumpError(f"{folder} is no whole history: {str(error).splitlines()[0]}") from error
    masks.rebuild(connection)
    for id_, models in connection.execute(
        "SELECT max_by(id, place), max_by(models, place) FROM sources GROUP BY series"
    ).fetchall():
        found = connection.execute(f"SELECT count(*) FROM observed({id_})").fetchone()
        if found != (models,):
            raise DumpError(f"{folder} is no whole history: source {id_} lacks some of its models.")


def holds(connection: duckdb.DuckDBPyConnection, sources: Path) -> bool:
    """Return whether the database holds every source of a saved `sources.parquet`."""
    missing = connection.execute(
        "SELECT 1 FROM read_parquet(?) ANTI JOIN sources USING (observed_to, digest) LIMIT 1",
        [str(sources)],
    )
    return missing.fetchone() is None


def _versions(series: int, place: int) -> str:
    """Return what is new or changed at the place, and what is gone (its key alone)."""
    kept = ", ".join(("series", "valid_from", "valid_to", *history.MASKS))
    mine = f"FROM versions WHERE series = {series}"
    return (
        f"SELECT false AS gone, * EXCLUDE ({kept}) {mine} AND valid_from = {place} "
        f"UNION ALL BY NAME SELECT true AS gone, model, key {mine} AND valid_to = {place} "
        f"AND model NOT IN (SELECT model {mine} AND valid_from = {place})"
    )


def _counts(series: int, place: int) -> str:
    return " UNION ALL ".join(
        f"SELECT model, {', '.join(history.COUNTS)} FROM {table} "
        f"WHERE series = {series} AND valid_from = {place}"
        for table in ("counts", "count_log")
    )


def _copy(connection: duckdb.DuckDBPyConnection, sql: str, file: Path) -> None:
    part = file.with_name(file.name + ".part")
    connection.execute(f"COPY ({sql}) TO {literal(part)} (FORMAT parquet, COMPRESSION zstd)")
    part.replace(file)


def _read(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    for table in _WHOLE:
        file = literal(folder / f"{table}.parquet")
        connection.execute(f"INSERT INTO {table} BY NAME FROM read_parquet({file})")
    connection.execute(  # the next source gets the next number
        "SELECT max(nextval('source_ids')) FROM range((SELECT coalesce(max(id), 0) FROM sources))"
    )
    versions, counts = (f"read_parquet({literal(folder / one / '*.parquet')})" for one in _TABLES)
    # what happened to which model when; wide columns stay out of the window
    connection.execute(
        f"""
        CREATE TEMP TABLE spans AS
        SELECT source, model, gone, place AS valid_from,
            lead(place) OVER (PARTITION BY series, model ORDER BY place) AS valid_to
        FROM (SELECT source, model, gone FROM {versions}) AS events
        JOIN (SELECT id AS source, series, place FROM sources) USING (source)
        """
    )
    connection.execute(
        f"""
        INSERT INTO versions BY NAME
        SELECT series, valid_from, valid_to, seen.* EXCLUDE (source, gone)
        FROM {versions} AS seen
        JOIN spans USING (source, model)
        JOIN (SELECT id AS source, series FROM sources) USING (source)
        WHERE NOT seen.gone
        """
    )
    connection.execute(
        f"""
        CREATE TEMP TABLE counted AS
        SELECT * EXCLUDE (source, place, gone), place AS valid_from,
            lead(place) OVER (PARTITION BY series, model ORDER BY place) AS valid_to, gone
        FROM (
            SELECT *, false AS gone FROM {counts}
            UNION ALL BY NAME SELECT source, model, gone FROM spans WHERE gone
        ) JOIN (SELECT id AS source, series, place FROM sources) USING (source)
        """
    )
    for table, columns, ended in (
        ("counts", "* EXCLUDE (gone, valid_to)", "IS NULL"),
        ("count_log", "* EXCLUDE (gone)", "IS NOT NULL"),
    ):
        connection.execute(
            f"INSERT INTO {table} BY NAME SELECT {columns} FROM counted "
            f"WHERE NOT gone AND valid_to {ended} ORDER BY {history.PACKED}"
        )
    connection.execute("DROP TABLE spans; DROP TABLE counted")
