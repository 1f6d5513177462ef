"""HTTP details: deadlines of requests, proxies, the User-Agent, `Link` headers.

httpx limits each read. A server that sends a byte now and then, or interim responses (1xx) without
end, would hold a request forever. Here all reads of a request share one deadline.
"""

import os
import platform
import re
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterable
from importlib import metadata
from typing import Any

import httpcore
import httpx

from hfscan._version import __version__
from hfscan.hub.endpoint import is_loopback

_PLACEHOLDER = "/OWNER/"  # in the URLs of pyproject.toml, until a fork replaces it
_LINK_TARGET = re.compile(r"[\s,]*<([^>]*)>")
_LINK_PARAMETER = re.compile(
    r"""\s*;\s*(?:([^\s=;,"]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?)?"""
)
_ESCAPED = re.compile(r"\\(.)")


class Deadline(threading.local):
    """Deadline of the current thread's request, by `time.monotonic`."""

    _until = float("inf")

    def set(self, seconds: float) -> None:
        """Set the deadline this many seconds from now."""
        self._until = time.monotonic() + seconds

    @property
    def has_passed(self) -> bool:
        """True after the deadline."""
        return time.monotonic() >= self._until

    def limit(self, timeout: float | None) -> float:
        """Return the seconds that an operation may take. Raises ReadTimeout if none are left."""
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
    """Return a transport to the Hub at `url`, through the proxy of the environment, if any."""
    # loading certificates takes time, and http needs none
    transport = httpx.HTTPTransport(verify=url.scheme == "https", proxy=_find_proxy(url))
    # httpx has no argument for a network backend; its pool has one
    transport._pool._network_backend = _Backend(deadline)
    return transport


def _find_proxy(url: httpx.URL) -> str | None:
    if is_loopback(url.host) or urllib.request.proxy_bypass(url.netloc.decode("ascii")):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def user_agent() -> str:
    """Return the User-Agent: versions, the project's address, and the caller if it names itself.

    The address is the first URL of the installed package, without placeholders. Callers name
    themselves in HF_HUB_USER_AGENT_ORIGIN, as with all tools of the Hub.
    """
    parts = [f"hfscan/{__version__}", f"python/{platform.python_version()}"]
    parts += [f"+{url}" for url in _project_urls()[:1]]
    if origin := os.environ.get("HF_HUB_USER_AGENT_ORIGIN", "").strip():
        parts.append(f"origin/{origin}")
    return "".join(char if " " <= char <= "~" else "?" for char in "; ".join(parts))


def _project_urls() -> list[str]:
    try:
        lines = metadata.metadata("hfscan").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return []
    urls = [line.partition(",")[2].strip() for line in lines]
    return [url for url in urls if _PLACEHOLDER not in url]


def find_next_link(headers: Iterable[str]) -> str | None:
    """Return the target of the first `Link` with relation `next`, None if there is none.

    Reads RFC 8288; a header counts up to its first syntax error. Links about another resource
    (`anchor`) do not count.
    """
    for header in headers:
        place = 0
        while match := _LINK_TARGET.match(header, place):
            parameters, place = _read_parameters(header, match.end())
            relations = parameters.get("rel", "").lower().split()
            if "next" in relations and "anchor" not in parameters:
                return match[1].strip() or None
    return None


def _read_parameters(header: str, place: int) -> tuple[dict[str, str], int]:
    """Return the parameters from `place` on (the first of each name), and where they end."""
    parameters: dict[str, str] = {}
    while match := _LINK_PARAMETER.match(header, place):
        place = match.end()
        name, quoted, plain = match.groups()
        if name:
            value = _ESCAPED.sub(r"\1", quoted) if quoted is not None else plain or ""
            parameters.setdefault(name.lower(), value)
    return parameters, place
