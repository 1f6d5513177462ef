"""HTTP details: deadlines of requests, proxies, the User-Agent, `Link` headers.

httpx limits each read. A server that sends a byte now and then, or interim responses (1xx) without
end, would hold a request forever. Here all reads of a request share one deadline.
"""

import os
import platform
import re
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable
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


class Limit:
    """Limits the reads and writes of a connection."""

    def timeout(self, timeout: float | None) -> float:
        """Return the seconds that an operation may take."""
        raise NotImplementedError

    def restart(self) -> None:
        """Start to measure: a request is sent."""

    def record(self, started: float, received: int) -> None:
        """Add a read of bytes that started at `started` (`time.monotonic`)."""


class Deadline(threading.local, Limit):
    """Deadline of the current thread's request, by `time.monotonic`."""

    _until = float("inf")

    def set(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    @property
    def has_passed(self) -> bool:
        return time.monotonic() >= self._until

    def timeout(self, timeout: float | None) -> float:
        """Return the seconds that an operation may take. Raises ReadTimeout if none are left."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the deadline has passed")
        return left if timeout is None else min(timeout, left)


class LimitedBackend:
    """A network backend of httpcore or httpcore2; `make_limit` gives each connection its limit."""

    def __init__(self, backend: Any, make_limit: Callable[[], Limit]) -> None:
        self._backend, self._make_limit = backend, make_limit

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, **options: Any
    ) -> Any:
        limit = self._make_limit()
        stream = self._backend.connect_tcp(host, port, limit.timeout(timeout), **options)
        return _Stream(stream, limit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


class _Stream:
    def __init__(self, stream: Any, limit: Limit) -> None:
        self._stream, self._limit = stream, limit

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        started = time.monotonic()
        data: bytes = self._stream.read(max_bytes, self._limit.timeout(timeout))
        self._limit.record(started, len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._limit.restart()
        self._stream.write(buffer, self._limit.timeout(timeout))

    def start_tls(self, *arguments: Any, timeout: float | None = None, **options: Any) -> Any:
        timeout = self._limit.timeout(timeout)
        return _Stream(self._stream.start_tls(*arguments, timeout=timeout, **options), self._limit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def open_transport(url: httpx.URL, deadline: Deadline) -> httpx.HTTPTransport:
    """Return a transport to the Hub at `url`, through the proxy of the environment, if any."""
    # loading certificates takes time, and http needs none
    transport = httpx.HTTPTransport(verify=url.scheme == "https", proxy=_find_proxy(url))
    # httpx has no argument for a network backend; its pool has one
    backend: Any = LimitedBackend(httpcore.SyncBackend(), lambda: deadline)
    transport._pool._network_backend = backend
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
