"""hfscan measures which deep-learning frameworks the models on the Hugging Face Hub support."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hfscan._version import __version__

if TYPE_CHECKING:
    from hfscan.api import open_database as open
    from hfscan.frameworks import Classification, classify

__all__ = ["Classification", "__version__", "classify", "open"]

_LAZY = {
    "Classification": ("hfscan.frameworks", "Classification"),
    "classify": ("hfscan.frameworks", "classify"),
    "open": ("hfscan.api", "open_database"),
}
"""Public name -> module and name. Imported on first use: DuckDB would more than double the time
that `hfscan --help` takes."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _LAZY[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
