"""Other tools can read an export, and importing it gives the same figures."""

import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import yaml
from click.testing import CliRunner
from dumps import ingest_models
from testhub import FakeHub, Population

from hfscan.cli import cli
from hfscan.export import export, write_card
from hfscan.pipeline import crawl
from hfscan.scope import Scope
from hfscan.store import CreationDate, Store, list_snapshots, record_dates

TABLES = {"models", "figures", "snapshots", "frameworks", "creation_dates"}


@pytest.fixture(scope="module")
def db(tmp_path_factory) -> Path:
    """A crawl with a renamed model, a model with unusual text, and one first-commit date."""
    db = tmp_path_factory.mktemp("census") / "h.duckdb"
    population = Population.synthetic(3_000, seed=9)
    first_id = population.ids[0]
    population.edit(first_id, id="ann/O'Neil \N{SNOWMAN} | <b>", tags=["pytorch", "it's"])
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
    output = run_command("export", folder, "--db", db)
    assert output.startswith("Wrote 3,000 models, 1 snapshot, ")
    return folder


def run_command(*arguments: object) -> str:
    result = CliRunner().invoke(cli, [*map(str, arguments)], catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def read_models(db: Path, snapshot: int) -> list[tuple]:
    with Store.open(db) as store:
        sql = "SELECT * EXCLUDE (snapshot) FROM models_in(?) ORDER BY key"
        return store.execute(sql, [snapshot]).fetchall()


def test_imported_export_equals_its_snapshot(db, folder, tmp_path) -> None:
    copied_db = tmp_path / "copy.duckdb"
    output = run_command("import", folder, "--db", copied_db)
    assert output.startswith("Snapshot 1: 3,000 models observed 20")
    assert "Unknown key" not in output
    assert read_models(copied_db, 1) == read_models(db, 1)
    with Store.open(copied_db) as copied_store, Store.open(db) as original_store:
        (copied_snapshot,), (original_snapshot,) = (
            list_snapshots(copied_store),
            list_snapshots(original_store),
        )
        dates = "SELECT * EXCLUDE (recorded_at) FROM creation_dates"
        copied_dates = copied_store.execute(dates).fetchall()
        assert copied_dates == original_store.execute(dates).fetchall()
    names = (
        "observed_from observed_to complete since until models synthetic missing_columns origin"
    ).split()
    assert [getattr(copied_snapshot, name) for name in names] == [
        getattr(original_snapshot, name) for name in names
    ]
    for options in (["--year", "2022"], ["--year", "2023", "--definition", "loadable"], []):
        reports = [
            json.loads(run_command("report", *options, "--format", "json", "--db", path))
            for path in (db, copied_db)
        ]
        for report in reports:
            assert report["figures"]
            del report["generated_at"], report["snapshot"]
        assert reports[0] == reports[1]


def test_export_is_reproducible_byte_for_byte(db, folder, tmp_path, skip_reports) -> None:
    second_folder = tmp_path / "again"
    run_command("export", second_folder, "--db", db)
    files = {file.relative_to(folder) for file in folder.rglob("*") if file.is_file()}
    assert files == {
        file.relative_to(second_folder) for file in second_folder.rglob("*") if file.is_file()
    }
    assert not [
        file
        for file in files
        if (folder / file).read_bytes() != (second_folder / file).read_bytes()
    ]
    skip_reports()
    run_command("export", second_folder, "--db", db)  # replaces itself
    assert len(list(tmp_path.iterdir())) == 1
    assert not (second_folder / "reports" / "year-2022.md").exists()


def test_export_of_one_table(db, folder, tmp_path) -> None:
    table_folder = tmp_path / "only"
    assert run_command("export", table_folder, "--db", db, "--table", "figures").startswith(
        "Wrote 1 snapshot, "
    )
    assert {file.parent.name for file in table_folder.glob("*/*.parquet")} == {
        "figures",
        "snapshots",
    }
    figures = Path("figures") / "figures.parquet"
    assert (table_folder / figures).read_bytes() == (folder / figures).read_bytes()


def test_history_holds_the_interval_of_each_state(tmp_path) -> None:
    db = tmp_path / "h.duckdb"
    first_model = {"_id": "630000000000000000000001", "id": "ann/a", "tags": ["pytorch"]}
    second_model = {"_id": "630000000000000000000002", "id": "ann/b", "tags": ["tf"]}
    days = (
        [first_model, second_model],
        [first_model | {"tags": ["pytorch", "tf"]}, second_model],
        [first_model | {"tags": ["pytorch", "tf"]}],
    )
    for month, models in enumerate(days, 1):
        ingest_models(db, models, day=datetime(2024, month, 1, tzinfo=UTC), complete=True)
    run_command("export", tmp_path / "out", "--db", db, "--table", "history")
    rows = duckdb.execute(
        "SELECT id, frameworks_by_tags, month(seen_from), month(gone_by) "
        f"FROM '{tmp_path}/out/history/*.parquet' ORDER BY id, seen_from"
    ).fetchall()
    assert rows == [
        ("ann/a", ["pytorch"], 1, 2),
        ("ann/a", ["pytorch", "tensorflow"], 2, None),
        ("ann/b", ["tensorflow"], 1, 3),
    ]


def test_duckdb_reads_an_export(folder) -> None:
    quoted = str(folder).replace("'", "''")
    with duckdb.connect() as connection:
        counts = connection.execute(
            f"SELECT count(*), count(DISTINCT _id), sum(downloads) FROM '{quoted}/models/*.parquet'"
        ).fetchone()
        assert counts[:2] == (3_000, 3_000)
        supporting_sql = f"SELECT count(*) FROM '{quoted}/models/*.parquet' " \
            "WHERE list_contains(frameworks_by_tags, 'pytorch')"  # fmt: skip
        tagged_sql = supporting_sql.replace("frameworks_by_tags", "tags")
        assert (
            connection.execute(supporting_sql).fetchone()
            == connection.execute(tagged_sql).fetchone()
        )
        figure = connection.execute(
            f"SELECT numerator / denominator = share FROM '{quoted}/figures/*.parquet' "
            "WHERE report = 'year-2023' AND name = 'exclusive' AND framework = 'pytorch' "
            "AND weight = 'models' AND population = 'created' AND definition = 'tag' "
            'AND "by" IS NULL AND share > 0'
        ).fetchall()
        assert figure
    assert {file.parent.name for file in folder.glob("*/*.parquet")} == TABLES


def test_polars_reads_an_export(folder) -> None:
    polars = pytest.importorskip("polars")
    models = polars.read_parquet(folder / "models" / "*.parquet")
    assert models.height == 3_000
    assert models["tags"].dtype == polars.List(polars.String)
    assert models["createdAt"].dtype == polars.Datetime("us")


def test_pandas_reads_an_export(folder) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    assert len(pandas.read_parquet(folder / "models")) == 3_000


def test_datasets_reads_an_export_by_its_card(folder, tmp_path) -> None:
    datasets = pytest.importorskip("datasets")
    for table in TABLES:
        rows = datasets.load_dataset(
            str(folder), table, split="train", cache_dir=str(tmp_path / table)
        )
        assert len(rows) > 0
    assert len(datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path))) == 3_000


def test_card_describes_the_tables(folder) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    _, front_matter, text = card.split("---\n", 2)
    metadata = yaml.safe_load(front_matter)
    assert {config["config_name"] for config in metadata["configs"]} == TABLES
    assert metadata["license"] == "other"
    assert metadata["size_categories"] == ["1K<n<10K"]
    assert "synthetic: models=3000, seed=9" in text
    assert "| `models` | 3,000 |" in text
    assert "The metadata was read from the public API of http://" in text
    assert (folder / "reports" / "year-2022.md").read_text("utf-8").startswith("# ")


def test_card_of_a_hub_dataset_shows_its_queries(db, tmp_path, skip_reports) -> None:
    skip_reports()
    with Store.open(db) as store:
        result = export(store, tmp_path / "x", snapshot=list_snapshots(store)[0])
    url = "https://hub.example/datasets/ann/census"
    write_card(result, repo="ann/census", license="cc0-1.0", url=url)
    card = (result.folder / "README.md").read_text(encoding="utf-8")
    assert f"url = {{{url}}}," in card
    assert "author = {{ann}}" in card
    assert "FROM 'hf://datasets/ann/census/models/*.parquet'" in card
    assert 'load_dataset("ann/census", "models", split="train")' in card
    assert "license: cc0-1.0" in card


def test_card_lists_what_is_unknown_or_implausible(tmp_path) -> None:
    models = [{"id": f"ann/{n}", "tags": ["pytorch"], "downloads": 10} for n in range(20)]
    models[0] |= {"createdAt": "yesterday"}
    models += [{"id": f"ANN/{n}", "tags": ["pytorch"], "downloads": 10} for n in range(20)]
    ingest_models(tmp_path / "h.duckdb", models)
    with Store.open(tmp_path / "h.duckdb") as store:
        result = export(store, tmp_path / "x", snapshot=list_snapshots(store)[0])
    write_card(result)
    card = (result.folder / "README.md").read_text(encoding="utf-8")
    quality = card.partition("## Data quality\n")[2].partition("## Use")[0]
    assert "Not recorded, so unknown for all models: " in quality
    assert "files" in quality
    assert "Could not be read, so unknown: created_at of 1 model." in quality
    assert "have the id of another, apart from upper and lower case" in quality
    assert "found no implausible" not in quality
    # an import is of a file, not of an API
    assert "The metadata was imported from dump, which recorded public models" in card
    assert "public API of dump" not in card


@pytest.mark.skipif(not Path("/dev/null").is_char_device(), reason="needs a device")
def test_device_is_no_folder(run_cli, db) -> None:
    code, _, errors = run_cli("export", "/dev/null", "--db", db)
    assert (code, "/dev/null is no folder" in errors) == (9, True)


def test_other_folders_are_left_alone(run_cli, db, tmp_path, folder) -> None:
    other_folder = tmp_path / "mine"
    other_folder.mkdir()
    (other_folder / "diary.txt").write_text("dear diary")
    for arguments, code, message in (
        (["export", other_folder, "--db", db], 9, "holds something else"),
        (
            ["import", folder, "--observed-at", "2024-01-01", "--db", other_folder / "x"],
            2,
            "contains its time",
        ),
        (["export", tmp_path / "new", "--db", db, "--snapshot", "7"], 7, "no snapshot 7"),
    ):
        exit_code, _, err = run_cli(*arguments)
        assert exit_code == code, err
        assert message in err
    assert [path.name for path in other_folder.iterdir()] == ["diary.txt"]
