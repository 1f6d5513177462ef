"""Error classes, one per exit code. Each message says what happened and what to do.

The command line prints the message on stderr and exits with `exit_code`.
"""


class HfscanError(Exception):
    """Base class of all errors that hfscan raises on purpose."""

    exit_code = 1


class HubUnreachableError(HfscanError):
    """The Hub did not respond, or still failed after the last retry."""

    exit_code = 3


class HubRefusedError(HfscanError):
    """The Hub rejected the request: invalid token, invalid request, unknown repository."""

    exit_code = 4


class InvalidResponseError(HfscanError):
    """The Hub sent a successful response with unexpected content."""

    exit_code = 5


class DatabaseError(HfscanError):
    """The database is missing, locked, damaged, or from another version."""

    exit_code = 6


class NotFoundError(HfscanError):
    """The database has no data for this request: unknown snapshot or model."""

    exit_code = 7


class ImportFileError(HfscanError):
    """A file to import cannot be read. The message names the file and, if known, the line."""

    exit_code = 8


class StorageError(HfscanError):
    """The disk is full or a folder cannot be written. Stored data is not affected."""

    exit_code = 9


class ReportConfigError(HfscanError):
    """A report configuration (`report.toml`) is missing or invalid. The message says why."""

    exit_code = 11


class InconsistentError(HfscanError):
    """Figures contradict each other: an error in hfscan or in the database engine."""

    exit_code = 10


class SuspiciousDropError(HfscanError):
    """The new snapshot is suspiciously smaller than the previous one."""

    exit_code = 12


class StaleError(HfscanError):
    """The latest snapshot is older than --max-age: its schedule has stopped, or its runs fail."""

    exit_code = 13


class InvalidRequestError(HfscanError):
    """An unknown or invalid option, parameter or value, or SQL that is wrong or not read-only."""

    exit_code = 2


class QueryLimitError(HfscanError):
    """A query exceeds its limit of memory or temporary disk space."""

    exit_code = 14
