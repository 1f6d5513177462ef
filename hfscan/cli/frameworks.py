from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from hfscan.cli._command import Command
from hfscan.cli._options import SnapshotSelector, format_option, snapshot_options
from hfscan.cli._output import note
from hfscan.cli._streams import output
from hfscan.cli._types import Choice
from hfscan.frameworks import taxonomy

if TYPE_CHECKING:
    from hfscan.frameworks import Framework

_EXAMPLES = """
hfscan frameworks
hfscan frameworks pytorch
hfscan frameworks --format json
hfscan frameworks --unplaced
"""
_EVIDENCE = ("tags", "files", "libraries")


@click.command("frameworks", cls=Command, examples=_EXAMPLES)
@click.argument(
    "name",
    required=False,
    type=Choice(taxonomy().titles, "framework", taxonomy().names_by_tag),
    metavar="[NAME]",
)
@click.option(
    "--unplaced",
    is_flag=True,
    help="List what the taxonomy does not know in a snapshot: libraries, tags and file endings, by "
    "models and downloads.",
)
@format_option
@snapshot_options
def command(name: str | None, unplaced: bool, format_: str, selector: SnapshotSelector) -> None:
    """List frameworks, formats and runtimes, and the evidence that identifies each.

    On a terminal, the list has the number of tags, files and libraries; NAME prints those of one
    framework. With --unplaced, `(any)` counts the models that have at least one such library, tag
    or ending.
    """
    from hfscan.figures.limits import describe_partial
    from hfscan.report import write_rows

    rows: Sequence[dict[str, Any]]
    if unplaced:
        if name:
            raise click.UsageError("NAME cannot be combined with --unplaced. Omit one of them.")
        with selector.open() as store:
            view = selector.select(store)
            rows = view.run("unplaced", {})
            for text in describe_partial(store, [view.snapshot]):
                note(text)
    elif selector.is_given:
        raise click.UsageError("--snapshot and --as-of need --unplaced.")
    else:
        frameworks = (part for part in taxonomy().frameworks if name in (None, part.key))
        rows = list(map(_row, frameworks))
        if format_ == "terminal" and name is None:
            rows = [row | {key: len(row[key]) for key in _EVIDENCE} for row in rows]
            note("The tags, files and libraries of a framework: hfscan frameworks NAME")
    write_rows(format_, rows, output(format_))


def _row(framework: Framework) -> dict[str, Any]:
    return {
        "framework": framework.key,
        "title": framework.title,
        "kind": framework.kind,
        "parent": framework.parent,
        **{key: list(getattr(framework, key)) for key in _EVIDENCE},
    }
