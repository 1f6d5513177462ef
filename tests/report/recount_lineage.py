"""Lineage counted again in plain Python, from the raw objects: no SQL, nothing of hfscan's code."""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Container, Iterable, Mapping
from functools import cache, cached_property

from evidence import DECISIVE, WEIGHTS
from recount import parse_model

CANONICAL_ACCOUNTS = (
    "albert almanach distilbert FacebookAI google-bert google-t5 openai-community Salesforce "
    "transfo-xl xlnet"
).split()
QUANTISED_TAGS = frozenset(
    "gguf gptq awq exl2 exl3 bitsandbytes compressed-tensors fp8 onnx "
    "2-bit 3-bit 4-bit 5-bit 6-bit 8-bit".split()
)
FRAMEWORKS = ("pytorch", "tensorflow", "jax", "onnx", "gguf", "mlx")
FORMATS = ("safetensors", "gguf", "onnx", "openvino", "keras")


class Lineage:
    """The models of a snapshot, and the parents that they declare.

    `others`: the models of other snapshots. `canonical`: models without account in early 2022.
    Objects are the Hub's, with names as `id`.
    """

    def __init__(
        self, objects: Iterable[Mapping], others: Iterable[Mapping], canonical: Container[str]
    ) -> None:
        self.canonical = canonical
        self.objects = {row["id"]: row for row in objects}
        self.by_lower_name = {name.lower(): name for name in self.objects}
        ids = {row["_id"]: name for name, row in self.objects.items() if row.get("_id")}
        self.keys_by_name = defaultdict(set)  # None: a model without `_id`
        for row in others:
            self.keys_by_name[row["id"].lower()].add(row.get("_id"))
        for key, name in ids.items():
            self.keys_by_name[name.lower()].add(key)
        self.names_by_key = ids

    def weight(self, name: str, weight: str) -> int | None:
        return 1 if weight == "models" else self.objects[name].get(weight)

    def period(self, name: str, per: str) -> str | None:
        """Return the period of creation; None for models older than the Hub's dates."""
        created = self.objects[name].get("createdAt") or ""
        if not created or created.startswith("2022-03-02T23:29:"):
            return None
        quarter = (int(created[5:7]) + 2) // 3
        return {"month": created[:7], "year": created[:4], "quarter": f"{created[:4]}-Q{quarter}"}[
            per
        ]

    @cached_property
    def declarations(self) -> dict[str, list[str]]:
        """Each model that declares bases -> their names, once each."""
        found = {}
        for name, row in self.objects.items():
            tags = [tag[11:] for tag in row["tags"] or () if tag.startswith("base_model:")]
            if tags:
                bases = [re.sub(r"^[a-z_]{2,}:", "", tag) for tag in tags]
                found[name] = list(dict.fromkeys(bases))
        return found

    def relation(self, name: str, relations: str = "named") -> str:
        tags = self.objects[name]["tags"]
        named = [tag.split(":")[1] for tag in tags if re.match(r"base_model:[a-z_]{2,}:", tag)]
        if named:
            return named[0]
        if relations == "named":
            return "(unnamed)"
        if {"lora", "peft"} & set(tags):
            return "adapter"
        if len([tag for tag in tags if tag.startswith("base_model:")]) > 1:
            return "merge"
        return "quantized" if QUANTISED_TAGS & set(tags) else "finetune"

    def resolve(self, model: str, name: str) -> tuple[str | None, str]:
        """Return the parent that the name of a base means, and how, or why there is none."""
        found, how = self._find(name)
        return (None, "itself") if found == model else (found, how)

    def _find(self, name: str) -> tuple[str | None, str]:
        lower = name.lower()
        if name in self.objects:
            return name, "exact"
        if lower in self.by_lower_name:
            return self.by_lower_name[lower], "other case"
        keys = self.keys_by_name.get(lower, set())
        if len(keys) == 1 and (former := self.names_by_key.get(*keys)):
            return former, "other snapshot"
        for account in CANONICAL_ACCOUNTS:
            renamed = f"{account}/{lower}"
            if lower in self.canonical and renamed in self.objects:
                return renamed, "canonical name"
        if not re.fullmatch(r"(\b[\w.-]+\b/)?\b[\w.-]{1,96}\b", name, re.ASCII):
            return None, "not a repo id"
        if keys:
            return None, "only in other snapshots"
        return None, "not in the snapshot" if "/" in name else "no account in the name"

    @cached_property
    def resolutions(self) -> dict[str, list[tuple[str, str | None, str]]]:
        """Each model -> name of a base, parent, how."""
        return {
            model: [(name, *self.resolve(model, name)) for name in names]
            for model, names in self.declarations.items()
        }

    @cached_property
    def usual_names(self) -> dict[str, str]:
        """Each name that leads to no model, in lower case -> its most declared spelling."""
        spellings = defaultdict(Counter)
        for bases in self.resolutions.values():
            for name, parent, how in bases:
                if parent is None and how != "itself":
                    spellings[name.lower()][name] += 1
        return {
            lower: min(names, key=lambda name: (-names[name], name))
            for lower, names in spellings.items()
        }

    @cached_property
    def parents(self) -> dict[str, list[str]]:
        """Each derivative -> its parents in the snapshot."""
        return {
            model: list(dict.fromkeys(parent for _, parent, _ in bases if parent is not None))
            for model, bases in self.resolutions.items()
            if any(how != "itself" for _, _, how in bases)
        }

    @cached_property
    def bases(self) -> dict[str, set[str]]:
        """Each derivative -> all that it declares, by id in the snapshot or by the usual name."""
        return {
            model: {
                parent or self.usual_names[name.lower()]
                for name, parent, how in self.resolutions[model]
                if how != "itself"
            }
            for model in self.parents
        }

    @cached_property
    def first_parents(self) -> dict[str, str]:
        return {
            model: parents[0]
            if parents
            else next(
                self.usual_names[name.lower()]
                for name, _, how in self.resolutions[model]
                if how != "itself"
            )
            for model, parents in self.parents.items()
        }

    @cached_property
    def families(self) -> dict[str, tuple[str, str, int]]:
        """Each derivative -> the first model of its family, its kind, and the steps to it."""
        return {model: self._walk(model) for model in self.first_parents}

    def _walk(self, model: str) -> tuple[str, str, int]:
        path = [model]
        while (parent := self.first_parents.get(path[-1])) is not None and parent not in path:
            path.append(parent)
        if parent is None:
            return path[-1], "model" if path[-1] in self.objects else "missing", len(path) - 1
        cycle = path[path.index(parent) :]
        root = min(cycle)
        if root in path:
            return root, "cycle", path.index(root)
        raise AssertionError("the path visits all of the cycle")

    def trait(self, model: str, of: str) -> frozenset | None:
        """Return what a model has; None where it is unknown."""
        if of == "license":
            tags = self.objects[model]["tags"]
            return None if tags is None else frozenset(t for t in tags if t.startswith("license:"))
        evidence = self._evidence(model)
        decisive, compared = (DECISIVE, FRAMEWORKS) if of == "framework" else (WEIGHTS, FORMATS)
        return evidence & frozenset(compared) if evidence and evidence & decisive else None

    @cache  # noqa: B019 - as long as the tests
    def _evidence(self, model: str) -> frozenset | None:
        best: frozenset | None = parse_model(dict(self.objects[model])).best
        return best


def count_resolutions(lineage: Lineage) -> dict:
    """Return resolution -> declarations, names, models and the name that most declare."""
    found = defaultdict(list)
    for model, bases in lineage.resolutions.items():
        for name, _, how in bases:
            found[how].append((name, model))
    rows = {}
    for how, pairs in found.items():
        names = Counter(name for name, _ in pairs)
        example = min(names, key=lambda name: (-names[name], name))
        rows[how] = (len(pairs), len(names), len({model for _, model in pairs}), example)
    return rows


def count_families(lineage: Lineage, weight: str) -> dict:
    """Return family -> kind, numerator, models, children, depth, breadth and downloads."""
    generations, numerators, downloads = defaultdict(Counter), Counter(), Counter()
    derived, kinds, children = Counter(), {}, Counter()
    for model, (root, kind, depth) in lineage.families.items():
        kinds[root] = kind
        generations[root][depth] += 1
        numerators[root] += lineage.weight(model, weight) or 0
        downloads[root] += lineage.weight(model, "downloads") or 0
        derived[root] += 0 if model == root else lineage.weight(model, "downloads") or 0
        for base in lineage.bases[model]:
            children[base] += 1
    return {
        root: (
            kinds[root], numerators[root], models.total(), children[root], max(models),
            max(models.values()), downloads[root],
            lineage.objects[root]["downloads"] if root in lineage.objects else None,
            derived[root],
        )
        for root, models in generations.items()
    }  # fmt: skip


def count_relations(lineage: Lineage, weight: str, relations: str) -> Counter:
    counts = Counter()
    for model, row in lineage.objects.items():
        relation = "(none)"
        if row["tags"] is None:
            relation = "(unknown)"
        elif model in lineage.parents:
            relation = lineage.relation(model, relations)
        counts[relation] += lineage.weight(model, weight) or 0
    return counts


def count_growth(lineage: Lineage, per: str, by: str) -> tuple[dict, Counter]:
    """Return group -> period -> new derivatives, and period -> new models."""
    groups, models = defaultdict(Counter), Counter()
    for model, row in lineage.objects.items():
        period = lineage.period(model, per)
        if period is None:
            continue
        models[period] += row["tags"] is not None
        if model in lineage.families:
            root = lineage.families[model][0]
            account = root.split("/")[0] if re.fullmatch("[^/]+/[^/]+", root) else "(unknown)"
            group = {"family": root, "author": account, "relation": lineage.relation(model)}[by]
            groups[group][period] += 1
    return groups, models


def count_changes(lineage: Lineage, of: str, weight: str) -> tuple[Counter, Counter]:
    """Return (relation, before, after) -> pairs of known traits, and relation -> all pairs."""
    pairs, totals = Counter(), Counter()
    for model, parents in lineage.parents.items():
        relation, n = lineage.relation(model, "inferred"), lineage.weight(model, weight) or 0
        for parent in parents:
            before, after = lineage.trait(parent, of), lineage.trait(model, of)
            totals[relation] += n
            if before is not None and after is not None:
                pairs[relation, before, after] += n
    return pairs, totals


def name_change(before: frozenset, after: frozenset, of: str) -> str:
    if before == after:
        return "same"
    if not before or (of != "license" and before < after):
        return "added"
    return "dropped" if not after or (of != "license" and after < before) else "replaced"


def walk_trees(lineage: Lineage, models: Iterable[str]) -> dict[str, dict[str, dict[str, int]]]:
    """Return model -> direction -> model -> steps, by a plain walk over declared parents."""
    up, down = defaultdict(list), defaultdict(list)
    for child, bases in lineage.resolutions.items():
        for name, parent, how in bases:
            if how != "itself":
                base = parent or lineage.usual_names[name.lower()]
                up[child].append(base)
                down[base].append(child)
    return {model: {"up": _walk(up, model), "down": _walk(down, model)} for model in models}


def _walk(neighbours: Mapping[str, list[str]], start: str) -> dict[str, int]:
    steps, queue = {start: 0}, deque([start])
    while queue:
        model = queue.popleft()
        for neighbour in neighbours.get(model, ()):
            if neighbour not in steps:
                steps[neighbour] = steps[model] + 1
                queue.append(neighbour)
    del steps[start]
    return steps
