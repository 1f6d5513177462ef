"""What a checkpoint folder holds, and which tensors are in its weight files, read without trust."""

import hashlib
import json
import os
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hfscan.errors import HfscanError
from hfscan.parity import memory
from hfscan.parity.configs import Cleaned, ForbiddenConfigError, clean

_HEADER_LIMIT = 100_000_000  # bytes; the limit of the safetensors library itself
_JSON_LIMIT = 10_000_000  # bytes; the largest index files on the Hub are below 1 MB
_NUMPY = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?",
}  # fmt: skip
_KNOWN = {  # the names transformers looks for -> format, origin (None: the file itself says)
    "model.safetensors": ("safetensors", None),
    "tf_model.safetensors": ("safetensors", "tensorflow"),
    "pytorch_model.bin": ("bin", "pytorch"),
    "tf_model.h5": ("h5", "tensorflow"),
    "flax_model.msgpack": ("msgpack", "flax"),
}
GENERATION = "generation_config.json"
TOKENIZER = "tokenizer_config.json"
TOKENIZER_DATA = """tokenizer.json special_tokens_map.json added_tokens.json vocab.json vocab.txt
    merges.txt spiece.model sentencepiece.bpe.model tokenizer.model source.spm target.spm
    vocab.bpe bpe.codes""".split()
"""Files of tokenizers that hold data alone."""
_ORIGINS = {"pt": "pytorch", "tf": "tensorflow", "flax": "flax"}
_PICKLE = "a pickle, which can ask for any code to be run: never opened"
_KERAS = "a Keras model, whose layers can be code of any kind: never opened"
_GRAPH = "a graph, which can ask for any operation and for other files: never opened"
_ADAPTER = "an adapter, which names the model it belongs to: never opened"
_UNOPENED = [  # pattern of file names, why no backend is given such a file
    (r".*\.(pt|pth|ckpt|pkl|pickle|joblib)", _PICKLE),
    (r".*\.keras|.*(?<!tf_model)(?<!tf_model-\d{5}-of-\d{5})\.(h5|hdf5)", _KERAS),
    (r".*\.(pb|pbtxt|onnx|tflite|mlmodel)|saved_model", _GRAPH),
    (r"adapter_(config\.json|model\..*)", _ADAPTER),
]


class CheckpointError(HfscanError):
    """A checkpoint that cannot be looked into, or a weight file that is not what it says."""

    verdict = "unreadable"


class RefusedCheckpointError(CheckpointError):
    """A checkpoint that cannot be used without code of others."""

    verdict = "refused"


@dataclass(frozen=True)
class Weights:
    """One way the weights are stored: `parts` are the files, `files` what a loader looks for.

    They belong to the contents of these `configs`, file name -> what is in it, and to nothing else.
    """

    name: str
    format: str
    origin: str
    parts: tuple[Path, ...]
    files: tuple[Path, ...]
    configs: dict[str, dict[str, Any]] = field(repr=False)

    @property
    def config(self) -> dict[str, Any]:
        return self.configs["config.json"]

    def sha256(self) -> str:
        """SHA-256 (hex) over the parts, in order."""
        digest = hashlib.sha256()
        for part in self.parts:
            with part.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """A folder with a config and weight files.

    `unopened`: file -> why nobody should open it. `left_out`: entries of its configs that name code
    or files, which no backend is given.
    """

    name: str
    folder: Path
    revision: str | None
    config: dict[str, Any]
    weights: tuple[Weights, ...]
    unopened: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)  # weight file -> what is wrong with it
    left_out: tuple[str, ...] = ()

    @property
    def architecture(self) -> str | None:
        """The class the config names, as PyTorch calls it."""
        named = self.config.get("architectures")
        first = named[0] if isinstance(named, list) and named else None
        return first.removeprefix("TF").removeprefix("Flax") if isinstance(first, str) else None


def open_checkpoint(
    folder: Path, name: str | None = None, revision: str | None = None
) -> Checkpoint:
    """Look into `folder`. Raises CheckpointError when it holds no readable config or no weights.

    Configs are cleaned here, so that nothing else in hfscan, and no backend, sees what they held.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is no folder. Give a checkpoint's folder or a Hub id.")
    configs: dict[str, dict[str, Any]] = {}
    left_out: list[str] = []
    for name_ in ("config.json", GENERATION):
        if name_ == "config.json" or os.path.lexists(folder / name_):
            cleaned = _config(folder, name_)
            configs[name_] = cleaned.config
            left_out += cleaned.dropped
    weights: list[Weights] = []
    broken: dict[str, str] = {}
    for known, (format_, origin) in _KNOWN.items():
        for file in (known, f"{known}.index.json"):
            if not os.path.lexists(folder / file):
                continue
            try:
                weights.append(_weights(folder, configs, file, format_, origin))
            except CheckpointError as error:
                broken[file] = str(error)
    if not weights and not broken:
        raise CheckpointError(f"{folder} holds no weight file transformers would look for.")
    return Checkpoint(
        name or folder.name,
        folder,
        revision,
        configs["config.json"],
        tuple(weights),
        _unopened(folder),
        broken,
        tuple(dict.fromkeys(left_out)),
    )


def _config(folder: Path, name: str, *, paths: bool = True) -> Cleaned:
    try:
        return clean(_json(_inside(folder, name)), paths=paths)
    except ForbiddenConfigError as error:
        raise RefusedCheckpointError(str(error)) from error


def _unopened(folder: Path) -> dict[str, str]:
    return {
        path.name: reason
        for path in sorted(folder.iterdir())
        for pattern, reason in _UNOPENED
        if re.fullmatch(pattern, path.name)
    }


def tokenizer(folder: Path) -> tuple[list[Path], dict[str, dict[str, Any]]]:
    """Return the files of a checkpoint's tokenizer that hold data, and its cleaned config.

    Raises CheckpointError.
    """
    files = [_inside(folder, name) for name in TOKENIZER_DATA if os.path.lexists(folder / name)]
    if not os.path.lexists(folder / TOKENIZER):
        return files, {}
    return files, {TOKENIZER: _config(folder, TOKENIZER, paths=False).config}


def together(checkpoint: Checkpoint, other: Checkpoint) -> Checkpoint:
    """Return `checkpoint` with the first weights of `other` before its own, to be held to.

    Raises CheckpointError where the two are not of one architecture.
    """
    if checkpoint.architecture != other.architecture:
        raise CheckpointError(
            f"{checkpoint.name} is a {checkpoint.architecture}, {other.name} a "
            f"{other.architecture}: there is nothing to compare."
        )
    theirs = tuple(replace(one, name=f"{other.name}/{one.name}") for one in other.weights[:1])
    return replace(checkpoint, weights=theirs + checkpoint.weights)


def _weights(
    folder: Path, configs: dict[str, dict[str, Any]], file: str, format_: str, origin: str | None
) -> Weights:
    path = _inside(folder, file)
    parts: tuple[Path, ...] = (path,)
    if file.endswith(".index.json"):
        shards = _json(path).get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise CheckpointError(f"{file} names no shards")
        names = dict.fromkeys(str(shard) for shard in shards.values())
        parts = tuple(_inside(folder, shard) for shard in names)
    _check_size(file, parts)
    if origin is None:
        header, _ = safetensors_header(parts[0])
        origin = _ORIGINS.get(str(header.get("__metadata__", {}).get("format", "pt")), "pytorch")
    files = tuple(dict.fromkeys((path, *parts)))
    return Weights(file, format_, origin, parts, files, configs)


def _check_size(file: str, parts: Iterable[Path]) -> None:
    size, most = sum(part.stat().st_size for part in parts), memory.total_bytes()
    if most is not None and size > most:
        raise CheckpointError(
            f"{file} holds {size:,} bytes, this machine's memory {most:,}: no backend could open it"
        )


def _inside(folder: Path, name: str) -> Path:
    """Return the file `name`, proven to lie in the folder (or in its own Hub cache)."""
    if Path(name).name != name or name in {"", ".", ".."}:
        raise CheckpointError(f"{name!r} is a path, not a file of this folder")
    path, home = folder / name, folder.resolve()
    if home.parent.name == "snapshots":  # the Hub cache: snapshots/<revision>/x -> blobs/<hash>
        home = home.parent.parent
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(f"{name} is missing") from error
    if not real.is_relative_to(home):
        raise CheckpointError(f"{name} is a link that leaves the folder")
    if not real.is_file():
        raise CheckpointError(f"{name} is no regular file")
    return path


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _JSON_LIMIT:
            raise CheckpointError(f"{path.name} is larger than {_JSON_LIMIT:,} bytes")
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise CheckpointError(f"{path.name} is no readable JSON") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path.name} is no JSON object")
    return value


def safetensors_header(path: Path) -> tuple[dict[str, Any], int]:
    """Return (header, byte where data starts), every tensor's place proven to be in the file.

    Raises CheckpointError. Format: 8 bytes little-endian length, JSON, data.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(size - 8, _HEADER_LIMIT):
            raise CheckpointError(
                f"{path.name} is no safetensors file: it says its header has {length:,} bytes"
            )
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{path.name}: its header is no JSON") from error
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__", {}), dict):
        raise CheckpointError(f"{path.name}: its header is no JSON object")
    room = size - 8 - length
    for name, entry in header.items():
        if name != "__metadata__":
            _check_entry(path, name, entry, room)
    return header, 8 + length


def _check_entry(path: Path, name: str, entry: Any, room: int) -> None:
    try:
        dtype = _NUMPY[entry["dtype"]]
        first, last = entry["data_offsets"]
        count = (
            int(np.prod([int(n) for n in entry["shape"]], dtype=object)) if entry["shape"] else 1
        )
        positive = all(isinstance(n, int) and n >= 0 for n in entry["shape"])
        sound = (
            positive
            and 0 <= first <= last <= room
            and last - first == count * np.dtype(dtype).itemsize
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path.name}: the entry of {name} makes no sense") from error
    if not sound:
        raise CheckpointError(f"{path.name}: {name} lies outside the file (truncated?)")


def safetensors(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (name, array) of one safetensors file, mapped, not copied; bfloat16 as float32."""
    header, start = safetensors_header(path)
    data = np.memmap(path, mode="r", offset=0, dtype=np.uint8)
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        array = data[start + first : start + last].view(_NUMPY[entry["dtype"]])
        if entry["dtype"] == "BF16":
            array = (array.astype("<u4") << 16).view("<f4")
        yield name, array.reshape(entry["shape"])
