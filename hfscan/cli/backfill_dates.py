from __future__ import annotations

from pathlib import Path

import click

from hfscan.cli._command import Command
from hfscan.cli._hub import HubAccess, hub_options
from hfscan.cli._options import db_option
from hfscan.cli._output import echo
from hfscan.cli._progress import show_progress
from hfscan.cli._types import Count
from hfscan.objectid import CUTOFF_START
from hfscan.text import format_count, sanitize

_EXAMPLES = """
hfscan backfill-dates
# the 500 most downloaded models without a date
hfscan backfill-dates --limit 500
"""


@click.command("backfill-dates", cls=Command, examples=_EXAMPLES)
@hub_options
@db_option
@click.option("--limit", type=Count(1), help="Fetch dates of at most this many models.")
def command(hub: HubAccess, db: Path, limit: int | None) -> None:
    """Fetch first-commit dates of models that are older than the Hub's creation dates.

    Covers the models in the database, most downloaded first, with one or two requests per model.
    An interrupted run keeps the dates that it has fetched.
    """
    from hfscan import pipeline

    access = hub.for_crawl()
    with show_progress() as progress:
        results = pipeline.backfill_dates(**access, db=db, limit=limit, progress=progress)
    if not results.found and not results.failed:
        echo("No model in the database needs a creation date.")
        return
    created = [model.created_at for model in results.found if model.created_at is not None]
    late = sum(date >= CUTOFF_START for date in created)
    moved = sum(model.moved_to is not None for model in results.found)
    echo(
        f"Fetched the first commits of {format_count(len(results.found), 'model')} from "
        f"{hub.endpoint} in {format_count(results.requests, 'request')} and {results.seconds:.1f} "
        f"s, in {db}"
    )
    for models, outcome in (
        (len(created) - late, "have a date before the cutoff"),
        (late, "have a first commit after the cutoff (rewritten history): stored, not used"),
        (len(results.found) - len(created), "are deleted or private: no date"),
        (moved, "have been renamed"),
        (len(results.failed), "could not be fetched: run the same command again"),
    ):
        if models:
            echo(f"{models:,} {outcome}.")
    for repo, reason in [*results.failed.items()][:3]:
        echo(f"{sanitize(repo, 100)}: {reason}")
