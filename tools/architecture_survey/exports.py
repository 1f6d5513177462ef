"""Check a class of every architecture of transformers 5 in the backends that run PyTorch's models.

Run as `python tools/architecture_survey/exports.py --out FILE`, after `hfscan parity setup pytorch
executorch`. Each architecture is a tiny model with random weights (`tiny_models.py`). Results are
appended to a file next to FILE, one JSON line per architecture, which is kept in the repository: a
survey of the same releases continues where it stopped, also on another machine. The order is that
of a hash of the names: what is there is a sample.
"""

import argparse
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from hfscan._version import __version__
from hfscan.errors import HfscanError
from hfscan.fs import write_output
from hfscan.parity.cases import list_cases
from hfscan.parity.checkpoint import open_checkpoint
from hfscan.parity.environments import choose_interpreter
from hfscan.parity.inputs import Inputs
from hfscan.parity.model import ModelRunner
from hfscan.parity.pool import BackendPool
from hfscan.parity.process import Settings
from hfscan.parity.replies import summary_line
from hfscan.parity.result import Result, Verdict
from hfscan.parity.run import CheckpointRun
from hfscan.parity.weights import read_tables
from hfscan.text import escape_markdown, sanitize

Row = dict[str, Any]
BACKENDS = {  # backend -> heading of its column
    "pytorch": "PyTorch",
    "torch-export": "torch.export",
    "onnx": "ONNX",
    "openvino": "OpenVINO",
    "executorch": "ExecuTorch",
}
_MAKER = Path(__file__).with_name("tiny_models.py")
_ROOT = _MAKER.parents[2]
_LONGEST = 300  # characters of a reason
_TRACEBACK = re.compile(r" *(?:Original traceback:|Traceback \(most recent)| *File \"/")
_CHUNK = 8  # models that one process makes: importing the framework takes seconds


def run_maker(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `tiny_models.py` in the environment of the backend `pytorch`."""
    python = choose_interpreter("pytorch", frozenset(), {}).path
    variables = {
        "PYTHONPATH": os.pathsep.join([str(_ROOT), str(_MAKER.parent)]),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    return subprocess.run(
        [python, str(_MAKER), *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
    )


def list_architectures() -> list[str]:
    """Return the architectures of the installed transformers, in the order of the survey."""
    process = run_maker("list")
    if process.returncode:
        raise SystemExit(f"{process.stderr}\nRun `hfscan parity setup pytorch executorch` first.")
    names = json.loads(process.stdout)
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())


def make_models(names: Sequence[str], folder: Path, timeout: float) -> Iterator[Row]:
    """Yield a row for each architecture, whose checkpoint is then in `folder`, or a fault."""
    remaining = list(names)
    while remaining:
        process = run_maker("make", str(folder), f"{timeout:.0f}", *remaining)
        made = [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]
        yield from made
        remaining = remaining[len(made) :]
        if remaining:  # the process ended while it made the first of them
            fault = f"making it took more than {timeout:g} s"
            if process.returncode != -signal.SIGALRM:
                last_line = (process.stderr.strip().splitlines() or [""])[-1]
                fault = f"making it ended the process ({process.returncode}): {last_line[:200]}"
            yield {"name": remaining.pop(0), "fault": fault}


def read_inputs(path: Path) -> Inputs:
    """Return the inputs of a tiny model: one batch, no text to continue."""
    with np.load(path, allow_pickle=False) as file:
        batch = dict(file)
    rows = next(iter(batch.values())).shape[0]
    mask = batch.get("attention_mask", np.ones((rows, 1), dtype=np.int64))
    decoder_ids = batch.get("decoder_input_ids")
    decoder_mask = None if decoder_ids is None else np.ones(decoder_ids.shape, dtype=np.int64)
    return Inputs(batch, None, 0, mask, decoder_mask)


def check(pool: BackendPool, row: Row, folder: Path) -> Row:
    """Check the tiny model of a row; whatever happens is added to the row."""
    start = time.monotonic()
    if "fault" not in row:
        try:
            row["cases"] = run_cases(pool, folder / row["name"])
        except HfscanError as error:
            row["fault"] = sanitize(summary_line(error))
    return row | {"seconds": round(time.monotonic() - start, 1)}


def run_cases(pool: BackendPool, folder: Path) -> Row:
    """Return the result of each backend as JSON-ready data."""
    checkpoint = open_checkpoint(folder, folder.name)
    cases = list_cases(checkpoint, pool.settings.backends)
    cases = [case for case in cases if case.load_method == "direct"]
    runner = ModelRunner(pool, checkpoint, read_inputs(folder / "inputs.npz"))
    run = CheckpointRun(runner, cases, read_tables(checkpoint.weights, pool))
    return {result.backend: describe(result) for result in run.results()}


def describe(result: Result) -> Row:
    """Return what the table says about a result. `rel_l2`: the largest over the outputs."""
    errors = [row["rel_l2"] for row in result.outputs if row["region"] == "real"]
    return {
        "verdict": result.verdict,
        "reason": _clean(result.reason),
        "notes": [_clean(note) for note in result.notes],
        "rel_l2": max(errors, default=None),
        "layer": result.first_divergent_layer,
        "suspect_backend": result.reference["suspect_backend"],
        "error": result.reference["backend_error"],
    }


def _clean(text: str) -> str:
    """Return text without a traceback, which has paths of this machine, and control characters."""
    return sanitize(_TRACEBACK.split(text)[0])


def read_rows(journal: Path) -> dict[str, Row]:
    """Return the rows of an earlier run by name; a line that a kill cut off is left out."""
    rows = {}
    for line in journal.read_text(encoding="utf-8").splitlines() if journal.exists() else ():
        with suppress(ValueError):
            row = json.loads(line)
            rows[row["name"]] = row
    return rows


def survey(settings: Settings, journal: Path, only: Sequence[str] | None) -> Iterator[Row]:
    """Yield the row of every architecture; rows in `journal` of the same releases are reused."""
    names = list_architectures()
    pool = BackendPool(settings)
    try:
        pool.start()
        versions = {"hfscan": __version__}
        for process in pool.processes.values():
            versions |= process.info.get("versions", {})
        rows = read_rows(journal).items()
        known = {name: row for name, row in rows if row["versions"] == versions}
        yield from known.values()
        remaining = [name for name in names if name not in known and (not only or name in only)]
        for chunk in batched(remaining, _CHUNK):
            with tempfile.TemporaryDirectory(prefix="hfscan-survey-") as folder:
                for made in make_models(chunk, Path(folder), settings.timeout):
                    row = check(pool, made, Path(folder))
                    row |= {"versions": versions, "architectures": len(names)}
                    append_row(journal, row)
                    yield row
    finally:
        pool.close()


def append_row(journal: Path, row: Row) -> None:
    """Write a row on a line of its own, also after one that a kill cut off."""
    with journal.open("a+b") as file:
        file.seek(-1 if file.seek(0, os.SEEK_END) else 0, os.SEEK_END)
        separator = b"" if file.read() in {b"", b"\n"} else b"\n"
        file.write(separator + json.dumps(row).encode() + b"\n")


def batched(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Yield the names in groups."""
    for start in range(0, len(names), size):
        yield names[start : start + size]


def count(rows: Sequence[Row], backend: str) -> str:
    """Return the verdicts of a backend with their numbers."""
    verdicts = Counter(row["cases"][backend]["verdict"] for row in rows)
    return "; ".join(f"{word}: {number}" for word, number in verdicts.most_common())


def markdown(rows: Sequence[Row]) -> str:
    """Return the numbers, the table, and what each result that does not agree says."""
    rows = sorted(rows, key=lambda row: row["name"])
    tried = [row for row in rows if "cases" in row]
    tools = ", ".join(f"{name} {text}" for name, text in rows[-1]["versions"].items())
    parts = [
        "# Survey of exports",
        "",
        "A class of each architecture of transformers 5 (each folder of `transformers.models` with "
        "a modelling file), as a tiny model with random weights, saved as safetensors: in PyTorch, "
        "and exported in four ways, in float32 on the CPU, on two rows of the model's own main "
        "input. Numbers are relative L2 on real positions, the largest of all outputs: PyTorch "
        "compared with its own float64 run, the others with PyTorch. Made by `make export-survey`; "
        "[disagreements](export-disagreements.md) explains what was found.",
        "",
        f"{len(rows)} of the {rows[-1]['architectures']} architectures were tried, in the order of "
        f"a hash of their names: {len(tried)} as a tiny model; {len(rows) - len(tried)} could not "
        f"be made tiny, or did not run, for the reasons below.",
        "",
        f"{tools}.",
        "",
        "| backend | total | verdicts |",
        "| --- | --- | --- |",
        *(
            f"| {heading} | {len(tried)} | {count(tried, backend)} |"
            for backend, heading in BACKENDS.items()
        ),
        "",
        "| architecture | class | " + " | ".join(BACKENDS.values()) + " |",
        "| --- | --- |" + " --- |" * len(BACKENDS),
    ]
    for row in tried:
        cells = [_cell(row["cases"][backend]) for backend in BACKENDS]
        parts.append(f"| {row['name']} | {row['architecture']} | {' | '.join(cells)} |")
    parts += ["", "## Details", ""]
    for row in tried:
        for backend, heading in BACKENDS.items():
            case = row["cases"][backend]
            if case["verdict"] != Verdict.AGREE:
                reason = "; ".join([case["reason"], *case["notes"]])
                parts.append(_item(f"{row['name']}, {heading}", reason))
    parts += ["", "## Not made tiny", ""]
    parts += [_item(row["name"], row["fault"]) for row in rows if "fault" in row]
    return "\n".join(parts) + "\n"


def _item(name: str, text: str) -> str:
    return f"- {escape_markdown(name)}: {escape_markdown(text[:_LONGEST])}"


def _cell(case: Row) -> str:
    if case["verdict"] != Verdict.AGREE or case["rel_l2"] is None:
        return str(case["verdict"])
    return f"{case['rel_l2']:.1e}"


def main() -> None:
    """Run the survey from the command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python tools/architecture_survey/exports.py", description="Check all exports."
    )
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--only", nargs="*", help="check only these architectures")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for one step")
    options = parser.parse_args()
    settings = Settings(tuple(BACKENDS), timeout=options.timeout, memory_mb=6000, measure=False)
    rows = []
    for row in survey(settings, options.out.with_suffix(".jsonl"), options.only):
        rows.append(row)
        verdicts = [str(case["verdict"]) for case in row.get("cases", {}).values()]
        print(f"{row['name']}: {', '.join(verdicts) or row['fault']}", file=sys.stderr, flush=True)
        write_output(options.out, markdown(rows))


if __name__ == "__main__":
    main()
