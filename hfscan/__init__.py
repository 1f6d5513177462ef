"""Measure which deep-learning frameworks the models on the Hugging Face Hub support.

`hfscan.open_database` opens a database of snapshots; `hfscan.classify` returns the frameworks of
one model. All errors are subclasses of `hfscan.HfscanError`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hfscan._version import __version__
from hfscan.errors import (
    DatabaseError,
    HfscanError,
    HubRefusedError,
    HubUnreachableError,
    ImportFileError,
    InconsistentError,
    InvalidRequestError,
    InvalidResponseError,
    NotFoundError,
    QueryLimitError,
    ReportConfigError,
    SetupError,
    StaleError,
    StorageError,
    SuspiciousDropError,
)

if TYPE_CHECKING:
    from hfscan.api import Chart, Database, Explanation, Records, Report, open_database
    from hfscan.figures import Figure
    from hfscan.frameworks import Classification, classify
    from hfscan.store import Snapshot

__all__ = [
    "Chart", "Classification", "Database", "DatabaseError", "Explanation", "Figure", "HfscanError",
    "HubRefusedError", "HubUnreachableError", "ImportFileError", "InconsistentError",
    "InvalidRequestError", "InvalidResponseError", "NotFoundError", "QueryLimitError", "Records",
    "Report", "ReportConfigError", "SetupError", "Snapshot", "StaleError", "StorageError",
    "SuspiciousDropError", "__version__", "classify", "open_database",
]  # fmt: skip

_LAZY = {
    "hfscan.api": ("Chart", "Database", "Explanation", "Records", "Report", "open_database"),
    "hfscan.figures": ("Figure",),
    "hfscan.frameworks": ("Classification", "classify"),
    "hfscan.store": ("Snapshot",),
}
"""Module -> its public names, imported on first use: importing DuckDB would more than double the
time of `hfscan --help`."""

if not TYPE_CHECKING:  # so that type checkers report names that do not exist

    def __getattr__(name: str) -> Any:
        for module, names in _LAZY.items():
            if name in names:
                return getattr(import_module(module), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
