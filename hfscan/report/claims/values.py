"""Take a reading's value from the rows of its query."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from hfscan.errors import ReportConfigError
from hfscan.figures.intervals import ratio_interval, wilson_interval
from hfscan.report.caveats import is_small
from hfscan.report.claims.spec import ReadingSpec, Unit

Row = Mapping[str, Any]
Rows = Sequence[Row]
Interval = tuple[float | None, float | None]

_ADDABLE = ("numerator", "models")  # columns whose values of several rows add up


def find_value(rows: Rows, reading: ReadingSpec, unit: Unit) -> Interval:
    """Return low and high of the measured value: `value`, or its ratio to `divided_by`.

    The ratio of two counts, or of two shares, is an interval of 95 %, and so is the share of few
    models. Both are None where there is nothing to measure; high None: no upper bound. Raises
    ReportConfigError where the selected rows do not have one value of that unit.
    """
    if unit == "ratio" and find_counts(rows, reading) is not None:
        return _ratio_of_counts(rows, reading)
    low, high = _aggregate(rows, reading.value, has_interval=reading.weight == "models")
    if reading.divided_by is not None:
        least, most = _aggregate(rows, reading.divided_by, has_interval=False)
        if low is None or high is None or not least or not most:
            return None, None
        low, high = low / most, high / least
    if unit == "share" and low is not None and low > 1 + 1e-9:
        raise ReportConfigError(
            f"a share cannot be {low:,.6g}. Set unit to count, ratio or days, or choose another "
            "column."
        )
    return low, high


def find_fraction(rows: Rows, reading: ReadingSpec) -> tuple[float | None, float | None]:
    """Return numerator and denominator of a share; None twice where it is not one of counts."""
    column = reading.value["column"]
    selected = _select(rows, reading.value)
    if reading.divided_by is not None:
        divisors, divisor = _select(rows, reading.divided_by), reading.divided_by["column"]
        if column in _ADDABLE and divisor == "denominator":
            return _sum(selected, column), _one_value(divisors, divisor)
        if {column, divisor} <= set(_ADDABLE):
            return _sum(selected, column), _sum(divisors, divisor)
    elif column == "share" and selected and selected[0].get("numerator") is not None:
        return _sum(selected, "numerator"), _one_value(selected, "denominator")
    return None, None


def find_counts(rows: Rows, reading: ReadingSpec) -> tuple[int, int] | None:
    """Return the two counts of a ratio, of counts or of shares; None where it is of others."""
    if reading.divided_by is None:
        return None
    sides = (reading.value, reading.divided_by)
    columns = [side["column"] for side in sides]
    if columns not in (["numerator"] * 2, ["share"] * 2) or any(side.get("sum") for side in sides):
        return None
    first, second = (_sum(_select(rows, side), "numerator") for side in sides)
    return int(first), int(second)


def _ratio_of_counts(rows: Rows, reading: ReadingSpec) -> Interval:
    counts = find_counts(rows, reading)
    assert counts is not None
    assert reading.divided_by is not None
    if not any(counts):
        return None, None
    factor = 1.0
    if reading.value["column"] == "share":
        sizes = [
            _one_value(_select(rows, side), "denominator")
            for side in (reading.value, reading.divided_by)
        ]
        if not sizes[0] or not sizes[1]:
            return None, None
        factor = sizes[1] / sizes[0]
    low, high = ratio_interval(*counts)
    return low * factor, None if high == inf else high * factor


def _aggregate(rows: Rows, selection: Mapping[str, Any], *, has_interval: bool) -> Interval:
    """Return low and high over the selected rows: a column's value, or two columns' extremes."""
    selected, column = _select(rows, selection), selection["column"]
    if isinstance(column, list):
        lows, highs = ([row[name] for row in selected if row[name] is not None] for name in column)
        return min(lows, default=None), max(highs, default=None)
    if not selected:
        return None, None
    if column in _ADDABLE:
        total = _sum(selected, column)
        return total, total
    if column == "share" and selected[0].get("numerator") is not None:
        denominator = _one_value(selected, "denominator")
        if len(selected) > 1 and not selection.get("sum"):
            raise ReportConfigError(
                f"{len(selected)} rows match. Name one, or set sum = true to add their shares."
            )
        if not denominator:
            return None, None
        numerator = _sum(selected, "numerator")
        share = numerator / denominator
        is_few = has_interval and is_small(numerator, denominator)
        return wilson_interval(share, denominator) if is_few else (share, share)
    value = _one_value(selected, column)
    return value, value


def _one_value(rows: Rows, column: str) -> float | None:
    """Return the value that all rows have in a column. Raises ReportConfigError on several."""
    values = {row[column] for row in rows}
    if len(values) > 1:
        raise ReportConfigError(
            f"{len(rows)} rows match, with different values of {column}. Name one of them."
        )
    (value,) = values or {None}
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ReportConfigError(f"the column {column} has no numbers.")
    return value


def _sum(rows: Rows, column: str) -> float:
    return sum(row[column] or 0 for row in rows)


def _select(rows: Rows, selection: Mapping[str, Any]) -> list[Row]:
    keys = {
        key: value for key, value in selection.items() if key not in ("column", "sum", "except")
    }
    excluded = selection.get("except", {})
    return [
        row for row in rows
        if all(row[key] in _as_list(value) for key, value in keys.items())
        and not any(row[key] in _as_list(value) for key, value in excluded.items())
    ]  # fmt: skip


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
