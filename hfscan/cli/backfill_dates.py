"""`hfscan backfill-dates`."""

from pathlib import Path

import click

from hfscan import census
from hfscan.cli._command import Command
from hfscan.cli._hub import hub_access, hub_options
from hfscan.cli._options import db_option
from hfscan.cli._output import echo
from hfscan.cli._progress import show_progress
from hfscan.objectid import CUTOFF_START
from hfscan.text import sanitize


@click.command("backfill-dates", cls=Command)
@hub_options
@db_option
@click.option("--limit", type=click.IntRange(min=1), help="Ask about at most this many models.")
def command(
    endpoint: str, rewrite_links: bool, allow_http_token: bool, db: Path, limit: int | None
) -> None:
    """Fetch first-commit dates for models that are older than the Hub's creation dates.

    Asks about models in the database, the most downloaded first; one or two requests each. What an
    interrupted run fetched is kept.
    """
    hub = hub_access(endpoint, rewrite_links=rewrite_links, allow_http_token=allow_http_token)
    with show_progress() as progress:
        results = census.backfill_dates(**hub, db=db, limit=limit, progress=progress)
    if not results.found and not results.failed:
        echo("Every model in the database has a creation date, or was asked for already.")
        return
    created = [model.created_at for model in results.found if model.created_at is not None]
    late = sum(date >= CUTOFF_START for date in created)
    moved = sum(model.moved_to is not None for model in results.found)
    echo(
        f"Fetched the first commits of {len(results.found):,} models from {hub['endpoint']} in "
        f"{results.requests:,} requests and {results.seconds:.1f} s, in {db}"
    )
    for models, what in (
        (len(created) - late, "are dated before the cutoff"),
        (late, "begin after the cutoff (rewritten history): kept, but not used as creation date"),
        (len(results.found) - len(created), "are gone or private: no date"),
        (moved, "have moved to another name"),
        (len(results.failed), "gave no complete answer; run the same command again"),
    ):
        if models:
            echo(f"{models:,} {what}.")
    for repo, why in [*results.failed.items()][:3]:
        echo(f"{sanitize(repo, 100)}: {why}")
