"""Options of `hfscan parity` that say how models are run."""

import re
from collections.abc import Mapping
from typing import Any

import click
from click.core import ParameterSource

from hfscan.cli._completion import complete_list
from hfscan.cli._options import backend_python_option, combine
from hfscan.cli._types import LARGEST_MB, LARGEST_SECONDS, LARGEST_THREADS, Choice, Count, Number
from hfscan.parity.backend_files import backend_names
from hfscan.parity.process import Settings
from hfscan.suggest import unknown


def _new_settings(
    backends: str, pythons: Mapping[str, str], rounds: int | None, **options: Any
) -> Settings:
    """Return the settings of a run. Raises UsageError."""
    names = tuple(dict.fromkeys(backends.split(",")))
    for name in (*names, *pythons):
        if name not in backend_names():
            raise click.UsageError(unknown("backend", name, backend_names()))
    timing = {"rounds": rounds, "variants": options["variants"], "train": options["train"]}
    for name, value in timing.items():
        if value and not options["measure"]:
            raise click.UsageError(
                f"--{name} is about timing. It cannot be combined with --no-measure."
            )
    source = click.get_current_context().get_parameter_source("backends")
    is_default = source == ParameterSource.DEFAULT
    return Settings(
        names,
        required=frozenset(() if is_default else names),
        pythons=pythons,
        rounds=rounds or Settings.rounds,
        **options,
    )


def _check_device(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", value):
        raise click.BadParameter(f"{value!r} is none of auto, cpu, cuda and cuda:N.")
    return value


settings_options = combine(
    "settings",
    _new_settings,
    click.option(
        "--backends",
        default=",".join(Settings.backends),
        metavar="BACKEND,...",
        shell_complete=complete_list(backend_names),
        help="Backends to compare; in those named here a missing class is a failure.",
    ),
    click.option(
        "--device",
        default="auto",
        metavar="auto|cpu|cuda|cuda:N",
        callback=_check_device,
        help="Device that runs the models.",
    ),
    click.option(
        "--dtype",
        type=Choice(["float32", "bfloat16", "float16"]),
        default=Settings.dtype,
        help="Precision of the models.",
    ),
    backend_python_option,
    click.option("--measure/--no-measure", default=True, help="Measure latency as well."),
    click.option(
        "--variants",
        is_flag=True,
        help="Time all variants (eager, compiled), each in its own process.",
    ),
    click.option(
        "--train", is_flag=True, help="Time training steps as well, each in its own process."
    ),
    click.option("--rounds", type=Count(1), help=f"Timing rounds.  [default: {Settings.rounds}]"),
    click.option(
        "--threads",
        type=Count(1, LARGEST_THREADS),
        default=Settings.threads,
        help="Threads per backend.",
    ),
    click.option(
        "--timeout",
        type=Number(1, LARGEST_SECONDS),
        default=Settings.timeout,
        metavar="SECONDS",
        help="Time limit for one step of a case.",
    ),
    click.option(
        "--memory",
        "memory_mb",
        type=Number(100, LARGEST_MB),
        metavar="MB",
        help="Memory limit per backend.",
    ),
)
