"""Reads dates: the one place that turns what people write into an instant in UTC.

What comes out depends neither on the machine's time zone nor on its locale. Text without a zone is
UTC. What could mean two instants (06/01/2022) is refused.
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

Instant = TypeVar("Instant", datetime, datetime | None)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_OFFSET = r"Z|UTC|GMT|[+-]\d\d(?::?\d\d)?"
_ISO = re.compile(
    rf"(\d{{4}}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?) ?({_OFFSET})?)?",
    re.IGNORECASE | re.ASCII,
)
_END_OF_DAY = re.compile(r"24:00(?::00(?:[.,]0+)?)?", re.ASCII)
_ISO_BASIC = re.compile(r"\d{8}(?:T\d{6}(?:Z|[+-]\d{4})?)?", re.IGNORECASE | re.ASCII)
_DAY = _MONTH = r"[A-Za-z]{3}"
_TIME, _ZONE = r"\d\d:\d\d:\d\d", r"(?:[+-]\d{4}|[A-Z]+)"
_RFC_822 = re.compile(rf"(?:{_DAY}, ?)?\d\d? {_MONTH} \d{{4}} {_TIME}(?: {_ZONE})?", re.ASCII)
_ASCTIME = re.compile(rf"{_DAY} {_MONTH} +\d\d? {_TIME} \d{{4}}", re.ASCII)
_RFC_822_ZONES = frozenset("GMT UT UTC Z EST EDT CST CDT MST MDT PST PDT".split())
_NUMBER = re.compile(r"-?\d{9,}(?:\.\d+)?", re.ASCII)

_EPOCH_UNITS = {10: 1, 13: 10**3, 16: 10**6, 19: 10**9}
"""Digits of a Unix time from 2001 to 2286 -> its units in a second: s, ms, us, ns."""


def parse_timestamp(value: object) -> datetime:
    """Return the instant (UTC, with zone) that a text or a number means.

    ISO 8601 with or without time and offset (20220302 as a number, too), the dates of mails and
    HTTP headers (RFC 822), and Unix times in s, ms, us or ns from 2001 on. Raises ValueError for
    everything else.
    """
    try:
        if isinstance(value, str):
            return _parse_text(value.strip())
        if isinstance(value, int | float) and not isinstance(value, bool):
            if _ISO_BASIC.fullmatch(str(value)):  # 20220302: CSV does not tell it from a text
                return _parse_text(str(value))
            return _parse_unix_time(value)
    except OverflowError as error:
        raise ValueError(f"{value!r} lies outside the calendar") from error
    raise ValueError(f"{value!r} is not a date")


def to_utc_naive(instant: Instant, *, truncate: bool = False) -> Instant:
    """Return an instant (without zone: in UTC) in UTC, without zone; `truncate`: to the second."""
    if instant is None:
        return instant
    instant = _to_utc(instant).replace(tzinfo=None)
    return instant.replace(microsecond=0) if truncate else instant


def _parse_text(text: str) -> datetime:
    if match := _ISO.fullmatch(text):
        day, time, zone = match.groups()
        if time is None:
            return _to_utc(datetime.fromisoformat(day))
        if _END_OF_DAY.fullmatch(time):
            return _parse_text(f"{day}T00:00{zone or ''}") + timedelta(days=1)
        zone = (zone or "Z").upper()
        offset = "+00:00" if zone in ("Z", "UTC", "GMT") else zone
        return _to_utc(datetime.fromisoformat(f"{day}T{time}{offset}"))
    if _ISO_BASIC.fullmatch(text):
        return _to_utc(datetime.fromisoformat(text.upper()))
    if _NUMBER.fullmatch(text):
        return _parse_unix_time(float(text) if "." in text else int(text))
    if _RFC_822.fullmatch(text) or _ASCTIME.fullmatch(text):
        last = text.rsplit(" ", 1)[-1]
        if last.isalpha() and last not in _RFC_822_ZONES:
            raise ValueError(f"{last!r} is not a time zone of RFC 822")
        return _to_utc(parsedate_to_datetime(text))
    raise ValueError(f"{text!r} is not an unambiguous date")


def _parse_unix_time(number: float) -> datetime:
    if not 0 <= number < 10**19:  # nor NaN
        raise ValueError(f"{number!r} is not a Unix time")
    units = _EPOCH_UNITS.get(len(str(int(number))))
    if units is None:
        raise ValueError(f"{number!r} is not a Unix time in s, ms, us or ns")
    if isinstance(number, int):
        return _EPOCH + timedelta(microseconds=number * 10**6 // units)
    return _EPOCH + timedelta(microseconds=round(number * (10**6 / units)))


def _to_utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        return instant.replace(tzinfo=UTC)
    return instant.astimezone(UTC)
