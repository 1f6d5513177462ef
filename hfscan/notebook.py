"""hfscan for notebooks and programs: `hfscan.open(...)`, figures as objects, tables as frames."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfscan.errors import NoAnswerError
from hfscan.figures import (
    By,
    Census,
    Cutoff,
    Definition,
    Figure,
    Period,
    Population,
    Weight,
    check_left,
    load,
)
from hfscan.figures.census import contains_cutoff
from hfscan.store import Snapshot, Store
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
    def snapshots(self) -> list[Snapshot]:
        """Every snapshot, oldest first."""
        return self._store.snapshots()

    def figure(
        self, name: str, *, framework: str | None = None, year: int | None = None, **asked: Any
    ) -> Figure:
        """Return one figure: 'exclusive' or 'available' (of `framework`), 'shared' or 'none'.

        Of the models created in `year`, without those older than the Hub's dates, unless `cutoff`
        says otherwise; without a year, of all models. `asked`: as in `figures`, without `by`.

        Raises NoAnswerError where there is no such figure, or no snapshot that can answer.
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
            raise NoAnswerError(
                unknown("framework in the frameworks called", framework, frameworks)
            )
        raise NoAnswerError(
            f"There is no figure {name!r} of {framework!r}: there are exclusive and available of "
            "each framework of the frameworks, and shared and none of no framework."
        )

    def figures(self, *, year: int | None = None, **asked: Any) -> Rows:
        """Return all figures of a question as rows, with the keys of a report's JSON.

        `asked`: frameworks (names, in a list or with commas), definition ('tag', 'weights',
        'loadable'), population ('created', 'existing'), cutoff ('excluded', 'included', 'only'),
        weight ('models', 'downloads', 'authors'), exclude_top_authors, by (a grouping), top,
        snapshot, as_of. Raises NoAnswerError.
        """
        return Rows([one.as_dict() for one in self._figures(year=year, **asked)])

    def query(self, name: str, *, snapshot: int | None = None, **parameters: object) -> Rows:
        """Return the rows of a named query. Raises NoAnswerError on an unknown one."""
        load(name)
        return Rows(Census.latest(self._store, snapshot=snapshot).ask(name, parameters))

    def _figures(
        self,
        *,
        year: int | None,
        frameworks: str | Sequence[str] = PAIR,
        definition: Definition = "tag",
        population: Population | None = None,
        cutoff: Cutoff | None = None,
        weight: Weight = "models",
        exclude_top_authors: int = 0,
        by: By | None = None,
        top: int | None = None,
        snapshot: int | None = None,
        as_of: datetime | None = None,
    ) -> list[Figure]:
        asked = None if year is None else Period.of_year(year)
        period = asked.asked if asked else None
        names = frameworks.split(",") if isinstance(frameworks, str) else frameworks
        if population is None:
            population = "existing" if period is None else "created"
        if cutoff is None and population == "created" and period and contains_cutoff(period):
            cutoff = "excluded"
        if snapshot is not None and as_of is not None:
            raise NoAnswerError("snapshot and as_of exclude each other. Give one.")
        census = Census.choose(self._store, period, snapshot=snapshot, as_of=as_of)
        if asked and asked.is_empty:
            raise NoAnswerError(f"No model is dated into {year}. {asked.notes(census.snapshot)[0]}")
        figures = list(
            census.exclusivity(
                frameworks=tuple(dict.fromkeys(names)),
                definition=definition,
                period=period,
                population=population,
                cutoff=cutoff,
                weight=weight,
                exclude_top_authors=exclude_top_authors,
                by=by,
                top=top,
            )
        )
        check_left(figures, exclude_top_authors)
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
