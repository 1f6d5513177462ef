"""Compute the figures of a year's report by tags without framework masks, for figures.py.

Each section is one query that searches the lists of tags.
"""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import duckdb

FOLDER = Path(__file__).parents[1] / "hfscan" / "frameworks"
TAXONOMY = tomllib.loads((FOLDER / "taxonomy.toml").read_text(encoding="utf-8"))
FRAMEWORKS = {entry["key"]: entry for entry in TAXONOMY["framework"]}
FRAMEWORK_NAMES = ("pytorch", "tensorflow")
CREATED = "created_at >= '2022-01-01' AND created_at < '2023-01-01'"
AT_CUTOFF = "created_at >= '2022-03-02 23:29:00' AND created_at < '2022-03-02 23:30:00'"
CUTOFFS = {
    "excluded": f"{CREATED} AND NOT ({AT_CUTOFF})",
    "included": CREATED,
    "only": f"{CREATED} AND {AT_CUTOFF}",
}
EXISTING = "created_at < '2023-01-01'"
WEIGHTS = {"models": "1", "downloads": "downloads", "authors": "vote"}
GROUPS = {
    None: "NULL",
    "month": "strftime(created_at, '%Y-%m')",
    "task": "coalesce(pipeline_tag, '(none)')",
    "library": "coalesce(library_name, '(none)')",
}


def match_tag(key: str) -> str:
    """Return the SQL condition that a model has a tag of framework `key`."""
    return match_values("tags", FRAMEWORKS[key].get("tags", ()))


def match_values(column: str, values: Any) -> str:
    """Return the SQL condition that the list `column` contains one of `values`."""
    if len(values) < 2:
        return f"list_contains({column}, '{values[0]}')" if values else "false"
    return f"list_has_any({column}, {list(values)})"


def compute_shares(
    connection: duckdb.DuckDBPyConnection,
    where: str,
    *,
    weight: str = "models",
    by: str | None = None,
) -> list[dict[str, Any]]:
    """Return the figures of one section."""
    names = FRAMEWORK_NAMES
    n = {"models": "count(*)"}.get(weight, f"sum({WEIGHTS[weight]})")
    # an author's vote is split over the author's models of the denominator
    known = "sum(known_vote)" if weight == "authors" else n
    kinds: dict[tuple[str, str | None], str] = {
        **{("exclusive", name): f'"{name}" AND supported = 1' for name in names},
        **{("available", name): f'"{name}"' for name in names},
        ("shared", None): "supported > 1",
        ("none", None): "supported = 0",
    }
    sums = ", ".join(
        f"{known if name == 'none' else n} FILTER ({condition})"
        for (name, _), condition in kinds.items()
    )
    columns = ", ".join(f'{match_tag(name)} AS "{name}"' for name in names)
    supported = " + ".join(f'"{name}"::INTEGER' for name in names)
    votes = ""
    if weight == "authors":
        votes = (
            ", CASE WHEN supported > 0 THEN 1 / count(*) FILTER (supported > 0) OVER by_author END "
            "AS vote, 1 / count(*) OVER by_author AS known_vote"
        )
    rows = connection.execute(
        f"WITH found AS (SELECT *, {columns}, "
        f"coalesce(split_part(id, '/', -2), '') AS author FROM models WHERE {where}), "
        f"summed AS (SELECT *, {supported} AS supported FROM found), "
        f"counted AS (SELECT *{votes} FROM summed WINDOW by_author AS (PARTITION BY author)) "
        f"SELECT {GROUPS[by]} AS g, {known}, {n} FILTER (supported > 0) AS supporting, {sums} "
        "FROM counted GROUP BY g ORDER BY supporting DESC NULLS LAST, g"
    ).fetchall()
    if by in ("task", "library"):  # the 15 largest, and the rest
        rest = [sum(n or 0 for n in column) for column in list(zip(*rows[15:], strict=True))[1:]]
        rows = rows[:15] + ([("(other)", *rest)] if rest else [])
    return [
        {
            "definition": "tag", "frameworks": FRAMEWORK_NAMES, "name": name,
            "framework": framework, "weight": weight, "by": by, "group": group,
            "numerator": round(n or 0, 6),
            "denominator": round((total if name == "none" else supporting) or 0, 6),
        }
        for group, total, supporting, *numbers in rows
        for (name, framework), n in zip(kinds, numbers, strict=True)
    ]  # fmt: skip


def cutoff(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return the figures of the creation-date cutoff, with dates from other sources."""
    dated = "at_cutoff AND date >= '2022-01-01' AND date < '2022-03-02 23:29:00'"
    conflict = "at_cutoff AND date >= '2022-03-02 23:29:00'"
    ages = {
        "certain": f"{CREATED} AND NOT at_cutoff",
        "dated": dated,
        "undated": f"at_cutoff AND (date IS NULL OR {conflict})",
        "impossible_dates": conflict,
    }
    kinds = {
        ("exclusive", "pytorch"): "pytorch AND NOT tensorflow",
        ("exclusive", "tensorflow"): "tensorflow AND NOT pytorch",
        ("shared", None): "pytorch AND tensorflow",
    }
    counts = [
        f"count(*) FILTER ({kind} AND {age})" for kind in kinds.values() for age in ages.values()
    ]
    row = connection.execute(
        f"SELECT {', '.join(counts)} FROM (SELECT *, {AT_CUTOFF} AS at_cutoff, "
        f"{match_tag('pytorch')} AS pytorch, {match_tag('tensorflow')} AS tensorflow "
        f"FROM models LEFT JOIN dates USING (id) WHERE {CREATED})"
    ).fetchone()
    counted = iter(row or ())
    return [
        {"name": name, "framework": framework} | {age: next(counted) for age in ages}
        for name, framework in kinds
    ]


def concentration(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return the ten accounts with the most PyTorch-only models."""
    rows = connection.execute(
        "WITH found AS (SELECT coalesce(nullif(split_part(id, '/', -2), ''), '(none)') AS author, "
        f"{match_tag('pytorch')} AS pytorch, {match_tag('tensorflow')} AS tensorflow "
        f"FROM models WHERE {CUTOFFS['excluded']}) "
        "SELECT author, count(*) FILTER (pytorch AND NOT tensorflow) AS numerator, "
        "count(*) FILTER (pytorch OR tensorflow) AS supporting "
        "FROM found GROUP BY author ORDER BY numerator DESC, author"
    ).fetchall()
    models, supporting = (sum(row[index] for row in rows) for index in (1, 2))
    remaining, remaining_supporting, accounts = models, supporting, []
    for author, numerator, supported in rows[:10]:
        remaining, remaining_supporting = remaining - numerator, remaining_supporting - supported
        accounts.append(
            {
                "author": author, "numerator": numerator, "denominator": models,
                "numerator_without": remaining, "denominator_without": remaining_supporting,
            }
        )  # fmt: skip
    return accounts


def formats(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return the number of models of the year with each tag."""
    counts = {key: f"count(*) FILTER ({match_tag(key)})" for key in FRAMEWORKS}
    *numbers, total = (
        connection.execute(
            f"SELECT {', '.join(counts.values())}, count(*) FROM models WHERE {CUTOFFS['excluded']}"
        ).fetchone()
        or ()
    )
    return [
        {"framework": key, "numerator": n, "denominator": total}
        for key, n in zip(counts, numbers, strict=True)
        if n
    ]


def main() -> None:
    """Print the figures of the database in the first argument, as JSON."""
    connection = duckdb.connect(sys.argv[1], read_only=True)

    def get_section(
        population: str, kind: str | None = None, **options: Any
    ) -> list[dict[str, Any]]:
        where = EXISTING if population == "existing" else CUTOFFS[kind or "excluded"]
        rows = compute_shares(connection, where, **options)
        return [{**row, "population": population, "cutoff": kind} for row in rows]

    created = [
        row for weight in WEIGHTS for kind in CUTOFFS
        for row in get_section("created", kind, weight=weight)
    ]  # fmt: skip
    grouped = [row for by in GROUPS if by for row in get_section("created", "excluded", by=by)]
    variants = [
        row for weight in WEIGHTS for row in get_section("created", "excluded", weight=weight)
    ]
    document = {
        "figures": created + get_section("existing") + grouped,
        "variants": variants,
        "tables": {table.__name__: table(connection) for table in (cutoff, concentration, formats)},
    }
    json.dump(document, sys.stdout)


if __name__ == "__main__":
    main()
