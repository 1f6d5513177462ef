"""A small Hub that remembers every state that its models had."""

import random
from datetime import UTC, datetime
from typing import Any

from testhub import Population

COLUMNS = "_id, id, downloads, likes, tags, files, strftime(last_modified, '%Y-%m-%dT%H:%M:%S')"
State = tuple[Any, ...]


class World:
    """A population that remembers what its models were. In `states` None is not to be seen."""

    def __init__(self, chance: random.Random, models: int, seed: int) -> None:
        self._chance = chance
        self.population = Population.synthetic(models, seed=seed)
        self.states: dict[str, list[State | None]] = {}
        """since the last `begin`"""
        self.earlier: dict[str, list[State | None]] = {}
        """before that, since the last `begin` that was not one of an update"""
        self.told: set[str] = set()
        """whose creation or commit an update must see: all before `begin`, none after it"""
        self._commits: list[str] = []
        self._created = 0
        self.begin()

    def begin(self, *, update: bool = False) -> None:
        """Begin a census."""
        for one, states in self.states.items():
            self.earlier.setdefault(one, []).extend(states)
        if not update:
            self.earlier = {}
        self.states = {model["_id"]: [as_seen(model)] for model in self.population}
        self.told.update(self._commits)
        self._commits.clear()

    def change(self) -> None:
        """Let something happen to a model. What is no commit leaves `lastModified` alone."""
        draw, kind = self._chance, self._chance.randrange(7)
        one = draw.choice(self.population.ids)
        now = datetime.now(UTC)
        commit = {"lastModified": f"{now:%FT%T}.000Z"}
        if kind == 0:
            self._created += 1
            place = draw.choice(("7", "63", one[:8], f"{int(now.timestamp()):08x}"))
            one = (place + f"{self._created:x}".rjust(24 - len(place), "0"))[:24]
            made = {"_id": one, "id": f"new/{one}", "tags": ["pytorch"], "likes": self._created}
            self.population.put(made | commit)
        elif kind == 1:
            self.population.delete(one)
        elif kind == 2:
            hidden = bool((self.population.get(one) or {}).get("private"))
            self.population.edit(one, private=not hidden)
        elif kind == 3:
            self.population.edit(one, id=f"moved/{one}-{draw.randrange(1_000)}")
        elif kind == 4:
            self.population.edit(one, likes=draw.randrange(10**6))
        else:
            tags = draw.sample(("pytorch", "tf", "jax", "onnx", "gguf"), 2)
            self.population.edit(one, likes=draw.randrange(10**6), tags=tags, **commit)
        if kind in (0, 5, 6):
            self._commits.append(one)
            self.told.discard(one)  # it leaps above a walk that is under way
        self.states.setdefault(one, [None]).append(as_seen(self.population.get(one)))

    def expected(self, base: set[str] | None) -> set[str]:
        """Return the models that a census must hold; `base` are those that an update carries on."""
        there = {one for one, states in self.states.items() if None not in states}
        return there if base is None else base | (there & self.told)

    def allowed(self, one: str, *, update: bool) -> list[State]:
        """Return the states in which a census may hold a model."""
        states = self.states.get(one, [None])
        if update and (one not in self.told or None in states):
            states = states + self.earlier.get(one, [])
        return [state for state in states if state is not None]


def as_seen(model: dict[str, Any] | None) -> State | None:
    """Return a model as a census should hold it, None where it should not."""
    if model is None or model.get("private"):
        return None
    modified = model.get("lastModified")
    return (
        model["_id"],
        model["id"],
        model.get("downloads"),
        model.get("likes"),
        model.get("tags"),
        [one["rfilename"] for one in model["siblings"]] if "siblings" in model else None,
        modified and modified[:19],
    )
