"""Servers that send arbitrary bytes, to produce responses that HTTP libraries would not send."""

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hfscan.hub import cursor

Send = Callable[[bytes], object]


class RawServer(socketserver.ThreadingTCPServer):
    """Answers each request by `script(send, target)`, which may send anything, ever so slowly.

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
        pass  # clients that hang up are what the tests are about


class _Connection(socketserver.StreamRequestHandler):
    server: RawServer

    def handle(self) -> None:
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while line := self.rfile.readline():
            head = line.decode("latin-1")
            while (more := self.rfile.readline()) not in (b"\r\n", b""):
                head += more.decode("latin-1")
            target = line.decode("latin-1").split(" ")[1]
            self.server.targets.append(target)
            self.server.heads.append(head)
            try:
                self.server.script(self.server, self.connection.sendall, target)
            except OSError:  # the client hung up, or the script does
                return


@contextmanager
def serving(script: Callable[[RawServer, Send, str], object]) -> Iterator[RawServer]:
    with RawServer(script) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def models(count: int) -> list[dict[str, Any]]:
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
        rows = list(self.rows) if ascending else list(self.rows)[::-1]
        if self.uses_cursors and (after := cursor.boundary_id(target)):
            rows = [
                row for row in rows if (row["_id"] > after) == ascending and row["_id"] != after
            ]
        page = rows[: self.size]
        headers: Sequence[str] = ()
        if len(rows) > len(page):
            following = cursor.cursor_after(page[-1]["_id"], ascending=ascending)
            headers = self.link(cursor.with_cursor(server.url + target, following))
        send(answer(json.dumps(page).encode(), *headers))
