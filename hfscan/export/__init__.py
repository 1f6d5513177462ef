"""One snapshot as a folder that any reader of Parquet understands, and back."""

from hfscan.export.card import write_card, write_page
from hfscan.export.folder import Exported, export
from hfscan.export.load import is_export, load
from hfscan.export.published import fetch_published, find_published_time

__all__ = [
    "Exported", "export", "fetch_published", "find_published_time", "is_export", "load",
    "write_card", "write_page",
]  # fmt: skip
