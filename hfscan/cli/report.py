from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from hfscan.cli._command import Command
from hfscan.cli._options import (
    SnapshotSelector,
    account_groups_option,
    snapshot_options,
    transformers_option,
    weight_option,
)
from hfscan.cli._reports import Target, reports_option, target_options, write_report
from hfscan.cli._types import Choice, Count, Frameworks
from hfscan.figures import FIRST_YEAR, GROUPINGS, SnapshotView
from hfscan.frameworks import DEFINITIONS
from hfscan.report import ReportRequest, build, build_database_report, compare, is_database_report

_YEAR = Count(FIRST_YEAR, datetime.now(UTC).year)
_EXAMPLES = """
hfscan report --year 2022
hfscan report --year 2023 --compare-year 2022
hfscan report --frameworks pytorch,jax --by task --top 10
hfscan report --exclude-top-authors 5 --definition weights
hfscan report --snapshot 4 --compare-snapshot 2 --format md
hfscan report --year 2022 --format html --format csv --out reports-2022
"""


@click.command("report", cls=Command, examples=_EXAMPLES)
@click.option("--year", type=_YEAR, help="Only models created in this year.  [default: all models]")
@click.option("--compare-year", type=_YEAR, help="Compare --year with this year.")
@click.option("--compare-snapshot", type=Count(), help="Compare with the snapshot with this id.")
@click.option(
    "--name",
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
    "tags. all: use best (tag for years before 2023 in a snapshot without file names) and show how "
    "the result depends on the definition.",
)
@transformers_option
@weight_option
@click.option(
    "--exclude-top-authors",
    type=Count(),
    default=0,
    metavar="K",
    help="Exclude the K authors with the most models.",
)
@click.option("--by", type=Choice(GROUPINGS), help="Group models by this field only.")
@click.option(
    "--top", type=Count(1), metavar="N", help="Show the N largest groups and combine the rest."
)
@account_groups_option
@snapshot_options
def command(
    name: str | None,
    reports: Path | None,
    target: Target,
    compare_year: int | None,
    compare_snapshot: int | None,
    selector: SnapshotSelector,
    **options: Any,
) -> None:
    """Report which frameworks the models support.

    Every share is shown with its numerator and denominator.
    """
    options["definition"] = None if options["definition"] == "all" else options["definition"]
    request = ReportRequest(**options)
    year = request.year
    if request.transformers and request.definition not in (None, "loadable"):
        raise click.UsageError(
            f"--transformers has no effect on --definition {request.definition}. Omit one of them."
        )
    if compare_year is not None and year is None:
        raise click.UsageError("--compare-year requires --year.")
    if compare_year == year and compare_year is not None and compare_snapshot is None:
        raise click.UsageError(f"--compare-year {year} is the same as --year. Choose another year.")
    is_comparison = (compare_year, compare_snapshot) != (None, None)
    if name and is_database_report(name, reports):
        if request != ReportRequest() or is_comparison or selector.is_given:
            raise click.UsageError(
                f"Report {name!r} covers the whole database. It cannot be combined with --year, "
                "--snapshot, --as-of or other filters."
            )
        with selector.open() as store:
            report = build_database_report(store, name, where=reports)
        write_report(report, target)
        return
    if name == "compare" and not is_comparison:
        raise click.UsageError("--name compare requires --compare-year or --compare-snapshot.")
    with selector.open() as store:
        view = SnapshotView.choose(
            store, request.period, snapshot=selector.snapshot, as_of=selector.end
        )
        if not is_comparison:
            report = build(view, request, name=name, where=reports)
        else:
            other_request = replace(request, year=compare_year or year)
            other_view = SnapshotView.choose(
                store, other_request.period, snapshot=compare_snapshot or view.snapshot.id
            )
            if (other_view.snapshot.id, other_request.year) == (view.snapshot.id, year):
                raise click.UsageError(
                    f"--compare-snapshot {compare_snapshot} is the snapshot of the report. Choose "
                    "another."
                )
            if request.definition == "loadable":  # with the same release on both sides
                release = request.transformers or max(view.transformers, other_view.transformers)
                request, other_request = (
                    replace(side, transformers=release) for side in (request, other_request)
                )
            report, other = (
                build(*side, name=name or "compare", where=reports)
                for side in ((view, request), (other_view, other_request))
            )
            report = compare(report, other, other_view)
    write_report(report, target)
