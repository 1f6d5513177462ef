"""The models a fake Hub serves: recorded, given, or made up."""

import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from hfscan.errors import ImportFileError
from hfscan.fakehub import dump
from hfscan.fakehub.synthetic import Synthesis

Model = dict[str, Any]
"""An API object with every field the population knows; keys that start with "." are for the
server alone: ".renamed_from" (old ids), ".first_commit" (ISO time), ".folder" (local files)."""

Find = Callable[[str], str | None]
"""Name in lower case -> `_id` of the model that has or had it."""


class _Head(msgspec.Struct):
    """What finding a model needs of it."""

    object_id: str | None = msgspec.field(default=None, name="_id")
    id: str | None = None
    private: bool = False
    renamed_from: list[str] = msgspec.field(default_factory=list, name=".renamed_from")


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Model).decode
_head = msgspec.json.Decoder(_Head).decode


class Population:
    """Models in the order of their `_id`, changeable while a server serves them. Thread-safe.

    `read(i)` makes the model of `ids[i]`; `names()` makes the way to find one by name, and is
    called when the first one is looked for.
    """

    def __init__(
        self,
        ids: Sequence[str],
        read: Callable[[int], Model],
        names: Callable[[], Find],
        made_up: str | None = None,
        *,
        private: bool = False,
    ) -> None:
        self.made_up = made_up
        self.private = private
        self.version = 0
        self._lock = threading.RLock()
        self._ids = ids
        self._read = read
        self._names = names
        self._named: Find | None = None
        self._renamed: dict[str, str] = {}
        self._changed: dict[str, Model | None] = {}
        self._merged: Sequence[str] = ids

    @classmethod
    def from_rows(
        cls, rows: Iterable[Mapping[str, Any]], folders: Mapping[str, Path] | None = None
    ) -> "Population":
        """Serve the given API objects. A row without `_id` gets one from its dates and its id.

        `folders` maps the id of a model to the local folder that holds its files. Raises
        ImportFileError for a row that names no model.
        """
        real = {name: {".folder": str(folder)} for name, folder in (folders or {}).items()}
        return cls._from_objects(
            _encode({**row, **real.get(row.get("id", ""), {})}) for row in rows
        )

    @classmethod
    def from_file(cls, path: Path) -> "Population":
        """Serve a recorded dump: JSON array or lines (also .gz, .zst), or Parquet.

        Raises ImportFileError when it cannot be read.
        """
        try:
            return cls._from_objects(dump.objects(path))
        except (duckdb.Error, msgspec.DecodeError, ImportFileError) as error:
            raise ImportFileError(f"{path} cannot be served: {error}") from error

    @classmethod
    def _from_objects(cls, objects: Iterable[bytes]) -> "Population":
        # kept as JSON, decoded one at a time: 760,000 models in half a gigabyte
        kept: dict[str, bytes] = {}
        private = False
        for given in objects:
            head, data = _head(given), given
            if head.object_id is None or head.id is None:
                data = _encode(_with_id(_decode(given)))
                head = _head(data)
            kept[head.object_id or ""] = data
            private = private or head.private
        ids = sorted(kept)
        ordered = [kept[object_id] for object_id in ids]

        def read(place: int) -> Model:
            model = _decode(ordered[place])
            model.pop("modelId", None)  # follows `id`, also after a rename
            return model

        def names() -> Find:
            former: dict[str, str] = {}
            current: dict[str, str] = {}
            for object_id, head in zip(ids, map(_head, ordered), strict=True):
                current[(head.id or "").lower()] = object_id
                former.update(dict.fromkeys(map(str.lower, head.renamed_from), object_id))
            return (former | current).get

        return cls(ids, read, names, private=private)

    @classmethod
    def synthetic(cls, models: int, seed: int) -> "Population":
        """Make up models, the same to the byte for the same arguments: see synthetic.py."""
        synthesis = Synthesis(models, seed)
        return cls(
            synthesis.ids,
            synthesis.model,
            lambda: synthesis.find,
            f"models={models}, seed={seed}",
        )

    @property
    def ids(self) -> Sequence[str]:
        """All `_id`s, ascending."""
        with self._lock:
            return self._merged

    def get(self, object_id: str) -> Model | None:
        """Return the model with this `_id`, None where there is none."""
        with self._lock:
            if object_id in self._changed:
                return self._changed[object_id]
            place = bisect_left(self._ids, object_id)
            found = place < len(self._ids) and self._ids[place] == object_id
            return self._read(place) if found else None

    def find(self, name: str) -> tuple[Model, bool] | None:
        """Return the model that has or had this name (in any case), and whether it still has."""
        name = name.lower()
        with self._lock:
            if self._named is None:
                self._named = self._names()
            object_id = self._renamed.get(name) or self._named(name)
            model = self.get(object_id) if object_id else None
            return (model, model["id"].lower() == name) if model else None

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Model]:
        for object_id in self.ids:
            model = self.get(object_id)
            if model is not None:
                yield model

    def put(self, model: Mapping[str, Any]) -> None:
        """Add a model, or replace the one with its `_id`."""
        row = _with_id(model)
        with self._lock:
            if self.get(row["_id"]) is None:
                merged = list(self._merged)
                insort(merged, row["_id"])
                self._merged = merged
            self._change(row)

    def edit(self, object_id: str, **fields: Any) -> None:
        """Change fields of a model; None removes one. A new `id` is a rename that redirects.

        Raises KeyError when there is no such model.
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
            self._merged = [one for one in self._merged if one != object_id]
            self.version += 1

    def _change(self, model: Model) -> None:
        self._changed[model["_id"]] = model
        self._renamed[model["id"].lower()] = model["_id"]
        for old in model.get(".renamed_from", ()):
            holder = self.find(old)
            if holder is None or not holder[1]:  # a name in use redirects nowhere
                self._renamed[old.lower()] = model["_id"]
        self.private = self.private or bool(model.get("private"))
        self.version += 1


def _with_id(row: Mapping[str, Any]) -> Model:
    model = dict(row)
    name = model.pop("modelId", None)
    model.setdefault("id", name)
    if not isinstance(model["id"], str):
        raise ImportFileError("a model without id and modelId; give API objects")
    if "_id" not in model:
        # 2022 dumps have none: a stable made-up id inside the second of the last commit
        stamp = model.get("createdAt") or model.get("lastModified") or "2022-03-02T23:29:04.000Z"
        instant = datetime.fromisoformat(stamp)
        second = int((instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp())
        model["_id"] = f"{second:08x}{sha256(model['id'].encode()).hexdigest()[:16]}"
    return model
