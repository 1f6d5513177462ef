import time
from datetime import datetime
from pathlib import Path

import click

from hfscan.cli._command import Command
from hfscan.cli._hub import HubAccess, upload_options
from hfscan.cli._options import db_option
from hfscan.cli._output import echo
from hfscan.cli._types import Choice, UtcTime
from hfscan.hub.revisions import Revision, RevisionSource, choose_revisions
from hfscan.revisions import RevisionResult, import_revisions
from hfscan.store import Store

_EXAMPLES = """
hfscan import-history hf://datasets/cfahlgren1/hub-stats/models.parquet
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
@upload_options
@db_option
def command(
    dataset: str,
    since: datetime | None,
    until: datetime | None,
    every: str,
    weekly_mirror: bool,
    hub: HubAccess,
    db: Path,
) -> None:
    """Import all revisions of a dump on the Hub, each as a snapshot.

    PATH is a Parquet file (default: models.parquet), or with --weekly-mirror a folder. Only the
    columns that hfscan stores are fetched, one revision at a time. A snapshot is dated by the
    newest date in it. Run the same command again after an interruption: it continues where it
    stopped.
    """
    hub.require_online("Unset it.")
    source = RevisionSource(dataset, endpoint=hub.endpoint, token=hub.token)
    revisions = source.list_folders() if weekly_mirror else source.list_commits()
    chosen = choose_revisions(revisions, since and since.date(), until and until.date(), every)
    with Store.open(db, write=True) as store:
        _import(store, source, chosen)


def _import(store: Store, source: RevisionSource, revisions: list[Revision]) -> None:
    started, fetched = time.monotonic(), 0
    for number, result in enumerate(import_revisions(store, source, revisions), 1):
        fetched += result.ingested is not None
        left = ""
        if fetched and number < len(revisions):
            seconds = (time.monotonic() - started) / number * (len(revisions) - number)
            left = f", {format_duration(seconds)} left"
        echo(f"{result.revision.day}: {_describe(result)} ({number} of {len(revisions)}{left})")


def _describe(result: RevisionResult) -> str:
    if result.ingested is None:
        return result.skipped
    models, megabytes = result.ingested.models, result.bytes / 1e6
    return (
        f"snapshot {result.ingested.snapshot}, {models:,} models as of "
        f"{result.observed_to:%Y-%m-%d %H:%M}, {megabytes:,.1f} MB fetched"
    )


def format_duration(seconds: float) -> str:
    """Return a duration in its largest unit, rounded."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.0f} s"
