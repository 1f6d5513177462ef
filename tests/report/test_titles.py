"""Titles that state a section's finding, by rule from its numbers."""

import pytest
from dumps import ingest_models
from testhub import FakeHub, Population

from hfscan.figures import SnapshotView, load
from hfscan.pipeline import crawl
from hfscan.report import ReportRequest, Section, build, compare
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
    assert titles["by_month"] == "PyTorch only: 70.0 % in 2022-08"
    assert titles["weights"].startswith("PyTorch only: 70.0 % of models, 70.0 % of downloads, ")
    assert titles["sensitivity"].endswith(", depending on the definition")


def test_title_states_the_course_over_years(view):
    titles = list_titles(build(view, ReportRequest()))
    assert titles["by_year"] == "PyTorch only: 70.0 % in 2022 (from 2 March) to 100.0 % in 2023"
    assert titles["formats"] == "PyTorch: 70.0 % in 2022 (from 2 March) to 100.0 % in 2023"


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
        "PyTorch only: 50.0 % in 2022 (from 2 March) to 50.0 % in 2023"
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
    )
    assert find_title(section, report) == "Ann: 75.0 % in 2022 (from 2 March) to 75.0 % in 2023"
