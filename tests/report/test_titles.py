"""Titles that state a section's finding, by rule from its numbers."""

import re
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from dumps import ingest_models
from testhub import FakeHub, Population

from hfscan.cli import cli
from hfscan.errors import HfscanError
from hfscan.figures import SnapshotView, list_queries, load
from hfscan.pipeline import crawl
from hfscan.report import ReportRequest, Section, build, compare, render_report
from hfscan.report.titles import find_report_title, find_title
from hfscan.scope import Scope
from hfscan.store import Store


def make_model(number, tag, task, year):
    return {
        "_id": f"63ffff{number:018x}",
        "id": f"{'ann' if number % 4 else 'ben'}/{number}",
        "tags": [tag],
        "createdAt": f"{year}-08-19T20:19:12.000Z",
        "pipeline_tag": task,
        "downloads": 1,
    }


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    """800 models: of fill-mask 90 % are of PyTorch, of translation 50 %; of 2023 all."""
    path = tmp_path_factory.mktemp("census") / "h.duckdb"
    rows = [("pytorch" if n % 10 else "tf", "fill-mask", 2022) for n in range(200)]
    rows += [("pytorch" if n % 2 else "tf", "translation", 2022) for n in range(200)]
    rows += [("pytorch", "fill-mask", 2023) for _ in range(400)]
    models = [make_model(number, *row) for number, row in enumerate(rows)]
    with FakeHub(Population.from_rows(models), quota=None) as hub:
        crawl(Scope(), endpoint=hub.url, token=None, db=path, resume=False)
    with Store.open(path) as store:
        yield SnapshotView.choose(store, None)


def list_titles(report):
    return {section.name: find_title(section, report) for section in report.sections}


def test_title_states_the_largest_share(view):
    report = build(view, ReportRequest(2022))
    assert (
        find_report_title(report)
        == "PyTorch only: 70.0 % of the models that support PyTorch or TensorFlow"
    )
    titles = list_titles(report)
    assert titles["breakdown"] == "PyTorch only: 70.0 % of all models; TensorFlow only: 30.0 %"
    assert titles["by_task"] == "PyTorch only: 50.0 % (translation) to 90.0 % (fill-mask)"
    total = "of the models that support PyTorch or TensorFlow"
    assert titles["by_month"] == f"PyTorch only: 70.0 % in 2022-08, {total}"
    assert titles["weights"].startswith("PyTorch only: 70.0 % of models, 70.0 % of downloads, ")
    assert titles["sensitivity"] == (
        "PyTorch only: 70.0 %, depending on the definition; 70.0 % with more frameworks compared"
    )
    topics = {section.name: section.title for section in report.sections}
    assert topics["breakdown"].startswith("All 400 models created ")


def test_title_states_the_course_over_years(view):
    titles = list_titles(build(view, ReportRequest()))
    course = "70.0 % in 2022 (from 2 March) to 100.0 % in 2023 (to 19 August)"
    total = "of the models that support PyTorch or TensorFlow"
    assert titles["by_year"] == f"PyTorch only: {course}, {total}"
    assert titles["formats"] == f"PyTorch: {course}, of the models with known evidence"


def test_title_states_the_change(view):
    first, second = (build(view, ReportRequest(year), name="compare") for year in (2022, 2023))
    report = compare(first, second, view)
    assert find_report_title(report) == "PyTorch only: 70.0 % to 100.0 % (+30.0 points)"


def test_group_of_few_models_is_not_in_a_title(tmp_path):
    rows = [("pytorch" if n % 10 else "tf", "fill-mask", 2022) for n in range(200)]
    rows += [("tf", "translation", 2022) for _ in range(20)]
    models = [make_model(number, *row) for number, row in enumerate(rows)]
    with FakeHub(Population.from_rows(models), quota=None) as hub:
        crawl(Scope(), endpoint=hub.url, token=None, db=tmp_path / "h.duckdb", resume=False)
    with Store.open(tmp_path / "h.duckdb") as store:
        report = build(SnapshotView.choose(store, None), ReportRequest(2022))
    assert list_titles(report)["by_task"] == "PyTorch only: 90.0 % (fill-mask)"


def test_title_over_time_names_dated_models_only(tmp_path):
    rows = [("pytorch" if n % 2 else "tf", "fill-mask", 2022 + n // 200) for n in range(400)]
    models = [make_model(number, *row) for number, row in enumerate(rows)]
    for number in range(400, 900):
        older = {"createdAt": "2022-03-02T23:29:04.000Z" if number < 700 else None}
        models.append(make_model(number, "pytorch", "fill-mask", 2022) | older)
    ingest_models(tmp_path / "h.duckdb", models)
    with Store.open(tmp_path / "h.duckdb") as store:
        view = SnapshotView.choose(store, None)
        report = build(view, ReportRequest())
        query = load("composition")
        shares = view.run("composition", {"by": "author", "per": "year"})
    by_year = next(section for section in report.sections if section.name == "by_year")
    assert {"(older)", "(unknown)"} <= {figure.group for figure in by_year.figures}
    assert find_title(by_year, report) == (
        "PyTorch only: 50.0 % in 2022 (from 2 March) to 50.0 % in 2023, of the models that support "
        "PyTorch or TensorFlow"
    )
    assert {"(older)", "(unknown)"} <= {row["period"] for row in shares}
    pivot = {"rows": "group", "columns": "period", "cells": "share"}
    section = Section(
        "authors",
        "Authors",
        query="composition",
        rows=tuple(shares),
        pivot=pivot,
        formats=query.columns,
        parameters={"by": "author"},
    )
    assert find_title(section, report) == (
        "Account ann: 75.0 % in 2022 (from 2 March) to 75.0 % in 2023"
    )


def test_page_of_an_undated_year_begins_with_its_own_figures(tmp_path):
    for year, tag in ((2024, "pytorch"), (2025, "tf")):
        older = make_model(1, tag, "fill-mask", 2022) | {"createdAt": "2022-03-02T23:29:04.000Z"}
        ingest_models(
            tmp_path / "h.duckdb", [older], day=datetime(year, 7, 11, tzinfo=UTC), complete=True
        )
    with Store.open(tmp_path / "h.duckdb") as store:
        page = render_report(build(SnapshotView.choose(store, None), ReportRequest(2021)), "html")
    sections = re.findall(r'<section id="(\w+)"', str(page))
    assert sections[0] == "cutoff"
    assert "transitions" in sections


@pytest.fixture(scope="module")
def two_snapshots(tmp_path_factory):
    """Half of 20 models are MIT in 2024, three quarters in 2025; each snapshot has two years."""
    path = tmp_path_factory.mktemp("two") / "h.duckdb"
    for year, licensed in ((2024, 10), (2025, 15)):
        models = [
            make_model(n, "pytorch" if n < licensed else "tf", "fill-mask", 2022 + n % 2)
            | {"tags": ["pytorch", "license:mit", "en"] if n < licensed else ["tf", "license:gpl"]}
            for n in range(20)
        ]
        day = datetime(year, 7, 11, tzinfo=UTC)
        ingest_models(path, models, day=day, complete=True)
    return path


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        (("composition",), "License mit: 75.0 % * of the models"),
        (("composition", "--param", "per=year"),
         "License mit: 80.0 % in 2022 (from 2 March) to 70.0 % in 2023 (to 19 August)"),
        (("composition", "--param", "per=year", "--param", "weight=downloads"),
         "License mit: 80.0 % of the downloads in 2022 (from 2 March) to 70.0 % of the downloads "
         "in 2023 (to 19 August)"),
        (("composition", "--param", "by=author"), "Account ann: 75.0 % * of the models"),
        (("composition", "--per-snapshot"),
         "License mit: 50.0 % on 2024-07-11 to 75.0 % on 2025-07-11"),
        (("composition", "--param", "per=year", "--per-snapshot"), "Composition of the Hub"),
        (("tag_values",), "Language en: 75.0 % * of the models"),
        (("tag_values", "--param", "of=license", "--per-snapshot"),
         "License mit: 50.0 % on 2024-07-11 to 75.0 % on 2025-07-11"),
        (("formats",),
         "PyTorch: 80.0 % in 2022 (from 2 March) to 70.0 % in 2023 (to 19 August), of the models "
         "with known evidence"),
        (("breakdown", "--per-snapshot"),
         "PyTorch only: 50.0 % on 2024-07-11 to 75.0 % on 2025-07-11"),
        (("concentration", "--per-snapshot"),
         "Account ann: 70.0 % on 2024-07-11 to 73.3 % on 2025-07-11"),
        (("lorenz", "--per-snapshot"), "Lorenz curve of downloads and likes"),
    ],
)  # fmt: skip
def test_title_of_a_query_is_of_one_time_or_a_course(two_snapshots, tmp_path, arguments, title):
    """It never lists the shares of several periods, and says what a name of the Hub names."""
    page = tmp_path / "page.html"
    command = ["query", *arguments, "--out", str(page), "--db", str(two_snapshots)]
    result = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    (heading,) = re.findall(r"<h1[^>]*>(.*?)</h1>", page.read_text("utf-8"), re.DOTALL)
    assert re.sub(r"<[^>]+>", "", heading).replace("\xa0", " ").strip() == title


def test_every_query_has_a_page(two_snapshots, tmp_path):
    """Over the newest snapshot, and over each where it can."""
    for name in list_queries():
        for arguments in ((), ("--per-snapshot",)):
            page = tmp_path / f"{name}{len(arguments)}.html"
            command = ["query", name, *arguments, "--out", str(page), "--db", str(two_snapshots)]
            result = CliRunner().invoke(cli, command)
            assert isinstance(result.exception, HfscanError | SystemExit | None), (name, arguments)
            assert page.exists() == (result.exit_code == 0 and result.exception is None)


def test_axis_of_a_count_has_no_percent(two_snapshots, tmp_path):
    chart = tmp_path / "milestones.svg"
    command = ["query", "milestones", "--param", "every=10", "--out", str(chart)]
    CliRunner().invoke(cli, [*command, "--db", str(two_snapshots)], catch_exceptions=False)
    texts = re.findall(r"<text[^>]*>([^<]+)<", chart.read_text("utf-8"))
    assert "0" in texts
    assert not [text for text in texts if "%" in text or "e+" in text]
