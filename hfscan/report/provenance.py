"""Say where the numbers of a report come from: snapshots, their scope, the definition."""

from hfscan.report.format import DEFINITION_LABELS, format_date
from hfscan.report.model import Report
from hfscan.report.undated import find_undated_rows
from hfscan.store import Snapshot
from hfscan.text import format_count

COMPLETENESS = {
    True: "The list of models is complete.",
    False: "The list of models is incomplete.",
    None: "Whether the list of models is complete is unknown.",
}
"""Whether a crawl reached its end -> a sentence."""


def format_provenance(report: Report) -> str:
    """Return where the numbers come from, one sentence for each snapshot, or one for many."""
    compared = report.compared_with.snapshots if report.compared_with else ()
    snapshots = {snapshot.id: snapshot for snapshot in (*report.snapshots, *compared)}
    parts = [report.text.provenance] if report.text and report.text.provenance else []
    if len(snapshots) > _MOST_SNAPSHOTS:
        times = sorted(snapshot.observed_to for snapshot in snapshots.values())
        days = " to ".join(dict.fromkeys(map(format_date, (times[0], times[-1]))))
        return " ".join([*parts, f"{len(snapshots)} snapshots of {days}."])
    return " ".join([*parts, *map(_format_snapshot, snapshots.values())])


_MOST_SNAPSHOTS = 4  # that are described one by one


def format_sources(report: Report) -> str:
    """Return the snapshots of a report and its definition of support, in short."""
    if report.text:
        return format_provenance(report)
    sides = filter(None, (report, report.compared_with))
    snapshots = {snapshot.id: snapshot for side in sides for snapshot in side.snapshots}
    return " ".join([*map(describe_snapshot, snapshots.values()), *describe_definition(report)])


def describe_definition(report: Report) -> list[str]:
    """Return the definition of support as a sentence; none where the report does not use one."""
    if report.text or not (report.figures or report.compared_with or find_undated_rows(report)):
        return []
    return [f"Definition: {DEFINITION_LABELS[report.definition]}{format_release(report)}."]


def describe_snapshot(snapshot: Snapshot) -> str:
    """Return a snapshot in short, as a sentence."""
    return (
        f"Snapshot {snapshot.id} of {format_date(snapshot.observed_to)}, "
        f"{format_count(snapshot.models, 'model')}."
    )


def _format_snapshot(snapshot: Snapshot) -> str:
    days = [format_date(snapshot.observed_from), format_date(snapshot.observed_to)]
    return (
        f"Snapshot {snapshot.id} of {' to '.join(dict.fromkeys(days))}: {snapshot.kind} of "
        f"{snapshot.origin}, {format_count(snapshot.models, 'model')}. "
        f"{COMPLETENESS[snapshot.complete]}"
    )


_COLUMN_WORDS = {
    "_id": "internal ids", "sha": "commits", "created_at": "creation dates",
    "last_modified": "modification dates", "library_name": "libraries", "pipeline_tag": "tasks",
    "gated": "access restrictions", "disabled": "disabled models", "files": "file names",
    "parameters": "numbers of parameters", "model_type": "architectures",
    "architectures": "model classes", "base_relation": "relations to base models",
}  # fmt: skip


def format_missing(snapshot: Snapshot) -> str:
    """Return what the snapshot does not record, in words."""
    columns = snapshot.missing_columns
    return ", ".join(_COLUMN_WORDS.get(name, name.replace("_", " ")) for name in columns)


def format_scope(snapshot: Snapshot) -> str:
    """Return which models the snapshot covers, in a sentence."""
    since, until = (bound and format_date(bound) for bound in (snapshot.since, snapshot.until))
    when = "created at any time"
    if since or until:
        when = f"created from {since or 'the beginning'} to {until or 'the snapshot'}"
    return f"Public models {when}. {COMPLETENESS[snapshot.complete]}"


def format_release(report: Report) -> str:
    """Return the release that the definition assumes, in words; "" for none."""
    release = find_release(report)
    return f", with transformers {release}" if release else ""


def find_release(report: Report) -> int | None:
    """Return the release of transformers that the definition assumes; None for none."""
    release = report.request.transformers if report.definition == "loadable" else None
    return next((figure.transformers for figure in report.figures), release)
