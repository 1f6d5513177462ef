"""Tiny checkpoints, made on this machine."""

from pathlib import Path

from hfscan.parity.sweep import Sweep


def make(sweep: Sweep, into: Path) -> list[Path]:
    """Train a BERT and a GPT-2 and save them in every format; takes about ten seconds.

    Where training is to be timed, a ResNet with random weights too. Return the folders.
    """
    others = [lane for lane in sweep.settings.lanes if lane == "tensorflow"]
    worker = sweep.worker("pytorch", frozenset(others))
    answer = worker.call("demo", into=str(into), formats=others)
    folders = [Path(folder) for folder in answer["folders"]]
    if sweep.settings.train:
        folders.append(into / "resnet")
        worker.call(
            "tiny", architecture="ResNetForImageClassification", into=str(folders[-1]), twin=False
        )
    return folders
