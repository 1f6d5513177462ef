"""Which frameworks a model serves, from the raw object in plain Python: nothing of hfscan's code.

What is declared (taxonomy.toml, rules.toml, architectures.toml) is read anew; how it is applied is
written here a second time.
"""

import tomllib
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import hfscan

HERE = Path(hfscan.__file__).parent / "frameworks"
TAXONOMY, RULES, ARCHITECTURES = (
    tomllib.loads((HERE / f"{name}.toml").read_text())
    for name in ("taxonomy", "rules", "architectures")
)
FRAMEWORKS = TAXONOMY["framework"]
ALL = [
    one["key"] for one in FRAMEWORKS if one["kind"] in ("framework", "runtime") and "of" not in one
]
TELLING = frozenset(
    tag
    for one in (*FRAMEWORKS, *RULES["rule"])
    for tag in (*one.get("tags", ()), *one.get("libraries", ()))
).union(*(ARCHITECTURES[name]["model_types"] for name in ("tensorflow", "jax")))
"""Tags that can matter."""


PLAIN = {
    glob
    for one in (*FRAMEWORKS, *RULES["rule"], TAXONOMY["not_weights"])
    for glob in one.get("files", ())
    if "/" not in glob
}


@cache
def plain(name: str) -> frozenset:
    """The globs of names alone that fit this one."""
    return frozenset(glob for glob in PLAIN if fnmatchcase(name, glob.lower()))


def fits(path: str, glob: str) -> bool:
    if "/" not in glob:
        return glob in plain(path.rpartition("/")[2].lower())
    parts, wanted = path.lower().split("/"), glob.lower().rstrip("/").split("/")
    starts = range(len(parts) - len(wanted) + 1)
    if glob.endswith("/"):
        starts = [at for at in starts if at + len(wanted) < len(parts)]
    else:
        starts = [at for at in starts if at + len(wanted) == len(parts)]
    return any(
        all(fnmatchcase(parts[at + n], part) for n, part in enumerate(wanted)) for at in starts
    )


@cache
def read_as(path: str) -> frozenset:
    """What a file name says: keys of frameworks, and the numbers of rules that name it."""
    if any(fits(path, glob) for glob in TAXONOMY["not_weights"]["files"]):
        return frozenset()
    keys = {one["key"] for one in FRAMEWORKS if any(fits(path, g) for g in one.get("files", ()))}
    rules = {
        n for n, one in enumerate(RULES["rule"]) if any(fits(path, g) for g in one.get("files", ()))
    }
    return frozenset(keys | rules)


def with_owners(keys: set) -> frozenset:
    return frozenset(keys) | {one["of"] for one in FRAMEWORKS if one["key"] in keys and "of" in one}


def serves(tags, library, files, config) -> tuple[frozenset, frozenset | None, frozenset]:
    """Return the keys by tag, weights (None without file names) and usable."""
    tags = set(tags or ())
    libraries = {library} if library else tags
    said = frozenset().union(*(read_as(path) for path in files or ()))

    def has_class(framework):
        known, config_ = ARCHITECTURES[framework], config or {}
        if config_.get("architectures"):
            return bool(set(config_["architectures"]) & set(known["classes"]))
        types = {config_["model_type"]} if config_.get("model_type") else tags
        return bool(types & set(known["model_types"]))

    def by_rules(definition, there):
        found = set()
        for number, rule in enumerate(RULES["rule"]):
            if (
                rule["definition"] == definition
                and (not rule.get("formats") or there & set(rule["formats"]))
                and (not rule.get("files") or number in said)
                and (not rule.get("libraries") or libraries & set(rule["libraries"]))
                and (not rule.get("architecture") or has_class(rule["architecture"]))
            ):
                if rule["serves"] == ["library"]:
                    found |= {
                        one["key"]
                        for one in FRAMEWORKS
                        if libraries & set(one.get("libraries", ()))
                    }
                else:
                    found |= set(rule["serves"])
        return found

    tag = frozenset(one["key"] for one in FRAMEWORKS if tags & set(one.get("tags", ())))
    weights = None
    if files is not None:
        by_file = {key for key in said if isinstance(key, str)}
        weights = with_owners(by_file | by_rules("weights", by_file))
    seen = tag | (weights or frozenset())
    return tag, weights, with_owners(seen | by_rules("usable", seen))
