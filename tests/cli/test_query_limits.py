"""`hfscan query`, the Python API and `hfscan mcp` where a result is limited or empty."""

import asyncio
import json
import re
from datetime import UTC, datetime

import pytest
from dumps import ingest_models

import hfscan
from hfscan.figures import list_queries, load
from hfscan.mcp_server import create_server
from hfscan.store import Store


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    """Two snapshots of a model, one made from it, and one of a similar name."""
    path = tmp_path_factory.mktemp("unmatched") / "h.duckdb"
    models = [
        {"id": "ann/a", "tags": ["pytorch"]},
        {"id": "bob/b", "tags": ["tf", "base_model:ann/a", "base_model:eve/gone"]},
    ]
    for day in (10, 11):
        ingest_models(path, models, day=datetime(2024, 7, day, tzinfo=UTC))
    return path


@pytest.fixture
def query(db, run_cli):
    """Return a function that runs a query in this process: exit code, stdout and stderr."""
    return lambda sql, *arguments: run_cli("query", sql, *arguments, "--db", db)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exclusivity", "tag=nosuch"),
        ("group_events", "author=nosuch"),
        ("group_history", "author=nosuch"),
        ("model_events", "model=no/such"),
        ("composition", "since=2030-01-01"),
        ("parity_summary", "run=9"),
    ],
)
def test_parameter_that_matches_nothing_is_noted(query, name, value):
    text = f"Nothing in the data matches {value.replace('=', ' = ')}."
    for format_ in ("terminal", "csv", "json"):
        code, _, err = query(name, "--param", value, "--format", format_)
        assert (code, text in err) == (0, True), err


def test_unknown_library_to_leave_out_is_noted(query):
    _, _, err = query("formats", "--param", "exclude_library=nosuch", "--param", "per=all")
    assert "No model has the library nosuch: none was left out." in err


def test_result_that_counts_something_has_no_note_of_nothing(query):
    for arguments in (["exclusivity"], ["exclusivity", "--param", "tag=pytorch"], ["breakdown"]):
        assert "Nothing" not in query(*arguments)[2]
    assert query("SELECT 1 AS a WHERE false")[2] == ""


def list_open_texts():
    """Return each parameter of a named query that takes any text, with the query."""
    return [
        (name, parameter.name)
        for name in list_queries()
        for parameter in load(name).parameters
        if parameter.type.startswith("VARCHAR") and not parameter.values
    ]


@pytest.mark.parametrize(("name", "parameter"), list_open_texts())
def test_unknown_text_is_refused_or_noted(query, name, parameter):
    """No query answers for another model, account, tag or library than the one named."""
    code, out, err = query(name, "--param", f"{parameter}=no/such", "--format", "json")
    is_noted = "Nothing in the data matches" in err or "none was left out" in err
    assert code == 2 or (code == 0 and is_noted), (out, err)


def test_similar_models_are_not_taken_for_the_one_named(query, db):
    code, out, err = query("model", "--param", "model=eve/a", "--format", "json")
    assert (code, [row["id"] for row in json.loads(out)]) == (0, ["ann/a"])
    text = "No model of the snapshot is named eve/a. These have similar names."
    assert text in " ".join(err.split())
    assert "similar names" not in query("model", "--param", "model=ann/a")[2]
    with hfscan.open_database(db) as database:
        assert database.query("model", model="eve/a").notes == (text,)
        assert database.query("model", model="ann/a").notes == ()


def test_lineage_invents_no_model(query):
    def list_models(name):
        code, out, err = query("lineage_tree", "--param", f"model={name}", "--format", "json")
        assert code == 0, err
        return [(row["direction"], row["model"]) for row in json.loads(out)]

    assert list_models("no/such") == []
    assert list_models("eve/gone") == [("itself", "eve/gone"), ("down", "bob/b")]
    assert ("up", "eve/gone") in list_models("bob/b")


@pytest.mark.parametrize("name", ["group_events", "group_history", "group_summary"])
def test_group_is_an_account_or_a_family(query, name):
    both = ["--param", "author=ann", "--param", "family=ann/a"]
    for given, verb in (([], "needs"), (both, "takes only")):
        code, out, err = query(name, *given)
        assert (code, out) == (2, "")
        assert f"{name} {verb} one of the parameters author and family." in err
    assert query(name, "--param", "author=ann")[0] == 0


def test_empty_value_of_a_parameter_is_refused(query):
    for name, parameter, choices in (
        ("group_summary", "author", "a value, or NULL for none"),
        ("model", "model", "a value"),
    ):
        code, out, err = query(name, "--param", f"{parameter}=")
        assert (code, out) == (2, "")
        assert f"The parameter {parameter} is empty. Give {choices}." in err


def test_account_is_found_in_other_case(query):
    _, out, err = query("group_history", "--param", "author=ANN", "--format", "csv")
    assert out == query("group_history", "--param", "author=ann", "--format", "csv")[1]
    assert out.count("\n") == 3
    assert "Nothing" not in err


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT count(*) FROM models_in(99)", "There is no snapshot 99."),
        ("FROM models_in(1) JOIN models_in(98 + 1) USING (id)", "There is no snapshot 99."),
        ("FROM models_in(NULL)", "No snapshot is named, or the database has none."),
        ("FROM models_at(9, 9)", "There is no snapshot at position 9 of series 9."),
        (  # of a condition that no unknown value fulfils
            "SELECT count(*) AS n FROM models_at(9, 1) WHERE tag_mask & 1 = 1",
            "There is no snapshot at position 1 of series 9.",
        ),
        ("FROM models_at(1, NULL)", "There is no snapshot at position NULL of series 1."),
        ("FROM known_renames(1, 99)", "There is no snapshot 99."),
        ("FROM known_renames(NULL, 1)", "No snapshot is named, or the database has none."),
    ],
)
def test_unknown_snapshot_is_an_error(query, db, sql, message):
    code, out, err = query(sql)
    assert (code, out) == (7, "")
    assert message in " ".join(err.split())
    with hfscan.open_database(db) as database:
        with pytest.raises(hfscan.NotFoundError, match=f"{re.escape(message)}$"):
            database.query(sql)
        assert [*database.query("SELECT count(*) AS n FROM models_in(2)")] == [{"n": 2}]
        assert [*database.query("FROM known_renames(1, 2)")] == []


@pytest.mark.parametrize("name", ["model", "group"])
def test_report_on_a_subject_needs_one(run_cli, db, name):
    code, _, err = run_cli("report", "--name", name, "--db", db)
    assert code == 7
    assert "is named" in err


def test_python_and_agents_learn_that_nothing_matched(db):
    text = "Nothing in the data matches tag = nosuch."
    with hfscan.open_database(db) as database:
        for options in ({}, {"per_snapshot": True}):
            rows = database.query("exclusivity", tag="nosuch", **options)
            assert rows.notes == (text,)
            assert text in repr(rows)
            assert text in rows._repr_html_()
        assert database.query("exclusivity", tag="pytorch").notes == ()
        assert "Nothing" in repr(database.query("group_events", author="nosuch"))

    async def converse():
        server = create_server(lambda: Store.open(db))
        arguments = {"query": "exclusivity", "parameters": {"tag": "nosuch"}}
        (content,) = (await server.call_tool("query", arguments)).content
        assert json.loads(content.text)["notes"] == [text]
        (content,) = (await server.call_tool("query", {"query": "breakdown"})).content
        assert "notes" not in json.loads(content.text)

    asyncio.run(converse())


@pytest.fixture
def partial_db(tmp_path):
    """A snapshot of 100 models, and one of 7 of them."""
    path = tmp_path / "h.duckdb"
    fields = {"tags": ["pytorch", "base_model:eve/gone"], "createdAt": "2023-01-02T00:00:00.000Z"}
    models = [{"id": f"ann/{number}", **fields} for number in range(100)]
    for day, count in ((10, 100), (11, 7)):
        ingest_models(path, models[:count], day=datetime(2024, 7, day, tzinfo=UTC))
    return path


PARTIAL = "7 models, 7.0 % of the 100 of snapshot 1. A part is missing."


def test_partial_snapshot_is_noted(partial_db, run_cli):
    text = f"Snapshot 2 is partial: {PARTIAL}"
    for sql in ("exclusivity", "changes", "SELECT count(*) FROM census"):
        assert text in " ".join(run_cli("query", sql, "--db", partial_db)[2].split())
    assert "partial" not in run_cli("query", "exclusivity", "--snapshot", 1, "--db", partial_db)[2]
    with hfscan.open_database(partial_db) as database:
        assert text in database.query("exclusivity").notes
        assert text in database.query("changes").notes


@pytest.mark.parametrize(
    "command",
    [
        ("trend",),
        ("trend", "--formats", "--format", "csv"),
        ("lineage", "ann/1"),
        ("lineage", "ann/1", "--format", "mermaid"),
        ("lineage", "ann/1", "--format", "html"),
        ("lineage", "ann/1", "--format", "json"),
        ("frameworks", "--unplaced"),
        ("explain", "ann/1"),
        ("explain", "ann/1", "--format", "json"),
    ],
)
def test_commands_say_that_their_snapshot_is_partial(partial_db, run_cli, command):
    def read(*options):
        _, out, err = run_cli(*command, *options, "--db", partial_db)
        return " ".join((out + err).split())

    assert PARTIAL in read()
    assert PARTIAL not in read("--snapshot", 1)


def test_model_that_a_partial_snapshot_lacks_may_be_on_the_hub(partial_db, run_cli):
    lacks = "It lacks a part of the Hub's models."
    assert lacks in run_cli("explain", "ann/99", "--db", partial_db)[2]
    assert lacks not in run_cli("explain", "ann/none", "--snapshot", 1, "--db", partial_db)[2]


def test_trend_by_snapshot_names_partial_ones_in_every_format(partial_db, run_cli):
    for format_ in ("terminal", "json", "csv"):
        _, _, err = run_cli("trend", "--by-snapshot", "--format", format_, "--db", partial_db)
        assert re.search(r"Implausible data: .*2024-07-11 \(partial", err)


def test_python_and_agents_learn_that_a_snapshot_is_partial(partial_db):
    with hfscan.open_database(partial_db) as database:
        for rows in (
            database.trend(),
            database.lineage("ann/1"),
            database.figures(),
            database.explain("ann/1"),
        ):
            assert any(PARTIAL in note for note in rows.notes)
        assert any("(partial" in note for note in database.trend(by_snapshot=True).notes)
        assert database.lineage("ann/1", snapshot=1).notes == ()

    async def converse():
        server = create_server(lambda: Store.open(partial_db))
        for tool in ("lineage", "explain"):
            (content,) = (await server.call_tool(tool, {"model": "ann/1"})).content
            assert PARTIAL in json.loads(content.text)["notes"][0]

    asyncio.run(converse())


def test_trend_of_a_snapshot_without_models_says_so(partial_db, run_cli):
    ingest_models(partial_db, [], day=datetime(2024, 7, 12, tzinfo=UTC))
    _, _, err = run_cli("trend", "--db", partial_db)
    assert "DATA QUALITY, snapshot 3: 0 models, 0.0 % of the 100 of snapshot 1." in err
    text = "Nothing to show: of the 0 models of snapshot 3, none is counted."
    assert text in err
    code, _, err = run_cli("trend", "--out", "trend.html", "--db", partial_db)
    assert (code, text in err) == (7, True)
    with hfscan.open_database(partial_db) as database:
        assert text in database.trend().notes


def test_trend_of_what_no_snapshot_tells_says_so(partial_db, run_cli):
    arguments = "--by-snapshot --formats --frameworks mindspore --definition tag".split()
    text = "Nothing to show: no snapshot tells which models have these."
    assert text in run_cli("trend", *arguments, "--db", partial_db)[2]
    code, _, err = run_cli("trend", *arguments, "--out", "trend.html", "--db", partial_db)
    assert (code, text in err) == (7, True)
