"""`hfscan publish`."""

import tempfile
from datetime import datetime
from pathlib import Path

import click

from hfscan import export
from hfscan._version import __version__
from hfscan.cli._command import Command
from hfscan.cli._hub import endpoint_option, http_token_option, hub_token, require_online
from hfscan.cli._options import (
    as_of_option,
    db_option,
    open_store,
    select_snapshot,
    snapshot_option,
)
from hfscan.cli._output import echo
from hfscan.hub.publish import Dataset, files_of

_EXAMPLES = """
hfscan publish my-org/hub-census
hfscan publish my-org/hub-census --private --license cc-by-4.0
"""


@click.command("publish", cls=Command, examples=_EXAMPLES)
@click.argument("repo", metavar="OWNER/NAME")
@click.option("--private", is_flag=True, help="Create a new dataset as private.")
@click.option(
    "--license", default="other", show_default=True, help="License of the dataset (SPDX id)."
)
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

    Uploads the files of `hfscan export` and a dataset card in one commit, if anything changed.
    Contains public models only, and no token. Requires a token with write access.
    """
    require_online("Unset it, or use `hfscan export`.")
    token = hub_token(endpoint, allow_http=allow_http_token)
    dataset = Dataset(repo, endpoint=endpoint, token=token)
    dataset.prove(private=private)  # fail before the export, which takes minutes
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
    result = "Published" if published.changed else "No changes at"
    echo(f"{result} {published.url} (commit {published.commit[:12]})")
