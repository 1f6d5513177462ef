"""What a crawl tells of itself while it runs."""

import msgspec


class Progress(msgspec.Struct, frozen=True):
    """Where a crawl stands. `total` is an estimate; `notice` says why nothing moves."""

    models: int = 0
    pages: int = 0
    requests: int = 0
    kept: int = 0
    """pages that an earlier run had fetched"""
    total: int | None = None
    notice: str = ""
    waiting: bool = False
    """the notice says why the Hub is not asked, or is asked again"""
