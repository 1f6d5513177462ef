"""Run `hfscan` in processes forked from this one, which has imported most of its modules.

Importing them takes longer than many commands take. Modules that read the environment as they are
imported, such as those of huggingface_hub, are left to the commands. This process ends with its
stdin.
"""

import os
import sys
from contextlib import suppress
from importlib import import_module

from fork_client import name_socket
from forking import serve
from new_database import read_new_database, write_new_database

from hfscan import cli
from hfscan.store import schema

for _name in ("hfscan.pipeline", "hfscan.report.writers", "jinja2", "sqlglot"):
    import_module(_name)
for _name in ("asyncio", "filelock", "httpcore2", "httpx2", "requests", "yaml"):
    with suppress(ModuleNotFoundError):  # releases of huggingface_hub import different ones
        import_module(_name)
assert "huggingface_hub.constants" not in sys.modules
read_new_database()  # kept for the commands
schema._create = write_new_database


if __name__ == "__main__":
    serve(name_socket(os.getpid()), sys.stdin.fileno(), cli.main)
