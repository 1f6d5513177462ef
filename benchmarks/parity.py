"""Measure a parity run, compared with two plain scripts (one per framework).

The scripts make the same calls on the same files, including those that fail, but compare nothing
and run nothing in float64. `ratio` is the ratio of wall times (backends run in parallel), `work`
the ratio of CPU times of all processes.

Run `python benchmarks/parity.py [--rounds N] [--large] [--out FILE]` with the `parity` extra
installed. Each round runs both scripts and then the command on the same folder. `--large` uses
models with the shapes of BERT-base and GPT-2.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from hfscan.cli.parity import make_demo
from hfscan.parity.process import Settings
from hfscan.parity.run import ParityRunner

TARGET = 1.15
LARGE = ("bert-base", "gpt2-124m")

# Each load method once: load and, if that works, run a forward pass of 4 rows of 128 tokens (or the
# model's maximum) with hidden states, and generate 64 tokens if the model generates text.
INPUTS = """
import os, sys, tempfile, numpy as np, transformers
folder = sys.argv[1]
config = transformers.AutoConfig.from_pretrained(folder)
name = config.architectures[0]
room = min(128, config.max_position_embeddings - 4)
ids = np.random.default_rng(0).integers(4, config.vocab_size, (4, room))
new = min(64, config.max_position_embeddings - 10)

def into(file):  # a folder with this file only, so that the loader has no choice
    alone = tempfile.mkdtemp()
    for name in ("config.json", file):
        os.symlink(os.path.join(folder, name), os.path.join(alone, name))
    return alone
"""
PYTORCH = (
    INPUTS
    + """
import torch
torch.set_num_threads(1)
cls, twin = getattr(transformers, name), getattr(transformers, "TF" + name)
def from_tensorflow():
    return transformers.load_tf2_model_in_pytorch_model(
        cls(config), twin.from_pretrained(folder, use_safetensors=False), allow_missing_keys=True
    )
for load in (
    lambda: cls.from_pretrained(folder, use_safetensors=True),
    lambda: cls.from_pretrained(folder, use_safetensors=False),
    from_tensorflow,
    lambda: cls.from_pretrained(into("tf_model.h5"), from_tf=True),
):
    model = load().eval()
    if next(model.parameters()).is_meta:
        continue
    with torch.inference_mode():
        model(input_ids=torch.from_numpy(ids), output_hidden_states=True)
        if "LMHead" in name:
            model.generate(torch.from_numpy(ids[:1, :8]), max_new_tokens=new, do_sample=False)
"""
)
TENSORFLOW = (
    INPUTS
    + """
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
cls = getattr(transformers, "TF" + name)
for options in (
    {"use_safetensors": False},
    {"use_safetensors": True},
    {"use_safetensors": True, "from_pt": True},
    {"use_safetensors": False, "from_pt": True},
):
    try:
        model = cls.from_pretrained(folder, **options)
    except TypeError:
        continue
    model(input_ids=tf.constant(ids), output_hidden_states=True)
    if "LMHead" in name:
        model.generate(tf.constant(ids[:1, :8]), max_new_tokens=new, do_sample=False)
"""
)
ENVIRONMENT = os.environ | {
    "TF_USE_LEGACY_KERAS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
}


def time_command(*command: str) -> np.ndarray:
    """Run a command that must succeed; return its wall time and CPU time in seconds."""
    start_cpu, start = _read_cpu_seconds(), time.perf_counter()
    process = subprocess.run(  # noqa: S603 - own command
        command, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if process.returncode:
        sys.exit(f"{command[:4]} failed:\n{process.stdout[-2000:]}{process.stderr[-2000:]}")
    return np.array([time.perf_counter() - start, _read_cpu_seconds() - start_cpu])


def _read_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def make_models(into: Path, large: bool) -> list[Path]:
    """Write a BERT and a GPT-2, each as safetensors, .bin and .h5."""
    with ParityRunner(Settings()) as runner:
        folders = make_demo(runner, into, "base" if large else "tiny")
    return [folder for folder in folders if folder.name in {"bert", "gpt2", *LARGE}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--only", help="name of one model")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for folder in make_models(Path(scratch), arguments.large):
            if arguments.only not in {None, folder.name}:
                continue
            parity = [sys.executable, "-m", "hfscan", "parity", str(folder)]
            for _ in range(arguments.rounds):
                load = os.getloadavg()[0]
                scripts = (PYTORCH, TENSORFLOW)
                pytorch, tensorflow = (
                    time_command(sys.executable, "-c", script, str(folder)) for script in scripts
                )
                without_timing = time_command(*parity, "--no-measure")
                with_timing = time_command(*parity)
                ratio, work = without_timing / (pytorch + tensorflow)
                ratio_timed, work_timed = with_timing / (pytorch + tensorflow)
                rows.append(
                    {"model": folder.name, "pytorch_s": pytorch[0], "tensorflow_s": tensorflow[0],
                     "parity_s": without_timing[0], "parity_timed_s": with_timing[0],
                     "ratio": ratio, "work": work, "ratio_timed": ratio_timed,
                     "work_timed": work_timed, "load": load}
                )  # fmt: skip
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    summary = {}
    for name in dict.fromkeys(row["model"] for row in rows):
        for key in ("ratio", "work", "ratio_timed", "work_timed"):
            ratios = [row[key] for row in rows if row["model"] == name]
            median = statistics.median(ratios)
            summary[f"{name} {key}"] = [median, min(ratios), max(ratios)]
            print(f"{name} {key}: {median:.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"Target: ratio at most {TARGET}")
    if arguments.out:
        arguments.out.write_text(json.dumps({"rounds": rows, "summary": summary}, indent=1) + "\n")


if __name__ == "__main__":
    main()
