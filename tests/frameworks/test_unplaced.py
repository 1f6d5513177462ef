"""What the taxonomy does not know: in a snapshot, and of huggingface.js's libraries."""

import csv
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from hfscan.figures import SnapshotView
from hfscan.frameworks import taxonomy
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files

DAY = datetime(2026, 8, 20, tzinfo=UTC)
TOOL = Path(__file__).parents[2] / "tools" / "model_libraries.py"
MODELS = [
    {"id": "a/known", "library_name": "transformers", "tags": ["transformers", "pytorch", "en"],
     "pipeline_tag": "fill-mask", "siblings": [{"rfilename": "pytorch_model.bin"}], "downloads": 9},
    {"id": "a/new", "library_name": "newlib", "tags": ["newlib", "license:mit", "fill-mask"],
     "siblings": [{"rfilename": "w/model.NEWW"}, {"rfilename": "b.neww"}], "downloads": 5},
    {"id": "b/new", "library_name": "newlib", "siblings": [{"rfilename": "LICENSE"}], "tags": []},
    {"id": "b/newer", "library_name": "newerlib", "tags": ["newerlib"], "downloads": 7,
     "siblings": [{"rfilename": "README.md"}]},
]  # fmt: skip


def ingest(path, dump):
    with Store.open(path, write=True) as store:
        ingest_files(store, [dump], NewSnapshot("import", "dump", Scope(), DAY, DAY, None))


def test_unplaced_names_are_listed_by_models_and_downloads(tmp_path, run_cli):
    dump = tmp_path / "dump.json"
    dump.write_text(json.dumps(MODELS))
    ingest(tmp_path / "hfscan.duckdb", dump)
    code, out, _ = run_cli("frameworks", "--unplaced", "--format", "json")
    rows = [tuple(row[key] for key in ("kind", "name", "models", "downloads", "share"))
            for row in json.loads(out)]  # fmt: skip
    assert code == 0
    assert rows == [
        ("library", "(any)", 3, 12, 0.75),
        ("library", "newlib", 2, 5, 0.5),
        ("library", "newerlib", 1, 7, 0.25),
        ("tag", "(any)", 2, 12, 0.5),
        ("tag", "newerlib", 1, 7, 0.25),
        ("tag", "newlib", 1, 5, 0.25),
        ("ending", "(any)", 1, 5, 0.25),
        ("ending", "neww", 1, 5, 0.25),
    ]
    assert "newlib" in run_cli("frameworks", "--unplaced")[1]
    assert run_cli("frameworks", "--unplaced", "--format", "csv")[1].startswith("kind,name,models")


def test_unknown_downloads_are_not_zero(tmp_path, run_cli):
    dump = tmp_path / "dump.json"
    models = [row | {"downloads": 3 if row["id"] == "b/newer" else None} for row in MODELS]
    dump.write_text(json.dumps(models))
    ingest(tmp_path / "hfscan.duckdb", dump)
    rows = json.loads(run_cli("frameworks", "--unplaced", "--format", "json")[1])
    found = {row["name"]: row["downloads"] for row in rows if row["kind"] == "library"}
    assert found == {"(any)": 3, "newlib": None, "newerlib": 3}


def test_snapshot_needs_unplaced(run_cli):
    code, _, err = run_cli("frameworks", "--snapshot", "1")
    assert code == 2
    assert "--unplaced" in err


def test_few_recorded_models_have_an_unplaced_library(shared_data, tmp_path):
    dump = tmp_path / "dump.parquet"
    changes = shared_data / "hub-2026-08" / "changes.parquet"
    duckdb.connect().execute(
        "COPY (SELECT id, library AS library_name, tags, downloads_30d AS downloads FROM ("
        f"FROM read_parquet('{changes}') QUALIFY row_number() OVER (PARTITION BY id ORDER BY seq "
        f"DESC) = 1) WHERE op <> 'delete') TO '{dump}'"
    )
    ingest(tmp_path / "h.duckdb", dump)
    with Store.open(tmp_path / "h.duckdb") as store:
        rows = SnapshotView.latest(store).run("unplaced", {"kind": "library"})
    assert rows[0]["name"] == "(any)"
    assert 0 < rows[0]["share"] < 0.02


@pytest.mark.parametrize(("names", "missing"), [(("timm", "newlib"), ["newlib"]), (("timm",), [])])
def test_missing_libraries_of_huggingface_js_are_printed(tmp_path, names, missing):
    source = tmp_path / "model-libraries.ts"
    entries = "".join(
        f'\t{name}: {{\n\t\tprettyLabel: "{name.title()}",\n\t\trepoName: "{name}",\n'
        f'\t\trepoUrl: "https://example.org/{name}",\n\t}},\n'
        for name in names
    )
    source.write_text(f"export const MODEL_LIBRARIES_UI_ELEMENTS = {{\n{entries}}} as const;\n")
    run = subprocess.run(
        [sys.executable, TOOL, source], capture_output=True, text=True, check=False
    )
    assert run.stdout.splitlines() == [
        f"{name}\t{name.title()}\thttps://example.org/{name}" for name in missing
    ]
    assert run.returncode == bool(missing), run.stderr


def test_published_libraries_are_placed(shared_data):
    """Of the models of April 2025 that have a library, few have one that the taxonomy lacks."""
    with (shared_data / "library-counts-2025-04.csv").open(encoding="utf-8", newline="") as lines:
        counts = {
            row["library"]: int(row["models"])
            for row in csv.DictReader(lines)
            if row["source"] == "hf_api library_name count"
        }
    assert (len(counts), sum(counts.values())) == (482, 873_548)
    unplaced = counts.keys() - taxonomy().names["library"]
    assert sum(counts[name] for name in unplaced) < 0.02 * sum(counts.values())
    # a library that no framework writes with is known, but shows no framework
    writers = {name for entry in taxonomy().writers for name in entry.libraries}
    assert sum(counts[name] for name in counts.keys() & writers) > 0.9 * sum(counts.values())
