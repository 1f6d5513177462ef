"""Wrong usage is refused with a suggestion."""

import json
import sys
from datetime import UTC, datetime, timedelta

import click
import pytest
from click.testing import CliRunner
from testhub import FakeHub, Population

import hfscan
from hfscan.api import Records
from hfscan.cli import COMMANDS, cli
from hfscan.cli._command import Command
from hfscan.errors import HfscanError, InvalidRequestError, NotFoundError
from hfscan.figures import GROUPINGS
from hfscan.figures.queries import list_queries, load
from hfscan.parity.backend_files import backend_names
from hfscan.suggest import did_you_mean, unknown


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    folder = tmp_path_factory.mktemp("usage")
    models = [
        {"id": f"{author}/m{number}", "tags": [tag], "pipeline_tag": "fill-mask",
         "createdAt": "2023-08-19T20:19:12.000Z", "downloads": 1}
        for number, (author, tag) in enumerate([("ann", "pytorch"), ("bob", "tf"), ("eve", "tf")])
    ]  # fmt: skip
    (folder / "dump.json").write_text(json.dumps(models))
    path = folder / "h.duckdb"
    command = ["import", str(folder / "dump.json"), "--observed-at", "2024-07-11", "--complete"]
    assert CliRunner().invoke(cli, [*command, "--db", str(path)]).exit_code == 0
    return path


def run_refused(db, *arguments):
    """Return the exit code and message of a command that must fail and print nothing."""
    command = [*map(str, arguments), *(["--db", str(db)] if db else [])]
    result = CliRunner().invoke(cli, command)
    assert result.stdout == ""
    error = result.exception
    assert not isinstance(error, AssertionError)
    if isinstance(error, HfscanError):
        return error.exit_code, str(error)
    assert isinstance(error, SystemExit), error
    return result.exit_code, result.stderr


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("repot",), "Did you mean 'report'"),
        (("parity", "setp"), "Did you mean 'setup'"),
        (("claims", "--formt", "md"), "Did you mean '--format'"),
        (("frameworks", "pytroch"), "Did you mean 'pytorch'"),
        (("frameworks", "tf"), "Did you mean 'tensorflow'"),
        (("report", "--yer", "2022"), "Did you mean '--year'"),
        (("report", "--by", "tasks"), "Did you mean 'task'"),
        (("trend", "--weight", "download"), "Did you mean 'downloads'"),
        (("crawl", "--tasks", "fill-mask"), "Did you mean '--task'"),
        (("export", "x", "--table", "model"), "Did you mean 'models'"),
    ],
)
def test_mistyped_words_get_a_hint(arguments, hint):
    code, message = run_refused(None, *arguments)
    assert code == 2
    assert hint in message


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (("report", "--frameworks", "tensorflo"), 2, "Did you mean 'tensorflow'"),
        (("report", "--frameworks", "TF"), 2, "Did you mean 'tensorflow'"),
        (("query", "concentration", "--param", "framework=tf"), 2, "Did you mean 'tensorflow'"),
        (("report", "--name", "overvew"), 11, "Did you mean 'overview'"),
        (("report", "--snapshot", "9"), 7, "There is no snapshot 9. Snapshots: 1"),
        (("query", "concentraton"), 2, "Did you mean 'concentration'"),
        (("query", "concentration", "--param", "framework=tensorflo"), 2, "'tensorflow'"),
        (("query", "concentration", "--param", "framwork=tf"), 2, "Did you mean 'framework'"),
        (("query", "exclusivity", "--param", "definition=wights"), 2, "Did you mean 'weights'"),
        (("query", "exclusivity", "--param", "by=tasks"), 2, "Did you mean 'task'"),
        (("query", "exclusivity", "--param", "since=2023-13-01"), 2, "a date, such as"),
        (("query", "concentration", "--param", "top=-1"), 2, "a whole number"),
        (("query", "changes"), 7, "compares two snapshots, and the database has one."),
        (("query", "framework_speed", "--param", "backend=pytorhc"), 2, "Did you mean 'pytorch'"),
        (("query", "exclusivity", "--param", "frameworks=tensorfow"), 2, "'tensorflow'"),
        (("query", "concentration", "--param", "top=NULL"), 2, "cannot be NULL"),
        (("query", "SELECT 1", "--param", "a=1"), 2, "has no parameter a. Declare it"),
        (("query", "changes", "--param", "later=9"), 7, "There is no snapshot '9'"),
        (("report", "--definition", "tag", "--transformers", "4"), 2, "has no effect"),
        (("trend", "--formats", "--frameworks", "tensorfow"), 2, "'tensorflow'"),
        (("explain", "ann/m01"), 7, "Similar names: ann/m0"),
        (("explain", "no/such"), 7, "has no model 'no/such'"),
        (("delete", "9"), 7, "There is no snapshot 9"),
        (("report", "2022"), 2, "Did you mean --year 2022?"),
        (("report", "--year", "2023", "2022"), 2, "Did you mean --year 2022?"),
        (("report", "--year", "abc"), 2, "'abc' is not a whole number from 2016 to "),
        (("report", "--top", "1.5"), 2, "'1.5' is not a whole number."),
        (("crawl", "--sample", "some"), 2, "'some' is not a number."),
    ],
)
def test_unknown_names_get_a_hint(db, arguments, code, hint):
    exit_code, message = run_refused(db, *arguments)
    assert exit_code == code
    assert hint in message


def test_declared_values_match_choices():
    """The headers of queries declare the values that the code defines."""
    declared = {
        (name, parameter.name): parameter.values
        for name in list_queries()
        for parameter in load(name).parameters
    }
    assert declared["exclusivity", "definition"] == ("tag", "weights", "loadable", "best")
    assert declared["exclusivity", "by"] == GROUPINGS
    assert set(declared["framework_speed", "backend"]) == set(backend_names())
    for (name, key), values in declared.items():
        parameter = next(parameter for parameter in load(name).parameters if parameter.name == key)
        default = parameter.default
        is_closed = not any(value.startswith("<") for value in values)
        assert not values or not is_closed or default is None or default in values


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("report", "--by", "task", "--by", "library"), "was given task and library"),
        (("report", "--year", "2022", "--year", "2023"), "was given 2022 and 2023"),
        (("trend", "--per", "year", "--per", "month"), "--per takes one value"),
        (("crawl", "--files", "--no-files"), "cannot be combined"),
        (("crawl", "--task", "a", "--task", "b"), "--task takes one value, but was given a and b"),
        (("fake-hub", "--models", "4", "--models", "5"), "was given 4 and 5"),
        (("query", "creation_cutoff", "--param", "since=2022-01-01", "--param", "since=2023-01-01"),
         "since was given two values"),
        (("parity", "x", "--backend-python", "flax=a", "--backend-python", "flax=b"),
         "flax was given two values"),
        (("doctor", "--backend-python", "flax=a", "--backend-python", "flax=b"),
         "flax was given two values"),
        (("fake-hub", "--models", "4", "--token", "t=ann", "--token", "t=bob"),
         "t was given two values"),
        (("fake-hub", "--models", "4", "--fault", "500=0.1", "--fault", "500=0.2"),
         "500 was given two values"),
    ],
)  # fmt: skip
def test_two_values_for_one_option_are_refused(arguments, expected):
    code, message = run_refused(None, *arguments)
    assert code == 2
    assert expected in message


@pytest.mark.parametrize(
    "arguments",
    [
        ("fake-hub", "--models", "4", "--token", "ABC"),
        ("fake-hub", "--models", "4", "--token", "=ann"),
        ("parity", "x", "--backend-python", "flax"),
        ("doctor", "--backend-python", "flax"),
        ("query", "model", "--param", "id"),
    ],
)
def test_pair_without_equals_is_refused(arguments):
    code, message = run_refused(None, *arguments)
    assert code == 2
    assert "is not of the form" in message


@pytest.mark.parametrize("command", ["report", "trend", "explain x/y", "export out", "query model"])
def test_as_of_must_not_lie_in_the_future(db, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    day = datetime.now(UTC).date() + timedelta(days=2)
    code, message = run_refused(db, *command.split(), "--as-of", day)
    assert code == 2
    assert "lies in the future" in message
    assert list(tmp_path.iterdir()) == []


def test_as_of_today_is_answered(db):
    today = datetime.now(UTC).date().isoformat()
    result = CliRunner().invoke(cli, ["report", "--db", str(db), "--as-of", today])
    assert result.exit_code == 0


def test_repeated_equal_value_is_accepted(db):
    command = ["report", "--year", "2023", "--year", "2023", "--db", str(db), "--db", str(db)]
    assert CliRunner().invoke(cli, command).exit_code == 0


def test_every_command_refuses_two_values():
    context = click.Context(cli)
    for name in COMMANDS:
        assert isinstance(cli.get_command(context, name), Command), name


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--year", "2023", "--compare-year", "2023"), "is the same as --year"),
        (("--compare-snapshot", "1"), "is the snapshot of the report"),
        (("--compare-year", "2023"), "requires --year"),
        (("--snapshot", "1", "--as-of", "2024-07-11"), "cannot be combined"),
        (("--out", "r.pdf"), "Known: .txt, .md, .json, .html"),
        (("--format", "md", "--out", "r.pdf"), "Known: .txt, .md, .json, .html"),
        (("--format", "csv", "--out", "o.csv"), "need a folder. Use --out o"),
        (("--out", "o.csv"), "need a folder"),
        (("--format", "md", "--out", "x.html"), "name the file x.md"),
        (("--format", "md", "--format", "json", "--out", "x.md"), "need a folder"),
        (("--format", "csv"), "need a folder: give --out"),
        (("--out", ""), "--out is empty"),
        (("--out", "foo."), "ends with a dot"),
        (("--out", "new/foo."), "ends with a dot"),
        (("--frameworks", "pytorch,,tensorflow"), "has an empty name"),
        (("--frameworks", "pytorch,"), "has an empty name"),
        (("--frameworks", ","), "name at least one framework"),
        (("--as-of", "2999-01-01"), "2999-01-01 lies in the future"),
    ],
)
def test_reports_refuse_contradictions(db, tmp_path, monkeypatch, arguments, expected):
    monkeypatch.chdir(tmp_path)
    code, message = run_refused(db, "report", *arguments)
    assert code == 2
    assert expected in " ".join(message.split())
    assert list(tmp_path.iterdir()) == []


def test_out_names_folders_and_files(db, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.d").mkdir()
    (tmp_path / "file").write_text("mine")

    def write_report(*arguments):
        result = CliRunner().invoke(cli, ["report", "--db", str(db), *arguments])
        assert result.exit_code == 0, result.output
        return result.stderr

    assert "report.md" in write_report("--format", "md", "--out", "there.d")
    assert "report.json" in write_report("--format", "json", "--out", "new.d/")
    assert (tmp_path / "new.d" / "report.json").is_file()
    write_report("--out", "r.txt")
    assert (tmp_path / "r.txt").read_text("utf-8").startswith("Frameworks of")
    for name in ("file", "file/"):
        code, message = run_refused(db, "report", "--out", name)
        assert code == 2
        assert "a file with that name exists" in " ".join(message.split())
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("report", "--exclude-top-authors", "5"), "no model is left"),
        (("report", "--name", "claims", "--year", "2023"), "cannot be combined with --year"),
        (("query", "exclusivity", "--param", "since=2024-01-01", "--param", "until=2023-01-01"),
         "must lie before"),
        (("query", "--param", "a=1"), "need a query"),
        (("query", "model", "--dialect", "spark", "--snapshot", "1"), "--dialect prints SQL"),
        (("query", "model", "--snapshot", "1", "--as-of", "2024-07-11"), "cannot be combined"),
        (("explain", "ann/m0", "--snapshot", "1", "--as-of", "2024-07-11"), "cannot be combined"),
    ],
)  # fmt: skip
def test_conflicting_filters_are_refused(db, arguments, expected):
    code, message = run_refused(db, *arguments)
    assert code in (2, 7)
    assert expected in " ".join(message.split())


def test_dialect_needs_a_named_query(db):
    for query in ("SELECT 1", "transitions", "exclusivty"):
        code, _ = run_refused(db, "query", query, "--dialect", "spark")
        assert code == 2, query


@pytest.mark.parametrize("by", ["", 'by = "year"\n'])
def test_top_needs_groups(db, tmp_path, by):
    """Without --by, every month and year is shown: --top does not apply to them."""
    spec_file = tmp_path / "mine" / "report.toml"
    spec_file.parent.mkdir()
    spec_file.write_text(
        'title = "T"\nheadline = "x"\n[[section]]\nname = "x"\ntitle = "X"\n'
        f'population = "requested"\n{by}'
    )
    command = ["report", "--reports", str(tmp_path), "--name", "mine", "--top", "5"]
    code, message = run_refused(db, *command)
    assert code == 2
    assert "--top 5 has no effect" in message


@pytest.mark.parametrize("option", [("--rounds", "9"), ("--variants",), ("--train",)])
def test_timing_options_need_timing(option):
    code, message = run_refused(None, "parity", "--demo", "--no-measure", *option)
    assert code == 2
    assert f"{option[0]} is about timing" in message


def test_empty_crawl_records_nothing(run_cli):
    with FakeHub(Population.synthetic(50, seed=1)) as hub:
        for filters, hint in (
            (("--task", "text-genaration"), "Did you mean 'text-generation'"),
            (("--author", "nosuch"), "Check the spelling"),
            (("--until", "2020-01-01"), "Check period"),
        ):
            code, out, err = run_cli("crawl", *filters, "--endpoint", hub.url)
            assert (code, out) == (7, "")
            assert hint in err
            assert "Nothing was recorded" in err
        code, _, err = run_cli("report")
        assert code == 7
        assert "The database is empty" in err
        assert run_cli("crawl", "--endpoint", hub.url)[0] == 0


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"by": "tasks"}, "Did you mean 'task'"),
        ({"year": 1800}, "No year 1800"),
        ({"definition": "wights"}, "Did you mean 'weights'"),
        ({"population": "creatd"}, "Did you mean 'created'"),
        ({"cutoff": "include"}, "Did you mean 'included'"),
        ({"weight": "download"}, "Did you mean 'downloads'"),
        ({"frameworks": ["pytorh"]}, "Did you mean 'pytorch'"),
        ({"frameworks": []}, "No framework is named"),
        ({"top": 5}, "Name a grouping"),
        ({"exclude_top_authors": -1}, "a whole number"),
        ({"population": "created"}, "no year is given"),
        ({"snapshot": 1, "as_of": datetime(2024, 8, 1)}, "exclude each other"),
        ({"as_of": datetime(2999, 1, 1)}, "2999-01-01.* in the future"),
        ({"as_of": datetime(2999, 1, 1, tzinfo=UTC)}, "2999-01-01.* in the future"),
    ],
)
def test_figures_refuse_unknown_values(db, request_, message):
    with hfscan.open_database(db) as database, pytest.raises(InvalidRequestError, match=message):
        database.figures(**request_)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"exclude_top_authors": 9}, "no model is left"),
        ({"snapshot": 9}, "There is no snapshot 9"),
        ({"as_of": datetime(2020, 1, 1, tzinfo=UTC)}, "2020-01-01"),
    ],
)
def test_figures_without_data_are_not_found(db, request_, message):
    with hfscan.open_database(db) as database, pytest.raises(NotFoundError, match=message):
        database.figures(**request_)


def test_figure_refuses_unknown_names(db):
    with hfscan.open_database(db) as database:
        with pytest.raises(InvalidRequestError, match="Did you mean 'pytorch'"):
            database.figure("exclusive", framework="pytorh")
        with pytest.raises(InvalidRequestError, match="Did you mean 'exclusive'"):
            database.figure("exclusve", framework="pytorch")  # type: ignore[arg-type]
        with pytest.raises(InvalidRequestError, match="Did you mean 'tensorflow'"):
            database.query("concentration", framework="tensorflo")


def test_missing_packages_are_named_for_pip(monkeypatch):
    for package, method in (("pandas", "to_pandas"), ("pyarrow", "to_arrow")):
        monkeypatch.setitem(sys.modules, package, None)  # as if not installed
        with pytest.raises(ImportError, match=f"pip install {package}$"):
            getattr(Records([]), method)()


def test_long_lists_of_names_are_left_to_a_command(db):
    for arguments, command in (
        (("report", "--frameworks", "tensorflo"), "hfscan frameworks"),
        (("query", "concentraton"), "hfscan query"),
        (("claims", "no-such-claim"), "hfscan claims"),
    ):
        message = run_refused(db, *arguments)[1]
        assert message.strip().endswith(f" To list all: {command}")


def test_suggestions_have_one_form():
    assert did_you_mean("repot", ["report", "forget"]) == " Did you mean 'report'?"
    assert did_you_mean("zzz", ["report"]) == ""
    assert unknown("framework", "PyTorh", ["pytorch"]) == (
        "There is no framework 'PyTorh'. Did you mean 'pytorch'? Known: pytorch."
    )
