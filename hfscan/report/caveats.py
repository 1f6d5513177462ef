"""What limits a figure, in words: small counts, sampling, flags on the data."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from hfscan.errors import NotFoundError, option
from hfscan.figures import Figure, Flag, label_snapshots
from hfscan.store import Snapshot
from hfscan.text import format_count

SMALL_MARK = " *"
_SMALL = {
    "share": "small",
    "cumulative_share": "small",
    "share_without": "small_without",
    "compared_share": "compared_small",
}
"""Column of a query with a share -> the column that is true where its counts are small."""

INTERVALS = {
    "share": "interval",
    "compared_share": "compared_interval",
    "points": "points_interval",
}
"""Column of a query -> the column with its 95 % interval in a sample."""

_FEW = 100  # models
_MOST_PARTIAL = 3  # snapshots with a note each

_BOUNDS = ("share_min", "share_max")  # of models whose date of creation is unknown


def is_small(numerator: float, denominator: float) -> bool:
    """Return whether a few models more or less would change a share much, as the schema does."""
    return denominator > 0 and min(numerator, denominator) < _FEW


def mark_small(text: str, row: Mapping[str, Any], column: str) -> str:
    """Return the text of a row's share, with a mark where its counts are small."""
    is_marked = row.get(column) is not None and row.get(_SMALL.get(column, ""))
    return text + SMALL_MARK if is_marked else text


def explain_small(
    figures: Iterable[Figure],
    rows: Iterable[Mapping[str, Any]],
    columns: Collection[str] | None = None,
) -> str | None:
    """Return what the mark of small counts means; None where no figure or cell has it.

    `columns`: those of `rows` that are shown; None: all.
    """
    marked = [figure.small and figure.interval is None for figure in figures]
    marked += [
        bool(row.get(mark)) and not row.get(INTERVALS.get(column, ""))
        for row in rows
        for column, mark in _SMALL.items()
        if row.get(column) is not None and (columns is None or column in columns)
    ]
    if not any(marked):
        return None
    return f"{SMALL_MARK.strip()} Small counts: a few models more or less would change the share."


def explain_estimates(
    figures: Iterable[Figure], rows: Iterable[Mapping[str, Any]], snapshots: Iterable[Snapshot]
) -> str | None:
    """Return that shares of a sample have no interval; None where all have one."""
    if all(snapshot.sample is None for snapshot in snapshots):
        return None
    lacking = [figure.interval is None for figure in figures if figure.share is not None]
    lacking += [
        not row.get(INTERVALS.get(column, ""))
        for row in rows
        for column in row.keys() & ({"points"} if "points" in row else {*_SMALL, *_BOUNDS})
        if row[column] is not None
    ]
    if not any(lacking):
        return None
    which = "" if all(lacking) else ": shares without brackets"
    return f"Estimated from a sample, no interval{which}."


def explain_flags(rows: Iterable[Mapping[str, Any]]) -> str | None:
    """Return which snapshots of rows over snapshots have implausible data; None without any."""
    rows = list(rows)
    labels = label_snapshots(rows)
    flagged = {labels[row["snapshot"]]: row["flags"] for row in rows if row.get("flags")}
    if not flagged:
        return None
    days = (f"{day} ({', '.join(names)})".replace("_", " ") for day, names in flagged.items())
    return f"Implausible data: {'; '.join(days)}. docs/data-quality.md explains the names."


def describe_limits(snapshot: Snapshot) -> list[str]:
    """Return what limits the figures of a snapshot. Raises NotFoundError without tags and files."""
    notes = describe_origin(snapshot)
    if {"tags", "files"} <= set(snapshot.missing_columns):
        is_unreadable = any(column.field == "tags" for column in snapshot.unreadable)
        problem = "no readable tags" if is_unreadable else "no tags"
        raise NotFoundError(
            f"Snapshot {snapshot.id} has {problem} and no file names, so it does not show which "
            "frameworks its models support. Choose another with ",
            option("snapshot"),
            ".",
        )
    notes += describe_unreadable(snapshot)
    if "tags" in snapshot.missing_columns:
        notes.append("The snapshot has no tags, so definitions that need them are left out.")
    if "files" in snapshot.missing_columns:
        notes.append(
            "The snapshot has no file names, so the definition by weight files is left out."
        )
    if "downloads" in snapshot.missing_columns:
        notes.append("The snapshot has no downloads: download-weighted figures are empty.")
    return notes


def describe_origin(snapshot: Snapshot) -> list[str]:
    """Return whether the models are invented, a sample or a part of the Hub."""
    notes = []
    if snapshot.synthetic:
        notes.append(
            f"SYNTHETIC: invented data for demonstration ({snapshot.synthetic}), not the real Hub."
        )
    if sample := _describe_sample(snapshot):
        notes.append(sample)
    limits = {"author": snapshot.author, "task": snapshot.task, "limit": snapshot.model_limit}
    scope = ", ".join(f"{name} {value}" for name, value in limits.items() if value is not None)
    if scope:
        notes.append(f"PARTIAL: the snapshot holds only a part of the Hub ({scope}).")
    return notes


def describe_unreadable(snapshot: Snapshot) -> list[str]:
    """Return the fields that could not be read for some models."""
    return [
        f"UNREADABLE: the field {column.field} could not be read for {column.models:,} of "
        f"{format_count(snapshot.models, 'model')}. Figures that use this field leave them out."
        for column in snapshot.unreadable
    ]


def _describe_sample(snapshot: Snapshot) -> str | None:
    """Return how a sample was drawn, and what its intervals mean; None where there is none."""
    if snapshot.sample is None:
        return None
    text = f"SAMPLE: {snapshot.sample_design}."
    if not snapshot.sample_strata:
        return f"{text} Its strata are not recorded, so shares have no confidence intervals."
    return (
        f"{text} Brackets contain 95 % confidence intervals, estimated from the differences "
        "between ranges of creation time. Shares weighted by downloads or authors, and those of "
        "accounts, have none: a few models decide them."
    )


def describe_models_without_account(count: int, when: str) -> str | None:
    """Return how so many models without an account count among authors; None where none is.

    `when`: which models, such as "created in 2023".
    """
    if not count:
        return None
    verb = "has" if count == 1 else "have"
    return (
        f"ACCOUNTS: {format_count(count, 'model')} {when} {verb} no account. Each counts as an "
        "author of its own."
    )


def describe_models_without_downloads(count: int, when: str) -> str | None:
    """Return how many models figures by downloads leave out; None where that is none."""
    if not count:
        return None
    return (
        f"DOWNLOADS: unknown for {format_count(count, 'model')} {when}. Figures by downloads leave "
        f"{'it' if count == 1 else 'them'} out."
    )


def describe_design_effect(figures: Iterable[Figure]) -> str | None:
    """Return how much less a sample says than as many models drawn independently."""
    for figure in figures:
        if effect := figure.design_effect:
            models = round(figure.denominator / effect)
            return (
                f"DESIGN EFFECT: {effect:.1f}. Models created together are similar, so the "
                f"{figure.denominator:,} models of the headline say as much as {models:,} drawn "
                "independently."
            )
    return None


def describe_flag(flag: Flag) -> str:
    """Return the note of a report on a flag."""
    return f"DATA QUALITY, snapshot {flag.snapshot}: {flag.message}"


def describe_flags(flags: Sequence[Flag]) -> list[str]:
    """Return the notes on flags; many partial snapshots have one note together."""
    partial = [flag for flag in flags if flag.name == "partial"]
    if len(partial) <= _MOST_PARTIAL:
        return [describe_flag(flag) for flag in flags]
    ids = ", ".join(str(flag.snapshot) for flag in partial)
    together = f"DATA QUALITY: {len(partial)} snapshots lack a part of their models: {ids}."
    return [together, *(describe_flag(flag) for flag in flags if flag.name != "partial")]
