"""Limit how long the official client (huggingface_hub) waits for one response.

At most it limits the time between two bytes, and not for all requests. A server that sends a byte
now and then would hold it forever. Here a response must bring MIN_BYTES_PER_WINDOW in each
WINDOW_SECONDS until it ends. Transfers of hf_xet have their own limits.
"""

import importlib
import io
import time
from typing import Any

import huggingface_hub

from hfscan.hub.transport import Limit, LimitedBackend

MAX_SILENCE_SECONDS = 60.0  # seconds without a byte
WINDOW_SECONDS = 120.0
MIN_BYTES_PER_WINDOW = 128 << 10


class SlowResponseError(Exception):
    """A response arrives too slowly. The client does not know this error, so it does not retry."""


def limit_client() -> None:
    """Limit the responses to all later requests of the official client, in any release."""
    if hasattr(huggingface_hub, "set_client_factory"):  # from 1.0 on, through httpx or httpx2
        huggingface_hub.set_client_factory(_make_client)
    else:
        huggingface_hub.configure_http_backend(_make_session)


class _Meter(Limit):
    """Measures how long one connection waits for bytes of a response, and how many arrive."""

    def __init__(self) -> None:
        self.restart()

    def timeout(self, timeout: float | None) -> float:
        """Return the seconds that an operation may take, also where the client sets no limit."""
        return MAX_SILENCE_SECONDS if timeout is None else timeout

    def restart(self) -> None:
        """Start a window: a request is sent, or the last window had enough bytes."""
        self._waited, self._received = 0.0, 0

    def record(self, started: float, received: int) -> None:
        """Add a read that started at `started` (`time.monotonic`). Raises SlowResponseError."""
        self._waited += time.monotonic() - started
        self._received += received
        if self._waited < WINDOW_SECONDS:
            return
        if self._received < MIN_BYTES_PER_WINDOW:
            raise SlowResponseError(
                f"the response is too slow: {self._received:,} bytes in {self._waited:,.0f} s"
            )
        self.restart()


def _make_client() -> Any:
    """Return the client's httpx.Client or httpx2.Client with a limit on its connections."""
    client = _http_module().default_client_factory()
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)  # none for a host without proxy
        if pool is not None:
            pool._network_backend = LimitedBackend(pool._network_backend, _Meter)
    return client


def _make_session() -> Any:
    """Return the client's requests.Session with a limit on its connections."""
    http = _http_module()
    session = http._default_backend_factory()
    for prefix, adapter in list(session.adapters.items()):
        if isinstance(adapter, http.UniqueRequestIdAdapter):  # else it is offline
            session.mount(prefix, _limited_adapter(http.UniqueRequestIdAdapter)())
    return session


def _limited_adapter(base: Any) -> Any:
    """Return a class of adapters of requests whose connections have a meter."""
    pools = importlib.import_module("urllib3.connectionpool")

    def limited(pool: Any) -> Any:
        class Connection(pool.ConnectionCls):  # type: ignore[misc]
            sock: Any

            def connect(self) -> None:
                super().connect()
                self.sock = _Socket(self.sock)

        return type(pool.__name__, (pool,), {"ConnectionCls": Connection})

    classes = {
        "http": limited(pools.HTTPConnectionPool),
        "https": limited(pools.HTTPSConnectionPool),
    }

    class Adapter(base):  # type: ignore[misc]
        def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
            super().init_poolmanager(*arguments, **options)
            self.poolmanager.pool_classes_by_scheme = classes

        def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
            manager = super().proxy_manager_for(*arguments, **options)
            if manager.pool_classes_by_scheme.keys() == classes.keys():
                manager.pool_classes_by_scheme = classes
            return manager

        def send(self, request: Any, *arguments: Any, **options: Any) -> Any:
            if options.get("timeout") is None:
                options["timeout"] = MAX_SILENCE_SECONDS
            return super().send(request, *arguments, **options)

    return Adapter


class _Socket:
    """A socket whose responses are read through a meter."""

    def __init__(self, connected: Any) -> None:
        self._socket, self._meter = connected, _Meter()

    def sendall(self, *arguments: Any) -> None:
        self._meter.restart()
        self._socket.sendall(*arguments)

    def makefile(self, mode: str, *_: Any, **__: Any) -> io.BufferedReader:
        """Return a reader; http.client needs no other mode."""
        assert mode == "rb"
        return io.BufferedReader(_Reader(self._socket.makefile(mode, buffering=0), self._meter))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class _Reader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, meter: _Meter) -> None:
        self._raw, self._meter = raw, meter

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        started = time.monotonic()
        received = self._raw.readinto(buffer)
        self._meter.record(started, received or 0)
        return received

    def close(self) -> None:
        self._raw.close()
        super().close()


def _http_module() -> Any:
    return importlib.import_module("huggingface_hub.utils._http")
