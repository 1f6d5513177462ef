"""The one way for messages to stdout and stderr; tables and JSON go through `hfscan.report`.

Whatever a message quotes (ids, keys, names of files, answers of servers) is made safe here, so that
no command has to think of it. Ruff forbids `click.echo` and `print` elsewhere.
"""

import io

import click

from hfscan.text import sanitize, sanitize_lines


def echo(message: str = "", *, err: bool = False) -> None:
    """Print a message as one line."""
    click.echo(sanitize(message), err=err)  # noqa: TID251 - this is the one place


def echo_lines(text: str, *, err: bool = False) -> None:
    """Print text that has line breaks of its own."""
    click.echo(sanitize_lines(text), err=err)  # noqa: TID251 - this is the one place


def show_error(error: click.ClickException) -> None:
    """Print what click says of a wrong command line: its usage and the reason."""
    text = io.StringIO()
    error.show(text)
    echo_lines(text.getvalue().rstrip("\n"), err=True)
