"""What the command line says on stderr beside errors: notes, and the log of -v."""

import logging
import re

import click

from hfscan._logging import LOGGER
from hfscan.cli._output import echo

_TOKEN = re.compile(r"hf_\w{8,}")


class _StderrHandler(logging.Handler):
    """Write records to stderr as it is now, so that a progress bar stays below them."""

    def emit(self, record: logging.LogRecord) -> None:
        text = _TOKEN.sub("hf_***", self.format(record))
        for line in text.splitlines():  # a traceback has several
            echo(line, err=True)


def configure(verbose: int, quiet: bool) -> None:
    """Log warnings to stderr; with `verbose` 1 what is done, with 2 each request too.

    With `quiet`, only errors, and `note` says nothing.
    """
    levels = [logging.WARNING, logging.INFO, logging.DEBUG]
    LOGGER.setLevel(logging.ERROR if quiet else levels[min(verbose, 2)])
    for handler in [*LOGGER.handlers]:
        LOGGER.removeHandler(handler)
    handler = _StderrHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    LOGGER.addHandler(handler)


def is_quiet() -> bool:
    """Return True in a command under -q."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().params.get("quiet"))


def note(text: str) -> None:
    """Say on stderr what is no result and no error, unless -q is given."""
    if not is_quiet():
        echo(text, err=True)
