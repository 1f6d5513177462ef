"""`hfscan query`."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from hfscan.cli._command import Command
from hfscan.cli._options import (
    SnapshotSelector,
    db_option,
    format_option,
    open_store,
    snapshot_options,
)
from hfscan.cli._output import echo, echo_lines
from hfscan.cli._streams import output
from hfscan.cli._types import LARGEST_GIB, Choice, Count, Number, parse_pairs
from hfscan.errors import InvalidRequestError
from hfscan.figures import load
from hfscan.figures.queries import DIALECTS, Query, convert_decimals, names
from hfscan.figures.sql import limited, run
from hfscan.report import TABLE_FORMATS, write_result, write_rows
from hfscan.store import macros

_SHOWN = 1_000  # rows, where people read
_COUNTED = 1_000_000  # rows beyond those shown that are counted, not merely known to be there


_EXAMPLES = """
hfscan query
hfscan query concentration --param framework=tensorflow
hfscan query "SELECT count(*) AS models FROM census" --format csv
hfscan query exclusivity --dialect spark
"""


@click.command("query", cls=Command, examples=_EXAMPLES)
@click.argument("query", required=False, metavar="[NAME | SQL]")
@click.option(
    "--param",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    callback=parse_pairs,
    help="Repeatable.",
)
@click.option(
    "--dialect",
    type=Choice(DIALECTS),
    help="Print a named query for this engine instead, over the tables of an export.",
)
@click.option(
    "--limit",
    type=Count(),
    metavar="N",
    help="Return at most N rows; 0: all.  [default: 1000 to read (terminal, md), else all]",
)
@click.option(
    "--max-memory",
    type=Number(0.1, LARGEST_GIB),
    metavar="GIB",
    help="Memory that the query may use.  [default: half of the machine's, at most 4]",
)
@click.option(
    "--max-disk",
    type=Number(0, LARGEST_GIB),
    default=10,
    show_default=True,
    metavar="GIB",
    help="Temporary disk space that the query may use beside the database.",
)
@db_option
@format_option
@snapshot_options
def command(
    query: str | None,
    params: dict[str, str],
    dialect: str | None,
    limit: int | None,
    max_memory: float | None,
    max_disk: float,
    db: Path,
    format_: str,
    selector: SnapshotSelector,
) -> None:
    """Run a named query, or SQL of your own, read-only; without either, list the named ones.

    The relation `census` holds the models of the newest snapshot, or of the one that --snapshot
    or --as-of names; `snapshots` lists them all, and
    models_in(ID) holds the models of any.

    SQL is one statement that reads the database, and nothing else. csv and json are written row by
    row. Exit code 2: the SQL is wrong; 14: it needs more memory or disk than it may use.
    """
    given: dict[str, object] = {
        name: None if value == "NULL" else value for name, value in params.items()
    }
    if query is None and (params or dialect or selector.is_given):
        raise click.UsageError("Name a query, or give SQL. Without either, the queries are listed.")
    if query is None:
        rows = [
            {"name": one.name, "title": one.title, "parameters": [p.name for p in one.parameters]}
            for one in map(load, names())
        ]
        write_rows(format_, rows, output(format_))
        return
    is_name = len(query.split()) == 1  # SQL that does something has blanks
    if dialect is not None:
        if selector.is_given:
            raise click.UsageError("--dialect prints SQL. Leave --snapshot and --as-of out.")
        if not is_name:
            raise click.UsageError("--dialect translates a named query, not your own SQL.")
        from hfscan.figures.dialect import translate  # noqa: PLC0415 - slow to import

        echo_lines(translate(load(query), given, macros(), dialect))
        return
    with open_store(db) as store, limited(store.connection, memory=max_memory, disk=max_disk):
        store.seal()
        connection = selector.select(store).connection
        named = load(query) if is_name else Query("", "", "", (), None, query)
        given = named.bind(connection, given)
        try:
            result = run(connection, named.sql, given)
            values = map(convert_decimals, result.rows) if is_name else result.rows
            _write(result.columns, values, format_, limit)
        except InvalidRequestError as error:
            raise click.UsageError(_indent(str(error))) from error


def _write(
    columns: tuple[str, ...], rows: Iterator[tuple[Any, ...]], format_: str, limit: int | None
) -> None:
    for_people = format_ in TABLE_FORMATS
    if limit is None:
        limit = _SHOWN if for_people else 0
    write_result(format_, columns, itertools.islice(rows, limit or None), output(format_))
    if not (limit and for_people):
        return
    more = sum(1 for _ in itertools.islice(rows, _COUNTED + 1))
    if more:
        count = f"{more:,}" if more <= _COUNTED else f"More than {_COUNTED:,}"
        echo()
        echo(f"{count} more rows. All of them: --limit 0, or --format csv or json.")


def _indent(text: str) -> str:
    """Indent all lines but the first: text that an error quotes cannot pass for a message."""
    return text.replace("\n", "\n  ")
