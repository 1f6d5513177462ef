"""Validate an export before it is imported: files, sizes, columns, values, and what they imply."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from hfscan.errors import ImportFileError
from hfscan.export import manifest
from hfscan.frameworks import fingerprint, masks_sql
from hfscan.sql import file_literal
from hfscan.store import Store, parquet
from hfscan.store.database import lean
from hfscan.store.parquet import Rule
from hfscan.store.rules import DATE_RULES, SOURCE_RULES

_MODELS = Path(__file__).with_name("models.sql")
_PART = re.compile(r"(cutoff|undated|-?\d+)\.parquet")
_MEMORY = "1 GB"

_MODEL_RULES = [
    *parquet.required("id"),
    Rule("id = ''", "id is empty"),
    Rule("_id = ''", "_id is empty"),
    *parquet.in_the_past(('"createdAt"', '"lastModified"')),
    *parquet.not_negative(
        ("downloads", '"downloadsAllTime"', "likes", "safetensors.total", "gguf.total")
    ),
    Rule("safetensors.total IS NOT NULL AND gguf.total IS NOT NULL",
         "the number of parameters is there twice"),
]  # fmt: skip

_SETS = {
    "frameworks_by_tags": "tag_mask",
    "frameworks_by_weights": "weights_mask",
    "frameworks_by_use": "loadable_mask",
}
"""Columns of an export's models that follow from the others -> the mask that each spells out."""

_FIELDS = {"created_at": '"createdAt"', "last_modified": '"lastModified"',
    "downloads_all_time": '"downloadsAllTime"', "files": "siblings",
    "base_models": '"baseModels".models', "base_relation": '"baseModels".relation',
    "parameters": "coalesce(safetensors.total, gguf.total)", "model_type": "config.model_type",
    "architectures": "config.architectures"}  # fmt: skip
"""Column of a snapshot -> what holds it in an export, where that has another name."""


def check(store: Store, folder: Path) -> None:
    """Raise ImportFileError where the export in `folder` is damaged or contradicts itself."""
    try:
        about = manifest.read(folder)
        with lean(store.connection, _MEMORY):
            _check(store.connection, folder, about)
        manifest.check_digests(folder)
    except (duckdb.Error, ImportFileError) as error:
        raise ImportFileError(
            f"{folder} is no whole export: {str(error).splitlines()[0]}"
        ) from error


def _check(connection: duckdb.DuckDBPyConnection, folder: Path, about: manifest.Manifest) -> None:
    _check_tables(connection, folder, about.files)
    models = [file for file in about.files if file.parent.name == "models"]
    _check_sets(connection, models, folder / "frameworks" / "frameworks.parquet")
    if about.taxonomy == fingerprint():  # another release's sets cannot be made anew
        for file in models:
            with _view(connection, file):
                _check_masks(connection, file)


def _check_tables(
    connection: duckdb.DuckDBPyConnection, folder: Path, files: Mapping[Path, int]
) -> None:
    snapshots, dates, frameworks = (
        folder / name / f"{name}.parquet" for name in ("snapshots", "creation_dates", "frameworks")
    )
    models = [file for file in files if file.parent == folder / "models"]
    for name in (snapshots, dates, frameworks, *models[:1]):
        if name not in files:
            raise ImportFileError(f"{name} is missing.")
    if not models:
        raise ImportFileError(f"{folder / 'models'} is missing.")
    for file in models:
        if not _PART.fullmatch(file.name):
            raise ImportFileError(f"{file} is none of an export's files.")
    for file, rows in files.items():
        found = parquet.read_size(
            connection, file, distinct_rows=file.parent.name in ("models", "creation_dates")
        )
        if found != rows:
            raise ImportFileError(
                f"{file} holds {found:,} rows, and {manifest.NAME} says {rows:,}."
            )
    for file, table, rules in (
        (snapshots, "snapshots", SOURCE_RULES),
        (dates, "creation_dates", DATE_RULES),
        (frameworks, "frameworks", parquet.required("name", "title", "kind", "bit")),
    ):
        columns = parquet.columns_of(connection, f"FROM {table}")
        parquet.check_columns(connection, file, columns)
        parquet.check_rows(connection, file, [*rules, *parquet.text_rules(columns)], files[file])
    parquet.check_unique(connection, [dates], "(id, kind)", "a pair of id and kind")
    parquet.check_unique(connection, [frameworks], "name", "a framework")
    parquet.check_unique(connection, [frameworks], "bit", "a framework's bit")
    _check_models(connection, models, files)
    _check_source(connection, snapshots, models, sum(files[file] for file in models))


def _check_models(
    connection: duckdb.DuckDBPyConnection, models: list[Path], files: Mapping[Path, int]
) -> None:
    columns = parquet.columns_of(connection, _MODELS.read_text(encoding="utf-8"))
    rules = [*_MODEL_RULES, *parquet.text_rules(columns)]
    for file in models:
        parquet.check_columns(connection, file, columns)
        parquet.check_rows(connection, file, rules, files[file])
    parquet.check_unique(connection, models, "coalesce(_id, id)", "a model")


def _check_source(
    connection: duckdb.DuckDBPyConnection, snapshots: Path, models: list[Path], rows: int
) -> None:
    """Refuse a snapshot that is not the one of its models."""
    found = connection.execute(
        f"SELECT models, missing_columns FROM read_parquet({file_literal(snapshots)})"
    )
    about = found.fetchall()
    if len(about) != 1:
        raise ImportFileError(f"{snapshots} holds {len(about):,} snapshots, and should hold one.")
    said, missing_columns = about[0]
    if said != rows:
        raise ImportFileError(
            f"{snapshots} says {said:,} models, and {models[0].parent} holds {rows:,}."
        )
    known = parquet.columns_of(connection, "FROM models_in(0)")
    if unknown := sorted(set(missing_columns) - known.keys()):
        raise ImportFileError(
            f"{snapshots} missing_columns {', '.join(unknown)}, which no snapshot has."
        )
    names = [name for name in missing_columns if name not in ("key", "at_cutoff")]
    if not names or not rows:
        return
    counted = ", ".join(f"count({_FIELDS.get(name, name)})" for name in names)
    row = connection.execute(f"SELECT {counted} FROM read_parquet([{_listed(models)}])").fetchone()
    assert row is not None
    for name, count in zip(names, row, strict=True):
        if count:
            raise ImportFileError(
                f"{snapshots} says that {name} is lacking, and {count:,} models have it."
            )


def _check_sets(
    connection: duckdb.DuckDBPyConnection, models: list[Path], frameworks: Path
) -> None:
    """Refuse sets of what the export itself does not name as a framework."""
    names = f"(SELECT list(name) FROM read_parquet({file_literal(frameworks)}))"
    for file in models:
        for column in _SETS:
            unknown = connection.execute(
                f"SELECT count(*) FROM read_parquet({file_literal(file)}) "
                f"WHERE NOT list_has_all({names}, {column})"
            ).fetchone()
            if unknown != (0,):
                raise ImportFileError(f"{file}: {column} names what {frameworks} does not.")


@contextmanager
def _view(connection: duckdb.DuckDBPyConnection, file: Path) -> Iterator[None]:
    """Let `exported` be a file's models with the columns that classifying reads."""
    connection.execute(
        "CREATE OR REPLACE TEMP VIEW exported AS SELECT file_row_number AS rowid, tags, "
        "library_name, siblings AS files, config.model_type AS model_type, "
        f"config.architectures AS architectures, {', '.join(_SETS)} "
        f"FROM read_parquet({file_literal(file)}, file_row_number = true)"
    )
    try:
        yield
    finally:
        connection.execute("DROP VIEW exported")


def _check_masks(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Refuse sets of frameworks that do not follow from the models' own tags and files."""
    spelled = {
        column: f"CASE WHEN {mask} IS NOT NULL THEN list_sort(list_transform(list_filter(known, "
        f"lambda one: ({mask} >> one.bit) & 1 = 1), lambda one: one.name)) END"
        for column, mask in _SETS.items()
    }
    counts = ", ".join(
        f"count(*) FILTER (list_sort({column}) IS DISTINCT FROM {names})"
        for column, names in spelled.items()
    )
    found = connection.execute(
        f"WITH known AS (SELECT list({{'name': name, 'bit': bit}}) AS known FROM frameworks) "
        f"SELECT {counts} FROM exported JOIN ({masks_sql('exported')}) AS masks "
        "ON masks.row = exported.rowid, known"
    ).fetchone()
    assert found is not None
    for column, wrong in zip(_SETS, found, strict=True):
        if wrong:
            raise ImportFileError(
                f"{file}: {column} contradicts the tags and files of {wrong:,} models."
            )


def _listed(files: list[Path]) -> str:
    return ", ".join(map(file_literal, files))
