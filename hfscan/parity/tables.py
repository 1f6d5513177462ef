"""Read the tables of this package: TOML files whose entries have their reasons and sources."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any


@cache
def read_table(name: str) -> dict[str, Any]:
    """Return the content of `<name>.toml`."""
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))


def find_tolerance(dtype: str, device: str, family: str) -> float:
    """Return the maximum relative L2 difference that counts as agreement."""
    wanted = {"dtype": dtype, "device": device, "family": family}
    for entry in read_table("tolerances")["tolerance"]:
        if all(entry[key] in {"*", value} for key, value in wanted.items()):
            return float(entry["rel_l2"])
    raise LookupError(f"tolerances.toml has no entry for {dtype} on {device}")
