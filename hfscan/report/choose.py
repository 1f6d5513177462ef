"""Choose the snapshots that answer a request, and build its report."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from hfscan.errors import InvalidRequestError
from hfscan.figures import SnapshotView
from hfscan.report.build import build
from hfscan.report.comparison import compare
from hfscan.report.database_report import build_database_report, is_database_report
from hfscan.report.model import Report, ReportRequest
from hfscan.store import Store


def build_report(
    store: Store,
    request: ReportRequest,
    *,
    name: str | None = None,
    where: Path | None = None,
    snapshot: int | None = None,
    as_of: datetime | None = None,
    compare_year: int | None = None,
    compare_snapshot: int | None = None,
) -> Report:
    """Return the report `name` of the snapshot that covers the request, or of the whole database.

    `where`: see `build`. `compare_year`, `compare_snapshot`: the other side of a comparison. Raises
    InvalidRequestError where the arguments contradict each other, and what `build` raises.
    """
    year = request.year
    if request.transformers and request.definition not in (None, "loadable"):
        raise InvalidRequestError(
            f"--transformers has no effect on --definition {request.definition}. Omit one of them."
        )
    if compare_year is not None and year is None:
        raise InvalidRequestError("--compare-year requires --year.")
    if compare_year == year and compare_year is not None and compare_snapshot is None:
        raise InvalidRequestError(
            f"--compare-year {year} is the same as --year. Choose another year."
        )
    is_comparison = (compare_year, compare_snapshot) != (None, None)
    if name and is_database_report(name, where):
        if request != ReportRequest() or is_comparison or (snapshot, as_of) != (None, None):
            raise InvalidRequestError(
                f"Report {name!r} covers the whole database. It cannot be combined with --year, "
                "--snapshot, --as-of or other filters."
            )
        return build_database_report(store, name, where=where)
    if name == "compare" and not is_comparison:
        raise InvalidRequestError("--name compare requires --compare-year or --compare-snapshot.")
    view = SnapshotView.choose(store, request.period, snapshot=snapshot, as_of=as_of)
    if not is_comparison:
        return build(view, request, name=name, where=where)
    other_request = replace(request, year=compare_year or year)
    other_view = SnapshotView.choose(
        store, other_request.period, snapshot=compare_snapshot or view.snapshot.id
    )
    if (other_view.snapshot.id, other_request.year) == (view.snapshot.id, year):
        raise InvalidRequestError(
            f"--compare-snapshot {compare_snapshot} is the snapshot of the report. Choose another."
        )
    if request.definition == "loadable":  # with the same release on both sides
        release = request.transformers or max(view.transformers, other_view.transformers)
        request, other_request = (
            replace(side, transformers=release) for side in (request, other_request)
        )
    report, other = (
        build(*side, name=name or "compare", where=where)
        for side in ((view, request), (other_view, other_request))
    )
    return compare(report, other, other_view)
