"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from hfscan.choices import RESULT_FORMATS, WEIGHTS
from hfscan.cli._command import EnvironmentOption
from hfscan.cli._completion import complete_days, complete_snapshots
from hfscan.cli._output import note
from hfscan.cli._types import FILE, Choice, Count, PastDay, parse_pairs
from hfscan.text import format_count

if TYPE_CHECKING:
    from hfscan.figures import AccountGroups, SnapshotView
    from hfscan.store import Store

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

db_option = click.option(
    "--db",
    cls=EnvironmentOption,
    type=FILE,
    envvar="HFSCAN_DB",
    default=Path("hfscan.duckdb"),
    show_envvar=True,
    help="Database file.",
)

format_option = click.option(
    "--format", "format_", type=Choice(RESULT_FORMATS), default="terminal", help="Output format."
)

weight_option = click.option(
    "--weight",
    type=Choice(WEIGHTS),
    default="models",
    help="Count models, their 30-day downloads, or authors.",
)

transformers_option = click.option(
    "--transformers",
    type=Count(4, 5),
    help="Release of transformers that the definition loadable assumes: 4 has TensorFlow and Flax "
    "classes, 5 has not.  [default: the newest at the time of the snapshot]",
)


def _load_account_groups(*arguments: Any) -> AccountGroups | None:
    from hfscan.figures import load_account_groups

    path = arguments[-1]
    return load_account_groups(path) if path else None


account_groups_option = click.option(
    "--account-groups",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_load_account_groups,
    metavar="FILE.csv",
    help="Accounts and what they belong to: columns account and, for example, country.",
)

backend_python_option = click.option(
    "--backend-python",
    "pythons",
    multiple=True,
    metavar="BACKEND=INTERPRETER",
    callback=parse_pairs,
    help="Python interpreter of a backend; repeatable.",
)


def combine(name: str, factory: Callable[..., Any], *options: Decorator) -> Decorator:
    """Return a decorator that adds options and passes `factory(**values)` as argument `name`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def wrapper(**values: Any) -> Any:
            group = {key: values.pop(key) for key in keys}
            return command(**values, **{name: factory(**group)})

        decorated: Any = wrapper
        before = len(getattr(command, "__click_params__", ()))
        for option in reversed(options):
            decorated = option(decorated)
        keys = [param.name for param in decorated.__click_params__[before:]]
        return wrapper

    return decorate


@dataclass(frozen=True)
class SnapshotSelector:
    """The options --db or --from, and --snapshot or --as-of."""

    db: Path
    published: str | None
    snapshot: int | None = None
    as_of: datetime | None = None

    def __post_init__(self) -> None:
        source = click.get_current_context().get_parameter_source("db")
        if self.published is not None and source is ParameterSource.COMMANDLINE:
            raise click.UsageError("--from cannot be combined with --db. Use one of them.")
        if self.as_of is not None and self.snapshot is not None:
            raise click.UsageError("--as-of cannot be combined with --snapshot. Use one of them.")

    @property
    def is_given(self) -> bool:
        return self.snapshot is not None or self.as_of is not None

    @property
    def end(self) -> datetime | None:
        """The last microsecond of the day given with --as-of."""
        return self.as_of and self.as_of + timedelta(days=1, microseconds=-1)

    def open(self) -> Store:
        return open_store(self.db) if self.published is None else _open_published(self.published)

    def select(self, store: Store) -> SnapshotView:
        """Return the selected snapshot; print a note if it does not cover the entire Hub."""
        from hfscan.figures import SnapshotView

        view = SnapshotView.latest(store, snapshot=self.snapshot, as_of=self.end)
        if not view.is_complete:
            note(f"Note: snapshot {view.snapshot.id} covers only part of the Hub's models.")
        return view


_published_option = click.option(
    "--from",
    "published",
    metavar="hf://datasets/OWNER/NAME",
    help="Use the snapshot published as this dataset instead of a database; @REVISION, such as "
    "a day, for an earlier one. HFSCAN_OWNER is the owner of hf://datasets/NAME.",
)

source_options = combine("selector", SnapshotSelector, db_option, _published_option)
"""Options of a command that selects no snapshot."""

snapshot_options = combine(
    "selector",
    SnapshotSelector,
    db_option,
    _published_option,
    click.option(
        "--as-of",
        type=PastDay(),
        shell_complete=complete_days,
        help="Use the newest snapshot at the end of this day (UTC).",
    ),
    click.option(
        "--snapshot",
        type=Count(),
        shell_complete=complete_snapshots,
        help="Use the snapshot with this id.",
    ),
)


def open_store(db: Path) -> Store:
    """Open the database read-only; print a note if another release classified its models."""
    from hfscan.store import Store

    store = Store.open(db)
    if not store.has_current_taxonomy:
        note(
            f"Note: the models in {db} were classified by another release of hfscan. "
            "To reclassify them: hfscan snapshots --reclassify"
        )
    return store


def _open_published(url: str) -> Store:
    """Open the snapshot of a dataset on the Hub; print a note with its date."""
    from hfscan.export import fetch_published
    from hfscan.store import Store, list_snapshots

    store = Store.open(fetch_published(url))
    (snapshot,) = list_snapshots(store)
    note(
        f"Note: the snapshot of {url} is of {snapshot.observed_to:%Y-%m-%d}, with "
        f"{format_count(snapshot.models, 'model')}."
    )
    return store
