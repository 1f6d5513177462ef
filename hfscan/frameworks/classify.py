"""The taxonomy in Python: one model at a time, with the evidence. Equal to `masks_sql`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hfscan.frameworks.taxonomy import Rule, Taxonomy, pattern, taxonomy


@dataclass(frozen=True)
class Classification:
    """The frameworks that a model serves under each definition, as keys of the taxonomy.

    `weights` is None where its file names are not known.
    """

    tag: frozenset[str]
    weights: frozenset[str] | None
    usable: frozenset[str]


@dataclass(frozen=True)
class _Evidence:
    tags: frozenset[str]
    libraries: frozenset[str]
    files: str
    architectures: tuple[str, ...]
    model_type: str | None


def classify(model: Mapping[str, Any]) -> Classification:
    """Return what `model`, an object as the Hub's API gives it, serves.

    Reads `tags`, `library_name`, `siblings` (names or objects) and `config`.
    """
    known = taxonomy()
    tags = frozenset(model.get("tags") or ())
    library = model.get("library_name")
    siblings = model.get("siblings")
    names = [one if isinstance(one, str) else one["rfilename"] for one in siblings or ()]
    paths = [name.lower() for name in names]
    config = model.get("config") or {}
    evidence = _Evidence(
        tags,
        tags if library is None else frozenset([library]),
        "\n".join(path for path in paths if not re.search(pattern(known.not_weights), path)),
        tuple(config.get("architectures") or ()),
        config.get("model_type"),
    )
    tagged = {one.key for one in known.frameworks if tags & set(one.tags)}
    weights = None
    if siblings is not None:
        files = {one.key for one in known.frameworks if one.files and _has(evidence, one.files)}
        weights = _with_owners(known, files | _ruled(known, "weights", files, evidence))
    seen = tagged | (weights or set())
    usable = _with_owners(known, seen | _ruled(known, "usable", seen, evidence))
    return Classification(
        frozenset(tagged), None if weights is None else frozenset(weights), frozenset(usable)
    )


def _ruled(known: Taxonomy, definition: str, formats: set[str], evidence: _Evidence) -> set[str]:
    served: set[str] = set()
    for rule in known.rules:
        if rule.definition == definition and _holds(known, rule, formats, evidence):
            if rule.serves == ("library",):
                served |= {
                    one.key for one in known.frameworks if evidence.libraries & set(one.libraries)
                }
            else:
                served |= set(rule.serves)
    return served


def _holds(known: Taxonomy, rule: Rule, formats: set[str], evidence: _Evidence) -> bool:
    if rule.formats and not formats & set(rule.formats):
        return False
    if rule.files and not _has(evidence, rule.files):
        return False
    if rule.libraries and not evidence.libraries & set(rule.libraries):
        return False
    if rule.architecture is None:
        return True
    have = known.architectures[rule.architecture]
    if evidence.architectures:
        return not set(have.classes).isdisjoint(evidence.architectures)
    if evidence.model_type is not None:
        return evidence.model_type in have.model_types
    return not evidence.tags.isdisjoint(have.model_types)


def _with_owners(known: Taxonomy, served: set[str]) -> set[str]:
    return served | {one.of for one in known.frameworks if one.of and one.key in served}


def _has(evidence: _Evidence, globs: tuple[str, ...]) -> bool:
    return re.search(pattern(globs), evidence.files) is not None
