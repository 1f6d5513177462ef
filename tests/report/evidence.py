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
GROUPS = {f"@{name}": words for name, words in RULES["groups"].items()}
for rule in RULES["rule"]:
    for field, words in rule.items():
        if isinstance(words, list):
            rule[field] = [one for word in words for one in GROUPS.get(word, [word])]
ALL = [
    one["key"]
    for one in FRAMEWORKS
    if one["kind"] in ("framework", "runtime") and "parent" not in one
]
DECISIVE, RUNTIMES, FORMATS = (
    {one["key"] for one in FRAMEWORKS if one["kind"] in kinds}
    for kinds in (("framework", "runtime"), ("runtime",), ("format",))
)
WEIGHTS = DECISIVE | FORMATS
TELLING = frozenset(
    tag
    for one in (*FRAMEWORKS, *RULES["rule"])
    for tag in (*one.get("tags", ()), *one.get("libraries", ()), *one.get("unless_tags", ()))
).union(*(ARCHITECTURES[name]["model_types"] for name in ("tensorflow", "jax")))
"""Tags that can matter."""


GLOBS = [
    (glob.lower().rstrip("/").split("/"), glob.endswith("/"), key)
    for some in (
        [(None, TAXONOMY["not_weights"]["files"])],
        [(one["key"], one.get("files", ())) for one in FRAMEWORKS],
        *(
            [((field, number), rule.get(field, ())) for number, rule in enumerate(RULES["rule"])]
            for field in ("files", "with_files", "unless_files")
        ),
    )
    for key, globs in some
    for glob in globs
]
"""The parts of a glob, whether it is of a folder, and what it says: the key of a framework, the
field and number of a rule, or None where it is of no weights."""
PARTS = {part for parts, _, _ in GLOBS for part in parts}


@cache
def fitting(part: str) -> frozenset:
    """The parts of globs that fit this part of a path."""
    return frozenset(one for one in PARTS if fnmatchcase(part, one))


def fits(path: list[frozenset], wanted: list[str], folder: bool) -> bool:
    last = len(path) - len(wanted)
    starts = range(last) if folder else range(max(last, 0), last + 1)
    return any(all(part in path[at + n] for n, part in enumerate(wanted)) for at in starts)


@cache
def read_as(path: str) -> frozenset:
    """What a file name says: keys of frameworks, and the fields and numbers of rules."""
    parts = [fitting(part) for part in path.lower().split("/")]
    there = frozenset().union(*parts)
    said = frozenset(
        key
        for wanted, folder, key in GLOBS
        if there.issuperset(wanted) and fits(parts, wanted, folder)
    )
    return frozenset() if None in said else said


def with_owners(keys: set) -> frozenset:
    return frozenset(keys) | {
        one["parent"] for one in FRAMEWORKS if one["key"] in keys and "parent" in one
    }


def serves(tags, library, files, config) -> tuple[frozenset | None, ...]:
    """Return the keys by tag, weights (None without file names), loadable and best evidence."""
    tags = set(tags or ())
    libraries = {library} if library else tags
    words = {*tags, library}
    said = frozenset().union(*(read_as(path) for path in files or ()))

    def has_class(framework):
        known, config_ = ARCHITECTURES[framework], config or {}
        if config_.get("architectures"):
            return bool(set(config_["architectures"]) & set(known["classes"]))
        types = {config_["model_type"]} if config_.get("model_type") else tags
        return bool(types & set(known["model_types"]))

    def by_rules(definition, there, fallback=False):
        found = set()
        for number, rule in enumerate(RULES["rule"]):
            if (
                definition in rule["definitions"]
                and rule.get("fallback", False) == fallback
                and (not rule.get("has_architectures") or (config or {}).get("architectures"))
                and (not rule.get("formats") or there & set(rule["formats"]))
                and (not rule.get("files") or ("files", number) in said)
                and (not rule.get("with_files") or ("with_files", number) in said)
                and ("unless_files", number) not in said
                and (not rule.get("libraries") or libraries & set(rule["libraries"]))
                and (not rule.get("tags") or words & set(rule["tags"]))
                and not words & set(rule.get("unless_tags", ()))
                and (not rule.get("architecture") or has_class(rule["architecture"]))
            ):
                if rule["supports"] == ["library"]:
                    found |= {
                        one["key"]
                        for one in FRAMEWORKS
                        if one["kind"] == "framework" and libraries & set(one.get("libraries", ()))
                    }
                else:
                    found |= set(rule["supports"])
        return found

    tag = frozenset(one["key"] for one in FRAMEWORKS if tags & set(one.get("tags", ())))
    weights = None
    if files is not None:
        by_file = {key for key in said if isinstance(key, str)}
        weights = with_owners(by_file | by_rules("weights", by_file))
        if not weights & WEIGHTS:
            weights |= by_rules("weights", by_file, fallback=True)
    seen = tag | (weights or frozenset())
    if weights is not None and (weights & DECISIVE or not weights & WEIGHTS):
        best = weights
    else:
        best = with_owners(seen | by_rules("best", seen))
        if not best & DECISIVE:
            best |= by_rules("best", best, fallback=True)
    return tag, weights, with_owners(seen | by_rules("loadable", seen)), best
