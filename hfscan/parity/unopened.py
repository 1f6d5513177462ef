"""Name the files that no backend opens, and say what they are."""

import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from hfscan.text import sanitize

_VARIANT = r"(model|pytorch_model|tf_model|flax_model)"
_FORMATS = {  # pattern of file names -> what such a file is; the first match counts
    r"adapter_(config\.json|model\..*)": "an adapter, which names the model it belongs to",
    r".*\.keras|.*(?<!tf_model)(?<!tf_model-\d{5}-of-\d{5})\.(h5|hdf5)":
        "a Keras model, whose layers can be code",
    r"model_index\.json": "a pipeline of diffusers",
    rf"{_VARIANT}-\d+-of-\d+\.\w+": "a shard that no index names",
    rf"{_VARIANT}\.[\w-]+(-\d+-of-\d+)?\.(safetensors|bin|h5|msgpack)(\.index\.json)?|"
    rf"{_VARIANT}\.(safetensors|bin|h5|msgpack)\.index\.[\w-]+\.json":
        "a variant, which only loads by name",
    r".*\.(gguf|ggml)|ggml.*\.bin": "a file of llama.cpp",
    r".*\.pte": "a program of ExecuTorch",
    r".*\.ckpt(-\d+)?\.(index|meta|data-.*)": "a checkpoint of TensorFlow 1",
    r".*\.(pt|pth|ckpt|pkl|pickle|joblib)": "a pickle, which can run any code",
    r".*\.(pb|pbtxt|onnx|onnx_data|tflite|mlmodel)|saved_model|.*\.mlpackage":
        "a graph, which can contain any operation and refer to other files",
    r"openvino_.*\.(bin|xml)|.*\.ot|.*\.npz": "a file of another library",
    r".*\.(safetensors|msgpack)|pytorch_model.*\.bin": "weights under an unknown name",
}  # fmt: skip
_MAX_FILES, _MAX_NAMED = 1000, 5


def find_unopened(names: Iterable[str], opened: Collection[str]) -> dict[str, str]:
    """Return file -> what it is, for those of a known format that are not opened."""
    return {
        name: description
        for name in sorted(names)
        if name not in opened and (description := _describe(Path(name).name))
    }


def _describe(name: str) -> str | None:
    return next((what for pattern, what in _FORMATS.items() if re.fullmatch(pattern, name)), None)


def list_files(folder: Path) -> list[str]:
    """Return the first thousand files in a folder and its subfolders, links not followed."""
    files: list[str] = []
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [str(Path(path, name).relative_to(folder)) for name in sorted(names)]
        if len(files) > _MAX_FILES:
            break
    return files[:_MAX_FILES]


def describe_files(names: Collection[str]) -> str:
    """Return in one sentence why a checkpoint of these files cannot be opened."""
    unopened = find_unopened(names, ())
    if not names:
        return "it has no files"
    if not unopened:
        return f"it has no weight file among {_enumerate(sorted(names))}"
    found = [f"{sanitize(name, 80)} ({description})" for name, description in unopened.items()]
    return f"no backend opens it: it has {_enumerate(found)}"


def _enumerate(items: Collection[str]) -> str:
    named = [sanitize(item, 160) for item in list(items)[:_MAX_NAMED]]
    more = len(items) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
