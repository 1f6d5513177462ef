"""Reports for every framework, format and runtime, alone and with others."""

import io

import pytest
from click.testing import CliRunner
from dumps import ingest_models

import hfscan
from hfscan.cli import cli
from hfscan.errors import InvalidRequestError
from hfscan.figures import FigureRequest, SnapshotView, compare_snapshots, compute_adoption
from hfscan.figures.trend import Measure, Per
from hfscan.frameworks import taxonomy
from hfscan.report import FORMATS, ReportRequest, build, compare, group_table
from hfscan.report.snapshot_tables import measure_tables
from hfscan.report.writers import csv_
from hfscan.store import Store

KEYS = list(taxonomy().titles)


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    """A database of models that support each framework, and of some that support several."""
    path = tmp_path_factory.mktemp("framework_sets") / "h.duckdb"
    tags = [[tag] for entry in taxonomy().frameworks for tag in entry.tags[:1]]
    tags += [["pytorch", "tf", "keras"], ["gguf", "safetensors"], []]
    models = [
        {
            "_id": f"6{year - 2019}000000{number:016x}", "id": f"ann/{year}-{number}",
            "tags": model_tags, "createdAt": f"{year}-08-19T20:19:12.000Z", "downloads": number,
            "pipeline_tag": "fill-mask", "library_name": "transformers",
        }
        for year in (2022, 2023)
        for number, model_tags in enumerate(tags)
    ]  # fmt: skip
    ingest_models(path, models)
    return path


def write_formats(report):
    texts = {}
    for name in ("terminal", "md", "json"):
        buffer = io.StringIO()
        FORMATS[name](report, buffer)
        texts[name] = buffer.getvalue()
    assert list(csv_.report_files(report))
    return texts


@pytest.mark.parametrize("name", [*KEYS, "all"])
def test_each_framework_can_be_compared_alone(db, name):
    with Store.open(db) as store:
        view = SnapshotView.choose(store, None)
        for year in (None, 2023):
            texts = write_formats(build(view, ReportRequest(year, (name,))))
        names = view.find_titles((name,))
        pers: tuple[Per, ...] = ("year", "month")
        for per in pers:
            request = FigureRequest((name,), cutoff="excluded", by=per)
            assert group_table(list(view.compute_exclusivity(request)), per, names).rows
            list(compute_adoption(view, per=per, frameworks=(name,)))
        measures: tuple[Measure, ...] = ("exclusivity", "formats", "breakdown")
        rows = compare_snapshots(view, measures, frameworks=(name,))
        assert all(table.rows for table in measure_tables(rows, names).values())
    if name != "all":
        title = taxonomy().titles[name]
        text = " ".join(texts["terminal"].split())
        assert f"support {title}, " in text or "No model" in text
        breakdown = texts["md"].split("## All ", 1)[1].split("\n## ")[0]
        assert f"{title} only" not in breakdown  # a model may have others


@pytest.mark.parametrize(
    "frameworks",
    [("safetensors", "gguf"), ("keras", "tensorflow"), ("all", "keras"), tuple(KEYS)],
)
def test_frameworks_can_be_compared_together(db, frameworks):
    with Store.open(db) as store:
        view = SnapshotView.choose(store, None)
        report = build(view, ReportRequest(2023, frameworks))
        write_formats(report)
        earlier_report, later_report = (
            build(view, ReportRequest(year, frameworks), name="compare") for year in (2022, 2023)
        )
        write_formats(compare(earlier_report, later_report, view))


@pytest.mark.parametrize("frameworks", ["all", "keras", "safetensors,gguf", "pytorch,pytorch"])
def test_pages_have_charts_for_any_frameworks(db, frameworks):
    command = ["report", "--year", "2023", "--format", "html", "--frameworks", frameworks]
    page = CliRunner().invoke(cli, [*command, "--db", str(db)], catch_exceptions=False).stdout
    assert page.count("<svg") > 5


def test_single_framework_is_not_called_exclusive(db):
    command = ["report", "--year", "2023", "--frameworks", "keras", "--full", "--db", str(db)]
    text = " ".join(CliRunner().invoke(cli, command, catch_exceptions=False).stdout.split())
    assert " Of these, 2 (9.5 % *) support Keras," in text
    assert "Only Keras is compared." in text
    assert "Keras only" not in text.split("Effect of the definition")[0]


def test_single_framework_says_which_models_are_counted(tmp_path):
    """Of five models, one may have weights of any framework; of two with PyTorch, one has both."""
    tags = [["pytorch"], ["pytorch", "tf"], ["tf"], ["gguf"], ["lora"]]
    models = [
        {"id": f"ann/{n}", "tags": names, "createdAt": "2023-12-31T00:00:00.000Z"}
        for n, names in enumerate(tags)
    ]
    ingest_models(tmp_path / "h.duckdb", models)
    options = ["--db", str(tmp_path / "h.duckdb"), "--frameworks", "pytorch"]

    def run_command(*command):
        return CliRunner().invoke(cli, [*command, *options], catch_exceptions=False).stdout

    text = run_command("report")
    assert (
        "Of the 5 models in the snapshot, 4 (80.0 %) have known evidence. Of these, "
        "2 (50.0 % *) support PyTorch, 2 (50.0 % *) do not."
    ) in " ".join(text.split())
    assert "PyTorch (alone or with others) 2 40.0 %" in " ".join(text.split())
    assert "PyTorch only" not in text
    # a model without the tag may support it: here one of five may have any weights
    text = " ".join(run_command("report", "--definition", "tag").split())
    assert "2 (40.0 % *) have the tag PyTorch, 3 (60.0 % *) do not." in text
    assert "those with known tags." in text
    page = " ".join(run_command("report", "--format", "html").replace("\xa0", " ").split())
    assert "<small>2 of 4 models with known evidence</small>" in page
    assert "the models that support PyTorch only" not in page
    by_year = run_command("trend").splitlines()
    assert by_year[0].startswith("Shares are of the models created in the year with known evidence")
    headings = next(
        " ".join(line.split()) for line in by_year if line.startswith("Year of creation")
    )
    assert headings == "Year of creation PyTorch not PyTorch Total Coverage"
    assert " ".join(by_year[-1].split()) == "2023, best evidence 2 (50.0 % *) 2 (50.0 % *) 4 80.0 %"


def test_accounts_are_those_of_the_first_framework(db):
    with Store.open(db) as store:
        report = build(
            SnapshotView.choose(store, None), ReportRequest(2023, ("tensorflow", "pytorch"))
        )
    (section,) = [section for section in report.sections if section.name == "concentration"]
    assert "support TensorFlow only" in (section.note or "")


def test_unknown_and_repeated_frameworks(db):
    with hfscan.open_database(db) as database:
        with pytest.raises(InvalidRequestError, match="Did you mean 'tensorflow'"):
            database.figures(frameworks=["tensorflo"])
        repeated = database.figures(frameworks="pytorch,pytorch,tensorflow")
        assert list(repeated) == list(database.figures())


def test_logs_alone_make_no_format_known_and_reports_say_so(tmp_path, run_cli):
    """Of four models, two have logs; of one of these the tags name nothing else."""
    created = {"createdAt": "2023-05-05T00:00:00.000Z"}
    tags = [["pytorch", "tensorboard"], ["tensorboard"], ["tf"], []]
    models = [{"id": f"ann/{n}", "tags": names, **created} for n, names in enumerate(tags)]
    db = tmp_path / "h.duckdb"
    ingest_models(db, models)
    text = (
        "Total: the models whose file names are known, or whose tags name a framework or format. "
        "TensorBoard logs do not make a framework or format known: models of unknown file names "
        "whose tags name these alone are not counted."
    )
    for options in (("--year", "2023"), ()):
        _, out, _ = run_cli("report", *options, "--full", "--db", db)
        assert text in " ".join(out.split())
    assert text.partition("format. ")[2] in " ".join(
        run_cli("trend", "--formats", "--db", db)[1].split()
    )
    with hfscan.open_database(db) as database:
        counts = {}
        for definition in ("best", "tag"):
            rows = database.query("formats", definition=definition, only="tensorboard")
            counts[definition] = [(row["numerator"], row["denominator"]) for row in rows]
    assert counts == {"best": [(1, 2)], "tag": [(2, 4)]}
    ingest_models(db, [model | {"tags": ["pytorch"]} for model in models])
    assert (
        "TensorBoard" not in run_cli("report", "--full", "--db", db)[1].partition("runtimes by")[2]
    )
