"""Compare the time at which a dump is said to be recorded with the dates of its models."""

from datetime import UTC, datetime

from hfscan.errors import ImportFileError, option
from hfscan.store.database import Store
from hfscan.store.values import DATES
from hfscan.timestamps import to_utc_naive

_TOLERATED = 0.01
"""Share of the models whose dates may be wrong: beyond it, the time of the dump is."""


def check_not_too_early(store: Store, latest: datetime) -> None:
    """Raise ImportFileError if many staged models have dates after `latest` that are past today.

    Dates in the future are placeholders and say nothing about the dump.
    """
    late, newest = store.fetch_one(
        f"""
        SELECT count(DISTINCT row), max(date) FROM (
            SELECT row, field, TRY_CAST(example AS TIMESTAMP) AS date FROM (
                SELECT row, unnest(unreadable) AS field, unnest(examples) AS example
                FROM staged WHERE unreadable IS NOT NULL
            )
        ) WHERE field IN {(*DATES.values(),)} AND date > $latest AND date <= $now
        """,
        {"latest": to_utc_naive(latest), "now": to_utc_naive(datetime.now(UTC))},
    )
    if not late:
        return
    (models,) = store.fetch_one("SELECT count(*) FROM staged")
    if late > _TOLERATED * models:
        raise ImportFileError(
            f"{late:,} of {models:,} rows have dates after the time of the dump, up to "
            f"{newest:%Y-%m-%d}. Nothing was imported. Give the time at which the files were "
            "recorded with ",
            option("observed-at"),
            ".",
        )


def find_newest_date(store: Store) -> datetime | None:
    """Return the newest credible date of the staged models (UTC); None where none has one."""
    newest: datetime | None
    (newest,) = store.fetch_one("SELECT greatest(max(created_at), max(last_modified)) FROM staged")
    return newest and newest.replace(tzinfo=UTC)
