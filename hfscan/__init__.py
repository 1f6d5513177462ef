"""hfscan measures which deep-learning frameworks the models on the Hugging Face Hub serve."""

from typing import TYPE_CHECKING, Any

from hfscan.frameworks import Classification, classify

if TYPE_CHECKING:
    from hfscan.notebook import open_database as open

__version__ = "0.1.0"
__all__ = ["Classification", "__version__", "classify", "open"]


def __getattr__(name: str) -> Any:
    if name == "open":  # the database, only for those who open one
        from hfscan.notebook import open_database  # noqa: PLC0415

        return open_database
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
