"""`hfscan report`."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import click

from hfscan.cli._command import Choice, Command
from hfscan.cli._options import (
    Frameworks,
    as_of_option,
    check_one_selector,
    db_option,
    end_of_day,
    open_store,
    snapshot_option,
)
from hfscan.cli._reports import choose_target, formats_option, out_option, write_report
from hfscan.figures import FIRST_YEAR, GROUPINGS, WEIGHTS, By, Definition, SnapshotView, Weight
from hfscan.frameworks import DEFINITIONS
from hfscan.report import Question, build, build_whole, compare, is_whole


@click.command("report", cls=Command)
@click.option(
    "--year",
    type=click.IntRange(FIRST_YEAR, datetime.now(UTC).year),
    help="Models created in this year. Without it: all models.",
)
@click.option(
    "--compare-year",
    type=click.IntRange(FIRST_YEAR, datetime.now(UTC).year),
    help="Compare the year with this one.",
)
@click.option("--compare-snapshot", type=int, help="Compare with this snapshot.")
@click.option(
    "--name",
    help="The report: year, overview, compare, claims, parity, or one of --reports.  "
    "[default: what is asked for]",
)
@click.option(
    "--reports",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with reports of your own: NAME/report.toml.",
)
@db_option
@formats_option
@out_option
@click.option(
    "--frameworks",
    type=Frameworks(),
    default="pytorch,tensorflow",
    show_default=True,
    help="The frameworks that compete.",
)
@click.option(
    "--definition",
    type=Choice(["all", *DEFINITIONS]),
    default="all",
    show_default=True,
    help="What says that a model serves a framework: the Hub's tags, its weight files, or what "
    "can be loaded without converting. all: by the tags, beside a table of how much that decides.",
)
@click.option(
    "--weight",
    type=Choice(WEIGHTS),
    default="models",
    show_default=True,
    help="Count each model once, by its 30-day downloads, or each author once.",
)
@click.option(
    "--exclude-top-authors",
    type=click.IntRange(0),
    default=0,
    metavar="K",
    help="Leave out the K authors with the most models.",
)
@click.option("--by", type=Choice(GROUPINGS), help="Tell the models apart by this alone.")
@click.option(
    "--top",
    type=click.IntRange(1),
    metavar="N",
    help="Show the N largest groups, and the rest as one.",
)
@as_of_option
@snapshot_option
def command(
    year: int | None,
    compare_year: int | None,
    compare_snapshot: int | None,
    name: str | None,
    reports: Path | None,
    db: Path,
    formats: tuple[str, ...],
    out: str | None,
    frameworks: tuple[str, ...],
    definition: Definition | Literal["all"],
    weight: Weight,
    exclude_top_authors: int,
    by: By | None,
    top: int | None,
    as_of: datetime | None,
    snapshot: int | None,
) -> None:
    """Say which frameworks the models serve, with numerator and denominator of every share."""
    target = choose_target(formats, out)
    check_one_selector(snapshot, as_of)
    if compare_year is not None and year is None:
        raise click.UsageError("--compare-year needs --year, to compare it with.")
    if compare_year == year and compare_year is not None and compare_snapshot is None:
        raise click.UsageError(f"--compare-year {year} is the year itself. Name another.")
    decided = None if definition == "all" else definition
    question = Question(year, frameworks, decided, weight, exclude_top_authors, by, top)
    if name and is_whole(name, reports):
        if (
            question != Question(None)
            or (compare_year, compare_snapshot, as_of, snapshot) != (None,) * 4
        ):
            raise click.UsageError(f"{name} is of the whole database: leave out what narrows it.")
        with open_store(db) as store:
            report = build_whole(store, name, where=reports)
        write_report(report, target)
        return
    with open_store(db) as store:
        view = SnapshotView.choose(
            store, question.period, snapshot=snapshot, as_of=end_of_day(as_of)
        )
        if compare_year is None and compare_snapshot is None:
            if name == "compare":
                raise click.UsageError(
                    "compare with what? Give --compare-year or --compare-snapshot."
                )
            report = build(view, question, name=name, where=reports)
        else:
            name = name or "compare"
            one = build(view, question, name=name, where=reports)
            question = replace(question, year=compare_year or year)
            view = SnapshotView.choose(
                store, question.period, snapshot=compare_snapshot or one.snapshot.id
            )
            if (view.snapshot.id, question.year) == (one.snapshot.id, year):
                raise click.UsageError(
                    f"--compare-snapshot {compare_snapshot} is the snapshot itself. Name another."
                )
            other = build(view, question, name=name, where=reports)
            report = compare(one, other, view)
    write_report(report, target)
