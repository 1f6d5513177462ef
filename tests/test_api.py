"""The Python API, as a notebook uses it."""

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from dumps import ingest_models

import hfscan
from hfscan.cli import cli
from hfscan.errors import DatabaseError, InvalidRequestError


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "h.duckdb"
    fields = {"createdAt": "2022-08-19T20:19:12.000Z", "library_name": "transformers"}
    tags = [["pytorch"], ["pytorch"], ["tf"], ["tf", "pytorch"], []]
    models = [{"id": f"ann/{n}", "tags": names, **fields} for n, names in enumerate(tags)]
    ingest_models(path, models)
    with hfscan.open(path) as database:
        yield database


def test_figure_has_a_share_and_its_request(database):
    figure = database.figure("exclusive", framework="pytorch", year=2022)
    assert (figure.share, figure.numerator, figure.denominator) == (0.5, 2, 4)
    assert (figure.definition, figure.frameworks) == ("tag", ("pytorch", "tensorflow"))
    assert (figure.population, figure.cutoff) == ("created", "excluded")
    assert database.figure("none", definition="tag").numerator == 1
    assert database.figure("none").definition == "best"
    assert database.figure("shared", frameworks=("pytorch", "tensorflow", "jax")).numerator == 1


def test_tables_become_frames(database):
    figures = database.figures(year=2022, by="library")
    assert {row["group"] for row in figures} == {"transformers"}
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    frame = figures.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.loc[0, "numerator"] == 2
    table = database.query("concentration", top=1).to_arrow()
    assert isinstance(table, pyarrow.Table)
    assert table.column("author").to_pylist() == ["ann"]


def test_unknown_names_are_refused_with_a_hint(database, tmp_path):
    with pytest.raises(InvalidRequestError, match="no compared framework 'torch'"):
        database.figure("exclusive", framework="torch")
    with pytest.raises(InvalidRequestError, match="There is no query"):
        database.query("nope")
    with pytest.raises(DatabaseError, match="hfscan crawl"):
        hfscan.open(tmp_path / "none.duckdb")
    assert [snapshot.models for snapshot in database.snapshots] == [5]


def test_downloads_beyond_a_double_stay_exact(tmp_path):
    """2^53 + 1, which no double represents, is exact in the API, queries, reports, comparisons."""
    path, exact = tmp_path / "h.duckdb", 2**53 + 1
    downloads = {"ann/a": ("pytorch", 2**53), "ann/b": ("pytorch", 1), "bob/c": ("tf", exact)}
    models = [
        {"id": key, "tags": [tag], "downloads": count} for key, (tag, count) in downloads.items()
    ]
    for month in (1, 2):
        ingest_models(path, models, day=datetime(2024, month, 1, tzinfo=UTC))

    def run_command(*arguments):
        result = CliRunner().invoke(cli, [*arguments, "--format", "json", "--db", str(path)])
        return json.loads(result.stdout)

    report = run_command("report", "--weight", "downloads")
    comparison = run_command(
        "report", "--weight", "downloads", "--snapshot", "1", "--compare-snapshot", "2"
    )
    with hfscan.open(path) as database:
        figures = [database.figure("exclusive", framework="pytorch", weight="downloads").as_dict()]
        rows = database.query("exclusivity", weight="downloads")
        assert database.figure("available", framework="tensorflow", weight="authors").share == 0.5
    for table in (
        figures,
        rows,
        run_command("query", "exclusivity", "--param", "weight=downloads"),
        report["figures"],
        comparison["tables"][0]["rows"],
    ):
        assert (table[0]["numerator"], table[0]["denominator"]) == (exact, 2 * exact)
        assert isinstance(table[0]["numerator"], int)
