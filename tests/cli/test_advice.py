"""Messages say what is wrong with a name or path, and what to do; counts agree with nouns."""

import sys
from datetime import UTC, datetime

import pytest
from dumps import ingest_models

import hfscan


@pytest.fixture
def db(tmp_path):
    path = tmp_path / "h.duckdb"
    ingest_models(path, [{"id": "ann/a", "tags": ["pytorch"]}])
    return path


@pytest.fixture
def read_error(run_cli, db):
    """Return a function that runs a command which must fail, and returns its message."""

    def read(*arguments):
        code, out, err = run_cli(*arguments, "--db", db)
        assert (code != 0, out) == (True, "")
        return " ".join(err.split())

    return read


@pytest.mark.skipif(sys.platform != "linux", reason="/proc and /dev/stdout")
def test_places_that_take_no_file_are_named(read_error, db):
    for arguments, advice in (
        (("export", "/proc/x"), "choose another folder"),
        (("report", "--out", "/proc/x.html"), "choose another --out"),
        (("lineage", "ann/a", "--out", "/proc/x.json"), "choose another --out"),
        (("query", "formats", "--out", "/proc/x.csv"), "choose another --out"),
    ):
        assert f"No file can be made in /proc: {advice}, and run" in read_error(*arguments)
    assert "/dev/null is no folder. Name a new folder" in read_error("export", "/dev/null")
    message = read_error("report", "--out", "/dev/null")
    assert "--out /dev/null is no regular file. To write a report to stdout, omit --out" in message


def test_file_on_the_way_is_named(read_error, tmp_path):
    (tmp_path / "file").touch()
    for arguments, advice in (
        (("export", "file/x"), "choose another folder"),
        (("export", "file/x/y"), "choose another folder"),
        (("report", "--out", "file/x.html"), "choose another --out"),
    ):
        text = f"file is a file, not a folder: {advice}, and run the same command again."
        assert text in read_error(*arguments)


def test_empty_names_are_refused(read_error, db):
    assert "The name is empty. Give a model (OWNER/NAME)" in read_error("show", "")
    assert "The name is empty. Give a model (OWNER/NAME)" in read_error("show", "family: ")
    for command in ("explain", "lineage"):
        assert "The name of the model is empty." in read_error(command, "")
    assert "The name is empty. Name a folder." in read_error("export", "")
    assert "The name is empty. Name a file." in read_error("query", "formats", "--out", "")
    with hfscan.open_database(db) as database:
        for call in (database.history, database.events, database.explain, database.lineage):
            with pytest.raises(hfscan.InvalidRequestError, match="is empty"):
                call(" ")


@pytest.mark.parametrize("name", ["account:ann", "author:ann", "model:ann"])
def test_unknown_prefix_leads_to_the_name_alone(read_error, name):
    message = read_error("show", name)
    assert f"There is no prefix '{name.removesuffix('ann')}', only 'family:'" in message
    assert message.endswith("Give the name of a model or an account alone: ann")


def test_environment_is_named_only_where_the_value_is_from_there(run_cli, tmp_path, monkeypatch):
    _, _, err = run_cli("snapshots", "--db", tmp_path)
    assert "Invalid value for '--db':" in err
    monkeypatch.setenv("HFSCAN_DB", str(tmp_path))
    _, _, err = run_cli("snapshots")
    assert "Invalid value for '--db' (env var: 'HFSCAN_DB'):" in err


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("ann/a", "classify takes a model as an object of the Hub's API .*, not 'ann/a'"),
        (["ann/a"], "classify takes a model"),
        (None, "classify takes a model"),
        ({"tags": "pytorch"}, "tags of a model is a list of texts, not 'pytorch'"),
        ({"siblings": "a.bin"}, "siblings of a model is a list of files"),
        ({"id": 5}, "id of a model is a text, not 5"),
        ({"config": []}, "config of a model is a dict"),
    ],
)
def test_classify_refuses_what_is_no_model(model, message):
    with pytest.raises(hfscan.InvalidRequestError, match=message):
        hfscan.classify(model)
    found = hfscan.classify({"tags": ("pytorch",), "siblings": None})
    assert found.tag == frozenset({"pytorch"})


def test_one_is_singular(run_cli, db, tmp_path):
    assert "h.duckdb: 1 snapshot, the latest of 2024-07-11" in run_cli("doctor", "--db", db)[1]
    code, out, err = run_cli("delete", "1", "--yes", "--db", db)
    assert (code, "1 model." in out + err) == (0, True), out + err
    (tmp_path / "dump.json").write_text('[{"id": "ann/a", "tags": [], "other": 1}]')
    _, out, _ = run_cli("import", "dump.json", "--observed-at", "2024-07-11", "--db", "n.duckdb")
    assert "Skipped unknown key 'other' of 1 model." in out
    sql = "FROM range(1001)"
    _, out, _ = run_cli("query", sql, "--db", "n.duckdb")
    assert "\n1 more row. To get all" in out
    many = [{"id": f"ann/{n}", "tags": ["pytorch"]} for n in range(5)]
    for day, models in ((10, many), (11, many[:1])):
        ingest_models(tmp_path / "p.duckdb", models, day=datetime(2024, 7, day, tzinfo=UTC))
    _, _, err = run_cli("query", "formats", "--param", "per=all", "--db", "p.duckdb")
    assert "Snapshot 2 is partial: 1 model, 20.0 % of the 5" in err


def test_bound_of_one_is_a_ratio(run_cli, db):
    _, out, err = run_cli("claims", "onnx-grows", "--format", "md", "--db", db)
    assert "The claim would hold for a ratio of 1 or more" in out, err
    assert "1 times or" not in out
