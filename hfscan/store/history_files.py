"""The history as files that only grow: for each snapshot, the difference from the previous one.

`versions/` and `counts/` have a Parquet file for each snapshot. Its name gives all that it depends
on: the snapshot, and the previous one of its series. So an existing file never changes, and a day
adds what changed that day. The files hold observations, nothing derived: masks are recomputed on
import. `snapshots.parquet` and `creation_dates.parquet` are rewritten. The SQL is in
sql/history_files.sql.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from hfscan.errors import ImportFileError
from hfscan.sql import file_literal, file_literals
from hfscan.store import parquet
from hfscan.store.database import Store
from hfscan.store.duckdb_errors import first_line
from hfscan.store.history import PACKED
from hfscan.store.history_masks import classify_versions, export_masks, find_masks, masks_relation
from hfscan.store.history_parts import SavedSnapshot, list_possible_files, plan_files
from hfscan.store.parquet import Rule
from hfscan.store.schema import load_statements

_TABLES = ("versions", "counts")
_REWRITTEN = {"snapshots": "id", "creation_dates": "id, kind"}
_MEMORY_LIMIT = "400 MB"  # of an import, which takes no longer; without, it grows with the models


def export_history(store: Store, folder: Path) -> None:
    """Update the files in `folder` to the content of the database; write only missing ones."""
    files = plan_files(_list_snapshots(store, "snapshots"))
    for table in _TABLES:
        (folder / table).mkdir(parents=True, exist_ok=True)
        for stale in {path.name for path in (folder / table).iterdir()} - files.keys():
            (folder / table / stale).unlink()
        for name, ids in files.items():
            if not (folder / table / name).exists():
                rows = f"FROM ({_changes(table, ids)}) ORDER BY snapshot, model"
                _write(store, rows, folder / table / name)
    for table, order in _REWRITTEN.items():
        _write(store, f"FROM {table} ORDER BY {order}", folder / f"{table}.parquet")
    export_masks(store, folder / "masks")


def import_history(path: Path, folder: Path) -> None:
    """Create the database `path` from the history in `folder`, all or nothing.

    Raises ImportFileError where that is incomplete, implausible or contradictory.
    """
    unfinished = path.with_name(path.name + ".restored")
    unfinished.unlink(missing_ok=True)
    try:
        if not _import_files(unfinished, folder, memory_limit=_MEMORY_LIMIT):
            unfinished.unlink()
            _import_files(unfinished, folder)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _import_files(path: Path, folder: Path, *, memory_limit: str | None = None) -> bool:
    """Create a database from the files; return False if the limit is too low."""
    with Store.open(path, write=True) as store:
        if memory_limit is not None:
            store.execute(f"SET memory_limit = '{memory_limit}'")
        try:
            _check_files(store, folder)
            masks = find_masks(store, folder / "masks")
            _insert_files(store, folder, masks_relation(masks))
            classify_versions(store, masks)
            store.execute("DROP TABLE intervals; DROP TABLE count_intervals")
            _check_models(store)
        except duckdb.OutOfMemoryException:  # DuckDB cannot spill everything to disk
            if memory_limit is None:
                raise
            return False
        except (duckdb.Error, ImportFileError) as error:
            raise ImportFileError(f"Incomplete history in {folder}: {first_line(error)}") from error
    return True


def contains_all(store: Store, snapshots: Path) -> bool:
    """Return whether the database has every snapshot of an exported `snapshots.parquet`.

    Raises ImportFileError where that file is invalid.
    """
    _check_snapshots(store, snapshots)
    missing = store.execute(
        f"SELECT 1 FROM read_parquet({file_literal(snapshots)}) "
        "ANTI JOIN snapshots USING (observed_to, digest) LIMIT 1"
    )
    return missing.fetchone() is None


def _execute(store: Store, name: str, **texts: str) -> duckdb.DuckDBPyConnection:
    return store.execute(load_statements("history_files")[name].format(**texts))


def _list_snapshots(store: Store, relation: str) -> list[SavedSnapshot]:
    rows = _execute(store, "list_snapshots", snapshots=relation).fetchall()
    return [SavedSnapshot(*row) for row in rows]


def _changes(table: str, ids: Sequence[int]) -> str:
    """Return SQL for the rows of a table that files of these snapshots hold."""
    return load_statements("history_files")[table].format(ids=", ".join(map(str, ids)))


def _write(store: Store, sql: str, file: Path) -> None:
    part = file.with_name(file.name + ".part")
    store.write_parquet(sql, part)
    part.replace(file)


def _insert_files(store: Store, folder: Path, masks: str) -> None:
    for table in _REWRITTEN:
        file = file_literal(folder / f"{table}.parquet")
        store.execute(f"INSERT INTO {table} BY NAME FROM read_parquet({file})")
    store.execute(  # the next snapshot gets the next number
        "SELECT max(nextval('snapshot_ids')) "
        "FROM range((SELECT coalesce(max(id), 0) FROM snapshots))"
    )
    relations = {
        table: f"read_parquet({file_literals(sorted((folder / table).glob('*.parquet')))})"
        for table in _TABLES
    }
    for name in (
        "create_intervals",
        "insert_versions",
        "create_count_intervals",
        "insert_current_counts",
        "insert_counts_history",
    ):
        _execute(store, name, packed=PACKED, masks=masks, **relations)


def _check_files(store: Store, folder: Path) -> None:
    """Refuse files that are not a history's, or that have impossible rows."""
    dates, snapshots = folder / "creation_dates.parquet", folder / "snapshots.parquet"
    _check_file(store, dates, store.columns("FROM creation_dates"), parquet.DATE_RULES)
    parquet.check_unique(store, [dates], "(id, kind)", "a pair of id and kind")
    _check_snapshots(store, snapshots)
    relation = f"read_parquet({file_literal(snapshots)})"
    saved = _list_snapshots(store, relation)
    possible = list_possible_files(saved)
    for table, rules in (("versions", parquet.VERSION_RULES), ("counts", parquet.COUNT_RULES)):
        columns = store.columns(_changes(table, [0]))
        files = sorted((folder / table).glob("*.parquet"))
        for file in files:
            if file.name not in possible:
                raise ImportFileError(f"{file} belongs to no snapshot of {snapshots}. Remove it.")
        found = Counter(id_ for file in files for id_ in possible[file.name])
        for name, ids in plan_files(saved).items():
            if not found.keys() >= {*ids}:
                parquet.check_path(folder, folder / table / name)
        if twice := [id_ for id_, count in found.items() if count > 1]:
            raise ImportFileError(
                f"{folder / table} has snapshot {twice[0]} in several files. Remove the smaller."
            )
        for file in files:
            ids = possible[file.name]
            expected = str(ids[0]) if len(ids) == 1 else f"of {ids[0]} to {ids[-1]}"
            is_other = f"snapshot NOT IN ({', '.join(map(str, ids))})"
            own = Rule(is_other, f"snapshot is not {expected}")
            _check_file(store, file, columns, (*rules, own))
        if files:
            parquet.check_unique(store, files, "(snapshot, model)", "a model of a snapshot")


def _check_snapshots(store: Store, file: Path) -> None:
    rules = (*parquet.SNAPSHOT_RULES, *parquet.POSITION_RULES)
    _check_file(store, file, store.columns("FROM snapshots"), rules)
    parquet.check_unique(store, [file], "id", "a snapshot")
    parquet.check_unique(store, [file], "(series_id, position)", "a position in a series")


def _check_file(
    store: Store, file: Path, columns: Mapping[str, str], rules: Sequence[Rule]
) -> None:
    folder = file.parent.parent if file.parent.name in _TABLES else file.parent
    parquet.check_path(folder, file)
    rows = parquet.read_size(store, file, distinct_rows=file.parent.name == "versions")
    parquet.check_table(store, file, columns, rules, rows)


def _check_models(store: Store) -> None:
    """Raise ImportFileError unless each snapshot has the number of models that it states."""
    for column, other in (("model", "key"), ("key", "model")):
        ambiguous = store.execute(
            f"SELECT 1 FROM versions GROUP BY series_id, {column} "
            f"HAVING min({other}) <> max({other})"
        )
        if ambiguous.fetchone():
            raise ImportFileError(f"a {column} has more than one {other}.")
    for id_, models in store.execute(
        "SELECT max_by(id, position), max_by(models, position) FROM snapshots GROUP BY series_id"
    ).fetchall():
        if store.fetch_one(f"SELECT count(*) FROM models_in({id_})") != (models,):
            raise ImportFileError(f"snapshot {id_} lacks some of its models.")
    if wrong := _execute(store, "find_wrong_snapshot").fetchone():
        raise ImportFileError(f"snapshot {wrong[0]} has a different number of models.")
