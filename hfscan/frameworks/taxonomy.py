"""taxonomy.toml, rules.toml and architectures.toml as Python values."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_args

Definition = Literal["tag", "weights", "loadable", "best"]

DEFAULT_DEFINITION: Definition = "best"
"""Of reports and figures for which none is requested: it leaves the fewest models unknown."""

DEFINITIONS: tuple[Definition, ...] = get_args(Definition)
"""The evidence rules by which a model supports a framework: see taxonomy.toml."""

Kind = Literal["framework", "runtime", "format", "artefact"]

_HERE = Path(__file__).parent
_FILES = ("taxonomy.toml", "rules.toml", "architectures.toml")


@dataclass(frozen=True)
class Framework:
    """A framework, format, runtime or artefact, as taxonomy.toml declares it."""

    key: str
    title: str
    kind: Kind
    bit: int
    parent: str | None = None
    tags: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """Evidence that only counts together; see rules.toml."""

    definitions: tuple[str, ...]
    supports: tuple[str, ...]
    source: str
    formats: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    with_files: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    architecture: str | None = None
    has_architectures: bool = False
    files_if_known: tuple[str, ...] = ()
    transformers: int | None = None
    fallback: bool = False
    unless_tags: tuple[str, ...] = ()
    unless_files: tuple[str, ...] = ()
    uncertain_names: tuple[str, ...] = ()

    @property
    def supports_library(self) -> bool:
        """True if it supports the frameworks that the model's library writes weights with."""
        return self.supports == ("library",)


@dataclass(frozen=True)
class Architectures:
    """The model types and classes that transformers has for a framework other than PyTorch."""

    model_types: tuple[str, ...]
    classes: tuple[str, ...]
    heads: tuple[Mapping[str, list[str]], ...]
    """`tasks` of the Hub, and `model_types` that have a class for them"""


@dataclass(frozen=True)
class Taxonomy:
    """All frameworks in the order of their bits, the rules, and what is no evidence."""

    frameworks: tuple[Framework, ...]
    rules: tuple[Rule, ...]
    not_weights: tuple[str, ...]
    other_endings: tuple[str, ...]  # endings of files that are never weights
    neutral: dict[str, tuple[str, ...]]  # reason why they are no evidence -> libraries
    architectures: dict[str, Architectures]  # framework -> its classes in transformers
    releases: Mapping[int, date]  # of transformers -> day of the first final one

    @cached_property
    def writers(self) -> tuple[Framework, ...]:
        """Those whose libraries write safetensors: the kind `framework`."""
        return tuple(framework for framework in self.frameworks if framework.kind == "framework")

    @property
    def titles(self) -> dict[str, str]:
        """Framework -> title, in the order of their bits."""
        return {framework.key: framework.title for framework in self.frameworks}

    @cached_property
    def names_by_tag(self) -> dict[str, str]:
        """Tag of the Hub -> the framework that has it."""
        return {tag: framework.key for framework in self.frameworks for tag in framework.tags}

    @cached_property
    def tasks(self) -> frozenset[str]:
        """The Hub's tasks that decide which class transformers loads."""
        return frozenset(
            task
            for has in self.architectures.values()
            for head in has.heads
            for task in head["tasks"]
        )

    @cached_property
    def decisive(self) -> frozenset[str]:
        """What says which software a model's weights belong to: frameworks and runtimes."""
        return self._keys_of_kind("framework", "runtime")

    @cached_property
    def weights(self) -> frozenset[str]:
        """Everything that is a model's weights: frameworks, runtimes and formats."""
        return self._keys_of_kind("framework", "runtime", "format")

    @property
    def names(self) -> dict[str, set[str]]:
        """The libraries, tags and file endings that the taxonomy knows: kind -> names."""
        sources: list[Framework | Rule] = [*self.frameworks, *self.rules]
        libraries = {name for names in self.neutral.values() for name in names}
        libraries.update(name for source in sources for name in source.libraries)
        tags = {name for source in sources for name in source.tags}
        tags.update(name for rule in self.rules for name in rule.unless_tags)
        globs = [glob for source in sources for glob in source.files]
        matches = (re.search(r"\.(\w+)\*?$", glob) for glob in (*globs, *self.not_weights))
        endings = {match[1].lower() for match in matches if match}
        return {
            "library": libraries,
            "tag": tags | libraries,
            "ending": endings.union(self.other_endings),
        }

    def bits(self, keys: Iterable[str]) -> int:
        """Return the mask of the frameworks `keys`."""
        wanted = set(keys)
        return sum(1 << framework.bit for framework in self.frameworks if framework.key in wanted)

    def _keys_of_kind(self, *kinds: str) -> frozenset[str]:
        return frozenset(known.key for known in self.frameworks if known.kind in kinds)


@cache
def taxonomy() -> Taxonomy:
    """Return the taxonomy that comes with hfscan."""
    data, rules, known = map(_read, _FILES)
    frameworks = [Framework(**_lists_to_tuples(table)) for table in data["framework"]]
    return Taxonomy(
        tuple(sorted(frameworks, key=lambda framework: framework.bit)),
        tuple(Rule(**_lists_to_tuples(_expand(table, rules["groups"]))) for table in rules["rule"]),
        tuple(data["not_weights"]["files"]),
        tuple(data["not_weights"]["endings"]),
        _lists_to_tuples(data["neutral"]),
        {
            name: Architectures(**_lists_to_tuples(table))
            for name, table in known.items()
            if isinstance(table, dict)
        },
        {int(release): day for release, day in rules["transformers"].items()},
    )


def newest_transformers(day: date) -> int:
    """Return the newest release of transformers on a day that `loadable` distinguishes."""
    releases = taxonomy().releases
    return max((key for key, since in releases.items() if since <= day), default=min(releases))


@cache
def fingerprint() -> str:
    """Return 16 hex digits that change with any change in the taxonomy's files."""
    digest = sha256(repr([_read(name) for name in _FILES]).encode())
    return digest.hexdigest()[:16]


@cache
def pattern(globs: tuple[str, ...]) -> str:
    """Return one regular expression, for RE2 and `re`, that finds a path that matches a glob.

    For paths in lower case, joined by newlines. A glob that begins with a / matches a path from its
    beginning, others its end.
    """
    return "(?m)" + "|".join(map(_glob_to_regex, globs))


@cache
def literals(globs: tuple[str, ...]) -> tuple[str, ...]:
    """Return the longest literal part of each glob: a path that matches contains one of them.

    Without those that contain another.
    """
    parts = (re.split(r"[*?]", glob.removeprefix("/").lower()) for glob in globs)
    texts = {max(some, key=len) for some in parts}
    return tuple(
        sorted(text for text in texts if not any(other in text for other in texts - {text}))
    )


def _glob_to_regex(glob: str) -> str:
    start, end = "^" if glob.startswith("/") else "(?:^|/)", "" if glob.endswith("/") else "$"
    special = {"*": "[^/\n]*", "?": "[^/\n]"}
    path = "".join(special.get(char) or re.escape(char) for char in glob.lower().removeprefix("/"))
    return start + path + end


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((_HERE / name).read_text(encoding="utf-8"))


def _expand(rule: dict[str, Any], groups: dict[str, list[str]]) -> dict[str, Any]:
    """Return the rule with the words of a group in place of "@NAME"."""

    def words(value: list[str]) -> list[str]:
        return [
            word
            for item in value
            for word in (groups[item[1:]] if item.startswith("@") else [item])
        ]

    return {key: words(value) if isinstance(value, list) else value for key, value in rule.items()}


def _lists_to_tuples(table: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
