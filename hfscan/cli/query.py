"""`hfscan query`."""

import sys
from datetime import datetime
from pathlib import Path

import click
import duckdb

from hfscan.cli._options import (
    as_of_option,
    db_option,
    format_option,
    look_into,
    opened,
    source_option,
)
from hfscan.figures import load
from hfscan.figures.queries import DIALECTS, Query, names, parse
from hfscan.report import ROW_FORMATS
from hfscan.store import macros


@click.command("query")
@click.argument("query", required=False, metavar="[NAME | SQL]")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="Repeatable.")
@click.option(
    "--dialect",
    type=click.Choice(DIALECTS),
    help="Print a named query for this engine instead, over the tables of an export.",
)
@db_option
@format_option
@as_of_option
@source_option
def command(
    query: str | None,
    params: tuple[str, ...],
    dialect: str | None,
    db: Path,
    format_: str,
    as_of: datetime | None,
    source: int | None,
) -> None:
    """Run a named query, or SQL of your own, read-only; without either, list the named ones.

    The relation `census` holds the models of the newest observation, or of the one that --source
    or --as-of names; `sources` lists them all, and
    observed(ID) holds the models of any.
    """
    if query is None:
        rows = [
            {"name": one.name, "title": one.title, "parameters": [p.name for p in one.parameters]}
            for one in map(load, names())
        ]
        ROW_FORMATS[format_](rows, sys.stdout)
        return
    if dialect is not None:
        from hfscan.figures.dialect import translate  # noqa: PLC0415 - slow to import

        named = load(query)
        click.echo(translate(named, dict(_given(named, one) for one in params), macros(), dialect))
        return
    with opened(db) as store:
        store.seal()
        look_into(store, source, as_of)
        # a name has no blanks; SQL that does something has
        named = load(query) if len(query.split()) == 1 else Query(query, "", "", (), None, query)
        given = dict(_given(named, text) for text in params)
        try:
            rows = named.run(store.connection, given)
        except duckdb.Error as error:
            raise click.UsageError(str(error)) from error
    ROW_FORMATS[format_](rows, sys.stdout)


def _given(query: Query, text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not of the form NAME=VALUE", param_hint="--param")
    kinds = {parameter.name: parameter.type for parameter in query.parameters}
    return name, parse(kinds.get(name, "VARCHAR"), value)
