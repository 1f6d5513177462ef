"""Choose what a summary of a report says: the caveats that matter most, and what to ask next."""

from collections.abc import Iterator
from dataclasses import dataclass

from hfscan.figures import ALL, Figure
from hfscan.report.caveats import (
    describe_flags,
    describe_origin,
    describe_unreadable,
    mark_small,
)
from hfscan.report.dependence import describe_dependence, explain_dependence
from hfscan.report.format import (
    DEFINITION_LABELS,
    figure_label,
    format_counts,
    format_date,
    format_number,
    format_percent,
    format_range,
    format_share,
    frameworks_label,
)
from hfscan.report.model import Report
from hfscan.report.provenance import COMPLETENESS
from hfscan.report.sentences import headline_figures
from hfscan.report.undated import suggest_dates
from hfscan.text import format_top


@dataclass(frozen=True)
class Caveat:
    """What limits the headline, in a sentence. `options`: those of `hfscan report` that show it.

    `effect`: how far it moves the headline's share.
    """

    text: str
    options: tuple[str, ...] = ()
    effect: float = 0.0


def rank_caveats(report: Report) -> list[Caveat]:
    """Return the caveats of a report, the most important first.

    First those of the data: invented, a sample, a part, dependent on one model, unreadable or
    implausible. Then those of unknown effect. Then other ways to count, by how far each moves the
    share of the headline, except those that do not show in its decimals.
    """
    headline = report.headline
    estimates = [headline.estimate] if headline.estimate else []
    if report.text or report.compared_with:
        return [Caveat(note) for note in (*headline.dependence, *estimates, *report.notes)]
    snapshot = report.snapshot
    data = [
        *describe_origin(snapshot),
        *filter(None, [explain_dependence(headline_figures(report), report.frameworks)]),
        *estimates,
        *describe_unreadable(snapshot),
        *describe_flags(report.flags),
    ]
    data += report.weight_notes
    if snapshot.complete is not True:
        data.append(COMPLETENESS[snapshot.complete])
    if report.period:
        day = format_date(snapshot.observed_to)
        data.append(f"Models deleted earlier are missing; tags are of {day}.")
        if report.period.is_empty:
            data += filter(None, (suggest_dates(report.sections),))
    by_effect = sorted(_list_measured(report), key=lambda caveat: caveat.effect)
    largest = {caveat.options[:1]: caveat for caveat in by_effect}  # of each option
    measured = sorted(largest.values(), key=lambda caveat: -caveat.effect)
    return [*map(Caveat, data), *measured]


def list_next_options(report: Report) -> list[tuple[str, ...]]:
    """Return options that show more, each of which can be added to the command of the report."""
    result: list[tuple[str, ...]] = []
    # periods are for `hfscan trend`
    if grouping := next((by for by in report.groupings if by not in ("month", "year")), None):
        result.append(("--by", grouping))
    options = (caveat.options for caveat in rank_caveats(report) if caveat.options)
    result += filter(None, [next(options, ())])
    return [*(result or [("--out", f"{report.file_name}.html")]), ("--full",)]


def _list_measured(report: Report) -> Iterator[Caveat]:
    """Yield other ways to count that change the share of the headline."""
    exclusive = (figure for figure in headline_figures(report) if figure.name == "exclusive")
    lead = next(exclusive, None)
    if lead is None or lead.share is None or len(report.frameworks) == 1:
        return
    label = figure_label(lead, report.frameworks)
    for figure in report.variants:
        if (figure.name, figure.framework) == (lead.name, lead.framework):
            text, options = _describe_variant(figure, lead, report)
            if text and (effect := _measure(figure.share, lead.share)):
                if excluded := figure.exclude_top_authors:  # each count has its own
                    whose = "its" if figure.definition != lead.definition else "their"
                    text += f", without {whose} {format_top(excluded, 'largest author')}"
                total = f"{format_number(figure.denominator)} {figure.weight}"
                share = f"{label} {format_share(figure)} of {total}"
                dependence = describe_dependence(figure.largest_share)
                yield Caveat(f"{text}: {share}{dependence}.", options, effect)
    for section in report.sections:
        if section.query == "creation_cutoff" and section.rows and lead.weight == "models":
            row = section.rows[0]
            bounds = row["share_min"], row["share_max"]
            total = format_counts(row["total_min"], row["total_max"])
            if effect := max(_measure(bound, lead.share) for bound in bounds):
                scope = f"With all models that may be of {report.request.year}"
                text = f"{scope}: {label} {format_range(*bounds)} (denominator: {total})."
                yield Caveat(text, (), effect)
        is_same_weight = section.parameters.get("weight") == lead.weight
        if section.query == "concentration" and section.rows and is_same_weight:
            row, count = section.rows[-1], len(section.rows)
            if effect := _measure(row["share_without"], lead.share):
                share = mark_small(format_percent(row["share_without"]), row, "share_without")
                total = format_number(row["denominator_without"])
                first = "most downloaded" if lead.weight == "downloads" else "largest"
                # --exclude-top-authors ranks by all models that support the frameworks
                accounts = f"{format_top(count, f'{first} account')} in {label}"
                text = f"Without the {accounts}: {label} {share} of {total} {lead.weight}."
                yield Caveat(text, (), effect)


def _describe_variant(figure: Figure, lead: Figure, report: Report) -> tuple[str, tuple[str, ...]]:
    """Return how a figure counts if it differs from the headline in one way, and its options."""
    changes = {
        name
        for name in ("definition", "frameworks", "weight")
        if getattr(figure, name) != getattr(lead, name)
    }
    if changes == {"definition"}:
        label = DEFINITION_LABELS[figure.definition]
        return f"With the definition {label}", ("--definition", figure.definition)
    if changes == {"weight"}:
        return f"Weighted by {figure.weight}", ("--weight", figure.weight)
    if changes == {"frameworks"}:
        added = [name for name in figure.frameworks if name not in report.frameworks]
        names = "all frameworks" if ALL in added else frameworks_label(added, report)
        return f"Compared with {names}", ("--frameworks", ",".join(figure.frameworks))
    return "", ()


def _measure(share: float | None, headline: float) -> float:
    """Return how far a share is from that of the headline; 0 where both read the same."""
    if share is None or format_percent(share) == format_percent(headline):
        return 0.0
    return abs(share - headline)
