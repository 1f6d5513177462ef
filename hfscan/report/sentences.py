"""Write the sentences of a report: the answer, its coverage, and where the numbers come from."""

from collections.abc import Iterable, Mapping, Sequence

from hfscan.figures import Figure
from hfscan.report.caveats import NO_INTERVAL
from hfscan.report.format import (
    DEFINITION_LABELS,
    breakdown_label,
    class_label,
    figure_label,
    format_cell,
    format_date,
    format_number,
    format_percent,
    format_range,
    format_share,
    format_value,
)
from hfscan.report.model import Report, Row, Section
from hfscan.store import Snapshot
from hfscan.text import format_count

_EVIDENCE = {
    "tag": "if the Hub tags it so",
    "weights": "if it has weight files for that framework",
    "loadable": "if that framework can load it without conversion",
    "best": "if its weight files say so, or where these are unknown or name no framework, its "
    "library and tags",
}
"""Definition -> the evidence that a model supports a framework."""

_UNITS = {
    "models": "models", "downloads": "30-day downloads of models", "authors": "authors of models",
}  # fmt: skip
"""Weight -> what a figure counts."""


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
        return f"The Hub has no creation dates for {period.name}.{_format_interval(report)}"
    when = f"created {period.span}" if period else "in the snapshot"
    if not shares:
        return _format_classes(report, when)
    titles = list(report.frameworks.values())
    frameworks = any_framework(titles)
    if not shares[0].denominator:
        counted = "" if shares[0].weight != "downloads" else " with known downloads"
        return (
            f"No model {when}{counted} is known to support {frameworks}.{_format_interval(report)}"
        )
    if len(titles) == 1:
        return f"{_format_single(report, titles[0], when)}."
    parts = _join(
        f"{format_number(figure.numerator)} ({format_share(figure)}) support "
        f"{figure_label(figure, report.frameworks)}"
        for figure in shares
    )
    described = f"{format_number(shares[0].denominator)} ({format_percent(shares[0].coverage)})"
    return (
        f"Of the {_format_total(report)}{_format_unit(shares[0])} {when}, {described} support "
        f"{frameworks}. Of these, {parts}."
    )


def _format_conditions(report: Report) -> str:
    """Return when a model counts and which are left out, in sentences after the answer."""
    if report.text:
        return ""
    definition = _format_definition(report)
    if report.compared_with:
        return (
            f" Total: models that support {any_framework(list(report.frameworks.values()))}. "
            f"{definition} Not counted: models deleted before the snapshot."
            f"{_format_estimate(report)}"
        )
    shares = _headline_shares(report)
    if (report.period and report.period.is_empty) or not (shares and shares[0].denominator):
        return ""
    excluded = []
    if shares[0].cutoff:
        excluded.append("models the Hub has no creation date for (older than 2 March 2022)")
    if count := report.request.exclude_top_authors:
        excluded.append(f"the {count} largest authors")
    day = format_date(report.snapshot.observed_to)
    excluded.append(f"models deleted before the snapshot of {day}")
    return (
        f" {definition}{_format_tagged(report)} Not counted: {_join(excluded)}."
        f"{_format_interval(report)}{_format_estimate(report)}"
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
    """Return that the shares of the headline are of a sample, where they have no interval."""
    sentence = f"{NO_INTERVAL}."
    return f" {sentence}" if sentence in report.headline.paragraphs else ""


def _format_classes(report: Report, when: str) -> str:
    """Return the largest classes of a breakdown; of another section without figures its title."""
    section = report.headline
    if section.query != "breakdown":
        return f"{section.title}."
    rows = [row for row in section.rows if row["group"] is None]
    largest = sorted(rows, key=lambda row: -row["numerator"])[:4]
    parts = _join(
        f"{breakdown_label(row['class'], report.titles)} {format_number(row['numerator'])} "
        f"({format_cell(row, 'share', section, report)})"
        for row in largest
    )
    total = rows[0]["denominator"]
    return f"Of the {format_number(total)} {'model' if total == 1 else 'models'} {when}: {parts}."


def _format_total(report: Report) -> str:
    """Return the number of models in the population, with a space after it; "" if it is unknown."""
    request = report.request
    if not report.breakdown or request.weight != "models" or request.exclude_top_authors:
        return ""
    return f"{format_number(report.breakdown[0]['denominator'])} "


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


def any_framework(titles: Sequence[str]) -> str:
    """Return "PyTorch or TensorFlow"; of many, their number."""
    return " or ".join(titles) if len(titles) < 5 else f"one of {len(titles)} frameworks"


def _join(parts: Iterable[str]) -> str:
    """Return "a, b and c"."""
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


def _format_definition(report: Report) -> str:
    """Return when a model counts, as a sentence."""
    titles = list(report.frameworks.values())
    frameworks = " or ".join(titles) if len(titles) < 5 else "supporting a framework"
    evidence = _EVIDENCE[report.definition] + _format_release(report)
    return f"A model counts as {frameworks} {evidence}."


def _format_release(report: Report) -> str:
    """Return the release that the definition assumes; "" for none."""
    release = report.request.transformers if report.definition == "loadable" else None
    release = next((figure.transformers for figure in report.figures), release)
    return f", with transformers {release}" if release else ""


_LOW_COVERAGE = 0.25


def format_coverage(section: Section, frameworks: Mapping[str, str]) -> str | None:
    """Return what part of its population the shares of a section describe, as a sentence."""
    described = _described_figures(section.figures, frameworks)
    if not described or section.by is not None or section.vary_by == "weight":
        return None  # of groups and weights, other sections say it
    figure, meaning = described[0], "with known evidence"
    if section.vary_by and len(frameworks) > 1:
        meaning = "that support one of the frameworks compared"
    elif len(frameworks) > 1:
        meaning = f"that support {any_framework(list(frameworks.values()))}"
    those = "those" if figure.weight == "models" else "those of models"
    return (
        f"The shares describe {_format_coverages(described)} of the {_format_population(figure)}: "
        f"{those} {meaning}."
    )


def format_totals(section: Section) -> str | None:
    """Return the total of each column of a cross table of shares, and its coverage.

    None where a column has several totals.
    """
    column = (section.pivot or {})["columns"]
    totals = {(row[column], row["denominator"], row["coverage"]) for row in section.rows
              if row.keys() >= {column, "denominator", "coverage"}}  # fmt: skip
    if not totals or len({name for name, *_ in totals}) < len(totals):
        return None
    parts = (
        f"{format_value(section.formats.get(column), name)}: {format_number(total)}"
        + (f" (coverage {format_percent(coverage)})" if coverage != 1 else "")
        for name, total, coverage in sorted(totals, key=lambda item: str(item[0]).zfill(20))
    )
    return f"Totals: {'; '.join(parts)}."


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
    unit = _UNITS[figure.weight]
    when = "in the snapshot"
    if figure.covered:
        is_created = figure.population == "created"
        when = (
            f"created {figure.covered.span}" if is_created else f"existing {figure.covered.at_end}"
        )
    excluded = figure.exclude_top_authors
    return f"{unit} {when}{f', without the {excluded} largest authors' if excluded else ''}"


def _format_unit(figure: Figure) -> str:
    is_model = figure.weight == "models" and figure.denominator == 1
    return "model" if is_model else _UNITS[figure.weight]


def _format_single(report: Report, title: str, when: str) -> str:
    """Return how many models support the only framework compared, and how many do not."""
    available, none = (
        next(figure for figure in headline_figures(report) if figure.name == name)
        for name in ("available", "none")
    )
    return (
        f"Of the {format_number(none.denominator)} {_format_unit(none)} {when}, "
        f"{format_number(available.numerator)} support {title}, {format_number(none.numerator)} "
        f"({format_share(none)}) do not"
    )


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


def _format_interval(report: Report) -> str:
    """Return the first class as an interval that includes the models of unknown age."""
    request, period = report.request, report.period
    row = next((part.rows[0] for part in report.sections if part.query == "creation_cutoff"), None)
    if row is None or request.weight != "models" or request.exclude_top_authors:
        return ""
    label = class_label(row["name"], row["framework"], report.frameworks)
    is_empty = period is not None and period.is_empty
    scope = f"Of the models that may have been created in {request.year}"
    if not is_empty:
        scope += ", with those before the Hub recorded dates"
    low, high = format_number(row["models_min"]), format_number(row["models_max"])
    if low == high:
        return f" {scope}, {low} support {label}."
    shares = " to ".join(format_percent(row[key]) for key in ("share_min", "share_max"))
    return (
        f" {scope}, between {low} and {high} support {label} ({shares}). The creation date of "
        f"{format_number(row['undated'])} of them is unknown."
    )


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
    parts = (
        f"Snapshot {snapshot.id} of {format_date(snapshot.observed_to)}, "
        f"{format_count(snapshot.models, 'model')}."
        for snapshot in snapshots.values()
    )
    has_definition = report.figures or report.compared_with
    label = f"{DEFINITION_LABELS[report.definition]}{_format_release(report)}"
    return " ".join(parts) + (f" Definition: {label}." if has_definition else "")


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
