"""Pause the measurement of coverage, which makes Python several times slower."""

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def pause_tracing() -> Iterator[None]:
    """Run a block untraced, also one that a decorator makes of a function.

    For long loops over recorded models, in the tests' own code or in code that other tests cover.
    """
    trace = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(trace)
