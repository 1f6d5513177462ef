from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from hfscan.choices import DIALECTS
from hfscan.cli._command import Command
from hfscan.cli._completion import complete_names
from hfscan.cli._options import (
    SnapshotSelector,
    account_groups_option,
    snapshot_options,
)
from hfscan.cli._output import echo, echo_lines, note
from hfscan.cli._progress import show_activity
from hfscan.cli._reports import ResultTarget, result_options, write_report_file, write_text
from hfscan.cli._types import LARGEST_GIB, Choice, Count, Number, parse_pairs
from hfscan.errors import InvalidRequestError
from hfscan.scope import DEFAULT_FRAMEWORKS
from hfscan.text import format_count

if TYPE_CHECKING:
    from hfscan.figures import AccountGroups, Query, SnapshotView
    from hfscan.report import Section
    from hfscan.store import Snapshot, Store

_DEFAULT_LIMIT = 1_000  # rows, in formats for people
_COUNTED = 1_000_000  # further rows that are counted

_PLAN = ("explain_key", "explain_value")  # columns of EXPLAIN
_ACTIVITY = "Running the query"
_EXAMPLES = """
hfscan query
hfscan query concentration --param framework=tensorflow
hfscan query "SELECT count(*) AS models FROM census" --format csv
# the share of downloads without a license, in each snapshot
hfscan query composition --param weight=downloads --per-snapshot
hfscan query formats --out formats.svg
hfscan query exclusivity --dialect spark
"""


_OPTION = re.compile(r"--([\w-]+(=.*)?)?", re.DOTALL)


class _QueryCommand(Command):
    """A command that takes SQL which begins with a comment, such as `-- all`, for no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_sql = [arg.startswith("--") and not _OPTION.fullmatch(arg) for arg in args]
        return super().parse_args(
            ctx, [f"\n{arg}" if sql else arg for arg, sql in zip(args, is_sql, strict=True)]
        )


def _list_names(_ctx: click.Context) -> list[str]:
    from hfscan.figures import list_queries

    return list_queries()


@click.command("query", cls=_QueryCommand, examples=_EXAMPLES)
@click.argument(
    "query",
    required=False,
    metavar="[NAME | SQL]",
    shell_complete=complete_names(_list_names),
)
@click.option(
    "--param",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    callback=parse_pairs,
    help="Set a parameter of a named query; NULL: no value. Repeatable.",
)
@account_groups_option
@click.option(
    "--per-snapshot",
    is_flag=True,
    help="Run a named query over each snapshot of the entire Hub, oldest first.",
)
@click.option(
    "--dialect",
    type=Choice(DIALECTS),
    help="Print the SQL of a named query for this engine, over the tables of an export.",
)
@click.option(
    "--limit",
    type=Count(),
    metavar="N",
    help="Return at most N rows; 0: all.  [default: 1000 for terminal and md, else all]",
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
    metavar="GIB",
    help="Temporary disk space that the query may use beside the database.",
)
@result_options
@snapshot_options
def command(
    query: str | None,
    params: dict[str, str],
    account_groups: AccountGroups | None,
    per_snapshot: bool,
    dialect: str | None,
    limit: int | None,
    max_memory: float | None,
    max_disk: float,
    target: ResultTarget,
    selector: SnapshotSelector,
) -> None:
    """Run a named query or your own SQL, read-only; without an argument, list the named queries.

    The relation `census` holds the models of the newest snapshot, or of the one selected by
    --snapshot or --as-of. `snapshots` lists all snapshots; models_in(ID) holds the models of one.

    SQL is one statement that only reads the database. csv and json are written row by row.

    Ctrl-C stops a query between its steps: one call that makes gigabytes of text, such as
    repeat('x', 4000000000), ends first.

    Exit code 2: the SQL, a name or a value is wrong; 14: the query needs more memory or disk than
    allowed.
    """
    from hfscan.figures import load
    from hfscan.figures.queries import is_query_name
    from hfscan.figures.sql import find_query, restrict

    if query is None:
        if params or per_snapshot or dialect or selector.is_given or target.is_report:
            raise click.UsageError("These options need a query: give its name, or SQL.")
        _list_queries(target)
        return
    is_name = is_query_name(query)
    parameters: dict[str, str | None]
    parameters = {name: None if value == "NULL" else value for name, value in params.items()}
    if account_groups:
        parameters["account_groups"] = account_groups.as_parameter
    if dialect is not None:
        if selector.is_given or per_snapshot:
            raise click.UsageError(
                "--dialect prints SQL. Omit --snapshot, --as-of and --per-snapshot."
            )
        if not is_name:
            raise click.UsageError("--dialect translates a named query, not your own SQL.")
        from hfscan.figures.dialect import translate
        from hfscan.store import macros

        echo_lines(translate(load(query), parameters, macros(), dialect))
        return
    if per_snapshot and (not is_name or selector.snapshot is not None):
        raise click.UsageError(
            "--per-snapshot runs a named query over all. Omit --snapshot or your own SQL."
        )
    with (
        selector.open() as store,
        restrict(store, memory=max_memory, disk=max_disk, is_exclusive=True),
    ):
        if per_snapshot:
            _run_per_snapshot(store, load(query), parameters, target, limit, selector)
            return
        try:
            named = find_query(query, on_one_snapshot=selector.is_given)
            _run_once(selector.select(store), named, parameters, target, limit)
        except InvalidRequestError as error:
            # indented, so that quoted lines cannot pass for a message
            raise click.UsageError(str(error).replace("\n", "\n  ")) from error


def _run_once(
    view: SnapshotView,
    query: Query,
    parameters: Mapping[str, str | None],
    target: ResultTarget,
    limit: int | None,
) -> None:
    """Run a query over one snapshot, write the result, and say what limits it."""
    from hfscan.figures.limits import WatchedRows, describe_limits
    from hfscan.figures.sql import run_query
    from hfscan.report import TABLE_FORMATS
    from hfscan.report.result_report import query_section

    with show_activity(_ACTIVITY):
        result = run_query(view.store, view, query, parameters)
    watched = WatchedRows(result.columns, result.rows)
    rows = iter(watched)
    if target.is_report:
        first = itertools.islice(rows, limit or _DEFAULT_LIMIT)
        section = query_section(
            query, result.columns, first, parameters, view.snapshot.id, result.compared
        )
        _write_page(section, view, target, result.compared.values())
    else:
        if query.name and target.format in TABLE_FORMATS:
            _note_conditions(query, parameters, view, result.compared)
        if result.columns == _PLAN and target == ResultTarget("terminal", None):
            for _, plan in rows:
                echo_lines(plan.rstrip())
        else:
            _write(result.columns, rows, target, limit)
    snapshots = result.compared.values() or (view.snapshot,)
    for text in describe_limits(view.store, query, parameters, watched, snapshots):
        note(text)


def _list_queries(target: ResultTarget) -> None:
    from hfscan.figures import list_queries, load
    from hfscan.report import write_rows

    rows = [
        {
            "name": known.name,
            "title": known.title,
            "parameters": [parameter.name for parameter in known.parameters],
        }
        for known in map(load, list_queries())
    ]
    write_text(lambda out: write_rows(target.format, rows, out), target.format, target.path)


def _run_per_snapshot(
    store: Store,
    query: Query,
    parameters: Mapping[str, object],
    target: ResultTarget,
    limit: int | None,
    selector: SnapshotSelector,
) -> None:
    from hfscan.figures import run_per_snapshot
    from hfscan.figures.limits import WatchedRows, describe_empty
    from hfscan.report import write_rows
    from hfscan.report.result_report import query_section

    over = run_per_snapshot(store, query, parameters, as_of=selector.end)
    with show_activity(_ACTIVITY):
        rows = list(itertools.islice(over, limit or None))
    if WatchedRows.read(rows).is_empty:
        note(describe_empty(parameters))
    if target.is_report:
        columns = tuple(rows[0]) if rows else ()
        values = (tuple(row.values()) for row in rows)
        section = query_section(query, columns, values, parameters, None, {})
        _write_page(section, selector.select(store), target)
    else:
        write_text(lambda out: write_rows(target.format, rows, out), target.format, target.path)


def _note_conditions(
    query: Query,
    parameters: Mapping[str, str | None],
    view: SnapshotView,
    compared: Mapping[str, Snapshot],
) -> None:
    """Say which snapshot a result is of, and with which parameters, also those not given."""
    from hfscan.report.provenance import describe_snapshot
    from hfscan.report.result_report import describe_parameters

    if query.reads_census:
        note(describe_snapshot(view.snapshot))
    for text in describe_parameters(query.fill_defaults(parameters), compared):
        note(f"{text} To change one: --param NAME=VALUE")


def _write_page(
    section: Section,
    view: SnapshotView,
    target: ResultTarget,
    snapshots: Iterable[Snapshot] = (),
) -> None:
    """Write a result as a page, or its chart."""
    from hfscan.report.result_report import new_result_report

    names = section.parameters.get("frameworks")
    compared = tuple(names.split(",")) if isinstance(names, str) else DEFAULT_FRAMEWORKS
    report = new_result_report(
        view, "query", section.title, [section], frameworks=compared, compared=snapshots
    )
    write_report_file(report, target)


def _write(
    columns: tuple[str, ...],
    rows: Iterator[tuple[Any, ...]],
    target: ResultTarget,
    limit: int | None,
) -> None:
    from hfscan.report import TABLE_FORMATS, write_result

    is_for_people = target.format in TABLE_FORMATS
    if limit is None:
        limit = _DEFAULT_LIMIT if is_for_people else 0
    first = itertools.islice(rows, limit or None)
    write_text(
        lambda out: write_result(target.format, columns, first, out), target.format, target.path
    )
    if limit and is_for_people and (more := sum(1 for _ in itertools.islice(rows, _COUNTED + 1))):
        count = format_count(more, "more row")
        if more > _COUNTED:
            count = f"More than {_COUNTED:,} more rows"
        echo()
        echo(f"{count}. To get all, use --limit 0, --format csv or --format json.")
