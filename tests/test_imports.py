"""The public API, and the modules that the command line imports at its start."""

import json
import subprocess
import sys

import pytest

import hfscan


def test_public_names_resolve():
    assert {"Classification", "classify", "open"} <= set(dir(hfscan))
    for name in hfscan.__all__:
        assert getattr(hfscan, name)
    with pytest.raises(AttributeError, match="no attribute 'opened'"):
        _ = hfscan.opened


def test_help_imports_no_database():
    code = "import json, sys, hfscan.cli; print(json.dumps([*sys.modules]))"
    modules = json.loads(subprocess.check_output([sys.executable, "-c", code], text=True))
    assert not {"duckdb", "httpx", "huggingface_hub", "hfscan.store"} & set(modules)
