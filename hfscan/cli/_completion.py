"""Complete values in a shell: names that hfscan knows, and the snapshots of the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from hfscan.errors import HfscanError

if TYPE_CHECKING:
    from hfscan.store import Snapshot

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]


def complete_names(list_names: Callable[[click.Context], Iterable[str]]) -> Completer:
    """Return a function that completes the names that `list_names` returns, or none if it fails."""

    def complete(
        ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        try:
            names = [name for name in list_names(ctx) if name.startswith(incomplete)]
        except HfscanError:
            return []
        return [CompletionItem(name) for name in names]

    return complete


def complete_list(list_names: Callable[[], Iterable[str]]) -> Completer:
    """Return a function that completes the last of several names separated by commas."""

    def complete(
        _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        given, comma, last = incomplete.rpartition(",")
        names = (name for name in list_names() if name not in given.split(","))
        return [CompletionItem(given + comma + name) for name in names if name.startswith(last)]

    return complete


def complete_checkpoint(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Complete the command `parity setup`, or a folder."""
    folder = CompletionItem(incomplete, type="dir")
    return [folder, *[CompletionItem("setup")] * "setup".startswith(incomplete)]


def _list_snapshot_ids(ctx: click.Context) -> Iterator[str]:
    yield from (str(snapshot.id) for snapshot in _read_snapshots(ctx.params))


def _list_snapshot_days(ctx: click.Context) -> Iterator[str]:
    snapshots = _read_snapshots(ctx.params)
    yield from dict.fromkeys(f"{snapshot.observed_to:%F}" for snapshot in snapshots)


def _read_snapshots(params: dict[str, Any]) -> list[Snapshot]:
    from hfscan.store import Store, list_snapshots

    with Store.open(params["db"]) as store:
        return list_snapshots(store)


complete_snapshots = complete_names(_list_snapshot_ids)
complete_days = complete_names(_list_snapshot_days)
