"""Checkpoint -> cases: every weight file, in every lane that should open it, by every route."""

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from hfscan.parity.checkpoints import Checkpoint, Weights
from hfscan.parity.worker import lane_file, lane_names


@dataclass(frozen=True)
class LaneFacts:
    """What a lane's file says of itself.

    `opens`: "origin/format" -> routes. `needs`: origin -> the lane whose framework it imports
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
def facts(lane: str) -> LaneFacts:
    """Read the constants of a lane's file without importing its framework."""
    tree = ast.parse(lane_file(lane).read_text(encoding="utf-8"))
    constants = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    return LaneFacts(*(ast.literal_eval(constants[name]) for name in _FACTS))


def reader(format_: str) -> str | None:
    """Return the lane that lists the tensors of a format, or None."""
    return next((lane for lane in lane_names() if format_ in facts(lane).reads), None)


@dataclass(frozen=True)
class Case:
    """One way into one lane: `plain`, the call a user makes, or `helper`, the best there is."""

    weights: Weights
    lane: str
    route: str

    @property
    def native(self) -> bool:
        return self.weights.origin == self.lane


def cases(checkpoint: Checkpoint, lanes: Iterable[str]) -> list[Case]:
    """Every case of a checkpoint, native ones first: the first is what the others are held to.

    Within these lanes take turns, for they work side by side.
    """
    turns = []
    for order, lane in enumerate(lanes):
        own = [
            Case(weights, lane, route)
            for weights in checkpoint.weights
            for route in facts(lane).opens.get(f"{weights.origin}/{weights.format}", ())
        ]
        own.sort(key=lambda case: not case.native)  # stable
        turns += [((not case.native, turn, order), case) for turn, case in enumerate(own)]
    return [case for _, case in sorted(turns, key=lambda one: one[0])]


def beside(planned: Iterable[Case], lane: str) -> frozenset[str]:
    """Return the lanes whose frameworks `lane` must import too for these cases."""
    needs = facts(lane).needs
    return frozenset(
        needs[case.weights.origin]
        for case in planned
        if case.lane == lane and case.weights.origin in needs
    )
