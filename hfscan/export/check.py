"""Validate an export before it is imported: files, sizes, columns, values, consistency."""

import re
from functools import partial
from pathlib import Path

import duckdb

from hfscan.errors import ImportFileError
from hfscan.export import manifest
from hfscan.frameworks import fingerprint, masks_sql
from hfscan.sql import file_literal, file_literals
from hfscan.store import Store, parquet
from hfscan.store.duckdb_errors import first_line
from hfscan.store.parquet import DATE_RULES, EXPORTED_COLUMNS, EXPORTED_MASKS, SNAPSHOT_RULES, Rule
from hfscan.text import format_count

_MODELS = Path(__file__).with_name("models.sql")
_PART = re.compile(r"(cutoff|undated|-?\d+)\.parquet")
_MEMORY_LIMIT = "1 GB"

_MODEL_RULES = [
    *parquet.required("id"),
    Rule("id = ''", "id is empty"),
    Rule("_id = ''", "_id is empty"),
    *parquet.in_the_past(('"createdAt"', '"lastModified"')),
    *parquet.not_negative(
        ("downloads", '"downloadsAllTime"', "likes", "safetensors.total", "gguf.total")
    ),
    Rule("safetensors.total IS NOT NULL AND gguf.total IS NOT NULL",
         "the number of parameters is given twice"),
]  # fmt: skip


def check(store: Store, folder: Path) -> None:
    """Raise ImportFileError if an export is incomplete, implausible or contradicts itself."""
    try:
        content = manifest.read_manifest(folder)
        store.run_limited(_MEMORY_LIMIT, partial(_check, store, folder, content))
        manifest.check_digests(folder)
    except (duckdb.Error, ImportFileError) as error:
        raise ImportFileError(f"Invalid export in {folder}: {first_line(error)}") from error


def _check(store: Store, folder: Path, content: manifest.Manifest) -> None:
    files = content.files
    snapshots, dates, frameworks = (
        folder / name / f"{name}.parquet" for name in ("snapshots", "creation_dates", "frameworks")
    )
    models = [file for file in files if file.parent == folder / "models"]
    for file in (snapshots, dates, frameworks):
        if file not in files:
            raise ImportFileError(f"{file} is missing.")
    if not models:
        raise ImportFileError(f"{folder / 'models'} is missing.")
    for file in models:
        if not _PART.fullmatch(file.name):
            raise ImportFileError(f"{file} is not a file of an export.")
    for file, rows in files.items():
        is_distinct = file.parent.name in ("models", "creation_dates")
        found = parquet.read_size(store, file, distinct_rows=is_distinct)
        if found != rows:
            raise ImportFileError(
                f"{file} has {format_count(found, 'row')}, but {manifest.NAME} says {rows:,}."
            )
    for file, table, rules in (
        (snapshots, "snapshots", SNAPSHOT_RULES),
        (dates, "creation_dates", DATE_RULES),
        (frameworks, "frameworks", parquet.required("name", "title", "kind", "bit")),
    ):
        parquet.check_table(store, file, store.columns(f"FROM {table}"), rules, files[file])
    parquet.check_unique(store, [dates], "(id, kind)", "a pair of id and kind")
    parquet.check_unique(store, [frameworks], "name", "a framework")
    parquet.check_unique(store, [frameworks], "bit", "a framework's bit")
    columns = store.columns(_MODELS.read_text(encoding="utf-8"))
    for file in models:
        parquet.check_table(store, file, columns, _MODEL_RULES, files[file])
    parquet.check_unique(store, models, "coalesce(_id, id)", "a model")
    _check_snapshot(store, snapshots, models, sum(files[file] for file in models))
    _check_framework_names(store, models, frameworks)
    if content.taxonomy == fingerprint():  # the sets of another release cannot be recomputed
        for file in models:
            _check_frameworks(store, file)


def _check_snapshot(store: Store, snapshots: Path, models: list[Path], rows: int) -> None:
    """Refuse a snapshot that does not describe the models."""
    described = store.execute(
        f"SELECT models, missing_columns FROM read_parquet({file_literal(snapshots)})"
    ).fetchall()
    if len(described) != 1:
        raise ImportFileError(f"{snapshots} has {len(described):,} snapshots instead of one.")
    ((stated, missing_columns),) = described
    if stated != rows:
        raise ImportFileError(
            f"{snapshots} says {stated:,} models, but {models[0].parent} has {rows:,}."
        )
    known = store.model_columns
    if unknown := sorted(set(missing_columns) - known.keys()):
        raise ImportFileError(f"{snapshots} has unknown missing_columns: {', '.join(unknown)}.")
    names = [name for name in missing_columns if name not in ("key", "at_cutoff")]
    if not names or not rows:
        return
    counted = ", ".join(f"count({EXPORTED_COLUMNS.get(name, name)})" for name in names)
    counts = store.fetch_one(f"SELECT {counted} FROM read_parquet({file_literals(models)})")
    for name, count in zip(names, counts, strict=True):
        if count:
            raise ImportFileError(
                f"{snapshots} says that {name} is missing, but {count:,} models have it."
            )


def _check_framework_names(store: Store, models: list[Path], frameworks: Path) -> None:
    """Refuse frameworks of models that the export does not define."""
    names = f"(SELECT list(name) FROM read_parquet({file_literal(frameworks)}))"
    for file in models:
        for column in EXPORTED_MASKS.values():
            (unknown,) = store.fetch_one(
                f"SELECT count(*) FROM read_parquet({file_literal(file)}) "
                f"WHERE NOT list_has_all({names}, {column})"
            )
            if unknown:
                raise ImportFileError(f"{file}: {column} has names that {frameworks} does not.")


def _check_frameworks(store: Store, file: Path) -> None:
    """Refuse frameworks of models that do not follow from their own tags and files."""
    store.execute(  # with the columns that `masks_sql` reads
        "CREATE OR REPLACE TEMP VIEW exported AS SELECT file_row_number AS rowid, id, tags, "
        "library_name, siblings AS files, config.model_type AS model_type, "
        f"config.architectures AS architectures, {', '.join(EXPORTED_MASKS.values())} "
        f"FROM read_parquet({file_literal(file)}, file_row_number = true)"
    )
    names = {
        column: f"CASE WHEN {mask} IS NOT NULL THEN list_sort(list_transform(list_filter(known, "
        f"lambda item: ({mask} >> item.bit) & 1 = 1), lambda item: item.name)) END"
        for mask, column in EXPORTED_MASKS.items()
    }
    counts = ", ".join(
        f"count(*) FILTER (list_sort({column}) IS DISTINCT FROM {expected})"
        for column, expected in names.items()
    )
    wrong = store.fetch_one(
        f"WITH known AS (SELECT list({{'name': name, 'bit': bit}}) AS known FROM frameworks) "
        f"SELECT {counts} FROM exported JOIN ({masks_sql('exported')}) AS masks "
        "ON masks.row = exported.rowid, known"
    )
    store.execute("DROP VIEW exported")
    for column, count in zip(names, wrong, strict=True):
        if count:
            raise ImportFileError(
                f"{file}: {column} contradicts the tags and files of {count:,} models."
            )
