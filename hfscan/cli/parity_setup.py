"""`hfscan parity setup`."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from hfscan.cli._command import Command
from hfscan.cli._completion import complete_names
from hfscan.cli._output import is_quiet, note
from hfscan.cli._types import Choice
from hfscan.parity.backend_files import backend_names
from hfscan.parity.environments import DEVICES, select_environments
from hfscan.parity.process import Settings

if TYPE_CHECKING:
    from hfscan.parity.environments import Device, Environment

_EXAMPLES = """
hfscan parity setup
hfscan parity setup keras-jax --device cpu
hfscan parity setup --list
hfscan parity setup --remove tensorflow
"""


@click.command("parity setup", cls=Command, examples=_EXAMPLES)
@click.argument(
    "backends",
    nargs=-1,
    metavar="[BACKEND]...",
    shell_complete=complete_names(lambda _: backend_names()),
)
@click.option(
    "--device",
    type=Choice(["auto", *DEVICES]),
    default="auto",
    help="Install builds for the CPU or for an NVIDIA GPU; auto: for a GPU if there is one.",
)
@click.option(
    "--list", "list_only", is_flag=True, help="List the environments, and change nothing."
)
@click.option("--remove", "remove_only", is_flag=True, help="Delete environments instead.")
def command(backends: tuple[str, ...], device: str, list_only: bool, remove_only: bool) -> None:
    """Install the frameworks of BACKENDs, in environments that `hfscan parity` finds by itself.

    Without BACKEND: those of pytorch and tensorflow; with --list and --remove all. uv is used where
    it is installed, otherwise venv and pip, with their own settings for indexes and proxies. The
    environments are in HFSCAN_BACKENDS, or in the user's data folder; what is up to date stays. A
    checkpoint in a folder named "setup" is checked by `hfscan parity ./setup`.
    """
    from hfscan.cli.diagnostics import check_environments, print_check
    from hfscan.parity.installer import remove

    if list_only and remove_only:
        raise click.UsageError("--list cannot be combined with --remove. Use one of them.")
    environments = select_environments(backends)
    if list_only:
        for check in check_environments(environments):
            print_check(check)
    elif remove_only:
        for folder in itertools.chain.from_iterable(map(remove, environments)):
            note(f"Deleted {folder}")
    else:
        _set_up(environments if backends else select_environments(Settings.backends), device)


def _set_up(environments: Sequence[Environment], device: str) -> None:
    from hfscan.cli.diagnostics import check_environments, print_check
    from hfscan.parity.installer import detect_device, set_up

    chosen: Device = detect_device() if device == "auto" else "cuda" if device == "cuda" else "cpu"
    for environment in environments:
        set_up(environment, chosen, note, verbose=sys.stderr.isatty() and not is_quiet())
    for check in check_environments(environments):
        print_check(check)
