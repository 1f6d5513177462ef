"""`hfscan crawl`."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from hfscan import census
from hfscan.census import Crawled
from hfscan.cli._command import Command
from hfscan.cli._hub import HubAccess, hub_access, hub_options
from hfscan.cli._options import db_option
from hfscan.cli._output import echo
from hfscan.cli._progress import show_progress
from hfscan.cli._times import UtcTime
from hfscan.cli._unreadable import describe
from hfscan.objectid import FIRST_DATED_YEAR
from hfscan.scope import Scope
from hfscan.text import sanitize

_DATE = UtcTime()


@click.command("crawl", cls=Command)
@hub_options
@db_option
@click.option(
    "--year",
    type=click.IntRange(FIRST_DATED_YEAR, datetime.now(UTC).year),
    help="Only models created in this year (UTC).",
)
@click.option("--since", type=_DATE, help="Only models created at this time (UTC) or later.")
@click.option("--until", type=_DATE, help="Only models created before this time (UTC).")
@click.option("--author", help="Only models of this user or organisation.")
@click.option("--task", help="Only models of this task, such as text-generation.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="Stop after this many models: the newest, unless a period is given.",
)
@click.option("--files/--no-files", default=True, show_default=True, help="Keep file names.")
@click.option(
    "--sample",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="P",
    help="Only some models, each drawn with this probability (0 < P <= 1).",
)
@click.option("--seed", type=click.IntRange(min=0), help="Of the sample. Default: by chance.")
@click.option(
    "--workers",
    type=click.IntRange(1, 32),
    metavar="N",
    help="Ask for so many pages at once. Default: 1, and a second from the other end where the "
    "Hub is slow. More than 2 need an earlier full crawl in the same database.",
)
@click.option(
    "--incremental",
    is_flag=True,
    help="Fetch only models that are new or changed since the last full crawl. Deletions, and "
    "downloads of other models, are not covered.",
)
@click.option("--no-resume", is_flag=True, help="Start over; discard an interrupted crawl.")
def command(
    endpoint: str,
    rewrite_links: bool,
    allow_http_token: bool,
    db: Path,
    year: int | None,
    since: datetime | None,
    until: datetime | None,
    author: str | None,
    task: str | None,
    limit: int | None,
    files: bool,
    sample: float | None,
    seed: int | None,
    workers: int | None,
    incremental: bool,
    no_resume: bool,
) -> None:
    """Fetch the Hub's model metadata into the database.

    An interrupted crawl resumes when the same command runs again. A token (HF_TOKEN or
    `hf auth login`) is used when there is one, and raises the Hub's rate limit.
    """
    scope = Scope(*_period(year, since, until), author, task, limit, files, sample, seed)
    _check(scope, workers)
    if incremental and (no_resume or not files or workers or scope != Scope()):
        raise click.UsageError("--incremental cannot be combined with other options.")
    hub = hub_access(endpoint, rewrite_links=rewrite_links, allow_http_token=allow_http_token)
    if incremental:
        _update(hub, db)
        return
    with show_progress() as progress:
        crawled = census.crawl(
            scope, **hub, db=db, fresh=no_resume, workers=workers, progress=progress
        )
    _report(crawled, db)


def _check(scope: Scope, workers: int | None) -> None:
    if scope.sample is None:
        if scope.seed is not None:
            raise click.UsageError("--seed goes with --sample.")
        if workers is not None and not scope.everything:
            raise click.UsageError("--workers goes with a crawl of everything, or --sample.")
    elif scope.author is not None or scope.task is not None or scope.limit is not None:
        raise click.UsageError("--sample draws from all models of a period; give it alone.")


def _update(hub: HubAccess, db: Path) -> None:
    with show_progress() as progress:
        updated = census.update(**hub, db=db, progress=progress)
    base, ingested = updated.base, updated.ingested
    requests = updated.new.requests + updated.changed.requests
    echo(
        f"Snapshot {ingested.snapshot}: {ingested.models:,} models: snapshot {base.id} "
        f"({base.observed_to:%F %H:%M}) carried on with {ingested.models - ingested.carried:,} new "
        f"or changed ones from {hub['endpoint']} in {requests:,} requests, in {db}"
    )
    echo(
        "An update cannot see: models deleted or made private since, which it carries on; "
        "downloads, likes and gating of models without a new commit, which are those of snapshot "
        f"{base.id}; commits pushed long after they were made. A full crawl sees all of them."
    )
    _report_left_out(Counter(updated.new.left_out) + Counter(updated.changed.left_out))


def _period(
    year: int | None, since: datetime | None, until: datetime | None
) -> tuple[datetime | None, datetime | None]:
    if year is not None:
        if since is not None or until is not None:
            raise click.UsageError("--year and --since/--until exclude each other; give one.")
        return datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    since, until = since and since.replace(tzinfo=UTC), until and until.replace(tzinfo=UTC)
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--since must lie before --until.")
    if since is not None and since > datetime.now(UTC):
        raise click.UsageError("--since lies in the future.")
    return since, until


def _report(crawled: Crawled, db: Path) -> None:
    harvest, ingested = crawled.harvest, crawled.ingested
    requests = "request" if harvest.requests == 1 else "requests"
    several = harvest.walkers > 1 and harvest.design is None
    by = f" by {harvest.walkers} walkers" if several else ""
    echo(
        f"Snapshot {ingested.snapshot}: {ingested.models:,} {_covered(harvest.scope)} from "
        f"{harvest.endpoint} in {harvest.requests:,} {requests} and {harvest.seconds:.1f} s"
        f"{by}, in {db}"
    )
    if harvest.design:
        echo(f"A sample of {harvest.listed:,} models listed: {harvest.design.told()}.")
    if harvest.synthetic:
        echo(f"The models are synthetic: {sanitize(harvest.synthetic, 600)}")
    if harvest.unproven_end:
        echo(
            f"Not known to be complete: the Hub's list ends without a link to more, and asked for "
            f"what lies beyond, {harvest.unproven_end}."
        )
    _report_left_out(harvest.left_out)
    if ingested.private:
        echo(f"Left out {ingested.private:,} private models.")
    if ingested.duplicates:
        echo(f"Left out {ingested.duplicates:,} models listed twice.")
    if harvest.dropped_fields:
        echo(f"The Hub does not know: {', '.join(harvest.dropped_fields)}.")
    for key, models in ingested.unknown_keys.items():
        echo(f"Unknown key {sanitize(key, 80)!r} in {models:,} models, not kept.")
    if ingested.nameless:
        echo(f"Left out {ingested.nameless:,} without a usable id.")
    for one in ingested.unreadable:
        echo(f"Not understood, so unknown: {describe(one)}.")


def _report_left_out(rows: Mapping[str, int]) -> None:
    for reason, count in rows.items():
        echo(f"Left out {count:,} rows {reason}: they cannot be stored, nor counted.")


def _covered(scope: Scope) -> str:
    words = ["models"]
    if scope.task:
        words.append(f"for {scope.task}")
    if scope.author:
        words.append(f"of {scope.author}")
    if scope.since or scope.until:
        since, until = (
            instant and instant.isoformat(sep=" ").removesuffix("+00:00").removesuffix(" 00:00:00")
            for instant in (scope.since, scope.until)
        )
        words.append(
            "created"
            + (f" from {since}" if since else "")
            + (f" until before {until}" if until else "")
        )
    return " ".join(words)
