"""Write constraints/: the releases that `make` installs, as `make constraints PYTHONS="..."`.

For each environment pip resolves, without installing, the newest releases that fit together on the
first Python, then on the others what these releases leave open. A pin is a name and a version,
without index, hash or build, so that the reader's own pip settings decide where it comes from, and
whether PyTorch comes with CUDA. Fails with pip's message where the pins do not fit a Python.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = {
    "base": [".", "--group", "dev"],
    "parity": [".[parity,jax]", "--group", "dev", "--group", "spark"],
}
"""Name -> what pip installs; as in the Makefile."""
OF_CUDA = re.compile(r"nvidia-|cuda-|triton$")
"""PyTorch's CUDA build pins these itself; its CPU build has none."""


def resolve(python: Path, wanted: list[str], pins: dict[str, str], file: Path) -> dict[str, str]:
    """Return `pins` (name -> version) with all else that pip would install, pip included."""
    file.write_text(format_pins(pins), encoding="utf-8")
    command = [str(python), "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
    kept = {k: v for k, v in os.environ.items() if k not in ("PIP_CONSTRAINT", "PYTHONPATH")}
    report = subprocess.check_output(
        [*command, "--report", "-", "--constraint", str(file), "pip", *wanted], cwd=ROOT, env=kept
    )
    found = dict(pins)
    for one in json.loads(report)["install"]:
        name = re.sub(r"[-_.]+", "-", one["metadata"]["name"]).lower()
        if name != "hfscan" and not OF_CUDA.match(name):
            found[name] = one["metadata"]["version"].partition("+")[0]
    return found


def format_pins(pins: dict[str, str]) -> str:
    """Return the text of a constraints file."""
    lines = [f"{name}=={version}\n" for name, version in sorted(pins.items())]
    return "# Made by `make constraints`.\n" + "".join(lines)


def main(pythons: list[str]) -> None:
    """Write one file for each environment, from the Pythons named, the oldest first."""
    pins: dict[str, dict[str, str]] = {name: {} for name in ENVIRONMENTS}
    with TemporaryDirectory() as folder:
        for number, python in enumerate(pythons):
            venv = Path(folder, str(number))
            subprocess.run([python, "-m", "venv", venv], check=True)
            own = venv / "bin" / "python"
            subprocess.run([own, "-m", "pip", "install", "-q", "--upgrade", "pip"], check=True)
            for name, wanted in ENVIRONMENTS.items():
                pins[name] = resolve(own, wanted, pins[name], Path(folder, "pins.txt"))
                print(f"{name}, {python}: {len(pins[name])} pins", flush=True)
    (ROOT / "constraints").mkdir(exist_ok=True)
    for name, found in pins.items():
        path = ROOT / "constraints" / f"{name}.txt"
        path.write_text(format_pins(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:] or sys.exit(__doc__))
