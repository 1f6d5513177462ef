"""A backend without its framework is reported as not installed, not as crashed."""

import ast
import json
import sys
import venv
from pathlib import Path

import pytest
from processes import run_parity

from hfscan.parity.backend_files import BACKENDS, backend_names
from hfscan.parity.environments import find_environment
from hfscan.parity.process import BackendProcess, Settings
from hfscan.parity.replies import BackendDiedError


@pytest.fixture(scope="module")
def empty_python(tmp_path_factory) -> Path:
    """A Python without packages."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=sys.platform != "win32", with_pip=False)
    return folder / "bin" / "python"


def check_in_python(folder, python):
    process = run_parity(
        folder, "--backends", "pytorch", "--backend-python", f"pytorch={python}", "--format", "json"
    )
    assert "Traceback" not in process.stderr
    (case,) = json.loads(process.stdout)["cases"]
    return process.returncode, case


def test_python_without_packages_is_not_installed(folder, empty_python):
    code, case = check_in_python(folder, empty_python)
    assert (code, case["verdict"]) == (1, "not installed")
    assert "No module named 'torch'" in case["reason"]
    assert "run `hfscan parity setup pytorch`, or name another" in case["reason"]
    assert str(empty_python) in case["reason"]


@pytest.mark.parametrize("backend", backend_names())
def test_backend_names_its_setup(backend, empty_python):
    worker = BackendProcess(backend, Settings(pythons={backend: str(empty_python)}))
    with pytest.raises(BackendDiedError) as excinfo:
        worker.start()
    assert excinfo.value.kind == "not installed"
    environment = find_environment(backend)
    assert backend in environment.backends
    assert f"hfscan parity setup {environment.backends[0]}`" in excinfo.value.message


def test_torch_without_the_rest_is_not_installed(folder, empty_python, tmp_path):
    (site_packages,) = empty_python.parents[1].glob("lib/python*/site-packages")
    (site_packages / "torch.py").write_text("print('torch says hello')\n")
    try:
        code, case = check_in_python(folder, empty_python)
    finally:
        (site_packages / "torch.py").unlink()
    assert (code, case["verdict"]) == (1, "not installed")
    assert "No module named 'transformers'" in case["reason"]


@pytest.mark.parametrize("kind", ["missing", "folder", "no program", "plain text", "bad shebang"])
def test_invalid_interpreter_is_not_installed(folder, tmp_path, kind):
    python = tmp_path / "python"
    if kind == "folder":
        python.mkdir()
    elif kind != "missing":
        python.write_text({"bad shebang": "#!/no/such/python\n"}.get(kind, "text"))
        python.chmod(0o644 if kind == "no program" else 0o755)
    code, case = check_in_python(folder, python)
    assert (code, case["verdict"]) == (1, "not installed")
    assert str(python) in case["reason"]


def test_old_python_is_reported(folder, tmp_path):
    python = tmp_path / "python"
    code = (
        "import runpy, sys; sys.version_info = (3, 8, 20); sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{code}" "$@"\n')
    python.chmod(0o755)
    exit_code, case = check_in_python(folder, python)
    assert (exit_code, case["verdict"]) == (1, "not installed")
    assert "Python 3.8.20 is too old" in case["reason"]


def test_start_script_parses_in_old_pythons():
    ast.parse((BACKENDS / "_run.py").read_text(encoding="utf-8"), feature_version=(3, 4))


def test_import_error_in_a_case_is_not_installed(check, fake_backend):
    action = 'answer(request, ok=False, kind="ImportError", message="needs TensorFlow"); return 1'
    result = check(fake_backend("open", action))
    assert (result.verdict, "needs TensorFlow" in result.reason) == ("not installed", True)
