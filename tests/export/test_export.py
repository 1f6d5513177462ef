"""Other tools can read an export, and importing it gives the same figures."""

import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import yaml
from click.testing import CliRunner
from testhub import FakeHub, Population

from hfscan.cli import cli
from hfscan.export import export, write_card
from hfscan.pipeline import crawl
from hfscan.scope import Scope
from hfscan.store import (
    CreationDate,
    NewSnapshot,
    Store,
    ingest_files,
    list_snapshots,
    record_dates,
)

TABLES = {"models", "figures", "snapshots", "frameworks", "creation_dates"}


@pytest.fixture(scope="module")
def db(tmp_path_factory) -> Path:
    """A census with a renamed id, an old model's true date, and a model with odd text."""
    db = tmp_path_factory.mktemp("census") / "h.duckdb"
    population = Population.synthetic(3_000, seed=9)
    first = population.ids[0]
    population.edit(first, id="ann/O'Neil \N{SNOWMAN} | <b>", tags=["pytorch", "it's"])
    with FakeHub(population, quota=None) as hub:
        crawl(Scope(), endpoint=hub.url, token=None, db=db)
    with Store.open(db, write=True) as store:
        date = datetime(2019, 2, 18, tzinfo=UTC)
        name = store.execute("SELECT id FROM models_in(1) WHERE at_cutoff").fetchone()[0]
        record_dates(store, [CreationDate(name, date, None)], kind="import", origin="a test")
    return db


@pytest.fixture(scope="module")
def folder(db, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "it's one"
    output = hfscan("export", folder, "--db", db)
    assert output.startswith("Wrote 3,000 models, 1 snapshots, ")
    return folder


def hfscan(*arguments: object) -> str:
    result = CliRunner().invoke(cli, [*map(str, arguments)], catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def rows(db: Path, snapshot: int) -> list[tuple]:
    with Store.open(db) as store:
        sql = "SELECT * EXCLUDE (snapshot) FROM models_in(?) ORDER BY key"
        return store.execute(sql, [snapshot]).fetchall()


def test_imported_export_equals_its_snapshot(db, folder, tmp_path) -> None:
    copy = tmp_path / "copy.duckdb"
    out = hfscan("import", folder, "--db", copy)
    assert out.startswith("Snapshot 1: 3,000 models observed 20")
    assert "Unknown key" not in out
    assert rows(copy, 1) == rows(db, 1)
    with Store.open(copy) as imported, Store.open(db) as original:
        (snapshot,), (other,) = list_snapshots(imported), list_snapshots(original)
        dates = "SELECT * EXCLUDE (recorded_at) FROM creation_dates"
        found = imported.execute(dates).fetchall()
        assert found == original.execute(dates).fetchall()
    names = (
        "observed_from observed_to complete since until models synthetic missing_columns origin"
    ).split()
    assert [getattr(snapshot, name) for name in names] == [getattr(other, name) for name in names]
    for question in (["--year", "2022"], ["--year", "2023", "--definition", "loadable"], []):
        reports = [
            json.loads(hfscan("report", *question, "--format", "json", "--db", path))
            for path in (db, copy)
        ]
        for report in reports:
            assert report["figures"]
            del report["generated_at"], report["snapshot"]
        assert reports[0] == reports[1]


def test_export_is_reproducible_byte_for_byte(db, folder, tmp_path) -> None:
    again = tmp_path / "again"
    hfscan("export", again, "--db", db)
    files = {file.relative_to(folder) for file in folder.rglob("*") if file.is_file()}
    assert files == {file.relative_to(again) for file in again.rglob("*") if file.is_file()}
    assert {file for file in files if (folder / file).read_bytes() != (again / file).read_bytes()} \
        == set()  # fmt: skip
    hfscan("export", again, "--db", db)  # in its own place
    assert len(list(tmp_path.iterdir())) == 1


def test_export_of_one_table(db, folder, tmp_path) -> None:
    only = tmp_path / "only"
    assert hfscan("export", only, "--db", db, "--table", "figures").startswith(
        "Wrote 1 snapshots, "
    )
    assert {file.parent.name for file in only.glob("*/*.parquet")} == {"figures", "snapshots"}
    figures = Path("figures") / "figures.parquet"
    assert (only / figures).read_bytes() == (folder / figures).read_bytes()


def test_history_holds_the_span_of_each_state(tmp_path) -> None:
    db = tmp_path / "h.duckdb"
    first = {"_id": "630000000000000000000001", "id": "ann/a", "tags": ["pytorch"]}
    second = {"_id": "630000000000000000000002", "id": "ann/b", "tags": ["tf"]}
    days = (
        [first, second],
        [first | {"tags": ["pytorch", "tf"]}, second],
        [first | {"tags": ["pytorch", "tf"]}],
    )
    with Store.open(db, write=True) as store:
        for month, models in enumerate(days, 1):
            dump = tmp_path / f"{month}.json"
            dump.write_text(json.dumps(models))
            day = datetime(2024, month, 1, tzinfo=UTC)
            ingest_files(store, [dump], NewSnapshot("import", "x", Scope(), day, day, True))
    hfscan("export", tmp_path / "out", "--db", db, "--table", "history")
    rows = duckdb.execute(
        "SELECT id, frameworks_by_tags, month(seen_from), month(gone_by) "
        f"FROM '{tmp_path}/out/history/*.parquet' ORDER BY id, seen_from"
    ).fetchall()
    assert rows == [
        ("ann/a", ["pytorch"], 1, 2),
        ("ann/a", ["pytorch", "tensorflow"], 2, None),
        ("ann/b", ["tensorflow"], 1, 3),
    ]


def test_duckdb_reads_it(folder) -> None:
    quoted = str(folder).replace("'", "''")
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT count(*), count(DISTINCT _id), sum(downloads) FROM '{quoted}/models/*.parquet'"
        ).fetchone()
        assert found[:2] == (3_000, 3_000)
        served = f"SELECT count(*) FROM '{quoted}/models/*.parquet' " \
            "WHERE list_contains(frameworks_by_tags, 'pytorch')"  # fmt: skip
        tagged = served.replace("frameworks_by_tags", "tags")
        assert connection.execute(served).fetchone() == connection.execute(tagged).fetchone()
        figure = connection.execute(
            f"SELECT numerator / denominator = share FROM '{quoted}/figures/*.parquet' "
            "WHERE report = 'year-2023' AND name = 'exclusive' AND framework = 'pytorch' "
            "AND weight = 'models' AND population = 'created' AND definition = 'tag' "
            'AND "by" IS NULL AND share > 0'
        ).fetchall()
        assert figure
    assert {file.parent.name for file in folder.glob("*/*.parquet")} == TABLES


def test_polars_reads_it(folder) -> None:
    polars = pytest.importorskip("polars")
    models = polars.read_parquet(folder / "models" / "*.parquet")
    assert models.height == 3_000
    assert models["tags"].dtype == polars.List(polars.String)
    assert models["createdAt"].dtype == polars.Datetime("us")


def test_pandas_reads_it(folder) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    assert len(pandas.read_parquet(folder / "models")) == 3_000


def test_datasets_reads_it_by_its_card(folder, tmp_path) -> None:
    datasets = pytest.importorskip("datasets")
    for table in TABLES:
        found = datasets.load_dataset(
            str(folder), table, split="train", cache_dir=str(tmp_path / table)
        )
        assert len(found) > 0
    assert len(datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path))) == 3_000


def test_card_describes_the_tables(folder) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    _, front, text = card.split("---\n", 2)
    about = yaml.safe_load(front)
    assert {config["config_name"] for config in about["configs"]} == TABLES
    assert about["license"] == "other"
    assert about["size_categories"] == ["1K<n<10K"]
    assert "synthetic: models=3000, seed=9" in text
    assert "| `models` | 3,000 |" in text
    assert (folder / "reports" / "year-2022.md").read_text("utf-8").startswith("# ")


def test_card_of_a_hub_dataset_shows_its_queries(db, tmp_path) -> None:
    with Store.open(db) as store:
        exported = export(store, tmp_path / "x", snapshot=list_snapshots(store)[0])
    write_card(exported, repo="ann/census", license="cc0-1.0")
    card = (exported.folder / "README.md").read_text(encoding="utf-8")
    assert "FROM 'hf://datasets/ann/census/models/*.parquet'" in card
    assert 'load_dataset("ann/census", "models")' in card
    assert "license: cc0-1.0" in card


def test_other_folders_are_left_alone(run_cli, db, tmp_path, folder) -> None:
    other = tmp_path / "mine"
    other.mkdir()
    (other / "diary.txt").write_text("dear diary")
    for arguments, code, message in (
        (["export", other, "--db", db], 9, "holds something else"),
        (
            ["import", folder, "--observed-at", "2024-01-01", "--db", other / "x"],
            2,
            "contains its time",
        ),
        (["export", tmp_path / "new", "--db", db, "--snapshot", "7"], 7, "no snapshot 7"),
    ):
        found, _, err = run_cli(*arguments)
        assert found == code, err
        assert message in err
    assert [path.name for path in other.iterdir()] == ["diary.txt"]
