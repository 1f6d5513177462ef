from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hfscan.cli._command import Command
from hfscan.cli._hub import HubAccess, http_token_option
from hfscan.cli._ingested import show_counts, show_skipped, show_unknown_keys
from hfscan.cli._options import db_option
from hfscan.cli._output import echo
from hfscan.cli._progress import show_activity
from hfscan.cli._types import FILE, UtcTime
from hfscan.scope import Scope
from hfscan.text import format_count, sanitize

if TYPE_CHECKING:
    from hfscan.store import ImportedDates, Ingested, Snapshot, Store

_EXAMPLES = """
hfscan import models.jsonl.zst --observed-at 2024-07-11 --complete
hfscan import census/
hfscan import hf://datasets/owner/dump/models.parquet --observed-at 2024-07-11
hfscan import --creation-dates first-commits.csv
"""


_USUAL_AGE = timedelta(days=7)
"""A dump of the Hub has models that were created or modified within this time before it."""


@click.command("import", cls=Command, examples=_EXAMPLES)
@click.argument("files", nargs=-1, metavar="[FILE...]")
@click.option(
    "--observed-at",
    type=UtcTime(),
    help="Time at which the dump was recorded (UTC). Required except for exports.",
)
@click.option(
    "--complete/--partial",
    default=None,
    help="State whether the dump contains every public model.  [default: not stated]",
)
@click.option(
    "--creation-dates",
    type=FILE,
    metavar="FILE",
    help="Creation dates by model id (Parquet, CSV, JSON), for models older than the Hub's dates.",
)
@click.option(
    "--allow-drop",
    is_flag=True,
    help="Accept an import with no models, or with far fewer than the previous snapshot.",
)
@http_token_option
@db_option
def command(
    files: tuple[str, ...],
    observed_at: datetime | None,
    complete: bool | None,
    creation_dates: Path | None,
    allow_drop: bool,
    allow_http_token: bool,
    db: Path,
) -> None:
    """Import recorded dumps as one snapshot.

    FILE is one of: API objects as JSON or JSON lines (also .gz, .zst); CSV or Parquet with the
    API's columns; a folder of such files; an export of `hfscan export`, which contains its own
    time; or hf://datasets/OWNER/NAME/path. docs/faq.md describes the formats.

    Rejects an import without models, or with far fewer models, downloads or tags than before. The
    reference is the last complete snapshot (--complete), or the last import with the same fields
    (neither --complete nor --partial). Rejects dumps that are newer than --observed-at.
    """
    from hfscan.export import is_export, load
    from hfscan.figures import check_import
    from hfscan.hub.datasets import is_dataset_url
    from hfscan.store import NewSnapshot, Store, import_dates, ingest_files

    if not files and creation_dates is None:
        raise click.UsageError("Give a dump to import, or dates with --creation-dates.")
    from_export = len(files) == 1 and is_export(Path(files[0]))
    if from_export and (observed_at is not None or complete is not None):
        raise click.UsageError(
            "An export contains its time and completeness. Omit --observed-at and --complete."
        )
    if files and not from_export and observed_at is None:
        raise click.UsageError(
            "--observed-at is required: the time at which the dump was recorded."
        )
    if observed_at is not None and observed_at > datetime.now(UTC):
        raise click.BadParameter("The time is in the future.", param_hint="'--observed-at'")
    with Store.open(db, write=True) as store:
        before_commit = None if allow_drop else partial(check_import, store, complete=complete)
        if from_export:
            with show_activity("Importing"):
                loaded = load(store, Path(files[0]), before_commit)
            _report_snapshot(store, loaded)
        elif observed_at is not None and files:
            names = [name if is_dataset_url(name) else Path(name).name for name in files]
            new = NewSnapshot(
                "import", ", ".join(names), Scope(), observed_at, observed_at, complete
            )
            with show_activity("Importing"):
                paths = _fetch_files(files, allow_http_token)
                ingested = ingest_files(store, paths, new, before_commit)
            _report_snapshot(store, ingested, complete)
        if creation_dates is not None:
            with show_activity("Importing"):
                dates = import_dates(store, creation_dates)
            _report_dates(dates, creation_dates, db)


def _fetch_files(files: tuple[str, ...], allow_http_token: bool) -> list[Path]:
    """Return local paths; download the files that are on the Hub."""
    from huggingface_hub import constants

    from hfscan.hub.datasets import download_dataset_file, is_dataset_url

    if not any(map(is_dataset_url, files)):
        return [Path(name) for name in files]
    token = HubAccess(constants.ENDPOINT, allow_http_token).token
    return [
        download_dataset_file(name, token=token) if is_dataset_url(name) else Path(name)
        for name in files
    ]


def _report_dates(dates: ImportedDates, file: Path, db: Path) -> None:
    if dates.kept:
        echo(f"Stored {dates.kept:,} creation dates in {db}")
    else:
        echo(f"{file} has no creation dates to store.")
    example = f", e.g. {sanitize(dates.example)!r}" if dates.example is not None else ""
    show_counts(
        {
            "no valid model id": dates.unusable,
            f"date cannot be read{example}": dates.unreadable,
            "later dates of the same model": dates.duplicates,
        }
    )
    if dates.contradicting:
        echo(
            f"{format_count(dates.contradicting, 'row')} with another date in a second column: it "
            "is not used."
        )
    if dates.unmatched:
        echo(f"{dates.unmatched:,} of the ids are in no snapshot.")


def _report_snapshot(store: Store, result: Ingested, complete: bool | None = None) -> None:
    from hfscan.store import delete_command, list_snapshots

    snapshot = next(known for known in list_snapshots(store) if known.id == result.snapshot)
    if result.already_ingested:
        echo(f"These files are already snapshot {snapshot.id} in {store.path}. Nothing was added.")
    else:
        _report_new_snapshot(snapshot, result, store.path)
        if complete is not False:
            _warn_of_age(snapshot, result.newest_date, store.path)
    if result.partial:
        echo("The snapshot is not marked as complete: the files say that they are only a part.")
    elif result.already_ingested and complete not in (None, snapshot.complete):
        stated = {True: "complete", False: "partial", None: "neither complete nor partial"}
        echo(
            f"It stays {stated[snapshot.complete]}, as it was stored. To change that, run "
            f"{delete_command(store.path, snapshot.id)} and import the files again."
        )
    elif complete and not snapshot.complete:
        echo("The snapshot is not marked as complete: a skipped row may be a model.")


def _warn_of_age(snapshot: Snapshot, newest_date: datetime | None, db: Path) -> None:
    """Print that a dump seems to be older than the time that was given for it."""
    from hfscan.store import delete_command

    observed = snapshot.observed_to.replace(tzinfo=UTC)
    if newest_date is not None and observed - newest_date > _USUAL_AGE:
        echo(
            f"The newest date in the files is {newest_date:%Y-%m-%d}, "
            f"{format_count((observed - newest_date).days, 'day')} before the time of the "
            f"snapshot. If the files were recorded then, run {delete_command(db, snapshot.id)} and "
            "import them with that time."
        )


def _report_new_snapshot(snapshot: Snapshot, result: Ingested, db: Path) -> None:
    from hfscan.store.dump import canonical_name
    from hfscan.store.dump.fields import FIELDS
    from hfscan.store.parquet import EXPORTED_MASKS

    echo(
        f"Snapshot {snapshot.id}: {format_count(result.models, 'model')} observed "
        f"{snapshot.observed_to:%Y-%m-%d} in {db}"
    )
    if snapshot.missing_columns:
        echo(f"Missing columns: {', '.join(snapshot.missing_columns)}.")
    show_skipped(result)
    unknown = {}
    for key, count in result.unknown_keys.items():
        name = canonical_name(key)
        if name in FIELDS:
            echo(f"Skipped {key} of {format_count(count, 'model')}: it contradicts {name}.")
        elif key not in EXPORTED_MASKS.values():
            unknown[key] = count
    show_unknown_keys(unknown)
