"""Named queries: `.sql` files whose header describes the answer, parameters and columns.

-- title: ...
-- answers: ...
-- param NAME TYPE = DEFAULT : meaning     (NULL for none; a,b for a list)
-- values NAME: a, b     (the only values; <frameworks> and <snapshots> are those in the database)
-- column NAME: FORMAT     (one of COLUMN_FORMATS; other columns are numbers or text)
-- chart: ...
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from hfscan.errors import InvalidRequestError, NotFoundError
from hfscan.paths import data_dir
from hfscan.suggest import unknown

COLUMN_FORMATS = frozenset(
    {
        "share",  # of 1, shown as a percentage
        "points",  # percentage points
        "ratio",
        "error",  # relative error, shown in scientific notation
        "period",  # a year or month of creation
        "framework",  # the name of a framework, format or runtime
        "framework_set",  # names joined by " + ", or "none"
    }
)
"""How the values of a column are shown."""

DIALECTS = ("spark", "bigquery", "snowflake")
"""Engines that `dialect` can write SQL for."""

_HEADER = re.compile(r"^-- (title|answers|chart): (.+)$", re.MULTILINE)
_COLUMN = re.compile(r"^-- column (\w+): (\w+)$", re.MULTILINE)
_VALUES = re.compile(r"^-- values (\w+): (.+)$", re.MULTILINE)
_KNOWN = {
    "<frameworks>": "SELECT name FROM frameworks ORDER BY bit",
    "<snapshots>": "SELECT id FROM snapshots ORDER BY id",
}
"""Placeholder for names in the database -> the query that lists them."""

_PARAM = re.compile(r"^-- param (\w+) ([\w\[\]]+) = (.+?) : (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a query: DuckDB type, default (as a Python value) and meaning.

    `values`: the allowed ones; empty where any of its type is.
    """

    name: str
    type: str
    default: str | int | list[str] | None
    meaning: str
    values: tuple[str, ...] = ()

    def check(self, value: object, known: Mapping[str, Sequence[str]]) -> object:
        """Convert the value to its type. Raises InvalidRequestError where it is not allowed.

        `known`: the names that `<frameworks>` and `<snapshots>` stand for.
        """
        if value is None:
            if self.default is not None:
                raise InvalidRequestError(f"The parameter {self.name} cannot be NULL.")
            return None
        value = self._typed(value)
        if self.values and not any(one in _KNOWN and one not in known for one in self.values):
            allowed = [name for one in self.values for name in known.get(one, (one,))]
            for one in value if isinstance(value, list) else [value]:
                if str(one) not in allowed:
                    error = NotFoundError if "<snapshots>" in self.values else InvalidRequestError
                    raise error(unknown(self._noun, one, allowed))
        return value

    @property
    def _noun(self) -> str:
        if "<frameworks>" in self.values:
            return "framework"
        if "<snapshots>" in self.values:
            return "snapshot"
        return {"by": "grouping", "per": "period"}.get(self.name, self.name.replace("_", " "))

    def _typed(self, value: object) -> object:
        try:
            return _convert(self.type, value)
        except (ValueError, TypeError) as error:
            raise InvalidRequestError(
                f"The parameter {self.name} takes {_KINDS.get(self.type, 'text')}, not {value!r}."
            ) from error


_KINDS = {
    "INTEGER": "a whole number, 0 or more",
    "DOUBLE": "a number",
    "BOOLEAN": "true or false",
    "TIMESTAMP": "a date, such as 2022-03-02",
    "VARCHAR[]": "one name or more, separated by commas",
}
"""DuckDB type -> a description of its values."""


def _convert(kind: str, value: object) -> object:
    """Convert the value to a DuckDB type. Raises ValueError or TypeError."""
    if kind == "VARCHAR[]":
        names = value.split(",") if isinstance(value, str) else value
        if not isinstance(names, Sequence) or not names:
            raise ValueError("no names")
        return [str(one).strip() for one in names]
    if kind == "INTEGER":
        number = int(str(value))
        if number < 0:
            raise ValueError("negative")
        return number
    if kind == "DOUBLE":
        return float(str(value))
    if kind == "BOOLEAN":
        if (word := str(value).lower()) not in ("true", "false"):
            raise ValueError("no truth value")
        return word == "true"
    if kind == "TIMESTAMP":
        return to_utc(value)
    return value


def to_utc(value: object) -> datetime:
    """Return the instant in UTC, without zone."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant


@dataclass(frozen=True)
class Query:
    """A named query: its SQL text, and what its header declares.

    `columns`: name of a result column -> one of COLUMN_FORMATS, where one is declared.
    """

    name: str
    title: str
    answers: str
    parameters: tuple[Parameter, ...]
    chart: str | None
    sql: str
    columns: Mapping[str, str] = field(default_factory=dict)

    def run(
        self, connection: duckdb.DuckDBPyConnection, parameters: Mapping[str, object]
    ) -> list[dict[str, Any]]:
        """Run over the relation `census` of `connection`; return its rows as dicts.

        Parameters not given take their default.

        Raises InvalidRequestError on an unknown parameter, and on a value that is not allowed.
        """
        cursor = connection.execute(self.sql, self.bind(connection, parameters))
        columns = [column[0] for column in cursor.description]
        rows = map(convert_decimals, cursor.fetchall())
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def bind(
        self, connection: duckdb.DuckDBPyConnection, parameters: Mapping[str, object]
    ) -> dict[str, object]:
        """Return the value of every parameter, checked against the names in the database.

        Raises InvalidRequestError as `check_parameters` does.
        """
        wanted = {one for parameter in self.parameters for one in parameter.values} & _KNOWN.keys()
        known = {
            one: [str(row[0]) for row in connection.execute(_KNOWN[one]).fetchall()]
            for one in wanted
        }
        return self.check_parameters(parameters, known)

    def check_parameters(
        self, parameters: Mapping[str, object], known: Mapping[str, Sequence[str]]
    ) -> dict[str, object]:
        """Return the value of every parameter: as given, or its default.

        Raises InvalidRequestError on an unknown parameter, and on a value that is not allowed.
        """
        each = {one.name: one for one in self.parameters}
        for name in parameters:
            if name not in each:
                raise InvalidRequestError(
                    unknown("parameter", name, each)
                    if each
                    else f"{self.name or 'Your own SQL'} takes no parameters, and {name} was given."
                )
        values = {
            name: one.check(parameters.get(name, one.default), known) for name, one in each.items()
        }
        since, until = values.get("since"), values.get("until")
        if isinstance(since, datetime) and isinstance(until, datetime) and since >= until:
            raise InvalidRequestError(f"since ({since}) must lie before until ({until}).")
        return values


def convert_decimals(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the row with each Decimal as an exact int, or as a float where it is a fraction."""
    return tuple(
        (int(value) if value == int(value) else float(value))
        if isinstance(value, Decimal)
        else value
        for value in row
    )


def names(where: Path | None = None) -> list[str]:
    """Return the names of the queries in the folder `where` (default: hfscan's own)."""
    return sorted(path.stem for path in (where or data_dir("queries")).glob("*.sql"))


def load(name: str, where: Path | None = None) -> Query:
    """Return the query `name` from the folder `where` (default: hfscan's own).

    Raises InvalidRequestError on an unknown name.
    """
    known = names(where)
    if name not in known:  # so that no name is a path
        raise InvalidRequestError(unknown("query", name, known))
    text = ((where or data_dir("queries")) / f"{name}.sql").read_text(encoding="utf-8")
    header = dict(_HEADER.findall(text))
    values = {name: tuple(allowed.split(", ")) for name, allowed in _VALUES.findall(text)}
    parameters = tuple(
        Parameter(found, kind, parse(kind, default), meaning, values.get(found, ()))
        for found, kind, default, meaning in _PARAM.findall(text)
    )
    return Query(
        name=name,
        title=header["title"],
        answers=header["answers"],
        parameters=parameters,
        chart=header.get("chart"),
        sql=text,
        columns=dict(_COLUMN.findall(text)),
    )


def parse(kind: str, text: str) -> str | int | list[str] | None:
    """Return the default that `text` stands for in the header of a query; NULL is None."""
    if text == "NULL":
        return None
    if kind.endswith("[]"):
        return text.split(",")
    return int(text) if kind == "INTEGER" else text
