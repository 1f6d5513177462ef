from __future__ import annotations

import tempfile
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hfscan._version import __version__
from hfscan.cli._command import Command
from hfscan.cli._hub import HubAccess, upload_options
from hfscan.cli._options import SnapshotSelector, snapshot_options
from hfscan.cli._output import echo
from hfscan.cli._progress import show_activity
from hfscan.errors import InvalidRequestError
from hfscan.text import format_count

if TYPE_CHECKING:
    from hfscan.store import Snapshot

_EXAMPLES = """
hfscan publish my-org/hub-census
hfscan publish my-org/hub-census --private --license cc-by-4.0
hfscan publish my-org/hub-census --space my-org/hub-report
"""


@click.command("publish", cls=Command, examples=_EXAMPLES)
@click.argument("repo", metavar="OWNER/NAME")
@click.option("--private", is_flag=True, help="Create a new dataset as private.")
@click.option("--license", default="other", help="License of the dataset (SPDX id).")
@click.option(
    "--space", metavar="OWNER/NAME", help="Also publish the report as a page: this static Space."
)
@click.option(
    "--allow-older",
    is_flag=True,
    help="Publish the snapshot even if the dataset holds a newer one, which it replaces.",
)
@upload_options
@snapshot_options
def command(
    repo: str,
    private: bool,
    license: str,
    space: str | None,
    allow_older: bool,
    hub: HubAccess,
    selector: SnapshotSelector,
) -> None:
    """Publish a snapshot, its figures and reports as the dataset OWNER/NAME on the Hub.

    Uploads the files of `hfscan export` and a dataset card in one commit, if anything changed, and
    tags the commit with the day of the snapshot, unless there is such a tag. If something else is
    published there meanwhile, it stays, and this ends with exit code 4. Contains public models
    only, and no token. Requires a token with write access.
    """
    from hfscan import export
    from hfscan.hub.datasets import HubDataset, list_files

    hub.require_online("Unset it, or use `hfscan export`.")
    open_repo = partial(HubDataset, endpoint=hub.endpoint, token=hub.token)
    dataset = open_repo(repo)
    page = open_repo(space, kind="space") if space else None
    for target in filter(None, (dataset, page)):
        target.check_access(private=private)  # fail before the export, which takes minutes
    commit, page_commit = dataset.head(), page.head() if page else None
    with show_activity("Publishing"), tempfile.TemporaryDirectory() as scratch:
        folder, page_folder = Path(scratch) / "export", Path(scratch) / "page"
        with selector.open() as store:
            chosen = selector.select(store).snapshot
            if commit is not None and not allow_older:
                _refuse_older(chosen, dataset.url, export.find_published_time(dataset, commit))
            exported = export.export(store, folder, snapshot=chosen)
            if page:
                export.write_page(store, chosen, page_folder, dataset=dataset.repo)
        export.write_card(exported, repo=dataset.repo, license=license, url=dataset.url)
        message = (
            f"Census of {chosen.observed_to:%F}: {format_count(exported.rows['models'], 'model')} "
            f"(hfscan {__version__})"
        )
        managed = [*exported.rows, "reports"]
        results = [
            dataset.publish(
                list_files(folder), message, parent=commit, managed_folders=managed, private=private
            )
        ]
        dataset.tag(f"{chosen.observed_to:%F}", results[0].commit)
        if page:
            results.append(
                page.publish(list_files(page_folder), message, parent=page_commit, private=private)
            )
    for published in results:
        result = "Published" if published.changed else "No changes at"
        echo(f"{result} {published.url} (commit {published.commit[:12]})")


def _refuse_older(chosen: Snapshot, url: str, published: datetime | None) -> None:
    """Raise InvalidRequestError if the dataset at `url` holds a newer snapshot: of `published`."""
    if published is not None and published > chosen.observed_to:
        raise InvalidRequestError(
            f"{url} holds the snapshot of {published:%F %H:%M}, which is newer than "
            f"snapshot {chosen.id} of {chosen.observed_to:%F %H:%M}. Choose another with "
            "--snapshot, or add --allow-older to replace it."
        )
