"""Texts that the user wants the models run on."""

import importlib
from itertools import islice
from pathlib import Path

from huggingface_hub import constants

from hfscan.errors import HfscanError
from hfscan.hub.endpoint import parse_endpoint
from hfscan.hub.official import describe_error

ROWS = 16  # texts that are run


class TextsError(HfscanError):
    """The texts cannot be had; the message says why."""


def read(named: str) -> list[str]:
    """Return the first texts of a file, one a line, or of `dataset:NAME:SPLIT:COLUMN`.

    Raises TextsError, and HubRefusedError if HF_ENDPOINT is invalid.
    """
    texts = _dataset(named) if named.startswith("dataset:") else _file(Path(named))
    if not texts:
        raise TextsError(f"{named} holds no text.")
    return texts


def _file(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8") as file:
            lines = (line.strip() for line in file)
            return list(islice(filter(None, lines), ROWS))
    except (OSError, UnicodeDecodeError) as error:
        raise TextsError(f"{path} cannot be read as text: {error}") from error


def _dataset(named: str) -> list[str]:
    parts = named.split(":", 1)[1].rsplit(":", 2)
    if len(parts) != 3:
        raise TextsError(f"--inputs wants dataset:NAME:SPLIT:COLUMN, got {named!r}")
    name, split, column = parts
    if not Path(name).exists():
        parse_endpoint(constants.ENDPOINT)
    try:
        datasets = importlib.import_module("datasets")  # seldom wanted, and slow to import
    except ImportError as error:
        raise TextsError("Datasets need the package datasets: pip install datasets") from error
    try:
        rows = datasets.load_dataset(name, split=split, streaming=True)
        return [str(row[column]) for row in rows.take(ROWS)]
    except KeyError as error:
        raise TextsError(f"{name} has no column {column!r} in {split}.") from error
    except Exception as error:  # whatever the library, the Hub or a file may raise
        raise TextsError(f"{name} cannot be read: {describe_error(error)}") from error
