"""Write an export: Parquet tables of a snapshot, its figures, and its reports."""

import json
import shutil
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from hfscan.choices import TABLES
from hfscan.errors import NotFoundError, StorageError
from hfscan.export import manifest
from hfscan.figures import Flag, SnapshotView, find_flags
from hfscan.fs import translate_os_errors
from hfscan.locks import hold_lock
from hfscan.objectid import FIRST_DATED_YEAR
from hfscan.report import Report, ReportRequest, build, render_text
from hfscan.sql import literal
from hfscan.store import Snapshot, Store
from hfscan.store.duckdb_errors import first_line

_MODELS, _HISTORY = (Path(__file__).with_name(f"{name}.sql") for name in ("models", "history"))
_TABLES = {
    "snapshots": "SELECT * FROM snapshots WHERE id = getvariable('snapshot')",
    "frameworks": "FROM frameworks ORDER BY bit",
    "creation_dates": "SELECT dated.* FROM creation_dates AS dated SEMI JOIN "
    "(SELECT id FROM models_in(getvariable('snapshot'))) AS here USING (id) ORDER BY id, kind",
}
_FIGURES = {
    "report": "VARCHAR", "name": "VARCHAR", "framework": "VARCHAR", "definition": "VARCHAR",
    "frameworks": "VARCHAR[]", "population": "VARCHAR", "period": "DATE[]", "cutoff": "VARCHAR",
    "weight": "VARCHAR", "exclude_top_authors": "INTEGER", "by": "VARCHAR", "group": "VARCHAR",
    "numerator": "DOUBLE", "denominator": "DOUBLE", "share": "DOUBLE", "coverage": "DOUBLE",
    "interval": "DOUBLE[]", "design_effect": "DOUBLE", "transformers": "INTEGER",
    "covered": "TIMESTAMP[]", "population_size": "DOUBLE", "largest_model": "VARCHAR",
    "largest_share": "DOUBLE", "share_without_largest": "DOUBLE",
}  # fmt: skip


@dataclass(frozen=True)
class Exported:
    """An export: its folder, its snapshot, the number of rows of each table, and flags on them."""

    folder: Path
    snapshot: Snapshot
    rows: dict[str, int]
    flags: tuple[Flag, ...]


def export(
    store: Store, folder: Path, *, snapshot: Snapshot, tables: Collection[str] = TABLES[:-1]
) -> Exported:
    """Write a snapshot to `folder`; replace an earlier export there.

    `tables`: of TABLES; `snapshots` is always written. They become `<table>/*.parquet` (zstd), the
    models one file for each year of creation; reports are Markdown. The same snapshot gives the
    same bytes. Raises StorageError if the folder cannot be written, or holds anything else.
    """
    if folder.exists() and not folder.is_dir():
        raise StorageError(f"{folder} is no folder. Name a new folder for the export.")
    folder, advice = folder.resolve(), "choose another folder"
    if folder.exists() and not (folder / "snapshots").is_dir() and any(folder.iterdir()):
        raise StorageError(f"{folder} holds something else; name a new folder for the export.")
    with translate_os_errors(folder.parent, advice):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with hold_lock(folder, advice):
        return _export(store, folder, snapshot, tables)


def _export(store: Store, folder: Path, snapshot: Snapshot, tables: Collection[str]) -> Exported:
    unfinished = folder.with_name(folder.name + ".new")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        rows = dict(_tables(store, unfinished, snapshot, {*tables, "snapshots"}))
        if "figures" in tables:
            rows["figures"] = _figures(store, unfinished, snapshot)
        manifest.write_manifest(store, unfinished)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    except (OSError, duckdb.IOException) as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise StorageError(
            f"{folder} cannot be written: {first_line(error)}. Make room or choose another folder."
        ) from error
    flags = (flag for flag in find_flags(store, [snapshot]) if flag.snapshot == snapshot.id)
    return Exported(folder, snapshot, rows, tuple(flags))


def _tables(
    store: Store, folder: Path, snapshot: Snapshot, wanted: Collection[str]
) -> Iterator[tuple[str, int]]:
    store.execute("SET VARIABLE snapshot = $1", [snapshot.id])
    if "models" in wanted:
        yield "models", _models(store, folder, snapshot)
    for name, sql in (_TABLES | {"history": _HISTORY.read_text(encoding="utf-8")}).items():
        if name in wanted:
            yield name, _write(store, sql, folder / name / f"{name}.parquet")


def _models(store: Store, folder: Path, snapshot: Snapshot) -> int:
    found = store.execute(
        "SELECT DISTINCT CASE WHEN at_cutoff THEN 'cutoff' "
        "ELSE coalesce(year(created_at)::VARCHAR, 'undated') END FROM models_in($1) ORDER BY 1",
        [snapshot.id],
    )
    sql = _MODELS.read_text(encoding="utf-8")
    parts = [row[0] for row in found.fetchall()]
    total = 0
    for part in parts or ["undated"]:
        store.execute("SET VARIABLE part = $1", [part])
        total += _write(store, sql, folder / "models" / f"{part}.parquet")
    return total


def _figures(store: Store, folder: Path, snapshot: Snapshot) -> int:
    reports = list(_reports(store, snapshot))
    (folder / "reports").mkdir()
    rows = []
    for report in reports:
        name = f"{report.name}-{report.request.year}" if report.request.year else report.name
        text = render_text(report, "md")
        (folder / "reports" / f"{name}.md").write_text(text, encoding="utf-8")
        figures = (*report.figures, *report.variants)
        rows += [{"report": name} | figure.as_dict() for figure in figures]
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "figures.json"
        file.write_text(json.dumps(rows), encoding="utf-8")
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in _FIGURES.items())
        sql = f"FROM read_json({literal(file)}, columns={{{columns}}}, records=true)"
        return _write(store, f"{sql} ORDER BY ALL", folder / "figures" / "figures.parquet")


def _reports(store: Store, snapshot: Snapshot) -> Iterator[Report]:
    years = range(FIRST_DATED_YEAR, snapshot.observed_to.year + 1)
    for request in (ReportRequest(None), *map(ReportRequest, years)):
        try:
            view = SnapshotView.choose(store, request.period, snapshot=snapshot.id)
            yield build(view, request)
        except NotFoundError:
            continue  # not for this snapshot: a period that it does not cover, no tags


def _write(store: Store, sql: str, file: Path) -> int:
    file.parent.mkdir(exist_ok=True)
    return store.write_parquet(sql, file)
