from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from hfscan.choices import FIRST_YEAR, GROUPINGS
from hfscan.cli._command import Command
from hfscan.cli._completion import complete_names, complete_snapshots
from hfscan.cli._options import (
    SnapshotSelector,
    account_groups_option,
    snapshot_options,
    transformers_option,
    weight_option,
)
from hfscan.cli._progress import show_activity
from hfscan.cli._reports import Target, reports_option, target_options, write_report
from hfscan.cli._types import Choice, Count, Frameworks
from hfscan.frameworks import DEFINITIONS

_YEAR = Count(FIRST_YEAR, datetime.now(UTC).year)
_EXAMPLES = """
hfscan report --year 2022
hfscan report --year 2022 --full
hfscan report --year 2023 --compare-year 2022
hfscan report --frameworks pytorch,jax --by task --top 10
hfscan report --exclude-top-authors 5 --definition weights
hfscan report --snapshot 4 --compare-snapshot 2 --format md
hfscan report --year 2022 --format html --format csv --out reports-2022
"""


def _list_reports(ctx: click.Context) -> list[str]:
    from hfscan.report.spec import list_specs

    return list_specs(ctx.params["reports"])


@click.command("report", cls=Command, examples=_EXAMPLES)
@click.option("--year", type=_YEAR, help="Only models created in this year.  [default: all models]")
@click.option("--compare-year", type=_YEAR, help="Compare --year with this year.")
@click.option(
    "--compare-snapshot",
    type=Count(),
    shell_complete=complete_snapshots,
    help="Compare with the snapshot with this id.",
)
@click.option(
    "--name",
    shell_complete=complete_names(_list_reports),
    help="Report to build: year, overview, compare, ecosystem, lineage, claims, parity, or one "
    "from --reports.  "
    "[default: chosen from the other options]",
)
@reports_option
@target_options
@click.option(
    "--frameworks",
    type=Frameworks(),
    default="pytorch,tensorflow",
    help="Frameworks compared. A model is exclusive if it supports only one of them.",
)
@click.option(
    "--definition",
    type=Choice(["all", *DEFINITIONS]),
    default="all",
    help="Evidence that a model supports a framework: Hub tags, weight files, loadable without "
    "conversion, or best: files, or where these are unknown or name no framework, library and "
    "tags. all: use best and show how the result depends on the definition.",
)
@transformers_option
@weight_option
@click.option(
    "--exclude-top-authors",
    type=Count(),
    default=0,
    metavar="K",
    help="Exclude the K authors with the most models that support the frameworks; with --weight "
    "downloads, with the most downloads. A model without an account is an author of its own.",
)
@click.option(
    "--by",
    type=Choice(GROUPINGS),
    help="Group models by this field only. storage_region: where the Hub stores the files, not the "
    "country of the author.",
)
@click.option(
    "--top", type=Count(1), metavar="N", help="Show the N largest groups and combine the rest."
)
@click.option(
    "--full",
    is_flag=True,
    help="Print every section. Otherwise the terminal gets a summary of at most 25 lines, or with "
    "--by that table alone. Files and other formats are always complete.",
)
@account_groups_option
@snapshot_options
def command(
    name: str | None,
    reports: Path | None,
    target: Target,
    compare_year: int | None,
    compare_snapshot: int | None,
    full: bool,
    selector: SnapshotSelector,
    **options: Any,
) -> None:
    """Report which frameworks the models support.

    Every share is shown with its numerator and denominator.
    """
    from hfscan.report import ReportRequest, build_report

    options["definition"] = None if options["definition"] == "all" else options["definition"]
    with show_activity("Building the report"), selector.open() as store:
        report = build_report(
            store,
            ReportRequest(**options),
            name=name,
            where=reports,
            snapshot=selector.snapshot,
            as_of=selector.end,
            compare_year=compare_year,
            compare_snapshot=compare_snapshot,
        )
    write_report(report, target, is_full=full)
