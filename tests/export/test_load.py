"""Damaged exports, and folders that are no export, are refused without any change."""

import hashlib
import json
import shutil
from datetime import UTC, datetime

import duckdb
import pytest
from testhub import FakeHub, Population

from hfscan.export import export
from hfscan.pipeline import crawl
from hfscan.scope import Scope
from hfscan.store import CreationDate, Store, list_snapshots, record_dates


@pytest.fixture(scope="module")
def exported_folder(tmp_path_factory):
    """An export of synthetic models with one first-commit date."""
    folder = tmp_path_factory.mktemp("census")
    with FakeHub(Population.synthetic(300, seed=9), quota=None) as hub:
        crawl(Scope(), endpoint=hub.url, token=None, db=folder / "h.duckdb")
    with Store.open(folder / "h.duckdb", write=True) as store:
        record_dates(
            store,
            [CreationDate("a/b", datetime(2019, 2, 18, tzinfo=UTC))],
            kind="import",
            origin="test",
        )
        name = store.execute("SELECT id FROM models_in(1) WHERE at_cutoff").fetchone()[0]
        record_dates(
            store,
            [CreationDate(name, datetime(2019, 2, 18, tzinfo=UTC))],
            kind="import",
            origin="test",
        )
        export(store, folder / "export", snapshot=list_snapshots(store)[0])
    return folder / "export"


@pytest.fixture
def folder(exported_folder, tmp_path):
    shutil.copytree(exported_folder, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def load_folder(run_cli, tmp_path):
    """Return a function that imports a folder: exit code, stderr. Errors change no database."""

    def load(folder):
        db = tmp_path / "h.duckdb"
        with Store.open(db, write=True):
            pass
        initial_bytes = db.read_bytes()
        code, _, err = run_cli("import", folder, "--db", db)
        if code:
            assert db.read_bytes() == initial_bytes
            assert {path.name for path in tmp_path.glob("h.duckdb*")} == {"h.duckdb"}
        return code, err

    return load


def rewrite_file(file, query, *, rows=None):
    """Replace a Parquet file by the result of a query on it, and update the manifest."""
    table = f"read_parquet('{file}')"
    new_file = file.with_suffix(".new")
    duckdb.execute(f"COPY ({query.replace('{table}', table)}) TO '{new_file}' (FORMAT parquet)")
    new_file.replace(file)
    ((count,),) = duckdb.execute(f"SELECT count(*) FROM '{file}'").fetchall()
    update_manifest(file, count if rows is None else rows)


def update_manifest(file, rows):
    """Update the entry of a file in the manifest."""
    path = file.parents[1] / "manifest.json"
    manifest_data = json.loads(path.read_text())
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest_data["files"][f"{file.parent.name}/{file.name}"] = {"rows": rows, "sha256": digest}
    path.write_text(json.dumps(manifest_data))


def test_a_refused_export_makes_no_database(folder, tmp_path, run_cli):
    (folder / "manifest.json").unlink()
    assert run_cli("import", folder, "--db", tmp_path / "new.duckdb")[0] == 8
    assert not list(tmp_path.glob("new.duckdb*"))


def test_intact_export_is_imported(folder, load_folder):
    folder = folder.rename(folder.with_name("it's [one]*"))
    assert load_folder(folder)[0] == 0


FUTURE = "TIMESTAMP '2100-01-01'"
MODEL_CHANGES = {
    "* REPLACE (-1::BIGINT AS downloads)": "downloads is negative",
    "* REPLACE (-1::BIGINT AS likes)": "likes is negative",
    "* REPLACE ({'total': -5::BIGINT} AS safetensors)": "is negative",
    f'* REPLACE ({FUTURE} AS "createdAt")': "lies in the future",
    "* REPLACE ('infinity'::TIMESTAMP AS \"lastModified\")": "lies in the future",
    "* REPLACE (NULL::VARCHAR AS id)": "id is missing",
    "* REPLACE ('' AS id)": "id is empty",
    "* REPLACE ('63ffff000000000000000000' AS _id)": "a model is there more than once",
    "* REPLACE (['tensorflow', 'jax'] AS frameworks_by_tags)": "contradicts the tags and files",
    "* REPLACE (['tf'] AS tags)": "contradicts the tags and files",
    "* REPLACE (['nothing'] AS frameworks_loadable_5)": "has names that",
    "* EXCLUDE (likes)": "lacks the column likes",
    "*, 1 AS more": "has an unknown column more",
    "* REPLACE (downloads::VARCHAR AS downloads)": "has downloads as VARCHAR, not BIGINT",
    "* REPLACE (tags[1] AS tags)": "has tags as VARCHAR, not VARCHAR[]",
    "* REPLACE (repeat('x', 2000000) AS sha)": "sha is implausibly long",
}


@pytest.mark.parametrize("columns", MODEL_CHANGES)
def test_implausible_models_are_refused(folder, load_folder, columns):
    rewrite_file(folder / "models" / "2023.parquet", f"SELECT {columns} FROM {{table}}")
    code, err = load_folder(folder)
    assert code == 8
    assert MODEL_CHANGES[columns] in err
    assert "2023.parquet" in err or "models:" in err


OTHER_TABLES = {
    ("snapshots", f"* REPLACE ({FUTURE} AS observed_to)"): "lies in the future",
    ("snapshots", "* REPLACE (observed_to + INTERVAL 1 SECOND AS observed_from)"): "lies after",
    ("snapshots", "* REPLACE ('theft' AS kind)"): "kind is not one of",
    ("snapshots", "* REPLACE (models - 1 AS models)"): "says 299 models",
    ("snapshots", "* REPLACE (2.0::DOUBLE AS sample)"): "sample is not a probability",
    ("snapshots", "* REPLACE ('nan'::DOUBLE AS sample)"): "sample is not a probability",
    ("snapshots", "* REPLACE (['nothing'] AS missing_columns)"): "unknown missing_columns",
    ("snapshots", "* REPLACE (['tags'] AS missing_columns)"): "says that tags is missing",
    ("snapshots", "* REPLACE (['files'] AS missing_columns)"): "says that files is missing",
    ("creation_dates", f"* REPLACE ({FUTURE} AS created_at)"): "lies in the future",
    ("creation_dates", "* REPLACE ('rumour' AS kind)"): "kind is not one of",
    ("creation_dates", "* REPLACE (NULL::VARCHAR AS id)"): "id is missing",
    ("frameworks", "* REPLACE (0::UTINYINT AS bit)"): "a framework's bit is there more than once",
    ("frameworks", "* EXCLUDE (parent)"): "lacks the column parent",
}  # fmt: skip


@pytest.mark.parametrize(("table", "columns"), OTHER_TABLES)
def test_implausible_tables_are_refused(folder, load_folder, table, columns):
    rewrite_file(folder / table / f"{table}.parquet", f"SELECT {columns} FROM {{table}}")
    code, err = load_folder(folder)
    assert code == 8
    assert OTHER_TABLES[table, columns] in err


def test_rows_twice_or_missing_are_refused(folder, load_folder):
    snapshots, dates = (
        folder / name / f"{name}.parquet" for name in ("snapshots", "creation_dates")
    )
    file = folder / "models" / "2023.parquet"
    rewrite_file(dates, "FROM {table} UNION ALL FROM {table}")
    assert "more than once" in load_folder(folder)[1]
    rewrite_file(dates, "FROM {table} LIMIT 1")
    rewrite_file(snapshots, "FROM {table} UNION ALL FROM {table}")
    assert "2 snapshots" in load_folder(folder)[1]
    rewrite_file(snapshots, "FROM {table} LIMIT 1")
    rows = json.loads((folder / "manifest.json").read_text())["files"]["models/2023.parquet"][
        "rows"
    ]
    rewrite_file(file, "FROM {table} LIMIT 1", rows=rows)
    code, err = load_folder(folder)
    assert code == 8
    assert f"has 1 row, but manifest.json says {rows}" in err


def test_a_damaged_file_is_refused(folder, load_folder):
    file = folder / "models" / "2023.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert load_folder(folder)[0] == 8
    file.write_bytes(b"PAR1 nothing PAR1")
    code, err = load_folder(folder)
    assert code == 8
    assert "is not a Parquet file" in err


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT repeat('x', 1000) AS id FROM range(3000000)", 3_000_000),  # 30 KB by a dictionary
        ("SELECT repeat('x', 100000000) AS id", 1),  # and 10 KB by compression
    ],
)
def test_compression_bomb_is_not_unpacked(folder, load_folder, query, rows):
    file = folder / "models" / "2023.parquet"
    duckdb.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")
    assert file.stat().st_size < 50_000
    update_manifest(file, rows)
    code, err = load_folder(folder)
    assert code == 8
    assert "not plausible" in err


def test_links_and_paths_outside_are_refused(folder, load_folder, tmp_path):
    manifest, file = folder / "manifest.json", folder / "models" / "2023.parquet"
    manifest_data = json.loads(manifest.read_text())
    for name in ("../models/2023.parquet", "../secret.parquet", "/etc/x.parquet", "models/../../x"):
        manifest.write_text(
            json.dumps(manifest_data | {"files": manifest_data["files"] | {name: {"rows": 1}}})
        )
        code, err = load_folder(folder)
        assert code == 8, name
        assert "names" in err
    manifest.write_text(json.dumps(manifest_data))
    file.replace(tmp_path / "elsewhere.parquet")
    file.symlink_to(tmp_path / "elsewhere.parquet")
    code, err = load_folder(folder)
    assert code == 8
    assert "is a link" in err
    file.unlink()
    (folder / "models").replace(tmp_path / "models")
    (tmp_path / "elsewhere.parquet").replace(tmp_path / "models" / "2023.parquet")
    (folder / "models").symlink_to(tmp_path / "models")
    assert load_folder(folder)[0] == 8


def test_missing_and_extra_files_are_refused(folder, load_folder):
    for name in ("models/2023.parquet", "creation_dates/creation_dates.parquet"):
        (folder / name).replace(folder / "aside")
        code, err = load_folder(folder)
        assert code == 8
        assert f"{name} is missing" in err
        (folder / "aside").replace(folder / name)
    shutil.copy(folder / "models" / "2023.parquet", folder / "models" / "2019.parquet")
    code, err = load_folder(folder)
    assert code == 8
    assert "2019.parquet is not in manifest.json" in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not an export's manifest"),
        ("[]", "is not an export's manifest"),
        ("{}", "is not an export's manifest"),
        ('{"format": 2, "hfscan_version": "9.9", "files": {}}', "by hfscan 9.9 in format 2"),
        ('{"format": 1, "hfscan_version": "0.1.0", "files": 7}', "is not an export's manifest"),
        ('{"format": 1, "hfscan_version": "0.1.0", "files": {"models/x.parquet": 7}}', "manifest"),
        (None, "manifest.json is missing"),
    ],
)
def test_another_manifest_is_refused(folder, load_folder, text, message):
    manifest = folder / "manifest.json"
    manifest.unlink() if text is None else manifest.write_text(text)
    code, err = load_folder(folder)
    assert code == 8
    assert message in err
