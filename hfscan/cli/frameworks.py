import click

from hfscan.cli._command import Command
from hfscan.cli._options import SnapshotSelector, format_option, snapshot_options
from hfscan.cli._streams import output
from hfscan.frameworks import taxonomy
from hfscan.report import write_rows

_EXAMPLES = """
hfscan frameworks
hfscan frameworks --format json
hfscan frameworks --unplaced
"""


@click.command("frameworks", cls=Command, examples=_EXAMPLES)
@click.option(
    "--unplaced",
    is_flag=True,
    help="List what the taxonomy does not know in a snapshot: libraries, tags and file endings, by "
    "models and downloads.",
)
@format_option
@snapshot_options
def command(unplaced: bool, format_: str, selector: SnapshotSelector) -> None:
    """List frameworks, formats and runtimes, and the evidence that identifies each.

    With --unplaced, `(any)` counts the models that have at least one such library, tag or ending.
    """
    if unplaced:
        with selector.open() as store:
            rows = selector.select(store).run("unplaced", {})
    elif selector.is_given:
        raise click.UsageError("--snapshot and --as-of need --unplaced.")
    else:
        rows = [
            {
                "framework": framework.key,
                "title": framework.title,
                "kind": framework.kind,
                "parent": framework.parent,
                "tags": list(framework.tags),
                "files": list(framework.files),
                "libraries": list(framework.libraries),
            }
            for framework in taxonomy().frameworks
        ]
    write_rows(format_, rows, output(format_))
