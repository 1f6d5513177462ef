"""Weighed claims, in the formats that people and programs read."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import TextIO

from hfscan.report import markdown, rows, terminal
from hfscan.report.claims import Claim, Measurement
from hfscan.report.table import Block, Table
from hfscan.report.words import number, percent

_TITLE = "Claims, and what was measured"


def _block(claim: Claim) -> Block:
    lines = [
        f"{claim.document}, {claim.made}; about {claim.about}.",
        f"Claimed: {claim.claimed}{_allowed(claim)}.",
        f"Verdict: {claim.verdict} ({claim.why}).",
    ]
    measured = [one for one in claim.measurements if one.low is not None]
    missing = dict.fromkeys(one.why for one in claim.measurements if one.low is None and one.why)
    tables = []
    for what in dict.fromkeys(one.what for one in measured):
        some = [one for one in measured if one.what == what]
        tables.append(
            Table(
                ("", "Measured", "Source", "Says"),
                tuple(
                    (_under(one), _value(one, claim.unit), str(one.source or ""), one.says)
                    for one in some
                ),
                what[:1].upper() + what[1:],
            )
        )
    if claim.note:
        lines.append(claim.note)
    if measured:
        lines += [f"Not everything could be measured: {why}" for why in missing]
    return Block(claim.claim, tuple(lines), tuple(tables))


def _allowed(claim: Claim) -> str:
    """Say what is taken for the claim's words."""
    least, most = (
        None if bound is None else _said(bound, claim.unit) for bound in (claim.least, claim.most)
    )
    if least and most:
        return f" (taken as {least} to {most})"
    if least or most:
        return f" (taken as {f'{least} or more' if least else f'{most} or less'})"
    return ""


def _under(one: Measurement) -> str:
    among = " + ".join(one.universe)
    return ": ".join(part for part in (one.definition, among) if part) or "as it is"


def _value(one: Measurement, unit: str) -> str:
    assert one.low is not None
    assert one.high is not None
    low, high = _said(one.low, unit), _said(one.high, unit)
    return low if low == high else f"{low} to {high}"


def _said(value: float, unit: str) -> str:
    if unit == "share" and value <= 1:
        return percent(value)
    return number(int(value)) if float(value).is_integer() else f"{value:,.2f}"


def _write_terminal(claims: Iterable[Claim], out: TextIO) -> None:
    terminal.write_blocks(_TITLE, map(_block, claims), out)


def _write_markdown(claims: Iterable[Claim], out: TextIO) -> None:
    markdown.write_blocks(_TITLE, map(_block, claims), out)


def _write_json(claims: Iterable[Claim], out: TextIO) -> None:
    told = {"report": "claims", "claims": [asdict(one) for one in claims]}
    json.dump(told, out, indent=1, ensure_ascii=False, default=str)
    out.write("\n")


def _write_csv(claims: Iterable[Claim], out: TextIO) -> None:
    """Write a row for each measurement; one for a claim that has none."""
    told: list[dict[str, object]] = []
    for claim in claims:
        head = {"name": claim.name, "claim": claim.claim, "verdict": claim.verdict}
        measured: Sequence[Measurement | None] = claim.measurements or (None,)
        told += [
            head
            | {
                key: one and getattr(one, key)
                for key in ("what", "definition", "universe", "source", "low", "high", "says")
            }
            for one in measured
        ]
    rows.ROW_FORMATS["csv"](told, out)


CLAIM_FORMATS: dict[str, Callable[[Iterable[Claim], TextIO], None]] = {
    "terminal": _write_terminal,
    "md": _write_markdown,
    "json": _write_json,
    "csv": _write_csv,
}
"""Name of a format -> what writes weighed claims in it."""
