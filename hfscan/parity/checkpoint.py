"""Open checkpoints: find weight files, read configs and safetensors without trusting them."""

import hashlib
import json
import os
import re
import shutil
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hfscan.parity.backends._tensors import total_memory_bytes
from hfscan.parity.configs import CheckpointError, Config, UnsupportedCheckpointError, clean
from hfscan.parity.pooling import Pooling, list_unapplied_modules, read_pooling
from hfscan.parity.releases import translate
from hfscan.parity.unopened import describe_files, find_unopened, list_files

_MAX_HEADER = 100_000_000  # bytes; the limit of the safetensors library itself
_MAX_JSON = 10_000_000  # bytes; the largest index files on the Hub are below 1 MB
_NUMPY_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?",
}  # fmt: skip
_WEIGHT_FILES = {  # the names transformers looks for -> format, origin (None: stated in the file)
    "model.safetensors": ("safetensors", None),
    "tf_model.safetensors": ("safetensors", "tensorflow"),
    "pytorch_model.bin": ("bin", "pytorch"),
    "tf_model.h5": ("h5", "tensorflow"),
    "flax_model.msgpack": ("msgpack", "flax"),
}
_CONFIG = "config.json"
_GENERATION_CONFIG = "generation_config.json"
_TOKENIZER_CONFIG = "tokenizer_config.json"
_TOKENIZER_DATA = """tokenizer.json special_tokens_map.json added_tokens.json vocab.json vocab.txt
    merges.txt spiece.model sentencepiece.bpe.model tokenizer.model source.spm target.spm
    vocab.bpe bpe.codes""".split()
"""Tokenizer files that hold data only."""
FILES = ["modules.json", "*_Pooling/config.json",
         _CONFIG, _GENERATION_CONFIG, "*.safetensors", "*.index.json", "pytorch_model*.bin",
         "tf_model*.h5", "flax_model*.msgpack",
         _TOKENIZER_CONFIG, *_TOKENIZER_DATA]  # fmt: skip
"""Patterns of all files that may be read."""
_NOT_A_SETTING = (
    r"_.*|(bos|eos|pad|decoder_start)_token_id|transformers_version|max_.*|use_cache|output_\w+"
)
_GENERATION_SETTING = (  # entries of config.json that generate() reads without a generation config
    r"repetition_penalty|(encoder_)?no_repeat_ngram_size|bad_words_ids|min_length|forced_\w+"
    r"|(begin_)?suppress_tokens|num_beams|do_sample|temperature|top_[kp]|length_penalty"
)
_ORIGINS = {"pt": "pytorch", "tf": "tensorflow", "flax": "flax"}


@dataclass(frozen=True)
class Weights:
    """One stored copy of the weights: `parts` are its files, `files` also has the index."""

    name: str
    format: str
    origin: str
    parts: tuple[Path, ...]
    files: tuple[Path, ...]
    configs: dict[str, Config] = field(repr=False)  # by file name

    @property
    def config(self) -> Config:
        return self.configs[_CONFIG]

    @cached_property
    def translated_config(self) -> Config:
        """The config in the entries of the releases before transformers 5."""
        return translate(self.config)

    @property
    def has_translation(self) -> bool:
        return self.translated_config != self.config

    @property
    def generation_settings(self) -> list[str]:
        """The checkpoint's settings for generating texts, other than special tokens."""
        own = self.configs.get(_GENERATION_CONFIG, {})
        settings = {key for key in own if not re.fullmatch(_NOT_A_SETTING, key)}
        settings |= {key for key in self.config if re.fullmatch(_GENERATION_SETTING, key)}
        values = self.config | own
        return sorted(key for key in settings if values[key] is not None)

    @property
    def size(self) -> int:
        """The bytes of all parts."""
        return sum(part.stat().st_size for part in self.parts)

    def sha256(self) -> str:
        """Return the SHA-256 (hex) over the parts, in order."""
        digest = hashlib.sha256()
        for part in self.parts:
            with part.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()

    def stage(self, folder: Path, *, translated: bool = False) -> Path:
        """Fill `folder` with these weights and the cleaned configs only."""
        config = self.translated_config if translated else self.config
        return _stage(self.files, self.configs | {_CONFIG: config}, folder)


@dataclass(frozen=True)
class Checkpoint:
    """A folder with a config and weight files.

    `unopened`: file -> why no backend opens it. `faulty`: weight file -> what is wrong with it.
    `removed_keys`: config entries that name code or files, removed for every backend.
    """

    name: str
    folder: Path
    revision: str | None
    config: Config
    weights: tuple[Weights, ...]
    unopened: dict[str, str] = field(default_factory=dict)
    faulty: dict[str, CheckpointError] = field(default_factory=dict)
    removed_keys: tuple[str, ...] = ()
    pooling: Pooling | None = None
    unapplied_modules: tuple[str, ...] = ()  # of sentence-transformers

    @property
    def architecture(self) -> str | None:
        """The class named by the config, as PyTorch calls it."""
        names = self.config.get("architectures")
        first = names[0] if isinstance(names, list) and names else None
        return first.removeprefix("TF").removeprefix("Flax") if isinstance(first, str) else None

    def stage_tokenizer(self, folder: Path) -> Path:
        """Fill `folder` with cleaned configs and the tokenizer's data. Raises CheckpointError."""
        home = self.folder
        names = [name for name in _TOKENIZER_DATA if os.path.lexists(home / name)]
        configs = {_CONFIG: self.config}
        if os.path.lexists(home / _TOKENIZER_CONFIG):
            configs[_TOKENIZER_CONFIG] = _read_config(home, _TOKENIZER_CONFIG, {})
        return _stage([_resolve_within(home, name) for name in names], configs, folder)


def _stage(files: Iterable[Path], configs: dict[str, Config], folder: Path) -> Path:
    for file in files:
        try:
            (folder / file.name).symlink_to(file.resolve())
        except OSError:  # Windows without the right to create links
            shutil.copyfile(file, folder / file.name)
    for name, config in configs.items():
        (folder / name).write_text(json.dumps(config), encoding="utf-8")
    return folder


def open_checkpoint(
    folder: Path, name: str | None = None, revision: str | None = None
) -> Checkpoint:
    """Open the checkpoint in `folder`.

    Raises CheckpointError without a readable config, UnsupportedCheckpointError without weights.

    Configs are cleaned here: neither the rest of hfscan nor a backend sees the originals.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder. Give a checkpoint's folder or a Hub id.")
    files = list_files(folder)
    known_files = {file for name in _WEIGHT_FILES for file in (name, f"{name}.index.json")}
    if _CONFIG not in files and known_files.isdisjoint(files):
        raise UnsupportedCheckpointError(describe_files(files))
    removed: dict[str, None] = {}
    configs = {_CONFIG: _read_config(folder, _CONFIG, removed)}
    if os.path.lexists(folder / _GENERATION_CONFIG):
        configs[_GENERATION_CONFIG] = _read_config(folder, _GENERATION_CONFIG, removed)
    weights: list[Weights] = []
    faulty: dict[str, CheckpointError] = {}
    for known, (format_, origin) in _WEIGHT_FILES.items():
        for file in (known, f"{known}.index.json"):
            if not os.path.lexists(folder / file):
                continue
            try:
                weights.append(_open_weights(folder, configs, file, format_, origin))
            except CheckpointError as error:
                faulty[file] = error
    if not weights and not faulty:
        raise UnsupportedCheckpointError(describe_files(files))
    opened = {file.name for item in weights for file in item.files} | faulty.keys()
    for index in faulty:
        stem, _, extension = index.removesuffix(".index.json").partition(".")
        shard = rf"{stem}-\d+-of-\d+\.{extension}"
        opened |= {file for file in files if re.fullmatch(shard, file)}
    homes = _find_homes(folder)
    return Checkpoint(
        name or folder.name,
        folder,
        revision,
        configs[_CONFIG],
        tuple(weights),
        find_unopened((path.name for path in folder.iterdir()), opened),
        faulty,
        tuple(removed),
        read_pooling(folder, homes),
        list_unapplied_modules(folder, homes),
    )


def with_baseline(checkpoint: Checkpoint, baseline: Checkpoint) -> Checkpoint:
    """Put the first weights of `baseline` before the checkpoint's own. Raises CheckpointError."""
    if checkpoint.architecture != baseline.architecture:
        raise CheckpointError(
            f"{checkpoint.name} ({checkpoint.architecture}) and {baseline.name} "
            f"({baseline.architecture}) have different architectures and cannot be compared."
        )
    first = [replace(file, name=f"{baseline.name}/{file.name}") for file in baseline.weights[:1]]
    return replace(checkpoint, weights=(*first, *checkpoint.weights))


def _read_config(folder: Path, name: str, removed: dict[str, None]) -> Config:
    paths = name != _TOKENIZER_CONFIG  # special tokens may look like paths
    config: Config = clean(_read_json(_resolve_within(folder, name)), removed, paths=paths)
    return config


def _open_weights(
    folder: Path, configs: dict[str, Config], file: str, format_: str, origin: str | None
) -> Weights:
    path = _resolve_within(folder, file)
    parts: tuple[Path, ...] = (path,)
    if file.endswith(".index.json"):
        shards = _read_json(path).get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise CheckpointError(f"{file} lists no shards")
        names = dict.fromkeys(map(str, shards.values()))
        parts = tuple(_resolve_within(folder, shard) for shard in names)
    size, memory = sum(part.stat().st_size for part in parts), total_memory_bytes()
    if memory is not None and size > memory:
        raise CheckpointError(
            f"{file} has {size:,} bytes and this machine {memory:,} bytes of memory: no backend "
            f"can open it"
        )
    if origin is None:
        header, _ = read_safetensors_header(parts[0])
        origin = _ORIGINS.get(str(header.get("__metadata__", {}).get("format", "pt")), "pytorch")
    files = tuple(dict.fromkeys((path, *parts)))
    return Weights(file, format_, origin, parts, files, configs)


def _find_homes(folder: Path) -> list[Path]:
    """Return the folders that a checkpoint's files must lie in: its own, or those of its cache."""
    home = folder.resolve()
    if home.parent.name != "snapshots":
        return [home]
    # the Hub cache: snapshots/<revision>/x -> blobs/<hash>, and from there to the blobs that
    # repositories share
    repository = home.parent.parent
    return [repository, repository.parent / "blobs"]


def _resolve_within(folder: Path, name: str) -> Path:
    """Return the file `name`, checked to lie in the folder (or in its own Hub cache)."""
    if Path(name).name != name or name in {"", ".", ".."}:
        raise CheckpointError(f"{name!r} is a path, not a file of this folder")
    path = folder / name
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(f"{name} is missing") from error
    if not any(target.is_relative_to(home) for home in _find_homes(folder)):
        raise CheckpointError(f"{name} is a link that leaves the folder")
    if not target.is_file():
        raise CheckpointError(f"{name} is not a regular file")
    return path


def _read_json(path: Path) -> Config:
    try:
        if path.stat().st_size > _MAX_JSON:
            raise CheckpointError(f"{path.name} is larger than {_MAX_JSON:,} bytes")
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise CheckpointError(f"{path.name} is not readable JSON") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path.name} is not a JSON object")
    return value


def read_safetensors_header(path: Path) -> tuple[dict[str, Any], int]:
    """Return (header, offset of the data), every tensor checked to lie within the file.

    Raises CheckpointError. Format: 8 bytes little-endian length, JSON, data.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(size - 8, _MAX_HEADER):
            raise CheckpointError(
                f"{path.name} is not a safetensors file: its header would be {length:,} bytes long"
            )
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{path.name}: its header is not JSON") from error
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__", {}), dict):
        raise CheckpointError(f"{path.name}: its header is not a JSON object")
    for name, entry in header.items():
        if name != "__metadata__":
            _check_entry(path, name, entry, size - 8 - length)
    return header, 8 + length


def _check_entry(path: Path, name: str, entry: Any, data_size: int) -> None:
    stored_as = entry.get("dtype") if isinstance(entry, dict) else None
    is_type = isinstance(stored_as, str) and re.fullmatch(r"[A-Z]+\d+\w*", stored_as)
    if is_type and stored_as not in _NUMPY_DTYPES:
        raise UnsupportedCheckpointError(
            f"{path.name}: {name} is stored as {stored_as}, which no backend uses"
        )
    try:
        dtype = np.dtype(_NUMPY_DTYPES[entry["dtype"]])
        first, last = entry["data_offsets"]
        shape = entry["shape"]
        count = int(np.prod([int(side) for side in shape], dtype=object)) if shape else 1
        is_valid = (
            all(isinstance(side, int) and side >= 0 for side in shape)
            and 0 <= first <= last <= data_size
            and last - first == count * dtype.itemsize
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path.name}: the entry of {name} is not valid") from error
    if not is_valid:
        raise CheckpointError(f"{path.name}: {name} lies outside the file (truncated?)")


def read_safetensors(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (name, array) of a safetensors file: mapped, not copied; bfloat16 as float32."""
    header, start = read_safetensors_header(path)
    data = np.memmap(path, mode="r", offset=0, dtype=np.uint8)
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        array = data[start + first : start + last].view(_NUMPY_DTYPES[entry["dtype"]])
        if entry["dtype"] == "BF16":
            array = (array.astype("<u4") << 16).view("<f4")
        yield name, array.reshape(entry["shape"])
