"""The history as files that only grow: for each snapshot, what differs from the one before it.

`versions/` and `counts/` hold a Parquet file for each snapshot, and its name says all that it
depends on: the snapshot, and the one before it in its series. So a file that is there never
changes, and a day adds what changed that day. They hold what was observed, nothing derived from it:
framework masks are made anew by who reads them. `snapshots.parquet` and `creation_dates.parquet`
are whole.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from hfscan.errors import ImportFileError
from hfscan.sql import file_literal, literal
from hfscan.store import history, masks, parquet
from hfscan.store.parquet import Rule
from hfscan.store.rules import (
    COUNT_RULES,
    DATE_RULES,
    PLACE_RULES,
    SOURCE_RULES,
    VERSION_RULES,
)

_TABLES = ("versions", "counts")
_WHOLE = {"snapshots": "id", "creation_dates": "id, kind"}
_ORDERED = (
    "SELECT id, series_id, position, lag(id, 1, 0) OVER (PARTITION BY series_id ORDER BY position)"
)


def write(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Bring the files in `folder` to what the database holds; write only those that are missing."""
    snapshots = connection.execute(f"{_ORDERED} FROM snapshots ORDER BY id").fetchall()
    for table in _TABLES:
        (folder / table).mkdir(parents=True, exist_ok=True)
        wanted = {_name(id_, before) for id_, _, _, before in snapshots}
        for stale in {path.name for path in (folder / table).iterdir()} - wanted:
            (folder / table / stale).unlink()
        for id_, series_id, position, before in snapshots:
            file = folder / table / _name(id_, before)
            if not file.exists():
                sql = (
                    _versions(series_id, position)
                    if table == "versions"
                    else _counts(series_id, position)
                )
                _copy(connection, f"SELECT {id_} AS snapshot, * FROM ({sql}) ORDER BY model", file)
    for table, order in _WHOLE.items():
        _copy(connection, f"FROM {table} ORDER BY {order}", folder / f"{table}.parquet")


def read(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Fill an empty database with the history in `folder`.

    Raises ImportFileError where it is not whole, not plausible or contradictory.
    """
    try:
        _check_files(connection, folder)
        _read(connection, folder)
    except (duckdb.Error, ImportFileError) as error:
        raise ImportFileError(
            f"{folder} is no whole history: {str(error).splitlines()[0]}"
        ) from error
    masks.rebuild(connection)
    for id_, models in connection.execute(
        "SELECT max_by(id, position), max_by(models, position) FROM snapshots GROUP BY series_id"
    ).fetchall():
        found = connection.execute(f"SELECT count(*) FROM models_in({id_})").fetchone()
        if found != (models,):
            raise ImportFileError(
                f"{folder} is no whole history: snapshot {id_} missing_columns some of its models."
            )
    _check_models(connection, folder)


def holds(connection: duckdb.DuckDBPyConnection, snapshots: Path) -> bool:
    """Return whether the database holds every snapshot of a saved `snapshots.parquet`.

    Raises ImportFileError where that is none.
    """
    _check_sources(connection, snapshots)
    missing = connection.execute(
        f"SELECT 1 FROM read_parquet({file_literal(snapshots)}) "
        "ANTI JOIN snapshots USING (observed_to, digest) LIMIT 1"
    )
    return missing.fetchone() is None


def _name(snapshot: int, before: int) -> str:
    return f"{snapshot:06}-after-{before:06}.parquet"


def _versions(series_id: int, position: int) -> str:
    """Return what is new or changed at the position, and what is gone (its key alone)."""
    kept = ", ".join(("series_id", "valid_from", "valid_to", *history.MASKS))
    mine = f"FROM versions WHERE series_id = {series_id}"
    return (
        f"SELECT false AS gone, * EXCLUDE ({kept}) {mine} AND valid_from = {position} "
        f"UNION ALL BY NAME SELECT true AS gone, model, key {mine} AND valid_to = {position} "
        f"AND model NOT IN (SELECT model {mine} AND valid_from = {position})"
    )


def _counts(series_id: int, position: int) -> str:
    return " UNION ALL ".join(
        f"SELECT model, {', '.join(history.COUNTS)} FROM {table} "
        f"WHERE series_id = {series_id} AND valid_from = {position}"
        for table in ("current_counts", "counts_history")
    )


def _copy(connection: duckdb.DuckDBPyConnection, sql: str, file: Path) -> None:
    part = file.with_name(file.name + ".part")
    connection.execute(f"COPY ({sql}) TO {literal(part)} (FORMAT parquet, COMPRESSION zstd)")
    part.replace(file)


def _read(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    for table in _WHOLE:
        file = file_literal(folder / f"{table}.parquet")
        connection.execute(f"INSERT INTO {table} BY NAME FROM read_parquet({file})")
    connection.execute(  # the next snapshot gets the next number
        "SELECT max(nextval('snapshot_ids')) "
        "FROM range((SELECT coalesce(max(id), 0) FROM snapshots))"
    )
    versions, counts = (_relation(folder / table) for table in _TABLES)
    # what happened to which model when; wide columns stay out of the window
    connection.execute(
        f"""
        CREATE TEMP TABLE spans AS
        SELECT snapshot, model, gone, position AS valid_from,
            lead(position) OVER (PARTITION BY series_id, model ORDER BY position) AS valid_to
        FROM (SELECT snapshot, model, gone FROM {versions}) AS events
        JOIN (SELECT id AS snapshot, series_id, position FROM snapshots) USING (snapshot)
        """
    )
    connection.execute(
        f"""
        INSERT INTO versions BY NAME
        SELECT series_id, valid_from, valid_to, seen.* EXCLUDE (snapshot, gone)
        FROM {versions} AS seen
        JOIN spans USING (snapshot, model)
        JOIN (SELECT id AS snapshot, series_id FROM snapshots) USING (snapshot)
        WHERE NOT seen.gone
        """
    )
    connection.execute(
        f"""
        CREATE TEMP TABLE counted AS
        SELECT * EXCLUDE (snapshot, position, gone), position AS valid_from,
            lead(position) OVER (PARTITION BY series_id, model ORDER BY position) AS valid_to, gone
        FROM (
            SELECT *, false AS gone FROM {counts}
            UNION ALL BY NAME SELECT snapshot, model, gone FROM spans WHERE gone
        ) JOIN (SELECT id AS snapshot, series_id, position FROM snapshots) USING (snapshot)
        """
    )
    for table, columns, ended in (
        ("current_counts", "* EXCLUDE (gone, valid_to)", "IS NULL"),
        ("counts_history", "* EXCLUDE (gone)", "IS NOT NULL"),
    ):
        connection.execute(
            f"INSERT INTO {table} BY NAME SELECT {columns} FROM counted "
            f"WHERE NOT gone AND valid_to {ended} ORDER BY {history.PACKED}"
        )
    connection.execute("DROP TABLE spans; DROP TABLE counted")


def _relation(folder: Path) -> str:
    files = ", ".join(map(file_literal, sorted(folder.glob("*.parquet"))))
    return f"read_parquet([{files}])"


def _check_files(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Refuse files that are not a history's, or whose rows cannot be. Raises ImportFileError."""
    dates, listed = folder / "creation_dates.parquet", folder / "snapshots.parquet"
    columns = parquet.columns_of(connection, "FROM creation_dates")
    _check_file(connection, dates, columns, DATE_RULES)
    parquet.check_unique(connection, [dates], "(id, kind)", "a pair of id and kind")
    _check_sources(connection, listed)
    snapshots = connection.execute(
        f"{_ORDERED} FROM read_parquet({file_literal(listed)}) ORDER BY id"
    ).fetchall()
    for table, sql, rules in (
        ("versions", _versions(0, 0), VERSION_RULES),
        ("counts", _counts(0, 0), COUNT_RULES),
    ):
        columns = parquet.columns_of(connection, f"SELECT 0 AS snapshot, * FROM ({sql})")
        files = {folder / table / _name(id_, before): id_ for id_, _, _, before in snapshots}
        for extra in sorted({*(folder / table).glob("*.parquet")} - files.keys()):
            raise ImportFileError(f"{extra} belongs to no snapshot of {listed}. Remove it.")
        for file, id_ in files.items():
            own = Rule(f"snapshot <> {id_}", f"snapshot is not {id_}")
            _check_file(connection, file, columns, (*rules, own))
        if files:
            parquet.check_unique(connection, [*files], "(snapshot, model)", "a model of a snapshot")


def _check_sources(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    columns = parquet.columns_of(connection, "FROM snapshots")
    _check_file(connection, file, columns, (*SOURCE_RULES, *PLACE_RULES))
    parquet.check_unique(connection, [file], "id", "a snapshot")
    parquet.check_unique(connection, [file], "(series_id, position)", "a position in a series")


def _check_file(
    connection: duckdb.DuckDBPyConnection,
    file: Path,
    columns: Mapping[str, str],
    rules: Sequence[Rule],
) -> None:
    folder = file.parent.parent if file.parent.name in _TABLES else file.parent
    parquet.check_path(folder, file)
    rows = parquet.read_size(connection, file, distinct_rows=file.parent.name == "versions")
    parquet.check_columns(connection, file, columns)
    parquet.check_rows(connection, file, [*rules, *parquet.text_rules(columns)], rows)


def _check_models(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Refuse a history whose snapshots do not hold the number of models that they state."""
    for one, other in (("model", "key"), ("key", "model")):
        found = connection.execute(
            f"SELECT 1 FROM versions GROUP BY series_id, {one} HAVING count(DISTINCT {other}) > 1"
        ).fetchone()
        if found:
            raise ImportFileError(
                f"{folder} is no whole history: a {one} has more than one {other}."
            )
    wrong = connection.execute(
        """
        WITH spans AS (
            SELECT 'versions' AS part, series_id, valid_from, valid_to FROM versions
            UNION ALL SELECT 'counts', series_id, valid_from, NULL FROM current_counts
            UNION ALL SELECT 'counts', series_id, valid_from, valid_to FROM counts_history
        ),
        moves AS (
            SELECT part, series_id, valid_from AS position, 1 AS models FROM spans
            UNION ALL
            SELECT part, series_id, valid_to, -1 FROM spans WHERE valid_to IS NOT NULL
        ),
        changes AS (
            SELECT part, series_id, position, sum(models) AS change FROM moves GROUP BY ALL
        ),
        parts AS (SELECT id, models, series_id, position, unnest(['versions', 'counts']) AS part
            FROM snapshots)
        SELECT id FROM parts LEFT JOIN changes USING (part, series_id, position)
        QUALIFY models
            <> sum(coalesce(change, 0)) OVER (PARTITION BY part, series_id ORDER BY position)
        """
    ).fetchone()
    if wrong:
        raise ImportFileError(
            f"{folder} is no whole history: snapshot {wrong[0]} has other models."
        )
