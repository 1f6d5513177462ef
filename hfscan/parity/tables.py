"""The tensors of every weight file of a checkpoint, named and turned as PyTorch does."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hfscan.parity import compare, plan
from hfscan.parity.arrays import Reader
from hfscan.parity.backends import _names, _tensors
from hfscan.parity.checkpoints import CheckpointError, Weights, safetensors
from hfscan.parity.pool import Pool
from hfscan.parity.worker import FAILED, BackendDiedError, BackendError, Worker, first_line


@dataclass
class Files:
    """weight file -> SHA-256, and table of its tensors or (verdict, reason) why there is none."""

    readers: Callable[[str], Worker]
    digests: dict[str, str] = field(default_factory=dict)
    tables: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    faults: dict[str, tuple[str, str]] = field(default_factory=dict)

    def copies(self, name: str) -> frozenset[str]:
        """Return names in one file whose values another name in it has as well."""
        seen: dict[str, list[str]] = {}
        for tensor, line in self.tables[name].items():
            seen.setdefault(line["sha256"], []).append(tensor)
        return frozenset(name for names in seen.values() if len(names) > 1 for name in names)

    def renamed(self, ours: str, theirs: str) -> dict[str, str]:
        """Map our names to theirs, whichever scope either writes in front."""
        prefixes = {
            name.split(".")[0]
            for table in (self.tables[ours], self.tables[theirs])
            for name in table
        }
        return compare.aligned(self.tables[ours], self.tables[theirs], sorted(prefixes))

    def compare(self, ours: str, theirs: str) -> compare.WeightsDifference:
        """Compare two files, in their own names of `theirs`."""
        names = self.renamed(ours, theirs)
        table = {names[name]: line for name, line in self.tables[ours].items()}
        return compare.compare_weights(table, self.tables[theirs])

    def values(self, weights: Weights, names: Iterable[str], into: Path) -> dict[str, np.ndarray]:
        """Return the values of these tensors, in PyTorch's orientation."""
        wanted = set(names)
        found: dict[str, np.ndarray] = {}
        for number, part in enumerate(weights.parts):
            if weights.format == "safetensors":
                found |= {n: a for _, n, a in _named(weights, part) if n in wanted}
                continue
            there = [n for n in wanted if self.tables[weights.name][n]["part"] == number]
            if there:
                paths = _reader(weights, self.readers).call(
                    "take", path=str(part), names=there, into=f"{into}/{number}"
                )["arrays"]
                if lacking := sorted(set(there) - paths.keys()):
                    raise BackendDiedError(FAILED, f"it does not give the values of {lacking[0]}")
                arrays = Reader(into)
                found |= {name: arrays.read(paths[name]) for name in there}
        return found


def _named(weights: Weights, part: Path) -> Iterable[tuple[str, str, np.ndarray]]:
    for source, array in safetensors(part):
        if weights.origin == "tensorflow":
            name, axes = _names.from_tensorflow(source, array.ndim)
            yield source, name, _tensors.canonical(array, axes)
        else:
            yield source, _names.from_pytorch(source), array


def read_all(wanted: Iterable[Weights], pool: Pool) -> Files:
    """Read the weight files; one that cannot be read gets a verdict in place of a table."""
    files = Files(pool.worker)
    with pool.threads() as threads:
        deque(threads.map(lambda weights: _read_into(files, weights), wanted), maxlen=0)
    return files


def _read_into(files: Files, weights: Weights) -> None:
    files.digests[weights.name] = weights.sha256()
    try:
        files.tables[weights.name] = _read(weights, files.readers)
    except CheckpointError as error:
        files.faults[weights.name] = ("unreadable", str(error))
    except BackendDiedError as died:
        files.faults[weights.name] = (died.kind, died.message)
    except BackendError as error:
        verdict = "refused" if error.kind == "UnpicklingError" else "unreadable"
        files.faults[weights.name] = (verdict, _reason(verdict, error))


def _reader(weights: Weights, readers: Callable[[str], Worker]) -> Worker:
    backend = plan.reader(weights.format)
    if backend is None:
        raise CheckpointError(f"no backend reads {weights.format} files")
    return readers(backend)


def _reason(verdict: str, error: BackendError) -> str:
    if verdict == "refused":
        return "its pickle asks for code to be run; it was not opened"
    return first_line(error)


def _read(weights: Weights, readers: Callable[[str], Worker]) -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = {}
    for number, part in enumerate(weights.parts):
        if weights.format == "safetensors":
            lines = [_tensors.describe(*tensor) for tensor in _named(weights, part)]
        else:
            lines = _reader(weights, readers).call("read", path=str(part))["tensors"]
        table |= {line["name"]: {**line, "part": number} for line in lines}
    if not table:
        raise CheckpointError(f"{weights.name} holds no tensor")
    return table
