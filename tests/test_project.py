"""Make targets, pins, addresses and issue forms, for contributors and forks."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from hfscan import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
MARKERS = {line.partition(":")[0] for line in PROJECT["tool"]["pytest"]["ini_options"]["markers"]}


def run_make(*arguments: str) -> str:
    if shutil.which("make") is None or sys.platform == "win32":
        pytest.skip("make is not installed")
    # without the variables of a surrounding `make test`
    make_variables = (
        "MAKEFLAGS",
        "MAKEOVERRIDES",
        "MFLAGS",
        "CONSTRAINTS",
        "TESTS",
        "PYTHON",
        "WORKERS",
    )
    env = {key: value for key, value in os.environ.items() if key not in make_variables}
    command = ["make", "--directory", str(ROOT), *arguments]
    return subprocess.check_output(command, text=True, env=env, stderr=subprocess.STDOUT)


def list_test_commands(*arguments: str) -> list[str]:
    """Return the pytest commands that make would run."""
    output = run_make("--dry-run", "--old-file=pyproject.toml", *arguments).replace("\\\n", " ")
    return [line for line in output.splitlines() if "-m pytest" in line]


def test_make_prints_every_target():
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert set(re.findall(r"^  make (\S+) ", run_make(), re.MULTILINE)) == set(targets.split())


def test_make_check_leaves_marked_tests_out():
    (command,) = list_test_commands("check")
    assert set(re.findall(r"\w+", command.partition('-m "not (')[2])) == MARKERS | {"or"}


@pytest.mark.parametrize(
    ("tests", "environment"),
    [
        ("tests/test_cli.py", ".venv/"),
        ("tests/test_cli.py::test_no_database_yet", ".venv/"),
        ("tests/parity/test_verdict.py", ".venv-parity/"),
        ("tests/parity/test_verdict.py::test_x", ".venv-parity/"),
    ],
)
def test_make_test_runs_a_path_in_its_venv(tests, environment):
    (command,) = list_test_commands("test", f"TESTS={tests}")
    assert f"{environment}bin/python -m pytest" in command
    assert command.endswith(f'"{tests}"')


def test_make_test_takes_a_word():
    (command,) = list_test_commands("test", "TESTS=cutoff")[:1]
    assert ".venv/bin/python -m pytest --ignore tests/parity -k" in command


def test_make_test_passes_pins_to_inner_pip():
    base, parity = list_test_commands("test")
    for name, command in (("base", base), ("parity", parity)):
        uri = (ROOT / "constraints" / f"{name}.txt").as_uri()
        assert f"PIP_CONSTRAINT={uri} PIP_BUILD_CONSTRAINT={uri} " in command
    assert "PIP_CONSTRAINT" not in " ".join(list_test_commands("test", "CONSTRAINTS="))


@pytest.mark.parametrize("name", ["base", "parity"])
def test_constraints_pin_versions_only(name):
    lines = (ROOT / "constraints" / f"{name}.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    for pin in pins:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][\w.!]*", pin)  # no URL, hash or local version
    requirements = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]
    if name == "parity":
        requirements += PROJECT["project"]["optional-dependencies"]["parity"]
        requirements += PROJECT["dependency-groups"]["readers"]
    pinned_names = {pin.partition("==")[0] for pin in pins}
    assert {re.match(r"[\w-]+", name)[0].replace("_", "-") for name in requirements} <= pinned_names


def test_citation_names_this_release():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == __version__
    assert citation["license"] == PROJECT["project"]["license"]
    assert citation["repository-code"] == PROJECT["project"]["urls"]["Source"]
    authors = [author["name"] for author in citation["authors"]]
    assert authors == [author["name"] for author in PROJECT["project"]["authors"]]


def test_files_name_one_repository():
    """A fork must replace its address in all of these files."""
    files = [
        "pyproject.toml",
        "CITATION.cff",
        "CONTRIBUTING.md",
        "mkdocs.yml",
        ".github/ISSUE_TEMPLATE/config.yml",
    ]
    repository = PROJECT["project"]["urls"]["Source"]
    for file in files:
        text = (ROOT / file).read_text("utf-8")
        urls = set(re.findall(r"https://github\.com/[\w-]+/hfscan", text))
        assert urls == {repository}, file


@pytest.mark.parametrize("name", ["bug", "wrong-number"])
def test_issue_form_has_the_required_keys(name):
    path = ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml"
    form = yaml.safe_load(path.read_text("utf-8"))
    assert {"name", "description", "body"} <= form.keys()
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["type"] in ("textarea", "input") for field in fields)
    assert all(field["attributes"]["label"] for field in fields)


def test_issue_forms_ask_for_the_right_output():
    folder = ROOT / ".github" / "ISSUE_TEMPLATE"
    assert "hfscan doctor" in (folder / "bug.yml").read_text("utf-8")
    assert "--format json" in (folder / "wrong-number.yml").read_text("utf-8")


def test_newest_runs_without_pins():
    path = ROOT / ".github" / "workflows" / "newest.yml"
    workflow = yaml.safe_load(path.read_text("utf-8"))
    (step,) = (step for step in workflow["jobs"]["test"]["steps"] if "run" in step)
    assert (step["run"], step["env"]) == (".ci/run", {"CONSTRAINTS": ""})
    assert "schedule" in workflow[True]  # YAML 1.1 reads `on` as a boolean


def test_readme_begins_with_its_commands_and_stays_short():
    """The first screen ends with the commands for the real Hub."""
    first_screen, commands, rest = (ROOT / "README.md").read_text("utf-8").split("```sh\n")
    assert len(first_screen.splitlines()) < 20
    assert "make demo" in commands
    real_hub, rest = rest.split("```\n", 1)
    assert "hfscan crawl" in real_hub
    assert len(rest.splitlines()) < 120
