"""Checkpoint -> cases: every weight file, in every backend that should open it, by every route."""

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from hfscan.parity.checkpoints import Checkpoint, Weights
from hfscan.parity.worker import backend_file, backend_names


@dataclass(frozen=True)
class BackendFacts:
    """What a backend's file says of itself.

    `opens`: "origin/format" -> routes. `needs`: origin -> the backend whose framework it imports
    beside its own. `reads`: formats whose tensors it can list. `variants`: ways to run a model, the
    first of which verdicts rest on. `trains`: ways to take a training step, the usual one first.
    """

    opens: Mapping[str, Sequence[str]]
    needs: Mapping[str, str]
    reads: Sequence[str]
    variants: Sequence[str]
    trains: Sequence[str]


_FACTS = ("OPENS", "NEEDS", "READS", "VARIANTS", "TRAINS")


@cache
def facts(backend: str) -> BackendFacts:
    """Read the constants of a backend's file without importing its framework."""
    tree = ast.parse(backend_file(backend).read_text(encoding="utf-8"))
    constants = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    return BackendFacts(*(ast.literal_eval(constants[name]) for name in _FACTS))


def reader(format_: str) -> str | None:
    """Return the backend that lists the tensors of a format, or None."""
    return next((backend for backend in backend_names() if format_ in facts(backend).reads), None)


@dataclass(frozen=True)
class Case:
    """One way into one backend: `plain`, the call a user makes, or `helper`, the best there is."""

    weights: Weights
    backend: str
    route: str

    @property
    def native(self) -> bool:
        return self.weights.origin == self.backend


def cases(checkpoint: Checkpoint, backends: Iterable[str]) -> list[Case]:
    """Every case of a checkpoint, native ones first: the first is what the others are held to.

    Within these backends take turns, for they work side by side.
    """
    turns = []
    for order, backend in enumerate(backends):
        own = [
            Case(weights, backend, route)
            for weights in checkpoint.weights
            for route in facts(backend).opens.get(f"{weights.origin}/{weights.format}", ())
        ]
        own.sort(key=lambda case: not case.native)  # stable
        turns += [((not case.native, turn, order), case) for turn, case in enumerate(own)]
    return [case for _, case in sorted(turns, key=lambda one: one[0])]


def beside(planned: Iterable[Case], backend: str) -> frozenset[str]:
    """Return the backends whose frameworks `backend` must import too for these cases."""
    needs = facts(backend).needs
    return frozenset(
        needs[case.weights.origin]
        for case in planned
        if case.backend == backend and case.weights.origin in needs
    )
