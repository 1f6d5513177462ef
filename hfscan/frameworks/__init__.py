"""Which evidence makes a model serve a framework: taxonomy.toml, read once."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Framework", "Taxonomy", "mask_sql", "taxonomy"]

_TAXONOMY = Path(__file__).with_name("taxonomy.toml")


@dataclass(frozen=True)
class Framework:
    """A framework, format or runtime: its key, title, place in the masks, and the Hub's tags."""

    key: str
    title: str
    bit: int
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Taxonomy:
    """All frameworks, in the order of their bits."""

    frameworks: tuple[Framework, ...]


@cache
def taxonomy() -> Taxonomy:
    """Return the taxonomy that comes with hfscan."""
    data = tomllib.loads(_TAXONOMY.read_text(encoding="utf-8"))
    frameworks = (
        Framework(one["key"], one["title"], one["bit"], tuple(one["tags"]))
        for one in data["framework"]
    )
    return Taxonomy(tuple(sorted(frameworks, key=lambda one: one.bit)))


def mask_sql() -> str:
    """Return SQL over `tags` (VARCHAR[]) for the mask of definition `tag`, a UBIGINT.

    NULL tags serve nothing.
    """
    bits = (
        f"(list_has_any(tags, [{', '.join(map(repr, one.tags))}])::UBIGINT << {one.bit})"
        for one in taxonomy().frameworks
    )
    return f"coalesce({' | '.join(bits)}, 0)"
