"""The figures of a year's report as a script without masks would count them, for figures.py.

Every figure is its own COUNT over the lists of tags, in one pass for each section.
"""

import json
import sys

import duckdb

FRAMEWORKS = {"pytorch": "pytorch", "tensorflow": "tf"}
CREATED = "created_at >= '2022-01-01' AND created_at < '2023-01-01'"
FLOOR = "created_at >= '2022-03-02 23:29:00' AND created_at < '2022-03-02 23:30:00'"
EXISTING = "created_at < '2023-01-01'"
SECTIONS = [
    *(("created", floor, weight, None) for weight in ("models", "downloads")
      for floor in ("excluded", "included", "only")),
    ("existing", None, "models", None),
    *(("created", "excluded", "models", by) for by in ("month", "task", "library")),
]  # fmt: skip
GROUPS = {
    None: "NULL",
    "month": "strftime(created_at, '%Y-%m')",
    "task": "coalesce(pipeline_tag, '(none)')",
    "library": "coalesce(library_name, '(none)')",
}
KINDS = {
    ("exclusive", "pytorch"): "pytorch AND NOT tensorflow",
    ("exclusive", "tensorflow"): "tensorflow AND NOT pytorch",
    ("available", "pytorch"): "pytorch",
    ("available", "tensorflow"): "tensorflow",
    ("shared", None): "pytorch AND tensorflow",
}


def main() -> None:
    """Print the figures of the database named first."""
    connection = duckdb.connect(sys.argv[1], read_only=True)
    figures = []
    for population, floor, weight, by in SECTIONS:
        where = CREATED if population == "created" else EXISTING
        where += {"excluded": f" AND NOT ({FLOOR})", "only": f" AND ({FLOOR})"}.get(floor, "")
        count = "count(*)" if weight == "models" else "sum(downloads)"
        columns = [f"{count} FILTER ({condition})" for condition in KINDS.values()]
        has = ", ".join(f"list_contains(tags, '{t}') AS {f}" for f, t in FRAMEWORKS.items())
        rows = connection.execute(
            f"SELECT {GROUPS[by]} AS g, {', '.join(columns)}, "
            f"{count} FILTER (pytorch OR tensorflow) AS serving "
            f"FROM (SELECT *, {has} FROM models WHERE {where}) GROUP BY g "
            "ORDER BY serving DESC, g"
        ).fetchall()
        if by in ("task", "library"):
            rows = rows[:15]
        for group, *numbers, serving in rows:
            for (name, framework), n in zip(KINDS, numbers, strict=True):
                figures.append(
                    {
                        "name": name, "framework": framework, "population": population,
                        "floor": floor, "weight": weight, "by": by, "group": group,
                        "numerator": int(n or 0), "denominator": int(serving or 0),
                    }
                )  # fmt: skip
    json.dump({"figures": figures}, sys.stdout)


if __name__ == "__main__":
    main()
