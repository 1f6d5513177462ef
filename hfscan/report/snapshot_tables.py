"""Tables of the classes of models in each snapshot, from the rows of `compare_snapshots`."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from hfscan.figures import load
from hfscan.frameworks import taxonomy
from hfscan.report.caveats import is_small, mark_small
from hfscan.report.format import (
    DEFINITION_LABELS,
    breakdown_label,
    class_label,
    format_number,
    format_percent,
    split_formats,
)
from hfscan.report.model import Row
from hfscan.report.tables import Table, pivot_table


def measure_tables(rows: Iterable[Row], compared: Mapping[str, str]) -> dict[str, Table]:
    """Return each measure of `compare_snapshots` -> a table: its shares by class and snapshot.

    `compared`: framework -> title.
    """
    tables: dict[str, dict[str, list[Row]]] = {}
    for row in sorted(measured_rows(rows, compared), key=lambda row: str(row["observed_at"])):
        label = _snapshot_label(row)
        tables.setdefault(row["measure"], {}).setdefault(label, []).append(row)
    result = {}
    for measure, groups in tables.items():
        cells = [
            (
                measure_label(row, compared),
                label,
                mark_small(format_percent(row["share"]), row, "share"),
            )
            for label, group in groups.items()
            for row in group
        ]
        cells += total_cells(groups)
        result[measure] = replace(narrow_pivot_table(cells), title=load(measure).title)
    return result


def measured_rows(rows: Iterable[Row], compared: Mapping[str, str]) -> Iterable[Row]:
    """Yield the rows of `compare_snapshots` that tables and charts have.

    Of one framework that is compared with no other, these are the models with and without it.
    """
    shown = ("none",) if len(compared) == 1 else ("exclusive", "shared")
    for row in rows:
        if row["measure"] == "exclusivity" and row["class"] not in shown:
            continue
        if row["measure"] == "exclusivity" and row["class"] == "none":
            yield _complement_row(row, next(iter(compared)))
        yield row


def _complement_row(row: Row, framework: str) -> Row:
    """Return the row of the models that a row of models without a framework leaves."""
    numerator, denominator = row["denominator"] - row["numerator"], row["denominator"]
    return {
        **row,
        "class": "available",
        "framework": framework,
        "numerator": numerator,
        "share": numerator / denominator if denominator else None,
        "small": is_small(numerator, denominator),
    }


def measure_label(row: Row, compared: Mapping[str, str]) -> str:
    """Return the label of a class of `compare_snapshots`."""
    titles = {**taxonomy().titles, **compared}
    match row["measure"]:
        case "exclusivity":
            return class_label(row["class"], row["framework"], compared)
        case "breakdown":
            return breakdown_label(row["class"], titles)
    return titles[row["framework"]]


def _snapshot_label(row: Row) -> str:
    """Return the day and number of a snapshot, with the flags on its data."""
    parts = [row["observed_at"], f"snapshot {row['snapshot']}", *row["flags"]]
    if row["measure"] == "exclusivity":
        parts.append(DEFINITION_LABELS[row["definition"]])
    return ", ".join(parts).replace("_", " ")


def total_cells(groups: Mapping[str, Iterable[Row]]) -> Iterable[tuple[str, str, str]]:
    """Yield the cells of the totals and the coverage of some columns: label -> the rows.

    Formats have totals of their own where some models have a known format, but no known framework.
    """
    totals = {
        label: [(rows[0]["denominator"], rows[0]["coverage"]) for rows in split_formats(group)]
        for label, group in groups.items()
    }
    differ = any(found[0] != found[-1] for found in totals.values())
    for name, place in (("", 0), (" of formats", -1))[: 1 + differ]:
        for label, found in totals.items():
            yield f"Total{name}", label, format_number(found[place][0])
            yield f"Coverage{name}", label, format_percent(found[place][1])


def narrow_pivot_table(cells: Iterable[tuple[str, str, str]]) -> Table:
    """Return a table from cells that each have two labels and a text; the fewer are columns."""
    cells = list(cells)
    first, second = (len({cell[place] for cell in cells}) for place in (0, 1))
    keys = ("rows", "columns", "cells") if second <= first else ("columns", "rows", "cells")
    return pivot_table(dict(zip(keys, cell, strict=True)) for cell in cells)
