from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hfscan.cli._command import Command
from hfscan.cli._hub import HubAccess, hub_options
from hfscan.cli._ingested import describe_scope, show_skipped, show_unknown_keys
from hfscan.cli._options import combine, db_option
from hfscan.cli._output import echo
from hfscan.cli._progress import show_progress
from hfscan.cli._types import Count, Number, UtcTime
from hfscan.objectid import FIRST_DATED_YEAR
from hfscan.scope import Scope
from hfscan.text import format_count, sanitize

if TYPE_CHECKING:
    from hfscan.pipeline import CrawlSummary, UpdateSummary

_EXAMPLES = """
hfscan crawl
hfscan crawl --year 2022
hfscan crawl --author google --task text-classification --db google.duckdb
# a 1 % random sample, reproducible
hfscan crawl --sample 0.01 --seed 7
# only what changed since the last full crawl
hfscan crawl --incremental
"""


def _make_scope(
    year: int | None, since: datetime | None, until: datetime | None, **others: Any
) -> Scope:
    """Return the scope that the options select. Raises UsageError on contradictions."""
    if year is not None:
        if since is not None or until is not None:
            raise click.UsageError("--year cannot be combined with --since or --until.")
        since, until = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    elif since is not None and until is not None and since >= until:
        raise click.UsageError("--since must be earlier than --until.")
    elif since is not None and since > datetime.now(UTC):
        raise click.UsageError("--since is in the future.")
    scope = Scope(since, until, **others)
    if scope.sample is None and scope.seed is not None:
        raise click.UsageError("--seed requires --sample.")
    if scope.sample is not None and (scope.author, scope.task, scope.limit) != (None,) * 3:
        raise click.UsageError("--sample cannot be combined with --author, --task or --limit.")
    return scope


_scope_options = combine(
    "scope",
    _make_scope,
    click.option(
        "--year",
        type=Count(FIRST_DATED_YEAR, datetime.now(UTC).year),
        help="Only models created in this year (UTC).",
    ),
    click.option(
        "--since", type=UtcTime(), help="Only models created at or after this time (UTC)."
    ),
    click.option("--until", type=UtcTime(), help="Only models created before this time (UTC)."),
    click.option("--author", help="Only models of this user or organisation."),
    click.option("--task", help="Only models with this task, such as text-generation."),
    click.option(
        "--limit",
        type=Count(1),
        help="Stop after this many models (the newest, unless a period is given).",
    ),
    click.option("--files/--no-files", default=True, help="Fetch the names of each model's files."),
    click.option(
        "--sample",
        type=Number(0, 1, min_open=True),
        metavar="P",
        help="Fetch a random sample: each model with probability P.",
    ),
    click.option("--seed", type=Count(), help="Seed of --sample.  [default: random]"),
)


@click.command("crawl", cls=Command, examples=_EXAMPLES)
@hub_options
@db_option
@_scope_options
@click.option(
    "--workers",
    type=Count(1, 32),
    metavar="N",
    help="Fetch up to N pages at a time. More than 2 require an earlier full crawl in the same "
    "database.  [default: 1, or 2 if the Hub is slow]",
)
@click.option(
    "--incremental",
    is_flag=True,
    help="Fetch only models added or changed since the last full crawl. Does not detect deleted "
    "models or new download counts of unchanged models.",
)
@click.option("--no-resume", is_flag=True, help="Discard an interrupted crawl and start again.")
def command(
    hub: HubAccess, db: Path, scope: Scope, workers: int | None, incremental: bool, no_resume: bool
) -> None:
    """Fetch model metadata from the Hub into the database.

    Run the same command again to resume an interrupted crawl. A token is optional (HF_TOKEN or
    `hf auth login`) and raises the Hub's rate limit.
    """
    if workers is not None and scope.sample is None and not scope.is_full:
        raise click.UsageError("--workers requires a full crawl or --sample.")
    if incremental and (no_resume or workers or scope != Scope()):
        raise click.UsageError(
            "--incremental cannot be combined with options that select models, --workers or "
            "--no-resume."
        )
    from hfscan import pipeline

    access = hub.for_crawl()
    if incremental:
        with show_progress() as progress:
            updated = pipeline.update(**access, db=db, progress=progress)
        _report_update(updated, hub.endpoint, db)
        return
    with show_progress() as progress:
        crawled = pipeline.crawl(
            scope, **access, db=db, resume=not no_resume, workers=workers, progress=progress
        )
    _report_crawl(crawled, db)


def _report_update(summary: UpdateSummary, endpoint: str, db: Path) -> None:
    base, ingested = summary.base, summary.ingested
    requests = summary.new.requests + summary.changed.requests
    echo(
        f"Snapshot {ingested.snapshot}: {format_count(ingested.models, 'model')}, of which "
        f"{ingested.models - ingested.carried_over:,} are new or may have changed since snapshot "
        f"{base.id} ({base.observed_to:%F %H:%M}), from {endpoint} in "
        f"{format_count(requests, 'request')}, in {db}"
    )
    echo(
        "Not covered by an update: models deleted or made private since; downloads, likes and "
        f"gating of models without a new commit (taken from snapshot {base.id}); commits pushed "
        "long after they were made. Run a full crawl to refresh them."
    )
    _report_skipped_rows(Counter(summary.new.skipped_rows) + Counter(summary.changed.skipped_rows))
    show_skipped(ingested)


def _report_crawl(summary: CrawlSummary, db: Path) -> None:
    from hfscan.hub.plan import PAGE_SIZE

    fetched, ingested = summary.fetched, summary.ingested
    is_parallel = fetched.workers > 1 and fetched.design is None
    scope = "".join(f"{part} " for part in describe_scope(fetched.scope))
    workers = f" by {fetched.workers} workers" if is_parallel else ""
    echo(
        f"Snapshot {ingested.snapshot}: {format_count(ingested.models, 'model')} {scope}from "
        f"{fetched.endpoint} in {format_count(fetched.requests, 'request')} and "
        f"{fetched.seconds:.1f} s{workers}, in {db}"
    )
    if fetched.design:
        echo(f"Sample: {fetched.design.describe()}.")
        pages = ceil(ingested.models / fetched.design.probability / PAGE_SIZE)
        if fetched.requests > pages + 1:
            echo(
                f"Without --sample, about {format_count(pages + 1, 'request')} would have fetched "
                "all of these models: the Hub is small."
            )
    if fetched.synthetic:
        echo(f"The models are synthetic: {sanitize(fetched.synthetic, 600)}")
    if fetched.unproven_end:
        echo(
            "The crawl may be incomplete: the last page has no link to a next page, and the Hub, "
            f"asked for the models after it, {fetched.unproven_end}."
        )
    _report_skipped_rows(fetched.skipped_rows)
    if fetched.unsupported_fields:
        echo(f"The Hub does not support these fields: {', '.join(fetched.unsupported_fields)}.")
    show_skipped(ingested)
    show_unknown_keys(ingested.unknown_keys)


def _report_skipped_rows(rows: Mapping[str, int]) -> None:
    for reason, count in rows.items():
        rows_skipped = format_count(count, "row")
        echo(f"Skipped {rows_skipped} {reason}: not stored, not counted.")
