"""How shares change: by date of creation in one snapshot, or from snapshot to snapshot."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from hfscan.choices import Weight
from hfscan.errors import NotFoundError, option
from hfscan.figures.figure import LARGEST_KEYS, Figure, FigureRequest
from hfscan.figures.per_snapshot import add_zeros, list_complete, run_per_snapshot
from hfscan.figures.queries import load
from hfscan.figures.view import SnapshotView
from hfscan.frameworks import DEFAULT_DEFINITION, Definition, taxonomy
from hfscan.scope import DEFAULT_FRAMEWORKS
from hfscan.store import Store, list_snapshots

Per = Literal["year", "month"]
Measure = Literal["exclusivity", "formats", "breakdown"]


@dataclass(frozen=True)
class SeriesBreak:
    """A day from which figures of these definitions describe other models than before."""

    since: datetime
    definitions: tuple[Definition, ...]
    text: str


SERIES_BREAKS = (
    SeriesBreak(
        datetime(2023, 1, 1),
        ("tag",),
        "BREAK IN SERIES: since 2023, most new models have safetensors files, and the Hub gives "
        "few of these a framework tag. Tags name a framework for fewer models each year.",
    ),
    SeriesBreak(
        datetime(2024, 9, 1),
        ("weights", "loadable", "best"),
        "BREAK IN SERIES: for models created after August 2024, the Hub no longer assumes the "
        "library transformers where only a config.json suggests it.",  # hub-docs, "Model cards"
    ),
)


def list_breaks(
    definitions: Iterable[Definition], since: datetime | None, until: datetime
) -> list[str]:
    """Return the breaks in the series of some definitions after `since` and before `until`."""
    return [
        known.text
        for known in SERIES_BREAKS
        if (since is None or since < known.since)
        and known.since < until
        and set(known.definitions) & set(definitions)
    ]


def explain_uneven_files(rows: Iterable[Mapping[str, Any]], store: Store) -> str | None:
    """Return a note on rows of `compare_snapshots` of which only some snapshots have file names.

    Without file names a model of no known format is unknown and not counted; with them it can be
    known to have none, and is. A breakdown counts both, and tags are known without files.
    """
    ids = {
        row["snapshot"]
        for row in rows
        if row["measure"] != "breakdown" and row["definition"] != "tag"
    }
    compared = [snapshot for snapshot in list_snapshots(store) if snapshot.id in ids]
    lacking = [snapshot for snapshot in compared if "files" in snapshot.missing_columns]
    if len(lacking) in (0, len(compared)):
        return None
    days = ", ".join(dict.fromkeys(f"{snapshot.observed_to:%Y-%m-%d}" for snapshot in lacking))
    return (
        f"UNEVEN TOTALS: the lists of {days} have no file names. There, models of "
        "which tags name no format are unknown and not in the totals; elsewhere, models without "
        "weights are. Compare numbers of models rather than shares."
    )


def choose_definitions(
    view: SnapshotView, definition: Definition | None, *, formats: bool = False
) -> tuple[Definition, ...]:
    """Return the definitions of a trend: the requested one, else tag beside best.

    Of formats: best. Those that the snapshot does not support are left out, where others remain.
    """
    definitions: tuple[Definition, ...] = ("tag", "best")
    if definition or formats:
        definitions = (definition or DEFAULT_DEFINITION,)
    return tuple(filter(view.supports_definition, definitions)) or definitions


def list_measures(weight: Weight, *, formats: bool = False) -> tuple[Measure, ...]:
    """Return what `compare_snapshots` shows: formats only, or all that the weight applies to."""
    if formats:
        return ("formats",)
    return ("exclusivity",) if weight != "models" else ("exclusivity", "formats", "breakdown")


def compute_exclusivity_trend(
    view: SnapshotView,
    definitions: Iterable[Definition],
    *,
    per: Per,
    frameworks: Sequence[str] | None = None,
    weight: Weight = "models",
    transformers: int | None = None,
) -> Iterator[Figure]:
    """Yield the figures of each year or month of creation, by each definition.

    Models at the cutoff are excluded. Raises what `SnapshotView.compute_exclusivity` raises.
    """
    for definition in definitions:
        request = FigureRequest(
            tuple(frameworks or DEFAULT_FRAMEWORKS),
            definition=definition,
            cutoff="excluded",
            weight=weight,
            by=per,
            transformers=transformers,
        )
        yield from view.compute_exclusivity(request)


def compute_adoption(
    view: SnapshotView,
    *,
    per: Per,
    frameworks: Sequence[str] | None = None,
    definition: Definition = "tag",
    transformers: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield (period, framework, numerator, denominator, share, definition): models that have each.

    Per year or month of creation; models at the cutoff are excluded. Rows also have `since` and
    `until` (UTC) of the part that the snapshot covers and, of a sample, an `interval`.
    `frameworks` None: every framework, format and runtime that any model has. Raises NotFoundError
    where the snapshot does not have the data.
    """
    view.require(definition, per)
    parameters: dict[str, object] = {
        "only": None if frameworks is None else list(view.find_titles(frameworks)),
        "definition": definition,
        "transformers": transformers,
        "per": per,
    }
    for row in view.run_for_report("formats", parameters):
        yield {**row, "definition": definition}


def compare_snapshots(
    view: SnapshotView,
    measures: Iterable[Measure],
    *,
    frameworks: Sequence[str] | None = None,
    definitions: Sequence[Definition] = (DEFAULT_DEFINITION,),
    weight: Weight = "models",
    transformers: int | None = None,
    as_of: datetime | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield a row for each class of models in each snapshot of the entire Hub until `as_of`.

    `measures`: exclusivity, by each definition; formats (class `available`: models that have each,
    alone or with others), by the last one; breakdown, by the best evidence. All rows have the same
    keys; see also `run_per_snapshot`. Snapshots that do not have what a definition needs are left
    out. Raises NotFoundError where none has it.
    """
    requested = None if frameworks is None else list(view.find_titles(frameworks))
    compared = list(frameworks or DEFAULT_FRAMEWORKS)
    by_evidence = {"definition": definitions[-1], "transformers": transformers}
    parameters: dict[Measure, list[dict[str, object]]] = {
        "exclusivity": [
            by_evidence | {"frameworks": compared, "definition": definition, "weight": weight}
            for definition in definitions
        ],
        "formats": [by_evidence | {"per": "all", "cutoff": "included"}],
        "breakdown": [{"frameworks": compared}],
    }
    views = list_complete(view.store, as_of)
    for measure in measures:
        query = load(measure)
        for values in parameters[measure]:
            definition: Any = values.get("definition", DEFAULT_DEFINITION)
            known = {other.snapshot.id for other in views if other.supports_definition(definition)}
            if not known:
                raise NotFoundError(
                    f"No snapshot of the entire Hub supports the definition {definition}. Crawl "
                    "without a scope, import a census, or omit ",
                    option("by-snapshot"),
                    ".",
                )
            result = run_per_snapshot(view.store, query, values, as_of=as_of)
            rows = [row for row in result if row["snapshot"] in known]
            if measure == "formats":
                rows = list(_add_absent(rows, requested, definition, views))
            yield from (_unify(measure, definition, row) for row in rows)


def _add_absent(
    rows: Sequence[Mapping[str, Any]],
    frameworks: Sequence[str] | None,
    definition: Definition,
    views: Iterable[SnapshotView],
) -> Iterator[dict[str, Any]]:
    """Yield the rows of `formats` for `frameworks`, also those of 0 models, which it leaves out.

    What has no tag of its own is unknown, not 0, by tags and in a snapshot without file names.
    """
    tagged = {framework.key for framework in taxonomy().frameworks if framework.tags}
    with_files = {view.snapshot.id for view in views if view.supports_definition("weights")}
    for row in add_zeros(rows, "framework", frameworks):
        name = row["framework"]
        is_known = name in tagged or (definition != "tag" and row["snapshot"] in with_files)
        if (row["numerator"] or is_known) and (frameworks is None or name in frameworks):
            yield row


def _unify(measure: Measure, definition: Definition, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a query with the keys that those of all measures have."""
    numerator, denominator = row["numerator"], row["denominator"]
    return {
        "measure": measure,
        **{key: row[key] for key in ("snapshot", "observed_at", "flags")},
        "definition": definition,
        "class": row.get("class") or row.get("name") or "available",
        "framework": row.get("framework"),
        "numerator": numerator,
        "denominator": denominator,
        "share": None
        if numerator is None or not denominator
        else round(numerator / denominator, 6),
        "small": row["small"],
        "coverage": row.get("coverage", 1.0),  # a breakdown has a class for each model
        **{key: row.get(key) for key in LARGEST_KEYS},
    }
