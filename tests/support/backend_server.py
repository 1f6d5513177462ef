"""Run a backend in processes forked from this one, which has imported its frameworks.

Run by `backend_forks.py` as `backend_server.py SOCKET OWNER _run.py NAME_backend`. It ends with the
process OWNER.
"""

import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from forking import serve

_MODELS = ("BertForMaskedLM", "GPT2LMHeadModel")
"""Classes of transformers that many tests need."""


def import_models(prefix: str) -> None:
    """Import the modules of `_MODELS`, those of a framework."""
    for name in _MODELS:
        with suppress(ImportError, AttributeError):
            getattr(sys.modules["transformers"], prefix + name)


if __name__ == "__main__":
    address, owner, program, module = sys.argv[1:]
    sys.path[0] = str(Path(program).parent)
    import_module(module)
    for _framework, _prefix in {"torch": "", "tensorflow": "TF", "flax": "Flax"}.items():
        if _framework in sys.modules:
            import_models(_prefix)
    serve(address, os.pidfd_open(int(owner)), import_module("_run").main)
