"""Processes that run `hfscan crawl`, started quickly and killed at any moment."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# The command with shorter waits. Each process is forked from one that has imported all modules, as
# imports take longer than a crawl. It stays a zombie until the next starts, so that a late kill
# cannot hit another process.
SERVER_SCRIPT = """
import functools, json, os, sys
import hfscan.hub.client as client
client.RetryPolicy = functools.partial(
    client.RetryPolicy, wait_initial=0.01, wait_max=0.05, read_timeout=0.5
)
import hfscan.cli.crawl
from hfscan.cli import main
pid = None
for line in sys.stdin:
    folder, log, arguments = json.loads(line)
    if pid:
        os.waitpid(pid, 0)
    pid = os.fork()
    if pid == 0:
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        sys.argv = ["hfscan", "crawl", *arguments]
        main()
    print(pid, flush=True)
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    print(ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status, flush=True)
"""


class CrawlProcess:
    """Starts crawls, one at a time; `rival` starts others meanwhile. Use as a context manager."""

    def __init__(self) -> None:
        self._rival: CrawlProcess | None = None
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HF_", "HFSCAN_"))
        }
        environment |= {"HF_HOME": str(ROOT / "none"), "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER_SCRIPT],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._stdin, self._stdout = self._server.stdin, self._server.stdout

    def start(self, folder: Path, *arguments: str) -> None:
        """Run `hfscan crawl` in a folder, in a separate process."""
        self._log = folder / f"stderr-{self._server.pid}"
        self._log.touch()  # a kill may come before the process has begun
        print(json.dumps([str(folder), self._log.name, arguments]), file=self._stdin)
        self._pid = int(self._stdout.readline())

    def is_running(self, seconds: float) -> bool:
        """Wait at most this long; return False as soon as the crawl has ended."""
        return not select.select([self._stdout], [], [], seconds)[0]

    def kill(self) -> None:
        """Send kill -9; the crawl may have ended already."""
        os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> tuple[int, str]:
        """Wait for the end; return exit code and stderr."""
        return int(self._stdout.readline()), self._log.read_text()

    @property
    def rival(self) -> "CrawlProcess":
        """Return the starter of a second crawl at the same time."""
        self._rival = self._rival or CrawlProcess()
        return self._rival

    def __enter__(self) -> "CrawlProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if self._rival:
            self._rival.__exit__()
        self._stdin.close()
        self._stdout.close()
        self._server.wait()
