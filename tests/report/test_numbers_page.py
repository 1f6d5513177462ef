"""The worked case of docs/numbers.md and the example of docs/json.md match recorded models."""

import io
import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
import recount

from hfscan.figures import ALL, FigureRequest, Period, SnapshotView
from hfscan.report import FORMATS, ReportRequest, build, format_percent
from hfscan.store import Store

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "numbers.md").read_text("utf-8")
PAIR = ("pytorch", "tensorflow")
YEAR = (datetime(2022, 1, 1), datetime(2023, 1, 1))


@pytest.fixture(scope="module")
def store(recorded_db):
    with Store.open(recorded_db) as store:
        yield store


@pytest.mark.parametrize(
    ("row", "asked"),
    [
        ("tag", {"definition": "tag"}),
        ("loadable, transformers 4", {"definition": "loadable"}),
        ("loadable, transformers 5", {"definition": "loadable", "transformers": 5}),
        ("tag, download-weighted", {"definition": "tag", "weight": "downloads"}),
    ],
)
def test_shares_on_the_page(store, row, asked):
    view = SnapshotView.choose(store, YEAR, snapshot=2)
    shares = [
        next(iter(view.compute_exclusivity(FigureRequest(frameworks, period=YEAR, **asked)))).share
        for frameworks in (PAIR, (*PAIR, "jax"), (ALL,))
    ]
    assert f"| {row} | {' | '.join(map(format_percent, shares))} |" in PAGE


def test_summary_in_the_readme(recorded_db, run_cli, tmp_path):
    shutil.copy(recorded_db, tmp_path / "hfscan.duckdb")
    code, out, _ = run_cli("report", "--year", "2022")
    assert code == 0
    assert f"\n```text\n{out}```\n" in (DOCS.parent / "README.md").read_text("utf-8")


def test_counts_on_the_page(store):
    view = SnapshotView.choose(store, YEAR, snapshot=2)
    asked = {
        "frameworks": list(PAIR), "since": YEAR[0], "until": YEAR[1], "definition": "tag"
    }  # fmt: skip
    row = next(one for one in view.run("creation_cutoff", asked) if one["framework"] == "pytorch")
    expected = [f"{row[key]:,}" for key in ("certain", "dated", "undated")]
    assert expected == re.findall(r"^\| (?:dated|older).*\| ([\d,]+) \|$", PAGE, re.MULTILINE)
    assert f"| {row['models_min']:,} to {row['models_max']:,} |" in PAGE
    request = FigureRequest(PAIR, period=YEAR, population="created", definition="tag")
    only, included = (
        next(iter(view.compute_exclusivity(replace(request, cutoff=cutoff)))).numerator
        for cutoff in ("only", "included")
    )
    assert f"| {included:,} |" in PAGE
    assert f"because {only:,} older models" in PAGE


def test_removed_and_changed_models_on_the_page(store):
    rows = SnapshotView.choose(store, None, snapshot=2).run(
        "transitions", {"earlier": 1, "later": 2, "definition": "tag"}
    )
    moved = {(row["before"], row["after"]): row["models"] for row in rows}
    gone = moved["pytorch", "(not in snapshot)"]
    all_ = sum(n for (before, _), n in moved.items() if before == "pytorch")
    assert f"{format_percent(gone / all_)} ({gone:,} of {all_:,}) were no longer there" in PAGE
    assert f"{moved['pytorch', 'pytorch + tensorflow']:,} models that were exclusive" in PAGE


def test_breakdown_on_the_page(store):
    columns = []
    for year in (2022, 2023, 2024):
        period = Period.from_year(year).requested
        rows = SnapshotView.choose(store, period, snapshot=2).run(
            "breakdown", dict(zip(("since", "until"), period, strict=True)) | {"cutoff": "excluded"}
        )
        columns.append(
            [f"{rows[0]['denominator']:,}", *(format_percent(row["share"]) for row in rows)]
        )
    labels = [
        "models", "PyTorch only", "TensorFlow only", "both", "another framework only",
        "runtime format only", "framework unknown", "no weights", "files unknown",
    ]  # fmt: skip
    for label, *cells in zip(labels, *columns, strict=True):
        if label != "no weights":  # without file names, no model is in this class
            assert f"| {label} | {' | '.join(cells)} |" in PAGE


def test_lists_and_files_compared_on_the_page(store, shared_data):
    """The same recorded models with and without their file names, counted in plain Python."""
    pairs, doubtful = [], []
    for row in recount.read_objects(shared_data / "hub-2024-07-detail.jsonl.gz"):
        listed = {key: value for key, value in row.items() if key not in ("siblings", "config")}
        pairs.append((recount.parse_model(row), recount.parse_model(listed)))
        unnamed = recount.parse_model(listed | {"id": "x"})
        if unnamed.loadable_4 != pairs[-1][1].loadable_4:
            doubtful.append((pairs[-1][0], unnamed))
    compared = frozenset(PAIR)
    classes = Counter(
        tuple(recount.class_of(view.best, compared) for view in pair)
        for pair in pairs
        if pair[1].best is not None
    )
    text = " ".join(PAGE.split())
    same = sum(n for (by_files, by_list), n in classes.items() if by_files == by_list)
    assert f"{classes.total():,} of the models have a class; for {same:,}" in text
    assert f"({format_percent(same / classes.total())}) the files" in text
    for label, pair in (
        ("runtime format only | PyTorch only", ("runtime_format", "pytorch_only")),
        ("PyTorch only | runtime format only", ("pytorch_only", "runtime_format")),
        ("PyTorch only | framework unknown", ("pytorch_only", "unknown_framework")),
    ):
        assert f"| {label} | {classes[pair]} |" in PAGE
    exports = Counter(
        by_files.best
        for by_files, by_list in pairs
        if recount.class_of(by_files.best, compared) == "runtime_format"
        and recount.class_of(by_list.best, compared) == "pytorch_only"
        and by_files.author == "qualcomm"
    )
    assert f"{exports[frozenset(['tflite'])]} LiteRT exports of one company" in text
    for release, sentence in ((4, "{} of {:,} models with"), (5, "{} of {:,} with")):
        known = [
            [getattr(view, f"loadable_{release}") & {*PAIR, "jax"} for view in pair]
            for pair in pairs
            if getattr(pair[1], f"loadable_{release}") is not None
        ]
        differing = sum(by_files != by_list for by_files, by_list in known)
        assert f"{sentence.format(differing, len(known))} transformers {release}" in text
    known_4 = [pair for pair in pairs if pair[1].loadable_4 is not None]
    readers = [pair for pair in known_4 if pair[1].loadable_4 != pair[1].loadable_5]
    wrong = sum(not pair[0].loadable_4 >= pair[1].loadable_4 & {*PAIR, "jax"} for pair in readers)
    denied = sum(not full.loadable_4 >= keys.loadable_4 & {*PAIR, "jax"} for full, keys in doubtful)
    assert f"{len(doubtful)} of the 8,650 models, {denied} of which are" in text
    assert f"Of the {len(readers):,} models for which a class" in text
    assert f"deny it for {wrong} ({format_percent(wrong / len(readers))})" in text

    def share(masks):
        supporting = [keys & compared for keys in masks if keys & compared]
        return format_percent(sum(keys == {"pytorch"} for keys in supporting) / len(supporting))

    without = share(
        listed.loadable_4 for _, listed in known_4 if listed.loadable_4 == listed.loadable_5
    )
    by_files, by_list = (share(pair[view].loadable_4 for pair in known_4) for view in (0, 1))
    assert f"and {without} of the rest are PyTorch only, instead of {by_files} (by files)" in text
    assert f"or {by_list} (by list) of all" in text
    for release in (4, 5):
        ((known_models,),) = store.execute(
            f"SELECT count(loadable_{release}_mask) FROM models_in(2)"
        ).fetchall()
        assert f"{known_models:,}" in PAGE


def test_json_example_matches_the_report(store):
    expected = json.loads(
        re.search(r"```json\n(.*?)```", (DOCS / "json.md").read_text("utf-8"), re.S)[1]
    )
    out = io.StringIO()
    FORMATS["json"](build(SnapshotView.choose(store, YEAR, snapshot=2), ReportRequest(2022)), out)
    found = json.loads(out.getvalue())
    assert found.keys() == expected.keys()
    assert found["snapshot"].keys() == expected["snapshot"].keys()
    assert found["snapshot"]["models"] == expected["snapshot"]["models"]
    for part in ("breakdown", "figures", "variants"):
        assert expected[part][0] in found[part]
    assert found["tables"][0] == {
        **expected["tables"][0],
        "rows": [*expected["tables"][0]["rows"], *found["tables"][0]["rows"][1:]],
    }


def test_losses_by_month_on_the_page(shared_data):
    """Of the models that existed on 2022-10-01, by month of their first commit."""
    rows = duckdb.connect().execute(
        f"""
        WITH dated AS (
            SELECT author, month(creation_time AT TIME ZONE 'UTC') AS month,
                modelId NOT IN (SELECT id FROM '{shared_data / "hub-2024-07.parquet"}') AS lost
            FROM '{shared_data / "hub-2022-10-created.parquet"}'
            WHERE year(creation_time AT TIME ZONE 'UTC') = 2022
        ),
        authors AS (
            SELECT month, count(*) AS models, count(*) FILTER (lost) AS lost
            FROM dated GROUP BY month, author
        )
        SELECT month, sum(models), sum(lost) / sum(models),
            sum(lost) FILTER (lost < 10) / sum(models) FILTER (lost < 10)
        FROM authors GROUP BY month ORDER BY month
        """
    )
    for month, models, share, without in rows.fetchall():
        shares = " | ".join(map(format_percent, (share, without)))
        assert f"| {datetime(2022, month, 1):%B} | {models:,} | {shares} |" in PAGE


def test_contemporaneous_tags_on_the_page(store):
    counts = store.execute(
        """
        WITH tagged AS (
            SELECT tag_mask FROM models_in(1)
            UNION ALL
            SELECT tag_mask FROM models_in(2)
            WHERE created_at < '2023-01-01' AND id NOT IN (SELECT id FROM models_in(1))
        )
        SELECT count(*) FILTER (tag_mask & pair = pytorch), count(*) FILTER (tag_mask & pair <> 0)
        FROM tagged, (
            SELECT bit_or(mask) AS pair, max(mask) FILTER (framework = 'pytorch') AS pytorch
            FROM frameworks_compared(['pytorch', 'tensorflow'])
        )
        """
    )
    ((exclusive, total),) = counts.fetchall()
    assert f"{format_percent(exclusive / total)} ({exclusive:,} of {total:,})" in PAGE
    ((models,),) = store.execute(
        "SELECT count(*) FROM models_in(1) AS old JOIN models_in(2) AS new USING (id) "
        "WHERE list_contains(old.tags, 'pytorch') AND NOT list_contains(old.tags, 'tf') "
        "AND list_contains(new.tags, 'pytorch') AND list_contains(new.tags, 'tf') "
        "AND starts_with(id, 'Helsinki-NLP/')"
    ).fetchall()
    assert f"{models:,} of them of one organisation" in PAGE.replace("\n", " ")
