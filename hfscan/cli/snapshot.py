from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hfscan.cli._command import Command
from hfscan.cli._hub import HubAccess, hub_options
from hfscan.cli._output import echo
from hfscan.cli._progress import show_progress
from hfscan.cli._types import FILE, FOLDER, LARGEST_DAYS, Count
from hfscan.fs import append_output

if TYPE_CHECKING:
    from hfscan.hub import ClientOptions
    from hfscan.sync import DatasetTarget, LocalTarget

_DATASET = re.compile(r"hf://datasets/(?P<repo>[^/@]+(/[^/@]+)?)")


_EXAMPLES = """
hfscan snapshot --target hub-state
hfscan snapshot --target hub-state --retention-days 90 --summary summary.md
hfscan snapshot --target hf://datasets/my-org/hub-census --work-dir work
# exit with 13 if the latest snapshot is older than 2 days
hfscan snapshot --target hub-state --max-age 2
"""


@click.command("snapshot", cls=Command, examples=_EXAMPLES)
@click.option(
    "--target",
    required=True,
    metavar="DIR|hf://datasets/[OWNER/]NAME",
    help="Folder or Hub dataset to update. OWNER defaults to the account of the token.",
)
@click.option(
    "--work-dir",
    type=FOLDER,
    metavar="DIR",
    help="Working folder when --target is a dataset.  [default: a folder in HF_HOME]",
)
@hub_options
@click.option(
    "--full",
    is_flag=True,
    envvar="HFSCAN_FULL",
    help="Run a full crawl even if the last one is recent.",
)
@click.option(
    "--allow-drop",
    is_flag=True,
    envvar="HFSCAN_ALLOW_DROP",
    help="Accept a snapshot that is much smaller than the previous one.",
)
@click.option(
    "--retention-days",
    type=Count(1, LARGEST_DAYS),
    metavar="DAYS",
    help="Delete older updates; full crawls are kept.  [default: keep all]",
)
@click.option(
    "--summary",
    type=FILE,
    metavar="FILE",
    help="Append the changes and the report to this Markdown file.",
)
@click.option(
    "--max-age",
    type=Count(0, LARGEST_DAYS),
    metavar="DAYS",
    help="Only check the age: exit with 13 if the latest snapshot is older.",
)
def command(
    target: str,
    work_dir: Path | None,
    hub: HubAccess,
    full: bool,
    allow_drop: bool,
    retention_days: int | None,
    summary: Path | None,
    max_age: int | None,
) -> None:
    """Update a folder or Hub dataset: crawl, check, export, report, publish.

    Takes at most one snapshot a day; later calls change nothing. The first run, and one run a week,
    is a full crawl; the others fetch new and changed models. After an interruption, run the same
    command again. Prints one line with the changes.
    """
    from hfscan.sync import SyncOptions, check_age, format_summary

    access = hub.for_crawl()
    place = _parse_target(target, work_dir, access)
    if max_age is not None:
        check_age(place.read_state(), timedelta(days=max_age))
        return
    with show_progress() as progress:
        state, is_new = place.update(
            SyncOptions(
                access,
                full=full,
                allow_drop=allow_drop,
                retention=timedelta(days=retention_days) if retention_days else None,
                progress=progress,
            )
        )
    if summary is not None:
        append_output(summary, format_summary(state, place.reports, place.charts_url(state)))
    echo(state.message if is_new else f"No new snapshot: the latest is from {state.observed_to}")


def _parse_target(
    target: str, work_dir: Path | None, access: ClientOptions
) -> LocalTarget | DatasetTarget:
    from huggingface_hub import constants

    from hfscan.hub.datasets import HubDataset
    from hfscan.sync import DatasetTarget, LocalTarget

    match = _DATASET.fullmatch(target)
    if match is None:
        if "://" in target:
            raise click.BadParameter(
                f"{target!r} is not of the form hf://datasets/OWNER/NAME.", param_hint="'--target'"
            )
        return LocalTarget(Path(target))
    dataset = HubDataset(match["repo"], endpoint=access["endpoint"], token=access["token"])
    default = Path(constants.HF_HOME) / "hfscan" / dataset.repo.replace("/", "--")
    return DatasetTarget(dataset, work_dir or default)
