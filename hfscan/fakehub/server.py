"""The HTTP server: reads requests, keeps count of them, writes answers and faults."""

import contextlib
import logging
import socket
import struct
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from hfscan.fakehub.answers import compressed, failure
from hfscan.fakehub.datasets import Dataset
from hfscan.fakehub.faults import Answer, Faults
from hfscan.fakehub.population import Population
from hfscan.fakehub.ratelimit import RateLimit
from hfscan.fakehub.request import Ask, parse
from hfscan.fakehub.routes import Routes

_LOG = logging.getLogger(__name__)
_KEPT_PAGES = 4096


@dataclass(frozen=True)
class Request:
    """A request as it came: `target` is path and query, `identity` its token's account or IP.

    `remaining` is what it left of the identity's quota, `fault` the kind that it met, `at` the
    server's clock in seconds.
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

    `latency` (s) is waited before each answer. `tokens` maps a token to its account. `quota`:
    requests an anonymous identity may make in `window` s, None for no limit. Rendered pages are
    kept, so that what a client measures is itself.
    """

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
        self.requests: list[Request] = []
        self.latency = latency
        self.faults = faults or Faults()
        self.tokens = dict(tokens or {})
        self._limit = RateLimit(quota, window)
        self._routes = Routes(population, page_size)
        self._kept: OrderedDict[tuple[Any, ...], Answer] = OrderedDict()
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._routes.base = self._routes.datasets.base = self.url
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "FakeHub":
        self._thread = threading.Thread(target=self.serve, name="fakehub", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        if self._thread:
            self._thread.join()

    def serve(self) -> None:
        """Serve in this thread until `__exit__` or an interrupt."""
        self._server.serve_forever(poll_interval=0.05)

    def prepare(self, target: str) -> int:
        """Render the list that starts at `target` ahead, page by page; return how many pages."""
        pages = 0
        while target:
            path, query = parse(target)
            link = self._made(target, Ask("GET", path, query, None), zipped=True).headers.get(
                "link", ""
            )
            target = link.partition(">")[0].removeprefix(f"<{self.url}")
            pages += 1
        return pages

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """What clients have published here, by id."""
        return self._routes.datasets.repos

    def answer(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        address: str,
        body: bytes = b"",
    ) -> Answer:
        """Answer one request, faults and all, and take note of it."""
        if self.latency:
            self.closing.wait(self.latency)
        path, query = parse(target)
        token = (headers.get("authorization") or "").removeprefix("Bearer ") or None
        reader = self.tokens.get(token) if token else None
        identity = reader or address
        bucket = "resolvers" if "/resolve" in path else "api"
        verdict = self._limit.take(identity, known=reader is not None, bucket=bucket)
        fault = self.faults.pick(target)
        if not verdict.allowed:
            answer = failure(429, f"We had to rate limit your IP ({address}). Use a token.")
        elif token and reader is None:
            answer = failure(401, "Invalid credentials in Authorization header")
        else:
            ask = Ask(method, path, query, reader, fault, headers.get("range"), body)
            zipped = "gzip" in (headers.get("accept-encoding") or "")
            answer = self._made(target, ask, zipped=zipped)
        answer = replace(answer, headers=answer.headers | verdict.headers | self._every(headers))
        answer = self.faults.spoil(fault, answer)
        with self._lock:
            self.requests.append(
                Request(
                    method,
                    target,
                    answer.status,
                    identity,
                    verdict.remaining,
                    fault,
                    time.monotonic(),
                )
            )
        return answer

    def _made(self, target: str, ask: Ask, *, zipped: bool) -> Answer:
        key = (self.population.version, target, ask.reader)
        # only what is compressed is kept: ten times as many pages in the same memory
        keep = zipped and ask.fault is None and ask.path == "/api/models"
        if keep and key in self._kept:
            return self._kept[key]
        try:
            answer = self._routes.answer(ask)
        except Exception:  # a fault of ours must not look like one of the network
            _LOG.exception("%s %s", ask.method, target)
            return failure(500, "The fake Hub failed; its log says how.")
        if zipped:
            answer = compressed(answer)
        if keep:
            with self._lock:
                self._kept[key] = answer
                if len(self._kept) > _KEPT_PAGES:
                    self._kept.popitem(last=False)
        return answer

    def _every(self, headers: Mapping[str, str]) -> dict[str, str]:
        trace = headers.get("x-amzn-trace-id") or str(uuid.uuid4())
        every = {"x-request-id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};{trace}"}
        if self.population.made_up:
            every["x-hfscan-synthetic"] = self.population.made_up
        return every


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

    def hang_up(self) -> None:
        """End the connections that clients keep open: a Hub that is gone answers nobody."""
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # a client that goes away in the middle is what the tests are about
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
        answer = hub.answer(self.command, self.path, headers, self.client_address[0], body)
        if answer.stall_at is None:
            hub.closing.wait(answer.stall)
        if answer.reset:
            # closing with linger 0 sends RST instead of FIN
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            return
        self._write(answer)

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - the names http.server calls

    def _write(self, answer: Answer) -> None:
        body = b"" if self.command == "HEAD" else answer.body[: len(answer.body) - answer.cut]
        with contextlib.suppress(ConnectionError):
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * answer.interim)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            if answer.stall_at is not None:
                self.wfile.write(body[: answer.stall_at])
                self.wfile.flush()
                self.server.hub.closing.wait(answer.stall)
                body = body[answer.stall_at :]
            self.wfile.write(body)
            self.wfile.flush()
        if answer.cut:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        _LOG.debug(format, *args)
