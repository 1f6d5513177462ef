"""Print messages to stdout and stderr; `hfscan.report` writes tables and JSON.

Control characters in quoted text (ids, keys, file names, server responses) are replaced here, for
every command. Ruff forbids `click.echo` and `print` elsewhere.
"""

import io

import click

from hfscan.text import sanitize, sanitize_lines


def echo(message: str = "", *, err: bool = False) -> None:
    """Print a message as one line."""
    click.echo(sanitize(message), err=err)  # noqa: TID251 - the only caller


def echo_lines(text: str, *, err: bool = False) -> None:
    """Print text and keep its line breaks."""
    click.echo(sanitize_lines(text), err=err)  # noqa: TID251 - the only caller


def show_error(error: click.ClickException) -> None:
    """Print a usage error as click formats it."""
    text = io.StringIO()
    error.show(text)
    echo_lines(text.getvalue().rstrip("\n"), err=True)
