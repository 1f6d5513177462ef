"""Local servers of a script or a handler: any bytes, also those that no HTTP library sends."""

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hfscan.hub import cursor

Send = Callable[[bytes], object]


class RawServer(socketserver.ThreadingTCPServer):
    """Answers each request by `script(server, send, target)`, which may send anything, slowly.

    `targets` and `heads` are the requests so far; `closing` is set when it stops.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, script: Callable[["RawServer", Send, str], object]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.script = script
        self.targets: list[str] = []
        self.heads: list[str] = []
        self.closing = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients hang up in many tests


class _Connection(socketserver.StreamRequestHandler):
    server: RawServer

    def handle(self) -> None:
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while line := self.rfile.readline():
            head = line.decode("latin-1")
            while (field := self.rfile.readline()) not in (b"\r\n", b""):
                head += field.decode("latin-1")
            target = line.decode("latin-1").split(" ")[1]
            self.server.targets.append(target)
            self.server.heads.append(head)
            try:
                self.server.script(self.server, self.connection.sendall, target)
            except OSError:  # the client closed the connection, or the script closes it
                return


class Handler(BaseHTTPRequestHandler):
    """A request handler whose `answer` calls `respond`; it prints no log."""

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        raise NotImplementedError

    def respond(self, status: int, body: bytes, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def _run(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def serve_script(script: Callable[[RawServer, Send, str], object]) -> Iterator[RawServer]:
    """Run a server of a script."""
    server = RawServer(script)
    with _run(server):
        try:
            yield server
        finally:
            server.closing.set()


@contextmanager
def serve_handler(handler: type[Handler]) -> Iterator[str]:
    """Run a server of a handler; yield its URL."""
    server = HTTPServer(("127.0.0.1", 0), handler)
    with _run(server):
        yield f"http://127.0.0.1:{server.server_address[1]}"


def make_response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return the bytes of a response with these header lines."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def make_models(count: int) -> list[dict[str, Any]]:
    return [{"_id": f"63{n:022x}", "id": f"a/m{n}", "tags": ["pytorch"]} for n in range(count)]


class Lister:
    """A list of rows by creation, `size` at a time, with the headers that `link` makes.

    `link(url of the next page)` returns header lines. With `uses_cursors` False it ignores cursors.
    """

    def __init__(
        self,
        rows: Sequence[dict[str, Any]],
        size: int,
        link: Callable[[str], Sequence[str]] = lambda _: (),
        *,
        uses_cursors: bool = True,
    ) -> None:
        self.rows, self.size, self.link, self.uses_cursors = rows, size, link, uses_cursors

    def __call__(self, server: RawServer, send: Send, target: str) -> None:
        query = parse_qs(urlsplit(target).query)
        ascending = query["direction"] == ["1"]
        remaining_rows = list(self.rows) if ascending else list(self.rows)[::-1]
        if self.uses_cursors and (boundary := cursor.boundary_id(target)):
            remaining_rows = [
                row
                for row in remaining_rows
                if (row["_id"] > boundary) == ascending and row["_id"] != boundary
            ]
        page = remaining_rows[: self.size]
        headers: Sequence[str] = ()
        if len(remaining_rows) > len(page):
            next_cursor = cursor.cursor_after(page[-1]["_id"], ascending=ascending)
            headers = self.link(cursor.with_cursor(server.url + target, next_cursor))
        send(make_response(json.dumps(page).encode(), *headers))
