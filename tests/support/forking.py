"""Run commands in processes forked from this one, which has imported their modules.

Each connection to a socket requests a command (see `fork_client.py`); the answer is the exit code.
"""

import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress

_MAX_REQUEST = 1 << 20


def serve(address: str, end: int, main: Callable[[], object]) -> None:
    """Print "ready", and handle each request in a process of its own, as pipelines have several.

    It returns when the file `end` can be read. `main` runs the command of `sys.argv`.
    """
    gc.freeze()  # else collections in each child would copy the memory of this process
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(address)
        server.listen(64)
        print("ready", flush=True)
        while end not in select.select([server.fileno(), end], [], [])[0]:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                handle(connection, main)
            connection.close()
            with suppress(ChildProcessError):  # there is none left
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def handle(connection: socket.socket, main: Callable[[], object]) -> None:
    """Run the command that is requested in a child, send its exit code, and exit.

    The child is killed if whoever requested it ends.
    """
    message, streams, *_ = socket.recv_fds(connection, _MAX_REQUEST, 3)
    if not message:  # whoever connected has ended
        os._exit(1)
    if (pid := os.fork()) == 0:
        connection.close()
        prepare(streams, **json.loads(message))
        main()
        sys.exit()
    for stream in streams:  # a pipe ends with the command
        os.close(stream)
    ends = select.select([connection.fileno(), os.pidfd_open(pid)], [], [])[0]
    if connection.fileno() in ends:
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(OSError):
        connection.send(str(code).encode())
    os._exit(0)


def prepare(
    streams: list[int],
    command: list[str],
    folder: str,
    environment: dict[str, str],
    file_size: tuple[int, int],
) -> None:
    """Give this process the streams, arguments, variables and limits of a command."""
    for descriptor, stream in enumerate(streams):
        os.dup2(stream, descriptor)
        os.close(stream)
    resource.setrlimit(resource.RLIMIT_FSIZE, file_size)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()  # Python reads TZ only as it starts
    sys.argv = command
