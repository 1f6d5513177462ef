"""Find the frameworks that a model supports, in plain Python, without hfscan's code.

The declarations (taxonomy.toml, rules.toml, architectures.toml) are hfscan's; the code that applies
them is independent.
"""

import tomllib
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import hfscan

FOLDER = Path(hfscan.__file__).parent / "frameworks"
TAXONOMY, RULES, ARCHITECTURES = (
    tomllib.loads((FOLDER / f"{name}.toml").read_text())
    for name in ("taxonomy", "rules", "architectures")
)
FRAMEWORKS = TAXONOMY["framework"]
GROUPS = {f"@{name}": words for name, words in RULES["groups"].items()}
for rule in RULES["rule"]:
    for field, words in rule.items():
        if isinstance(words, list):
            rule[field] = [entry for word in words for entry in GROUPS.get(word, [word])]
ALL_FRAMEWORKS = [
    entry["key"]
    for entry in FRAMEWORKS
    if entry["kind"] in ("framework", "runtime") and "parent" not in entry
]
DECISIVE, RUNTIMES, FORMATS = (
    {entry["key"] for entry in FRAMEWORKS if entry["kind"] in kinds}
    for kinds in (("framework", "runtime"), ("runtime",), ("format",))
)
WEIGHTS = DECISIVE | FORMATS
RELEVANT_TAGS = frozenset(
    tag
    for entry in (*FRAMEWORKS, *RULES["rule"])
    for tag in (*entry.get("tags", ()), *entry.get("libraries", ()), *entry.get("unless_tags", ()))
).union(*(ARCHITECTURES[name]["model_types"] for name in ("tensorflow", "jax")))
"""Tags that can matter."""


GLOBS = [
    (glob.lower().rstrip("/").split("/"), glob.endswith("/"), key)
    for entries in (
        [(None, TAXONOMY["not_weights"]["files"])],
        [(entry["key"], entry.get("files", ())) for entry in FRAMEWORKS],
        *(
            [((field, number), rule.get(field, ())) for number, rule in enumerate(RULES["rule"])]
            for field in ("files", "with_files", "unless_files")
        ),
    )
    for key, globs in entries
    for glob in globs
]
"""The parts of a glob, whether it is of a folder, and what it says: the key of a framework, the
field and number of a rule, or None where it is of no weights."""
PARTS = {part for parts, _, _ in GLOBS for part in parts}


@cache
def match_part(part: str) -> frozenset:
    """The parts of globs that fit this part of a path."""
    return frozenset(glob_part for glob_part in PARTS if fnmatchcase(part, glob_part))


def contains_glob(parts: list[frozenset], glob_parts: list[str], is_folder: bool) -> bool:
    last_start = len(parts) - len(glob_parts)
    starts = range(last_start) if is_folder else range(max(last_start, 0), last_start + 1)
    return any(
        all(part in parts[start + n] for n, part in enumerate(glob_parts)) for start in starts
    )


@cache
def match_globs(path: str) -> frozenset:
    """What a file name says: keys of frameworks, and the fields and numbers of rules."""
    parts = [match_part(part) for part in path.lower().split("/")]
    available_parts = frozenset().union(*parts)
    matches = frozenset(
        key
        for glob_parts, is_folder, key in GLOBS
        if available_parts.issuperset(glob_parts) and contains_glob(parts, glob_parts, is_folder)
    )
    return frozenset() if None in matches else matches


def add_parents(keys: set) -> frozenset:
    return frozenset(keys) | {
        entry["parent"] for entry in FRAMEWORKS if entry["key"] in keys and "parent" in entry
    }


def classify(tags, library, files, config) -> tuple[frozenset | None, ...]:
    """Return the keys by tag, weights (None without file names), loadable and best evidence."""
    tags = set(tags or ())
    libraries = {library} if library else tags
    words = {*tags, library}
    matches = frozenset().union(*(match_globs(path) for path in files or ()))

    def has_class(framework):
        declared, model_config = ARCHITECTURES[framework], config or {}
        if model_config.get("architectures"):
            return bool(set(model_config["architectures"]) & set(declared["classes"]))
        model_types = {model_config["model_type"]} if model_config.get("model_type") else tags
        return bool(model_types & set(declared["model_types"]))

    def apply_rules(definition, formats, fallback=False):
        supported = set()
        for number, rule in enumerate(RULES["rule"]):
            if (
                definition in rule["definitions"]
                and rule.get("fallback", False) == fallback
                and (not rule.get("has_architectures") or (config or {}).get("architectures"))
                and (not rule.get("formats") or formats & set(rule["formats"]))
                and (not rule.get("files") or ("files", number) in matches)
                and (not rule.get("with_files") or ("with_files", number) in matches)
                and ("unless_files", number) not in matches
                and (not rule.get("libraries") or libraries & set(rule["libraries"]))
                and (not rule.get("tags") or words & set(rule["tags"]))
                and not words & set(rule.get("unless_tags", ()))
                and (not rule.get("architecture") or has_class(rule["architecture"]))
            ):
                if rule["supports"] == ["library"]:
                    supported |= {
                        entry["key"]
                        for entry in FRAMEWORKS
                        if entry["kind"] == "framework"
                        and libraries & set(entry.get("libraries", ()))
                    }
                else:
                    supported |= set(rule["supports"])
        return supported

    tag = frozenset(entry["key"] for entry in FRAMEWORKS if tags & set(entry.get("tags", ())))
    weights = None
    if files is not None:
        file_formats = {key for key in matches if isinstance(key, str)}
        weights = add_parents(file_formats | apply_rules("weights", file_formats))
        if not weights & WEIGHTS:
            weights |= apply_rules("weights", file_formats, fallback=True)
    known_formats = tag | (weights or frozenset())
    if weights is not None and (weights & DECISIVE or not weights & WEIGHTS):
        best = weights
    else:
        best = add_parents(known_formats | apply_rules("best", known_formats))
        if not best & DECISIVE:
            best |= apply_rules("best", best, fallback=True)
    return tag, weights, add_parents(known_formats | apply_rules("loadable", known_formats)), best
