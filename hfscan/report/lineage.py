"""Draw the lineage of a model: what it was made from above it, what was made from it below."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from rich.text import Text
from rich.tree import Tree as RichTree

from hfscan._version import __version__
from hfscan.report.format import format_date
from hfscan.report.model import Row
from hfscan.report.writers.html import read_style, render_page
from hfscan.report.writers.terminal import open_console
from hfscan.store import Snapshot
from hfscan.text import encode_json, sanitize


@dataclass(frozen=True)
class Node:
    """A model in the tree, by its row of `lineage_tree.sql`, and the models made from it.

    `base`: the row of the model above it. `hidden`: further models made from it.
    """

    row: Row
    base: Row | None = None
    children: tuple["Node", ...] = ()
    hidden: int = 0


@dataclass(frozen=True)
class LineageTree:
    """The tree of a model; `rows` are those of `lineage_tree.sql` within the steps to draw.

    `titles`: framework -> title.
    """

    model: str
    snapshot: Snapshot
    rows: Sequence[Row]
    root: Node
    titles: Mapping[str, str]

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[Row],
        snapshot: Snapshot,
        titles: Mapping[str, str],
        *,
        up: int,
        down: int,
        top: int,
    ) -> "LineageTree":
        """Return the tree with at most `up` and `down` steps, and `top` models below each."""
        limits = {"up": up, "itself": 0, "down": down}
        rows = [row for row in rows if row["steps"] <= limits[row["direction"]]]
        (itself,) = (row for row in rows if row["direction"] == "itself")
        below: dict[str, list[Row]] = {}
        for row in rows:
            if row["direction"] == "down":
                below.setdefault(row["via"], []).append(row)
        ancestors = {row["model"]: row for row in rows if row["direction"] == "up"}
        line = list(_trace_ancestors(itself, ancestors))
        root = _grow(itself, line[0] if line else None, below, top)
        for row, base in zip(line, [*line[1:], None], strict=False):
            root = Node(row, base, (root,))
        return cls(itself["model"], snapshot, rows, root, titles)

    @property
    def itself(self) -> Row:
        return next(row for row in self.rows if row["direction"] == "itself")

    @property
    def summary(self) -> str:
        """Two or three sentences on the model's bases and derivatives."""
        row, day = self.itself, format_date(self.snapshot.observed_to)
        if not row["in_snapshot"]:
            text = f"The snapshot of {day} does not have {self.model}, but models name it as base."
        elif not row["bases_known"]:
            text = f"The snapshot of {day} does not tell what {self.model} was made from."
        else:
            bases = (
                _format_count(len(row["parents"] or ()), "base model")
                if row["parents"]
                else "no base model"
            )
            text = f"In the snapshot of {day}, {self.model} names {bases}."
        if any(other["in_cycle"] for other in self.rows):
            text += " It is part of a cycle: models that name each other as base."
        down = next((other for other in self.rows if other["direction"] == "down"), None)
        if down is None:
            return f"{text} No model names it as base."
        verb = "descends" if down["models"] == 1 else "descend"
        text += f" {_format_count(down['models'], 'model')} {verb} from it"
        text += f", {row['children']:,} directly"
        if down["total_downloads"] is not None:
            text += f", with {down['total_downloads']:,} downloads in 30 days"
        return f"{text}."

    @property
    def legend(self) -> str:
        """What the question mark stands for; empty where there is none."""
        is_inferred = any(row["relation"] == "(unnamed)" for row in self.rows)
        return "A relation with ? is not declared, but inferred from tags." * is_inferred

    def describe(self, node: Node) -> str:
        """Return what is known about a model: relation to its base, downloads, frameworks, ..."""
        row = node.row
        if not row["in_snapshot"]:
            return "not in the snapshot"
        parts = [row["relation"]] if row["relation"] else []
        if parts == ["(unnamed)"]:
            parts = [f"{row['inferred_relation']}?"]
        if row["downloads"] is not None:
            parts.append(f"{row['downloads']:,} downloads")
        titles = [self.titles.get(name, name) for name in row["frameworks"] or ()]
        parts.append(" + ".join(titles) or "framework unknown")
        parts.append(_describe_license(row, node.base))
        above = None if node.base is None else node.base["model"]
        if others := [name for name in row["parents"] or () if name != above]:
            parts.append(f"also from {', '.join(others)}" if above else f"from {', '.join(others)}")
        if row["in_cycle"]:
            parts.append("in a cycle")
        return " · ".join(parts)


def _trace_ancestors(row: Row, ancestors: dict[str, Row]) -> Iterator[Row]:
    """Yield the first base of a model that is in the snapshot, or the first, then its base, ..."""
    while bases := [ancestors.pop(name) for name in row["parents"] or () if name in ancestors]:
        row = next((base for base in bases if base["in_snapshot"]), bases[0])
        yield row


def _grow(row: Row, base: Row | None, below: Mapping[str, list[Row]], top: int) -> Node:
    rows = below.get(row["model"], [])
    children = tuple(_grow(child, row, below, top) for child in rows[:top])
    total = rows[0]["siblings"] if rows else row["children"] * (not row["in_cycle"])
    return Node(row, base, children, total - len(children))


def _format_count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _describe_license(row: Row, base: Row | None) -> str:
    license_ = row["license"]
    if license_ is None:
        return "licence unknown"
    text = "no licence" if license_ == "(none)" else license_
    before = base and base["license"]
    return text if before in (None, "(none)", license_) else f"{text} (base: {before})"


def _format_hidden(node: Node) -> str:
    return f"… and {node.hidden:,} more" if node.children else f"… {node.hidden:,} made from it"


def write_terminal(tree: LineageTree, out: TextIO) -> None:
    """Write the tree with guides, in the width of the terminal."""
    console = open_console(out)
    console.print(Text(sanitize(tree.summary)))
    console.print()
    console.print(_to_rich(tree, tree.root))
    if tree.legend:
        console.print()
        console.print(Text(tree.legend, "dim"))


def _to_rich(tree: LineageTree, node: Node, branch: RichTree | None = None) -> RichTree:
    is_itself = node.row["direction"] == "itself"
    label = Text()
    label.append(sanitize(node.row["model"]), "bold green" if is_itself else "bold")
    label.append(f"  {sanitize(tree.describe(node))}", "dim")
    branch = RichTree(label, guide_style="dim") if branch is None else branch.add(label)
    for child in node.children:
        _to_rich(tree, child, branch)
    if node.hidden:
        branch.add(Text(_format_hidden(node), "dim"))
    return branch


def write_mermaid(tree: LineageTree, out: TextIO) -> None:
    """Write a Mermaid flowchart."""
    out.write("flowchart LR\n")
    for number, (node, above) in enumerate(_number_nodes(tree.root)):
        label = _escape_mermaid(node.row["model"])
        details = _escape_mermaid(tree.describe(node))
        out.write(f'  n{number}["{label}<br><small>{details}</small>"]\n')
        if above is not None:
            out.write(f"  n{above} --> n{number}\n")
        if node.hidden:
            out.write(f'  n{number} --> h{number}(["{_escape_mermaid(_format_hidden(node))}"])\n')
        if node.row["direction"] == "itself":
            out.write(f"  style n{number} stroke-width:3px\n")


def _number_nodes(root: Node) -> Iterator[tuple[Node, int | None]]:
    """Yield each node, by depth first, and the number of the one above it; they count from 0."""
    stack: list[tuple[Node, int | None]] = [(root, None)]
    number = 0
    while stack:
        node, above = stack.pop()
        yield node, above
        stack += [(child, number) for child in reversed(node.children)]
        number += 1


def _escape_mermaid(text: str) -> str:
    """Return the text with all that could be markup as Mermaid's codes of characters."""
    return re.sub(r"[^\w ./,·…()+:?-]", lambda match: f"#{ord(match[0])};", sanitize(text))


def write_html(tree: LineageTree, out: TextIO) -> None:
    """Write a self-contained page."""
    trusted = {"style": read_style("lineage.css")}
    out.write(render_page("lineage.html", trusted, tree=tree, format_hidden=_format_hidden))


def write_json(tree: LineageTree, out: TextIO) -> None:
    """Write all models within the steps, as rows of `lineage_tree.sql`."""
    document: dict[str, Any] = {
        "model": tree.model,
        "hfscan_version": __version__,
        "snapshot": {
            "id": tree.snapshot.id,
            "observed_to": f"{tree.snapshot.observed_to.isoformat()}Z",
        },
        "summary": tree.summary,
        "models": tree.rows,
    }
    out.write(encode_json(document) + "\n")


LINEAGE_FORMATS = {
    "terminal": write_terminal,
    "mermaid": write_mermaid,
    "html": write_html,
    "json": write_json,
}
"""Format -> what writes a LineageTree in it."""
