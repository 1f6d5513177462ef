from __future__ import annotations

import itertools
import sys
from pathlib import Path

import click

from hfscan.cli._command import Command
from hfscan.cli._hub import HubAccess, hub_options
from hfscan.cli._options import backend_python_option, db_option
from hfscan.cli._output import note
from hfscan.cli._streams import output
from hfscan.cli._types import Choice
from hfscan.parity.backend_files import backend_names
from hfscan.parity.environments import read_environments
from hfscan.suggest import unknown

_EXAMPLES = """
hfscan doctor
hfscan doctor --no-backends
hfscan doctor --backend-python flax=/opt/jax/bin/python --format json
"""


@click.command("doctor", cls=Command, examples=_EXAMPLES)
@hub_options
@db_option
@click.option("--backends/--no-backends", default=True, help="Also start each parity backend.")
@backend_python_option
@click.option(
    "--format", "format_", type=Choice(["text", "json"]), default="text", help="Output format."
)
def command(
    hub: HubAccess, db: Path, backends: bool, pythons: dict[str, str], format_: str
) -> None:
    """Check the installation, database, Hub connection and parity backends.

    Prints a hint for each problem. Exit code 0: no problem found; 1: at least one. Changes nothing
    and requests one model from the Hub. Never prints a token.
    """
    from hfscan.cli import diagnostics
    from hfscan.report import write_rows

    for name in pythons:
        if name not in backend_names():
            raise click.UsageError(unknown("backend", name, backend_names()))
    checks = []
    for check in itertools.chain(
        diagnostics.check_versions(),
        diagnostics.check_database(db),
        diagnostics.check_hub(hub),
        diagnostics.check_environments(read_environments()),
        diagnostics.check_backends(backend_names() if backends else [], pythons, note),
    ):
        checks.append(check)
        if format_ == "text":
            diagnostics.print_check(check)
    if format_ == "json":
        write_rows("json", [vars(check) for check in checks], output(format_))
    sys.exit(1 if any(check.status == "problem" for check in checks) else 0)
