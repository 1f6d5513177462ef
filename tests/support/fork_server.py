"""Run `hfscan` in processes forked from this one, which has imported most of its modules.

Importing them takes longer than many commands take. Each connection to its socket requests a
command (see `fork_client.py`); the answer is the exit code. Modules that read the environment as
they are imported, such as those of huggingface_hub, are left to the commands. This process ends
with its stdin.
"""

import gc
import json
import os
import resource
import select
import socket
import sys
import time
from contextlib import suppress
from importlib import import_module

from fork_client import name_socket
from new_database import read_new_database, write_new_database

from hfscan import cli
from hfscan.store import schema

_MAX_REQUEST = 1 << 20

for _name in ("hfscan.pipeline", "hfscan.report.writers", "jinja2", "sqlglot"):
    import_module(_name)
for _name in ("asyncio", "filelock", "httpcore2", "httpx2", "requests", "yaml"):
    with suppress(ModuleNotFoundError):  # releases of huggingface_hub import different ones
        import_module(_name)
assert "huggingface_hub.constants" not in sys.modules
read_new_database()  # kept for the commands
schema._create = write_new_database


def serve(server: socket.socket) -> None:
    """Handle each request in a process of its own, as the commands of a pipeline run at once."""
    while server in select.select([server, sys.stdin], [], [])[0]:
        connection, _ = server.accept()
        if os.fork() == 0:
            server.close()
            handle(connection)
        connection.close()
        with suppress(ChildProcessError):  # there is none left
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def handle(connection: socket.socket) -> None:
    """Run the command that is requested in a child, send its exit code, and exit."""
    message, streams, *_ = socket.recv_fds(connection, _MAX_REQUEST, 3)
    if not message:  # whoever connected has ended
        os._exit(1)
    if (pid := os.fork()) == 0:
        connection.close()
        run(streams, **json.loads(message))
    for stream in streams:  # a pipe ends with the command
        os.close(stream)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    connection.send(str(code).encode())
    os._exit(0)


def run(
    streams: list[int],
    arguments: list[str],
    folder: str,
    environment: dict[str, str],
    file_size: tuple[int, int],
) -> None:
    """Run hfscan in this process with these streams and limits of file size, and exit."""
    for descriptor, stream in enumerate(streams):
        os.dup2(stream, descriptor)
        os.close(stream)
    resource.setrlimit(resource.RLIMIT_FSIZE, file_size)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()  # Python reads TZ only as it starts
    sys.argv = ["hfscan", *arguments]
    cli.main()


if __name__ == "__main__":
    gc.freeze()  # else collections in each child would copy the memory of this process
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as _server:
        _server.bind(name_socket(os.getpid()))
        _server.listen(64)
        print("ready", flush=True)
        serve(_server)
