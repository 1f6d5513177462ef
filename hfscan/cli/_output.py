"""Print messages to stdout and stderr, and set up the log; `hfscan.report` writes tables and JSON.

Control characters in quoted text (ids, keys, file names, server responses) are replaced here, for
every command. Ruff forbids `click.echo` and `print` elsewhere.
"""

import io
import logging
import re
import shutil
import sys

import click

from hfscan._logging import LOGGER
from hfscan.text import sanitize, sanitize_lines
from hfscan.wrap import wrap

_TOKEN = re.compile(r"hf_\w{8,}")


def echo(message: str = "", *, err: bool = False) -> None:
    """Print a message as one line; on a terminal, broken between words."""
    lines = [sanitize(message)]
    if (sys.stderr if err else sys.stdout).isatty():
        lines = wrap(lines[0], shutil.get_terminal_size().columns)
    echo_lines("\n".join(lines), err=err)


def echo_lines(text: str, *, err: bool = False) -> None:
    """Print text and keep its line breaks."""
    click.echo(sanitize_lines(text), err=err)  # noqa: TID251 - the only caller


def show_error(error: click.ClickException) -> None:
    """Print a usage error as click formats it."""
    text = io.StringIO()
    error.show(text)
    for line in text.getvalue().rstrip("\n").split("\n"):
        echo(line, err=True)


def note(text: str) -> None:
    """Print a note on stderr unless -q was given."""
    if not is_quiet():
        echo(text, err=True)


def is_quiet() -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().params.get("quiet"))


class _StderrHandler(logging.Handler):
    """Write records to the current stderr, which keeps a progress bar below them."""

    def emit(self, record: logging.LogRecord) -> None:
        for line in _TOKEN.sub("hf_***", self.format(record)).split("\n"):
            echo(line, err=True)


def configure_log(verbose: int, quiet: bool) -> None:
    """Log warnings to stderr; `verbose` 1: also steps; 2: also each request; `quiet`: errors."""
    levels = [logging.WARNING, logging.INFO, logging.DEBUG]
    LOGGER.setLevel(logging.ERROR if quiet else levels[min(verbose, 2)])
    for handler in [*LOGGER.handlers]:
        LOGGER.removeHandler(handler)
    handler = _StderrHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    LOGGER.addHandler(handler)
