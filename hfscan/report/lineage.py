"""Draw the lineage of a model: what it was made from above it, what was made from it below."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from rich.text import Text
from rich.tree import Tree as RichTree

from hfscan._version import __version__
from hfscan.report.drawing import Chart, read_page_file
from hfscan.report.format import format_date
from hfscan.report.model import Row
from hfscan.report.writers.html import list_marks, render_page
from hfscan.report.writers.terminal import open_console, print_text
from hfscan.store import Snapshot
from hfscan.text import encode_json, format_count, sanitize

_LONGEST_NAME = 200  # characters; a repo id has at most 193
_MOST_NAMES = 5  # of further bases in a line


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

    `derived`: a row of those that descend from the model, within all steps; None: there are none.
    `is_cyclic`: it descends from itself, also where the steps to draw do not show it.
    `titles`: framework -> title. `limits`: sentences on what the snapshot lacks.
    """

    model: str
    snapshot: Snapshot
    rows: Sequence[Row]
    derived: Row | None
    root: Node
    titles: Mapping[str, str]
    is_cyclic: bool
    limits: Sequence[str]

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[Row],
        snapshot: Snapshot,
        titles: Mapping[str, str],
        *,
        limits: Sequence[str],
        up: int,
        down: int,
        top: int,
    ) -> "LineageTree":
        """Return the tree with at most `up` and `down` steps, and `top` models below each."""
        most = {"up": up, "itself": 0, "down": down}
        rows = list(rows)
        derived = next((row for row in rows if row["direction"] == "down"), None)
        is_cyclic = any(row["in_cycle"] for row in rows)
        rows = [row for row in rows if row["steps"] <= most[row["direction"]]]
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
        return cls(itself["model"], snapshot, rows, derived, root, titles, is_cyclic, limits)

    @property
    def itself(self) -> Row:
        return next(row for row in self.rows if row["direction"] == "itself")

    @property
    def summary(self) -> str:
        """Two or three sentences on the model's bases and derivatives."""
        row, day = self.itself, format_date(self.snapshot.observed_to)
        name = _shorten(self.model)
        if not row["in_snapshot"]:
            text = f"The snapshot of {day} does not have {name}, but models name it as base."
        elif not row["bases_known"]:
            text = f"The snapshot of {day} does not tell what {name} was made from."
        else:
            bases = (
                format_count(len(row["parents"] or ()), "base model")
                if row["parents"]
                else "no base model"
            )
            text = f"In the snapshot of {day}, {name} names {bases}."
        if self.is_cyclic:
            text += " It is part of a cycle: models that name each other as base."
        if self.derived is None:
            text += " No model names it as base."
        else:
            verb = "descends" if self.derived["models"] == 1 else "descend"
            text += f" {format_count(self.derived['models'], 'model')} {verb} from it"
            text += f", {row['children']:,} directly."
            if self.derived["total_downloads"] is not None:
                downloads = format_count(self.derived["total_downloads"], "download")
                count, known = self.derived["models"], self.derived["with_downloads"]
                subject = "It" if count == 1 else f"All {count:,} together"
                if known < count:
                    subject = f"The {known:,} of known downloads"
                text += f" {subject} had {downloads} in 30 days."
        if not (self.snapshot.is_unfiltered and self.snapshot.covers(None, None)):
            text += " The snapshot holds only a part of the Hub."
        return " ".join([text, *self.limits])

    @property
    def legend(self) -> str:
        """What the question mark, several bases and downloads stand for; empty without these."""
        parts = []
        if any(row["relation"] != row["inferred_relation"] for row in self.rows):
            parts.append("A relation with ? is not declared, but inferred from tags.")
        if any(len(row["parents"] or ()) > 1 for row in self.rows):
            parts.append(
                "A model of several bases descends from each of them; `hfscan query "
                "lineage_families` counts it only with its first base in the snapshot."
            )
        if any(row["downloads"] is not None for row in self.rows):
            parts.append("Downloads are those of the 30 days before the snapshot.")
        return " ".join(parts)

    def describe(self, node: Node) -> str:
        """Return what is known about a model: relation to its base, downloads, frameworks, ..."""
        row = node.row
        if not row["in_snapshot"]:
            return "not in the snapshot"
        parts = [row["relation"]] if row["relation"] else []
        if parts == ["(unnamed)"]:
            inferred = row["inferred_relation"]
            parts = ["relation unknown" if inferred == "(unnamed)" else f"{inferred}?"]
        if row["downloads"] is not None:
            parts.append(format_count(row["downloads"], "download"))
        titles = [self.titles.get(name, name) for name in row["frameworks"] or ()]
        parts.append(" + ".join(titles) or "framework unknown")
        parts.append(_describe_license(row, node.base))
        above = None if node.base is None else node.base["model"]
        if others := [name for name in row["parents"] or () if name != above]:
            parts.append(f"{'also ' * bool(above)}from {_join_names(others)}")
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


def _shorten(name: str) -> str:
    return sanitize(name, _LONGEST_NAME)


def _join_names(names: Sequence[str]) -> str:
    listed, more = names[:_MOST_NAMES], len(names) - _MOST_NAMES
    return ", ".join(map(_shorten, listed)) + (f" and {more:,} more" if more > 0 else "")


def _describe_license(row: Row, base: Row | None) -> str:
    license_ = row["license"]
    if license_ is None:
        return "license unknown"
    text = "no license" if license_ == "(none)" else _shorten(license_)
    before = None if base is None else base["license"]
    return text if before in (None, "(none)", license_) else f"{text} (base: {_shorten(before)})"


def _format_hidden(node: Node) -> str:
    return f"… and {node.hidden:,} more" if node.children else f"… {node.hidden:,} made from it"


_GUIDE = 4  # columns in front of a model, for each level
_MIN_LABEL = 24  # columns of a model


def write_terminal(tree: LineageTree, out: TextIO) -> None:
    """Write the tree with guides, in the width of the terminal."""
    console = open_console(out)
    print_text(console, tree.summary)
    console.print()
    node, arrow = tree.root, ""
    while node.row["direction"] == "up":
        console.print(Text(arrow).append(_label(tree, node)))
        (node,), arrow = node.children, "↓ "
    branch = RichTree(_label(tree, node, arrow), guide_style="dim")
    console.print(_to_rich(tree, node, branch, (console.width - _MIN_LABEL) // _GUIDE))
    if tree.legend:
        console.print()
        print_text(console, tree.legend, "dim")


def _label(tree: LineageTree, node: Node, arrow: str = "") -> Text:
    is_itself = node.row["direction"] == "itself"
    label = Text(arrow)
    label.append(_shorten(node.row["model"]), "bold green" if is_itself else "bold")
    return label.append(f"  {sanitize(tree.describe(node))}", "dim")


def _to_rich(tree: LineageTree, node: Node, branch: RichTree, levels: int) -> RichTree:
    """Add the models below a node; those for which there are no `levels` left, as their number."""
    if levels <= 1 and (below := _count_below(node)):
        branch.add(Text(f"… and {below:,} below; --format json has all", "dim"))
        return branch
    for child in node.children:
        _to_rich(tree, child, branch.add(_label(tree, child)), levels - 1)
    if node.hidden:
        branch.add(Text(_format_hidden(node), "dim"))
    return branch


def _count_below(node: Node) -> int:
    return node.hidden + sum(1 + _count_below(child) for child in node.children)


def write_mermaid(tree: LineageTree, out: TextIO) -> None:
    """Write a Mermaid flowchart."""
    out.write("flowchart LR\n")
    for number, (node, above) in enumerate(_number_nodes(tree.root)):
        label = _escape_mermaid(_shorten(node.row["model"]))
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


_ROW = 42  # CSS pixels of a model in a drawing
_LINE = 96  # characters in its width, less with each step


def draw_tree(tree: LineageTree) -> Chart:
    """Return the drawing of the tree, as files show it: each model below the one above it."""
    depths: list[int] = []
    rows: list[dict[str, Any]] = []
    for number, (node, above) in enumerate(_number_nodes(tree.root)):
        depths.append(0 if above is None else depths[above] + 1)
        details = tree.describe(node)
        if node.hidden:
            details = f"{_format_hidden(node)} · {details}"
        model, details = (
            sanitize(text, _LINE - 4 * depths[-1]) for text in (node.row["model"], details)
        )
        rows.append(
            {"row": number, "above": above or 0, "depth": depths[-1], "model": model}
            | {"details": details, "is_itself": node.row["direction"] == "itself"}
            | {"text": f"{model}: {details}"}
        )
    return Chart(
        alt=f"The lineage of {_shorten(tree.model)}",
        caption="",
        kind="tree",
        channels={"height": len(rows) * _ROW, "series": []},
        rows=rows,
        title=f"The lineage of {_shorten(tree.model)}",
        subtitle=sanitize(f"{tree.summary} {tree.legend} Source: hfscan {__version__}."),
    )


def write_html(tree: LineageTree, out: TextIO) -> None:
    """Write a self-contained page."""
    trusted = {"style": read_page_file("style.css")}
    page = render_page(
        "lineage.html",
        trusted,
        tree=tree,
        marks=list_marks([tree.snapshot]),
        shorten=_shorten,
        format_hidden=_format_hidden,
    )
    out.write(page)


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
