"""The models a stand-in Hub serves: recorded, given, or made up."""

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from hfscan.errors import DumpError
from hfscan.minihub.synthetic import Synthesis

Model = dict[str, Any]
"""An API object with every field the population knows; keys that start with "." are for the
server alone: ".renamed_from" (old ids), ".first_commit" (ISO time), ".folder" (local files)."""

_NESTED = {"siblings", "config", "cardData", "safetensors", "gguf", "baseModels"}


class Population:
    """Models in the order of their `_id`, changeable while a server serves them. Thread-safe.

    Held as JSON bytes, read one at a time: 760,000 recorded models fit in half a gigabyte.
    """

    def __init__(
        self,
        ids: Sequence[str],
        read: Callable[[int], Model],
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
        self._changed: dict[str, Model | None] = {}
        self._added: list[str] = []
        self._merged: Sequence[str] = ids

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> "Population":
        """Serve the given API objects. A row without `_id` gets one from its `createdAt` or id."""
        encode = msgspec.json.Encoder().encode
        decode = msgspec.json.Decoder(dict[str, Any]).decode
        kept: list[tuple[str, bytes]] = []
        private = False
        for row in map(_with_id, rows):
            kept.append((row["_id"], encode(row)))
            private = private or bool(row.get("private"))
        kept.sort()
        objects = [data for _, data in kept]
        return cls([one for one, _ in kept], lambda place: decode(objects[place]), private=private)

    @classmethod
    def from_file(cls, path: Path) -> "Population":
        """Serve a recorded dump: JSON array or lines (also .gz, .zst), or Parquet.

        Raises DumpError when it cannot be read.
        """
        try:
            return cls.from_rows(_recorded(path))
        except (duckdb.Error, msgspec.DecodeError) as error:
            raise DumpError(f"{path} cannot be served: {error}") from error

    @classmethod
    def synthetic(cls, models: int, seed: int) -> "Population":
        """Make up models, the same to the byte for the same arguments: see synthetic.py."""
        synthesis = Synthesis(models, seed)
        return cls(synthesis.ids, synthesis.model, f"models={models}, seed={seed}")

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

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Model]:
        for object_id in self.ids:
            model = self.get(object_id)
            if model is not None:
                yield model

    def put(self, model: Mapping[str, Any]) -> None:
        """Add a model, or replace the one with its `_id`."""
        with self._lock:
            row = _with_id(model)
            new = self.get(row["_id"]) is None
            self._changed[row["_id"]] = row
            self.private = self.private or bool(row.get("private"))
            self._touched(row["_id"] if new else None)

    def edit(self, object_id: str, **fields: Any) -> None:
        """Change fields of a model; None removes one. A new `id` is a rename that redirects."""
        with self._lock:
            model = dict(self.get(object_id) or {})
            if "id" in fields and fields["id"] != model["id"]:
                model[".renamed_from"] = [*model.get(".renamed_from", ()), model["id"]]
            model.update(fields)
            self.private = self.private or bool(model.get("private"))
            self._changed[object_id] = {k: v for k, v in model.items() if v is not None}
            self._touched(None)

    def delete(self, object_id: str) -> None:
        """Remove a model."""
        with self._lock:
            self._changed[object_id] = None
            self._merged = [one for one in self._merged if one != object_id]
            self._touched(None)

    def _touched(self, new: str | None) -> None:
        if new:
            self._merged = sorted([*self._merged, new])
        self.version += 1


def _with_id(row: Mapping[str, Any]) -> Model:
    model = dict(row)
    model.setdefault("id", model.get("modelId"))
    model.pop("modelId", None)
    if "_id" not in model:
        # 2022 dumps have none: a stable made-up id inside the second of the last commit
        stamp = model.get("createdAt") or model.get("lastModified") or "2022-03-02T23:29:04.000Z"
        second = int(datetime.fromisoformat(stamp).timestamp())
        model["_id"] = f"{second:08x}{sha256(model['id'].encode()).hexdigest()[:16]}"
    return model


def _recorded(path: Path) -> Iterator[Model]:
    parquet = path.name.endswith(".parquet")
    if parquet:
        table = f"read_parquet('{path}')"
    else:
        table = f"read_json_objects('{path}', format='auto', maximum_object_size=33554432)"
    connection = duckdb.connect()
    cursor = connection.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in cursor.description]
    while batch := cursor.fetchmany(20_000):
        for row in batch:
            if not parquet:
                yield msgspec.json.decode(row[0])
                continue
            # a column is NULL where the API object had no such key
            model = {k: v for k, v in zip(names, row, strict=True) if v is not None}
            model.pop("page", None)
            for key in _NESTED & model.keys():
                if isinstance(model[key], str):
                    model[key] = msgspec.json.decode(model[key])
            yield model
