"""Options that several commands share."""

from datetime import datetime, timedelta
from pathlib import Path

import click

from hfscan.cli._command import Choice
from hfscan.cli._verbosity import note
from hfscan.figures import SnapshotView
from hfscan.report import ROW_FORMATS
from hfscan.store import Store

db_option = click.option(
    "--db",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="HFSCAN_DB",
    default=Path("hfscan.duckdb"),
    show_default=True,
    show_envvar=True,
    help="The database.",
)

as_of_option = click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Answer from what was observed by the end of this day (UTC).",
)

snapshot_option = click.option("--snapshot", type=int, help="Answer from this snapshot.")


class Frameworks(click.ParamType[tuple[str, ...]]):
    """Names of frameworks, separated by commas."""

    name = "FRAMEWORK,..."

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names, each once."""
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
        if not names:
            self.fail("name at least one framework, e.g. pytorch,tensorflow", param, ctx)
        return names


format_option = click.option(
    "--format",
    "format_",
    type=Choice(list(ROW_FORMATS)),
    default="terminal",
    show_default=True,
)


def open_store(db: Path) -> Store:
    """Open the database to read; note on stderr where its masks are another release's."""
    store = Store.open(db)
    if store.outdated:
        note(
            f"Note: {db} was classified by another release's taxonomy, and answers by that one. "
            "To classify its models anew: hfscan snapshots --reclassify"
        )
    return store


def check_one_selector(snapshot: int | None, as_of: datetime | None) -> None:
    """Raise UsageError where both options that choose a snapshot are given."""
    if as_of is not None and snapshot is not None:
        raise click.UsageError("--as-of and --snapshot exclude each other; give one.")


def select_snapshot(store: Store, snapshot: int | None, as_of: datetime | None) -> SnapshotView:
    """Take a snapshot, whatever it covers; note on stderr where that is not the whole Hub."""
    check_one_selector(snapshot, as_of)
    view = SnapshotView.latest(store, snapshot=snapshot, as_of=end_of_day(as_of))
    if not (view.snapshot.whole and view.snapshot.covers(None, None)):
        note(f"Note: snapshot {view.snapshot.id} holds only a part of the Hub's models.")
    return view


def end_of_day(day: datetime | None) -> datetime | None:
    """Return the last instant of the day that --as-of names."""
    return day and day + timedelta(days=1, microseconds=-1)
