"""Choose the snapshots that answer a request, and build its report."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from hfscan.errors import InvalidRequestError, option
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
            option("transformers"), " has no effect on ", option("definition"),
            f" {request.definition}. Omit one of them.",
        )  # fmt: skip
    if compare_year is not None and year is None:
        raise InvalidRequestError(option("compare-year"), " requires ", option("year"), ".")
    if compare_year == year and compare_year is not None and compare_snapshot is None:
        raise InvalidRequestError(
            option("compare-year"), f" {year} is the same as ", option("year"),
            ". Choose another year.",
        )  # fmt: skip
    is_comparison = (compare_year, compare_snapshot) != (None, None)
    if name and is_database_report(name, where):
        if request != ReportRequest() or is_comparison or (snapshot, as_of) != (None, None):
            raise InvalidRequestError(
                f"Report {name!r} covers the whole database. It cannot be combined with ",
                option("year"), ", ", option("snapshot"), ", ", option("as-of"),
                " or other filters.",
            )  # fmt: skip
        return build_database_report(store, name, where=where)
    if name == "compare" and not is_comparison:
        raise InvalidRequestError(
            option("name"), " compare requires ", option("compare-year"), " or ",
            option("compare-snapshot"), ".",
        )  # fmt: skip
    view = SnapshotView.choose(store, request.period, snapshot=snapshot, as_of=as_of)
    if not is_comparison:
        return build(view, request, name=name, where=where)
    other_request = replace(request, year=compare_year or year)
    other_view = SnapshotView.choose(
        store, other_request.period, snapshot=compare_snapshot or view.snapshot.id
    )
    if (other_view.snapshot.id, other_request.year) == (view.snapshot.id, year):
        raise InvalidRequestError(
            option("compare-snapshot"),
            f" {compare_snapshot} is the snapshot of the report. Choose another.",
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
