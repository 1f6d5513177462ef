"""`hfscan snapshot`."""

from pathlib import Path

import click
from huggingface_hub import constants, get_token

from hfscan.cli._hub import endpoint_option
from hfscan.cli._progress import shown
from hfscan.errors import HubUnreachableError
from hfscan.snapshot import take


@click.command("snapshot")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder of the database, its export and its reports; made where it is missing.",
)
@endpoint_option
@click.option("--full", is_flag=True, help="Crawl everything, however short ago it was.")
@click.option("--accept", is_flag=True, help="Show what was seen, however much less it is.")
def command(state: Path, endpoint: str, full: bool, accept: bool) -> None:
    """Bring a folder to today: crawl, check, export, report; once a day, however often it is run.

    Everything is crawled the first time and once a week, else what is new or changed. Interrupted
    anywhere, the same command completes. Prints one line that says what changed.
    """
    if constants.HF_HUB_OFFLINE:
        raise HubUnreachableError("HF_HUB_OFFLINE is set, so nothing is crawled. Unset it.")
    with shown() as progress:
        snapshot, new = take(
            state,
            endpoint=endpoint,
            token=get_token(),
            full=full,
            accept=accept,
            progress=progress,
        )
    click.echo(snapshot.message if new else f"Nothing new since {snapshot.observed_to}")
