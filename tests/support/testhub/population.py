"""A population that changes while a server serves it."""

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from hfscan.fakehub import population
from hfscan.fakehub.population import Model, with_id


class Population(population.Population):
    """Models to add, edit and delete. Thread-safe."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._changed: dict[str, Model | None] = {}
        self._renamed: dict[str, str] = {}
        self._merged = super().ids

    @classmethod
    def from_rows(
        cls, rows: Iterable[Mapping[str, Any]], folders: Mapping[str, Path] | None = None
    ) -> Self:
        """Serve the given API objects; `folders` maps ids to the local folders of their files."""
        local = {id: {".folder": str(folder)} for id, folder in (folders or {}).items()}
        return super().from_rows({**row, **local.get(row.get("id", ""), {})} for row in rows)

    @property
    def ids(self) -> Sequence[str]:
        """Return all `_id`s, ascending."""
        with self._lock:
            return self._merged

    def get(self, object_id: str) -> Model | None:
        """Return the model with this `_id`, or None."""
        with self._lock:
            if object_id in self._changed:
                return self._changed[object_id]
            return super().get(object_id)

    def put(self, model: Mapping[str, Any]) -> None:
        """Add a model, or replace the model with its `_id`."""
        row = with_id(model)
        with self._lock:
            if self.get(row["_id"]) is None:
                merged = list(self._merged)
                insort(merged, row["_id"])
                self._merged = merged
            self._change(row)

    def edit(self, object_id: str, **fields: Any) -> None:
        """Change fields of a model; None removes one. A new `id` is a rename that redirects.

        Raises KeyError if there is no such model.
        """
        with self._lock:
            old = self.get(object_id)
            if old is None:
                raise KeyError(object_id)
            model = old | fields
            if model["id"] != old["id"]:
                model[".renamed_from"] = [*old.get(".renamed_from", ()), old["id"]]
            self._change({key: value for key, value in model.items() if value is not None})

    def delete(self, object_id: str) -> None:
        """Remove a model."""
        with self._lock:
            self._changed[object_id] = None
            self._merged = [other for other in self._merged if other != object_id]
            self.version += 1

    def _change(self, model: Model) -> None:
        self._changed[model["_id"]] = model
        self._renamed[model["id"].lower()] = model["_id"]
        for name in model.get(".renamed_from", ()):
            holder = self.find(name)
            if holder is None or not holder[1]:  # a name in use does not redirect
                self._renamed[name.lower()] = model["_id"]
        self.private = self.private or bool(model.get("private"))
        self.version += 1

    def _find_id(self, name: str) -> str | None:
        with self._lock:
            return self._renamed.get(name) or super()._find_id(name)
