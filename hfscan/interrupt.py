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

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
REPEAT_SECONDS = 0.05  # an interrupt that comes just before a query begins is lost
_IMPATIENT_SECONDS = 1.0  # after which another signal stops the cleaning up as well
_connections: list["weakref.ref[duckdb.DuckDBPyConnection]"] = []
_lock = threading.Lock()


def register(connection: "duckdb.DuckDBPyConnection") -> None:
    """Let signals interrupt the queries of a connection while `Signals.handled` is active."""
    with _lock:
        _connections[:] = [known for known in _connections if known() is not None]
        _connections.append(weakref.ref(connection))


class Stopped(KeyboardInterrupt):
    """A signal asked to stop. Python exits with SIGINT's code on the base class itself."""


class Signals:
    """The signals that stop this process. Use `Signals.handled` in the main thread."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._raised_at = 0.0
        self._is_ending = False

    @contextlib.contextmanager
    def handled(self) -> Iterator["Signals"]:
        """Raise Stopped on SIGINT and SIGTERM, also during a query; ignored ones stay ignored."""
        reader, writer = socket.socketpair()
        writer.setblocking(False)
        handlers = {number: signal.getsignal(number) for number in _STOP_SIGNALS}
        handled = [number for number in handlers if handlers[number] is not signal.SIG_IGN]
        earlier_fd = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        watcher = threading.Thread(target=self._watch, args=(reader,), daemon=True)
        watcher.start()
        try:
            for number in handled:
                signal.signal(number, self._handle)
            yield self
        finally:
            signal.set_wakeup_fd(earlier_fd)
            for number in handled:
                # the process ends; a key that is held down must not interrupt that
                is_over = self.received is not None
                signal.signal(number, signal.SIG_IGN if is_over else handlers[number])
            writer.close()
            watcher.join()
            reader.close()

    def ignore_further(self) -> None:
        """Ignore signals from now on: the process is about to end."""
        self._is_ending = True

    def _handle(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        is_repeated = self.received is not None and now - self._raised_at < _IMPATIENT_SECONDS
        self.received = self.received or signal.Signals(number)
        if not (is_repeated or self._is_ending):
            self._raised_at = now
            raise Stopped

    def _watch(self, reader: socket.socket) -> None:
        """Interrupt queries until the handler runs, which cannot run during a query."""
        while numbers := reader.recv(4096):
            if not set(numbers) & set(_STOP_SIGNALS):
                continue  # another signal, such as SIGCHLD
            _interrupt_queries()
            while self.received is None:
                time.sleep(REPEAT_SECONDS)
                _interrupt_queries()


def _interrupt_queries() -> None:
    with _lock:
        connections = [known() for known in _connections]
    for connection in connections:
        with contextlib.suppress(Exception):  # closed meanwhile
            if connection is not None:
                connection.interrupt()
