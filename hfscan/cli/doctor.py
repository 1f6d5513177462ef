"""`hfscan doctor`."""

import itertools
import sys
from pathlib import Path

import click
from huggingface_hub import constants, get_token

from hfscan import doctor
from hfscan.cli._command import Choice, Command
from hfscan.cli._hub import hub_options
from hfscan.cli._options import db_option
from hfscan.cli._output import echo
from hfscan.cli._pairs import parse_pythons
from hfscan.cli._streams import output
from hfscan.cli._verbosity import note
from hfscan.parity.worker import backend_names
from hfscan.report import ROW_FORMATS

_EXAMPLES = """
hfscan doctor
hfscan doctor --no-backends
hfscan doctor --backend-python flax=/opt/jax/bin/python --format json
"""


@click.command("doctor", cls=Command, examples=_EXAMPLES)
@hub_options
@db_option
@click.option(
    "--backends/--no-backends",
    default=True,
    show_default=True,
    help="Also start each parity backend.",
)
@click.option(
    "--backend-python",
    multiple=True,
    metavar="BACKEND=INTERPRETER",
    help="Python interpreter of a backend; repeatable.",
)
@click.option(
    "--format",
    "format_",
    type=Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Output format.",
)
def command(
    endpoint: str,
    rewrite_links: bool,
    allow_http_token: bool,
    db: Path,
    backends: bool,
    backend_python: tuple[str, ...],
    format_: str,
) -> None:
    """Check the installation, database, Hub connection and parity backends.

    Prints a hint for each problem. Exit code 0: no problem found; 1: at least one. Changes nothing
    and requests one model from the Hub. Never prints a token.
    """
    pythons = parse_pythons(backend_python, backend_names())
    problems, rows = 0, []
    for check in itertools.chain(
        doctor.versions(),
        doctor.database(db),
        doctor.hub(
            endpoint,
            get_token(),
            offline=constants.HF_HUB_OFFLINE,
            allow_http_token=allow_http_token,
            rewrite_links=rewrite_links,
        ),
        doctor.backends(backend_names() if backends else [], pythons, note),
    ):
        problems += check.state == "problem"
        rows.append(vars(check))
        if format_ == "text":
            echo(f"{check.state:7}  {check.area}: {check.found}")
            if check.advice:
                echo(f"{'':7}  {check.advice}")
    if format_ == "json":
        ROW_FORMATS["json"](rows, output(format_))
    sys.exit(1 if problems else 0)
