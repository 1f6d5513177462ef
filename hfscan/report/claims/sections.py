"""Turn evaluated claims into sections of a report: a table of verdicts, topics, and a card each."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from hfscan.report.claims.evaluate import Claim
from hfscan.report.claims.measure import Reading
from hfscan.report.claims.verdict import accepted_range, measured_value
from hfscan.report.format import UNKNOWN, format_number, format_percent, verdict_label
from hfscan.report.model import Card, QueryRef, Section
from hfscan.report.spec import new_section
from hfscan.text import format_count

_ROLES = {
    "primary": "as understood",
    "alternative": "other reading",
    "apart": "comparison",
    "proxy": "proxy",
}
_COMPARISONS = "for comparison only: another time or subject"
_OUTCOMES = {
    "supports": "fits the claim",
    "below": "below the claim",
    "above": "above the claim",
    "open": "cannot tell",
    "unknown": "-",
}


_COUNTED_VERDICTS = {
    "supported": "supported",
    "contradicted": "contradicted",
    "misstated": "overstated or understated",
    "not_reproduced": "not reproduced",
    "inconsistent": "internally inconsistent",
    "consistent": "internally consistent",
    "depends": "depending on a choice or on uncertain data",
    "unmeasured": "not measured or not measurable",
}
"""Column of claim_verdicts.sql -> what its claims are."""


def describe_verdicts(summary: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts at the beginning of a fact-check, without the verdicts that no claim has."""
    verdicts = ", ".join(
        f"{format_number(summary[key])} {label}"
        for key, label in _COUNTED_VERDICTS.items()
        if summary[key]
    )
    claims = format_count(summary["claims"], "published claim")
    finding = f"{claims}: {verdicts}"
    if summary["supported"] or summary["refuted"]:
        supported, refuted = (format_number(summary[key]) for key in ("supported", "refuted"))
        finding = f"{supported} of {claims} are supported; {refuted} are contradicted or misstated"
    hidden = {key: UNKNOWN for key, count in summary.items() if not count}
    return {"verdicts": verdicts, "finding": finding, **hidden}


def list_sections(spec: Mapping[str, Any], claims: Sequence[Claim]) -> Iterator[Section]:
    """Yield the sections of a report on claims; `spec`: the report's specification."""
    if len(claims) == 1:
        yield _claim_section(claims[0])
        return
    (part,) = spec["section"]
    yield new_section(part, {}, map(_verdict_row, claims), formats={"verdict": "verdict"})
    for topic in dict.fromkeys(filter(None, (claim.spec.topic for claim in claims))):
        members = [claim for claim in claims if claim.spec.topic == topic]
        if len(members) > 1:
            text = spec["topic"].get(topic, {"title": topic.capitalize(), "note": None})
            yield _topic_section(topic, text, members)
    yield from map(_claim_section, claims)


def _verdict_row(claim: Claim) -> dict[str, Any]:
    spec = claim.spec
    return {
        "name": spec.name,
        "claim": f"{spec.name}: {spec.claim}",
        "source": f"{spec.source.partition(':')[0]}, {spec.made[:4]}",
        "claimed": spec.claimed,
        **_describe_measured(claim),
        "verdict": claim.verdict.value,
    }


def _describe_measured(claim: Claim) -> dict[str, str]:
    """Return the value of the primary reading and its date; in parentheses at another time."""
    if claim.spec.adds:
        return {"measured": claim.measured, "observed": UNKNOWN}
    if claim.primary and claim.primary.low is not None:
        return {"measured": claim.measured, "observed": _format_date(claim.primary)}
    for reading in claim.readings:
        is_same = claim.spec.primary and reading.reading == claim.spec.primary.reading
        if reading.role == "apart" and is_same:
            value = measured_value(claim.spec.unit, reading)
            return {"measured": f"({value})", "observed": _format_date(reading)}
    return {"measured": "-", "observed": "-"}


def _format_date(reading: Reading) -> str:
    return str(reading.observed) if reading.observed else "-"


def _topic_section(topic: str, text: Mapping[str, str], claims: Sequence[Claim]) -> Section:
    """Return the claims on one topic side by side, each with what it is of."""

    def row(claim: Claim) -> dict[str, Any]:
        primary = claim.primary
        return _verdict_row(claim) | {
            "about": claim.spec.about, "reading": primary.reading if primary else "-"
        }  # fmt: skip

    return Section(
        name=f"topic_{topic}",
        title=text["title"],
        note=text["note"],
        rows=tuple(map(row, claims)),
        columns={
            "claimed": "Claimed", "about": "Of", "reading": "Measured as", "measured": "Measured",
            "observed": "Data of", "verdict": "Verdict",
        },
        formats={"verdict": "verdict"},
    )  # fmt: skip


def _claim_section(claim: Claim) -> Section:
    """Return the section of a claim: its card, its verdict, and a row for each reading."""
    spec, judgement = claim.spec, claim.judgement
    label = verdict_label(claim.verdict.value)
    paragraphs = [f"Verdict: {label}. {judgement.detail}"]
    if spec.primary:
        paragraphs.append(f"Understood as: {spec.primary.reading}. {spec.primary.why}")
        paragraphs += _describe_population(claim)
    if spec.accepts:
        paragraphs.append(f"The claim would hold for {accepted_range(spec)} ({spec.accepts.why}).")
    paragraphs.append(f"What would change the verdict: {judgement.would_change}")
    paragraphs += [spec.note] if spec.note else []
    paragraphs += [
        f"Not measured: {reading.reading}. {reading.reason}"
        for reading in claim.readings
        if reading.role == "alternative" and reading.low is None and claim.verdict != "not_measured"
    ]
    if spec.second_hand:
        paragraphs.append(f"The figure is known second hand: {spec.second_hand}.")
    known = [reading for reading in claim.readings if reading.low is not None]
    fraction = ""
    if claim.primary and claim.primary.denominator:
        fraction = f" ({_format_fraction(claim.primary)})"
    machines = dict.fromkeys(reading.machine for reading in known if reading.machine)
    paragraphs += [f"Measured on: {machine}." for machine in machines]
    return Section(
        name=spec.name.replace("-", "_"),
        title=spec.claim,
        card=Card(
            verdict=claim.verdict.value,
            label=label.capitalize(),
            claimed=spec.claimed,
            measured=claim.measured + fraction,
            quote=spec.quote,
            source=f"{spec.source}, {spec.made}",
            url=spec.source_url,
        ),
        note=f"{spec.source}, {spec.made}. About: {spec.about}. Claimed: {spec.claimed}.",
        paragraphs=tuple(paragraphs),
        rows=tuple(_reading_row(claim, reading) for reading in known),
        unavailable_rows=tuple(
            _reading_row(claim, reading) for reading in claim.readings if reading.low is None
        ),
        columns={
            "reading": "Reading", "role": "Role", "measured": "Measured",
            **({"counted": "Counted"} if any(one.denominator for one in known) else {}),
            "observed": "Data of", "outcome": "Outcome",
        },
        split_by="part",
        queries=tuple(_query_refs(known)),
        chart=_chart(claim, known),
    )  # fmt: skip


def _describe_population(claim: Claim) -> Iterator[str]:
    """Yield which models the primary reading counts, of the snapshot that it is measured in."""
    primary = claim.primary
    if primary is None or primary.low is None or primary.observed is None:
        return
    if primary.coverage is not None and primary.coverage < 0.9995:
        share = format_percent(primary.coverage)
        yield f"It describes {share} of the models. The rest are left out."
    until = primary.parameters.get("until")
    if isinstance(until, datetime):
        yield f"Counted: models created before {until:%Y-%m-%d} that existed on {primary.observed}."
    elif claim.spec.unit == "count" and primary.high is None:
        yield (
            f"Counted: models that existed on {primary.observed}, before the time of the claim. "
            "More were added later."
        )
    else:
        yield f"Counted: models that existed on {primary.observed}."


def _reading_row(claim: Claim, reading: Reading) -> dict[str, Any]:
    has_part = reading.role in ("primary", "alternative")
    return reading.as_row() | {
        "part": "readings of the claim" if has_part else _COMPARISONS,
        "role": _ROLES[reading.role],
        "outcome": _OUTCOMES[reading.outcome],
        "measured": measured_value(claim.spec.unit, reading),
        **({"counted": _format_fraction(reading)} if claim.spec.unit == "share" else {}),
        "observed": _format_date(reading),
    }


def _format_fraction(reading: Reading) -> str:
    """Return what the value of a reading counts: "34,662 of 36,416"; "-" for no share."""
    if reading.numerator is None or reading.denominator is None:
        return UNKNOWN
    return f"{format_number(reading.numerator)} of {format_number(reading.denominator)}"


def _query_refs(readings: Sequence[Reading]) -> Iterator[QueryRef]:
    seen = set()
    for reading in readings:
        key = (reading.query, str(reading.parameters), reading.snapshot)
        if key not in seen:
            seen.add(key)
            yield QueryRef(reading.query, reading.parameters, reading.snapshot)


def _chart(claim: Claim, readings: Sequence[Reading]) -> str | None:
    """Return the chart of the readings beside the accepted values, on one scale."""
    accepts = claim.spec.accepts
    if accepts is None or not readings:
        return None
    values = [value for reading in readings for value in (reading.low, reading.most) if value]
    is_share = claim.spec.unit == "share"
    edge = 1.0 if is_share else max([*values, accepts.least or 0])
    least = accepts.least or 0
    most = max(edge, least) if accepts.most is None else accepts.most
    number_format = ".1%" if is_share else ",.2~f" if claim.spec.unit == "ratio" else ",.0f"
    bounds = f"least={least} most={most} format={number_format}"
    return f"claim low=low high=high y=reading {bounds}"
