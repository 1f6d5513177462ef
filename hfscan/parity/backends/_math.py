# mypy: ignore-errors
"""Find the libraries that a framework computes with on the CPU, and how fast they are."""

import contextlib
import ctypes
import os
import re
import tempfile
import time

from _protocol import op

SIDE, SECONDS = 1024, 1.0  # of the matrices, and of the measurement
ONEDNN = r"info,oneDNN v(?P<version>[\d.]+)(?s:.*?)info,cpu,isa:(?P<isa>.+)"
MKL = r"MKL ([\d.]+(?: Update \d+)?) .* 64 architecture .*?(?:\(Intel\(R\) ([^)]+)\).*)?processors"


def capture_output(call):
    """Return what a call prints from C; libraries report their version only in this way."""
    with tempfile.TemporaryFile() as file:
        stdout = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            call()
            with contextlib.suppress(TypeError):  # Windows has no such handle
                ctypes.CDLL(None).fflush(None)
        finally:
            os.dup2(stdout, 1)
            os.close(stdout)
        file.seek(0)
        return file.read().decode("utf-8", "replace")


def find_onednn(call):
    """Return a list with oneDNN as it describes itself, if it does in this `call`, its first."""
    found = re.search(ONEDNN, capture_output(call))
    return [library("oneDNN", found["version"], found["isa"])] if found else []


def find_mkl(call):
    """Return a list with MKL as it describes itself, if it does; it may name no instruction set."""
    found = re.search(MKL, capture_output(call))
    return [library("MKL", found[1], (found[2] or "generic").strip())] if found else []


def library(name, version=None, isa=None):
    """Return a library's entry; `isa`: the instruction set that it chose, in its own words."""
    return {"name": name, "version": version, "isa": isa}


def offer_probe(make_call):
    """Offer `probe`: the rate of products of two float32 matrices, in 10**9 operations a second.

    `make_call(side)` returns a function that multiplies two and waits. The best call counts, which
    other programs delay least.
    """

    @op
    def probe():
        call = make_call(SIDE)
        call()
        best, end = float("inf"), time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            start = time.perf_counter()
            call()
            best = min(best, time.perf_counter() - start)
        return {"gemm_gflops": 2 * SIDE**3 / best / 1e9}

    return make_call
