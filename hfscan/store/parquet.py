"""Validate Parquet files from other sources before they are imported.

First a file's metadata (size, rows, columns), so that a small file cannot unpack to more than the
machine holds; then its values, by rules. All checks raise ImportFileError with file and reason.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from hfscan.errors import ImportFileError
from hfscan.objectid import CUTOFF_END, CUTOFF_START
from hfscan.sql import file_literal, file_literals, identifier, literal
from hfscan.store.database import Store
from hfscan.store.duckdb_errors import first_line

_MAX_ROWS = 100_000_000
_MAX_BYTES = 64 << 30  # unpacked
_MAX_RATIO = 1_000  # unpacked to packed; real files have less than 50
_SMALL = 16 << 20  # unpacked bytes that are harmless at any ratio
_MAX_TEXT = 1_000_000  # characters of one text, or of all texts of one list

EXPORTED_COLUMNS = {
    "created_at": '"createdAt"',
    "at_cutoff": f"coalesce(\"createdAt\" >= TIMESTAMP '{CUTOFF_START:%F %T}' "
    f"AND \"createdAt\" < TIMESTAMP '{CUTOFF_END:%F %T}', false)",
    "last_modified": '"lastModified"',
    "downloads_all_time": '"downloadsAllTime"',
    "files": "siblings",
    "parameters": "coalesce(safetensors.total, gguf.total)",
    "model_type": "config.model_type",
    "architectures": "config.architectures",
    "base_models": 'list_transform("baseModels".models, lambda base: base.id)',
    "base_relation": '"baseModels".relation',
}
"""Columns of a snapshot -> their expressions over an export, where these differ."""
EXPORTED_MASKS = {
    "tag_mask": "frameworks_by_tags",
    "weights_mask": "frameworks_by_weights",
    "loadable_4_mask": "frameworks_loadable_4",
    "loadable_5_mask": "frameworks_loadable_5",
    "best_mask": "frameworks_by_best_evidence",
}
"""Bit masks of frameworks -> an export's lists of names, which an import recomputes."""


@dataclass(frozen=True)
class Rule:
    """A condition in SQL that invalid rows meet, and its description in a message."""

    violation: str
    message: str


def check_path(folder: Path, file: Path) -> None:
    """Refuse links, names that lead out of the folder, and anything but regular files."""
    place = folder
    for part in file.relative_to(folder).parts:
        place /= part
        if part in ("..", ".") or place.is_symlink():
            raise ImportFileError(
                f"{file} is a link or leads out of {folder}. Copy the files themselves."
            )
    if not file.is_file():
        raise ImportFileError(f"{file} is missing: {folder} is not complete. Copy it again.")


def read_size(store: Store, file: Path, *, distinct_rows: bool = False) -> int:
    """Return the file's number of rows; refuse one that unpacks to more than is plausible.

    `distinct_rows`: no two rows are equal, so that each takes a byte at least.
    """
    try:
        row = store.fetch_one(
            f"SELECT (SELECT sum(num_rows) FROM parquet_file_metadata({file_literal(file)})), "
            f"(SELECT sum(total_uncompressed_size) FROM parquet_metadata({file_literal(file)}))"
        )
    except duckdb.Error as error:
        raise ImportFileError(f"{file} is not a Parquet file: {first_line(error)}") from error
    rows, unpacked = int(row[0] or 0), int(row[1] or 0)
    packed = file.stat().st_size
    most_rows = min(_MAX_ROWS, packed) if distinct_rows else _MAX_ROWS
    most_bytes = min(_MAX_BYTES, max(_SMALL, packed * _MAX_RATIO))
    if not 0 <= rows <= most_rows or not 0 <= unpacked <= most_bytes:
        raise ImportFileError(
            f"{file} has {packed:,} bytes and claims to hold {rows:,} rows and "
            f"{unpacked:,} bytes: that is not plausible, and it was not unpacked."
        )
    return rows


def check_table(
    store: Store, file: Path, columns: Mapping[str, str], rules: Sequence[Rule], rows: int
) -> None:
    """Refuse a file with other columns (name -> type) or `rows`, or with a row that breaks a rule.

    Rules for the length of texts apply to every file.
    """
    _check_columns(store, file, columns)
    _check_rows(store, file, [*rules, *_text_rules(columns)], rows)


def _check_columns(store: Store, file: Path, expected: Mapping[str, str]) -> None:
    """Refuse a file whose columns or their types are others than `expected` (name -> type)."""
    found = store.columns(f"FROM read_parquet({file_literal(file)})")
    problems = [
        *(f"lacks the column {name}" for name in expected if name not in found),
        *(f"has an unknown column {name}" for name in found if name not in expected),
        *(
            f"has {name} as {found[name]}, not {kind}"
            for name, kind in expected.items()
            if found.get(name, kind) != kind
        ),
    ]
    if problems:
        raise ImportFileError(f"{file} {', '.join(problems)}.")


def _check_rows(store: Store, file: Path, rules: Sequence[Rule], rows: int) -> None:
    """Refuse a file in which a row breaks a rule, or that holds another number of `rows`."""
    counts = ", ".join(f"count(*) FILTER ({rule.violation})" for rule in rules)
    found, *violations = store.fetch_one(
        f"SELECT count(*), {counts} FROM read_parquet({file_literal(file)})"
    )
    if found != rows:
        raise ImportFileError(f"{file} has {found:,} rows, but {rows:,} were expected.")
    for rule, count in zip(rules, violations, strict=True):
        if count:
            raise ImportFileError(f"{file}: {rule.message} ({count:,} of {rows:,} rows).")


def check_unique(store: Store, files: Sequence[Path], key: str, name: str) -> None:
    """Refuse files in which a key, an SQL expression, occurs twice."""
    (duplicates,) = store.fetch_one(
        f"SELECT count(*) - count(DISTINCT {key}) FROM read_parquet({file_literals(files)})"
    )
    if duplicates:
        raise ImportFileError(f"{files[0].parent}: {name} is there more than once.")


def _text_rules(columns: Mapping[str, str]) -> list[Rule]:
    """Return rules for the length of the texts in columns of type VARCHAR and VARCHAR[]."""
    lengths = "list_sum(list_transform({0}, lambda text: length(text)))"
    violations = {
        "VARCHAR": f"length({{0}}) > {_MAX_TEXT}",
        "VARCHAR[]": f"len({{0}}) > {_MAX_TEXT} OR {lengths} > {_MAX_TEXT * 16}",
    }
    return [
        Rule(violations[kind].format(identifier(name)), f"{name} is implausibly long")
        for name, kind in columns.items()
        if kind in violations
    ]


def required(*names: str) -> list[Rule]:
    return [Rule(f"{identifier(name)} IS NULL", f"{name} is missing") for name in names]


def not_negative(names: Iterable[str]) -> list[Rule]:
    return [Rule(f"{name} < 0", f"{name} is negative") for name in names]


def in_the_past(names: Iterable[str]) -> list[Rule]:
    """Return rules that refuse times (UTC) later than an hour from now: clocks differ."""
    latest = "(now() AT TIME ZONE 'UTC')::TIMESTAMP + INTERVAL 1 HOUR"
    return [
        Rule(f"{name} > {latest} OR NOT isfinite({name})", f"{name} lies in the future")
        for name in names
    ]


def allowed(name: str, values: Iterable[str]) -> Rule:
    known = ", ".join(map(literal, values))
    return Rule(f"{name} NOT IN ({known})", f"{name} is not one of {known}")


SNAPSHOT_RULES = (
    *required("id", "kind", "origin", "observed_from", "observed_to", "models", "missing_columns"),
    allowed("kind", ("crawl", "update", "import")),
    *in_the_past(("observed_from", "observed_to")),
    Rule("observed_from > observed_to", "observed_from lies after observed_to"),
    Rule("since >= until", "since does not lie before until"),
    *not_negative(("models", "requests")),
    Rule("model_limit < 1", "model_limit is less than 1"),
    Rule("sample <= 0 OR sample > 1 OR isnan(sample)", "sample is not a probability"),
)

POSITION_RULES = (
    *required("series_id", "position", "digest"),
    Rule("id < 1 OR series_id < 1 OR position < 1", "id, series_id or position is less than 1"),
)

DATE_RULES = (
    *required("id", "kind", "origin", "recorded_at"),
    Rule("id = ''", "id is empty"),
    allowed("kind", ("first commit", "import")),
    *in_the_past(("created_at", "recorded_at")),
)

VERSION_RULES = (
    *required("snapshot", "model", "gone", "key"),
    Rule("model < 1", "a model's number is less than 1"),
    Rule("NOT gone AND (id IS NULL OR id = '')", "id is missing"),
    Rule("NOT gone AND has_id IS NULL", "has_id is missing"),
    *in_the_past(("created_at", "last_modified")),
    *not_negative(("parameters",)),
    Rule(
        f"at_cutoff IS DISTINCT FROM (created_at >= TIMESTAMP '{CUTOFF_START:%F %T}' "
        f"AND created_at < TIMESTAMP '{CUTOFF_END:%F %T}')",
        "at_cutoff contradicts created_at",
    ),
)

COUNT_RULES = (
    *required("snapshot", "model"),
    *not_negative(("downloads", "downloads_all_time", "likes")),
)
