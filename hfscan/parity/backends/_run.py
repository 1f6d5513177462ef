# mypy: ignore-errors
"""Start one backend: redirect its streams, import its file and answer requests.

Run as `python _run.py NAME_backend`. It is written so that any Python can read it: a version that
is too old, or one without the framework, is reported as a reply instead of a traceback.
"""

import importlib
import json
import os
import sys

OLDEST = (3, 10)


def refuse(requests, answers, message):
    """Answer the first request with the reason why there is no backend."""
    number = json.loads(requests.readline().decode("utf-8"))["id"]
    answer = {"id": number, "ok": False, "kind": "not installed", "message": message}
    answers.write((json.dumps(answer) + "\n").encode("utf-8"))
    answers.flush()


def main():
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what libraries print is no reply
    if sys.version_info < OLDEST:
        version = ".".join(map(str, sys.version_info[:3]))
        needed = ".".join(map(str, OLDEST))
        refuse(requests, answers, "Python " + version + " is too old: it needs " + needed)
        return
    try:
        importlib.import_module(sys.argv[1])
        protocol = importlib.import_module("_protocol")
    except ImportError as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        refuse(requests, answers, lines[0])
        return
    protocol.serve(requests, answers)


if __name__ == "__main__":
    main()
