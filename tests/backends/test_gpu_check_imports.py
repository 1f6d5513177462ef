"""The GPU check runs where hfscan is not installed."""

import subprocess
import sys

SCRIPT = """
import importlib.metadata, sys
before = set(sys.modules)
import hfscan.parity.gpu_check
names = {name.partition(".")[0] for name in set(sys.modules) - before}
packages = importlib.metadata.packages_distributions()
print(*sorted({package for name in names for package in packages.get(name, ())} - {"hfscan"}))
"""


def test_gpu_check_needs_no_package_but_numpy():
    command = [sys.executable, "-c", SCRIPT]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert output.split() == ["numpy"]
