"""The HTTP server: reads and records requests, writes responses and faults."""

import contextlib
import logging
import socket
import struct
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from hfscan.fakehub.faults import Faults
from hfscan.fakehub.messages import Request, Response, error_response, gzip_response, parse_target
from hfscan.fakehub.population import Population
from hfscan.fakehub.rate_limit import RateLimit
from hfscan.fakehub.routes import Routes

_LOG = logging.getLogger(__name__)
_CACHED_PAGES = 4096


@dataclass(frozen=True)
class RequestRecord:
    """A request that was answered, and how.

    `target` is path and query, `identity` the account of its token or its IP address, `remaining`
    the rest of its quota, `fault` the kind injected, `at` the server's clock in seconds.
    """

    method: str
    target: str
    status: int
    identity: str
    remaining: int
    fault: str | None
    at: float


class FakeHub:
    """A fake Hub on loopback; a context manager that serves while it is open.

    `latency` (s) precedes each response. `tokens` maps a token to its account. `quota`: requests of
    an anonymous identity in `window` s, None for no limit. Rendered pages are cached, so that
    measurements of a client exclude the server.
    """

    routes_class = Routes

    def __init__(
        self,
        population: Population,
        *,
        port: int = 0,
        latency: float = 0.0,
        faults: Faults | None = None,
        tokens: Mapping[str, str] | None = None,
        quota: int | None = 500,
        window: int = 300,
        page_size: int = 1000,
    ) -> None:
        self.population = population
        self.requests: list[RequestRecord] = []
        self.latency = latency
        self.faults = faults or Faults()
        self.tokens = dict(tokens or {})
        self.closing = threading.Event()
        self._rate_limit = RateLimit(quota, window)
        self._pages: OrderedDict[tuple[Any, ...], Response] = OrderedDict()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._routes = self.routes_class(population, page_size)
        self._routes.base_url = self.url
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve, name="fakehub", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.close_connections()
        if self._thread:
            self._thread.join()

    def serve(self) -> None:
        """Serve in this thread until `__exit__` or an interrupt."""
        self._server.serve_forever(poll_interval=0.05)

    def prepare(self, target: str) -> int:
        """Render and cache the list that starts at `target`; return the number of pages."""
        pages = 0
        while target:
            response = self._render(target, Request("GET", *parse_target(target), None), gzip=True)
            link = response.headers.get("link", "")
            target = link.partition(">")[0].removeprefix(f"<{self.url}")
            pages += 1
        return pages

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], address: str, body: bytes = b""
    ) -> Response:
        """Return the response to a request, with faults, and record the request."""
        if self.latency:
            self.closing.wait(self.latency)
        path, query = parse_target(target)
        token = (headers.get("authorization") or "").removeprefix("Bearer ") or None
        account = self.tokens.get(token) if token else None
        identity = account or address
        bucket = "resolvers" if "/resolve" in path else "api"
        limit = self._rate_limit.count(identity, has_token=account is not None, bucket=bucket)
        fault = self.faults.pick(target)
        if not limit.allowed:
            response = error_response(
                429, f"We had to rate limit your IP ({address}). Use a token."
            )
        elif token and account is None:
            response = error_response(401, "Invalid credentials in Authorization header")
        else:
            request = Request(method, path, query, account, fault, headers.get("range"), body)
            gzip = "gzip" in (headers.get("accept-encoding") or "")
            response = self._render(target, request, gzip=gzip)
        response = response.with_headers(limit.headers | self._common_headers(headers))
        if fault:
            response = self.faults.apply(fault, response)
        record = RequestRecord(
            method, target, response.status, identity, limit.remaining, fault, time.monotonic()
        )
        with self._lock:
            self.requests.append(record)
        return response

    def _render(self, target: str, request: Request, *, gzip: bool) -> Response:
        key = (self.population.version, target, request.account)
        # cached only if compressed: ten times as many pages in the same memory
        may_cache = gzip and request.fault is None and request.path == "/api/models"
        if may_cache and key in self._pages:
            return self._pages[key]
        try:
            response = self._routes.answer(request)
        except Exception:  # an error of the server must not look like one of the network
            _LOG.exception("%s %s", request.method, target)
            return error_response(500, "The fake Hub failed. See its log.")
        if gzip:
            response = gzip_response(response)
        if may_cache:
            with self._lock:
                self._pages[key] = response
                if len(self._pages) > _CACHED_PAGES:
                    self._pages.popitem(last=False)
        return response

    def _common_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        trace = headers.get("x-amzn-trace-id") or str(uuid.uuid4())
        common = {"x-request-id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};{trace}"}
        if self.population.description:
            common["x-hfscan-synthetic"] = self.population.description
        return common


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], hub: FakeHub) -> None:
        self.hub = hub
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Close the connections that clients keep alive."""
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # clients may disconnect at any time
        _LOG.debug("connection lost", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "hfscan-fake-hub"
    server: _Server
    wbufsize = -1  # headers and body leave in one write

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self) -> None:
        hub = self.server.hub
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length") or 0))
        response = hub.answer(self.command, self.path, headers, self.client_address[0], body)
        if response.stall_at is None:
            hub.closing.wait(response.stall)
        if response.reset:
            # closing with linger 0 sends RST instead of FIN
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            return
        self._write(response)

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - the names http.server calls

    def _write(self, response: Response) -> None:
        length = 0 if self.command == "HEAD" else len(response.body) - response.truncate_by
        body = response.body[:length]
        with contextlib.suppress(ConnectionError):
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * response.interim)
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(response.body)))
            self.end_headers()
            if response.stall_at is not None:
                self.wfile.write(body[: response.stall_at])
                self.wfile.flush()
                self.server.hub.closing.wait(response.stall)
                body = body[response.stall_at :]
            self.wfile.write(body)
            self.wfile.flush()
        if response.truncate_by:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        _LOG.debug(format, *args)
