"""Notes on stderr, and the log that -v enables."""

import logging
import re

import click

from hfscan._logging import LOGGER
from hfscan.cli._output import echo

_TOKEN = re.compile(r"hf_\w{8,}")


class _StderrHandler(logging.Handler):
    """Write records to the current stderr, which keeps a progress bar below them."""

    def emit(self, record: logging.LogRecord) -> None:
        text = _TOKEN.sub("hf_***", self.format(record))
        for line in text.splitlines():  # a traceback has several
            echo(line, err=True)


def configure(verbose: int, quiet: bool) -> None:
    """Set up logging to stderr: warnings; `verbose` 1: also steps; 2: also each request.

    `quiet`: errors only, and `note` prints nothing.
    """
    levels = [logging.WARNING, logging.INFO, logging.DEBUG]
    LOGGER.setLevel(logging.ERROR if quiet else levels[min(verbose, 2)])
    for handler in [*LOGGER.handlers]:
        LOGGER.removeHandler(handler)
    handler = _StderrHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    LOGGER.addHandler(handler)


def is_quiet() -> bool:
    """Return whether -q was given."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().params.get("quiet"))


def note(text: str) -> None:
    """Print a note on stderr unless -q was given."""
    if not is_quiet():
        echo(text, err=True)
