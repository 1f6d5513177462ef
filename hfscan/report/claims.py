"""Published claims, measured: `reports/claims/*.toml` against what was observed.

The rule of the verdict: a measured value, or the interval in which it lies, supports a claim when
all of it lies in what the claim's words allow (`accepts`), contradicts it when none does, and
leaves it open otherwise. Where every measurement says the same, that is the verdict; where they
differ, it depends on what they differ in. Shares that are said of one whole are added up.
"""

import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any, Literal

from hfscan.errors import InvalidRequestError, NotFoundError
from hfscan.figures import ALL, Period, SnapshotView, load
from hfscan.frameworks import DEFINITIONS
from hfscan.objectid import CUTOFF_END
from hfscan.paths import data_dir
from hfscan.scope import DEFAULT_FRAMEWORKS
from hfscan.store import Snapshot, Store
from hfscan.store.parity import runs

Says = Literal["supports", "contradicts", "open", "cannot tell"]

_NUMBER = {
    "supports": ("supports it", "support it"),
    "contradicts": ("contradicts it", "contradict it"),
    "open": ("is open", "are open"),
}
"""What one measurement says, or several."""

FRAMEWORK_SETS = (DEFAULT_FRAMEWORKS, (*DEFAULT_FRAMEWORKS, "jax"), (ALL,))
_AS_IT_STANDS = timedelta(days=100)  # a snapshot this near a date speaks of that date


@dataclass(frozen=True)
class Measurement:
    """What one measure of a claim found, under one definition and in one frameworks.

    `low`, `high`: the value, twice the same unless it is an interval; None: not to be had from
    what was observed, and `why`.
    """

    what: str
    definition: str
    frameworks: tuple[str, ...]
    snapshot: int | None
    query: str
    parameters: Mapping[str, object]
    low: float | None
    high: float | None
    says: Says
    why: str | None = None


@dataclass(frozen=True)
class Claim:
    """A published claim, as its file tells it, with what was measured and the verdict."""

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
    verdict: str
    why: str


def weigh(store: Store, *, where: Path | None = None) -> Iterator[Claim]:
    """Yield every claim in the folder `where` (default: those that come with hfscan), weighed.

    In the order of their file names, whose number is no part of a claim's name. Raises
    NotFoundError when the database holds nothing at all.
    """
    observed = _Observed(store)
    if not observed.snapshots and not runs(store.connection):
        raise NotFoundError(store.explain_empty())
    for path in sorted(((where or data_dir("reports")) / "claims").glob("*.toml")):
        if path.name == "report.toml":
            continue  # how they are shown
        yield _Weighing(observed, tomllib.loads(path.read_text(encoding="utf-8"))).claim(
            path.stem.lstrip("0123456789-")
        )


class _Observed:
    """What the database holds. Claims ask much that is the same: each question is asked once."""

    def __init__(self, store: Store) -> None:
        self.snapshots = store.snapshots()
        self._store = store
        self._answers: dict[str, list[dict[str, Any]]] = {}

    def rows(
        self, snapshot: Snapshot | None, query: str, parameters: dict[str, object]
    ) -> list[dict[str, Any]]:
        """Return the rows of a named query, over a snapshot where it speaks of one."""
        cache_key = repr((snapshot and snapshot.id, query, parameters))
        if cache_key not in self._answers:
            self._answers[cache_key] = (
                load(query).run(self._store.connection, parameters)
                if snapshot is None
                else SnapshotView(self._store, snapshot).run(query, parameters)
            )
        return self._answers[cache_key]


class _Weighing:
    """Weighs one claim."""

    def __init__(self, observed: _Observed, told: dict[str, Any]) -> None:
        self._observed, self._told = observed, told
        accepts = told.get("accepts", {})
        self._least, self._most = accepts.get("least"), accepts.get("most")

    def claim(self, name: str) -> Claim:
        """Return the claim with its measurements and verdict."""
        told = self._told
        found = tuple(
            self._measured(measure, definition, tuple(frameworks))
            for measure in told.get("measure", ())
            for definition, frameworks in product(
                told.get("definitions", DEFINITIONS), told.get("framework_sets", FRAMEWORK_SETS)
            )
        )
        verdict, why = self._verdict(found)
        return Claim(
            name, told["claim"], told["document"], told["made"], told["about"], told["claimed"],
            self._least, self._most, told.get("unit", "share"), told.get("note"), found, verdict,
            why,
        )  # fmt: skip

    def _measured(
        self, measure: dict[str, Any], definition: str, frameworks: tuple[str, ...]
    ) -> Measurement:
        asked: dict[str, object] = {
            "definition": definition,
            "frameworks": list(frameworks) or None,
        }
        asked |= {key: measure[key] for key in ("since", "until") if key in measure}
        found, low, high, why = None, None, None, None
        try:
            if "at" in measure or "since" in measure:
                found, until = self._observation(measure, definition)
                asked |= {"until": until} if "at" in measure else {}
            rows = self._observed.rows(found, measure["query"], _known(measure, asked))
            low, high = _value(rows, measure)
        except (NotFoundError, InvalidRequestError) as error:
            why = str(error)
        if low is None and why is None:
            why = measure.get("missing", "There is nothing to compare.")
        return Measurement(
            _described(measure), definition, frameworks, None if found is None else found.id,
            measure["query"], _known(measure, asked), low, high, self._says(low, high), why,
        )  # fmt: skip

    def _observation(
        self, measure: dict[str, Any], definition: str
    ) -> tuple[Snapshot, datetime | None]:
        """Return the snapshot that speaks of the claim's time, and until when it is to count.

        One near the date answers as it stands; else the first after it, for the models that were
        created by then and still exist. For a period of creation, the first after its end.
        """
        on: date = measure.get("at") or measure["until"]
        day = _midnight(on)
        assert day is not None
        able = [
            one for one in self._observed.snapshots
            if one.whole and "tags" not in one.missing_columns
            and not (definition == "weights" and "files" in one.missing_columns)
        ]  # fmt: skip
        if "at" in measure:
            near = [one for one in able if abs(one.observed_to - day) <= _AS_IT_STANDS]
            if near:
                return min(near, key=lambda one: (abs(one.observed_to - day), -one.models)), None
            if day < CUTOFF_END.replace(tzinfo=None):
                raise NotFoundError(f"No snapshot near {on}, and the Hub's dates begin later.")
        able = [
            one
            for one in able
            if one.observed_to >= day and "created_at" not in one.missing_columns
        ]
        since = measure.get("since")
        able = [one for one in able if one.covers(_midnight(since), day)]
        if not able:
            raise NotFoundError(
                f"No snapshot of the whole Hub after {on} with dates"
                f"{' and file names' if definition == 'weights' else ''}."
            )
        return min(able, key=lambda one: (one.observed_to, -one.models)), day

    def _says(self, low: float | None, high: float | None) -> Says:
        if low is None or high is None:
            return "cannot tell"
        least = float("-inf") if self._least is None else self._least
        most = float("inf") if self._most is None else self._most
        if least <= low and high <= most:
            return "supports"
        return "contradicts" if high < least or low > most else "open"

    def _verdict(self, found: tuple[Measurement, ...]) -> tuple[str, str]:
        told = self._told
        if reason := told.get("not_measurable"):
            return "not measurable from the Hub", reason
        if sums := told.get("adds"):
            return _added(sums)
        said = [one for one in found if one.says != "cannot tell"]
        if not said:
            return "not measured", next(one.why for one in found if one.why) or ""
        if len({one.says for one in said}) == 1:
            verdict = {"supports": "supported", "contradicts": "contradicted", "open": "open"}
            by = f"all {len(said)} measurements" if len(said) > 1 else "the one measurement"
            return verdict[said[0].says], f"by {by}{_unmade(found, said)}"
        parts = [
            f"{len(some)} of {len(said)} {_NUMBER[word][len(some) > 1]}"
            for word in _NUMBER
            if (some := [one for one in said if one.says == word])
        ]
        return f"depends on {_decisive(said)}", ", ".join(parts) + _unmade(found, said)


def _described(measure: dict[str, Any]) -> str:
    """Return what is measured, with the day from which it is where the Hub dates no older models.

    Queries that count older models too, or as an interval, need no such day.
    """
    described = str(measure["what"])
    since, until = _midnight(measure.get("since")), _midnight(measure.get("until"))
    if since is None or until is None:
        return described
    cutoff = next((one for one in load(measure["query"]).parameters if one.name == "cutoff"), None)
    leaves_out = cutoff and measure.get("ask", {}).get("cutoff", cutoff.default) == "excluded"
    period = Period.of(since, until)
    return (
        f"{described}, from {period.start} on" if leaves_out and period.begins_late else described
    )


def _known(measure: dict[str, Any], asked: dict[str, object]) -> dict[str, object]:
    known = {one.name for one in load(measure["query"]).parameters}
    further: dict[str, object] = measure.get("ask", {})
    return {key: value for key, value in asked.items() if key in known} | further


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day)


def _value(
    rows: list[dict[str, Any]], measure: dict[str, Any]
) -> tuple[float | None, float | None]:
    low, high = _taken(rows, measure["of"])
    if low is None or high is None:  # of nobody: an interval may know one of its ends
        return None, None
    if "over" not in measure:
        return low, high
    least, most = _taken(rows, measure["over"])
    return (low / most, high / least) if least and most else (None, None)


def _taken(rows: list[dict[str, Any]], taken: dict[str, Any]) -> tuple[float | None, float | None]:
    """Return low and high of a column in the rows that fit: a sum, or two columns' extremes."""
    fit = [row for row in rows if all(_fits(row, key, taken[key]) for key in taken)]
    column = taken["column"]
    if isinstance(column, list):
        lows, highs = ([row[name] for row in fit if row[name] is not None] for name in column)
        return min(lows, default=None), max(highs, default=None)
    if column == "share":
        one, of = (sum(row[name] for row in fit) for name in ("numerator", "denominator"))
        return (one / of, one / of) if of else (None, None)
    total = sum(row[column] for row in fit)
    return total, total


def _fits(row: dict[str, Any], key: str, wanted: object) -> bool:
    if key == "column":
        return True
    return row[key] in wanted if isinstance(wanted, list) else bool(row[key] == wanted)


def _decisive(said: list[Measurement]) -> str:
    """Return in which of its dimensions the answers differ while the others are held."""
    dimensions = {
        "what is counted": "what", "the definition": "definition", "who competes": "frameworks",
    }  # fmt: skip
    found = []
    for title, name in dimensions.items():
        held = [other for other in dimensions.values() if other != name]
        answers: dict[tuple[object, ...], set[str]] = {}
        for one in said:
            answers.setdefault(tuple(getattr(one, key) for key in held), set()).add(one.says)
        if any(len(some) > 1 for some in answers.values()):
            found.append(title)
    return ", ".join(found) or "all of it together"


def _unmade(found: Collection[Measurement], said: Collection[Measurement]) -> str:
    return f"; {len(found) - len(said)} more could not be made" if len(said) < len(found) else ""


def _added(sums: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    """Return whether shares that are said of one whole fit into it, rounded as they are."""
    told, beyond = [], False
    for one in sums:
        total, room = sum(one["shares"]), one["rounding"] * len(one["shares"])
        beyond = beyond or total - room > 1
        told.append(f"{one['what']} = {round(100 * total)} %")
    verdict = "its own figures cannot share one denominator" if beyond else "its figures fit"
    return verdict, "; ".join(told)
