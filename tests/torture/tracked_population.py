"""A small population that records every state of its models."""

import random
from datetime import UTC, datetime
from typing import Any

from testhub import Population

COLUMNS = "_id, id, downloads, likes, tags, files, strftime(last_modified, '%Y-%m-%dT%H:%M:%S')"
State = tuple[Any, ...]


class TrackedPopulation:
    """A population that records the states of its models; None in `states` means invisible."""

    def __init__(self, rng: random.Random, models: int, seed: int) -> None:
        self._rng = rng
        self.models = Population.synthetic(models, seed=seed)
        self.states: dict[str, list[State | None]] = {}
        """since the last `start_crawl`"""
        self.earlier: dict[str, list[State | None]] = {}
        """before that, since the start of the last full crawl"""
        self.must_contain: set[str] = set()
        """models that an update must contain: created or changed before `start_crawl`"""
        self._commits: list[str] = []
        self._created = 0
        self.start_crawl()

    def start_crawl(self, *, update: bool = False) -> None:
        """Record states for a new crawl."""
        for id_, states in self.states.items():
            self.earlier.setdefault(id_, []).extend(states)
        if not update:
            self.earlier = {}
        self.states = {model["_id"]: [to_state(model)] for model in self.models}
        self.must_contain.update(self._commits)
        self._commits.clear()

    def change(self) -> None:
        """Change a random model. Only commits change `lastModified`."""
        rng, kind = self._rng, self._rng.randrange(7)
        id_ = rng.choice(self.models.ids)
        now = datetime.now(UTC)
        commit = {"lastModified": f"{now:%FT%T}.000Z"}
        if kind == 0:
            self._created += 1
            prefix = rng.choice(("7", "63", id_[:8], f"{int(now.timestamp()):08x}"))
            id_ = (prefix + f"{self._created:x}".rjust(24 - len(prefix), "0"))[:24]
            model = {"_id": id_, "id": f"new/{id_}", "tags": ["pytorch"], "likes": self._created}
            self.models.put(model | commit)
        elif kind == 1:
            self.models.delete(id_)
        elif kind == 2:
            is_private = bool((self.models.get(id_) or {}).get("private"))
            self.models.edit(id_, private=not is_private)
        elif kind == 3:
            self.models.edit(id_, id=f"moved/{id_}-{rng.randrange(1_000)}")
        elif kind == 4:
            self.models.edit(id_, likes=rng.randrange(10**6))
        else:
            tags = rng.sample(("pytorch", "tf", "jax", "onnx", "gguf"), 2)
            self.models.edit(id_, likes=rng.randrange(10**6), tags=tags, **commit)
        if kind in (0, 5, 6):
            self._commits.append(id_)
            self.must_contain.discard(id_)  # it moves ahead of a running update
        self.states.setdefault(id_, [None]).append(to_state(self.models.get(id_)))

    def list_required(self, base: set[str] | None) -> set[str]:
        """Return the keys that a crawl must contain; an update takes those of `base` over."""
        existing = {id_ for id_, states in self.states.items() if None not in states}
        return existing if base is None else base | (existing & self.must_contain)

    def list_allowed_states(self, id_: str, *, update: bool) -> list[State]:
        """Return the states in which a crawl may contain a model."""
        states = self.states.get(id_, [None])
        if update and (id_ not in self.must_contain or None in states):
            states = states + self.earlier.get(id_, [])
        return [state for state in states if state is not None]


def to_state(model: dict[str, Any] | None) -> State | None:
    """Return a model as a crawl should store it, None if it must not contain it."""
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
