"""Types of option values. Numbers are finite and bounded, so that none overflows further inside."""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from hfscan.cli._completion import complete_list
from hfscan.frameworks import taxonomy
from hfscan.suggest import did_you_mean, unknown
from hfscan.timestamps import parse_timestamp

Value = TypeVar("Value")


class _NamedPath(click.Path):
    """A path that is not empty; an empty one would be the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path. Fails if it is empty, or is of the other kind."""
        if value == "":
            self.fail(
                f"The name is empty. Name a {'file' if self.file_okay else 'folder'}.", param, ctx
            )
        return super().convert(value, param, ctx)


FILE = _NamedPath(dir_okay=False, path_type=Path)
FOLDER = _NamedPath(file_okay=False, path_type=Path)

LARGEST_COUNT = 2**31 - 1
LARGEST_THREADS = 1024
LARGEST_DAYS = 36_500
LARGEST_GIB = 1_000_000
LARGEST_SECONDS = 604_800
LARGEST_MB = 1_000_000_000


class Count(click.IntRange):
    """An integer from `min` to `max`."""

    name = "n"

    def __init__(self, min: int = 0, max: int = LARGEST_COUNT) -> None:
        super().__init__(min, max)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the integer; fail if it is out of range or no integer."""
        try:
            number = int(value)
        except ValueError:
            self.fail(f"{value!r} is not a whole number{self._describe_end()}.", param, ctx)
        return int(super().convert(number, param, ctx))

    def _describe_end(self) -> str:
        return "" if self.max == LARGEST_COUNT else f" from {self.min} to {self.max}"


class Number(click.FloatRange):
    """A finite number from `min` to `max`. With `min_open`, `min` itself is excluded."""

    def __init__(self, min: float, max: float, *, min_open: bool = False) -> None:
        super().__init__(min, max, min_open=min_open)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; fail if it is out of range or not a number (NaN)."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isnan(number):  # passes every comparison of the range
            self.fail(f"{value!r} is not a number.", param, ctx)
        return float(super().convert(number, param, ctx))


class Choice(click.Choice[str]):
    """A choice that suggests the closest value for a misspelt one.

    With a `kind`, the message does not list all values; `aliases`: other words for them.
    """

    def __init__(
        self,
        choices: Iterable[str],
        kind: str | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(list(choices))
        self._kind, self._aliases = kind, aliases

    def get_invalid_choice_message(self, value: object, ctx: click.Context | None) -> str:
        if self._kind:
            return unknown(self._kind, value, self.choices, self._aliases)
        message = super().get_invalid_choice_message(value, ctx)
        return message + did_you_mean(str(value), self.choices)


class _ParsedType(click.ParamType[Value]):
    """A type whose values are parsed from text; other values, such as defaults, stay."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return self.parse(value) if isinstance(value, str) else value

    def parse(self, text: str) -> Value:
        raise NotImplementedError


class UtcTime(_ParsedType[datetime]):
    """A date or time, in UTC unless it has an offset. Converts to a `datetime` in UTC."""

    name = "TIME"

    def parse(self, text: str) -> datetime:
        try:
            return parse_timestamp(text).replace(tzinfo=UTC)
        except ValueError:
            self.fail(
                f"{text!r} is not a time; use e.g. 2022-12-31, 2022-12-31T22:30:00 (UTC) or "
                "2023-01-01T04:00:00+05:30."
            )


class PastDay(_ParsedType[datetime]):
    """A day (UTC) that has begun. Converts to its first microsecond, as a naive `datetime`."""

    name = "YYYY-MM-DD"

    def parse(self, text: str) -> datetime:
        try:
            day = datetime.strptime(text, "%Y-%m-%d")
        except ValueError:
            self.fail(f"{text!r} is not a day; use e.g. 2024-07-11.")
        if day.date() > datetime.now(UTC).date():
            self.fail(f"{day:%Y-%m-%d} lies in the future.")
        return day


class Bytes(_ParsedType[int]):
    """A number of bytes with a decimal unit. Converts to an `int`."""

    name = "SIZE"

    def parse(self, text: str) -> int:
        match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?(kB|MB|GB|TB)", text, re.IGNORECASE)
        size = match and int(float(match[1]) * 1000 ** (1 + "kmgt".index(match[2][0].lower())))
        if not size:
            self.fail(f"{text!r} is not a size; use e.g. 500MB, 20GB or 1.5TB.")
        return size


class Frameworks(_ParsedType[tuple[str, ...]]):
    """Comma-separated framework names, without duplicates."""

    name = "FRAMEWORK,..."

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """Complete the last name."""
        return complete_list(lambda: [*taxonomy().titles, "all"])(ctx, param, incomplete)

    def parse(self, text: str) -> tuple[str, ...]:
        names = [part.strip() for part in text.split(",")]
        if not any(names):
            self.fail("name at least one framework, e.g. pytorch,tensorflow")
        if not all(names):
            self.fail(
                f"{text!r} has an empty name. Separate the frameworks with one comma each, e.g. "
                "pytorch,tensorflow."
            )
        return tuple(dict.fromkeys(names))


def parse_pairs(
    _: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Return KEY=VALUE options as a dictionary, for a callback; reject a key with two values."""
    pairs: dict[str, str] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"{text!r} is not of the form {param.metavar}")
        if pairs.setdefault(key, value) != value:
            raise click.BadParameter(f"{key} was given two values")
    return pairs
