"""Measure the readings of claims in the snapshots that show their time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import inf
from typing import Any, Literal

import duckdb
import msgspec

from hfscan.errors import InvalidRequestError, NotFoundError, ReportConfigError
from hfscan.figures import AccountGroups, Period, SnapshotView, load
from hfscan.frameworks import newest_transformers
from hfscan.objectid import CUTOFF_END
from hfscan.report.claims.spec import Accepts, ReadingSpec, Role, Unit
from hfscan.report.claims.values import Rows, find_counts, find_fraction, find_value
from hfscan.store import Snapshot, Store, list_snapshots

NO_ACCOUNT_GROUPS = "Metadata do not tell what an account belongs to."
_NOTED = ("machine", "coverage")  # columns of a query's first row that a reading shows
_OLDEST = timedelta(days=730)  # an older snapshot than that before a claim would mislead
_EXACT = 1e-9  # relative
_NEAR = timedelta(days=100)  # a snapshot this close to a date stands for that date

Outcome = Literal["supports", "below", "above", "open", "unknown"]
"""Where a measured value or its interval lies, relative to the values that the words accept."""


@dataclass(frozen=True)
class Reading:
    """A reading as measured.

    `low`, `high`: the value twice, or its interval of 95 %; `low` None: unknown, with the `reason`;
    `high` None beside a `low`: no upper bound. `high_if_deleted`: an estimate, `high` if the share
    `deleted_most` of the models was deleted since. `counts`: those of a ratio of two counts.
    `numerator`, `denominator`: those of a share.
    `machine`: where times were measured. `coverage`: the share of models that it describes, where
    the query knows. `snapshot`: its id. `apart`: why the reading has no part
    in the verdict.
    """

    reading: str
    role: Role
    choice: str | None
    apart: str | None
    snapshot: int | None
    observed: date | None
    query: str
    parameters: Mapping[str, object]
    low: float | None
    high: float | None
    outcome: Outcome
    reason: str | None = None
    deleted_most: float | None = None
    high_if_deleted: int | None = None
    counts: tuple[int, int] | None = None
    numerator: float | None = None
    denominator: float | None = None
    machine: str | None = None
    coverage: float | None = None

    @property
    def most(self) -> float | None:
        """The highest value that the data and the estimate allow; None: no upper bound."""
        return self.high if self.high_if_deleted is None else self.high_if_deleted

    def as_row(self) -> dict[str, Any]:
        """Return the reading for JSON, without what is empty."""
        row = {key: value for key, value in vars(self).items() if key != "observed"}
        optional = (
            "choice", "apart", "reason", "deleted_most", "high_if_deleted", "counts",
            "numerator", "denominator", "machine", "coverage",
        )  # fmt: skip
        return {
            key: value for key, value in row.items() if value is not None or key not in optional
        }


class Measurer:
    """Measures readings. Runs each query once per snapshot: claims share many of them."""

    def __init__(self, store: Store, account_groups: AccountGroups | None = None) -> None:
        self._account_groups = account_groups
        self.snapshots = list_snapshots(store)
        self._store = store
        self._rows: dict[str, Rows] = {}

    def measure(
        self, reading: ReadingSpec, role: Role, unit: Unit, accepts: Accepts | None
    ) -> Reading:
        """Return the reading with its value, in the snapshot closest to its day."""
        snapshot: Snapshot | None = None
        parameters = _parameters(reading, {})
        low = high = reason = high_if_deleted = counts = machine = coverage = None
        numerator = denominator = None
        try:
            snapshot, values = self._prepare(reading)
            parameters = _parameters(reading, values)
            rows = self._query(snapshot, reading.query, parameters)
            low, high = find_value(rows, reading, unit)
            if unit == "ratio" and reading.value["column"] == "numerator":
                counts = find_counts(rows, reading)
            if unit == "share" and low is not None:
                numerator, denominator = find_fraction(rows, reading)
            machine, coverage = (rows[0].get(key) if rows else None for key in _NOTED)
            if unit == "count" and _is_early(snapshot, reading):
                high = None  # models were added until the day
            if high is not None and reading.deleted_most:
                high_if_deleted = round(high / (1 - reading.deleted_most))
            if low is None:
                reason = reading.missing or "No models match this reading."
        except NotFoundError as error:
            reason = str(error)
        except (InvalidRequestError, ReportConfigError, duckdb.Error) as error:
            raise ReportConfigError(f"the reading {reading.reading!r}: {error}") from error
        except KeyError as error:
            raise ReportConfigError(
                f"the reading {reading.reading!r} names the column {error}, which the query "
                f"{reading.query} lacks."
            ) from error
        return Reading(
            _describe(reading), role, reading.choice, reading.apart,
            snapshot.id if snapshot else None, snapshot.observed_to.date() if snapshot else None,
            reading.query, parameters, low, high,
            _outcome(low, high_if_deleted or high, accepts), reason,
            reading.deleted_most if high_if_deleted else None, high_if_deleted, counts,
            numerator, denominator, machine, coverage,
        )  # fmt: skip

    def _prepare(self, reading: ReadingSpec) -> tuple[Snapshot | None, dict[str, object]]:
        """Return the snapshot of a reading, and what its parameters get besides their own."""
        groups = self._account_groups
        if reading.needs_account_groups and groups is None:
            raise NotFoundError(NO_ACCOUNT_GROUPS)
        values: dict[str, object] = {"account_groups": groups and groups.as_parameter}
        if reading.day:
            snapshot, until = self._choose_snapshot(reading)
            return snapshot, values | ({"until": until} if reading.at else {})
        return (self._newest(reading) if reading.is_about_models else None), values

    def measure_now(self, reading: ReadingSpec, unit: Unit) -> Reading | None:
        """Return the reading in the newest snapshot, for comparison; None without a recent one."""
        if reading.at is None or reading.apart:
            return None
        now = msgspec.structs.replace(
            reading, at=None, apart="The snapshot is from another time than the claim."
        )
        measured = self.measure(now, "apart", unit, None)
        if measured.low is None or measured.observed is None:
            return None
        return measured if measured.observed >= reading.at - _OLDEST else None

    def _newest(self, reading: ReadingSpec) -> Snapshot:
        """Return the newest snapshot that has what the reading needs. Raises NotFoundError."""
        suitable = [snapshot for snapshot in self.snapshots if _is_suitable(snapshot, reading)]
        if not suitable:
            raise NotFoundError(
                f"The database has no snapshot of the full Hub{_describe_needs(reading)}."
            )
        return max(suitable, key=lambda snapshot: (snapshot.observed_to, snapshot.models))

    def _query(
        self, snapshot: Snapshot | None, query: str, parameters: Mapping[str, object]
    ) -> Rows:
        defaults = load(query).defaults
        given = [
            item for item in sorted(parameters.items()) if str(item[1]) != defaults.get(item[0])
        ]
        key = repr((snapshot and snapshot.id, query, given))
        if key not in self._rows:
            named = load(query)
            if snapshot:
                with_counts = named.reads_counts(parameters)
                SnapshotView(self._store, snapshot).bind_census(with_counts=with_counts)
            self._rows[key] = named.run(self._store, parameters)
        return self._rows[key]

    def _choose_snapshot(self, reading: ReadingSpec) -> tuple[Snapshot, datetime | None]:
        """Return the snapshot that shows the reading's time, and the end of the models to count.

        The one closest to the day, if it is near; otherwise the first one after it, unless
        downloads or likes matter. A later one is cut to the models created by the day, if it has
        dates. For a period of creation, the first one after its end.
        """
        on = reading.day
        assert on is not None
        day = _midnight(on)
        snapshots = [snapshot for snapshot in self.snapshots if _is_suitable(snapshot, reading)]
        near = [snapshot for snapshot in snapshots if abs(snapshot.observed_to - day) <= _NEAR]
        if reading.at and near:
            near.sort(key=lambda snapshot: (abs(snapshot.observed_to - day), -snapshot.models))
            is_cut = near[0].observed_to > day and "created_at" not in near[0].missing_columns
            return near[0], day if is_cut else None
        if reading.at and reading.uses_counts:
            raise NotFoundError(
                f"The database has no snapshot of the full Hub near {on}{_describe_needs(reading)}."
            )
        if day < CUTOFF_END.replace(tzinfo=None) and reading.query != "creation_cutoff":
            raise NotFoundError(
                f"The database has no snapshot near {on}, and the Hub's dates begin later."
            )
        since = _midnight(reading.since) if reading.since else None
        later = [
            snapshot for snapshot in snapshots
            if snapshot.observed_to >= day and "created_at" not in snapshot.missing_columns
            and snapshot.covers(since, day)
        ]  # fmt: skip
        if reading.uses_counts:
            later = [snapshot for snapshot in later if snapshot in near]
        if not later:
            needs = _describe_needs(reading, "dates")
            raise NotFoundError(
                f"The database has no snapshot of the full Hub near or after {on}{needs}."
            )
        return min(later, key=lambda snapshot: (snapshot.observed_to, -snapshot.models)), day


_TITLES = {
    "files": "file names",
    "downloads_all_time": "all-time downloads",
    "parameters": "numbers of parameters",
}
"""Column of a snapshot -> what it is called."""


_IMPLIED = {"pickle": "files", "weights": "files", "model_card": "files", "size": "parameters"}
"""Query, definition or grouping -> the column that it needs."""


def _needs(reading: ReadingSpec) -> list[str]:
    """Return the columns that a snapshot must have for a reading."""
    by = reading.parameters.get("by", "")
    implied = [
        _IMPLIED[name] for name in (reading.query, reading.definition, by) if name in _IMPLIED
    ]
    return list(dict.fromkeys((reading.needs or ["tags"]) + implied + reading.count_columns))


def _describe_needs(reading: ReadingSpec, *others: str) -> str:
    """Return what a snapshot must have, with `others`: " with dates and file names"."""
    needs = [_TITLES.get(name, name) for name in _needs(reading) if name != "tags"]
    return f" with {' and '.join([*others, *needs])}" if needs or others else ""


def _is_suitable(snapshot: Snapshot, reading: ReadingSpec) -> bool:
    missing = set(snapshot.missing_columns)
    is_partial = snapshot.kind == "import" and snapshot.complete is False
    return snapshot.is_unfiltered and not is_partial and missing.isdisjoint(_needs(reading))


def _is_early(snapshot: Snapshot | None, reading: ReadingSpec) -> bool:
    """Return whether a snapshot is from before the day that a reading speaks of."""
    return (
        snapshot is not None
        and reading.at is not None
        and (snapshot.observed_to < _midnight(reading.at))
    )


def _parameters(reading: ReadingSpec, values: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters of the reading's query, with those that follow from its day."""
    names = load(reading.query).defaults
    known: dict[str, object] = {"since": reading.since, "until": reading.until, **values}
    if _leaves_out_oldest(reading):
        known["cutoff"] = "excluded"
    if reading.day:  # the release of the claim's time
        known["transformers"] = newest_transformers(reading.day)
    given = {key: value for key, value in known.items() if key in names and value is not None}
    return {
        key: _midnight(value) if type(value) is date else value for key, value in given.items()
    } | reading.parameters


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def _leaves_out_oldest(reading: ReadingSpec) -> bool:
    """Return whether a period of creation begins before the Hub's dates, and the query can cut.

    The Hub gives every older model the first of its dates: they are left out unless the reading
    says otherwise.
    """
    if reading.since is None or reading.until is None:
        return False
    period = Period.from_bounds(_midnight(reading.since), _midnight(reading.until))
    cutoff = reading.parameters.get("cutoff", "excluded")
    can_cut = "cutoff" in load(reading.query).defaults
    return can_cut and cutoff == "excluded" and period.begins_late


def _describe(reading: ReadingSpec) -> str:
    """Return what is measured, with the first day where older models have no date."""
    if not _leaves_out_oldest(reading):
        return reading.reading
    assert reading.since is not None
    assert reading.until is not None
    period = Period.from_bounds(_midnight(reading.since), _midnight(reading.until))
    return f"{reading.reading}, from {period.start} on"


def _outcome(low: float | None, high: float | None, accepts: Accepts | None) -> Outcome:
    if low is None or accepts is None:
        return "unknown"
    least = -inf if accepts.least is None else accepts.least
    most = inf if accepts.most is None else accepts.most
    high = inf if high is None else high
    # a bound is met exactly, also where a quotient is not exact
    least, most = least - _EXACT * abs(least), most + _EXACT * abs(most)
    if least <= low and high <= most:
        return "supports"
    return "below" if high < least else "above" if low > most else "open"
