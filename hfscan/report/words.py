"""How figures are said: one way for every format."""

from hfscan.figures import Figure
from hfscan.report.plan import Report

FLOORS = {
    "excluded": "without models older than the Hub's dates",
    "included": "with models older than the Hub's dates",
    "only": "only models older than the Hub's dates",
}
"""What the creation floor does to a population: the Hub gives 2022-03-02T23:29 as the creation
time of every model older than that."""


DEFINITIONS = {
    "tag": "by the Hub's tags",
    "weights": "by their weight files",
    "usable": "by what can be loaded without converting",
}
"""What makes a model serve a framework."""


def percent(figure: Figure) -> str:
    """Return the share with one decimal; never 0 % or 100 % when it is not."""
    share = figure.share
    if share is None:
        return "-"
    if 0 < share < 0.0005:
        return "<0.1 %"
    if 0.9995 <= share < 1:
        return ">99.9 %"
    return f"{share:.1%}".replace("%", " %")


def printable(text: str) -> str:
    """Return the text without control codes: the Hub's text must not command a terminal."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def label(figure: Figure, names: dict[str, str]) -> str:
    """Return what the figure counts, for a column or row heading."""
    framework = names.get(figure.framework or "", "")
    return {
        "exclusive": f"{framework} only",
        "available": f"{framework} at all",
        "shared": "both" if len(names) == 2 else "several",
        "none": "neither" if len(names) == 2 else "none of them",
    }[figure.name]


def headline(report: Report) -> str:
    """Return the report's answer in one sentence, with every number's denominator."""
    section = report.headline
    main = [one for one in section.figures if one.floor in (None, "excluded")]
    shares = [one for one in main if one.name in ("exclusive", "shared")]
    parts = ", ".join(
        f"{one.numerator:,} ({percent(one)}) serve {label(one, report.names)}" for one in shares
    )
    frameworks = " or ".join(report.names.values())
    models = "model" if shares[0].denominator == 1 else "models"
    when = "that existed when observed" if report.year is None else f"created in {report.year}"
    floor = f", {FLOORS['excluded']}" if shares[0].floor else ""
    return (
        f"Of the {shares[0].denominator:,} {models} {when} that serve {frameworks}, {parts}: "
        f"{DEFINITIONS[report.definition]}, of the models that still existed when observed{floor}."
    )


def source(report: Report) -> str:
    """Return where the numbers come from, in one sentence."""
    one = report.source
    seen = f"{one.observed_from:%Y-%m-%d}"
    if one.observed_to.date() != one.observed_from.date():
        seen += f" to {one.observed_to:%Y-%m-%d}"
    models = "model" if one.models == 1 else "models"
    whole = {True: "complete", False: "partial", None: "completeness not stated"}[one.complete]
    return (
        f"Source {one.id}: {one.kind} of {one.origin}, observed {seen}, "
        f"{one.models:,} {models}, {whole}."
    )
