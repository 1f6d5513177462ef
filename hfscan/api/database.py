"""The database of the Python API."""

import contextlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, get_args

from hfscan.api.calls import check_instant, checked, list_names, name_arguments
from hfscan.api.document import Explanation, Report
from hfscan.api.records import Records
from hfscan.errors import DatabaseError, InvalidRequestError, NotFoundError
from hfscan.export import fetch_published
from hfscan.figures import (
    AccountGroups,
    Cutoff,
    Figure,
    FigureRequest,
    Grouping,
    Period,
    Population,
    SnapshotView,
    Weight,
    check_not_empty,
    compare_snapshots,
    compute_adoption,
    explain_model,
    find_lineage,
    find_subject,
    run_per_snapshot,
)
from hfscan.figures.limits import WatchedRows, describe_empty, describe_limits, describe_partial
from hfscan.figures.sql import find_query, restrict, run_query
from hfscan.figures.trend import Per, choose_definitions, compute_exclusivity_trend, list_measures
from hfscan.frameworks import DEFAULT_DEFINITION, Definition, taxonomy
from hfscan.report import ReportRequest, build_claims_report, build_report
from hfscan.report.lineage import LineageTree
from hfscan.report.trend_notes import describe_trend, explain_trend
from hfscan.scope import DEFAULT_FRAMEWORKS
from hfscan.store import Snapshot, Store, list_snapshots
from hfscan.suggest import unknown
from hfscan.timestamps import to_utc_naive

FigureName = Literal["exclusive", "available", "shared", "none"]


class SnapshotOptions(TypedDict, total=False):
    """The snapshot to use, by its id, or the newest one at a time; default: the newest."""

    snapshot: int | None
    as_of: datetime | None


class RequestOptions(TypedDict, total=False):
    """What figures and reports have in common; see `FigureRequest`."""

    weight: Weight
    exclude_top_authors: int
    by: Grouping | None
    top: int | None
    transformers: int | None


class FigureOptions(RequestOptions, SnapshotOptions, total=False):
    """The parameters of `FigureRequest`; names also with commas. `period` is a `year`."""

    frameworks: str | Sequence[str]
    definition: Definition | None
    population: Population | None
    cutoff: Cutoff | None


class ReportOptions(RequestOptions, total=False):
    """The parameters of a report."""

    definition: Definition | None
    account_groups: AccountGroups | None


class Database:
    """A read-only connection to a database of snapshots. Use as a context manager."""

    def __init__(self, store: Store) -> None:
        self._opened: Store | None = store

    @property
    def _store(self) -> Store:
        if self._opened is None:
            raise DatabaseError("The database is closed. Open it again: hfscan.open_database(...)")
        return self._opened

    @property
    def snapshots(self) -> list[Snapshot]:
        """All snapshots, oldest first."""
        return list_snapshots(self._store)

    @checked
    def report(
        self,
        name: str | None = None,
        *,
        year: int | None = None,
        frameworks: str | Sequence[str] = DEFAULT_FRAMEWORKS,
        snapshot: int | None = None,
        as_of: datetime | None = None,
        compare_year: int | None = None,
        compare_snapshot: int | None = None,
        **options: Unpack[ReportOptions],
    ) -> Report:
        """Return a report, as `hfscan report`: by default on a year, or on all models.

        `name`: year, overview, ecosystem, lineage, claims, ... Raises InvalidRequestError on wrong
        values, NotFoundError where no snapshot can answer.
        """
        report = build_report(
            self._store,
            ReportRequest(year=year, frameworks=list_names(frameworks), **options),
            name=name,
            snapshot=snapshot,
            as_of=check_instant(as_of, snapshot),
            compare_year=compare_year,
            compare_snapshot=compare_snapshot,
        )
        return Report(report)

    @checked
    def trend(
        self,
        *,
        per: Per | None = None,
        by_snapshot: bool = False,
        formats: bool = False,
        frameworks: str | Sequence[str] | None = None,
        definition: Definition | None = None,
        weight: Weight = "models",
        transformers: int | None = None,
        **options: Unpack[SnapshotOptions],
    ) -> Records:
        """Return shares by date of creation, or of each snapshot, as `hfscan trend`.

        `per`: by default year. `formats`: the share of models with each framework, format or
        runtime. `notes` of the rows say what limits them, such as a break in the series. Raises
        InvalidRequestError on wrong values, NotFoundError where no snapshot can answer.
        """
        if by_snapshot and (per or options.get("snapshot") is not None):
            raise InvalidRequestError("by_snapshot cannot be combined with per or snapshot.")
        if per is not None and per not in get_args(Per):
            raise InvalidRequestError(unknown("period", per, get_args(Per)))
        if formats and weight != "models":
            raise InvalidRequestError("formats and weight exclude each other. Give one.")
        view, as_of = self._view(**options), to_utc_naive(options.get("as_of"))
        names = None if frameworks is None else list_names(frameworks)
        titles = view.find_titles(DEFAULT_FRAMEWORKS if names is None else names)
        definitions = choose_definitions(view, definition, formats=formats)
        columns: list[str] = []
        rows: list[dict[str, Any]]
        if by_snapshot:
            over = compare_snapshots(
                view,
                list_measures(weight, formats=formats),
                frameworks=names,
                definitions=definitions,
                weight=weight,
                transformers=transformers,
                as_of=as_of,
            )
            rows = list(over)
        elif formats:
            adoption = compute_adoption(
                view,
                per=per or "year",
                frameworks=names,
                definition=definitions[0],
                transformers=transformers,
            )
            rows = list(adoption)
            columns = [*view.list_columns("formats", {}), "since", "until", "definition"]
            columns.remove("cluster")
        else:
            figures = compute_exclusivity_trend(
                view,
                definitions,
                per=per or "year",
                frameworks=names,
                weight=weight,
                transformers=transformers,
            )
            rows = [figure.as_dict() for figure in figures]
        notes = [*describe_trend(view, rows, definitions, weight, by_snapshot=by_snapshot)]
        notes += explain_trend(rows, titles, view)
        return Records(rows, columns, notes)

    @checked
    def claims(
        self,
        name: str | None = None,
        *,
        folder: str | Path | None = None,
        account_groups: AccountGroups | None = None,
    ) -> Records:
        """Return the fact-checks of published claims, with the keys of docs/json.md.

        `name`: of a claim or a topic; `folder`: your own claims. Raises InvalidRequestError on an
        unknown name, NotFoundError where the database is empty.
        """
        report = build_claims_report(
            self._store,
            folder=None if folder is None else Path(folder),
            account_groups=account_groups,
            name=name,
            full=False,
        )
        return Records(report.claims, notes=report.notes)

    @checked
    def explain(
        self, model: str, *, transformers: int | None = None, **options: Unpack[SnapshotOptions]
    ) -> Explanation:
        """Return the evidence for a model's frameworks. Raises NotFoundError without the model."""
        support = explain_model(self._view(**options), model, transformers)
        return Explanation(support, describe_partial(self._store, [support.snapshot]))

    @checked
    def lineage(
        self, model: str, *, up: int = 20, down: int = 2, **options: Unpack[SnapshotOptions]
    ) -> Records:
        """Return a model, its bases and those made from it, within so many steps.

        Raises NotFoundError where the snapshot does not know the model or bases.
        """
        view = self._view(**options)
        rows = find_lineage(view, model, up=up, down=down)
        titles, limits = taxonomy().titles, tuple(describe_partial(self._store, [view.snapshot]))
        tree = LineageTree.from_rows(
            rows, view.snapshot, titles, limits=limits, up=up, down=down, top=1
        )
        return Records(tree.rows, notes=limits)

    @checked
    def figure(
        self,
        name: FigureName,
        *,
        framework: str | None = None,
        year: int | None = None,
        **options: Unpack[FigureOptions],
    ) -> Figure:
        """Return one figure: 'exclusive' or 'available' (of `framework`), 'shared' or 'none'.

        With a `year`, of the models created in it, without those at the creation-date cutoff
        unless `cutoff` says otherwise; else of all models. `options`: as in `figures`, without
        `by`. Raises InvalidRequestError where there is no such figure, and NotFoundError where no
        snapshot can answer.
        """
        _, figures = self._figures(year=year, **options)
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

    @checked
    def figures(self, *, year: int | None = None, **options: Unpack[FigureOptions]) -> Records:
        """Return all figures of a request as rows, with the keys of a report's JSON.

        `population` is by default `created` with a `year`, else `existing`, `definition` that of a
        report. Raises InvalidRequestError on wrong values, NotFoundError where no snapshot can
        answer.
        """
        view, figures = self._figures(year=year, **options)
        limits = describe_partial(self._store, [view.snapshot])
        return Records((figure.as_dict() for figure in figures), notes=limits)

    @checked
    def query(
        self,
        /,
        name: str,
        *,
        snapshot: int | None = None,
        per_snapshot: bool = False,
        **parameters: object,
    ) -> Records:
        """Return the rows of a named query over the newest snapshot, or the one with this id.

        `name`: or one read-only SQL statement, as `hfscan query`; dates in its rows are text. It
        reads no files, and takes at most half of the machine's memory, or 4 GiB.
        `per_snapshot`: over each snapshot of the entire Hub, oldest first; rows also have
        `snapshot`, `observed_at` and `flags`. `notes` of the rows say which snapshot is
        partial, and that nothing matches the parameters. Raises InvalidRequestError on an unknown
        query, and where the SQL is wrong.
        """
        if per_snapshot and snapshot is not None:
            raise InvalidRequestError("snapshot and per_snapshot exclude each other. Give one.")
        view = SnapshotView.latest(self._store, snapshot=snapshot)
        named = find_query(name, on_one_snapshot=snapshot is not None)
        if per_snapshot:
            if not named.name:
                raise InvalidRequestError("per_snapshot runs a named query, not your own SQL.")
            columns = view.list_columns(name, parameters)
            over = list(run_per_snapshot(self._store, named, parameters))
            notes = [describe_empty(parameters)] if WatchedRows.read(over).is_empty else []
            return Records(over, ["snapshot", "observed_at", "flags", *columns], notes)
        with contextlib.nullcontext() if named.name else restrict(self._store):
            result = run_query(self._store, view, named, parameters)
            watched = WatchedRows(result.columns, result.rows)
            rows = [dict(zip(result.columns, row, strict=True)) for row in watched]
        snapshots = result.compared.values() or (view.snapshot,)
        limits = describe_limits(self._store, named, parameters, watched, snapshots)
        return Records(rows, result.columns, limits)

    @checked
    def history(self, name: str) -> Records:
        """Return a row for each snapshot that shows a model, an account or `family:MODEL_ID`.

        The name may be a former one. Raises NotFoundError where no snapshot holds it.
        """
        return self._follow(name, "history")

    @checked
    def events(self, name: str) -> Records:
        """Return what happened to a model, or to those of an account or family; see `history`."""
        return self._follow(name, "events")

    def _follow(self, name: str, part: Literal["history", "events"]) -> Records:
        subject = find_subject(self._store, name)
        query, view = f"{subject.report}_{part}", subject.view
        columns = view.list_columns(query, subject.parameters)
        return Records(view.run(query, subject.parameters), columns)

    def _view(self, *, snapshot: int | None = None, as_of: datetime | None = None) -> SnapshotView:
        instant = check_instant(as_of, snapshot)
        return SnapshotView.latest(self._store, snapshot=snapshot, as_of=instant)

    def _figures(
        self,
        *,
        year: int | None = None,
        frameworks: str | Sequence[str] = DEFAULT_FRAMEWORKS,
        definition: Definition | None = None,
        population: Population | None = None,
        cutoff: Cutoff | None = None,
        snapshot: int | None = None,
        as_of: datetime | None = None,
        **options: Unpack[RequestOptions],
    ) -> tuple[SnapshotView, list[Figure]]:
        instant = check_instant(as_of, snapshot)
        period = None if year is None else Period.from_year(year)
        dates = period.requested if period else None
        view = SnapshotView.choose(self._store, dates, snapshot=snapshot, as_of=instant)
        request = FigureRequest(
            frameworks=list_names(frameworks),
            period=dates,
            population=population or ("created" if period else "existing"),
            definition=definition or DEFAULT_DEFINITION,
            cutoff=cutoff,
            **options,
        )
        if request.cutoff is None and request.population == "created":
            request = request.excluding_cutoff()
        if period and period.is_empty:
            raise NotFoundError(f"No model is dated into {year}. {period.notes(view.snapshot)[0]}")
        figures = list(view.compute_exclusivity(request))
        check_not_empty(figures, request.exclude_top_authors)
        return view, figures

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database. What it returned stays usable."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None


@name_arguments
def open_database(path: str | Path = "hfscan.duckdb") -> Database:
    """Open the database at `path`, or the snapshot published as hf://datasets/OWNER/NAME.

    Raises DatabaseError where there is no database, and what `fetch_published` raises.
    """
    if isinstance(path, str) and path.startswith("hf://"):
        path = fetch_published(path)
    return Database(Store.open(Path(path)))
