"""HTTP connections whose requests end by a deadline, however slowly bytes arrive.

httpx limits each read. A server that sends a byte now and then, or interim answers (1xx) without
end, would hold a request forever. Here each read may take what is left until the deadline.
"""

import ssl
import threading
import time
import urllib.request
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from hfscan.hub.endpoint import is_loopback


class Deadline(threading.local):
    """When the present request of this thread must have ended, by `time.monotonic`."""

    _until = float("inf")

    def set(self, seconds: float) -> None:
        """End what this thread does within so many seconds."""
        self._until = time.monotonic() + seconds

    @property
    def passed(self) -> bool:
        """True once it is over."""
        return time.monotonic() >= self._until

    def limit(self, timeout: float | None) -> float:
        """Return the seconds that an operation may take. Raises ReadTimeout where none are left."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the deadline has passed")
        return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.limit(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.limit(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        limit = self._deadline.limit(timeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, limit), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, deadline: Deadline) -> None:
        self._backend, self._deadline = httpcore.SyncBackend(), deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        limit = self._deadline.limit(timeout)
        stream = self._backend.connect_tcp(host, port, limit, local_address, socket_options)
        return _Stream(stream, self._deadline)

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(self._deadline.limit(seconds))


def open_transport(url: httpx.URL, deadline: Deadline) -> httpx.HTTPTransport:
    """Return a transport to the Hub at `url`, through the proxy that the environment names."""
    # certificates take time to read, and http shows none
    transport = httpx.HTTPTransport(verify=url.scheme == "https", proxy=_find_proxy(url))
    # httpx has no argument for it; its pool has one
    transport._pool._network_backend = _Backend(deadline)
    return transport


def _find_proxy(url: httpx.URL) -> str | None:
    if is_loopback(url.host) or urllib.request.proxy_bypass(url.netloc.decode("ascii")):
        return None
    proxies = urllib.request.getproxies()
    found = proxies.get(url.scheme) or proxies.get("all")
    return found if found is None or "://" in found else f"http://{found}"
