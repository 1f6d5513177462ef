"""Read claims from TOML files. The head of `reports/claims/report.toml` explains the keys."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import msgspec

from hfscan.errors import ReportConfigError
from hfscan.figures import list_queries, load
from hfscan.frameworks import taxonomy
from hfscan.suggest import unknown

Unit = Literal["share", "ratio", "count", "days"]
Role = Literal["primary", "alternative", "apart", "proxy"]

_NUMBERED = re.compile(r"^[0-9]+-")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*$")
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

    @property
    def total(self) -> float:
        return sum(self.shares)


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
    def needs_account_groups(self) -> bool:
        """True if the query needs a table of accounts and their groups."""
        return self.parameters.get("by") == "account_group"

    @property
    def is_about_models(self) -> bool:
        """True if the query counts the models of a snapshot."""
        return load(self.query).reads_census

    @property
    def uses_counts(self) -> bool:
        """True if downloads or likes matter: only a snapshot of that time has those of the time."""
        return bool(self.count_columns)

    @property
    def count_columns(self) -> list[str]:
        """The columns of downloads or likes that the query uses."""
        return load(self.query).count_columns(self.parameters)

    @property
    def weight(self) -> str:
        """What each model counts: models (once), authors (votes), or a column such as downloads."""
        return self._find_parameter("weight") or "models"

    @property
    def definition(self) -> str | None:
        """The definition of support that the query uses; None for a query without one."""
        return self._find_parameter("definition")

    def _find_parameter(self, name: str) -> str | None:
        return self.parameters.get(name, load(self.query).defaults.get(name))


class ClaimSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A claim as its file states it."""

    name: str
    file: str
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
    files = sorted(
        path for path in folder.glob("*.toml") if path.name != "report.toml" and path.is_file()
    )
    if not files:
        raise ReportConfigError(f"There are no claims in {folder}. Add a file NAME.toml.")
    claims: dict[str, ClaimSpec] = {}
    for path in files:
        claim = _load_claim(path)
        if claim.name in claims:
            raise ReportConfigError(f"{path} and {claims[claim.name].file} have the same name.")
        claims[claim.name] = claim
    return list(claims.values())


def list_names(claims: Iterable[ClaimSpec]) -> list[str]:
    """Return the names that select claims: their own, then those of their topics."""
    claims = list(claims)
    topics = filter(None, (claim.topic for claim in claims))
    return list(dict.fromkeys([*(claim.name for claim in claims), *topics]))


def _load_claim(path: Path) -> ClaimSpec:
    name = _NUMBERED.sub("", path.stem)
    if not _NAME.match(name) or name == "verdicts":  # that of a section
        raise ReportConfigError(
            f"{path} needs another name, of a-z, 0-9 and -, such as 10-my-claim.toml."
        )
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        primary = document.get("primary", {})
        for kind in ("alternative", "proxy"):
            readings = document.get(kind, [])
            if not isinstance(readings, list):
                raise ReportConfigError(f"{path}: write [[{kind}]], with two brackets.")
            document[kind] = [_inherit(primary, reading) for reading in readings]
        claim = msgspec.convert(document | {"name": name, "file": str(path)}, ClaimSpec)
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, msgspec.ValidationError):
            raise ReportConfigError(f"{path} is not a valid claim: {error}.") from error
        raise ReportConfigError(f"{path} cannot be read: {error}.") from error
    except (AttributeError, TypeError) as error:
        raise ReportConfigError(f"{path}: primary, value and parameters must be tables.") from error
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
    if not re.match(r"https?://[^/]+", claim.source_url or "https://a"):
        return f"source_url {claim.source_url!r} must be an address that begins with https://."
    if not re.fullmatch(r"\d{4}(-\d\d){0,2}", claim.made):
        return f"made is {claim.made!r}. Write 2024, 2024-07 or 2024-07-11."
    if [claim.primary is None, not claim.adds, claim.not_measurable is None].count(False) != 1:
        return "It needs one of these: [primary], [[adds]], or not_measurable = REASON."
    if claim.primary and claim.primary.why is None:
        return "The primary reading needs a `why`: why the authors most plausibly measured this."
    if claim.primary and claim.accepts is None:
        return "It needs accepts = { least = ..., most = ..., why = ... }."
    for item in claim.adds:
        if not item.shares or not all(0 <= value <= 1 for value in (*item.shares, item.rounding)):
            return f"{item.what!r}: shares and rounding must lie between 0 and 1."
    problems = [_find_problem_of_bounds(claim)]
    problems += [_find_problem_of_reading(role, reading) for role, reading in claim.readings]
    if claim.unit != "count" and any(item.deleted_most for _, item in claim.readings):
        problems.append('deleted_most estimates a count: set unit = "count", or remove it.')
    return next(filter(None, problems), None)


def _find_problem_of_bounds(claim: ClaimSpec) -> str | None:
    both: list[Accepts | Direction | None] = [claim.accepts, claim.direction]
    for bounds in both:
        if bounds is None:
            continue
        given = [value for value in (bounds.least, bounds.most) if value is not None]
        if not given or given != sorted(given) or not all(map(isfinite, given)) or given[0] < 0:
            return "accepts and direction need least, most or both: 0 or more, least first."
        if claim.unit == "share" and given[-1] > 1:
            return f"A share is at most 1, not {given[-1]:g}: 50 % is 0.5. Or set unit."
    return None


def _find_problem_of_reading(role: Role, reading: ReadingSpec) -> str | None:
    name = f"The reading {reading.reading!r}"
    if reading.query not in list_queries():
        return unknown("query", reading.query, list_queries())
    for selection in filter(None, (reading.value, reading.divided_by)):
        if problem := _find_problem_of_selection(selection):
            return f"{name}: {problem}"
    if role == "alternative" and not reading.choice:
        return f"The alternative {reading.reading!r} needs a `choice`: what differs."
    if reading.apart is not None and not reading.apart.strip():
        return f"{name}: apart needs the reason."
    if not 0 <= (reading.deleted_most or 0) < 1:
        return f"{name}: deleted_most must be 0 or more, and less than 1."
    has_period = reading.since is not None and reading.until is not None
    if reading.at and (reading.since or reading.until):
        return f"{name} has `at` and a period. Give one of them."
    if (reading.since or reading.until) and not has_period:
        return f"{name} needs both since and until."
    if reading.since and reading.until and reading.since >= reading.until:
        return f"{name}: since must lie before until."
    if role != "proxy" and reading.is_about_models and reading.day is None:
        return f"{name} needs `at`, or since and until: the time that the claim speaks of."
    return None


def _find_problem_of_selection(selection: Mapping[str, Any]) -> str | None:
    column = selection.get("column")
    is_pair = isinstance(column, list) and len(column) == 2 and set(map(type, column)) == {str}
    if not (is_pair or (isinstance(column, str) and column)):
        return "value and divided_by need a column, or two as bounds."
    if not isinstance(selection.get("sum", False), bool):
        return "sum must be true or false."
    if not isinstance(selection.get("except", {}), dict):
        return "except must be a table, such as { group = [...] }."
    frameworks = selection.get("framework", [])
    for framework in frameworks if isinstance(frameworks, list) else [frameworks]:
        if framework not in taxonomy().titles:
            return unknown("framework", framework, taxonomy().titles, taxonomy().names_by_tag)
    return None
