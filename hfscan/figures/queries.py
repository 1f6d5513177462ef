"""Named queries: a `.sql` file whose header says what it answers and which parameters it takes.

-- title: ...
-- answers: ...
-- param NAME TYPE = DEFAULT : what it means     (NULL for none; a,b for a list)
-- chart: ...
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from hfscan.errors import NoAnswerError
from hfscan.resources import folder

DIALECTS = ("spark", "bigquery", "snowflake")
"""Engines that `dialect` writes for."""

_HEADER = re.compile(r"^-- (title|answers|chart): (.+)$", re.MULTILINE)
_PARAM = re.compile(r"^-- param (\w+) ([\w\[\]]+) = (.+?) : (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a query: DuckDB type, default (as a Python value) and meaning."""

    name: str
    type: str
    default: str | int | list[str] | None
    meaning: str


@dataclass(frozen=True)
class Query:
    """A named query: its SQL text, and what its header says of it."""

    name: str
    title: str
    answers: str
    parameters: tuple[Parameter, ...]
    chart: str | None
    sql: str

    def run(
        self, connection: duckdb.DuckDBPyConnection, parameters: Mapping[str, object]
    ) -> list[dict[str, Any]]:
        """Run over the relation `census` of `connection`; return its rows as dicts.

        Parameters not given take their default.

        Raises NoAnswerError on a parameter the query does not have.
        """
        cursor = connection.execute(self.sql, self.bound(parameters))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def bound(self, parameters: Mapping[str, object]) -> dict[str, object]:
        """Return the value of every parameter: as given, or its default.

        Raises NoAnswerError on a parameter the query does not have.
        """
        defaults = {one.name: one.default for one in self.parameters}
        if strange := sorted(parameters.keys() - defaults.keys()):
            raise NoAnswerError(
                f"Query {self.name} has no parameter {', '.join(strange)}; it has "
                f"{', '.join(defaults) or 'none'}."
            )
        return defaults | dict(parameters)


def names(where: Path | None = None) -> list[str]:
    """Return the names of the queries in the folder `where` (default: hfscan's own)."""
    return sorted(path.stem for path in (where or folder("queries")).glob("*.sql"))


def load(name: str, where: Path | None = None) -> Query:
    """Return the query `name` from the folder `where` (default: the one that comes with hfscan).

    Raises NoAnswerError when there is none of that name.
    """
    there = names(where)
    if name not in there:  # so that no name is a path
        raise NoAnswerError(f"There is no query {name!r}; there are {', '.join(there)}.")
    text = ((where or folder("queries")) / f"{name}.sql").read_text(encoding="utf-8")
    header = dict(_HEADER.findall(text))
    parameters = tuple(
        Parameter(found, kind, parse(kind, default), meaning)
        for found, kind, default, meaning in _PARAM.findall(text)
    )
    return Query(name, header["title"], header["answers"], parameters, header.get("chart"), text)


def parse(kind: str, text: str) -> str | int | list[str] | None:
    """Return the value that `text` stands for in a parameter of DuckDB type `kind`.

    Raises NoAnswerError when it stands for none.
    """
    if text == "NULL":
        return None
    if kind.endswith("[]"):
        return text.split(",")
    try:
        return int(text) if kind == "INTEGER" else text
    except ValueError as error:
        raise NoAnswerError(f"{text!r} is no {kind}.") from error
