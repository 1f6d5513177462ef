"""Periods of creation: as requested, and the part that a snapshot covers."""

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from hfscan.choices import FIRST_YEAR
from hfscan.errors import InvalidRequestError
from hfscan.objectid import CUTOFF_END, CUTOFF_START
from hfscan.store import Snapshot

_CUTOFF = CUTOFF_END.replace(tzinfo=None)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Period:
    """A year or month of creation, as far as a snapshot covers it. Times are UTC, without zone.

    `requested`: all of it. `since`, `until`: the covered part, which begins no earlier than the
    Hub's creation dates. Both are half-open.
    """

    name: str
    requested: tuple[datetime, datetime]
    since: datetime
    until: datetime

    @classmethod
    def from_year(cls, year: int) -> "Period":
        """Return the year. Raises InvalidRequestError for one without models."""
        if not FIRST_YEAR <= year < datetime.max.year:
            raise InvalidRequestError(
                f"No year {year}: the Hub's models are from {FIRST_YEAR} or later. Name another."
            )
        return cls.from_bounds(datetime(year, 1, 1), datetime(year + 1, 1, 1))

    @classmethod
    def from_bounds(cls, since: datetime, until: datetime, name: str | None = None) -> "Period":
        """Return the period [since, until), by default named after its year or its days."""
        if name is None:
            is_year = (since, until) == (datetime(since.year, 1, 1), datetime(since.year + 1, 1, 1))
            name = f"{since:%Y}" if is_year else f"{since:%F} to {until - _TICK:%F}"
        start = max(since, _CUTOFF) if until > _CUTOFF else since
        return cls(name, (since, until), start, until)

    @classmethod
    def from_name(cls, name: str | None) -> "Period | None":
        """Return the year `2024`, quarter `2024-Q3` or month `2024-07`; None for any other name."""
        match = re.fullmatch(r"(\d{4})(?:-(\d\d)|-Q([1-4]))?", name or "")
        if match is None:
            return None
        year, first, last = int(match[1]), int(match[2] or 1), int(match[2] or 12)
        if match[3]:
            first, last = 3 * int(match[3]) - 2, 3 * int(match[3])
        following = datetime(year + last // 12, last % 12 + 1, 1)
        return cls.from_bounds(datetime(year, first, 1), following, name)

    def within(self, snapshot: Snapshot) -> "Period":
        """Return the period with the bounds that the snapshot covers."""
        since = max(self.since, snapshot.since or self.since)
        until = min(self.until, snapshot.until or self.until, _observed_until(snapshot))
        if snapshot.data_until is not None and snapshot.data_until > since:
            until = min(until, snapshot.data_until)
        return replace(self, since=since, until=until)

    @property
    def last_day(self) -> date:
        """The last day of the covered part."""
        return (self.until - _TICK).date()

    @property
    def is_empty(self) -> bool:
        """True when it ended before the Hub's creation dates begin."""
        return self.requested[1] <= _CUTOFF

    @property
    def begins_late(self) -> bool:
        """True when its beginning is not covered."""
        return self.since > self.requested[0]

    @property
    def ends_early(self) -> bool:
        """True when its end is not covered."""
        return self.until < self.requested[1]

    @property
    def label(self) -> str:
        """The period's name, with the covered part where that is not all: "2024 (to 11 July)"."""
        first, last = _format_day(self.since), _format_day(self.last_day)
        if self.begins_late and self.ends_early:
            return f"{self.name} ({first} to {last})"
        if self.begins_late:
            return f"{self.name} (from {first})"
        return f"{self.name} (to {last})" if self.ends_early else self.name

    @property
    def span(self) -> str:
        """When the models were created: "in 2023", "from 1 January to 11 July 2024"."""
        if self.begins_late or self.ends_early:
            return f"from {_format_day(self.since)} to {_format_day(self.last_day, year=True)}"
        return f"in {self.name}"

    @property
    def start(self) -> str:
        """The first covered day: "2 March 2022"."""
        return _format_day(self.since, year=True)

    @property
    def end(self) -> str:
        """The last covered day: "the end of 2023", "11 July 2024"."""
        last = _format_day(self.last_day, year=True)
        return last if self.ends_early else f"the end of {self.name}"

    @property
    def at_end(self) -> str:
        """The last covered day, with its preposition."""
        return f"{'on' if self.ends_early else 'at'} {self.end}"

    def notes(self, snapshot: Snapshot) -> list[str]:
        """Return why parts of the period are not covered, a sentence for each."""
        notes = []
        if self.is_empty or (self.begins_late and self.since == _CUTOFF):
            notes.append(
                f"The Hub's creation dates begin on {_format_day(_CUTOFF, year=True)}, "
                f"{CUTOFF_START:%H:%M} UTC. The Hub does not know when older models were created."
            )
        elif self.begins_late:
            notes.append(
                f"PARTIAL YEAR: the snapshot holds models created from {snapshot.since:%Y-%m-%d} "
                f"on. Earlier models of {self.name} are not counted."
            )
        if self.ends_early:
            is_observation = self.until == _observed_until(snapshot)
            reason = "was observed on" if is_observation else "holds models created up to"
            notes.append(
                f"PARTIAL YEAR: the snapshot {reason} {self.last_day:%Y-%m-%d}. Later models of "
                f"{self.name} are not counted."
            )
        return notes


def format_period(name: str, snapshot: Snapshot) -> str:
    """Return the label of the year or month `name`; any other name as it is."""
    period = Period.from_name(name)
    return period.within(snapshot).label if period else name


def contains_cutoff(period: tuple[datetime, datetime]) -> bool:
    """Return whether the Hub dates the models at the creation-date cutoff into the (UTC) period."""
    since, until = period
    return since < _CUTOFF and until > CUTOFF_START.replace(tzinfo=None)


def _observed_until(snapshot: Snapshot) -> datetime:
    """Return until when models were observed: a dump dated by its day holds models of that day."""
    is_dated_by_day = snapshot.kind == "import" and snapshot.observed_to.time() == time()
    return snapshot.observed_to + timedelta(days=is_dated_by_day)


def _format_day(day: date, *, year: bool = False) -> str:
    return f"{day.day} {day:%B}" + (f" {day.year}" if year else "")
