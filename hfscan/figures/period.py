"""Periods of creation: what was asked for, and the part of it that a snapshot covers."""

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from hfscan.errors import InvalidRequestError
from hfscan.objectid import CUTOFF_END, CUTOFF_START
from hfscan.store import Snapshot

FIRST_YEAR = 2016
"""The Hub's oldest repositories are from 2018; a wider net costs nothing."""

_CUTOFF = CUTOFF_END.replace(tzinfo=None)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Period:
    """A year or month of creation, as far as a snapshot covers it. Times are UTC, without zone.

    `asked_since`, `asked_until`: all of it. `since`, `until`: the covered part, which begins no
    earlier than the Hub's creation dates. Both are half-open.
    """

    name: str
    asked_since: datetime
    asked_until: datetime
    since: datetime
    until: datetime

    @classmethod
    def of_year(cls, year: int) -> "Period":
        """Return the year. Raises InvalidRequestError for one without models."""
        if not FIRST_YEAR <= year < datetime.max.year:
            raise InvalidRequestError(
                f"No year {year}: the Hub's models are from {FIRST_YEAR} or later. Name another."
            )
        return cls.of(datetime(year, 1, 1), datetime(year + 1, 1, 1))

    @classmethod
    def of(cls, since: datetime, until: datetime) -> "Period":
        """Return the period [since, until): a year where it is one."""
        is_year = (since, until) == (datetime(since.year, 1, 1), datetime(since.year + 1, 1, 1))
        name = f"{since:%Y}" if is_year else f"{since:%F} to {until - _TICK:%F}"
        return cls._of(name, since, until)

    @classmethod
    def named(cls, name: str | None) -> "Period | None":
        """Return the year `2024` or the month `2024-07`; None for any other name."""
        match = re.fullmatch(r"(\d{4})(?:-(\d\d))?", name or "")
        if match is None:
            return None
        year = int(match[1])
        if match[2] is None:
            return cls.of(datetime(year, 1, 1), datetime(year + 1, 1, 1))
        month = int(match[2])
        following = datetime(year + month // 12, month % 12 + 1, 1)
        return cls._of(match[0], datetime(year, month, 1), following)

    @classmethod
    def _of(cls, name: str, since: datetime, until: datetime) -> "Period":
        start = max(since, _CUTOFF) if until > _CUTOFF else since
        return cls(name, since, until, start, until)

    def within(self, snapshot: Snapshot) -> "Period":
        """Return the period with the bounds that the snapshot covers."""
        since = max(self.since, snapshot.since or self.since)
        until = min(self.until, snapshot.until or self.until, _observed_until(snapshot))
        return replace(self, since=since, until=until)

    @property
    def last_day(self) -> date:
        """The last day of the covered part."""
        return (self.until - _TICK).date()

    @property
    def asked(self) -> tuple[datetime, datetime]:
        """All of the period, whatever is covered."""
        return self.asked_since, self.asked_until

    @property
    def is_empty(self) -> bool:
        """True when it ended before the Hub's creation dates begin."""
        return self.asked_until <= _CUTOFF

    @property
    def begins_late(self) -> bool:
        """True when its beginning is not covered."""
        return self.since > self.asked_since

    @property
    def ends_early(self) -> bool:
        """True when its end is not covered."""
        return self.until < self.asked_until

    @property
    def label(self) -> str:
        """The period's name, with the covered part where that is not all: "2024 (to 11 July)"."""
        first, last = _day(self.since.date()), _day(self.last_day)
        if self.begins_late and self.ends_early:
            return f"{self.name} ({first} to {last})"
        if self.begins_late:
            return f"{self.name} (from {first})"
        return f"{self.name} (to {last})" if self.ends_early else self.name

    @property
    def span(self) -> str:
        """When the models were created: "in 2023", "from 1 January to 11 July 2024"."""
        if self.begins_late or self.ends_early:
            return f"from {_day(self.since.date())} to {self._last}"
        return f"in {self.name}"

    @property
    def start(self) -> str:
        """The first covered day: "2 March 2022"."""
        return f"{_day(self.since.date())} {self.since.year}"

    @property
    def end(self) -> str:
        """The last covered day: "the end of 2023", "11 July 2024"."""
        return self._last if self.ends_early else f"the end of {self.name}"

    @property
    def at_end(self) -> str:
        """The last covered day, with its preposition."""
        return f"{'on' if self.ends_early else 'at'} {self.end}"

    @property
    def _last(self) -> str:
        return f"{_day(self.last_day)} {self.last_day.year}"

    def notes(self, snapshot: Snapshot) -> list[str]:
        """Return why parts of the period are not covered, a sentence for each."""
        notes = []
        if self.is_empty or (self.begins_late and self.since == _CUTOFF):
            notes.append(
                f"The Hub's creation dates begin on {_day(_CUTOFF.date())} {_CUTOFF.year}, "
                f"{CUTOFF_START:%H:%M} UTC. When older models were created is not known."
            )
        elif self.begins_late:
            notes.append(
                f"PARTIAL YEAR: the snapshot holds models created from {snapshot.since:%Y-%m-%d} "
                f"on. Nothing is said of {self.name} before that."
            )
        if self.ends_early:
            taken = self.until == _observed_until(snapshot)
            why = "was observed on" if taken else "holds models created up to"
            notes.append(
                f"PARTIAL YEAR: the snapshot {why} {self.last_day:%Y-%m-%d}. Nothing is said of "
                f"the rest of {self.name}."
            )
        return notes


def label_of(name: str, snapshot: Snapshot) -> str:
    """Return the label of the year or month `name`; any other name as it is."""
    period = Period.named(name)
    return period.within(snapshot).label if period else name


def contains_cutoff(period: tuple[datetime, datetime]) -> bool:
    """Return whether the Hub dates the models at the creation-date cutoff into the (UTC) period."""
    since, until = period
    return since < _CUTOFF and until > CUTOFF_START.replace(tzinfo=None)


def may_contain_cutoff(period: tuple[datetime, datetime]) -> bool:
    """Return whether models at the cutoff may have been created in the period: none is younger."""
    return period[0] < _CUTOFF


def _observed_until(snapshot: Snapshot) -> datetime:
    """Return until when models were seen: a dump that is dated by its day holds models of it."""
    by_day = snapshot.kind == "import" and snapshot.observed_to.time() == time()
    return snapshot.observed_to + timedelta(days=1) if by_day else snapshot.observed_to


def _day(day: date) -> str:
    return f"{day.day} {day:%B}"
