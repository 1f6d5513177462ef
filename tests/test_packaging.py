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
        inside = {n.removeprefix(f"hfscan/_data/{kind}/") for n in names if f"_data/{kind}/" in n}
        files = (path for path in data_dir(kind).rglob("*") if path.is_file())
        assert inside == {path.relative_to(data_dir(kind)).as_posix() for path in files}
    assert not {name for name in names if name.startswith("tests")}
    (about,) = (name for name in names if name.endswith(".dist-info/METADATA"))
    facts = message_from_bytes(zipfile.ZipFile(wheel).read(about))
    assert facts["Version"] == __version__
    assert facts["Project-URL"].startswith("Source, https://github.com/")
    environment, elsewhere = tmp_path / "venv", tmp_path / "elsewhere"
    elsewhere.mkdir()
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    programs = environment / ("Scripts" if sys.platform == "win32" else "bin")
    install = [programs / "python", "-m", "pip", "install", "--quiet", wheel]
    subprocess.run(install, check=True)
    demo = subprocess.run(
        [programs / "hfscan", "demo"], cwd=elsewhere, capture_output=True, text=True, check=False
    )
    assert demo.returncode == 0, demo.stderr
    assert "PyTorch only" in demo.stdout
    assert (elsewhere / "demo" / "hfscan.duckdb").exists()
    frameworks = "import importlib.util as u; print([n for n in {} if u.find_spec(n)])".format(
        ["torch", "tensorflow", "jax", "transformers"]
    )
    found = subprocess.check_output([programs / "python", "-c", frameworks], text=True)
    assert found.strip() == "[]"
