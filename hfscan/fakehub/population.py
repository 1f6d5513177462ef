"""The models that a fake Hub serves: synthetic, from a recorded dump, or given."""

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import msgspec

from hfscan.errors import ImportFileError
from hfscan.fakehub import dump
from hfscan.fakehub.synthetic import SyntheticPopulation

Model = dict[str, Any]
"""An API object with all known fields. Keys that start with "." are for the server only:
".renamed_from" (old ids), ".first_commit" (ISO time), ".folder" (local files, used in tests)."""

Find = Callable[[str], str | None]  # name in lower case -> `_id` of the model that has or had it

_CACHED = 20_000  # synthetic models, of about 1 kB


class _Head(msgspec.Struct):
    """The fields needed to find a model."""

    object_id: str | None = msgspec.field(default=None, name="_id")
    id: str | None = None
    private: bool = False
    renamed_from: list[str] = msgspec.field(default_factory=list, name=".renamed_from")


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Model).decode
_decode_head = msgspec.json.Decoder(_Head).decode


class Population:
    """Models in the order of their `_id`.

    `read(i)` returns the model of `ids[i]`. `index()` returns a function that finds models by
    name; it is called once, when a name is looked up. `description` is set for synthetic models.
    """

    def __init__(
        self,
        ids: Sequence[str],
        read: Callable[[int], Model],
        index: Callable[[], Find],
        description: str | None = None,
        *,
        private: bool = False,
    ) -> None:
        self.description = description
        self.private = private
        self.version = 0  # a population that changes counts its changes
        self._ids = ids
        self._read = read
        self._index = index
        self._find: Find | None = None
        self._lock = threading.RLock()

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> Self:
        """Serve the given API objects. Rows without `_id` get one made of their dates and id.

        Raises ImportFileError if a row has no model id.
        """
        return cls._from_objects(map(_encode, rows))

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Serve a recorded dump: JSON array or lines (also .gz, .zst), or Parquet.

        Raises ImportFileError if it cannot be read.
        """
        import duckdb  # noqa: PLC0415 - as in dump.py

        try:
            return cls._from_objects(dump.objects(path))
        except (duckdb.Error, msgspec.DecodeError, ImportFileError) as error:
            raise ImportFileError(f"{path} cannot be served: {error}") from error

    @classmethod
    def _from_objects(cls, objects: Iterable[bytes]) -> Self:
        # stored as JSON and decoded when read: 760,000 models take half a gigabyte
        stored: dict[str, bytes] = {}
        private = False
        for data in objects:
            head = _decode_head(data)
            if head.object_id is None or head.id is None:
                data = _encode(with_id(_decode(data)))  # noqa: PLW2901
                head = _decode_head(data)
            stored[head.object_id or ""] = data
            private = private or head.private
        ids = sorted(stored)
        ordered = [stored[object_id] for object_id in ids]

        def read(place: int) -> Model:
            model = _decode(ordered[place])
            model.pop("modelId", None)  # follows `id`
            return model

        def index() -> Find:
            former: dict[str, str] = {}
            current: dict[str, str] = {}
            for object_id, head in zip(ids, map(_decode_head, ordered), strict=True):
                current[(head.id or "").lower()] = object_id
                former.update(dict.fromkeys(map(str.lower, head.renamed_from), object_id))
            return (former | current).get

        return cls(ids, read, index, private=private)

    @classmethod
    def synthetic(cls, models: int, seed: int) -> Self:
        """Serve synthetic models; equal arguments give identical bytes. See synthetic.py."""
        synthetic = SyntheticPopulation(models, seed)
        description = f"models={models}, seed={seed}"

        @lru_cache(_CACHED)  # decoding takes a tenth of making a model
        def encode(place: int) -> bytes:
            return _encode(synthetic.model(place))

        def read(place: int) -> Model:
            return _decode(encode(place))

        return cls(synthetic.ids, read, lambda: synthetic.find, description)

    @property
    def ids(self) -> Sequence[str]:
        return self._ids

    def get(self, object_id: str) -> Model | None:
        place = bisect_left(self._ids, object_id)
        found = place < len(self._ids) and self._ids[place] == object_id
        return self._read(place) if found else None

    def find(self, name: str) -> tuple[Model, bool] | None:
        """Return the model that has or had this name (case-insensitive), and whether it has it."""
        object_id = self._find_id(name.lower())
        model = self.get(object_id) if object_id else None
        return (model, model["id"].lower() == name.lower()) if model else None

    def _find_id(self, name: str) -> str | None:
        with self._lock:
            self._find = self._find or self._index()
            return self._find(name)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Model]:
        return filter(None, map(self.get, self.ids))


def with_id(row: Mapping[str, Any]) -> Model:
    """Return the row with an `id` and an `_id`. Raises ImportFileError if it has no model id."""
    model = dict(row)
    name = model.pop("modelId", None)
    model.setdefault("id", name)
    if not isinstance(model["id"], str):
        raise ImportFileError("a model without id and modelId; give API objects")
    if "_id" not in model:
        # dumps of 2022 have none: a stable one within the second of the last commit
        stamp = model.get("createdAt") or model.get("lastModified") or "2022-03-02T23:29:04.000Z"
        instant = datetime.fromisoformat(stamp)
        second = int((instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp())
        model["_id"] = f"{second:08x}{sha256(model['id'].encode()).hexdigest()[:16]}"
    return model
