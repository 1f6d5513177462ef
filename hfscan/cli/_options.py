"""Options that several commands share."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from hfscan.cli._command import Choice
from hfscan.cli._numbers import Count
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
    help="Database file.",
)


class PastDay(click.DateTime):
    """A day (UTC) that has begun."""

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%d"])

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the start of the day; fail if it lies in the future."""
        day: datetime = super().convert(value, param, ctx)
        if day.date() > datetime.now(UTC).date():
            self.fail(f"{day:%Y-%m-%d} lies in the future.", param, ctx)
        return day


as_of_option = click.option(
    "--as-of",
    type=PastDay(),
    help="Use the newest snapshot at the end of this day (UTC).",
)

snapshot_option = click.option("--snapshot", type=Count(), help="Use the snapshot with this id.")


class Frameworks(click.ParamType[tuple[str, ...]]):
    """Comma-separated framework names."""

    name = "FRAMEWORK,..."

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names without duplicates."""
        if isinstance(value, tuple):
            return value
        names = [part.strip() for part in value.split(",")]
        if not any(names):
            self.fail("name at least one framework, e.g. pytorch,tensorflow", param, ctx)
        if not all(names):
            self.fail(
                f"{value!r} has an empty name. Separate the frameworks with one comma each, e.g. "
                "pytorch,tensorflow.",
                param,
                ctx,
            )
        return tuple(dict.fromkeys(names))


format_option = click.option(
    "--format",
    "format_",
    type=Choice(list(ROW_FORMATS)),
    default="terminal",
    show_default=True,
    help="Output format.",
)


def open_store(db: Path) -> Store:
    """Open the database read-only; print a note if another release classified its models."""
    store = Store.open(db)
    if store.outdated:
        note(
            f"Note: the models in {db} were classified by another release of hfscan. "
            "To reclassify them: hfscan snapshots --reclassify"
        )
    return store


def check_one_selector(snapshot: int | None, as_of: datetime | None) -> None:
    """Raise UsageError if both options that select a snapshot are given."""
    if as_of is not None and snapshot is not None:
        raise click.UsageError("--as-of cannot be combined with --snapshot. Use one of them.")


def select_snapshot(store: Store, snapshot: int | None, as_of: datetime | None) -> SnapshotView:
    """Return the selected snapshot; print a note if it does not cover the entire Hub."""
    check_one_selector(snapshot, as_of)
    view = SnapshotView.latest(store, snapshot=snapshot, as_of=end_of_day(as_of))
    chosen = view.snapshot
    if not (chosen.whole and chosen.covers(None, None)):
        note(f"Note: snapshot {chosen.id} covers only part of the Hub's models.")
    return view


def end_of_day(day: datetime | None) -> datetime | None:
    """Return the last microsecond of a day given with --as-of."""
    return day and day + timedelta(days=1, microseconds=-1)
