"""Judge a claim by its primary reading; other readings can only weaken the verdict.

A value supports a claim if it, or its whole interval, lies within the values that the claim's words
accept. Readings of another time or of something else (apart, proxy) have no part in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from hfscan.report.claims.measure import Reading
from hfscan.report.claims.spec import ClaimSpec, Direction
from hfscan.report.format import format_value


class Verdict(StrEnum):
    """The result of a fact-check."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    NOT_REPRODUCED = "not_reproduced"
    DEPENDS = "depends"
    UNDERSTATED = "understated"
    OVERSTATED = "overstated"
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
    if claim.not_measurable:
        change = claim.would_measure or "Data on what the claim is about."
        return Judgement(Verdict.NOT_MEASURABLE, claim.not_measurable, change)
    if claim.adds:
        return _judge_sums(claim)
    primary = readings[0]
    if primary.low is None and claim.primary and claim.primary.needs_countries:
        return Judgement(
            Verdict.NOT_MEASURABLE,
            primary.reason or "",
            "A table of accounts and their countries: --countries FILE.csv.",
        )
    if primary.low is None:
        reason = primary.reason or ""
        is_about_models = claim.primary is not None and claim.primary.is_about_models
        change = "A snapshot of that time: `hfscan import` reads dumps of the Hub's models."
        return Judgement(
            Verdict.NOT_MEASURED, reason, change if is_about_models else "A measurement."
        )
    alternatives = [
        reading for reading in readings
        if reading.role == "alternative" and reading.outcome != "unknown"
    ]  # fmt: skip
    if primary.outcome == "supports":
        return _judge_hit(claim, primary, alternatives)
    if primary.outcome == "open":
        return Judgement(
            Verdict.DEPENDS,
            f"It depends on {_uncertainty(claim)}. Measured: {_value(claim, primary)}; the words "
            f"accept {accepted_range(claim)}.",
            "A narrower interval.",
        )
    return _judge_miss(claim, primary, alternatives)


def _judge_hit(claim: ClaimSpec, primary: Reading, alternatives: Sequence[Reading]) -> Judgement:
    misses = [reading for reading in alternatives if reading.outcome in ("below", "above")]
    measured = f"Measured: {_value(claim, primary)}. The words accept {accepted_range(claim)}"
    if not misses:
        others = f", and so do all {len(alternatives)} other readings" * (len(alternatives) > 1)
        return Judgement(Verdict.SUPPORTED, f"{measured}{others}.", _describe_outside(claim))
    choices = list(dict.fromkeys(reading.choice or "" for reading in misses))
    named = ", ".join(choices[:-1]) + " and " * (len(choices) > 1) + choices[-1]
    example = misses[0]
    return Judgement(
        Verdict.DEPENDS,
        f"Measured: {_value(claim, primary)}, which the words accept. It depends on {named}: "
        f"{_lower_first(example.reading)} is {_value(claim, example)}.",
        f"Evidence of {named} that the authors used.",
    )


def _judge_miss(claim: ClaimSpec, primary: Reading, alternatives: Sequence[Reading]) -> Judgement:
    accepted, measured = accepted_range(claim), _value(claim, primary)
    hits = [reading for reading in alternatives if reading.outcome == "supports"]
    known = [primary, *alternatives]
    sides = {reading.outcome for reading in known if reading.outcome in ("below", "above")}
    lows = [reading.low for reading in known if reading.low is not None]
    highs = [inf if reading.high is None else reading.high for reading in known]
    spread = f"The readings give {_format(claim, min(lows))} to {_format(claim, max(highs))}"
    change = f"A plausible reading within {accepted}. {spread}."
    if hits:
        return Judgement(
            Verdict.NOT_REPRODUCED,
            f"The most plausible reading gives {measured}; the words accept {accepted}. "
            f"{_upper_first(hits[0].reading)} would fit: {_value(claim, hits[0])}.",
            f"Evidence that the authors measured another reading. {spread}.",
        )
    if len(sides) > 1:
        return Judgement(
            Verdict.NOT_REPRODUCED,
            f"The most plausible reading gives {measured}; the words accept {accepted}. Other "
            "readings miss on the other side.",
            change,
        )
    if claim.direction and _holds(claim.direction, primary):
        is_above = primary.outcome == "above"
        verdict = Verdict.UNDERSTATED if is_above else Verdict.OVERSTATED
        word = "more" if is_above else "less"
        detail = f"Measured: {measured}, {word} than the words accept ({accepted})."
        return Judgement(verdict, f"{detail} It is true that {claim.direction.text}.", change)
    return Judgement(
        Verdict.CONTRADICTED,
        f"Measured: {measured}. The words accept {accepted}, and no other reading gives that.",
        change,
    )


def _describe_outside(claim: ClaimSpec) -> str:
    assert claim.accepts is not None
    least, most = claim.accepts.least, claim.accepts.most
    if least is not None and most is None:
        return f"A value below {_format_bound(claim.unit, least)}."
    if most is not None and least is None:
        return f"A value above {_format_bound(claim.unit, most)}."
    return f"A value outside {accepted_range(claim)}."


def _uncertainty(claim: ClaimSpec) -> str:
    assert claim.primary is not None
    return claim.primary.uncertain or "chance, as the counts are small"


def _holds(direction: Direction, primary: Reading) -> bool:
    least = -inf if direction.least is None else direction.least
    most = inf if direction.most is None else direction.most
    assert primary.low is not None
    return least <= primary.low and (inf if primary.high is None else primary.high) <= most


def _judge_sums(claim: ClaimSpec) -> Judgement:
    """Judge whether the shares that a claim states of one population can add up to 100 %."""
    parts, possible = [], True
    for item in claim.adds:
        total, tolerance = sum(item.shares), item.rounding * len(item.shares)
        possible = possible and total - tolerance <= 1
        parts.append(f"{item.what} is {round(100 * total)} %")
    text = _upper_first("; ".join(parts))
    if possible:
        return Judgement(
            Verdict.SUPPORTED,
            f"{text}. With rounding, these shares can describe one population.",
            "Shares of one population that add up to more than 100 %.",
        )
    return Judgement(
        Verdict.INCONSISTENT,
        f"{text}. Shares of one population cannot exceed 100 %.",
        "Evidence that the shares are of different populations.",
    )


def accepted_range(claim: ClaimSpec) -> str:
    """Return the values that the claim's words accept, as text."""
    assert claim.accepts is not None
    least, most = (
        None if bound is None else _format_bound(claim.unit, bound)
        for bound in (claim.accepts.least, claim.accepts.most)
    )
    if least and most and least != most:
        return f"{least} to {most}"
    return f"{least} or more" if most is None else f"{most} or less" if least is None else most


def measured_value(unit: str, reading: Reading) -> str:
    """Return a measured value, or its interval, as text; "-" where it is unknown."""
    low, high = reading.low, reading.high
    if low is None or low == high:
        return _format_in(unit, low)
    bounds = (
        f"{_format_in(unit, low)} {'or more' if high is None else f'to {_format_in(unit, high)}'}"
    )
    if reading.counts is None:
        return bounds
    return f"{reading.counts[0]:,} against {reading.counts[1]:,} ({bounds})"


def _value(claim: ClaimSpec, reading: Reading) -> str:
    return measured_value(claim.unit, reading)


def _format(claim: ClaimSpec, value: float | None) -> str:
    return "without bound" if value == inf else _format_in(claim.unit, value)


def _format_bound(unit: str, value: float) -> str:
    """Return a bound with as many decimals as it has."""
    return f"{100 * value:.6g} %" if unit == "share" else _format_in(unit, value)


def _format_in(unit: str, value: float | None) -> str:
    if unit in ("count", "days") and value is not None:
        value = round(value)
    text = format_value(unit, value)
    return f"{text} days" if unit == "days" and value is not None else text


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lower_first(text: str) -> str:
    """Return a phrase as it stands within a sentence; names keep their capitals."""
    first = text.split(" ", 1)[0]
    return text if first[1:] != first[1:].lower() else text[:1].lower() + text[1:]
