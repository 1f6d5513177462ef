"""`hfscan trend` and `hfscan explain` over small snapshots."""

import csv
import io
import json
import re
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from dumps import ingest_models

from hfscan.cli import cli
from hfscan.errors import NotFoundError
from hfscan.scope import Scope

BERT = {
    "id": "ann/bert",
    "tags": ["pytorch"],
    "library_name": "transformers",
    "createdAt": "2022-08-19T20:19:12.000Z",
    "config": {"model_type": "bert", "architectures": ["BertModel"]},
    "siblings": [{"rfilename": "model.safetensors"}, {"rfilename": "a/B.TFLITE"}],
}


@pytest.fixture
def run_command(tmp_path):
    """Return a function that runs a command; its `import_day` imports models of a day."""
    db = tmp_path / "h.duckdb"

    def import_day(day, *models):
        ingest_models(db, models, day=datetime.fromisoformat(day).replace(tzinfo=UTC))

    def invoke(*arguments):
        command = [*map(str, arguments), "--db", str(db)]
        return CliRunner().invoke(cli, command, catch_exceptions=False)

    def run(*arguments):
        return invoke(*arguments).stdout

    run.import_day, run.invoke = import_day, invoke  # type: ignore[attr-defined]
    return run


def make_keras_model(name, **fields):
    return {"id": name, "tags": ["tf"], "createdAt": "2023-01-02T00:00:00.000Z"} | fields


def test_trend_per_year_of_creation(run_command):
    run_command.import_day(
        "2024-01-01",
        BERT,
        make_keras_model("ann/k"),
        make_keras_model("ann/both", tags=["tf", "pytorch"]),
    )
    rows = json.loads(run_command("trend", "--format", "json"))
    shares = {
        (row["group"], row["name"], row["framework"]): (row["numerator"], row["denominator"])
        for row in rows
    }
    assert shares["2022", "exclusive", "pytorch"] == (1, 1)
    assert shares["2023", "exclusive", "tensorflow"] == shares["2023", "shared", None] == (1, 2)
    assert "2023" in run_command("trend", "--format", "md")


def test_trend_shows_tags_beside_the_best_evidence(run_command):
    untagged = make_keras_model("ann/st", tags=["safetensors"], library_name="transformers")
    run_command.import_day("2024-01-01", make_keras_model("ann/k"), untagged)
    rows = json.loads(run_command("trend", "--format", "json"))
    shares = {
        row["definition"]: (row["numerator"], row["denominator"])
        for row in rows
        if (row["name"], row["framework"]) == ("exclusive", "pytorch")
    }
    assert shares == {"tag": (0, 1), "best": (1, 2)}
    table = run_command("trend")
    assert table.index("2023, Hub tags") < table.index("2023, best evidence")
    assert "Coverage" in table
    lines = [line.split() for line in table.splitlines() if line.startswith("2023")]
    # the Hub's tags describe one of two models
    assert [" ".join(line[-3:]) for line in lines] == ["1 50.0 %", "2 100.0 %"]
    notes = run_command.invoke("trend").stderr
    assert "BREAK IN SERIES: since 2023" in notes
    assert "Models older than 2 March 2022 are left out" in notes
    by_downloads = run_command.invoke("trend", "--by-snapshot", "--weight", "downloads").stderr
    assert "docs/data-quality.md" in by_downloads
    assert "older than" not in by_downloads
    assert "BREAK" not in run_command.invoke("trend", "--definition", "best").stderr


def test_shares_by_snapshot_are_in_order_of_time(run_command):
    run_command.import_day("2024-02-01", BERT, make_keras_model("ann/k"))
    run_command.import_day("2023-02-01", BERT)  # imported later, observed earlier
    arguments = ("trend", "--by-snapshot", "--definition", "tag", "--format")
    rows = json.loads(run_command(*arguments, "json"))
    found = {
        (row["measure"], row["observed_at"], row["snapshot"]): (
            row["numerator"],
            row["denominator"],
        )
        for row in rows
        if (row["class"], row["framework"])
        in (("exclusive", "pytorch"), ("available", "pytorch"), ("pytorch_only", None))
        and (row["measure"], row["class"]) != ("exclusivity", "available")
    }
    counts = {("2023-02-01", 2): (1, 1), ("2024-02-01", 1): (1, 2)}
    measures = ("exclusivity", "formats", "breakdown")
    assert found == {(name, *place): n for name in measures for place, n in counts.items()}
    assert list(found) == [(name, *place) for name in measures for place in counts]
    assert {row["coverage"] for row in rows} == {1.0}
    assert len(list(csv.reader(io.StringIO(run_command(*arguments, "csv"))))) == len(rows) + 1


EXPLAINED = {
    (): (
        "of the models created in the year that support PyTorch or TensorFlow (Total). Coverage "
        "is Total's share of all models created in the year.",
        "Hub tags: a model counts if the Hub tags it so.",
        "Best evidence: a model counts if its weight files say so, or",
    ),
    ("--per", "month", "--weight", "downloads"): (
        "of the downloads in 30 days of models created in the month that support PyTorch or",
    ),
    ("--definition", "loadable", "--frameworks", "jax"): (
        "of the models created in the year of which it is known what can load them (Total).",
        "Loadable: a model counts if that framework can load it without conversion, with "
        "transformers 4.",
    ),
    ("--formats",): (
        "of the models created in the year whose file names are known, or whose tags name a "
        "framework or format (Total). Coverage is Total's share of all models created in the year.",
        "Best evidence: a model counts if",
    ),
    ("--by-snapshot",): (
        "of the models in the snapshot that support PyTorch or TensorFlow (Total).",
        "of the models in the snapshot whose file names are known, or whose tags name a",
        "of all models in the snapshot (Total). Each model is in one class, by its best evidence.",
    ),
    ("--by-snapshot", "--definition", "loadable"): ("conversion, with transformers 4.",),
}  # fmt: skip


@pytest.mark.parametrize("arguments", EXPLAINED, ids=" ".join)
def test_trend_says_of_what_its_shares_are(run_command, tmp_path, arguments):
    """The table and the page name the total, the definition and the coverage."""
    run_command.import_day("2024-01-01", BERT, make_keras_model("ann/k"))
    run_command("trend", *arguments, "--out", tmp_path / "trend.html")
    page = re.sub("<[^>]+>", " ", (tmp_path / "trend.html").read_text("utf-8"))
    for source in (run_command("trend", *arguments), page):
        text = " ".join(source.replace("\xa0", " ").replace("&#39;", "'").split())
        for part in EXPLAINED[arguments]:
            assert part in text


@pytest.mark.parametrize("options", [("--formats",), ("--definition", "best")], ids=" ".join)
def test_command_on_the_page_of_a_trend_repeats_its_numbers(run_command, tmp_path, options):
    """By tags, the numbers are others: the safetensors are of no framework."""
    untagged = make_keras_model("ann/st", tags=["safetensors"], library_name="transformers")
    run_command.import_day("2024-01-01", make_keras_model("ann/k"), untagged)
    run_command("trend", *options, "--out", tmp_path / "trend.html")
    page = (tmp_path / "trend.html").read_text("utf-8")
    (command,) = re.findall("<code>hfscan (query [^\n<]+)", page)
    counts = [
        {(row["framework"], row["numerator"], row["denominator"]) for row in json.loads(text)}
        for text in (
            run_command("trend", *options, "--format", "json"),
            run_command(*command.split(), "--format", "json"),
        )
    ]
    assert counts[0] == counts[1]
    assert ("pytorch", 1, 2) in counts[0]


def test_trend_by_snapshot_of_one_framework_shows_models_without_it(run_command):
    run_command.import_day("2024-01-01", BERT, make_keras_model("ann/k"))
    table = run_command("trend", "--by-snapshot", "--frameworks", "pytorch", "--format", "md")
    assert "PyTorch only" not in table
    assert "\n| not PyTorch | 50.0 % \\* | 50.0 % \\* |\n| Total | 2 | 2 |\n" in table


def test_trend_by_snapshot_marks_flagged_days(run_command):
    """A part of the models of 8 February is missing, and one of these names no framework."""
    many = [make_keras_model(f"ann/k{n}") for n in range(9)]
    silent = make_keras_model("ann/silent", tags=[])
    run_command.import_day("2024-02-01", BERT, silent, *many)
    run_command.import_day("2024-02-08", BERT | {"tags": ["pytorch", "onnx"]}, silent)
    result = run_command.invoke("trend", "--by-snapshot", "--format", "md")
    parts = result.stdout.removeprefix("*").split("\n\n*")
    tables = {title: table for title, _, table in (part.split("\n\n") for part in parts)}
    exclusivity, formats, breakdown = tables.values()
    assert tables["Framework exclusivity*"] == exclusivity
    assert "| 2024-02-08, snapshot 2, partial, best evidence |" in exclusivity
    assert "\n| PyTorch only | 10.0 % \\* | 10.0 % \\* | 100.0 % \\* | 100.0 % \\* |" in exclusivity
    for table in (formats, breakdown):
        assert table.startswith("|  | 2024-02-01, snapshot 1 | 2024-02-08, snapshot 2, partial |")
    assert "\n| PyTorch | 10.0 % \\* | 100.0 % \\* |" in formats
    assert "\n| TensorFlow | 90.0 % \\* | 0.0 % \\* |" in formats
    assert formats.endswith("| Total | 10 | 1 |\n| Coverage | 90.9 % | 50.0 % |")
    assert "\n| PyTorch only | 9.1 % \\* | 50.0 % \\* |" in breakdown
    assert "\n| files unknown | 9.1 % \\* | 50.0 % \\* |" in breakdown
    assert "Implausible data: 2024-02-08 (partial)." in result.stderr
    only = run_command("trend", "--by-snapshot", "--formats", "--format", "md")
    assert only.partition("\n\n|")[2].rstrip() == formats.removeprefix("|")


def test_trend_by_snapshot_leaves_out_days_without_evidence(run_command):
    """Unknown tags are not a share of 0."""
    run_command.import_day("2024-02-01", {"id": "ann/x", "createdAt": "2023-01-02T00:00:00.000Z"})
    run_command.import_day("2024-03-01", BERT)
    arguments = ("trend", "--by-snapshot", "--definition", "tag", "--format", "json")
    rows = json.loads(run_command(*arguments))
    days = {measure: {row["observed_at"] for row in rows if row["measure"] == measure}
            for measure in ("exclusivity", "formats", "breakdown")}  # fmt: skip
    both = {"2024-02-01", "2024-03-01"}
    assert days == {"exclusivity": {"2024-03-01"}, "formats": {"2024-03-01"}, "breakdown": both}


def test_trend_by_snapshot_says_where_totals_differ(run_command):
    """Of one model without tags, the first list does not say whether it has weights."""
    silent = {"id": "ann/x", "tags": []}
    tagged = {"id": "ann/t", "tags": ["pytorch"]}
    run_command.import_day("2024-02-01", tagged, silent)
    files = [{"rfilename": "README.md"}]
    run_command.import_day("2024-03-01", tagged, silent | {"siblings": files})
    text = run_command.invoke("trend", "--by-snapshot").stderr
    assert "UNEVEN TOTALS: the lists of 2024-02-01 have no file names." in text
    assert (
        "UNEVEN" not in run_command.invoke("trend", "--by-snapshot", "--definition", "tag").stderr
    )
    rows = json.loads(run_command("trend", "--by-snapshot", "--formats", "--format", "json"))
    assert {(row["observed_at"], row["denominator"]) for row in rows} == {
        ("2024-02-01", 1), ("2024-03-01", 2),
    }  # fmt: skip


def test_trend_by_snapshot_tells_zero_from_unknown(run_command):
    """The list of 1 February has no file names, and only these show MindSpore."""
    run_command.import_day("2024-02-01", {"id": "ann/t", "tags": ["pytorch"]})
    files = [{"rfilename": "model.mindir"}]
    run_command.import_day("2024-03-01", {"id": "ann/m", "tags": [], "siblings": files})
    run_command.import_day("2024-04-01", BERT)
    arguments = ("trend", "--by-snapshot", "--formats", "--format", "json", "--frameworks")
    rows = json.loads(run_command(*arguments, "jax,mindspore"))
    shares = {(row["framework"], row["observed_at"]): row["share"] for row in rows}
    assert shares == {
        ("jax", "2024-02-01"): 0.0, ("jax", "2024-03-01"): 0.0, ("jax", "2024-04-01"): 0.0,
        ("mindspore", "2024-03-01"): 1.0, ("mindspore", "2024-04-01"): 0.0,
    }  # fmt: skip
    by_tags = json.loads(run_command(*arguments, "mindspore", "--definition", "tag"))
    assert by_tags == []


def test_report_has_transitions_of_earlier_models(run_command):
    run_command.import_day("2023-02-01", BERT, make_keras_model("ann/k"))
    assert "transitions" not in run_command("report", "--format", "json")  # nothing is earlier
    run_command.import_day(
        "2024-02-01", BERT | {"tags": ["pytorch", "tf"]}, make_keras_model("ann/new")
    )
    for options in (["--year", "2022"], []):
        tables = json.loads(
            run_command("report", *options, "--definition", "tag", "--format", "json")
        )["tables"]
        (table,) = [table for table in tables if table["name"] == "transitions"]
        assert {(row["before"], row["after"], row["models"]) for row in table["rows"]} == {
            ("pytorch", "pytorch + tensorflow", 1),
            ("tensorflow", "(not in snapshot)", 1),
            ("(not in snapshot)", "tensorflow", 1),
        }
    page = run_command("report", "--definition", "tag", "--format", "html")
    assert "Models in the snapshot of 1 February 2023" in re.sub(r"</?span[^>]*>", "", page)
    assert 'aria-label="group -; before' not in page
    label = "Before TensorFlow only; After (not in snapshot); Models 1"
    assert f'aria-label="{label}"' in page


def test_unknown_files_are_not_counted_as_no_support(run_command):
    """A list without file names and format tags does not say what a model supports."""
    unknown = {"id": "ann/lora", "tags": ["lora"], "library_name": "diffusers",
               "createdAt": "2023-01-02T00:00:00.000Z"}  # fmt: skip
    run_command.import_day("2024-01-01", make_keras_model("ann/k"), unknown)
    report = run_command("report", "--year", "2023", "--frameworks", "tensorflow")
    assert (
        "Of the 2 models created in 2023, 1 (50.0 %) have known evidence. Of these, "
        "1 (100.0 % *) support TensorFlow, 0 (0.0 % *) do not."
    ) in " ".join(report.split())
    assert re.search(r"files unknown +1 ", report)


def test_files_answer_without_tags(run_command):
    model = {"id": "ann/m", "createdAt": "2023-01-02T00:00:00.000Z",
             "siblings": [{"rfilename": "pytorch_model.bin"}]}  # fmt: skip
    run_command.import_day("2024-01-01", model)
    report = " ".join(run_command("report", "--full", "--year", "2023").split())
    assert "1 (100.0 % *) support PyTorch only" in report
    assert "The snapshot has no tags" in report
    assert "Hub tags" not in run_command("trend")


def test_trend_of_formats(run_command):
    run_command.import_day(
        "2024-01-01", BERT | {"tags": ["safetensors"]}, make_keras_model("ann/k")
    )
    rows = list(csv.DictReader(io.StringIO(run_command("trend", "--formats", "--format", "csv"))))
    shares = {(row["period"], row["framework"]): row["share"] for row in rows}
    assert shares["2022", "safetensors"] == "1.0"
    assert shares["2023", "safetensors"] == "0.0"
    weights_text = run_command(
        "trend", "--formats", "--definition", "weights", "--frameworks", "tflite"
    )
    assert "LiteRT" in weights_text
    assert "Safetensors" not in weights_text


def test_loadable_assumes_the_release_of_the_snapshot(run_command):
    run_command.import_day("2024-01-01", BERT)
    run_command.import_day("2026-02-01", BERT)

    def shares(*options):
        rows = json.loads(
            run_command("trend", "--definition", "loadable", "--format", "json", *options)
        )
        return {
            (row["transformers"], row["framework"]): row["share"]
            for row in rows
            if row["name"] == "available"
        }

    old, new = ("--snapshot", "1"), ("--snapshot", "2")
    assert shares(*old) == {(4, "pytorch"): 1.0, (4, "tensorflow"): 1.0}
    assert shares(*new) == {(5, "pytorch"): 1.0, (5, "tensorflow"): 0.0}
    assert shares(*new, "--transformers", "4") == shares(*old)
    assert shares(*old, "--transformers", "5") == shares(*new)
    by_snapshot = json.loads(
        run_command("trend", "--definition", "loadable", "--by-snapshot", "--format", "json")
    )
    shares_by_snapshot = {  # one series, one release
        row["snapshot"]: row["share"]
        for row in by_snapshot
        if (row["measure"], row["class"]) == ("exclusivity", "available")
        and row["framework"] == "tensorflow"
    }
    assert shares_by_snapshot == {1: 0.0, 2: 0.0}
    comparison = run_command(
        "report", "--snapshot", "1", "--compare-snapshot", "2", "--definition", "loadable"
    )
    assert "with transformers 5" in " ".join(comparison.split())
    assert "(+0.0 points)" in comparison or "(0.0 points)" in comparison
    query = ("query", "exclusivity", "--param", "definition=loadable", "--format", "json")
    for options, tensorflow in (((), 0), (old, 1), (("--param", "transformers=4"), 1)):
        rows = json.loads(run_command(*query, *options))
        found = {(row["name"], row["framework"]): row["numerator"] for row in rows}
        assert found["available", "tensorflow"] == tensorflow
    report = " ".join(run_command("report", "--full", "--definition", "loadable").split())
    assert "if that framework can load it without conversion, with transformers 5." in report
    assert "loadable (transformers 5)" in run_command("report", "--full")


def test_explain_assumes_a_release_of_transformers(run_command):
    run_command.import_day("2026-02-01", BERT, {"id": "ann/none", "tags": ["x"]})
    assert "loadable: PyTorch, safetensors" in run_command("explain", "ann/bert").replace(
        "LiteRT (TF Lite), ", ""
    )
    assert "TensorFlow" in run_command("explain", "ann/bert", "--transformers", "4")
    text = run_command("explain", "ann/none")
    assert "loadable: unknown, because its file names are not known" in text


def test_explain_under_each_definition(run_command):
    run_command.import_day("2024-01-01", BERT)
    rows = json.loads(run_command("explain", "ann/bert", "--format", "json"))
    evidence = {(row["definition"], row["framework"]): row for row in rows}
    assert evidence["tag", "PyTorch"]["evidence"] == "tag pytorch"
    assert evidence["weights", "LiteRT (TF Lite)"]["evidence"] == "file a/B.TFLITE"
    assert ("weights", "TensorFlow") not in evidence
    loadable_evidence = evidence["loadable", "JAX"]
    assert loadable_evidence["evidence"] == (
        "safetensors; transformers; file model.safetensors; BertModel"
    )
    assert "from_pretrained reads safetensors" in loadable_evidence["source"]
    text = run_command("explain", "ann/bert")
    assert "ann/bert in snapshot 1 of 2024-01-01:" in text
    assert "  tag: PyTorch\n" in text


def test_explain_names_what_is_missing(run_command):
    run_command.import_day("2024-01-01", BERT, make_keras_model("bob/k"))
    with pytest.raises(NotFoundError, match=r"has no model 'eve/BERT'. Similar names: ann/bert\."):
        run_command("explain", "eve/BERT")
    assert "weights: unknown, because its file names are not known" in run_command(
        "explain", "bob/k"
    )


def test_partial_snapshot_is_used_with_a_note(tmp_path):
    db = tmp_path / "h.duckdb"
    scope = Scope(since=datetime(2022, 1, 1, tzinfo=UTC), until=datetime(2023, 1, 1, tzinfo=UTC))
    ingest_models(db, [BERT], day=datetime(2024, 7, 1, tzinfo=UTC), scope=scope)
    commands = [
        ["query", "SELECT id FROM census"],
        ["explain", "ann/bert"],
        ["trend"],
        ["export", str(tmp_path / "folder")],
    ]
    for command in commands:
        result = CliRunner().invoke(cli, [*command, "--db", str(db)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert "only part of the Hub's models" in result.stderr
    with pytest.raises(NotFoundError, match="No snapshot covers models of every age"):
        CliRunner().invoke(cli, ["report", "--db", str(db)], catch_exceptions=False)


def test_comparison_names_the_snapshot_of_each_coverage(run_command):
    """Half of the older snapshot's models support a framework compared, all of the newer one's."""
    run_command.import_day("2024-01-01", BERT, make_keras_model("ann/g", tags=["gguf"]))
    run_command.import_day("2024-02-01", BERT)
    text = " ".join(run_command("report", "--snapshot", "1", "--compare-snapshot", "2").split())
    assert "2024-01-01: The shares describe 50.0 % of the models in the snapshot" in text
    assert "2024-02-01: The shares describe 100.0 % of the models in the snapshot" in text


def test_trend_of_formats_has_totals_and_its_snapshot(run_command):
    silent = make_keras_model("ann/silent", tags=[])
    run_command.import_day("2024-01-01", BERT, make_keras_model("ann/k"), silent)
    result = run_command.invoke("trend", "--formats", "--format", "md")
    rows = [line.strip("| ").split(" | ") for line in result.stdout.splitlines()]
    table = {row[0]: row[1:] for row in rows}
    assert table["Total"] == ["1", "1"]
    assert table["Coverage"] == ["100.0 %", "50.0 %"]  # of two models of 2023, one is known
    assert result.stderr.startswith("Snapshot 1 of 1 January 2024, 3 models.\n")


@pytest.mark.parametrize("arguments", [(), ("--formats",), ("--by-snapshot",)], ids=" ".join)
@pytest.mark.parametrize("name", ["trend.md", "trend.txt"])
def test_trend_in_a_file_has_title_snapshot_notes_and_totals(
    run_command, tmp_path, arguments, name
):
    run_command.import_day("2024-01-01", BERT, make_keras_model("ann/k"))
    run_command("trend", *arguments, "--out", tmp_path / name)
    text = " ".join((tmp_path / name).read_text("utf-8").replace("\\", "").split())
    assert text.removeprefix("# ").startswith("How the frameworks of the Hub's models change")
    assert "Snapshot 1 of 1 January 2024: import of dump, 2 models." in text
    assert "BREAK IN SERIES" in text or "--formats" in arguments
    assert "Total" in text
    assert "* Small counts" in text


def test_page_of_a_query_says_what_is_counted(run_command, tmp_path):
    run_command.import_day("2024-01-01", BERT, make_keras_model("ann/k"))
    named = ("query", "concentration", "--param", "framework=tensorflow")
    run_command(*named, "--out", tmp_path / "page.html")
    page = " ".join((tmp_path / "page.html").read_text("utf-8").replace("\xa0", " ").split())
    assert (
        "Account ann: 100.0 % * of the models that support TensorFlow only, by Hub tags; the 1 "
        "largest account together: 100.0 % *"
    ) in page
    assert (
        "Parameters: framework = tensorflow, frameworks = pytorch,tensorflow, definition = tag"
        in (page)
    )
    run_command("query", "formats", "--out", tmp_path / "page.html")
    assert "definition = tag" in (tmp_path / "page.html").read_text("utf-8")
