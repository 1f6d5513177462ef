"""Write constraints/: the releases that `make` installs, for the Python that runs this.

For each environment pip resolves, without installing, the newest releases that fit together. A pin
is a name and a version, without index, hash or build, so that the reader's own pip settings decide
where it comes from, and whether PyTorch comes with CUDA.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = {
    "base": [".", "--group", "dev"],
    "parity": [".[parity,jax]", "--group", "dev", "--group", "spark"],
}
"""Name -> what pip installs; as in the Makefile."""
OF_CUDA = re.compile(r"nvidia-|cuda-|triton$")
"""PyTorch's CUDA build pins these itself; its CPU build has none."""


def resolve(wanted: list[str]) -> dict[str, str]:
    """Return name -> version of all that pip would install, pip included."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
    report = subprocess.check_output(
        [*command, "--quiet", "--report", "-", "pip", *wanted], cwd=ROOT, text=True
    )
    found = {
        re.sub(r"[-_.]+", "-", one["metadata"]["name"]).lower(): one["metadata"]["version"]
        for one in json.loads(report)["install"]
    }
    return {
        name: version.partition("+")[0]
        for name, version in sorted(found.items())
        if name != "hfscan" and not OF_CUDA.match(name)
    }


def main() -> None:
    """Write one file for each environment."""
    python = "{}.{}".format(*sys.version_info)
    folder = ROOT / "constraints"
    folder.mkdir(exist_ok=True)
    for environment, wanted in ENVIRONMENTS.items():
        pins = [f"{name}=={version}\n" for name, version in resolve(wanted).items()]
        path = folder / f"{environment}-{python}.txt"
        path.write_text("# Made by `make constraints`.\n" + "".join(pins), encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {len(pins)} pins")


if __name__ == "__main__":
    main()
