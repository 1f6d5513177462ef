"""Checkpoints made on this machine."""

from pathlib import Path
from typing import Any

from hfscan.parity.arrays import resolve
from hfscan.parity.sweep import Sweep
from hfscan.parity.worker import Worker

FULL: dict[str, dict[str, Any]] = {  # folder -> class, and what its config's defaults leave out
    "bert-base": {"architecture": "BertForMaskedLM", "pickled": True},
    "gpt2-124m": {"architecture": "GPT2LMHeadModel", "pickled": True},
    "resnet-50": {
        "architecture": "ResNetForImageClassification",
        "changes": {"image_size": 224},
        "twin": False,
    },
}


def make(sweep: Sweep, into: Path, *, full: bool = False) -> list[Path]:
    """Train a tiny BERT and GPT-2 and save them in every format; takes about ten seconds.

    Where training is to be timed, a tiny ResNet with random weights too. With `full` make instead
    models of the shapes of BERT-base, GPT-2 (124M) and ResNet-50, all random. Return the folders.
    """
    others = [backend for backend in sweep.settings.backends if backend == "tensorflow"]
    worker = sweep.worker("pytorch", frozenset(others))
    if full:
        return [_model(worker, into / name, full=True, **given) for name, given in FULL.items()]
    answer = worker.call("demo", into=str(into), formats=others)
    folders = [resolve(folder, into) for folder in answer["folders"]]
    if sweep.settings.train:
        folders.append(_model(worker, into / "resnet", "ResNetForImageClassification", twin=False))
    return folders


def _model(worker: Worker, folder: Path, architecture: str, **given: Any) -> Path:
    worker.call("model", architecture=architecture, into=str(folder), **given)
    return folder
