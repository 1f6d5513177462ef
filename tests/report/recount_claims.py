"""The queries behind claims, and the values of their readings, counted again in plain Python."""

import json
from collections import Counter, defaultdict
from datetime import date
from fractions import Fraction
from math import ceil, inf

from recount import count_by_date, count_models, select_models


def select(models, parameters, cutoff="included"):
    """Return the models of the period and the cutoff that the parameters name."""
    since, until = parameters.get("since"), parameters.get("until")
    period = (str(since or "0")[:10], str(until or "9")[:10]) if since or until else None
    models = select_models(models, "created", period, parameters.get("cutoff", cutoff))
    least = parameters.get("min_downloads", 0)
    if least:
        models = [model for model in models if (model.downloads or 0) >= least]
    return models


def attribute(parameters):
    """The attribute of `recount.Model` for the definition that the parameters name."""
    definition = parameters.get("definition", "tag")
    return f"loadable_{parameters['transformers']}" if definition == "loadable" else definition


def count_exclusivity(models, parameters, _):
    if tag := parameters.get("tag"):
        models = [model for model in models if tag in model.claim_tags]
    figures = count_models(
        select(models, parameters),
        definition=attribute(parameters),
        frameworks=parameters.get("frameworks", ["pytorch", "tensorflow"]),
        population="existing",
        period=None,
        cutoff=None,
        weight=parameters.get("weight", "models"),
        exclude_top_authors=0,
        by=None,
        top=None,
    )
    return [
        {"name": name, "framework": framework, "numerator": numerator, "denominator": denominator}
        for (name, framework, _), (numerator, denominator) in figures.items()
    ]


def count_creation_cutoff(models, parameters, dates):
    since, until = str(parameters["since"])[:10], str(parameters["until"])[:10]
    year = int(since[:4])
    assert (since, until) == (f"{year}-01-01", f"{year + 1}-01-01")
    frameworks = parameters.get("frameworks", ["pytorch", "tensorflow"])
    counts = count_by_date(
        models, dates, definition=attribute(parameters), frameworks=frameworks, year=year
    )
    certain, dated, undated, _ = (sum(column) for column in zip(*counts.values(), strict=True))
    rows = []
    for (name, framework), (own_certain, own_dated, own_undated, _) in counts.items():
        least, most = own_certain + own_dated, own_certain + own_dated + own_undated
        rows.append({
            "name": name, "framework": framework, "models_min": least, "models_max": most,
            "share_min": round(least / (certain + dated + undated - own_undated), 9),
            "share_max": round(most / (certain + dated + own_undated), 9),
        })  # fmt: skip
    return rows


def count_formats(models, parameters, _):
    having, known = Counter(), Counter()
    for model in select(models, parameters, cutoff="excluded"):
        keys = getattr(model, attribute(parameters))
        library = parameters.get("exclude_library", "")
        if keys is None or model.groups["library"] == library:
            continue
        period = "all" if parameters.get("per") == "all" else model.created[:4]
        known[period] += 1
        having.update((key, period) for key in keys)
    return [
        {"framework": key, "period": period, "numerator": n, "denominator": known[period]}
        for (key, period), n in having.items()
    ]


def count_top_shares(models, parameters, _):
    assert parameters.get("weight", "downloads") == "downloads"
    per, downloads = parameters.get("per", "model"), defaultdict(int)
    for model in select(models, parameters):
        if model.downloads is not None:
            account = model.id.split("/")[0] if "/" in model.id else model.id
            downloads[{"model": model.id, "author": account}[per]] += model.downloads
    ranked = sorted(downloads.values(), reverse=True)
    percents = [Fraction(text) for text in ("0.01", "0.1", "1", "10")]
    percents.append(Fraction(str(parameters.get("percent", 1))))
    sizes = {f"top {size}": size for size in (1, 10, 50, 100, 200, 1000)} | {
        f"top {float(percent):g} %": ceil(len(ranked) * percent / 100) for percent in percents
    }
    counts = {name: (sum(ranked[:size]), sum(ranked)) for name, size in sizes.items()}
    counts["none"] = sum(n == 0 for n in ranked), len(ranked)
    counts["under"] = sum(n < parameters.get("under", 200) for n in ranked), len(ranked)
    return [
        {"name": name, "numerator": numerator, "denominator": denominator}
        for name, (numerator, denominator) in counts.items()
    ]


def count_composition(models, parameters, _):
    weight, by = parameters.get("weight", "models"), parameters["by"]
    sizes, countries = Counter(), json.loads(parameters.get("countries", "{}"))
    for model in select(models, parameters):
        if by == "model_card":
            group = "model card" if "model card" in model.file_kinds else "(none)"
        elif by == "country":
            group = countries.get(model.author, "(unknown)")
        else:
            group = model.groups[by]
        sizes[group] += {"models": 1, "downloads": model.downloads or 0}[weight]
    known = sizes.total() - sizes["(unknown)"]
    return [{"group": group, "numerator": n, "denominator": known} for group, n in sizes.items()]


def count_pickle(models, parameters, _):
    kind, sizes = parameters.get("definition", "weights"), Counter()
    for model in select(models, parameters):
        if model.file_kinds is not None:
            sizes[kind in model.file_kinds, "safetensors" in model.file_kinds] += 1
    names = {
        (True, False): "pickle only", (True, True): "pickle and safetensors",
        (False, True): "safetensors only", (False, False): "neither",
    }  # fmt: skip
    return [
        {"class": name, "numerator": sizes[key], "denominator": sizes.total()}
        for key, name in names.items()
    ]


def count_milestones(models, parameters, _):
    days = sorted(date.fromisoformat(model.created[:10]) for model in models if model.created)
    every, previous, rows = parameters.get("every", 1_000_000), date(2022, 3, 2), []
    for place in range(every, len(days) + 1, every):
        reached = days[place - 1]
        rows.append({"models": place, "days": (reached - previous).days})
        previous = reached
    return rows


COUNTS = {
    "exclusivity": count_exclusivity,
    "creation_cutoff": count_creation_cutoff,
    "formats": count_formats,
    "top_shares": count_top_shares,
    "composition": count_composition,
    "pickle": count_pickle,
    "milestones": count_milestones,
}
"""Query -> the function that counts its rows again."""


def find_value(rows, spec, unit):
    """Return low and high of a reading, from its recounted rows."""
    is_count_of_models = spec.query != "top_shares" and spec.parameters.get("weight") in (
        None, "models",
    )  # fmt: skip
    low, high = add_rows(rows, spec.value, is_count_of_models)
    if spec.divided_by and unit == "ratio":
        sides = [find_rows(rows, side) for side in (spec.value, spec.divided_by)]
        low, high = ratio_interval(*(sum(row["numerator"] for row in side) for side in sides))
        if spec.value["column"] == "share":
            first, second = (sum(row["denominator"] for row in side) for side in sides)
            low, high = low * second / first, high * second / first
    elif spec.divided_by:
        least, most = add_rows(rows, spec.divided_by, is_count_of_models)
        low, high = low / most, high / least
    return low, high / (1 - spec.deleted_most) if spec.deleted_most else high


def find_rows(rows, selection):
    """Return the rows that a selection of a claim names."""
    wanted = {
        key: value if isinstance(value, list) else [value]
        for key, value in selection.items()
        if key not in ("column", "sum", "except")
    }
    unwanted = selection.get("except", {})
    return [
        row
        for row in rows
        if all(row[key] in values for key, values in wanted.items())
        and not any(row[key] in values for key, values in unwanted.items())
    ]


def add_rows(rows, selection, is_count_of_models):
    found, column = find_rows(rows, selection), selection["column"]
    if isinstance(column, list):
        return min(row[column[0]] for row in found), max(row[column[1]] for row in found)
    if column != "share":
        return (sum(row[column] for row in found),) * 2
    numerator = sum(row["numerator"] for row in found)
    is_one_population = len({row["denominator"] for row in found}) == 1
    assert is_one_population
    assert selection.get("sum") or len(found) == 1
    denominator = found[0]["denominator"]
    if is_count_of_models and min(numerator, denominator) < 100:
        return wilson_interval(numerator, denominator)
    return (numerator / denominator,) * 2


def wilson_interval(count, n):
    """The shares from which `count` of `n` is 1.96 standard errors away: roots of a quadratic."""
    z = 1.959964
    a, b, c = n + z**2, -(2 * count + z**2), count**2 / n
    root = (b**2 - 4 * a * c) ** 0.5
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def ratio_interval(first, second):
    """The odds at the ends of Wilson's interval of `first` among both."""
    low, high = wilson_interval(first, first + second)
    return low / (1 - low), high / (1 - high) if second else inf
