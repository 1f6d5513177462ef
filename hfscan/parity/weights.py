"""Read the tensors of every weight file, in PyTorch's names and orientation, and compare them."""

import re
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hfscan.parity import compare
from hfscan.parity.arrays import ArrayReader
from hfscan.parity.backends import _tensors
from hfscan.parity.cases import find_reader
from hfscan.parity.checkpoint import Weights, read_safetensors
from hfscan.parity.configs import CheckpointError
from hfscan.parity.pool import BackendPool
from hfscan.parity.process import BackendProcess
from hfscan.parity.replies import BackendDiedError, BackendError, backend_failed, summary_line
from hfscan.parity.result import Verdict
from hfscan.parity.tensor_difference import describe_tensor

_MAX_EXAMINED = 200  # tensors whose values are fetched


@dataclass
class WeightTables:
    """Weight file -> SHA-256, and the table of its tensors or (verdict, reason) if unreadable."""

    processes: Callable[[str], BackendProcess]
    digests: dict[str, str] = field(default_factory=dict)
    tables: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    faults: dict[str, tuple[Verdict, str]] = field(default_factory=dict)

    def renamed(self, ours: str, theirs: str) -> dict[str, str]:
        """Map the names in one file to those in another, whichever leading scope they have."""
        tables = self.tables[ours], self.tables[theirs]
        prefixes = {name.split(".")[0] for table in tables for name in table}
        return compare.align_names(*tables, sorted(prefixes))

    def compare(self, ours: str, theirs: str) -> compare.WeightsDifference:
        """Compare two files, in the names of `theirs`."""
        names = self.renamed(ours, theirs)
        table = {names[name]: row for name, row in self.tables[ours].items()}
        return compare.compare_weights(table, self.tables[theirs])

    def values(self, weights: Weights, names: Iterable[str], into: Path) -> dict[str, np.ndarray]:
        """Return the values of these tensors, in PyTorch's orientation."""
        wanted = set(names)
        found: dict[str, np.ndarray] = {}
        for number, part in enumerate(weights.parts):
            if weights.format == "safetensors":
                tensors = _named_tensors(weights, part)
                found |= {name: array for _, name, array in tensors if name in wanted}
                continue
            table = self.tables[weights.name]
            in_part = [name for name in wanted if table[name]["part"] == number]
            if not in_part:
                continue
            request = {"path": str(part), "names": in_part, "into": f"{into}/{number}"}
            paths = self._reader(weights).call("take", **request)["arrays"]
            if missing := sorted(set(in_part) - paths.keys()):
                raise backend_failed(f"it did not return the values of {missing[0]}")
            arrays = ArrayReader(into)
            found |= {name: arrays.read(paths[name]) for name in in_part}
        return found

    def read(self, weights: Weights) -> None:
        """Read one weight file; one that cannot be read gets a verdict instead of a table."""
        self.digests[weights.name] = weights.sha256()
        try:
            self.tables[weights.name] = self._read_table(weights)
        except CheckpointError as error:
            self.faults[weights.name] = (error.verdict, str(error))
        except BackendDiedError as error:
            self.faults[weights.name] = (error.kind, error.message)
        except BackendError as error:
            self.faults[weights.name] = (Verdict.UNREADABLE, summary_line(error))
            if error.kind == "UnsupportedTypeError":
                self.faults[weights.name] = (Verdict.UNSUPPORTED, error.message)
            if error.kind == "UnpicklingError":
                reason = "its pickle would run code; it was not opened"
                self.faults[weights.name] = (Verdict.REFUSED, reason)

    def _read_table(self, weights: Weights) -> dict[str, dict[str, Any]]:
        table: dict[str, dict[str, Any]] = {}
        for number, part in enumerate(weights.parts):
            if weights.format == "safetensors":
                rows = [_tensors.describe(*tensor) for tensor in _named_tensors(weights, part)]
            else:
                rows = self._reader(weights).call("read", path=str(part))["tensors"]
            for row in rows:
                earlier = table.get(row["name"], row)
                if earlier["source"] == row["source"] and earlier["sha256"] != row["sha256"]:
                    raise CheckpointError(f"{row['source']} has other values in each of two shards")
                table[row["name"]] = {**row, "part": number}
        if not table:
            raise CheckpointError(f"{weights.name} holds no tensor")
        return table

    def _reader(self, weights: Weights) -> BackendProcess:
        backend = find_reader(weights.format)
        if backend is None:
            raise CheckpointError(f"no backend reads {weights.format} files")
        return self.processes(backend)


def read_tables(files: Iterable[Weights], pool: BackendPool) -> WeightTables:
    """Read the weight files in parallel."""
    tables = WeightTables(pool.process)
    with pool.threads() as threads:
        deque(threads.map(tables.read, files), maxlen=0)
    return tables


def _named_tensors(weights: Weights, part: Path) -> Iterable[tuple[str, str, np.ndarray]]:
    """Yield (name in the file, PyTorch's name, array in PyTorch's orientation)."""
    for source, array in read_safetensors(part):
        if weights.origin == "tensorflow":
            name, axes = _tensors.convert_tensorflow_name(source, array.ndim)
            yield source, name, _tensors.orient(array, axes)
        else:
            yield source, _tensors.normalize_pytorch_name(source), array


def describe_difference(
    tables: WeightTables, ours: Weights, theirs: Weights, found: compare.WeightsDifference
) -> str:
    """Return one sentence about how `ours` differs from `theirs`."""
    parts = [
        f"{first_of(names)} only in {weights.name}"
        for names, weights in ((found.only_theirs, theirs), (found.only_ours, ours))
        if names
    ]
    if found.differ:
        swap = _describe_swap(tables, ours, theirs, found.differ)
        parts.append(swap or _describe_values(tables, ours, theirs, found.differ))
    return "; ".join(parts)


def first_of(names: Sequence[str]) -> str:
    """Return the first name and how many more there are."""
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _describe_swap(
    tables: WeightTables, ours: Weights, theirs: Weights, differ: Sequence[str]
) -> str | None:
    """Return which tensors, or layers of them, hold the values of others."""
    names = tables.renamed(ours.name, theirs.name)
    rows = {names[name]: row for name, row in tables.tables[ours.name].items()}
    name_by_digest = {row["sha256"]: name for name, row in tables.tables[theirs.name].items()}
    origins = {
        name: origin
        for name in differ
        if (origin := name_by_digest.get(rows[name]["sha256"])) is not None
    }
    if not origins:
        return None
    layers = set()
    for name, origin in origins.items():
        here, there = (re.search(r"\d+", text) for text in (name, origin))
        if here and there and re.sub(r"\d+", "#", name) == re.sub(r"\d+", "#", origin):
            layers.add((int(here[0]), int(there[0])))
    pairs = sorted(move for move in layers if move[::-1] in layers and move[0] < move[1])
    if pairs:
        return f"layers {pairs[0][0]} and {pairs[0][1]} are swapped"
    name, origin = next(iter(origins.items()))
    more = f" ({len(origins)} of {len(differ)} tensors hold values of others)"
    share = more if len(differ) > 2 else ""
    if origins.get(origin) == name:
        return f"{name} and {origin} are swapped{share}"
    return f"{name} holds the values of {origin}{share}"


def _describe_values(
    tables: WeightTables, ours: Weights, theirs: Weights, differ: Sequence[str]
) -> str:
    original = {new: old for old, new in tables.renamed(ours.name, theirs.name).items()}
    names = differ[:_MAX_EXAMINED]
    with tempfile.TemporaryDirectory(prefix="hfscan-parity-") as scratch:
        our_values = tables.values(ours, [original[name] for name in names], Path(scratch, "ours"))
        their_values = tables.values(theirs, names, Path(scratch, "theirs"))
    kinds = {
        name: describe_tensor(our_values[original[name]], their_values[name]) for name in names
    }
    kind, count = Counter(text.partition(" (")[0] for text in kinds.values()).most_common(1)[0]
    first = next(name for name in names if kinds[name].startswith(kind))
    share = "" if count == len(names) else f" ({count} of {len(names)})"
    return f"{first_of([first, *differ[1:]])}: {kinds[first]}{share}"
