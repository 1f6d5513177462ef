"""Named queries: `.sql` files whose header describes the answer, parameters and columns.

-- title: ...
-- answers: ...
-- param NAME TYPE = DEFAULT : meaning     (NULL for none; a,b for a list)
-- values NAME: a, b     (the only values; <frameworks> and <snapshots> are those in the database)
-- column NAME: FORMAT     (one of COLUMN_FORMATS; other columns are numbers or text)
-- chart: ...
-- reads: ...     (the downloads or likes that it reads whatever its weight is)
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from hfscan.errors import InvalidRequestError, NotFoundError
from hfscan.figures.parameters import AMOUNTS, PLACEHOLDERS, TEXT, TYPES, Parameter
from hfscan.paths import data_dir
from hfscan.store import COUNTS, Snapshot, Store, choose_pair, macros, require_snapshots
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
        "breakdown_class",  # a class of breakdown.sql
        "day",  # a day, written out
        "time",  # a day, with the time of day where there is one
        "names",  # a list, of which people see the first
        "group",  # a group of the grouping in the column `by`; NULL: all models
    }
)
"""How the values of a column are shown."""

_HEADER = re.compile(r"^-- (title|answers|chart|reads): (.+)$", re.MULTILINE)
_PARAM = re.compile(r"^-- param (\w+) ([\w\[\]]+) = (.+?) : (.+)$", re.MULTILINE)
_ONE_OF = re.compile(r"^-- one of: (.+)$", re.MULTILINE)
_VALUES = re.compile(r"^-- values (\w+): (.+)$", re.MULTILINE)
_COLUMN = re.compile(r"^-- column (\w+): (\w+)$", re.MULTILINE)
_MODEL = "model"  # the query that finds a model by its name
_SUBJECT = "subject"  # and the one that also finds an account

DECLARATION = " Declare it in a line before the SQL: -- param {name} VARCHAR = NULL : meaning"
"""What to do about a parameter of the user's own SQL."""


@dataclass(frozen=True)
class Query:
    """A query: its SQL, and what the header of a named one declares.

    `columns`: name of a result column -> one of COLUMN_FORMATS, where one is declared. `one_of`:
    parameters of which exactly one must be given.
    """

    name: str
    title: str
    answers: str
    parameters: tuple[Parameter, ...]
    chart: str | None
    sql: str
    columns: Mapping[str, str]
    reads: str | None = None
    one_of: tuple[str, ...] = ()

    @property
    def defaults(self) -> dict[str, str | None]:
        """Parameter -> its default, as text; None for NULL."""
        return {parameter.name: parameter.default for parameter in self.parameters}

    def fill_defaults(self, parameters: Mapping[str, object]) -> dict[str, object]:
        """Return the value of every parameter: the given one, else its default.

        In a period with a start, models at the cutoff are excluded by default: they may be older.
        """
        values: dict[str, object] = {**self.defaults, **parameters}
        is_started = values.get("since") is not None
        if is_started and "cutoff" in self.defaults and "cutoff" not in parameters:
            values["cutoff"] = "excluded"
        return values

    @property
    def reads_census(self) -> bool:
        """True if it is about the models of one snapshot."""
        return not _list_words(self.sql).isdisjoint(_list_names_with("census"))

    @property
    def compares_snapshots(self) -> bool:
        """True if its parameters `earlier` and `later` are the snapshots that it reads."""
        named = {one.name for one in self.parameters if "<snapshots>" in one.values}
        return {"earlier", "later"} <= named

    def count_columns(self, parameters: Mapping[str, Any]) -> list[str]:
        """Return the columns of downloads or likes that it uses with these parameters."""
        weight = parameters.get("weight", self.defaults.get("weight"))
        by_weight = [] if weight in (None, "models", "authors") else [weight]
        return by_weight + ["downloads"] * bool(parameters.get("min_downloads"))

    def reads_counts(self, parameters: Mapping[str, Any]) -> bool:
        """Return whether downloads or likes can matter to the rows; True if in doubt."""
        if "weight" in self.defaults and self.reads is None:
            return bool(self.count_columns(parameters))
        return not _list_words(self.sql).isdisjoint(_list_names_with(*COUNTS))

    @classmethod
    def from_sql(cls, sql: str, name: str = "") -> "Query":
        """Return the query that the text, with its header, declares."""
        header = dict(_HEADER.findall(sql))
        values = {name: tuple(allowed.split(", ")) for name, allowed in _VALUES.findall(sql)}
        parameters = tuple(
            Parameter(
                key,
                type_,
                None if default == "NULL" else default,
                meaning,
                values.get(key, ()),
                (AMOUNTS if name else {}).get(key) or TYPES.get(type_, TEXT),
            )
            for key, type_, default, meaning in _PARAM.findall(sql)
        )
        return cls(
            name=name,
            title=header.get("title", ""),
            answers=header.get("answers", ""),
            parameters=parameters,
            chart=header.get("chart"),
            sql=sql,
            columns=dict(_COLUMN.findall(sql)),
            reads=header.get("reads"),
            one_of=tuple(match[1].split(", ")) if (match := _ONE_OF.search(sql)) else (),
        )

    def run(self, store: Store, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
        """Return the rows over the relation `census` of `store` as dicts. Raises: see `bind`."""
        cursor = store.execute(self.sql, self.bind(store, parameters))
        columns = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
        if any(str(column[1]).startswith("DECIMAL") for column in cursor.description):
            rows = list(map(convert_decimals, rows))
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def list_columns(self, store: Store, parameters: Mapping[str, object]) -> list[str]:
        """Return the names of the columns, without running the query. Raises: see `bind`."""
        sql = f"SELECT * FROM (\n{self.sql}\n) LIMIT 0"
        return [
            column[0] for column in store.execute(sql, self.bind(store, parameters)).description
        ]

    def bind(self, store: Store, parameters: Mapping[str, object]) -> dict[str, object]:
        """Return all parameters, checked against the database, with the snapshots to compare.

        Raises what `check_parameters` and `choose_pair` raise.
        """
        return self.bind_compared(store, parameters)[0]

    def bind_compared(
        self, store: Store, parameters: Mapping[str, object]
    ) -> tuple[dict[str, object], dict[str, Snapshot]]:
        """Return what `bind` does, and `earlier` and `later` of a query that compares two."""
        named = {name for parameter in self.parameters for name in parameter.values}
        known = {
            name: [str(value) for (value,) in store.execute(sql).fetchall()]
            for name, sql in PLACEHOLDERS.items()
            if name in named
        }
        values = self._name_models(store, self.check_parameters(parameters, known))
        compared: dict[str, Snapshot] = {}
        if self.compares_snapshots:
            pair = self._choose_compared(store, values)
            compared = dict(zip(("earlier", "later"), pair, strict=True))
        return values | {name: snapshot.id for name, snapshot in compared.items()}, compared

    def _name_models(self, store: Store, values: dict[str, object]) -> dict[str, object]:
        """Return the values with the names by which the database holds what they name."""
        named = {"family"} | ({"model"} if self.reads_census and self.name != _MODEL else set())
        names = {}
        for parameter in named & values.keys():
            if values[parameter] is not None:
                rows = load(_MODEL).run(store, {"model": values[parameter], "similar": False})
                if rows and rows[0]["exact_match"]:
                    names[parameter] = rows[0]["id"]
        if (author := values.get("author")) is not None:
            found = load(_SUBJECT).run(store, {"name": author})
            accounts = [row["name"] for row in found if row["kind"] == "author"]
            if len(accounts) == 1:
                names["author"] = accounts[0]
        return values | names

    def _choose_compared(
        self, store: Store, values: Mapping[str, Any]
    ) -> tuple[Snapshot, Snapshot]:
        snapshots = require_snapshots(store)
        earlier, later = values["earlier"], values["later"]
        if len(snapshots) == 1 and None in (earlier, later):
            raise NotFoundError(
                f"{self.name or 'Your own SQL'} compares two snapshots, and the database has one. "
                "Import or crawl another."
            )
        return choose_pair(snapshots, earlier, later)

    def check_parameters(
        self, parameters: Mapping[str, object], known: Mapping[str, Sequence[str]]
    ) -> dict[str, object]:
        """Return the value of every parameter: the given one, else its default.

        Raises InvalidRequestError on an unknown parameter, and as `Parameter.convert` does.
        """
        declared = {parameter.name: parameter for parameter in self.parameters}
        for name, value in parameters.items():
            if name not in declared:
                raise InvalidRequestError(
                    unknown("parameter", name, declared)
                    if declared
                    else f"{self.name} takes no parameters, but got {name}."
                    if self.name
                    else f"The SQL has no parameter {name}." + DECLARATION.format(name=name)
                )
            if self.name and isinstance(value, str) and not value.strip():
                choices = "a value" if declared[name].default else "a value, or NULL for none"
                raise InvalidRequestError(f"The parameter {name} is empty. Give {choices}.")
        given = self.fill_defaults(parameters)
        values = {
            name: parameter.convert(given[name], known) for name, parameter in declared.items()
        }
        if values.get("definition") == "loadable" and values.get("transformers", 0) is None:
            raise InvalidRequestError(
                "loadable depends on the release of transformers. Set transformers to 4 or 5."
            )
        if self.one_of and (count := sum(values[name] is not None for name in self.one_of)) != 1:
            verb = "takes only" if count else "needs"
            raise InvalidRequestError(
                f"{self.name or 'Your own SQL'} {verb} one of the parameters "
                f"{' and '.join(self.one_of)}."
            )
        if self.name:
            _check_is_compared(values)
        since, until = values.get("since"), values.get("until")
        if isinstance(since, datetime) and isinstance(until, datetime) and since >= until:
            raise InvalidRequestError(f"since ({since}) must lie before until ({until}).")
        return values


def _check_is_compared(values: Mapping[str, Any]) -> None:
    """Raise InvalidRequestError where a framework is not among those compared."""
    framework, compared = values.get("framework"), values.get("frameworks", [])
    if framework is not None and not {framework, "all"} & {*compared}:
        raise InvalidRequestError(
            f"The framework {framework} is not among those compared: {', '.join(compared)}. "
            f"Set frameworks to {','.join([framework, *compared])}, or to all."
        )


def _list_words(sql: str) -> set[str]:
    return set(re.findall(r"\w+", re.sub(r"--.*", "", sql).lower()))


@cache
def _list_names_with(*read: str) -> frozenset[str]:
    """Return the names `read`, and of the macros that read one of them, also through others."""
    names = set(read)
    words = {name: _list_words(macro.sql) for name, macro in macros().items()}
    while found := {name for name in words if words[name] & names} - names:
        names |= found
    return frozenset(names)


def convert_decimals(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the row with each Decimal as an exact int, or as a float where it is a fraction."""
    return tuple(
        (int(value) if value == int(value) else float(value))
        if isinstance(value, Decimal)
        else value
        for value in row
    )


def is_query_name(query: str) -> bool:
    """Return whether a query is given by its name: SQL that does something has blanks."""
    return len(query.split()) == 1


def list_queries() -> list[str]:
    return sorted(path.stem for path in data_dir("queries").glob("*.sql"))


@cache
def load(name: str) -> Query:
    """Return the query `name`. Raises InvalidRequestError on an unknown one."""
    known = list_queries()
    if name not in known:  # so that no name is a path
        raise InvalidRequestError(unknown("query", name, known))
    return Query.from_sql((data_dir("queries") / f"{name}.sql").read_text(encoding="utf-8"), name)
