"""One set of backends, started once, and the demo checkpoints, made once."""

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
    from model_maker import ModelMaker

    from hfscan.cli.parity import make_demo
    from hfscan.parity.checkpoint import open_checkpoint
    from hfscan.parity.process import Settings
    from hfscan.parity.result import Result
    from hfscan.parity.run import ParityRunner


class _Skipped(pytest.Module):
    def collect(self) -> list[pytest.Item]:
        pytest.skip(f"parity needs {', '.join(_ABSENT)}", allow_module_level=True)


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    return _Skipped.from_parent(parent, path=module_path) if _ABSENT else None


@pytest.fixture(scope="session")
def runner() -> Iterator["ParityRunner"]:
    with ParityRunner(Settings(measure=False, timeout=900)) as running:
        yield running


@pytest.fixture(scope="session")
def checkpoints(
    runner: "ParityRunner", tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    folders = make_demo(runner, tmp_path_factory.mktemp("demo"))
    return {folder.name: folder for folder in folders}


@pytest.fixture(scope="session")
def maker() -> Iterator["ModelMaker"]:
    with ModelMaker() as running:
        yield running


@pytest.fixture
def tiny(maker: "ModelMaker", tmp_path: Path) -> Callable[..., Path]:
    """Make a tiny random model, with `twin` saved by both frameworks."""

    def make(architecture: str, *, twin: bool = True, **changes: object) -> Path:
        folder = tmp_path / architecture
        options = {"architecture": architecture, "changes": changes, "twin": twin}
        maker.call("make", into=str(folder), **options)
        return folder

    return make


@pytest.fixture
def altered(checkpoints: dict[str, Path], tmp_path: Path) -> Callable[..., Path]:
    """Copy a demo checkpoint: its config and only these other files."""

    def copy(name: str, *files: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file in ("config.json", *files):
            shutil.copyfile(checkpoints[name] / file, folder / file)
        return folder

    return copy


@pytest.fixture
def check(runner: "ParityRunner") -> Callable[[Path], list["Result"]]:
    return lambda folder: list(runner.check(open_checkpoint(folder)))


@pytest.fixture
def set_config() -> Callable[..., None]:
    """Change entries of a checkpoint's config."""

    def change(folder: Path, **entries: object) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | entries))

    return change


@pytest.fixture(scope="session")
def check_with(runner: "ParityRunner") -> Callable[..., list["Result"]]:
    """Check with other settings in the same backends; `runner` has the measurements."""
    before = runner.pool.settings

    def check(folder: Path, **changes: Any) -> list["Result"]:
        runner.pool.settings = replace(before, **changes)
        runner.measurements.clear()
        try:
            return list(runner.check(open_checkpoint(folder)))
        finally:
            runner.pool.settings = before

    return check


@pytest.fixture(scope="session")
def alone() -> Iterator["ParityRunner"]:
    """A PyTorch backend for tests that kill it or lower its limits."""
    with ParityRunner(Settings(backends=("pytorch",), measure=False)) as running:
        yield running
