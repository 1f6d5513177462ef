"""Fill a folder with what a backend may see of a checkpoint: nothing else of it is ever opened."""

import json
import shutil
from pathlib import Path

from hfscan.parity.checkpoints import Checkpoint, Weights, tokenizer


def stage_weights(weights: Weights, folder: Path) -> Path:
    """Fill `folder` with the cleaned configs and these weights, so that a loader has no choice."""
    for file in weights.files:
        _link(file.resolve(), folder / file.name)
    _write(weights.configs, folder)
    return folder


def stage_tokenizer(checkpoint: Checkpoint, folder: Path) -> Path:
    """Fill `folder` with the cleaned configs and the tokenizer's data; no code, no weights.

    Raises CheckpointError.
    """
    files, configs = tokenizer(checkpoint.folder)
    for file in files:
        _link(file.resolve(), folder / file.name)
    _write({"config.json": checkpoint.config} | configs, folder)
    return folder


def _write(configs: dict[str, dict[str, object]], folder: Path) -> None:
    for name, config in configs.items():
        (folder / name).write_text(json.dumps(config), encoding="utf-8")


def _link(source: Path, target: Path) -> None:
    try:
        target.symlink_to(source)
    except OSError:  # Windows without the right to make links
        shutil.copyfile(source, target)
