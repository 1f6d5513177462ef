"""`hfscan frameworks`."""

import click

from hfscan.cli._command import Command
from hfscan.cli._options import format_option
from hfscan.cli._streams import output
from hfscan.frameworks import taxonomy
from hfscan.report import ROW_FORMATS


@click.command("frameworks", cls=Command)
@format_option
def command(format_: str) -> None:
    """Print the frameworks, formats and runtimes that are told apart, and by which evidence."""
    rows = [
        {
            "framework": one.key,
            "title": one.title,
            "kind": one.kind,
            "of": one.of,
            "tags": list(one.tags),
            "files": list(one.files),
            "libraries": list(one.libraries),
        }
        for one in taxonomy().frameworks
    ]
    ROW_FORMATS[format_](rows, output(format_))
