"""taxonomy.toml, rules.toml and architectures.toml as Python values."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_args

Definition = Literal["tag", "weights", "loadable"]

DEFINITIONS: tuple[Definition, ...] = get_args(Definition)
"""What makes a model serve a framework: see taxonomy.toml."""

_HERE = Path(__file__).parent
_FILES = ("taxonomy.toml", "rules.toml", "architectures.toml")


@dataclass(frozen=True)
class Framework:
    """A framework, format, runtime or artefact, as taxonomy.toml declares it."""

    key: str
    title: str
    kind: str
    bit: int
    parent: str | None = None
    tags: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """Evidence that only counts together; see rules.toml."""

    definition: str
    serves: tuple[str, ...]
    source: str
    formats: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    architecture: str | None = None


@dataclass(frozen=True)
class Architectures:
    """What transformers has classes for in a framework beside PyTorch."""

    model_types: tuple[str, ...]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Taxonomy:
    """All frameworks in the order of their bits, the rules, and what says nothing."""

    frameworks: tuple[Framework, ...]
    rules: tuple[Rule, ...]
    not_weights: tuple[str, ...]
    neutral: dict[str, tuple[str, ...]]
    """reason -> libraries"""
    architectures: dict[str, Architectures]
    """framework -> what transformers has for it"""
    transformers: str
    """the release that `architectures` was read from"""

    @property
    def titles(self) -> dict[str, str]:
        """Framework -> title, in the order of their bits."""
        return {one.key: one.title for one in self.frameworks}

    def bits(self, keys: Iterable[str]) -> int:
        """Return the mask of the frameworks `keys`."""
        wanted = set(keys)
        return sum(1 << one.bit for one in self.frameworks if one.key in wanted)


@cache
def taxonomy() -> Taxonomy:
    """Return the taxonomy that comes with hfscan."""
    data, rules, known = map(_read, _FILES)
    frameworks = [Framework(**_frozen(one)) for one in data["framework"]]
    return Taxonomy(
        tuple(sorted(frameworks, key=lambda one: one.bit)),
        tuple(Rule(**_frozen(one)) for one in rules["rule"]),
        tuple(data["not_weights"]["files"]),
        _frozen(data["neutral"]),
        {
            name: Architectures(**_frozen(one))
            for name, one in known.items()
            if isinstance(one, dict)
        },
        known["transformers"],
    )


@cache
def fingerprint() -> str:
    """Return 16 hex digits that change with anything that the taxonomy's files say."""
    digest = sha256(repr([_read(name) for name in _FILES]).encode())
    return digest.hexdigest()[:16]


@cache
def pattern(globs: tuple[str, ...]) -> str:
    """Return one regular expression, for RE2 and `re`, that finds a path that fits a glob.

    It is searched for in paths in lower case, joined by newlines.
    """
    return f"(?m)(?:^|/)(?:{'|'.join(map(_translated, globs))})"


def _translated(glob: str) -> str:
    end = "" if glob.endswith("/") else "$"
    special = {"*": "[^/\n]*", "?": "[^/\n]"}
    return "".join(special.get(one) or re.escape(one) for one in glob.lower()) + end


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((_HERE / name).read_text(encoding="utf-8"))


def _frozen(table: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
