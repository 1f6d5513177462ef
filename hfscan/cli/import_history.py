import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from hfscan.cli._command import Command
from hfscan.cli._hub import HubAccess, upload_options
from hfscan.cli._options import db_option
from hfscan.cli._output import echo
from hfscan.cli._types import Choice, UtcTime
from hfscan.hub.revisions import Revision, RevisionSource, choose_revisions
from hfscan.revisions import Plan, RevisionResult, import_revisions, plan_import
from hfscan.store import Store, list_snapshots

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
    hub.require_online("Unset it, or download the files and use `hfscan import`.")
    source = RevisionSource(dataset, endpoint=hub.endpoint, token=hub.token)
    revisions = source.list_folders() if weekly_mirror else source.list_commits()
    chosen = choose_revisions(revisions, since and since.date(), until and until.date(), every)
    if plan:
        _show_plan(source, chosen, db)
        return
    with Store.open(db, write=True) as store:
        _import(store, source, chosen)


def _import(store: Store, source: RevisionSource, revisions: list[Revision]) -> None:
    started, counts, columns = time.monotonic(), dict.fromkeys(("imported", "skipped"), 0), None
    for number, result in enumerate(import_revisions(store, source, revisions), 1):
        counts["imported" if result.ingested else "skipped"] += 1
        left = ""
        if counts["imported"] and number < len(revisions):
            seconds = (time.monotonic() - started) / number * (len(revisions) - number)
            left = f", {_format_duration(seconds)} left"
        echo(f"{result.revision.day}: {_describe(result)} ({number} of {len(revisions)}{left})")
        if result.ingested:
            for change in _list_changes(columns, result.columns):
                echo(f"  {change}")
            columns = result.columns
    echo(
        f"Imported {counts['imported']:,} of {len(revisions):,} revisions into {store.path}: "
        f"{source.received / 1e6:,.1f} MB in {source.requests:,} requests."
    )


def _describe(result: RevisionResult) -> str:
    if result.ingested is None or result.observed_to is None:
        return result.skipped
    day = result.observed_to.date()
    parts = [
        f"snapshot {result.ingested.snapshot}",
        f"{result.ingested.models:,} models",
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
    snapshots = []
    if db.exists():
        with Store.open(db) as store:
            snapshots = list_snapshots(store)
    with (
        TemporaryDirectory() as folder,
        Store.open(Path(folder, "plan.duckdb"), write=True) as store,
    ):
        plan = plan_import(store, source, revisions, snapshots)
    for line in _describe_plan(source, revisions, plan):
        echo(line)


def _describe_plan(source: RevisionSource, revisions: list[Revision], plan: Plan) -> Iterator[str]:
    if not revisions:
        yield f"{source.repo} has no such revisions."
        return
    yield (
        f"{len(revisions):,} revisions of {source.repo}, {revisions[0].day} to {revisions[-1].day}"
    )
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
        )


def _format_duration(seconds: float) -> str:
    """Return a duration in its largest unit, rounded."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.0f} s"
