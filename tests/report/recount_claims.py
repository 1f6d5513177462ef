"""The queries behind claims, and the values of their readings, counted again in plain Python."""

import json
from collections import Counter, defaultdict
from datetime import date
from fractions import Fraction
from itertools import accumulate
from math import ceil, floor, inf

from evidence import DECISIVE, find_support
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
    definition, tally = attribute(parameters), Counter()
    for model in select(models, parameters, cutoff="excluded"):
        keys = getattr(model, definition)
        if keys is not None and model.groups["library"] != parameters.get("exclude_library", ""):
            tally[keys, "all" if parameters.get("per") == "all" else model.created[:4]] += 1
    having, known = Counter(), Counter()
    for (keys, period), n in tally.items():
        having.update({(key, period): n for key in keys})
        is_framework_known = find_support(keys, frozenset(), definition) is not None
        known[True, period] += n * is_framework_known
        known[False, period] += n
    return [
        {
            "framework": key, "period": period, "numerator": n,
            "denominator": known[key in DECISIVE, period],
        }
        for (key, period), n in having.items()
    ]  # fmt: skip


def rank(models, parameters):
    """Return the downloads or likes of each model, account or library, the least first."""
    weight, per = parameters.get("weight", "downloads"), parameters.get("per", "model")
    counts = defaultdict(int)
    for model in select(models, parameters):
        unit = {"model": model.id, "author": model.author, "library": model.groups["library"]}[per]
        if (count := getattr(model, weight)) is not None and unit != "(none)":
            counts[unit] += count
    return sorted(counts.values())


def count_top_shares(models, parameters, _):
    ranked = rank(models, parameters)[::-1]
    percents = [Fraction(text) for text in ("0.01", "0.1", "1", "10")]
    percents.append(Fraction(str(parameters.get("percent", 1))))
    sizes = {f"top {size}": size for size in (1, 10, 50, 100, 200, 1000) if size <= len(ranked)} | {
        f"top {float(percent):g} %": ceil(len(ranked) * percent / 100) for percent in percents
    }
    counts = {name: (sum(ranked[:size]), sum(ranked)) for name, size in sizes.items()}
    counts["none"] = sum(n == 0 for n in ranked), len(ranked)
    counts["under"] = sum(n < parameters.get("under", 200) for n in ranked), len(ranked)
    return [
        {"name": name, "numerator": numerator, "denominator": denominator}
        for name, (numerator, denominator) in counts.items()
    ]


def count_lorenz(models, parameters, _):
    ranked, points = rank(models, parameters), parameters.get("points", 20)
    steps = {Fraction(number, points) for number in range(points + 1)}
    steps |= {Fraction(text) for text in ("0.99", "0.995", "0.999", "0.9999")}
    lowest = [0, *accumulate(ranked)]
    return [
        {"units": units, "total_units": len(ranked), "numerator": lowest[units],
         "denominator": lowest[-1]}
        for units in {floor(len(ranked) * step) for step in steps}
    ]  # fmt: skip


def weigh(model, parameters):
    """Return what a model counts."""
    weight = parameters.get("weight", "models")
    return 1 if weight == "models" else getattr(model, weight)


def count_tag_values(models, parameters, _):
    of, sizes, total = parameters.get("of", "language"), Counter(), 0
    for model in select(models, parameters):
        n = weigh(model, parameters) or 0
        total += n
        for value in model.named[of]:
            sizes[value] += n
        sizes["(any)" if model.named[of] else "(none)"] += n
    values = sorted(sizes.keys() - {"(any)", "(none)"}, key=lambda value: (-sizes[value], value))
    return [
        {"value": value, "numerator": sizes[value], "denominator": total,
         "values_named": len(values)}
        for value in ("(any)", "(none)", *values)
    ]  # fmt: skip


def count_orphans(models, parameters, _):
    by, sizes, known = parameters.get("by"), Counter(), 0
    for model in select(models, parameters):
        n = weigh(model, parameters) or 0
        known += n * (model.orphan is not None)
        group = {None: None, "model": model.id}.get(by) or (by and model.groups[by])
        if not by or model.orphan not in (None, "current", "no weights"):
            sizes[model.orphan or "(unknown)", group] += n
    top = parameters.get("top", 20) if by else None
    return [
        {"class": name, "group": group, "numerator": n, "denominator": known}
        for (name, group), n in sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:top]
    ]


def count_composition(models, parameters, _):
    by, per = parameters.get("by", "license"), parameters.get("per", "all")
    sizes, groups = Counter(), json.loads(parameters.get("account_groups", "{}"))
    for model in select(models, parameters):
        if by == "model_card":
            group = "model card" if "model card" in model.file_kinds else "(none)"
        elif by == "account_group":
            group = groups.get(model.author, "(unknown)")
        else:
            group = model.groups.get(by, "(unknown)")
        sizes[model.groups.get(per, per), group] += weigh(model, parameters) or 0
    known = Counter()
    for (period, group), n in sizes.items():
        known[period] += n * (group != "(unknown)")
    return [
        {"group": group, "numerator": n, "denominator": known[period], "period": period}
        for (period, group), n in sizes.items()
    ]


def count_pickle(models, parameters, _):
    kind, sizes = parameters.get("definition", "weights"), Counter()
    for model in select(models, parameters):
        if model.file_kinds is not None:
            key = kind in model.file_kinds, "safetensors" in model.file_kinds
            sizes[key] += weigh(model, parameters) or 0
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
    "lorenz": count_lorenz,
    "tag_values": count_tag_values,
    "orphans": count_orphans,
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
    return low, high


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
