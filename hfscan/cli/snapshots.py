"""`hfscan snapshots`."""

from pathlib import Path
from typing import Any

import click

from hfscan.cli._command import Command
from hfscan.cli._options import db_option, format_option, open_store
from hfscan.cli._streams import output
from hfscan.cli._unreadable import describe
from hfscan.report import ROW_FORMATS
from hfscan.store import Snapshot, Store


@click.command("snapshots", cls=Command)
@db_option
@format_option
@click.option(
    "--reclassify",
    is_flag=True,
    help="First bring the framework masks of every model to this release's taxonomy.",
)
def command(db: Path, format_: str, reclassify: bool) -> None:
    """List the snapshots: time, scope and number of models."""
    if reclassify:
        Store.open(db).close()  # there must be one
        with Store.open(db, write=True):
            pass  # opened to write, a database is classified by this release's taxonomy
    with open_store(db) as store:
        ROW_FORMATS[format_]([_row(one) for one in store.snapshots()], output(format_))


def _row(one: Snapshot) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "observed_from": f"{one.observed_from:%F %T}",
        "observed_to": f"{one.observed_to:%F %T}",
        "scope": _scope(one),
        "complete": {True: "yes", False: "no", None: "not stated"}[one.complete],
        "models": one.models,
        "missing_columns": one.missing_columns,
        "unreadable": [describe(field) for field in one.unreadable],
        "origin": one.origin,
    }


def _scope(one: Snapshot) -> str:
    words = [f"a sample of {one.sample:g}"] if one.sample is not None else []
    if one.model_limit is not None:
        words.append(f"at most {one.model_limit:,}")
    if one.task is not None:
        words.append(f"for {one.task}")
    if one.author is not None:
        words.append(f"of {one.author}")
    if one.since is not None:
        words.append(f"created from {one.since:%F}")
    if one.until is not None:
        words.append(f"created before {one.until:%F}")
    return ", ".join(words) or "everything"
