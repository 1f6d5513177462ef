"""Validate Parquet files from elsewhere before anything of them is kept.

First what a file says of itself (size, rows, columns), so that a small one cannot unpack to more
than the machine holds; then its values, by rules. All raise ImportFileError with the file and the
reason.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from hfscan.errors import ImportFileError
from hfscan.sql import file_literal, identifier, literal

_MAX_ROWS = 100_000_000
_MAX_BYTES = 64 << 30  # unpacked
_MAX_RATIO = 1_000  # unpacked to packed; real files have less than 50
_SMALL = 16 << 20  # unpacked bytes that are no harm, whatever the ratio
_MAX_TEXT = 1_000_000  # characters of one text, or of all texts of one list


@dataclass(frozen=True)
class Rule:
    """What must not be: a condition in SQL, and its name in a message."""

    broken: str
    message: str


def check_path(folder: Path, file: Path) -> None:
    """Refuse what is no regular file of the folder itself: links, and names that lead out of it."""
    place = folder
    for part in file.relative_to(folder).parts:
        place /= part
        if part in ("..", ".") or place.is_symlink():
            raise ImportFileError(
                f"{file} is a link or leads out of {folder}. Copy the files themselves."
            )
    if not file.is_file():
        raise ImportFileError(f"{file} is missing: {folder} is not complete. Copy it again.")


def read_size(
    connection: duckdb.DuckDBPyConnection, file: Path, *, distinct_rows: bool = False
) -> int:
    """Return the file's number of rows; refuse one that unpacks to more than is plausible.

    `distinct_rows`: no two rows are equal, so that each takes a byte at least.
    """
    try:
        row = connection.execute(
            f"SELECT (SELECT sum(num_rows) FROM parquet_file_metadata({file_literal(file)})), "
            f"(SELECT sum(total_uncompressed_size) FROM parquet_metadata({file_literal(file)}))"
        ).fetchone()
    except duckdb.Error as error:
        raise ImportFileError(f"{file} is no Parquet file: {str(error).splitlines()[0]}") from error
    assert row is not None
    rows, unpacked = int(row[0] or 0), int(row[1] or 0)
    packed = file.stat().st_size
    most_rows = min(_MAX_ROWS, packed) if distinct_rows else _MAX_ROWS
    most_bytes = min(_MAX_BYTES, max(_SMALL, packed * _MAX_RATIO))
    if not 0 <= rows <= most_rows or not 0 <= unpacked <= most_bytes:
        raise ImportFileError(
            f"{file} has {packed:,} bytes and says that it holds {rows:,} rows and "
            f"{unpacked:,} bytes: that is not plausible, and it was not unpacked."
        )
    return rows


def check_columns(
    connection: duckdb.DuckDBPyConnection, file: Path, expected: Mapping[str, str]
) -> None:
    """Refuse a file whose columns or their types are others than `expected` (name -> type)."""
    described = connection.execute(f"DESCRIBE FROM read_parquet({file_literal(file)})").fetchall()
    found = {row[0]: row[1] for row in described}
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


def columns_of(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, str]:
    """Return name -> type of the columns of a query."""
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE {sql}").fetchall()}


def check_rows(
    connection: duckdb.DuckDBPyConnection, file: Path, rules: Sequence[Rule], rows: int
) -> None:
    """Refuse a file in which a row breaks a rule, or that holds another number of `rows`."""
    counts = ", ".join(f"count(*) FILTER ({one.broken})" for one in rules)
    found = connection.execute(
        f"SELECT count(*), {counts} FROM read_parquet({file_literal(file)})"
    ).fetchone()
    assert found is not None
    if found[0] != rows:
        raise ImportFileError(f"{file} holds {found[0]:,} rows, and should hold {rows:,}.")
    for rule, broken in zip(rules, found[1:], strict=True):
        if broken:
            raise ImportFileError(f"{file}: {rule.message} ({broken:,} of {rows:,} rows).")


def check_unique(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path], key: str, name: str
) -> None:
    """Refuse files in which a key, an SQL expression, is there twice."""
    listed = ", ".join(map(file_literal, files))
    found = connection.execute(
        f"SELECT count(*) - count(DISTINCT {key}) FROM read_parquet([{listed}])"
    ).fetchone()
    if found != (0,):
        raise ImportFileError(f"{files[0].parent}: {name} is there more than once.")


def text_rules(columns: Mapping[str, str]) -> list[Rule]:
    """Return rules for the length of the texts in columns of type VARCHAR and VARCHAR[]."""
    return [
        Rule(
            f"length({identifier(name)}) > {_MAX_TEXT}"
            if kind == "VARCHAR"
            else f"len({identifier(name)}) > {_MAX_TEXT} OR list_sum(list_transform("
            f"{identifier(name)}, lambda one: length(one))) > {_MAX_TEXT * 16}",
            f"{name} is longer than anything real",
        )
        for name, kind in columns.items()
        if kind in ("VARCHAR", "VARCHAR[]")
    ]


def required(*names: str) -> list[Rule]:
    """Return rules that refuse NULL in columns."""
    return [Rule(f"{identifier(name)} IS NULL", f"{name} is missing") for name in names]


def not_negative(names: Iterable[str]) -> list[Rule]:
    """Return rules that refuse numbers below zero in columns or expressions."""
    return [Rule(f"{name} < 0", f"{name} is negative") for name in names]


def in_the_past(names: Iterable[str]) -> list[Rule]:
    """Return rules that refuse times (UTC) later than an hour from now: clocks may differ."""
    latest = "(now() AT TIME ZONE 'UTC')::TIMESTAMP + INTERVAL 1 HOUR"
    return [
        Rule(f"{name} > {latest} OR NOT isfinite({name})", f"{name} lies in the future")
        for name in names
    ]


def one_of(name: str, values: Iterable[str]) -> Rule:
    """Return the rule that a text is one of some, or NULL."""
    known = ", ".join(map(literal, values))
    return Rule(f"{name} NOT IN ({known})", f"{name} is none of {known}")
