# mypy: ignore-errors
"""Start one backend: redirect its streams, import its file and serve requests.

Run as `python _run.py NAME_backend`. Any Python can read this file, so that a version that is too
old, or one without the framework, gets a reply instead of a traceback.
"""

import importlib
import json
import os
import sys

OLDEST = (3, 10)


def refuse(requests, replies, message):
    """Reply to the first request with the reason why the backend cannot start."""
    number = json.loads(requests.readline().decode("utf-8"))["id"]
    reply = {"id": number, "ok": False, "kind": "not installed", "message": message}
    replies.write((json.dumps(reply) + "\n").encode("utf-8"))
    replies.flush()


def main():
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # libraries print to stdout
    if sys.version_info < OLDEST:
        version = ".".join(map(str, sys.version_info[:3]))
        needed = ".".join(map(str, OLDEST))
        refuse(requests, replies, "Python " + version + " is too old: it needs " + needed)
        return
    try:
        importlib.import_module(sys.argv[1])
        protocol = importlib.import_module("_protocol")
    except ImportError as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        refuse(requests, replies, lines[0])
        return
    protocol.serve(requests, replies)


if __name__ == "__main__":
    main()
