"""docs/queries.md from the headers of queries/: `python tools/queries.py > docs/queries.md`."""

from hfscan.figures import load
from hfscan.figures.queries import Query, names

_HEAD = """# Queries

Every number comes from one of these files in [queries/](../queries), asked over the relation
`census`: the models of one snapshot. `hfscan query NAME --param name=value` runs one, and
`hfscan query "SELECT ..."` runs SQL of your own, read-only. This page is made from their headers by
`tools/queries.py`.
"""


def page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *(_section(load(name)) for name in names())])


def _section(query: Query) -> str:
    lines = [
        f"## [{query.name}](../queries/{query.name}.sql)",
        "",
        f"{query.title}. {query.answers}",
        "",
    ]
    if query.parameters:
        lines += ["| Parameter | Type | Default | |", "| --- | --- | --- | --- |"]
        lines += [
            f"| `{one.name}` | {one.type} | {_default(one.default)} | {one.meaning} |"
            for one in query.parameters
        ]
        lines.append("")
    return "\n".join(lines)


def _default(value: object) -> str:
    if value is None:
        return ""
    return f"`{','.join(value) if isinstance(value, list) else value}`"


if __name__ == "__main__":
    print(page(), end="")
