"""The taxonomy in Python: one model at a time, with the evidence. Equal to `masks_sql`."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from hfscan.errors import InvalidRequestError
from hfscan.frameworks.taxonomy import Definition, Rule, Taxonomy, literals, pattern, taxonomy


@dataclass(frozen=True)
class Evidence:
    """Why a model supports a framework (a key of the taxonomy) under a definition.

    `citation` is the source of a rule, None for what the taxonomy alone says.
    """

    definition: Definition
    framework: str
    description: str
    citation: str | None = None


@dataclass(frozen=True)
class Classification:
    """The frameworks that a model supports under each definition, as keys of the taxonomy.

    `weights` is None if its file names are unknown, `tag` if its tags are, `best` if its file names
    are and no tag names weights, and `loadable` if its tags are, or if file names that are unknown
    could decide. `evidence` has at least one item for each framework and definition; what holds
    under `tag` or `weights` holds under `loadable`, without evidence of its own.
    """

    tag: frozenset[str] | None
    weights: frozenset[str] | None
    loadable: frozenset[str] | None
    best: frozenset[str] | None
    evidence: tuple[Evidence, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True)
class _Model:
    id: str
    tags: frozenset[str]
    library: str | None
    files: tuple[str, ...]
    paths: str  # the files in lower case, joined by newlines
    architectures: tuple[str, ...]
    model_type: str | None
    has_files: bool
    """whether the file names are known"""

    @cached_property
    def libraries(self) -> frozenset[str]:
        """The library; without a library_name, the tags may name it."""
        return self.tags if self.library is None else frozenset([self.library])

    @cached_property
    def words(self) -> frozenset[str]:
        """The tags and the library."""
        return self.tags if self.library is None else self.tags | {self.library}

    def is_uncertain_name(self, globs: tuple[str, ...]) -> bool:
        """Return whether the repository's name raises a doubt that only file names could settle."""
        return bool(globs) and not self.has_files and bool(re.search(pattern(globs), self.id))

    def find_file(self, globs: tuple[str, ...]) -> str | None:
        if not any(text in self.paths for text in literals(globs)):
            return None
        match = re.search(pattern(globs), self.paths)
        return match and self.files[self.paths.count("\n", 0, match.end())]


def classify(model: Mapping[str, Any], *, transformers: int | None = None) -> Classification:
    """Return the frameworks that `model`, an object of the Hub's API, supports, with the evidence.

    Reads `id`, `tags`, `library_name`, `siblings` (names or objects) and `config`. `transformers`:
    the release that `loadable` assumes, a key of `Taxonomy.releases`; by default the newest. Raises
    InvalidRequestError where `model` is no such object.
    """
    _check_model(model)
    known = taxonomy()
    siblings = model.get("siblings")
    names = [file if isinstance(file, str) else file["rfilename"] for file in siblings or ()]
    files = tuple(
        line  # a name with a line break counts as two
        for name in _exclude_not_weights(known, names)
        for line in name.split("\n")
    )
    config = model.get("config") or {}
    facts = _Model(
        (model.get("id") or model.get("modelId") or "").lower(),
        frozenset(model.get("tags") or ()),
        model.get("library_name"),
        files,
        "\n".join(files).lower(),
        tuple(config.get("architectures") or ()),
        config.get("model_type"),
        siblings is not None,
    )
    tag = list(_by_tag(known, facts))
    weights = list(_by_weights(known, facts)) if siblings is not None else []
    supported = _frameworks(tag) | _frameworks(weights)
    has_tags = model.get("tags") is not None  # without, the library may be unknown
    loadable = None
    if has_tags:
        loadable = _by_loadable(known, facts, supported, transformers or max(known.releases))
    best = list(_by_best(known, facts, weights, tag))
    return Classification(
        _frameworks(tag) if has_tags else None,
        None if siblings is None else _frameworks(weights),
        None if loadable is None else supported | _frameworks(loadable),
        _frameworks(best) if siblings is not None or _frameworks(best) & known.weights else None,
        (*tag, *weights, *(loadable or ()), *best),
    )


def _check_model(model: object) -> None:
    """Raise InvalidRequestError unless `model` has the types of the Hub's API."""
    if not isinstance(model, Mapping):
        raise InvalidRequestError(
            f"classify takes a model as an object of the Hub's API (a dict), not {model!r}."
        )
    for name, (type_, words) in _TYPES.items():
        value = model.get(name)
        if value is not None and (
            isinstance(value, str) != (type_ is str) or not isinstance(value, type_)
        ):
            raise InvalidRequestError(f"{name} of a model is {words}, not {value!r}.")


_TYPES: Mapping[str, tuple[type, str]] = {
    "id": (str, "a text"),
    "tags": (Collection, "a list of texts"),
    "library_name": (str, "a text"),
    "siblings": (Collection, "a list of files"),
    "config": (Mapping, "a dict"),
}
"""Field of a model -> its type, and that type in words."""


def _exclude_not_weights(known: Taxonomy, names: list[str]) -> Iterator[str]:
    """Yield the names of files that may be weights, without e.g. the state of an optimizer."""
    paths = "\n".join(names).lower()
    # the regular expression is slow, and few models have a file that contains one of these
    texts = [text for text in literals(known.not_weights) if text in paths]
    not_weights = re.compile(pattern(known.not_weights))
    for name in names:
        path = name.lower()
        if not (any(text in path for text in texts) and not_weights.search(path)):
            yield name


def _by_tag(known: Taxonomy, model: _Model) -> Iterator[Evidence]:
    for framework in known.frameworks:
        for tag in framework.tags:
            if tag in model.tags:
                yield Evidence("tag", framework.key, f"tag {tag}")


def _by_weights(known: Taxonomy, model: _Model) -> Iterator[Evidence]:
    evidence = [
        Evidence("weights", framework.key, f"file {file}")
        for framework in known.frameworks
        if (file := model.find_file(framework.files))
    ]
    evidence += _by_rules(known, "weights", model, _frameworks(evidence))
    evidence += _parent_frameworks(known, "weights", _frameworks(evidence))
    yield from evidence
    if not _frameworks(evidence) & known.weights:
        yield from _by_rules(known, "weights", model, frozenset(), fallback=True)


def _by_loadable(
    known: Taxonomy, model: _Model, supported: frozenset[str], release: int
) -> list[Evidence] | None:
    """Return what the rules add, or None where they might add more if more were known."""

    def apply_rules(*, certain: bool) -> list[Evidence]:
        rules = _by_rules(known, "loadable", model, supported, release=release, certain=certain)
        evidence = list(rules)
        parents = _parent_frameworks(known, "loadable", supported | _frameworks(evidence))
        return [*evidence, *parents]

    least, most = apply_rules(certain=True), apply_rules(certain=False)
    found = supported | _frameworks(least)
    if found != supported | _frameworks(most) or not (model.has_files or found & known.decisive):
        return None
    return [item for item in least if item.citation is not None or item.framework not in supported]


def _by_best(
    known: Taxonomy,
    model: _Model,
    weights: list[Evidence],
    tag: list[Evidence],
) -> Iterator[Evidence]:
    """Yield the evidence of the files, or where they name no framework, of library and tags too."""
    found = _frameworks(weights)
    if model.has_files and (found & known.decisive or not found & known.weights):
        yield from (replace(item, definition="best") for item in weights)
        return
    evidence = [replace(item, definition="best") for item in (*weights, *tag)]
    evidence += _by_rules(known, "best", model, _frameworks(evidence))
    evidence += _parent_frameworks(known, "best", _frameworks(evidence))
    yield from evidence
    if not _frameworks(evidence) & known.decisive:
        yield from _by_rules(known, "best", model, _frameworks(evidence), fallback=True)


def _by_rules(
    known: Taxonomy,
    definition: Definition,
    model: _Model,
    formats: frozenset[str],
    *,
    fallback: bool = False,
    release: int | None = None,
    certain: bool = True,
) -> Iterator[Evidence]:
    for rule in known.rules:
        if definition not in rule.definitions or rule.fallback != fallback:
            continue
        if rule.transformers not in (None, release):
            continue
        description = _matching_evidence(known, rule, formats, model, certain=certain)
        if description is None:
            continue
        supported = rule.supports
        if rule.supports_library:
            supported = tuple(
                framework.key
                for framework in known.writers
                if model.libraries & set(framework.libraries)
            )
        for key in supported:
            yield Evidence(definition, key, description, rule.source)


def _matching_evidence(
    known: Taxonomy, rule: Rule, formats: frozenset[str], model: _Model, *, certain: bool
) -> str | None:
    """Return the evidence that fulfils each condition of the rule, None if any is missing.

    Not `certain`: a condition that is not known to fail counts as fulfilled.
    """
    if not model.words.isdisjoint(rule.unless_tags):
        return None
    if certain and model.is_uncertain_name(rule.uncertain_names):
        return None
    evidence = [
        _join(found.intersection(named))
        for named, found in (
            (rule.formats, formats),
            (rule.libraries, model.libraries),
            (rule.tags, model.words),
        )
        if named
    ]
    if not all(evidence) or model.find_file(rule.unless_files):
        return None
    globs = [rule.files, rule.with_files, rule.files_if_known if model.has_files else ()]
    if certain or model.has_files:
        for file in (model.find_file(some) for some in globs if some):
            evidence.append(f"file {file}" if file else "")
    if rule.architecture is not None:
        evidence.append(_supported_classes(known, rule.architecture, model, certain=certain))
    if rule.has_architectures:
        evidence.append(", ".join(model.architectures))
    if not all(evidence):
        return None
    if not rule.libraries and model.library:
        evidence.append(model.library)
    return "; ".join(evidence)


def _join(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))


def _supported_classes(known: Taxonomy, framework: str, model: _Model, *, certain: bool) -> str:
    """Return the model's architectures that transformers has a class for, '' for none.

    Without architectures: its model type and task; not `certain`: its model type, without a task.
    """
    has = known.architectures[framework]
    if model.architectures:
        return ", ".join(name for name in model.architectures if name in has.classes)
    types = model.tags if model.model_type is None else frozenset([model.model_type])
    if not certain and not model.tags & known.tasks:
        return _join(types & set(has.model_types))
    return _join(
        f"{model_type} {task}"
        for head in has.heads
        for model_type in types.intersection(head["model_types"])
        for task in model.tags.intersection(head["tasks"])
    )


def _parent_frameworks(
    known: Taxonomy, definition: Definition, supported: frozenset[str]
) -> Iterator[Evidence]:
    for framework in known.frameworks:
        if framework.parent and framework.key in supported:
            yield Evidence(definition, framework.parent, f"{framework.title} is its own")


def _frameworks(evidence: list[Evidence]) -> frozenset[str]:
    return frozenset(item.framework for item in evidence)
