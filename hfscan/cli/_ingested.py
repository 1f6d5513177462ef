"""Describe a snapshot: its scope, and what was skipped or could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from hfscan.cli._output import echo
from hfscan.text import format_count, sanitize

if TYPE_CHECKING:
    from hfscan.scope import Scope
    from hfscan.store import Ingested, Snapshot, Unreadable


def show_counts(counts: Mapping[str, int]) -> None:
    """Print how many rows were skipped for each reason."""
    for reason, count in counts.items():
        if count:
            echo(f"Skipped {count:,}: {reason}.")


def show_skipped(ingested: Ingested) -> None:
    """Print the skipped rows and the unreadable values of a snapshot."""
    from hfscan.store.values import DATES

    show_counts(
        {
            "private": ingested.private,
            "privacy cannot be read": ingested.maybe_private,
            "duplicates": ingested.duplicates,
            f"another model has the same repo id, e.g. {sanitize(ingested.shared_id or '')!r}": (
                ingested.shared_ids
            ),
            "no valid model id": ingested.missing_id,
            "larger than 16 MiB": ingested.oversized,
            "damaged": ingested.damaged,
        }
    )
    for field in ingested.unreadable:
        echo(f"Cannot be read, stored as unknown: {describe_unreadable(field)}.")
    if any(field.field in DATES.values() for field in ingested.unreadable):
        echo("Dates count only from 2016 up to the time of the snapshot.")


def show_unknown_keys(models: Mapping[str, int]) -> None:
    """Print the unknown keys of the rows, each with its number of models."""
    for key, count in models.items():
        echo(f"Skipped unknown key {sanitize(key, 80)!r} of {format_count(count, 'model')}.")


def describe_unreadable(field: Unreadable) -> str:
    """Return the field, the number of models in which it cannot be read, and an example."""
    example = "" if field.example is None else f", e.g. {sanitize(field.example)!r}"
    return f"{field.field} of {format_count(field.models, 'model')}{example}"


def describe_scope(scope: Scope | Snapshot) -> list[str]:
    """Return the task, the author and the creation period that limit a crawl."""
    parts = [f"for {scope.task}"] if scope.task else []
    if scope.author:
        parts.append(f"of {scope.author}")
    since = f" from {_format_time(scope.since)}" if scope.since else ""
    until = f" until before {_format_time(scope.until)}" if scope.until else ""
    return [*parts, f"created{since}{until}"] if since or until else parts


def _format_time(instant: datetime) -> str:
    return instant.isoformat(sep=" ").removesuffix("+00:00").removesuffix(" 00:00:00")
