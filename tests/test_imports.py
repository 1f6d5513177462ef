"""The public API, and the modules that the command line imports at its start."""

import json
import re
import subprocess
import sys

import pytest

import hfscan
from hfscan import errors
from hfscan.cli import COMMANDS


def test_public_names_resolve():
    assert {"Classification", "HfscanError", "classify", "open_database"} <= set(dir(hfscan))
    assert sorted(hfscan.__all__) == dir(hfscan)
    for name in hfscan.__all__:
        assert getattr(hfscan, name)
    with pytest.raises(AttributeError, match="no attribute 'opened'"):
        _ = hfscan.opened  # type: ignore[attr-defined]


def test_dir_has_every_error_and_no_module():
    """In a new process, where no module has been imported as an attribute yet."""
    code = "import hfscan.cli, hfscan, json; print(json.dumps(dir(hfscan)))"
    names = json.loads(subprocess.check_output([sys.executable, "-c", code], text=True))
    known = [name for name in vars(errors) if name.endswith("Error")]
    assert set(known) <= set(names)
    assert not {"api", "cli", "errors", "import_module", "store"} & set(names)


TYPOS = """
import hfscan

with hfscan.open_database("x.duckdb") as database:
    database.report(year=2022, weight="models").chart("breakdown").to_svg()
    database.figure("exclusive", framework="pytorch", cutoff="included", by="task").share
    database.trend(per="month")[0]["share"]
    database.explain("a/b", snapshot=2).frameworks["best"]
    try:
        database.query("concentration", top=3).to_pandas()
    except hfscan.NotFoundError:
        pass
    hfscan.opne_database("x.duckdb")  # wrong
    database.reprot(year=2022)  # wrong
    database.report(yaer=2022)  # wrong
    database.report(weight="download")  # wrong
    database.report().chrat()  # wrong
    database.figure("exclusiv")  # wrong
    database.figures(cutof="only")  # wrong
    database.figure("none").shared  # wrong
    database.trend(per="day")  # wrong
    database.trend().to_pands()  # wrong
    database.explain("a/b").frameworks["weight"]  # wrong
    hfscan.NotFound  # wrong
"""


@pytest.mark.slow
def test_mypy_finds_typos(request, tmp_path):
    file = tmp_path / "typos.py"
    file.write_text(TYPOS)
    process = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-incremental", file],
        cwd=request.config.rootpath, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = {int(line) for line in re.findall(r"typos\.py:(\d+): error", process.stdout)}
    lines = enumerate(TYPOS.splitlines(), 1)
    assert found == {number for number, line in lines if line.endswith("# wrong")}, process.stdout


HELP = """
import contextlib, io, json, sys
from hfscan.cli import COMMANDS, cli

imported = {}
for command in ["", *COMMANDS]:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        cli.main([*command.split(), "--help"], standalone_mode=False)
    assert "Examples:" in out.getvalue()
    imported[command] = [*sys.modules]
print(json.dumps(imported))
"""
SLOW = {
    "duckdb", "httpx", "httpx2", "huggingface_hub", "jinja2", "numpy", "requests", "rich.console",
    "sqlglot", "vl_convert",
}  # fmt: skip


def test_help_imports_nothing_slow():
    """In one process; a command counts with those before it."""
    imported = json.loads(subprocess.check_output([sys.executable, "-c", HELP], text=True))
    assert {name: SLOW & set(modules) for name, modules in imported.items()} == {
        name: set() for name in ["", *COMMANDS]
    }
