"""What is recorded about the processor and the libraries that timings depend on."""

import os
import sys
from typing import Any

import pytest

from hfscan.parity.machine import (
    available_memory_bytes,
    describe_libraries,
    describe_model,
    describe_processor,
    find_warnings,
)

MKL: dict[str, Any] = {"libraries": [{"name": "MKL", "version": "2024.0", "isa": "generic"}]}
EIGEN: dict[str, Any] = {"libraries": [{"name": "Eigen", "version": None, "isa": None}]}


def test_mkl_on_a_processor_by_amd_is_warned_of():
    infos = {"pytorch": MKL, "torch-export": MKL, "tensorflow": EIGEN, "failed": {}}
    (warning,) = find_warnings({"vendor": "AuthenticAMD"}, infos)
    assert warning.startswith("pytorch, torch-export: Intel's MKL")
    assert "compare the GFLOP/s" in warning
    assert list(find_warnings({"vendor": "GenuineIntel"}, infos)) == []
    assert list(find_warnings({"vendor": "AuthenticAMD"}, {"tensorflow": EIGEN})) == []


def test_libraries_are_named_with_version_and_instruction_set():
    info = {"libraries": MKL["libraries"] + EIGEN["libraries"]}
    assert describe_libraries(info) == "MKL 2024.0 (generic), Eigen"
    assert describe_libraries({}) is None


def test_unknown_parts_of_a_processor_are_left_out():
    processor = {"name": "P", "family": 26, "model": None, "instruction_sets": ["avx2", "fma"]}
    assert describe_model(processor) == "P, family 26; instruction sets: avx2 fma."
    assert describe_model({}) == "processor not known; instruction sets: not known."


@pytest.mark.skipif(sys.platform != "linux", reason="Linux describes its machine in /proc")
def test_processor_and_memory_are_read():
    processor = describe_processor()
    assert processor["name"]
    assert processor["instruction_sets"]
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < available_memory_bytes() <= total
