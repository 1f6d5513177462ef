"""Generate docs/queries.md from the headers: `python tools/queries.py > docs/queries.md`."""

from hfscan.figures import load
from hfscan.figures.queries import Query, list_queries

_HEAD = """# Queries

Every number comes from one of these files in [queries/](../queries), run on the relation `census`,
the models of one snapshot. `hfscan query NAME --param name=value` runs one;
`hfscan query "SELECT ..."` runs read-only SQL of your own. Generated from the headers of the files
by `tools/queries.py`.
"""


def page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *(_section(load(name)) for name in list_queries())])


def _section(query: Query) -> str:
    lines = [
        f"## [{query.name}](../queries/{query.name}.sql)",
        "",
        f"{query.title}. {query.answers}",
        "",
    ]
    if query.parameters:
        lines += ["| Parameter | Type | Default | Meaning |", "| --- | --- | --- | --- |"]
        lines += [
            f"| `{parameter.name}` | {parameter.type} | {_default(parameter.default)} "
            f"| {parameter.meaning} |"
            for parameter in query.parameters
        ]
        lines.append("")
    return "\n".join(lines)


def _default(value: object) -> str:
    if value is None:
        return ""
    return f"`{','.join(value) if isinstance(value, list) else value}`"


if __name__ == "__main__":
    print(page(), end="")
