"""Make signals stop DuckDB queries: Python's own handlers wait until a query ends."""

import contextlib
import signal
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # slow to import, and not every command needs it
    import duckdb

STOPPING = (signal.SIGINT, signal.SIGTERM)
_REPEAT = 0.05  # seconds; an interrupt that comes just before a query begins is lost
_connections: list["weakref.ref[duckdb.DuckDBPyConnection]"] = []
_guard = threading.Lock()


def register(connection: "duckdb.DuckDBPyConnection") -> None:
    """Let signals interrupt the queries of a connection while `Signals.handled` is active."""
    with _guard:
        _connections[:] = [one for one in _connections if one() is not None]
        _connections.append(weakref.ref(connection))


class Stopped(KeyboardInterrupt):
    """A signal asked to stop. Python ends by SIGINT, whatever the handler, on its base class."""


class Signals:
    """The signals that asked this process to stop; use `Signals.handled` in the main thread."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None

    @contextlib.contextmanager
    def handled(self) -> Iterator["Signals"]:
        """Raise Stopped on SIGINT and SIGTERM, in the midst of a query as well.

        A signal that the process was started to ignore stays ignored.
        """
        heard, told = socket.socketpair()
        told.setblocking(False)
        before = {one: signal.getsignal(one) for one in STOPPING}
        ours = [one for one, handler in before.items() if handler is not signal.SIG_IGN]
        earlier_fd = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        watcher = threading.Thread(target=self._watch, args=(heard,), daemon=True)
        watcher.start()
        try:
            for one in ours:
                signal.signal(one, self._handle)
            yield self
        finally:
            signal.set_wakeup_fd(earlier_fd)
            for one in ours:
                signal.signal(one, before[one])
            told.close()
            watcher.join()
            heard.close()

    def _handle(self, number: int, _: FrameType | None) -> None:
        self.received = signal.Signals(number)
        raise Stopped

    def _watch(self, heard: socket.socket) -> None:
        """Interrupt queries until the handler runs, which cannot while a query does."""
        while numbers := heard.recv(4096):
            if not set(numbers) & set(STOPPING):
                continue  # a signal of somebody else's, such as SIGCHLD
            _interrupt_queries()
            while self.received is None:
                time.sleep(_REPEAT)
                _interrupt_queries()


def _interrupt_queries() -> None:
    with _guard:
        found = [one() for one in _connections]
    for connection in found:
        with contextlib.suppress(Exception):  # closed meanwhile
            if connection is not None:
                connection.interrupt()
