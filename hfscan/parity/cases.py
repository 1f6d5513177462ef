"""List the cases of a checkpoint: each weight file, in each backend, by each load method."""

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import zip_longest

from hfscan.parity.backend_files import backend_file, backend_names
from hfscan.parity.checkpoint import Checkpoint, Weights
from hfscan.parity.result import LoadMethod


@dataclass(frozen=True)
class BackendSpec:
    """What a backend's file declares.

    `opens`: "origin/format" -> load methods. `needs`: origin -> the backend whose framework it
    imports as well. `reads`: formats whose tensors it can list. `variants`: ways to run a model;
    verdicts rest on the first. `trains`: ways to take a training step, the default first.
    """

    opens: Mapping[str, Sequence[LoadMethod]]
    needs: Mapping[str, str]
    reads: Sequence[str]
    variants: Sequence[str]
    trains: Sequence[str]


@cache
def backend_spec(backend: str) -> BackendSpec:
    """Read the constants of a backend's file without importing its framework."""
    tree = ast.parse(backend_file(backend).read_text(encoding="utf-8"))
    values = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    return BackendSpec(
        *(ast.literal_eval(values[field.name.upper()]) for field in fields(BackendSpec))
    )


def find_reader(format_: str) -> str | None:
    """Return the backend that lists the tensors of a format, or None."""
    return next((name for name in backend_names() if format_ in backend_spec(name).reads), None)


@dataclass(frozen=True)
class Case:
    """One weight file in one backend: loaded `direct`, as users do, or `converted`."""

    weights: Weights
    backend: str
    load_method: LoadMethod

    @property
    def key(self) -> tuple[str, ...]:
        return self.weights.name, self.backend, self.load_method

    @property
    def is_native(self) -> bool:
        return self.weights.origin == self.backend


def list_cases(checkpoint: Checkpoint, backends: Iterable[str]) -> list[Case]:
    """Return every case of a checkpoint, native ones first: the first is the baseline."""
    by_backend = []
    for backend in backends:
        cases = [
            Case(weights, backend, method)
            for weights in checkpoint.weights
            for method in _load_methods(weights, backend)
        ]
        by_backend.append(sorted(cases, key=lambda case: not case.is_native))
    # backends alternate, because they work in parallel
    alternating = [case for turn in zip_longest(*by_backend) for case in turn if case]
    return sorted(alternating, key=lambda case: not case.is_native)  # stable


def _load_methods(weights: Weights, backend: str) -> list[LoadMethod]:
    """Return how a backend opens these weights; a config of another release can be converted."""
    methods = list(backend_spec(backend).opens.get(f"{weights.origin}/{weights.format}", ()))
    if methods and weights.has_translation and "converted" not in methods:
        methods.append("converted")
    return methods


def required_backends(cases: Iterable[Case], backend: str) -> frozenset[str]:
    """Return the backends whose frameworks `backend` must import as well for these cases."""
    needs = backend_spec(backend).needs
    return frozenset(
        needs[case.weights.origin]
        for case in cases
        if case.backend == backend and case.weights.origin in needs
    )
