"""Evaluate claims: measure their readings, and judge them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from hfscan.errors import InvalidRequestError, NotFoundError, ReportConfigError
from hfscan.figures import AccountGroups
from hfscan.paths import data_dir
from hfscan.report.claims.measure import Measurer, Reading
from hfscan.report.claims.spec import ClaimSpec, list_names, load_claims
from hfscan.report.claims.verdict import Judgement, Verdict, format_sum, judge, measured_value
from hfscan.store import Store, explain_empty
from hfscan.store.parity import count_runs
from hfscan.suggest import unknown


@dataclass(frozen=True)
class Claim:
    """A claim as its file states it, as measured, and as judged."""

    spec: ClaimSpec
    readings: tuple[Reading, ...]
    judgement: Judgement

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict

    @property
    def primary(self) -> Reading | None:
        has_primary = bool(self.readings) and self.readings[0].role == "primary"
        return self.readings[0] if has_primary else None

    @property
    def measured(self) -> str:
        """The value of the primary reading, or what the claim's own shares add up to, as text."""
        if self.spec.adds:
            return f"sum: {', '.join(map(format_sum, self.spec.adds))}"
        return measured_value(self.spec.unit, self.primary) if self.primary else "-"

    def as_row(self) -> dict[str, Any]:
        """Return the claim for JSON; see docs/json.md."""
        spec = self.spec
        optional = ("source_url", "source_note", "second_hand", "topic", "note")
        given = {name: getattr(spec, name) for name in optional}
        return {
            "name": spec.name,
            "claim": spec.claim,
            "quote": spec.quote,
            "source": spec.source,
            **{name: value for name, value in given.items() if value is not None},
            "made": spec.made,
            "about": spec.about,
            "claimed": spec.claimed,
            "unit": spec.unit,
            "accepts": spec.accepts and msgspec.to_builtins(spec.accepts),
            "primary": self.primary
            and self.primary.as_row() | {"why": spec.primary and spec.primary.why},
            "alternatives": [reading.as_row() for reading in self.readings[bool(self.primary) :]],
            "verdict": self.verdict.value,
            "detail": self.judgement.detail,
            "would_change": self.judgement.would_change,
        }


def evaluate_claims(
    store: Store,
    folder: Path | None = None,
    account_groups: AccountGroups | None = None,
    name: str | None = None,
) -> Iterator[Claim]:
    """Yield the claims of a folder (default: hfscan's own), evaluated, by file name.

    `account_groups`: for claims about countries. `name`: only this claim or topic. Raises
    NotFoundError if the database is empty, ReportConfigError on an invalid claim, and
    InvalidRequestError on an unknown name.
    """
    measurer = Measurer(store, account_groups)
    if not measurer.snapshots and not count_runs(store):
        raise NotFoundError(explain_empty(store))
    for spec in _choose(load_claims(folder or data_dir("reports") / "claims"), name):
        try:
            readings = [
                measurer.measure(reading, role, spec.unit, spec.accepts)
                for role, reading in spec.readings
            ]
        except ReportConfigError as error:
            raise ReportConfigError(f"{spec.file}: {error}") from error
        if spec.primary and readings[0].low is None:
            candidates = [spec.primary, *spec.alternative]
            readings += filter(None, (measurer.measure_now(item, spec.unit) for item in candidates))
        yield Claim(spec, tuple(readings), judge(spec, readings))


def _choose(specs: Sequence[ClaimSpec], name: str | None) -> Sequence[ClaimSpec]:
    chosen = [spec for spec in specs if name in (None, spec.name, spec.topic)]
    if not chosen:
        raise InvalidRequestError(unknown("claim", str(name), list_names(specs)))
    return chosen
