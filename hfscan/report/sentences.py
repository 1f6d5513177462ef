"""Write the sentences of a report: the answer, and its coverage."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from hfscan.figures import ALL, Figure
from hfscan.report.dependence import explain_dependence
from hfscan.report.format import (
    DEFINITION_LABELS,
    KNOWN_EVIDENCE,
    any_framework,
    breakdown_label,
    class_label,
    describe_counted,
    figure_label,
    format_cell,
    format_date,
    format_number,
    format_percent,
    format_range,
    format_share,
    format_value,
    split_formats,
)
from hfscan.report.model import Report, Row, Section
from hfscan.report.provenance import find_release, format_release
from hfscan.report.undated import (
    describe_undated_total,
    find_undated_rows,
    format_older_models,
    format_undated_year,
)
from hfscan.text import format_top, join_words

EVIDENCE = {
    "tag": "if the Hub tags it so",
    "weights": "if it has weight files for that framework",
    "loadable": "if its tags or weight files name that framework, or if that framework can load it "
    "without conversion",
    "best": "if its weight files say so, or where these are unknown or name no framework, its "
    "library and tags",
}
"""Definition -> the evidence that a model supports a framework."""

_DROPPED_SINCE = 5
_DROPPED = ("tensorflow", "jax", ALL)


def describe_dropped(transformers: int | None, frameworks: Iterable[str]) -> str:
    """Return that the definition loadable counts what a release has dropped; "" where it cannot.

    `transformers`: the release that it assumes; None for other definitions.
    """
    if transformers is None or transformers < _DROPPED_SINCE or {*_DROPPED}.isdisjoint(frameworks):
        return ""
    return (
        " So weights of TensorFlow or Flax count that only transformers 4 opens: `hfscan query "
        "orphans` has their number."
    )


UNITS = {
    "models": "models", "downloads": "downloads in 30 days of models",
    "authors": "authors of models",
}  # fmt: skip
"""Weight -> what a figure counts."""

_SUPPORT = {
    "models": "support",
    "downloads": "are of models that support",
    "authors": "have models that support",
}
"""Weight -> how a sentence about what is counted goes on."""


def list_answers(report: Report) -> list[str]:
    """Return the report's findings, else its headline: one text for each paragraph."""
    return [finding.text for finding in report.findings] or [_format_headline(report)]


def _format_headline(report: Report) -> str:
    return format_answer(report) + _format_conditions(report)


def format_answer(report: Report) -> str:
    """Return the report's answer, with the denominator of every share."""
    if report.text:
        return report.text.headline
    if report.compared_with:
        return _format_comparison(report)
    period, shares = report.period, _headline_shares(report)
    if period and period.is_empty:
        return f"The Hub has no creation dates for {period.name}.{format_undated_year(report)}"
    when = f"created {period.span}" if period else "in the snapshot"
    if not shares:
        return _format_classes(report, when)
    if count := report.request.exclude_top_authors:
        when += f", without the {format_top(count, 'largest author')}"
    titles = list(report.frameworks.values())
    frameworks = any_framework(titles)
    if not shares[0].denominator:
        counted = "" if shares[0].weight != "downloads" else " with known downloads"
        answer = f"No model {when}{counted} is known to support {frameworks}."
        return answer + format_older_models(report)
    if len(titles) == 1:
        return f"{_format_single(report, titles[0], when)}."
    described = f"{format_number(shares[0].denominator)} ({format_percent(shares[0].coverage)})"
    return (
        f"Of the {_format_population_size(shares[0])} {when}, {described} "
        f"{_SUPPORT[shares[0].weight]} {frameworks}. Of these, {_format_shares(shares, report)}."
    )


def _format_shares(shares: Sequence[Figure], report: Report) -> str:
    """Return the part of each class, as the end of a sentence."""
    weight = shares[0].weight
    verbs = {"models": "support ", "authors": "count for "}
    parts = [
        f"{format_number(figure.numerator)} ({format_share(figure)}) {verbs.get(weight, '')}"
        f"{figure_label(figure, report.frameworks)}"
        for figure in shares
    ]
    if weight == "downloads":  # once: it is long
        label = figure_label(shares[0], report.frameworks)
        parts[0] = f"{parts[0].removesuffix(label)}{_SUPPORT[weight]} {label}"
    return join_words(parts)


def _format_conditions(report: Report) -> str:
    """Return when a model counts and which are left out, in sentences after the answer."""
    if report.text:
        return ""
    definition = _format_definition(report)
    if report.compared_with:
        counted = describe_counted(list(report.frameworks.values()), report.definition)
        return (
            f" Total: {UNITS[report.request.weight]} {counted}. "
            f"{definition} Not counted: models deleted before the snapshot."
            f"{_format_dependence(report)}{_format_estimate(report)}"
        )
    shares = _headline_shares(report)
    day = format_date(report.snapshot.observed_to)
    deleted = f"models deleted before the snapshot of {day}"
    if report.period and report.period.is_empty:
        return f" {definition} Not counted: {deleted}." if find_undated_rows(report) else ""
    if not (shares and shares[0].denominator):
        return ""
    excluded = []
    if shares[0].cutoff:
        excluded.append("models the Hub has no creation date for (older than 2 March 2022)")
    excluded.append(deleted)
    return (
        f"{_format_votes(report)} {definition}{_format_tagged(report)} "
        f"Not counted: {join_words(excluded)}."
        f"{format_older_models(report)}{_format_dependence(report)}{_format_estimate(report)}"
    )


def headline_figures(report: Report) -> list[Figure]:
    """Return the figures of the headline, without the models at the creation-date cutoff."""
    return [figure for figure in report.headline.figures if figure.cutoff in (None, "excluded")]


def _headline_shares(report: Report) -> list[Figure]:
    """Return the figures that the headline names: at most the four largest."""
    shares = [
        figure for figure in headline_figures(report) if figure.name in ("exclusive", "shared")
    ]
    if len(shares) > 4:  # the table has the others
        shares = sorted(shares, key=lambda figure: -figure.numerator)[:4]
    return shares


def _format_estimate(report: Report) -> str:
    """Return that shares of the headline have no interval, as they are of a sample."""
    return f" {report.headline.estimate}" if report.headline.estimate else ""


def _format_classes(report: Report, when: str) -> str:
    """Return the largest classes of a breakdown; of another section without figures its title."""
    section = report.headline
    if section.query != "breakdown":
        return f"{section.title}."
    rows = [row for row in section.rows if row["group"] is None]
    largest = sorted(rows, key=lambda row: -(row["numerator"] or 0))[:4]
    parts = join_words(
        f"{breakdown_label(row['class'], report.titles)} {format_number(row['numerator'])} "
        f"({format_cell(row, 'share', section, report)})"
        for row in largest
    )
    total = rows[0]["denominator"]
    return f"Of the {format_number(total)} {'model' if total == 1 else 'models'} {when}: {parts}."


def _format_population_size(figure: Figure) -> str:
    """Return the size of the population, with its unit."""
    is_model = figure.weight == "models" and figure.population_size == 1
    return f"{figure.population_size:,} {'model' if is_model else UNITS[figure.weight]}"


def _format_votes(report: Report) -> str:
    """Return how authors are divided, as a sentence; "" in a report that does not divide them."""
    if report.request.weight != "authors" or len(report.frameworks) == 1:
        return ""
    frameworks = any_framework(list(report.frameworks.values()))
    return (
        " Each author counts once, divided equally among the author's models that support "
        f"{frameworks}."
    )


def _format_dependence(report: Report) -> str:
    """Return on which model the headline depends; "" if on none."""
    texts: Sequence[str | None] = report.headline.dependence
    if not report.compared_with:
        texts = [explain_dependence(headline_figures(report), report.frameworks)]
    return "".join(f" {text}" for text in texts if text)


def _format_tagged(report: Report) -> str:
    """Return which part the Hub's tags describe, where they are not the report's definition."""
    compared = report.request.frameworks
    tagged = (
        figure for figure in _described_figures(report.variants, report.frameworks)
        if (figure.definition, figure.frameworks, figure.weight) == ("tag", compared, "models")
    )  # fmt: skip
    figure = next(tagged, None)
    if report.definition == "tag" or figure is None or len(compared) == 1:
        return ""
    frameworks = any_framework(list(report.frameworks.values()))
    return f" The Hub itself tags {format_percent(figure.coverage)} of the models as {frameworks}."


def _format_definition(report: Report) -> str:
    """Return when a model counts, as a sentence."""
    titles = list(report.frameworks.values())
    frameworks = " or ".join(titles) if len(titles) < 5 else "supporting a framework"
    evidence = EVIDENCE[report.definition] + format_release(report)
    dropped = describe_dropped(find_release(report), report.frameworks)
    return f"A model counts as {frameworks} {evidence}.{dropped}"


_LOW_COVERAGE = 0.25


def format_coverage(section: Section, frameworks: Mapping[str, str]) -> str | None:
    """Return what part of its population the shares of a section describe, in sentences."""
    if text := describe_undated_total(section, list(frameworks.values())):
        return text
    described = _described_figures(section.figures, frameworks)
    if not described or section.vary_by == "weight":
        return None  # of weights, other sections say it
    figure = described[0]
    meaning = describe_counted(list(frameworks.values()), figure.definition)
    if section.vary_by and len(frameworks) > 1:
        meaning = "that support one of the frameworks compared"
    if section.by is not None:
        unit = UNITS[figure.weight]
        text = (
            f"Shares are of the {unit} of each group {meaning} (Total), by "
            f"{DEFINITION_LABELS[figure.definition]}. Coverage is Total's share of all {unit} of "
            "the group."
        )
        if figure.weight == "authors":
            text += " An author counts once in each group, so the groups can add up to more."
        return text
    those = {"models": "those", "downloads": "those of models", "authors": "those with models"}
    return (
        f"The shares describe {_format_coverages(described)} of the {_format_population(figure)}: "
        f"{those[figure.weight]} {meaning}."
    )


def format_totals(section: Section) -> str | None:
    """Return the total of each column of a cross table of shares, and its coverage.

    None where a column has several totals, other than those of frameworks and of formats.
    """
    column = (section.pivot or {})["columns"]
    rows = [row for row in section.rows if row.keys() >= {column, "denominator", "coverage"}]
    parts = split_formats(rows) if section.query == "formats" else [rows]
    if column == "observed_at":
        labels = section.snapshot_labels
        parts = [[{**row, column: labels[row["snapshot"]]} for row in part] for part in parts]
    texts = [_list_totals(part, column, section.formats.get(column)) for part in parts]
    if not all(texts):
        return None
    names = ("Totals", "Totals of formats")
    return " ".join(
        f"{name}: {text}." for name, text in zip(names, dict.fromkeys(texts), strict=False)
    )


def _list_totals(rows: Sequence[Row], column: str, kind: str | None) -> str | None:
    totals = {(row[column], row["denominator"], row["coverage"]) for row in rows}
    if len({name for name, *_ in totals}) < len(totals):
        return None
    return "; ".join(
        f"{format_value(kind, name)}: {format_number(total)}"
        + (f" (coverage {format_percent(coverage)})" if coverage != 1 else "")
        for name, total, coverage in sorted(totals, key=lambda item: str(item[0]).zfill(20))
    )


def format_low_coverage(section: Section, frameworks: Mapping[str, str]) -> str | None:
    """Return a warning where the section's shares describe a small part of its population."""
    figure = next(iter(_described_figures(section.figures, frameworks)), None)
    if figure is None or (figure.coverage or 0.0) >= _LOW_COVERAGE:
        return None
    return (
        f"LOW COVERAGE: the shares describe only {format_percent(figure.coverage)} of the "
        f"{_format_population(figure)}. They may not hold for the others."
    )


def _described_figures(figures: Sequence[Figure], frameworks: Mapping[str, str]) -> list[Figure]:
    """Return the figures whose coverage is that of a section.

    Of one framework, the shares describe the models of which it is known; of several, those that
    support one of them.
    """
    name = "none" if len(frameworks) == 1 else "exclusive"
    return [figure for figure in figures if figure.name == name and figure.coverage is not None]


def _format_coverages(figures: Sequence[Figure]) -> str:
    """Return the coverage of the first figure; of a section that varies, the lowest and highest."""
    if len({(figure.definition, figure.frameworks, figure.weight) for figure in figures}) == 1:
        return format_percent(figures[0].coverage)
    values = [figure.coverage or 0.0 for figure in figures]
    return format_range(min(values), max(values))


def _format_population(figure: Figure) -> str:
    unit = UNITS[figure.weight]
    when = "in the snapshot"
    if figure.covered:
        is_created = figure.population == "created"
        when = (
            f"created {figure.covered.span}" if is_created else f"existing {figure.covered.at_end}"
        )
    if count := figure.exclude_top_authors:
        when += f", without the {format_top(count, 'largest author')}"
    return f"{unit} {when}"


def _format_single(report: Report, title: str, when: str) -> str:
    """Return how many models support the only framework compared, and how many do not."""
    available, none = (
        next(figure for figure in headline_figures(report) if figure.name == name)
        for name in ("available", "none")
    )
    population = f"Of the {_format_population_size(none)} {when}, "
    if none.coverage != 1:
        verb = {"models": "have", "downloads": "are of models with", "authors": "have models with"}
        population += (
            f"{format_number(none.denominator)} ({format_percent(none.coverage)}) "
            f"{verb[none.weight]} {KNOWN_EVIDENCE[none.definition]}. Of these, "
        )
    # both add up to all, so the error is the same
    share = format_share(replace(none, numerator=available.numerator))
    supporting = f"{format_number(available.numerator)} ({share})"
    others = f"{format_number(none.numerator)} ({format_share(none)})"
    # a model without the tag may support the framework
    support = f"have the tag {title}" if none.definition == "tag" else f"support {title}"
    if none.weight == "authors":
        return f"{population}{supporting} have models that {support}, {others} have none"
    subject = "are of models that " * (none.weight == "downloads")
    return f"{population}{supporting} {subject}{support}, {others} {subject}do not"


def _format_comparison(report: Report) -> str:
    """Return each share of the first report beside that of the second."""

    def cell(row: Row, column: str) -> str:
        return format_cell(row, column, report.headline, report)

    headings = report.headline.columns or {}
    parts = "; ".join(
        f"{class_label(row['name'], row['framework'], report.frameworks)} from "
        f"{cell(row, 'share')} of {format_number(int(row['denominator'] or 0))} to "
        f"{cell(row, 'compared_share')} of "
        f"{format_number(int(row['compared_denominator'] or 0))} "
        f"({cell(row, 'points')} points)"
        for row in report.headline.rows
    )
    return f"{headings['share']} and {headings['compared_share']}: {parts}."
