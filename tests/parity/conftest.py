"""One set of backends, kept alive, and one demo, made once."""

import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

NEEDED = ("numpy", "torch", "tensorflow", "tf_keras", "transformers", "safetensors", "h5py")
_ABSENT = [name for name in NEEDED if importlib.util.find_spec(name) is None]
if not _ABSENT:
    from hfscan.parity import demo
    from hfscan.parity.checkpoints import open_checkpoint
    from hfscan.parity.sweep import Settings, Sweep
    from hfscan.parity.verdict import Result


class _LeftOut(pytest.Module):
    def collect(self) -> list[pytest.Item]:
        pytest.skip(f"parity needs {', '.join(_ABSENT)}", allow_module_level=True)


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    return _LeftOut.from_parent(parent, path=module_path) if _ABSENT else None


@pytest.fixture(scope="session")
def sweep() -> Iterator["Sweep"]:
    with Sweep(Settings(measure=False, seconds=900)) as running:
        yield running


@pytest.fixture(scope="session")
def checkpoints(sweep: "Sweep", tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = demo.make(sweep, tmp_path_factory.mktemp("demo"))
    return {folder.name: folder for folder in folders}


@pytest.fixture
def tiny(sweep: "Sweep", tmp_path: Path) -> Callable[..., Path]:
    """Make a tiny random model with the PyTorch backend, with `twin` saved by both frameworks."""

    def make(architecture: str, *, twin: bool = True, **changes: object) -> Path:
        folder = tmp_path / architecture
        worker = sweep.worker("pytorch", frozenset({"tensorflow"}))
        given = {"architecture": architecture, "changes": changes, "twin": twin}
        worker.call("model", into=str(folder), **given)
        return folder

    return make


@pytest.fixture
def altered(checkpoints: dict[str, Path], tmp_path: Path) -> Callable[..., Path]:
    """A copy of a demo checkpoint that keeps only these files beside its config."""

    def copy(name: str, *files: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file in ("config.json", *files):
            shutil.copyfile(checkpoints[name] / file, folder / file)
        return folder

    return copy


@pytest.fixture
def check(sweep: "Sweep") -> Callable[[Path], list["Result"]]:
    return lambda folder: list(sweep.check(open_checkpoint(folder)))


@pytest.fixture
def set_config() -> Callable[..., None]:
    """Change entries of a checkpoint's config."""

    def change(folder: Path, **entries: object) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | entries))

    return change


@pytest.fixture(scope="session")
def check_with(sweep: "Sweep") -> Callable[..., list["Result"]]:
    """Check in the backends that run already, with other settings; `sweep` has what was timed."""
    before = sweep.settings

    def check(folder: Path, **changes: Any) -> list["Result"]:
        sweep.settings = replace(before, **changes)
        sweep.measurements.clear()
        try:
            return list(sweep.check(open_checkpoint(folder)))
        finally:
            sweep.settings = before

    return check


@pytest.fixture(scope="session")
def alone() -> Iterator["Sweep"]:
    """A PyTorch backend to be killed, starved and hurried."""
    with Sweep(Settings(backends=("pytorch",), measure=False)) as running:
        yield running
