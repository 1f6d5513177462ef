from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hfscan.cli._command import Command
from hfscan.cli._ingested import describe_scope, describe_unreadable
from hfscan.cli._options import db_option, format_option, open_store
from hfscan.cli._progress import show_activity
from hfscan.cli._streams import output
from hfscan.cli._types import Count

if TYPE_CHECKING:
    from hfscan.figures import Flag
    from hfscan.store import Snapshot

_EXAMPLES = """
hfscan snapshots
hfscan snapshots --full
hfscan snapshots --format json --db hub.duckdb
"""
_COMPLETENESS = {True: "yes", False: "no", None: "not stated"}


@click.command("snapshots", cls=Command, examples=_EXAMPLES)
@db_option
@format_option
@click.option(
    "--check",
    type=Count(),
    default=5,
    metavar="N",
    help="Check the counters, duplicates and copies of the N newest snapshots. Missing models are "
    "flagged in all.",
)
@click.option(
    "--reclassify", is_flag=True, help="First classify all models again with this release's rules."
)
@click.option(
    "--full", is_flag=True, help="Print all fields, such as origin and missing columns, as csv has."
)
def command(db: Path, format_: str, check: int, reclassify: bool, full: bool) -> None:
    """List the snapshots in the database with time, scope, number of models and data quality flags.

    docs/data-quality.md explains the flags.
    """
    from hfscan.figures import find_flags
    from hfscan.report import write_rows
    from hfscan.store import Store, list_snapshots

    if reclassify:
        Store.open(db).close()  # fail if there is no database
        Store.open(db, write=True).close()  # opening for writing reclassifies
    with show_activity("Checking the snapshots"), open_store(db) as store:
        snapshots = list_snapshots(store)
        checked = snapshots[max(0, len(snapshots) - check) :]
        flags = find_flags(store, checked)
    is_short = format_ == "terminal" and not full
    rows = []
    for snapshot in snapshots:
        found = _flags([flag for flag in flags if flag.snapshot == snapshot.id], format_)
        if is_short:
            row = _short_row(snapshot)
            found += [] if snapshot in checked else ["not checked"]
        else:
            row = _row(snapshot) | {"checked": snapshot in checked}
        rows.append(row | {"flags": found})
    write_rows(format_, rows, output(format_))


def _flags(flags: Sequence[Flag], format_: str) -> list[Any]:
    """Return the flags as objects in JSON, else as short text."""
    if format_ != "json":
        return [flag.label for flag in flags]
    return [vars(flag) | {"message": flag.message} for flag in flags]


def _short_row(snapshot: Snapshot) -> dict[str, Any]:
    from hfscan.report.format import format_number

    return {
        "id": snapshot.id,
        "observed": f"{snapshot.observed_to:%F}",
        "models": format_number(snapshot.models),
        "kind": snapshot.kind,
        "complete": _COMPLETENESS[snapshot.complete],
        "scope": _describe_scope(snapshot),
    }


def _row(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "id": snapshot.id,
        "kind": snapshot.kind,
        "observed_from": f"{snapshot.observed_from:%F %T}",
        "observed_to": f"{snapshot.observed_to:%F %T}",
        "scope": _describe_scope(snapshot),
        "complete": _COMPLETENESS[snapshot.complete],
        "models": snapshot.models,
        "missing_columns": snapshot.missing_columns,
        "unreadable": [describe_unreadable(field) for field in snapshot.unreadable],
        "origin": snapshot.origin,
    }


def _describe_scope(snapshot: Snapshot) -> str:
    sample = [f"a sample of {snapshot.sample:g}"] if snapshot.sample is not None else []
    limit = [f"at most {snapshot.model_limit:,}"] if snapshot.model_limit is not None else []
    return ", ".join([*sample, *limit, *describe_scope(snapshot)]) or "everything"
