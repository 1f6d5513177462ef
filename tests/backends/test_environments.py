"""`hfscan parity setup` makes environments from wheels, and backends find them."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from hfscan.parity.backend_files import backend_names
from hfscan.parity.environments import find_environment, read_environments

RUN = """
import pathlib, sys
from hfscan.cli import main
from hfscan.parity import environments
environments.TABLE = pathlib.Path(sys.argv.pop(1))
main()
"""
KILLED_WHILE_IT_DELETES = """
import os, sys
def end(event, arguments):
    if event == "shutil.rmtree":
        os._exit(9)
sys.addaudithook(end)
"""
TABLE = """
[tiny]
backends = ["pytorch", "onnx"]
imports = []
requires = ["tiny>=1", "helper; python_version > '3'"]
cpu = ["helper[cpu]"]
cuda = []
unresolved = ["picky"]
megabytes = 1
tried = []
pins = '''
helper==1.0
{pin}
'''
"""
PACKAGES = {
    ("tiny", "1.0"): ["helper"],
    ("tiny", "2.0"): ["helper"],
    ("helper", "1.0"): [],
    ("helper", "2.0"): [],
    ("picky", "1.0"): ["not-there"],
}
"""(name, version) -> what it requires."""

no_shell = pytest.mark.skipif(sys.platform == "win32", reason="uses a shell script or signals")


def write_wheel(folder, name, version, requires):
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: cpu"]
    metadata += [f"Requires-Dist: {line}" for line in requires]
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        wheel.writestr(f"{info}/METADATA", "\n".join(metadata) + "\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr(f"{info}/RECORD", "")


class Machine:
    """A folder with environments, a folder of wheels and a table of one environment."""

    output: tuple[str, str]

    def __init__(self, folder):
        self.folder = folder
        self.root, self.table, wheels = (folder / name for name in ("data", "table", "wheels"))
        wheels.mkdir()
        for (name, version), requires in PACKAGES.items():
            write_wheel(wheels, name, version, requires)
        self.variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels.as_uri(), "PATH": ""}
        self.variables |= {"PIP_CONFIG_FILE": os.devnull, "HFSCAN_BACKENDS": str(self.root)}
        self.pin("tiny==1.0")

    def pin(self, pin):
        self.table.write_text(TABLE.format(pin=pin))

    def start(self, *arguments, prelude="", **variables):
        return subprocess.Popen(
            [sys.executable, "-c", prelude + RUN, self.table, *map(str, arguments)],
            env=os.environ | {"HF_HUB_OFFLINE": "1"} | self.variables | variables,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments, code=0, **variables):
        process = self.start(*arguments, **variables)
        out, err = process.communicate(timeout=300)
        assert "Traceback" not in err
        assert process.returncode == code, err
        return out, err

    def set_up(self, **options):
        return self.run("parity", "setup", "pytorch", **options)

    def diagnose(self):
        out, _ = self.run("doctor", "--format", "json")
        return {row["area"]: row for row in json.loads(out)}

    def list_folders(self):
        return sorted(path.name for path in self.root.iterdir()) if self.root.exists() else []

    def copy_environments(self, machine):
        """Copy the environments of another machine: setting one up takes 4 s of CPU time."""
        shutil.copytree(machine.root, self.root, symlinks=True)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.fixture(scope="module")
def ready_machine(tmp_path_factory):
    """A machine whose environment is set up; `output` is what that printed.

    Tests leave it as they find it.
    """
    machine = Machine(tmp_path_factory.mktemp("machine"))
    machine.output = machine.set_up()
    return machine


def test_shipped_table_has_an_environment_for_every_backend():
    backends = [name for item in read_environments() for name in item.backends]
    assert sorted(backends) == backend_names()


def test_cases_of_two_frameworks_run_where_both_are():
    assert find_environment("pytorch").name == "pytorch"
    assert find_environment("onnx", frozenset({"pytorch"})).name == "pytorch"
    for backend, other in (("pytorch", "tensorflow"), ("tensorflow", "pytorch")):
        assert find_environment(backend, frozenset({other})).name == "tensorflow"
    assert find_environment("keras-jax", frozenset({"tensorflow"})) is None


@pytest.mark.parametrize("environment", read_environments(), ids=lambda item: item.name)
def test_pins_fit_the_ranges(environment):
    pins = dict(pin.split("==") for pin in environment.pins)
    for line in [*environment.list_requirements("cpu"), *environment.unresolved]:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            assert requirement.specifier.contains(pins[requirement.name]), line
    for release in environment.tried[0].split(", "):
        name, version = release.split()
        assert pins.get(name, pins.get(f"{name}-cpu")) == version
    for device in ("cpu", "cuda"):
        assert all(Requirement(line).specifier for line in environment.list_requirements(device))


@pytest.mark.slow
def test_setup_installs_the_pins(ready_machine):
    out, err = ready_machine.output
    (folder,) = ready_machine.list_folders()
    assert re.fullmatch(r"tiny-[0-9a-f]{8}", folder)
    assert "Setting up tiny in " in err
    assert re.search(r"for pytorch, onnx: tiny 1\.0, helper 1\.0, picky 1\.0; builds for cpu", out)
    assert re.search(rf"\d+ MB in .*{folder}", out)


@pytest.mark.slow
def test_backends_use_their_environment(ready_machine):
    checks = ready_machine.diagnose()
    (folder,) = ready_machine.list_folders()
    assert checks["environment tiny"]["status"] == "ok"
    for backend in ("pytorch", "onnx"):
        message = checks[f"backend {backend}"]["message"]
        assert str(ready_machine.root / folder) in message  # its Python lacks the framework
        assert "run `hfscan parity setup --remove pytorch`, then " in message
    assert sys.executable in checks["backend flax"]["message"]


@pytest.mark.slow
def test_setup_keeps_a_current_environment(ready_machine):
    record = next(ready_machine.root.glob("*/hfscan.json"))
    written = record.stat().st_mtime_ns
    out, err = ready_machine.set_up()
    assert out.startswith("ok       environment tiny: for pytorch, onnx: tiny 1.0, ")
    assert err == ""
    assert record.stat().st_mtime_ns == written


@pytest.mark.slow
def test_stale_environment_is_not_used_and_replaced(machine, ready_machine):
    machine.copy_environments(ready_machine)
    machine.pin("tiny==3.0")
    (stale,) = machine.list_folders()
    checks = machine.diagnose()
    assert "stale" in checks["environment tiny"]["message"]
    assert checks["environment tiny"]["hint"] == "To make it: hfscan parity setup pytorch"
    message = checks["backend pytorch"]["message"]
    assert sys.executable in message
    assert "run `hfscan parity setup pytorch`, because its environment has other rel" in message
    _, err = machine.set_up(code=15)  # there is no such release
    assert "tiny==3.0" in err
    assert "for the reason above" in err
    assert machine.list_folders() == [stale]
    machine.pin("tiny==2.0")
    out, _ = machine.set_up()
    assert "tiny 2.0" in out
    assert len(machine.list_folders()) == 1
    assert machine.list_folders() != [stale]
    _, err = machine.run("parity", "setup", "--remove")
    assert "Deleted " in err
    assert machine.list_folders() == []


@pytest.mark.slow
def test_interrupted_removal_leaves_nothing_in_use(machine, ready_machine):
    machine.copy_environments(ready_machine)
    (folder,) = machine.list_folders()
    machine.run("parity", "setup", "--remove", prelude=KILLED_WHILE_IT_DELETES, code=9)
    assert folder in machine.list_folders()
    out, _ = machine.run("parity", "setup", "--list")
    assert "environment tiny: for pytorch, onnx: missing" in out
    machine.run("parity", "setup", "--remove")
    assert folder not in machine.list_folders()


@no_shell
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_setup_leaves_nothing_in_use(machine, number):
    with socket.create_server(("127.0.0.1", 0)) as index:  # accepts, but never replies
        url = f"http://127.0.0.1:{index.getsockname()[1]}/"
        variables = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": url, "no_proxy": "127.0.0.1"}
        process = machine.start("parity", "setup", "pytorch", PIP_FIND_LINKS="", **variables)
        index.settimeout(300)
        connection, _ = index.accept()
        process.send_signal(number)
        _, err = process.communicate(timeout=300)
        connection.close()
    codes = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}
    assert process.returncode == codes[number]
    assert "Traceback" not in err
    folders = [name for name in machine.list_folders() if not name.endswith(".lock")]
    assert len(folders) == (number == signal.SIGKILL)
    out, _ = machine.run("parity", "setup", "--list")
    assert "environment tiny: for pytorch, onnx: missing" in out
    if folders:
        out, _ = machine.set_up()
        assert "ok       environment tiny: " in out


@no_shell
@pytest.mark.slow
def test_uv_is_preferred(machine):
    log, uv = machine.folder / "log", machine.folder / "bin" / "uv"
    uv.parent.mkdir()
    script = f"""\
    #!/bin/sh
    echo "$@" >> "{log}"
    if [ "$1" = venv ]; then
        for folder; do :; done  # the last argument
        exec "{sys.executable}" -m venv --without-pip "$folder"
    fi
    """
    uv.write_text(textwrap.dedent(script))
    uv.chmod(0o755)
    machine.set_up(PATH=f"{uv.parent}{os.pathsep}/bin{os.pathsep}/usr/bin")
    venv, install, unresolved = log.read_text().splitlines()
    assert venv.startswith(f"venv --python {sys.executable} {machine.root}")
    assert install.startswith(f"pip install --python {machine.root}")
    assert "constraints.txt tiny>=1 helper; python_version > '3' helper[cpu]" in install
    assert unresolved.endswith("constraints.txt --no-deps picky")


def test_full_disk_is_reported_before_the_installation(machine):
    machine.table.write_text(
        machine.table.read_text().replace("megabytes = 1", "megabytes = 1_000_000_000_000")
    )
    _, err = machine.set_up(code=9)
    assert "tiny needs about 1,000,000,000,000 MB" in err
    assert machine.list_folders() == []


def test_setup_reports_wrong_uses(machine):
    _, err = machine.run("parity", "setup", "pytorhc", code=2)
    assert "Did you mean 'pytorch'?" in err
    _, err = machine.run("parity", "setup", "--list", "--remove", code=2)
    assert "--list cannot be combined with --remove" in err
    (machine.root).write_text("a file")
    _, err = machine.set_up(code=9)
    assert "HFSCAN_BACKENDS" in err


def test_folder_named_setup_is_a_checkpoint(machine):
    (machine.folder / "setup").mkdir()
    for name in (["./setup"], ["--", "setup"]):
        out, _ = machine.run("parity", "--format", "json", *name, code=1)
        (case,) = json.loads(out)["cases"]
        assert case["verdict"] == "unsupported"


def test_environments_lie_in_the_users_data(monkeypatch):
    from hfscan.paths import backends_dir

    monkeypatch.delenv("HFSCAN_BACKENDS", raising=False)
    variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_DATA_HOME"
    monkeypatch.setenv(variable, str(Path("/data").absolute()))
    assert backends_dir() == Path("/data/hfscan/backends").absolute()
    monkeypatch.delenv(variable)
    assert backends_dir().is_relative_to(Path.home())
