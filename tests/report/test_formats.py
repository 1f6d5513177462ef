"""Report formats: texts, rounding, the JSON contract, and untrusted text from the Hub."""

import io
import json
import re
from datetime import UTC, datetime

import pytest
from dumps import ingest_models

from hfscan.errors import NotFoundError
from hfscan.figures import Definition, Figure, SnapshotView
from hfscan.report import FORMATS, CustomText, Report, ReportRequest, Section, build, format_percent
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files

DAY = datetime(2024, 7, 11, tzinfo=UTC)
ASKED = ReportRequest(2022)
HOSTILE = "</td><script>alert(1)</script>|[x](javascript:y)\x1b[31m`\n# h"


def model(number: int, **rest) -> dict:
    return {
        "_id": f"63000000{number:016x}",
        "id": f"ann/{number}",
        "tags": ["pytorch"],
        "createdAt": "2022-08-19T20:19:12.000Z",
        "downloads": number,
        "pipeline_tag": "fill-mask",
        "library_name": "transformers",
    } | rest


@pytest.fixture
def written(tmp_path):
    """Return a function: models -> the year's report in a format."""
    reports = {}

    def write(
        models, format_, question=ASKED, *, synthetic=None, scope=None, sample=None, strata=None
    ):
        text = json.dumps(models)
        key = (text, question, synthetic, scope, sample, repr(strata))
        if key not in reports:  # of the other formats
            dump = tmp_path / "dump.json"
            dump.write_text(text)
            path = tmp_path / f"{len(reports)}.duckdb"
            with Store.open(path, write=True) as store:
                ingest_files(
                    store,
                    [dump],
                    NewSnapshot(
                        "import",
                        HOSTILE,
                        scope or Scope(),
                        DAY,
                        DAY,
                        None,
                        None,
                        synthetic,
                        sample,
                        sample and "drawn by lot",
                        strata,
                    ),
                )
                view = SnapshotView.choose(store, question.period)
                reports[key] = build(view, question)
        out = io.StringIO()
        FORMATS[format_](reports[key], out)
        return out.getvalue()

    return write


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [
        (1, 2, "50.0 %"),
        (0, 7, "0.0 %"),
        (7, 7, "100.0 %"),
        (1, 1_000_000, "<0.1 %"),
        (999_999, 1_000_000, ">99.9 %"),
        (0, 0, "-"),
    ],
)
def test_share_is_not_rounded_to_0_or_100_percent(numerator, denominator, expected):
    figure = Figure(
        "exclusive", "pytorch", "tag", ("pytorch",), "existing", None, None, "models", None, None,
        numerator, denominator,
    )  # fmt: skip
    assert format_percent(figure.share) == expected


def test_headline_has_numerator_and_denominator(written):
    models = [model(1), model(2), model(3, tags=["tf"]), model(4, tags=[])]
    text = " ".join(written(models, "terminal").split())
    assert (
        "Of the 4 models created from 2 March to 19 August 2022, 3 (75.0 %) support PyTorch or "
        "TensorFlow. Of these, 2 (66.7 % *) support PyTorch only, 1 (33.3 % *) support TensorFlow "
    ) in text
    assert "and models deleted before the snapshot of 11 July 2024." in text
    assert "prove" not in text


def test_headline_states_the_definition(written):
    models = [
        model(1, tags=["safetensors"], siblings=[{"rfilename": "model.safetensors"}],
              config={"model_type": "bert", "architectures": ["BertModel"]}),
        model(2, tags=["tf"], siblings=[{"rfilename": "tf_model.h5"}]),
        model(3, tags=["pytorch"], siblings=[{"rfilename": "README.md"}]),
    ]  # fmt: skip
    expected: dict[Definition, tuple[str, str]] = {
        "tag": ("1 (50.0 % *) support PyTorch only", "TensorFlow if the Hub tags it so."),
        "weights": (
            "1 (50.0 % *) support PyTorch only",
            "TensorFlow if it has weight files for that framework.",
        ),
        "loadable": (
            "1 (33.3 % *) support both",
            "framework can load it without conversion, with transformers 4.",
        ),
    }
    for definition, words in expected.items():
        text = " ".join(
            written(models, "terminal", ReportRequest(2022, definition=definition)).split()
        )
        assert all(phrase in text for phrase in words), text
    figures = json.loads(written(models, "json", ReportRequest(2022, definition="weights")))[
        "figures"
    ]
    assert {one["definition"] for one in figures} == {"weights"}


def test_definition_weights_needs_file_names(written):
    with pytest.raises(NotFoundError, match="no file names"):
        written([model(1)], "md", ReportRequest(2022, definition="weights"))


def test_every_format_labels_synthetic_models(written):
    for format_ in FORMATS:
        assert "SYNTHETIC" in written([model(1)], format_, synthetic="N=1, seed=1")


def test_partial_snapshot_is_labelled(written):
    text = written([model(1)], "terminal", scope=Scope(author="ann"))
    assert "PARTIAL: the snapshot holds only a part of the Hub (author ann)." in text


def test_hub_text_is_not_markup(written):
    models = [model(1, pipeline_tag=HOSTILE, library_name="[red]x[/red]\x1b[31m")]
    terminal = written(models, "terminal")
    assert "\x1b" not in terminal
    assert "[red]x[/red]" in terminal
    markdown = written(models, "md")
    assert "\x1b" not in markdown
    assert not re.search(r"(?<!\\)[<`]", markdown)
    rows = [line for line in markdown.splitlines() if "alert" in line and line.startswith("|")]
    assert rows
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 7 for row in rows)
    figures = json.loads(written(models, "json"))["figures"]
    assert HOSTILE in {figure["group"] for figure in figures}


def test_json_contract(written):
    report = json.loads(written([model(1), model(2, tags=["tf", "pytorch"])], "json"))
    assert list(report)[:4] == ["report", "year", "period", "hfscan_version"]
    assert report["snapshot"]["models"] == 2
    assert report["snapshot"]["complete"] is None
    assert report["figures"][0] == {
        "name": "exclusive",
        "framework": "pytorch",
        "definition": "best",
        "frameworks": ["pytorch", "tensorflow"],
        "population": "created",
        "period": ["2022-01-01", "2023-01-01"],
        "cutoff": "excluded",
        "weight": "models",
        "by": None,
        "group": None,
        "numerator": 1,
        "denominator": 2,
        "share": 0.5,
        "small": True,
        "population_size": 2,
        "coverage": 1.0,
        "covered": ["2022-03-02T23:30:00Z", "2022-08-20T00:00:00Z"],
    }


@pytest.mark.parametrize("format_", FORMATS)
def test_any_document_can_be_a_report(format_):
    rows = ({"backend": "jax", "error": 3.2e-7, "ratio": 1.5}, {"backend": HOSTILE, "ratio": None})
    section = Section(
        "cases",
        "Cases",
        paragraphs=("1 of 2 agrees.",),
        rows=({"error": None, **rows[1]}, rows[0]),
        columns={"backend": "Backend", "error": "Error", "ratio": "Time"},
        formats={"error": "error", "ratio": "ratio"},
    )
    report = Report(
        "parity",
        "Do they agree?",
        (section,),
        text=CustomText("Not all agree."),
        glossary={"Error": "Relative L2."},
    )
    out = io.StringIO()
    FORMATS[format_](report, out)
    assert "1 of 2 agrees." in out.getvalue()
    assert "<script>alert" not in out.getvalue() or format_ in ("json", "terminal")
    if format_ == "json":
        assert json.loads(out.getvalue())["tables"][0]["rows"][1] == rows[0]
    else:
        assert "3.2e-07" in out.getvalue()
        assert "1.50" in out.getvalue()
        assert "Not all agree." in out.getvalue()


def test_shares_of_one_population_add_up(written):
    tags = [["pytorch"], ["tf"], ["tf", "pytorch"]]
    models = [model(number, tags=some) for number, some in enumerate(tags)]
    figures = json.loads(written(models, "json"))["figures"]
    cells = {}
    for one in figures:
        if one["name"] in ("exclusive", "shared") and one["denominator"]:
            key = tuple(one[k] for k in ("population", "cutoff", "weight", "by", "group"))
            cells.setdefault(key, []).append(one)
    assert cells
    for cell in cells.values():
        total = sum(one["numerator"] for one in cell)
        assert total == pytest.approx(cell[0]["denominator"], abs=1e-5)  # votes are fractions


@pytest.mark.parametrize(
    ("kind", "origin", "hub"),
    [
        ("import", "dump.json", "https://huggingface.co"),
        ("crawl", "https://huggingface.co", "https://huggingface.co"),
        ("crawl", "https://hub.example.org/", "https://hub.example.org"),
        ("import", "http://10.0.0.7:8080", "http://10.0.0.7:8080"),  # an export of a crawl
        ("crawl", "javascript:alert(1)", None),
    ],
)
def test_authors_link_to_the_hub_of_the_snapshot(tmp_path, kind, origin, hub):
    path = tmp_path / "h.duckdb"
    ingest_models(path, [model(1), model(2)], kind=kind, origin=origin)
    with Store.open(path) as store:
        report = build(SnapshotView.choose(store, None), ReportRequest(by="author"))
    out = io.StringIO()
    FORMATS["html"](report, out)
    links = set(re.findall(r'<a href="([^"]+)" rel="[^"]+">ann</a>', out.getvalue()))
    assert links == ({f"{hub}/ann"} if hub else set())


def test_year_needs_creation_dates(written):
    old = {"modelId": "a/b", "tags": ["pytorch"]}
    assert "Of the 1 model" in written([old], "md", ReportRequest(None))
    with pytest.raises(NotFoundError, match=r"no creation dates.*--year"):
        written([old], "md")


def test_year_outside_the_scope_is_refused(written):
    scope = Scope(since=datetime(2023, 1, 1, tzinfo=UTC))
    with pytest.raises(NotFoundError, match="No snapshot covers the requested period"):
        written([model(1)], "json", scope=scope)


def test_sample_is_labelled_with_intervals(written):
    """Ten strata of ten models, each of one framework, which changes four times."""
    starts = [datetime(2022, 8, 1 + n, tzinfo=UTC) for n in range(10)]
    models = [
        model(
            n,
            createdAt=f"{starts[n // 10]:%FT%T.000Z}",
            tags=["tf" if n // 10 in (2, 7) else "pytorch"],
        )
        for n in range(100)
    ]
    text = " ".join(written(models, "terminal", sample=0.1, strata=starts).split())
    assert "SAMPLE: drawn by lot. Brackets contain 95 % confidence intervals" in text
    # variance 4 * 10**2 / 2 / 100**2 = 0.02; of 100 independent models 0.8 * 0.2 / 100 = 0.0016
    assert "DESIGN EFFECT: 12.5." in text
    assert "the 100 models of the headline say as much as 8 drawn independently" in text
    figure = json.loads(written(models, "json", sample=0.1, strata=starts))["figures"][0]
    assert figure["design_effect"] == 12.5
    # of 8.9 models (8 of a tenth of all); t = 3.18 of 3 degrees of freedom, as two strata decide
    assert figure["interval"] == pytest.approx([0.3079, 0.9730], abs=0.001)
    assert f"{figure['interval'][0]:.1%}".replace("%", " %") in text
    # without file names, the classes of all models are those of the tags
    (total, *_) = json.loads(written(models, "json", sample=0.1, strata=starts))["breakdown"]
    assert (total["class"], total["interval"]) == ("pytorch_only", figure["interval"])
    assert total["design_effect"] == pytest.approx(12.5)
    unknown = json.loads(written(models, "json", sample=0.1))
    assert "strata are not recorded" in unknown["notes"][0]
    for plain in (unknown, json.loads(written(models, "json"))):
        assert not {"interval", "design_effect"} & plain["figures"][0].keys()


def test_small_counts_are_marked(written):
    models = [model(n) for n in range(990)] + [model(n, tags=["tf"]) for n in range(990, 1_100)]
    models += [model(n, tags=["tf", "pytorch"]) for n in range(1_100, 1_105)]
    for format_ in ("terminal", "md", "html"):
        text = " ".join(written(models, format_).replace("\\", "").split())
        assert "* Small counts: a few models more or less" in text
        assert re.search(r"0\.5\s%\s\*", text)
        assert re.search(r"990 \(89\.6\s%\) support", text)
    figures = json.loads(written(models, "json"))["figures"]
    marks = {figure["framework"] or figure["name"]: figure["small"] for figure in figures[:2]}
    assert marks == {"pytorch": False, "tensorflow": False}
    shared = [one for one in figures if one["name"] == "shared" and one["denominator"] == 1_105]
    assert {one["small"] for one in shared} == {True}


def test_small_counts_are_of_models(written):
    """Few models with many downloads are small counts; many with few are not."""
    models = [model(n, downloads=1) for n in range(200)]
    models += [model(n, tags=["tf"], downloads=1_000) for n in range(200, 210)]
    report = json.loads(written(models, "json", ReportRequest(2022, weight="downloads")))
    assert [(figure["numerator"], figure["small"]) for figure in report["figures"][:2]] == [
        (200, False),
        (10_000, True),
    ]
    marks = {row["class"]: row["small"] for row in report["breakdown"] if row["group"] is None}
    assert marks["both"]  # may have some
    assert (marks["no_weights"], marks["files_unknown"]) == (False, True)
    unknown = [row for row in report["breakdown"] if row["class"] == "no_weights"]
    assert {(row["numerator"], row["share"]) for row in unknown} == {(None, None)}
    files = [{"rfilename": "model.bin"}]
    named = json.loads(written([one | {"siblings": files} for one in models], "json"))["breakdown"]
    marks = {row["class"]: row["small"] for row in named if row["group"] is None}
    assert (marks["no_weights"], marks["files_unknown"]) == (True, False)


def test_sum_of_other_frameworks_is_marked(written):
    models = [model(n) for n in range(990)] + [model(n, tags=["jax"]) for n in range(990, 1_000)]
    text = " ".join(written(models, "terminal").split())
    assert "another framework only" in text
    assert "Hub tags, with JAX 99.0 % 0.0 % * 1.0 % * 0.0 % * 1,000" in text


def test_exclude_top_authors_and_author_weight(written):
    models = [model(n) for n in range(9)] + [model(9, id="bob/x", tags=["tf"])]
    votes = json.loads(written(models, "json", ReportRequest(2022, weight="authors")))["figures"]
    assert (votes[0]["numerator"], votes[0]["denominator"]) == (1.0, 2.0)
    without = json.loads(written(models, "json", ReportRequest(2022, exclude_top_authors=1)))[
        "figures"
    ]
    assert (without[0]["numerator"], without[0]["denominator"]) == (0, 1)
    assert without[0]["exclude_top_authors"] == 1


def test_requested_grouping_replaces_the_others(written):
    models = [model(1, tags=["pytorch", "license:mit"]), model(2, tags=["tf", "en", "fr"])]
    report = json.loads(written(models, "json", ReportRequest(2022, by="license")))
    assert {one["by"] for one in report["figures"]} == {None, "license"}
    assert {one["group"] for one in report["figures"]} == {None, "mit", "(none)"}
    languages = json.loads(written(models, "json", ReportRequest(2022, by="language")))["figures"]
    assert {one["group"] for one in languages} == {None, "(several)", "(none)"}
    with pytest.raises(NotFoundError, match="has no model_type"):
        written(models, "md", ReportRequest(2022, by="architecture"))
