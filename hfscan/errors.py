"""Error classes, one per exit code. Each message says what happened and what to do.

The command line prints the message on stderr and exits with `exit_code`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Wording:
    """A part of a message that the command line and the Python API word differently."""

    command: str
    python: str = ""


def option(name: str, argument: str | None = None) -> Wording:
    """Return the name of an option; in Python that of its `argument`, by default the same name."""
    return Wording(f"--{name}", argument or name.replace("-", "_"))


DB = Wording("--db", "the argument path")


class HfscanError(Exception):
    """Base class of all errors that hfscan raises on purpose.

    `parts`: those of the message, where options of the command line have a `Wording`.
    """

    exit_code = 1

    def __init__(self, *parts: str | Wording) -> None:
        super().__init__(*parts)

    def __str__(self) -> str:
        return "".join(part.command if isinstance(part, Wording) else part for part in self.args)

    @property
    def python_message(self) -> str:
        """The message as the Python API words it."""
        return "".join(part.python if isinstance(part, Wording) else part for part in self.args)

    def __init_subclass__(cls, exit_code: int | None = None) -> None:
        if exit_code is not None:
            cls.exit_code = exit_code


class InvalidRequestError(HfscanError, exit_code=2):
    """An unknown or invalid option, parameter or value, or SQL that is wrong or not read-only."""


class HubUnreachableError(HfscanError, exit_code=3):
    """The Hub did not respond, or still failed after the last retry."""


class HubRefusedError(HfscanError, exit_code=4):
    """The Hub rejected the request: invalid token, invalid request, unknown repository."""


class InvalidResponseError(HfscanError, exit_code=5):
    """The Hub sent a successful response with unexpected content."""


class DatabaseError(HfscanError, exit_code=6):
    """The database is missing, locked, damaged, or from another version."""


class NotFoundError(HfscanError, exit_code=7):
    """The database has no data for this request: unknown snapshot or model."""


class ImportFileError(HfscanError, exit_code=8):
    """A file to import cannot be read. The message names the file and, if known, the line."""


class StorageError(HfscanError, exit_code=9):
    """The disk is full or a folder cannot be written. Stored data is not affected."""


class InconsistentError(HfscanError, exit_code=10):
    """Figures contradict each other: an error in hfscan or in the database engine."""


class ReportConfigError(HfscanError, exit_code=11):
    """A report configuration (`report.toml`) is missing or invalid. The message says why."""


class SuspiciousDropError(HfscanError, exit_code=12):
    """The new snapshot is suspiciously smaller than the previous one."""


class StaleError(HfscanError, exit_code=13):
    """The latest snapshot is older than --max-age: its schedule has stopped, or its runs fail."""


class QueryLimitError(HfscanError, exit_code=14):
    """A query exceeds its limit of memory, temporary disk space or time."""


class SetupError(HfscanError, exit_code=15):
    """The environment of a parity backend could not be made. The installer's message says why."""
