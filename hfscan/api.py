"""Python API: `hfscan.open(...)` returns figures as objects, and tables as data frames."""

import importlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfscan.errors import InvalidRequestError, NotFoundError
from hfscan.figures import (
    Figure,
    FigureRequest,
    Period,
    SnapshotView,
    check_not_empty,
    default_definition,
    find_subject,
    load,
    run_per_snapshot,
)
from hfscan.scope import DEFAULT_FRAMEWORKS
from hfscan.store import Snapshot, Store, list_snapshots
from hfscan.suggest import unknown
from hfscan.timestamps import to_utc_naive

if TYPE_CHECKING:
    import pandas
    import pyarrow


class Records(Sequence[Mapping[str, Any]]):
    """Rows with the same keys; converts to a data frame of another library."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = tuple(rows)

    def __getitem__(self, index: Any) -> Any:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def to_arrow(self) -> "pyarrow.Table":
        """Return a pyarrow.Table. Raises ImportError without pyarrow."""
        return _import("pyarrow").Table.from_pylist([dict(row) for row in self._rows])

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a pandas.DataFrame. Raises ImportError without pandas."""
        return _import("pandas").DataFrame([dict(row) for row in self._rows])


def _import(package: str) -> Any:
    """Return an optional package. Raises ImportError where it is not installed."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"{package} is not installed. To install it: pip install 'hfscan[notebook]'"
        ) from error


class Database:
    """A read-only connection to a census database. Use as a context manager."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def snapshots(self) -> list[Snapshot]:
        """All snapshots, oldest first."""
        return list_snapshots(self._store)

    def figure(
        self, name: str, *, framework: str | None = None, year: int | None = None, **parameters: Any
    ) -> Figure:
        """Return one figure: 'exclusive' or 'available' (of `framework`), 'shared' or 'none'.

        With a `year`, of the models created in it, without those at the creation-date cutoff
        unless `cutoff` says otherwise; else of all models. `parameters`: as in `figures`, without
        `by`. Raises InvalidRequestError where there is no such figure, and NotFoundError where no
        snapshot can answer.
        """
        figures = self._figures(year=year, **parameters)
        for figure in figures:
            if (figure.name, figure.framework) == (name, framework):
                return figure
        names = dict.fromkeys(figure.name for figure in figures)
        frameworks = dict.fromkeys(figure.framework for figure in figures if figure.framework)
        if name not in names:
            raise InvalidRequestError(unknown("figure", name, names))
        if framework is not None and framework not in frameworks:
            raise InvalidRequestError(unknown("compared framework", framework, frameworks))
        raise InvalidRequestError(
            f"There is no figure {name!r} of {framework!r}. Figures exclusive and available need a "
            "framework; shared and none take none."
        )

    def figures(self, *, year: int | None = None, **parameters: Any) -> Records:
        """Return all figures of a request as rows, with the keys of a report's JSON.

        `parameters`: those of `FigureRequest` except `period` (`frameworks` also as names with
        commas), and `snapshot` or `as_of`. `population` is by default `created` with a `year`,
        else `existing`, `definition` that of a report. Raises InvalidRequestError on wrong values,
        NotFoundError where no snapshot can answer.
        """
        return Records([figure.as_dict() for figure in self._figures(year=year, **parameters)])

    def query(
        self,
        name: str,
        *,
        snapshot: int | None = None,
        per_snapshot: bool = False,
        **parameters: object,
    ) -> Records:
        """Return the rows of a named query over the newest snapshot, or the one with this id.

        `per_snapshot`: over each snapshot of the entire Hub, oldest first; rows also have
        `snapshot`, `observed_at` and `flags`. Raises InvalidRequestError on an unknown query.
        """
        query = load(name)
        if per_snapshot:
            if snapshot is not None:
                raise InvalidRequestError("snapshot and per_snapshot exclude each other. Give one.")
            return Records(list(run_per_snapshot(self._store, query, parameters)))
        return Records(SnapshotView.latest(self._store, snapshot=snapshot).run(name, parameters))

    def history(self, name: str) -> Records:
        """Return a row for each snapshot that shows a model, an account or `family:MODEL_ID`.

        The name may be a former one. Raises NotFoundError where no snapshot holds it.
        """
        return Records(find_subject(self._store, name).run(self._store, "history"))

    def events(self, name: str) -> Records:
        """Return what happened to a model, or to those of an account or family; see `history`."""
        return Records(find_subject(self._store, name).run(self._store, "events"))

    def _figures(
        self,
        *,
        year: int | None,
        frameworks: str | Sequence[str] = DEFAULT_FRAMEWORKS,
        snapshot: int | None = None,
        as_of: datetime | None = None,
        **parameters: Any,
    ) -> list[Figure]:
        if snapshot is not None and as_of is not None:
            raise InvalidRequestError("snapshot and as_of exclude each other. Give one.")
        as_of = to_utc_naive(as_of)
        if as_of is not None and as_of.date() > datetime.now(UTC).date():
            raise InvalidRequestError(f"as_of ({as_of:%Y-%m-%d}) lies in the future.")
        period = None if year is None else Period.from_year(year)
        names = frameworks.split(",") if isinstance(frameworks, str) else frameworks
        if parameters.get("population") is None:
            parameters["population"] = "created" if period else "existing"
        dates = period.requested if period else None
        view = SnapshotView.choose(self._store, dates, snapshot=snapshot, as_of=as_of)
        if parameters.get("definition") is None:
            parameters["definition"] = default_definition(view.snapshot, dates)
        request = FigureRequest(frameworks=tuple(dict.fromkeys(names)), period=dates, **parameters)
        if request.cutoff is None and request.population == "created":
            request = request.excluding_cutoff()
        if period and period.is_empty:
            raise NotFoundError(f"No model is dated into {year}. {period.notes(view.snapshot)[0]}")
        figures = list(view.compute_exclusivity(request))
        check_not_empty(figures, request.exclude_top_authors)
        return figures

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._store.close()


def open_database(path: str | Path = "hfscan.duckdb") -> Database:
    """Open the database at `path`. Raises DatabaseError when there is none."""
    return Database(Store.open(Path(path)))
