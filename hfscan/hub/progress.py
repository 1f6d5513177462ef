"""Progress of a crawl, and how it is reported."""

import threading
from collections.abc import Callable
from typing import Any

import msgspec


class Progress(msgspec.Struct, frozen=True):
    """State of a crawl. `total` is an estimate; `notice` says why nothing happens."""

    models: int = 0
    pages: int = 0
    requests: int = 0
    pages_resumed: int = 0  # pages that an earlier run had fetched
    total: int | None = None
    notice: str = ""
    waiting: bool = False  # `notice` is the reason why no request is sent, or one is repeated


class ProgressReporter:
    """Passes the state of a crawl to a callback, from any thread."""

    def __init__(self, callback: Callable[[Progress], None] | None) -> None:
        self.state = Progress()
        self._callback = callback
        self._lock = threading.RLock()

    def start(self) -> None:
        self.state = Progress()
        self.update()

    def update(self, **changes: Any) -> None:
        with self._lock:
            changes = {"notice": "", "waiting": False} | changes
            self.state = msgspec.structs.replace(self.state, **changes)
            if self._callback:
                self._callback(self.state)

    def notify(self, reason: str) -> None:
        self.update(notice=reason, waiting=True)
