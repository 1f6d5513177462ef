"""The taxonomy in Python: one model at a time, with the evidence. Equal to `masks_sql`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hfscan.frameworks.taxonomy import Definition, Rule, Taxonomy, pattern, taxonomy


@dataclass(frozen=True)
class Reason:
    """Why a model serves a framework (a key of the taxonomy) under a definition.

    `source` is what a rule rests on, None where the taxonomy alone says it.
    """

    definition: Definition
    framework: str
    because: str
    source: str | None = None


@dataclass(frozen=True)
class Classification:
    """The frameworks that a model serves under each definition, as keys of the taxonomy.

    `weights` is None where its file names are not known, `tag` and `loadable` where its tags are
    not. `reasons` say why, one or more for each
    framework and definition; what holds under `tag` or `weights` holds under `loadable`.
    """

    tag: frozenset[str] | None
    weights: frozenset[str] | None
    loadable: frozenset[str] | None
    reasons: tuple[Reason, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True)
class _Evidence:
    tags: frozenset[str]
    library: str | None
    files: tuple[str, ...]
    paths: str
    """the files in lower case, joined by newlines"""
    architectures: tuple[str, ...]
    model_type: str | None

    @property
    def libraries(self) -> frozenset[str]:
        """Without a library_name, the tags may still name the library."""
        return self.tags if self.library is None else frozenset([self.library])

    def file(self, globs: tuple[str, ...]) -> str | None:
        """Return a file that fits one of the globs."""
        found = re.search(pattern(globs), self.paths) if globs else None
        return found and self.files[self.paths.count("\n", 0, found.end())]


def classify(model: Mapping[str, Any]) -> Classification:
    """Return what `model`, an object as the Hub's API gives it, serves, and why.

    Reads `tags`, `library_name`, `siblings` (names or objects) and `config`.
    """
    known = taxonomy()
    siblings = model.get("siblings")
    names = (one if isinstance(one, str) else one["rfilename"] for one in siblings or ())
    not_weights = re.compile(pattern(known.not_weights))
    files = tuple(
        line  # a name with a newline in it is read as two
        for name in names
        if not not_weights.search(name.lower())
        for line in name.split("\n")
    )
    config = model.get("config") or {}
    evidence = _Evidence(
        frozenset(model.get("tags") or ()),
        model.get("library_name"),
        files,
        "\n".join(files).lower(),
        tuple(config.get("architectures") or ()),
        config.get("model_type"),
    )
    tag = list(_by_tag(known, evidence))
    weights = list(_by_weights(known, evidence)) if siblings is not None else []
    seen = _keys(tag) | _keys(weights)
    has_tags = model.get("tags") is not None  # without, the library may be hidden
    loadable = list(_by_use(known, evidence, seen)) if has_tags else []
    return Classification(
        _keys(tag) if has_tags else None,
        None if siblings is None else _keys(weights),
        seen | _keys(loadable) if has_tags else None,
        (*tag, *weights, *loadable),
    )


def _by_tag(known: Taxonomy, evidence: _Evidence) -> Iterator[Reason]:
    for one in known.frameworks:
        for tag in one.tags:
            if tag in evidence.tags:
                yield Reason("tag", one.key, f"tag {tag}")


def _by_weights(known: Taxonomy, evidence: _Evidence) -> Iterator[Reason]:
    files = [
        Reason("weights", one.key, f"file {file}")
        for one in known.frameworks
        if (file := evidence.file(one.files))
    ]
    found = [*files, *_by_rules(known, "weights", evidence, _keys(files))]
    yield from found
    yield from _owners(known, "weights", _keys(found))


def _by_use(known: Taxonomy, evidence: _Evidence, seen: frozenset[str]) -> Iterator[Reason]:
    found = list(_by_rules(known, "loadable", evidence, seen))
    yield from found
    owners = _owners(known, "loadable", seen | _keys(found))
    yield from (one for one in owners if one.framework not in seen)


def _by_rules(
    known: Taxonomy, definition: Definition, evidence: _Evidence, formats: frozenset[str]
) -> Iterator[Reason]:
    for rule in known.rules:
        if rule.definition != definition:
            continue
        because = _because(known, rule, formats, evidence)
        if because is None:
            continue
        served = rule.serves
        if served == ("library",):
            served = tuple(
                one.key for one in known.frameworks if evidence.libraries & set(one.libraries)
            )
        for key in served:
            yield Reason(definition, key, because, rule.source)


def _because(
    known: Taxonomy, rule: Rule, formats: frozenset[str], evidence: _Evidence
) -> str | None:
    """Return which evidence fulfils the rule, None where some is missing."""
    told = []
    if rule.formats:
        told.append(", ".join(sorted(formats & set(rule.formats))))
    if rule.files:
        file = evidence.file(rule.files)
        told.append(f"file {file}" if file else "")
    if rule.libraries:
        told.append(", ".join(sorted(evidence.libraries & set(rule.libraries))))
    if rule.architecture is not None:
        told.append(_class(known, rule.architecture, evidence))
    if not all(told):
        return None
    if not rule.libraries and evidence.library:
        told.append(evidence.library)
    return "; ".join(told)


def _class(known: Taxonomy, framework: str, evidence: _Evidence) -> str:
    """Return which of the model's architectures transformers has a class for, '' for none."""
    have = known.architectures[framework]
    if evidence.architectures:
        found = [one for one in evidence.architectures if one in have.classes]
    elif evidence.model_type is not None:
        found = [evidence.model_type] if evidence.model_type in have.model_types else []
    else:
        found = sorted(evidence.tags & set(have.model_types))
    return ", ".join(found)


def _owners(known: Taxonomy, definition: Definition, served: frozenset[str]) -> Iterator[Reason]:
    for one in known.frameworks:
        if one.parent and one.key in served:
            yield Reason(definition, one.parent, f"{one.title} is its own")


def _keys(reasons: list[Reason]) -> frozenset[str]:
    return frozenset(one.framework for one in reasons)
