"""Run `hfscan` in processes forked from this one, which has imported most of its modules.

Importing them takes longer than many commands take. Each line of stdin requests a command; its exit
code is printed. Modules that read the environment as they are imported, such as those of
huggingface_hub, are left to the commands.
"""

import json
import os
import resource
import sys
import time
from importlib import import_module

from hfscan import cli

for _name in ("hfscan.pipeline", "hfscan.report.writers", "jinja2", "sqlglot"):
    import_module(_name)
assert "huggingface_hub.constants" not in sys.modules


def redirect(path: str, flags: int, descriptor: int) -> None:
    """Let a descriptor of this process lead to a file."""
    file = os.open(path, flags)
    os.dup2(file, descriptor)
    os.close(file)


def run(
    arguments: list[str],
    folder: str,
    environment: dict[str, str],
    file_size: tuple[int, int],
    out: str,
    err: str,
) -> None:
    """Run hfscan in this process, with these limits of file size, and exit."""
    redirect(os.devnull, os.O_RDONLY, 0)
    for path, descriptor in ((out, 1), (err, 2)):
        redirect(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, descriptor)
    resource.setrlimit(resource.RLIMIT_FSIZE, file_size)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()  # Python reads TZ only as it starts
    sys.argv = ["hfscan", *arguments]
    cli.main()


if __name__ == "__main__":
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            run(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
