"""`hfscan publish`."""

import tempfile
from datetime import datetime
from pathlib import Path

import click
from huggingface_hub import constants

from hfscan import export
from hfscan._version import __version__
from hfscan.cli._command import Command
from hfscan.cli._hub import endpoint_option, http_token_option, hub_token
from hfscan.cli._options import (
    as_of_option,
    db_option,
    open_store,
    select_snapshot,
    snapshot_option,
)
from hfscan.cli._output import echo
from hfscan.errors import HubUnreachableError
from hfscan.hub.publish import Dataset, files_of


@click.command("publish", cls=Command)
@click.argument("repo", metavar="OWNER/NAME")
@click.option("--private", is_flag=True, help="Make the dataset private where it is new.")
@click.option("--license", default="other", show_default=True, help="Of the dataset: an SPDX id.")
@endpoint_option
@http_token_option
@db_option
@as_of_option
@snapshot_option
def command(
    repo: str,
    private: bool,
    license: str,
    endpoint: str,
    allow_http_token: bool,
    db: Path,
    as_of: datetime | None,
    snapshot: int | None,
) -> None:
    """Publish a snapshot, its figures and reports as the dataset OWNER/NAME on the Hub.

    What `hfscan export` writes, with a dataset card, in one commit; none where nothing changed.
    Holds what the Hub lists publicly: no private model, and no token. Needs a token that may write.
    """
    if constants.HF_HUB_OFFLINE:
        raise HubUnreachableError(
            "HF_HUB_OFFLINE is set, so nothing is published. Unset it, or use `hfscan export`."
        )
    token = hub_token(endpoint, allow_http=allow_http_token)
    dataset = Dataset(repo, endpoint=endpoint, token=token)
    dataset.prove(private=private)  # an export takes minutes
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "export"
        with open_store(db) as store:
            chosen = select_snapshot(store, snapshot, as_of).snapshot
            exported = export.export(store, folder, snapshot=chosen)
        export.write_card(exported, repo=repo, license=license)
        published = dataset.publish(
            files_of(folder),
            f"Census of {chosen.observed_to:%F}: {exported.rows['models']:,} models "
            f"(hfscan {__version__})",
            owned=[*exported.rows, "reports"],
            private=private,
        )
    what = "Published" if published.changed else "Nothing has changed at"
    echo(f"{what} {published.url} (commit {published.commit[:12]})")
