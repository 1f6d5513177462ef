"""Weighed claims as sections of a report."""

from collections.abc import Sequence
from typing import Any

from hfscan.report.claims import Claim, Measurement
from hfscan.report.report import Asked, Section
from hfscan.report.words import cell


def verdict_of(claim: Claim) -> dict[str, Any]:
    """Return a claim's row: what was said, by whom, and how it fares."""
    told = dict(claim.__dict__)
    del told["measurements"]
    return told


def section_of(claim: Claim) -> Section:
    """Return the section of a claim: its words, its verdict, and a row for each measurement."""
    measured = [one for one in claim.measurements if one.low is not None]
    missing = dict.fromkeys(one.why for one in claim.measurements if one.low is None and one.why)
    lines = [
        f"Claimed: {claim.claimed}{_allowed(claim)}.",
        f"Verdict: {claim.verdict} ({claim.why.rstrip('.')}).",
    ]
    lines += [claim.note] if claim.note else []
    if measured:
        lines += [f"Not everything could be measured. {' '.join(missing)}"] if missing else []
    kind = "" if _unit(claim) == "count" else f"{_unit(claim)}_"
    low, high = f"{kind}low", f"{kind}high"
    return Section(
        name=claim.name.replace("-", "_"),
        title=claim.claim,
        note=f"{claim.document}, {claim.made}; about {claim.about}.",
        lines=tuple(lines),
        query=measured[0].query if measured else "exclusivity",
        rows=tuple(_row(one, low, high) for one in measured),
        lacking=tuple(
            _row(one, low, high) | {"why": one.why}
            for one in claim.measurements
            if one.low is None
        ),
        columns={
            "definition": "By", "frameworks": "Among", low: "From", high: "to",
            "snapshot": "Source", "says": "It",
        },
        split="what",
        parameters={},
        asked=tuple({(one.query, str(one.parameters)): _asked(one) for one in measured}.values()),
        chart=f"claim low={low} high={high} y=definition+frameworks of=what"
        + _band(claim, measured),
    )  # fmt: skip


def _band(claim: Claim, measured: Sequence[Measurement]) -> str:
    """Return what the claim's words allow, as a chart shows it: an open end goes to the edge."""
    edge = 1.0 if _unit(claim) == "share" else max((one.high or 0 for one in measured), default=0)
    least, most = claim.least or 0, claim.most or max(edge, claim.least or 0)
    format_ = ".0%" if _unit(claim) == "share" else ",.2~f"
    return f" least={least} most={most} format={format_}"


def _row(one: Measurement, low: str, high: str) -> dict[str, Any]:
    return {
        "what": one.what, "definition": one.definition, "frameworks": list(one.frameworks),
        low: one.low, high: one.high, "snapshot": one.snapshot, "says": one.says,
        "query": one.query, "parameters": dict(one.parameters),
    }  # fmt: skip


def _asked(one: Measurement) -> Asked:
    return Asked(one.query, one.parameters, one.snapshot)


def _unit(claim: Claim) -> str:
    """Return in what the claim is measured: share, ratio or count."""
    bounds = [bound for bound in (claim.least, claim.most) if bound is not None]
    return "count" if claim.unit == "share" and any(bound > 1 for bound in bounds) else claim.unit


def _allowed(claim: Claim) -> str:
    """Say what is taken for the claim's words."""
    least, most = (
        None if bound is None else cell(_unit(claim), bound) for bound in (claim.least, claim.most)
    )
    if least and most:
        return f" (taken as {least} to {most})"
    if least or most:
        return f" (taken as {f'{least} or more' if least else f'{most} or less'})"
    return ""
