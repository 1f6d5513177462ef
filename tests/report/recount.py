"""An independent count in plain Python, from the raw objects: no SQL, nothing of hfscan's code."""

import gzip
import json
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from itertools import repeat
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
from evidence import ALL_FRAMEWORKS, DECISIVE, FORMATS, RUNTIMES, classify, find_support, match_name

import hfscan


class Model(NamedTuple):
    created: str
    at_cutoff: bool
    author: str
    groups: dict
    downloads: int | None
    tag: frozenset
    weights: frozenset | None
    loadable_4: frozenset | None
    loadable_5: frozenset | None
    best: frozenset
    id: str
    claim_tags: frozenset
    file_kinds: frozenset | None
    likes: int | None
    named: dict
    orphan: str | None


OLD, NEW, WITH_FILES = 1, 2, 3  # snapshots of `recorded_db`
VALUES = {"downloads": "downloads", "authors": "author"}
"""Weight -> the attribute that it is taken from."""
CLAIM_TAGS = frozenset(["bert", "gpt2", "xlnet", "tensorboard", "arxiv:"])
"""Tags that claims are about, and the prefix of one."""
NAMED = {"language": "language", "paper": "arxiv", "license": "license", "storage_region": "region"}
"""What tags name -> their prefix."""
RELATIONS = ("finetune", "adapter", "quantized", "merge")
PICKLE_ENDINGS = frozenset([".pt", ".pth", ".pkl", ".pickle", ".joblib", ".dill"])
PYTORCH_NAMES = (
    "torch adapter_model learned_embeds state_dict lora gptq_model ip-adapter ip_adapter "
    "model_head mm_projector prediction_head"
).split()
"""Parts of the names that PyTorch's libraries give to files of weights that end in .bin."""
TRAINING_STATE = (
    "optimizer optim_ optim. scheduler training_args rng_state random_states scaler"
).split()
"""Parts of the names of what training leaves beside the weights."""


def read_models(path: Path) -> list[Model]:
    """Return the models of a recorded census, oldest first."""
    return sorted(map(parse_model, read_objects(path)), key=lambda model: model.created)


def read_objects(path: Path) -> Iterator[dict]:
    if path.suffix == ".parquet":
        cursor = duckdb.connect().execute(
            "SELECT id, tags, createdAt, pipeline_tag, library_name, downloads, likes "
            f"FROM read_parquet('{path}')"
        )
        names = [column[0] for column in cursor.description]
        while batch := cursor.fetchmany(5_000):
            yield from (dict(zip(names, row, strict=True)) for row in batch)
    else:
        with gzip.open(path, "rt") as lines:
            yield from map(json.loads, lines)


def parse_model(row: dict) -> Model:
    tags, library, created = row["tags"] or [], row.get("library_name"), row.get("createdAt") or ""
    id_ = row.get("id") or row["modelId"]
    files = [file["rfilename"] for file in row["siblings"]] if "siblings" in row else None
    evidence = classify(tags, library, files, row.get("config"), match_name(id_))
    is_older = created.startswith("2022-03-02T23:29:")
    groups_by_tags, claim_tags, named = read_tags(tuple(tags))
    groups = {
        "month": "(older)" if is_older else created[:7],
        "year": "(older)" if is_older else created[:4],
        "task": row.get("pipeline_tag") or "(none)",
        "library": library or "(none)",
        "author": id_.split("/")[0] if "/" in id_ else "(no account)",
        **groups_by_tags,
    }
    if "gated" in row:
        groups["gated"] = str(row["gated"]).lower()
    tag, weights, loadable_4, loadable_5, best = evidence
    return Model(
        created, is_older, id_.split("/")[0] if "/" in id_ else f"/{id_}", groups,
        row.get("downloads"), tag, weights, loadable_4, loadable_5, best,
        id_, claim_tags, classify_files(row), row.get("likes"),
        named, classify_orphan(row, best),
    )  # fmt: skip


SCHEMA = Path(hfscan.__file__).parent / "store" / "sql" / "schema.sql"
LANGUAGES = frozenset(re.findall(r"\b[a-z]{2}\b", re.search(r"'aa [^,]*", SCHEMA.read_text())[0]))
"""The codes of languages; the declaration is hfscan's."""


@cache
def read_tags(tags: tuple) -> tuple[dict, frozenset, dict]:
    """Return what tags say: groups, tags that claims are about, and what else is named."""
    values = defaultdict(list, {"language": [*LANGUAGES.intersection(tags)]})
    for tag in tags:
        prefix, separator, value = tag.partition(":")
        if separator:
            values[prefix].append(value)
    groups = {name: get_single_value(values[NAMED[name]]) for name in ("license", "storage_region")}
    claim_tags = CLAIM_TAGS.intersection([*tags, *["arxiv:"] * len(values["arxiv"])])
    named = {name: frozenset(values[prefix]) for name, prefix in NAMED.items()}
    return groups | find_base(values["base_model"]), claim_tags, named


CURRENT = DECISIVE | FORMATS - {"keras", "savedmodel", "other-weights"}


def classify_orphan(row: dict, best: frozenset | None) -> str | None:
    """Return what a model needs that was dropped, `current` or `no weights`; None: unknown."""
    if best is None:
        return None
    if not best & (DECISIVE | FORMATS):
        return "no weights"
    if best & (CURRENT - {"tensorflow", "jax"}):
        return "current"
    if "other-weights" in best:
        return None
    tags, library = row["tags"] or [], row.get("library_name")
    if "siblings" not in row:
        if library == "transformers" or (library is None and "transformers" in tags):
            return name_classes("tensorflow" in best, "jax" in best)
        return None if "tensorflow" in best or library is None else "current"
    paths = [file["rfilename"].lower() for file in row["siblings"]]
    names = [path.split("/")[-1] for path in paths]

    def has(start: str, *endings: str) -> bool:
        return any(name.startswith(start) and name.endswith(endings) for name in names)

    if classes := name_classes(has("tf_model", ".h5"), has("flax_model", ".msgpack")):
        return classes
    if "tensorflow" not in best:
        return "current"
    if "tf-keras" in (*tags, library):
        return "Keras 2"
    has_keras_file = has("", ".keras", ".h5", ".hdf5")
    if {"keras"} & {*tags, library} and "savedmodel" in best and not has_keras_file:
        return "Keras SavedModel"
    is_graph = any(
        (name.endswith(".meta") and "ckpt" in name)
        or (name.endswith(".pb") and ("frozen" in name or "graph" in name))
        for name in names
    )  # fmt: skip
    return "TensorFlow 1" if is_graph and not best & {"savedmodel", "keras"} else "current"


def name_classes(tensorflow: bool, flax: bool) -> str | None:
    names = " and ".join(["TensorFlow"] * tensorflow + ["Flax"] * flax)
    return f"{names} classes" if names else None


def find_base(bases: list[str]) -> dict:
    """Return how a model was made from its bases, and the account of these."""
    if not bases:
        return {"relation": "(none)", "base_author": "(none)"}
    relations = [base.split(":")[0] for base in bases if base.split(":")[0] in RELATIONS]
    names = [base.split(":", 1)[1] if base.split(":")[0] in RELATIONS else base for base in bases]
    accounts = {name.split("/")[0] if name.count("/") == 1 else None for name in names}
    return {
        "relation": (relations or ["(unnamed)"])[0],
        "base_author": "(unknown)" if None in accounts else get_single_value([*accounts]),
    }


def classify_files(row: dict) -> frozenset | None:
    """Return which kinds of files a model has, of those that claims are about."""
    if "siblings" not in row:
        return None
    paths = [file["rfilename"] for file in row["siblings"]]
    names = [path.lower().rsplit("/", 1)[-1] for path in paths]
    endings = {"." + name.rpartition(".")[2] for name in names if "." in name}
    found = {
        "weights": any(is_pickled_weights(name) for name in names),
        "extensions": endings & {*PICKLE_ENDINGS, ".bin"} and ".gguf" not in endings,
        "safetensors": ".safetensors" in endings,
        "model card": "README.md" in paths,
    }
    return frozenset(kind for kind, is_found in found.items() if is_found)


@cache
def is_pickled_weights(name: str) -> bool:
    stem, _, ending = name.rpartition(".")
    if any(word in name.replace("upscaler", "") for word in TRAINING_STATE):
        return False
    is_pytorch = any(word in stem for word in PYTORCH_NAMES)
    return "." + ending in {*PICKLE_ENDINGS, ".ckpt"} or (ending == "bin" and is_pytorch)


def get_single_value(values: list) -> str:
    return values[0] if len(values) == 1 else "(several)" if values else "(none)"


def select_models(models, population, period, cutoff):
    if period:
        since, until = (bisect_left(models, day, key=lambda model: model.created) for day in period)
        models = models[since if population == "created" else 0 : until]
    if cutoff == "included" or cutoff is None:
        return models
    return [model for model in models if model.at_cutoff == (cutoff == "only")]


def count_models(
    models,
    *,
    definition,
    frameworks,
    population,
    period,
    cutoff,
    weight,
    exclude_top_authors,
    by,
    top,
):
    """Return {(name, framework, group): (numerator, denominator)}."""
    frameworks = ALL_FRAMEWORKS if tuple(frameworks) == ("all",) else frameworks
    compared = frozenset(frameworks)
    restrict = cache(lambda keys: find_support(keys, compared, definition))
    keys_of, models = attrgetter(definition), select_models(models, population, period, cutoff)
    if exclude_top_authors:
        counts_by_author: Counter = Counter()
        for model in models:
            if restrict(keys_of(model)):
                count = (model.downloads or 0) if weight == "downloads" else 1
                counts_by_author[model.author] += count
        largest_groups = sorted(counts_by_author, key=lambda name: (-counts_by_author[name], name))[
            :exclude_top_authors
        ]
        models = [model for model in models if model.author not in largest_groups]
    # what is alike is counted at once, for there are many
    groups = [model.groups[by] for model in models] if by else repeat(None)
    values = (
        [getattr(model, VALUES[weight]) or 0 for model in models] if weight in VALUES else repeat(1)
    )
    counts = Counter(zip(groups, map(restrict, map(keys_of, models)), values, strict=False))
    by_group = defaultdict(Counter)
    for (group, keys, value), n in counts.items():
        if keys is not None:
            by_group[group][keys, value] += n
    if top is not None:
        by_group = merge_small_groups(by_group, weight, top)
    figures = {}
    for group, part in by_group.items():
        tally = add_up(part, weight)
        support_count = sum(n for common, n in tally.items() if common)
        for name in frameworks:
            figures["exclusive", name, group] = (tally[frozenset([name])], support_count)
            available = sum(n for common, n in tally.items() if name in common)
            figures["available", name, group] = (available, support_count)
        shared = sum(n for common, n in tally.items() if len(common) > 1)
        figures["shared", None, group] = (shared, support_count)
        figures["none", None, group] = (tally[frozenset()], tally.total())
    return {
        key: tuple(n if isinstance(n, int) else round(float(n), 6) for n in pair)
        for key, pair in figures.items()
    }


def add_up(counts, weight):
    """Return {frameworks: count} of a group from {(frameworks, downloads or author): models}."""
    tally: Any = Counter()  # of integers or fractions
    if weight != "authors":
        for (keys, value), n in counts.items():
            tally[keys] += n * value
        return tally
    models_by_author = defaultdict(Counter)
    for (keys, author), n in counts.items():
        models_by_author[author][keys] += n
    parts = Counter()  # of equal fractions there are many
    for models in models_by_author.values():
        without = models.pop(frozenset(), 0)
        if not models:
            parts[frozenset(), without] += without
        for keys, n in models.items():
            parts[keys, models.total()] += n
    for (keys, denominator), n in parts.items():
        tally[keys] += Fraction(n, denominator)
    return tally


def merge_small_groups(by_group, weight, top):
    """Return the counts of the largest groups; the models of the others are those of "(other)"."""

    def rank(group):
        supporting = Counter({key: n for key, n in by_group[group].items() if key[0]})
        return -add_up(supporting, weight).total(), -supporting.total(), group

    merged = defaultdict(Counter)
    for place, group in enumerate(sorted(by_group, key=rank)):
        merged[group if place < top else "(other)"].update(by_group[group])
    return merged


def count_without_largest(models, frameworks):
    """Return of downloads by tags: model with most, its share, that of the first alone without it.

    Of the models that support one of the frameworks.
    """
    supporting = [model for model in models if model.tag & {*frameworks}]
    largest = max(supporting, key=lambda model: (model.downloads or 0, model.id))
    total = sum(model.downloads or 0 for model in supporting)
    others = [model for model in supporting if model is not largest]
    only = [model for model in others if model.tag & {*frameworks} == {frameworks[0]}]
    counts = [sum(model.downloads or 0 for model in part) for part in (only, others)]
    return largest.id, round((largest.downloads or 0) / total, 6), round(counts[0] / counts[1], 6)


def break_down(models, *, frameworks, by):
    """Return {(class, group): models} for all models, and for each group."""
    compared = frozenset(ALL_FRAMEWORKS if tuple(frameworks) == ("all",) else frameworks)
    groups = [model.groups[by] for model in models] if by else repeat(None)
    tally = Counter()
    for (best, group), n in Counter(
        zip((model.best for model in models), groups, strict=False)
    ).items():
        for name in {None, group}:
            tally[class_of(best, compared), name] += n
    return tally


def class_of(best: frozenset | None, compared: frozenset) -> str:
    if best is None:
        return "files_unknown"
    served = best & compared
    if len(served) > 1:
        return "both" if len(compared) == 2 else "several"
    if served:
        return f"{min(served)}_only"
    if best & (DECISIVE - RUNTIMES):
        return "other_framework"
    if best & RUNTIMES:
        return "runtime_format"
    if best & FORMATS:
        return "unknown_framework"
    return "no_weights"


def read_dates(path: Path) -> dict:
    """Return repo id -> true date of creation."""
    rows = duckdb.connect().execute(
        f"SELECT modelId, min(creation_time AT TIME ZONE 'UTC')::VARCHAR FROM '{path}' "
        "WHERE creation_time IS NOT NULL GROUP BY ALL"
    )
    return dict(rows.fetchall())


def count_by_date(models, dates: dict, *, definition, frameworks, year):
    """Return {(name, framework): (certain, dated, undated, in conflict)}, as ids say them."""
    start, end = f"{year}-01-01", f"{year + 1}-01-01"
    compared = frozenset(ALL_FRAMEWORKS if tuple(frameworks) == ("all",) else frameworks)
    counts_by_name = defaultdict(Counter)
    for model in models:
        date = dates.get(model.id) if model.at_cutoff else None
        conflict = date is not None and date >= "2022-03-02 23:29:00"
        if not model.at_cutoff:
            age = "certain" if start <= model.created < end else None
        elif date is None or conflict:
            age = "undated"
        else:
            age = "dated" if start <= date < end else None
        if age is None:
            continue
        common = (getattr(model, definition) or frozenset()) & compared
        name = ("exclusive", *common) if len(common) == 1 else ("shared", None)
        if common:
            counts_by_name[name][age] += 1
            counts_by_name[name]["impossible_dates"] += conflict
    return {
        name: tuple(ages[age] for age in ("certain", "dated", "undated", "impossible_dates"))
        for name, ages in counts_by_name.items()
    }
