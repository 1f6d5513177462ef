"""Make the environments of the backends: with uv if it is installed, else with venv and pip."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import metadata
from pathlib import Path

import httpx

from hfscan._logging import LOGGER
from hfscan.errors import SetupError, StorageError
from hfscan.fs import translate_os_errors
from hfscan.locks import hold_lock
from hfscan.parity.environments import (
    RECORD,
    Device,
    Environment,
    Installation,
    find_interpreter,
)
from hfscan.paths import backends_dir

TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
_ADVICE = "set HFSCAN_BACKENDS to a folder elsewhere"
_LONGEST_OUTPUT = 4000  # bytes of a failed installer that are shown


def detect_device() -> Device:
    """Return "cuda" if this machine has an NVIDIA GPU."""
    with suppress(OSError, subprocess.TimeoutExpired):
        listing = subprocess.run(
            ["nvidia-smi", "-L"],  # noqa: S607 - where it is depends on the system
            check=False,
            capture_output=True,
            timeout=60,
        )
        if listing.returncode == 0 and listing.stdout.startswith(b"GPU"):
            return "cuda"
    return "cpu"


def set_up(
    environment: Environment, device: Device, notify: Callable[[str], None], *, verbose: bool
) -> Installation:
    """Make the environment, if it is not current, and remove its earlier folders.

    With `verbose`, the installer's progress goes to stderr. Raises SetupError, StorageError.
    """
    root, folder = backends_dir(), environment.choose_folder(device)
    with translate_os_errors(root, _ADVICE):
        root.mkdir(parents=True, exist_ok=True)
    with hold_lock(root / environment.name, _ADVICE):
        installed = environment.find()
        if installed is None or installed.folder != folder:
            _check_disk(environment, root)
            notify(
                f"Setting up {environment.name} in {folder}: about "
                f"{environment.megabytes:,} MB, some minutes"
            )
            try:
                with translate_os_errors(folder, _ADVICE):
                    installed = _install(environment, device, folder, verbose)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        for other in environment.list_folders():
            if other != folder:
                with suppress(OSError):
                    _delete(other)
        return installed


def remove(environment: Environment) -> list[Path]:
    """Delete all folders of an environment and return them. Raises StorageError."""
    root = backends_dir()
    if not environment.list_folders():
        return []
    with hold_lock(root / environment.name, _ADVICE), translate_os_errors(root, _ADVICE):
        folders = environment.list_folders()
        for folder in folders:
            _delete(folder)
    return folders


def _delete(folder: Path) -> None:
    """Delete an environment, its record first: what is left after an interruption is not used."""
    (folder / RECORD).unlink(missing_ok=True)
    shutil.rmtree(folder)


def _check_disk(environment: Environment, root: Path) -> None:
    free = shutil.disk_usage(root).free >> 20
    if free < environment.megabytes:
        raise StorageError(
            f"{environment.name} needs about {environment.megabytes:,} MB, but the disk of {root} "
            f"has {free:,} MB free. Free some space, or {_ADVICE}."
        )


def _install(environment: Environment, device: Device, folder: Path, verbose: bool) -> Installation:
    shutil.rmtree(folder, ignore_errors=True)  # left unfinished by a killed process
    run = partial(_run, environment, verbose=verbose)
    uv, python = shutil.which("uv"), find_interpreter(folder)
    isolated = ["-I", "-m"]  # without PYTHONPATH, whose packages pip would take for installed ones
    if uv:
        run([uv, "venv", "--python", sys.executable, str(folder)])
        install = [uv, "pip", "install", "--python", str(python)]
    else:
        run([sys.executable, *isolated, "venv", str(folder)])
        install = [str(python), *isolated, "pip", "install", "--disable-pip-version-check"]
    pins = folder / "constraints.txt"
    pins.write_text("".join(f"{pin}\n" for pin in environment.pins), encoding="utf-8")
    install += ["--constraint", str(pins)]
    requirements = environment.list_requirements(device)
    # where PyTorch only converts weights, it needs no GPU: TensorFlow brings another CUDA
    is_cpu = device == "cpu" or "pytorch" not in environment.backends
    if is_cpu and any(line.startswith("torch") for line in requirements):
        install += _cpu_index_options(is_uv=uv is not None)
    run([*install, *requirements])
    if environment.unresolved:
        run([*install, "--no-deps", *environment.unresolved])
    installation = Installation(folder, device, _read_versions(folder), _measure_size(folder))
    installation.write_record()
    return installation


def _cpu_index_options(*, is_uv: bool) -> list[str]:
    """Return the options that add PyTorch's index of CPU builds, or none if it cannot be reached.

    PyPI's builds for Linux bring CUDA. Without the index the installer's own settings decide.
    """
    with suppress(httpx.HTTPError):
        if httpx.head(f"{TORCH_CPU_INDEX}/torch/", timeout=20).is_success:
            options = ["--extra-index-url", TORCH_CPU_INDEX]
            # uv otherwise takes every package from the first index that has it, in any version
            return [*options, "--index-strategy", "unsafe-best-match"] if is_uv else options
    return []


def _run(environment: Environment, command: Sequence[str], *, verbose: bool) -> None:
    """Run a step of the installation. Raises SetupError."""
    # stdout is for data
    output, errors = (sys.stderr, None) if verbose else (subprocess.PIPE, subprocess.STDOUT)
    try:
        process = subprocess.run(  # noqa: S603 - this Python, or the user's uv
            command, check=False, stdin=subprocess.DEVNULL, stdout=output, stderr=errors
        )
    except OSError as error:
        raise SetupError(f"{command[0]} cannot be run: {error.strerror or error}.") from error
    if process.returncode:
        if process.stdout:
            LOGGER.error("%s", process.stdout.decode("utf-8", "replace")[-_LONGEST_OUTPUT:])
        name = command[3] if command[2] == "-m" else "uv"  # venv, pip
        raise SetupError(
            f"{environment.name} could not be set up: {name} ended with exit status "
            f"{process.returncode}, for the reason above. Solve that, and run the same command "
            f"again. Settings of {name} choose another package index or a proxy."
        )


def _read_versions(folder: Path) -> dict[str, str]:
    """Return the version of every package installed in an environment, by normalized name."""
    libraries = "Lib/site-packages" if sys.platform == "win32" else "lib/python*/site-packages"
    paths = list(map(str, folder.glob(libraries)))
    found = metadata.distributions(path=paths)
    return dict(sorted((re.sub(r"[-_.]+", "-", item.name).lower(), item.version) for item in found))


def _measure_size(folder: Path) -> int:
    """Return the bytes of all files in a folder, not of what links lead to."""
    return sum(path.lstat().st_size for path in folder.rglob("*"))
