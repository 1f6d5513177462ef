"""Revisions of a dump on the fake Hub become snapshots, dated by their content."""

import itertools
import struct
from dataclasses import replace
from datetime import timedelta

import pytest
from dump_history import FILE, REPO, START, DumpHistory
from processes import TOKEN, run_hfscan
from testhub import Datasets

from hfscan.errors import HubUnreachableError, InvalidResponseError
from hfscan.fakehub.messages import Response
from hfscan.paths import revision_dir
from hfscan.revisions import import_revisions
from hfscan.store import Store, list_snapshots


@pytest.fixture
def history(tmp_path):
    with DumpHistory.serve(tmp_path) as history:
        yield history


@pytest.fixture
def db(tmp_path):
    return tmp_path / "h.duckdb"


def read_snapshots(db):
    with Store.open(db) as store:
        return list_snapshots(store)


def read_models(db, snapshot=1):
    with Store.open(db) as store:
        return store.execute(f"FROM models_in({snapshot}) ORDER BY id").fetchall()


def count_bytes(history):
    return sum(result.bytes for result in history)


def test_each_day_becomes_a_snapshot(history, db):
    history.commit_days(0, 1, 2)
    results = history.run(db)
    assert [result.ingested.models for result in results] == [101, 102, 103]
    snapshots = read_snapshots(db)
    assert [snapshot.observed_to for snapshot in snapshots] == [
        (START + timedelta(days=day)).replace(tzinfo=None) for day in range(3)
    ]
    assert {snapshot.complete for snapshot in snapshots} == {True}
    assert len({snapshot.series_id for snapshot in snapshots}) == 1


def test_snapshot_equals_import_of_the_file(history, db, tmp_path):
    """Also its digest is the same, so that the file adds nothing."""
    history.commit_days(0)
    history.run(db)
    file = tmp_path / "models.parquet"
    file.write_bytes(history.dataset.files[FILE])
    code, out, err = run_hfscan(
        tmp_path,
        "import",
        file.name,
        "--observed-at",
        "2025-03-03T22:00:00",
        "--db",
        "other.duckdb",
    )
    assert code == 0, err
    assert read_models(db) == read_models(tmp_path / "other.duckdb")
    code, out, err = run_hfscan(
        tmp_path, "import", file.name, "--observed-at", "2025-03-03T22:00:00", "--db", db
    )
    assert "already snapshot 1" in out


def test_only_stored_columns_are_fetched(history, db):
    """cardData, and other parts of config and safetensors, are most of the file."""
    history.commit(0, models=5000)
    (result,) = history.run(db)
    size = len(history.dataset.files[FILE])
    assert result.bytes < size / 2
    assert "cardData" not in result.columns
    assert "tags" in result.columns


def test_last_commit_of_a_day_counts(history, db):
    history.commit(0, models=10)
    history.commit(0, models=20, hour=1.5)
    (result,) = history.run(db)
    assert result.ingested.models == 21


def test_same_content_is_one_snapshot(history, db):
    history.commit(0)
    history.dataset.add_commit({"datasets.parquet": b"x"}, "other", START + timedelta(days=1))
    results = history.run(db)
    assert [result.skipped for result in results] == ["", "same content as snapshot 1"]
    assert results[1].bytes == 0


def test_second_run_fetches_what_is_new(history, db):
    history.commit_days(0, 1)
    history.run(db)
    history.commit_days(2)
    results = history.run(db)
    assert [result.skipped for result in results] == ["imported before"] * 2 + [""]
    assert [result.requests for result in results][:2] == [0, 0]
    assert len(read_snapshots(db)) == 3


def test_token_stays_with_the_hub(history, db):
    history.commit_days(0)
    history.dataset.private = True
    history.run(db, token=TOKEN)
    identities = {
        request.target.startswith("/lfs/"): request.identity for request in history.hub.requests
    }
    assert identities[False] == "ann"
    assert identities[True] != "ann"


def test_interrupted_fetch_goes_on(history, db, monkeypatch):
    """What was fetched of a revision is not fetched again; then nothing is left on the disk."""
    history.commit(0, models=5000)
    monkeypatch.setattr("hfscan.store.dump.chunks._MAX_RANGE", 100_000)
    monkeypatch.setattr("hfscan.store.dump.chunks._MAX_GAP", 0)
    source = history.source()
    read, limit = source.read_range, 4

    def read_some(*arguments):
        nonlocal limit
        limit -= 1
        if not limit:
            raise HubUnreachableError("it broke off")
        return read(*arguments)

    with Store.open(db, write=True) as store:
        from hfscan.revisions import import_revisions

        source.read_range = read_some
        with pytest.raises(HubUnreachableError):
            list(import_revisions(store, source, source.list_commits()))
        first = source.received
        assert first > 0
        source.read_range = read
        (result,) = import_revisions(store, source, source.list_commits())
    whole = DumpHistory.run(history, db.with_name("other.duckdb"))[0].bytes
    assert first + result.bytes == whole
    assert not revision_dir(db).exists()


def test_import_waits_for_the_rate_limit(tmp_path, db):
    with DumpHistory.serve(tmp_path, quota=1, window=2) as history:
        history.commit_days(0)
        (result,) = history.run(db)
        assert 429 in {request.status for request in history.hub.requests}
    assert result.ingested.models == 101


def test_file_without_parquet_is_skipped(history, db):
    history.dataset.add_commit({FILE: b"version https://git-lfs" * 9}, "Upload", START)
    (result,) = history.run(db)
    assert "not a Parquet file" in result.skipped
    assert not read_snapshots(db)
    assert not revision_dir(db).exists()


def test_command_reports_each_revision(history, tmp_path):
    history.commit_days(0, 1)
    code, out, err = run_hfscan(
        tmp_path, "import-history", f"hf://datasets/{REPO}", "--endpoint", history.hub.url
    )
    assert (code, err) == (0, "")
    assert "2025-03-03: snapshot 1, 101 models, 0.1 MB (1 of 2" in out
    assert "(2 of 2)" in out


def serve_file(history, content):
    history.dataset.add_commit({FILE: content}, "Upload", START)


def run_command(history, folder, *options, **variables):
    command = ("import-history", f"hf://datasets/{REPO}", "--endpoint", history.hub.url)
    return run_hfscan(folder, *command, *options, **variables)


def test_counts_of_one_are_singular(history, tmp_path):
    history.commit(0, models=0)
    _, out, _ = run_command(history, tmp_path)
    assert "snapshot 1, 1 model, " in out
    assert "Imported 1 of 1 revision into" in out


def test_plan_shows_progress_on_a_terminal_only(history, tmp_path):
    history.commit_days(0, 1, 2)
    terminal = {"FORCE_COLOR": "1", "TERM": "xterm"}
    _, out, err = run_command(history, tmp_path, "--plan", **terminal)
    assert "Asking for sizes" in err
    assert "Asking" not in out
    assert run_command(history, tmp_path, "--plan") == (0, out, "")


def end_parquet(footer, length=None):
    """Return a file that ends as Parquet files do."""
    stated = len(footer) if length is None else length
    return b"PAR1" + footer + struct.pack("<I", stated) + b"PAR1"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PAR1",
        end_parquet(b"\0" * 16),
        end_parquet(b"\xff" * 300),
        end_parquet(b"\0" * 100, length=(1 << 31) - 1),
    ],
    ids=["empty", "magic only", "zeros", "no footer", "footer of 2 GB"],
)
def test_damaged_file_is_skipped(history, tmp_path, content):
    """The output names the file's damage, not one of the database, which is not made."""
    serve_file(history, content)
    code, out, err = run_command(history, tmp_path)
    assert code == 8
    assert " Parquet file" in out
    assert "None of the revisions can be imported" in err
    assert not (tmp_path / "hfscan.duckdb").exists()
    code, out, err = run_command(history, tmp_path, "--plan")
    assert (code, err) == (0, "")
    assert "how much would be fetched is unknown" in out


def test_columns_outside_of_the_file_are_damage(history, db):
    """Half of the data is missing, and so the footer's offsets are too large."""
    dump = history.write(START, models=5000)
    footer = struct.unpack("<I", dump[-8:-4])[0] + 8
    serve_file(history, dump[: (len(dump) - footer) // 2] + dump[-footer:])
    history.commit_days(1)
    damaged, intact = history.run(db)
    assert "damaged Parquet file" in damaged.skipped
    assert intact.ingested.models == 102


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ("likes", "no column of repo ids (id, modelId, _id); the columns are likes"),
        ("unnest([id][2:]) AS id", "no models"),
        ("{'name': id} AS id", "no models"),
        ("id, 'gradio' AS sdk", "a list of spaces"),
        ("id, 'MIT' AS citation", "a list of datasets"),
    ],
)
def test_file_without_models_is_skipped(history, db, columns, reason):
    """It is no snapshot of a Hub without models."""
    serve_file(history, history.write(START, columns=columns))
    (result,) = history.run(db)
    assert reason in result.skipped
    assert not read_snapshots(db)


@pytest.mark.parametrize(
    "date", ["0001-01-01", "1970-01-01", "-infinity", "infinity", "2099-01-01"]
)
def test_placeholder_dates_do_not_date_a_snapshot(history, db, date):
    columns = f"""* EXCLUDE (i) REPLACE (TIMESTAMP '{date}' AS "lastModified",
        TIMESTAMP '{date}' AS "createdAt")"""
    history.commit(0, dump=history.write(START, columns=columns))
    (result,) = history.run(db)
    assert result.observed_to == START + timedelta(hours=1)


def test_skipped_rows_are_reported(history, tmp_path):
    history.commit(0, dump=history.write(START, columns="coalesce('o/' || i % 9, id) AS id"))
    code, out, err = run_command(history, tmp_path)
    assert (code, err) == (0, "")
    assert "10 models, 91 rows skipped, 0.0 MB" in out


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--since", "2025-03-05", "--until", "2025-03-04"], 2, "--since must be earlier"),
        (["--since", "2030-01-01"], 0, "no revisions between these dates"),
        (["--weekly-mirror"], 8, "no Parquet files in dated folders"),
    ],
)
def test_empty_selection_makes_no_database(history, tmp_path, options, code, words):
    history.commit_days(0, 1)
    result, out, err = run_command(history, tmp_path, *options)
    assert result == code
    assert words in out + err
    assert not (tmp_path / "hfscan.duckdb").exists()


def answer_once(monkeypatch, name, number, response):
    """Let the fake Hub's route `name` answer its request of this number with `response`."""
    route, count = getattr(Datasets, name), itertools.count(1)

    def answer(self, request, **values):
        usual = route(self, request, **values)
        return response(usual) if next(count) == number else usual

    monkeypatch.setattr(Datasets, name, answer)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
@pytest.mark.parametrize("route", ["_commits", "_paths_info", "_read_large"])
def test_transient_errors_are_retried(tmp_path, db, monkeypatch, route, status):
    answer_once(monkeypatch, route, 1, lambda _: Response(status, b"later", {}))
    with DumpHistory.serve(tmp_path) as history:
        history.commit_days(0, 1)
        results = history.run(db)
    assert [result.ingested.models for result in results] == [101, 102]


@pytest.mark.parametrize("status", [404, 410, 416])
def test_content_that_the_storage_lacks_is_skipped(tmp_path, db, monkeypatch, status):
    answer_once(monkeypatch, "_read_large", 1, lambda _: Response(status, b"gone", {}))
    with DumpHistory.serve(tmp_path) as history:
        history.commit_days(0, 1)
        lost, found = history.run(db)
    assert "gone" in lost.skipped
    assert found.ingested.models == 102


@pytest.mark.parametrize(
    "alter",
    [
        lambda usual: usual.with_headers({"content-range": "bytes 0-9/10"}),
        lambda usual: Response(200, usual.body * 2, {}),
        lambda usual: Response(200, usual.body, {}),
        # refused at its headers: the body does not come
        lambda usual: Response(200, usual.body * 2, {}, stall=600, stall_at=9),
    ],
    ids=["other range", "all bytes", "first bytes", "all bytes, stalled"],
)
def test_other_bytes_than_requested_are_refused(tmp_path, db, monkeypatch, alter):
    answer_once(monkeypatch, "_read_large", 1, alter)
    with DumpHistory.serve(tmp_path) as history:
        history.commit(0, models=5000)
        with pytest.raises(InvalidResponseError, match="does not serve parts of files"):
            history.run(db)


def test_response_that_ends_too_early_is_requested_again(tmp_path, db, monkeypatch):
    answer_once(monkeypatch, "_read_large", 1, lambda usual: replace(usual, body=usual.body[:-5]))
    with DumpHistory.serve(tmp_path) as history:
        history.commit(0, models=5000)
        source, notes = history.source(), []
        source._on_wait = notes.append
        with Store.open(db, write=True) as store:
            (result,) = import_revisions(store, source, source.list_commits())
    assert result.ingested.models == 5001
    (text,) = notes
    assert "broke off after" in text


@pytest.mark.parametrize("variables", [{}, {"HF_TOKEN": "hf_" + "w" * 34}], ids=["none", "wrong"])
def test_private_dataset_requires_a_token(history, tmp_path, variables):
    history.commit_days(0)
    history.dataset.private = True
    command = ["import-history", f"hf://datasets/{REPO}", "--endpoint", history.hub.url]
    code, _, err = run_hfscan(tmp_path, *command, **variables)
    assert code == 4
    assert "Private and gated datasets require a token" in err


def test_wait_longer_than_a_run_is_refused(tmp_path, db, monkeypatch):
    refused = Response(429, b"later", {"retry-after": "99999"})
    answer_once(monkeypatch, "_read_large", 1, lambda _: refused)
    with DumpHistory.serve(tmp_path) as history:
        history.commit_days(0)
        with pytest.raises(HubUnreachableError, match="asks to wait 100000 s"):
            history.run(db)
