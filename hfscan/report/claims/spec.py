"""Read claims from TOML files. The head of `reports/claims/report.toml` explains the keys."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal

import msgspec

from hfscan.errors import ReportConfigError
from hfscan.figures import list_queries, load
from hfscan.suggest import unknown

Unit = Literal["share", "ratio", "count", "days"]
Role = Literal["primary", "alternative", "apart", "proxy"]

_NUMBERED = re.compile(r"^[0-9]+-")
_INHERITED = (
    "query", "value", "divided_by", "parameters", "needs", "missing", "deleted_most", "uncertain",
)  # fmt: skip


class Accepts(msgspec.Struct, forbid_unknown_fields=True):
    """The values that the words of a claim accept, and why; None: no bound."""

    why: str
    least: float | None = None
    most: float | None = None


class Direction(msgspec.Struct, forbid_unknown_fields=True):
    """What a claim says apart from its figure, and the values for which that holds."""

    text: str
    least: float | None = None
    most: float | None = None


class Sum(msgspec.Struct, forbid_unknown_fields=True):
    """Shares that a claim states of one population; `rounding`: the possible error of each."""

    what: str
    shares: list[float]
    rounding: float


class ReadingSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One way to measure a claim.

    `at`: the day that the claim speaks of; else `since` and `until`, the models created then; none
    of them for a query that is not about models. `value` and `divided_by`: a `column` (or two, the
    bounds of an interval) of the rows that match the other keys. `needs`: columns of the snapshot.
    `deleted_most`: the share of the models counted that may have been deleted since. `uncertain`:
    why the value has an interval.
    """

    reading: str
    query: str
    value: dict[str, Any]
    why: str | None = None
    choice: str | None = None
    apart: str | None = None
    at: date | None = None
    since: date | None = None
    until: date | None = None
    parameters: dict[str, Any] = {}
    divided_by: dict[str, Any] | None = None
    needs: list[str] = []
    missing: str | None = None
    deleted_most: float | None = None
    uncertain: str | None = None

    @property
    def day(self) -> date | None:
        """The day from which on a snapshot can show the reading."""
        return self.at or self.until

    @property
    def needs_countries(self) -> bool:
        """True if the query needs a table of accounts and their countries."""
        return self.parameters.get("by") == "country"

    @property
    def is_about_models(self) -> bool:
        """True if the query counts the models of a snapshot."""
        return "census" in load(self.query).sql

    @property
    def uses_counts(self) -> bool:
        """True if downloads or likes matter: only a snapshot of that time has those of the time."""
        return bool(self.count_columns)

    @property
    def count_columns(self) -> list[str]:
        """The columns of downloads or likes that the query uses."""
        weight = [self.weight] if self.weight not in ("models", "authors") else []
        least = ["downloads"] if self.parameters.get("min_downloads") else []
        return weight + least

    @property
    def weight(self) -> str:
        """What each model counts: models (once), authors (votes), or a column such as downloads."""
        return self._find_parameter("weight") or "models"

    @property
    def definition(self) -> str | None:
        """The definition of support that the query uses; None for a query without one."""
        return self._find_parameter("definition")

    def _find_parameter(self, name: str) -> str | None:
        declared = {parameter.name: parameter.default for parameter in load(self.query).parameters}
        return self.parameters.get(name, declared.get(name))


class ClaimSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A claim as its file states it."""

    name: str
    claim: str
    source: str
    made: str
    about: str
    claimed: str
    quote: str | None = None
    source_url: str | None = None
    source_note: str | None = None
    second_hand: str | None = None
    topic: str | None = None
    unit: Unit = "share"
    accepts: Accepts | None = None
    direction: Direction | None = None
    note: str | None = None
    primary: ReadingSpec | None = None
    alternative: list[ReadingSpec] = []
    proxy: list[ReadingSpec] = []
    adds: list[Sum] = []
    not_measurable: str | None = None
    would_measure: str | None = None
    would_change: str | None = None

    @property
    def readings(self) -> Iterator[tuple[Role, ReadingSpec]]:
        """The readings with their roles, the primary first."""
        if self.primary:
            yield "primary", self.primary
        for reading in self.alternative:
            yield "apart" if reading.apart else "alternative", reading
        for reading in self.proxy:
            yield "proxy", reading


def load_claims(folder: Path) -> list[ClaimSpec]:
    """Return the claims of a folder by file name. Raises ReportConfigError."""
    files = sorted(path for path in folder.glob("*.toml") if path.name != "report.toml")
    if not files:
        raise ReportConfigError(f"There are no claims in {folder}. Add a file NAME.toml.")
    return list(map(_load_claim, files))


def _load_claim(path: Path) -> ClaimSpec:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        primary = document.get("primary", {})
        for name in ("alternative", "proxy"):
            document[name] = [_inherit(primary, reading) for reading in document.get(name, [])]
        document["name"] = _NUMBERED.sub("", path.stem)
        claim = msgspec.convert(document, ClaimSpec)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ReportConfigError(f"{path} cannot be read: {error}.") from error
    except (msgspec.ValidationError, AttributeError, TypeError) as error:
        raise ReportConfigError(f"{path} is not a valid claim: {error}.") from error
    if problem := _find_problem(claim):
        raise ReportConfigError(f"{path} is not a valid claim: {problem}")
    return claim


def _inherit(primary: Mapping[str, Any], reading: Mapping[str, Any]) -> dict[str, Any]:
    """Return a reading with what it does not state itself taken from the primary one."""
    inherited = {key: primary[key] for key in _INHERITED if key in primary}
    if reading.get("query", primary.get("query")) != primary.get("query"):
        inherited = {}
    if not reading.keys() & {"at", "since", "until"}:
        inherited |= {key: primary[key] for key in ("at", "since", "until") if key in primary}
    if "value" in reading:
        inherited.pop("divided_by", None)
    parameters = inherited.get("parameters", {}) | reading.get("parameters", {})
    return inherited | dict(reading) | {"parameters": parameters}


def _find_problem(claim: ClaimSpec) -> str | None:
    """Return what is wrong with a claim, None for nothing."""
    if not (claim.source_url or claim.source_note):
        return "It needs a source_url, or a source_note if the source is not on the web."
    if not re.match(r"https?://", claim.source_url or "https://"):
        return f"source_url {claim.source_url!r} must begin with https://."
    if not (claim.primary or claim.adds or claim.not_measurable):
        return "It needs a [primary] reading, or not_measurable = REASON."
    if claim.primary and claim.primary.why is None:
        return "The primary reading needs a `why`: why the authors most plausibly measured this."
    if claim.primary and claim.accepts is None:
        return "It needs accepts = { least = ..., most = ..., why = ... }."
    for role, reading in claim.readings:
        if reading.query not in list_queries():
            return unknown("query", reading.query, list_queries())
        if "column" not in reading.value or "column" not in (reading.divided_by or {"column": ""}):
            return f"The value of the reading {reading.reading!r} needs a column."
        if role == "alternative" and not reading.choice:
            return f"The alternative {reading.reading!r} needs a `choice`: what differs."
    return None
