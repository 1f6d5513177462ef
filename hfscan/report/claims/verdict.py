"""Judge a claim by its primary reading; other readings can only weaken the verdict.

A value supports a claim if it, or its whole interval, lies within the values that the claim's words
accept. Readings of another time or of something else (apart, proxy) have no part in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf

from hfscan.report.claims.measure import NO_ACCOUNT_GROUPS, Reading
from hfscan.report.claims.spec import ClaimSpec, Direction, Sum
from hfscan.report.format import format_value
from hfscan.text import format_count


class Verdict(StrEnum):
    """The result of a fact-check."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    NOT_REPRODUCED = "not_reproduced"
    DEPENDS = "depends"
    UNDERSTATED = "understated"
    OVERSTATED = "overstated"
    CONSISTENT = "consistent"
    INCONSISTENT = "inconsistent"
    NOT_MEASURABLE = "not_measurable"
    NOT_MEASURED = "not_measured"


@dataclass(frozen=True)
class Judgement:
    """A verdict, its reason in at most two sentences, and what would change it."""

    verdict: Verdict
    detail: str
    would_change: str


def judge(claim: ClaimSpec, readings: Sequence[Reading]) -> Judgement:
    """Return the verdict on a claim."""
    judgement = _judge(claim, readings)
    return replace(judgement, would_change=claim.would_change or judgement.would_change)


def _judge(claim: ClaimSpec, readings: Sequence[Reading]) -> Judgement:
    if claim.not_measurable:
        change = claim.would_measure or "Data on what the claim is about."
        return Judgement(Verdict.NOT_MEASURABLE, claim.not_measurable, change)
    if claim.primary is None:
        return _judge_sums(claim)
    primary = readings[0]
    if primary.low is None:
        reason = primary.reason or ""
        if reason == NO_ACCOUNT_GROUPS:
            change = "A table of accounts and their countries (--account-groups FILE.csv)."
            return Judgement(Verdict.NOT_MEASURABLE, reason, change)
        change = "A snapshot of the full Hub from that time."
        return Judgement(
            Verdict.NOT_MEASURED, reason, change if claim.primary.is_about_models else reason
        )
    alternatives = [
        reading for reading in readings
        if reading.role == "alternative" and reading.outcome != "unknown"
    ]  # fmt: skip
    if primary.outcome == "supports":
        return _judge_hit(claim, primary, alternatives)
    if primary.outcome == "open":
        cause = claim.primary.uncertain or "chance, as the counts are small"
        return Judgement(
            Verdict.DEPENDS,
            f"Measured: {_value(claim, primary)}; it depends on {cause}. {_holds_for(claim)}.",
            "More exact data.",
        )
    return _judge_miss(claim, primary, alternatives)


def _judge_hit(claim: ClaimSpec, primary: Reading, alternatives: Sequence[Reading]) -> Judgement:
    measured = f"Measured: {_value(claim, primary)}"
    misses = [reading for reading in alternatives if reading.outcome in ("below", "above")]
    if not misses:
        return Judgement(
            Verdict.SUPPORTED, f"{measured}. {_holds_for(claim)}.", _describe_outside(claim)
        )
    choices = list(dict.fromkeys(reading.choice or "" for reading in misses))
    named = ", ".join(choices[:-1]) + " and " * (len(choices) > 1) + choices[-1]
    example = misses[0]
    return Judgement(
        Verdict.DEPENDS,
        f"{measured}, for which the claim holds. It depends on {named}: "
        f"{_lower_first(example.reading)} gives {_value(claim, example)}.",
        f"Evidence of {named} that the authors used.",
    )


def _judge_miss(claim: ClaimSpec, primary: Reading, alternatives: Sequence[Reading]) -> Judgement:
    measured = f"Measured: {_value(claim, primary)}"
    change = "Evidence that the authors counted other models than any reading here."
    for reading in alternatives:
        if reading.outcome == "supports":
            return Judgement(
                Verdict.NOT_REPRODUCED,
                f"{measured}; {_lower_first(_holds_for(claim))}. A less plausible reading fits: "
                f"{_lower_first(reading.reading)} gives {_value(claim, reading)}.",
                "Evidence that the authors used that reading.",
            )
    if len({primary.outcome, *(reading.outcome for reading in alternatives)} - {"open"}) > 1:
        return Judgement(
            Verdict.NOT_REPRODUCED,
            f"{measured}; {_lower_first(_holds_for(claim))}. No reading gives that: some are too "
            "low, some too high.",
            change,
        )
    if claim.direction and _holds(claim.direction, primary):
        is_above = primary.outcome == "above"
        return Judgement(
            Verdict.UNDERSTATED if is_above else Verdict.OVERSTATED,
            f"{measured}, {'more' if is_above else 'less'} than claimed; "
            f"{_lower_first(_holds_for(claim))}. Apart from its figure it holds: "
            f"{claim.direction.text}.",
            change,
        )
    return Judgement(Verdict.CONTRADICTED, f"{measured}. {_holds_for(claim)}.", change)


def _holds_for(claim: ClaimSpec) -> str:
    return f"The claim would hold for {accepted_range(claim)}"


def _describe_outside(claim: ClaimSpec) -> str:
    assert claim.accepts is not None
    least, most = claim.accepts.least, claim.accepts.most
    if least is not None and most is None:
        return f"A value below {_format_bound(claim.unit, least)}."
    if most is not None and least is None:
        return f"A value above {_format_bound(claim.unit, most)}."
    return f"A value outside {accepted_range(claim)}."


def _holds(direction: Direction, primary: Reading) -> bool:
    least = -inf if direction.least is None else direction.least
    most = inf if direction.most is None else direction.most
    assert primary.low is not None
    return least <= primary.low and (inf if primary.most is None else primary.most) <= most


def _judge_sums(claim: ClaimSpec) -> Judgement:
    """Judge whether the shares that a claim states of one population can add up to 100 %."""
    parts, possible = [], True
    for item in claim.adds:
        possible = possible and item.total - item.rounding * len(item.shares) <= 1
        parts.append(f"{item.what} make {format_sum(item)}")
    text = _upper_first("; ".join(parts))
    if possible:
        return Judgement(
            Verdict.CONSISTENT,
            f"{text}. With rounding, these shares can describe one population; whether they are "
            "right was not checked.",
            "Evidence that the shares were not rounded.",
        )
    return Judgement(
        Verdict.INCONSISTENT,
        f"{text}. Shares of one population cannot exceed 100 %.",
        "Evidence that the shares are of different populations.",
    )


def format_sum(stated: Sum) -> str:
    """Return what the shares that a claim states of one population add up to, as text."""
    return f"{round(100 * stated.total)} %"


def accepted_range(claim: ClaimSpec) -> str:
    """Return the values for which the claim holds, as text."""
    assert claim.accepts is not None
    least, most = (
        None if bound is None else _format_bound(claim.unit, bound)
        for bound in (claim.accepts.least, claim.accepts.most)
    )
    times = " times" if claim.unit == "ratio" else ""
    if claim.unit == "ratio" and "1" in (least, most) and None in (least, most):
        return f"a ratio of {f'{least} or more' if most is None else f'{most} or less'}"
    if least and most and least != most:
        return f"{least} to {most}{times}"
    if most is None:
        return f"{least}{times} or more"
    return f"{most}{times} or less" if least is None else f"{most}{times}"


def measured_value(unit: str, reading: Reading) -> str:
    """Return a measured value, its counts or its interval, as text; "-" where it is unknown.

    What was not counted is named an estimate.
    """
    if reading.high_if_deleted is not None:
        most = _format_in(unit, reading.high_if_deleted)
        share = f"{100 * (reading.deleted_most or 0):.3g} %"
        return f"{_interval(unit, reading)} (estimate: up to {most} if {share} were deleted since)"
    if reading.counts is not None and reading.low is not None:
        return f"{reading.counts[0]:,} against {reading.counts[1]:,}"
    return _interval(unit, reading)


def _value(claim: ClaimSpec, reading: Reading) -> str:
    """Return a measured value as text, with the interval of a ratio of two counts."""
    value = measured_value(claim.unit, reading)
    if reading.counts is None:
        return value
    return f"{value} ({_interval(claim.unit, reading)}, 95 % interval)"


def _interval(unit: str, reading: Reading) -> str:
    low, high = reading.low, reading.high
    times = " times" if unit == "ratio" and low is not None else ""
    if low is None or low == high:
        return _format_in(unit, low) + times
    if high is None:
        return f"{_format_in(unit, low)}{times} or more"
    return f"{_format_in(unit, low)} to {_format_in(unit, high)}{times}"


def _format_bound(unit: str, value: float) -> str:
    """Return a bound with as many decimals as it has."""
    if unit == "ratio":
        return f"{value:g}"
    return f"{100 * value:.6g} %" if unit == "share" else _format_in(unit, value)


def _format_in(unit: str, value: float | None) -> str:
    if unit == "days" and value is not None:
        return format_count(round(value), "day")
    if unit == "count" and value is not None:
        value = round(value)
    return format_value(unit, value)


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lower_first(text: str) -> str:
    """Return a phrase as it stands within a sentence; names keep their capitals."""
    first = text.split(" ", 1)[0]
    return text if first[1:] != first[1:].lower() else text[:1].lower() + text[1:]
