"""The database in other clients than hfscan: older DuckDB releases, the view census, comments."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from dumps import encode_lines, ingest_models
from processes import run_hfscan
from testhub import Population

from hfscan.figures import SnapshotView
from hfscan.store import Store, list_snapshots

OLDEST = "1.4"
"""The oldest DuckDB that opens a database, according to the docs."""

SCRIPT = """
import json, sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
connection.execute("SET enable_progress_bar = false")
def execute(sql):
    return connection.execute(sql).fetchall()
names = [row[0] for row in execute("SELECT view_name FROM duckdb_views() WHERE NOT internal")]
json.dump({
    "version": duckdb.__version__,
    "census": execute("SELECT count(*), count(tags) FROM census"),
    "views": {name: execute(f"SELECT count(*) FROM {name}")[0][0] for name in names},
    "observed": execute("SELECT count(*) FROM models_in(1)"),
    "macros": execute("SELECT tag_values(['license:mit', 'x'], 'license:'), "
        "languages(['en', 'xx']), single_value(['a']), size_class(1), "
        "mask_by_definition('tag', 5, 1, 2, 3, 4, 4)"),
    "frameworks": execute("SELECT count(*) FROM frameworks_compared(['pytorch', 'tensorflow'])"),
}, sys.stdout)
"""


@pytest.fixture(scope="module")
def old_duckdb(request) -> Path:
    """A folder with an older DuckDB from the package registry, cached for later runs."""
    key = f"duckdb-{OLDEST}-python-{sys.version_info[0]}.{sys.version_info[1]}"
    folder = request.config.cache.mkdir(key)
    if not (folder / "duckdb").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--target", str(folder), f"duckdb=={OLDEST}.*"]
        # without the environment's pins: they name another DuckDB
        pins = {"PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT"}
        environment = {key: value for key, value in os.environ.items() if key not in pins}
        process = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        if process.returncode:
            pytest.skip(f"DuckDB {OLDEST} cannot be installed: {process.stderr.strip()[-200:]}")
    return folder


@pytest.fixture(scope="module")
def db(tmp_path_factory) -> Path:
    """Two complete snapshots of invented models; the second lacks some of the first."""
    path = tmp_path_factory.mktemp("clients") / "h.duckdb"
    models = list(Population.synthetic(300, seed=1))
    for number in (0, 1):
        day = datetime(2026, 1, 1 + number, tzinfo=UTC)
        ingest_models(path, models[20 * number :], day=day, complete=True)
    return path


def test_older_duckdb_returns_the_same(db, old_duckdb):
    def run_script(**variables):
        process = subprocess.run(
            [sys.executable, "-c", SCRIPT, db],
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stderr
        return json.loads(process.stdout)

    current_results, older_results = run_script(), run_script(PYTHONPATH=str(old_duckdb))
    assert older_results.pop("version").startswith(OLDEST)
    assert current_results.pop("version") == duckdb.__version__
    assert older_results == current_results
    assert older_results["census"] == [[280, 280]]
    assert older_results["views"]["removed_models"] == 20


def test_view_census_is_the_newest_snapshot(db):
    """As the temporary view that hfscan queries, it holds all models."""
    with Store.open(db) as store:
        execute = store.execute
        file_rows = execute("SELECT snapshot, count(*) FROM census GROUP BY 1").fetchall()
        view = SnapshotView.latest(store)
        assert file_rows == [(view.snapshot.id, view.snapshot.models)]
        first_view = SnapshotView.latest(store, snapshot=1).bind_census()  # shadows the file's view
        snapshots = first_view.execute("SELECT DISTINCT snapshot FROM census").fetchall()
        assert snapshots == [(1,)]
    with duckdb.connect(db, read_only=True) as connection:
        rows = connection.execute("SELECT snapshot, count(*) FROM census GROUP BY 1").fetchall()
        assert rows == file_rows


def test_schema_has_comments(tmp_path):
    with Store.open(tmp_path / "h.duckdb", write=True) as store:
        execute = store.execute
        comments = dict(execute("SELECT table_name, comment FROM duckdb_tables()").fetchall())
        assert comments["snapshots"].startswith("one row for every ")
        assert comments["parity_runs"] == "one row for every run of the command, continued or not"
        assert None not in comments.values()
        columns = {
            (table, column): comment
            for table, column, comment in execute(
                "SELECT table_name, column_name, comment FROM duckdb_columns() "
                "WHERE comment IS NOT NULL"
            ).fetchall()
        }
        assert columns["versions", "base_models"] == "repo ids"
        assert columns["current_counts", "downloads"] == "last 30 days"
        assert len(columns) > 60
        assert not [text for text in [*columns.values(), *comments.values()] if "\n" in text]
        views = dict(
            execute("SELECT view_name, comment FROM duckdb_views() WHERE NOT internal").fetchall()
        )
        assert None not in views.values()
        macros = execute(
            "SELECT function_name, comment FROM duckdb_functions() "
            "WHERE function_type IN ('macro', 'table_macro') AND NOT internal"
        ).fetchall()
        assert ("size_class", "The group of a model by its number of parameters.") in macros
        assert not [name for name, comment in macros if not comment]


def test_delete_frees_space(tmp_path):
    rows = [
        {"id": f"a/{n}", "sha": f"{hash((n, 'x')) & (1 << 160) - 1:040x}", "tags": [f"t{n}"]}
        for n in range(30_000)
    ]
    (tmp_path / "big.jsonl").write_bytes(encode_lines(rows))
    (tmp_path / "small.jsonl").write_text('{"id": "b/small", "tags": ["tf"]}\n')

    def run_command(*arguments):
        code, _, err = run_hfscan(tmp_path, *arguments)
        assert code == 0, err
        return err

    run_command("import", "big.jsonl", "--observed-at", "2024-01-01")
    run_command("import", "small.jsonl", "--observed-at", "2024-02-01")
    path = tmp_path / "hfscan.duckdb"
    with Store.open(path) as store:
        initial_rows = store.execute("FROM models_in(2)").fetchall()
    size = path.stat().st_size
    assert "Compacted " in run_command("delete", "1")
    assert path.stat().st_size < size * 0.6
    with Store.open(path, write=True) as store:
        assert store.execute("FROM models_in(2)").fetchall() == initial_rows
        ((tags,),) = store.execute(
            "SELECT tags FROM duckdb_databases() WHERE database_name = current_database()"
        ).fetchall()
        assert tags["storage_version"].startswith("v1.4")
        assert store.execute("SELECT comment FROM duckdb_tables()").fetchone()[0]
    assert (
        "snapshot 2"
        not in run_command("import", "big.jsonl", "--observed-at", "2024-01-01").lower()
    )
    with Store.open(path) as store:
        assert {snapshot.id for snapshot in list_snapshots(store)} == {2, 3}
