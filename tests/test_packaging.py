"""The wheel is complete: it runs the demo in an empty environment."""

import subprocess
import sys
import zipfile
from email import message_from_bytes

import pytest

from hfscan import __version__
from hfscan.paths import data_dir


@pytest.mark.slow
@pytest.mark.install
def test_wheel_runs_the_demo_elsewhere(request, tmp_path):
    root = request.config.rootpath
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, root]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
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
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    executables = environment / ("Scripts" if sys.platform == "win32" else "bin")
    install = [executables / "python", "-m", "pip", "install", "--quiet", wheel]
    subprocess.run(install, check=True)
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
