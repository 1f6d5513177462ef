"""Find the numbers of an HTML page and of its JSON."""

import calendar
import re
from collections import Counter

from hfscan.figures import load
from hfscan.report.format import format_number, format_percent, format_range, format_value

NUMBER = re.compile(r"(?<![\w.,])[<>+-]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]\d+)?(?: %)?(?![\w,.-]?\d)")
MONTHS = "|".join(calendar.month_name[1:])
DATE = re.compile(r"\b\d{4}(-\d\d){1,2}\b|\b20\d\d\b|\b\d{1,2} (?=" + MONTHS + ")")


def column_format(table, column, units):
    """Return the format that the table's query declares or, for a claim, its unit."""
    if table.get("name") in units:
        return units[table["name"]] if column in ("low", "high") else None
    declared = load(table["query"]).columns if table["query"] else {}
    return declared.get(column) or re.sub("_?(min|max)$", "", column)


def collect_numbers(report):
    """Return every number of a report's JSON, as the page formats it."""
    texts = set()
    for figure in report["figures"] + report["variants"]:
        counts = (figure["numerator"], figure["denominator"])
        texts |= {format_number(n) for n in counts} | {format_number(int(n)) for n in counts}
        texts |= {format_percent(figure["coverage"]), str(figure.get("transformers"))}
        texts |= {format_percent(figure["share"]), *NUMBER.findall(figure["group"] or "")}
        texts |= {format_number(figure["population_size"])}
        texts |= set(NUMBER.findall(figure.get("largest_model", "")))
        texts |= {
            format_percent(figure.get(name)) for name in ("largest_share", "share_without_largest")
        }
    variants = {}  # "another framework only" is one column for many frameworks
    for figure in report["variants"]:
        if figure["name"] == "exclusive":
            key = (figure["definition"], *figure["frameworks"])
            share = figure["numerator"] / (figure["denominator"] or 1)
            variants.setdefault(key, {})[figure["framework"]] = share
    for shares in variants.values():
        others = [share for name, share in shares.items() if name not in ("pytorch", "tensorflow")]
        texts.add(format_percent(sum(others)))
    breakdown = {"query": "breakdown", "rows": report["breakdown"]}
    units = {claim["name"].replace("-", "_"): claim["unit"] for claim in report.get("claims", [])}
    for table in [*report["tables"], breakdown]:
        for row in table["rows"]:
            for key, value in row.items():
                kind = None if isinstance(value, str) else column_format(table, key, units)
                texts |= set(NUMBER.findall(format_value(kind, value)))
            if row.get("share_min") is not None:
                texts |= set(NUMBER.findall(format_range(row["share_min"], row["share_max"])))
    verdicts = Counter(claim["verdict"] for claim in report.get("claims", []))
    for value in [*report.get("summary", {}).values(), *verdicts.values()]:
        texts |= set(NUMBER.findall(format_value(None, value)))
    for snapshot in filter(None, [report["snapshot"], *report.get("snapshots", [])]):
        texts |= {format_number(snapshot["models"]), str(snapshot["id"])}
    return texts


def find_numbers(text):
    """Return the numbers of a text, except those of dates."""
    return NUMBER.findall(DATE.sub("", text.replace("\N{NO-BREAK SPACE}", " ")))
