"""Read the texts that replace random token ids as inputs."""

import importlib
from itertools import islice
from pathlib import Path

from huggingface_hub import constants

from hfscan.errors import HfscanError
from hfscan.hub.datasets import describe_error
from hfscan.hub.endpoint import parse_endpoint

_MAX_TEXTS = 16


class TextsError(HfscanError):
    """The texts cannot be read; the message says why."""


def read_texts(source: str) -> list[str]:
    """Return the first texts of a file, one a line, or of `dataset:NAME:SPLIT:COLUMN`.

    Raises TextsError, and HubRefusedError if HF_ENDPOINT is invalid.
    """
    texts = _read_dataset(source) if source.startswith("dataset:") else _read_file(Path(source))
    if not texts:
        raise TextsError(f"{source} holds no text.")
    return texts


def _read_file(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8") as file:
            lines = (line.strip() for line in file)
            return list(islice(filter(None, lines), _MAX_TEXTS))
    except (OSError, UnicodeDecodeError) as error:
        raise TextsError(f"{path} cannot be read as text: {error}") from error


def _read_dataset(source: str) -> list[str]:
    parts = source.split(":", 1)[1].rsplit(":", 2)
    if len(parts) != 3:
        raise TextsError(f"--inputs must be a file or dataset:NAME:SPLIT:COLUMN, not {source!r}.")
    name, split, column = parts
    if not Path(name).exists():
        parse_endpoint(constants.ENDPOINT)
    try:
        datasets = importlib.import_module("datasets")  # seldom used, and slow to import
    except ImportError as error:
        raise TextsError("Datasets need the package datasets: pip install datasets") from error
    try:
        rows = datasets.load_dataset(name, split=split, streaming=True)
        return [str(row[column]) for row in rows.take(_MAX_TEXTS)]
    except KeyError as error:
        raise TextsError(f"{name} has no column {column!r} in {split}.") from error
    except Exception as error:  # the library, the Hub and the files may raise anything
        raise TextsError(f"{name} cannot be read: {describe_error(error)}") from error
