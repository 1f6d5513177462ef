"""One error class per kind of trouble; each message says what to do.

The command line turns an error into its one-line message on stderr and its `exit_code`.
"""


class HfscanError(Exception):
    """Base of every error hfscan raises on purpose. Catch this one to catch them all."""

    exit_code = 1


class HubUnreachableError(HfscanError):
    """The Hub (or the endpoint given) did not answer, or kept failing after retries."""

    exit_code = 3


class HubRefusedError(HfscanError):
    """The Hub answered and said no: a bad token, a bad request, no such repository."""

    exit_code = 4


class HubContractError(HfscanError):
    """The Hub answered 200 with something that is not what its contract says."""

    exit_code = 5


class DatabaseError(HfscanError):
    """No database yet, locked by another process, made by another version, or damaged."""

    exit_code = 6


class NoAnswerError(HfscanError):
    """The database holds no snapshot that can answer what was asked."""

    exit_code = 7


class DumpError(HfscanError):
    """A file to import cannot be read; the message names the file and, where known, the line."""

    exit_code = 8


class StorageError(HfscanError):
    """The disk is full or a folder cannot be written; nothing already kept is lost."""

    exit_code = 9


class PlanError(HfscanError):
    """A report's plan (`report.toml`) cannot be read or is not one; the message says why."""

    exit_code = 11


class InconsistentError(HfscanError):
    """Figures contradict each other: an error of hfscan's own, or of what it counts with."""

    exit_code = 10


class ImplausibleError(HfscanError):
    """An snapshot holds so much less than the one before that it is rather a fault."""

    exit_code = 12


class StaleError(HfscanError):
    """The last snapshot is older than it may be: its schedule has stopped, or its runs fail."""

    exit_code = 13


class QueryError(HfscanError):
    """Wrong usage; or a query that is wrong (syntax, names, types) or does more than read."""

    exit_code = 2


class QueryLimitError(HfscanError):
    """A query exceeds its limit of memory or temporary disk space."""

    exit_code = 14
