"""Parameters of named queries: their types, and the values that they take."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from hfscan.errors import InvalidRequestError, NotFoundError
from hfscan.frameworks import taxonomy
from hfscan.suggest import unknown
from hfscan.timestamps import to_utc_naive

PLACEHOLDERS = {
    "<frameworks>": "SELECT name FROM frameworks ORDER BY bit",
    "<snapshots>": "SELECT id FROM snapshots ORDER BY id",
}
"""Placeholder for values in the database -> the query that lists them."""


_LARGEST_INTEGER = 2**31 - 1  # of DuckDB's INTEGER


def _to_count(least: int, value: object) -> int:
    if not least <= (number := int(str(value))) <= _LARGEST_INTEGER:
        raise ValueError("out of range")
    return number


def _to_percent(value: object) -> float:
    if not 0 < (percent := float(str(value))) <= 100:
        raise ValueError("out of range")
    return percent


def _to_bool(value: object) -> bool:
    return {"true": True, "false": False}[str(value).lower()]


def _to_names(value: object) -> list[str]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not names:
        raise ValueError("no names")
    return [str(name).strip() for name in names]


def _to_json(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    json.loads(text)
    return text


def _to_instant(value: object) -> datetime:
    """Return a date, datetime or ISO 8601 text as a datetime in UTC, without zone."""
    return to_utc_naive(
        value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    )


_Conversion = tuple[Callable[[object], object], str]
"""The conversion of a value in Python, and a description of the values that it takes."""

TEXT: _Conversion = (lambda text: text, "text")
TYPES: dict[str, _Conversion] = {
    "INTEGER": (partial(_to_count, 0), f"a whole number from 0 to {_LARGEST_INTEGER:,}"),
    "DOUBLE": (lambda value: float(str(value)), "a number"),
    "BOOLEAN": (_to_bool, "true or false"),
    "TIMESTAMP": (_to_instant, "a date, such as 2022-03-02"),
    "JSON": (_to_json, "a JSON object"),
    "VARCHAR[]": (_to_names, "one name or more, separated by commas"),
}
"""DuckDB type -> the conversion to it."""

_AT_LEAST_ONE = (partial(_to_count, 1), f"a whole number from 1 to {_LARGEST_INTEGER:,}")
AMOUNTS: dict[str, _Conversion] = {
    "every": _AT_LEAST_ONE,
    "top": _AT_LEAST_ONE,
    "percent": (_to_percent, "a number above 0, up to 100"),
}
"""Parameter of named queries that returns nothing beyond some bounds -> its conversion."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a query: DuckDB type, default (as text; None for NULL) and meaning.

    `values`: the allowed ones; empty where any is that `conversion` takes.
    """

    name: str
    type: str
    default: str | None
    meaning: str
    values: tuple[str, ...] = ()
    conversion: _Conversion = TEXT

    def convert(self, value: object, known: Mapping[str, Sequence[str]]) -> object:
        """Return the value converted to the parameter's type.

        `known`: placeholder -> the values that it stands for. Raises InvalidRequestError where the
        value is not allowed, and NotFoundError on an unknown snapshot.
        """
        if value is None:
            if self.default is not None:
                raise InvalidRequestError(f"The parameter {self.name} cannot be NULL.")
            return None
        convert, description = self.conversion
        try:
            converted = convert(value)
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidRequestError(
                f"The parameter {self.name} takes {description}, not {value!r}."
            ) from error
        if self.values and not (PLACEHOLDERS.keys() & self.values) - known.keys():
            allowed = [value for name in self.values for value in known.get(name, (name,))]
            for item in converted if isinstance(converted, list) else [converted]:
                if str(item) not in allowed:
                    is_snapshot = "<snapshots>" in self.values
                    aliases = taxonomy().names_by_tag if self._noun == "framework" else None
                    message = unknown(self._noun, item, allowed, aliases)
                    raise NotFoundError(message) if is_snapshot else InvalidRequestError(message)
        return converted

    @property
    def _noun(self) -> str:
        if "<frameworks>" in self.values:
            return "framework"
        if "<snapshots>" in self.values:
            return "snapshot"
        if self.name in ("of", "per"):  # no nouns
            return f"value for {self.name}"
        return {"by": "grouping"}.get(self.name, self.name.replace("_", " "))
