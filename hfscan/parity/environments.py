"""Find the environments of the backends: declared in `environments.toml`, made by `installer`.

An environment is a folder `NAME-FINGERPRINT`. Its record, written last, makes it complete; a folder
without one is never used. The fingerprint is of what is installed, so that other pins give another
folder, and an environment with earlier ones is stale.
"""

import hashlib
import json
import re
import shutil
import sys
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from hfscan.errors import InvalidRequestError
from hfscan.fs import atomic_write
from hfscan.paths import backends_dir
from hfscan.suggest import unknown

Device = Literal["cpu", "cuda"]
DEVICES: tuple[Device, ...] = ("cpu", "cuda")
TABLE = Path(__file__).with_name("environments.toml")
RECORD = "hfscan.json"


@dataclass(frozen=True)
class Environment:
    """A table of `environments.toml`, which explains the fields."""

    name: str
    backends: tuple[str, ...]
    imports: tuple[str, ...]
    requires: tuple[str, ...]
    cpu: tuple[str, ...]
    cuda: tuple[str, ...]
    unresolved: tuple[str, ...]
    megabytes: int
    tried: tuple[str, ...]
    pins: tuple[str, ...]

    def list_requirements(self, device: Device) -> list[str]:
        """Return what is installed with its dependencies."""
        return [*self.requires, *(self.cuda if device == "cuda" else self.cpu)]

    def choose_folder(self, device: Device) -> Path:
        """Return the folder for the current requirements and pins."""
        content = [device, self.list_requirements(device), self.unresolved, self.pins]
        fingerprint = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8]
        return backends_dir() / f"{self.name}-{fingerprint}"

    def find(self) -> "Installation | None":
        """Return the current installation, or None."""
        found = (read_installation(self.choose_folder(device)) for device in DEVICES)
        return next(filter(None, found), None)

    def list_folders(self) -> list[Path]:
        """Return all its folders: current, stale and unfinished ones."""
        name = re.compile(rf"{re.escape(self.name)}-[0-9a-f]{{8}}")
        root = backends_dir()
        paths = sorted(root.iterdir()) if root.is_dir() else []
        return [path for path in paths if name.fullmatch(path.name)]

    def is_stale(self) -> bool:
        """Return whether there is only an installation of other pins."""
        return self.find() is None and any(map(read_installation, self.list_folders()))

    def list_versions(self, installation: "Installation") -> dict[str, str]:
        """Return the installed versions of the packages that are required by name."""
        lines = [*self.list_requirements(installation.device), *self.unresolved]
        names = dict.fromkeys(re.split(r"[^\w-]", line)[0] for line in lines)
        return {
            name: installation.versions[name] for name in names if name in installation.versions
        }


@dataclass(frozen=True)
class Installation:
    """A complete environment on disk. `size`: bytes."""

    folder: Path
    device: Device
    versions: dict[str, str]
    size: int

    @property
    def python(self) -> Path:
        return find_interpreter(self.folder)

    def write_record(self) -> None:
        """Declare the folder complete."""
        record = {**asdict(self), "folder": self.folder.name}
        atomic_write(self.folder / RECORD, json.dumps(record, indent=1).encode())


def read_installation(folder: Path) -> Installation | None:
    """Return the environment in a folder; None if it is not complete or its Python is gone."""
    with suppress(OSError, ValueError, TypeError):
        record = json.loads((folder / RECORD).read_bytes())
        installation = Installation(**record | {"folder": folder})
        if shutil.which(installation.python):
            return installation
    return None


def find_interpreter(folder: Path) -> Path:
    """Return the path of a virtual environment's Python."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def read_environments() -> tuple[Environment, ...]:
    """Return all environments."""
    return _read_table(TABLE)


@cache
def _read_table(path: Path) -> tuple[Environment, ...]:
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return tuple(_new_environment(name, table) for name, table in tables.items())


def _new_environment(name: str, table: dict[str, Any]) -> Environment:
    lists = {key: tuple(value) for key, value in table.items() if isinstance(value, list)}
    return Environment(name, **table | lists | {"pins": tuple(table["pins"].split())})


def find_environment(
    backend: str, also_imports: frozenset[str] = frozenset()
) -> Environment | None:
    """Return the environment that runs a backend which imports other backends' frameworks, too."""
    needed = {backend, *also_imports}
    candidates = [
        environment
        for environment in read_environments()
        if needed <= {*environment.backends, *environment.imports}
    ]
    return min(candidates, key=lambda item: backend not in item.backends, default=None)


def choose_interpreter(
    backend: str, also_imports: frozenset[str], pythons: Mapping[str, str]
) -> "Interpreter":
    """Return a backend's interpreter: that of `pythons`, of its environment, or this one."""
    environment = find_environment(backend, also_imports)
    installation = environment.find() if environment else None
    advice = f"run `hfscan parity setup {environment.backends[0]}`" if environment else ""
    if backend in pythons or environment is None or installation is None:
        if environment and environment.is_stale():
            advice += ", because its environment has other releases than this hfscan needs"
        return Interpreter(pythons.get(backend, sys.executable), None, advice)
    advice = f"run `hfscan parity setup --remove {environment.backends[0]}`, then {advice[4:]}"
    return Interpreter(str(installation.python), environment.name, advice)


@dataclass(frozen=True)
class Interpreter:
    """The Python that runs a backend.

    `environment`: the name of its environment, None for any other Python. `advice`: how to install
    what it lacks.
    """

    path: str
    environment: str | None
    advice: str


def select_environments(backends: Iterable[str]) -> list[Environment]:
    """Return the environments that run these backends, or all. Raises InvalidRequestError."""
    environments = read_environments()
    known = [backend for environment in environments for backend in environment.backends]
    chosen = set(backends or known)
    for backend in sorted(chosen.difference(known)):
        raise InvalidRequestError(unknown("backend", backend, known))
    return [item for item in environments if not chosen.isdisjoint(item.backends)]
