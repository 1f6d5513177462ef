"""Run docs/notebook.ipynb, as Jupyter does: cell by cell, showing each last expression."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from testhub import FakeHub, Population

from hfscan.pipeline import crawl
from hfscan.scope import Scope

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"
RUN = """
import ast, json, sys, types
# DuckDB finds a kernel, whose progress bars need ipywidgets
kernel = types.SimpleNamespace(config={"IPKernelApp": {}})
sys.modules["IPython"] = types.ModuleType("IPython")
sys.modules["IPython"].get_ipython = lambda: kernel
notebook = json.load(open(sys.argv[1], encoding="utf-8"))
shown = []
names = {"display": shown.append}
for cell in notebook["cells"]:
    if cell["cell_type"] != "code":
        continue
    tree = ast.parse("".join(cell["source"]))
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if last is not None:
        shown.append(eval(compile(ast.Expression(last.value), "cell", "eval"), names))
html = [value._repr_html_() for value in shown if hasattr(value, "_repr_html_")]
json.dump(html, sys.stdout)
"""


def test_notebook_is_stored_without_outputs():
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.slow
def test_notebook_runs_to_its_charts(tmp_path):
    for package in ("pandas", "polars", "pyarrow"):
        pytest.importorskip(package)
    population = Population.synthetic(2_000, seed=5)
    population.edit(population.ids[0], id="openai-community/gpt2", tags=["pytorch"])
    with FakeHub(population, quota=None) as hub:
        crawl(Scope(), endpoint=hub.url, token=None, db=tmp_path / "hfscan.duckdb")
    process = subprocess.run(
        [sys.executable, "-c", RUN, NOTEBOOK],
        cwd=tmp_path, capture_output=True, text=True, check=False, encoding="utf-8",
        env=os.environ | {"PYTHONUTF8": "1"},
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert re.fullmatch(r"2,000 models on \d\d \w+ \d{4}", lines[0])
    shown = json.loads(lines[1])
    assert "support PyTorch or TensorFlow" in shown[0]
    charts = [html for html in shown if html.startswith("<img ")]
    assert len(charts) == 2
    (explanation,) = (html for html in shown if "<li>tag: PyTorch</li>" in html)
    assert "openai-community/gpt2" in explanation
    assert (tmp_path / "report-2022.html").stat().st_size > 100_000
