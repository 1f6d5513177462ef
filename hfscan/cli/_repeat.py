"""Write the command that repeats a run of `hfscan parity`, for its report."""

import shlex
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

_WITHOUT_EFFECT = {"actors", "checkpoints", "disk_budget", "engine", "formats", "out",
                   "results_path"}  # fmt: skip
"""Parameters that do not change what is found. Checkpoints are written first."""


def format_command() -> str:
    """Return the current command with the options given; of files and folders only the names.

    A report may be published, so that it must not contain the folders of a machine.
    """
    context = click.get_current_context()
    values = context.params
    words = ["hfscan", "parity", *map(_format_checkpoint, values["checkpoints"])]
    for param in context.command.params:
        name = str(param.name)
        source = context.get_parameter_source(name)
        is_given = source not in (None, ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)
        is_stored_only = name == "db" and not values["sample"]
        if is_given and name not in _WITHOUT_EFFECT and not is_stored_only:
            words += _format_option(param, values[name])
    return " ".join(map(shlex.quote, words))


def _format_checkpoint(name: str) -> str:
    """Return a Hub id as it is, and a folder without the folders that it is in."""
    path = Path(name)
    return f"./{path.resolve().name}" if path.is_dir() else name


def _format_option(param: click.Parameter, value: Any) -> list[str]:
    """Return the words of an option with its value as it was read."""
    flag = param.opts[0]
    match param.name, value:
        case _, bool():
            return [flag if value else param.secondary_opts[0]]
        case "pythons", _:
            return [word for backend in value for word in (flag, f"{backend}=PYTHON")]
        case "shard", (part, count):
            return [flag, f"{part}/{count}"]
        case "baseline", _:
            return [flag, _format_checkpoint(value)]
        case (("inputs" | "db"), _) if not str(value).startswith("dataset:"):
            return [flag, Path(value).name]
    return [flag, f"{value:.15g}" if isinstance(value, float) else str(value)]
