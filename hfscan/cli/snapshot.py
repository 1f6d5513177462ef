"""`hfscan snapshot`."""

import io
import re
from datetime import timedelta
from pathlib import Path

import click
from huggingface_hub import constants

from hfscan.cli._command import Command
from hfscan.cli._hub import hub_options, hub_token
from hfscan.cli._output import echo
from hfscan.cli._progress import show_progress
from hfscan.errors import HubUnreachableError
from hfscan.fs import append_output
from hfscan.hub.publish import Dataset
from hfscan.snapshot import Local, Remote
from hfscan.snapshot.summary import check_age, write_summary

_DATASET = re.compile(r"hf://datasets/(?P<repo>[^/@]+(/[^/@]+)?)")


@click.command("snapshot", cls=Command)
@click.option(
    "--target",
    required=True,
    metavar="DIR|hf://datasets/[OWNER/]NAME",
    help="A folder, or a dataset on the Hub (without OWNER: of the token's account).",
)
@click.option(
    "--work-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Working folder for a dataset on the Hub.  [default: a folder in HF_HOME]",
)
@hub_options
@click.option(
    "--full",
    is_flag=True,
    envvar="HFSCAN_FULL",
    help="Crawl everything, even if the last full crawl is recent.",
)
@click.option(
    "--allow-drop",
    is_flag=True,
    envvar="HFSCAN_ALLOW_DROP",
    help="Publish the snapshot even if it is much smaller than the one before.",
)
@click.option(
    "--retention-days",
    type=click.IntRange(min=1),
    metavar="DAYS",
    help="Delete updates older than this; weekly full crawls stay.  [default: keep all]",
)
@click.option(
    "--summary",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Add what changed, and the report, to this Markdown file.",
)
@click.option(
    "--max-age",
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="Only check: exit with 13 if the last snapshot is older.",
)
def command(
    target: str,
    work_dir: Path | None,
    endpoint: str,
    rewrite_links: bool,
    allow_http_token: bool,
    full: bool,
    allow_drop: bool,
    retention_days: int | None,
    summary: Path | None,
    max_age: int | None,
) -> None:
    """Bring a state to today: crawl, check, export, report, publish; once a day, however often run.

    Everything is crawled the first time and once a week, else what is new or changed. Interrupted
    anywhere, the same command completes. Prints one line that says what changed.
    """
    if constants.HF_HUB_OFFLINE:
        raise HubUnreachableError("HF_HUB_OFFLINE is set, so nothing is crawled. Unset it.")
    token = hub_token(endpoint, allow_http=allow_http_token)
    place = _place(target, work_dir, endpoint, token)
    if max_age is not None:
        check_age(place.shown(), timedelta(days=max_age))
        return
    with show_progress() as progress:
        snapshot, new = place.take(
            endpoint=endpoint,
            token=token,
            rewrite_links=rewrite_links,
            full=full,
            accept=allow_drop,
            keep=retention_days and timedelta(days=retention_days),
            progress=progress,
        )
    if summary is not None:
        text = io.StringIO()
        write_summary(snapshot, place.reports, place.charts(snapshot), text)
        append_output(summary, text.getvalue())
    echo(snapshot.message if new else f"Nothing new since {snapshot.observed_to}")


def _place(target: str, work_dir: Path | None, endpoint: str, token: str | None) -> Local | Remote:
    match = _DATASET.fullmatch(target)
    if match is None:
        if "://" in target:
            raise click.BadParameter(f"{target!r} is not of the form hf://datasets/OWNER/NAME")
        return Local(Path(target))
    dataset = Dataset(match["repo"], endpoint=endpoint, token=token)
    own = Path(constants.HF_HOME) / "hfscan" / dataset.repo.replace("/", "--")
    return Remote(dataset, work_dir or own)
