"""Evaluate published claims (`reports/claims/*.toml`) against the snapshots in the database.

A measured value, or the interval that contains it, supports a claim if it lies within the values
that the claim's words accept, contradicts it if it lies outside, and is inconclusive otherwise. If
all measurements have the same outcome, that is the verdict; if not, the verdict depends on the
dimensions in which they differ. Shares that a claim states of one population are added up.
"""

import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import product
from math import inf
from pathlib import Path
from typing import Any, Literal

from hfscan.errors import InvalidRequestError, NotFoundError
from hfscan.figures import ALL, Period, SnapshotView, load
from hfscan.figures.intervals import ratio_interval
from hfscan.frameworks import DEFINITIONS, newest_transformers
from hfscan.objectid import CUTOFF_END
from hfscan.paths import data_dir
from hfscan.scope import DEFAULT_FRAMEWORKS
from hfscan.store import Snapshot, Store, explain_empty, list_snapshots
from hfscan.store.parity import count_runs

FRAMEWORK_SETS = (DEFAULT_FRAMEWORKS, (*DEFAULT_FRAMEWORKS, "jax"), (ALL,))
_NEAR = timedelta(days=100)  # a snapshot this close to a date stands for that date

_Spec = Mapping[str, Any]  # of a claim or a measure, from its file
_Rows = list[dict[str, Any]]
_Interval = tuple[float | None, float | None]

Outcome = Literal["supports", "contradicts", "inconclusive", "unknown"]


class Verdict(StrEnum):
    """The result of evaluating a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    DEPENDS_ON = "depends_on"
    NOT_MEASURED = "not_measured"
    NOT_MEASURABLE = "not_measurable"
    CONSISTENT = "internally_consistent"
    INCONSISTENT = "internally_inconsistent"


_OUTCOMES: dict[Outcome, tuple[Verdict, str, str]] = {
    "supports": (Verdict.SUPPORTED, "supports it", "support it"),
    "contradicts": (Verdict.CONTRADICTED, "contradicts it", "contradict it"),
    "inconclusive": (Verdict.INCONCLUSIVE, "is inconclusive", "are inconclusive"),
}
"""Outcome -> the verdict if all measurements have it, and its predicate (singular, plural)."""

_DIMENSIONS = {"measure": "what", "definition": "definition", "frameworks": "frameworks"}
"""What a verdict can depend on -> the attribute of a measurement."""


@dataclass(frozen=True)
class Measurement:
    """A measure of a claim under one definition and set of frameworks.

    `low`, `high`: the value twice, or its interval; None if it is unknown, with the `reason`.
    """

    what: str
    definition: str
    frameworks: tuple[str, ...]
    snapshot: int | None
    query: str
    parameters: Mapping[str, object]
    low: float | None
    high: float | None
    outcome: Outcome
    reason: str | None = None


@dataclass(frozen=True)
class Claim:
    """A published claim with its measurements and verdict.

    `least`, `most`: the values that its words accept. `depends_on`: the dimensions in which the
    measurements of a `depends_on` verdict differ. `detail`: the reason for the verdict.
    """

    name: str
    claim: str
    document: str
    made: str
    about: str
    claimed: str
    least: float | None
    most: float | None
    unit: str
    note: str | None
    measurements: tuple[Measurement, ...]
    verdict: Verdict
    depends_on: tuple[str, ...]
    detail: str

    @property
    def measured_unit(self) -> str:
        """What the claim is measured in: share, ratio or count."""
        bounds = [bound for bound in (self.least, self.most) if bound is not None]
        is_count = self.unit == "share" and any(bound > 1 for bound in bounds)
        return "count" if is_count else self.unit

    def as_row(self) -> dict[str, Any]:
        """Return the claim without its measurements."""
        row = {key: value for key, value in self.__dict__.items() if key != "measurements"}
        return row | {"verdict": self.verdict.value, "depends_on": list(self.depends_on)}


def evaluate_claims(store: Store, *, where: Path | None = None) -> Iterator[Claim]:
    """Yield every claim of the folder `where` (default: hfscan's own), evaluated.

    Claims are in the order of their file names; a leading number is not part of a claim's name.
    Raises NotFoundError if the database is empty.
    """
    evaluator = _Evaluator(store)
    if not evaluator.snapshots and not count_runs(store):
        raise NotFoundError(explain_empty(store))
    for path in sorted(((where or data_dir("reports")) / "claims").glob("*.toml")):
        if path.name != "report.toml":
            spec = tomllib.loads(path.read_text(encoding="utf-8"))
            yield evaluator.evaluate(path.stem.lstrip("0123456789-"), spec)


class _Evaluator:
    """Evaluates claims. Runs each query once: claims share many of them."""

    def __init__(self, store: Store) -> None:
        self.snapshots = list_snapshots(store)
        self._store = store
        self._rows: dict[str, _Rows] = {}

    def evaluate(self, name: str, spec: _Spec) -> Claim:
        accepts = spec.get("accepts", {})
        measurements = tuple(
            self._measure(spec, measure, definition, tuple(frameworks))
            for measure in spec.get("measure", ())
            for definition, frameworks in product(
                spec.get("definitions", DEFINITIONS), spec.get("framework_sets", FRAMEWORK_SETS)
            )
        )
        verdict, depends_on, detail = _verdict(spec, measurements)
        return Claim(
            name, spec["claim"], spec["document"], spec["made"], spec["about"], spec["claimed"],
            accepts.get("least"), accepts.get("most"), spec.get("unit", "share"), spec.get("note"),
            measurements, verdict, depends_on, detail,
        )  # fmt: skip

    def _query(self, snapshot: Snapshot | None, query: str, parameters: dict[str, object]) -> _Rows:
        """Return the rows of a named query, over a snapshot where one is given."""
        key = repr((snapshot and snapshot.id, query, parameters))
        if key not in self._rows:
            if snapshot:
                SnapshotView(self._store, snapshot).bind_census()
            self._rows[key] = load(query).run(self._store, parameters)
        return self._rows[key]

    def _measure(
        self, spec: _Spec, measure: _Spec, definition: str, frameworks: tuple[str, ...]
    ) -> Measurement:
        values: dict[str, object] = {"definition": definition}
        values["frameworks"] = list(frameworks) or None
        values |= {key: measure[key] for key in ("since", "until") if key in measure}
        if day := measure.get("at") or measure.get("until"):  # the release of the claim's time
            values["transformers"] = newest_transformers(day)
        snapshot, low, high, reason = None, None, None, None
        try:
            if "at" in measure or "since" in measure:
                snapshot, until = self._choose_snapshot(measure, definition)
                values |= {"until": until} if "at" in measure else {}
            rows = self._query(snapshot, measure["query"], _parameters(measure, values))
            low, high = _value(rows, measure, is_ratio=spec.get("unit") == "ratio")
        except (NotFoundError, InvalidRequestError) as error:
            reason = str(error)
        if low is None and reason is None:
            reason = measure.get("missing", "There is nothing to compare.")
        return Measurement(
            _describe(measure), definition, frameworks, None if snapshot is None else snapshot.id,
            measure["query"], _parameters(measure, values), low, high,
            _outcome(low, high, spec.get("accepts", {})), reason,
        )  # fmt: skip

    def _choose_snapshot(self, measure: _Spec, definition: str) -> tuple[Snapshot, datetime | None]:
        """Return the snapshot that shows the claim's time, and the end of the models to count.

        A snapshot near the date is used as it is; otherwise the first one after it, cut to the
        models created by then. For a period of creation, the first one after its end.
        """
        on: date = measure.get("at") or measure["until"]
        day = _midnight(on)
        needs_files = definition == "weights"
        snapshots = [
            snapshot for snapshot in self.snapshots
            if snapshot.is_unfiltered and "tags" not in snapshot.missing_columns
            and not (needs_files and "files" in snapshot.missing_columns)
        ]  # fmt: skip
        if "at" in measure:
            near = [snapshot for snapshot in snapshots if abs(snapshot.observed_to - day) <= _NEAR]
            if near:
                near.sort(key=lambda snapshot: (abs(snapshot.observed_to - day), -snapshot.models))
                return near[0], None
            if day < CUTOFF_END.replace(tzinfo=None):
                raise NotFoundError(f"No snapshot near {on}, and the Hub's dates begin later.")
        since = _midnight(measure["since"]) if "since" in measure else None
        snapshots = [
            snapshot for snapshot in snapshots
            if snapshot.observed_to >= day and "created_at" not in snapshot.missing_columns
            and snapshot.covers(since, day)
        ]  # fmt: skip
        if not snapshots:
            files = " and file names" if needs_files else ""
            raise NotFoundError(f"No snapshot of the full Hub after {on} with dates{files}.")
        return min(snapshots, key=lambda snapshot: (snapshot.observed_to, -snapshot.models)), day


def _outcome(low: float | None, high: float | None, accepts: _Spec) -> Outcome:
    if low is None or high is None:
        return "unknown"
    least, most = accepts.get("least", -inf), accepts.get("most", inf)
    if least <= low and high <= most:
        return "supports"
    return "contradicts" if high < least or low > most else "inconclusive"


def _verdict(
    spec: _Spec, measurements: tuple[Measurement, ...]
) -> tuple[Verdict, tuple[str, ...], str]:
    """Return the verdict, what it depends on, and the detail."""
    if reason := spec.get("not_measurable"):
        return Verdict.NOT_MEASURABLE, (), reason
    if sums := spec.get("adds"):
        return _add_shares(sums)
    known = [measured for measured in measurements if measured.outcome != "unknown"]
    if not known:
        reasons = (measured.reason for measured in measurements if measured.reason)
        return Verdict.NOT_MEASURED, (), next(reasons, "")
    missing = len(measurements) - len(known)
    suffix = f"; {missing} more could not be made" if missing else ""
    outcomes = Counter(measured.outcome for measured in known)
    if len(outcomes) == 1:
        subject = f"all {len(known)} measurements" if len(known) > 1 else "the only measurement"
        return _OUTCOMES[known[0].outcome][0], (), f"by {subject}{suffix}"
    parts = [
        f"{count} of {len(known)} {predicates[count > 1]}"
        for outcome, (_, *predicates) in _OUTCOMES.items()
        if (count := outcomes[outcome])
    ]
    return Verdict.DEPENDS_ON, _dependencies(known), ", ".join(parts) + suffix


def _describe(measure: _Spec) -> str:
    """Return what is measured, with the first day where older models have no date.

    Queries that count older models too, or as an interval, need no such day.
    """
    description = str(measure["what"])
    if "since" not in measure or "until" not in measure:
        return description
    parameters = {parameter.name: parameter for parameter in load(measure["query"]).parameters}
    if "cutoff" not in parameters:
        return description
    cutoff = measure.get("parameters", {}).get("cutoff", parameters["cutoff"].default)
    period = Period.from_bounds(_midnight(measure["since"]), _midnight(measure["until"]))
    is_cut = cutoff == "excluded" and period.begins_late
    return f"{description}, from {period.start} on" if is_cut else description


def _parameters(measure: _Spec, values: dict[str, object]) -> dict[str, object]:
    """Return the values that the measure's query takes, and the parameters of the measure."""
    names = {parameter.name for parameter in load(measure["query"]).parameters}
    specified: dict[str, object] = measure.get("parameters", {})
    return {key: value for key, value in values.items() if key in names} | specified


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def _value(rows: _Rows, measure: _Spec, *, is_ratio: bool) -> _Interval:
    """Return low and high of the measured value: `value`, or its ratio to `divided_by`.

    The ratio of counts or shares of different models is an interval of 95 %.
    """
    low, high = _aggregate(rows, measure["value"])
    if low is None or high is None:  # of no models; an interval may still have one bound
        return None, None
    if "divided_by" not in measure:
        return low, high
    least, most = _aggregate(rows, measure["divided_by"])
    if not least or not most:
        return None, None
    if not is_ratio:
        return low / most, high / least
    counts, sizes = (
        [
            _aggregate(rows, measure[key] | {"column": column})[0] or 0
            for key in ("value", "divided_by")
        ]
        for column in ("numerator", "denominator")
    )
    is_share = measure["value"]["column"] == "share"
    factor = sizes[1] / sizes[0] if is_share else 1.0
    low_count, high_count = ratio_interval(*counts)
    return low_count * factor, high_count * factor


def _aggregate(rows: _Rows, selection: _Spec) -> _Interval:
    """Return low and high over the selected rows: a column's sum, or two columns' extremes."""
    selected = [row for row in rows if _matches(row, selection)]
    column = selection["column"]
    if isinstance(column, list):
        lows, highs = ([row[name] for row in selected if row[name] is not None] for name in column)
        return min(lows, default=None), max(highs, default=None)
    if column == "share":
        counts = [sum(row[name] for row in selected) for name in ("numerator", "denominator")]
        share = counts[0] / counts[1] if counts[1] else None
        return share, share
    total = sum(row[column] for row in selected)
    return total, total


def _matches(row: dict[str, Any], selection: _Spec) -> bool:
    return all(
        row[key] in (value if isinstance(value, list) else [value])
        for key, value in selection.items()
        if key != "column"
    )


def _dependencies(measurements: Collection[Measurement]) -> tuple[str, ...]:
    """Return the dimensions in which outcomes differ while the other dimensions stay the same."""
    dependencies = []
    for dimension, attribute in _DIMENSIONS.items():
        others = [name for name in _DIMENSIONS.values() if name != attribute]
        outcomes: dict[tuple[object, ...], set[str]] = {}
        for measurement in measurements:
            cell = tuple(getattr(measurement, name) for name in others)
            outcomes.setdefault(cell, set()).add(measurement.outcome)
        if any(len(different) > 1 for different in outcomes.values()):
            dependencies.append(dimension)
    return tuple(dependencies) or ("combination",)


def _add_shares(sums: Iterable[_Spec]) -> tuple[Verdict, tuple[str, ...], str]:
    """Return whether the shares that a claim states of one population can add up to 100 %."""
    parts, verdict = [], Verdict.CONSISTENT
    for item in sums:
        total, tolerance = sum(item["shares"]), item["rounding"] * len(item["shares"])
        if total - tolerance > 1:
            verdict = Verdict.INCONSISTENT
        parts.append(f"{item['what']} = {round(100 * total)} %")
    return verdict, (), "; ".join(parts)
