"""Histories of many revisions: drift of columns, gaps, partial and damaged dumps, renames."""

import csv
import io
from datetime import date, timedelta

import duckdb
import pytest
from click.testing import CliRunner
from dump_history import FILE, REPO, START, DumpHistory
from processes import run_hfscan

from hfscan.cli import cli
from hfscan.store import Store, list_snapshots

pytestmark = pytest.mark.slow

MISSING_DAYS = {7, 8, 9}
PARTIAL_DAYS = {15, 16, 26}
DAMAGED_DAY, REPEATED_DAY, RENAMED_FROM = 22, 23, 18
DAYS = 36


def select_columns(day):
    """Return the SELECT list of a day: columns come, go and change their types."""
    excluded = ["i"]
    if day < 10:
        excluded.append('"downloadsAllTime"')
    if not 12 <= day < 15:
        excluded.append("gated")
    replaced = []
    if day < 4:
        replaced.append("""strftime("createdAt", '%Y-%m-%dT%H:%M:%S.000Z') AS "createdAt" """)
    if day >= 28:
        replaced.append("""("lastModified"::VARCHAR || '+00')::TIMESTAMPTZ AS "lastModified" """)
    if day >= 20:
        replaced.append("list_transform(siblings, lambda f: {'rfilename': f}) AS siblings")
    if day >= 30:
        replaced.append("config::JSON::VARCHAR AS config")
    if day >= RENAMED_FROM:
        replaced.append("CASE id WHEN 'o1/m8' THEN 'moved/m8' ELSE id END AS id")
    return f"* EXCLUDE ({', '.join(excluded)})" + (
        f" REPLACE ({', '.join(replaced)})" if replaced else ""
    )


def write_day(history, day):
    """Return the dump of a day: models are only added."""
    return history.write(
        START + timedelta(days=day),
        models=50 if day in PARTIAL_DAYS else 200 + day,
        columns=select_columns(day),
    )


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """The output of `hfscan import-history`, its database, and the days' dumps."""
    folder = tmp_path_factory.mktemp("history")
    with DumpHistory.serve(folder) as history:
        dumps = {day: write_day(history, day) for day in range(DAYS) if day not in MISSING_DAYS}
        dumps[DAMAGED_DAY] = dumps[DAMAGED_DAY][:5000]
        dumps[REPEATED_DAY] = dumps[REPEATED_DAY - 2]
        for day, dump in dumps.items():
            history.commit(day, dump=dump)
        db = folder / "hfscan.duckdb"
        command = ["import-history", f"hf://datasets/{REPO}", "--endpoint", history.hub.url]
        result = CliRunner().invoke(cli, [*command, "--db", str(db)])
    assert result.exit_code == 0, result.output
    return result.output, db, dumps


def list_days(db):
    with Store.open(db) as store:
        return {snapshot.observed_to.date() - START.date(): snapshot
                for snapshot in list_snapshots(store)}  # fmt: skip


def test_each_readable_day_is_a_snapshot(imported):
    out, db, dumps = imported
    expected = {timedelta(days=day) for day in dumps} - {
        timedelta(days=day) for day in (DAMAGED_DAY, REPEATED_DAY)
    }
    assert list_days(db).keys() == expected
    assert len(expected) >= 30
    lines = out.splitlines()
    damaged, repeated = (
        next(line for line in lines if line.startswith(f"{START.date() + timedelta(days=day)}:"))
        for day in (DAMAGED_DAY, REPEATED_DAY)
    )
    assert "not a Parquet file" in damaged
    assert "same content as snapshot" in repeated


def test_partial_days_are_flagged_and_prove_no_departure(imported):
    out, db, _ = imported
    incomplete = {
        days.days for days, snapshot in list_days(db).items() if snapshot.complete is not True
    }
    assert incomplete == PARTIAL_DAYS
    assert out.count(", partial, ") == len(PARTIAL_DAYS)
    with Store.open(db) as store:
        removed = store.execute("SELECT id FROM removed_models").fetchall()
    assert removed == [("o1/m8",)]  # without _id a renamed model looks gone


def test_changes_of_columns_are_reported(imported):
    out, db, _ = imported
    for text in (
        "Column downloadsAllTime is new: BIGINT.",
        "Column gated is gone.",
        "Column createdAt was VARCHAR and is now TIMESTAMP.",
        "Column siblings was VARCHAR[] and is now STRUCT(rfilename VARCHAR)[].",
        "Column lastModified was TIMESTAMP and is now TIMESTAMP WITH TIME ZONE.",
    ):
        assert out.count(text) == 1, text
    missing = {days.days: snapshot.missing_columns for days, snapshot in list_days(db).items()}
    assert "downloads_all_time" in missing[6]
    assert "downloads_all_time" not in missing[10]


def test_values_survive_changes_of_types(imported):
    """The same model on the first and the last day, but for its rename and what it lacked."""
    _, db, _ = imported
    with Store.open(db) as store:
        rows = [
            store.execute(
                "SELECT id, created_at, tags, files, base_models, parameters, model_type, "
                f"architectures, downloads FROM models_in({snapshot.id}) WHERE id = 'o3/m10'"
            ).fetchall()
            for snapshot in list_snapshots(store)
        ]
    assert len(rows[0]) == 1
    assert all(row == rows[0] for row in rows)


def test_trend_marks_partial_days(imported):
    _, db, _ = imported
    code, out, _ = run_hfscan(db.parent, "trend", "--by-snapshot", "--format", "csv")
    assert code == 0
    days: dict[str, set[date]] = {}
    for row in csv.DictReader(io.StringIO(out)):
        if "partial" in row["flags"]:
            days.setdefault(row["measure"], set()).add(date.fromisoformat(row["observed_at"][:10]))
    partial = {START.date() + timedelta(days=day) for day in PARTIAL_DAYS}
    assert days == dict.fromkeys(("exclusivity", "formats", "breakdown"), partial)


def test_mirror_is_dated_by_its_content(tmp_path):
    """A folder's date begins a week; equal content in two folders is one snapshot."""
    with DumpHistory.serve(tmp_path) as history:
        contents = {
            "2025-03-05": history.write(START + timedelta(days=7)),
            "2025-03-12": history.write(START + timedelta(days=15), models=120),
            "2025-03-19": history.write(START + timedelta(days=15), models=120),
            # its newest date lies after the next folder's: a wrong clock
            "2025-03-26": history.write(START + timedelta(days=40), models=130),
            "2025-04-02": history.write(START + timedelta(days=35), models=140),
        }
        files = {f"models/{day}/{FILE}": dump for day, dump in contents.items()}
        history.dataset.add_commit(files, "Add weeks", START + timedelta(days=60))
        results = history.run(tmp_path / "h.duckdb", folders=True, path="models")
        again = history.run(tmp_path / "h.duckdb", folders=True, path="models")
    assert [result.skipped for result in results] == ["", "", "same content as snapshot 2", "", ""]
    dates = [result.observed_to and result.observed_to.date().isoformat() for result in results]
    assert dates[:2] + dates[4:] == ["2025-03-10", "2025-03-18", "2025-04-07"]
    assert dates[3] == "2024-12-12"  # the newest date before that
    assert {result.skipped for result in again} == {
        "imported before", "same content as snapshot 2"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "days"),
    [
        (["--every", "week"], ["2025-03-09", "2025-03-16", "2025-03-18"]),
        (["--every", "month"], ["2025-03-18"]),
        (["--since", "2025-03-08", "--until", "2025-03-10"], ["2025-03-08", "2025-03-09"]),
    ],
)
def test_options_choose_revisions(tmp_path, options, days):
    with DumpHistory.serve(tmp_path) as history:
        history.commit_days(*range(16))
        code, out, _ = run_hfscan(
            tmp_path, "import-history", f"hf://datasets/{REPO}", "--endpoint", history.hub.url,
            *options,
        )  # fmt: skip
    assert code == 0
    assert [line[:10] for line in out.splitlines() if line.startswith("2025")] == days


def test_plan_states_bytes_and_requests(tmp_path):
    """It imports nothing; an import then fetches about as much."""
    with DumpHistory.serve(tmp_path) as history:
        for day in range(5):
            history.commit(day, models=3000 + day)
        command = ["import-history", f"hf://datasets/{REPO}", "--endpoint", history.hub.url]
        code, out, err = run_hfscan(tmp_path, *command, "--plan")
        assert (code, err) == (0, "")
        assert not (tmp_path / "hfscan.duckdb").exists()
        results = history.run(tmp_path / "hfscan.duckdb")
        _, later, _ = run_hfscan(tmp_path, *command, "--plan")
    assert "ann/hub-stats: 5 revisions, 2025-03-03 to 2025-03-07" in out
    size, estimate = (float(line.split(" MB")[0].split()[-1]) for line in out.splitlines()[1:3])
    fetched = sum(result.bytes for result in results) / 1e6
    assert fetched == pytest.approx(estimate, rel=0.1)
    assert fetched < size / 2
    assert f"in {sum(result.requests for result in results)} requests" in out
    assert "5 imported before" in later


def write_recorded_states(changes, folder):
    """Write the state after each of the recorded snapshots, in the columns of a daily dump."""
    with duckdb.connect() as connection:
        (counts,) = connection.execute(f"SELECT count(DISTINCT seq) FROM '{changes}'").fetchall()
        states = max(7, *counts)  # one of them changes nothing
        for seq in range(states):
            connection.execute(
                f"""
                COPY (
                    SELECT id, author, created_at AS "createdAt", updated_at AS "lastModified",
                        downloads_30d AS downloads, likes, tags, pipeline_tag,
                        library AS library_name, {{'total': parameters}} AS safetensors,
                        repeat('card', 10) AS "cardData"
                    FROM (
                        FROM '{changes}' WHERE seq <= {seq}
                        QUALIFY row_number() OVER (PARTITION BY id ORDER BY seq DESC) = 1
                    )
                    WHERE op <> 'delete' ORDER BY id
                ) TO '{folder}/{seq}.parquet'
                """
            )
    return [folder / f"{seq}.parquet" for seq in range(states)]


def test_recorded_snapshots_equal_single_imports(shared_data, tmp_path):
    """Seven recorded snapshots give the same history as `hfscan import` of each."""
    files = write_recorded_states(shared_data / "hub-2026-08" / "changes.parquet", tmp_path)
    with DumpHistory.serve(tmp_path) as history:
        history.dataset.commits.clear()
        for day, file in enumerate(files):
            history.dataset.add_commit(
                {FILE: file.read_bytes()}, f"Upload {FILE}", START + timedelta(days=600 + day)
            )
        results = history.run(tmp_path / "history.duckdb")
    stored = [result for result in results if result.ingested]
    assert len(stored) == 6  # the second changes nothing
    for file, result in zip([files[0], *files[2:]], stored, strict=True):
        moment = f"{result.observed_to:%Y-%m-%dT%H:%M:%S}"
        code, _, err = run_hfscan(
            tmp_path, "import", file.name, "--observed-at", moment, "--db", "single.duckdb"
        )
        assert code == 0, err
    versions = [
        duckdb.connect(tmp_path / name, read_only=True)
        .execute("SELECT * EXCLUDE (model) FROM versions ORDER BY ALL")
        .fetchall()
        for name in ("history.duckdb", "single.duckdb")
    ]
    assert versions[0] == versions[1]
    for number in range(1, 7):
        models = [
            duckdb.connect(tmp_path / name, read_only=True)
            .execute(f"FROM models_in({number}) ORDER BY key")
            .fetchall()
            for name in ("history.duckdb", "single.duckdb")
        ]
        assert models[0] == models[1]


@pytest.mark.parametrize(
    ("paths", "imported"),
    [
        (["2025-02-30/models.parquet", "9999-12-31/models.parquet", "2025-03-05/a.parquet"], 1),
        (["2025-03-05/a.parquet", "2025-03-05/models.parquet"], 1),
        (["2025-03-05/part-0.parquet", "2025-03-05/part-1.parquet"], 0),
        (["a/2025-03-05/models.parquet", "b/2025-03-05/models.parquet"], 0),
    ],
    ids=["no dates", "other file", "parts", "folders"],
)
def test_mirror_has_one_file_for_each_date(tmp_path, paths, imported):
    """Parts of a dump are not taken for complete ones."""
    with DumpHistory.serve(tmp_path) as history:
        dump = history.write(START + timedelta(days=5))
        files = {f"models/{path}": dump for path in paths}
        history.dataset.add_commit(files, "Add weeks", START + timedelta(days=60))
        code, out, err = run_hfscan(
            tmp_path, "import-history", f"hf://datasets/{REPO}/models", "--weekly-mirror",
            "--endpoint", history.hub.url,
        )  # fmt: skip
    assert (code == 0) == bool(imported), out + err
    assert ("2 Parquet files for 2025-03-05" in err) != bool(imported)
    assert out.count("snapshot 1") == imported
