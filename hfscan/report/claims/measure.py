"""Measure the readings of claims in the snapshots that show their time."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import inf
from typing import Any, Literal

import msgspec

from hfscan.errors import InvalidRequestError, NotFoundError, ReportConfigError
from hfscan.figures import Period, SnapshotView, load
from hfscan.figures.intervals import ratio_interval, wilson_interval
from hfscan.frameworks import newest_transformers
from hfscan.objectid import CUTOFF_END
from hfscan.report.claims.spec import Accepts, ReadingSpec, Role, Unit
from hfscan.store import Snapshot, Store, list_snapshots

_FEW = 100  # models; the share of fewer has an interval
_OLDEST = timedelta(days=730)  # an older snapshot than that before a claim would mislead
_NEAR = timedelta(days=100)  # a snapshot this close to a date stands for that date

_Rows = Sequence[Mapping[str, Any]]
_Interval = tuple[float | None, float | None]

Outcome = Literal["supports", "below", "above", "open", "unknown"]
"""Where a measured value or its interval lies, relative to the values that the words accept."""


@dataclass(frozen=True)
class Reading:
    """A reading as measured.

    `low`, `high`: the value twice, or its interval of 95 %; `low` None: unknown, with the `reason`;
    `high` None beside a `low`: no upper bound. `counts`: those of a ratio of two counts.
    `machine`: where times were measured. `snapshot`: its id. `apart`: why the reading has no part
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
    counts: tuple[int, int] | None = None
    machine: str | None = None

    def as_row(self) -> dict[str, Any]:
        """Return the reading for JSON, without what is empty."""
        row = {key: value for key, value in vars(self).items() if key != "observed"}
        optional = ("choice", "apart", "reason", "counts", "machine")
        return {
            key: value for key, value in row.items() if value is not None or key not in optional
        }


class Measurer:
    """Measures readings. Runs each query once per snapshot: claims share many of them."""

    def __init__(self, store: Store, countries: Mapping[str, str] | None = None) -> None:
        self._countries = countries
        self.snapshots = list_snapshots(store)
        self._store = store
        self._rows: dict[str, _Rows] = {}

    def measure(
        self, reading: ReadingSpec, role: Role, unit: Unit, accepts: Accepts | None
    ) -> Reading:
        """Return the reading with its value, in the snapshot closest to its day."""
        snapshot: Snapshot | None = None
        parameters = _parameters(reading, {})
        low = high = reason = counts = machine = None
        try:
            snapshot, values = self._prepare(reading)
            parameters = _parameters(reading, values)
            rows = self._query(snapshot, reading.query, parameters)
            low, high = _value(rows, reading, unit)
            counts = _counts(rows, reading) if unit == "ratio" else None
            machine = rows[0].get("machine") if rows else None
            if high is not None and reading.deleted_most:
                high /= 1 - reading.deleted_most
            if low is None:
                reason = reading.missing or "No models match this reading."
        except NotFoundError as error:
            reason = str(error)
        except InvalidRequestError as error:
            raise ReportConfigError(f"The reading {reading.reading!r}: {error}") from error
        except KeyError as error:
            raise ReportConfigError(
                f"The reading {reading.reading!r} names the column {error}, which the query "
                f"{reading.query} lacks."
            ) from error
        return Reading(
            _describe(reading), role, reading.choice, reading.apart,
            snapshot.id if snapshot else None, snapshot.observed_to.date() if snapshot else None,
            reading.query, parameters, low, high, _outcome(low, high, accepts), reason, counts,
            machine,
        )  # fmt: skip

    def _prepare(self, reading: ReadingSpec) -> tuple[Snapshot | None, dict[str, object]]:
        """Return the snapshot of a reading, and what its parameters get besides their own."""
        if reading.needs_countries and self._countries is None:
            raise NotFoundError("Metadata do not give the country of an account.")
        values: dict[str, object] = {"countries": json.dumps(self._countries or {})}
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
    ) -> _Rows:
        defaults = {parameter.name: parameter.default for parameter in load(query).parameters}
        given = [item for item in sorted(parameters.items()) if str(item[1]) != defaults[item[0]]]
        key = repr((snapshot and snapshot.id, query, given))
        if key not in self._rows:
            if snapshot:
                SnapshotView(self._store, snapshot).bind_census()
            self._rows[key] = load(query).run(self._store, parameters)
        return self._rows[key]

    def _choose_snapshot(self, reading: ReadingSpec) -> tuple[Snapshot, datetime | None]:
        """Return the snapshot that shows the reading's time, and the end of the models to count.

        A snapshot near the day is used as it is; otherwise the first one after it, cut to the
        models created by then, unless downloads or likes matter. For a period of creation, the
        first one after its end.
        """
        on = reading.day
        assert on is not None
        day = _midnight(on)
        snapshots = [snapshot for snapshot in self.snapshots if _is_suitable(snapshot, reading)]
        near = [snapshot for snapshot in snapshots if abs(snapshot.observed_to - day) <= _NEAR]
        if reading.at and near:
            near.sort(key=lambda snapshot: (abs(snapshot.observed_to - day), -snapshot.models))
            return near[0], None
        if reading.at and reading.uses_counts:
            raise NotFoundError(
                f"The database has no snapshot of the full Hub near {on}{_describe_needs(reading)}."
            )
        if reading.at and day < CUTOFF_END.replace(tzinfo=None):
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


def _needs(reading: ReadingSpec) -> list[str]:
    """Return the columns that a snapshot must have for a reading."""
    files = ["files"] if reading.definition == "weights" else []
    return list(dict.fromkeys((reading.needs or ["tags"]) + files + reading.count_columns))


def _describe_needs(reading: ReadingSpec, *others: str) -> str:
    """Return what a snapshot must have, with `others`: " with dates and file names"."""
    needs = [_TITLES.get(name, name) for name in _needs(reading) if name != "tags"]
    return f" with {' and '.join([*others, *needs])}" if needs or others else ""


def _is_suitable(snapshot: Snapshot, reading: ReadingSpec) -> bool:
    missing = set(snapshot.missing_columns)
    return snapshot.is_unfiltered and missing.isdisjoint(_needs(reading))


def _parameters(reading: ReadingSpec, values: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters of the reading's query, with those that follow from its day."""
    names = {parameter.name for parameter in load(reading.query).parameters}
    known: dict[str, object] = {"since": reading.since, "until": reading.until, **values}
    if reading.day:  # the release of the claim's time
        known["transformers"] = newest_transformers(reading.day)
    given = {key: value for key, value in known.items() if key in names and value is not None}
    return {
        key: _midnight(value) if type(value) is date else value for key, value in given.items()
    } | reading.parameters


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def _describe(reading: ReadingSpec) -> str:
    """Return what is measured, with the first day where older models have no date.

    Queries that count older models too, or as an interval, need no such day.
    """
    if reading.since is None or reading.until is None:
        return reading.reading
    parameters = {parameter.name: parameter for parameter in load(reading.query).parameters}
    if "cutoff" not in parameters:
        return reading.reading
    cutoff = reading.parameters.get("cutoff", parameters["cutoff"].default)
    period = Period.from_bounds(_midnight(reading.since), _midnight(reading.until))
    is_cut = cutoff == "excluded" and period.begins_late
    return f"{reading.reading}, from {period.start} on" if is_cut else reading.reading


def _outcome(low: float | None, high: float | None, accepts: Accepts | None) -> Outcome:
    if low is None or accepts is None:
        return "unknown"
    least = -inf if accepts.least is None else accepts.least
    most = inf if accepts.most is None else accepts.most
    high = inf if high is None else high
    if least <= low and high <= most:
        return "supports"
    return "below" if high < least else "above" if low > most else "open"


def _value(rows: _Rows, reading: ReadingSpec, unit: Unit) -> _Interval:
    """Return low and high of the measured value: `value`, or its ratio to `divided_by`.

    The ratio of counts or shares of different models is an interval of 95 %, and so is the share of
    few models.
    """
    has_interval = reading.weight == "models"
    if reading.divided_by is None:
        return _aggregate(rows, reading.value, has_interval)
    if unit != "ratio":
        low, high = _aggregate(rows, reading.value, has_interval)
        least, most = _aggregate(rows, reading.divided_by, has_interval)
        if low is None or high is None or not least or not most:
            return None, None
        return low / most, high / least
    sides = [reading.value, reading.divided_by]
    counts, sizes = (
        [_total(rows, side, name) for side in sides] for name in ("numerator", "denominator")
    )
    if not any(counts):
        return None, None
    factor = 1.0
    if reading.value["column"] == "share":
        if not all(sizes):
            return None, None
        factor = sizes[1] / sizes[0]
    low, high = ratio_interval(*counts)
    return low * factor, None if high == inf else high * factor


def _counts(rows: _Rows, reading: ReadingSpec) -> tuple[int, int] | None:
    """Return the two counts of a ratio; None where it is one of shares or measurements."""
    if reading.divided_by is None or reading.value["column"] != "numerator":
        return None
    first, second = (
        int(_total(rows, side, "numerator")) for side in (reading.value, reading.divided_by)
    )
    return first, second


def _total(rows: _Rows, selection: Mapping[str, Any], column: str) -> float:
    return sum(row[column] or 0 for row in rows if _matches(row, selection))


def _aggregate(rows: _Rows, selection: Mapping[str, Any], has_interval: bool) -> _Interval:
    """Return low and high over the selected rows: a column's sum, or two columns' extremes.

    Shares of rows with one denominator add up with `sum`; else they are pooled. The share of few
    models is an interval if it `has_interval`.
    """
    selected = [row for row in rows if _matches(row, selection)]
    column = selection["column"]
    if isinstance(column, list):
        lows, highs = ([row[name] for row in selected if row[name] is not None] for name in column)
        return min(lows, default=None), max(highs, default=None)
    if not selected:
        return None, None
    if column != "share" or selected[0].get("numerator") is None:  # Gini's coefficient is no share
        total = sum(row[column] for row in selected)
        return total, total
    numerator, denominator = (
        sum(row[name] or 0 for row in selected) for name in ("numerator", "denominator")
    )
    if selection.get("sum"):
        denominator = selected[0]["denominator"]
    if not denominator:
        return None, None
    share = numerator / denominator
    is_few = has_interval and min(numerator, denominator) < _FEW
    return wilson_interval(share, denominator) if is_few else (share, share)


def _matches(row: Mapping[str, Any], selection: Mapping[str, Any]) -> bool:
    return all(
        row[key] in (value if isinstance(value, list) else [value])
        for key, value in selection.items()
        if key not in ("column", "sum", "except")
    ) and not any(row[key] in values for key, values in selection.get("except", {}).items())
