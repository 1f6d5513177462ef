"""`hfscan import`."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click
from huggingface_hub import constants

from hfscan.cli._command import Command
from hfscan.cli._hub import http_token_option, hub_token
from hfscan.cli._options import db_option
from hfscan.cli._output import echo
from hfscan.cli._times import UtcTime
from hfscan.cli._unreadable import describe
from hfscan.export import DERIVED, is_export, load
from hfscan.figures import check_import
from hfscan.hub.dataset_file import fetch, is_dataset_file
from hfscan.scope import Scope
from hfscan.store import ImportedDates, Ingested, NewSnapshot, Snapshot, Store
from hfscan.store.dump import canonical_name
from hfscan.store.raw import FIELDS
from hfscan.text import sanitize


@click.command("import", cls=Command)
@click.argument("files", nargs=-1, metavar="[FILE...]")
@click.option(
    "--observed-at",
    type=UtcTime(),
    help="When the Hub looked like this (UTC).",
)
@click.option(
    "--complete/--partial",
    default=None,
    help="Whether the dump holds every public model. Default: not stated.",
)
@click.option(
    "--creation-dates",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="True creation dates by repo id (Parquet, CSV, JSON), for models older than the Hub's.",
)
@click.option(
    "--allow-drop",
    is_flag=True,
    help="Import even no models, or much fewer than the snapshot before.",
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
    """Bring recorded dumps in as one snapshot, equal in rank to a crawl.

    FILE: API objects as a JSON array or JSON lines (.json, .jsonl, also .gz or .zst), CSV or
    Parquet with the API's columns, a folder of such files, what `hfscan export` wrote (which says
    itself when it was observed), or hf://datasets/OWNER/NAME/path. docs/faq.md lists the forms.

    Files without a model are refused, and so are much fewer models, downloads or tags than before:
    with --complete, than in the last complete snapshot; with neither --complete nor --partial, than
    in the last such import of the same fields.
    """
    if not files and creation_dates is None:
        raise click.UsageError("Name a dump to import, or dates with --creation-dates.")
    if len(files) == 1 and is_export(Path(files[0])):
        if observed_at is not None or complete is not None:
            raise click.UsageError("An export says itself when and how completely it was observed.")
        _bring_export(Path(files[0]), allow_drop, db)
    elif files:
        if observed_at is None:
            raise click.UsageError("Say with --observed-at when the Hub looked like this.")
        _bring_models(files, observed_at, complete, allow_drop, db, allow_http_token)
    if creation_dates is not None:
        with Store.open(db, write=True) as store:
            _report_dates(store.import_dates(creation_dates), db)


def _bring_export(folder: Path, allow_drop: bool, db: Path) -> None:
    with Store.open(db, write=True) as store:
        result = load(store, folder, None if allow_drop else partial(check_import, store))
        snapshot = next(one for one in store.snapshots() if one.id == result.snapshot)
    _tell(result, snapshot, db)


def _bring_models(
    files: tuple[str, ...],
    observed_at: datetime,
    complete: bool | None,
    allow_drop: bool,
    db: Path,
    allow_http_token: bool,
) -> None:
    observed = observed_at.replace(tzinfo=UTC)
    if observed > datetime.now(UTC):
        raise click.BadParameter("the date lies in the future", param_hint="--observed-at")
    names = [name if is_dataset_file(name) else Path(name).name for name in files]
    with Store.open(db, write=True) as store:
        paths = _fetched(files, allow_http_token)
        result = store.ingest(
            paths,
            NewSnapshot("import", ", ".join(names), Scope(), observed, observed, complete),
            None if allow_drop else partial(check_import, store, complete=complete),
        )
        snapshot = next(one for one in store.snapshots() if one.id == result.snapshot)
    _tell(result, snapshot, db)
    if complete and not snapshot.complete:
        echo("It is not kept as complete: a model may be among the rows that were left out.")


def _fetched(files: tuple[str, ...], allow_http_token: bool) -> list[Path]:
    """Return the files, those on the Hub fetched."""
    if not any(map(is_dataset_file, files)):
        return [Path(name) for name in files]
    token = hub_token(constants.ENDPOINT, allow_http=allow_http_token)
    return [fetch(name, token=token) if is_dataset_file(name) else Path(name) for name in files]


def _report_dates(dates: ImportedDates, db: Path) -> None:
    echo(f"Kept {dates.kept:,} creation dates in {db}")
    example = f", e.g. {sanitize(dates.example)!r}" if dates.example is not None else ""
    left_out = {
        "without a usable id": dates.unusable,
        f"date not understood{example}": dates.unreadable,
        "further dates of a model, of which the earliest counts": dates.duplicates,
    }
    for what, count in left_out.items():
        if count:
            echo(f"Left out {count:,}: {what}.")
    if dates.unmatched:
        echo(f"No snapshot has a model of {dates.unmatched:,} of the ids.")


def _tell(result: Ingested, snapshot: Snapshot, db: Path) -> None:
    if result.already:
        echo(f"These files are snapshot {result.snapshot} already; nothing was added to {db}")
        return
    models = "model" if result.models == 1 else "models"
    echo(
        f"Snapshot {result.snapshot}: {result.models:,} {models} observed "
        f"{snapshot.observed_to:%Y-%m-%d} in {db}"
    )
    left_out = {
        "private": result.private,
        "privacy not readable": result.maybe_private,
        "duplicates": result.duplicates,
        "without a usable id": result.nameless,
        "larger than 16 MiB": result.oversized,
        "damaged": result.damaged,
    }
    for what, count in left_out.items():
        if count:
            echo(f"Left out {count:,}: {what}.")
    if snapshot.missing_columns:
        echo(f"The dump has no {', '.join(snapshot.missing_columns)}.")
    for key, count in result.unknown_keys.items():
        name = canonical_name(key)
        if name in FIELDS:
            echo(f"{key} contradicts {name} in {count:,} models, not kept.")
        elif key not in DERIVED:
            echo(f"Unknown key {sanitize(key, 80)!r} in {count:,} models, not kept.")
    for one in result.unreadable:
        echo(f"Not understood, so unknown: {describe(one)}.")
