from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from hfscan.cli._command import Command
from hfscan.cli._hub import HubAccess, upload_options
from hfscan.cli._options import db_option
from hfscan.cli._output import echo, note
from hfscan.cli._progress import show_steps
from hfscan.cli._types import Choice, UtcTime
from hfscan.errors import ImportFileError
from hfscan.text import format_count, format_duration

if TYPE_CHECKING:
    from hfscan.hub.revisions import Revision, RevisionSource
    from hfscan.revisions import Plan, RevisionResult
    from hfscan.store import Store

_EXAMPLES = """
hfscan import-history hf://datasets/cfahlgren1/hub-stats --plan
hfscan import-history hf://datasets/cfahlgren1/hub-stats --since 2025-01-01 --every week
hfscan import-history hf://datasets/hfmlsoc/hub_weekly_snapshots/models --weekly-mirror
"""


@click.command("import-history", cls=Command, examples=_EXAMPLES)
@click.argument("dataset", metavar="hf://datasets/OWNER/NAME[/PATH]")
@click.option("--since", type=UtcTime(), help="First day of the revisions.")
@click.option("--until", type=UtcTime(), help="First day after the revisions.")
@click.option(
    "--every",
    type=Choice(["day", "week", "month"]),
    default="day",
    help="Import the last revision of each day, week or month.",
)
@click.option(
    "--weekly-mirror",
    is_flag=True,
    help="The revisions are the files in dated folders, not the commits of one file.",
)
@click.option(
    "--plan", is_flag=True, help="Show what would be fetched, with bytes and requests; import none."
)
@upload_options
@db_option
def command(
    dataset: str,
    since: datetime | None,
    until: datetime | None,
    every: str,
    weekly_mirror: bool,
    plan: bool,
    hub: HubAccess,
    db: Path,
) -> None:
    """Import all revisions of a dump on the Hub, each as a snapshot.

    PATH is a Parquet file (default: models.parquet), or with --weekly-mirror a folder. Only the
    columns that hfscan stores are fetched, one revision at a time. A snapshot is dated by the
    newest date in it. It counts as complete unless it has far fewer models than its neighbours.
    Run the same command again after an interruption: it continues where it stopped.
    """
    from hfscan.hub.revisions import RevisionSource, choose_revisions
    from hfscan.store import Store

    hub.require_online("Unset it, or download the files and use `hfscan import`.")
    if since and until and since >= until:
        raise click.UsageError("--since must be earlier than --until.")
    source = RevisionSource(dataset, endpoint=hub.endpoint, token=hub.token, on_wait=note)
    revisions = source.list_folders() if weekly_mirror else source.list_commits()
    chosen = choose_revisions(revisions, since and since.date(), until and until.date(), every)
    if not revisions:
        what = "Parquet files in dated folders" if weekly_mirror else "commits"
        raise ImportFileError(f"{dataset} has no {what}. docs/history.md explains the datasets.")
    if not chosen:
        echo(f"{source.repo} has no revisions between these dates: {_describe_days(revisions)}.")
    elif plan:
        _show_plan(source, chosen, db)
    else:
        echo(f"{source.repo}: {_describe_days(chosen)}.")
        with Store.open(db, write=True) as store:
            _import(store, source, chosen)


def _import(store: Store, source: RevisionSource, revisions: list[Revision]) -> None:
    from hfscan.revisions import import_revisions

    imported, seconds, columns, is_any_readable = 0, 0.0, None, False
    started = time.monotonic()
    for number, result in enumerate(import_revisions(store, source, revisions), 1):
        is_any_readable |= result.is_readable
        left, now = "", time.monotonic()
        if result.ingested:  # the others take no time
            imported, seconds = imported + 1, seconds + now - started
        started = now
        if imported and number < len(revisions):
            left = f", {format_duration(seconds / imported * (len(revisions) - number))} left"
        echo(f"{result.revision.day}: {_describe(result)} ({number} of {len(revisions)}{left})")
        if result.ingested:
            for change in _list_changes(columns, result.columns):
                echo(f"  {change}")
            columns = result.columns
    if not is_any_readable:
        raise ImportFileError("None of the revisions can be imported.")
    echo(
        f"Imported {imported:,} of {format_count(len(revisions), 'revision')} into {store.path}: "
        f"{source.received / 1e6:,.1f} MB in {format_count(source.requests, 'request')}."
    )


def _describe(result: RevisionResult) -> str:
    if result.ingested is None or result.observed_to is None:
        return result.skipped
    day, ingested = result.observed_to.date(), result.ingested
    unreadable = [f"{field.field} of {field.models:,}" for field in ingested.unreadable]
    parts = [
        f"snapshot {ingested.snapshot}",
        format_count(ingested.models, "model"),
        f"{format_count(ingested.skipped, 'row')} skipped" if ingested.skipped else "",
        f"unreadable: {' and '.join(unreadable)}" if unreadable else "",
        f"as of {day}" if day != result.revision.day else "",
        "partial" if result.is_partial else "",
        f"{result.bytes / 1e6:,.1f} MB",
    ]
    return ", ".join(filter(None, parts))


def _list_changes(before: Any, after: Any) -> Iterator[str]:
    """Yield how the columns differ from those of the revision imported before."""
    if before is None:
        return
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"Column {name} is gone."
        elif name not in before:
            yield f"Column {name} is new: {after[name]}."
        elif before[name] != after[name]:
            yield f"Column {name} was {before[name]} and is now {after[name]}."


def _show_plan(source: RevisionSource, revisions: list[Revision], db: Path) -> None:
    from hfscan.revisions import plan_import
    from hfscan.store import Store, list_snapshots

    snapshots = []
    if db.exists():
        with Store.open(db) as store:
            snapshots = list_snapshots(store)
    with (
        TemporaryDirectory() as folder,
        Store.open(Path(folder, "plan.duckdb"), write=True) as store,
    ):
        plan = plan_import(store, source, show_steps(revisions, "Asking for sizes"), snapshots)
    for line in _describe_plan(source, revisions, plan):
        echo(line)


def _describe_plan(source: RevisionSource, revisions: list[Revision], plan: Plan) -> Iterator[str]:
    yield f"{source.repo}: {_describe_days(revisions)}"
    others = {"imported before": plan.known, "with the content of another": plan.repeated,
              "without the file": plan.missing}  # fmt: skip
    for reason, count in others.items():
        if count:
            yield f"{count:,} {reason}"
    yield f"{len(plan.fetched):,} to fetch: {plan.file_bytes / 1e6:,.1f} MB"
    if plan.fetched:
        yield (
            f"of that the stored columns: about {plan.bytes / 1e6:,.1f} MB in {plan.requests:,} "
            f"requests (by the footers of {plan.footers})"
            if plan.footers
            else "The footers that were read are damaged: how much would be fetched is unknown."
        )


def _describe_days(revisions: list[Revision]) -> str:
    if len(revisions) == 1:
        return f"1 revision, {revisions[0].day}"
    return f"{len(revisions):,} revisions, {revisions[0].day} to {revisions[-1].day}"
