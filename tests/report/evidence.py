"""Find the frameworks that a model supports, in plain Python, without hfscan's code.

The declarations (taxonomy.toml, rules.toml, architectures.toml) are hfscan's; the code that applies
them is independent.
"""

import re
import tomllib
from fnmatch import fnmatchcase, translate
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
TASKS = {
    task
    for name in ("tensorflow", "jax")
    for head in ARCHITECTURES[name]["heads"]
    for task in head["tasks"]
}
RELEVANT_TAGS = frozenset(
    tag
    for entry in (*FRAMEWORKS, *RULES["rule"])
    for tag in (*entry.get("tags", ()), *entry.get("libraries", ()), *entry.get("unless_tags", ()))
).union(*(ARCHITECTURES[name]["model_types"] for name in ("tensorflow", "jax")), TASKS)
"""Tags that can matter."""


GLOBS = [
    (glob.lower().rstrip("/").split("/"), glob.endswith("/"), key)
    for entries in (
        [(None, TAXONOMY["not_weights"]["files"])],
        [(entry["key"], entry.get("files", ())) for entry in FRAMEWORKS],
        *(
            [((field, number), rule.get(field, ())) for number, rule in enumerate(RULES["rule"])]
            for field in ("files", "with_files", "files_if_known", "unless_files")
        ),
    )
    for key, globs in entries
    for glob in globs
]
"""The parts of a glob (the first is empty where it begins at the top of the repository), whether it
is of a folder, and what it says: the key of a framework, the field and number of a rule, or None
where it is of no weights."""
PARTS = frozenset(part for parts, _, _ in GLOBS for part in parts)
MATCHERS: dict[str, dict] = {}
"""The last character of parts with wildcards, empty if it is one -> part -> what matches it."""
for part in PARTS:
    if set(part) & set("*?["):
        end = "" if part[-1] in "*?]" else part[-1]
        MATCHERS.setdefault(end, {})[part] = re.compile(translate(part)).match


@cache
def match_part(part: str) -> frozenset:
    """The parts of globs that fit this part of a path."""
    fitting = [
        glob_part
        for end in {"", part[-1:]}
        for glob_part, match in MATCHERS.get(end, {}).items()
        if match(part)
    ]
    return PARTS.intersection([part, *fitting])


def contains_glob(parts: tuple[frozenset, ...], glob_parts: list[str], is_folder: bool) -> bool:
    last_start = len(parts) - len(glob_parts)
    starts = range(last_start) if is_folder else range(max(last_start, 0), last_start + 1)
    return any(
        all(part in parts[start + n] for n, part in enumerate(glob_parts)) for start in starts
    )


@cache
def match_globs(path: str) -> frozenset:
    """What a file name says: keys of frameworks, and the fields and numbers of rules."""
    return match_parts(tuple(match_part(part) for part in ["", *path.lower().split("/")]))


@cache
def match_parts(parts: tuple[frozenset, ...]) -> frozenset:
    """Return the same for the parts of a path; many paths differ only in those that fit no glob."""
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


class Facts:
    """What is known of a model. A condition on it is True, False, or None for unknown."""

    def __init__(self, tags, library, matches, classes, model_type, names):
        self.tags = tags
        self.libraries = {library} if library else tags
        self.words = {*tags, library}
        self.has_files, self.names = matches is not None, names
        self.matches = matches or frozenset()
        self.classes = classes
        self.types = {model_type} if model_type else tags

    def has_class(self, framework):
        declared = ARCHITECTURES[framework]
        if self.classes:
            return bool(self.classes & set(declared["classes"]))
        if not self.types & set(declared["model_types"]):
            return False
        if not self.tags & TASKS:
            return None
        return any(
            self.types & set(head["model_types"]) and self.tags & set(head["tasks"])
            for head in declared["heads"]
        )

    def conditions(self, number, rule, formats):
        yield not self.words & set(rule.get("unless_tags", ()))
        yield ("unless_files", number) not in self.matches
        found = {"formats": formats, "libraries": self.libraries, "tags": self.words}
        for field in found.keys() & rule.keys():
            yield bool(found[field] & set(rule[field]))
        for field in {"files", "with_files"} & rule.keys():
            yield None if not self.has_files else (field, number) in self.matches
        if "files_if_known" in rule:
            yield not self.has_files or ("files_if_known", number) in self.matches
        if not self.has_files and self.names.intersection(rule.get("uncertain_names", ())):
            yield None
        if "architecture" in rule:
            yield self.has_class(rule["architecture"])
        yield not rule.get("has_architectures") or bool(self.classes)

    def apply_rules(self, definition, formats, release=None, accepted=(True,), fallback=False):
        found = set()
        for number, rule in enumerate(RULES["rule"]):
            if definition not in rule["definitions"] or rule.get("fallback", False) != fallback:
                continue
            if rule.get("transformers", release) != release:
                continue
            if all(condition in accepted for condition in self.conditions(number, rule, formats)):
                found |= (
                    self.library_frameworks()
                    if rule["supports"] == ["library"]
                    else {*rule["supports"]}
                )
        return found

    def library_frameworks(self):
        return {
            entry["key"]
            for entry in FRAMEWORKS
            if entry["kind"] == "framework" and self.libraries & set(entry.get("libraries", ()))
        }

    def loadable(self, known_formats, release):
        least, most = (
            add_parents(
                known_formats | self.apply_rules("loadable", known_formats, release, accepted)
            )
            for accepted in ((True,), (True, None))
        )
        is_known = least == most and (self.has_files or least & DECISIVE)
        return least if is_known else None


UNCERTAIN_NAMES = {glob for rule in RULES["rule"] for glob in rule.get("uncertain_names", ())}
ANY_UNCERTAIN_NAME = re.compile(
    "|".join(re.escape(max(re.split(r"[*?]", glob), key=len)) for glob in UNCERTAIN_NAMES)
)
"""Found in every name that one of the globs fits: fast, for most names have none."""


def match_name(repo_id: str) -> frozenset:
    """The globs of uncertain names that fit the name of a repository."""
    name = repo_id.rsplit("/", maxsplit=1)[-1].lower()
    if not ANY_UNCERTAIN_NAME.search(name):
        return frozenset()
    return frozenset(glob for glob in UNCERTAIN_NAMES if fnmatchcase(name, glob))


def classify(tags, library, files, config, names=frozenset()) -> tuple[frozenset | None, ...]:
    """Return the keys by tag, by weights (None without file names), loadable with transformers 4
    and 5 (None where what is not known could decide), and by best evidence. `names`: of
    `match_name`, needed without file names."""
    matches = None if files is None else frozenset().union(*map(match_globs, files))
    names = names if files is None else frozenset()
    classes = frozenset((config or {}).get("architectures") or ())
    tags = RELEVANT_TAGS.intersection(tags or ())
    return classify_facts(tags, library, matches, classes, (config or {}).get("model_type"), names)


@cache
def classify_facts(tags, library, matches, classes, model_type, names):
    """Many models have the same facts."""
    facts = Facts(tags, library, matches, classes, model_type, names)
    tag = frozenset(entry["key"] for entry in FRAMEWORKS if facts.tags & set(entry.get("tags", ())))
    weights = None
    if matches is not None:
        file_formats = {key for key in facts.matches if isinstance(key, str)}
        weights = add_parents(file_formats | facts.apply_rules("weights", file_formats))
        if not weights & WEIGHTS:
            weights |= facts.apply_rules("weights", file_formats, fallback=True)
    known_formats = tag | (weights or frozenset())
    best: frozenset | None
    if weights is not None and (weights & DECISIVE or not weights & WEIGHTS):
        best = weights
    else:
        best = add_parents(known_formats | facts.apply_rules("best", known_formats))
        if not best & DECISIVE:
            best |= facts.apply_rules("best", best, fallback=True)
    if weights is None and not best & WEIGHTS:
        best = None  # without file names, there may be weights
    return tag, weights, facts.loadable(known_formats, 4), facts.loadable(known_formats, 5), best


def find_support(keys: frozenset | None, compared: frozenset, definition: str) -> frozenset | None:
    """Return which of the frameworks compared a model has; None: not known.

    A tag is there or not. Weights that do not say whose they are can be of any framework.
    """
    if keys is None:
        return None
    is_unknown = keys & FORMATS and not keys & (DECISIVE | compared)
    return None if is_unknown and definition != "tag" else keys & compared
