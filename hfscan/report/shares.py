"""Say of what the shares of a trend are: their total, the definition and the coverage."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from hfscan.choices import Weight
from hfscan.frameworks import Definition, taxonomy
from hfscan.report.format import DEFINITION_LABELS, any_framework, is_format, split_formats
from hfscan.report.model import Row
from hfscan.report.sentences import EVIDENCE, UNITS, describe_dropped

_KNOWN = {
    "tag": "whose tags are known",
    "weights": "whose file names are known",
    "loadable": "of which it is known what can load them",
    "best": "whose file names are known, or whose tags name a framework or format",
}
"""Definition -> the models whose formats are known."""

_FRAMEWORK_KNOWN = {**_KNOWN, **dict.fromkeys(("weights", "best"), "whose frameworks are known")}
"""Definition -> those of which it is known whether they support a framework."""


def explain_shares(
    measure: str,
    definitions: Sequence[Definition],
    titles: Mapping[str, str],
    population: str,
    *,
    weight: Weight = "models",
    transformers: int | None = None,
    rows: Collection[Row] = (),
) -> str:
    """Return of what the shares of a measure are, in sentences.

    `measure`: exclusivity, formats or breakdown. `titles`: framework compared -> title.
    `population`: which models there are, such as "created in the year". `transformers`: the release
    that the definition loadable assumes. `rows`: those of formats.
    """
    if measure == "breakdown":
        return (
            f"Shares are of all models {population} (Total). Each model is in one class, by its "
            "best evidence."
        )
    models = f"{UNITS[weight]} {population}"
    is_single = len(titles) == 1
    if measure == "formats" or is_single:
        known = "with known evidence"
        if len(definitions) == 1:
            names_formats = any(is_format(row["framework"]) for row in rows)
            known = (_KNOWN if names_formats else _FRAMEWORK_KNOWN)[definitions[0]]
        total = f"{models} {known}"
    else:
        total = f"{models} that support {any_framework(list(titles.values()))}"
    parts = [f"Shares are of the {total} (Total). Coverage is Total's share of all {models}."]
    if weight == "authors" and not is_single:
        parts.append(
            f"Each author counts once, divided equally among the author's such models {population}."
        )
    if measure == "formats":
        parts += _describe_left_out(rows, definitions, " (Total of formats)")
        parts.append("A model can have several, so that shares can add up to more than 100 %.")
    for definition in definitions:
        assumed = f", with transformers {transformers}" if definition == "loadable" else ""
        label = DEFINITION_LABELS[definition].capitalize()
        release = transformers if definition == "loadable" else None
        dropped = describe_dropped(release, titles)
        parts.append(f"{label}: a model counts {EVIDENCE[definition]}{assumed}.{dropped}")
    return " ".join(parts)


def explain_formats_total(rows: Collection[Row], definition: Definition) -> str:
    """Return which models the total of rows of formats is, in sentences."""
    known = f"Total: the models {_KNOWN[definition]}."
    return " ".join([known, *_describe_left_out(rows, (definition,))])


def _describe_left_out(
    rows: Collection[Row], definitions: Sequence[Definition], where: str = ""
) -> Iterator[str]:
    """Yield which models the totals of formats leave out. `where`: the name of their total."""
    totals = [{row["denominator"] for row in part} for part in split_formats(rows)]
    if len(totals) > 1 and totals[0] != totals[1]:
        yield f"Models with weights of an unknown framework count only for formats{where}."
    shown = {row["framework"] for row in rows}
    for artefact in taxonomy().frameworks:
        is_tagged = artefact.kind == "artefact" and artefact.tags and artefact.key in shown
        if is_tagged and {"best", "loadable"} & set(definitions):
            yield (
                f"{artefact.title} do not make a framework or format known: models of unknown "
                "file names whose tags name these alone are not counted."
            )
