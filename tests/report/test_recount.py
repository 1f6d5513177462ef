"""Every figure of reports on the recorded models equals a recount in plain Python."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import duckdb
import pytest
import recount
from recount import NEW, OLD, WITH_FILES
from tracing import pause_tracing

from hfscan.figures import FigureRequest, SnapshotView
from hfscan.report import FORMATS, ReportRequest, build
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files

pytestmark = pytest.mark.slow
FRAMEWORKS = ("pytorch", "tensorflow")
FRAMEWORKS_WITH_JAX = (*FRAMEWORKS, "jax")
TOP = {"task": 15, "library": 15, "license": 20, "author": 20, "storage_region": 20}


def build_report(db: Path, tmp_path: Path, snapshot: int, request: ReportRequest) -> dict:
    with Store.open(db) as store:
        view = SnapshotView.choose(store, request.period, snapshot=snapshot)
        report = build(view, request)
    out = tmp_path / "report.json"
    with out.open("w") as file:
        FORMATS["json"](report, file)
    return json.loads(out.read_text())


def asked(figure):
    keys = (
        "definition",
        "transformers",
        "frameworks",
        "population",
        "cutoff",
        "weight",
        "exclude_top_authors",
        "by",
    )
    return tuple(figure.get(key, 0) for key in keys)


def attribute(definition, release):
    """The attribute of `recount.Model` for a definition."""
    return f"loadable_{release}" if definition == "loadable" else definition


@pytest.mark.parametrize(
    ("snapshot", "options"),
    [
        (OLD, ReportRequest(None)),
        (OLD, ReportRequest(None, FRAMEWORKS_WITH_JAX)),
        (OLD, ReportRequest(None, definition="weights")),
        (OLD, ReportRequest(None, definition="loadable", by="author")),
        (
            OLD,
            ReportRequest(
                None, FRAMEWORKS_WITH_JAX, definition="weights", weight="authors", by="license"
            ),
        ),
        (NEW, ReportRequest(None, FRAMEWORKS_WITH_JAX)),
        (NEW, ReportRequest(2022)),
        (NEW, ReportRequest(2022, FRAMEWORKS_WITH_JAX)),
        (NEW, ReportRequest(2022, definition="loadable")),
        (NEW, ReportRequest(2022, exclude_top_authors=20, by="license")),
        (NEW, ReportRequest(2022, weight="authors", by="author")),
        (NEW, ReportRequest(2022, ("all",), by="storage_region")),
        (NEW, ReportRequest(2023)),
        (WITH_FILES, ReportRequest(None, definition="weights")),
        (WITH_FILES, ReportRequest(2022, FRAMEWORKS_WITH_JAX, definition="loadable")),
        (OLD, ReportRequest(None, FRAMEWORKS_WITH_JAX, definition="loadable", transformers=5)),
        (NEW, ReportRequest(2023, FRAMEWORKS_WITH_JAX, definition="loadable", transformers=5)),
        (NEW, ReportRequest(2024, definition="loadable", transformers=4)),
        (
            WITH_FILES,
            ReportRequest(2023, FRAMEWORKS_WITH_JAX, definition="loadable", transformers=5),
        ),
    ],
    ids=str,
)
def test_reports_equal_a_recount(recorded_db, models, tmp_path, snapshot, options):
    report = build_report(recorded_db, tmp_path, snapshot, options)
    compare_with_recount(report, models[snapshot], options)


@pytest.mark.parametrize(
    "options",
    [
        ReportRequest(None),
        ReportRequest(2026, FRAMEWORKS_WITH_JAX),
        ReportRequest(2026, definition="loadable", transformers=4),
        ReportRequest(None, ("all",), definition="loadable", transformers=5, by="license"),
    ],
    ids=str,
)
def test_newest_recording_equals_a_recount(newest_recording, tmp_path, options):
    db, models = newest_recording
    compare_with_recount(build_report(db, tmp_path, 1, options), models, options)


@pytest.fixture(scope="module")
def newest_recording(shared_data, tmp_path_factory):
    """A database of the models of August 2026, and these in plain Python."""
    folder = tmp_path_factory.mktemp("newest")
    dump, changes = folder / "dump.parquet", shared_data / "hub-2026-08" / "changes.parquet"
    duckdb.connect().execute(
        "COPY (SELECT id, library AS library_name, tags, pipeline_tag, likes, "
        "downloads_30d AS downloads, "
        "strftime(created_at::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.000Z') AS \"createdAt\" FROM ("
        f"FROM read_parquet('{changes}') QUALIFY row_number() OVER (PARTITION BY id ORDER BY seq "
        f"DESC) = 1) WHERE op <> 'delete') TO '{dump}'"
    )
    day = datetime(2026, 8, 20, tzinfo=UTC)
    with Store.open(folder / "h.duckdb", write=True) as store:
        ingest_files(store, [dump], NewSnapshot("import", "dump", Scope(), day, day, None))
    return folder / "h.duckdb", recount.read_models(dump)


@pause_tracing()
def compare_with_recount(report, models, options):
    """Assert that the breakdown and every figure equal a recount of the models."""
    assert report["figures"]
    if options.weight == "authors" or options.exclude_top_authors:
        assert not report["breakdown"]  # it would count other models than the figures
    else:
        check_breakdown(report, models, options)
    period = options.year and (f"{options.year}-01-01", f"{options.year + 1}-01-01")
    for what, same in groupby(report["figures"] + report["variants"], asked):
        definition, release, frameworks, population, cutoff, weight, exclude_top_authors, by = what
        figures = list(same)
        expected = recount.count_models(
            models,
            definition=attribute(definition, release),
            frameworks=frameworks,
            population=population,
            period=period,
            cutoff=cutoff,
            weight=weight,
            exclude_top_authors=exclude_top_authors,
            by=by,
            top=TOP.get(by),
        )
        counted = {
            (measurement["name"], measurement["framework"], measurement["group"]): (
                measurement["numerator"],
                measurement["denominator"],
            )
            for measurement in figures
        }
        assert counted == expected, what
        for measurement in figures:
            share = (
                measurement["numerator"] / measurement["denominator"]
                if measurement["denominator"]
                else None
            )
            assert measurement["share"] == (share if share is None else round(share, 6))


def test_largest_model_and_authors_equal_a_recount(recorded_db, models):
    with Store.open(recorded_db) as store:
        view = SnapshotView.choose(store, None, snapshot=NEW)
        request = FigureRequest(definition="tag", weight="downloads")
        by_downloads = next(iter(view.compute_exclusivity(request)))
        by_authors = next(iter(view.compute_exclusivity(replace(request, weight="authors"))))
    assert (
        by_downloads.largest_model,
        by_downloads.largest_share,
        by_downloads.share_without_largest,
    ) == recount.count_without_largest(models[NEW], FRAMEWORKS)
    authors = {model.author for model in models[NEW]}
    supporting = {model.author for model in models[NEW] if model.tag & {*FRAMEWORKS}}
    assert (by_authors.population_size, by_authors.denominator) == (len(authors), len(supporting))
    assert by_authors.coverage == round(len(supporting) / len(authors), 6)
    assert isinstance(by_authors.denominator, int)


def check_breakdown(report, models, options):
    """Every class and group equals a recount, and each group adds up.

    A report on authors has no breakdown: it would count other models.
    """
    if options.weight == "authors" or options.exclude_top_authors:
        assert report["breakdown"] == []
        return
    period = options.year and (f"{options.year}-01-01", f"{options.year + 1}-01-01")
    created = recount.select_models(models, "created", period, "excluded" if period else "included")
    by = options.by or ("month" if period else "year")
    if not created[0].created and by == "year":
        by = None  # the snapshot has no dates
    expected = recount.break_down(created, frameworks=options.frameworks, by=by)
    rows = report["breakdown"]
    counted = {(row["class"], row["group"]): row["numerator"] for row in rows if row["numerator"]}
    if "(other)" in {row["group"] for row in rows}:
        expected = {key: n for key, n in expected.items() if key in counted}
        counted = {key: n for key, n in counted.items() if key[1] != "(other)"}
    assert counted == expected
    for group in {row["group"] for row in rows}:
        parts = [row for row in rows if row["group"] == group]
        numbers = [row["numerator"] or 0 for row in parts]
        assert {row["denominator"] for row in parts} == {sum(numbers)}
        # without any file name, whether there are weights is unknown
        unknown = {row["class"] for row in parts if row["numerator"] is None}
        assert unknown <= {"no_weights"}
    groups = {row["group"]: row["denominator"] for row in rows}
    assert groups.pop(None) == len(created) == (sum(groups.values()) or len(created))


@pytest.mark.parametrize("year", [2021, 2022])
@pytest.mark.parametrize("definition", ["tag", "loadable"])
def test_cutoff_interval_equals_a_recount(
    recorded_db, models, shared_data, tmp_path, year, definition
):
    report = build_report(recorded_db, tmp_path, NEW, ReportRequest(year, definition=definition))
    dates = recount.read_dates(shared_data / "hub-2022-10-created.parquet")
    expected = recount.count_by_date(
        models[NEW], dates, definition=attribute(definition, 4), frameworks=FRAMEWORKS, year=year
    )
    (table,) = (measurement for measurement in report["tables"] if measurement["name"] == "cutoff")
    found = {
        (row["name"], row["framework"]): tuple(
            row[key] for key in ("certain", "dated", "undated", "impossible_dates")
        )
        for row in table["rows"]
    }
    assert found == expected
    sums = [sum(column) for column in zip(*expected.values(), strict=True)]
    for row in table["rows"]:
        certain, dated, undated, _ = expected[row["name"], row["framework"]]
        assert (row["models_min"], row["models_max"]) == (
            certain + dated,
            certain + dated + undated,
        )
        least = (certain + dated) / (sum(sums[:3]) - undated)
        most = (certain + dated + undated) / (sum(sums[:2]) + undated)
        assert (row["share_min"], row["share_max"]) == (round(least, 9), round(most, 9))


def exclusive(report, population="created", cutoff=None):
    return {
        measurement["framework"] or measurement["name"]: (
            measurement["numerator"],
            measurement["denominator"],
        )
        for measurement in report["figures"]
        if measurement["name"] in ("exclusive", "shared")
        and (
            measurement["population"],
            measurement["cutoff"],
            measurement["weight"],
            measurement["by"],
        )
        == (population, cutoff, "models", None)
    }


def test_published_counts_of_both_dumps(recorded_db, tmp_path):
    def ask(snapshot, *request):
        return build_report(recorded_db, tmp_path, snapshot, ReportRequest(*request))

    all_2022 = exclusive(ask(OLD, None, FRAMEWORKS, "tag"), "existing")
    assert all_2022["pytorch"] == (19_012, 20_999)
    with_jax = exclusive(ask(OLD, None, FRAMEWORKS_WITH_JAX, "tag"), "existing")
    assert with_jax["pytorch"] == (14_737, 21_237)
    by_default = exclusive(ask(NEW, 2022), cutoff="excluded")
    assert by_default == exclusive(ask(NEW, 2022, FRAMEWORKS, "best"), cutoff="excluded")
    assert by_default["pytorch"] == (34_760, 36_826)
    year = ask(NEW, 2022, FRAMEWORKS, "tag")
    assert exclusive(year, cutoff="excluded") == {
        "pytorch": (34_662, 36_416),
        "tensorflow": (1_154, 36_416),
        "shared": (600, 36_416),
    }
    assert exclusive(year, cutoff="included") == {
        "pytorch": (52_786, 58_120),
        "tensorflow": (1_452, 58_120),
        "shared": (3_882, 58_120),
    }
    (cutoff,) = (
        measurement["rows"] for measurement in year["tables"] if measurement["name"] == "cutoff"
    )
    (pytorch,) = (row for row in cutoff if row["framework"] == "pytorch")
    assert (pytorch["certain"], pytorch["dated"], pytorch["undated"]) == (34_662, 3_918, 419)
    bounds = ("impossible_dates", "models_min", "models_max")
    assert [pytorch[key] for key in bounds] == [8, 38_580, 38_999]
    later = exclusive(ask(NEW, 2023, FRAMEWORKS, "tag"))
    assert {key: n for key, (n, _) in later.items()} == {
        "pytorch": 101_036,
        "tensorflow": 4_870,
        "shared": 713,
    }
