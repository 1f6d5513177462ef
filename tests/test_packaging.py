"""The wheel is complete: it runs the demo in an empty environment."""

import json
import os
import subprocess
import sys
import zipfile
from email import message_from_bytes

import pytest

from hfscan import __version__
from hfscan.paths import data_dir


@pytest.mark.skipif(sys.platform == "win32", reason="hf runs only Python extensions there")
def test_hf_runs_the_extension(tmp_path):
    """As after `hf extensions install OWNER/hf-scan`, which needs GitHub."""
    hf = [sys.executable, "-c", "from huggingface_hub.cli.hf import main; main()"]
    if "extensions" not in subprocess.check_output([*hf, "--help"], text=True):
        pytest.skip("the installed hf has no extensions")
    folder = tmp_path / ".local" / "share" / "hf" / "extensions" / "hf-scan"
    folder.mkdir(parents=True)
    script = folder / "hf-scan"  # the entry point of pyproject.toml
    script.write_text(f"#!{sys.executable}\nfrom hfscan.cli import main\nmain()\n")
    script.chmod(0o755)
    manifest = {
        "owner": "ann", "repo": "hf-scan", "repo_id": "ann/hf-scan", "short_name": "scan",
        "executable_path": str(script), "type": "python", "installed_at": "2026-01-01T00:00:00",
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    environment = os.environ | {"HOME": str(tmp_path), "HF_HUB_DISABLE_UPDATE_CHECK": "1"}
    output = subprocess.check_output([*hf, "scan", "--version"], env=environment, text=True)
    assert output.strip().endswith(f"version {__version__}")


def test_image_is_that_of_the_project(request):
    """CI builds it; this checks what a build would not notice."""
    root = request.config.rootpath
    dockerfile = (root / "Dockerfile").read_text("utf-8")
    assert "make demo" in dockerfile
    assert "constraints/base.txt" in dockerfile
    assert "USER 1000" in dockerfile.rpartition("FROM base\n")[2]
    ignored = (root / ".dockerignore").read_text("utf-8").split()
    assert {".git", ".venv*", "*.duckdb*"} <= set(ignored)


@pytest.fixture(scope="module")
def wheel(request, tmp_path_factory):
    """The wheel, in a folder of the name that an index gives it."""
    folder = tmp_path_factory.mktemp("index") / "simple" / "hfscan"
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
    subprocess.run([*build, request.config.rootpath], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(folder, *packages):
    """Return the process that installs packages in a new environment.

    Without pip in the environment, and without compiling modules that nothing imports.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--python", folder, "install", "--quiet", "--no-compile"]
    return subprocess.run([*pip, *packages], capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.install
@pytest.mark.skipif(sys.platform == "win32", reason="paths of a POSIX environment")
def test_uvx_and_pipx_run_the_wheel(wheel, tmp_path):
    """From a local index with the wheel only; its dependencies come from the usual one."""
    (wheel.parent / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    index = wheel.parents[1].as_uri()
    tools = tmp_path / "tools"
    process = install(tools, "uv", "pipx")
    if process.returncode:
        pytest.skip(f"pip cannot fetch uv and pipx: {process.stderr[-200:]}")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"HOME": str(tmp_path), "UV_CACHE_DIR": str(tmp_path / "uv")}
    environment |= {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin")}
    if certificates := os.environ.get("PIP_CERT"):
        environment["SSL_CERT_FILE"] = certificates

    def run(*command):
        process = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert process.returncode == 0, process.stderr
        return process.stdout

    uvx = [tools / "bin" / "uvx", "--python", sys.executable, "--index", index, "hfscan"]
    assert "PyTorch only" in run(*uvx, "demo")
    assert "PyTorch only" in run(*uvx, "report", "--db", "demo/hfscan.duckdb")
    pip_arguments = f"--pip-args=--no-compile --extra-index-url={index}"
    run(tools / "bin" / "pipx", "install", "--python", sys.executable, pip_arguments, "hfscan")
    assert "PyTorch only" in run(
        tmp_path / "bin" / "hfscan", "report", "--db", "demo/hfscan.duckdb"
    )
    assert (tmp_path / "bin" / "hf-scan").exists()


@pytest.mark.slow
@pytest.mark.install
def test_wheel_runs_the_demo_elsewhere(wheel, tmp_path):
    names = set(zipfile.ZipFile(wheel).namelist())
    for kind in ("queries", "reports"):
        packaged_files = {
            name.removeprefix(f"hfscan/_data/{kind}/") for name in names if f"_data/{kind}/" in name
        }
        files = (path for path in data_dir(kind).rglob("*") if path.is_file())
        assert packaged_files == {path.relative_to(data_dir(kind)).as_posix() for path in files}
    assert not {name for name in names if name.startswith("tests")}
    (metadata_file,) = (name for name in names if name.endswith(".dist-info/METADATA"))
    metadata = message_from_bytes(zipfile.ZipFile(wheel).read(metadata_file))
    assert metadata["Version"] == __version__
    assert metadata["Project-URL"].startswith("Source, https://github.com/")
    environment, folder = tmp_path / "venv", tmp_path / "elsewhere"
    folder.mkdir()
    process = install(environment, wheel)
    assert process.returncode == 0, process.stderr
    (entry_points,) = (name for name in names if name.endswith("entry_points.txt"))
    scripts = zipfile.ZipFile(wheel).read(entry_points).decode()
    assert "hf-scan = hfscan.cli:main" in scripts  # the name that `hf extensions install` needs
    executables = environment / ("Scripts" if sys.platform == "win32" else "bin")
    process = subprocess.run(
        [executables / "hfscan", "demo"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    assert "PyTorch only" in process.stdout
    assert (folder / "demo" / "hfscan.duckdb").exists()
    code = "import importlib.util as u; print([n for n in {} if u.find_spec(n)])".format(
        ["torch", "tensorflow", "jax", "transformers"]
    )
    output = subprocess.check_output([executables / "python", "-c", code], text=True)
    assert output.strip() == "[]"
