from __future__ import annotations

from pathlib import Path

import click

from hfscan.choices import IMAGE_EXTENSIONS, LINEAGE_EXTENSIONS
from hfscan.cli._command import Command
from hfscan.cli._options import SnapshotSelector, snapshot_options
from hfscan.cli._output import note
from hfscan.cli._progress import show_activity
from hfscan.cli._reports import match_format, write_file, write_text
from hfscan.cli._types import FILE, Choice, Count
from hfscan.frameworks import taxonomy

_LARGEST = 100  # steps to draw
_EXAMPLES = """
hfscan lineage openai-community/gpt2
hfscan lineage HuggingFaceH4/zephyr-7b-beta --top 3 --down 1
hfscan lineage google-bert/bert-base-uncased --out tree.html
hfscan lineage google-bert/bert-base-uncased --out tree.png
"""


@click.command("lineage", cls=Command, examples=_EXAMPLES)
@click.argument("model", metavar="MODEL_ID")
@click.option(
    "--up", type=Count(0, _LARGEST), default=20, metavar="N", help="Follow its bases for N steps."
)
@click.option(
    "--down",
    type=Count(0, _LARGEST),
    default=2,
    metavar="N",
    help="Follow the models made from it for N steps.",
)
@click.option(
    "--top",
    type=Count(1),
    default=5,
    metavar="N",
    help="Below each model, draw the N with the most downloads.",
)
@click.option(
    "--format",
    "format_",
    type=Choice(list(LINEAGE_EXTENSIONS.values())),
    help="Output format.  [default: from the extension of --out, else terminal]",
)
@click.option(
    "--out",
    type=FILE,
    metavar="FILE",
    help="Write to this file (.txt, .mmd, .html, .json, .svg or .png).",
)
@snapshot_options
def command(
    model: str,
    up: int,
    down: int,
    top: int,
    format_: str | None,
    out: Path | None,
    selector: SnapshotSelector,
) -> None:
    """Draw which models a model was made from, and which were made from it.

    Relations are those that models declare as their base models; old names are resolved where
    hfscan knows the new one. MODEL_ID may also be a base that is not in the snapshot.

    json holds all models within the steps of --up and --down.
    """
    from hfscan.figures import find_lineage
    from hfscan.figures.limits import describe_partial
    from hfscan.report.lineage import LINEAGE_FORMATS, LineageTree, draw_tree

    extensions = LINEAGE_EXTENSIONS | IMAGE_EXTENSIONS
    format_ = match_format(format_, out, extensions) if out else format_ or "terminal"
    with show_activity("Reading the snapshot"), selector.open() as store:
        view = selector.select(store)
        limit = None if format_ == "json" else top
        rows = find_lineage(view, model, up=up, down=down, top=limit)
        limits = tuple(describe_partial(store, [view.snapshot]))
        tree = LineageTree.from_rows(
            rows, view.snapshot, taxonomy().titles, limits=limits, up=up, down=down, top=top
        )
    if format_ == "mermaid":  # the drawing has no text of its own
        for text in tree.limits:
            note(text)
    if out and format_ in IMAGE_EXTENSIONS.values():
        write_file(draw_tree(tree).render(format_), out)
        return
    write = LINEAGE_FORMATS[format_]
    write_text(lambda file: write(tree, file), format_, out)
