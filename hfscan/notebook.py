"""hfscan for notebooks and programs: `hfscan.open(...)`, figures as objects, tables as frames."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfscan.errors import NoAnswerError
from hfscan.figures import (
    By,
    Census,
    Definition,
    Figure,
    Floor,
    Period,
    Population,
    Weight,
    check_left,
    load,
)
from hfscan.figures.census import contains_floor
from hfscan.store import Source, Store
from hfscan.suggest import unknown

if TYPE_CHECKING:
    import pandas
    import pyarrow

PAIR = ("pytorch", "tensorflow")

_MISSING = "{}() needs {}, which is not installed: pip install 'hfscan[notebook]'"


class Rows(Sequence[Mapping[str, Any]]):
    """Rows of one shape: a sequence of mappings, or a frame of another library."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = tuple(rows)

    def __getitem__(self, place: Any) -> Any:
        return self._rows[place]

    def __len__(self) -> int:
        return len(self._rows)

    def to_arrow(self) -> "pyarrow.Table":
        """Return a pyarrow.Table. Raises ImportError without pyarrow."""
        try:
            import pyarrow  # noqa: PLC0415 only who asks for it needs it
        except ImportError as error:
            raise ImportError(_MISSING.format("to_arrow", "pyarrow")) from error

        return pyarrow.Table.from_pylist([dict(row) for row in self._rows])

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a pandas.DataFrame. Raises ImportError without pandas."""
        try:
            import pandas  # noqa: PLC0415 only who asks for it needs it
        except ImportError as error:
            raise ImportError(_MISSING.format("to_pandas", "pandas")) from error

        return pandas.DataFrame([dict(row) for row in self._rows])


class Database:
    """An open census database, to be asked; nothing is written. Use as a context manager."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def sources(self) -> list[Source]:
        """Every observation, oldest first."""
        return self._store.sources()

    def figure(
        self, name: str, *, framework: str | None = None, year: int | None = None, **asked: Any
    ) -> Figure:
        """Return one figure: 'exclusive' or 'available' (of `framework`), 'shared' or 'none'.

        Of the models created in `year`, without those older than the Hub's dates, unless `floor`
        says otherwise; without a year, of all models. `asked`: as in `figures`, without `by`.

        Raises NoAnswerError where there is no such figure, or no observation that can answer.
        """
        found = self._figures(year=year, **asked)
        for one in found:
            if (one.name, one.framework) == (name, framework):
                return one
        names = dict.fromkeys(one.name for one in found)
        frameworks = dict.fromkeys(one.framework for one in found if one.framework)
        if name not in names:
            raise NoAnswerError(unknown("figure", name, names))
        if framework is not None and framework not in frameworks:
            raise NoAnswerError(unknown("framework in the universe called", framework, frameworks))
        raise NoAnswerError(
            f"There is no figure {name!r} of {framework!r}: there are exclusive and available of "
            "each framework of the universe, and shared and none of no framework."
        )

    def figures(self, *, year: int | None = None, **asked: Any) -> Rows:
        """Return all figures of a question as rows, with the keys of a report's JSON.

        `asked`: universe (names, in a list or with commas), definition ('tag', 'weights',
        'usable'), population ('created', 'existing'), floor ('excluded', 'included', 'only'),
        weight ('models', 'downloads', 'authors'), without_top, by (a grouping), top, source,
        as_of. Raises NoAnswerError.
        """
        return Rows([one.as_dict() for one in self._figures(year=year, **asked)])

    def query(self, name: str, *, source: int | None = None, **parameters: object) -> Rows:
        """Return the rows of a named query. Raises NoAnswerError on an unknown one."""
        load(name)
        return Rows(Census.latest(self._store, source=source).ask(name, parameters))

    def _figures(
        self,
        *,
        year: int | None,
        universe: str | Sequence[str] = PAIR,
        definition: Definition = "tag",
        population: Population | None = None,
        floor: Floor | None = None,
        weight: Weight = "models",
        without_top: int = 0,
        by: By | None = None,
        top: int | None = None,
        source: int | None = None,
        as_of: datetime | None = None,
    ) -> list[Figure]:
        asked = None if year is None else Period.of_year(year)
        period = asked.asked if asked else None
        names = universe.split(",") if isinstance(universe, str) else universe
        if population is None:
            population = "existing" if period is None else "created"
        if floor is None and population == "created" and period and contains_floor(period):
            floor = "excluded"
        if source is not None and as_of is not None:
            raise NoAnswerError("source and as_of exclude each other. Give one.")
        census = Census.choose(self._store, period, source=source, as_of=as_of)
        if asked and asked.is_empty:
            raise NoAnswerError(f"No model is dated into {year}. {asked.notes(census.source)[0]}")
        figures = list(
            census.exclusivity(
                universe=tuple(dict.fromkeys(names)),
                definition=definition,
                period=period,
                population=population,
                floor=floor,
                weight=weight,
                without_top=without_top,
                by=by,
                top=top,
            )
        )
        check_left(figures, without_top)
        return figures

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the database go."""
        self._store.close()


def open_database(path: str | Path = "hfscan.duckdb") -> Database:
    """Open the database at `path` to ask it. Raises DatabaseError when there is none to read."""
    return Database(Store.open(Path(path)))
