"""A small population that records every state of its models."""

import random
from datetime import UTC, datetime
from typing import Any

from testhub import Population

COLUMNS = "_id, id, downloads, likes, tags, files, strftime(last_modified, '%Y-%m-%dT%H:%M:%S')"
State = tuple[Any, ...]


class World:
    """A population that records the states of its models; None in `states` means invisible."""

    def __init__(self, chance: random.Random, models: int, seed: int) -> None:
        self._chance = chance
        self.population = Population.synthetic(models, seed=seed)
        self.states: dict[str, list[State | None]] = {}
        """since the last `begin`"""
        self.earlier: dict[str, list[State | None]] = {}
        """before that, since the last `begin` of a full crawl"""
        self.must_see: set[str] = set()
        """models whose creation or commit an update must see: those changed before `begin`"""
        self._commits: list[str] = []
        self._created = 0
        self.begin()

    def begin(self, *, update: bool = False) -> None:
        """Begin a census."""
        for id_, states in self.states.items():
            self.earlier.setdefault(id_, []).extend(states)
        if not update:
            self.earlier = {}
        self.states = {model["_id"]: [as_seen(model)] for model in self.population}
        self.must_see.update(self._commits)
        self._commits.clear()

    def change(self) -> None:
        """Change a random model. Only commits change `lastModified`."""
        draw, kind = self._chance, self._chance.randrange(7)
        id_ = draw.choice(self.population.ids)
        now = datetime.now(UTC)
        commit = {"lastModified": f"{now:%FT%T}.000Z"}
        if kind == 0:
            self._created += 1
            place = draw.choice(("7", "63", id_[:8], f"{int(now.timestamp()):08x}"))
            id_ = (place + f"{self._created:x}".rjust(24 - len(place), "0"))[:24]
            model = {"_id": id_, "id": f"new/{id_}", "tags": ["pytorch"], "likes": self._created}
            self.population.put(model | commit)
        elif kind == 1:
            self.population.delete(id_)
        elif kind == 2:
            hidden = bool((self.population.get(id_) or {}).get("private"))
            self.population.edit(id_, private=not hidden)
        elif kind == 3:
            self.population.edit(id_, id=f"moved/{id_}-{draw.randrange(1_000)}")
        elif kind == 4:
            self.population.edit(id_, likes=draw.randrange(10**6))
        else:
            tags = draw.sample(("pytorch", "tf", "jax", "onnx", "gguf"), 2)
            self.population.edit(id_, likes=draw.randrange(10**6), tags=tags, **commit)
        if kind in (0, 5, 6):
            self._commits.append(id_)
            self.must_see.discard(id_)  # it moves ahead of a running update
        self.states.setdefault(id_, [None]).append(as_seen(self.population.get(id_)))

    def expected(self, base: set[str] | None) -> set[str]:
        """Return the models that a census must hold; `base` are those that an update carries on."""
        present = {id_ for id_, states in self.states.items() if None not in states}
        return present if base is None else base | (present & self.must_see)

    def allowed(self, id_: str, *, update: bool) -> list[State]:
        """Return the states in which a census may hold a model."""
        states = self.states.get(id_, [None])
        if update and (id_ not in self.must_see or None in states):
            states = states + self.earlier.get(id_, [])
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
        [file["rfilename"] for file in model["siblings"]] if "siblings" in model else None,
        modified and modified[:19],
    )
