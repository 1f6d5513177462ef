"""Say where a share of downloads depends on a single model."""

from collections.abc import Iterable, Mapping
from operator import itemgetter

from hfscan.figures import Figure, label_snapshots
from hfscan.report.format import DEFINITION_LABELS, class_label, format_percent
from hfscan.report.model import Row
from hfscan.report.tables import visible_figures
from hfscan.text import format_count, sanitize

_CUTOFFS = {"included": "With older models, ", "only": "Of older models alone, "}
"""What a figure does with the models at the cutoff, where it does not leave them out."""

_MUCH = 0.1  # of the downloads; without the model, the share may be another
_MOST_GROUPS = 3  # that are named


def describe_dependence(largest_share: float | None) -> str:
    """Return " (85.5 % of them of one model)", after what counts downloads; "" if none has many."""
    if (largest_share or 0.0) < _MUCH:
        return ""
    return f" ({format_percent(largest_share)} of them of one model)"


def explain_dependence(figures: Iterable[Figure], frameworks: Mapping[str, str]) -> str | None:
    """Return which model has many of the downloads, and the share without it; None if none has.

    Of each group, the share of its largest class. `frameworks`: those compared -> title.
    """
    visible = visible_figures(figures, None)
    return explain_dependent_rows((figure.as_dict() for figure in visible), frameworks)


def explain_dependent_breakdown(rows: Iterable[Row]) -> str | None:
    """Return which model has much of all that the rows of `breakdown.sql` count; None if none."""
    total = next((row for row in rows if row["group"] is None), {})
    if (total.get("largest_share") or 0.0) < _MUCH:
        return None
    share = format_percent(total["largest_share"])
    return f"{sanitize(total['largest_model'])} alone has {share} of all these downloads."


def explain_dependent_rows(rows: Iterable[Row], frameworks: Mapping[str, str]) -> str | None:
    """Return the same of rows of `exclusivity.sql`, also over snapshots."""
    names = ("none",) if len(frameworks) == 1 else ("exclusive", "shared")
    leading: dict[str, Row] = {}
    rows = list(rows)
    labels = label_snapshots(rows)
    for row in rows:
        if (row.get("largest_share") or 0.0) >= _MUCH and _get_class(row) in names:
            place = _format_place(row, labels)
            known = leading.setdefault(place, row)
            leading[place] = max(known, row, key=itemgetter("numerator"))
    largest = sorted(
        leading.items(),
        key=lambda item: (item[1].get("cutoff") in _CUTOFFS, -item[1]["denominator"]),
    )
    sentences = [
        f"{place}{_describe_largest(row, frameworks)}" for place, row in largest[:_MOST_GROUPS]
    ]
    if len(largest) > _MOST_GROUPS:
        sentences.append(f"So it is in {format_count(len(largest) - _MOST_GROUPS, 'other group')}.")
    return " ".join(sentences) or None


def _describe_largest(row: Row, frameworks: Mapping[str, str]) -> str:
    model = sanitize(row["largest_model"])
    if row["share_without_largest"] is None:
        return f"{model} alone has all of these downloads."
    label = class_label(_get_class(row), row["framework"], frameworks)
    return (
        f"{model} alone has {format_percent(row['largest_share'])} of these downloads. Without it: "
        f"{label} {format_percent(row['share_without_largest'])}."
    )


def _get_class(row: Row) -> str:
    return str(row.get("name") or row["class"])


def _format_place(row: Row, labels: Mapping[int, str]) -> str:
    """Return the group or snapshot of a row, and the models that it counts, before a sentence."""
    group = labels.get(row.get("snapshot", 0)) or row.get("group")
    if group is None:
        return _CUTOFFS.get(row.get("cutoff") or "", "")
    definition = f", {DEFINITION_LABELS[row['definition']]}" if "definition" in row else ""
    return f"{sanitize(str(group))}{definition}: "
