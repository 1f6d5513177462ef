"""Backends and the demo checkpoints, shared by all tests."""

import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

REQUIRED_PACKAGES = (
    "numpy",
    "torch",
    "tensorflow",
    "tf_keras",
    "transformers",
    "safetensors",
    "h5py",
)
_MISSING = [name for name in REQUIRED_PACKAGES if importlib.util.find_spec(name) is None]
if not _MISSING:
    import numpy as np
    from backend_forks import find_real_interpreter
    from model_maker import ModelMaker
    from safetensors.numpy import load_file, save_file

    from hfscan.cli.parity import make_demo
    from hfscan.parity.checkpoint import open_checkpoint
    from hfscan.parity.environments import choose_interpreter
    from hfscan.parity.process import Settings
    from hfscan.parity.result import Result
    from hfscan.parity.run import ParityRunner


class _SkippedModule(pytest.Module):
    def collect(self) -> list[pytest.Item]:
        pytest.skip(f"parity needs {', '.join(_MISSING)}", allow_module_level=True)


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    return _SkippedModule.from_parent(parent, path=module_path) if _MISSING else None


@pytest.fixture(scope="session")
def runner() -> Iterator["ParityRunner"]:
    with ParityRunner(Settings(measure=False, timeout=900)) as runner:
        yield runner


@pytest.fixture(scope="session")
def checkpoints(
    runner: "ParityRunner", tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    folders = make_demo(runner, tmp_path_factory.mktemp("demo"))
    return {folder.name: folder for folder in folders}


@pytest.fixture(scope="session")
def maker() -> Iterator["ModelMaker"]:
    with ModelMaker() as maker:
        yield maker


@pytest.fixture
def make_tiny_model(maker: "ModelMaker", tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes a tiny random model; with `twin`, saved by both frameworks."""

    def make(architecture: str, *, twin: bool = True, **changes: object) -> Path:
        folder = tmp_path / architecture
        options = {"architecture": architecture, "changes": changes, "twin": twin}
        maker.call("make", into=str(folder), **options)
        return folder

    return make


@pytest.fixture
def copy_checkpoint(checkpoints: dict[str, Path], tmp_path: Path) -> Callable[..., Path]:
    """Return a function that copies the config and the given files of a demo checkpoint."""

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
    """Return a function that changes entries of a checkpoint's config."""

    def change(folder: Path, **entries: object) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | entries))

    return change


@pytest.fixture
def rewrite_tensors() -> Callable[..., None]:
    """Return a function that changes the tensors of a checkpoint's model.safetensors in place."""

    def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
        save_file(arrays, folder / "model.safetensors", {"format": "pt"})

    return rewrite


@pytest.fixture(scope="session")
def check_with_settings(runner: "ParityRunner") -> Callable[..., list["Result"]]:
    """Return a function that checks with other settings; `runner` has the measurements."""
    settings = runner.pool.settings

    def check(folder: Path, **changes: Any) -> list["Result"]:
        runner.pool.settings = replace(settings, **changes)
        runner.measurements.clear()
        try:
            return list(runner.check(open_checkpoint(folder)))
        finally:
            runner.pool.settings = settings

    return check


@pytest.fixture(scope="session")
def skip_without() -> Callable[..., None]:
    """Return a function that skips the test if a backend lacks packages.

    They may be in the backend's environment, or in this Python.
    """

    def skip(backend: str, *packages: str) -> None:
        if choose_interpreter(backend, frozenset(), {}).environment is None:
            for package in packages:
                if importlib.util.find_spec(package) is None:
                    pytest.skip(f"the backend {backend} needs {package}")

    return skip


@pytest.fixture(scope="session")
def runner_with_version_4() -> Iterator["ParityRunner"]:
    """A runner of PyTorch with transformers 4, which is installed where TensorFlow is."""
    python = choose_interpreter("pytorch", frozenset({"tensorflow"}), {}).path
    settings = Settings(("pytorch",), pythons={"pytorch": python}, measure=False, timeout=900)
    with ParityRunner(settings) as runner:
        yield runner


@pytest.fixture(scope="session")
def private_runner() -> Iterator["ParityRunner"]:
    """A runner with a PyTorch backend, for tests that kill it or lower its limits."""
    python = find_real_interpreter(choose_interpreter("pytorch", frozenset(), {}).path)
    settings = Settings(("pytorch",), pythons={"pytorch": python}, measure=False)
    with ParityRunner(settings) as runner:
        yield runner
