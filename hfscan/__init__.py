"""Measure which deep-learning frameworks the models on the Hugging Face Hub support.

`hfscan.open` opens a database of snapshots; `hfscan.classify` returns the frameworks of one model.
"""

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
"""Public name -> module and attribute, imported on first use: importing DuckDB would more than
double the time of `hfscan --help`."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _LAZY[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
