import click

from hfscan.cli._command import Command
from hfscan.cli._options import format_option
from hfscan.cli._streams import output
from hfscan.frameworks import taxonomy
from hfscan.report import write_rows

_EXAMPLES = """
hfscan frameworks
hfscan frameworks --format json
"""


@click.command("frameworks", cls=Command, examples=_EXAMPLES)
@format_option
def command(format_: str) -> None:
    """List frameworks, formats and runtimes, and the evidence that identifies each."""
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
