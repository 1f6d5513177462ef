"""One snapshot to compute figures from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from functools import cached_property
from typing import Any, Literal
from weakref import WeakKeyDictionary

import msgspec

from hfscan.choices import Grouping
from hfscan.errors import InvalidRequestError, NotFoundError, Wording
from hfscan.figures.figure import Figure, FigureRequest
from hfscan.figures.intervals import SampleError
from hfscan.figures.period import Period
from hfscan.figures.queries import Query, load
from hfscan.frameworks import Definition, newest_transformers, taxonomy
from hfscan.store import (
    Snapshot,
    Store,
    choose_snapshot,
    find_earlier,
    latest_snapshot,
    list_snapshots,
    require_snapshots,
)
from hfscan.suggest import unknown

ALL = "all"  # stands for every framework and runtime, where frameworks are named

_REQUIRED_COLUMN = {
    "month": "created_at", "year": "created_at", "task": "pipeline_tag",
    "library": "library_name", "license": "tags", "architecture": "model_type",
    "language": "tags", "size": "parameters", "gated": "gated", "storage_region": "tags",
}  # fmt: skip
"""Grouping -> the column that it is read from."""

_NONE_OR_UNKNOWN = ("pipeline_tag", "library_name", "model_type", "gated")
"""Columns in which NULL means none, unless the value could not be read."""

_REQUIRED_EVIDENCE = {"tag": "tags", "weights": "files", "loadable": "tags"}
"""Definition -> the column that it is read from."""

_MODELS = "models_at({series_id}, {position}) AS models"
_MODELS_WITHOUT_COUNTS = """(
    SELECT
        * EXCLUDE (series_id, model, valid_from, valid_to, has_id),
        CASE WHEN has_id THEN key END AS _id,
        NULL::BIGINT AS downloads, NULL::BIGINT AS downloads_all_time, NULL::BIGINT AS likes
    FROM versions
    WHERE
        series_id = {series_id}
        AND valid_from <= {position} AND (valid_to IS NULL OR valid_to > {position})
) AS models"""


_remembered: WeakKeyDictionary[Store, dict[tuple[object, ...], list[dict[str, Any]]]] = (
    WeakKeyDictionary()
)


def remember(
    store: Store, key: tuple[object, ...], run: Callable[[], list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Return `run()`, or its rows from before: snapshots never change, and several ask for them."""
    known = _remembered.setdefault(store, {})
    if key not in known:
        known[key] = run()
    return known[key]


def _figure_key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what distinguishes the row of a query from others, except its cluster."""
    names = ("name", "framework", "class", "by", "group", "period")
    return tuple(row.get(name) for name in names)


class SnapshotView:
    """A snapshot, as the relation `census` of the named queries.

    Several views of one Store may be used in turn: each binds the relation before it runs a query.
    """

    def __init__(self, store: Store, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.store = store
        self._exclusivity_rows: dict[FigureRequest, list[dict[str, Any]]] = {}

    @classmethod
    def choose(
        cls,
        store: Store,
        period: tuple[datetime, datetime] | None,
        *,
        snapshot: int | None = None,
        as_of: datetime | None = None,
    ) -> "SnapshotView":
        """Return the snapshot that covers `period`; see `hfscan.store.choose_snapshot`."""
        since, until = period or (None, None)
        known = require_snapshots(store)
        return cls(
            store, choose_snapshot(known, since, until, snapshot=snapshot, as_of=as_of)
        )._end_with_data()

    @classmethod
    def latest(
        cls, store: Store, *, snapshot: int | None = None, as_of: datetime | None = None
    ) -> "SnapshotView":
        """Return the newest or the named snapshot; see `hfscan.store.latest_snapshot`."""
        known = require_snapshots(store)
        return cls(store, latest_snapshot(known, snapshot=snapshot, as_of=as_of))._end_with_data()

    def _end_with_data(self) -> "SnapshotView":
        """Return the view, with the end of the data where that is long before the snapshot."""
        if row := self.find_time_without_models():
            midnight = datetime.combine(row["newest"], time())
            return SnapshotView(
                self.store, replace(self.snapshot, data_until=midnight + timedelta(days=1))
            )
        return self

    def find_time_without_models(self) -> dict[str, Any] | None:
        """Return the row of `newest_models.sql` if no model was created just before the snapshot.

        Its time is then later than its data: that of a recorded dump is given by hand. None where
        one was, and of a snapshot that may lack its newest models.
        """
        snapshot = self.snapshot
        holds_new_models = self.is_complete and not snapshot.is_known_incomplete
        if not holds_new_models or snapshot.synthetic or "created_at" in snapshot.missing_columns:
            return None
        rows = remember(
            self.store, ("newest_models", snapshot.id), lambda: self.run("newest_models", {})
        )
        return next((row for row in rows if row["flagged"]), None)

    def bind_census(self, *, with_counts: bool = True) -> Store:
        """Bind `census` to this snapshot; return the Store.

        Not `with_counts`: downloads and likes are NULL, so that their table need not be joined.
        """
        # literals, because a view takes no parameter; they are integers of the database
        snapshot = self.snapshot
        relation = _MODELS if with_counts else _MODELS_WITHOUT_COUNTS
        models = relation.format(series_id=snapshot.series_id, position=snapshot.position)
        columns, cluster = "models.*", "NULL::VARCHAR"
        not_recorded = [column for column in _NONE_OR_UNKNOWN if column in snapshot.missing_columns]
        if not_recorded:  # as unknown as a value that could not be read
            columns += (
                f" REPLACE (list_concat(coalesce(unreadable, []), {not_recorded}) AS unreadable)"
            )
        if snapshot.sample_strata:
            cluster = "CASE WHEN at_cutoff THEN 'alone ' || key ELSE stratum::VARCHAR END"
            models += (
                " ASOF LEFT JOIN (SELECT unnest(sample_strata) AS stratum FROM snapshots "
                f"WHERE id = {snapshot.id}) ON created_at >= stratum"
            )
        self.store.execute(
            f"CREATE OR REPLACE TEMP VIEW census AS SELECT {snapshot.id} AS snapshot, {columns}, "
            f"{cluster} AS sample_cluster FROM {models}"
        )
        return self.store

    def run(self, query: str, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
        """Return the rows of a named query. Raises InvalidRequestError; see `Query.run`."""
        named = load(query)
        store = self.bind_census(with_counts=named.reads_counts(parameters))
        return named.run(store, self.add_release(named, parameters))

    def list_columns(self, query: str, parameters: Mapping[str, object]) -> list[str]:
        """Return the columns of a named query. Raises InvalidRequestError; see `Query.run`."""
        named = load(query)
        return named.list_columns(self.bind_census(), self.add_release(named, parameters))

    def add_release(self, query: Query, parameters: Mapping[str, object]) -> dict[str, object]:
        """Return the parameters with a release of transformers, where the query takes one."""
        takes_release = any(parameter.name == "transformers" for parameter in query.parameters)
        if not takes_release or parameters.get("transformers") is not None:
            return dict(parameters)
        return {**parameters, "transformers": self.transformers}

    @property
    def transformers(self) -> int:
        """The newest release of transformers at the time of the snapshot."""
        return newest_transformers(self.snapshot.observed_to.date())

    def compute_exclusivity(self, request: FigureRequest) -> Iterator[Figure]:
        """Yield the figures exclusive, available, shared and none of a population.

        Raises InvalidRequestError on an unknown framework, and NotFoundError where the snapshot
        lacks what the definition or the grouping needs.
        """
        self.check_frameworks(request.frameworks)
        self.require(request.definition, request.by)
        if request not in self._exclusivity_rows:  # sections of a report repeat requests
            self._exclusivity_rows[request] = self.run_with_errors(
                "exclusivity", request.parameters()
            )
        parameters = {key: value for key, value in vars(request).items() if key != "top"}
        parameters["transformers"] = (
            request.transformers or self.transformers if request.definition == "loadable" else None
        )
        period = request.period and Period.from_bounds(*request.period).within(self.snapshot)
        is_by_time = request.by in ("month", "year")
        for row in self._exclusivity_rows[request]:
            yield Figure(
                **parameters,
                covered=self._covered(row["group"]) if is_by_time else period,
                **row,
            )

    def run_with_errors(self, query: str, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
        """Return the rows of a named query, each with its `sample_error`.

        None where the snapshot is no sample of known strata, the query does not tell its clusters,
        or models do not count once each: then a few of them decide.
        """
        rows = self.run(query, parameters)
        errors: dict[tuple[Any, ...], SampleError] = {}
        has_clusters = any(parameter.name == "by_cluster" for parameter in load(query).parameters)
        is_unweighted = parameters.get("weight", "models") == "models"
        if self.snapshot.sample is not None and has_clusters and is_unweighted:
            clusters = self.run(query, {**parameters, "by_cluster": True})
            errors = self._estimate_errors(clusters)
        for row in rows:
            row.pop("cluster", None)
            row["sample_error"] = errors.get(_figure_key(row))
        return rows

    def _estimate_errors(
        self, clusters: Sequence[Mapping[str, Any]]
    ) -> dict[tuple[Any, ...], SampleError]:
        """Return key of a row -> the error of its share, from its counts in each cluster."""
        keys = list(dict.fromkeys(map(_figure_key, clusters)))
        numbers = {key: number for number, key in enumerate(keys)}
        counts = [
            {"figure": numbers[_figure_key(row)]}
            | {key: row[key] for key in ("cluster", "numerator", "denominator")}
            for row in clusters
        ]
        rows = self.run("sample_error", {"counts": msgspec.json.encode(counts).decode()})
        return {
            keys[row["figure"]]: SampleError(
                self.snapshot.sample or 1.0,
                row["clusters"],
                row["variance"],
                row["effective_clusters"] or row["clusters"],
            )
            for row in rows
        }

    def run_for_report(
        self, query: str, parameters: Mapping[str, object]
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of a named query.

        With `since` and `until` of the covered part of a period, and in a sample with the share's
        `interval` and `design_effect`, where the query tells its clusters.
        """
        for result in self.run_with_errors(query, parameters):
            row = result | self.period_bounds(result.get("period", ""))
            error = row.pop("sample_error")
            if error is not None and row["share"] is not None:
                share, models = row["share"], row["denominator"]
                row["interval"] = [round(bound, 6) for bound in error.interval(share, models)]
                row["design_effect"] = error.design_effect(share, models)
            yield row

    def _covered(self, name: str | None) -> Period | None:
        """Return the year or month `name`, as far as the snapshot covers it."""
        period = Period.from_name(name)
        return period and period.within(self.snapshot)

    def period_bounds(self, name: str) -> dict[str, str]:
        """Return since and until (UTC) of the covered part of the year or month `name`."""
        period = self._covered(name)
        bounds = {"since": period.since, "until": period.until} if period else {}
        return {key: f"{instant.isoformat()}Z" for key, instant in bounds.items()}

    def count_without(self, column: Literal["author", "downloads"], request: FigureRequest) -> int:
        """Return how many models of the population have no account, such as gpt2, or no count."""
        parameters = request.parameters()
        (count,) = self.bind_census(with_counts=column == "downloads").fetch_one(
            f"SELECT count(*) FROM census WHERE {column} IS NULL "
            "AND is_created_in(?::TIMESTAMP, ?::TIMESTAMP, ?, created_at, at_cutoff)",
            [parameters[name] for name in ("since", "until", "cutoff")],
        )
        return int(count)

    @property
    def is_complete(self) -> bool:
        """True when the snapshot covers the entire Hub."""
        return self.snapshot.is_unfiltered and self.snapshot.covers(None, None)

    def find_previous(self) -> Snapshot | None:
        """Return the snapshot to compare this one with (`find_earlier`), where it can be.

        None where one of them does not cover the entire Hub or lacks tags, or where one is of
        invented models and the other is not.
        """
        earlier = find_earlier(list_snapshots(self.store), self.snapshot)
        if earlier is None or earlier.synthetic != self.snapshot.synthetic:
            return None
        is_comparable = SnapshotView(self.store, earlier).is_complete and self.is_complete
        return earlier if is_comparable and "tags" not in earlier.missing_columns else None

    def find_model(self, name: str) -> dict[str, Any]:
        """Return the row of a model, by its repo id (see `model.sql`) or `_id`.

        Raises NotFoundError when the snapshot has no such model, naming those of similar names.
        """
        if not name.strip():
            raise InvalidRequestError(
                "The name of the model is empty. Give its repo id, such as openai-community/gpt2."
            )
        rows = self.run("model", {"model": name, "similar": False})
        if rows and rows[0]["exact_match"]:
            return rows[0]
        rows = self.run("model", {"model": name})
        similar = f" Similar names: {', '.join(row['id'] for row in rows)}." if rows else ""
        partial = {row["snapshot"] for row in load("partial_snapshots").run(self.store, {})}
        limit = " It lacks a part of the Hub's models." if self.snapshot.id in partial else ""
        raise NotFoundError(f"Snapshot {self.snapshot.id} has no model {name!r}.{limit}{similar}")

    def find_titles(self, frameworks: Sequence[str]) -> dict[str, str]:
        """Return framework -> title, in the order of `frameworks`.

        Raises what `check_frameworks` raises.
        """
        known = self.check_frameworks(frameworks)
        if ALL in frameworks:
            return self._expand(frameworks)
        return {name: known[name] for name in frameworks}

    def check_frameworks(self, frameworks: Sequence[str]) -> dict[str, str]:
        """Return name -> title of all frameworks, if these are some of them.

        Raises InvalidRequestError on an unknown framework, and on none at all.
        """
        known = self._titles
        if not frameworks:
            raise InvalidRequestError("No framework is named. Name at least one.")
        for name in frameworks:
            if name not in known and name != ALL:
                raise InvalidRequestError(
                    unknown("framework", name, [*known, ALL], taxonomy().names_by_tag)
                )
        return known

    @cached_property
    def _titles(self) -> dict[str, str]:
        rows = self.store.execute("SELECT name, title FROM frameworks ORDER BY bit")
        return dict(rows.fetchall())

    def list_excluded_from_all(self, frameworks: Sequence[str]) -> list[str]:
        """Return the `frameworks` that `all` does not include: formats and artefacts."""
        included = self._expand((ALL,))
        return [name for name in frameworks if name not in included and name != ALL]

    def _expand(self, frameworks: Sequence[str]) -> dict[str, str]:
        rows = self.store.execute(
            "SELECT framework, title FROM frameworks_compared(?) ORDER BY bit", [list(frameworks)]
        )
        return dict(rows.fetchall())

    def supports_definition(self, definition: Definition) -> bool:
        """Return whether the snapshot holds what the definition needs."""
        return _REQUIRED_EVIDENCE.get(definition) not in self.snapshot.missing_columns

    def supports_grouping(self, by: str | None) -> bool:
        """Return whether the snapshot holds what the grouping is read from."""
        return _REQUIRED_COLUMN.get(by or "") not in self.snapshot.missing_columns

    def require(self, definition: Definition, by: Grouping | None) -> None:
        """Raise NotFoundError where the snapshot lacks what the definition or grouping needs."""
        if not self.supports_definition(definition):
            missing = "file names" if definition == "weights" else "tags"
            raise NotFoundError(
                f"Snapshot {self.snapshot.id} has no {missing}, which the definition {definition} "
                f"requires. Use another definition, such as best, or a snapshot with {missing}."
            )
        if not self.supports_grouping(by):
            column = _REQUIRED_COLUMN[by or ""]
            missing = "creation dates" if column == "created_at" else column
            other: str | Wording = "another grouping"
            if column == "created_at":
                other = Wording("hfscan trend --by-snapshot", "trend(by_snapshot=True)")
            known = list_snapshots(self.store)
            able = [str(one.id) for one in known if column not in one.missing_columns]
            others = f", or a snapshot with {missing} ({', '.join(able[-3:])})" if able else ""
            raise NotFoundError(
                f"Snapshot {self.snapshot.id} has no {missing}, so its models cannot be grouped by "
                f"{by}. Use ",
                other,
                f"{others}.",
            )
